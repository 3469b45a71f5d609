//! Where requests come from and where their answers go: open entries, and users who think.

use super::draws::{Draws, Law, Purpose, key_of};
use super::engine::{Engine, Entry, PHASE, Seat, Source, Tick};
use super::inflight::Origin;
use crate::sim::rng::Streams;
use crate::sim::sample::Distribution;
use crate::units::{SimDuration, SimTime};

impl Engine {
    /// Requests a second that come at an open entry, from `now` on.
    pub fn set_rate(&mut self, now: SimTime, entry: usize, rate: f64) {
        self.now = now;
        if let Source::Open(arrivals) = &mut self.entries[entry].source
            && arrivals.set_rate(now, rate)
        {
            self.plan_arrival(entry as u32);
        }
    }

    /// Where an entry's requests go from now on.
    pub fn set_target(&mut self, entry: usize, service: usize) {
        let entry = &mut self.entries[entry];
        entry.to = service as u32;
        if let Some(kind) = entry.clients {
            self.kinds[kind as usize].go_to(service as u32);
        }
    }

    /// Users of a closed entry, from `now` on. New ones think first; those that go do so when they
    /// have their answer or have thought.
    pub fn set_users(&mut self, now: SimTime, entry: usize, wanted: u32) {
        self.now = now;
        let Source::Closed { users, seated, .. } = &mut self.entries[entry].source else { return };
        *users = wanted;
        if seated.len() < wanted as usize {
            seated.resize(wanted as usize, Seat::default());
        }
        let come: Vec<u32> = (0..wanted)
            .filter(|user| !std::mem::replace(&mut seated[*user as usize].is_here, true))
            .collect();
        come.into_iter().for_each(|user| self.think(entry as u32, user));
    }

    fn plan_arrival(&mut self, entry: u32) {
        let Source::Open(arrivals) = &self.entries[entry as usize].source else { return };
        let at = arrivals.next();
        if at != SimTime::NEVER {
            let epoch = arrivals.epoch;
            self.events.push(at.max(self.now), PHASE, Tick::Arrival { entry, epoch });
        }
    }

    /// A request comes from outside.
    #[inline]
    pub(super) fn on_arrival(&mut self, entry: u32, epoch: u32) {
        let e = &mut self.entries[entry as usize];
        let Source::Open(arrivals) = &mut e.source else { return };
        if arrivals.epoch != epoch {
            return;
        }
        arrivals.come(self.now);
        let at = arrivals.next();
        let (to, key) = e.next_request();
        if at != SimTime::NEVER {
            self.events.push(at, PHASE, Tick::Arrival { entry, epoch });
        }
        match self.entries[entry as usize].clients {
            Some(kind) => self.call_from_outside(kind, key, Origin::Entry(entry)),
            None => self.send(to, (key, 0), Origin::Entry(entry)),
        }
    }

    /// A source of an entry's arrivals is on, or off, from now on.
    pub(super) fn on_turn(&mut self, entry: u32, source: u32) {
        let Source::Open(arrivals) = &mut self.entries[entry as usize].source else { return };
        let next = SimDuration::from_secs_f64(arrivals.turn(self.now, source));
        self.events.push(self.now.saturating_add(next), PHASE, Tick::Turn { entry, source });
        self.plan_arrival(entry);
    }

    /// A user thinks, or goes.
    fn think(&mut self, entry: u32, user: u32) {
        let e = &mut self.entries[entry as usize];
        let Source::Closed { think, users, seated } = &mut e.source else { return };
        let seat = &mut seated[user as usize];
        if user >= *users {
            seat.is_here = false;
            return;
        }
        seat.thoughts += 1;
        let key = key_of(key_of(e.key, user.into()), seat.thoughts.into());
        let seconds = drawn(think, key);
        let at = self.now.saturating_add(SimDuration::from_secs_f64(seconds));
        self.events.push(at, PHASE, Tick::Thought { entry, user });
    }

    /// A user has thought, and asks.
    pub(super) fn on_thought(&mut self, entry: u32, user: u32) {
        let e = &mut self.entries[entry as usize];
        let Source::Closed { users, seated, .. } = &mut e.source else { return };
        let seat = &mut seated[user as usize];
        if user >= *users {
            seat.is_here = false;
            return;
        }
        // What a user asks for the n-th time is the same, whoever else asks.
        let key = key_of(key_of(e.key, user.into()), seat.thoughts.into());
        e.count.offered += 1;
        let (to, clients) = (e.to, e.clients);
        let origin = Origin::User { entry, user };
        match clients {
            Some(kind) => self.call_from_outside(kind, key, origin),
            None => self.send(to, (key, 0), origin),
        }
    }

    /// A request that began then is answered.
    #[inline]
    pub(super) fn succeed(&mut self, origin: Origin, began: SimTime) {
        let latency = self.now.0 - began.0;
        match origin {
            Origin::Nobody => {}
            Origin::Entry(entry) => self.entries[entry as usize].answered(latency),
            Origin::User { entry, user } => {
                self.entries[entry as usize].answered(latency);
                self.think(entry, user);
            }
            Origin::Call(ticket) => self.tried(ticket, true, true),
            // Frames are told by the calls that they have made.
            Origin::Frame(_) => {}
        }
    }

    /// A request fails.
    pub(super) fn fail(&mut self, origin: Origin) {
        match origin {
            Origin::Nobody => {}
            Origin::Entry(entry) => self.entries[entry as usize].count.failed += 1,
            Origin::User { entry, user } => {
                self.entries[entry as usize].count.failed += 1;
                self.think(entry, user);
            }
            Origin::Call(ticket) => self.tried(ticket, false, true),
            Origin::Frame(_) => {}
        }
    }
}

impl Entry {
    /// A request comes: where it goes, and its key.
    #[inline]
    fn next_request(&mut self) -> (u32, u64) {
        self.count.offered += 1;
        self.number += 1;
        (self.to, key_of(self.key, self.number))
    }

    #[inline]
    fn answered(&mut self, nanos: u64) {
        self.count.served += 1;
        self.count.latency.add_one(nanos);
    }
}

/// Seconds of a key's thinking.
fn drawn(think: &Distribution, key: u64) -> f64 {
    match think {
        Distribution::Constant(seconds) => *seconds,
        Distribution::Exponential(mean) => {
            let mut draws = Draws::new(key, Purpose::Think);
            mean * Law::Exponential.draw(|| draws.next_u64())
        }
        other => other.sample(&mut Streams::new(key).stream("think", 0)).max(0.0),
    }
}
