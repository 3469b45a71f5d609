//! Rollouts and scaling events, step by step, against what real controllers were recorded to do.

use super::*;
use crate::api::workload::IntOrPercent;
use crate::control::controllers::replicaset;
use crate::control::controllers::testing::{Bench, secs};

/// Sets a new template.
fn change_template(bench: &mut Bench, id: DeploymentId, hash: &str) {
    bench.store.update_deployment(id, |d| {
        d.template.hash = hash.into();
        d.generation += 1;
        true
    });
}

/// Gives every ReplicaSet the status that it has once `available(hash)` of its pods are available
/// (the others are not ready).
fn observe(bench: &mut Bench, id: DeploymentId, available: impl Fn(&str, u32) -> u32) {
    for set in bench.store.replica_sets_of(id).to_vec() {
        bench.store.update_replica_set(set, |s| {
            let ready = available(&s.template.hash, s.replicas).min(s.replicas);
            s.status = WorkloadStatus {
                observed_generation: s.generation,
                replicas: s.replicas,
                ready,
                available: ready,
                ..WorkloadStatus::default()
            };
            true
        });
    }
}

/// Syncs until nothing changes any more.
fn settle(bench: &mut Bench, id: DeploymentId) {
    for _ in 0..20 {
        let outcome = sync(id, &bench.store, bench.now);
        if outcome.batches.is_empty() {
            return;
        }
        bench.apply(&outcome);
    }
    panic!("the Deployment does not come to rest");
}

/// `spec.replicas` of every set, oldest first.
fn sizes(bench: &Bench, id: DeploymentId) -> Vec<u32> {
    let sets = bench.store.replica_sets_of(id).iter();
    sets.map(|set| bench.store.replica_set(*set).unwrap().replicas).collect()
}

const ALL: fn(&str, u32) -> u32 = |_, n| n;

#[test]
fn the_first_set_is_made_at_full_size() {
    let mut bench = Bench::new();
    let id = bench.deployment("web", 3);
    settle(&mut bench, id);
    assert_eq!(bench.told(), ["ScalingReplicaSet: Scaled up replica set web-v1 from 0 to 3"]);
    let set = bench.store.replica_set(bench.store.replica_sets_of(id)[0]).unwrap();
    assert_eq!((set.revision, set.desired_replicas, set.max_replicas), (1, 3, 4));
    assert_eq!(set.template.labels.get("pod-template-hash").map(|v| &**v), Some("v1"));
    assert!(set.selector.matches(&set.template.labels), "the selector knows the hash label");
}

#[test]
fn a_rolling_update_walks_inside_surge_and_unavailability() {
    let mut bench = Bench::new();
    let id = bench.deployment("web", 10);
    settle(&mut bench, id);
    observe(&mut bench, id, ALL);
    settle(&mut bench, id);
    bench.told();
    change_template(&mut bench, id, "v2");
    bench.now += crate::units::SimDuration::from_secs(5);
    settle(&mut bench, id);
    let told = bench.told();
    let expected = [
        "ScalingReplicaSet: Scaled up replica set web-v2 from 0 to 3",
        "ScalingReplicaSet: Scaled down replica set web-v1 from 10 to 8",
        "ScalingReplicaSet: Scaled up replica set web-v2 from 3 to 5",
    ];
    assert_eq!(told, expected, "as recorded: surge 3, unavailable 2");
    // Each new pod that turns available lets one old go and one new come.
    for (step, expected) in [(1, [7, 6]), (2, [6, 7]), (3, [5, 8]), (5, [3, 10]), (8, [0, 10])] {
        observe(&mut bench, id, |hash, n| if hash == "v2" { step } else { n });
        settle(&mut bench, id);
        observe(&mut bench, id, |hash, n| if hash == "v2" { step } else { n });
        settle(&mut bench, id);
        assert_eq!(sizes(&bench, id), expected, "{step} new pods are available");
    }
}

