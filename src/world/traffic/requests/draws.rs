//! Numbers of a request: hashed from what it is, not from when anybody asks.
//!
//! A request has a key; what it draws is the key's hash with a number for each purpose. No other
//! request, and no other draw of the same one, moves it. Hash: the finaliser of SplitMix64
//! (G. L. Steele, D. Lea and C. H. Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA
//! 2014, variant 13 of D. Stafford), whose outputs for consecutive inputs pass BigCrush.

use std::sync::LazyLock;

/// The odd number nearest to 2^64 over the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// What a request draws for. Each purpose has so many numbers of its own that none overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Purpose {
    /// Which pod gets it.
    Balance = 1 << 32,
    /// Its work.
    Work = 2 << 32,
    /// How long its user thinks afterwards.
    Think = 3 << 32,
    /// Which calls it makes.
    Calls = 4 << 32,
    /// How long it waits before another try.
    Back = 5 << 32,
    /// Which client sends it.
    Client = 6 << 32,
    /// Which node it comes to from outside.
    Door = 7 << 32,
}

/// Stirs 64 bits: every bit of the result depends on every bit.
#[inline]
pub fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The key of the `number`-th of something that has a key itself.
#[inline]
pub fn key_of(parent: u64, number: u64) -> u64 {
    mix(parent.wrapping_add(number.wrapping_add(1).wrapping_mul(GOLDEN)))
}

/// Uniform in (0, 1), never 0 nor 1.
#[inline]
pub fn unit_open(bits: u64) -> f64 {
    ((bits >> 12) as f64 + 0.5) / (1u64 << 52) as f64
}

/// The numbers of one key for one purpose, one after the other.
#[derive(Clone, Debug)]
pub struct Draws {
    state: u64,
}

impl Draws {
    /// From the first on.
    #[inline]
    pub fn new(key: u64, purpose: Purpose) -> Draws {
        Draws { state: key.wrapping_add((purpose as u64).wrapping_mul(GOLDEN)) }
    }

    /// 64 random bits.
    #[inline]
    pub fn next_u64(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// Uniform in (0, 1).
    #[inline]
    pub fn unit(&mut self) -> f64 {
        unit_open(self.next_u64())
    }

    /// A whole number below `n`, for `n` far below 2^32; 0 if that is 0. Its bias is at most
    /// n / 2^64.
    #[inline]
    pub fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next_u64()) * n as u128) >> 64) as usize
    }
}

/// A law of positive numbers with mean 1: of a request's work, or of the gaps between arrivals.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Law {
    /// Always 1.
    Constant,
    /// Exponential.
    Exponential,
    /// Two exponentials with balanced means: variance above 1.
    Hyper {
        /// Chance of the first, the shorter one.
        first: f64,
    },
    /// A sum of `phases` exponentials, or of one fewer: variance below 1.
    Phases {
        /// How many.
        phases: u32,
        /// Chance that it is one fewer.
        fewer: f64,
    },
}

/// More phases than this are taken for a constant: their variance is below a hundredth.
const MOST_PHASES: f64 = 100.0;

impl Law {
    /// The law of mean 1 with this squared coefficient of variation: hyperexponential with balanced
    /// means above 1, a mixture of two Erlang laws below (H. C. Tijms, Stochastic Models, 1994,
    /// appendix B), exponential at 1. Below 0.01 it is constant.
    pub fn of_scv(scv: f64) -> Law {
        if scv.is_nan() || scv < 1.0 / MOST_PHASES {
            return Law::Constant;
        }
        if (scv - 1.0).abs() < 1e-9 {
            return Law::Exponential;
        }
        if scv > 1.0 {
            let first = (1.0 + libm::sqrt((scv - 1.0) / (scv + 1.0))) / 2.0;
            return Law::Hyper { first };
        }
        let k = libm::ceil(1.0 / scv);
        let root = libm::sqrt((k * (1.0 + scv) - k * k * scv).max(0.0));
        Law::Phases { phases: k as u32, fewer: (k * scv - root) / (1.0 + scv) }
    }

    /// Draws from it; `bits` gives 64 random bits each time.
    #[inline]
    pub fn draw(self, mut bits: impl FnMut() -> u64) -> f64 {
        match self {
            Law::Constant => 1.0,
            Law::Exponential => exponential(bits),
            Law::Hyper { first } => {
                let rate = if unit_open(bits()) < first { first } else { 1.0 - first };
                exponential(bits) / (2.0 * rate)
            }
            Law::Phases { phases, fewer } => {
                let n = if unit_open(bits()) < fewer { phases - 1 } else { phases };
                let sum: f64 = (0..n).map(|_| exponential(&mut bits)).sum();
                sum / (f64::from(phases) - fewer)
            }
        }
    }
}

/// Layers of the ziggurat.
const LAYERS: usize = 256;
/// Where the lowest layer's rectangle ends, and the area of each layer.
const TAIL: f64 = 7.697_117_470_131_05;
const AREA: f64 = 0.003_949_659_822_581_557;

