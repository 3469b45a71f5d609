//! No eviction takes a healthy pod that a disruption budget wants to keep.
//!
//! Budgets speak of voluntary disruption: evictions that somebody asks for. Pods that fail, are
//! deleted or preempted are no concern of theirs, so a budget is judged only while none of those
//! has taken a healthy pod for a while, and while its controller knows how many it is to keep.

use super::availability::CALM;
use super::{Finding, View};
use crate::api::owner::Owner;
use crate::api::policy::{Budget, Pdb};
use crate::api::workload::IntOrPercent;
use crate::api::{DeploymentId, OwnerId, PdbId, PodId};
use crate::store::Store;
use crate::units::SimTime;
use std::collections::BTreeMap;

/// What is known of the budgets.
#[derive(Debug, Default)]
pub(super) struct Budgets {
    seen: BTreeMap<PdbId, Seen>,
    looked: SimTime,
}

/// A budget at the last look.
#[derive(Debug)]
struct Seen {
    desired: Option<u32>,
    healthy: u32,
    /// When it last changed what it wants, or lost a healthy pod to something else than evictions.
    disturbed: SimTime,
    /// Pods that were evicted at the instant of the last look, and counted.
    evicted: Vec<PodId>,
}

impl Budgets {
    /// The first budget that an eviction has overdrawn.
    pub(super) fn violated(&mut self, view: &View<'_>) -> Finding {
        let mut found = None;
        for (id, pdb) in view.store.pdbs() {
            let desired = desired(pdb, view.store);
            let fresh = || Seen { desired, healthy: 0, disturbed: view.now, evicted: Vec::new() };
            let seen = self.seen.entry(id).or_insert_with(fresh);
            let (healthy, evicted) = count(view, pdb, self.looked);
            let new = evicted.iter().filter(|pod| !seen.evicted.contains(pod)).count() as u32;
            let changes = desired != seen.desired || healthy + new < seen.healthy;
            // Nobody tells a budget that its pods' controllers have another size.
            let knows = desired == Some(pdb.status.desired_healthy);
            if changes || !knows || !view.is_led {
                seen.disturbed = view.now;
            }
            let calm = view.now.since(seen.disturbed) >= CALM;
            let overdrawn = desired.filter(|desired| calm && new > 0 && healthy < *desired);
            if let Some(desired) = overdrawn {
                let text =
                    format!("{}: {healthy} are healthy after evictions, of {desired}", pdb.name);
                found = found.or(Some(("no eviction overdraws a disruption budget", text)));
            }
            *seen = Seen { desired, healthy, disturbed: seen.disturbed, evicted };
        }
        self.seen.retain(|id, _| view.store.pdb(*id).is_some());
        self.looked = view.now;
        found
    }
}

/// Healthy pods, and healthy ones that have been evicted since the last look.
fn count(view: &View<'_>, pdb: &Pdb, looked: SimTime) -> (u32, Vec<PodId>) {
    let (mut healthy, mut evicted) = (0, Vec::new());
    for (id, pod) in view.store.pods_matching(&pdb.namespace, &pdb.selector) {
        match pod.deletion.get() {
            _ if !pod.ready => {}
            None => healthy += 1,
            Some(at) if at >= looked => {
                if ["Drained", "Evicted", "EvictedByVPA"].contains(&(view.ended_by)(id)) {
                    evicted.push(id);
                }
            }
            Some(_) => {}
        }
    }
    (healthy, evicted)
}

/// How many pods are to stay healthy; `None`: that can't be said, for some have no scale.
fn desired(pdb: &Pdb, store: &Store) -> Option<u32> {
    if let Budget::MinAvailable(IntOrPercent::Int(least)) = pdb.budget {
        return Some(least);
    }
    let mut deployments: BTreeMap<DeploymentId, u32> = BTreeMap::new();
    let mut others: BTreeMap<OwnerId, u32> = BTreeMap::new();
    for (_, pod) in store.pods_matching(&pdb.namespace, &pdb.selector) {
        let Some(id) = pod.owner else { continue };
        match store.owner(id)? {
            Owner::ReplicaSet(set) => match set.owner.and_then(|d| Some((d, store.deployment(d)?)))
            {
                Some((d, deployment)) => _ = deployments.insert(d, deployment.replicas),
                None => _ = others.insert(id, set.replicas),
            },
            Owner::StatefulSet(set) => _ = others.insert(id, set.replicas),
            Owner::DaemonSet(_) | Owner::Job(_) => return None,
        }
    }
    let expected: u32 = deployments.values().chain(others.values()).sum();
    Some(match pdb.budget {
        Budget::MinAvailable(least) => least.of(expected, true),
        Budget::MaxUnavailable(away) => expected.saturating_sub(away.of(expected, true)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::controllers::testing::{Bench, at};

    #[test]
    fn only_evictions_are_judged() {
        type Act = fn(&mut Bench, &[PodId]);
        let least = |n| Budget::MinAvailable(IntOrPercent::Int(n));
        let away = |n| Budget::MaxUnavailable(IntOrPercent::Percent(n));
        let both: Act = |bench, pods| {
            for pod in &pods[..2] {
                bench.store.mark_pod_deleted(*pod, bench.now);
            }
        };
        let rows: [(&str, Budget, u32, Act, &str, bool); 7] = [
            ("two evicted, two may go", least(2), 2, both, "Drained", true),
            ("two evicted, one may go", least(3), 3, both, "Drained", false),
            ("by somebody else", least(3), 3, both, "Evicted", false),
            ("a quarter may go", away(25), 3, both, "Drained", false),
            ("nobody has told the budget of its size", away(25), 2, both, "Drained", true),
            ("two deleted, one may go", least(3), 3, both, "Deleted", true),
            (
                "one fails, and another is evicted before the budget knows",
                least(3),
                3,
                |bench, pods| {
                    bench.store.set_pod_ready(pods[0], false, bench.now);
                    bench.store.mark_pod_deleted(pods[1], bench.now);
                },
                "Drained",
                true,
            ),
        ];
        for (sentence, budget, knows, act, reason, fine) in rows {
            let mut bench = Bench::new();
            let node = bench.node("n", "a");
            let set = bench.replica_set("web", 4);
            let pods: Vec<PodId> = (0..4).map(|_| bench.ready_pod(set, node)).collect();
            let id = bench.web_budget(budget);
            bench.store.update_pdb(id, |pdb| {
                pdb.status.desired_healthy = knows;
                true
            });
            let mut budgets = Budgets::default();
            for second in [1010, 1080] {
                bench.now = at(second);
                let view = View { ended_by: &|_| reason, ..View::of(&bench.store, bench.now) };
                assert_eq!(budgets.violated(&view), None, "{sentence}: before");
            }
            bench.now = at(1090);
            act(&mut bench, &pods);
            let view = View { ended_by: &|_| reason, ..View::of(&bench.store, bench.now) };
            assert_eq!(budgets.violated(&view).is_none(), fine, "{sentence}");
            assert_eq!(budgets.violated(&view), None, "{sentence}: told once");
        }
    }
}
