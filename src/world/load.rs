//! The API server under load: requests that are tried again, given up or refused, and the renewals
//! of leases that this decides about.
//!
//! Only runs with `flags.api-server.max-requests-inflight` come here. A request that is refused
//! with 429 is sent again a second later, ten times at most (client-go `rest/request.go`,
//! `maxRetries`); one that takes too long has failed. While there is such load every lease is
//! renewed by a request of its own; else renewals are computed, not ticked. What the server can
//! bear is in [`super::overload`]. It knows no controller's reasons.

use super::election;
use super::event::Event;
use super::overload::{Answer, Flow, Level};
use super::world::World;
use crate::api::NodeId;
use crate::api::node::NodeReady;
use crate::scenario::model::{ApiLoad, Component, Happening};
use crate::units::{SimDuration, SimTime};

/// How often a request is sent again after a 429 (`maxRetries`).
const MOST_TRIES: u8 = 10;
/// What the server asks for with a 429 (`Retry-After`).
const RETRY_AFTER: SimDuration = SimDuration::from_secs(1);
/// A kubelet's client for leases gives up after so long: a quarter of the lease's 40 s.
const LEASE_PATIENCE: SimDuration = SimDuration::from_secs(10);
/// A kubelet tries again to renew a lease after a failure that was none of the server's asking
/// (`lease/controller.go`).
const LEASE_PAUSE: SimDuration = SimDuration::from_millis(200);
/// A kubelet reports a pod's status again that did not get through (`syncPeriod`).
const STATUS_PERIOD: SimDuration = SimDuration::from_secs(10);
/// Waits for a worker from which on every lease is followed.
const STRAIN: SimDuration = SimDuration::from_secs(1);

