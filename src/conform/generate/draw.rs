//! Chances and choices from one random stream. It does not know what is chosen.

use crate::sim::rng::Stream;

/// What cases are drawn with.
pub(super) struct Draw {
    stream: Stream,
}

impl Draw {
    pub(super) fn new(stream: Stream) -> Draw {
        Draw { stream }
    }

    /// True with so many percent.
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.stream.below(100) < percent
    }

    /// A whole number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.stream.below(high - low + 1)
    }

    /// A place in a list of `length`, which must not be 0.
    pub(super) fn below(&mut self, length: usize) -> usize {
        self.stream.below(length as u64) as usize
    }

    /// One of `items`, of which there must be one.
    pub(super) fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }
}
