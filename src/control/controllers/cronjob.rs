//! The cronjob controller: Jobs at their times.

use super::action::Outcome;
use crate::api::CronJobId;
use crate::store::Store;
use crate::units::SimTime;

/// Syncs one.
pub fn sync(id: CronJobId, store: &Store, _now: SimTime) -> Outcome {
    let Some(_) = store.cron_job(id) else { return Outcome::idle() };
    Outcome::idle()
}
