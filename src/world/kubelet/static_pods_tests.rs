//! Static pods, and pods that name their node, in small worlds.

use crate::api::ObjectName;
use crate::api::behavior::Behavior;
use crate::api::labels::Labels;
use crate::api::object::{Object, Target};
use crate::api::pod::{Container, Pod, PodSpec};
use crate::api::resources::Resources;
use crate::api::taint::{TaintEffect, Toleration};
use crate::check::Stride;
use crate::record::rows::{EventRow, PodRow};
use crate::scenario::curve::Curve;
use crate::scenario::kubectl::Command;
use crate::scenario::model::{Component, Happening, NodeSelection, Scenario, TimelineEntry};
use crate::units::{Bytes, MilliCpu, SimDuration, SimTime};
use crate::world::tests::{Keep, scenario};
use crate::world::{RunOptions, run};
use std::sync::Arc;

const S: fn(u64) -> SimTime = SimTime::from_secs;
const D: fn(u64) -> SimDuration = SimDuration::from_secs;

/// A pod that requests so many milli-CPU.
fn pod(name: &str, cpu: i64, change: impl Fn(&mut PodSpec)) -> Pod {
    let mut spec = PodSpec {
        containers: vec![Container {
            name: name.into(),
            image: "agent:1".into(),
            requests: Resources::of(MilliCpu(cpu), Bytes::mebi(64)),
            ..Container::default()
        }],
        scheduler_name: "default-scheduler".into(),
        termination_grace: D(30),
        ..PodSpec::default()
    };
    change(&mut spec);
    let labels = Labels::from([("app", "web")]);
    Pod::pending("default".into(), name.into(), labels, Arc::new(spec), SimTime::ZERO)
}

/// As many `web` pods of one CPU and nodes of four, each with a static pod `agent` of one CPU.
fn with_agents(replicas: u32, nodes: u32, change: impl Fn(&mut PodSpec)) -> Scenario {
    let mut scenario = scenario(replicas, nodes, Curve::Constant(10.0));
    scenario.duration = D(900);
    scenario.node_groups[0].static_pods = vec![pod("agent", 1000, |spec| {
        spec.tolerations = vec![Toleration::of_all(TaintEffect::NoExecute)];
        spec.is_mirror = true;
        change(spec);
    })];
    scenario
}

fn at(seconds: u64, until: Option<u64>, what: Happening) -> TimelineEntry {
    TimelineEntry { at: S(seconds), until: until.map(S), what }
}

fn told(scenario: &Scenario) -> (Vec<PodRow>, Vec<EventRow>) {
    let mut keep = Keep::default();
    run(scenario, 1, RunOptions { checks: Stride::Events(1) }, &mut keep, |_| {}).unwrap();
    (keep.pods, keep.events)
}

/// The rows of pods whose names begin so, oldest first.
fn of<'a>(rows: &'a [PodRow], name: &str) -> Vec<&'a PodRow> {
    let mut found: Vec<_> = rows.iter().filter(|row| row.name.starts_with(name)).collect();
    found.sort_by_key(|row| row.uid);
    found
}

fn one_node() -> NodeSelection {
    NodeSelection { group: None, zone: None, count: Some(1) }
}

#[test]
fn each_node_has_its_static_pods_and_no_room_for_others_in_their_place() {
    let rows = [
        ("three of four CPUs are left on each of two nodes", 6, 6),
        ("what does not fit beside them waits", 7, 6),
    ];
    for (sentence, replicas, bound) in rows {
        for cold_start in [false, true] {
            let (pods, _) = told(&Scenario { cold_start, ..with_agents(replicas, 2, |_| {}) });
            let agents = of(&pods, "agent-pool-");
            let names: Vec<&str> = agents.iter().map(|row| &*row.name).collect();
            assert_eq!(names, ["agent-pool-0", "agent-pool-1"], "{sentence}");
            assert!(agents.iter().all(|row| row.ready.is_some() && row.gone.is_none()));
            let found = of(&pods, "web-").iter().filter(|row| row.node.is_some()).count();
            assert_eq!(found, bound, "{sentence}, cold: {cold_start}");
        }
    }
}

