//! The scheduler from outside: what it is told, what it answers, and when it wants to be asked.

use super::testing::{node, pod, spec};
use super::*;
use crate::api::pod::{PodPhase, PodSpec};
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
