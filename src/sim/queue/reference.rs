//! The plain event list: a binary heap. What the ladder is held against.

use super::{Entry, Fired, Phase};
use crate::units::SimTime;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Pending events in a heap.
pub struct HeapQueue<E> {
    heap: BinaryHeap<Reverse<Entry<E>>>,
    seq: u64,
}

impl<E> Default for HeapQueue<E> {
    fn default() -> Self {
        HeapQueue { heap: BinaryHeap::new(), seq: 0 }
    }
}

impl<E> HeapQueue<E> {
    /// Plans an event.
    pub fn push(&mut self, time: SimTime, phase: Phase, event: E) {
        self.heap.push(Reverse(Entry::new(time, phase, self.seq, event)));
        self.seq += 1;
    }

    /// Takes the next event.
    pub fn pop(&mut self) -> Option<Fired<E>> {
        self.heap.pop().map(|Reverse(entry)| entry.fire())
    }
}
