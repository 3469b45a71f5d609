//! DaemonSets in the API's form.

use super::meta::{described, int_or_percent, selector, set_count};
use super::pod_spec::{seconds, template};
use crate::api::OwnerId;
use crate::api::daemon_set::{DaemonSet, DaemonStrategy};
use crate::print::Snapshot;
use crate::print::chronicle::Key;
use serde_json::{Value, json};
use slotmap::Key as _;

/// A DaemonSet.
pub(super) fn daemon_set(snapshot: &Snapshot, id: OwnerId, given: &DaemonSet) -> Value {
    let ordinal = id.data().as_ffi();
    let mut out = described(snapshot, Key::Owner(id), "DaemonSet", ordinal, &given.meta);
    let generation = given.template_generation.to_string();
    out["metadata"]["annotations"] =
        json!({ "deprecated.daemonset.template.generation": generation });
    let strategy = match given.strategy {
        DaemonStrategy::OnDelete => json!({ "type": "OnDelete" }),
        DaemonStrategy::RollingUpdate { max_surge, max_unavailable } => json!({
            "rollingUpdate": {
                "maxSurge": int_or_percent(max_surge),
                "maxUnavailable": int_or_percent(max_unavailable),
            },
            "type": "RollingUpdate",
        }),
    };
    out["spec"] = json!({
        "revisionHistoryLimit": given.revision_history_limit,
        "selector": selector(&given.selector),
        "template": template(&given.template),
        "updateStrategy": strategy,
    });
    if seconds(given.min_ready) > 0 {
        out["spec"]["minReadySeconds"] = seconds(given.min_ready).into();
    }
    let counts = &given.status;
    let mut status = json!({
        "currentNumberScheduled": counts.current,
        "desiredNumberScheduled": counts.desired,
        "numberMisscheduled": counts.misscheduled,
        "numberReady": counts.ready,
        "observedGeneration": counts.observed_generation,
    });
    set_count(&mut status, "numberAvailable", counts.available);
    set_count(&mut status, "numberUnavailable", counts.unavailable);
    set_count(&mut status, "updatedNumberScheduled", counts.updated);
    out["status"] = status;
    out
}
