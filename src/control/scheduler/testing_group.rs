//! A plugin for tests: pods of a group are bound together or not at all. It shows what a plugin of
//! one's own can do with Permit, PreBind, PostBind and Unreserve.

use super::event::{ClusterEvent, EventObjects};
use super::framework::{
    Code, Context, EnqueueExtensions, Permit, PermitPlugin, PodBinding, PostBindPlugin,
    PreBindPlugin, PreFlight, QueueingHint, ReservePlugin, Status, Waits,
};
use super::node_info::NodeInfo;
use super::objects::Objects;
use super::pod_info::PodInfo;
use super::registry::decode;
use super::storage::Reservation;
use super::waiting_pods::WaitingPods;
use crate::api::Text;
use crate::units::SimDuration;
use serde::Deserialize;
use serde_json::Value;

/// Waits until a group has as many pods with nodes as it needs. A pod's label `group` names its
/// group; `verdict: allow`, `reject` and `error` make Permit say so at once.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Group {
    /// So many pods are a group.
    size: usize,
    /// It is waited for so long.
    wait_seconds: u64,
    /// What PreBind waits for before each binding, nothing by default.
    settle_seconds: u64,
}

impl Default for Group {
    fn default() -> Group {
        Group { size: 3, wait_seconds: 30, settle_seconds: 0 }
    }
}

impl Group {
    pub(super) fn new(args: &Value) -> Result<Group, String> {
        decode(args)
    }
}

fn group(pod: &PodInfo) -> Option<&Text> {
    pod.labels.get("group")
}

impl PermitPlugin for Group {
    fn permit(
        &self,
        cx: &Context<'_>,
        waiting: &mut WaitingPods<'_>,
        pod: &PodInfo,
        _node: &NodeInfo,
    ) -> Permit {
        match pod.labels.get("verdict").map(|verdict| &**verdict) {
            Some("reject") => return Permit::Reject(Status::unschedulable(&["not today"])),
            Some("allow") => return Permit::Allow,
            Some("error") => return Permit::Reject(Status::made(Code::Error, "no idea")),
            _ => {}
        }
        let Some(of) = group(pod) else { return Permit::Allow };
        let bound = cx.nodes.iter().flat_map(|node| &node.pods);
        let with_node = bound.filter(|other| group(other) == Some(of)).count();
        // Those that wait are on their nodes already.
        if with_node + 1 < self.size {
            return Permit::Wait(SimDuration::from_secs(self.wait_seconds));
        }
        let members: Vec<_> =
            waiting.iter().filter(|w| group(w.pod) == Some(of)).map(|w| w.pod.id).collect();
        members.into_iter().for_each(|member| waiting.allow(member));
        Permit::Allow
    }
}

impl ReservePlugin for Group {
    fn reserve(&self, _cx: &Context<'_>, _pod: &PodInfo, _node: &NodeInfo) -> Reservation {
        Reservation::default()
    }

    /// Who fails takes the whole group along.
    fn unreserve(&self, waiting: &mut WaitingPods<'_>, pod: &PodInfo, _node: &NodeInfo) {
        let Some(of) = group(pod) else { return };
        let members: Vec<_> =
            waiting.iter().filter(|w| group(w.pod) == Some(of)).map(|w| w.pod.id).collect();
        members.into_iter().for_each(|member| waiting.reject(member, "a member failed"));
    }
}

impl PreBindPlugin for Group {
    fn pre_flight(
        &self,
        _cx: &Context<'_>,
        _binding: &PodBinding<'_>,
    ) -> Result<PreFlight, String> {
        Ok(PreFlight { works: self.settle_seconds > 0, parallel: false })
    }

    fn waits(&self, _cx: &Context<'_>, _binding: &PodBinding<'_>) -> Option<Waits> {
        let period = SimDuration::from_secs(self.settle_seconds);
        let timeout = SimDuration::from_secs(3600);
        Some(Waits { period, at_once: false, timeout, timed_out: "never" })
    }
}

impl PostBindPlugin for Group {
    /// Whoever waits for the group called like the pod's label `starts` may go.
    fn post_bind(&self, waiting: &mut WaitingPods<'_>, pod: &PodInfo, _node: &NodeInfo) {
        let Some(started) = pod.labels.get("starts") else { return };
        let members: Vec<_> =
            waiting.iter().filter(|w| group(w.pod) == Some(started)).map(|w| w.pod.id).collect();
        members.into_iter().for_each(|member| waiting.allow(member));
    }
}

impl EnqueueExtensions for Group {
    fn events_to_register(&self) -> &'static [ClusterEvent] {
        &[ClusterEvent::ASSIGNED_POD_ADD]
    }

    fn queueing_hint(
        &self,
        _objects: &Objects,
        pod: &PodInfo,
        _event: ClusterEvent,
        change: &EventObjects<'_>,
    ) -> QueueingHint {
        let same = change.new_pod().is_some_and(|new| group(new) == group(pod));
        QueueingHint::when(same)
    }
}
