//! The value of one field that is just enough: for each seed, and for most of them.
//!
//! Each seed has its threshold, found by halving; all seeds see the same random numbers at every
//! value, so what differs between two values is what the field makes. The answer is the quantile
//! of the thresholds, and is then asked from every seed at it and around it: if more is not always
//! better, that shows, and the range is looked at value by value. It knows values, seeds and
//! verdicts, not what is simulated.

use super::axis::{Axis, spread};
use super::find::Find;
use super::interval::{Interval, of_quantile, of_share};
use super::runs::{Asked, Outcome, Stop, Trial};
use super::search::least;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// Changes that hold for all of it, beside those of all runs.
    pub set: Vec<String>,
    /// The field that is varied.
    pub axis: Axis,
    /// Which end of it is sought.
    pub find: Find,
    /// Roots of random numbers; in order.
    pub seeds: Vec<u64>,
    /// Share of the seeds that shall meet the objective.
    pub meet: f64,
    /// Confidence of intervals.
    pub confidence: f64,
    /// Values that are looked at one by one where more is not always better.
    pub scan: usize,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// The value that is just enough; `null`: no value of the range is.
    pub value: Option<String>,
    /// How the seeds went at it; without one, at the value that is easiest.
    pub at: Tried,
    /// How the seeds went at the next value, at which too few meet the objective; `null`: the
    /// answer is the end of the range.
    pub next: Option<Tried>,
    /// Interval of the answer, from the thresholds of the seeds; ends are values of the range.
    pub interval: ValueInterval,
    /// Each seed's own threshold; in the order of the seeds.
    pub thresholds: Vec<Threshold>,
    /// Whether each seed met the objective at every value asked beyond one that met it.
    pub monotone: bool,
    /// Seeds that met it at some value and missed it at an easier one.
    pub not_monotone_seeds: Vec<u64>,
    /// All values that every seed was asked at, from the hardest to the easiest.
    pub tried: Vec<Tried>,
    /// All runs that it took, by value, then by seed.
    #[serde(skip)]
    pub runs: Vec<PlanRun>,
}

/// A run that was needed for an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanRun {
    /// Index of its value in the range.
    pub index: usize,
    /// What was asked of it.
    pub asked: Asked,
    /// What came of it.
    pub outcome: Outcome,
}

/// How the seeds went at a value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tried {
    /// The value.
    pub value: String,
    /// Its place in the range.
    #[serde(skip)]
    pub index: usize,
    /// Seeds that met the objective.
    pub met: usize,
    /// Seeds in all.
    pub seeds: usize,
    /// Interval of the chance that a seed meets it.
    pub chance: Interval,
    /// What each expectation measured over the seeds; in the scenario's order.
    pub measured: Vec<Spread>,
    /// What the machines cost.
    pub cost: Spread,
}

/// A measure over the seeds; `null`: none had anything to measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// Smallest.
    pub least: Option<f64>,
    /// Mean.
    pub mean: Option<f64>,
    /// Largest.
    pub most: Option<f64>,
}

/// What a seed needs by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Threshold {
    /// The seed.
    pub seed: u64,
    /// The value that is just enough for it; `null`: none is.
    pub value: Option<String>,
    /// Its place in the range.
    #[serde(skip)]
    pub index: Option<usize>,
}

/// An interval of the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ValueInterval {
    /// The end where the objective is harder to meet; `null`: not known with so few seeds.
    pub hard: Option<String>,
    /// The end where it is easier to meet; `null`: not known with so few seeds, or beyond the
    /// range.
    pub easy: Option<String>,
}

impl Spread {
    /// Of these values, as far as there are any.
    pub fn of(values: impl Iterator<Item = Option<f64>>) -> Spread {
        let values: Vec<f64> = values.flatten().collect();
        let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
        Spread {
            least: values.iter().copied().min_by(f64::total_cmp),
            mean: Some(mean).filter(|_| !values.is_empty()),
            most: values.iter().copied().max_by(f64::total_cmp),
        }
    }
}

/// Seeds that search the whole range before the others search around what they found.
const PILOTS: usize = 2;

impl Question {
    fn count(&self) -> usize {
        self.axis.count()
    }

    /// The run of `seed` at a level: 0 is the value at which the objective is hardest to meet.
    fn asked(&self, level: usize, seed: u64) -> Asked {
        self.asked_at(self.find.index(level, self.count()), seed)
    }

    /// The run of `seed` at a place in the range.
    pub(super) fn asked_at(&self, index: usize, seed: u64) -> Asked {
        let value = self.axis.set(index);
        let set = self.set.iter().cloned().chain([value]).collect();
        Asked { set, seed }
    }

