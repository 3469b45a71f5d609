//! What the job controller does, sync by sync.

use super::testing::{Rig, job};
use crate::api::PodId;
use crate::api::job::{FailureAction, FailureMatch, FailureRule, Job, SuccessRule};
use crate::api::meta::Propagation;
use crate::api::pod::{Pod, RestartPolicy};
use crate::control::controllers::testing::{at, secs};
use crate::units::SimTime;
use proptest::prelude::*;
use std::sync::Arc;

fn indexed(name: &str, parallelism: u32, completions: u32) -> Job {
    let mut job = job(name, parallelism, Some(completions));
    job.spec.is_indexed = true;
    job
}

#[test]
fn pods_come_in_growing_batches() {
    let rows: [(&str, u32, Option<u32>, &[usize]); 5] = [
        ("seven at once of ten", 7, Some(10), &[1, 2, 4]),
        ("no more than are to succeed", 7, Some(2), &[1, 1]),
        ("without completions as many as may run", 3, None, &[1, 2]),
        ("none when none is to run", 0, Some(2), &[]),
        ("never more than 500", 600, Some(600), &[1, 2, 4, 8, 16, 32, 64, 128, 245]),
    ];
    for (sentence, parallelism, completions, batches) in rows {
        let mut rig = Rig::new(job("job", parallelism, completions));
        rig.sync(1000);
        assert_eq!(rig.created(), batches, "{sentence}");
        let active = batches.iter().sum::<usize>() as u32;
        assert_eq!(rig.counts(), [active, 0, 0, 0, 0], "{sentence}");
        assert_eq!(rig.status().start, Some(at(1000)), "{sentence}");
    }
}

#[test]
fn what_has_ended_is_counted_once_and_the_job_completes() {
    let mut rig = Rig::new(job("job", 2, Some(3)));
    rig.sync(1000);
    rig.run();
    rig.sync(1001);
    assert_eq!(rig.counts(), [2, 2, 0, 0, 0], "both run");
    assert_eq!(
        rig.bench.told(),
        ["SuccessfulCreate: Created pod: job-1", "SuccessfulCreate: Created pod: job-2"]
    );
    let first = rig.active()[0];
    rig.end(first, 0, 1002);
    rig.sync(1003);
    assert_eq!(rig.writes(), 2, "uncounted first, then counted");
    assert_eq!(rig.counts(), [2, 1, 1, 0, 0], "one has succeeded, another takes its place");
    assert!(!rig.bench.store.pod(first).unwrap().is_tracked(), "its finalizer is gone");
    rig.sync(1004);
    assert_eq!(rig.counts(), [2, 1, 1, 0, 0], "it is not counted again");
    for pod in rig.active() {
        rig.end(pod, 0, 1005);
    }
    rig.sync(1006);
    assert_eq!(rig.counts(), [0, 0, 3, 0, 0]);
    assert_eq!(rig.conditions(), ["SuccessCriteriaMet", "Complete"]);
    assert_eq!(rig.status().completion, Some(at(1006)));
    assert_eq!(rig.bench.told().last().unwrap(), "Completed: Job completed");
    rig.sync(1007);
    assert!(rig.last.batches.is_empty(), "then nothing more happens");
}

#[test]
fn without_completions_one_success_is_enough() {
    let mut rig = Rig::new(job("job", 3, None));
    rig.sync(1000);
    let pods = rig.active();
    rig.end(pods[0], 0, 1001);
    rig.sync(1002);
    assert_eq!(rig.counts(), [2, 0, 1, 0, 0], "those that run may run on, none is replaced");
    assert_eq!(rig.conditions(), [""; 0]);
    rig.end(pods[1], 1, 1003);
    rig.end(pods[2], 0, 1003);
    rig.sync(1004);
    assert_eq!(rig.conditions(), ["SuccessCriteriaMet", "Complete"], "all have ended");
    assert_eq!(rig.counts(), [0, 0, 2, 1, 0]);
}

