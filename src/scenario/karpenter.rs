//! Karpenter in a scenario: which machines the cloud sells for its pools, where, and how they come.
//!
//! A machine type of a pool in a capacity type is a group of the cloud like those of `nodes`, so
//! that prices, boots, quotas and stock-outs are the same for both. What is made of pools
//! `control::karpenter` decides.

use super::file::{MachineFile, ScenarioFile};
use super::kubectl;
use super::machines::{self, Offer};
use super::market::{OnNotice, Provider, Spot};
use super::model::{Flags, Ignored, Machine, NodeGroup, Objects, Scenario, TimelineEntry};
use super::price_book::PriceBook;
use super::resolve::Resolver;
use super::value::{Ratio, Span, Varying};
use crate::api::Text;
use crate::api::labels::Labels;
use crate::api::node::{INSTANCE_TYPE_LABEL, ZONE_LABEL};
use crate::api::node_pool::{AWS_PREFIX, CAPACITY_TYPE_LABEL, NodePool, ON_DEMAND, SPOT};
use crate::api::object::Object;
use crate::sim::sample::Distribution;
use crate::units::SimDuration;
use schemars::JsonSchema;
use serde::Deserialize;
use std::ops::Range;

/// What manifests do not say of the machines that Karpenter may have. NodePools among the manifests
/// install it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct KarpenterFile {
    /// Machine types that the cloud sells: names of the catalogue, or your own. Default: all of the
    /// catalogue by the provider of a pool's node class (EC2NodeClass, AKSNodeClass, GCENodeClass).
    pub machines: Vec<MachineFile>,
    /// Zones in which it sells them. Default: those of the node groups.
    pub zones: Vec<String>,
    /// From the cloud's acceptance of a machine until its node registers. Default p50 32 s, p99
    /// 58 s (measured on GKE).
    pub boot: Option<Varying>,
    /// From registration until Ready. Default p50 21 s, p99 41 s (measured on GKE).
    pub ready: Option<Varying>,
    /// Share of machines that never come up. Default 0.
    pub boot_failure: Option<Ratio>,
    /// Price of spot machines, as a share of that on demand, of types for which the price book has
    /// none. Default: such types are not sold as spot machines.
    pub spot_price: Option<Ratio>,
    /// From a node's registration until the cloud wants a spot machine back, drawn for each:
    /// `{mean: 20h}`. Default: never by itself.
    pub spot_interruption: Option<Varying>,
    /// From the notice until the machine is gone. Default 2m, of machines of GCP and Azure 30s.
    pub spot_notice: Option<Span>,
}

/// Pools and the groups of machines that are theirs.
#[derive(Clone, Debug)]
pub struct Karpenter {
    /// NodePools in file order.
    pub pools: Vec<NodePool>,
    /// By group from `first_group` on, the pool that it is for.
    pub pool_of: Vec<usize>,
    /// Groups of the scenario that are made for pools: all from here on.
    pub first_group: usize,
}

impl Karpenter {
    /// The groups of pools, of so many in all.
    pub fn groups(&self) -> Range<usize> {
        self.first_group..self.first_group + self.pool_of.len()
    }
}

impl Scenario {
    /// The groups of `nodes`; behind them are those of pools.
    pub fn own_groups(&self) -> &[NodeGroup] {
        let end = self.karpenter.as_ref().map_or(self.node_groups.len(), |k| k.first_group);
        &self.node_groups[..end]
    }
}

/// A machine type that may be sold.
struct Ware {
    machine: Machine,
    provider: Option<Provider>,
    spot_price: Option<f64>,
}

