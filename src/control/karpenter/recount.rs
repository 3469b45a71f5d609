//! Limits and budgets of pools, recounted from nodes whenever a machine comes or nodes are marked.
//!
//! What Karpenter keeps of its NodeClaims is not asked, but for machines that have no node yet.

use super::Karpenter;
use super::disruption::allowed_of;
use crate::api::node::{Node, NodeReady};
use crate::api::node_pool::{DISRUPTED, DisruptionReason, NODE_POOL_LABEL, NodePool};
use crate::api::taint::TaintEffect;
use crate::store::Store;
use crate::units::{SimTime, WallClock};

fn of_pool<'a>(pool: &'a NodePool, store: &'a Store) -> impl Iterator<Item = &'a Node> {
    let is_its = |node: &&Node| node.labels.get(NODE_POOL_LABEL) == Some(&pool.name);
    store.nodes().map(|(_, node)| node).filter(is_its)
}

fn is_marked(node: &Node) -> bool {
    node.has_taint(DISRUPTED, TaintEffect::NoSchedule)
}

impl Karpenter {
    /// A machine has come for a pool: with it no limit is exceeded.
    pub(super) fn recount_limits(&mut self, pool: usize, store: &Store) {
        let pool_now = &self.pools[pool];
        let (mut cpu, mut memory, mut nodes) = (0, 0, 0);
        let mut add = |node: &Node| {
            cpu += node.capacity.cpu.0;
            memory += node.capacity.memory.0;
            nodes += 1;
        };
        of_pool(pool_now, store).filter(|node| !is_marked(node)).for_each(&mut add);
        for claim in self.claims.values().filter(|c| c.pool == pool && c.node.is_none()) {
            let coming = claim.offering.filter(|_| claim.is_active());
            coming.into_iter().for_each(|o| add(&self.catalog.offerings[o].node));
        }
        let limits = &pool_now.limits;
        let exceeds = limits.cpu.is_some_and(|most| cpu > most.0)
            || limits.memory.is_some_and(|most| memory > most.0)
            || limits.nodes.is_some_and(|most| nodes > most);
        if exceeds {
            let name = &pool_now.name;
            self.exceeded = Some(format!(
                "NodePool {name} has {nodes} nodes with {cpu} milli-CPU and {memory} bytes, and its \
                 limits are {limits:?}"
            ));
        }
    }

    /// So many more nodes of each pool are marked for a reason: with them no budget is exceeded.
    pub(super) fn recount_budgets(
        &mut self,
        marked: &[u32],
        reason: DisruptionReason,
        store: &Store,
        (clock, now): (WallClock, SimTime),
    ) {
        for (pool, more) in self.pools.iter().zip(marked).filter(|(_, more)| **more > 0) {
            let nodes = of_pool(pool, store).count() as u32;
            let away = |node: &&Node| is_marked(node) && node.ready == NodeReady::True;
            let away = of_pool(pool, store).filter(away).count() as u32;
            let allowed = allowed_of(pool, nodes, reason, clock, now);
            // Nodes whose machines are being deleted count no more.
            let going = self.claims.values().filter(|claim| {
                self.pools[claim.pool].name == pool.name
                    && claim.ending.as_ref().is_some_and(|ending| ending.terminating)
            });
            if (away + more).saturating_sub(going.count() as u32) > allowed {
                let (name, word) = (&pool.name, reason.name());
                self.exceeded = Some(format!(
                    "{more} more nodes of NodePool {name} are marked ({word}), with {away} of {nodes} \
                     marked already and {allowed} allowed"
                ));
            }
        }
    }
}