#[test]
fn static_pods_of_a_new_node_need_no_scheduler() {
    let mut scenario = with_agents(4, 1, |_| {});
    scenario.node_groups[0].max = 2;
    scenario.node_groups[0].autoscaled = true;
    scenario.flags.cluster_autoscaler = Some(Default::default());
    let what = Happening::ComponentCrash { component: Component::Scheduler };
    // The autoscaler has asked for the node by then, and it takes 40 s to come.
    scenario.timeline = vec![at(30, Some(800), what)];
    let (pods, _) = told(&scenario);
    let agent = of(&pods, "agent-pool-1")[0];
    assert!(agent.created >= S(40) && agent.ready.is_some_and(|at| at < S(200)), "{agent:?}");
    let waiting = of(&pods, "web-").iter().filter(|r| r.node.is_none()).count();
    assert!(
        of(&pods, "web-").iter().all(|r| r.scheduled.is_none_or(|at| at < S(30) || at > S(800)))
    );
    assert_eq!(waiting, 0, "the others have waited for a scheduler");
}

#[test]
fn a_mirror_that_is_deleted_is_made_anew_and_its_containers_notice_nothing() {
    for (sentence, grace) in
        [("gracefully", None), ("at once", Some(SimDuration::ZERO)), ("by a drain", Some(D(1)))]
    {
        let mut scenario = with_agents(1, 1, |_| {});
        let name = ObjectName::new("default", "agent-pool-0");
        let target = Target { kind: "Pod".into(), name };
        let command = match sentence {
            "by a drain" => Command::Drain { nodes: vec!["pool-0".into()] },
            _ => Command::Delete { target, propagation: Default::default(), grace },
        };
        scenario.timeline = vec![at(100, None, Happening::Kubectl(Box::new(command)))];
        let (pods, events) = told(&scenario);
        let agents = of(&pods, "agent");
        let killed = events.iter().any(|e| e.reason == "Killing" && e.name.starts_with("agent"));
        assert!(!killed, "{sentence}: it runs on");
        if sentence == "by a drain" {
            assert!(agents.len() == 1 && agents[0].deletion.is_none(), "drains pass it over");
            continue;
        }
        let [before, after] = agents[..] else { panic!("{sentence}: {agents:?}") };
        assert_eq!(before.name, after.name, "{sentence}");
        assert!(
            before.gone.is_some_and(|gone| gone == after.created && gone < S(101)),
            "{sentence}"
        );
        assert_eq!(
            (after.restarts, after.phase, after.end_reason),
            (0, "Running", ""),
            "{sentence}"
        );
        assert!(
            after.ready == Some(after.created) && after.gone.is_none(),
            "{sentence}: {after:?}"
        );
    }
}

#[test]
fn static_pods_need_no_api_server() {
    let mut scenario = with_agents(2, 1, |spec| {
        spec.behavior =
            Some(Box::new(Behavior { fail: Some(D(250)), exit_code: 1, ..Behavior::default() }));
    });
    let crash = at(220, Some(240), Happening::NodeCrash(one_node()));
    scenario.timeline = vec![at(200, Some(600), Happening::ApiServerOutage), crash];
    scenario.duration = D(700);
    let (pods, events) = told(&scenario);
    let agent = of(&pods, "agent")[0];
    // Once with the machine, at 240 s, and once by itself, 250 s later.
    assert_eq!(agent.restarts, 2, "{agent:?}");
    let started = |name: &str| {
        let is_it = |e: &&EventRow| e.reason == "Started" && e.name.starts_with(name);
        events.iter().filter(is_it).map(|e| e.time).collect::<Vec<_>>()
    };
    let web = started("web");
    assert!(
        !web.is_empty() && web.iter().all(|at| *at > S(600)),
        "who can tell it of them? {web:?}"
    );
}