impl World<'_> {
    /// Sends a request at `sent`, or when it has its client's token.
    pub(super) fn send_under_load(&mut self, sent: SimTime, event: Event, tries: u8) {
        if sent > self.now {
            let id = self.api_server.keep(event, tries);
            return self.plan(sent, Event::Sent(id));
        }
        let work = self.time_of(&event);
        if self.asks_cloud(&event) || self.outages.is_down() {
            return self.plan(self.now + work, event);
        }
        let level = match event {
            Event::Report { .. } => Level::System,
            _ => Level::WorkloadHigh,
        };
        match self.ask(level, work, self.scenario.flags.api_server.request_timeout) {
            Some(Answer::TooMany(at)) if tries < MOST_TRIES => {
                let id = self.api_server.keep(event, tries + 1);
                self.plan(at + RETRY_AFTER, Event::Sent(id));
            }
            Some(Answer::TooMany(at) | Answer::TimedOut(at)) => {
                let id = self.api_server.keep(event, tries);
                self.plan(at, Event::Unanswered(id));
            }
            Some(Answer::Done(at)) => self.plan(at, event),
            None => self.plan(self.now + work, event),
        }
    }

    /// A request comes to the API server; counts how it ends. `None`: nothing is limited.
    fn ask(&mut self, level: Level, work: SimDuration, patience: SimDuration) -> Option<Answer> {
        let now = self.now;
        let overload = self.api_server.overload.as_mut()?;
        let answer = overload.admit(now, level, work, patience);
        let is_strained = overload.wait(now) > STRAIN;
        self.count(answer);
        if is_strained {
            self.watch_renewals();
        }
        Some(answer)
    }

    /// Counts how a request ends.
    fn count(&mut self, answer: Answer) {
        let totals = self.recorder.totals.api.get_or_insert_default();
        match answer {
            Answer::Done(at) => totals.latency.add(at.since(self.now).as_secs_f64(), 1.0),
            Answer::TooMany(_) => totals.refused += 1,
            Answer::TimedOut(_) => totals.timed_out += 1,
        }
    }

    /// A request has failed: it was refused too often, or took too long.
    pub(super) fn on_unanswered(&mut self, id: u32) {
        let Some((event, _)) = self.api_server.take(id) else { return };
        if let Event::Report { .. } = event {
            return self.send_under_load(self.now + STATUS_PERIOD, event, 0);
        }
        self.api_server.is_failing = true;
        self.act(event);
        self.api_server.is_failing = false;
    }

    /// Whether what is asked at present does not get through to the API server.
    pub(super) fn goes_unheard(&self) -> bool {
        self.outages.is_down() || self.api_server.is_failing
    }

    // ---- load of the timeline ----------------------------------------------------------------

    /// Others ask the API server from now on, or no longer.
    pub(super) fn api_load_changes(&mut self, index: usize, begins: bool) {
        let loads = &mut self.api_server.loads;
        loads.retain(|other| *other != index);
        if begins {
            loads.push(index);
        }
        self.flow_follows();
        if begins && self.api_server.overload.is_some() {
            self.watch_every_lease();
        }
    }

    /// The flow of requests is as large as the cluster makes it at present.
    pub(super) fn flow_follows(&mut self) {
        let flags = &self.scenario.flags.api_server;
        let nodes = self.nodes.values().filter(|state| state.alive).count() as f64;
        let (mut rate, mut work) = (0.0, 0.0);
        for index in &self.api_server.loads {
            let Happening::ApiLoad(load) = &self.scenario.timeline[*index].what else { continue };
            let ApiLoad { per_node, rate: fixed, objects } = **load;
            let asks = per_node * nodes + fixed;
            let objects = objects.unwrap_or(self.store.pod_count() as u64);
            let list = flags.list_latency_per_object.as_secs_f64() * objects as f64;
            rate += asks;
            work += asks * (flags.write_latency.as_secs_f64() + list);
        }
        let flow = if rate > 0.0 { Flow { rate, work: work / rate } } else { Flow::default() };
        let now = self.now;
        if let Some(overload) = &mut self.api_server.overload {
            overload.set_flow(now, flow);
            let refused = overload.flow_refused(now);
            self.recorder.totals.api.get_or_insert_default().flow_refused = refused;
        }
    }

    // ---- leases ------------------------------------------------------------------------------

    /// From now on every renewal is a request, if none is yet.
    fn watch_renewals(&mut self) {
        if self.api_server.renewing.is_empty() {
            self.watch_every_lease();
        }
    }

    /// From now on the lease of each node and leader is followed.
    fn watch_every_lease(&mut self) {
        let period = self.scenario.flags.kubelet.lease_renew_interval;
        let next = |phase: SimTime| SimTime(self.now.0 + 1).next_on_grid(phase, period);
        let nodes = self.nodes.iter().filter(|(_, state)| state.alive);
        let nodes: Vec<(NodeId, SimTime)> =
            nodes.map(|(id, state)| (id, next(state.lease_phase))).collect();
        for (node, at) in nodes {
            if self.api_server.renewing.insert(node) {
                self.plan(at, Event::Renews(node));
            }
        }
        for component in Component::ALL {
            self.watch_lead(component);
        }
    }

    /// Whether renewals are to be followed still.
    fn is_strained(&mut self) -> bool {
        let now = self.now;
        self.flow_follows();
        let strained = self.api_server.overload.as_mut().is_some_and(|o| o.is_strained(now));
        strained || !self.api_server.loads.is_empty()
    }

    /// A kubelet renews its lease.
    pub(super) fn on_renews(&mut self, node: NodeId) {
        let period = self.scenario.flags.kubelet.lease_renew_interval;
        let alive = self.nodes.get(node).is_some_and(|s| s.alive && s.silent_since.is_none());
        if !alive || self.store.node(node).is_none() || self.outages.is_down() {
            self.api_server.unrenewed.remove(&node);
            return self.renews_again(node, self.now + period);
        }
        let work = self.scenario.flags.api_server.write_latency;
        let next = match self.ask(Level::NodeHigh, work, LEASE_PATIENCE) {
            Some(Answer::Done(at)) => {
                self.lease_is_renewed(node);
                at + period
            }
            Some(Answer::TooMany(at)) => {
                self.lease_is_not_renewed(node);
                at + RETRY_AFTER
            }
            Some(Answer::TimedOut(at)) => {
                self.lease_is_not_renewed(node);
                at + LEASE_PAUSE
            }
            None => return,
        };
        self.renews_again(node, next);
    }

    /// Goes on following a lease, unless it is renewed and the strain is over.
    fn renews_again(&mut self, node: NodeId, at: SimTime) {
        if self.is_strained() || self.api_server.unrenewed.contains_key(&node) {
            self.plan(at, Event::Renews(node));
        } else {
            self.api_server.renewing.remove(&node);
        }
    }

    fn lease_is_renewed(&mut self, node: NodeId) {
        if let Some(state) = self.nodes.get_mut(node) {
            state.lease_phase = self.now;
        }
        if self.api_server.unrenewed.remove(&node).is_none() {
            return;
        }
        if self.store.node(node).is_some_and(|n| n.ready == NodeReady::Unknown) {
            self.node_reports_ready(node);
            self.pods_are_ready_after_all(node);
        }
        self.heartbeats_changed(node);
    }

    fn lease_is_not_renewed(&mut self, node: NodeId) {
        self.recorder.totals.api.get_or_insert_default().renewals_failed += 1;
        if self.api_server.unrenewed.contains_key(&node) {
            return;
        }
        let before = SimTime(self.now.0.saturating_sub(1));
        let last = self.last_heartbeat_of(node, before);
        self.api_server.unrenewed.insert(node, last);
        self.heartbeats_changed(node);
    }

    /// A leader renews its lease; it gives up when it could not for too long.
    pub(super) fn on_renews_lead(&mut self, component: Component, term: u32) {
        let Some((rules, renewed)) = self.leaders.lease_of(component, term) else { return };
        let due = election::gives_up(&rules, renewed);
        if self.now >= due {
            return self.gives_up(component);
        }
        let next = match self.ask_for_lead(component) {
            Ok(at) => {
                self.leaders.lead_is_renewed(component, self.now);
                at + rules.retry_period
            }
            Err(at) => {
                self.recorder.totals.api.get_or_insert_default().renewals_failed += 1;
                at.max(self.now + rules.retry_period).min(due)
            }
        };
        if self.is_strained() || next == due {
            self.plan(next, Event::RenewsLead(component, term));
        } else {
            self.leaders.is_computed(component);
        }
    }

    /// A leader or candidate asks for its lease: when it has it, or when it knows that it has not.
    pub(super) fn ask_for_lead(&mut self, component: Component) -> Result<SimTime, SimTime> {
        if self.outages.is_down() {
            return Err(self.now);
        }
        let work = self.scenario.flags.api_server.write_latency;
        // The client's timeout (`cmd/kube-controller-manager/app/options/options.go`).
        let patience = SimDuration(self.leaders.rules_of(component).renew_deadline.0 / 2);
        match self.ask(Level::LeaderElection, work, patience) {
            Some(Answer::TooMany(at)) => Err(at + RETRY_AFTER),
            Some(Answer::TimedOut(at)) => Err(at),
            Some(Answer::Done(at)) => Ok(at),
            None => Ok(self.now),
        }
    }

    /// Follows the lease of a component's leader, while leases are followed.
    pub(super) fn watch_lead(&mut self, component: Component) {
        if !self.api_server.renewing.is_empty()
            && let Some((at, term)) = self.leaders.next_renewal(component, self.now)
        {
            self.plan(at, Event::RenewsLead(component, term));
        }
    }

    /// Whether a request goes to the cloud, which has an API of its own.
    fn asks_cloud(&self, event: &Event) -> bool {
        match event {
            Event::Request { flight, index } => self.queues.asks_cloud(*flight, *index),
            _ => false,
        }
    }

    /// Since when the kubelet of a node fails to renew its lease; `None`: it does not.
    pub(super) fn unrenewed_since(&self, node: NodeId) -> Option<SimTime> {
        self.api_server.unrenewed.get(&node).copied()
    }
}
