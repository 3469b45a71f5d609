//! Every plugin against its definition: random clusters are scheduled by ours, and by a naive
//! reading of what Kubernetes documents for each plugin.
//!
//! The definitions (`defining/`) read manifests as JSON, know no part of the library, keep nothing
//! between two questions and walk through everything each time. Compared are, decision for
//! decision: which plugin rejects which node, the score that each plugin gives each feasible node,
//! and that the chosen node is one of the best. Claims of devices have a definition of their own
//! (`dynamic_resources::tests`).
//!
//! `STORMGLASS_DEFINITIONS=200 cargo test --release --test definitions` draws so many cases of each
//! family.

#![allow(clippy::unwrap_used, reason = "all of this is test code")]

mod defining;

use defining::{World, filters, fits, scorers};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use stormglass::conform::answer::Answer;
use stormglass::conform::case::Case;
use stormglass::conform::{Path, Version, generate, replay};

/// How often what happened, so that a test can tell that it tested something.
#[derive(Default, Debug)]
struct Seen {
    placed: usize,
    rejections: BTreeMap<String, usize>,
    /// Scores that are neither the least nor the most that a plugin gives.
    scores: BTreeMap<String, usize>,
    victims: usize,
    /// Preemptions in which several nodes were as good.
    choices: usize,
}

fn cases() -> u64 {
    let given = std::env::var("STORMGLASS_DEFINITIONS");
    given.ok().and_then(|cases| cases.parse().ok()).unwrap_or(12)
}

/// Plays a case and holds each decision against the definitions.
fn judge(family: &str, number: u64, seen: &mut Seen) {
    let text = generate::case(family, 7, number, Version::default()).unwrap();
    let case = Case::read(text.as_bytes()).unwrap();
    let mut answers = replay(&case, Path::Plain).unwrap().into_iter();
    let mut world = World::default();
    for (line, text) in text.lines().enumerate().skip(1) {
        let given: Value = serde_json::from_str(text).unwrap();
        let step = &given["step"];
        if step["op"] != "schedule" {
            world.heed(&given);
            continue;
        }
        let pod = &step["pod"];
        if world.runs(pod) {
            continue;
        }
        let answer = answers.next().unwrap();
        let place = format!("{family} {number}, line {}, {}", line + 1, answer.pod);
        compare(&world, pod, &answer, &place, seen);
        match &answer.node {
            Some(node) => world.bind(pod.clone(), node),
            None => {
                preempt(&world, pod, &answer, &place, seen);
                answer.victims.iter().for_each(|victim| world.evict(victim));
                world.nominate(pod, answer.nominated.as_ref());
            }
        }
    }
    assert_eq!(answers.next(), None, "{family} {number}");
}

fn compare(world: &World, pod: &Value, answer: &Answer, place: &str, seen: &mut Seen) {
    if defining::volumes::are_amiss(world, pod) {
        assert!(answer.node.is_none() && answer.rejected_by.is_none(), "{place}: {answer:?}");
        *seen.rejections.entry("amiss".to_owned()).or_default() += 1;
        return;
    }
    // A node that it is nominated to comes first.
    if let Some(node) = world.nominated_node(pod).filter(|node| fits(world, pod, node)) {
        let found = (answer.node.clone(), answer.evaluated, answer.feasible);
        assert_eq!(found, (Some(defining::name(node)), Some(1), Some(1)), "{place}");
        seen.placed += 1;
        return;
    }
    let (mut rejected, mut feasible) = (BTreeMap::new(), Vec::new());
    let named = defining::nodes::named(pod);
    for (name, node) in &world.nodes {
        if named.as_ref().is_some_and(|named| !named.contains(name)) {
            rejected.insert(name.clone(), String::new());
            continue;
        }
        match filters().iter().find(|(_, rejects)| rejects(world, pod, node)) {
            Some((plugin, _)) => {
                rejected.insert(name.clone(), (*plugin).to_owned());
                *seen.rejections.entry((*plugin).to_owned()).or_default() += 1;
            }
            None => feasible.push(node),
        }
    }
    if answer.node.is_some() {
        rejected.retain(|_, plugin| !plugin.is_empty());
    }
    // Large clusters tell no rejections.
    if world.nodes.len() <= 30 {
        assert_eq!(answer.rejected_by.clone().unwrap_or_default(), rejected, "{place}");
    }
    assert_eq!(answer.node.is_some(), !feasible.is_empty(), "{place}");
    let Some(chosen) = &answer.node else { return };
    seen.placed += 1;
    assert_eq!(answer.feasible, Some(feasible.len()), "{place}");
    let Some(told) = &answer.scores else {
        assert_eq!(*chosen, defining::name(feasible[0]), "{place}");
        return;
    };
    let mut totals: BTreeMap<String, i64> = BTreeMap::new();
    for (plugin, weight, score) in scorers() {
        let scores = score(world, pod, &feasible);
        for (node, score) in feasible.iter().zip(scores) {
            let name = defining::name(node);
            let ours = told[&name].get(plugin).copied().unwrap_or(0);
            assert_eq!(ours, weight * score, "{place}: {plugin} on {name}");
            *totals.entry(name).or_default() += weight * score;
            if score > 0 && score < 100 {
                *seen.scores.entry(plugin.to_owned()).or_default() += 1;
            }
        }
    }
    let best = totals.values().max().copied();
    let best: BTreeSet<&String> =
        totals.iter().filter(|(_, total)| Some(**total) == best).map(|(name, _)| name).collect();
    assert!(best.contains(chosen), "{place}: {chosen} is not one of {best:?}");
}

