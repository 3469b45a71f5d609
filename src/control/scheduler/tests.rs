//! The scheduler from outside: what it is told, what it answers, and when it wants to be asked.

use super::testing::{claim_volumes, node, pod, spec, spec_with, storage_object};
use super::*;
use crate::api::pod::{PodPhase, PodSpec};
use crate::sim::rng::{Stream, Streams};
use serde_json::{Value, json};
use slotmap::SlotMap;

struct World {
    scheduler: Scheduler,
    nodes: SlotMap<NodeId, Node>,
    pods: SlotMap<PodId, Pod>,
}

fn at(seconds: f64) -> SimTime {
    SimTime::ZERO + SimDuration::from_secs_f64(seconds)
}

impl World {
    fn new() -> World {
        let scheduler = Scheduler::new(&SchedulerConfiguration::default()).unwrap();
        World { scheduler, nodes: SlotMap::with_key(), pods: SlotMap::with_key() }
    }

    fn node(&mut self, name: &str, now: SimTime) -> NodeId {
        let id = self.nodes.insert(node(name));
        self.scheduler.add_node(id, Arc::new(self.nodes[id].clone()), now);
        id
    }

    fn pod(&mut self, name: &str, spec: PodSpec, now: SimTime) -> PodId {
        let id = self.pods.insert(pod(name, spec));
        self.scheduler.add_pod(id, &self.pods[id], now);
        id
    }

    fn storage(&mut self, kind: &str, given: Value, now: SimTime) {
        self.scheduler.set_storage(storage_object(kind, given), now);
    }

    /// The next cycle's answer to a pod that fits nowhere.
    fn rejection(&mut self, now: SimTime) -> String {
        match self.scheduler.schedule_one(now) {
            Some(Decision::Unschedulable { message, .. }) => message,
            other => panic!("{other:?} is no rejection"),
        }
    }

    fn bind(&mut self, id: PodId, node: NodeId, now: SimTime) {
        self.pods[id].node = Some(node);
        self.scheduler.update_pod(id, &self.pods[id], now);
    }

    /// Runs cycles while there are any; gives the pods and where they went.
    fn run(&mut self, now: SimTime) -> Vec<(PodId, Option<NodeId>)> {
        let mut out = Vec::new();
        while let Some(decision) = self.scheduler.schedule_one(now) {
            let node = match decision {
                Decision::Scheduled { node, .. } => Some(node),
                Decision::Unschedulable { .. } => None,
            };
            out.push((decision.pod(), node));
        }
        out
    }
}

#[test]
fn a_placed_pod_counts_before_it_is_bound() {
    let mut world = World::new();
    let n = world.node("n", at(0.0));
    let a = world.pod("a", spec(3000, 100), at(1.0));
    let b = world.pod("b", spec(3000, 100), at(2.0));
    assert_eq!(world.scheduler.next_wake(at(2.0)), at(2.0));
    assert_eq!(world.run(at(2.0)), [(a, Some(n)), (b, None)]);
    world.bind(a, n, at(2.1));
    assert_eq!(world.run(at(2.1)), [], "a bound pod frees nothing");
}

#[test]
fn priority_comes_first_then_who_waits_longer() {
    let mut world = World::new();
    let urgent = |priority| PodSpec { priority, ..spec(10, 10) };
    let a = world.pod("a", urgent(0), at(1.0));
    let b = world.pod("b", urgent(5), at(2.0));
    let c = world.pod("c", urgent(5), at(3.0));
    world.node("n", at(4.0));
    let order: Vec<PodId> = world.run(at(4.0)).into_iter().map(|(pod, _)| pod).collect();
    assert_eq!(order, [b, c, a]);
}

#[test]
fn a_rejected_pod_sleeps_until_something_may_help() {
    let mut world = World::new();
    let n = world.node("n", at(0.0));
    let big = world.pod("big", spec(3000, 100), at(0.0));
    world.run(at(0.0));
    world.bind(big, n, at(0.1));
    let b = world.pod("b", spec(3000, 100), at(1.0));
    assert_eq!(world.run(at(1.0)), [(b, None)]);
    let leftover = world.scheduler.next_wake(at(1.0));
    assert_eq!(leftover, at(330.0), "only the leftover flush is due: five minutes, then a tick");

    world.pods[big].base_mut().labels = Labels::from([("a", "b")]);
    world.scheduler.update_pod(big, &world.pods[big], at(20.0));
    assert_eq!(world.scheduler.next_wake(at(20.0)), at(330.0), "a label frees nothing");

    world.scheduler.remove_pod(big, at(30.5));
    assert_eq!(world.run(at(30.5)), [(b, Some(n))]);
    assert_eq!(world.scheduler.next_wake(at(31.0)), SimTime::NEVER);
}

