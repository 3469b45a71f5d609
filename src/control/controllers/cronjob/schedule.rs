//! Schedules of CronJobs: how they are written, and their next time.
//!
//! Source: github.com/robfig/cron v3.0.1 (`ParseStandard`, `SpecSchedule.Next`), which upstream
//! uses. It is small, and no other library has all of it: what `N/step` and two day fields mean,
//! `@every`, `TZ=`, and which hours there are on a day on which clocks change.

use super::SECOND;
use super::field::{Bounds, Field};
use super::zone::Zone;
use jiff::civil::DateTime;

const MINUTES: Bounds = Bounds { min: 0, max: 59, names: &[] };
const HOURS: Bounds = Bounds { min: 0, max: 23, names: &[] };
const DAYS: Bounds = Bounds { min: 1, max: 31, names: &[] };
const MONTHS: Bounds = Bounds {
    min: 1,
    max: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
const WEEKDAYS: Bounds =
    Bounds { min: 0, max: 6, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };
/// Years after which a schedule has no next time.
const YEARS: i16 = 5;

/// When to start.
#[derive(Clone, Debug)]
pub(super) enum Schedule {
    /// At such times.
    Times(Box<Times>),
    /// So many seconds after the last time.
    Every(i64),
}

/// Times of a calendar.
#[derive(Clone, Debug)]
pub(super) struct Times {
    minute: Field,
    hour: Field,
    day: Field,
    month: Field,
    weekday: Field,
    zone: Zone,
}

impl Schedule {
    /// Reads a schedule; an error is told as upstream tells it.
    pub(super) fn parse(text: &str) -> Result<Schedule, String> {
        if text.is_empty() {
            return Err("empty spec string".to_owned());
        }
        let (mut zone, mut rest) = (Zone::utc(), text);
        if text.starts_with("TZ=") || text.starts_with("CRON_TZ=") {
            let (_, name) = text.split_once('=').unwrap_or_default();
            let Some((name, after)) = name.split_once(' ') else {
                return Err("invalid schedule format: no schedule after the time zone".to_owned());
            };
            zone = Zone::load(name).map_err(|e| format!("provided bad location {name}: {e}"))?;
            rest = after.trim();
        }
        if rest.starts_with('@') {
            return described(rest, zone);
        }
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            let (count, told) = (fields.len(), fields.join(" "));
            return Err(format!("expected exactly 5 fields, found {count}: [{told}]"));
        };
        Ok(Schedule::Times(Box::new(Times {
            minute: Field::parse(minute, MINUTES)?,
            hour: Field::parse(hour, HOURS)?,
            day: Field::parse(day, DAYS)?,
            month: Field::parse(month, MONTHS)?,
            weekday: Field::parse(weekday, WEEKDAYS)?,
            zone,
        })))
    }

    /// The first time after an instant, given in nanoseconds since 1970, in seconds since then;
    /// `None`: there is none.
    pub(super) fn next(&self, after: i64) -> Option<i64> {
        let second = after.div_euclid(SECOND);
        match self {
            Schedule::Every(delay) => Some(second + delay),
            Schedule::Times(times) => times.next(second + 1),
        }
    }
}

/// `@hourly` and the like.
fn described(text: &str, zone: Zone) -> Result<Schedule, String> {
    let all = |bounds| Field::all(bounds);
    let mut times = Times {
        minute: Field::first(MINUTES),
        hour: Field::first(HOURS),
        day: all(DAYS),
        month: all(MONTHS),
        weekday: all(WEEKDAYS),
        zone,
    };
    match text {
        "@yearly" | "@annually" => {
            (times.day, times.month) = (Field::first(DAYS), Field::first(MONTHS));
        }
        "@monthly" => times.day = Field::first(DAYS),
        "@weekly" => times.weekday = Field::first(WEEKDAYS),
        "@daily" | "@midnight" => {}
        "@hourly" => times.hour = all(HOURS),
        _ => {
            let Some(every) = text.strip_prefix("@every ") else {
                return Err(format!("unrecognized descriptor: {text}"));
            };
            let Some(nanos) = duration(every) else {
                let why = format!("time: invalid duration {every:?}");
                return Err(format!("failed to parse duration {every}: {why}"));
            };
            return Ok(Schedule::Every((nanos / SECOND).max(1)));
        }
    }
    Ok(Schedule::Times(Box::new(times)))
}

