//! The latest time at which a Job should have started.
//!
//! Source: kubernetes `pkg/controller/cronjob/utils.go` (`mostRecentScheduleTime`), v1.37. Missed
//! times are not listed one by one: how many they are is estimated from the first two.

use super::SECOND;
use super::schedule::Schedule;
use crate::api::job::CronJob;
use crate::units::{SimDuration, WallClock};

/// More missed times than this are too many.
const MANY: i64 = 100;

/// What has been missed; times are seconds since 1970.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Missed {
    /// Nothing, since this many nanoseconds after 1970.
    Nothing {
        /// The last start, or the creation.
        since: i64,
        /// There was no time since; else there was, but none is found.
        none: bool,
    },
    /// A time.
    At {
        /// The latest.
        at: i64,
        /// And more than a hundred before it.
        many: bool,
    },
    /// The schedule has no two times.
    Never,
}

/// What a CronJob has missed at `now`, nanoseconds since 1970; nothing older than `deadline`
/// counts.
pub(super) fn last_missed(
    job: &CronJob,
    schedule: &Schedule,
    clock: WallClock,
    now: i64,
    deadline: Option<SimDuration>,
) -> Missed {
    let created = clock.nanos(job.meta.created).div_euclid(SECOND) * SECOND;
    let mut since = job.status.last_schedule.map_or(created, |last| last * SECOND);
    if let Some(deadline) = deadline {
        since = since.max(now - deadline.0 as i64);
    }
    missed_since(since, schedule, now)
}

fn missed_since(since: i64, schedule: &Schedule, now: i64) -> Missed {
    let Some(first) = schedule.next(since) else { return Missed::Never };
    if now < first * SECOND {
        return Missed::Nothing { since, none: true };
    }
    let Some(second) = schedule.next(first * SECOND) else { return Missed::Never };
    if now < second * SECOND {
        return Missed::At { at: first, many: false };
    }
    let between = second - first;
    if between < 1 {
        return Missed::Never;
    }
    let count = (now - first * SECOND) / SECOND / between + 1;
    // One step back from the estimate, and then on by the schedule itself, which may be irregular.
    let mut at = first + (count - 2) * between;
    let mut latest = None;
    while let Some(next) = schedule.next(at * SECOND).filter(|next| next * SECOND <= now) {
        (at, latest) = (next, Some(next));
    }
    match latest {
        Some(at) => Missed::At { at, many: count > MANY },
        None => Missed::Nothing { since, none: false },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-23, 10:00 UTC.
    const TEN: i64 = 1_795_428_000;

    #[test]
    fn the_latest_missed_time_is_found() {
        let minute = 60;
        let at = |at, many| Missed::At { at, many };
        let rows = [
            (
                "before the first time nothing is missed",
                "* * * * *",
                0,
                59,
                Missed::Nothing { since: TEN * SECOND, none: true },
            ),
            ("at the first time that one", "* * * * *", 0, 60, at(TEN + minute, false)),
            ("after three the third", "* * * * *", 0, 185, at(TEN + 3 * minute, false)),
            ("a hundred are few", "* * * * *", 0, 100 * 60, at(TEN + 100 * minute, false)),
            ("one more are many", "* * * * *", 0, 101 * 60, at(TEN + 101 * minute, true)),
            ("every 90 s, from the last one", "@every 90s", 10, 200, at(TEN + 190, false)),
            ("irregular hours", "0 6-16/4 * * 1-5", 0, 86_400, at(TEN + 86_400, false)),
            ("a day that never comes", "59 23 31 2 *", 0, 86_400, Missed::Never),
        ];
        for (sentence, written, since, now, expected) in rows {
            let schedule = Schedule::parse(written).unwrap();
            let found = missed_since((TEN + since) * SECOND, &schedule, (TEN + now) * SECOND);
            assert_eq!(found, expected, "{sentence}");
        }
    }
}
