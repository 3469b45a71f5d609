//! Whether the Job has failed or succeeded, and what a sync does then.
//!
//! Source: kubernetes `pkg/controller/job/job_controller.go` (`syncJob`), v1.37: what an earlier
//! sync found stands; then failures are looked for, then success.

use super::back_off::BackOff;
use super::{Sync, Verdict, failure_policy, success_policy};
use crate::api::event::EventType::Normal;
use crate::api::pod::{PodPhase, RestartPolicy};
use crate::api::workload::{Condition, ConditionStatus};
use crate::units::{SimDuration, SimTime};

impl Verdict {
    fn failure(reason: &'static str, message: impl Into<crate::api::Text>) -> Option<Verdict> {
        Some(Verdict { kind: "FailureTarget", reason, message: message.into() })
    }
}

impl Sync<'_> {
    /// Finds out whether the Job has failed, or has succeeded by its policy.
    pub(super) fn judge(&mut self) {
        if self.status.start.is_none() && !self.job.spec.suspend {
            self.status.start = Some(self.now);
        }
        self.verdict = self.earlier_verdict().or_else(|| self.failure_by_policy());
        if self.verdict.is_none() {
            self.verdict = self.failure_by_limit();
        }
        if self.job.spec.is_indexed && self.verdict.is_none() {
            self.verdict = self.failure_of_indexes().or_else(|| self.success_by_policy());
        }
        // The API keeps whole seconds: later syncs count from there.
        self.status.start = self.status.start.map(|start| self.clock.whole_second(start));
    }

    /// What an earlier sync has found.
    fn earlier_verdict(&self) -> Option<Verdict> {
        let holds = |c: &&Condition| c.status == ConditionStatus::True;
        let stood = |kind: &str| self.status.condition(kind).filter(holds);
        let verdict =
            |kind, c: &Condition| Verdict { kind, reason: c.reason, message: c.message.clone() };
        let met = stood("SuccessCriteriaMet").map(|c| verdict("SuccessCriteriaMet", c));
        met.or_else(|| stood("FailureTarget").map(|c| verdict("Failed", c)))
    }

    fn failure_by_policy(&self) -> Option<Verdict> {
        let policy = Some(self.job.spec.failure_policy.as_deref()?);
        let mut failed = self.pods.iter().filter(|p| p.is_failed(self.job));
        let message = failed.find_map(|p| failure_policy::judge(policy, p.pod).fails_job)?;
        Verdict::failure("PodFailurePolicy", message)
    }

    fn failure_by_limit(&mut self) -> Option<Verdict> {
        let spec = &self.job.spec;
        if self.failed > spec.backoff_limit || self.restarts_too_often() {
            let message = "Job has reached the specified backoff limit";
            return Verdict::failure("BackoffLimitExceeded", message);
        }
        let deadline = spec.active_deadline.filter(|_| !spec.suspend)?;
        let start = self.status.start?;
        if self.now.since(start) >= deadline {
            let message = "Job was active longer than specified deadline";
            return Verdict::failure("DeadlineExceeded", message);
        }
        self.outcome.wake(start + deadline);
        None
    }

    /// Whether containers have been restarted more often than pods may fail.
    fn restarts_too_often(&self) -> bool {
        if self.job.template.spec.restart_policy != RestartPolicy::OnFailure {
            return false;
        }
        let lives = |phase| matches!(phase, PodPhase::Running | PodPhase::Pending);
        let pods = self.pods.iter().filter(|p| lives(p.pod.phase));
        let restarts: u32 = pods.map(|p| p.pod.restarts).sum();
        restarts >= self.job.spec.backoff_limit.max(1)
    }

    fn failure_of_indexes(&self) -> Option<Verdict> {
        let failed = self.failed_indexes.as_ref()?.total();
        if self.job.spec.max_failed_indexes.is_some_and(|most| failed > most) {
            let message = "Job has exceeded the specified maximal number of failed indexes";
            return Verdict::failure("MaxFailedIndexesExceeded", message);
        }
        let over = failed + self.succeeded_indexes.total() >= self.completions();
        if failed > 0 && over {
            return Verdict::failure("FailedIndexes", "Job has failed indexes");
        }
        None
    }

    fn success_by_policy(&self) -> Option<Verdict> {
        let policy = self.job.spec.success_policy.as_deref();
        let message = success_policy::met(policy, self.completions(), &self.succeeded_indexes)?;
        Some(Verdict {
            kind: "SuccessCriteriaMet",
            reason: "SuccessPolicy",
            message: message.into(),
        })
    }

    /// Deletes what still runs of a Job that is over; else makes and deletes pods, and sees whether
    /// it is over by that. Tells how many pods are active then, and whether it was suspended or
    /// resumed.
    pub(super) fn act(&mut self, back_off: BackOff) -> (u32, bool) {
        if self.verdict.is_some() {
            let active = self.active.clone();
            self.delete(&active, false);
            return (0, false);
        }
        let manages = self.job.meta.deletion.is_none();
        let active = match manages {
            true => self.manage(back_off),
            false => self.active.len() as u32,
        };
        let enough = match self.job.spec.completions {
            None => self.succeeded > 0,
            Some(completions) => self.succeeded >= completions,
        };
        if enough && active == 0 {
            self.verdict = Some(Verdict {
                kind: "SuccessCriteriaMet",
                reason: "CompletionsReached",
                message: "Reached expected number of succeeded pods".into(),
            });
            return (active, false);
        }
        (active, manages && self.tell_suspension())
    }

    /// Condition `Suspended`: true when it changes.
    fn tell_suspension(&mut self) -> bool {
        let (status, reason, message) = match self.job.spec.suspend {
            true => (ConditionStatus::True, "JobSuspended", "Job suspended"),
            false => (ConditionStatus::False, "JobResumed", "Job resumed"),
        };
        if !self.set_condition("Suspended", status, reason, message.into()) {
            return false;
        }
        let event = if self.job.spec.suspend { "Suspended" } else { "Resumed" };
        let event = self.event(Normal, event, message);
        self.outcome.then(event);
        let resumed = (!self.job.spec.suspend).then(|| self.clock.whole_second(self.now));
        self.status.start = resumed;
        true
    }

    /// Sets a condition; one that is not there is not added to say that it does not hold. True when
    /// anything changes (`ensureJobConditionStatus`).
    pub(super) fn set_condition(
        &mut self,
        kind: &'static str,
        status: ConditionStatus,
        reason: &'static str,
        message: crate::api::Text,
    ) -> bool {
        let at = self.clock.whole_second(self.now);
        let new = Condition { kind, status, reason, message, updated: at, transition: at };
        let all = &mut self.status.conditions;
        match all.iter_mut().find(|condition| condition.kind == kind) {
            Some(old) => {
                let same = (old.status, old.reason, &old.message) == (status, reason, &new.message);
                if !same {
                    *old = new;
                }
                !same
            }
            None if status == ConditionStatus::False => false,
            None => {
                all.push(new);
                true
            }
        }
    }

    /// Asks to be synced again when pods need no longer wait.
    pub(super) fn wait(&mut self, remaining: SimDuration) {
        let at: SimTime = self.now + remaining.max(super::BATCH_PERIOD);
        self.outcome.wake(at);
    }
}
