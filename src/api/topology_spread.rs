//! `spec.topologySpreadConstraints`: how evenly pods of one kind lie over zones or nodes.
//!
//! Plain data; it knows nothing of nodes, nor of how the scheduler counts.
//! Source: api `core/v1/types.go` `TopologySpreadConstraint`, v1.37.

use super::Text;
use super::labels::Selector;

/// One constraint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TopologySpreadConstraint {
    /// `maxSkew`: how many more matching pods a domain may have than the emptiest one, at least 1.
    pub max_skew: i32,
    /// `topologyKey`: the node label whose values are the domains.
    pub topology_key: Text,
    /// `whenUnsatisfiable`.
    pub when_unsatisfiable: WhenUnsatisfiable,
    /// `labelSelector`: which pods are counted; a missing one counts none.
    pub selector: Selector,
    /// `matchLabelKeys`: `key in (the pod's own value)` is added to the selector. Not merged here:
    /// a template does not have all its pods' labels yet.
    pub match_label_keys: Vec<Text>,
    /// `minDomains`, default 1: with fewer eligible domains the emptiest one counts as empty.
    pub min_domains: i32,
    /// `nodeAffinityPolicy: Honor` (the default): nodes that the pod's node affinity excludes are
    /// no domains.
    pub honor_node_affinity: bool,
    /// `nodeTaintsPolicy: Honor` (the default is Ignore): nodes with taints that the pod does not
    /// tolerate are no domains.
    pub honor_node_taints: bool,
}

/// `whenUnsatisfiable`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WhenUnsatisfiable {
    /// A filter.
    DoNotSchedule,
    /// A score.
    ScheduleAnyway,
}
