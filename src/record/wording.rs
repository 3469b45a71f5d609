//! Numbers as people read them: rounded, grouped, with a unit. Files for machines use none of this.
//!
//! It knows nothing of what it words. Rounding is to three significant digits: more would pretend.

/// Digits that say enough in a sentence.
const DIGITS: i32 = 3;

/// A whole number with its thousands grouped: `1,234,567`.
pub fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// An amount in a sentence: `0.25`, `9.81`, `12,400`, `3.21 million`, `1.07 billion`.
pub fn amount(x: f64) -> String {
    if !x.is_finite() {
        return if x.is_nan() { "unknown".into() } else { "unlimited".into() };
    }
    let rounded = significant(x.abs());
    let sign = if x < 0.0 && rounded > 0.0 { "-" } else { "" };
    let text = match rounded {
        r if r >= 1e12 => format!("{} trillion", plain(r / 1e12)),
        r if r >= 1e9 => format!("{} billion", plain(r / 1e9)),
        r if r >= 1e6 => format!("{} million", plain(r / 1e6)),
        r if r >= 1e3 => grouped(r as u64),
        r => plain(r),
    };
    format!("{sign}{text}")
}

/// An amount where there is little room: `950`, `12.4k`, `3.2M`, `1.1G`.
pub fn short(x: f64) -> String {
    let rounded = significant(x.abs());
    let sign = if x < 0.0 && rounded > 0.0 { "-" } else { "" };
    let text = match rounded {
        r if r >= 1e12 => format!("{}T", plain(r / 1e12)),
        r if r >= 1e9 => format!("{}G", plain(r / 1e9)),
        r if r >= 1e6 => format!("{}M", plain(r / 1e6)),
        r if r >= 1e3 => format!("{}k", plain(r / 1e3)),
        r => plain(r),
    };
    format!("{sign}{text}")
}

/// How many of something: `1 pod`, `12,400 pods`. `one` is the singular; the plural adds an s.
pub fn count(n: u64, one: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{} {one}s", grouped(n)) }
}

/// Requests a second: `12,400 req/s`.
pub fn rate(per_second: f64) -> String {
    format!("{} req/s", amount(per_second))
}

/// A share as percent: `7.3%`; less than all is never told as 100 %.
pub fn percent(share: f64) -> String {
    let percent = significant(share * 100.0);
    if share < 1.0 && percent >= 100.0 {
        return "99.9%".into();
    }
    format!("{}%", plain(percent))
}

/// A length of time: `320 ms`, `4.5 s`, `45 s`, `12m 30s`, `2h 14m`, `3d 4h`.
pub fn duration(seconds: f64) -> String {
    if seconds < 0.000_5 {
        return "0 s".into();
    }
    if seconds < 0.999_5 {
        return format!("{} ms", plain(significant(seconds * 1000.0)));
    }
    if seconds < 59.95 {
        return format!("{} s", plain(significant(seconds)));
    }
    let whole = seconds.round() as u64;
    let (days, hours, minutes, rest) =
        (whole / 86_400, whole / 3600 % 24, whole / 60 % 60, whole % 60);
    let two = |large: u64, large_unit: &str, small: u64, small_unit: &str| {
        if small == 0 {
            format!("{large}{large_unit}")
        } else {
            format!("{large}{large_unit} {small}{small_unit}")
        }
    };
    // Up to two days people count hours.
    if days >= 2 {
        two(days, "d", hours, "h")
    } else if whole >= 3600 {
        two(whole / 3600, "h", minutes, "m")
    } else {
        two(minutes, "m", rest, "s")
    }
}

/// An instant of a run on its clock: `01:12:30`, `2d 01:12:30`; cut to the second.
pub fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0) as u64;
    let day = if whole >= 86_400 { format!("{}d ", whole / 86_400) } else { String::new() };
    format!("{day}{:02}:{:02}:{:02}", whole / 3600 % 24, whole / 60 % 60, whole % 60)
}

