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
            let (created, generation) = (before.created, before.generation);
            let (revision, status) = (before.revision, before.status);
            let conditions = before.conditions.clone();
            let kept =
                Deployment { created, generation, revision, status, conditions, ..given.clone() };
            *deployment = kept;
            // Only a change of the specification raises the generation.
            let relabelled = Deployment { labels: before.labels.clone(), ..deployment.clone() };
            deployment.generation += u64::from(relabelled != before);
            *deployment != before
        });
    }
}
