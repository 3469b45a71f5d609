//! Quantities and their units: time in nanoseconds, CPU in milli-cores, memory in bytes.
//!
//! Everything here is an integer in a type of its own, so that a duration can't be mistaken for
//! an instant nor milli-cores for bytes. This file knows nothing else of the project.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul, Sub, SubAssign};

/// An instant of simulated time: nanoseconds since the start of the simulation.
///
/// `u64` nanoseconds reach 584 years.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SimTime(pub u64);

/// An instant, or none: an `Option<SimTime>` of half the size, for what there is many of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OptionalTime(SimTime);

impl OptionalTime {
    /// No instant.
    pub const NONE: OptionalTime = OptionalTime(SimTime::NEVER);

    /// As an `Option`.
    pub fn get(self) -> Option<SimTime> {
        self.is_some().then_some(self.0)
    }

    /// Whether there is one.
    pub fn is_some(self) -> bool {
        self.0 != SimTime::NEVER
    }

    /// Whether there is none.
    pub fn is_none(self) -> bool {
        !self.is_some()
    }

    /// Whether there is one for which `holds` is true.
    pub fn is_some_and(self, holds: impl FnOnce(SimTime) -> bool) -> bool {
        self.get().is_some_and(holds)
    }
}

impl Default for OptionalTime {
    /// No instant.
    fn default() -> OptionalTime {
        OptionalTime::NONE
    }
}

impl From<SimTime> for OptionalTime {
    /// This instant; none for [`SimTime::NEVER`].
    fn from(at: SimTime) -> OptionalTime {
        OptionalTime(at)
    }
}

/// A length of simulated time in nanoseconds; never negative.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct SimDuration(pub u64);

const NS_PER_SECOND: u64 = 1_000_000_000;

impl SimTime {
    /// The start of the simulation.
    pub const ZERO: SimTime = SimTime(0);
    /// An instant that is never reached: "not planned".
    pub const NEVER: SimTime = SimTime(u64::MAX);

    /// The instant `seconds` after the start.
    pub const fn from_secs(seconds: u64) -> SimTime {
        SimTime(seconds * NS_PER_SECOND)
    }

    /// Time since `earlier`; zero when `earlier` is later than `self`.
    pub const fn since(self, earlier: SimTime) -> SimDuration {
        SimDuration(self.0.saturating_sub(earlier.0))
    }

    /// Seconds since the start, for formulas and output.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / NS_PER_SECOND as f64
    }

    /// The whole second this instant lies in, as the API server's timestamps are cut.
    pub const fn whole_secs(self) -> u64 {
        self.0 / NS_PER_SECOND
    }

    /// `self + d`, or [`SimTime::NEVER`] on overflow.
    pub const fn saturating_add(self, d: SimDuration) -> SimTime {
        SimTime(self.0.saturating_add(d.0))
    }

    /// The first instant at or after `self` of the grid `phase + k * period`, k = 0, 1, 2, ...
    ///
    /// It is how periodic work is planned without running its empty ticks. A zero `period` gives
    /// `self` or `phase`, whichever is later.
    pub const fn next_on_grid(self, phase: SimTime, period: SimDuration) -> SimTime {
        if self.0 <= phase.0 {
            return phase;
        }
        if period.0 == 0 {
            return self;
        }
        let ticks = (self.0 - phase.0).div_ceil(period.0);
        SimTime(phase.0 + ticks * period.0)
    }
}

/// What time it is in the world at an instant of a run: schedules are told in it, and the API cuts
/// its times to its whole seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WallClock {
    /// Nanoseconds since 1970 (UTC) at the start of the simulation.
    start: i64,
}

impl Default for WallClock {
    /// A run starts on 2026-01-01 at 00:00:00 UTC.
    fn default() -> WallClock {
        WallClock::starting_at(WallClock::RUN_START * NS_PER_SECOND as i64)
    }
}

impl WallClock {
    /// When a run begins that says nothing else, in seconds since 1970 (UTC).
    pub const RUN_START: i64 = 1_767_225_600;

