//! Samples held against theory: golden bytes, distribution functions, means and quantiles.

use super::*;
use crate::sim::rng::Streams;

/// A distribution function written down without its quantile function.
type Below = fn(f64) -> f64;

struct Row {
    name: &'static str,
    distribution: Distribution,
    /// The probability of a draw below `x`.
    below: Below,
    /// The standard deviation; infinite if it is.
    sd: f64,
    golden: &'static str,
}

fn erf_below(z: f64) -> f64 {
    libm::erfc(-z / std::f64::consts::SQRT_2) / 2.0
}

fn table() -> QuantileTable {
    QuantileTable::new(vec![(0.0, 0.0), (0.5, 1.0), (0.9, 3.0), (1.0, 23.0)]).unwrap()
}

fn rows() -> Vec<Row> {
    use Distribution::*;
    let gamma = libm::tgamma;
    let weibull_variance = gamma(1.0 + 2.0 / 0.7) - gamma(1.0 + 1.0 / 0.7) * gamma(1.0 + 1.0 / 0.7);
    vec![
        Row {
            name: "uniform from 2 to 5",
            distribution: Uniform(2.0, 5.0),
            below: |x| (x - 2.0) / 3.0,
            sd: 3.0 / libm::sqrt(12.0),
            golden: "d212759162fece69",
        },
        Row {
            name: "exponential with mean 4",
            distribution: Exponential(4.0),
            below: |x| 1.0 - libm::exp(-x / 4.0),
            sd: 4.0,
            golden: "248a28bafc73388e",
        },
        Row {
            name: "normal 10, 3",
            distribution: Normal { mean: 10.0, sd: 3.0 },
            below: |x| erf_below((x - 10.0) / 3.0),
            sd: 3.0,
            golden: "7f978a9c95ef4c02",
        },
        Row {
            name: "log-normal with median 2 and sigma 0.8",
            distribution: LogNormal(2.0, 0.8),
            below: |x| erf_below(libm::log(x / 2.0) / 0.8),
            sd: 2.0 * libm::sqrt((libm::exp(0.64) - 1.0) * libm::exp(0.64)),
            golden: "89b0a4a1da454067",
        },
        Row {
            name: "weibull with scale 3 and shape 0.7",
            distribution: Weibull { scale: 3.0, shape: 0.7 },
            below: |x| 1.0 - libm::exp(-libm::pow(x / 3.0, 0.7)),
            sd: 3.0 * libm::sqrt(weibull_variance),
            golden: "8ceb6833ff11edba",
        },
        Row {
            name: "pareto from 1 with shape 3.5",
            distribution: Pareto { minimum: 1.0, shape: 3.5 },
            below: |x| 1.0 - libm::pow(1.0 / x, 3.5),
            sd: libm::sqrt(3.5 / (2.5 * 2.5 * 1.5)),
            golden: "5be4b4fe8237b0b5",
        },
        Row {
            name: "triangular 1, 2, 6",
            distribution: Triangular { low: 1.0, mode: 2.0, high: 6.0 },
            below: |x| {
                if x < 2.0 {
                    (x - 1.0) * (x - 1.0) / 5.0
                } else {
                    1.0 - (6.0 - x) * (6.0 - x) / 20.0
                }
            },
            sd: libm::sqrt((1.0 + 4.0 + 36.0 - 2.0 - 6.0 - 12.0) / 18.0),
            golden: "9c9d5ac2b292abac",
        },
        Row {
            name: "measured quantiles",
            distribution: Empirical(table()),
            below: |x| {
                if x < 1.0 {
                    x / 2.0
                } else if x < 3.0 {
                    0.5 + (x - 1.0) * 0.2
                } else {
                    0.9 + (x - 3.0) / 200.0
                }
            },
            // E[x^2] of a line from a to b is (a^2 + ab + b^2) / 3; the mean is 2.35.
            sd: libm::sqrt(0.5 / 3.0 + 0.4 * 13.0 / 3.0 + 0.1 * 607.0 / 3.0 - 2.35 * 2.35),
            golden: "dff9f1d1dfe11454",
        },
    ]
}

fn draws(distribution: &Distribution, name: &str, n: usize) -> Vec<f64> {
    let mut stream = Streams::new(2026).stream(name, 0);
    (0..n).map(|_| distribution.sample(&mut stream)).collect()
}

fn hash(draws: &[f64]) -> String {
    let mut hasher = blake3::Hasher::new();
    for draw in draws {
        hasher.update(&draw.to_bits().to_le_bytes());
    }
    hasher.finalize().to_hex()[..16].to_string()
}

