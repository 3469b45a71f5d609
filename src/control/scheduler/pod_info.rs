//! A pod as the scheduler sees it: the object's part that matters, with what is derived from it
//! once instead of per node (`framework.PodInfo`). It knows nothing of queues and nodes' records.
//!
//! Source: `pkg/scheduler/framework/types.go` `PodInfo`, `CalculateResource`, v1.37.

use crate::api::labels::{Labels, Operator, Requirement, Selector};
use crate::api::pod::{Container, Pod, PodSpec};
use crate::api::pod_affinity::PodAffinityTerm;
use crate::api::resize::Resize;
use crate::api::resources::Resources;
use crate::api::volume::{Volume, VolumeSource};
use crate::api::{NodeId, OwnerId, PodId, Text};
use crate::units::{Bytes, MilliCpu, SimTime};
use std::collections::BTreeSet;
use std::ops::Deref;
use std::sync::Arc;

/// CPU that scoring assumes for a container which requests none (`DefaultMilliCPURequest`).
pub const DEFAULT_CPU_REQUEST: MilliCpu = MilliCpu(100);
/// Memory that scoring assumes for a container which requests none (`DefaultMemoryRequest`).
pub const DEFAULT_MEMORY_REQUEST: Bytes = Bytes::mebi(200);

/// A pod with what the scheduler derives from it. It is small and is handed around by value: there
/// are many pods, and all but two of its fields are in the shape that it shares with its like.
#[derive(Clone, Debug)]
pub struct PodInfo {
    /// Its key in the store.
    pub id: PodId,
    /// `status.startTime`; [`SimTime::NEVER`] before.
    pub started: SimTime,
    shape: Arc<PodShape>,
}

/// What pods of one template have in common. The few that are nominated or being deleted have a
/// shape of their own.
#[derive(Clone, Debug)]
pub struct PodShape {
    /// `metadata.name`; only of pods with ephemeral volumes or claims of devices, which go by it.
    pub name: Option<Text>,
    /// `metadata.namespace`.
    pub namespace: Text,
    /// Its labels.
    pub labels: Labels,
    /// Its specification.
    pub spec: Arc<PodSpec>,
    /// The controlling ReplicaSet.
    pub owner: Option<OwnerId>,
    /// `status.nominatedNodeName`.
    pub nominated: Option<NodeId>,
    /// When its deletion was asked for.
    pub deletion: Option<SimTime>,
    /// What it takes of a node.
    pub requests: Resources,
    /// CPU and memory with defaults for containers that request none, as nodes sum them up.
    pub non_zero: (MilliCpu, Bytes),
    /// Likewise for the containers alone, pod-level requests left out: upstream's NodeResourcesFit
    /// does not look at those when it scores.
    pub scoring: (MilliCpu, Bytes),
    /// Terms of affinity to other pods; `None` when it has none.
    pub affinity: Option<Box<AffinityTerms>>,
}

/// A pod's terms of affinity and anti-affinity, label keys merged in.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct AffinityTerms {
    /// `podAffinity`, required.
    pub required: Vec<AffinityTerm>,
    /// `podAntiAffinity`, required.
    pub required_anti: Vec<AffinityTerm>,
    /// `podAffinity`, preferred, with weights.
    pub preferred: Vec<(i32, AffinityTerm)>,
    /// `podAntiAffinity`, preferred, with weights.
    pub preferred_anti: Vec<(i32, AffinityTerm)>,
}

/// One term, ready to be matched (`framework.AffinityTerm`).
#[derive(Clone, PartialEq, Debug)]
pub struct AffinityTerm {
    /// Namespaces by name.
    pub namespaces: BTreeSet<Text>,
    /// Namespaces by their labels.
    pub namespace_selector: Selector,
    /// Which pods.
    pub selector: Selector,
    /// Where.
    pub topology_key: Text,
}

impl Deref for PodInfo {
    type Target = PodShape;

    fn deref(&self) -> &PodShape {
        &self.shape
    }
}

impl PodShape {
    /// The shape of a pod that is nobody's, nominated nowhere and not being deleted.
    fn new(spec: &Arc<PodSpec>, namespace: &Text, labels: &Labels) -> PodShape {
        PodShape {
            name: None,
            namespace: namespace.clone(),
            labels: labels.clone(),
            spec: Arc::clone(spec),
            owner: None,
            nominated: None,
            deletion: None,
            requests: spec.requests(),
            non_zero: non_zero_requests(spec),
            scoring: scoring_requests(spec),
            affinity: affinity_terms(spec, namespace, labels),
        }
    }

    /// The shape that `pod` would have if it were neither nominated nor being deleted.
    pub(super) fn of(pod: &Pod) -> PodShape {
        let is_ephemeral = |volume: &Volume| volume.source == VolumeSource::Ephemeral;
        PodShape {
            name: (pod.spec.volumes.iter().any(is_ephemeral)
                || !pod.spec.resource_claims.is_empty())
            .then(|| pod.name()),
            owner: pod.owner,
            ..PodShape::new(&pod.spec, &pod.namespace, &pod.labels)
        }
    }