impl Resolver<'_> {
    /// The groups of `nodes`, and behind them those that are made for pools.
    pub(super) fn all_groups(
        &mut self,
        file: &ScenarioFile,
        pools: Vec<NodePool>,
        book: &PriceBook,
        ignored: &mut Vec<Ignored>,
    ) -> (Vec<NodeGroup>, Option<Box<Karpenter>>) {
        let mut groups = self.node_groups(file, book, !pools.is_empty(), ignored);
        let karpenter = self.karpenter(file, pools, book, &mut groups);
        (groups, karpenter.map(Box::new))
    }

    /// Adds the groups of machines that pools may use to those of the scenario; `None`: there are
    /// no pools.
    fn karpenter(
        &mut self,
        file: &ScenarioFile,
        pools: Vec<NodePool>,
        book: &PriceBook,
        groups: &mut Vec<NodeGroup>,
    ) -> Option<Karpenter> {
        let given = &file.karpenter;
        if pools.is_empty() {
            if given.is_some() {
                let hint = "a manifest of kind NodePool, apiVersion karpenter.sh/v1".to_string();
                self.error("karpenter", "there is no NodePool", Some(hint));
            }
            return None;
        }
        let given = given.clone().unwrap_or_default();
        let zones = self.zones_sold(&given, groups);
        let wares = self.wares(&given, book);
        let (first_group, mut pool_of) = (groups.len(), Vec::new());
        for (index, pool) in pools.iter().enumerate() {
            if groups[..first_group].iter().any(|group| group.name == pool.name) {
                let message = format!("a node group and a NodePool are both named `{}`", pool.name);
                self.error("nodes", message, None);
            }
            let known = groups.len();
            groups.extend(groups_for(pool, &wares, &zones, &given));
            if groups.len() == known {
                let hint = match provider_of(pool) {
                    None if given.machines.is_empty() => "list them in `karpenter.machines`",
                    _ => "spot machines need a price: give `karpenter.spot-price`, or a price-book",
                };
                let message =
                    format!("no machine meets the requirements of NodePool {}", pool.name);
                self.error("manifests", message, Some(hint.to_string()));
            }
            pool_of.extend(std::iter::repeat_n(index, groups.len() - known));
        }
        Some(Karpenter { pools, pool_of, first_group })
    }

    /// The timeline; what it makes of pools may need more groups.
    pub(super) fn planned(
        &mut self,
        file: &ScenarioFile,
        objects: &Objects,
        (groups, karpenter): (&mut Vec<NodeGroup>, &mut Option<Box<Karpenter>>),
        flags: &Flags,
        book: &PriceBook,
    ) -> Vec<TimelineEntry> {
        let timeline = self.timeline(file, objects, groups, flags);
        self.widen_pools(karpenter.as_deref_mut(), file, &timeline, book, groups);
        timeline
    }

    /// Adds the groups that pools may use once the timeline has changed them.
    fn widen_pools(
        &mut self,
        karpenter: Option<&mut Karpenter>,
        file: &ScenarioFile,
        timeline: &[TimelineEntry],
        book: &PriceBook,
        groups: &mut Vec<NodeGroup>,
    ) {
        let pool_of = |object: &Object| match object {
            Object::NodePool(pool) => Some((**pool).clone()),
            _ => None,
        };
        let changed: Vec<NodePool> = kubectl::applied(timeline).filter_map(pool_of).collect();
        if changed.is_empty() {
            return;
        }
        let known = |karpenter: &Karpenter, pool: &NodePool| {
            karpenter.pools.iter().position(|known| known.name == pool.name)
        };
        let strange =
            changed.iter().find(|pool| karpenter.as_ref().is_none_or(|k| known(k, pool).is_none()));
        if let Some(pool) = strange {
            let message = format!("there is no NodePool `{}` among the manifests", pool.name);
            let hint = "pools are there from the start: a line can change them".to_string();
            return self.error("timeline", message, Some(hint));
        }
        let Some(karpenter) = karpenter else { return };
        let given = file.karpenter.clone().unwrap_or_default();
        let zones = self.zones_sold(&given, &groups[..karpenter.first_group]);
        let wares = self.wares(&given, book);
        for pool in changed {
            let Some(index) = known(karpenter, &pool) else { continue };
            for mut more in groups_for(&pool, &wares, &zones, &given) {
                let same = |g: &&NodeGroup| {
                    g.name == more.name
                        && g.machine.name == more.machine.name
                        && g.spot.is_some() == more.spot.is_some()
                };
                let there: Vec<Text> = groups[karpenter.first_group..]
                    .iter()
                    .filter(same)
                    .flat_map(|group| group.zones.iter().cloned())
                    .collect();
                more.zones.retain(|zone| !there.contains(zone));
                if !more.zones.is_empty() {
                    groups.push(more);
                    karpenter.pool_of.push(index);
                }
            }
        }
    }

    fn zones_sold(&mut self, given: &KarpenterFile, groups: &[NodeGroup]) -> Vec<Text> {
        if !given.zones.is_empty() {
            return given.zones.iter().map(|zone| zone.as_str().into()).collect();
        }
        let mut zones: Vec<Text> = Vec::new();
        for zone in groups.iter().flat_map(|group| &group.zones) {
            if !zones.contains(zone) {
                zones.push(zone.clone());
            }
        }
        if zones.is_empty() {
            zones.push("".into());
        }
        zones
    }

    fn wares(&mut self, given: &KarpenterFile, book: &PriceBook) -> Vec<Ware> {
        let share = given.spot_price.map(|share| share.0);
        if share.is_some_and(|share| !(0.0..=1.0).contains(&share)) {
            self.error("karpenter.spot-price", "is a share between 0% and 100%", None);
        }
        let failure = given.boot_failure.map_or(0.0, |ratio| ratio.0);
        if !(0.0..=1.0).contains(&failure) {
            self.error("karpenter.boot-failure", "is a share between 0% and 100%", None);
        }
        let mut wares = Vec::new();
        for (index, machine) in given.machines.iter().enumerate() {
            let path = format!("karpenter.machines[{index}]");
            let (machine, provider, spot_price) = self.machine(machine, book, &path);
            wares.push(Ware { machine, provider, spot_price });
        }
        if given.machines.is_empty() {
            wares.extend(machines::all().map(|offer| {
                let Offer { provider, machine, spot_price } = offer;
                Ware { machine, provider: Some(provider), spot_price }
            }));
        }
        for ware in &mut wares {
            let booked = book.machines.get(&*ware.machine.name);
            if let Some(price) = booked.filter(|_| given.machines.is_empty()) {
                ware.machine.price_per_hour = price.price_per_hour;
            }
            let booked = booked.and_then(|price| price.spot_price_per_hour);
            let by_share = share.map(|share| ware.machine.price_per_hour * share);
            ware.spot_price = booked.or(ware.spot_price).or(by_share);
        }
        wares
    }
}

