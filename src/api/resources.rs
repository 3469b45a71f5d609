//! Amounts of resources: what pods request and nodes have (`v1.ResourceList`).

use super::Text;
use crate::units::{Bytes, MilliCpu};
use std::collections::BTreeMap;

/// A resource list in the scheduler's units (`framework.Resource`): milli-CPU, bytes, counts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Resources {
    /// `cpu`.
    pub cpu: MilliCpu,
    /// `memory`.
    pub memory: Bytes,
    /// `ephemeral-storage`.
    pub ephemeral_storage: Bytes,
    /// Extended resources, huge pages and attachable volumes by name, in whole units (bytes for
    /// huge pages). Most pods have none, so the map is usually absent.
    pub scalars: Option<Box<BTreeMap<Text, i64>>>,
}

impl Resources {
    /// Only CPU and memory.
    pub fn of(cpu: MilliCpu, memory: Bytes) -> Resources {
        Resources { cpu, memory, ..Resources::default() }
    }

    /// The amount of scalar resource `name`; zero when it is not listed.
    pub fn scalar(&self, name: &str) -> i64 {
        self.scalars.as_ref().and_then(|s| s.get(name)).copied().unwrap_or(0)
    }

    /// All scalar resources in name order.
    pub fn scalars(&self) -> impl Iterator<Item = (&Text, i64)> {
        self.scalars.iter().flat_map(|s| s.iter().map(|(name, amount)| (name, *amount)))
    }

    /// Adds every amount of `other`.
    pub fn add(&mut self, other: &Resources) {
        self.combine(other, |mine, theirs| mine + theirs);
    }

    /// Takes every amount of `other` away.
    pub fn subtract(&mut self, other: &Resources) {
        self.combine(other, |mine, theirs| mine - theirs);
    }

    /// Keeps the larger of each amount (`SetMaxResource`).
    pub fn raise_to(&mut self, other: &Resources) {
        self.combine(other, i64::max);
    }

    fn combine(&mut self, other: &Resources, f: impl Fn(i64, i64) -> i64) {
        self.cpu.0 = f(self.cpu.0, other.cpu.0);
        self.memory.0 = f(self.memory.0, other.memory.0);
        self.ephemeral_storage.0 = f(self.ephemeral_storage.0, other.ephemeral_storage.0);
        for (name, amount) in other.scalars() {
            let mine = self.scalars.get_or_insert_default().entry(name.clone()).or_insert(0);
            *mine = f(*mine, amount);
        }
    }
}
