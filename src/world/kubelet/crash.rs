//! Containers that exit, and CrashLoopBackOff.
//!
//! Source: kubernetes `pkg/kubelet/kuberuntime/kuberuntime_manager.go` (`doBackOff`), v1.37. The
//! first exit restarts at once; then 10 s, doubling to 5 min, counted from the container's end.

use super::end::LOST;
use super::state::Containers;
use super::sync::SYNC_FREQUENCY;
use crate::api::container_status::Termination;
use crate::api::event::EventType::Warning;
use crate::api::pod::RestartPolicy;
use crate::api::{NodeId, PodId};
use crate::control::controllers::action::About;
use crate::units::SimTime;
use crate::world::event::PodStep;
use crate::world::world::World;

impl World<'_> {
    /// A pod's container exits by itself. Its requests fail from this instant; the kubelet notices
    /// at its next relist.
    pub(in crate::world) fn container_exits(&mut self, pod: PodId, reason: &'static str) {
        let now = self.now;
        if !self.life_ends(pod, reason, Termination::exit_code_of(reason)) {
            return;
        }
        if reason == "OOMKilled" {
            self.tell_vpas_of_oom(pod);
            let message = "Memory cgroup out of memory: Killed process".to_string();
            self.publish("kubelet", Warning, "OOMKilling", About::Pod(pod), message);
        }
        let relist = self.scenario.flags.kubelet.pleg_relist_period;
        let noticed = SimTime(now.0 + 1).next_on_grid(SimTime::ZERO, relist);
        self.plan_pod(noticed, pod, PodStep::Noticed);
    }

    /// The containers of a pod end, and others may take their place; false: they do not run.
    pub(super) fn life_ends(&mut self, pod: PodId, reason: &'static str, exit_code: i32) -> bool {
        let now = self.now;
        let Some(state) = self.pods.get_mut(pod) else { return false };
        if state.containers != Containers::Running {
            return false;
        }
        state.containers = Containers::Waiting;
        state.begin_life();
        let started = state.container_started;
        let trouble = state.trouble.get_or_insert_default();
        trouble.finished = now;
        trouble.last_end = Some(Termination { reason, exit_code, started, finished: now });
        self.containers_change(pod);
        self.network.set_alive(now, pod, false);
        self.traffic_changed = true;
        true
    }

    /// The kubelet has noticed the exit: not Ready, and restart now or after the back-off.
    pub(super) fn exit_noticed(&mut self, pod: PodId, node: NodeId) {
        let trouble = self.pods.get(pod).and_then(|state| state.trouble.as_ref());
        let finished = trouble.map_or(SimTime::NEVER, |trouble| trouble.finished);
        self.restart_containers(pod, node, finished);
    }

    /// A container that a probe has condemned has ended: the kubelet has waited for it, and starts
    /// it again in the same sync. What it knew of the pod before counts for the back-off: the end
    /// before this one (`doBackOff` looks at the status that the sync began with).
    pub(super) fn container_killed(&mut self, pod: PodId, node: NodeId) {
        let trouble = self.pods.get(pod).and_then(|state| state.trouble.as_ref());
        let Some(trouble) = trouble else { return };
        let code = trouble.health.condemned.unwrap_or(LOST);
        let before = trouble.last_end.map_or(SimTime::NEVER, |last| last.finished);
        if self.store.pod(pod).is_none_or(|p| p.spec.restart_policy == RestartPolicy::Never) {
            self.end_for_good(pod, code);
            return;
        }
        let reason = if code == 0 { "Completed" } else { "Error" };
        if self.life_ends(pod, reason, code) {
            self.restart_containers(pod, node, before);
        }
    }

    /// The containers of a pod have ended: they start again, now or after the back-off of what
    /// ended at `finished`.
    pub(super) fn restart_containers(&mut self, pod: PodId, node: NodeId, finished: SimTime) {
        let now = self.now;
        if self.store.pod(pod).is_none_or(|p| p.deletion.is_some()) {
            return;
        }
        let until = self.crash_back_off(pod, finished);
        // Those of init containers are counted with them.
        let counts = !self.is_initializing(pod);
        self.store.set_pod_ready(pod, false, now);
        self.store.update_pod(pod, |p| {
            p.restarts += u32::from(counts);
            p.crash_loop = until.is_some();
            true
        });
        let workload = self.pods.get(pod).and_then(|state| state.workload());
        if let Some(workload) = workload.filter(|_| counts) {
            self.recorder.totals.restarts[workload] += 1;
        }
        if !self.waits_since(pod, finished) {
            self.ensure_image(pod, node, false);
        }
    }

    /// Until when the containers of a pod may not restart, because of what ended at `finished`.
    fn crash_back_off(&self, pod: PodId, finished: SimTime) -> Option<SimTime> {
        let trouble = self.pods.get(pod)?.trouble.as_ref()?;
        let ended = finished != SimTime::NEVER;
        ended.then(|| trouble.crash.since_end(finished, self.now))?
    }

    /// Whether the containers of a pod have to wait; if so says it and looks again later, else the
    /// next wait is longer.
    pub(super) fn waits_after_crash(&mut self, pod: PodId) -> bool {
        let trouble = self.pods.get(pod).and_then(|state| state.trouble.as_ref());
        let finished = trouble.map_or(SimTime::NEVER, |trouble| trouble.finished);
        self.waits_since(pod, finished)
    }

    fn waits_since(&mut self, pod: PodId, finished: SimTime) -> bool {
        let now = self.now;
        let Some(until) = self.crash_back_off(pod, finished) else {
            let kubelet = &self.scenario.flags.kubelet;
            let (first, most) = (kubelet.crash_loop_initial, kubelet.crash_loop_max);
            let trouble = self.pods.get_mut(pod).and_then(|state| state.trouble.as_deref_mut());
            if let Some(trouble) = trouble.filter(|_| finished != SimTime::NEVER) {
                trouble.crash.raise(finished, now, first, most);
            }
            return false;
        };
        self.set_waiting(pod, "CrashLoopBackOff");
        let Some(p) = self.store.pod(pod) else { return true };
        let init = self.init_container(pod).map(|(_, container)| container);
        let container = init.or(p.spec.containers.first()).map_or("", |c| &*c.name);
        let message = format!(
            "Back-off restarting failed container {container} in pod {}_{}({})",
            p.name(),
            p.namespace,
            p.uid
        );
        self.tell_trouble(pod, Warning, "BackOff", || message);
        // The back-off says when it ends, so the kubelet does not look much later.
        self.look_again(pod, until, |at| until.since(at).min(SYNC_FREQUENCY));
        true
    }
}
