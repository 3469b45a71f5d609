//! The disruption controller, and the question that the eviction API asks.
//!
//! Source: kubernetes `pkg/controller/disruption/disruption.go`,
//! `pkg/registry/core/pod/storage/eviction.go`, v1.37.

use super::action::{Action, Outcome};
use crate::api::policy::Budget;
use crate::api::{PdbId, PodId};
use crate::store::Store;

/// Syncs one budget's status.
pub fn sync(id: PdbId, store: &Store) -> Outcome {
    let mut outcome = Outcome::idle();
    let Some(pdb) = store.pdb(id) else { return outcome };
    let (mut expected, mut healthy) = (0u32, 0u32);
    for (set_id, set) in store.replica_sets() {
        if set.namespace != pdb.namespace || !pdb.selector.matches(&set.template.labels) {
            continue;
        }
        expected += set.replicas;
        let ready = |pod: &&PodId| store.pod(**pod).is_some_and(|p| p.ready && p.is_active());
        healthy += store.pods_of(set_id).iter().filter(ready).count() as u32;
    }
    let desired = match pdb.budget {
        Budget::MinAvailable(value) => value.of(expected, true),
        Budget::MaxUnavailable(value) => expected.saturating_sub(value.of(expected, true)),
    };
    let status = [healthy.saturating_sub(desired), healthy, desired, expected];
    let old =
        [pdb.disruptions_allowed, pdb.current_healthy, pdb.desired_healthy, pdb.expected_pods];
    if status != old {
        outcome.then(Action::PdbStatus { pdb: id, status });
    }
    outcome
}

/// Why an eviction is refused: upstream's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

/// Whether the eviction API lets a pod go.
///
/// # Errors
/// A budget has no disruption left, or several budgets select the pod.
pub fn may_evict(store: &Store, pod: PodId) -> Result<(), Refusal> {
    let budgets = budgets_of(store, pod);
    if budgets.len() > 1 {
        let text = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
        return Err(Refusal(text.to_string()));
    }
    // A pod that is not ready anyway disrupts nothing, if the budget is met without it.
    let ready = store.pod(pod).is_some_and(|p| p.ready);
    for pdb in budgets.iter().filter_map(|id| store.pdb(*id)) {
        let met = pdb.current_healthy >= pdb.desired_healthy && pdb.desired_healthy > 0;
        if pdb.disruptions_allowed == 0 && (ready || !met) {
            let text = format!(
                "The disruption budget {} needs {} healthy pods and has {} currently",
                pdb.name, pdb.desired_healthy, pdb.current_healthy
            );
            return Err(Refusal(text));
        }
    }
    Ok(())
}

/// The budgets that select a pod.
pub fn budgets_of(store: &Store, pod: PodId) -> Vec<PdbId> {
    let Some(pod) = store.pod(pod) else { return Vec::new() };
    store
        .pdbs()
        .filter(|(_, pdb)| pdb.namespace == pod.namespace && pdb.selector.matches(&pod.labels))
        .map(|(id, _)| id)
        .collect()
}
