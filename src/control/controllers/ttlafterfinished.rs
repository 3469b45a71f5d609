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
