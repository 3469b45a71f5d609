//! The event list: what is due, in the order (time, phase, sequence).

use crate::units::SimTime;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

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

struct Entry<E>(SimTime, Phase, u64, E);

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.2 == other.2
    }
}
impl<E> Eq for Entry<E> {}
impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0, self.1, self.2).cmp(&(other.0, other.1, other.2))
    }
}

/// The pending events.
pub struct EventQueue<E> {
    heap: BinaryHeap<Reverse<Entry<E>>>,
    seq: u64,
    now: SimTime,
}

impl<E> Default for EventQueue<E> {
    fn default() -> Self {
        EventQueue { heap: BinaryHeap::new(), seq: 0, now: SimTime::ZERO }
    }
}

impl<E> EventQueue<E> {
    /// Plans an event. Planning before the last event handled is a bug.
    pub fn push(&mut self, time: SimTime, phase: Phase, event: E) {
        assert!(time >= self.now, "an event is planned in the past");
        self.heap.push(Reverse(Entry(time, phase, self.seq, event)));
        self.seq += 1;
    }

    /// Takes the next event.
    pub fn pop(&mut self) -> Option<Fired<E>> {
        let Reverse(Entry(time, phase, seq, event)) = self.heap.pop()?;
        self.now = time;
        Some(Fired { time, phase, seq, event })
    }

    /// When the next event is due.
    pub fn peek_time(&self) -> Option<SimTime> {
        self.heap.peek().map(|Reverse(entry)| entry.0)
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
