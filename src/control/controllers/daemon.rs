//! The daemonset controller: a pod on each node that it is meant for.

use super::action::Outcome;
use crate::api::OwnerId;
use crate::store::Store;
use crate::units::SimTime;

/// Syncs one.
pub fn sync(id: OwnerId, store: &Store, _now: SimTime) -> Outcome {
    let Some(_) = store.daemon_set(id) else { return Outcome::idle() };
    Outcome::idle()
}
