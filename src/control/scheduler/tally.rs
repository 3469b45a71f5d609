//! What a plugin may keep between cycles instead of counting it anew in each: tallies.
//!
//! A plugin whose answers depend on other nodes and the pods on them (spreading, affinity between
//! pods) counts all pods before each cycle. Its tally knows for one kind of pod what lies on each
//! node and the sums over all; when a node's record is touched, only that node is counted again.
//! Sums of integers do not depend on the order of counting, so a tally says what counting anew
//! would. This file knows no plugin and nothing of how touched nodes are found.

use super::framework::{NodeIndex, Status};
use super::node_info::NodeInfo;
use super::pod_info::PodInfo;
use super::topologies::Topologies;
use std::any::Any;

/// What tallies count on.
pub struct Ground<'a> {
    /// All records by [`NodeIndex`].
    pub nodes: &'a [NodeInfo],
    /// Which domain each node lies in.
    pub topologies: &'a mut Topologies,
}

/// Numbers that follow the nodes.
pub trait Tally: Any + Send {
    /// Counts a node again, or for the first time, for pods like `pod`. `relabelled`: the node
    /// object itself may differ from the one counted before.
    fn recount(
        &mut self,
        pod: &PodInfo,
        ground: &mut Ground<'_>,
        node: NodeIndex,
        relabelled: bool,
    );

    /// A counted node is no longer among the nodes.
    fn leave(&mut self, node: NodeIndex);

    /// Whether what is counted depends on the pod's namespace itself, beyond what
    /// [`Tally::counts_like`] compares. Pods on the nodes that name namespaces in their terms of
    /// affinity are left out of account: while there are any, namespaces are told apart anyway.
    fn heeds_namespace(&self) -> bool {
        true
    }

    /// Whether what is counted depends on the pod's labels and owner themselves, beyond what
    /// [`Tally::counts_like`] compares. Terms of affinity of pods on the nodes are left out of
    /// account: while there are any, labels are told apart anyway.
    fn heeds_labels(&self) -> bool {
        true
    }

    /// Whether `other`, an empty tally of the same plugin, would count the same: objects that
    /// plugins read have changed, but not what matters here.
    fn counts_like(&self, other: &dyn Any) -> bool;
}

/// A tally that filters.
pub trait FilterTally: Tally {
    /// Prepares for verdicts on what is counted now; whether any node may be rejected at all.
    fn prepare(&mut self) -> bool;

    /// The verdict on a node.
    fn admits(&self, topologies: &Topologies, node: NodeIndex) -> bool;

    /// The verdict in words.
    fn verdict(&self, topologies: &Topologies, node: NodeIndex) -> Status;
}

/// A tally that scores.
pub trait ScoreTally: Tally {
    /// Whether as things are it gives every node the same, whichever are feasible.
    fn is_silent(&self) -> bool;

    /// Adds `weight` times the normalised score of each feasible node to `totals`, in the order
    /// of `feasible`.
    fn add_scores(
        &mut self,
        topologies: &Topologies,
        feasible: &[NodeIndex],
        weight: i64,
        totals: &mut [i64],
    );
}
