//! From "the kubelet sees the pod" to Ready.

use super::eviction::EVICTED;
use super::state::Containers;
use crate::api::event::EventType::Normal;
use crate::api::pod::{PodPhase, Probe};
use crate::api::{NodeId, PodId};
use crate::units::{SimDuration, SimTime};
use crate::world::event::{Event, PodStep};
use crate::world::world::World;

impl World<'_> {
    /// Plans a pod's next step in its present life.
    pub(in crate::world) fn plan_pod(&mut self, at: SimTime, pod: PodId, step: PodStep) {
        let Some(state) = self.pods.get(pod) else { return };
        let incarnation = state.incarnation;
        self.plan(at, Event::Kubelet { pod, incarnation, step });
    }

    /// A step of a pod is due.
    pub(in crate::world) fn on_kubelet(&mut self, pod: PodId, incarnation: u16, step: PodStep) {
        let current = self.pods.get(pod).is_some_and(|state| state.incarnation == incarnation);
        let Some(node) = self.store.pod(pod).and_then(|p| p.node).filter(|_| current) else {
            return;
        };
        // A dead machine does nothing; what it would have done begins anew when it returns.
        let Some(state) = self.nodes.get_mut(node).filter(|state| state.alive) else { return };
        if state.silent_since.is_some() {
            // A container hangs whoever looks.
            if step == PodStep::Hang {
                self.containers_hang(pod, u32::MAX);
                return;
            }
            // What it would see it sees when it is back; what its containers do it reports then.
            if !matches!(step, PodStep::Seen | PodStep::Stop | PodStep::Probe) {
                state.unreported.push((pod, incarnation, step));
            }
            return;
        }
        if self.outages.is_down() {
            if step == PodStep::Stopped {
                state.unreported.push((pod, incarnation, step));
                self.stops_unheard(pod);
            } else if step == PodStep::Unmounted {
                state.unreported.push((pod, incarnation, step));
            } else {
                self.step_pod(pod, incarnation, step);
            }
            return;
        }
        let reports = matches!(
            step,
            PodStep::Started
                | PodStep::Ready
                | PodStep::Unready
                | PodStep::Ended
                | PodStep::SidecarsEnded(_)
                | PodStep::Stopped
        );
        if reports && self.api_server.is_limited() {
            if step == PodStep::Stopped {
                // Its last status, and its grace period set to zero.
                self.occupy();
                self.occupy();
            }
            self.send(self.now, Event::Report { pod, incarnation, step });
            return;
        }
        self.step_pod(pod, incarnation, step);
    }

    /// Does a step of a pod, whose status the API server has by now.
    pub(in crate::world) fn step_pod(&mut self, pod: PodId, incarnation: u16, step: PodStep) {
        let current = self.pods.get(pod).is_some_and(|state| state.incarnation == incarnation);
        let Some(node) = self.store.pod(pod).and_then(|p| p.node).filter(|_| current) else {
            return;
        };
        match step {
            PodStep::Seen => self.pod_seen(pod, node),
            PodStep::Volumes => self.look_at_mounts(pod, node),
            PodStep::Mounted => self.volumes_are_mounted(pod, node),
            PodStep::SetUp => self.set_up_volumes(pod),
            PodStep::Sandbox => {
                self.init_anew(pod);
                self.start_containers(pod, node, true);
            }
            PodStep::InitStarted => self.init_started(pod),
            PodStep::InitEnded => self.init_ended(pod),
            PodStep::InitDone => self.init_done(pod),
            PodStep::InitProbe => self.init_probe_fails(pod),
            PodStep::InitKilled => self.init_killed(pod, node),
            PodStep::SidecarsStop(code) => self.only_sidecars_left(pod, code),
            PodStep::SidecarsEnded(code) => self.finish_pod(pod, code),
            PodStep::Sync => self.look(pod, node),
            PodStep::Started => self.pod_started(pod),
            PodStep::Ready => self.pod_ready(pod),
            PodStep::Unready => self.pod_unready(pod),
            PodStep::Probe => self.probe(pod),
            PodStep::Exit => self.container_exits(pod, "Error"),
            PodStep::OutOfMemory => self.container_exits(pod, "OOMKilled"),
            PodStep::Hang => self.containers_hang(pod, u32::MAX),
            PodStep::Killed => self.container_killed(pod, node),
            PodStep::Ended => self.containers_end(pod),
            PodStep::Noticed => self.exit_noticed(pod, node),
            PodStep::Stop => self.deletion_is_seen(pod),
            PodStep::Stopped => self.pod_stopped(pod),
            PodStep::Unmounted => self.volumes_are_unmounted(pod, node),
        }
    }

    /// The kubelet sees a pod: its volumes come first.
    fn pod_seen(&mut self, pod: PodId, node: NodeId) {
        let now = self.now;
        let Some(p) = self.store.pod(pod) else { return };
        if p.deletion.is_some() && !self.renews_mirror(pod) {
            self.stop_pod(pod);
            return;
        }
        let Some(p) = self.store.pod(pod) else { return };
        let pressure = || self.pressure_refuses(p, node).map(|message| (EVICTED, message));
        let room = || self.node_refuses(p, node);
        if let Some((reason, message)) = self.shutdown_refuses(node).or_else(pressure).or_else(room)
        {
            self.reject_pod(pod, reason, message);
            return;
        }
        if p.started == SimTime::NEVER {
            self.store.update_pod(pod, |p| {
                p.started = now;
                true
            });
        }
        if !self.waits_for_volumes(pod) {
            self.join_start_queue(pod, node);
        }
    }

    /// The volumes of a pod are there: it takes its place in the node's start queue.
    pub(super) fn join_start_queue(&mut self, pod: PodId, node: NodeId) {
        let now = self.now;
        let Some(state) = self.nodes.get_mut(node) else { return };
        let begins = state.start_gate.max(now);
        let rate = self.scenario.flags.kubelet.pod_starts_per_second;
        state.start_gate = begins + SimDuration::from_secs_f64(1.0 / rate);
        let takes = self.sample_for(pod, "pod sandbox", &self.scenario.flags.kubelet.sandbox);
        self.plan_pod(begins + takes, pod, PodStep::Sandbox);
    }

    /// Sandbox and network are up, the containers have ended, or they have waited: starts them if
    /// nothing stands in the way. `fresh`: the sandbox has just been made.
    pub(super) fn start_containers(&mut self, pod: PodId, node: NodeId, fresh: bool) {
        if !self.waits_after_crash(pod) {
            self.ensure_image(pod, node, fresh);
        }
    }

    /// The image is there: create and start the containers.
    pub(super) fn image_is_there(&mut self, pod: PodId) {
        if !self.has_environment(pod) {
            return;
        }
        self.set_waiting(pod, "");
        let behavior = self.store.pod(pod).and_then(|p| p.spec.behavior.as_deref());
        if behavior.is_some_and(|behavior| behavior.never_starts) {
            return;
        }
        if self.is_initializing(pod) {
            self.start_init(pod);
            return;
        }
        let behavior = self.store.pod(pod).and_then(|p| p.spec.behavior.as_deref());
        if let Some(start) = behavior.and_then(|behavior| behavior.start) {
            self.plan_pod(self.now + start, pod, PodStep::Started);
            return;
        }
        let takes =
            self.sample_for(pod, "container start", &self.scenario.flags.kubelet.container_start);
        let containers = self.store.pod(pod).map_or(1, |p| p.spec.containers.len().max(1));
        self.plan_pod(self.now + takes * containers as u64, pod, PodStep::Started);
    }

    /// The containers run: the phase follows, and the application begins to come up.
    fn pod_started(&mut self, pod: PodId) {
        let now = self.now;
        for (reason, message) in
            [("Created", "Container created"), ("Started", "Container started")]
        {
            self.tell_trouble(pod, Normal, reason, || message.to_string());
        }
        let Some(state) = self.pods.get_mut(pod) else { return };
        state.start(now);
        let workload = state.workload();
        self.containers_change(pod);
        self.memory_is_taken(pod);
        if let Some(node) = self.store.pod(pod).and_then(|p| p.node) {
            self.disk_changes(node);
        }
        self.store.update_pod(pod, |p| {
            p.phase = PodPhase::Running;
            p.crash_loop = false;
            true
        });
        self.begin_behavior(pod, false);
        self.plan_ready(pod);
        self.probes_find_late_start(pod);
        if let Some(after) = workload.and_then(|workload| self.crash_loops[workload]) {
            self.plan_pod(now + after, pod, PodStep::Exit);
        }
    }

    /// Plans when the probes of a pod will find its application, which is up or comes up.
    pub(super) fn plan_ready(&mut self, pod: PodId) {
        let now = self.now;
        let Some((started, up)) = self.up_of(pod) else { return };
        let ready = self.probed(pod, started, up.max(now));
        if ready == now {
            // One report says both.
            self.pod_ready(pod);
        } else {
            self.plan_pod(ready, pod, PodStep::Ready);
        }
    }

    /// When the present containers of a pod started, and when their application is up; `None`: it
    /// never is, and no probe but that of readiness minds.
    pub(super) fn up_of(&self, pod: PodId) -> Option<(SimTime, SimTime)> {
        let state = self.pods.get(pod)?;
        let started = state.container_started;
        // Those of a settled start have long been up.
        if state.first_ready == started {
            return Some((started, started));
        }
        Some((started, started + self.startup_of(pod, state.workload())?))
    }

    /// How long the application of a pod takes to come up; `None`: it never does.
    fn startup_of(&self, pod: PodId, workload: Option<usize>) -> Option<SimDuration> {
        let behavior = self.store.pod(pod)?.spec.behavior.as_deref();
        if behavior.is_some_and(|behavior| behavior.never_ready) {
            return None;
        }
        if let Some(ready) = behavior.and_then(|behavior| behavior.ready) {
            return Some(ready);
        }
        let Some(workload) = workload else { return Some(SimDuration::ZERO) };
        Some(self.sample_for(pod, "startup", &self.scenario.workloads[workload].startup))
    }

    /// When the probes of a pod whose containers started at `started` first find the application
    /// that is up from `up` on.
    fn probed(&self, pod: PodId, started: SimTime, up: SimTime) -> SimTime {
        let Some(p) = self.store.pod(pod) else { return up };
        let mut ready = up;
        for container in &p.spec.containers {
            let mut at = up;
            for probe in [container.startup_probe, container.readiness_probe].into_iter().flatten()
            {
                at = probe_succeeds(&probe, started, at);
            }
            ready = ready.max(at);
        }
        ready.max(self.sidecars_ready(pod))
    }

    /// When the readiness probes of a pod's sidecars succeed, which are up when they have started.
    fn sidecars_ready(&self, pod: PodId) -> SimTime {
        let trouble = self.pods.get(pod).and_then(|state| state.trouble.as_ref());
        let init = trouble.and_then(|trouble| trouble.init.as_ref());
        let Some((p, init)) = self.store.pod(pod).zip(init) else { return SimTime::ZERO };
        let sidecars = p.spec.init_containers.iter().zip(&init.done).filter(|(c, _)| c.sidecar);
        let ready = sidecars.filter_map(|(container, done)| {
            Some(probe_succeeds(&container.readiness_probe?, done.started, done.ended))
        });
        ready.max().unwrap_or(SimTime::ZERO)
    }

    /// The readiness probe has succeeded: the kubelet's status update makes the pod Ready.
    pub(super) fn pod_ready(&mut self, pod: PodId) {
        let now = self.now;
        let Some(state) = self.pods.get_mut(pod) else { return };
        if state.containers != Containers::Running {
            return;
        }
        let hung = state.is_hung();
        if hung && self.asks_application(pod) {
            return;
        }
        let Some(state) = self.pods.get_mut(pod) else { return };
        if state.first_ready == SimTime::NEVER {
            state.first_ready = now;
            if let Some(p) = self.store.pod(pod) {
                let waited = now.since(p.created).as_secs_f64();
                self.recorder.totals.startup.add(waited, 1.0);
            }
        }
        if !hung {
            self.network.set_alive(now, pod, true);
        }
        self.samples_differ(pod);
        self.traffic_changed = true;
        self.store.set_pod_ready(pod, true, now);
    }
}

