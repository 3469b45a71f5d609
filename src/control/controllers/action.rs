//! What controllers ask the API server (and the cloud) to do.

use crate::api::event::EventType;
use crate::api::taint::{Taint, TaintEffect};
use crate::api::workload::{Condition, ReplicaSet, WorkloadStatus};
use crate::api::{DeploymentId, HpaId, NodeId, PdbId, PodId, ReplicaSetId, ServiceId, Text};
use crate::units::{SimDuration, SimTime};

/// One request. References may be stale when it arrives: then it is refused, as by the real one.
#[derive(Clone, Debug)]
pub enum Action {
    /// Create a pod from a ReplicaSet's template.
    CreatePod {
        /// The owner.
        owner: ReplicaSetId,
    },
    /// Delete a pod.
    DeletePod {
        /// The pod.
        pod: PodId,
        /// Grace period instead of the pod's own.
        grace: Option<SimDuration>,
        /// Why, for the pod's record: `ScaleDown`, `TaintManager`, `PodGC`, `Preempted`, ...
        reason: &'static str,
    },
    /// Evict a pod through the eviction API, which asks the disruption budgets.
    EvictPod {
        /// The pod.
        pod: PodId,
        /// Grace period instead of the pod's own.
        grace: Option<SimDuration>,
        /// Why, for the pod's record.
        reason: &'static str,
    },
    /// Set condition `Ready` of a pod to False on behalf of a kubelet that is silent.
    MarkPodNotReady {
        /// The pod.
        pod: PodId,
    },
    /// Create a ReplicaSet.
    CreateReplicaSet {
        /// As it shall be.
        set: Box<ReplicaSet>,
    },
    /// Set `spec.replicas` of a ReplicaSet and the annotations that go with it.
    ScaleReplicaSet {
        /// The set.
        set: ReplicaSetId,
        /// The new number.
        replicas: u32,
        /// Annotation `deployment.kubernetes.io/desired-replicas`.
        desired: u32,
        /// Annotation `deployment.kubernetes.io/max-replicas`.
        max: u32,
    },
    /// Set the revision annotation and `spec.minReadySeconds` of a ReplicaSet.
    SetRevision {
        /// The set.
        set: ReplicaSetId,
        /// The new revision.
        revision: u64,
        /// The new `spec.minReadySeconds`.
        min_ready: SimDuration,
    },
    /// Delete a ReplicaSet that has no pods.
    DeleteReplicaSet {
        /// The set.
        set: ReplicaSetId,
    },
    /// Write a ReplicaSet's status.
    ReplicaSetStatus {
        /// The set.
        set: ReplicaSetId,
        /// The status.
        status: WorkloadStatus,
    },
    /// Write a Deployment's status.
    DeploymentStatus {
        /// The Deployment.
        deployment: DeploymentId,
        /// The counts.
        status: WorkloadStatus,
        /// The conditions.
        conditions: Vec<Condition>,
        /// Annotation `deployment.kubernetes.io/revision`.
        revision: u64,
    },
    /// Set `spec.replicas` of a Deployment through its scale subresource.
    ScaleDeployment {
        /// The Deployment.
        deployment: DeploymentId,
        /// The new number.
        replicas: u32,
    },
    /// Write an autoscaler's status.
    HpaStatus {
        /// The autoscaler.
        hpa: HpaId,
        /// `currentReplicas`.
        current: u32,
        /// `desiredReplicas`.
        desired: u32,
    },
    /// Write a Service's EndpointSlices.
    Endpoints {
        /// The Service.
        service: ServiceId,
        /// Pods that are ready endpoints from now on, sorted.
        comes: Vec<PodId>,
        /// Pods that no longer are, sorted.
        goes: Vec<PodId>,
    },
    /// Write a budget's status.
    PdbStatus {
        /// The budget.
        pdb: PdbId,
        /// `disruptionsAllowed`, `currentHealthy`, `desiredHealthy`, `expectedPods`.
        status: [u32; 4],
    },
    /// Set condition `Ready` of a node to Unknown.
    NodeUnknown {
        /// The node.
        node: NodeId,
    },
    /// Add a taint.
    AddTaint {
        /// The node.
        node: NodeId,
        /// The taint.
        taint: Taint,
    },
    /// Remove a taint.
    RemoveTaint {
        /// The node.
        node: NodeId,
        /// Its key.
        key: Text,
        /// Its effect.
        effect: TaintEffect,
    },
    /// Delete a node object.
    DeleteNode {
        /// The node.
        node: NodeId,
    },
    /// Ask the cloud for more machines of a group.
    IncreaseGroup {
        /// Index of the group.
        group: usize,
        /// How many more.
        delta: u32,
    },
    /// Take back machines that have not registered.
    DecreaseTarget {
        /// Index of the group.
        group: usize,
        /// How many fewer.
        delta: u32,
    },
    /// Delete the machine behind a node, and with it the node.
    DeleteMachine {
        /// The node.
        node: NodeId,
    },
    /// Publish an Event. Goes through the client's Event sink, never waited for.
    Event {
        /// `type`.
        kind: EventType,
        /// `reason`.
        reason: &'static str,
        /// What it is about.
        about: About,
        /// `message`.
        message: String,
    },
}

/// The object an Event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// A pod.
    Pod(PodId),
    /// A node.
    Node(NodeId),
    /// A Deployment.
    Deployment(DeploymentId),
    /// A ReplicaSet.
    ReplicaSet(ReplicaSetId),
    /// An autoscaler.
    Hpa(HpaId),
    /// A budget.
    Pdb(PdbId),
    /// A node group (cluster autoscaler status).
    Group(usize),
}

/// What a sync came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Requests: those of one batch are sent side by side, the next batch when all of them are
    /// answered. If one is refused, later batches are not sent and the key is retried with the
    /// work queue's exponential back-off.
    pub batches: Vec<Vec<Action>>,
    /// When to sync this key again even if nothing changes; [`SimTime::NEVER`]: only on a change.
    pub wake_at: SimTime,
}

impl Outcome {
    /// Nothing to do until something changes.
    pub fn idle() -> Outcome {
        Outcome { batches: Vec::new(), wake_at: SimTime::NEVER }
    }

    /// Adds a request that waits for all before it.
    pub fn then(&mut self, action: Action) {
        self.batches.push(vec![action]);
    }

    /// Asks to be synced at `at` or earlier.
    pub fn wake(&mut self, at: SimTime) {
        self.wake_at = self.wake_at.min(at);
    }
}
