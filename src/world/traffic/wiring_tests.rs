//! Calls and clients held against going through it step by step, and against conservation.

use super::network::Network;
use super::station::{self, PodModel};
use super::warmth::Cold;
use super::wiring::Calls;
use crate::api::PodId;
use crate::scenario::graph::model::{
    Cache, Call, CircuitBreaker, Connections, Patience, Retries, Step, WarmUp,
};
use crate::sim::rng::Streams;
use crate::units::{SimDuration, SimTime};
use slotmap::SlotMap;

const S: fn(u64) -> SimTime = SimTime::from_secs;

/// Pods of 100 requests a second, whose callers wait a second.
fn pod() -> PodModel {
    PodModel { wait_max: 0.99, bounds: (1.0, f64::INFINITY), ..station::tests::pod() }
}

fn retries(attempts: u32, budget: Option<f64>) -> Retries {
    let base = SimDuration::from_millis(25);
    Retries { attempts, base, max: base * 10, jitter: true, budget }
}

fn patience(timeout_ms: u64, attempts: u32, budget: Option<f64>) -> Patience {
    let timeout = Some(SimDuration::from_millis(timeout_ms)).filter(|t| *t > SimDuration::ZERO);
    Patience { timeout, retries: (attempts > 0).then(|| retries(attempts, budget)) }
}

/// Services that are stations too, with so many pods each, and one entry to the first of them.
struct Play {
    network: Network,
    now: SimTime,
    pods: Vec<Vec<PodId>>,
}

impl Play {
    fn new(stations: &[(PodModel, u32, Vec<Vec<Call>>)], patience: Patience) -> Play {
        Play::with(stations, patience, stations.iter().map(|_| Cold::default()).collect())
    }

    fn with(
        stations: &[(PodModel, u32, Vec<Vec<Call>>)],
        patience: Patience,
        cold: Vec<Cold>,
    ) -> Play {
        let models = stations.iter().map(|(model, ..)| *model).collect();
        let calls = |steps: &Vec<Vec<Call>>| Calls {
            steps: steps.iter().map(|calls| Step { calls: calls.clone() }).collect(),
            stops: true,
        };
        let plain = |(_, _, steps): &(PodModel, u32, Vec<Vec<Call>>)| {
            steps.iter().flatten().map(|call| (call.service, call.times)).collect()
        };
        let services = (0..stations.len()).map(Some).collect();
        let mut network = Network::new(models, services, stations.iter().map(plain).collect());
        network.wire(stations.iter().map(|(_, _, s)| calls(s)).collect(), vec![patience]);
        network.set_cold(cold);
        let (mut ids, mut pods) = (SlotMap::with_key(), Vec::new());
        for (station, (_, count, _)) in stations.iter().enumerate() {
            let mut of = Vec::new();
            for _ in 0..*count {
                let id: PodId = ids.insert(());
                network.add_pod(id, station);
                network.set_alive(S(0), id, true);
                network.route(S(0), station, id, true);
                of.push(id);
            }
            pods.push(of);
        }
        Play { network, now: S(0), pods }
    }

    /// So many requests a second for so many seconds: of those that came from outside the share
    /// that was served in the last of them.
    fn run(&mut self, rate: f64, seconds: u64) -> f64 {
        let end = S(self.now.0 / S(1).0 + seconds);
        self.ask(rate);
        self.until(SimTime(end.0 - S(1).0));
        self.network.take_entries(self.now);
        self.until(end);
        let tally = self.network.take_entries(end);
        assert!((tally.offered - tally.served - tally.failed).abs() < 1e-6 * tally.offered);
        if tally.offered > 0.0 { tally.served / tally.offered } else { 1.0 }
    }

    fn ask(&mut self, rate: f64) {
        self.network.set_external(self.now, 0, rate);
        self.network.set_asker(self.now, 0, Some(0), rate);
        self.network.settle(self.now);
    }

