//! Nodes that run short, in small worlds.

use super::*;
use crate::check::{Checks, Stride};
use crate::record::Recorder;
use crate::scenario::curve::Curve;
use crate::scenario::model::Scenario;
use crate::sim::queue::EventQueue;
use crate::units::Bytes;
use crate::world::tests::{Keep, deployment, scenario};
use crate::world::{RunOptions, run};
use std::sync::Arc;

pub(super) const D: fn(u64) -> SimDuration = SimDuration::from_secs;
pub(super) const EVERY: RunOptions = RunOptions { checks: Stride::Events(1) };

/// A Deployment more, whose pods use so many MiB.
pub(super) fn add(
    scenario: &mut Scenario,
    name: &str,
    replicas: u32,
    request: i64,
    uses: i64,
    priority: i32,
) {
    let mut added = deployment(name, replicas, 100);
    let spec = Arc::make_mut(&mut added.template.spec);
    spec.containers[0].requests.memory = Bytes::mebi(request);
    spec.priority = priority;
    scenario.objects.deployments.push(added);
    let memory = Bytes::mebi(uses);
    scenario
        .workloads
        .push(crate::scenario::model::Workload { memory, ..scenario.workloads[0].clone() });
}

/// A Deployment's name, replicas, request and use in MiB, and priority.
type Other<'a> = (&'a str, u32, i64, i64, i32);

