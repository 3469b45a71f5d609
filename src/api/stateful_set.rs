//! StatefulSets (`apps/v1`).

use super::labels::Selector;
use super::meta::Meta;
use super::workload::PodTemplate;

/// A StatefulSet with the part of its status that anything reads.
#[derive(Clone, PartialEq, Debug)]
pub struct StatefulSet {
    /// `metadata`.
    pub meta: Meta,
    /// `spec.replicas`.
    pub replicas: u32,
    /// `spec.selector`.
    pub selector: Selector,
    /// `spec.template`.
    pub template: PodTemplate,
}

impl StatefulSet {
    /// Takes over what a person may change; true when anything does.
    pub fn apply(&mut self, given: &StatefulSet, keeps_replicas: bool) -> bool {
        let before = self.clone();
        if !keeps_replicas {
            self.replicas = given.replicas;
        }
        self.template = given.template.clone();
        self.meta.generation += u64::from(*self != before);
        self.meta.labels = given.meta.labels.clone();
        *self != before
    }
}
