//! The nearest events while few are pending: a ring of narrow buckets that slides along with time.
//!
//! An event is written into a slot and stays there until it is taken. A bucket is a list of slots
//! in order, most of them empty or of one event, and bits say which are not empty. Bucket `n` of
//! all time is bucket `n % BUCKETS` of the ring, so sliding it moves nothing.
//!
//! It does not know the present, nor what comes after its end, nor how wide buckets should be.

use super::{Entry, Fired};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Buckets of the ring, of 2 bytes and a bit: so many that the events of a few thousand lie apart.
pub(super) const BUCKETS: usize = 1 << 14;

const WORDS: usize = BUCKETS / 64;
const SUMMARIES: usize = WORDS / 64;

/// The ring slides when the present has moved on by so many buckets.
const SLIDE: u64 = BUCKETS as u64 / 8;

/// An event that is neither the last of its bucket nor one of so many first ones goes to a heap.
const STEPS: usize = 8;

/// So many events that share a bucket but not the instant ask for another width.
const STRAIN: u64 = 512;

/// Slots at most; what is pushed beyond them goes to the heap.
const SLOTS: usize = 1 << 15;

/// Events that the heap keeps room for when it is empty.
const KEPT_ROOM: usize = 64;

/// The first bucket with events, if there is none.
const NONE: u64 = u64::MAX;

/// An event, or room for one.
///
/// Events are `Copy`, so that a free slot keeps its last one. An `Option` would be taken apart and
/// put together wherever it is moved, and the processor has to wait for such a copy before it can
/// be read: a third of an event's time.
struct Slot<E> {
    time: u64,
    order: u64,
    event: E,
    /// The next of the bucket, or the next free one; 0 for none.
    next: u16,
    /// The last of the bucket. Kept in its first slot only.
    last: u16,
}

impl<E: Copy> Slot<E> {
    fn key(&self) -> u128 {
        u128::from(self.time) << 64 | u128::from(self.order)
    }

    fn entry(&self) -> Entry<E> {
        Entry { time: self.time, order: self.order, event: self.event }
    }
}

/// Events before an end, in buckets.
pub(super) struct Ring<E> {
    /// The first bucket with events, counted from the start of time.
    first: u64,
    /// An event before this bucket can be taken at once: otherwise there is something to see to.
    ready_until: u64,
    /// All of its events are before; 0 if it takes none.
    end: u64,
    /// From this bucket on it should slide.
    slide_from: u64,
    /// Buckets are 2^shift nanoseconds wide.
    shift: u32,
    /// The first free slot, 0 for none.
    free: u16,
    len: usize,
    /// Slot 0 is no slot: it may be written to, but is not read.
    slots: Vec<Slot<E>>,
    /// What has no place near an end of its bucket.
    crowd: BinaryHeap<Reverse<Entry<E>>>,
    /// Events so far that were due at the same instant as one before them.
    ties: u64,
    /// Events so far that went to the heap.
    crowded: u64,
    /// Events that share a bucket but not the instant, since it was last seen to.
    strain: u64,
    /// A bit for each word of `occupied` that is not 0.
    summary: [u64; SUMMARIES],
    /// A bit for each bucket that has events.
    occupied: [u64; WORDS],
    /// The first slot of each bucket that has events.
    heads: [u16; BUCKETS],
    /// Events put in so far.
    #[cfg(test)]
    pub(super) moved: u64,
}

impl<E> Default for Ring<E> {
    fn default() -> Self {
        Ring {
            first: NONE,
            ready_until: 0,
            end: 0,
            slide_from: 0,
            shift: 0,
            free: 0,
            len: 0,
            slots: Vec::new(),
            crowd: BinaryHeap::new(),
            ties: 0,
            crowded: 0,
            strain: 0,
            summary: [0; SUMMARIES],
            occupied: [0; WORDS],
            heads: [0; BUCKETS],
            #[cfg(test)]
            moved: 0,
        }
    }
}

