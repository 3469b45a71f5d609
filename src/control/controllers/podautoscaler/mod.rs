//! The horizontal-pod-autoscaler controller.
//!
//! Source: kubernetes `pkg/controller/podautoscaler/horizontal.go`, v1.37: one sync of each object
//! per period, on its own phase, and at once after a change of its spec. What a sync proposes is in
//! [`replica_calculator`], what rates and windows allow in [`behavior`].

pub mod behavior;
pub mod replica_calculator;

use super::action::{About, Action, Outcome};
use crate::api::HpaId;
use crate::api::autoscaling::{Hpa, MetricSource, MetricTarget};
use crate::api::event::EventType::{Normal, Warning};
use crate::control::flags::ControllerManagerFlags;
use crate::store::Store;
use crate::units::SimTime;
use behavior::Memory;
use replica_calculator::{Calculator, NoMetrics, Proposal};
pub use replica_calculator::{PodMetrics, Sample};
use slotmap::SecondaryMap;

/// The controller's memory of every autoscaler.
#[derive(Debug, Default)]
pub struct PodAutoscaler {
    flags: ControllerManagerFlags,
    objects: SecondaryMap<HpaId, State>,
}

#[derive(Debug)]
struct State {
    memory: Memory,
    /// First sync: the object's phase on the period's grid.
    phase: SimTime,
    /// Generation stand-in: the last replicas it set, to tell its own writes from others'.
    last_sync: SimTime,
    /// It could not read its metrics at the last sync.
    no_metrics: bool,
}

/// What one sync came to, for tests and traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decision {
    /// `spec.replicas` that the sync saw.
    pub current: u32,
    /// What it wants.
    pub desired: u32,
}

impl PodAutoscaler {
    /// A controller with these flags.
    pub fn new(flags: &ControllerManagerFlags) -> PodAutoscaler {
        PodAutoscaler { flags: flags.clone(), objects: SecondaryMap::new() }
    }

    /// When an object that sleeps (its last sync asked for no wake-up) must be synced because
    /// something it reads changed at `now`: the next instant of its own grid.
    pub fn next_sync(&self, id: HpaId, now: SimTime) -> SimTime {
        let period = self.flags.horizontal_pod_autoscaler_sync_period;
        self.objects.get(id).map_or(now, |state| now.next_on_grid(state.phase, period))
    }

    /// Syncs one object; asks to be woken for its next period.
    pub fn sync(
        &mut self,
        id: HpaId,
        store: &Store,
        metrics: &dyn PodMetrics,
        now: SimTime,
    ) -> Outcome {
        let mut outcome = Outcome::idle();
        let Some(hpa) = store.hpa(id) else { return outcome };
        let Some(target) = store.deployment(hpa.target) else { return outcome };
        let state = self.objects.entry(id);
        let Some(state) = state.map(|entry| {
            entry.or_insert_with(|| State {
                memory: Memory::new(target.replicas, now),
                phase: now,
                last_sync: now,
                no_metrics: false,
            })
        }) else {
            return outcome;
        };
        let period = self.flags.horizontal_pod_autoscaler_sync_period;
        outcome.wake(SimTime(now.0 + 1).next_on_grid(state.phase, period));
        state.last_sync = now;
        let current = target.replicas;
        if current == 0 && hpa.min_replicas != 0 {
            return outcome;
        }
        let (desired, reason) = if current > hpa.max_replicas {
            (hpa.max_replicas, "Current number of replicas above Spec.MaxReplicas".to_string())
        } else if current < hpa.min_replicas {
            (hpa.min_replicas, "Current number of replicas below Spec.MinReplicas".to_string())
        } else {
            let calculator = Calculator { flags: &self.flags, store, metrics, now };
            match propose(hpa, current, &calculator) {
                Ok((wanted, reason)) => {
                    state.no_metrics = false;
                    let allowed = state.memory.normalize(hpa, current, wanted, now);
                    (
                        allowed,
                        if wanted == allowed || wanted != current { reason } else { String::new() },
                    )
                }
                Err(NoMetrics(message)) => {
                    if !std::mem::replace(&mut state.no_metrics, true) {
                        let about = About::Hpa(id);
                        let reason = "FailedGetResourceMetric";
                        outcome.then(Action::Event { kind: Warning, reason, about, message });
                    }
                    let status =
                        Action::HpaStatus { hpa: id, current, desired: hpa.desired_replicas };
                    outcome.then(status);
                    return outcome;
                }
            }
        };
        if desired != current {
            state.memory.scaled(hpa, current, desired, now);
            outcome.then(Action::ScaleDeployment { deployment: hpa.target, replicas: desired });
            let message = format!("New size: {desired}; reason: {reason}");
            let about = About::Hpa(id);
            outcome.then(Action::Event {
                kind: Normal,
                reason: "SuccessfulRescale",
                about,
                message,
            });
        }
        if (hpa.current_replicas, hpa.desired_replicas) != (current, desired) {
            outcome.then(Action::HpaStatus { hpa: id, current, desired });
        }
        outcome
    }
}

/// The largest proposal of all metrics, and the words for it.
fn propose(
    hpa: &Hpa,
    current: u32,
    calculator: &Calculator<'_>,
) -> Result<(u32, String), NoMetrics> {
    let mut best: Option<(u32, String)> = None;
    let mut failed = None;
    for metric in &hpa.metrics {
        match calculator.propose(hpa, current, metric) {
            Ok(Proposal { replicas }) => {
                if best.as_ref().is_none_or(|(most, _)| replicas > *most) {
                    best = Some((replicas, describe(metric.source, metric.target)));
                }
            }
            Err(error) => failed = Some(error),
        }
    }
    // A metric that can't be read forbids scaling down on the others.
    match (best, failed) {
        (Some((replicas, _)), Some(error)) if replicas < current => Err(error),
        (None, Some(error)) => Err(error),
        (None, None) => Ok((current, String::new())),
        (Some((replicas, metric)), _) => {
            let reason = if replicas > current {
                format!("{metric} above target")
            } else {
                "All metrics below target".to_string()
            };
            Ok((replicas, reason))
        }
    }
}

fn describe(source: MetricSource, target: MetricTarget) -> String {
    match (source, target) {
        (MetricSource::Cpu, MetricTarget::Utilization(_)) => {
            "cpu resource utilization (percentage of request)".to_string()
        }
        (MetricSource::Memory, MetricTarget::Utilization(_)) => {
            "memory resource utilization (percentage of request)".to_string()
        }
        (MetricSource::Cpu, MetricTarget::AverageValue(_)) => "cpu resource".to_string(),
        (MetricSource::Memory, MetricTarget::AverageValue(_)) => "memory resource".to_string(),
        (MetricSource::RequestsPerSecond, _) => "pods metric requests_per_second".to_string(),
    }
}
