//! The simulated clock as a wall clock, and lengths of time as kubectl writes them.
//!
//! Source: apimachinery `pkg/util/duration/duration.go`, v1.37. No real clock is read.

use crate::units::{SimTime, WallClock};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The second since 1970 at which a run begins.
const START: i64 = WallClock::RUN_START;

/// A simulated instant on the wall clock; `None`: it is not known, or beyond the calendar.
fn wall(at: SimTime) -> Option<Timestamp> {
    if at == SimTime::NEVER {
        return None;
    }
    let seconds = i64::try_from(at.whole_secs()).ok()?;
    Timestamp::new(START.checked_add(seconds)?, 0).ok()
}

/// A timestamp as the API has it, cut to the second: `2026-01-01T00:02:00Z`.
pub(super) fn stamp(at: SimTime) -> Option<String> {
    Some(wall(at)?.to_string())
}

/// The timestamp of an instant so many seconds after 1970.
pub(super) fn stamp_of_seconds(seconds: i64) -> Option<String> {
    Some(Timestamp::new(seconds, 0).ok()?.to_string())
}

/// Nanoseconds since 1970, of which the names of Events are made.
pub(super) fn nanoseconds(at: SimTime) -> i128 {
    i128::from(START) * 1_000_000_000 + i128::from(at.0)
}

/// A timestamp of the API as `describe` writes it: `Thu, 01 Jan 2026 00:02:00 +0000`.
pub(super) fn long(stamp: &str) -> Option<String> {
    let at: Timestamp = stamp.parse().ok()?;
    Some(at.to_zoned(TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S %z").to_string())
}

/// How long ago a timestamp of the API was; `<unknown>` for none.
pub(super) fn since(stamp: Option<&str>, now: SimTime) -> String {
    seconds_since(stamp, now).map_or_else(|| "<unknown>".to_owned(), human)
}

/// The time between two timestamps of the API.
pub(super) fn between(from: &str, to: &str) -> Option<String> {
    let (from, to): (Timestamp, Timestamp) = (from.parse().ok()?, to.parse().ok()?);
    Some(human(to.as_second() - from.as_second()))
}

fn seconds_since(stamp: Option<&str>, now: SimTime) -> Option<i64> {
    let at: Timestamp = stamp?.parse().ok()?;
    let now = START + i64::try_from(now.whole_secs()).ok()?;
    Some(now - at.as_second())
}

/// A length of time in two or three significant figures (`HumanDuration`).
pub(super) fn human(seconds: i64) -> String {
    let with_rest = |whole: i64, unit: &str, rest: i64, small: &str| match rest {
        0 => format!("{whole}{unit}"),
        rest => format!("{whole}{unit}{rest}{small}"),
    };
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let days = hours / 24;
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..120 => format!("{seconds}s"),
        _ if minutes < 10 => with_rest(minutes, "m", seconds % 60, "s"),
        _ if minutes < 180 => format!("{minutes}m"),
        _ if hours < 8 => with_rest(hours, "h", minutes % 60, "m"),
        _ if hours < 48 => format!("{hours}h"),
        _ if hours < 24 * 8 => with_rest(days, "d", hours % 24, "h"),
        _ if hours < 24 * 365 * 2 => format!("{days}d"),
        _ if hours < 24 * 365 * 8 => with_rest(days / 365, "y", days % 365, "d"),
        _ => format!("{}y", days / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_written_as_kubectl_does() {
        const MINUTE: i64 = 60;
        const HOUR: i64 = 60 * MINUTE;
        const DAY: i64 = 24 * HOUR;
        const YEAR: i64 = 365 * DAY;
        let rows = [
            ("a clock that is far behind", -2, "<invalid>"),
            ("one that is a little behind", -1, "0s"),
            ("nothing", 0, "0s"),
            ("seconds up to two minutes", 2 * MINUTE - 1, "119s"),
            ("two minutes", 2 * MINUTE, "2m"),
            ("minutes and seconds up to ten minutes", 9 * MINUTE + 59, "9m59s"),
            ("minutes from ten on", 10 * MINUTE + 59, "10m"),
            ("minutes up to three hours", 3 * HOUR - 1, "179m"),
            ("three hours", 3 * HOUR, "3h"),
            ("hours and minutes up to eight hours", 7 * HOUR + 59 * MINUTE, "7h59m"),
            ("hours from eight on", 8 * HOUR + 59 * MINUTE, "8h"),
            ("hours up to two days", 2 * DAY - 1, "47h"),
            ("two days", 2 * DAY, "2d"),
            ("days and hours up to eight days", 7 * DAY + 23 * HOUR, "7d23h"),
            ("days from eight on", 8 * DAY + 23 * HOUR, "8d"),
            ("days up to two years", 2 * YEAR - 1, "729d"),
            ("two years", 2 * YEAR, "2y"),
            ("years and days up to eight years", 7 * YEAR + 364 * DAY, "7y364d"),
            ("years from eight on", 8 * YEAR + 364 * DAY, "8y"),
        ];
        for (sentence, seconds, expected) in rows {
            assert_eq!(human(seconds), expected, "{sentence}");
        }
    }

    #[test]
    fn instants_have_a_date() {
        let at = SimTime(90_500_000_000);
        assert_eq!(stamp(at).as_deref(), Some("2026-01-01T00:01:30Z"), "cut to the second");
        assert_eq!(stamp(SimTime::NEVER), None);
        let told = long("2026-01-01T00:01:30Z");
        assert_eq!(told.as_deref(), Some("Thu, 01 Jan 2026 00:01:30 +0000"));
        assert_eq!(since(stamp(at).as_deref(), SimTime::from_secs(100)), "10s");
        assert_eq!(since(None, at), "<unknown>");
        assert_eq!(between("2026-01-01T00:00:00Z", "2026-01-01T00:05:30Z").unwrap(), "5m30s");
    }
}