#[test]
fn failed_pods_are_replaced_after_a_while() {
    let mut rig = Rig::new(job("job", 1, Some(1)));
    rig.sync(1000);
    let rows = [
        ("the first after 10 s", 1002, 10),
        ("the second after 20 s", 1020, 20),
        ("the third after 40 s", 1050, 40),
    ];
    for (sentence, failed, wait) in rows {
        let pod = rig.active()[0];
        rig.end(pod, 1, failed);
        rig.sync(failed + 1);
        assert!(rig.active().is_empty(), "{sentence}: not yet");
        assert_eq!(rig.last.wake_at, at(failed + wait), "{sentence}");
        rig.sync(failed + wait - 1);
        assert!(rig.active().is_empty(), "{sentence}: still not");
        rig.sync(failed + wait);
        assert_eq!(rig.active().len(), 1, "{sentence}");
    }
    assert_eq!(rig.counts(), [1, 0, 0, 3, 0]);
}

#[test]
fn a_job_fails_when_every_pod_has_ended() {
    let mut job = job("job", 3, Some(3));
    job.spec.backoff_limit = 0;
    let mut rig = Rig::new(job);
    rig.sync(1000);
    rig.run();
    let pods = rig.active();
    rig.end(pods[0], 1, 1002);
    rig.bench.told();
    rig.sync(1003);
    assert_eq!(rig.conditions(), ["FailureTarget"], "the others are being deleted");
    assert_eq!(rig.counts(), [0, 0, 0, 3, 2], "and have failed already");
    for pod in &pods[1..] {
        rig.bench.store.remove_pod(*pod);
    }
    rig.sync(1004);
    assert_eq!(rig.conditions(), ["FailureTarget", "Failed"]);
    let why = "Job has reached the specified backoff limit";
    assert_eq!(rig.bench.told().last().unwrap(), &format!("!BackoffLimitExceeded: {why}"));
    assert_eq!(&*rig.status().finished().unwrap().message, why);
}

#[test]
fn restarted_containers_count_when_pods_are_not_replaced() {
    let rows = [
        ("two of three", 3, 2, false),
        ("three of three", 3, 3, true),
        ("one of none", 0, 1, true),
    ];
    for (sentence, limit, restarts, fails) in rows {
        let mut job = job("job", 1, Some(1));
        job.spec.backoff_limit = limit;
        Arc::make_mut(&mut job.template.spec).restart_policy = RestartPolicy::OnFailure;
        let mut rig = Rig::new(job);
        rig.sync(1000);
        rig.run();
        let pod = rig.active()[0];
        rig.bench.store.update_pod(pod, |p| {
            p.restarts = restarts;
            true
        });
        rig.sync(1001);
        assert_eq!(rig.conditions().contains(&"FailureTarget"), fails, "{sentence}");
    }
}

#[test]
fn the_deadline_counts_from_the_whole_second() {
    let mut job = job("job", 1, Some(1));
    job.spec.active_deadline = Some(secs(10));
    let mut rig = Rig::new(job);
    let half = SimTime(1_000_600_000_000);
    rig.sync_at(half);
    assert_eq!(rig.last.wake_at, half + secs(10), "at first from the instant itself");
    rig.run();
    rig.sync(1002);
    assert_eq!(rig.last.wake_at, at(1010), "then from what the API has kept");
    rig.sync(1010);
    assert_eq!(rig.conditions(), ["FailureTarget"]);
    assert_eq!(rig.status().conditions[0].reason, "DeadlineExceeded");
}

#[test]
fn a_suspended_job_has_no_pods_and_its_deadline_rests() {
    let mut rig = Rig::new(job("job", 2, Some(2)));
    rig.sync(1000);
    rig.run();
    rig.sync(1001);
    rig.bench.told();
    rig.change(|spec| spec.suspend = true);
    rig.sync(1005);
    assert_eq!(rig.counts(), [0, 0, 0, 0, 2], "its pods go and do not count");
    assert_eq!(rig.conditions(), ["Suspended"]);
    assert_eq!(rig.status().start, None);
    assert_eq!(rig.bench.told().last().unwrap(), "Suspended: Job suspended");
    let gone: Vec<PodId> = rig.bench.store.pods_of(rig.id).to_vec();
    gone.into_iter().for_each(|pod| _ = rig.bench.store.remove_pod(pod));
    rig.sync(1006);
    rig.change(|spec| spec.suspend = false);
    rig.sync(1010);
    assert_eq!(rig.counts(), [2, 0, 0, 0, 0]);
    assert_eq!(rig.status().start, Some(at(1010)));
    assert_eq!(rig.status().conditions[0].reason, "JobResumed");
    assert_eq!(rig.bench.told().last().unwrap(), "Resumed: Job resumed");
}

