//! Node-pressure eviction: a kubelet whose node runs short of memory or disk ends pods.
//!
//! Each kubelet looks every ten seconds while its node is short, and not at all before: that it is
//! or will be, and at which of its looks it finds out, is computed when usage changes. What the
//! kernel does when nothing is left is here too: it does not wait for a look. Source: kubernetes
//! `pkg/kubelet/eviction/eviction_manager.go`, `pkg/kubelet/qos/policy.go` and
//! `pkg/kubelet/nodestatus/setters.go`, v1.37.
//!
//! | file | what lives there |
//! |---|---|
//! | `pressure.rs` | thresholds, conditions and grace periods of one node |
//! | `rank.rs` | the order of pods, and the words |
//! | `limits.rs` | pods that have written more than they may |
//! | `kernel.rs` | the kernel's choice when memory is used up |

mod kernel;
mod limits;
mod pressure;
mod rank;

pub use limits::lowest_limit;
pub use pressure::Observation;

use super::disk::Disk;
use super::usage::MemoryWatch;
use crate::api::event::EventType::{Normal, Warning};
use crate::api::node::{Pressure, Pressures};
use crate::api::pod::{Pod, StatusReason};
use crate::api::qos::Qos;
use crate::api::taint::{MEMORY_PRESSURE, Taint, TaintEffect};
use crate::api::{NodeId, PodId, Text};
use crate::control::controllers::action::About;
use crate::record::story::Moment;
use crate::scenario::eviction::Signal;
use crate::scenario::model::KubeletFlags;
use crate::units::{SimDuration, SimTime};
use crate::world::cloud::entity;
use crate::world::event::{Event, NodeStep};
use crate::world::world::World;
use pressure::{DISK, MEMORY, MONITORING, Manager, Observations, Threshold};
use rank::{Candidate, Share};
use std::collections::BTreeMap;

/// `status.reason` of pods that a short node gives up.
pub(super) const EVICTED: &str = "Evicted";
/// How long pods get to end at a hard threshold (`immediateEvictionGracePeriodSeconds`).
const AT_ONCE: SimDuration = SimDuration::from_secs(1);
/// How often the manager asks whether an evicted pod is cleaned up (`podCleanupPollFreq`).
const CLEANUP_POLL: SimDuration = SimDuration::from_secs(1);
/// How long it asks at most (`podCleanupTimeout`).
const CLEANUP_TIMEOUT: SimDuration = SimDuration::from_secs(30);
/// So long after a level should be passed it is, whatever the rounding.
const BY_ALL_MEANS: SimDuration = SimDuration::from_millis(1);
/// Priorities from here on are critical (`SystemCriticalPriority`).
pub(super) const CRITICAL: i32 = 2_000_000_000;

/// The eviction managers of all kubelets.
#[derive(Clone, Debug, Default)]
pub struct Evictions {
    thresholds: Vec<Threshold>,
    /// Which nodes' memory is watched; `None`: none can run short.
    pub(super) memory: Option<Box<MemoryWatch>>,
    /// When the kernels of nodes will have nothing left, as things are.
    kernels: BTreeMap<NodeId, SimTime>,
    /// Disks of known size that something lies on.
    pub(super) disks: BTreeMap<NodeId, Disk>,
    /// Nodes that are or were short, or will be.
    nodes: BTreeMap<NodeId, Watched>,
}

/// A node that is, was or will be short.
#[derive(Clone, Debug)]
struct Watched {
    manager: Manager,
    /// Looks are this and every ten seconds after.
    phase: SimTime,
    /// The look that is planned; `NEVER`: none.
    planned: SimTime,
    /// The pods that are being ended.
    ends: Vec<PodId>,
}

impl Evictions {
    /// Managers with these flags.
    pub fn new(flags: &KubeletFlags) -> Evictions {
        Evictions { thresholds: pressure::thresholds(flags), ..Evictions::default() }
    }

    /// A machine is gone, and its disk with it.
    pub fn forget_disk(&mut self, node: NodeId) {
        self.disks.remove(&node);
    }

