//! Periodic work that is computed for the instant somebody asks instead of being ticked.
//!
//! A heartbeat every 10 s of 100,000 nodes is 10,000 events per simulated second that change
//! nothing. Whoever knows the phase and period of a loop can tell its last and next tick and the
//! number in between at no cost. This file does not know what a tick does.

use crate::units::{SimDuration, SimTime};

/// The instants `phase + k * period`, k = 0, 1, 2, ..., all before [`SimTime::NEVER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Periodic {
    phase: SimTime,
    period: SimDuration,
}

impl Periodic {
    /// Ticks every `period`, the first at `phase`.
    ///
    /// # Panics
    /// If `period` is zero: it would tick without end at one instant.
    pub const fn new(phase: SimTime, period: SimDuration) -> Periodic {
        assert!(period.0 > 0, "periodic work needs a period");
        Periodic { phase, period }
    }

    /// The first tick.
    pub const fn phase(&self) -> SimTime {
        self.phase
    }

    /// From one tick to the next.
    pub const fn period(&self) -> SimDuration {
        self.period
    }

    /// The first tick at or after `t`; [`SimTime::NEVER`] if none is representable.
    pub fn next_at_or_after(&self, t: SimTime) -> SimTime {
        let ticks = t.since(self.phase).0.div_ceil(self.period.0);
        self.tick(ticks)
    }

    /// The first tick after `t`; [`SimTime::NEVER`] if none is representable.
    pub fn next_after(&self, t: SimTime) -> SimTime {
        self.tick(self.ticks_until(t))
    }

    /// The last tick at or before `t`; `None` before the first.
    pub fn last_at_or_before(&self, t: SimTime) -> Option<SimTime> {
        let ticks = self.ticks_until(t);
        (ticks > 0).then(|| self.tick(ticks - 1))
    }

    /// How many ticks lie in (`after`, `until`]; none if `until` is not later.
    pub fn ticks_in(&self, after: SimTime, until: SimTime) -> u64 {
        self.ticks_until(until).saturating_sub(self.ticks_until(after))
    }

    /// How many ticks lie at or before `t`.
    pub fn ticks_until(&self, t: SimTime) -> u64 {
        // No tick is at NEVER itself: it is not an instant.
        let t = t.min(SimTime(SimTime::NEVER.0 - 1));
        if t < self.phase { 0 } else { (t.0 - self.phase.0) / self.period.0 + 1 }
    }

    fn tick(&self, k: u64) -> SimTime {
        let offset = self.period.0.checked_mul(k);
        SimTime(offset.and_then(|o| self.phase.0.checked_add(o)).unwrap_or(SimTime::NEVER.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::{Config, RngSeed};

    #[test]
    fn lease_renewals() {
        let s = SimTime::from_secs;
        let lease = Periodic::new(s(3), SimDuration::from_secs(10));
        let rows = [
            ("before the first tick", s(0), None, s(3), s(3), 0),
            ("a tick is the last and the next at once", s(3), Some(s(3)), s(3), s(13), 1),
            ("between two ticks", s(7), Some(s(3)), s(13), s(13), 1),
            ("a day later", s(86_403), Some(s(86_403)), s(86_403), s(86_413), 8641),
            ("after all time", SimTime::NEVER, None, SimTime::NEVER, SimTime::NEVER, 0),
        ];
        for (sentence, t, last, next, after, until) in rows {
            assert_eq!(lease.next_at_or_after(t), next, "{sentence}");
            assert_eq!(lease.next_after(t), after, "{sentence}");
            if t != SimTime::NEVER {
                assert_eq!(lease.last_at_or_before(t), last, "{sentence}");
                assert_eq!(lease.ticks_until(t), until, "{sentence}");
            }
        }
    }

    #[test]
    fn the_end_of_time_is_no_tick() {
        let whole = Periodic::new(SimTime(u64::MAX - 20), SimDuration(10));
        assert_eq!(whole.next_after(SimTime(u64::MAX - 10)), SimTime::NEVER);
        assert_eq!(whole.last_at_or_before(SimTime::NEVER), Some(SimTime(u64::MAX - 10)));
        assert_eq!(whole.ticks_in(SimTime::ZERO, SimTime::NEVER), 2);
        let never = Periodic::new(SimTime::NEVER, SimDuration(1));
        assert_eq!(never.next_at_or_after(SimTime::ZERO), SimTime::NEVER);
        assert_eq!(never.ticks_until(SimTime::NEVER), 0);
    }

    #[test]
    #[should_panic(expected = "needs a period")]
    fn no_period_no_ticks() {
        let _ = Periodic::new(SimTime::ZERO, SimDuration::ZERO);
    }

    proptest! {
        #![proptest_config(Config { rng_seed: RngSeed::Fixed(1), ..Config::default() })]

        #[test]
        fn equal_to_ticking_one_by_one(
            start in prop_oneof![0u64..2000, u64::MAX - 3000..u64::MAX - 1500],
            phase_offset in 0u64..300,
            period in 1u64..60,
            from in 0u64..600,
            length in 0u64..600,
        ) {
            let periodic = Periodic::new(SimTime(start + phase_offset), SimDuration(period));
            let a = SimTime(start + from);
            let b = SimTime(start + from + length);
            let mut ticks = Vec::new();
            let mut next = periodic.phase();
            while next.0 <= start.saturating_add(2000) && next != SimTime::NEVER {
                ticks.push(next);
                next = SimTime(next.0.saturating_add(period));
            }
            let next = *ticks.iter().find(|t| **t >= b).unwrap();
            prop_assert_eq!(periodic.next_at_or_after(b), next);
            prop_assert_eq!(periodic.next_after(b), *ticks.iter().find(|t| **t > b).unwrap());
            prop_assert_eq!(
                periodic.last_at_or_before(b),
                ticks.iter().copied().rev().find(|t| *t <= b)
            );
            prop_assert_eq!(
                periodic.ticks_in(a, b),
                ticks.iter().filter(|t| **t > a && **t <= b).count() as u64
            );
        }
    }
}
