//! Work queues, workers and requests of the controllers: when a key is synced, and how long its
//! writes take.
//!
//! What upstream does with informers, work queues, worker goroutines and client-go's rate limiter,
//! on a virtual clock: a change reaches a controller after the watch latency; a key is synced by
//! one worker at a time; the worker sends its requests batch by batch, each waiting for a token of
//! the controller's client and for the API server; a key whose sync failed comes back with the
//! queue's exponential back-off. It knows no controller's logic.

use super::client::TokenBucket;
use super::correlator::Correlator;
use super::event::Event;
use super::world::World;
use crate::api::owner::Owner;
use crate::api::refusal::Refusal;
use crate::api::{
    ClaimId, CronJobId, DeploymentId, HpaId, NamespaceId, OwnerId, PdbId, QuotaId, ServiceId,
    VolumeId,
};
use crate::control::controllers::action::Rest;
use crate::control::controllers::{Action, Outcome, job};
use crate::scenario::model::{Component, Flags};
use crate::units::{SimDuration, SimTime};
use slotmap::SlotMap;
use std::collections::{BTreeMap, VecDeque};

slotmap::new_key_type! {
    /// The requests of one sync, while they are under way.
    pub struct FlightId;
}

/// What is synced: a controller, and the object where it has one queue key per object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The deployment controller.
    Deployment(DeploymentId),
    /// The replicaset controller.
    ReplicaSet(OwnerId),
    /// The endpointslice controller.
    EndpointSlice(ServiceId),
    /// The horizontal-pod-autoscaler controller.
    Hpa(HpaId),
    /// The disruption controller.
    Disruption(PdbId),
    /// The node-lifecycle controller.
    NodeLifecycle,
    /// The taint-eviction controller.
    TaintEviction,
    /// The pod garbage collector.
    PodGc,
    /// The cluster autoscaler.
    ClusterAutoscaler,
    /// The replicaset controller as that of ReplicationControllers.
    ReplicationController(OwnerId),
    /// The statefulset controller.
    StatefulSet(OwnerId),
    /// The daemonset controller.
    DaemonSet(OwnerId),
    /// The job controller.
    Job(OwnerId),
    /// The cronjob controller.
    CronJob(CronJobId),
    /// The garbage collector.
    GarbageCollector,
    /// The job controller's queue of pods that no Job is going to count.
    OrphanPods,
    /// The ttl-after-finished controller.
    TtlAfterFinished(OwnerId),
    /// The resourcequota controller.
    ResourceQuota(QuotaId),
    /// The namespace controller.
    Namespace(NamespaceId),
    /// The persistentvolume-binder's queue of claims.
    Claim(ClaimId),
    /// Its queue of volumes.
    Volume(VolumeId),
    /// The attachdetach controller.
    AttachDetach,
    /// KEDA's loop over a ScaledObject, by its place among those of the manifests.
    ScaledObject(usize),
    /// The loop of vpa-recommender.
    VpaRecommender,
    /// The loop of vpa-updater.
    VpaUpdater,
    /// Karpenter.
    Karpenter,
}

impl Key {
    /// Index of its controller.
    fn controller(self) -> usize {
        match self {
            Key::Deployment(_) => 0,
            Key::ReplicaSet(_) => 1,
            Key::EndpointSlice(_) => 2,
            Key::Hpa(_) => 3,
            Key::Disruption(_) => 4,
            Key::NodeLifecycle => 5,
            Key::TaintEviction => 6,
            Key::PodGc => 7,
            Key::ClusterAutoscaler => 8,
            Key::ReplicationController(_) => 9,
            Key::StatefulSet(_) => 10,
            Key::DaemonSet(_) => 11,
            Key::Job(_) | Key::OrphanPods => 12,
            Key::CronJob(_) => 13,
            Key::GarbageCollector => 14,
            Key::TtlAfterFinished(_) => 15,
            Key::ResourceQuota(_) => 16,
            Key::Namespace(_) => 17,
            Key::Claim(_) => 18,
            Key::Volume(_) => 19,
            Key::AttachDetach => 20,
            Key::ScaledObject(_) => 21,
            Key::VpaRecommender => 22,
            Key::VpaUpdater => 23,
            Key::Karpenter => 24,
        }
    }

