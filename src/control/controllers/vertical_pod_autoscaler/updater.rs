//! The updater's loop: each minute it changes pods in place that request something else than is
//! recommended, or evicts them, so that they are made anew with that.
//!
//! Source: kubernetes/autoscaler `vertical-pod-autoscaler/pkg/updater/logic/updater.go` and
//! `restriction/pods_eviction_restriction.go`, `pods_inplace_restriction.go`,
//! `pods_restriction_factory.go`, 1.7.1.

use super::in_place::{self, Attempts, Decision};
use super::patch::patched;
use super::priority::{self, Priority};
use crate::api::container_status::Termination;
use crate::api::event::EventType::Normal;
use crate::api::owner::Owner;
use crate::api::pod::{Pod, PodPhase, PodSpec};
use crate::api::vertical_pod_autoscaler::{UpdateMode, Vpa};
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
    /// Those that have been evicted, or changed in place, in this turn.
    gone: u32,
}

impl Group {
    fn may_lose_one(&self) -> bool {
        let (all, gone) = (i64::from(self.configured), i64::from(self.gone));
        let alive = i64::from(self.running) - gone;
        let is_whole = self.configured == self.running && self.tolerance == 0 && gone == 0;
        alive > all - i64::from(self.tolerance) || is_whole
    }
}

/// What is to be done with a pod.
#[derive(Clone, Debug)]
struct Turn {
    pod: PodId,
    vpa: VpaId,
    owner: OwnerId,
    is_pending: bool,
    /// What it shall be in place; `None`: it is evicted.
    spec: Option<Arc<PodSpec>>,
}

/// What is left to be done in a turn of the loop.
#[derive(Clone, Debug, Default)]
struct Plan {
    /// Pods in their order, autoscaler by autoscaler: those that are changed in place, then those
    /// that are evicted.
    pods: VecDeque<Turn>,
    groups: BTreeMap<OwnerId, Group>,
}

impl Plan {
    /// A pod that could not be changed in place is evicted, after all others of its autoscaler.
    fn put_off(&mut self, turn: Turn) {
        let after = self.pods.iter().rposition(|other| other.vpa == turn.vpa);
        let at = after.map_or(0, |at| at + 1);
        self.pods.insert(at, Turn { spec: None, ..turn });
    }
}

/// A turn of the loop.
pub fn run(
    store: &Store,
    ends: &dyn LastEnds,
    flags: &VpaUpdaterFlags,
    attempts: &mut Attempts,
    now: SimTime,
) -> Outcome {
    let mut plan = Plan::default();
    let all: Vec<(VpaId, &Vpa)> = store.vpas().filter(|(_, vpa)| vpa.mode().updates()).collect();
    for (id, vpa) in &all {
        let pods = controlled(store, vpa, &all);
        let groups = groups(store, vpa, &pods, flags);
        let mut found: Vec<(Priority, u64, Turn, Decision)> = Vec::new();
        for (pod_id, pod) in pods {
            let Some(owner) = pod.owner else { continue };
            let Some(group) = groups.get(&owner) else { continue };
            let is_pending = pod.phase == PodPhase::Pending;
            let may_lose_one = group.may_lose_one();
            let decision = match vpa.mode() {
                UpdateMode::InPlaceOrRecreate => in_place::decide(pod, may_lose_one, attempts, now),
                _ if is_pending || may_lose_one => Decision::Evict,
                _ => Decision::Wait,
            };
            if decision == Decision::Wait {
                continue;
            }
            let last = ends.last_end(pod_id);
            if let Some(priority) = priority::of(pod, vpa, last, flags, now) {
                let turn = Turn { pod: pod_id, vpa: *id, owner, is_pending, spec: None };
                found.push((priority, pod.uid, turn, decision));
            }
        }
        found.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)));
        let is_in_place = |turn: &(Priority, u64, Turn, Decision)| turn.3 == Decision::Resize;
        let (in_place, evicted): (Vec<_>, Vec<_>) = found.into_iter().partition(is_in_place);
        let turns = |found: Vec<(Priority, u64, Turn, Decision)>| found.into_iter().map(|of| of.2);
        plan.pods.extend(specified(store, vpa, turns(in_place)));
        plan.pods.extend(turns(evicted));
        plan.groups.extend(groups);
    }
    let mut outcome = next(plan, store);
    outcome.wake(now + flags.updater_interval);
    outcome
}

/// Pods that are changed in place, each with what it shall be; those that are alike share it.
fn specified(store: &Store, vpa: &Vpa, turns: impl Iterator<Item = Turn>) -> Vec<Turn> {
    let mut known: Vec<(Arc<PodSpec>, Option<Arc<PodSpec>>)> = Vec::new();
    let with_spec = |turn: Turn| {
        let before = &store.pod(turn.pod)?.spec;
        let found = known.iter().find(|(known, _)| Arc::ptr_eq(known, before));
        let spec = match found {
            Some((_, spec)) => spec.clone(),
            None => {
                let spec = patched(before, vpa).map(Arc::new);
                known.push((Arc::clone(before), spec.clone()));
                spec
            }
        };
        Some(Turn { spec: Some(spec?), ..turn })
    };
    turns.filter_map(with_spec).collect()
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
        Some((owner, Group { configured, tolerance, running: all - pending, gone: 0 }))
    };
    counts.into_iter().filter_map(group).collect()
}

/// Changes or evicts the next pod that may go; whether another one may depends on whether it went.
fn next(mut plan: Plan, store: &Store) -> Outcome {
    let mut outcome = Outcome::idle();
    while let Some(turn) = plan.pods.pop_front() {
        let may_lose_one = plan.groups.get(&turn.owner).is_some_and(Group::may_lose_one);
        let may_go = (turn.is_pending && turn.spec.is_none()) || may_lose_one;
        let Some(name) = store.pod(turn.pod).filter(|_| may_go).map(Pod::name) else { continue };
        let pod = turn.pod;
        outcome.then(match &turn.spec {
            Some(spec) => Action::ResizePod { pod, spec: Arc::clone(spec) },
            None => Action::EvictPod { pod, grace: None, reason: "EvictedByVPA" },
        });
        outcome.rest = Some(Arc::new(move |store, refusal, _| {
            let mut plan = plan.clone();
            if refusal.is_some() {
                if turn.spec.is_some() {
                    plan.put_off(turn.clone());
                }
                return next(plan, store);
            }
            if let Some(group) = plan.groups.get_mut(&turn.owner).filter(|_| !turn.is_pending) {
                group.gone += 1;
            }
            let mut outcome = next(plan, store);
            outcome.batches.insert(0, told(&turn, &name));
            outcome
        }));
        return outcome;
    }
    outcome
}

/// The Events of what was done with a pod of this name.
fn told(turn: &Turn, name: &str) -> Vec<Action> {
    let event = |reason, about, message| Action::Event { kind: Normal, reason, about, message };
    let pod = About::Pod(turn.pod);
    if turn.spec.is_some() {
        let message = "Pod was resized in place by VPA Updater.".to_owned();
        return vec![event("InPlaceResizedByVPA", pod, message)];
    }
    vec![
        event(
            "EvictedByVPA",
            pod,
            "Pod was evicted by VPA Updater to apply resource recommendation.".to_owned(),
        ),
        event(
            "EvictedPod",
            About::Vpa(turn.vpa),
            format!("VPA Updater evicted Pod {name} to apply resource recommendation."),
        ),
    ]
}
