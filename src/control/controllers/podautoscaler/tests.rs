//! Syncs of whole objects: what pods count, what is said, and that lazy is the same as eager.

use super::testing::{Values, hpa};
use super::*;
use crate::api::autoscaling::{MetricId, MetricSource, MetricSpec, MetricTarget, ScaleTarget};
use crate::api::pod::PodPhase;
use crate::api::{DeploymentId, NodeId, PodId};
use crate::control::controllers::testing::{Bench, at, secs};
use crate::units::SimDuration;
use proptest::prelude::*;

/// A Deployment with an autoscaler and ready pods that have been so for ten minutes.
struct Scene {
    bench: Bench,
    node: NodeId,
    set: crate::api::OwnerId,
    deployment: DeploymentId,
    id: HpaId,
    pods: Vec<PodId>,
    values: Values,
    controller: PodAutoscaler,
}

impl Scene {
    fn new(replicas: u32, mut hpa: Hpa) -> Scene {
        let mut bench = Bench::new();
        let node = bench.node("n", "a");
        let deployment = bench.deployment("web", replicas);
        let set = bench.replica_set_of("web", replicas, Some(deployment));
        hpa.target = ScaleTarget::Deployment(deployment);
        let id = bench.store.create_hpa(hpa);
        let pods = (0..replicas).map(|_| bench.ready_pod(set, node)).collect();
        bench.now = at(1600);
        let controller = PodAutoscaler::new(&ControllerManagerFlags::default());
        Scene { bench, node, set, deployment, id, pods, values: Values::default(), controller }
    }

    /// Every pod uses this much.
    fn all_use(&mut self, milli: i64) {
        self.values.milli = self.pods.iter().map(|pod| (*pod, milli)).collect();
    }

    /// Syncs now and applies; the replicas wanted.
    fn sync(&mut self) -> u32 {
        self.values.timestamp = self.bench.now;
        let store = &self.bench.store;
        let outcome = self.controller.sync(self.id, store, &self.values, self.bench.now);
        self.bench.apply(&outcome);
        self.bench.store.deployment(self.deployment).unwrap().replicas
    }
}

#[test]
fn pods_that_do_not_count_hold_the_move_back() {
    type Arrange = fn(&mut Scene);
    // Four replicas that request 1,000 each; the target is 500.
    let rows: [(&str, Arrange, u32); 10] = [
        ("on target nothing moves", |s| s.all_use(500), 4),
        ("within a tenth nothing moves", |s| s.all_use(549), 4),
        ("half as much again asks for half as many again", |s| s.all_use(750), 6),
        (
            "a pending pod counts as idle when it goes up",
            |s| {
                s.all_use(750);
                let pending = s.bench.pod(s.set);
                s.bench.store.bind_pod(pending, s.node, s.bench.now);
            },
            6,
        ),
        (
            "a pod without a sample counts as idle when it goes up",
            |s| {
                s.all_use(1000);
                s.values.milli.remove(&s.pods[0]);
            },
            6,
        ),
        (
            "... and can turn the move around: then nothing moves",
            |s| {
                s.all_use(600);
                s.values.milli.remove(&s.pods[0]);
            },
            4,
        ),
        (
            "a pod that is deleted counts nowhere",
            |s| {
                s.all_use(750);
                s.bench.store.mark_pod_deleted(s.pods[3], s.bench.now);
            },
            5,
        ),
        (
            "a failed pod counts nowhere",
            |s| {
                s.all_use(750);
                s.bench.store.set_pod_phase(s.pods[3], PodPhase::Failed);
            },
            5,
        ),
        (
            "a pod ready for less than the window counts as idle",
            |s| {
                s.all_use(1500);
                s.bench.now = at(1010);
            },
            4,
        ),
        ("nobody's sample counts, nothing moves", |s| s.values.milli.clear(), 4),
    ];
    for (sentence, arrange, expected) in rows {
        let mut scene = Scene::new(4, hpa(1, 100));
        arrange(&mut scene);
        assert_eq!(scene.sync(), expected, "{sentence}");
    }
}

#[test]
fn unready_pods_are_judged_by_their_age() {
    type Arrange = fn(&mut Scene);
    let rows: [(&str, Arrange, u32); 4] = [
        (
            "unready within the initialization period: ignored",
            |s| {
                s.bench.now = at(1100);
                s.bench.store.set_pod_ready(s.pods[0], false, at(1050));
            },
            6,
        ),
        (
            "never ready: ignored for ever",
            |s| {
                s.bench.store.set_pod_ready(s.pods[0], false, at(1020));
            },
            6,
        ),
        (
            "was ready and is not now: its sample counts",
            |s| {
                s.bench.store.set_pod_ready(s.pods[0], false, at(1050));
            },
            8,
        ),
        (
            "never started: ignored",
            |s| {
                s.bench.store.update_pod(s.pods[0], |p| {
                    p.started = SimTime::NEVER;
                    true
                });
            },
            6,
        ),
    ];
    for (sentence, arrange, expected) in rows {
        let mut scene = Scene::new(4, hpa(1, 100));
        scene.all_use(1000);
        arrange(&mut scene);
        assert_eq!(scene.sync(), expected, "{sentence}");
    }
}

