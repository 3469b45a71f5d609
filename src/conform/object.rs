//! Objects of a case that are neither pods nor nodes, as the scheduler is told of them.

use super::manifest::{fine, key, namespace};
use crate::api::convert;
use crate::api::labels::Selector;
use crate::api::storage::StorageObject;
use crate::api::{ObjectName, OwnerId, PdbId, PodId};
use crate::control::scheduler::objects::{Budget, Objects};
use k8s_openapi::api::apps::v1::{ReplicaSet, StatefulSet};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::core::v1::{Namespace, ReplicationController, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde::de::DeserializeOwned;
use serde_json::Value;
use slotmap::SlotMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Keys of pods, owners and budgets, which are known by name in a case.
#[derive(Default)]
pub(super) struct Keys {
    pod_ids: SlotMap<PodId, ()>,
    pods: BTreeMap<String, PodId>,
    owner_ids: SlotMap<OwnerId, ()>,
    owners: BTreeMap<String, OwnerId>,
    budget_ids: SlotMap<PdbId, ()>,
    budgets: BTreeMap<String, PdbId>,
}

impl Keys {
    /// The key of an owner, `kind/namespace/name`.
    pub(super) fn owner(&mut self, name: &str) -> OwnerId {
        let ids = &mut self.owner_ids;
        *self.owners.entry(name.to_owned()).or_insert_with(|| ids.insert(()))
    }

    /// The key of a pod, `namespace/name`, that is there or will be.
    pub(super) fn pod(&mut self, name: &str) -> PodId {
        let ids = &mut self.pod_ids;
        *self.pods.entry(name.to_owned()).or_insert_with(|| ids.insert(()))
    }

    /// A pod is gone: another one of its name will have another key.
    pub(super) fn forget_pod(&mut self, name: &str) -> Option<PodId> {
        self.pods.remove(name)
    }

    fn budget(&mut self, name: &str) -> PdbId {
        let ids = &mut self.budget_ids;
        *self.budgets.entry(name.to_owned()).or_insert_with(|| ids.insert(()))
    }
}

/// A storage object, if `given` is one.
pub(super) fn storage(given: &Value) -> Result<Option<StorageObject>, String> {
    use StorageObject::*;
    let kind = given["kind"].as_str().ok_or("an object needs a kind")?;
    let mut errors = Vec::new();
    let object = match kind {
        "PersistentVolume" => {
            let given: core::PersistentVolume = decode(kind, given)?;
            Volume(Arc::new(convert::storage::volume(&given, &mut errors)))
        }
        "PersistentVolumeClaim" => {
            let given: core::PersistentVolumeClaim = decode(kind, given)?;
            Claim(Arc::new(convert::storage::claim(&given, "default", &mut errors)))
        }
        "StorageClass" => {
            let given = decode(kind, given)?;
            Class(Arc::new(convert::storage::storage_class(&given, &mut errors)))
        }
        "CSINode" => CsiNode(Arc::new(convert::storage::csi_node(&decode(kind, given)?))),
        "CSIDriver" => CsiDriver(Arc::new(convert::storage::csi_driver(&decode(kind, given)?))),
        "CSIStorageCapacity" => {
            let given = decode(kind, given)?;
            let capacity = convert::storage::csi_storage_capacity(&given, "default", &mut errors);
            Capacity(Arc::new(capacity))
        }
        "VolumeAttachment" => {
            Attachment(Arc::new(convert::storage::volume_attachment(&decode(kind, given)?)))
        }
        _ => return Ok(None),
    };
    let name = given["metadata"]["name"].as_str().ok_or("an object needs metadata.name")?;
    fine(&format!("{kind} {name}"), &errors)?;
    Ok(Some(object))
}

/// Tells of any other object, in any of its versions the last.
pub(super) fn tell(objects: &mut Objects, keys: &mut Keys, given: &Value) -> Result<(), String> {
    let kind = given["kind"].as_str().ok_or("an object needs a kind")?;
    match kind {
        "Namespace" => {
            let given: Namespace = decode(kind, given)?;
            let name = given.metadata.name.as_deref().unwrap_or_default();
            objects.set_namespace(name.into(), convert::labels(given.metadata.labels.as_ref()));
        }
        "Service" => {
            let given: Service = decode(kind, given)?;
            let selector = given.spec.as_ref().and_then(|s| s.selector.as_ref());
            let selector = selector.map(|s| Selector::from_labels(&convert::labels(Some(s))));
            let name = given.metadata.name.as_deref().unwrap_or_default();
            objects.set_service(ObjectName::new(namespace(&given.metadata), name), selector);
        }
        "ReplicaSet" => {
            let given: ReplicaSet = decode(kind, given)?;
            owner(objects, keys, &key(&given.metadata)?, kind, Some(&given.spec.selector))?;
        }
        "StatefulSet" => {
            let given: StatefulSet = decode(kind, given)?;
            owner(objects, keys, &key(&given.metadata)?, kind, Some(&given.spec.selector))?;
        }
        "ReplicationController" => {
            let given: ReplicationController = decode(kind, given)?;
            let labels = given.spec.as_ref().and_then(|s| s.selector.as_ref());
            let selector = Selector::from_labels(&convert::labels(labels));
            let id = keys.owner(&format!("{kind}/{}", key(&given.metadata)?));
            objects.set_replica_set(id, Some(selector));
        }
        "PodDisruptionBudget" => budget(objects, keys, decode(kind, given)?)?,
        other => return Err(format!("objects of kind {other} are not known here")),
    }
    Ok(())
}

pub(super) fn decode<T: DeserializeOwned>(kind: &str, given: &Value) -> Result<T, String> {
    serde_json::from_value(given.clone()).map_err(|e| format!("{kind}: {e}"))
}

fn owner(
    objects: &mut Objects,
    keys: &mut Keys,
    name: &str,
    kind: &str,
    given: Option<&LabelSelector>,
) -> Result<(), String> {
    let mut errors = Vec::new();
    let selector = convert::selector(given, "spec.selector", &mut errors);
    fine(&format!("{kind} {name}"), &errors)?;
    objects.set_replica_set(keys.owner(&format!("{kind}/{name}")), Some(selector));
    Ok(())
}

fn budget(
    objects: &mut Objects,
    keys: &mut Keys,
    given: PodDisruptionBudget,
) -> Result<(), String> {
    let name = key(&given.metadata)?;
    let (spec, status) = (given.spec.unwrap_or_default(), given.status.unwrap_or_default());
    let mut errors = Vec::new();
    let selector = convert::selector(spec.selector.as_ref(), "spec.selector", &mut errors);
    fine(&format!("PodDisruptionBudget {name}"), &errors)?;
    let space = namespace(&given.metadata);
    let budget = Budget {
        namespace: space.into(),
        selector,
        disruptions_allowed: i64::from(status.disruptions_allowed.unwrap_or(0)),
        disrupted_pods: status
            .disrupted_pods
            .iter()
            .flatten()
            .map(|(pod, _)| keys.pod(&format!("{space}/{pod}")))
            .collect(),
        version: 0,
    };
    objects.set_budget(keys.budget(&name), Some(budget));
    Ok(())
}
