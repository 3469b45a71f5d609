//! The counts of a set's status (`updateDaemonSetStatus`).

use super::super::action::Action;
use super::{Sync, age};
use crate::api::daemon_set::DaemonSetStatus;

impl Sync<'_> {
    /// Writes the status where it has changed; looks again while a pod is ready but not yet
    /// available.
    pub(super) fn write_status(&mut self) {
        let status = self.count();
        if status != self.set.status {
            self.outcome.then(Action::DaemonSetStatus { set: self.id, status });
        }
        if self.set.min_ready.0 > 0 && status.ready != status.available {
            self.look_again(self.now + self.set.min_ready);
        }
    }

    fn count(&self) -> DaemonSetStatus {
        let mut status = DaemonSetStatus {
            observed_generation: self.set.meta.generation,
            ..DaemonSetStatus::default()
        };
        for (spot, pods) in self.spots.iter().filter(|(spot, _)| spot.node.is_some()) {
            if !spot.runs {
                status.misscheduled += 1;
                continue;
            }
            status.desired += 1;
            let oldest = match pods {
                [] => continue,
                [(_, one)] => one,
                [(_, first), ..] => {
                    pods.iter().map(|(_, pod)| pod).min_by_key(|pod| age(pod)).unwrap_or(first)
                }
            };
            status.current += 1;
            status.ready += u32::from(oldest.ready);
            status.available += u32::from(self.is_available(oldest));
            status.updated += u32::from(self.is_updated(oldest));
        }
        status.unavailable = status.desired - status.available;
        status
    }
}
