//! Nodes that are shut down on purpose: their kubelets end the pods first, the important ones last.
//!
//! Off by default, as in upstream: then the machine just stops. Source: kubernetes
//! `pkg/kubelet/nodeshutdown/nodeshutdown_manager.go` and `nodeshutdown_manager_linux.go`, v1.37.
//! Volumes are not waited for. It does not know why a machine is shut down.

use super::eviction::CRITICAL;
use crate::api::event::EventType::Normal;
use crate::api::node::NodeReady;
use crate::api::pod::StatusReason;
use crate::api::{NodeId, PodId};
use crate::control::controllers::action::About;
use crate::scenario::model::KubeletFlags;
use crate::units::{SimDuration, SimTime};
use crate::world::event::{Event, NodeStep};
use crate::world::world::World;
use std::collections::VecDeque;

/// `status.reason` of pods that are ended by a shutdown.
pub(super) const TERMINATED: &str = "Terminated";
/// `status.reason` of pods that come to a node which is shut down.
const NODE_SHUTDOWN: &str = "NodeShutdown";

/// A shutdown that is under way.
#[derive(Clone, Debug)]
pub struct Shutdown {
    /// Pods that are still to be ended, by group, and how long each group gets.
    groups: VecDeque<(SimDuration, Vec<PodId>)>,
    /// Pods of the present group that have not ended.
    ends: Vec<PodId>,
    /// When the next group's turn is at the latest.
    next: SimTime,
    /// When the machine boots again; `None`: it does not.
    until: Option<SimTime>,
    /// The entry of the timeline.
    entry: u64,
}

/// From which priority on pods get how long, least important first (`migrateConfig`).
fn periods(flags: &KubeletFlags) -> Vec<(i32, SimDuration)> {
    let by_priority = &flags.shutdown_grace_period_by_pod_priority.0;
    if !by_priority.is_empty() {
        return by_priority.clone();
    }
    let (all, critical) = (flags.shutdown_grace_period, flags.shutdown_grace_period_critical_pods);
    if all == SimDuration::ZERO {
        return Vec::new();
    }
    vec![(0, SimDuration(all.0.saturating_sub(critical.0))), (CRITICAL, critical)]
}

/// The group of a priority: the last that begins at or below it, else the first
/// (`groupByPriority`).
fn group_of(periods: &[(i32, SimDuration)], priority: i32) -> usize {
    periods.iter().rposition(|(from, _)| *from <= priority).unwrap_or(0)
}

