//! The `metrics:` section: what the custom and external metrics APIs of a cluster answer.
//!
//! In a real cluster adapters make such metrics of what they find in Prometheus, in queues, in
//! clouds. Here a scenario says what they would find: a curve over time, or a measure of the
//! simulated traffic. It knows names and curves; `world/custom_metrics.rs` takes the measures.

use super::curve::Curve;
use super::file::ScenarioFile;
use super::forecast::{Forecast, PredictLinearFile};
use super::manifests::{Manifests, Place};
use super::model::{Ignored, Objects};
use super::resolve::{Resolver, is_named};
use super::shapes::RateFile;
use super::value::Span;
use crate::api::Text;
use crate::api::autoscaling::{Hpa, MetricId, MetricSource, REQUESTS_PER_SECOND};
use crate::api::kind::kind_of;
use crate::api::labels::Labels;
use crate::control::controllers::cronjob::turns;
use crate::units::{SimDuration, SimTime, WallClock};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

/// A metric of a custom or external metrics API.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MetricFile {
    /// Its name, as autoscalers ask for it. With neither `pods` nor `object` it is External.
    pub name: String,
    /// A Pods metric, of the pods of this workload.
    #[serde(default)]
    pub pods: Option<String>,
    /// An Object metric, of this object: `KIND/NAME`, e.g. `service/web`, `ingress/shop`.
    #[serde(default)]
    pub object: Option<String>,
    /// The object's namespace. Default: any.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Labels of this series, for the `selector` of autoscalers.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// Its value over time, in the shapes of traffic rates. Of a trace the numbers are values, not
    /// counts of a slot. Of a Pods metric: the value of each pod.
    #[serde(default)]
    pub value: Option<RateFile>,
    /// In place of `value`: what is measured of the simulated traffic.
    #[serde(default)]
    pub measure: Option<Measure>,
    /// The workload that is measured. Default: that of `pods`, or behind the Service of `object`.
    #[serde(default)]
    pub of: Option<String>,
    /// Not the value now, but where a straight line through the last samples will be: PromQL's
    /// `predict_linear`, never below 0.
    #[serde(default)]
    pub predict_linear: Option<PredictLinearFile>,
    /// Not the value now, but that of so long ago: PromQL's `offset`. A day less what starting up
    /// takes is a forecast of whatever comes each day.
    #[serde(default)]
    pub offset: Option<Span>,
    /// Time between two samples for `predict-linear` and `offset`. Default: 1m, as Prometheus.
    #[serde(default)]
    pub scrape_interval: Option<Span>,
}

/// What can be measured of a workload's traffic; of a Pods metric, of each pod its part.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Requests that arrive, a second; of a pod: that it answers.
    RequestsPerSecond,
    /// Requests that fail, a second.
    FailedPerSecond,
    /// Requests in work or waiting.
    InFlight,
    /// Requests waiting.
    QueueLength,
    /// Mean time of a request in its pod, seconds.
    Latency,
}

impl Measure {
    /// As scenario files write it.
    pub fn name(self) -> &'static str {
        match self {
            Measure::RequestsPerSecond => "requests-per-second",
            Measure::FailedPerSecond => "failed-per-second",
            Measure::InFlight => "in-flight",
            Measure::QueueLength => "queue-length",
            Measure::Latency => "latency",
        }
    }
}

/// One series of a metrics API.
#[derive(Clone, Debug, PartialEq)]
pub struct CustomMetric {
    /// Its name.
    pub name: Text,
    /// Whose it is.
    pub whose: Whose,
    /// Its labels.
    pub labels: Labels,
    /// Where its value is from.
    pub value: MetricValue,
    /// The query over its past that is answered in place of its value now, if any.
    pub forecast: Option<Forecast>,
}

/// Whose a metric is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// Nobody's in the cluster: an External metric, in every namespace.
    Nobodys,
    /// Each pod's of a bearer of traffic (as `Objects::bearers` numbers them).
    Pods(usize),
    /// One object's.
    Object {
        /// Its kind.
        kind: Text,
        /// Its namespace; `None`: any.
        namespace: Option<Text>,
        /// Its name.
        name: Text,
    },
}

/// Where a metric's value is from.
#[derive(Clone, Debug, PartialEq)]
pub enum MetricValue {
    /// A curve, in the metric's unit.
    Curve(Curve),
    /// A measure of a bearer of traffic.
    Measure(Measure, usize),
    /// Values from instants on, in thousandths; the first from the start of the run.
    Levels(Vec<(SimTime, i64)>),
}

