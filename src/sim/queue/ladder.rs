//! The ladder queue. See the head of the room for what it promises.

use super::{Entry, Fired, Phase};
use crate::units::SimTime;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Events that are worth sorting at once.
const SORTED: usize = 64;
/// Events per bucket that a rung aims at.
const PER_BUCKET: usize = 12;
/// Most buckets of a rung: its headers stay in cache.
const MOST_BUCKETS: usize = 1 << 16;

/// The pending events.
pub struct EventQueue<E> {
    /// The nearest events, latest first: the next one is the last.
    bottom: Vec<Entry<E>>,
    /// Events planned among the nearest when those were many.
    crowd: BinaryHeap<Reverse<Entry<E>>>,
    /// Buckets, coarsest rung first; each rung splits the bucket that the one before is at.
    rungs: Vec<Rung<E>>,
    /// Events at or after `top_start`, unsorted.
    top: Vec<Entry<E>>,
    top_start: u64,
    /// Bucket vectors to be used again.
    spare: Vec<Vec<Entry<E>>>,
    len: usize,
    seq: u64,
    now: u64,
}

/// Equal stretches of time, each with its events unsorted.
struct Rung<E> {
    start: u64,
    width: u64,
    /// The first bucket that has not been taken out.
    current: usize,
    buckets: Vec<Vec<Entry<E>>>,
}

impl<E> Rung<E> {
    /// Where the buckets that are left begin.
    fn frontier(&self) -> u64 {
        self.start.saturating_add(self.width.saturating_mul(self.current as u64))
    }
}

impl<E> Default for EventQueue<E> {
    fn default() -> Self {
        EventQueue {
            bottom: Vec::new(),
            crowd: BinaryHeap::new(),
            rungs: Vec::new(),
            top: Vec::new(),
            top_start: 0,
            spare: Vec::new(),
            len: 0,
            seq: 0,
            now: 0,
        }
    }
}

impl<E> EventQueue<E> {
    /// Plans an event. Planning before the last event handled is a bug.
    pub fn push(&mut self, time: SimTime, phase: Phase, event: E) {
        assert!(time.0 >= self.now, "an event is planned in the past");
        let entry = Entry::new(time, phase, self.seq, event);
        self.seq += 1;
        self.len += 1;
        self.place(entry);
    }

    fn place(&mut self, entry: Entry<E>) {
        if entry.time >= self.top_start {
            self.top.push(entry);
            return;
        }
        for rung in &mut self.rungs {
            if entry.time >= rung.frontier() {
                let at = ((entry.time - rung.start) / rung.width) as usize;
                rung.buckets[at].push(entry);
                return;
            }
        }
        if self.bottom.len() < SORTED {
            let at = self.bottom.partition_point(|other| other.key() > entry.key());
            self.bottom.insert(at, entry);
        } else {
            self.crowd.push(Reverse(entry));
        }
    }

    /// Takes the next event.
    pub fn pop(&mut self) -> Option<Fired<E>> {
        self.settle();
        let from_crowd = match (self.bottom.last(), self.crowd.peek()) {
            (Some(sorted), Some(Reverse(other))) => other.key() < sorted.key(),
            (sorted, _) => sorted.is_none(),
        };
        let entry = if from_crowd {
            self.crowd.pop().map(|Reverse(entry)| entry)
        } else {
            self.bottom.pop()
        }?;
        self.len -= 1;
        self.now = entry.time;
        Some(entry.fire())
    }

    /// When the next event is due.
    pub fn peek_time(&mut self) -> Option<SimTime> {
        self.settle();
        let sorted = self.bottom.last().map(Entry::key);
        let other = self.crowd.peek().map(|Reverse(entry)| entry.key());
        let next = match (sorted, other) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        next.map(|(time, _)| SimTime(time))
    }

    /// How many events are pending.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Brings the nearest events to the bottom, if there are none.
    fn settle(&mut self) {
        while self.bottom.is_empty() && self.crowd.is_empty() {
            let Some(rung) = self.rungs.last_mut() else {
                if self.top.is_empty() {
                    return;
                }
                self.open_top();
                continue;
            };
            let next = rung.buckets[rung.current..].iter().position(|bucket| !bucket.is_empty());
            let Some(skip) = next else {
                self.close_rung();
                continue;
            };
            let at = rung.current + skip;
            let (start, width) = (rung.start + rung.width * at as u64, rung.width);
            rung.current = at + 1;
            let fresh = self.spare.pop().unwrap_or_default();
            let bucket = std::mem::replace(&mut rung.buckets[at], fresh);
            self.open_bucket(bucket, start, width);
        }
    }

    /// Splits what lies unsorted: into the bottom if it is little, else into a first rung.
    fn open_top(&mut self) {
        let top = std::mem::take(&mut self.top);
        let first = top.iter().map(|entry| entry.time).min().unwrap_or(0);
        let last = top.iter().map(|entry| entry.time).max().unwrap_or(0);
        self.top_start = last.saturating_add(1);
        self.split(top, first, last - first + 1);
    }

    /// Splits a bucket of a rung that covers `width` from `start` on.
    fn open_bucket(&mut self, bucket: Vec<Entry<E>>, start: u64, width: u64) {
        self.split(bucket, start, width);
    }

    fn split(&mut self, mut events: Vec<Entry<E>>, start: u64, width: u64) {
        if events.len() <= SORTED || width == 1 {
            events.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.key()));
            let empty = std::mem::replace(&mut self.bottom, events);
            self.keep(empty);
            return;
        }
        let wanted = (events.len() / PER_BUCKET).clamp(2, MOST_BUCKETS) as u64;
        let each = width.div_ceil(wanted).max(1);
        let count = width.div_ceil(each) as usize;
        let mut buckets = Vec::with_capacity(count);
        for _ in 0..count {
            buckets.push(self.spare.pop().unwrap_or_default());
        }
        for entry in events.drain(..) {
            buckets[((entry.time - start) / each) as usize].push(entry);
        }
        self.keep(events);
        self.rungs.push(Rung { start, width: each, current: 0, buckets });
    }

    /// A rung whose time has passed.
    fn close_rung(&mut self) {
        if let Some(rung) = self.rungs.pop() {
            for bucket in rung.buckets {
                self.keep(bucket);
            }
        }
    }

    /// Keeps a vector's memory for later, within bounds: memory follows live events.
    fn keep(&mut self, vector: Vec<Entry<E>>) {
        let small = vector.capacity() <= 4 * SORTED;
        if small && vector.capacity() > 0 && self.spare.len() * PER_BUCKET <= self.len + 1024 {
            self.spare.push(vector);
        }
    }
}