/// Whose machines a pool's node class is about.
fn provider_of(pool: &NodePool) -> Option<Provider> {
    match &*pool.class_kind {
        "EC2NodeClass" => Some(Provider::Aws),
        "AKSNodeClass" => Some(Provider::Azure),
        "GCENodeClass" => Some(Provider::Gcp),
        _ => None,
    }
}

/// The groups of all machine types that a pool may use.
fn groups_for(
    pool: &NodePool,
    wares: &[Ware],
    zones: &[Text],
    given: &KarpenterFile,
) -> Vec<NodeGroup> {
    let of = provider_of(pool);
    let is_sold = |ware: &&Ware| !given.machines.is_empty() || ware.provider == of;
    wares.iter().filter(is_sold).flat_map(|ware| groups_of(pool, ware, zones, given)).collect()
}

/// The groups of a machine type for a pool: on demand and spot, in the zones that the pool admits.
fn groups_of(
    pool: &NodePool,
    ware: &Ware,
    zones: &[Text],
    given: &KarpenterFile,
) -> Vec<NodeGroup> {
    let or = |given: &Option<Varying>, p50: f64, p99: f64| {
        let default = || Distribution::lognormal_p50_p99(p50, p99);
        given.as_ref().map_or_else(default, |varying| varying.0.clone())
    };
    let is_aws = !matches!(ware.provider, Some(Provider::Azure | Provider::Gcp));
    let notice = SimDuration::from_secs(if is_aws { 120 } else { 30 });
    let mut groups = Vec::new();
    for (kind, price) in [(ON_DEMAND, Some(ware.machine.price_per_hour)), (SPOT, ware.spot_price)] {
        let Some(price_per_hour) = price.filter(|_| pool.wants(kind)) else { continue };
        let labels = labels_of(&ware.machine, is_aws).with(CAPACITY_TYPE_LABEL, kind);
        let full = pool
            .labels
            .iter()
            .fold(labels.clone(), |all, (key, value)| all.with(key.clone(), value.clone()));
        let full = full
            .with(INSTANCE_TYPE_LABEL, ware.machine.name.clone())
            .with("kubernetes.io/os", "linux")
            .with("kubernetes.io/arch", "amd64");
        let admitted = |zone: &&Text| pool.admits(&full.with(ZONE_LABEL, (*zone).clone()));
        let zones: Vec<Text> = zones.iter().filter(admitted).cloned().collect();
        if zones.is_empty() {
            continue;
        }
        let spot = Spot {
            interruption: given.spot_interruption.as_ref().map(|varying| varying.0.clone()),
            notice: given.spot_notice.map_or(notice, |span| span.0),
            on_notice: OnNotice::Nothing,
        };
        groups.push(NodeGroup {
            name: pool.name.clone(),
            machine: Machine { price_per_hour, ..ware.machine.clone() },
            count: 0,
            min: 0,
            max: 0,
            autoscaled: false,
            zones,
            labels,
            taints: Vec::new(),
            boot: or(&given.boot, 32.0, 58.0),
            ready: or(&given.ready, 21.0, 41.0),
            boot_failure: given.boot_failure.map_or(0.0, |ratio| ratio.0),
            spot: (kind == SPOT).then_some(spot),
            static_pods: Vec::new(),
            node_names: Vec::new(),
        });
    }
    groups
}

