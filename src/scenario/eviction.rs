//! What of a node must stay available: the kubelets' eviction thresholds, as scenarios write them
//! and as the simulation knows them.
//!
//! Source: kubernetes `pkg/kubelet/eviction/helpers.go` (`ParseThresholdConfig`) and
//! `api/types.go`, v1.37. It does not know what happens when a threshold is crossed.

use super::flags::{Give, Told};
use super::value::{Part, Span, duration_text};
use crate::api::quantity::Quantity;
use crate::units::{Bytes, SimDuration};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What is watched.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Signal {
    /// `memory.available`.
    Memory,
    /// `nodefs.available`.
    NodeFs,
    /// `imagefs.available`: of the same filesystem as the other, which is the only one.
    ImageFs,
}

/// Signals by their names. Those of disks are met where node groups say how large their disks are.
const SIGNALS: [(&str, Signal); 3] = [
    ("memory.available", Signal::Memory),
    ("nodefs.available", Signal::NodeFs),
    ("imagefs.available", Signal::ImageFs),
];
/// Signals of upstream's that nothing here changes: they are accepted, and never met.
const NEVER_MET: [&str; 6] = [
    "nodefs.inodesFree",
    "imagefs.inodesFree",
    "pid.available",
    "containerfs.available",
    "containerfs.inodesFree",
    "allocatableMemory.available",
];

impl Signal {
    /// As upstream writes it.
    pub fn name(self) -> &'static str {
        SIGNALS.iter().find(|(_, signal)| *signal == self).map_or("", |(name, _)| name)
    }

    /// The signal of this name; `None`: it is one that is never met.
    fn find(name: &str) -> Result<Option<Signal>, String> {
        if let Some((_, signal)) = SIGNALS.iter().find(|(known, _)| *known == name) {
            return Ok(Some(*signal));
        }
        if NEVER_MET.contains(&name) {
            return Ok(None);
        }
        let known = SIGNALS.map(|(name, _)| name).join(", ");
        Err(format!("`{name}` is no eviction signal|known are {known}"))
    }
}

/// An amount, or a share of what there is in all.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Bound {
    /// So many bytes.
    Bytes(Bytes),
    /// This share of the capacity.
    Share(f64),
}

impl Bound {
    /// In bytes (`GetThresholdQuantity`).
    pub fn of(self, capacity: i64) -> i64 {
        match self {
            Bound::Bytes(bytes) => bytes.0,
            // Upstream computes with 32 bits.
            Bound::Share(share) => (capacity as f32 as f64 * f64::from(share as f32)) as i64,
        }
    }
}

/// A bound for each of some signals, in their order.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Thresholds(pub Vec<(Signal, Bound)>);

impl Thresholds {
    /// What the kubelet evicts at when nothing is said (`eviction/defaults_linux.go`).
    pub fn hard() -> Thresholds {
        Thresholds(vec![
            (Signal::Memory, Bound::Bytes(Bytes::mebi(100))),
            (Signal::NodeFs, Bound::Share(0.1)),
            (Signal::ImageFs, Bound::Share(0.15)),
        ])
    }

    /// The bound of a signal.
    pub fn of(&self, signal: Signal) -> Option<Bound> {
        self.0.iter().find(|(other, _)| *other == signal).map(|(_, bound)| *bound)
    }
}

/// How long each of some signals must be below its soft threshold.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct GracePeriods(pub Vec<(Signal, SimDuration)>);

impl GracePeriods {
    /// That of a signal.
    pub fn of(&self, signal: Signal) -> Option<SimDuration> {
        self.0.iter().find(|(other, _)| *other == signal).map(|(_, period)| *period)
    }
}

/// By signal, e.g. `{memory.available: 100Mi, nodefs.available: 10%}`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "BTreeMap<String, Part>")]
#[schemars(with = "BTreeMap<String, Part>")]
pub struct ThresholdsFile(Thresholds);

impl TryFrom<BTreeMap<String, Part>> for ThresholdsFile {
    type Error = String;

    fn try_from(given: BTreeMap<String, Part>) -> Result<ThresholdsFile, String> {
        let bound = |part: Part| match part {
            Part::Amount(quantity) => Bound::Bytes(quantity.as_bytes()),
            Part::Share(share) => Bound::Share(share),
        };
        by_signal(given, bound).map(|found| ThresholdsFile(Thresholds(found)))
    }
}

/// By signal, e.g. `{memory.available: 90s}`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(try_from = "BTreeMap<String, Span>")]
#[schemars(with = "BTreeMap<String, Span>")]
pub struct GracePeriodsFile(GracePeriods);

impl TryFrom<BTreeMap<String, Span>> for GracePeriodsFile {
    type Error = String;

    fn try_from(given: BTreeMap<String, Span>) -> Result<GracePeriodsFile, String> {
        by_signal(given, |span| span.0).map(|found| GracePeriodsFile(GracePeriods(found)))
    }
}

fn by_signal<T, U>(
    given: BTreeMap<String, T>,
    of: impl Fn(T) -> U,
) -> Result<Vec<(Signal, U)>, String> {
    let mut found = Vec::new();
    for (name, value) in given {
        if let Some(signal) = Signal::find(&name)? {
            found.push((signal, of(value)));
        }
    }
    found.sort_by_key(|(signal, _)| *signal);
    Ok(found)
}

impl Give<Thresholds> for Option<ThresholdsFile> {
    fn give(self, to: &mut Thresholds) {
        self.map(|given| given.0).give(to);
    }
}

impl Give<GracePeriods> for Option<GracePeriodsFile> {
    fn give(self, to: &mut GracePeriods) {
        self.map(|given| given.0).give(to);
    }
}

impl Told for Thresholds {
    fn told(&self) -> Value {
        let text = |bound: &Bound| match bound {
            Bound::Bytes(bytes) => Quantity::of(bytes.0).canonical(true),
            Bound::Share(share) => format!("{}%", share * 100.0),
        };
        self.0
            .iter()
            .map(|(signal, bound)| (signal.name().to_owned(), json!(text(bound))))
            .collect()
    }
}

impl Told for GracePeriods {
    fn told(&self) -> Value {
        let one = |(signal, period): &(Signal, SimDuration)| {
            (signal.name().to_owned(), json!(duration_text(*period)))
        };
        self.0.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Thresholds, String> {
        let parts: BTreeMap<String, Part> =
            serde_json::from_str(text).map_err(|error| error.to_string())?;
        ThresholdsFile::try_from(parts).map(|given| given.0)
    }

    #[test]
    fn thresholds_are_read_by_signal() {
        let text =
            r#"{"nodefs.available": "10%", "memory.available": "100Mi", "pid.available": "5%"}"#;
        let read_as = vec![
            (Signal::Memory, Bound::Bytes(Bytes::mebi(100))),
            (Signal::NodeFs, Bound::Share(0.1)),
        ];
        assert_eq!(read(text), Ok(Thresholds(read_as)), "of process ids nothing is known");
        assert!(read(r#"{"memory.free": "1Gi"}"#).is_err(), "an unknown signal is an error");
        assert!(read(r#"{"memory.available": "110%"}"#).is_err(), "so is more than there is");
    }

    #[test]
    fn a_share_is_one_of_the_capacity() {
        assert_eq!(Bound::Share(0.1).of(1000), 100);
        assert_eq!(Bound::Bytes(Bytes(7)).of(1000), 7);
    }
}
