//! The metrics pipeline: kubelet counters, scraped by metrics-server, read by autoscalers.
//!
//! Nothing is ticked: a sample is the difference of a pod's counter at the last two scrapes before
//! it is read, and counters are lines that can be read at any recent instant.

use super::kubelet::Containers;
use super::world::World;
use crate::api::autoscaling::{Measured, MetricId, MetricSource, REQUESTS_PER_SECOND, ScaleTarget};
use crate::api::pod::{Container, Pod, PodSpec};
use crate::api::{HpaId, PodId, Text};
use crate::control::controllers::podautoscaler::{Alike, PodMetrics, Sample};
use crate::scenario::metrics::{GivenMetrics, value};
use crate::units::{SimDuration, SimTime};

impl PodMetrics for World<'_> {
    fn sample(&self, pod: PodId, source: &MetricSource) -> Option<Sample> {
        if !self.given_metrics.is_empty()
            && let Some(p) = self.store.pod(pod)
            && let Some(given) = p.labels.get("app").and_then(|app| self.given_metrics.get(app))
        {
            return self.given_sample(pod, p, given);
        }
        let (window, timestamp) = (self.window(), self.last_scrape());
        let before = SimTime(timestamp.0.checked_sub(window.0)?);
        if !self.ran_since(pod, before) {
            return None;
        }
        let whole = |resource| match resource {
            Measured::Cpu => Some(self.cpu_between(pod, before, timestamp, window)),
            Measured::Memory => Some(self.memory_of(pod)? * 1000),
        };
        let milli = match source {
            MetricSource::Resource(resource) => whole(*resource)?,
            MetricSource::ContainerResource(resource, name) => {
                part_of(&self.store.pod(pod)?.spec, *resource, name, whole(*resource)?)?
            }
            MetricSource::Pods(_) => self.pods_metric(pod, source)?,
            MetricSource::Object(..) | MetricSource::External(_) => return None,
        };
        Some(Sample { milli, timestamp, window })
    }

    fn refusal(&self, _namespace: &str, source: &MetricSource) -> Option<String> {
        self.pods_metric_refusal(source)
    }

    fn values(&self, namespace: &str, source: &MetricSource) -> Result<Vec<i64>, String> {
        self.metric_values(namespace, source)
    }

    fn stays_until(&self, namespace: &str, source: &MetricSource) -> SimTime {
        self.metric_stays_until(namespace, source)
    }

    fn alike(&self, target: ScaleTarget, source: &MetricSource) -> Option<Alike<'_>> {
        // Containers may have other parts in each pod, and a scenario may say of anything.
        let is_usual =
            |id: &MetricId| *id.name == *REQUESTS_PER_SECOND && self.scenario.metrics.is_empty();
        match source {
            MetricSource::Resource(_) => {}
            MetricSource::Pods(id) if is_usual(id) => {}
            _ => return None,
        }
        let workload = self.workload_of_target(target)?;
        let is_apart = self.is_apart(workload);
        if is_apart || *source == MetricSource::MEMORY && self.leaks(workload) {
            return None;
        }
        let (window, timestamp) = (self.window(), self.last_scrape());
        let except = &self.unlike[workload];
        let Some(before) = timestamp.0.checked_sub(window.0).map(SimTime) else {
            return Some(Alike { sample: None, except });
        };
        let station = &self.network.stations[workload];
        let milli = match source {
            MetricSource::Resource(Measured::Cpu) => {
                milli_cpu(station.cpu_line(timestamp) - station.cpu_line(before), window)
            }
            MetricSource::Resource(Measured::Memory) => station.pod_memory().round() as i64 * 1000,
            _ => (station.rate_per_pod() * 1000.0).round() as i64,
        };
        Some(Alike { sample: Some(Sample { milli, timestamp, window }), except })
    }

    /// Two scrapes after the last change of rates or containers, all samples stay what they are.
    fn steady_from(&self, target: ScaleTarget) -> Option<SimTime> {
        let workload = self.workload_of_target(target)?;
        if self.leaks(workload) || self.network.singly_at(workload).is_some() {
            return None;
        }
        let rates = self.network.stations[workload].steady_since();
        let changed = rates.max(self.containers_changed[workload]);
        let window = self.window();
        Some(changed.next_on_grid(SimTime::ZERO, window) + window * 2)
    }
}

