//! The rows of a run's tables. Times are instants since the start; rates are per second.

use crate::api::Text;
pub use crate::api::event::EventType;
use crate::units::{MilliCpu, SimDuration, SimTime};

/// One row of the time series for the whole cluster.
///
/// Counts and levels are those at `time`; request counts and latencies are of the interval that
/// ends there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterSample {
    /// End of the interval.
    pub time: SimTime,
    /// Length of the interval.
    pub interval: SimDuration,
    /// Requests from outside that arrived.
    pub offered: f64,
    /// Requests from outside that were answered in time, callees included.
    pub served: f64,
    /// Requests from outside that failed.
    pub failed: f64,
    /// Requests a second that the pods behind the entry services can serve at the row's instant.
    pub capacity_rps: f64,
    /// Latency quantiles of entry requests served, seconds; `None` when none were.
    pub latency: Option<Quantiles>,
    /// Nodes that exist as API objects.
    pub nodes: u32,
    /// Nodes that are Ready.
    pub nodes_ready: u32,
    /// Machines asked for that have not registered.
    pub nodes_booting: u32,
    /// Upper limit of nodes over all groups and the total limit.
    pub nodes_limit: u32,
    /// Pods wanted by all Deployments.
    pub pods_desired: u32,
    /// Pods that exist.
    pub pods: u32,
    /// Pods that are Ready.
    pub pods_ready: u32,
    /// Pods without a node.
    pub pods_unbound: u32,
    /// Pods that the scheduler found unschedulable.
    pub pods_unschedulable: u32,
    /// Pods bound but not Running or not Ready.
    pub pods_starting: u32,
    /// CPU that pods on nodes request.
    pub cpu_requested: MilliCpu,
    /// CPU that Ready nodes offer.
    pub cpu_allocatable: MilliCpu,
    /// CPU used, mean over the interval.
    pub cpu_used: MilliCpu,
    /// Cost since the start, in the scenario's currency.
    pub cost: f64,
    /// Cost per hour at the row's instant.
    pub cost_per_hour: f64,
    /// Electric power, watts, mean over the interval.
    pub watts: f64,
}

/// One row of the time series for one workload and the requests its pods serve; or for a
/// dependency, with replicas for pods.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct WorkloadSample {
    /// End of the interval.
    pub time: SimTime,
    /// Length of the interval.
    pub interval: SimDuration,
    /// Index into the scenario's workloads, and past these into its dependencies.
    pub workload: usize,
    /// Requests that arrived at its pods or found no pod.
    pub offered: f64,
    /// Requests answered in time by its pods (callees not counted).
    pub served: f64,
    /// Requests that failed at its pods.
    pub failed: f64,
    /// Requests a second that its ready pods can serve.
    pub capacity_rps: f64,
    /// Requests in its pods, mean over the interval.
    pub in_flight: f64,
    /// Latency quantiles in its pods, seconds.
    pub latency: Option<Quantiles>,
    /// `spec.replicas`.
    pub desired: u32,
    /// Pods that exist and are not being deleted.
    pub current: u32,
    /// Pods that are Ready.
    pub ready: u32,
    /// Pods that wait for a node.
    pub pending: u32,
    /// CPU used, mean over the interval.
    pub cpu_used: MilliCpu,
    /// CPU requested by its pods on nodes.
    pub cpu_requested: MilliCpu,
}

/// Quantiles of a latency in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quantiles {
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p999: f64,
}

/// What the message of an Event begins with that stands for similar ones.
pub const COMBINED: &str = "(combined from similar events): ";

/// A Kubernetes Event, upstream's reason and message.
#[derive(Clone, Debug, PartialEq)]
pub struct EventRow {
    /// When.
    pub time: SimTime,
    /// `type`.
    pub kind: EventType,
    /// `reason`, e.g. `FailedScheduling`.
    pub reason: &'static str,
    /// Kind of the object it is about, e.g. `Pod`.
    pub object_kind: &'static str,
    /// Namespace of the object; empty for nodes.
    pub namespace: Text,
    /// Name of the object.
    pub name: Text,
    /// `source.component`, e.g. `default-scheduler`.
    pub component: &'static str,
    /// `message`.
    pub message: String,
    /// It stands for so many: itself, and those alike that its recorder has held back before it.
    pub times: u32,
}

/// The life of one pod, handed on when it is gone or the run ends.
#[derive(Clone, Debug, PartialEq)]
pub struct PodRow {
    /// Ordinal of creation.
    pub uid: u64,
    /// Namespace.
    pub namespace: Text,
    /// Name.
    pub name: Text,
    /// Index of its Deployment in the scenario.
    pub workload: Option<usize>,
    /// Name of its node; `None`: never bound.
    pub node: Option<Text>,
    /// Created.
    pub created: SimTime,
    /// Bound to the node.
    pub scheduled: Option<SimTime>,
    /// First Running.
    pub running: Option<SimTime>,
    /// First Ready.
    pub ready: Option<SimTime>,
    /// Marked for deletion.
    pub deletion: Option<SimTime>,
    /// Gone; `None`: still there when the run ended.
    pub gone: Option<SimTime>,
    /// Phase at the end.
    pub phase: &'static str,
    /// Container restarts.
    pub restarts: u32,
    /// Why its container waited at the end (`ErrImagePull`, `ImagePullBackOff`,
    /// `ErrImageNeverPull`, `CrashLoopBackOff`); empty: it did not.
    pub waiting_reason: &'static str,
    /// Why it went: `ScaleDown` (its ReplicaSet shrank), `TaintManager` (evicted by a taint),
    /// `Drained` (by an autoscaler of nodes), `EvictedByVPA` (to be made anew with other requests),
    /// `Preempted`, `PodGC` (its node was gone), `Deleted` (by the timeline); empty while it lives.
    pub end_reason: &'static str,
}

/// The life of one node, handed on when it is gone or the run ends.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeRow {
    /// Ordinal of registration.
    pub uid: u64,
    /// Name.
    pub name: Text,
    /// Name of its group.
    pub group: Text,
    /// Zone.
    pub zone: Text,
    /// Machine type.
    pub machine: Text,
    /// The cloud accepted the request.
    pub requested: SimTime,
    /// Registered with the API server.
    pub registered: SimTime,
    /// First Ready.
    pub ready: Option<SimTime>,
    /// The machine was gone; `None`: still there when the run ended.
    pub gone: Option<SimTime>,
    /// Most pods it had at once.
    pub pods_peak: u32,
    /// What it cost.
    pub cost: f64,
    /// Energy it took, watt hours.
    pub energy_wh: f64,
}

/// Something that people were asked for: a member of a fleet, or a release of one.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryRow {
    /// Name of the fleet.
    pub fleet: Text,
    /// Name of the member.
    pub member: Text,
    /// Number of the release of the member, from 1; 0: the member itself.
    pub release: u32,
    /// Somebody wanted it.
    pub asked: SimTime,
    /// The team that had to work on it.
    pub team: Option<Text>,
    /// It came to the team.
    pub queued: Option<SimTime>,
    /// The team began with it, or it was applied without a team; `None`: not by the end.
    pub begun: Option<SimTime>,
    /// Applied; `None`: not by the end.
    pub applied: Option<SimTime>,
    /// Its Deployment was rolled out; `None`: not by the end.
    pub ready: Option<SimTime>,
}

impl DeliveryRow {
    /// Whether it is a release of a member that was there.
    pub fn is_release(&self) -> bool {
        self.release > 0
    }
}
