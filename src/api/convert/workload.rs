//! Deployments, ReplicaSets, ReplicationControllers and bare pods, with the API server's defaults;
//! and what all workloads have in common: metadata, selector, template.

use super::behavior::behavior;
use super::drain_hints::drain_hints;
use super::{FieldError, node_features, pod, selector};
use crate::api::Text;
use crate::api::behavior::Behavior;
use crate::api::labels::Selector;
use crate::api::meta::Meta;
use crate::api::pod::{Pod, PodSpec};
use crate::api::taint::{NOT_READY, Taint, TaintEffect, Toleration, UNREACHABLE};
use crate::api::workload::{
    Deployment, IntOrPercent, PodTemplate, ReplicaSet, Strategy, WorkloadStatus, short_hash,
};
use crate::units::{SimDuration, SimTime};
use k8s_openapi::api::apps::v1 as k8s;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use std::sync::Arc;

/// A Deployment; `namespace` is the one it goes to when it names none.
pub fn deployment(
    given: &k8s::Deployment,
    namespace: &str,
    errors: &mut Vec<FieldError>,
) -> Deployment {
    let spec = &given.spec;
    let Meta { name, namespace, labels, .. } = meta(&given.metadata, namespace);
    let template = template(&spec.template, "spec.template", errors);
    let replicas = not_negative(spec.replicas, 1, "spec.replicas", errors);
    Deployment {
        name,
        namespace,
        labels,
        replicas,
        selector: selecting(&spec.selector, &template, errors),
        template,
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
        deletion: None,
    }
}

/// A ReplicaSet.
pub fn replica_set(
    given: &k8s::ReplicaSet,
    namespace: &str,
    errors: &mut Vec<FieldError>,
) -> ReplicaSet {
    let spec = given.spec.clone();
    let template = template(&spec.template.unwrap_or_default(), "spec.template", errors);
    ReplicaSet {
        replicas: not_negative(spec.replicas, 1, "spec.replicas", errors),
        min_ready: seconds(spec.min_ready_seconds, 0),
        ..bare_set(
            &given.metadata,
            namespace,
            selecting(&spec.selector, &template, errors),
            template,
        )
    }
}

/// A ReplicationController: for its controller a ReplicaSet under another name.
pub fn replication_controller(
    given: &core::ReplicationController,
    namespace: &str,
    errors: &mut Vec<FieldError>,
) -> ReplicaSet {
    let spec = given.spec.clone().unwrap_or_default();
    let template = template(&spec.template.unwrap_or_default(), "spec.template", errors);
    let wanted = match &spec.selector {
        Some(pairs) => Selector::from_labels(&super::labels(Some(pairs))),
        None => Selector::from_labels(&template.labels),
    };
    ReplicaSet {
        replicas: not_negative(spec.replicas, 1, "spec.replicas", errors),
        min_ready: seconds(spec.min_ready_seconds, 0),
        is_controller: true,
        ..bare_set(&given.metadata, namespace, wanted, template)
    }
}

fn bare_set(
    metadata: &ObjectMeta,
    namespace: &str,
    selector: Selector,
    template: PodTemplate,
) -> ReplicaSet {
    let Meta { name, namespace, .. } = meta(metadata, namespace);
    ReplicaSet {
        name,
        namespace,
        is_controller: false,
        owner: None,
        revision: 0,
        desired_replicas: 0,
        max_replicas: 0,
        replicas: 0,
        selector,
        template,
        min_ready: SimDuration::ZERO,
        generation: 1,
        created: SimTime::ZERO,
        status: WorkloadStatus::default(),
        conditions: Vec::new(),
        deletion: None,
    }
}

/// What all objects have in common; `namespace` is the one of objects that name none.
pub(crate) fn meta(given: &ObjectMeta, namespace: &str) -> Meta {
    Meta {
        name: given.name.as_deref().unwrap_or("").into(),
        namespace: given.namespace.as_deref().unwrap_or(namespace).into(),
        labels: super::labels(given.labels.as_ref()),
        generation: 1,
        ..Meta::default()
    }
}

/// A workload's selector, which must match its template.
pub(crate) fn selecting(
    given: &LabelSelector,
    template: &PodTemplate,
    errors: &mut Vec<FieldError>,
) -> Selector {
    let wanted = selector(Some(given), "spec.selector", errors);
    if !wanted.matches(&template.labels) {
        let message = "`selector` does not match template `labels`";
        errors.push(FieldError::new("spec.template.metadata.labels".into(), message));
    }
    wanted
}

