//! Metrics that look ahead: what an adapter's query makes of a metric's past.
//!
//! Predictive scaling as clusters have it: the autoscaler stays the one that is there, and its
//! metric is a forecast, PromQL's `predict_linear` or the value of a day ago. It knows the two
//! queries and what is wrong with their numbers; `world/forecast.rs` keeps the past and does the
//! arithmetic.

use super::custom_metrics::MetricFile;
use super::resolve::Resolver;
use super::value::Span;
use crate::units::SimDuration;
use schemars::JsonSchema;
use serde::Deserialize;

/// How far back Prometheus looks for the newest sample (`--query.lookback-delta`, default 5m).
pub const LOOKBACK_DELTA: SimDuration = SimDuration::from_secs(300);

/// Prometheus' default `global.scrape_interval`.
const SCRAPE_INTERVAL: SimDuration = SimDuration::from_secs(60);

/// More samples than this are nobody's wish.
const MOST_SAMPLES: u64 = 100_000;

/// A straight line through the last samples, and its value some time ahead.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PredictLinearFile {
    /// The samples of so long decide, e.g. `30m`.
    pub over: Span,
    /// So far ahead, e.g. `10m`.
    pub ahead: Span,
}

/// A query over a metric's past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query {
    /// `predict_linear(metric[over], ahead)`: least squares.
    PredictLinear {
        /// The samples of so long.
        over: SimDuration,
        /// So far ahead.
        ahead: SimDuration,
    },
    /// `metric offset D`: the value that it had then.
    Offset(SimDuration),
}

/// What is asked of a metric in place of its value now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forecast {
    /// The query.
    pub query: Query,
    /// Time between two samples.
    pub scrape_interval: SimDuration,
}

impl Forecast {
    /// How much of the past the query needs.
    pub fn reach(&self) -> SimDuration {
        match self.query {
            Query::PredictLinear { over, .. } => over,
            Query::Offset(offset) => offset + LOOKBACK_DELTA,
        }
    }
}

impl Resolver<'_> {
    /// The forecast that a metric, at this path, is asked for; `None`: its value now.
    pub(super) fn forecast(&mut self, given: &MetricFile, path: &str) -> Option<Forecast> {
        let query = match (&given.predict_linear, given.offset) {
            (None, None) => {
                if given.scrape_interval.is_some() {
                    let hint = "leave it out, or add `predict-linear` or `offset`".to_string();
                    let message = "samples are taken only for `predict-linear` and `offset`";
                    self.error(&format!("{path}.scrape-interval"), message, Some(hint));
                }
                return None;
            }
            (Some(line), None) => Query::PredictLinear { over: line.over.0, ahead: line.ahead.0 },
            (None, Some(offset)) => Query::Offset(offset.0),
            (Some(_), Some(_)) => {
                let message = "is either a line (`predict-linear`) or a value of the past \
                               (`offset`), not both";
                self.error(path, message, None);
                return None;
            }
        };
        let scrape_interval = given.scrape_interval.map_or(SCRAPE_INTERVAL, |span| span.0);
        let forecast = Forecast { query, scrape_interval };
        self.is_sound(forecast, given, path).then_some(forecast)
    }

    /// Whether there can be samples enough, and not too many.
    fn is_sound(&mut self, forecast: Forecast, given: &MetricFile, path: &str) -> bool {
        let interval = forecast.scrape_interval;
        let mut faults: Vec<(String, String)> = Vec::new();
        let place = format!("{path}.scrape-interval");
        if interval == SimDuration::ZERO {
            faults.push((place, "must be longer than zero".into()));
        } else if interval > LOOKBACK_DELTA {
            let message =
                "must not be longer than 5m: Prometheus looks no further back for a value";
            faults.push((place, message.into()));
        } else if forecast.reach().0 / interval.0 > MOST_SAMPLES {
            let message = format!("needs more than {MOST_SAMPLES} samples of the past");
            faults.push((path.to_string(), message));
        }
        match forecast.query {
            Query::PredictLinear { over, .. } if over < interval * 2 => {
                let message = "must be twice the `scrape-interval` or more, for two samples";
                faults.push((format!("{path}.predict-linear.over"), message.into()));
            }
            Query::Offset(SimDuration::ZERO) => {
                faults.push((format!("{path}.offset"), "must be longer than zero".into()));
            }
            _ => {}
        }
        if given.pods.is_some() {
            let message =
                "a Pods metric has no forecast: pods come and go, and with them their past";
            let hint = "make it a metric of an `object`, or External, with `of: WORKLOAD`";
            self.error(&format!("{path}.pods"), message, Some(hint.into()));
            return false;
        }
        let is_sound = faults.is_empty();
        faults.into_iter().for_each(|(place, message)| self.error(&place, message, None));
        is_sound
    }
}
