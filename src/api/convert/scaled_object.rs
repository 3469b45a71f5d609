//! ScaledObjects (`keda.sh/v1alpha1`), and the autoscalers that KEDA makes of them.
//!
//! Source: kedacore/keda `controllers/keda/hpa.go`, `pkg/scalers/cron_scaler.go` and the scalers of
//! `TRIGGERS`, version 2.

use super::autoscaling::{Target, hpa};
use super::custom_resource::CustomResource;
use super::{FieldError, quantity};
use crate::api::Text;
use crate::api::autoscaling::{Hpa, Measured, MetricId, MetricSource, MetricSpec, MetricTarget};
use crate::api::labels::{Labels, Selector};
use crate::api::scaled_object::{ScaledObject, Times, Trigger};
use crate::units::SimDuration;
use k8s_openapi::api::autoscaling::v2;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Types of triggers: the field of `metadata` that is the target, its default, and the one that is
/// the threshold of activation.
const TRIGGERS: &[(&str, &str, Option<&str>, &str)] = &[
    ("aws-sqs-queue", "queueLength", Some("5"), "activationQueueLength"),
    ("azure-queue", "queueLength", Some("5"), "activationQueueLength"),
    ("azure-servicebus", "messageCount", Some("5"), "activationMessageCount"),
    ("gcp-pubsub", "value", Some("10"), "activationValue"),
    ("kafka", "lagThreshold", Some("10"), "activationLagThreshold"),
    ("loki", "threshold", None, "activationThreshold"),
    ("metrics-api", "targetValue", None, "activationTargetValue"),
    ("mysql", "queryValue", None, "activationQueryValue"),
    ("nats-jetstream", "lagThreshold", Some("10"), "activationLagThreshold"),
    ("postgresql", "targetQueryValue", None, "activationTargetQueryValue"),
    ("prometheus", "threshold", None, "activationThreshold"),
    ("rabbitmq", "value", None, "activationValue"),
    ("redis", "listLength", Some("5"), "activationListLength"),
];

/// The label by which KEDA's metrics say whose they are.
const OWNER: &str = "scaledobject.keda.sh/name";

/// The manifest.
pub type Manifest = CustomResource<Spec>;

