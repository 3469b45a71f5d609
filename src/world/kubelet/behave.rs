//! What containers do of themselves: end, crash, hang, leak.
//!
//! When is drawn or told, once for each life of a container; how it is found out and what follows
//! is the business of probes and restarts.

use super::state::Containers;
use crate::api::PodId;
use crate::units::{Bytes, SimTime};
use crate::world::event::PodStep;
use crate::world::memory::{limit_of, time_to_fill};
use crate::world::world::World;

impl World<'_> {
    /// Plans what a pod's containers, which have just started, will do of themselves. `has_run`:
    /// they have been running for a while.
    pub(in crate::world) fn begin_behavior(&mut self, pod: PodId, has_run: bool) {
        let now = self.now;
        if let Some(after) = self.run_time_of(pod) {
            self.plan_pod(now + after, pod, PodStep::Ended);
        }
        let Some(p) = self.store.pod(pod) else { return };
        if let Some(behavior) = p.spec.behavior.as_deref() {
            let (hang, base, growth) = (behavior.hang, behavior.memory, behavior.memory_growth);
            let limit = limit_of(&p.spec).filter(|_| growth > Bytes::ZERO);
            if let Some(after) = hang {
                self.plan_pod(now + after, pod, PodStep::Hang);
            }
            if let Some(limit) = limit {
                let life = time_to_fill((limit.0 - base.0) as f64, growth);
                self.plan_pod(now + life, pod, PodStep::OutOfMemory);
            }
        }
        let Some(workload) = self.pods.get(pod).and_then(|state| state.workload()) else { return };
        let failings = &self.scenario.workloads[workload].failings;
        if let Some(after) = &failings.crash_after {
            let after = self.sample_for(pod, "crash after", after);
            self.plan_pod(now + after, pod, PodStep::Exit);
        }
        if let Some(after) = &failings.hang_after {
            let after = self.sample_for(pod, "hang after", after);
            self.plan_pod(now + after, pod, PodStep::Hang);
        }
        self.memory_grows(pod, workload, has_run);
    }

    /// A pod's containers hang: they are there and answer nothing. `by` an entry of the timeline.
    pub(in crate::world) fn containers_hang(&mut self, pod: PodId, by: u32) {
        let now = self.now;
        let is_ready = self.store.pod(pod).is_some_and(|p| p.ready);
        let answered = is_ready || self.network.is_alive(pod);
        let Some(state) = self.pods.get_mut(pod) else { return };
        if state.containers != Containers::Running || state.is_hung() {
            return;
        }
        let health = state.health_mut();
        (health.hung, health.hung_by, health.answered) = (now, by, answered);
        self.network.set_alive(now, pod, false);
        self.samples_differ(pod);
        self.traffic_changed = true;
        self.probes_may_find_otherwise(pod);
    }

    /// What has hung a pod's containers is over.
    pub(in crate::world) fn containers_answer_again(&mut self, pod: PodId, by: u32) {
        let now = self.now;
        let Some(state) = self.pods.get_mut(pod) else { return };
        let hangs = state.health().is_some_and(|health| health.hung_by == by);
        if !hangs || !state.is_hung() {
            return;
        }
        let health = state.health_mut();
        health.hung = SimTime::NEVER;
        if health.answered {
            self.network.set_alive(now, pod, true);
            self.samples_differ(pod);
            self.traffic_changed = true;
        } else {
            self.plan_ready(pod);
        }
        self.probes_may_find_otherwise(pod);
    }
}
