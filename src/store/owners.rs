//! What controls pods: ReplicaSets, StatefulSets, DaemonSets, Jobs; and the CronJobs that make
//! Jobs.

use super::index::PodIndex;
use super::{Change, PodTally, Store};
use crate::api::daemon_set::DaemonSet;
use crate::api::job::{CronJob, Job};
use crate::api::owner::{Owner, Parent};
use crate::api::stateful_set::StatefulSet;
use crate::api::workload::ReplicaSet;
use crate::api::{CronJobId, OwnerId};

/// Reading.
impl Store {
    /// What controls pods under this id, unless it is gone.
    pub fn owner(&self, id: OwnerId) -> Option<&Owner> {
        self.owners.get(id)
    }

    /// Everything that controls pods.
    pub fn owners(&self) -> impl Iterator<Item = (OwnerId, &Owner)> {
        self.owners.iter()
    }

    /// The ReplicaSet, unless it is gone.
    pub fn replica_set(&self, id: OwnerId) -> Option<&ReplicaSet> {
        match self.owners.get(id)? {
            Owner::ReplicaSet(set) => Some(set),
            _ => None,
        }
    }

    /// All ReplicaSets.
    pub fn replica_sets(&self) -> impl Iterator<Item = (OwnerId, &ReplicaSet)> {
        self.owners.iter().filter_map(|(id, owner)| match owner {
            Owner::ReplicaSet(set) => Some((id, &**set)),
            _ => None,
        })
    }

    /// ReplicaSets that no Deployment controls.
    pub fn bare_sets(&self) -> impl Iterator<Item = (OwnerId, &ReplicaSet)> {
        self.bare_sets.iter().filter_map(|id| Some((*id, self.replica_set(*id)?)))
    }

    /// The StatefulSet, unless it is gone.
    pub fn stateful_set(&self, id: OwnerId) -> Option<&StatefulSet> {
        match self.owners.get(id)? {
            Owner::StatefulSet(set) => Some(set),
            _ => None,
        }
    }

    /// The DaemonSet, unless it is gone.
    pub fn daemon_set(&self, id: OwnerId) -> Option<&DaemonSet> {
        match self.owners.get(id)? {
            Owner::DaemonSet(set) => Some(set),
            _ => None,
        }
    }

    /// All DaemonSets.
    pub fn daemon_sets(&self) -> impl Iterator<Item = (OwnerId, &DaemonSet)> {
        self.daemon_sets.iter().filter_map(|id| Some((*id, self.daemon_set(*id)?)))
    }

    /// The Job, unless it is gone.
    pub fn job(&self, id: OwnerId) -> Option<&Job> {
        match self.owners.get(id)? {
            Owner::Job(job) => Some(job),
            _ => None,
        }
    }

    /// The CronJob, unless it is gone.
    pub fn cron_job(&self, id: CronJobId) -> Option<&CronJob> {
        self.cron_jobs.get(id)
    }

    /// All CronJobs.
    pub fn cron_jobs(&self) -> impl Iterator<Item = (CronJobId, &CronJob)> {
        self.cron_jobs.iter()
    }

    /// The Jobs that a CronJob controls, in order of creation.
    pub fn jobs_of(&self, id: CronJobId) -> &[OwnerId] {
        self.jobs_of.get(id).map_or(&[], |jobs| jobs)
    }
}

/// Changing.
impl Store {
    /// Creates something that controls pods.
    pub fn create_owner(&mut self, owner: Owner) -> OwnerId {
        let parent = owner.parent();
        let (is_bare, is_daemon) = (is_bare_set(&owner), matches!(owner, Owner::DaemonSet(_)));
        let id = self.owners.insert(owner);
        self.bare_sets.extend(is_bare.then_some(id));
        self.daemon_sets.extend(is_daemon.then_some(id));
        self.by_owner.insert(id, PodIndex::default());
        self.tallies.insert(id, PodTally::default());
        if let Some(siblings) = parent.and_then(|parent| self.children_of(parent)) {
            siblings.push(id);
        }
        self.note(Change::Owner(id));
        id
    }

    fn children_of(&mut self, parent: Parent) -> Option<&mut Vec<OwnerId>> {
        match parent {
            Parent::Deployment(id) => self.sets_of.get_mut(id),
            Parent::CronJob(id) => self.jobs_of.get_mut(id),
        }
    }

    /// Changes an owner through `change`, which tells whether anything changed. Its parent stays.
    pub fn update_owner(&mut self, id: OwnerId, change: impl FnOnce(&mut Owner) -> bool) {
        if self.owners.get_mut(id).is_some_and(change) {
            self.note(Change::Owner(id));
        }
    }

