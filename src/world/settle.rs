//! A settled start: what the manifests declare has been running for a while when the clock starts.
//!
//! Without it every run would begin with an empty cluster that pulls images while users wait, and
//! the first minutes would tell about that instead of the scenario's question. The objects are made
//! by the same controllers and placed by the same scheduler as later; only the time that it took
//! is left out. `start: cold` in a scenario leaves this step out.

use super::controllers::Key;
use super::event::PodStep;
use super::schedule::Notice;
use super::world::World;
use crate::api::behavior::Behavior;
use crate::api::object::Object;
use crate::api::owner::Owner;
use crate::api::pod::{IndexFailures, Pod, PodPhase};
use crate::api::{DeploymentId, NodeId, ObjectName, OwnerId, PodId};
use crate::control::controllers::{Action, Outcome, deployment, disruption, replicaset};
use crate::control::scheduler::decision::Decision;

/// Whether an object has long been there at a settled start. Pods that end by themselves, never
/// come up or name their node begin when the clock starts, and so do Jobs and what limits others.
pub(super) fn is_settled(object: &Object) -> bool {
    let spec = match object {
        Object::Owner(Owner::Job(_)) => return false,
        Object::Owner(owner) => &owner.template().spec,
        Object::Pod(pod) => &pod.spec,
        Object::Ingress(_) => return true,
        _ => return false,
    };
    let lasts =
        |b: &Behavior| b.run.is_none() && b.fail.is_none() && !b.never_starts && !b.never_ready;
    spec.node_name.is_none() && spec.behavior.as_deref().is_none_or(lasts)
}

