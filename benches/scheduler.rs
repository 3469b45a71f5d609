//! Scheduling decisions per CPU second, in the shapes of kube-scheduler's own performance suite.
//!
//! `cargo bench --bench scheduler [-- [--pods N] WORD...]` runs each workload of
//! `benches/workloads/` whose name holds one of the words; `--pods` changes how many are measured.
//! From a pod's creation to its binding, Events included: the informers' calls, the queue, the
//! cycle with the full default profile, assuming, the binding's return, the text of the Event.
//! Before it reports a figure it runs the beginning of the workload by the plain path as well, and
//! says nothing if one decision differs.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]
#![allow(clippy::unwrap_used, reason = "a benchmark that can't run shall say so and stop")]

use cpu_time::ProcessTime;
use k8s_openapi::api::core::v1 as k8s;
use serde::Deserialize;
use slotmap::SlotMap;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use stormglass::api::labels::{Labels, Selector};
use stormglass::api::node::{HOSTNAME_LABEL, Node, ZONE_LABEL};
use stormglass::api::pod::Pod;
use stormglass::api::{NodeId, ObjectName, PodId, convert};
use stormglass::control::scheduler::Scheduler;
use stormglass::control::scheduler::config::SchedulerConfiguration;
use stormglass::control::scheduler::decision::{Decision, Nomination};
use stormglass::units::{SimDuration, SimTime};

/// Decisions of the measured part that are compared with the plain path's.
const COMPARED: usize = 1_000;

/// A uniform workload; `benches/README.md` says where it comes from.
#[derive(Deserialize)]
struct Workload {
    name: String,
    #[serde(default)]
    objects: Vec<serde_json::Value>,
    nodes: Nodes,
    #[serde(default)]
    zones: Vec<String>,
    init: Vec<Pods>,
    measured: Pods,
    config: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Nodes {
    count: usize,
    prefix: String,
    template: k8s::Node,
}

#[derive(Deserialize)]
struct Pods {
    count: usize,
    prefix: String,
    template: k8s::Pod,
    #[serde(default)]
    namespaces: Vec<String>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    // `cargo test --benches` only asks whether it builds.
    if arguments.iter().any(|a| a == "--test") {
        return;
    }
    let pods = arguments.iter().position(|a| a == "--pods");
    let count = pods.map(|at| arguments[at + 1].parse::<usize>().expect("--pods needs a number"));
    let is_word = |i: &usize| pods.is_none_or(|at| *i != at && *i != at + 1);
    let words: Vec<&String> = (0..arguments.len()).filter(is_word).map(|i| &arguments[i]).collect();
    let real = real_figures();
    println!("| workload | decisions | CPU, s | decisions/CPU-s | kube-scheduler | ratio |");
    println!("|---|---:|---:|---:|---:|---:|");
    for mut workload in workloads() {
        if !words.is_empty() && !words.iter().any(|w| workload.name.contains(*w)) {
            continue;
        }
        workload.measured.count = count.unwrap_or(workload.measured.count);
        row(&workload, &real);
    }
}

fn workloads() -> Vec<Workload> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/workloads");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.retain(|f| !f.file_stem().unwrap().to_string_lossy().starts_with("kube-scheduler"));
    files.sort();
    files.iter().map(|f| serde_json::from_slice(&fs::read(f).unwrap()).unwrap()).collect()
}

/// What the real scheduler reached: name and decisions per CPU second.
fn real_figures() -> Vec<(String, f64)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/workloads");
    let file = folder.join("kube-scheduler-1.37.2.json");
    let all: serde_json::Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let row = |r: &serde_json::Value| {
        (r["name"].as_str().unwrap().to_owned(), r["decisionsPerCPUSecond"].as_f64().unwrap())
    };
    all["results"].as_array().unwrap().iter().map(row).collect()
}

fn row(workload: &Workload, real: &[(String, f64)]) {
    let mut plain = Cluster::new(workload, false);
    let expected = plain.measure(COMPARED);
    let mut fast = Cluster::new(workload, true);
    let start = ProcessTime::now();
    let decisions = fast.measure(usize::MAX);
    let seconds = start.elapsed().as_secs_f64();
    if decisions[..expected.len()] != expected[..] {
        println!("| {} | differs from the plain path | | | | |", workload.name);
        return;
    }
    let rate = decisions.len() as f64 / seconds;
    let real = real.iter().find(|(name, _)| *name == workload.name).map_or(f64::NAN, |r| r.1);
    println!(
        "| {} | {} | {seconds:.3} | {rate:.0} | {real:.0} | {:.0} |",
        workload.name,
        decisions.len(),
        rate / real
    );
}

/// A cluster with its scheduler; bindings and deletions happen at once.
struct Cluster {
    scheduler: Scheduler,
    nodes: SlotMap<NodeId, Node>,
    pods: SlotMap<PodId, Pod>,
    waiting: Vec<PodId>,
    now: SimTime,
}

