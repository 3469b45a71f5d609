//! ScaledObjects (`keda.sh/v1alpha1`): autoscalers on sources of events, down to zero.
//!
//! What KEDA makes of one is a HorizontalPodAutoscaler and a loop that switches its target on and
//! off; here is what the loop reads. Source of the defaults: kedacore/keda `pkg/scaling/executor`
//! and `apis/keda/v1alpha1/scaledobject_types.go`.

use super::Text;
use super::autoscaling::MetricSource;
use crate::units::SimDuration;

/// A ScaledObject, as far as its autoscaler does not say it.
#[derive(Clone, PartialEq, Debug)]
pub struct ScaledObject {
    /// `metadata.name`.
    pub name: Text,
    /// `metadata.namespace`.
    pub namespace: Text,
    /// Name of its autoscaler, `keda-hpa-<name>` by default.
    pub hpa: Text,
    /// `spec.pollingInterval`, 30 s by default.
    pub polling_interval: SimDuration,
    /// `spec.cooldownPeriod`, 5 min by default.
    pub cooldown_period: SimDuration,
    /// `spec.initialCooldownPeriod`, none by default.
    pub initial_cooldown_period: SimDuration,
    /// `spec.minReplicaCount`, 0 by default.
    pub min_replica_count: u32,
    /// `spec.idleReplicaCount`.
    pub idle_replica_count: Option<u32>,
    /// `spec.triggers`.
    pub triggers: Vec<Trigger>,
}

/// One source of events.
#[derive(Clone, PartialEq, Debug)]
pub struct Trigger {
    /// Its place in the list.
    pub place: usize,
    /// What its autoscaler reads; CPU and memory are always active.
    pub source: MetricSource,
    /// It is active above this, in thousandths of the metric's unit.
    pub activation_milli: i64,
    /// The times of a `cron` trigger, which needs no other source.
    pub times: Option<Times>,
}

/// From when to when a `cron` trigger wants how many replicas.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Times {
    /// `timezone`, a name of the IANA.
    pub timezone: Text,
    /// `start`, a schedule.
    pub start: Text,
    /// `end`, a schedule.
    pub end: Text,
    /// `desiredReplicas`.
    pub desired_replicas: u32,
}
