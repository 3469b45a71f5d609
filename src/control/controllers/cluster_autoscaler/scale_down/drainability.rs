//! Which pods keep their node, which have to go elsewhere, and which don't matter.
//!
//! Source: cluster-autoscaler `simulator/drain.go` (`GetPodsToMove`) and
//! `simulator/drainability/rules/` in the order of its `rules.go`, August 2026. Annotations and
//! local volumes are read by `api::convert::drain_hints`.

use crate::api::PodId;
use crate::api::pod::Pod;
use crate::control::controllers::disruption;
use crate::control::flags::ClusterAutoscalerFlags;
use crate::store::Store;
use crate::units::{SimDuration, SimTime};

/// A pod that should have been gone for so long no longer counts
/// (`PodLongTerminatingExtraThreshold`).
const LONG_TERMINATING: SimDuration = SimDuration::from_secs(30);

/// What a pod means for the removal of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drainability {
    /// It may end with its node.
    Skip,
    /// It has to find another place.
    Move,
    /// It keeps its node.
    Keep,
}

/// Judges a pod, but for its disruption budgets.
pub(super) fn drainability(
    pod: &Pod,
    id: PodId,
    store: &Store,
    flags: &ClusterAutoscalerFlags,
    now: SimTime,
) -> Drainability {
    use Drainability::{Keep, Move, Skip};
    let hints = pod.spec.drain_hints.as_deref().copied().unwrap_or_default();
    if !is_waited_for(pod, store, flags, now) || hints.skip_reschedule {
        return Skip;
    }
    let owner = pod.owner.map(|owner| store.owner(owner));
    let replicas = pod.owner.and_then(|owner| store.replica_set(owner)).map(|set| set.replicas);
    // Whoever made it is gone, or has few.
    if owner == Some(None) || replicas.is_some_and(|n| n < flags.min_replica_count) {
        return Keep;
    }
    if hints.safe_to_evict == Some(true) {
        return Move;
    }
    let is_system = || {
        flags.skip_nodes_with_system_pods
            && &*pod.namespace == "kube-system"
            && now.since(pod.created) < flags.blocking_system_pod_distruption_timeout
            && disruption::budgets_of(store, id).is_empty()
    };
    // Nobody would bring a pod without owner back, and nobody has said that a system pod may be
    // away.
    let keeps = owner.is_none()
        || is_system()
        || hints.safe_to_evict == Some(false)
        || (hints.local_storage && flags.skip_nodes_with_local_storage);
    if keeps { Keep } else { Move }
}

/// Whether a budget keeps a pod where it is. Upstream's simulation does not ask for pods that are
/// said to be safe to evict; their evictions are refused all the same.
pub(super) fn heeds_budgets(pod: &Pod) -> bool {
    pod.spec.drain_hints.as_ref().is_none_or(|hints| hints.safe_to_evict != Some(true))
}

/// Whether a node is not empty as long as the pod is there: no static pod, no daemon, not
/// expendable, not ended and not long overdue.
pub(super) fn is_waited_for(
    pod: &Pod,
    store: &Store,
    flags: &ClusterAutoscalerFlags,
    now: SimTime,
) -> bool {
    !pod.phase.is_terminal()
        && !pod.spec.is_mirror
        && pod.spec.priority >= flags.expendable_pods_priority_cutoff
        && !is_long_terminating(pod, now)
        && !is_daemon(pod, store)
}

/// Whether a DaemonSet made it.
pub(super) fn is_daemon(pod: &Pod, store: &Store) -> bool {
    pod.owner.is_some_and(|owner| store.daemon_set(owner).is_some())
}

/// Whether it should have been gone for a while.
pub(super) fn is_long_terminating(pod: &Pod, now: SimTime) -> bool {
    let gone_by = |marked: SimTime| marked + pod.spec.termination_grace + LONG_TERMINATING;
    pod.deletion.is_some_and(|marked| gone_by(marked) < now)
}
