//! Queues that come to rest where an answer is just too late for somebody.
//!
//! Above such a level fewer requests come than can be served, since others give up for theirs;
//! below it more. A queue there would cross it to and fro for ever. On average it stands still, and
//! part of the answers is too late: so large a part that as many come as are served. That part is
//! looked for here, once a queue has turned round at one level.

use super::network::Network;
use super::station::Station;
use crate::units::{SimDuration, SimTime};

/// Turns at one level after which a queue is taken to stay there.
const TURNS: u8 = 2;
/// How near two levels are to be one, as a share of the longest wait.
const NEAR: f64 = 0.02;
/// Where no such part is found, since the queue moves others too, it is looked at seldom: after
/// this time, doubled with each turn, at most so often.
const FIRST_PAUSE: SimDuration = SimDuration::from_millis(5);
const LONGEST_PAUSE: u8 = 9;
/// Halvings of the part that is looked for.
const HALVINGS: u32 = 24;

/// The last turn of a station's queue.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Turns {
    grows: Option<bool>,
    /// Wait at which it turned, seconds.
    wait: f64,
    count: u8,
}

impl Turns {
    /// Whether a queue that grows or shrinks now has turned just often enough.
    fn watch(&mut self, queue: &Station) -> bool {
        let moving = queue.load_of_moving_queue();
        let grows = moving.filter(|load| (load - 1.0).abs() > 1e-9).map(|load| load > 1.0);
        self.see(grows, queue.piled_wait(), queue.pod.wait_max)
    }

    /// How long a queue that turns to and fro is not looked at for it.
    fn pause(&self) -> SimDuration {
        let pause =
            if self.count > TURNS { FIRST_PAUSE.0 << self.count.min(LONGEST_PAUSE) } else { 0 };
        SimDuration(pause)
    }

    /// A queue of one pod among others: it is looked at seldom, and no part of its answers is
    /// looked for.
    pub(in crate::world::traffic) fn calm(&mut self, now: SimTime, queue: &mut Station) {
        self.watch(queue);
        queue.late_from = now + self.pause();
    }

    fn see(&mut self, grows: Option<bool>, wait: f64, longest: f64) -> bool {
        let near = (self.wait - wait).abs() <= NEAR * longest;
        let turned = grows.is_some() && self.grows.is_some() && grows != self.grows;
        self.count = match (turned, near) {
            (true, true) => self.count.saturating_add(1),
            (false, true) => self.count,
            (_, false) => 0,
        };
        (self.grows, self.wait) = (grows, wait);
        self.count == TURNS
    }
}

impl Network {
    /// Queues that rest go on to, as long as there is a part of their answers with which they do;
    /// queues that have turned often enough begin to.
    pub(super) fn rest_queues(&mut self, now: SimTime) {
        for station in 0..self.stations.len() {
            self.stations[station].calm_lanes(now);
            let queue = &self.stations[station];
            let turns = self.wiring.as_mut().map(|wiring| wiring.turns(station));
            let begins = turns.is_some_and(|turns| turns.watch(queue));
            if self.stations[station].late_part.is_some() || begins {
                self.rest(now, station);
            }
            let turns = self.wiring.as_mut().map(|wiring| wiring.turns(station).pause());
            self.stations[station].late_from = now + turns.unwrap_or(SimDuration::ZERO);
        }
    }

    /// Looks for the part of a station's answers that is too late.
    fn rest(&mut self, now: SimTime, station: usize) {
        let state = self.wiring.clone();
        let load = |network: &mut Network, late: f64| {
            network.wiring.clone_from(&state);
            network.stations[station].late_part = Some(late);
            network.follow_rates(now);
            network.stations[station].load_of_moving_queue()
        };
        let (none, all) = (load(self, 0.0), load(self, 1.0));
        if !(none.is_some_and(|load| load > 1.0) && all.is_some_and(|load| load < 1.0)) {
            self.wiring.clone_from(&state);
            self.stations[station].late_part = None;
            self.follow_rates(now);
            return;
        }
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..HALVINGS {
            let middle = (low + high) / 2.0;
            match load(self, middle) {
                Some(load) if load > 1.0 => low = middle,
                _ => high = middle,
            }
        }
    }
}
