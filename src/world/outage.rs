//! The API server is away: what its clients do without it, and how they find back.
//!
//! While it is down no request gets through and every watch is silent. Containers and traffic go
//! on; what kubelets find out about their pods they keep and report when they reach the server
//! again. Each client comes back with a back-off of its own ([`super::reconnect`]). Who leads when
//! is in [`super::leaders`]. It knows no controller's reasons.

use super::event::Event;
use super::kubelet::{Containers, PodState};
use super::reconnect;
use super::world::World;
use crate::api::node::NodeReady;
use crate::api::{NodeId, PodId};
use crate::record::rows::EventRow;
use crate::scenario::model::Component;
use crate::store::Change;
use crate::units::{OptionalTime, SimDuration, SimTime};
use std::collections::BTreeMap;

/// How long the sender of an Event tries to get it through: 12 times, each ten seconds (client-go
/// `tools/record/event.go`, `maxTriesPerEvent`, `defaultSleepDuration`).
const EVENT_PATIENCE: SimDuration = SimDuration::from_secs(120);
/// Events that a recorder holds meanwhile (`maxQueuedEvents`).
const EVENTS_HELD: usize = 1000;

/// What is known of outages.
#[derive(Default)]
pub(super) struct Outages {
    present: Option<Box<Outage>>,
    aftermath: Option<Box<Aftermath>>,
    /// When the API server came back last.
    pub(super) returned: SimTime,
    /// How many there have been.
    count: u64,
}

/// An outage that lasts.
struct Outage {
    /// Entries of the timeline that keep it down.
    entries: u32,
    since: SimTime,
    /// What has changed on nodes, of which no watcher has heard.
    untold: Vec<Change>,
    /// Events whose senders still try.
    unheard: Vec<EventRow>,
    /// What is to be done when it is back, and since when that is tried.
    held: Vec<(SimTime, Event)>,
}

/// After an outage: who has yet to find the server again.
#[derive(Default)]
struct Aftermath {
    /// Nodes whose kubelets have not reached it: since when, and what they have to tell.
    nodes: BTreeMap<NodeId, Unheard>,
    /// Some have.
    some_are_back: bool,
    /// When kubelets see pods again that are bound or deleted.
    watches: BTreeMap<NodeId, SimTime>,
    /// When the informers of each component are up to date.
    informers: [SimTime; Component::ALL.len()],
    /// When the kube-proxies see endpoints again.
    proxies: SimTime,
}

/// A kubelet that nobody hears.
struct Unheard {
    since: SimTime,
    /// Its lease was due to be renewed meanwhile.
    missed: bool,
    untold: Vec<Change>,
}

impl Outages {
    /// Whether the API server is down.
    pub(super) fn is_down(&self) -> bool {
        self.present.is_some()
    }

    /// Whether what the store says may not have reached all who act on it.
    pub(super) fn is_felt(&self) -> bool {
        self.present.is_some() || self.aftermath.as_ref().is_some_and(|a| !a.nodes.is_empty())
    }

    /// Since when a kubelet does not reach the API server; `None`: it does.
    pub(super) fn cut_off_since(&self, node: NodeId) -> Option<SimTime> {
        let waits = self.aftermath.as_ref().and_then(|a| a.nodes.get(&node));
        waits.map(|one| one.since).or_else(|| self.present.as_ref().map(|outage| outage.since))
    }

    /// Keeps an Event until the server is back.
    pub(super) fn keep_event(&mut self, row: EventRow) {
        if let Some(outage) = self.present.as_mut().filter(|o| o.unheard.len() < EVENTS_HELD) {
            outage.unheard.push(row);
        }
    }

    /// Keeps what is to be done until the server is back.
    pub(super) fn hold(&mut self, now: SimTime, event: Event) {
        if let Some(outage) = &mut self.present {
            outage.held.push((now, event));
        }
    }

    /// Keeps a change that no watch brings; gives it back if watches work.
    pub(super) fn keep_change(&mut self, change: Change) -> Option<Change> {
        match &mut self.present {
            None => Some(change),
            Some(outage) => {
                outage.untold.push(change);
                None
            }
        }
    }

