//! NodeUnschedulable: cordoned nodes take only pods that tolerate the unschedulable taint.
//!
//! Source: `plugins/nodeunschedulable/node_unschedulable.go`, v1.37.

use crate::api::taint::{TaintEffect, TolerationOperator, UNSCHEDULABLE};
use crate::control::scheduler::event::{Action, ClusterEvent, EventObjects, Resource};
use crate::control::scheduler::framework::{
    Aspects, Context, EnqueueExtensions, FilterPlugin, PluginState, QueueingHint, Scope,
    SignPlugin, Status,
};
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::objects::Objects;
use crate::control::scheduler::pod_info::PodInfo;

/// Filters by `spec.unschedulable`.
pub struct NodeUnschedulable;

/// Whether the pod tolerates the taint `node.kubernetes.io/unschedulable:NoSchedule` (no value),
/// without making such a taint for every cordoned node.
fn tolerates(pod: &PodInfo) -> bool {
    pod.spec.tolerations.iter().any(|t| {
        t.effect.is_none_or(|e| e == TaintEffect::NoSchedule)
            && (t.key.is_empty() || &*t.key == UNSCHEDULABLE)
            && (t.operator == TolerationOperator::Exists || t.value.is_empty())
    })
}

impl FilterPlugin for NodeUnschedulable {
    fn scope(&self) -> Scope {
        Scope::Node
    }

    fn heeds_identity(&self, _pod: &PodInfo) -> bool {
        false
    }

    fn filter(
        &self,
        _cx: &Context<'_>,
        _state: &PluginState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Status {
        if !node.node.unschedulable || tolerates(pod) {
            return Status::SUCCESS;
        }
        Status::unresolvable(&["node(s) were unschedulable"])
    }
}

impl EnqueueExtensions for NodeUnschedulable {
    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const EVENTS: [ClusterEvent; 2] = [
            ClusterEvent::new(Resource::Node, Action::ADD.or(Action::UPDATE_NODE_TAINT)),
            ClusterEvent::new(Resource::TargetPod, Action::UPDATE_POD_TOLERATION),
        ];
        &EVENTS
    }

    fn queueing_hint(
        &self,
        _objects: &Objects,
        pod: &PodInfo,
        _event: ClusterEvent,
        change: &EventObjects<'_>,
    ) -> QueueingHint {
        let helps = match change {
            EventObjects::Node { old, new: Some(new) } => {
                old.is_none_or(|old| old.unschedulable) && !new.unschedulable
            }
            EventObjects::Pod { new: Some(_), .. } => tolerates(pod),
            _ => true,
        };
        QueueingHint::when(helps)
    }
}

impl SignPlugin for NodeUnschedulable {
    fn sign(&self, _pod: &PodInfo) -> Option<Aspects> {
        Some(Aspects::TOLERATIONS)
    }
}
