//! Turning points: the handful of moments that tell what happened.

use crate::units::SimTime;
use serde::Serialize;

/// A moment worth telling, in time order in the summary.
#[derive(Clone, Debug, PartialEq)]
pub struct TurningPoint {
    /// When.
    pub time: SimTime,
    /// What kind of moment.
    pub kind: Moment,
    /// One sentence for people, without the time.
    pub text: String,
}

/// Kinds of turning points.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// A fault or change of the timeline begins.
    TimelineBegins,
    /// It is over.
    TimelineEnds,
    /// Demand passes what the ready pods can serve.
    DemandPassesCapacity,
    /// The first requests fail.
    FirstErrors,
    /// The objective (error budget or latency) is missed from here on.
    ObjectiveMissed,
    /// The objective holds again, and does so for the rest or until it is missed anew.
    Recovered,
    /// The first pod finds no node.
    FirstUnschedulable,
    /// An autoscaler stands at its maxReplicas.
    MaxReplicasReached,
    /// A node group or the cluster stands at its node limit while pods wait.
    NodeLimitReached,
    /// The cloud refuses machines: quota.
    QuotaReached,
    /// The cloud refuses machines: it has none of their kind.
    OutOfStock,
    /// The cloud takes a spot machine back.
    SpotInterrupted,
    /// The first node joins after the start.
    FirstNodeJoins,
    /// The first image pull fails.
    FirstPullFailure,
    /// A component of the control plane has no leader any more.
    LeaderLost,
    /// It has one again.
    LeaderElected,
    /// The first kubelet whose node is short evicts a pod.
    FirstEviction,
    /// A node is found silent.
    NodeLost,
    /// Pods are evicted from a lost node.
    EvictionBegins,
    /// All pods that are wanted are ready again, after the longest time with fewer.
    AllReady,
    /// Demand is at its highest.
    PeakDemand,
    /// Most nodes at once.
    PeakNodes,
}