#[test]
fn a_stuck_rollout_is_scaled_in_proportion() {
    let mut bench = Bench::new();
    let id = bench.deployment("web", 10);
    bench.store.update_deployment(id, |d| {
        d.strategy = Strategy::RollingUpdate {
            max_surge: IntOrPercent::Int(3),
            max_unavailable: IntOrPercent::Int(2),
        };
        true
    });
    settle(&mut bench, id);
    observe(&mut bench, id, ALL);
    settle(&mut bench, id);
    change_template(&mut bench, id, "v2");
    let stuck: fn(&str, u32) -> u32 = |hash, n| if hash == "v1" { n } else { 0 };
    bench.now += crate::units::SimDuration::from_secs(5);
    for _ in 0..3 {
        settle(&mut bench, id);
        observe(&mut bench, id, stuck);
    }
    assert_eq!(sizes(&bench, id), [8, 5], "surge 3, unavailable 2");
    for (replicas, expected) in [(15, [11, 7]), (30, [20, 13]), (12, [9, 6])] {
        bench.store.scale_deployment(id, replicas);
        settle(&mut bench, id);
        observe(&mut bench, id, stuck);
        settle(&mut bench, id);
        assert_eq!(sizes(&bench, id), expected, "scaled to {replicas}, as recorded");
    }
}

#[test]
fn unhealthy_old_pods_go_first_and_free_the_rollout() {
    let mut bench = Bench::new();
    let id = bench.deployment("web", 10);
    settle(&mut bench, id);
    observe(&mut bench, id, |_, _| 0);
    settle(&mut bench, id);
    bench.told();
    change_template(&mut bench, id, "v2");
    bench.now += crate::units::SimDuration::from_secs(5);
    bench.apply(&sync(id, &bench.store, bench.now));
    let expected = [
        "ScalingReplicaSet: Scaled up replica set web-v2 from 0 to 3",
        "ScalingReplicaSet: Scaled down replica set web-v1 from 10 to 8",
    ];
    assert_eq!(bench.told(), expected, "13 pods, at least 8, 3 new ones missing: two may go");
}

#[test]
fn a_paused_deployment_scales_but_does_not_roll() {
    let mut bench = Bench::new();
    let id = bench.deployment("web", 4);
    settle(&mut bench, id);
    observe(&mut bench, id, ALL);
    settle(&mut bench, id);
    bench.store.update_deployment(id, |d| {
        d.paused = true;
        true
    });
    change_template(&mut bench, id, "v2");
    settle(&mut bench, id);
    assert_eq!(sizes(&bench, id), [4], "no new set while paused");
    bench.store.scale_deployment(id, 6);
    settle(&mut bench, id);
    assert_eq!(sizes(&bench, id), [6], "but scaling goes on");
}

#[test]
fn recreate_waits_until_the_last_old_pod_is_gone() {
    let mut bench = Bench::new();
    let id = bench.deployment("web", 2);
    bench.store.update_deployment(id, |d| {
        d.strategy = Strategy::Recreate;
        true
    });
    settle(&mut bench, id);
    let old = bench.store.replica_sets_of(id)[0];
    let node = bench.node("n", "a");
    let pods = [bench.ready_pod(old, node), bench.ready_pod(old, node)];
    bench.apply(&replicaset::sync(old, &bench.store, bench.now));
    settle(&mut bench, id);
    change_template(&mut bench, id, "v2");
    bench.now += crate::units::SimDuration::from_secs(5);
    settle(&mut bench, id);
    assert_eq!(sizes(&bench, id), [0], "the old set goes down first");
    for pod in pods {
        bench.store.mark_pod_deleted(pod, bench.now);
    }
    bench.apply(&replicaset::sync(old, &bench.store, bench.now));
    settle(&mut bench, id);
    assert_eq!(sizes(&bench, id), [0], "terminating pods still count");
    for pod in pods {
        bench.store.remove_pod(pod);
    }
    bench.apply(&replicaset::sync(old, &bench.store, bench.now));
    settle(&mut bench, id);
    assert_eq!(sizes(&bench, id), [0, 2], "then the new set comes at full size");
}

