//! A made-up record of a launch: 24 hours, 1440 intervals, 12 Deployments, a node limit that is
//! raised at noon. It is shaped like a real one, so that the report can be judged by eye, but it
//! is drawn, not simulated.

use stormglass::record::Recorder;
use stormglass::record::rows::{
    ClusterSample, EventRow, EventType, NodeRow, PodRow, Quantiles, WorkloadSample,
};
use stormglass::record::story::{Moment, TurningPoint};
use stormglass::units::{MilliCpu, SimDuration, SimTime};

const MINUTES: usize = 1440;
/// Name, pods per 1000 requests a second from outside, share of outside requests that reach it.
const SERVICES: [(&str, f64, f64); 12] = [
    ("frontend", 2.0, 1.0),
    ("auth", 1.6, 0.3),
    ("player-data", 3.2, 0.9),
    ("map-cells", 2.4, 0.7),
    ("spawn-points", 2.8, 0.6),
    ("encounters", 1.4, 0.2),
    ("inventory", 1.2, 0.25),
    ("gyms", 1.0, 0.15),
    ("news", 0.2, 0.02),
    ("store", 0.4, 0.03),
    ("telemetry", 0.8, 0.5),
    ("push-notifications", 0.3, 0.05),
];
const PODS_PER_NODE: f64 = 14.0;

/// Names of the Deployments.
pub(crate) fn names() -> Vec<String> {
    SERVICES.iter().map(|(name, ..)| format!("pokemon-go/{name}")).collect()
}

/// Draws between -1 and 1, the same each time.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / f64::from(1u32 << 30) - 1.0
    }
}

/// Requests a second in a minute of the day: 8,000 before the opening at 06:00, fifty times that
/// four hours later.
fn demand(minute: f64) -> f64 {
    let hours = minute / 60.0;
    let opening = ((hours - 6.0) / 4.0).clamp(0.0, 1.0);
    let evening = if hours > 16.0 { (hours - 16.0) * 0.035 } else { 0.0 };
    8_000.0 * (1.0 + 49.0 * opening * opening * (3.0 - 2.0 * opening)) * (1.0 - evening)
}

struct State {
    nodes: f64,
    booting: f64,
    ready: [f64; 12],
    cost: f64,
    noise: Noise,
    node_limit: f64,
}

/// Plays the launch into `recorder`.
pub(crate) fn play(recorder: &mut Recorder<'_>) {
    let mut state = State {
        nodes: 60.0,
        booting: 0.0,
        ready: SERVICES.map(|(_, pods, _)| pods * 40.0 * 0.6),
        cost: 0.0,
        noise: Noise(1),
        node_limit: 420.0,
    };
    recorder.totals.nodes_at_start = 60;
    recorder.totals.restarts = vec![0; 12];
    recorder.totals.workload_latency = vec![Default::default(); 12];
    for minute in 1..=MINUTES {
        step(&mut state, minute, recorder);
    }
    finish(&state, recorder);
}

