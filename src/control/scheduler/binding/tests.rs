//! Binding cycles from outside: what holds a pod back, what lets it go, and what is undone when
//! something fails, each at its instant of virtual time.

use super::BindingStep;
use crate::api::labels::Labels;
use crate::api::node::Node;
use crate::api::pod::{Pod, PodSpec};
use crate::api::{NodeId, PodId};
use crate::control::scheduler::Scheduler;
use crate::control::scheduler::config::SchedulerConfiguration;
use crate::control::scheduler::decision::Decision;
use crate::control::scheduler::queue::Place;
use crate::control::scheduler::testing::{
    claim_volumes, node, pod, spec, spec_with, storage_object,
};
use crate::units::{SimDuration, SimTime};
use serde_json::{Value, json};
use slotmap::SlotMap;
use std::sync::Arc;

/// A scheduler, and an API server that does at once what it is asked for.
struct World {
    scheduler: Scheduler,
    nodes: SlotMap<NodeId, Node>,
    pods: SlotMap<PodId, Pod>,
}

fn at(seconds: f64) -> SimTime {
    SimTime::ZERO + SimDuration::from_secs_f64(seconds)
}

impl World {
    /// With the group plugin of these arguments, and one node with 4 cores.
    fn with_groups(args: Value) -> (World, NodeId) {
        let given = json!({"profiles": [{
            "schedulerName": "default-scheduler",
            "plugins": {"multiPoint": {"enabled": [{"name": "Group"}]}},
            "pluginConfig": [{"name": "Group", "args": args}],
        }]});
        World::new(&serde_json::from_value(given).unwrap())
    }

    fn new(configuration: &SchedulerConfiguration) -> (World, NodeId) {
        let scheduler = Scheduler::new(configuration).unwrap();
        let mut world = World { scheduler, nodes: SlotMap::with_key(), pods: SlotMap::with_key() };
        let node = world.node("n");
        (world, node)
    }

    fn node(&mut self, name: &str) -> NodeId {
        let id = self.nodes.insert(node(name));
        self.scheduler.add_node(id, Arc::new(self.nodes[id].clone()), at(0.0));
        id
    }

    fn pod(&mut self, labels: &[(&'static str, &'static str)], spec: PodSpec, now: f64) -> PodId {
        let mut new = pod("pod", spec);
        new.base_mut().labels =
            Labels::new(labels.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect());
        let id = self.pods.insert(new);
        self.scheduler.add_pod(id, &self.pods[id], at(now));
        id
    }

    /// A member of a group.
    fn member(&mut self, group: &'static str, now: f64) -> PodId {
        self.pod(&[("group", group)], spec(1000, 100), now)
    }

    fn storage(&mut self, kind: &str, given: Value, now: f64) {
        self.scheduler.set_storage(storage_object(kind, given), at(now));
    }

