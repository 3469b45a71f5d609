//! Deployments and ReplicaSets (`apps/v1`).

use super::labels::{Labels, Selector};
use super::meta::Propagation;
use super::pod::{Container, PodSpec};
use super::{DeploymentId, Text};
use crate::units::{SimDuration, SimTime};
use std::sync::Arc;

/// `spec.template`: labels and specification of the pods to make.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct PodTemplate {
    /// The pods' labels.
    pub labels: Labels,
    /// The pods' specification.
    pub spec: Arc<PodSpec>,
    /// Stands for upstream's `pod-template-hash`: equal templates have equal hashes.
    pub hash: Text,
    /// The same of all that the template says but its containers' images.
    pub rest: Text,
}

/// Characters of generated names (apimachinery `util/rand`).
const SAFE: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// Ten characters that depend only on the text (stands for upstream's FNV of a Go dump).
pub fn short_hash(text: &str) -> Text {
    let hash = blake3::hash(text.as_bytes());
    let mut number = u64::from_le_bytes(hash.as_bytes()[..8].try_into().unwrap_or_default());
    let mut short = String::new();
    for _ in 0..10 {
        short.push(char::from(SAFE[(number % 27) as usize]));
        number /= 27;
    }
    short.into()
}

impl PodTemplate {
    /// A template of which `rest` stands for all but the images.
    pub fn new(labels: Labels, spec: Arc<PodSpec>, rest: Text) -> PodTemplate {
        let mut template = PodTemplate { labels, spec, hash: Text::default(), rest };
        template.rehash();
        template
    }

    /// `kubectl set image`: containers of this name, or all for `*`, get another image. True when
    /// that changes anything.
    pub fn set_image(&mut self, container: &str, image: &Text) -> bool {
        let is_meant = |c: &&mut Container| container == "*" || *c.name == *container;
        let spec = Arc::make_mut(&mut self.spec);
        for container in spec.containers.iter_mut().chain(&mut spec.init_containers) {
            if is_meant(&container) {
                container.image = image.clone();
            }
        }
        self.rehash()
    }

    /// `kubectl rollout restart`: the template is another from `now` on.
    pub fn restart(&mut self, now: SimTime) {
        self.rest = format!("{}@{}", self.rest, now.whole_secs()).into();
        self.rehash();
    }

    fn rehash(&mut self) -> bool {
        let all = self.spec.init_containers.iter().chain(&self.spec.containers);
        let images = all.map(|container| format!("{}={}", container.name, container.image));
        let text = images.fold(self.rest.to_string(), |text, image| text + " " + &image);
        let before = std::mem::replace(&mut self.hash, short_hash(&text));
        before != self.hash
    }
}

/// An absolute number or a percentage (`intstr.IntOrString`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IntOrPercent {
    /// That many.
    Int(u32),
    /// That many per hundred.
    Percent(u32),
}

impl IntOrPercent {
    /// The number it means of `total`, a fraction rounded up or down
    /// (`intstr.GetScaledValueFromIntOrPercent`).
    pub fn of(self, total: u32, round_up: bool) -> u32 {
        match self {
            IntOrPercent::Int(n) => n,
            IntOrPercent::Percent(p) => {
                let product = u64::from(p) * u64::from(total);
                let n = if round_up { product.div_ceil(100) } else { product / 100 };
                u32::try_from(n).unwrap_or(u32::MAX)
            }
        }
    }
}

/// `spec.strategy` of a Deployment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Strategy {
    /// Old pods go as new ones come.
    RollingUpdate {
        /// How many pods above the wanted number there may be, default 25 %.
        max_surge: IntOrPercent,
        /// How many pods below the wanted number may be unavailable, default 25 %.
        max_unavailable: IntOrPercent,
    },
    /// All old pods go first.
    Recreate,
}

