//! Nodes that are shut down on purpose, in small worlds.

use super::eviction::CRITICAL;
use crate::api::behavior::Behavior;
use crate::check::Stride;
use crate::record::rows::{EventRow, PodRow};
use crate::scenario::curve::Curve;
use crate::scenario::model::{Happening, NodeSelection, Scenario, TimelineEntry};
use crate::units::{SimDuration, SimTime};
use crate::world::tests::{Keep, deployment, scenario};
use crate::world::{RunOptions, run};
use std::sync::Arc;

const D: fn(u64) -> SimDuration = SimDuration::from_secs;

/// `web` and a critical `base`, whose pods take so many seconds to end, on one node that is shut
/// down after a minute, for four.
fn shut_down(grace: u64, critical: u64, web: u64, base: u64) -> Scenario {
    let mut scenario = scenario(1, 1, Curve::Constant(10.0));
    scenario.duration = D(600);
    scenario.objects.deployments.push(deployment("base", 1, 100));
    scenario.workloads.push(scenario.workloads[0].clone());
    for (index, (stop, priority)) in [(web, 0), (base, CRITICAL)].into_iter().enumerate() {
        let spec = Arc::make_mut(&mut scenario.objects.deployments[index].template.spec);
        spec.priority = priority;
        spec.behavior = Some(Box::new(Behavior { stop: Some(D(stop)), ..Behavior::default() }));
    }
    scenario.flags.kubelet.shutdown_grace_period = D(grace);
    scenario.flags.kubelet.shutdown_grace_period_critical_pods = D(critical);
    scenario.timeline = vec![TimelineEntry {
        at: SimTime::from_secs(60),
        until: Some(SimTime::from_secs(300)),
        what: Happening::NodeShutdown(NodeSelection { group: None, zone: None, count: None }),
    }];
    scenario
}

fn told(scenario: &Scenario) -> (Vec<EventRow>, Vec<PodRow>) {
    let mut keep = Keep::default();
    run(scenario, 1, RunOptions { checks: Stride::Events(1) }, &mut keep, |_| {}).unwrap();
    (keep.events, keep.pods)
}

/// When the pods of `name` were first told to stop; `NaN`: never.
fn stopped(events: &[EventRow], name: &str) -> f64 {
    let is_it = |e: &&EventRow| e.reason == "Killing" && e.name.starts_with(name);
    events.iter().find(is_it).map_or(f64::NAN, |e| e.time.as_secs_f64())
}

#[test]
fn critical_pods_are_ended_last_and_no_later_than_they_must() {
    // Grace periods, how long the pods take, and when each is told to stop.
    let rows = [
        ("the critical pod's turn is when the other has ended", (30, 10), (5, 5), (60.0, 65.0)),
        ("or when its time is over", (30, 10), (25, 5), (60.0, 80.0)),
        ("without time for itself it is ended at once then", (20, 0), (25, 5), (60.0, 80.0)),
    ];
    for (sentence, (grace, critical), (web, base), expected) in rows {
        let (events, _) = told(&shut_down(grace, critical, web, base));
        let found = (stopped(&events, "web"), stopped(&events, "base"));
        assert_eq!(found, expected, "{sentence}");
    }
}

#[test]
fn pods_of_a_node_that_is_shut_down_are_failed_and_come_back_with_it() {
    let (events, pods) = told(&shut_down(30, 10, 5, 5));
    let web: Vec<&PodRow> = pods.iter().filter(|pod| pod.name.starts_with("web")).collect();
    let failed = web.iter().filter(|pod| pod.phase == "Failed").count();
    assert_eq!((web.len(), failed), (2, 1), "{web:?}");
    assert!(web.iter().any(|pod| pod.ready.is_some_and(|at| at > SimTime::from_secs(300))));
    let of = |reason: &str| events.iter().find(|event| event.reason == reason);
    let not_ready = of("NodeNotReady").unwrap();
    assert_eq!(not_ready.time, SimTime::from_secs(60), "the kubelet says so at once");
    assert!(of("NodeReady").unwrap().time > SimTime::from_secs(300));
}

#[test]
fn without_a_grace_period_a_machine_that_is_shut_down_just_stops() {
    let (events, pods) = told(&shut_down(0, 0, 5, 5));
    assert!(stopped(&events, "web").is_nan(), "nobody is told to stop");
    assert!(pods.iter().all(|pod| pod.phase != "Failed"), "nothing has failed");
}
