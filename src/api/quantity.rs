//! Kubernetes quantities: `500m`, `1.5Gi`, `2e3`.
//!
//! Source: apimachinery `pkg/api/resource/quantity.go`, v1.37: decimal SI suffixes `n u m k M G T P
//! E`, binary `Ki` to `Ei`, a decimal exponent; values round up away
//! from zero to the unit asked for.

use crate::units::{Bytes, MilliCpu};

/// A parsed quantity in billionths (nano), upstream's finest unit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Quantity {
    nanos: i128,
}

/// Why a text is no quantity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QuantityError {
    /// Nothing was written.
    Empty,
    /// There is no number in front of the suffix.
    NoNumber,
    /// The suffix is none of upstream's.
    UnknownSuffix,
    /// The number is beyond what fits (2^63 - 1 of the unit).
    TooLarge,
}

impl std::fmt::Display for QuantityError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            QuantityError::Empty => "an empty text is no quantity",
            QuantityError::NoNumber => "a quantity starts with a number, like 500m or 1.5Gi",
            QuantityError::UnknownSuffix => {
                "unknown suffix: use n, u, m, k, M, G, T, P, E or Ki, Mi, Gi, Ti, Pi, Ei"
            }
            QuantityError::TooLarge => "the quantity is larger than 2^63 - 1",
        })
    }
}

impl std::error::Error for QuantityError {}

const NANO: i128 = 1_000_000_000;
/// 2^63 - 1 units: upstream caps there.
const MAX_NANOS: i128 = i64::MAX as i128 * NANO;

impl std::str::FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Quantity, QuantityError> {
        if text.is_empty() {
            return Err(QuantityError::Empty);
        }
        let (negative, unsigned) = match text.as_bytes()[0] {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let end =
            unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (digits, decimals) = digits_of(number)?;
        let nanos = scale(digits, decimals, suffix)?;
        Ok(Quantity { nanos: if negative { -nanos } else { nanos } })
    }
}

/// `12.50` as (1250, 2): an integer and how many of its digits are decimals.
fn digits_of(number: &str) -> Result<(i128, u32), QuantityError> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err(QuantityError::NoNumber);
    }
    if whole.len() + fraction.len() > 30 {
        return Err(QuantityError::TooLarge);
    }
    let digits =
        whole.bytes().chain(fraction.bytes()).fold(0i128, |n, d| n * 10 + i128::from(d - b'0'));
    Ok((digits, fraction.len() as u32))
}

fn scale(digits: i128, decimals: u32, suffix: &str) -> Result<i128, QuantityError> {
    let binary = |power: u32| Ok((1i128 << (10 * power), 0));
    let (factor, exponent): (i128, i32) = match suffix {
        "" => (1, 0),
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => binary(1)?,
        "Mi" => binary(2)?,
        "Gi" => binary(3)?,
        "Ti" => binary(4)?,
        "Pi" => binary(5)?,
        "Ei" => binary(6)?,
        _ => (1, decimal_exponent(suffix)?),
    };
    let exponent = exponent + 9 - decimals as i32;
    let scaled = digits.checked_mul(factor).ok_or(QuantityError::TooLarge)?;
    if exponent >= 0 {
        let power = 10i128.checked_pow(exponent as u32).ok_or(QuantityError::TooLarge)?;
        let nanos = scaled.checked_mul(power).ok_or(QuantityError::TooLarge)?;
        return if nanos > MAX_NANOS { Err(QuantityError::TooLarge) } else { Ok(nanos) };
    }
    // Finer than a nano: upstream rounds up.
    let power = 10i128.checked_pow(exponent.unsigned_abs()).ok_or(QuantityError::TooLarge)?;
    Ok(scaled.unsigned_abs().div_ceil(power.unsigned_abs()) as i128)
}

/// `e3`, `E-2`: the exponent of scientific notation.
fn decimal_exponent(suffix: &str) -> Result<i32, QuantityError> {
    let digits = suffix.strip_prefix(['e', 'E']).ok_or(QuantityError::UnknownSuffix)?;
    let exponent: i32 = digits.parse().map_err(|_| QuantityError::UnknownSuffix)?;
    if exponent.abs() > 30 { Err(QuantityError::TooLarge) } else { Ok(exponent) }
}

impl Quantity {
    /// The value in units of `nanos_per_unit`, rounded up away from zero as upstream's `Value` and
    /// `MilliValue`.
    fn round_up(self, nanos_per_unit: i128) -> i64 {
        let magnitude = self.nanos.unsigned_abs().div_ceil(nanos_per_unit.unsigned_abs());
        let value = i64::try_from(magnitude).unwrap_or(i64::MAX);
        if self.nanos < 0 { -value } else { value }
    }

    /// Whole units, rounded up (`Value()`): bytes, counts.
    pub fn value(self) -> i64 {
        self.round_up(NANO)
    }

    /// Thousandths, rounded up (`MilliValue()`).
    pub fn milli_value(self) -> i64 {
        self.round_up(NANO / 1000)
    }

    /// As CPU.
    pub fn as_cpu(self) -> MilliCpu {
        MilliCpu(self.milli_value())
    }

    /// As memory or storage.
    pub fn as_bytes(self) -> Bytes {
        Bytes(self.value())
    }

    /// So many whole units.
    pub fn from_units(units: i64) -> Quantity {
        Quantity { nanos: i128::from(units) * NANO }
    }

