//! Watches a world and writes its history as that of a recording.

use super::history::{BUDGET, COUNTS, DAEMON_SET, History, Names, REVISIONS};
use crate::api::owner::{Owner, Parent};
use crate::api::pod::Pod;
use crate::api::policy::Pdb;
use crate::api::refusal::{Cause, Refusal};
use crate::api::stateful_set::StatefulSet;
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
    /// Names of owners whose pods have drawn names, the gone ones included.
    owners: BTreeMap<OwnerId, Text>,
    /// Pods that have been Ready.
    ready: BTreeSet<PodId>,
    /// Pods that have been marked for deletion.
    marked: BTreeSet<PodId>,
    /// Whose pod, which moment, when: names are replaced when all are known.
    moments: Vec<(Text, usize, i64)>,
    /// What refused commands were told.
    refusals: Vec<String>,
    /// Whose eviction was asked for, and why it was refused.
    evictions: Vec<(Text, Option<Refusal>)>,
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
            self.history.event(&object, (row.reason, &row.message), row.times, &self.names);
        }
        self.history.refusals = self.refusals.iter().map(|told| self.names.told(told)).collect();
        for (owner, which, ms) in self.moments {
            self.history.moment(self.names.of(&owner), which, ms);
        }
        for (pod, refusal) in &self.evictions {
            let (code, message, cause) = match refusal {
                None => (201, "ok", ""),
                Some(Refusal { code, message, cause: Cause::DisruptionBudget(cause) }) => {
                    (*code, &**message, &**cause)
                }
                Some(Refusal { code, message, .. }) => (*code, &**message, ""),
            };
            self.history.eviction(&self.names.of(pod), code.into(), message, cause);
        }
        self.history.sort();
        self.history
    }

    /// A moment of a pod; of one without an owner, or of a StatefulSet, its own name stands for
    /// that.
    fn moment(&mut self, pod: &Pod, which: usize, now: SimTime) {
        let owner = pod.owner.and_then(|owner| self.owners.get(&owner).cloned());
        let owner = owner.unwrap_or_else(|| pod.name());
        self.moments.push((owner, which, (now.0 / 1_000_000) as i64));
    }

    fn owned(&mut self, pod: &Pod, store: &Store) {
        let owner = pod.owner.and_then(|owner| store.owner(owner));
        let Some(owner) = owner else { return };
        if is_stateful(owner) {
            self.history.stateful(&pod.name(), owner.name());
        } else {
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
        let parent = match owner.parent() {
            Some(Parent::Deployment(id)) => store.deployment(id).map(|parent| &parent.name),
            Some(Parent::CronJob(id)) => store.cron_job(id).map(|parent| &parent.meta.name),
            None => None,
        };
        if let Some(parent) = parent {
            self.names.set(owner.name(), parent);
        }
        if let Owner::Job(job) = owner {
            self.conditions(&job.meta.name, &job.status.conditions);
            let counted = [u64::from(job.status.succeeded), u64::from(job.status.failed)];
            self.history.count(self.names.of(&job.meta.name), counted);
        }
        if let Owner::DaemonSet(set) = owner {
            let s = &set.status;
            let counts = [
                s.desired,
                s.current,
                s.misscheduled,
                s.ready,
                s.updated,
                s.available,
                s.unavailable,
            ];
            let counts = counts.into_iter().map(u64::from).chain([s.observed_generation]);
            let name = self.names.of(&set.meta.name);
            self.history.status(&name, DAEMON_SET, &counts.collect::<Vec<_>>());
        }
        let size = match owner {
            Owner::ReplicaSet(set) => Some(set.replicas),
            Owner::StatefulSet(set) => Some(set.replicas),
            Owner::DaemonSet(_) | Owner::Job(_) => None,
        };
        if let Owner::StatefulSet(set) = owner {
            self.status_of(set);
        }
        if let Some(size) = size {
            self.history.size(self.names.of(owner.name()), u64::from(size));
        }
    }
}

impl Watching {
    fn budget_sees(&mut self, pdb: &Pdb) {
        let s = &pdb.status;
        let counts = [s.disruptions_allowed, s.current_healthy, s.desired_healthy, s.expected_pods];
        self.history.status(&pdb.name, BUDGET, &counts.map(u64::from));
    }

    fn status_of(&mut self, set: &StatefulSet) {
        let (name, status) = (&set.meta.name, &set.status);
        let counts =
            [status.replicas, status.ready, status.available, status.current, status.updated];
        for (field, count) in COUNTS.into_iter().zip(counts) {
            self.history.set_status(name, field, u64::from(count));
        }
        for (field, revision) in
            REVISIONS.into_iter().zip([&status.current_revision, &status.update_revision])
        {
            let number = self.names.revision(name, revision);
            self.history.set_status(name, field, number);
        }
    }
}

/// Whether its pods have names that stay.
fn is_stateful(owner: &Owner) -> bool {
    matches!(owner, Owner::StatefulSet(_))
}

impl Audience for Watching {
    fn answers_eviction(&mut self, pod: &Pod, refusal: Option<&Refusal>) {
        self.evictions.push((pod.name(), refusal.cloned()));
    }

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
            Change::Pdb(id) => {
                if let Some(pdb) = store.pdb(*id) {
                    self.budget_sees(pdb);
                }
            }
            Change::Owner(id) => {
                if let Some(owner) = store.owner(*id) {
                    if !is_stateful(owner) {
                        self.owners.insert(*id, owner.name().clone());
                    }
                    self.owner_sees(owner, store);
                }
            }
            change => self.pod_sees(now, change, store),
        }
    }

    fn answered(&mut self, _now: SimTime, _command: &Command, refusal: Option<&Refusal>) {
        self.refusals.extend(refusal.map(|refusal| refusal.message.clone()));
    }
}
