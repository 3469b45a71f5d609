//! Which nodes go, or are replaced: empty ones, those whose pool has changed, those that cost more
//! than they need to.
//!
//! Source: kubernetes-sigs/karpenter `pkg/controllers/disruption/controller.go`, `emptiness.go`,
//! `drift.go`, `validation.go`, August 2026. Each method but drift looks twice, some seconds apart:
//! only what still holds then is done. Upstream's loop waits for that, and so does this.

mod budgets;
mod candidates;
mod commands;
mod consolidation;

use super::claim::NodeClaim;
use super::packing::Fresh;
use super::simulate::Packed;
use super::{Chance, Karpenter};
use crate::api::node_pool::DisruptionReason;
use crate::control::controllers::action::Outcome;
use crate::store::Store;
use crate::units::{SimDuration, SimTime, WallClock};
pub(super) use budgets::allowed_of;
use candidates::Candidate;
use commands::Running;

/// Between two passes that found nothing to do (`pollingPeriod`).
const POLL: SimDuration = SimDuration::from_secs(10);
/// Between a decision and its validation (`commandValidationDelay`).
const VALIDATION: SimDuration = SimDuration::from_secs(15);

/// The ways to find nodes that may go, in the order in which they are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Method {
    Emptiness,
    Drift,
    MultiNode,
    SingleNode,
}

impl Method {
    const ALL: [Method; 4] =
        [Method::Emptiness, Method::Drift, Method::MultiNode, Method::SingleNode];

    fn reason(self) -> DisruptionReason {
        match self {
            Method::Emptiness => DisruptionReason::Empty,
            Method::Drift => DisruptionReason::Drifted,
            Method::MultiNode | Method::SingleNode => DisruptionReason::Underutilized,
        }
    }
}

/// A decision: NodeClaims that go, and what is made in their place first.
#[derive(Debug, Default)]
struct Command {
    candidates: Vec<u64>,
    replacements: Vec<Fresh>,
    /// Where the pods would go.
    packed: Packed,
}

/// The memory of the disruption controller.
#[derive(Debug, Default)]
pub(super) struct Disruptions {
    /// A decision that waits for its validation, and until when.
    pending: Option<(Method, Command, SimTime)>,
    /// Commands under way, oldest first.
    running: Vec<Running>,
    /// From when on its passes are counted.
    anchor: SimTime,
    /// Something has changed since the last pass.
    changed: bool,
    /// When something that the last pass looked at turns by itself.
    turns: Option<SimTime>,
}

impl Disruptions {
    pub(super) fn changed(&mut self) {
        self.changed = true;
    }

    /// Its process is a new one: what it was about to do is forgotten.
    pub(super) fn begin_anew(&mut self) {
        let running = std::mem::take(&mut self.running);
        *self = Disruptions { running, changed: true, ..Disruptions::default() };
        self.running.iter_mut().for_each(|command| command.lost = true);
    }
}

impl Karpenter {
    /// One turn of the loop, when it is time for one.
    pub(super) fn disrupt(
        &mut self,
        store: &Store,
        clock: WallClock,
        chance: &mut Chance<'_>,
        now: SimTime,
        outcome: &mut Outcome,
    ) {
        if let Some((method, command, until)) = self.disruptions.pending.take() {
            if until > now {
                self.disruptions.pending = Some((method, command, until));
                return outcome.wake(until);
            }
            return match self.validate(method, command, store, clock, now) {
                Some(valid) => {
                    self.start(method.reason(), valid, store, chance, (clock, now), outcome);
                    self.pass(Method::Emptiness, store, clock, chance, now, outcome);
                }
                None => {
                    let later = Method::ALL.into_iter().find(|m| *m > method);
                    match later {
                        Some(next) => self.pass(next, store, clock, chance, now, outcome),
                        None => self.rest(store, clock, now, outcome),
                    }
                }
            };
        }
        if self.disruptions.turns.is_some_and(|at| at <= now) {
            self.disruptions.changed = true;
        }
        if !self.disruptions.changed {
            return outcome.wake(self.disruptions.turns.unwrap_or(SimTime::NEVER));
        }
        let due = now.next_on_grid(self.disruptions.anchor, POLL);
        if due > now {
            return outcome.wake(due);
        }
        self.pass(Method::Emptiness, store, clock, chance, now, outcome);
    }

    /// Tries the methods from `first` on until one decides something.
    fn pass(
        &mut self,
        first: Method,
        store: &Store,
        clock: WallClock,
        chance: &mut Chance<'_>,
        now: SimTime,
        outcome: &mut Outcome,
    ) {
        self.disruptions.changed = false;
        for method in Method::ALL.into_iter().filter(|method| *method >= first) {
            let Some(command) = self.decide(method, store, clock, now, outcome) else { continue };
            if method == Method::Drift {
                self.start(method.reason(), command, store, chance, (clock, now), outcome);
                return self.pass(Method::Emptiness, store, clock, chance, now, outcome);
            }
            let until = now + VALIDATION;
            self.disruptions.pending = Some((method, command, until));
            return outcome.wake(until);
        }
        self.rest(store, clock, now, outcome);
    }

