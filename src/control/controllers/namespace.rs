//! The namespace controller: empties a namespace that is being deleted, pods first.
//!
//! Source: kubernetes `pkg/controller/namespace/namespace_controller.go`,
//! `deletion/namespaced_resources_deleter.go`, v1.37, and recordings. Upstream deletes the other
//! kinds in the order of a hash map; here they have a fixed one.

use super::action::{Action, Outcome};
use crate::api::NamespaceId;
use crate::api::namespace::Namespace;
use crate::store::Store;
use crate::units::{SimDuration, SimTime};
use std::sync::Arc;

/// How long it waits after each change of a namespace (`namespaceDeletionGracePeriod`).
pub const PATIENCE: SimDuration = SimDuration::from_secs(5);
/// What it expects of finalizers (`finalizerEstimateSeconds`), seconds.
const FINALIZERS: u64 = 15;
/// What a namespace may hold beside pods.
const KINDS: [&str; 15] = [
    "Service",
    "Ingress",
    "PodDisruptionBudget",
    "HorizontalPodAutoscaler",
    "Deployment",
    "ReplicaSet",
    "ReplicationController",
    "StatefulSet",
    "DaemonSet",
    "CronJob",
    "Job",
    "LimitRange",
    "ResourceQuota",
    "PersistentVolumeClaim",
    "Pod",
];

/// Syncs one namespace.
pub fn sync(id: NamespaceId, store: &Store, now: SimTime) -> Outcome {
    let mut outcome = Outcome::idle();
    let Some(namespace) = store.namespace(id) else { return outcome };
    let Some(deleted) = namespace.deletion() else { return outcome };
    let estimate = estimate(namespace, deleted, store, now);
    outcome.then(Action::DeleteAll { namespace: namespace.name.clone(), kind: "Pod" });
    outcome.rest = Some(Arc::new(move |store, _, now| after_pods(id, estimate, store, now)));
    outcome
}

/// How long the pods may take to stop, seconds; nothing once that time is over.
fn estimate(namespace: &Namespace, deleted: SimTime, store: &Store, now: SimTime) -> u64 {
    let live = store.pods_in(&namespace.name).filter(|(_, pod)| !pod.phase.is_terminal());
    let grace = live.map(|(_, pod)| pod.spec.termination_grace).max().unwrap_or_default();
    let since = now.since(SimTime::from_secs(deleted.whole_secs()));
    if since >= grace { 0 } else { grace.0 / 1_000_000_000 }
}

/// All pods have been asked to go: while some stay, nothing else is touched.
fn after_pods(id: NamespaceId, estimate: u64, store: &Store, now: SimTime) -> Outcome {
    let mut outcome = Outcome::idle();
    let Some(namespace) = store.namespace(id) else { return outcome };
    let name = &namespace.name;
    if store.has_no_pods(name) {
        let kinds = KINDS.into_iter().filter(|kind| store.count_in(name, kind) > 0);
        for kind in kinds {
            outcome.then(Action::DeleteAll { namespace: name.clone(), kind });
        }
        write(id, namespace, false, &mut outcome);
        outcome.then(Action::FinalizeNamespace { namespace: name.clone() });
        return outcome;
    }
    let is_kept = || store.pods_in(name).any(|(_, pod)| pod.is_tracked());
    let estimate = if estimate == 0 && is_kept() { FINALIZERS } else { estimate };
    outcome.is_error = estimate == 0;
    write(id, namespace, outcome.is_error, &mut outcome);
    if estimate > 0 {
        outcome.wake(now + SimDuration::from_secs(estimate / 2 + 1));
    }
    outcome
}

fn write(id: NamespaceId, namespace: &Namespace, fails: bool, outcome: &mut Outcome) {
    if namespace.content_failure != Some(fails) {
        outcome.then(Action::NamespaceStatus { namespace: id, fails });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::namespace::NamespacePhase;
    use crate::control::controllers::testing::{Bench, at};

    fn kinds(outcome: &Outcome) -> Vec<&'static str> {
        let kind = |action: &Action| match action {
            Action::DeleteAll { kind, .. } => *kind,
            Action::NamespaceStatus { .. } => "status",
            Action::FinalizeNamespace { .. } => "finalize",
            other => panic!("{other:?}"),
        };
        outcome.batches.iter().flatten().map(kind).collect()
    }

    #[test]
    fn pods_go_first_and_the_rest_when_they_are_gone() {
        let mut bench = Bench::new();
        let node = bench.node("n", "z");
        let set = bench.replica_set("web", 1);
        let pod = bench.ready_pod(set, node);
        bench.store.set_namespace("default", NamespacePhase::Terminating(at(1000)));
        let (id, _) = bench.store.namespaces().next().unwrap();
        let first = sync(id, &bench.store, at(1005));
        assert_eq!(kinds(&first), ["Pod"]);
        bench.store.mark_pod_deleted(pod, at(1005));
        let then = first.rest.unwrap()(&bench.store, None, at(1005));
        assert_eq!(kinds(&then), ["status"], "nothing else while a pod stays");
        assert_eq!(then.wake_at, at(1005 + 30 / 2 + 1), "half its grace and a second");
        bench.store.set_content_failure(id, false);
        let late = sync(id, &bench.store, at(1040)).rest.unwrap()(&bench.store, None, at(1040));
        assert!(late.is_error, "it should have stopped by now");
        bench.store.remove_pod(pod);
        let last = sync(id, &bench.store, at(1041)).rest.unwrap()(&bench.store, None, at(1041));
        assert_eq!(kinds(&last), ["ReplicaSet", "finalize"]);
    }

    #[test]
    fn a_namespace_that_lives_is_left_alone() {
        let mut bench = Bench::new();
        bench.store.set_namespace("default", NamespacePhase::Gone);
        let (id, _) = bench.store.namespaces().next().unwrap();
        assert!(sync(id, &bench.store, at(1005)).batches.is_empty());
    }
}
