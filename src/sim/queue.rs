//! The event list: what is due, in the order (time, phase, sequence).
//!
//! It does not know what an event is or does, but that it can be copied. It has two structures, for
//! few events and for many:
//!
//! - Up to some thousand lie in the *ring* (`ring.rs`): buckets so narrow that most have no event
//!   or one, as in a calendar queue (R. Brown, CACM 31(10), 1988), but it slides along with time,
//!   it finds the next bucket by its bits, and it leaves to the far store what lies after its end.
//!   The *gauge* (`gauge.rs`) looks now and then how fast time passes from event to event, and
//!   sets the width by it.
//! - More than that lie in the *far store* (`far.rs`), a ladder queue (W. T. Tang, R. S. M. Goh and
//!   I. L.-J. Thng, "Ladder Queue: An O(1) Priority Queue Structure for Large-Scale Discrete Event
//!   Simulation", ACM TOMACS 15(3), 2005) with two changes: buckets are a power of two of
//!   nanoseconds wide and aligned, so the bucket of an instant is a shift and the width needs no
//!   tuning; and events lie in chunks, so moving and sorting read memory in order.
//!
//! The ring is the faster by half: it moves no event, and hardly ever has the processor guess
//! wrong. But it wants its 34 KB and its events in a fast cache, and events apart. So it is used
//! from 4096 pending on downwards, given up above 8192 and where many events crowd together. All
//! of the ring's events are before all others, whichever is in use: so the order does not depend on
//! what the gauge finds.
//!
//! Three places of the far store, nearest first:
//! - the *front* (`front.rs`): all events before an instant, sorted;
//! - the *ladder* (`ladder.rs`): rungs of buckets, each rung splitting one bucket of the rung
//!   above; events of a bucket have no order yet;
//! - the *top*, one bucket for everything after the ladder.
//!
//! When the front is empty, the next bucket moves into it; if it holds too many events to be sorted
//! at once, it becomes a rung first. Costs:
//! - In the ring an event goes to the end of its bucket or past up to 8 others, and otherwise to a
//!   heap: O(log n) if all is one instant, O(1) in practice.
//! - What lies after the ring's end, one event in ten to fifty, goes through the far store first.
//!   The end moves on an eighth of the ring at a time, to the next event if there is a gap.
//! - Going over to another width or to the far store moves all events; at least four for each, or
//!   512, have been taken since the last time, or half as many have gone to the ring's heap.
//! - Each move in the far store narrows the bucket an event lies in at least eightfold, so an event
//!   moves at most 21 times whatever the times are, and two or three times in practice: O(1), no
//!   resizing.
//! - Events at one instant can't be split. They are sorted as they are, O(log n) each.
//! - A front that grows while it is worked off goes back into a rung, paid for by the pushes that
//!   made it grow. If all of it is one instant, a heap takes what does not fit in near an end:
//!   O(log n) each.
//! - An empty bucket costs a bit of a bitmap, and a rung has at most 1024: long gaps are free.

mod bucket;
mod far;
mod front;
mod gauge;
mod ladder;
pub mod reference;
mod ring;

use crate::units::SimTime;
use far::Far;
use gauge::{Gauge, Seen, Verdict};
use ring::Ring;
use std::cmp::Ordering;

/// Rank among events of one instant; lower comes first.
///
/// Which kind of event has which rank is a written decision of whoever owns the events.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Phase(pub u8);

/// An event that is due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fired<E> {
    /// When.
    pub time: SimTime,
    /// Its rank.
    pub phase: Phase,
    /// Its number among all events ever planned, from 0.
    pub seq: u64,
    /// What.
    pub event: E,
}

impl<E> Fired<E> {
    #[inline]
    fn new(time: u64, order: u64, event: E) -> Fired<E> {
        Fired {
            time: SimTime(time),
            phase: Phase((order >> SEQUENCE_BITS) as u8),
            seq: order & ((1 << SEQUENCE_BITS) - 1),
            event,
        }
    }
}

/// The pending events, in a total order: by time, then phase, then the order of planning.
///
/// Memory follows the events that are pending, not those that have been.
pub struct EventQueue<E> {
    ring: Ring<E>,
    far: Far<E>,
    gauge: Gauge,
    /// So many events are taken without a look at whether the ring should be used; 0 while it is.
    pause: usize,
    seq: u64,
    now: SimTime,
}

