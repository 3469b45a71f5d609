//! Tables of `kubectl get`: columns and cells of each kind, read from objects in their JSON form.
//!
//! Source: kubernetes `pkg/printers/internalversion/printers.go`, v1.37.

mod autoscaling;
mod cluster;
mod network;
mod node;
mod pod;
mod storage;
mod workload;

pub(super) use autoscaling::{Metric, metric, reference};
pub(super) use node::roles;
pub(super) use storage::access_modes;

use super::read::age;
use crate::units::SimTime;
use serde_json::Value;

/// A column: its header, and whether only `-o wide` shows it.
type Column = (&'static str, bool);

/// The columns of a kind, and how an object becomes their cells.
pub(super) struct Table {
    pub columns: &'static [Column],
    pub cells: fn(&Value, SimTime) -> Vec<String>,
}

/// The table of a kind.
pub(super) fn of(kind: &str) -> Table {
    match kind {
        "Pod" => pod::TABLE,
        "Node" => node::TABLE,
        "Deployment" => workload::DEPLOYMENT,
        "ReplicaSet" | "ReplicationController" => workload::REPLICA_SET,
        "StatefulSet" => workload::STATEFUL_SET,
        "DaemonSet" => workload::DAEMON_SET,
        "Job" => workload::JOB,
        "CronJob" => workload::CRON_JOB,
        "Service" => network::SERVICE,
        "Ingress" => network::INGRESS,
        "Endpoints" => network::ENDPOINTS,
        "EndpointSlice" => network::SLICE,
        "HorizontalPodAutoscaler" => autoscaling::HPA,
        "VerticalPodAutoscaler" => autoscaling::VPA,
        "PodDisruptionBudget" => cluster::PDB,
        "ResourceQuota" => cluster::QUOTA,
        "LimitRange" => cluster::LIMIT_RANGE,
        "Event" => cluster::EVENT,
        "PersistentVolume" => storage::VOLUME,
        "PersistentVolumeClaim" => storage::CLAIM,
        "StorageClass" => storage::CLASS,
        "VolumeAttachment" => storage::ATTACHMENT,
        "CSINode" => storage::CSI_NODE,
        "CSIDriver" => storage::CSI_DRIVER,
        "CSIStorageCapacity" => storage::CAPACITY,
        "Namespace" => cluster::NAMESPACE,
        "ConfigMap" => cluster::CONFIG_MAP,
        "Secret" => cluster::SECRET,
        "ComponentStatus" => cluster::COMPONENT_STATUS,
        _ => Table {
            columns: &[("NAME", false), ("AGE", false)],
            cells: |object, now| vec![name(object), age(object, now)],
        },
    }
}

/// `metadata.name`.
fn name(object: &Value) -> String {
    super::read::text(object, "/metadata/name").to_owned()
}
