//! The table of pods: what STATUS, READY and RESTARTS say (`printPod`).

use super::{Table, name};
use crate::print::clock;
use crate::print::read::{age, has_condition, items, number, text, text_or_none};
use crate::units::SimTime;
use serde_json::Value;

pub(super) const TABLE: Table = Table {
    columns: &[
        ("NAME", false),
        ("READY", false),
        ("STATUS", false),
        ("RESTARTS", false),
        ("AGE", false),
        ("IP", true),
        ("NODE", true),
        ("NOMINATED NODE", true),
        ("READINESS GATES", true),
    ],
    cells,
};

fn cells(pod: &Value, now: SimTime) -> Vec<String> {
    let seen = Seen::of(pod);
    let restarts = match seen.last_restart {
        Some(last) if seen.restarts != 0 => {
            format!("{} ({} ago)", seen.restarts, clock::since(Some(last), now))
        }
        _ => seen.restarts.to_string(),
    };
    vec![
        name(pod),
        format!("{}/{}", seen.ready, seen.containers),
        seen.status,
        restarts,
        age(pod, now),
        text_or_none(pod, "/status/podIP"),
        text_or_none(pod, "/spec/nodeName"),
        text_or_none(pod, "/status/nominatedNodeName"),
        "<none>".to_owned(),
    ]
}

/// What the table says of a pod's containers together.
struct Seen<'a> {
    status: String,
    ready: usize,
    containers: usize,
    restarts: u64,
    last_restart: Option<&'a str>,
}

/// How far the init containers are.
struct Start<'a> {
    /// The status to be shown while they are not through.
    waits: Option<String>,
    restarts: u64,
    last: Option<&'a str>,
    sidecar_restarts: u64,
    sidecar_last: Option<&'a str>,
    sidecars_ready: usize,
}