/// Who goes for a pod that found no node, and where.
fn preempt(world: &World, pod: &Value, answer: &Answer, place: &str, seen: &mut Seen) {
    if defining::volumes::are_amiss(world, pod) {
        return;
    }
    let best = defining::preemption::candidates(world, pod);
    assert_eq!(answer.nominated.is_some(), !best.is_empty(), "{place}: {best:?}");
    let Some(node) = &answer.nominated else { return };
    let victims: BTreeSet<String> = answer.victims.iter().cloned().collect();
    assert_eq!(best.get(node), Some(&victims), "{place}: {node} of {best:?}");
    seen.victims += victims.len();
    seen.choices += usize::from(best.len() > 1);
}

/// Runs a family; each of these plugins must have rejected and scored something.
fn family(name: &str, rejecting: &[&str], scoring: &[&str]) -> Seen {
    let mut seen = Seen::default();
    for number in 0..cases() {
        judge(name, number, &mut seen);
    }
    let enough = |of: &BTreeMap<String, usize>, plugin: &&str| of.get(*plugin) >= Some(&50);
    let all = rejecting.iter().all(|p| enough(&seen.rejections, p))
        && scoring.iter().all(|p| enough(&seen.scores, p));
    assert!(all && seen.placed >= 200, "too little to tell: {seen:?}");
    seen
}

const FIT: &str = "NodeResourcesFit";

#[test]
fn room_is_as_defined() {
    family("resources", &[FIT], &[FIT, "NodeResourcesBalancedAllocation"]);
}

#[test]
fn node_affinity_is_as_defined() {
    family("node-affinity", &["NodeAffinity", FIT], &["NodeAffinity"]);
}

#[test]
fn taints_are_as_defined() {
    let rejecting = ["TaintToleration", "NodeUnschedulable"];
    family("taints", &rejecting, &["TaintToleration"]);
}

#[test]
fn affinity_between_pods_is_as_defined() {
    family("pod-affinity", &["InterPodAffinity"], &["InterPodAffinity"]);
}

#[test]
fn spread_is_as_defined() {
    family("spread", &["PodTopologySpread"], &["PodTopologySpread"]);
}

#[test]
fn default_spread_is_as_defined() {
    family("default-spread", &[FIT], &["PodTopologySpread"]);
}

#[test]
fn ports_and_images_are_as_defined() {
    family("ports-images", &["NodePorts"], &["ImageLocality"]);
}

#[test]
fn features_of_nodes_are_as_defined() {
    family("node-features", &["NodeDeclaredFeatures"], &[]);
}

#[test]
fn volumes_are_as_defined() {
    let rejecting =
        ["VolumeBinding", "VolumeRestrictions", "VolumeZone", "NodeVolumeLimits", "amiss"];
    family("volumes", &rejecting, &["VolumeBinding"]);
}

#[test]
fn preemption_is_as_defined() {
    let seen = family("preemption", &[FIT], &[FIT]);
    let mixed = family("preemption-mix", &[FIT, "InterPodAffinity"], &["InterPodAffinity"]);
    assert!(seen.victims > 50 && mixed.victims > 50, "too little to tell: {seen:?} {mixed:?}");
}

#[test]
fn what_changes_is_as_defined() {
    family("churn", &[FIT, "PodTopologySpread"], &["PodTopologySpread"]);
}
