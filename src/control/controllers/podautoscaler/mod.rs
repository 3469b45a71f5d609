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
pub mod recommendations;
pub mod replica_calculator;

use super::action::{About, Action, Outcome};
use crate::api::autoscaling::{Hpa, MetricSource, MetricSpec, MetricTarget};
use crate::api::event::EventType::{Normal, Warning};
use crate::api::kind::Kind;
use crate::api::{HpaId, PodId};
use crate::control::flags::ControllerManagerFlags;
use crate::store::Store;
use crate::units::SimTime;
use behavior::Memory;
use census::{Asked, Census};
pub use replica_calculator::{Alike, Calculator, NoMetrics, PodMetrics, Proposal, Sample};
use slotmap::SecondaryMap;
use std::cell::Cell;

/// The controller's memory of every autoscaler.
#[derive(Debug, Default)]
pub struct PodAutoscaler {
    flags: ControllerManagerFlags,
    objects: SecondaryMap<HpaId, State>,
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
}

/// The end of a sync that is under way says when the next ones are due.
#[derive(Clone, Copy, Debug)]
struct Pending {
    /// Whether the sync was the one of the delaying queue; else its entry there stands.
    regular: bool,
    /// No sync before this can come to anything else.
    from: SimTime,
}

/// What a sync comes to.
#[derive(Debug, Default)]
struct Decision {
    /// `None`: nothing can be said, the metrics can't be read.
    desired: Option<u32>,
    reason: String,
    /// Metrics that could not be read: reason and message of the Events.
    complaints: Vec<(&'static str, String)>,
    /// When the same inputs may lead to another decision.
    turns: Option<SimTime>,
    recommended: bool,
}

impl PodAutoscaler {
    /// A controller with these flags.
    pub fn new(flags: &ControllerManagerFlags) -> PodAutoscaler {
        PodAutoscaler { flags: flags.clone(), objects: SecondaryMap::new() }
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

    /// Tells that an object's specification has changed: its target may be another.
    pub fn spec_changed(&mut self, id: HpaId) {
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
        let Some(target) = store.scale_of(hpa.target) else {
            let resource = Kind::named(hpa.target_kind).map_or_else(String::new, Kind::resource);
            let message = format!("{resource} {:?} not found", &*hpa.target_name);
            let (reason, about) = ("FailedGetScale", About::Hpa(id));
            outcome.then(Action::Event { kind: Warning, reason, about, message });
            return outcome;
        };
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
            now,
            turns: Cell::new(SimTime::NEVER),
        };
        let decision = decide(hpa, current, &calculator, &mut state.memory, now);
        state.recommended = decision.recommended;
        let from = decision.needed_from(current, metrics.steady_from(hpa.target), now);
        state.pending = Some(Pending { regular, from });
        state.complain(id, &decision, &mut outcome);
        if let Some(desired) = decision.desired.filter(|desired| *desired != current) {
            state.memory.scaled(hpa, current, desired, now);
            outcome.then(Action::Scale { target: hpa.target, replicas: desired });
            let message = format!("New size: {desired}; reason: {}", decision.reason);
            let (reason, about) = ("SuccessfulRescale", About::Hpa(id));
            outcome.then(Action::Event { kind: Normal, reason, about, message });
        }
        let desired = decision.desired.unwrap_or(hpa.desired_replicas);
        if (hpa.current_replicas, hpa.desired_replicas) != (current, desired) {
            outcome.then(Action::HpaStatus { hpa: id, current, desired });
        }
        outcome
    }
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

impl Decision {
    /// Before this a sync can only repeat the last one: zero, if the very next may differ.
    fn needed_from(&self, current: u32, steady: Option<SimTime>, now: SimTime) -> SimTime {
        let rests = self.desired.is_none_or(|desired| desired == current);
        let steady = steady.is_some_and(|from| from <= now);
        self.turns.filter(|_| rests && steady).unwrap_or(SimTime::ZERO)
    }
}

/// What an autoscaler wants of its target, and why (`reconcileAutoscaler`).
fn decide(
    hpa: &Hpa,
    current: u32,
    calculator: &Calculator<'_>,
    memory: &mut Memory,
    now: SimTime,
) -> Decision {
    let without_metrics = |desired: u32, reason: &str| Decision {
        desired: Some(desired),
        reason: reason.to_string(),
        turns: Some(SimTime::NEVER),
        ..Decision::default()
    };
    if current == 0 {
        // Scaled to zero by hand: left alone. Only metrics of other objects could wake it.
        return without_metrics(0, "");
    }
    if current > hpa.max_replicas {
        let reason = "Current number of replicas above Spec.MaxReplicas";
        return without_metrics(hpa.max_replicas, reason);
    }
    if current < hpa.min_replicas {
        let reason = "Current number of replicas below Spec.MinReplicas";
        return without_metrics(hpa.min_replicas, reason);
    }
    let (proposal, complaints) = propose(hpa, current, calculator);
    let Some((wanted, metric)) = proposal else {
        let turns = Some(calculator.turns.get());
        return Decision { complaints, turns, ..Decision::default() };
    };
    // The reason speaks of the proposal: where only the window raises it, it stays empty.
    let reason = match wanted.cmp(&current) {
        std::cmp::Ordering::Greater => format!("{metric} above target"),
        std::cmp::Ordering::Less => "All metrics below target".to_string(),
        std::cmp::Ordering::Equal => String::new(),
    };
    let downscale = calculator.flags.horizontal_pod_autoscaler_downscale_stabilization;
    let desired = memory.normalize(hpa, current, wanted, downscale, now);
    let turns = calculator.turns.get().min(memory.turns(hpa, downscale, now));
    Decision { desired: Some(desired), reason, complaints, turns: Some(turns), recommended: true }
}

/// Why a proposal can't be made: reasons and messages of Events.
type Complaints = Vec<(&'static str, String)>;

/// The largest proposal of all metrics and the words for it, unless a metric that can't be read
/// forbids to believe the others (`computeReplicasForMetrics`).
fn propose(
    hpa: &Hpa,
    current: u32,
    calculator: &Calculator<'_>,
) -> (Option<(u32, String)>, Complaints) {
    let mut best: Option<(u32, String)> = None;
    let mut complaints = Vec::new();
    let mut first = None;
    for metric in &hpa.metrics {
        match calculator.propose(hpa, current, metric) {
            Ok(Proposal { replicas }) => {
                if best.as_ref().is_none_or(|(most, _)| *most == 0 || replicas > *most) {
                    best = Some((replicas, describe(metric.source, metric.target)));
                }
            }
            Err(NoMetrics(message)) => {
                first.get_or_insert_with(|| in_full(metric, &message));
                complaints.push((failure(metric.source), message));
            }
        }
    }
    let Some(first) = first else {
        return (Some(best.unwrap_or((current, String::new()))), complaints);
    };
    // With a metric missing, the others may raise but not lower.
    if best.as_ref().is_some_and(|(replicas, _)| *replicas >= current) {
        return (best, complaints);
    }
    let (failed, all) = (complaints.len(), hpa.metrics.len());
    let message =
        format!("invalid metrics ({failed} invalid out of {all}), first error is: {first}");
    complaints.push(("FailedComputeMetricsReplicas", message));
    (None, complaints)
}

fn failure(source: MetricSource) -> &'static str {
    match source {
        MetricSource::RequestsPerSecond => "FailedGetPodsMetric",
        _ => "FailedGetResourceMetric",
    }
}

fn in_full(metric: &MetricSpec, message: &str) -> String {
    match metric.source {
        MetricSource::Cpu => format!("failed to get cpu resource metric value: {message}"),
        MetricSource::Memory => format!("failed to get memory resource metric value: {message}"),
        MetricSource::RequestsPerSecond => format!("failed to get pods metric value: {message}"),
    }
}

fn describe(source: MetricSource, target: MetricTarget) -> String {
    let text = match (source, target) {
        (MetricSource::Cpu, MetricTarget::Utilization(_)) => {
            "cpu resource utilization (percentage of request)"
        }
        (MetricSource::Memory, MetricTarget::Utilization(_)) => {
            "memory resource utilization (percentage of request)"
        }
        (MetricSource::Cpu, MetricTarget::AverageValue(_)) => "cpu resource",
        (MetricSource::Memory, MetricTarget::AverageValue(_)) => "memory resource",
        (MetricSource::RequestsPerSecond, _) => "pods metric requests_per_second",
    };
    text.to_string()
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
