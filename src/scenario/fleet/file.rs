//! Fleets as a scenario file writes them: raw types, their schema and their own form.
//!
//! It does not know what becomes of them; `fleet/expand.rs` makes objects of them.

use crate::api::quantity::Quantity;
use crate::scenario::value::{Amount, Ratio, Span, Varying};
use crate::sim::sample::Distribution;
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use std::fmt;

/// A fleet: many alike objects that are made of one manifest.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FleetFile {
    /// Its name; the draws of its members have it in their names.
    pub name: String,
    /// A manifest, relative to this file. Each member gets all its objects, with the member's
    /// number behind their names: `app` becomes `app-001`, `app-002`, ...; so does every value in
    /// it that is such a name: labels, selectors, references.
    pub template: String,
    /// How many members.
    pub count: u32,
    /// Which of all populations of this kind: the same number, the same members, whatever the
    /// run's seed. Default 1.
    #[serde(default)]
    pub population: Option<u64>,
    /// What differs from member to member.
    #[serde(default)]
    pub vary: VaryFile,
    /// Members come in the course of the run; default: they are there from the start.
    #[serde(default)]
    pub arrive: Option<ArriveFile>,
    /// Its members take the place of another fleet's, number by number, and draw what those draw.
    #[serde(default)]
    pub replaces: Option<ReplacesFile>,
    /// What people do before a member that comes is applied. Default: nothing.
    #[serde(default)]
    pub delivery: Option<DeliveryFile>,
    /// New versions of members that are there, each a rollout with another image.
    #[serde(default)]
    pub releases: Option<ReleasesFile>,
}

/// What people do before something is applied.
#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct DeliveryFile {
    /// How long whoever asks takes alone, at first. Default 0s.
    pub takes: Option<Varying>,
    /// The team that works on it after that. Default: nobody has to.
    pub team: Option<String>,
    /// Which share of what is asked for needs the team. Default 100%.
    pub share: Option<Ratio>,
    /// Working time that one of the team takes.
    pub work: Option<Varying>,
}

/// New versions of members that are there.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ReleasesFile {
    /// How many of each member on each day that is worked, in the mean.
    pub per_day: f64,
    /// When people ask for them. Default: round the clock.
    #[serde(default)]
    pub hours: Option<HoursFile>,
    /// What people do before one is applied. Default: nothing.
    #[serde(default)]
    pub delivery: Option<DeliveryFile>,
}

/// A team: people who work on what they are asked for, first come, first served.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TeamFile {
    /// Its name.
    pub name: String,
    /// How many people.
    pub people: u32,
    /// When they work. Default: round the clock.
    #[serde(default)]
    pub hours: Option<HoursFile>,
}

/// Working hours of each day (UTC). A run starts on a Thursday at midnight.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HoursFile {
    /// When a day's work begins, after midnight: `9h`.
    pub from: Span,
    /// When it ends: `17h`.
    pub until: Span,
    /// Also on Saturdays and Sundays. Default: no.
    #[serde(default)]
    pub weekends: bool,
}

/// What differs from member to member: drawn for each, in place of what the template says.
#[derive(Clone, Debug, Default, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct VaryFile {
    /// `spec.replicas` of what controls pods; at least 1.
    pub replicas: Option<Figure>,
    /// CPU that the first container requests. A limit keeps its ratio to the request.
    pub cpu_request: Option<Figure>,
    /// Memory that the first container requests. A limit keeps its ratio to the request.
    pub memory_request: Option<Figure>,
    /// Sizes that there are, in ascending order: CPU and memory are rounded up together to the
    /// first that holds both, or to the last if none does. So are flavours of virtual machines.
    pub sizes: Vec<SizeFile>,
}

/// A size of a container or a machine.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SizeFile {
    /// Cores.
    pub cpu: Amount,
    /// Memory.
    pub memory: Amount,
}

/// When members come.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ArriveFile {
    /// Not before. Default 0s.
    #[serde(default)]
    pub from: Option<Span>,
    /// Not after.
    pub until: Span,
    /// In equal steps, one at `from` and then one each so often until `until`. Default: at any
    /// time, one as likely as the other, drawn by the run's seed.
    #[serde(default)]
    pub every: Option<Span>,
    /// Only in these hours, if they come at any time. Default: round the clock.
    #[serde(default)]
    pub hours: Option<HoursFile>,
}

/// Whose place members take.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ReplacesFile {
    /// The other fleet, which has at least as many members.
    pub fleet: String,
    /// The objects of the member replaced are deleted so long after the new ones were applied.
    /// Default 0s.
    #[serde(default)]
    pub after: Option<Span>,
}

/// A number that differs from member to member, in whole thousandths.
///
/// An amount, or `{p50, p99}` (log-normal), `{min, max}` (uniform), `{mean}` (exponential).
#[derive(Clone, Debug, PartialEq, JsonSchema)]
#[schemars(with = "FigureSchema")]
pub struct Figure(pub Distribution);

#[derive(JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "only its schema is used")]
enum FigureSchema {
    Constant(Amount),
    Spread(Spread),
}

#[derive(serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Spread {
    /// Median of a log-normal distribution.
    p50: Option<Amount>,
    /// Its 99th percentile.
    p99: Option<Amount>,
    /// Lower end of a uniform distribution.
    min: Option<Amount>,
    /// Its upper end.
    max: Option<Amount>,
    /// Mean of an exponential distribution.
    mean: Option<Amount>,
}

fn number(quantity: Quantity) -> f64 {
    quantity.milli_value() as f64 / 1000.0
}

impl Spread {
    fn distribution(&self) -> Result<Distribution, String> {
        let of = |amount: Amount| number(amount.0);
        match (self.p50, self.p99, self.min, self.max, self.mean) {
            (Some(p50), Some(p99), None, None, None) => {
                if of(p50) <= 0.0 || of(p99) < of(p50) {
                    return Err("p50 must be above zero and p99 not below it".to_string());
                }
                Ok(Distribution::lognormal_p50_p99(of(p50), of(p99)))
            }
            (None, None, Some(min), Some(max), None) => {
                if of(max) < of(min) {
                    return Err("max must not be below min".to_string());
                }
                Ok(Distribution::Uniform(of(min), of(max)))
            }
            (None, None, None, None, Some(mean)) => Ok(Distribution::Exponential(of(mean))),
            _ => Err("give an amount, {p50, p99}, {min, max} or {mean}".to_string()),
        }
    }
}

struct FigureVisitor;

impl<'de> Visitor<'de> for FigureVisitor {
    type Value = Figure;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount like 12, 500m or 2Gi, or {p50: 12, p99: 200}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Figure, E> {
        let quantity = text.parse::<Quantity>().map_err(|e| E::custom(format!("`{text}`: {e}")))?;
        if quantity.is_negative() {
            return Err(E::custom(format!("`{text}` is negative")));
        }
        Ok(Figure(Distribution::Constant(number(quantity))))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Figure, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Figure, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Figure, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Figure, A::Error> {
        let spread = Spread::deserialize(MapAccessDeserializer::new(map))?;
        spread.distribution().map(Figure).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FigureVisitor)
    }
}
