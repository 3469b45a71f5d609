//! Containers that exit, and CrashLoopBackOff.

use super::state::Containers;
use crate::api::PodId;
use crate::api::event::EventType::Warning;
use crate::control::controllers::action::About;
use crate::scenario::model::KubeletFlags;
use crate::units::{SimDuration, SimTime};
use crate::world::event::PodStep;
use crate::world::kubelet::PodState;
use crate::world::world::World;

impl World<'_> {
    /// A pod's container exits by itself. Its requests fail from this instant; the kubelet notices
    /// at its next relist.
    pub(in crate::world) fn container_exits(&mut self, pod: PodId, reason: &'static str) {
        let now = self.now;
        let Some(state) = self.pods.get_mut(pod) else { return };
        if state.containers != Containers::Running {
            return;
        }
        state.containers = Containers::Waiting;
        state.incarnation += 1;
        self.containers_change(pod);
        self.network.set_alive(now, pod, false);
        self.traffic_changed = true;
        if reason == "OOMKilled" {
            let message = "Memory cgroup out of memory: Killed process".to_string();
            self.publish("kubelet", Warning, "OOMKilling", About::Pod(pod), message);
        }
        let relist = self.scenario.flags.kubelet.pleg_relist_period;
        let noticed = SimTime(now.0 + 1).next_on_grid(SimTime::ZERO, relist);
        self.plan_pod(noticed, pod, PodStep::Noticed);
    }

    /// The kubelet has noticed the exit: not Ready, and restart now or after the back-off.
    pub(super) fn exit_noticed(&mut self, pod: PodId) {
        let now = self.now;
        let Some(p) = self.store.pod(pod) else { return };
        if p.deletion.is_some() {
            return;
        }
        let container = p.spec.containers.first().map_or("", |c| &*c.name);
        let message = format!(
            "Back-off restarting failed container {container} in pod {}_{}({})",
            p.name(),
            p.namespace,
            p.uid
        );
        let Some(state) = self.pods.get_mut(pod) else { return };
        let wait = state.restart_wait(now, &self.scenario.flags.kubelet);
        let workload = state.workload();
        self.store.set_pod_ready(pod, false, now);
        self.store.update_pod(pod, |p| {
            p.restarts += 1;
            p.crash_loop = wait > SimDuration::ZERO;
            true
        });
        if let Some(workload) = workload {
            self.recorder.totals.restarts[workload] += 1;
        }
        if wait > SimDuration::ZERO {
            self.publish("kubelet", Warning, "BackOff", About::Pod(pod), message);
        }
        self.plan_pod(now + wait, pod, PodStep::Pulled);
    }
}

impl PodState {
    /// How long the next restart waits, and raises the back-off for the one after.
    ///
    /// The first exit restarts at once; then 10 s, doubling to 5 min; a container that has run for
    /// twice the longest wait begins anew (kuberuntime_manager.go `doBackOff`, client-go
    /// `flowcontrol.Backoff`, v1.37).
    fn restart_wait(&mut self, now: SimTime, kubelet: &KubeletFlags) -> SimDuration {
        let trouble = self.trouble.get_or_insert_default();
        let expired = now.since(trouble.back_off_raised) > kubelet.crash_loop_max * 2;
        if trouble.back_off == SimDuration::ZERO || expired {
            trouble.back_off = kubelet.crash_loop_initial;
            trouble.back_off_raised = now;
            return SimDuration::ZERO;
        }
        let wait = trouble.back_off;
        trouble.back_off = (trouble.back_off * 2).min(kubelet.crash_loop_max);
        trouble.back_off_raised = now + wait;
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crash_loops_back_off_as_upstream() {
        let kubelet = KubeletFlags::default();
        let mut state = PodState::new(None);
        let mut now = SimTime::from_secs(100);
        let mut waits = Vec::new();
        for _ in 0..8 {
            let wait = state.restart_wait(now, &kubelet);
            waits.push(wait.0 / 1_000_000_000);
            now = now + wait + SimDuration::from_secs(3);
        }
        assert_eq!(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
        now += SimDuration::from_secs(601);
        assert_eq!(
            state.restart_wait(now, &kubelet),
            SimDuration::ZERO,
            "ten minutes without a crash forgive"
        );
    }
}
