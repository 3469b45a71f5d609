//! The custom and external metrics APIs: answers to autoscalers that ask for more than resources.
//!
//! Their values are those of the scenario's `metrics:`: curves over time, and measures of the
//! simulated traffic as it is at the instant of the question. An adapter's own delay is not added.

use super::traffic::requests::Gauges;
use super::world::World;
use crate::api::autoscaling::{MetricSource, REQUESTS_PER_SECOND};
use crate::api::kind::Kind;
use crate::api::{HpaId, PodId};
use crate::scenario::custom_metrics::{CustomMetric, Measure, MetricValue, milli};
use crate::units::SimTime;

impl World<'_> {
    /// What a pod reads of a Pods metric, in thousandths; `None`: nobody provides it.
    pub(super) fn pods_metric(&self, pod: PodId, source: &MetricSource) -> Option<i64> {
        let workload = self.pods.get(pod)?.workload();
        let namespace = &self.store.pod(pod)?.namespace;
        let metrics = &self.scenario.metrics;
        let given =
            metrics.iter().find(|m| workload.is_some() && m.answers(namespace, workload, source));
        match given.map(|metric| &metric.value) {
            Some(MetricValue::Measure(measure, _)) => {
                Some(milli(self.measure_of_pod(*measure, pod, workload?)))
            }
            Some(value) => value.of_curve(self.now),
            None => {
                let is_usual = source.metric().is_some_and(|id| *id.name == *REQUESTS_PER_SECOND);
                is_usual.then(|| milli(self.network.rate_of(pod)))
            }
        }
    }

    /// Why the API has no such Pods metric.
    pub(super) fn pods_metric_refusal(&self, source: &MetricSource) -> Option<String> {
        let name = &source.metric()?.name;
        let is_known = |m: &CustomMetric| m.answers("", None, source);
        if **name == *REQUESTS_PER_SECOND || self.scenario.metrics.iter().any(is_known) {
            return None;
        }
        Some(format!("the server could not find the metric {name} for pods"))
    }

    /// The values of an Object or External metric.
    ///
    /// # Errors
    /// Nobody provides it: what the API says then.
    pub(super) fn metric_values(
        &self,
        namespace: &str,
        source: &MetricSource,
    ) -> Result<Vec<i64>, String> {
        let metrics = &self.scenario.metrics;
        let value = |(index, m): (usize, &CustomMetric)| match m.forecast {
            Some(forecast) => self.forecast(index, forecast),
            None => Some(self.metric_now(m)),
        };
        let all = metrics.iter().enumerate();
        let mut found = all.filter(|(_, m)| m.answers(namespace, None, source)).filter_map(value);
        match source {
            MetricSource::Object(of, id) => found.next().map(|v| vec![v]).ok_or_else(|| {
                let resource =
                    Kind::named(&of.kind).map_or_else(|| of.kind.to_string(), Kind::resource);
                format!(
                    "the server could not find the metric {} for {resource} {}",
                    id.name, of.name
                )
            }),
            _ => {
                let values: Vec<i64> = found.collect();
                let is_known = |m: &CustomMetric| {
                    let named = source.metric().map(|id| &id.name);
                    named == Some(&m.name)
                        && m.whose == crate::scenario::custom_metrics::Whose::Nobodys
                };
                if values.is_empty() && !metrics.iter().any(is_known) {
                    let name = source.metric().map_or("", |id| &id.name);
                    return Err(format!(
                        "the server could not find the requested resource \
                         (get {name}.external.metrics.k8s.io)"
                    ));
                }
                Ok(values)
            }
        }
    }

    /// The value of an Object or External metric now, in thousandths.
    pub(super) fn metric_now(&self, metric: &CustomMetric) -> i64 {
        match &metric.value {
            MetricValue::Measure(measure, of) => milli(self.measure(*measure, *of)),
            value => value.of_curve(self.now).unwrap_or(0),
        }
    }

    /// Until when a metric stays what it is, if nothing tells of a change
    /// ([`World::tell_measuring`]).
    pub(super) fn metric_stays_until(&self, namespace: &str, source: &MetricSource) -> SimTime {
        let period = self.scenario.flags.controller_manager.horizontal_pod_autoscaler_sync_period;
        let metrics = self.scenario.metrics.iter();
        let until =
            metrics.filter(|m| m.answers(namespace, None, source)).map(|m| match &m.value {
                _ if m.forecast.is_some() => self.now,
                MetricValue::Measure(_, of) if self.measures_rest(*of) => SimTime::NEVER,
                value => value.next_look(self.now, period),
            });
        until.min().unwrap_or(SimTime::NEVER)
    }

    /// Whether what is measured of a workload stays what it is until its use of CPU changes: its
    /// pods keep up, and no queue fills or empties.
    fn measures_rest(&self, workload: usize) -> bool {
        let station = &self.network.stations[workload];
        let keeps_up = station.endpoints().0 > 0 && station.rates().offered < station.capacity();
        let is_followed = self.network.singly_at(workload).is_some();
        keeps_up && station.next_change() == SimTime::NEVER && !station.is_apart() && !is_followed
    }

    /// A measure of a whole workload.
    fn measure(&self, measure: Measure, workload: usize) -> f64 {
        if let Some(singly) = self.network.singly_at(workload) {
            let gauges = singly.gauges(workload);
            // All that arrive, for a whole workload.
            let served = gauges.offered;
            return of_gauges(measure, &Gauges { served, ..gauges });
        }
        let station = &self.network.stations[workload];
        let rates = station.rates();
        match measure {
            Measure::RequestsPerSecond => rates.offered,
            Measure::FailedPerSecond => rates.failed,
            // Little's law.
            Measure::InFlight => rates.served * station.mean_latency(),
            Measure::QueueLength => {
                (rates.served * (station.mean_latency() - station.pod.service)).max(0.0)
            }
            Measure::Latency => station.mean_latency(),
        }
    }

    /// A pod's part of a measure.
    fn measure_of_pod(&self, measure: Measure, pod: PodId, workload: usize) -> f64 {
        if let Some(singly) = self.network.singly_at(workload) {
            return of_gauges(measure, &singly.gauges_of(pod));
        }
        let station = &self.network.stations[workload];
        let (rate, latency) = (self.network.rate_of(pod), station.mean_latency());
        match measure {
            Measure::RequestsPerSecond => rate,
            Measure::FailedPerSecond => {
                station.rates().failed / f64::from(station.endpoints().0.max(1))
            }
            Measure::InFlight => rate * latency,
            Measure::QueueLength => (rate * (latency - station.pod.service)).max(0.0),
            Measure::Latency => latency,
        }
    }

    /// The use of CPU of a workload has changed: autoscalers of others that measure it look again.
    pub(super) fn tell_measuring(&mut self, workload: usize) {
        let metrics = &self.scenario.metrics;
        let measures =
            |m: &&CustomMetric| matches!(m.value, MetricValue::Measure(_, of) if of == workload);
        let measured: Vec<&CustomMetric> = metrics.iter().filter(measures).collect();
        if measured.is_empty() {
            return;
        }
        let asks = |(id, hpa): (HpaId, &crate::api::autoscaling::Hpa)| {
            let target = self.workload_of_target(hpa.target);
            let reads = hpa.metrics.iter().any(|metric| {
                measured.iter().any(|m| m.answers(&hpa.namespace, target, &metric.source))
            });
            (reads && target != Some(workload)).then_some(id)
        };
        let hpas: Vec<HpaId> = self.store.hpas().filter_map(asks).collect();
        hpas.into_iter().for_each(|hpa| self.hpa_inputs_changed(hpa));
    }
}

/// A measure of pods whose requests are followed one by one: what an adapter makes of counters that
/// are read at each scrape, and of what is in the pods now.
fn of_gauges(measure: Measure, gauges: &Gauges) -> f64 {
    match measure {
        Measure::RequestsPerSecond => gauges.served,
        Measure::FailedPerSecond => gauges.failed,
        Measure::InFlight => f64::from(gauges.in_work + gauges.queued),
        Measure::QueueLength => f64::from(gauges.queued),
        Measure::Latency => gauges.latency,
    }
}
