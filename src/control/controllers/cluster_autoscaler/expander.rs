//! Which of several groups shall grow.
//!
//! Source: cluster-autoscaler `expander/` (random, waste, mostpods, price).

use super::GroupView;
use super::estimator::{Estimate, PodGroup};
use crate::control::flags::Expander;

/// An option: a group and what its new nodes would do.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    /// Index of the group.
    pub group: usize,
    /// What new nodes would do.
    pub estimate: Estimate,
}

/// The option that the expander takes; of equals the first, or one by `pick` for `random`.
pub(super) fn best(
    expander: Expander,
    mut choices: Vec<Choice>,
    groups: &[GroupView],
    pods: &[PodGroup],
    pick: &mut dyn FnMut(usize) -> usize,
) -> Option<Choice> {
    if choices.is_empty() {
        return None;
    }
    let score = |choice: &Choice| match expander {
        Expander::Random => 0.0,
        Expander::LeastWaste => waste(choice, groups, pods),
        Expander::MostPods => -(choice.estimate.placed.iter().sum::<usize>() as f64),
        Expander::Price => price_per_pod(choice, groups),
    };
    let index = if expander == Expander::Random {
        pick(choices.len())
    } else {
        let scores: Vec<f64> = choices.iter().map(score).collect();
        (0..scores.len()).min_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap_or(0)
    };
    Some(choices.swap_remove(index))
}

/// Share of the new nodes' CPU and memory that stays unused, summed.
fn waste(choice: &Choice, groups: &[GroupView], pods: &[PodGroup]) -> f64 {
    let node = &groups[choice.group].template.allocatable;
    let nodes = f64::from(choice.estimate.nodes);
    let (mut cpu, mut memory) = (0.0, 0.0);
    for (group, n) in pods.iter().zip(&choice.estimate.placed) {
        cpu += group.pod.requests.cpu.0 as f64 * *n as f64;
        memory += group.pod.requests.memory.0 as f64 * *n as f64;
    }
    (1.0 - cpu / (node.cpu.0 as f64 * nodes)) + (1.0 - memory / (node.memory.0 as f64 * nodes))
}

fn price_per_pod(choice: &Choice, groups: &[GroupView]) -> f64 {
    let pods = choice.estimate.placed.iter().sum::<usize>().max(1);
    groups[choice.group].price_per_hour * f64::from(choice.estimate.nodes) / pods as f64
}