#[test]
fn limits_come_before_metrics() {
    let rows = [
        ("above the maximum", 12, (1, 10), 10, "Current number of replicas above Spec.MaxReplicas"),
        ("below the minimum", 2, (5, 10), 5, "Current number of replicas below Spec.MinReplicas"),
    ];
    for (sentence, replicas, (min, max), expected, reason) in rows {
        let mut scene = Scene::new(replicas, hpa(min, max));
        assert_eq!(scene.sync(), expected, "{sentence}");
        let said = format!("SuccessfulRescale: New size: {expected}; reason: {reason}");
        assert_eq!(scene.bench.told(), [said], "{sentence}");
    }
    let mut scene = Scene::new(0, hpa(1, 10));
    assert_eq!(scene.sync(), 0, "zero replicas by hand: scaling is disabled");
}

#[test]
fn what_cannot_be_read_is_said_once() {
    let mut scene = Scene::new(2, hpa(1, 10));
    scene.sync();
    let why = "failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API";
    let expected = [
        format!("!FailedGetResourceMetric: {why}"),
        format!(
            "!FailedComputeMetricsReplicas: invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: {why}"
        ),
    ];
    assert_eq!(scene.bench.told(), expected);
    scene.bench.now = at(1615);
    scene.sync();
    assert!(scene.bench.told().is_empty(), "the same complaint is merged");
    scene.all_use(1000);
    scene.bench.now = at(1630);
    scene.sync();
    let said = "SuccessfulRescale: New size: 4; reason: cpu resource utilization (percentage of request) above target";
    assert_eq!(scene.bench.told(), [said]);
}

#[test]
fn a_missing_metric_allows_up_but_not_down() {
    let mut two = hpa(1, 100);
    let target = MetricTarget::AverageValue(100);
    two.metrics.push(MetricSpec {
        source: MetricSource::Pods(MetricId::named("requests_per_second")),
        target,
    });
    for (sentence, milli, expected) in [("up", 1000, 8), ("not down", 100, 4)] {
        let mut scene = Scene::new(4, two.clone());
        scene.all_use(milli);
        struct OnlyCpu<'a>(&'a Values);
        impl PodMetrics for OnlyCpu<'_> {
            fn sample(&self, pod: PodId, source: &MetricSource) -> Option<Sample> {
                (*source == MetricSource::CPU).then(|| self.0.sample(pod, source)).flatten()
            }
        }
        scene.values.timestamp = scene.bench.now;
        let metrics = OnlyCpu(&scene.values);
        let outcome =
            scene.controller.sync(scene.id, &scene.bench.store, &metrics, scene.bench.now);
        scene.bench.apply(&outcome);
        let replicas = scene.bench.store.deployment(scene.deployment).unwrap().replicas;
        assert_eq!(replicas, expected, "{sentence}");
        let failed =
            scene.bench.events.iter().any(|e| e.starts_with("!FailedGetPodsMetric: unable"));
        assert!(failed, "{sentence}: {:?}", scene.bench.events);
    }
}

#[test]
fn the_next_sync_comes_a_period_after_the_last_one_ended() {
    type Row<'a> = (&'a str, &'a [(u64, u64)], u64);
    // Seconds at which a sync begins and ends; when the next one is due.
    let rows: [Row<'_>; 5] = [
        ("a sync that took no time", &[(1600, 1600)], 1615),
        ("one that waited three seconds for its answers", &[(1600, 1603)], 1618),
        ("each shifts those after it", &[(1600, 1603), (1618, 1619)], 1634),
        (
            "a changed spec is synced at once, and the entry stays",
            &[(1600, 1600), (1603, 1604)],
            1615,
        ),
        ("... also if that takes until after it was due", &[(1600, 1600), (1614, 1617)], 1615),
    ];
    for (sentence, syncs, expected) in rows {
        let mut scene = Scene::new(4, hpa(1, 100));
        scene.all_use(500);
        let mut due = SimTime::ZERO;
        for (begins, ends) in syncs {
            scene.bench.now = at(*begins);
            scene.sync();
            due = scene.controller.ended(scene.id, at(*ends));
        }
        assert_eq!(due, at(expected), "{sentence}");
    }
}

