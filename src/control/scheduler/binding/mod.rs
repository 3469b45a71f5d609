//! Binding cycles that take their time: pods that have their nodes and are not bound yet, since a
//! Permit plugin lets them wait or a PreBind plugin has work to do.
//!
//! Upstream runs a goroutine for each (`bindingCycle`); here each is a record with a stage, and the
//! instants at which something is due are told to whoever moves the clock. A pod that nobody holds
//! has no record: it is bound by the decision that places it. `cycle.rs` says how a pod goes from
//! stage to stage, `pre_bind.rs` what it does on the way; this file only keeps the records, and
//! knows neither nodes nor the queue.
//!
//! Source: `pkg/scheduler/schedule_one.go`, `framework/runtime/waiting_pods_map.go`, v1.37.

mod cycle;
mod pre_bind;
#[cfg(test)]
mod tests;

use super::decision::Decision;
use super::framework::{NodeIndex, PluginId, PluginSet};
use super::pod_info::PodInfo;
use super::storage::Reservation;
use super::waiting_pods::{WaitingPod, WaitingPods, Word};
use crate::api::{NodeId, ObjectName, PodId};
use crate::units::{SimDuration, SimTime};
use pre_bind::Work;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// No plugin may let a pod wait for longer (`maxTimeout`).
const MAX_WAIT: SimDuration = SimDuration::from_secs(15 * 60);

/// What a binding cycle asks the world for, or how it ended.
#[derive(Clone, PartialEq, Debug)]
pub enum BindingStep {
    /// `status.nominatedNodeName` shall tell others where the pod is about to go
    /// (NominatedNodeNameForExpectation); the answer is `nomination_written`.
    Nominate {
        /// The pod.
        pod: PodId,
        /// Its node.
        node: NodeId,
        /// The binding cycle.
        cycle: u64,
    },
    /// A PreBind plugin writes to volumes, claims and claims of devices, one after the other; the answer is
    /// `pre_bind_written`.
    Write {
        /// The binding cycle.
        cycle: u64,
        /// The plugin.
        plugin: PluginId,
        /// What it writes.
        reservation: Reservation,
    },
    /// The pod is to be bound; the answer is `binding_finished`.
    Bind {
        /// The pod.
        pod: PodId,
        /// Its node.
        node: NodeId,
    },
    /// A claim of devices is to lose them, or, made by the scheduler for extended resources, to be
    /// deleted: a pod can't use them, and nobody else does.
    Free {
        /// The claim.
        claim: ObjectName,
    },
    /// A pod is to be taken from the users of these claims of devices; those that the scheduler made
    /// for it are to be deleted.
    Unreserve {
        /// The pod.
        pod: PodId,
        /// The claims.
        claims: Vec<ObjectName>,
    },
    /// The pod is not bound: it is back in the queue, and others may have its place. Always
    /// [`Decision::Unschedulable`].
    Failed(Decision),
}

impl BindingStep {
    /// The cycle that goes on when the step is done; `None`: it is over.
    fn cycle(&self) -> Option<u64> {
        match self {
            BindingStep::Nominate { cycle, .. } | BindingStep::Write { cycle, .. } => Some(*cycle),
            BindingStep::Bind { .. }
            | BindingStep::Free { .. }
            | BindingStep::Unreserve { .. }
            | BindingStep::Failed(_) => None,
        }
    }
}

/// All binding cycles that take their time.
#[derive(Default)]
pub(super) struct Bindings {
    /// By number, which is the order in which they began.
    cycles: BTreeMap<u64, Cycle>,
    of_pod: BTreeMap<PodId, u64>,
    /// How many have begun.
    begun: u64,
    /// When waiting on Permit is over, by the plugin that lets wait.
    timers: BTreeSet<(SimTime, u64, PluginId)>,
    /// Cycles that can go on.
    ready: VecDeque<u64>,
    /// For the world, in order.
    steps: VecDeque<BindingStep>,
    /// All that was due before has been done.
    looked_after: SimTime,
}

