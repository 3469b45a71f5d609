//! Which Services, budgets and autoscalers select the pods of the scenario's Deployments, when a
//! person has changed any of them.
//!
//! At the start that is known of each Deployment, once for all of its pods. Objects that come later
//! and labels that change end that: from then on each pod is asked by its own labels.

use super::world::World;

impl World<'_> {
    /// What selects pods, or the labels of pods, may be others from now on.
    pub(super) fn selections_change(&mut self) {
        self.selects_by_labels = true;
        for (id, hpa) in self.store.hpas() {
            let workload = self.workload_of_target(hpa.target);
            let Some(known) = workload.and_then(|workload| self.scaled_by.get_mut(workload)) else {
                continue;
            };
            if !known.contains(&id) {
                known.push(id);
            }
        }
    }
}
