//! StatefulSets (`apps/v1`), their revisions, and the claims that their pods have.

use super::labels::Selector;
use super::meta::Meta;
use super::workload::{IntOrPercent, PodTemplate};
use super::{ObjectName, OwnerId, PodId, Text, storage};
use crate::units::SimDuration;
use std::sync::Arc;

/// Label of a pod: the name of the revision that it was made from.
pub const REVISION_LABEL: &str = "controller-revision-hash";
/// Label of a pod: its name.
pub const POD_NAME_LABEL: &str = "statefulset.kubernetes.io/pod-name";
/// Label of a pod: its ordinal.
pub const POD_INDEX_LABEL: &str = "apps.kubernetes.io/pod-index";

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
    /// `spec.ordinals.start`: the ordinal of the first pod.
    pub first_ordinal: u32,
    /// `spec.podManagementPolicy: Parallel`; otherwise OrderedReady.
    pub is_parallel: bool,
    /// `spec.updateStrategy`.
    pub update: UpdateStrategy,
    /// `spec.minReadySeconds`.
    pub min_ready: SimDuration,
    /// `spec.revisionHistoryLimit`, default 10.
    pub revision_history_limit: u32,
    /// `spec.volumeClaimTemplates`.
    pub claim_templates: Vec<ClaimTemplate>,
    /// `spec.persistentVolumeClaimRetentionPolicy`.
    pub retention: ClaimRetention,
    /// Its ControllerRevisions, the lowest number first.
    pub revisions: Vec<Revision>,
    /// `status`.
    pub status: StatefulSetStatus,
}

/// A claim that each pod of a StatefulSet is to have.
#[derive(Clone, PartialEq, Debug)]
pub struct ClaimTemplate {
    /// `metadata.name`: that of the pod's volume, too.
    pub name: Text,
    /// What is claimed; its name and uid are still to come.
    pub claim: Arc<storage::Claim>,
}

impl From<&str> for ClaimTemplate {
    /// One that asks for nothing in particular.
    fn from(name: &str) -> ClaimTemplate {
        let claim = Arc::new(storage::Claim::new(ObjectName::new("", name)));
        ClaimTemplate { name: name.into(), claim }
    }
}

/// `spec.updateStrategy` of a StatefulSet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpdateStrategy {
    /// Pods are replaced from the last ordinal down.
    RollingUpdate {
        /// So many pods from the first ordinal on keep the current revision, default 0.
        partition: u32,
        /// How many pods may be unavailable while others are replaced, default 1.
        max_unavailable: IntOrPercent,
    },
    /// A pod is replaced when somebody deletes it.
    OnDelete,
}

/// `spec.persistentVolumeClaimRetentionPolicy`: whether claims go.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ClaimRetention {
    /// `whenDeleted: Delete`: with the set.
    pub goes_with_set: bool,
    /// `whenScaled: Delete`: with a pod that a smaller set does not need.
    pub goes_with_pod: bool,
}

/// A ControllerRevision: a template that the set has, or had.
#[derive(Clone, PartialEq, Debug)]
pub struct Revision {
    /// `metadata.name`.
    pub name: Text,
    /// `revision`: raised when a set goes back to an earlier template.
    pub number: u64,
    /// The template.
    pub template: PodTemplate,
}

/// `status` of a StatefulSet.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StatefulSetStatus {
    /// `observedGeneration`.
    pub observed_generation: u64,
    /// `replicas`: pods that there are.
    pub replicas: u32,
    /// `readyReplicas`.
    pub ready: u32,
    /// `availableReplicas`.
    pub available: u32,
    /// `currentReplicas`: pods of the current revision that are not being deleted.
    pub current: u32,
    /// `updatedReplicas`: those of the update revision.
    pub updated: u32,
    /// `currentRevision`; empty before there is one.
    pub current_revision: Text,
    /// `updateRevision`, likewise.
    pub update_revision: Text,
}

