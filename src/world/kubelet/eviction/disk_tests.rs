//! Disks that get full, in small worlds.

use super::tests::{D, add, events};
use crate::scenario::curve::Curve;
use crate::scenario::eviction::Signal;
use crate::scenario::model::{DiskUse, Happening, Scenario, TimelineEntry};
use crate::units::{Bytes, SimTime};
use crate::world::tests::scenario;
use std::sync::Arc;

const GI: i64 = 1 << 30;

/// One node with a disk of 30 GiB, on which the image of each Deployment takes 9: `web`, and `old`,
/// which is scaled to nothing after a minute. `new` begins when `at` seconds have passed.
fn images(at: u64, seconds: u64) -> Scenario {
    let mut scenario = scenario(1, 1, Curve::Constant(1.0));
    scenario.duration = D(seconds);
    scenario.node_groups[0].machine.capacity.ephemeral_storage = Bytes(30 * GI);
    add(&mut scenario, "old", 1, 100, 50, 0);
    add(&mut scenario, "new", 0, 100, 50, 0);
    for workload in &mut scenario.workloads {
        workload.image_size = Bytes(3 * GI);
    }
    let scale = |at, deployment, replicas| TimelineEntry {
        at: SimTime::from_secs(at),
        until: None,
        what: Happening::Scale { deployment, replicas },
    };
    scenario.timeline = vec![scale(60, 1, 0), scale(at, 2, 1)];
    scenario
}

/// When `old` has to pull its image again if it comes back at `again`; `None`: it need not.
fn pulls_again(mut scenario: Scenario, again: u64) -> bool {
    scenario.timeline.push(TimelineEntry {
        at: SimTime::from_secs(again),
        until: None,
        what: Happening::Scale { deployment: 1, replicas: 1 },
    });
    events(&scenario)
        .iter()
        .any(|(name, reason, ..)| name.starts_with("old") && *reason == "Pulling")
}

#[test]
fn unused_images_go_when_the_disk_is_full() {
    let without_thresholds = |at: u64| {
        let mut scenario = images(at, 1500);
        scenario.flags.kubelet.eviction_hard.0.retain(|(signal, _)| *signal == Signal::Memory);
        scenario
    };
    // 27 of 30 GiB are there from 500 s on, when the third image has come.
    let rows = [
        ("before the collection all images are there", without_thresholds(400), 550, false),
        (
            "the next collection, each five minutes, deletes the one that nobody uses",
            without_thresholds(400),
            605,
            true,
        ),
        (
            "but not one that has just come",
            {
                let mut s = without_thresholds(400);
                s.flags.kubelet.image_minimum_gc_age = D(3600);
                s
            },
            605,
            false,
        ),
        (
            "nor at all with a threshold that is not reached",
            {
                let mut s = without_thresholds(400);
                s.flags.kubelet.image_gc_high_threshold_percent = 95;
                s
            },
            605,
            false,
        ),
        (
            "a look of the eviction manager is sooner, and deletes it too",
            images(400, 1500),
            550,
            true,
        ),
    ];
    for (sentence, scenario, again, expected) in rows {
        assert_eq!(pulls_again(scenario, again), expected, "{sentence}");
    }
}

#[test]
fn what_could_be_freed_evicts_nobody() {
    let events = events(&images(400, 1000));
    let told = |wanted: &str| events.iter().filter(|(_, reason, ..)| *reason == wanted).count();
    assert_eq!((told("EvictionThresholdMet"), told("Evicted")), (1, 0));
    assert_eq!(told("NodeHasDiskPressure"), 1);
    assert_eq!(told("FreeDiskSpaceFailed"), 0);
}

/// One node with 100 GiB, on which pods of `log` write a GiB each minute.
fn writers(limit: Option<i64>, seconds: u64) -> Scenario {
    let mut scenario = scenario(1, 1, Curve::Constant(1.0));
    scenario.duration = D(seconds);
    scenario.node_groups[0].machine.capacity.ephemeral_storage = Bytes(100 * GI);
    add(&mut scenario, "log", 1, 100, 50, 0);
    scenario.workloads[1].disk = DiskUse { base: Bytes(0), growth: Bytes(GI) };
    let spec = Arc::make_mut(&mut scenario.objects.deployments[1].template.spec);
    spec.containers[0].disk_limit = limit.map(Bytes);
    scenario
}

#[test]
fn who_writes_more_than_it_may_is_evicted_at_the_next_look() {
    let events = events(&writers(Some(5 * GI), 420));
    let evicted: Vec<_> = events.iter().filter(|(_, reason, ..)| *reason == "Evicted").collect();
    let [(name, _, message, at)] = evicted[..] else { panic!("{evicted:?}") };
    assert!(name.starts_with("log") && (300.0..=310.0).contains(at), "{name} at {at}");
    let expected = "Pod ephemeral local storage usage exceeds the total limit of containers 5Gi. ";
    assert_eq!(message, expected);
    let pressure = events.iter().any(|(_, reason, ..)| *reason == "NodeHasDiskPressure");
    assert!(!pressure, "its node has room enough");
}

#[test]
fn a_disk_that_pods_fill_up_evicts_who_writes() {
    let mut scenario = writers(None, 5400);
    // Of the pods that come after it none is taken by this node for a while.
    scenario.flags.kubelet.eviction_pressure_transition_period = D(3600);
    let events = events(&scenario);
    let of = |wanted: &str| {
        let found = events.iter().find(|(_, reason, ..)| *reason == wanted);
        found.map(|(name, _, message, at)| (name.as_str(), message.as_str(), *at))
    };
    let (name, message, at) = of("Evicted").unwrap();
    // Two images take 1.68 GiB, and 15 of 100 must be available: 83.32 may be written.
    assert!(name.starts_with("log") && (4999.0..5010.0).contains(&at), "{name} at {at}");
    assert!(
        message
            .starts_with("The node was low on resource: ephemeral-storage. Threshold quantity: "),
        "{message}"
    );
    assert!(message.contains("Container log was using "), "{message}");
}

#[test]
fn a_collection_that_frees_too_little_says_so() {
    let mut scenario = writers(None, 5500);
    scenario.flags.kubelet.eviction_hard.0.retain(|(signal, _)| *signal == Signal::Memory);
    let events = events(&scenario);
    let of = |wanted: &str| {
        let all = events.iter().filter(|(_, reason, ..)| *reason == wanted);
        all.map(|(_, _, message, at)| (message.as_str(), *at)).collect::<Vec<_>>()
    };
    // Two images take 1.7 GiB, and 85 are written by 5,100 s; collections are each five minutes.
    let failed = of("FreeDiskSpaceFailed");
    let times: Vec<f64> = failed.iter().map(|(_, at)| *at).collect();
    assert_eq!(times, [5100.0, 5400.0]);
    let told = "Insufficient free disk space on the node's image filesystem (87% of 100.0 GiB used). \
                Failed to free sufficient space by deleting unused images (freed 0 bytes). ";
    assert!(failed[0].0.starts_with(told), "{}", failed[0].0);
    let repeated: Vec<f64> = of("ImageGCFailed").iter().map(|(_, at)| *at).collect();
    assert_eq!(repeated, [5400.0], "the second time in a row is an Event of its own");
}
