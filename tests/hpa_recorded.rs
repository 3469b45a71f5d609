//! The autoscaler in a closed loop against recorded trajectories of real ones: a function under
//! stepwise load on k3s, kubespray and MicroK8s (`tests/data/hpa_recorded/PROVENANCE.md`).
//!
//! `cargo test --test hpa_recorded -- --nocapture` prints the table of `docs/validation.md`.
//!
//! How it is modelled, and with which numbers:
//! - *Demand.* The clients of `hey` send in step, so that C requests share the one core that a
//!   Python process can use, and end together after C times the demand. It is the median latency of
//!   the two buckets of C = 4 in which one pod served, a quarter of it, for each distribution.
//! - *Clients.* C clients with at most a request a second each are a rate of C here, and what a
//!   closed client would not send while it waits is refused by a queue of C requests.
//! - *Metrics.* The recorded replicas change in bursts a minute apart: metrics are a minute's mean.
//! - Pods take some 6 s from scheduled to ready (median of the recordings).

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "all of this is test code")]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use stormglass::check::Stride;
use stormglass::record::Sink;
use stormglass::record::rows::{ClusterSample, EventRow, PodRow, WorkloadSample};
use stormglass::scenario::{Overrides, load};
use stormglass::world::{RunOptions, run};

const DISTRIBUTIONS: [&str; 3] = ["k3s", "kubespray", "microk8s"];
const SCENARIOS: [&str; 4] = ["01", "02", "03", "04"];
const STEP: usize = 300;
/// How long a recording is compared after the load has ended.
const REST: usize = 420;
/// Seconds from a scrape of metrics-server to the start of the load, and seeds: in the recordings it
/// may be any.
const PHASES: [(usize, u64); 4] = [(0, 1), (15, 2), (30, 3), (45, 4)];

fn data(name: &str) -> Vec<Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/hpa_recorded");
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

/// Clients by step.
fn steps(distribution: &str, scenario: &str) -> Vec<usize> {
    match scenario {
        "01" => (1..=12).map(|n| 4 * n).collect(),
        "02" if distribution == "kubespray" => (1..=23).map(|n| 2 * n).collect(),
        "02" => (1..=24).map(|n| 2 * n).collect(),
        "03" => (1..=20).rev().map(|n| 2 * n).collect(),
        _ => vec![8, 1, 20, 4, 40, 24, 1, 4, 16, 1, 36, 32],
    }
}

/// Replicas at each second.
type Trajectory = Vec<u32>;

/// From changes to a value at each second; before the first change there is one.
fn trajectory(changes: &[(usize, u32)], seconds: usize) -> Trajectory {
    let mut at = changes.iter().peekable();
    let mut value = 1;
    let second = |now: usize| {
        while let Some((_, replicas)) = at.next_if(|(when, _)| *when <= now) {
            value = *replicas;
        }
        value
    };
    (0..seconds).map(second).collect()
}

fn recordings() -> BTreeMap<(String, String), Trajectory> {
    let mut changes: BTreeMap<(String, String), Vec<(usize, u32)>> = BTreeMap::new();
    for row in data("replicas.csv") {
        let known = changes.entry((row[1].clone(), row[0].clone())).or_default();
        known.push((row[2].parse().unwrap(), row[4].parse().unwrap()));
    }
    let mut found = BTreeMap::new();
    for ((scenario, distribution), changes) in changes {
        let seconds = steps(&distribution, &scenario).len() * STEP + REST;
        found.insert((scenario, distribution), trajectory(&changes, seconds));
    }
    found
}

/// Microseconds of CPU of a request.
fn demand(distribution: &str) -> u64 {
    let rows = data("latency.csv");
    let fits = |row: &&Vec<String>| row[0] == distribution && row[2] == "4";
    let medians: Vec<f64> =
        rows.iter().filter(fits).map(|row| row[5].parse::<f64>().unwrap()).collect();
    let mean = medians.iter().sum::<f64>() / medians.len() as f64;
    (mean / 4.0 * 1e6).round() as u64
}

const MANIFESTS: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: float-operation}
spec:
  selector: {matchLabels: {app: float-operation}}
  template:
    metadata: {labels: {app: float-operation}}
    spec:
      containers: [{name: f, image: f:1, resources: {requests: {cpu: 350m, memory: 64Mi}}}]
---
apiVersion: v1
kind: Service
metadata: {name: float-operation}
spec: {selector: {app: float-operation}, ports: [{port: 8080}]}
---
apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
metadata: {name: float-operation}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: float-operation}
  minReplicas: 1
  maxReplicas: 10
  targetCPUUtilizationPercentage: 100
";

#[derive(Default)]
struct Pods(Vec<PodRow>);

impl Sink for Pods {
    fn cluster_sample(&mut self, _: &ClusterSample) {}
    fn workload_sample(&mut self, _: &WorkloadSample) {}
    fn event(&mut self, _: &EventRow) {}
    fn pod(&mut self, row: &PodRow) {
        self.0.push(row.clone());
    }
}

