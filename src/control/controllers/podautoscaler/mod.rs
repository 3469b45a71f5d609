//! The horizontal-pod-autoscaler controller.
//!
//! Source: kubernetes `pkg/controller/podautoscaler/horizontal.go` and `rate_limiters.go`, v1.37,
//! and recordings. Each object has an entry of its own in the delaying queue: when a sync ends, the
//! next one is put there for a period later. A change of its spec is synced at once beside that,
//! and leaves the entry where it is. What a metric proposes is in [`replica_calculator`], what
//! windows, rates and limits allow in [`behavior`].
//!
//! Lazily evaluated: an object whose next syncs could only repeat the last one asks for no wake-up
//! until something that it remembers expires; the world tells of anything that it reads
//! ([`PodAutoscaler::inputs_changed`]). Such syncs would write nothing and so take no time: they
//! are a grid from the end of the last one. A test holds that the decisions are those of syncing
//! every period.

pub mod behavior;
pub mod census;
mod conditions;
mod decision;
pub mod recommendations;
pub mod replica_calculator;
mod requests;
mod rivals;
mod wording;

use super::action::{About, Action, Outcome};
use crate::api::autoscaling::{ABLE_TO_SCALE, Hpa, SCALED_TO_ZERO};
use crate::api::event::EventType::{Normal, Warning};
use crate::api::kind::Kind;
use crate::api::workload::Condition;
use crate::api::{HpaId, PodId};
use crate::control::flags::ControllerManagerFlags;
use crate::store::{Scale, Store};
use crate::units::SimTime;
use behavior::Memory;
use census::{Asked, Census};
use conditions::Conditions;
use decision::{Decision, decide};
pub use replica_calculator::{Alike, Calculator, NoMetrics, PodMetrics, Proposal, Sample};
use rivals::Rivals;
use slotmap::SecondaryMap;
use std::cell::Cell;

/// The controller's memory of every autoscaler.
#[derive(Debug, Default)]
pub struct PodAutoscaler {
    flags: ControllerManagerFlags,
    objects: SecondaryMap<HpaId, State>,
    rivals: Rivals,
}

#[derive(Debug)]
struct State {
    memory: Memory,
    census: Census,
    /// When the first sync after the last regular one is due; each period later comes another, as
    /// long as none of them writes anything.
    next: SimTime,
    /// The sync that is needed next; the ones before it are left out.
    due: SimTime,
    /// When it was synced last.
    synced: SimTime,
    /// While a sync is under way: which one is needed after it.
    pending: Option<Pending>,
    /// Whether the last sync made a recommendation, which the ones left out would have repeated.
    recommended: bool,
    /// What was said of metrics that can't be read. Upstream says it at every sync, which the API
    /// merges into one Event with a count; here it is said when it changes.
    complaints: Vec<String>,
    /// `status.conditions` as the last sync left them, until they are taken.
    conditions: Option<Vec<Condition>>,
}

/// The end of a sync that is under way says when the next ones are due.
#[derive(Clone, Copy, Debug)]
struct Pending {
    /// Whether the sync was the one of the delaying queue; else its entry there stands.
    regular: bool,
    /// No sync before this can come to anything else.
    from: SimTime,
}

impl PodAutoscaler {
    /// A controller with these flags.
    pub fn new(flags: &ControllerManagerFlags) -> PodAutoscaler {
        PodAutoscaler { flags: flags.clone(), ..PodAutoscaler::default() }
    }

    /// Tells that something changed at `now` that an object reads: its target's pods or replicas,
    /// or their metrics. Returns when it must be synced: at its next regular sync; never, while a
    /// sync is under way, whose end will say it.
    pub fn inputs_changed(&mut self, id: HpaId, now: SimTime) -> SimTime {
        let period = self.flags.horizontal_pod_autoscaler_sync_period;
        let Some(state) = self.objects.get_mut(id) else { return now };
        if let Some(pending) = &mut state.pending {
            pending.from = SimTime::ZERO;
            return SimTime::NEVER;
        }
        let after_last = SimTime(state.synced.0 + 1).max(now);
        state.due = state.due.min(after_last.next_on_grid(state.next, period));
        state.due
    }

