//! When the provisioner looks: a while after pods begin to wait, so that it sees them together.
//!
//! Source: kubernetes-sigs/karpenter `pkg/controllers/provisioning/batcher.go`, August 2026.

use crate::api::PodId;
use crate::units::{SimDuration, SimTime};
use std::collections::BTreeSet;

/// An open window, or none.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    window: Option<Window>,
}

#[derive(Clone, Debug)]
struct Window {
    opened: SimTime,
    last: SimTime,
    /// Each pod opens or extends a window once.
    seen: BTreeSet<PodId>,
}

/// How long windows are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lengths {
    /// `--batch-idle-duration`: without another pod.
    pub idle: SimDuration,
    /// `--batch-max-duration`: at most.
    pub most: SimDuration,
}

impl Batch {
    /// A pod waits: opens a window, or extends the one that is open.
    pub(super) fn trigger(&mut self, pod: PodId, at: SimTime) {
        let window = self.window.get_or_insert_with(|| Window {
            opened: at,
            last: at,
            seen: BTreeSet::new(),
        });
        if window.seen.insert(pod) {
            window.last = window.last.max(at);
        }
    }

    /// When the window closes; never, if none is open.
    pub(super) fn closes(&self, lengths: Lengths) -> SimTime {
        self.window.as_ref().map_or(SimTime::NEVER, |window| {
            (window.last + lengths.idle).min(window.opened + lengths.most)
        })
    }

    /// Whether one that was open is over; then none is any more.
    pub(super) fn is_over(&mut self, lengths: Lengths, now: SimTime) -> bool {
        let over = self.closes(lengths) <= now;
        if over {
            self.window = None;
        }
        over
    }

    /// Closes it, whatever it was waiting for.
    pub(super) fn close(&mut self) {
        self.window = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slotmap::SlotMap;

    #[test]
    fn a_window_closes_when_no_pod_has_come_for_a_while_or_after_its_time() {
        let second = SimDuration::from_secs;
        let lengths = Lengths { idle: second(1), most: second(10) };
        let mut ids: SlotMap<PodId, ()> = SlotMap::with_key();
        let pods: Vec<PodId> = (0..40).map(|_| ids.insert(())).collect();
        type Row<'a> = (&'a str, &'a [(usize, u64)], u64);
        let closes = |triggers: &[(usize, u64)]| {
            let mut batch = Batch::default();
            for (pod, millis) in triggers {
                batch.trigger(pods[*pod], SimTime::ZERO + SimDuration::from_millis(*millis));
            }
            batch.closes(lengths).0 / 1_000_000
        };
        let steady: Vec<(usize, u64)> = (0..40).map(|i| (i, i as u64 * 400)).collect();
        let rows: [Row<'_>; 4] = [
            ("one pod is waited after for a second", &[(0, 500)], 1500),
            ("another one extends the window", &[(0, 500), (1, 1200)], 2200),
            ("the same one does not", &[(0, 500), (0, 1200)], 1500),
            ("a stream of them is cut after ten seconds", &steady, 10_000),
        ];
        for (sentence, triggers, expected) in rows {
            assert_eq!(closes(triggers), expected, "{sentence}");
        }
        let mut batch = Batch::default();
        assert!(!batch.is_over(lengths, SimTime::from_secs(100)), "without a pod there is none");
        batch.trigger(pods[0], SimTime::ZERO);
        assert!(!batch.is_over(lengths, SimTime(999_999_999)), "it is still open");
        assert!(batch.is_over(lengths, SimTime::from_secs(1)), "and is over");
        assert!(!batch.is_over(lengths, SimTime::from_secs(1)), "once");
    }
}
