//! What pods use of their nodes' memory, and which nodes might run short of it.
//!
//! Nothing is ticked, and nothing is summed where nothing can run short: pods of a Deployment that
//! never use more than they request fit wherever the scheduler puts them. For the others there is a
//! ceiling for each Deployment: while no pod is above it, only nodes that might be short at the
//! ceilings (`near`) are looked at when usage changes. Evictions are for `eviction/`.

use super::eviction::Observation;
use super::state::Containers;
use crate::api::pod::PodSpec;
use crate::api::{NodeId, PodId};
use crate::scenario::eviction::{Bound, Signal};
use crate::scenario::kubectl::Command;
use crate::scenario::model::Happening;
use crate::units::Bytes;
use crate::world::memory::limit_of;
use crate::world::world::World;
use std::collections::BTreeSet;

/// What the usual hard threshold keeps free on top of what pods may request.
const RESERVED: Bytes = Bytes::mebi(100);
/// How far above its present usage a Deployment's ceiling is put.
const SLACK: f64 = 1.25;
/// Pods' memory comes in pages of so many bytes.
const PAGE: i64 = 4096;

/// Which nodes are watched for their memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryWatch {
    /// Bytes of a pod of each Deployment up to which nodes that are not `near` have enough.
    ceilings: Vec<f64>,
    /// Bytes of a serving pod of each, when the near nodes were last looked at.
    levels: Vec<f64>,
    /// Nodes that might be short of memory with all pods at the ceilings.
    near: BTreeSet<NodeId>,
}

/// Whether a person applies an object: pods may have another specification from then on.
fn applies(what: &Happening) -> bool {
    match what {
        Happening::Kubectl(command) => matches!(**command, Command::Apply { .. }),
        _ => false,
    }
}

