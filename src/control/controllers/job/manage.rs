//! Pods that are made and deleted, so that as many run as shall.
//!
//! Source: kubernetes `pkg/controller/job/job_controller.go` (`manageJob`, `deleteJobPods`,
//! `activePodsForRemoval`), `pkg/controller/controller_utils.go` (`ActivePods`), v1.37.

use super::back_off::BackOff;
use super::{JobPod, MOST_PODS, Sync, release};
use crate::api::event::EventType::Normal;
use crate::api::job::INDEX_LABEL;
use crate::api::pod::PodPhase;
use crate::control::controllers::action::{Action, NewName, NewPod};
use crate::control::controllers::replicaset::created_event;
use crate::units::SimDuration;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Longest name that the API server adds a suffix to (`MaxGeneratedNameLength`).
const LONGEST_BASE: usize = 58;

impl<'a> Sync<'a> {
    /// Makes or deletes pods; tells how many are active then.
    pub(super) fn manage(&mut self, back_off: BackOff) -> u32 {
        let active = self.active.len();
        if self.job.spec.suspend {
            return self.delete_surplus(active, active);
        }
        let wanted = self.wanted_active() as usize;
        let surplus = active.saturating_sub(wanted);
        let victims = self.victims(surplus);
        if !victims.is_empty() {
            let count = victims.len().min(MOST_PODS);
            self.delete(&victims[..count], true);
            return (active - count) as u32;
        }
        let waits_for = if self.job.spec.replaces_only_failed { self.terminating } else { 0 };
        let missing = wanted.saturating_sub(waits_for as usize + active);
        if missing == 0 {
            return active as u32;
        }
        (active + self.create(missing, back_off)) as u32
    }

    fn delete_surplus(&mut self, count: usize, active: usize) -> u32 {
        let victims = self.victims(count);
        self.delete(&victims, true);
        (active - victims.len()) as u32
    }

    /// How many pods shall run.
    fn wanted_active(&self) -> u32 {
        let spec = &self.job.spec;
        match spec.completions {
            // Once one has succeeded, those that run may run on.
            None if self.succeeded > 0 => self.active.len() as u32,
            None => spec.parallelism,
            Some(completions) => completions.saturating_sub(self.succeeded).min(spec.parallelism),
        }
    }

    /// Makes up to `missing` pods, unless they have to wait; tells how many.
    fn create(&mut self, missing: usize, back_off: BackOff) -> usize {
        let per_index = self.job.spec.backoff_limit_per_index.is_some();
        if !per_index {
            let remaining = back_off.remaining(self.now);
            if remaining > SimDuration::ZERO {
                self.wait(remaining);
                return 0;
            }
        }
        let count = missing.min(MOST_PODS);
        let mut pods: Vec<Action> = Vec::new();
        if self.job.spec.is_indexed {
            let indexes = self.pending_indexes(count);
            let indexes = match self.ready_indexes(indexes) {
                Ok(indexes) => indexes,
                Err(remaining) => {
                    self.wait(remaining);
                    return 0;
                }
            };
            pods.extend(indexes.into_iter().map(|index| self.indexed_pod(index)));
        } else {
            let owner = self.id;
            let base = format!("{}-", self.job.meta.name);
            let new = || Action::CreatePodAs { owner, pod: Box::new(self.new_pod(&base)) };
            pods.extend((0..count).map(|_| new()));
        }
        let count = pods.len();
        // Slow start: 1, 2, 4, ... side by side.
        let mut size = 1;
        while !pods.is_empty() {
            let rest = pods.split_off(size.min(pods.len()));
            self.outcome.batches.push(std::mem::replace(&mut pods, rest));
            size *= 2;
        }
        count
    }

