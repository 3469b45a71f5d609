//! Deployments in the API's form.

use super::meta::{Meta, conditions, int_or_percent, marked, object, selector, set_count};
use super::pod_spec::{seconds, template};
use crate::api::DeploymentId;
use crate::api::workload::{Deployment, Strategy};
use crate::print::Snapshot;
use crate::print::chronicle::Key;
use serde_json::{Value, json};
use slotmap::Key as _;

/// A Deployment.
pub(super) fn deployment(snapshot: &Snapshot, id: DeploymentId, given: &Deployment) -> Value {
    let (version, _) = marked(snapshot, Key::Deployment(id));
    let mut out = object(&Meta {
        kind: "Deployment",
        namespace: &given.namespace,
        name: &given.name,
        ordinal: id.data().as_ffi(),
        labels: Some(&given.labels),
        generation: given.generation,
        created: given.created,
        version,
    });
    if given.revision > 0 {
        let name = "deployment.kubernetes.io/revision";
        out["metadata"]["annotations"] = json!({ name: given.revision.to_string() });
    }
    let strategy = match given.strategy {
        Strategy::Recreate => json!({ "type": "Recreate" }),
        Strategy::RollingUpdate { max_surge, max_unavailable } => json!({
            "rollingUpdate": {
                "maxSurge": int_or_percent(max_surge),
                "maxUnavailable": int_or_percent(max_unavailable),
            },
            "type": "RollingUpdate",
        }),
    };
    out["spec"] = json!({
        "progressDeadlineSeconds": seconds(given.progress_deadline),
        "replicas": given.replicas,
        "revisionHistoryLimit": given.revision_history_limit,
        "selector": selector(&given.selector),
        "strategy": strategy,
        "template": template(&given.template),
    });
    if given.paused {
        out["spec"]["paused"] = true.into();
    }
    if seconds(given.min_ready) > 0 {
        out["spec"]["minReadySeconds"] = seconds(given.min_ready).into();
    }
    out["status"] = status(given);
    out
}

fn status(given: &Deployment) -> Value {
    let counts = &given.status;
    let mut out = json!({ "observedGeneration": counts.observed_generation });
    set_count(&mut out, "replicas", counts.replicas);
    set_count(&mut out, "updatedReplicas", counts.updated);
    set_count(&mut out, "readyReplicas", counts.ready);
    set_count(&mut out, "availableReplicas", counts.available);
    let missing = counts.replicas.max(given.replicas).saturating_sub(counts.available);
    set_count(&mut out, "unavailableReplicas", missing);
    set_count(&mut out, "terminatingReplicas", counts.terminating);
    if !given.conditions.is_empty() {
        out["conditions"] = conditions(&given.conditions);
    }
    out
}
