//! What a cloud's market does, validated: spot machines and stock-outs.
//!
//! Plain data; what happens with it the world knows.

use crate::api::Text;
use crate::sim::sample::Distribution;
use crate::units::SimDuration;

/// Whose machines they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provider {
    /// Amazon Web Services.
    Aws,
    /// Microsoft Azure.
    Azure,
    /// Google Cloud.
    Gcp,
}

impl Provider {
    /// The one called so in the catalogue.
    pub fn named(name: &str) -> Option<Provider> {
        Some(match name {
            "aws" => Provider::Aws,
            "azure" => Provider::Azure,
            "gcp" => Provider::Gcp,
            _ => return None,
        })
    }
}

/// How the machines of a group are taken back.
#[derive(Clone, Debug, PartialEq)]
pub struct Spot {
    /// Seconds from registration until the cloud wants a machine back; `None`: only the timeline
    /// says so.
    pub interruption: Option<Distribution>,
    /// From the notice until the machine is gone.
    pub notice: SimDuration,
    /// What is done with the notice.
    pub on_notice: OnNotice,
}

/// What is done when a spot machine's end is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnNotice {
    /// The node is cordoned and drained (aws-node-termination-handler).
    Drain,
    /// The kubelet is told that the machine shuts down (GKE, AKS).
    Shutdown,
    /// Nothing.
    Nothing,
}

impl OnNotice {
    /// As in a scenario.
    pub fn name(self) -> &'static str {
        match self {
            OnNotice::Drain => "drain",
            OnNotice::Shutdown => "shutdown",
            OnNotice::Nothing => "nothing",
        }
    }
}

/// What the cloud has no more of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockOut {
    /// Only of this machine type.
    pub machine: Option<Text>,
    /// Only in this zone.
    pub zone: Option<Text>,
    /// Only as spot machines.
    pub spot: bool,
}

impl StockOut {
    /// In a sentence.
    pub fn told(&self) -> String {
        let kind = if self.spot { "spot " } else { "" };
        let machine = self.machine.as_deref().unwrap_or("machines");
        let zone = self.zone.as_ref().map_or(String::new(), |zone| format!(" in zone {zone}"));
        format!("the cloud has no {kind}{machine}{zone}")
    }

    /// Whether a machine like this can't be had.
    pub fn concerns(&self, machine: &str, zone: &str, is_spot: bool) -> bool {
        self.machine.as_ref().is_none_or(|name| **name == *machine)
            && self.zone.as_ref().is_none_or(|name| **name == *zone)
            && (is_spot || !self.spot)
    }
}
