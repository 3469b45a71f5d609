//! Plugins that look at a node and the pods on it: names, cordons, taints, affinity for nodes, ports,
//! features and images.

use super::{World, holds, items, label, name, text};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// NodeName: the pod names another node.
pub fn name_differs(_: &World, pod: &Value, node: &Value) -> bool {
    let wanted = text(&pod["spec"]["nodeName"]);
    !wanted.is_empty() && wanted != name(node)
}

/// Whether a toleration is one of a taint.
fn tolerates(toleration: &Value, taint: &Value) -> bool {
    let field = |name: &str| (text(&toleration[name]), text(&taint[name]));
    let (key, effect) = (field("key"), field("effect"));
    let same_value = || field("value").0 == field("value").1;
    (key.0.is_empty() || key.0 == key.1)
        && (effect.0.is_empty() || effect.0 == effect.1)
        && (toleration["operator"] == "Exists" || same_value())
}

fn is_tolerated(pod: &Value, taint: &Value) -> bool {
    items(&pod["spec"]["tolerations"]).any(|toleration| tolerates(toleration, taint))
}

/// NodeUnschedulable: cordoned, which is as good as a taint.
pub fn is_cordoned(_: &World, pod: &Value, node: &Value) -> bool {
    let taint = json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"});
    node["spec"]["unschedulable"] == true && !is_tolerated(pod, &taint)
}

/// TaintToleration: a taint that forbids and is not tolerated.
pub fn is_tainted(_: &World, pod: &Value, node: &Value) -> bool {
    items(&node["spec"]["taints"])
        .any(|taint| taint["effect"] != "PreferNoSchedule" && !is_tolerated(pod, taint))
}

/// The fewer taints that advise against the node, the better.
pub fn taint_scores(_: &World, pod: &Value, feasible: &[&Value]) -> Vec<i64> {
    let advises = |taint: &&Value| {
        let heeded = |t: &&Value| ["", "PreferNoSchedule"].contains(&text(&t["effect"]));
        let mut tolerations = items(&pod["spec"]["tolerations"]).filter(heeded);
        taint["effect"] == "PreferNoSchedule" && !tolerations.any(|t| tolerates(t, taint))
    };
    let count = |node: &&Value| items(&node["spec"]["taints"]).filter(advises).count() as i64;
    let counts: Vec<i64> = feasible.iter().map(count).collect();
    match counts.iter().max() {
        None | Some(0) => vec![100; feasible.len()],
        Some(most) => counts.iter().map(|count| 100 - 100 * count / most).collect(),
    }
}

/// Whether all of a term holds; a term without expressions never does.
fn term_holds(term: &Value, node: &Value) -> bool {
    let own = name(node);
    let (labels, fields) = (&term["matchExpressions"], &term["matchFields"]);
    let count = items(labels).chain(items(fields)).count();
    let field = |key: &str| (key == "metadata.name").then_some(own.as_str());
    count > 0
        && items(labels).all(|e| holds(e, |key| label(node, key)))
        && items(fields).all(|e| holds(e, field))
}

fn required(pod: &Value) -> &Value {
    let affinity = &pod["spec"]["affinity"]["nodeAffinity"];
    &affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
}

/// NodeAffinity: a label of the node selector differs, or no required term holds.
pub fn is_not_selected(_: &World, pod: &Value, node: &Value) -> bool {
    let selector = pod["spec"]["nodeSelector"].as_object().into_iter().flatten();
    let differs = |(key, value): (&String, &Value)| label(node, key) != value.as_str();
    let terms = required(pod);
    selector.into_iter().any(differs)
        || !terms.is_null() && !items(terms).any(|term| term_holds(term, node))
}

/// The only nodes that come into question, if each required term names them.
pub fn named(pod: &Value) -> Option<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    items(required(pod)).next()?;
    for term in items(required(pod)) {
        let by_name = items(&term["matchFields"]).find(|e| e["operator"] == "In")?;
        all.extend(items(&by_name["values"]).map(|value| text(value).to_owned()));
    }
    Some(all)
}

