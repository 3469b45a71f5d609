//! The pod garbage collector: pods of nodes that no longer exist.
//!
//! Source: kubernetes `pkg/controller/podgc/gc_controller.go`, v1.37: a check each 20 s, a node
//! must be missing for 40 s. Lazily evaluated: without orphans there is nothing to wake up for.

use super::action::{About, Action, Outcome};
use crate::api::event::EventType::Normal;
use crate::api::{NodeId, PodId};
use crate::control::flags::ControllerManagerFlags;
use crate::store::Store;
use crate::units::{SimDuration, SimTime};
use std::collections::BTreeMap;

const CHECK: SimDuration = SimDuration::from_secs(20);
const QUARANTINE: SimDuration = SimDuration::from_secs(40);

/// The controller's memory: missing nodes, and when each was found missing.
#[derive(Debug, Default)]
pub struct PodGc {
    missing: BTreeMap<NodeId, SimTime>,
}

impl PodGc {
    /// A controller with these flags.
    pub fn new(_flags: &ControllerManagerFlags) -> PodGc {
        PodGc::default()
    }

    /// A node object is gone; `pods` were bound to it (as [`crate::store::Change::NodeRemoved`]
    /// tells).
    pub fn node_removed(&mut self, _node: NodeId, _pods: &[PodId]) {}

    /// A pod's phase changed, or it was removed. Call it for every such change.
    pub fn pod_changed(&mut self, _pod: PodId, _store: &Store) {}

    /// Looks for pods whose node is gone. Called on the change; acts on the grid of its checks.
    pub fn sync(&mut self, store: &Store, now: SimTime) -> Outcome {
        let mut outcome = Outcome::idle();
        let mut batch = Vec::new();
        let mut still = BTreeMap::new();
        for (id, pod) in store.pods() {
            let Some(node) = pod.node.filter(|node| store.node(*node).is_none()) else { continue };
            let check = now.next_on_grid(SimTime::ZERO, CHECK);
            let found = *self.missing.get(&node).unwrap_or(&check);
            still.insert(node, found);
            let due = found + QUARANTINE;
            if due > now {
                outcome.wake(due);
                continue;
            }
            let message = format!("PodGC: node of {} no longer exists", pod.name);
            let about = About::Pod(id);
            batch.push(Action::Event {
                kind: Normal,
                reason: "DeletingOrphanedPod",
                about,
                message,
            });
            let grace = Some(SimDuration::ZERO);
            batch.push(Action::DeletePod { pod: id, grace, reason: "PodGC" });
        }
        self.missing = still;
        if !batch.is_empty() {
            outcome.batches.push(batch);
        }
        outcome
    }
}
