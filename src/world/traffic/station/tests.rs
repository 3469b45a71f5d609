//! Stations held against closed forms and against each other.

use super::*;

const S: fn(u64) -> SimTime = SimTime::from_secs;

/// A pod with one server of 10 ms, a queue of 100 and callers who wait 0.5 s.
pub(in super::super) fn pod() -> PodModel {
    PodModel {
        demand: 0.01,
        service: 0.01,
        servers: 1,
        rate: 100.0,
        scv: 1.0,
        sharing: 0.0,
        wait_max: 0.49,
        refuses: false,
        bounds: (0.5, f64::INFINITY),
        idle_cores: 0.0,
        memory: (0.0, 0.0),
        memory_limit: None,
    }
}

#[test]
fn a_steady_station_serves_what_arrives_with_the_mean_of_theory() {
    let mut station = Station::new(PodModel { wait_max: 60.0, ..pod() });
    station.set(S(0), 160.0, 2, 0, 0);
    station.look(S(100));
    let total = station.total();
    assert!((total.served - 16_000.0).abs() < 1e-6);
    // M/M/1 at 0.8: 10 ms / (1 - 0.8).
    assert!((station.mean_latency() - 0.05).abs() < 1e-6, "{}", station.mean_latency());
    assert!((total.cpu - 160.0).abs() < 1e-6);
}

#[test]
fn a_queue_that_fills_at_once_serves_no_more_than_it_can() {
    let mut station = Station::new(pod());
    station.set(S(0), 1e6, 1, 0, 0);
    let full = station.next_change();
    station.look(full);
    let served = station.total().served;
    assert!((served / (100.0 * full.as_secs_f64()) - 1.0).abs() < 1e-6, "{served}");
}

#[test]
fn littles_law_holds_in_every_regime() {
    let mut station = Station::new(pod());
    let mut latency = LatencyHistogram::default();
    let mut check = |station: &mut Station, at: SimTime, what: &str| {
        let mut part = LatencyHistogram::default();
        let tally = station.take_interval(at, &mut part);
        let by_requests = part.mean().unwrap_or(0.0) * part.total();
        let gap = (tally.in_flight / by_requests - 1.0).abs();
        assert!(gap < 1e-6, "{what}: {} against {by_requests}", tally.in_flight);
        latency.merge(&part);
    };
    station.set(S(0), 95.0, 1, 0, 0);
    check(&mut station, S(10), "steady close to saturation");
    station.set(S(10), 120.0, 1, 0, 0);
    check(&mut station, S(11), "filling");
    station.look(station.next_change());
    check(&mut station, S(100), "full, after it filled");
}

#[test]
fn surplus_piles_up_then_fails_and_is_worked_off_later() {
    let mut station = Station::new(pod());
    station.set(S(0), 150.0, 1, 0, 0);
    assert_eq!(station.rates().failed, 0.0, "at first the queue takes it");
    let full = station.next_change();
    // 49 requests fit; the surplus is 50 a second.
    assert!((0.98..0.980_002).contains(&full.as_secs_f64()), "{full:?}");
    station.look(full);
    assert!((station.rates().failed - 50.0).abs() < 1e-9, "then it fails");
    station.set(S(10), 51.0, 1, 0, 0);
    let empty = station.next_change();
    assert!((11.0..11.000_002).contains(&empty.as_secs_f64()), "49 at 49 a second: {empty:?}");
    station.look(empty);
    assert_eq!(station.backlog(), 0.0);
    station.look(S(20));
    let t = station.total();
    assert!((t.offered - t.served - t.failed).abs() < 1e-6, "every request is accounted for");
}

#[test]
fn a_marked_wait_is_noticed_when_it_is_passed() {
    let mut station = Station::new(pod());
    station.mark_waits(vec![0.21]);
    station.set(S(0), 150.0, 1, 0, 0);
    // The surplus of 50 a second is a wait of 0.2 s when 20 requests wait.
    let passed = station.next_change();
    assert!((0.4..0.400_002).contains(&passed.as_secs_f64()), "{passed:?}");
    station.look(passed);
    assert!(station.answer_time() >= 0.21);
    let full = station.next_change();
    assert!((0.98..0.980_002).contains(&full.as_secs_f64()), "then it fills: {full:?}");
    station.look(full);
    station.set(S(10), 51.0, 1, 0, 0);
    station.look(station.next_change());
    assert!((0.2..0.21).contains(&station.answer_time()), "and passes it on the way back");
}