/// A Deployment with the part of its status that anything reads.
#[derive(Clone, PartialEq, Debug)]
pub struct Deployment {
    /// `metadata.name`.
    pub name: Text,
    /// `metadata.namespace`.
    pub namespace: Text,
    /// `metadata.labels`.
    pub labels: Labels,
    /// `spec.replicas`.
    pub replicas: u32,
    /// `spec.selector`.
    pub selector: Selector,
    /// `spec.template`.
    pub template: PodTemplate,
    /// `spec.strategy`.
    pub strategy: Strategy,
    /// `spec.minReadySeconds`.
    pub min_ready: SimDuration,
    /// `spec.paused`.
    pub paused: bool,
    /// `spec.revisionHistoryLimit`, default 10.
    pub revision_history_limit: u32,
    /// `spec.progressDeadlineSeconds`, default 600.
    pub progress_deadline: SimDuration,
    /// `metadata.generation`, raised with each change of the spec.
    pub generation: u64,
    /// When it was created.
    pub created: SimTime,
    /// Annotation `deployment.kubernetes.io/revision`; 0 before there is one.
    pub revision: u64,
    /// `status`, the counts.
    pub status: WorkloadStatus,
    /// `status.conditions`.
    pub conditions: Vec<Condition>,
    /// It is being deleted, and its ReplicaSets first are dealt with so.
    pub deletion: Option<Propagation>,
}

impl Deployment {
    /// `spec.progressDeadlineSeconds`; the largest number that fits there means that there is none
    /// (`HasProgressDeadline`).
    pub fn progress_deadline(&self) -> Option<SimDuration> {
        let none = SimDuration::from_secs(i32::MAX as u64);
        (self.progress_deadline != none).then_some(self.progress_deadline)
    }
}

/// One of an object's `status.conditions`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Condition {
    /// `type`: `Available`, `Progressing`, ...
    pub kind: &'static str,
    /// `status`.
    pub status: ConditionStatus,
    /// `reason`.
    pub reason: &'static str,
    /// `message`.
    pub message: Text,
    /// `lastUpdateTime`, a whole second.
    pub updated: SimTime,
    /// `lastTransitionTime`, a whole second: when the status last changed.
    pub transition: SimTime,
}

/// The type of the condition of a ReplicaSet, and through it of its Deployment, whose pods are
/// refused.
pub const REPLICA_FAILURE: &str = "ReplicaFailure";

/// `status` of a condition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Nobody knows.
    Unknown,
}

/// Counts in the status of a Deployment or ReplicaSet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct WorkloadStatus {
    /// `observedGeneration`.
    pub observed_generation: u64,
    /// `replicas`: active pods.
    pub replicas: u32,
    /// `updatedReplicas` (Deployment only).
    pub updated: u32,
    /// `readyReplicas`.
    pub ready: u32,
    /// `availableReplicas`.
    pub available: u32,
    /// `terminatingReplicas`.
    pub terminating: u32,
}

/// A ReplicaSet.
#[derive(Clone, PartialEq, Debug)]
pub struct ReplicaSet {
    /// `metadata.name`.
    pub name: Text,
    /// `metadata.namespace`.
    pub namespace: Text,
    /// It is a ReplicationController: for its controller a ReplicaSet under another name.
    pub is_controller: bool,
    /// The Deployment that controls it.
    pub owner: Option<DeploymentId>,
    /// Annotation `deployment.kubernetes.io/revision`.
    pub revision: u64,
    /// Annotation `deployment.kubernetes.io/desired-replicas`: the Deployment's replicas when it
    /// last scaled this set.
    pub desired_replicas: u32,
    /// Annotation `deployment.kubernetes.io/max-replicas`: those and the surge it allowed.
    pub max_replicas: u32,
    /// `spec.replicas`.
    pub replicas: u32,
    /// `spec.selector`.
    pub selector: Selector,
    /// `spec.template`.
    pub template: PodTemplate,
    /// `spec.minReadySeconds`.
    pub min_ready: SimDuration,
    /// `metadata.generation`.
    pub generation: u64,
    /// When it was created.
    pub created: SimTime,
    /// `status`, the counts.
    pub status: WorkloadStatus,
    /// `status.conditions`.
    pub conditions: Vec<Condition>,
    /// It is being deleted, and its pods first are dealt with so.
    pub deletion: Option<Propagation>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_round_as_asked() {
        let rows = [
            ("a quarter of ten rounds up to three", IntOrPercent::Percent(25), 10, true, 3),
            ("a quarter of ten rounds down to two", IntOrPercent::Percent(25), 10, false, 2),
            ("a number is itself", IntOrPercent::Int(4), 10, true, 4),
            ("a percentage may exceed the whole", IntOrPercent::Percent(150), 3, true, 5),
        ];
        for (sentence, value, total, up, expected) in rows {
            assert_eq!(value.of(total, up), expected, "{sentence}");
        }
    }
}
