//! The replicaset controller: as many active pods as wanted.
//!
//! Source: kubernetes `pkg/controller/replicaset/replica_set.go`, `pkg/controller/controller_utils.go`
//! (`ActivePodsWithRanks`), v1.37.

use super::action::{About, Action, Outcome};
use crate::api::event::EventType::Normal;
use crate::api::pod::{Pod, PodPhase};
use crate::api::workload::{ReplicaSet, WorkloadStatus};
use crate::api::{PodId, ReplicaSetId};
use crate::store::Store;
use crate::units::SimTime;

/// Most pods created or deleted in one sync (`BurstReplicas`).
const BURST: usize = 500;

/// Syncs one ReplicaSet.
pub fn sync(id: ReplicaSetId, store: &Store, now: SimTime) -> Outcome {
    let mut outcome = Outcome::idle();
    let Some(set) = store.replica_set(id) else { return outcome };
    let mut active = Vec::new();
    let mut status =
        WorkloadStatus { observed_generation: set.generation, ..WorkloadStatus::default() };
    for pod_id in store.pods_of(id) {
        let Some(pod) = store.pod(*pod_id) else { continue };
        if pod.phase.is_terminal() {
            continue;
        }
        if pod.deletion.is_some() {
            status.terminating += 1;
            continue;
        }
        active.push((*pod_id, pod));
        status.replicas += 1;
        if pod.ready {
            status.ready += 1;
            let available = pod.ready_changed + set.min_ready;
            if available <= now {
                status.available += 1;
            } else {
                outcome.wake(available);
            }
        }
    }
    let wanted = set.replicas as usize;
    if active.len() < wanted {
        create(id, (wanted - active.len()).min(BURST), &mut outcome);
    } else if active.len() > wanted {
        delete(id, store, active, wanted, now, &mut outcome);
    }
    if status != set.status {
        outcome.then(Action::ReplicaSetStatus { set: id, status });
    }
    outcome
}

/// Slow start: 1, 2, 4, ... creations side by side (`slowStartBatch`).
fn create(id: ReplicaSetId, mut count: usize, outcome: &mut Outcome) {
    let mut batch = 1;
    while count > 0 {
        let n = batch.min(count);
        outcome.batches.push((0..n).map(|_| Action::CreatePod { owner: id }).collect());
        count -= n;
        batch *= 2;
    }
}

/// Deletes the surplus, least useful pods first.
fn delete(
    id: ReplicaSetId,
    store: &Store,
    mut active: Vec<(PodId, &Pod)>,
    wanted: usize,
    now: SimTime,
    outcome: &mut Outcome,
) {
    let surplus = (active.len() - wanted).min(BURST);
    if wanted > 0 {
        let ready_on = |pod: &Pod| {
            pod.node.map_or(0, |node| {
                store
                    .pods_on(node)
                    .iter()
                    .filter(|p| {
                        store
                            .pod(**p)
                            .is_some_and(|p| p.owner == Some(id) && p.ready && p.is_active())
                    })
                    .count()
            })
        };
        active.sort_by_cached_key(|(_, pod)| rank(pod, ready_on(pod), now));
    }
    let mut batch = Vec::new();
    for (pod, _) in active.iter().take(surplus) {
        batch.push(Action::DeletePod { pod: *pod, grace: None, reason: "ScaleDown" });
        let name = store.pod(*pod).map(|p| p.name.to_string()).unwrap_or_default();
        let about = About::ReplicaSet(id);
        let message = format!("Deleted pod: {name}");
        batch.push(Action::Event { kind: Normal, reason: "SuccessfulDelete", about, message });
    }
    outcome.batches.push(batch);
}

/// Sort key: what is first goes first. Unassigned, Pending, not ready, on a node with more of its
/// siblings, ready for a shorter time (in powers of two), more restarts, younger, then uid.
type Rank = (bool, bool, bool, std::cmp::Reverse<usize>, u32, std::cmp::Reverse<u32>, u32, u64);

fn rank(pod: &Pod, siblings: usize, now: SimTime) -> Rank {
    let age = |since: SimTime| {
        let seconds = now.since(since).0 / 1_000_000_000;
        if seconds == 0 { 0 } else { seconds.ilog2() + 1 }
    };
    (
        pod.node.is_some(),
        pod.phase == PodPhase::Running,
        pod.ready,
        std::cmp::Reverse(siblings),
        if pod.ready { age(pod.ready_changed) } else { 0 },
        std::cmp::Reverse(pod.restarts),
        age(pod.created),
        pod.uid,
    )
}

/// The Event to publish once a [`Action::CreatePod`] has been answered: only the API server knows
/// the pod's name.
pub fn created_event(owner: ReplicaSetId, pod_name: &str) -> Action {
    let message = format!("Created pod: {pod_name}");
    let about = About::ReplicaSet(owner);
    Action::Event { kind: Normal, reason: "SuccessfulCreate", about, message }
}

/// The ReplicaSet that `set` would be with other replicas: for the deployment controller.
pub fn with_replicas(set: &ReplicaSet, replicas: u32) -> ReplicaSet {
    ReplicaSet { replicas, ..set.clone() }
}
