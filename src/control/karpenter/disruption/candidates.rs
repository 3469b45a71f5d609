//! Nodes that may be disrupted, and what that would cost.
//!
//! Source: kubernetes-sigs/karpenter `pkg/controllers/disruption/types.go` (`NewCandidate`),
//! `pkg/controllers/state/statenode.go` (`ValidateNodeDisruptable`, `ValidatePodsDisruptable`),
//! `pkg/utils/disruption/disruption.go`, August 2026.

use super::super::claim::NodeClaim;
use super::super::simulate::{moves, undisrupted_until};
use super::super::{Karpenter, event, stamp};
use super::Method;
use crate::api::event::EventType::Normal;
use crate::api::node_pool::ConsolidationPolicy;
use crate::api::pod::Pod;
use crate::api::{NodeId, Text};
use crate::control::controllers::action::{About, Outcome};
use crate::control::controllers::disruption;
use crate::store::Store;
use crate::units::SimTime;

/// A node that may go.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub claim: u64,
    pub pool: usize,
    /// Price of its machine an hour.
    pub price: f64,
    /// Its machine may be taken back by the cloud.
    pub spot: bool,
    /// Its machine type.
    pub machine: Text,
    /// What moving its pods costs: 1 for the node and about 1 for each.
    pub cost: f64,
    /// It has no pods that move.
    pub is_bare: bool,
}

/// What evicting a pod costs (`EvictionCost`).
fn eviction_cost(pod: &Pod) -> f64 {
    let deletion = f64::from(pod.deletion_cost()) / f64::from(1 << 27);
    let priority = f64::from(pod.spec.priority) / f64::from(1 << 25);
    (1.0 + deletion + priority).clamp(-10.0, 10.0)
}

impl Karpenter {
    /// Nodes that a method may take, those worth most for what moving their pods costs first.
    pub(super) fn candidates(
        &self,
        method: Method,
        store: &Store,
        now: SimTime,
        outcome: &mut Outcome,
    ) -> Vec<Candidate> {
        let mut found = Vec::new();
        for (number, claim) in &self.claims {
            let Some(node) = claim.node.filter(|_| claim.is_settled(now)) else { continue };
            let is_drift = method == Method::Drift;
            if claim.drifted.is_none() && is_drift {
                continue;
            }
            // With a grace period of its pool, a drifted node goes whatever its pods say.
            let eventually = is_drift && self.pools[claim.pool].termination_grace.is_some();
            if let Some(why) = obstacle(node, store, now).filter(|_| !eventually) {
                if method == Method::Emptiness {
                    self.tell_once(*number, "DisruptionBlocked", &why, outcome);
                }
                continue;
            }
            let Some(candidate) = self.candidate(*number, claim, node, store) else { continue };
            if is_drift || self.consolidates(method, claim, &candidate, now) {
                found.push(candidate);
            }
        }
        found.sort_by(|a, b| {
            let ratio = |c: &Candidate| c.price / c.cost;
            ratio(b).total_cmp(&ratio(a)).then(a.claim.cmp(&b.claim))
        });
        found
    }

    fn candidate(
        &self,
        number: u64,
        claim: &NodeClaim,
        node: NodeId,
        store: &Store,
    ) -> Option<Candidate> {
        let offering = &self.catalog.offerings[claim.offering?];
        let pods = store.pods_on(node).iter().filter_map(|id| store.pod(*id));
        let moving: Vec<&Pod> = pods.filter(|pod| moves(pod, store)).collect();
        let cost = 1.0 + moving.iter().map(|pod| eviction_cost(pod).max(0.0)).sum::<f64>();
        Some(Candidate {
            claim: number,
            pool: claim.pool,
            price: offering.price,
            spot: offering.spot,
            machine: offering.machine().clone(),
            cost,
            is_bare: moving.is_empty(),
        })
    }

    /// Whether a pool's policy lets a node be consolidated, and it has rested for long enough.
    fn consolidates(
        &self,
        method: Method,
        claim: &NodeClaim,
        candidate: &Candidate,
        now: SimTime,
    ) -> bool {
        let rules = &self.pools[claim.pool].disruption;
        let is_empty = candidate.cost <= 1.0;
        let by_policy = match method {
            Method::Emptiness => is_empty,
            _ => !is_empty && rules.policy == ConsolidationPolicy::WhenEmptyOrUnderutilized,
        };
        by_policy && rules.consolidate_after.is_some() && !self.rests(claim, now)
    }

    /// Says of a NodeClaim and its node why they stay, unless that was the last thing said.
    pub(super) fn tell_once(
        &self,
        number: u64,
        reason: &'static str,
        message: &str,
        outcome: &mut Outcome,
    ) {
        let Some(claim) = self.claims.get(&number) else { return };
        let stamp = stamp(message);
        if claim.told.replace(stamp) == stamp {
            return;
        }
        let node = claim.node.map(About::Node);
        for about in node.into_iter().chain([About::NodeClaim(number)]) {
            outcome.then(event(Normal, reason, about, message.to_string()));
        }
    }
}

/// Why a node's pods keep it, if they do.
fn obstacle(node: NodeId, store: &Store, now: SimTime) -> Option<String> {
    let pods = || store.pods_on(node).iter().filter_map(|id| Some((*id, store.pod(*id)?)));
    let named = |pod: &Pod| format!("{}/{}", pod.namespace, pod.name());
    if let Some((_, pod)) = pods().find(|(_, pod)| undisrupted_until(pod, now).is_some()) {
        let name = named(pod);
        return Some(format!("Pod has \"karpenter.sh/do-not-disrupt\" annotation (Pod={name})"));
    }
    let evictable = |pod: &Pod| {
        let tolerates =
            super::super::termination::disrupted(now).is_tolerated(&pod.spec.tolerations);
        !pod.phase.is_terminal() && pod.deletion.is_none() && !pod.spec.is_mirror && !tolerates
    };
    let held = |(id, pod): &(_, &Pod)| evictable(pod) && disruption::may_evict(store, *id).is_err();
    let (id, _) = pods().find(held)?;
    let budgets: Vec<String> = disruption::budgets_of(store, id)
        .iter()
        .filter_map(|pdb| store.pdb(*pdb))
        .map(|pdb| format!("{}/{}", pdb.namespace, pdb.name))
        .collect();
    Some(match &budgets[..] {
        [one] => format!("Pdb prevents pod evictions (PodDisruptionBudget=[{one}])"),
        many => format!(
            "Eviction does not support multiple PDBs (PodDisruptionBudget(s)=[{}])",
            many.join(" ")
        ),
    })
}
