//! Volumes, claims, classes (`core/v1`, `storage/v1`) and what CSI drivers tell, with the API
//! server's defaulting.
//!
//! Source: `pkg/apis/core/v1/defaults.go`, `pkg/apis/storage/v1/defaults.go`; annotations:
//! component-helpers `storage/volume/`, v1.37.

use super::pod_affinity::node_term;
use super::{FieldError, csi_migration, labels, quantity, selector, text, texts};
use crate::api::node_affinity::NodeSelectorTerm;
use crate::api::quantity::Quantity;
use crate::api::storage::{
    Claim, ClaimReference, CsiDriver, CsiNode, CsiNodeDriver, CsiStorageCapacity, CsiVolume,
    PersistentVolume, ReclaimPolicy, StorageClass, TopologySelectorTerm, VolumeAttachment,
    VolumePhase,
};
use crate::api::{ObjectName, Text};
use crate::units::SimTime;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::storage::v1 as storage;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as QuantityText;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::collections::BTreeMap;

const BETA_CLASS: &str = "volume.beta.kubernetes.io/storage-class";
const BIND_COMPLETED: &str = "pv.kubernetes.io/bind-completed";
const BOUND_BY_CONTROLLER: &str = "pv.kubernetes.io/bound-by-controller";
const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";
const PROVISIONER: &str = "volume.kubernetes.io/storage-provisioner";
const DEFAULT_CLASS: &str = "storageclass.kubernetes.io/is-default-class";
const SELECTED_NODE: &str = "volume.kubernetes.io/selected-node";
const MIGRATED_PLUGINS: &str = "storage.alpha.kubernetes.io/migrated-plugins";

/// A PersistentVolume.
pub fn volume(given: &core::PersistentVolume, errors: &mut Vec<FieldError>) -> PersistentVolume {
    let spec = given.spec.clone().unwrap_or_default();
    let labels = labels(given.metadata.labels.as_ref());
    let node_affinity = node_affinity(&spec, errors);
    let phase = given.status.as_ref().and_then(|s| s.phase.as_deref());
    let reclaim = spec.persistent_volume_reclaim_policy.as_deref();
    let path = "spec.persistentVolumeReclaimPolicy";
    PersistentVolume {
        name: text(given.metadata.name.as_ref()),
        class: class(&given.metadata, spec.storage_class_name.as_ref()),
        spec_class: text(spec.storage_class_name.as_ref()),
        capacity: amount(spec.capacity.as_ref(), "spec.capacity", errors).unwrap_or_default(),
        access_modes: texts(spec.access_modes.as_ref()),
        is_block: spec.volume_mode.as_deref() == Some("Block"),
        attributes_class: text(spec.volume_attributes_class_name.as_ref()),
        claim: spec.claim_ref.as_ref().map(|claim| ClaimReference {
            name: ObjectName {
                namespace: text(claim.namespace.as_ref()),
                name: text(claim.name.as_ref()),
            },
            uid: text(claim.uid.as_ref()),
        }),
        is_bound_by_controller: annotation(&given.metadata, BOUND_BY_CONTROLLER).is_some(),
        phase: match phase {
            Some("Available") => VolumePhase::Available,
            Some("Bound") => VolumePhase::Bound,
            Some("Released") => VolumePhase::Released,
            Some("Failed") => VolumePhase::Failed,
            _ => VolumePhase::Pending,
        },
        is_deleted: given.metadata.deletion_timestamp.is_some(),
        reclaim: reclaim_policy(reclaim, ReclaimPolicy::Retain, path, errors),
        provisioner: annotation(&given.metadata, PROVISIONED_BY).unwrap_or_default().into(),
        created: SimTime::ZERO,
        deletion: None,
        csi: spec.csi.as_ref().map(|csi| CsiVolume {
            driver: csi.driver.as_str().into(),
            handle: csi.volume_handle.as_str().into(),
        }),
        migrated: csi_migration::volume(&spec, &labels, node_affinity.as_ref()).map(Box::new),
        node_affinity,
        labels,
    }
}

