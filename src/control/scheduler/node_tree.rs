//! The order of nodes: zones in the order first seen, taken in turn.
//!
//! Source: `pkg/scheduler/backend/cache/node_tree.go`, v1.37. It knows node indices and zone keys,
//! nothing else.

use super::framework::NodeIndex;
use crate::api::Text;
use crate::api::node::{Node, REGION_LABEL, ZONE_LABEL};

/// Zones and the nodes in each, both in the order of their arrival.
#[derive(Default)]
pub struct NodeTree {
    zones: Vec<(Text, Vec<NodeIndex>)>,
    len: usize,
}

/// Region and zone of a node as one key (`GetZoneKey`); nodes without either form a zone too.
pub fn zone_key(node: &Node) -> String {
    let label = |stable: &str, beta: &str| {
        let value = node.labels.get(beta).filter(|v| !v.is_empty());
        node.labels.get(stable).filter(|v| !v.is_empty()).or(value).map_or("", |v| v)
    };
    let region = label(REGION_LABEL, "failure-domain.beta.kubernetes.io/region");
    let zone = label(ZONE_LABEL, "failure-domain.beta.kubernetes.io/zone");
    if region.is_empty() && zone.is_empty() {
        return String::new();
    }
    format!("{region}:\0:{zone}")
}

impl NodeTree {
    /// How many nodes there are.
    pub fn node_count(&self) -> usize {
        self.len
    }

    /// Adds a node at the end of its zone; a new zone comes last. A node must not be added twice.
    /// Gives the zone's key, for all its nodes to share.
    pub fn add(&mut self, zone: &str, node: NodeIndex) -> Text {
        self.len += 1;
        if let Some((key, nodes)) = self.zones.iter_mut().find(|(key, _)| **key == *zone) {
            nodes.push(node);
            return key.clone();
        }
        let key = Text::from(zone);
        self.zones.push((key.clone(), vec![node]));
        key
    }

    /// Removes a node; its zone goes with its last node.
    pub fn remove(&mut self, zone: &str, node: NodeIndex) {
        let Some(z) = self.zones.iter().position(|(key, _)| **key == *zone) else { return };
        let nodes = &mut self.zones[z].1;
        let Some(at) = nodes.iter().position(|n| *n == node) else { return };
        nodes.remove(at);
        if nodes.is_empty() {
            self.zones.remove(z);
        }
        self.len -= 1;
    }

    /// All nodes: the first of each zone, then the second of each, and so on.
    pub fn list(&self) -> Vec<NodeIndex> {
        let mut list = Vec::with_capacity(self.len);
        let mut rank = 0;
        while list.len() < self.len {
            list.extend(self.zones.iter().filter_map(|(_, nodes)| nodes.get(rank)));
            rank += 1;
        }
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_take_turns_in_the_order_first_seen() {
        let mut tree = NodeTree::default();
        let n = NodeIndex;
        for (zone, node) in [("b", n(0)), ("b", n(1)), ("a", n(2)), ("b", n(3)), ("a", n(4))] {
            tree.add(zone, node);
        }
        assert_eq!(tree.list(), [n(0), n(2), n(1), n(4), n(3)]);
        tree.remove("b", n(1));
        assert_eq!(tree.list(), [n(0), n(2), n(3), n(4)]);
        tree.remove("a", n(2));
        tree.remove("a", n(4));
        tree.add("a", n(2));
        assert_eq!(tree.list(), [n(0), n(2), n(3)], "an emptied zone goes and comes back last");
        assert_eq!(tree.node_count(), 3);
    }
}
