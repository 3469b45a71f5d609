//! The openb trace, replayed: a GPU cluster of 1,523 nodes and 8,152 pods with their lifetimes.
//!
//! `benches/workloads/openb/README.md` says what is taken from it and what is not.

use crate::cluster::{Cluster, spec_of};
use flate2::read::GzDecoder;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use stormglass::api::labels::Labels;
use stormglass::api::pod::PodSpec;
use stormglass::control::scheduler::decision::Decision;
use stormglass::units::SimTime;

/// Thousandths of a GPU: the default scheduler sees an amount, not which device has it.
const GPU_MILLI: &str = "alibabacloud.com/gpu-milli";

#[derive(Deserialize)]
struct NodeRow {
    sn: String,
    cpu_milli: u64,
    memory_mib: u64,
    gpu: u64,
}

#[derive(Deserialize)]
struct PodRow {
    name: String,
    cpu_milli: u64,
    memory_mib: u64,
    num_gpu: u64,
    gpu_milli: u64,
    creation_time: u64,
    deletion_time: u64,
}

/// The trace as it lies in the files.
pub struct Trace {
    nodes: Vec<NodeRow>,
    pods: Vec<PodRow>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Ends,
    Begins,
    /// Of a pod that ends in the second in which it began.
    EndsAtOnce,
}

impl Trace {
    /// Reads it.
    pub fn read() -> Trace {
        Trace { nodes: rows("openb_node_list_all_node"), pods: rows("openb_pod_list_default") }
    }

    /// Creates and deletes the first `most` pods in the order of time, and lets the scheduler
    /// decide whenever it wants to; gives all decisions.
    pub fn replay(&self, fast: bool, most: usize) -> Vec<Decision> {
        let mut cluster = Cluster::new(&Default::default(), fast);
        for row in &self.nodes {
            let amounts = json!({
                "pods": "110", "cpu": format!("{}m", row.cpu_milli),
                "memory": format!("{}Mi", row.memory_mib), GPU_MILLI: (row.gpu * 1000).to_string(),
            });
            let node = json!({
                "metadata": {"name": row.sn, "labels": {"kubernetes.io/hostname": row.sn}},
                "status": {"capacity": amounts, "allocatable": amounts},
            });
            cluster.add_node(&serde_json::from_value(node).unwrap());
        }
        let pods = &self.pods[..most.min(self.pods.len())];
        let mut specs = BTreeMap::new();
        let mut ids = vec![None; pods.len()];
        let mut decisions = Vec::new();
        let events = events(pods);
        for (at, event) in events.iter().enumerate() {
            let (second, what, number) = *event;
            let instant = SimTime::from_secs(second);
            decide_until(&mut cluster, instant, &mut decisions);
            cluster.now = instant;
            match (what, ids[number]) {
                (What::Begins, _) => {
                    let row = &pods[number];
                    let spec = specs.entry(row.amounts()).or_insert_with(|| row.spec());
                    let name = row.name.clone();
                    let id = cluster.make_pod("default", name, &Labels::default(), spec);
                    ids[number] = Some(id);
                    cluster.tell_of(id);
                }
                (_, Some(id)) => cluster.end(id),
                (_, None) => unreachable!("a pod begins before it ends"),
            }
            // What happens in the same second is told before anything is decided, but for the end
            // of what has just begun.
            let is_last = |next: &(u64, What, usize)| next.0 > second || next.1 > What::Begins;
            if events.get(at + 1).is_none_or(is_last) {
                decisions.extend(std::iter::from_fn(|| cluster.decide()));
            }
        }
        decisions
    }
}

impl PodRow {
    fn amounts(&self) -> [u64; 3] {
        [self.cpu_milli, self.memory_mib, self.num_gpu * self.gpu_milli]
    }

    fn spec(&self) -> Arc<PodSpec> {
        let [cpu, memory, gpu] = self.amounts();
        let mut requests = json!({"cpu": format!("{cpu}m"), "memory": format!("{memory}Mi")});
        if gpu > 0 {
            requests[GPU_MILLI] = json!(gpu.to_string());
        }
        let resources = json!({"requests": requests, "limits": requests});
        let containers = json!([{"name": "main", "image": "main", "resources": resources}]);
        spec_of(&serde_json::from_value(json!({"spec": {"containers": containers}})).unwrap())
    }
}

/// When which pod begins or ends: within a second what ends comes first.
fn events(pods: &[PodRow]) -> Vec<(u64, What, usize)> {
    let mut events = Vec::with_capacity(2 * pods.len());
    for (number, pod) in pods.iter().enumerate() {
        let at_once = pod.deletion_time <= pod.creation_time;
        let ends = if at_once { What::EndsAtOnce } else { What::Ends };
        events.push((pod.creation_time, What::Begins, number));
        events.push((pod.deletion_time.max(pod.creation_time), ends, number));
    }
    events.sort_unstable();
    events
}

/// Wakes the scheduler whenever it wants to be woken before `end`.
fn decide_until(cluster: &mut Cluster, end: SimTime, decisions: &mut Vec<Decision>) {
    loop {
        let wake = cluster.scheduler.next_wake(cluster.now);
        if wake >= end {
            return;
        }
        cluster.now = wake;
        decisions.extend(std::iter::from_fn(|| cluster.decide()));
    }
}

fn rows<T: for<'a> Deserialize<'a>>(name: &str) -> Vec<T> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/workloads/openb");
    let file = File::open(folder.join(format!("{name}.csv.gz"))).unwrap();
    csv::Reader::from_reader(GzDecoder::new(file)).deserialize().map(Result::unwrap).collect()
}
