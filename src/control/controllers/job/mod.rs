//! The job controller: pods until enough have succeeded.
//!
//! Source: kubernetes `pkg/controller/job/job_controller.go` (`syncJob`), v1.37, and recordings. A
//! sync finds out which pods have ended since the last one, whether that ends the Job, makes or
//! deletes pods, and counts: a pod that has ended is written down as uncounted first, then its
//! finalizer is removed, then it is counted; so none is counted twice and none forgotten.
//!
//! | file | what lives there |
//! |---|---|
//! | `pods.rs` | a Job's pods, and what has become of them |
//! | `verdict.rs` | whether the Job has failed or succeeded |
//! | `manage.rs` | pods that are made and deleted |
//! | `track.rs` | pods that are counted, and the status |
//! | `indexes.rs` | sets of completion indexes |
//! | `per_index.rs` | failures of single indexes |
//! | `back_off.rs` | how long failed pods wait to be replaced |
//! | `failure_policy.rs`, `success_policy.rs` | the two policies |

mod back_off;
mod failure_policy;
mod indexes;
mod manage;
mod per_index;
mod pods;
mod success_policy;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod track;
mod verdict;

use super::action::{About, Action, Outcome};
use super::claim::claims;
use super::garbagecollector::Item;
use crate::api::event::EventType;
use crate::api::job::{Job, JobStatus};
use crate::api::owner::Owner;
use crate::api::pod::Pod;
use crate::api::{OwnerId, PodId, Text};
use crate::store::Store;
use crate::units::{SimDuration, SimTime, WallClock};
use back_off::BackOff;
use indexes::Indexes;
use std::collections::{BTreeMap, BTreeSet};

/// How long changes of pods and of the status gather before a Job is synced for them
/// (`SyncJobBatchPeriod`).
pub const BATCH_PERIOD: SimDuration = SimDuration::from_secs(1);
/// First delay after a sync that failed (`DefaultJobApiBackOff`).
pub const RETRY_FIRST: SimDuration = SimDuration::from_secs(1);
/// Longest one (`MaxJobApiBackOff`).
pub const RETRY_LONGEST: SimDuration = SimDuration::from_secs(60);
/// Most pods made or deleted in one sync (`MaxPodCreateDeletePerSync`), and most that are counted
/// in one (`MaxUncountedPods`).
const MOST_PODS: usize = 500;

/// What the controller keeps in memory.
#[derive(Debug, Default)]
pub struct Jobs {
    back_offs: BTreeMap<OwnerId, BackOff>,
    /// The generation of each Job that was last heard of.
    generations: BTreeMap<OwnerId, u64>,
    /// Pods with the finalizer that no Job is going to count.
    orphans: BTreeSet<PodId>,
}

impl Jobs {
    /// Whether a Job that has changed is new or has another specification: it is synced at once.
    pub fn is_urgent(&mut self, id: OwnerId, generation: u64) -> bool {
        self.generations.insert(id, generation) != Some(generation)
    }

    /// The controller starts anew, without a memory of failures.
    pub fn begin_anew(&mut self) {
        self.back_offs.clear();
        self.generations.clear();
    }

    /// A Job is gone.
    pub fn forget(&mut self, id: OwnerId) {
        self.generations.remove(&id);
        self.back_offs.remove(&id);
    }

    /// No Job is going to count a pod that has the finalizer.
    pub fn is_orphaned(&mut self, pod: PodId) {
        self.orphans.insert(pod);
    }

    /// Removes the finalizers of pods that no Job is going to count (`syncOrphanPod`).
    pub fn release_orphans(&mut self, store: &Store) -> Outcome {
        let mut outcome = Outcome::idle();
        let orphans = std::mem::take(&mut self.orphans).into_iter();
        let tracked = orphans.filter(|id| store.pod(*id).is_some_and(Pod::is_tracked));
        let requests: Vec<Action> = tracked.map(release).collect();
        if !requests.is_empty() {
            outcome.batches.push(requests);
        }
        outcome
    }

