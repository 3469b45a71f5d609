//! The API server as its clients meet it: how long a request takes, and how many it works on at
//! once.
//!
//! With a limit (`--max-mutating-requests-inflight`) requests queue in the order in which they are
//! sent; without one each takes its time alone. It knows neither what requests ask for nor who
//! sends them.

use super::event::Event;
use super::world::World;
use crate::sim::rng::Stream;
use crate::sim::sample::Distribution;
use crate::units::{SimDuration, SimTime};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// The seats of the API server, and what waits to be sent.
#[derive(Debug)]
pub(super) struct ApiServer {
    /// When each seat that has been used is free again; empty: there is no limit.
    free: BinaryHeap<Reverse<SimTime>>,
    /// Requests that wait for their client's token.
    unsent: BTreeMap<u32, Event>,
    next: u32,
    /// How far latencies lie from the usual.
    spread: Stream,
}

impl ApiServer {
    /// An API server with so many seats; 0: no limit.
    pub(super) fn new(seats: u32, spread: Stream) -> ApiServer {
        let free = (0..seats).map(|_| Reverse(SimTime::ZERO)).collect();
        ApiServer { free, unsent: BTreeMap::new(), next: 0, spread }
    }

    /// Whether requests may have to wait for each other.
    pub(super) fn is_limited(&self) -> bool {
        !self.free.is_empty()
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
        let takes = self.time_of(&event);
        if !self.api_server.is_limited() {
            self.plan(sent + takes, event);
        } else if sent <= self.now {
            let done = self.api_server.admit(self.now, takes);
            self.plan(done, event);
        } else {
            let id = self.api_server.next;
            self.api_server.next = id.wrapping_add(1);
            self.api_server.unsent.insert(id, event);
            self.plan(sent, Event::Sent(id));
        }
    }

    /// How long the API server works on a request.
    fn time_of(&mut self, event: &Event) -> SimDuration {
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
        if self.api_server.is_limited() {
            let takes = self.time_of(&Event::Proxy);
            self.api_server.admit(self.now, takes);
        }
    }

    /// A request has got its client's token.
    pub(super) fn on_sent(&mut self, id: u32) {
        if let Some(event) = self.api_server.unsent.remove(&id) {
            self.send(self.now, event);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::rng::Streams;

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
            let mut server = ApiServer::new(seats, Streams::new(1).stream("test", 0));
            let found = sent.map(|at| server.admit(ms(at), takes));
            assert_eq!(found, done.map(ms), "{sentence}");
        }
    }
}