    /// The first indexes that have no pod and are not over (`firstPendingIndexes`).
    fn pending_indexes(&self, count: usize) -> Vec<u32> {
        let mut taken: BTreeSet<u32> = self.active.iter().filter_map(|p| p.index).collect();
        if self.job.spec.replaces_only_failed {
            taken.extend(self.pods.iter().filter(|p| p.is_terminating()).filter_map(|p| p.index));
        }
        let mut over = self.succeeded_indexes.with(&taken);
        if let Some(failed) = &self.failed_indexes {
            over = over.merged(failed);
        }
        over.first_missing(count, self.completions())
    }

    fn new_pod(&self, base: &str) -> NewPod {
        let template = &self.job.template;
        NewPod {
            name: NewName::Generated(base[..base.len().min(LONGEST_BASE)].into()),
            labels: template.labels.clone(),
            spec: Arc::clone(&template.spec),
            is_tracked: true,
            created: created_event,
        }
    }

    fn indexed_pod(&self, index: u32) -> Action {
        let end = format!("-{index}-");
        let name = &*self.job.meta.name;
        let room = LONGEST_BASE.saturating_sub(end.len()).min(name.len());
        let mut pod = self.new_pod(&format!("{}{end}", &name[..room]));
        pod.labels = pod.labels.with(INDEX_LABEL, index.to_string());
        let (owner, pod, failures) = (self.id, Box::new(pod), self.inherited(index));
        if self.job.spec.backoff_limit_per_index.is_some() {
            return Action::CreateIndexPod { owner, pod, failures };
        }
        Action::CreatePodAs { owner, pod }
    }

    /// Pods to delete: those whose index another one has or nobody needs, and as many more as make
    /// up `at_least`, the least useful first (`activePodsForRemoval`).
    fn victims(&self, at_least: usize) -> Vec<JobPod<'a>> {
        let (mut gone, mut left) = (Vec::new(), Vec::new());
        if self.job.spec.is_indexed {
            let mut by_index: BTreeMap<u32, Vec<JobPod<'a>>> = BTreeMap::new();
            for pod in &self.active {
                match pod.index {
                    Some(index) if index < self.completions() => {
                        by_index.entry(index).or_default().push(*pod);
                    }
                    _ => gone.push(*pod),
                }
            }
            for mut pods in by_index.into_values() {
                pods.sort_by_key(|p| self.usefulness(p));
                left.extend(pods.pop());
                gone.extend(pods);
            }
        } else {
            left.extend(self.active.iter().copied());
        }
        if gone.len() < at_least {
            left.sort_by_key(|p| self.usefulness(p));
            let more = at_least - gone.len();
            gone.extend(left.into_iter().take(more));
        }
        gone
    }

    /// Sort key: what is smaller goes first. Without a node, Pending, not Ready, Ready for a
    /// shorter time, more restarts, younger; times are whole seconds.
    fn usefulness(&self, pod: &JobPod) -> impl Ord + use<> {
        let pod = pod.pod;
        let since = pod.ready.then(|| Reverse(self.clock.whole_second(pod.ready_changed)));
        (
            pod.node.is_some(),
            pod.phase == PodPhase::Running,
            pod.ready,
            since,
            Reverse(pod.restarts),
            Reverse(self.clock.whole_second(pod.created)),
        )
    }

    /// Deletes pods side by side; `uncounted`: they are not to be counted as failed.
    pub(super) fn delete(&mut self, pods: &[JobPod], uncounted: bool) {
        if uncounted {
            let tracked = pods.iter().filter(|p| p.tracked);
            let requests = tracked.map(|p| release(p.id)).collect();
            self.send(requests);
        }
        let mut requests = Vec::with_capacity(2 * pods.len());
        for pod in pods {
            requests.push(Action::DeletePod { pod: pod.id, grace: None, reason: "ScaleDown" });
            let message = format!("Deleted pod: {}", pod.pod.name());
            requests.push(self.event(Normal, "SuccessfulDelete", &message));
        }
        self.send(requests);
        self.terminating += pods.len() as u32;
        self.ready -= pods.iter().filter(|p| p.pod.ready).count() as u32;
    }
}
