//! Histograms that forget: a sample's weight halves with each half-life.
//!
//! Source: kubernetes/autoscaler `vertical-pod-autoscaler/pkg/recommender/util/histogram.go`,
//! `decaying_histogram.go` and `histogram_options.go`, 1.7.1. Equal to it bit by bit, and so is
//! what it calls of Go's mathematics: powers of whole numbers and of two.

use crate::units::SimDuration;
use std::sync::LazyLock;

/// The least weight of any sample, before it decays (`minSampleWeight`).
pub const SAMPLE_WEIGHT: f64 = 0.1;
/// Buckets that weigh less count as empty.
const EPSILON: f64 = 0.001 * SAMPLE_WEIGHT;
/// A sample whose weight would have doubled more often than this begins a new reference.
const MOST_DOUBLINGS: i64 = 100;
/// Each bucket is so much wider than the one before.
const RATIO: f64 = 1.0 + 0.05;
/// Nanoseconds from the first day of Go's calendar to 1970.
const BEFORE_1970: i128 = 62_135_596_800_000_000_000;

/// Buckets of a resource, each a twentieth wider than the one before.
#[derive(Debug)]
pub struct Buckets {
    /// Where each begins.
    starts: Vec<f64>,
    /// Width of the first.
    first: f64,
}

/// Buckets of cores: the first is a hundredth wide, the last begins at a thousand or more.
pub static CPU: LazyLock<Buckets> = LazyLock::new(|| Buckets::new(1000.0, 0.01));
/// Buckets of bytes: the first is 10 MB wide, the last begins at a terabyte or more.
pub static MEMORY: LazyLock<Buckets> = LazyLock::new(|| Buckets::new(1e12, 1e7));

impl Buckets {
    fn new(most: f64, first: f64) -> Buckets {
        let number = log(most * (RATIO - 1.0) / first + 1.0).ceil() as usize + 1;
        let start = |n: usize| match n {
            0 => 0.0,
            _ => first * (power(RATIO, n as u32) - 1.0) / (RATIO - 1.0),
        };
        Buckets { starts: (0..number).map(start).collect(), first }
    }

    /// The bucket of a value.
    fn find(&self, value: f64) -> usize {
        if value < self.first {
            return 0;
        }
        let found = log(value * (RATIO - 1.0) / self.first + 1.0) as usize;
        found.min(self.starts.len() - 1)
    }
}

/// Logarithm to the base of the buckets' growth.
fn log(x: f64) -> f64 {
    libm::log(x) / libm::log(RATIO)
}

/// A whole power, by squares from the lowest digit of the exponent on.
pub fn power(base: f64, exponent: u32) -> f64 {
    let (mut product, mut square, mut left) = (1.0, base, exponent);
    while left != 0 {
        if left & 1 == 1 {
            product *= square;
        }
        square *= square;
        left >>= 1;
    }
    product
}

/// A power of two: reduction and polynomial as in Go, which has them from FreeBSD's `e_exp.c`.
fn exp2(x: f64) -> f64 {
    const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    const P: [f64; 5] = [
        1.666_666_666_666_666_6e-1,
        -2.777_777_777_701_559_3e-3,
        6.613_756_321_437_934e-5,
        -1.653_390_220_546_525_2e-6,
        4.138_136_797_057_238_5e-8,
    ];
    let whole = (if x < 0.0 { x - 0.5 } else { x + 0.5 }) as i32;
    let rest = x - f64::from(whole);
    let (high, low) = (rest * LN2_HIGH, -rest * LN2_LOW);
    let r = high - low;
    let t = r * r;
    let c = r - t * (P[0] + t * (P[1] + t * (P[2] + t * (P[3] + t * P[4]))));
    let y = 1.0 - ((low - (r * c) / (2.0 - c)) - high);
    libm::ldexp(y, whole)
}

/// A histogram.
#[derive(Clone, Debug)]
pub struct Histogram {
    buckets: &'static Buckets,
    half_life: SimDuration,
    /// When a sample weighs what it is given, nanoseconds since 1970: a whole number of half-lives
    /// since Go's first day. `None`: there has been no sample.
    reference: Option<i64>,
    weights: Vec<f64>,
    total: f64,
    /// First and last bucket that is not empty; in an empty histogram the last and the first.
    lowest: usize,
    highest: usize,
}

impl Histogram {
    /// An empty one.
    pub fn new(buckets: &'static Buckets, half_life: SimDuration) -> Histogram {
        let n = buckets.starts.len();
        Histogram {
            buckets,
            half_life,
            reference: None,
            weights: vec![0.0; n],
            total: 0.0,
            lowest: n - 1,
            highest: 0,
        }
    }

    /// A sample of an instant, nanoseconds since 1970.
    pub fn add(&mut self, value: f64, weight: f64, at: i64) {
        let weight = weight * self.growth(at);
        let bucket = self.buckets.find(value);
        self.weights[bucket] += weight;
        self.total += weight;
        if self.weights[bucket] >= EPSILON {
            self.lowest = self.lowest.min(bucket);
            self.highest = self.highest.max(bucket);
        }
    }

    /// Takes a sample back that was added.
    pub fn subtract(&mut self, value: f64, weight: f64, at: i64) {
        let weight = weight * self.growth(at);
        let left = |of: f64| if of - weight < EPSILON { 0.0 } else { of - weight };
        let bucket = self.buckets.find(value);
        self.total = left(self.total);
        self.weights[bucket] = left(self.weights[bucket]);
        self.narrow();
    }