    /// Removes an owner. Its pods stay until garbage collection takes them.
    pub fn remove_owner(&mut self, id: OwnerId) {
        let Some(owner) = self.owners.remove(id) else { return };
        self.daemon_sets.retain(|other| *other != id);
        let pods = self.by_owner.remove(id).unwrap_or_default().into_ids();
        self.tallies.remove(id);
        self.bare_sets.remove(&id);
        if let Some(siblings) = owner.parent().and_then(|parent| self.children_of(parent)) {
            siblings.retain(|other| *other != id);
        }
        self.note(Change::OwnerRemoved(id, Box::new(owner), pods));
    }

    /// Gives an owner another parent, or none.
    pub fn set_parent(&mut self, id: OwnerId, parent: Option<Parent>) {
        let Some(before) = self.owners.get(id).map(Owner::parent) else { return };
        if before == parent {
            return;
        }
        if let Some(siblings) = before.and_then(|before| self.children_of(before)) {
            siblings.retain(|other| *other != id);
        }
        match self.owners.get_mut(id) {
            Some(Owner::ReplicaSet(set)) => {
                set.owner = parent.and_then(|parent| match parent {
                    Parent::Deployment(id) => Some(id),
                    Parent::CronJob(_) => None,
                });
            }
            Some(Owner::Job(job)) => {
                job.owner = parent.and_then(|parent| match parent {
                    Parent::CronJob(id) => Some(id),
                    Parent::Deployment(_) => None,
                });
            }
            _ => {}
        }
        if let Some(siblings) = parent.and_then(|parent| self.children_of(parent)) {
            siblings.push(id);
        }
        if self.owners.get(id).is_some_and(is_bare_set) {
            self.bare_sets.insert(id);
        } else {
            self.bare_sets.remove(&id);
        }
        self.note(Change::Released(id, before));
    }

    /// Creates a ReplicaSet.
    pub fn create_replica_set(&mut self, set: ReplicaSet) -> OwnerId {
        self.create_owner(Owner::ReplicaSet(Box::new(set)))
    }

    /// Changes a ReplicaSet through `change`, which tells whether anything changed.
    pub fn update_replica_set(
        &mut self,
        id: OwnerId,
        change: impl FnOnce(&mut ReplicaSet) -> bool,
    ) {
        self.update_owner(id, |owner| match owner {
            Owner::ReplicaSet(set) => change(set),
            _ => false,
        });
    }

    /// Changes a StatefulSet through `change`, which tells whether anything changed.
    pub fn update_stateful_set(
        &mut self,
        id: OwnerId,
        change: impl FnOnce(&mut StatefulSet) -> bool,
    ) {
        self.update_owner(id, |owner| match owner {
            Owner::StatefulSet(set) => change(set),
            _ => false,
        });
    }

    /// Changes a DaemonSet through `change`, which tells whether anything changed.
    pub fn update_daemon_set(&mut self, id: OwnerId, change: impl FnOnce(&mut DaemonSet) -> bool) {
        self.update_owner(id, |owner| match owner {
            Owner::DaemonSet(set) => change(set),
            _ => false,
        });
    }

    /// Changes a Job through `change`, which tells whether anything changed.
    pub fn update_job(&mut self, id: OwnerId, change: impl FnOnce(&mut Job) -> bool) {
        self.update_owner(id, |owner| match owner {
            Owner::Job(job) => change(job),
            _ => false,
        });
    }

    /// Creates a CronJob.
    pub fn create_cron_job(&mut self, job: CronJob) -> CronJobId {
        let id = self.cron_jobs.insert(job);
        self.jobs_of.insert(id, Vec::new());
        self.note(Change::CronJob(id));
        id
    }

    /// Changes a CronJob through `change`, which tells whether anything changed.
    pub fn update_cron_job(&mut self, id: CronJobId, change: impl FnOnce(&mut CronJob) -> bool) {
        if self.cron_jobs.get_mut(id).is_some_and(change) {
            self.note(Change::CronJob(id));
        }
    }

    /// Removes a CronJob. Its Jobs stay until garbage collection takes them.
    pub fn remove_cron_job(&mut self, id: CronJobId) {
        if self.cron_jobs.remove(id).is_some() {
            let jobs = self.jobs_of.remove(id).unwrap_or_default();
            self.note(Change::CronJobRemoved(id, jobs));
        }
    }
}

/// Whether it is a ReplicaSet that a Deployment may adopt.
fn is_bare_set(owner: &Owner) -> bool {
    matches!(owner, Owner::ReplicaSet(set) if set.owner.is_none() && !set.is_controller)
}
