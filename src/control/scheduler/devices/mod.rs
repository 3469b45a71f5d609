//! Classes, slices and claims of devices as DynamicResources reads them: the API's objects, and
//! over them the allocations of pods that have just got their nodes.
//!
//! | file | what lives there |
//! |---|---|
//! | `allocated.rs` | which devices are taken, and how much of those that are shared |
//! | `pools.rs` | the pools that a node reaches |
//! | `capacity.rs` | how much of a shared device a request takes |
//! | `constraint.rs` | constraints on the devices of a claim |
//! | `pod_claims.rs` | the claims of a pod |
//! | `allocator.rs`, `search.rs` | the search for devices, first fit |
//!
//! Source: `plugins/dynamicresources/dra_manager.go`, dynamic-resource-allocation
//! `resourceslice/tracker/tracker.go`, `deviceclass/extendedresourcecache/`, v1.37. Upstream lists
//! slices and rules in the order of a Go map; here it is that of their names, and nothing depends
//! on it but the order of a device's taints.

pub mod allocated;
pub mod allocator;
mod capacity;
mod constraint;
pub mod pod_claims;
mod pools;
mod search;

use crate::api::devices::{
    Allocation, CLASS_PREFIX, ClaimSource, Consumer, DeviceClass, DeviceObject, DeviceTaintRule,
    PodResourceClaim, ResourceClaim, ResourceSlice,
};
use crate::api::{ObjectName, PodId, Text};
use allocated::Allocated;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// All of them, by name.
#[derive(Default)]
pub struct Devices {
    classes: BTreeMap<Text, Arc<DeviceClass>>,
    /// The class that an extended resource is had from, by the resource's name.
    class_of_resource: BTreeMap<Text, Arc<DeviceClass>>,
    /// As the API server has them.
    slices: BTreeMap<Text, Arc<ResourceSlice>>,
    /// With the taints of rules.
    tainted: BTreeMap<Text, Arc<ResourceSlice>>,
    /// Names of slices by the node that alone reaches them; those of others are under no name.
    by_node: BTreeMap<Text, BTreeSet<Text>>,
    rules: BTreeMap<Text, Arc<DeviceTaintRule>>,
    claims: BTreeMap<ObjectName, Arc<ResourceClaim>>,
    /// What the claims that the API server tells have got.
    allocated: Allocated,
    /// Allocations that are being written, by the claims' UIDs.
    in_flight: BTreeMap<Text, Arc<Allocation>>,
    /// The claims that were made for a pod, by the pod's name for each (`resourceClaimStatuses`).
    /// `None`: no claim is needed.
    made: BTreeMap<PodId, BTreeMap<Text, Option<Text>>>,
}

/// A claim that a placed pod uses, to be written before the pod is bound.
#[derive(Clone, PartialEq, Debug)]
pub struct ClaimReservation {
    /// The claim.
    pub claim: ObjectName,
    /// Its UID.
    pub uid: Text,
    /// What it gets; `None`: it has it already.
    pub allocation: Option<Arc<Allocation>>,
    /// The claim itself, if it is to be created first: for extended resources.
    pub created: Option<Arc<ResourceClaim>>,
}

impl Devices {
    /// An object has appeared or changed; gives what it was before. What was being written to a
    /// claim has been written once it is told.
    pub fn set(&mut self, object: DeviceObject) -> Option<DeviceObject> {
        match object {
            DeviceObject::Class(new) => {
                let old = self.classes.insert(new.name.clone(), Arc::clone(&new));
                self.map_resources(&new, old.as_deref());
                old.map(DeviceObject::Class)
            }
            DeviceObject::Slice(new) => {
                let old = self.slices.insert(new.name.clone(), Arc::clone(&new));
                if let Some(old) = &old {
                    self.forget_place(old);
                }
                self.by_node.entry(new.node().clone()).or_default().insert(new.name.clone());
                self.taint(&new.name);
                old.map(DeviceObject::Slice)
            }
            DeviceObject::Claim(new) => {
                let old = self.claims.insert(new.name.clone(), Arc::clone(&new));
                match (old.as_ref().and_then(|old| old.allocation.as_ref()), &new.allocation) {
                    (None, Some(allocation)) => {
                        self.allocated.add(allocation);
                        self.in_flight.remove(&new.uid);
                    }
                    (Some(allocation), None) => self.allocated.remove(allocation),
                    // The devices of an allocation never change.
                    _ => {}
                }
                old.map(DeviceObject::Claim)
            }
            DeviceObject::TaintRule(new) => {
                let old = self.rules.insert(new.name.clone(), new);
                self.taint_all();
                old.map(DeviceObject::TaintRule)
            }
        }
    }