#[test]
fn a_sync_that_comes_late_stands_for_none_before_it() {
    let mut hpa = hpa(1, 100);
    (hpa.has_behavior, hpa.scale_down.stabilization_window) = (true, Some(secs(20)));
    let mut scene = Scene::new(4, hpa);
    scene.all_use(500);
    assert_eq!(scene.sync(), 4);
    assert_eq!(scene.controller.ended(scene.id, at(1600)), at(1615));
    scene.all_use(100);
    scene.bench.now = at(1621);
    assert_eq!(scene.sync(), 1, "nobody recommended four at 1615");
}

#[test]
fn a_steady_autoscaler_sleeps() {
    let mut scene = Scene::new(4, hpa(1, 100));
    scene.all_use(500);
    scene.values.steady = Some(at(1500));
    let id = scene.id;
    scene.sync();
    assert_eq!(scene.controller.inputs_changed(id, at(1601)), SimTime::NEVER, "under way");
    assert_eq!(scene.controller.ended(id, at(1601)), at(1616), "what changed is looked at");
    scene.bench.now = at(1616);
    scene.sync();
    assert_eq!(scene.controller.ended(id, at(1617)), SimTime::NEVER);
    assert_eq!(scene.controller.inputs_changed(id, at(1617)), at(1632), "not this one again");
    assert_eq!(scene.controller.inputs_changed(id, at(2000)), at(1632), "the earliest holds");
    scene.bench.now = at(1632);
    scene.sync();
    assert_eq!(scene.controller.ended(id, at(1632)), SimTime::NEVER);
    assert_eq!(scene.controller.inputs_changed(id, at(2000)), at(2007), "the pace is kept");
}

/// One run over a curve of loads: each entry is seconds until the next change and the milli-CPU
/// that the pods use together from then on. Pods follow the replicas at once.
fn run(lazy: bool, hpa: Hpa, curve: &[(u64, i64)], start: u32) -> (Vec<(SimTime, u32)>, u32) {
    let mut scene = Scene::new(start, hpa);
    let mut changes = curve.iter();
    let (mut load, mut next_change) = (400 * i64::from(start), at(1600));
    let mut due = at(1600);
    let (mut decisions, mut syncs) = (Vec::new(), 0);
    while scene.bench.now < at(9000) {
        let now = due.min(next_change).min(at(9000));
        scene.bench.now = now;
        if now == next_change {
            next_change = match changes.next() {
                Some((gap, milli)) => {
                    load = *milli;
                    now + secs(*gap)
                }
                None => SimTime::NEVER,
            };
            if lazy {
                due = due.min(scene.controller.inputs_changed(scene.id, now));
            }
            spread(&mut scene, load);
        }
        if now != due {
            continue;
        }
        syncs += 1;
        let before = scene.bench.store.deployment(scene.deployment).unwrap().replicas;
        scene.values.timestamp = now;
        scene.values.steady = lazy.then_some(now);
        let outcome = scene.controller.sync(scene.id, &scene.bench.store, &scene.values, now);
        // What is written takes a while.
        let ended = now + SimDuration::from_millis(7 * outcome.batches.len() as u64);
        let lazily = scene.controller.ended(scene.id, ended);
        due = if lazy { lazily } else { ended + secs(15) };
        scene.bench.apply(&outcome);
        let replicas = scene.bench.store.deployment(scene.deployment).unwrap().replicas;
        if replicas != before {
            decisions.push((now, replicas));
            resize(&mut scene, replicas);
            spread(&mut scene, load);
            due = if lazy { scene.controller.inputs_changed(scene.id, ended) } else { due };
        }
    }
    (decisions, syncs)
}

fn spread(scene: &mut Scene, load: i64) {
    let each = load / scene.pods.len().max(1) as i64;
    scene.all_use(each);
}

fn resize(scene: &mut Scene, replicas: u32) {
    while scene.pods.len() > replicas as usize {
        let pod = scene.pods.pop().unwrap();
        scene.bench.store.remove_pod(pod);
    }
    while scene.pods.len() < replicas as usize {
        let pod = scene.bench.ready_pod(scene.set, scene.node);
        scene.pods.push(pod);
    }
}

