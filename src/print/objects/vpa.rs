//! VerticalPodAutoscalers.

use super::meta::{Meta, marked, object};
use super::quantity;
use crate::api::VpaId;
use crate::api::kind::Kind;
use crate::api::vertical_pod_autoscaler::*;
use crate::print::Snapshot;
use crate::print::chronicle::Key;
use crate::print::clock::stamp;
use serde_json::{Map, Value, json};
use slotmap::Key as _;

/// A VerticalPodAutoscaler.
pub(super) fn vpa(snapshot: &Snapshot, id: VpaId, given: &Vpa) -> Value {
    let (version, _) = marked(snapshot, Key::Vpa(id));
    let mut out = object(&Meta {
        kind: "VerticalPodAutoscaler",
        namespace: &given.namespace,
        name: &given.name,
        ordinal: id.data().as_ffi(),
        labels: None,
        generation: 1,
        created: given.created,
        version,
    });
    let api_version = Kind::named(given.target_kind).map_or("apps/v1", |kind| kind.api_version);
    let mut spec = json!({
        "targetRef": {
            "apiVersion": api_version,
            "kind": given.target_kind,
            "name": &*given.target_name,
        },
    });
    if !given.policies.is_empty() {
        let policies: Value = given.policies.iter().map(policy).collect();
        spec["resourcePolicy"] = json!({ "containerPolicies": policies });
    }
    if let Some(mode) = given.update_mode {
        let mut policy = json!({ "updateMode": format!("{mode:?}") });
        if let Some(least) = given.min_replicas {
            policy["minReplicas"] = least.into();
        }
        if !given.eviction_requirements.is_empty() {
            let all = given.eviction_requirements.iter().map(requirement);
            policy["evictionRequirements"] = all.collect();
        }
        spec["updatePolicy"] = policy;
    }
    out["spec"] = spec;
    if given.status != VpaStatus::default() {
        out["status"] = status(&given.status);
    }
    out
}

fn requirement(given: &EvictionRequirement) -> Value {
    let change =
        if given.is_higher { "TargetHigherThanRequests" } else { "TargetLowerThanRequests" };
    let names: Vec<&str> = given.resources.iter().map(|resource| resource.name()).collect();
    json!({ "changeRequirement": change, "resources": names })
}

fn policy(given: &ContainerPolicy) -> Value {
    let mut out = json!({ "containerName": &*given.container });
    if given.is_off {
        out["mode"] = "Off".into();
    }
    if given.requests_only {
        out["controlledValues"] = "RequestsOnly".into();
    }
    if given.controls != [true; 2] {
        let names = ["cpu", "memory"].into_iter().zip(given.controls);
        let names = names.filter(|(_, controlled)| *controlled).map(|(name, _)| name);
        out["controlledResources"] = names.collect();
    }
    for (field, of) in [("minAllowed", &given.min), ("maxAllowed", &given.max)] {
        if *of != CpuAndMemory::default() {
            out[field] = amounts(of);
        }
    }
    out
}

fn amounts(of: &CpuAndMemory) -> Value {
    let mut out = Map::new();
    if let Some(cpu) = of.cpu {
        out.insert("cpu".to_owned(), quantity::cpu(cpu).into());
    }
    if let Some(memory) = of.memory {
        out.insert("memory".to_owned(), quantity::bytes(memory).into());
    }
    out.into()
}

fn status(given: &VpaStatus) -> Value {
    let condition = |c: &VpaCondition| {
        let mut out = json!({
            "lastTransitionTime": stamp(c.transition),
            "status": format!("{:?}", c.status),
            "type": c.kind,
        });
        for (field, word) in [("reason", c.reason), ("message", &*c.message)] {
            if !word.is_empty() {
                out[field] = word.into();
            }
        }
        out
    };
    let recommended = |of: &ContainerRecommendation| {
        json!({
            "containerName": &*of.container,
            "lowerBound": amounts(&of.lower_bound),
            "target": amounts(&of.target),
            "uncappedTarget": amounts(&of.uncapped_target),
            "upperBound": amounts(&of.upper_bound),
        })
    };
    let mut out = json!({
        "conditions": given.conditions.iter().map(condition).collect::<Value>(),
        "observedGeneration": 1,
        "recommendation": {},
    });
    if !given.recommendation.is_empty() {
        let all: Value = given.recommendation.iter().map(recommended).collect();
        out["recommendation"]["containerRecommendations"] = all;
    }
    out
}
