//! Machine types, of the catalogue and a scenario's own: sizes, what is left for pods, prices.
//!
//! Sizes are the providers'. What is left for pods is as measured on clusters where we have it
//! (GKE n1, GKE c2d, AKS D8ds; research notes section 3), else by GKE's published reservation
//! formula. Prices are list prices per hour on demand (Iowa, N. Virginia) as published around
//! 2024, and only a starting point: a scenario may give its own machine with its own price. Watts
//! are assumed from a dual-socket server shared among its cores.

use super::file::OwnMachine;
use super::model::Machine;
use crate::api::resources::Resources;
use crate::units::{Bytes, MilliCpu};

/// Name, cores, GiB, allocatable milli-CPU, allocatable MiB, pods, USD per hour.
type Row = (&'static str, i64, f64, i64, i64, u32, f64);

const CATALOGUE: &[Row] = &[
    ("n1-standard-2", 2, 7.5, 1930, 5_660, 110, 0.0950),
    ("n1-standard-4", 4, 15.0, 3920, 12_310, 110, 0.1900),
    ("n1-standard-8", 8, 30.0, 7910, 26_600, 110, 0.3800),
    ("n1-standard-16", 16, 60.0, 15_890, 55_900, 110, 0.7600),
    ("n1-standard-32", 32, 120.0, 31_850, 113_200, 110, 1.5200),
    ("e2-standard-4", 4, 16.0, 3920, 13_000, 110, 0.1340),
    ("c2-standard-8", 8, 32.0, 7910, 28_500, 110, 0.4176),
    ("c2d-standard-16", 16, 64.0, 15_890, 59_700, 110, 0.7260),
    ("m5.large", 2, 8.0, 1930, 7_000, 29, 0.0960),
    ("m5.xlarge", 4, 16.0, 3920, 14_800, 58, 0.1920),
    ("m5.2xlarge", 8, 32.0, 7910, 30_200, 58, 0.3840),
    ("m5.4xlarge", 16, 64.0, 15_890, 61_500, 234, 0.7680),
    ("D8ds_v5", 8, 32.0, 7820, 29_750, 110, 0.4520),
];

/// Watts per core, idle and busy.
const WATTS: (f64, f64) = (6.0, 14.0);
/// Compressed image bytes a second: download and unpacking.
const PULL: (f64, f64) = (30e6, 60e6);

/// The machine type called `name`.
pub fn find(name: &str) -> Option<Machine> {
    let row = CATALOGUE.iter().find(|row| row.0 == name)?;
    let (name, cores, gib, cpu, mib, pods, price) = *row;
    Some(Machine {
        name: name.into(),
        capacity: Resources::of(
            MilliCpu(cores * 1000),
            Bytes((gib * 1024.0 * 1024.0 * 1024.0) as i64),
        ),
        allocatable: Resources::of(MilliCpu(cpu), Bytes::mebi(mib)),
        max_pods: pods,
        price_per_hour: price,
        idle_watts: WATTS.0 * cores as f64,
        peak_watts: WATTS.1 * cores as f64,
        pull_bytes_per_second: PULL.0,
        unpack_bytes_per_second: PULL.1,
    })
}

/// All names, for messages.
pub fn names() -> impl Iterator<Item = &'static str> {
    CATALOGUE.iter().map(|row| row.0)
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
            price_per_hour: 0.0,
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
        price_per_hour: own.price_per_hour,
        idle_watts: own.idle_watts.unwrap_or(WATTS.0 * cores),
        peak_watts: own.peak_watts.unwrap_or(WATTS.1 * cores),
        pull_bytes_per_second: rate(own.image_download, PULL.0),
        unpack_bytes_per_second: rate(own.image_unpack, PULL.1),
    }
}
