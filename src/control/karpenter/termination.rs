//! Draining a node and deleting its machine.
//!
//! Source: kubernetes-sigs/karpenter `pkg/controllers/node/termination/controller.go`,
//! `terminator/terminator.go`, `terminator/eviction.go`, August 2026.

use super::claim::Ending;
use super::simulate::{is_daemon, undisrupted_until};
use super::{Karpenter, event};
use crate::api::event::EventType::{Normal, Warning};
use crate::api::node_pool::DISRUPTED;
use crate::api::pod::Pod;
use crate::api::taint::{Taint, TaintEffect};
use crate::api::{NodeId, PodId};
use crate::control::controllers::action::{About, Action, Outcome};
use crate::control::controllers::disruption;
use crate::store::Store;
use crate::units::{SimDuration, SimTime};

/// How often a node that is drained is looked at.
const POLL: SimDuration = SimDuration::from_secs(1);
/// How long a drain takes at least, so that pods bound a moment ago are seen (`MinDrainTime`).
const LEAST: SimDuration = SimDuration::from_secs(5);
/// First and longest delay of an eviction that was refused.
const RETRY: (SimDuration, SimDuration) =
    (SimDuration::from_millis(100), SimDuration::from_secs(10));
/// A pod that should have been gone for so long is no longer waited for (`IsStuckTerminating`).
const STUCK: SimDuration = SimDuration::from_secs(60);
/// Priority of `system-cluster-critical`, the lower one of the two critical classes.
const CRITICAL: i32 = 2_000_000_000;

/// The mark of a node that is disrupted.
pub(super) fn disrupted(now: SimTime) -> Taint {
    Taint::new(DISRUPTED, TaintEffect::NoSchedule, now)
}

impl Karpenter {
    /// Goes on with all deletions.
    pub(super) fn terminate(&mut self, store: &Store, now: SimTime, outcome: &mut Outcome) {
        let mut evictions = Vec::new();
        for (number, claim) in &mut self.claims {
            let pool = &self.pools[claim.pool];
            let (node, grace) = (claim.node, pool.termination_grace);
            let Some(ending) = claim.ending.as_mut().filter(|ending| !ending.terminating) else {
                continue;
            };
            let Some((node, object)) = node.and_then(|id| Some((id, store.node(id)?))) else {
                ending.terminating = true;
                outcome.then(Action::CancelMachine { claim: *number });
                continue;
            };
            if !object.has_taint(DISRUPTED, TaintEffect::NoSchedule) {
                outcome.then(Action::AddTaint { node, taint: disrupted(now) });
            }
            let mut drain = Drain { node, ending, store, now, deadline: None };
            drain.deadline = grace.map(|grace| drain.ending.since + grace);
            if drain.go_on(outcome, &mut evictions) {
                drain.ending.terminating = true;
                outcome.then(Action::DeleteMachine { node });
            }
        }
        if !evictions.is_empty() {
            outcome.batches.push(evictions);
        }
    }
}

/// A node that is drained.
struct Drain<'a> {
    node: NodeId,
    ending: &'a mut Ending,
    store: &'a Store,
    now: SimTime,
    /// When all pods are gone, whatever protects them.
    deadline: Option<SimTime>,
}

