//! The uniform workloads of `benches/workloads/`: how they are written, and how they run.

use crate::cluster::{Cluster, spec_of};
use k8s_openapi::api::core::v1 as k8s;
use serde::Deserialize;
use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use stormglass::api::labels::{Labels, Selector};
use stormglass::api::node::{HOSTNAME_LABEL, ZONE_LABEL};
use stormglass::api::{NodeId, ObjectName, PodId, convert};
use stormglass::control::scheduler::decision::Decision;
use stormglass::units::SimDuration;

/// A uniform workload; `benches/README.md` says where it comes from.
#[derive(Deserialize)]
pub struct Workload {
    pub name: String,
    #[serde(default)]
    objects: Vec<serde_json::Value>,
    pub nodes: Nodes,
    #[serde(default)]
    zones: Vec<String>,
    init: Vec<Pods>,
    pub measured: Pods,
    config: Option<serde_json::Value>,
    /// So many pods run at most: the oldest ends when the next is created, and each is created
    /// when the one before is placed. Else all measured pods are created at once.
    live: Option<usize>,
    churn: Option<Churn>,
    /// Nodes of the smaller cluster on which the plain path is compared, where it would take too
    /// long on all of them.
    pub compared_nodes: Option<usize>,
    /// Run only when asked for by its whole name, and measured with the making of its objects.
    #[serde(default)]
    pub long: bool,
    /// Decisions per CPU second that have to be reached.
    pub must: Option<f64>,
    /// What another simulator reached, where it is not kube-scheduler that is compared.
    pub peer: Option<f64>,
}

#[derive(Deserialize)]
pub struct Nodes {
    pub count: usize,
    prefix: String,
    template: k8s::Node,
}

#[derive(Deserialize)]
pub struct Pods {
    pub count: usize,
    prefix: String,
    template: k8s::Pod,
    #[serde(default)]
    namespaces: Vec<String>,
}

/// A node, a pod and a service that are replaced after every so many decisions.
#[derive(Deserialize)]
struct Churn {
    every: usize,
    pod: k8s::Pod,
    service: serde_json::Value,
}

/// A cluster in the middle of a workload.
pub struct Run<'a> {
    workload: &'a Workload,
    pub cluster: Cluster,
    waiting: Vec<PodId>,
    running: VecDeque<PodId>,
    churned: Option<(NodeId, PodId)>,
    churns: usize,
}

/// What came out.
pub struct Measured {
    /// The first decisions, as many as were asked for.
    pub first: Vec<Decision>,
    /// How many decisions there were.
    pub count: usize,
}

/// All workloads, by name.
pub fn workloads() -> Vec<Workload> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/workloads");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    let is_workload = |file: &Path| {
        let name = file.file_name().unwrap().to_string_lossy();
        name.ends_with(".json") && !name.starts_with("kube-scheduler")
    };
    files.retain(|f| is_workload(f));
    files.sort();
    files.iter().map(|f| serde_json::from_slice(&fs::read(f).unwrap()).unwrap()).collect()
}