impl<E> Default for EventQueue<E> {
    fn default() -> Self {
        let gauge = Gauge::default();
        EventQueue {
            ring: Ring::default(),
            far: Far::default(),
            pause: gauge.pause(0),
            gauge,
            seq: 0,
            now: SimTime::ZERO,
        }
    }
}

impl<E: Copy> EventQueue<E> {
    /// Plans an event.
    ///
    /// # Panics
    /// If `time` is before the last event taken, or [`SimTime::NEVER`]: both are bugs.
    #[inline]
    pub fn push(&mut self, time: SimTime, phase: Phase, event: E) {
        assert!(time >= self.now, "an event is planned in the past");
        assert!(time != SimTime::NEVER, "what never happens is not planned");
        let entry = Entry::new(time, phase, self.seq, event);
        self.seq += 1;
        if time.0 < self.ring.end() {
            self.ring.push(entry);
        } else {
            self.far.push(entry);
        }
    }

    /// Takes the next event; `None` if nothing is pending.
    #[inline]
    pub fn pop(&mut self) -> Option<Fired<E>> {
        if self.ring.is_ready() {
            let fired = self.ring.take();
            self.now = fired.time;
            return Some(fired);
        }
        if self.pause == 0 {
            return self.pop_with_care();
        }
        self.pause -= 1;
        let fired = self.far.pop();
        if let Some(fired) = &fired {
            self.now = fired.time;
        }
        fired
    }

    /// Takes the next event after having seen to what is due: another width, sliding on.
    #[inline(never)]
    fn pop_with_care(&mut self) -> Option<Fired<E>> {
        let next = self.peek_time()?.0;
        self.look(next);
        let fired = if self.ring.is_open() {
            if self.ring.slide(next) {
                self.fill_ring();
            }
            self.ring.pop()
        } else {
            self.far.pop()
        };
        self.now = SimTime(next);
        fired
    }

    fn look(&mut self, next: u64) {
        let pending = self.len();
        let seen = Seen {
            taken: self.seq - pending as u64,
            ties: self.ring.ties(),
            crowded: self.ring.crowded(),
            now: self.now.0,
            pending,
            room: self.ring.room(),
        };
        let verdict = self.gauge.look(seen, self.ring.is_open().then_some(self.ring.shift()));
        self.go_over(verdict, next);
        self.pause = if self.ring.is_open() { 0 } else { self.gauge.pause(pending) };
    }

    /// Does as the gauge says; nothing will be planned before `present` any more.
    fn go_over(&mut self, verdict: Verdict, present: u64) {
        if verdict != Verdict::Stay {
            self.ring.close(|entry| self.far.push(entry));
        }
        if let Verdict::Ring(shift) = verdict {
            self.ring.open(shift, present);
            self.fill_ring();
        }
    }

    /// Moves all events before the ring's end into it.
    fn fill_ring(&mut self) {
        while self.far.first_time().is_some_and(|time| time < self.ring.end()) {
            let Some(Fired { time, phase, seq, event }) = self.far.pop() else { return };
            self.ring.push(Entry::new(time, phase, seq, event));
        }
    }

    /// When the next event is due.
    pub fn peek_time(&self) -> Option<SimTime> {
        self.ring.first_time().or_else(|| self.far.first_time()).map(SimTime)
    }

    /// The instant of the last event taken; [`SimTime::ZERO`] before the first.
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// How many events are pending.
    pub fn len(&self) -> usize {
        self.ring.len() + self.far.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.ring.len() == 0 && self.far.is_empty()
    }
}

/// A pending event and its key.
#[derive(Clone, Copy)]
struct Entry<E> {
    time: u64,
    /// Phase in the top 8 bits, sequence below: one comparison instead of two.
    order: u64,
    event: E,
}

const SEQUENCE_BITS: u32 = 56;

impl<E> Entry<E> {
    fn new(time: SimTime, phase: Phase, seq: u64, event: E) -> Entry<E> {
        // 2^56 events take decades to handle.
        debug_assert!(seq < 1 << SEQUENCE_BITS, "too many events to number");
        Entry { time: time.0, order: u64::from(phase.0) << SEQUENCE_BITS | seq, event }
    }

    /// The total order of events as one number: compared without a branch.
    fn key(&self) -> u128 {
        u128::from(self.time) << 64 | u128::from(self.order)
    }

    fn fired(self) -> Fired<E> {
        Fired::new(self.time, self.order, self.event)
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}
impl<E> Eq for Entry<E> {}
impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

#[cfg(test)]
mod tests;