    /// The value at a level.
    fn value(&self, level: usize) -> Option<String> {
        let known = level < self.count();
        known.then(|| self.axis.value(self.find.index(level, self.count())))
    }

    /// How many seeds have to meet the objective.
    pub fn needed(&self) -> usize {
        // A share like 95% of 20 is a whole number, whatever its last binary digit.
        let needed = libm::ceil(self.meet * self.seeds.len() as f64 - 1e-9) as usize;
        needed.clamp(1, self.seeds.len())
    }

    /// Finds the answer.
    ///
    /// # Errors
    /// A run could not be made.
    pub fn answer(&self, trial: &impl Trial) -> Result<Answer, Stop> {
        let sheet = Sheet { question: self, trial, seen: Mutex::default() };
        let answer = self.found(&sheet)?;
        Ok(Answer { runs: sheet.runs(), ..answer })
    }

    fn found(&self, trial: &Sheet<'_, impl Trial>) -> Result<Answer, Stop> {
        let mut thresholds = self.thresholds(trial)?;
        let mut levels = self.around(quantile(&thresholds, self.needed()));
        let mut tried = self.try_all(trial, &levels)?;
        let mut not_monotone = self.contradictions(&thresholds, &levels, &tried);
        if !not_monotone.is_empty() {
            levels.extend(spread(self.count(), self.scan));
            levels.sort_unstable();
            levels.dedup();
            tried = self.try_all(trial, &levels)?;
            not_monotone.extend(turns_back(&tried));
            thresholds = from_scan(&tried, &levels, self.count());
        }
        not_monotone.sort_unstable();
        not_monotone.dedup();
        Ok(self.told(&thresholds, &levels, &tried, not_monotone))
    }

    /// The least level that is enough for each seed.
    fn thresholds(&self, trial: &Sheet<'_, impl Trial>) -> Result<Vec<usize>, Stop> {
        let search = |seed: u64, guess: Option<(usize, usize)>| {
            least(self.count(), guess, |level| Ok(trial.run(level, seed)?.held))
        };
        let pilots = if self.seeds.len() > PILOTS { PILOTS } else { self.seeds.len() };
        let (first, others) = self.seeds.split_at(pilots);
        let halvings = usize::BITS - self.count().leading_zeros();
        trial.trial.expect(first.len() * (halvings as usize + 1));
        let mut found: Vec<usize> = in_order(first, |&seed| search(seed, None))?;
        if others.is_empty() {
            return Ok(found);
        }
        let (low, high) = (found[0].min(found[1]), found[0].max(found[1]));
        let guess = (low + (high - low) / 2, (high - low).div_ceil(2).max(1));
        trial.trial.expect(others.len() * 4);
        found.extend(in_order(others, |&seed| search(seed, Some(guess)))?);
        Ok(found)
    }

    /// Levels at which all seeds are asked: the answer, its neighbour, and half-way to the easiest.
    fn around(&self, level: usize) -> Vec<usize> {
        let last = self.count() - 1;
        let at = level.min(last);
        let mut levels = vec![at.saturating_sub(1), at, at + (last - at).div_ceil(2)];
        if level > last {
            // Perhaps the other end is the easy one.
            levels.insert(0, 0);
        }
        levels.dedup();
        levels
    }

    /// The outcome of every seed at every one of `levels`.
    fn try_all(
        &self,
        trial: &Sheet<'_, impl Trial>,
        levels: &[usize],
    ) -> Result<Vec<Vec<Outcome>>, Stop> {
        let pair = |&level: &usize| self.seeds.iter().map(move |&seed| (level, seed));
        let pairs: Vec<(usize, u64)> = levels.iter().flat_map(pair).collect();
        trial.trial.expect(pairs.len());
        let outcomes = in_order(&pairs, |&(level, seed)| trial.run(level, seed))?;
        Ok(outcomes.chunks(self.seeds.len()).map(<[Outcome]>::to_vec).collect())
    }

    /// Seeds whose verdict at a level is not the one that their threshold promises.
    fn contradictions(
        &self,
        thresholds: &[usize],
        levels: &[usize],
        tried: &[Vec<Outcome>],
    ) -> Vec<usize> {
        let is_as_promised = |seed: usize| {
            let promised = |level: usize| level >= thresholds[seed];
            levels.iter().zip(tried).all(|(&level, of)| of[seed].held == promised(level))
        };
        (0..self.seeds.len()).filter(|&seed| !is_as_promised(seed)).collect()
    }

