//! PodTopologySpread.

use super::{World, items, label, namespace, nodes, selects, text};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const HOST: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";

/// Whether a pod counts for a constraint of another one.
fn counts(constraint: &Value, of: &Value, other: &Value) -> bool {
    let keys = items(&constraint["matchLabelKeys"]).map(text);
    let same = |key: &str| label(of, key).is_none_or(|own| label(other, key) == Some(own));
    namespace(of) == namespace(other)
        && items(&constraint["selectors"]).all(|selector| selects(selector, other))
        && keys.into_iter().all(same)
}

/// Constraints of a mode, selectors in a list.
fn constraints(pod: &Value, mode: &str) -> Vec<Value> {
    let all = items(&pod["spec"]["topologySpreadConstraints"]);
    let ready = |given: &Value| {
        let mut constraint = given.clone();
        constraint["selectors"] = json!([given["labelSelector"]]);
        constraint
    };
    all.filter(|c| c["whenUnsatisfiable"] == mode).map(ready).collect()
}

/// A pod without constraints is spread softly with those that its Services and its owner select.
fn defaults(world: &World, pod: &Value) -> Vec<Value> {
    let own = |service: &&Value| namespace(service) == namespace(pod);
    let services = world.services.iter().filter(own);
    let selectors = services.map(|service| json!({"matchLabels": service["spec"]["selector"]}));
    let mut selectors: Vec<Value> = selectors.filter(|selector| selects(selector, pod)).collect();
    for owner in items(&pod["metadata"]["ownerReferences"]) {
        let key = (namespace(pod), text(&owner["name"]).to_owned());
        selectors.extend(world.owners.get(&key).cloned());
    }
    if selectors.is_empty() || items(&pod["spec"]["topologySpreadConstraints"]).next().is_some() {
        return Vec::new();
    }
    let constraint =
        |key: &str, skew: i64| json!({"topologyKey": key, "maxSkew": skew, "selectors": selectors});
    vec![constraint(HOST, 3), constraint(ZONE, 5)]
}

/// Whether pods on a node count, and its domain with them.
fn includes(world: &World, constraint: &Value, pod: &Value, node: &Value) -> bool {
    let affinity = constraint["nodeAffinityPolicy"] != "Ignore";
    let taints = constraint["nodeTaintsPolicy"] == "Honor";
    let left_out = affinity && nodes::is_not_selected(world, pod, node)
        || taints && nodes::is_tainted(world, pod, node);
    !left_out
}

fn has_keys(constraints: &[Value], node: &Value) -> bool {
    constraints.iter().all(|c| label(node, text(&c["topologyKey"])).is_some())
}

fn count_on(world: &World, constraint: &Value, pod: &Value, node: &Value) -> i64 {
    world.on(node).filter(|other| counts(constraint, pod, other)).count() as i64
}

/// A domain would have more than `maxSkew` more pods than the emptiest one.
pub fn skews(world: &World, pod: &Value, node: &Value) -> bool {
    let hard = constraints(pod, "DoNotSchedule");
    hard.iter().any(|constraint| {
        let key = text(&constraint["topologyKey"]);
        let Some(own) = label(node, key) else { return true };
        let mut domains: BTreeMap<&str, i64> = BTreeMap::new();
        for other in world.nodes.values().filter(|n| has_keys(&hard, n)) {
            if includes(world, constraint, pod, other) {
                let domain = label(other, key).unwrap();
                *domains.entry(domain).or_default() += count_on(world, constraint, pod, other);
            }
        }
        let wanted = constraint["minDomains"].as_u64().unwrap_or(1) as usize;
        let too_few = domains.len() < wanted;
        let least = if too_few { Some(0) } else { domains.values().min().copied() };
        let own = domains.get(own).copied().unwrap_or(0) + i64::from(counts(constraint, pod, pod));
        least.is_some_and(|least| own - least > constraint["maxSkew"].as_i64().unwrap())
    })
}

/// The fewer pods in the domains of a node, the better; a constraint weighs as the logarithm of how
/// many domains there are.
pub fn scores(world: &World, pod: &Value, feasible: &[&Value]) -> Vec<i64> {
    let own = constraints(pod, "ScheduleAnyway");
    let is_own = items(&pod["spec"]["topologySpreadConstraints"]).next().is_some();
    let soft = if is_own { own } else { defaults(world, pod) };
    if soft.is_empty() {
        return vec![0; feasible.len()];
    }
    let takes_part = |node: &Value| !is_own || has_keys(&soft, node);
    let parts: Vec<&Value> = feasible.iter().copied().filter(|node| takes_part(node)).collect();
    let raw = |node: &Value| {
        let sum: f64 = soft
            .iter()
            .map(|constraint| {
                let key = text(&constraint["topologyKey"]);
                let Some(domain) = label(node, key) else { return 0.0 };
                let domains: BTreeSet<Option<&str>> = parts.iter().map(|n| label(n, key)).collect();
                let by_host = key == HOST;
                let size = if by_host { parts.len() } else { domains.len() };
                let is_there = |n: &&Value| {
                    label(n, key) == Some(domain)
                        && takes_part(n)
                        && includes(world, constraint, pod, n)
                };
                let count: i64 = match by_host {
                    true => count_on(world, constraint, pod, node),
                    false => {
                        let there = world.nodes.values().filter(is_there);
                        there.map(|n| count_on(world, constraint, pod, n)).sum()
                    }
                };
                let skew = constraint["maxSkew"].as_i64().unwrap();
                count as f64 * libm::log((size + 2) as f64) + (skew - 1) as f64
            })
            .sum();
        sum.round() as i64
    };
    let counted: Vec<i64> = parts.iter().map(|node| raw(node)).collect();
    let (least, most) = (counted.iter().min().copied(), counted.iter().max().copied());
    let score = |node: &&Value| match (least, most) {
        (Some(least), Some(most)) if takes_part(node) => {
            if most == 0 {
                100
            } else {
                100 * (most + least - raw(node)) / most
            }
        }
        _ => 0,
    };
    feasible.iter().map(score).collect()
}
