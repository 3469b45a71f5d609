//! The cronjob controller: Jobs at their times.
//!
//! Source: kubernetes `pkg/controller/cronjob/cronjob_controllerv2.go`, `utils.go`, v1.37, and
//! recordings.
//!
//! | file | what lives there |
//! |---|---|
//! | `schedule.rs` | schedules: what is written, and the next time |
//! | `field.rs` | one field of a schedule |
//! | `zone.rs` | time zones |
//! | `missed.rs` | the latest time at which a Job should have started |

mod field;
mod missed;
mod schedule;
#[cfg(test)]
mod tests;
mod zone;

use super::action::{About, Action, Outcome};
use crate::api::event::EventType::{self, Normal, Warning};
use crate::api::job::{ConcurrencyPolicy, CronJob, CronJobStatus, Job};
use crate::api::meta::{Meta, Propagation};
use crate::api::refusal::Refusal;
use crate::api::scaled_object::Times;
use crate::api::{CronJobId, OwnerId, Text};
use crate::store::Store;
use crate::units::{SimDuration, SimTime, WallClock};
use missed::{Missed, last_missed};
use schedule::Schedule;
use std::collections::BTreeMap;

/// How long after its time a Job is started, for clocks that differ (`nextScheduleDelta`).
const AFTER: i64 = 100_000_000;
/// Nanoseconds of a second.
const SECOND: i64 = 1_000_000_000;

/// What the controller keeps in memory.
#[derive(Debug, Default)]
pub struct CronJobs {
    /// Schedule and time zone of each CronJob that it has heard of.
    schedules: BTreeMap<CronJobId, (Text, Option<Text>)>,
    /// Active Jobs of a CronJob as its cache has them until its own status write comes back.
    behind: BTreeMap<CronJobId, Vec<Text>>,
}

impl CronJobs {
    /// When a CronJob that has changed is to be synced; `None`: at once. One with another schedule
    /// is not looked at before its next time (`updateCronJob`).
    pub fn look_at(
        &mut self,
        id: CronJobId,
        store: &Store,
        clock: WallClock,
        now: SimTime,
    ) -> Option<SimTime> {
        let job = store.cron_job(id)?;
        let written = (job.spec.schedule.clone(), job.spec.time_zone.clone());
        let before = self.schedules.insert(id, written.clone());
        if before.is_none_or(|before| before == written) {
            return None;
        }
        // One that can't be read is told of by the sync.
        let schedule = Schedule::parse(&written_schedule(job)).ok()?;
        Some(next_time(job, &schedule, clock, now))
    }

    /// A CronJob is gone.
    pub fn forget(&mut self, id: CronJobId) {
        self.schedules.remove(&id);
        self.behind.remove(&id);
    }

    /// Syncs one.
    pub fn sync(
        &mut self,
        id: CronJobId,
        store: &Store,
        clock: WallClock,
        now: SimTime,
    ) -> Outcome {
        let Some(job) = store.cron_job(id) else { return Outcome::idle() };
        let (status, outcome) = (job.status.clone(), Outcome::idle());
        let mut sync = Sync { id, job, store, clock, now, status, outcome, wake: None };
        if let Some(active) = self.behind.remove(&id) {
            sync.look_with_old_eyes(&active);
        }
        sync.delete_old_jobs();
        sync.look_at_jobs();
        let created = sync.start_what_is_due();
        if created.is_some() {
            self.behind.insert(id, job.status.active.clone());
        }
        sync.finish(created)
    }
}

/// One sync.
struct Sync<'a> {
    id: CronJobId,
    job: &'a CronJob,
    store: &'a Store,
    clock: WallClock,
    now: SimTime,
    status: CronJobStatus,
    outcome: Outcome,
    wake: Option<SimTime>,
}

impl<'a> Sync<'a> {
    /// Sends what has been found out, the status last.
    fn finish(mut self, created: Option<Job>) -> Outcome {
        if let Some(job) = created {
            self.outcome.then(Action::CreateJob { job: Box::new(job) });
        }
        if self.status != self.job.status {
            let status = Box::new(self.status);
            self.outcome.then(Action::CronJobStatus { cron_job: self.id, status });
        }
        if let Some(at) = self.wake {
            self.outcome.wake(at);
        }
        self.outcome
    }

    fn event(&mut self, kind: EventType, reason: &'static str, message: String) {
        let about = About::CronJob(self.id);
        self.outcome.then(Action::Event { kind, reason, about, message });
    }