/// One of them.
struct Cycle {
    pod: PodInfo,
    profile: usize,
    node: NodeIndex,
    /// The plugins that let it wait, in the order of the profile.
    pending: Vec<Pending>,
    /// What became of its waiting on Permit; `None`: it still waits.
    verdict: Option<Verdict>,
    /// PreBind plugins with something to do, and those of them that may work side by side.
    pre_bind: PluginSet,
    parallel: PluginSet,
    stage: Stage,
    pod_is_there: bool,
}

/// A plugin that lets a pod wait.
struct Pending {
    plugin: PluginId,
    /// For so long.
    wait: SimDuration,
    until: SimTime,
}

/// How far a cycle is.
enum Stage {
    /// The pod's nominated node is being written.
    Nominating,
    /// It goes on as soon as nobody on Permit lets it wait.
    Permit,
    /// PreBind plugins work.
    PreBind(Work),
}

/// How waiting on Permit, or a cycle, ended.
enum Verdict {
    /// All plugins allow it.
    Allowed,
    /// A plugin, or the pod's removal, says no.
    Rejected(Option<PluginId>, String),
    /// It ends with an error: the pod is no less schedulable than before.
    Failed(String),
}

impl Bindings {
    /// Whether there is none.
    pub(super) fn is_idle(&self) -> bool {
        self.cycles.is_empty()
    }

    /// Something is to be done that no cycle waits for.
    pub(super) fn push(&mut self, step: BindingStep) {
        self.steps.push_back(step);
    }

    /// A cycle begins; gives its number.
    fn begin(&mut self, cycle: Cycle) -> u64 {
        self.begun += 1;
        for pending in &cycle.pending {
            self.timers.insert((pending.until, self.begun, pending.plugin));
        }
        self.of_pod.insert(cycle.pod.id, self.begun);
        self.cycles.insert(self.begun, cycle);
        self.begun
    }

    /// A cycle is over.
    fn end(&mut self, number: u64) -> Option<Cycle> {
        self.stop_timers(number);
        self.steps.retain(|step| step.cycle() != Some(number));
        let cycle = self.cycles.remove(&number)?;
        self.of_pod.remove(&cycle.pod.id);
        Some(cycle)
    }

    fn stop_timers(&mut self, number: u64) {
        for pending in self.cycles.get(&number).into_iter().flat_map(|cycle| &cycle.pending) {
            self.timers.remove(&(pending.until, number, pending.plugin));
        }
    }

    fn number_of(&self, pod: PodId) -> Option<u64> {
        self.of_pod.get(&pod).copied()
    }

    /// The pods that wait on Permit.
    fn waiting(&self) -> WaitingPods<'_> {
        let pods = self.cycles.values().filter(|cycle| cycle.verdict.is_none()).map(|cycle| {
            let mut pending = PluginSet::EMPTY;
            cycle.pending.iter().for_each(|p| pending.insert(p.plugin));
            WaitingPod { pod: &cycle.pod, node: cycle.node, pending }
        });
        WaitingPods::new(pods.collect())
    }

    /// Heeds what a plugin said of pods that wait.
    fn hear(&mut self, plugin: PluginId, words: Vec<(PodId, Word)>) {
        for (pod, word) in words {
            let Some(number) = self.number_of(pod) else { continue };
            match word {
                Word::Allow => self.allow(number, plugin),
                Word::Reject(why) => {
                    self.conclude(number, Verdict::Rejected(Some(plugin), why));
                }
            }
        }
    }

    fn allow(&mut self, number: u64, plugin: PluginId) {
        let Some(cycle) = self.cycles.get_mut(&number) else { return };
        if let Some(at) = cycle.pending.iter().position(|p| p.plugin == plugin) {
            let pending = cycle.pending.remove(at);
            self.timers.remove(&(pending.until, number, plugin));
        }
        if cycle.pending.is_empty() {
            self.conclude(number, Verdict::Allowed);
        }
    }

    /// Ends a pod's waiting; gives whether it was waiting.
    fn conclude(&mut self, number: u64, verdict: Verdict) -> bool {
        let Some(cycle) = self.cycles.get_mut(&number) else { return false };
        if cycle.verdict.is_some() {
            return false;
        }
        cycle.verdict = Some(verdict);
        self.stop_timers(number);
        self.ready.push_back(number);
        true
    }
}