#[test]
fn leftovers_are_tried_again_after_five_minutes() {
    let mut world = World::new();
    world.node("n", at(0.0));
    let b = world.pod("b", spec(9000, 100), at(0.0));
    assert_eq!(world.run(at(0.0)), [(b, None)]);
    assert_eq!(world.scheduler.next_wake(at(1.0)), at(330.0), "at 300 s it is not more than 5 min");
    assert_eq!(world.run(at(329.0)), []);
    assert_eq!(world.run(at(330.0)), [(b, None)]);
    assert_eq!(world.scheduler.next_wake(at(330.0)), at(660.0));
}

#[test]
fn back_off_doubles_but_an_idle_scheduler_does_not_wait_for_it() {
    let mut world = World::new();
    let b = world.pod("b", spec(10, 10), at(0.0));
    assert_eq!(world.run(at(0.0)), [(b, None)], "no nodes at all counts as an error");
    assert_eq!(world.scheduler.next_wake(at(0.0)), at(2.0), "one second, and its window's end");
    assert_eq!(world.run(at(1.9)), []);
    assert_eq!(world.run(at(2.0)), [(b, None)]);
    assert_eq!(world.scheduler.next_wake(at(2.0)), at(5.0));

    let n = world.node("n", at(3.0));
    assert_eq!(world.run(at(3.0)), [], "an error's back-off is waited for");
    assert_eq!(world.run(at(5.0)), [(b, Some(n))]);
}

#[test]
fn a_failed_binding_frees_the_place_and_comes_back() {
    let mut world = World::new();
    let n = world.node("n", at(0.0));
    let a = world.pod("a", spec(3000, 100), at(0.0));
    let b = world.pod("b", spec(3000, 100), at(0.5));
    assert_eq!(world.run(at(0.5)), [(a, Some(n)), (b, None)]);
    world.scheduler.binding_finished(a, false, at(0.6));
    assert_eq!(world.run(at(0.6)), [(b, Some(n))], "an idle scheduler tries b at once");
    assert_eq!(world.run(at(2.0)), [(a, None)]);
}

#[test]
fn gated_pods_wait_for_their_gates() {
    let mut world = World::new();
    let n = world.node("n", at(0.0));
    let gated = PodSpec { scheduling_gates: vec!["quota".into()], ..spec(10, 10) };
    let a = world.pod("a", gated, at(1.0));
    assert_eq!(world.scheduler.place_of(a), Some(Place::Unschedulable));
    assert_eq!(world.run(at(400.0)), [], "a flush does not open a gate");
    world.pods[a].base_mut().spec = Arc::new(spec(10, 10));
    world.scheduler.update_pod(a, &world.pods[a], at(500.0));
    assert_eq!(world.run(at(500.0)), [(a, Some(n))]);
}

#[test]
fn ended_pods_and_other_schedulers_pods_are_none_of_its_business() {
    let mut world = World::new();
    let n = world.node("n", at(0.0));
    let other = PodSpec { scheduler_name: "other".into(), ..spec(10, 10) };
    let o = world.pod("o", other, at(0.0));
    assert_eq!(world.scheduler.place_of(o), None);
    let a = world.pod("a", spec(3000, 100), at(0.0));
    world.run(at(0.0));
    world.bind(a, n, at(0.1));
    let b = world.pod("b", spec(3000, 100), at(0.2));
    assert_eq!(world.run(at(0.2)), [(b, None)]);
    world.pods[a].phase = PodPhase::Succeeded;
    world.scheduler.update_pod(a, &world.pods[a], at(9.0));
    assert_eq!(world.run(at(9.0)), [(b, Some(n))], "an ended pod's place is free");
}

fn claim(name: &str, volume: &str) -> Value {
    let annotations = json!({"pv.kubernetes.io/bind-completed": "yes"});
    let bound = json!({"name": name, "uid": name, "annotations": annotations});
    let free = json!({"name": name, "uid": name});
    let spec = json!({"storageClassName": "local", "volumeName": volume});
    json!({"metadata": if volume.is_empty() { free } else { bound }, "spec": spec})
}

fn local_volume() -> Value {
    let spec = json!({"storageClassName": "local", "capacity": {"storage": "1Gi"}});
    json!({"metadata": {"name": "pv"}, "spec": spec, "status": {"phase": "Available"}})
}