fn step(s: &mut State, minute: usize, recorder: &mut Recorder<'_>) {
    if minute == 720 {
        s.node_limit = 1600.0;
    }
    let offered_rps = demand(minute as f64) * (1.0 + 0.03 * s.noise.next());
    let wanted =
        SERVICES.map(|(_, pods, _)| (pods * offered_rps / 1000.0 / 0.6).max(3.0).min(pods * 900.0));
    let room = s.nodes * PODS_PER_NODE;
    let all_wanted: f64 = wanted.iter().sum();
    let granted = (room / all_wanted).min(1.0);
    for (index, ready) in s.ready.iter_mut().enumerate() {
        let goal = wanted[index] * granted * if index == 2 { 0.9 } else { 1.0 };
        *ready += ((goal - *ready) * 0.12).clamp(-*ready * 0.03, 160.0);
    }
    let lacking = ((all_wanted - room) / PODS_PER_NODE).max(0.0);
    let asked = lacking.min(s.node_limit - s.nodes - s.booting).clamp(0.0, 14.0);
    let joining = s.booting * 0.3;
    s.booting += asked - joining;
    s.nodes += joining;
    if lacking == 0.0 && room > all_wanted * 1.3 {
        s.nodes -= (s.nodes * 0.004).min(3.0);
    }
    let rate = (s.nodes + s.booting) * 0.19;
    s.cost += rate / 60.0;

    let time = SimTime::from_secs(60 * minute as u64);
    let interval = SimDuration::from_secs(60);
    let mut capacity = f64::INFINITY;
    for (index, (_, pods, share)) in SERVICES.iter().enumerate() {
        let own_capacity = s.ready[index] / pods * 1000.0;
        capacity = capacity.min(own_capacity);
        let offered = offered_rps * share * 60.0;
        let served = offered.min(own_capacity * share * 60.0);
        let load = (offered_rps / own_capacity).min(1.4);
        let latency = latency(load, index as f64);
        recorder.totals.workload_latency[index].add(latency.p50, served);
        recorder.workload_sample(WorkloadSample {
            time,
            interval,
            workload: index,
            offered,
            served,
            failed: offered - served,
            capacity_rps: own_capacity * share,
            in_flight: offered / 60.0 * latency.p50,
            latency: Some(latency),
            desired: wanted[index] as u32,
            current: wanted[index] as u32,
            ready: s.ready[index] as u32,
            pending: (wanted[index] * (1.0 - granted)) as u32,
            cpu_used: MilliCpu((s.ready[index] * 1000.0 * load.min(1.0)) as i64),
            cpu_requested: MilliCpu((s.ready[index] * 1000.0) as i64),
        });
    }
    let served_rps = offered_rps.min(capacity);
    let load = (offered_rps / capacity).min(1.4);
    let latency = latency(load, 12.0);
    recorder.totals.entry_latency.add(latency.p50, served_rps * 30.0);
    recorder.totals.entry_latency.add(latency.p95, served_rps * 28.0);
    recorder.totals.entry_latency.add(latency.p99, served_rps * 2.0);
    let ready: f64 = s.ready.iter().sum();
    let unbound = all_wanted * (1.0 - granted);
    recorder.totals.pending_pod_s += unbound * 60.0;
    if s.nodes + s.booting > s.node_limit - 2.0 && unbound > 0.0 {
        recorder.totals.at_limit_s += 60.0;
    }
    recorder.cluster_sample(ClusterSample {
        time,
        interval,
        offered: offered_rps * 60.0,
        served: served_rps * 60.0,
        failed: (offered_rps - served_rps) * 60.0,
        capacity_rps: capacity,
        latency: Some(latency),
        nodes: s.nodes as u32,
        nodes_ready: s.nodes as u32 - u32::from(minute.is_multiple_of(170)),
        nodes_booting: s.booting as u32,
        nodes_limit: s.node_limit as u32,
        pods_desired: all_wanted as u32,
        pods: all_wanted as u32,
        pods_ready: ready as u32,
        pods_unbound: unbound as u32,
        pods_unschedulable: unbound as u32,
        pods_starting: (all_wanted - unbound - ready).max(0.0) as u32,
        cpu_requested: MilliCpu(((all_wanted - unbound) * 1000.0) as i64),
        cpu_allocatable: MilliCpu((s.nodes * 15_000.0) as i64),
        cpu_used: MilliCpu((ready * 1000.0 * (served_rps / capacity)) as i64),
        cost: s.cost,
        cost_per_hour: rate,
        watts: s.nodes * 210.0,
    });
}

/// Queues grow as load nears capacity.
fn latency(load: f64, which: f64) -> Quantiles {
    let p50 = (0.018 + which * 0.002) / (1.0 - load.min(0.985));
    let p99 = (p50 * (4.0 + 2.0 * load)).min(10.0);
    Quantiles { p50, p95: (p50 * (2.0 + load)).min(9.5), p99, p999: p99 }
}

