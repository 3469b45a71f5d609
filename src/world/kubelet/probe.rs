//! Probes that find something else than before, and what follows: a container is ended, a pod goes
//! out of its Services and comes back.
//!
//! Source: kubernetes `pkg/kubelet/prober/worker.go` and `prober.go`, `kuberuntime_manager.go`
//! (`computePodActions`), v1.37. A probe that finds what it found before does nothing and is not
//! played; the first one that will find something else is planned for its tick.

use super::end::LOST;
use super::health::{ProbeKind, Watch};
use super::start::probe_succeeds;
use super::state::Containers;
use crate::api::PodId;
use crate::api::event::EventType::{Normal, Warning};
use crate::api::pod::{Probe, ProbeHandler, RestartPolicy};
use crate::control::controllers::action::About;
use crate::units::{SimDuration, SimTime};
use crate::world::event::PodStep;
use crate::world::world::World;

/// Probes of a container, in the order in which the kubelet makes their workers.
const KINDS: [ProbeKind; 3] = [ProbeKind::Startup, ProbeKind::Readiness, ProbeKind::Liveness];

impl World<'_> {
    /// The application of a pod may answer otherwise than its probes believe: those that would find
    /// out are planned.
    pub(in crate::world) fn probes_may_find_otherwise(&mut self, pod: PodId) {
        let Some(p) = self.store.pod(pod) else { return };
        let asks = |c: &crate::api::pod::Container| KINDS.iter().any(|kind| kind.of(c).is_some());
        if p.deletion.is_some() || !p.spec.containers.iter().any(asks) || !self.can_probe(pod) {
            return;
        }
        let (spec, is_ready) = (std::sync::Arc::clone(&p.spec), p.ready);
        let health = self.pods.get(pod).and_then(|state| state.health());
        let is_condemned = health.is_some_and(|health| health.condemned.is_some());
        for (container, c) in spec.containers.iter().enumerate() {
            for kind in KINDS {
                let Some(probe) = kind.of(c) else { continue };
                let known = self.watch_of(pod, container, kind).is_some();
                let is_on = match kind {
                    // A container that is being ended is probed for readiness alone.
                    ProbeKind::Startup => !is_condemned && !self.has_started(pod, container),
                    ProbeKind::Liveness => !is_condemned && self.has_started(pod, container),
                    // Before the pod is ready nothing depends on it but when it will be.
                    ProbeKind::Readiness => known || is_ready,
                };
                if is_on && (known || !self.answers(pod, probe)) {
                    self.plan_probe(pod, container, kind, self.next_tick(pod, probe));
                }
            }
        }
    }

    /// The containers of a pod have started, and some probe will have lost its patience before the
    /// application is up: it is played from the first time on.
    pub(super) fn probes_find_late_start(&mut self, pod: PodId) {
        let Some((started, up)) = self.up_of(pod).filter(|(started, up)| started < up) else {
            return;
        };
        let Some(spec) = self.store.pod(pod).map(|p| std::sync::Arc::clone(&p.spec)) else {
            return;
        };
        for (container, c) in spec.containers.iter().enumerate() {
            let kind =
                if c.startup_probe.is_some() { ProbeKind::Startup } else { ProbeKind::Liveness };
            let Some(probe) = kind.of(c) else { continue };
            let failures = u64::from(probe.failure_threshold.max(1) - 1);
            let first = started + probe.initial_delay;
            if first + probe.period * failures < up {
                self.plan_probe(pod, container, kind, first);
            }
        }
    }

    /// The wait of requests in a Deployment's pods has passed some probe's patience: theirs too.
    pub(in crate::world) fn watch_waits(&mut self) {
        for workload in 0..self.scenario.workloads.len() {
            if !self.scenario.workloads[workload].failings.probes_queue {
                continue;
            }
            let scenario = self.scenario;
            let bearer = scenario.objects.bearers().nth(workload);
            let containers = bearer.iter().flat_map(|bearer| &bearer.spec.containers);
            let probes = containers.flat_map(|c| KINDS.map(|kind| kind.of(c)));
            let patience: Vec<f64> =
                probes.flatten().map(|probe| probe.timeout.as_secs_f64()).collect();
            if self.network.mark_waits_singly(workload, &patience) {
                continue;
            }
            let station = &mut self.network.stations[workload];
            let mut waits: Vec<f64> = station.lanes().map(|(_, q)| q.answer_time()).collect();
            if waits.is_empty() {
                waits.push(station.answer_time());
            }
            let late = |wait: &f64| patience.iter().map(|most| is_late(*wait, *most)).collect();
            let slow: Vec<bool> =
                waits.iter().flat_map(|wait| -> Vec<bool> { late(wait) }).collect();
            station.mark_waits(patience);
            if self.slow[workload] != slow {
                self.slow[workload] = slow;
                for pod in self.pods_of_workload(workload) {
                    self.probes_may_find_otherwise(pod);
                }
            }
        }
    }

    /// A pod is routed to from now on, or no longer: it has other requests before its probes.
    pub(in crate::world) fn queue_of_probes_changed(&mut self, pod: PodId) {
        let workload = self.pods.get(pod).and_then(|state| state.workload());
        if workload.is_some_and(|w| self.scenario.workloads[w].failings.probes_queue) {
            self.probes_may_find_otherwise(pod);
        }
    }

    /// Whether the kubelet of a pod probes its containers.
    fn can_probe(&self, pod: PodId) -> bool {
        let node = self.store.pod(pod).and_then(|p| p.node).and_then(|node| self.nodes.get(node));
        let runs = self.pods.get(pod).is_some_and(|state| state.containers == Containers::Running);
        runs && node.is_some_and(|node| node.alive && node.silent_since.is_none())
    }

    fn watch_of(&mut self, pod: PodId, container: usize, kind: ProbeKind) -> Option<&mut Watch> {
        let health = &mut self.pods.get_mut(pod)?.trouble.as_mut()?.health;
        health.watches.iter_mut().find(|w| w.container == container && w.kind == kind)
    }

    /// Plans a probe, unless it waits for an answer.
    fn plan_probe(&mut self, pod: PodId, container: usize, kind: ProbeKind, at: SimTime) {
        match self.watch_of(pod, container, kind) {
            Some(watch) if watch.asked != SimTime::NEVER => return,
            Some(watch) => watch.next = at,
            None => {
                let Some(state) = self.pods.get_mut(pod) else { return };
                let asked = SimTime::NEVER;
                let (fine, run, failed) = (true, 1, false);
                let watch = Watch { container, kind, asked, next: at, fine, run, failed };
                state.health_mut().watches.push(watch);
            }
        }
        self.plan_pod(at, pod, PodStep::Probe);
    }

    /// When a probe asks next: `started + initialDelay + k x period`. Containers of a settled start
    /// have started at any time before.
    fn next_tick(&self, pod: PodId, probe: &Probe) -> SimTime {
        let Some(state) = self.pods.get(pod) else { return self.now };
        let started = state.container_started;
        let mut first = started + probe.initial_delay;
        if started == SimTime::ZERO && state.first_ready == started {
            let uid = self.store.pod(pod).map_or(0, |p| p.uid);
            first = SimTime(self.streams.stream("probe phase", uid).below(probe.period.0.max(1)));
        }
        self.now.next_on_grid(first, probe.period)
    }

    /// Whether a container's startup probe has succeeded, or there is none.
    fn has_started(&self, pod: PodId, container: usize) -> bool {
        let probe = self.store.pod(pod).and_then(|p| p.spec.containers.get(container));
        let Some(probe) = probe.and_then(|c| c.startup_probe) else { return true };
        let Some((started, up)) = self.up_of(pod) else { return true };
        let hung = self.pods.get(pod).and_then(|s| s.health()).map_or(SimTime::NEVER, |h| h.hung);
        up == started || probe_succeeds(&probe, started, up) <= self.now.min(hung)
    }

    /// Whether a probe that asks now is answered.
    fn answers(&self, pod: PodId, probe: &Probe) -> bool {
        let is_up = self.up_of(pod).is_none_or(|(_, up)| up <= self.now);
        is_up && (probe.handler == ProbeHandler::TcpSocket || !self.is_mute(pod, probe))
    }

    /// Whether the application is there and does not answer in time.
    fn is_mute(&self, pod: PodId, probe: &Probe) -> bool {
        let Some(state) = self.pods.get(pod) else { return true };
        let queues = state.workload().is_some_and(|w| {
            let queues = self.scenario.workloads[w].failings.probes_queue;
            queues && is_late(self.network.answer_time(pod), probe.timeout.as_secs_f64())
        });
        state.is_hung() || queues
    }

    /// Whether readiness needs an answer of the application.
    pub(super) fn asks_application(&self, pod: PodId) -> bool {
        let asks = |probe: &Probe| probe.handler != ProbeHandler::TcpSocket;
        let probes = |c: &crate::api::pod::Container| {
            [c.startup_probe, c.readiness_probe].iter().flatten().any(asks)
        };
        self.store.pod(pod).is_some_and(|p| p.spec.containers.iter().any(probes))
    }

    /// Probes of a pod ask, or have waited long enough for an answer.
    pub(super) fn probe(&mut self, pod: PodId) {
        let now = self.now;
        let health = self.pods.get(pod).and_then(|state| state.health());
        let due: Vec<Watch> = health
            .into_iter()
            .flat_map(|health| &health.watches)
            .filter(|watch| watch.next == now)
            .copied()
            .collect();
        for watch in due {
            let Some(p) = self.store.pod(pod) else { return };
            let probe = p.spec.containers.get(watch.container).and_then(|c| watch.kind.of(c));
            if let Some(probe) = probe.copied() {
                self.probe_once(pod, watch, &probe);
            }
        }
    }

    fn probe_once(&mut self, pod: PodId, before: Watch, probe: &Probe) {
        let now = self.now;
        let fine = self.answers(pod, probe);
        let is_up = self.up_of(pod).is_none_or(|(_, up)| up <= now);
        let mut watch = Watch { next: SimTime::NEVER, ..before };
        if !fine && is_up && before.asked == SimTime::NEVER {
            (watch.asked, watch.next) = (now, now + probe.timeout);
            return self.put_watch(pod, watch);
        }
        let began = std::mem::replace(&mut watch.asked, SimTime::NEVER).min(now);
        if !fine {
            let said = complaint(probe, is_up);
            self.tell_trouble(pod, Warning, "Unhealthy", || {
                format!("{} probe failed: {said}", before.kind)
            });
        }
        watch.run = if watch.fine == fine { watch.run.saturating_add(1) } else { 1 };
        watch.fine = fine;
        let enough = if fine { probe.success_threshold } else { probe.failure_threshold };
        let changes = watch.run >= enough && watch.failed == fine;
        watch.failed ^= changes;
        if changes && watch.failed && before.kind != ProbeKind::Readiness {
            self.drop_watches(pod, |other| other.kind == ProbeKind::Readiness);
            return self.condemn(pod, before, probe);
        }
        if fine && !watch.failed {
            self.drop_watches(pod, |w| (w.container, w.kind) != (before.container, before.kind));
        } else {
            watch.next = self.next_heard(pod, &watch, probe, began);
            self.put_watch(pod, watch);
        }
        if changes {
            let step = if watch.failed { PodStep::Unready } else { PodStep::Ready };
            let still = self.pods.get(pod).and_then(|s| s.health()).is_some_and(|h| h.is_unready());
            if still == watch.failed {
                self.plan_pod(now, pod, step);
            }
        }
    }

    /// When a probe that began at `began` asks again. One that believes already what it finds asks
    /// only when somebody hears of it.
    fn next_heard(&self, pod: PodId, watch: &Watch, probe: &Probe, began: SimTime) -> SimTime {
        let mut at = (began + probe.period).max(self.now);
        let told = self.pods.get(pod).and_then(|state| state.trouble.as_ref()).map(|t| &t.told);
        if let Some(told) = told.filter(|_| watch.failed && !watch.fine) {
            while !told.has_token(at + probe.timeout) {
                at += probe.period.max(SimDuration::from_secs(1));
            }
        }
        at
    }

    fn put_watch(&mut self, pod: PodId, watch: Watch) {
        if let Some(kept) = self.watch_of(pod, watch.container, watch.kind) {
            *kept = watch;
            self.plan_pod(watch.next, pod, PodStep::Probe);
        }
    }

    fn drop_watches(&mut self, pod: PodId, keep: impl Fn(&Watch) -> bool) {
        if let Some(trouble) = self.pods.get_mut(pod).and_then(|state| state.trouble.as_mut()) {
            trouble.health.watches.retain(keep);
        }
    }

    /// A probe has its container ended: SIGTERM, and the end at the latest when the grace period of
    /// the probe, or else of the pod, is over.
    fn condemn(&mut self, pod: PodId, watch: Watch, probe: &Probe) {
        let now = self.now;
        let Some(p) = self.store.pod(pod) else { return };
        let Some(container) = p.spec.containers.get(watch.container) else { return };
        let grace = probe.termination_grace.unwrap_or(p.spec.termination_grace);
        let pre_stop = container.pre_stop;
        let behavior = p.spec.behavior.as_deref();
        let (told, code) = behavior.map_or((None, 0), |b| (b.stop, b.stop_exit_code));
        let kind = watch.kind.to_string().to_lowercase();
        let mut message = format!("Container {} failed {kind} probe", container.name);
        if p.spec.restart_policy != RestartPolicy::Never {
            message += ", will be restarted";
        }
        let hung = self.pods.get(pod).is_some_and(|state| state.is_hung());
        let ends = pre_stop
            + told.unwrap_or_else(|| {
                self.sample_for(pod, "termination", &self.scenario.flags.kubelet.termination)
            });
        // What hangs does not hear SIGTERM.
        let (takes, code) = if hung || ends > grace { (grace, LOST) } else { (ends, code) };
        self.publish("kubelet", Normal, "Killing", About::Pod(pod), message);
        if let Some(state) = self.pods.get_mut(pod) {
            state.health_mut().condemned = Some(code);
        }
        self.plan_pod(now + takes, pod, PodStep::Killed);
    }

    /// A readiness probe has failed often enough.
    pub(super) fn pod_unready(&mut self, pod: PodId) {
        if self.pods.get(pod).is_some_and(|state| state.containers == Containers::Running) {
            self.samples_differ(pod);
            self.store.set_pod_ready(pod, false, self.now);
        }
    }
}

/// Whether an answer after `wait` seconds is too late for who waits `patience`; at the very end of
/// it, it is.
fn is_late(wait: f64, patience: f64) -> bool {
    wait >= patience - 1e-9
}

/// What a probe without an answer says, without the address that it asked.
pub(super) fn complaint(probe: &Probe, is_up: bool) -> String {
    match (probe.handler, is_up) {
        (ProbeHandler::HttpGet, true) => {
            "context deadline exceeded (Client.Timeout exceeded while awaiting headers)".to_owned()
        }
        (ProbeHandler::Grpc, true) => {
            format!("timeout: health rpc did not complete within {}", probe.timeout)
        }
        (ProbeHandler::Exec, true) => "command timed out".to_owned(),
        (ProbeHandler::TcpSocket, true) => "dial tcp: i/o timeout".to_owned(),
        (ProbeHandler::Exec, false) => String::new(),
        (_, false) => "dial tcp: connect: connection refused".to_owned(),
    }
}
