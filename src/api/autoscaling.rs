//! HorizontalPodAutoscalers (`autoscaling/v2`).
//!
//! Source of the defaults: kubernetes `pkg/apis/autoscaling/v2/defaults.go`, v1.37.

use super::{DeploymentId, ObjectName, OwnerId, Text};
use crate::units::{SimDuration, SimTime};

/// What an autoscaler scales: something with a scale subresource.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ScaleTarget {
    /// A Deployment.
    Deployment(DeploymentId),
    /// A StatefulSet, ReplicaSet or ReplicationController.
    Owner(OwnerId),
}

impl Default for ScaleTarget {
    fn default() -> ScaleTarget {
        ScaleTarget::Deployment(DeploymentId::default())
    }
}

/// A HorizontalPodAutoscaler.
#[derive(Clone, PartialEq, Debug)]
pub struct Hpa {
    /// `metadata.name`.
    pub name: Text,
    /// `metadata.namespace`.
    pub namespace: Text,
    /// `spec.scaleTargetRef`, resolved.
    pub target: ScaleTarget,
    /// `spec.scaleTargetRef.kind`.
    pub target_kind: &'static str,
    /// `spec.scaleTargetRef.name`.
    pub target_name: Text,
    /// `spec.minReplicas`, default 1.
    pub min_replicas: u32,
    /// `spec.maxReplicas`.
    pub max_replicas: u32,
    /// `spec.metrics`; the largest proposal wins.
    pub metrics: Vec<MetricSpec>,
    /// Whether `spec.behavior` is there at all: without it the controller follows older rules,
    /// which are not those that its defaults would give.
    pub has_behavior: bool,
    /// `spec.behavior.scaleUp`, defaults filled in.
    pub scale_up: ScalingRules,
    /// `spec.behavior.scaleDown`, defaults filled in.
    pub scale_down: ScalingRules,
    /// When it was created.
    pub created: SimTime,
    /// `status.currentReplicas`.
    pub current_replicas: u32,
    /// `status.desiredReplicas`.
    pub desired_replicas: u32,
}

/// Where a metric is read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetricSource {
    /// `type: Resource`, `cpu`: milli-CPU over all containers.
    Cpu,
    /// `type: Resource`, `memory`: bytes over all containers.
    Memory,
    /// `type: Pods`, the metric named `requests_per_second`: requests a second in thousandths.
    RequestsPerSecond,
}

/// What a metric is compared with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetricTarget {
    /// `averageUtilization`: per cent of the pods' requests.
    Utilization(u32),
    /// `averageValue` per pod, in thousandths of the metric's unit (milli-CPU, milli-bytes).
    AverageValue(i64),
}

impl Hpa {
    /// One that keeps this percentage of the CPU requests, of whom and between what is still to be
    /// said (`autoscaling/v1`).
    pub fn on_cpu(name: &ObjectName, percent: u32) -> Hpa {
        Hpa {
            name: name.name.clone(),
            namespace: name.namespace.clone(),
            target: Default::default(),
            target_kind: "Deployment",
            target_name: name.name.clone(),
            min_replicas: 1,
            max_replicas: 1,
            metrics: vec![MetricSpec::cpu(percent)],
            has_behavior: false,
            scale_up: ScalingRules::default_up(),
            scale_down: ScalingRules::default_down(),
            created: SimTime::ZERO,
            current_replicas: 0,
            desired_replicas: 0,
        }
    }
}

/// One entry of `spec.metrics`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MetricSpec {
    /// Where it is read.
    pub source: MetricSource,
    /// What it is compared with.
    pub target: MetricTarget,
}

impl MetricSpec {
    /// A percentage of the CPU requests.
    pub const fn cpu(percent: u32) -> MetricSpec {
        MetricSpec { source: MetricSource::Cpu, target: MetricTarget::Utilization(percent) }
    }
}

/// `HPAScalingRules` of one direction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScalingRules {
    /// `stabilizationWindowSeconds`: 0 up, 300 s down by default.
    pub stabilization_window: SimDuration,
    /// `selectPolicy`.
    pub select: SelectPolicy,
    /// `policies`.
    pub policies: Vec<ScalingPolicy>,
    /// `tolerance`, in thousandths; `None`: the controller's flag decides (0.1).
    pub tolerance_milli: Option<u32>,
}

/// `selectPolicy`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SelectPolicy {
    /// The policy that allows the largest change.
    Max,
    /// The policy that allows the smallest change.
    Min,
    /// No scaling in this direction.
    Disabled,
}

/// One entry of `policies`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScalingPolicy {
    /// What is limited.
    pub kind: PolicyKind,
    /// The limit per period: pods or per cent.
    pub value: u32,
    /// `periodSeconds`.
    pub period: SimDuration,
}

/// `HPAScalingPolicyType`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PolicyKind {
    /// A number of pods.
    Pods,
    /// A percentage of the replicas at the period's start.
    Percent,
}

impl ScalingRules {
    /// Scale-up default: no window, the larger of +100 % and +4 pods in 15 s.
    pub fn default_up() -> ScalingRules {
        let period = SimDuration::from_secs(15);
        ScalingRules {
            stabilization_window: SimDuration::ZERO,
            select: SelectPolicy::Max,
            policies: vec![
                ScalingPolicy { kind: PolicyKind::Pods, value: 4, period },
                ScalingPolicy { kind: PolicyKind::Percent, value: 100, period },
            ],
            tolerance_milli: None,
        }
    }

    /// Scale-down default: a window of 300 s, then down to the recommendation at once.
    pub fn default_down() -> ScalingRules {
        let period = SimDuration::from_secs(15);
        ScalingRules {
            stabilization_window: SimDuration::from_secs(300),
            select: SelectPolicy::Max,
            policies: vec![ScalingPolicy { kind: PolicyKind::Percent, value: 100, period }],
            tolerance_milli: None,
        }
    }
}
