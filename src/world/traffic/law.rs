//! Laws of the work of a request around its mean, by their squared coefficient of variation.
//!
//! 1 is the exponential law, 0 a constant, below 1 the gamma law, above 1 two exponential ones with
//! balanced means (H. C. Tijms, A First Course in Stochastic Models, 2003, appendix B). Each is cut
//! into slices, which is all that latencies need of it.

/// Slices of a law with mean 1: (share, mean within it). Their means weigh up to 1.
pub type Shape = [(f64, f64); 8];

/// Where laws are cut: quantiles.
const CUTS: [f64; 9] = [0.0, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 1.0];

/// Slices of the exponential distribution with mean 1.
///
/// With a = -ln(1 - p) at a cut, the mean within a slice is
/// ((1+a1) e^-a1 - (1+a2) e^-a2) / (e^-a1 - e^-a2); a test recomputes the table.
pub const EXPONENTIAL: Shape = [
    (0.25, 0.136_953_782_644_657_7),
    (0.25, 0.476_751_856_235_451_6),
    (0.25, 1.0),
    (0.15, 1.775_433_873_203_787_5),
    (0.05, 2.609_437_912_434_100_3),
    (0.04, 3.593_372_795_445_465),
    (0.009, 5.349_327_397_877_643),
    (0.001, 7.907_755_278_982_137),
];

/// Slices of the law with mean 1 and this squared coefficient of variation.
pub fn shape(scv: f64) -> Shape {
    if scv == 1.0 {
        return EXPONENTIAL;
    }
    if scv < 1e-6 {
        return EXPONENTIAL.map(|(share, _)| (share, 1.0));
    }
    // Share above x, and the part of the mean that lies above x.
    let above = |x: f64| if scv > 1.0 { hyperexponential(scv, x) } else { gamma(scv, x) };
    let (mut from, mut slices) = (1.0, EXPONENTIAL);
    for (i, slice) in slices.iter_mut().enumerate() {
        let to = if i == 7 { 0.0 } else { above(quantile(&above, CUTS[i + 1])).1 };
        slice.1 = (from - to) / slice.0;
        from = to;
    }
    slices
}

/// The x below which this share lies.
fn quantile(above: &impl Fn(f64) -> (f64, f64), share: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    while above(high).0 > 1.0 - share && high < 1e9 {
        high *= 2.0;
    }
    for _ in 0..80 {
        let middle = (low + high) / 2.0;
        if above(middle).0 > 1.0 - share { low = middle } else { high = middle }
    }
    high
}

fn hyperexponential(scv: f64, x: f64) -> (f64, f64) {
    let p = (1.0 + libm::sqrt((scv - 1.0) / (scv + 1.0))) / 2.0;
    let of = |p: f64| {
        let left = libm::exp(-2.0 * p * x);
        (p * left, p * (x + 1.0 / (2.0 * p)) * left)
    };
    let (a, b) = (of(p), of(1.0 - p));
    (a.0 + b.0, a.1 + b.1)
}

fn gamma(scv: f64, x: f64) -> (f64, f64) {
    let a = 1.0 / scv;
    (1.0 - gamma_below(a, x / scv), 1.0 - gamma_below(a + 1.0, x / scv))
}

/// The regularised lower incomplete gamma function, by its series (Abramowitz and Stegun 6.5.29).
fn gamma_below(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    let (mut sum, mut term, mut n) = (1.0, 1.0, a);
    while term > sum * 1e-16 {
        n += 1.0;
        term *= x / n;
        sum += term;
    }
    let first = libm::exp(a * libm::log(x) - x - libm::lgamma(a + 1.0));
    f64::min(first * sum, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slices_are_those_of_the_exponential_distribution() {
        let anti = |a: f64| if a.is_finite() { (1.0 + a) * libm::exp(-a) } else { 0.0 };
        for (i, (share, mean)) in EXPONENTIAL.iter().enumerate() {
            let from = -libm::log1p(-CUTS[i]);
            let to = if i == 7 { f64::INFINITY } else { -libm::log1p(-CUTS[i + 1]) };
            let truth = (anti(from) - anti(to)) / share;
            assert!((mean - truth).abs() < 1e-9, "slice {i}: {mean} is not {truth}");
        }
    }

    #[test]
    fn every_law_has_mean_one_and_its_variation() {
        for scv in [0.0, 0.01, 0.25, 0.5, 0.999, 1.0, 1.001, 2.0, 4.0, 20.0] {
            let slices = shape(scv);
            let mean: f64 = slices.iter().map(|(share, x)| share * x).sum();
            assert!((mean - 1.0).abs() < 1e-9, "{scv}: {mean}");
            assert!(slices.windows(2).all(|pair| pair[0].1 <= pair[1].1), "{scv}: {slices:?}");
            // What varies within slices is lost: never more than there is.
            let square: f64 = slices.iter().map(|(share, x)| share * x * x).sum();
            assert!(square - 1.0 <= scv + 1e-9, "{scv}: {square}");
            assert!(square - 1.0 >= scv * 0.7 - 1e-9, "{scv}: {square}");
        }
    }

    #[test]
    fn laws_meet_at_the_exponential_one() {
        for (a, b) in [(0.999_999, 1.0), (1.0, 1.000_001)] {
            for (x, y) in shape(a).iter().zip(shape(b)) {
                assert!((x.1 - y.1).abs() < 2e-3 * y.1, "{a} {b}: {x:?} {y:?}");
            }
        }
    }
}