    /// The component that its controller is part of.
    pub fn component(self) -> Component {
        match self {
            Key::ClusterAutoscaler => Component::ClusterAutoscaler,
            _ => Component::ControllerManager,
        }
    }

    /// The key of what controls pods.
    pub fn of_owner(id: OwnerId, owner: &Owner) -> Key {
        match owner {
            Owner::ReplicaSet(set) if set.is_controller => Key::ReplicationController(id),
            Owner::ReplicaSet(_) => Key::ReplicaSet(id),
            Owner::StatefulSet(_) => Key::StatefulSet(id),
            Owner::DaemonSet(_) => Key::DaemonSet(id),
            Owner::Job(_) => Key::Job(id),
        }
    }

    /// `source.component` of its Events.
    pub fn source(self) -> &'static str {
        COMPONENTS[self.controller()]
    }
}

/// `source.component` of the controllers' Events, by index.
const COMPONENTS: [&str; 25] = [
    "deployment-controller",
    "replicaset-controller",
    "endpoint-slice-controller",
    "horizontal-pod-autoscaler",
    "controllermanager",
    "node-controller",
    "taint-eviction-controller",
    "pod-garbage-collector",
    "cluster-autoscaler",
    "replication-controller",
    "statefulset-controller",
    "daemonset-controller",
    "job-controller",
    "cronjob-controller",
    "garbage-collector-controller",
    "ttl-after-finished-controller",
    "resourcequota-controller",
    "namespace-controller",
    "persistentvolume-controller",
    "persistentvolume-controller",
    "attachdetach-controller",
    "keda-operator",
    "vpa-recommender",
    "vpa-updater",
    "karpenter",
];

/// `--kube-api-qps` of the Vertical Pod Autoscaler's components.
const VPA_QPS: f64 = 50.0;
/// `--kube-api-burst`.
const VPA_BURST: u32 = 100;
/// Index of the namespace controller.
const NAMESPACE: usize = 17;

/// Client and workers of one controller.
#[derive(Debug)]
struct Controller {
    client: TokenBucket,
    workers_free: u32,
    /// Keys that wait for a worker.
    waiting: VecDeque<Key>,
    /// Which of its Events are told.
    correlator: Correlator,
}

/// A key in its work queue.
#[derive(Clone, Copy, Debug)]
struct Queued {
    /// When it is due; never: it is not queued.
    due: SimTime,
    /// When it becomes due: its place in the delaying queue (`AddAfter`), where a later one gives
    /// way to an earlier one but not to one that is due at once. Syncs that failed put it there.
    later: SimTime,
    /// It is being synced, or its writes have not come back on the watch.
    busy: bool,
    /// It waits for a worker.
    waiting: bool,
    /// Failed syncs in a row (`NumRequeues`).
    failures: u32,
}

/// The requests of one sync.
struct Flight {
    key: Key,
    batches: VecDeque<Vec<Option<Action>>>,
    outstanding: usize,
    /// A request of its first half was refused.
    failed: bool,
    /// The first refusal whose reason is told.
    refusal: Option<Refusal>,
    /// What comes after the batches.
    rest: Option<Rest>,
    /// The sync has failed for a reason of its own.
    is_error: bool,
    /// A request of it did not get through to the API server.
    unheard: bool,
}

/// Whether a request is to the cloud, which has an API of its own.
fn is_of_cloud(action: &Action) -> bool {
    matches!(
        action,
        Action::IncreaseGroup { .. }
            | Action::DecreaseTarget { .. }
            | Action::DeleteMachine { .. }
            | Action::LaunchMachine(_)
            | Action::CancelMachine { .. }
    )
}

/// All work queues.
pub struct WorkQueues {
    controllers: Vec<Controller>,
    keys: BTreeMap<Key, Queued>,
    flights: SlotMap<FlightId, Flight>,
}

impl WorkQueues {
    /// Empty queues with the clients and workers that the flags give.
    pub fn new(flags: &Flags) -> WorkQueues {
        let controllers = WorkQueues::controllers(flags);
        WorkQueues { controllers, keys: BTreeMap::new(), flights: SlotMap::with_key() }
    }