#[test]
fn a_pod_waits_for_its_claim_and_its_volume() {
    let mut world = World::new();
    let n = world.node("n", at(0.0));
    world.scheduler.tell_storage();
    let a = world.pod("a", spec_with(claim_volumes(&["data"])), at(0.0));
    let message = "0/1 nodes are available: persistentvolumeclaim \"data\" not found. not found";
    assert_eq!(world.rejection(at(0.0)), message);
    world.storage("PersistentVolumeClaim", claim("other", "pv"), at(2.0));
    assert_eq!(world.run(at(2.0)), [], "another's claim is no reason to try again");
    world.storage("PersistentVolumeClaim", claim("data", "pv"), at(3.0));
    let message = "0/1 nodes are available: persistentvolume \"pv\" not found. not found";
    assert_eq!(world.rejection(at(3.0)), message);
    world.storage("PersistentVolume", local_volume(), at(9.0));
    assert_eq!(world.run(at(9.0)), [(a, Some(n))]);
}

#[test]
fn as_long_as_nobody_tells_of_claims_all_are_bound() {
    let mut world = World::new();
    let n = world.node("n", at(0.0));
    let a = world.pod("a", spec_with(claim_volumes(&["data"])), at(0.0));
    assert_eq!(world.run(at(0.0)), [(a, Some(n))]);
    world.scheduler.tell_storage();
    let b = world.pod("b", spec_with(claim_volumes(&["data"])), at(1.0));
    assert_eq!(world.run(at(1.0)), [(b, None)], "from now on they are missing");
}

#[test]
fn a_failed_binding_gives_the_volume_back() {
    let mut world = World::new();
    let n = world.node("n", at(0.0));
    let class = json!({"metadata": {"name": "local"}, "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer"});
    world.storage("StorageClass", class, at(0.0));
    world.storage("PersistentVolume", local_volume(), at(0.0));
    for name in ["one", "two", "three"] {
        world.storage("PersistentVolumeClaim", claim(name, ""), at(0.0));
    }
    let of = |claim: &str| spec_with(claim_volumes(&[claim]));
    let a = world.pod("a", of("one"), at(0.0));
    let b = world.pod("b", of("two"), at(0.1));
    assert_eq!(world.run(at(0.2)), [(a, Some(n)), (b, None)], "there is one volume only");
    world.scheduler.binding_finished(a, false, at(0.3));
    let c = world.pod("c", of("three"), at(0.4));
    assert_eq!(world.run(at(0.4)), [(c, Some(n))], "c gets it; nothing has told b");
    world.scheduler.binding_finished(c, true, at(0.5));
    assert_eq!(world.run(at(2.0)), [(a, None)], "it stays c's");
    world.storage("PersistentVolume", local_volume(), at(9.0));
    let tried: Vec<_> = world.run(at(9.0)).into_iter().map(|(_, node)| node).collect();
    assert_eq!(tried, [Some(n), None], "unless the API says that it is free");
}

