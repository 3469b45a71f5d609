//! Pods that are changed in place: what is asked of the API server, whether the node has room, and
//! when it is in force.
//!
//! Source: kubernetes `pkg/kubelet/allocation/allocation_manager.go` (`handlePodResourcesResize`,
//! `canResizePod`, `sortPendingResizes`), `pkg/kubelet/events/resize.go` and
//! `pkg/apis/core/validation/validation.go` (`ValidatePodResize`), v1.37. A change that waits is
//! looked at again when room may have come: when a pod of the node ends, goes or is changed. The
//! kubelet's own look every three minutes would find nothing else. Containers are not restarted
//! (`resizePolicy` is not read). It does not know who wants a change, or why.

use super::sync::SYNC_BACK_OFF;
use crate::api::event::EventType::{self, Normal, Warning};
use crate::api::pod::{Container, Pod, PodSpec};
use crate::api::qos::Qos;
use crate::api::quantity::Quantity;
use crate::api::refusal::{Cause, Refusal};
use crate::api::resize::{InProgress, Pending, PendingReason, Resize};
use crate::api::{NodeId, PodId};
use crate::control::controllers::action::About;
use crate::units::SimTime;
use crate::world::event::{Event, NodeStep};
use crate::world::memory::limit_of;
use crate::world::world::World;
use std::sync::Arc;

/// Why a change is not allocated, with the condition's message.
type Why = (PendingReason, String);

