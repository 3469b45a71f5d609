//! Poisson draws for any mean: by inversion below 10, by rejection from a hat above.

use crate::sim::rng::Stream;

/// From here on f64 can't tell neighbouring counts apart well enough to count.
const TOO_LARGE_TO_COUNT: f64 = 1e15;

/// Draws a count with this mean; 0 for a mean that is not positive.
pub(super) fn sample(mean: f64, stream: &mut Stream) -> f64 {
    if mean.is_nan() || mean <= 0.0 {
        0.0
    } else if mean.is_infinite() {
        mean
    } else if mean < 10.0 {
        by_inversion(mean, stream.unit_open())
    } else if mean <= TOO_LARGE_TO_COUNT {
        by_rejection(mean, stream)
    } else {
        let z = super::standard_normal_quantile(stream.unit_open());
        (mean + libm::sqrt(mean) * z).round()
    }
}

/// The smallest count whose distribution function exceeds `u`, found by adding up.
fn by_inversion(mean: f64, u: f64) -> f64 {
    let mut probability = libm::exp(-mean);
    let (mut count, mut left) = (0.0, u);
    // Below a mean of 10 all probability that f64 can see ends long before 200.
    while left >= probability && count < 200.0 {
        left -= probability;
        count += 1.0;
        probability *= mean / count;
    }
    count
}

/// Transformed rejection: a point under a hat is tried until it lies under the distribution.
///
/// Source: W. Hörmann, "The transformed rejection method for generating Poisson random variables",
/// Insurance: Mathematics and Economics 12(1), 1993, algorithm PTRS, for means of at least 10.
fn by_rejection(mean: f64, stream: &mut Stream) -> f64 {
    let b = 0.931 + 2.53 * libm::sqrt(mean);
    let a = -0.059 + 0.024_83 * b;
    let inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
    let squeeze = 0.9277 - 3.6224 / (b - 2.0);
    loop {
        let u = stream.unit_open() - 0.5;
        let v = stream.unit_open();
        let distance = 0.5 - u.abs();
        let count = ((2.0 * a / distance + b) * u + mean + 0.43).floor();
        if distance >= 0.07 && v <= squeeze {
            return count;
        }
        if count < 0.0 || (distance < 0.013 && v > distance) {
            continue;
        }
        let hat = libm::log(v * inverse_alpha / (a / (distance * distance) + b));
        if hat <= log_probability(count, mean) {
            return count;
        }
    }
}

/// The logarithm of the probability of `count` at this mean, without the cancellation that
/// `count * ln(mean) - mean - ln(count!)` suffers from for large counts.
///
/// Source: C. Loader, "Fast and Accurate Computation of Binomial Probabilities", 2000.
fn log_probability(count: f64, mean: f64) -> f64 {
    if count < 16.0 {
        // Up to 15! factorials are exact.
        let factorial = (1..=count as u64).product::<u64>() as f64;
        return count * libm::log(mean) - mean - libm::log(factorial);
    }
    -stirling_error(count) - deviance(count, mean) - 0.5 * libm::log(std::f64::consts::TAU * count)
}

/// What Stirling's formula leaves out of ln(n!), n >= 16; the next term is below 10^-15.
fn stirling_error(n: f64) -> f64 {
    let n2 = n * n;
    let series = 1.0 / 360.0 - (1.0 / 1260.0 - (1.0 / 1680.0 - (1.0 / 1188.0) / n2) / n2) / n2;
    (1.0 / 12.0 - series / n2) / n
}

