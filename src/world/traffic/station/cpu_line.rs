//! CPU seconds that a pod has used, as a line over time. It knows only times and slopes.

use crate::units::SimTime;
use std::collections::VecDeque;

/// A running integral as a line with bends, newest last; enough of it is kept for the metrics
/// pipeline to look back.
#[derive(Clone, Debug, Default)]
pub(super) struct CpuLine {
    /// (time, value there, slope from there on).
    bends: VecDeque<(SimTime, f64, f64)>,
}

impl CpuLine {
    pub(super) fn bend(&mut self, now: SimTime, slope: f64) {
        let value = self.at(now);
        match self.bends.back_mut() {
            Some(last) if last.2 == slope => {}
            Some(last) if last.0 == now => last.2 = slope,
            _ => self.bends.push_back((now, value, slope)),
        }
    }

    pub(super) fn at(&self, t: SimTime) -> f64 {
        let bend = self.bends.iter().rev().find(|(at, _, _)| *at <= t).or(self.bends.front());
        bend.map_or(0.0, |(at, value, slope)| value + slope * t.since(*at).as_secs_f64())
    }

    pub(super) fn last_bend(&self) -> SimTime {
        self.bends.back().map_or(SimTime::ZERO, |bend| bend.0)
    }

    pub(super) fn forget_before(&mut self, t: SimTime) {
        while self.bends.get(1).is_some_and(|next| next.0 <= t) {
            self.bends.pop_front();
        }
    }
}