    fn told(
        &self,
        thresholds: &[usize],
        levels: &[usize],
        tried: &[Vec<Outcome>],
        not_monotone: Vec<usize>,
    ) -> Answer {
        let level = quantile(thresholds, self.needed());
        let place = |level: usize| levels.iter().position(|l| *l == level);
        let told = |at: usize| self.tried(levels[at], &tried[at]);
        let found = place(level).filter(|_| level < self.count());
        let at = found.unwrap_or(levels.len() - 1);
        let seeds = self.seeds.iter().zip(thresholds);
        Answer {
            value: self.value(level),
            at: told(at),
            next: found.filter(|at| *at > 0).map(|at| told(at - 1)),
            interval: self.interval(thresholds),
            thresholds: seeds.map(|(&seed, &level)| self.threshold(seed, level)).collect(),
            monotone: not_monotone.is_empty(),
            not_monotone_seeds: not_monotone.into_iter().map(|i| self.seeds[i]).collect(),
            tried: (0..levels.len()).map(told).collect(),
            runs: Vec::new(),
        }
    }

    fn threshold(&self, seed: u64, level: usize) -> Threshold {
        let known = level < self.count();
        let index = known.then(|| self.find.index(level, self.count()));
        Threshold { seed, value: self.value(level), index }
    }

    fn tried(&self, level: usize, outcomes: &[Outcome]) -> Tried {
        let met = outcomes.iter().filter(|outcome| outcome.held).count();
        let measures = outcomes.first().map_or(0, |outcome| outcome.measured.len());
        let of =
            |i: usize| Spread::of(outcomes.iter().map(|o| o.measured.get(i).copied().flatten()));
        Tried {
            value: self.value(level).unwrap_or_default(),
            index: self.find.index(level, self.count()),
            met,
            seeds: outcomes.len(),
            chance: of_share(met, outcomes.len(), self.confidence),
            measured: (0..measures).map(of).collect(),
            cost: Spread::of(outcomes.iter().map(|outcome| Some(outcome.cost))),
        }
    }

    /// The interval of the quantile of the thresholds that is the answer.
    fn interval(&self, thresholds: &[usize]) -> ValueInterval {
        let mut sorted = thresholds.to_vec();
        sorted.sort_unstable();
        let share = self.needed() as f64 / self.seeds.len() as f64;
        // All of the seeds: no share below one that they speak for.
        let share = share.min(self.meet);
        let (hard, easy) = of_quantile(sorted.len(), share, self.confidence);
        let value = |place: Option<usize>| place.and_then(|place| self.value(sorted[place]));
        ValueInterval { hard: value(hard), easy: value(easy) }
    }
}

/// The runs of a question, each noted.
struct Sheet<'a, T> {
    question: &'a Question,
    trial: &'a T,
    /// By level and seed.
    seen: Mutex<BTreeMap<(usize, u64), PlanRun>>,
}

impl<T: Trial> Sheet<'_, T> {
    fn run(&self, level: usize, seed: u64) -> Result<Outcome, Stop> {
        let asked = self.question.asked(level, seed);
        let outcome = self.trial.run(&asked)?;
        let index = self.question.find.index(level, self.question.count());
        let run = PlanRun { index, asked, outcome: outcome.clone() };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert((level, seed), run);
        Ok(outcome)
    }

    fn runs(self) -> Vec<PlanRun> {
        let seen = self.seen.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut runs: Vec<PlanRun> = seen.into_values().collect();
        runs.sort_by_key(|run| (run.index, run.asked.seed));
        runs
    }
}

/// Makes all of them side by side; results and the first error are those of the order.
fn in_order<T: Sync, R: Send>(
    all: &[T],
    make: impl Fn(&T) -> Result<R, Stop> + Sync,
) -> Result<Vec<R>, Stop> {
    let results: Vec<Result<R, Stop>> = all.par_iter().map(&make).collect();
    results.into_iter().collect()
}

/// The least level that is enough for `needed` of the thresholds.
fn quantile(thresholds: &[usize], needed: usize) -> usize {
    let mut sorted = thresholds.to_vec();
    sorted.sort_unstable();
    sorted[needed - 1]
}

/// Seeds (by place) that met the objective at a level and missed it at an easier one.
fn turns_back(tried: &[Vec<Outcome>]) -> Vec<usize> {
    let seeds = tried.first().map_or(0, Vec::len);
    let turns = |seed: usize| tried.windows(2).any(|w| w[0][seed].held && !w[1][seed].held);
    (0..seeds).filter(|&seed| turns(seed)).collect()
}

/// The least of the levels tried from which on each seed met the objective at all of them.
fn from_scan(tried: &[Vec<Outcome>], levels: &[usize], count: usize) -> Vec<usize> {
    let seeds = tried.first().map_or(0, Vec::len);
    let threshold = |seed: usize| {
        let held = tried.iter().rev().take_while(|outcomes| outcomes[seed].held).count();
        if held == 0 { count } else { levels[levels.len() - held] }
    };
    (0..seeds).map(threshold).collect()
}

#[cfg(test)]
mod tests;
