//! One call with its retries, and several calls at once: what comes of them, in closed form.
//!
//! Tries of one call succeed or fail independently of each other, each with the same chance: that
//! of the moment. Pure functions of numbers; they know no Services and no time.

use crate::scenario::graph::model::Retries;

/// What becomes of requests: shares of all, with their latency in seconds. What is missing to 1 has
/// failed.
pub type Slices = Vec<(f64, f64)>;

/// What one try meets.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Try {
    /// Chance that it succeeds.
    pub success: f64,
    /// Mean time of one that does, seconds.
    pub takes: f64,
    /// Mean time until one that fails is known to have failed, seconds.
    pub fails_after: f64,
}

impl Try {
    /// A try whose answer comes by these slices and is awaited for `timeout` seconds; one that
    /// fails by itself is known to after `fails_after`.
    pub fn new(answers: &[(f64, f64)], timeout: Option<f64>, fails_after: f64) -> Try {
        let timeout = timeout.unwrap_or(f64::INFINITY);
        let (mut success, mut area, mut late) = (0.0, 0.0, 0.0);
        for (share, seconds) in answers {
            if *seconds <= timeout {
                success += share;
                area += share * seconds;
            } else {
                late += share;
            }
        }
        let failed = (1.0 - success).max(0.0);
        let refused = (failed - late).max(0.0);
        let waited = if late > 0.0 { late * timeout } else { 0.0 };
        let waited = waited + refused * fails_after.min(timeout);
        Try {
            success: success.min(1.0),
            takes: if success > 0.0 { area / success } else { 0.0 },
            fails_after: if failed > 0.0 { waited / failed } else { 0.0 },
        }
    }

    /// Only this share of the tries is let through; the others fail at once.
    pub fn admitted(self, share: f64) -> Try {
        let through = 1.0 - self.success;
        let failed = 1.0 - self.success * share;
        let after = if failed > 0.0 { share * through * self.fails_after / failed } else { 0.0 };
        Try { success: self.success * share, fails_after: after, ..self }
    }
}

/// What one call comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tries {
    /// Tries for each first one.
    pub each: f64,
    /// Chance that one of them succeeds.
    pub success: f64,
    /// Mean time of a call that succeeds, seconds, waits between tries included.
    pub takes: f64,
    /// Mean time of a call, however it ends, seconds.
    pub lasts: f64,
}

impl Default for Tries {
    fn default() -> Self {
        Tries { each: 1.0, success: 1.0, takes: 0.0, lasts: 0.0 }
    }
}

impl Tries {
    /// A call whose tries all meet the same.
    pub fn new(one: Try, retries: Option<&Retries>) -> Tries {
        let failure = 1.0 - one.success;
        let attempts = retries.map_or(0, |retries| retries.attempts);
        // Where a budget binds, each failure is followed by a retry with the same, smaller chance.
        let again = match retries.and_then(|retries| retries.budget) {
            Some(budget) => failure * granted(failure, attempts, budget),
            None => failure,
        };
        let (mut each, mut success, mut area, mut lasts) = (0.0, 0.0, 0.0, 0.0);
        let (mut reached, mut before) = (1.0, 0.0);
        for n in 0..=attempts {
            if n > 0 {
                reached *= again;
                let wait = retries.map_or(0.0, |retries| retries.mean_wait(n));
                before += one.fails_after + wait;
                lasts += reached * wait;
            }
            each += reached;
            success += reached * one.success;
            area += reached * one.success * (before + one.takes);
            lasts += reached * (one.success * one.takes + failure * one.fails_after);
        }
        let takes = if success > 0.0 { area / success } else { before + one.fails_after };
        Tries { each, success: success.min(1.0), takes, lasts }
    }
}

/// The chance with which a retry is granted, so that all of a first try together are at most
/// `budget` on average; 1 where the budget does not bind.
fn granted(failure: f64, attempts: u32, budget: f64) -> f64 {
    let all = |chance: f64| {
        let again = failure * chance;
        (1..=attempts).fold((0.0, 1.0), |(sum, power), _| (sum + power * again, power * again)).0
    };
    if all(1.0) <= budget {
        return 1.0;
    }
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if all(middle) > budget { high = middle } else { low = middle }
    }
    low
}

/// The longest of `n` independent ones of these, which sum to 1, in slices too.
pub fn longest_of(slices: Slices, n: f64) -> Slices {
    if n == 1.0 {
        return slices;
    }
    let mut sorted = slices;
    sorted.sort_by(|a, b| a.1.total_cmp(&b.1));
    let (mut reached, mut before) = (0.0, 0.0);
    for (share, _) in &mut sorted {
        reached = f64::min(reached + *share, 1.0);
        let power = libm::pow(reached, n);
        (*share, before) = (power - before, power);
    }
    sorted
}

/// Mean of slices that sum to 1.
pub fn mean(slices: &Slices) -> f64 {
    slices.iter().map(|(share, seconds)| share * seconds).sum()
}

/// Mean of the longest of independent calls that are made at once: the area above the product of
/// their distributions. Exact for slices taken as points; those of each call sum to 1.
pub fn mean_of_longest(calls: &[Slices]) -> f64 {
    let mut points: Vec<(f64, usize, f64)> = Vec::new();
    for (index, slices) in calls.iter().enumerate() {
        points.extend(slices.iter().map(|(share, seconds)| (*seconds, index, *share)));
    }
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut reached = vec![0.0; calls.len()];
    let (mut mean, mut from) = (0.0, 0.0);
    for (seconds, index, share) in points {
        let below: f64 = reached.iter().map(|f| f64::min(*f, 1.0)).product();
        mean += (seconds - from) * (1.0 - below);
        from = seconds;
        reached[index] += share;
    }
    mean
}

