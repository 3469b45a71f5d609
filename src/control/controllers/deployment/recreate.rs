//! `Recreate`: all old pods go before the first new one comes.
//!
//! Source: kubernetes `pkg/controller/deployment/recreate.go`, v1.37.

use super::Sync;
use super::scaling::Place;

impl Sync<'_> {
    /// One step of the rollout.
    pub(super) fn recreate(&mut self) {
        let mut scaled = false;
        for index in 0..self.old.len() {
            if self.old[index].replicas > 0 {
                scaled |= self.resize(Place::Old(index), 0, false);
            }
        }
        if !scaled && !self.old_pods_are_left() {
            self.ensure_new_set();
            self.resize(Place::New, self.deployment.replicas, false);
            if self.is_complete() {
                self.clean_up_history();
            }
        }
        self.write_rollout_status();
    }

    /// Whether an old set has a pod that has not ended, terminating ones included.
    fn old_pods_are_left(&self) -> bool {
        self.old.iter().any(|set| {
            let pods = set.id.map_or(&[][..], |id| self.store.pods_of(id));
            let lives = |pod| self.store.pod(pod).is_some_and(|p| !p.phase.is_terminal());
            set.status.replicas > 0 || pods.iter().any(|pod| lives(*pod))
        })
    }
}
