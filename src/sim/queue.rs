//! The event list: what is due, in the order (time, phase, sequence).
//!
//! It does not know what an event is or does. It is a ladder queue (W. T. Tang, R. S. M. Goh and
//! I. L.-J. Thng, "Ladder Queue: An O(1) Priority Queue Structure for Large-Scale Discrete Event
//! Simulation", ACM TOMACS 15(3), 2005) with two changes: buckets are a power of two of
//! nanoseconds wide and aligned, so the bucket of an instant is a shift and the width needs no
//! tuning; and events lie in chunks, so moving and sorting read memory in order.
//!
//! Three places, nearest first:
//! - the *front* (`front.rs`): all events before `window_end`, sorted;
//! - the *ladder* (`ladder.rs`): rungs of buckets, each rung splitting one bucket of the rung
//!   above; events of a bucket have no order yet;
//! - the *top*, one bucket for everything after the ladder.
//!
//! When the front is empty, the next bucket moves into it; if it holds too many events to be sorted
//! at once, it becomes a rung first. Costs:
//! - Each move narrows the bucket an event lies in at least eightfold, so an event moves at most 21
//!   times whatever the times are, and two or three times in practice: O(1), no resizing.
//! - Events at one instant can't be split. They are sorted as they are, O(log n) each.
//! - A front that grows while it is worked off goes back into a rung, paid for by the pushes that
//!   made it grow. If all of it is one instant, a heap takes what does not fit in near an end:
//!   O(log n) each.
//! - An empty bucket costs a bit of a bitmap, and a rung has at most 1024: long gaps are free.
//! - Less than some hundred events all lie in the front: a sorted array.

mod bucket;
mod front;
mod ladder;
pub mod reference;

use crate::units::SimTime;
use front::Front;
use ladder::Ladder;
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

/// The pending events, in a total order: by time, then phase, then the order of planning.
///
/// Memory follows the events that are pending, not those that have been.
pub struct EventQueue<E> {
    front: Front<E>,
    ladder: Ladder<E>,
    /// Events before it belong to the front; `u64::MAX`, all of them.
    window_end: u64,
    seq: u64,
    now: SimTime,
}

impl<E> Default for EventQueue<E> {
    fn default() -> Self {
        EventQueue {
            front: Front::default(),
            ladder: Ladder::default(),
            window_end: u64::MAX,
            seq: 0,
            now: SimTime::ZERO,
        }
    }
}

impl<E> EventQueue<E> {
    /// Plans an event.
    ///
    /// # Panics
    /// If `time` is before the last event taken, or [`SimTime::NEVER`]: both are bugs.
    pub fn push(&mut self, time: SimTime, phase: Phase, event: E) {
        assert!(time >= self.now, "an event is planned in the past");
        assert!(time != SimTime::NEVER, "what never happens is not planned");
        let entry = Entry::new(time, phase, self.seq, event);
        self.seq += 1;
        if time.0 >= self.window_end {
            self.ladder.push(entry);
            return;
        }
        self.front.push(entry);
        if self.front.is_crowded() {
            self.ladder.take_back(&mut self.front, self.window_end);
            self.window_end = self.ladder.refill(&mut self.front);
        }
    }

    /// Takes the next event; `None` if nothing is pending.
    pub fn pop(&mut self) -> Option<Fired<E>> {
        let entry = self.front.pop()?;
        self.now = SimTime(entry.time);
        // The front is refilled at once, so that `peek_time` finds the next event there.
        if self.front.is_empty() {
            self.window_end = self.ladder.refill(&mut self.front);
        }
        Some(entry.fired())
    }

    /// When the next event is due.
    pub fn peek_time(&self) -> Option<SimTime> {
        self.front.first_time().map(SimTime)
    }

    /// The instant of the last event taken; [`SimTime::ZERO`] before the first.
    pub fn now(&self) -> SimTime {
        self.now
    }

    /// How many events are pending.
    pub fn len(&self) -> usize {
        self.front.len() + self.ladder.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.front.is_empty()
    }
}

/// A pending event and its key.
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
        Fired {
            time: SimTime(self.time),
            phase: Phase((self.order >> SEQUENCE_BITS) as u8),
            seq: self.order & ((1 << SEQUENCE_BITS) - 1),
            event: self.event,
        }
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