impl Drain<'_> {
    /// Evicts pods; true when the machine may go.
    fn go_on(&mut self, outcome: &mut Outcome, evictions: &mut Vec<Action>) -> bool {
        let waiting = self.waiting(outcome);
        if waiting.is_empty() {
            let due = self.now.next_on_grid(self.ending.since + LEAST, POLL);
            let due = if self.has_volumes() {
                SimTime(self.now.0 + 1).next_on_grid(due, POLL)
            } else {
                due
            };
            if due > self.now {
                outcome.wake(due);
            }
            return due <= self.now;
        }
        let mut first: Option<(bool, bool)> = None;
        for id in waiting {
            let Some(pod) = self.store.pod(id) else { continue };
            if self.force(id, pod, outcome, evictions) {
                continue;
            }
            let tier = (pod.spec.priority >= CRITICAL, is_daemon(pod, self.store));
            first = Some(first.map_or(tier, |first| first.min(tier)));
        }
        let Some(first) = first else { return false };
        for id in self.waiting(&mut Outcome::idle()) {
            let Some(pod) = self.store.pod(id) else { continue };
            let tier = (pod.spec.priority >= CRITICAL, is_daemon(pod, self.store));
            if tier == first && pod.deletion.is_none() {
                self.evict(id, pod, outcome, evictions);
            }
        }
        false
    }

    /// Pods that the node is not deleted with.
    fn waiting(&self, outcome: &mut Outcome) -> Vec<PodId> {
        let mut found = Vec::new();
        for id in self.store.pods_on(self.node) {
            let Some(pod) = self.store.pod(*id) else { continue };
            let tolerates = disrupted(self.now).is_tolerated(&pod.spec.tolerations);
            if pod.phase.is_terminal() || pod.spec.is_mirror || tolerates {
                continue;
            }
            if let Some(since) = pod.deletion.get() {
                let stuck = since + pod.spec.termination_grace + STUCK;
                if stuck < self.now {
                    continue;
                }
                outcome.wake(SimTime(stuck.0 + 1));
            }
            found.push(*id);
        }
        found
    }

    fn has_volumes(&self) -> bool {
        let over = self.deadline.is_some_and(|deadline| deadline < self.now);
        !over
            && self.store.has_storage()
            && self.store.node(self.node).is_some_and(|node| {
                self.store.attachments().any(|(_, a)| a.object.node == node.name)
            })
    }

    /// Deletes a pod whose grace would outlast the node's.
    fn force(
        &mut self,
        id: PodId,
        pod: &Pod,
        outcome: &mut Outcome,
        evictions: &mut Vec<Action>,
    ) -> bool {
        let Some(deadline) = self.deadline else { return false };
        let latest = SimTime(deadline.0.saturating_sub(pod.spec.termination_grace.0));
        if self.now <= latest || pod.deletion.is_some() {
            if pod.deletion.is_none() {
                outcome.wake(SimTime(latest.0 + 1));
            }
            return false;
        }
        let left =
            SimDuration::from_secs(whole_secs(deadline.since(self.now.min(deadline))).max(1));
        let message = format!(
            "Deleting the pod to accommodate the terminationTime {deadline} of the node. The pod was \
             granted {} seconds of grace-period of its {} terminationGracePeriodSeconds. This \
             bypasses the PDB of the pod and the do-not-disrupt annotation.",
            whole_secs(left),
            whole_secs(pod.spec.termination_grace),
        );
        outcome.then(event(Normal, "Disrupted", About::Pod(id), message));
        evictions.push(Action::DeletePod { pod: id, grace: Some(left), reason: "Drained" });
        true
    }

    /// Asks for an eviction, again after a while when it was refused.
    fn evict(&mut self, id: PodId, pod: &Pod, outcome: &mut Outcome, evictions: &mut Vec<Action>) {
        if let Some(until) = undisrupted_until(pod, self.now) {
            outcome.wake(until);
            return;
        }
        let (tries, due) = self.ending.evictions.get(&id).copied().unwrap_or((0, self.now));
        if due > self.now {
            outcome.wake(due);
            return;
        }
        let delay = (RETRY.0 * (1 << tries.min(20))).min(RETRY.1);
        self.ending.evictions.insert(id, (tries + 1, self.now + delay));
        outcome.wake(self.now + delay);
        if disruption::may_evict(self.store, id).is_ok() {
            let message = format!("Evicted pod: {}", self.ending.reason);
            outcome.then(event(Normal, "Evicted", About::Pod(id), message));
        } else if tries == 0 {
            let name = format!("{}/{}", pod.namespace, pod.name());
            let message = format!("Failed to drain node, evicting pod violates a PDB (Pod={name})");
            outcome.then(event(Warning, "FailedDraining", About::Node(self.node), message));
        }
        evictions.push(Action::EvictPod { pod: id, grace: None, reason: "Drained" });
    }
}

fn whole_secs(length: SimDuration) -> u64 {
    length.0 / SimDuration::from_secs(1).0
}