/// Our run of a scenario: pods that exist at each second.
fn simulated(distribution: &str, scenario: &str, (phase, seed): (usize, u64)) -> Trajectory {
    let loads = steps(distribution, scenario);
    let seconds = loads.len() * STEP + REST;
    let end = phase + seconds;
    let mut points = String::new();
    for (index, load) in loads.iter().chain([&0]).enumerate() {
        let at = phase + index * STEP;
        let before = index.checked_sub(1).map_or(0, |last| loads[last]);
        write!(points, "{{at: {at}s, value: {before}}}, ").unwrap();
        write!(points, "{{at: {at}s, value: {load}}}, ").unwrap();
    }
    let (demand, queue) = (demand(distribution), loads.iter().max().unwrap());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("hpa_recorded");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("function.yaml"), MANIFESTS).unwrap();
    let file = folder.join(format!("{distribution}-{scenario}.yaml"));
    let text = format!(
        "question: Does ours scale as a recorded one did?\nduration: {end}s\n\
         nodes: [{{name: worker, machine: {{name: edge, cpu: 4, memory: 8Gi}}, count: 4}}]\n\
         manifests: [function.yaml]\n\
         workloads:\n  float-operation:\n    demand: {demand}us\n    burst: 2.857\n    \
         concurrency: 100\n    queue: {queue}\n    timeout: 1h\n    \
         startup: {{p50: 4s, p99: 5s}}\n    image: {{size: 10M, layers: 1}}\n\
         traffic: [{{to: float-operation, rate: {{points: [{points}]}}}}]\n\
         flags: {{metrics-server: {{metric-resolution: 1m}}}}\n"
    );
    std::fs::write(&file, text).unwrap();
    let loaded = load(&file, &Overrides::default()).map_err(|errors| errors.to_string()).unwrap();
    let mut pods = Pods::default();
    run(&loaded, seed, RunOptions { checks: Stride::Off }, &mut pods, |_| {}).map(drop).unwrap();
    let at = |second: usize| {
        let now = stormglass::units::SimTime::from_secs(second as u64);
        let lives = |pod: &&PodRow| pod.created <= now && pod.gone.is_none_or(|gone| gone > now);
        pods.0.iter().filter(lives).count() as u32
    };
    (phase..end).map(at).collect()
}

/// Mean of the absolute difference, replicas.
fn difference(one: &Trajectory, other: &Trajectory) -> f64 {
    let pairs = one.iter().zip(other);
    let sum: f64 = pairs.map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
    sum / one.len().min(other.len()) as f64
}

/// When each number of replicas is first reached, up to the largest both reach; of a falling load
/// the time at which it is first left for less, from the largest down.
fn moments(of: &Trajectory, scenario: &str) -> BTreeMap<u32, usize> {
    let mut found = BTreeMap::new();
    let falls = scenario == "03";
    let start = if falls { STEP } else { 0 };
    for (second, replicas) in of.iter().enumerate().skip(start) {
        let passed = |n: &u32| if falls { replicas <= n } else { replicas >= n };
        for n in (2..=9).filter(passed) {
            found.entry(n).or_insert(second);
        }
    }
    found
}

/// Mean of the times of `one` minus those of `other`, and mean of their absolute values, seconds.
fn offsets(one: &Trajectory, other: &Trajectory, scenario: &str) -> (f64, f64) {
    let (one, other) = (moments(one, scenario), moments(other, scenario));
    let both = one.iter().filter_map(|(n, at)| Some(*at as f64 - *other.get(n)? as f64));
    let offsets: Vec<f64> = both.collect();
    let mean = |sum: f64| sum / offsets.len() as f64;
    (mean(offsets.iter().sum()), mean(offsets.iter().map(|o| o.abs()).sum()))
}

#[test]
fn trajectories_are_as_near_to_recorded_ones_as_those_are_to_each_other() {
    for distribution in DISTRIBUTIONS {
        println!("demand on {distribution}: {:.1} ms", demand(distribution) as f64 / 1e3);
    }
    println!(
        "| scenario | recorded on | ours: replicas | steps early (-) or late | apart by | other recordings: replicas | apart by |"
    );
    println!("|---|---|---|---|---|---|---|");
    let recordings = recordings();
    let (mut all_ours, mut all_theirs) = (Vec::new(), Vec::new());
    for scenario in SCENARIOS {
        for distribution in DISTRIBUTIONS {
            let key = |of: &str| (scenario.to_owned(), of.to_owned());
            let Some(recorded) = recordings.get(&key(distribution)) else { continue };
            let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
            let ours: Vec<Trajectory> =
                PHASES.iter().map(|phase| simulated(distribution, scenario, *phase)).collect();
            let error = mean(&ours.iter().map(|o| difference(o, recorded)).collect::<Vec<_>>());
            let others = DISTRIBUTIONS.iter().filter(|other| **other != distribution);
            let others: Vec<&Trajectory> =
                others.filter_map(|other| recordings.get(&key(other))).collect();
            let spread = mean(&others.iter().map(|o| difference(o, recorded)).collect::<Vec<_>>());
            let of = |set: Vec<(f64, f64)>| {
                let (signed, apart): (Vec<f64>, Vec<f64>) = set.into_iter().unzip();
                (mean(&signed), mean(&apart))
            };
            let (signed, apart) = of(ours.iter().map(|o| offsets(o, recorded, scenario)).collect());
            let (_, theirs) = of(others.iter().map(|o| offsets(o, recorded, scenario)).collect());
            match scenario {
                // Loads jump up and down: no step is the same in two recordings.
                "04" => {
                    println!("| {scenario} | {distribution} | {error:.2} | | | {spread:.2} | |")
                }
                _ => println!(
                    "| {scenario} | {distribution} | {error:.2} | {signed:+.0} s | {apart:.0} s | \
                     {spread:.2} | {theirs:.0} s |"
                ),
            }
            all_ours.push(error);
            all_theirs.push(spread);
        }
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let (ours, theirs) = (mean(&all_ours), mean(&all_theirs));
    println!("| all | | {ours:.2} | | | {theirs:.2} | |");
    assert_eq!(all_ours.len(), 11);
    assert!(ours <= theirs, "{ours} of ours, {theirs} between recordings");
}
