//! Containers in descriptions of pods and of templates.

use super::text::{Lines, long, truth};
use crate::print::read::{items, number, text};
use serde_json::Value;

/// Containers under a title; `statuses` is empty for those of a template, which stand deeper.
pub(super) fn containers(
    lines: &mut Lines,
    title: &str,
    specs: &[Value],
    statuses: &[Value],
    deep: bool,
) {
    let space = if deep { "  " } else { "" };
    lines.line(0, format_args!("{space}{title}:"));
    for spec in specs {
        let nudge = if deep { " " } else { "" };
        lines.line(1, format_args!("{nudge}{}:", text(spec, "/name")));
        let status = statuses.iter().find(|status| status["name"] == spec["name"]);
        if status.is_some() {
            // Runtimes give ids; there is none here.
            lines.field(2, "Container ID", "");
        }
        lines.field(2, "Image", text(spec, "/image"));
        if status.is_some() {
            lines.field(2, "Image ID", "");
        }
        ports(lines, spec);
        if let Some(status) = status {
            state(lines, "State", &status["state"]);
            if !status["lastState"]["terminated"].is_null() {
                state(lines, "Last State", &status["lastState"]);
            }
            lines.field(2, "Ready", truth(&status["ready"]));
            lines.field(2, "Restart Count", number(status, "/restartCount"));
        }
        resources(lines, &spec["resources"]);
        for (name, field) in [
            ("Liveness", "livenessProbe"),
            ("Readiness", "readinessProbe"),
            ("Startup", "startupProbe"),
        ] {
            if let Some(probe) = spec.get(field) {
                lines.field(2, name, attributes(probe));
            }
        }
        lines.field(2, "Environment", "<none>");
        lines.field(2, "Mounts", "<none>");
    }
}

fn ports(lines: &mut Lines, spec: &Value) {
    let ports = |field: &str| -> Vec<String> {
        let port = |p: &Value| {
            let protocol = p["protocol"].as_str().unwrap_or("TCP");
            format!("{}/{protocol}", p[field].as_u64().unwrap_or(0))
        };
        items(spec, "/ports").iter().map(port).collect()
    };
    for (one, many, ports) in
        [("Port", "Ports", ports("containerPort")), ("Host Port", "Host Ports", ports("hostPort"))]
    {
        match ports.len() {
            0 => lines.field(2, one, "<none>"),
            1 => lines.field(2, one, &ports[0]),
            _ => lines.field(2, many, ports.join(", ")),
        }
    }
}

fn state(lines: &mut Lines, name: &str, state: &Value) {
    if let Some(running) = state.get("running") {
        lines.field(2, name, "Running");
        lines.field(3, "Started", long(text(running, "/startedAt")));
    } else if let Some(ended) = state.get("terminated") {
        lines.field(2, name, "Terminated");
        if !text(ended, "/reason").is_empty() {
            lines.field(3, "Reason", text(ended, "/reason"));
        }
        lines.field(3, "Exit Code", number(ended, "/exitCode"));
        lines.field(3, "Started", long(text(ended, "/startedAt")));
        lines.field(3, "Finished", long(text(ended, "/finishedAt")));
    } else {
        lines.field(2, name, "Waiting");
        let reason = text(state, "/waiting/reason");
        if !reason.is_empty() {
            lines.field(3, "Reason", reason);
        }
    }
}

fn resources(lines: &mut Lines, resources: &Value) {
    for (title, field) in [("Limits", "limits"), ("Requests", "requests")] {
        let Some(amounts) = resources.get(field).and_then(Value::as_object) else { continue };
        if amounts.is_empty() {
            continue;
        }
        lines.line(2, format_args!("{title}:"));
        for (name, amount) in amounts {
            lines.field(3, name, amount.as_str().unwrap_or(""));
        }
    }
}

/// How a probe is timed; how it asks is not kept.
fn attributes(probe: &Value) -> String {
    let n = |field: &str| probe[field].as_u64().unwrap_or(0);
    format!(
        "delay={}s timeout={}s period={}s successThreshold={} failureThreshold={}",
        n("initialDelaySeconds"),
        n("timeoutSeconds"),
        n("periodSeconds"),
        n("successThreshold"),
        n("failureThreshold"),
    )
}

/// `Pod Template` of what controls pods.
pub(super) fn template(lines: &mut Lines, template: &Value) {
    lines.line(0, "Pod Template:");
    lines.pairs("  Labels", template.pointer("/metadata/labels"), "=");
    let initial = items(template, "/spec/initContainers");
    if !initial.is_empty() {
        containers(lines, "Init Containers", initial, &[], true);
    }
    containers(lines, "Containers", items(template, "/spec/containers"), &[], true);
    volumes(lines, items(template, "/spec/volumes"), "  ");
    let class = text(template, "/spec/priorityClassName");
    if !class.is_empty() {
        lines.field(1, "Priority Class Name", class);
    }
    lines.pairs("  Node-Selectors", template.pointer("/spec/nodeSelector"), "=");
    lines.list("  Tolerations", tolerations(items(template, "/spec/tolerations")));
}

/// `Volumes`: what is known of them.
pub(super) fn volumes(lines: &mut Lines, volumes: &[Value], space: &str) {
    if volumes.is_empty() {
        return lines.line(0, format_args!("{space}Volumes:\t<none>"));
    }
    lines.line(0, format_args!("{space}Volumes:"));
    for volume in volumes {
        let nudge = if space.is_empty() { "" } else { " " };
        lines.line(1, format_args!("{nudge}{}:", text(volume, "/name")));
        if let Some(claim) = volume.get("persistentVolumeClaim") {
            let what = "PersistentVolumeClaim (a reference to a PersistentVolumeClaim in the same namespace)";
            lines.field(2, "Type", what);
            lines.field(2, "ClaimName", text(claim, "/claimName"));
            lines.field(2, "ReadOnly", claim["readOnly"] == true);
        }
    }
}

/// Tolerations, one by one.
pub(super) fn tolerations(given: &[Value]) -> Vec<String> {
    let mut sorted: Vec<&Value> = given.iter().collect();
    sorted.sort_by_key(|one| text(one, "/key"));
    let told = |one: &&Value| {
        let mut out = text(one, "/key").to_owned();
        let value = text(one, "/value");
        if !value.is_empty() {
            out += &format!("={value}");
        }
        let effect = text(one, "/effect");
        if !effect.is_empty() {
            out += &format!(":{effect}");
        }
        if one["operator"] == "Exists" && value.is_empty() {
            out += if out.is_empty() { "op=Exists" } else { " op=Exists" };
        }
        if let Some(seconds) = one["tolerationSeconds"].as_u64() {
            out += &format!(" for {seconds}s");
        }
        out
    };
    sorted.iter().map(told).collect()
}