fn finish(s: &State, recorder: &mut Recorder<'_>) {
    let totals = &mut recorder.totals;
    (totals.pods_created, totals.pods_evicted, totals.unbound_at_end) = (50_000, 31, 0);
    totals.nodes_at_end = s.nodes as u32;
    totals.cost = s.cost;
    totals.node_hours = s.cost / 0.19;
    totals.energy_wh = totals.node_hours * 210.0;
    totals.restarts[2] = 412;
    for i in 0..1000 {
        totals.schedule_wait.add(0.02 + f64::from(i) * f64::from(i) * 0.004, 1.0);
        totals.startup.add(4.0 + f64::from(i) * f64::from(i) * 0.004, 1.0);
    }
    let moment = |minute: u64, kind, text: &str| TurningPoint {
        time: SimTime::from_secs(minute * 60 + 17),
        kind,
        text: text.to_owned(),
    };
    totals.moments = vec![
        moment(360, Moment::TimelineBegins, "the game opens in the first countries"),
        moment(
            404,
            Moment::FirstUnschedulable,
            "the first pod finds no node: pokemon-go/player-data-7c9d4b5f6-x2x7q, 0/60 nodes are available: 60 Insufficient cpu",
        ),
        moment(
            408,
            Moment::FirstNodeJoins,
            "the first new node joins, 3m 42s after it was asked for",
        ),
        moment(
            461,
            Moment::NodeLimitReached,
            "the cluster stands at its limit of 420 nodes while 212 pods wait",
        ),
        moment(
            530,
            Moment::MaxReplicasReached,
            "pokemon-go/player-data stands at its maxReplicas, 2,880",
        ),
        moment(
            531,
            Moment::MaxReplicasReached,
            "pokemon-go/frontend stands at its maxReplicas, 1,800",
        ),
        moment(720, Moment::TimelineBegins, "the total node limit is raised to 1,600"),
    ];
}

/// Rows of `pods`, `nodes` and `events` as a run of that size leaves them.
pub(crate) fn rows(recorder: &mut Recorder<'_>, pods: u64, nodes: u64, events: u64) {
    for i in 0..events {
        recorder.event(&EventRow {
            time: SimTime(i * 864_000_000),
            kind: if i.is_multiple_of(9) { EventType::Warning } else { EventType::Normal },
            reason: if i.is_multiple_of(9) { "FailedScheduling" } else { "Scheduled" },
            object_kind: "Pod",
            namespace: "pokemon-go".into(),
            name: format!("player-data-7c9d4b5f6-{i:05x}").into(),
            component: "default-scheduler",
            message: format!(
                "Successfully assigned pokemon-go/player-data-7c9d4b5f6-{i:05x} to pool-{}",
                i % nodes
            ),
            times: 1,
        });
    }
    for i in 0..pods {
        let created = SimTime(i * 1_700_123_457);
        let after =
            |seconds: u64| Some(created + SimDuration::from_millis(seconds * 1000 + i % 997));
        recorder.pod(&PodRow {
            uid: i,
            namespace: "pokemon-go".into(),
            name: format!("player-data-7c9d4b5f6-{i:05x}").into(),
            workload: Some(i as usize % 12),
            node: Some(format!("pool-{}", i % nodes).into()),
            created,
            scheduled: after(1),
            running: after(6),
            ready: after(11),
            deletion: after(7000),
            gone: after(7030),
            phase: "Succeeded",
            restarts: (i % 3) as u32,
            waiting_reason: "",
            end_reason: "ScaleDown",
        });
    }
    for i in 0..nodes {
        let requested = SimTime::from_secs(i * 40);
        recorder.node(&NodeRow {
            uid: i,
            name: format!("pool-{i}").into(),
            group: if i < 60 { "reserved" } else { "pool" }.into(),
            zone: ["us-central1-a", "us-central1-b", "us-central1-c"][i as usize % 3].into(),
            machine: "n1-standard-16".into(),
            requested,
            registered: requested + SimDuration::from_secs(95),
            ready: (i % 400 != 399).then(|| requested + SimDuration::from_secs(123)),
            gone: None,
            pods_peak: 14,
            cost: 3.2,
            energy_wh: 3500.0,
        });
    }
}