#[test]
fn ten_thousand_draws_keep_their_bytes() {
    let poisson = |mean| Distribution::Poisson { mean };
    let mut found: Vec<(&str, String, &str)> = rows()
        .iter()
        .map(|r| (r.name, hash(&draws(&r.distribution, r.name, 10_000)), r.golden))
        .collect();
    for (name, distribution, golden) in [
        ("constant", Distribution::Constant(1.5), "d260883e5f871247"),
        ("poisson 3", poisson(3.0), "31e28d2f0f5c8eec"),
        ("poisson 10", poisson(10.0), "e3a861ca2a8d58e7"),
        ("poisson 12345.6", poisson(12_345.6), "9f2a458fac43283b"),
        ("by percentiles", Distribution::lognormal_p50_p99(0.45, 0.9), "7b9e833ad4e535b8"),
    ] {
        found.push((name, hash(&draws(&distribution, name, 10_000)), golden));
    }
    let moved: Vec<String> = found
        .iter()
        .filter(|(_, hash, golden)| hash != golden)
        .map(|(name, hash, _)| format!("{name}: {hash}"))
        .collect();
    assert!(moved.is_empty(), "draws have moved:\n{}", moved.join("\n"));
}

#[test]
fn draws_follow_the_distribution_function() {
    for row in rows() {
        let n = 50_000;
        let mut draws = draws(&row.distribution, row.name, n);
        draws.sort_by(f64::total_cmp);
        let n = n as f64;
        let distance = draws
            .iter()
            .enumerate()
            .map(|(i, x)| {
                let p = (row.below)(*x);
                (p - i as f64 / n).abs().max(((i + 1) as f64 / n - p).abs())
            })
            .fold(0.0, f64::max);
        // Kolmogorov's bound that one of 1,000 correct samplers exceeds.
        assert!(distance * libm::sqrt(n) < 1.95, "{}: distance {distance}", row.name);
    }
}

#[test]
fn means_of_draws_are_the_mean() {
    for row in rows() {
        let n = 50_000;
        let draws = draws(&row.distribution, row.name, n);
        let found = draws.iter().sum::<f64>() / n as f64;
        let deviation = (found - row.distribution.mean()) / (row.sd / libm::sqrt(n as f64));
        assert!(deviation.abs() < 4.0, "{}: {deviation} standard errors", row.name);
    }
}

#[test]
fn quantiles_invert_the_distribution_function() {
    for row in rows() {
        for p in [1e-9, 0.001, 0.2, 0.5, 0.75, 0.99, 0.999_999] {
            let x = row.distribution.quantile(p).unwrap();
            let found = (row.below)(x);
            assert!((found - p).abs() < 1e-12, "{} at {p}: {found}", row.name);
        }
        for p in [0.0, 1.0, -1.0, f64::NAN] {
            assert_eq!(row.distribution.quantile(p), None, "{} at {p}", row.name);
        }
    }
    assert_eq!(Distribution::Poisson { mean: 3.0 }.quantile(0.5), None, "no closed form");
    assert_eq!(Distribution::Constant(3.0).quantile(0.9), Some(3.0));
}

#[test]
fn a_draw_is_the_quantile_of_one_number() {
    for row in rows() {
        let (mut one, mut other) = (Streams::new(1).stream("u", 0), Streams::new(1).stream("u", 0));
        for _ in 0..100 {
            let u = one.unit_open();
            let drawn = row.distribution.sample(&mut other);
            assert_eq!(row.distribution.quantile(u), Some(drawn), "{}", row.name);
        }
    }
}

#[test]
fn percentiles_in_percentiles_out() {
    for (p50, p99) in [(0.45, 0.9), (92.6, 237.0), (3.0, 3.0)] {
        let distribution = Distribution::lognormal_p50_p99(p50, p99);
        let close = |p: f64, expected: f64| {
            (distribution.quantile(p).unwrap() / expected - 1.0).abs() < 1e-14
        };
        assert!(close(0.5, p50) && close(0.99, p99), "{p50}, {p99}");
    }
}

#[test]
fn special_cases() {
    let rows = [
        ("no spread", Distribution::Uniform(3.0, 3.0), 3.0),
        ("no deviation", Distribution::Normal { mean: 3.0, sd: 0.0 }, 3.0),
        ("no sigma", Distribution::LogNormal(3.0, 0.0), 3.0),
        ("no width", Distribution::Triangular { low: 3.0, mode: 3.0, high: 3.0 }, 3.0),
    ];
    for (sentence, distribution, expected) in rows {
        assert_eq!(draws(&distribution, "special", 3), [expected; 3], "{sentence}");
        assert_eq!(distribution.mean(), expected, "{sentence}");
    }
    assert_eq!(Distribution::Pareto { minimum: 1.0, shape: 1.0 }.mean(), f64::INFINITY);
}

#[test]
fn nonsense_neither_panics_nor_hangs() {
    use Distribution::*;
    let numbers = [0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, 1e-300];
    for a in numbers {
        for b in numbers {
            let all = [
                Uniform(a, b),
                Exponential(a),
                LogNormal(a, b),
                Normal { mean: a, sd: b },
                Weibull { scale: a, shape: b },
                Pareto { minimum: a, shape: b },
                Poisson { mean: a },
                Triangular { low: a, mode: b, high: a },
            ];
            for distribution in all {
                let _ = (draws(&distribution, "nonsense", 3), distribution.mean());
            }
        }
    }
}
