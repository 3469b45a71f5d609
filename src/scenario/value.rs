//! Values as scenario files write them: durations, ratios, sizes, distributions.
//!
//! Each refuses what it can't be with a message and, after `|`, a hint (see `strict`). They know
//! nothing of where they are used.

use crate::api::quantity::Quantity;
use crate::sim::sample::Distribution;
use crate::units::{SimDuration, SimTime};
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use std::fmt;

/// A duration such as `90s`, `1h30m`, `250ms`, `2d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(with = "String", extend("pattern" = "^([0-9.]+(ns|us|ms|s|m|h|d))+$"))]
pub struct Span(pub SimDuration);

impl Span {
    /// As an instant after the start.
    pub fn instant(self) -> SimTime {
        SimTime::ZERO + self.0
    }
}

/// Parses a duration as Go does, with `d` for days.
///
/// # Errors
/// What is wrong, and a hint after `|`.
pub fn parse_duration(text: &str) -> Result<SimDuration, String> {
    let wrong =
        || format!("`{text}` is no duration|write a number with a unit: 250ms, 90s, 1h30m, 2d");
    let mut rest = text;
    let mut total = 0.0;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let number: f64 = rest[..digits].parse().map_err(|_| wrong())?;
        let tail = &rest[digits..];
        let unit = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let seconds = match &tail[..unit] {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return Err(wrong()),
        };
        total += number * seconds;
        rest = &tail[unit..];
    }
    // 100 years: more is a slip, and far below the end of simulated time.
    if total > 100.0 * 366.0 * 86_400.0 {
        return Err(format!("`{text}` is longer than 100 years"));
    }
    Ok(SimDuration::from_secs_f64(total))
}

/// A duration as [`parse_duration`] reads it and Go prints it, nothing lost.
pub(super) fn duration_text(duration: SimDuration) -> String {
    let ns = duration.0;
    if ns.is_multiple_of(1_000_000) {
        return duration.to_string();
    }
    let decimal = |whole: u64, fraction: u64, digits: usize, unit: &str| {
        let text = format!("{whole}.{fraction:0digits$}");
        format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
    };
    if ns < 1_000 {
        return format!("{ns}ns");
    }
    if ns < 1_000_000 {
        return decimal(ns / 1_000, ns % 1_000, 3, "us");
    }
    if ns < 1_000_000_000 {
        return decimal(ns / 1_000_000, ns % 1_000_000, 6, "ms");
    }
    decimal(ns / 1_000_000_000, ns % 1_000_000_000, 9, "s")
}

struct TextVisitor<T>(&'static str, fn(&str) -> Result<T, String>, fn(f64) -> Option<T>);

impl<T> Visitor<'_> for TextVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        (self.1)(text).map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<T, E> {
        self.visit_f64(number as f64)
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<T, E> {
        self.visit_f64(number as f64)
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<T, E> {
        (self.2)(number).ok_or_else(|| E::custom(format!("expected {}, found {number}", self.0)))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let zero = |number: f64| (number == 0.0).then_some(SimDuration::ZERO);
        let expected = "a duration with a unit, like 90s or 1h30m";
        let visitor = TextVisitor(expected, parse_duration, zero);
        deserializer.deserialize_any(visitor).map(Span)
    }
}

/// A share: `1%` or `0.01`.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema)]
#[schemars(with = "RatioSchema")]
pub struct Ratio(pub f64);

#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum RatioSchema {
    Percent(String),
    Number(f64),
}

/// Parses `1%` or `0.01`.
///
/// # Errors
/// What is wrong, and a hint after `|`.
pub fn parse_ratio(text: &str) -> Result<f64, String> {
    let number = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|p| p / 100.0),
        None => text.parse::<f64>(),
    };
    match number {
        Ok(ratio) if ratio.is_finite() => Ok(ratio),
        _ => Err(format!("`{text}` is no share|write 1% or 0.01")),
    }
}

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let visitor = TextVisitor("a share like 1% or 0.01", parse_ratio, Some);
        deserializer.deserialize_any(visitor).map(Ratio)
    }
}

/// An amount as Kubernetes writes quantities: `500m`, `2`, `300M`, `4Gi`.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema)]
#[schemars(with = "QuantitySchema")]
pub struct Amount(pub Quantity);

#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum QuantitySchema {
    Text(String),
    Number(f64),
}

fn parse_amount(text: &str) -> Result<Quantity, String> {
    let hint = match text.strip_suffix('B') {
        Some(without) => format!("|Kubernetes writes {without}"),
        None => String::new(),
    };
    match text.parse::<Quantity>() {
        Ok(quantity) if quantity.is_negative() => Err(format!("`{text}` is negative")),
        Ok(quantity) => Ok(quantity),
        Err(error) => Err(format!("`{text}`: {error}{hint}")),
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = |n: f64| parse_amount(&n.to_string()).ok();
        let visitor = TextVisitor("a quantity like 500m, 2 or 4Gi", parse_amount, number);
        deserializer.deserialize_any(visitor).map(Amount)
    }
}