/// The instant at which a probe has succeeded often enough for an application that is up from
/// `up` on: probes run at `started + initialDelay + k x period` (prober/worker.go, without its
/// random start within a period, which applies to a restarted kubelet only).
pub(super) fn probe_succeeds(probe: &Probe, started: SimTime, up: SimTime) -> SimTime {
    let first = up.next_on_grid(started + probe.initial_delay, probe.period);
    first + probe.period * u64::from(probe.success_threshold.max(1) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_find_an_application_at_their_next_tick() {
        let s = SimTime::from_secs;
        let probe = |delay, period, success_threshold| Probe {
            initial_delay: SimDuration::from_secs(delay),
            period: SimDuration::from_secs(period),
            timeout: SimDuration::from_secs(1),
            success_threshold,
            failure_threshold: 3,
            ..Probe::default()
        };
        let rows = [
            (
                "an application that is up early waits for the initial delay",
                probe(10, 10, 1),
                s(102),
                s(110),
            ),
            (
                "one that is up between two ticks waits for the next",
                probe(10, 10, 1),
                s(111),
                s(120),
            ),
            ("without delay the first tick is the start", probe(0, 5, 1), s(103), s(105)),
            ("two successes take one more period", probe(0, 5, 2), s(103), s(110)),
        ];
        for (sentence, probe, up, expected) in rows {
            assert_eq!(probe_succeeds(&probe, s(100), up), expected, "{sentence}");
        }
    }
}
