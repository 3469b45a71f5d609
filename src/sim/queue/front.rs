//! The nearest events, sorted.
//!
//! It does not know which span of time it stands for, nor what comes after it.

use super::{Entry, Fired};
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Buckets of up to so many events are sorted at once.
pub(super) const SORTED_AT_ONCE: usize = 64;

/// An event is put into the sorted row if that moves at most so many others.
const MOVED_AT_MOST: usize = 64;

/// Events that the row keeps room for when it is empty.
const KEPT_ROOM: usize = 4 * SORTED_AT_ONCE;

/// Events in order: a sorted row, and a heap for what would have to be put into its middle.
pub(super) struct Front<E> {
    row: VecDeque<Entry<E>>,
    heap: BinaryHeap<Reverse<Entry<E>>>,
    /// The time of one event put in since it was last filled.
    first: u64,
    /// The bits in which the others differ from it.
    differ: u64,
    /// Events put in one by one since it was last filled.
    pushed: usize,
}

impl<E> Default for Front<E> {
    fn default() -> Self {
        Front { row: VecDeque::new(), heap: BinaryHeap::new(), first: 0, differ: 0, pushed: 0 }
    }
}

impl<E: Copy> Front<E> {
    pub(super) fn push(&mut self, entry: Entry<E>) {
        if self.is_empty() {
            self.first = entry.time;
            self.differ = 0;
        }
        self.differ |= entry.time ^ self.first;
        self.pushed += 1;
        let key = entry.key();
        let at = self.row.partition_point(|other| other.key() < key);
        if at.min(self.row.len() - at) <= MOVED_AT_MOST {
            self.row.insert(at, entry);
        } else {
            self.heap.push(Reverse(entry));
        }
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<Fired<E>> {
        if !self.heap.is_empty() {
            return self.pop_either();
        }
        // Copied from where it lies: an `Option<Entry>` that is taken apart is one copy more.
        let fired = self.row.front()?.fired();
        self.row.pop_front();
        Some(fired)
    }

    #[inline(never)]
    fn pop_either(&mut self) -> Option<Fired<E>> {
        let Reverse(late) = self.heap.peek()?;
        match self.row.front() {
            Some(entry) if entry < late => self.row.pop_front().map(|entry| entry.fired()),
            _ => self.heap.pop().map(|Reverse(entry)| entry.fired()),
        }
    }

    pub(super) fn first_time(&self) -> Option<u64> {
        let row = self.row.front().map(|entry| entry.time);
        match self.heap.peek() {
            None => row,
            Some(Reverse(late)) => Some(row.map_or(late.time, |time| time.min(late.time))),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.row.len() + self.heap.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.row.is_empty() && self.heap.is_empty()
    }

    /// Whether it has grown so much that it is better split: never if it is all one instant.
    ///
    /// At least half of what is moved then was pushed since the last time: O(1) for a push.
    pub(super) fn is_crowded(&mut self) -> bool {
        if self.pushed <= SORTED_AT_ONCE || self.differ == 0 || self.len() > 2 * self.pushed {
            return false;
        }
        // Events that have been taken may be the only ones that differed.
        let late = self.heap.iter().map(|Reverse(entry)| entry.time);
        let (first, differ) = (self.first, &mut self.differ);
        *differ = 0;
        let mut times = self.row.iter().map(|entry| entry.time).chain(late);
        let first = times.next().unwrap_or(first);
        times.for_each(|time| *differ |= time ^ first);
        (self.first, self.pushed) = (first, 0);
        self.differ != 0
    }

    /// The time of one event, and the bits in which others differ, past ones included.
    pub(super) fn span(&self) -> (u64, u64) {
        (self.first, self.differ)
    }

    /// Hands all events to `receive`, in no order.
    pub(super) fn empty_into(&mut self, mut receive: impl FnMut(Entry<E>)) {
        self.row.drain(..).for_each(&mut receive);
        self.heap.drain().for_each(|Reverse(entry)| receive(entry));
    }

    /// Fills it, while it is empty, with `count` events, the times of which differ from `first` in
    /// the bits `differ`.
    pub(super) fn fill(
        &mut self,
        (first, differ): (u64, u64),
        count: usize,
        give: impl FnOnce(&mut VecDeque<Entry<E>>),
    ) {
        // Room follows what is there: an instant with very many events leaves none behind.
        self.row.clear();
        if self.row.capacity() > KEPT_ROOM.max(4 * count) {
            self.row.shrink_to(KEPT_ROOM.max(count));
        }
        if self.heap.capacity() > KEPT_ROOM {
            self.heap.shrink_to(KEPT_ROOM);
        }
        (self.first, self.differ, self.pushed) = (first, differ, 0);
        give(&mut self.row);
        self.row.make_contiguous().sort_unstable_by_key(Entry::key);
    }

    /// Events there is room for.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.row.capacity() + self.heap.capacity()
    }
}
