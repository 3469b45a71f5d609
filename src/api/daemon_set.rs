//! DaemonSets (`apps/v1`).

use super::labels::Selector;
use super::meta::Meta;
use super::workload::PodTemplate;

/// A DaemonSet with the part of its status that anything reads.
#[derive(Clone, PartialEq, Debug)]
pub struct DaemonSet {
    /// `metadata`.
    pub meta: Meta,
    /// `spec.selector`.
    pub selector: Selector,
    /// `spec.template`.
    pub template: PodTemplate,
}

impl DaemonSet {
    /// Takes over what a person may change; true when anything does.
    pub fn apply(&mut self, given: &DaemonSet) -> bool {
        let before = self.clone();
        self.template = given.template.clone();
        self.meta.generation += u64::from(*self != before);
        self.meta.labels = given.meta.labels.clone();
        *self != before
    }
}