#[test]
fn a_level_that_is_reached_ever_so_slowly_is_reached() {
    let mut station = Station::new(pod());
    let mut looks = 0;
    station.set(S(0), 100.0 + 1e-9, 1, 0, 0);
    station.set(S(1), 150.0, 1, 0, 0);
    station.look(SimTime(S(1).0 + 979_999_999));
    station.set(SimTime(S(1).0 + 979_999_999), 100.0 + 1e-7, 1, 0, 0);
    while station.next_change() <= S(100_000) && looks < 100 {
        let at = station.next_change();
        station.look(at);
        looks += 1;
    }
    assert!(looks < 10, "no creeping towards it in nanoseconds: {looks}");
}

#[test]
fn dead_endpoints_fail_their_share() {
    let mut station = Station::new(pod());
    station.set(S(0), 40.0, 3, 1, 0);
    assert!((station.rates().failed - 10.0).abs() < 1e-6);
    station.set(S(1), 40.0, 0, 0, 0);
    assert_eq!(station.rates().served, 0.0);
    assert_eq!(station.success(), 1.0 - 0.0 / 40.0 - station.rates().failed / 40.0);
}

#[test]
fn a_queue_dies_with_its_pod() {
    let mut station = Station::new(pod());
    station.set(S(0), 300.0, 2, 0, 0);
    station.look(station.next_change());
    let queued = station.backlog();
    let failed = station.total().failed;
    station.set(S(1), 300.0, 1, 1, 1);
    assert!(station.total().failed - failed > queued / 2.0 - 1.0);
    assert!(station.backlog() <= queued / 2.0 + 1e-9);
}

#[test]
fn looking_more_often_changes_nothing() {
    let run = |looks: u64| {
        let mut station = Station::new(pod());
        for step in 0..20u64 {
            station.set(S(step * 10), 10.0 + (step * 37 % 200) as f64, 1, 0, 0);
            for look in 1..=looks {
                let until = S(step * 10) + SimDuration::from_millis(10_000 * look / looks);
                while station.next_change() <= until {
                    let at = station.next_change();
                    station.look(at);
                }
                station.look(until);
            }
        }
        *station.total()
    };
    let (once, often) = (run(1), run(7));
    for (a, b) in [
        (once.served, often.served),
        (once.failed, often.failed),
        (once.in_flight, often.in_flight),
    ] {
        assert!((a - b).abs() <= 1e-6 * a.abs(), "{a} {b}");
    }
}

#[test]
fn a_pod_model_saturates_at_its_cpu_or_its_slots() {
    use crate::sim::sample::Distribution;
    use crate::units::Bytes;
    let workload = |demand: u64, wait: u64, concurrency: u32| Workload {
        demand: SimDuration::from_millis(demand),
        wait: SimDuration::from_millis(wait),
        concurrency,
        queue: 100,
        timeout: SimDuration::from_secs(1),
        idle_cpu: MilliCpu(0),
        memory: Bytes(0),
        memory_per_request: Bytes(0),
        startup: Distribution::Constant(0.0),
        image_size: Bytes(0),
        image_layers: 0,
        disk: Default::default(),
        burst: 1.0,
        calls: vec![],
        calls_stop: false,
        serving: Default::default(),
        init: Distribution::Constant(1.0),
        failings: Default::default(),
        is_resized: false,
    };
    let rows = [
        ("one core, 10 ms of CPU: 100 a second", workload(10, 0, 8), 1000, 100.0),
        ("half a core: half of it", workload(10, 0, 8), 500, 50.0),
        ("four cores: four times", workload(10, 0, 8), 4000, 400.0),
        ("slots bind before CPU: 2 slots of 100 ms", workload(10, 90, 2), 4000, 20.0),
    ];
    for (sentence, workload, cpu, rate) in rows {
        let pod = PodModel::new(&workload, MilliCpu(cpu), None);
        assert!((pod.rate / rate - 1.0).abs() < 1e-9, "{sentence}: {}", pod.rate);
    }
}
