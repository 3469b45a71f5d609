//! A Job's pods, and what has become of them since the last sync.
//!
//! Source: kubernetes `pkg/controller/job/job_controller.go` (`getNewFinishedPods`,
//! `isPodFailed`), v1.37.

use super::back_off::{BackOff, finished_at};
use super::indexes::Indexes;
use super::{JobPod, Sync, failure_policy};
use crate::api::PodId;
use crate::api::job::{Job, completion_index};
use crate::api::pod::{Pod, PodPhase};
use crate::store::Store;
use crate::units::SimTime;
use std::collections::BTreeSet;

impl<'a> JobPod<'a> {
    fn new(id: PodId, pod: &'a Pod) -> JobPod<'a> {
        JobPod { id, pod, tracked: pod.is_tracked(), index: completion_index(pod) }
    }

    /// Whether it counts as failed: one that is being deleted does, unless only ended ones are
    /// replaced.
    pub(super) fn is_failed(&self, job: &Job) -> bool {
        let pod = self.pod;
        let goes = pod.deletion.is_some() && pod.phase != PodPhase::Succeeded;
        pod.phase == PodPhase::Failed || (goes && !job.spec.replaces_only_failed)
    }

    /// Whether it is being deleted and has not ended (`IsPodTerminating`).
    pub(super) fn is_terminating(&self) -> bool {
        self.pod.deletion.is_some() && !self.pod.phase.is_terminal()
    }
}

impl<'a> Sync<'a> {
    /// Lists the Job's pods.
    pub(super) fn list_pods(&mut self, store: &'a Store) {
        let pods = store.pods_of(self.id).iter().filter_map(|id| Some((*id, store.pod(*id)?)));
        self.pods = pods.map(|(id, pod)| JobPod::new(id, pod)).collect();
        self.active = self.pods.iter().filter(|p| p.pod.is_active()).copied().collect();
        self.ready = self.active.iter().filter(|p| p.pod.ready).count() as u32;
        self.terminating = self.pods.iter().filter(|p| p.is_terminating()).count() as u32;
    }

    /// Counts pods that have ended, and tells what that makes of the record of failures.
    pub(super) fn look_at_pods(&mut self, record: BackOff) -> BackOff {
        let (job, status) = (self.job, &self.job.status);
        let known: BTreeSet<PodId> =
            status.uncounted_succeeded.iter().chain(&status.uncounted_failed).copied().collect();
        let new: Vec<JobPod> =
            self.valid_pods().filter(|p| !known.contains(&p.id)).copied().collect();
        let succeeded = new.iter().filter(|p| p.pod.phase == PodPhase::Succeeded);
        let succeeded: Vec<JobPod> = succeeded.copied().collect();
        let failed: Vec<JobPod> = new.iter().filter(|p| p.is_failed(job)).copied().collect();
        let policy = job.spec.failure_policy.as_deref();
        let counted = failed.iter().filter(|p| failure_policy::judge(policy, p.pod).counts).count();
        self.succeeded =
            status.succeeded + (succeeded.len() + status.uncounted_succeeded.len()) as u32;
        self.failed = status.failed + (counted + status.uncounted_failed.len()) as u32;
        let moments = |pods: &[JobPod]| -> Vec<SimTime> {
            pods.iter().map(|p| finished_at(p.pod, self.clock)).collect()
        };
        let record = record.after(&moments(&succeeded), &moments(&failed));
        if job.spec.is_indexed {
            self.look_at_indexes();
        }
        record
    }

    /// Pods that have not been counted and whose index, if they need one, is within the
    /// completions.
    pub(super) fn valid_pods(&self) -> impl Iterator<Item = &JobPod<'a>> {
        self.pods.iter().filter(|p| p.tracked && self.has_valid_index(p))
    }

    pub(super) fn has_valid_index(&self, pod: &JobPod) -> bool {
        !self.job.spec.is_indexed || pod.index.is_some_and(|index| index < self.completions())
    }

    fn look_at_indexes(&mut self) {
        let job = self.job;
        self.counted_indexes = Indexes::parse(&job.status.completed_indexes, self.completions());
        let done = self.valid_pods().filter(|p| p.pod.phase == PodPhase::Succeeded);
        let done: BTreeSet<u32> = done.filter_map(|p| p.index).collect();
        self.succeeded_indexes = self.counted_indexes.with(&done);
        self.succeeded = self.succeeded_indexes.total();
        if let Some(limit) = job.spec.backoff_limit_per_index {
            let text = job.status.failed_indexes.as_deref().unwrap_or_default();
            let before = Indexes::parse(text, self.completions());
            let failed = self.valid_pods().filter(|p| p.fails_its_index(job, limit));
            let failed: BTreeSet<u32> = failed.filter_map(|p| p.index).collect();
            self.failed_indexes = Some(before.with(&failed));
            self.delayed = self.delayed_pods();
        }
    }
}
