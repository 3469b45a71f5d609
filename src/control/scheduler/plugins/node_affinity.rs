//! NodeAffinity: `nodeSelector` and node affinity, required and preferred.
//!
//! Source: `plugins/nodeaffinity/node_affinity.go`, v1.37.

use crate::api::Text;
use crate::api::convert;
use crate::api::labels::Operator;
use crate::api::node::Node;
use crate::api::node_affinity::{self, NodeSelectorTerm};
use crate::control::scheduler::event::{Action, ClusterEvent, EventObjects, Resource};
use crate::control::scheduler::framework::{
    Aspects, Context, EnqueueExtensions, FilterPlugin, NodeList, PluginState, PreFilter,
    PreFilterPlugin, PreScore, PreScorePlugin, QueueingHint, Scope, ScorePlugin, SignPlugin,
    Status, default_normalize_score,
};
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::objects::Objects;
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::scheduler::registry::decode;
use serde::Deserialize;
use serde_json::Value;

/// Filters and scores by the pod's node affinity and the affinity that the profile adds to it.
pub struct NodeAffinity {
    added: node_affinity::NodeAffinity,
}

/// `NodeAffinityArgs`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Args {
    added_affinity: Option<k8s_openapi::api::core::v1::NodeAffinity>,
}

impl NodeAffinity {
    /// From `NodeAffinityArgs`.
    pub fn new(args: &Value) -> Result<NodeAffinity, String> {
        let args: Args = decode(args)?;
        let mut errors = Vec::new();
        let added = args.added_affinity.map_or_else(Default::default, |given| {
            convert::pod_affinity::node_affinity(&given, "addedAffinity", &mut errors)
        });
        match errors.first() {
            Some(error) => Err(format!("{}: {}", error.path, error.message)),
            None => Ok(NodeAffinity { added }),
        }
    }

    fn added_matches(&self, node: &Node) -> bool {
        self.added.required.as_ref().is_none_or(|terms| any_term(terms, node))
    }
}

fn any_term(terms: &[NodeSelectorTerm], node: &Node) -> bool {
    terms.iter().any(|term| term.matches(&node.name, &node.labels))
}

/// The pod's required terms; `None` when there are none to meet.
fn required(pod: &PodInfo) -> Option<&[NodeSelectorTerm]> {
    pod.spec.node_affinity.as_ref()?.required.as_deref()
}

/// Whether the node meets the pod's `nodeSelector` and required node affinity
/// (`GetRequiredNodeAffinity(pod).Match`).
pub(super) fn matches_required(pod: &PodInfo, node: &Node) -> bool {
    let selected = |(key, value)| node.labels.get(key) == Some(value);
    pod.spec.node_selector.iter().all(|(k, v)| selected((k, v)))
        && required(pod).is_none_or(|terms| any_term(terms, node))
}

/// The only nodes that the terms name by `metadata.name`; `None`: some term names none.
fn named_nodes(terms: &[NodeSelectorTerm]) -> Option<Vec<Text>> {
    let mut all = Vec::new();
    for term in terms {
        let mut names: Option<Vec<Text>> = None;
        let by_name = |r: &&crate::api::labels::Requirement| {
            &*r.key == "metadata.name" && r.operator == Operator::In
        };
        for requirement in term.match_fields.iter().filter(by_name) {
            names = Some(match names {
                None => requirement.values.clone(),
                Some(mut before) => {
                    before.retain(|n| requirement.values.contains(n));
                    before
                }
            });
        }
        all.extend(names?);
    }
    Some(all)
}

impl PreFilterPlugin for NodeAffinity {
    fn pre_filter(&self, _cx: &Context<'_>, pod: &PodInfo) -> PreFilter {
        let terms = required(pod);
        if terms.is_none() && self.added.required.is_none() && pod.spec.node_selector.is_empty() {
            return PreFilter::Skip;
        }
        let state = PluginState::none();
        let Some(terms) = terms.filter(|t| !t.is_empty()) else {
            return PreFilter::Continue { state, nodes: None };
        };
        match named_nodes(terms) {
            Some(names) if names.is_empty() => {
                PreFilter::Rejected(Status::unresolvable(&["pod affinity terms conflict"]))
            }
            nodes => PreFilter::Continue { state, nodes },
        }
    }
}