    /// Whether [`PodShape::of`] would give this one for `pod`. Its specification must be the very
    /// same one: to compare it field by field takes longer than to derive a shape from it.
    pub(super) fn is_of(&self, pod: &Pod) -> bool {
        Arc::ptr_eq(&self.spec, &pod.spec)
            && self.owner == pod.owner
            && self.namespace == pod.namespace
            && self.labels == pod.labels
            && self.name.as_ref().is_none_or(|name| *name == pod.name())
    }
}

impl PodInfo {
    /// Derives everything from `pod`.
    pub fn new(id: PodId, pod: &Pod) -> PodInfo {
        PodInfo::of_shape(id, pod, Arc::new(PodShape::of(pod)))
    }

    /// `pod`, which has this shape but for nomination, deletion and what it may get in place.
    pub(super) fn of_shape(id: PodId, pod: &Pod, shape: Arc<PodShape>) -> PodInfo {
        let mut info = PodInfo { id, started: pod.started, shape };
        if pod.nominated.is_some() || pod.deletion.is_some() {
            let shape = info.shape_mut();
            (shape.nominated, shape.deletion) = (pod.nominated, pod.deletion.get());
        }
        if let Some(wanted) = pod.resize().and_then(Resize::may_come) {
            let (shape, (cpu, memory)) = (info.shape_mut(), non_zero_requests(wanted));
            shape.requests = pod.reserved();
            shape.non_zero = (shape.non_zero.0.max(cpu), shape.non_zero.1.max(memory));
        }
        info
    }

    /// A pod that exists only as a supposition: a template of a scale-up to come, say.
    pub fn hypothetical(spec: &Arc<PodSpec>, namespace: &Text, labels: &Labels) -> PodInfo {
        let shape = Arc::new(PodShape::new(spec, namespace, labels));
        PodInfo { id: PodId::default(), started: SimTime::NEVER, shape }
    }

    /// Its shape, to be changed for this pod alone.
    pub fn shape_mut(&mut self) -> &mut PodShape {
        Arc::make_mut(&mut self.shape)
    }

    /// Whether both have one shape in memory: then they are alike in all but identity.
    pub(super) fn shares_shape_with(&self, other: &PodInfo) -> bool {
        Arc::ptr_eq(&self.shape, &other.shape)
    }

    /// Whether plugins see no difference between this pod and another one, their specifications
    /// aside. Other names than those of claims no plugin reads.
    pub fn is_like(&self, other: &PodInfo) -> bool {
        Arc::ptr_eq(&self.shape, &other.shape)
            || (self.namespace == other.namespace && self.is_like_in_another_namespace(other))
    }

    /// Likewise, their namespaces aside.
    pub(super) fn is_like_in_another_namespace(&self, other: &PodInfo) -> bool {
        self.has_labels_of(other) && self.name == other.name
    }

    /// Whether it has the labels and the owner of another one.
    pub(super) fn has_labels_of(&self, other: &PodInfo) -> bool {
        self.owner == other.owner && self.labels == other.labels
    }

    /// Whether one of its terms of affinity lists namespaces by name.
    pub(super) fn names_namespaces(&self) -> bool {
        let Some(affinity) = &self.affinity else { return false };
        let preferred = affinity.preferred.iter().chain(&affinity.preferred_anti).map(|(_, t)| t);
        let mut all = affinity.required.iter().chain(&affinity.required_anti).chain(preferred);
        all.any(|term| !term.namespaces.is_empty())
    }

    /// Its priority.
    pub fn priority(&self) -> i32 {
        self.spec.priority
    }

    /// Whether it has a required anti-affinity term.
    pub fn has_required_anti_affinity(&self) -> bool {
        self.affinity.as_ref().is_some_and(|a| !a.required_anti.is_empty())
    }
}

/// A container's request with 100 milli-CPU or 200 MB where it does not mention the resource
/// (`NonMissingContainerRequests`), for those of the two that are asked for.
fn with_defaults(container: &Container, cpu: bool, memory: bool) -> Resources {
    let mut requests = Resources::of(container.requests.cpu, container.requests.memory);
    if cpu && requests.cpu.0 == 0 && !container.explicit_zero.cpu {
        requests.cpu = DEFAULT_CPU_REQUEST;
    }
    if memory && requests.memory.0 == 0 && !container.explicit_zero.memory {
        requests.memory = DEFAULT_MEMORY_REQUEST;
    }
    requests
}

/// What NodeResourcesFit takes the pod to ask for when it scores.
fn scoring_requests(spec: &PodSpec) -> (MilliCpu, Bytes) {
    let mut total = spec.container_requests_by(|c| with_defaults(c, true, true));
    total.add(&spec.overhead);
    (total.cpu, total.memory)
}