    fn until(&mut self, end: SimTime) {
        let mut changes = 0;
        while self.network.next_change() <= end {
            self.now = self.network.next_change();
            self.network.settle(self.now);
            changes += 1;
            assert!(changes < 10_000, "it never comes to rest");
        }
        self.now = end;
        self.network.settle(end);
    }

    fn offered(&self, station: usize) -> f64 {
        self.network.stations[station].rates().offered
    }
}

fn call(service: usize) -> Call {
    Call::plain(service, 1.0)
}

#[test]
fn cold_pods_begin_a_storm_that_outlasts_the_cold() {
    // Four pods bear 400 a second, and a third of it while they are cold; 250 come.
    let process = Some(WarmUp { lasts: SimDuration::from_secs(60), slower: 3.0 });
    let served = |patience: Patience| {
        let cold = vec![Cold { process, ..Cold::default() }];
        let mut play = Play::with(&[(pod(), 4, vec![])], patience, cold);
        [play.run(250.0, 30), play.run(250.0, 270), play.run(60.0, 30), play.run(250.0, 30)]
    };
    let storm = served(patience(500, 3, None));
    assert!(storm[0] < 0.2 && storm[1] < 0.2, "warm for minutes, and still late: {storm:?}");
    assert!(storm[2] > 0.99 && storm[3] > 0.99, "until fewer ask for a while: {storm:?}");
    let patient = served(patience(500, 3, Some(0.2)));
    assert!(patient[0] < 0.8 && patient[1] > 0.99, "a budget lets it end: {patient:?}");
}

#[test]
fn caches_that_are_cold_send_on_what_warm_ones_answer() {
    let warm_up = SimDuration::from_secs(100);
    let cache = Cache { hit_ratio: 0.8, warm_up };
    let steps = vec![vec![Call { cache, ..call(1) }]];
    let caches = vec![warm_up];
    let cold = vec![Cold { caches, ..Cold::default() }, Cold::default()];
    let mut play = Play::with(&[(pod(), 2, steps), (pod(), 1, vec![])], Patience::default(), cold);
    // Of 50 a second, those that the caches miss; after steps of five seconds.
    for (sentence, at, misses) in
        [("cold", 0, 1.0 - 0.8 * 0.025), ("half warm", 50, 0.58), ("warm", 100, 0.2)]
    {
        play.ask(50.0);
        play.until(S(at));
        let served = play.network.stations[0].rates().served;
        let gap = play.offered(1) / (served * misses) - 1.0;
        assert!(gap.abs() < 1e-9, "{sentence}: {}", play.offered(1));
    }
    let pod = play.pods[0][0];
    for alive in [false, true] {
        play.network.set_alive(play.now, pod, alive);
        play.until(play.now);
    }
    let served = play.network.stations[0].rates().served;
    let misses = (1.0 - 0.8 * 0.025 + 0.2) / 2.0;
    let gap = play.offered(1) / (served * misses) - 1.0;
    assert!(gap.abs() < 1e-9, "one of two is cold again: {}", play.offered(1));
}

#[test]
fn a_storm_outlasts_its_trigger() {
    // Four pods bear 400 a second; 250 come, and each is tried up to four times within 300 ms.
    let rows = [
        ("retries keep up what a short crowd began", patience(300, 3, None), 250.0, false),
        ("a budget of 20% lets it end", patience(300, 3, Some(0.2)), 250.0, true),
        ("one retry does not: 500 are more than 400", patience(300, 1, None), 250.0, false),
        ("at less than a quarter of what pods bear it ends", patience(300, 3, None), 95.0, true),
        ("without a timeout nothing is done in vain", patience(0, 3, None), 250.0, true),
        ("without retries it ends as well", patience(300, 0, None), 250.0, true),
    ];
    for (sentence, patience, rate, ends) in rows {
        let mut play = Play::new(&[(pod(), 4, vec![])], patience);
        assert!(play.run(250.0, 600) > 0.999, "{sentence}: at first all is well");
        let crowd = play.run(700.0, 20);
        assert!(crowd < 0.7, "{sentence}: then it is too much, {crowd}");
        let after = play.run(rate, 3600);
        assert_eq!(after > 0.99, ends, "{sentence}: {after}");
        if !ends {
            let tries = 1.0 + f64::from(patience.retries.unwrap().attempts);
            assert!((play.offered(0) / (rate * tries) - 1.0).abs() < 1e-6, "{sentence}");
            assert!(play.run(90.0, 60) > 0.99, "{sentence}: few enough requests end it");
            assert!(play.run(250.0, 60) > 0.999, "{sentence}: and it does not come back");
        }
    }
}

