//! Pods: their status as the kubelet and the scheduler have reported it.

use super::meta::{Meta, marked, object, owned_by, set};
use super::pod_spec::{resources, seconds, spec};
use crate::api::PodId;
use crate::api::container_status::{ContainerState, ContainerStatus, InitStatus, Termination};
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
        generation: 1 + u64::from(pod.resize().map_or(0, |resize| resize.changes)),
        created: pod.created,
        version,
    });
    let metadata = &mut out["metadata"];
    if !pod.suffix.as_str().is_empty() {
        metadata["generateName"] = Value::from(&*pod.base.name);
    }
    let node = pod.node.and_then(|id| Some((id, snapshot.store.node(id)?)));
    if let Some(annotations) = annotations(pod) {
        metadata["annotations"] = annotations;
    }
    if pod.is_tracked() {
        metadata["finalizers"] = json!(["batch.kubernetes.io/job-tracking"]);
    }
    let owner = pod.owner.and_then(|id| Some((id, snapshot.store.owner(id)?)));
    if let Some((id, owner)) = owner {
        metadata["ownerReferences"] = owned_by(owner.kind(), owner.name(), id.data().as_ffi());
    } else if let Some((_, node)) = node.filter(|_| pod.spec.is_mirror) {
        metadata["ownerReferences"] = owned_by("Node", &node.name, node.uid);
        // A kubelet must not set it of its node.
        if let Some(reference) = metadata["ownerReferences"][0].as_object_mut() {
            reference.remove("blockOwnerDeletion");
        }
    }
    if let Some(asked) = pod.deletion.get() {
        let grace = snapshot.grace(id).unwrap_or(pod.spec.termination_grace);
        metadata["deletionTimestamp"] = stamp(asked + grace).into();
        metadata["deletionGracePeriodSeconds"] = seconds(grace).into();
    }
    out["spec"] = spec(pod.wanted_spec());
    // Admission writes it down, whatever it is.
    out["spec"]["priority"] = pod.spec.priority.into();
    set(&mut out["spec"], "nodeName", node.map(|(_, node)| node.name.to_string()));
    out["status"] = status(snapshot, id, pod);
    out
}

/// `metadata.annotations`, if there are any. A mirror has those of which kubectl and the API server
/// take notice; their hash stands for that of the manifest.
fn annotations(pod: &Pod) -> Option<Value> {
    if pod.spec.is_mirror {
        let hash = blake3::hash(format!("{}/{}", pod.namespace, pod.name()).as_bytes());
        let hash = &hash.to_hex()[..32];
        return Some(json!({
            "kubernetes.io/config.hash": hash,
            "kubernetes.io/config.mirror": hash,
            "kubernetes.io/config.source": "file",
        }));
    }
    let name = "controller.kubernetes.io/pod-deletion-cost";
    (pod.deletion_cost() != 0).then(|| json!({ name: pod.deletion_cost().to_string() }))
}

