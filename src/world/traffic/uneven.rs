//! Services whose requests are not shared evenly among their pods.
//!
//! They are those whose clients stick to pods ([`super::clients`]), those whose requests stay near
//! ([`super::near`]), those with a load balancer that picks nodes itself, and all others in front
//! of the same pods. Such pods have queues of their own.

use super::arriving::Arriving;
use super::clients::Clients;
use super::network::{Endpoint, Network};
use super::station::Station;
use crate::api::PodId;
use crate::sim::rng::Streams;
use crate::units::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// Kinds of pods among which one like the next pod is looked for.
const KINDS: usize = 8;

/// What a load balancer does with its requests.
#[derive(Clone, Debug, Default)]
pub(super) struct Balanced {
    /// Requests a second through it.
    rate: f64,
    /// Shares of pods; what is missing to 1 fails.
    shares: BTreeMap<PodId, f64>,
}

impl Balanced {
    /// Share of the requests that reach no pod.
    fn lost(&self) -> f64 {
        (1.0 - self.shares.values().sum::<f64>()).max(0.0)
    }
}

impl Network {
    /// Pods that a Service's requests are routed to.
    pub fn routed(&self, service: usize) -> &[PodId] {
        &self.fronts[service].routed
    }

    /// A load balancer shares its requests so among pods from now on, what is missing to 1 fails;
    /// `None`: it knows no pods.
    pub fn set_balanced(&mut self, service: usize, shares: Option<BTreeMap<PodId, f64>>) {
        let balanced = &mut self.fronts[service].balanced;
        match shares {
            Some(shares) => balanced.get_or_insert_default().shares = shares,
            None => *balanced = None,
        }
    }

    /// Whether there is such a load balancer.
    pub fn is_balanced(&self, service: usize) -> bool {
        self.fronts[service].balanced.is_some()
    }

    /// Requests a second that go through it.
    pub fn set_balanced_rate(&mut self, service: usize, rate: f64) {
        if let Some(balanced) = &mut self.fronts[service].balanced {
            balanced.rate = rate;
        }
    }

    /// From now on the clients of a Service stick to its pods, or no longer do: `timeout` is how
    /// long they are remembered, and draws are made in its `name`.
    pub fn set_affinity(&mut self, service: usize, name: &str, timeout: Option<SimDuration>) {
        if let Some(singly) = self.singly.as_mut().filter(|singly| singly.has_front(service)) {
            return singly.engine.set_affinity(service, timeout);
        }
        let clients = &mut self.fronts[service].clients;
        match (clients.as_mut(), timeout) {
            (Some(clients), Some(timeout)) => clients.set_timeout(timeout),
            (None, Some(timeout)) => {
                *clients = Some(Box::new(Clients::new(name.to_owned(), timeout)));
            }
            (_, None) => *clients = None,
        }
    }

    /// Whether clients stick to the pods of a Service.
    pub fn has_affinity(&self, service: usize) -> bool {
        self.fronts[service].clients.is_some()
    }

    /// Of the requests to a Service, so many a second come from the `clients` of an entry of the
    /// traffic.
    pub fn set_clients(
        &mut self,
        now: SimTime,
        (service, entry): (usize, usize),
        rate: f64,
        clients: u32,
    ) {
        if let Some(known) = &mut self.fronts[service].clients {
            known.set_rate(now, entry, rate, clients);
        }
    }

    /// Clients whose pod is gone go to another one.
    pub fn seat_clients(&mut self, streams: &Streams) {
        for front in &mut self.fronts {
            if let Some(clients) = &mut front.clients {
                clients.seat(&front.routed, streams);
            }
        }
    }

    /// The queue that a pod's requests wait in.
    pub(super) fn queue_of(&self, pod: PodId, endpoint: &Endpoint) -> &Station {
        self.stations[endpoint.station()].lane(pod)
    }

    /// Whether pods behind a Service have queues of their own.
    pub(super) fn is_uneven(&self, service: usize) -> bool {
        let front = &self.fronts[service];
        let mut behind = front.per_station.iter().map(|(station, _)| *station);
        let first = behind.next().or(front.primary);
        first.into_iter().chain(behind).any(|station| self.stations[station].is_apart())
    }

