//! How many replicas one metric asks for.
//!
//! Source: kubernetes `pkg/controller/podautoscaler/replica_calculator.go` and
//! `metrics/utilization.go`, v1.37; whole-number arithmetic as there.

use crate::api::autoscaling::{Hpa, MetricSource, MetricSpec, MetricTarget};
use crate::api::pod::{Pod, PodPhase};
use crate::api::{DeploymentId, PodId};
use crate::control::flags::ControllerManagerFlags;
use crate::store::Store;
use crate::units::{SimDuration, SimTime};

/// One pod's value of a metric, as the metrics API answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Thousandths of the metric's unit.
    pub milli: i64,
    /// End of the window it was measured over.
    pub timestamp: SimTime,
    /// Length of the window.
    pub window: SimDuration,
}

/// The metrics API.
pub trait PodMetrics {
    /// A pod's value; `None`: there is none.
    fn sample(&self, pod: PodId, source: MetricSource) -> Option<Sample>;

    /// From which instant on every pod of `target` reads the same value, or stays without one,
    /// whenever it is asked again, until the controller is told of a change. `None`: not known.
    fn steady_from(&self, _target: DeploymentId) -> Option<SimTime> {
        None
    }
}

/// A metric could not be read: upstream's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoMetrics(pub String);

/// What a metric asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Replicas.
    pub replicas: u32,
}

/// Everything a calculation looks at.
pub struct Calculator<'a> {
    /// Flags of the controller.
    pub flags: &'a ControllerManagerFlags,
    /// Objects.
    pub store: &'a Store,
    /// The metrics API.
    pub metrics: &'a dyn PodMetrics,
    /// Now.
    pub now: SimTime,
}

/// The target's pods, sorted by what their samples are worth (`groupPods`).
#[derive(Debug, Default)]
struct Groups {
    /// Samples of ready pods and their requests in the metric's unit.
    ready: Vec<(i64, i64)>,
    /// Requests of pods that are not ready or too young to count.
    unready: Vec<i64>,
    /// Requests of pods without a sample.
    missing: Vec<i64>,
}

impl Calculator<'_> {
    /// What `metric` asks for, of a target that has `current` replicas.
    ///
    /// # Errors
    /// No pod has a sample.
    pub fn propose(
        &self,
        hpa: &Hpa,
        current: u32,
        metric: &MetricSpec,
    ) -> Result<Proposal, NoMetrics> {
        let mut groups = self.group(hpa, metric.source);
        if groups.ready.is_empty() {
            return Err(NoMetrics(no_metrics(metric.source).to_string()));
        }
        let first = ratio(&groups.ready, metric.target);
        let with_unready = !groups.unready.is_empty() && first > 1.0;
        if !with_unready && groups.missing.is_empty() {
            if self.within_tolerance(hpa, first) {
                return Ok(Proposal { replicas: current });
            }
            let replicas = ceil(first * groups.ready.len() as f64);
            return Ok(Proposal { replicas });
        }
        let fallback = match metric.target {
            MetricTarget::Utilization(percent) => i64::from(percent.max(100)),
            MetricTarget::AverageValue(_) => 0,
        };
        // Pods without samples count against the move: as full when it goes down, as idle when up.
        for request in std::mem::take(&mut groups.missing) {
            if first < 1.0 {
                let value = match metric.target {
                    MetricTarget::Utilization(_) => request * fallback / 100,
                    MetricTarget::AverageValue(target) => target,
                };
                groups.ready.push((value, request));
            } else if first > 1.0 {
                groups.ready.push((0, request));
            }
        }
        if with_unready {
            groups.ready.extend(groups.unready.iter().map(|request| (0, *request)));
        }
        let second = ratio(&groups.ready, metric.target);
        let turned = (first < 1.0 && second > 1.0) || (first > 1.0 && second < 1.0);
        if self.within_tolerance(hpa, second) || turned {
            return Ok(Proposal { replicas: current });
        }
        let replicas = ceil(second * groups.ready.len() as f64);
        let against = (second < 1.0 && replicas > current) || (second > 1.0 && replicas < current);
        Ok(Proposal { replicas: if against { current } else { replicas } })
    }

    fn group(&self, hpa: &Hpa, source: MetricSource) -> Groups {
        let mut groups = Groups::default();
        for set in self.store.replica_sets_of(hpa.target) {
            for id in self.store.pods_of(*set) {
                let Some(pod) = self.store.pod(*id) else { continue };
                if pod.deletion.is_some() || pod.phase == PodPhase::Failed {
                    continue;
                }
                let request = requested(pod, source);
                if pod.phase == PodPhase::Pending {
                    groups.unready.push(request);
                    continue;
                }
                match self.metrics.sample(*id, source) {
                    None => groups.missing.push(request),
                    Some(sample)
                        if source == MetricSource::Cpu && self.is_unready(pod, &sample) =>
                    {
                        groups.unready.push(request);
                    }
                    Some(sample) => groups.ready.push((sample.milli, request)),
                }
            }
        }
        groups
    }

    /// Whether a pod's CPU sample does not count yet.
    fn is_unready(&self, pod: &Pod, sample: &Sample) -> bool {
        if pod.started == SimTime::NEVER {
            return true;
        }
        let initializing =
            pod.started + self.flags.horizontal_pod_autoscaler_cpu_initialization_period > self.now;
        if initializing {
            return !pod.ready || sample.timestamp < pod.ready_changed + sample.window;
        }
        let delay = self.flags.horizontal_pod_autoscaler_initial_readiness_delay;
        !pod.ready && pod.started + delay > pod.ready_changed
    }

    fn within_tolerance(&self, hpa: &Hpa, ratio: f64) -> bool {
        let rules = if ratio > 1.0 { &hpa.scale_up } else { &hpa.scale_down };
        let flag = self.flags.horizontal_pod_autoscaler_tolerance;
        let tolerance = rules.tolerance_milli.map_or(flag, |milli| f64::from(milli) / 1000.0);
        (1.0 - tolerance..=1.0 + tolerance).contains(&ratio)
    }
}

/// A pod's request in the metric's thousandths.
fn requested(pod: &Pod, source: MetricSource) -> i64 {
    let requests = pod.spec.containers.iter().map(|c| &c.requests);
    match source {
        MetricSource::Cpu => requests.map(|r| r.cpu.0).sum(),
        MetricSource::Memory => requests.map(|r| r.memory.0 * 1000).sum(),
        MetricSource::RequestsPerSecond => 0,
    }
}

/// Usage over target of all samples together.
fn ratio(samples: &[(i64, i64)], target: MetricTarget) -> f64 {
    let total: i64 = samples.iter().map(|(value, _)| value).sum();
    match target {
        MetricTarget::Utilization(percent) => {
            let requests: i64 = samples.iter().map(|(_, request)| request).sum();
            let utilization = total * 100 / requests.max(1);
            utilization as f64 / f64::from(percent)
        }
        MetricTarget::AverageValue(value) => {
            let mean = total / samples.len() as i64;
            mean as f64 / value as f64
        }
    }
}

fn ceil(replicas: f64) -> u32 {
    replicas.ceil() as u32
}

fn no_metrics(source: MetricSource) -> &'static str {
    match source {
        MetricSource::Cpu => {
            "failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API"
        }
        MetricSource::Memory => {
            "failed to get memory utilization: unable to get metrics for resource memory: no metrics returned from resource metrics API"
        }
        MetricSource::RequestsPerSecond => {
            "unable to get metric requests_per_second: no metrics returned from custom metrics API"
        }
    }
}