impl World<'_> {
    /// The API server is asked to change what a pod requests, and its limits; false: it refuses.
    pub(in crate::world) fn ask_for_resize(&mut self, id: PodId, spec: Arc<PodSpec>) -> bool {
        let Some(pod) = self.store.pod(id) else {
            let message = "pods not found".to_owned();
            self.refused = Some(Refusal { code: 404, message, cause: Cause::None });
            return false;
        };
        let class = Qos::of(&pod.spec);
        let why = match () {
            () if pod.spec.is_mirror => "spec: Forbidden: static pods cannot be resized".to_owned(),
            () if Qos::of(&spec) != class => format!(
                "spec: Invalid value: \"{}\": Pod QOS Class may not change as a result of resizing",
                class.as_str()
            ),
            () => String::new(),
        };
        if !why.is_empty() {
            self.refused = Some(Refusal::invalid("Pod", &pod.name(), &[why]));
            return false;
        }
        if *spec == **pod.wanted_spec() {
            return true;
        }
        let node = pod.node;
        // From now on a pod may come to a node that has no room for it any more.
        self.names_nodes = true;
        self.store.resize_pod(id, |resize, has| {
            resize.wanted = (*spec != **has).then_some(spec);
            resize.changes += 1;
            true
        });
        let at = self.seen_on(node);
        if let Some(node) = node {
            self.kubelets.resizes.entry(node).or_default().insert(id, at);
            self.plan(at, Event::Node(node, NodeStep::Resize));
        }
        true
    }

    /// A pod of a node has ended, or is gone: there may be room for changes that wait.
    pub(in crate::world) fn room_comes(&mut self, node: Option<NodeId>) {
        if let Some(node) = node.filter(|node| self.kubelets.resizes.contains_key(node)) {
            self.plan(self.now, Event::Node(node, NodeStep::Resize));
        }
    }

    /// The kubelet looks at the changes that it knows of.
    pub(super) fn look_at_resizes(&mut self, node: NodeId) {
        if self.outages.is_down() {
            return self.outages.hold(self.now, Event::Node(node, NodeStep::Resize));
        }
        let now = self.now;
        for id in self.seen_resizes(node) {
            let is_due = |progress: &InProgress| self.next_relist(progress.since) <= now;
            let resize = self.store.pod(id).and_then(Pod::resize);
            if resize.and_then(|r| r.in_progress.as_ref()).is_some_and(is_due) {
                self.actuate(id, node);
            }
        }
        let mut waiting = self.seen_resizes(node);
        waiting.retain(|id| self.store.pod(*id).is_some_and(|pod| wanted(pod).is_some()));
        waiting.sort_by_cached_key(|id| self.store.pod(*id).map(rank));
        for id in waiting {
            self.try_to_allocate(id, node);
        }
        self.forget_resizes(node);
    }

    /// Pods whose changes a kubelet has seen by now, oldest first.
    fn seen_resizes(&self, node: NodeId) -> Vec<PodId> {
        let known = self.kubelets.resizes.get(&node).into_iter().flatten();
        let seen = known.filter(|(_, seen)| **seen <= self.now).map(|(id, _)| *id);
        let lives = |pod: &Pod| pod.deletion.is_none() && !pod.phase.is_terminal();
        let mut seen: Vec<PodId> =
            seen.filter(|id| self.store.pod(*id).is_some_and(lives)).collect();
        seen.sort_by_cached_key(|id| self.store.pod(*id).map(|pod| pod.uid));
        seen
    }

    /// What is in force, refused for good or gone is looked at no more.
    fn forget_resizes(&mut self, node: NodeId) {
        let now = self.now;
        let Some(known) = self.kubelets.resizes.get_mut(&node) else { return };
        let (store, unseen) = (&self.store, |seen: SimTime| seen > now);
        known.retain(|id, seen| {
            let Some(pod) = store.pod(*id).filter(|pod| !pod.phase.is_terminal()) else {
                return false;
            };
            let resize = pod.resize();
            unseen(*seen)
                || resize.is_some_and(|r| r.may_come().is_some() || r.in_progress.is_some())
        });
        if known.is_empty() {
            self.kubelets.resizes.remove(&node);
        }
    }

    /// Allocates what is wanted for a pod, or says why not.
    fn try_to_allocate(&mut self, id: PodId, node: NodeId) {
        let now = self.now;
        let Some(pod) = self.store.pod(id) else { return };
        let Some(spec) = wanted(pod).cloned() else { return };
        let Some((reason, message)) = self.has_no_room(pod, node, &spec) else {
            return self.allocate(id, node);
        };
        let mut is_news = false;
        self.store.resize_pod(id, |resize, _| {
            let before = resize.pending.as_ref();
            let since = before.map_or(now, |before| before.since);
            let pending =
                Pending { reason, message: message.as_str().into(), since, of: resize.changes };
            is_news = before != Some(&pending);
            resize.pending = Some(pending);
            is_news
        });
        if is_news {
            let (event, prefix) = match reason {
                PendingReason::Deferred => ("ResizeDeferred", "Pod resize Deferred"),
                PendingReason::Infeasible => ("ResizeInfeasible", "Pod resize Infeasible"),
            };
            self.tell_of_resize(id, Warning, event, prefix, &message);
        }
    }

    /// Why a node has no room for a pod that is to be like this; `None`: it has.
    fn has_no_room(&self, pod: &Pod, node: NodeId, spec: &PodSpec) -> Option<Why> {
        let has = &self.store.node(node)?.allocatable;
        let wanted = spec.requests();
        for (name, wanted, has) in
            [("memory", wanted.memory.0, has.memory.0), ("cpu", wanted.cpu.0, has.cpu.0)]
        {
            if wanted > has {
                let message = format!(
                    "Node didn't have enough capacity: {name}, requested: {wanted}, capacity: {has}"
                );
                return Some((PendingReason::Infeasible, message));
            }
        }
        let (_, message) = self.has_no_room_for(pod, spec, node)?;
        Some((PendingReason::Deferred, message))
    }

    /// The node has room: what is wanted is the pod's from now on, and the runtime is told.
    fn allocate(&mut self, id: PodId, node: NodeId) {
        let now = self.now;
        self.charge_before_resize(id);
        let cpu = |world: &Self| world.store.pod(id).map(|pod| world.requested_cpu(pod));
        let before = cpu(self).unwrap_or_default();
        self.store.resize_pod(id, |resize, has| {
            if let Some(wanted) = resize.wanted.take() {
                *has = wanted;
            }
            resize.pending = None;
            resize.in_progress = Some(InProgress { since: now, error: "".into() });
            true
        });
        let after = cpu(self).unwrap_or_default();
        if let Some(workload) = self.pods.get(id).and_then(|state| state.workload()) {
            let all = &mut self.cpu_requested[workload];
            *all = *all + after - before;
        }
        self.tell_of_resize(id, Normal, "ResizeStarted", "Pod resize started", "");
        self.plan(self.next_relist(now), Event::Node(node, NodeStep::Resize));
    }

    /// The runtime has set what is allocated, if the containers do not use more than that.
    fn actuate(&mut self, id: PodId, node: NodeId) {
        let Some(pod) = self.store.pod(id) else { return };
        let used = self.measured_memory(id);
        let too_low = limit_of(&pod.spec).map(|limit| limit.0).filter(|limit| *limit < used);
        let error = too_low.map_or_else(String::new, |limit| {
            format!("attempting to set pod memory limit ({limit}) below current usage ({used})")
        });
        let (fails, mut is_news) = (!error.is_empty(), false);
        self.store.resize_pod(id, |resize, _| {
            let Some(progress) = &mut resize.in_progress else { return false };
            is_news = progress.error.is_empty();
            if fails {
                progress.error = error.as_str().into();
            } else {
                (resize.in_progress, is_news) = (None, true);
            }
            is_news
        });
        if fails {
            self.plan(self.now + SYNC_BACK_OFF, Event::Node(node, NodeStep::Resize));
            if is_news {
                self.tell_of_resize(id, Warning, "ResizeError", "Pod resize error", &error);
            }
            return;
        }
        self.pod_can_do_otherwise(id);
        self.tell_of_resize(id, Normal, "ResizeCompleted", "Pod resize completed", "");
    }

    /// An Event about a change, with what the pod is to have (`podResizeMessage`).
    fn tell_of_resize(
        &mut self,
        id: PodId,
        kind: EventType,
        reason: &'static str,
        prefix: &str,
        error: &str,
    ) {
        let Some(pod) = self.store.pod(id) else { return };
        let generation = 1 + pod.resize().map_or(0, |resize| resize.changes);
        let spec = pod.wanted_spec();
        let list = |containers: &[Container]| -> String {
            containers.iter().map(summary).collect::<Vec<_>>().join(",")
        };
        let mut message = format!("{prefix}: {{");
        let sidecars: Vec<Container> =
            spec.init_containers.iter().filter(|c| c.sidecar).cloned().collect();
        if !sidecars.is_empty() {
            message += &format!("\"initContainers\":[{}],", list(&sidecars));
        }
        message += &format!("\"containers\":[{}]", list(&spec.containers));
        message += &format!(",\"generation\":{generation}");
        if !error.is_empty() {
            message += &format!(",\"error\":{error:?}");
        }
        message.push('}');
        self.publish("kubelet", kind, reason, About::Pod(id), message);
    }
}