#[test]
fn a_pod_that_sheds_is_not_taken_down() {
    let mut play = Play::new(
        &[(PodModel { wait_max: 0.1, refuses: true, ..pod() }, 4, vec![])],
        patience(300, 3, None),
    );
    play.run(250.0, 600);
    let crowd = play.run(700.0, 20);
    assert!((crowd - 400.0 / 700.0).abs() < 0.01, "it serves what it can: {crowd}");
    assert!(play.run(250.0, 60) > 0.99);
}

#[test]
fn load_with_retries_is_that_of_trying_one_by_one() {
    for (rate, attempts) in [(500.0, 1), (500.0, 3), (1000.0, 2), (450.0, 5)] {
        let mut play = Play::new(&[(pod(), 4, vec![])], patience(0, attempts, None));
        let served = play.run(rate, 600);
        // A full station fails what is beyond 400 a second, of all tries alike.
        let (mut load, mut failure) = (rate, 0.0);
        for _ in 0..100_000 {
            failure = 1.0 - 400.0 / load;
            load = (0..=attempts).map(|n| rate * libm::pow(failure, f64::from(n))).sum();
        }
        assert!((play.offered(0) / load - 1.0).abs() < 1e-6, "{} not {load}", play.offered(0));
        let success = 1.0 - libm::pow(failure, f64::from(attempts) + 1.0);
        assert!((served - success).abs() < 1e-6, "{served} not {success}");
        assert!((served * rate - 400.0).abs() < 1e-3, "all of its work is of use: {served}");
    }
}

