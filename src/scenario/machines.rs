//! Machine types, of the catalogue and a scenario's own: sizes, what is left for pods, prices.
//!
//! The catalogue is `machines.csv` beside this file: a dated price book with its sources. It is
//! only a starting point: a scenario may name a price book of its own, or describe machines itself.
//! Watts are assumed from a dual-socket server shared among its cores.

use super::file::OwnMachine;
use super::market::Provider;
use super::model::Machine;
use crate::api::resources::Resources;
use crate::units::{Bytes, MilliCpu};

const CATALOGUE: &str = include_str!("machines.csv");

/// Watts per core, idle and busy.
const WATTS: (f64, f64) = (6.0, 14.0);
/// Compressed image bytes a second: download and unpacking.
const PULL: (f64, f64) = (30e6, 60e6);

/// A line of the catalogue.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Whose machine it is.
    pub provider: Provider,
    /// The machine on demand.
    pub machine: Machine,
    /// Price an hour of a spot machine, where the source has one.
    pub spot_price: Option<f64>,
}

/// Lines without comments and header, split at commas.
fn lines() -> impl Iterator<Item = Vec<&'static str>> {
    let lines = CATALOGUE.lines().filter(|line| !line.starts_with('#')).skip(1);
    lines.map(|line| line.split(',').collect())
}

/// The machine type called `name`.
pub fn find(name: &str) -> Option<Offer> {
    let fields = lines().find(|fields| fields.get(1) == Some(&name))?;
    offer(&fields)
}

/// All machine types.
pub fn all() -> impl Iterator<Item = Offer> {
    lines().filter_map(|fields| offer(&fields))
}

fn offer(fields: &[&str]) -> Option<Offer> {
    let [provider, name, cores, gib, cpu, mib, pods, price, spot] = fields else { return None };
    let cores: i64 = cores.parse().ok()?;
    let bytes = gib.parse::<f64>().ok()? * 1024.0 * 1024.0 * 1024.0;
    let left = Resources::of(MilliCpu(cpu.parse().ok()?), Bytes::mebi(mib.parse().ok()?));
    Some(Offer {
        provider: Provider::named(provider)?,
        machine: Machine {
            name: (*name).into(),
            capacity: Resources::of(MilliCpu(cores * 1000), Bytes(bytes as i64)),
            allocatable: left,
            max_pods: pods.parse().ok()?,
            price_per_hour: price.parse().ok()?,
            idle_watts: WATTS.0 * cores as f64,
            peak_watts: WATTS.1 * cores as f64,
            pull_bytes_per_second: PULL.0,
            unpack_bytes_per_second: PULL.1,
        },
        spot_price: spot.parse().ok(),
    })
}

/// All names, for messages.
pub fn names() -> impl Iterator<Item = &'static str> {
    lines().filter_map(|fields| fields.get(1).copied())
}

impl OwnMachine {
    /// What stands in for a machine type that is not known, while other errors are looked for.
    pub(super) fn nothing() -> OwnMachine {
        let one = super::value::Amount(Default::default());
        OwnMachine {
            name: String::new(),
            cpu: one,
            memory: one,
            allocatable_cpu: None,
            allocatable_memory: None,
            resources: Default::default(),
            pods: None,
            price_per_hour: None,
            idle_watts: None,
            peak_watts: None,
            image_download: None,
            image_unpack: None,
        }
    }
}

/// The machine that a scenario describes itself.
pub(super) fn own(own: &OwnMachine) -> Machine {
    let (cpu, memory) = (own.cpu.0.as_cpu(), own.memory.0.as_bytes());
    let cores = cpu.cores();
    let mut capacity = Resources::of(cpu, memory);
    let left_cpu = own.allocatable_cpu.map_or(MilliCpu(cpu.0 * 975 / 1000), |a| a.0.as_cpu());
    let left_memory = own.allocatable_memory.map_or(Bytes(memory.0 / 100 * 92), |a| a.0.as_bytes());
    let mut allocatable = Resources::of(left_cpu, left_memory);
    for (name, amount) in &own.resources {
        for list in [&mut capacity, &mut allocatable] {
            list.scalars.get_or_insert_default().insert(name.as_str().into(), amount.0.value());
        }
    }
    let rate = |given: Option<super::value::Amount>, default: f64| {
        given.map_or(default, |amount| (amount.0.value() as f64).max(1.0))
    };
    Machine {
        name: own.name.as_str().into(),
        capacity,
        allocatable,
        max_pods: own.pods.unwrap_or(110),
        price_per_hour: own.price_per_hour.unwrap_or(0.0),
        idle_watts: own.idle_watts.unwrap_or(WATTS.0 * cores),
        peak_watts: own.peak_watts.unwrap_or(WATTS.1 * cores),
        pull_bytes_per_second: rate(own.image_download, PULL.0),
        unpack_bytes_per_second: rate(own.image_unpack, PULL.1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_catalogue_is_a_machine() {
        let mut known = std::collections::BTreeSet::new();
        for fields in lines() {
            let offer = offer(&fields).unwrap_or_else(|| panic!("{fields:?}"));
            let machine = &offer.machine;
            let name = &machine.name;
            assert!(known.insert(name.clone()), "{name} is there twice");
            assert!(machine.allocatable.cpu.0 < machine.capacity.cpu.0, "{name}: cores");
            assert!(machine.allocatable.memory.0 < machine.capacity.memory.0, "{name}: memory");
            let fair = 0.01..0.1;
            let per_core = machine.price_per_hour / machine.capacity.cpu.cores();
            assert!(fair.contains(&per_core), "{name}: {per_core} an hour and core");
            assert!(offer.spot_price.is_none_or(|spot| spot < machine.price_per_hour), "{name}");
        }
        assert!(known.len() > 60);
    }

    #[test]
    fn figures_are_those_of_the_sources() {
        let rows = [
            ("n1-standard-4", Provider::Gcp, 0.19, Some(0.04)),
            ("m5.xlarge", Provider::Aws, 0.192, None),
            ("D8ds_v5", Provider::Azure, 0.452, None),
        ];
        for (name, provider, price, spot) in rows {
            let offer = find(name).unwrap();
            assert_eq!((offer.provider, offer.spot_price), (provider, spot), "{name}");
            assert_eq!(offer.machine.price_per_hour, price, "{name}");
        }
        assert!(find("n1-standard-3").is_none());
    }
}
