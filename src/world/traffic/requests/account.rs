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
    pub(super) fn is_true(&mut self, now: SimTime, present: (u128, u64)) -> bool {
        self.progress(now);
        present.1 == self.count && self.area == self.stayed + present.0
    }
}
