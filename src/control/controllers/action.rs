//! What controllers ask the API server (and the cloud) to do.

use super::garbagecollector::Item;
use super::statefulset::request::Request;
use super::volume;
use crate::api::amounts::Amounts;
use crate::api::autoscaling::ScaleTarget;
use crate::api::daemon_set::{DaemonSetStatus, Revision};
use crate::api::event::EventType;
use crate::api::job::{CronJobStatus, Job, JobStatus};
use crate::api::labels::Labels;
use crate::api::meta::Propagation;
use crate::api::pod::{IndexFailures, PodSpec};
use crate::api::policy::PdbStatus;
use crate::api::refusal::Refusal;
use crate::api::taint::{Taint, TaintEffect};
use crate::api::vertical_pod_autoscaler::VpaStatus;
use crate::api::workload::{Condition, ReplicaSet, WorkloadStatus};
use crate::api::{
    ClaimId, CronJobId, DeploymentId, HpaId, NamespaceId, NodeId, OwnerId, PdbId, PodId, QuotaId,
    ServiceId, Text, VolumeId, VpaId,
};
use crate::control::karpenter::Launch;
use crate::store::Store;
use crate::units::{SimDuration, SimTime};
use std::sync::Arc;

/// One request. References may be stale when it arrives: then it is refused, as by the real one.
#[derive(Clone, Debug)]
pub enum Action {
    /// Create a pod from a ReplicaSet's template.
    CreatePod {
        /// The owner.
        owner: OwnerId,
    },
    /// Create a pod that its owner describes.
    CreatePodAs {
        /// The owner.
        owner: OwnerId,
        /// The pod.
        pod: Box<NewPod>,
    },
    /// Create a pod of a Job's index that may have failed before.
    CreateIndexPod {
        /// The owner.
        owner: OwnerId,
        /// The pod.
        pod: Box<NewPod>,
        /// What its annotations say of failures before it.
        failures: IndexFailures,
    },
    /// Create a Job that a CronJob controls.
    CreateJob {
        /// As it shall be.
        job: Box<Job>,
    },
    /// Write a Job's status.
    JobStatus {
        /// The Job.
        job: OwnerId,
        /// The status.
        status: Box<JobStatus>,
    },
    /// Write a CronJob's status.
    CronJobStatus {
        /// The CronJob.
        cron_job: CronJobId,
        /// The status.
        status: Box<CronJobStatus>,
    },
    /// Make a pod one's own (adoption).
    AdoptPod {
        /// The pod.
        pod: PodId,
        /// Its new owner.
        owner: OwnerId,
    },
    /// Let go of a pod that one's selector no longer matches.
    ReleasePod {
        /// The pod.
        pod: PodId,
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
    /// Change what a pod requests, and its limits, in place (subresource `resize`).
    ResizePod {
        /// The pod.
        pod: PodId,
        /// Its specification with what it shall have.
        spec: Arc<PodSpec>,
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
        set: OwnerId,
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
        set: OwnerId,
        /// The new revision.
        revision: u64,
        /// The new `spec.minReadySeconds`.
        min_ready: SimDuration,
    },
    /// Delete a ReplicaSet that has no pods.
    DeleteReplicaSet {
        /// The set.
        set: OwnerId,
    },
    /// Delete what controls pods.
    DeleteOwner {
        /// The object.
        owner: OwnerId,
        /// What becomes of its pods.
        propagation: Propagation,
    },
    /// Make a ReplicaSet one's own (adoption).
    AdoptSet {
        /// The ReplicaSet.
        set: OwnerId,
        /// Its new owner.
        deployment: DeploymentId,
    },
    /// Let go of a ReplicaSet or Job: its parent is being deleted and leaves it alone.
    ReleaseOwner {
        /// The object.
        owner: OwnerId,
    },
    /// Let an object go whose dependents have been dealt with.
    RemoveFinalizer {
        /// The object.
        item: Item,
    },
    /// Write a ReplicaSet's status.
    ReplicaSetStatus {
        /// The set.
        set: OwnerId,
        /// The status.
        status: WorkloadStatus,
        /// The conditions.
        conditions: Vec<Condition>,
    },
    /// Create the ControllerRevision of a DaemonSet's template, or give it another number.
    DaemonSetRevision {
        /// The set.
        set: OwnerId,
        /// As it shall be.
        revision: Revision,
    },
    /// Delete a ControllerRevision of a DaemonSet.
    DropDaemonSetRevision {
        /// The set.
        set: OwnerId,
        /// The revision's hash.
        hash: Text,
    },
    /// Write a DaemonSet's status.
    DaemonSetStatus {
        /// The set.
        set: OwnerId,
        /// The status.
        status: DaemonSetStatus,
    },
    /// What only the statefulset controller asks for.
    StatefulSet(Box<Request>),
    /// What only the controllers of volumes ask for.
    Volume(Box<volume::request::Request>),
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
    /// Set `spec.replicas` through the scale subresource.
    Scale {
        /// What is scaled.
        target: ScaleTarget,
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
    /// Write a VerticalPodAutoscaler's status.
    VpaStatus {
        /// The object.
        vpa: VpaId,
        /// The status.
        status: Box<VpaStatus>,
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
        /// The status.
        status: PdbStatus,
    },
    /// Write a quota's status: what its controller has counted.
    QuotaStatus {
        /// The quota.
        quota: QuotaId,
        /// `status.hard`.
        known: Amounts,
        /// `status.used`.
        used: Amounts,
        /// Its version when it was counted: if something has been charged since, the write fails.
        basis: u64,
    },
    /// Delete all objects of a kind in a namespace (`deletecollection`).
    DeleteAll {
        /// The namespace.
        namespace: Text,
        /// Their kind.
        kind: &'static str,
    },
    /// Write a namespace's condition `NamespaceDeletionContentFailure`.
    NamespaceStatus {
        /// The namespace.
        namespace: NamespaceId,
        /// Whether content stays that nobody expects to.
        fails: bool,
    },
    /// Let a namespace go in which nothing is left.
    FinalizeNamespace {
        /// Its name.
        namespace: Text,
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
    /// Ask the cloud for the machine of a NodeClaim.
    LaunchMachine(Box<Launch>),
    /// Delete the machine of a NodeClaim that has not registered.
    CancelMachine {
        /// The NodeClaim's number.
        claim: u64,
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

/// A pod that its owner describes.
#[derive(Clone, Debug)]
pub struct NewPod {
    /// Its name, or what the API server makes one from (`generateName`).
    pub name: NewName,
    /// Its labels.
    pub labels: Labels,
    /// Its specification.
    pub spec: Arc<PodSpec>,
    /// It has the finalizer `batch.kubernetes.io/job-tracking`.
    pub is_tracked: bool,
    /// The Event that tells of its creation, by owner and the pod's name.
    pub created: fn(OwnerId, &str) -> Action,
}

/// How a new pod gets its name.
#[derive(Clone, Debug)]
pub enum NewName {
    /// It has this one.
    Is(Text),
    /// The API server adds five characters to this.
    Generated(Text),
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
    /// A ReplicaSet, ReplicationController, StatefulSet, DaemonSet or Job.
    Owner(OwnerId),
    /// A CronJob.
    CronJob(CronJobId),
    /// An autoscaler.
    Hpa(HpaId),
    /// A VerticalPodAutoscaler.
    Vpa(VpaId),
    /// A budget.
    Pdb(PdbId),
    /// A claim.
    Claim(ClaimId),
    /// A volume.
    Volume(VolumeId),
    /// A Service.
    Service(ServiceId),
    /// A ScaledObject, by its place among those of the manifests.
    ScaledObject(usize),
    /// A node group (cluster autoscaler status).
    Group(usize),
    /// A NodeClaim, by its number.
    NodeClaim(u64),
    /// A NodePool, by its place among those of the manifests.
    NodePool(usize),
}

/// What a sync came to.
#[derive(Clone)]
pub struct Outcome {
    /// Requests: those of one batch are sent side by side, the next batch when all of them are
    /// answered. If one is refused, later batches are not sent and the key is retried with the
    /// work queue's exponential back-off.
    pub batches: Vec<Vec<Action>>,
    /// When to sync this key again even if nothing changes; [`SimTime::NEVER`]: only on a change.
    pub wake_at: SimTime,
    /// What remains to be done when all batches are answered or one of a batch is refused; the
    /// sync goes on with that.
    pub rest: Option<Rest>,
    /// The sync has failed without a request that was refused: its key is retried.
    pub is_error: bool,
}

/// The second half of a sync: shown the objects as they are by then, and the first refusal of the
/// first half, if any.
pub type Rest = Arc<dyn Fn(&Store, Option<&Refusal>, SimTime) -> Outcome + Send + Sync>;

impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut out = f.debug_struct("Outcome");
        out.field("batches", &self.batches).field("wake_at", &self.wake_at);
        out.field("rest", &self.rest.is_some()).field("is_error", &self.is_error).finish()
    }
}

impl Outcome {
    /// Nothing to do until something changes.
    pub fn idle() -> Outcome {
        Outcome { batches: Vec::new(), wake_at: SimTime::NEVER, rest: None, is_error: false }
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
