//! From histograms to what is recommended.
//!
//! Source: kubernetes/autoscaler `vertical-pod-autoscaler/pkg/recommender/logic/recommender.go` and
//! `estimator.go`, 1.7.1.

use super::aggregate::{Aggregate, amount};
use super::histogram::{Histogram, power};
use crate::control::vpa_flags::VpaRecommenderFlags;
use crate::units::SimDuration;

/// What is recommended of one resource, in milli-CPU or bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Estimate {
    /// What should be requested.
    pub target: i64,
    /// Below this a pod is to be changed.
    pub lower: i64,
    /// Above this a pod is to be changed.
    pub upper: i64,
}

/// CPU and memory of a container that is one of so many in its pod.
pub fn estimate(of: &Aggregate, containers: usize, flags: &VpaRecommenderFlags) -> [Estimate; 2] {
    let share = 1.0 / containers.max(1) as f64;
    let least = |whole: f64| amount(amount(whole) as f64 * share);
    let cpu = Resource {
        histogram: &of.cpu,
        unit: 1000.0,
        least: least(flags.pod_recommendation_min_cpu_millicores * 0.001 * 1000.0),
        confidence: confidence(of, flags.confidence_interval_cpu),
        margin: flags.recommendation_margin_fraction,
    };
    let memory = Resource {
        histogram: &of.memory,
        unit: 1.0,
        least: least(flags.pod_recommendation_min_memory_mb * 1024.0 * 1024.0),
        confidence: confidence(of, flags.confidence_interval_memory),
        margin: flags.recommendation_margin_fraction,
    };
    [
        cpu.estimate([
            flags.target_cpu_percentile,
            flags.recommendation_lower_bound_cpu_percentile,
            flags.recommendation_upper_bound_cpu_percentile,
        ]),
        memory.estimate([
            flags.target_memory_percentile,
            flags.recommendation_lower_bound_memory_percentile,
            flags.recommendation_upper_bound_memory_percentile,
        ]),
    ]
}

/// How much is known: days of history, at one sample a minute.
fn confidence(of: &Aggregate, interval: SimDuration) -> f64 {
    let span = of.last.unwrap_or(0) - of.first.unwrap_or(0);
    let days = span as f64 / interval.0 as f64;
    let samples = of.samples as f64 / (interval.as_secs_f64() / 60.0);
    days.min(samples)
}

/// One resource of a container.
struct Resource<'a> {
    histogram: &'a Histogram,
    /// Amounts in one of the histogram's units.
    unit: f64,
    least: i64,
    confidence: f64,
    margin: f64,
}

impl Resource<'_> {
    /// With the percentiles of target, lower and upper bound.
    fn estimate(&self, [target, lower, upper]: [f64; 3]) -> Estimate {
        let widen = 1.0 + 1.0 / self.confidence;
        // To the power of -2.
        let narrow = 1.0 / power(1.0 + 0.001 / self.confidence, 2);
        Estimate {
            target: self.with_margin(target).max(self.least),
            lower: amount(self.with_margin(lower) as f64 * narrow).max(self.least),
            upper: amount(self.with_margin(upper) as f64 * widen).max(self.least),
        }
    }

    fn with_margin(&self, percentile: f64) -> i64 {
        let base = amount(self.histogram.percentile(percentile) * self.unit);
        base + amount(base as f64 * self.margin)
    }
}

#[cfg(test)]
mod tests {
    use super::super::aggregate::Container;
    use super::*;
    use crate::units::{Bytes, MilliCpu};

    #[test]
    fn bounds_close_in_on_the_target_as_history_grows() {
        let flags = VpaRecommenderFlags::default();
        let (mut aggregate, mut container) = (Aggregate::new(&flags), Container::default());
        let [nothing, _] = estimate(&aggregate, 1, &flags);
        assert_eq!((nothing.target, nothing.lower), (25, 25), "the least without any history");
        let mut minute = 0;
        let rows = [
            ("after an hour the upper bound is far off", 60, 12_700, 0.90),
            ("after a day it is twice the usage and margin", 1440, 1270, 0.99),
            ("after a week it is near", 7 * 1440, 730, 0.99),
        ];
        for (sentence, until, upper, lower) in rows {
            while minute < until {
                minute += 1;
                let at = minute * 60_000_000_000;
                container.add_cpu(&mut aggregate, MilliCpu(500), at);
                let interval = flags.memory_aggregation_interval;
                container.add_memory(&mut aggregate, Bytes(1), at, interval);
            }
            let [cpu, _] = estimate(&aggregate, 1, &flags);
            let target = cpu.target as f64;
            assert!((575.0..650.0).contains(&target), "{sentence}: {cpu:?}");
            assert!((cpu.upper as f64 / f64::from(upper) - 1.0).abs() < 0.2, "{sentence}: {cpu:?}");
            assert!(cpu.lower as f64 >= target * lower, "{sentence}: {cpu:?}");
        }
    }
}