/// One node of 16 GiB with `web` on it, and others.
fn shared(others: &[Other<'_>]) -> Scenario {
    let mut scenario = scenario(1, 1, Curve::Constant(10.0));
    scenario.duration = D(200);
    for (name, replicas, request, uses, priority) in others {
        add(&mut scenario, name, *replicas, *request, *uses, *priority);
    }
    scenario
}

pub(super) fn events(scenario: &Scenario) -> Vec<(String, &'static str, String, f64)> {
    let mut keep = Keep::default();
    run(scenario, 1, EVERY, &mut keep, |_| {}).unwrap();
    let told = |e: crate::record::rows::EventRow| {
        (e.name.to_string(), e.reason, e.message, e.time.as_secs_f64())
    };
    keep.events.into_iter().map(told).collect()
}

#[test]
fn a_short_node_gives_up_the_right_pod_first() {
    #[rustfmt::skip]
    let rows: [(&str, &[Other<'_>], Option<&str>); 6] = [
        ("a node with enough evicts nobody", &[("hog", 1, 1000, 16_000, 0)], None),
        ("who is above its request goes", &[("fair", 1, 8200, 8100, 0), ("hog", 1, 4000, 8100, 9)], Some("hog")),
        ("of two greedy ones the less important", &[("low", 1, 4000, 8100, 1), ("high", 1, 4000, 8100, 9)], Some("low")),
        ("of equals the greedier", &[("some", 1, 6000, 8100, 0), ("more", 1, 5000, 8100, 0)], Some("more")),
        ("who requests what it uses stays, even beside one that hardly uses more",
            &[("fair", 1, 15_000, 15_000, 0), ("hog", 1, 1000, 1200, 0)], Some("hog")),
        ("a critical pod never goes", &[("base", 1, 4000, 8000, CRITICAL), ("hog", 1, 8000, 8200, 0)], Some("hog")),
    ];
    for (sentence, others, expected) in rows {
        let events = events(&shared(others));
        let evicted = events.iter().find(|(_, reason, ..)| *reason == "Evicted");
        let name = evicted.map(|(name, ..)| name.split('-').next().unwrap());
        assert_eq!(name, expected, "{sentence}: {evicted:?}");
        let killed = events.iter().any(|(_, reason, ..)| *reason == "OOMKilling");
        assert!(!killed, "{sentence}: the kernel does nothing");
    }
}

#[test]
fn an_eviction_is_told_as_upstream_tells_it() {
    let events = events(&shared(&[("hog", 1, 1000, 16_220, 0)]));
    let of = |wanted: &str| {
        let found = events.iter().find(|(_, reason, ..)| *reason == wanted);
        found.map(|(name, _, message, at)| (name.as_str(), message.as_str(), *at)).unwrap()
    };
    let (name, message, met) = of("EvictionThresholdMet");
    assert_eq!((name, message), ("pool-0", "Attempting to reclaim memory"));
    assert!((0.0..10.0).contains(&met), "at the first look: {met}");
    let (_, message, _) = of("Evicted");
    assert_eq!(
        message,
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 64Mi. \
         Container hog was using 16220Mi, request is 1000Mi, has larger consumption of memory. "
    );
    let (name, message, posted) = of("NodeHasInsufficientMemory");
    assert_eq!((name, message), ("pool-0", "Node pool-0 status is now: NodeHasInsufficientMemory"));
    assert!(posted > met && posted <= met + 10.0, "with the next status: {posted}");
}

#[test]
fn pressures_and_volumes_are_written_by_one_loop() {
    let scenario = shared(&[("hog", 1, 1000, 16_220, 0)]);
    let posted = events(&scenario).into_iter().find(|e| e.1 == "NodeHasInsufficientMemory");
    let posted = SimTime(posted.map(|(.., at)| SimDuration::from_secs_f64(at).0).unwrap());
    let mut keep = Keep::default();
    let (recorder, checks) = (Recorder::new(&mut keep), Checks::new(Stride::Off));
    let mut world = World::new(&scenario, 1, recorder, checks);
    world.start();
    world.store.begin_storage();
    let (node, name) =
        world.store.nodes().map(|(id, node)| (id, node.name.clone())).next().unwrap();
    world.status_may_change(node);
    assert!(world.kubelets.statuses.is_empty(), "there is nothing to write");
    world.store.set_volumes_in_use(&name, [crate::api::VolumeId::default()].into());
    world.status_may_change(node);
    let at = world.kubelets.statuses[&node];
    assert_eq!(at.0 % D(10).0, posted.0 % D(10).0, "{at:?} {posted:?}");
    world.now = at;
    world.on_node_step(node, NodeStep::Status);
    assert!(
        world.kubelets.statuses.is_empty() && !world.volumes_differ(node),
        "what was false is true"
    );
}

#[test]
fn what_is_evicted_stays_failed_and_is_replaced_where_there_is_no_pressure() {
    let mut scenario = shared(&[("hog", 1, 1000, 16_220, 0)]);
    scenario.node_groups[0].count = 2;
    scenario.objects.deployments[0].replicas = 2;
    let mut keep = Keep::default();
    run(&scenario, 1, EVERY, &mut keep, |_| {}).unwrap();
    let hogs: Vec<&crate::record::rows::PodRow> =
        keep.pods.iter().filter(|pod| pod.name.starts_with("hog")).collect();
    assert!(hogs.iter().any(|pod| pod.phase == "Failed" && pod.gone.is_none()), "{hogs:?}");
    let evicted = keep.events.iter().filter(|event| event.reason == "Evicted").count();
    let failed = hogs.iter().filter(|pod| pod.phase == "Failed").count();
    assert_eq!(evicted, failed, "each eviction leaves a failed pod behind");
}

#[test]
fn what_no_node_has_is_killed_by_the_kernel_at_once() {
    let events = events(&shared(&[("hog", 1, 1000, 16_500, 0)]));
    let killed = events.iter().find(|(_, reason, ..)| *reason == "OOMKilling").unwrap();
    assert!(killed.0.starts_with("hog") && killed.3 == 0.0, "{killed:?}");
}

#[test]
fn a_leak_is_found_at_the_next_look_or_by_the_kernel_if_it_is_too_fast_for_that() {
    // 16,284 MiB may be used, and `web` uses 100: there are 15,184 more until that, and 100 until
    // the kernel has nothing left.
    let rows = [
        ("at 5 MiB a second a look comes in time", 300, "Evicted", 3036.8, 3047.0),
        ("at 33 a second none does", 2000, "OOMKilling", 458.5, 458.6),
    ];
    for (sentence, growth, expected, from, until) in rows {
        let mut scenario = shared(&[("leaky", 1, 1000, 1000, 0)]);
        scenario.duration = D(3200);
        scenario.workloads[1].failings.memory_growth = Bytes::mebi(growth);
        let events = events(&scenario);
        let ends = |reason: &str| ["Evicted", "OOMKilling"].contains(&reason);
        let (name, reason, message, at) = events.iter().find(|e| ends(e.1)).unwrap();
        assert!(name.starts_with("leaky") && *reason == expected, "{sentence}: {message}");
        assert!((from..=until).contains(at), "{sentence}: at {at}");
    }
}

/// Runs a scenario event by event; after each, every node that is short has a look before it, or is
/// having a pod ended: the reference for which nodes are looked at.
fn no_short_node_is_overlooked(scenario: &Scenario) -> u64 {
    let mut keep = Keep::default();
    let (recorder, checks) = (Recorder::new(&mut keep), Checks::new(Stride::Off));
    let mut world = World::new(scenario, 3, recorder, checks);
    let mut pending = EventQueue::default();
    world.start();
    world.hand_over(&mut pending);
    let mut short = 0;
    while let Some(fired) = pending.pop() {
        if fired.time > SimTime::ZERO + scenario.duration {
            break;
        }
        world.handle(fired.time, fired.event).unwrap();
        world.hand_over(&mut pending);
        for node in world.nodes.keys().collect::<Vec<_>>() {
            let seen = world.observe_memory(node);
            let kept = world.evictions.most_of(Signal::Memory, seen.capacity);
            if seen.available >= kept || !world.nodes[node].alive {
                continue;
            }
            short += 1;
            let watched = world.evictions.nodes.get(&node);
            let looks = watched.is_some_and(|w| {
                !w.ends.is_empty()
                    || (w.planned >= world.now && w.planned <= world.now + MONITORING)
            });
            assert!(looks, "{:?}: {seen:?} {watched:?}", world.now);
        }
    }
    short
}

#[test]
fn nodes_that_are_short_are_found_whatever_made_them_so() {
    let ramp = Curve::Ramp {
        start: SimTime::ZERO,
        end: SimTime::from_secs(600),
        before: 1.0,
        after: 900.0,
    };
    let mut found = 0;
    for per_request in [0, 20, 60, 200] {
        let mut scenario = scenario(6, 4, ramp.clone());
        scenario.duration = D(900);
        scenario.workloads[0].memory_per_request = Bytes::mebi(per_request);
        scenario.workloads[0].wait = SimDuration::from_millis(200);
        scenario.workloads[0].concurrency = 200;
        add(&mut scenario, "hog", 5, 300, 6000, 0);
        add(&mut scenario, "idle", 9, 100, 90, 0);
        found += no_short_node_is_overlooked(&scenario);
    }
    assert!(found > 100, "nodes were short after {found} events");
}
