//! The disruption controller, and the question that the eviction API asks.
//!
//! Source: kubernetes `pkg/controller/disruption/disruption.go`,
//! `pkg/registry/core/pod/storage/eviction.go`, v1.37, and recordings. `disruptedPods` is not kept:
//! here a pod is marked in the instant in which its eviction is granted.

use super::action::{About, Action, Outcome};
use crate::api::event::EventType::Warning;
use crate::api::labels::{Operator, Requirement, Selector};
use crate::api::owner::Owner;
use crate::api::pod::{Pod, PodPhase};
use crate::api::policy::{Budget, Pdb, PdbStatus, UnhealthyPods};
use crate::api::refusal::{Cause, Refusal};
use crate::api::workload::{IntOrPercent, ReplicaSet};
use crate::api::{DeploymentId, OwnerId, PdbId, PodId};
use crate::store::{Health, Store};
use std::collections::BTreeMap;

/// Syncs one budget's status.
pub fn sync(id: PdbId, store: &Store) -> Outcome {
    let mut outcome = Outcome::idle();
    let Some(pdb) = store.pdb(id) else { return outcome };
    let about = About::Pdb(id);
    let mut warn = |reason: &'static str, message: String| {
        outcome.then(Action::Event { kind: Warning, reason, about, message });
    };
    let health = store.health_of(&pdb.namespace, &pdb.selector);
    debug_assert_eq!(health, recounted(pdb, store), "the numbers are those of the pods");
    let status = match expectation(pdb, &health, store) {
        Ok(expectation) => {
            if expectation.unmanaged {
                warn("UnmanagedPods", unmanaged_pods(&pdb.selector));
            }
            status(pdb, &expectation, health.healthy)
        }
        Err(failure) => {
            let message = format!("Failed to calculate the number of expected pods: {failure}");
            warn("CalculateExpectedPodCountFailed", message);
            // Nothing is allowed, all else stays as it was (`failSafe`).
            let failure = failure.into();
            PdbStatus { disruptions_allowed: 0, failure, ..pdb.status.clone() }
        }
    };
    if status != pdb.status {
        outcome.then(Action::PdbStatus { pdb: id, status });
    }
    outcome
}

fn status(pdb: &Pdb, expectation: &Expectation, healthy: u32) -> PdbStatus {
    let Expectation { expected, desired, .. } = *expectation;
    PdbStatus {
        observed_generation: pdb.generation,
        disruptions_allowed: if expected == 0 { 0 } else { healthy.saturating_sub(desired) },
        current_healthy: healthy,
        desired_healthy: desired,
        expected_pods: expected,
        failure: "".into(),
    }
}

/// The reference: the numbers of a budget's pods, counted one by one.
fn recounted(pdb: &Pdb, store: &Store) -> Health {
    let mut health = Health::default();
    pods_of(pdb, store).for_each(|pod| health.add(pod));
    health
}

fn pods_of<'a>(pdb: &'a Pdb, store: &'a Store) -> impl Iterator<Item = &'a Pod> {
    store.pods_matching(&pdb.namespace, &pdb.selector).map(|(_, pod)| pod)
}

/// What a budget expects.
#[derive(Clone, Copy, Debug)]
struct Expectation {
    /// Pods.
    expected: u32,
    /// How many of them must stay healthy.
    desired: u32,
    /// There are pods that nobody controls, which a share can't count.
    unmanaged: bool,
}

/// What a budget expects (`getExpectedPodCount`): where it is a share, or speaks of those that may
/// be away, the scale of the pods' controllers counts; else the pods that are there, terminating
/// ones included.
fn expectation(pdb: &Pdb, health: &Health, store: &Store) -> Result<Expectation, String> {
    match pdb.budget {
        Budget::MaxUnavailable(away) => {
            let (expected, unmanaged) = scale(pdb, health, store)?;
            let desired = expected.saturating_sub(away.of(expected, true));
            Ok(Expectation { expected, desired, unmanaged })
        }
        Budget::MinAvailable(IntOrPercent::Int(desired)) => {
            Ok(Expectation { expected: health.all, desired, unmanaged: false })
        }
        Budget::MinAvailable(share) => {
            let (expected, unmanaged) = scale(pdb, health, store)?;
            Ok(Expectation { expected, desired: share.of(expected, true), unmanaged })
        }
    }
}

