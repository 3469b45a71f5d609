//! The disruption controller, and the question that the eviction API asks.
//!
//! Source: kubernetes `pkg/controller/disruption/disruption.go`,
//! `pkg/registry/core/pod/storage/eviction.go`, v1.37, and recordings. `disruptedPods` is not kept:
//! here a pod is marked in the instant in which its eviction is granted.
//! `unhealthyPodEvictionPolicy` is not modelled: pods that are not ready follow `IfHealthyBudget`.

use super::action::{Action, Outcome};
use crate::api::pod::{Pod, PodPhase};
use crate::api::policy::{Budget, Pdb};
use crate::api::refusal::{Cause, Refusal};
use crate::api::workload::IntOrPercent;
use crate::api::{DeploymentId, OwnerId, PdbId, PodId};
use crate::store::Store;
use std::collections::BTreeSet;

/// Syncs one budget's status.
pub fn sync(id: PdbId, store: &Store) -> Outcome {
    let mut outcome = Outcome::idle();
    let Some(pdb) = store.pdb(id) else { return outcome };
    let (expected, desired) = expectation(pdb, store);
    let healthy = pods_of(pdb, store).filter(|pod| pod.ready && pod.deletion.is_none()).count();
    let healthy = healthy as u32;
    let allowed = if expected == 0 { 0 } else { healthy.saturating_sub(desired) };
    let status = [allowed, healthy, desired, expected];
    let old =
        [pdb.disruptions_allowed, pdb.current_healthy, pdb.desired_healthy, pdb.expected_pods];
    if status != old {
        outcome.then(Action::PdbStatus { pdb: id, status });
    }
    outcome
}

fn pods_of<'a>(pdb: &'a Pdb, store: &'a Store) -> impl Iterator<Item = &'a Pod> {
    store.pods_matching(&pdb.namespace, &pdb.selector).map(|(_, pod)| pod)
}

/// Pods expected, and how many of them must stay healthy (`getExpectedPodCount`): where the budget
/// is a share, or speaks of those that may be away, the scale of the pods' controllers counts; else
/// the pods that are there, terminating ones included.
fn expectation(pdb: &Pdb, store: &Store) -> (u32, u32) {
    match pdb.budget {
        Budget::MaxUnavailable(away) => {
            let expected = scale(pdb, store);
            (expected, expected.saturating_sub(away.of(expected, true)))
        }
        Budget::MinAvailable(IntOrPercent::Int(desired)) => {
            (pods_of(pdb, store).count() as u32, desired)
        }
        Budget::MinAvailable(share) => {
            let expected = scale(pdb, store);
            (expected, share.of(expected, true))
        }
    }
}

/// Replicas of all controllers of the budget's pods: Deployments, or ReplicaSets of nobody.
fn scale(pdb: &Pdb, store: &Store) -> u32 {
    let mut deployments: BTreeSet<DeploymentId> = BTreeSet::new();
    let mut sets: BTreeSet<OwnerId> = BTreeSet::new();
    for owner in pods_of(pdb, store).filter_map(|pod| pod.owner) {
        match store.replica_set(owner).and_then(|set| set.owner) {
            Some(deployment) => deployments.insert(deployment),
            None => sets.insert(owner),
        };
    }
    let of_deployments = deployments.iter().filter_map(|id| store.deployment(*id));
    let of_sets = sets.iter().filter_map(|id| store.replica_set(*id));
    of_deployments.map(|d| d.replicas).sum::<u32>() + of_sets.map(|s| s.replicas).sum::<u32>()
}

