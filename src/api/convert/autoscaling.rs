//! HorizontalPodAutoscalers (`autoscaling/v2` and `v1`), with the API server's defaults.

use super::{FieldError, quantity};
use crate::api::ObjectName;
use crate::api::autoscaling::{
    Hpa, MetricSource, MetricSpec, MetricTarget, PolicyKind, ScalingPolicy, ScalingRules,
    SelectPolicy,
};
use crate::api::kind::Kind;
use crate::units::{SimDuration, SimTime};
use k8s_openapi::api::autoscaling::{v1, v2};

/// What an autoscaler scales: kind and name.
pub type Target = (String, String);

/// An `autoscaling/v2` object and its target.
pub fn hpa(
    given: &v2::HorizontalPodAutoscaler,
    namespace: &str,
    errors: &mut Vec<FieldError>,
) -> (Hpa, Target) {
    let spec = given.spec.clone();
    let mut metrics = Vec::new();
    for (index, metric) in spec.metrics.iter().flatten().enumerate() {
        metrics.extend(metric_spec(metric, &format!("spec.metrics[{index}]"), errors));
    }
    if spec.metrics.is_none() {
        metrics.push(MetricSpec::cpu(80));
    }
    let behavior = spec.behavior.clone().unwrap_or_default();
    let up = rules(behavior.scale_up.as_ref(), ScalingRules::default_up(), "scaleUp", errors);
    let down =
        rules(behavior.scale_down.as_ref(), ScalingRules::default_down(), "scaleDown", errors);
    let object = Hpa {
        name: given.metadata.name.as_deref().unwrap_or("").into(),
        namespace: given.metadata.namespace.as_deref().unwrap_or(namespace).into(),
        target: Default::default(),
        target_kind: kind_of_target(&spec.scale_target_ref.kind),
        target_name: spec.scale_target_ref.name.as_str().into(),
        min_replicas: replicas(spec.min_replicas, 1, "spec.minReplicas", errors),
        max_replicas: replicas(Some(spec.max_replicas), 1, "spec.maxReplicas", errors),
        metrics,
        has_behavior: spec.behavior.is_some(),
        scale_up: up,
        scale_down: down,
        created: SimTime::ZERO,
        current_replicas: 0,
        desired_replicas: 0,
    };
    bounds(&object, errors);
    (object, (spec.scale_target_ref.kind, spec.scale_target_ref.name))
}

/// An `autoscaling/v1` object and its target.
pub fn hpa_v1(
    given: &v1::HorizontalPodAutoscaler,
    namespace: &str,
    errors: &mut Vec<FieldError>,
) -> (Hpa, Target) {
    let spec = given.spec.clone();
    let percent = spec.target_cpu_utilization_percentage.unwrap_or(80);
    let name = given.metadata.name.as_deref().unwrap_or("");
    let name = ObjectName::new(given.metadata.namespace.as_deref().unwrap_or(namespace), name);
    let object = Hpa {
        target_kind: kind_of_target(&spec.scale_target_ref.kind),
        target_name: spec.scale_target_ref.name.as_str().into(),
        min_replicas: replicas(spec.min_replicas, 1, "spec.minReplicas", errors),
        max_replicas: replicas(Some(spec.max_replicas), 1, "spec.maxReplicas", errors),
        ..Hpa::on_cpu(&name, u32::try_from(percent).unwrap_or(80))
    };
    bounds(&object, errors);
    (object, (spec.scale_target_ref.kind, spec.scale_target_ref.name))
}

/// The kind as it is known here; what is none is told as an error by whoever looks for the target.
fn kind_of_target(given: &str) -> &'static str {
    Kind::named(given).map_or("Deployment", |kind| kind.name)
}

fn replicas(given: Option<i32>, default: u32, path: &str, errors: &mut Vec<FieldError>) -> u32 {
    super::workload::not_negative(given, default, path, errors)
}

fn bounds(object: &Hpa, errors: &mut Vec<FieldError>) {
    if object.max_replicas < object.min_replicas.max(1) {
        let message = "must be at least 1 and at least minReplicas";
        errors.push(FieldError::new("spec.maxReplicas".into(), message));
    }
}

