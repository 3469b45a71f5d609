//! The taint-eviction controller: pods leave nodes whose NoExecute taints they don't tolerate.
//!
//! Source: kubernetes `pkg/controller/tainteviction/taint_eviction.go`, v1.37. It looks only at
//! nodes that have such a taint.

use super::action::{About, Action, Outcome};
use crate::api::event::EventType::Normal;
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::api::taint::TaintEffect;
use crate::api::{NodeId, PodId};
use crate::store::Store;
use crate::units::SimTime;
use slotmap::SecondaryMap;

/// The controller's memory: pods that it has planned to evict.
#[derive(Debug, Default)]
pub struct TaintEviction {
    planned: SecondaryMap<PodId, SimTime>,
}

impl TaintEviction {
    /// A node appeared, changed or went. Call it for every such change, before [`Self::sync`].
    pub fn node_changed(&mut self, _node: NodeId) {}

    /// A pod was bound, marked for deletion or removed. Call it for every such change.
    pub fn pod_changed(&mut self, _pod: PodId) {}

    /// Looks at all pods on tainted nodes.
    pub fn sync(&mut self, store: &Store, now: SimTime) -> Outcome {
        let mut outcome = Outcome::idle();
        let mut batch = Vec::new();
        self.cancel(store, &mut batch);
        for (id, node) in store.nodes() {
            if node.taints.iter().all(|t| t.effect != TaintEffect::NoExecute) {
                continue;
            }
            for pod_id in store.pods_on(id) {
                let Some(pod) = store.pod(*pod_id).filter(|p| p.is_active()) else { continue };
                let due = eviction_due(pod, node);
                if due == SimTime::NEVER {
                    continue;
                }
                self.planned.insert(*pod_id, due);
                if due > now {
                    outcome.wake(due);
                    continue;
                }
                let about = About::Pod(*pod_id);
                let message = format!("Marking for deletion Pod {}/{}", pod.namespace, pod.name);
                let reason = "TaintManagerEviction";
                batch.push(Action::Event { kind: Normal, reason, about, message });
                batch.push(Action::DeletePod { pod: *pod_id, grace: None, reason: "TaintManager" });
            }
        }
        if !batch.is_empty() {
            outcome.batches.push(batch);
        }
        outcome
    }

    /// Takes back plans for pods whose node has lost the taint.
    fn cancel(&mut self, store: &Store, batch: &mut Vec<Action>) {
        self.planned.retain(|id, _| {
            let Some(pod) = store.pod(id).filter(|p| p.is_active()) else { return false };
            let node = pod.node.and_then(|node| store.node(node));
            let keeps = node.is_some_and(|node| eviction_due(pod, node) != SimTime::NEVER);
            if !keeps {
                let about = About::Pod(id);
                let message = format!("Cancelling deletion of Pod {}/{}", pod.namespace, pod.name);
                let reason = "TaintManagerEviction";
                batch.push(Action::Event { kind: Normal, reason, about, message });
            }
            keeps
        });
    }
}

/// When a pod must leave its node: at once, after the shortest toleration, or never.
fn eviction_due(pod: &Pod, node: &Node) -> SimTime {
    let mut due = SimTime::NEVER;
    for taint in node.taints.iter().filter(|t| t.effect == TaintEffect::NoExecute) {
        let mut tolerated = pod.spec.tolerations.iter().filter(|t| t.tolerates(taint)).peekable();
        if tolerated.peek().is_none() {
            return taint.added;
        }
        let until = tolerated.filter_map(|t| t.seconds).min().map(|s| taint.added + s);
        due = due.min(until.unwrap_or(SimTime::NEVER));
    }
    due
}
