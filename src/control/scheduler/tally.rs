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
use crate::api::Text;
use std::any::Any;
use std::collections::BTreeMap;

/// Numbers that follow the nodes.
pub trait Tally: Any + Send {
    /// Counts a node again, or for the first time, for pods like `pod`. `nodes` are all records by
    /// [`NodeIndex`]; `relabelled`: the node object itself may differ from the one counted before.
    fn recount(&mut self, pod: &PodInfo, nodes: &[NodeInfo], node: NodeIndex, relabelled: bool);

    /// A counted node is no longer among the nodes.
    fn leave(&mut self, node: NodeIndex);

    /// Whether `other`, an empty tally of the same plugin, would count the same: objects that
    /// plugins read have changed, but not what matters here.
    fn counts_like(&self, other: &dyn Any) -> bool;
}

/// A tally that filters.
pub trait FilterTally: Tally {
    /// Whether any node is rejected at all; if not, the others need not be asked.
    fn may_reject(&self) -> bool;

    /// The verdict on a node.
    fn admits(&self, node: NodeIndex) -> bool;

    /// The verdict in words.
    fn verdict(&self, node: NodeIndex) -> Status;
}

/// A tally that scores.
pub trait ScoreTally: Tally {
    /// Adds `weight` times the normalised score of each feasible node to `totals`, in the order
    /// of `feasible`.
    fn add_scores(&mut self, feasible: &[NodeIndex], weight: i64, totals: &mut [i64]);
}

/// No domain: the node lacks the topology key.
const NOWHERE: u32 = u32::MAX;

/// The values of a topology key, numbered in the order they turn up, and which node has which.
/// Numbers serve to find sums; nothing depends on their order.
#[derive(Default)]
pub struct Domains {
    numbers: BTreeMap<Text, u32>,
    of_node: Vec<u32>,
}

impl Domains {
    /// Notes the value that a node has.
    pub fn set(&mut self, node: NodeIndex, value: Option<&Text>) {
        let number = value.map_or(NOWHERE, |value| self.number(value));
        *at(&mut self.of_node, node, NOWHERE) = number;
    }

    /// The number of a value, a new one if it has none yet.
    pub fn number(&mut self, value: &Text) -> u32 {
        let next = self.numbers.len() as u32;
        match self.numbers.get(value) {
            Some(number) => *number,
            None => *self.numbers.entry(value.clone()).or_insert(next),
        }
    }

    /// The domain of a node; `None`: it lacks the key.
    pub fn of(&self, node: NodeIndex) -> Option<usize> {
        let number = *self.of_node.get(node.0 as usize)?;
        (number != NOWHERE).then_some(number as usize)
    }

    /// How many values there have been.
    pub fn len(&self) -> usize {
        self.numbers.len()
    }
}

/// The place of a node in a list by [`NodeIndex`], which grows as needed.
pub fn at<T: Clone>(list: &mut Vec<T>, node: NodeIndex, empty: T) -> &mut T {
    let index = node.0 as usize;
    if index >= list.len() {
        list.resize(index + 1, empty);
    }
    &mut list[index]
}