/// Labels by which a machine of AWS describes itself, read from its name and figures:
/// `m5.2xlarge` is of category `m`, family `m5`, generation 5 and size `2xlarge`.
fn labels_of(machine: &Machine, is_aws: bool) -> Labels {
    let Some((family, size)) = machine.name.split_once('.').filter(|_| is_aws) else {
        return Labels::default();
    };
    let digit = family.find(|c: char| c.is_ascii_digit()).unwrap_or(family.len());
    let (category, rest) = family.split_at(digit);
    let generation: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let cores = (machine.capacity.cpu.0 / 1000).to_string();
    let mebi = (machine.capacity.memory.0 / (1024 * 1024)).to_string();
    let pairs = [
        ("instance-category", category),
        ("instance-family", family),
        ("instance-generation", &generation),
        ("instance-size", size),
        ("instance-cpu", &cores),
        ("instance-memory", &mebi),
    ];
    let pair = |(key, value): (&str, &str)| (format!("{AWS_PREFIX}{key}").into(), value.into());
    Labels::new(pairs.into_iter().map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_of_aws_describe_themselves() {
        let machine = machines::find("c6i.2xlarge").unwrap().machine;
        let labels = labels_of(&machine, true);
        let rows = [
            ("instance-category", "c"),
            ("instance-family", "c6i"),
            ("instance-generation", "6"),
            ("instance-size", "2xlarge"),
            ("instance-cpu", "8"),
            ("instance-memory", "16384"),
        ];
        for (key, value) in rows {
            let found = labels.get(&format!("{AWS_PREFIX}{key}")).map(|value| &**value);
            assert_eq!(found, Some(value), "{key}");
        }
        let other = machines::find("n2-standard-4").unwrap().machine;
        assert!(labels_of(&other, false).is_empty(), "those of others have none");
    }
}