/// Its `spec`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    scale_target_ref: ScaleTarget,
    polling_interval: Option<i64>,
    initial_cooldown_period: Option<i64>,
    cooldown_period: Option<i64>,
    idle_replica_count: Option<i32>,
    min_replica_count: Option<i32>,
    max_replica_count: Option<i32>,
    advanced: Option<Advanced>,
    triggers: Vec<ScaleTrigger>,
    /// No source of events ever fails here.
    #[serde(rename = "fallback")]
    _fallback: Option<serde_json::Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScaleTarget {
    name: String,
    api_version: Option<String>,
    kind: Option<String>,
    #[serde(rename = "envSourceContainerName")]
    _env_source_container_name: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Advanced {
    horizontal_pod_autoscaler_config: Option<AutoscalerConfig>,
    /// Nobody deletes ScaledObjects here.
    #[serde(rename = "restoreToOriginalReplicaCount")]
    _restore_to_original_replica_count: Option<bool>,
    scaling_modifiers: Option<serde_json::Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AutoscalerConfig {
    name: Option<String>,
    behavior: Option<v2::HorizontalPodAutoscalerBehavior>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScaleTrigger {
    #[serde(rename = "type")]
    kind: String,
    #[serde(rename = "name")]
    _name: Option<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    metric_type: Option<String>,
    #[serde(rename = "authenticationRef")]
    _authentication_ref: Option<serde_json::Value>,
    #[serde(rename = "useCachedMetrics")]
    _use_cached_metrics: Option<bool>,
}

/// A ScaledObject, its autoscaler, and what that scales.
pub fn scaled_object(
    given: &Manifest,
    namespace: &str,
    errors: &mut Vec<FieldError>,
) -> (ScaledObject, Hpa, Target) {
    let spec = &given.spec;
    let name = given.metadata.name.as_deref().unwrap_or("");
    let namespace = given.metadata.namespace.as_deref().unwrap_or(namespace);
    if spec.triggers.is_empty() {
        errors.push(FieldError::new("spec.triggers".into(), "needs a trigger at least"));
    }
    let (mut triggers, mut metrics) = (Vec::new(), Vec::new());
    for (index, trigger) in spec.triggers.iter().enumerate() {
        let path = format!("spec.triggers[{index}]");
        if let Some((trigger, target)) = convert(trigger, index, name, &path, errors) {
            metrics.push(MetricSpec { source: trigger.source.clone(), target });
            triggers.push(trigger);
        }
    }
    let config = spec
        .advanced
        .as_ref()
        .and_then(|advanced| advanced.horizontal_pod_autoscaler_config.clone());
    if spec.advanced.as_ref().is_some_and(|advanced| advanced.scaling_modifiers.is_some()) {
        let path = "spec.advanced.scalingModifiers".to_string();
        errors.push(FieldError::new(path, "formulas of metrics are not modelled"));
    }
    let (own, behavior) = config.map_or((None, None), |config| (config.name, config.behavior));
    let min = not_negative(spec.min_replica_count, 0, "minReplicaCount", errors);
    let idle = spec
        .idle_replica_count
        .map(|count| not_negative(Some(count), 0, "idleReplicaCount", errors));
    if idle.is_some_and(|idle| idle >= min) {
        let path = "spec.idleReplicaCount".to_string();
        errors.push(FieldError::new(path, "must be less than minReplicaCount"));
    }
    let hpa_name = own.unwrap_or_else(|| format!("keda-hpa-{name}"));
    let (mut made, target) = autoscaler(spec, &hpa_name, namespace, min, behavior, errors);
    // As KEDA sorts them.
    metrics.sort_by_key(|metric| metric.source.kind());
    made.metrics = metrics;
    let seconds =
        |value: Option<i64>, default: u64, least: i64, field: &str, errors: &mut Vec<_>| {
            if value.is_some_and(|value| value < least) {
                let message = format!("must be {least} or more");
                errors.push(FieldError::new(format!("spec.{field}"), message));
            }
            SimDuration::from_secs(value.map_or(default, |value| u64::try_from(value).unwrap_or(1)))
        };
    let object = ScaledObject {
        name: name.into(),
        namespace: namespace.into(),
        hpa: hpa_name.as_str().into(),
        polling_interval: seconds(spec.polling_interval, 30, 1, "pollingInterval", errors),
        cooldown_period: seconds(spec.cooldown_period, 300, 0, "cooldownPeriod", errors),
        initial_cooldown_period: seconds(
            spec.initial_cooldown_period,
            0,
            0,
            "initialCooldownPeriod",
            errors,
        ),
        min_replica_count: min,
        idle_replica_count: idle,
        triggers,
    };
    (object, made, target)
}

fn not_negative(
    given: Option<i32>,
    default: u32,
    field: &str,
    errors: &mut Vec<FieldError>,
) -> u32 {
    super::workload::not_negative(given, default, &format!("spec.{field}"), errors)
}

/// The autoscaler without its metrics.
fn autoscaler(
    spec: &Spec,
    name: &str,
    namespace: &str,
    min: u32,
    behavior: Option<v2::HorizontalPodAutoscalerBehavior>,
    errors: &mut Vec<FieldError>,
) -> (Hpa, Target) {
    let target = &spec.scale_target_ref;
    let kind = target.kind.clone().unwrap_or_else(|| "Deployment".into());
    let given = v2::HorizontalPodAutoscaler {
        metadata: ObjectMeta {
            name: Some(name.to_string()),
            namespace: Some(namespace.to_string()),
            ..ObjectMeta::default()
        },
        spec: v2::HorizontalPodAutoscalerSpec {
            behavior,
            max_replicas: spec.max_replica_count.unwrap_or(100),
            metrics: None,
            min_replicas: i32::try_from(min.max(1)).ok(),
            scale_target_ref: v2::CrossVersionObjectReference {
                api_version: target.api_version.clone(),
                kind,
                name: target.name.clone(),
            },
        },
        status: None,
    };
    let mut found = Vec::new();
    let made = hpa(&given, namespace, &mut found);
    for mut error in found {
        error.path = match error.path.strip_prefix("spec.behavior") {
            Some(rest) => format!("spec.advanced.horizontalPodAutoscalerConfig.behavior{rest}"),
            None => "spec.maxReplicaCount".to_string(),
        };
        errors.push(error);
    }
    made
}

/// A trigger, and what its metric is compared with.
fn convert(
    given: &ScaleTrigger,
    index: usize,
    owner: &str,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<(Trigger, MetricTarget)> {
    match given.kind.as_str() {
        "cpu" => resource(given, Measured::Cpu, index, path, errors),
        "memory" => resource(given, Measured::Memory, index, path, errors),
        "cron" => cron(given, index, owner, path, errors),
        other => {
            let Some((_, field, default, activation)) = TRIGGERS.iter().find(|t| t.0 == other)
            else {
                let known: Vec<&str> = TRIGGERS.iter().map(|trigger| trigger.0).collect();
                errors.push(FieldError {
                    path: format!("{path}.type"),
                    message: format!("triggers of type {other:?} are not known here"),
                    hint: Some(format!("known: cpu, memory, cron, {}", known.join(", "))),
                });
                return None;
            };
            let target = number(given, field, *default, path, errors)?;
            let activation = number(given, activation, Some("0"), path, errors)?;
            let target = external_target(given, target, path, errors)?;
            let name = format!("s{index}-{other}");
            let source = MetricSource::External(owned(name, owner));
            Some((
                Trigger { place: index, source, activation_milli: activation, times: None },
                target,
            ))
        }
    }
}

fn owned(name: String, owner: &str) -> MetricId {
    let labels = Labels::from([(OWNER, owner)]);
    MetricId { name: Text::from(name.as_str()), selector: Some(Selector::from_labels(&labels)) }
}

fn resource(
    given: &ScaleTrigger,
    resource: Measured,
    index: usize,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<(Trigger, MetricTarget)> {
    let milli = number(given, "value", None, path, errors)?;
    let target = match given.metric_type.as_deref() {
        None | Some("Utilization") => MetricTarget::Utilization(u32::try_from(milli / 1000).ok()?),
        _ => MetricTarget::AverageValue(milli),
    };
    let source = match given.metadata.get("containerName") {
        Some(container) => MetricSource::ContainerResource(resource, container.as_str().into()),
        None => MetricSource::Resource(resource),
    };
    Some((Trigger { place: index, source, activation_milli: 0, times: None }, target))
}

fn cron(
    given: &ScaleTrigger,
    index: usize,
    owner: &str,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<(Trigger, MetricTarget)> {
    let mut word = |field: &str| {
        let found = given.metadata.get(field);
        if found.is_none() {
            let message = format!("a cron trigger needs `{field}`");
            errors.push(FieldError::new(format!("{path}.metadata"), message));
        }
        found.cloned()
    };
    let (timezone, start, end) = (word("timezone"), word("start"), word("end"));
    let desired = word("desiredReplicas");
    let (timezone, start, end, desired) = (timezone?, start?, end?, desired?);
    let desired_replicas = desired.parse().ok().filter(|n| *n > 0);
    let Some(desired_replicas) = desired_replicas else {
        let path = format!("{path}.metadata.desiredReplicas");
        errors.push(FieldError::new(path, format!("{desired:?} is no number of replicas")));
        return None;
    };
    let written = |schedule: &str| {
        let plain = schedule.replace(' ', "").replace('*', "x").replace('/', "Sl");
        plain.replace('?', "Qm").replace(',', "Cm")
    };
    let name = format!("cron-{timezone}-{}-{}", written(&start), written(&end));
    let name = format!("s{index}-{}", name.replace(['/', '.', ':', '%', '(', ')'], "-"));
    let target = external_target(given, 1000, path, errors)?;
    let times = Times {
        timezone: timezone.as_str().into(),
        start: start.as_str().into(),
        end: end.as_str().into(),
        desired_replicas,
    };
    let source = MetricSource::External(owned(name, owner));
    Some((Trigger { place: index, source, activation_milli: 0, times: Some(times) }, target))
}

/// A number of a trigger's `metadata`, in thousandths.
fn number(
    given: &ScaleTrigger,
    field: &str,
    default: Option<&str>,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<i64> {
    let Some(text) = given.metadata.get(field).map(String::as_str).or(default) else {
        let message = format!("a {} trigger needs `{field}`", given.kind);
        errors.push(FieldError::new(format!("{path}.metadata"), message));
        return None;
    };
    let path = || format!("{path}.metadata.{field}");
    Some(quantity(&Quantity(text.to_string()), path, errors).milli_value())
}

fn external_target(
    given: &ScaleTrigger,
    milli: i64,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<MetricTarget> {
    match given.metric_type.as_deref() {
        None | Some("AverageValue") => Some(MetricTarget::AverageValue(milli.max(1))),
        Some("Value") => Some(MetricTarget::Value(milli.max(1))),
        Some(other) => {
            let message = format!("{other:?} is none of AverageValue, Value");
            errors.push(FieldError::new(format!("{path}.metricType"), message));
            None
        }
    }
}