    /// A component is gone with its queues and clients, and with all that they had to send.
    pub(super) fn stop(&mut self, component: Component, flags: &Flags) {
        let fresh = WorkQueues::controllers(flags);
        let stops = |index: usize| {
            let is_autoscaler = index == Key::ClusterAutoscaler.controller();
            is_autoscaler == (component == Component::ClusterAutoscaler)
        };
        for (index, controller) in fresh.into_iter().enumerate().filter(|(at, _)| stops(*at)) {
            self.controllers[index] = controller;
        }
        self.keys.retain(|key, _| key.component() != component);
        self.flights.retain(|_, flight| flight.key.component() != component);
    }

    /// The controllers with nothing to do.
    fn controllers(flags: &Flags) -> Vec<Controller> {
        let autoscaler = flags.cluster_autoscaler.clone().unwrap_or_default();
        let karpenter = flags.karpenter;
        let flags = &flags.controller_manager;
        let workers = [
            flags.concurrent_deployment_syncs,
            flags.concurrent_replicaset_syncs,
            flags.concurrent_service_endpoint_syncs,
            // --concurrent-horizontal-pod-autoscaler-syncs
            5,
            // One loop each: disruption, node lifecycle, taint eviction, pod GC, autoscaler.
            1,
            1,
            1,
            1,
            1,
            // --concurrent-rc-syncs, -statefulset-syncs, -daemonset-syncs, -job-syncs,
            // -cron-job-syncs
            5,
            5,
            2,
            5,
            5,
            // One loop: what it finds is deleted side by side (--concurrent-gc-syncs 20).
            1,
            // --concurrent-ttl-after-finished-syncs
            5,
            // --concurrent-resource-quota-syncs, -namespace-syncs
            5,
            10,
            // One loop each: claims, volumes, attachments.
            1,
            1,
            1,
            // KEDA_SCALEDOBJECT_CTRL_MAX_RECONCILES
            5,
            // One loop each: vpa-recommender, vpa-updater.
            1,
            1,
            // Karpenter: one loop.
            1,
        ];
        let controller = |n: u32| Controller {
            client: TokenBucket::new(flags.kube_api_qps, flags.kube_api_burst),
            workers_free: n,
            waiting: VecDeque::new(),
            correlator: Correlator::default(),
        };
        let mut controllers: Vec<Controller> = workers.into_iter().map(controller).collect();
        // No part of the controller manager: it has a client of its own.
        controllers[Key::ClusterAutoscaler.controller()].client =
            TokenBucket::new(autoscaler.kube_client_qps, autoscaler.kube_client_burst);
        // Neither are these two.
        for key in [Key::VpaRecommender, Key::VpaUpdater] {
            controllers[key.controller()].client = TokenBucket::new(VPA_QPS, VPA_BURST);
        }
        controllers[Key::Karpenter.controller()].client =
            TokenBucket::new(karpenter.kube_client_qps, karpenter.kube_client_burst);
        // A namespace is to be emptied fast.
        controllers[NAMESPACE].client =
            TokenBucket::new(flags.kube_api_qps * 20.0, flags.kube_api_burst * 100);
        controllers
    }
}

impl WorkQueues {
    /// The memory of a controller's event recorder; `None`: it is no controller here.
    pub(super) fn correlator(&mut self, component: &str) -> Option<&mut Correlator> {
        let index = COMPONENTS.iter().position(|known| *known == component)?;
        Some(&mut self.controllers[index].correlator)
    }

    /// Whether a request that is under way is to the cloud.
    pub(super) fn asks_cloud(&self, flight: FlightId, index: u32) -> bool {
        let batch = self.flights.get(flight).and_then(|flight| flight.batches.front());
        let action = batch.and_then(|batch| batch.get(index as usize)?.as_ref());
        action.is_some_and(is_of_cloud)
    }

    /// Whether a key is neither queued nor in work.
    pub(super) fn is_idle(&self, key: Key) -> bool {
        self.keys.get(&key).is_none_or(Queued::is_idle)
    }

    /// Forgets a key of which nothing is to be remembered: its object may be gone.
    fn forget_if_idle(&mut self, key: Key) {
        if self.keys.get(&key).is_some_and(|queued| queued.is_idle() && queued.failures == 0) {
            self.keys.remove(&key);
        }
    }
}

