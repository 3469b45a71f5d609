//! The tables of what controls pods.

use super::{Table, name};
use crate::print::clock;
use crate::print::read::{age, has_condition, items, number, pairs, selector, text, text_or_none};
use crate::units::SimTime;
use serde_json::Value;

pub(super) const DEPLOYMENT: Table = Table {
    columns: &[
        ("NAME", false),
        ("READY", false),
        ("UP-TO-DATE", false),
        ("AVAILABLE", false),
        ("AGE", false),
        ("CONTAINERS", true),
        ("IMAGES", true),
        ("SELECTOR", true),
    ],
    cells: |d, now| {
        let [containers, images] = containers(d, "/spec/template");
        vec![
            name(d),
            format!("{}/{}", number(d, "/status/readyReplicas"), number(d, "/spec/replicas")),
            number(d, "/status/updatedReplicas").to_string(),
            number(d, "/status/availableReplicas").to_string(),
            age(d, now),
            containers,
            images,
            selector(d.pointer("/spec/selector")),
        ]
    },
};

pub(super) const REPLICA_SET: Table = Table {
    columns: &[
        ("NAME", false),
        ("DESIRED", false),
        ("CURRENT", false),
        ("READY", false),
        ("AGE", false),
        ("CONTAINERS", true),
        ("IMAGES", true),
        ("SELECTOR", true),
    ],
    cells: |set, now| {
        let [containers, images] = containers(set, "/spec/template");
        vec![
            name(set),
            number(set, "/spec/replicas").to_string(),
            number(set, "/status/replicas").to_string(),
            number(set, "/status/readyReplicas").to_string(),
            age(set, now),
            containers,
            images,
            match set["kind"] == "ReplicationController" {
                true => pairs(set.pointer("/spec/selector")),
                false => selector(set.pointer("/spec/selector")),
            },
        ]
    },
};

pub(super) const STATEFUL_SET: Table = Table {
    columns: &[
        ("NAME", false),
        ("READY", false),
        ("AGE", false),
        ("CONTAINERS", true),
        ("IMAGES", true),
    ],
    cells: |set, now| {
        let [containers, images] = containers(set, "/spec/template");
        vec![
            name(set),
            format!("{}/{}", number(set, "/status/readyReplicas"), number(set, "/spec/replicas")),
            age(set, now),
            containers,
            images,
        ]
    },
};

pub(super) const DAEMON_SET: Table = Table {
    columns: &[
        ("NAME", false),
        ("DESIRED", false),
        ("CURRENT", false),
        ("READY", false),
        ("UP-TO-DATE", false),
        ("AVAILABLE", false),
        ("NODE SELECTOR", false),
        ("AGE", false),
        ("CONTAINERS", true),
        ("IMAGES", true),
        ("SELECTOR", true),
    ],
    cells: |set, now| {
        let [containers, images] = containers(set, "/spec/template");
        vec![
            name(set),
            number(set, "/status/desiredNumberScheduled").to_string(),
            number(set, "/status/currentNumberScheduled").to_string(),
            number(set, "/status/numberReady").to_string(),
            number(set, "/status/updatedNumberScheduled").to_string(),
            number(set, "/status/numberAvailable").to_string(),
            pairs(set.pointer("/spec/template/spec/nodeSelector")),
            age(set, now),
            containers,
            images,
            selector(set.pointer("/spec/selector")),
        ]
    },
};

pub(super) const JOB: Table = Table {
    columns: &[
        ("NAME", false),
        ("STATUS", false),
        ("COMPLETIONS", false),
        ("DURATION", false),
        ("AGE", false),
        ("CONTAINERS", true),
        ("IMAGES", true),
        ("SELECTOR", true),
    ],
    cells: |job, now| {
        let [containers, images] = containers(job, "/spec/template");
        vec![
            name(job),
            job_status(job).to_owned(),
            completions(job),
            job_duration(job, now),
            age(job, now),
            containers,
            images,
            selector(job.pointer("/spec/selector")),
        ]
    },
};