    /// Runs cycles while there are any: places pods, carries out what is asked for, and tells all
    /// that happens in short words, the pod by its number.
    fn run(&mut self, now: f64) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            while let Some(step) = self.scheduler.next_step(at(now)) {
                self.step(step, now, &mut told);
            }
            let Some(decision) = self.scheduler.schedule_one(at(now)) else { return told };
            self.decision(decision, now, &mut told);
        }
    }

    fn decision(&mut self, decision: Decision, now: f64, told: &mut Vec<String>) {
        match decision {
            Decision::Scheduled { pod, is_held: true, .. } => {
                told.push(format!("{} held", self.number(pod)));
            }
            Decision::Scheduled { pod, node, .. } => self.bind(pod, node, now, told),
            Decision::Unschedulable { pod, message, victims, .. } => {
                told.push(format!("{} failed: {message}", self.number(pod)));
                for victim in &victims {
                    let taken = self.scheduler.preempt_in_memory(*victim, at(now));
                    let how = if taken { "in memory" } else { "by the API" };
                    told.push(format!("{} preempted {how}", self.number(*victim)));
                }
                self.scheduler.preemption_finished(pod, at(now));
                if !victims.is_empty() {
                    self.scheduler.activate(pod, at(now));
                }
            }
        }
    }

    fn step(&mut self, step: BindingStep, now: f64, told: &mut Vec<String>) {
        match step {
            BindingStep::Nominate { pod, node, cycle } => {
                told.push(format!("{} expected", self.number(pod)));
                self.pods[pod].nominated = Some(node);
                self.scheduler.update_pod(pod, &self.pods[pod], at(now));
                self.scheduler.nomination_written(cycle, at(now));
            }
            BindingStep::Write { cycle, plugin, reservation } => {
                told.push(format!("wrote {:?}", reservation.provisions.len()));
                self.scheduler.pre_bind_written(cycle, plugin, Ok(()), at(now));
            }
            BindingStep::Bind { pod, node } => self.bind(pod, node, now, told),
            BindingStep::Failed(decision) => self.decision(decision, now, told),
            BindingStep::Free { .. } | BindingStep::Unreserve { .. } => {
                unreachable!("no pod here claims devices")
            }
        }
    }

    fn bind(&mut self, pod: PodId, node: NodeId, now: f64, told: &mut Vec<String>) {
        told.push(format!("{} bound", self.number(pod)));
        self.pods[pod].node = Some(node);
        self.scheduler.update_pod(pod, &self.pods[pod], at(now));
        self.scheduler.binding_finished(pod, true, at(now));
    }

    fn remove(&mut self, pod: PodId, now: f64) {
        self.pods.remove(pod);
        self.scheduler.remove_pod(pod, at(now));
    }

    /// Pods count from one, in the order in which they came.
    fn number(&self, pod: PodId) -> usize {
        self.pods.keys().position(|id| id == pod).map_or(0, |at| at + 1)
    }

    fn wake(&self, now: f64) -> SimTime {
        self.scheduler.next_wake(at(now))
    }

    fn place(&self, pod: PodId) -> Option<Place> {
        self.scheduler.place_of(pod)
    }
}

#[test]
fn a_group_waits_until_it_is_complete() {
    let (mut world, node) = World::with_groups(json!({}));
    let first = world.member("a", 0.0);
    world.member("a", 1.0);
    assert_eq!(world.run(1.0), ["1 held", "1 expected", "2 held", "2 expected"]);
    assert_eq!(world.place(first), Some(Place::InFlight));
    assert_eq!(world.pods[first].nominated, Some(node), "others are told where it will go");
    assert_eq!(world.wake(1.0), at(31.0), "both began to wait at 1 s");
    world.member("b", 2.0);
    assert_eq!(world.run(2.0), ["3 held", "3 expected"], "another group is none of its business");
    world.member("a", 5.0);
    assert_eq!(world.run(5.0), ["4 bound", "1 bound", "2 bound"]);
    assert_eq!(world.wake(5.0), at(32.0), "b waits on");
}

#[test]
fn who_waits_holds_its_place() {
    let (mut world, _) = World::with_groups(json!({"size": 2}));
    world.pod(&[("group", "a")], spec(3000, 100), 0.0);
    world.pod(&[], spec(3000, 100), 0.5);
    let told = world.run(0.5);
    assert_eq!(told[..2], ["1 held", "1 expected"]);
    assert!(
        told[2].starts_with("2 failed: 0/1 nodes are available: 1 Insufficient cpu."),
        "{told:?}"
    );
    let told = world.run(30.5);
    let words = "rejected due to timeout after waiting 30s at plugin Group";
    assert_eq!(told[0], format!("1 failed: 0/1 nodes are available: 1 {words}."));
    assert_eq!(told[1..], ["2 bound"], "its place is free");
}

#[test]
fn a_time_out_is_on_time_however_late_somebody_looks() {
    let (mut world, _) = World::with_groups(json!({"size": 2, "waitSeconds": 10}));
    let a = world.member("a", 0.0);
    world.run(0.0);
    // Nobody asks at 10 s; what is told at 12 s comes after the time-out.
    world.member("a", 12.0);
    assert_eq!(world.place(a), Some(Place::Unschedulable));
    let told = world.run(12.0);
    assert!(told[0].starts_with("1 failed"), "{told:?}");
    assert_eq!(told[1..], ["2 held", "2 expected"], "the first does not wait any more");
    assert_eq!(world.wake(12.0), at(22.0));
}