#[test]
fn a_pod_that_goes_is_replaced_now_or_when_it_has_ended() {
    let rows = [
        ("by default it has failed, and is replaced after the usual wait", false, 1, 1011),
        ("or it has not failed before it has ended", true, 0, 1030),
    ];
    for (sentence, only_failed, failed, replaced) in rows {
        let mut job = job("job", 2, Some(2));
        job.spec.replaces_only_failed = only_failed;
        let mut rig = Rig::new(job);
        rig.sync(1000);
        rig.run();
        let pod = rig.active()[0];
        // Its status says that it is Ready: what counts is when its deletion was asked for.
        rig.bench.now = at(1001);
        rig.bench.store.mark_pod_deleted(pod, at(1001));
        rig.sync(1002);
        assert_eq!(rig.counts(), [1, 1, 0, failed, 1], "{sentence}");
        rig.sync(1011);
        assert_eq!(rig.active().len(), if replaced == 1011 { 2 } else { 1 }, "{sentence}");
        rig.end(pod, 143, 1020);
        rig.sync(1030);
        assert_eq!(rig.active().len(), 2, "{sentence}");
        assert_eq!(rig.status().failed, 1, "{sentence}: once");
    }
}

#[test]
fn indexes_are_handed_out_and_listed() {
    let mut rig = Rig::new(indexed("job", 3, 5));
    rig.sync(1000);
    let name = |rig: &Rig, index| rig.bench.store.pod(rig.of_index(index)).unwrap().name();
    assert_eq!(&*name(&rig, 2), "job-2-3", "a pod's name has its index");
    for index in [0, 2] {
        let pod = rig.of_index(index);
        rig.end(pod, 0, 1001);
    }
    rig.sync(1002);
    assert_eq!(&*rig.status().completed_indexes, "0,2");
    assert_eq!(rig.created(), [1, 1], "3 and 4 are next");
    let failed = rig.of_index(1);
    rig.end(failed, 1, 1003);
    rig.sync(1004);
    assert!(rig.created().is_empty(), "1 has to wait");
    rig.sync(1013);
    for index in [1, 3, 4] {
        let pod = rig.of_index(index);
        rig.end(pod, 0, 1014);
    }
    rig.sync(1015);
    assert_eq!(&*rig.status().completed_indexes, "0-4");
    assert_eq!(rig.counts(), [0, 0, 5, 1, 0]);
    assert_eq!(rig.conditions(), ["SuccessCriteriaMet", "Complete"]);
}

#[test]
fn an_elastic_job_drops_and_adds_indexes() {
    let mut rig = Rig::new(indexed("job", 4, 4));
    rig.sync(1000);
    rig.run();
    let pod = rig.of_index(3);
    rig.end(pod, 0, 1001);
    rig.sync(1002);
    assert_eq!(&*rig.status().completed_indexes, "3");
    rig.change(|spec| (spec.parallelism, spec.completions) = (2, Some(2)));
    rig.sync(1003);
    assert_eq!(rig.counts(), [2, 2, 0, 0, 1], "index 2 goes, and 3 no longer counts");
    assert_eq!(&*rig.status().completed_indexes, "");
    rig.change(|spec| (spec.parallelism, spec.completions) = (5, Some(5)));
    rig.sync(1004);
    assert_eq!(rig.active().len(), 5, "2, 3 and 4 are made anew");
}