#[test]
fn what_fails_behind_an_optional_call_fails_nobody() {
    let of = |change: fn(&mut Call)| {
        let mut made = call(1);
        change(&mut made);
        let mut play = Play::new(
            &[(pod(), 4, vec![vec![made], vec![call(2)]]), (pod(), 0, vec![]), (pod(), 4, vec![])],
            patience(0, 0, None),
        );
        let served = play.run(100.0, 60);
        (served, play.offered(1), play.offered(2))
    };
    type Row = (&'static str, fn(&mut Call), f64, f64, f64);
    let rows: [Row; 6] = [
        ("a callee that is away fails all, and nothing further is called", |_| {}, 0.0, 100.0, 0.0),
        ("unless it is optional", |c| c.optional = true, 1.0, 100.0, 100.0),
        ("or seldom asked", |c| c.probability = 0.3, 0.7, 30.0, 70.0),
        (
            "a cache answers in its place",
            |c| c.cache = Cache { hit_ratio: 0.8, warm_up: SimDuration::ZERO },
            0.8,
            20.0,
            80.0,
        ),
        (
            "three at once hit all or fail",
            |c| (c.fan_out, c.cache.hit_ratio) = (3, 0.5),
            0.125,
            150.0,
            12.5,
        ),
        ("of three in a row the first ends it", |c| c.times = 3.0, 0.0, 100.0, 0.0),
    ];
    for (sentence, change, served, first, second) in rows {
        let found = of(change);
        for (ours, meant) in [(found.0, served), (found.1, first), (found.2, second)] {
            assert!((ours - meant).abs() < 1e-4 * meant.max(1.0), "{sentence}: {found:?}");
        }
    }
}

#[test]
fn a_slow_callee_works_on_for_callers_who_are_gone() {
    let mut made = call(1);
    made.timeout = Some(SimDuration::from_millis(100));
    let slow = PodModel { service: 0.2, servers: 20, ..pod() };
    let mut play =
        Play::new(&[(pod(), 4, vec![vec![made]]), (slow, 4, vec![])], patience(0, 0, None));
    let served = play.run(100.0, 60);
    // Of an exponential time of 200 ms, in slices, four tenths are below 100 ms.
    assert!((0.2..0.6).contains(&served), "{served}");
    let rates = play.network.stations[1].rates();
    assert!((rates.served / 100.0 - 1.0).abs() < 1e-6, "it serves all of them: {rates:?}");
}

#[test]
fn a_breaker_spares_a_callee_that_is_away() {
    let mut made = call(1);
    made.circuit_breaker = Some(CircuitBreaker { failures: 5, open: SimDuration::from_secs(30) });
    let mut play =
        Play::new(&[(pod(), 4, vec![vec![made]]), (pod(), 4, vec![])], patience(0, 0, None));
    assert!(play.run(100.0, 60) > 0.999, "closed it changes nothing");
    for id in play.pods[1].clone() {
        play.network.set_alive(play.now, id, false);
    }
    assert_eq!(play.run(100.0, 60), 0.0);
    assert!(
        (play.offered(1) - 4.0 / 30.0).abs() < 1e-6,
        "each pod asks once in 30 s: {}",
        play.offered(1)
    );
}

#[test]
fn connections_bound_what_a_callee_gets() {
    let mut made = call(1);
    made.connections = Some(Connections { max: 2, pending: 0 });
    let slow = PodModel { service: 0.1, servers: 100, rate: 1000.0, ..pod() };
    let mut play =
        Play::new(&[(pod(), 1, vec![vec![made]]), (slow, 1, vec![])], patience(0, 0, None));
    // Erlang's B of two servers at a load of two: 0.4.
    let served = play.run(20.0, 60);
    assert!((served - 0.6).abs() < 0.01, "{served}");
    assert!((play.offered(1) - 12.0).abs() < 0.2, "{}", play.offered(1));
}

#[test]
fn calls_at_once_take_as_long_as_the_longest() {
    let fast = PodModel { service: 0.001, rate: 1000.0, ..pod() };
    let callee = PodModel { service: 0.1, servers: 100, rate: 1000.0, ..pod() };
    let mean = |steps: Vec<Vec<Call>>| {
        let mut play = Play::new(
            &[(fast, 1, steps), (callee, 1, vec![]), (callee, 1, vec![])],
            patience(0, 0, None),
        );
        play.ask(1.0);
        play.until(S(100));
        play.network.take_entries(S(100)).latency.mean().unwrap()
    };
    let (one, two) = (mean(vec![vec![call(1)]]), mean(vec![vec![call(1)], vec![call(2)]]));
    let at_once = mean(vec![vec![call(1), call(2)]]);
    let four = mean(vec![vec![Call { fan_out: 4, ..call(1) }]]);
    assert!((one - 0.101).abs() < 0.002, "{one}");
    assert!((two - 0.201).abs() < 0.002, "one after the other: {two}");
    // Of two exponential times 1.5, of four 25/12; slices taken as points make it a little less.
    assert!((at_once - 0.151).abs() < 0.006, "{at_once}");
    assert!((four - 0.209).abs() < 0.01, "{four}");
}

#[test]
fn nothing_is_lost_in_any_graph() {
    let streams = Streams::new(7);
    for case in 0..12 {
        let mut draw = streams.stream("graph", case);
        let mut stations = Vec::new();
        for station in 0..4usize {
            let mut steps = Vec::new();
            for service in station + 1..4 {
                let mut made = call(service);
                made.times = 0.5 + draw.unit() * 2.0;
                made.fan_out = 1 + draw.below(3) as u32;
                made.probability = draw.unit();
                made.timeout =
                    (draw.unit() < 0.5).then(|| SimDuration::from_millis(5 + draw.below(400)));
                made.retries = (draw.unit() < 0.5)
                    .then(|| retries(1 + draw.below(4) as u32, (draw.unit() < 0.5).then_some(0.2)));
                made.circuit_breaker = (draw.unit() < 0.2)
                    .then(|| CircuitBreaker { failures: 5, open: SimDuration::from_secs(10) });
                made.connections =
                    (draw.unit() < 0.2).then_some(Connections { max: 10, pending: 5 });
                made.optional = draw.unit() < 0.3;
                if draw.unit() < 0.5 || steps.is_empty() {
                    steps.push(vec![made]);
                } else if let Some(step) = steps.last_mut() {
                    step.push(made);
                }
            }
            stations.push((pod(), 1 + draw.below(4) as u32, steps));
        }
        let mut play = Play::new(&stations, patience(300, draw.below(4) as u32, None));
        let before: Vec<f64> = vec![0.0; 4];
        for _ in 0..6 {
            let served = play.run(draw.unit() * 300.0, 30);
            assert!((0.0..=1.0 + 1e-9).contains(&served), "case {case}: {served}");
        }
        for (station, before) in play.network.stations.iter().zip(before) {
            let (total, waits) = (station.total(), station.backlog());
            let gap = total.offered - total.served - total.failed - waits - before;
            assert!(gap.abs() < 1e-6 * total.offered.max(1.0), "case {case}: {gap} of {total:?}");
        }
    }
}

/// Requests a second and latency of `users` who think a second each, with one pod of 100 a second:
/// the machine repairman's closed form, by chances of n requests in the pod.
fn repairman(users: u32) -> (f64, f64) {
    let (mut chance, mut sum, mut inside) = (1.0, 1.0, 0.0);
    for n in 1..=users {
        chance *= f64::from(users - n + 1) * 0.01;
        sum += chance;
        inside += f64::from(n) * chance;
    }
    let rate = 100.0 * (1.0 - 1.0 / sum);
    (rate, inside / sum / rate)
}

#[test]
fn closed_users_ask_as_often_as_they_get_answers() {
    // Users, and how far rates may be from the closed form: nobody waits behind himself.
    for (users, tolerance) in
        [(1, 0.01), (20, 0.01), (50, 0.02), (80, 0.03), (140, 0.03), (400, 0.01)]
    {
        let model = PodModel { wait_max: 60.0, ..pod() };
        let mut play = Play::new(&[(model, 1, vec![])], patience(0, 0, None));
        play.network.set_users(S(0), 0, Some(0), (f64::from(users), 1.0));
        play.network.settle(S(0));
        play.until(S(600));
        play.network.take_entries(S(600));
        play.until(S(700));
        let tally = play.network.take_entries(S(700));
        let (rate, latency) = (tally.served / 100.0, tally.latency.mean().unwrap());
        let (exact, _) = repairman(users);
        assert!((rate / exact - 1.0).abs() < tolerance, "{users} users: {rate}, not {exact}");
        let law = f64::from(users) / (1.0 + latency);
        assert!(
            (tally.offered / 100.0 / law - 1.0).abs() < 0.05,
            "{users} users: {rate}, not {law}"
        );
    }
}

#[test]
fn a_server_that_is_late_has_few_closed_users_waiting() {
    // Open arrivals of the same rate are lost; users wait for each other.
    let mut play = Play::new(&[(pod(), 1, vec![])], patience(0, 0, None));
    play.network.set_users(S(0), 0, Some(0), (160.0, 1.0));
    play.network.settle(S(0));
    play.until(S(600));
    play.network.take_entries(S(600));
    play.until(S(700));
    let tally = play.network.take_entries(S(700));
    assert!(tally.failed < 0.02 * tally.offered, "{tally:?}");
    assert!(tally.served > 97.0 * 100.0, "{tally:?}");
}
