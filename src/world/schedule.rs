//! The scheduler on the virtual clock: what its informers bring and when, how long a cycle takes,
//! and the way of what it decides to the API server; that of its bindings is in `bind.rs`.
//!
//! It knows no plugin and no queue: those are the scheduler's own business.

use super::client::TokenBucket;
use super::event::Event;
use super::world::World;
use crate::api::event::EventType::{Normal, Warning};
use crate::api::owner::Owner;
use crate::api::service::Service;
use crate::api::storage::StorageObject;
use crate::api::{NodeId, ObjectName, OwnerId, PdbId, PodId};
use crate::control::controllers::action::About;
use crate::control::flags::SchedulerFlags;
use crate::control::scheduler::Scheduler;
use crate::control::scheduler::config::SchedulerConfiguration;
use crate::control::scheduler::cycle::Core;
use crate::control::scheduler::decision::{Decision, Nomination};
use crate::control::scheduler::workers::Interleaving;
use crate::record::story::Moment;
use crate::scenario::model::Component;
use crate::sim::rng::{Stream, Streams};
use crate::units::{SimDuration, SimTime};
use slotmap::Key;
use std::collections::VecDeque;

/// What the scheduler's informers bring.
#[derive(Debug)]
pub(super) enum Notice {
    /// A pod appeared or changed.
    Pod(PodId),
    /// A pod is gone.
    PodGone(PodId),
    /// A node appeared or changed.
    Node(NodeId),
    /// A node is gone.
    NodeGone(NodeId),
    /// A ReplicaSet or StatefulSet appeared or changed.
    ReplicaSet(OwnerId),
    /// One is gone.
    ReplicaSetGone(OwnerId),
    /// A disruption budget appeared or changed.
    Budget(PdbId),
    /// A claim of devices appeared, changed or is gone.
    Claim(ObjectName),
    /// Claims of devices were made for a pod.
    ClaimsMade(PodId),
    /// A volume, claim, class or other storage object appeared or changed.
    Storage(StorageObject),
    /// One is gone.
    StorageGone(StorageObject),
}

/// Time of a scheduling cycle beside the nodes it looks at, and per node. Fitted to the real
/// scheduler's 360 to 450 decisions per CPU second at 5,000 nodes (500 looked at) and 550 to 630
/// at 1,000 (420 looked at), recorded with Kubernetes 1.37.2 and 1.34.1.
const CYCLE_FIXED: SimDuration = SimDuration::from_micros(400);
const CYCLE_PER_NODE: SimDuration = SimDuration(4_000);

/// Least time between two FailedScheduling Events of a pod: the spam filter of client-go's event
/// correlator refills once in five minutes.
const EVENT_INTERVAL: SimDuration = SimDuration::from_secs(300);

/// Requests of a preemption on their way to the API server.
#[derive(Debug)]
struct Preemption {
    node: Option<NodeId>,
    victims: Vec<PodId>,
    denominated: Vec<PodId>,
}

/// The scheduler with its clock side.
pub struct SchedulerDriver {
    pub(super) scheduler: Scheduler,
    pub(super) client: TokenBucket,
    /// Notices on their way, oldest first: the watch latency is the same for all.
    inbox: VecDeque<(SimTime, Notice)>,
    /// Nodes that the scheduler has been told of.
    known_nodes: slotmap::SecondaryMap<NodeId, ()>,
    /// Pods that it has been told of.
    known_pods: slotmap::SecondaryMap<PodId, ()>,
    /// When a FailedScheduling Event of a pod was last published.
    failure_told: slotmap::SecondaryMap<PodId, SimTime>,
    /// ReplicaSets that it has been told of.
    known_sets: slotmap::SecondaryMap<OwnerId, ()>,
    /// What is being done for pods that others must make room for.
    preempting: slotmap::SecondaryMap<PodId, Preemption>,
    /// When the running cycle ends.
    busy_until: SimTime,
    /// The earliest wake-up that is planned.
    planned: SimTime,
}

