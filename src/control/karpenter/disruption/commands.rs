//! Decisions that are carried out: nodes are marked, their replacements made, and when those can
//! take pods the nodes are deleted.
//!
//! Source: kubernetes-sigs/karpenter `pkg/controllers/disruption/queue.go`, `events/events.go`,
//! August 2026.

use super::super::termination::disrupted;
use super::super::{Chance, Karpenter, event};
use super::Command;
use crate::api::event::EventType::Normal;
use crate::api::node_pool::{DISRUPTED, DisruptionReason};
use crate::api::taint::TaintEffect;
use crate::control::controllers::action::{About, Action, Outcome};
use crate::store::Store;
use crate::units::{SimDuration, SimTime, WallClock};

/// How long replacements may take until a command is given up (`minRetryDuration`).
const PATIENCE: SimDuration = SimDuration::from_secs(10 * 60);

/// A command under way.
#[derive(Clone, Debug)]
pub(super) struct Running {
    reason: DisruptionReason,
    candidates: Vec<u64>,
    replacements: Vec<u64>,
    since: SimTime,
    /// Who gave it is no more.
    pub lost: bool,
}

impl Karpenter {
    /// Marks the nodes of a command and makes their replacements.
    pub(super) fn start(
        &mut self,
        reason: DisruptionReason,
        command: Command,
        store: &Store,
        chance: &mut Chance<'_>,
        (clock, now): (WallClock, SimTime),
        outcome: &mut Outcome,
    ) {
        let mut marks = Vec::new();
        let mut marked = vec![0; self.pools.len()];
        for number in &command.candidates {
            let Some(claim) = self.claims.get_mut(number) else { continue };
            claim.marked = true;
            marked[claim.pool] += 1;
            let taint = disrupted(now);
            marks.extend(claim.node.map(|node| Action::AddTaint { node, taint }));
        }
        outcome.batches.push(marks);
        self.recount_budgets(&marked, reason, store, (clock, now));
        let mut launches = Vec::new();
        let mut replacements = Vec::new();
        for fresh in &command.replacements {
            replacements.push(self.launch(fresh, chance, now, &mut launches));
        }
        if !launches.is_empty() {
            outcome.batches.push(launches);
        }
        for number in &replacements {
            let about = About::NodeClaim(*number);
            let message = format!("Launching NodeClaim: {}", reason.name());
            outcome.then(event(Normal, "DisruptionLaunching", about, message));
            let message = "Waiting on readiness to continue disruption".to_string();
            outcome.then(event(Normal, "DisruptionWaitingReadiness", about, message));
        }
        self.nominate(&command.packed, store, now, outcome);
        let Command { candidates, .. } = command;
        self.disruptions.running.push(Running {
            reason,
            candidates,
            replacements,
            since: now,
            lost: false,
        });
        self.follow_commands(store, now, outcome);
    }

    /// Deletes the nodes of commands whose replacements can take pods; gives up those whose
    /// replacements do not come.
    pub(in super::super) fn follow_commands(
        &mut self,
        store: &Store,
        now: SimTime,
        outcome: &mut Outcome,
    ) {
        for command in std::mem::take(&mut self.disruptions.running) {
            let of = |number: &u64| self.claims.get(number).filter(|claim| claim.ending.is_none());
            let failed = command.replacements.iter().any(|number| of(number).is_none());
            let come =
                command.replacements.iter().filter_map(of).all(|claim| claim.initialized.is_some());
            if failed || command.lost || (!come && command.since + PATIENCE < now) {
                self.give_up(&command, store, outcome);
            } else if come {
                for number in &command.candidates {
                    self.tell_terminating(*number, command.reason, outcome);
                    self.end(*number, command.reason.name(), now);
                }
            } else {
                outcome.wake(SimTime((command.since + PATIENCE).0 + 1));
                self.disruptions.running.push(command);
            }
        }
    }

    fn tell_terminating(&self, number: u64, reason: DisruptionReason, outcome: &mut Outcome) {
        let Some(claim) = self.claims.get(&number).filter(|claim| claim.ending.is_none()) else {
            return;
        };
        let reason = reason.name();
        if let Some(node) = claim.node {
            let message = format!("Disrupting Node: {reason}");
            outcome.then(event(Normal, "DisruptionTerminating", About::Node(node), message));
        }
        let (about, message) =
            (About::NodeClaim(number), format!("Disrupting NodeClaim: {reason}"));
        outcome.then(event(Normal, "DisruptionTerminating", about, message));
    }

    /// Nodes stay after all.
    fn give_up(&mut self, command: &Running, store: &Store, outcome: &mut Outcome) {
        for number in &command.candidates {
            let Some(claim) = self.claims.get_mut(number) else { continue };
            claim.marked = false;
            let tainted = claim.node.filter(|node| {
                let object = store.node(*node);
                object.is_some_and(|n| n.has_taint(DISRUPTED, TaintEffect::NoSchedule))
            });
            if let Some(node) = tainted.filter(|_| claim.ending.is_none()) {
                let (key, effect) = (DISRUPTED.into(), TaintEffect::NoSchedule);
                outcome.then(Action::RemoveTaint { node, key, effect });
            }
        }
        self.changed();
    }
}
