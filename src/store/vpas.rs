//! VerticalPodAutoscalers and what they are about.

use super::{Change, Store};
use crate::api::VpaId;
use crate::api::autoscaling::ScaleTarget;
use crate::api::labels::Selector;
use crate::api::vertical_pod_autoscaler::{Vpa, VpaStatus};

impl Store {
    /// Creates a VerticalPodAutoscaler.
    pub fn create_vpa(&mut self, vpa: Vpa) -> VpaId {
        let id = self.vpas.insert(vpa);
        self.note(Change::Vpa(id));
        id
    }

    /// The VerticalPodAutoscaler, unless it is gone.
    pub fn vpa(&self, id: VpaId) -> Option<&Vpa> {
        self.vpas.get(id)
    }

    /// All VerticalPodAutoscalers.
    pub fn vpas(&self) -> impl Iterator<Item = (VpaId, &Vpa)> {
        self.vpas.iter()
    }

    /// Whether there is any.
    pub fn has_vpas(&self) -> bool {
        !self.vpas.is_empty()
    }

    /// Writes a status.
    pub fn set_vpa_status(&mut self, id: VpaId, status: VpaStatus) {
        let Some(vpa) = self.vpas.get_mut(id) else { return };
        if vpa.status != status {
            vpa.status = status;
            self.note(Change::Vpa(id));
        }
    }

    /// Resolves again what a reference means: the object is not changed by that.
    pub fn retarget_vpa(&mut self, id: VpaId) {
        let found = self.vpas.get(id).and_then(|vpa| self.target_of_vpa(vpa));
        if let (Some(vpa), Some(target)) = (self.vpas.get_mut(id), found) {
            vpa.target = target;
        }
    }

    /// What controls the pods that a VerticalPodAutoscaler is about; `None`: there is no such
    /// object.
    pub fn target_of_vpa(&self, vpa: &Vpa) -> Option<ScaleTarget> {
        if self.selector_of(vpa.target).is_some() {
            return Some(vpa.target);
        }
        if vpa.target_kind == "Deployment" {
            let is_it = |(_, d): &(_, &crate::api::workload::Deployment)| {
                d.namespace == vpa.namespace && d.name == vpa.target_name
            };
            return self.deployments.iter().find(is_it).map(|(id, _)| ScaleTarget::Deployment(id));
        }
        let is_it = |(_, owner): &(_, &crate::api::owner::Owner)| {
            owner.kind() == vpa.target_kind
                && *owner.namespace() == vpa.namespace
                && *owner.name() == vpa.target_name
        };
        self.owners.iter().find(is_it).map(|(id, _)| ScaleTarget::Owner(id))
    }

    /// The selector of what controls pods; `None`: it is gone.
    pub fn selector_of(&self, target: ScaleTarget) -> Option<&Selector> {
        match target {
            ScaleTarget::Deployment(id) => self.deployments.get(id).map(|d| &d.selector),
            ScaleTarget::Owner(id) => self.owners.get(id).map(|owner| owner.selector()),
        }
    }
}