/// count * ln(count / mean) + mean - count, accurate where the two are close.
fn deviance(count: f64, mean: f64) -> f64 {
    let difference = count - mean;
    if difference.abs() >= 0.1 * (count + mean) {
        return count * libm::log(count / mean) + mean - count;
    }
    let v = difference / (count + mean);
    let mut sum = difference * v;
    let mut power = 2.0 * count * v;
    for j in 1..1000 {
        power *= v * v;
        let next = sum + power / f64::from(2 * j + 1);
        if next == sum {
            break;
        }
        sum = next;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::rng::Streams;

    fn draws(mean: f64, n: usize) -> Vec<f64> {
        let mut stream = Streams::new(11).stream("poisson", mean.to_bits());
        (0..n).map(|_| sample(mean, &mut stream)).collect()
    }

    #[test]
    fn mean_and_variance_are_equal() {
        for mean in [0.01, 0.3, 4.0, 9.99, 10.0, 11.5, 30.0, 1e3, 1e6, 1e9, 1e12] {
            let n = 40_000;
            let draws = draws(mean, n);
            let n = n as f64;
            let found = draws.iter().map(|x| x - mean).sum::<f64>() / n;
            let variance = draws.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n;
            // Standard errors: sqrt(mean / n), and of the variance from the fourth central moment,
            // mean + 3 mean^2.
            let of_mean = libm::sqrt(mean / n);
            let of_variance = libm::sqrt((mean + 2.0 * mean * mean) / n);
            assert!(found.abs() < 4.0 * of_mean, "mean {mean}: off by {found}");
            assert!((variance - mean).abs() < 4.0 * of_variance, "mean {mean}: {variance}");
        }
    }

    #[test]
    fn every_count_is_as_frequent_as_it_should_be() {
        for mean in [0.5, 3.0, 9.99, 10.0, 14.0, 60.0, 500.0] {
            let n = 60_000;
            let draws = draws(mean, n);
            // Probabilities by recursion from the mode, independent of the code under test.
            let at = |k: f64| libm::exp(k * libm::log(mean) - mean - libm::lgamma(k + 1.0));
            let (mut chi2, mut cells, mut rest, mut rest_seen) = (0.0, 0, n as f64, n as f64);
            for k in 0..2000 {
                let expected = at(f64::from(k)) * n as f64;
                if expected < 10.0 {
                    continue;
                }
                let seen = draws.iter().filter(|x| **x == f64::from(k)).count() as f64;
                chi2 += (seen - expected) * (seen - expected) / expected;
                cells += 1;
                rest -= expected;
                rest_seen -= seen;
            }
            chi2 += (rest_seen - rest) * (rest_seen - rest) / rest.max(1.0);
            let freedom = f64::from(cells);
            // Chi-square is about normal with this mean and variance 2f; 4 deviations.
            assert!(
                chi2 < freedom + 4.0 * libm::sqrt(2.0 * freedom) + 4.0,
                "mean {mean}: chi-square {chi2} over {cells} cells"
            );
        }
    }

    #[test]
    fn probabilities_add_up() {
        for mean in [10.0, 20.0, 1000.0, 1e5] {
            let spread = 12.0 * libm::sqrt(mean);
            let (from, to) = ((mean - spread).max(0.0).floor(), (mean + spread).ceil());
            let mut sum = 0.0;
            let mut k = from;
            while k <= to {
                sum += libm::exp(log_probability(k, mean));
                k += 1.0;
            }
            assert!((sum - 1.0).abs() < 1e-12, "mean {mean}: {sum}");
        }
    }

    #[test]
    fn means_without_meaning_end() {
        let rows = [
            ("nothing ever happens", 0.0, 0.0),
            ("less than nothing", -3.0, 0.0),
            ("no number", f64::NAN, 0.0),
            ("without bound", f64::INFINITY, f64::INFINITY),
        ];
        for (sentence, mean, expected) in rows {
            let drawn = sample(mean, &mut Streams::new(0).stream("edge", 1));
            assert_eq!(drawn, expected, "{sentence}");
        }
        let huge = sample(1e18, &mut Streams::new(0).stream("edge", 1));
        assert!((huge - 1e18).abs() < 6e9, "beyond counting the spread still holds: {huge}");
    }

    #[test]
    fn a_larger_mean_never_draws_less_by_inversion() {
        for i in 1..1000 {
            let u = f64::from(i) / 1000.0;
            assert!(by_inversion(2.0, u) <= by_inversion(2.5, u));
        }
    }
}