#[test]
fn indexes_fail_on_their_own() {
    let mut job = indexed("job", 3, 3);
    (job.spec.backoff_limit_per_index, job.spec.max_failed_indexes) = (Some(1), Some(1));
    job.spec.backoff_limit = i32::MAX as u32;
    let mut rig = Rig::new(job);
    rig.sync(1000);
    let failures = |rig: &Rig, index| {
        let pod = rig.bench.store.pod(rig.of_index(index)).unwrap();
        pod.more.as_ref().unwrap().index_failures.counted
    };
    let first = rig.of_index(1);
    rig.end(first, 1, 1001);
    rig.sync(1002);
    assert_eq!(rig.last.wake_at, at(1011), "only index 1 waits");
    assert!(rig.bench.store.pod(first).unwrap().is_tracked(), "it waits for its successor");
    rig.sync(1011);
    assert_eq!(failures(&rig, 1), 1, "which takes over its failure");
    rig.sync(1012);
    assert_eq!(rig.counts(), [3, 0, 0, 1, 0], "then it is counted");
    let second = rig.of_index(1);
    rig.end(second, 1, 1013);
    rig.sync(1014);
    assert_eq!(rig.status().failed_indexes.as_deref(), Some("1"), "twice is too often");
    assert_eq!(rig.active().len(), 2);
    for index in [0, 2] {
        let pod = rig.of_index(index);
        rig.end(pod, 0, 1015);
    }
    rig.sync(1016);
    assert_eq!(rig.conditions(), ["FailureTarget", "Failed"]);
    assert_eq!(rig.status().conditions[0].reason, "FailedIndexes");
    assert_eq!(&*rig.status().completed_indexes, "0,2");
}

#[test]
fn too_many_failed_indexes_end_the_job() {
    let mut job = indexed("job", 3, 3);
    (job.spec.backoff_limit_per_index, job.spec.max_failed_indexes) = (Some(0), Some(1));
    let mut rig = Rig::new(job);
    rig.sync(1000);
    for index in [0, 1] {
        let pod = rig.of_index(index);
        rig.end(pod, 1, 1001);
    }
    rig.sync(1002);
    assert_eq!(rig.status().conditions[0].reason, "MaxFailedIndexesExceeded");
    assert_eq!(rig.status().failed_indexes.as_deref(), Some("0,1"));
}

fn on_code(action: FailureAction, code: i32) -> Option<Vec<FailureRule>> {
    let on = FailureMatch::ExitCodes { container: None, is_in: true, values: vec![code] };
    Some(vec![FailureRule { action, on }])
}

#[test]
fn a_policy_says_what_a_failure_means() {
    use FailureAction::{Count, FailIndex, FailJob, Ignore};
    let rows = [
        ("the Job fails at once", FailJob, 1, true),
        ("an ignored failure does not count", Ignore, 0, false),
        ("one that counts does", Count, 1, false),
        ("and so does one of an index", FailIndex, 1, false),
    ];
    for (sentence, action, failed, fails) in rows {
        let mut job = indexed("job", 1, 2);
        job.spec.failure_policy = on_code(action, 42);
        job.spec.replaces_only_failed = true;
        job.spec.backoff_limit_per_index = (action == FailIndex).then_some(5);
        let mut rig = Rig::new(job);
        rig.sync(1000);
        let pod = rig.active()[0];
        rig.end(pod, 42, 1001);
        rig.sync(1002);
        assert_eq!(rig.status().failed, failed, "{sentence}");
        assert_eq!(rig.conditions().contains(&"Failed"), fails, "{sentence}");
        let indexes = rig.status().failed_indexes.as_deref();
        assert_eq!(indexes, (action == FailIndex).then_some("0"), "{sentence}");
    }
}

#[test]
fn enough_indexes_end_the_job() {
    let mut job = indexed("job", 3, 3);
    let rule = SuccessRule { indexes: Some("1-2".into()), count: Some(1) };
    job.spec.success_policy = Some(vec![rule]);
    let mut rig = Rig::new(job);
    rig.sync(1000);
    rig.run();
    let pod = rig.of_index(2);
    rig.end(pod, 0, 1001);
    rig.sync(1002);
    assert_eq!(rig.conditions(), ["SuccessCriteriaMet"], "the others are being deleted");
    assert_eq!(rig.counts(), [0, 0, 1, 0, 2], "and have not failed");
    let gone: Vec<PodId> = rig.bench.store.pods_of(rig.id).to_vec();
    gone.into_iter().for_each(|pod| _ = rig.bench.store.remove_pod(pod));
    rig.sync(1003);
    assert_eq!(rig.conditions(), ["SuccessCriteriaMet", "Complete"]);
    assert_eq!(&*rig.status().finished().unwrap().message, "Matched rules at index 0");
}

