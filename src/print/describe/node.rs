//! A node, with the pods on it and what they ask for.

use super::text::{Lines, long};
use crate::api::NodeId;
use crate::api::pod::{Pod, PodSpec};
use crate::print::Snapshot;
use crate::print::clock;
use crate::print::objects::quantity;
use crate::print::read::{items, text};
use crate::print::tables::roles;
use crate::units::{Bytes, MilliCpu};
use serde_json::Value;

pub(super) fn node(snapshot: &Snapshot, node: &Value) -> String {
    let mut lines = Lines::default();
    lines.field(0, "Name", text(node, "/metadata/name"));
    lines.field(0, "Roles", roles(node));
    lines.labels(node);
    lines.created(node);
    lines.list("Taints", taints(items(node, "/spec/taints")));
    let cordoned = node.pointer("/spec/unschedulable").is_some_and(|v| *v == true);
    lines.field(0, "Unschedulable", cordoned);
    conditions(&mut lines, items(node, "/status/conditions"));
    lines.line(0, "Addresses:");
    for address in items(node, "/status/addresses") {
        lines.field(1, text(address, "/type"), text(address, "/address"));
    }
    for (title, field) in [("Capacity", "capacity"), ("Allocatable", "allocatable")] {
        lines.line(0, format_args!("{title}:"));
        for (name, amount) in node["status"][field].as_object().into_iter().flatten() {
            lines.field(1, name, amount.as_str().unwrap_or(""));
        }
    }
    system(&mut lines, node);
    let name = text(node, "/metadata/name");
    let found = snapshot.store.nodes().find(|(_, node)| *node.name == *name);
    if let Some((id, _)) = found {
        pods(&mut lines, snapshot, id);
    }
    lines.events(snapshot, node);
    lines.finish()
}

fn taints(given: &[Value]) -> Vec<String> {
    let mut given: Vec<&Value> = given.iter().collect();
    given.sort_by_key(|taint| format!("{},{}", text(taint, "/effect"), text(taint, "/key")));
    let told = |taint: &&Value| {
        let [key, value, effect] = ["/key", "/value", "/effect"].map(|at| text(taint, at));
        if value.is_empty() { format!("{key}:{effect}") } else { format!("{key}={value}:{effect}") }
    };
    given.iter().map(told).collect()
}

fn conditions(lines: &mut Lines, given: &[Value]) {
    lines.line(
        0,
        "Conditions:\n  Type\tStatus\tLastHeartbeatTime\tLastTransitionTime\tReason\tMessage",
    );
    lines.line(1, "----\t------\t-----------------\t------------------\t------\t-------");
    for c in given {
        let [kind, status, reason, message] =
            ["/type", "/status", "/reason", "/message"].map(|at| text(c, at));
        let since = long(text(c, "/lastTransitionTime"));
        // Heartbeats are not kept: nothing happens at them.
        lines.line(
            1,
            format_args!("{kind} \t{status} \t<unknown> \t{since} \t{reason} \t{message}"),
        );
    }
}

fn system(lines: &mut Lines, node: &Value) {
    lines.line(0, "System Info:");
    for (title, field) in [
        ("Machine ID", "machineID"),
        ("System UUID", "systemUUID"),
        ("Boot ID", "bootID"),
        ("Kernel Version", "kernelVersion"),
        ("OS Image", "osImage"),
        ("Operating System", "operatingSystem"),
        ("Architecture", "architecture"),
        ("Container Runtime Version", "containerRuntimeVersion"),
        ("Kubelet Version", "kubeletVersion"),
    ] {
        lines.field(1, title, text(node, &format!("/status/nodeInfo/{field}")));
    }
}

/// CPU and memory, requested and at most.
#[derive(Clone, Copy, Default)]
struct Asked {
    cpu: [MilliCpu; 2],
    memory: [Bytes; 2],
    disk: Bytes,
}

impl Asked {
    fn of(spec: &PodSpec) -> Asked {
        let requests = spec.requests();
        let all = || spec.containers.iter();
        let cpu = all().filter_map(|c| c.cpu_limit).map(|limit| limit.0).sum();
        let memory = all().filter_map(|c| c.memory_limit).map(|limit| limit.0).sum();
        Asked {
            cpu: [requests.cpu, MilliCpu(cpu)],
            memory: [requests.memory, Bytes(memory)],
            disk: requests.ephemeral_storage,
        }
    }

    fn add(&mut self, other: &Asked) {
        for side in 0..2 {
            self.cpu[side].0 += other.cpu[side].0;
            self.memory[side].0 += other.memory[side].0;
        }
        self.disk.0 += other.disk.0;
    }
}

/// `500m (25%)`.
fn share(told: String, part: i64, whole: i64) -> String {
    let percent = if whole == 0 { 0 } else { part.saturating_mul(100) / whole };
    format!("{told} ({percent}%)")
}

fn pods(lines: &mut Lines, snapshot: &Snapshot, id: NodeId) {
    let store = snapshot.store;
    let Some(node) = store.node(id) else { return };
    let room = &node.allocatable;
    let there = store.pods_on(id).iter().filter_map(|id| store.pod(*id));
    let mut there: Vec<&Pod> = there.filter(|pod| !pod.phase.is_terminal()).collect();
    there.sort_by_cached_key(|pod| (pod.namespace.clone(), pod.name()));
    let cpu = |amount: MilliCpu| share(quantity::cpu(amount), amount.0, room.cpu.0);
    let memory = |amount: Bytes| share(quantity::bytes(amount), amount.0, room.memory.0);
    lines.field(0, "Non-terminated Pods", format_args!("({} in total)", there.len()));
    lines.line(
        1,
        "Namespace\tName\t\tCPU Requests\tCPU Limits\tMemory Requests\tMemory Limits\tAge",
    );
    lines.line(
        1,
        "---------\t----\t\t------------\t----------\t---------------\t-------------\t---",
    );
    let mut sum = Asked::default();
    for pod in there {
        let asked = Asked::of(&pod.spec);
        sum.add(&asked);
        let age = clock::since(clock::stamp(pod.created).as_deref(), snapshot.now);
        let [c, cl, m, ml] = [
            cpu(asked.cpu[0]),
            cpu(asked.cpu[1]),
            memory(asked.memory[0]),
            memory(asked.memory[1]),
        ];
        lines.line(
            1,
            format_args!("{}\t{}\t\t{c}\t{cl}\t{m}\t{ml}\t{age}", pod.namespace, pod.name()),
        );
    }
    lines.line(0, "Allocated resources:");
    lines.line(1, "(Total limits may be over 100 percent, i.e., overcommitted.)");
    lines.line(1, "Resource\tRequests\tLimits");
    lines.line(1, "--------\t--------\t------");
    lines.line(1, format_args!("cpu\t{}\t{}", cpu(sum.cpu[0]), cpu(sum.cpu[1])));
    lines.line(1, format_args!("memory\t{}\t{}", memory(sum.memory[0]), memory(sum.memory[1])));
    let disk = |amount: Bytes| share(quantity::bytes(amount), amount.0, room.ephemeral_storage.0);
    lines.line(1, format_args!("ephemeral-storage\t{}\t{}", disk(sum.disk), disk(Bytes(0))));
}
