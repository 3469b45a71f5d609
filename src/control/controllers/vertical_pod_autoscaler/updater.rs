//! The updater's loop: each minute it evicts pods that request something else than is recommended,
//! so that they are made anew with that.
//!
//! Source: kubernetes/autoscaler `vertical-pod-autoscaler/pkg/updater/logic/updater.go` and
//! `restriction/pods_eviction_restriction.go`, `pods_restriction_factory.go`, 1.7.1. Not modelled:
//! changes in place, so `InPlaceOrRecreate` evicts.

use super::priority::{self, Priority};
use crate::api::container_status::Termination;
use crate::api::event::EventType::Normal;
use crate::api::owner::Owner;
use crate::api::pod::{Pod, PodPhase};
use crate::api::vertical_pod_autoscaler::Vpa;
use crate::api::{OwnerId, PodId, VpaId};
use crate::control::controllers::action::{About, Action, Outcome};
use crate::control::vpa_flags::VpaUpdaterFlags;
use crate::store::Store;
use crate::units::SimTime;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What kubelets say of containers.
pub trait LastEnds {
    /// How the containers of a pod last ended (`lastState.terminated`).
    fn last_end(&self, pod: PodId) -> Option<Termination>;
}

/// Pods of one owner, and how many of them may go.
#[derive(Clone, Debug)]
struct Group {
    /// `spec.replicas`.
    configured: u32,
    /// How many of them may be away.
    tolerance: u32,
    running: u32,
    evicted: u32,
}

impl Group {
    fn may_lose_one(&self) -> bool {
        let (all, gone) = (i64::from(self.configured), i64::from(self.evicted));
        let alive = i64::from(self.running) - gone;
        let is_whole = self.configured == self.running && self.tolerance == 0 && gone == 0;
        alive > all - i64::from(self.tolerance) || is_whole
    }
}

/// What is left to be done in a turn of the loop.
#[derive(Clone, Debug, Default)]
struct Plan {
    /// Pods in their order, each with its autoscaler and its group, and whether it is Pending.
    pods: VecDeque<(PodId, VpaId, OwnerId, bool)>,
    groups: BTreeMap<OwnerId, Group>,
}

/// A turn of the loop.
pub fn run(store: &Store, ends: &dyn LastEnds, flags: &VpaUpdaterFlags, now: SimTime) -> Outcome {
    let mut plan = Plan::default();
    let all: Vec<(VpaId, &Vpa)> = store.vpas().filter(|(_, vpa)| vpa.mode().evicts()).collect();
    for (id, vpa) in &all {
        let pods = controlled(store, vpa, &all);
        let groups = groups(store, vpa, &pods, flags);
        let mut found: Vec<(Priority, u64, PodId, OwnerId, bool)> = Vec::new();
        for (pod_id, pod) in pods {
            let Some(owner) = pod.owner else { continue };
            let Some(group) = groups.get(&owner) else { continue };
            let is_pending = pod.phase == PodPhase::Pending;
            if !is_pending && !group.may_lose_one() {
                continue;
            }
            let last = ends.last_end(pod_id);
            if let Some(priority) = priority::of(pod, vpa, last, flags, now) {
                found.push((priority, pod.uid, pod_id, owner, is_pending));
            }
        }
        found.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)));
        let pods = found.into_iter().map(|(_, _, pod, owner, pending)| (pod, *id, owner, pending));
        plan.pods.extend(pods);
        plan.groups.extend(groups);
    }
    let mut outcome = next(plan, store);
    outcome.wake(now + flags.updater_interval);
    outcome
}

/// Live pods that a VerticalPodAutoscaler decides of, oldest first.
fn controlled<'a>(store: &'a Store, vpa: &'a Vpa, all: &[(VpaId, &Vpa)]) -> Vec<(PodId, &'a Pod)> {
    let Some(target) = store.target_of_vpa(vpa) else { return Vec::new() };
    let Some(selector) = store.selector_of(target) else { return Vec::new() };
    let is_rival = |other: &Vpa| {
        other.is_stronger_than(vpa)
            && other.namespace == vpa.namespace
            && store.target_of_vpa(other) == Some(target)
    };
    if all.iter().any(|(_, other)| is_rival(other)) {
        return Vec::new();
    }
    let is_live =
        |pod: &Pod| pod.node.is_some() && !pod.phase.is_terminal() && pod.deletion.is_none();
    let pods = store.pods_matching(&vpa.namespace, selector);
    let mut found: Vec<(PodId, &Pod)> =
        pods.filter(|(_, pod)| is_live(pod) && store.is_pod_of(pod, target)).collect();
    found.sort_by_key(|(_, pod)| pod.uid);
    found
}

/// The pods' owners that have enough of them.
fn groups(
    store: &Store,
    vpa: &Vpa,
    pods: &[(PodId, &Pod)],
    flags: &VpaUpdaterFlags,
) -> BTreeMap<OwnerId, Group> {
    let mut counts: BTreeMap<OwnerId, (u32, u32)> = BTreeMap::new();
    for (_, pod) in pods {
        if let Some(owner) = pod.owner {
            let (all, pending) = counts.entry(owner).or_default();
            *all += 1;
            *pending += u32::from(pod.phase == PodPhase::Pending);
        }
    }
    let required = vpa.min_replicas.unwrap_or(flags.min_replicas);
    let group = |(owner, (all, pending)): (OwnerId, (u32, u32))| {
        let configured = match store.owner(owner)? {
            Owner::DaemonSet(set) => set.status.ready,
            other => other.replicas()?,
        };
        if all < required || configured == 0 {
            return None;
        }
        let tolerance = (f64::from(configured) * flags.eviction_tolerance) as u32;
        Some((owner, Group { configured, tolerance, running: all - pending, evicted: 0 }))
    };
    counts.into_iter().filter_map(group).collect()
}

/// Evicts the next pod that may go; whether another one may depends on whether it went.
fn next(mut plan: Plan, store: &Store) -> Outcome {
    let mut outcome = Outcome::idle();
    while let Some((pod, vpa, owner, is_pending)) = plan.pods.pop_front() {
        let may_go = is_pending || plan.groups.get(&owner).is_some_and(Group::may_lose_one);
        let Some(name) = store.pod(pod).filter(|_| may_go).map(Pod::name) else { continue };
        outcome.then(Action::EvictPod { pod, grace: None, reason: "EvictedByVPA" });
        outcome.rest = Some(Arc::new(move |store, refusal, _| {
            let mut plan = plan.clone();
            if refusal.is_some() {
                return next(plan, store);
            }
            if let Some(group) = plan.groups.get_mut(&owner).filter(|_| !is_pending) {
                group.evicted += 1;
            }
            let mut outcome = next(plan, store);
            let told = [
                (
                    "EvictedByVPA",
                    About::Pod(pod),
                    "Pod was evicted by VPA Updater to apply resource recommendation.".to_owned(),
                ),
                (
                    "EvictedPod",
                    About::Vpa(vpa),
                    format!("VPA Updater evicted Pod {name} to apply resource recommendation."),
                ),
            ];
            let event =
                |(reason, about, message)| Action::Event { kind: Normal, reason, about, message };
            outcome.batches.insert(0, told.map(event).into());
            outcome
        }));
        return outcome;
    }
    outcome
}
