//! Pods that go: graceful termination, and what a dead machine leaves behind.

use super::end::LOST;
use super::state::Containers;
use crate::api::event::EventType::Normal;
use crate::api::pod::{PodPhase, RestartPolicy};
use crate::api::{NodeId, PodId};
use crate::control::controllers::action::About;
use crate::units::{OptionalTime, SimDuration};
use crate::world::event::{Event, PodStep};
use crate::world::world::World;

impl World<'_> {
    /// The kubelet sees the deletion: preStop, SIGTERM, and the end at the latest when the grace
    /// period is over.
    pub(super) fn stop_pod(&mut self, pod: PodId) {
        let now = self.now;
        let Some(p) = self.store.pod(pod) else { return };
        let Some(state) = self.pods.get_mut(pod) else { return };
        let grace = state.trouble.as_ref().and_then(|trouble| trouble.grace);
        let grace = grace.unwrap_or(p.spec.termination_grace);
        let running = state.containers == Containers::Running;
        let hung = state.is_hung();
        // Whatever its life had planned is off; the end is what comes.
        state.begin_life();
        let pre_stop =
            p.spec.containers.iter().map(|c| c.pre_stop).max().unwrap_or(SimDuration::ZERO);
        let name = p.spec.containers.first().map(|c| c.name.clone()).unwrap_or_else(|| "".into());
        let main = if running {
            let told = p.spec.behavior.as_ref().and_then(|behavior| behavior.stop);
            let ends = told.unwrap_or_else(|| {
                self.sample_for(pod, "termination", &self.scenario.flags.kubelet.termination)
            });
            // What hangs does not hear SIGTERM.
            if hung { grace } else { (pre_stop + ends).min(grace) }
        } else {
            SimDuration::ZERO
        };
        if running {
            self.publish(
                "kubelet",
                Normal,
                "Killing",
                About::Pod(pod),
                format!("Stopping container {name}"),
            );
        }
        let takes = self.sidecars_stop(pod, main, grace);
        self.plan_pod(now + takes, pod, PodStep::Stopped);
    }

    /// The containers have ended: the kubelet removes the object.
    pub(super) fn pod_stopped(&mut self, pod: PodId) {
        let now = self.now;
        self.pod_is_cleaned_up(pod);
        let Some(p) = self.store.pod(pod) else { return };
        let is_going = p.deletion.is_some();
        let trouble = self.pods.get_mut(pod).and_then(|state| state.trouble.as_deref_mut());
        let fate = trouble.and_then(|trouble| trouble.fate.take());
        if let Some(fate) = fate.filter(|_| !is_going) {
            let code = p.spec.behavior.as_ref().map_or(LOST, |behavior| behavior.stop_exit_code);
            self.finish_pod_as(pod, Some(code), Some(fate));
            return;
        }
        if p.is_tracked() {
            // Its Job still has to see how it ended.
            if !p.phase.is_terminal() {
                let told = p.spec.behavior.as_ref().map_or(0, |behavior| behavior.stop_exit_code);
                let code = match self.end_beside_sidecars(pod) {
                    _ if self.is_stopping(pod) => told,
                    known => known.unwrap_or(LOST),
                };
                self.finish_pod(pod, code);
            }
            return;
        }
        self.image_was_used(pod);
        if let Some(state) = self.pods.get_mut(pod) {
            state.containers = Containers::Ended;
        }
        self.containers_change(pod);
        self.network.set_alive(now, pod, false);
        self.traffic_changed = true;
        if !self.unmounts(pod) {
            self.store.remove_pod(pod);
        }
    }

    /// Whether a pod's containers still run, or its kubelet has yet to end them.
    pub(in crate::world) fn is_stopping(&self, pod: PodId) -> bool {
        self.pods.get(pod).is_some_and(|state| state.containers == Containers::Running)
    }

    /// A machine dies: every container on it with it.
    pub(in crate::world) fn machine_dies(&mut self, node: NodeId) {
        let now = self.now;
        let Some(state) = self.nodes.get_mut(node) else { return };
        if !state.alive {
            return;
        }
        state.alive = false;
        state.crashes += 1;
        state.falls_silent(now);
        state.images.drop_unfinished();
        state.start_gate = now;
        for pod in self.store.pods_on(node).to_vec() {
            if self.store.pod(pod).is_some_and(|p| p.phase.is_terminal()) {
                continue;
            }
            if let Some(state) = self.pods.get_mut(pod) {
                state.containers = Containers::Waiting;
                state.begin_life();
                if let Some(trouble) = &mut state.trouble {
                    trouble.forget_back_offs();
                    trouble.init = None;
                }
            }
            self.containers_change(pod);
            self.network.set_alive(now, pod, false);
        }
        self.forget_pressures(node);
        self.forget_shutdown(node);
        self.traffic_changed = true;
        self.node_answers_otherwise();
        self.heartbeats_changed(node);
    }

    /// A kubelet that has just begun gets to know a pod: from the API server, if it is not one of
    /// its own.
    fn know_pod(&mut self, pod: PodId, step: PodStep) {
        let is_own = self.store.pod(pod).is_some_and(|p| p.spec.is_mirror);
        if is_own || !self.outages.is_down() {
            return self.plan_pod(self.now, pod, step);
        }
        if let Some(incarnation) = self.pods.get(pod).map(|state| state.incarnation) {
            self.outages.hold(self.now, Event::Kubelet { pod, incarnation, step });
        }
    }

    /// A machine is back with an empty memory and a full disk: its kubelet finishes what was marked
    /// for deletion and starts the rest anew, but for pods that are never restarted: those failed.
    pub(in crate::world) fn machine_returns(&mut self, node: NodeId) {
        let now = self.now;
        let Some(state) = self.nodes.get_mut(node) else { return };
        state.alive = true;
        state.silent_since = OptionalTime::NONE;
        state.start_gate = now;
        self.static_pods_begin_anew(node);
        for pod in self.store.pods_on(node).to_vec() {
            let Some(p) = self.store.pod(pod) else { continue };
            if p.deletion.is_some() {
                self.know_pod(pod, PodStep::Stop);
                continue;
            }
            if p.phase.is_terminal() {
                continue;
            }
            let was_running = p.phase == PodPhase::Running;
            if was_running && p.spec.restart_policy == RestartPolicy::Never {
                self.finish_pod(pod, LOST);
                continue;
            }
            self.store.set_pod_ready(pod, false, now);
            if was_running {
                self.store.update_pod(pod, |p| {
                    p.restarts += 1;
                    true
                });
                if let Some(w) = self.pods.get(pod).and_then(|state| state.workload()) {
                    self.recorder.totals.restarts[w] += 1;
                }
            }
            self.know_pod(pod, PodStep::Seen);
        }
        self.node_reports_ready(node);
        self.pressures_are_over(node);
        self.node_answers_otherwise();
        self.status_may_change(node);
        self.heartbeats_changed(node);
    }
}
