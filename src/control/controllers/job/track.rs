//! Pods that are counted, and the status.
//!
//! Source: kubernetes `pkg/controller/job/job_controller.go` (`trackJobStatusAndRemoveFinalizers`,
//! `flushUncountedAndRemoveFinalizers`, `enactJobFinished`), v1.37.

use super::{JobPod, MOST_PODS, Sync, Verdict, failure_policy, release};
use crate::api::PodId;
use crate::api::event::EventType::{Normal, Warning};
use crate::api::job::JobStatus;
use crate::api::pod::PodPhase;
use crate::api::workload::ConditionStatus;
use crate::control::controllers::action::Action;
use std::collections::BTreeSet;

impl Sync<'_> {
    /// Counts pods that have ended and writes the status; `changes`: it is to be written anyway.
    /// Tells whether it was written before finalizers were removed.
    pub(super) fn track(&mut self, active: u32, changes: bool) -> bool {
        let before = (self.status.active, self.status.ready, self.status.terminating);
        let now = (active, Some(self.ready), Some(self.terminating));
        (self.status.active, self.status.ready, self.status.terminating) = now;
        let mut tracked: BTreeSet<PodId> =
            self.pods.iter().filter(|p| p.tracked).map(|p| p.id).collect();
        let mut flush = changes || before != now;
        flush |= count(&mut self.status, &tracked);
        let (counted, all) = self.find_ended(&mut flush);
        flush |= self.note_verdict();
        if flush {
            self.write_status();
        }
        self.send(counted.iter().map(|id| release(*id)).collect());
        counted.iter().for_each(|id| _ = tracked.remove(id));
        let mut again = count(&mut self.status, &tracked);
        let finishes = all && self.finish();
        again |= finishes;
        if again {
            self.write_status();
        }
        if finishes {
            self.tell_finished();
        }
        flush
    }

    /// Writes down as uncounted the pods that have ended; tells which finalizers go, and whether
    /// these are all.
    fn find_ended(&mut self, flush: &mut bool) -> (Vec<PodId>, bool) {
        let mut pods: Vec<JobPod> = self.pods.iter().filter(|p| p.tracked).copied().collect();
        if self.job.spec.is_indexed {
            pods.sort_by_key(|p| p.index);
        }
        let (mut ended, mut indexes, mut all) = (Vec::new(), BTreeSet::new(), true);
        for pod in pods {
            let failed = pod.is_failed(self.job);
            if !self.may_count(&pod, failed) {
                continue;
            }
            ended.push(pod.id);
            *flush |= self.note_end(&pod, failed, &mut indexes);
            let status = &self.status;
            let uncounted = status.uncounted_succeeded.len() + status.uncounted_failed.len();
            if indexes.len() + uncounted >= MOST_PODS {
                all = false;
                break;
            }
        }
        if self.job.spec.is_indexed {
            *flush |= self.note_indexes(&indexes);
        }
        (ended, all)
    }

    /// Whether a pod need not wait to be counted (`canRemoveFinalizer`).
    fn may_count(&self, pod: &JobPod, failed: bool) -> bool {
        let is_over = self.job.meta.deletion.is_some() || self.verdict.is_some();
        if is_over || pod.pod.phase == PodPhase::Succeeded {
            return true;
        }
        let delayed = pod.index.and_then(|index| self.delayed.get(&index));
        failed && delayed.is_none_or(|delayed| delayed.id != pod.id)
    }

    /// Writes down that a pod has ended; true when the status changes.
    fn note_end(&mut self, pod: &JobPod, failed: bool, indexes: &mut BTreeSet<u32>) -> bool {
        let is_valid = self.has_valid_index(pod);
        let known_failed = self.status.uncounted_failed.contains(&pod.id);
        if pod.pod.phase == PodPhase::Succeeded && !known_failed {
            if self.job.spec.is_indexed {
                let new = pod.index.filter(|index| is_valid && !self.counted_indexes.has(*index));
                indexes.extend(new);
                return new.is_some();
            }
            if self.status.uncounted_succeeded.contains(&pod.id) {
                return false;
            }
            self.status.uncounted_succeeded.push(pod.id);
            return true;
        }
        // Of a Job that has failed every pod that has not ended has failed.
        let has_failed = self.verdict.as_ref().is_some_and(|v| v.kind != "SuccessCriteriaMet");
        let policy = self.job.spec.failure_policy.as_deref();
        let counts = (failed || has_failed)
            && !known_failed
            && is_valid
            && failure_policy::judge(policy, pod.pod).counts;
        if counts {
            self.status.uncounted_failed.push(pod.id);
        }
        counts
    }

    fn note_indexes(&mut self, new: &BTreeSet<u32>) -> bool {
        self.succeeded_indexes = self.succeeded_indexes.with(new);
        let completed = self.succeeded_indexes.to_string();
        let failed = self.failed_indexes.as_ref().map(|failed| failed.to_string());
        let status = &mut self.status;
        let same = *status.completed_indexes == *completed
            && status.failed_indexes.as_deref() == failed.as_deref();
        status.succeeded = self.succeeded_indexes.total();
        if !same {
            status.completed_indexes = completed.into();
            status.failed_indexes = failed.map(Into::into);
        }
        !same
    }

    /// Adds the condition that announces the end, and turns the verdict into the end itself; true
    /// when the condition is new.
    fn note_verdict(&mut self) -> bool {
        let Some(Verdict { kind, reason, message }) = self.verdict.clone() else { return false };
        let last = match kind {
            "FailureTarget" => "Failed",
            "SuccessCriteriaMet" => "Complete",
            _ => return false,
        };
        self.verdict = Some(Verdict { kind: last, reason, message: message.clone() });
        let holds = self.status.condition(kind).is_some_and(|c| c.status == ConditionStatus::True);
        !holds && self.set_condition(kind, ConditionStatus::True, reason, message)
    }

    /// Ends the Job, once every pod has ended and is counted; true if it does.
    fn finish(&mut self) -> bool {
        let Some(Verdict { kind, reason, message }) = self.verdict.clone() else { return false };
        let status = &self.status;
        let is_counted =
            status.uncounted_succeeded.is_empty() && status.uncounted_failed.is_empty();
        if !is_counted || self.terminating > 0 {
            return false;
        }
        self.set_condition(kind, ConditionStatus::True, reason, message);
        if kind == "Complete" {
            self.status.completion = Some(self.clock.whole_second(self.now));
        }
        true
    }

    fn tell_finished(&mut self) {
        let Some(Verdict { kind, reason, message }) = self.verdict.clone() else { return };
        if kind != "Complete" {
            let event = self.event(Warning, reason, &message);
            return self.outcome.then(event);
        }
        if self.job.spec.completions.is_some_and(|wanted| self.status.succeeded > wanted) {
            let message = "Too many succeeded pods running after completion count reached";
            let event = self.event(Warning, "TooManySucceededPods", message);
            self.outcome.then(event);
        }
        let event = self.event(Normal, "Completed", "Job completed");
        self.outcome.then(event);
    }

    fn write_status(&mut self) {
        let status = Box::new(self.status.clone());
        self.outcome.then(Action::JobStatus { job: self.id, status });
    }
}

/// Counts the uncounted pods that no longer have the finalizer; true when there are any
/// (`cleanUncountedPodsWithoutFinalizers`).
fn count(status: &mut JobStatus, tracked: &BTreeSet<PodId>) -> bool {
    let take = |list: &mut Vec<PodId>, counter: &mut u32| {
        let before = list.len();
        list.retain(|id| tracked.contains(id));
        *counter += (before - list.len()) as u32;
        before != list.len()
    };
    let succeeded = take(&mut status.uncounted_succeeded, &mut status.succeeded);
    let failed = take(&mut status.uncounted_failed, &mut status.failed);
    succeeded | failed
}
