//! Which pods are nominated to run on which node while their victims go.
//!
//! Source: `pkg/scheduler/backend/queue/nominator.go`, v1.37. It knows neither queues nor nodes.

use super::fast::journal::Journal;
use super::framework::NodeIndex;
use super::pod_info::PodInfo;
use crate::api::PodId;
use slotmap::SecondaryMap;
use std::collections::BTreeMap;

/// Nominated pods by node, each node's in the order of nomination.
#[derive(Default)]
pub struct Nominator {
    by_node: BTreeMap<NodeIndex, Vec<PodInfo>>,
    node_of: SecondaryMap<PodId, NodeIndex>,
    /// Nodes whose nominations have changed, for those who follow.
    journal: Journal,
}

impl Nominator {
    /// Nominates `pod` to `node` and to no other node any more.
    pub fn add(&mut self, pod: PodInfo, node: NodeIndex) {
        self.remove(pod.id);
        self.node_of.insert(pod.id, node);
        self.journal.push(node);
        self.by_node.entry(node).or_default().push(pod);
    }

    /// Takes the pod's nomination away, if there is one; gives its node.
    pub fn remove(&mut self, pod: PodId) -> Option<NodeIndex> {
        let node = self.node_of.remove(pod)?;
        self.journal.push(node);
        if let Some(pods) = self.by_node.get_mut(&node) {
            pods.retain(|p| p.id != pod);
            if pods.is_empty() {
                self.by_node.remove(&node);
            }
        }
        Some(node)
    }

    /// The nodes whose nominations have changed.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Whether nobody is nominated anywhere.
    pub fn is_empty(&self) -> bool {
        self.by_node.is_empty()
    }

    /// The nodes to which pods are nominated, with those pods.
    pub fn all(&self) -> impl Iterator<Item = (NodeIndex, &[PodInfo])> {
        self.by_node.iter().map(|(node, pods)| (*node, &pods[..]))
    }

    /// Where the pod is nominated.
    pub fn node_of(&self, pod: PodId) -> Option<NodeIndex> {
        self.node_of.get(pod).copied()
    }

    /// The pods nominated to `node`.
    pub fn on(&self, node: NodeIndex) -> &[PodInfo] {
        if self.by_node.is_empty() {
            return &[];
        }
        self.by_node.get(&node).map_or(&[], |pods| pods)
    }
}