#[test]
fn a_plugin_may_wait_for_a_quarter_of_an_hour_at_most() {
    let (mut world, _) = World::with_groups(json!({"size": 2, "waitSeconds": 7200}));
    world.member("a", 0.0);
    world.run(0.0);
    assert_eq!(world.wake(0.0), at(900.0));
    let words = "rejected due to timeout after waiting 15m0s at plugin Group";
    assert_eq!(world.run(900.0), [format!("1 failed: 0/1 nodes are available: 1 {words}.")]);
}

#[test]
fn who_fails_takes_its_group_along() {
    let (mut world, _) = World::with_groups(json!({"size": 3}));
    let (a, b) = (world.member("a", 0.0), world.member("a", 1.0));
    world.run(1.0);
    world.pods[a].deletion = at(3.0).into();
    world.scheduler.update_pod(a, &world.pods[a], at(3.0));
    let words = |number, why| format!("{number} failed: 0/1 nodes are available: 1 {why}.");
    assert_eq!(world.run(3.0), [words(1, "removed"), words(2, "a member failed")]);
    assert_eq!(world.place(a), None, "it is on its way out");
    assert_eq!(world.place(b), Some(Place::Unschedulable));
}

#[test]
fn a_waiting_pod_that_is_gone_leaves_nothing() {
    let (mut world, _) = World::with_groups(json!({"size": 2}));
    let a = world.pod(&[("group", "a")], spec(3000, 100), 0.0);
    let b = world.pod(&[], spec(3000, 100), 0.5);
    world.run(0.5);
    world.remove(a, 4.0);
    assert_eq!(world.run(4.0), ["1 bound"], "the other has its place");
    assert!(!world.scheduler.holds_pods());
    assert_eq!(world.wake(5.0), SimTime::NEVER);
    assert!(world.pods[b].node.is_some());
}

#[test]
fn permit_rejects_at_once_or_cant_tell() {
    let (mut world, _) = World::with_groups(json!({}));
    let no = world.pod(&[("verdict", "reject")], spec(10, 10), 0.0);
    let error = world.pod(&[("verdict", "error")], spec(10, 10), 0.1);
    let told = world.run(0.1);
    let words = "1 failed: 0/1 nodes are available: 1 not today.";
    assert_eq!(told, [words, "2 failed: running Permit plugin \"Group\": no idea"]);
    assert_eq!(world.place(no), Some(Place::Unschedulable), "an event may help");
    assert_eq!(world.place(error), Some(Place::ErrorBackoff), "only time helps");
    let core = world.scheduler.core();
    assert_eq!(core.cache.lowest_priority(), None, "none of them is assumed anywhere");
}

#[test]
fn what_happens_while_a_pod_waits_is_not_lost_on_it() {
    let (mut world, node) = World::with_groups(json!({"size": 9, "waitSeconds": 10}));
    let a = world.member("a", 0.0);
    let b = world.member("b", 0.0);
    world.run(0.0);
    // Somebody binds a pod of group a: the plugin takes it for a reason to try its pods again.
    let other = world.member("a", 2.0);
    world.pods[other].node = Some(node);
    world.scheduler.update_pod(other, &world.pods[other], at(2.0));
    world.scheduler.next_step(at(10.0));
    assert_eq!(world.place(a), Some(Place::Backoff));
    assert_eq!(world.place(b), Some(Place::Unschedulable), "nothing has happened for it");
}

#[test]
fn who_has_been_bound_may_let_others_go() {
    let (mut world, _) = World::with_groups(json!({"size": 9}));
    world.member("workers", 0.0);
    world.run(0.0);
    world.pod(&[("starts", "workers")], spec(10, 10), 3.0);
    assert_eq!(world.run(3.0), ["2 bound", "1 bound"]);
}

