//! Distributions, sampled by inversion on a pinned `libm`.

use super::rng::Stream;

/// A distribution of non-negative numbers.
#[derive(Clone, Debug, PartialEq)]
pub enum Distribution {
    /// Always the same.
    Constant(f64),
    /// Uniform between two numbers.
    Uniform(f64, f64),
    /// Exponential with this mean.
    Exponential(f64),
    /// Log-normal: median, and standard deviation of the logarithm.
    LogNormal(f64, f64),
}

impl Distribution {
    /// The log-normal distribution with this median and 99th percentile.
    pub fn lognormal_p50_p99(p50: f64, p99: f64) -> Distribution {
        Distribution::LogNormal(p50, libm::log(p99 / p50) / 2.326_347_874_040_841)
    }

    /// Draws a number.
    pub fn sample(&self, stream: &mut Stream) -> f64 {
        match self {
            Distribution::Constant(x) => *x,
            Distribution::Uniform(a, b) => a + (b - a) * stream.unit(),
            Distribution::Exponential(mean) => -libm::log(stream.unit_open()) * mean,
            Distribution::LogNormal(median, sigma) => {
                let (u, v) = (stream.unit_open(), stream.unit());
                let z = libm::sqrt(-2.0 * libm::log(u)) * libm::cos(std::f64::consts::TAU * v);
                median * libm::exp(sigma * z)
            }
        }
    }
}
