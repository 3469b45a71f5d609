//! Calls each controller with what it is shown, and nothing else.

use super::controllers::Key;
use super::world::World;
use crate::api::{HpaId, NodeId, PodId};
use crate::control::controllers::Outcome;
use crate::scenario::model::Scenario;

pub(super) struct EndpointSlice;
impl EndpointSlice {
    pub(super) fn pod_changed(&mut self, _: PodId) {}
}

/// The controllers' own memory.
pub(super) struct Controllers {
    pub(super) endpointslice: EndpointSlice,
    max: u32,
}

impl Controllers {
    pub(super) fn new(scenario: &Scenario) -> Controllers {
        Controllers {
            endpointslice: EndpointSlice,
            max: scenario.flags.cluster_autoscaler.as_ref().map_or(0, |f| f.max_nodes_total),
        }
    }
    pub(super) fn set_max_nodes_total(&mut self, max: u32) {
        self.max = max;
    }
    pub(super) fn max_nodes_total(&self) -> u32 {
        self.max
    }
}

impl World<'_> {
    pub(super) fn sync(&mut self, _key: Key) -> Outcome {
        Outcome::idle()
    }
    pub(super) fn hpa_inputs_changed(&mut self, _hpa: HpaId) {}
    pub(super) fn heartbeats_changed(&mut self) {
        self.notify(Key::NodeLifecycle)
    }
    pub(super) fn autoscaler_changed(&mut self) {
        self.notify(Key::ClusterAutoscaler)
    }
    pub(super) fn node_lost(&mut self, _node: NodeId) {}
    pub(super) fn deployment_changed(&mut self, _id: crate::api::DeploymentId) {}
}
