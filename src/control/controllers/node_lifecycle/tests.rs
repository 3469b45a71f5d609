//! Node losses as recorded with real kube-controller-managers, and that lazy is the same as eager.

use super::*;
use crate::control::controllers::testing::{Bench, at, secs};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Kubelets that renew each 10 s, on a phase of their own, until they fall silent.
#[derive(Debug, Default)]
struct Kubelets {
    phase: BTreeMap<NodeId, u64>,
    silent: BTreeMap<NodeId, SimTime>,
}

impl Heartbeats for Kubelets {
    fn last_heartbeat(&self, node: NodeId, now: SimTime) -> SimTime {
        let until = self.silent.get(&node).copied().unwrap_or(now).min(now).whole_secs();
        let phase = self.phase.get(&node).copied().unwrap_or(0);
        at(until.saturating_sub(phase) / 10 * 10 + phase)
    }

    fn silent_since(&self, node: NodeId) -> Option<SimTime> {
        self.silent.get(&node).copied()
    }
}

/// A cluster and what has happened to its nodes.
struct Scene {
    bench: Bench,
    kubelets: Kubelets,
    controller: NodeLifecycle,
    nodes: Vec<NodeId>,
    start: SimTime,
    notified: bool,
    wake: SimTime,
    syncs: u32,
    /// Seconds since the start, and what was asked for.
    log: Vec<(u64, String)>,
}

impl Scene {
    /// Zones with so many nodes each; lease phases are spread over the ten seconds.
    fn new(zones: &[usize]) -> Scene {
        let mut bench = Bench::new();
        let mut kubelets = Kubelets::default();
        let mut nodes = Vec::new();
        for (zone, count) in zones.iter().enumerate() {
            for index in 0..*count {
                let name = format!("z{zone}-{index}");
                let id = bench.node(&name, &format!("z{zone}"));
                kubelets.phase.insert(id, (7 * nodes.len() as u64) % 10);
                nodes.push(id);
            }
        }
        let controller = NodeLifecycle::new(&ControllerManagerFlags::default());
        let start = bench.now;
        Scene {
            bench,
            kubelets,
            controller,
            nodes,
            start,
            notified: true,
            wake: start,
            syncs: 0,
            log: Vec::new(),
        }
    }

    fn stop(&mut self, node: usize) {
        let now = self.bench.now;
        self.kubelets.silent.entry(self.nodes[node]).or_insert(now);
        self.notified = true;
    }

    fn come_back(&mut self, node: usize) {
        let (id, now) = (self.nodes[node], self.bench.now);
        self.kubelets.silent.remove(&id);
        self.bench.store.update_node(id, |n| {
            (n.ready, n.ready_changed) = (NodeReady::True, now);
            true
        });
        self.notified = true;
    }

    fn second(&mut self, lazy: bool) {
        self.bench.now += secs(1);
        let now = self.bench.now;
        let due = self.wake <= now || std::mem::take(&mut self.notified);
        if lazy && !due {
            return;
        }
        self.syncs += 1;
        for (id, _) in self.bench.store.nodes() {
            self.controller.node_changed(id);
        }
        let outcome = self.controller.sync(&self.bench.store, &self.kubelets, now);
        self.wake = outcome.wake_at;
        let seconds = now.since(self.start).0 / 1_000_000_000;
        for action in outcome.batches.iter().flatten() {
            let node = |id: &NodeId| self.bench.store.node(*id).unwrap().name.to_string();
            let words = match action {
                Action::NodeUnknown { node: id } => format!("{} unknown", node(id)),
                Action::AddTaint { node: id, taint } => {
                    format!("{} +{}:{:?}", node(id), short(&taint.key), taint.effect)
                }
                Action::RemoveTaint { node: id, key, effect } => {
                    format!("{} -{}:{effect:?}", node(id), short(key))
                }
                Action::MarkPodNotReady { .. } => "pod not ready".to_string(),
                _ => continue,
            };
            self.log.push((seconds, words));
        }
        self.notified |= !outcome.batches.is_empty();
        self.bench.apply(&outcome);
    }

    fn run(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.second(true);
        }
    }

    /// When each node was given `+key:effect`, in order.
    fn times(&self, what: &str) -> Vec<u64> {
        self.log.iter().filter(|(_, words)| words.contains(what)).map(|(at, _)| *at).collect()
    }
}

