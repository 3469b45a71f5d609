//! kube-scheduler, Kubernetes 1.37, as a deterministic state machine.
//!
//! It is told what upstream's informers tell (nodes and pods that appear, change and go), with
//! `now` handed in, and asked for decisions. It does not know the virtual clock, the event list,
//! random numbers or files, nor what becomes of its decisions: the world applies them and tells it
//! what happened.
//!
//! | file | what lives there |
//! |---|---|
//! | `framework.rs` | what a plugin is: one trait per extension point, statuses, cycle state |
//! | `registry.rs`, `plugins/` | every plugin by name; one file each |
//! | `config.rs`, `profile.rs` | KubeSchedulerConfiguration; a profile's plugins and how they run |
//! | `pod_info.rs`, `node_info.rs` | pods and nodes with what is derived from them |
//! | `pod_shapes.rs` | what is derived once for all pods of a template |
//! | `cache.rs`, `node_tree.rs` | all nodes, assumed pods, the order of search |
//! | `workers.rs` | which nodes a search comes to, when several workers filter side by side |
//! | `cycle.rs`, `diagnosis.rs` | one scheduling cycle; its reasons in upstream's words |
//! | `dry_run.rs` | preemption by trying nodes one by one: what is found out about one |
//! | `queue.rs`, `event.rs`, `nominator.rs` | pods that wait, what moves them, nominations |
//! | `batch.rs`, `signature.rs` | OpportunisticBatching: equal pods in a row share scores |
//! | `storage.rs`, `claim_uses.rs` | volumes and claims, what is assumed of them, who uses them |
//! | `devices/`, `claims.rs` | devices, claims on them, the search for devices, who waits |
//! | `binding/`, `waiting_pods.rs` | from a node to a binding: Permit, PreBind, failures |
//! | `waiting.rs` | where the queue keeps its pods |
//! | `ties.rs` | which of several best nodes wins |
//! | `version.rs` | how older versions differ |
//! | `what_if.rs` | the filters on nodes that need not exist |
//!
//! This is the plain reference path: any faster one is held against it.

mod batch;
pub mod binding;
pub mod cache;
pub mod claim_uses;
mod claims;
pub mod config;
pub mod cycle;
pub mod decision;
pub mod devices;
pub mod diagnosis;
pub mod dry_run;
pub mod event;
mod fast;
pub mod framework;
pub mod handle;
#[cfg(test)]
mod lockstep;
mod memo;
pub mod node_info;
pub mod node_tree;
pub mod nominator;
pub mod objects;
mod ordered;
pub mod plugins;
pub mod pod_info;
mod pod_shapes;
pub mod profile;
pub mod queue;
pub mod registry;
mod signature;
pub mod storage;
pub mod tally;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod testing_group;
#[cfg(test)]
mod tests;
pub mod ties;
pub mod topologies;
pub mod version;
mod waiting;
pub mod waiting_pods;
pub mod what_if;
pub mod workers;

use crate::api::labels::{Labels, Selector};
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::api::policy::Pdb;
use crate::api::storage::StorageObject;
use crate::api::{NodeId, ObjectName, OwnerId, PdbId, PodId, Text};
use crate::units::{SimDuration, SimTime};
use binding::{BindingStep, Bindings};
use claims::ClaimWatch;
use config::SchedulerConfiguration;
use cycle::{Core, Failure};
use decision::{Decision, Nomination};
use event::{Action, ClusterEvent, EventObjects, Resource, node_changes, pod_changes};
use framework::{NodeIndex, PluginSet};
use memo::{FailureMemo, KnownFailure};
use objects::{Budget, Objects};
use pod_info::PodInfo;
use pod_shapes::PodShapes;
use profile::ConfigurationError;
use queue::{Place, Queue};
use std::sync::Arc;
use ties::TieBreak;
use workers::Interleaving;

/// The scheduler with its cache and its queue.
pub struct Scheduler {
    core: Core,
    queue: Queue,
    shapes: PodShapes,
    bindings: Bindings,
    memo: FailureMemo,
    claim_watch: ClaimWatch,
    /// Whether the fast path beside the reference is taken.
    remembers: bool,
    /// The pod whose cycles are explained.
    watched: Option<PodId>,
}

