//! The pools of devices that a node reaches, in the order in which they are searched.
//!
//! Source: dynamic-resource-allocation `structured/internal/incubating/pools_incubating.go`, v1.37.
//! Slices with compatibility groups do not count: that gate is off by default.

use super::Devices;
use crate::api::Text;
use crate::api::devices::{Counters, Device, Reach, ResourceSlice};
use crate::api::labels::Labels;
use std::collections::{BTreeMap, BTreeSet};

/// A pool as it is seen from a node.
pub(super) struct Pool<'a> {
    pub(super) driver: &'a Text,
    pub(super) name: &'a Text,
    pub(super) state: State,
    /// Slices with devices, sorted by name.
    pub(super) slices: Vec<&'a ResourceSlice>,
    /// Slices with devices that are reached from other nodes only.
    pub(super) elsewhere: Vec<&'a ResourceSlice>,
    /// Sets of counters by name.
    pub(super) counters: BTreeMap<&'a Text, &'a Counters>,
}

/// Whether devices of a pool can be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// They can.
    Fine,
    /// Its driver has not told all slices yet.
    Incomplete,
    /// Its driver tells what can't be.
    Invalid,
}

/// A node as slices see it.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) name: &'a Text,
    pub(super) labels: &'a Labels,
}

impl Seen<'_> {
    /// Whether the node reaches what is reached so (`NodeMatches`).
    pub(super) fn reaches(&self, reach: &Reach) -> bool {
        match reach {
            Reach::Node(name) => name == self.name,
            Reach::All => true,
            Reach::Selector(terms) => terms.iter().any(|t| t.matches(self.name, self.labels)),
            Reach::PerDevice | Reach::Nowhere => false,
        }
    }

    fn reaches_some_of(&self, slice: &ResourceSlice) -> bool {
        match &slice.reach {
            Reach::PerDevice => slice.devices.iter().any(|device| self.reaches(&device.reach)),
            reach => self.reaches(reach),
        }
    }
}

/// All pools that a node reaches (`GatherPools`): sorted by driver and name, those with devices
/// that take time to be made ready last.
pub(super) fn gather<'a>(devices: &'a Devices, node: Seen<'a>) -> Vec<Pool<'a>> {
    let mut by_pool: BTreeMap<(&Text, &Text), Vec<&ResourceSlice>> = BTreeMap::new();
    for slice in devices.slices_for(node.name) {
        if slice.has_compatibility_groups || !node.reaches_some_of(slice) {
            continue;
        }
        let slices = by_pool.entry((&slice.driver, &slice.pool)).or_default();
        match slices.first().map(|first| slice.generation.cmp(&first.generation)) {
            Some(std::cmp::Ordering::Less) => {}
            Some(std::cmp::Ordering::Greater) => *slices = vec![slice],
            Some(std::cmp::Ordering::Equal) | None => slices.push(slice),
        }
    }
    let pools = by_pool.into_iter().filter_map(|(id, slices)| pool(devices, id, slices));
    let (late, mut early): (Vec<Pool<'_>>, Vec<Pool<'_>>) =
        pools.partition(Pool::has_binding_conditions);
    early.extend(late);
    early
}

/// A pool of these slices; `None`: a newer generation is told of elsewhere.
fn pool<'a>(
    devices: &'a Devices,
    (driver, name): (&'a Text, &'a Text),
    mut slices: Vec<&'a ResourceSlice>,
) -> Option<Pool<'a>> {
    let (generation, count) = (slices[0].generation, slices[0].slice_count);
    let mut others: Vec<&ResourceSlice> = Vec::new();
    let is_all = |slices: usize| i64::try_from(slices) == Ok(count);
    let mut state = State::Fine;
    if !is_all(slices.len()) {
        let all: Vec<&ResourceSlice> =
            devices.slices_of_pool((driver, name)).map(|slice| &**slice).collect();
        if all.iter().any(|slice| slice.generation > generation) {
            return None;
        }
        others = all;
        others.retain(|s| s.generation == generation && !s.has_compatibility_groups);
        if !is_all(others.len()) {
            state = State::Incomplete;
        }
        others.retain(|other| slices.iter().all(|slice| slice.name != other.name));
    }
    let empty = Pool {
        driver,
        name,
        state,
        slices: Vec::new(),
        elsewhere: Vec::new(),
        counters: BTreeMap::new(),
    };
    if state == State::Incomplete {
        return Some(empty);
    }
    slices.sort_by(|a, b| a.name.cmp(&b.name));
    let has_counters = |slice: &&ResourceSlice| !slice.counter_sets.is_empty();
    let (counting, slices): (Vec<_>, Vec<_>) = slices.into_iter().partition(has_counters);
    let (more, elsewhere): (Vec<_>, Vec<_>) = others.into_iter().partition(has_counters);
    let sets = counting.into_iter().chain(more).flat_map(|slice| &slice.counter_sets);
    let mut counters: BTreeMap<&Text, &Counters> = BTreeMap::new();
    let mut is_valid = has_unique_names(&slices);
    for set in sets {
        is_valid &= counters.insert(&set.set, set).is_none();
    }
    is_valid &= slices.iter().chain(&elsewhere).all(|slice| knows(&counters, slice));
    match is_valid {
        true => Some(Pool { slices, elsewhere, counters, ..empty }),
        false => Some(Pool { state: State::Invalid, ..empty }),
    }
}

fn has_unique_names(slices: &[&ResourceSlice]) -> bool {
    let mut names = BTreeSet::new();
    slices.iter().flat_map(|slice| &slice.devices).all(|device| names.insert(&device.name))
}

/// Whether all counters are known that devices of a slice take of.
fn knows(counters: &BTreeMap<&Text, &Counters>, slice: &ResourceSlice) -> bool {
    let known = |consumed: &Counters| {
        counters
            .get(&consumed.set)
            .is_some_and(|set| consumed.counters.keys().all(|name| set.counters.contains_key(name)))
    };
    slice.devices.iter().flat_map(|device: &Device| &device.consumes).all(known)
}

impl Pool<'_> {
    fn has_binding_conditions(&self) -> bool {
        let mut devices = self.slices.iter().flat_map(|slice| &slice.devices);
        devices.any(|device| !device.binding_conditions.is_empty())
    }
}
