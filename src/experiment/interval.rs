//! How sure an answer is: exact intervals from the binomial distribution, which assume nothing of
//! how values are spread.
//!
//! It knows counts and chances, not what was counted.

use serde::Serialize;
use statrs::distribution::{Beta, Binomial, ContinuousCDF, DiscreteCDF};

/// Ends of an interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// The interval of Clopper and Pearson (Biometrika 26, 1934) for the chance of an event that was
/// seen `k` times in `n`: it holds the true chance with at least `confidence`.
pub fn of_share(k: usize, n: usize, confidence: f64) -> Interval {
    let tail = (1.0 - confidence) / 2.0;
    let (k, n) = (k as f64, n as f64);
    let quantile = |a: f64, b: f64, at: f64| Beta::new(a, b).map(|beta| beta.inverse_cdf(at));
    let low = if k > 0.0 { quantile(k, n - k + 1.0, tail).unwrap_or(0.0) } else { 0.0 };
    let high = if k < n { quantile(k + 1.0, n - k, 1.0 - tail).unwrap_or(1.0) } else { 1.0 };
    // Libraries of functions differ in their last digits from platform to platform.
    Interval { low: rounded(low), high: rounded(high) }
}

/// Which of `n` values in order bound their quantile `share` with at least `confidence`: places
/// from 0 on; `None`: with so few values no end is known on that side.
pub fn of_quantile(n: usize, share: f64, confidence: f64) -> (Option<usize>, Option<usize>) {
    let tail = (1.0 - confidence) / 2.0;
    let Ok(below) = Binomial::new(share.clamp(0.0, 1.0), n as u64) else { return (None, None) };
    // Of n values so many lie below the quantile: i or fewer with this chance.
    let at_most = |i: usize| below.cdf(i as u64);
    let low = (0..n).rev().find(|&place| at_most(place) <= tail);
    let high = (0..n).find(|&place| at_most(place) >= 1.0 - tail);
    (low, high)
}

/// How many values it takes until [`of_quantile`] knows both ends.
pub fn values_for_both_ends(share: f64, confidence: f64) -> Option<usize> {
    let most = 100_000;
    let known = |n: usize| {
        let (low, high) = of_quantile(n, share, confidence);
        low.is_some() && high.is_some()
    };
    // What is needed is a power: no need to look one by one.
    let tail = (1.0 - confidence) / 2.0;
    let worst = share.max(1.0 - share);
    let about = libm::floor(libm::log(tail) / libm::log(worst));
    if !about.is_finite() {
        return None;
    }
    let about = (about as usize).saturating_sub(2).max(1);
    (about..about.saturating_add(8).min(most)).find(|&n| known(n))
}

/// To nine decimals.
fn rounded(x: f64) -> f64 {
    (x * 1e9).round() / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Chance of at most `k` in `n`, summed up term by term.
    fn naive_cdf(k: i64, n: u64, p: f64) -> f64 {
        let mut sum = 0.0;
        for i in 0..=k.max(-1) {
            let mut term = 1.0;
            for j in 0..i as u64 {
                term *= (n - j) as f64 / (j + 1) as f64 * p;
            }
            for _ in 0..n - i as u64 {
                term *= 1.0 - p;
            }
            sum += term;
        }
        sum
    }

    #[test]
    fn shares_have_the_published_intervals() {
        // Values of R's binom.test(k, n)$conf.int.
        let rows = [
            (0, 10, 0.0, 0.308_497_1),
            (10, 10, 0.691_502_9, 1.0),
            (20, 20, 0.831_566_5, 1.0),
            (19, 20, 0.751_267_2, 0.998_734_9),
            (5, 10, 0.187_086_0, 0.812_914_0),
        ];
        for (k, n, low, high) in rows {
            let ours = of_share(k, n, 0.95);
            assert!((ours.low - low).abs() < 1e-6, "{k} of {n}: {ours:?}");
            assert!((ours.high - high).abs() < 1e-6, "{k} of {n}: {ours:?}");
        }
    }

    #[test]
    fn shares_leave_each_tail_its_chance() {
        for n in [1_u64, 7, 20, 50] {
            for k in 0..=n {
                let ends = of_share(k as usize, n as usize, 0.9);
                if k > 0 {
                    let above = 1.0 - naive_cdf(k as i64 - 1, n, ends.low);
                    assert!((above - 0.05).abs() < 1e-6, "{k} of {n}");
                }
                if k < n {
                    let below = naive_cdf(k as i64, n, ends.high);
                    assert!((below - 0.05).abs() < 1e-6, "{k} of {n}");
                }
            }
        }
    }

    #[test]
    fn quantiles_are_bounded_by_values_in_order() {
        // The median of 20: the 6th and the 15th value (David and Nagaraja, Order Statistics).
        assert_eq!(of_quantile(20, 0.5, 0.95), (Some(5), Some(14)));
        assert_eq!(of_quantile(20, 0.95, 0.95), (Some(16), None), "its upper end is not known");
        assert_eq!(of_quantile(3, 0.5, 0.95), (None, None));
        assert_eq!(values_for_both_ends(0.5, 0.95), Some(6));
        assert_eq!(values_for_both_ends(0.95, 0.95), Some(72));
        for n in [6, 20, 71, 72] {
            let (low, high) = of_quantile(n, 0.95, 0.95);
            let tail = 0.025 + 1e-12;
            if let Some(low) = low {
                assert!(naive_cdf(low as i64, n as u64, 0.95) <= tail, "{n}");
            }
            if let Some(high) = high {
                assert!(1.0 - naive_cdf(high as i64, n as u64, 0.95) <= tail, "{n}");
            }
        }
    }
}
