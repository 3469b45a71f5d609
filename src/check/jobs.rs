//! Jobs count pods exactly: none twice, none forgotten once counted, none too many.

use super::Finding;
use crate::api::job::Job;
use crate::api::{OwnerId, PodId};
use crate::store::Store;
use std::collections::{BTreeMap, BTreeSet};

/// What Jobs had counted at the last look.
#[derive(Debug, Default)]
pub(super) struct JobCounts {
    /// `status.succeeded` and `status.failed`.
    seen: BTreeMap<OwnerId, [u32; 2]>,
    /// Somebody has changed labels of pods: a Job may have been handed more than it asked for.
    relabelled: bool,
}

impl JobCounts {
    /// The first Job that has miscounted.
    pub(super) fn wrong(&mut self, store: &Store) -> Finding {
        self.relabelled |= store.relabelled_pods().next().is_some();
        let mut found = None;
        for (id, owner) in store.owners() {
            let Some(job) = store.job(id) else { continue };
            let counts = [job.status.succeeded, job.status.failed];
            let before = self.seen.insert(id, counts).unwrap_or_default();
            let fault = self.too_many(job).or_else(|| twice(job)).or_else(|| fewer(job, before));
            if let Some(fault) = fault {
                found = Some(("a Job counts each pod once", format!("{}: {fault}", owner.name())));
            }
        }
        self.seen.retain(|id, _| store.job(*id).is_some());
        found
    }

    /// More successes than were asked for. Of an Indexed Job the completions may have been changed;
    /// there the indexes are recounted.
    fn too_many(&self, job: &Job) -> Option<String> {
        let status = &job.status;
        if job.spec.is_indexed {
            let listed = listed(&status.completed_indexes);
            let text = || format!("{} succeeded, but {listed:?} are listed", status.succeeded);
            return (listed != Some(u64::from(status.succeeded))).then(text);
        }
        let wanted = job.spec.completions?;
        let all = status.succeeded as usize + status.uncounted_succeeded.len();
        let is_free = job.spec.has_manual_selector || self.relabelled;
        (!is_free && all > wanted as usize).then(|| format!("{all} succeeded of {wanted}"))
    }
}

/// A pod that is about to be counted twice.
fn twice(job: &Job) -> Option<String> {
    let status = &job.status;
    let mut seen: BTreeSet<PodId> = BTreeSet::new();
    let mut uncounted = status.uncounted_succeeded.iter().chain(&status.uncounted_failed);
    uncounted.any(|pod| !seen.insert(*pod)).then(|| "a pod is uncounted twice".to_owned())
}

/// Counts never fall, but for successes of indexes that nobody asks for any more.
fn fewer(job: &Job, before: [u32; 2]) -> Option<String> {
    let [succeeded, failed] = before;
    let status = &job.status;
    let falls = status.failed < failed || (!job.spec.is_indexed && status.succeeded < succeeded);
    let now = [status.succeeded, status.failed];
    falls.then(|| format!("succeeded and failed are {now:?} after {before:?}"))
}

/// How many indexes a text like `1,3-5` lists; `None`: it lists one twice, or is no such text.
fn listed(text: &str) -> Option<u64> {
    let mut next = 0;
    let mut count = 0;
    for part in text.split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
        if first < next || last < first {
            return None;
        }
        count += last - first + 1;
        next = last + 1;
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::job::JobStatus;
    use crate::api::owner::Owner;
    use crate::control::controllers::job::testing::job;

    #[test]
    fn miscounts_are_found() {
        type Row = (&'static str, bool, fn(&mut JobStatus, PodId), bool);
        let rows: [Row; 8] = [
            ("three of three", false, |s, _| s.succeeded = 3, true),
            ("four of three", false, |s, _| s.succeeded = 4, false),
            (
                "and one that is about to be",
                false,
                |s, pod| {
                    s.succeeded = 3;
                    s.uncounted_succeeded = vec![pod];
                },
                false,
            ),
            (
                "a pod in both lists",
                false,
                |s, pod| {
                    s.uncounted_succeeded = vec![pod];
                    s.uncounted_failed = vec![pod];
                },
                false,
            ),
            ("a count that falls", false, |s, _| s.failed = 0, false),
            (
                "indexes as listed",
                true,
                |s, _| {
                    s.succeeded = 3;
                    s.completed_indexes = "0,2-3".into();
                },
                true,
            ),
            (
                "fewer than listed",
                true,
                |s, _| {
                    s.succeeded = 2;
                    s.completed_indexes = "0,2-3".into();
                },
                false,
            ),
            (
                "an index twice",
                true,
                |s, _| {
                    s.succeeded = 3;
                    s.completed_indexes = "0,0,1".into();
                },
                false,
            ),
        ];
        for (sentence, is_indexed, change, fine) in rows {
            let mut store = Store::default();
            let mut job = job("job", 3, Some(3));
            job.spec.is_indexed = is_indexed;
            job.status.failed = 1;
            let id = store.create_owner(Owner::Job(Box::new(job)));
            let mut counts = JobCounts::default();
            assert_eq!(counts.wrong(&store), None, "{sentence}: before");
            store.update_job(id, |job| {
                change(&mut job.status, PodId::default());
                true
            });
            assert_eq!(counts.wrong(&store).is_none(), fine, "{sentence}");
        }
    }
}