/// First delay of the work queue's exponential back-off (`DefaultTypedControllerRateLimiter`).
const RETRY_BASE: SimDuration = SimDuration::from_millis(5);
/// Its longest delay.
const RETRY_MAX: SimDuration = SimDuration::from_secs(1000);
/// That of namespaces (`nsControllerRateLimiter`).
const RETRY_MAX_NAMESPACE: SimDuration = SimDuration::from_secs(60);

impl Queued {
    const EMPTY: Queued = Queued {
        due: SimTime::NEVER,
        later: SimTime::NEVER,
        busy: false,
        waiting: false,
        failures: 0,
    };
}

impl Queued {
    fn is_idle(&self) -> bool {
        let is_queued = self.due != SimTime::NEVER || self.later != SimTime::NEVER;
        !is_queued && !self.busy && !self.waiting
    }
}

impl Key {
    /// Whether it is that of a Job: there are ever new ones.
    fn is_passing(self) -> bool {
        matches!(self, Key::Job(_) | Key::TtlAfterFinished(_))
    }

    /// Whether its controller puts keys off on purpose, beside those that are due at once.
    fn is_delayed(self) -> bool {
        matches!(self, Key::Job(_) | Key::CronJob(_))
    }

    /// First and longest delay of its queue's exponential back-off.
    fn retries(self) -> (SimDuration, SimDuration) {
        match self {
            Key::Job(_) | Key::OrphanPods => (job::RETRY_FIRST, job::RETRY_LONGEST),
            Key::Namespace(_) => (RETRY_BASE, RETRY_MAX_NAMESPACE),
            _ => (RETRY_BASE, RETRY_MAX),
        }
    }
}

