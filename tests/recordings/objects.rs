//! Namespaces, services, ReplicaSets and disruption budgets from recorded manifests.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use serde_json::Value;
use std::collections::BTreeMap;
use stormglass::api::convert;
use stormglass::api::labels::{Labels, Selector};
use stormglass::api::policy::{Budget, Pdb};
use stormglass::api::workload::IntOrPercent;
use stormglass::api::{ObjectName, PdbId, ReplicaSetId};
use stormglass::control::scheduler::Scheduler;

fn labels(value: &Value) -> Option<Labels> {
    let map: Option<BTreeMap<String, String>> = serde_json::from_value(value.clone()).unwrap();
    map.map(|map| convert::labels(Some(&map)))
}

/// A selector given as labels or in full.
pub(crate) fn selector(value: &Value) -> Selector {
    let selector: Option<LabelSelector> = serde_json::from_value(value.clone()).unwrap();
    convert::selector(selector.as_ref(), "selector", &mut Vec::new())
}

/// Tells the scheduler of an object that is neither a pod nor a node.
pub(crate) fn tell(
    scheduler: &mut Scheduler,
    object: &Value,
    owner_id: &mut impl FnMut(&str) -> ReplicaSetId,
) {
    let metadata = &object["metadata"];
    let (kind, name) = (object["kind"].as_str().unwrap(), metadata["name"].as_str().unwrap());
    let namespace = metadata["namespace"].as_str().unwrap_or("default");
    let spec = &object["spec"];
    match kind {
        "Namespace" => {
            scheduler.set_namespace(name.into(), labels(&metadata["labels"]).unwrap_or_default());
        }
        "Service" => {
            let selector = labels(&spec["selector"]).map(|l| Selector::from_labels(&l));
            scheduler.set_service(ObjectName::new(namespace, name), selector);
        }
        "ReplicaSet" => {
            let id = owner_id(&format!("{kind}/{namespace}/{name}"));
            scheduler.set_replica_set(id, Some(selector(&spec["selector"])));
        }
        "PodDisruptionBudget" => {
            let id = owner_id(&format!("{kind}/{namespace}/{name}"));
            // Budgets are told apart by their key only: one made of an owner's will do.
            let id = PdbId::from(slotmap::Key::data(&id));
            let allowed = object["status"]["disruptionsAllowed"].as_u64().unwrap_or(0);
            let budget = Pdb {
                name: name.into(),
                namespace: namespace.into(),
                selector: selector(&spec["selector"]),
                budget: Budget::MinAvailable(IntOrPercent::Int(0)),
                disruptions_allowed: u32::try_from(allowed).unwrap(),
                current_healthy: 0,
                desired_healthy: 0,
                expected_pods: 0,
            };
            scheduler.set_budget(id, Some(&budget));
        }
        _ => {}
    }
}
