//! DaemonSets (`apps/v1`).

use super::Text;
use super::labels::Selector;
use super::meta::Meta;
use super::workload::{IntOrPercent, PodTemplate};
use crate::units::SimDuration;

/// A DaemonSet with the part of its status that anything reads.
#[derive(Clone, PartialEq, Debug)]
pub struct DaemonSet {
    /// `metadata`.
    pub meta: Meta,
    /// `spec.selector`.
    pub selector: Selector,
    /// `spec.template`.
    pub template: PodTemplate,
    /// `spec.updateStrategy`.
    pub strategy: DaemonStrategy,
    /// `spec.minReadySeconds`.
    pub min_ready: SimDuration,
    /// `spec.revisionHistoryLimit`, default 10.
    pub revision_history_limit: u32,
    /// Annotation `deprecated.daemonset.template.generation`, raised with each change of the
    /// template.
    pub template_generation: u64,
    /// Its ControllerRevisions, in order of creation.
    pub revisions: Vec<Revision>,
    /// `status`.
    pub status: DaemonSetStatus,
}

/// `spec.updateStrategy` of a DaemonSet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DaemonStrategy {
    /// Old pods are replaced, some nodes at a time.
    RollingUpdate {
        /// On how many nodes there may be a new pod beside the old one, default 0.
        max_surge: IntOrPercent,
        /// On how many nodes the pod may be unavailable, default 1.
        max_unavailable: IntOrPercent,
    },
    /// Old pods stay until somebody deletes them.
    OnDelete,
}

/// A ControllerRevision: a template that the set has had.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revision {
    /// Label `controller-revision-hash`: that of the template.
    pub hash: Text,
    /// `revision`: the highest is the present one.
    pub number: u64,
}

/// `status` of a DaemonSet. Each node counts once, with its oldest pod.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DaemonSetStatus {
    /// `observedGeneration`.
    pub observed_generation: u64,
    /// `desiredNumberScheduled`: nodes that should have a pod.
    pub desired: u32,
    /// `currentNumberScheduled`: those of them that have one.
    pub current: u32,
    /// `numberMisscheduled`: nodes that have one and should not.
    pub misscheduled: u32,
    /// `numberReady`.
    pub ready: u32,
    /// `updatedNumberScheduled`.
    pub updated: u32,
    /// `numberAvailable`.
    pub available: u32,
    /// `numberUnavailable`.
    pub unavailable: u32,
}

impl DaemonSet {
    /// Takes over what a person may change; true when anything does.
    pub fn apply(&mut self, given: &DaemonSet) -> bool {
        let before = self.clone();
        self.template_generation += u64::from(self.template != given.template);
        self.template = given.template.clone();
        (self.strategy, self.min_ready) = (given.strategy, given.min_ready);
        self.revision_history_limit = given.revision_history_limit;
        self.meta.generation += u64::from(*self != before);
        self.meta.labels = given.meta.labels.clone();
        *self != before
    }

    /// A ControllerRevision is created, or gets another number; true when that changes anything.
    pub fn keep_revision(&mut self, revision: Revision) -> bool {
        match self.revisions.iter_mut().find(|known| known.hash == revision.hash) {
            Some(known) => std::mem::replace(&mut known.number, revision.number) != revision.number,
            None => {
                self.revisions.push(revision);
                true
            }
        }
    }

    /// A ControllerRevision is deleted; true when it was there.
    pub fn drop_revision(&mut self, hash: &str) -> bool {
        let before = self.revisions.len();
        self.revisions.retain(|known| *known.hash != *hash);
        self.revisions.len() != before
    }
}