    /// Tells that the requests of an object's sync were answered. Returns when it must be synced
    /// again (`AddRateLimited`).
    pub fn ended(&mut self, id: HpaId, now: SimTime) -> SimTime {
        let period = self.flags.horizontal_pod_autoscaler_sync_period;
        let Some(state) = self.objects.get_mut(id) else { return SimTime::NEVER };
        let Some(pending) = state.pending.take() else { return state.due };
        if pending.regular {
            state.next = now + period;
        }
        let from = pending.from.max(SimTime(state.synced.0 + 1));
        state.due = match from {
            SimTime::NEVER => SimTime::NEVER,
            from => from.next_on_grid(state.next, period),
        };
        state.due
    }

    /// Tells that an object came, went, or its specification has changed: its target may be
    /// another.
    pub fn spec_changed(&mut self, id: HpaId) {
        self.rivals = Rivals::default();
        if let Some(state) = self.objects.get_mut(id) {
            state.census = Census::default();
        }
    }

    /// Tells that a pod whose labels an object's target selects came, changed or went.
    pub fn pod_changed(&mut self, id: HpaId, pod: PodId) {
        if let Some(state) = self.objects.get_mut(id) {
            state.census.pod_changed(pod);
        }
    }

    /// The conditions of an object, if the last sync has changed them.
    pub fn take_conditions(&mut self, id: HpaId) -> Option<Vec<Condition>> {
        self.objects.get_mut(id).and_then(|state| state.conditions.take())
    }

    /// Syncs one object; when its requests are answered, [`PodAutoscaler::ended`] is to be told.
    pub fn sync(
        &mut self,
        id: HpaId,
        store: &Store,
        metrics: &dyn PodMetrics,
        now: SimTime,
    ) -> Outcome {
        let mut outcome = Outcome::idle();
        let Some(hpa) = store.hpa(id) else {
            self.objects.remove(id);
            return outcome;
        };
        if !self.objects.contains_key(id) {
            self.objects.insert(id, State::new(now));
        }
        let Some(state) = self.objects.get_mut(id) else { return outcome };
        let period = self.flags.horizontal_pod_autoscaler_sync_period;
        state.repeat_left_out_syncs(now.min(state.due), period);
        let regular = state.due <= now;
        (state.synced, state.recommended) = (now, false);
        state.pending = Some(Pending { regular, from: SimTime::ZERO });
        let mut conditions = Conditions::new(&hpa.conditions, now);
        let Some(target) = store.scale_of(hpa.target) else {
            outcome.then(without_scale(id, hpa, &mut conditions));
            state.conditions = conditions.unless_same(&hpa.conditions);
            return outcome;
        };
        let message = "the HPA controller was able to get the target's current scale";
        conditions.set(ABLE_TO_SCALE, true, "SucceededGetScale", message);
        let current = target.replicas;
        state.memory.begin(current, now);
        let flags = &self.flags;
        state.census.take(&Asked {
            store,
            namespace: &hpa.namespace,
            selector: target.selector,
            target: hpa.target,
            initialization: flags.horizontal_pod_autoscaler_cpu_initialization_period,
            now,
        });
        let calculator = Calculator {
            flags,
            store,
            metrics,
            target: hpa.target,
            census: &state.census,
            namespace: &hpa.namespace,
            selector: target.selector,
            counted: target.counted,
            now,
            turns: Cell::new(SimTime::NEVER),
        };
        let rivals = self.rivals.of(id, store);
        let decision =
            decide(hpa, current, &calculator, rivals, &mut state.memory, &mut conditions);
        state.recommended = decision.recommended;
        let from = decision.needed_from(current, metrics.steady_from(hpa.target), now);
        state.pending = Some(Pending { regular, from });
        state.complain(id, &decision, &mut outcome);
        state.scale(id, hpa, &target, &decision, flags, &mut conditions, &mut outcome, now);
        let desired = decision.desired.unwrap_or(hpa.desired_replicas);
        if (hpa.current_replicas, hpa.desired_replicas) != (current, desired) {
            outcome.then(Action::HpaStatus { hpa: id, current, desired });
        }
        state.conditions = conditions.unless_same(&hpa.conditions);
        outcome
    }
}

