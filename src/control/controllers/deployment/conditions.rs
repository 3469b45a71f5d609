//! The conditions of a Deployment: is it available, does its rollout get on, is it paused.
//!
//! Source: kubernetes `pkg/controller/deployment/progress.go` (`syncRolloutStatus`,
//! `requeueStuckDeployment`), `sync.go` (`checkPausedConditions`, `getNewReplicaSet`,
//! `calculateStatus`), `util/deployment_util.go`, v1.37. Like upstream's copy of the object, the
//! conditions of a sync are changed step by step, and written several times if need be.

use super::{Sync, max_unavailable};
use crate::api::workload::ConditionStatus::{False, True, Unknown};
use crate::api::workload::{Condition, ConditionStatus, REPLICA_FAILURE, WorkloadStatus};
use crate::control::controllers::action::Action;
use crate::units::{SimDuration, SimTime};

const PROGRESSING: &str = "Progressing";
const AVAILABLE: &str = "Available";

/// Delay of a key that its sync puts back with the work queue's back-off: the first one, since a
/// sync without an error forgets the earlier ones. (The queue's limit for all keys together, 10 a
/// second beyond a burst of 100, is not modelled.)
const RATE_LIMITED: SimDuration = SimDuration::from_millis(5);

impl Sync<'_> {
    /// Says in time that the Deployment is paused or resumed, so that the pause does not count
    /// against the progress deadline.
    pub(super) fn note_pause(&mut self) {
        if self.deployment.progress_deadline().is_none() {
            return;
        }
        let reason = self.progressing().map_or("", |condition| condition.reason);
        let paused = self.deployment.paused;
        if reason == "ProgressDeadlineExceeded" || paused == (reason == "DeploymentPaused") {
            return;
        }
        let (reason, message) = match paused {
            true => ("DeploymentPaused", "Deployment is paused"),
            false => ("DeploymentResumed", "Deployment is resumed"),
        };
        self.set(PROGRESSING, Unknown, reason, message.to_string());
        self.write_meanwhile();
    }

    /// Takes over the revision of the set that is there for the Deployment's template.
    pub(super) fn note_new_set(&mut self) {
        let Some(new) = &self.new else { return };
        let mut changes = std::mem::replace(&mut self.revision, new.revision) != new.revision;
        if self.deployment.progress_deadline().is_some() && self.progressing().is_none() {
            let message = format!("Found new replica set \"{}\"", new.name);
            self.set(PROGRESSING, True, "FoundNewReplicaSet", message);
            changes = true;
        }
        if changes {
            self.write_meanwhile();
        }
    }

    /// The set for the Deployment's template has just been made.
    pub(super) fn note_created_set(&mut self, name: &str, revision: u64) {
        let mut changes = std::mem::replace(&mut self.revision, revision) != revision;
        if self.deployment.progress_deadline().is_some() {
            let message = format!("Created new replica set \"{name}\"");
            self.set(PROGRESSING, True, "NewReplicaSetCreated", message);
            changes = true;
        }
        if changes {
            self.write_meanwhile();
        }
    }

    /// Writes the status of a rollout, with how it gets on; of one that does not, asks to be woken
    /// when its deadline has passed.
    pub(super) fn write_rollout_status(&mut self) {
        let before = self.conditions.clone();
        let status = self.count();
        let Some(deadline) = self.deployment.progress_deadline() else {
            self.conditions.retain(|condition| condition.kind != PROGRESSING);
            self.take_failure_over();
            self.write(status, &before);
            return;
        };
        let current = self.progressing().cloned();
        let done = |c: &Condition| c.reason == "NewReplicaSetAvailable";
        let is_over = status.replicas == status.updated && current.as_ref().is_some_and(done);
        if !is_over {
            self.judge_progress(status, current.as_ref(), deadline);
        }
        self.take_failure_over();
        if !self.write(status, &before) {
            self.wake_when_stuck(status, current.as_ref(), deadline);
        }
    }

    /// Says of the Deployment that pods of its sets are refused, those of the new one first
    /// (`getReplicaFailures`).
    fn take_failure_over(&mut self) {
        let mut failures = self.new.iter().chain(&self.old).filter_map(|set| set.failure.as_ref());
        match failures.next().cloned() {
            Some(failure) => {
                let (status, reason) = (failure.status, failure.reason);
                self.set(REPLICA_FAILURE, status, reason, failure.message.to_string());
            }
            None => self.conditions.retain(|condition| condition.kind != REPLICA_FAILURE),
        }
    }

    /// Writes the status of a Deployment that is scaled or paused (`syncDeploymentStatus`).
    pub(super) fn write_status(&mut self) {
        let before = self.conditions.clone();
        let status = self.count();
        self.write(status, &before);
    }

    fn judge_progress(
        &mut self,
        status: WorkloadStatus,
        current: Option<&Condition>,
        deadline: SimDuration,
    ) {
        let of = match &self.new {
            Some(new) => format!("ReplicaSet \"{}\"", new.name),
            None => format!("Deployment \"{}\"", self.deployment.name),
        };
        if self.would_be_complete(&status) {
            let message = format!("{of} has successfully progressed.");
            self.set(PROGRESSING, True, "NewReplicaSetAvailable", message);
        } else if is_progress(&self.deployment.status, &status) {
            // Each progress is a new time, also with the reason that stands there already.
            let since = current.filter(|c| c.status == True).map(|c| c.transition);
            self.conditions.retain(|condition| condition.kind != PROGRESSING);
            self.set(PROGRESSING, True, "ReplicaSetUpdated", format!("{of} is progressing."));
            if let (Some(since), Some(last)) = (since, self.conditions.last_mut()) {
                last.transition = since;
            }
        } else if current.is_some_and(|current| has_timed_out(current, deadline, self.now)) {
            let message = format!("{of} has timed out progressing.");
            self.set(PROGRESSING, False, "ProgressDeadlineExceeded", message);
        }
    }

    /// A rollout that shows nothing new is looked at again a second after its deadline, or, if that
    /// is less than a second away, every few milliseconds: the first look that finds it passed is
    /// asked for. Upstream also goes on looking at a finished rollout whose pods have become
    /// unavailable; it can find nothing there until something changes.
    fn wake_when_stuck(
        &mut self,
        status: WorkloadStatus,
        current: Option<&Condition>,
        deadline: SimDuration,
    ) {
        let Some(current) = current else { return };
        let settled = ["ProgressDeadlineExceeded", "NewReplicaSetAvailable"];
        if self.would_be_complete(&status) || settled.contains(&current.reason) {
            return;
        }
        let (second, end) = (SimDuration::from_secs(1), current.updated + deadline);
        let looks = end.since(self.now).0 / RATE_LIMITED.0 + 1;
        let soon = self.now + second > end;
        self.outcome.wake(if soon { self.now + RATE_LIMITED * looks } else { end + second });
    }

    /// The counts (`calculateStatus`); sets the condition `Available` by them.
    fn count(&mut self) -> WorkloadStatus {
        let d = self.deployment;
        let sum = |f: fn(&WorkloadStatus) -> u32| self.all().map(|set| f(&set.status)).sum();
        let status = WorkloadStatus {
            observed_generation: d.generation,
            replicas: sum(|s| s.replicas),
            updated: self.new.as_ref().map_or(0, |new| new.status.replicas),
            ready: sum(|s| s.ready),
            available: sum(|s| s.available),
            terminating: sum(|s| s.terminating),
        };
        let (status_of, reason, message) = if status.available >= d.replicas - max_unavailable(d) {
            (True, "MinimumReplicasAvailable", "Deployment has minimum availability.")
        } else {
            (False, "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
        };
        self.set(AVAILABLE, status_of, reason, message.to_string());
        status
    }

    fn progressing(&self) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.kind == PROGRESSING)
    }

    /// Sets a condition (`SetDeploymentCondition`): one with another status or reason goes to the
    /// end of the list.
    fn set(
        &mut self,
        kind: &'static str,
        status: ConditionStatus,
        reason: &'static str,
        message: String,
    ) {
        let now = SimTime::from_secs(self.now.whole_secs());
        let current = self.conditions.iter().find(|condition| condition.kind == kind);
        let mut transition = now;
        if let Some(current) = current.filter(|current| current.status == status) {
            if current.reason == reason {
                return;
            }
            transition = current.transition;
        }
        self.conditions.retain(|condition| condition.kind != kind);
        let message = message.into();
        self.conditions.push(Condition { kind, status, reason, message, updated: now, transition });
    }

    /// Writes conditions and revision in the middle of a sync, with the counts that stand there.
    fn write_meanwhile(&mut self) {
        self.request_status(self.deployment.status);
    }

    /// Writes counts and conditions; false if nothing has changed since `before`.
    fn write(&mut self, status: WorkloadStatus, before: &[Condition]) -> bool {
        let changes = status != self.deployment.status || self.conditions != before;
        if changes {
            self.request_status(status);
        }
        changes
    }

    fn request_status(&mut self, status: WorkloadStatus) {
        let (deployment, revision) = (self.id, self.revision);
        let conditions = self.conditions.clone();
        self.outcome.then(Action::DeploymentStatus { deployment, status, conditions, revision });
    }
}

/// Whether a rollout has got on between two counts (`DeploymentProgressing`).
fn is_progress(before: &WorkloadStatus, now: &WorkloadStatus) -> bool {
    let old = |s: &WorkloadStatus| i64::from(s.replicas) - i64::from(s.updated);
    now.updated > before.updated
        || old(now) < old(before)
        || now.ready > before.ready
        || now.available > before.available
}

/// Whether nothing has got on for too long (`DeploymentTimedOut`).
fn has_timed_out(current: &Condition, deadline: SimDuration, now: SimTime) -> bool {
    match current.reason {
        "NewReplicaSetAvailable" => false,
        "ProgressDeadlineExceeded" => true,
        _ => current.updated + deadline < now,
    }
}