impl Cluster {
    /// The workload with its initial pods placed and the measured ones made, but not told of.
    fn new(workload: &Workload, fast: bool) -> Cluster {
        let given = workload.config.clone().map(|c| serde_json::from_value(c).unwrap());
        let configuration: SchedulerConfiguration = given.unwrap_or_default();
        let mut cluster = Cluster {
            scheduler: Scheduler::new(&configuration).unwrap(),
            nodes: SlotMap::with_key(),
            pods: SlotMap::with_key(),
            waiting: Vec::new(),
            now: SimTime::ZERO,
        };
        cluster.scheduler.set_fast(fast);
        workload.objects.iter().for_each(|object| cluster.tell(object));
        cluster.add_nodes(workload);
        for group in &workload.init {
            // Initial pods are placed quickly in any case: they are not what is measured.
            cluster.scheduler.set_fast(true);
            cluster.make(group);
            cluster.measure(usize::MAX);
        }
        cluster.scheduler.set_fast(fast);
        cluster.make(&workload.measured);
        cluster
    }

    fn tell(&mut self, object: &serde_json::Value) {
        let metadata = &object["metadata"];
        let name = metadata["name"].as_str().unwrap();
        let labels = |value: &serde_json::Value| -> Labels {
            let map = serde_json::from_value(value.clone()).unwrap_or_default();
            convert::labels(Some(&map))
        };
        match object["kind"].as_str().unwrap() {
            "Namespace" => self.scheduler.set_namespace(name.into(), labels(&metadata["labels"])),
            "Service" => {
                let namespace = metadata["namespace"].as_str().unwrap_or("default");
                let selector = Selector::from_labels(&labels(&object["spec"]["selector"]));
                self.scheduler.set_service(ObjectName::new(namespace, name), Some(selector));
            }
            other => panic!("an object of kind {other}"),
        }
    }

    fn add_nodes(&mut self, workload: &Workload) {
        let mut template = workload.nodes.template.clone();
        for i in 0..workload.nodes.count {
            let name = format!("{}{i}", workload.nodes.prefix);
            let labels = template.metadata.labels.get_or_insert_default();
            labels.insert(HOSTNAME_LABEL.into(), name.clone());
            if !workload.zones.is_empty() {
                let zone = &workload.zones[i % workload.zones.len()];
                labels.insert(ZONE_LABEL.into(), zone.clone());
            }
            template.metadata.name = Some(name);
            let mut errors = Vec::new();
            let node = convert::node::node(&template, "node", &mut errors);
            assert!(errors.is_empty(), "{errors:?}");
            let id = self.nodes.insert(node);
            self.scheduler.add_node(id, Arc::new(self.nodes[id].clone()), self.now);
        }
    }

    fn make(&mut self, group: &Pods) {
        let mut errors = Vec::new();
        let spec = group.template.spec.as_ref().unwrap();
        let mut converted = convert::pod::pod_spec(spec, "spec", &mut errors);
        assert!(errors.is_empty(), "{errors:?}");
        converted.priority = spec.priority.unwrap_or(0);
        let spec = Arc::new(converted);
        let labels = convert::labels(group.template.metadata.labels.as_ref());
        let own = group.template.metadata.namespace.as_deref().unwrap_or("default");
        for i in 0..group.count {
            let namespaces = &group.namespaces;
            let at = i.checked_rem(namespaces.len());
            self.waiting.push(self.pods.insert(Pod {
                started: SimTime::ZERO,
                ..Pod::pending(
                    at.map_or(own, |at| &namespaces[at]).into(),
                    format!("{}{i}", group.prefix).into(),
                    labels.clone(),
                    Arc::clone(&spec),
                    SimTime::ZERO,
                )
            }));
        }
    }

    /// Tells the scheduler of the pods that wait and carries out what it decides, until nothing
    /// can be popped or there are `most` decisions.
    fn measure(&mut self, most: usize) -> Vec<Decision> {
        for pod in std::mem::take(&mut self.waiting) {
            self.scheduler.add_pod(pod, &self.pods[pod], self.now);
        }
        let mut decisions = Vec::new();
        while decisions.len() < most
            && let Some(decision) = self.scheduler.schedule_one(self.now)
        {
            // A real cycle takes time, too; a tenth of a millisecond keeps back-offs in play.
            self.now += SimDuration::from_micros(100);
            self.carry_out(&decision);
            decisions.push(decision);
        }
        decisions
    }

    fn carry_out(&mut self, decision: &Decision) {
        match decision {
            Decision::Scheduled { pod, node, .. } => {
                let object = &mut self.pods[*pod];
                object.node = Some(*node);
                let (namespace, name) = (&object.namespace, &object.name);
                let to = &self.nodes[*node].name;
                black_box(format!("Successfully assigned {namespace}/{name} to {to}"));
                self.scheduler.binding_finished(*pod, true, self.now);
                self.scheduler.update_pod(*pod, &self.pods[*pod], self.now);
            }
            Decision::Unschedulable { pod, victims, nomination, .. } => {
                if let Nomination::Set(node) = nomination
                    && self.pods[*pod].nominated != *node
                {
                    self.pods[*pod].nominated = *node;
                    self.scheduler.update_pod(*pod, &self.pods[*pod], self.now);
                }
                for victim in victims {
                    self.pods.remove(*victim);
                    self.scheduler.remove_pod(*victim, self.now);
                }
                self.scheduler.preemption_finished(*pod, self.now);
            }
        }
    }
}