    /// An object is gone: the one of the kind and name of `object`; gives the last known version.
    pub fn remove(&mut self, object: &DeviceObject) -> Option<DeviceObject> {
        match object {
            DeviceObject::Class(gone) => {
                let gone = self.classes.remove(&gone.name)?;
                self.class_of_resource.remove(&implicit_resource(&gone.name));
                if let Some(resource) = &gone.extended_resource {
                    self.class_of_resource.remove(resource);
                }
                Some(DeviceObject::Class(gone))
            }
            DeviceObject::Slice(gone) => {
                let gone = self.slices.remove(&gone.name)?;
                self.tainted.remove(&gone.name);
                self.forget_place(&gone);
                Some(DeviceObject::Slice(gone))
            }
            DeviceObject::Claim(gone) => {
                let gone = self.claims.remove(&gone.name)?;
                if let Some(allocation) = &gone.allocation {
                    self.allocated.remove(allocation);
                }
                Some(DeviceObject::Claim(gone))
            }
            DeviceObject::TaintRule(gone) => {
                let gone = self.rules.remove(&gone.name)?;
                self.taint_all();
                Some(DeviceObject::TaintRule(gone))
            }
        }
    }

    /// Of two classes for one resource the younger one counts, then the first by name; a class that
    /// loses is not asked again when the other one goes (`updateResourceName2class`).
    fn map_resources(&mut self, new: &Arc<DeviceClass>, old: Option<&DeviceClass>) {
        let rival = new.extended_resource.as_ref().and_then(|r| self.class_of_resource.get(r));
        if let Some(rival) = rival {
            let loses = new.created < rival.created
                || (new.created == rival.created && new.name >= rival.name);
            if loses {
                return;
            }
        }
        if let Some(old) = old {
            self.class_of_resource.remove(&implicit_resource(&old.name));
            if let Some(resource) = &old.extended_resource {
                self.class_of_resource.remove(resource);
            }
        }
        if let Some(resource) = &new.extended_resource {
            self.class_of_resource.insert(resource.clone(), Arc::clone(new));
        }
        self.class_of_resource.insert(implicit_resource(&new.name), Arc::clone(new));
    }

    fn forget_place(&mut self, slice: &ResourceSlice) {
        if let Some(names) = self.by_node.get_mut(slice.node()) {
            names.remove(&slice.name);
            if names.is_empty() {
                self.by_node.remove(slice.node());
            }
        }
    }

    fn taint_all(&mut self) {
        let names: Vec<Text> = self.slices.keys().cloned().collect();
        names.iter().for_each(|name| self.taint(name));
    }

    /// Puts the taints of rules on the devices of a slice (`applyPatches`).
    fn taint(&mut self, name: &Text) {
        let Some(slice) = self.slices.get(name) else { return };
        let mut tainted = Arc::clone(slice);
        for rule in self.rules.values().filter(|rule| rule.selects) {
            let [driver, pool, device] = &rule.selector;
            let fits = |given: &Option<Text>, is: &Text| given.as_ref().is_none_or(|g| g == is);
            if !fits(driver, &slice.driver) || !fits(pool, &slice.pool) {
                continue;
            }
            let devices = &mut Arc::make_mut(&mut tainted).devices;
            for found in devices.iter_mut().filter(|found| fits(device, &found.name)) {
                found.taints.push(rule.taint.clone());
            }
        }
        self.tainted.insert(name.clone(), tainted);
    }

    /// A class.
    pub fn class(&self, name: &str) -> Option<&Arc<DeviceClass>> {
        self.classes.get(name)
    }

