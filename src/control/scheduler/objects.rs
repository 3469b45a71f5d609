//! Other objects that plugins read: what upstream's plugins get from listers.
//!
//! They are told by name and do not change during a cycle. This file knows nothing of plugins.

use super::storage::{Reservation, Storage};
use crate::api::labels::{Labels, Selector};
use crate::api::storage::StorageObject;
use crate::api::{ObjectName, OwnerId, PdbId, PodId, Text};
use std::collections::BTreeMap;

/// Raised with every change of the objects that plugins read.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Versions {
    /// Of namespaces.
    pub namespaces: u64,
    /// Of services and owners' selectors.
    pub selectors: u64,
    /// Of budgets, which only preemption reads.
    pub budgets: u64,
    /// The one of these at which a budget last came, went or began to select other pods.
    pub budget_rules: u64,
    /// Of storage objects and what is assumed of them, which only pods with volumes read: those
    /// take the plain path.
    pub storage: u64,
}

impl Versions {
    /// One number for all of them.
    pub fn sum(&self) -> u64 {
        self.namespaces + self.selectors + self.budgets + self.storage
    }

    /// Whether filters and scores read the same objects.
    pub fn same_for_nodes(&self, other: &Versions) -> bool {
        (self.namespaces, self.selectors) == (other.namespaces, other.selectors)
    }
}

/// Namespaces, services, owners' selectors, disruption budgets and storage objects.
#[derive(Default)]
pub struct Objects {
    /// Tells whether anything has changed.
    pub versions: Versions,
    /// Labels of namespaces, for namespace selectors of pod affinity.
    pub namespaces: BTreeMap<Text, Labels>,
    /// Selectors of services that have one, for the default topology spread constraints.
    pub services: BTreeMap<ObjectName, Selector>,
    /// Selectors of ReplicaSets, likewise.
    pub replica_sets: BTreeMap<OwnerId, Selector>,
    /// Disruption budgets, for preemption, in the order of their keys.
    pub budgets: BTreeMap<PdbId, Budget>,
    /// Volumes and claims. `None`: nobody tells of any, and every claim counts as bound to a
    /// volume that is reached from everywhere.
    pub storage: Option<Box<Storage>>,
}

impl Objects {
    /// A namespace with its labels has appeared or changed.
    pub fn set_namespace(&mut self, name: Text, labels: Labels) {
        self.versions.namespaces += 1;
        self.namespaces.insert(name, labels);
    }

    /// A service has appeared or changed; `None`: it is gone, or has no selector.
    pub fn set_service(&mut self, name: ObjectName, selector: Option<Selector>) {
        self.versions.selectors += 1;
        match selector {
            Some(selector) => self.services.insert(name, selector),
            None => self.services.remove(&name),
        };
    }

    /// A ReplicaSet has appeared with this selector; `None`: it is gone.
    pub fn set_replica_set(&mut self, id: OwnerId, selector: Option<Selector>) {
        self.versions.selectors += 1;
        match selector {
            Some(selector) => self.replica_sets.insert(id, selector),
            None => self.replica_sets.remove(&id),
        };
    }

    /// A disruption budget has appeared or changed; `None`: it is gone. Filters and scores do not
    /// read it.
    pub fn set_budget(&mut self, id: PdbId, budget: Option<Budget>) {
        self.versions.budgets += 1;
        let version = self.versions.budgets;
        let before = match budget {
            Some(budget) => self.budgets.insert(id, Budget { version, ..budget }),
            None => self.budgets.remove(&id),
        };
        let rule = |b: &Budget| (b.namespace.clone(), b.selector.clone());
        if before.as_ref().map(rule) != self.budgets.get(&id).map(rule) {
            self.versions.budget_rules = version;
        }
    }

    /// From now on storage objects are told; claims that are not are missing.
    pub fn tell_storage(&mut self) -> &mut Storage {
        self.versions.storage += 1;
        self.storage.get_or_insert_default()
    }

    /// A storage object has appeared or changed; gives what it was before.
    pub fn set_storage(&mut self, object: StorageObject) -> Option<StorageObject> {
        self.tell_storage().set(object)
    }

    /// A storage object is gone: the one of the kind and name of `object`; gives the last known
    /// version.
    pub fn remove_storage(&mut self, object: &StorageObject) -> Option<StorageObject> {
        self.tell_storage().remove(object)
    }

    /// Takes it for granted that a placed pod gets its volumes.
    pub(super) fn assume_volumes(&mut self, reservation: &Reservation) {
        self.tell_storage().assume(reservation);
    }

    /// From now on it is this profile's assumptions of volumes that are read and written.
    pub(super) fn speak_for(&mut self, profile: usize) {
        if let Some(storage) = &mut self.storage {
            storage.speak_for(profile);
        }
    }

    /// Takes back what was taken for granted.
    pub(super) fn restore_volumes(&mut self, reservation: &Reservation) {
        self.tell_storage().restore(reservation);
    }
}

/// A disruption budget, as far as preemption heeds it.
#[derive(Clone, Debug)]
pub struct Budget {
    /// `metadata.namespace`.
    pub namespace: Text,
    /// `spec.selector`.
    pub selector: Selector,
    /// `status.disruptionsAllowed`.
    pub disruptions_allowed: i64,
    /// Names in `status.disruptedPods`: their disruption is in the budget's numbers already.
    pub disrupted_pods: Vec<PodId>,
    /// The version of budgets ([`Versions::budgets`]) at which it was told last.
    pub version: u64,
}