impl CustomMetric {
    /// Whether an autoscaler in `namespace` that scales `target` and asks for `source` gets this.
    pub fn answers(&self, namespace: &str, target: Option<usize>, source: &MetricSource) -> bool {
        let fits = |id: &MetricId| {
            let selected = id.selector.as_ref().is_none_or(|s| s.matches(&self.labels));
            id.name == self.name && selected
        };
        match (&self.whose, source) {
            (Whose::Nobodys, MetricSource::External(id)) => fits(id),
            (Whose::Pods(pods), MetricSource::Pods(id)) => {
                target.is_none_or(|target| target == *pods) && fits(id)
            }
            (Whose::Object { kind, namespace: own, name }, MetricSource::Object(of, id)) => {
                let here = own.as_ref().is_none_or(|own| **own == *namespace);
                here && *kind == of.kind && *name == of.name && fits(id)
            }
            _ => false,
        }
    }
}

/// The metrics that KEDA itself makes of `cron` triggers.
fn of_cron_triggers(objects: &Objects, duration: SimDuration) -> Vec<CustomMetric> {
    let mut found = Vec::new();
    for object in &objects.scaled_objects {
        for trigger in &object.triggers {
            let (Some(times), MetricSource::External(id)) = (&trigger.times, &trigger.source)
            else {
                continue;
            };
            let end = SimTime::ZERO + duration;
            let replicas = i64::from(times.desired_replicas) * 1000;
            let levels = turns(times, WallClock::default(), end);
            let levels =
                levels.into_iter().map(|(at, is_wanted)| (at, i64::from(is_wanted) * replicas));
            let labels = Labels::from([("scaledobject.keda.sh/name", &*object.name)]);
            let value = MetricValue::Levels(levels.collect());
            let whose = Whose::Nobodys;
            let name = id.name.clone();
            found.push(CustomMetric { name, whose, labels, value, forecast: None });
        }
    }
    found
}

/// Autoscalers of the manifests with their places.
pub(super) type Askers = Vec<(Text, Text, Place)>;

impl Resolver<'_> {
    /// Where the autoscalers stand.
    pub(super) fn askers(manifests: &Manifests) -> Askers {
        let place = |(hpa, _, place): &(Hpa, _, Place)| {
            (hpa.namespace.clone(), hpa.name.clone(), place.clone())
        };
        manifests.hpas.iter().map(place).collect()
    }

    pub(super) fn metrics(&mut self, file: &ScenarioFile, objects: &Objects) -> Vec<CustomMetric> {
        let mut found = Vec::new();
        for (index, given) in file.metrics.iter().enumerate() {
            found.extend(self.custom_metric(given, &format!("metrics[{index}]"), objects));
        }
        found.extend(of_cron_triggers(objects, file.duration.0));
        found
    }

    fn custom_metric(
        &mut self,
        given: &MetricFile,
        path: &str,
        objects: &Objects,
    ) -> Option<CustomMetric> {
        if given.name.is_empty() {
            self.error(&format!("{path}.name"), "must not be empty", None);
        }
        let (whose, backing) = self.whose(given, path, objects)?;
        let value = match (&given.value, given.measure) {
            (Some(value), None) => {
                MetricValue::Curve(levels(self.curve(value, &format!("{path}.value"))?))
            }
            (None, Some(measure)) => {
                let of = match (&given.of, backing) {
                    (Some(of), _) => self.bearer(of, &format!("{path}.of"), objects)?,
                    (None, Some(backing)) => backing,
                    (None, None) => {
                        let hint = "add `of: WORKLOAD`".to_string();
                        let path = format!("{path}.measure");
                        self.error(&path, "says not which workload is measured", Some(hint));
                        return None;
                    }
                };
                MetricValue::Measure(measure, of)
            }
            _ => {
                let hint = "a curve, like `value: {constant: 5}`, or `measure: in-flight`";
                self.error(path, "needs either a `value` or a `measure`", Some(hint.into()));
                return None;
            }
        };
        let pairs = given.labels.iter().map(|(k, v)| (k.as_str().into(), v.as_str().into()));
        let labels = Labels::new(pairs.collect());
        let forecast = self.forecast(given, path);
        Some(CustomMetric { name: given.name.as_str().into(), whose, labels, value, forecast })
    }

    /// Whose a metric is, and the bearer of traffic that is meant without another word.
    fn whose(
        &mut self,
        given: &MetricFile,
        path: &str,
        objects: &Objects,
    ) -> Option<(Whose, Option<usize>)> {
        match (&given.pods, &given.object) {
            (None, None) => Some((Whose::Nobodys, None)),
            (Some(pods), None) => {
                let bearer = self.bearer(pods, &format!("{path}.pods"), objects)?;
                Some((Whose::Pods(bearer), Some(bearer)))
            }
            (None, Some(object)) => self.object_of(
                object,
                given.namespace.as_deref(),
                &format!("{path}.object"),
                objects,
            ),
            (Some(_), Some(_)) => {
                self.error(path, "is a metric of `pods` or of an `object`, not of both", None);
                None
            }
        }
    }

    fn object_of(
        &mut self,
        given: &str,
        namespace: Option<&str>,
        path: &str,
        objects: &Objects,
    ) -> Option<(Whose, Option<usize>)> {
        let Some((word, name)) = given.split_once('/') else {
            let hint = "write KIND/NAME, like service/web".to_string();
            self.error(path, format!("`{given}` names no object"), Some(hint));
            return None;
        };
        let kind = kind_of(word).unwrap_or(word);
        let called = namespace.map_or(name.to_string(), |space| format!("{space}/{name}"));
        let is_meant = |space: &str, own: &str| is_named(&called, space, own);
        let mut backing = None;
        match kind {
            "Service" => {
                let all = objects.destinations();
                let found = all.clone().find(|s| is_meant(&s.namespace, &s.name));
                let Some(service) = found else {
                    let known: Vec<String> = all.map(|s| s.name.to_string()).collect();
                    self.unknown(path, "Service", name, &known);
                    return None;
                };
                backing = objects.bearers().position(|bearer| bearer.is_behind(service));
            }
            "Ingress" => {
                let found = objects.ingresses().any(|i| is_meant(&i.namespace, &i.name));
                if !found {
                    let known: Vec<String> =
                        objects.ingresses().map(|i| i.name.to_string()).collect();
                    self.unknown(path, "Ingress", name, &known);
                    return None;
                }
            }
            _ => {}
        }
        let namespace = namespace.map(Text::from);
        let whose = Whose::Object { kind: kind.into(), namespace, name: name.into() };
        Some((whose, backing))
    }

    /// Metrics that autoscalers ask for and nobody provides: as in a real cluster no error, but the
    /// autoscaler can't follow them.
    pub(super) fn unprovided(
        &self,
        askers: &Askers,
        objects: &Objects,
        metrics: &[CustomMetric],
    ) -> Vec<Ignored> {
        let mut found = Vec::new();
        for (hpa, target) in &objects.hpas {
            let is_asker =
                |asker: &&(Text, Text, Place)| asker.0 == hpa.namespace && asker.1 == hpa.name;
            let Some((.., place)) = askers.iter().find(is_asker) else { continue };
            for (index, metric) in hpa.metrics.iter().enumerate() {
                let source = &metric.source;
                let Some(id) = source.metric() else { continue };
                let is_usual =
                    matches!(source, MetricSource::Pods(_)) && *id.name == *REQUESTS_PER_SECOND;
                let provided = |m: &CustomMetric| m.answers(&hpa.namespace, Some(*target), source);
                if is_usual || metrics.iter().any(provided) {
                    continue;
                }
                let kind = source.kind();
                let field = kind.to_ascii_lowercase();
                let path = format!("spec.metrics[{index}].{field}.metric.name");
                let span = &place.document.nearest(&path).span;
                let (line, _) = self.sources.out.line_column(&place.file, span.start);
                let reason = format!(
                    "nobody provides the {kind} metric `{}`{} (`metrics:` of the scenario does): \
                     the autoscaler will say FailedGet{kind}Metric",
                    id.name,
                    id.selector.as_ref().map_or(String::new(), |s| format!(" with labels {s}")),
                );
                let object = format!("HorizontalPodAutoscaler {}/{}", hpa.namespace, hpa.name);
                let (file, fields) = (place.file.clone(), vec![path]);
                found.push(Ignored { file, line, object, fields, reason });
            }
        }
        found
    }
}