fn shapes() -> impl Strategy<Value = Hpa> {
    (any::<bool>(), 0u64..400, 0u64..400, 1u32..6, 15u64..90).prop_map(
        |(has_behavior, up, down, pods, period)| {
            let mut hpa = hpa(1, 60);
            hpa.has_behavior = has_behavior;
            hpa.scale_up.stabilization_window = Some(secs(up / 4));
            hpa.scale_down.stabilization_window = Some(secs(down));
            hpa.scale_up.policies[0].value = pods;
            hpa.scale_up.policies[0].period = secs(period);
            hpa.scale_down.policies[0].value = 30;
            hpa.scale_down.policies[0].period = secs(period);
            hpa
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn lazy_decides_as_syncing_every_period(
        hpa in shapes(),
        start in 1u32..20,
        curve in proptest::collection::vec((1u64..900, 100i64..20_000), 1..12),
    ) {
        let (eager, every) = run(false, hpa.clone(), &curve, start);
        let (lazy, some) = run(true, hpa, &curve, start);
        prop_assert_eq!(lazy, eager);
        prop_assert!(some <= every);
    }
}

#[test]
fn a_day_of_steady_load_costs_a_handful_of_syncs() {
    let (_, syncs) = run(true, hpa(1, 60), &[(60, 9000), (600, 1000)], 4);
    assert!(syncs < 90, "{syncs} syncs in 7,400 s instead of 493");
}

/// A metrics API in which all pods but some read the same; it says so, or does not.
struct Crowd {
    all: i64,
    except: std::collections::BTreeSet<PodId>,
    own: Values,
    tells: bool,
}

impl Crowd {
    fn common(&self) -> Sample {
        Sample { milli: self.all, timestamp: self.own.timestamp, window: secs(15) }
    }
}

impl PodMetrics for Crowd {
    fn sample(&self, pod: PodId, source: &MetricSource) -> Option<Sample> {
        if self.except.contains(&pod) { self.own.sample(pod, source) } else { Some(self.common()) }
    }

    fn alike(&self, _: ScaleTarget, _: &MetricSource) -> Option<Alike<'_>> {
        self.tells.then(|| Alike { sample: Some(self.common()), except: &self.except })
    }
}

/// Something happens to a pod; tells which.
fn happens(scene: &mut Scene, crowd: &mut Crowd, what: u8, which: usize, milli: i64) -> PodId {
    let (pod, now) = (scene.pods[which % scene.pods.len()], scene.bench.now);
    let store = &mut scene.bench.store;
    match what {
        0 => store.set_pod_ready(pod, false, now),
        1 if store.pod(pod).is_some_and(|p| p.phase == PodPhase::Running) => {
            store.set_pod_ready(pod, true, now);
        }
        2 => _ = store.mark_pod_deleted(pod, now),
        3 => _ = store.remove_pod(pod),
        4 if store.pod(pod).is_some() => store.set_pod_phase(pod, PodPhase::Failed),
        5 => scene.pods.push(scene.bench.pod(scene.set)),
        6 => scene.pods.push(scene.bench.ready_pod(scene.set, scene.node)),
        7 => {
            crowd.except.insert(pod);
            crowd.own.milli.insert(pod, milli);
        }
        8 => {
            crowd.except.insert(pod);
            crowd.own.milli.remove(&pod);
        }
        _ => _ = crowd.except.remove(&pod),
    }
    if (5..7).contains(&what) { scene.pods[scene.pods.len() - 1] } else { pod }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn counting_together_decides_as_one_by_one(
        steps in proptest::collection::vec(
            (0u8..10, 0usize..20, 0i64..1500, 1u64..200, any::<bool>()),
            1..40,
        )
    ) {
        let mut scene = Scene::new(4, hpa(1, 20));
        let mut plain = PodAutoscaler::new(&ControllerManagerFlags::default());
        let mut crowd =
            Crowd { all: 500, except: Default::default(), own: Values::default(), tells: true };
        for (what, which, milli, seconds, syncs) in steps {
            scene.bench.now += secs(seconds);
            let pod = happens(&mut scene, &mut crowd, what, which, milli);
            scene.controller.pod_changed(scene.id, pod);
            if !syncs {
                continue;
            }
            let now = scene.bench.now;
            (crowd.all, crowd.own.timestamp) = (milli, now);
            let store = &scene.bench.store;
            crowd.tells = true;
            let together = scene.controller.sync(scene.id, store, &crowd, now);
            crowd.tells = false;
            let one_by_one = plain.sync(scene.id, store, &crowd, now);
            let due = scene.controller.ended(scene.id, now);
            prop_assert_eq!(due, plain.ended(scene.id, now));
            prop_assert_eq!(format!("{together:?}"), format!("{one_by_one:?}"));
            scene.bench.apply(&together);
        }
    }
}

#[test]
fn two_that_want_the_same_pods_do_nothing() {
    let mut scene = Scene::new(4, hpa(1, 100));
    scene.all_use(1000);
    let second = Hpa {
        name: "again".into(),
        target: ScaleTarget::Deployment(scene.deployment),
        ..hpa(1, 100)
    };
    scene.bench.store.create_hpa(second);
    assert_eq!(scene.sync(), 4, "it would have asked for eight");
    let conditions = scene.controller.take_conditions(scene.id).unwrap();
    let active = conditions.iter().find(|c| c.kind == "ScalingActive").unwrap();
    assert_eq!(active.reason, "AmbiguousSelector");
    let message = &*active.message;
    let (start, end) = (
        "pods by selector ",
        " are controlled by more than one HPA (e.g. [default/again default/web])",
    );
    assert!(message.starts_with(start) && message.ends_with(end), "{message}");
}
