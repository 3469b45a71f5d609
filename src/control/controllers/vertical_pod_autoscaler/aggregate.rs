//! What the recommender keeps of samples: of a container its peaks of memory, and of containers
//! alike how often they used how much.
//!
//! Source: kubernetes/autoscaler `vertical-pod-autoscaler/pkg/recommender/model/container.go` and
//! `aggregate_container_state.go`, 1.7.1. Times are nanoseconds since 1970.

use super::histogram::{CPU, Histogram, MEMORY, SAMPLE_WEIGHT};
use crate::control::vpa_flags::VpaRecommenderFlags;
use crate::units::{Bytes, MilliCpu, SimDuration};

/// The most of any amount that is recommended (`MaxResourceAmount`).
const MOST: f64 = 1e14;

/// An amount of a fraction: cut, and kept within what is possible.
pub fn amount(value: f64) -> i64 {
    if value > MOST {
        return MOST as i64;
    }
    // Nothing times infinity is nothing here too.
    value.max(0.0) as i64
}

/// Samples of containers of one name whose pods have the same labels.
#[derive(Clone, Debug)]
pub struct Aggregate {
    /// Cores that were used.
    pub cpu: Histogram,
    /// Peaks of memory, one for each interval of each container.
    pub memory: Histogram,
    /// First sample of CPU.
    pub first: Option<i64>,
    /// Last one.
    pub last: Option<i64>,
    /// How many there were.
    pub samples: u64,
}

impl Aggregate {
    /// One without samples.
    pub fn new(flags: &VpaRecommenderFlags) -> Aggregate {
        Aggregate {
            cpu: Histogram::new(&CPU, flags.cpu_histogram_decay_half_life),
            memory: Histogram::new(&MEMORY, flags.memory_histogram_decay_half_life),
            first: None,
            last: None,
            samples: 0,
        }
    }

    /// Adds what another one holds.
    pub fn merge(&mut self, other: &mut Aggregate) {
        self.cpu.merge(&mut other.cpu);
        self.memory.merge(&mut other.memory);
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = self.last.max(other.last);
        self.samples += other.samples;
    }

    fn add_cpu(&mut self, used: MilliCpu, at: i64) {
        self.cpu.add(used.0 as f64 / 1000.0, SAMPLE_WEIGHT, at);
        self.last = self.last.max(Some(at));
        self.first = Some(self.first.map_or(at, |first| first.min(at)));
        self.samples += 1;
    }
}

/// A container of one pod.
#[derive(Clone, Debug, Default)]
pub struct Container {
    last_cpu: Option<i64>,
    last_memory: Option<i64>,
    /// Most memory that was seen in this interval.
    peak: i64,
    /// Most that was made of it being OOM-killed.
    oom_peak: i64,
    /// When this interval ends.
    window_end: Option<i64>,
}

impl Container {
    /// A sample of its CPU; one that is not younger than the last counts for nothing.
    pub fn add_cpu(&mut self, into: &mut Aggregate, used: MilliCpu, at: i64) {
        if self.last_cpu.is_none_or(|last| at > last) {
            into.add_cpu(used, at);
            self.last_cpu = Some(at);
        }
    }

    /// A sample of its memory.
    pub fn add_memory(
        &mut self,
        into: &mut Aggregate,
        used: Bytes,
        at: i64,
        interval: SimDuration,
    ) {
        if self.last_memory.is_none_or(|last| at >= last) {
            self.add_peak(into, used.0, at, false, interval);
        }
    }

    /// It was OOM-killed with this request of memory: as if it had used more than it could.
    pub fn record_oom(
        &mut self,
        into: &mut Aggregate,
        requested: Bytes,
        at: i64,
        flags: &VpaRecommenderFlags,
    ) {
        let interval = flags.memory_aggregation_interval;
        // One from before this interval is too old to say anything.
        if self.window_end.is_some_and(|end| at < end - interval.0 as i64) {
            return;
        }
        let used = requested.0.max(self.peak);
        let raised = used + amount(flags.oom_min_bump_up_bytes);
        let needed = raised.max(amount(used as f64 * flags.oom_bump_up_ratio));
        self.add_peak(into, needed, at, true, interval);
    }

    /// Each container has one peak in each interval: a higher one takes the place of the last.
    fn add_peak(
        &mut self,
        into: &mut Aggregate,
        used: i64,
        at: i64,
        is_oom: bool,
        interval: SimDuration,
    ) {
        self.last_memory = Some(at);
        let end = *self.window_end.get_or_insert(at);
        if at < end {
            let before = self.peak.max(self.oom_peak);
            if before == 0 || used <= before {
                return;
            }
            into.memory.subtract(before as f64, 1.0, end);
        } else {
            let interval = interval.0.max(1) as i64;
            self.window_end = Some(end + (at - end) / interval * interval + interval);
            (self.peak, self.oom_peak) = (0, 0);
        }
        into.memory.add(used as f64, 1.0, self.window_end.unwrap_or(at));
        *(if is_oom { &mut self.oom_peak } else { &mut self.peak }) = used;
    }
}
