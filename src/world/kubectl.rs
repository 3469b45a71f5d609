//! What a person does with `kubectl`: objects applied, new or changed.
//!
//! It acts as the API server does on such a request, at once: no client of a controller is in the
//! way. It knows no controller.

use super::world::World;
use crate::api::workload::Deployment;

impl World<'_> {
    /// `kubectl apply` of the Deployment at `index` of the scenario.
    pub(super) fn apply_deployment(&mut self, index: usize, given: &Deployment) {
        let id = self.deployments[index];
        if self.store.deployment(id).is_none() {
            let deployment = Deployment { created: self.now, ..given.clone() };
            let id = self.store.create_deployment(deployment);
            self.workload_of.insert(id, index);
            self.deployments[index] = id;
            return;
        }
        self.store.update_deployment(id, |deployment| {
            let before = deployment.clone();
            *deployment = Deployment {
                created: before.created,
                generation: before.generation,
                revision: before.revision,
                status: before.status,
                conditions: before.conditions.clone(),
                // Only a change of the specification raises the generation: labels come after it.
                labels: before.labels.clone(),
                ..given.clone()
            };
            deployment.generation += u64::from(*deployment != before);
            deployment.labels = given.labels.clone();
            *deployment != before
        });
    }
}
