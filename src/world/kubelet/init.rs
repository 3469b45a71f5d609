//! Init containers, one after the other, and sidecars among them.
//!
//! Source: kubernetes `pkg/kubelet/kuberuntime/kuberuntime_container.go`
//! (`computeInitContainerActions`), v1.37: each begins at the sync after the one before it has
//! ended, or, for a sidecar, has started; the kubelet learns of both at its relist. One that fails
//! starts again after its back-off, unless its pod is never restarted.

use super::start::probe_succeeds;
use crate::api::PodId;
use crate::api::container_status::{ContainerState, InitDone, InitStatus, Termination};
use crate::api::event::EventType::Normal;
use crate::api::pod::{Container, Pod, RestartPolicy};
use crate::units::{SimDuration, SimTime};
use crate::world::event::PodStep;
use crate::world::world::World;

/// How far a pod's init containers are, in its present sandbox.
#[derive(Clone, Debug)]
pub struct Init {
    /// The one whose turn it is; all that there are: they are through.
    pub at: usize,
    /// How often that one has failed.
    pub failures: u32,
    /// Since when it runs; `NEVER`: it does not.
    pub running: SimTime,
    /// How it last ended.
    pub last: Option<Termination>,
    /// Those before it.
    pub done: Vec<InitDone>,
}

impl Default for Init {
    fn default() -> Init {
        Init { at: 0, failures: 0, running: SimTime::NEVER, last: None, done: Vec::new() }
    }
}

