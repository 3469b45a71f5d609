//! Topology keys: the values that nodes have of them, numbered, so that sums per domain are lists.
//! One numbering serves all tallies. It knows labels, and nothing of what is counted.

use super::cache::Cache;
use super::framework::NodeIndex;
use super::node_info::NodeInfo;
use crate::api::Text;
use crate::api::node::Node;
use std::collections::BTreeMap;
use std::sync::Arc;

/// No domain: the node lacks the topology key.
const NOWHERE: u32 = u32::MAX;

/// The domain of the empty value in every topology.
pub const EMPTY: usize = 0;

/// All topology keys that somebody has asked for.
#[derive(Default)]
pub struct Topologies {
    keys: Vec<Topology>,
    /// By record: the node object whose labels are known.
    seen: Vec<Option<Arc<Node>>>,
    next_touch: u64,
}

/// One topology key. Numbers serve to find sums; nothing depends on their order.
struct Topology {
    name: Text,
    numbers: BTreeMap<Text, u32>,
    of_node: Vec<u32>,
}

impl Topology {
    fn set(&mut self, node: NodeIndex, info: &NodeInfo) {
        let next = self.numbers.len() as u32;
        let number = info.node.labels.get(&self.name).map_or(NOWHERE, |value| {
            match self.numbers.get(value) {
                Some(number) => *number,
                None => *self.numbers.entry(value.clone()).or_insert(next),
            }
        });
        *at(&mut self.of_node, node, NOWHERE) = number;
    }
}

impl Topologies {
    /// The number of a topology key; a new one is looked up on all nodes.
    pub fn key(&mut self, name: &Text, nodes: &[NodeInfo]) -> usize {
        if let Some(known) = self.keys.iter().position(|k| k.name == *name) {
            return known;
        }
        let numbers = BTreeMap::from([("".into(), EMPTY as u32)]);
        let mut topology = Topology { name: name.clone(), numbers, of_node: Vec::new() };
        for (i, info) in nodes.iter().enumerate() {
            topology.set(NodeIndex(i as u32), info);
        }
        self.keys.push(topology);
        self.keys.len() - 1
    }

    /// The domain of a node; `None`: it lacks the key.
    pub fn domain(&self, key: usize, node: NodeIndex) -> Option<usize> {
        let number = *self.keys[key].of_node.get(node.0 as usize)?;
        (number != NOWHERE).then_some(number as usize)
    }

    /// Takes notice of nodes that came or changed.
    pub fn follow(&mut self, cache: &Cache) {
        match cache.journal().since(self.next_touch) {
            Some(touched) => touched.for_each(|node| self.look_at(node, cache)),
            None => {
                (0..cache.infos().len()).for_each(|i| self.look_at(NodeIndex(i as u32), cache));
            }
        }
        self.next_touch = cache.journal().end();
    }

    fn look_at(&mut self, node: NodeIndex, cache: &Cache) {
        let info = cache.info(node);
        let seen = at(&mut self.seen, node, None);
        if !seen.as_ref().is_some_and(|seen| Arc::ptr_eq(seen, &info.node)) {
            *seen = Some(Arc::clone(&info.node));
            self.keys.iter_mut().for_each(|key| key.set(node, info));
        }
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
