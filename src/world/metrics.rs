//! The metrics pipeline: kubelet counters, scraped by metrics-server, read by autoscalers.
//!
//! Nothing is ticked: a sample is the difference of a pod's counter at the last two scrapes before
//! it is read, and counters are lines that can be read at any recent instant.

use super::kubelet::Containers;
use super::world::World;
use crate::api::autoscaling::MetricSource;
use crate::api::{DeploymentId, PodId};
use crate::control::controllers::podautoscaler::{PodMetrics, Sample};
use crate::units::{SimDuration, SimTime};

impl PodMetrics for World<'_> {
    fn sample(&self, pod: PodId, source: MetricSource) -> Option<Sample> {
        let window = self.scenario.flags.metrics_server.metric_resolution;
        let timestamp = self.last_scrape();
        let state = self.pods.get(pod)?;
        let before = SimTime(timestamp.0.checked_sub(window.0)?);
        // metrics-server needs two points of a running container.
        if state.containers != Containers::Running || state.container_started > before {
            return None;
        }
        let milli = match source {
            MetricSource::Cpu => self.cpu_between(pod, before, timestamp, window),
            MetricSource::Memory => self.memory_of(pod)? * 1000,
            MetricSource::RequestsPerSecond => (self.network.rate_of(pod) * 1000.0).round() as i64,
        };
        Some(Sample { milli, timestamp, window })
    }

    /// Two scrapes after the last change of rates or containers, all samples stay what they are.
    fn steady_from(&self, target: DeploymentId) -> Option<SimTime> {
        let workload = *self.workload_of.get(target)?;
        let rates = self.network.stations[workload].steady_since();
        let changed = rates.max(self.containers_changed[workload]);
        let window = self.scenario.flags.metrics_server.metric_resolution;
        Some(changed.next_on_grid(SimTime::ZERO, window) + window * 2)
    }
}

impl World<'_> {
    /// The last scrape that metrics-server has finished.
    fn last_scrape(&self) -> SimTime {
        let period = self.scenario.flags.metrics_server.metric_resolution.0.max(1);
        SimTime(self.now.0 / period * period)
    }

    /// Milli-CPU of a pod, mean between two scrapes.
    fn cpu_between(&self, pod: PodId, from: SimTime, to: SimTime, window: SimDuration) -> i64 {
        let seconds = self.network.cpu_of(pod, to) - self.network.cpu_of(pod, from);
        (seconds / window.as_secs_f64() * 1000.0).round() as i64
    }

    fn memory_of(&self, pod: PodId) -> Option<i64> {
        let workload = self.pods.get(pod)?.workload()?;
        Some(self.network.stations[workload].pod_memory().round() as i64)
    }
}
