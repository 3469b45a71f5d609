//! Which nodes a set's pods are meant for, and its pods by node.

use super::template;
use crate::api::daemon_set::DaemonSet;
use crate::api::node::Node;
use crate::api::pod::{Pod, PodSpec};
use crate::api::taint::{TaintEffect, Toleration};
use crate::api::{NodeId, PodId, Text};
use crate::store::Store;
use std::collections::BTreeMap;
use std::ops::Range;

/// What a set asks of nodes.
pub(super) struct Placement<'a> {
    spec: &'a PodSpec,
    tolerations: Vec<Toleration>,
}

impl<'a> Placement<'a> {
    pub(super) fn of(set: &'a DaemonSet) -> Placement<'a> {
        let spec = &*set.template.spec;
        Placement { spec, tolerations: template::tolerations(spec) }
    }

    /// Whether a pod should run on a node, and whether one that is there may stay
    /// (`NodeShouldRunDaemonPod`).
    pub(super) fn of_node(&self, node: &Node) -> (bool, bool) {
        let named = self.spec.node_name.as_ref().is_none_or(|name| *name == node.name);
        if !named || !self.spec.selects(&node.name, &node.labels) {
            return (false, false);
        }
        let untolerated = |effect: TaintEffect| {
            let mut taints = node.taints.iter();
            taints.any(|taint| taint.effect == effect && !taint.is_tolerated(&self.tolerations))
        };
        let stays = !untolerated(TaintEffect::NoExecute);
        (stays && !untolerated(TaintEffect::NoSchedule), stays)
    }
}

/// A node that a set's pods are on or should be on.
#[derive(Clone, Debug)]
pub(super) struct Spot<'a> {
    /// The node; `None`: it is gone.
    pub(super) node: Option<&'a Node>,
    /// A pod should be there.
    pub(super) runs: bool,
    /// One that is there may stay.
    pub(super) stays: bool,
    /// Its pods among all.
    pods: Range<usize>,
}

/// All spots of a set, in the order of nodes, and then those whose nodes are gone.
#[derive(Default)]
pub(super) struct Spots<'a> {
    all: Vec<Spot<'a>>,
    pods: Vec<(PodId, &'a Pod)>,
}

impl<'a> Spots<'a> {
    /// Groups a set's pods by node (`getNodesToDaemonPods`). What has ended and is being deleted is
    /// left out: it is the kubelet's or the garbage collector's business.
    pub(super) fn of(
        placement: &Placement<'_>,
        pods: Vec<(PodId, &'a Pod)>,
        store: &'a Store,
    ) -> Spots<'a> {
        let mut waiting: BTreeMap<&Text, Vec<(PodId, &Pod)>> = BTreeMap::new();
        let mut bound: Vec<(NodeId, PodId, &Pod)> = Vec::with_capacity(pods.len());
        for (id, pod) in pods {
            if pod.phase.is_terminal() && pod.deletion.is_some() {
                continue;
            }
            match (pod.node, template::target(pod)) {
                (Some(node), _) => bound.push((node, id, pod)),
                (None, Some(name)) => waiting.entry(name).or_default().push((id, pod)),
                (None, None) => {}
            }
        }
        bound.sort_by_key(|(node, ..)| *node);
        let mut spots = Spots { all: Vec::new(), pods: Vec::with_capacity(bound.len()) };
        for (id, node) in store.nodes() {
            let begin = spots.pods.len();
            let first = bound.partition_point(|(node, ..)| *node < id);
            let there = bound[first..].iter().take_while(|(node, ..)| *node == id);
            spots.pods.extend(there.map(|(_, id, pod)| (*id, *pod)));
            if !waiting.is_empty() {
                spots.pods.extend(waiting.remove(&node.name).into_iter().flatten());
            }
            let (runs, stays) = placement.of_node(node);
            spots.add(begin, Some(node), runs, stays);
        }
        let lost = bound.iter().filter(|(node, ..)| store.node(*node).is_none());
        let lost: Vec<&(NodeId, PodId, &Pod)> = lost.collect();
        for group in lost.chunk_by(|a, b| a.0 == b.0) {
            let begin = spots.pods.len();
            spots.pods.extend(group.iter().map(|(_, id, pod)| (*id, *pod)));
            spots.add(begin, None, false, false);
        }
        for group in waiting.into_values() {
            let begin = spots.pods.len();
            spots.pods.extend(group);
            spots.add(begin, None, false, false);
        }
        spots
    }

    /// A spot with the pods from `begin` on, unless it is of no interest.
    fn add(&mut self, begin: usize, node: Option<&'a Node>, runs: bool, stays: bool) {
        let pods = begin..self.pods.len();
        if runs || !pods.is_empty() {
            self.all.push(Spot { node, runs, stays, pods });
        }
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&Spot<'a>, &[(PodId, &'a Pod)])> {
        self.all.iter().map(|spot| (spot, &self.pods[spot.pods.clone()]))
    }
}
