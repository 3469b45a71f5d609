//! Whether a pod is changed in place, has to be waited for, or is evicted after all.
//!
//! Source: kubernetes/autoscaler
//! `vertical-pod-autoscaler/pkg/updater/restriction/pods_inplace_restriction.go`, 1.7: mode
//! `InPlaceOrRecreate`. It does not know who is asked for the change.

use crate::api::Text;
use crate::api::pod::{Pod, PodPhase};
use crate::api::resize::{PendingReason, Resize};
use crate::units::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// A change that is deferred for longer than this has failed (`DeferredResizeUpdateTimeout`).
const DEFERRED: SimDuration = SimDuration::from_secs(300);
/// One that is in progress for longer (`InProgressResizeUpdateTimeout`).
const IN_PROGRESS: SimDuration = SimDuration::from_secs(3600);

/// What is done with a pod (`InPlaceDecision`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Decision {
    /// It is changed in place.
    Resize,
    /// Nothing yet.
    Wait,
    /// It is evicted.
    Evict,
}

/// When the updater first saw pods that were being changed, by namespace and name
/// (`lastInPlaceAttemptTimeMap`). Like upstream's it is never cleared: a pod that was changed long
/// ago, or had the name of one that was, has no five minutes the next time that it is deferred.
#[derive(Clone, Debug, Default)]
pub struct Attempts(BTreeMap<(Text, Text), SimTime>);

impl Attempts {
    /// Since when a pod that is being changed has been known to be.
    fn since(&mut self, pod: &Pod, now: SimTime) -> SimTime {
        *self.0.entry((pod.namespace.clone(), pod.name())).or_insert(now)
    }
}

/// What is done with a pod; `may_lose_one`: another pod of its set may be away
/// (`CanInPlaceUpdate`, `CanEvictInPlacingPod`).
pub(super) fn decide(
    pod: &Pod,
    may_lose_one: bool,
    attempts: &mut Attempts,
    now: SimTime,
) -> Decision {
    if pod.phase == PodPhase::Pending {
        return Decision::Wait;
    }
    let Some(resize) = pod.resize().filter(|resize| resize.is_told()) else {
        return if may_lose_one { Decision::Resize } else { Decision::Wait };
    };
    let since = attempts.since(pod, now);
    match may_lose_one && has_failed(resize, now.since(since)) {
        true => Decision::Evict,
        false => Decision::Wait,
    }
}

/// Whether a change that has been under way for so long will not come.
fn has_failed(resize: &Resize, lasts: SimDuration) -> bool {
    match (&resize.pending, &resize.in_progress) {
        (Some(pending), _) => match pending.reason {
            PendingReason::Deferred => lasts > DEFERRED,
            PendingReason::Infeasible => true,
        },
        (None, Some(progress)) => !progress.error.is_empty() || lasts > IN_PROGRESS,
        (None, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{container, pod};
    use super::*;
    use crate::api::resize::{InProgress, Pending};

    #[test]
    fn what_does_not_come_in_place_comes_with_an_eviction() {
        use Decision::{Evict, Resize as Change, Wait};
        use PendingReason::{Deferred, Infeasible};
        // What is pending; whether it is in progress, and with which error; seconds after it was
        // first seen; whether the set may lose a pod.
        let rows = [
            ("a pod that is as it was is changed", None, None, 0, true, Change),
            ("if its set may lose one", None, None, 0, false, Wait),
            ("what is deferred is waited for", Some(Deferred), None, 300, true, Wait),
            ("for five minutes", Some(Deferred), None, 301, true, Evict),
            ("and while the set may lose none", Some(Deferred), None, 301, false, Wait),
            ("what never comes is not waited for", Some(Infeasible), None, 0, true, Evict),
            ("what is in progress has an hour", None, Some(""), 3600, true, Wait),
            ("and no more", None, Some(""), 3601, true, Evict),
            ("an error ends it", None, Some("full"), 0, true, Evict),
            ("what is pending counts first", Some(Deferred), Some("full"), 0, true, Wait),
        ];
        for (sentence, reason, error, after, may_lose_one, expected) in rows {
            let since = SimTime::from_secs(1000);
            let message = Text::from("");
            let mut pod = pod(vec![container("a", 100, 0)]);
            pod.phase = PodPhase::Running;
            pod.more_mut().resize = Some(Box::new(Resize {
                pending: reason.map(|reason| Pending { reason, message, since, of: 1 }),
                in_progress: error.map(|error| InProgress { since, error: error.into() }),
                ..Resize::default()
            }));
            let mut attempts = Attempts::default();
            decide(&pod, may_lose_one, &mut attempts, since);
            let now = since + SimDuration::from_secs(after);
            let found = decide(&pod, may_lose_one, &mut attempts, now);
            assert_eq!(found, expected, "{sentence}");
        }
    }
}
