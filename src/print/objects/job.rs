//! Jobs and CronJobs.

use super::meta::{conditions, described, owned_by, selector, set, set_count};
use super::pod_spec::{seconds, template};
use crate::api::job::{CronJob, Job, JobSpec, JobStatus};
use crate::api::{CronJobId, OwnerId};
use crate::print::Snapshot;
use crate::print::chronicle::Key;
use crate::print::clock::{stamp, stamp_of_seconds};
use serde_json::{Value, json};
use slotmap::Key as _;

/// A Job.
pub(super) fn job(snapshot: &Snapshot, id: OwnerId, given: &Job) -> Value {
    let ordinal = id.data().as_ffi();
    let mut out = described(snapshot, Key::Owner(id), "Job", ordinal, &given.meta);
    let owner = given.owner.and_then(|id| Some((id, snapshot.store.cron_job(id)?)));
    if let Some((id, owner)) = owner {
        let reference = owned_by("CronJob", &owner.meta.name, id.data().as_ffi());
        out["metadata"]["ownerReferences"] = reference;
    }
    out["spec"] = spec(&given.spec);
    out["spec"]["selector"] = selector(&given.selector);
    out["spec"]["template"] = template(&given.template);
    out["status"] = status(&given.status);
    out
}

/// What a Job says of how it is to be done; its policies are left out.
fn spec(given: &JobSpec) -> Value {
    let replaces = if given.replaces_only_failed { "Failed" } else { "TerminatingOrFailed" };
    let mut out = json!({
        "backoffLimit": given.backoff_limit,
        "completionMode": if given.is_indexed { "Indexed" } else { "NonIndexed" },
        "manualSelector": given.has_manual_selector,
        "parallelism": given.parallelism,
        "podReplacementPolicy": replaces,
        "suspend": given.suspend,
    });
    set(&mut out, "completions", given.completions);
    set(&mut out, "backoffLimitPerIndex", given.backoff_limit_per_index);
    set(&mut out, "maxFailedIndexes", given.max_failed_indexes);
    set(&mut out, "activeDeadlineSeconds", given.active_deadline.map(seconds));
    set(&mut out, "ttlSecondsAfterFinished", given.ttl.map(seconds));
    if !given.managed_by.is_empty() {
        out["managedBy"] = Value::from(&*given.managed_by);
    }
    out
}

fn status(given: &JobStatus) -> Value {
    let mut out = json!({});
    if !given.conditions.is_empty() {
        out["conditions"] = conditions(&given.conditions);
        for condition in out["conditions"].as_array_mut().into_iter().flatten() {
            // Those of Jobs tell when they were probed, not when they were updated.
            let updated = condition["lastUpdateTime"].take();
            condition["lastProbeTime"] = updated;
            if let Some(fields) = condition.as_object_mut() {
                fields.remove("lastUpdateTime");
            }
        }
    }
    set(&mut out, "startTime", given.start.and_then(stamp));
    set(&mut out, "completionTime", given.completion.and_then(stamp));
    set(&mut out, "ready", given.ready);
    set(&mut out, "terminating", given.terminating);
    set_count(&mut out, "active", given.active);
    set_count(&mut out, "succeeded", given.succeeded);
    set_count(&mut out, "failed", given.failed);
    if !given.completed_indexes.is_empty() {
        out["completedIndexes"] = Value::from(&*given.completed_indexes);
    }
    set(&mut out, "failedIndexes", given.failed_indexes.as_ref().map(|text| text.to_string()));
    out
}

/// A CronJob.
pub(super) fn cron_job(snapshot: &Snapshot, id: CronJobId, given: &CronJob) -> Value {
    let ordinal = id.data().as_ffi();
    let mut out = described(snapshot, Key::CronJob(id), "CronJob", ordinal, &given.meta);
    let limits = &given.spec;
    let mut jobs = spec(&limits.job.spec);
    jobs["template"] = template(&limits.job.template);
    out["spec"] = json!({
        "concurrencyPolicy": format!("{:?}", limits.concurrency),
        "failedJobsHistoryLimit": limits.failed_limit,
        "jobTemplate": { "spec": jobs },
        "schedule": &*limits.schedule,
        "successfulJobsHistoryLimit": limits.successful_limit,
        "suspend": limits.suspend,
    });
    set(&mut out["spec"], "timeZone", limits.time_zone.as_ref().map(|zone| zone.to_string()));
    set(&mut out["spec"], "startingDeadlineSeconds", limits.starting_deadline.map(seconds));
    let mut status = json!({});
    let active = |name: &crate::api::Text| {
        json!({ "apiVersion": "batch/v1", "kind": "Job", "name": &**name,
                "namespace": &*given.meta.namespace })
    };
    if !given.status.active.is_empty() {
        status["active"] = given.status.active.iter().map(active).collect();
    }
    let last = given.status.last_schedule.and_then(stamp_of_seconds);
    set(&mut status, "lastScheduleTime", last);
    set(&mut status, "lastSuccessfulTime", given.status.last_successful.and_then(stamp));
    out["status"] = status;
    out
}
