//! When the kubelet looks again at a pod whose container waits, and what it says about it.
//!
//! Source: kubernetes `pkg/kubelet/pod_workers.go` (`completeWork`) and `kubelet.go` (`syncLoop`),
//! v1.37: a sync that failed is repeated after its wait and up to half of it more, when the sync
//! loop next ticks. A wait that ends between two looks lasts until the second. It does not know why
//! a container waits.

use crate::api::event::EventType;
use crate::api::{NodeId, PodId};
use crate::control::controllers::action::About;
use crate::units::{SimDuration, SimTime};
use crate::world::event::PodStep;
use crate::world::kubelet::state::Trouble;
use crate::world::world::World;

/// Wait after a sync that failed and does not say for how long (`backOffPeriod`).
pub(super) const SYNC_BACK_OFF: SimDuration = SimDuration::from_secs(10);
/// Longest wait between two syncs (`syncFrequency`).
pub(super) const SYNC_FREQUENCY: SimDuration = SimDuration::from_secs(60);
/// How often the sync loop asks which pods are due (`syncTicker`).
const TICK: SimDuration = SimDuration::from_secs(1);

impl World<'_> {
    /// Plans the next look at a pod that waits until `until`; `wait` says how long after a look the
    /// next one is due. Looks that would find nothing new, and of which nobody would hear, are left
    /// out.
    pub(super) fn look_again(
        &mut self,
        pod: PodId,
        until: SimTime,
        wait: impl Fn(SimTime) -> SimDuration,
    ) {
        let now = self.now;
        let Some(state) = self.pods.get_mut(pod) else { return };
        let trouble = state.trouble.get_or_insert_default();
        trouble.looked = now;
        self.walk_looks(pod, now, until, wait);
    }

    /// What a pod waits for has come: its next look is worth it, even if it was to be left out.
    pub(super) fn next_look_counts(&mut self, pod: PodId, wait: impl Fn(SimTime) -> SimDuration) {
        let now = self.now;
        let trouble = self.pods.get(pod).and_then(|state| state.trouble.as_ref());
        if let Some(looked) = trouble.filter(|t| t.next_look > now).map(|t| t.looked) {
            self.walk_looks(pod, looked, now, wait);
        }
    }

    /// Goes from look to look, beginning at `from`, until one counts.
    fn walk_looks(
        &mut self,
        pod: PodId,
        from: SimTime,
        until: SimTime,
        wait: impl Fn(SimTime) -> SimDuration,
    ) {
        let uid = self.store.pod(pod).map_or(0, |p| p.uid);
        let Some(state) = self.pods.get_mut(pod) else { return };
        let trouble = state.trouble.get_or_insert_default();
        let mut at = from;
        loop {
            let wait = wait(at);
            // A draw for each look, by its instant: looks that are gone over again are the same.
            let mut stream = self.streams.stream("pod sync", uid ^ at.0.rotate_left(20));
            let late = SimDuration(stream.below(wait.0 / 2 + 1));
            // Due is what lies before the tick.
            at = SimTime((at + wait + late).0 + 1).next_on_grid(SimTime::ZERO, TICK);
            if at >= until || (at > self.now && trouble.told.has_token(at)) {
                break;
            }
        }
        self.plan_look(pod, at);
    }

    /// Plans a look at a pod; one that was planned before no longer counts.
    pub(super) fn plan_look(&mut self, pod: PodId, at: SimTime) {
        let Some(state) = self.pods.get_mut(pod) else { return };
        state.trouble.get_or_insert_default().next_look = at;
        self.plan_pod(at, pod, PodStep::Sync);
    }

    /// The kubelet looks again at a pod whose container waits.
    pub(super) fn look(&mut self, pod: PodId, node: NodeId) {
        let now = self.now;
        let trouble = self.pods.get_mut(pod).and_then(|state| state.trouble.as_deref_mut());
        if let Some(trouble) = trouble.filter(|trouble| trouble.next_look == now) {
            trouble.next_look = SimTime::NEVER;
            self.start_containers(pod, node, false);
        }
    }

    /// Publishes an Event of the kubelet about a pod; of one in trouble only what the spam filter
    /// lets through.
    pub(super) fn tell_trouble(
        &mut self,
        pod: PodId,
        kind: EventType,
        reason: &'static str,
        message: impl FnOnce() -> String,
    ) {
        let now = self.now;
        let trouble = self.pods.get_mut(pod).and_then(|state| state.trouble.as_deref_mut());
        if trouble.is_none_or(|trouble| trouble.told.try_take(now)) {
            self.publish("kubelet", kind, reason, About::Pod(pod), message());
        }
    }

    /// Says why a pod's container waits.
    pub(super) fn set_waiting(&mut self, pod: PodId, reason: &'static str) {
        let Some(state) = self.pods.get_mut(pod) else { return };
        if state.waiting() != reason {
            state.trouble.get_or_insert_default().waiting = reason;
        }
    }
}

impl Trouble {
    /// The kubelet starts anew: what it kept in memory is gone.
    pub(super) fn forget_back_offs(&mut self) {
        (self.crash, self.pull) = Default::default();
        (self.finished, self.next_look, self.waiting) = (SimTime::NEVER, SimTime::NEVER, "");
    }
}
