//! A weighted histogram of latencies with logarithmic bins: merging is addition, so order is
//! nothing.
//!
//! It knows nothing of where latencies come from.

use super::rows::Quantiles;
use std::ops::Range;

/// Bins per doubling: a bin's middle is within 2.2 % of every value in it.
const BINS_PER_OCTAVE: usize = 16;
/// The smallest latency told apart, seconds.
const SMALLEST: f64 = 1e-5;
/// Octaves above the smallest: up to about 2,900 hours.
const OCTAVES: usize = 40;

/// Where bins within an octave begin: the fractions, in bits, of the numbers not below 2^(k/16).
/// The last one is where the next octave begins. A test recomputes them.
const BEGINNINGS: [u64; BINS_PER_OCTAVE + 1] = [
    0,
    0x0_b558_6cf9_8910,
    0x1_72b8_3c7d_517b,
    0x2_387a_6e75_6239,
    0x3_06fe_0a31_b716,
    0x3_dea6_4c12_3423,
    0x4_bfda_d536_2a28,
    0x5_ab07_dd48_542a,
    0x6_a09e_667f_3bcd,
    0x7_a114_73eb_0187,
    0x8_ace5_422a_a0dc,
    0x9_c491_82a3_f091,
    0xa_e89f_995a_d3ae,
    0xc_199b_dd85_529d,
    0xd_5818_dcfb_a488,
    0xe_a4af_a2a4_90da,
    1 << 52,
];

/// The bin in which each 256th of an octave begins: no 256th holds two beginnings.
const COARSE: [u8; 256] = {
    let (mut coarse, mut part) = ([0; 256], 0);
    while part < 256 {
        let mut bin = 0;
        while BEGINNINGS[bin + 1] <= (part as u64) << 44 {
            bin += 1;
        }
        coarse[part] = bin as u8;
        part += 1;
    }
    coarse
};

/// So close to the beginning of a bin a rounded logarithm may say the other one: a unit in its last
/// place, of numbers up to 40, is 45 of those of the number whose logarithm it is.
const CLOSE: u64 = 1 << 10;

/// The bin of a latency that is `x` times the smallest one: what [`bin_by_logarithm`] says, found
/// from the bits of `x`, as HdrHistogram does it.
#[inline]
fn bin_of(x: f64) -> usize {
    let bits = x.max(1.0).to_bits();
    let (octave, fraction) = ((bits >> 52) as usize - 1023, bits & ((1 << 52) - 1));
    let coarse = COARSE[(fraction >> 44) as usize] as usize;
    let within = coarse + usize::from(fraction >= BEGINNINGS[coarse + 1]);
    if fraction - BEGINNINGS[within] < CLOSE || BEGINNINGS[within + 1] - fraction <= CLOSE {
        return bin_by_logarithm(x);
    }
    (octave * BINS_PER_OCTAVE + within).min(BINS_PER_OCTAVE * OCTAVES - 1)
}

/// The bin of a latency that is `x` times the smallest one, by definition.
fn bin_by_logarithm(x: f64) -> usize {
    let bin = (libm::log2(x.max(1.0)) * BINS_PER_OCTAVE as f64) as usize;
    bin.min(BINS_PER_OCTAVE * OCTAVES - 1)
}

/// How many requests (a weight, not necessarily whole) took how long.
#[derive(Clone, Debug, Default)]
pub struct LatencyHistogram {
    /// One per bin; nothing at all before the first one.
    weights: Vec<f64>,
    /// Bins outside of this range are empty.
    used: Range<usize>,
    total: f64,
    sum: f64,
}

impl LatencyHistogram {
    /// Adds `weight` requests of `seconds` each.
    pub fn add(&mut self, seconds: f64, weight: f64) {
        let bin = bin_of(seconds / SMALLEST);
        self.fill(bin, weight);
        self.total += weight;
        self.sum += seconds * weight;
    }

    /// Adds one request of so many nanoseconds.
    #[inline]
    pub fn add_one(&mut self, nanos: u64) {
        let bin = bin_of(nanos as f64 / (SMALLEST * 1e9));
        self.fill(bin, 1.0);
        self.total += 1.0;
        self.sum += nanos as f64 * 1e-9;
    }

    #[inline]
    fn fill(&mut self, bin: usize, weight: f64) {
        if !self.used.contains(&bin) {
            self.widen(bin..bin + 1);
        }
        self.weights[bin] += weight;
    }

    /// Makes room for weight in these bins.
    fn widen(&mut self, bins: Range<usize>) {
        self.weights.resize(BINS_PER_OCTAVE * OCTAVES, 0.0);
        self.used = if self.used.is_empty() {
            bins
        } else {
            self.used.start.min(bins.start)..self.used.end.max(bins.end)
        };
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &LatencyHistogram) {
        if other.used.is_empty() {
            return;
        }
        self.widen(other.used.clone());
        let theirs = &other.weights[other.used.clone()];
        for (mine, theirs) in self.weights[other.used.clone()].iter_mut().zip(theirs) {
            *mine += theirs;
        }
        self.total += other.total;
        self.sum += other.sum;
    }

