//! HorizontalPodAutoscalers (`autoscaling/v2`).
//!
//! Source of the defaults: kubernetes `pkg/apis/autoscaling/v2/defaults.go`, v1.37.

use super::labels::Selector;
use super::workload::Condition;
use super::{DeploymentId, ObjectName, OwnerId, Text};
use crate::units::{SimDuration, SimTime};
use std::fmt;

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
    /// `status.conditions`, in the order in which they were first set.
    pub conditions: Vec<Condition>,
}

/// Condition: whether the scale of the target can be read and written.
pub const ABLE_TO_SCALE: &str = "AbleToScale";
/// Condition: whether a number of replicas can be calculated.
pub const SCALING_ACTIVE: &str = "ScalingActive";
/// Condition: whether a limit stands between what is calculated and what is done.
pub const SCALING_LIMITED: &str = "ScalingLimited";
/// Condition: whether it was the autoscaler that scaled its target to zero.
pub const SCALED_TO_ZERO: &str = "ScaledToZero";

/// A resource that metrics-server measures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Measured {
    /// `cpu`, in thousandths of a core.
    Cpu,
    /// `memory`, in thousandths of a byte.
    Memory,
}

impl Measured {
    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Measured::Cpu => "cpu",
            Measured::Memory => "memory",
        }
    }
}

/// Where a metric is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MetricSource {
    /// `type: Resource`: a resource over all containers of a pod.
    Resource(Measured),
    /// `type: ContainerResource`: a resource of the container of this name.
    ContainerResource(Measured, Text),
    /// `type: Pods`: a metric that each pod of the target has.
    Pods(MetricId),
    /// `type: Object`: a metric of one object.
    Object(Box<DescribedObject>, MetricId),
    /// `type: External`: a metric of no object of the cluster.
    External(MetricId),
}

/// The Pods metric that is there without a word in the scenario: requests a second of each pod.
pub const REQUESTS_PER_SECOND: &str = "requests_per_second";

impl MetricSource {
    /// CPU of whole pods.
    pub const CPU: MetricSource = MetricSource::Resource(Measured::Cpu);
    /// Memory of whole pods.
    pub const MEMORY: MetricSource = MetricSource::Resource(Measured::Memory);

    /// The resource that is measured, if it is one.
    pub fn resource(&self) -> Option<Measured> {
        match self {
            MetricSource::Resource(resource) => Some(*resource),
            MetricSource::ContainerResource(resource, _) => Some(*resource),
            _ => None,
        }
    }

    /// The metric's name and selector, unless it is a resource.
    pub fn metric(&self) -> Option<&MetricId> {
        match self {
            MetricSource::Pods(metric)
            | MetricSource::Object(_, metric)
            | MetricSource::External(metric) => Some(metric),
            _ => None,
        }
    }

    /// `type`.
    pub fn kind(&self) -> &'static str {
        match self {
            MetricSource::Resource(_) => "Resource",
            MetricSource::ContainerResource(..) => "ContainerResource",
            MetricSource::Pods(_) => "Pods",
            MetricSource::Object(..) => "Object",
            MetricSource::External(_) => "External",
        }
    }
}

/// `MetricIdentifier`: a custom or external metric.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetricId {
    /// `name`.
    pub name: Text,
    /// `selector`: labels of the series that count; `None`: all of this name.
    pub selector: Option<Selector>,
}

impl MetricId {
    /// All series of this name.
    pub fn named(name: impl Into<Text>) -> MetricId {
        MetricId { name: name.into(), selector: None }
    }

    /// The selector as Go prints it with `%+v`, which is how it stands in messages.
    pub fn selector_as_go_tells_it(&self) -> String {
        use super::labels::Operator;
        let Some(Selector::All(requirements)) = &self.selector else { return "nil".into() };
        let mut labels = String::new();
        let mut expressions = String::new();
        for r in requirements {
            let values: Vec<&str> = r.values.iter().map(|v| &**v).collect();
            if r.operator == Operator::In && values.len() == 1 {
                labels.push_str(&format!("{}: {},", r.key, values[0]));
            } else {
                let (operator, values) = (r.operator, values.join(" "));
                expressions.push_str(&format!(
                    "LabelSelectorRequirement{{Key:{},Operator:{operator:?},Values:[{values}],}},",
                    r.key
                ));
            }
        }
        format!(
            "&LabelSelector{{MatchLabels:map[string]string{{{labels}}},\
             MatchExpressions:[]LabelSelectorRequirement{{{expressions}}},}}"
        )
    }
}