/// How many of up to `times` calls in a row are made when each succeeds with this chance and the
/// first failure ends them.
pub fn made_in_a_row(times: f64, success: f64) -> f64 {
    if times <= 1.0 || success > 1.0 - 1e-9 {
        return times;
    }
    (1.0 - libm::pow(success, times)) / (1.0 - success)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::SimDuration;

    fn retries(attempts: u32, budget: Option<f64>) -> Retries {
        let base = SimDuration::from_millis(100);
        Retries { attempts, base, max: base * 10, jitter: true, budget }
    }

    /// Tries one by one, as they would be drawn: chances of each way that a call can go.
    fn by_cases(one: Try, retries: &Retries) -> Tries {
        let mut found = Tries { each: 0.0, success: 0.0, takes: 0.0, lasts: 0.0 };
        let (mut chance, mut clock) = (1.0, 0.0);
        for n in 0..=retries.attempts {
            if n > 0 {
                clock += retries.mean_wait(n);
            }
            let well = chance * one.success;
            found.success += well;
            found.each += well * f64::from(n + 1);
            found.takes += well * (clock + one.takes);
            found.lasts += well * (clock + one.takes);
            clock += one.fails_after;
            chance -= well;
        }
        found.each += chance * f64::from(retries.attempts + 1);
        found.lasts += chance * clock;
        found.takes /= found.success;
        found
    }

    #[test]
    fn retries_are_those_of_going_through_all_cases() {
        let rows = [
            ("what never fails is never retried", 1.0, 3),
            ("a few failures", 0.9, 2),
            ("most fail", 0.1, 5),
            ("one retry", 0.5, 1),
        ];
        for (sentence, success, attempts) in rows {
            let one = Try { success, takes: 0.02, fails_after: 0.3 };
            let (ours, cases) = (
                Tries::new(one, Some(&retries(attempts, None))),
                by_cases(one, &retries(attempts, None)),
            );
            for (a, b) in [
                (ours.each, cases.each),
                (ours.success, cases.success),
                (ours.takes, cases.takes),
                (ours.lasts, cases.lasts),
            ] {
                assert!((a - b).abs() < 1e-12, "{sentence}: {ours:?}, not {cases:?}");
            }
        }
    }

    #[test]
    fn a_budget_bounds_the_amplification() {
        for (failure, attempts, budget) in [(1.0, 3, 0.2), (0.5, 10, 0.1), (0.05, 2, 0.2)] {
            let one = Try { success: 1.0 - failure, takes: 0.0, fails_after: 0.0 };
            let free = Tries::new(one, Some(&retries(attempts, None)));
            let bound = Tries::new(one, Some(&retries(attempts, Some(budget))));
            let most = free.each.min(1.0 + budget);
            assert!((bound.each - most).abs() < 1e-9, "{failure}: {} not {most}", bound.each);
            assert!(bound.success <= free.success + 1e-12);
            let served = bound.each * one.success;
            assert!((bound.success - served).abs() < 1e-9, "each success is one try's");
        }
    }

    #[test]
    fn an_answer_after_the_timeout_is_a_failure_that_took_the_timeout() {
        let answers = [(0.5, 0.1), (0.3, 0.9)];
        let one = Try::new(&answers, Some(0.4), 2.0);
        assert!((one.success - 0.5).abs() < 1e-12 && (one.takes - 0.1).abs() < 1e-12);
        assert!((one.fails_after - 0.4).abs() < 1e-12, "{one:?}");
        let patient = Try::new(&answers, None, 2.0);
        assert!((patient.success - 0.8).abs() < 1e-12);
        assert!((patient.fails_after - 2.0).abs() < 1e-12);
    }

    #[test]
    fn the_longest_of_calls_is_what_is_waited_for() {
        let exponential: Slices = (0..20_000)
            .map(|i| (1.0 / 20_000.0, -libm::log1p(-(f64::from(i) + 0.5) / 20_000.0)))
            .collect();
        let rows = [
            ("one alone is its mean", vec![exponential.clone()], 1.0),
            ("of four the sum of 1, 1/2, 1/3, 1/4", vec![exponential.clone(); 4], 25.0 / 12.0),
            (
                "a constant beside it",
                vec![exponential.clone(), vec![(1.0, 1.0)]],
                1.0 + libm::exp(-1.0),
            ),
            ("four of a kind", vec![longest_of(exponential, 4.0)], 25.0 / 12.0),
        ];
        for (sentence, calls, mean) in rows {
            let ours = mean_of_longest(&calls);
            assert!((ours / mean - 1.0).abs() < 1e-3, "{sentence}: {ours}, not {mean}");
        }
    }

    #[test]
    fn a_row_of_calls_ends_with_the_first_failure() {
        for (times, success, made) in
            [(3.0, 1.0, 3.0), (3.0, 0.0, 1.0), (3.0, 0.5, 1.75), (0.5, 0.0, 0.5)]
        {
            assert!((made_in_a_row(times, success) - made).abs() < 1e-12, "{times} {success}");
        }
    }
}
