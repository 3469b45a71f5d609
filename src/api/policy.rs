//! PodDisruptionBudgets (`policy/v1`).

use super::Text;
use super::labels::Selector;
use super::workload::IntOrPercent;

/// A PodDisruptionBudget with its status.
#[derive(Clone, PartialEq, Debug)]
pub struct Pdb {
    /// `metadata.name`.
    pub name: Text,
    /// `metadata.namespace`.
    pub namespace: Text,
    /// `spec.selector`.
    pub selector: Selector,
    /// `spec.minAvailable` or `spec.maxUnavailable`.
    pub budget: Budget,
    /// `spec.unhealthyPodEvictionPolicy`: when pods that are not ready may go.
    pub unhealthy: UnhealthyPods,
    /// `metadata.generation`, raised with each change of the spec.
    pub generation: u64,
    /// `status`.
    pub status: PdbStatus,
}

/// `status` of a PodDisruptionBudget.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PdbStatus {
    /// `observedGeneration`.
    pub observed_generation: u64,
    /// `disruptionsAllowed`.
    pub disruptions_allowed: u32,
    /// `currentHealthy`.
    pub current_healthy: u32,
    /// `desiredHealthy`.
    pub desired_healthy: u32,
    /// `expectedPods`.
    pub expected_pods: u32,
    /// Why the last sync failed: the message of condition `DisruptionAllowed` with reason
    /// `SyncFailed`; empty: it did not.
    pub failure: Text,
}

/// What a budget promises.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Budget {
    /// At least so many stay healthy.
    MinAvailable(IntOrPercent),
    /// At most so many are away.
    MaxUnavailable(IntOrPercent),
}

/// `spec.unhealthyPodEvictionPolicy`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum UnhealthyPods {
    /// While enough others are healthy.
    #[default]
    IfHealthyBudget,
    /// At any time.
    AlwaysAllow,
}