/// What the pod adds to its node's non-zero requests: with pod-level requests, defaults are
/// assumed only for what neither the pod nor any container mentions
/// (`getNonMissingContainerRequests`).
fn non_zero_requests(spec: &PodSpec) -> (MilliCpu, Bytes) {
    let Some(pod) = &spec.pod_requests else { return scoring_requests(spec) };
    let containers = || spec.containers.iter().chain(&spec.init_containers);
    let cpu = pod.cpu.is_some()
        || spec.overhead.cpu.0 != 0
        || containers().any(|c| c.requests.cpu.0 != 0 || c.explicit_zero.cpu);
    let memory = pod.memory.is_some()
        || spec.overhead.memory.0 != 0
        || containers().any(|c| c.requests.memory.0 != 0 || c.explicit_zero.memory);
    let total = spec.requests_by(|c| with_defaults(c, !cpu, !memory));
    (total.cpu, total.memory)
}

/// The pod's terms with `matchLabelKeys` and `mismatchLabelKeys` merged into the selectors, as the
/// API server does when it creates a pod (`pkg/registry/core/pod/strategy.go`
/// `applyLabelKeysToLabelSelector`).
fn affinity_terms(spec: &PodSpec, namespace: &Text, labels: &Labels) -> Option<Box<AffinityTerms>> {
    let given = spec.pod_affinity.as_ref()?;
    let term = |t: &PodAffinityTerm| affinity_term(t, namespace, labels);
    let weighted = |list: &[crate::api::pod_affinity::WeightedPodAffinityTerm]| {
        list.iter().map(|w| (w.weight, term(&w.term))).collect()
    };
    Some(Box::new(AffinityTerms {
        required: given.affinity.required.iter().map(term).collect(),
        required_anti: given.anti_affinity.required.iter().map(term).collect(),
        preferred: weighted(&given.affinity.preferred),
        preferred_anti: weighted(&given.anti_affinity.preferred),
    }))
}

fn affinity_term(given: &PodAffinityTerm, namespace: &Text, labels: &Labels) -> AffinityTerm {
    let mut selector = given.selector.clone();
    if let Selector::All(requirements) = &mut selector {
        requirements.extend(own_values(&given.match_label_keys, labels, Operator::In));
        requirements.extend(own_values(&given.mismatch_label_keys, labels, Operator::NotIn));
    }
    let own = given.namespaces.is_empty() && given.namespace_selector.is_none();
    AffinityTerm {
        namespaces: match own {
            true => BTreeSet::from([namespace.clone()]),
            false => given.namespaces.iter().cloned().collect(),
        },
        namespace_selector: given.namespace_selector.clone().unwrap_or(Selector::Nothing),
        selector,
        topology_key: given.topology_key.clone(),
    }
}

/// `key operator (the pod's own value)` for each of `keys` that the pod has as a label.
pub fn own_values<'a>(
    keys: &'a [Text],
    labels: &'a Labels,
    operator: Operator,
) -> impl Iterator<Item = Requirement> + 'a {
    keys.iter().filter_map(move |key| {
        let values = vec![labels.get(key)?.clone()];
        Some(Requirement { key: key.clone(), operator, values })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::pod::{ExplicitZero, PodRequests};

    fn container(cpu: i64, memory: i64, explicit_zero: bool) -> Container {
        Container {
            requests: Resources::of(MilliCpu(cpu), Bytes(memory)),
            explicit_zero: ExplicitZero { cpu: explicit_zero, memory: explicit_zero },
            ..Container::default()
        }
    }

    #[test]
    fn what_is_not_requested_counts_with_a_default() {
        let default = (DEFAULT_CPU_REQUEST, DEFAULT_MEMORY_REQUEST);
        let pod_level = |cpu| {
            Some(Box::new(PodRequests { cpu: Some(MilliCpu(cpu)), ..PodRequests::default() }))
        };
        let rows = [
            ("nothing requested: both defaults", container(0, 0, false), None, default),
            ("a written zero is believed", container(0, 0, true), None, (MilliCpu(0), Bytes(0))),
            (
                "each resource has its own default",
                container(5, 0, false),
                None,
                (MilliCpu(5), DEFAULT_MEMORY_REQUEST),
            ),
            (
                "a pod-level request stands for its resource",
                container(0, 0, false),
                pod_level(7),
                (MilliCpu(7), DEFAULT_MEMORY_REQUEST),
            ),
        ];
        for (sentence, container, pod_requests, expected) in rows {
            let spec = PodSpec { containers: vec![container], pod_requests, ..PodSpec::default() };
            assert_eq!(non_zero_requests(&spec), expected, "{sentence}");
        }
    }

    #[test]
    fn label_keys_are_merged_into_the_selector() {
        let term = PodAffinityTerm {
            selector: Selector::All(vec![]),
            namespaces: vec![],
            namespace_selector: None,
            topology_key: "zone".into(),
            match_label_keys: vec!["rev".into(), "missing".into()],
            mismatch_label_keys: vec!["app".into()],
        };
        let labels = Labels::from([("rev", "1"), ("app", "web")]);
        let merged = affinity_term(&term, &"default".into(), &labels);
        assert!(merged.selector.matches(&Labels::from([("rev", "1"), ("app", "db")])));
        assert!(!merged.selector.matches(&Labels::from([("rev", "1"), ("app", "web")])));
        assert!(!merged.selector.matches(&Labels::from([("rev", "2"), ("app", "db")])));
        assert!(merged.namespaces.contains("default"), "without namespaces it is the pod's own");
    }
}
