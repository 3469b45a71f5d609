//! The events that are not in the ring: all, when they are many, otherwise those after its end.
//!
//! It does not know the ring, nor the present.

use super::front::Front;
use super::ladder::Ladder;
use super::{Entry, Fired};

/// Events in order, by a front that is sorted and a ladder of buckets that are not.
pub(super) struct Far<E> {
    front: Front<E>,
    ladder: Ladder<E>,
    /// Events before it belong to the front; `u64::MAX`, all of them.
    window_end: u64,
}

impl<E> Default for Far<E> {
    fn default() -> Self {
        Far { front: Front::default(), ladder: Ladder::default(), window_end: u64::MAX }
    }
}

impl<E: Copy> Far<E> {
    #[inline]
    pub(super) fn push(&mut self, entry: Entry<E>) {
        if entry.time >= self.window_end {
            self.ladder.push(entry);
        } else {
            self.push_near(entry);
        }
    }

    #[inline(never)]
    fn push_near(&mut self, entry: Entry<E>) {
        self.front.push(entry);
        if self.front.is_crowded() {
            self.ladder.take_back(&mut self.front, self.window_end);
            self.refill();
        }
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<Fired<E>> {
        let fired = self.front.pop();
        // The front is refilled at once, so that `first_time` finds the next event there.
        if self.front.is_empty() {
            self.refill();
        }
        fired
    }

    #[inline(never)]
    fn refill(&mut self) {
        self.window_end = self.ladder.refill(&mut self.front);
    }

    pub(super) fn first_time(&self) -> Option<u64> {
        self.front.first_time()
    }

    pub(super) fn len(&self) -> usize {
        self.front.len() + self.ladder.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.front.is_empty()
    }

    /// Events there is room for.
    #[cfg(test)]
    pub(super) fn room(&self) -> usize {
        self.front.room() + self.ladder.chunks.room()
    }

    /// How often an event was put into a bucket.
    #[cfg(test)]
    pub(super) fn moved(&self) -> u64 {
        self.ladder.chunks.moved
    }
}