fn metric_spec(
    given: &v2::MetricSpec,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<MetricSpec> {
    let (source, target, path) = match given.type_.as_str() {
        "Resource" => {
            let resource = given.resource.as_ref()?;
            let source = resource_source(&resource.name, &format!("{path}.resource"), errors)?;
            (source, &resource.target, format!("{path}.resource.target"))
        }
        "ContainerResource" => {
            let resource = given.container_resource.as_ref()?;
            let inner = format!("{path}.containerResource");
            let source = resource_source(&resource.name, &inner, errors)?;
            (source, &resource.target, format!("{inner}.target"))
        }
        "Pods" => {
            let pods = given.pods.as_ref()?;
            if pods.metric.name != "requests_per_second" {
                let message = format!("metric {:?} is not modelled", pods.metric.name);
                errors.push(FieldError {
                    path: format!("{path}.pods.metric.name"),
                    message,
                    hint: Some("of Pods metrics, `requests_per_second` is known".into()),
                });
                return None;
            }
            (MetricSource::RequestsPerSecond, &pods.target, format!("{path}.pods.target"))
        }
        other => {
            errors.push(FieldError {
                path: format!("{path}.type"),
                message: format!("metrics of type {other:?} are not modelled"),
                hint: Some("modelled: Resource, Pods".into()),
            });
            return None;
        }
    };
    let target = metric_target(target, &path, errors)?;
    Some(MetricSpec { source, target })
}

fn resource_source(name: &str, path: &str, errors: &mut Vec<FieldError>) -> Option<MetricSource> {
    match name {
        "cpu" => Some(MetricSource::Cpu),
        "memory" => Some(MetricSource::Memory),
        other => {
            let message = format!("{other:?} is none of cpu, memory");
            errors.push(FieldError::new(format!("{path}.name"), message));
            None
        }
    }
}

fn metric_target(
    given: &v2::MetricTarget,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<MetricTarget> {
    match (given.average_utilization, &given.average_value) {
        (Some(percent), None) if percent > 0 => Some(MetricTarget::Utilization(percent as u32)),
        (None, Some(value)) => {
            let value = quantity(value, || format!("{path}.averageValue"), errors);
            Some(MetricTarget::AverageValue(value.milli_value().max(1)))
        }
        _ => {
            let message = "give averageUtilization above 0 or averageValue";
            errors.push(FieldError::new(path.into(), message));
            None
        }
    }
}

fn rules(
    given: Option<&v2::HPAScalingRules>,
    defaults: ScalingRules,
    name: &str,
    errors: &mut Vec<FieldError>,
) -> ScalingRules {
    let Some(given) = given else { return defaults };
    let path = format!("spec.behavior.{name}");
    let select = match given.select_policy.as_deref() {
        None | Some("Max") => SelectPolicy::Max,
        Some("Min") => SelectPolicy::Min,
        Some("Disabled") => SelectPolicy::Disabled,
        Some(other) => {
            let message = format!("{other:?} is none of Max, Min, Disabled");
            errors.push(FieldError::new(format!("{path}.selectPolicy"), message));
            SelectPolicy::Max
        }
    };
    let window = given.stabilization_window_seconds.and_then(|s| u64::try_from(s).ok());
    let policies = given.policies.as_ref().filter(|p| !p.is_empty());
    let policy = |(index, p): (usize, &v2::HPAScalingPolicy)| {
        let path = format!("{path}.policies[{index}]");
        let kind = match p.type_.as_str() {
            "Pods" => PolicyKind::Pods,
            "Percent" => PolicyKind::Percent,
            other => {
                let message = format!("{other:?} is none of Pods, Percent");
                errors.push(FieldError::new(format!("{path}.type"), message));
                PolicyKind::Pods
            }
        };
        if p.value <= 0 || p.period_seconds <= 0 || p.period_seconds > 1800 {
            let message = "value must be above 0, periodSeconds 1 to 1800";
            errors.push(FieldError::new(path, message));
        }
        let period = SimDuration::from_secs(u64::try_from(p.period_seconds).unwrap_or(15));
        ScalingPolicy { kind, value: u32::try_from(p.value).unwrap_or(1), period }
    };
    ScalingRules {
        stabilization_window: window.map_or(defaults.stabilization_window, SimDuration::from_secs),
        select,
        policies: match policies {
            Some(policies) => policies.iter().enumerate().map(policy).collect(),
            None => defaults.policies,
        },
        tolerance_milli: given.tolerance.as_ref().map(|q| {
            let value = quantity(q, || format!("{path}.tolerance"), &mut Vec::new());
            u32::try_from(value.milli_value()).unwrap_or(100)
        }),
    }
}
