//! What changed in the store: the content of the API server's watches.

use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::api::{DeploymentId, HpaId, NodeId, PdbId, PodId, ReplicaSetId, ServiceId};
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
    /// A ReplicaSet was created or changed.
    ReplicaSet(ReplicaSetId),
    /// A ReplicaSet is gone; its Deployment is told.
    ReplicaSetRemoved(ReplicaSetId, Option<DeploymentId>),
    /// A Service was created.
    Service(ServiceId),
    /// A Service's endpoints changed.
    Endpoints(ServiceId),
    /// An autoscaler was created or its spec changed.
    Hpa(HpaId),
    /// An autoscaler's status changed.
    HpaStatus(HpaId),
    /// A budget was created or changed.
    Pdb(PdbId),
}
