//! VerticalPodAutoscalers (`autoscaling.k8s.io/v1`).
//!
//! Source: kubernetes/autoscaler `vertical-pod-autoscaler/pkg/apis/autoscaling.k8s.io/v1/types.go`
//! and `pkg/admission-controller/resource/vpa/validation.go`, 1.7.1.

use super::autoscaling::Target;
use super::custom_resource::CustomResource;
use super::{FieldError, QuantityMap, quantity};
use crate::api::Text;
use crate::api::autoscaling::{Measured, ScaleTarget};
use crate::api::vertical_pod_autoscaler::*;
use crate::units::SimTime;
use k8s_openapi::api::autoscaling::v1::CrossVersionObjectReference;
use serde::Deserialize;
use serde_json::Value;

/// What a recommender is called that is not named.
const DEFAULT_RECOMMENDER: &str = "default";
/// Kinds whose pods can be sized.
const TARGETS: [&str; 5] =
    ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController"];
/// Settings of single objects, which are off by default.
const PER_VPA: &str = "not supported while the feature gate PerVPAConfig is off, as by default";

/// The manifest.
pub type Manifest = CustomResource<Spec>;

/// Its `spec`.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    target_ref: CrossVersionObjectReference,
    update_policy: Option<UpdatePolicy>,
    resource_policy: Option<ResourcePolicy>,
    recommenders: Option<Vec<Recommender>>,
    startup_boost: Option<Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UpdatePolicy {
    update_mode: Option<String>,
    min_replicas: Option<i32>,
    eviction_requirements: Option<Vec<Requirement>>,
    #[serde(rename = "evictAfterOOMSeconds")]
    evict_after_oom_seconds: Option<i32>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Requirement {
    resources: Vec<String>,
    change_requirement: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourcePolicy {
    container_policies: Option<Vec<Policy>>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    container_name: Option<String>,
    mode: Option<String>,
    min_allowed: Option<QuantityMap>,
    max_allowed: Option<QuantityMap>,
    controlled_resources: Option<Vec<String>>,
    controlled_values: Option<String>,
    oom_bump_up_ratio: Option<Value>,
    oom_min_bump_up: Option<Value>,
    memory_aggregation_interval_seconds: Option<i32>,
    memory_aggregation_interval_count: Option<i64>,
    startup_boost: Option<Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recommender {
    name: String,
}

/// An autoscaler, and kind and name of its target.
pub fn vpa(given: &Manifest, namespace: &str, errors: &mut Vec<FieldError>) -> (Vpa, Target) {
    let spec = &given.spec;
    let target = &spec.target_ref;
    let target_kind = TARGETS.into_iter().find(|kind| *kind == target.kind);
    if target_kind.is_none() {
        let path = "spec.targetRef.kind".to_string();
        let message = format!("nothing is known here of what pods of a {} use", target.kind);
        let hint = Some(format!("known: {}", TARGETS.join(", ")));
        errors.push(FieldError { path, message, hint });
    }
    if spec.startup_boost.is_some() {
        errors.push(boosts("spec.startupBoost"));
    }
    recommenders(spec.recommenders.as_deref().unwrap_or_default(), errors);
    let policy = spec.update_policy.as_ref();
    let made = Vpa {
        name: given.metadata.name.as_deref().unwrap_or("").into(),
        namespace: given.metadata.namespace.as_deref().unwrap_or(namespace).into(),
        created: SimTime::ZERO,
        target_kind: target_kind.unwrap_or("Deployment"),
        target_name: target.name.as_str().into(),
        target: ScaleTarget::default(),
        update_mode: policy.map(|policy| mode(policy.update_mode.as_deref(), errors)),
        min_replicas: policy.and_then(|policy| min_replicas(policy, errors)),
        eviction_requirements: policy.map_or(Vec::new(), |policy| requirements(policy, errors)),
        policies: policies(spec.resource_policy.as_ref(), errors),
        status: VpaStatus::default(),
    };
    (made, (target.kind.clone(), target.name.clone()))
}

fn boosts(path: &str) -> FieldError {
    let message = "is not modelled, and refused while the feature gate CPUStartupBoost is off, as \
                   by default";
    FieldError::new(path.to_string(), message)
}

fn recommenders(given: &[Recommender], errors: &mut Vec<FieldError>) {
    if given.len() > 1 {
        errors.push(FieldError::new("spec.recommenders".into(), "must have at most 1 item"));
    }
    if let Some(other) = given.iter().find(|one| one.name != DEFAULT_RECOMMENDER) {
        let path = "spec.recommenders[0].name".to_string();
        let message = format!("there is no recommender {:?} here, only `default`", other.name);
        errors.push(FieldError::new(path, message));
    }
}

/// One of the words that a field may be.
fn word<'a>(
    given: Option<&'a str>,
    known: &[&str],
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<&'a str> {
    let given = given?;
    if !known.contains(&given) {
        let message = format!("{given:?} is none of {}", known.join(", "));
        errors.push(FieldError::new(path.to_string(), message));
    }
    Some(given)
}

fn mode(given: Option<&str>, errors: &mut Vec<FieldError>) -> UpdateMode {
    let path = "spec.updatePolicy.updateMode";
    match given {
        None => {
            let message = "updateMode is required if updatePolicy is used";
            errors.push(FieldError::new(path.to_string(), message));
        }
        Some("InPlace") => {
            let message = "is refused while the feature gate InPlace is off, as by default";
            errors.push(FieldError::new(path.to_string(), message));
        }
        Some(given) => {
            let names = UpdateMode::ALL.map(|mode| format!("{mode:?}"));
            if let Some(at) = names.iter().position(|name| name == given) {
                return UpdateMode::ALL[at];
            }
            word(Some(given), &names.each_ref().map(String::as_str), path, errors);
        }
    }
    UpdateMode::Recreate
}

fn min_replicas(policy: &UpdatePolicy, errors: &mut Vec<FieldError>) -> Option<u32> {
    if policy.evict_after_oom_seconds.is_some() {
        let path = "spec.updatePolicy.evictAfterOOMSeconds".to_string();
        errors.push(FieldError::new(path, PER_VPA));
    }
    let given = policy.min_replicas?;
    let found = u32::try_from(given).ok().filter(|n| *n > 0);
    if found.is_none() {
        let path = "spec.updatePolicy.minReplicas".to_string();
        errors.push(FieldError::new(path, "minReplicas has to be positive"));
    }
    found
}

/// CPU or memory.
fn resource(name: &str, path: String, errors: &mut Vec<FieldError>) -> Option<Measured> {
    let found = [Measured::Cpu, Measured::Memory].into_iter().find(|r| r.name() == name);
    if found.is_none() {
        errors.push(FieldError::new(path, format!("{name:?} is none of cpu, memory")));
    }
    found
}

fn requirements(policy: &UpdatePolicy, errors: &mut Vec<FieldError>) -> Vec<EvictionRequirement> {
    let all = policy.eviction_requirements.iter().flatten().enumerate();
    let one = |(index, given): (usize, &Requirement)| {
        let path = format!("spec.updatePolicy.evictionRequirements[{index}]");
        let known = ["TargetHigherThanRequests", "TargetLowerThanRequests"];
        let change = Some(given.change_requirement.as_str());
        word(change, &known, &format!("{path}.changeRequirement"), errors);
        let mut resources = Vec::new();
        for (at, name) in given.resources.iter().enumerate() {
            resources.extend(resource(name, format!("{path}.resources[{at}]"), errors));
        }
        EvictionRequirement { resources, is_higher: given.change_requirement == known[0] }
    };
    all.map(one).collect()
}

fn policies(given: Option<&ResourcePolicy>, errors: &mut Vec<FieldError>) -> Vec<ContainerPolicy> {
    let all = given.iter().flat_map(|given| given.container_policies.iter().flatten());
    let mut found = Vec::new();
    for (index, policy) in all.enumerate() {
        let path = format!("spec.resourcePolicy.containerPolicies[{index}]");
        found.push(container_policy(policy, &path, errors));
    }
    found
}

fn container_policy(given: &Policy, path: &str, errors: &mut Vec<FieldError>) -> ContainerPolicy {
    let container: Text = given.container_name.as_deref().unwrap_or("").into();
    if container.is_empty() {
        errors.push(FieldError::new(format!("{path}.containerName"), "is missing"));
    }
    let mode = word(given.mode.as_deref(), &["Auto", "Off"], &format!("{path}.mode"), errors);
    let known = ["RequestsAndLimits", "RequestsOnly"];
    let at = format!("{path}.controlledValues");
    let values = word(given.controlled_values.as_deref(), &known, &at, errors);
    if mode == Some("Off") && values == Some(known[0]) {
        let message = "controlledValues shouldn't be specified if container scaling mode is off";
        errors.push(FieldError::new(at, message));
    }
    let mut controls = [true; 2];
    if let Some(names) = &given.controlled_resources {
        controls = [false; 2];
        for (at, name) in names.iter().enumerate() {
            match resource(name, format!("{path}.controlledResources[{at}]"), errors) {
                Some(Measured::Cpu) => controls[0] = true,
                Some(Measured::Memory) => controls[1] = true,
                None => {}
            }
        }
    }
    let min = amounts(given.min_allowed.as_ref(), &format!("{path}.minAllowed"), errors);
    let max = amounts(given.max_allowed.as_ref(), &format!("{path}.maxAllowed"), errors);
    for of in [Measured::Cpu, Measured::Memory] {
        if let (Some(least), Some(most)) = (min.get(of), max.get(of))
            && most < least
        {
            let name = of.name();
            let message = format!("max resource for {name} is lower than min");
            errors.push(FieldError::new(format!("{path}.maxAllowed.{name}"), message));
        }
    }
    refused(given, path, errors);
    let requests_only = values == Some(known[1]);
    ContainerPolicy { container, is_off: mode == Some("Off"), min, max, controls, requests_only }
}

/// Fields that need feature gates.
fn refused(given: &Policy, path: &str, errors: &mut Vec<FieldError>) {
    let gated = [
        (given.oom_bump_up_ratio.is_some(), "oomBumpUpRatio"),
        (given.oom_min_bump_up.is_some(), "oomMinBumpUp"),
        (given.memory_aggregation_interval_seconds.is_some(), "memoryAggregationIntervalSeconds"),
        (given.memory_aggregation_interval_count.is_some(), "memoryAggregationIntervalCount"),
    ];
    let found = gated.into_iter().filter(|(is_given, _)| *is_given);
    errors.extend(found.map(|(_, field)| FieldError::new(format!("{path}.{field}"), PER_VPA)));
    if given.startup_boost.is_some() {
        errors.push(boosts(&format!("{path}.startupBoost")));
    }
}

fn amounts(given: Option<&QuantityMap>, path: &str, errors: &mut Vec<FieldError>) -> CpuAndMemory {
    let mut found = CpuAndMemory::default();
    for (name, given) in given.into_iter().flatten() {
        let path = format!("{path}.{name}");
        let amount = quantity(given, || path.clone(), errors);
        match resource(name, path, errors) {
            Some(Measured::Cpu) => found.cpu = Some(amount.as_cpu()),
            Some(Measured::Memory) => found.memory = Some(amount.as_bytes()),
            None => {}
        }
    }
    found
}