/// `CrossVersionObjectReference`: the object that a metric is of, in the autoscaler's namespace.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DescribedObject {
    /// `apiVersion`; may be empty.
    pub api_version: Text,
    /// `kind`.
    pub kind: Text,
    /// `name`.
    pub name: Text,
}

impl fmt::Display for DescribedObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// What a metric is compared with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetricTarget {
    /// `averageUtilization`: per cent of the pods' requests.
    Utilization(u32),
    /// `averageValue` per pod, in thousandths of the metric's unit (milli-CPU, milli-bytes).
    AverageValue(i64),
    /// `value`, in thousandths of the metric's unit: of Object and External metrics.
    Value(i64),
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
            conditions: Vec::new(),
        }
    }

    /// Whether it reads something that is there without pods: only then it may scale to zero.
    pub fn reads_beyond_pods(&self) -> bool {
        let beyond =
            |s: &MetricSource| matches!(s, MetricSource::Object(..) | MetricSource::External(_));
        self.metrics.iter().any(|metric| beyond(&metric.source))
    }

    /// One of its conditions.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }
}

/// One entry of `spec.metrics`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MetricSpec {
    /// Where it is read.
    pub source: MetricSource,
    /// What it is compared with.
    pub target: MetricTarget,
}

impl MetricSpec {
    /// A percentage of the CPU requests.
    pub const fn cpu(percent: u32) -> MetricSpec {
        MetricSpec { source: MetricSource::CPU, target: MetricTarget::Utilization(percent) }
    }
}

/// `HPAScalingRules` of one direction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScalingRules {
    /// `stabilizationWindowSeconds`: 0 up; `None`, the default down: what the controller's flag
    /// says (300 s).
    pub stabilization_window: Option<SimDuration>,
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
            stabilization_window: Some(SimDuration::ZERO),
            select: SelectPolicy::Max,
            policies: vec![
                ScalingPolicy { kind: PolicyKind::Pods, value: 4, period },
                ScalingPolicy { kind: PolicyKind::Percent, value: 100, period },
            ],
            tolerance_milli: None,
        }
    }

    /// Scale-down default: the flag's window, then down to the recommendation at once.
    pub fn default_down() -> ScalingRules {
        let period = SimDuration::from_secs(15);
        ScalingRules {
            stabilization_window: None,
            select: SelectPolicy::Max,
            policies: vec![ScalingPolicy { kind: PolicyKind::Percent, value: 100, period }],
            tolerance_milli: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::labels::{Labels, Operator, Requirement};

    #[test]
    fn selectors_of_metrics_stand_in_messages_as_go_prints_them() {
        let plain = Selector::from_labels(&Labels::from([("queue", "orders")]));
        let list = Requirement {
            key: "zone".into(),
            operator: Operator::NotIn,
            values: vec!["a".into(), "b".into()],
        };
        let rows = [
            ("none", None, "nil"),
            (
                "a label",
                Some(plain),
                "&LabelSelector{MatchLabels:map[string]string{queue: orders,},\
                 MatchExpressions:[]LabelSelectorRequirement{},}",
            ),
            (
                "an expression",
                Some(Selector::All(vec![list])),
                "&LabelSelector{MatchLabels:map[string]string{},MatchExpressions:\
                 []LabelSelectorRequirement{LabelSelectorRequirement{Key:zone,Operator:NotIn,\
                 Values:[a b],},},}",
            ),
        ];
        for (sentence, selector, expected) in rows {
            let metric = MetricId { name: "depth".into(), selector };
            assert_eq!(metric.selector_as_go_tells_it(), expected, "{sentence}");
        }
    }
}
