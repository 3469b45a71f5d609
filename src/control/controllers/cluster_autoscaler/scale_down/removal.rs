//! Removing nodes in thought: do their pods find another place?
//!
//! Source: cluster-autoscaler `simulator/cluster.go` (`SimulateNodeRemoval`), `simulator/drain.go`,
//! `core/scaledown/pdb/basic.go`, July 2026. What has been moved in thought stays moved for the
//! nodes looked at next.

use super::super::scale_up::Scan;
use super::Candidate;
use super::drainability::{Drainability, drainability, heeds_budgets};
use crate::api::node::{Node, NodeReady};
use crate::api::{NodeId, OwnerId, PdbId, PodId};
use crate::control::controllers::disruption;
use crate::control::flags::ClusterAutoscalerFlags;
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::simulator::{Bin, Mark, Needs};
use std::collections::{BTreeMap, BTreeSet};

/// The cluster while nodes are taken out of it in thought.
pub(super) struct Removal<'s, 'a> {
    scan: &'s Scan<'a>,
    flags: &'s ClusterAutoscalerFlags,
    /// Whether a node is there to stay.
    stays: &'s dyn Fn(NodeId, &Node) -> bool,
    /// Where pods could go, in the order of nodes; made when the first pod has to go elsewhere.
    places: Option<Vec<Place<'a>>>,
    /// What each budget still allows.
    allowed: BTreeMap<PdbId, u32>,
    /// Needs of the pods of each ReplicaSet, made once.
    needs: BTreeMap<OwnerId, Needs>,
    /// Nodes taken out.
    gone: BTreeSet<NodeId>,
    /// Where the search for a place begins: it goes round, as upstream's.
    next: usize,
}

/// A node that pods could go to, with the room left on it once somebody has looked.
struct Place<'a> {
    id: NodeId,
    node: &'a Node,
    bin: Option<Bin<'a>>,
}

impl<'s, 'a> Removal<'s, 'a> {
    pub(super) fn new(
        scan: &'s Scan<'a>,
        flags: &'s ClusterAutoscalerFlags,
        stays: &'s dyn Fn(NodeId, &Node) -> bool,
    ) -> Removal<'s, 'a> {
        let pdbs = scan.simulator.store.pdbs();
        let allowed = pdbs.map(|(id, pdb)| (id, pdb.status.disruptions_allowed)).collect();
        let (needs, gone) = (BTreeMap::new(), BTreeSet::new());
        Removal { scan, flags, stays, places: None, allowed, needs, gone, next: 0 }
    }

    /// Takes a node out if its pods find another place.
    pub(super) fn try_remove(&mut self, id: NodeId) -> Option<Candidate> {
        let pods = self.pods_to_move(id)?;
        let mut places = match pods.is_empty() {
            true => Vec::new(),
            false => self.places.take().unwrap_or_else(|| self.find_places()),
        };
        let candidate = self.empty_out(id, &pods, &mut places);
        if !pods.is_empty() {
            self.places = Some(places);
        }
        candidate
    }

    /// Ready nodes that stay.
    fn find_places(&self) -> Vec<Place<'a>> {
        let stays =
            |(id, node): &(NodeId, &Node)| node.ready == NodeReady::True && (self.stays)(*id, node);
        let nodes = self.scan.simulator.store.nodes().filter(stays);
        nodes.map(|(id, node)| Place { id, node, bin: None }).collect()
    }

    /// Moves all pods of a node elsewhere, or none.
    fn empty_out(
        &mut self,
        id: NodeId,
        pods: &[PodId],
        places: &mut [Place<'a>],
    ) -> Option<Candidate> {
        let mut marks: Vec<(usize, Mark)> = Vec::new();
        for pod in pods {
            let needs = self.needs_of(*pod)?;
            let Some(at) = self.find_place(&needs, id, places, &mut marks) else {
                for (at, mark) in marks.into_iter().rev() {
                    if let Some(bin) = &mut places[at].bin {
                        bin.restore(mark);
                    }
                }
                return None;
            };
            self.next = at;
        }
        self.gone.insert(id);
        let risky = self.take_from_budgets(pods);
        Some(Candidate { id, empty: pods.is_empty(), risky })
    }

    fn find_place(
        &self,
        needs: &Needs,
        own: NodeId,
        places: &mut [Place<'a>],
        marks: &mut Vec<(usize, Mark)>,
    ) -> Option<usize> {
        let simulator = &self.scan.simulator;
        let n = places.len();
        for at in (self.next..n).chain(0..self.next) {
            let Place { id, node, bin } = &mut places[at];
            if *id == own || self.gone.contains(id) {
                continue;
            }
            let bin = bin.get_or_insert_with(|| simulator.bin(*id, node));
            let mark = bin.mark();
            if simulator.place(bin, needs, 1) == 1 {
                marks.push((at, mark));
                return Some(at);
            }
        }
        None
    }

    fn needs_of(&mut self, id: PodId) -> Option<Needs> {
        let pod = self.scan.simulator.store.pod(id)?;
        let make = || Needs::new(PodInfo::hypothetical(&pod.spec, &pod.namespace, &pod.labels));
        let Some(owner) = pod.owner else { return Some(make()) };
        Some(self.needs.entry(owner).or_insert_with(make).clone())
    }

    /// The pods that have to go elsewhere; `None`: one of them keeps the node.
    fn pods_to_move(&self, id: NodeId) -> Option<Vec<PodId>> {
        let store = self.scan.simulator.store;
        let mut pods = Vec::new();
        for pod_id in store.pods_on(id) {
            let Some(pod) = store.pod(*pod_id) else { continue };
            match drainability(pod, *pod_id, store, self.flags, self.scan.now) {
                Drainability::Skip => continue,
                Drainability::Keep => return None,
                Drainability::Move => {}
            }
            let mut budgets = disruption::budgets_of(store, *pod_id).into_iter();
            let is_exhausted = |pdb| self.allowed.get(&pdb).is_some_and(|n| *n == 0);
            if heeds_budgets(pod) && budgets.any(is_exhausted) {
                return None;
            }
            pods.push(*pod_id);
        }
        Some(pods)
    }

    /// Counts the pods against their budgets; true when a budget does not allow all of them.
    fn take_from_budgets(&mut self, pods: &[PodId]) -> bool {
        let store = self.scan.simulator.store;
        let mut risky = false;
        for pdb in pods.iter().flat_map(|pod| disruption::budgets_of(store, *pod)) {
            if let Some(left) = self.allowed.get_mut(&pdb) {
                risky |= *left == 0;
                *left = left.saturating_sub(1);
            }
        }
        risky
    }
}
