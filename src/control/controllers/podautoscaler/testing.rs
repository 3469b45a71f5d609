//! An autoscaler and a metrics API for tests.

use super::replica_calculator::{PodMetrics, Sample};
use crate::api::autoscaling::{Hpa, MetricSource, ScaleTarget};
use crate::api::{ObjectName, PodId};
use crate::units::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// An autoscaler on 50 % of the CPU requests, without `spec.behavior`.
pub fn hpa(min: u32, max: u32) -> Hpa {
    let name = ObjectName::new("default", "web");
    Hpa { min_replicas: min, max_replicas: max, ..Hpa::on_cpu(&name, 50) }
}

/// Values by pod, all read at the same instant over 15 s.
#[derive(Debug, Default)]
pub struct Values {
    pub milli: BTreeMap<PodId, i64>,
    pub timestamp: SimTime,
    pub steady: Option<SimTime>,
}

impl PodMetrics for Values {
    fn sample(&self, pod: PodId, _: &MetricSource) -> Option<Sample> {
        let (window, timestamp) = (SimDuration::from_secs(15), self.timestamp);
        self.milli.get(&pod).map(|milli| Sample { milli: *milli, timestamp, window })
    }

    fn steady_from(&self, _: ScaleTarget) -> Option<SimTime> {
        self.steady
    }
}
