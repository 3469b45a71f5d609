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
    /// `status.disruptionsAllowed`.
    pub disruptions_allowed: u32,
    /// `status.currentHealthy`.
    pub current_healthy: u32,
    /// `status.desiredHealthy`.
    pub desired_healthy: u32,
    /// `status.expectedPods`.
    pub expected_pods: u32,
}

/// What a budget promises.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Budget {
    /// At least so many stay healthy.
    MinAvailable(IntOrPercent),
    /// At most so many are away.
    MaxUnavailable(IntOrPercent),
}
