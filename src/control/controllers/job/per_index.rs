//! Failures of single indexes (`backoffLimitPerIndex`): each counts its own, from pod to pod.
//!
//! Source: kubernetes `pkg/controller/job/indexed_job_utils.go`, `backoff_utils.go`
//! (`getRemainingTimePerIndex`), v1.37. Upstream keeps the numbers in annotations of the pods.

use super::back_off::{finished_at, remaining};
use super::{JobPod, Sync, failure_policy};
use crate::api::job::Job;
use crate::api::pod::IndexFailures;
use crate::units::SimDuration;
use std::collections::{BTreeMap, BTreeSet};

impl JobPod<'_> {
    /// Failures of its index before it.
    fn failures(&self) -> IndexFailures {
        self.pod.more.as_ref().map(|more| more.index_failures).unwrap_or_default()
    }

    /// Whether with it its index has failed for good.
    pub(super) fn fails_its_index(&self, job: &Job, limit: u32) -> bool {
        if !self.is_failed(job) {
            return false;
        }
        let judgement = failure_policy::judge(job.spec.failure_policy.as_deref(), self.pod);
        judgement.fails_index || (judgement.counts && self.failures().counted >= limit)
    }
}

impl<'a> Sync<'a> {
    /// By index, the last failed pod whose successor is still to come: it is not counted before, so
    /// that its failures can be handed on.
    pub(super) fn delayed_pods(&self) -> BTreeMap<u32, JobPod<'a>> {
        let busy: BTreeSet<u32> = self.active.iter().filter_map(|p| p.index).collect();
        let is_over = |index: u32| {
            let failed = self.failed_indexes.as_ref().is_some_and(|failed| failed.has(index));
            failed || self.succeeded_indexes.has(index) || busy.contains(&index)
        };
        let mut delayed: BTreeMap<u32, JobPod<'a>> = BTreeMap::new();
        for pod in self.valid_pods().filter(|p| p.is_failed(self.job)) {
            let Some(index) = pod.index.filter(|index| !is_over(*index)) else { continue };
            let age = |p: &JobPod| (p.failures().all(), finished_at(p.pod, self.clock));
            let is_later = delayed.get(&index).is_none_or(|last| {
                let (before, now) = (age(last), age(pod));
                before.0 <= now.0 && before.1 <= now.1
            });
            if is_later {
                delayed.insert(index, *pod);
            }
        }
        delayed
    }

    /// Of indexes that need a pod those that need not wait for it; when all have to, how long the
    /// first of them does.
    pub(super) fn ready_indexes(&self, wanted: Vec<u32>) -> Result<Vec<u32>, SimDuration> {
        let left = |index: &u32| {
            self.delayed.get(index).map_or(SimDuration::ZERO, |last| {
                let at = finished_at(last.pod, self.clock);
                remaining(last.failures().all() + 1, at, self.now)
            })
        };
        let first = wanted.iter().map(left).min();
        match first.filter(|first| *first > SimDuration::ZERO) {
            Some(wait) => Err(wait),
            None => Ok(wanted.into_iter().filter(|i| left(i) == SimDuration::ZERO).collect()),
        }
    }

    /// The failures that a new pod of an index takes over.
    pub(super) fn inherited(&self, index: u32) -> IndexFailures {
        let Some(last) = self.delayed.get(&index) else { return IndexFailures::default() };
        let IndexFailures { counted, ignored } = last.failures();
        let policy = self.job.spec.failure_policy.as_deref();
        match failure_policy::judge(policy, last.pod).counts {
            true => IndexFailures { counted: counted + 1, ignored },
            false => IndexFailures { counted, ignored: ignored + 1 },
        }
    }
}