impl<E: Copy> Ring<E> {
    /// Takes an event that is before the end, and not before the present.
    ///
    /// Always inlined: called, it would get the event by way of memory once more.
    #[inline(always)]
    pub(super) fn push(&mut self, entry: Entry<E>) {
        #[cfg(test)]
        {
            self.moved += 1;
        }
        self.len += 1;
        if self.free == 0 && !self.add_slot(entry.event) {
            self.push_crowd(entry);
            return;
        }
        let (at, key) = (self.free, entry.key());
        let slot = &mut self.slots[usize::from(at)];
        self.free = slot.next;
        *slot =
            Slot { time: entry.time, order: entry.order, event: entry.event, next: 0, last: at };
        let bucket = entry.time >> self.shift;
        self.first = self.first.min(bucket);
        let bucket = bucket as usize % BUCKETS;
        let (word, bit) = (bucket / 64, 1 << (bucket % 64));
        if self.occupied[word] & bit == 0 {
            self.occupied[word] |= bit;
            self.summary[word / 64] |= 1 << (word % 64);
            self.heads[bucket] = at;
        } else {
            self.link(bucket, at, key);
        }
    }

    /// Puts a slot into the list of a bucket that has events.
    #[inline(never)]
    fn link(&mut self, bucket: usize, at: u16, key: u128) {
        let head = self.heads[bucket];
        let last = self.slots[usize::from(head)].last;
        let tail = &mut self.slots[usize::from(last)];
        let tie = tail.time == (key >> 64) as u64;
        self.ties += u64::from(tie);
        self.strain += u64::from(!tie);
        if self.strain >= STRAIN {
            self.ready_until = 0;
        }
        if tail.key() < key {
            tail.next = at;
            self.slots[usize::from(head)].last = at;
            return;
        }
        let (mut before, mut next) = (0, head);
        for _ in 0..STEPS {
            let slot = &self.slots[usize::from(next)];
            if key < slot.key() {
                let new = &mut self.slots[usize::from(at)];
                (new.next, new.last) = (next, last);
                match before {
                    0 => self.heads[bucket] = at,
                    _ => self.slots[usize::from(before)].next = at,
                }
                return;
            }
            (before, next) = (next, slot.next);
        }
        let slot = &mut self.slots[usize::from(at)];
        slot.next = self.free;
        self.free = at;
        let entry = slot.entry();
        self.push_crowd(entry);
    }

    #[cold]
    fn push_crowd(&mut self, entry: Entry<E>) {
        self.ready_until = 0;
        self.crowded += 1;
        self.crowd.push(Reverse(entry));
    }

    /// Adds a free slot, where there is none; `filler` is any event.
    #[cold]
    fn add_slot(&mut self, filler: E) -> bool {
        if self.slots.len() >= SLOTS {
            return false;
        }
        let slot = || Slot { time: 0, order: 0, event: filler, next: 0, last: 0 };
        if self.slots.is_empty() {
            self.slots.push(slot());
        }
        self.free = self.slots.len() as u16;
        self.slots.push(slot());
        true
    }

    /// Whether the next event is here and can be taken at once.
    #[inline]
    pub(super) fn is_ready(&self) -> bool {
        self.first < self.ready_until
    }

    /// Takes the first event of the first bucket, if it [`is_ready`](Self::is_ready).
    #[inline]
    pub(super) fn take(&mut self) -> Fired<E> {
        let bucket = self.first as usize % BUCKETS;
        let at = self.heads[bucket];
        let slot = &mut self.slots[usize::from(at)];
        let fired = Fired::new(slot.time, slot.order, slot.event);
        let (next, last) = (slot.next, slot.last);
        slot.next = self.free;
        self.free = at;
        self.len -= 1;
        // Without a branch: whether a bucket has a second event can't be foretold.
        self.heads[bucket] = next;
        self.slots[usize::from(next)].last = last;
        let word = &mut self.occupied[bucket / 64];
        *word &= !(u64::from(next == 0) << (bucket % 64));
        let rest = *word >> (bucket % 64);
        if rest != 0 {
            self.first += u64::from(rest.trailing_zeros());
        } else {
            self.leave_word(bucket);
        }
        fired
    }