impl World<'_> {
    /// Whether kubelets take their time to end pods when their machines are shut down.
    pub(in crate::world) fn shuts_down_gracefully(&self) -> bool {
        !periods(&self.scenario.flags.kubelet).is_empty()
    }

    /// A machine is told to shut down: its kubelet begins to end the pods.
    pub(in crate::world) fn begin_shutdown(
        &mut self,
        node: NodeId,
        until: Option<SimTime>,
        entry: u64,
    ) {
        let now = self.now;
        let hears = self.nodes.get(node).is_some_and(|s| s.alive && s.silent_since.is_none());
        if !hears || self.kubelets.shutdowns.contains_key(&node) {
            return;
        }
        let periods = periods(&self.scenario.flags.kubelet);
        let mut groups: Vec<(SimDuration, Vec<PodId>)> =
            periods.iter().map(|(_, period)| (*period, Vec::new())).collect();
        for id in self.store.pods_on(node) {
            if let Some(pod) = self.store.pod(*id).filter(|pod| !pod.phase.is_terminal()) {
                groups[group_of(&periods, pod.spec.priority)].1.push(*id);
            }
        }
        // Nobody waits for a group without pods.
        groups.retain(|(_, pods)| !pods.is_empty());
        let groups = groups.into();
        let shutdown = Shutdown { groups, ends: Vec::new(), next: now, until, entry };
        self.kubelets.shutdowns.insert(node, shutdown);
        self.store.update_node(node, |n| {
            let is_news = n.ready == NodeReady::True;
            if is_news {
                (n.ready, n.ready_changed) = (NodeReady::False, now);
            }
            let mut pressures = n.pressures();
            pressures.shuts_down = true;
            n.pressures = Some(Box::new(pressures));
            true
        });
        if let Some(name) = self.store.node(node).map(|n| n.name.clone()) {
            let message = format!("Node {name} status is now: NodeNotReady");
            self.publish("kubelet", Normal, "NodeNotReady", About::Node(node), message);
        }
        self.heartbeats_changed(node);
        self.go_on_shutting_down(node);
    }

    /// The present group has ended, or its time is over: the next one's turn.
    pub(super) fn go_on_shutting_down(&mut self, node: NodeId) {
        let now = self.now;
        let Some(shutdown) = self.kubelets.shutdowns.get_mut(&node).filter(|s| s.next == now)
        else {
            return;
        };
        let Some((period, pods)) = shutdown.groups.pop_front() else {
            return self.shutdown_is_over(node);
        };
        (shutdown.ends, shutdown.next) = (pods.clone(), now + period);
        self.plan(now + period, Event::Node(node, NodeStep::Shutdown));
        for pod in pods {
            self.end_for_shutdown(pod, period);
        }
        self.shutdown_goes_on(node, None);
    }

    /// Ends a pod of a node that is shut down.
    fn end_for_shutdown(&mut self, pod: PodId, period: SimDuration) {
        let Some(p) = self.store.pod(pod).filter(|p| !p.phase.is_terminal()) else {
            return self.pod_is_cleaned_up(pod);
        };
        let grace = p.spec.termination_grace.min(period);
        let message = "Pod was terminated in response to imminent node shutdown.".into();
        let Some(state) = self.pods.get_mut(pod) else { return };
        let trouble = state.trouble.get_or_insert_default();
        if trouble.end_reason.is_empty() {
            trouble.end_reason = TERMINATED;
        }
        trouble.grace = Some(grace);
        trouble.fate = Some(Box::new(StatusReason { reason: TERMINATED, message }));
        self.note_kubelet_disruption(pod, "TerminationByKubelet");
        self.stop_pod(pod);
    }

    /// A pod has ended: if it was the last one of its group, the next one's turn is now.
    pub(super) fn shutdown_goes_on(&mut self, node: NodeId, ended: Option<PodId>) {
        let now = self.now;
        let Some(shutdown) = self.kubelets.shutdowns.get_mut(&node) else { return };
        shutdown.ends.retain(|pod| Some(*pod) != ended);
        if shutdown.ends.is_empty() && shutdown.next > now {
            shutdown.next = now;
            self.plan(now, Event::Node(node, NodeStep::Shutdown));
        }
    }

    /// All pods have ended, or had their time: the machine stops.
    fn shutdown_is_over(&mut self, node: NodeId) {
        let Some(shutdown) = self.kubelets.shutdowns.remove(&node) else { return };
        self.machine_stops(node, shutdown.until, shutdown.entry);
    }

    /// A machine is off, whatever its kubelet was at.
    pub(super) fn forget_shutdown(&mut self, node: NodeId) {
        self.kubelets.shutdowns.remove(&node);
    }

    /// Why a node that is shut down does not take a pod; `None`: it does.
    pub(super) fn shutdown_refuses(&self, node: NodeId) -> Option<(&'static str, String)> {
        let message = "Pod was rejected as the node is shutting down.".to_owned();
        self.kubelets.shutdowns.contains_key(&node).then_some((NODE_SHUTDOWN, message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_grouped_by_their_priority() {
        let flags = |all: u64, critical: u64| KubeletFlags {
            shutdown_grace_period: SimDuration::from_secs(all),
            shutdown_grace_period_critical_pods: SimDuration::from_secs(critical),
            ..KubeletFlags::default()
        };
        assert_eq!(periods(&flags(0, 0)), [], "by default nobody gets any time");
        let two = periods(&flags(30, 10));
        let seconds: Vec<u64> = two.iter().map(|(_, period)| period.0 / 1_000_000_000).collect();
        assert_eq!(seconds, [20, 10], "critical pods get theirs after the others");
        let rows = [
            ("below all", -5, 0),
            ("an ordinary pod", 0, 0),
            ("an important one", 1_000_000, 0),
            ("a critical one", CRITICAL, 1),
            ("a node's own", CRITICAL + 1000, 1),
        ];
        for (sentence, priority, group) in rows {
            assert_eq!(group_of(&two, priority), group, "{sentence}");
        }
    }
}
