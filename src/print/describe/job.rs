//! Jobs and CronJobs.

use super::containers::template;
use super::text::{Lines, long};
use crate::print::read::{items, number, selector, text};
use crate::print::{Snapshot, clock};
use serde_json::Value;

pub(super) fn job(snapshot: &Snapshot, job: &Value) -> String {
    let mut lines = Lines::default();
    lines.names(job);
    lines.field(0, "Selector", selector(job.pointer("/spec/selector")));
    lines.labels(job);
    lines.controller(job);
    spec(&mut lines, job);
    let [started, completed] =
        ["/status/startTime", "/status/completionTime"].map(|at| text(job, at));
    if !started.is_empty() {
        lines.field(0, "Start Time", long(started));
    }
    if !completed.is_empty() {
        lines.field(0, "Completed At", long(completed));
    }
    if let Some(took) = clock::between(started, completed) {
        lines.field(0, "Duration", took);
    }
    if job.pointer("/spec/activeDeadlineSeconds").is_some() {
        let seconds = number(job, "/spec/activeDeadlineSeconds");
        lines.field(0, "Active Deadline Seconds", format_args!("{seconds}s"));
    }
    let n = |field: &str| number(job, &format!("/status/{field}"));
    let (active, succeeded, failed) = (n("active"), n("succeeded"), n("failed"));
    let ready = match job.pointer("/status/ready") {
        Some(ready) => format!(" ({ready} Ready)"),
        None => String::new(),
    };
    let told = format!("{active} Active{ready} / {succeeded} Succeeded / {failed} Failed");
    lines.field(0, "Pods Statuses", told);
    if text(job, "/spec/completionMode") == "Indexed" {
        let indexes = text(job, "/status/completedIndexes");
        lines.field(0, "Completed Indexes", if indexes.is_empty() { "<none>" } else { indexes });
    }
    template(&mut lines, &job["spec"]["template"]);
    lines.events(snapshot, job);
    lines.finish()
}

/// What a Job says of how it is to be done.
fn spec(lines: &mut Lines, job: &Value) {
    for (title, field) in [
        ("Parallelism", "parallelism"),
        ("Completions", "completions"),
        ("Completion Mode", "completionMode"),
        ("Suspend", "suspend"),
        ("Backoff Limit", "backoffLimit"),
        ("TTL Seconds After Finished", "ttlSecondsAfterFinished"),
    ] {
        match job["spec"].get(field) {
            Some(Value::String(text)) => lines.field(0, title, text),
            Some(value) => lines.field(0, title, value),
            None if field == "completions" => lines.field(0, title, "<unset>"),
            None => {}
        }
    }
}

pub(super) fn cron_job(snapshot: &Snapshot, job: &Value) -> String {
    let mut lines = Lines::default();
    lines.names(job);
    lines.labels(job);
    let or_unset = |field: &str| match job["spec"].get(field) {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => "<unset>".to_owned(),
    };
    lines.field(0, "Schedule", text(job, "/spec/schedule"));
    lines.field(0, "Concurrency Policy", text(job, "/spec/concurrencyPolicy"));
    let suspended = job.pointer("/spec/suspend").is_some_and(|v| *v == true);
    lines.field(0, "Suspend", if suspended { "True" } else { "False" });
    for (title, field) in [
        ("Time Zone", "timeZone"),
        ("Successful Job History Limit", "successfulJobsHistoryLimit"),
        ("Failed Job History Limit", "failedJobsHistoryLimit"),
        ("Starting Deadline Seconds", "startingDeadlineSeconds"),
    ] {
        lines.field(0, title, or_unset(field));
    }
    if let Some(jobs) = job.pointer("/spec/jobTemplate/spec") {
        spec(&mut lines, &serde_json::json!({ "spec": jobs }));
        template(&mut lines, &jobs["template"]);
    }
    let last = text(job, "/status/lastScheduleTime");
    match last {
        "" => lines.field(0, "Last Schedule Time", "<unset>"),
        last => lines.field(0, "Last Schedule Time", long(last)),
    }
    let active: Vec<&str> =
        items(job, "/status/active").iter().map(|job| text(job, "/name")).collect();
    let told = if active.is_empty() { "<none>".to_owned() } else { active.join(", ") };
    lines.field(0, "Active Jobs", told);
    lines.events(snapshot, job);
    lines.finish()
}
