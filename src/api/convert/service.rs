//! Services (`core/v1`) and PodDisruptionBudgets (`policy/v1`).

use super::workload::int_or_percent;
use super::{FieldError, labels, selector};
use crate::api::labels::Selector;
use crate::api::policy::{Budget, Pdb, PdbStatus, UnhealthyPods};
use crate::api::service::Service;
use crate::api::workload::IntOrPercent;
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::policy::v1 as policy;

/// A Service; `namespace` is the one it goes to when it names none.
pub fn service(given: &core::Service, namespace: &str) -> Service {
    let spec = given.spec.clone().unwrap_or_default();
    let wanted = spec.selector.as_ref().filter(|pairs| !pairs.is_empty());
    Service {
        name: given.metadata.name.as_deref().unwrap_or("").into(),
        namespace: given.metadata.namespace.as_deref().unwrap_or(namespace).into(),
        labels: labels(given.metadata.labels.as_ref()),
        selector: wanted.map(|pairs| Selector::from_labels(&labels(Some(pairs)))),
        publish_not_ready: spec.publish_not_ready_addresses.unwrap_or(false),
        endpoints: Vec::new(),
    }
}

/// A PodDisruptionBudget.
pub fn pdb(
    given: &policy::PodDisruptionBudget,
    namespace: &str,
    errors: &mut Vec<FieldError>,
) -> Pdb {
    let spec = given.spec.clone().unwrap_or_default();
    let of = |value, name: &str, errors: &mut Vec<FieldError>| {
        int_or_percent(value, &format!("spec.{name}"), errors)
    };
    let budget = match (&spec.min_available, &spec.max_unavailable) {
        (Some(min), None) => Budget::MinAvailable(of(min, "minAvailable", errors)),
        (None, Some(max)) => Budget::MaxUnavailable(of(max, "maxUnavailable", errors)),
        (None, None) => Budget::MinAvailable(IntOrPercent::Int(1)),
        (Some(_), Some(_)) => {
            let message = "minAvailable and maxUnavailable exclude each other";
            errors.push(FieldError::new("spec".into(), message));
            Budget::MinAvailable(IntOrPercent::Int(1))
        }
    };
    Pdb {
        name: given.metadata.name.as_deref().unwrap_or("").into(),
        namespace: given.metadata.namespace.as_deref().unwrap_or(namespace).into(),
        selector: selector(spec.selector.as_ref(), "spec.selector", errors),
        budget,
        unhealthy: unhealthy_policy(spec.unhealthy_pod_eviction_policy.as_deref(), errors),
        generation: 1,
        status: PdbStatus::default(),
    }
}

fn unhealthy_policy(given: Option<&str>, errors: &mut Vec<FieldError>) -> UnhealthyPods {
    match given.unwrap_or("IfHealthyBudget") {
        "IfHealthyBudget" => UnhealthyPods::IfHealthyBudget,
        "AlwaysAllow" => UnhealthyPods::AlwaysAllow,
        other => {
            let message = format!("{other:?} is none of IfHealthyBudget, AlwaysAllow");
            errors.push(FieldError::new("spec.unhealthyPodEvictionPolicy".into(), message));
            UnhealthyPods::IfHealthyBudget
        }
    }
}