/// The right ends of the layers, from the lowest up, and the density there.
static ZIGGURAT: LazyLock<[(f64, f64); LAYERS + 1]> = LazyLock::new(|| {
    let mut layers = [(0.0, 1.0); LAYERS + 1];
    layers[0] = (AREA / libm::exp(-TAIL), libm::exp(-TAIL));
    let mut x = TAIL;
    for layer in layers.iter_mut().take(LAYERS).skip(1) {
        let density = libm::exp(-x);
        *layer = (x, density);
        x = -libm::log(density + AREA / x);
    }
    layers
});

/// Exponential with mean 1, by the ziggurat (G. Marsaglia and W. W. Tsang, "The Ziggurat Method for
/// Generating Random Variables", Journal of Statistical Software 5(8), 2000): exact, and nearly
/// always without a logarithm.
#[inline]
fn exponential(mut bits: impl FnMut() -> u64) -> f64 {
    let layers = &*ZIGGURAT;
    loop {
        let random = bits();
        // The layer's bits are none of those that make the number.
        let layer = (random & 0xff) as usize;
        let x = unit_open(random) * layers[layer].0;
        if x < layers[layer + 1].0 {
            return x;
        }
        if layer == 0 {
            return TAIL - libm::log(unit_open(bits()));
        }
        let (low, high) = (layers[layer].1, layers[layer + 1].1);
        if low + unit_open(bits()) * (high - low) < libm::exp(-x) {
            return x;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws_have_mean_one_and_their_variance() {
        for scv in [0.0, 0.02, 0.1, 0.3, 0.5, 0.9, 1.0, 1.5, 4.0, 10.0] {
            let law = Law::of_scv(scv);
            let n = 400_000u32;
            let (mut sum, mut squares) = (0.0, 0.0);
            for i in 0..n {
                let mut draws = Draws::new(key_of(7, i.into()), Purpose::Work);
                let x = law.draw(|| draws.next_u64());
                assert!(x > 0.0 && x.is_finite());
                sum += x;
                squares += x * x;
            }
            let mean = sum / f64::from(n);
            let found = squares / f64::from(n) / (mean * mean) - 1.0;
            assert!((mean - 1.0).abs() < 0.012, "{scv}: mean {mean}");
            assert!((found - scv).abs() < 0.02 + 0.05 * scv, "{scv}: {found}");
        }
    }

    #[test]
    fn exponential_numbers_have_the_distribution_function_of_theory() {
        let n = 400_000;
        let mut all: Vec<f64> = (0..n)
            .map(|i| {
                let mut draws = Draws::new(key_of(11, i), Purpose::Work);
                Law::Exponential.draw(|| draws.next_u64())
            })
            .collect();
        all.sort_unstable_by(f64::total_cmp);
        // Kolmogorov and Smirnov, p = 0.001; the tail beyond the last layer for itself.
        let most = all.iter().enumerate().map(|(i, x)| {
            let theory = -libm::expm1(-x);
            (theory - i as f64 / n as f64).abs().max((theory - (i + 1) as f64 / n as f64).abs())
        });
        let most = most.fold(0.0, f64::max);
        assert!(most * (n as f64).sqrt() < 1.95, "{most}");
        let tail = all.iter().filter(|x| **x > TAIL).count() as f64;
        let expected = n as f64 * libm::exp(-TAIL);
        assert!((tail - expected).abs() < 4.0 * expected.sqrt(), "{tail}, not {expected}");
        let last = ZIGGURAT[LAYERS - 1];
        assert!((last.0 * (1.0 - last.1) - AREA).abs() < 1e-12, "the layers close: {last:?}");
    }

    #[test]
    fn keys_and_purposes_do_not_meet() {
        let keys = (0..1000).map(|i| key_of(1, i)).chain((0..1000).map(|i| key_of(2, i)));
        let purposes = [Purpose::Balance, Purpose::Work, Purpose::Think];
        let mut all: Vec<u64> = keys
            .flat_map(|key| purposes.map(|p| Draws::new(key, p)))
            .flat_map(|mut draws| [draws.next_u64(), draws.next_u64()])
            .collect();
        all.sort_unstable();
        let n = all.len();
        all.dedup();
        assert_eq!(all.len(), n);
    }

    #[test]
    fn small_numbers_are_uniform() {
        let mut counts = [0u32; 7];
        for i in 0..70_000 {
            counts[Draws::new(key_of(3, i), Purpose::Balance).below(7)] += 1;
        }
        let square = |x: f64| x * x;
        let chi2: f64 = counts.iter().map(|c| square(f64::from(*c) - 1e4) / 1e4).sum();
        assert!(chi2 < 22.46, "chi-square with 6 degrees of freedom, p = 0.001: {chi2}");
        assert_eq!(Draws::new(1, Purpose::Balance).below(1), 0);
    }
}