impl World<'_> {
    /// Puts a key into its work queue, due at `at` or when it was due before, if that is earlier.
    pub(super) fn enqueue(&mut self, key: Key, at: SimTime) {
        if at == SimTime::NEVER || self.leaders.is_away(key.component()) {
            return;
        }
        let queued = self.queues.keys.entry(key).or_insert(Queued::EMPTY);
        if at >= queued.due {
            return;
        }
        queued.due = at;
        if !queued.busy && !queued.waiting {
            self.plan(at, Event::Sync(key));
        }
    }

    /// Puts a key into its delaying queue, unless it is there for an earlier time.
    pub(super) fn enqueue_later(&mut self, key: Key, at: SimTime) {
        if self.leaders.is_away(key.component()) {
            return;
        }
        let queued = self.queues.keys.entry(key).or_insert(Queued::EMPTY);
        if at < queued.later {
            queued.later = at;
            self.plan(at, Event::Sync(key));
        }
    }

    /// Puts a key into its queue for when it asked to be synced again.
    fn wake(&mut self, key: Key, at: SimTime) {
        if key.is_delayed() {
            self.enqueue_later(key, at);
        } else {
            self.enqueue(key, at);
        }
    }

    /// Enqueues a key for when a watcher sees what changed now.
    pub(super) fn notify(&mut self, key: Key) {
        let at = self.seen_by(key.component());
        self.enqueue(key, at);
    }

    /// Enqueues what controls pods for when its controller sees what changed now.
    pub(super) fn notify_owner(&mut self, id: OwnerId) {
        if let Some(owner) = self.store.owner(id) {
            let key = Key::of_owner(id, owner);
            if key.is_delayed() {
                // What a Job hears of gathers for a while.
                let at = self.seen_by(key.component());
                self.enqueue_later(key, at + job::BATCH_PERIOD);
            } else {
                self.notify(key);
            }
        }
    }

    /// A key may be due: a worker takes it.
    pub(super) fn on_sync(&mut self, key: Key) {
        let now = self.now;
        let Some(queued) = self.queues.keys.get_mut(&key) else { return };
        if queued.later <= now {
            queued.later = SimTime::NEVER;
            queued.due = queued.due.min(now);
        }
        if queued.due > now || queued.busy || queued.waiting {
            // Overtaken: it was synced earlier, or waits already.
            return;
        }
        let controller = &mut self.queues.controllers[key.controller()];
        if controller.workers_free == 0 {
            queued.waiting = true;
            controller.waiting.push_back(key);
            return;
        }
        queued.due = SimTime::NEVER;
        queued.busy = true;
        controller.workers_free -= 1;
        let outcome = self.sync(key);
        self.dispatch(key, outcome);
    }

    /// Sends what a sync came to.
    fn dispatch(&mut self, key: Key, outcome: Outcome) {
        let mut next = Some(outcome);
        let (mut failed, mut wake_at) = (false, SimTime::NEVER);
        while let Some(outcome) = next.take() {
            let (batches, events) = self.unpack(key, outcome.batches);
            failed |= outcome.is_error;
            if !batches.is_empty() {
                let flight = Flight {
                    key,
                    batches,
                    outstanding: 0,
                    failed: false,
                    refusal: None,
                    rest: outcome.rest,
                    is_error: failed,
                    unheard: false,
                };
                let id = self.queues.flights.insert(flight);
                self.send_batch(id);
                self.take_tokens(key, events);
                self.wake(key, outcome.wake_at.min(wake_at));
                return;
            }
            self.take_tokens(key, events);
            wake_at = wake_at.min(outcome.wake_at);
            next = outcome.rest.map(|rest| rest(&self.store, None, self.now));
        }
        self.release_worker(key);
        self.note_end(key, failed);
        self.set_idle(key, false);
        self.come_back(key);
        self.wake(key, wake_at);
        self.retry(key);
    }

    /// Publishes the Events of some batches; their requests, and how many Events were told.
    fn unpack(
        &mut self,
        key: Key,
        batches: Vec<Vec<Action>>,
    ) -> (VecDeque<Vec<Option<Action>>>, usize) {
        let mut out: VecDeque<Vec<Option<Action>>> = VecDeque::new();
        let mut events = 0;
        for batch in batches {
            let mut requests = Vec::new();
            for action in batch {
                if let Action::Event { kind, reason, about, message } = action {
                    let told = self.publish(key.source(), kind, reason, about, message);
                    events += usize::from(told);
                } else {
                    requests.push(Some(action));
                }
            }
            if !requests.is_empty() {
                out.push_back(requests);
            }
        }
        (out, events)
    }

    /// A flight's batches are over: what comes after them is sent, if anything does.
    fn go_on(&mut self, id: FlightId) -> bool {
        let flight = &mut self.queues.flights[id];
        let key = flight.key;
        let Some(rest) = flight.rest.take() else { return false };
        let refusal = flight.refusal.take();
        let outcome = rest(&self.store, refusal.as_ref(), self.now);
        let (batches, events) = self.unpack(key, outcome.batches);
        let flight = &mut self.queues.flights[id];
        (flight.batches, flight.rest) = (batches, outcome.rest);
        flight.is_error |= std::mem::take(&mut flight.failed) | outcome.is_error;
        let sends = !flight.batches.is_empty();
        if sends {
            self.send_batch(id);
        }
        self.take_tokens(key, events);
        self.wake(key, outcome.wake_at);
        sends || self.go_on(id)
    }

    /// Events share the client's rate with requests, but nobody waits for them: they take their
    /// tokens behind the requests of the same sync.
    fn take_tokens(&mut self, key: Key, n: usize) {
        for _ in 0..n {
            self.take_token(key);
        }
    }

    pub(super) fn take_token(&mut self, key: Key) -> SimTime {
        self.queues.controllers[key.controller()].client.take(self.now)
    }

    /// Objects beside the scenario's own take tokens of every controller's client.
    pub(super) fn neighbors_ask(&mut self, most: u32, index: usize) {
        let now = self.now;
        let mut stream = self.streams.stream("neighbors", index as u64);
        for controller in &mut self.queues.controllers {
            for _ in 0..stream.below(u64::from(most) + 1) {
                controller.client.take(now);
            }
        }
    }

    fn send_batch(&mut self, id: FlightId) {
        let flight = &mut self.queues.flights[id];
        let key = flight.key;
        let n = flight.batches.front().map_or(0, Vec::len);
        flight.outstanding = n;
        for index in 0..n {
            let flight = &self.queues.flights[id];
            let request = flight.batches.front().and_then(|batch| batch[index].as_ref());
            let granted = match request {
                Some(action) if is_of_cloud(action) => self.now,
                _ => self.take_token(key),
            };
            self.send(granted, Event::Request { flight: id, index: index as u32 });
        }
    }

    /// Whether a request that is under way asks for a new pod.
    pub(super) fn creates_pod(&self, flight: FlightId, index: u32) -> bool {
        let batch = self.queues.flights.get(flight).and_then(|flight| flight.batches.front());
        let action = batch.and_then(|batch| batch.get(index as usize)?.as_ref());
        let creates = |action: &Action| {
            matches!(
                action,
                Action::CreatePod { .. }
                    | Action::CreatePodAs { .. }
                    | Action::CreateIndexPod { .. }
            )
        };
        action.is_some_and(creates)
    }

    /// A request reaches the API server, which does it and answers.
    pub(super) fn on_request(&mut self, id: FlightId, index: u32) {
        let Some(flight) = self.queues.flights.get_mut(id) else { return };
        let action = flight.batches.front_mut().and_then(|batch| batch[index as usize].take());
        let key = flight.key;
        self.refused = None;
        let is_heard = !self.goes_unheard() || action.as_ref().is_some_and(is_of_cloud);
        let done = is_heard && action.is_none_or(|action| self.apply(key, action));
        let refusal = self.refused.take();
        let flight = &mut self.queues.flights[id];
        flight.failed |= !done;
        flight.unheard |= !is_heard;
        flight.refusal = flight.refusal.take().or(refusal);
        flight.outstanding -= 1;
        if flight.outstanding > 0 {
            return;
        }
        flight.batches.pop_front();
        if !flight.failed && !flight.batches.is_empty() {
            self.send_batch(id);
            return;
        }
        if self.go_on(id) {
            return;
        }
        let flight = &self.queues.flights[id];
        let (failed, unheard) = (flight.failed || flight.is_error, flight.unheard);
        self.queues.flights.remove(id);
        if unheard {
            self.look_anew(key);
        }
        self.release_worker(key);
        self.note_end(key, failed);
        self.come_back(key);
        // Not synced again before its own writes are seen: what upstream has expectations for.
        self.plan(self.now + self.scenario.flags.api_server.watch_latency, Event::SyncDone(key));
    }

    /// A sync is over: the work queue counts failures in a row. Autoscalers come back at their own
    /// pace, whether they have failed or not.
    fn note_end(&mut self, key: Key, failed: bool) {
        let at_own_pace = matches!(key, Key::Hpa(_) | Key::VpaRecommender | Key::VpaUpdater);
        let failed = failed && !at_own_pace;
        if let Some(queued) = self.queues.keys.get_mut(&key) {
            queued.failures = if failed { queued.failures + 1 } else { 0 };
        }
    }

    /// An autoscaler whose sync is over is synced again a period later.
    fn come_back(&mut self, key: Key) {
        if let Key::Hpa(id) = key {
            self.hpa_synced(id);
        }
    }

    /// A key's writes have come back: it may be synced again.
    pub(super) fn on_sync_done(&mut self, key: Key) {
        self.set_idle(key, true);
        self.retry(key);
    }

    /// A key whose sync has failed comes back after a while; other syncs don't make that later.
    fn retry(&mut self, key: Key) {
        let failures = self.queues.keys.get(&key).map_or(0, |queued| queued.failures);
        if failures > 0 {
            let (first, longest) = key.retries();
            let delay = first * (1u64 << (failures - 1).min(30));
            self.enqueue_later(key, self.now + delay.min(longest));
        }
    }

    fn set_idle(&mut self, key: Key, look_at_due: bool) {
        let now = self.now;
        let Some(queued) = self.queues.keys.get_mut(&key) else { return };
        queued.busy = false;
        let due = queued.due;
        if look_at_due && due != SimTime::NEVER {
            self.plan(due.max(now), Event::Sync(key));
        }
        if key.is_passing() {
            self.queues.forget_if_idle(key);
        }
    }

    fn release_worker(&mut self, key: Key) {
        let controller = &mut self.queues.controllers[key.controller()];
        controller.workers_free += 1;
        if let Some(next) = controller.waiting.pop_front() {
            if let Some(queued) = self.queues.keys.get_mut(&next) {
                queued.waiting = false;
            }
            self.plan(self.now, Event::Sync(next));
        }
    }
}
