//! What the autoscaler believes of its groups: who is ready, what is on its way, what has failed.
//!
//! Source: cluster-autoscaler `clusterstate/clusterstate.go`,
//! `utils/backoff/exponential_backoff.go`,
//! `core/static_autoscaler.go` (`removeOldUnregisteredNodes`), July 2026.

use super::{GroupView, Refusal};
use crate::api::NodeId;
use crate::api::event::EventType::{Normal, Warning};
use crate::api::node::NodeReady;
use crate::control::controllers::action::{About, Action, Outcome};
use crate::control::flags::ClusterAutoscalerFlags;
use crate::store::Store;
use crate::units::{SimDuration, SimTime};
use std::collections::{BTreeMap, BTreeSet};

/// Nodes of one group by state.
#[derive(Clone, Debug, Default)]
pub(super) struct Readiness {
    pub ready: u32,
    /// Were up once, and are not now.
    pub unready: u32,
    /// Registered, never ready so far.
    pub starting: BTreeSet<NodeId>,
    pub registered: u32,
    /// Machines that have not registered within `--max-node-provision-time`.
    pub late: u32,
    /// Machines that have not registered.
    pub booting: u32,
}

/// A scale-up that has not finished.
#[derive(Clone, Copy, Debug)]
struct Request {
    increase: u32,
    at: SimTime,
}

/// A group that failed to grow.
#[derive(Clone, Copy, Debug)]
struct Backoff {
    until: SimTime,
    duration: SimDuration,
    failed: SimTime,
}

/// What a count of nodes rests on, where none is starting: as long as it is the same, so is the
/// count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counted {
    nodes_version: u64,
    /// Nodes leave this set only with their objects.
    deleting: usize,
    groups: usize,
}

/// The autoscaler's memory of its groups.
#[derive(Clone, Debug, Default)]
pub(super) struct ClusterState {
    requests: BTreeMap<usize, Request>,
    backoffs: BTreeMap<usize, Backoff>,
    /// When each group's last refusal by the cloud was noticed.
    refusals: BTreeMap<usize, SimTime>,
    /// Nodes whose machines are being deleted; no longer part of their groups' targets.
    pub deleting: BTreeSet<NodeId>,
    unhealthy: bool,
    /// What the last count of nodes rests on.
    counted: Option<Counted>,
    /// By group, as of this scan.
    pub readiness: Vec<Readiness>,
    /// Machines wanted, as of this scan, what it has given back taken away.
    pub targets: Vec<u32>,
}

impl ClusterState {
    /// Looks at the nodes and machines as they are, and at what has not come in time.
    pub(super) fn update(
        &mut self,
        flags: &ClusterAutoscalerFlags,
        store: &Store,
        groups: &[GroupView],
        now: SimTime,
        outcome: &mut Outcome,
    ) {
        self.deleting.retain(|id| store.node(*id).is_some());
        self.targets = groups.iter().map(|group| group.target).collect();
        self.count(flags, store, groups, now);
        let stale = flags.node_group_backoff_reset_timeout;
        self.backoffs.retain(|_, backoff| backoff.failed + stale >= now);
        self.notice_refusals(flags, groups, now, outcome);
        self.finish_requests(flags, groups, now, outcome);
        self.give_back_late_machines(groups, outcome);
    }

    fn count(
        &mut self,
        flags: &ClusterAutoscalerFlags,
        store: &Store,
        groups: &[GroupView],
        now: SimTime,
    ) {
        let rests_on = Counted {
            nodes_version: store.nodes_version(),
            deleting: self.deleting.len(),
            groups: groups.len(),
        };
        if self.counted != Some(rests_on) {
            self.count_nodes(flags, store, groups, now);
            let none_starts = self.readiness.iter().all(|state| state.starting.is_empty());
            self.counted = none_starts.then_some(rests_on);
        }
        for (state, group) in self.readiness.iter_mut().zip(groups) {
            state.booting = group.booting.len() as u32;
            let late = |at: &&SimTime| seen(flags, **at) + flags.max_node_provision_time < now;
            state.late = group.booting.iter().filter(late).count() as u32;
        }
    }