impl World<'_> {
    /// Whether init containers of a pod have still to run.
    pub(super) fn is_initializing(&self, pod: PodId) -> bool {
        let Some(p) = self.store.pod(pod) else { return false };
        let all = p.spec.init_containers.len();
        if all == 0 {
            return false;
        }
        let init =
            self.pods.get(pod).and_then(|s| s.trouble.as_ref()).and_then(|t| t.init.as_ref());
        init.is_some_and(|init| init.at < all)
    }

    /// A pod has a fresh sandbox: its init containers run in it.
    pub(super) fn init_anew(&mut self, pod: PodId) {
        let has_some = self.store.pod(pod).is_some_and(|p| {
            // What is told of the start counts from the image to Running.
            let told = p.spec.behavior.as_ref().is_some_and(|behavior| behavior.start.is_some());
            !told && !p.spec.init_containers.is_empty()
        });
        if let Some(state) = self.pods.get_mut(pod).filter(|_| has_some) {
            state.trouble.get_or_insert_default().init = Some(Box::default());
        }
    }

    fn init_of(&mut self, pod: PodId) -> Option<&mut Init> {
        self.pods.get_mut(pod)?.trouble.as_mut()?.init.as_deref_mut()
    }

    /// The init container whose turn it is.
    pub(super) fn init_container(&self, pod: PodId) -> Option<(usize, &Container)> {
        let init = self.pods.get(pod)?.trouble.as_ref()?.init.as_ref()?;
        let container = self.store.pod(pod)?.spec.init_containers.get(init.at)?;
        Some((init.at, container))
    }

    /// The image is there: the next init container of a pod is made and started.
    pub(super) fn start_init(&mut self, pod: PodId) {
        let Some((at, _)) = self.init_container(pod) else { return };
        let takes = self.sample_of_init(pod, at, &self.scenario.flags.kubelet.container_start);
        self.plan_pod(self.now + takes, pod, PodStep::InitStarted);
    }

    /// Draws seconds for an init container: from a stream of its own for each of its lives.
    fn sample_of_init(
        &self,
        pod: PodId,
        at: usize,
        distribution: &crate::sim::sample::Distribution,
    ) -> SimDuration {
        let uid = self.store.pod(pod).map_or(0, |p| p.uid);
        let life = self.pods.get(pod).map_or(0, |state| u64::from(state.incarnation));
        let mut stream =
            self.streams.stream("init container", uid | life << 40 | (at as u64) << 56);
        SimDuration::from_secs_f64(distribution.sample(&mut stream))
    }

    /// An init container runs.
    pub(super) fn init_started(&mut self, pod: PodId) {
        let now = self.now;
        let Some((at, container)) = self.init_container(pod) else { return };
        let (is_sidecar, probe) = (container.sidecar, container.startup_probe);
        for (reason, message) in
            [("Created", "Container created"), ("Started", "Container started")]
        {
            self.tell_trouble(pod, Normal, reason, || message.to_string());
        }
        if let Some(init) = self.init_of(pod) {
            init.running = now;
        }
        if let Some(trouble) = self.pods.get_mut(pod).and_then(|state| state.trouble.as_mut()) {
            trouble.finished = SimTime::NEVER;
        }
        if is_sidecar {
            let started = probe.map_or(now, |probe| probe_succeeds(&probe, now, now));
            self.plan_pod(self.next_relist(started), pod, PodStep::InitDone);
            return;
        }
        let takes = self.run_time_of_init(pod, at);
        self.plan_pod(now + takes, pod, PodStep::InitEnded);
    }

    /// How long an init container runs.
    fn run_time_of_init(&self, pod: PodId, at: usize) -> SimDuration {
        let told = self.store.pod(pod).and_then(|p| p.spec.behavior.as_deref());
        let told = told.map(|behavior| &behavior.init_runs).filter(|runs| !runs.is_empty());
        if let Some(runs) = told {
            return runs.get(at).or(runs.last()).copied().unwrap_or_default();
        }
        let workload = self.pods.get(pod).and_then(|state| state.workload());
        match workload {
            Some(w) => self.sample_of_init(pod, at, &self.scenario.workloads[w].init),
            None => SimDuration::from_secs(1),
        }
    }

    /// When the kubelet learns of what happens at `at`.
    fn next_relist(&self, at: SimTime) -> SimTime {
        SimTime(at.0 + 1)
            .next_on_grid(SimTime::ZERO, self.scenario.flags.kubelet.pleg_relist_period)
    }

    /// An init container has ended: well, or it starts again.
    pub(super) fn init_ended(&mut self, pod: PodId) {
        let now = self.now;
        let Some((at, _)) = self.init_container(pod) else { return };
        let Some(p) = self.store.pod(pod) else { return };
        let (policy, fails) = (p.spec.restart_policy, failures_of(p, at));
        let noticed = self.next_relist(now);
        let Some(init) = self.init_of(pod) else { return };
        let started = std::mem::replace(&mut init.running, SimTime::NEVER);
        if init.failures >= fails {
            init.running = started;
            self.plan_pod(noticed, pod, PodStep::InitDone);
            return;
        }
        init.failures += 1;
        let end = Termination { reason: "Error", exit_code: 1, started, finished: now };
        init.last = Some(end);
        if policy == RestartPolicy::Never {
            self.finish_pod(pod, 1);
            return;
        }
        let Some(state) = self.pods.get_mut(pod) else { return };
        state.begin_life();
        state.trouble.get_or_insert_default().finished = now;
        self.plan_pod(noticed, pod, PodStep::Noticed);
    }

    /// The kubelet sees that an init container is through: the next one, or the others, begin.
    pub(super) fn init_done(&mut self, pod: PodId) {
        let now = self.now;
        let Some(init) = self.init_of(pod) else { return };
        let started = std::mem::replace(&mut init.running, SimTime::NEVER);
        init.done.push(InitDone { started, ended: now, restarts: init.failures });
        (init.at, init.failures, init.last) = (init.at + 1, 0, None);
        if let Some(trouble) = self.pods.get_mut(pod).and_then(|state| state.trouble.as_mut()) {
            trouble.crash = Default::default();
        }
        self.image_is_there(pod);
    }

    /// How long the sidecars of a pod take to end, one after the other, when all else has.
    pub(super) fn sidecars_stop(&self, pod: PodId) -> SimDuration {
        let Some(p) = self.store.pod(pod) else { return SimDuration::ZERO };
        let mut takes = SimDuration::ZERO;
        for (at, container) in p.spec.init_containers.iter().enumerate().filter(|(_, c)| c.sidecar)
        {
            let ends = self.sample_of_init(pod, at + 128, &self.scenario.flags.kubelet.termination);
            takes = takes + container.pre_stop + ends;
        }
        takes.min(p.spec.termination_grace)
    }
}

/// How often an init container fails before it succeeds.
fn failures_of(pod: &Pod, at: usize) -> u32 {
    let behavior = pod.spec.behavior.as_deref();
    behavior.and_then(|behavior| behavior.init_failures.get(at)).copied().unwrap_or(0)
}

/// What the kubelet reports of a pod's init containers; `None`: it has none, or they have long been
/// through.
pub(in crate::world) fn report(init: Option<&Init>, waiting: &'static str) -> Option<InitStatus> {
    let init = init?;
    let state = match (init.running, init.last) {
        (since, _) if since != SimTime::NEVER => ContainerState::Running(since),
        _ if !waiting.is_empty() => ContainerState::Waiting(waiting),
        (_, Some(end)) => ContainerState::Terminated(end),
        _ => ContainerState::Waiting("PodInitializing"),
    };
    // It counts when it is made again.
    let waits = init.failures > 0 && init.running == SimTime::NEVER;
    let restarts = init.failures - u32::from(waits);
    Some(InitStatus { done: init.done.clone(), state, last: init.last, restarts })
}
