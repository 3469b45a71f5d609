//! The job controller: pods until enough have succeeded.

use super::action::Outcome;
use crate::api::OwnerId;
use crate::store::Store;
use crate::units::SimTime;

/// Syncs one.
pub fn sync(id: OwnerId, store: &Store, _now: SimTime) -> Outcome {
    let Some(_) = store.job(id) else { return Outcome::idle() };
    Outcome::idle()
}