impl World<'_> {
    /// Brings all that controls pods for good to its wanted replicas, Ready where there is room.
    pub(super) fn settle_start(&mut self) {
        self.settle_static_pods();
        let others = self.apply_settled();
        self.raise_to_minimum();
        self.create_replica_sets_and_pods();
        others.iter().for_each(|id| self.create_pods_of(*id));
        self.place_pods(self.all_have_one_priority());
        self.settle_in_turn(&others);
        self.write_statuses(&others);
        self.settle_balancers();
        self.pass_over_changes();
        self.proxies_are_settled();
        self.names_are_settled();
    }

    /// Static pods run before anything else does.
    fn settle_static_pods(&mut self) {
        for node in self.store.nodes().map(|(id, _)| id).collect::<Vec<_>>() {
            for pod in self.make_mirrors(node) {
                self.waiting_pods(-1);
                self.start_at_once(pod);
            }
        }
        self.pass_over_changes();
    }

    /// All of this lies in the past: no watcher is told of it.
    pub(super) fn pass_over_changes(&mut self) {
        for change in self.store.take_changes() {
            self.log_change(&change);
        }
    }

    /// An autoscaler has long since brought its target to its minReplicas.
    fn raise_to_minimum(&mut self) {
        for (_, hpa) in self.store.hpas().map(|(id, h)| (id, h.clone())).collect::<Vec<_>>() {
            let Some(current) = self.store.scale_of(hpa.target).map(|scale| scale.replicas) else {
                continue;
            };
            let wanted = current.clamp(hpa.min_replicas, hpa.max_replicas);
            self.store.set_scale(hpa.target, wanted);
        }
    }

    /// Applies what has long been there beside Deployments; gives what of it controls pods.
    fn apply_settled(&mut self) -> Vec<OwnerId> {
        let scenario = self.scenario;
        let mut owners = Vec::new();
        for object in scenario.objects.applied.iter().filter(|object| is_settled(object)) {
            if let Err(refusal) = self.apply_object(object, false) {
                self.tell_refusal(&refusal);
            } else if let Object::Owner(owner) = object {
                let name = ObjectName::new(owner.namespace(), owner.name());
                owners.extend(self.owner_named(owner.kind(), &name));
            }
        }
        owners
    }

    /// Syncs an owner until it has nothing more to do.
    fn create_pods_of(&mut self, owner: OwnerId) {
        let Some(key) = self.store.owner(owner).map(|found| Key::of_owner(owner, found)) else {
            return;
        };
        let mut before = None;
        while before != Some(self.store.resource_version()) {
            before = Some(self.store.resource_version());
            let outcome = self.sync(key);
            self.apply_quietly(key, outcome);
            self.pass_over_changes();
        }
    }

    /// Pods that wait for those before them: places each round before the next.
    fn settle_in_turn(&mut self, sets: &[OwnerId]) {
        loop {
            let known = self.store.next_pod_uid() - 1;
            sets.iter().for_each(|id| self.create_pods_of(*id));
            if self.store.next_pod_uid() - 1 == known {
                return;
            }
            self.place(known, true);
        }
    }

    /// The Deployments that do not come later.
    fn deployments_there(&self) -> Vec<DeploymentId> {
        self.deployments[..self.scenario.objects.present().len()].to_vec()
    }

    fn create_replica_sets_and_pods(&mut self) {
        for id in self.deployments_there() {
            let key = Key::Deployment(id);
            let outcome = deployment::sync(id, &self.store, self.now);
            self.apply_quietly(key, outcome);
            self.pass_over_changes();
            for set in self.store.replica_sets_of(id).to_vec() {
                // A sync creates at most a burst; an unchanged number of pods is the end of it.
                let mut before = usize::MAX;
                while self.store.pods_of(set).len() != before {
                    before = self.store.pods_of(set).len();
                    let outcome = replicaset::sync(set, &self.store, self.now);
                    self.apply_quietly(Key::ReplicaSet(set), outcome);
                    self.pass_over_changes();
                }
                if self.store.replica_set(set).is_some_and(|s| before < s.replicas as usize) {
                    // Refused, as by a quota: tried again when the clock starts.
                    self.enqueue(Key::ReplicaSet(set), self.now);
                }
            }
            if self.store.replica_sets_of(id).is_empty() {
                self.enqueue(key, self.now);
            }
        }
    }

    pub(super) fn apply_quietly(&mut self, key: Key, outcome: Outcome) {
        for action in outcome.batches.into_iter().flatten() {
            match action {
                Action::Event { .. } => {}
                Action::CreatePod { owner } => _ = self.create_pod(owner),
                Action::CreatePodAs { owner, pod } => {
                    self.make_pod(owner, *pod, IndexFailures::default());
                }
                other => _ = self.apply(key, other),
            }
        }
        if let Some(rest) = outcome.rest {
            let outcome = rest(&self.store, None, self.now);
            self.apply_quietly(key, outcome);
        }
    }

    /// Runs the scheduler until nobody waits, and starts what it placed. It is told of the pods one
    /// by one, as long as all fit, or of all of them first.
    fn place_pods(&mut self, one_by_one: bool) {
        self.settle_devices();
        for id in self.store.nodes().map(|(id, _)| id).collect::<Vec<_>>() {
            self.tell_scheduler(Notice::Node(id));
        }
        for id in self.store.replica_sets().map(|(id, _)| id).collect::<Vec<_>>() {
            self.tell_scheduler(Notice::ReplicaSet(id));
        }
        for id in self.store.pdbs().map(|(id, _)| id).collect::<Vec<_>>() {
            self.tell_scheduler(Notice::Budget(id));
        }
        self.place(0, one_by_one);
    }

    /// Places the pods with uids above `known`, daemons first, in order of their creation.
    fn place(&mut self, known: u64, mut one_by_one: bool) {
        self.settle_storage();
        let mut pods = Vec::with_capacity(self.store.pod_count());
        pods.extend(self.store.pods().filter(|(_, pod)| pod.uid > known).map(|(id, _)| id));
        // Nodes have had their daemons since they joined.
        let is_daemons = |owner| self.store.daemon_set(owner).is_some();
        let is_first = |p: &Pod| p.spec.is_mirror || p.owner.is_some_and(is_daemons);
        let order = |pod: &Pod| (!is_first(pod), pod.uid);
        pods.sort_by_key(|id| self.store.pod(*id).map(order));
        self.scheduler.expect_pods(pods.len());
        let mut pods = pods.into_iter();
        while !pods.as_slice().is_empty() {
            let batch = if one_by_one { 1 } else { usize::MAX };
            pods.by_ref().take(batch).for_each(|id| self.tell_scheduler_of_new(id));
            while let Some(decision) = self.scheduler.decide(self.now) {
                self.note_attempt(&decision);
                one_by_one &= matches!(decision, Decision::Scheduled { .. });
                self.carry_out_at_once(decision);
                if self.scheduler.scheduler.holds_pods() {
                    self.carry_on_bindings_at_once();
                }
                if !one_by_one {
                    pods.by_ref().for_each(|id| self.tell_scheduler_of_new(id));
                }
            }
        }
        self.scheduler.expect_pods(0);
    }

    /// A pod has been there for long: its claims have been made.
    fn tell_scheduler_of_new(&mut self, pod: PodId) {
        self.tell_scheduler(Notice::Pod(pod));
        self.settle_claims(pod);
    }

    /// Whether the scheduler takes the pods in the order of their creation, as long as all fit:
    /// then it need not be told of all before it decides on the first, and the queue stays short.
    fn all_have_one_priority(&self) -> bool {
        let mut priorities = self.store.pods().map(|(_, pod)| pod.spec.priority);
        let first = priorities.next();
        priorities.all(|priority| Some(priority) == first)
    }

    pub(super) fn carry_out_at_once(&mut self, decision: Decision) {
        match decision {
            Decision::Scheduled { is_held: true, .. } => {}
            Decision::Scheduled { pod, node, .. } => self.bind_at_once(pod, node),
            Decision::Unschedulable { pod, .. } => {
                self.store.update_pod(pod, |p| {
                    p.unschedulable = true;
                    true
                });
            }
        }
        self.pass_over_changes();
    }

    /// A pod is bound and runs.
    pub(super) fn bind_at_once(&mut self, pod: PodId, node: NodeId) {
        self.store.bind_pod(pod, node, self.now);
        self.waiting_pods(-1);
        self.tell_scheduler(Notice::Pod(pod));
        self.start_at_once(pod);
    }

    fn start_at_once(&mut self, id: PodId) {
        let now = self.now;
        let Some(node) = self.store.pod(id).and_then(|p| p.node) else { return };
        self.pod_shares_cores(id);
        let runs = !self.lacks_config(id);
        let cpu = self.store.pod(id).map(|p| self.requested_cpu(p));
        let Some(state) = self.pods.get(id) else { return };
        if let (Some(workload), Some(cpu)) = (state.workload(), cpu) {
            let image = state.image;
            self.cpu_requested[workload] += cpu;
            let count = self.store.pods_on(node).len() as u32;
            if let Some(state) = self.nodes.get_mut(node) {
                if runs {
                    state.images.add(image);
                }
                state.pods_peak = state.pods_peak.max(count);
            }
        }
        if !runs {
            // It waits for what is missing, and so has never been running.
            self.plan_pod(now, id, PodStep::Seen);
            return;
        }
        self.store.update_pod(id, |p| {
            (p.phase, p.started, p.ready, p.ready_changed) = (PodPhase::Running, now, true, now);
            true
        });
        if self.store.has_storage() {
            self.mount_at_once(id);
        }
        let Some(state) = self.pods.get_mut(id) else { return };
        state.start(now);
        state.first_ready = now;
        let (workload, image) = (state.workload(), state.image);
        self.network.set_alive(now, id, true);
        if let Some(workload) = workload {
            self.image_comes(node, image, workload);
        }
        self.begin_behavior(id, true);
    }

    /// Statuses, endpoints and budgets as the controllers have long since written them.
    fn write_statuses(&mut self, others: &[OwnerId]) {
        for id in others {
            let Some(key) = self.store.owner(*id).map(|found| Key::of_owner(*id, found)) else {
                continue;
            };
            let outcome = self.sync(key);
            self.apply_quietly(key, outcome);
            // What could not be settled goes on when the clock starts.
            self.enqueue(key, self.now);
        }
        for set in self.store.replica_sets().map(|(id, _)| id).collect::<Vec<_>>() {
            let outcome = replicaset::sync(set, &self.store, self.now);
            self.apply_quietly(Key::ReplicaSet(set), outcome);
        }
        for id in self.deployments_there() {
            let outcome = deployment::sync(id, &self.store, self.now);
            self.apply_quietly(Key::Deployment(id), outcome);
        }
        for id in self.store.services().map(|(id, _)| id).collect::<Vec<_>>() {
            let outcome = self.sync(Key::EndpointSlice(id));
            self.apply_quietly(Key::EndpointSlice(id), outcome);
        }
        for id in self.store.pdbs().map(|(id, _)| id).collect::<Vec<_>>() {
            let outcome = disruption::sync(id, &self.store);
            self.apply_quietly(Key::Disruption(id), outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Keep, deployment, scenario};
    use super::*;
    use crate::check::{Checks, Stride};
    use crate::record::Recorder;
    use crate::scenario::curve::Curve;
    use crate::units::SimTime;

    /// By uid: the node of each pod of a settled start; and the pods that are tried again when some
    /// room becomes free, in order, with whether they found it.
    type Placed = (Vec<(u64, Option<String>)>, Vec<(u64, bool)>);

    fn placed(nodes: u32, one_by_one: bool) -> Placed {
        let mut scenario = scenario(5, nodes, Curve::Constant(1.0));
        for (name, replicas, cpu) in [("big", 4, 3000), ("small", 9, 700)] {
            scenario.objects.deployments.push(deployment(name, replicas, cpu));
            scenario.workloads.push(scenario.workloads[0].clone());
        }
        scenario.cold_start = true;
        let mut keep = Keep::default();
        let (recorder, checks) = (Recorder::new(&mut keep), Checks::new(Stride::Off));
        let mut world = World::new(&scenario, 1, recorder, checks);
        world.start();
        world.create_replica_sets_and_pods();
        world.place_pods(one_by_one);
        let place = |(_, pod): (PodId, &crate::api::pod::Pod)| {
            let node = pod.node.and_then(|node| world.store.node(node));
            (pod.uid, node.map(|node| node.name.to_string()))
        };
        let places = world.store.pods().map(place).collect();
        world.now = SimTime::from_secs(600);
        let first = world.store.pods().find(|(_, pod)| pod.node.is_some()).map(|(id, _)| id);
        world.tell_scheduler(Notice::PodGone(first.unwrap()));
        let mut tried = Vec::new();
        while let Some(decision) = world.scheduler.decide(world.now) {
            let uid = world.store.pod(decision.pod()).unwrap().uid;
            tried.push((uid, matches!(decision, Decision::Scheduled { .. })));
            world.carry_out_at_once(decision);
        }
        (places, tried)
    }

    #[test]
    fn telling_of_pods_one_by_one_places_them_as_telling_of_all_does() {
        let rows = [
            ("nearly nothing fits", 1, 14),
            ("a big one does not fit, and two small ones after it do", 4, 8),
            ("all fit", 9, 0),
        ];
        for (sentence, nodes, homeless) in rows {
            let (places, tried) = placed(nodes, true);
            let without = places.iter().filter(|(_, node)| node.is_none()).count();
            assert_eq!(without, homeless, "{sentence}");
            assert_eq!((places, tried), placed(nodes, false), "{sentence}");
        }
    }
}