/// The more weight preferred terms have that hold, the better.
pub fn affinity_scores(_: &World, pod: &Value, feasible: &[&Value]) -> Vec<i64> {
    let affinity = &pod["spec"]["affinity"]["nodeAffinity"];
    let preferred = &affinity["preferredDuringSchedulingIgnoredDuringExecution"];
    let weight = |node: &&Value| {
        let held = items(preferred).filter(|wish| term_holds(&wish["preference"], node));
        held.map(|wish| wish["weight"].as_i64().unwrap()).sum::<i64>()
    };
    let sums: Vec<i64> = feasible.iter().map(weight).collect();
    let most = sums.iter().max().copied().unwrap_or(0).max(1);
    sums.iter().map(|sum| 100 * sum / most).collect()
}

/// The ports of its nodes that a pod uses: address, protocol and number.
fn ports(pod: &Value) -> Vec<(String, String, i64)> {
    let all = items(&pod["spec"]["containers"]).flat_map(|container| items(&container["ports"]));
    let used = all.filter_map(|port| {
        let number = port["hostPort"].as_i64()?;
        let or = |field: &str, usual: &str| match text(&port[field]) {
            "" => usual.to_owned(),
            given => given.to_owned(),
        };
        Some((or("hostIP", "0.0.0.0"), or("protocol", "TCP"), number))
    });
    used.collect()
}

/// NodePorts: a port is used already, on one of the addresses.
pub fn ports_conflict(world: &World, pod: &Value, node: &Value) -> bool {
    let used: Vec<_> = world.on(node).flat_map(ports).collect();
    let overlap = |a: &String, b: &String| a == b || a == "0.0.0.0" || b == "0.0.0.0";
    ports(pod).iter().any(|(ip, protocol, port)| {
        used.iter().any(|(i, r, o)| overlap(i, ip) && r == protocol && o == port)
    })
}

/// NodeDeclaredFeatures: the kubelet lacks a feature without which the pod can't run.
pub fn lacks_features(_: &World, pod: &Value, node: &Value) -> bool {
    let spec = &pod["spec"];
    let rules = items(&spec["containers"]).flat_map(|c| items(&c["restartPolicyRules"]));
    let restarts_all = rules.into_iter().any(|rule| rule["action"] == "RestartAllContainers");
    let in_host_network = spec["hostUsers"] == false && spec["hostNetwork"] == true;
    let needed = [
        (restarts_all, "RestartAllContainersOnContainerExits"),
        (in_host_network, "UserNamespacesHostNetworkSupport"),
    ];
    let declared =
        |feature: &str| items(&node["status"]["declaredFeatures"]).any(|f| text(f) == feature);
    needed.iter().any(|(needs, feature)| *needs && !declared(feature))
}

/// An image's bytes on a node, if it is there. Without a tag it is the latest.
fn image(node: &Value, wanted: &str) -> Option<i64> {
    let path = wanted.rsplit('/').next().unwrap_or(wanted);
    let full = if path.contains(':') { wanted.to_owned() } else { format!("{wanted}:latest") };
    let mut images = items(&node["status"]["images"]);
    let found = images.find(|image| items(&image["names"]).any(|name| text(name) == full));
    found.and_then(|image| image["sizeBytes"].as_i64())
}

/// ImageLocality: the bytes of images that are there, each for as much as it is spread over nodes,
/// between 23 MB in all and 1000 MB for each container.
pub fn image_scores(world: &World, pod: &Value, feasible: &[&Value]) -> Vec<i64> {
    let spec = &pod["spec"];
    let containers: Vec<&Value> =
        items(&spec["initContainers"]).chain(items(&spec["containers"])).collect();
    let mebi = 1 << 20;
    let (least, most) = (23 * mebi, 1_000 * mebi * containers.len() as i64);
    let score = |node: &&Value| {
        let bytes = |container: &&Value| {
            let wanted = text(&container["image"]);
            let size = image(node, wanted)?;
            let has = world.nodes.values().filter(|node| image(node, wanted).is_some()).count();
            Some((size as f64 * (has as f64 / world.nodes.len() as f64)) as i64)
        };
        let sum: i64 = containers.iter().filter_map(bytes).sum();
        100 * (sum.clamp(least, most) - least) / (most - least)
    };
    feasible.iter().map(score).collect()
}
