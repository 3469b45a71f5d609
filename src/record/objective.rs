//! When was the objective (error budget and latency) missed, and when did it hold again?
//!
//! One answer for the summary, the turning points and the plots. It knows rows, not files.

use super::rows::ClusterSample;
use super::summary::Objective;
use crate::units::{SimDuration, SimTime};

/// What still counts as well served.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// Largest share of failed requests in a sample interval that is still fine.
    pub error_budget: f64,
    /// Largest 95th percentile of latency that is still fine, seconds.
    pub latency_s: f64,
}

/// A stretch of sample intervals that have something in common: the objective was missed, say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Episode {
    /// Start of its first interval.
    pub from: SimTime,
    /// End of its last interval.
    pub until: SimTime,
    /// Index of the row of its first interval.
    pub first_row: usize,
}

/// Start of the interval that `row` ends.
pub fn start_of(row: &ClusterSample) -> SimTime {
    SimTime(row.time.0.saturating_sub(row.interval.0))
}

/// Whether the interval of `row` missed the objective; one without requests holds it.
pub fn missed(row: &ClusterSample, target: Target) -> bool {
    let too_many_failed = row.offered > 0.0 && row.failed / row.offered > target.error_budget;
    too_many_failed || row.latency.is_some_and(|l| l.p95 > target.latency_s)
}

/// All stretches of misses, in time order; holds shorter than `calm` don't end one.
pub fn episodes(rows: &[ClusterSample], target: Target, calm: SimDuration) -> Vec<Episode> {
    stretches(rows, |row| missed(row, target), calm)
}

/// All stretches of intervals for which `is` holds; gaps shorter than `calm` don't end one.
pub fn stretches(
    rows: &[ClusterSample],
    is: impl Fn(&ClusterSample) -> bool,
    calm: SimDuration,
) -> Vec<Episode> {
    let mut stretches: Vec<Episode> = Vec::new();
    for (index, row) in rows.iter().enumerate().filter(|(_, row)| is(row)) {
        let from = start_of(row);
        match stretches.last_mut() {
            Some(last) if from == last.until || from.since(last.until) < calm => {
                last.until = row.time;
            }
            _ => stretches.push(Episode { from, until: row.time, first_row: index }),
        }
    }
    stretches
}

/// How the objective was kept over all rows.
pub fn evaluate(rows: &[ClusterSample], target: Target) -> Objective {
    let missed_s = rows
        .iter()
        .filter(|row| missed(row, target))
        .map(|row| row.interval)
        .sum::<SimDuration>()
        .as_secs_f64();
    let episodes = episodes(rows, target, SimDuration::ZERO);
    let held_at_end = rows.last().is_none_or(|row| !missed(row, target));
    let first = episodes.first();
    let recovery = first.zip(episodes.last()).filter(|_| held_at_end);
    Objective {
        error_budget: target.error_budget,
        latency_s: target.latency_s,
        missed_s,
        first_missed_s: first.map(|e| e.from.as_secs_f64()),
        time_to_recover_s: recovery.map(|(a, b)| b.until.since(a.from).as_secs_f64()),
        held_at_end,
        ..Objective::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::rows::Quantiles;

    const TARGET: Target = Target { error_budget: 0.01, latency_s: 0.5 };

    /// One row per minute: requests offered, failed, and the p95 of latency.
    fn rows(of: &[(f64, f64, Option<f64>)]) -> Vec<ClusterSample> {
        let minute = SimDuration::from_secs(60);
        (1..)
            .zip(of)
            .map(|(i, &(offered, failed, p95))| ClusterSample {
                time: SimTime::from_secs(60 * i),
                interval: minute,
                offered,
                failed,
                latency: p95.map(|p95| Quantiles {
                    p50: p95 / 2.0,
                    p95,
                    p99: p95 * 2.0,
                    p999: p95 * 2.0,
                }),
                ..Default::default()
            })
            .collect()
    }

    const FINE: (f64, f64, Option<f64>) = (100.0, 0.0, Some(0.1));
    const ERRORS: (f64, f64, Option<f64>) = (100.0, 2.0, Some(0.1));
    const SLOW: (f64, f64, Option<f64>) = (100.0, 0.0, Some(0.6));
    const IDLE: (f64, f64, Option<f64>) = (0.0, 0.0, None);
    const AT_BUDGET: (f64, f64, Option<f64>) = (100.0, 1.0, Some(0.5));

    #[test]
    fn misses_and_recovery() {
        type Row = (&'static str, &'static [(f64, f64, Option<f64>)], Outcome);
        type Outcome = (f64, Option<f64>, Option<f64>, bool);
        let table: [Row; 8] = [
            ("no rows: nothing was missed", &[], (0.0, None, None, true)),
            ("all fine: never missed", &[FINE, FINE], (0.0, None, None, true)),
            ("exactly at budget and objective holds", &[AT_BUDGET], (0.0, None, None, true)),
            ("no requests hold the objective", &[IDLE, IDLE], (0.0, None, None, true)),
            (
                "errors for one minute: a minute to recover",
                &[FINE, ERRORS, FINE],
                (60.0, Some(60.0), Some(60.0), true),
            ),
            (
                "recovery counts to the last miss, not to the first hold",
                &[ERRORS, FINE, SLOW, IDLE],
                (120.0, Some(0.0), Some(180.0), true),
            ),
            (
                "missed to the end: never recovered",
                &[FINE, SLOW, ERRORS],
                (120.0, Some(60.0), None, false),
            ),
            (
                "slow although nothing failed is a miss",
                &[SLOW, FINE],
                (60.0, Some(0.0), Some(60.0), true),
            ),
        ];
        for (sentence, of, expected) in table {
            let o = evaluate(&rows(of), TARGET);
            let got = (o.missed_s, o.first_missed_s, o.time_to_recover_s, o.held_at_end);
            assert_eq!(got, expected, "{sentence}");
        }
    }

    #[test]
    fn short_holds_do_not_end_an_episode() {
        let rows = rows(&[ERRORS, FINE, ERRORS, FINE, FINE, FINE, SLOW]);
        let spans = |calm: u64| -> Vec<(u64, u64)> {
            episodes(&rows, TARGET, SimDuration::from_secs(calm))
                .iter()
                .map(|e| (e.from.whole_secs(), e.until.whole_secs()))
                .collect()
        };
        assert_eq!(spans(0), [(0, 60), (120, 180), (360, 420)], "each miss stands alone");
        assert_eq!(spans(120), [(0, 180), (360, 420)], "a minute of calm is no recovery");
        assert_eq!(spans(600), [(0, 420)], "neither are three when ten are asked");
    }
}
