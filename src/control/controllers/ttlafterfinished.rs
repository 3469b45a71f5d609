//! The ttl-after-finished controller: Jobs go some time after they have ended.
//!
//! Source: kubernetes `pkg/controller/ttlafterfinished/ttlafterfinished_controller.go`, v1.37.

use super::action::{Action, Outcome};
use crate::api::OwnerId;
use crate::api::job::Job;
use crate::api::meta::Propagation;
use crate::store::Store;
use crate::units::SimTime;

/// When a Job is to go; `None`: it has not ended, or stays.
pub fn expires(job: &Job) -> Option<SimTime> {
    let ended = job.status.finished().filter(|_| job.meta.deletion.is_none())?;
    Some(ended.transition + job.spec.ttl?)
}

/// Syncs one.
pub fn sync(id: OwnerId, store: &Store, now: SimTime) -> Outcome {
    let mut outcome = Outcome::idle();
    let Some(at) = store.job(id).and_then(expires) else { return outcome };
    if at > now {
        outcome.wake(at);
    } else {
        outcome.then(Action::DeleteOwner { owner: id, propagation: Propagation::Foreground });
    }
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::owner::Owner;
    use crate::api::workload::{Condition, ConditionStatus};
    use crate::control::controllers::job::testing::job;
    use crate::control::controllers::testing::{at, secs};

    #[test]
    fn jobs_go_some_time_after_they_have_ended() {
        let never = SimTime::NEVER;
        let rows = [
            ("one that runs stays", None, Some(10), 1200, never, false),
            ("one without a time stays", Some("Complete"), None, 1200, never, false),
            ("its time has not come", Some("Complete"), Some(10), 1105, at(1110), false),
            ("now it has", Some("Complete"), Some(10), 1110, never, true),
            ("a failed one goes too", Some("Failed"), Some(0), 1100, never, true),
        ];
        for (sentence, ended, ttl, now, wake, goes) in rows {
            let mut job = job("job", 1, Some(1));
            job.spec.ttl = ttl.map(secs);
            job.status.conditions.extend(ended.map(|kind| Condition {
                kind,
                status: ConditionStatus::True,
                reason: "",
                message: "".into(),
                updated: at(1100),
                transition: at(1100),
            }));
            let mut store = Store::default();
            let id = store.create_owner(Owner::Job(Box::new(job)));
            let outcome = sync(id, &store, at(now));
            assert_eq!(outcome.wake_at, wake, "{sentence}");
            let deleted = |action: &Action| {
                let way = Propagation::Foreground;
                matches!(action, Action::DeleteOwner { propagation, .. } if *propagation == way)
            };
            assert_eq!(outcome.batches.iter().flatten().any(deleted), goes, "{sentence}");
        }
    }
}
