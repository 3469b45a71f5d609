//! Any object that a person may apply, by its kind.

use super::{
    FieldError, autoscaling, config, daemon_set, ingress, job, quota, service, stateful_set,
    storage, workload,
};
use crate::api::object::Object;
use crate::api::owner::Owner;
use crate::api::storage::StorageObject;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;

/// The object of a manifest; `namespace` is the one it goes to when it names none. `None`: its kind
/// is none of those that the simulation has.
pub fn object(given: &Value, namespace: &str, errors: &mut Vec<FieldError>) -> Option<Object> {
    Some(match given["kind"].as_str()? {
        "Deployment" => {
            let given = decode(given, errors)?;
            Object::Deployment(Box::new(workload::deployment(&given, namespace, errors)))
        }
        "ReplicaSet" => {
            let set = workload::replica_set(&decode(given, errors)?, namespace, errors);
            Object::Owner(Owner::ReplicaSet(Box::new(set)))
        }
        "ReplicationController" => {
            let set = workload::replication_controller(&decode(given, errors)?, namespace, errors);
            Object::Owner(Owner::ReplicaSet(Box::new(set)))
        }
        "StatefulSet" => {
            let set = stateful_set::stateful_set(&decode(given, errors)?, namespace, errors);
            Object::Owner(Owner::StatefulSet(Box::new(set)))
        }
        "DaemonSet" => {
            let set = daemon_set::daemon_set(&decode(given, errors)?, namespace, errors);
            Object::Owner(Owner::DaemonSet(Box::new(set)))
        }
        "Job" => {
            let job = job::job(&decode(given, errors)?, namespace, errors);
            Object::Owner(Owner::Job(Box::new(job)))
        }
        "CronJob" => {
            let job = job::cron_job(&decode(given, errors)?, namespace, errors);
            Object::CronJob(Box::new(job))
        }
        "Pod" => Object::Pod(Box::new(workload::pod(&decode(given, errors)?, namespace, errors))),
        "Service" => {
            let given = decode(given, errors)?;
            Object::Service(Box::new(service::service(&given, namespace, errors)))
        }
        "Ingress" => {
            let given = decode(given, errors)?;
            Object::Ingress(Box::new(ingress::ingress(&given, namespace, errors)))
        }
        "HorizontalPodAutoscaler" => {
            let (hpa, target) = autoscaling::hpa(&decode(given, errors)?, namespace, errors);
            Object::Hpa(Box::new(hpa), target.1.into())
        }
        "PodDisruptionBudget" => {
            let given = decode(given, errors)?;
            Object::Pdb(Box::new(service::pdb(&given, namespace, errors)))
        }
        "ResourceQuota" => {
            let given = decode(given, errors)?;
            Object::Quota(Box::new(quota::resource_quota(&given, namespace, errors)))
        }
        "LimitRange" => {
            let given = decode(given, errors)?;
            Object::LimitRange(Box::new(quota::limit_range(&given, namespace, errors)))
        }
        "ConfigMap" | "Secret" => Object::Config(Box::new(config::config(given, namespace)?)),
        "Namespace" => Object::Namespace(given["metadata"]["name"].as_str()?.into()),
        kind => Object::Storage(storage_object(kind, given, namespace, errors)?),
    })
}

fn storage_object(
    kind: &str,
    given: &Value,
    namespace: &str,
    errors: &mut Vec<FieldError>,
) -> Option<StorageObject> {
    Some(match kind {
        "PersistentVolume" => {
            let given = decode(given, errors)?;
            StorageObject::Volume(Arc::new(storage::volume(&given, errors)))
        }
        "PersistentVolumeClaim" => {
            let given = decode(given, errors)?;
            StorageObject::Claim(Arc::new(storage::claim(&given, namespace, errors)))
        }
        "StorageClass" => {
            let given = decode(given, errors)?;
            StorageObject::Class(Arc::new(storage::storage_class(&given, errors)))
        }
        "CSINode" => StorageObject::CsiNode(Arc::new(storage::csi_node(&decode(given, errors)?))),
        "CSIDriver" => {
            StorageObject::CsiDriver(Arc::new(storage::csi_driver(&decode(given, errors)?)))
        }
        "CSIStorageCapacity" => {
            let given = decode(given, errors)?;
            let capacity = storage::csi_storage_capacity(&given, namespace, errors);
            StorageObject::Capacity(Arc::new(capacity))
        }
        _ => return None,
    })
}

fn decode<T: DeserializeOwned>(given: &Value, errors: &mut Vec<FieldError>) -> Option<T> {
    match serde_json::from_value(given.clone()) {
        Ok(object) => Some(object),
        Err(error) => {
            errors.push(FieldError::new(String::new(), error.to_string()));
            None
        }
    }
}