#[test]
fn a_pod_that_waits_is_preempted_without_the_api_server() {
    let (mut world, _) = World::with_groups(json!({"size": 2}));
    let low = world.pod(&[("group", "a")], spec(3000, 100), 0.0);
    world.run(0.0);
    world.pod(&[], PodSpec { priority: 5, ..spec(3000, 100) }, 1.0);
    let told = world.run(1.0);
    assert!(told[0].starts_with("2 failed: 0/1 nodes are available: 1 Insufficient cpu."));
    let rest =
        ["1 preempted in memory", "1 failed: waiting on permit for pod: preempted", "2 bound"];
    assert_eq!(told[1..], rest);
    assert_eq!(
        world.place(low),
        Some(Place::ErrorBackoff),
        "it is no less schedulable than before"
    );
}

#[test]
fn who_is_deleted_while_it_is_being_bound_takes_its_group_along() {
    let (mut world, _) = World::with_groups(json!({}));
    world.member("a", 0.0);
    world.run(0.0);
    let labels = [("group", "a"), ("verdict", "allow")];
    let other = world.pod(&labels, spec(1000, 100), 1.0);
    let Some(Decision::Scheduled { is_held: false, .. }) = world.scheduler.schedule_one(at(1.0))
    else {
        panic!("nothing holds it back")
    };
    world.remove(other, 1.1);
    assert_eq!(world.run(1.1), ["1 failed: 0/1 nodes are available: 1 a member failed."]);
}

#[test]
fn an_assumed_pod_never_expires() {
    let (mut world, _) = World::new(&SchedulerConfiguration::default());
    let a = world.pod(&[], spec(3000, 100), 0.0);
    let Some(Decision::Scheduled { is_held: false, .. }) = world.scheduler.schedule_one(at(0.0))
    else {
        panic!("nothing holds it back")
    };
    // The binding is sent and nothing is heard of it for a month.
    let month = 30.0 * 86_400.0;
    world.pod(&[], spec(3000, 100), month);
    let told = world.run(month);
    assert!(told[0].starts_with("2 failed: 0/1 nodes are available: 1 Insufficient cpu."));
    assert!(world.scheduler.core().cache.is_assumed(a));
    world.scheduler.binding_finished(a, false, at(month + 1.0));
    assert_eq!(world.run(month + 1.0), ["2 bound"], "only its failure gives the place back");
}

#[test]
fn a_plugin_of_ones_own_may_work_before_the_binding() {
    let (mut world, _) = World::with_groups(json!({"size": 1, "settleSeconds": 7}));
    world.member("a", 0.0);
    assert_eq!(world.run(0.0), ["1 held", "1 expected"]);
    assert_eq!(world.wake(0.0), at(7.0));
    assert_eq!(world.run(6.9), Vec::<String>::new());
    assert_eq!(world.run(7.0), ["1 bound"]);
}

#[test]
fn plugins_stand_where_they_can() {
    let set = |point: &str, which: &str, name: &str| json!({point: {which: [{"name": name}]}});
    let rows = [
        ("permit", "enabled", "NodeName", "plugin \"NodeName\" does not extend Permit plugin"),
        ("preBind", "enabled", "NodeName", "plugin \"NodeName\" does not extend PreBind plugin"),
        ("postBind", "enabled", "Group", ""),
        ("bind", "enabled", "Group", "plugin \"Group\" does not extend Bind plugin"),
        ("bind", "disabled", "*", "at least one bind plugin is needed"),
        ("multiPoint", "disabled", "DefaultBinder", "at least one bind plugin is needed"),
        ("preBind", "disabled", "VolumeBinding", ""),
    ];
    for (point, which, name, words) in rows {
        let given = json!({"profiles": [{"plugins": set(point, which, name)}]});
        let configuration: SchedulerConfiguration = serde_json::from_value(given).unwrap();
        let error = Scheduler::new(&configuration).err().map(|error| error.message);
        assert_eq!(error.unwrap_or_default(), words, "{point} {which} {name}");
    }
}

