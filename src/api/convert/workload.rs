//! Deployments (`apps/v1`), with the API server's defaults.

use super::{FieldError, labels, node_features, pod, selector};
use crate::api::pod::PodSpec;
use crate::api::taint::{NOT_READY, Taint, TaintEffect, Toleration, UNREACHABLE};
use crate::api::workload::{Deployment, IntOrPercent, PodTemplate, Strategy, WorkloadStatus};
use crate::units::{SimDuration, SimTime};
use k8s_openapi::api::apps::v1 as k8s;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::sync::Arc;

/// Characters of a pod template's hash (apimachinery `util/rand`).
const SAFE: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// A Deployment; `namespace` is the one it goes to when it names none.
pub fn deployment(
    given: &k8s::Deployment,
    namespace: &str,
    errors: &mut Vec<FieldError>,
) -> Deployment {
    let meta = &given.metadata;
    let spec = &given.spec;
    let pod_labels = labels(spec.template.metadata.as_ref().and_then(|m| m.labels.as_ref()));
    let wanted = selector(Some(&spec.selector), "spec.selector", errors);
    if !wanted.matches(&pod_labels) {
        let message = "`selector` does not match template `labels`";
        errors.push(FieldError::new("spec.template.metadata.labels".into(), message));
    }
    let mut pod_spec = match &spec.template.spec {
        Some(given) => {
            refuse_user_namespace_on_host_network(given, errors);
            pod::pod_spec(given, "spec.template.spec", errors)
        }
        None => {
            errors.push(FieldError::new("spec.template".into(), "missing field `spec`"));
            Default::default()
        }
    };
    admit_tolerations(&mut pod_spec);
    let replicas = not_negative(spec.replicas, 1, "spec.replicas", errors);
    Deployment {
        name: meta.name.as_deref().unwrap_or("").into(),
        namespace: meta.namespace.as_deref().unwrap_or(namespace).into(),
        labels: labels(meta.labels.as_ref()),
        replicas,
        selector: wanted,
        template: PodTemplate {
            labels: pod_labels,
            spec: Arc::new(pod_spec),
            hash: template_hash(&spec.template).into(),
        },
        strategy: strategy(spec.strategy.as_ref(), errors),
        min_ready: seconds(spec.min_ready_seconds, 0),
        paused: spec.paused.unwrap_or(false),
        revision_history_limit: not_negative(
            spec.revision_history_limit,
            10,
            "spec.revisionHistoryLimit",
            errors,
        ),
        progress_deadline: seconds(spec.progress_deadline_seconds, 600),
        generation: 1,
        created: SimTime::ZERO,
        revision: 0,
        status: WorkloadStatus::default(),
        conditions: Vec::new(),
    }
}

/// `validateHostUsers`, with the gate UserNamespacesHostNetworkSupport off.
fn refuse_user_namespace_on_host_network(spec: &core::PodSpec, errors: &mut Vec<FieldError>) {
    if node_features::has_user_namespace_on_host_network(spec) {
        let path = "spec.template.spec.hostNetwork".to_owned();
        errors.push(FieldError::new(path, "forbidden when `hostUsers` is false"));
    }
}

/// The DefaultTolerationSeconds admission plugin: 300 s for nodes that fall silent.
fn admit_tolerations(spec: &mut PodSpec) {
    for key in [NOT_READY, UNREACHABLE] {
        let taint = Taint::new(key, TaintEffect::NoExecute, SimTime::ZERO);
        if !taint.is_tolerated(&spec.tolerations) {
            spec.tolerations.push(Toleration::default_seconds(key));
        }
    }
}

fn seconds(given: Option<i32>, default: i32) -> SimDuration {
    SimDuration::from_secs(u64::try_from(given.unwrap_or(default)).unwrap_or(0))
}

/// A count that must not be negative.
pub(crate) fn not_negative(
    given: Option<i32>,
    default: u32,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> u32 {
    let Some(given) = given else { return default };
    u32::try_from(given).unwrap_or_else(|_| {
        errors.push(FieldError::new(path.into(), format!("{given} is negative")));
        default
    })
}

fn strategy(given: Option<&k8s::DeploymentStrategy>, errors: &mut Vec<FieldError>) -> Strategy {
    let quarter = IntOrPercent::Percent(25);
    let kind = given.and_then(|s| s.type_.as_deref()).unwrap_or("RollingUpdate");
    match kind {
        "Recreate" => Strategy::Recreate,
        "RollingUpdate" => {
            let rolling = given.and_then(|s| s.rolling_update.clone()).unwrap_or_default();
            let path = "spec.strategy.rollingUpdate";
            let of = |value: Option<&IntOrString>, name: &str, errors: &mut Vec<FieldError>| {
                value.map_or(quarter, |v| int_or_percent(v, &format!("{path}.{name}"), errors))
            };
            Strategy::RollingUpdate {
                max_surge: of(rolling.max_surge.as_ref(), "maxSurge", errors),
                max_unavailable: of(rolling.max_unavailable.as_ref(), "maxUnavailable", errors),
            }
        }
        other => {
            let message = format!("{other:?} is none of RollingUpdate, Recreate");
            errors.push(FieldError::new("spec.strategy.type".into(), message));
            Strategy::Recreate
        }
    }
}

/// A number or a percentage.
pub(crate) fn int_or_percent(
    given: &IntOrString,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> IntOrPercent {
    let found = match given {
        IntOrString::Int(n) => u32::try_from(*n).ok().map(IntOrPercent::Int),
        IntOrString::String(text) => {
            text.strip_suffix('%').and_then(|p| p.parse().ok()).map(IntOrPercent::Percent)
        }
    };
    found.unwrap_or_else(|| {
        let message = "expected a number, or a percentage like \"25%\"";
        errors.push(FieldError::new(path.into(), message));
        IntOrPercent::Int(1)
    })
}

/// Ten characters that depend only on the template (stands for upstream's FNV of a Go dump).
fn template_hash(template: &k8s_openapi::api::core::v1::PodTemplateSpec) -> String {
    let json = serde_json::to_string(template).unwrap_or_default();
    let hash = blake3::hash(json.as_bytes());
    let mut number = u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap_or_default());
    let mut text = String::new();
    for _ in 0..10 {
        text.push(char::from(SAFE[(number % 27) as usize]));
        number /= 27;
    }
    text
}