    /// Shares the requests of such a Service among its pods.
    pub(super) fn share_out_unevenly(&mut self, service: usize, into: &mut [Arriving]) {
        let front = &self.fronts[service];
        let offered = front.offered;
        let sticking = front.clients.as_ref().map_or(0.0, |clients| clients.sticking());
        let balanced = front.balanced.as_deref().cloned().unwrap_or_default();
        let proxied = (offered - sticking - balanced.rate).max(0.0);
        let near = self.near_shares(service);
        // The same for all pods of a station, which mostly follow each other.
        let mut even = None;
        let mut evenly = |station: usize| match even {
            Some((of, rate)) if of == station => rate,
            _ => even.insert((station, front.evenly(proxied, station))).1,
        };
        let mut rate_at = |place: usize, pod: &PodId, station: usize| {
            let picked = balanced.shares.get(pod).map_or(0.0, |share| share * balanced.rate);
            let sticks = front.clients.as_ref().map_or(0.0, |clients| clients.rate_at(place));
            let routed = match &near {
                Some(shares) => proxied * shares[place],
                None => evenly(station),
            };
            routed + picked + sticks
        };
        let of = |(place, pod): (usize, &PodId)| {
            let known = self.endpoints.get(*pod).map(Endpoint::station);
            let station = known.or_else(|| self.ghosts.get(pod).map(|(station, _)| *station))?;
            Some((*pod, station, rate_at(place, pod, station)))
        };
        let mut parts: Vec<(PodId, usize, f64)> =
            front.routed.iter().enumerate().filter_map(of).collect();
        // Where nobody is, the requests of nobody's pod fail.
        let weighs_nobody = near.is_none() && front.split().next().is_none();
        let lost = balanced.rate * balanced.lost() + if weighs_nobody { proxied } else { 0.0 };
        let nobody = if parts.is_empty() { offered } else { lost };
        if parts.is_empty() || nobody > 0.0 {
            parts.extend(front.primary.map(|station| (PodId::default(), station, nobody)));
        }
        let n = parts.len() as f64;
        for (pod, station, rate) in &mut parts {
            let beyond = if offered > 0.0 { front.beyond(*rate / offered) } else { 0.0 };
            into[*station].add(*rate, beyond);
            self.stations[*station].offer(*pod, *rate, beyond);
            *rate = if offered > 0.0 { *rate / offered } else { 1.0 / n };
        }
        self.fronts[service].parts = parts;
    }

    /// Success and latency of such a Service.
    pub(super) fn rate_unevenly(&mut self, service: usize) {
        let (mut success, mut latency) = (0.0, 0.0);
        let mut known = None;
        for (pod, station, share) in &self.fronts[service].parts {
            let (callees, wait) = self.callees_once(&mut known, *station);
            let queue = self.stations[*station].lane(*pod);
            success += share * queue.success() * callees;
            latency += share * (queue.mean_latency() + wait);
        }
        let front = &mut self.fronts[service];
        // Shares may add up to a little more than the whole.
        (front.success, front.latency) = (success.min(1.0), latency);
    }

    /// What the calls of a station meet, found once for all its pods that follow each other.
    fn callees_once(&self, known: &mut Option<(usize, (f64, f64))>, station: usize) -> (f64, f64) {
        match *known {
            Some((of, comes)) if of == station => comes,
            _ => known.insert((station, self.callees(station))).1,
        }
    }

    /// Latencies of so many requests that arrived at such a Service.
    pub(super) fn add_latencies(&mut self, service: usize, arrived: f64) {
        // Sums in another order: not where results have been without it.
        let looked_through = if self.sharing.is_some() { KINDS } else { 0 };
        let (mut known, mut kinds): (_, Vec<(&Station, f64, f64)>) = (None, Vec::new());
        for (pod, station, share) in &self.fronts[service].parts {
            let (callees, wait) = self.callees_once(&mut known, *station);
            let queue = self.stations[*station].lane(*pod);
            let served = arrived * share * queue.success() * callees;
            // Those that are alike are few kinds: the last ones are enough to look through.
            let mut last = kinds.iter_mut().rev().take(looked_through);
            match last.find(|kind| kind.0.answers_like(queue) && kind.1 == wait) {
                Some(kind) => kind.2 += served,
                None => kinds.push((queue, wait, served)),
            }
        }
        for (queue, wait, served) in kinds {
            for (part, seconds) in queue.latency_slices() {
                self.entries.latency.add(seconds + wait, served * part);
            }
        }
    }
}
