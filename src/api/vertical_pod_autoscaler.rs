//! VerticalPodAutoscalers (`autoscaling.k8s.io/v1`): what pods should request.
//!
//! Source of the defaults: kubernetes/autoscaler
//! `vertical-pod-autoscaler/pkg/apis/autoscaling.k8s.io/v1/types.go`, 1.7.1.

use super::Text;
use super::autoscaling::{Measured, ScaleTarget};
use super::workload::ConditionStatus;
use crate::units::{Bytes, MilliCpu, SimTime};

/// A VerticalPodAutoscaler.
#[derive(Clone, PartialEq, Debug)]
pub struct Vpa {
    /// `metadata.name`.
    pub name: Text,
    /// `metadata.namespace`.
    pub namespace: Text,
    /// `metadata.creationTimestamp`.
    pub created: SimTime,
    /// `spec.targetRef.kind`.
    pub target_kind: &'static str,
    /// `spec.targetRef.name`.
    pub target_name: Text,
    /// What that means in the store: as it was when somebody last looked.
    pub target: ScaleTarget,
    /// `spec.updatePolicy.updateMode`; `None`: no policy is given.
    pub update_mode: Option<UpdateMode>,
    /// `spec.updatePolicy.minReplicas`.
    pub min_replicas: Option<u32>,
    /// `spec.updatePolicy.evictionRequirements`.
    pub eviction_requirements: Vec<EvictionRequirement>,
    /// `spec.resourcePolicy.containerPolicies`.
    pub policies: Vec<ContainerPolicy>,
    /// `status`.
    pub status: VpaStatus,
}

impl Vpa {
    /// How pods get what is recommended: by being recreated, if nothing else is said.
    pub fn mode(&self) -> UpdateMode {
        self.update_mode.unwrap_or(UpdateMode::Recreate)
    }

    /// The policy of a container: its own, or that of all others.
    pub fn policy_of(&self, container: &str) -> Option<&ContainerPolicy> {
        let named = |name: &str| self.policies.iter().find(|policy| *policy.container == *name);
        named(container).or_else(|| named("*"))
    }

    /// Whether this one decides of a pod rather than another one that matches it too.
    pub fn is_stronger_than(&self, other: &Vpa) -> bool {
        (self.created, &self.name) < (other.created, &other.name)
    }
}

/// `updateMode`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpdateMode {
    /// It is only told.
    Off,
    /// New pods get it.
    Initial,
    /// New pods get it, and pods are evicted to be made anew with it.
    Recreate,
    /// Pods are changed in place, or evicted where that can't be.
    InPlaceOrRecreate,
    /// An old name of `Recreate`.
    Auto,
}

impl UpdateMode {
    /// All of them.
    pub const ALL: [UpdateMode; 5] = [
        UpdateMode::Off,
        UpdateMode::Initial,
        UpdateMode::Recreate,
        UpdateMode::InPlaceOrRecreate,
        UpdateMode::Auto,
    ];

    /// Whether pods that are there get it: in place, or by being evicted to be made anew.
    pub fn updates(self) -> bool {
        !matches!(self, UpdateMode::Off | UpdateMode::Initial)
    }
}

/// What has to be so for a pod to be evicted: of one of the resources.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EvictionRequirement {
    /// `resources`.
    pub resources: Vec<Measured>,
    /// `changeRequirement`: `TargetHigherThanRequests`, or else `TargetLowerThanRequests`.
    pub is_higher: bool,
}

/// What holds for a container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContainerPolicy {
    /// `containerName`; `*`: all that have no policy of their own.
    pub container: Text,
    /// `mode: Off`: nothing is recommended for it.
    pub is_off: bool,
    /// `minAllowed`.
    pub min: CpuAndMemory,
    /// `maxAllowed`.
    pub max: CpuAndMemory,
    /// `controlledResources`: CPU and memory by default.
    pub controls: [bool; 2],
    /// `controlledValues: RequestsOnly`: limits stay as they are.
    pub requests_only: bool,
}

/// CPU and memory, or one of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CpuAndMemory {
    /// `cpu`.
    pub cpu: Option<MilliCpu>,
    /// `memory`.
    pub memory: Option<Bytes>,
}

impl CpuAndMemory {
    /// One of them, in milli-CPU or bytes.
    pub fn get(&self, resource: Measured) -> Option<i64> {
        match resource {
            Measured::Cpu => self.cpu.map(|cpu| cpu.0),
            Measured::Memory => self.memory.map(|memory| memory.0),
        }
    }

    /// Each as `f` makes it.
    pub fn map(self, f: impl Fn(Measured, i64) -> i64) -> CpuAndMemory {
        CpuAndMemory {
            cpu: self.cpu.map(|cpu| MilliCpu(f(Measured::Cpu, cpu.0))),
            memory: self.memory.map(|memory| Bytes(f(Measured::Memory, memory.0))),
        }
    }

    /// Not below one amount nor, what comes first, above another one.
    pub fn within(self, min: &CpuAndMemory, max: &CpuAndMemory) -> CpuAndMemory {
        let some = |of: &CpuAndMemory, resource| of.get(resource).filter(|amount| *amount > 0);
        self.map(|resource, amount| {
            let raised = some(min, resource).map_or(amount, |min| amount.max(min));
            some(max, resource).map_or(raised, |max| raised.min(max))
        })
    }
}

/// `status`.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct VpaStatus {
    /// `recommendation.containerRecommendations`, by name of the container.
    pub recommendation: Vec<ContainerRecommendation>,
    /// `conditions`, by type.
    pub conditions: Vec<VpaCondition>,
}

/// What is recommended for a container.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContainerRecommendation {
    /// `containerName`.
    pub container: Text,
    /// `target`.
    pub target: CpuAndMemory,
    /// `lowerBound`.
    pub lower_bound: CpuAndMemory,
    /// `upperBound`.
    pub upper_bound: CpuAndMemory,
    /// `uncappedTarget`.
    pub uncapped_target: CpuAndMemory,
}

/// One of `status.conditions`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VpaCondition {
    /// `type`: `RecommendationProvided`, `NoPodsMatched`, `ConfigUnsupported`.
    pub kind: &'static str,
    /// `status`.
    pub status: ConditionStatus,
    /// `reason`; empty: none.
    pub reason: &'static str,
    /// `message`; empty: none.
    pub message: Text,
    /// `lastTransitionTime`, a whole second.
    pub transition: SimTime,
}