    /// The clock of a run that starts so many nanoseconds after 1970 (UTC).
    pub const fn starting_at(nanos: i64) -> WallClock {
        WallClock { start: nanos }
    }

    /// Nanoseconds since 1970 (UTC) at an instant.
    pub const fn nanos(self, at: SimTime) -> i64 {
        self.start.saturating_add_unsigned(at.0)
    }

    /// The instant that lies so many nanoseconds after 1970; the start, if it was before.
    pub const fn instant(self, nanos: i64) -> SimTime {
        let since = nanos.saturating_sub(self.start);
        SimTime(if since < 0 { 0 } else { since as u64 })
    }

    /// An instant as the API keeps it: cut to the whole second of this clock.
    pub const fn whole_second(self, at: SimTime) -> SimTime {
        let into = self.nanos(at).rem_euclid(NS_PER_SECOND as i64);
        SimTime(at.0.saturating_sub(into as u64))
    }
}

impl SimDuration {
    /// No time at all.
    pub const ZERO: SimDuration = SimDuration(0);
    /// Longer than any simulation.
    pub const MAX: SimDuration = SimDuration(u64::MAX);

    /// `seconds` seconds.
    pub const fn from_secs(seconds: u64) -> SimDuration {
        SimDuration(seconds * NS_PER_SECOND)
    }

    /// `millis` milliseconds.
    pub const fn from_millis(millis: u64) -> SimDuration {
        SimDuration(millis * 1_000_000)
    }

    /// `micros` microseconds.
    pub const fn from_micros(micros: u64) -> SimDuration {
        SimDuration(micros * 1_000)
    }

    /// The nearest whole nanosecond; negative values and NaN give zero, too large ones the maximum.
    pub fn from_secs_f64(seconds: f64) -> SimDuration {
        // `as` saturates, and turns NaN into 0.
        SimDuration((seconds * NS_PER_SECOND as f64).round() as u64)
    }

    /// Length in seconds, for formulas and output.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / NS_PER_SECOND as f64
    }

    /// `self - d`, at least zero.
    pub const fn saturating_sub(self, d: SimDuration) -> SimDuration {
        SimDuration(self.0.saturating_sub(d.0))
    }
}

impl Add<SimDuration> for SimTime {
    type Output = SimTime;
    fn add(self, d: SimDuration) -> SimTime {
        SimTime(self.0 + d.0)
    }
}

impl AddAssign<SimDuration> for SimTime {
    fn add_assign(&mut self, d: SimDuration) {
        self.0 += d.0;
    }
}

impl Add for SimDuration {
    type Output = SimDuration;
    fn add(self, d: SimDuration) -> SimDuration {
        SimDuration(self.0 + d.0)
    }
}

impl AddAssign for SimDuration {
    fn add_assign(&mut self, d: SimDuration) {
        self.0 += d.0;
    }
}

impl Mul<u64> for SimDuration {
    type Output = SimDuration;
    fn mul(self, n: u64) -> SimDuration {
        SimDuration(self.0.saturating_mul(n))
    }
}

impl Sum for SimDuration {
    fn sum<I: Iterator<Item = SimDuration>>(iter: I) -> SimDuration {
        iter.fold(SimDuration::ZERO, Add::add)
    }
}

impl fmt::Display for SimTime {
    /// Like `1d 02:03:04.5`: for people; files carry seconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.whole_secs();
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        if days > 0 {
            write!(f, "{days}d ")?;
        }
        write!(f, "{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60)?;
        let tenths = self.0 % NS_PER_SECOND / 100_000_000;
        if tenths > 0 { write!(f, ".{tenths}") } else { Ok(()) }
    }
}

impl fmt::Debug for SimTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == SimTime::NEVER {
            return f.write_str("never");
        }
        write!(f, "{}.{:09}s", self.0 / NS_PER_SECOND, self.0 % NS_PER_SECOND)
    }
}

