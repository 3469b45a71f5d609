//! HorizontalPodAutoscalers.

use super::text::Lines;
use crate::print::Snapshot;
use crate::print::read::{items, number, text};
use crate::print::tables::{Metric, metric, reference};
use serde_json::Value;

pub(super) fn hpa(snapshot: &Snapshot, hpa: &Value) -> String {
    let mut lines = Lines::default();
    lines.names(hpa);
    lines.labels(hpa);
    lines.created(hpa);
    lines.field(0, "Reference", reference(hpa));
    lines.field(0, "Metrics", "( current / target )");
    for index in 0..items(hpa, "/spec/metrics").len() {
        let Metric { resource, mut what, mut current, amount, target, .. } = metric(hpa, index);
        if current.ends_with('%') {
            current = format!("{current} ({amount})");
        }
        if resource.is_some() && target.ends_with('%') {
            // kubectl indents in the middle of this line.
            what.push_str("  (as a percentage of request)");
        }
        lines.field(1, &what, format_args!("{current} / {target}"));
    }
    lines.field(0, "Min replicas", number(hpa, "/spec/minReplicas"));
    lines.field(0, "Max replicas", number(hpa, "/spec/maxReplicas"));
    if let Some(behavior) = hpa.pointer("/spec/behavior") {
        lines.line(0, "Behavior:");
        rules(&mut lines, "Scale Up", &behavior["scaleUp"]);
        rules(&mut lines, "Scale Down", &behavior["scaleDown"]);
    }
    let kind = text(hpa, "/spec/scaleTargetRef/kind");
    let [current, desired] =
        ["/status/currentReplicas", "/status/desiredReplicas"].map(|at| number(hpa, at));
    let told = format!("{current} current / {desired} desired");
    lines.field(0, &format!("{kind} pods"), told);
    let conditions = items(hpa, "/status/conditions");
    if !conditions.is_empty() {
        lines.line(0, "Conditions:");
        lines.line(1, "Type\tStatus\tReason\tMessage");
        lines.line(1, "----\t------\t------\t-------");
        for c in conditions {
            let [kind, status, reason, message] =
                ["/type", "/status", "/reason", "/message"].map(|at| text(c, at));
            lines.line(1, format_args!("{kind}\t{status}\t{reason}\t{message}"));
        }
    }
    lines.events(snapshot, hpa);
    lines.finish()
}

fn rules(lines: &mut Lines, title: &str, rules: &Value) {
    lines.line(1, format_args!("{title}:"));
    if rules.get("stabilizationWindowSeconds").is_some() {
        let window = number(rules, "/stabilizationWindowSeconds");
        lines.line(2, format_args!("Stabilization Window: {window} seconds"));
    }
    lines.line(2, format_args!("Select Policy: {}", text(rules, "/selectPolicy")));
    lines.line(2, "Policies:");
    for policy in items(rules, "/policies") {
        let (kind, value) = (text(policy, "/type"), number(policy, "/value"));
        let period = number(policy, "/periodSeconds");
        lines.line(3, format_args!("- Type: {kind}\tValue: {value}\tPeriod: {period} seconds"));
    }
}