    /// What is left without `part`, which was merged into it before.
    pub fn without(&self, part: &LatencyHistogram) -> LatencyHistogram {
        // Sums of floats: what should be nothing may be a last digit.
        let left = |(all, gone): (&f64, f64)| {
            let left = all - gone;
            if left > all * 1e-9 { left } else { 0.0 }
        };
        let gone = part.weights.iter().copied().chain(std::iter::repeat(0.0));
        let weights: Vec<f64> = self.weights.iter().zip(gone).map(left).collect();
        let total = weights.iter().sum();
        LatencyHistogram { weights, used: self.used.clone(), total, sum: self.sum - part.sum }
    }

    /// Forgets everything, keeping the memory.
    pub fn clear(&mut self) {
        self.weights[std::mem::take(&mut self.used)].fill(0.0);
        self.total = 0.0;
        self.sum = 0.0;
    }

    /// Total weight.
    pub fn total(&self) -> f64 {
        self.total
    }

    /// Mean in seconds; `None` when empty.
    pub fn mean(&self) -> Option<f64> {
        (self.total > 0.0).then(|| self.sum / self.total)
    }

    /// The smallest bin middle that at least share `p` of the weight lies at or below.
    pub fn quantile(&self, p: f64) -> Option<f64> {
        self.at([p]).map(|[found]| found)
    }

    /// Those of several shares, in ascending order.
    fn at<const N: usize>(&self, shares: [f64; N]) -> Option<[f64; N]> {
        if self.total <= 0.0 {
            return None;
        }
        let (mut seen, mut last, mut found) = (0.0, 0, 0);
        let mut bins = [0; N];
        let used = self.used.clone();
        for (bin, weight) in used.clone().zip(&self.weights[used]).filter(|(_, w)| **w > 0.0) {
            seen += weight;
            last = bin;
            while found < N && seen >= shares[found] * self.total {
                bins[found] = bin;
                found += 1;
            }
            if found == N {
                break;
            }
        }
        // A last share that sums of weights miss by a digit.
        bins[found..].fill(last);
        let middle = |bin| SMALLEST * libm::exp2((bin as f64 + 0.5) / BINS_PER_OCTAVE as f64);
        Some(bins.map(middle))
    }

    /// The quantiles of a row.
    pub fn quantiles(&self) -> Option<Quantiles> {
        let [p50, p95, p99, p999] = self.at([0.50, 0.95, 0.99, 0.999])?;
        Some(Quantiles { p50, p95, p99, p999 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_a_bin_of_the_truth() {
        let mut histogram = LatencyHistogram::default();
        for i in 1..=1000 {
            histogram.add(f64::from(i) / 1000.0, 2.0);
        }
        let all = histogram.quantiles().unwrap();
        let truths = [(0.5, all.p50), (0.95, all.p95), (0.99, all.p99), (0.999, all.p999)];
        for (p, told) in truths {
            let (truth, ours) = (p, histogram.quantile(p).unwrap());
            assert_eq!(told, ours, "at once or one by one");
            assert!((ours / truth - 1.0).abs() < 0.045, "p{p}: {ours}");
        }
        assert!((histogram.mean().unwrap() - 0.5005).abs() < 1e-9);
    }

    #[test]
    fn a_bin_is_found_without_a_logarithm() {
        for (k, begins) in BEGINNINGS.iter().enumerate().take(BINS_PER_OCTAVE) {
            let truth = libm::exp2(k as f64 / 16.0).to_bits() & ((1 << 52) - 1);
            assert!(begins.abs_diff(truth) <= 1, "bin {k}");
        }
        // Every number close to a beginning, in all octaves, and past the last one.
        for octave in 0..=OCTAVES as u64 {
            for begins in &BEGINNINGS[..BINS_PER_OCTAVE] {
                let middle = ((1023 + octave) << 52) | begins;
                for bits in middle - 3 * CLOSE..middle + 3 * CLOSE {
                    let x = f64::from_bits(bits);
                    assert_eq!(bin_of(x), bin_by_logarithm(x), "{x:e}");
                }
            }
        }
        // And numbers of any size in between.
        for step in 0..200_000u64 {
            let spread = step.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (45 << 52);
            let x = f64::from_bits((1020 << 52) + spread);
            assert_eq!(bin_of(x), bin_by_logarithm(x), "{x:e}");
        }
        for x in [0.0, -1.0, 1.0, f64::NAN, f64::INFINITY, f64::MAX] {
            assert_eq!(bin_of(x), bin_by_logarithm(x), "{x:e}");
        }
    }

    #[test]
    fn a_part_can_be_taken_out() {
        let (mut all, mut slow) = (LatencyHistogram::default(), LatencyHistogram::default());
        for _ in 0..1000 {
            all.add(0.1, 0.1);
            slow.add(10.0, 0.3);
        }
        let fast = all.clone();
        all.merge(&slow);
        assert_eq!(all.without(&slow).quantiles(), fast.quantiles());
        assert_eq!(all.without(&all).quantiles(), None);
    }

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(LatencyHistogram::default().quantiles(), None);
    }
}
