//! Disruption budgets of pools: how many nodes may be on their way out at once.
//!
//! Source: kubernetes-sigs/karpenter `pkg/apis/v1/nodepool.go` (`GetAllowedDisruptionsByReason`,
//! `IsActive`), `pkg/controllers/disruption/helpers.go` (`BuildDisruptionBudgetMapping`),
//! August 2026.

use super::super::Karpenter;
use crate::api::node::NodeReady;
use crate::api::node_pool::{DisruptionBudget, DisruptionReason, NodePool};
use crate::control::controllers::cronjob;
use crate::store::Store;
use crate::units::{SimTime, WallClock};

/// How many nodes of so many a pool lets go at once for a reason.
pub(in super::super) fn allowed_of(
    pool: &NodePool,
    nodes: u32,
    reason: DisruptionReason,
    clock: WallClock,
    now: SimTime,
) -> u32 {
    let concerns = |b: &&DisruptionBudget| b.reasons.is_empty() || b.reasons.contains(&reason);
    let is_on = |budget: &&DisruptionBudget| {
        budget.schedule.as_ref().is_none_or(|(at, lasts)| cronjob::is_on(at, *lasts, clock, now).0)
    };
    let budgets = pool.disruption.budgets.iter().filter(concerns).filter(is_on);
    budgets.map(|budget| budget.nodes.of(nodes, true)).min().unwrap_or(u32::MAX)
}

impl Karpenter {
    /// By pool how many more nodes may be disrupted now.
    pub(super) fn allowed(
        &self,
        reason: DisruptionReason,
        store: &Store,
        clock: WallClock,
        now: SimTime,
    ) -> Vec<u32> {
        let mut nodes = vec![0; self.pools.len()];
        let mut away = vec![0; self.pools.len()];
        for claim in self.claims.values().filter(|claim| claim.initialized.is_some()) {
            // One whose machine is being deleted is as good as gone.
            if claim.ending.as_ref().is_some_and(|ending| ending.terminating) {
                continue;
            }
            nodes[claim.pool] += 1;
            let node = claim.node.and_then(|node| store.node(node));
            let is_ready = node.is_some_and(|node| node.ready == NodeReady::True);
            away[claim.pool] += u32::from(!is_ready || !claim.is_active());
        }
        let of = |(index, pool): (usize, &NodePool)| {
            allowed_of(pool, nodes[index], reason, clock, now).saturating_sub(away[index])
        };
        self.pools.iter().enumerate().map(of).collect()
    }

    /// When a budget begins or ceases to hold next.
    pub(super) fn next_budget_turn(&self, clock: WallClock, now: SimTime) -> SimTime {
        let budgets = self.pools.iter().flat_map(|pool| &pool.disruption.budgets);
        let scheduled = budgets.filter_map(|budget| budget.schedule.as_ref());
        let turns = scheduled.map(|(at, lasts)| cronjob::is_on(at, *lasts, clock, now).1);
        turns.min().unwrap_or(SimTime::NEVER)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::pool;
    use super::*;
    use crate::api::workload::IntOrPercent::{Int, Percent};
    use crate::units::SimDuration;

    #[test]
    fn the_smallest_budget_that_holds_counts() {
        use DisruptionReason::{Drifted, Empty, Underutilized};
        let budget = |nodes, reasons: &[DisruptionReason], at: Option<(&str, u64)>| {
            let hours = |h| SimDuration::from_secs(h * 3600);
            let schedule = at.map(|(at, lasts)| (at.into(), hours(lasts)));
            DisruptionBudget { nodes, reasons: reasons.to_vec(), schedule }
        };
        let share = budget(Percent(10), &[], None);
        let none_by_day = budget(Int(0), &[], Some(("0 9 * * *", 8)));
        let one_drifted = budget(Int(1), &[Drifted], None);
        let rows = [
            ("a share is rounded up", vec![share.clone()], 11, Empty, 3, 2),
            ("of no nodes it is none", vec![share.clone()], 0, Empty, 3, 0),
            ("without a budget all may go", vec![], 11, Empty, 3, u32::MAX),
            (
                "one with a schedule holds then",
                vec![share.clone(), none_by_day.clone()],
                11,
                Empty,
                10,
                0,
            ),
            ("and not before", vec![share.clone(), none_by_day.clone()], 11, Empty, 8, 2),
            ("nor when its time is over", vec![share.clone(), none_by_day], 11, Empty, 18, 2),
            (
                "one for a reason holds for that",
                vec![share.clone(), one_drifted.clone()],
                40,
                Drifted,
                3,
                1,
            ),
            ("and for no other", vec![share, one_drifted], 40, Underutilized, 3, 4),
        ];
        for (sentence, budgets, nodes, reason, hour, expected) in rows {
            let mut pool = pool("default", &[]);
            pool.disruption.budgets = budgets;
            let now = SimTime::from_secs(hour * 3600);
            let found = allowed_of(&pool, nodes, reason, WallClock::default(), now);
            assert_eq!(found, expected, "{sentence}");
        }
    }
}