    /// Nothing to do: until something changes, or turns by itself.
    fn rest(&mut self, store: &Store, clock: WallClock, now: SimTime, outcome: &mut Outcome) {
        self.disruptions.anchor = now;
        let turns = self.next_turn(store, clock, now);
        self.disruptions.turns = (turns != SimTime::NEVER).then_some(turns);
        outcome.wake(turns);
        if self.disruptions.changed {
            outcome.wake(now + POLL);
        }
    }

    fn decide(
        &mut self,
        method: Method,
        store: &Store,
        clock: WallClock,
        now: SimTime,
        outcome: &mut Outcome,
    ) -> Option<Command> {
        let candidates = self.candidates(method, store, now, outcome);
        if candidates.is_empty() {
            return None;
        }
        let mut allowed = self.allowed(method.reason(), store, clock, now);
        match method {
            Method::Emptiness => {
                let take = |c: &Candidate| {
                    let left = &mut allowed[c.pool];
                    let may = *left > 0;
                    *left = left.saturating_sub(1);
                    may
                };
                let mut candidates = candidates;
                candidates.retain(take);
                let candidates: Vec<u64> = candidates.iter().map(|c| c.claim).collect();
                (!candidates.is_empty()).then(|| Command { candidates, ..Command::default() })
            }
            Method::Drift => self.replace_drifted(candidates, &allowed, store, now),
            Method::MultiNode => self.consolidate_several(candidates, &mut allowed, store, now),
            Method::SingleNode => self.consolidate_one(candidates, &allowed, store, now, outcome),
        }
    }

    /// The first drifted node whose pods find another place, which may be one to be made.
    fn replace_drifted(
        &self,
        mut candidates: Vec<Candidate>,
        allowed: &[u32],
        store: &Store,
        now: SimTime,
    ) -> Option<Command> {
        let since = |c: &Candidate| self.claims.get(&c.claim).and_then(|claim| claim.drifted);
        candidates.sort_by_key(|c| (!c.is_bare, since(c), c.claim));
        for candidate in candidates.into_iter().filter(|c| allowed[c.pool] > 0) {
            let mut packed = self.pack(store, &[candidate.claim], false, now);
            if packed.moves_fail {
                continue;
            }
            let replacements = std::mem::take(&mut packed.fresh);
            return Some(Command { candidates: vec![candidate.claim], replacements, packed });
        }
        None
    }

    /// Looks a second time: what of a decision still holds.
    fn validate(
        &self,
        method: Method,
        mut command: Command,
        store: &Store,
        clock: WallClock,
        now: SimTime,
    ) -> Option<Command> {
        let current = self.candidates(method, store, now, &mut Outcome::idle());
        let mut allowed = self.allowed(method.reason(), store, clock, now);
        let mut holds = |number: &u64| {
            let Some(candidate) = current.iter().find(|c| c.claim == *number) else { return false };
            let left = &mut allowed[candidate.pool];
            let may = *left > 0;
            *left = left.saturating_sub(1);
            may
        };
        if method == Method::Emptiness {
            command.candidates.retain(&mut holds);
            return (!command.candidates.is_empty()).then_some(command);
        }
        if !command.candidates.iter().all(&mut holds) {
            return None;
        }
        let packed = self.pack(store, &command.candidates, true, now);
        let same = match (&packed.fresh[..], &command.replacements[..]) {
            ([], []) => true,
            ([found], [wanted]) => wanted.options.iter().all(|o| found.options.contains(o)),
            _ => false,
        };
        (same && !packed.moves_fail).then_some(Command { packed, ..command })
    }

    /// When something that passes look at turns by itself.
    fn next_turn(&self, store: &Store, clock: WallClock, now: SimTime) -> SimTime {
        let mut next = self.next_budget_turn(clock, now);
        for claim in self.claims.values().filter(|claim| claim.is_active()) {
            let rests = self.pools[claim.pool].disruption.consolidate_after;
            let rested = rests.map(|after| claim.last_pod_event + after);
            let protected = claim
                .node
                .into_iter()
                .flat_map(|node| store.pods_on(node))
                .filter_map(|id| super::simulate::undisrupted_until(store.pod(*id)?, now));
            let turns = [Some(claim.nominated), rested].into_iter().flatten().chain(protected);
            next = turns.filter(|at| *at > now).fold(next, SimTime::min);
        }
        next
    }

    /// Notices which NodeClaims their pools would not make as they are any more.
    pub(super) fn look_for_drift(&mut self, now: SimTime) {
        let (pools, catalog) = (&self.pools, &self.catalog);
        for claim in self.claims.values_mut().filter(|claim| claim.offering.is_some()) {
            let is_drifted = |claim: &NodeClaim| {
                claim.template != super::provisioning::template_stamp(&pools[claim.pool])
                    || claim.offering.is_some_and(|o| catalog.templates[o].is_none())
            };
            claim.drifted = is_drifted(claim).then(|| claim.drifted.unwrap_or(now));
        }
    }
}
