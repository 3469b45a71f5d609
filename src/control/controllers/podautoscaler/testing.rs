//! An autoscaler and a metrics API for tests.

use super::replica_calculator::{PodMetrics, Sample};
use crate::api::PodId;
use crate::api::autoscaling::{
    Hpa, MetricSource, MetricSpec, MetricTarget, ScaleTarget, ScalingRules,
};
use crate::units::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// An autoscaler on 50 % of the CPU requests, without `spec.behavior`.
pub fn hpa(min: u32, max: u32) -> Hpa {
    Hpa {
        name: "web".into(),
        namespace: "default".into(),
        target: Default::default(),
        target_kind: "Deployment",
        min_replicas: min,
        max_replicas: max,
        metrics: vec![MetricSpec {
            source: MetricSource::Cpu,
            target: MetricTarget::Utilization(50),
        }],
        target_name: "web".into(),
        has_behavior: false,
        scale_up: ScalingRules::default_up(),
        scale_down: ScalingRules::default_down(),
        created: SimTime::ZERO,
        current_replicas: 0,
        desired_replicas: 0,
    }
}

/// Values by pod, all read at the same instant over 15 s.
#[derive(Debug, Default)]
pub struct Values {
    pub milli: BTreeMap<PodId, i64>,
    pub timestamp: SimTime,
    pub steady: Option<SimTime>,
}

impl PodMetrics for Values {
    fn sample(&self, pod: PodId, _: MetricSource) -> Option<Sample> {
        let (window, timestamp) = (SimDuration::from_secs(15), self.timestamp);
        self.milli.get(&pod).map(|milli| Sample { milli: *milli, timestamp, window })
    }

    fn steady_from(&self, _: ScaleTarget) -> Option<SimTime> {
        self.steady
    }
}
