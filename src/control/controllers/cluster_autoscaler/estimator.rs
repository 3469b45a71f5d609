//! How many new nodes of one group a set of pods needs: first fit on nodes that do not exist yet.
//!
//! Source: cluster-autoscaler `estimator/binpacking_estimator.go`.

use crate::api::node::Node;
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::scheduler::what_if::WhatIf;
use std::sync::Arc;

/// Equal pods that wait.
#[derive(Clone, Debug)]
pub(super) struct PodGroup {
    /// One of them.
    pub pod: Arc<PodInfo>,
    /// Their ids, oldest first.
    pub ids: Vec<crate::api::PodId>,
}

/// What new nodes of a group would do.
#[derive(Clone, Debug)]
pub(super) struct Estimate {
    /// New nodes.
    pub nodes: u32,
    /// How many pods of each group they take.
    pub placed: Vec<usize>,
}

/// Places pods on up to `limit` new nodes like `template`, largest pods first.
pub(super) fn estimate(
    what_if: &WhatIf,
    template: &Arc<Node>,
    groups: &[PodGroup],
    counts: &[usize],
    limit: u32,
) -> Estimate {
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(size(&groups[*i].pod, template)));
    let mut nodes: Vec<NodeInfo> = Vec::new();
    let mut placed = vec![0; groups.len()];
    for index in order {
        let pod = &groups[index].pod;
        let mut left = counts[index];
        // Full nodes stay full for equal pods: the search goes on where it stopped.
        let mut at = 0;
        while left > 0 {
            if at == nodes.len() {
                let fresh = NodeInfo::new(Arc::clone(template));
                if nodes.len() as u32 >= limit || what_if.fits(pod, &fresh).is_err() {
                    break;
                }
                nodes.push(fresh);
            }
            if what_if.fits(pod, &nodes[at]).is_ok() {
                nodes[at].add_pod(Arc::clone(pod));
                placed[index] += 1;
                left -= 1;
            } else {
                at += 1;
            }
        }
    }
    Estimate { nodes: nodes.len() as u32, placed }
}

/// A pod's size against a node: the sum of its shares of CPU and memory, in millionths.
fn size(pod: &PodInfo, template: &Node) -> i64 {
    let share =
        |part: i64, whole: i64| if whole > 0 { part.saturating_mul(1_000_000) / whole } else { 0 };
    share(pod.requests.cpu.0, template.allocatable.cpu.0)
        + share(pod.requests.memory.0, template.allocatable.memory.0)
}
