//! ReplicaSets and ReplicationControllers.

use super::meta::{Meta, marked, object, owned_by, selector, set_count};
use super::pod_spec::{seconds, template};
use crate::api::OwnerId;
use crate::api::workload::ReplicaSet;
use crate::print::Snapshot;
use crate::print::chronicle::Key;
use serde_json::{Value, json};
use slotmap::Key as _;

/// A ReplicaSet or a ReplicationController.
pub(super) fn replica_set(snapshot: &Snapshot, id: OwnerId, given: &ReplicaSet) -> Value {
    let (version, _) = marked(snapshot, Key::Owner(id));
    let mut out = object(&Meta {
        kind: if given.is_controller { "ReplicationController" } else { "ReplicaSet" },
        namespace: &given.namespace,
        name: &given.name,
        ordinal: id.data().as_ffi(),
        labels: Some(&given.template.labels),
        generation: given.generation,
        created: given.created,
        version,
    });
    let metadata = &mut out["metadata"];
    if given.revision > 0 {
        metadata["annotations"] = json!({
            "deployment.kubernetes.io/desired-replicas": given.desired_replicas.to_string(),
            "deployment.kubernetes.io/max-replicas": given.max_replicas.to_string(),
            "deployment.kubernetes.io/revision": given.revision.to_string(),
        });
    }
    let owner = given.owner.and_then(|id| Some((id, snapshot.store.deployment(id)?)));
    if let Some((id, owner)) = owner {
        metadata["ownerReferences"] = owned_by("Deployment", &owner.name, id.data().as_ffi());
    }
    let mut chosen = selector(&given.selector);
    if given.is_controller {
        chosen = chosen["matchLabels"].take();
    }
    out["spec"] = json!({
        "replicas": given.replicas,
        "selector": chosen,
        "template": template(&given.template),
    });
    if seconds(given.min_ready) > 0 {
        out["spec"]["minReadySeconds"] = seconds(given.min_ready).into();
    }
    let counts = &given.status;
    let mut status =
        json!({ "observedGeneration": counts.observed_generation, "replicas": counts.replicas });
    set_count(&mut status, "fullyLabeledReplicas", counts.replicas);
    set_count(&mut status, "readyReplicas", counts.ready);
    set_count(&mut status, "availableReplicas", counts.available);
    set_count(&mut status, "terminatingReplicas", counts.terminating);
    out["status"] = status;
    out
}
