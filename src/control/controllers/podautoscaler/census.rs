//! Which of a target's pods can only count in full, so that most pods need no look of their own.
//!
//! Once a pod runs, is ready and has outlived the CPU initialization period, its sample counts
//! whatever the time; only a change of the pod can alter that. Such pods are kept as sets, one per
//! specification, and so are those that wait for a node. The others are looked at one by one at
//! each sync, until they are such too.

use crate::api::PodId;
use crate::api::autoscaling::ScaleTarget;
use crate::api::labels::Selector;
use crate::api::pod::{Pod, PodPhase, PodSpec};
use crate::store::Store;
use crate::units::{SimDuration, SimTime};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The pods of one target. Complete only if its owner was told of every pod that came, changed or
/// went ([`super::PodAutoscaler::pod_changed`]).
#[derive(Clone, Debug, Default)]
pub struct Census {
    begun: bool,
    /// Pods that count in full, by what they are made from.
    pub(super) plain: Vec<(Arc<PodSpec>, BTreeSet<PodId>)>,
    /// Pods that have no node, likewise: they count as not ready, with nothing used.
    pub(super) waiting: Vec<(Arc<PodSpec>, BTreeSet<PodId>)>,
    /// All others.
    pub(super) odd: BTreeSet<PodId>,
}

/// What a census is taken of.
pub(super) struct Asked<'a> {
    pub store: &'a Store,
    pub namespace: &'a str,
    pub selector: &'a Selector,
    pub target: ScaleTarget,
    /// `--horizontal-pod-autoscaler-cpu-initialization-period`.
    pub initialization: SimDuration,
    pub now: SimTime,
}

impl Census {
    /// A pod came, changed or went: it has to be looked at.
    pub(super) fn pod_changed(&mut self, pod: PodId) {
        if !self.begun {
            return;
        }
        for (_, pods) in self.plain.iter_mut().chain(&mut self.waiting) {
            pods.remove(&pod);
        }
        self.odd.insert(pod);
    }

    /// Looks at the pods that are not known to count in full.
    pub(super) fn take(&mut self, asked: &Asked<'_>) {
        let store = asked.store;
        if !std::mem::replace(&mut self.begun, true) {
            let pods = store.pods_matching(asked.namespace, asked.selector);
            self.odd = pods.map(|(id, _)| id).collect();
        }
        let (plain, waiting) = (&mut self.plain, &mut self.waiting);
        self.odd.retain(|id| {
            let Some(pod) = store.pod(*id) else { return false };
            if *pod.namespace != *asked.namespace || !asked.selector.matches(&pod.labels) {
                return false;
            }
            let foreign = !store.is_pod_of(pod, asked.target);
            let sort = if foreign {
                return true;
            } else if counts_in_full(pod, asked.initialization, asked.now) {
                &mut *plain
            } else if waits_for_node(pod) {
                &mut *waiting
            } else {
                return true;
            };
            match sort.iter_mut().find(|(spec, _)| Arc::ptr_eq(spec, &pod.spec)) {
                Some((_, pods)) => _ = pods.insert(*id),
                None => sort.push((Arc::clone(&pod.spec), BTreeSet::from([*id]))),
            }
            false
        });
        self.plain.retain(|(_, pods)| !pods.is_empty());
        self.waiting.retain(|(_, pods)| !pods.is_empty());
    }

    /// Whether there is no pod at all.
    pub(super) fn is_empty(&self) -> bool {
        self.plain.is_empty() && self.waiting.is_empty() && self.odd.is_empty()
    }
}

/// Whether a pod has no node, so that nothing of it can run.
fn waits_for_node(pod: &Pod) -> bool {
    pod.phase == PodPhase::Pending && pod.node.is_none() && pod.deletion.is_none()
}

/// Whether a pod's sample counts from now on, whatever the time, unless the pod changes.
fn counts_in_full(pod: &Pod, initialization: SimDuration, now: SimTime) -> bool {
    let runs = pod.phase == PodPhase::Running && pod.deletion.is_none();
    let started = pod.started;
    runs && pod.ready
        && started != SimTime::NEVER
        && SimTime::from_secs(started.whole_secs()) + initialization <= now
}