impl SchedulerDriver {
    /// A scheduler of an empty cluster.
    pub(super) fn new(flags: &SchedulerFlags, streams: Streams) -> SchedulerDriver {
        let configuration = SchedulerConfiguration {
            version: flags.version,
            parallelism: flags.parallelism,
            percentage_of_nodes_to_score: flags.percentage_of_nodes_to_score,
            pod_initial_backoff_seconds: flags.pod_initial_backoff.0 / 1_000_000_000,
            pod_max_backoff_seconds: flags.pod_max_backoff.0 / 1_000_000_000,
            profiles: flags.profiles.clone(),
        };
        let mut scheduler =
            Scheduler::new(&configuration).expect("profiles were checked when read");
        scheduler.set_tie_break(Box::new(move |pod, ties| {
            streams.stream("scheduler tie", pod.data().as_ffi()).below(ties)
        }));
        scheduler.set_interleaving(Box::new(Race { streams, stream: streams.stream(WORKERS, 0) }));
        SchedulerDriver {
            scheduler,
            client: TokenBucket::new(flags.kube_api_qps, flags.kube_api_burst),
            inbox: VecDeque::new(),
            known_nodes: slotmap::SecondaryMap::new(),
            known_pods: slotmap::SecondaryMap::new(),
            failure_told: slotmap::SecondaryMap::new(),
            known_sets: slotmap::SecondaryMap::new(),
            preempting: slotmap::SecondaryMap::new(),
            busy_until: SimTime::ZERO,
            planned: SimTime::NEVER,
        }
    }
}

/// Purpose of the streams that order the workers of a search; one for each scheduling cycle.
const WORKERS: &str = "scheduler-workers";

/// The race between the scheduler's workers, if there are several.
struct Race {
    streams: Streams,
    stream: Stream,
}

impl Interleaving for Race {
    fn begin(&mut self, cycle: u64) {
        self.stream = self.streams.stream(WORKERS, cycle);
    }

    fn below(&mut self, n: usize) -> usize {
        self.stream.below(n as u64) as usize
    }
}

impl SchedulerDriver {
    /// The scheduler's nodes, and what its last watched cycle considered.
    pub(super) fn core(&self) -> &Core {
        self.scheduler.core()
    }

    /// Explains the cycles of a pod.
    pub(super) fn watch(&mut self, pod: PodId) {
        self.scheduler.watch(pod);
    }

    /// So many pods are about to be told that have been there all along.
    pub(super) fn expect_pods(&mut self, count: usize) {
        self.scheduler.expect_pods(count);
    }

    /// One cycle without its time and its way to the API server: for the settled start.
    pub(super) fn decide(&mut self, now: SimTime) -> Option<Decision> {
        let decision = self.scheduler.schedule_one(now)?;
        match &decision {
            Decision::Scheduled { is_held: true, .. } => {}
            Decision::Scheduled { pod, .. } => self.scheduler.binding_finished(*pod, true, now),
            Decision::Unschedulable { pod, .. } => self.scheduler.preemption_finished(*pod, now),
        }
        Some(decision)
    }
}

