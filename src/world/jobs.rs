//! Jobs and CronJobs, as the API server sees them, and who is told when one changes.
//!
//! It knows no controller's reasons.

use super::controllers::Key;
use super::world::World;
use crate::api::job::{CronJobStatus, Job, JobStatus};
use crate::api::owner::Owner;
use crate::api::pod::PodPhase;
use crate::api::refusal::Cause;
use crate::api::{CronJobId, OwnerId, PodId};
use crate::control::controllers::{Action, cronjob, ttlafterfinished};
use crate::units::WallClock;

impl World<'_> {
    /// What time it is in the world.
    pub(super) fn clock(&self) -> WallClock {
        self.scenario.clock
    }

    /// What the API server makes of a Job that is created.
    pub(super) fn admit_job(&mut self, job: &mut Job) {
        job.meta.created = self.now;
        // No other object has had this number.
        job.admit(&format!("uid-{}", self.store.resource_version() + 1));
    }

    /// Creates a Job of a CronJob, and tells of it; false when there is one with its name, or when
    /// it is refused.
    pub(super) fn create_job(&mut self, key: Key, mut job: Job) -> bool {
        let is_it = |owner: &Owner| {
            owner.kind() == "Job"
                && *owner.namespace() == job.meta.namespace
                && *owner.name() == job.meta.name
        };
        if self.store.owners().any(|(_, owner)| is_it(owner)) {
            return false;
        }
        let Some(parent) = job.owner else { return false };
        if let Err(refusal) = self.admit_object("Job", &job.meta.namespace, &job.meta.name) {
            if refusal.cause != Cause::NamespaceTerminating {
                self.tell_of_job(key, cronjob::refused(parent, &refusal));
            }
            self.refused = Some(refusal);
            return false;
        }
        let event = cronjob::created(parent, &job.meta.name);
        self.admit_job(&mut job);
        self.store.create_owner(Owner::Job(Box::new(job)));
        self.tell_of_job(key, event);
        true
    }

    fn tell_of_job(&mut self, key: Key, event: Action) {
        if self.publish_action(key.source(), event) {
            self.take_token(key);
        }
    }

    /// Writes a Job's status; false when the Job is gone.
    pub(super) fn write_job_status(&mut self, id: OwnerId, status: JobStatus) -> bool {
        self.store.update_job(id, |job| {
            let changes = job.status != status;
            job.status = status;
            changes
        });
        self.store.job(id).is_some()
    }

    /// Writes a CronJob's status; false when the CronJob is gone.
    pub(super) fn write_cron_job_status(&mut self, id: CronJobId, status: CronJobStatus) -> bool {
        self.store.update_cron_job(id, |job| {
            let changes = job.status != status;
            job.status = status;
            changes
        });
        self.store.cron_job(id).is_some()
    }

    /// Why a pod that a Job is going to count is deleted: its policies may ask.
    pub(super) fn note_disruption(&mut self, pod: PodId, reason: &'static str, forced: bool) {
        let disruption = match reason {
            "TaintManager" => "DeletionByTaintManager",
            "Preempted" => "PreemptionByScheduler",
            "PodGC" => "DeletionByPodGC",
            "Drained" | "Evicted" | "EvictedByVPA" => "EvictionByEvictionAPI",
            _ => "",
        };
        if disruption.is_empty() && !forced {
            return;
        }
        self.store.update_pod(pod, |p| {
            // The collector ends what no kubelet will.
            if reason == "PodGC" && !p.phase.is_terminal() {
                (p.phase, p.ready) = (PodPhase::Failed, false);
            }
            let more = p.more_mut();
            if !disruption.is_empty() {
                more.disruption = disruption;
            }
            more.is_forced |= forced;
            true
        });
    }

    /// A kubelet ends a pod: the condition DisruptionTarget says why.
    pub(super) fn note_kubelet_disruption(&mut self, pod: PodId, reason: &'static str) {
        self.store.update_pod(pod, |p| {
            p.more_mut().disruption = reason;
            true
        });
    }

    /// A Job was created or changed: with another specification it is synced at once.
    pub(super) fn job_changed(&mut self, id: OwnerId) {
        let Some(job) = self.store.job(id) else { return };
        let (generation, deleted) = (job.meta.generation, job.meta.deletion.is_some());
        let finished = job.status.finished().is_some();
        if ttlafterfinished::expires(job).is_some() {
            self.notify(Key::TtlAfterFinished(id));
        }
        // A deletion that waits for the pods raises it too.
        let generation = generation + u64::from(deleted);
        let urgent = self.with_jobs(|jobs, _| jobs.is_urgent(id, generation));
        if urgent && !finished {
            self.notify(Key::Job(id));
        } else if !finished {
            self.notify_owner(id);
        }
    }

    /// What controls pods is gone: if it was a Job, nobody is going to count those that are left.
    pub(super) fn job_gone(&mut self, id: OwnerId, pods: &[PodId]) {
        self.with_jobs(|jobs, _| jobs.forget(id));
        for pod in pods {
            self.orphan(*pod);
        }
    }

    /// A pod has changed hands: if it is nobody's now, no Job is going to count it.
    pub(super) fn pod_orphaned(&mut self, id: PodId) {
        if self.store.pod(id).is_some_and(|pod| pod.owner.is_none()) {
            self.orphan(id);
        }
    }

    fn orphan(&mut self, pod: PodId) {
        if self.store.pod(pod).is_some_and(|p| p.is_tracked()) {
            self.with_jobs(|jobs, _| jobs.is_orphaned(pod));
            self.notify(Key::OrphanPods);
        }
    }

    /// A CronJob was created or changed.
    pub(super) fn cron_job_changed(&mut self, id: CronJobId) {
        let now = self.now;
        let later =
            self.with_cron_jobs(|jobs, world| jobs.look_at(id, &world.store, world.clock(), now));
        match later {
            Some(at) => self.enqueue_later(Key::CronJob(id), at),
            None => self.notify(Key::CronJob(id)),
        }
    }
}
