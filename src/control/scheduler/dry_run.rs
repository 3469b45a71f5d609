//! Preemption by dry runs: nodes are tried one by one, and the one where least harm is done is
//! taken. Here is what is found out about one node, and what a plugin is made of that works so.
//!
//! The plugin does all of it by itself; its parts are for the fast path, which asks again only
//! about nodes that have changed (`fast/trials.rs`). It knows nothing of that.
//!
//! Source: `framework/preemption/preemption.go`, v1.37.

use super::diagnosis::Diagnosis;
use super::framework::{NodeIndex, PostFilter, Status};
use super::handle::Handle;
use super::pod_info::PodInfo;
use crate::api::PdbId;
use crate::units::SimTime;
use slotmap::Key;
use std::cmp::Reverse;

/// A node with the pods whose deletion would make room, most important first.
pub struct Candidate {
    /// The node.
    pub node: NodeIndex,
    /// Pods to be deleted; at least one.
    pub victims: Vec<PodInfo>,
    /// How many of them violate a disruption budget.
    pub violations: usize,
    /// The budgets that had a say.
    pub budgets: BudgetSet,
}

/// Budgets, as a set that may hold more than was put in: a budget stands for all that share its
/// bit.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct BudgetSet(u64);

impl BudgetSet {
    /// All there are.
    pub const ALL: BudgetSet = BudgetSet(u64::MAX);

    /// Adds one.
    pub fn insert(&mut self, budget: PdbId) {
        self.0 |= 1 << (budget.data().as_ffi() % 64);
    }

    /// Whether a budget may be in both.
    pub fn meets(self, other: BudgetSet) -> bool {
        self.0 & other.0 != 0
    }
}

/// How bad it is to take a candidate: smaller is better. In upstream's order of criteria
/// (`pickOneNodeForPreemption`): violated budgets, the highest priority of a victim, the sum of
/// priorities, the number of victims, and how late the earliest of the most important started.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Harm {
    violations: u32,
    top: i32,
    sum: i64,
    victims: u32,
    earliest: Reverse<SimTime>,
}

impl Candidate {
    /// How bad it is to take it.
    pub fn harm(&self) -> Harm {
        let priority = |p: &PodInfo| i64::from(p.priority()) + (1 << 31);
        let top = self.victims.first().map_or(0, PodInfo::priority);
        let of_top = self.victims.iter().filter(|v| v.priority() == top);
        let earliest = of_top.map(|v| v.started).min().unwrap_or(SimTime::NEVER);
        Harm {
            violations: self.violations as u32,
            top,
            sum: self.victims.iter().map(priority).sum(),
            victims: self.victims.len() as u32,
            earliest: Reverse(earliest),
        }
    }
}

/// What the dry runs for a pod came to.
pub struct Tried {
    /// The candidate that does least harm.
    pub best: Option<Candidate>,
    /// Why the other nodes are none, if there is none.
    pub said: Diagnosis,
    /// How many nodes were tried.
    pub dry_runs: usize,
}

/// The parts of a PostFilter plugin that tries nodes one by one. What it says of a node must depend
/// on nothing but the pod, what its filters look at (pods nominated to the node included), the
/// node's record and the disruption budgets that its [`Candidate::budgets`] names.
pub trait DryRuns: Send + Sync {
    /// The answer where no node need be tried; `potential` nodes were rejected in a way that
    /// removing pods may mend.
    fn at_once(
        &self,
        handle: &Handle<'_>,
        pod: &PodInfo,
        diagnosis: &Diagnosis,
        potential: usize,
    ) -> Option<PostFilter>;

    /// How many candidates are enough, of so many potential nodes. Nodes are tried until there are
    /// so many, one of which violates no budget.
    fn enough(&self, potential: usize) -> usize;

    /// Tries a node.
    fn try_node(
        &self,
        handle: &Handle<'_>,
        pod: &PodInfo,
        node: NodeIndex,
    ) -> Result<Candidate, Status>;

    /// What has been found out about nothing yet: what counts for nodes that are not tried.
    fn nothing_said(&self) -> Diagnosis;

    /// The answer.
    fn answer(&self, handle: &Handle<'_>, tried: Tried) -> PostFilter;
}