impl Scheduler {
    /// A scheduler of an empty cluster.
    pub fn new(configuration: &SchedulerConfiguration) -> Result<Scheduler, ConfigurationError> {
        let initial = SimDuration::from_secs(configuration.pod_initial_backoff_seconds);
        let max = SimDuration::from_secs(configuration.pod_max_backoff_seconds);
        Ok(Scheduler {
            core: Core::new(configuration)?,
            queue: Queue::new(initial, max),
            shapes: PodShapes::default(),
            bindings: Bindings::default(),
            memo: FailureMemo::default(),
            claim_watch: ClaimWatch::default(),
            remembers: true,
            watched: None,
        })
    }

    /// The part that knows nodes and runs cycles.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// Whether each cycle's verdicts and scores are kept for [`Core::explanation`].
    pub fn set_explain(&mut self, explain: bool) {
        self.core.set_explain(explain);
    }

    /// From now on, each cycle of this pod takes the plain path, and what it considered is found in
    /// [`Core::explanation`] until the next such cycle.
    pub fn watch(&mut self, pod: PodId) {
        self.watched = Some(pod);
    }

    /// Whether what earlier cycles found out is used again (default), or every plugin is asked
    /// about every node in every cycle: the reference path.
    pub fn set_fast(&mut self, fast: bool) {
        self.remembers = fast;
        self.core.set_fast(fast);
    }

    /// Where the order of several workers is drawn; without it they take turns. With one worker
    /// (`parallelism` 1) nothing is drawn.
    pub fn set_interleaving(&mut self, interleaving: Box<dyn Interleaving>) {
        self.core.workers.set_interleaving(interleaving);
    }

    /// Whether the feature gate OpportunisticBatching is on, as by default.
    pub fn set_opportunistic_batching(&mut self, on: bool) {
        self.core.set_opportunistic_batching(on);
    }

    /// Who draws among equally good nodes, in versions that do.
    pub fn set_tie_break(&mut self, draw: TieBreak) {
        self.core.set_tie_break(draw);
    }

    /// The pods that wait.
    pub fn queue(&self) -> &Queue {
        &self.queue
    }

    // ---- what the informers tell -------------------------------------------------------------

    /// A node has appeared.
    pub fn add_node(&mut self, id: NodeId, node: Arc<Node>, now: SimTime) {
        self.advance(now);
        self.core.cache.add_node(id, Arc::clone(&node));
        let objects = EventObjects::Node { old: None, new: Some(&node) };
        self.move_all(ClusterEvent::new(Resource::Node, Action::ADD), &objects, now);
    }

    /// A node has changed in a way that the API server's watchers see. Heartbeats need not be told.
    pub fn update_node(&mut self, id: NodeId, node: Arc<Node>, now: SimTime) {
        self.advance(now);
        let Some(old) = self.core.cache.update_node(id, Arc::clone(&node)) else { return };
        let objects = EventObjects::Node { old: Some(&old), new: Some(&node) };
        for event in node_changes(&old, &node) {
            self.move_all(event, &objects, now);
        }
    }

    /// A node is gone. Its pods count until they are removed.
    pub fn remove_node(&mut self, id: NodeId, now: SimTime) {
        self.advance(now);
        let Some(old) = self.core.cache.remove_node(id) else { return };
        let objects = EventObjects::Node { old: Some(&old), new: None };
        self.move_all(ClusterEvent::new(Resource::Node, Action::DELETE), &objects, now);
    }

    /// A pod has appeared: pending, or with a node already. Ended pods are not the scheduler's
    /// business, as upstream's informer does not list them.
    pub fn add_pod(&mut self, id: PodId, pod: &Pod, now: SimTime) {
        self.advance(now);
        if pod.phase.is_terminal() {
            return;
        }
        let info = self.shapes.info(id, pod);
        match pod.node {
            Some(node) => self.add_assigned(info, node, now),
            None => self.add_pending(info, now),
        }
    }

    /// The next `count` pods that appear have been there all along: until all of them are told,
    /// nothing that is put back into the queue gets in front of one.
    pub fn expect_pods(&mut self, count: usize) {
        self.queue.expect(count as u64);
    }

    /// A pod has changed.
    pub fn update_pod(&mut self, id: PodId, pod: &Pod, now: SimTime) {
        self.advance(now);
        if pod.phase.is_terminal() {
            return self.remove_pod(id, now);
        }
        let info = self.shapes.info(id, pod);
        let assigned = self.core.cache.node_of(id).filter(|_| !self.core.cache.is_assumed(id));
        match (assigned, pod.node) {
            (Some(node), _) => self.update_assigned(info, node, now),
            (None, Some(node)) => {
                self.add_assigned(info, node, now);
                self.forget_waiting(id);
            }
            (None, None) => self.update_pending(info, now),
        }
    }

