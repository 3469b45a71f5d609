//! A kubelet's one loop over its node's status: what is not true any more is written when the loop
//! next comes round, whatever it is.
//!
//! It comes round every ten seconds, at an instant of each node's own, and is planned only when
//! there is something to write. Source: kubernetes `pkg/kubelet/kubelet_node_status.go`
//! (`syncNodeStatus`), v1.37. It does not know why anything has changed. That a node is ready, or
//! shut down, is written at once and not here.

use super::heartbeats::STATUS_UPDATE;
use crate::api::NodeId;
use crate::units::SimTime;
use crate::world::cloud::entity;
use crate::world::event::{Event, NodeStep};
use crate::world::world::World;

impl World<'_> {
    /// Something has changed of which a node's status tells: plans when it is written, if it is not
    /// true any more.
    pub(in crate::world) fn status_may_change(&mut self, node: NodeId) {
        if self.kubelets.statuses.contains_key(&node) || !self.status_differs(node) {
            return;
        }
        let Some(state) = self.nodes.get(node) else { return };
        let Some(machine) = self.cloud.machines.get(state.machine) else { return };
        let key = entity(machine.group, machine.ordinal);
        let phase = self.streams.stream("node status update", key).below(STATUS_UPDATE.0);
        let at = SimTime(self.now.0 + 1).next_on_grid(SimTime(phase), STATUS_UPDATE);
        self.kubelets.statuses.insert(node, at);
        self.plan(at, Event::Node(node, NodeStep::Status));
    }

    fn status_differs(&self, node: NodeId) -> bool {
        self.volumes_differ(node) || self.pressures_differ(node)
    }

    /// The loop comes round. A kubelet that is silent or dead writes nothing; it is asked again
    /// when it is back.
    pub(super) fn write_status(&mut self, node: NodeId) {
        if self.outages.is_down() {
            return self.outages.hold(self.now, Event::Node(node, NodeStep::Status));
        }
        if self.kubelets.statuses.remove(&node).is_none() {
            return;
        }
        let writes = |state: &super::NodeState| state.alive && state.silent_since.is_none();
        if !self.nodes.get(node).is_some_and(writes) {
            return;
        }
        if self.volumes_differ(node) {
            self.write_volumes_in_use(node);
        }
        if self.pressures_differ(node) {
            self.post_pressures(node);
        }
    }
}
