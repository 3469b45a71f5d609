//! The replicaset controller: as many active pods as wanted.
//!
//! Source: kubernetes `pkg/controller/replicaset/replica_set.go`, `controller_utils.go`
//! (`ActivePodsWithRanks`), v1.37, and recordings. The store keeps the numbers; only
//! `minReadySeconds` and a deletion look at the pods themselves.

use super::action::{About, Action, Outcome};
use super::claim::claims;
use crate::api::event::EventType::Normal;
use crate::api::owner::Owner;
use crate::api::pod::{Pod, PodPhase};
use crate::api::refusal::Refusal;
use crate::api::workload::{
    Condition, ConditionStatus, REPLICA_FAILURE, ReplicaSet, WorkloadStatus,
};
use crate::api::{NodeId, OwnerId, PodId};
use crate::store::Store;
use crate::units::SimTime;
use slotmap::SecondaryMap;
use std::cmp::Reverse;
use std::sync::Arc;

/// Most pods created or deleted in one sync (`BurstReplicas`).
const BURST: usize = 500;

/// Syncs one ReplicaSet.
pub fn sync(id: OwnerId, store: &Store, now: SimTime) -> Outcome {
    let mut outcome = Outcome::idle();
    let Some(owner) = store.owner(id) else { return outcome };
    let Owner::ReplicaSet(set) = owner else { return outcome };
    let claims = claims(id, owner, store);
    if !claims.is_empty() {
        // Counted when they have come back.
        outcome.batches.push(claims);
        return outcome;
    }
    let status = count(id, set, store, now, &mut outcome);
    let (active, wanted) = (status.replicas as usize, set.replicas as usize);
    if set.deletion.is_some() {
        // It makes and deletes no pods any more.
    } else if active < wanted {
        create(id, (wanted - active).min(BURST), &mut outcome);
    } else if active > wanted {
        delete(id, set, store, now, &mut outcome);
    }
    if outcome.batches.is_empty() {
        return written(id, set, status, None, now, outcome);
    }
    outcome.rest = Some(Arc::new(move |store, refusal, now| match store.replica_set(id) {
        Some(set) => written(id, set, status, refusal, now, Outcome::idle()),
        None => Outcome::idle(),
    }));
    outcome
}

/// Writes a status, with the condition `ReplicaFailure` while creations are refused
/// (`calculateStatus`): it tells of the first refusal until nothing is refused.
fn written(
    id: OwnerId,
    set: &ReplicaSet,
    status: WorkloadStatus,
    refusal: Option<&Refusal>,
    now: SimTime,
    mut outcome: Outcome,
) -> Outcome {
    let mut conditions = set.conditions.clone();
    let stands = conditions.iter().any(|condition| condition.kind == REPLICA_FAILURE);
    match refusal {
        None => conditions.retain(|condition| condition.kind != REPLICA_FAILURE),
        Some(_) if stands => {}
        Some(refusal) => {
            let since = SimTime::from_secs(now.whole_secs());
            conditions.push(Condition {
                kind: REPLICA_FAILURE,
                status: ConditionStatus::True,
                reason: "FailedCreate",
                message: refusal.message.as_str().into(),
                updated: since,
                transition: since,
            });
        }
    }
    if status != set.status || conditions != set.conditions {
        outcome.then(Action::ReplicaSetStatus { set: id, status, conditions });
    }
    outcome
}

/// The status that the pods make; asks to be woken when the next pod is available.
fn count(
    id: OwnerId,
    set: &ReplicaSet,
    store: &Store,
    now: SimTime,
    outcome: &mut Outcome,
) -> WorkloadStatus {
    let tally = store.tally_of(id);
    let mut status = WorkloadStatus {
        observed_generation: set.generation,
        replicas: tally.active,
        ready: tally.active_ready,
        available: tally.active_ready,
        terminating: tally.terminating,
        ..WorkloadStatus::default()
    };
    if set.min_ready.0 == 0 {
        return status;
    }
    for (_, pod) in active_pods(id, store).filter(|(_, pod)| pod.ready) {
        // Counted from the whole second that the API keeps, so up to a second early.
        let available = SimTime::from_secs(pod.ready_changed.whole_secs()) + set.min_ready;
        if available > now {
            status.available -= 1;
            outcome.wake(available);
        }
    }
    status
}