    /// A pod is gone, or has ended.
    pub fn remove_pod(&mut self, id: PodId, now: SimTime) {
        self.advance(now);
        let assumed = self.core.cache.is_assumed(id);
        let waiting = self.queue.remove(&self.core.profiles, id);
        self.core.remove_nomination(id);
        self.queue.victim_is_going(id);
        self.core.preempted.remove(id);
        self.binding_pod_is_gone(id);
        self.unwatch_claims(id);
        if let Some(devices) = &mut self.core.objects.devices {
            devices.forget_pod(id);
        }
        if assumed {
            return self.assumed_is_going(id, now);
        }
        if let Some(gone) = self.core.cache.remove_pod(id) {
            let objects = EventObjects::Pod { old: Some(&gone), new: None };
            return self.move_all(ClusterEvent::ASSIGNED_POD_DELETE, &objects, now);
        }
        if let Some(waiting) = waiting.filter(|w| w.info.nominated.is_some()) {
            self.nominated_is_gone(&waiting.info, now);
        }
    }

    /// Other objects that plugins read, to be changed as informers tell.
    pub fn objects_mut(&mut self) -> &mut Objects {
        &mut self.core.objects
    }

    /// From now on storage objects are told, and claims that are not are missing. Until then every
    /// claim counts as bound to a volume that is reached from everywhere.
    pub fn tell_storage(&mut self) {
        if self.core.objects.storage.is_none() {
            self.core.objects.tell_storage();
            // What was found out about pods with claims held for claims that count as bound.
            self.core.set_fast(self.remembers);
        }
    }

    /// A volume, claim, class or other storage object has appeared or changed.
    pub fn set_storage(&mut self, object: StorageObject, now: SimTime) {
        self.advance(now);
        self.tell_storage();
        let old = self.core.objects.set_storage(object.clone());
        let action = if old.is_some() { Action::UPDATE } else { Action::ADD };
        let objects = EventObjects::Storage { old: old.as_ref(), new: Some(&object) };
        self.move_all(ClusterEvent::new(Resource::of(&object), action), &objects, now);
    }

    /// A storage object is gone: the one of the kind and name of `object`.
    pub fn remove_storage(&mut self, object: &StorageObject, now: SimTime) {
        self.advance(now);
        let Some(old) = self.core.objects.remove_storage(object) else { return };
        let objects = EventObjects::Storage { old: Some(&old), new: None };
        self.move_all(ClusterEvent::new(Resource::of(object), Action::DELETE), &objects, now);
    }

    /// Where the next dry run of preemption starts among the potential nodes. Upstream draws it at
    /// random.
    pub fn set_preemption_offset(&mut self, offset: usize) {
        self.core.set_preemption_offset(offset);
    }

    /// A namespace with its labels has appeared or changed.
    pub fn set_namespace(&mut self, name: Text, labels: Labels) {
        self.core.objects.set_namespace(name, labels);
    }

    /// A service has appeared or changed; `None`: it is gone, or has no selector.
    pub fn set_service(&mut self, name: ObjectName, selector: Option<Selector>) {
        self.core.objects.set_service(name, selector);
    }

    /// A ReplicaSet has appeared with this selector; `None`: it is gone.
    pub fn set_replica_set(&mut self, id: OwnerId, selector: Option<Selector>) {
        if selector.is_none() {
            self.forget_owner(id);
        }
        self.core.objects.set_replica_set(id, selector);
    }

    /// What controlled pods is gone.
    pub fn forget_owner(&mut self, id: OwnerId) {
        self.shapes.forget(id);
    }

    /// A disruption budget has appeared or changed; `None`: it is gone.
    pub fn set_budget(&mut self, id: PdbId, budget: Option<&Pdb>) {
        let heeded = budget.map(|budget| Budget {
            namespace: budget.namespace.clone(),
            selector: budget.selector.clone(),
            disruptions_allowed: i64::from(budget.status.disruptions_allowed),
            disrupted_pods: Vec::new(),
            version: 0,
        });
        self.core.objects.set_budget(id, heeded);
    }

    // ---- what the world asks -----------------------------------------------------------------

