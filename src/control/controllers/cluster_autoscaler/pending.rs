//! The pods that wait, equal ones together.
//!
//! Source: cluster-autoscaler `core/scaleup/equivalence/groups.go`,
//! `core/podlistprocessor/filter_out_expendable.go`, `filter_out_schedulable.go`, July 2026.

use crate::api::pod::Pod;
use crate::api::{OwnerId, PodId};
use crate::control::flags::ClusterAutoscalerFlags;
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::simulator::{Bin, Needs, Simulator};
use crate::store::Store;
use crate::units::{SimDuration, SimTime};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Equal pods that wait: those of one ReplicaSet, or one pod that nobody controls.
#[derive(Clone, Debug)]
pub(super) struct PodGroup {
    pub needs: Needs,
    /// Oldest first.
    pub ids: Vec<PodId>,
    /// When the oldest was created.
    pub oldest: SimTime,
}

/// Unschedulable pods that are old enough, in groups: the most important first, then the oldest.
pub(super) fn pending(
    store: &Store,
    flags: &ClusterAutoscalerFlags,
    now: SimTime,
) -> Vec<PodGroup> {
    let mut by_owner: BTreeMap<(Option<OwnerId>, u64), Vec<PodId>> = BTreeMap::new();
    let waits = |pod: &Pod| {
        let delay = delay_of(pod, flags);
        let old_enough = delay == SimDuration::ZERO
            || now.since(SimTime::from_secs(pod.created.whole_secs())) > delay;
        pod.nominated.is_none()
            && pod.spec.priority >= flags.expendable_pods_priority_cutoff
            && old_enough
    };
    for (id, pod) in store.unschedulable_pods().filter(|(_, pod)| waits(pod)) {
        let alone = if pod.owner.is_none() { pod.uid } else { 0 };
        by_owner.entry((pod.owner, alone)).or_default().push(id);
    }
    let mut groups: Vec<(i32, u64, PodGroup)> = Vec::new();
    for ids in by_owner.into_values() {
        let Some(first) = store.pod(ids[0]) else { continue };
        let info = PodInfo::hypothetical(&first.spec, &first.namespace, &first.labels);
        let group = PodGroup { needs: Needs::new(info), ids, oldest: first.created };
        groups.push((first.spec.priority, first.uid, group));
    }
    groups.sort_by_key(|(priority, uid, _)| (Reverse(*priority), *uid));
    groups.into_iter().map(|(_, _, group)| group).collect()
}

/// How old a pod has to be: what its annotation says, if that is longer.
fn delay_of(pod: &Pod, flags: &ClusterAutoscalerFlags) -> SimDuration {
    let own = pod.spec.drain_hints.as_ref().and_then(|hints| hints.scale_up_delay);
    flags.new_pod_scale_up_delay.max(own.unwrap_or(SimDuration::ZERO))
}

/// When the next pod that is too young for a scale-up will be old enough.
pub(super) fn next_old_enough(
    store: &Store,
    flags: &ClusterAutoscalerFlags,
    now: SimTime,
) -> SimTime {
    let due = store.unschedulable_pods().map(|(_, pod)| pod.created + delay_of(pod, flags));
    due.filter(|at| *at >= now).min().map_or(SimTime::NEVER, |at| SimTime(at.0 + 1))
}

/// How many pods of each group find no room on the nodes in `bins`.
pub(super) fn not_helped<'a>(
    simulator: &Simulator<'a>,
    bins: &mut [Bin<'a>],
    groups: &[PodGroup],
) -> Vec<usize> {
    let left = |group: &PodGroup| {
        let want = group.ids.len();
        want - simulator.place_first_fit(bins, &group.needs, want)
    };
    groups.iter().map(left).collect()
}
