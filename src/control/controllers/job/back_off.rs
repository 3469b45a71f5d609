//! How long a Job waits before it replaces failed pods.
//!
//! Source: kubernetes `pkg/controller/job/backoff_utils.go`, v1.37: 10 s after one failure,
//! doubling up to 10 min, counted from the whole second in which the last pod failed; a success
//! forgets failures that are no younger.

use crate::api::pod::Pod;
use crate::units::{SimDuration, SimTime, WallClock};

/// First delay (`DefaultJobPodFailureBackOff`).
const FIRST: SimDuration = SimDuration::from_secs(10);
/// Longest delay (`MaxJobPodFailureBackOff`).
const LONGEST: SimDuration = SimDuration::from_secs(600);

/// Failures since the last success.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct BackOff {
    failures: u32,
    last: Option<SimTime>,
}

impl BackOff {
    /// The record after pods have succeeded and failed, given the whole seconds in which they did.
    pub(super) fn after(self, succeeded: &[SimTime], failed: &[SimTime]) -> BackOff {
        let Some(success) = succeeded.iter().max() else {
            return match failed.iter().max() {
                None => self,
                last => {
                    BackOff { failures: self.failures + failed.len() as u32, last: last.copied() }
                }
            };
        };
        let later = failed.iter().filter(|at| *at > success);
        BackOff { failures: later.clone().count() as u32, last: later.max().copied() }
    }

    /// How long pods still have to wait.
    pub(super) fn remaining(self, now: SimTime) -> SimDuration {
        self.last.map_or(SimDuration::ZERO, |last| remaining(self.failures, last, now))
    }
}

/// How long the `failures`-th replacement still has to wait; the last failure was at `last`.
pub(super) fn remaining(failures: u32, last: SimTime, now: SimTime) -> SimDuration {
    if failures == 0 {
        return SimDuration::ZERO;
    }
    let doubled = (1u64).checked_shl(failures - 1).unwrap_or(u64::MAX);
    let delay = SimDuration(FIRST.0.saturating_mul(doubled)).min(LONGEST);
    delay.saturating_sub(now.since(last))
}

/// The whole second in which a pod finished: that of its containers' end, else that in which it
/// ceased to be Ready, else that of its deletion, else that of its creation (`getFinishedTime`).
pub(super) fn finished_at(pod: &Pod, clock: WallClock) -> SimTime {
    let ended = pod.more.as_ref().and_then(|more| more.finished.get());
    let has_status = pod.started != SimTime::NEVER;
    let unready = (has_status && !pod.ready).then(|| pod.ready_changed.max(pod.started));
    let at = ended.or(unready).or(pod.deletion.get()).unwrap_or(pod.created);
    clock.whole_second(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> SimTime {
        SimTime::from_secs(seconds)
    }

    #[test]
    fn delays_double_up_to_ten_minutes() {
        let rows = [
            ("no failure, no delay", 0, 0, 0),
            ("one failure: ten seconds", 1, 0, 10),
            ("of which four have passed", 1, 4, 6),
            ("and nothing is left at the end", 1, 10, 0),
            ("three failures: forty seconds", 3, 0, 40),
            ("six: 320", 6, 0, 320),
            ("seven and more: ten minutes", 7, 0, 600),
            ("whatever the number", 200, 0, 600),
        ];
        for (sentence, failures, passed, expected) in rows {
            let left = remaining(failures, at(100), at(100 + passed));
            assert_eq!(left, SimDuration::from_secs(expected), "{sentence}");
        }
    }

    #[test]
    fn a_success_forgets_earlier_failures() {
        type Row = (&'static str, &'static [u64], &'static [u64], u32, Option<u64>);
        let rows: [Row; 5] = [
            ("nothing new", &[], &[], 2, Some(50)),
            ("failures add up", &[], &[60, 70], 4, Some(70)),
            ("a success clears the record", &[60], &[], 0, None),
            ("a failure in the same second is no later one", &[60], &[60], 0, None),
            ("later failures count anew", &[60], &[55, 65, 61], 2, Some(65)),
        ];
        let seconds = |list: &[u64]| list.iter().copied().map(at).collect::<Vec<_>>();
        for (sentence, succeeded, failed, failures, last) in rows {
            let before = BackOff { failures: 2, last: Some(at(50)) };
            let after = before.after(&seconds(succeeded), &seconds(failed));
            assert_eq!(after, BackOff { failures, last: last.map(at) }, "{sentence}");
        }
    }
}