/// A duration as Go writes it, like `1h30m` or `1.5s`, in nanoseconds.
fn duration(text: &str) -> Option<i64> {
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    let mut total: i64 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let units = [
            ("ns", 1),
            ("us", 1000),
            ("µs", 1000),
            ("ms", 1_000_000),
            ("s", SECOND),
            ("m", 60 * SECOND),
            ("h", 3600 * SECOND),
        ];
        let (unit, size) = units.into_iter().find(|(unit, _)| after.starts_with(unit))?;
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        let mut part = whole.checked_mul(size)?;
        let mut digit = size;
        for c in fraction.chars() {
            digit /= 10;
            part += i64::from(c.to_digit(10)?) * digit;
        }
        total = total.checked_add(part)?;
        rest = &after[unit.len()..];
    }
    (!text.is_empty()).then_some(sign * total)
}

impl Times {
    /// The first time at or after `second`: field by field from the month down, each set forward
    /// until it fits; one that wraps around begins anew.
    fn next(&self, second: i64) -> Option<i64> {
        let (mut at, mut is_reset) = (second, false);
        let last_year = self.zone.shows(at).year() + YEARS;
        'wrap: loop {
            if self.zone.shows(at).year() > last_year {
                return None;
            }
            while !self.month.has(self.zone.shows(at).month() as u32) {
                at = self.next_month(at, &mut is_reset);
                if self.zone.shows(at).month() == 1 {
                    continue 'wrap;
                }
            }
            while !self.day_fits(self.zone.shows(at)) {
                at = self.next_day(at, &mut is_reset);
                if self.zone.shows(at).day() == 1 {
                    continue 'wrap;
                }
            }
            while !self.hour.has(self.zone.shows(at).hour() as u32) {
                at = self.start_of(at, &mut is_reset, |t| cut(t, t.hour())) + 3600;
                if self.zone.shows(at).hour() == 0 {
                    continue 'wrap;
                }
            }
            while !self.minute.has(self.zone.shows(at).minute() as u32) {
                if !std::mem::replace(&mut is_reset, true) {
                    at -= at.rem_euclid(60);
                }
                at += 60;
                if self.zone.shows(at).minute() == 0 {
                    continue 'wrap;
                }
            }
            let shown = self.zone.shows(at).second();
            if shown == 0 {
                return Some(at);
            }
            // The minute that begins may be one that does not fit.
            is_reset = true;
            at += 60 - i64::from(shown);
        }
    }

    /// `at`, or the start of what it lies in if no field has been set forward yet.
    fn start_of(&self, at: i64, is_reset: &mut bool, start: impl Fn(DateTime) -> DateTime) -> i64 {
        match std::mem::replace(is_reset, true) {
            true => at,
            false => self.zone.seconds(start(self.zone.shows(at))),
        }
    }

    fn next_month(&self, at: i64, is_reset: &mut bool) -> i64 {
        let first = |t: DateTime| cut(t.first_of_month(), 0);
        let shown = self.zone.shows(self.start_of(at, is_reset, first));
        let (year, month) = match shown.month() {
            12 => (shown.year() + 1, 1),
            month => (shown.year(), month + 1),
        };
        let next = DateTime::new(year, month, 1, shown.hour(), shown.minute(), 0, 0);
        next.map_or(i64::MAX / SECOND, |next| self.zone.seconds(next))
    }

    fn next_day(&self, at: i64, is_reset: &mut bool) -> i64 {
        let shown = self.zone.shows(self.start_of(at, is_reset, |t| cut(t, 0)));
        let Ok(tomorrow) = shown.date().tomorrow() else { return i64::MAX / SECOND };
        let at = self.zone.seconds(tomorrow.to_datetime(shown.time()));
        // Midnight may be missing: an hour later it is 1, an hour earlier 23.
        match i64::from(self.zone.shows(at).hour()) {
            0 => at,
            hour if hour > 12 => at + (24 - hour) * 3600,
            hour => at - hour * 3600,
        }
    }

    /// Of two day fields that are both written one is enough.
    fn day_fits(&self, shown: DateTime) -> bool {
        let day = self.day.has(shown.day() as u32);
        let weekday = self.weekday.has(shown.weekday().to_sunday_zero_offset() as u32);
        if self.day.is_star || self.weekday.is_star { day && weekday } else { day || weekday }
    }
}

/// The hour of a day, and nothing below.
fn cut(shown: DateTime, hour: i8) -> DateTime {
    shown.date().at(hour, 0, 0, 0)
}