impl World<'_> {
    /// Something changed that the scheduler watches.
    pub(super) fn scheduler_sees(&mut self, notice: Notice) {
        if self.leaders.is_away(Component::Scheduler) {
            return;
        }
        let due = self.seen_by(Component::Scheduler);
        self.scheduler.inbox.push_back((due, notice));
        self.wake_scheduler(due);
    }

    /// A set changed: only its appearance matters to the scheduler, its selector is fixed.
    pub(super) fn scheduler_sees_set(&mut self, id: OwnerId) {
        if !self.scheduler.known_sets.contains_key(id) {
            self.scheduler_sees(Notice::ReplicaSet(id));
        }
    }

    /// A Service is there from the start.
    pub(super) fn tell_scheduler_of_service(&mut self, service: &Service) {
        let (namespace, name) = (service.namespace.clone(), service.name.clone());
        let name = ObjectName { namespace, name };
        self.scheduler.scheduler.set_service(name, service.selector.clone());
    }

    /// The scheduler is gone with all that it knew.
    pub(super) fn stop_scheduler(&mut self) {
        self.new_scheduler();
        self.scheduler.planned = SimTime::NEVER;
    }

    /// A scheduler that knows nothing yet.
    pub(super) fn new_scheduler(&mut self) {
        self.scheduler = SchedulerDriver::new(&self.scenario.flags.scheduler, self.streams);
        if self.store.has_storage() {
            self.scheduler.scheduler.tell_storage();
        }
        self.watch_again();
    }

    pub(super) fn wake_scheduler(&mut self, at: SimTime) {
        if self.leaders.is_away(Component::Scheduler) {
            return;
        }
        let at = at.max(self.scheduler.busy_until);
        if at < self.scheduler.planned {
            self.scheduler.planned = at;
            self.plan(at, Event::Scheduler);
        }
    }

    /// The scheduler reads its informers and, if it is free, runs one cycle.
    pub(super) fn on_scheduler(&mut self) {
        let now = self.now;
        if now < self.scheduler.planned || self.leaders.is_away(Component::Scheduler) {
            return;
        }
        self.scheduler.planned = SimTime::NEVER;
        self.read_informers();
        self.carry_on_bindings(now);
        if now >= self.scheduler.busy_until
            && let Some(decision) = self.scheduler.scheduler.schedule_one(now)
        {
            let looked_at = match &decision {
                Decision::Scheduled { evaluated, .. } => *evaluated as u64,
                Decision::Unschedulable { .. } => self.scheduler.known_nodes.len() as u64,
            };
            self.scheduler.busy_until = now + CYCLE_FIXED + CYCLE_PER_NODE * looked_at;
            self.note_attempt(&decision);
            let end = self.scheduler.busy_until;
            self.carry_out(decision, end);
            self.carry_on_bindings(end);
        }
        let next = self.scheduler.scheduler.next_wake(now).max(self.scheduler.busy_until);
        let mail = self.scheduler.inbox.front().map_or(SimTime::NEVER, |(due, _)| *due);
        self.wake_scheduler(next.min(mail));
    }

    fn read_informers(&mut self) {
        while self.scheduler.inbox.front().is_some_and(|(due, _)| *due <= self.now) {
            if let Some((_, notice)) = self.scheduler.inbox.pop_front() {
                self.tell_scheduler(notice);
            }
        }
    }

    /// All that is on its way arrives at once, for the settled start.
    pub(super) fn read_all_notices(&mut self) {
        while let Some((_, notice)) = self.scheduler.inbox.pop_front() {
            self.tell_scheduler(notice);
        }
    }

    pub(super) fn tell_scheduler(&mut self, notice: Notice) {
        let now = self.now;
        let driver = &mut self.scheduler;
        match notice {
            Notice::Pod(id) => {
                let Some(pod) = self.store.pod(id) else { return };
                if pod.spec.node_name.is_some() && pod.node.is_none() {
                    // It has a node, which is not there: nobody looks for another.
                    return;
                }
                if driver.known_pods.contains_key(id) {
                    driver.scheduler.update_pod(id, pod, now);
                } else {
                    driver.known_pods.insert(id, ());
                    driver.scheduler.add_pod(id, pod, now);
                }
            }
            Notice::PodGone(id) => {
                if driver.known_pods.remove(id).is_some() {
                    driver.failure_told.remove(id);
                    driver.scheduler.remove_pod(id, now);
                }
            }
            Notice::Node(id) => {
                let Some(node) = self.store.shared_node(id) else { return };
                if driver.known_nodes.contains_key(id) {
                    driver.scheduler.update_node(id, node, now);
                } else {
                    driver.known_nodes.insert(id, ());
                    driver.scheduler.add_node(id, node, now);
                }
            }
            Notice::NodeGone(id) => {
                if driver.known_nodes.remove(id).is_some() {
                    driver.scheduler.remove_node(id, now);
                }
            }
            Notice::ReplicaSet(id) => {
                let selector = match self.store.owner(id) {
                    Some(Owner::ReplicaSet(set)) => set.selector.clone(),
                    Some(Owner::StatefulSet(set)) => set.selector.clone(),
                    _ => return,
                };
                if driver.known_sets.insert(id, ()).is_none() {
                    driver.scheduler.set_replica_set(id, Some(selector));
                }
            }
            Notice::ReplicaSetGone(id) => {
                if driver.known_sets.remove(id).is_some() {
                    driver.scheduler.set_replica_set(id, None);
                } else {
                    driver.scheduler.forget_owner(id);
                }
            }
            Notice::Budget(id) => driver.scheduler.set_budget(id, self.store.pdb(id)),
            Notice::Claim(name) => self.tell_scheduler_of_claim(&name),
            Notice::ClaimsMade(pod) => self.tell_scheduler_of_made(pod),
            Notice::Storage(object) => driver.scheduler.set_storage(object, now),
            Notice::StorageGone(object) => driver.scheduler.remove_storage(&object, now),
        }
    }

    /// Sends what a cycle decided that has ended at `end`, when the client has a token.
    pub(super) fn carry_out(&mut self, decision: Decision, end: SimTime) {
        match decision {
            Decision::Scheduled { is_held: true, .. } => {}
            Decision::Scheduled { pod, node, .. } => {
                let sent = self.scheduler.client.take(end);
                self.send(sent, Event::Bind { pod, node });
            }
            Decision::Unschedulable { pod, message, nomination, victims, denominated, .. } => {
                self.report_failure(pod, message);
                if let Nomination::Set(node) = nomination {
                    self.nominate(pod, node);
                }
                if let Nomination::Set(node) = nomination
                    && !victims.is_empty()
                {
                    self.preempt(pod, Preemption { node, victims, denominated });
                }
                // The condition is written once; later failures change only its message.
                if self.store.pod(pod).is_some_and(|p| !p.unschedulable) {
                    let sent = self.scheduler.client.take(end);
                    self.send(sent, Event::Unschedulable(pod));
                }
            }
        }
    }

    pub(super) fn nominate(&mut self, pod: PodId, node: Option<NodeId>) {
        self.store.update_pod(pod, |p| std::mem::replace(&mut p.nominated, node) != node);
    }

    /// Sends the requests that make room for a pod (`prepareCandidateAsync`): a token for each.
    fn preempt(&mut self, pod: PodId, preemption: Preemption) {
        let driver = &mut self.scheduler;
        let mut sent = driver.busy_until;
        for _ in preemption.victims.iter().chain(&preemption.denominated) {
            sent = driver.client.take(driver.busy_until);
        }
        driver.preempting.insert(pod, preemption);
        self.send(sent, Event::Preempt(pod));
    }

    /// The requests of a preemption reach the API server.
    pub(super) fn on_preempt(&mut self, pod: PodId) {
        let Some(preemption) = self.scheduler.preempting.remove(pod) else { return };
        if self.goes_unheard() {
            return self.scheduler.scheduler.preemption_finished(pod, self.now);
        }
        for other in preemption.denominated {
            self.nominate(other, None);
        }
        let node = preemption.node.and_then(|node| self.store.node(node));
        let node = node.map_or_else(String::new, |node| node.name.to_string());
        let uid = self.store.pod(pod).map_or(0, |p| p.uid);
        let mut in_memory = false;
        for victim in preemption.victims {
            let message = format!("Preempted by pod {uid} on node {node}");
            in_memory = self.scheduler.scheduler.preempt_in_memory(victim, self.now);
            let how = if in_memory { " (in kube-scheduler memory)." } else { "" };
            let message = message + how;
            self.publish("default-scheduler", Normal, "Preempted", About::Pod(victim), message);
            if !in_memory {
                self.delete_pod(victim, None, "Preempted");
            }
        }
        self.scheduler.scheduler.preemption_finished(pod, self.now);
        if in_memory {
            // Of the last victim no deletion will be seen.
            self.scheduler.scheduler.activate(pod, self.now);
        }
        self.carry_on_bindings(self.now);
        self.wake_scheduler(self.scheduler.scheduler.next_wake(self.now));
    }

    /// Publishes FailedScheduling, not more often than the event correlator lets through.
    fn report_failure(&mut self, pod: PodId, message: String) {
        if !self.scheduler.known_pods.contains_key(pod) {
            return;
        }
        let last = self.scheduler.failure_told.get(pod);
        if last.is_some_and(|last| self.now.since(*last) < EVENT_INTERVAL) {
            return;
        }
        self.scheduler.failure_told.insert(pod, self.now);
        self.publish("default-scheduler", Warning, "FailedScheduling", About::Pod(pod), message);
    }

    /// The scheduler's word that a pod is unschedulable reaches the API server.
    pub(super) fn on_unschedulable(&mut self, pod: PodId) {
        let is_heard = !self.goes_unheard();
        let waits = self.store.pod(pod).is_some_and(|p| p.node.is_none() && !p.unschedulable);
        let waits = waits && is_heard;
        if !waits {
            return;
        }
        self.store.update_pod(pod, |p| {
            p.unschedulable = true;
            true
        });
        let name = self.store.pod(pod).map_or_else(String::new, |p| p.name().to_string());
        self.tell_once(Moment::FirstUnschedulable, || {
            format!("the first pod finds no node: {name}")
        });
    }
}