    /// The most that any threshold wants to be available.
    pub(super) fn most_of(&self, signal: Signal, capacity: i64) -> i64 {
        let bounds = self.thresholds.iter().filter(|one| one.signal == signal);
        bounds.map(|one| one.value.of(capacity)).max().unwrap_or(0)
    }
}

/// Whether a kubelet never gives up a pod (`IsCriticalPod`).
pub(super) fn is_critical(pod: &Pod) -> bool {
    pod.spec.is_mirror || pod.spec.priority >= CRITICAL
}

impl World<'_> {
    /// A node's memory may be short now: plans the look that finds it so.
    pub(super) fn memory_may_be_short(&mut self, node: NodeId) {
        let (left, rate) = (self.memory_left(node), self.memory_grows_by(node));
        let passes = |level: i64| match left - level as f64 {
            left if left < 0.0 => Some(self.now),
            left if rate > 0.0 => {
                let wait = SimDuration::from_secs_f64((left / rate).min(1e9));
                Some(self.now.saturating_add(wait) + BY_ALL_MEANS)
            }
            _ => None,
        };
        let capacity = self.store.node(node).map_or(0, |n| n.capacity.memory.0);
        let kept = self.evictions.most_of(Signal::Memory, capacity);
        let (short, nothing) = (passes(kept), passes(0));
        if let Some(at) = short {
            self.plan_node_look(node, at);
        }
        if let Some(at) = nothing {
            self.plan_kernel(node, at);
        }
    }

    /// Plans the instant at which the kernel has nothing left, if none is planned before.
    fn plan_kernel(&mut self, node: NodeId, at: SimTime) {
        let now = self.now;
        let planned = self.evictions.kernels.entry(node).or_insert(SimTime::NEVER);
        if at < *planned || *planned < now {
            *planned = at;
            self.plan(at, Event::Node(node, NodeStep::OutOfMemory));
        }
    }

    /// Plans the first look of a node's manager that is not before `from`, if none is planned
    /// earlier.
    pub(super) fn plan_node_look(&mut self, node: NodeId, from: SimTime) {
        let Some(state) = self.nodes.get(node).filter(|state| state.alive) else { return };
        let Some(machine) = self.cloud.machines.get(state.machine) else { return };
        let key = entity(machine.group, machine.ordinal);
        let streams = &self.streams;
        let watched = self.evictions.nodes.entry(node).or_insert_with(|| {
            let phase = streams.stream("eviction monitoring", key).below(MONITORING.0);
            let manager = Manager::default();
            Watched { manager, phase: SimTime(phase), planned: SimTime::NEVER, ends: vec![] }
        });
        let mut at = from.next_on_grid(watched.phase, MONITORING);
        if at == watched.phase && at == self.now {
            // This look has been.
            at += MONITORING;
        }
        if at < watched.planned && watched.ends.is_empty() {
            watched.planned = at;
            self.plan(at, Event::Node(node, NodeStep::Look));
        }
    }

    /// A step of a node's kubelet is due.
    pub(in crate::world) fn on_node_step(&mut self, node: NodeId, step: NodeStep) {
        if step == NodeStep::Status {
            return self.write_status(node);
        }
        let now = self.now;
        let Some(state) = self.nodes.get(node).filter(|state| state.alive) else { return };
        if step == NodeStep::OutOfMemory {
            if self.evictions.kernels.get(&node) == Some(&now) {
                self.evictions.kernels.remove(&node);
                self.kernel_kills(node);
            }
            return;
        }
        if state.silent_since.is_some() {
            // A kubelet that hangs does nothing; it goes on when it is back.
            return self.put_off(node, step);
        }
        match step {
            NodeStep::Look => {
                let watched = self.evictions.nodes.get(&node);
                if watched.is_some_and(|watched| watched.planned == now) {
                    self.node_looks(node);
                }
            }
            NodeStep::ImageGc => self.collect_images(node),
            NodeStep::Mirrors => self.mirrors_come(node),
            NodeStep::Resize => self.look_at_resizes(node),
            NodeStep::Shutdown => self.go_on_shutting_down(node),
            NodeStep::OutOfMemory | NodeStep::Status => {}
        }
    }

    /// A step waits for a kubelet that hangs.
    fn put_off(&mut self, node: NodeId, step: NodeStep) {
        let at = self.now + MONITORING;
        match step {
            NodeStep::Look => {
                if let Some(watched) = self.evictions.nodes.get_mut(&node) {
                    watched.planned = at;
                }
            }
            NodeStep::ImageGc => self.put_off_collection(node, at),
            _ => {}
        }
        self.plan(at, Event::Node(node, step));
    }

    /// What a node's manager sees.
    fn observe(&self, node: NodeId) -> Observations {
        let memory = self.evictions.memory.is_some().then(|| self.observe_memory(node));
        Observations { memory, disk: self.observe_disk(node) }
    }

    /// One pass of the manager (`synchronize`).
    fn node_looks(&mut self, node: NodeId) {
        let now = self.now;
        let seen = self.observe(node);
        let transition = self.scenario.flags.kubelet.eviction_pressure_transition_period;
        let Evictions { thresholds, nodes, .. } = &mut self.evictions;
        let Some(watched) = nodes.get_mut(&node) else { return };
        let before = watched.manager.conditions();
        let look = watched.manager.synchronize(thresholds, &seen, transition, now);
        (watched.phase, watched.planned, watched.ends) = (now, SimTime::NEVER, vec![]);
        let changed = watched.manager.conditions() != before;
        if changed {
            self.status_may_change(node);
        }
        let mut ends = self.evict_above_limits(node);
        let mut grace = AT_ONCE;
        if ends.is_empty()
            && !look.met.is_empty()
            && let Some((pod, given)) = self.reclaim(node, &look.met, &seen)
        {
            (ends, grace) = (vec![pod], given);
        }
        if ends.is_empty() {
            self.look_ahead(node, look.is_calm);
        } else if let Some(watched) = self.evictions.nodes.get_mut(&node) {
            watched.ends = ends;
            watched.planned = now + grace + CLEANUP_TIMEOUT;
            let at = watched.planned;
            self.plan(at, Event::Node(node, NodeStep::Look));
        }
    }

    /// Plans the next look: while anything is short, or was not long ago, ten seconds later; else
    /// when it will find what grows to have gone too far.
    fn look_ahead(&mut self, node: NodeId, is_calm: bool) {
        if !is_calm {
            self.plan_node_look(node, self.now + MONITORING);
        }
        if self.evictions.memory.is_some() {
            self.memory_may_be_short(node);
        }
        self.disk_changes(node);
    }

    /// Evicts the pods that have written more than they may.
    fn evict_above_limits(&mut self, node: NodeId) -> Vec<PodId> {
        let mut evicted = Vec::new();
        for id in self.store.pods_on(node).to_vec() {
            let Some(pod) = self.store.pod(id).filter(|pod| !pod.phase.is_terminal()) else {
                continue;
            };
            let written = self.measured_disk(id);
            let shares = self.shares(id, Signal::NodeFs);
            let why = limits::above_limit(&pod.spec, written, &shares);
            if let Some(message) = why.filter(|_| !is_critical(pod)) {
                self.evict(id, AT_ONCE, message.into(), "");
                evicted.push(id);
            }
        }
        evicted
    }

    /// Whether a node's status does not say what its kubelet knows of pressures.
    pub(super) fn pressures_differ(&self, node: NodeId) -> bool {
        let Some(watched) = self.evictions.nodes.get(&node) else { return false };
        let told = self.store.node(node).map(|n| n.pressures());
        told.is_some_and(|t| [t.memory.is_on, t.disk.is_on] != watched.manager.conditions())
    }

    /// Writes the pressures into the node's status.
    pub(super) fn post_pressures(&mut self, node: NodeId) {
        let now = self.now;
        let held = self.evictions.nodes.get(&node).map_or([false; 2], |w| w.manager.conditions());
        let Some(n) = self.store.node(node) else { return };
        let (before, name) = (n.pressures(), n.name.clone());
        let turn = |before: Pressure, is_on: bool| match before.is_on == is_on {
            true => before,
            false => Pressure { is_on, changed: now.into() },
        };
        let after = Pressures {
            memory: turn(before.memory, held[MEMORY]),
            disk: turn(before.disk, held[DISK]),
            shuts_down: before.shuts_down,
        };
        if after == before {
            return;
        }
        self.store.update_node(node, |n| {
            n.pressures = Some(Box::new(after));
            true
        });
        let rows = [
            (before.memory, after.memory, ["NodeHasSufficientMemory", "NodeHasInsufficientMemory"]),
            (before.disk, after.disk, ["NodeHasNoDiskPressure", "NodeHasDiskPressure"]),
        ];
        for (_, after, words) in rows.into_iter().filter(|(before, after, _)| before != after) {
            let reason = words[usize::from(after.is_on)];
            let message = format!("Node {name} status is now: {reason}");
            self.publish("kubelet", Normal, reason, About::Node(node), message);
        }
    }

    /// Tries to have more of what is short: the first pod that may go, and how long it gets.
    fn reclaim(
        &mut self,
        node: NodeId,
        met: &[usize],
        seen: &Observations,
    ) -> Option<(PodId, SimDuration)> {
        let first = self.evictions.thresholds[*met.first()?];
        let resource = resource_of(first.signal);
        let message = format!("Attempting to reclaim {resource}");
        self.publish("kubelet", Warning, "EvictionThresholdMet", About::Node(node), message);
        if first.signal != Signal::Memory {
            self.free_images(node, i64::MAX);
            if Manager::is_satisfied(&self.evictions.thresholds, &self.observe(node)) {
                return None;
            }
        }
        let mut candidates = self.candidates(node, first.signal);
        rank::rank(&mut candidates);
        let may_go = |one: &&Candidate| self.store.pod(one.pod).is_some_and(|p| !is_critical(p));
        let chosen = candidates.iter().find(may_go)?.pod;
        let own = self.store.pod(chosen)?.spec.termination_grace;
        let most = self.scenario.flags.kubelet.eviction_max_pod_grace_period;
        let grace = if first.grace.is_none() { AT_ONCE } else { most.min(own) };
        let Evictions { thresholds, .. } = &self.evictions;
        let same = met.iter().map(|place| thresholds[*place]);
        let told = same.into_iter().find(|one| resource_of(one.signal) == resource)?;
        let observed = seen.of(told.signal)?;
        let short = (told.value.of(observed.capacity), observed.available);
        let message = rank::message(resource, short, &self.shares(chosen, first.signal));
        self.evict(chosen, grace, message.into(), "TerminationByKubelet");
        Some((chosen, grace))
    }

    /// The pods of a node that have not ended, with what they use.
    fn candidates(&self, node: NodeId, signal: Signal) -> Vec<Candidate> {
        let of = |id: &PodId| {
            let pod = self.store.pod(*id).filter(|pod| !pod.phase.is_terminal())?;
            let (usage, request) = self.usage_and_request(*id, pod, signal);
            let draw = self.streams.stream("eviction order", pod.uid).next_u64();
            Some(Candidate { pod: *id, priority: pod.spec.priority, usage, request, draw })
        };
        self.store.pods_on(node).iter().filter_map(of).collect()
    }

    fn usage_and_request(&self, id: PodId, pod: &Pod, signal: Signal) -> (i64, i64) {
        let requests = pod.spec.requests();
        match signal {
            Signal::Memory => (self.measured_memory(id), requests.memory.0),
            Signal::NodeFs | Signal::ImageFs => {
                (self.measured_disk(id), requests.ephemeral_storage.0)
            }
        }
    }

    /// What each container of a pod uses and requests. Containers of a pod count together: each
    /// has its part of the whole by what it requests.
    fn shares(&self, id: PodId, signal: Signal) -> Vec<Share> {
        let Some(pod) = self.store.pod(id) else { return Vec::new() };
        let (usage, _) = self.usage_and_request(id, pod, signal);
        let containers = &pod.spec.containers;
        let requested = |index: usize| match signal {
            Signal::Memory => containers[index].requests.memory.0,
            Signal::NodeFs | Signal::ImageFs => containers[index].requests.ephemeral_storage.0,
        };
        let all: i64 = (0..containers.len()).map(requested).sum();
        let part = |index: usize| match all {
            0 => usage / containers.len().max(1) as i64,
            all => (i128::from(usage) * i128::from(requested(index)) / i128::from(all)) as i64,
        };
        let share = |index: usize| (containers[index].name.clone(), part(index), requested(index));
        (0..containers.len()).map(share).collect()
    }

    /// Ends a pod for its node's sake (`evictPod`); `condition`: the reason of its
    /// DisruptionTarget condition, if it gets one.
    pub(super) fn evict(
        &mut self,
        pod: PodId,
        grace: SimDuration,
        message: Text,
        condition: &'static str,
    ) {
        let Some(p) = self.store.pod(pod) else { return };
        let name = p.name();
        self.publish("kubelet", Warning, EVICTED, About::Pod(pod), message.to_string());
        self.tell_once(Moment::FirstEviction, || {
            format!("the first kubelet is short of something and evicts a pod: {name}")
        });
        let Some(state) = self.pods.get_mut(pod) else { return };
        let trouble = state.trouble.get_or_insert_default();
        if trouble.end_reason.is_empty() {
            trouble.end_reason = EVICTED;
            self.recorder.totals.pods_evicted += 1;
        }
        trouble.grace = Some(grace);
        trouble.fate = Some(Box::new(StatusReason { reason: EVICTED, message }));
        if !condition.is_empty() {
            self.note_kubelet_disruption(pod, condition);
        }
        self.stop_pod(pod);
    }

    /// A pod's containers have ended: its node's manager, if it waits for that, looks again.
    pub(super) fn pod_is_cleaned_up(&mut self, pod: PodId) {
        let Some(node) = self.store.pod(pod).and_then(|p| p.node) else { return };
        self.shutdown_goes_on(node, Some(pod));
        let Some(watched) = self.evictions.nodes.get_mut(&node) else { return };
        let before = watched.ends.len();
        watched.ends.retain(|other| *other != pod);
        if before > 0 && watched.ends.is_empty() {
            watched.planned = self.now + CLEANUP_POLL;
            let at = watched.planned;
            self.plan(at, Event::Node(node, NodeStep::Look));
        }
    }

    /// A machine is dead: its kubelet remembers nothing.
    pub(super) fn forget_pressures(&mut self, node: NodeId) {
        self.evictions.nodes.remove(&node);
        self.evictions.kernels.remove(&node);
    }

    /// A machine is back: what its status said of pressures is no longer so.
    pub(super) fn pressures_are_over(&mut self, node: NodeId) {
        self.store.update_node(node, |n| {
            n.pressures.as_mut().is_some_and(|all| std::mem::take(&mut all.shuts_down))
        });
        if self.store.node(node).is_some_and(|n| n.pressures.is_some()) {
            self.post_pressures(node);
        }
        self.disk_changes(node);
    }

    /// Why a node that is short does not take a pod (`Admit`); `None`: it does.
    pub(super) fn pressure_refuses(&self, pod: &Pod, node: NodeId) -> Option<String> {
        let held = self.evictions.nodes.get(&node)?.manager.conditions();
        if held == [false; 2] || is_critical(pod) {
            return None;
        }
        if !held[DISK] {
            let taint = Taint::new(MEMORY_PRESSURE, TaintEffect::NoSchedule, SimTime::ZERO);
            let tolerates = pod.spec.tolerations.iter().any(|one| one.tolerates(&taint));
            if Qos::of(&pod.spec) != Qos::BestEffort || tolerates {
                return None;
            }
        }
        let names = ["MemoryPressure", "DiskPressure"];
        let names = names.into_iter().zip(held).filter(|(_, held)| *held);
        let names: Vec<&str> = names.map(|(name, _)| name).collect();
        Some(format!("The node had condition: [{}]. ", names.join(" ")))
    }
}

/// What a signal tells of (`signalToResource`).
fn resource_of(signal: Signal) -> &'static str {
    match signal {
        Signal::Memory => "memory",
        Signal::NodeFs | Signal::ImageFs => "ephemeral-storage",
    }
}

#[cfg(test)]
mod disk_tests;
#[cfg(test)]
mod tests;
