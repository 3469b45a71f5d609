//! The API server as its clients meet it: how long a request takes, and how many it works on at
//! once.
//!
//! With a limit (`--max-mutating-requests-inflight`) requests queue in the order in which they are
//! sent; without one each takes its time alone. What it does when that is too little is in
//! [`super::load`]. It knows neither what requests ask for nor who
//! sends them.

use super::event::Event;
use super::overload::Overload;
use super::world::World;
use crate::api::NodeId;
use crate::scenario::model::ApiServerFlags;
use crate::sim::rng::{Stream, Streams};
use crate::sim::sample::Distribution;
use crate::units::{SimDuration, SimTime};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

/// The seats of the API server, and what waits to be sent.
#[derive(Debug)]
pub(super) struct ApiServer {
    /// When each seat that has been used is free again; empty: there is no limit.
    free: BinaryHeap<Reverse<SimTime>>,
    /// Requests that wait for their client's token or for another try, and how many they have had.
    unsent: BTreeMap<u32, (Event, u8)>,
    next: u32,
    /// How far latencies lie from the usual.
    spread: Stream,
    /// What it can bear, if that is limited.
    pub(super) overload: Option<Box<Overload>>,
    /// Entries of the timeline by which others ask it.
    pub(super) loads: Vec<usize>,
    /// Nodes whose renewals are followed one by one.
    pub(super) renewing: BTreeSet<NodeId>,
    /// Nodes whose kubelets fail to renew their leases, and the last time that they did.
    pub(super) unrenewed: BTreeMap<NodeId, SimTime>,
    /// The request that is handled at present has failed on its way.
    pub(super) is_failing: bool,
}

impl ApiServer {
    /// An API server with the limits of the flags.
    pub(super) fn new(flags: &ApiServerFlags, streams: &Streams) -> ApiServer {
        let seats = flags.max_mutating_requests_inflight;
        ApiServer {
            free: (0..seats).map(|_| Reverse(SimTime::ZERO)).collect(),
            unsent: BTreeMap::new(),
            next: 0,
            spread: streams.stream("api latency", 0),
            overload: Overload::new(flags, streams.stream("api seats", 0)).map(Box::new),
            loads: Vec::new(),
            renewing: BTreeSet::new(),
            unrenewed: BTreeMap::new(),
            is_failing: false,
        }
    }

    /// Whether requests may have to wait for each other.
    pub(super) fn is_limited(&self) -> bool {
        !self.free.is_empty() || self.overload.is_some()
    }

    /// Keeps a request until it is sent, or fails.
    pub(super) fn keep(&mut self, event: Event, tries: u8) -> u32 {
        let id = self.next;
        self.next = id.wrapping_add(1);
        self.unsent.insert(id, (event, tries));
        id
    }

    /// Takes a request that was kept.
    pub(super) fn take(&mut self, id: u32) -> Option<(Event, u8)> {
        self.unsent.remove(&id)
    }

    /// When a request is done that is sent now.
    fn admit(&mut self, now: SimTime, takes: SimDuration) -> SimTime {
        let free = self.free.pop().map_or(now, |Reverse(free)| free);
        let done = free.max(now) + takes;
        self.free.push(Reverse(done));
        done
    }
}

impl World<'_> {
    /// Plans what a request does that is sent at `sent`: when the API server has come to it.
    pub(super) fn send(&mut self, sent: SimTime, event: Event) {
        if self.api_server.overload.is_some() {
            return self.send_under_load(sent, event, 0);
        }
        let takes = self.time_of(&event);
        if !self.api_server.is_limited() {
            self.plan(sent + takes, event);
        } else if sent <= self.now {
            let done = self.api_server.admit(self.now, takes);
            self.plan(done, event);
        } else {
            let id = self.api_server.keep(event, 0);
            self.plan(sent, Event::Sent(id));
        }
    }

    /// How long the API server works on a request.
    pub(super) fn time_of(&mut self, event: &Event) -> SimDuration {
        let flags = &self.scenario.flags.api_server;
        let usual = match event {
            Event::Request { flight, index } if self.creates_pod(*flight, *index) => {
                flags.pod_create_latency
            }
            _ => flags.write_latency,
        };
        if flags.latency_spread <= 0.0 {
            return usual;
        }
        let spread = Distribution::LogNormal(usual.as_secs_f64(), flags.latency_spread);
        SimDuration::from_secs_f64(spread.sample(&mut self.api_server.spread))
    }

    /// The API server is busy with a write that nobody waits for.
    pub(super) fn occupy(&mut self) {
        if !self.api_server.free.is_empty() {
            let takes = self.time_of(&Event::Proxy);
            self.api_server.admit(self.now, takes);
        }
    }

    /// A request has got its client's token.
    pub(super) fn on_sent(&mut self, id: u32) {
        match self.api_server.take(id) {
            Some((event, tries)) if self.api_server.overload.is_some() => {
                self.send_under_load(self.now, event, tries);
            }
            Some((event, _)) => self.send(self.now, event),
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_wait_for_a_seat() {
        let ms = |n| SimTime(n * 1_000_000);
        let takes = SimDuration::from_millis(10);
        let rows: [(&str, u32, [u64; 3], [u64; 3]); 3] = [
            ("with one seat one after the other", 1, [0, 0, 5], [10, 20, 30]),
            ("with two the third waits", 2, [0, 0, 5], [10, 10, 20]),
            ("a free seat is taken at once", 1, [0, 15, 40], [10, 25, 50]),
        ];
        for (sentence, seats, sent, done) in rows {
            let flags =
                ApiServerFlags { max_mutating_requests_inflight: seats, ..Default::default() };
            let mut server = ApiServer::new(&flags, &Streams::new(1));
            let found = sent.map(|at| server.admit(ms(at), takes));
            assert_eq!(found, done.map(ms), "{sentence}");
        }
    }
}
