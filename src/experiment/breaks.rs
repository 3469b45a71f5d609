//! What breaks first as a load grows, and what next when that is lifted.
//!
//! Not what stood at its bound, but what would have helped: at the first load that is not carried
//! each limit is lifted by itself, in the same random worlds; the one that lets the load pass is
//! what broke. If only several together do, a smallest set of them is found by putting back one
//! after the other. It knows overrides and verdicts, not what they mean.

use super::plan::{Answer, PlanRun, Question, Tried};
use super::runs::{Outcome, Stop, Trial};
use rayon::prelude::*;
use serde::Serialize;

/// A limit as the override that lifts it.
pub type Lift = String;

/// How far the load goes with some limits lifted, and what stops it there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Limits that are lifted, in the order in which they broke.
    pub lifted: Vec<Lift>,
    /// The largest load that is carried.
    pub answer: Answer,
    /// What stops it there; `null`: the end of the range is carried.
    pub breaks: Option<Breaks>,
}

/// What stops a load.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Breaks {
    /// The load that is not carried.
    pub at: String,
    /// Lifting these lets it pass: one, or the fewest found that do so only together. Empty: not
    /// even all limits lifted do.
    pub limits: Vec<Lift>,
    /// Each limit that was lifted alone and does not suffice.
    pub no_help_alone: Vec<Lift>,
    /// The runs that showed it.
    #[serde(skip)]
    pub runs: Vec<PlanRun>,
}

/// Seeds that are asked at a time: whether a lift helps is often clear after a few.
const AT_A_TIME: usize = 4;

/// Follows the load up the range of `question`, lifting what breaks, until its end is carried,
/// nothing of `limits` helps, or `most` steps were made.
///
/// # Errors
/// A run could not be made.
pub fn breaks(
    question: &Question,
    limits: &[Lift],
    most: usize,
    trial: &impl Trial,
) -> Result<Vec<Step>, Stop> {
    let mut steps: Vec<Step> = Vec::new();
    let mut lifted: Vec<Lift> = Vec::new();
    for left in (0..most.max(1)).rev() {
        let set = question.set.iter().chain(&lifted).cloned().collect();
        let asking = Question { set, ..question.clone() };
        let answer = asking.answer(trial)?;
        let is_end = answer.value.is_some() && answer.next.is_none();
        if is_end || left == 0 {
            steps.push(Step { lifted, answer, breaks: None });
            break;
        }
        let at = answer.next.as_ref().unwrap_or(&answer.at);
        let remaining = limits.iter().filter(|limit| !lifted.contains(limit)).cloned().collect();
        let found = Lifting::new(&asking, at, trial).breaks(remaining)?;
        let further = found.limits.clone();
        steps.push(Step { lifted: lifted.clone(), answer, breaks: Some(found) });
        if further.is_empty() {
            break;
        }
        lifted.extend(further);
    }
    Ok(steps)
}

/// Lifting limits at one load.
struct Lifting<'a, T> {
    question: &'a Question,
    index: usize,
    at: String,
    trial: &'a T,
    runs: Vec<PlanRun>,
}

