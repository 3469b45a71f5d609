//! The cluster autoscaler: more nodes for pods that find none, fewer where they idle.
//!
//! Source: kubernetes/autoscaler `cluster-autoscaler/core/static_autoscaler.go` and what it calls,
//! July 2026. Lazily evaluated: it scans on a grid, but only at instants of the grid at which the
//! scan can come to something that the last one did not: after a change that it is told of (pods
//! found unschedulable, bound or gone, nodes, limits), or when something that it remembers turns
//! (a patience, a back-off, the time that a node has been unneeded). A test holds that this does
//! what scanning at every interval does.
//!
//! Its loop turns each `--scan-interval`: what `--frequent-loops-enabled` adds, a turn as soon as a
//! pod is found unschedulable, is not modelled. Nor are GPUs, annotations of nodes, limits of cores
//! and memory, `--salvo-scale-up`; affinity and spreading see one node at a time (see `simulator`).

mod cluster_state;
mod daemons;
mod estimator;
mod expander;
mod pending;
mod scale_down;
mod scale_up;

use super::action::Outcome;
use crate::api::PodId;
use crate::api::node::Node;
use crate::control::flags::ClusterAutoscalerFlags;
use crate::control::scheduler::config::ProfileConfiguration;
use crate::control::scheduler::what_if::WhatIf;
use crate::control::simulator::Simulator;
use crate::store::Store;
use crate::units::SimTime;
use cluster_state::ClusterState;
use expander::Chain;
use scale_down::ScaleDown;
use scale_up::{ScaleUp, Scan};
use slotmap::SecondaryMap;
use std::sync::Arc;

/// A node group as the cloud provider shows it.
#[derive(Clone, Debug)]
pub struct GroupView {
    /// Its name.
    pub name: String,
    /// Whether the autoscaler may change it.
    pub autoscaled: bool,
    /// Lower limit.
    pub min: u32,
    /// Upper limit.
    pub max: u32,
    /// Machines wanted.
    pub target: u32,
    /// What a new node of it would look like.
    pub template: Arc<Node>,
    /// Price of a machine per hour.
    pub price_per_hour: f64,
    /// When each machine that has not registered was asked for, oldest first.
    pub booting: Vec<SimTime>,
    /// When the cloud last refused machines of this group, and why.
    pub refused: Option<(SimTime, Refusal)>,
}

/// Why the cloud gives fewer machines than it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The quota is used up.
    Quota,
    /// It has none of this kind.
    StockOut,
}

/// What keeps the autoscaler from helping pods that wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// A group stands at its limit.
    GroupMax(String, u32),
    /// The cluster stands at `--max-nodes-total`.
    Total(u32),
    /// The cloud refuses machines of a group.
    Refused(String),
}

/// The autoscaler and its memory.
pub struct ClusterAutoscaler {
    flags: ClusterAutoscalerFlags,
    what_if: Arc<WhatIf>,
    chain: Chain,
    state: ClusterState,
    scale_down: ScaleDown,
    last_scale_up: Option<SimTime>,
    held: Option<Held>,
    /// The limit of which was last said that it is reached.
    told_total: u32,
    /// What was last said to each pod that could not be helped. Pods that are gone or have a node
    /// are not asked about again: others take their places.
    told_pods: SecondaryMap<PodId, u64>,
}

impl std::fmt::Debug for ClusterAutoscaler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterAutoscaler")
            .field("state", &self.state)
            .field("scale_down", &self.scale_down)
            .field("held", &self.held)
            .finish_non_exhaustive()
    }
}

impl ClusterAutoscaler {
    /// An autoscaler with these flags.
    pub fn new(flags: &ClusterAutoscalerFlags) -> ClusterAutoscaler {
        let what_if = WhatIf::new(&ProfileConfiguration::default());
        ClusterAutoscaler {
            flags: flags.clone(),
            chain: Chain::new(flags),
            what_if: Arc::new(what_if.expect("the default profile is valid")),
            state: ClusterState::default(),
            scale_down: ScaleDown::default(),
            last_scale_up: None,
            held: None,
            told_total: 0,
            told_pods: SecondaryMap::new(),
        }
    }

    /// Its flags.
    pub fn flags(&self) -> &ClusterAutoscalerFlags {
        &self.flags
    }

    /// Changes `--max-nodes-total`.
    pub fn set_max_nodes_total(&mut self, max: u32) {
        self.flags.max_nodes_total = max;
    }

    /// What kept it from helping at the last scan.
    pub fn held(&self) -> Option<&Held> {
        self.held.as_ref()
    }

    /// Whether a sync at `now` scans: only then it looks at groups.
    pub fn scans_at(&self, now: SimTime) -> bool {
        now.next_on_grid(SimTime::ZERO, self.flags.scan_interval) == now
    }

    /// One scan, if one is due at `now`; else it says when. `pick(n)` draws a number below `n`:
    /// which of several equal options the expander takes.
    pub fn sync(
        &mut self,
        store: &Store,
        groups: &[GroupView],
        pick: &mut dyn FnMut(usize) -> usize,
        now: SimTime,
    ) -> Outcome {
        let mut outcome = Outcome::idle();
        let interval = self.flags.scan_interval;
        let next_scan = SimTime(now.0 + 1).next_on_grid(SimTime::ZERO, interval);
        // Drains go on between scans, as upstream's goroutines do.
        self.scale_down.drain(&self.flags, store, &mut self.state, now, &mut outcome);
        if !self.scans_at(now) {
            outcome.wake(next_scan.min(self.scale_down.next_poll(now)));
            return outcome;
        }
        let turns = self.scan(store, groups, pick, now, &mut outcome);
        if outcome.batches.is_empty() {
            if turns != SimTime::NEVER {
                outcome.wake(turns.max(next_scan).next_on_grid(SimTime::ZERO, interval));
            }
        } else {
            outcome.wake(next_scan);
        }
        outcome.wake(self.scale_down.next_poll(now));
        outcome
    }

    /// Looks at everything; returns when the same would lead to something else.
    fn scan(
        &mut self,
        store: &Store,
        groups: &[GroupView],
        pick: &mut dyn FnMut(usize) -> usize,
        now: SimTime,
        outcome: &mut Outcome,
    ) -> SimTime {
        let flags = self.flags.clone();
        self.state.update(&flags, store, groups, now, outcome);
        if self.state.is_unhealthy(&flags, store, outcome) {
            self.scale_down.forget();
            return self.state.turns(&flags, store, groups, now);
        }
        let what_if = Arc::clone(&self.what_if);
        let cutoff = flags.expendable_pods_priority_cutoff;
        let simulator = Simulator::new(store, &what_if, cutoff);
        let with_daemons = daemons::leave_room(store, groups);
        let groups = with_daemons.as_deref().unwrap_or(groups);
        let scan = Scan { simulator, groups, now };
        let pending = pending::pending(store, &flags, now);
        let scaled = self.scale_up(&scan, &pending, pick, outcome);
        let mut turns = self.state.turns(&flags, store, groups, now);
        turns = turns.min(pending::next_old_enough(store, &flags, now));
        if scaled == ScaleUp::Cooldown {
            turns = now;
        }
        if flags.scale_down_enabled {
            let resting = scaled == ScaleUp::Cooldown || self.in_cooldown(now);
            turns = turns.min(self.scale_down(&scan, resting, outcome));
            turns = turns.min(self.cooldown_ends(now));
        }
        turns
    }
}

#[cfg(test)]
mod expander_tests;
#[cfg(test)]
mod removal_tests;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
