//! What changed in the store: the content of the API server's watches.

use super::storage::Attachment;
use crate::api::labels::Labels;
use crate::api::node::Node;
use crate::api::owner::{Owner, Parent};
use crate::api::pod::Pod;
use crate::api::stateful_set::Claim;
use crate::api::storage::{PersistentVolume, StorageObject};
use crate::api::workload::Deployment;
use crate::api::{
    AttachmentId, ClaimId, ConfigId, CronJobId, DeploymentId, HpaId, IngressId, LimitRangeId,
    NamespaceId, NodeId, OwnerId, PdbId, PodId, QuotaId, ServiceId, Text, VolumeId, VpaId,
};
use std::sync::Arc;

/// One change. Removed objects travel with it, since the store no longer has them.
#[derive(Clone, Debug)]
pub enum Change {
    /// A pod was created.
    PodCreated(PodId),
    /// A pod was bound to a node.
    PodBound(PodId),
    /// A pod's status changed.
    PodUpdated(PodId),
    /// A pod got its deletionTimestamp.
    PodMarked(PodId),
    /// A pod's labels changed; these were the old ones.
    PodRelabelled(PodId, Labels),
    /// A pod was adopted or released; this was its owner.
    PodOwner(PodId, Option<OwnerId>),
    /// A pod is gone.
    PodRemoved(PodId, Box<Pod>),
    /// A node registered.
    NodeCreated(NodeId),
    /// A node's spec, labels or conditions changed.
    NodeUpdated(NodeId),
    /// A node object is gone; the pods that were bound to it are still there.
    NodeRemoved(NodeId, Arc<Node>, Vec<PodId>),
    /// A Deployment was created or changed.
    Deployment(DeploymentId),
    /// A Deployment is gone; the ReplicaSets that it controlled are still there.
    DeploymentRemoved(DeploymentId, Box<Deployment>, Vec<OwnerId>),
    /// A ReplicaSet, StatefulSet, DaemonSet or Job was created or changed.
    Owner(OwnerId),
    /// One has another parent than this, or none.
    Released(OwnerId, Option<Parent>),
    /// One is gone; the pods that it controlled are still there.
    OwnerRemoved(OwnerId, Box<Owner>, Vec<PodId>),
    /// A CronJob was created or changed.
    CronJob(CronJobId),
    /// A CronJob is gone; the Jobs that it controlled are still there.
    CronJobRemoved(CronJobId, Vec<OwnerId>),
    /// A Service was created or removed, or its spec changed.
    Service(ServiceId),
    /// An Ingress was created, changed or removed.
    Ingress(IngressId),
    /// A Service's endpoints changed.
    Endpoints(ServiceId),
    /// An autoscaler was created or removed, or its spec changed.
    Hpa(HpaId),
    /// An autoscaler's status changed.
    HpaStatus(HpaId),
    /// A VerticalPodAutoscaler was created, or its status changed.
    Vpa(VpaId),
    /// A claim was created or changed.
    Claim(ClaimId),
    /// A claim is gone.
    ClaimRemoved(ClaimId, Box<Claim>),
    /// A volume was created or changed.
    Volume(VolumeId),
    /// A volume is gone.
    VolumeRemoved(VolumeId, Arc<PersistentVolume>),
    /// A volume is to be attached, is attached, or is to be detached.
    Attachment(AttachmentId),
    /// A volume is detached.
    AttachmentRemoved(AttachmentId, Box<Attachment>),
    /// `status.volumesInUse` of the node of this name changed.
    VolumesInUse(Text),
    /// A storage class, CSI driver, CSINode or storage capacity was created or changed.
    Storage(StorageObject),
    /// One is gone.
    StorageGone(StorageObject),
    /// A budget was created, changed or removed.
    Pdb(PdbId),
    /// A quota was created or removed, or its spec changed.
    Quota(QuotaId),
    /// A quota's status changed.
    QuotaStatus(QuotaId),
    /// A limit range was created, changed or removed.
    LimitRange(LimitRangeId),
    /// A Secret or ConfigMap was created, changed or removed.
    Config(ConfigId),
    /// A namespace is being deleted, is gone, or has been made again.
    Namespace(NamespaceId),
}
