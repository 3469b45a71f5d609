//! PodDisruptionBudgets.

use super::meta::{Meta, int_or_percent, marked, object, selector};
use crate::api::PdbId;
use crate::api::policy::{Budget, Pdb};
use crate::print::Snapshot;
use crate::print::chronicle::Key;
use serde_json::{Value, json};
use slotmap::Key as _;

/// A PodDisruptionBudget.
pub(super) fn pdb(snapshot: &Snapshot, id: PdbId, given: &Pdb) -> Value {
    let (version, created) = marked(snapshot, Key::Pdb(id));
    let mut out = object(&Meta {
        kind: "PodDisruptionBudget",
        namespace: &given.namespace,
        name: &given.name,
        ordinal: id.data().as_ffi(),
        labels: None,
        generation: given.generation,
        created,
        version,
    });
    let (field, budget) = match given.budget {
        Budget::MinAvailable(value) => ("minAvailable", value),
        Budget::MaxUnavailable(value) => ("maxUnavailable", value),
    };
    out["spec"] = json!({ field: int_or_percent(budget), "selector": selector(&given.selector) });
    out["status"] = json!({
        "currentHealthy": given.status.current_healthy,
        "desiredHealthy": given.status.desired_healthy,
        "disruptionsAllowed": given.status.disruptions_allowed,
        "observedGeneration": given.status.observed_generation,
        "expectedPods": given.status.expected_pods,
    });
    out
}