impl FilterPlugin for NodeAffinity {
    fn scope(&self) -> Scope {
        Scope::Node
    }

    fn heeds_identity(&self, _pod: &PodInfo) -> bool {
        false
    }

    fn filter(
        &self,
        _cx: &Context<'_>,
        _state: &PluginState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Status {
        if !self.added_matches(&node.node) {
            return Status::unresolvable(&[
                "node(s) didn't match scheduler-enforced node affinity",
            ]);
        }
        if !matches_required(pod, &node.node) {
            return Status::unresolvable(&["node(s) didn't match Pod's node affinity/selector"]);
        }
        Status::SUCCESS
    }
}

impl PreScorePlugin for NodeAffinity {
    fn pre_score(&self, _cx: &Context<'_>, pod: &PodInfo, _feasible: NodeList<'_>) -> PreScore {
        let preferred = pod.spec.node_affinity.as_ref().is_some_and(|a| !a.preferred.is_empty());
        if !preferred && self.added.preferred.is_empty() {
            return PreScore::Skip;
        }
        PreScore::Continue(PluginState::none())
    }
}

impl ScorePlugin for NodeAffinity {
    fn scope(&self) -> Scope {
        Scope::Node
    }

    fn heeds_identity(&self, _pod: &PodInfo) -> bool {
        false
    }

    fn normalizes(&self) -> bool {
        true
    }

    /// The sum of the weights of the preferred terms that match.
    fn score(
        &self,
        _cx: &Context<'_>,
        _state: &PluginState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> i64 {
        let own = pod.spec.node_affinity.iter().flat_map(|a| &a.preferred);
        let all = own.chain(&self.added.preferred);
        let matching = all.filter(|p| p.term.matches(node.name(), &node.node.labels));
        matching.map(|p| i64::from(p.weight)).sum()
    }

    fn normalize(
        &self,
        _state: &PluginState,
        _pod: &PodInfo,
        _feasible: NodeList<'_>,
        scores: &mut [i64],
    ) {
        default_normalize_score(false, scores);
    }
}

impl EnqueueExtensions for NodeAffinity {
    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const EVENTS: [ClusterEvent; 1] =
            [ClusterEvent::new(Resource::Node, Action::ADD.or(Action::UPDATE_NODE_LABEL))];
        &EVENTS
    }

    fn queueing_hint(
        &self,
        _objects: &Objects,
        pod: &PodInfo,
        _event: ClusterEvent,
        change: &EventObjects<'_>,
    ) -> QueueingHint {
        let Some(new) = change.new_node() else { return QueueingHint::Queue };
        let matches = self.added_matches(new) && matches_required(pod, new);
        let matched = change.old_node().is_some_and(|old| matches_required(pod, old));
        QueueingHint::when(matches && !matched)
    }
}

impl SignPlugin for NodeAffinity {
    fn sign(&self, _pod: &PodInfo) -> Option<Aspects> {
        Some(Aspects::NODE_AFFINITY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::labels::Requirement;

    fn by_name(lists: &[&[&str]]) -> NodeSelectorTerm {
        let requirement = |names: &&[&str]| Requirement {
            key: "metadata.name".into(),
            operator: Operator::In,
            values: names.iter().map(|n| (*n).into()).collect(),
        };
        NodeSelectorTerm {
            match_fields: lists.iter().map(requirement).collect(),
            ..NodeSelectorTerm::default()
        }
    }

    #[test]
    fn terms_that_name_nodes_narrow_the_search() {
        let other = NodeSelectorTerm::default();
        type Row = (&'static str, Vec<NodeSelectorTerm>, Option<&'static [&'static str]>);
        let rows: [Row; 4] = [
            ("one term, one name", vec![by_name(&[&["a"]])], Some(&["a"])),
            (
                "requirements of a term intersect",
                vec![by_name(&[&["a", "b"], &["b"]])],
                Some(&["b"]),
            ),
            ("a conflict leaves none", vec![by_name(&[&["a"], &["b"]])], Some(&[])),
            ("a term without names admits all", vec![by_name(&[&["a"]]), other], None),
        ];
        for (sentence, terms, expected) in rows {
            let names = named_nodes(&terms);
            let names: Option<Vec<&str>> = names.as_ref().map(|n| n.iter().map(|n| &**n).collect());
            assert_eq!(names.as_deref(), expected, "{sentence}");
        }
    }
}
