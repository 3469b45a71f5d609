//! One pod: its queue, its places of work, its CPU.
//!
//! Where a request can never have less than a whole core (or all there is), its end is known when
//! its work begins: one event. Otherwise the requests that need CPU share the cores evenly, and a
//! virtual clock runs as fast as each of them gets on: a request is through when that clock has
//! grown by its work (processor sharing by virtual time). It is set to zero whenever nobody needs
//! CPU, so it stays small and exact. The pod does not know what becomes of a request.

use super::account::{Counters, Scrape};
use super::inflight::{InFlight, NONE, Stage};
use super::plan::{Size, StationPlan};
use crate::units::{SimDuration, SimTime};
use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

/// A pod.
#[derive(Debug)]
pub(super) struct Pod {
    pub(super) station: u32,
    pub(super) size: Size,
    /// Its containers answer.
    pub(super) is_alive: bool,
    /// Somebody still knows it.
    pub(super) is_known: bool,
    /// How many Services route to it.
    pub(super) routes: u32,
    /// Since when its containers answer.
    pub(super) alive_since: SimTime,
    pub(super) in_work: u32,
    pub(super) queued: u32,
    head: u32,
    tail: u32,
    /// Requests so far.
    pub(super) counters: Counters,
    pub(super) cpu: Cpu,
    /// How many marked waits its queue has passed.
    pub(super) passed: u32,
    /// Its counters at the last scrapes.
    pub(super) scrapes: VecDeque<Scrape>,
}

impl Pod {
    pub(super) fn new(station: u32, size: Size, plan: &StationPlan) -> Pod {
        Pod {
            station,
            size,
            is_alive: false,
            is_known: true,
            routes: 0,
            alive_since: SimTime::ZERO,
            in_work: 0,
            queued: 0,
            head: NONE,
            tail: NONE,
            counters: Counters::default(),
            cpu: Cpu::new(size.cores, plan),
            passed: 0,
            scrapes: VecDeque::new(),
        }
    }

    /// Requests in it.
    #[inline]
    pub(super) fn load(&self) -> u32 {
        self.in_work + self.queued
    }

    /// A request goes to the end of the queue.
    pub(super) fn enqueue(&mut self, all: &mut InFlight, place: u32) {
        let request = all.get_mut(place);
        (request.stage, request.before, request.after) = (Stage::Queued, self.tail, NONE);
        match self.tail {
            NONE => self.head = place,
            last => all.get_mut(last).after = place,
        }
        self.tail = place;
        self.queued += 1;
    }

    /// The first of the queue, if there is one.
    pub(super) fn first(&self) -> Option<u32> {
        (self.head != NONE).then_some(self.head)
    }

    /// Takes a request out of the queue.
    pub(super) fn unqueue(&mut self, all: &mut InFlight, place: u32) {
        let (before, after) = (all.get(place).before, all.get(place).after);
        match before {
            NONE => self.head = after,
            before => all.get_mut(before).after = after,
        }
        match after {
            NONE => self.tail = before,
            after => all.get_mut(after).before = before,
        }
        self.queued -= 1;
    }
}

/// A request that needs CPU: it is through when the virtual clock shows `tag`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Share {
    tag: f64,
    work: f64,
    /// Equal tags: who came first.
    number: u64,
    place: u32,
}

impl Eq for Share {}
impl PartialOrd for Share {
    fn partial_cmp(&self, other: &Share) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Share {
    fn cmp(&self, other: &Share) -> Ordering {
        self.tag.total_cmp(&other.tag).then(self.number.cmp(&other.number))
    }
}

/// A pod's CPU.
#[derive(Debug)]
pub(super) struct Cpu {
    cores: f64,
    /// Requests may have to share: there are more places of work than cores, or may come to be.
    pub(super) is_shared: bool,
    /// Requests that need CPU at present.
    needed_by: u32,
    since: SimTime,
    /// Integral of busy cores, core-nanoseconds.
    busy: f64,
    /// The same, request by request: the CPU of those that are through, or were cut short.
    done: f64,
    /// Requests of which `done` is made.
    counted: u64,
    /// What each request has got since the clock was last zero, nanoseconds.
    clock: f64,
    shares: BinaryHeap<Reverse<Share>>,
    number: u64,
    /// Plans before this one are overtaken.
    pub(super) plan: u32,
    planned: SimTime,
}

impl Cpu {
    fn new(cores: f64, plan: &StationPlan) -> Cpu {
        let places = f64::from(plan.concurrency);
        Cpu {
            cores: cores.max(1e-3),
            is_shared: plan.varies || (plan.concurrency > 1 && places > cores),
            needed_by: 0,
            since: SimTime::ZERO,
            busy: 0.0,
            done: 0.0,
            counted: 0,
            clock: 0.0,
            shares: BinaryHeap::new(),
            number: 0,
            plan: 0,
            planned: SimTime::NEVER,
        }
    }

    /// How fast each of the requests gets on that need CPU now.
    #[inline]
    fn rate(&self) -> f64 {
        match self.is_shared {
            true => (self.cores / f64::from(self.needed_by.max(1))).min(1.0),
            false => self.cores.min(1.0),
        }
    }

