//! Whether the ring is used, and how wide its buckets are: looked at now and then.
//!
//! It does not know any event: it goes by how many there are and how fast time passes.

use super::ring::BUCKETS;

/// The ring is used from so few events on, and given up when they have doubled.
const FEW: usize = 4096;

/// Events taken from one look to the next: at least so many, and at least so many of each that is
/// pending while the ring is in use. What a change costs is paid for by then.
const TAKEN: usize = 512;
const TAKEN_EACH: usize = 4;

/// Where many events lie too close together for the ring, it is so many times longer until it is
/// tried again.
const PATIENCE: usize = 64;

/// What there is to be seen.
#[derive(Clone, Copy, Default)]
pub(super) struct Seen {
    /// Events taken so far.
    pub taken: u64,
    /// Events so far that were put into the ring and due at the same instant as one there.
    pub ties: u64,
    /// Events so far that the ring had no good place for.
    pub crowded: u64,
    /// The present, in nanoseconds.
    pub now: u64,
    /// Events pending.
    pub pending: usize,
    /// Events the ring has room for.
    pub room: usize,
}

/// What to do.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Verdict {
    /// All stays as it is.
    Stay,
    /// Without the ring.
    Ladder,
    /// With the ring, its buckets this power of two of nanoseconds wide, and filled anew.
    Ring(u32),
}

/// The measure of time from one event to the next.
#[derive(Default)]
pub(super) struct Gauge {
    last: Seen,
    /// Whether the ring was given up because events lie too close together.
    crowded: bool,
}

impl Gauge {
    /// Looks; `ring` is the width in use.
    pub(super) fn look(&mut self, seen: Seen, ring: Option<u32>) -> Verdict {
        let few = if ring.is_some() { 2 * FEW } else { FEW };
        self.crowded = seen.crowded - self.last.crowded >= (seen.pending / 2).max(TAKEN / 2) as u64;
        if self.crowded || seen.pending > few {
            self.last = seen;
            return if ring.is_some() { Verdict::Ladder } else { Verdict::Stay };
        }
        let taken = seen.taken - self.last.taken;
        if ring.is_some() && taken < (TAKEN_EACH * seen.pending).max(TAKEN) as u64 {
            return Verdict::Stay;
        }
        let instants = taken.saturating_sub(seen.ties - self.last.ties).max(1);
        let passed = seen.now - self.last.now;
        self.last = seen;
        let width = wanted_width(passed / instants, seen.pending);
        // One is as good as the next, so that it is not changed to and fro.
        let most = width.saturating_add(width / 4 * 3);
        let fits = |shift: u32| (width - width / 8 * 3..=most).contains(&(1 << shift));
        match ring {
            // All of it at one instant says nothing.
            _ if passed == 0 => Verdict::Stay,
            Some(shift) if seen.room > 4 * seen.pending + TAKEN => Verdict::Ring(shift),
            Some(shift) if fits(shift) => Verdict::Stay,
            _ => Verdict::Ring(
                (width - width / 4).checked_next_power_of_two().map_or(63, u64::ilog2),
            ),
        }
    }

    /// Events that may be taken without the ring until it is worth a look again.
    pub(super) fn pause(&self, pending: usize) -> usize {
        pending.max(TAKEN) * if self.crowded { PATIENCE } else { 1 }
    }
}

/// How wide buckets should be, in nanoseconds, if `gap` passes from one instant with events to the
/// next.
///
/// Narrow, so that few events share a bucket: up to a quarter of the gap. But wide enough for the
/// ring to reach four times as far as an event lies ahead on average, which by Little's law is
/// `gap * pending`: of exponential delays only one in 55 is longer. And no wider than the gap.
fn wanted_width(gap: u64, pending: usize) -> u64 {
    let sixteenths = (16 * 4 * pending / BUCKETS).clamp(4, 16) as u128;
    ((u128::from(gap) * sixteenths / 16) as u64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A thousand events that lie a millisecond apart, and some that crowd together.
    fn seen(taken: u64, pending: usize) -> Seen {
        Seen { taken, ties: 0, crowded: 0, now: taken * 1_000_000, pending, room: pending }
    }

    #[test]
    fn verdicts() {
        let (far, ring) = (None, |shift| Some(shift));
        let one_instant = Seen { now: 0, ..seen(5000, 1000) };
        let in_tens = Seen { ties: 4500, ..seen(5000, 1000) };
        let crowded = Seen { crowded: 600, ..seen(1000, 1000) };
        let roomy = Seen { room: 9000, ..seen(5000, 1000) };
        let rows = [
            ("few events: a quarter of the gap wide", far, seen(600, 1000), Verdict::Ring(18)),
            ("very few: no narrower", far, seen(600, 10), Verdict::Ring(18)),
            ("some: so wide that the ring reaches", far, seen(4000, 4000), Verdict::Ring(20)),
            ("many: as it is", far, seen(5000, 5000), Verdict::Stay),
            (
                "more than it was begun with, but not double",
                ring(20),
                seen(40_000, 8000),
                Verdict::Stay,
            ),
            ("double", ring(20), seen(10, 8200), Verdict::Ladder),
            ("all at one instant says nothing", far, one_instant, Verdict::Stay),
            ("nor in the ring", ring(9), one_instant, Verdict::Stay),
            ("too wide", ring(20), seen(5000, 1000), Verdict::Ring(18)),
            ("too narrow", ring(16), seen(5000, 1000), Verdict::Ring(18)),
            ("a little off", ring(18), seen(5000, 1500), Verdict::Stay),
            ("too early to say", ring(9), seen(3000, 1000), Verdict::Stay),
            ("ten at each instant", ring(18), in_tens, Verdict::Ring(21)),
            ("crowded, and it is never too early for that", ring(18), crowded, Verdict::Ladder),
            ("much room for few events", ring(18), roomy, Verdict::Ring(18)),
        ];
        for (sentence, width, seen, verdict) in rows {
            assert_eq!(Gauge::default().look(seen, width), verdict, "{sentence}");
        }
    }

    #[test]
    fn after_a_crowd_it_is_long_until_the_ring_is_tried_again() {
        let mut gauge = Gauge::default();
        let crowded = Seen { crowded: 600, ..seen(1000, 1000) };
        assert_eq!((gauge.pause(1000), gauge.pause(3)), (1000, 512));
        assert_eq!(gauge.look(crowded, Some(18)), Verdict::Ladder);
        assert_eq!(gauge.pause(1000), 64_000);
        let later = Seen { crowded: 600, ..seen(65_000, 1000) };
        assert_eq!(gauge.look(later, None), Verdict::Ring(18));
        assert_eq!(gauge.pause(1000), 1000);
    }

    #[test]
    fn the_longest_gaps() {
        let seen = Seen { now: u64::MAX - 1, ..seen(1, 1) };
        assert_eq!(Gauge::default().look(seen, None), Verdict::Ring(62));
        assert_eq!(Gauge::default().look(Seen { pending: 4096, ..seen }, None), Verdict::Ring(63));
    }
}