#[test]
fn history_is_cut_when_a_rollout_is_complete() {
    let mut bench = Bench::new();
    let id = bench.deployment("web", 2);
    bench.store.update_deployment(id, |d| {
        d.revision_history_limit = 2;
        true
    });
    let roll = |bench: &mut Bench, hash: &str| {
        change_template(bench, id, hash);
        for _ in 0..6 {
            bench.now += crate::units::SimDuration::from_secs(5);
            settle(bench, id);
            observe(bench, id, ALL);
        }
        settle(bench, id);
    };
    for hash in ["v1", "v2", "v3"] {
        roll(&mut bench, hash);
    }
    assert_eq!(sizes(&bench, id).len(), 3, "two old sets may stay");
    roll(&mut bench, "v4");
    let sets = bench.store.replica_sets_of(id).iter();
    let revisions: Vec<u64> =
        sets.map(|set| bench.store.replica_set(*set).unwrap().revision).collect();
    assert_eq!(revisions, [2, 3, 4], "the oldest revision went");
    roll(&mut bench, "v2");
    let sets = bench.store.replica_sets_of(id).iter();
    let revisions: Vec<u64> =
        sets.map(|set| bench.store.replica_set(*set).unwrap().revision).collect();
    assert_eq!(revisions, [5, 3, 4], "a rollback takes the old set under a new revision");
    assert_eq!(sizes(&bench, id), [2, 0, 0]);
}

#[test]
fn fenceposts_never_resolve_to_a_deadlock() {
    use IntOrPercent::{Int, Percent};
    let rows = [
        ("25 % of 10 is 3 up and 2 down", Percent(25), Percent(25), 10, (3, 2)),
        ("a quarter of one rounds to one more and none less", Percent(25), Percent(25), 1, (1, 0)),
        ("nothing and nothing would be a deadlock", Int(0), Percent(25), 3, (0, 1)),
        ("whole numbers are themselves", Int(1), Int(0), 100, (1, 0)),
    ];
    for (sentence, max_surge, max_unavailable, replicas, expected) in rows {
        let mut bench = Bench::new();
        let id = bench.deployment("web", replicas);
        bench.store.update_deployment(id, |d| {
            d.strategy = Strategy::RollingUpdate { max_surge, max_unavailable };
            true
        });
        assert_eq!(fenceposts(bench.store.deployment(id).unwrap()), expected, "{sentence}");
    }
}

/// The conditions in the order in which they stand: type, status, reason.
fn conditions(bench: &Bench, id: DeploymentId) -> Vec<String> {
    let told = |c: &Condition| format!("{}={:?} {}", c.kind, c.status, c.reason);
    bench.store.deployment(id).unwrap().conditions.iter().map(told).collect()
}

const AVAILABLE: &str = "Available=True MinimumReplicasAvailable";
const UNAVAILABLE: &str = "Available=False MinimumReplicasUnavailable";

#[test]
fn conditions_follow_a_rollout_as_recorded() {
    let mut bench = Bench::new();
    let id = bench.deployment("web", 4);
    let first = sync(id, &bench.store, bench.now);
    bench.apply(&first);
    let made = "Progressing=True NewReplicaSetCreated";
    assert_eq!(conditions(&bench, id), [made, UNAVAILABLE], "the set is made");
    observe(&mut bench, id, |_, _| 0);
    settle(&mut bench, id);
    let on = "Progressing=True ReplicaSetUpdated";
    assert_eq!(conditions(&bench, id), [UNAVAILABLE, on], "its pods are there: that is progress");
    observe(&mut bench, id, |_, _| 3);
    settle(&mut bench, id);
    assert_eq!(conditions(&bench, id), [AVAILABLE, on], "one of four may be missing");
    observe(&mut bench, id, ALL);
    settle(&mut bench, id);
    let done = "Progressing=True NewReplicaSetAvailable";
    assert_eq!(conditions(&bench, id), [AVAILABLE, done], "all are available");
    observe(&mut bench, id, |_, _| 0);
    settle(&mut bench, id);
    assert_eq!(conditions(&bench, id), [done, UNAVAILABLE], "pods that fail are no rollout");
    let d = bench.store.deployment(id).unwrap();
    assert_eq!(&*d.conditions[0].message, "ReplicaSet \"web-v1\" has successfully progressed.");
    assert_eq!(d.revision, 1);
}

