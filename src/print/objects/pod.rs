//! Pods: their status as the kubelet and the scheduler have reported it.

use super::meta::{Meta, marked, object, owned_by, set};
use super::pod_spec::{seconds, spec};
use crate::api::PodId;
use crate::api::container_status::{ContainerState, ContainerStatus, Termination};
use crate::api::pod::{Container, Pod, PodPhase};
use crate::api::qos::Qos;
use crate::print::Snapshot;
use crate::print::chronicle::Key;
use crate::print::clock::stamp;
use crate::units::SimTime;
use serde_json::{Value, json};
use slotmap::Key as _;

/// A pod.
pub(super) fn pod(snapshot: &Snapshot, id: PodId, pod: &Pod) -> Value {
    let (version, _) = marked(snapshot, Key::Pod(id));
    let mut out = object(&Meta {
        kind: "Pod",
        namespace: &pod.namespace,
        name: &pod.name(),
        ordinal: pod.uid,
        labels: Some(&pod.labels),
        generation: 1,
        created: pod.created,
        version,
    });
    let metadata = &mut out["metadata"];
    if !pod.suffix.as_str().is_empty() {
        metadata["generateName"] = Value::from(&*pod.base.name);
    }
    if pod.deletion_cost() != 0 {
        let name = "controller.kubernetes.io/pod-deletion-cost";
        metadata["annotations"] = json!({ name: pod.deletion_cost().to_string() });
    }
    if pod.is_tracked() {
        metadata["finalizers"] = json!(["batch.kubernetes.io/job-tracking"]);
    }
    let owner = pod.owner.and_then(|id| Some((id, snapshot.store.owner(id)?)));
    if let Some((id, owner)) = owner {
        metadata["ownerReferences"] = owned_by(owner.kind(), owner.name(), id.data().as_ffi());
    }
    if let Some(asked) = pod.deletion.get() {
        let grace = snapshot.grace(id).unwrap_or(pod.spec.termination_grace);
        metadata["deletionTimestamp"] = stamp(asked + grace).into();
        metadata["deletionGracePeriodSeconds"] = seconds(grace).into();
    }
    out["spec"] = spec(&pod.spec);
    // Admission writes it down, whatever it is.
    out["spec"]["priority"] = pod.spec.priority.into();
    let node = pod.node.and_then(|id| snapshot.store.node(id));
    set(&mut out["spec"], "nodeName", node.map(|node| node.name.to_string()));
    out["status"] = status(snapshot, id, pod);
    out
}

fn status(snapshot: &Snapshot, id: PodId, pod: &Pod) -> Value {
    let mut out = json!({ "phase": pod.phase.as_str(), "qosClass": Qos::of(&pod.spec).as_str() });
    if let Some(why) = pod.more.as_ref().and_then(|more| more.status.as_deref()) {
        out["reason"] = why.reason.into();
        out["message"] = Value::from(&*why.message);
    }
    let conditions = conditions(pod);
    if !conditions.is_empty() {
        out["conditions"] = conditions.into();
    }
    set(&mut out, "startTime", stamp(pod.started));
    let nominated = pod.nominated.and_then(|id| snapshot.store.node(id));
    set(&mut out, "nominatedNodeName", nominated.map(|node| node.name.to_string()));
    if let Some(reported) = snapshot.containers(id).filter(|_| pod.started != SimTime::NEVER) {
        let all = |containers: &[Container], restarts: u32, ready: bool| -> Value {
            let one = |(index, c): (usize, &Container)| {
                let restarts = if index == 0 { restarts } else { 0 };
                container(c, &reported, restarts, ready)
            };
            containers.iter().enumerate().map(one).collect()
        };
        let ready = pod.ready && matches!(reported.state, ContainerState::Running(_));
        out["containerStatuses"] = all(&pod.spec.containers, pod.restarts, ready);
        if !pod.spec.init_containers.is_empty() {
            out["initContainerStatuses"] =
                pod.spec.init_containers.iter().map(|c| initial(c, &reported)).collect();
        }
    }
    out
}

fn container(c: &Container, reported: &ContainerStatus, restarts: u32, ready: bool) -> Value {
    let (state, runs) = match reported.state {
        ContainerState::Waiting(reason) => (json!({ "waiting": { "reason": reason } }), false),
        ContainerState::Running(since) => {
            (json!({ "running": { "startedAt": stamp(since) } }), true)
        }
        ContainerState::Terminated(ended) => (json!({ "terminated": termination(&ended) }), false),
    };
    let last = reported.last.as_ref().filter(|_| restarts > 0);
    json!({
        "name": &*c.name,
        "image": &*c.image,
        "imageID": "",
        "ready": ready,
        "started": runs,
        "restartCount": restarts,
        "state": state,
        "lastState": last.map_or(json!({}), |last| json!({ "terminated": termination(last) })),
    })
}

/// An init container: how far it is follows from where the others are.
fn initial(c: &Container, reported: &ContainerStatus) -> Value {
    let is_over = !matches!(reported.state, ContainerState::Waiting("PodInitializing"));
    let state = match (is_over, c.sidecar) {
        (false, _) => json!({ "waiting": { "reason": "PodInitializing" } }),
        (true, true) => json!({ "running": {} }),
        (true, false) => json!({ "terminated": { "exitCode": 0, "reason": "Completed" } }),
    };
    json!({
        "name": &*c.name,
        "image": &*c.image,
        "imageID": "",
        "ready": is_over,
        "started": is_over && c.sidecar,
        "restartCount": 0,
        "state": state,
        "lastState": {},
    })
}

fn termination(ended: &Termination) -> Value {
    let mut out = json!({ "exitCode": ended.exit_code, "reason": ended.reason });
    set(&mut out, "startedAt", stamp(ended.started));
    set(&mut out, "finishedAt", stamp(ended.finished));
    out
}

/// Conditions in the order in which the kubelet writes them.
fn conditions(pod: &Pod) -> Vec<Value> {
    let mut found = Vec::new();
    let mut tell = |kind: &str, holds: bool, since: SimTime, reason: &str| {
        let status = if holds { "True" } else { "False" };
        let mut one = json!({ "type": kind, "status": status });
        set(&mut one, "lastTransitionTime", stamp(since));
        if !reason.is_empty() {
            one["reason"] = reason.into();
        }
        found.push(one);
    };
    let disruption = pod.more.as_ref().map_or("", |more| more.disruption);
    if !disruption.is_empty() {
        tell("DisruptionTarget", true, pod.deletion.get().unwrap_or(SimTime::NEVER), disruption);
    }
    if pod.started != SimTime::NEVER {
        let reason = match pod.phase {
            _ if pod.ready => "",
            PodPhase::Succeeded => "PodCompleted",
            PodPhase::Failed => "PodFailed",
            _ => "ContainersNotReady",
        };
        let changed = pod.ready_changed.max(pod.started);
        tell("PodReadyToStartContainers", pod.phase == PodPhase::Running, pod.started, "");
        tell("Initialized", true, pod.started, "");
        tell("Ready", pod.ready, changed, reason);
        tell("ContainersReady", pod.ready, changed, reason);
    }
    if pod.node.is_some() {
        tell("PodScheduled", true, pod.scheduled, "");
    } else if !pod.spec.scheduling_gates.is_empty() {
        tell("PodScheduled", false, pod.created, "SchedulingGated");
    } else if pod.unschedulable {
        tell("PodScheduled", false, pod.created, "Unschedulable");
    }
    found
}