    /// Its Jobs, in order of creation.
    fn jobs(&self) -> impl Iterator<Item = (OwnerId, &'a Job)> + use<'a> {
        let store = self.store;
        let jobs = store.jobs_of(self.id).iter();
        jobs.filter_map(move |id| Some((*id, store.job(*id)?)))
    }

    /// A Job that it has created shows before its own status does: what has just ended is active
    /// still, and is told of once more. That goes up to the new Job, which it does not know: for
    /// that it asks for its status anew, and the status that it then writes is refused as stale.
    fn look_with_old_eyes(&mut self, active: &[Text]) {
        for (_, job) in self.jobs() {
            match (active.contains(&job.meta.name), job.status.finished()) {
                (true, Some(_)) => self.tell_completed(job),
                (false, None) => return,
                _ => {}
            }
        }
    }

    fn tell_completed(&mut self, job: &Job) {
        let condition = job.status.finished().map_or("", |condition| condition.kind);
        let name = &job.meta.name;
        let message = format!("Saw completed job: {name}, condition: {condition}");
        self.event(Normal, "SawCompletedJob", message);
    }

    /// Deletes the oldest Jobs that have ended, beyond as many as may stay.
    fn delete_old_jobs(&mut self) {
        let spec = &self.job.spec;
        for (kind, limit) in [("Complete", spec.successful_limit), ("Failed", spec.failed_limit)] {
            let ended = |job: &Job| job.status.finished().is_some_and(|c| c.kind == kind);
            let mut jobs: Vec<_> = self.jobs().filter(|(_, job)| ended(job)).collect();
            let start = |job: &Job| job.status.start.unwrap_or(SimTime::NEVER);
            jobs.sort_by_key(|(_, job)| (start(job), job.meta.name.clone()));
            let surplus = jobs.len().saturating_sub(limit as usize);
            for (id, job) in jobs.into_iter().take(surplus) {
                self.delete(id, job);
            }
        }
    }

    fn delete(&mut self, owner: OwnerId, job: &Job) {
        let propagation = Propagation::Background;
        self.outcome.then(Action::DeleteOwner { owner, propagation });
        self.status.active.retain(|name| *name != job.meta.name);
        self.event(Normal, "SuccessfulDelete", format!("Deleted job {}", job.meta.name));
    }

    /// Sees which Jobs have ended, and which are no longer there.
    fn look_at_jobs(&mut self) {
        for (_, job) in self.jobs() {
            let name = &job.meta.name;
            let is_active = self.status.active.contains(name);
            let Some(finished) = job.status.finished() else {
                if !is_active {
                    let told = "Saw a job that the controller did not create or forgot";
                    self.event(Warning, "UnexpectedJob", format!("{told}: {name}"));
                }
                continue;
            };
            if is_active {
                self.status.active.retain(|active| active != name);
                self.tell_completed(job);
            }
            let completion = job.status.completion.filter(|_| finished.kind == "Complete");
            self.status.last_successful = self.status.last_successful.max(completion);
        }
        for name in self.status.active.clone() {
            if self.job_named(&name).is_none() {
                self.status.active.retain(|active| *active != name);
                self.event(Normal, "MissingJob", format!("Active job went missing: {name}"));
            }
        }
    }

    fn job_named(&self, name: &Text) -> Option<(OwnerId, &'a Job)> {
        let own = self.jobs().find(|(_, job)| job.meta.name == *name);
        own.or_else(|| {
            let is_it = |job: &&Job| {
                job.meta.namespace == self.job.meta.namespace && job.meta.name == *name
            };
            let mut all = self.store.owners();
            all.find_map(|(id, _)| Some((id, self.store.job(id).filter(is_it)?)))
        })
    }

    /// The Job to start now, if one is due.
    fn start_what_is_due(&mut self) -> Option<Job> {
        let spec = &self.job.spec;
        if self.job.meta.deletion.is_some() {
            return None;
        }
        if let Some(error) = spec.time_zone.as_ref().and_then(|name| zone::Zone::load(name).err()) {
            let name = spec.time_zone.as_deref().unwrap_or_default();
            self.event(Warning, "UnknownTimeZone", format!("invalid timeZone: {name:?}: {error}"));
            return None;
        }
        if spec.suspend {
            return None;
        }
        let schedule = self.schedule()?;
        let at = self.due(&schedule);
        self.wake = Some(next_time(self.job, &schedule, self.clock, self.now));
        let at = at?;
        let name: Text = format!("{}-{}", self.job.meta.name, at / 60).into();
        if self.status.active.contains(&name) || self.status.last_schedule == Some(at) {
            return None;
        }
        match spec.concurrency {
            ConcurrencyPolicy::Allow => {}
            ConcurrencyPolicy::Forbid if self.status.active.is_empty() => {}
            ConcurrencyPolicy::Forbid => {
                let told = "Not starting job because prior execution is running";
                let message = format!("{told} and concurrency policy is Forbid");
                self.event(Normal, "JobAlreadyActive", message);
                return None;
            }
            ConcurrencyPolicy::Replace => self.delete_active(),
        }
        self.start(name, at)
    }

    fn schedule(&mut self) -> Option<Schedule> {
        let written = &self.job.spec.schedule;
        if written.contains("TZ") {
            let told =
                format!("CRON_TZ or TZ used in schedule {written:?} is not officially supported");
            let see = "https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/";
            let message = format!("{told}, see {see} for more details");
            self.event(Warning, "UnsupportedSchedule", message);
        }
        match Schedule::parse(&written_schedule(self.job)) {
            Ok(schedule) => Some(schedule),
            Err(error) => {
                let message = format!("unparseable schedule: {written:?} : {error}");
                self.event(Warning, "UnparseableSchedule", message);
                None
            }
        }
    }

    /// The time, in seconds since 1970, at which a Job should have started and has not, unless it
    /// is too late for it.
    fn due(&mut self, schedule: &Schedule) -> Option<i64> {
        let now = self.clock.nanos(self.now);
        let deadline = self.job.spec.starting_deadline;
        let at = match last_missed(self.job, schedule, self.clock, now, deadline) {
            Missed::Never => {
                let written = &self.job.spec.schedule;
                let told = "time difference between two schedules is less than 1 second";
                let message = format!("invalid schedule: {written} : {told}");
                self.event(Warning, "InvalidSchedule", message);
                return None;
            }
            Missed::Nothing { .. } => return None,
            Missed::At { at, many } => {
                if many {
                    let told = "too many missed start times. Set or decrease \
                                .spec.startingDeadlineSeconds or check clock skew";
                    self.event(Warning, "TooManyMissedTimes", told.to_owned());
                }
                at
            }
        };
        let latest = deadline.map(|d| at * SECOND + d.0 as i64);
        if latest.is_some_and(|latest| latest < now) {
            let told = "Missed scheduled time to start a job";
            self.event(Warning, "MissSchedule", format!("{told}: {}", zone::rfc1123(at)));
            return None;
        }
        Some(at)
    }

    fn delete_active(&mut self) {
        for name in self.status.active.clone() {
            if let Some((id, job)) = self.job_named(&name) {
                self.delete(id, job);
            }
        }
    }

    /// Starts the Job of a time, unless it is there.
    fn start(&mut self, name: Text, at: i64) -> Option<Job> {
        let there = self.job_named(&name);
        if there.is_some_and(|(_, job)| job.owner != Some(self.id)) {
            return None;
        }
        self.status.active.push(name.clone());
        self.status.last_schedule = Some(at);
        if there.is_some() {
            return None;
        }
        let template = &*self.job.spec.job;
        let meta = Meta {
            name,
            namespace: self.job.meta.namespace.clone(),
            generation: 1,
            ..template.meta.clone()
        };
        Some(Job { meta, owner: Some(self.id), ..template.clone() })
    }
}

/// What is told when a CronJob's Job is there.
pub fn created(id: CronJobId, job: &str) -> Action {
    let (about, message) = (About::CronJob(id), format!("Created job {job}"));
    Action::Event { kind: Normal, reason: "SuccessfulCreate", about, message }
}

/// What is told when the API server refuses it.
pub fn refused(id: CronJobId, refusal: &Refusal) -> Action {
    let (about, message) = (About::CronJob(id), format!("Error creating job: {}", refusal.message));
    Action::Event { kind: Warning, reason: "FailedCreate", about, message }
}

/// Whether the schedule and the time zone of a CronJob can be read; else the path of the one that
/// can't, and why.
pub fn check(job: &CronJob) -> Result<(), (&'static str, String)> {
    if let Some(zone) = &job.spec.time_zone {
        zone::Zone::load(zone).map_err(|error| ("spec.timeZone", error))?;
    }
    Schedule::parse(&written_schedule(job)).map_err(|error| ("spec.schedule", error))?;
    Ok(())
}

/// Whether the schedules and the time zone of a `cron` trigger can be read; else the field that
/// can't, and why.
pub fn check_times(times: &Times) -> Result<(), (&'static str, String)> {
    zone::Zone::load(&times.timezone).map_err(|error| ("timezone", error))?;
    for (field, schedule) in [("start", &times.start), ("end", &times.end)] {
        if schedule.starts_with('@') {
            return Err((field, "expected five fields".to_owned()));
        }
        Schedule::parse(schedule).map_err(|error| (field, error))?;
    }
    Ok(())
}

/// Whether a schedule can be read; else why not.
///
/// # Errors
/// What is wrong with it.
pub fn check_schedule(text: &str) -> Result<(), String> {
    Schedule::parse(text).map(|_| ())
}

/// Whether a time that begins on a schedule (UTC) and lasts so long is on at `now`, and when that
/// turns next: it is as long as the schedule was hit within that length.
pub fn is_on(
    schedule: &str,
    lasts: SimDuration,
    clock: WallClock,
    now: SimTime,
) -> (bool, SimTime) {
    let Ok(schedule) = Schedule::parse(schedule) else { return (true, SimTime::NEVER) };
    let nanos = clock.nanos(now);
    let long = i64::try_from(lasts.0).unwrap_or(i64::MAX);
    let after = |from: i64| schedule.next(from).map(|seconds| seconds.saturating_mul(SECOND));
    let first = after(nanos.saturating_sub(long));
    let is_on = first.is_some_and(|hit| hit <= nanos);
    let ends = first.filter(|_| is_on).map(|hit| hit.saturating_add(long));
    let turns = [ends, after(nanos)].into_iter().flatten().filter(|at| *at > nanos).min();
    (is_on, turns.map_or(SimTime::NEVER, |at| clock.instant(at)))
}

/// When a `cron` trigger begins and ceases to want its replicas, until a run is over, and whether
/// it wants them from then on; the first is the start of the run. It does while the next end comes
/// before the next start.
pub fn turns(times: &Times, clock: WallClock, end: SimTime) -> Vec<(SimTime, bool)> {
    let all = |schedule: &str| {
        let mut found = Vec::new();
        let Ok(schedule) = Schedule::parse(&format!("TZ={} {schedule}", times.timezone)) else {
            return found;
        };
        let mut from = clock.nanos(SimTime::ZERO);
        while let Some(next) = schedule.next(from) {
            from = next * SECOND;
            found.push(clock.instant(from));
            if clock.instant(from) > end {
                break;
            }
        }
        found
    };
    let (starts, ends) = (all(&times.start), all(&times.end));
    let next = |all: &[SimTime], now: SimTime| {
        all.get(all.partition_point(|at| *at <= now)).copied().unwrap_or(SimTime::NEVER)
    };
    let mut instants = vec![SimTime::ZERO];
    instants.extend(starts.iter().chain(&ends).copied().filter(|at| *at <= end));
    instants.sort_unstable();
    instants.dedup();
    let is_wanted = |now: SimTime| next(&ends, now) <= next(&starts, now);
    let mut turns: Vec<_> = instants.into_iter().map(|now| (now, is_wanted(now))).collect();
    turns.dedup_by_key(|(_, wanted)| *wanted);
    turns
}

/// A schedule with its time zone in front, as the parser takes it (`formatSchedule`).
fn written_schedule(job: &CronJob) -> String {
    let written = &job.spec.schedule;
    match &job.spec.time_zone {
        Some(zone) if !written.contains("TZ") && zone::Zone::load(zone).is_ok() => {
            format!("TZ={zone} {written}")
        }
        _ => written.to_string(),
    }
}

/// When a CronJob is to be synced next, a little after the next time of its schedule
/// (`nextScheduleTimeDuration`).
fn next_time(job: &CronJob, schedule: &Schedule, clock: WallClock, now: SimTime) -> SimTime {
    let wall = clock.nanos(now);
    let from = match last_missed(job, schedule, clock, wall, None::<SimDuration>) {
        Missed::At { at, .. } => at * SECOND,
        Missed::Nothing { since, none: true } => since,
        Missed::Nothing { .. } | Missed::Never => wall,
    };
    match schedule.next(from) {
        Some(next) => clock.instant((next * SECOND).saturating_add(AFTER)).max(now),
        None => SimTime::NEVER,
    }
}
