//! A finished run looked at again: the same run, stopped at any instant, its state laid open.
//!
//! Nothing random is drawn for the sake of looking, so what is seen is what was. Checks are off:
//! the run has been checked when it was made.

use super::event::Event;
use super::kubelet::{Containers, PodState, report_init};
use super::run::Audience;
use super::world::World;
use crate::api::PodId;
use crate::api::autoscaling::MetricSource;
use crate::api::container_status::{ContainerState, ContainerStatus, Termination};
use crate::api::pod::Pod;
use crate::check::{Checks, Stride, Violation};
use crate::control::controllers::podautoscaler::PodMetrics;
use crate::record::{Recorder, Sink};
use crate::scenario::model::{Component, Scenario};
use crate::sim::queue::EventQueue;
use crate::store::Store;
use crate::units::{SimDuration, SimTime};

/// A run that goes on as far as it is asked to.
pub struct Look<'a> {
    world: World<'a>,
    pending: EventQueue<Event>,
}

impl<'a> Look<'a> {
    /// The run at its very beginning. `sink` gets the rows, `audience` sees the changes.
    pub fn new(
        scenario: &'a Scenario,
        seed: u64,
        sink: &'a mut dyn Sink,
        audience: &'a mut dyn Audience,
    ) -> Look<'a> {
        let checks = Checks::new(Stride::Off);
        let mut world = World::new(scenario, seed, Recorder::new(sink), checks);
        world.audience = Some(audience);
        let mut look = Look { world, pending: EventQueue::default() };
        look.world.start();
        look.world.hand_over(&mut look.pending);
        look
    }

    /// Goes on until all that happens up to `until` has happened.
    ///
    /// # Errors
    /// A broken invariant: a bug of the simulator.
    pub fn advance(&mut self, until: SimTime) -> Result<(), Violation> {
        while self.step(until)? {}
        self.world.now = until;
        Ok(())
    }

    /// Lets one thing happen, if there is one up to `until`; tells whether there was.
    ///
    /// # Errors
    /// A broken invariant: a bug of the simulator.
    pub fn step(&mut self, until: SimTime) -> Result<bool, Violation> {
        if self.pending.peek_time().is_none_or(|time| time > until) {
            return Ok(false);
        }
        let Some(fired) = self.pending.pop() else { return Ok(false) };
        self.world.tell_horizon(&self.pending);
        self.world.handle(fired.time, fired.event)?;
        self.world.hand_over(&mut self.pending);
        Ok(true)
    }

    /// Ends the run, which has come to its end; gives the hash of its event log, by which it can be
    /// held against the one that is looked at.
    ///
    /// # Errors
    /// A broken invariant: a bug of the simulator.
    pub fn finish(mut self, end: SimTime) -> Result<String, Violation> {
        self.world.finish(end)?;
        let hash = self.world.log.finish();
        Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The simulated time.
    pub fn now(&self) -> SimTime {
        self.world.now
    }

    /// Whether the API server answers.
    pub fn is_api_server_up(&self) -> bool {
        !self.world.outages.is_down()
    }

    /// Whether a process of a component runs, leading or not.
    pub fn is_running(&self, component: Component) -> bool {
        self.world.leaders.is_running(component, self.world.now)
    }

    /// All objects.
    pub fn store(&self) -> &Store {
        &self.world.store
    }

    /// What the kubelet reports of a pod's containers; `None`: no kubelet has the pod.
    pub fn containers(&self, id: PodId) -> Option<ContainerStatus> {
        let pod = self.world.store.pod(id)?;
        pod.node?;
        Some(reported(pod, self.world.pods.get(id)?))
    }

    /// What the metrics API says of a pod at present, in thousandths; `None`: it has no sample.
    pub fn usage(&self, id: PodId, source: &MetricSource) -> Option<i64> {
        self.world.sample(id, source).map(|sample| sample.milli)
    }

    /// What the metrics APIs say of an Object or External metric at present, in thousandths; empty:
    /// nothing.
    pub fn values(&self, namespace: &str, source: &MetricSource) -> Vec<i64> {
        PodMetrics::values(&self.world, namespace, source).unwrap_or_default()
    }

    /// The grace period that a pod's deletion was given instead of its own.
    pub fn grace(&self, id: PodId) -> Option<SimDuration> {
        self.world.pods.get(id)?.trouble.as_ref()?.grace
    }
}

fn reported(pod: &Pod, state: &PodState) -> ContainerStatus {
    let trouble = state.trouble.as_deref();
    let last = trouble.and_then(|trouble| trouble.last_end);
    let begun = trouble.and_then(|trouble| trouble.init.as_deref());
    let init = report_init(begun, state.waiting());
    if begun.is_some_and(|init| init.at < pod.spec.init_containers.len()) {
        let state = ContainerState::Waiting("PodInitializing");
        return ContainerStatus { state, last: None, init };
    }
    let has_ended = trouble.filter(|trouble| trouble.finished != SimTime::NEVER).and(last);
    if pod.phase.is_terminal() {
        // Its sidecars have ended later.
        if let Some(ended) = has_ended.filter(|_| !pod.spec.init_containers.is_empty()) {
            let state = ContainerState::Terminated(ended);
            return ContainerStatus { state, last: None, init };
        }
        let more = pod.more.as_deref();
        let exit_code = more.and_then(|more| more.exit_code).unwrap_or(0);
        let finished = more.and_then(|more| more.finished.get()).unwrap_or(SimTime::NEVER);
        let reason = if exit_code == 0 { "Completed" } else { "Error" };
        let ended = Termination { reason, exit_code, started: state.container_started, finished };
        return ContainerStatus { state: ContainerState::Terminated(ended), last, init };
    }
    let shown = match (state.containers, state.waiting()) {
        (Containers::Running, _) => ContainerState::Running(state.container_started),
        (_, reason) if !reason.is_empty() => ContainerState::Waiting(reason),
        // The kubelet has not noticed the end yet, or has not done anything about it.
        (_, _) => match has_ended {
            Some(ended) if pod.ready => ContainerState::Running(ended.started),
            Some(ended) => {
                return ContainerStatus {
                    state: ContainerState::Terminated(ended),
                    last: None,
                    init,
                };
            }
            None if pod.phase == crate::api::pod::PodPhase::Running => {
                ContainerState::Running(state.container_started)
            }
            None if pod.spec.init_containers.is_empty() => {
                ContainerState::Waiting("ContainerCreating")
            }
            None => ContainerState::Waiting("PodInitializing"),
        },
    };
    ContainerStatus { state: shown, last, init }
}
