//! Named random streams: one independent generator per purpose and entity.
//!
//! A stream is a function of (root seed, purpose, entity) and of nothing else. One more pod, one
//! more draw or one more stream elsewhere moves no draw of any other, so two policies that are
//! compared at one seed see the same arrivals, failures and boot times. This file does not know
//! what its numbers are used for.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The root of all streams of a run.
///
/// It has no state: asking for a stream twice gives the same stream from its start.
#[derive(Clone, Copy, Debug)]
pub struct Streams {
    seed: u64,
}

impl Streams {
    /// Streams that depend on `root_seed`.
    pub fn new(root_seed: u64) -> Streams {
        Streams { seed: root_seed }
    }

    /// The stream of `purpose` for `entity`: the same whoever else draws what.
    ///
    /// The key of its generator is the BLAKE3 hash of seed, entity (8 bytes each, little-endian)
    /// and purpose; what is of variable length stands last, so no two names hash the same bytes.
    pub fn stream(&self, purpose: &str, entity: u64) -> Stream {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.seed.to_le_bytes());
        hasher.update(&entity.to_le_bytes());
        hasher.update(purpose.as_bytes());
        Stream { rng: ChaCha8Rng::from_seed(*hasher.finalize().as_bytes()) }
    }
}

/// One stream: ChaCha with 8 rounds (Bernstein 2008), and the few draws the kernel vouches for.
///
/// `rand`'s own ranges and shuffles may change their values in a minor release; the ones below
/// are part of the promise of equal bytes.
#[derive(Clone, Debug)]
pub struct Stream {
    rng: ChaCha8Rng,
}