/// Whether the eviction API lets a pod go; `Some`: the budget that this disruption is charged to.
///
/// # Errors
/// A budget has no disruption left, or several budgets select the pod.
pub fn may_evict(store: &Store, id: PodId) -> Result<Option<PdbId>, Refusal> {
    let Some(pod) = store.pod(id) else { return Ok(None) };
    // What has ended, is going or has not begun disrupts nothing.
    let ended = pod.phase.is_terminal() || pod.deletion.is_some();
    if ended || pod.phase == PodPhase::Pending {
        return Ok(None);
    }
    let budgets = budgets_of(store, id);
    let pdb_id = match budgets.as_slice() {
        [] => return Ok(None),
        [one] => *one,
        _ => {
            let message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
            return Err(Refusal { code: 500, message: message.to_owned(), cause: Cause::None });
        }
    };
    let Some(pdb) = store.pdb(pdb_id) else { return Ok(None) };
    // A pod that is not ready anyway is free to go if the budget is met without it.
    let met = pdb.current_healthy >= pdb.desired_healthy && pdb.desired_healthy > 0;
    if !pod.ready && met {
        return Ok(None);
    }
    if pdb.disruptions_allowed == 0 {
        return Err(exhausted(pdb));
    }
    Ok(Some(pdb_id))
}

fn exhausted(pdb: &Pdb) -> Refusal {
    let cause = if pdb.current_healthy <= pdb.desired_healthy {
        format!(
            "The disruption budget {} needs {} healthy pods and has {} currently",
            pdb.name, pdb.desired_healthy, pdb.current_healthy
        )
    } else {
        format!("The disruption budget {} does not allow evicting pods currently", pdb.name)
    };
    let message = "Cannot evict pod as it would violate the pod's disruption budget.";
    Refusal { code: 429, message: message.to_owned(), cause: Cause::DisruptionBudget(cause) }
}