impl fmt::Display for SimDuration {
    /// As Go and Kubernetes print durations, cut to the millisecond: `1h2m3s`, `1.5s`, `20ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0 / 1_000_000;
        if millis == 0 {
            return f.write_str("0s");
        }
        if millis < 1000 {
            return write!(f, "{millis}ms");
        }
        let seconds = millis / 1000;
        if seconds >= 3600 {
            write!(f, "{}h", seconds / 3600)?;
        }
        if seconds >= 60 {
            write!(f, "{}m", seconds / 60 % 60)?;
        }
        write!(f, "{}", seconds % 60)?;
        let fraction = millis % 1000;
        if fraction > 0 {
            let digits = format!("{fraction:03}");
            write!(f, ".{}", digits.trim_end_matches('0'))?;
        }
        f.write_str("s")
    }
}

impl fmt::Debug for SimDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:09}s", self.0 / NS_PER_SECOND, self.0 % NS_PER_SECOND)
    }
}

macro_rules! amount {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
        pub struct $name(pub i64);

        impl $name {
            /// None of it.
            pub const ZERO: $name = $name(0);
        }

        impl Add for $name {
            type Output = $name;
            fn add(self, other: $name) -> $name {
                $name(self.0 + other.0)
            }
        }

        impl AddAssign for $name {
            fn add_assign(&mut self, other: $name) {
                self.0 += other.0;
            }
        }

        impl Sub for $name {
            type Output = $name;
            fn sub(self, other: $name) -> $name {
                $name(self.0 - other.0)
            }
        }

        impl SubAssign for $name {
            fn sub_assign(&mut self, other: $name) {
                self.0 -= other.0;
            }
        }

        impl Sum for $name {
            fn sum<I: Iterator<Item = $name>>(iter: I) -> $name {
                iter.fold($name::ZERO, Add::add)
            }
        }
    };
}

amount! {
    /// CPU in thousandths of a core, upstream's `MilliValue`.
    MilliCpu
}
amount! {
    /// Memory, disk or image size in bytes.
    Bytes
}

impl MilliCpu {
    /// Cores as a fraction, for formulas and output.
    pub fn cores(self) -> f64 {
        self.0 as f64 / 1000.0
    }
}

impl Bytes {
    /// `n` binary mebibytes.
    pub const fn mebi(n: i64) -> Bytes {
        Bytes(n * 1024 * 1024)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_tick_of_a_grid() {
        let s = SimTime::from_secs;
        let rows = [
            ("before the first tick the first tick is next", s(3), s(7)),
            ("a tick is its own next tick", s(7), s(7)),
            ("just after a tick the one after is next", SimTime(s(7).0 + 1), s(22)),
            ("far later the grid still holds", s(7 + 15 * 1000 - 1), s(7 + 15 * 1000)),
        ];
        for (sentence, now, expected) in rows {
            assert_eq!(now.next_on_grid(s(7), SimDuration::from_secs(15)), expected, "{sentence}");
        }
    }

    #[test]
    fn durations_print_as_in_kubernetes() {
        let rows = [
            (SimDuration::ZERO, "0s"),
            (SimDuration::from_millis(20), "20ms"),
            (SimDuration::from_millis(1500), "1.5s"),
            (SimDuration::from_secs(300), "5m0s"),
            (SimDuration::from_secs(3723), "1h2m3s"),
        ];
        for (duration, expected) in rows {
            assert_eq!(duration.to_string(), expected);
        }
    }

    #[test]
    fn instants_print_for_people() {
        assert_eq!(SimTime::from_secs(93_784).to_string(), "1d 02:03:04");
        assert_eq!(SimTime(1_500_000_000).to_string(), "00:00:01.5");
    }

    #[test]
    fn seconds_from_floats_never_wrap() {
        assert_eq!(SimDuration::from_secs_f64(-1.0), SimDuration::ZERO);
        assert_eq!(SimDuration::from_secs_f64(f64::NAN), SimDuration::ZERO);
        assert_eq!(SimDuration::from_secs_f64(1e300), SimDuration::MAX);
    }
}
