//! Services whose requests are not shared evenly among their pods.
//!
//! They are those whose clients stick to pods ([`super::clients`]), and all others in front of the
//! same pods, which have queues of their own then.

use super::clients::Clients;
use super::network::{Endpoint, Network};
use super::station::Station;
use crate::api::PodId;
use crate::sim::rng::Streams;
use crate::units::{SimDuration, SimTime};

impl Network {
    /// From now on the clients of a Service stick to its pods, or no longer do: `timeout` is how
    /// long they are remembered, and draws are made in its `name`.
    pub fn set_affinity(&mut self, service: usize, name: &str, timeout: Option<SimDuration>) {
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
    pub(super) fn share_out_unevenly(&mut self, service: usize, into: &mut [f64]) {
        let front = &self.fronts[service];
        let offered = front.offered;
        let n = front.routed.len().max(1) as f64;
        let sticking = front.clients.as_ref().map_or(0.0, |clients| clients.sticking());
        let evenly = (offered - sticking).max(0.0) / n;
        let rate_at = |place: usize| {
            evenly + front.clients.as_ref().map_or(0.0, |clients| clients.rate_at(place))
        };
        let of = |(place, pod): (usize, &PodId)| {
            let known = self.endpoints.get(*pod).map(Endpoint::station);
            let station = known.or_else(|| self.ghosts.get(pod).map(|(station, _)| *station))?;
            Some((*pod, station, rate_at(place)))
        };
        let mut parts: Vec<(PodId, usize, f64)> =
            front.routed.iter().enumerate().filter_map(of).collect();
        if parts.is_empty() {
            // Nobody is there: the requests of nobody's pod fail.
            parts.extend(front.primary.map(|station| (PodId::default(), station, offered)));
        }
        let n = parts.len() as f64;
        for (pod, station, rate) in &mut parts {
            into[*station] += *rate;
            self.stations[*station].offer(*pod, *rate);
            *rate = if offered > 0.0 { *rate / offered } else { 1.0 / n };
        }
        self.fronts[service].parts = parts;
    }

    /// Success and latency of such a Service.
    pub(super) fn rate_unevenly(&mut self, service: usize) {
        let (mut success, mut latency) = (0.0, 0.0);
        for (pod, station, share) in &self.fronts[service].parts {
            let (callees, wait) = self.callees(*station);
            let queue = self.stations[*station].lane(*pod);
            success += share * queue.success() * callees;
            latency += share * (queue.mean_latency() + wait);
        }
        let front = &mut self.fronts[service];
        (front.success, front.latency) = (success, latency);
    }

    /// Latencies of so many requests that arrived at such a Service.
    pub(super) fn add_latencies(&mut self, service: usize, arrived: f64) {
        for (pod, station, share) in &self.fronts[service].parts {
            let (callees, wait) = self.callees(*station);
            let queue = self.stations[*station].lane(*pod);
            let served = arrived * share * queue.success() * callees;
            for (part, seconds) in queue.latency_slices() {
                self.entries.latency.add(seconds + wait, served * part);
            }
        }
    }
}
