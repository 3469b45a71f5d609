//! What the engine does with requests, in small cases that can be counted by hand, and what does
//! not change when something else does.

use super::arrivals::{POISSON, Process};
use super::draws::Law;
use super::*;
use crate::record::latency::LatencyHistogram;
use crate::sim::rng::Streams;
use crate::units::{SimDuration, SimTime};

const S: fn(u64) -> SimTime = SimTime::from_secs;

fn ms(millis: u64) -> SimTime {
    SimTime(millis * 1_000_000)
}

/// One server whose requests take a second each.
fn second() -> StationPlan {
    StationPlan::servers(1, SimDuration::from_secs(1), Law::Constant)
}

/// `pods` live pods of one station behind one Service; requests come by `process`.
fn engine(station: StationPlan, pods: u64, process: Process) -> Engine {
    let plan = Plan {
        stations: vec![station],
        services: vec![ServicePlan { primary: Some(0) }],
        entries: vec![EntryPlan::Open { to: 0, process }],
    };
    let mut engine = Engine::new(&plan, &Streams::new(1));
    for order in 0..pods {
        let pod = engine.add_pod(0);
        engine.set_alive(SimTime::ZERO, pod, true);
        engine.route(0, (order, pod), true);
    }
    engine
}

/// A request every so many milliseconds; the first comes within that.
fn regular(station: StationPlan, millis: u64) -> Engine {
    let mut engine = engine(station, 1, Process::Renewal(Law::Constant));
    engine.set_rate(SimTime::ZERO, 0, 1000.0 / millis as f64);
    engine
}

fn count(engine: &mut Engine) -> (StationCount, LatencyHistogram) {
    let mut latency = LatencyHistogram::default();
    let count = engine.take_station(0, &mut latency);
    assert_eq!(engine.broken_law(), None);
    (count, latency)
}

#[test]
fn what_becomes_of_requests() {
    let two = StationPlan { concurrency: 2, ..second() };
    let waits = StationPlan {
        demand: SimDuration::ZERO,
        wait: SimDuration::from_secs(1),
        concurrency: 3,
        ..second()
    };
    let rows = [
        // Sentence, station, gap in ms, seconds, (offered, served, failed).
        ("one at a time, each alone", second(), 2000, 20, (10, 10, 0)),
        ("twice as many as it can serve, and all wait", second(), 500, 20, (40, 19, 0)),
        ("nobody may wait", StationPlan { queue: 0, ..second() }, 400, 20, (50, 16, 33)),
        ("they share a core: as slow as one after the other", two, 500, 20, (40, 19, 0)),
        ("what needs no CPU does not share", waits, 500, 20, (40, 38, 0)),
    ];
    for (sentence, station, gap, seconds, expected) in rows {
        let mut engine = regular(station, gap);
        engine.run(S(seconds));
        let (count, _) = count(&mut engine);
        let near = |found: u64, wanted: u64| found.abs_diff(wanted) <= 1;
        assert!(near(count.offered, expected.0), "{sentence}: {count:?}");
        assert!(near(count.served, expected.1), "{sentence}: {count:?}");
        assert!(near(count.failed, expected.2), "{sentence}: {count:?}");
        let left = count.offered - count.served - count.failed;
        assert_eq!(left, u64::from(engine.load(0)), "{sentence}: none is lost");
    }
}

#[test]
fn callers_give_up_and_what_is_in_work_goes_on_for_nobody() {
    // Requests of two seconds, one each second, patience of 2.5 s: who waits more than half a second
    // gets no answer in time. Each second one has its place or leaves the queue.
    let station = StationPlan {
        demand: SimDuration::from_secs(2),
        timeout: Some(SimDuration::from_millis(2500)),
        ..second()
    };
    let mut engine = regular(station, 1000);
    engine.run(S(100));
    let (count, latency) = count(&mut engine);
    assert!(count.failed > 45, "{count:?}");
    assert!(latency.mean().unwrap_or(0.0) <= 2.5);
    let worked = count.cpu / 2.0;
    assert!(worked > count.served as f64 + 20.0, "much is worked for nobody: {count:?}");
}

#[test]
fn a_pod_that_dies_takes_its_requests_with_it() {
    for station in [
        second(),
        StationPlan { concurrency: 4, ..second() },
        StationPlan { wait: SimDuration::from_secs(3), concurrency: 4, cores: 4.0, ..second() },
    ] {
        let mut engine = regular(station, 100);
        engine.run(ms(1950));
        let inside = u64::from(engine.load(0));
        let (before, _) = count(&mut engine);
        assert!(inside > 4 && before.failed == 0);
        engine.set_alive(ms(1950), 0, false);
        let (dead, _) = count(&mut engine);
        assert_eq!((dead.failed, engine.load(0)), (inside, 0));
        engine.run(S(3));
        let (stale, _) = count(&mut engine);
        assert_eq!(stale.failed, stale.offered, "who is still sent there finds nobody");
        engine.set_alive(S(3), 0, true);
        engine.run(S(30));
        assert!(count(&mut engine).0.served > 0);
    }
}

