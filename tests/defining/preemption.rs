//! DefaultPreemption: who has to go for a pod that found no node, and from where.

use super::{World, fits, key, namespace, resources, selects, text};
use serde_json::Value;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// A pod's priority.
pub fn priority(pod: &Value) -> i64 {
    pod["spec"]["priority"].as_i64().unwrap_or(0)
}

/// Pods on a node that are less important than `pod`, the most important and oldest first.
fn lesser<'a>(world: &'a World, pod: &Value, node: &'a Value) -> Vec<&'a Value> {
    let mut all: Vec<&Value> = world.on(node).filter(|p| priority(p) < priority(pod)).collect();
    all.sort_by_key(|p| (Reverse(priority(p)), text(&p["status"]["startTime"]).to_owned()));
    all
}

/// Which of these a budget does not allow to go after those before them.
fn against_budgets(world: &World, pods: &[&Value]) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for budget in &world.budgets {
        let concerns = |pod: &&&Value| {
            let selector = &budget["spec"]["selector"];
            namespace(pod) == namespace(budget) && selects(selector, pod)
        };
        let allowed = budget["status"]["disruptionsAllowed"].as_u64().unwrap_or(0) as usize;
        out.extend(pods.iter().filter(concerns).skip(allowed).map(|pod| key(pod)));
    }
    out
}

/// Those who have to go: nobody of them could stay, asked in the order of budgets, importance, age.
fn victims<'a>(world: &'a World, pod: &Value, node: &'a Value) -> Option<(Vec<&'a Value>, usize)> {
    let lesser = lesser(world, pod, node);
    let mut gone: Vec<String> = lesser.iter().map(|pod| key(pod)).collect();
    if gone.is_empty() || !fits(&world.without(&gone), pod, node) {
        return None;
    }
    let protected = against_budgets(world, &lesser);
    let mut asked: Vec<&Value> = lesser.clone();
    asked.sort_by_key(|pod| !protected.contains(&key(pod)));
    for candidate in asked {
        let with_it: Vec<String> = gone.iter().filter(|n| **n != key(candidate)).cloned().collect();
        if fits(&world.without(&with_it), pod, node) {
            gone = with_it;
        }
    }
    let going: Vec<&Value> = lesser.into_iter().filter(|pod| gone.contains(&key(pod))).collect();
    let violations = going.iter().filter(|pod| protected.contains(&key(pod))).count();
    Some((going, violations))
}

/// The best nodes with who has to go there: fewest violations of budgets, then the least important
/// victim at the top, the least importance in all, the fewest victims, the youngest top.
pub fn candidates(world: &World, pod: &Value) -> BTreeMap<String, BTreeSet<String>> {
    if pod["spec"]["preemptionPolicy"] == "Never" {
        return BTreeMap::new();
    }
    let mut best: Option<(i64, i64, i64, i64, Reverse<String>)> = None;
    let mut out = BTreeMap::new();
    for (name, node) in &world.nodes {
        if resources::is_too_small(pod, node) {
            continue;
        }
        let Some((going, violations)) = victims(world, pod, node) else { continue };
        let top = going.iter().map(|p| priority(p)).max().unwrap();
        let sum = going.iter().map(|p| priority(p) + (1 << 31)).sum();
        let tops = going.iter().filter(|p| priority(p) == top);
        let oldest = tops.map(|p| text(&p["status"]["startTime"]).to_owned()).min().unwrap();
        let cost = (violations as i64, top, sum, going.len() as i64, Reverse(oldest));
        if best.as_ref().is_none_or(|best| cost < *best) {
            out.clear();
            best = Some(cost.clone());
        }
        if best.as_ref() == Some(&cost) {
            out.insert(name.clone(), going.iter().map(|pod| key(pod)).collect());
        }
    }
    out
}