    #[inline]
    fn progress(&mut self, now: SimTime) {
        let got = (now.0 - self.since.0) as f64 * self.rate();
        self.since = now;
        self.busy += got * f64::from(self.needed_by);
        self.clock += got;
    }

    /// A request that shares with nobody needs so many nanoseconds of CPU from now on; gives when
    /// it is through.
    #[inline]
    pub(super) fn begin_alone(&mut self, now: SimTime, work: f64) -> SimTime {
        self.progress(now);
        self.needed_by += 1;
        SimTime(now.0.saturating_add((work / self.rate() + 0.5) as u64))
    }

    /// It is through.
    #[inline]
    pub(super) fn end_alone(&mut self, now: SimTime, work: f64) {
        self.progress(now);
        self.needed_by -= 1;
        self.done += work;
        self.counted += 1;
    }

    /// A request that began then, and shares with nobody, is cut short.
    pub(super) fn cut(&mut self, now: SimTime, began: SimTime) {
        let got = self.got_alone(now, began);
        self.end_alone(now, got);
    }

    /// What a request has got that began then and shares with nobody, nanoseconds.
    pub(super) fn got_alone(&self, now: SimTime, began: SimTime) -> f64 {
        (now.0 - began.0) as f64 * self.rate()
    }

    /// A request needs so many nanoseconds of CPU from now on, with the others. Gives the instant
    /// for which an event has to be planned, if it is a new one.
    pub(super) fn begin(&mut self, now: SimTime, place: u32, work: f64) -> Option<SimTime> {
        self.progress(now);
        if self.needed_by == 0 {
            self.clock = 0.0;
        }
        self.needed_by += 1;
        self.number += 1;
        let tag = self.clock + work;
        self.shares.push(Reverse(Share { tag, work, number: self.number, place }));
        // One that is planned too early looks again.
        let next = self.next(now);
        if next < self.planned { self.replan(next) } else { None }
    }

    /// There are so many cores from now on, for requests that share. Gives the instant for which an
    /// event has to be planned, if any.
    pub(super) fn refit(&mut self, now: SimTime, cores: f64) -> Option<SimTime> {
        self.progress(now);
        self.cores = cores.max(1e-3);
        self.plan_next(now)
    }

    /// The next of those who share that is through by now.
    pub(super) fn through(&mut self, now: SimTime) -> Option<u32> {
        self.progress(now);
        let Reverse(first) = *self.shares.peek()?;
        // Instants are whole nanoseconds.
        if first.tag - self.clock > self.rate() * 0.5 {
            return None;
        }
        self.shares.pop();
        self.needed_by -= 1;
        self.done += first.work;
        self.counted += 1;
        Some(first.place)
    }

    /// The event that was planned has come.
    pub(super) fn forget_plan(&mut self) {
        // Nothing that begins meanwhile plans another: whoever took the event does so afterwards.
        self.planned = SimTime::ZERO;
    }

    /// The instant for which the next event has to be planned, if any is.
    pub(super) fn plan_next(&mut self, now: SimTime) -> Option<SimTime> {
        let next = self.next(now);
        self.replan(next)
    }

    fn replan(&mut self, next: SimTime) -> Option<SimTime> {
        self.planned = next;
        self.plan = self.plan.wrapping_add(1);
        (next != SimTime::NEVER).then_some(next)
    }

    fn next(&self, now: SimTime) -> SimTime {
        let Some(Reverse(first)) = self.shares.peek() else { return SimTime::NEVER };
        let nanos = libm::ceil((first.tag - self.clock).max(0.0) / self.rate());
        now.saturating_add(SimDuration(nanos as u64))
    }

    /// All who share are cut short.
    pub(super) fn clear(&mut self, now: SimTime) {
        self.progress(now);
        self.done += self.underway();
        self.counted += self.shares.len() as u64;
        self.needed_by -= self.shares.len() as u32;
        self.shares.clear();
        self.replan(SimTime::NEVER);
    }

    /// CPU that those who share had got when the clock was last read, nanoseconds.
    fn underway(&self) -> f64 {
        self.shares.iter().map(|Reverse(share)| share.work - (share.tag - self.clock)).sum()
    }

    /// CPU seconds used up to now.
    pub(super) fn used(&self, now: SimTime) -> f64 {
        let got = now.since(self.since).0 as f64 * self.rate();
        (self.busy + got * f64::from(self.needed_by)) / 1e9
    }

    /// The utilisation law: cores have been busy as long as requests have had them. `alone`: what
    /// those under way have got that share with nobody. Each may be rounded by a nanosecond.
    pub(super) fn is_true(&self, now: SimTime, alone: f64) -> bool {
        let got = now.since(self.since).0 as f64 * self.rate();
        let shared = self.underway() + got * self.shares.len() as f64;
        let gap = (self.used(now) * 1e9 - self.done - shared - alone).abs();
        gap <= 2.0 + self.counted as f64 + self.busy * 1e-9
    }
}
