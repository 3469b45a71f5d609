//! Pods that are held back from being bound, in small worlds: a plugin for tests lets the pods of a
//! group wait for one another.

use super::run::{RunOptions, explain, run};
use super::tests::{Keep, deployment, scenario};
use crate::api::labels::Labels;
use crate::check::Stride;
use crate::scenario::curve::Curve;
use crate::scenario::model::Scenario;
use crate::units::{SimDuration, SimTime};
use serde_json::{Value, json};

const EVERY: RunOptions = RunOptions { checks: Stride::Events(1) };

/// A Deployment of one group on two nodes, with the group plugin of these arguments.
fn group(replicas: u32, settled: bool, args: Value) -> Scenario {
    let mut scenario = scenario(replicas, 2, Curve::Constant(1.0));
    scenario.duration = SimDuration::from_secs(200);
    scenario.cold_start = !settled;
    let mut web = deployment("web", replicas, 1000);
    web.template.labels = Labels::from([("app", "web"), ("group", "web")]);
    scenario.objects.deployments = vec![web];
    let given = json!([{
        "plugins": {"multiPoint": {"enabled": [{"name": "Group"}]}},
        "pluginConfig": [{"name": "Group", "args": args}],
    }]);
    scenario.flags.scheduler.profiles = serde_json::from_value(given).unwrap();
    scenario
}

fn group_of(replicas: u32, settled: bool, args: Value) -> Keep {
    let scenario = group(replicas, settled, args);
    let mut keep = Keep::default();
    run(&scenario, 1, EVERY, &mut keep, |_| {}).unwrap();
    keep
}

/// When each pod was bound.
fn bound(keep: &Keep) -> Vec<Option<SimTime>> {
    keep.pods.iter().map(|pod| pod.scheduled).collect()
}

#[test]
fn a_complete_group_is_bound_together() {
    let keep = group_of(3, false, json!({"size": 3}));
    let bound = bound(&keep);
    assert_eq!(bound.len(), 3);
    let times: Vec<SimTime> = bound.into_iter().flatten().collect();
    let (first, last) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    assert_eq!(times.len(), 3, "all of them");
    assert!(last.since(*first) < SimDuration::from_millis(100), "{times:?}");
    assert!(keep.pods.iter().all(|pod| pod.ready.is_some()));
}

#[test]
fn an_incomplete_group_holds_its_places_and_then_gives_them_up() {
    let keep = group_of(3, false, json!({"size": 4, "waitSeconds": 60}));
    assert_eq!(bound(&keep), [None, None, None]);
    let failed: Vec<_> = keep.events.iter().filter(|e| e.reason == "FailedScheduling").collect();
    let words = "0/1 nodes are available: 1 rejected due to timeout after waiting 1m0s at plugin \
                 Group.";
    assert_eq!(failed[0].message, words);
    assert_eq!(failed.len(), 3, "the first takes the others along");
    assert!(failed[1].message.ends_with("1 a member failed."), "{:?}", failed[1]);
    let after = failed[0].time.since(SimTime::ZERO);
    assert!(after > SimDuration::from_secs(60) && after < SimDuration::from_secs(65), "{after}");
}

#[test]
fn a_failed_binding_is_explained() {
    let scenario = group(1, false, json!({"size": 2, "waitSeconds": 60}));
    let mut keep = Keep::default();
    run(&scenario, 1, EVERY, &mut keep, |_| {}).unwrap();
    let pod = format!("default/{}", keep.pods[0].name);
    let mut keep = Keep::default();
    let (_, seen) = explain(&scenario, 1, &pod, &mut keep, |_| {}).unwrap();
    let seen = seen.unwrap();
    assert!(seen[0].node.is_some(), "it had found a node");
    assert!(seen[0].message.ends_with("after waiting 1m0s at plugin Group."), "{:?}", seen[0]);
}

#[test]
fn a_settled_start_knows_no_waiting_for_those_who_come() {
    let keep = group_of(3, true, json!({"size": 3}));
    assert_eq!(bound(&keep), [Some(SimTime::ZERO); 3]);
    let keep = group_of(3, true, json!({"size": 1, "settleSeconds": 20}));
    let late = |at: &Option<SimTime>| at.is_some_and(|at| at >= SimTime::from_secs(20));
    assert!(bound(&keep).iter().all(late), "time has to pass for those who work: {keep:?}");
}