/// The target is not there.
fn without_scale(id: HpaId, hpa: &Hpa, conditions: &mut Conditions) -> Action {
    let resource = Kind::named(hpa.target_kind).map_or_else(String::new, Kind::resource);
    let message = format!("{resource} {:?} not found", &*hpa.target_name);
    let told = "the HPA controller was unable to get the target's current scale";
    conditions.set(ABLE_TO_SCALE, false, "FailedGetScale", &format!("{told}: {message}"));
    Action::Event { kind: Warning, reason: "FailedGetScale", about: About::Hpa(id), message }
}

impl State {
    fn new(now: SimTime) -> State {
        State {
            memory: Memory::default(),
            census: Census::default(),
            next: now,
            due: now,
            synced: now,
            pending: None,
            recommended: false,
            complaints: Vec::new(),
            conditions: None,
        }
    }

    /// Scales the target if that is decided.
    #[expect(clippy::too_many_arguments, reason = "the second half of a sync")]
    fn scale(
        &mut self,
        id: HpaId,
        hpa: &Hpa,
        target: &Scale<'_>,
        decision: &Decision,
        flags: &ControllerManagerFlags,
        conditions: &mut Conditions,
        outcome: &mut Outcome,
        now: SimTime,
    ) {
        let current = target.replicas;
        let Some(desired) = decision.desired.filter(|desired| *desired != current) else { return };
        self.memory.scaled(hpa, current, desired, now);
        outcome.then(Action::Scale { target: hpa.target, replicas: desired });
        let message = format!("New size: {desired}; reason: {}", decision.reason);
        let (reason, about) = ("SuccessfulRescale", About::Hpa(id));
        outcome.then(Action::Event { kind: Normal, reason, about, message });
        let message =
            format!("the HPA controller was able to update the target scale to {desired}");
        conditions.set(ABLE_TO_SCALE, true, "SucceededRescale", &message);
        let to_zero = desired == 0 && hpa.min_replicas == 0 && hpa.reads_beyond_pods();
        if !flags.feature_gates.hpa_scale_to_zero {
            conditions.remove(SCALED_TO_ZERO);
        } else if current > 0 && to_zero {
            let message = "the HPA controller scaled the workload to zero";
            conditions.set(SCALED_TO_ZERO, true, "ScaledToZero", message);
        } else {
            let message = "the HPA controller did not scale the workload to zero";
            conditions.set(SCALED_TO_ZERO, false, "NotScaledToZero", message);
        }
    }

    /// The syncs that were left out before `end` would have recommended what the last one did. One
    /// that comes late stands for none after the instant at which it was due.
    fn repeat_left_out_syncs(&mut self, end: SimTime, period: crate::units::SimDuration) {
        let next = SimTime(self.synced.0 + 1).next_on_grid(self.next, period);
        if self.recommended && period.0 > 0 && next < end {
            let last = next.0 + (end.0 - 1 - next.0) / period.0 * period.0;
            self.memory.repeat_until(SimTime(last));
        }
    }

    fn complain(&mut self, id: HpaId, decision: &Decision, outcome: &mut Outcome) {
        let texts: Vec<String> = decision.complaints.iter().map(|(_, text)| text.clone()).collect();
        if texts != self.complaints {
            for (reason, message) in &decision.complaints {
                let (about, message) = (About::Hpa(id), message.clone());
                outcome.then(Action::Event { kind: Warning, reason, about, message });
            }
            self.complaints = texts;
        }
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