impl Run<'_> {
    /// The workload with its initial pods placed and the measured ones made, but not told of.
    pub fn new(workload: &Workload, nodes: usize, fast: bool) -> Run<'_> {
        let given = workload.config.clone().map(|c| serde_json::from_value(c).unwrap());
        let mut run = Run {
            workload,
            cluster: Cluster::new(&given.unwrap_or_default(), fast),
            waiting: Vec::new(),
            running: VecDeque::new(),
            churned: None,
            churns: 0,
        };
        workload.objects.iter().for_each(|object| run.tell(object));
        for i in 0..nodes {
            run.add_node(&format!("{}{i}", workload.nodes.prefix), i);
        }
        for group in &workload.init {
            // Initial pods are placed quickly in any case: they are not what is measured.
            run.cluster.scheduler.set_fast(true);
            run.make(group);
            for pod in std::mem::take(&mut run.waiting) {
                run.cluster.tell_of(pod);
            }
            while run.decide(None).is_some() {}
        }
        run.cluster.scheduler.set_fast(fast);
        run.make(&workload.measured);
        run
    }

    fn tell(&mut self, object: &serde_json::Value) {
        let metadata = &object["metadata"];
        let name = metadata["name"].as_str().unwrap();
        let labels = |value: &serde_json::Value| -> Labels {
            let map = serde_json::from_value(value.clone()).unwrap_or_default();
            convert::labels(Some(&map))
        };
        let scheduler = &mut self.cluster.scheduler;
        match object["kind"].as_str().unwrap() {
            "Namespace" => scheduler.set_namespace(name.into(), labels(&metadata["labels"])),
            "Service" => {
                let namespace = metadata["namespace"].as_str().unwrap_or("default");
                let selector = Selector::from_labels(&labels(&object["spec"]["selector"]));
                scheduler.set_service(ObjectName::new(namespace, name), Some(selector));
            }
            other => panic!("an object of kind {other}"),
        }
    }

    fn add_node(&mut self, name: &str, number: usize) -> NodeId {
        let mut node = self.workload.nodes.template.clone();
        let labels = node.metadata.labels.get_or_insert_default();
        labels.insert(HOSTNAME_LABEL.into(), name.to_owned());
        let zones = &self.workload.zones;
        if !zones.is_empty() {
            labels.insert(ZONE_LABEL.into(), zones[number % zones.len()].clone());
        }
        node.metadata.name = Some(name.to_owned());
        self.cluster.add_node(&node)
    }

    fn make(&mut self, group: &Pods) {
        let spec = spec_of(&group.template);
        let labels = convert::labels(group.template.metadata.labels.as_ref());
        let own = group.template.metadata.namespace.as_deref().unwrap_or("default");
        for i in 0..group.count {
            let at = i.checked_rem(group.namespaces.len());
            let namespace = at.map_or(own, |at| &group.namespaces[at]);
            let name = format!("{}{i}", group.prefix);
            self.waiting.push(self.cluster.make_pod(namespace, name, &labels, &spec));
        }
    }

    /// Tells the scheduler of the pods that wait and carries out what it decides, until nothing
    /// can be popped or there are `most` decisions; keeps the first `kept` of them.
    pub fn measure(&mut self, most: usize, kept: usize) -> Measured {
        let mut measured = Measured { first: Vec::with_capacity(kept), count: 0 };
        let live = self.workload.live;
        for pod in std::mem::take(&mut self.waiting) {
            if let Some(live) = live {
                while self.running.len() >= live
                    && let Some(oldest) = self.running.pop_front()
                {
                    self.cluster.end(oldest);
                }
            }
            self.cluster.tell_of(pod);
            if live.is_some() {
                self.decide_all(most, kept, &mut measured);
            }
        }
        self.decide_all(most, kept, &mut measured);
        measured
    }

    fn decide_all(&mut self, most: usize, kept: usize, measured: &mut Measured) {
        while measured.count < most
            && let Some(decision) = self.decide(Some(measured.count))
        {
            measured.count += 1;
            if measured.first.len() < kept {
                measured.first.push(decision);
            }
        }
    }

    /// One decision; `number` counts those of the measured part.
    fn decide(&mut self, number: Option<usize>) -> Option<Decision> {
        if let (Some(churn), Some(number)) = (&self.workload.churn, number)
            && number / churn.every >= self.churns
        {
            self.churn(churn);
        }
        let decision = self.cluster.decide()?;
        // A real cycle takes time, too; a tenth of a millisecond keeps back-offs in play.
        self.cluster.now += SimDuration::from_micros(100);
        if let Decision::Scheduled { pod, .. } = &decision
            && self.workload.live.is_some()
        {
            self.running.push_back(*pod);
        }
        Some(decision)
    }

    /// Replaces what came last time.
    fn churn(&mut self, churn: &Churn) {
        self.churns += 1;
        let name = format!("churn-{}", self.churns);
        let cluster = &mut self.cluster;
        if let Some((node, pod)) = self.churned.take() {
            // The pods on the node stay, as they do where no controller collects them.
            cluster.scheduler.remove_node(node, cluster.now);
            cluster.end(pod);
            let service = churn.service["metadata"]["name"].as_str().unwrap();
            cluster.scheduler.set_service(ObjectName::new("default", service), None);
        }
        let node = self.add_node(&name, self.churns);
        let labels = convert::labels(churn.pod.metadata.labels.as_ref());
        let pod = self.cluster.make_pod("default", name, &labels, &spec_of(&churn.pod));
        self.cluster.tell_of(pod);
        self.tell(&churn.service);
        self.churned = Some((node, pod));
    }
}
