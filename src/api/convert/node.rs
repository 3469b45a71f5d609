//! `core/v1` nodes to `api::node::Node`, with the API server's defaulting.
//!
//! Source: `pkg/apis/core/v1/defaults.go` `SetDefaults_NodeStatus`, v1.37. It knows nothing of
//! machines: what stands behind the node is the world's business.

use super::pod::taint_effect;
use super::{FieldError, QuantityMap, labels, quantity, resources, text, texts};
use crate::api::node::{Node, NodeImage, NodeReady};
use crate::api::taint::Taint;
use crate::units::{Bytes, SimTime};
use k8s_openapi::api::core::v1 as k8s;

/// Converts a node, errors as in [`super::pod::pod_spec`].
///
/// `uid` is 0, `group` 0 and all times are the start: the caller knows better. A node without a
/// Ready condition is taken as ready.
pub fn node(node: &k8s::Node, path: &str, errors: &mut Vec<FieldError>) -> Node {
    let spec = node.spec.clone().unwrap_or_default();
    let status = node.status.clone().unwrap_or_default();
    let capacity = status.capacity.unwrap_or_default();
    let allocatable = status.allocatable.unwrap_or_else(|| capacity.clone());
    let allocatable_path = format!("{path}status.allocatable");
    let name = text(node.metadata.name.as_ref());
    if name.is_empty() {
        errors.push(FieldError::new(format!("{path}metadata.name"), "a node needs a name"));
    }
    let mut taints = Vec::new();
    for (i, given) in spec.taints.iter().flatten().enumerate() {
        let path = format!("{path}spec.taints[{i}]");
        let Some(effect) = taint_effect(&given.effect, &path, errors) else { continue };
        let key = given.key.as_str().into();
        taints.push(Taint { key, value: text(given.value.as_ref()), effect, added: SimTime::ZERO });
    }
    let image = |given: &k8s::ContainerImage| NodeImage {
        names: texts(given.names.as_ref()),
        size: Bytes(given.size_bytes.unwrap_or(0)),
    };
    Node {
        name,
        uid: 0,
        labels: labels(node.metadata.labels.as_ref()),
        taints,
        unschedulable: spec.unschedulable.unwrap_or(false),
        max_pods: pods(&allocatable, &allocatable_path, errors),
        capacity: resources(Some(&capacity), &format!("{path}status.capacity"), errors).into(),
        allocatable: resources(Some(&allocatable), &allocatable_path, errors).into(),
        ready: ready(status.conditions.as_deref().unwrap_or_default()),
        pressures: None,
        ready_changed: SimTime::ZERO,
        created: SimTime::ZERO,
        group: 0,
        images: status.images.iter().flatten().map(image).collect(),
        declared_features: texts(status.declared_features.as_ref()).into(),
    }
}

fn pods(allocatable: &QuantityMap, path: &str, errors: &mut Vec<FieldError>) -> u32 {
    let Some(given) = allocatable.get("pods") else { return 0 };
    let count = quantity(given, || format!("{path}.pods"), errors).value();
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn ready(conditions: &[k8s::NodeCondition]) -> NodeReady {
    let condition = conditions.iter().find(|c| c.type_ == "Ready");
    match condition.map(|c| c.status.as_str()) {
        None | Some("True") => NodeReady::True,
        Some("False") => NodeReady::False,
        Some(_) => NodeReady::Unknown,
    }
}
