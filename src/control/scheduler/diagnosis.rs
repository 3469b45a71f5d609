//! Why a pod fits nowhere, and how upstream words it (`Diagnosis`, `FitError`).
//!
//! Source: `pkg/scheduler/framework/types.go` `FitError.Error`, v1.37. It knows statuses, not how
//! they came about.

use super::framework::{NodeIndex, PluginId, PluginSet, Reasons, Status};
use std::collections::BTreeMap;

/// What a node's filters said.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// The node.
    pub node: NodeIndex,
    /// The plugin that rejected it.
    pub plugin: PluginId,
    /// Its words.
    pub status: Status,
}

/// What a cycle has found out about rejections.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    /// Nodes that were rejected, each once.
    pub rejections: Vec<Rejection>,
    /// Likewise where nobody asks which nodes they were: words, and how many nodes were told so.
    pub counted: Vec<(Status, usize)>,
    /// What counts for all other nodes (`AbsentNodesStatus`).
    pub absent: Status,
    /// Plugins that rejected the pod or a node, or narrowed the search.
    pub unschedulable_plugins: PluginSet,
    /// PreFilter's words, if it rejected the pod.
    pub pre_filter_message: String,
    /// PostFilter's words.
    pub post_filter_message: String,
}

impl Diagnosis {
    /// Nothing found yet. `rejections` is an empty list whose memory is used again.
    pub(super) fn new(rejections: Vec<Rejection>) -> Diagnosis {
        Diagnosis {
            rejections,
            counted: Vec::new(),
            absent: Status::unresolvable(&[]),
            unschedulable_plugins: PluginSet::EMPTY,
            pre_filter_message: String::new(),
            post_filter_message: String::new(),
        }
    }

    /// Notes a node's rejection; `known` when an earlier one of the same node may be there.
    pub(super) fn reject(&mut self, rejection: Rejection, known: bool) {
        self.unschedulable_plugins.insert(rejection.plugin);
        if known && let Some(r) = self.rejections.iter_mut().find(|r| r.node == rejection.node) {
            *r = rejection;
            return;
        }
        self.rejections.push(rejection);
    }

    /// The status of a node that is not feasible.
    pub fn status_of(&self, node: NodeIndex) -> &Status {
        let found = self.rejections.iter().find(|r| r.node == node);
        found.map_or(&self.absent, |r| &r.status)
    }

    /// `0/5 nodes are available: 3 Insufficient cpu, ...`, as the pod's event and condition have
    /// it, for a cluster of `nodes` nodes.
    pub fn message(&self, nodes: usize) -> String {
        let mut out = if self.pre_filter_message.is_empty() {
            counted_message(nodes, &self.counted_reasons(nodes))
        } else {
            format!("0/{nodes} nodes are available: {}.", self.pre_filter_message)
        };
        if !self.post_filter_message.is_empty() {
            out.push(' ');
            out.push_str(&self.post_filter_message);
        }
        out
    }

    /// Each reason with its number of nodes.
    fn counted_reasons(&self, nodes: usize) -> BTreeMap<&str, usize> {
        // Most nodes are rejected in the same few words: those are told apart by where they lie
        // in memory, and only then by their letters.
        let mut shared: Vec<(&Reasons, usize)> = Vec::new();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for rejection in &self.rejections {
            let reasons = &rejection.status.reasons;
            if let Some((_, count)) = shared.iter_mut().find(|(r, _)| r.is_same_text(reasons)) {
                *count += 1;
            } else if shared.len() < 16 {
                shared.push((reasons, 1));
            } else {
                reasons.iter().for_each(|reason| *counts.entry(reason).or_default() += 1);
            }
        }
        shared.extend(self.counted.iter().map(|(status, count)| (&status.reasons, *count)));
        let told = self.rejections.len() + self.counted.iter().map(|(_, n)| n).sum::<usize>();
        if told < nodes {
            shared.push((&self.absent.reasons, nodes - told));
        }
        for (reasons, count) in shared {
            reasons.iter().for_each(|reason| *counts.entry(reason).or_default() += count);
        }
        counts
    }
}

/// The message for these reasons: sorted as strings, the number in front.
pub(super) fn counted_message(nodes: usize, reasons: &BTreeMap<&str, usize>) -> String {
    let mut counted: Vec<String> =
        reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    counted.sort_unstable();
    let end = if counted.is_empty() { String::new() } else { format!(" {}.", counted.join(", ")) };
    format!("0/{nodes} nodes are available:{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_read_as_upstream() {
        let reject = |node, reasons| Rejection {
            node: NodeIndex(node),
            plugin: PluginId(1),
            status: Status::unschedulable(reasons),
        };
        let mut d = Diagnosis::new(Vec::new());
        for node in 0..10 {
            d.reject(reject(node, &["Insufficient cpu"]), false);
        }
        d.reject(reject(10, &["Insufficient memory", "Too many pods"]), false);
        d.reject(reject(11, &["Too many pods"]), false);
        let expected = "0/12 nodes are available: 1 Insufficient memory, 10 Insufficient cpu, 2 Too many pods.";
        assert_eq!(d.message(12), expected, "counts sort as strings");

        d.reject(reject(10, &["Too many pods"]), true);
        assert_eq!(d.rejections.len(), 12, "a node counts once");

        d.post_filter_message = "preemption: not helpful.".to_owned();
        d.pre_filter_message = "no claim".to_owned();
        assert_eq!(d.message(12), "0/12 nodes are available: no claim. preemption: not helpful.");
    }
}
