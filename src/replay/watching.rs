//! Watches a world and writes its history as that of a recording.

use super::history::{History, Names};
use crate::api::owner::{Owner, Parent};
use crate::api::pod::Pod;
use crate::api::refusal::{Cause, Refusal};
use crate::api::workload::Condition;
use crate::api::{OwnerId, PodId, Text};
use crate::record::Sink;
use crate::record::rows::EventRow;
use crate::scenario::kubectl::Command;
use crate::store::{Change, Store};
use crate::units::SimTime;
use crate::world::Audience;
use std::collections::{BTreeMap, BTreeSet};

/// Who watches the objects.
#[derive(Debug, Default)]
pub(super) struct Watching {
    history: History,
    names: Names,
    /// Names of owners, the gone ones included.
    owners: BTreeMap<OwnerId, Text>,
    /// Pods that have been Ready.
    ready: BTreeSet<PodId>,
    /// Pods that have been marked for deletion.
    marked: BTreeSet<PodId>,
    /// Whose pod, which moment, when: names are replaced when all are known.
    moments: Vec<(Text, usize, i64)>,
    /// What refused commands were told.
    refusals: Vec<String>,
    /// Pods whose evictions were refused.
    kept: Vec<(Text, Refusal)>,
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
        self.history.refusals = self.refusals.iter().map(|told| self.names.told(told)).collect();
        for (pod, refusal) in &self.kept {
            let cause = match &refusal.cause {
                Cause::DisruptionBudget(cause) => cause,
                _ => "",
            };
            let code = u64::from(refusal.code);
            self.history.eviction(pod, code, &refusal.message, cause, &self.names);
        }
        for (owner, which, ms) in self.moments {
            self.history.moment(self.names.of(&owner), which, ms);
        }
        self.history.sort();
        self.history
    }

    /// A moment of a pod; of one without an owner its own name stands for that.
    fn moment(&mut self, pod: &Pod, which: usize, now: SimTime) {
        let owner = pod.owner.and_then(|owner| self.owners.get(&owner).cloned());
        let owner = owner.unwrap_or_else(|| pod.name());
        self.moments.push((owner, which, (now.0 / 1_000_000) as i64));
    }

    fn owned(&mut self, pod: &Pod, store: &Store) {
        if let Some(owner) = pod.owner.and_then(|owner| store.owner(owner)) {
            self.names.pod(&pod.name(), owner.name());
        }
    }

    fn pod_sees(&mut self, now: SimTime, change: &Change, store: &Store) {
        match change {
            Change::PodCreated(id) => {
                if let Some(pod) = store.pod(*id) {
                    self.owned(pod, store);
                    self.moment(pod, 0, now);
                }
            }
            Change::PodOwner(id, _) => {
                if let Some(pod) = store.pod(*id) {
                    self.owned(pod, store);
                }
            }
            Change::PodUpdated(id) => {
                let pod = store.pod(*id).filter(|pod| pod.ready);
                if let Some(pod) = pod.filter(|_| self.ready.insert(*id)) {
                    self.moment(pod, 1, now);
                }
            }
            Change::PodMarked(id) => {
                if let Some(pod) = store.pod(*id).filter(|_| self.marked.insert(*id)) {
                    self.moment(pod, 2, now);
                }
            }
            Change::PodRemoved(id, pod) => {
                // One that no kubelet has is marked and gone in one.
                if pod.deletion.is_some() && self.marked.insert(*id) {
                    self.moment(pod, 2, now);
                }
                self.moment(pod, 3, now);
            }
            _ => {}
        }
    }

    fn conditions(&mut self, object: &str, conditions: &[Condition]) {
        for c in conditions {
            let text = format!("{:?} {}: {}", c.status, c.reason, c.message);
            let text = self.names.told(&text);
            self.history.condition(&self.names.of(object), c.kind, text);
        }
    }

    fn owner_sees(&mut self, owner: &Owner, store: &Store) {
        if let Some(Parent::Deployment(parent)) = owner.parent()
            && let Some(parent) = store.deployment(parent)
        {
            self.names.set(owner.name(), &parent.name);
        }
        let size = match owner {
            Owner::ReplicaSet(set) => Some(set.replicas),
            Owner::StatefulSet(set) => Some(set.replicas),
            Owner::DaemonSet(_) | Owner::Job(_) => None,
        };
        if let Some(size) = size {
            self.history.size(self.names.of(owner.name()), u64::from(size));
        }
    }
}

impl Audience for Watching {
    fn sees(&mut self, now: SimTime, change: &Change, store: &Store) {
        match change {
            Change::NodeCreated(id) => {
                if let Some(node) = store.node(*id) {
                    self.names.node(&node.name);
                }
            }
            Change::Deployment(id) => {
                if let Some(deployment) = store.deployment(*id) {
                    self.conditions(&deployment.name, &deployment.conditions);
                }
            }
            Change::Owner(id) => {
                if let Some(owner) = store.owner(*id) {
                    self.owners.insert(*id, owner.name().clone());
                    self.owner_sees(owner, store);
                }
            }
            change => self.pod_sees(now, change, store),
        }
    }

    fn answered(&mut self, _now: SimTime, _command: &Command, refusal: Option<&Refusal>) {
        self.refusals.extend(refusal.map(|refusal| refusal.message.clone()));
    }

    fn keeps(&mut self, _now: SimTime, pod: PodId, refusal: &Refusal, store: &Store) {
        if let Some(pod) = store.pod(pod) {
            self.kept.push((pod.name(), refusal.clone()));
        }
    }
}
