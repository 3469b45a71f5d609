//! A pod, described: its containers one by one, conditions, Events.

use super::containers::{containers, tolerations, volumes};
use super::text::{Lines, long};
use crate::print::read::{items, number, text};
use crate::print::{Snapshot, clock};
use serde_json::Value;

pub(super) fn pod(snapshot: &Snapshot, pod: &Value) -> String {
    let mut lines = Lines::default();
    lines.names(pod);
    if pod.pointer("/spec/priority").is_some() {
        lines.field(0, "Priority", number(pod, "/spec/priority"));
    }
    let class = text(pod, "/spec/priorityClassName");
    if !class.is_empty() {
        lines.field(0, "Priority Class Name", class);
    }
    match text(pod, "/spec/nodeName") {
        "" => lines.field(0, "Node", "<none>"),
        node => lines.field(0, "Node", format_args!("{node}/{}", text(pod, "/status/hostIP"))),
    }
    let start = text(pod, "/status/startTime");
    if !start.is_empty() {
        lines.field(0, "Start Time", long(start));
    }
    lines.labels(pod);
    status(&mut lines, snapshot, pod);
    lines.field(0, "IP", text(pod, "/status/podIP"));
    lines.field(0, "IPs", "<none>");
    lines.controller(pod);
    let nominated = text(pod, "/status/nominatedNodeName");
    if !nominated.is_empty() {
        lines.field(0, "NominatedNodeName", nominated);
    }
    let initial = items(pod, "/spec/initContainers");
    if !initial.is_empty() {
        let statuses = items(pod, "/status/initContainerStatuses");
        containers(&mut lines, "Init Containers", initial, statuses, false);
    }
    let statuses = items(pod, "/status/containerStatuses");
    containers(&mut lines, "Containers", items(pod, "/spec/containers"), statuses, false);
    let conditions = items(pod, "/status/conditions");
    if !conditions.is_empty() {
        lines.line(0, "Conditions:\n  Type\tStatus");
        for c in conditions {
            lines.line(1, format_args!("{} \t{} ", text(c, "/type"), text(c, "/status")));
        }
    }
    volumes(&mut lines, items(pod, "/spec/volumes"), "");
    lines.field(0, "QoS Class", text(pod, "/status/qosClass"));
    lines.pairs("Node-Selectors", pod.pointer("/spec/nodeSelector"), "=");
    lines.list("Tolerations", tolerations(items(pod, "/spec/tolerations")));
    lines.events(snapshot, pod);
    lines.finish()
}

fn status(lines: &mut Lines, snapshot: &Snapshot, pod: &Value) {
    let phase = text(pod, "/status/phase");
    let deletion = text(pod, "/metadata/deletionTimestamp");
    if deletion.is_empty() || phase == "Failed" || phase == "Succeeded" {
        lines.field(0, "Status", phase);
        return;
    }
    let lasts = clock::since(Some(deletion), snapshot.now);
    lines.field(0, "Status", format_args!("Terminating (lasts {lasts})"));
    let grace = number(pod, "/metadata/deletionGracePeriodSeconds");
    lines.field(0, "Termination Grace Period", format_args!("{grace}s"));
}
