//! What an autoscaler wants of its target, and why.
//!
//! Source: kubernetes `pkg/controller/podautoscaler/horizontal.go` (`reconcileAutoscaler`,
//! `computeReplicasForMetrics`), v1.37, in the order of evaluation there.

use super::behavior::Memory;
use super::conditions::Conditions;
use super::replica_calculator::{Calculator, NoMetrics, Proposal};
use super::rivals::Rival;
use super::wording;
use crate::api::autoscaling::{
    ABLE_TO_SCALE, Hpa, SCALED_TO_ZERO, SCALING_ACTIVE, SCALING_LIMITED,
};
use crate::units::SimTime;
use std::cmp::Ordering;

/// What a sync comes to.
#[derive(Debug, Default)]
pub(super) struct Decision {
    /// `None`: nothing can be said, the metrics can't be read.
    pub desired: Option<u32>,
    pub reason: String,
    /// Metrics that could not be read: reason and message of the Events.
    pub complaints: Complaints,
    /// When the same inputs may lead to another decision.
    turns: Option<SimTime>,
    pub recommended: bool,
}

/// Why a proposal can't be made: reasons and messages of Events.
type Complaints = Vec<(&'static str, String)>;

impl Decision {
    /// One that no metric was asked for.
    fn without_metrics(desired: u32, reason: &str) -> Decision {
        Decision {
            desired: Some(desired),
            reason: reason.to_string(),
            turns: Some(SimTime::NEVER),
            ..Decision::default()
        }
    }

    /// Before this a sync can only repeat the last one: zero, if the very next may differ.
    pub fn needed_from(&self, current: u32, steady: Option<SimTime>, now: SimTime) -> SimTime {
        let rests = self.desired.is_none_or(|desired| desired == current);
        let steady = steady.is_some_and(|from| from <= now);
        self.turns.filter(|_| rests && steady).unwrap_or(SimTime::ZERO)
    }
}

/// What an autoscaler wants of its target, and why.
pub(super) fn decide(
    hpa: &Hpa,
    current: u32,
    calculator: &Calculator<'_>,
    rivals: &[Rival],
    memory: &mut Memory,
    conditions: &mut Conditions,
) -> Decision {
    let zero_is_ours =
        calculator.flags.feature_gates.hpa_scale_to_zero && conditions.scaled_to_zero();
    if current == 0 {
        if !zero_is_ours || hpa.min_replicas == 0 && !hpa.reads_beyond_pods() {
            // Somebody else scaled it to zero: left alone.
            let message = "scaling is disabled since the replica count of the target is zero";
            conditions.set(SCALING_ACTIVE, false, "ScalingDisabled", message);
            if !calculator.flags.feature_gates.hpa_scale_to_zero {
                conditions.remove(SCALED_TO_ZERO);
            }
            return Decision::without_metrics(0, "");
        }
    } else if current > hpa.max_replicas {
        let reason = "Current number of replicas above Spec.MaxReplicas";
        return Decision::without_metrics(hpa.max_replicas, reason);
    } else if current < hpa.min_replicas {
        let reason = "Current number of replicas below Spec.MinReplicas";
        return Decision::without_metrics(hpa.min_replicas, reason);
    }
    if let Some(message) = ambiguity(hpa, calculator, rivals) {
        conditions.set(SCALING_ACTIVE, false, "AmbiguousSelector", &message);
        let failed = ("FailedComputeMetricsReplicas", message.clone());
        let complaints = vec![("AmbiguousSelector", message), failed];
        return Decision { complaints, ..Decision::default() };
    }
    let (proposal, complaints) = propose(hpa, current, calculator, conditions);
    let Some((wanted, metric)) = proposal else {
        let turns = Some(calculator.turns.get());
        return Decision { complaints, turns, ..Decision::default() };
    };
    // The reason speaks of the proposal: where only the window raises it, it stays empty.
    let mut reason = match wanted.cmp(&current) {
        Ordering::Greater => format!("{metric} above target"),
        Ordering::Less => "All metrics below target".to_string(),
        Ordering::Equal => String::new(),
    };
    let downscale = calculator.flags.horizontal_pod_autoscaler_downscale_stabilization;
    let now = calculator.now;
    let allowed = memory.normalize(hpa, current, wanted, downscale, now);
    conditions.set(ABLE_TO_SCALE, true, allowed.able.0, allowed.able.1);
    conditions.set(SCALING_LIMITED, allowed.is_limited, allowed.limit.0, allowed.limit.1);
    let mut desired = allowed.replicas;
    if current == 0 && zero_is_ours && desired < hpa.min_replicas {
        desired = hpa.min_replicas;
        if reason.is_empty() {
            reason = "Current number of replicas below Spec.MinReplicas".to_string();
        }
    }
    let turns = calculator.turns.get().min(memory.turns(hpa, downscale, now));
    Decision { desired: Some(desired), reason, complaints, turns: Some(turns), recommended: true }
}

/// Why it is not clear whose the target's pods are (`validateAndParseSelector`).
fn ambiguity(hpa: &Hpa, calculator: &Calculator<'_>, rivals: &[Rival]) -> Option<String> {
    if rivals.is_empty() {
        return None;
    }
    let pods = calculator.store.pods_matching(calculator.namespace, calculator.selector);
    let labels: Vec<_> = pods.map(|(_, pod)| &pod.labels).collect();
    let selects = |rival: &&Rival| {
        let scale = calculator.store.scale_of(rival.target);
        scale.is_some_and(|scale| labels.iter().any(|labels| scale.selector.matches(labels)))
    };
    let other = rivals.iter().find(selects)?;
    // Two of them, in the order of a Go map: any.
    let mut names = [&hpa.name, &other.name];
    names.sort();
    let names = names.map(|name| format!("{}/{name}", calculator.namespace)).join(" ");
    let selector = calculator.selector;
    Some(format!(
        "pods by selector {selector} are controlled by more than one HPA (e.g. [{names}])"
    ))
}

/// The largest proposal of all metrics and the words for it, unless a metric that can't be read
/// forbids to believe the others.
fn propose(
    hpa: &Hpa,
    current: u32,
    calculator: &Calculator<'_>,
    conditions: &mut Conditions,
) -> (Option<(u32, String)>, Complaints) {
    let mut best: Option<(u32, usize)> = None;
    let mut complaints = Vec::new();
    let mut first = None;
    for (index, metric) in hpa.metrics.iter().enumerate() {
        match calculator.propose(hpa, current, metric) {
            Ok(Proposal { replicas }) => {
                if best.is_none_or(|(most, _)| most == 0 || replicas > most) {
                    best = Some((replicas, index));
                }
            }
            Err(NoMetrics(message)) => {
                first.get_or_insert_with(|| wording::in_full(metric, &message));
                complaints.push((wording::failure(&metric.source), message));
            }
        }
    }
    // With a metric missing, the others may raise but not lower.
    let believed = best.filter(|(replicas, _)| first.is_none() || *replicas >= current);
    if let Some((replicas, index)) = believed {
        let metric = wording::proposal(&hpa.metrics[index]);
        let told = "the HPA was able to successfully calculate a replica count from";
        conditions.set(SCALING_ACTIVE, true, "ValidMetricFound", &format!("{told} {metric}"));
        return (Some((replicas, metric)), complaints);
    }
    if let Some((reason, message)) = complaints.first() {
        let message = format!("the HPA was unable to compute the replica count: {message}");
        conditions.set(SCALING_ACTIVE, false, reason, &message);
    }
    let (failed, all) = (complaints.len(), hpa.metrics.len());
    let first = first.unwrap_or_default();
    let message =
        format!("invalid metrics ({failed} invalid out of {all}), first error is: {first}");
    complaints.push(("FailedComputeMetricsReplicas", message));
    (None, complaints)
}
