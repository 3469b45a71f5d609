//! Which devices are taken, and how much is taken of those that several claims share.
//!
//! Source: `plugins/dynamicresources/allocateddevices.go`, dynamic-resource-allocation
//! `structured/schedulerapi/types.go`, v1.37.

use super::Devices;
use crate::api::Text;
use crate::api::devices::{Allocation, DeviceId};
use crate::api::quantity::Quantity;
use std::collections::{BTreeMap, BTreeSet};

/// Amounts of capacities by name.
pub type Amounts = BTreeMap<Text, Quantity>;

/// Devices that claims have got.
#[derive(Clone, Default, Debug)]
pub struct Allocated {
    /// Those that one claim has for itself.
    whole: BTreeSet<DeviceId>,
    /// How many shares there are of the others.
    shares: BTreeMap<DeviceId, usize>,
    /// What the shares take together.
    consumed: BTreeMap<DeviceId, Amounts>,
}

impl Allocated {
    /// A claim has got devices. Devices that are had with admin access do not count.
    pub fn add(&mut self, allocation: &Allocation) {
        for device in allocation.devices.iter().filter(|device| !device.admin_access) {
            if !device.is_share {
                self.whole.insert(device.id.clone());
                continue;
            }
            *self.shares.entry(device.id.clone()).or_default() += 1;
            if !device.consumed.is_empty() {
                let sums = self.consumed.entry(device.id.clone()).or_default();
                add(sums, &device.consumed);
            }
        }
    }

    /// A claim has lost its devices.
    pub fn remove(&mut self, allocation: &Allocation) {
        for device in allocation.devices.iter().filter(|device| !device.admin_access) {
            if !device.is_share {
                self.whole.remove(&device.id);
                continue;
            }
            if let Some(shares) = self.shares.get_mut(&device.id) {
                *shares -= 1;
                if *shares == 0 {
                    self.shares.remove(&device.id);
                }
            }
            if let Some(sums) = self.consumed.get_mut(&device.id) {
                subtract(sums, &device.consumed);
                if sums.values().all(|sum| *sum == Quantity::default()) {
                    self.consumed.remove(&device.id);
                }
            }
        }
    }
}

/// Adds amounts to sums.
pub(super) fn add(sums: &mut Amounts, amounts: &Amounts) {
    for (name, amount) in amounts {
        let sum = sums.entry(name.clone()).or_default();
        *sum = sum.plus(*amount);
    }
}

/// Takes amounts from sums that are there.
pub(super) fn subtract(sums: &mut Amounts, amounts: &Amounts) {
    for (name, amount) in amounts {
        if let Some(sum) = sums.get_mut(name) {
            *sum = sum.minus(*amount);
        }
    }
}

/// What is taken as one scheduling cycle sees it: by claims, and by allocations being written
/// (`GatherAllocatedState`).
#[derive(Clone, Copy)]
pub(super) struct Taken<'a> {
    told: &'a Allocated,
    in_flight: &'a Allocated,
}

impl<'a> Taken<'a> {
    pub(super) fn new(devices: &'a Devices, in_flight: &'a Allocated) -> Taken<'a> {
        Taken { told: &devices.allocated, in_flight }
    }

    /// Whether one claim has the device for itself.
    pub(super) fn is_whole(&self, id: &DeviceId) -> bool {
        self.told.whole.contains(id) || self.in_flight.whole.contains(id)
    }

    /// Whether any claim has the device or a share of it (`IsDeviceAllocated`).
    pub(super) fn is_taken(&self, id: &DeviceId) -> bool {
        self.is_whole(id) || self.is_shared(id)
    }

    /// Whether a claim has a share of it.
    pub(super) fn is_shared(&self, id: &DeviceId) -> bool {
        let has = |of: &Allocated| of.shares.contains_key(id) || of.consumed.contains_key(id);
        has(self.told) || has(self.in_flight)
    }

    /// What the shares of a device take together.
    pub(super) fn consumed(&self, id: &DeviceId) -> Amounts {
        let mut sums = self.told.consumed.get(id).cloned().unwrap_or_default();
        if let Some(more) = self.in_flight.consumed.get(id) {
            add(&mut sums, more);
        }
        sums
    }
}

impl Devices {
    /// What is being written.
    pub(in super::super) fn gather_in_flight(&self) -> Allocated {
        let mut all = Allocated::default();
        self.in_flight.values().for_each(|allocation| all.add(allocation));
        all
    }
}
