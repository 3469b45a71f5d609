//! StatefulSets.

use super::meta::{Meta, marked, object, selector, set_count};
use super::pod_spec::template;
use crate::api::OwnerId;
use crate::api::stateful_set::StatefulSet;
use crate::print::Snapshot;
use crate::print::chronicle::Key;
use serde_json::{Value, json};
use slotmap::Key as _;

/// A StatefulSet.
pub(super) fn stateful_set(snapshot: &Snapshot, id: OwnerId, given: &StatefulSet) -> Value {
    let (version, _) = marked(snapshot, Key::Owner(id));
    let mut out = object(&Meta {
        kind: "StatefulSet",
        namespace: &given.meta.namespace,
        name: &given.meta.name,
        ordinal: id.data().as_ffi(),
        labels: Some(&given.meta.labels),
        generation: given.meta.generation,
        created: given.meta.created,
        version,
    });
    out["spec"] = json!({
        "replicas": given.replicas,
        "selector": selector(&given.selector),
        "template": template(&given.template),
    });
    // Counted from the pods that are there.
    let tally = snapshot.store.tally_of(id);
    let mut status = json!({ "replicas": tally.unmarked });
    set_count(&mut status, "readyReplicas", tally.ready);
    out["status"] = status;
    out
}
