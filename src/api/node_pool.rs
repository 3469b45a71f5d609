//! NodePools (`karpenter.sh/v1`): from which machines nodes may be made, and when they may go.
//!
//! Plain data; what is made of it `control::karpenter` decides. Source: kubernetes-sigs/karpenter
//! `pkg/apis/v1/nodepool.go`, `labels.go`, `taints.go`, August 2026.

use super::Text;
use super::labels::{Labels, Operator, Requirement};
use super::node::{INSTANCE_TYPE_LABEL, REGION_LABEL, ZONE_LABEL};
use super::taint::Taint;
use super::workload::IntOrPercent;
use crate::units::{Bytes, MilliCpu, SimDuration};

/// Label of the pool that a node was made from.
pub const NODE_POOL_LABEL: &str = "karpenter.sh/nodepool";
/// Label of how a node's machine is paid for: `on-demand` or `spot`.
pub const CAPACITY_TYPE_LABEL: &str = "karpenter.sh/capacity-type";
/// Value of [`CAPACITY_TYPE_LABEL`]: machines at the list price.
pub const ON_DEMAND: &str = "on-demand";
/// Value of [`CAPACITY_TYPE_LABEL`]: machines that the cloud may take back.
pub const SPOT: &str = "spot";
/// Taint of a node that is about to be disrupted, and of one that is drained.
pub const DISRUPTED: &str = "karpenter.sh/disrupted";
/// Prefix of the labels by which machines of AWS describe themselves.
pub const AWS_PREFIX: &str = "karpenter.k8s.aws/";

/// A NodePool.
#[derive(Clone, PartialEq, Debug)]
pub struct NodePool {
    /// `metadata.name`.
    pub name: Text,
    /// `spec.template.metadata.labels`, and those that requirements with one value give nodes.
    pub labels: Labels,
    /// `spec.template.spec.requirements`.
    pub requirements: Vec<Requirement>,
    /// `spec.template.spec.taints`.
    pub taints: Vec<Taint>,
    /// `spec.template.spec.startupTaints`.
    pub startup_taints: Vec<Taint>,
    /// Kind of the object that `nodeClassRef` names: it says whose machines they are.
    pub class_kind: Text,
    /// Name of that object.
    pub class: Text,
    /// `expireAfter`: how old nodes get; `None`: `Never`.
    pub expire_after: Option<SimDuration>,
    /// `terminationGracePeriod`: how long a drain may take; `None`: as long as it takes.
    pub termination_grace: Option<SimDuration>,
    /// `spec.disruption`.
    pub disruption: Disruption,
    /// `spec.limits`.
    pub limits: Limits,
    /// `spec.weight`: pools with a higher one are tried first.
    pub weight: u32,
}

/// `spec.disruption` of a NodePool.
#[derive(Clone, PartialEq, Debug)]
pub struct Disruption {
    /// Which nodes are consolidated.
    pub policy: ConsolidationPolicy,
    /// How long after the last pod came or went; `None`: `Never`.
    pub consolidate_after: Option<SimDuration>,
    /// How many nodes may be disrupted at once.
    pub budgets: Vec<DisruptionBudget>,
}

/// `consolidationPolicy`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConsolidationPolicy {
    /// Nodes without pods only.
    WhenEmpty,
    /// All that cost more than they need to.
    WhenEmptyOrUnderutilized,
}

/// Why a node is disrupted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum DisruptionReason {
    /// Its pods would fit elsewhere, or on a cheaper one.
    Underutilized,
    /// It has no pods.
    Empty,
    /// Its pool says something else by now.
    Drifted,
}

impl DisruptionReason {
    /// All of them.
    pub const ALL: [DisruptionReason; 3] =
        [DisruptionReason::Underutilized, DisruptionReason::Empty, DisruptionReason::Drifted];

    /// Upstream's word.
    pub fn name(self) -> &'static str {
        match self {
            DisruptionReason::Underutilized => "Underutilized",
            DisruptionReason::Empty => "Empty",
            DisruptionReason::Drifted => "Drifted",
        }
    }
}

/// An entry of `spec.disruption.budgets`.
#[derive(Clone, PartialEq, Debug)]
pub struct DisruptionBudget {
    /// How many nodes may be on their way out at once; a share is rounded up.
    pub nodes: IntOrPercent,
    /// For which reasons; empty: for all.
    pub reasons: Vec<DisruptionReason>,
    /// When it begins to hold, a schedule in UTC, and for how long; `None`: it always does.
    pub schedule: Option<(Text, SimDuration)>,
}

/// `spec.limits`: what all machines of a pool have together at most.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limits {
    /// `cpu`.
    pub cpu: Option<MilliCpu>,
    /// `memory`.
    pub memory: Option<Bytes>,
    /// `nodes`.
    pub nodes: Option<u32>,
}

/// Labels that a machine brings along: a pod may ask for one whatever the pool says of it.
pub fn is_well_known(key: &str) -> bool {
    [ZONE_LABEL, REGION_LABEL, INSTANCE_TYPE_LABEL, CAPACITY_TYPE_LABEL, NODE_POOL_LABEL]
        .contains(&key)
        || ["kubernetes.io/os", "kubernetes.io/arch"].contains(&key)
        || key.starts_with(AWS_PREFIX)
}

impl NodePool {
    /// Whether a machine with these labels may become a node of the pool.
    pub fn admits(&self, labels: &Labels) -> bool {
        let met = |r: &Requirement| r.matches_value(labels.get(&r.key).map(|value| &**value));
        self.requirements.iter().all(met)
    }

    /// Whether machines of this capacity type are wanted at all; on demand if nothing is said.
    pub fn wants(&self, capacity_type: &str) -> bool {
        let mut of = self.requirements.iter().filter(|r| &*r.key == CAPACITY_TYPE_LABEL).peekable();
        match of.peek() {
            None => capacity_type == ON_DEMAND,
            Some(_) => of.all(|r| r.matches_value(Some(capacity_type))),
        }
    }

    /// The zones that its requirements name one by one; `None`: they don't.
    pub fn named_zones(&self) -> Option<&[Text]> {
        let names = |r: &&Requirement| &*r.key == ZONE_LABEL && r.operator == Operator::In;
        self.requirements.iter().find(names).map(|r| &r.values[..])
    }
}