    /// When [`Scheduler::next_step`] and [`Scheduler::schedule_one`] should be called next: `now`
    /// while pods can be popped, later when only time moves a pod, [`SimTime::NEVER`] if nothing
    /// waits for time to pass.
    pub fn next_wake(&self, now: SimTime) -> SimTime {
        self.queue.next_wake(now).min(self.next_binding_wake().max(now))
    }

    /// One scheduling cycle: pops a pod and decides; `None` when none can be popped.
    ///
    /// A placed pod is assumed: it counts on its node from now on. Whoever applies the decision
    /// answers with [`Scheduler::binding_finished`] and, as for every change, the informers' calls.
    /// If the pod is held, its binding cycle asks for what it needs with [`Scheduler::next_step`].
    pub fn schedule_one(&mut self, now: SimTime) -> Option<Decision> {
        self.advance(now);
        if !self.bindings.is_idle() {
            self.look_after_bindings(now, true);
        }
        loop {
            let pod = self.queue.pop()?;
            self.core.count_cycle();
            let queued = self.queue.get(pod).expect("what is popped stays known to the queue");
            let (info, profile) = (queued.info.clone(), queued.profile);
            if info.deletion.is_some() || self.core.cache.is_assumed(pod) {
                // `skipPodSchedule`: a pod on its way out is not put back either.
                self.queue.remove(&self.core.profiles, pod);
                continue;
            }
            if self.watched == Some(pod) {
                self.core.set_explain(true);
            } else if let Some(decision) = self.repeat_failure(profile, &info, now) {
                return Some(decision);
            }
            let start = self.core.next_start();
            let decision = match self.core.schedule_pod(profile, &info, now) {
                Ok(placement) => self.place(profile, info, placement, now),
                Err(failure) => {
                    let decision = self.reject(info.clone(), failure, now);
                    // A narrowed search moves the start: its repetition would move it again.
                    if self.core.next_start() == start {
                        self.remember_failure(profile, &info, &decision);
                    }
                    decision
                }
            };
            if self.watched == Some(pod) {
                self.core.keep_explanation();
            }
            return Some(decision);
        }
    }

    /// The binding of a placed pod succeeded or failed. After a failure its place is free again
    /// and it is tried again after its back-off.
    pub fn binding_finished(&mut self, pod: PodId, ok: bool, now: SimTime) {
        self.advance(now);
        self.forget_binding(pod);
        self.core.finish_reservation(pod, ok);
        if ok {
            return self.post_bind(pod, now);
        }
        let Some(node) = self.core.cache.node_of(pod).filter(|_| self.core.cache.is_assumed(pod))
        else {
            return;
        };
        if let Some(info) = self.core.cache.pod(pod).cloned()
            && let Some(profile) = self.core.profile_of(&info)
        {
            self.unreserve(profile, &info, node);
            self.give_claims_back(&info);
        }
        if let Some(forgotten) = self.core.cache.remove_pod(pod) {
            let objects = EventObjects::Pod { old: Some(&forgotten), new: None };
            self.move_all(ClusterEvent::ASSIGNED_POD_DELETE, &objects, now);
        }
        self.queue.add_unschedulable(&self.core.profiles, pod, PluginSet::EMPTY, now);
        self.go_on(now);
    }

    /// The API calls that delete the victims of `pod` have returned. Until then, or until the
    /// deletion of the last victim is seen, the pod is kept out of the active queue.
    pub fn preemption_finished(&mut self, pod: PodId, now: SimTime) {
        self.advance(now);
        self.queue.stop_waiting_for_victim(pod);
    }

    // ---- inside ------------------------------------------------------------------------------

    /// Does what upstream's timers have done by `now`. Every other call does so first; this is for
    /// those who look at the queue without a call.
    pub fn advance(&mut self, now: SimTime) {
        if !self.bindings.is_idle() {
            self.look_after_bindings(now, false);
        }
        self.queue.advance(&self.core.profiles, now);
    }

    fn move_all(&mut self, event: ClusterEvent, objects: &EventObjects<'_>, now: SimTime) {
        let core = &self.core;
        self.queue.move_all(&core.profiles, &core.objects, event, objects, |_| true, now);
    }

    fn assume(&mut self, info: PodInfo, node: NodeIndex) {
        self.core.remove_nomination(info.id);
        self.core.cache.add_pod(info, node, true);
    }

    /// A number that stands for everything a plugin reads but the pod itself.
    fn version(&self) -> u64 {
        self.core.cache.version() + self.core.objects.versions.sum()
    }

