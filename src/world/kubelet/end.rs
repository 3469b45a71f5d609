//! Pods whose containers end by themselves, for good: those of Jobs.
//!
//! Source: kubernetes `pkg/kubelet/kubelet_pods.go` (`getPhase`), v1.37. Containers of a pod count
//! together: they end at one time with one exit code.

use super::shutdown::TERMINATED;
use super::state::Containers;
use crate::api::PodId;
use crate::api::event::EventType::Warning;
use crate::api::job::completion_index;
use crate::api::pod::{Pod, PodPhase, RestartPolicy, StatusReason};
use crate::control::controllers::action::About;
use crate::units::SimDuration;
use crate::world::world::World;

/// Exit code of containers that are killed, and of those that a kubelet does not find or has never
/// started (`ContainerStatusUnknown`).
pub(super) const LOST: i32 = 137;

/// With what a pod's containers end when they end by themselves.
fn exit_code(pod: &Pod) -> i32 {
    let rank = pod.more.as_ref().map_or(0, |more| more.rank);
    let index = completion_index(pod).map(|index| index as usize);
    pod.spec.behavior.as_ref().map_or(0, |behavior| behavior.exit_code_of(rank, index))
}

impl World<'_> {
    /// How long the containers of a pod run; `None`: until they are stopped.
    pub(super) fn run_time_of(&self, pod: PodId) -> Option<SimDuration> {
        let pod = self.store.pod(pod)?;
        pod.spec.behavior.as_ref()?.run_time(exit_code(pod))
    }

    /// The containers of a pod have done their work, or failed at it.
    pub(super) fn containers_end(&mut self, pod: PodId) {
        let Some(p) = self.store.pod(pod) else { return };
        let code = exit_code(p);
        let restarts = match p.spec.restart_policy {
            RestartPolicy::Always => true,
            RestartPolicy::OnFailure => code != 0,
            RestartPolicy::Never => false,
        };
        if restarts && !self.scenario.flags.kubelet.never_restarts {
            self.container_exits(pod, "Error");
        } else {
            self.end_for_good(pod, code);
        }
    }

    /// A pod's containers have ended for good, with this exit code.
    pub(in crate::world) fn finish_pod(&mut self, pod: PodId, code: i32) {
        self.finish_pod_as(pod, Some(code), None);
    }

    /// The kubelet does not take a pod (`rejectPod`).
    pub(super) fn reject_pod(&mut self, pod: PodId, reason: &'static str, message: String) {
        let told = format!("Pod was rejected: {message}").into();
        self.publish("kubelet", Warning, reason, About::Pod(pod), message);
        let why = StatusReason { reason, message: told };
        self.finish_pod_as(pod, None, Some(Box::new(why)));
    }

    /// A pod is over: its containers have ended with this exit code, if there were any; `why`: its
    /// kubelet's reason, with which it has failed.
    pub(super) fn finish_pod_as(
        &mut self,
        pod: PodId,
        code: Option<i32>,
        why: Option<Box<StatusReason>>,
    ) {
        let now = self.now;
        self.image_was_used(pod);
        if let Some(state) = self.pods.get_mut(pod) {
            state.containers = Containers::Ended;
            state.begin_life();
        }
        self.containers_change(pod);
        self.network.set_alive(now, pod, false);
        self.traffic_changed = true;
        self.unmounts(pod);
        self.store.update_pod(pod, |p| {
            if p.ready {
                (p.ready, p.ready_changed) = (false, now);
            }
            let may_succeed = why.as_ref().is_none_or(|why| {
                why.reason == TERMINATED && p.spec.restart_policy != RestartPolicy::Always
            });
            let is_well = may_succeed && code == Some(0);
            p.phase = if is_well { PodPhase::Succeeded } else { PodPhase::Failed };
            let more = p.more_mut();
            (more.exit_code, more.finished) = (code, now.into());
            more.status = why;
            true
        });
        self.makes_configs(pod);
    }
}
