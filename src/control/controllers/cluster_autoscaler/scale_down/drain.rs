//! Nodes on their way out: tainted, drained, deleted; or kept after all.
//!
//! Source: cluster-autoscaler `core/scaledown/actuation/` (`actuator.go`, `drain.go`,
//! `delete_in_batch.go`), July 2026. What goroutines do there is polled here at the same intervals.

use super::super::cluster_state::ClusterState;
use super::super::scale_up::Scan;
use super::drainability::{is_daemon, is_waited_for};
use super::{Candidate, ScaleDown, utilization};
use crate::api::event::EventType::{Normal, Warning};
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::api::taint::{TO_BE_DELETED, Taint, TaintEffect};
use crate::api::{NodeId, PodId, Text};
use crate::control::controllers::action::{About, Action, Outcome};
use crate::control::flags::ClusterAutoscalerFlags;
use crate::store::Store;
use crate::units::{SimDuration, SimTime};

/// How often is looked whether evicted pods are gone (`waitPodsToDisappear`).
const POLL: SimDuration = SimDuration::from_secs(5);
/// Between two tries to evict a pod (`DefaultEvictionRetryTime`).
const EVICTION_RETRY: SimDuration = SimDuration::from_secs(10);
/// Beyond the grace period that a pod may take to go (`DefaultPodEvictionHeadroom`).
const HEADROOM: SimDuration = SimDuration::from_secs(30);

/// A node on its way out.
#[derive(Clone, Debug)]
pub(in super::super) struct Drain {
    pub(super) node: NodeId,
    /// It has pods to evict.
    pub(super) evicts: bool,
    /// When its pods begin to be evicted or, without pods, it is deleted.
    starts: SimTime,
    /// When it is looked at next.
    next: SimTime,
}

impl ScaleDown {
    /// Taints a node and plans the rest.
    pub(super) fn begin(
        &mut self,
        flags: &ClusterAutoscalerFlags,
        candidate: &Candidate,
        scan: &Scan<'_>,
        outcome: &mut Outcome,
    ) {
        let store = scan.simulator.store;
        let Candidate { id, empty, .. } = *candidate;
        let Some(node) = store.node(id) else { return };
        let taint = Taint::new(TO_BE_DELETED, TaintEffect::NoSchedule, scan.now);
        outcome.then(Action::AddTaint { node: id, taint });
        let about = About::Node(id);
        let message = "marked the node as toBeDeleted/unschedulable".to_string();
        outcome.then(Action::Event { kind: Normal, reason: "ScaleDown", about, message });
        let (reason, message) = if empty {
            ("ScaleDownEmpty", format!("Scale-down: removing empty node {:?}", &*node.name))
        } else {
            let (cpu, memory) = utilization(id, node, flags, &scan.simulator, scan.now);
            let (what, most) = if cpu > memory { ("cpu", cpu) } else { ("memory", memory) };
            let pods = pods_left(store, id, flags, scan.now).into_iter();
            let pods: Vec<Text> = pods.filter_map(|id| store.pod(id)).map(Pod::name).collect();
            let text = format!(
                "Scale-down: removing node {}, utilization: {{{cpu} {memory} 0 0 {what} {most}}}, pods to reschedule: {}",
                node.name,
                pods.join(",")
            );
            ("ScaleDown", text)
        };
        let about = About::Group(node.group);
        outcome.then(Action::Event { kind: Normal, reason, about, message });
        // So that the scheduler has seen the taint before the first deletion.
        let starts = scan.now + flags.node_delete_delay_after_taint;
        self.drains.push(Drain { node: id, evicts: !empty, starts, next: starts });
    }

    /// When the next node on its way out is looked at.
    pub(in super::super) fn next_poll(&self, now: SimTime) -> SimTime {
        let due = self.drains.iter().map(|drain| drain.next.max(SimTime(now.0 + 1)));
        due.min().unwrap_or(SimTime::NEVER)
    }

    /// Looks at the nodes on their way out that are due.
    pub(in super::super) fn drain(
        &mut self,
        flags: &ClusterAutoscalerFlags,
        store: &Store,
        state: &mut ClusterState,
        now: SimTime,
        outcome: &mut Outcome,
    ) {
        let mut evictions = Vec::new();
        self.drains.retain_mut(|drain| {
            let Some(node) = store.node(drain.node) else { return false };
            if drain.next > now {
                return true;
            }
            drain.next = now + POLL;
            let left = pods_left(store, drain.node, flags, now);
            if left.is_empty() {
                if !drain.evicts {
                    evict_daemons(drain, flags, store, &mut evictions);
                }
                delete(drain, node, outcome);
                state.deleting.insert(drain.node);
                return false;
            }
            let reason = failure(drain, &left, flags, store, now);
            if let Some(reason) = reason {
                keep(drain, reason, outcome);
                return false;
            }
            evict(drain, &left, flags, store, now, &mut evictions);
            if now == drain.starts {
                evict_daemons(drain, flags, store, &mut evictions);
            }
            true
        });
        // Last, since a refused eviction keeps what follows from being sent.
        if !evictions.is_empty() {
            outcome.batches.push(evictions);
        }
    }
}