    /// Syncs one.
    pub fn sync(&mut self, id: OwnerId, store: &Store, clock: WallClock, now: SimTime) -> Outcome {
        let mut outcome = Outcome::idle();
        let Some(owner) = store.owner(id) else { return outcome };
        let Owner::Job(job) = owner else { return outcome };
        if job.is_managed_elsewhere() {
            return outcome;
        }
        if job.status.finished().is_some() {
            self.back_offs.remove(&id);
            return outcome;
        }
        let claims = claims(id, owner, store);
        if !claims.is_empty() {
            // Counted when they have come back.
            outcome.batches.push(claims);
            outcome.wake(now);
            return outcome;
        }
        let mut sync = Sync::new(id, job, clock, now);
        sync.list_pods(store);
        let record = self.back_offs.get(&id).copied().unwrap_or_default();
        let back_off = sync.look_at_pods(record);
        sync.judge();
        let (active, changes) = sync.act(back_off);
        if sync.track(active, changes) {
            self.back_offs.insert(id, back_off);
        }
        sync.outcome
    }
}

/// The removal of the finalizer that keeps a pod until it is counted.
fn release(pod: PodId) -> Action {
    Action::RemoveFinalizer { item: Item::Pod(pod) }
}

/// A pod of a Job as a sync sees it.
#[derive(Clone, Copy, Debug)]
struct JobPod<'a> {
    id: PodId,
    pod: &'a Pod,
    /// It has the finalizer: it has not been counted.
    tracked: bool,
    /// Its completion index.
    index: Option<u32>,
}

/// A condition that is to end the Job, or has begun to.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Verdict {
    /// `type`: `FailureTarget`, `Failed`, `SuccessCriteriaMet` or `Complete`.
    kind: &'static str,
    reason: &'static str,
    message: Text,
}

/// One sync (`syncJobCtx`).
struct Sync<'a> {
    id: OwnerId,
    job: &'a Job,
    clock: WallClock,
    now: SimTime,
    pods: Vec<JobPod<'a>>,
    active: Vec<JobPod<'a>>,
    ready: u32,
    terminating: u32,
    /// Pods that have succeeded and failed so far, those not yet counted included.
    succeeded: u32,
    failed: u32,
    /// Indexes that the status says have succeeded, and all that have.
    counted_indexes: Indexes,
    succeeded_indexes: Indexes,
    /// Indexes that have failed; `None` without a limit per index.
    failed_indexes: Option<Indexes>,
    /// By index, the failed pod that stays uncounted until its successor takes over its failures.
    delayed: BTreeMap<u32, JobPod<'a>>,
    verdict: Option<Verdict>,
    /// The status as it is going to be.
    status: JobStatus,
    outcome: Outcome,
}

impl<'a> Sync<'a> {
    fn new(id: OwnerId, job: &'a Job, clock: WallClock, now: SimTime) -> Sync<'a> {
        Sync {
            id,
            job,
            clock,
            now,
            pods: Vec::new(),
            active: Vec::new(),
            ready: 0,
            terminating: 0,
            succeeded: 0,
            failed: 0,
            counted_indexes: Indexes::default(),
            succeeded_indexes: Indexes::default(),
            failed_indexes: None,
            delayed: BTreeMap::new(),
            verdict: None,
            status: job.status.clone(),
            outcome: Outcome::idle(),
        }
    }

    /// `spec.completions`; of a Job without them as many as there can be.
    fn completions(&self) -> u32 {
        self.job.spec.completions.unwrap_or(u32::MAX)
    }

    /// Adds requests that are sent side by side.
    fn send(&mut self, requests: Vec<Action>) {
        if !requests.is_empty() {
            self.outcome.batches.push(requests);
        }
    }

    fn event(&self, kind: EventType, reason: &'static str, message: &str) -> Action {
        let (about, message) = (About::Owner(self.id), message.to_owned());
        Action::Event { kind, reason, about, message }
    }
}
