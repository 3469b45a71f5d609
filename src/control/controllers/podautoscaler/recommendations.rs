//! Past recommendations of one autoscaler, in runs of equal ones.
//!
//! Source: kubernetes `pkg/controller/podautoscaler/horizontal.go` (`stabilizeRecommendation`,
//! `stabilizeRecommendationWithBehaviors`), v1.37. Only the last instant of a run matters to a
//! window, so a steady autoscaler needs one entry, and syncs that were left out are one assignment.

use crate::units::{SimDuration, SimTime};

/// Recommendations with the time each was last made, oldest first.
///
/// A recommendation exactly as old as a window no longer counts. Upstream compares wall-clock
/// instants that drift by some milliseconds per sync, so there a recommendation is never exactly
/// as old; recordings show it dropped at the sync that many periods later.
#[derive(Clone, Debug, Default)]
pub struct Recommendations {
    runs: Vec<(SimTime, u32)>,
}

impl Recommendations {
    /// Notes what was recommended at `now`; forgets what is older than `keep`.
    pub fn add(&mut self, replicas: u32, now: SimTime, keep: SimDuration) {
        self.runs.retain(|(last, _)| *last + keep > now);
        match self.runs.last_mut() {
            Some((last, same)) if *same == replicas => *last = now,
            _ => self.runs.push((now, replicas)),
        }
    }

    /// Whether nothing has been recommended yet, or not for long.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The latest recommendation was repeated up to `at`.
    pub fn repeat_until(&mut self, at: SimTime) {
        if let Some((last, _)) = self.runs.last_mut() {
            *last = (*last).max(at);
        }
    }

    /// The largest of `replicas` and what was recommended inside the window.
    pub fn highest(&self, replicas: u32, window: SimDuration, now: SimTime) -> u32 {
        self.inside(window, now).fold(replicas, u32::max)
    }

    /// The smallest of `replicas` and what was recommended inside the window.
    pub fn lowest(&self, replicas: u32, window: SimDuration, now: SimTime) -> u32 {
        self.inside(window, now).fold(replicas, u32::min)
    }

    /// When the next recommendation other than the latest leaves the window.
    pub fn next_leaves(&self, window: SimDuration, now: SimTime) -> SimTime {
        let others = self.runs.split_last().map_or(&[][..], |(_, others)| others);
        let leaves = others.iter().map(|(last, _)| *last + window).filter(|at| *at > now);
        leaves.min().unwrap_or(SimTime::NEVER)
    }

    fn inside(&self, window: SimDuration, now: SimTime) -> impl Iterator<Item = u32> {
        self.runs.iter().filter(move |(last, _)| *last + window > now).map(|(_, n)| *n)
    }
}
