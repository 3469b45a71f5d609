//! HorizontalPodAutoscalers (`autoscaling/v2` and `v1`), with the API server's defaults.

use super::{FieldError, quantity, selector};
use crate::api::ObjectName;
use crate::api::autoscaling::{
    DescribedObject, Hpa, Measured, MetricId, MetricSource, MetricSpec, MetricTarget, PolicyKind,
    ScalingPolicy, ScalingRules, SelectPolicy,
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
    if spec.metrics.as_ref().is_none_or(Vec::is_empty) {
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
        conditions: Vec::new(),
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
    if object.min_replicas == 0 && !object.reads_beyond_pods() {
        let message = "0 needs an Object or External metric: without pods no other can be read";
        errors.push(FieldError::new("spec.minReplicas".into(), message));
    }
}

fn metric_spec(
    given: &v2::MetricSpec,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<MetricSpec> {
    let found = match given.type_.as_str() {
        "Resource" => given.resource.as_ref().map(|g| of_resource(g, path, errors)),
        "ContainerResource" => {
            given.container_resource.as_ref().map(|g| of_container(g, path, errors))
        }
        "Pods" => given.pods.as_ref().map(|g| of_pods(g, path, errors)),
        "Object" => given.object.as_ref().map(|g| of_object(g, path, errors)),
        "External" => given.external.as_ref().map(|g| of_external(g, path, errors)),
        other => {
            errors.push(FieldError {
                path: format!("{path}.type"),
                message: format!("{other:?} is no type of metric"),
                hint: Some("one of Resource, ContainerResource, Pods, Object, External".into()),
            });
            return None;
        }
    };
    if found.is_none() {
        let mut field = given.type_.clone();
        field[..1].make_ascii_lowercase();
        let message = format!("type {} needs `{field}`", given.type_);
        errors.push(FieldError::new(path.to_string(), message));
    }
    found.flatten()
}

fn of_resource(
    given: &v2::ResourceMetricSource,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<MetricSpec> {
    let path = format!("{path}.resource");
    let source = MetricSource::Resource(measured(&given.name, &path, errors)?);
    let target = metric_target(&given.target, Allowed::PerPod, &path, errors)?;
    Some(MetricSpec { source, target })
}

fn of_container(
    given: &v2::ContainerResourceMetricSource,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<MetricSpec> {
    let path = format!("{path}.containerResource");
    let resource = measured(&given.name, &path, errors)?;
    let source = MetricSource::ContainerResource(resource, given.container.as_str().into());
    let target = metric_target(&given.target, Allowed::PerPod, &path, errors)?;
    Some(MetricSpec { source, target })
}

fn of_pods(
    given: &v2::PodsMetricSource,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<MetricSpec> {
    let path = format!("{path}.pods");
    let source = MetricSource::Pods(metric_id(&given.metric, &path, errors)?);
    let target = metric_target(&given.target, Allowed::Average, &path, errors)?;
    Some(MetricSpec { source, target })
}

fn of_object(
    given: &v2::ObjectMetricSource,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<MetricSpec> {
    let path = format!("{path}.object");
    let metric = metric_id(&given.metric, &path, errors)?;
    let of = &given.described_object;
    for (field, value) in [("kind", &of.kind), ("name", &of.name)] {
        if value.is_empty() {
            let path = format!("{path}.describedObject.{field}");
            errors.push(FieldError::new(path, "must not be empty"));
        }
    }
    let described = DescribedObject {
        api_version: of.api_version.as_deref().unwrap_or("").into(),
        kind: of.kind.as_str().into(),
        name: of.name.as_str().into(),
    };
    let target = metric_target(&given.target, Allowed::Value, &path, errors)?;
    Some(MetricSpec { source: MetricSource::Object(Box::new(described), metric), target })
}

fn of_external(
    given: &v2::ExternalMetricSource,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<MetricSpec> {
    let path = format!("{path}.external");
    let source = MetricSource::External(metric_id(&given.metric, &path, errors)?);
    let target = metric_target(&given.target, Allowed::Value, &path, errors)?;
    Some(MetricSpec { source, target })
}

fn metric_id(
    given: &v2::MetricIdentifier,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<MetricId> {
    if given.name.is_empty() {
        errors.push(FieldError::new(format!("{path}.metric.name"), "must not be empty"));
        return None;
    }
    let path = format!("{path}.metric.selector");
    let given_selector = given.selector.as_ref();
    let selector = given_selector.map(|given| selector(Some(given), &path, errors));
    Some(MetricId { name: given.name.as_str().into(), selector })
}

fn measured(name: &str, path: &str, errors: &mut Vec<FieldError>) -> Option<Measured> {
    match name {
        "cpu" => Some(Measured::Cpu),
        "memory" => Some(Measured::Memory),
        other => {
            let message = format!("{other:?} is none of cpu, memory: nobody measures it");
            errors.push(FieldError::new(format!("{path}.name"), message));
            None
        }
    }
}

/// Which targets a type of metric may have.
#[derive(Clone, Copy, PartialEq)]
enum Allowed {
    /// A share of the request, or an average.
    PerPod,
    /// An average over the pods.
    Average,
    /// An average over the pods, or a value.
    Value,
}

fn metric_target(
    given: &v2::MetricTarget,
    allowed: Allowed,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<MetricTarget> {
    let path = format!("{path}.target");
    let mut milli = |value, field: &str| {
        let value = quantity(value, || format!("{path}.{field}"), errors).milli_value();
        if value <= 0 {
            errors.push(FieldError::new(format!("{path}.{field}"), "must be positive"));
        }
        value.max(1)
    };
    let average = given.average_value.as_ref().map(|value| milli(value, "averageValue"));
    let value = given.value.as_ref().map(|value| milli(value, "value"));
    let found = match (given.average_utilization, average, value) {
        (Some(percent), None, None) if percent > 0 && allowed == Allowed::PerPod => {
            Some(MetricTarget::Utilization(percent as u32))
        }
        (None, Some(average), None) => Some(MetricTarget::AverageValue(average)),
        (None, None, Some(value)) if allowed == Allowed::Value => Some(MetricTarget::Value(value)),
        // Of an Object both may be there: then `type` says which.
        (None, Some(average), Some(value)) if allowed == Allowed::Value => {
            Some(match given.type_.as_str() {
                "Value" => MetricTarget::Value(value),
                _ => MetricTarget::AverageValue(average),
            })
        }
        _ => None,
    };
    if found.is_none() {
        let message = match allowed {
            Allowed::PerPod => "give averageUtilization above 0 or averageValue",
            Allowed::Average => "give averageValue",
            Allowed::Value => "give value or averageValue",
        };
        errors.push(FieldError::new(path, message));
    }
    found
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
        stabilization_window: window.map(SimDuration::from_secs).or(defaults.stabilization_window),
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