#[test]
fn nobody_drives_a_static_pod_away() {
    let rows = [
        ("its node is silent for longer than others tolerate", Happening::NodeHang(one_node()), 0),
        ("its node dies and boots again", Happening::NodeCrash(one_node()), 1),
        ("its node is shut down with time to end it", Happening::NodeShutdown(one_node()), 0),
    ];
    for (sentence, what, restarts) in rows {
        let is_shutdown = matches!(what, Happening::NodeShutdown(_));
        let mut scenario = with_agents(2, 2, |_| {});
        scenario.flags.kubelet.shutdown_grace_period = D(30);
        scenario.timeline = vec![at(100, Some(700), what)];
        let (pods, _) = told(&scenario);
        let evicted = of(&pods, "web").iter().any(|row| row.end_reason == "TaintManager");
        assert_eq!(evicted, !is_shutdown, "{sentence}: others are");
        let agents = of(&pods, "agent");
        assert_eq!(agents.len(), 2 + usize::from(is_shutdown), "{sentence}: {agents:?}");
        let lasting: Vec<_> = agents.into_iter().filter(|row| row.gone.is_none()).collect();
        assert!(lasting.iter().all(|row| row.phase == "Running"), "{sentence}: {lasting:?}");
        let found = lasting.iter().map(|row| row.restarts).sum::<u32>();
        assert_eq!((lasting.len(), found), (2, restarts), "{sentence}");
    }
}

#[test]
fn a_kubelet_asks_of_pods_that_name_their_node_what_the_scheduler_would() {
    fn nothing(_: &mut PodSpec) {}
    fn selects(spec: &mut PodSpec) {
        spec.node_selector = Labels::from([("disk", "ssd")]);
    }
    type Row = (&'static str, &'static str, i64, fn(&mut PodSpec), (&'static str, &'static str));
    let rows: [Row; 5] = [
        ("one that fits runs", "pool-0", 1000, nothing, ("Running", "")),
        ("one that does not is failed", "pool-0", 3001, nothing, ("Failed", "OutOfcpu")),
        ("so is one that wants other nodes", "pool-0", 1, selects, ("Failed", "NodeAffinity")),
        ("one whose node is not there waits", "pool-7", 1, nothing, ("Pending", "")),
        (
            "one that mirrors nothing that we know is a static pod",
            "pool-0",
            1,
            |spec| {
                spec.is_mirror = true;
            },
            ("Running", ""),
        ),
    ];
    for (sentence, node, cpu, change, (phase, reason)) in rows {
        let mut scenario = scenario(1, 1, Curve::Constant(10.0));
        scenario.duration = D(30);
        let bare = pod("bare", cpu, |spec| {
            spec.node_name = Some(node.into());
            change(spec);
        });
        scenario.objects.applied.push(Object::Pod(Box::new(bare)));
        // No scheduler takes part.
        scenario.timeline =
            vec![at(0, None, Happening::ComponentCrash { component: Component::Scheduler })];
        let (pods, events) = told(&scenario);
        assert_eq!(of(&pods, "bare")[0].phase, phase, "{sentence}");
        let why =
            events.iter().find(|event| event.name.starts_with("bare") && event.reason == reason);
        assert_eq!(why.is_some(), !reason.is_empty(), "{sentence}");
        if reason == "OutOfcpu" {
            let message = "Node didn't have enough resource: cpu, requested: 3001, used: 1000, capacity: 4000";
            assert_eq!(why.map(|event| event.message.as_str()), Some(message));
        }
        scenario.duration = D(120);
        let gone = of(&told(&scenario).0, "bare")[0].gone;
        let is_stray = node == "pool-7";
        assert_eq!(
            gone.is_some(),
            is_stray,
            "{sentence}: the garbage collector's quarantine is over"
        );
    }
}
