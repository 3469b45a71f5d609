//! All effective parameters of a scenario as JSON, defaults included: for the run's manifest.

use super::model::{NodeGroup, Scenario, Workload};
use serde_json::{Value, json};

/// Everything that was decided, by the file or by a default.
pub(super) fn of(scenario: &Scenario) -> Value {
    let deployments = scenario.objects.deployments.iter().zip(&scenario.workloads);
    json!({
        "duration_s": scenario.duration.as_secs_f64(),
        "start": if scenario.cold_start { "cold" } else { "settled" },
        "nodes": scenario.node_groups.iter().map(group).collect::<Vec<_>>(),
        "workloads": deployments
            .map(|(d, w)| (format!("{}/{}", d.namespace, d.name), workload(w)))
            .collect::<serde_json::Map<_, _>>(),
        "traffic": scenario.traffic.iter().map(|t| json!({
            "to": scenario.objects.services[t.service].name,
            "rate": shape(&t.rate),
            "noise": t.noise,
        })).collect::<Vec<_>>(),
        "timeline": scenario.timeline.iter().map(|t| json!({
            "at_s": t.at.as_secs_f64(),
            "until_s": t.until.map(|until| until.as_secs_f64()),
            "what": format!("{:?}", t.what),
        })).collect::<Vec<_>>(),
        "flags": {
            "kube-controller-manager": text(&scenario.flags.controller_manager),
            "kube-scheduler": text(&scenario.flags.scheduler),
            "cluster-autoscaler": scenario.flags.cluster_autoscaler.as_ref().map(text),
            "kubelet": text(&scenario.flags.kubelet),
            "metrics-server": text(&scenario.flags.metrics_server),
            "api-server": text(&scenario.flags.api_server),
            "cloud": text(&scenario.flags.cloud),
        },
        "observe": text(&scenario.observe),
    })
}

fn group(group: &NodeGroup) -> Value {
    json!({
        "name": group.name,
        "machine": group.machine.name,
        "cpu_milli": group.machine.capacity.cpu.0,
        "cpu_allocatable_milli": group.machine.allocatable.cpu.0,
        "memory_bytes": group.machine.capacity.memory.0,
        "memory_allocatable_bytes": group.machine.allocatable.memory.0,
        "pods": group.machine.max_pods,
        "price_per_hour": group.machine.price_per_hour,
        "idle_watts": group.machine.idle_watts,
        "peak_watts": group.machine.peak_watts,
        "count": group.count,
        "min": group.min,
        "max": group.max,
        "zones": group.zones,
        "boot_s": format!("{:?}", group.boot),
        "ready_s": format!("{:?}", group.ready),
        "boot_failure": group.boot_failure,
    })
}

fn workload(workload: &Workload) -> Value {
    json!({
        "demand_s": workload.demand.as_secs_f64(),
        "wait_s": workload.wait.as_secs_f64(),
        "concurrency": workload.concurrency,
        "queue": workload.queue,
        "timeout_s": workload.timeout.as_secs_f64(),
        "idle_cpu_milli": workload.idle_cpu.0,
        "memory_bytes": workload.memory.0,
        "memory_per_request_bytes": workload.memory_per_request.0,
        "startup_s": format!("{:?}", workload.startup),
        "image_bytes": workload.image_size.0,
        "image_layers": workload.image_layers,
        "burst": workload.burst,
        "calls": workload.calls.len(),
    })
}

/// A trace is named by its length, not repeated.
fn shape(curve: &super::curve::Curve) -> String {
    match curve {
        super::curve::Curve::Trace { start, slot, values } => {
            format!("Trace {{ start: {start:?}, slot: {slot:?}, slots: {} }}", values.len())
        }
        super::curve::Curve::Sum(curves) => {
            format!("Sum {:?}", curves.iter().map(shape).collect::<Vec<_>>())
        }
        super::curve::Curve::Product(curves) => {
            format!("Product {:?}", curves.iter().map(shape).collect::<Vec<_>>())
        }
        other => format!("{other:?}"),
    }
}

fn text<T: std::fmt::Debug>(flags: &T) -> String {
    format!("{flags:?}")
}
