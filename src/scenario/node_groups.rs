//! Node groups, from the file as written: sizes, zones, machines and their prices.

use super::eviction::Signal;
use super::file::{EffectFile, MachineFile, NodeGroupFile, OwnMachine, ScenarioFile};
use super::manifests::{DNS_NAME, is_dns_name};
use super::market::Provider;
use super::model::*;
use super::price_book::PriceBook;
use super::resolve::Resolver;
use super::{checks, machines};
use crate::api::labels::Labels;
use crate::api::taint::{Taint, TaintEffect};
use crate::sim::sample::Distribution;
use crate::units::{Bytes, SimTime};

/// Most nodes of a group: beyond any cluster, and below what would fill the memory by a slip.
const MOST_NODES: u32 = 1_000_000;

impl Resolver<'_> {
    /// The groups of `nodes`; `pools`: others will be made for NodePools.
    pub(super) fn node_groups(
        &mut self,
        file: &ScenarioFile,
        book: &PriceBook,
        pools: bool,
        ignored: &mut Vec<Ignored>,
    ) -> Vec<NodeGroup> {
        if file.nodes.is_empty() {
            self.error("nodes", "a cluster needs a node group", None);
        }
        let mut groups: Vec<NodeGroup> = Vec::new();
        for (index, given) in file.nodes.iter().enumerate() {
            let path = format!("nodes[{index}]");
            if groups.iter().any(|group| *group.name == *given.name) {
                self.error(
                    &format!("{path}.name"),
                    format!("two groups are named `{}`", given.name),
                    None,
                );
            }
            let mut group = self.node_group(given, book, &path);
            if let Some(disk) = given.disk {
                let kubelet = file.flags.kubelet.over_defaults();
                self.give_disk(&mut group.machine, disk.0.as_bytes(), &kubelet, &path);
            }
            group.static_pods = self.static_pods(given, &group.machine, &path, ignored);
            groups.push(group);
        }
        // An empty group may be opened by the timeline.
        let opened = file.timeline.iter().any(|entry| entry.node_group_max.is_some());
        let opened = opened || pools;
        if !groups.is_empty() && !opened && groups.iter().all(|group| group.max == 0) {
            self.error("nodes", "no group has a node, nor room for one", None);
        }
        groups
    }

    fn node_group(&mut self, given: &NodeGroupFile, book: &PriceBook, path: &str) -> NodeGroup {
        let (mut machine, provider, listed) =
            self.machine(&given.machine, book, &format!("{path}.machine"));
        let booked = book.machines.get(&*machine.name).copied();
        let spot = given.spot.as_ref().map(|spot| {
            let (spot, price) =
                self.spot(spot, (provider, listed, booked), &format!("{path}.spot"));
            machine.price_per_hour = price;
            spot
        });
        self.check_size(given, path);
        let (min, max) = (given.min.unwrap_or(given.count), given.max.unwrap_or(given.count));
        let pairs = given.labels.iter().map(|(k, v)| (k.as_str().into(), v.as_str().into()));
        let taints = given.taints.iter().map(|taint| Taint {
            key: taint.key.as_str().into(),
            value: taint.value.as_str().into(),
            effect: match taint.effect {
                EffectFile::NoSchedule => TaintEffect::NoSchedule,
                EffectFile::PreferNoSchedule => TaintEffect::PreferNoSchedule,
                EffectFile::NoExecute => TaintEffect::NoExecute,
            },
            added: SimTime::ZERO,
        });
        let or = |given: &Option<super::value::Varying>, p50: f64, p99: f64| {
            let default = || Distribution::lognormal_p50_p99(p50, p99);
            given.as_ref().map_or_else(default, |varying| varying.0.clone())
        };
        NodeGroup {
            name: given.name.as_str().into(),
            machine,
            count: given.count,
            min,
            max,
            autoscaled: max > min,
            zones: given.zones.iter().map(|zone| zone.as_str().into()).collect(),
            labels: Labels::new(pairs.collect()),
            taints: taints.collect(),
            // GKE +1 node p50 31.6 s, p99 58 s; registered to Ready p50 21 s, p99 41 s.
            boot: or(&given.boot, 32.0, 58.0),
            ready: or(&given.ready, 21.0, 41.0),
            boot_failure: given.boot_failure.map_or(0.0, |ratio| ratio.0),
            spot,
            static_pods: Vec::new(),
            node_names: Vec::new(),
        }
    }

    fn check_size(&mut self, given: &NodeGroupFile, path: &str) {
        let (min, max) = (given.min.unwrap_or(given.count), given.max.unwrap_or(given.count));
        if !is_dns_name(&given.name) {
            let message = format!("`{}` is no name for nodes", given.name);
            self.error(&format!("{path}.name"), message, Some(DNS_NAME.to_string()));
        }
        if max > MOST_NODES {
            let message = format!("{max} nodes are too many: at most {MOST_NODES}");
            let field = if given.max.is_some() { "max" } else { "count" };
            self.error(&format!("{path}.{field}"), message, None);
        }
        if max < min {
            self.error(&format!("{path}.max"), format!("is below min, {min}"), None);
        } else if !(min..=max).contains(&given.count) {
            let message = format!("{} is outside of min {min} to max {max}", given.count);
            self.error(&format!("{path}.count"), message, None);
        }
        let failure = given.boot_failure.map_or(0.0, |ratio| ratio.0);
        if !(0.0..=1.0).contains(&failure) {
            self.error(&format!("{path}.boot-failure"), "is a share between 0% and 100%", None);
        }
    }

    /// Pods may request what the kubelet does not keep free.
    fn give_disk(&mut self, to: &mut Machine, disk: Bytes, kubelet: &KubeletFlags, path: &str) {
        if disk <= Bytes::ZERO {
            self.error(&format!("{path}.disk"), "must be above zero", None);
        }
        let kept = kubelet.eviction_hard.of(Signal::NodeFs).map_or(0, |bound| bound.of(disk.0));
        to.capacity.ephemeral_storage = disk;
        to.allocatable.ephemeral_storage = Bytes((disk.0 - kept).max(0));
    }

    /// The machine, whose it is, and what one costs as a spot machine, as far as that is known.
    pub(super) fn machine(
        &mut self,
        given: &MachineFile,
        book: &PriceBook,
        path: &str,
    ) -> (Machine, Option<Provider>, Option<f64>) {
        match given {
            MachineFile::Named(name) => match machines::find(name) {
                Some(offer) => {
                    let mut machine = offer.machine;
                    if let Some(price) = book.machines.get(name) {
                        machine.price_per_hour = price.price_per_hour;
                    }
                    (machine, Some(offer.provider), offer.spot_price)
                }
                None => {
                    let known: Vec<String> = machines::names().map(str::to_string).collect();
                    self.unknown(path, "machine type", name, &known);
                    (machines::own(&OwnMachine::nothing()), None, None)
                }
            },
            MachineFile::Own(own) => {
                let mut machine = machines::own(own);
                let booked = book.machines.get(&own.name).map(|price| price.price_per_hour);
                machine.price_per_hour = own.price_per_hour.or(booked).unwrap_or(0.0);
                for (field, message) in checks::machine(&machine) {
                    self.error(&format!("{path}.{field}"), message, None);
                }
                (machine, None, None)
            }
        }
    }
}
