//! NodeResourcesBalancedAllocation: likes nodes whose resources become more evenly used by the pod.
//!
//! Source: `plugins/noderesources/balanced_allocation.go`, v1.37; before 1.36 the score was the
//! balance itself, not its change.

use super::resource_score::{Requests, ResourceSpec, Scored, node_amounts, requests, resources};
use crate::control::scheduler::framework::{
    Aspects, Context, MAX_NODE_SCORE, NodeList, PluginState, PreScore, PreScorePlugin, Scope,
    ScorePlugin, SignPlugin,
};
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::scheduler::registry::decode;
use serde::Deserialize;
use serde_json::Value;

/// Scores by how the pod changes the balance of a node's resources.
pub struct NodeResourcesBalancedAllocation {
    resources: Vec<Scored>,
}

/// `NodeResourcesBalancedAllocationArgs`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Args {
    resources: Option<Vec<ResourceSpec>>,
}

impl NodeResourcesBalancedAllocation {
    /// From `NodeResourcesBalancedAllocationArgs`.
    pub fn new(args: &Value) -> Result<NodeResourcesBalancedAllocation, String> {
        let args: Args = decode(args)?;
        Ok(NodeResourcesBalancedAllocation { resources: resources(args.resources) })
    }
}

/// `(1 - standard deviation of the used shares) * 100`, cut to an integer, for pairs of used and
/// available (`balancedResourceScore`).
fn balance(amounts: impl Iterator<Item = (i64, i64)> + Clone) -> i64 {
    let shares = amounts.map(|(used, has)| (used as f64 / has as f64).min(1.0));
    let (mut count, mut total, mut first, mut last) = (0u32, 0.0, 0.0, 0.0);
    for share in shares.clone() {
        if count == 0 {
            first = share;
        }
        last = share;
        total += share;
        count += 1;
    }
    let deviation = match count {
        0 | 1 => 0.0,
        2 => f64::abs((first - last) / 2.0),
        _ => {
            let mean = total / f64::from(count);
            let sum = shares.fold(0.0, |sum, share| sum + (share - mean) * (share - mean));
            f64::sqrt(sum / f64::from(count))
        }
    };
    ((1.0 - deviation) * MAX_NODE_SCORE as f64) as i64
}

impl PreScorePlugin for NodeResourcesBalancedAllocation {
    fn pre_score(&self, _cx: &Context<'_>, pod: &PodInfo, _feasible: NodeList<'_>) -> PreScore {
        let asked = requests(&self.resources, pod, true);
        if asked.0.iter().all(|amount| *amount == 0) {
            return PreScore::Skip;
        }
        PreScore::Continue(PluginState::new(asked))
    }
}

impl ScorePlugin for NodeResourcesBalancedAllocation {
    fn scope(&self) -> Scope {
        Scope::Node
    }

    fn heeds_identity(&self, _pod: &PodInfo) -> bool {
        false
    }

    fn score(&self, cx: &Context<'_>, state: &PluginState, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let made;
        let asked = match state.get::<Requests>() {
            Some(asked) => asked,
            None => {
                made = requests(&self.resources, pod, true);
                if made.0.iter().all(|amount| *amount == 0) {
                    return 0;
                }
                &made
            }
        };
        let amounts = self.resources.iter().zip(&asked.0).filter_map(|(scored, asked)| {
            let (has, taken) = node_amounts(&scored.resource, *asked, node, true)?;
            Some((taken, *asked, has))
        });
        let after = balance(amounts.clone().map(|(taken, asked, has)| (taken + asked, has)));
        if !cx.version.scores_change_of_balance() {
            return after;
        }
        let before = balance(amounts.map(|(taken, _, has)| (taken, has)));
        MAX_NODE_SCORE / 2 + (MAX_NODE_SCORE / 2 + after - before) / 2
    }
}

impl SignPlugin for NodeResourcesBalancedAllocation {
    fn sign(&self, _pod: &PodInfo) -> Option<Aspects> {
        Some(Aspects::RESOURCES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balance_falls_with_the_spread_of_shares() {
        type Row = (&'static str, &'static [(i64, i64)], i64);
        let rows: [Row; 5] = [
            ("nothing to compare is balanced", &[], 100),
            ("equal shares are balanced", &[(1, 2), (5, 10)], 100),
            ("half apart costs a quarter", &[(1, 2), (0, 10)], 75),
            ("more than everything counts as everything", &[(9, 2), (0, 10)], 50),
            ("of three the population deviation counts", &[(0, 10), (3, 10), (6, 10)], 75),
        ];
        for (sentence, amounts, expected) in rows {
            assert_eq!(balance(amounts.iter().copied()), expected, "{sentence}");
        }
    }
}
