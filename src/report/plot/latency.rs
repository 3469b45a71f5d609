//! Latency quantiles with the objective, and the share of failed requests with its budget.

use super::Data;
use super::axis::Unit;
use super::palette::{COMING, FAILED, INK, LIMIT, READY};
use super::panel::{Layer, Panel, Points, Scale, highest, stack};
use crate::record::rows::Quantiles;

pub(super) fn panels(data: &Data<'_>) -> Vec<Panel> {
    vec![latency(data), errors(data)]
}

fn latency(data: &Data<'_>) -> Panel {
    let quantile = |p: fn(&Quantiles) -> f64| -> Points {
        data.over_intervals(|r| r.latency.as_ref().map_or(f64::NAN, p))
    };
    let (p50, p95, p99) = (quantile(|l| l.p50), quantile(|l| l.p95), quantile(|l| l.p99));
    let objective = data.results.summary.objective.latency_s;
    let lowest = p50.iter().map(|(_, v)| *v).filter(|v| *v > 0.0).fold(objective, f64::min);
    let most = highest(&p99).max(objective);
    let level = vec![(0.0, objective), (data.end_s, objective)];
    Panel {
        caption: "latency",
        scale: Scale::Log(lowest, most, Unit::Seconds),
        weight: 3,
        layers: vec![
            Layer::dashed("objective of p95", LIMIT, level),
            Layer::line("p50", COMING, p50),
            Layer::line("p95", READY, p95),
            Layer::line("p99", INK, p99),
        ],
    }
}

fn errors(data: &Data<'_>) -> Panel {
    let share = data
        .over_intervals(|r| if r.offered > 0.0 { (r.failed / r.offered).min(1.0) } else { 0.0 });
    let budget = data.results.summary.objective.error_budget;
    let most = highest(&share).max(budget);
    let mut layers = stack(vec![("failed", FAILED, share)]);
    let level = vec![(0.0, budget), (data.end_s, budget)];
    layers.push(Layer::dashed("error budget", LIMIT, level));
    Panel { caption: "requests failed", scale: Scale::Linear(most, Unit::Share), weight: 2, layers }
}
