//! Affinity and anti-affinity between pods: `spec.affinity.podAffinity` and `podAntiAffinity`.
//!
//! Plain data; it knows nothing of nodes, nor of how the scheduler counts matches.
//! Source: api `core/v1/types.go` `PodAffinity`, v1.37.

use super::Text;
use super::labels::Selector;

/// Both halves of a pod's affinity to other pods.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PodAffinity {
    /// `podAffinity`: be where matching pods are.
    pub affinity: PodAffinityTerms,
    /// `podAntiAffinity`: be where matching pods are not.
    pub anti_affinity: PodAffinityTerms,
}

/// The terms of one half.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PodAffinityTerms {
    /// `requiredDuringSchedulingIgnoredDuringExecution`: all must hold.
    pub required: Vec<PodAffinityTerm>,
    /// `preferredDuringSchedulingIgnoredDuringExecution`.
    pub preferred: Vec<WeightedPodAffinityTerm>,
}

/// A set of pods and the topology in which to look for them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PodAffinityTerm {
    /// `labelSelector`: which pods; a missing one matches none.
    pub selector: Selector,
    /// `namespaces`, where the pods are looked for. With neither namespaces nor a namespace
    /// selector it is the pod's own namespace.
    pub namespaces: Vec<Text>,
    /// `namespaceSelector`; `None` when it is not given. An empty one matches every namespace.
    pub namespace_selector: Option<Selector>,
    /// `topologyKey`: the node label whose equal values make nodes one place.
    pub topology_key: Text,
    /// `matchLabelKeys`: the API server adds `key in (the pod's own value)` to the selector when
    /// the pod is created. Not merged here: a template does not have all its pods' labels yet.
    pub match_label_keys: Vec<Text>,
    /// `mismatchLabelKeys`: likewise `key notin (the pod's own value)`.
    pub mismatch_label_keys: Vec<Text>,
}

/// A preferred term with its weight, 1 to 100.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WeightedPodAffinityTerm {
    /// Added to a node's raw score for each matching pod in its topology.
    pub weight: i32,
    /// Which pods, where.
    pub term: PodAffinityTerm,
}