impl Stream {
    /// 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.rng.next_u64()
    }

    /// A uniform whole number below `n`, without bias.
    ///
    /// Source: D. Lemire, "Fast Random Integer Generation in an Interval", ACM TOMACS 29(1), 2019.
    ///
    /// # Panics
    /// If `n` is 0: there is no such number.
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "no whole number is below 0");
        let mut product = u128::from(self.next_u64()) * u128::from(n);
        if (product as u64) < n {
            let threshold = n.wrapping_neg() % n;
            while (product as u64) < threshold {
                product = u128::from(self.next_u64()) * u128::from(n);
            }
        }
        (product >> 64) as u64
    }

    /// Uniform in [0, 1): a multiple of 2^-53.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in (0, 1): an odd multiple of 2^-53, symmetric about 1/2, never 0 nor 1.
    pub fn unit_open(&mut self) -> f64 {
        ((self.next_u64() >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    /// Brings `items` into a uniformly random order (Fisher and Yates, last place first).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let chosen = self.below(last as u64 + 1) as usize;
            items.swap(last, chosen);
        }
    }

    /// One of `items`, each as likely as the others; `None`, and no draw, if there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        if items.is_empty() {
            return None;
        }
        items.get(self.below(items.len() as u64) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn first(mut stream: Stream, n: usize) -> Vec<u64> {
        (0..n).map(|_| stream.next_u64()).collect()
    }

    fn square(x: f64) -> f64 {
        x * x
    }

    #[test]
    fn the_generator_is_chacha8() {
        // The published key stream of ChaCha8 with a key and nonce of zeros
        // (draft-strombergson-chacha-test-vectors-01, TC1).
        let published = "3e00ef2f895f40d67f5bb8e81f09a5a12c840ec3ce9a7f3b181be188ef711a1e";
        let mut bytes = [0u8; 32];
        ChaCha8Rng::from_seed([0; 32]).fill_bytes(&mut bytes);
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(hex, published);
    }

    #[test]
    fn golden_values() {
        let mut stream = Streams::new(42).stream("boot", 7);
        let draws: Vec<u64> = (0..3).map(|_| stream.next_u64()).collect();
        assert_eq!(
            draws,
            [7_052_381_857_837_597_606, 13_873_460_796_469_861_511, 5_060_396_915_851_413_222]
        );
        let below = [stream.below(10), stream.below(1000), stream.below(u64::MAX)];
        assert_eq!(below, [2, 193, 16_504_042_328_075_440_166]);
        let units = [stream.unit(), stream.unit_open()];
        let mut order: Vec<u8> = (0..10).collect();
        stream.shuffle(&mut order);
        let picked = stream.pick(&["a", "b", "c", "d"]).copied();
        assert_eq!(units, [0.665_313_236_487_612_5, 0.525_297_142_575_395_7]);
        assert_eq!(order, [1, 2, 0, 8, 4, 6, 9, 5, 3, 7]);
        assert_eq!(picked, Some("d"));
    }

    #[test]
    fn a_long_stream_keeps_its_bytes() {
        let mut hasher = blake3::Hasher::new();
        for draw in first(Streams::new(1).stream("long", 0), 100_000) {
            hasher.update(&draw.to_le_bytes());
        }
        assert_eq!(
            hasher.finalize().to_hex().as_str(),
            "1b3acdd2e8bae2ce2c1ca5dd20f6f598c72bc35678419e50ed99855d38b3e1db"
        );
    }

    #[test]
    fn nothing_elsewhere_moves_a_stream() {
        let streams = Streams::new(5);
        let expected = first(streams.stream("arrivals", 3), 1000);
        let (mut other, mut tested) =
            (streams.stream("failures", 3), streams.stream("arrivals", 3));
        for (i, value) in expected.iter().enumerate() {
            for _ in 0..i % 7 {
                other.next_u64();
            }
            let _ = streams.stream("new", i as u64).below(6);
            assert_eq!(tested.next_u64(), *value, "draw {i} moved");
        }
    }

    #[test]
    fn every_part_of_the_name_counts() {
        let names = [
            (1, "a", 1),
            (2, "a", 1),
            (1, "b", 1),
            (1, "a", 2),
            (1, "", 1),
            (1, "a\u{1}", 1),
            (1, "aa", 1),
            (256, "a", 1),
            (1, "a", 256),
        ];
        let starts: BTreeSet<u64> = names
            .iter()
            .map(|(seed, purpose, entity)| Streams::new(*seed).stream(purpose, *entity).next_u64())
            .collect();
        assert_eq!(starts.len(), names.len());
    }

    #[test]
    fn small_ranges_are_uniform() {
        let mut stream = Streams::new(9).stream("uniform", 0);
        let (n, draws) = (7u64, 70_000u64);
        let mut counts = [0u64; 7];
        for _ in 0..draws {
            counts[stream.below(n) as usize] += 1;
        }
        let expected = (draws / n) as f64;
        let chi2: f64 = counts.iter().map(|c| square(*c as f64 - expected) / expected).sum();
        assert!(chi2 < 22.46, "chi-square with 6 degrees of freedom, p = 0.001: {chi2}");
    }

    #[test]
    fn large_ranges_have_no_bias() {
        // Without the rejection the lower half of 3 * 2^62 would come up twice in three draws.
        let mut stream = Streams::new(9).stream("bias", 0);
        let n = 3u64 << 62;
        let draws = 30_000;
        let third = (0..draws).filter(|_| stream.below(n) < n / 3).count() as f64;
        let deviation = (third - 10_000.0) / (30_000.0f64 * (1.0 / 3.0) * (2.0 / 3.0)).sqrt();
        assert!(deviation.abs() < 4.0, "{third} of {draws}");
    }

    #[test]
    fn shuffles_reach_every_order_equally() {
        let mut stream = Streams::new(3).stream("orders", 0);
        let mut counts = std::collections::BTreeMap::new();
        for _ in 0..24_000 {
            let mut order = [0u8, 1, 2, 3];
            stream.shuffle(&mut order);
            *counts.entry(order).or_insert(0u32) += 1;
        }
        assert_eq!(counts.len(), 24);
        let chi2: f64 = counts.values().map(|c| square(f64::from(*c) - 1000.0) / 1000.0).sum();
        assert!(chi2 < 49.73, "chi-square with 23 degrees of freedom, p = 0.001: {chi2}");
    }

    #[test]
    fn edges() {
        let mut stream = Streams::new(0).stream("edges", 0);
        assert_eq!(stream.below(1), 0, "one choice is no choice");
        assert_eq!(stream.pick::<u8>(&[]), None, "nothing to pick from");
        stream.shuffle::<u8>(&mut []);
        for _ in 0..10_000 {
            let (half_open, open) = (stream.unit(), stream.unit_open());
            assert!((0.0..1.0).contains(&half_open) && open > 0.0 && open < 1.0);
        }
    }

    #[test]
    #[should_panic(expected = "no whole number is below 0")]
    fn nothing_is_below_zero() {
        Streams::new(0).stream("zero", 0).below(0);
    }
}
