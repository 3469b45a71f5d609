//! What a PostFilter plugin may do beside looking at its pod.
//!
//! Source: `framework.Handle` of kube-scheduler v1.37. It changes nothing: suppositions are made on
//! copies.

use super::cycle::Core;
use super::framework::{Context, NodeIndex, PluginId, Status};
use super::node_info::NodeInfo;
use super::pod_info::PodInfo;
use super::profile::{CycleState, Profile};

/// What a PostFilter plugin may do: look at nodes and suppose (`framework.Handle`).
pub struct Handle<'a> {
    pub(super) core: &'a Core,
    pub(super) profile: &'a Profile,
    pub(super) cx: Context<'a>,
    pub(super) state: &'a CycleState,
}

impl<'a> Handle<'a> {
    /// Everything there is, for the fast path.
    pub(super) fn core(&self) -> &'a Core {
        self.core
    }

    /// The pod's profile.
    pub(super) fn profile(&self) -> &'a Profile {
        self.profile
    }

    /// Nodes and objects.
    pub fn context(&self) -> &Context<'a> {
        &self.cx
    }

    /// The plugins' states of this cycle.
    pub fn state(&self) -> &CycleState {
        self.state
    }

    /// The record of a node.
    pub fn node(&self, node: NodeIndex) -> &'a NodeInfo {
        self.core.cache.info(node)
    }

    /// The record of the node that `pod` is nominated to in its status, if the node is there.
    pub fn nominated_node(&self, pod: &PodInfo) -> Option<NodeIndex> {
        let node = self.core.cache.index_of(pod.nominated?)?;
        self.core.cache.is_in_snapshot(node).then_some(node)
    }

    /// Whether any pod on a node has a lower priority.
    pub fn has_lower_priority_pods(&self, priority: i32) -> bool {
        self.core.cache.lowest_priority().is_some_and(|lowest| lowest < priority)
    }

    /// Whether the pod is on its way out because the scheduler chose it as a victim.
    pub fn is_terminating_by_preemption(&self, pod: &PodInfo) -> bool {
        pod.deletion.is_some() && self.core.preempted.contains_key(pod.id)
    }

    /// Where a dry run starts among `nodes` potential nodes.
    pub fn preemption_offset(&self, nodes: usize) -> usize {
        self.core.preemption_offset % nodes.max(1)
    }

    /// Runs the filters on a supposed record of `node`, nominated pods considered.
    pub fn filter(
        &self,
        state: &CycleState,
        pod: &PodInfo,
        node: NodeIndex,
        info: &NodeInfo,
    ) -> Result<(), (PluginId, Status)> {
        self.core.filter(self.profile, &self.cx, state, pod, node, info)
    }

    /// Supposes that `added` is on the node of `info`, where it has been put.
    pub fn run_add_pod(
        &self,
        state: &mut CycleState,
        pod: &PodInfo,
        added: &PodInfo,
        info: &NodeInfo,
    ) {
        self.profile.run_add_pod(state, pod, added, info);
    }

    /// Supposes that `removed` is no longer on the node of `info`, whence it has been taken.
    pub fn run_remove_pod(
        &self,
        state: &mut CycleState,
        pod: &PodInfo,
        removed: &PodInfo,
        info: &NodeInfo,
    ) {
        self.profile.run_remove_pod(state, pod, removed, info);
    }
}