impl World<'_> {
    /// The sample of a pod whose load is given: of the instant at which it is read.
    fn given_sample(&self, id: PodId, pod: &Pod, given: &GivenMetrics) -> Option<Sample> {
        let now = self.now;
        let state = self.pods.get(id)?;
        let runs = state.containers == Containers::Running;
        let young = now.since(state.container_started) < given.missing_younger;
        if given.none || !runs || young {
            return None;
        }
        let app = pod.labels.get("app")?;
        let siblings = self.store.pods().filter(|(_, other)| other.labels.get("app") == Some(app));
        let siblings: Vec<(PodId, &Pod)> = siblings.collect();
        if !given.missing.is_empty() {
            let mut names: Vec<Text> = siblings.iter().map(|(_, other)| other.name()).collect();
            names.sort();
            let place = names.iter().position(|name| *name == pod.name());
            if place.is_some_and(|place| given.missing.contains(&place)) {
                return None;
            }
        }
        let ready = siblings.iter().filter(|(_, other)| other.ready && other.is_active()).count();
        let share = value(&given.total, now).filter(|_| pod.ready);
        let mut milli = share.map_or(0.0, |total| total / ready.max(1) as f64);
        milli += value(&given.per_pod, now).unwrap_or(0.0);
        if given.noise > 0.0 {
            let mut stream = self.streams.stream("given metrics", pod.uid ^ now.0);
            milli *= 1.0 + given.noise * (2.0 * stream.unit() - 1.0);
        }
        let window = self.window();
        Some(Sample { milli: milli.round() as i64, timestamp: now, window })
    }

    /// Whether pods of a workload have requests of their own each, so that none is like another.
    fn is_apart(&self, workload: usize) -> bool {
        self.network.stations[workload].is_apart() || self.network.singly_at(workload).is_some()
    }

    /// The last scrape that metrics-server has finished.
    fn last_scrape(&self) -> SimTime {
        let period = self.scenario.flags.metrics_server.metric_resolution.0.max(1);
        SimTime(self.now.0 / period * period)
    }

    /// Time between two scrapes.
    fn window(&self) -> SimDuration {
        self.scenario.flags.metrics_server.metric_resolution
    }

    /// Whether a pod's containers have run since `before`: metrics-server needs two points of them.
    fn ran_since(&self, pod: PodId, before: SimTime) -> bool {
        self.pods.get(pod).is_some_and(|state| {
            state.containers == Containers::Running && state.container_started <= before
        })
    }

    /// Milli-CPU of a pod, mean between two scrapes.
    fn cpu_between(&self, pod: PodId, from: SimTime, to: SimTime, window: SimDuration) -> i64 {
        // A pod that served all the time used what every such pod did: no rounding of its own.
        let used = match self.pods.get(pod).and_then(|state| state.workload()) {
            Some(workload) if self.network.live_since(pod, from) => {
                let station = self.network.stations[workload].lane(pod);
                station.cpu_line(to) - station.cpu_line(from)
            }
            _ => self.network.cpu_of(pod, to) - self.network.cpu_of(pod, from),
        };
        milli_cpu(used, window)
    }

    /// A pod's samples may differ from those of its Deployment's other pods for a while.
    pub(super) fn samples_differ(&mut self, pod: PodId) {
        if let Some(workload) = self.pods.get(pod).and_then(|state| state.workload()) {
            self.unlike[workload].insert(pod);
        }
    }

    /// A pod is gone, and its samples with it.
    pub(super) fn forget_samples(&mut self, pod: PodId) {
        if let Some(workload) = self.pods.get(pod).and_then(|state| state.workload()) {
            self.unlike[workload].remove(&pod);
        }
    }

    /// Finds the pods of an autoscaler's target that by now read what the others do. Until
    /// something happens to them again they will go on to.
    pub(super) fn settle_samples(&mut self, hpa: HpaId) {
        let target = self.store.hpa(hpa).map(|hpa| hpa.target);
        let workload = target.and_then(|target| self.workload_of_target(target));
        let before = self.last_scrape().0.checked_sub(self.window().0).map(SimTime);
        let (Some(workload), Some(before)) = (workload, before) else { return };
        let mut unlike = std::mem::take(&mut self.unlike[workload]);
        unlike
            .retain(|pod| !(self.ran_since(*pod, before) && self.network.live_since(*pod, before)));
        self.unlike[workload] = unlike;
    }
}

/// A container's part of what its pod uses: by what it requests, or by heads if none requests
/// anything. `None`: the pod has no such container.
pub(super) fn part_of(spec: &PodSpec, resource: Measured, name: &str, whole: i64) -> Option<i64> {
    let sidecars = spec.init_containers.iter().filter(|c| c.sidecar);
    let all: Vec<&Container> = spec.containers.iter().chain(sidecars).collect();
    let request = |c: &&Container| match resource {
        Measured::Cpu => c.requests.cpu.0,
        Measured::Memory => c.requests.memory.0,
    };
    let own = all.iter().find(|c| *c.name == *name).map(request)?;
    let sum: i64 = all.iter().map(request).sum();
    Some(match sum {
        0 => whole / all.len() as i64,
        sum => (i128::from(whole) * i128::from(own) / i128::from(sum)) as i64,
    })
}

/// Milli-CPU of so many CPU seconds in a window.
fn milli_cpu(seconds: f64, window: SimDuration) -> i64 {
    (seconds / window.as_secs_f64() * 1000.0).round() as i64
}
