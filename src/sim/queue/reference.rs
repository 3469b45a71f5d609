//! The pending events in the plainest way that is right: a binary heap of the standard library.
//!
//! It is what [`super::EventQueue`] is held against, in tests for its order and in
//! `benches/kernel.rs` for its speed. Simulations do not use it.

use super::{Entry, Fired, Phase};
use crate::units::SimTime;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Same contract as [`super::EventQueue`], O(log n) per event.
pub struct ReferenceQueue<E> {
    heap: BinaryHeap<Reverse<Entry<E>>>,
    seq: u64,
    now: SimTime,
}

impl<E> Default for ReferenceQueue<E> {
    fn default() -> Self {
        ReferenceQueue { heap: BinaryHeap::new(), seq: 0, now: SimTime::ZERO }
    }
}

impl<E> ReferenceQueue<E> {
    /// Plans an event; see [`super::EventQueue::push`].
    pub fn push(&mut self, time: SimTime, phase: Phase, event: E) {
        assert!(time >= self.now, "an event is planned in the past");
        assert!(time != SimTime::NEVER, "what never happens is not planned");
        self.heap.push(Reverse(Entry::new(time, phase, self.seq, event)));
        self.seq += 1;
    }

    /// Takes the next event; see [`super::EventQueue::pop`].
    pub fn pop(&mut self) -> Option<Fired<E>> {
        let Reverse(entry) = self.heap.pop()?;
        self.now = SimTime(entry.time);
        Some(entry.fired())
    }

    /// When the next event is due.
    pub fn peek_time(&self) -> Option<SimTime> {
        self.heap.peek().map(|Reverse(entry)| SimTime(entry.time))
    }

    /// How many events are pending.
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}