    /// The class that an extended resource is had from.
    pub fn class_of_resource(&self, resource: &str) -> Option<&Arc<DeviceClass>> {
        self.class_of_resource.get(resource)
    }

    /// A claim as the API server has it.
    pub fn claim(&self, name: &ObjectName) -> Option<&Arc<ResourceClaim>> {
        self.claims.get(name)
    }

    /// All claims, by name.
    pub fn claims(&self) -> impl Iterator<Item = &Arc<ResourceClaim>> {
        self.claims.values()
    }

    /// The claim that the scheduler once made for a pod's extended resources.
    pub fn extended_claim_of(&self, pod: PodId) -> Option<&Arc<ResourceClaim>> {
        let owner = Some(Consumer::Pod(pod));
        self.claims.values().find(|claim| claim.is_for_extended_resources && claim.owner == owner)
    }

    /// The slices that may be reached from a node: its own, then those of several.
    fn slices_for(&self, node: &Text) -> impl Iterator<Item = &Arc<ResourceSlice>> {
        let own = Some(node).filter(|node| !node.is_empty()).and_then(|n| self.by_node.get(n));
        let shared = self.by_node.get("");
        let names = own.into_iter().flatten().chain(shared.into_iter().flatten());
        names.filter_map(|name| self.tainted.get(name))
    }

    /// All slices of a pool, by name.
    fn slices_of_pool<'a>(
        &'a self,
        (driver, pool): (&'a Text, &'a Text),
    ) -> impl Iterator<Item = &'a Arc<ResourceSlice>> {
        self.tainted.values().filter(move |s| s.driver == *driver && s.pool == *pool)
    }

    /// The allocation that is being written to a claim.
    pub fn in_flight(&self, uid: &Text) -> Option<&Arc<Allocation>> {
        self.in_flight.get(uid)
    }

    /// The claims that have been made for a pod, by the pod's name for each; a name without a claim
    /// needs none.
    pub fn set_made(&mut self, pod: PodId, made: BTreeMap<Text, Option<Text>>) {
        match made.is_empty() {
            true => self.made.remove(&pod),
            false => self.made.insert(pod, made),
        };
    }

    /// A pod is gone.
    pub fn forget_pod(&mut self, pod: PodId) {
        self.made.remove(&pod);
    }

    /// The name of a claim of a pod, and whether the pod must own it; `None`: none is needed
    /// (`resourceclaim.Name`).
    pub fn name_of(
        &self,
        pod: PodId,
        claim: &PodResourceClaim,
    ) -> Result<Option<(Text, bool)>, NotMade> {
        match &claim.source {
            ClaimSource::Claim(name) => Ok(Some((name.clone(), false))),
            ClaimSource::Template(_) => {
                let made = self.made.get(&pod).and_then(|made| made.get(&claim.name));
                Ok(made.ok_or(NotMade)?.clone().map(|name| (name, true)))
            }
        }
    }

    /// Takes for granted what a placed pod's claims get (`SignalClaimPendingAllocation`).
    pub(super) fn assume(&mut self, reserved: &[ClaimReservation]) {
        for one in reserved {
            let is_there = self.claims.get(&one.claim).filter(|claim| claim.uid == one.uid);
            if is_there.is_some_and(|claim| claim.allocation.is_some()) {
                continue; // It was allocated meanwhile.
            }
            if let Some(allocation) = &one.allocation {
                self.in_flight.entry(one.uid.clone()).or_insert_with(|| Arc::clone(allocation));
            }
        }
    }

    /// Whatever was being written has been written, or will not be.
    pub(super) fn settle(&mut self, reserved: &[ClaimReservation]) {
        for one in reserved {
            self.in_flight.remove(&one.uid);
        }
    }
}

/// The claim of a template has not been made yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotMade;

impl ResourceSlice {
    /// The node that alone reaches it; empty: there is no such node.
    fn node(&self) -> &Text {
        static NONE: Text = Text::new();
        match &self.reach {
            crate::api::devices::Reach::Node(name) => name,
            _ => &NONE,
        }
    }
}

/// The extended resource that a class stands for whatever it says.
fn implicit_resource(class: &str) -> Text {
    format!("{CLASS_PREFIX}{class}").into()
}
