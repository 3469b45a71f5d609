//! What a queue with nothing piled up answers, worked out once for all queues that are alike.
//!
//! Of thousands of pods most can do the same and are asked the same. What their requests meet is
//! then one [`Steady`], which they share: found by the exact numbers that it follows from, so it is
//! bit for bit what each would have found alone. It knows no pods.

use super::{LatencyHistogram, PodModel};
use std::sync::Arc;

/// Answers that are remembered: pods of one station seldom come in more kinds at once.
const KINDS: usize = 16;

/// What requests to a steady queue meet.
#[derive(Debug, Default)]
pub(super) struct Steady {
    /// Latency, in slices of (share, seconds).
    pub(super) slices: Vec<(f64, f64)>,
    /// Its mean, seconds.
    pub(super) mean: f64,
    /// Share of the arrivals that is served in time.
    pub(super) served: f64,
    /// Mean time that an arrival spends in the pod, served or not, seconds.
    pub(super) stays: f64,
}

impl Steady {
    /// All that is known of sums: a mean.
    pub(super) fn of_mean(mean: f64) -> Steady {
        Steady { slices: vec![(1.0, mean)], mean, served: 1.0, stays: mean }
    }
}

/// What the queues of a station's pods share while they are looked at, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared {
    /// What the last kinds of queues answer: arrivals a second and the squared coefficient of
    /// variation of the times between them, and pods that can do this.
    known: Vec<((f64, f64), PodModel, Arc<Steady>)>,
    /// The place that is overwritten next.
    next: usize,
    /// Latencies of all of them, if they are taken down together.
    pub(super) together: Option<Together>,
}

impl Shared {
    /// What one pod that can do this answers to such arrivals.
    pub(super) fn steady(
        &mut self,
        (arrivals, pod): ((f64, f64), &PodModel),
        find: impl FnOnce() -> Steady,
    ) -> Arc<Steady> {
        let known = self.known.iter().find(|(of, model, _)| *of == arrivals && model == pod);
        if let Some((.., steady)) = known {
            return steady.clone();
        }
        let steady = Arc::new(find());
        let entry = (arrivals, *pod, steady.clone());
        match self.known.get_mut(self.next) {
            Some(place) => *place = entry,
            None => self.known.push(entry),
        }
        self.next = (self.next + 1) % KINDS;
        steady
    }
}

/// Latencies of all queues of a station. What those that are alike have answered is added up before
/// it is cut into slices: sums are the same but for the order in which they are made.
#[derive(Clone, Debug, Default)]
pub(super) struct Together {
    /// Answers that have not been cut yet, and requests that met them.
    uncut: Vec<(Arc<Steady>, f64)>,
    pub(super) latency: LatencyHistogram,
}

impl Together {
    /// So many requests met this.
    pub(super) fn add(&mut self, steady: &Arc<Steady>, served: f64) {
        let known = self.uncut.iter_mut().find(|(other, _)| Arc::ptr_eq(other, steady));
        if let Some((_, all)) = known {
            *all += served;
            return;
        }
        if self.uncut.len() == KINDS {
            self.cut();
        }
        self.uncut.push((steady.clone(), served));
    }

    fn cut(&mut self) {
        for (steady, served) in self.uncut.drain(..) {
            for (share, seconds) in &steady.slices {
                self.latency.add(*seconds, share * served);
            }
        }
    }

    /// Hands over what has been taken down since the last time.
    pub(super) fn hand_over(&mut self, into: &mut LatencyHistogram) {
        self.cut();
        into.merge(&self.latency);
        self.latency.clear();
    }
}