#[test]
fn a_rollout_that_does_not_get_on_times_out_a_second_after_its_deadline() {
    let mut bench = Bench::new();
    let id = bench.deployment("web", 2);
    bench.store.update_deployment(id, |d| {
        d.progress_deadline = secs(15);
        true
    });
    settle(&mut bench, id);
    observe(&mut bench, id, |_, _| 0);
    settle(&mut bench, id);
    let woken = sync(id, &bench.store, bench.now).wake_at;
    assert_eq!(woken, bench.now + secs(16), "nothing changes: it looks again later");
    bench.now += secs(15);
    let early = sync(id, &bench.store, bench.now);
    assert!(early.batches.is_empty(), "the deadline itself is still in time");
    assert!(early.wake_at < bench.now + secs(1), "then it looks often");
    assert!(early.wake_at > bench.now, "and finds it passed at its next look");
    bench.now = woken;
    settle(&mut bench, id);
    let late = "Progressing=False ProgressDeadlineExceeded";
    assert_eq!(conditions(&bench, id), [UNAVAILABLE, late]);
    assert_eq!(sync(id, &bench.store, bench.now).wake_at, SimTime::NEVER, "it is not woken again");
    bench.store.update_deployment(id, |d| {
        d.paused = true;
        true
    });
    settle(&mut bench, id);
    assert_eq!(conditions(&bench, id), [UNAVAILABLE, late], "a pause does not hide it");
}

#[test]
fn a_pause_and_its_end_are_conditions() {
    let mut bench = Bench::new();
    let id = bench.deployment("web", 2);
    let pause = |bench: &mut Bench, paused| {
        bench.store.update_deployment(id, |d| {
            d.paused = paused;
            true
        });
        settle(bench, id);
    };
    settle(&mut bench, id);
    observe(&mut bench, id, |_, _| 0);
    settle(&mut bench, id);
    pause(&mut bench, true);
    assert_eq!(conditions(&bench, id), [UNAVAILABLE, "Progressing=Unknown DeploymentPaused"]);
    bench.now += secs(2000);
    pause(&mut bench, false);
    let resumed = "Progressing=Unknown DeploymentResumed";
    assert_eq!(conditions(&bench, id), [UNAVAILABLE, resumed], "the pause was no standstill");
}

#[test]
fn without_a_deadline_nobody_judges_progress() {
    let mut bench = Bench::new();
    let id = bench.deployment("web", 2);
    bench.store.update_deployment(id, |d| {
        d.progress_deadline = secs(i32::MAX as u64);
        true
    });
    settle(&mut bench, id);
    assert_eq!(conditions(&bench, id), [UNAVAILABLE]);
    assert_eq!(sync(id, &bench.store, bench.now).wake_at, SimTime::NEVER);
}

#[test]
fn a_finished_rollout_that_loses_its_pods_is_not_looked_at_for_ever() {
    let mut bench = Bench::new();
    let id = bench.deployment("web", 2);
    settle(&mut bench, id);
    observe(&mut bench, id, ALL);
    settle(&mut bench, id);
    for late in [10, 700, 7000] {
        observe(&mut bench, id, |_, _| 0);
        bench.now += secs(late);
        settle(&mut bench, id);
        let woken = sync(id, &bench.store, bench.now).wake_at;
        assert_eq!(woken, SimTime::NEVER, "{late} s later");
    }
}

#[test]
fn a_replica_set_that_nobody_controls_is_adopted() {
    let mut bench = Bench::new();
    let labelled = bench.replica_set("web", 3);
    let other = bench.replica_set("db", 3);
    let id = bench.deployment("web", 3);
    bench.apply(&sync(id, &bench.store, bench.now));
    assert_eq!(bench.store.replica_sets_of(id), [labelled], "by its labels");
    assert_eq!(bench.store.replica_set(other).unwrap().owner, None, "and no other");
    bench.apply(&sync(id, &bench.store, bench.now));
    assert_eq!(bench.store.replica_sets_of(id).len(), 1, "its template is the Deployment's");
}
