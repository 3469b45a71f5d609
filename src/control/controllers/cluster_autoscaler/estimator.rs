//! How many new nodes of one group a set of pods needs: first fit on nodes that do not exist yet.
//!
//! Source: cluster-autoscaler `estimator/binpacking_estimator.go`, `decreasing_pod_orderer.go`,
//! July 2026. A group of equal pods is placed by counting.

use super::pending::PodGroup;
use crate::api::node::Node;
use crate::control::simulator::{Bin, Simulator};

/// What new nodes of a group would do.
#[derive(Clone, Debug)]
pub(super) struct Estimate {
    /// New nodes.
    pub nodes: u32,
    /// How many pods of each group they take.
    pub placed: Vec<usize>,
}

/// Places pods on new nodes like `template`, largest pods first; `counts` of each group wait.
/// At most `limit` nodes are tried; `None`: no limit.
pub(super) fn estimate(
    simulator: &Simulator<'_>,
    template: &Node,
    groups: &[PodGroup],
    counts: &[usize],
    limit: Option<u32>,
) -> Estimate {
    let mut order: Vec<usize> = (0..groups.len()).filter(|i| counts[*i] > 0).collect();
    order.sort_by(|a, b| score(&groups[*b], template).total_cmp(&score(&groups[*a], template)));
    let mut bins: Vec<Bin<'_>> = Vec::new();
    let mut placed = vec![0; groups.len()];
    let mut more_nodes = true;
    for index in order {
        let needs = &groups[index].needs;
        let mut left = counts[index];
        left -= simulator.place_first_fit(&mut bins, needs, left);
        while left > 0 && more_nodes {
            // A pod that does not fit on an empty node fits on no further one.
            if bins.last().is_some_and(Bin::is_untouched) {
                break;
            }
            if limit.is_some_and(|limit| bins.len() as u32 >= limit) {
                more_nodes = false;
                break;
            }
            let mut bin = Bin::fresh(template);
            let n = simulator.place(&mut bin, needs, left);
            bins.push(bin);
            left -= n;
        }
        placed[index] = counts[index] - left;
    }
    let used = bins.iter().filter(|bin| !bin.is_untouched()).count();
    Estimate { nodes: used as u32, placed }
}

/// A pod's size against a node: the sum of its shares of CPU and memory.
fn score(group: &PodGroup, template: &Node) -> f64 {
    let requests = &group.needs.info.requests;
    let share = |part: i64, whole: i64| if whole > 0 { part as f64 / whole as f64 } else { 0.0 };
    share(requests.cpu.0, template.allocatable.cpu.0)
        + share(requests.memory.0, template.allocatable.memory.0)
}
