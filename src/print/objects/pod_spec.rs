//! `spec` of pods and of their templates.
//!
//! What the simulation does not keep (commands, environment, how probes ask) is not there; affinity
//! and spread constraints are left out.

use super::meta::{pairs, set};
use super::quantity;
use crate::api::pod::{Container, PodSpec, Probe, PullPolicy, RestartPolicy};
use crate::api::taint::{Toleration, TolerationOperator};
use crate::api::volume::{Volume, VolumeSource};
use crate::api::workload::PodTemplate;
use crate::units::SimDuration;
use serde_json::{Value, json};

/// A template of pods.
pub(super) fn template(template: &PodTemplate) -> Value {
    json!({ "metadata": { "labels": pairs(&template.labels) }, "spec": spec(&template.spec) })
}

/// The specification; where a pod was bound is not part of it here.
pub(super) fn spec(spec: &PodSpec) -> Value {
    let mut out = json!({
        "containers": spec.containers.iter().map(container).collect::<Value>(),
        "restartPolicy": match spec.restart_policy {
            RestartPolicy::Always => "Always",
            RestartPolicy::OnFailure => "OnFailure",
            RestartPolicy::Never => "Never",
        },
        "schedulerName": &*spec.scheduler_name,
        "terminationGracePeriodSeconds": seconds(spec.termination_grace),
    });
    if !spec.init_containers.is_empty() {
        out["initContainers"] = spec.init_containers.iter().map(container).collect();
    }
    if !spec.node_selector.is_empty() {
        out["nodeSelector"] = pairs(&spec.node_selector);
    }
    if spec.priority != 0 || !spec.priority_class.is_empty() {
        out["priority"] = spec.priority.into();
    }
    if !spec.priority_class.is_empty() {
        out["priorityClassName"] = Value::from(&*spec.priority_class);
    }
    if spec.never_preempts {
        out["preemptionPolicy"] = "Never".into();
    }
    if !spec.tolerations.is_empty() {
        out["tolerations"] = spec.tolerations.iter().map(toleration).collect();
    }
    if spec.host_network {
        out["hostNetwork"] = true.into();
    }
    if !spec.scheduling_gates.is_empty() {
        let gates = spec.scheduling_gates.iter().map(|name| json!({ "name": &**name }));
        out["schedulingGates"] = gates.collect();
    }
    if !spec.volumes.is_empty() {
        out["volumes"] = spec.volumes.iter().map(volume).collect();
    }
    set(&mut out, "nodeName", spec.node_name.as_ref().map(|name| name.to_string()));
    out
}

/// `resources` of a container.
pub(super) fn resources(container: &Container) -> Value {
    let mut resources = json!({});
    let requests = quantity::list(&container.requests);
    if !requests.is_empty() {
        resources["requests"] = requests.into();
    }
    let mut limits = json!({});
    set(&mut limits, "cpu", container.cpu_limit.map(quantity::cpu));
    set(&mut limits, "memory", container.memory_limit.map(quantity::bytes));
    set(&mut limits, "ephemeral-storage", container.disk_limit.map(quantity::bytes));
    if limits != json!({}) {
        resources["limits"] = limits;
    }
    resources
}

fn container(container: &Container) -> Value {
    let mut out = json!({
        "name": &*container.name,
        "image": &*container.image,
        "imagePullPolicy": match container.pull_policy {
            PullPolicy::IfNotPresent => "IfNotPresent",
            PullPolicy::Always => "Always",
            PullPolicy::Never => "Never",
        },
    });
    out["resources"] = resources(container);
    for (field, given) in [
        ("livenessProbe", container.liveness_probe),
        ("readinessProbe", container.readiness_probe),
        ("startupProbe", container.startup_probe),
    ] {
        set(&mut out, field, given.as_ref().map(probe));
    }
    if container.sidecar {
        out["restartPolicy"] = "Always".into();
    }
    if container.pre_stop > SimDuration::ZERO {
        let sleep = json!({ "seconds": seconds(container.pre_stop) });
        out["lifecycle"] = json!({ "preStop": { "sleep": sleep } });
    }
    if !container.host_ports.is_empty() {
        let port = |p: &crate::api::pod::HostPort| {
            let mut out =
                json!({ "containerPort": p.port, "hostPort": p.port, "protocol": &*p.protocol });
            if !p.ip.is_empty() {
                out["hostIP"] = Value::from(&*p.ip);
            }
            out
        };
        out["ports"] = container.host_ports.iter().map(port).collect();
    }
    out
}

fn probe(probe: &Probe) -> Value {
    let mut out = json!({
        "failureThreshold": probe.failure_threshold,
        "periodSeconds": seconds(probe.period),
        "successThreshold": probe.success_threshold,
        "timeoutSeconds": seconds(probe.timeout),
    });
    if probe.initial_delay > SimDuration::ZERO {
        out["initialDelaySeconds"] = seconds(probe.initial_delay).into();
    }
    set(&mut out, "terminationGracePeriodSeconds", probe.termination_grace.map(seconds));
    out
}

fn toleration(given: &Toleration) -> Value {
    let mut out = json!({});
    if !given.key.is_empty() {
        out["key"] = Value::from(&*given.key);
    }
    match given.operator {
        TolerationOperator::Exists => out["operator"] = "Exists".into(),
        TolerationOperator::Equal => out["operator"] = "Equal".into(),
    }
    if !given.value.is_empty() {
        out["value"] = Value::from(&*given.value);
    }
    set(&mut out, "effect", given.effect.map(|effect| format!("{effect:?}")));
    set(&mut out, "tolerationSeconds", given.seconds.map(seconds));
    out
}

fn volume(volume: &Volume) -> Value {
    let mut out = json!({ "name": &*volume.name });
    match &volume.source {
        VolumeSource::Claim { name, read_only } => {
            let mut claim = json!({ "claimName": &**name });
            if *read_only {
                claim["readOnly"] = true.into();
            }
            out["persistentVolumeClaim"] = claim;
        }
        VolumeSource::Image { reference } => {
            out["image"] = json!({ "reference": &**reference });
        }
        VolumeSource::Csi { driver } => out["csi"] = json!({ "driver": &**driver }),
        VolumeSource::Ephemeral | VolumeSource::Disk(_) | VolumeSource::Other => {}
    }
    out
}

/// Whole seconds.
pub(super) fn seconds(duration: SimDuration) -> u64 {
    duration.0 / 1_000_000_000
}