/// Money: `12,400 USD`, `12.50 USD`, `0.0123 USD`.
pub fn money(sum: f64, currency: &str) -> String {
    let with_cents = sum == 0.0 || (0.995..99.995).contains(&sum.abs());
    let figure = if with_cents { format!("{sum:.2}") } else { amount(sum) };
    if currency.is_empty() { figure } else { format!("{figure} {currency}") }
}

/// `x` to [`DIGITS`] significant digits; numbers of three digits or more to the whole.
fn significant(x: f64) -> f64 {
    if x == 0.0 || !x.is_finite() {
        return x;
    }
    let exponent = libm::floor(libm::log10(x.abs())) as i32;
    let places = DIGITS - 1 - exponent;
    // Powers of ten up to 22 are exact, and dividing by them rounds once.
    if places >= 0 {
        let scale = libm::exp10(f64::from(places.min(22)));
        (x * scale).round() / scale
    } else {
        let scale = libm::exp10(f64::from(-places));
        (x / scale).round() * scale
    }
}

/// Shortest decimal text of an already rounded number.
fn plain(x: f64) -> String {
    let text = format!("{x:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_read_well() {
        let rows = [
            ("nothing is nothing", 0.0, "0"),
            ("a small share keeps three digits", 0.012_345, "0.0123"),
            ("a few keep their decimals", 9.806, "9.81"),
            ("hundreds are whole", 123.4, "123"),
            ("thousands are grouped and rounded", 12_387.2, "12,400"),
            ("rounding may reach the next power", 999.7, "1,000"),
            ("below a million it is still grouped", 999_400.0, "999,000"),
            ("rounding may reach a million", 999_900.0, "1 million"),
            ("millions have a word", 3_214_000.0, "3.21 million"),
            ("billions too", 1_070_000_000.0, "1.07 billion"),
            ("a debt has a sign", -1234.0, "-1,230"),
            ("what has no bound says so", f64::INFINITY, "unlimited"),
        ];
        for (sentence, x, expected) in rows {
            assert_eq!(amount(x), expected, "{sentence}");
        }
    }

    #[test]
    fn durations_use_two_units_at_most() {
        let rows = [
            ("no time", 0.0, "0 s"),
            ("milliseconds", 0.0452, "45.2 ms"),
            ("just below a second is told in seconds", 0.9999, "1 s"),
            ("seconds", 4.5, "4.5 s"),
            ("just below a minute is a minute", 59.99, "1m"),
            ("minutes and seconds", 750.0, "12m 30s"),
            ("whole hours have no minutes", 7200.0, "2h"),
            ("hours and minutes", 8040.0, "2h 14m"),
            ("a day is 24 hours", 86_400.0, "24h"),
            ("days and hours", 273_600.0, "3d 4h"),
        ];
        for (sentence, seconds, expected) in rows {
            assert_eq!(duration(seconds), expected, "{sentence}");
        }
    }

    #[test]
    fn shares_never_claim_all() {
        let rows = [
            ("none", 0.0, "0%"),
            ("few", 0.000_123, "0.0123%"),
            ("some", 0.0731, "7.31%"),
            ("almost all is not all", 0.999_99, "99.9%"),
            ("all", 1.0, "100%"),
        ];
        for (sentence, share, expected) in rows {
            assert_eq!(percent(share), expected, "{sentence}");
        }
    }

    #[test]
    fn counts_short_forms_clocks_and_money() {
        assert_eq!(count(1, "pod"), "1 pod");
        assert_eq!(count(12_345, "pod"), "12,345 pods");
        assert_eq!(short(12_387.2), "12.4k");
        assert_eq!(short(950.0), "950");
        assert_eq!(short(2_000_000.0), "2M");
        assert_eq!(clock(4350.9), "01:12:30");
        assert_eq!(clock(177_150.0), "2d 01:12:30");
        assert_eq!(money(12.5, "USD"), "12.50 USD");
        assert_eq!(money(0.012_34, "USD"), "0.0123 USD");
        assert_eq!(money(12_387.2, "USD"), "12,400 USD");
    }
}
