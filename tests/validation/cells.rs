//! The cells of the table: a model with its value of theory, and how it is run.

use stormglass::record::latency::LatencyHistogram;
use stormglass::sim::rng::Streams;
use stormglass::sim::sample::Distribution;
use stormglass::units::{SimDuration, SimTime};
use stormglass::world::requests::arrivals::POISSON;
use stormglass::world::requests::draws::Law;
use stormglass::world::requests::{Engine, EntryPlan, Plan, ServicePlan, Size, StationPlan};

/// Runs of a cell, and the quantile of Student's t for their mean: 97.5 %, 29 degrees of freedom.
const RUNS: u64 = 30;
const STUDENT_T: f64 = 2.045_230;

/// What is measured.
#[derive(Clone, Copy)]
pub enum Measure {
    /// Mean wait before work begins, in mean service times.
    Wait,
    /// Mean time in the pod.
    Time,
    /// Share of requests refused.
    Refused,
    /// Requests a second.
    Throughput,
}

/// A model and its value of theory.
pub struct Cell {
    pub model: &'static str,
    pub measure: &'static str,
    pub theory: f64,
    what: Measure,
    station: StationPlan,
    /// Requests a second, or users and how long they think, seconds.
    load: Load,
}

#[derive(Clone, Copy)]
enum Load {
    Open(f64),
    Closed { users: u32, think: f64, is_random: bool },
}

/// A mean and the half of its 95 % confidence interval.
pub struct Estimate {
    pub mean: f64,
    pub half: f64,
}

impl Estimate {
    pub fn holds(&self, value: f64) -> bool {
        (self.mean - value).abs() <= self.half
    }

    pub fn of(values: &[f64]) -> Estimate {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
        Estimate { mean, half: STUDENT_T * (squares / (n - 1.0) / n).sqrt() }
    }
}

/// One server that all requests share.
fn shared(law: Law) -> StationPlan {
    StationPlan {
        concurrency: u32::MAX,
        size: Size { cores: 1.0, full_at: None },
        ..servers(1, law)
    }
}

fn servers(servers: u32, law: Law) -> StationPlan {
    StationPlan::servers(servers, SimDuration::from_secs(1), law)
}

/// All of them; the mean service time is a second. Values: research on performance anchors, and the
/// formulas recomputed in `laws.rs`.
pub fn cells() -> Vec<Cell> {
    use Law::{Constant, Exponential};
    let open = |model, what, theory, station, rate| {
        let measure = name(what);
        Cell { model, measure, theory, what, station, load: Load::Open(rate) }
    };
    let closed = |model, theory, station, users, think, is_random| Cell {
        model,
        measure: name(Measure::Throughput),
        theory,
        what: Measure::Throughput,
        station,
        load: Load::Closed { users, think, is_random },
    };
    let lost = |c| StationPlan { queue: 0, ..servers(c, Exponential) };
    let wait = Measure::Wait;
    vec![
        open("M/M/1, load 0.8", wait, 4.0, servers(1, Exponential), 0.8),
        open("M/D/1, load 0.8", wait, 2.0, servers(1, Constant), 0.8),
        open("M/G/1, SCV 4, load 0.8", wait, 10.0, servers(1, Law::of_scv(4.0)), 0.8),
        open("M/G/1, SCV 0.25, load 0.8", wait, 2.5, servers(1, Law::of_scv(0.25)), 0.8),
        open("M/D/1-PS, load 0.8", Measure::Time, 5.0, shared(Constant), 0.8),
        open("M/M/1-PS, load 0.8", Measure::Time, 5.0, shared(Exponential), 0.8),
        open("M/G/1-PS, SCV 4, load 0.8", Measure::Time, 5.0, shared(Law::of_scv(4.0)), 0.8),
        open("M/M/2, load 0.8", wait, 1.777_778, servers(2, Exponential), 1.6),
        open("M/M/4, load 0.7", wait, 0.357_212, servers(4, Exponential), 2.8),
        open("M/M/8, load 0.9", wait, 0.876_916, servers(8, Exponential), 7.2),
        open("M/M/16, load 0.9", wait, 0.369_590, servers(16, Exponential), 14.4),
        open("M/M/100, load 0.95", wait, 0.101_291, servers(100, Exponential), 95.0),
        open("M/M/10/10, load 8", Measure::Refused, 0.121_661, lost(10), 8.0),
        open("M/M/100/100, load 95", Measure::Refused, 0.048_804, lost(100), 95.0),
        closed(
            "10 users who think 8 s, one server",
            super::laws::repairman(10, 8.0, 1),
            servers(1, Exponential),
            10,
            8.0,
            true,
        ),
        closed(
            "10 users who think 8 s always, one shared server, SCV 4",
            super::laws::repairman(10, 8.0, 1),
            shared(Law::of_scv(4.0)),
            10,
            8.0,
            false,
        ),
        closed(
            "40 users who think 8 s, four servers",
            super::laws::repairman(40, 8.0, 4),
            servers(4, Exponential),
            40,
            8.0,
            true,
        ),
    ]
}

fn name(what: Measure) -> &'static str {
    match what {
        Measure::Wait => "mean wait",
        Measure::Time => "mean time",
        Measure::Refused => "share refused",
        Measure::Throughput => "requests/s",
    }
}

impl Cell {
    /// Runs it, with about so many requests in each run after a third of that has passed.
    pub fn run(&self, seed: u64, requests: u64) -> Estimate {
        let one = |run| self.once(&Streams::new(seed << 32 | run), requests);
        Estimate::of(&(0..RUNS).map(one).collect::<Vec<f64>>())
    }

    fn once(&self, streams: &Streams, requests: u64) -> f64 {
        let entry = match self.load {
            Load::Open(_) => {
                EntryPlan::Open { to: 0, process: POISSON, clients: None, addresses: None }
            }
            Load::Closed { think, is_random, .. } => {
                let think = match is_random {
                    true => Distribution::Exponential(think),
                    false => Distribution::Constant(think),
                };
                EntryPlan::Closed { to: 0, think, clients: None, addresses: None }
            }
        };
        let plan = Plan {
            stations: vec![self.station.clone()],
            services: vec![ServicePlan { primary: Some(0), ..ServicePlan::default() }],
            entries: vec![entry],
        };
        let mut engine = Engine::new(&plan, streams);
        let pod = engine.add_pod(0);
        engine.set_alive(SimTime::ZERO, pod, true);
        engine.route(0, (0, pod), true);
        let rate = match self.load {
            Load::Open(rate) => {
                engine.set_rate(SimTime::ZERO, 0, rate);
                rate
            }
            Load::Closed { users, .. } => {
                engine.set_users(SimTime::ZERO, 0, users);
                self.theory
            }
        };
        let length = requests as f64 / rate;
        let (begin, end) = (length / 3.0, length * 4.0 / 3.0);
        let mut latency = LatencyHistogram::default();
        engine.run(SimTime::ZERO + SimDuration::from_secs_f64(begin));
        engine.take_station(0, &mut latency);
        engine.run(SimTime::ZERO + SimDuration::from_secs_f64(end));
        let count = engine.take_station(0, &mut latency);
        assert_eq!(engine.broken_law(), None, "{}", self.model);
        let served = count.served as f64;
        let time = latency.mean().unwrap_or(0.0);
        match self.what {
            // What was worked is known: less chance than with the mean of the law.
            Measure::Wait => time - count.cpu / served,
            Measure::Time => time,
            Measure::Refused => count.failed as f64 / count.offered as f64,
            Measure::Throughput => served / length,
        }
    }
}
