//! Deployments and ReplicaSets (`apps/v1`).

use super::labels::{Labels, Selector};
use super::meta::Propagation;
use super::pod::{Container, PodSpec};
use super::quantity::Quantity;
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
    /// The specification that `rest` was made of, once `kubectl set resources` has changed it.
    pub as_applied: Option<Arc<PodSpec>>,
}

/// `kubectl set resources`: what containers request and are limited to, by resource.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResourceChange {
    /// The containers, by name; `*`: all. Init containers are not among them, as upstream.
    pub container: Text,
    /// `--limits`.
    pub limits: Vec<(Text, Quantity)>,
    /// `--requests`.
    pub requests: Vec<(Text, Quantity)>,
}

impl ResourceChange {
    /// A limit of 0 takes the limit away, as `kubectl set resources --help` puts it.
    fn apply(&self, container: &mut Container) {
        for (name, amount) in &self.limits {
            container.set_limit(name, *amount);
            container.cpu_limit = container.cpu_limit.filter(|cpu| cpu.0 > 0);
            container.memory_limit = container.memory_limit.filter(|memory| memory.0 > 0);
        }
        for (name, amount) in &self.requests {
            container.set_request(name, *amount);
        }
    }
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
        let mut template =
            PodTemplate { labels, spec, hash: Text::default(), rest, as_applied: None };
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

    /// `kubectl set resources`: containers are given other requests and limits. True when that
    /// changes anything.
    pub fn set_resources(&mut self, change: &ResourceChange) -> bool {
        let is_meant = |c: &&mut Container| *change.container == *"*" || c.name == change.container;
        self.as_applied.get_or_insert_with(|| Arc::clone(&self.spec));
        let spec = Arc::make_mut(&mut self.spec);
        spec.containers.iter_mut().filter(is_meant).for_each(|c| change.apply(c));
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
        let mut text = images.fold(self.rest.to_string(), |text, image| text + " " + &image);
        for (c, before) in self
            .spec
            .containers
            .iter()
            .zip(self.as_applied.iter().flat_map(|spec| &spec.containers))
        {
            let resources =
                |c: &Container| (c.requests.clone(), c.cpu_limit, c.memory_limit, c.explicit_zero);
            if resources(c) != resources(before) {
                text += &format!(" {}={:?}", c.name, resources(c));
            }
        }
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
    fn a_template_with_other_resources_is_another_until_they_are_put_back() {
        let container = |name: &str| Container { name: name.into(), ..Container::default() };
        let containers = vec![container("app"), container("log")];
        let spec = Arc::new(PodSpec { containers, ..PodSpec::default() });
        let mut template = PodTemplate::new(Labels::default(), spec, "rest".into());
        let first = template.hash.clone();
        let change = |container: &str, cpu: &str| ResourceChange {
            container: container.into(),
            limits: vec![("cpu".into(), cpu.parse().unwrap())],
            requests: Vec::new(),
        };
        let rows = [
            ("one container gets a limit", "app", "500m", true, [Some(500), None]),
            ("the same once more changes nothing", "app", "500m", false, [Some(500), None]),
            ("all get one", "*", "1", true, [Some(1000), Some(1000)]),
            ("nobody is called so", "web", "2", false, [Some(1000), Some(1000)]),
            ("a limit of 0 is none", "*", "0", true, [None, None]),
        ];
        for (sentence, container, cpu, changes, limits) in rows {
            assert_eq!(template.set_resources(&change(container, cpu)), changes, "{sentence}");
            let found = template.spec.containers.iter().map(|c| c.cpu_limit.map(|cpu| cpu.0));
            assert_eq!(found.collect::<Vec<_>>(), limits, "{sentence}");
        }
        assert_eq!(template.hash, first, "what is as it was before is the same template");
    }

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
