//! Time zones, from the database that is built in: the same on each machine.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// A time zone.
#[derive(Clone, Debug)]
pub(super) struct Zone(TimeZone);

impl Zone {
    /// Universal time.
    pub(super) fn utc() -> Zone {
        Zone(TimeZone::UTC)
    }

    /// The zone of a name; an empty one and `Local` stand for that of the controller, which is UTC.
    pub(super) fn load(name: &str) -> Result<Zone, String> {
        if ["", "UTC", "Local"].contains(&name) {
            return Ok(Zone::utc());
        }
        let found = TimeZoneDatabase::bundled().get(name).ok();
        // Names are compared letter by letter.
        let found = found.filter(|zone| zone.iana_name() == Some(name));
        found.map(Zone).ok_or_else(|| format!("unknown time zone {name}"))
    }

    /// What clocks in the zone show, so many seconds after 1970 (UTC).
    pub(super) fn shows(&self, seconds: i64) -> DateTime {
        self.0.to_datetime(instant(seconds))
    }

    /// When clocks in the zone show this. Of a time that they skip or show twice it is the one that
    /// Go's `time.Date` gives.
    pub(super) fn seconds(&self, shown: DateTime) -> i64 {
        let as_utc = TimeZone::UTC.to_timestamp(shown).map_or(0, Timestamp::as_second);
        let offset = |seconds| i64::from(self.0.to_offset(instant(seconds)).seconds());
        match offset(as_utc) {
            0 => as_utc,
            first => as_utc - offset(as_utc - first),
        }
    }
}

fn instant(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX)
}

/// An instant as texts tell it: `Mon, 23 Nov 2026 10:00:00 +0000`.
pub(super) fn rfc1123(seconds: i64) -> String {
    instant(seconds).strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}
