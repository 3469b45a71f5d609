//! The scenarios that ship keep what they promise: their expectations hold for every seed, and
//! each expectation is missed when something is changed that should make it miss.
//!
//! The changes are the table of `scenarios/README.md`, so that what is written there is what is
//! tried here. The five scenarios with thousands of nodes or millions
//! of requests take minutes and are left to
//!
//! ```console
//! cargo test --release --test scenarios -- --ignored --nocapture
//! ```
//!
//! `STORMGLASS_SEEDS=1-3` takes these seeds, both included, instead of 1 to 20.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "all of this is test code")]

mod promises;

use promises::{Change, changes, missed, names, path_of, seeds};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Scenarios that a debug build runs in seconds.
const LIGHT: [&str; 43] = [
    "autoscaling/forecast",
    "autoscaling/in-place",
    "autoscaling/karpenter",
    "autoscaling/overprovisioning",
    "autoscaling/right-sizing",
    "autoscaling/spot-wave",
    "autoscaling/without-reserve",
    "booking/platform",
    "booking/tickets",
    "hello",
    "huawei/move",
    "incidents/autoscaler-inversion",
    "incidents/control-plane-overload",
    "incidents/drain-deadlock",
    "incidents/forgotten-secret",
    "incidents/gitops-prune",
    "incidents/dns-overload",
    "incidents/health-check-flapping",
    "incidents/no-new-nodes",
    "incidents/one-bad-node",
    "incidents/preemption-cascade",
    "incidents/reschedule-stampede",
    "incidents/retry-storm",
    "incidents/stuck-rollout",
    "incidents/volume-on-lost-node",
    "incidents/zone-power-loss",
    "networking/selector-typo",
    "networking/same-zone",
    "networking/sticky-sessions",
    "pokemon-go/planned-5x",
    "self-healing/api-server-outage",
    "self-healing/crash-loop",
    "self-healing/hung-container",
    "self-healing/memory-pressure",
    "self-healing/node-loss",
    "self-healing/overload-liveness",
    "self-healing/registry-outage",
    "self-healing/registry-slow",
    "scheduling/noisy-neighbour",
    "scheduling/packing",
    "self-healing/zone-outage",
    "traces/worldcup98",
    "traffic/balancing",
];
const HEAVY: [&str; 5] = [
    "pokemon-go/knee",
    "pokemon-go/launch-50x",
    "pokemon-go/launch-50x-raised-limit",
    "pokemon-go/opening-days",
    "pokemon-go/second-wave-3x",
];

/// Does all jobs on all cores and gathers what they complain of, in the order of the jobs.
fn all<T: Sync>(jobs: &[T], judge: impl Fn(&T) -> Option<String> + Sync) -> Vec<String> {
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(job) = jobs.get(index) else { return };
                    if let Some(complaint) = judge(job) {
                        wrong.lock().unwrap().insert(index, complaint);
                    }
                }
            });
        }
    });
    wrong.into_inner().unwrap().into_values().collect()
}

/// Every expectation of these scenarios holds for every seed.
fn hold(scenarios: &[&str]) {
    let seeds = seeds();
    let jobs: Vec<(&str, u64)> =
        scenarios.iter().flat_map(|name| seeds.iter().map(move |seed| (*name, *seed))).collect();
    let wrong = all(&jobs, |(name, seed)| {
        let missed = missed(name, *seed, &[]);
        println!("{name}, seed {seed}: {} missed", missed.len());
        (!missed.is_empty()).then(|| {
            let texts: Vec<String> = missed.into_values().collect();
            format!("{name} --seed {seed}: {}", texts.join("; "))
        })
    });
    assert!(wrong.is_empty(), "missed expectations:\n{}", wrong.join("\n"));
}

/// Every change of the table to these scenarios makes exactly the expectations miss that it names.
fn falsified(scenarios: &[&str]) {
    let asked = |change: &Change| scenarios.contains(&change.scenario.as_str());
    let jobs: Vec<Change> = changes().into_iter().filter(asked).collect();
    let wrong = all(&jobs, |change| {
        let found = missed(&change.scenario, 1, &change.set);
        let numbers: Vec<usize> = found.keys().copied().collect();
        println!("{} {:?}: misses {numbers:?}", change.scenario, change.set);
        (numbers != change.misses).then(|| {
            let texts: Vec<String> = found.iter().map(|(n, text)| format!("{n}: {text}")).collect();
            format!(
                "{} with {:?} ({}) should miss {:?} and misses\n  {}",
                change.scenario,
                change.set,
                change.because,
                change.misses,
                texts.join("\n  ")
            )
        })
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn light_scenarios_keep_their_promises() {
    hold(&LIGHT);
}

#[test]
fn light_scenarios_break_them_when_they_should() {
    falsified(&LIGHT);
}

#[test]
#[ignore = "minutes in a release build"]
fn heavy_scenarios_keep_their_promises() {
    hold(&HEAVY);
}

#[test]
#[ignore = "minutes in a release build"]
fn heavy_scenarios_break_them_when_they_should() {
    falsified(&HEAVY);
}

#[test]
fn every_scenario_is_held_and_teaches() {
    let shipped = names();
    let held: BTreeSet<String> = LIGHT.iter().chain(&HEAVY).map(|name| name.to_string()).collect();
    assert_eq!(shipped, held, "scenarios that ship, and those that are held");
    for name in shipped {
        let scenario = promises::load(&name, &[]);
        assert!(scenario.question.ends_with('?'), "{name} asks no question");
        let words = scenario.about.split_whitespace().count();
        assert!(words >= 40, "{name} tells in {words} words what it teaches");
        assert!(scenario.expect.len() >= 4, "{name} expects too little");
    }
}

#[test]
fn every_expectation_is_missed_by_some_change() {
    let changes = changes();
    for name in names() {
        let scenario = promises::load(&name, &[]);
        let tried: BTreeSet<usize> = changes
            .iter()
            .filter(|change| change.scenario == name)
            .flat_map(|change| change.misses.iter().copied())
            .collect();
        let all: BTreeSet<usize> = (1..=scenario.expect.len()).collect();
        assert_eq!(tried, all, "{name}: expectations that some change of the table misses");
    }
    for change in &changes {
        assert!(path_of(&change.scenario).exists(), "{} is no scenario", change.scenario);
        assert!(change.because.split(' ').count() > 3, "{:?} wants a sentence", change.set);
    }
}
