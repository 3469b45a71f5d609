//! A plan in sentences: the question, the answer, how sure it is.
//!
//! Terminal and page tell it with the same words.

use super::super::figures;
use super::{Objective, Part, PlanResults};
use crate::experiment::Find;
use crate::experiment::breaks::Breaks;
use crate::experiment::plan::{Answer, Spread, Tried};
use crate::record::summary::ExpectationResult;
use crate::record::wording::{count, money, percent};

/// What was asked.
pub(super) fn question(results: &PlanResults<'_>) -> String {
    let question = results.question;
    let axis = &question.axis;
    let texts: Vec<&str> = results.objectives.iter().map(|o| o.text.as_str()).collect();
    format!(
        "What is the {} {} of {} ({}) with {}?",
        question.find.word(),
        axis.path,
        axis.range,
        axis.steps(),
        texts.join(" and "),
    )
}

/// Whether the parts are answers of their own, to be told side by side.
pub(super) fn is_table(results: &PlanResults<'_>) -> bool {
    results.asks_what_breaks || results.parts.len() > 1
}

/// Head and rows of the table of parts.
pub(super) fn overview(results: &PlanResults<'_>) -> (Vec<String>, Vec<Vec<String>>) {
    let path = &results.question.axis.path;
    let word = results.question.find.word();
    let names = |given: &[String]| if given.is_empty() { "-".to_owned() } else { given.join(" ") };
    let value = |part: &Part| part.answer.value.clone().unwrap_or_else(|| "none".to_owned());
    let met = |at: &Tried| format!("{} of {}", at.met, at.seeds);
    if !results.asks_what_breaks {
        let head = ["given", &format!("{word} {path}"), "met", "cost"].map(str::to_owned).to_vec();
        let row = |part: &Part| {
            let at = &part.answer.at;
            vec![names(&part.given), value(part), met(at), cost(&at.cost, results.currency)]
        };
        return (head, results.parts.iter().map(row).collect());
    }
    let head = ["lifted", &format!("carries {path}"), "met", "fails at", "what breaks"];
    let row = |(index, part): (usize, &Part)| {
        let before = index.checked_sub(1).and_then(|before| results.parts.get(before));
        let new = &part.given[before.map_or(0, |before| before.given.len())..];
        let (at, what) = match &part.breaks {
            None => ("-".to_owned(), "nothing in the range".to_owned()),
            Some(breaks) if breaks.limits.is_empty() => {
                (breaks.at.clone(), "none of the limits".to_owned())
            }
            Some(breaks) => (breaks.at.clone(), paths(&breaks.limits).join(" and ")),
        };
        vec![names(new), value(part), met(&part.answer.at), at, what]
    };
    (head.map(str::to_owned).to_vec(), results.parts.iter().enumerate().map(row).collect())
}

/// What overrides change, without what they change it to.
fn paths(sets: &[String]) -> Vec<&str> {
    sets.iter().map(|set| set.split_once('=').map_or(set.as_str(), |(path, _)| path)).collect()
}

/// What breaks, in sentences.
pub(super) fn breaking(results: &PlanResults<'_>) -> Vec<String> {
    let path = &results.question.axis.path;
    let mut lines = Vec::new();
    for (index, part) in results.parts.iter().enumerate().filter(|_| results.asks_what_breaks) {
        let first = if index == 0 { "First" } else { "Next" };
        lines.push(match &part.breaks {
            None if part.answer.value.is_some() && part.answer.next.is_none() => {
                let value = part.answer.value.as_deref().unwrap_or_default();
                format!("Then the end of the range is carried: {path} = {value}.")
            }
            None => "Further it was not followed.".to_owned(),
            Some(Breaks { at, limits, .. }) if limits.is_empty() => format!(
                "{first}, at {at}, something breaks that none of the limits asked about holds: \
                 lifting all of them together does not help."
            ),
            Some(Breaks { at, limits, .. }) if limits.len() == 1 => {
                format!(
                    "{first}, at {at}, {} breaks: with {}, it passes.",
                    paths(limits)[0],
                    limits[0]
                )
            }
            Some(Breaks { at, limits, .. }) => format!(
                "{first}, at {at}, {} break together: none of the limits alone is enough.",
                paths(limits).join(" and ")
            ),
        });
    }
    lines
}

/// Which runs it took.
pub(super) fn effort(results: &PlanResults<'_>) -> String {
    let question = results.question;
    let showed = |part: &Part| part.breaks.as_ref().map_or(0, |breaks| breaks.runs.len());
    let of = |part: &Part| part.answer.runs.len() + showed(part);
    let runs: usize = results.parts.iter().map(of).sum();
    let seeds = count(question.seeds.len() as u64, "seed");
    format!("{}, {seeds}, {}", results.scenario, count(runs as u64, "run"))
}

/// The answer and how sure it is: a sentence a line.
pub(super) fn answer(results: &PlanResults<'_>, part: &Part) -> Vec<String> {
    let question = results.question;
    let (answer, path) = (&part.answer, &question.axis.path);
    let confidence = percent(question.confidence);
    let Tried { met, seeds, chance, value, .. } = &answer.at;
    let chance = format!("{} to {}", percent(chance.low), percent(chance.high));
    let chance = format!("{confidence} interval of the chance: {chance}");
    let mut lines = Vec::new();
    match &answer.value {
        Some(value) => {
            lines.push(format!(
                "{path} = {value}: {met} of {seeds} seeds meet the objective ({chance})."
            ));
            lines.push(neighbour(answer, question.find));
        }
        None => {
            let needed = question.needed();
            lines.push(format!(
                "No value of the range is enough: with {path} = {value} {met} of {seeds} seeds \
                 meet the objective ({chance}), and {needed} should."
            ));
            lines.extend(other_end(answer, question.find, needed));
        }
    }
    // At the end of a range nothing is known of what lies beyond it.
    if answer.value.is_some() && answer.next.is_some() {
        lines.push(interval(results, answer));
    }
    lines.extend(single_seeds(answer));
    if !answer.monotone {
        lines.push(not_monotone(answer));
    }
    lines
}

