//! The past of metrics that autoscalers ask for a forecast, and what a query makes of it.
//!
//! Prometheus scrapes a metric each interval; `predict_linear` and `offset` look at its samples.
//! The arithmetic is that of Prometheus 3 (`promql/functions.go`, `linearRegression`: least squares
//! with sums that are compensated after Neumaier). It knows numbers and instants, no autoscaler.

use super::event::Event;
use super::world::World;
use crate::scenario::custom_metrics::milli;
use crate::scenario::forecast::{Forecast, LOOKBACK_DELTA, Query};
use crate::units::{SimDuration, SimTime};
use std::collections::VecDeque;

/// Samples of one metric, a scrape interval apart, the newest last.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    newest: SimTime,
    values: VecDeque<f64>,
}

impl World<'_> {
    /// Samples of metrics are taken from the start on.
    pub(super) fn begin_scraping(&mut self) {
        for (index, metric) in self.scenario.metrics.iter().enumerate() {
            if metric.forecast.is_some() {
                self.plan(SimTime::ZERO, Event::Scrape(index as u32));
            }
        }
    }

    /// A sample of a metric is due.
    pub(super) fn on_scrape(&mut self, index: usize) {
        let metric = &self.scenario.metrics[index];
        let Some(forecast) = metric.forecast else { return };
        let value = self.metric_now(metric) as f64 / 1000.0;
        let most = samples(forecast);
        let past = &mut self.pasts[index];
        // A cluster that has settled has always been as it is at the start; of one that starts cold
        // nothing is known.
        let times = if past.values.is_empty() && !self.scenario.cold_start { most } else { 1 };
        (0..times).for_each(|_| past.add(self.now, value, most));
        self.plan(self.now + forecast.scrape_interval, Event::Scrape(index as u32));
    }

    /// What a query over the past of a metric says, in thousandths, never less than nothing;
    /// `None`: the past is too short.
    pub(super) fn forecast(&self, index: usize, forecast: Forecast) -> Option<i64> {
        let value = self.pasts.get(index)?.answer(forecast, self.now)?;
        Some(milli(value.max(0.0)))
    }
}

/// How many samples a query may look at.
fn samples(forecast: Forecast) -> usize {
    (forecast.reach().0 / forecast.scrape_interval.0) as usize + 2
}

impl Past {
    fn add(&mut self, at: SimTime, value: f64, most: usize) {
        self.newest = at;
        self.values.push_back(value);
        while self.values.len() > most {
            self.values.pop_front();
        }
    }

    /// Ages of the samples at an instant, in milliseconds as Prometheus counts time, with their
    /// values, the oldest first.
    fn at(&self, now: SimTime, interval: SimDuration) -> impl Iterator<Item = (u64, f64)> {
        let (young, count) = (now.since(self.newest), self.values.len() as u64);
        let aged = move |(index, value): (usize, &f64)| {
            let age = young + interval * (count - 1 - index as u64);
            (age.0 / 1_000_000, *value)
        };
        self.values.iter().enumerate().map(aged)
    }

    fn answer(&self, forecast: Forecast, now: SimTime) -> Option<f64> {
        let in_millis = |span: SimDuration| span.0 / 1_000_000;
        let samples = self.at(now, forecast.scrape_interval);
        match forecast.query {
            Query::PredictLinear { over, ahead } => {
                let recent = samples.filter(|(age, _)| *age < in_millis(over));
                let points: Vec<(f64, f64)> =
                    recent.map(|(age, value)| (-(age as f64) / 1e3, value)).collect();
                let (slope, intercept) = linear_regression(&points)?;
                Some(slope * (in_millis(ahead) as f64 / 1e3) + intercept)
            }
            Query::Offset(offset) => {
                let (from, to) = (in_millis(offset), in_millis(offset + LOOKBACK_DELTA));
                let found = samples.filter(|(age, _)| (from..to).contains(age)).last();
                found.map(|(_, value)| value)
            }
        }
    }
}

/// Slope and intercept of the line nearest to points (seconds, value); `None`: fewer than two.
fn linear_regression(points: &[(f64, f64)]) -> Option<(f64, f64)> {
    let [(_, first), rest @ ..] = points else { return None };
    if rest.is_empty() {
        return None;
    }
    if rest.iter().all(|(_, y)| y == first) {
        return Some((0.0, *first));
    }
    let n = points.len() as f64;
    let sum = |of: fn(f64, f64) -> f64| compensated(points.iter().map(|(x, y)| of(*x, *y)));
    let (x, y) = (sum(|x, _| x), sum(|_, y| y));
    let (xy, xx) = (sum(|x, y| x * y), sum(|x, _| x * x));
    let slope = (xy - x * y / n) / (xx - x * x / n);
    Some((slope, y / n - slope * x / n))
}