impl StatefulSet {
    /// Takes over what a person may change; true when anything does.
    pub fn apply(&mut self, given: &StatefulSet, keeps_replicas: bool) -> bool {
        let before = self.clone();
        if !keeps_replicas {
            self.replicas = given.replicas;
        }
        self.template = given.template.clone();
        self.first_ordinal = given.first_ordinal;
        (self.update, self.min_ready) = (given.update, given.min_ready);
        self.revision_history_limit = given.revision_history_limit;
        self.retention = given.retention;
        self.meta.generation += u64::from(*self != before);
        self.meta.labels = given.meta.labels.clone();
        *self != before
    }

    /// Whether an ordinal is one that it is to have a pod for.
    pub fn has_place(&self, ordinal: u32) -> bool {
        ordinal.checked_sub(self.first_ordinal).is_some_and(|place| place < self.replicas)
    }

    /// The name of the pod with an ordinal.
    pub fn pod_name(&self, ordinal: u32) -> Text {
        format!("{}-{ordinal}", self.meta.name).into()
    }

    /// The ordinal in the name of a pod; `None`: it is not a name of one of its pods.
    pub fn ordinal_of(&self, pod_name: &str) -> Option<u32> {
        let digits = pod_name.strip_prefix(&*self.meta.name)?.strip_prefix('-')?;
        let ordinal: u32 = digits.parse().ok().filter(|n| i32::try_from(*n).is_ok())?;
        // Neither a sign nor leading zeros: each pod has one name.
        (ordinal.to_string() == digits).then_some(ordinal)
    }

    /// The revision of a name.
    pub fn revision(&self, name: &str) -> Option<&Revision> {
        self.revisions.iter().find(|revision| *revision.name == *name)
    }
}

/// A PersistentVolumeClaim: one that a StatefulSet has made for a pod, or any other.
#[derive(Clone, PartialEq, Debug)]
pub struct Claim {
    /// `metadata.namespace`.
    pub namespace: Text,
    /// `metadata.name`.
    pub name: Text,
    /// The name of the pod that it was made for; empty: for none.
    pub pod: Text,
    /// With what it goes; `None`: with nothing.
    pub owner: Option<ClaimOwner>,
    /// It is being deleted, and goes when its pod no longer uses it.
    pub is_deleted: bool,
    /// What is claimed, and what it has; `None` where volumes are not simulated: then nothing binds
    /// it, and no pod waits for it.
    pub object: Option<Arc<storage::Claim>>,
}

/// The controller of a claim.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ClaimOwner {
    /// A StatefulSet.
    Set(OwnerId),
    /// A pod.
    Pod(PodId),
}

impl Default for StatefulSet {
    /// A set of one pod with the API server's defaults, and an empty template.
    fn default() -> StatefulSet {
        StatefulSet {
            meta: Meta { generation: 1, ..Meta::default() },
            replicas: 1,
            selector: Selector::Nothing,
            template: PodTemplate::default(),
            first_ordinal: 0,
            is_parallel: false,
            update: UpdateStrategy::default(),
            min_ready: SimDuration::ZERO,
            revision_history_limit: 10,
            claim_templates: Vec::new(),
            retention: ClaimRetention::default(),
            revisions: Vec::new(),
            status: StatefulSetStatus::default(),
        }
    }
}

impl Default for UpdateStrategy {
    fn default() -> UpdateStrategy {
        UpdateStrategy::RollingUpdate { partition: 0, max_unavailable: IntOrPercent::Int(1) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_are_read_from_names() {
        let rows = [
            ("the first", "db-0", Some(0)),
            ("a later one", "db-12", Some(12)),
            ("of another set", "web-0", None),
            ("of a set whose name goes on", "db-main-0", None),
            ("no number", "db-x", None),
            ("a number with a zero before it", "db-01", None),
            ("a sign", "db-+1", None),
            ("nothing", "db-", None),
            ("too large for upstream", "db-2147483648", None),
        ];
        let meta = Meta { name: "db".into(), ..Meta::default() };
        let set = StatefulSet { meta, ..StatefulSet::default() };
        for (sentence, name, expected) in rows {
            assert_eq!(set.ordinal_of(name), expected, "{sentence}");
        }
    }
}
