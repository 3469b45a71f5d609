//! A small cluster that serves, for tests from outside: manifests and a scenario as text, and the
//! rows of its run.

use std::path::{Path, PathBuf};
use stormglass::check::Stride;
use stormglass::record::Sink;
use stormglass::record::rows::{ClusterSample, EventRow, PodRow, WorkloadSample};
use stormglass::scenario::model::Scenario;
use stormglass::scenario::{Overrides, load};
use stormglass::world::{RunOptions, run};

/// The rows of a run.
#[derive(Default)]
pub struct Rows {
    pub cluster: Vec<ClusterSample>,
    pub workloads: Vec<WorkloadSample>,
    pub pods: Vec<PodRow>,
    pub events: Vec<EventRow>,
}

impl Sink for Rows {
    fn cluster_sample(&mut self, row: &ClusterSample) {
        self.cluster.push(row.clone());
    }
    fn workload_sample(&mut self, row: &WorkloadSample) {
        self.workloads.push(row.clone());
    }
    fn event(&mut self, row: &EventRow) {
        self.events.push(row.clone());
    }
    fn pod(&mut self, row: &PodRow) {
        self.pods.push(row.clone());
    }
}

pub fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("serving").join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Writes a scenario and its manifests; what loading them comes to.
pub fn loaded(name: &str, manifests: &str, more: &str) -> Result<Scenario, String> {
    let folder = folder(name);
    std::fs::write(folder.join("apps.yaml"), manifests).unwrap();
    let file = folder.join("scenario.yaml");
    let nodes = "nodes: [{name: node, machine: e2-standard-4, count: 3, zones: [a, b, c]}]";
    let head = format!("question: Who serves?\nduration: 10m\nmanifests: [apps.yaml]\n{nodes}\n");
    std::fs::write(&file, head + more).unwrap();
    load(&file, &Overrides::default()).map_err(|errors| errors.to_string())
}

/// Runs it with every check after every event.
pub fn rows(scenario: &Scenario) -> Rows {
    rows_of(scenario, 1)
}

/// Runs it so at a seed.
pub fn rows_of(scenario: &Scenario, seed: u64) -> Rows {
    let mut rows = Rows::default();
    let options = RunOptions { checks: Stride::Events(1) };
    run(scenario, seed, options, &mut rows, |_| {}).map(drop).unwrap();
    rows
}
