//! Scores and rejections of the last cycle by the nodes' names, as recordings tell them.

use super::answer::Answer;
use crate::control::scheduler::cycle::Core;
use crate::control::scheduler::framework::NodeIndex;
use crate::control::scheduler::registry;
use std::collections::BTreeMap;

/// Larger clusters tell no scores.
const SCORES_UP_TO: usize = 60;
/// Larger clusters tell no rejections.
const REJECTIONS_UP_TO: usize = 30;

/// Adds the scores of a placed pod.
pub(super) fn add_scores(answer: &mut Answer, core: &Core) {
    let explanation = core.explanation();
    let several = explanation.feasible.len() >= 2;
    if answer.node.is_none() || !several || core.cache.nodes().len() > SCORES_UP_TO {
        return;
    }
    let mut scores: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
    for (at, node) in explanation.feasible.iter().enumerate() {
        let of_node = scores.entry(core.cache.info(*node).name().to_string()).or_default();
        for (plugin, scores) in &explanation.scores {
            of_node.insert(registry::name_of(*plugin).to_owned(), scores[at]);
        }
    }
    answer.scores = Some(scores);
}

/// Adds the plugins that rejected nodes; nodes that were left out of a search that found none have
/// no plugin's name.
pub(super) fn add_rejections(answer: &mut Answer, core: &Core) {
    let explanation = core.explanation();
    if core.cache.nodes().len() > REJECTIONS_UP_TO || !explanation.pre_filter_message.is_empty() {
        return;
    }
    let name = |node: NodeIndex| core.cache.info(node).name().to_string();
    let mut by: BTreeMap<String, String> = BTreeMap::new();
    if answer.node.is_none() && explanation.absent.is_some() {
        by.extend(core.cache.nodes().order.iter().map(|node| (name(*node), String::new())));
    }
    for rejection in &explanation.rejections {
        by.insert(name(rejection.node), registry::name_of(rejection.plugin).to_owned());
    }
    answer.rejected_by = (!by.is_empty()).then_some(by);
}