/// A set's pods that count, oldest first.
fn active_pods(id: OwnerId, store: &Store) -> impl Iterator<Item = (PodId, &Pod)> {
    let pods = store.pods_of(id).iter().filter_map(|id| Some((*id, store.pod(*id)?)));
    pods.filter(|(_, pod)| pod.is_active())
}

/// Slow start: 1, 2, 4, ... creations side by side (`slowStartBatch`).
fn create(id: OwnerId, mut count: usize, outcome: &mut Outcome) {
    let mut batch = 1;
    while count > 0 {
        let n = batch.min(count);
        outcome.batches.push((0..n).map(|_| Action::CreatePod { owner: id }).collect());
        count -= n;
        batch *= 2;
    }
}

/// Deletes the surplus side by side, least useful pods first.
fn delete(id: OwnerId, set: &ReplicaSet, store: &Store, now: SimTime, outcome: &mut Outcome) {
    let mut active: Vec<(PodId, &Pod)> = active_pods(id, store).collect();
    let surplus = (active.len() - set.replicas as usize).min(BURST);
    if surplus < active.len() {
        let siblings = active_per_node(id, set, store);
        let rank = |pod: &Pod| {
            let neighbours = pod.node.and_then(|node| siblings.get(node));
            rank(pod, neighbours.copied().unwrap_or(0), now)
        };
        let mut ranked: Vec<(Rank, PodId, &Pod)> =
            active.iter().map(|(id, pod)| (rank(pod), *id, *pod)).collect();
        ranked.select_nth_unstable_by_key(surplus - 1, |(rank, ..)| *rank);
        ranked.truncate(surplus);
        ranked.sort_unstable_by_key(|(rank, ..)| *rank);
        active = ranked.into_iter().map(|(_, id, pod)| (id, pod)).collect();
    }
    let mut batch = Vec::with_capacity(2 * surplus);
    for (pod_id, pod) in active.into_iter().take(surplus) {
        batch.push(Action::DeletePod { pod: pod_id, grace: None, reason: "ScaleDown" });
        let about = About::Owner(id);
        let message = format!("Deleted pod: {}", pod.name());
        batch.push(Action::Event { kind: Normal, reason: "SuccessfulDelete", about, message });
    }
    outcome.batches.push(batch);
}

/// How many active pods of this set and of its Deployment's other sets each node has; counted once
/// per sync, so that a sync that removes many takes them all from the fullest node.
fn active_per_node(id: OwnerId, set: &ReplicaSet, store: &Store) -> SecondaryMap<NodeId, u32> {
    let own = [id];
    let related = set.owner.map_or(&own[..], |owner| store.replica_sets_of(owner));
    let mut counts = SecondaryMap::new();
    for pod_id in related.iter().flat_map(|set| store.pods_of(*set)) {
        let pod = store.pod(*pod_id).filter(|pod| pod.is_active());
        if let Some(entry) = pod.and_then(|pod| pod.node).and_then(|node| counts.entry(node)) {
            *entry.or_insert(0) += 1;
        }
    }
    counts
}

/// Sort key: what is smaller goes first. Unassigned, Pending, not ready, on a node with more active
/// siblings, ready for a shorter time (in powers of two), more restarts, younger (likewise).
///
/// Upstream breaks ties of times by the pods' UIDs, which are random; a number mixed from the time
/// or from the pod's ordinal stands for them. Only pods ready in the same second are told apart by
/// restarts and age, as upstream.
type Rank = (bool, bool, bool, Reverse<u32>, (i64, u64), Reverse<u32>, i64, u64);

