//! What the engine does with requests, in small cases that can be counted by hand, and what does
//! not change when something else does.

use super::arrivals::{POISSON, Process};
use super::draws::Law;
use super::*;
use crate::record::latency::LatencyHistogram;
use crate::sim::rng::Streams;
use crate::sim::sample::Distribution;
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
        services: vec![ServicePlan { primary: Some(0), ..ServicePlan::default() }],
        entries: vec![EntryPlan::Open { to: 0, process, clients: None, addresses: None }],
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
        StationPlan {
            wait: SimDuration::from_secs(3),
            concurrency: 4,
            size: Size { cores: 4.0, full_at: None },
            ..second()
        },
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
        let station =
            StationPlan { concurrency: 16, size: Size { cores: 2.0, full_at: None }, ..second() };
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
fn a_pod_gets_more_or_less_cpu_while_it_works() {
    // Two requests a second, each of a second of CPU: two cores are just enough.
    let run = |sizes: &[(u64, f64)]| {
        let size = Size { cores: 2.0, full_at: None };
        let station = StationPlan { concurrency: 8, queue: 0, size, varies: true, ..second() };
        let mut engine = regular(station, 500);
        for (at, cores) in sizes {
            engine.run(ms(*at));
            engine.refit(ms(*at), 0, Size { cores: *cores, full_at: None });
            assert_eq!(engine.broken_law(), None);
        }
        engine.run(S(1000));
        let (count, latency) = count(&mut engine);
        (count.served, latency.quantiles())
    };
    let plain = run(&[]);
    assert!(plain.0 > 1990, "{}", plain.0);
    let same: Vec<(u64, f64)> = (1..900).map(|n| (n * 1037, 2.0)).collect();
    assert_eq!(run(&same), plain, "what is the same changes nothing, whenever it comes");
    // For 500 s it has half a core, and then two again.
    let (served, _) = run(&[(250_200, 0.5), (750_300, 2.0)]);
    assert!((1230..=1270).contains(&served), "{served}: 1000 in 500 s, and 250 in the others");
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
fn who_gets_the_next_request() {
    // Mean time in four pods of one server each, at three quarters of what they can bear.
    let time = |pick| {
        let plan = Plan {
            stations: vec![StationPlan::servers(1, SimDuration::from_millis(10), Law::Exponential)],
            services: vec![ServicePlan { primary: Some(0), pick }],
            entries: vec![EntryPlan::Open {
                to: 0,
                process: POISSON,
                clients: None,
                addresses: None,
            }],
        };
        let mut engine = Engine::new(&plan, &Streams::new(1));
        for order in 0..4 {
            let pod = engine.add_pod(0);
            engine.set_alive(SimTime::ZERO, pod, true);
            engine.route(0, (order, pod), true);
        }
        engine.set_rate(SimTime::ZERO, 0, 300.0);
        engine.run(S(300));
        count(&mut engine).1.mean().unwrap_or(0.0) * 1e3
    };
    let random = time(Pick::Random);
    assert!((random - 40.0).abs() < 2.0, "each pod is M/M/1: {random}");
    let in_turn = time(Pick::RoundRobin);
    assert!((20.0..30.0).contains(&in_turn), "arrivals at a pod are more regular: {in_turn}");
    let least = time(Pick::LeastRequest);
    assert!((18.0..24.0).contains(&least), "two choices: {least}");
}

#[test]
fn pods_refuse_and_warm_up() {
    let rows = [
        ("two in it at most", StationPlan { shed_at: Some(2), ..second() }, 2),
        (
            "who would wait longer than two seconds",
            StationPlan { shed_wait: Some(SimDuration::from_secs(2)), ..second() },
            3,
        ),
    ];
    for (sentence, station, most) in rows {
        let mut engine = regular(station, 100);
        engine.run(ms(1900));
        assert_eq!(engine.load(0), most, "{sentence}");
        assert!(count(&mut engine).0.failed > 10, "{sentence}");
    }
    let warm_up = Some((SimDuration::from_secs(100), 3.0));
    let mut engine = regular(StationPlan { warm_up, ..second() }, 10_000);
    let mut used = [0.0; 3];
    for (part, used) in used.iter_mut().enumerate() {
        engine.run(S(100 * (part as u64 + 1)));
        *used = count(&mut engine).0.cpu;
    }
    assert!((used[0] - 20.0).abs() < 2.0, "twice as much on average while it is cold: {used:?}");
    assert!((used[2] - 10.0).abs() < 1.5, "then what it takes: {used:?}");
}

#[test]
fn users_come_and_go() {
    let plan = Plan {
        stations: vec![StationPlan::servers(100, SimDuration::from_secs(1), Law::Constant)],
        services: vec![ServicePlan { primary: Some(0), ..ServicePlan::default() }],
        entries: vec![EntryPlan::Closed {
            to: 0,
            think: Distribution::Constant(3.0),
            clients: None,
            addresses: None,
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
    let mut engine =
        regular(StationPlan { size: Size { cores: 1.0, full_at: Some(5) }, ..second() }, 200);
    let at = engine.run(S(100));
    assert_eq!(engine.take_signals(), [Signal::Full(0)]);
    assert!(at < S(2) && engine.load(0) == 5, "{at:?}: {}", engine.load(0));
    let mut engine = regular(second(), 200);
    engine.mark_waits(0, &[3.5]);
    let at = engine.run(S(100));
    assert_eq!(engine.take_signals(), [Signal::Wait(0)]);
    assert!(engine.answer_time(0) > 3.5 && at < S(2), "{at:?}");
    engine.set_rate(at, 0, 0.0);
    engine.run(S(100));
    assert_eq!(engine.take_signals(), [Signal::Wait(0)], "and when it has fallen below again");
}

/// `front` calls `back` by `calls`; a hundred servers each, unless `back` is given.
fn chain(steps: Vec<Vec<CallPlan>>, stops: bool, back: StationPlan) -> Engine {
    let front = StationPlan::servers(100, SimDuration::from_millis(10), Law::Constant);
    let plan = Plan {
        stations: vec![StationPlan { steps, stops, ..front }, back.clone(), back],
        services: (0..3)
            .map(|n| ServicePlan { primary: Some(n), ..ServicePlan::default() })
            .collect(),
        entries: vec![EntryPlan::Open { to: 0, process: POISSON, clients: None, addresses: None }],
    };
    let mut engine = Engine::new(&plan, &Streams::new(1));
    for station in 0..3 {
        let pod = engine.add_pod(station);
        engine.set_alive(SimTime::ZERO, pod, true);
        engine.route(station as usize, (0, pod), true);
    }
    engine.set_rate(SimTime::ZERO, 0, 20.0);
    engine
}

#[test]
fn what_a_request_asks_of_others() {
    let to = CallPlan::plain;
    let dead = CallPlan { to: 2, ..to(2) };
    let retries = Retries {
        attempts: 2,
        base: SimDuration::from_millis(100),
        max: SimDuration::from_secs(1),
        jitter: false,
        budget: None,
    };
    // The second Service's pods answer in 50 ms, the third's are dead. Sentence, calls, whether the
    // first that fails is the last; requests at the second and the third for each one from outside,
    // the share that is answered, and how long that takes, milliseconds.
    let rows = [
        ("one after the other", vec![vec![to(1)], vec![to(1)]], true, [2.0, 0.0], 1.0, 110.0),
        ("side by side", vec![vec![to(1), to(1)]], true, [2.0, 0.0], 1.0, 60.0),
        (
            "three times two at once",
            vec![vec![CallPlan { times: 3.0, fan_out: 2, ..to(1) }]],
            true,
            [6.0, 0.0],
            1.0,
            160.0,
        ),
        ("now and then", vec![vec![CallPlan { times: 1.5, ..to(1) }]], true, [1.5, 0.0], 1.0, 85.0),
        (
            "with a chance",
            vec![vec![CallPlan { probability: 0.25, ..to(1) }]],
            true,
            [0.25, 0.0],
            1.0,
            22.5,
        ),
        ("a cache", vec![vec![CallPlan { hit_ratio: 0.8, ..to(1) }]], true, [0.2, 0.0], 1.0, 20.0),
        ("a failure ends it", vec![vec![dead], vec![to(1)]], true, [0.0, 1.0], 0.0, 0.0),
        ("or does not", vec![vec![dead], vec![to(1)]], false, [1.0, 1.0], 0.0, 0.0),
        (
            "or does not matter",
            vec![vec![CallPlan { optional: true, ..dead }], vec![to(1)]],
            true,
            [1.0, 1.0],
            1.0,
            60.0,
        ),
        (
            "two more tries, after 100 ms and after 200 ms",
            vec![vec![CallPlan { retries: Some(retries), optional: true, ..dead }]],
            true,
            [0.0, 3.0],
            1.0,
            310.0,
        ),
        (
            "half as many retries as first tries, and those that were saved up",
            vec![vec![CallPlan {
                retries: Some(Retries { budget: Some(0.5), ..retries }),
                ..dead
            }]],
            true,
            [0.0, 1.5],
            0.0,
            0.0,
        ),
        (
            "an answer that is late is none, and the pod works on it all the same",
            vec![vec![CallPlan {
                timeout: Some(SimDuration::from_millis(20)),
                retries: Some(retries),
                ..to(1)
            }]],
            true,
            [3.0, 0.0],
            0.0,
            0.0,
        ),
        (
            "a breaker that opens after five failures for a second asks once a second",
            vec![vec![CallPlan { circuit_breaker: Some((5, SimDuration::from_secs(1))), ..dead }]],
            true,
            [0.0, 0.05],
            0.0,
            0.0,
        ),
    ];
    for (sentence, steps, stops, [second, third], share, millis) in rows {
        let back = StationPlan::servers(1000, SimDuration::from_millis(50), Law::Constant);
        let mut engine = chain(steps, stops, back);
        engine.set_alive(SimTime::ZERO, 2, false);
        engine.run(S(500));
        engine.set_rate(S(500), 0, 0.0);
        engine.run(S(510));
        let entry = engine.take_entry(0);
        let n = entry.offered as f64;
        assert_eq!(entry.served + entry.failed, entry.offered, "{sentence}: none is lost");
        assert_eq!(engine.broken_law(), None, "{sentence}");
        let mut latency = LatencyHistogram::default();
        for (station, wanted) in [(1, second), (2, third)] {
            let found = engine.take_station(station, &mut latency).offered as f64 / n;
            assert!((found - wanted).abs() < 0.02, "{sentence}: {found}, not {wanted}");
        }
        assert!((entry.served as f64 / n - share).abs() < 1e-9, "{sentence}: {}", entry.served);
        let mean = entry.latency.mean().unwrap_or(0.0) * 1e3;
        assert!((mean - millis).abs() < 1.5, "{sentence}: {mean} ms, not {millis} ms");
    }
}

#[test]
fn a_retry_storm_outlasts_its_trigger_unless_retries_have_a_budget() {
    // 80 requests a second; a pod can serve 100. For ten seconds there are 200.
    let failed_later = |retries: Option<Retries>| {
        let clients =
            CallPlan { timeout: Some(SimDuration::from_secs(1)), retries, ..CallPlan::plain(0) };
        let plan = Plan {
            stations: vec![StationPlan::servers(1, SimDuration::from_millis(10), Law::Exponential)],
            services: vec![ServicePlan { primary: Some(0), ..ServicePlan::default() }],
            entries: vec![EntryPlan::Open {
                to: 0,
                process: POISSON,
                clients: Some(clients),
                addresses: None,
            }],
        };
        let mut engine = Engine::new(&plan, &Streams::new(1));
        let pod = engine.add_pod(0);
        engine.set_alive(S(0), pod, true);
        engine.route(0, (0, pod), true);
        engine.set_rate(S(0), 0, 80.0);
        engine.run(S(60));
        let calm = engine.take_entry(0);
        assert!(calm.failed * 100 < calm.offered, "calm before: {} failed", calm.failed);
        engine.set_rate(S(60), 0, 200.0);
        engine.run(S(70));
        engine.set_rate(S(70), 0, 80.0);
        engine.run(S(570));
        engine.take_entry(0);
        engine.run(S(630));
        let entry = engine.take_entry(0);
        entry.failed as f64 / entry.offered as f64
    };
    let retries = Retries {
        attempts: 3,
        base: SimDuration::from_millis(50),
        max: SimDuration::from_secs(1),
        jitter: true,
        budget: None,
    };
    let storm = failed_later(Some(retries));
    assert!(storm > 0.9, "eight minutes later nearly all still fail: {storm}");
    let once = failed_later(None);
    assert!(once < 0.05, "without retries the queue is worked off: {once}");
    let thrifty = failed_later(Some(Retries { budget: Some(0.1), ..retries }));
    assert!(thrifty < 0.05, "with few it is, too: {thrifty}");
}

#[test]
fn connections_of_a_calling_pod_are_limited() {
    // Calls take 50 ms, and one is under way on average. Limits, the share that gets through, and
    // the mean time of those, milliseconds.
    let rows = [
        ("one at a time, and nobody waits: Erlang's formula", (1, 0), 0.5, 60.0),
        ("two at a time", (2, 0), 0.8, 60.0),
        ("all may wait: M/D/2", (2, 1000), 1.0, 68.7),
    ];
    for (sentence, limits, share, millis) in rows {
        let call = CallPlan { connections: Some(limits), ..CallPlan::plain(1) };
        let back = StationPlan::servers(1000, SimDuration::from_millis(50), Law::Constant);
        let mut engine = chain(vec![vec![call]], true, back);
        engine.run(S(1000));
        let entry = engine.take_entry(0);
        let found = entry.served as f64 / entry.offered as f64;
        assert!((found - share).abs() < 0.015, "{sentence}: {found}");
        let mean = entry.latency.mean().unwrap_or(0.0) * 1e3;
        assert!((mean - millis).abs() < 1.0, "{sentence}: {mean} ms");
        let mut latency = LatencyHistogram::default();
        let most = engine.take_station(1, &mut latency).in_flight / 1000.0;
        assert!(most <= f64::from(limits.0), "{sentence}: {most} at once");
    }
}

#[test]
fn a_caller_that_dies_takes_its_calls_with_it() {
    let call = CallPlan { connections: Some((2, 10)), ..CallPlan::plain(1) };
    let back = StationPlan::servers(1, SimDuration::from_millis(45), Law::Constant);
    let mut engine = chain(vec![vec![call]], true, back);
    engine.run(S(60));
    engine.set_alive(S(60), 0, false);
    let entry = engine.take_entry(0);
    assert_eq!(entry.served + entry.failed, entry.offered, "nobody waits for it any more");
    assert!(entry.failed > 0);
    engine.run(S(61));
    engine.set_alive(S(61), 0, true);
    engine.run(S(100));
    let entry = engine.take_entry(0);
    assert!(entry.served > 500, "its connections are new ones: {}", entry.served);
    assert_eq!(engine.broken_law(), None);
}

#[test]
fn a_cache_warms_up_with_its_pod() {
    let cache_warm_up = SimDuration::from_secs(100);
    let call = CallPlan { hit_ratio: 0.8, cache_warm_up, ..CallPlan::plain(1) };
    let back = StationPlan::servers(1000, SimDuration::from_millis(50), Law::Constant);
    let mut engine = chain(vec![vec![call]], true, back);
    for (sentence, until, share) in
        [("cold: 40 % on average", 100, 0.6), ("then 80 %", 200, 0.2), ("for good", 300, 0.2)]
    {
        engine.run(S(until));
        let mut latency = LatencyHistogram::default();
        let found = engine.take_station(1, &mut latency).offered as f64;
        let all = engine.take_entry(0).offered as f64;
        assert!((found / all - share).abs() < 0.04, "{sentence}: {}", found / all);
    }
}

#[test]
fn clients_stick_to_pods_that_are_routed_to() {
    let station = StationPlan::servers(100, SimDuration::from_millis(10), Law::Constant);
    let plan = Plan {
        stations: vec![station],
        services: vec![ServicePlan { primary: Some(0), ..ServicePlan::default() }],
        entries: vec![EntryPlan::Open {
            to: 0,
            process: POISSON,
            clients: None,
            addresses: Some(10),
        }],
    };
    let mut engine = Engine::new(&plan, &Streams::new(1));
    for order in 0..3 {
        let pod = engine.add_pod(0);
        engine.set_alive(S(0), pod, true);
        engine.route(0, (order, pod), true);
    }
    engine.set_affinity(0, Some(SimDuration::from_secs(600)));
    engine.set_rate(S(0), 0, 30.0);
    let mut before = [0; 3];
    let mut shares = |engine: &mut Engine, until: u64| {
        engine.run(S(until));
        let now = [0, 1, 2].map(|pod| engine.served_by(pod));
        let new = [0, 1, 2].map(|pod| (now[pod] - before[pod]) as f64);
        before = now;
        new.map(|n| n / new.iter().sum::<f64>() * 10.0)
    };
    let first = shares(&mut engine, 100);
    for share in first {
        assert!((share - share.round()).abs() < 0.35, "whole clients: {first:?}");
    }
    engine.route(0, (0, 0), false);
    let second = shares(&mut engine, 200);
    assert_eq!(second[0], 0.0, "its clients go elsewhere");
    assert!(second[1] > first[1] - 0.6 && second[2] > first[2] - 0.6, "the others stay");
    engine.route(0, (0, 0), true);
    assert_eq!(shares(&mut engine, 300)[0], 0.0, "nobody comes back");
    engine.set_affinity(0, None);
    let even = shares(&mut engine, 400);
    assert!(even.iter().all(|share| (share - 10.0 / 3.0).abs() < 0.5), "{even:?}");
}

#[test]
fn stations_get_their_weights() {
    let station = StationPlan::servers(100, SimDuration::from_millis(10), Law::Constant);
    let plan = Plan {
        stations: vec![station; 3],
        services: vec![ServicePlan {
            primary: Some(0),
            pick: Pick::Weights(vec![(0, 3.0), (1, 1.0)]),
        }],
        entries: vec![EntryPlan::Open { to: 0, process: POISSON, clients: None, addresses: None }],
    };
    let mut engine = Engine::new(&plan, &Streams::new(1));
    for (order, station) in [(0, 0), (1, 1), (2, 1), (3, 2)] {
        let pod = engine.add_pod(station);
        engine.set_alive(S(0), pod, true);
        engine.route(0, (order, pod), true);
    }
    engine.set_rate(S(0), 0, 100.0);
    engine.run(S(100));
    let mut latency = LatencyHistogram::default();
    let mut offered = |engine: &mut Engine| {
        [0, 1, 2].map(|station| engine.take_station(station, &mut latency).offered)
    };
    let [three, one, none] = offered(&mut engine);
    let share = three as f64 / (three + one) as f64;
    assert!((share - 0.75).abs() < 0.02 && none == 0, "{three}, {one} and {none}");
    engine.route(0, (0, 0), false);
    engine.run(S(200));
    let [gone, all, none] = offered(&mut engine);
    assert!(gone == 0 && all > 9_000 && none == 0, "{gone}, {all} and {none}");
    engine.route(0, (1, 1), false);
    engine.route(0, (2, 2), false);
    engine.run(S(300));
    let [blamed, ..] = offered(&mut engine);
    let entry = engine.take_entry(0);
    assert!(blamed > 9_000 && entry.failed == blamed, "who has no weight gets none");
}
