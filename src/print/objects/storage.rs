//! Volumes, claims, storage classes, and what CSI drivers tell.

use super::meta::{Meta, marked, object, owned_by, selector, set, texts, uid};
use super::quantity::bytes;
use crate::api::labels::{Labels, Requirement};
use crate::api::node_affinity::NodeSelectorTerm;
use crate::api::quantity::Quantity;
use crate::api::stateful_set::ClaimOwner;
use crate::api::storage::{
    Claim, CsiDriver, CsiNode, CsiNodeDriver, CsiStorageCapacity, PersistentVolume, StorageClass,
    TopologySelectorTerm, VolumeAttachment,
};
use crate::api::{AttachmentId, ClaimId, Text, VolumeId};
use crate::print::Snapshot;
use crate::print::chronicle::Key;
use crate::print::clock::stamp;
use crate::units::{Bytes, SimTime};
use serde_json::{Map, Value, json};
use slotmap::Key as _;

/// The head of an object without namespace, labels and version.
fn plain<'a>(kind: &'static str, name: &'a Text, ordinal: u64, created: SimTime) -> Meta<'a> {
    Meta { kind, namespace: "", name, ordinal, labels: None, generation: 0, created, version: 0 }
}

fn amount(quantity: Quantity) -> String {
    bytes(Bytes(quantity.value()))
}

fn mode(is_block: bool) -> &'static str {
    if is_block { "Block" } else { "Filesystem" }
}

/// All claims, where volumes are simulated.
pub(super) fn claims(snapshot: &Snapshot) -> Vec<Value> {
    let claims = snapshot.store.claims();
    claims.filter_map(|(id, c)| Some(claim(snapshot, id, c.object.as_ref()?))).collect()
}

/// A claim.
pub(super) fn claim(snapshot: &Snapshot, id: ClaimId, given: &Claim) -> Value {
    let (version, _) = marked(snapshot, Key::Claim(id));
    let mut out = object(&Meta {
        namespace: &given.name.namespace,
        labels: Some(&given.labels),
        version,
        ..plain("PersistentVolumeClaim", &given.name.name, id.data().as_ffi(), given.created)
    });
    let metadata = &mut out["metadata"];
    metadata["uid"] = Value::from(&*given.uid);
    metadata["finalizers"] = json!(["kubernetes.io/pvc-protection"]);
    let mut annotations = Map::new();
    let mut note = |is_set: bool, key: &str, value: &str| {
        if is_set {
            annotations.insert(key.to_owned(), value.into());
        }
    };
    note(given.is_bind_completed, "pv.kubernetes.io/bind-completed", "yes");
    note(given.is_bound_by_controller, "pv.kubernetes.io/bound-by-controller", "yes");
    let asked = !given.provisioner.is_empty();
    note(asked, "volume.kubernetes.io/storage-provisioner", &given.provisioner);
    if let Some(node) = &given.selected_node {
        note(true, "volume.kubernetes.io/selected-node", node);
    }
    if !annotations.is_empty() {
        metadata["annotations"] = annotations.into();
    }
    set(metadata, "deletionTimestamp", given.deletion.and_then(stamp));
    if let Some(owner) = owner_of(snapshot, id) {
        metadata["ownerReferences"] = owner;
    }
    let mut spec = json!({
        "accessModes": texts(&given.access_modes),
        "resources": { "requests": { "storage": amount(given.request.unwrap_or_default()) } },
        "volumeMode": mode(given.is_block),
    });
    if given.names_class || !given.class.is_empty() {
        spec["storageClassName"] = Value::from(&*given.class);
    }
    if let Some(wanted) = &given.selector {
        spec["selector"] = selector(wanted);
    }
    if !given.volume.is_empty() {
        spec["volumeName"] = Value::from(&*given.volume);
    }
    if !given.attributes_class.is_empty() {
        spec["volumeAttributesClassName"] = Value::from(&*given.attributes_class);
    }
    out["spec"] = spec;
    out["status"] = json!({ "phase": given.phase() });
    if let Some(capacity) = given.capacity {
        let volume = snapshot.store.volume_named(&given.volume);
        let modes = volume.map_or(&given.access_modes, |(_, volume)| &volume.access_modes);
        out["status"]["accessModes"] = texts(modes);
        out["status"]["capacity"] = json!({ "storage": amount(capacity) });
    }
    out
}

fn owner_of(snapshot: &Snapshot, id: ClaimId) -> Option<Value> {
    let store = snapshot.store;
    match store.claim(id)?.owner? {
        ClaimOwner::Pod(pod) => {
            let found = store.pod(pod)?;
            Some(owned_by("Pod", &found.name(), found.uid))
        }
        ClaimOwner::Set(set) => {
            Some(owned_by("StatefulSet", store.owner(set)?.name(), set.data().as_ffi()))
        }
    }
}