// ---- volumes -------------------------------------------------------------------------------------

fn claim(annotations: Value, volume: &str) -> Value {
    let metadata = json!({"name": "data", "uid": "u", "annotations": annotations});
    json!({"metadata": metadata, "spec": {"storageClassName": "made", "volumeName": volume}})
}

/// What the provisioner and the volume controller write when they have done their work.
fn bound_claim() -> Value {
    let annotations = json!({"volume.kubernetes.io/selected-node": "n",
        "pv.kubernetes.io/bind-completed": "yes"});
    claim(annotations, "pv")
}

fn volume() -> Value {
    json!({"metadata": {"name": "pv"}, "spec": {"storageClassName": "made"}})
}

/// A pod whose claim's volume is to be made once it has its node.
fn with_claim(args: Value) -> (World, PodId) {
    let given = json!({"profiles": [{
        "pluginConfig": [{"name": "VolumeBinding", "args": args}],
    }]});
    let (mut world, _) = World::new(&serde_json::from_value(given).unwrap());
    let class = json!({"metadata": {"name": "made"}, "provisioner": "driver",
        "volumeBindingMode": "WaitForFirstConsumer"});
    world.storage("StorageClass", class, 0.0);
    world.storage("PersistentVolumeClaim", claim(json!({}), ""), 0.0);
    let pod = world.pod(&[], spec_with(claim_volumes(&["data"])), 0.0);
    assert_eq!(world.run(0.0), ["1 held", "1 expected", "wrote 1"]);
    (world, pod)
}

#[test]
fn a_pod_is_bound_when_its_claims_are() {
    let (mut world, _) = with_claim(json!({}));
    let selected = json!({"volume.kubernetes.io/selected-node": "n"});
    world.storage("PersistentVolumeClaim", claim(selected, ""), 0.2);
    assert_eq!(world.run(0.9), Vec::<String>::new());
    assert_eq!(world.wake(0.9), at(1.0), "it looks each second");
    assert_eq!(world.run(1.0), Vec::<String>::new());
    assert_eq!(world.wake(1.0), at(600.0), "nothing happens: no look finds anything else");
    world.storage("PersistentVolume", volume(), 41.3);
    world.storage("PersistentVolumeClaim", bound_claim(), 41.4);
    assert_eq!(world.wake(41.4), at(42.0));
    assert_eq!(world.run(41.9), Vec::<String>::new());
    assert_eq!(world.run(42.0), ["1 bound"]);
    assert!(!world.scheduler.holds_pods());
}