impl World<'_> {
    /// Begins to watch the nodes' memory, if anything can make it run short.
    pub(in crate::world) fn watch_nodes_memory(&mut self) {
        let flags = &self.scenario.flags.kubelet;
        let hard = flags.eviction_hard.of(Signal::Memory);
        let is_usual = hard.is_none_or(|bound| bound == Bound::Bytes(RESERVED))
            && flags.eviction_soft.of(Signal::Memory).is_none();
        let bearers = || self.scenario.objects.bearers().enumerate();
        let may_run_short = !is_usual
            || self.scenario.timeline.iter().any(|entry| applies(&entry.what))
            || bearers().any(|(workload, bearer)| self.may_exceed_request(workload, bearer.spec));
        if may_run_short {
            self.evictions.memory = Some(Box::default());
            self.memory_settles();
        }
    }

    /// Whether pods of a Deployment can use more memory than they request.
    fn may_exceed_request(&self, workload: usize, spec: &PodSpec) -> bool {
        if self.scenario.workloads[workload].is_resized {
            return true;
        }
        let request = spec.requests().memory.0 as f64;
        let is_limited = limit_of(spec).is_some_and(|limit| limit.0 as f64 <= request);
        (self.leaks(workload) && !is_limited) || self.most_memory(workload) > request
    }

    /// The most bytes that a pod of a Deployment ever uses: beyond its limit it is killed.
    fn most_memory(&self, workload: usize) -> f64 {
        let pod = &self.network.stations[workload].pod;
        let queued = pod.rate * pod.wait_max;
        let most = pod.memory.0 + pod.memory.1 * (f64::from(pod.servers) + queued);
        let limit = pod.memory_limit.filter(|_| !self.scenario.workloads[workload].is_resized);
        most.min(limit.unwrap_or(f64::INFINITY))
    }

    /// Bytes that a pod's containers use, and how many more each second.
    fn memory_used_by(&self, pod: PodId) -> (f64, f64) {
        let Some(state) = self.pods.get(pod) else { return (0.0, 0.0) };
        let Some(workload) = state.workload().filter(|_| state.containers == Containers::Running)
        else {
            return (0.0, 0.0);
        };
        let is_live = self.network.is_live(pod);
        let used = match is_live {
            true => self.network.memory_of(pod, workload),
            false => self.network.stations[workload].pod.memory.0,
        };
        if !self.leaks(workload) {
            return (used, 0.0);
        }
        let growth = self.scenario.workloads[workload].failings.memory_growth;
        (used + self.leaked(pod, workload), growth.0 as f64 / 60.0)
    }

    /// The same in whole pages, as it is measured.
    pub(super) fn measured_memory(&self, pod: PodId) -> i64 {
        self.memory_used_by(pod).0 as i64 / PAGE * PAGE
    }

    /// Bytes that the pods of a node can use before there is no more: the kernel's limit of them
    /// all. Daemons of the node use what is reserved for them.
    fn memory_for_pods(&self, node: NodeId) -> i64 {
        let Some(n) = self.store.node(node) else { return 0 };
        (n.allocatable.memory.0 + RESERVED.0).min(n.capacity.memory.0)
    }

    /// What there is of a node's memory.
    pub(super) fn observe_memory(&self, node: NodeId) -> Observation {
        let capacity = self.store.node(node).map_or(0, |n| n.capacity.memory.0);
        let pages = (self.memory_left(node) / PAGE as f64).floor() as i64;
        Observation { available: pages * PAGE, capacity }
    }

    /// Bytes that a node's pods may still use; below zero: they use more than there is.
    pub(super) fn memory_left(&self, node: NodeId) -> f64 {
        let pods = self.store.pods_on(node).iter();
        let used: f64 = pods.map(|pod| self.memory_used_by(*pod).0).sum();
        self.memory_for_pods(node) as f64 - used
    }

    /// Bytes more that the pods of a node use each second.
    pub(super) fn memory_grows_by(&self, node: NodeId) -> f64 {
        let any = |workload| self.leaks(workload);
        if !(0..self.scenario.workloads.len()).any(any) {
            return 0.0;
        }
        self.store.pods_on(node).iter().map(|pod| self.memory_used_by(*pod).1).sum()
    }

    /// Rates have changed, and with them what pods use: looks at the nodes that may be short now.
    pub(in crate::world) fn memory_settles(&mut self) {
        let Some(mut watch) = self.evictions.memory.take() else { return };
        let all = 0..self.network.stations.len();
        let levels: Vec<f64> = all.map(|station| self.network.most_memory_at(station)).collect();
        let changed = levels != watch.levels;
        if changed {
            let pairs = || levels.iter().zip(&watch.ceilings);
            let is_above = watch.ceilings.is_empty() || pairs().any(|(level, most)| level > most);
            let is_far_below =
                !watch.near.is_empty() && pairs().all(|(level, most)| level * 2.0 < *most);
            if is_above || is_far_below {
                self.raise_ceilings(&mut watch, &levels);
            }
            watch.levels = levels;
            watch.near.retain(|node| self.nodes.contains_key(*node));
        }
        let near: Vec<NodeId> = if changed { watch.near.iter().copied().collect() } else { vec![] };
        self.evictions.memory = Some(watch);
        for node in near {
            self.memory_may_be_short(node);
        }
    }

    /// Puts new ceilings above the present usage, and finds the nodes that may be short below them.
    fn raise_ceilings(&mut self, watch: &mut MemoryWatch, levels: &[f64]) {
        let ceiling = |(workload, level): (usize, &f64)| {
            (level * SLACK).min(self.most_memory(workload)).max(*level)
        };
        watch.ceilings = levels.iter().enumerate().map(ceiling).collect();
        let nodes = self.nodes.keys().filter(|node| !self.has_enough_below(watch, *node));
        watch.near = nodes.collect();
    }

    /// Whether a node has enough memory with all that runs there at the ceilings.
    fn has_enough_below(&self, watch: &MemoryWatch, node: NodeId) -> bool {
        let most = |pod: &PodId| {
            let state = self.pods.get(*pod)?;
            let runs = state.containers == Containers::Running;
            let workload = state.workload().filter(|_| runs)?;
            // What leaks keeps to no ceiling.
            let ceiling = watch.ceilings.get(workload).copied()?;
            Some(if self.leaks(workload) { f64::INFINITY } else { ceiling })
        };
        let used: f64 = self.store.pods_on(node).iter().filter_map(most).sum();
        let capacity = self.store.node(node).map_or(0, |n| n.capacity.memory.0);
        let kept = self.evictions.most_of(Signal::Memory, capacity);
        used <= (self.memory_for_pods(node) - kept) as f64
    }

    /// Containers of a pod have started: its node has less memory left.
    pub(super) fn memory_is_taken(&mut self, pod: PodId) {
        let Some(mut watch) = self.evictions.memory.take() else { return };
        let node = self.store.pod(pod).and_then(|p| p.node);
        let node =
            node.filter(|node| watch.near.contains(node) || !self.has_enough_below(&watch, *node));
        watch.near.extend(node);
        self.evictions.memory = Some(watch);
        if let Some(node) = node {
            self.memory_may_be_short(node);
        }
    }
}