/// What a pod is to be that may still be allocated. What was refused for good is looked at again
/// when something else is asked for.
fn wanted(pod: &Pod) -> Option<&Arc<PodSpec>> {
    let resize = pod.resize()?;
    let is_old = resize.pending.as_ref().is_some_and(|pending| pending.of != resize.changes);
    if is_old { resize.wanted.as_ref() } else { resize.may_come() }
}

/// The order of changes that wait: those that ask for no more first, then those of higher priority,
/// then those of Guaranteed pods, then those that have waited longest.
fn rank(pod: &Pod) -> (bool, i64, bool, SimTime, u64) {
    let increases = wanted(pod).is_some_and(|wanted| {
        let (wanted, has) = (wanted.requests(), pod.spec.requests());
        wanted.cpu > has.cpu || wanted.memory > has.memory
    });
    let since = |resize: &Resize| resize.pending.as_ref().map(|pending| pending.since);
    let since = pod.resize().and_then(since).unwrap_or(SimTime::NEVER);
    let is_sure = Qos::of(&pod.spec) == Qos::Guaranteed;
    (increases, -i64::from(pod.spec.priority), !is_sure, since, pod.uid)
}

/// A container with its resources, in JSON.
fn summary(container: &Container) -> String {
    let list = |cpu: Option<i64>, memory: Option<i64>| -> String {
        let cpu =
            cpu.map(|cpu| format!("\"cpu\":\"{}\"", Quantity::of_milli(cpu).canonical(false)));
        let memory =
            memory.map(|bytes| format!("\"memory\":\"{}\"", Quantity::of(bytes).canonical(true)));
        cpu.into_iter().chain(memory).collect::<Vec<_>>().join(",")
    };
    let some = |amount: i64| (amount != 0).then_some(amount);
    let (cpu, memory) = (container.cpu_limit, container.memory_limit);
    let limits = list(cpu.map(|cpu| cpu.0), memory.map(|memory| memory.0));
    let requests = list(some(container.requests.cpu.0), some(container.requests.memory.0));
    let named = |name: &str, list: String| match list.as_str() {
        "" => None,
        list => Some(format!("\"{name}\":{{{list}}}")),
    };
    let both = named("limits", limits).into_iter().chain(named("requests", requests));
    let both = both.collect::<Vec<_>>().join(",");
    format!("{{\"name\":\"{}\",\"resources\":{{{both}}}}}", container.name)
}