/// The policy written at `path`; `default` where none is.
fn reclaim_policy(
    given: Option<&str>,
    default: ReclaimPolicy,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> ReclaimPolicy {
    match given {
        None => default,
        Some("Retain") => ReclaimPolicy::Retain,
        Some("Delete") => ReclaimPolicy::Delete,
        Some("Recycle") => ReclaimPolicy::Recycle,
        Some(other) => {
            let message = format!("{other:?} is none of Retain, Delete, Recycle");
            errors.push(FieldError::new(path.to_owned(), message));
            default
        }
    }
}

fn node_affinity(
    spec: &core::PersistentVolumeSpec,
    errors: &mut Vec<FieldError>,
) -> Option<Vec<NodeSelectorTerm>> {
    let required = spec.node_affinity.as_ref()?.required.as_ref()?;
    let path = "spec.nodeAffinity.required.nodeSelectorTerms";
    let terms = required.node_selector_terms.iter().enumerate();
    Some(terms.map(|(i, term)| node_term(term, &format!("{path}[{i}]"), errors)).collect())
}

/// A PersistentVolumeClaim; `namespace` is the one it goes to when it names none.
pub fn claim(
    given: &core::PersistentVolumeClaim,
    namespace: &str,
    errors: &mut Vec<FieldError>,
) -> Claim {
    let spec = given.spec.clone().unwrap_or_default();
    let metadata = &given.metadata;
    let requests = spec.resources.as_ref().and_then(|r| r.requests.as_ref());
    let capacity = given.status.as_ref().and_then(|s| s.capacity.as_ref());
    let given_selector = spec.selector.as_ref();
    let mut owners = metadata.owner_references.iter().flatten();
    Claim {
        name: name(metadata, namespace),
        uid: text(metadata.uid.as_ref()),
        class: class(metadata, spec.storage_class_name.as_ref()),
        volume: text(spec.volume_name.as_ref()),
        is_bind_completed: annotation(metadata, BIND_COMPLETED).is_some(),
        is_bound_by_controller: annotation(metadata, BOUND_BY_CONTROLLER).is_some(),
        provisioner: annotation(metadata, PROVISIONER).unwrap_or_default().into(),
        names_class: spec.storage_class_name.is_some()
            || annotation(metadata, BETA_CLASS).is_some(),
        capacity: amount(capacity, "status.capacity", errors),
        labels: labels(metadata.labels.as_ref()),
        created: SimTime::ZERO,
        deletion: None,
        selected_node: annotation(metadata, SELECTED_NODE).map(Text::from),
        request: amount(requests, "spec.resources.requests", errors),
        access_modes: texts(spec.access_modes.as_ref()),
        is_block: spec.volume_mode.as_deref() == Some("Block"),
        attributes_class: text(spec.volume_attributes_class_name.as_ref()),
        selector: given_selector.map(|s| selector(Some(s), "spec.selector", errors)),
        is_lost: given.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Lost"),
        is_deleted: metadata.deletion_timestamp.is_some(),
        owner: owners.find(|o| o.controller == Some(true)).map(|o| o.uid.as_str().into()),
    }
}

/// A StorageClass.
pub fn storage_class(given: &storage::StorageClass, errors: &mut Vec<FieldError>) -> StorageClass {
    let driver = csi_migration::driver_of_provisioner(&given.provisioner);
    let counted_driver = match driver {
        Some(migrated) => migrated.map(Text::from),
        None => Some(given.provisioner.as_str().into()),
    };
    let term = |term: &core::TopologySelectorTerm| {
        let of = |r: &core::TopologySelectorLabelRequirement| {
            (r.key.as_str().into(), texts(Some(&r.values)))
        };
        TopologySelectorTerm(term.match_label_expressions.iter().flatten().map(of).collect())
    };
    StorageClass {
        name: text(given.metadata.name.as_ref()),
        provisioner: given.provisioner.as_str().into(),
        counted_driver,
        is_legacy: driver.is_some(),
        waits_for_consumer: waits_for_consumer(given, errors),
        allowed_topologies: given.allowed_topologies.iter().flatten().map(term).collect(),
        reclaim: reclaim_policy(
            given.reclaim_policy.as_deref(),
            ReclaimPolicy::Delete,
            "reclaimPolicy",
            errors,
        ),
        is_default: annotation(&given.metadata, DEFAULT_CLASS) == Some("true"),
        allows_expansion: given.allow_volume_expansion.unwrap_or(false),
        created: SimTime::ZERO,
    }
}

fn waits_for_consumer(given: &storage::StorageClass, errors: &mut Vec<FieldError>) -> bool {
    match given.volume_binding_mode.as_deref() {
        None | Some("Immediate") => false,
        Some("WaitForFirstConsumer") => true,
        Some(other) => {
            let message = format!("{other:?} is none of Immediate, WaitForFirstConsumer");
            errors.push(FieldError::new("volumeBindingMode".to_owned(), message));
            false
        }
    }
}

/// A CSINode.
pub fn csi_node(given: &storage::CSINode) -> CsiNode {
    let driver = |driver: &storage::CSINodeDriver| CsiNodeDriver {
        name: driver.name.as_str().into(),
        limit: driver.allocatable.as_ref().and_then(|a| a.count),
    };
    CsiNode {
        name: text(given.metadata.name.as_ref()),
        drivers: given.spec.drivers.iter().map(driver).collect(),
        migrated_plugins: annotation(&given.metadata, MIGRATED_PLUGINS).unwrap_or_default().into(),
    }
}

/// A CSIDriver.
pub fn csi_driver(given: &storage::CSIDriver) -> CsiDriver {
    CsiDriver {
        name: text(given.metadata.name.as_ref()),
        tells_capacity: given.spec.storage_capacity.unwrap_or(false),
        is_required_on_node: given.spec.prevent_pod_scheduling_if_missing.unwrap_or(false),
        attaches: given.spec.attach_required.unwrap_or(true),
        created: SimTime::ZERO,
    }
}

/// A CSIStorageCapacity; `namespace` is the one it goes to when it names none.
pub fn csi_storage_capacity(
    given: &storage::CSIStorageCapacity,
    namespace: &str,
    errors: &mut Vec<FieldError>,
) -> CsiStorageCapacity {
    let mut of = |given: Option<&QuantityText>, path: &str| {
        given.map(|q| quantity(q, || path.to_owned(), errors))
    };
    let capacity = of(given.capacity.as_ref(), "capacity");
    let maximum_volume_size = of(given.maximum_volume_size.as_ref(), "maximumVolumeSize");
    let topology = given.node_topology.as_ref();
    CsiStorageCapacity {
        name: name(&given.metadata, namespace),
        class: given.storage_class_name.as_str().into(),
        capacity,
        maximum_volume_size,
        topology: topology.map(|t| selector(Some(t), "nodeTopology", errors)),
    }
}

/// A VolumeAttachment.
pub fn volume_attachment(given: &storage::VolumeAttachment) -> VolumeAttachment {
    let volume = given.spec.source.persistent_volume_name.as_deref();
    VolumeAttachment {
        name: text(given.metadata.name.as_ref()),
        node: given.spec.node_name.as_str().into(),
        attacher: given.spec.attacher.as_str().into(),
        volume: volume.map(Text::from),
        is_attached: given.status.as_ref().is_some_and(|status| status.attached),
        is_deleted: given.metadata.deletion_timestamp.is_some(),
        created: SimTime::ZERO,
    }
}

fn name(metadata: &ObjectMeta, namespace: &str) -> ObjectName {
    let namespace = metadata.namespace.as_deref().unwrap_or(namespace);
    ObjectName::new(namespace, metadata.name.as_deref().unwrap_or_default())
}

fn annotation<'a>(metadata: &'a ObjectMeta, key: &str) -> Option<&'a str> {
    metadata.annotations.as_ref()?.get(key).map(|v| &**v)
}

