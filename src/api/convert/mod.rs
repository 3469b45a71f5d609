//! From k8s-openapi's objects (what YAML and JSON manifests decode to) to the compact `api` types.
//!
//! The API server's defaulting of Kubernetes 1.37 is applied on the way. Nothing here reads a file
//! or knows which one an object came from: errors carry the field's path, callers add the place.

pub mod autoscaling;
pub mod behavior;
pub mod config;
mod csi_migration;
pub mod custom_resource;
pub mod daemon_set;
pub mod devices;
mod drain_hints;
pub mod ignored;
pub mod ingress;
pub mod job;
pub mod node;
pub mod node_features;
pub mod node_pool;
pub mod object;
pub mod pod;
pub mod pod_affinity;
pub mod quota;
pub mod resource_claim;
pub mod scaled_object;
pub mod service;
pub mod stateful_set;
pub mod storage;
pub mod vertical_pod_autoscaler;
pub mod workload;

use super::Text;
use super::labels::{Labels, Operator, Requirement, Selector};
use super::quantity::Quantity;
use super::resources::Resources;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as QuantityText;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use std::collections::BTreeMap;

/// What is wrong with one field of an object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FieldError {
    /// Path of the field, like `spec.template.spec.containers[0].resources.requests.cpu`.
    pub path: String,
    /// What was found and what was expected.
    pub message: String,
    /// How to mend it, where there is a likely way.
    pub hint: Option<String>,
}

impl FieldError {
    /// An error without a hint.
    pub fn new(path: String, message: impl Into<String>) -> FieldError {
        FieldError { path, message: message.into(), hint: None }
    }
}

/// A `v1.ResourceList` before it is put into the scheduler's units.
pub type QuantityMap = BTreeMap<String, QuantityText>;

/// The labels of an object; missing ones are none.
pub fn labels(labels: Option<&BTreeMap<String, String>>) -> Labels {
    let pairs = labels.into_iter().flatten();
    Labels::new(pairs.map(|(k, v)| (k.as_str().into(), v.as_str().into())).collect())
}

/// A shared text; missing ones are empty.
pub(crate) fn text(value: Option<&String>) -> Text {
    value.map_or("", |v| v.as_str()).into()
}

/// Shared texts of a list; a missing list is empty.
pub(crate) fn texts(values: Option<&Vec<String>>) -> Vec<Text> {
    values.into_iter().flatten().map(|v| v.as_str().into()).collect()
}

/// A label selector: `None` (it was not given) matches nothing, an empty one everything.
pub fn selector(
    selector: Option<&LabelSelector>,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Selector {
    let Some(selector) = selector else { return Selector::Nothing };
    let mut all = Vec::new();
    for (key, value) in selector.match_labels.iter().flatten() {
        let (key, values) = (key.as_str().into(), vec![value.as_str().into()]);
        all.push(Requirement { key, operator: Operator::In, values });
    }
    for (i, given) in selector.match_expressions.iter().flatten().enumerate() {
        let path = format!("{path}.matchExpressions[{i}]");
        let found = requirement(&given.key, &given.operator, given.values.as_ref(), &path, errors);
        if found.as_ref().is_some_and(|r| matches!(r.operator, Operator::Gt | Operator::Lt)) {
            let message = "Gt and Lt compare node labels only; use In, NotIn, Exists, DoesNotExist";
            errors.push(FieldError::new(format!("{path}.operator"), message));
        }
        all.extend(found);
    }
    Selector::All(all)
}

/// One requirement of a label or node selector, its values sorted.
pub(crate) fn requirement(
    key: &str,
    operator: &str,
    values: Option<&Vec<String>>,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<Requirement> {
    let operator = match operator {
        "In" => Operator::In,
        "NotIn" => Operator::NotIn,
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        "Gt" => Operator::Gt,
        "Lt" => Operator::Lt,
        other => {
            let message =
                format!("operator {other:?} is none of In, NotIn, Exists, DoesNotExist, Gt, Lt");
            errors.push(FieldError::new(format!("{path}.operator"), message));
            return None;
        }
    };
    let mut values = texts(values);
    values.sort();
    let fault = match operator {
        Operator::In | Operator::NotIn if values.is_empty() => "In and NotIn need a value at least",
        Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
            "Exists and DoesNotExist take no values"
        }
        Operator::Gt | Operator::Lt if values.len() != 1 || values[0].parse::<i64>().is_err() => {
            "Gt and Lt need exactly one value, an integer"
        }
        _ => "",
    };
    if !fault.is_empty() {
        errors.push(FieldError::new(format!("{path}.values"), fault));
    }
    Some(Requirement { key: key.into(), operator, values })
}

/// One quantity: it must parse and must not be negative.
pub fn quantity(
    given: &QuantityText,
    path: impl Fn() -> String,
    errors: &mut Vec<FieldError>,
) -> Quantity {
    match given.0.parse::<Quantity>() {
        Ok(q) if !q.is_negative() => q,
        Ok(_) => {
            errors.push(FieldError::new(path(), format!("{:?} is negative", given.0)));
            Quantity::default()
        }
        Err(error) => {
            errors.push(FieldError::new(path(), format!("{:?}: {error}", given.0)));
            Quantity::default()
        }
    }
}

/// A resource list in the scheduler's units. `pods` is left out: it is a count of its own.
pub fn resources(
    list: Option<&QuantityMap>,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Resources {
    let mut out = Resources::default();
    for (name, given) in list.into_iter().flatten() {
        let q = quantity(given, || format!("{path}.{name}"), errors);
        match name.as_str() {
            "cpu" => out.cpu = q.as_cpu(),
            "memory" => out.memory = q.as_bytes(),
            "ephemeral-storage" => out.ephemeral_storage = q.as_bytes(),
            "pods" => {}
            other => {
                out.scalars.get_or_insert_default().insert(other.into(), q.value());
            }
        }
    }
    out
}