    /// Likewise, as far as it bears on a pod that can't preempt anybody.
    fn version_of_room(&self) -> u64 {
        self.core.cache.version_of_room() + self.core.objects.versions.sum()
    }

    /// The answer for a pod of which an equal one has failed since the last change.
    fn repeat_failure(&mut self, profile: usize, info: &PodInfo, now: SimTime) -> Option<Decision> {
        let usable = self.remembers && info.nominated.is_none() && self.core.fails_alike(info);
        let known =
            self.memo.find(self.version_of_room(), profile, info).filter(|_| usable)?.clone();
        // What is seen only by and by is seen now, as the cycle would have.
        self.core.cache.update_snapshot();
        self.core.skip_failed_cycle();
        self.queue.add_unschedulable(&self.core.profiles, info.id, known.rejected_by, now);
        Some(Decision::Unschedulable {
            pod: info.id,
            message: known.message,
            rejected_by: known.rejected_by,
            nomination: match known.keeps_nomination {
                true => Nomination::Keep,
                false => Nomination::Set(None),
            },
            victims: Vec::new(),
            denominated: Vec::new(),
        })
    }

    fn remember_failure(&mut self, profile: usize, info: &PodInfo, decision: &Decision) {
        let Decision::Unschedulable { message, rejected_by, nomination, victims, .. } = decision
        else {
            return;
        };
        let plain = victims.is_empty()
            && *rejected_by != PluginSet::EMPTY
            && !matches!(nomination, Nomination::Set(Some(_)));
        if !self.remembers || !plain || info.nominated.is_some() || !self.core.fails_alike(info) {
            return;
        }
        let failure = KnownFailure {
            message: message.clone(),
            rejected_by: *rejected_by,
            keeps_nomination: *nomination == Nomination::Keep,
        };
        // The cycle itself changes nothing that it reads; asked again, the state is this one.
        if self.memo.find(self.version_of_room(), profile, info).is_none() {
            self.memo.remember(profile, info, failure);
        }
    }

    /// Puts a pod that found no node back into the queue (`handleSchedulingFailure`).
    fn reject(&mut self, info: PodInfo, failure: Failure, now: SimTime) -> Decision {
        let nodes = self.core.cache.nodes().len();
        let mut decision = Decision::Unschedulable {
            pod: info.id,
            message: "no nodes available to schedule pods".to_owned(),
            rejected_by: PluginSet::EMPTY,
            nomination: Nomination::Set(None),
            victims: Vec::new(),
            denominated: Vec::new(),
        };
        let mut nominated = Some(None);
        if let (Failure::Error(why), Decision::Unschedulable { message, .. }) =
            (&failure, &mut decision)
        {
            message.clone_from(why);
        }
        if let Failure::Unfit(unfit) = failure {
            nominated = unfit.nomination;
            let id_of = |node| self.core.cache.id_of(node);
            let victims = self.core.victims_to_delete(&unfit.victims);
            // Upstream takes nominations back only where it has pods to delete too.
            let denominated = match (victims.is_empty(), nominated.flatten()) {
                (false, Some(node)) => self.core.lower_nominations(&info, node),
                _ => Vec::new(),
            };
            decision = Decision::Unschedulable {
                pod: info.id,
                message: unfit.diagnosis.message(nodes),
                rejected_by: unfit.diagnosis.unschedulable_plugins,
                nomination: nominated
                    .map_or(Nomination::Keep, |node| Nomination::Set(node.map(id_of))),
                victims,
                denominated,
            };
            if let Some(claim) = unfit.freed {
                self.bindings.push(BindingStep::Free { claim });
            }
            self.core.recycle(unfit.diagnosis);
        }
        let Decision::Unschedulable { rejected_by, victims, .. } = &decision else {
            unreachable!("it was made as one above");
        };
        self.queue.add_unschedulable(&self.core.profiles, info.id, *rejected_by, now);
        if let Some(last) = victims.last() {
            self.queue.wait_for_victim(info.id, *last);
        }
        match nominated {
            Some(Some(node)) => self.core.nominate(info.clone(), node),
            Some(None) => self.core.remove_nomination(info.id),
            None => self.nominate_as_told(&info),
        }
        decision
    }

    fn add_pending(&mut self, info: PodInfo, now: SimTime) {
        let Some(profile) = self.core.profile_of(&info) else { return };
        self.nominate_as_told(&info);
        self.watch_claims(&info);
        self.queue.add(&self.core.profiles, profile, info, now);
    }

