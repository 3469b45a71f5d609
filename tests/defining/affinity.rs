//! InterPodAffinity.

use super::{World, items, label, namespace, selects, text};
use serde_json::Value;

const REQUIRED: &str = "requiredDuringSchedulingIgnoredDuringExecution";
const PREFERRED: &str = "preferredDuringSchedulingIgnoredDuringExecution";

fn terms<'a>(pod: &'a Value, kind: &str) -> impl Iterator<Item = &'a Value> {
    items(&pod["spec"]["affinity"][kind][REQUIRED])
}

fn wishes<'a>(pod: &'a Value, kind: &str) -> impl Iterator<Item = (i64, &'a Value)> {
    let all = items(&pod["spec"]["affinity"][kind][PREFERRED]);
    all.map(|wish| (wish["weight"].as_i64().unwrap(), &wish["podAffinityTerm"]))
}

/// Whether a term of a pod speaks of another one.
fn speaks_of(world: &World, term: &Value, of: &Value, other: &Value) -> bool {
    let (names, selector) = (&term["namespaces"], &term["namespaceSelector"]);
    let its = namespace(other);
    let in_place = if names.is_null() && selector.is_null() {
        its == namespace(of)
    } else {
        items(names).any(|name| text(name) == its)
            || world.namespaces.get(&its).is_some_and(|known| selects(selector, known))
    };
    let keys = |field: &str, same: bool| {
        let own = items(&term[field]).map(text).filter(|key| label(of, key).is_some());
        let mut own = own.map(|key| (label(of, key) == label(other, key)) == same);
        own.all(|holds| holds)
    };
    in_place
        && selects(&term["labelSelector"], other)
        && keys("matchLabelKeys", true)
        && keys("mismatchLabelKeys", false)
}

/// Whether two nodes are one place for a term.
fn same_place(term: &Value, a: &Value, b: &Value) -> bool {
    let key = text(&term["topologyKey"]);
    label(a, key).is_some() && label(a, key) == label(b, key)
}

/// A required term of the pod, or of one that is there, does not hold.
pub fn is_violated(world: &World, pod: &Value, node: &Value) -> bool {
    let wanted =
        |other: &Value| terms(pod, "podAffinity").all(|term| speaks_of(world, term, pod, other));
    let near = |term: &Value| {
        world.placed().any(|(other, place)| wanted(other) && same_place(term, node, place))
    };
    let has_key = |term: &Value| label(node, text(&term["topologyKey"])).is_some();
    // The first of a kind that wants to be with its own.
    let is_known = |place: &Value| {
        terms(pod, "podAffinity").any(|t| label(place, text(&t["topologyKey"])).is_some())
    };
    let is_first =
        || wanted(pod) && !world.placed().any(|(other, place)| wanted(other) && is_known(place));
    let affinity =
        terms(pod, "podAffinity").all(near) || terms(pod, "podAffinity").all(has_key) && is_first();
    let repelled = terms(pod, "podAntiAffinity").any(|term| {
        world.placed().any(|(other, place)| {
            speaks_of(world, term, pod, other) && same_place(term, node, place)
        })
    });
    let unwelcome = world.placed().any(|(other, place)| {
        terms(other, "podAntiAffinity")
            .any(|term| speaks_of(world, term, other, pod) && same_place(term, node, place))
    });
    !affinity || repelled || unwelcome
}

/// Each preferred term adds its weight, or takes it away, for each pod in its place that it is
/// about: the pod's own terms, and those of pods that are there about the pod, whose required
/// affinity counts as 1.
pub fn scores(world: &World, pod: &Value, feasible: &[&Value]) -> Vec<i64> {
    let sum = |node: &&Value| {
        let mut sum = 0;
        for (other, place) in world.placed() {
            let mut heed = |term: &Value, weight: i64, of: &Value, about: &Value| {
                if speaks_of(world, term, of, about) && same_place(term, node, place) {
                    sum += weight;
                }
            };
            for (weight, term) in wishes(pod, "podAffinity") {
                heed(term, weight, pod, other);
            }
            for (weight, term) in wishes(pod, "podAntiAffinity") {
                heed(term, -weight, pod, other);
            }
            for (weight, term) in wishes(other, "podAffinity") {
                heed(term, weight, other, pod);
            }
            for (weight, term) in wishes(other, "podAntiAffinity") {
                heed(term, -weight, other, pod);
            }
            for term in terms(other, "podAffinity") {
                heed(term, 1, other, pod);
            }
        }
        sum
    };
    let sums: Vec<i64> = feasible.iter().map(sum).collect();
    let least = sums.iter().min().copied().unwrap_or(0);
    let range = sums.iter().max().copied().unwrap_or(0) - least;
    let score = |sum: &i64| match range {
        0 => 0,
        range => (100.0 * ((sum - least) as f64 / range as f64)) as i64,
    };
    sums.iter().map(score).collect()
}
