//! `RollingUpdate`: the new set grows and the old ones shrink inside surge and unavailability.
//!
//! Source: kubernetes `pkg/controller/deployment/rolling.go`, v1.37.

use super::scaling::Place;
use super::{Sync, max_unavailable};
use crate::api::workload::Strategy;

impl Sync<'_> {
    /// One step of the rollout: up if that is possible, else down, else the end is noticed.
    pub(super) fn roll(&mut self) {
        self.ensure_new_set();
        if !self.grow_new() && !self.shrink_old() && self.is_complete() {
            self.clean_up_history();
        }
        self.write_rollout_status();
    }

    /// What the new set may grow to (`NewRSNewReplicas`).
    pub(super) fn replicas_of_new(&self) -> u32 {
        let d = self.deployment;
        let now = self.new.as_ref().map_or(0, |new| new.replicas);
        let Strategy::RollingUpdate { max_surge, .. } = d.strategy else { return d.replicas };
        let most = d.replicas + max_surge.of(d.replicas, true);
        let total = self.total();
        if total >= most {
            return now;
        }
        now + (most - total).min(d.replicas.saturating_sub(now))
    }

    fn grow_new(&mut self) -> bool {
        let wanted = self.deployment.replicas;
        let now = self.new.as_ref().map_or(0, |new| new.replicas);
        if now == wanted {
            return false;
        }
        let replicas = if now > wanted { wanted } else { self.replicas_of_new() };
        self.resize(Place::New, replicas, false)
    }

    fn shrink_old(&mut self) -> bool {
        if self.old.iter().all(|set| set.replicas == 0) {
            return false;
        }
        let d = self.deployment;
        let least = i64::from(d.replicas - max_unavailable(d));
        // Pods of the new set that are not available yet must not cost old ones.
        let missing = self
            .new
            .as_ref()
            .map_or(0, |new| i64::from(new.replicas) - i64::from(new.status.available));
        let most = i64::from(self.total()) - least - missing;
        if most <= 0 {
            return false;
        }
        let unhealthy = self.remove_unhealthy(most);
        let healthy = self.remove_available(least);
        unhealthy || healthy
    }

    /// Old pods that are not available go first: they help nobody, and would block the rollout.
    fn remove_unhealthy(&mut self, most: i64) -> bool {
        let mut left = most;
        for index in 0..self.old.len() {
            let set = &self.old[index];
            let unhealthy = i64::from(set.replicas) - i64::from(set.status.available);
            let take = unhealthy.min(left);
            if take <= 0 || set.replicas == 0 {
                continue;
            }
            let replicas = i64::from(set.replicas) - take;
            self.resize(Place::Old(index), u32::try_from(replicas).unwrap_or(0), false);
            left -= take;
        }
        left < most
    }

    /// Available old pods beyond the least that must stay, oldest set first.
    fn remove_available(&mut self, least: i64) -> bool {
        let surplus = i64::from(self.available()) - least;
        let mut left = surplus;
        for index in 0..self.old.len() {
            let replicas = i64::from(self.old[index].replicas);
            let take = replicas.min(left);
            if take <= 0 {
                continue;
            }
            self.resize(Place::Old(index), u32::try_from(replicas - take).unwrap_or(0), false);
            left -= take;
        }
        left < surplus
    }
}
