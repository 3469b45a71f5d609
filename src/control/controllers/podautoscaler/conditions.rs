//! `status.conditions` of an autoscaler, as a sync sets them.
//!
//! Source: kubernetes `pkg/controller/podautoscaler/horizontal.go` (`setConditionInList`), v1.37.

use crate::api::autoscaling::SCALED_TO_ZERO;
use crate::api::workload::{Condition, ConditionStatus};
use crate::units::SimTime;

/// The conditions of one object while it is synced.
#[derive(Clone, Debug)]
pub(super) struct Conditions {
    list: Vec<Condition>,
    now: SimTime,
}

impl Conditions {
    /// Those that the object has.
    pub(super) fn new(list: &[Condition], now: SimTime) -> Conditions {
        Conditions { list: list.to_vec(), now: SimTime::from_secs(now.whole_secs()) }
    }

    /// Sets one; when its status last changed is kept.
    pub(super) fn set(
        &mut self,
        kind: &'static str,
        is_true: bool,
        reason: &'static str,
        message: &str,
    ) {
        let status = if is_true { ConditionStatus::True } else { ConditionStatus::False };
        match self.list.iter_mut().find(|condition| condition.kind == kind) {
            Some(known) => {
                if known.status != status {
                    (known.status, known.transition) = (status, self.now);
                }
                known.reason = reason;
                if *known.message != *message {
                    known.message = message.into();
                }
            }
            None => self.list.push(Condition {
                kind,
                status,
                reason,
                message: message.into(),
                updated: SimTime::ZERO,
                transition: self.now,
            }),
        }
    }

    /// `getScaledToZeroConditionStatus`.
    pub(super) fn scaled_to_zero(&self) -> bool {
        let mut found = self.list.iter().filter(|condition| condition.kind == SCALED_TO_ZERO);
        found.any(|condition| condition.status == ConditionStatus::True)
    }

    /// Takes one away.
    pub(super) fn remove(&mut self, kind: &str) {
        self.list.retain(|condition| condition.kind != kind);
    }

    /// The conditions, if they are not those of `before` any more.
    pub(super) fn unless_same(self, before: &[Condition]) -> Option<Vec<Condition>> {
        (self.list != before).then_some(self.list)
    }
}