fn rank(pod: &Pod, siblings: u32, now: SimTime) -> Rank {
    let since = |instant: SimTime| SimTime::from_secs(instant.whole_secs());
    let readiness = if pod.ready {
        (magnitude(since(pod.ready_changed), now), mix(pod.ready_changed.whole_secs()))
    } else {
        (0, 0)
    };
    (
        pod.node.is_some(),
        pod.phase == PodPhase::Running,
        pod.ready,
        Reverse(siblings),
        readiness,
        Reverse(pod.restarts),
        magnitude(since(pod.created), now),
        mix(pod.uid),
    )
}

/// Logarithm to base two of the nanoseconds since `then`; -1 for none (`logarithmicRankDiff`).
fn magnitude(then: SimTime, now: SimTime) -> i64 {
    now.since(then).0.checked_ilog2().map_or(-1, i64::from)
}

/// A fixed scrambling of 64 bits, one to one (the finalizer of splitmix64).
fn mix(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// The Event to publish once a [`Action::CreatePod`] has been answered: only the API server knows
/// the pod's name.
pub fn created_event(owner: OwnerId, pod_name: &str) -> Action {
    let message = format!("Created pod: {pod_name}");
    let about = About::Owner(owner);
    Action::Event { kind: Normal, reason: "SuccessfulCreate", about, message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::controllers::testing::{Bench, at, secs};

    fn deleted(outcome: &Outcome) -> Vec<PodId> {
        let each = |action: &Action| match action {
            Action::DeletePod { pod, .. } => Some(*pod),
            _ => None,
        };
        outcome.batches.iter().flatten().filter_map(each).collect()
    }

    fn set_replicas(bench: &mut Bench, set: OwnerId, replicas: u32) {
        bench.store.update_replica_set(set, |s| {
            s.replicas = replicas;
            true
        });
    }

    #[test]
    fn creations_start_slowly() {
        let rows: [(&str, u32, &[usize]); 4] = [
            ("ten pods come in batches of 1, 2, 4 and the rest", 10, &[1, 2, 4, 3]),
            ("one pod is one batch", 1, &[1]),
            ("three pods are two full batches", 3, &[1, 2]),
            ("never more than 500", 700, &[1, 2, 4, 8, 16, 32, 64, 128, 245]),
        ];
        for (sentence, replicas, expected) in rows {
            let mut bench = Bench::new();
            let set = bench.replica_set("web", replicas);
            let outcome = sync(set, &bench.store, bench.now);
            let sizes: Vec<usize> = outcome
                .batches
                .iter()
                .map(|batch| batch.iter().filter(|a| matches!(a, Action::CreatePod { .. })).count())
                .filter(|n| *n > 0)
                .collect();
            assert_eq!(sizes, expected, "{sentence}");
        }
    }

    #[test]
    fn victims_are_ranked_as_recorded() {
        type Arrange = fn(&mut Bench, OwnerId, [NodeId; 2]) -> PodId;
        let rows: [(&str, Arrange); 6] = [
            ("an unassigned pod goes before one that is pending on a node", |b, s, [n, _]| {
                let pending = b.pod(s);
                b.store.bind_pod(pending, n, b.now);
                b.pod(s)
            }),
            ("a pending pod goes before one that runs but is not ready", |b, s, [n, _]| {
                let unready = b.ready_pod(s, n);
                b.store.set_pod_ready(unready, false, b.now);
                let pending = b.pod(s);
                b.store.bind_pod(pending, n, b.now);
                pending
            }),
            ("a pod that is not ready goes before a ready one", |b, s, [n, m]| {
                b.ready_pod(s, n);
                let unready = b.ready_pod(s, m);
                b.store.set_pod_ready(unready, false, b.now);
                unready
            }),
            ("of ready ones that of the fuller node goes, whatever its age", |b, s, [n, m]| {
                b.now = at(1100);
                let old = b.ready_pod(s, n);
                b.now = at(1190);
                b.ready_pod(s, m);
                let other = b.replica_set_of("old", 1, b.store.replica_set(s).unwrap().owner);
                b.ready_pod(other, n);
                old
            }),
            ("of equal nodes the one ready for a shorter time", |b, s, [n, m]| {
                b.now = at(1010);
                b.ready_pod(s, n);
                b.now = at(1195);
                b.ready_pod(s, m)
            }),
            ("ready in the same second, the one with more restarts", |b, s, [n, m]| {
                b.ready_pod(s, n);
                let restarted = b.ready_pod(s, m);
                b.store.update_pod(restarted, |p| {
                    p.restarts = 2;
                    true
                });
                restarted
            }),
        ];
        for (sentence, arrange) in rows {
            let mut bench = Bench::new();
            let nodes = [bench.node("a", "z"), bench.node("b", "z")];
            let owner = bench.deployment("web", 1);
            let set = bench.replica_set_of("web", 1, Some(owner));
            let victim = arrange(&mut bench, set, nodes);
            let outcome = sync(set, &bench.store, at(1200));
            assert_eq!(deleted(&outcome), [victim], "{sentence}");
        }
    }

    #[test]
    fn the_fuller_node_gives_all_victims_of_one_sync() {
        let mut bench = Bench::new();
        let (full, other) = (bench.node("a", "z"), bench.node("b", "z"));
        let set = bench.replica_set("web", 4);
        let on_full: Vec<PodId> = (0..5).map(|_| bench.ready_pod(set, full)).collect();
        for _ in 0..4 {
            bench.ready_pod(set, other);
        }
        let mut victims = deleted(&sync(set, &bench.store, at(1200)));
        victims.sort_unstable();
        assert_eq!(victims, on_full, "9 -> 4 with 5 + 4 takes all 5, as recorded");
    }

    #[test]
    fn status_counts_only_what_lives() {
        let mut bench = Bench::new();
        let node = bench.node("a", "z");
        let set = bench.replica_set("web", 4);
        bench.ready_pod(set, node);
        let terminating = bench.ready_pod(set, node);
        bench.store.mark_pod_deleted(terminating, bench.now);
        let failed = bench.ready_pod(set, node);
        bench.store.set_pod_phase(failed, PodPhase::Failed);
        bench.pod(set);
        let outcome = sync(set, &bench.store, bench.now);
        let created = |a: &&Action| matches!(a, Action::CreatePod { .. });
        let creations = outcome.batches.iter().flatten().filter(created).count();
        assert_eq!(creations, 2, "the failed and the terminating pod are replaced");
        bench.apply(&outcome);
        let status = bench.store.replica_set(set).unwrap().status;
        assert_eq!((status.replicas, status.ready, status.available), (2, 1, 1));
        assert_eq!(status.terminating, 1);
    }

    #[test]
    fn a_pod_is_available_min_ready_seconds_after_its_whole_second() {
        let mut bench = Bench::new();
        let node = bench.node("a", "z");
        let set = bench.replica_set("web", 1);
        bench.store.update_replica_set(set, |s| {
            s.min_ready = secs(5);
            true
        });
        bench.now = SimTime(1_001_600_000_000);
        bench.ready_pod(set, node);
        let outcome = sync(set, &bench.store, bench.now);
        assert_eq!(outcome.wake_at, at(1006), "ready in second 1001, plus 5");
        bench.apply(&outcome);
        assert_eq!(bench.store.replica_set(set).unwrap().status.available, 0);
        bench.apply(&sync(set, &bench.store, at(1006)));
        assert_eq!(bench.store.replica_set(set).unwrap().status.available, 1);
        assert!(sync(set, &bench.store, at(1006)).batches.is_empty(), "then it is at rest");
    }

    #[test]
    fn scaling_to_zero_takes_everything() {
        let mut bench = Bench::new();
        let set = bench.replica_set("web", 3);
        bench.apply(&sync(set, &bench.store, bench.now));
        set_replicas(&mut bench, set, 0);
        bench.apply(&sync(set, &bench.store, bench.now));
        assert_eq!(bench.store.pod_count(), 0);
        let told = bench.told();
        assert_eq!(told.len(), 3);
        assert_eq!(told[0], "SuccessfulDelete: Deleted pod: web-1");
    }
}
