//! The plot of an answer: from a plan's numbers to what is drawn.

use super::super::plot::plan::{PlanPlot, Share};
use super::super::plot::unit_of;
use super::{Part, PlanResults};
use crate::experiment::Find;
use crate::experiment::interval::of_share;
use crate::record::metric;

/// What is drawn of a part.
pub(super) fn plot(results: &PlanResults<'_>, part: &Part) -> PlanPlot {
    let question = results.question;
    let (axis, answer) = (&question.axis, &part.answer);
    let suffix = axis.suffix();
    let path = match suffix {
        "" => axis.path.clone(),
        suffix => format!("{}, {suffix}", axis.path),
    };
    let objective = results.objectives.first();
    let known = objective.and_then(|objective| metric::find(&objective.metric));
    let runs = answer.runs.iter().filter_map(|run| {
        let measured = run.outcome.measured.first().copied().flatten()?;
        Some((axis.number(run.index), measured, run.outcome.held))
    });
    let number_of = |value: &Option<String>| {
        let run = answer.runs.iter().find(|run| Some(axis.value(run.index)) == *value);
        run.map(|run| axis.number(run.index))
    };
    let ends = [&answer.interval.hard, &answer.interval.easy].map(number_of);
    let (low, high) = match question.find {
        Find::Smallest => (ends[0], ends[1]),
        Find::Largest => (ends[1], ends[0]),
    };
    let open = |end: Option<f64>, value: f64| end.unwrap_or(value);
    PlanPlot {
        path,
        shares: shares(results, part),
        holds_upwards: question.find == Find::Smallest,
        meet: question.meet,
        answer: number_of(&answer.value),
        interval: (low.is_some() || high.is_some())
            .then(|| (open(low, f64::NEG_INFINITY), open(high, f64::INFINITY))),
        measure: known.map_or("", |metric| metric.name),
        unit: unit_of(known.map(|metric| metric.unit)),
        runs: runs.collect(),
        bounds: objective
            .map(|o| o.at_least.into_iter().chain(o.at_most).collect())
            .unwrap_or_default(),
    }
}

/// Seeds whose threshold a value meets, at every value where that changes.
fn shares(results: &PlanResults<'_>, part: &Part) -> Vec<Share> {
    let question = results.question;
    let answer = &part.answer;
    let indexes = answer.runs.iter().map(|run| run.index);
    let mut indexes: Vec<usize> = indexes.collect();
    indexes.dedup();
    let seeds = answer.thresholds.len();
    let share = |&index: &usize| {
        let met = answer.thresholds.iter().filter_map(|threshold| threshold.index);
        let met = met.filter(|threshold| match question.find {
            Find::Smallest => *threshold <= index,
            Find::Largest => *threshold >= index,
        });
        let met = met.count();
        let chance = of_share(met, seeds, question.confidence);
        let value = question.axis.number(index);
        Share { value, share: met as f64 / seeds as f64, low: chance.low, high: chance.high }
    };
    indexes.iter().map(share).collect()
}