fn neighbour(answer: &Answer, find: Find) -> String {
    let end = match find {
        Find::Smallest => "smaller",
        Find::Largest => "larger",
    };
    match &answer.next {
        Some(Tried { value, met, seeds, .. }) => {
            format!("At {value}, the next {end} value asked, {met} of {seeds} do.")
        }
        None => format!("It is the end of the range: a {end} value may do as well."),
    }
}

/// Whether the range is easier at the other end.
fn other_end(answer: &Answer, find: Find, needed: usize) -> Option<String> {
    let first = answer.tried.first().filter(|first| first.met >= needed)?;
    let other = match find {
        Find::Smallest => Find::Largest,
        Find::Largest => Find::Smallest,
    };
    let (value, met) = (&first.value, first.met);
    Some(format!(
        "But at {value}, the other end, {met} do: ask for the {0} with --find {0}.",
        other.word()
    ))
}

fn interval(results: &PlanResults<'_>, answer: &Answer) -> String {
    let question = results.question;
    let confidence = percent(question.confidence);
    let of = format!("For {} of all seeds", percent(question.meet));
    let more =
        crate::experiment::interval::values_for_both_ends(question.meet, question.confidence)
            .filter(|more| *more > question.seeds.len())
            .map_or(String::new(), |more| format!(" ({more} would tell)"));
    let few = format!("with {}", count(question.seeds.len() as u64, "seed"));
    let (low, high) = match question.find {
        Find::Smallest => (&answer.interval.hard, &answer.interval.easy),
        Find::Largest => (&answer.interval.easy, &answer.interval.hard),
    };
    match (low, high) {
        (Some(low), Some(high)) => {
            format!("{of} it lies from {low} to {high} ({confidence} interval).")
        }
        (Some(low), None) => format!(
            "{of} it lies at {low} or above ({confidence} interval); no upper end is known \
             {few}{more}."
        ),
        (None, Some(high)) => format!(
            "{of} it lies at {high} or below ({confidence} interval); no lower end is known \
             {few}{more}."
        ),
        (None, None) => format!("{of} no interval of it is known {few}{more}."),
    }
}

/// What seeds have by themselves.
fn single_seeds(answer: &Answer) -> Option<String> {
    let mut found: Vec<_> = answer.thresholds.iter().filter(|t| t.index.is_some()).collect();
    found.sort_by_key(|threshold| threshold.index);
    let value = |at: usize| found.get(at).and_then(|threshold| threshold.value.as_deref());
    let (first, middle) = (value(0)?, value(found.len() / 2)?);
    let last = value(found.len() - 1)?;
    let none = match answer.thresholds.len() - found.len() {
        0 => String::new(),
        none => format!("; for {} there is none", count(none as u64, "seed")),
    };
    Some(match first == last {
        true => format!("Seed by seed it is {first}{none}."),
        false => format!("Seed by seed it is {first} to {last}, in the middle {middle}{none}."),
    })
}

fn not_monotone(answer: &Answer) -> String {
    let seeds: Vec<String> = answer.not_monotone_seeds.iter().map(u64::to_string).collect();
    let all = answer.tried.len();
    format!(
        "More is not always better: seed{} {} met the objective at a value and missed it at an \
         easier one. The answer holds for the {all} values asked of every seed, not for all between.",
        if seeds.len() == 1 { "" } else { "s" },
        seeds.join(", "),
    )
}

/// Head of the table of values.
pub(super) fn columns(results: &PlanResults<'_>) -> Vec<String> {
    let mut head = vec![results.question.axis.path.clone(), "met".to_owned()];
    head.extend(results.objectives.iter().map(|objective| objective.metric.clone()));
    head.push("cost".to_owned());
    head
}

/// A value that every seed was asked at, as a row of it.
pub(super) fn row(results: &PlanResults<'_>, tried: &Tried) -> Vec<String> {
    let mut row = vec![tried.value.clone(), format!("{} of {}", tried.met, tried.seeds)];
    let pairs = results.objectives.iter().zip(&tried.measured);
    row.extend(pairs.map(|(objective, spread)| measured(objective, spread)));
    row.push(cost(&tried.cost, results.currency));
    row
}

/// What an objective measured over the seeds: mean, least and most.
fn measured(objective: &Objective, spread: &Spread) -> String {
    let told = |value: Option<f64>| {
        let result = ExpectationResult {
            text: String::new(),
            metric: objective.metric.clone(),
            measured: value,
            held: true,
        };
        figures::measured(&result)
    };
    match spread.mean {
        None => "nothing to measure".to_owned(),
        mean if spread.least == spread.most => told(mean),
        mean => format!("{} ({} to {})", told(mean), told(spread.least), told(spread.most)),
    }
}

/// What the machines cost over the seeds: the mean.
fn cost(spread: &Spread, currency: &str) -> String {
    spread.mean.map_or(String::new(), |mean| money(mean, currency))
}
