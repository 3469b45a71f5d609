//! Containers that hang, leak and come up late, and probes that find it: whole small runs.

use super::run::{RunOptions, run};
use super::tests::{Keep, scenario};
use crate::api::behavior::Behavior;
use crate::api::object::Object;
use crate::api::pod::{Pod, Probe, ProbeHandler, RestartPolicy};
use crate::check::Stride;
use crate::record::rows::{ClusterSample, PodRow};
use crate::scenario::curve::Curve;
use crate::scenario::model::{Happening, PodSelection, Scenario, TimelineEntry};
use crate::sim::sample::Distribution;
use crate::units::{Bytes, SimDuration, SimTime};
use std::sync::Arc;

const S: fn(u64) -> SimTime = SimTime::from_secs;
const D: fn(u64) -> SimDuration = SimDuration::from_secs;
const EVERY: RunOptions = RunOptions { checks: Stride::Events(1) };

fn probe(period: u64, failures: u32) -> Option<Probe> {
    Some(Probe {
        initial_delay: SimDuration::ZERO,
        period: D(period),
        timeout: D(1),
        success_threshold: 1,
        failure_threshold: failures,
        ..Probe::default()
    })
}

/// Three pods on two nodes, each of which serves a hundred requests a second.
pub(super) fn world(rate: f64, change: impl FnOnce(&mut crate::api::pod::PodSpec)) -> Scenario {
    let mut scenario = scenario(3, 2, Curve::Constant(rate));
    change(Arc::make_mut(&mut scenario.objects.deployments[0].template.spec));
    scenario
}

fn hang(at: u64, lasts: Option<u64>, count: u32) -> TimelineEntry {
    let what = Happening::ContainerHang(PodSelection { deployment: 0, count: Some(count) });
    TimelineEntry { at: S(at), until: lasts.map(|lasts| S(at + lasts)), what }
}

/// What a run tells.
pub(super) struct Told {
    /// Events of the kubelet: second, reason, message.
    pub(super) events: Vec<(f64, &'static str, String)>,
    rows: Vec<ClusterSample>,
    /// The lives of pods.
    pub(super) pods: Vec<PodRow>,
    restarts: u64,
}

impl Told {
    pub(super) fn of(scenario: &Scenario) -> Told {
        let mut keep = Keep::default();
        let run = run(scenario, 1, EVERY, &mut keep, |_| {}).unwrap();
        let rows = run.recorder.cluster.to_vec();
        let restarts = run.recorder.totals.restarts[0];
        drop(run);
        let kubelet = keep.events.into_iter().filter(|event| event.component == "kubelet");
        let events = kubelet.map(|e| (e.time.as_secs_f64(), e.reason, e.message)).collect();
        Told { events, rows, pods: keep.pods, restarts }
    }

    /// The seconds of the Events with this reason.
    pub(super) fn at(&self, reason: &str) -> Vec<f64> {
        let alike = self.events.iter().filter(|(_, other, _)| *other == reason);
        alike.map(|(at, ..)| *at).collect()
    }

    /// Requests that failed in all.
    fn failed(&self) -> f64 {
        self.rows.iter().map(|row| row.failed).sum()
    }

