//! All but the nearest events, in buckets that are split as they come near.
//!
//! It does not know the present: it is asked for what comes next.

use super::Entry;
use super::bucket::{Bucket, Chunks};
use super::front::{Front, SORTED_AT_ONCE};

/// A bucket is split such that about so many events are left in each part, if they lie evenly.
const EVENTS_PER_BUCKET: usize = 4;

/// A rung has between 2^3 and 2^10 buckets, unless that would be finer than a nanosecond. More
/// would not stay in a fast cache while events are dealt out to them.
const RUNG_BITS: (u32, u32) = (3, 10);

/// Rungs, outermost first, and the bucket of everything after them.
pub(super) struct Ladder<E> {
    rungs: Vec<Rung<E>>,
    top: Bucket<E>,
    /// The end of the outermost rung: events from here on are in `top`.
    top_from: u64,
    len: usize,
    pub(super) chunks: Chunks<E>,
    /// Rungs that have been worked off, kept for their buckets.
    spare: Vec<Rung<E>>,
}

impl<E> Default for Ladder<E> {
    fn default() -> Self {
        Ladder {
            rungs: Vec::new(),
            top: Bucket::default(),
            top_from: 0,
            len: 0,
            chunks: Chunks::default(),
            spare: Vec::new(),
        }
    }
}

impl<E: Copy> Ladder<E> {
    /// Takes an event that lies after the front.
    #[inline]
    pub(super) fn push(&mut self, entry: Entry<E>) {
        self.len += 1;
        if entry.time >= self.top_from {
            self.top.push(entry, &mut self.chunks);
            return;
        }
        // Inner rungs end earlier. What lies between the end of one and the end of the bucket that
        // it was split off from goes back into that bucket.
        let inner = self.rungs[1..].iter().take_while(|rung| entry.time < rung.end).count();
        self.rungs[inner].push(entry, &mut self.chunks);
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Moves the next events into `front`, which is empty, and returns the instant up to which the
    /// front now answers: all of time, if nothing is left in the ladder.
    pub(super) fn refill(&mut self, front: &mut Front<E>) -> u64 {
        if self.len == 0 {
            self.spare.append(&mut self.rungs);
            self.top_from = 0;
            front.fill((0, 0), 0, |_| ());
            return u64::MAX;
        }
        loop {
            let (bucket, bucket_end) = match self.rungs.last_mut() {
                None => {
                    self.top_from = 0;
                    (&mut self.top, u64::MAX)
                }
                Some(rung) => match rung.next_bucket() {
                    Some(at) => rung.open(at),
                    None => {
                        self.spare.extend(self.rungs.pop());
                        continue;
                    }
                },
            };
            let (span, count) = ((bucket.first(), bucket.differ()), bucket.len());
            if count <= SORTED_AT_ONCE || span.1 == 0 {
                self.len -= count;
                let chunks = &mut self.chunks;
                front.fill(span, count, |row| {
                    row.reserve(count);
                    bucket.empty_into(chunks, |events, _| row.extend(events));
                });
                // An instant with very many events is better kept apart from others.
                return if count > SORTED_AT_ONCE { span.0 + 1 } else { bucket_end };
            }
            let mut crowded = std::mem::take(bucket);
            let mut rung = self.rung_for(span, count, bucket_end);
            crowded.empty_into(&mut self.chunks, |events, chunks| {
                for &entry in events {
                    rung.push(entry, chunks);
                }
            });
            self.rungs.push(rung);
        }
    }

    /// Takes all events of `front`, which answered up to `window_end`, back into a rung.
    pub(super) fn take_back(&mut self, front: &mut Front<E>, window_end: u64) {
        let count = front.len();
        let mut rung = self.rung_for(front.span(), count, window_end);
        front.empty_into(|entry| rung.push(entry, &mut self.chunks));
        self.len += count;
        self.rungs.push(rung);
    }

    /// A rung, empty as yet, for `count` events the times of which differ from `first` in the bits
    /// `differ`, and are before `limit`.
    fn rung_for(&mut self, (first, differ): (u64, u64), count: usize, limit: u64) -> Rung<E> {
        let width = u64::BITS - differ.leading_zeros();
        let wanted = (count / EVENTS_PER_BUCKET).max(1).ilog2();
        let bits = wanted.clamp(RUNG_BITS.0, RUNG_BITS.1).min(width);
        let base = first & u64::MAX.checked_shl(width).unwrap_or(0);
        let end = 1u64.checked_shl(width).and_then(|length| base.checked_add(length));
        let end = end.unwrap_or(u64::MAX).min(limit);
        if self.rungs.is_empty() {
            self.top_from = end;
        }
        let mut rung = self.spare.pop().unwrap_or_default();
        rung.reuse(base, width - bits, end, 1 << bits);
        rung
    }
}

const WORDS: usize = (1 << RUNG_BITS.1) / u64::BITS as usize;

/// A span of time in buckets of equal width.
struct Rung<E> {
    base: u64,
    end: u64,
    /// Buckets are 2^shift nanoseconds wide.
    shift: u32,
    /// All buckets of words before this one are empty.
    from_word: usize,
    /// A bit for each bucket that has events.
    occupied: [u64; WORDS],
    buckets: Vec<Bucket<E>>,
}

impl<E> Default for Rung<E> {
    fn default() -> Self {
        let buckets = Vec::new();
        Rung { base: 0, end: 0, shift: 0, from_word: 0, occupied: [0; WORDS], buckets }
    }
}

impl<E> Rung<E> {
    fn reuse(&mut self, base: u64, shift: u32, end: u64, buckets: usize) {
        (self.base, self.shift, self.end) = (base, shift, end);
        (self.from_word, self.occupied) = (0, [0; WORDS]);
        if self.buckets.len() < buckets {
            self.buckets.resize_with(buckets, Bucket::default);
        }
    }

    fn push(&mut self, entry: Entry<E>, chunks: &mut Chunks<E>) {
        let at = ((entry.time - self.base) >> self.shift) as usize;
        self.occupied[at / 64] |= 1 << (at % 64);
        self.buckets[at].push(entry, chunks);
    }

    /// The first bucket with events.
    fn next_bucket(&mut self) -> Option<usize> {
        while self.from_word < WORDS {
            let word = self.occupied[self.from_word];
            if word != 0 {
                return Some(self.from_word * 64 + word.trailing_zeros() as usize);
            }
            self.from_word += 1;
        }
        None
    }

    /// The bucket, now to be emptied, and the instant at which it ends.
    fn open(&mut self, at: usize) -> (&mut Bucket<E>, u64) {
        self.occupied[at / 64] &= !(1 << (at % 64));
        let end = u128::from(self.base) + ((at as u128 + 1) << self.shift);
        let end = u64::try_from(end).unwrap_or(u64::MAX).min(self.end);
        (&mut self.buckets[at], end)
    }
}