/// The pods that a node is not deleted with.
fn pods_left(
    store: &Store,
    node: NodeId,
    flags: &ClusterAutoscalerFlags,
    now: SimTime,
) -> Vec<PodId> {
    let counts =
        |id: &&PodId| store.pod(**id).is_some_and(|pod| is_waited_for(pod, store, flags, now));
    store.pods_on(node).iter().filter(counts).copied().collect()
}

/// Evicts the daemons of a node, once: nobody waits for them (`BestEffortEvictionPods`).
fn evict_daemons(
    drain: &Drain,
    flags: &ClusterAutoscalerFlags,
    store: &Store,
    evictions: &mut Vec<Action>,
) {
    let by_default = if drain.evicts {
        flags.daemonset_eviction_for_occupied_nodes
    } else {
        flags.daemonset_eviction_for_empty_nodes
    };
    for id in store.pods_on(drain.node) {
        let Some(pod) = store.pod(*id).filter(|pod| is_daemon(pod, store)) else { continue };
        let own = pod.spec.drain_hints.as_ref().and_then(|hints| hints.enable_ds_eviction);
        if pod.deletion.is_none() && !pod.phase.is_terminal() && own.unwrap_or(by_default) {
            let grace = Some(pod.spec.termination_grace.min(flags.max_graceful_termination_sec));
            evictions.push(Action::EvictPod { pod: *id, grace, reason: "Drained" });
        }
    }
}

/// The node is empty: its machine goes.
fn delete(drain: &Drain, node: &Node, outcome: &mut Outcome) {
    let about = About::Node(drain.node);
    let message = "nodes removed by cluster autoscaler".to_string();
    outcome.then(Action::DeleteMachine { node: drain.node });
    outcome.then(Action::Event { kind: Normal, reason: "ScaleDown", about, message });
    let (reason, message) = if drain.evicts {
        ("ScaleDown", format!("Scale-down: node {} removed with drain", node.name))
    } else {
        ("ScaleDownEmpty", format!("Scale-down: empty node {} removed", node.name))
    };
    let about = About::Group(node.group);
    outcome.then(Action::Event { kind: Normal, reason, about, message });
}

/// Why a node is kept after all, if it is.
fn failure(
    drain: &Drain,
    left: &[PodId],
    flags: &ClusterAutoscalerFlags,
    store: &Store,
    now: SimTime,
) -> Option<&'static str> {
    if !drain.evicts {
        return Some("failed to delete empty node: new pods scheduled");
    }
    let pods = || left.iter().filter_map(|id| store.pod(*id));
    let patience = drain.starts + flags.max_pod_eviction_time;
    if now >= patience && pods().any(|pod| pod.deletion.is_none()) {
        return Some("failed to drain and delete node: pods could not be evicted in time");
    }
    let longest = flags.max_graceful_termination_sec + HEADROOM;
    let late = |marked: SimTime| marked + longest < now;
    if pods().any(|pod| pod.deletion.is_some_and(late)) {
        return Some("failed to drain and delete node: pods remaining after timeout");
    }
    None
}

fn keep(drain: &Drain, reason: &str, outcome: &mut Outcome) {
    let (node, about) = (drain.node, About::Node(drain.node));
    let message = reason.to_string();
    outcome.then(Action::RemoveTaint {
        node,
        key: TO_BE_DELETED.into(),
        effect: TaintEffect::NoSchedule,
    });
    outcome.then(Action::Event { kind: Warning, reason: "ScaleDownFailed", about, message });
}

/// Evicts the pods that are not being deleted yet, again each [`EVICTION_RETRY`].
fn evict(
    drain: &Drain,
    left: &[PodId],
    flags: &ClusterAutoscalerFlags,
    store: &Store,
    now: SimTime,
    evictions: &mut Vec<Action>,
) {
    let since = now.since(drain.starts);
    if since.0 % EVICTION_RETRY.0 >= POLL.0 {
        return;
    }
    for id in left {
        let Some(pod) = store.pod(*id).filter(|pod| pod.deletion.is_none()) else { continue };
        if since < POLL {
            let (about, message) =
                (About::Pod(*id), "deleting pod for node scale down".to_string());
            evictions.push(Action::Event { kind: Normal, reason: "ScaleDown", about, message });
        }
        let grace = Some(pod.spec.termination_grace.min(flags.max_graceful_termination_sec));
        evictions.push(Action::EvictPod { pod: *id, grace, reason: "Drained" });
    }
}