    /// So many thousandths.
    pub fn from_milli(milli: i64) -> Quantity {
        Quantity { nanos: i128::from(milli) * (NANO / 1000) }
    }

    /// Both together.
    pub fn plus(self, other: Quantity) -> Quantity {
        Quantity { nanos: self.nanos.saturating_add(other.nanos) }
    }

    /// This one without `other`.
    pub fn minus(self, other: Quantity) -> Quantity {
        Quantity { nanos: self.nanos.saturating_sub(other.nanos) }
    }

    /// The value, if it is a whole one (`AsInt64`).
    pub fn as_integer(self) -> Option<i64> {
        let is_whole = self.nanos % NANO == 0;
        i64::try_from(self.nanos / NANO).ok().filter(|_| is_whole)
    }

    /// Whether it is below zero.
    pub fn is_negative(self) -> bool {
        self.nanos < 0
    }

    /// Whether it is nothing.
    pub fn is_zero(self) -> bool {
        self.nanos == 0
    }

    /// So many times as much.
    pub fn times(self, n: i64) -> Quantity {
        Quantity { nanos: self.nanos.saturating_mul(i128::from(n)) }
    }

    /// So many whole units.
    pub fn of(units: i64) -> Quantity {
        Quantity { nanos: i128::from(units) * NANO }
    }

    /// So many thousandths.
    pub fn of_milli(thousandths: i64) -> Quantity {
        Quantity { nanos: i128::from(thousandths) * (NANO / 1000) }
    }

    /// Writes it in its shortest exact form, as upstream's canonical one: `300m`, `1500m`, `2k`;
    /// with `binary` also `1536Mi`, where that is shorter. (Upstream remembers which of the two was
    /// given.)
    pub fn canonical(self, binary: bool) -> String {
        if self.nanos == 0 {
            return "0".to_owned();
        }
        let sign = if self.nanos < 0 { "-" } else { "" };
        let (mut digits, mut power) = (self.nanos.unsigned_abs(), 0);
        while digits.is_multiple_of(1000) && power < DECIMAL.len() - 1 {
            (digits, power) = (digits / 1000, power + 1);
        }
        let decimal = format!("{sign}{digits}{}", DECIMAL[power]);
        let units = self.nanos.unsigned_abs();
        if !binary || !units.is_multiple_of(NANO.unsigned_abs()) {
            return decimal;
        }
        let (mut units, mut power) = (units / NANO.unsigned_abs(), 0);
        while units.is_multiple_of(1024) && power < BINARY.len() - 1 {
            (units, power) = (units / 1024, power + 1);
        }
        let written = format!("{sign}{units}{}", BINARY[power]);
        if written.len() < decimal.len() { written } else { decimal }
    }
}

/// Decimal suffixes from a billionth on.
const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
/// Binary suffixes.
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

impl std::ops::Add for Quantity {
    type Output = Quantity;

    fn add(self, other: Quantity) -> Quantity {
        Quantity { nanos: self.nanos.saturating_add(other.nanos) }
    }
}

impl std::ops::AddAssign for Quantity {
    fn add_assign(&mut self, other: Quantity) {
        *self = *self + other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_parse_as_upstream() {
        let rows = [
            ("milli-CPU", "500m", 500),
            ("a fraction", "0.1", 100),
            ("a leading point", ".5", 500),
            ("a trailing point", "5.", 5000),
            ("finer than milli rounds up", "100u", 1),
            ("nano rounds up", "1n", 1),
            ("exponents", "2e3", 2_000_000),
            ("E alone is exa, with digits an exponent", "1E3", 1_000_000),
            ("kibi", "1Ki", 1_024_000),
            ("a fraction of a gibi", "1.5Gi", 1_610_612_736_000),
            ("negative values round away from zero", "-1.0001", -1001),
        ];
        for (sentence, text, milli) in rows {
            let quantity: Quantity = text.parse().unwrap();
            assert_eq!(quantity.milli_value(), milli, "{sentence}: {text}");
        }
        assert_eq!("7E".parse::<Quantity>().unwrap().value(), 7_000_000_000_000_000_000);
        assert_eq!("1Ei".parse::<Quantity>().unwrap().value(), 1 << 60);
    }

    #[test]
    fn quantities_are_written_in_their_canonical_form() {
        let rows = [
            ("nothing", "0", false, "0"),
            ("milli-CPU", "0.3", false, "300m"),
            ("whole CPUs", "1000m", false, "1"),
            ("thousands", "2000", false, "2k"),
            ("a fraction of a gibi", "1.5Gi", true, "1536Mi"),
            ("decimal bytes stay decimal", "500M", true, "500M"),
            ("what is no memory is not written in binary", "1024", false, "1024"),
            ("below zero", "-1.5", false, "-1500m"),
        ];
        for (sentence, text, binary, expected) in rows {
            let quantity: Quantity = text.parse().unwrap();
            assert_eq!(quantity.canonical(binary), expected, "{sentence}: {text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_refused_with_its_reason() {
        use QuantityError::*;
        let rows = [
            ("", Empty),
            ("m", NoNumber),
            ("1e3Mi", UnknownSuffix),
            ("5 Gi", UnknownSuffix),
            ("1gb", UnknownSuffix),
            ("1..2", NoNumber),
            ("9999999999999999999", TooLarge),
            ("1e40", TooLarge),
        ];
        for (text, error) in rows {
            assert_eq!(text.parse::<Quantity>(), Err(error), "{text:?}");
        }
    }
}