    /// Adds what another one holds. The older reference of the two moves to the younger one, which
    /// may leave buckets of the other empty.
    pub fn merge(&mut self, other: &mut Histogram) {
        match (self.reference, other.reference) {
            (before, Some(after)) if before.is_none_or(|before| before < after) => {
                self.refer_to(after);
            }
            (Some(after), before) if before.is_none_or(|before| before < after) => {
                other.refer_to(after);
            }
            _ => {}
        }
        for bucket in other.lowest..=other.highest {
            self.weights[bucket] += other.weights[bucket];
        }
        self.total += other.total;
        self.lowest = self.lowest.min(other.lowest);
        self.highest = self.highest.max(other.highest);
    }

    /// Where the bucket ends below or in which this part of the weight lies; 0 without samples.
    pub fn percentile(&self, part: f64) -> f64 {
        if self.weights[self.lowest] < EPSILON {
            return 0.0;
        }
        let (threshold, mut sum) = (part * self.total, 0.0);
        let reaches = |bucket: &usize| {
            sum += self.weights[*bucket];
            sum >= threshold
        };
        let bucket = (self.lowest..self.highest).find(reaches).unwrap_or(self.highest);
        self.buckets.starts[(bucket + 1).min(self.weights.len() - 1)]
    }

    /// Sum of all weights.
    pub fn total(&self) -> f64 {
        self.total
    }

    /// By what the weight of a sample of this instant is multiplied.
    fn growth(&mut self, at: i64) -> f64 {
        let most = self.half_life.0 as i64 * MOST_DOUBLINGS;
        if self.reference.is_none_or(|reference| at > reference.saturating_add(most)) {
            self.refer_to(at);
        }
        let since = at - self.reference.unwrap_or(at);
        exp2(since as f64 / self.half_life.0 as f64)
    }

    /// Moves the reference to the whole half-life next to an instant.
    fn refer_to(&mut self, at: i64) {
        let (absolute, half_life) = (i128::from(at) + BEFORE_1970, i128::from(self.half_life.0));
        let beyond = absolute.rem_euclid(half_life);
        let up = if beyond * 2 < half_life { 0 } else { half_life };
        let reference = (absolute - beyond + up - BEFORE_1970) as i64;
        if let Some(before) = self.reference {
            let lives = (before - reference) as f64 / self.half_life.0 as f64;
            let factor = libm::ldexp(1.0, (lives + 0.5).floor() as i32);
            for bucket in self.lowest..=self.highest {
                self.weights[bucket] *= factor;
            }
            self.total *= factor;
            self.narrow();
        }
        self.reference = Some(reference);
    }

    /// Weights have become less: buckets at both ends may be empty now.
    fn narrow(&mut self) {
        let last = self.weights.len() - 1;
        while self.weights[self.lowest] < EPSILON && self.lowest < last {
            self.lowest += 1;
        }
        while self.weights[self.highest] < EPSILON && self.highest > 0 {
            self.highest -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000_000_000;

    #[test]
    fn buckets_grow_by_a_twentieth() {
        assert_eq!((CPU.starts.len(), MEMORY.starts.len()), (176, 176));
        let width = |n: usize| CPU.starts[n + 1] - CPU.starts[n];
        assert!((width(1) / width(0) - 1.05).abs() < 1e-9 && (width(0) - 0.01).abs() < 1e-12);
        let rows = [("nothing", 0.0, 0), ("just below", 0.00999, 0), ("at the start", 0.0101, 1)];
        for (sentence, value, bucket) in rows {
            assert_eq!(CPU.find(value), bucket, "{sentence}");
        }
        assert_eq!(CPU.find(1e9), 175, "the last has no end");
    }

    #[test]
    fn the_past_is_forgotten_by_halves() {
        let mut histogram = Histogram::new(&CPU, SimDuration(DAY as u64));
        assert_eq!(histogram.percentile(0.9), 0.0, "nothing is known");
        // Eight samples of a core, and a day later five of two: 4 against 5 of today's.
        for _ in 0..8 {
            histogram.add(1.0, 0.1, 0);
        }
        for _ in 0..5 {
            histogram.add(2.0, 0.1, DAY);
        }
        let near = |found: f64, value: f64| found >= value && found < value * 1.06;
        assert!(near(histogram.percentile(4.0 / 9.0 - 1e-9), 1.0));
        assert!(near(histogram.percentile(4.0 / 9.0 + 1e-9), 2.0));
        histogram.subtract(2.0, 0.5, DAY);
        assert!(near(histogram.percentile(1.0), 1.0), "what was taken back is gone");
        let (before, total) = (histogram.percentile(0.9), histogram.total());
        histogram.add(1.0, 0.0, 200 * DAY);
        assert_eq!(histogram.percentile(0.9), 0.0, "after half a year nothing is left of it");
        assert!(before > 1.0 && total > 0.5);
    }

    #[test]
    fn powers_of_two_are_what_they_are() {
        for tenth in -1000..=1000 {
            let x = f64::from(tenth) / 10.0;
            let gap = exp2(x) / libm::exp2(x) - 1.0;
            assert!(gap.abs() < 1e-15, "{x}: {gap}");
        }
        assert_eq!(exp2(3.0), 8.0);
    }
}
