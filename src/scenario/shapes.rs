//! Rates over time as a scenario file writes them: numbers, shapes, traces.

use super::value::Span;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use std::fmt;

/// A rate over time: a number, or exactly one shape.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub enum RateFile {
    /// Always the same.
    Constant(f64),
    /// A shape.
    Shape(Box<ShapeFile>),
}

/// Exactly one of these.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct ShapeFile {
    /// Always the same.
    pub constant: Option<f64>,
    /// One jump.
    pub step: Option<StepFile>,
    /// A straight change.
    pub ramp: Option<RampFile>,
    /// A day and night cycle.
    pub diurnal: Option<DiurnalFile>,
    /// A spike on a base.
    pub spike: Option<SpikeFile>,
    /// Straight lines between points: instants with their values, in order.
    pub points: Option<Vec<PointFile>>,
    /// A recorded trace.
    pub trace: Option<TraceFile>,
    /// All of them added.
    pub sum: Option<Vec<RateFile>>,
    /// All of them multiplied.
    pub product: Option<Vec<RateFile>>,
}

struct RateVisitor;

impl<'de> Visitor<'de> for RateVisitor {
    type Value = RateFile;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a shape such as {step: ...}")
    }

    fn visit_u64<E>(self, number: u64) -> Result<RateFile, E> {
        Ok(RateFile::Constant(number as f64))
    }

    fn visit_i64<E>(self, number: i64) -> Result<RateFile, E> {
        Ok(RateFile::Constant(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<RateFile, E> {
        Ok(RateFile::Constant(number))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RateFile, A::Error> {
        let shape = ShapeFile::deserialize(MapAccessDeserializer::new(map))?;
        Ok(RateFile::Shape(Box::new(shape)))
    }
}

impl<'de> Deserialize<'de> for RateFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RateVisitor)
    }
}

/// One jump.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StepFile {
    /// When.
    pub at: Span,
    /// Value before.
    pub from: f64,
    /// Value from then on.
    pub to: f64,
}

/// A straight change.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RampFile {
    /// Where it begins.
    pub start: Span,
    /// Where it ends.
    pub end: Span,
    /// Value until the start.
    pub from: f64,
    /// Value from the end on.
    pub to: f64,
}

/// A day and night cycle.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DiurnalFile {
    /// Mean value.
    pub mean: f64,
    /// Half the distance between highest and lowest value.
    pub amplitude: f64,
    /// When the first maximum is.
    pub peak: Span,
    /// Length of a day; default 24h.
    #[serde(default)]
    pub period: Option<Span>,
}

/// A spike on a base.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SpikeFile {
    /// Value outside.
    pub base: f64,
    /// Value at the top.
    pub peak: f64,
    /// When it begins to rise.
    pub at: Span,
    /// How long it rises.
    pub rise: Span,
    /// How long it stays.
    pub hold: Span,
    /// How long it falls.
    pub fall: Span,
}

/// A point of a curve.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PointFile {
    /// When.
    pub at: Span,
    /// The value there.
    pub value: f64,
}

/// A recorded trace: a CSV file with a header, one row per slot of equal length.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TraceFile {
    /// The file, relative to the scenario; `.gz` is unpacked.
    pub file: String,
    /// Name of the column with the number of requests in each slot.
    pub column: String,
    /// Length of a slot.
    pub slot: Span,
    /// When the first slot begins; default 0s.
    #[serde(default)]
    pub start: Option<Span>,
    /// Rows to leave out at the beginning; default 0.
    #[serde(default)]
    pub skip: Option<usize>,
    /// A factor; default 1.
    #[serde(default)]
    pub scale: Option<f64>,
}

impl ShapeFile {
    /// How many shapes are given; exactly one should be.
    pub fn count(&self) -> usize {
        [
            self.constant.is_some(),
            self.step.is_some(),
            self.ramp.is_some(),
            self.diurnal.is_some(),
            self.spike.is_some(),
            self.points.is_some(),
            self.trace.is_some(),
            self.sum.is_some(),
            self.product.is_some(),
        ]
        .into_iter()
        .filter(|given| *given)
        .count()
    }
}
