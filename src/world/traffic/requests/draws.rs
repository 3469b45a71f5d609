//! Numbers of a request: hashed from what it is, not from when anybody asks.
//!
//! A request has a key; what it draws is the key's hash with a number for each purpose. No other
//! request, and no other draw of the same one, moves it. Hash: the finaliser of SplitMix64
//! (G. L. Steele, D. Lea and C. H. Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA
//! 2014, variant 13 of D. Stafford), whose outputs for consecutive inputs pass BigCrush.

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

    /// A whole number below `n`, for `n` far below 2^32; 0 if that is 0. Its bias is below n / 2^64.
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

    /// Draws from it; `unit` gives numbers uniform in (0, 1).
    #[inline]
    pub fn draw(self, mut unit: impl FnMut() -> f64) -> f64 {
        match self {
            Law::Constant => 1.0,
            Law::Exponential => -libm::log(unit()),
            Law::Hyper { first } => {
                let u = unit();
                // One number tells which of the two, and how long.
                if u < first {
                    -libm::log(u / first) / (2.0 * first)
                } else {
                    -libm::log((u - first) / (1.0 - first)) / (2.0 * (1.0 - first))
                }
            }
            Law::Phases { phases, fewer } => {
                let n = if unit() < fewer { phases - 1 } else { phases };
                let sum: f64 = (0..n).map(|_| -libm::log(unit())).sum();
                sum / (f64::from(phases) - fewer)
            }
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
                let x = law.draw(|| draws.unit());
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