/// What has a scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scaled {
    Deployment(DeploymentId),
    Owner(OwnerId),
}

/// Replicas of all controllers of the budget's pods, and whether some pods have none
/// (`getExpectedScale`).
fn scale(pdb: &Pdb, health: &Health, store: &Store) -> Result<(u32, bool), String> {
    let mut scales: BTreeMap<Scaled, u32> = BTreeMap::new();
    for id in health.owners.iter().flatten() {
        let Some((of, replicas)) = scale_of(*id, store) else { return Err(why(pdb, store)) };
        scales.insert(of, replicas);
    }
    Ok((scales.values().sum(), health.owners.contains(&None)))
}

/// What the number of an owner's pods depends on, and its scale; `None`: it has none.
fn scale_of(id: OwnerId, store: &Store) -> Option<(Scaled, u32)> {
    match store.owner(id)? {
        Owner::ReplicaSet(set) => Some(scale_of_set(id, set, store)),
        Owner::StatefulSet(set) => Some((Scaled::Owner(id), set.replicas)),
        Owner::DaemonSet(_) | Owner::Job(_) => None,
    }
}

/// Why there is no scale: what is said of the first pod whose owner has none.
fn why(pdb: &Pdb, store: &Store) -> String {
    let without = |pod: &&Pod| pod.owner.is_some_and(|id| scale_of(id, store).is_none());
    let Some(pod) = pods_of(pdb, store).find(without) else { return String::new() };
    match pod.owner.and_then(|id| store.owner(id)) {
        None => format!("found no controllers for pod {:?}", &*pod.name()),
        Some(owner) => {
            let resource =
                if owner.kind() == "DaemonSet" { "daemonsets.apps" } else { "jobs.batch" };
            format!("{resource} does not implement the scale subresource")
        }
    }
}

/// That of the set's Deployment, or its own.
fn scale_of_set(id: OwnerId, set: &ReplicaSet, store: &Store) -> (Scaled, u32) {
    let deployment = set.owner.and_then(|id| Some((id, store.deployment(id)?)));
    deployment.map_or((Scaled::Owner(id), set.replicas), |(id, deployment)| {
        (Scaled::Deployment(id), deployment.replicas)
    })
}

fn unmanaged_pods(selector: &Selector) -> String {
    format!(
        "Pods selected by this PodDisruptionBudget (selector: {}) were found to be unmanaged. As \
         a result, the status of the PDB cannot be calculated correctly, which may result in \
         undefined behavior. To account for these pods please set \".spec.minAvailable\" field of \
         the PDB to an integer value.",
        written(selector)
    )
}

/// A selector as Go writes it.
fn written(selector: &Selector) -> String {
    let Selector::All(requirements) = selector else { return "nil".to_owned() };
    let is_label = |r: &&Requirement| r.operator == Operator::In && r.values.len() == 1;
    let (labels, others): (Vec<_>, Vec<_>) = requirements.iter().partition(is_label);
    let labels = labels.iter().map(|r| format!("{}: {},", r.key, r.values[0]));
    let others = others.iter().map(|r| {
        let values: Vec<&str> = r.values.iter().map(|value| &**value).collect();
        let values = values.join(" ");
        let (key, operator) = (&r.key, r.operator);
        format!("LabelSelectorRequirement{{Key:{key},Operator:{operator:?},Values:[{values}],}},")
    });
    format!(
        "&LabelSelector{{MatchLabels:map[string]string{{{}}},\
         MatchExpressions:[]LabelSelectorRequirement{{{}}},}}",
        labels.collect::<String>(),
        others.collect::<String>()
    )
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
    let status = &pdb.status;
    // A pod that is not ready anyway is free to go if the budget is met without it.
    let met = status.current_healthy >= status.desired_healthy && status.desired_healthy > 0;
    if !pod.ready && (met || pdb.unhealthy == UnhealthyPods::AlwaysAllow) {
        return Ok(None);
    }
    if status.observed_generation < pdb.generation || status.disruptions_allowed == 0 {
        return Err(exhausted(pdb));
    }
    Ok(Some(pdb_id))
}

