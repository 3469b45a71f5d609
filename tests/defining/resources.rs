//! NodeResourcesFit with LeastAllocated, and NodeResourcesBalancedAllocation.

use super::quantity::milli;
use super::{World, items};
use serde_json::Value;
use std::collections::BTreeSet;

/// What a container requests: a limit without a request stands for both.
fn request(container: &Value, resource: &str) -> Option<i128> {
    let resources = &container["resources"];
    let given = [&resources["requests"][resource], &resources["limits"][resource]];
    given.into_iter().find(|amount| !amount.is_null()).map(milli)
}

/// The most that a pod takes at a time, from its first init container on, if its containers take
/// so much each.
fn peak(pod: &Value, amount: impl Fn(&Value) -> i128) -> i128 {
    let spec = &pod["spec"];
    let (mut sidecars, mut most) = (0, 0);
    for init in items(&spec["initContainers"]) {
        let alone = sidecars + amount(init);
        most = most.max(alone);
        if init["restartPolicy"] == "Always" {
            sidecars = alone;
        }
    }
    most.max(sidecars + items(&spec["containers"]).map(amount).sum::<i128>())
}

fn overhead(pod: &Value, resource: &str) -> i128 {
    milli(&pod["spec"]["overhead"][resource])
}

/// What the pod as a whole requests, where it says so.
fn of_the_pod(pod: &Value, resource: &str) -> Option<i128> {
    let given = &pod["spec"]["resources"]["requests"][resource];
    (!given.is_null() && resource != "ephemeral-storage").then(|| milli(given))
}

/// What a pod requests.
fn requested(pod: &Value, resource: &str) -> i128 {
    let containers = || peak(pod, |container| request(container, resource).unwrap_or(0));
    of_the_pod(pod, resource).unwrap_or_else(containers) + overhead(pod, resource)
}

fn usual(resource: &str) -> i128 {
    if resource == "cpu" { 100 } else { 200 * (1 << 20) * 1_000 }
}

/// What its containers request, where each that says nothing takes the usual.
fn assumed(pod: &Value, resource: &str) -> i128 {
    let of = |container: &Value| request(container, resource).unwrap_or(usual(resource));
    peak(pod, of) + overhead(pod, resource)
}

/// What scores take a placed pod for: a pod that requests something as a whole is taken at its
/// word, unless nobody in it speaks of the resource.
fn assumed_of_placed(pod: &Value, resource: &str) -> i128 {
    if pod["spec"]["resources"]["requests"].is_null() {
        return assumed(pod, resource);
    }
    let spec = &pod["spec"];
    let mut all = items(&spec["initContainers"]).chain(items(&spec["containers"]));
    let is_mentioned = of_the_pod(pod, resource).is_some()
        || overhead(pod, resource) > 0
        || all.any(|container| request(container, resource).is_some());
    if is_mentioned { requested(pod, resource) } else { assumed(pod, resource) }
}

/// Whether a node has too little even when it is empty.
pub fn is_too_small(pod: &Value, node: &Value) -> bool {
    resources(pod).iter().any(|resource| requested(pod, resource) > has(node, resource))
}

fn has(node: &Value, resource: &str) -> i128 {
    let status = &node["status"];
    let list = if status["allocatable"].is_null() { "capacity" } else { "allocatable" };
    milli(&status[list][resource])
}

/// All resources that a pod speaks of.
fn resources(pod: &Value) -> BTreeSet<String> {
    let spec = &pod["spec"];
    let whole = [spec].into_iter();
    let containers = items(&spec["initContainers"]).chain(items(&spec["containers"]));
    let lists = whole.chain(containers).flat_map(|of| {
        [of["resources"]["requests"].as_object(), of["resources"]["limits"].as_object()]
    });
    let names = lists.chain([spec["overhead"].as_object()]).flatten();
    names.flat_map(|list| list.keys().cloned()).collect()
}

/// NodeResourcesFit: more pods than there may be, or more of something than is left.
pub fn lacks_room(world: &World, pod: &Value, node: &Value) -> bool {
    let pods = (world.on(node).count() + world.nominations(pod, node)) as i128 * 1_000;
    let is_short = |resource: &String| {
        let asked = requested(pod, resource);
        let taken: i128 = world.on(node).map(|other| requested(other, resource)).sum();
        asked > 0 && asked > has(node, resource) - taken
    };
    pods + 1_000 > has(node, "pods") || resources(pod).iter().any(is_short)
}

/// LeastAllocated: the share of CPU and of memory that would be left, rounded down, on average.
pub fn least_allocated(world: &World, pod: &Value, feasible: &[&Value]) -> Vec<i64> {
    let score = |node: &&Value| {
        let known = ["cpu", "memory"].into_iter().filter(|resource| has(node, resource) > 0);
        let shares: Vec<i128> = known
            .map(|resource| {
                let taken: i128 = world.on(node).map(|p| assumed_of_placed(p, resource)).sum();
                let (has, all) = (has(node, resource), taken + assumed(pod, resource));
                if all > has { 0 } else { (has - all) * 100 / has }
            })
            .collect();
        (shares.iter().sum::<i128>() / shares.len().max(1) as i128) as i64
    };
    feasible.iter().map(score).collect()
}

/// The balance of a node is 100 less the deviation of its shares of CPU and memory; the score is 50,
/// more for a pod that improves it and less for one that spoils it.
pub fn balanced(world: &World, pod: &Value, feasible: &[&Value]) -> Vec<i64> {
    const BOTH: [&str; 2] = ["cpu", "memory"];
    if BOTH.iter().all(|resource| requested(pod, resource) == 0) {
        return vec![0; feasible.len()];
    }
    let unit = |resource: &str| if resource == "cpu" { 1 } else { 1_000 };
    let balance = |node: &Value, with: bool| {
        let shares: Vec<f64> = BOTH
            .into_iter()
            .filter(|resource| has(node, resource) > 0)
            .map(|resource| {
                let mut taken: i128 = world.on(node).map(|p| requested(p, resource)).sum();
                taken += if with { requested(pod, resource) } else { 0 };
                let unit = unit(resource);
                ((taken / unit) as f64 / (has(node, resource) / unit) as f64).min(1.0)
            })
            .collect();
        let deviation = if let [a, b] = shares[..] { ((a - b) / 2.0).abs() } else { 0.0 };
        ((1.0 - deviation) * 100.0) as i64
    };
    feasible.iter().map(|node| 50 + (50 + balance(node, true) - balance(node, false)) / 2).collect()
}
