//! What was counted, and the laws that hold of it on every path.
//!
//! Requests in the pods of a station are counted twice: as an integral over time of how many there
//! are, and request by request when they leave. Little's law says that both are the same; here it
//! holds to the nanosecond, whatever happened. Busy cores are counted twice likewise (the
//! utilisation law). Nobody is told which of the two was right.

use crate::record::latency::LatencyHistogram;
use crate::units::SimTime;

/// Counts of a station since the last time they were taken.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StationCount {
    /// Requests that arrived, each try for itself.
    pub offered: u64,
    /// Requests finished in time, in their pod.
    pub served: u64,
    /// Requests failed: refused, late, or with their pod.
    pub failed: u64,
    /// Integral of the requests in the pods, request-seconds.
    pub in_flight: f64,
    /// CPU seconds used by requests.
    pub cpu: f64,
}

/// A pod's counters at a scrape.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scrape {
    pub(super) at: SimTime,
    /// CPU seconds.
    pub(super) cpu: f64,
    pub(super) requests: Counters,
}

/// Requests of a pod so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counters {
    pub(super) offered: u64,
    pub(super) served: u64,
    pub(super) failed: u64,
    /// Time that those served have spent in it, nanoseconds.
    pub(super) stayed: u64,
}

/// What counters of pods show: rates between the last two scrapes, and what is in them now.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gauges {
    /// Requests a second that arrived.
    pub offered: f64,
    /// Requests a second that were served.
    pub served: f64,
    /// Requests a second that failed.
    pub failed: f64,
    /// Mean time in the pod of those that were served, seconds.
    pub latency: f64,
    /// Requests in work.
    pub in_work: u32,
    /// Requests that wait.
    pub queued: u32,
}

impl Gauges {
    /// Both together.
    pub(super) fn plus(self, other: Gauges) -> Gauges {
        let served = self.served + other.served;
        let time = self.served * self.latency + other.served * other.latency;
        Gauges {
            offered: self.offered + other.offered,
            served,
            failed: self.failed + other.failed,
            latency: if served > 0.0 { time / served } else { 0.0 },
            in_work: self.in_work + other.in_work,
            queued: self.queued + other.queued,
        }
    }
}

/// Counts of an entry since the last time they were taken.
#[derive(Clone, Debug, Default)]
pub struct EntryCount {
    /// Requests that arrived from outside.
    pub offered: u64,
    /// Requests answered, callees included.
    pub served: u64,
    /// Requests failed.
    pub failed: u64,
    /// Latency of the served ones.
    pub latency: LatencyHistogram,
}

/// Requests of one station in its pods.
#[derive(Debug, Default)]
pub(super) struct Presence {
    count: u64,
    since: SimTime,
    /// Integral of the count, request-nanoseconds.
    area: u128,
    /// The same up to the last time it was taken.
    taken: u128,
    /// Time in the pod of those that have left.
    stayed: u128,
}

impl Presence {
    #[inline]
    fn progress(&mut self, now: SimTime) {
        self.area += u128::from(self.count) * u128::from(now.0 - self.since.0);
        self.since = now;
    }

    #[inline]
    pub(super) fn comes(&mut self, now: SimTime) {
        self.progress(now);
        self.count += 1;
    }

    #[inline]
    pub(super) fn leaves(&mut self, now: SimTime, arrived: SimTime) {
        self.progress(now);
        self.count -= 1;
        self.stayed += u128::from(now.0 - arrived.0);
    }

    /// Requests in the pods.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Request-seconds since the last time.
    pub(super) fn take(&mut self, now: SimTime) -> f64 {
        self.progress(now);
        let grown = self.area - self.taken;
        self.taken = self.area;
        grown as f64 / 1e9
    }

    /// Little's law: the integral is the time that each has spent there. `present`: how long those
    /// that are there have been so, together, and how many they are.
    pub(super) fn is_true(&self, now: SimTime, present: (u128, u64)) -> bool {
        let area = self.area + u128::from(self.count) * u128::from(now.0 - self.since.0);
        present.1 == self.count && area == self.stayed + present.0
    }
}
