//! The event list: what is due, in the order (time, phase, sequence).
//!
//! [`EventQueue`] is a ladder queue (Tang, Goh, Thng, "Ladder queue: an O(1) priority queue
//! structure for large-scale discrete event simulation", ACM TOMACS 2005): far events lie unsorted,
//! nearer ones in buckets that are split as their time comes, and only the nearest handful is kept
//! sorted. Every event is moved a few times in its life, whatever the number of others. Bucket
//! widths follow the events at hand, so neither gaps of days nor crowds of nanoseconds hurt; what
//! can't be split (events of one instant) falls back on a heap, O(log n). The plain heap stays in
//! [`reference`] and tests hold the two against each other.

mod ladder;
pub mod reference;

pub use ladder::EventQueue;

use crate::units::SimTime;
use std::cmp::Ordering;

/// Rank among events of one instant; lower comes first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Phase(pub u8);

/// An event that is due.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fired<E> {
    /// When.
    pub time: SimTime,
    /// Its rank.
    pub phase: Phase,
    /// Its number among all events ever planned.
    pub seq: u64,
    /// What.
    pub event: E,
}

/// Bits of the sequence number; the phase stands above them in one word.
const SEQ_BITS: u32 = 56;

/// A pending event with its key.
#[derive(Clone, Copy)]
struct Entry<E> {
    time: u64,
    /// Phase, then sequence.
    rank: u64,
    event: E,
}

impl<E> Entry<E> {
    fn new(time: SimTime, phase: Phase, seq: u64, event: E) -> Entry<E> {
        debug_assert!(seq < 1 << SEQ_BITS);
        Entry { time: time.0, rank: (u64::from(phase.0) << SEQ_BITS) | seq, event }
    }

    fn key(&self) -> (u64, u64) {
        (self.time, self.rank)
    }

    fn fire(self) -> Fired<E> {
        let (phase, seq) = (self.rank >> SEQ_BITS, self.rank & ((1 << SEQ_BITS) - 1));
        Fired { time: SimTime(self.time), phase: Phase(phase as u8), seq, event: self.event }
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
mod tests {
    use super::reference::HeapQueue;
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::{Config, RngSeed};

    /// How far ahead an event is planned: ties, crowds, gaps.
    fn delay() -> impl Strategy<Value = u64> {
        prop_oneof![
            3 => Just(0u64),
            3 => 0u64..4,
            3 => 0u64..1_000,
            3 => 0u64..1_000_000_000,
            1 => 0u64..10_000_000_000_000_000,
        ]
    }

    #[derive(Clone, Debug)]
    enum Step {
        Push(u64, u8),
        Pop,
    }

    fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (delay(), 0u8..4).prop_map(|(delay, phase)| Step::Push(delay, phase)),
            2 => Just(Step::Pop),
        ];
        proptest::collection::vec(step, 0..most)
    }

    /// Runs steps on both; every event popped must be the same one.
    fn same(steps: &[Step]) {
        let (mut fast, mut plain) = (EventQueue::default(), HeapQueue::default());
        let mut now = 0;
        for (number, step) in steps.iter().enumerate() {
            match step {
                Step::Push(delay, phase) => {
                    fast.push(SimTime(now + delay), Phase(*phase), number);
                    plain.push(SimTime(now + delay), Phase(*phase), number);
                }
                Step::Pop => {
                    let (a, b) = (fast.pop(), plain.pop());
                    assert_eq!(a, b);
                    now = b.map_or(now, |fired| fired.time.0);
                }
            }
        }
        while let Some(expected) = plain.pop() {
            assert_eq!(fast.peek_time(), Some(expected.time));
            assert_eq!(fast.pop(), Some(expected));
        }
        assert_eq!((fast.pop(), fast.len()), (None, 0));
    }

    proptest! {
        #![proptest_config(Config {
            cases: 200,
            rng_seed: RngSeed::Fixed(7),
            failure_persistence: None,
            ..Config::default()
        })]

        #[test]
        fn the_ladder_pops_what_the_heap_pops(steps in steps(3000)) {
            same(&steps);
        }
    }

    #[test]
    fn crowds_of_one_instant_and_lonely_far_events_are_in_order() {
        let mut steps = vec![Step::Push(u64::MAX / 4, 0)];
        for i in 0..20_000u64 {
            steps.push(Step::Push(if i % 3 == 0 { 5 } else { i * i }, (i % 5) as u8));
        }
        for i in 0..30_000 {
            steps.push(if i % 2 == 0 { Step::Pop } else { Step::Push(0, 1) });
        }
        same(&steps);
    }

    #[test]
    #[should_panic(expected = "planned in the past")]
    fn planning_in_the_past_is_a_bug() {
        let mut queue = EventQueue::default();
        queue.push(SimTime(10), Phase(0), ());
        queue.pop();
        queue.push(SimTime(9), Phase(0), ());
    }
}
