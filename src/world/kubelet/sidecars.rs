//! How sidecars end: after the containers of their pod, the last one first.
//!
//! Source: kubernetes `pkg/kubelet/kuberuntime/kuberuntime_termination_order.go` and
//! `kuberuntime_container.go` (`killContainer`), v1.37. Each waits for the main containers and for
//! the sidecar after it, but not longer than the grace period; then it has what is left of that, at
//! least two seconds. Its preStop hook does not wait. It does not know why a pod ends.

use super::state::Containers;
use crate::api::PodId;
use crate::api::event::EventType::Normal;
use crate::api::pod::{Pod, PodPhase};
use crate::control::controllers::action::About;
use crate::units::{SimDuration, SimTime};
use crate::world::event::PodStep;
use crate::world::world::World;

/// `minimumGracePeriodInSeconds`
const LEAST_GRACE: SimDuration = SimDuration::from_secs(2);

fn has_sidecars(pod: &Pod) -> bool {
    pod.spec.init_containers.iter().any(|container| container.sidecar)
}

/// When the last of some sidecars has ended, counted from the order to stop: the main containers
/// end after `main`, and each sidecar, in the order in which they end, has a preStop hook of some
/// length and then takes some time after its SIGTERM.
fn last_end(
    main: SimDuration,
    grace: SimDuration,
    sidecars: impl Iterator<Item = (SimDuration, SimDuration)>,
) -> SimDuration {
    let (mut end, mut before) = (main, main);
    for (pre_stop, takes) in sidecars {
        let begins = before.max(pre_stop).min(grace);
        // What it has waited counts in whole seconds.
        let waited = SimDuration::from_secs(begins.0 / SimDuration::from_secs(1).0);
        let left = SimDuration(grace.0.saturating_sub(waited.0)).max(LEAST_GRACE);
        before = begins + takes.min(left);
        end = end.max(before);
    }
    end
}

impl World<'_> {
    /// The init containers of a pod that run, by their place: sidecars, and the one whose turn it
    /// is.
    fn running_init(&self, pod: PodId) -> Vec<usize> {
        let (Some(p), Some(state)) = (self.store.pod(pod), self.pods.get(pod)) else {
            return Vec::new();
        };
        let all = &p.spec.init_containers;
        let trouble = state.trouble.as_ref();
        let init = trouble.and_then(|trouble| trouble.init.as_ref());
        // They have been running, or ended by themselves.
        let has_ended = trouble.is_some_and(|trouble| trouble.finished != SimTime::NEVER);
        let is_up = state.containers == Containers::Running || has_ended;
        let (started, turn) = match init {
            Some(init) if init.at < all.len() => {
                (init.at, (init.running != SimTime::NEVER).then_some(init.at))
            }
            // Their pod has come as far as its containers.
            Some(_) => (all.len(), None),
            None if p.phase == PodPhase::Running && is_up => (all.len(), None),
            None => (0, None),
        };
        let sidecars = (0..started).filter(|place| all[*place].sidecar);
        sidecars.chain(turn).collect()
    }

    /// How long a pod takes to stop whose containers end after `main`, its sidecars after them; the
    /// kubelet says that it stops those.
    pub(super) fn sidecars_stop(
        &mut self,
        pod: PodId,
        main: SimDuration,
        grace: SimDuration,
    ) -> SimDuration {
        let running = self.running_init(pod);
        let Some(p) = self.store.pod(pod).filter(|_| !running.is_empty()) else { return main };
        let spec = std::sync::Arc::clone(&p.spec);
        for place in &running {
            let message = format!("Stopping container {}", spec.init_containers[*place].name);
            self.publish("kubelet", Normal, "Killing", About::Pod(pod), message);
        }
        let kubelet = &self.scenario.flags.kubelet;
        let ends = running.iter().rev().map(|place| {
            let takes = self.sample_of_init(pod, place + 128, &kubelet.termination);
            (spec.init_containers[*place].pre_stop, takes)
        });
        last_end(main, grace, ends)
    }

    /// The containers of a pod have ended for good, with this exit code, and so does the pod when
    /// its sidecars have.
    pub(super) fn end_for_good(&mut self, pod: PodId, code: i32) {
        let has_some = self.store.pod(pod).is_some_and(has_sidecars);
        let reason = if code == 0 { "Completed" } else { "Error" };
        if !has_some {
            self.finish_pod(pod, code);
        } else if self.life_ends(pod, reason, code) {
            self.sidecars_end_after(pod, self.next_relist(self.now), code);
        }
    }

    /// With what the containers of a pod have ended that has sidecars beside them.
    pub(super) fn end_beside_sidecars(&self, pod: PodId) -> Option<i32> {
        self.store.pod(pod).filter(|p| has_sidecars(p))?;
        let trouble = self.pods.get(pod)?.trouble.as_ref()?;
        let last = trouble.last_end.filter(|_| trouble.finished != SimTime::NEVER);
        last.map(|last| last.exit_code)
    }

    /// The others of a pod have ended for good, which its kubelet notices at `noticed`: what was
    /// there for them alone ends too, and then the pod, with this exit code.
    pub(super) fn sidecars_end_after(&mut self, pod: PodId, noticed: SimTime, code: i32) {
        if self.running_init(pod).is_empty() {
            self.finish_pod(pod, code);
        } else {
            self.plan_pod(noticed, pod, PodStep::SidecarsStop(code));
        }
    }

    /// The kubelet sees that only sidecars are left.
    pub(super) fn only_sidecars_left(&mut self, pod: PodId, code: i32) {
        let Some(p) = self.store.pod(pod) else { return };
        let grace = p.spec.termination_grace;
        let now = self.now;
        self.store.set_pod_ready(pod, false, now);
        let takes = self.sidecars_stop(pod, SimDuration::ZERO, grace);
        self.plan_pod(now + takes, pod, PodStep::SidecarsEnded(code));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sidecars_end_one_after_the_other() {
        let s = SimDuration::from_millis;
        type Row<'a> = (&'a str, u64, u64, &'a [(u64, u64)], u64);
        // Milliseconds: the main containers, the grace period, hook and end of each sidecar.
        let rows: [Row<'_>; 8] = [
            ("without sidecars the containers count", 4_000, 30_000, &[], 4_000),
            ("one comes after the containers", 4_000, 30_000, &[(0, 1_000)], 5_000),
            ("the next one after it", 4_000, 30_000, &[(0, 1_000), (0, 2_000)], 7_000),
            ("hooks run beside the containers", 4_000, 30_000, &[(3_000, 1_000)], 5_000),
            ("a longer hook is waited for", 4_000, 30_000, &[(9_000, 1_000)], 10_000),
            (
                "a sidecar has what is left of the grace period",
                25_000,
                30_000,
                &[(0, 60_000)],
                30_000,
            ),
            ("and at least two seconds", 30_000, 30_000, &[(0, 60_000)], 32_000),
            (
                "all at once, when nothing is left",
                30_000,
                30_000,
                &[(0, 60_000), (0, 1_000)],
                32_000,
            ),
        ];
        for (sentence, main, grace, sidecars, end) in rows {
            let given = sidecars.iter().map(|(hook, takes)| (s(*hook), s(*takes)));
            assert_eq!(last_end(s(main), s(grace), given), s(end), "{sentence}");
        }
    }
}