pub(super) const CRON_JOB: Table = Table {
    columns: &[
        ("NAME", false),
        ("SCHEDULE", false),
        ("TIMEZONE", false),
        ("SUSPEND", false),
        ("ACTIVE", false),
        ("LAST SCHEDULE", false),
        ("AGE", false),
        ("CONTAINERS", true),
        ("IMAGES", true),
        ("SELECTOR", true),
    ],
    cells: |job, now| {
        let [containers, images] = containers(job, "/spec/jobTemplate/spec/template");
        let last = job.pointer("/status/lastScheduleTime").and_then(Value::as_str);
        let suspended = job.pointer("/spec/suspend").is_some_and(|v| *v == true);
        vec![
            name(job),
            text(job, "/spec/schedule").to_owned(),
            text_or_none(job, "/spec/timeZone"),
            if suspended { "True" } else { "False" }.to_owned(),
            items(job, "/status/active").len().to_string(),
            last.map_or_else(|| "<none>".to_owned(), |last| clock::since(Some(last), now)),
            age(job, now),
            containers,
            images,
            selector(job.pointer("/spec/jobTemplate/spec/selector")),
        ]
    },
};

/// Names and images of a template's containers.
fn containers(object: &Value, template: &str) -> [String; 2] {
    let containers = items(object, &format!("{template}/spec/containers"));
    ["/name", "/image"].map(|field| {
        containers.iter().map(|container| text(container, field)).collect::<Vec<_>>().join(",")
    })
}

fn job_status(job: &Value) -> &'static str {
    let told = |kind: &str| has_condition(job, kind);
    if told("Complete") {
        "Complete"
    } else if told("Failed") {
        "Failed"
    } else if job.pointer("/metadata/deletionTimestamp").is_some() {
        "Terminating"
    } else if told("Suspended") {
        "Suspended"
    } else if told("FailureTarget") {
        "FailureTarget"
    } else if told("SuccessCriteriaMet") {
        "SuccessCriteriaMet"
    } else {
        "Running"
    }
}

fn completions(job: &Value) -> String {
    let succeeded = number(job, "/status/succeeded");
    let parallelism = number(job, "/spec/parallelism");
    match job.pointer("/spec/completions").and_then(Value::as_u64) {
        Some(wanted) => format!("{succeeded}/{wanted}"),
        None if parallelism > 1 => format!("{succeeded}/1 of {parallelism}"),
        None => format!("{succeeded}/1"),
    }
}

/// How long a Job has taken, or takes so far.
fn job_duration(job: &Value, now: SimTime) -> String {
    let started = text(job, "/status/startTime");
    match text(job, "/status/completionTime") {
        _ if started.is_empty() => String::new(),
        "" => clock::since(Some(started), now),
        completed => clock::between(started, completed).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn jobs_are_told_as_kubectl_tells_them() {
        let ended = |kind: &str| {
            json!({"conditions": [{"type": kind, "status": "True"}], "succeeded": 2,
            "startTime": "2026-01-01T00:00:00Z", "completionTime": "2026-01-01T00:00:42Z"})
        };
        let rows = [
            ("one that has just been made", json!({}), json!({}), "Running 0/1 "),
            (
                "one that runs",
                json!({"completions": 3}),
                json!({"succeeded": 1, "startTime": "2026-01-01T00:00:00Z"}),
                "Running 1/3 100s",
            ),
            (
                "a work queue",
                json!({"parallelism": 4}),
                json!({"succeeded": 1}),
                "Running 1/1 of 4 ",
            ),
            ("one that is done", json!({"completions": 2}), ended("Complete"), "Complete 2/2 42s"),
            ("one that has failed", json!({"completions": 3}), ended("Failed"), "Failed 2/3 42s"),
            (
                "one that is held",
                json!({"completions": 3}),
                ended("Suspended"),
                "Suspended 2/3 42s",
            ),
        ];
        for (sentence, spec, status, expected) in rows {
            let job = json!({"metadata": {"name": "j"}, "spec": spec, "status": status});
            let cells = (JOB.cells)(&job, SimTime::from_secs(100));
            assert_eq!(cells[1..4].join(" "), expected, "{sentence}");
        }
    }
}