/// The beta annotation comes first (`GetPersistentVolumeClass`, `GetPersistentVolumeClaimClass`).
fn class(metadata: &ObjectMeta, given: Option<&String>) -> Text {
    annotation(metadata, BETA_CLASS).map_or_else(|| text(given), Text::from)
}

/// The amount of `storage` in a resource list.
fn amount(
    list: Option<&BTreeMap<String, QuantityText>>,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<Quantity> {
    let given = list?.get("storage")?;
    Some(quantity(given, || format!("{path}.storage"), errors))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn claims_are_read_as_the_scheduler_reads_them() {
        let given = serde_json::from_value(json!({
            "metadata": {
                "name": "data", "uid": "u1",
                "annotations": {BETA_CLASS: "old", SELECTED_NODE: "n1"},
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Pod", "name": "x", "uid": "other"},
                    {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u2", "controller": true}
                ]
            },
            "spec": {"storageClassName": "new", "volumeMode": "Block",
                "resources": {"requests": {"storage": "1Gi"}}},
            "status": {"phase": "Lost"}
        }))
        .unwrap();
        let mut errors = Vec::new();
        let claim = claim(&given, "default", &mut errors);
        assert_eq!(errors, []);
        assert_eq!(claim.name, ObjectName::new("default", "data"));
        assert_eq!(&*claim.class, "old", "the beta annotation comes first");
        assert_eq!(claim.request.map(Quantity::value), Some(1 << 30));
        assert_eq!(claim.owner.as_deref(), Some("u2"), "only the controlling owner counts");
        assert_eq!(claim.selected_node.as_deref(), Some("n1"));
        assert!(claim.is_block && claim.is_lost && !claim.is_bound() && !claim.is_deleted);
    }

    #[test]
    fn errors_name_their_fields() {
        let given = serde_json::from_value(json!({"spec": {
            "capacity": {"storage": "1Gb"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "zone", "operator": "Near"}]}]}}
        }}))
        .unwrap();
        let mut errors = Vec::new();
        volume(&given, &mut errors);
        let paths: Vec<&str> = errors.iter().map(|e| &*e.path).collect();
        let term = "spec.nodeAffinity.required.nodeSelectorTerms[0]";
        assert_eq!(
            paths,
            [&format!("{term}.matchExpressions[0].operator"), "spec.capacity.storage"]
        );
    }

    #[test]
    fn a_class_counts_against_the_limits_of_its_driver() {
        let rows = [
            ("a CSI driver's own", "csi.example.com", Some("csi.example.com"), false),
            ("a legacy plugin's successor", "kubernetes.io/aws-ebs", Some("ebs.csi.aws.com"), true),
            ("one that is not heeded", "kubernetes.io/vsphere-volume", None, true),
        ];
        for (sentence, provisioner, driver, is_legacy) in rows {
            let given = storage::StorageClass {
                provisioner: provisioner.to_owned(),
                ..storage::StorageClass::default()
            };
            let class = storage_class(&given, &mut Vec::new());
            assert_eq!(class.counted_driver.as_deref(), driver, "{sentence}");
            assert_eq!(class.is_legacy, is_legacy, "{sentence}");
            assert!(!class.waits_for_consumer, "the default is Immediate");
        }
    }
}
