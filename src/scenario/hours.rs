//! Working hours: when people work, and how much of that lies between two instants.
//!
//! All is computed in closed form: a year of nights and weekends costs nothing. It knows a calendar
//! and nothing of what people do.

use crate::units::{SimDuration, SimTime, WallClock};

/// Nanoseconds of a day.
const DAY: i128 = 86_400_000_000_000;
/// Nanoseconds of a week.
const WEEK: i128 = 7 * DAY;

/// When people work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hours {
    /// From this time of the day on (UTC).
    pub from: SimDuration,
    /// Until this one.
    pub until: SimDuration,
    /// On Saturdays and Sundays too.
    pub weekends: bool,
}

impl Hours {
    /// Round the clock.
    pub const ALWAYS: Hours =
        Hours { from: SimDuration::ZERO, until: SimDuration(DAY as u64), weekends: true };

    /// The working time of a working day.
    pub fn of_a_day(&self) -> SimDuration {
        SimDuration(self.until.0 - self.from.0)
    }

    /// Working days of a week, from Monday on.
    fn days(&self) -> i128 {
        if self.weekends { 7 } else { 5 }
    }

    /// Working time from a Monday long ago until so many nanoseconds after it.
    fn total(&self, since_monday: i128) -> i128 {
        let length = i128::from(self.of_a_day().0);
        let (week, rest) = (since_monday.div_euclid(WEEK), since_monday.rem_euclid(WEEK));
        let (day, time) = (rest / DAY, rest % DAY);
        let today =
            if day < self.days() { (time - i128::from(self.from.0)).clamp(0, length) } else { 0 };
        (week * self.days() + day.min(self.days())) * length + today
    }

    /// Nanoseconds from a Monday, 29 December 1969, until an instant.
    fn since_monday(clock: WallClock, at: SimTime) -> i128 {
        i128::from(clock.nanos(at)) + 3 * DAY
    }

    /// Working time from the start of the run until `at`.
    pub fn worked(&self, clock: WallClock, at: SimTime) -> SimDuration {
        let before = self.total(Hours::since_monday(clock, SimTime::ZERO));
        SimDuration((self.total(Hours::since_monday(clock, at)) - before) as u64)
    }

    /// The first instant by which so much has been worked since the start of the run.
    pub fn instant(&self, clock: WallClock, worked: SimDuration) -> SimTime {
        let start = Hours::since_monday(clock, SimTime::ZERO);
        let total = i128::from(worked.0) + self.total(start);
        let length = i128::from(self.of_a_day().0);
        let days = (total - 1).div_euclid(length);
        let time = i128::from(self.from.0) + total - days * length;
        let (week, day) = (days.div_euclid(self.days()), days.rem_euclid(self.days()));
        SimTime((week * WEEK + day * DAY + time - start).max(0) as u64)
    }

    /// The first instant from `at` on at which people work.
    pub fn open(&self, clock: WallClock, at: SimTime) -> SimTime {
        let next = SimDuration(self.worked(clock, at).0 + 1);
        SimTime(self.instant(clock, next).0 - 1).max(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    fn office() -> Hours {
        let hour = |n| SimDuration::from_secs(n * HOUR);
        Hours { from: hour(9), until: hour(17), weekends: false }
    }

    #[test]
    fn days_and_weeks_are_those_of_the_calendar() {
        // A run starts on Thursday, 1 January 2026.
        let clock = WallClock::default();
        let rows = [
            ("at night nobody works", 8, 0),
            ("an hour into the first day", 10, 1),
            ("the evening of the first day", 20, 8),
            ("the end of Friday", 24 + 17, 16),
            ("the weekend adds nothing", 3 * 24 + 12, 16),
            ("Monday at ten", 4 * 24 + 10, 17),
            ("four weeks later", 28 * 24 + 10, 161),
        ];
        for (sentence, hours, worked) in rows {
            let at = SimTime::from_secs(hours * HOUR);
            let found = office().worked(clock, at).as_secs_f64() / 3600.0;
            assert_eq!(found, f64::from(worked), "{sentence}");
        }
    }

    #[test]
    fn instants_and_working_time_are_inverse() {
        let clock = WallClock::default();
        for hours in [office(), Hours::ALWAYS, Hours { weekends: true, ..office() }] {
            for step in 1..600u64 {
                let worked = SimDuration::from_secs(step * 1217);
                let at = hours.instant(clock, worked);
                assert_eq!(hours.worked(clock, at), worked, "{hours:?}, {worked}");
                let before = SimTime(at.0 - 1);
                assert_eq!(hours.worked(clock, before).0, worked.0 - 1, "the first such instant");
            }
        }
    }

    #[test]
    fn doors_open_in_the_morning() {
        let clock = WallClock::default();
        let rows = [
            ("before nine", 3, 9),
            ("during the day", 11, 11),
            ("in the evening", 17, 24 + 9),
            ("on Friday night until Monday", 24 + 20, 4 * 24 + 9),
        ];
        for (sentence, at, open) in rows {
            let found = office().open(clock, SimTime::from_secs(at * HOUR));
            assert_eq!(found, SimTime::from_secs(open * HOUR), "{sentence}");
        }
    }
}