/// A pod template, as admission leaves its pods; `path` is where it stands.
pub(crate) fn template(
    given: &core::PodTemplateSpec,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> PodTemplate {
    let metadata = given.metadata.as_ref();
    let volumes = given.spec.as_ref().and_then(|spec| spec.volumes.as_deref());
    let mut spec = match &given.spec {
        Some(spec) => {
            refuse_user_namespace_on_host_network(spec, &format!("{path}.spec"), errors);
            pod::pod_spec(spec, &format!("{path}.spec"), errors)
        }
        None => {
            errors.push(FieldError::new(path.into(), "missing field `spec`"));
            Default::default()
        }
    };
    admit(&mut spec, metadata, volumes, path, errors);
    let labels = super::labels(metadata.and_then(|m| m.labels.as_ref()));
    PodTemplate::new(labels, Arc::new(spec), rest_of(given))
}

/// A pod that nobody controls.
pub fn pod(given: &core::Pod, namespace: &str, errors: &mut Vec<FieldError>) -> Pod {
    let Meta { name, namespace, labels, .. } = meta(&given.metadata, namespace);
    let given_spec = given.spec.clone().unwrap_or_default();
    let mut spec = pod::pod_spec(&given_spec, "spec", errors);
    admit(&mut spec, Some(&given.metadata), given_spec.volumes.as_deref(), "", errors);
    let mut pod = Pod::pending(namespace, name, labels, Arc::new(spec), SimTime::ZERO);
    let annotations = given.metadata.annotations.iter().flatten();
    if annotations.clone().any(|(key, _)| key == MIRROR) {
        if pod.spec.node_name.is_none() {
            let message = "must set spec.nodeName if mirror pod annotation is set";
            errors.push(FieldError::new(format!("metadata.annotations.{MIRROR}"), message));
        }
        Arc::make_mut(&mut pod.base_mut().spec).is_mirror = true;
    }
    for (_, cost) in annotations.filter(|(key, _)| *key == DELETION_COST) {
        pod.more_mut().deletion_cost = cost.parse().unwrap_or(0);
    }
    pod
}

/// The annotation of an object that mirrors a static pod (`MirrorPodAnnotationKey`).
pub const MIRROR: &str = "kubernetes.io/config.mirror";
/// The annotation that ranks a ReplicaSet's pods when some have to go.
pub const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// What admission and annotations add to a specification.
fn admit(
    spec: &mut PodSpec,
    metadata: Option<&ObjectMeta>,
    volumes: Option<&[core::Volume]>,
    path: &str,
    errors: &mut Vec<FieldError>,
) {
    admit_tolerations(spec);
    let annotations = metadata.and_then(|m| m.annotations.as_ref());
    let behavior = behavior(annotations, &format!("{path}.metadata.annotations"), errors);
    spec.behavior = (behavior != Behavior::default()).then(|| Box::new(behavior));
    spec.drain_hints = drain_hints(annotations, volumes);
}

/// `validateHostUsers`, with the gate UserNamespacesHostNetworkSupport off.
fn refuse_user_namespace_on_host_network(
    spec: &core::PodSpec,
    path: &str,
    errors: &mut Vec<FieldError>,
) {
    if node_features::has_user_namespace_on_host_network(spec) {
        let path = format!("{path}.hostNetwork");
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

pub(crate) fn seconds(given: Option<i32>, default: i32) -> SimDuration {
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

/// Stands for all that a template says but its containers' images. The API server does not tell
/// empty labels and annotations from missing ones.
fn rest_of(template: &core::PodTemplateSpec) -> Text {
    let mut rest = template.clone();
    if let Some(metadata) = &mut rest.metadata {
        metadata.labels.take_if(|labels| labels.is_empty());
        metadata.annotations.take_if(|annotations| annotations.is_empty());
    }
    if let Some(spec) = &mut rest.spec {
        let init = spec.init_containers.iter_mut().flatten();
        init.chain(&mut spec.containers).for_each(|container| container.image = None);
    }
    short_hash(&serde_json::to_string(&rest).unwrap_or_default())
}
