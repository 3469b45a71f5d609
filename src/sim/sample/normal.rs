//! The quantile function of the standard normal distribution. It knows no streams.

/// The number that a standard normal draw is below with probability `p`; infinite at 0 and 1, NaN
/// outside.
///
/// Relative accuracy about 10^-16. Source: M. J. Wichura, "Algorithm AS 241: The Percentage Points
/// of the Normal Distribution", Applied Statistics 37(3), 1988, routine PPND16.
pub fn standard_normal_quantile(p: f64) -> f64 {
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * ratio(&CENTRE, r);
    }
    let tail = if q < 0.0 { p } else { 1.0 - p };
    if tail <= 0.0 {
        return if tail == 0.0 { f64::INFINITY.copysign(q) } else { f64::NAN };
    }
    let r = libm::sqrt(-libm::log(tail));
    let magnitude = if r <= 5.0 { ratio(&MIDDLE, r - 1.6) } else { ratio(&FAR, r - 5.0) };
    magnitude.copysign(q)
}

/// A quotient of two polynomials of degree 7; coefficients from the constant term up.
struct Rational {
    numerator: [f64; 8],
    denominator: [f64; 8],
}

fn ratio(rational: &Rational, x: f64) -> f64 {
    let horner = |c: &[f64; 8]| c.iter().rev().fold(0.0, |sum, c| sum * x + c);
    horner(&rational.numerator) / horner(&rational.denominator)
}

/// |p - 1/2| <= 0.425.
const CENTRE: Rational = Rational {
    numerator: [
        3.387_132_872_796_366_5,
        1.331_416_678_917_843_8e2,
        1.971_590_950_306_551_3e3,
        1.373_169_376_550_946e4,
        4.592_195_393_154_987e4,
        6.726_577_092_700_87e4,
        3.343_057_558_358_813e4,
        2.509_080_928_730_122_7e3,
    ],
    denominator: [
        1.0,
        4.231_333_070_160_091e1,
        6.871_870_074_920_579e2,
        5.394_196_021_424_751e3,
        2.121_379_430_158_659_7e4,
        3.930_789_580_009_271e4,
        2.872_908_573_572_194_3e4,
        5.226_495_278_852_854e3,
    ],
};

/// Tails down to exp(-25).
const MIDDLE: Rational = Rational {
    numerator: [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        2.417_807_251_774_506e-1,
        2.272_384_498_926_918_4e-2,
        7.745_450_142_783_414e-4,
    ],
    denominator: [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        6.897_673_349_851e-1,
        1.481_039_764_274_800_8e-1,
        1.519_866_656_361_645_7e-2,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ],
};

/// Tails below exp(-25).
const FAR: Rational = Rational {
    numerator: [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        2.965_605_718_285_048_7e-1,
        2.653_218_952_657_612_4e-2,
        1.242_660_947_388_078_4e-3,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ],
    denominator: [
        1.0,
        5.998_322_065_558_88e-1,
        1.369_298_809_227_358e-1,
        1.487_536_129_085_061_5e-2,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_8e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The probability that a standard normal draw is below `x`.
    fn below(x: f64) -> f64 {
        libm::erfc(-x / std::f64::consts::SQRT_2) / 2.0
    }

    #[test]
    fn percentiles_from_tables() {
        let rows = [
            ("the median", 0.5, 0.0),
            ("a quarter", 0.25, -0.674_489_750_196_081_7),
            ("95 %", 0.95, 1.644_853_626_951_472_2),
            ("99 %", 0.99, super::super::Z_99),
            ("one in a thousand", 0.001, -3.090_232_306_167_813_5),
            ("AS 241's own check, far out", 1e-20, -9.262_340_089_798_408),
        ];
        for (sentence, p, expected) in rows {
            let found = standard_normal_quantile(p);
            assert!((found - expected).abs() <= 1e-14 * expected.abs(), "{sentence}: {found}");
        }
    }

    #[test]
    fn it_inverts_the_distribution_function() {
        for i in 1..2000 {
            let centre = f64::from(i) / 2000.0;
            let tail = libm::exp(-f64::from(i) / 3.0);
            for p in [centre, tail] {
                let found = below(standard_normal_quantile(p));
                // What the rounding of x itself does to p grows with x^2.
                let x = standard_normal_quantile(p);
                let bound = 4.0 * f64::EPSILON * (1.0 + x * x);
                assert!((found / p - 1.0).abs() < bound, "p = {p}: {found}");
            }
        }
    }

    #[test]
    fn both_sides_are_equal() {
        for i in 1..1000 {
            let p = f64::from(i) / 2048.0;
            assert_eq!(standard_normal_quantile(p), -standard_normal_quantile(1.0 - p));
        }
    }

    #[test]
    fn beyond_the_ends() {
        assert_eq!(standard_normal_quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(standard_normal_quantile(1.0), f64::INFINITY);
        assert!(standard_normal_quantile(-0.1).is_nan());
        assert!(standard_normal_quantile(1.1).is_nan());
        assert!(standard_normal_quantile(f64::NAN).is_nan());
    }
}