fn short(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

#[test]
fn one_silent_node_is_found_and_tainted_both_ways() {
    let mut scene = Scene::new(&[4]);
    let set = scene.bench.replica_set("web", 2);
    let pod = scene.bench.ready_pod(set, scene.nodes[0]);
    scene.run(20);
    let idle = scene.syncs;
    scene.stop(0);
    scene.run(100);
    let found = scene.times("unknown")[0];
    assert!((20 + 40..=20 + 58).contains(&found), "recorded: 44 to 58 s later; {found}");
    assert_eq!(scene.times("+unreachable:NoSchedule"), [found], "by condition, at once");
    assert_eq!(scene.times("+unreachable:NoExecute"), [found], "the first one does not wait");
    assert!(!scene.bench.store.pod(pod).unwrap().ready);
    let told = scene.bench.told();
    assert!(told.contains(&"NodeNotReady: Node z0-0 status is now: NodeNotReady".to_string()));
    assert!(told.contains(&"!NodeNotReady: Node is not ready".to_string()));
    assert!(idle <= 3 && scene.syncs < 12, "{idle} and {} syncs", scene.syncs);
}

#[test]
fn the_next_nodes_of_a_zone_wait_ten_seconds_each() {
    let mut scene = Scene::new(&[20]);
    for node in 0..5 {
        scene.kubelets.phase.insert(scene.nodes[node], 0);
        scene.stop(node);
    }
    scene.run(150);
    let times = scene.times("+unreachable:NoExecute");
    let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(gaps, [10, 10, 10, 10], "recorded: 60.2 s and 70.3 s");
}

#[test]
fn a_node_that_returns_loses_its_taints_noschedule_first() {
    let mut scene = Scene::new(&[4]);
    scene.stop(0);
    scene.run(101);
    scene.come_back(0);
    scene.log.clear();
    scene.run(20);
    let schedule = scene.times("-unreachable:NoSchedule")[0];
    let execute = scene.times("-unreachable:NoExecute")[0];
    assert_eq!(schedule, 102, "at once");
    assert!(schedule <= execute && execute <= 105, "at the next check: {execute}");
    assert!(scene.bench.store.node(scene.nodes[0]).unwrap().taints.is_empty());
}

#[test]
fn disrupted_zones_evict_as_recorded() {
    let rows: [(&str, &[usize], usize, &[u64]); 4] = [
        ("small zone, 6 of 8 silent: what was tainted before stays, then nothing", &[8, 3], 6, &[]),
        ("large zone, 36 of 60 silent: one each 100 s", &[60, 3], 36, &[100, 100]),
        ("a whole zone beside a healthy one: the normal rate", &[4, 3], 4, &[10, 10, 10]),
        ("a large zone in order: the normal rate", &[60, 3], 5, &[10, 10, 10, 10]),
    ];
    for (sentence, zones, silent, expected) in rows {
        let mut scene = Scene::new(zones);
        for node in 0..silent {
            scene.kubelets.phase.insert(scene.nodes[node], 0);
        }
        scene.run(1);
        for node in 0..silent {
            scene.stop(node);
        }
        scene.run(320);
        let times = scene.times("+unreachable:NoExecute");
        let gaps: Vec<u64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let skip = usize::from(silent == 36 && gaps.first().is_some_and(|gap| *gap != 100));
        assert_eq!(&gaps[skip..], expected, "{sentence}: {times:?}");
    }
}

#[test]
fn with_all_zones_down_evictions_are_taken_back() {
    let mut scene = Scene::new(&[2, 2]);
    for (node, phase) in [(0, 0), (1, 5), (2, 5), (3, 5)] {
        scene.kubelets.phase.insert(scene.nodes[node], phase);
        scene.stop(node);
    }
    scene.run(200);
    let added = scene.times("+unreachable:NoExecute").len();
    assert_eq!(scene.times("-unreachable:NoExecute").len(), added, "{:?}", scene.log);
    let tainted = |scene: &Scene| {
        let nodes = scene.bench.store.nodes();
        nodes.filter(|(_, n)| n.has_taint(UNREACHABLE, TaintEffect::NoExecute)).count()
    };
    assert_eq!(tainted(&scene), 0, "the controller may be the one that is cut off");
    assert_eq!(scene.times("+unreachable:NoSchedule").len(), 4, "nothing new comes there though");
    scene.come_back(3);
    scene.run(60);
    assert_eq!(tainted(&scene), 3, "with one node back the rates return");
}

#[test]
fn a_new_node_is_not_ready_until_it_reports() {
    let mut scene = Scene::new(&[3]);
    scene.run(10);
    let id = scene.bench.node("late", "z0");
    let now = scene.bench.now;
    scene.bench.store.update_node(id, |n| {
        (n.ready, n.ready_changed) = (NodeReady::False, now);
        n.taints.push(Taint::new(NOT_READY, TaintEffect::NoSchedule, now));
        true
    });
    scene.nodes.push(id);
    scene.notified = true;
    scene.run(6);
    assert!(
        scene.bench.told().contains(
            &"RegisteredNode: Node late event: Registered Node late in Controller".into()
        )
    );
    assert_eq!(scene.times("late +not-ready:NoExecute").len(), 1);
    scene.stop(3);
    scene.run(70);
    assert_eq!(scene.times("late unknown").len(), 1);
    assert_eq!(scene.times("late -not-ready:NoExecute").len(), 1, "swapped, not queued");
    assert_eq!(scene.times("late +unreachable:NoExecute").len(), 1);
    scene.come_back(3);
    scene.run(10);
    assert!(scene.bench.store.node(id).unwrap().taints.is_empty());
}

#[test]
fn a_cordon_is_a_taint() {
    let mut scene = Scene::new(&[2]);
    scene.run(7);
    let node = scene.nodes[0];
    for (unschedulable, expected) in [(true, 1), (false, 0)] {
        scene.bench.store.update_node(node, |n| {
            n.unschedulable = unschedulable;
            true
        });
        scene.notified = true;
        scene.run(2);
        assert_eq!(scene.bench.store.node(node).unwrap().taints.len(), expected);
    }
}

#[test]
fn a_pressure_is_a_taint_while_the_kubelet_is_heard() {
    let mut scene = Scene::new(&[2]);
    scene.run(7);
    let node = scene.nodes[0];
    let rows = [
        ("short of memory", (true, false), vec![MEMORY_PRESSURE]),
        ("of both", (true, true), vec![MEMORY_PRESSURE, DISK_PRESSURE]),
        ("of the disk alone", (false, true), vec![DISK_PRESSURE]),
        ("of nothing any more", (false, false), vec![]),
    ];
    for (sentence, (memory, disk), expected) in rows {
        scene.bench.store.update_node(node, |n| {
            let mut pressures = n.pressures();
            (pressures.memory.is_on, pressures.disk.is_on) = (memory, disk);
            n.pressures = Some(Box::new(pressures));
            true
        });
        scene.notified = true;
        scene.run(2);
        let taints = scene.bench.store.node(node).unwrap().taints.clone();
        let keys: Vec<&str> = taints.iter().map(|taint| &*taint.key).collect();
        assert_eq!(keys, expected, "{sentence}");
    }
}

/// A run of stops and returns: seconds until it, the node, whether it stops.
fn story(lazy: bool, zones: &[usize], steps: &[(u64, usize, bool)]) -> (Vec<(u64, String)>, u32) {
    let mut scene = Scene::new(zones);
    let set = scene.bench.replica_set("web", 0);
    for index in 0..scene.nodes.len() {
        scene.bench.ready_pod(set, scene.nodes[index]);
    }
    for (seconds, node, stops) in steps {
        for _ in 0..*seconds {
            scene.second(lazy);
        }
        let node = node % scene.nodes.len();
        if *stops {
            scene.stop(node);
        } else if scene.kubelets.silent.contains_key(&scene.nodes[node]) {
            scene.come_back(node);
        }
    }
    for _ in 0..300 {
        scene.second(lazy);
    }
    (scene.log, scene.syncs)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 60,
        rng_seed: proptest::test_runner::RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn lazy_does_what_checking_every_period_does(
        zones in proptest::collection::vec(1usize..7, 1..4),
        steps in proptest::collection::vec((0u64..90, 0usize..20, any::<bool>()), 1..25),
    ) {
        let (eager, every) = story(false, &zones, &steps);
        let (lazy, some) = story(true, &zones, &steps);
        prop_assert_eq!(lazy, eager);
        prop_assert!(some < every);
    }
}
