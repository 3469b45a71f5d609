//! DaemonSets.

use super::meta::{Meta, marked, object, selector};
use super::pod_spec::template;
use crate::api::OwnerId;
use crate::api::daemon_set::DaemonSet;
use crate::print::Snapshot;
use crate::print::chronicle::Key;
use serde_json::{Value, json};
use slotmap::Key as _;

/// A DaemonSet.
pub(super) fn daemon_set(snapshot: &Snapshot, id: OwnerId, given: &DaemonSet) -> Value {
    let (version, _) = marked(snapshot, Key::Owner(id));
    let mut out = object(&Meta {
        kind: "DaemonSet",
        namespace: &given.meta.namespace,
        name: &given.meta.name,
        ordinal: id.data().as_ffi(),
        labels: Some(&given.meta.labels),
        generation: given.meta.generation,
        created: given.meta.created,
        version,
    });
    out["spec"] = json!({
        "selector": selector(&given.selector),
        "template": template(&given.template),
    });
    // Counted from the pods that are there.
    let tally = snapshot.store.tally_of(id);
    out["status"] = json!({
        "currentNumberScheduled": tally.unmarked,
        "desiredNumberScheduled": tally.unmarked,
        "numberMisscheduled": 0,
        "numberReady": tally.ready,
    });
    out
}