    /// Ready pods in the row that ends at this second.
    pub(super) fn ready(&self, at: u64) -> u32 {
        self.rows.iter().find(|row| row.time >= S(at)).map_or(0, |row| row.pods_ready)
    }
}

#[test]
fn a_hang_without_probes_stays() {
    let mut scenario = world(30.0, |_| {});
    scenario.timeline = vec![hang(600, None, 1)];
    let told = Told::of(&scenario);
    assert_eq!(told.restarts, 0);
    assert_eq!(told.ready(1799), 3, "nobody looks, so nobody knows");
    // A third of thirty requests a second, for twenty minutes.
    assert!((told.failed() - 12_000.0).abs() < 30.0, "{}", told.failed());
}

#[test]
fn readiness_takes_a_hung_pod_out_and_does_not_heal_it() {
    let mut scenario = world(30.0, |spec| spec.containers[0].readiness_probe = probe(5, 3));
    scenario.timeline = vec![hang(600, None, 1)];
    let told = Told::of(&scenario);
    assert_eq!((told.restarts, told.ready(1799)), (0, 2));
    let unhealthy = told.at("Unhealthy");
    assert!(unhealthy[0] >= 601.0 && unhealthy[0] < 606.0, "the next tick and the timeout");
    assert!((unhealthy[1] - unhealthy[0] - 5.0).abs() < 1e-6, "then each period");
    assert!(told.events.iter().any(|(_, reason, message)| *reason == "Unhealthy"
        && message
            == "Readiness probe failed: context deadline exceeded \
                       (Client.Timeout exceeded while awaiting headers)"));
    // Out after the third failure: ten to fifteen seconds and one more.
    assert!((110.0..175.0).contains(&told.failed()), "{}", told.failed());
    let heard = unhealthy.len();
    assert!((25..=30).contains(&heard), "25 at once, then one each five minutes: {heard}");
}

#[test]
fn liveness_heals_a_hung_pod() {
    let mut scenario = world(30.0, |spec| {
        spec.containers[0].readiness_probe = probe(5, 3);
        spec.containers[0].liveness_probe = probe(10, 3);
    });
    scenario.timeline = vec![hang(600, None, 1)];
    let told = Told::of(&scenario);
    assert_eq!((told.restarts, told.ready(1799)), (1, 3));
    let killing = told.at("Killing")[0];
    assert!((621.0..632.0).contains(&killing), "the third failure: {killing}");
    let message = &told.events.iter().find(|(_, reason, _)| *reason == "Killing").unwrap().2;
    assert_eq!(message, "Container web failed liveness probe, will be restarted");
    let started = told.at("Started").into_iter().find(|at| *at > killing).unwrap();
    let waited = started - killing;
    assert!((30.0..31.0).contains(&waited), "it does not hear SIGTERM: {waited}");
    assert!(told.failed() < 175.0);
}

#[test]
fn what_a_hang_comes_to() {
    type Change = fn(&mut Scenario);
    type Row = (&'static str, Change, (f64, f64), (f64, f64), u64);
    fn spec(scenario: &mut Scenario) -> &mut crate::api::pod::PodSpec {
        Arc::make_mut(&mut scenario.objects.deployments[0].template.spec)
    }
    fn liveness(scenario: &mut Scenario) -> &mut Probe {
        spec(scenario).containers[0].liveness_probe.as_mut().unwrap()
    }
    // Seconds from the hang to Killing and from there to the new start (0: never); restarts.
    let rows: [Row; 6] = [
        ("three failures, and thirty seconds of grace", |_| {}, (21.0, 31.5), (30.0, 31.0), 1),
        (
            "the probe's own grace period",
            |s| liveness(s).termination_grace = Some(D(5)),
            (21.0, 31.5),
            (5.0, 6.0),
            1,
        ),
        (
            "two failures are enough",
            |s| liveness(s).failure_threshold = 2,
            (11.0, 21.5),
            (30.0, 31.0),
            1,
        ),
        (
            "a socket is open as long as the process is there",
            |s| liveness(s).handler = ProbeHandler::TcpSocket,
            (0.0, 0.0),
            (0.0, 0.0),
            0,
        ),
        (
            "a hang that is over before the third failure is none",
            |s| s.timeline[0].until = Some(S(615)),
            (0.0, 0.0),
            (0.0, 0.0),
            0,
        ),
        (
            "a probe that waits longer than its period asks again at once",
            |s| (liveness(s).timeout, liveness(s).failure_threshold) = (D(25), 2),
            (50.0, 60.5),
            (30.0, 31.0),
            1,
        ),
    ];
    for (sentence, change, killing, waiting, restarts) in rows {
        let mut scenario = world(30.0, |spec| spec.containers[0].liveness_probe = probe(10, 3));
        scenario.timeline = vec![hang(600, None, 1)];
        change(&mut scenario);
        let told = Told::of(&scenario);
        assert_eq!(told.restarts, restarts, "{sentence}");
        let Some(at) = told.at("Killing").first().copied() else {
            assert_eq!(killing, (0.0, 0.0), "{sentence}");
            continue;
        };
        let after = at - 600.0;
        assert!(killing.0 <= after && after <= killing.1, "{sentence}: {after}");
        let started = told.at("Started").into_iter().find(|start| *start > at).unwrap() - at;
        assert!(waiting.0 <= started && started <= waiting.1, "{sentence}: {started}");
    }
}

#[test]
fn a_pod_that_answers_again_is_ready_again() {
    let mut scenario = world(30.0, |spec| spec.containers[0].readiness_probe = probe(5, 2));
    scenario.timeline = vec![hang(600, Some(120), 1)];
    let told = Told::of(&scenario);
    assert_eq!((told.ready(660), told.ready(730), told.restarts), (2, 3, 0));
}

#[test]
fn an_application_that_comes_up_too_late_is_killed_over_and_over() {
    let rows = [
        ("liveness begins at once and has no patience", None, probe(10, 3), 25.0, true),
        ("an application that is up in time lives", None, probe(10, 3), 15.0, false),
        ("a startup probe holds liveness back", probe(10, 9), probe(10, 3), 25.0, false),
        ("and has limits of its own", probe(10, 2), None, 25.0, true),
    ];
    for (sentence, startup_probe, liveness_probe, startup, killed) in rows {
        let mut scenario = world(30.0, |spec| {
            spec.containers[0].startup_probe = startup_probe;
            spec.containers[0].liveness_probe = liveness_probe;
        });
        scenario.cold_start = true;
        scenario.workloads[0].startup = Distribution::Constant(startup);
        let told = Told::of(&scenario);
        assert_eq!(told.restarts > 0, killed, "{sentence}");
        assert_eq!(told.ready(1799), if killed { 0 } else { 3 }, "{sentence}");
        if killed {
            let back_off = told.at("BackOff");
            assert!(!back_off.is_empty(), "{sentence}: CrashLoopBackOff in the end");
            let first = told.at("Killing")[0];
            assert!(back_off[0] > first + 20.0, "{sentence}: the first restarts don't wait");
        }
    }
}

/// A pod that nobody controls, beside the Deployment.
pub(super) fn alone(behavior: Behavior, restart_policy: RestartPolicy) -> Scenario {
    let mut scenario = world(30.0, |_| {});
    let mut spec = (*scenario.objects.deployments[0].template.spec).clone();
    spec.containers[0].liveness_probe = probe(10, 3);
    spec.containers[0].memory_limit = Some(Bytes::mebi(256));
    spec.behavior = Some(Box::new(behavior));
    spec.restart_policy = restart_policy;
    let labels = Default::default();
    let pod = Pod::pending("default".into(), "alone".into(), labels, Arc::new(spec), S(0));
    scenario.objects.applied.push(Object::Pod(Box::new(pod)));
    scenario
}

#[test]
fn a_condemned_container_that_is_never_restarted_ends_its_pod() {
    let behavior = Behavior { hang: Some(D(100)), ..Behavior::default() };
    let told = Told::of(&alone(behavior, RestartPolicy::Never));
    let killed: Vec<_> = told.events.iter().filter(|(_, reason, _)| *reason == "Killing").collect();
    assert_eq!(killed.len(), 1);
    assert_eq!(killed[0].2, "Container web failed liveness probe");
}

#[test]
fn overload_reaches_the_probes_only_where_they_queue() {
    let rows = [
        ("probes that are answered apart don't notice", false, 1, 400.0, 0, false),
        ("a pod whose queue is full fails its probes", true, 1, 400.0, 1, false),
        ("one that has time to spare does not", true, 1, 200.0, 0, false),
        ("nor does a patient one", true, 5, 400.0, 0, false),
        ("liveness restarts what is only busy", true, 1, 400.0, 1, true),
    ];
    for (sentence, queues, timeout, rate, fails, liveness) in rows {
        let mut scenario = world(rate, |spec| {
            let given = probe(5, 2).map(|probe| Probe { timeout: D(timeout), ..probe });
            let container = &mut spec.containers[0];
            container.readiness_probe = given;
            container.liveness_probe = given.filter(|_| liveness);
        });
        scenario.workloads[0].failings.probes_queue = queues;
        let told = Told::of(&scenario);
        let unready = told.rows.iter().any(|row| row.pods_ready < 3);
        assert_eq!(unready, fails > 0, "{sentence}");
        assert_eq!(told.restarts > 0, liveness, "{sentence}");
    }
}

#[test]
fn containers_fail_of_themselves_as_told() {
    type Change = fn(&mut Scenario);
    let rows: [(&str, Change, (u64, u64), &str); 4] = [
        (
            "each container crashes ten minutes after its start",
            |s| s.workloads[0].failings.crash_after = Some(Distribution::Constant(600.0)),
            (6, 6),
            "",
        ),
        (
            "each container hangs so, and liveness ends it half a minute and its grace later",
            |s| s.workloads[0].failings.hang_after = Some(Distribution::Constant(600.0)),
            (6, 6),
            "Killing",
        ),
        (
            "156 MiB of room at 26 MiB a minute are six minutes; the first lives are cut",
            |s| s.workloads[0].failings.memory_growth = Bytes::mebi(26),
            (12, 17),
            "OOMKilling",
        ),
        ("by default nothing does", |_| {}, (0, 0), ""),
    ];
    for (sentence, change, restarts, reason) in rows {
        let mut scenario = world(30.0, |spec| {
            spec.containers[0].liveness_probe = probe(10, 3);
            spec.containers[0].memory_limit = Some(Bytes::mebi(256));
        });
        change(&mut scenario);
        let told = Told::of(&scenario);
        let found = told.restarts;
        assert!(restarts.0 <= found && found <= restarts.1, "{sentence}: {found}");
        let said = told.at(reason).len() as u64;
        assert_eq!(said, if reason.is_empty() { 0 } else { found }, "{sentence}");
    }
}

#[test]
fn annotations_make_pods_of_any_kind_hang_and_leak() {
    let rows = [
        ("it hangs", Behavior { hang: Some(D(100)), ..Behavior::default() }, "Killing"),
        (
            "it leaks",
            Behavior {
                memory: Bytes::mebi(56),
                memory_growth: Bytes::mebi(100),
                ..Behavior::default()
            },
            "OOMKilling",
        ),
    ];
    for (sentence, behavior, reason) in rows {
        let told = Told::of(&alone(behavior, RestartPolicy::Always));
        let first = told.at(reason)[0];
        assert!((115.0..135.0).contains(&first), "{sentence}: {first}");
    }
}