    /// Finds the first bucket, where none is left in the word of `bucket` from there on.
    #[inline(never)]
    fn leave_word(&mut self, bucket: usize) {
        let word = bucket / 64;
        self.summary[word / 64] &= !(u64::from(self.occupied[word] == 0) << (word % 64));
        // The word itself comes last: before `bucket` it has the end of the ring.
        let from = (word + 1) % WORDS;
        let mut bits = self.summary[from / 64] & u64::MAX << (from % 64);
        for i in from / 64 + 1..=from / 64 + SUMMARIES + 1 {
            if bits != 0 {
                let word = (i - 1) % SUMMARIES * 64 + bits.trailing_zeros() as usize;
                let next = word * 64 + self.occupied[word].trailing_zeros() as usize;
                self.first += (next.wrapping_sub(bucket) % BUCKETS) as u64;
                return;
            }
            bits = self.summary[i % SUMMARIES];
        }
        self.first = NONE;
    }

    /// Takes the next event, wherever it lies.
    pub(super) fn pop(&mut self) -> Option<Fired<E>> {
        let late = self.crowd.peek().map_or(u128::MAX, |Reverse(entry)| entry.key());
        let fired = if self.first_slot().is_some_and(|slot| slot.key() < late) {
            Some(self.take())
        } else {
            let Reverse(entry) = self.crowd.pop()?;
            self.len -= 1;
            Some(entry.fired())
        };
        if self.crowd.is_empty() {
            self.crowd.shrink_to(KEPT_ROOM);
            self.ready_until = self.slide_from;
        }
        fired
    }

    fn first_slot(&self) -> Option<&Slot<E>> {
        if self.first == NONE {
            return None;
        }
        self.slots.get(usize::from(self.heads[self.first as usize % BUCKETS]))
    }

    #[inline]
    pub(super) fn first_time(&self) -> Option<u64> {
        let row = self.first_slot().map(|slot| slot.time);
        match self.crowd.peek() {
            None => row,
            Some(Reverse(late)) => Some(row.map_or(late.time, |time| time.min(late.time))),
        }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// It takes events before this instant.
    #[inline]
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Whether it takes events at all.
    pub(super) fn is_open(&self) -> bool {
        self.end != 0
    }

    /// How wide buckets are, as a power of two of nanoseconds.
    pub(super) fn shift(&self) -> u32 {
        self.shift
    }

    /// Takes events from now on, while it is empty, up to as far as it reaches from `present`.
    pub(super) fn open(&mut self, shift: u32, present: u64) {
        self.shift = shift;
        self.slide_from = 0;
        self.slide(present);
    }

    /// Moves the end on, if that is due when the present has come to `present`; all events are at
    /// or after it. Whether it has.
    pub(super) fn slide(&mut self, present: u64) -> bool {
        self.strain = 0;
        let bucket = present >> self.shift;
        if bucket < self.slide_from {
            return false;
        }
        self.slide_from = bucket.saturating_add(SLIDE);
        let end = u128::from(bucket) + BUCKETS as u128;
        self.end = u64::try_from(end << self.shift).unwrap_or(u64::MAX);
        true
    }

    /// Hands out all events, in no order, and takes none until it is opened.
    pub(super) fn close(&mut self, mut receive: impl FnMut(Entry<E>)) {
        while self.first != NONE {
            let Fired { time, phase, seq, event } = self.take();
            receive(Entry::new(time, phase, seq, event));
        }
        self.crowd.drain().for_each(|Reverse(entry)| receive(entry));
        (self.len, self.end, self.ready_until) = (0, 0, 0);
        // Room follows what is there.
        (self.slots, self.crowd, self.free) = (Vec::new(), BinaryHeap::new(), 0);
    }

    /// Events so far that were due at the same instant as one before them.
    pub(super) fn ties(&self) -> u64 {
        self.ties
    }

    /// Events so far that had no place near an end of their bucket.
    pub(super) fn crowded(&self) -> u64 {
        self.crowded
    }

    /// Events there is room for.
    pub(super) fn room(&self) -> usize {
        self.slots.capacity() + self.crowd.capacity()
    }
}