/// The budgets that select a pod.
pub fn budgets_of(store: &Store, pod: PodId) -> Vec<PdbId> {
    let Some(pod) = store.pod(pod) else { return Vec::new() };
    store
        .pdbs()
        .filter(|(_, pdb)| pdb.namespace == pod.namespace && pdb.selector.matches(&pod.labels))
        .map(|(id, _)| id)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::labels::{Labels, Selector};
    use crate::api::workload::IntOrPercent::{Int, Percent};
    use crate::control::controllers::testing::Bench;

    fn pdb(bench: &mut Bench, budget: Budget) -> PdbId {
        bench.store.create_pdb(Pdb {
            name: "web".into(),
            namespace: "default".into(),
            selector: Selector::from_labels(&Labels::from([("app", "web")])),
            budget,
            disruptions_allowed: 0,
            current_healthy: 0,
            desired_healthy: 0,
            expected_pods: 0,
        })
    }

    /// A Deployment's ReplicaSet with so many ready pods.
    fn workload(bench: &mut Bench, replicas: u32, ready: u32) -> Vec<PodId> {
        let node = bench.node("n", "a");
        let deployment = bench.deployment("web", replicas);
        let set = bench.replica_set_of("web", replicas, Some(deployment));
        (0..ready).map(|_| bench.ready_pod(set, node)).collect()
    }

    fn settle(bench: &mut Bench, id: PdbId) -> [u32; 4] {
        let outcome = sync(id, &bench.store);
        bench.apply(&outcome);
        let p = bench.store.pdb(id).unwrap();
        [p.disruptions_allowed, p.current_healthy, p.desired_healthy, p.expected_pods]
    }

    #[test]
    fn budgets_promise_as_upstream() {
        use Budget::{MaxUnavailable, MinAvailable};
        let rows = [
            ("three of four must stay", MinAvailable(Int(3)), 4, 4, [1, 4, 3, 4]),
            ("a number counts the pods there are", MinAvailable(Int(3)), 10, 4, [1, 4, 3, 4]),
            ("a share counts the wanted ones, up", MinAvailable(Percent(50)), 7, 7, [3, 7, 4, 7]),
            ("one may be away", MaxUnavailable(Int(1)), 4, 4, [1, 4, 3, 4]),
            ("a share that may be away rounds up", MaxUnavailable(Percent(30)), 7, 7, [3, 7, 4, 7]),
            ("not ready ones use the budget up", MaxUnavailable(Int(1)), 4, 3, [0, 3, 3, 4]),
            ("more than all may be away", MaxUnavailable(Int(9)), 4, 4, [4, 4, 0, 4]),
            ("no pods, no promise", MinAvailable(Int(2)), 0, 0, [0, 0, 2, 0]),
        ];
        for (sentence, budget, replicas, ready, expected) in rows {
            let mut bench = Bench::new();
            let id = pdb(&mut bench, budget);
            workload(&mut bench, replicas, ready);
            assert_eq!(settle(&mut bench, id), expected, "{sentence}");
            assert!(sync(id, &bench.store).batches.is_empty(), "{sentence}: written once");
        }
    }

    #[test]
    fn terminating_pods_are_expected_but_not_healthy() {
        let mut bench = Bench::new();
        let id = pdb(&mut bench, Budget::MinAvailable(Int(3)));
        let pods = workload(&mut bench, 4, 4);
        bench.store.mark_pod_deleted(pods[0], bench.now);
        assert_eq!(settle(&mut bench, id), [0, 3, 3, 4]);
        let owner = bench.store.pod(pods[0]).unwrap().owner.unwrap();
        let new = bench.pod(owner);
        assert_eq!(settle(&mut bench, id), [0, 3, 3, 5], "recorded: 4, 5, 4");
        bench.store.remove_pod(pods[0]);
        assert_eq!(settle(&mut bench, id), [0, 3, 3, 4]);
        let node = bench.store.nodes().next().unwrap().0;
        bench.store.bind_pod(new, node, bench.now);
        bench.run(new);
        assert_eq!(settle(&mut bench, id), [1, 4, 3, 4]);
    }

    #[test]
    fn evictions_are_granted_and_refused_as_recorded() {
        let mut bench = Bench::new();
        let id = pdb(&mut bench, Budget::MinAvailable(Int(3)));
        let pods = workload(&mut bench, 4, 4);
        settle(&mut bench, id);
        assert_eq!(may_evict(&bench.store, pods[0]), Ok(Some(id)), "charged to the budget");
        bench.store.mark_pod_deleted(pods[0], bench.now);
        settle(&mut bench, id);
        let refusal = may_evict(&bench.store, pods[1]).unwrap_err();
        assert_eq!(refusal.code, 429);
        let expected = "The disruption budget web needs 3 healthy pods and has 3 currently";
        assert_eq!(refusal.cause, Cause::DisruptionBudget(expected.to_owned()));
        assert_eq!(may_evict(&bench.store, pods[0]), Ok(None), "it is going anyway");
        let pending = bench.pod(bench.store.pod(pods[0]).unwrap().owner.unwrap());
        assert_eq!(may_evict(&bench.store, pending), Ok(None), "it has not begun");
        bench.store.set_pod_phase(pods[2], PodPhase::Failed);
        assert_eq!(may_evict(&bench.store, pods[2]), Ok(None), "it has ended");
    }

    #[test]
    fn an_unready_pod_is_free_to_go_only_beside_healthy_ones() {
        let mut bench = Bench::new();
        let id = pdb(&mut bench, Budget::MinAvailable(Int(2)));
        let pods = workload(&mut bench, 3, 3);
        bench.store.set_pod_ready(pods[0], false, bench.now);
        settle(&mut bench, id);
        assert_eq!(may_evict(&bench.store, pods[0]), Ok(None), "two are healthy without it");
        bench.store.set_pod_ready(pods[1], false, bench.now);
        settle(&mut bench, id);
        let refusal = may_evict(&bench.store, pods[0]).unwrap_err();
        let expected = "The disruption budget web needs 2 healthy pods and has 1 currently";
        assert_eq!(refusal.cause, Cause::DisruptionBudget(expected.to_owned()));
    }

    #[test]
    fn two_budgets_on_a_pod_are_an_error() {
        let mut bench = Bench::new();
        let pods = workload(&mut bench, 4, 4);
        for least in [1, 2] {
            let id = pdb(&mut bench, Budget::MinAvailable(Int(least)));
            settle(&mut bench, id);
        }
        let refusal = may_evict(&bench.store, pods[0]).unwrap_err();
        assert_eq!(refusal.code, 500);
        assert!(refusal.message.starts_with("This pod has more than one PodDisruptionBudget"));
    }
}
