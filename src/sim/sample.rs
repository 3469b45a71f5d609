//! Distributions of durations, sizes and counts, and how they are sampled.
//!
//! All but one are sampled by inversion: a draw takes one number `u` of the stream and is the
//! quantile of `u`. So a sample costs one number whatever its parameters, and when a parameter
//! changes, every draw moves the same way: two variants of an experiment stay comparable draw by
//! draw. Functions come from the pinned `libm`, because their last digit is part of the promise of
//! equal bytes. This file does not know what is measured; units are those of the parameters.

mod empirical;
mod normal;
mod poisson;

pub use empirical::{QuantileTable, QuantileTableError};
pub use normal::standard_normal_quantile;

use super::rng::Stream;

/// How far the 99th percentile of a normal distribution lies above its mean, in deviations.
const Z_99: f64 = 2.326_347_874_040_841;

/// A distribution of numbers.
///
/// Parameters outside their stated range give numbers without meaning, or NaN, but never a panic
/// nor an endless loop: whoever reads them from a user checks them.
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    /// Always the same; draws nothing.
    Constant(f64),
    /// Uniform from the first number to the second.
    Uniform(f64, f64),
    /// Exponential with this mean (> 0).
    Exponential(f64),
    /// Log-normal: median (> 0), and standard deviation of the natural logarithm (>= 0).
    LogNormal(f64, f64),
    /// Normal; gives negative numbers too: whoever can't use those cuts them off.
    Normal {
        /// The mean.
        mean: f64,
        /// The standard deviation (>= 0).
        sd: f64,
    },
    /// Weibull: times to failure, wearing in (`shape` < 1) or out (> 1).
    Weibull {
        /// 63.2 % of all draws are below it (> 0).
        scale: f64,
        /// The exponent (> 0); 1 is exponential.
        shape: f64,
    },
    /// Pareto (type I): heavy-tailed sizes.
    Pareto {
        /// The smallest number possible (> 0).
        minimum: f64,
        /// The exponent of the tail (> 0); the mean is infinite up to 1, the variance up to 2.
        shape: f64,
    },
    /// Poisson: how many of many rare things happen. Whole numbers; draws one number of the stream
    /// below a mean of 10, a varying number above.
    Poisson {
        /// The mean (>= 0). Above 10^15, where f64 can't count, a rounded normal takes its place.
        mean: f64,
    },
    /// Triangular: what an expert can tell when nothing was measured.
    Triangular {
        /// The smallest number.
        low: f64,
        /// The likeliest, between the two.
        mode: f64,
        /// The largest.
        high: f64,
    },
    /// What was measured: quantiles, and straight lines between them.
    Empirical(QuantileTable),
}

impl Distribution {
    /// The log-normal distribution with this median and 99th percentile (0 < `p50` <= `p99`).
    pub fn lognormal_p50_p99(p50: f64, p99: f64) -> Distribution {
        Distribution::LogNormal(p50, libm::log(p99 / p50) / Z_99)
    }

    /// Draws a number.
    pub fn sample(&self, stream: &mut Stream) -> f64 {
        match self {
            Distribution::Constant(value) => *value,
            Distribution::Poisson { mean } => poisson::sample(*mean, stream),
            _ => self.inverse(stream.unit_open()),
        }
    }

    /// The mean; infinite where it is.
    pub fn mean(&self) -> f64 {
        match self {
            Distribution::Constant(value) => *value,
            Distribution::Uniform(low, high) => low + (high - low) / 2.0,
            Distribution::Exponential(mean)
            | Distribution::Normal { mean, .. }
            | Distribution::Poisson { mean } => *mean,
            Distribution::LogNormal(median, sigma) => median * libm::exp(sigma * sigma / 2.0),
            Distribution::Weibull { scale, shape } => scale * libm::tgamma(1.0 + 1.0 / shape),
            Distribution::Pareto { shape, .. } if *shape <= 1.0 => f64::INFINITY,
            Distribution::Pareto { minimum, shape } => minimum * shape / (shape - 1.0),
            Distribution::Triangular { low, mode, high } => (low + mode + high) / 3.0,
            Distribution::Empirical(table) => table.mean(),
        }
    }

    /// The number that a draw is below with probability `p`; `None` unless 0 < `p` < 1, and for
    /// the Poisson distribution, which has no closed form.
    pub fn quantile(&self, p: f64) -> Option<f64> {
        let open = p > 0.0 && p < 1.0;
        let closed_form = !matches!(self, Distribution::Poisson { .. });
        (open && closed_form).then(|| self.inverse(p))
    }

    /// The quantile of `p`, 0 < `p` < 1; the mean for Poisson, which is sampled differently.
    fn inverse(&self, p: f64) -> f64 {
        match self {
            Distribution::Constant(value) => *value,
            Distribution::Uniform(low, high) => low + (high - low) * p,
            Distribution::Exponential(mean) => -libm::log1p(-p) * mean,
            Distribution::LogNormal(median, sigma) => {
                median * libm::exp(sigma * standard_normal_quantile(p))
            }
            Distribution::Normal { mean, sd } => mean + sd * standard_normal_quantile(p),
            Distribution::Weibull { scale, shape } => {
                scale * libm::pow(-libm::log1p(-p), 1.0 / shape)
            }
            Distribution::Pareto { minimum, shape } => {
                minimum * libm::exp(-libm::log1p(-p) / shape)
            }
            Distribution::Poisson { mean } => *mean,
            Distribution::Triangular { low, mode, high } => triangular(*low, *mode, *high, p),
            Distribution::Empirical(table) => table.quantile(p),
        }
    }
}

fn triangular(low: f64, mode: f64, high: f64, p: f64) -> f64 {
    let (width, rise) = (high - low, mode - low);
    if p * width < rise {
        low + libm::sqrt(p * width * rise)
    } else {
        high - libm::sqrt((1.0 - p) * width * (high - mode))
    }
}

#[cfg(test)]
mod tests;