    /// Whether the node lifecycle controller can trust what it sees of leases
    /// (`NodeControllerLeaseCircuitBreaker`, on by default in 1.37): it asks for the lease of a
    /// node before it calls it silent, and does nothing about any node once its cache is found to
    /// be behind.
    pub(super) fn leases_can_be_trusted(&self, now: SimTime) -> bool {
        let is_behind = |a: &Aftermath| {
            a.some_are_back && now < a.informers[Component::ControllerManager as usize]
        };
        !self.is_down() && !self.aftermath.as_deref().is_some_and(is_behind)
    }
}

impl World<'_> {
    /// The API server is gone: connections are refused.
    pub(super) fn api_server_goes_down(&mut self) {
        let since = self.now;
        if let Some(outage) = &mut self.outages.present {
            outage.entries += 1;
            return;
        }
        let (untold, unheard, held) = Default::default();
        let outage = Outage { entries: 1, since, untold, unheard, held };
        self.outages.present = Some(Box::new(outage));
        self.leaders_are_cut_off();
    }

    /// The API server answers again.
    pub(super) fn api_server_returns(&mut self) {
        match &mut self.outages.present {
            Some(outage) if outage.entries > 1 => {
                outage.entries -= 1;
                return;
            }
            _ => {}
        }
        let Some(outage) = self.outages.present.take() else { return };
        self.outages.returned = self.now;
        self.outages.count += 1;
        for mut row in outage.unheard {
            if self.now.since(row.time) <= EVENT_PATIENCE {
                row.time = self.now;
                self.log_event(&row);
                self.recorder.event(&row);
            }
        }
        self.clients_look_for_the_server(outage.since);
        self.deliver(outage.untold);
        for (asked, event) in outage.held {
            self.plan(reconnect::registration(asked, self.now), event);
        }
        self.leaders_find_back();
    }

    /// Works out when each client finds the server again.
    fn clients_look_for_the_server(&mut self, since: SimTime) {
        let (now, count) = (self.now, self.outages.count);
        let mut aftermath = self.outages.aftermath.take().unwrap_or_default();
        aftermath.some_are_back = false;
        let watch = |entity: u64| {
            let mut stream = self.streams.stream("watch again", entity | count << 32);
            reconnect::watch(since, now, &mut stream)
        };
        for component in Component::ALL {
            aftermath.informers[component as usize] = watch(component as u64);
        }
        aftermath.proxies = watch(Component::ALL.len() as u64);
        let period = self.scenario.flags.kubelet.lease_renew_interval;
        let mut back = Vec::new();
        for (node, object) in self.store.nodes() {
            let Some(state) = self.nodes.get(node) else { continue };
            aftermath.watches.insert(node, watch(object.uid + 16));
            if !state.alive || state.silent_since.is_some() {
                continue;
            }
            let due = since.next_on_grid(state.lease_phase, period);
            let missed = due < now;
            let waits = aftermath.nodes.entry(node);
            let waits = waits.or_insert(Unheard { since, missed: false, untold: Vec::new() });
            waits.missed |= missed;
            back.push((if missed { reconnect::lease(due, now) } else { now }, node));
        }
        self.outages.aftermath = Some(aftermath);
        for (at, node) in back {
            self.plan(at, Event::Reconnects(node));
            self.heartbeats_changed(node);
        }
        self.dead_nodes_were_silent_since(since);
    }

    /// A machine that died meanwhile has not been heard of since the outage began.
    fn dead_nodes_were_silent_since(&mut self, since: SimTime) {
        for state in self.nodes.values_mut() {
            if let Some(silent) = state.silent_since.get().filter(|silent| *silent > since) {
                state.silent_since = silent.min(since).into();
            }
        }
    }

    /// What has changed meanwhile is told: by each kubelet when it reaches the server.
    fn deliver(&mut self, changes: Vec<Change>) {
        for change in changes {
            let node = match &change {
                Change::PodUpdated(id) | Change::PodCreated(id) | Change::PodBound(id) => {
                    self.store.pod(*id).and_then(|pod| pod.node)
                }
                Change::NodeUpdated(id) => Some(*id),
                _ => None,
            };
            let aftermath = self.outages.aftermath.as_deref_mut();
            let waits = aftermath.zip(node).and_then(|(a, node)| a.nodes.get_mut(&node));
            match waits {
                Some(waits) => waits.untold.push(change),
                None => self.tell(change),
            }
        }
    }

    /// A kubelet has reached the API server again: it renews its lease and reports.
    pub(super) fn on_reconnects(&mut self, node: NodeId) {
        if self.outages.is_down() {
            return;
        }
        let Some(aftermath) = &mut self.outages.aftermath else { return };
        let Some(waits) = aftermath.nodes.remove(&node) else { return };
        aftermath.some_are_back = true;
        waits.untold.into_iter().for_each(|change| self.tell(change));
        let Some(state) = self.nodes.get_mut(node) else { return };
        if waits.missed {
            state.lease_phase = self.now;
        }
        let unreported = std::mem::take(&mut state.unreported);
        if self.store.node(node).is_some_and(|n| n.ready == NodeReady::Unknown) {
            self.node_reports_ready(node);
        }
        for (pod, incarnation, step) in unreported {
            self.on_kubelet(pod, incarnation, step);
        }
        self.pods_are_ready_after_all(node);
        self.heartbeats_changed(node);
    }

    /// Pods of a node that was called silent were marked not ready; their kubelet knows better.
    pub(super) fn pods_are_ready_after_all(&mut self, node: NodeId) {
        for pod in self.store.pods_on(node).to_vec() {
            let runs = |state: &PodState| state.containers == Containers::Running;
            let waits = self.store.pod(pod).is_some_and(|p| !p.ready && p.deletion.is_none());
            if waits && self.pods.get(pod).is_some_and(runs) && self.is_up(pod) {
                self.store.set_pod_ready(pod, true, self.now);
            }
        }
    }

    /// The containers of a pod that goes have ended, and the API server is not there to be told.
    pub(super) fn stops_unheard(&mut self, pod: PodId) {
        let now = self.now;
        if let Some(state) = self.pods.get_mut(pod) {
            state.containers = Containers::Ended;
        }
        self.containers_change(pod);
        self.network.set_alive(now, pod, false);
        self.traffic_changed = true;
    }

    /// When a watcher in a component sees what changes now.
    pub(super) fn seen_by(&self, component: Component) -> SimTime {
        let from = self.outages.aftermath.as_ref().map(|a| a.informers[component as usize]);
        self.now.max(from.unwrap_or(SimTime::ZERO)) + self.watch_latency()
    }

    /// When a node's kubelet sees what changes now.
    pub(super) fn seen_on(&self, node: Option<NodeId>) -> SimTime {
        let watches = self.outages.aftermath.as_ref().map(|a| &a.watches);
        let from = watches.zip(node).and_then(|(watches, node)| watches.get(&node).copied());
        self.now.max(from.unwrap_or(SimTime::ZERO)) + self.watch_latency()
    }

    /// When the kube-proxies see what changes now.
    pub(super) fn seen_by_proxies(&self) -> SimTime {
        let from = self.outages.aftermath.as_ref().map(|a| a.proxies);
        self.now.max(from.unwrap_or(SimTime::ZERO)) + self.watch_latency()
    }

    /// A component has listed everything anew: it waits for no watch of before.
    pub(super) fn lists_anew(&mut self, component: Component) {
        if let Some(aftermath) = &mut self.outages.aftermath {
            aftermath.informers[component as usize] = self.now;
        }
    }

    /// Since when a kubelet has not been heard of; `None`: it is.
    pub(super) fn unheard_since(&self, node: NodeId) -> Option<SimTime> {
        let own = self.nodes.get(node).map_or(OptionalTime::NONE, |state| state.silent_since);
        let cut_off = self.outages.cut_off_since(node);
        let unrenewed = self.unrenewed_since(node);
        own.get().into_iter().chain(cut_off).chain(unrenewed).min()
    }
}