#[test]
fn a_job_that_goes_makes_no_pods_and_lets_its_own_go() {
    let mut rig = Rig::new(job("job", 2, Some(2)));
    rig.sync(1000);
    rig.bench.store.update_owner(rig.id, |owner| {
        owner.set_deletion(Propagation::Foreground);
        true
    });
    let pod = rig.active()[0];
    rig.bench.store.mark_pod_deleted(pod, at(1001));
    rig.sync(1002);
    assert!(rig.created().is_empty());
    assert_eq!(rig.bench.store.pods_of(rig.id).len(), 1, "the one that was marked is gone");
    let left = rig.active()[0];
    assert!(!rig.bench.store.pod(left).unwrap().is_tracked());
}

#[test]
fn nobody_counts_the_pods_of_a_job_that_is_gone() {
    let mut rig = Rig::new(job("job", 2, Some(2)));
    rig.sync(1000);
    let pods = rig.active();
    rig.bench.store.remove_owner(rig.id);
    pods.iter().for_each(|pod| rig.jobs.is_orphaned(*pod));
    let outcome = rig.jobs.release_orphans(&rig.bench.store);
    rig.bench.apply(&outcome);
    let tracked = |id: &PodId| rig.bench.store.pod(*id).is_some_and(Pod::is_tracked);
    assert!(!pods.iter().any(tracked), "their finalizers are gone");
    assert!(rig.jobs.release_orphans(&rig.bench.store).batches.is_empty(), "once is enough");
}

#[test]
fn another_controllers_job_is_left_alone() {
    let mut rig = Rig::new(Job { ..job("job", 2, Some(2)) });
    rig.change(|spec| spec.managed_by = "example.com/other".into());
    rig.sync(1000);
    assert!(rig.last.batches.is_empty());
    rig.change(|spec| spec.managed_by = "kubernetes.io/job-controller".into());
    rig.sync(1001);
    assert_eq!(rig.active().len(), 2, "unless that is this one");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever pods do, each is counted once, and never more succeed than shall.
    #[test]
    fn counts_are_those_of_a_plain_tally(
        parallelism in 1u32..5,
        completions in 1u32..8,
        is_indexed: bool,
        fates in prop::collection::vec((0usize..5, 0u8..4), 1..120),
    ) {
        let mut job = job("job", parallelism, Some(completions));
        (job.spec.is_indexed, job.spec.backoff_limit) = (is_indexed, 1000);
        let mut rig = Rig::new(job);
        let (mut second, mut succeeded, mut failed) = (1000, 0, 0);
        let mut fates = fates.into_iter().chain(std::iter::repeat((0, 0)));
        rig.sync(second);
        while rig.status().finished().is_none() {
            second += 700;
            rig.run();
            let pods = rig.active();
            prop_assert!(pods.len() <= parallelism as usize);
            let (place, fate) = fates.next().unwrap();
            if let Some(pod) = pods.get(place % pods.len().max(1)) {
                match fate {
                    0 | 1 => {
                        rig.end(*pod, 0, second);
                        succeeded += 1;
                    }
                    2 => {
                        rig.end(*pod, 1, second);
                        failed += 1;
                    }
                    _ => {
                        rig.bench.store.mark_pod_deleted(*pod, at(second));
                        failed += 1;
                    }
                }
            }
            rig.sync(second + 1);
            let terminating = rig.bench.store.pods_of(rig.id).to_vec();
            for pod in terminating {
                let p = rig.bench.store.pod(pod).unwrap();
                if p.deletion.is_some() && !p.is_tracked() {
                    rig.bench.store.remove_pod(pod);
                }
            }
            let counted = [rig.status().succeeded, rig.status().failed];
            prop_assert_eq!(counted, [succeeded, failed]);
        }
        prop_assert_eq!(succeeded, completions);
        prop_assert_eq!(rig.conditions(), ["SuccessCriteriaMet", "Complete"]);
    }
}