#[test]
fn a_pod_that_is_gone_is_forgotten_when_nobody_routes_to_it() {
    let mut engine = regular(second(), 500);
    engine.run(S(10));
    engine.remove_pod(S(10), 0);
    assert_eq!(engine.add_pod(0), 1, "it is still routed to");
    engine.run(S(11));
    engine.route(0, (0, 0), false);
    assert_eq!(engine.add_pod(0), 0, "its place is used again");
    engine.run(S(12));
    let (count, _) = count(&mut engine);
    assert_eq!(count.offered, count.served + count.failed);
    assert!((count.cpu - 9.5).abs() <= 0.5, "what it used counts: {count:?}");
    assert_eq!(engine.take_entry(0).failed, count.failed, "without a pod requests fail");
}

#[test]
fn requests_keep_their_times_and_their_work_whatever_the_policy() {
    // Nobody ever waits, so a latency is a request's work; sums tell whether all are the same.
    let total = |pods, queue| {
        let station = StationPlan::servers(1000, SimDuration::from_millis(50), Law::Exponential);
        let mut engine = engine(StationPlan { queue, ..station }, pods, POISSON);
        engine.set_rate(SimTime::ZERO, 0, 100.0);
        engine.run(S(50));
        engine.set_rate(S(50), 0, 0.0);
        engine.run(S(60));
        let (count, latency) = count(&mut engine);
        (count.served, latency.quantiles(), (count.cpu * 1e6).round())
    };
    let one = total(1, 0);
    assert!(one.0 > 4000);
    for (pods, queue) in [(2, 0), (3, 10), (20, u32::MAX)] {
        assert_eq!(total(pods, queue), one, "{pods} pods");
    }
}

#[test]
fn it_does_not_matter_how_often_it_is_looked_at() {
    let run = |step: u64| {
        let station = StationPlan { concurrency: 16, cores: 2.0, ..second() };
        let plan = StationPlan { demand: SimDuration::from_millis(20), ..station };
        let mut engine = engine(StationPlan { law: Law::of_scv(4.0), ..plan }, 3, POISSON);
        engine.set_rate(SimTime::ZERO, 0, 250.0);
        let mut at = 0;
        while at < 20_000 {
            at += step;
            engine.run(ms(at.min(20_000)));
        }
        let (count, latency) = count(&mut engine);
        (count.offered, count.served, latency.quantiles(), engine.handled())
    };
    assert_eq!(run(20_000), run(1));
    assert_eq!(run(20_000), run(777));
}

#[test]
fn load_spreads_evenly_over_pods() {
    let station = StationPlan::servers(10, SimDuration::from_millis(10), Law::Exponential);
    let mut engine = engine(station, 5, POISSON);
    engine.set_rate(SimTime::ZERO, 0, 1000.0);
    engine.run(S(100));
    for pod in 0..5 {
        let served = engine.served_by(pod) as f64;
        assert!((served / 20_000.0 - 1.0).abs() < 0.03, "pod {pod}: {served}");
    }
}

#[test]
fn users_come_and_go() {
    let plan = Plan {
        stations: vec![StationPlan::servers(100, SimDuration::from_secs(1), Law::Constant)],
        services: vec![ServicePlan { primary: Some(0) }],
        entries: vec![EntryPlan::Closed {
            to: 0,
            think: SimDuration::from_secs(3),
            law: Law::Constant,
        }],
    };
    let mut engine = Engine::new(&plan, &Streams::new(1));
    let pod = engine.add_pod(0);
    engine.set_alive(S(0), pod, true);
    engine.route(0, (0, pod), true);
    let rows = [
        ("ten of them, one request each 4 s", 0, 10, 40, 100),
        ("twenty", 40, 20, 40, 200),
        ("five: the others finish what they do", 80, 5, 40, 50),
        ("none", 120, 0, 40, 0),
    ];
    for (sentence, at, users, seconds, requests) in rows {
        engine.set_users(S(at), 0, users);
        engine.run(S(at + seconds));
        let count = engine.take_entry(0);
        let gap = count.served as i64 - requests;
        assert!((-10..=15).contains(&gap), "{sentence}: {} served", count.served);
        assert_eq!(count.failed, 0);
    }
    assert_eq!(engine.next(), SimTime::NEVER, "all are gone");
}

#[test]
fn what_the_world_has_to_know_stops_a_run() {
    let mut engine = regular(StationPlan { full_at: Some(5), ..second() }, 200);
    let at = engine.run(S(100));
    assert_eq!(engine.take_signals(), [Signal::Full(0)]);
    assert!(at < S(2) && engine.load(0) == 5, "{at:?}: {}", engine.load(0));
    let mut engine = regular(second(), 200);
    engine.mark_waits(0, vec![3.5]);
    let at = engine.run(S(100));
    assert_eq!(engine.take_signals(), [Signal::Wait(0)]);
    assert!(engine.answer_time(0) > 3.5 && at < S(2), "{at:?}");
    engine.set_rate(at, 0, 0.0);
    engine.run(S(100));
    assert_eq!(engine.take_signals(), [Signal::Wait(0)], "and when it has fallen below again");
}
