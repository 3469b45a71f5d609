//! Node selectors of pods: `nodeSelector` and node affinity.
//!
//! Source: component-helpers `scheduling/corev1/nodeaffinity/nodeaffinity.go`, v1.37.

use super::labels::{Labels, Requirement};

/// `spec.affinity.nodeAffinity`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NodeAffinity {
    /// `requiredDuringSchedulingIgnoredDuringExecution`: one term must match. `None`: not given.
    /// An empty list matches no node.
    pub required: Option<Vec<NodeSelectorTerm>>,
    /// `preferredDuringSchedulingIgnoredDuringExecution`.
    pub preferred: Vec<PreferredTerm>,
}

/// A node selector term: all its requirements must hold; a term without any matches nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NodeSelectorTerm {
    /// Requirements on the node's labels.
    pub match_expressions: Vec<Requirement>,
    /// Requirements on the node's fields; upstream knows only `metadata.name`.
    pub match_fields: Vec<Requirement>,
}

/// A preferred term with its weight, 1 to 100.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PreferredTerm {
    /// Weight added to the node's raw score when the term matches.
    pub weight: i32,
    /// What must match.
    pub term: NodeSelectorTerm,
}

impl NodeSelectorTerm {
    /// Whether a node of this name and these labels matches.
    pub fn matches(&self, node_name: &str, labels: &Labels) -> bool {
        if self.match_expressions.is_empty() && self.match_fields.is_empty() {
            return false;
        }
        let label = |r: &Requirement| r.matches_value(labels.get(&r.key).map(|v| &**v));
        let field =
            |r: &Requirement| r.matches_value((&*r.key == "metadata.name").then_some(node_name));
        self.match_expressions.iter().all(label) && self.match_fields.iter().all(field)
    }
}