fn exhausted(pdb: &Pdb) -> Refusal {
    let PdbStatus { current_healthy, desired_healthy, ref failure, .. } = pdb.status;
    let why = if pdb.status.observed_generation < pdb.generation {
        "is still being processed by the server.".to_owned()
    } else if !failure.is_empty() {
        format!("does not allow evicting pods currently because it failed sync: {failure}")
    } else if current_healthy <= desired_healthy {
        format!("needs {desired_healthy} healthy pods and has {current_healthy} currently")
    } else {
        "does not allow evicting pods currently".to_owned()
    };
    let cause = format!("The disruption budget {} {why}", pdb.name);
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
    use crate::api::workload::IntOrPercent::{Int, Percent};
    use crate::control::controllers::testing::Bench;

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
        let p = &bench.store.pdb(id).unwrap().status;
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
            let id = bench.web_budget(budget);
            workload(&mut bench, replicas, ready);
            assert_eq!(settle(&mut bench, id), expected, "{sentence}");
            assert!(sync(id, &bench.store).batches.is_empty(), "{sentence}: written once");
        }
    }

    #[test]
    fn terminating_pods_are_expected_but_not_healthy() {
        let mut bench = Bench::new();
        let id = bench.web_budget(Budget::MinAvailable(Int(3)));
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
        let id = bench.web_budget(Budget::MinAvailable(Int(3)));
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
        let id = bench.web_budget(Budget::MinAvailable(Int(2)));
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
            let id = bench.web_budget(Budget::MinAvailable(Int(least)));
            settle(&mut bench, id);
        }
        let refusal = may_evict(&bench.store, pods[0]).unwrap_err();
        assert_eq!(refusal.code, 500);
        assert!(refusal.message.starts_with("This pod has more than one PodDisruptionBudget"));
    }

    #[test]
    fn pods_that_are_not_ready_go_at_any_time_where_that_is_allowed() {
        let mut bench = Bench::new();
        let id = bench.web_budget(Budget::MinAvailable(Int(2)));
        let pods = workload(&mut bench, 2, 2);
        bench.store.set_pod_ready(pods[0], false, bench.now);
        settle(&mut bench, id);
        assert_eq!(may_evict(&bench.store, pods[0]).unwrap_err().code, 429);
        bench.store.update_pdb(id, |p| {
            p.unhealthy = UnhealthyPods::AlwaysAllow;
            true
        });
        assert_eq!(may_evict(&bench.store, pods[0]), Ok(None), "it does not count anyway");
        assert_eq!(may_evict(&bench.store, pods[1]).unwrap_err().code, 429, "ready ones do");
    }

    #[test]
    fn a_changed_budget_refuses_until_it_has_been_looked_at() {
        let mut bench = Bench::new();
        let id = bench.web_budget(Budget::MinAvailable(Int(4)));
        let pods = workload(&mut bench, 4, 4);
        let cause = |bench: &Bench| match may_evict(&bench.store, pods[0]).unwrap_err().cause {
            Cause::DisruptionBudget(cause) => cause,
            other => panic!("{other:?}"),
        };
        let processed = "The disruption budget web is still being processed by the server.";
        assert_eq!(cause(&bench), processed, "a new one too");
        settle(&mut bench, id);
        let expected = "The disruption budget web needs 4 healthy pods and has 4 currently";
        assert_eq!(cause(&bench), expected);
        bench.store.update_pdb(id, |p| {
            (p.budget, p.generation) = (Budget::MinAvailable(Int(1)), 2);
            true
        });
        assert_eq!(cause(&bench), processed);
        settle(&mut bench, id);
        assert_eq!(may_evict(&bench.store, pods[0]), Ok(Some(id)));
    }

    /// Pods of some kind of owner: how many, and the message when the budget can't count them.
    type Owned = fn(&mut Bench) -> Option<Owner>;

    #[test]
    fn a_share_is_of_the_scale_of_whoever_controls_the_pods() {
        let rows: [(&str, Owned, [u32; 4], &str); 6] = [
            (
                "a ReplicaSet of nobody counts its own",
                |bench| {
                    let set = bench.replica_set("web", 6);
                    bench.store.owner(set).cloned()
                },
                [0, 2, 3, 6],
                "",
            ),
            (
                "so does a ReplicationController",
                |bench| {
                    let set = bench.replica_set("web", 6);
                    bench.store.update_replica_set(set, |set| {
                        set.is_controller = true;
                        true
                    });
                    bench.store.owner(set).cloned()
                },
                [0, 2, 3, 6],
                "",
            ),
            ("and a StatefulSet", |_| manifest("StatefulSet", "replicas: 4"), [0, 2, 2, 4], ""),
            ("pods that nobody controls do not count", |_| None, [0, 2, 0, 0], "UnmanagedPods"),
            (
                "a DaemonSet has no scale",
                |_| manifest("DaemonSet", "minReadySeconds: 0"),
                [0, 0, 0, 0],
                "daemonsets.apps does not implement the scale subresource",
            ),
            (
                "nor has a Job",
                |_| manifest("Job", "completions: 2"),
                [0, 0, 0, 0],
                "jobs.batch does not implement the scale subresource",
            ),
        ];
        for (sentence, owner, expected, told) in rows {
            let mut bench = Bench::new();
            let id = bench.web_budget(Budget::MinAvailable(Percent(50)));
            let owner = owner(&mut bench).map(|owner| bench.store.create_owner(owner));
            let mut last = PodId::default();
            for name in ["a", "b"] {
                let template = crate::control::controllers::testing::template("web");
                let (labels, spec) = (template.labels, template.spec);
                let now = bench.now;
                let pod = crate::control::controllers::testing::bare_pod(name, labels, spec, now);
                let pod = owner.map_or(pod.clone(), |owner| pod.owned_by(owner));
                last = bench.store.create_pod(pod);
                bench.run(last);
            }
            assert_eq!(settle(&mut bench, id), expected, "{sentence}");
            let said = bench.told().join("");
            assert!(
                said.contains(told) && said.is_empty() == told.is_empty(),
                "{sentence}: {said}"
            );
            if told.contains("scale") {
                let status = &bench.store.pdb(id).unwrap().status;
                assert_eq!(*status.failure, *told, "{sentence}");
                assert_eq!(may_evict(&bench.store, last).unwrap_err().code, 429, "{sentence}");
            }
        }
    }

    /// An owner labelled `app=web`, with some more of its specification.
    fn manifest(kind: &str, more: &str) -> Option<Owner> {
        let (key, value) = more.split_once(": ")?;
        let labels = serde_json::json!({"app": "web"});
        let mut given = serde_json::json!({
            "kind": kind,
            "metadata": {"name": "web"},
            "spec": {
                "selector": {"matchLabels": labels},
                "serviceName": "web",
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c"}]}},
            },
        });
        given["spec"][key] = value.parse::<u32>().ok()?.into();
        if kind == "Job" {
            given["spec"]["template"]["spec"]["restartPolicy"] = "Never".into();
        }
        let found = crate::api::convert::object::object(&given, "default", &mut Vec::new());
        match found? {
            crate::api::object::Object::Owner(owner) => Some(owner),
            _ => None,
        }
    }

    #[test]
    fn selectors_are_written_as_in_go() {
        let requirement = |key: &str, operator, values: &[&str]| Requirement {
            key: key.into(),
            operator,
            values: values.iter().map(|value| (*value).into()).collect(),
        };
        let selector = Selector::All(vec![
            requirement("app", Operator::In, &["web"]),
            requirement("tier", Operator::NotIn, &["a", "b"]),
        ]);
        let expected = "&LabelSelector{MatchLabels:map[string]string{app: web,},\
            MatchExpressions:[]LabelSelectorRequirement{\
            LabelSelectorRequirement{Key:tier,Operator:NotIn,Values:[a b],},},}";
        assert_eq!(written(&selector), expected);
    }
}