/// A curve whose traces hold levels: as a rate their numbers were divided by the slot.
fn levels(curve: Curve) -> Curve {
    match curve {
        Curve::Trace { start, slot, values } => {
            let seconds = slot.as_secs_f64();
            let values = values.iter().map(|value| value * seconds).collect();
            Curve::Trace { start, slot, values }
        }
        Curve::Sum(curves) => Curve::Sum(curves.into_iter().map(levels).collect()),
        Curve::Product(curves) => Curve::Product(curves.into_iter().map(levels).collect()),
        other => other,
    }
}

/// A value in thousandths, rounded.
pub fn milli(value: f64) -> i64 {
    (value * 1000.0).round() as i64
}

impl MetricValue {
    /// The value of a curve at an instant, in thousandths; `None`: it is a measure.
    pub fn of_curve(&self, at: SimTime) -> Option<i64> {
        match self {
            MetricValue::Curve(curve) => Some(milli(curve.at(at))),
            MetricValue::Levels(levels) => {
                let after = levels.partition_point(|(from, _)| *from <= at);
                Some(after.checked_sub(1).map_or(0, |index| levels[index].1))
            }
            MetricValue::Measure(..) => None,
        }
    }

    /// The first instant after `at` at which the value of a curve is to be looked at again.
    pub fn next_look(&self, at: SimTime, resolution: SimDuration) -> SimTime {
        match self {
            MetricValue::Curve(curve) => curve.next_look(at, resolution),
            MetricValue::Levels(levels) => {
                let after = levels.partition_point(|(from, _)| *from <= at);
                levels.get(after).map_or(SimTime::NEVER, |(from, _)| *from)
            }
            MetricValue::Measure(..) => at,
        }
    }
}