#[test]
fn volume_binding_gives_up() {
    let by_the_provisioner = |world: &mut World, _: PodId| {
        world.storage("PersistentVolumeClaim", claim(json!({}), ""), 3.5);
    };
    let by_the_node = |world: &mut World, _: PodId| {
        let node = world.nodes.keys().next().unwrap();
        world.scheduler.remove_node(node, at(3.5));
    };
    let by_the_claim = |world: &mut World, _: PodId| {
        let gone = storage_object("PersistentVolumeClaim", claim(json!({}), ""));
        world.scheduler.remove_storage(&gone, at(3.5));
    };
    let by_the_volume = |world: &mut World, _: PodId| {
        let terms = json!([{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]);
        let mut elsewhere = volume();
        elsewhere["spec"]["nodeAffinity"] = json!({"required": {"nodeSelectorTerms": terms}});
        world.storage("PersistentVolume", elsewhere, 3.4);
        world.storage("PersistentVolumeClaim", bound_claim(), 3.5);
    };
    let nobody = |_: &mut World, _: PodId| {};
    type Row = (&'static str, Value, fn(&mut World, PodId), f64, &'static str);
    let rows: [Row; 6] = [
        (
            "when the provisioner fails",
            json!({}),
            by_the_provisioner,
            4.0,
            "provisioning failed for PVC \"data\"",
        ),
        (
            "when the node is gone",
            json!({}),
            by_the_node,
            4.0,
            "failed to get node \"n\": node \"n\" not found",
        ),
        (
            "when the claim is gone",
            json!({}),
            by_the_claim,
            4.0,
            "failed to check provisioning pvc: persistentvolumeclaims \"default/data\" not found",
        ),
        (
            "when the volume is elsewhere",
            json!({}),
            by_the_volume,
            4.0,
            "pv \"pv\" node affinity doesn't match node \"n\": no matching NodeSelectorTerms",
        ),
        ("after ten minutes", json!({}), nobody, 600.0, "context deadline exceeded"),
        (
            "after its own time",
            json!({"bindTimeoutSeconds": 20}),
            nobody,
            20.0,
            "context deadline exceeded",
        ),
    ];
    for (sentence, args, happens, when, words) in rows {
        let (mut world, pod) = with_claim(args);
        happens(&mut world, pod);
        assert_eq!(world.run(when - 0.1), Vec::<String>::new(), "{sentence}");
        assert_eq!(world.wake(when - 0.1), at(when), "{sentence}");
        let Some(BindingStep::Failed(Decision::Unschedulable { message, .. })) =
            world.scheduler.next_step(at(when))
        else {
            panic!("{sentence}: it does not")
        };
        let words = format!("running PreBind plugin \"VolumeBinding\": binding volumes: {words}");
        assert_eq!(message, words, "{sentence}");
        assert_eq!(world.place(pod), Some(Place::ErrorBackoff), "{sentence}");
        let storage = world.scheduler.core().objects.storage.as_ref().unwrap();
        let name = crate::api::ObjectName::new("default", "data");
        assert!(!storage.is_claim_assumed(&name), "{sentence}: its claim is given back");
        assert_eq!(
            world.scheduler.core().cache.lowest_priority(),
            None,
            "{sentence}: its place too"
        );
    }
}

#[test]
fn a_refused_write_ends_the_binding() {
    let (mut world, pod) = with_claim(json!({}));
    world.remove(pod, 0.3);
    let again = world.pod(&[], spec_with(claim_volumes(&["data"])), 0.4);
    let Some(Decision::Scheduled { is_held: true, .. }) = world.scheduler.schedule_one(at(0.4))
    else {
        panic!("its claim is not bound")
    };
    let Some(BindingStep::Nominate { cycle, .. }) = world.scheduler.next_step(at(0.4)) else {
        panic!("it is told where the pod will go")
    };
    world.scheduler.nomination_written(cycle, at(0.4));
    let Some(BindingStep::Write { plugin, .. }) = world.scheduler.next_step(at(0.4)) else {
        panic!("then it writes")
    };
    world.scheduler.pre_bind_written(cycle, plugin, Err("conflict".into()), at(0.5));
    let told = world.run(0.5);
    assert_eq!(told[0], "1 failed: running PreBind plugin \"VolumeBinding\": conflict");
    assert_eq!(world.place(again), Some(Place::ErrorBackoff));
}

#[test]
fn a_pod_in_pre_bind_is_preempted_without_the_api_server() {
    let (mut world, pod) = with_claim(json!({}));
    assert!(world.scheduler.preempt_in_memory(pod, at(2.5)));
    let told = world.run(2.5);
    let words = "running PreBind plugin \"VolumeBinding\": preempted by DefaultPreemption";
    assert_eq!(told, [format!("1 failed: {words}")]);
    assert!(!world.scheduler.preempt_in_memory(pod, at(2.6)), "it is not on its way any more");
}

#[test]
fn a_deleted_pods_place_is_free_before_its_binding_ends() {
    let (mut world, pod) = with_claim(json!({}));
    world.remove(pod, 3.2);
    assert_eq!(world.scheduler.core().cache.lowest_priority(), None);
    assert!(world.scheduler.holds_pods(), "whoever waits for its claim finds out");
    assert_eq!(world.wake(3.2), at(4.0));
    assert_eq!(world.run(4.0), Vec::<String>::new(), "there is nobody to tell of it");
    assert!(!world.scheduler.holds_pods());
}