/// A sum with what rounding takes from it kept beside it (Neumaier 1974).
fn compensated(terms: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0f64, 0.0f64);
    for term in terms {
        let next = sum + term;
        lost += match sum.abs() >= term.abs() {
            true => (sum - next) + term,
            false => (term - next) + sum,
        };
        sum = next;
    }
    sum + lost
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use proptest::prelude::*;

    const MINUTE: SimDuration = SimDuration::from_secs(60);

    fn line(over: u64, ahead: u64) -> Forecast {
        let query = Query::PredictLinear {
            over: SimDuration::from_secs(over),
            ahead: SimDuration::from_secs(ahead),
        };
        Forecast { query, scrape_interval: MINUTE }
    }

    fn offset(seconds: u64) -> Forecast {
        let query = Query::Offset(SimDuration::from_secs(seconds));
        Forecast { query, scrape_interval: MINUTE }
    }

    /// Samples of the minutes 0, 1, 2 and so on.
    fn past(values: &[f64]) -> Past {
        let newest = SimTime::ZERO + MINUTE * (values.len() as u64 - 1);
        Past { newest, values: values.iter().copied().collect() }
    }

    /// What is asked of which samples, at which second, and the answer.
    type Row = (&'static str, &'static [f64], Forecast, u64, Option<f64>);

    #[test]
    fn queries_answer_as_prometheus_does() {
        const CLIMBING: [f64; 5] = [10.0, 20.0, 30.0, 40.0, 50.0];
        const BENT: [f64; 4] = [0.0, 0.0, 0.0, 60.0];
        let at = |seconds| SimTime::ZERO + SimDuration::from_secs(seconds);
        #[rustfmt::skip]
        let rows: [Row; 11] = [
            ("a straight climb goes on", &CLIMBING, line(300, 600), 240, Some(150.0)),
            ("the line is laid through the instant of the question", &CLIMBING, line(300, 0), 270, Some(55.0)),
            ("what never changed stays", &[7.0, 7.0, 7.0], line(180, 3600), 120, Some(7.0)),
            ("least squares: 18 a minute, 42 now", &BENT, line(240, 60), 180, Some(60.0)),
            ("samples at the left end of the range are out of it", &BENT, line(120, 60), 180, Some(120.0)),
            ("one sample makes no line", &BENT, line(60, 60), 180, None),
            ("a falling line falls below nothing", &[90.0, 30.0], line(120, 60), 60, Some(-30.0)),
            ("the value that it had then", &CLIMBING, offset(120), 240, Some(30.0)),
            ("the newest that is old enough", &CLIMBING, offset(90), 240, Some(30.0)),
            ("not yet that old", &CLIMBING, offset(300), 240, None),
            ("too old a sample is none", &[5.0], offset(60), 360, None),
        ];
        for (row, values, forecast, now, expected) in rows {
            let answer = past(values).answer(forecast, at(now));
            match (answer, expected) {
                (Some(answer), Some(value)) => {
                    assert!((answer - value).abs() < 1e-9, "{row}: {answer}")
                }
                (answer, expected) => assert_eq!(answer, expected, "{row}"),
            }
        }
    }

    #[test]
    fn only_what_a_query_may_look_at_is_kept() {
        let forecast = line(180, 60);
        let mut past = Past::default();
        for minute in 0..50u64 {
            past.add(SimTime::ZERO + MINUTE * minute, minute as f64, samples(forecast));
        }
        assert_eq!(past.values, [45.0, 46.0, 47.0, 48.0, 49.0]);
        assert_eq!(past.answer(forecast, past.newest), Some(50.0));
    }

    proptest! {
        /// The line of least squares leaves residuals that add up to nothing, and so do their
        /// products with time: the normal equations, which no other line fulfils.
        #[test]
        fn the_line_fulfils_the_normal_equations(values in prop::collection::vec(0.0f64..1e6, 2..200)) {
            let of = |(i, value): (usize, &f64)| (i as f64 * 60.0 - 12_000.0, *value);
            let points: Vec<(f64, f64)> = values.iter().enumerate().map(of).collect();
            let (slope, intercept) = linear_regression(&points).unwrap();
            let rest = |(x, y): &(f64, f64)| y - (slope * x + intercept);
            let sum: f64 = points.iter().map(rest).sum();
            let product: f64 = points.iter().map(|point| rest(point) * point.0).sum();
            prop_assert!(sum.abs() < 1e-3 && product.abs() < 10.0, "{} {}", sum, product);
        }
    }
}
