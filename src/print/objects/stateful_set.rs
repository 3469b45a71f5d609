//! StatefulSets in the API's form.

use super::meta::{described, int_or_percent, selector, set_count};
use super::pod_spec::{seconds, template};
use crate::api::OwnerId;
use crate::api::stateful_set::{ClaimTemplate, StatefulSet, StatefulSetStatus, UpdateStrategy};
use crate::print::Snapshot;
use crate::print::chronicle::Key;
use serde_json::{Value, json};
use slotmap::Key as _;

/// A StatefulSet.
pub(super) fn stateful_set(snapshot: &Snapshot, id: OwnerId, given: &StatefulSet) -> Value {
    let ordinal = id.data().as_ffi();
    let mut out = described(snapshot, Key::Owner(id), "StatefulSet", ordinal, &given.meta);
    let strategy = match given.update {
        UpdateStrategy::OnDelete => json!({ "type": "OnDelete" }),
        UpdateStrategy::RollingUpdate { partition, max_unavailable } => json!({
            "rollingUpdate": {
                "maxUnavailable": int_or_percent(max_unavailable),
                "partition": partition,
            },
            "type": "RollingUpdate",
        }),
    };
    let goes = |goes: bool| if goes { "Delete" } else { "Retain" };
    out["spec"] = json!({
        "persistentVolumeClaimRetentionPolicy": {
            "whenDeleted": goes(given.retention.goes_with_set),
            "whenScaled": goes(given.retention.goes_with_pod),
        },
        "podManagementPolicy": if given.is_parallel { "Parallel" } else { "OrderedReady" },
        "replicas": given.replicas,
        "revisionHistoryLimit": given.revision_history_limit,
        "selector": selector(&given.selector),
        "template": template(&given.template),
        "updateStrategy": strategy,
    });
    if given.first_ordinal > 0 {
        out["spec"]["ordinals"] = json!({ "start": given.first_ordinal });
    }
    if seconds(given.min_ready) > 0 {
        out["spec"]["minReadySeconds"] = seconds(given.min_ready).into();
    }
    if !given.claim_templates.is_empty() {
        let claim = |template: &ClaimTemplate| json!({ "metadata": { "name": &*template.name } });
        out["spec"]["volumeClaimTemplates"] = given.claim_templates.iter().map(claim).collect();
    }
    out["status"] = status(&given.status);
    out
}

fn status(counts: &StatefulSetStatus) -> Value {
    let mut out = json!({
        "availableReplicas": counts.available,
        "collisionCount": 0,
        "observedGeneration": counts.observed_generation,
        "replicas": counts.replicas,
    });
    set_count(&mut out, "currentReplicas", counts.current);
    set_count(&mut out, "readyReplicas", counts.ready);
    set_count(&mut out, "updatedReplicas", counts.updated);
    for (field, revision) in
        [("currentRevision", &counts.current_revision), ("updateRevision", &counts.update_revision)]
    {
        if !revision.is_empty() {
            out[field] = Value::from(&**revision);
        }
    }
    out
}