    fn add_assigned(&mut self, info: PodInfo, node: NodeId, now: SimTime) {
        let Some(node) = self.core.cache.index_of(node) else { return };
        self.core.cache.add_pod(info.clone(), node, false);
        let objects = EventObjects::Pod { old: None, new: Some(&info) };
        self.move_all(ClusterEvent::ASSIGNED_POD_ADD, &objects, now);
    }

    fn update_assigned(&mut self, info: PodInfo, node: NodeIndex, now: SimTime) {
        let Some(old) = self.core.cache.update_pod(info.clone(), node) else { return };
        if info.deletion.is_some() {
            self.queue.victim_is_going(info.id);
        }
        let objects = EventObjects::Pod { old: Some(&old), new: Some(&info) };
        for event in pod_changes(&old, &info, Resource::AssignedPod) {
            self.move_all(event, &objects, now);
        }
    }

    /// A pod got its node: it waits no more.
    fn forget_waiting(&mut self, id: PodId) {
        self.queue.remove(&self.core.profiles, id);
        self.core.remove_nomination(id);
        self.unwatch_claims(id);
    }

    fn update_pending(&mut self, info: PodInfo, now: SimTime) {
        let old = self.queue.get(info.id).map(|q| q.info.clone());
        if self.core.cache.is_assumed(info.id) {
            let deleted = info.deletion.is_some() && old.is_none_or(|o| o.deletion.is_none());
            let id = info.id;
            self.queue.update_in_flight(info);
            if deleted {
                self.assumed_is_going(id, now);
            }
            return;
        }
        let Some(old) = old else { return self.add_pending(info, now) };
        self.renominate(&old, &info);
        self.watch_claims(&info);
        let core = &self.core;
        self.queue.update(&core.profiles, &core.objects, info.clone(), now);
        if old.nominated.is_some() && old.nominated != info.nominated {
            self.nominated_is_gone(&old, now);
        }
    }

    /// A pod is deleted that is not bound yet (`handleAssumedPodDeletion`). If it waits on Permit,
    /// it is rejected; else its binding will fail, and its place is free already.
    fn assumed_is_going(&mut self, id: PodId, now: SimTime) {
        let node = self.core.cache.node_of(id);
        let gone = match self.reject_waiting(id) {
            true => self.core.cache.pod(id).cloned(),
            false => self.core.cache.remove_pod(id),
        };
        // Whose binding is on its way has no cycle any more that could tell when it fails.
        if let (Some(gone), Some(node), false) = (&gone, node, self.is_held(id))
            && let Some(profile) = self.core.profile_of(gone)
        {
            self.unreserve(profile, gone, node);
        }
        if let Some(gone) = gone {
            let objects = EventObjects::Pod { old: Some(&gone), new: None };
            self.move_all(ClusterEvent::ASSIGNED_POD_DELETE, &objects, now);
        }
        self.go_on(now);
    }

    /// Whoever had to make way for a nominated pod need not any more.
    fn nominated_is_gone(&mut self, old: &PodInfo, now: SimTime) {
        let objects = EventObjects::Pod { old: Some(old), new: None };
        let priority = old.priority();
        let check = |pod: &PodInfo| pod.priority() <= priority;
        let event = ClusterEvent::ASSIGNED_POD_DELETE;
        let core = &self.core;
        self.queue.move_all(&core.profiles, &core.objects, event, &objects, check, now);
    }

    /// Nominates a pod to the node in its status (`addNominatedPod` without an override).
    fn nominate_as_told(&mut self, info: &PodInfo) {
        self.core.remove_nomination(info.id);
        if let Some(node) = info.nominated.and_then(|id| self.core.cache.index_of(id)) {
            self.core.nominate(info.clone(), node);
        }
    }

    /// `UpdateNominatedPod`: an update without a nomination before and after does not undo one
    /// that is only in memory yet.
    fn renominate(&mut self, old: &PodInfo, info: &PodInfo) {
        let in_memory = self.core.nominated_node(info.id);
        match in_memory {
            Some(node) if old.nominated.is_none() && info.nominated.is_none() => {
                self.core.nominate(info.clone(), node);
            }
            _ => self.nominate_as_told(info),
        }
    }

    /// Where a pod waits.
    pub fn place_of(&self, pod: PodId) -> Option<Place> {
        self.queue.place(pod)
    }
}