#[test]
fn pods_with_ephemeral_volumes_fail_each_in_its_own_name() {
    let mut world = World::new();
    world.node("n", at(0.0));
    world.scheduler.tell_storage();
    let volumes = json!([{"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}]);
    let spec = spec_with(volumes);
    for name in ["a", "b"] {
        world.pod(name, spec.clone(), at(0.0));
        let message = world.rejection(at(0.0));
        assert!(message.contains(&format!("persistentvolumeclaim \"{name}-v\"")), "{message}");
    }
}

#[test]
fn a_plugin_that_cant_tell_ends_the_cycle() {
    let mut world = World::new();
    let n = world.node("n", at(0.0));
    let drivers = json!([{"name": "d", "nodeID": "n", "allocatable": {"count": 1}}]);
    let csi_node = json!({"metadata": {"name": "n"}, "spec": {"drivers": drivers}});
    world.storage("CSINode", csi_node, at(0.0));
    let mut volume = local_volume();
    volume["spec"]["csi"] = json!({"driver": "d", "volumeHandle": "h"});
    world.storage("PersistentVolume", volume, at(0.0));
    world.storage("PersistentVolumeClaim", claim("data", "pv"), at(0.0));
    let volumes = json!([{"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}]);
    let other = world.pods.insert(Pod { node: Some(n), ..pod("other", spec_with(volumes)) });
    world.scheduler.add_pod(other, &world.pods[other], at(0.0));
    world.storage("PersistentVolumeClaim", claim("other-v", "pv"), at(0.0));

    let a = world.pod("a", spec_with(claim_volumes(&["data"])), at(0.0));
    let message = "running \"NodeVolumeLimits\" filter plugin: PVC default/other-v was not created \
                   for pod default/other (pod is not owner)";
    assert_eq!(world.rejection(at(0.0)), message);
    assert_eq!(world.scheduler.place_of(a), Some(Place::ErrorBackoff));
    world.scheduler.remove_pod(other, at(1.0));
    assert_eq!(world.run(at(2.0)), [(a, Some(n))]);
}

/// A race that its seed decides.
struct Race(Stream);

impl Interleaving for Race {
    fn begin(&mut self, cycle: u64) {
        self.0 = Streams::new(self.0.clone().next_u64()).stream("race", cycle);
    }

    fn below(&mut self, n: usize) -> usize {
        self.0.below(n as u64) as usize
    }
}

/// What the cycles of 40 equal pods find on 300 nodes, every third of them cordoned.
fn decided_by(parallelism: u32, seed: u64) -> Vec<Decision> {
    let configuration = SchedulerConfiguration { parallelism, ..Default::default() };
    let scheduler = Scheduler::new(&configuration).unwrap();
    let mut world = World { scheduler, nodes: SlotMap::with_key(), pods: SlotMap::with_key() };
    world.scheduler.set_interleaving(Box::new(Race(Streams::new(seed).stream("race", 0))));
    for number in 0..300 {
        let unschedulable = number % 3 == 0;
        let id = world.nodes.insert(Node { unschedulable, ..node(&format!("n{number}")) });
        world.scheduler.add_node(id, Arc::new(world.nodes[id].clone()), at(0.0));
    }
    let mut decisions = Vec::new();
    for number in 0..40 {
        world.pod(&format!("p{number}"), spec(100, 100), at(1.0));
        let start = world.scheduler.core().next_start();
        let decision = world.scheduler.schedule_one(at(1.0)).unwrap();
        let Decision::Scheduled { evaluated, feasible, .. } = &decision else {
            panic!("there is room: {decision:?}")
        };
        assert_eq!(*feasible, 144, "300 nodes less 52 per cent, of 200 that will do");
        assert!((144..=300).contains(evaluated), "{evaluated}");
        let next = world.scheduler.core().next_start();
        assert_eq!(next, (start + evaluated) % 300, "the next search starts behind them");
        decisions.push(decision);
    }
    decisions
}

#[test]
fn several_workers_race_as_their_seed_says_and_one_does_not() {
    assert_eq!(decided_by(16, 1), decided_by(16, 1), "the same seed");
    assert_ne!(decided_by(16, 1), decided_by(16, 2), "another seed");
    assert_ne!(decided_by(16, 1), decided_by(1, 1), "one worker goes through the list");
    assert_eq!(decided_by(1, 1), decided_by(1, 2), "nothing is drawn for one");
}

#[test]
fn a_narrowed_search_names_who_rejected_the_nominated_node_too() {
    let mut world = World::new();
    let n = world.node("n", at(0.0));
    world.node("other", at(0.0));
    let only_n = json!({"containers": [{"name": "c", "resources": {"requests": {"cpu": "3"}}}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
            {"nodeSelectorTerms": [{"matchFields":
                [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}]}}}});
    let given = serde_json::from_value(only_n).unwrap();
    let mut errors = Vec::new();
    let spec = crate::api::convert::pod::pod_spec(&given, "spec", &mut errors);
    assert!(errors.is_empty(), "{errors:?}");
    let full = world.pods.insert(Pod { node: Some(n), ..pod("full", spec.clone()) });
    world.scheduler.add_pod(full, &world.pods[full], at(0.0));
    let message = |nominated: Option<NodeId>, plugins: &str| {
        format!(
            "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't satisfy plugin(s) \
             [{plugins}]. preemption: 0/2 nodes are available: 1 No preemption victims found for \
             incoming pod, 1 Preemption is not helpful for scheduling. {nominated:?}"
        )
    };
    for (nominated, plugins) in [(None, "NodeAffinity"), (Some(n), "NodeAffinity NodeResourcesFit")]
    {
        let waiting = world.pods.insert(Pod { nominated, ..pod("waiting", spec.clone()) });
        world.scheduler.add_pod(waiting, &world.pods[waiting], at(0.0));
        let said = format!("{} {nominated:?}", world.rejection(at(0.0)));
        assert_eq!(said, message(nominated, plugins));
    }
}