    fn count_nodes(
        &mut self,
        flags: &ClusterAutoscalerFlags,
        store: &Store,
        groups: &[GroupView],
        now: SimTime,
    ) {
        self.readiness = vec![Readiness::default(); groups.len()];
        for (id, node) in store.nodes() {
            let Some(group) = self.readiness.get_mut(node.group) else { continue };
            group.registered += 1;
            if self.deleting.contains(&id) {
                continue;
            }
            if node.ready == NodeReady::True {
                group.ready += 1;
            } else if node.created + flags.max_node_startup_time > now {
                group.starting.insert(id);
            } else {
                group.unready += 1;
            }
        }
    }

    /// The cloud refused machines: the group is left alone for a while.
    fn notice_refusals(
        &mut self,
        flags: &ClusterAutoscalerFlags,
        groups: &[GroupView],
        now: SimTime,
        outcome: &mut Outcome,
    ) {
        for (index, group) in groups.iter().enumerate() {
            let Some((at, why)) = group.refused else { continue };
            if self.refusals.get(&index).is_some_and(|seen| *seen >= at) {
                continue;
            }
            self.refusals.insert(index, at);
            let why = match why {
                Refusal::Quota => "quota exceeded",
                Refusal::StockOut => "out of stock",
            };
            let message = format!("Scale-up failed for group {}: {why}", group.name);
            outcome.then(warn(index, "FailedToScaleUpGroup", message));
            self.back_off(flags, index, now);
            if let Some(request) = self.requests.get_mut(&index) {
                request.increase = request.increase.min(self.readiness[index].booting);
            }
        }
    }

    /// Scale-ups that are complete are forgotten; those that did not complete in time are taken
    /// back, and their group is left alone for a while.
    fn finish_requests(
        &mut self,
        flags: &ClusterAutoscalerFlags,
        groups: &[GroupView],
        now: SimTime,
        outcome: &mut Outcome,
    ) {
        for (index, request) in self.requests.clone() {
            if self.missing(index) == 0 {
                self.requests.remove(&index);
            } else if request.at + flags.max_node_provision_time < now {
                self.requests.remove(&index);
                let waited = now.since(request.at);
                let name = &groups[index].name;
                let message =
                    format!("Nodes added to group {name} failed to register within {waited}");
                outcome.then(warn(index, "ScaleUpTimedOut", message));
                self.back_off(flags, index, now);
                let delta = request.increase.min(self.readiness[index].booting);
                self.give_back(index, delta, outcome);
            }
        }
    }

    /// Machines that have not registered in time are deleted, whoever asked for them.
    fn give_back_late_machines(&mut self, groups: &[GroupView], outcome: &mut Outcome) {
        for (index, group) in groups.iter().enumerate() {
            let above_minimum = self.targets[index].saturating_sub(group.min);
            let delta = self.readiness[index].late.min(above_minimum);
            if delta > 0 {
                let message = format!("Removed {delta} unregistered nodes of {}", group.name);
                let about = About::Group(index);
                let reason = "DeleteUnregistered";
                outcome.then(Action::Event { kind: Normal, reason, about, message });
                self.give_back(index, delta, outcome);
            }
        }
    }

    fn give_back(&mut self, index: usize, delta: u32, outcome: &mut Outcome) {
        if delta == 0 {
            return;
        }
        let state = &mut self.readiness[index];
        state.booting -= delta;
        state.late = state.late.saturating_sub(delta);
        self.targets[index] = self.targets[index].saturating_sub(delta);
        outcome.then(Action::DecreaseTarget { group: index, delta });
    }

    /// Exponential, and doubled only if the last one is over: failures side by side count once.
    fn back_off(&mut self, flags: &ClusterAutoscalerFlags, index: usize, now: SimTime) {
        let duration = match self.backoffs.get(&index) {
            None => flags.initial_node_group_backoff_duration,
            Some(last) if last.until < now => {
                (last.duration * 2).min(flags.max_node_group_backoff_duration)
            }
            Some(last) => last.duration,
        };
        self.backoffs.insert(index, Backoff { until: now + duration, duration, failed: now });
    }

    /// Whether a group is left alone after a failure.
    pub(super) fn is_backed_off(&self, index: usize, now: SimTime) -> bool {
        self.backoffs.get(&index).is_some_and(|backoff| backoff.until >= now)
    }

