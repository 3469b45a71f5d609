//! The scale subresource: size and selector of whatever can be scaled.

use super::Store;
use crate::api::HpaId;
use crate::api::autoscaling::ScaleTarget;
use crate::api::labels::Selector;
use crate::api::pod::Pod;

/// What the scale subresource says of an object.
#[derive(Clone, Copy, Debug)]
pub struct Scale<'a> {
    /// `spec.replicas`.
    pub replicas: u32,
    /// `status.replicas`.
    pub counted: u32,
    /// `status.selector`.
    pub selector: &'a Selector,
}

impl Store {
    /// The scale of an object; `None`: it is gone, or has none.
    pub fn scale_of(&self, target: ScaleTarget) -> Option<Scale<'_>> {
        match target {
            ScaleTarget::Deployment(id) => {
                let deployment = self.deployment(id)?;
                Some(Scale {
                    replicas: deployment.replicas,
                    counted: deployment.status.replicas,
                    selector: &deployment.selector,
                })
            }
            ScaleTarget::Owner(id) => {
                let owner = self.owner(id)?;
                let (replicas, selector) = (owner.replicas()?, owner.selector());
                Some(Scale { replicas, counted: owner.counted(), selector })
            }
        }
    }

    /// Sets `spec.replicas` through the scale subresource.
    pub fn set_scale(&mut self, target: ScaleTarget, replicas: u32) {
        match target {
            ScaleTarget::Deployment(id) => self.scale_deployment(id, replicas),
            ScaleTarget::Owner(id) => self.update_owner(id, |owner| owner.scale(replicas)),
        }
    }

    /// Resolves again what an autoscaler's reference means: the object is not changed by that.
    pub fn retarget_hpa(&mut self, id: HpaId, target: ScaleTarget) {
        if let Some(hpa) = self.hpas.get_mut(id) {
            hpa.target = target;
        }
    }

    /// Whether a pod is one of those whose number a scale sets.
    pub fn is_pod_of(&self, pod: &Pod, target: ScaleTarget) -> bool {
        match target {
            ScaleTarget::Deployment(id) => self.deployment_of(pod) == Some(id),
            ScaleTarget::Owner(id) => pod.owner == Some(id),
        }
    }
}
