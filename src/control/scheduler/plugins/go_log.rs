//! The natural logarithm with the very bits of Go's `math.Log` on amd64.
//!
//! Upstream's spread score is rounded from a sum of such logarithms, so the last bit can reach a
//! decision; `libm::log` differs from Go in it for some arguments. The method is that of FreeBSD's
//! `e_log.c`, in the order of operations of Go 1.26 `src/math/log_amd64.s`.

const LN2_HI: f64 = 6.931_471_803_691_238e-1; // 0x3fe62e42fee00000
const LN2_LO: f64 = 1.908_214_929_270_587_7e-10; // 0x3dea39ef35793c76
/// Coefficients L1 to L7 of the polynomial.
const L: [f64; 7] = [
    6.666_666_666_666_735e-1,
    3.999_999_999_940_942e-1,
    2.857_142_874_366_239e-1,
    2.222_219_843_214_978_4e-1,
    1.818_357_216_161_805e-1,
    1.531_383_769_920_937_3e-1,
    1.479_819_860_511_658_6e-1,
];

/// `ln(x)` for a finite, normal, positive `x`.
pub(super) fn go_log(x: f64) -> f64 {
    // x = 2^k * (1 + f), with 1 + f between sqrt(2)/2 and sqrt(2).
    let bits = x.to_bits();
    let mut fraction = f64::from_bits((bits & ((1 << 52) - 1)) | 0x3fe0_0000_0000_0000);
    let mut k = ((bits >> 52) & 0x7ff) as f64 - 1022.0;
    if fraction < std::f64::consts::FRAC_1_SQRT_2 {
        fraction *= 2.0;
        k -= 1.0;
    }
    let f = fraction - 1.0;
    let s = f / (2.0 + f);
    let s2 = s * s;
    let s4 = s2 * s2;
    let t1 = s2 * (L[0] + s4 * (L[2] + s4 * (L[4] + s4 * L[6])));
    let t2 = s4 * (L[1] + s4 * (L[3] + s4 * L[5]));
    let r = t1 + t2;
    let half_square = 0.5 * f * f;
    k * LN2_HI - ((half_square - (s * (half_square + r) + k * LN2_LO)) - f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_constants_have_their_bits() {
        let bits: Vec<u64> = [LN2_HI, LN2_LO].iter().chain(&L).map(|c| c.to_bits()).collect();
        let expected = [
            0x3fe6_2e42_fee0_0000,
            0x3dea_39ef_3579_3c76,
            0x3fe5_5555_5555_5593,
            0x3fd9_9999_9997_fa04,
            0x3fd2_4924_9422_9359,
            0x3fcc_71c5_1d8e_78af,
            0x3fc7_4664_96cb_03de,
            0x3fc3_9a09_d078_c69f,
            0x3fc2_f112_df3e_5244,
        ];
        assert_eq!(bits, expected);
    }

    #[test]
    fn it_has_gos_bits() {
        // math.Float64bits(math.Log(float64(n))) of Go, linux/amd64.
        let rows = [
            (2, 0x3fe62e42fefa39ef),
            (3, 0x3ff193ea7aad030a),
            (5, 0x3ff9c041f7ed8d33),
            (7, 0x3fff2272ae325a57),
            (12, 0x4003e116bcd39e7d),
            (13, 0x400485042b318c51),
            (47, 0x400ecd1a2f90f0b6),
            (102, 0x40127ff8df87c7bd),
            (502, 0x4018dfd8b5b3e920),
            (997, 0x401b9e76fc601152),
            (3002, 0x40200399f648a924),
            (5002, 0x40210901f6dc84b9),
            (10002, 0x40226bcbf1ec7998),
        ];
        for (n, bits) in rows {
            assert_eq!(go_log(f64::from(n)).to_bits(), bits, "ln({n})");
        }
    }

    #[test]
    fn a_hundred_thousand_integers_have_gos_bits() {
        // FNV-1a over those bits of 2 to 100,002, little-endian.
        let bytes = (2..=100_002).flat_map(|n| go_log(f64::from(n)).to_bits().to_le_bytes());
        let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
        assert_eq!(hash, 0x3ebca72887edafad);
    }

    #[test]
    fn it_is_within_one_unit_in_the_last_place_of_another() {
        for n in 2..20_000 {
            let (ours, other) = (go_log(f64::from(n)), libm::log(f64::from(n)));
            assert!(ours.to_bits().abs_diff(other.to_bits()) <= 1, "ln({n})");
        }
    }
}