/// An amount, or a share of a whole: `100Mi`, `10%`.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema)]
#[schemars(with = "QuantitySchema")]
pub enum Part {
    /// So much.
    Amount(Quantity),
    /// This share of the whole.
    Share(f64),
}

fn parse_part(text: &str) -> Result<Part, String> {
    if !text.ends_with('%') {
        return parse_amount(text).map(Part::Amount);
    }
    match parse_ratio(text)? {
        share if (0.0..=1.0).contains(&share) => Ok(Part::Share(share)),
        _ => Err(format!("`{text}` is not between 0% and 100%")),
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = |n: f64| parse_part(&n.to_string()).ok();
        let visitor = TextVisitor("an amount like 100Mi or a share like 10%", parse_part, number);
        deserializer.deserialize_any(visitor)
    }
}

/// A duration that varies: `30s`, or `{p50, p99}` (log-normal), `{min, max}` (uniform), `{mean}`
/// (exponential).
#[derive(Clone, Debug, PartialEq, JsonSchema)]
#[schemars(with = "VaryingSchema")]
pub struct Varying(pub Distribution);

#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum VaryingSchema {
    Constant(Span),
    Spread(Spread),
}

#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Spread {
    /// Median of a log-normal distribution.
    p50: Option<Span>,
    /// Its 99th percentile.
    p99: Option<Span>,
    /// Lower end of a uniform distribution.
    min: Option<Span>,
    /// Its upper end.
    max: Option<Span>,
    /// Mean of an exponential distribution.
    mean: Option<Span>,
}

impl Spread {
    fn distribution(&self) -> Result<Distribution, String> {
        let secs = |span: Span| span.0.as_secs_f64();
        match (self.p50, self.p99, self.min, self.max, self.mean) {
            (Some(p50), Some(p99), None, None, None) => {
                if p50.0 == SimDuration::ZERO || p99.0 < p50.0 {
                    return Err("p50 must be above zero and p99 not below it".to_string());
                }
                Ok(Distribution::lognormal_p50_p99(secs(p50), secs(p99)))
            }
            (None, None, Some(min), Some(max), None) => {
                if max.0 < min.0 {
                    return Err("max must not be below min".to_string());
                }
                Ok(Distribution::Uniform(secs(min), secs(max)))
            }
            (None, None, None, None, Some(mean)) => Ok(Distribution::Exponential(secs(mean))),
            _ => Err("give a duration, {p50, p99}, {min, max} or {mean}".to_string()),
        }
    }
}

struct VaryingVisitor;

impl<'de> Visitor<'de> for VaryingVisitor {
    type Value = Varying;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration like 30s, or {p50: 30s, p99: 60s}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Varying, E> {
        let constant = parse_duration(text).map_err(E::custom)?;
        Ok(Varying(Distribution::Constant(constant.as_secs_f64())))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Varying, A::Error> {
        let spread = Spread::deserialize(MapAccessDeserializer::new(map))?;
        spread.distribution().map(Varying).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Varying {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(VaryingVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_written() {
        let rows = [
            ("90s", 90.0),
            ("1h30m", 5400.0),
            ("250ms", 0.25),
            ("1.5h", 5400.0),
            ("2d", 172_800.0),
        ];
        for (text, seconds) in rows {
            assert_eq!(parse_duration(text), Ok(SimDuration::from_secs_f64(seconds)), "{text}");
        }
        for text in ["", "90", "5 s", "1y", "s", "-3s", "1e3s", "999999h"] {
            assert!(parse_duration(text).is_err(), "{text:?} is no duration");
        }
    }

    #[test]
    fn durations_are_written_as_they_are_read() {
        let rows = [
            (0, "0s"),
            (7, "7ns"),
            (1_500, "1.5us"),
            (250_000, "250us"),
            (1_200_001, "1.200001ms"),
            (5_000_000, "5ms"),
            (1_000_500_000, "1.0005s"),
            (90_000_000_000, "1m30s"),
            (90_000_000_001, "90.000000001s"),
            (86_400_000_000_000, "24h0m0s"),
        ];
        for (ns, text) in rows {
            assert_eq!(duration_text(SimDuration(ns)), text);
            assert_eq!(parse_duration(text), Ok(SimDuration(ns)), "{text}");
        }
    }

    #[test]
    fn shares_are_read_as_written() {
        assert_eq!(parse_ratio("1%"), Ok(0.01));
        assert_eq!(parse_ratio("0.25"), Ok(0.25));
        assert!(parse_ratio("much").is_err());
    }
}
