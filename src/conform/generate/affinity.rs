//! Affinities and spread constraints of pods. Selectors name labels that `node.rs` and `pod.rs`
//! give.

use super::draw::Draw;
use super::mix::Mix;
use super::object::{APPS, NAMESPACES};
use serde_json::{Map, Value, json};

const ZONE: &str = "topology.kubernetes.io/zone";
const HOST: &str = "kubernetes.io/hostname";

/// Adds to the specification of a pod of `app`.
pub(super) fn add(draw: &mut Draw, mix: &Mix, app: &str, spec: &mut Map<String, Value>) {
    let mut affinity = Map::new();
    if draw.chance(mix.node_affinity) {
        if draw.chance(25) {
            spec.insert("nodeSelector".to_owned(), json!({"disk": draw.of(&["ssd", "hdd"])}));
        } else {
            affinity.insert("nodeAffinity".to_owned(), for_nodes(draw));
        }
    }
    if draw.chance(mix.pod_affinity) {
        affinity.insert("podAffinity".to_owned(), for_pods(draw, app, 30));
    }
    if draw.chance(mix.pod_affinity) {
        affinity.insert("podAntiAffinity".to_owned(), for_pods(draw, app, 50));
    }
    if !affinity.is_empty() {
        spec.insert("affinity".to_owned(), Value::Object(affinity));
    }
    if draw.chance(mix.spread) {
        spec.insert("topologySpreadConstraints".to_owned(), spread(draw, app));
    }
}

/// One expression about a node's labels.
fn expression(draw: &mut Draw) -> Value {
    match draw.below(7) {
        0 => json!({"key": "disk", "operator": "In", "values": [draw.of(&["ssd", "hdd"])]}),
        1 => json!({"key": ZONE, "operator": "In", "values": ["z0", draw.of(&["z1", "z9"])]}),
        2 => json!({"key": ZONE, "operator": "NotIn", "values": [draw.of(&["z0", "z1", "z2"])]}),
        3 => json!({"key": "team", "operator": "Exists"}),
        4 => json!({"key": "team", "operator": "DoesNotExist"}),
        5 => json!({"key": "gen", "operator": "Gt", "values": [draw.between(1, 8).to_string()]}),
        _ => json!({"key": "gen", "operator": "Lt", "values": [draw.between(2, 9).to_string()]}),
    }
}

fn term(draw: &mut Draw) -> Value {
    let count = draw.between(1, 2);
    json!({"matchExpressions": (0..count).map(|_| expression(draw)).collect::<Vec<_>>()})
}

fn for_nodes(draw: &mut Draw) -> Value {
    let mut affinity = json!({});
    if draw.chance(60) {
        // Several terms that each name a node would be searched in a map's order upstream.
        let terms: Vec<Value> = if draw.chance(8) {
            let name = format!("n{}", draw.between(0, 20));
            vec![json!({"matchFields":
                [{"key": "metadata.name", "operator": "In", "values": [name]}]})]
        } else {
            (0..draw.between(1, 2)).map(|_| term(draw)).collect()
        };
        affinity["requiredDuringSchedulingIgnoredDuringExecution"] =
            json!({"nodeSelectorTerms": terms});
    }
    if draw.chance(60) {
        let count = draw.between(1, 3);
        let preferred: Vec<Value> = (0..count)
            .map(|_| json!({"weight": draw.between(1, 100), "preference": term(draw)}))
            .collect();
        affinity["preferredDuringSchedulingIgnoredDuringExecution"] = json!(preferred);
    }
    affinity
}

/// A term about pods near which to be, or not to be.
fn pod_term(draw: &mut Draw, app: &str) -> Value {
    let about = if draw.chance(50) { app } else { draw.of(APPS) };
    let mut term = json!({"topologyKey": draw.of(&[ZONE, HOST, HOST, "disk"])});
    match draw.below(10) {
        0 => term["labelSelector"] = json!({}),
        1 => {}
        2 => {
            term["labelSelector"] = json!({"matchExpressions":
                [{"key": "app", "operator": "NotIn", "values": [about]}]});
        }
        _ => term["labelSelector"] = json!({"matchLabels": {"app": about}}),
    }
    match draw.below(6) {
        0 => term["namespaces"] = json!([draw.of(NAMESPACES)]),
        1 => term["namespaceSelector"] = json!({"matchLabels": {"team": "a"}}),
        2 => term["namespaceSelector"] = json!({}),
        _ => {}
    }
    if term.get("labelSelector").is_some() {
        match draw.below(8) {
            0 => term["matchLabelKeys"] = json!(["rev"]),
            1 => term["mismatchLabelKeys"] = json!(["rev"]),
            _ => {}
        }
    }
    term
}

fn for_pods(draw: &mut Draw, app: &str, required: u64) -> Value {
    let mut affinity = json!({});
    if draw.chance(required) {
        affinity["requiredDuringSchedulingIgnoredDuringExecution"] = json!([pod_term(draw, app)]);
    }
    if draw.chance(60) {
        let count = draw.between(1, 2);
        let preferred: Vec<Value> = (0..count)
            .map(
                |_| json!({"weight": draw.between(1, 100), "podAffinityTerm": pod_term(draw, app)}),
            )
            .collect();
        affinity["preferredDuringSchedulingIgnoredDuringExecution"] = json!(preferred);
    }
    affinity
}

fn spread(draw: &mut Draw, app: &str) -> Value {
    // No two constraints may have both the same key and the same mode.
    let mut keys = vec![ZONE, HOST, "disk"];
    let mut constraints = Vec::new();
    for _ in 0..draw.between(1, 2) {
        let key = keys.remove(draw.below(keys.len()));
        let hard = draw.chance(50);
        let mode = if hard { "DoNotSchedule" } else { "ScheduleAnyway" };
        let mut constraint = json!({
            "topologyKey": key,
            "maxSkew": draw.between(1, 3),
            "whenUnsatisfiable": mode,
            "labelSelector": {"matchLabels": {"app": app}},
        });
        if hard && draw.chance(25) {
            constraint["minDomains"] = json!(draw.between(2, 5));
        }
        if draw.chance(25) {
            constraint["nodeAffinityPolicy"] = json!(draw.of(&["Honor", "Ignore"]));
        }
        if draw.chance(25) {
            constraint["nodeTaintsPolicy"] = json!(draw.of(&["Honor", "Ignore"]));
        }
        if draw.chance(20) {
            constraint["matchLabelKeys"] = json!(["rev"]);
        }
        constraints.push(constraint);
    }
    json!(constraints)
}