fn status(snapshot: &Snapshot, id: PodId, pod: &Pod) -> Value {
    let mut out = json!({ "phase": pod.phase.as_str(), "qosClass": Qos::of(&pod.spec).as_str() });
    if let Some(why) = pod.more.as_ref().and_then(|more| more.status.as_deref()) {
        out["reason"] = why.reason.into();
        out["message"] = Value::from(&*why.message);
    }
    let reported = snapshot.containers(id).filter(|_| pod.started != SimTime::NEVER);
    let conditions = conditions(pod, reported.as_ref());
    if !conditions.is_empty() {
        out["conditions"] = conditions.into();
    }
    set(&mut out, "startTime", stamp(pod.started));
    let nominated = pod.nominated.and_then(|id| snapshot.store.node(id));
    set(&mut out, "nominatedNodeName", nominated.map(|node| node.name.to_string()));
    if let Some(reported) = reported {
        let all = |containers: &[Container], restarts: u32, ready: bool| -> Value {
            let one = |(index, c): (usize, &Container)| {
                let restarts = if index == 0 { restarts } else { 0 };
                let mut out = container(c, &reported, restarts, ready);
                if let Some(resize) = pod.resize() {
                    let has = resources(c);
                    out["allocatedResources"] = has["requests"].clone();
                    if resize.in_progress.is_none() {
                        out["resources"] = has;
                    }
                }
                out
            };
            containers.iter().enumerate().map(one).collect()
        };
        let ready = pod.ready && matches!(reported.state, ContainerState::Running(_));
        out["containerStatuses"] = all(&pod.spec.containers, pod.restarts, ready);
        if !pod.spec.init_containers.is_empty() {
            let more = pod.more.as_deref().filter(|_| pod.phase.is_terminal());
            let over = more.map(|more| more.finished.get().unwrap_or(SimTime::NEVER));
            let all = pod.spec.init_containers.iter().enumerate();
            let one = |(place, c)| initial(c, place, &reported, over);
            out["initContainerStatuses"] = all.map(one).collect();
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

/// An init container: how far it is, or follows from where the others are. `over`: when its pod has
/// ended.
fn initial(
    c: &Container,
    place: usize,
    reported: &ContainerStatus,
    over: Option<SimTime>,
) -> Value {
    let others_run = !matches!(reported.state, ContainerState::Waiting("PodInitializing"));
    let waits = json!({ "waiting": { "reason": "PodInitializing" } });
    let through = |since: SimTime, until: SimTime| match over.filter(|_| c.sidecar) {
        None if c.sidecar => running(since),
        end_of_pod => {
            let until = end_of_pod.unwrap_or(until);
            let mut end = json!({ "exitCode": 0, "reason": "Completed" });
            set(&mut end, "startedAt", stamp(since));
            set(&mut end, "finishedAt", stamp(until));
            json!({ "terminated": end })
        }
    };
    let init = reported.init.as_ref();
    let turn = init.map_or(usize::MAX, |init| init.done.len());
    let at_it = init.filter(|_| place == turn);
    let done = init.and_then(|init| init.done.get(place));
    let state = match (done, at_it) {
        (Some(done), _) => through(done.started, done.ended),
        (None, Some(init)) => match init.state {
            ContainerState::Waiting(reason) => json!({ "waiting": { "reason": reason } }),
            ContainerState::Running(since) => running(since),
            ContainerState::Terminated(ended) => json!({ "terminated": termination(&ended) }),
        },
        (None, None) if init.is_none() && others_run => through(SimTime::NEVER, SimTime::NEVER),
        (None, None) => waits,
    };
    let is_through = done.is_some() || (init.is_none() && others_run);
    let is_up = is_through && !(c.sidecar && over.is_some());
    let restarts = at_it.map_or(done.map_or(0, |done| done.restarts), |init| init.restarts);
    let is_last = |init: &&InitStatus| !matches!(init.state, ContainerState::Terminated(_));
    let last = at_it.filter(is_last).and_then(|init| init.last);
    json!({
        "name": &*c.name,
        "image": &*c.image,
        "imageID": "",
        "ready": is_up,
        "started": is_up && c.sidecar,
        "restartCount": restarts,
        "state": state,
        "lastState": last.map_or(json!({}), |last| json!({ "terminated": termination(&last) })),
    })
}

/// A container that runs; since when is not always known.
fn running(since: SimTime) -> Value {
    let mut out = json!({});
    set(&mut out, "startedAt", stamp(since));
    json!({ "running": out })
}

fn termination(ended: &Termination) -> Value {
    let mut out = json!({ "exitCode": ended.exit_code, "reason": ended.reason });
    set(&mut out, "startedAt", stamp(ended.started));
    set(&mut out, "finishedAt", stamp(ended.finished));
    out
}

/// Since when the init containers of a pod are through; `None`: they are not.
fn initialized(pod: &Pod, reported: Option<&ContainerStatus>) -> Option<SimTime> {
    let all = pod.spec.init_containers.len();
    let Some(init) = reported.and_then(|reported| reported.init.as_ref()) else {
        let before = ContainerState::Waiting("PodInitializing");
        let waits = all > 0 && reported.is_some_and(|reported| reported.state == before);
        return (!waits).then_some(pod.started);
    };
    init.done.get(all.checked_sub(1)?).map(|last| last.ended)
}

/// Conditions in the order in which the kubelet writes them.
fn conditions(pod: &Pod, reported: Option<&ContainerStatus>) -> Vec<Value> {
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
    // They come first; their messages are added below.
    let resize = pod.resize().cloned().unwrap_or_default();
    if let Some(pending) = &resize.pending {
        tell("PodResizePending", true, pending.since, pending.reason.as_str());
    }
    if let Some(progress) = &resize.in_progress {
        let reason = if progress.error.is_empty() { "" } else { "Error" };
        tell("PodResizeInProgress", true, progress.since, reason);
    }
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
        let begun = reported.is_some_and(|reported| reported.init.is_some());
        let has_sandbox =
            pod.phase == PodPhase::Running || (begun && pod.phase == PodPhase::Pending);
        tell("PodReadyToStartContainers", has_sandbox, pod.started, "");
        let completed = pod.phase == PodPhase::Succeeded && !pod.spec.init_containers.is_empty();
        match initialized(pod, reported) {
            None => tell("Initialized", false, pod.started, "ContainersNotInitialized"),
            Some(at) if completed => tell("Initialized", true, at, "PodCompleted"),
            Some(at) => tell("Initialized", true, at, ""),
        }
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
    let pending = resize.pending.map(|pending| pending.message);
    let progress = resize.in_progress.map(|progress| progress.error);
    for (condition, message) in found.iter_mut().zip(pending.into_iter().chain(progress)) {
        set(condition, "message", (!message.is_empty()).then(|| message.to_string()));
    }
    found
}
