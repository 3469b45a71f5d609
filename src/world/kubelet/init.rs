//! Init containers, one after the other, and sidecars among them.
//!
//! Source: kubernetes `pkg/kubelet/kuberuntime/kuberuntime_container.go`
//! (`computeInitContainerActions`), v1.37: each begins at the sync after the one before it has
//! ended, or, for a sidecar, has started; the kubelet learns of both at its relist, and of a
//! startup probe at once. One that fails starts again after its back-off, unless it, or its pod, is
//! never restarted. How sidecars end: `sidecars.rs`.

use super::probe::complaint;
use super::start::probe_succeeds;
use crate::api::container_status::{ContainerState, InitDone, InitStatus, Termination};
use crate::api::event::EventType::{Normal, Warning};
use crate::api::pod::{Container, Pod, Probe, RestartPolicy};
use crate::api::{NodeId, PodId};
use crate::control::controllers::action::About;
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
    pub(super) fn sample_of_init(
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
        match probe.filter(|_| is_sidecar) {
            Some(probe) => self.probe_sidecar(pod, &probe, now + self.run_time_of_init(pod, at)),
            None if is_sidecar => self.plan_pod(self.next_relist(now), pod, PodStep::InitDone),
            None => self.plan_pod(now + self.run_time_of_init(pod, at), pod, PodStep::InitEnded),
        }
    }

    /// A sidecar that is up from `up` on has started: its startup probe will succeed, or lose its
    /// patience before.
    fn probe_sidecar(&mut self, pod: PodId, probe: &Probe, up: SimTime) {
        let first = self.now + probe.initial_delay;
        let failures = u64::from(probe.failure_threshold.max(1) - 1);
        if first + probe.period * failures < up {
            self.plan_pod(first, pod, PodStep::InitProbe);
        } else {
            self.plan_pod(probe_succeeds(probe, self.now, up), pod, PodStep::InitDone);
        }
    }

    /// The startup probe of a sidecar fails; when that is often enough, the sidecar is ended.
    pub(super) fn init_probe_fails(&mut self, pod: PodId) {
        let now = self.now;
        let Some((at, container)) = self.init_container(pod) else { return };
        let (name, pre_stop) = (container.name.clone(), container.pre_stop);
        let Some(probe) = container.startup_probe else { return };
        let Some(p) = self.store.pod(pod) else { return };
        let grace = probe.termination_grace.unwrap_or(p.spec.termination_grace);
        let Some(started) = self.init_of(pod).map(|init| init.running) else { return };
        let said = complaint(&probe, false);
        let message = || format!("Startup probe failed: {said}");
        self.tell_trouble(pod, Warning, "Unhealthy", message);
        let asked = now.since(started + probe.initial_delay).0 / probe.period.0.max(1) + 1;
        if asked < u64::from(probe.failure_threshold) {
            self.plan_pod(now + probe.period, pod, PodStep::InitProbe);
            return;
        }
        let message = format!("Init container {name} failed startup probe");
        self.publish("kubelet", Normal, "Killing", About::Pod(pod), message);
        let ends = self.sample_of_init(pod, at + 64, &self.scenario.flags.kubelet.termination);
        self.plan_pod(now + (pre_stop + ends).min(grace), pod, PodStep::InitKilled);
    }

    /// A sidecar has ended whose startup probe had failed: it starts again, now or after the
    /// back-off of the end before this one, as containers do that probes have ended.
    pub(super) fn init_killed(&mut self, pod: PodId, node: NodeId) {
        let now = self.now;
        let behavior = self.store.pod(pod).and_then(|p| p.spec.behavior.as_deref());
        let exit_code = behavior.map_or(0, |behavior| behavior.stop_exit_code);
        let reason = if exit_code == 0 { "Completed" } else { "Error" };
        let Some(init) = self.init_of(pod) else { return };
        let started = std::mem::replace(&mut init.running, SimTime::NEVER);
        let end = Termination { reason, exit_code, started, finished: now };
        let before = init.last.replace(end).map_or(SimTime::NEVER, |end| end.finished);
        init.failures += 1;
        let Some(state) = self.pods.get_mut(pod) else { return };
        state.begin_life();
        state.trouble.get_or_insert_default().finished = now;
        self.restart_containers(pod, node, before);
    }

    /// How long an init container runs; a sidecar: until it is up.
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
    pub(super) fn next_relist(&self, at: SimTime) -> SimTime {
        SimTime(at.0 + 1)
            .next_on_grid(SimTime::ZERO, self.scenario.flags.kubelet.pleg_relist_period)
    }

    /// An init container has ended: well, or it starts again.
    pub(super) fn init_ended(&mut self, pod: PodId) {
        let now = self.now;
        let Some((at, _)) = self.init_container(pod) else { return };
        let Some(p) = self.store.pod(pod) else { return };
        let (policy, fails) = (restart_policy(p, at), failures_of(p, at));
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
            if let Some(trouble) = self.pods.get_mut(pod).and_then(|s| s.trouble.as_mut()) {
                trouble.finished = now;
            }
            self.sidecars_end_after(pod, noticed, 1);
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
}

/// Whether an init container that fails is started again: its own policy comes before its pod's
/// (ContainerRestartRules, on by default in 1.37).
fn restart_policy(pod: &Pod, at: usize) -> RestartPolicy {
    let own = pod.spec.init_containers.get(at).and_then(|container| container.restart);
    own.unwrap_or(pod.spec.restart_policy)
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
