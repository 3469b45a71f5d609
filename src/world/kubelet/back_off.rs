//! The kubelet's back-offs: how long a container waits before it is tried again.
//!
//! Source: client-go `util/flowcontrol/backoff.go`, v1.37: the first failure costs the first wait,
//! each further one twice as much, up to the longest; an entry that has not been raised for long
//! begins anew. It knows neither images nor containers.

use crate::units::{SimDuration, SimTime};

/// An entry that has not been raised for longer than this begins anew: twice the longest wait of
/// image pulls (300 s), and what the kubelet sets for containers (`kubelet.go`, `HasExpiredFunc`).
const EXPIRES_AFTER: SimDuration = SimDuration::from_secs(600);

/// One pod's entry.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BackOff {
    /// The present wait; zero: there is no entry.
    wait: SimDuration,
    /// When it was last raised (`lastUpdate`).
    raised: SimTime,
}

impl BackOff {
    /// When waiting ends for what happened at `event` and counts from `from`; `None`: there is no
    /// wait, or none any more.
    fn until(&self, event: SimTime, from: SimTime, now: SimTime) -> Option<SimTime> {
        if self.wait == SimDuration::ZERO || self.has_expired(event) {
            return None;
        }
        Some(from + self.wait).filter(|until| now < *until)
    }

    /// When a container that ended at `finished` may start again (`IsInBackOffSince`).
    pub fn since_end(&self, finished: SimTime, now: SimTime) -> Option<SimTime> {
        self.until(finished, finished, now)
    }

    /// When an image may be pulled again: counted from the last failure (`IsInBackOffSinceUpdate`).
    pub fn since_update(&self, now: SimTime) -> Option<SimTime> {
        self.until(now, self.raised, now)
    }

    /// The wait of the next time (`Next`), for what happened at `event`.
    pub fn raise(&mut self, event: SimTime, now: SimTime, first: SimDuration, most: SimDuration) {
        let fresh = self.wait == SimDuration::ZERO || self.has_expired(event);
        self.wait = if fresh { first } else { (self.wait * 2).min(most) };
        self.raised = now;
    }

    fn has_expired(&self, event: SimTime) -> bool {
        event > self.raised + EXPIRES_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: fn(u64) -> SimTime = SimTime::from_secs;
    const D: fn(u64) -> SimDuration = SimDuration::from_secs;

    /// Seconds that a container waits from its end to its restart, for lives of these seconds, when
    /// the kubelet looks `late` seconds after each end and at the very end of each wait.
    fn crash_waits(lives: &[u64], late: u64) -> Vec<u64> {
        let (mut entry, mut started) = (BackOff::default(), S(100));
        let mut waits = Vec::new();
        for life in lives {
            let finished = started + D(*life);
            let noticed = finished + D(late);
            started = entry.since_end(finished, noticed).unwrap_or(noticed);
            entry.raise(finished, started, D(10), D(300));
            waits.push(started.since(finished).0 / 1_000_000_000);
        }
        waits
    }

    #[test]
    fn crash_loops_back_off_as_upstream() {
        #[rustfmt::skip]
        let rows: [(&str, &[u64], u64, &[u64]); 5] = [
            ("at once, then doubling to five minutes", &[3; 8], 0, &[0, 10, 20, 40, 80, 160, 300, 300]),
            ("counted from the end, whenever it is noticed", &[3; 4], 4, &[4, 10, 20, 40]),
            ("a wait that is over when it is noticed is none", &[3; 3], 15, &[15, 15, 20]),
            ("ten minutes without a crash forgive", &[3, 3, 3, 601, 3], 0, &[0, 10, 20, 0, 10]),
            ("exactly ten do not", &[3, 3, 3, 600, 3], 0, &[0, 10, 20, 40, 80]),
        ];
        for (sentence, lives, late, expected) in rows {
            assert_eq!(crash_waits(lives, late), expected, "{sentence}");
        }
    }

    #[test]
    fn image_pulls_back_off_from_their_last_failure() {
        let mut entry = BackOff::default();
        assert_eq!(entry.since_update(S(100)), None, "the first pull waits for nothing");
        let mut now = S(100);
        let mut waits = Vec::new();
        for _ in 0..7 {
            entry.raise(now, now, D(10), D(300));
            let until = entry.since_update(now).unwrap();
            waits.push(until.since(now).0 / 1_000_000_000);
            assert_eq!(entry.since_update(until), None, "at its end a wait is over");
            now = until + D(30);
        }
        assert_eq!(waits, [10, 20, 40, 80, 160, 300, 300]);
        now += D(700);
        entry.raise(now, now, D(10), D(300));
        assert_eq!(entry.since_update(now), Some(now + D(10)), "after ten minutes it begins anew");
    }
}