impl<'a> Seen<'a> {
    fn of(pod: &'a Value) -> Seen<'a> {
        let start = Start::of(pod);
        let phase = text(pod, "/status/phase");
        let mut status = match text(pod, "/status/reason") {
            "" => phase.to_owned(),
            reason => reason.to_owned(),
        };
        if items(pod, "/status/conditions").iter().any(|c| c["reason"] == "SchedulingGated") {
            status = "SchedulingGated".to_owned();
        }
        let sidecars = items(pod, "/spec/initContainers").iter().filter(|c| is_sidecar(c)).count();
        let mut seen = Seen {
            status,
            ready: start.sidecars_ready,
            containers: items(pod, "/spec/containers").len() + sidecars,
            restarts: start.restarts,
            last_restart: start.last,
        };
        let waits = start.waits.is_some();
        if let Some(reason) = start.waits {
            seen.status = reason;
        }
        if !waits || has_condition(pod, "Initialized") {
            (seen.restarts, seen.last_restart) = (start.sidecar_restarts, start.sidecar_last);
            seen.take_containers(pod);
        }
        let is_over = phase == "Succeeded" || phase == "Failed";
        if pod.pointer("/metadata/deletionTimestamp").is_some() {
            if text(pod, "/status/reason") == "NodeLost" {
                seen.status = "Unknown".to_owned();
            } else if !is_over {
                seen.status = "Terminating".to_owned();
            }
        }
        seen
    }

    fn take_containers(&mut self, pod: &'a Value) {
        let (mut runs, mut failed) = (false, None);
        for container in items(pod, "/status/containerStatuses").iter().rev() {
            self.restarts += number(container, "/restartCount");
            self.last_restart = later(self.last_restart, container);
            let waiting = text(container, "/state/waiting/reason");
            if !waiting.is_empty() {
                self.status = waiting.to_owned();
            } else if let Some(ended) = container.pointer("/state/terminated") {
                self.status = ended_as(ended, "");
                if ended["exitCode"] != 0 {
                    failed = Some(self.status.clone());
                }
            } else if container["ready"] == true && container.pointer("/state/running").is_some() {
                runs = true;
                self.ready += 1;
            }
        }
        if self.status == "Completed" {
            if runs && has_condition(pod, "Ready") {
                self.status = "Running".to_owned();
            } else if let Some(reason) = failed {
                self.status = reason;
            } else if runs {
                self.status = "NotReady".to_owned();
            }
        }
    }
}

impl<'a> Start<'a> {
    fn of(pod: &'a Value) -> Start<'a> {
        let mut start = Start {
            waits: None,
            restarts: 0,
            last: None,
            sidecar_restarts: 0,
            sidecar_last: None,
            sidecars_ready: 0,
        };
        let specs = items(pod, "/spec/initContainers");
        for (index, container) in items(pod, "/status/initContainerStatuses").iter().enumerate() {
            let sidecar = specs.iter().any(|s| s["name"] == container["name"] && is_sidecar(s));
            start.restarts += number(container, "/restartCount");
            start.last = later(start.last, container);
            if sidecar {
                start.sidecar_restarts += number(container, "/restartCount");
                start.sidecar_last = later(start.sidecar_last, container);
            }
            let ended = container.pointer("/state/terminated");
            let waiting = text(container, "/state/waiting/reason");
            if ended.is_some_and(|ended| ended["exitCode"] == 0) {
                continue;
            }
            if sidecar && container["started"] == true {
                start.sidecars_ready += usize::from(container["ready"] == true);
                continue;
            }
            start.waits = Some(match ended {
                Some(ended) => ended_as(ended, "Init:"),
                None if !waiting.is_empty() && waiting != "PodInitializing" => {
                    format!("Init:{waiting}")
                }
                None => format!("Init:{index}/{}", specs.len()),
            });
            break;
        }
        start
    }
}

fn is_sidecar(spec: &Value) -> bool {
    spec["restartPolicy"] == "Always"
}

/// The later of `last` and the end of the container's life before this one.
fn later<'a>(last: Option<&'a str>, container: &'a Value) -> Option<&'a str> {
    // Timestamps of one form compare as texts.
    last.max(container.pointer("/lastState/terminated/finishedAt").and_then(Value::as_str))
}

/// How a container ended: the reason, or else signal or exit code.
fn ended_as(ended: &Value, prefix: &str) -> String {
    let signal = number(ended, "/signal");
    match ended["reason"].as_str().unwrap_or("") {
        "" if signal != 0 => format!("{prefix}Signal:{signal}"),
        "" => format!("{prefix}ExitCode:{}", ended["exitCode"].as_i64().unwrap_or(0)),
        reason => format!("{prefix}{reason}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(status: Value) -> Value {
        json!({
            "metadata": {"name": "p", "creationTimestamp": "2026-01-01T00:00:00Z"},
            "spec": {"containers": [{"name": "a"}, {"name": "b"}], "initContainers": [{"name": "i"}]},
            "status": status,
        })
    }

    fn told(pod: &Value) -> String {
        cells(pod, SimTime::from_secs(600))[1..4].join(" ")
    }

    #[test]
    fn the_status_of_a_pod_is_told_as_kubectl_tells_it() {
        let running = json!({"ready": true, "state": {"running": {}}});
        let unready = json!({"ready": false, "state": {"running": {}}});
        let waiting = |reason: &str| json!({"state": {"waiting": {"reason": reason}}});
        let ended = |code: i32, reason: &str| json!({"state": {"terminated": {"exitCode": code, "reason": reason}}});
        let crashed = json!({
            "restartCount": 3,
            "state": {"waiting": {"reason": "CrashLoopBackOff"}},
            "lastState": {"terminated": {"exitCode": 1, "finishedAt": "2026-01-01T00:05:00Z"}},
        });
        let ready = json!([{"type": "Ready", "status": "True"}]);
        let initialized = json!([{"type": "Initialized", "status": "True"}]);
        let rows = [
            ("nobody has it", json!({"phase": "Pending"}), "0/2 Pending 0"),
            (
                "it is held back by a gate",
                json!({"phase": "Pending", "conditions": [{"reason": "SchedulingGated"}]}),
                "0/2 SchedulingGated 0",
            ),
            (
                "its containers are made",
                json!({"phase": "Pending", "containerStatuses": [waiting("ContainerCreating")]}),
                "0/2 ContainerCreating 0",
            ),
            (
                "one runs, one is not ready",
                json!({"phase": "Running", "containerStatuses": [running, unready]}),
                "1/2 Running 0",
            ),
            (
                "one crashes: the first of them is told",
                json!({"phase": "Running", "containerStatuses": [crashed, running]}),
                "1/2 CrashLoopBackOff 3 (5m ago)",
            ),
            (
                "all have done their work",
                json!({"phase": "Succeeded", "containerStatuses": [ended(0, "Completed"), ended(0, "Completed")]}),
                "0/2 Completed 0",
            ),
            (
                "one has failed",
                json!({"phase": "Failed", "containerStatuses": [ended(0, "Completed"), ended(1, "Error")]}),
                "0/2 Error 0",
            ),
            (
                "without a reason the exit code is told",
                json!({"phase": "Failed", "containerStatuses": [ended(3, "")]}),
                "0/2 ExitCode:3 0",
            ),
            (
                "one has ended, the other runs, and the pod is ready",
                json!({"phase": "Running", "conditions": ready, "containerStatuses": [ended(0, "Completed"), running]}),
                "1/2 Running 0",
            ),
            (
                "the same, and it is not ready",
                json!({"phase": "Running", "containerStatuses": [ended(0, "Completed"), running]}),
                "1/2 NotReady 0",
            ),
            (
                "an init container runs",
                json!({"phase": "Pending", "initContainerStatuses": [{"name": "i", "state": {"running": {}}}]}),
                "0/2 Init:0/1 0",
            ),
            (
                "an init container fails",
                json!({"phase": "Pending", "initContainerStatuses": [ended(1, "Error")]}),
                "0/2 Init:Error 0",
            ),
            (
                "an init container waits",
                json!({"phase": "Pending", "initContainerStatuses": [waiting("ImagePullBackOff")]}),
                "0/2 Init:ImagePullBackOff 0",
            ),
            (
                "they are through",
                json!({"phase": "Pending", "conditions": initialized,
                    "initContainerStatuses": [ended(0, "Completed")],
                    "containerStatuses": [waiting("PodInitializing")]}),
                "0/2 PodInitializing 0",
            ),
            (
                "an eviction has a reason of its own",
                json!({"phase": "Failed", "reason": "Evicted"}),
                "0/2 Evicted 0",
            ),
        ];
        for (sentence, status, expected) in rows {
            assert_eq!(told(&pod(status)), expected, "{sentence}");
        }
    }

    #[test]
    fn pods_that_go_are_terminating_until_they_have_ended() {
        let rows = [("Running", "Terminating"), ("Pending", "Terminating"), ("Failed", "Failed")];
        for (phase, expected) in rows {
            let mut pod = pod(json!({ "phase": phase }));
            pod["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:30Z".into();
            assert_eq!(told(&pod), format!("0/2 {expected} 0"));
        }
    }

    #[test]
    fn sidecars_count_as_containers() {
        let mut pod = pod(json!({"phase": "Running",
            "initContainerStatuses": [{"name": "i", "started": true, "ready": true, "restartCount": 2, "state": {"running": {}}}],
            "containerStatuses": [{"ready": true, "state": {"running": {}}}]}));
        pod["spec"]["initContainers"][0]["restartPolicy"] = "Always".into();
        assert_eq!(told(&pod), "2/3 Running 2");
    }
}