/// A volume.
pub(super) fn volume(snapshot: &Snapshot, id: VolumeId, given: &PersistentVolume) -> Value {
    let (version, _) = marked(snapshot, Key::Volume(id));
    let mut out = object(&Meta {
        labels: Some(&given.labels),
        version,
        ..plain("PersistentVolume", &given.name, id.data().as_ffi(), given.created)
    });
    let metadata = &mut out["metadata"];
    metadata["finalizers"] = json!(["kubernetes.io/pv-protection"]);
    let mut annotations = Map::new();
    if given.is_bound_by_controller {
        annotations.insert("pv.kubernetes.io/bound-by-controller".to_owned(), "yes".into());
    }
    if !given.provisioner.is_empty() {
        let who = Value::from(&*given.provisioner);
        annotations.insert("pv.kubernetes.io/provisioned-by".to_owned(), who);
    }
    if !annotations.is_empty() {
        metadata["annotations"] = annotations.into();
    }
    set(metadata, "deletionTimestamp", given.deletion.and_then(stamp));
    let mut spec = json!({
        "accessModes": texts(&given.access_modes),
        "capacity": { "storage": amount(given.capacity) },
        "persistentVolumeReclaimPolicy": given.reclaim.as_str(),
        "volumeMode": mode(given.is_block),
    });
    if !given.class.is_empty() {
        spec["storageClassName"] = Value::from(&*given.class);
    }
    if let Some(claim) = &given.claim {
        spec["claimRef"] = json!({
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "name": &*claim.name.name,
            "namespace": &*claim.name.namespace,
        });
        if !claim.uid.is_empty() {
            spec["claimRef"]["uid"] = Value::from(&*claim.uid);
        }
    }
    if let Some(csi) = &given.csi {
        spec["csi"] = json!({ "driver": &*csi.driver, "volumeHandle": &*csi.handle });
    }
    if let Some(terms) = &given.node_affinity {
        let terms: Value = terms.iter().map(term).collect();
        spec["nodeAffinity"] = json!({ "required": { "nodeSelectorTerms": terms } });
    }
    out["spec"] = spec;
    out["status"] = json!({ "phase": given.phase.as_str() });
    out
}

fn term(term: &NodeSelectorTerm) -> Value {
    let one = |r: &Requirement| {
        let mut one = json!({ "key": &*r.key, "operator": format!("{:?}", r.operator) });
        if !r.values.is_empty() {
            one["values"] = texts(&r.values);
        }
        one
    };
    let expressions: Value = term.match_expressions.iter().map(one).collect();
    json!({ "matchExpressions": expressions })
}

/// An attachment.
pub(super) fn attachment(snapshot: &Snapshot, id: AttachmentId, given: &VolumeAttachment) -> Value {
    let (version, _) = marked(snapshot, Key::Attachment(id));
    let mut out = object(&Meta {
        version,
        ..plain("VolumeAttachment", &given.name, id.data().as_ffi(), given.created)
    });
    let volume = given.volume.as_deref().unwrap_or_default();
    out["spec"] = json!({
        "attacher": &*given.attacher,
        "nodeName": &*given.node,
        "source": { "persistentVolumeName": volume },
    });
    out["status"] = json!({ "attached": given.is_attached });
    out
}

/// A storage class.
pub(super) fn class(given: &StorageClass) -> Value {
    let mut out = object(&plain("StorageClass", &given.name, ordinal(&given.name), given.created));
    if given.is_default {
        let key = "storageclass.kubernetes.io/is-default-class";
        out["metadata"]["annotations"] = json!({ key: "true" });
    }
    if !given.allowed_topologies.is_empty() {
        let label =
            |(key, values): &(Text, Vec<Text>)| json!({ "key": &**key, "values": texts(values) });
        let term = |term: &TopologySelectorTerm| {
            let labels: Value = term.0.iter().map(label).collect();
            json!({ "matchLabelExpressions": labels })
        };
        out["allowedTopologies"] = given.allowed_topologies.iter().map(term).collect();
    }
    out["allowVolumeExpansion"] = given.allows_expansion.into();
    out["provisioner"] = Value::from(&*given.provisioner);
    out["reclaimPolicy"] = given.reclaim.as_str().into();
    out["volumeBindingMode"] =
        if given.waits_for_consumer { "WaitForFirstConsumer" } else { "Immediate" }.into();
    out
}

/// A number that stands for a name: these objects have no other.
fn ordinal(name: &str) -> u64 {
    name.bytes().fold(0, |n: u64, byte| n.wrapping_mul(31).wrapping_add(u64::from(byte))) >> 16
}

/// A CSINode.
pub(super) fn csi_node(snapshot: &Snapshot, given: &CsiNode) -> Value {
    let id = snapshot.store.node_of_name(&given.name);
    let node = id.and_then(|id| snapshot.store.node(id));
    let created = node.map_or(SimTime::NEVER, |node| node.created);
    let mut out = object(&plain("CSINode", &given.name, ordinal(&given.name), created));
    if let Some(node) = node {
        let owner = json!({ "apiVersion": "v1", "kind": "Node", "name": &*node.name,
            "uid": uid("Node", node.uid) });
        out["metadata"]["ownerReferences"] = json!([owner]);
    }
    let driver = |driver: &CsiNodeDriver| {
        let mut one = json!({ "name": &*driver.name, "nodeID": &*given.name });
        if let Some(limit) = driver.limit {
            one["allocatable"] = json!({ "count": limit });
        }
        one
    };
    let drivers: Value = given.drivers.iter().map(driver).collect();
    out["spec"] = json!({ "drivers": drivers });
    out
}

/// A CSIDriver.
pub(super) fn csi_driver(given: &CsiDriver) -> Value {
    let mut out = object(&plain("CSIDriver", &given.name, ordinal(&given.name), given.created));
    out["spec"] = json!({
        "attachRequired": given.attaches,
        "podInfoOnMount": false,
        "requiresRepublish": false,
        "storageCapacity": given.tells_capacity,
        "volumeLifecycleModes": ["Persistent"],
    });
    out
}

/// A storage capacity.
pub(super) fn capacity(given: &CsiStorageCapacity) -> Value {
    let name = &given.name.name;
    let mut out = object(&Meta {
        namespace: &given.name.namespace,
        labels: None::<&Labels>,
        ..plain("CSIStorageCapacity", name, ordinal(name), SimTime::ZERO)
    });
    out["storageClassName"] = Value::from(&*given.class);
    set(&mut out, "capacity", given.capacity.map(amount));
    set(&mut out, "maximumVolumeSize", given.maximum_volume_size.map(amount));
    set(&mut out, "nodeTopology", given.topology.as_ref().map(selector));
    out
}
