//! The cluster autoscaler: more nodes for pods that find none, fewer where they idle.
//!
//! Source: kubernetes/autoscaler `cluster-autoscaler/core/static_autoscaler.go` and its FAQ, August
//! 2026. It scans on a grid; with nothing pending and nothing to remove it sleeps until something
//! changes, with the result of scanning every interval.

mod estimator;
mod expander;
mod scale_down;
mod scale_up;

use super::action::Outcome;
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::api::{NodeId, ReplicaSetId};
use crate::control::flags::ClusterAutoscalerFlags;
use crate::control::scheduler::config::ProfileConfiguration;
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::scheduler::what_if::WhatIf;
use crate::store::Store;
use crate::units::{SimDuration, SimTime};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A node group as the cloud provider shows it.
#[derive(Clone, Debug)]
pub struct GroupView {
    /// Its name.
    pub name: String,
    /// Whether the autoscaler may change it.
    pub autoscaled: bool,
    /// Lower limit.
    pub min: u32,
    /// Upper limit.
    pub max: u32,
    /// Machines wanted.
    pub target: u32,
    /// What a new node of it would look like.
    pub template: Arc<Node>,
    /// Price of a machine per hour.
    pub price_per_hour: f64,
    /// When each machine that has not registered was asked for, oldest first.
    pub booting: Vec<SimTime>,
}

/// What keeps the autoscaler from helping pods that wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// A group stands at its limit.
    GroupMax(String, u32),
    /// The cluster stands at `--max-nodes-total`.
    Total(u32),
}

/// The autoscaler and its memory.
pub struct ClusterAutoscaler {
    flags: ClusterAutoscalerFlags,
    what_if: WhatIf,
    last_scale_up: Option<SimTime>,
    last_scale_down: Option<SimTime>,
    /// Nodes that are not needed, and since when.
    unneeded: BTreeMap<NodeId, SimTime>,
    /// Nodes being drained.
    draining: BTreeMap<NodeId, SimTime>,
    /// Groups that failed to bring nodes: until when they are left alone, and for how long next.
    backoff: BTreeMap<usize, (SimTime, SimDuration)>,
    held: Option<Held>,
    /// State of the store and the groups at the last scan that found nothing to do, while no clock
    /// ran: the next one would find the same.
    fruitless: Option<(u64, Vec<(u32, u32, usize)>)>,
}

impl std::fmt::Debug for ClusterAutoscaler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterAutoscaler")
            .field("unneeded", &self.unneeded)
            .finish_non_exhaustive()
    }
}

impl ClusterAutoscaler {
    /// An autoscaler with these flags.
    pub fn new(flags: &ClusterAutoscalerFlags) -> ClusterAutoscaler {
        let what_if = WhatIf::new(&ProfileConfiguration::default());
        ClusterAutoscaler {
            flags: flags.clone(),
            what_if: what_if.expect("the default profile is valid"),
            last_scale_up: None,
            last_scale_down: None,
            unneeded: BTreeMap::new(),
            draining: BTreeMap::new(),
            backoff: BTreeMap::new(),
            held: None,
            fruitless: None,
        }
    }

    /// Its flags.
    pub fn flags(&self) -> &ClusterAutoscalerFlags {
        &self.flags
    }

    /// Changes `--max-nodes-total`.
    pub fn set_max_nodes_total(&mut self, max: u32) {
        self.flags.max_nodes_total = max;
        self.fruitless = None;
    }

    /// What kept it from helping at the last scan.
    pub fn held(&self) -> Option<&Held> {
        self.held.as_ref()
    }

    /// One scan. `pick(n)` draws a number below `n`, for the random expander.
    pub fn sync(
        &mut self,
        store: &Store,
        groups: &[GroupView],
        pick: &mut dyn FnMut(usize) -> usize,
        now: SimTime,
    ) -> Outcome {
        let mut outcome = Outcome::idle();
        let scan = self.flags.scan_interval;
        if now.next_on_grid(SimTime::ZERO, scan) != now {
            outcome.wake(now.next_on_grid(SimTime::ZERO, scan));
            return outcome;
        }
        let state = (store.resource_version(), sizes(groups));
        if self.fruitless.as_ref() == Some(&state) {
            return outcome;
        }
        self.give_up_on_late_machines(groups, now, &mut outcome);
        let waiting = self.scale_up(store, groups, pick, now, &mut outcome);
        if !waiting && self.flags.scale_down_enabled {
            self.scale_down(store, groups, now, &mut outcome);
        }
        let clocks = !self.unneeded.is_empty() || !self.draining.is_empty();
        let booting = groups.iter().any(|group| !group.booting.is_empty());
        let backing_off = self.backoff.values().any(|(until, _)| *until > now);
        let delayed = self.flags.new_pod_scale_up_delay > SimDuration::ZERO;
        if outcome.batches.is_empty() && !delayed && !clocks && !booting && !backing_off {
            // Only a change can make the next scan come to something: the world tells of it.
            self.fruitless = Some(state);
            return outcome;
        }
        self.fruitless = None;
        let busy = waiting || !self.unneeded.is_empty() || !self.draining.is_empty();
        if busy || booting {
            outcome.wake(now + scan);
        }
        outcome
    }
}

/// The pods of a node as the filters see them: what equal pods share is made once per owner.
#[derive(Debug, Default)]
struct Views(BTreeMap<ReplicaSetId, Arc<PodInfo>>);

impl Views {
    fn of(&mut self, pod: &Pod) -> Arc<PodInfo> {
        let make = || Arc::new(PodInfo::hypothetical(&pod.spec, &pod.namespace, &pod.labels));
        match pod.owner {
            Some(owner) => Arc::clone(self.0.entry(owner).or_insert_with(make)),
            None => make(),
        }
    }

    /// A node with the pods that are on it.
    fn node(&mut self, store: &Store, id: NodeId, node: &Node) -> NodeInfo {
        let pods = store.pods_on(id).iter().filter_map(|pod| store.pod(*pod));
        let live = pods.filter(|pod| !pod.phase.is_terminal()).map(|pod| self.of(pod));
        NodeInfo::with_pods(Arc::new(node.clone()), live)
    }
}

/// What a scan reads of the groups beside their constants.
fn sizes(groups: &[GroupView]) -> Vec<(u32, u32, usize)> {
    groups.iter().map(|group| (group.target, group.max, group.booting.len())).collect()
}
