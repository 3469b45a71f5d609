//! Watches a world and writes its history as that of a recording.

use super::history::{History, Names};
use crate::api::PodId;
use crate::api::pod::Pod;
use crate::record::Sink;
use crate::record::rows::EventRow;
use crate::store::{Change, Store};
use crate::units::SimTime;
use crate::world::Audience;
use std::collections::BTreeMap;

/// Who watches the objects.
#[derive(Debug, Default)]
pub(super) struct Watching {
    history: History,
    names: Names,
    /// What has been seen of each pod: owner, and whether it was Ready.
    pods: BTreeMap<PodId, (String, bool)>,
}

/// Who keeps the Events.
#[derive(Debug, Default)]
pub(super) struct Events(Vec<EventRow>);

impl Sink for Events {
    fn event(&mut self, row: &EventRow) {
        // The stand-in for the kubelets tells none.
        if row.component != "kubelet" {
            self.0.push(row.clone());
        }
    }
}

impl Watching {
    pub(super) fn into_history(mut self, events: Events) -> History {
        for row in events.0 {
            let object = format!("{}/{}", row.object_kind, row.name);
            self.history.event(&object, row.reason, &row.message, &self.names);
        }
        self.history.sort();
        self.history
    }

    fn moment(&mut self, pod: PodId, which: usize, now: SimTime) {
        if let Some((owner, _)) = self.pods.get(&pod) {
            self.history.moment(owner.clone(), which, (now.0 / 1_000_000) as i64);
        }
    }

    fn created(&mut self, id: PodId, pod: &Pod, store: &Store) {
        let owner = pod.owner.and_then(|owner| store.replica_set(owner));
        let owner = owner.map_or_else(|| pod.name(), |set| set.name.clone());
        self.names.pod(&pod.name(), &owner);
        self.pods.insert(id, (self.names.of(&owner), false));
    }
}

impl Audience for Watching {
    fn sees(&mut self, now: SimTime, change: &Change, store: &Store) {
        match change {
            Change::PodCreated(id) => {
                if let Some(pod) = store.pod(*id) {
                    self.created(*id, pod, store);
                    self.moment(*id, 0, now);
                }
            }
            Change::PodUpdated(id) => {
                let ready = store.pod(*id).is_some_and(|pod| pod.ready);
                let seen = self.pods.get_mut(id);
                if ready && seen.is_some_and(|(_, seen)| !std::mem::replace(seen, true)) {
                    self.moment(*id, 1, now);
                }
            }
            Change::PodMarked(id) => self.moment(*id, 2, now),
            Change::PodRemoved(id, _) => {
                self.moment(*id, 3, now);
                self.pods.remove(id);
            }
            Change::NodeCreated(id) => {
                if let Some(node) = store.node(*id) {
                    self.names.node(&node.name);
                }
            }
            Change::Deployment(id) => {
                let Some(deployment) = store.deployment(*id) else { return };
                for c in &deployment.conditions {
                    let text = format!("{:?} {}: {}", c.status, c.reason, c.message);
                    let text = self.names.told(&text);
                    self.history.condition(&deployment.name, c.kind, text);
                }
            }
            Change::ReplicaSet(id) => {
                let Some(set) = store.replica_set(*id) else { return };
                if let Some(owner) = set.owner.and_then(|owner| store.deployment(owner)) {
                    self.names.set(&set.name, &owner.name);
                }
                self.history.size(self.names.of(&set.name), u64::from(set.replicas));
            }
            _ => {}
        }
    }
}
