//! Spot machines and stock-outs as a scenario file writes them, and their resolution.

use super::file::{NodesFile, TimelineFile};
use super::market::{OnNotice, Provider, Spot, StockOut};
use super::model::{Happening, NodeGroup};
use super::price_book::Price;
use super::resolve::Resolver;
use super::value::{Span, Varying};
use crate::units::SimDuration;
use schemars::JsonSchema;
use serde::Deserialize;

/// Machines that the cloud takes back when it wants them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct SpotFile {
    /// Price per hour. Default: that of the price book, which has none for every type.
    pub price_per_hour: Option<f64>,
    /// From a node's registration until the cloud wants its machine back, drawn for each machine:
    /// `{mean: 20h}`. Default: never by itself.
    pub interruption: Option<Varying>,
    /// From the notice until the machine is gone. Default 2m, of machines of GCP and Azure 30s.
    pub notice: Option<Span>,
    /// What is done with the notice. Default: drain, with machines of GCP and Azure shutdown.
    pub on_notice: Option<OnNoticeFile>,
}

/// What is done when a spot machine's end is announced.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnNoticeFile {
    /// The node is cordoned and drained, as by aws-node-termination-handler.
    Drain,
    /// Its kubelet is told that the machine shuts down: it ends the pods if
    /// `flags.kubelet.shutdown-grace-period` gives it time.
    Shutdown,
    /// Nothing: pods end with the machine.
    Nothing,
}

/// What the cloud has no more of.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct StockOutFile {
    /// Only this machine type. Default: all.
    pub machine: Option<String>,
    /// Only in this zone. Default: in all.
    pub zone: Option<String>,
    /// Only spot machines. Default false.
    pub spot: bool,
}

impl Resolver<'_> {
    /// The spot machines of a group and their price; the price is what is missing most.
    pub(super) fn spot(
        &mut self,
        given: &SpotFile,
        (provider, listed, booked): (Option<Provider>, Option<f64>, Option<Price>),
        path: &str,
    ) -> (Spot, f64) {
        let booked = booked.and_then(|price| price.spot_price_per_hour);
        let price = given.price_per_hour.or(booked).or(listed);
        if price.is_none() {
            let hint =
                "give price-per-hour here, or spot-price-per-hour in a price-book".to_owned();
            let message = "the price book has no price of spot machines of this type";
            self.error(path, message, Some(hint));
        }
        let price = price.unwrap_or(0.0);
        if !(price >= 0.0 && price.is_finite()) {
            self.error(&format!("{path}.price-per-hour"), "is a price, 0 or more", None);
        }
        let is_aws = !matches!(provider, Some(Provider::Azure | Provider::Gcp));
        let notice = SimDuration::from_secs(if is_aws { 120 } else { 30 });
        let on_notice = match given.on_notice {
            Some(OnNoticeFile::Drain) => OnNotice::Drain,
            Some(OnNoticeFile::Shutdown) => OnNotice::Shutdown,
            Some(OnNoticeFile::Nothing) => OnNotice::Nothing,
            None if is_aws => OnNotice::Drain,
            None => OnNotice::Shutdown,
        };
        let spot = Spot {
            interruption: given.interruption.as_ref().map(|varying| varying.0.clone()),
            notice: given.notice.map_or(notice, |span| span.0),
            on_notice,
        };
        (spot, price)
    }

    /// What the cloud's market does; `None`: the entry says nothing of it. The inner one: a
    /// mistake.
    pub(super) fn market_happening(
        &mut self,
        given: &TimelineFile,
        path: &str,
        groups: &[NodeGroup],
    ) -> Option<Option<Happening>> {
        if let Some(out) = &given.stock_out {
            return Some(self.stock_out(out, &format!("{path}.stock-out"), groups));
        }
        let nodes = given.spot_interruption.as_ref()?;
        Some(self.spot_interruption(nodes, &format!("{path}.spot-interruption"), groups))
    }

    fn stock_out(
        &mut self,
        given: &StockOutFile,
        path: &str,
        groups: &[NodeGroup],
    ) -> Option<Happening> {
        let zone = match &given.zone {
            Some(zone) => Some(self.zone(zone, &format!("{path}.zone"), groups)?),
            None => None,
        };
        if let Some(name) = &given.machine
            && !groups.iter().any(|group| *group.machine.name == **name)
        {
            let known: Vec<String> = groups.iter().map(|g| g.machine.name.to_string()).collect();
            self.unknown(&format!("{path}.machine"), "machine type", name, &known);
        }
        let machine = given.machine.as_deref().map(Into::into);
        Some(Happening::StockOut(Box::new(StockOut { machine, zone, spot: given.spot })))
    }

    fn spot_interruption(
        &mut self,
        given: &NodesFile,
        path: &str,
        groups: &[NodeGroup],
    ) -> Option<Happening> {
        let nodes = self.nodes(given, path, groups)?;
        let concerned = |(index, group): (usize, &NodeGroup)| {
            let is_of = |only: usize| groups[only].name == groups[index].name;
            group.spot.is_some() && nodes.group.is_none_or(is_of)
        };
        if !groups.iter().enumerate().any(concerned) {
            let hint = "give the group `spot: {...}`".to_owned();
            self.error(path, "no group that it names has spot machines", Some(hint));
        }
        Some(Happening::SpotInterruption(nodes))
    }
}
