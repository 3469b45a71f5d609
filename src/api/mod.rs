//! Kubernetes objects in compact form: what the store keeps and the controllers read.
//!
//! Upstream's names and meanings, Kubernetes 1.37. These types know neither the clock's progress,
//! nor files, nor who changes them: they are plain data. Texts are shared where they can be, and
//! what pods of one template have in common sits behind one `Arc`, so that a live pod costs a few
//! hundred bytes.

pub mod amounts;
pub mod autoscaling;
pub mod behavior;
pub mod cel;
pub mod config;
pub mod container_status;
pub mod convert;
pub mod daemon_set;
pub mod devices;
pub mod drain_hints;
pub mod event;
pub mod ingress;
pub mod job;
pub mod kind;
pub mod labels;
pub mod limit_range;
pub mod meta;
pub mod namespace;
pub mod node;
pub mod node_affinity;
pub mod node_pool;
pub mod object;
pub mod owner;
pub mod pod;
pub mod pod_affinity;
pub mod policy;
pub mod qos;
pub mod quantity;
pub mod quota;
pub mod refusal;
pub mod resize;
pub mod resources;
pub mod scaled_object;
pub mod semver;
pub mod service;
pub mod stateful_set;
pub mod storage;
pub mod taint;
pub mod topology_spread;
pub mod vertical_pod_autoscaler;
pub mod volume;
pub mod workload;

/// A shared text: object names, label keys, reasons. One word in size, where an `Arc<str>` is two:
/// most of a node is its labels.
pub type Text = arcstr::ArcStr;

/// Namespace and name of an object; its kind is known from where it stands.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ObjectName {
    /// `metadata.namespace`; empty for cluster-scoped objects.
    pub namespace: Text,
    /// `metadata.name`.
    pub name: Text,
}

impl ObjectName {
    /// The object `name` in `namespace`.
    pub fn new(namespace: &str, name: &str) -> ObjectName {
        ObjectName { namespace: namespace.into(), name: name.into() }
    }
}

impl std::fmt::Display for ObjectName {
    /// `namespace/name`, as in upstream's messages; only the name for cluster-scoped objects.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.namespace.is_empty() {
            return f.write_str(&self.name);
        }
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

slotmap::new_key_type! {
    /// A pod in the store. Never reused: a deleted pod's id finds nothing.
    pub struct PodId;
    /// A node in the store.
    pub struct NodeId;
    /// A Deployment in the store.
    pub struct DeploymentId;
    /// Whatever controls pods in the store: a ReplicaSet, ReplicationController, StatefulSet,
    /// DaemonSet or Job.
    pub struct OwnerId;
    /// A CronJob in the store.
    pub struct CronJobId;
    /// A Service (with its endpoints) in the store.
    pub struct ServiceId;
/// An Ingress (with its endpoints) in the store.
    pub struct IngressId;
    /// A HorizontalPodAutoscaler in the store.
    pub struct HpaId;
    /// A VerticalPodAutoscaler in the store.
    pub struct VpaId;
    /// A PersistentVolumeClaim in the store.
    pub struct ClaimId;
    /// A PersistentVolume in the store.
    pub struct VolumeId;
    /// A VolumeAttachment in the store.
    pub struct AttachmentId;
    /// A PodDisruptionBudget in the store.
    pub struct PdbId;
    /// A ResourceQuota in the store.
    pub struct QuotaId;
    /// A LimitRange in the store.
    pub struct LimitRangeId;
    /// A Secret or ConfigMap in the store.
    pub struct ConfigId;
    /// A Namespace in the store that is being deleted or has been.
    pub struct NamespaceId;
}