impl<'a, T: Trial> Lifting<'a, T> {
    fn new(question: &'a Question, at: &Tried, trial: &'a T) -> Lifting<'a, T> {
        Lifting { question, index: at.index, at: at.value.clone(), trial, runs: Vec::new() }
    }

    fn breaks(mut self, limits: Vec<Lift>) -> Result<Breaks, Stop> {
        let mut no_help_alone = Vec::new();
        let mut found = Vec::new();
        if limits.len() > 1 && !self.is_carried_with(&limits)? {
            return Ok(self.told(found, no_help_alone));
        }
        for limit in &limits {
            if self.is_carried_with(std::slice::from_ref(limit))? {
                found.push(limit.clone());
                break;
            }
            no_help_alone.push(limit.clone());
        }
        if found.is_empty() && limits.len() > 1 {
            found = self.fewest(limits)?;
        }
        Ok(self.told(found, no_help_alone))
    }

    /// Puts back one limit after the other, as long as the load is carried without it.
    fn fewest(&mut self, limits: Vec<Lift>) -> Result<Vec<Lift>, Stop> {
        let mut needed = limits.clone();
        for limit in &limits {
            let without: Vec<Lift> = needed.iter().filter(|l| *l != limit).cloned().collect();
            if without.len() > 1 && self.is_carried_with(&without)? {
                needed = without;
            }
        }
        Ok(needed)
    }

    /// Whether enough seeds meet the objective with these limits lifted.
    fn is_carried_with(&mut self, lifted: &[Lift]) -> Result<bool, Stop> {
        let seeds = &self.question.seeds;
        let needed = self.question.needed();
        let (mut met, mut missed) = (0, 0);
        for some in seeds.chunks(AT_A_TIME) {
            self.trial.expect(some.len());
            let ask = |&seed: &u64| self.run(lifted, seed);
            let runs: Vec<Result<PlanRun, Stop>> = some.par_iter().map(ask).collect();
            for run in runs {
                let run = run?;
                let Outcome { held, .. } = run.outcome;
                (met, missed) = (met + usize::from(held), missed + usize::from(!held));
                self.runs.push(run);
            }
            if met >= needed || missed > seeds.len() - needed {
                break;
            }
        }
        Ok(met >= needed)
    }

    fn run(&self, lifted: &[Lift], seed: u64) -> Result<PlanRun, Stop> {
        let mut asked = self.question.asked_at(self.index, seed);
        // What is varied stays last, so that the same run has the same name.
        let varied = asked.set.pop();
        asked.set.extend(lifted.iter().cloned());
        asked.set.extend(varied);
        let outcome = self.trial.run(&asked)?;
        Ok(PlanRun { index: self.index, asked, outcome })
    }

    fn told(mut self, limits: Vec<Lift>, no_help_alone: Vec<Lift>) -> Breaks {
        self.runs.sort_by(|a, b| a.asked.cmp(&b.asked));
        self.runs.dedup_by(|a, b| a.asked == b.asked);
        Breaks { at: self.at, limits, no_help_alone, runs: self.runs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::runs::Asked;
    use crate::experiment::{Axis, Find};

    /// A load is carried if it is below each bound that is not lifted; each seed a little apart.
    struct Bounds(&'static [(&'static str, i64)]);

    impl Trial for Bounds {
        fn run(&self, asked: &Asked) -> Result<Outcome, Stop> {
            let load: i64 = asked.set.last().unwrap().split_once('=').unwrap().1.parse().unwrap();
            let is_lifted = |name: &str| asked.set.iter().any(|set| set.starts_with(name));
            let bound = |(name, bound): &(&str, i64)| is_lifted(name) || load <= *bound;
            let held = self.0.iter().all(bound) && load as u64 + asked.seed % 2 <= 99;
            let hash = String::new();
            Ok(Outcome { held, measured: vec![], cost: 0.0, event_log_hash: hash })
        }
    }

    fn question() -> Question {
        let axis = Axis::parse("traffic.web.scale=1..90").unwrap();
        let (seeds, set) = ((1..=5).collect(), Vec::new());
        let (find, meet, confidence) = (Find::Largest, 0.9, 0.95);
        Question { set, axis, find, seeds, meet, confidence, scan: 9 }
    }

    fn told(bounds: &'static [(&'static str, i64)], limits: &[&str]) -> Vec<(String, String)> {
        let limits: Vec<Lift> = limits.iter().map(|limit| limit.to_string()).collect();
        let steps = breaks(&question(), &limits, 9, &Bounds(bounds)).unwrap();
        let told = |step: Step| {
            let value = step.answer.value.unwrap_or("none".to_owned());
            (value, step.breaks.map_or("end".to_owned(), |b| b.limits.join("+")))
        };
        steps.into_iter().map(told).collect()
    }

    fn rows(rows: &[(&str, &str)]) -> Vec<(String, String)> {
        rows.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect()
    }

    #[test]
    fn what_breaks_is_found_by_lifting_it() {
        assert_eq!(
            told(&[("b", 20), ("a", 50), ("c", 95)], &["a=9", "b=9", "c=9"]),
            rows(&[("20", "b=9"), ("50", "a=9"), ("90", "end")]),
            "one after the other, in the order of the loads"
        );
        assert_eq!(
            told(&[("a", 20), ("b", 20)], &["c=9", "a=9", "d=9", "b=9"]),
            rows(&[("20", "a=9+b=9"), ("90", "end")]),
            "two that break together"
        );
        assert_eq!(
            told(&[("x", 30), ("a", 10)], &["a=9", "b=9"]),
            rows(&[("10", "a=9"), ("30", "")]),
            "what can't be lifted ends it"
        );
        assert_eq!(told(&[("x", 0)], &["a=9"]), rows(&[("none", "")]), "nothing is carried");
        assert_eq!(told(&[], &["a=9"]), rows(&[("90", "end")]), "nothing breaks");
    }
}