    /// Whether a group's last scale-up was refused by the cloud, and it is left alone for it.
    pub(super) fn is_refused(&self, index: usize, now: SimTime) -> bool {
        self.is_backed_off(index, now) && self.refusals.contains_key(&index)
    }

    /// Nodes of a group that are neither there nor given up.
    fn missing(&self, index: usize) -> u32 {
        let state = &self.readiness[index];
        self.targets[index].saturating_sub(state.ready + state.unready + state.late)
    }

    /// Nodes of a group that will be there soon. A group that has failed is not counted on.
    pub(super) fn upcoming(&self, index: usize, now: SimTime) -> u32 {
        if self.requests.contains_key(&index) && !self.is_backed_off(index, now) {
            self.missing(index)
        } else {
            0
        }
    }

    /// Whether a node is registered but has never been ready: it is counted as upcoming instead.
    pub(super) fn is_starting(&self, group: usize, node: NodeId) -> bool {
        self.readiness.get(group).is_some_and(|state| state.starting.contains(&node))
    }

    /// A group was asked to grow.
    pub(super) fn requested(&mut self, index: usize, increase: u32, now: SimTime) {
        let request = self.requests.entry(index).or_insert(Request { increase: 0, at: now });
        request.increase += increase;
        request.at = now;
        self.targets[index] += increase;
    }

    /// Whether so many nodes have broken down that nothing is done at all; says so once.
    pub(super) fn is_unhealthy(
        &mut self,
        flags: &ClusterAutoscalerFlags,
        store: &Store,
        outcome: &mut Outcome,
    ) -> bool {
        let unready: u32 = self.readiness.iter().map(|state| state.unready).sum();
        let share = flags.max_total_unready_percentage / 100.0 * store.node_count() as f64;
        let unhealthy = unready > flags.ok_total_unready_count && f64::from(unready) > share;
        if unhealthy && !self.unhealthy {
            outcome.then(warn(0, "ClusterUnhealthy", "Cluster is unhealthy".to_string()));
        }
        self.unhealthy = unhealthy;
        unhealthy
    }

    /// Whether one group misses so many nodes, beyond what it is waiting for, that it shall not
    /// grow (`IsNodeGroupHealthy`).
    pub(super) fn is_group_unhealthy(&self, flags: &ClusterAutoscalerFlags, index: usize) -> bool {
        let state = &self.readiness[index];
        if state.registered + state.booting == 0 {
            return false;
        }
        let increase = self.requests.get(&index).map_or(0, |request| request.increase);
        let least = self.targets[index].saturating_sub(state.late + increase);
        let missing = least.saturating_sub(state.ready);
        let known = state.ready + state.unready + state.starting.len() as u32;
        let share = flags.max_total_unready_percentage / 100.0 * f64::from(known);
        missing > flags.ok_total_unready_count && f64::from(missing) > share
    }

    /// When something here changes by itself: a patience or a back-off ends.
    pub(super) fn turns(
        &self,
        flags: &ClusterAutoscalerFlags,
        store: &Store,
        groups: &[GroupView],
        now: SimTime,
    ) -> SimTime {
        let patience = flags.max_node_provision_time;
        let requests = self.requests.values().map(|request| request.at + patience);
        let booting = groups.iter().flat_map(|g| &g.booting);
        let booting = booting.map(|at| seen(flags, *at) + patience);
        let backoffs = self.backoffs.values().map(|backoff| backoff.until);
        let starting = self.readiness.iter().flat_map(|state| &state.starting);
        let starting = starting
            .filter_map(|id| store.node(*id))
            .map(|node| node.created + flags.max_node_startup_time);
        let all = requests.chain(booting).chain(backoffs).chain(starting);
        // Every one of them has to be passed, not only reached.
        let next = all.filter(|at| *at >= now).min();
        next.map_or(SimTime::NEVER, |at| SimTime(at.0 + 1))
    }
}

/// When the autoscaler first saw a machine that was asked for at `asked`: at its next scan.
fn seen(flags: &ClusterAutoscalerFlags, asked: SimTime) -> SimTime {
    SimTime(asked.0 + 1).next_on_grid(SimTime::ZERO, flags.scan_interval)
}

fn warn(group: usize, reason: &'static str, message: String) -> Action {
    Action::Event { kind: Warning, reason, about: About::Group(group), message }
}
