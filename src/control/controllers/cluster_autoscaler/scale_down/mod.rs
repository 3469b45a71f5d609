//! Fewer nodes where they idle: which are not needed, for how long, and when they go.
//!
//! Source: cluster-autoscaler `core/static_autoscaler.go` (`scaleDown`), `core/scaledown/planner/`,
//! `unneeded/`, `unremovable/`, `eligibility/`, `budgets/`, July 2026.

mod drain;
mod drainability;
mod removal;

use super::cluster_state::ClusterState;
use super::scale_up::Scan;
use super::{ClusterAutoscaler, GroupView};
use crate::api::NodeId;
use crate::api::node::{Node, NodeReady};
use crate::control::controllers::action::Outcome;
use crate::control::flags::ClusterAutoscalerFlags;
use crate::control::simulator::Simulator;
use crate::store::Store;
use crate::units::{SimDuration, SimTime};
pub(super) use drain::Drain;
use removal::Removal;
use std::collections::BTreeMap;

/// The autoscaler's memory of nodes that may go.
#[derive(Clone, Debug, Default)]
pub(super) struct ScaleDown {
    /// Nodes that are not needed, and since when.
    unneeded: BTreeMap<NodeId, SimTime>,
    /// Nodes found not removable, and until when that is believed.
    unremovable: BTreeMap<NodeId, SimTime>,
    /// Nodes on their way out, oldest first.
    drains: Vec<Drain>,
    /// When the last deletion began.
    last_delete: Option<SimTime>,
}

/// An unneeded node.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    id: NodeId,
    empty: bool,
    /// Its removal would break a budget together with others (`IsRisky`).
    risky: bool,
}

impl ScaleDown {
    /// Forgets which nodes are unneeded (`CleanUpUnneededNodes`).
    pub(super) fn forget(&mut self) {
        self.unneeded.clear();
    }

    fn is_draining(&self, id: NodeId) -> bool {
        self.drains.iter().any(|drain| drain.node == id)
    }
}

impl ClusterAutoscaler {
    /// Whether scale-down rests after a scale-up or a deletion.
    pub(super) fn in_cooldown(&self, now: SimTime) -> bool {
        self.cooldowns().any(|end| end > now)
    }

    /// When the next rest ends.
    pub(super) fn cooldown_ends(&self, now: SimTime) -> SimTime {
        let ends = self.cooldowns().filter(|end| *end > now);
        ends.max().unwrap_or(SimTime::NEVER)
    }

    fn cooldowns(&self) -> impl Iterator<Item = SimTime> {
        let flags = &self.flags;
        let after_delete = flags.scale_down_delay_after_delete;
        let up = self.last_scale_up.map(|at| at + flags.scale_down_delay_after_add);
        let down = self.scale_down.last_delete.map(|at| at + after_delete);
        up.into_iter().chain(down)
    }

    /// Finds nodes that are not needed, and begins to remove those that have not been for long
    /// enough. Returns when the same would lead to something else.
    pub(super) fn scale_down(
        &mut self,
        scan: &Scan<'_>,
        resting: bool,
        outcome: &mut Outcome,
    ) -> SimTime {
        let (found, skipped) = self.find_unneeded(scan);
        let now = scan.now;
        let mut changed = found.len() != self.scale_down.unneeded.len();
        let before = std::mem::take(&mut self.scale_down.unneeded);
        for candidate in &found {
            changed |= !before.contains_key(&candidate.id);
            let since = before.get(&candidate.id).copied().unwrap_or(now);
            self.scale_down.unneeded.insert(candidate.id, since);
        }
        if !resting {
            self.begin_removals(scan, &found, outcome);
        }
        // The number of unneeded nodes grows by some each scan.
        if changed && skipped { now } else { self.next_turn(scan.simulator.store, now) }
    }

    /// When a node has been unneeded for long enough, or unremovable for long enough to ask again.
    fn next_turn(&self, store: &Store, now: SimTime) -> SimTime {
        let wait = |id: &NodeId| store.node(*id).map(|node| self.threshold(node));
        let unneeded = self.scale_down.unneeded.iter();
        let due =
            unneeded.filter_map(|(id, since)| Some(*since + wait(id)?)).filter(|at| *at >= now);
        let due = due.map(|at| SimTime(at.0 + 1)).min().unwrap_or(SimTime::NEVER);
        let recheck = self.scale_down.unremovable.values().copied().filter(|at| *at > now).min();
        due.min(recheck.unwrap_or(SimTime::NEVER))
    }

    fn threshold(&self, node: &Node) -> SimDuration {
        if node.ready == NodeReady::True {
            self.flags.scale_down_unneeded_time
        } else {
            self.flags.scale_down_unready_time
        }
    }

    /// Nodes that idle and whose pods would find a place elsewhere, one after the other; and
    /// whether some were left for the next scan.
    fn find_unneeded(&mut self, scan: &Scan<'_>) -> (Vec<Candidate>, bool) {
        let store = scan.simulator.store;
        let now = scan.now;
        self.scale_down.unremovable.retain(|id, until| *until > now && store.node(*id).is_some());
        let candidates = self.candidates(scan);
        if candidates.is_empty() {
            return (Vec::new(), false);
        }
        let limit = self.unneeded_limit();
        let recheck = now + self.flags.unremovable_node_recheck_timeout;
        let stays = |id, node: &Node| self.is_destination(id, node);
        let mut removal = Removal::new(scan, &self.flags, &stays);
        let (mut found, mut kept, mut skipped) = (Vec::new(), Vec::new(), false);
        for id in candidates {
            if found.len() >= limit {
                skipped = true;
                break;
            }
            match removal.try_remove(id) {
                Some(candidate) => found.push(candidate),
                None => kept.push((id, recheck)),
            }
        }
        self.scale_down.unremovable.extend(kept);
        (found, skipped)
    }

    /// Nodes to look at: those unneeded so far first, then the others, oldest first.
    fn candidates(&self, scan: &Scan<'_>) -> Vec<NodeId> {
        let store = scan.simulator.store;
        let may_shrink =
            |(group, target): (&GroupView, &u32)| group.autoscaled && *target > group.min;
        let may_shrink: Vec<bool> =
            scan.groups.iter().zip(&self.state.targets).map(may_shrink).collect();
        // Nearly all nodes are busy: that is asked before what takes a look into sets.
        let fits = |(id, node): &(NodeId, &Node)| {
            may_shrink.get(node.group) == Some(&true)
                && (self.flags.scale_down_unready_enabled || node.ready == NodeReady::True)
                && self.idles(*id, node, scan)
                && self.is_destination(*id, node)
                && !self.scale_down.unremovable.contains_key(id)
        };
        let mut found: Vec<(bool, u64, NodeId)> = store
            .nodes()
            .filter(fits)
            .map(|(id, node)| (!self.scale_down.unneeded.contains_key(&id), node.uid, id))
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, _, id)| id).collect()
    }

    /// Whether a node is there to stay: not starting, not on its way out.
    fn is_destination(&self, id: NodeId, node: &Node) -> bool {
        !self.state.is_starting(node.group, id)
            && !self.state.deleting.contains(&id)
            && !self.scale_down.is_draining(id)
    }

    /// Whether CPU and memory requested are both below the threshold.
    fn idles(&self, id: NodeId, node: &Node, scan: &Scan<'_>) -> bool {
        let (cpu, memory) = utilization(id, node, &self.flags, &scan.simulator, scan.now);
        cpu.max(memory) < self.flags.scale_down_utilization_threshold
    }

    /// How many unneeded nodes are worth finding (`unneededNodesLimit`): what is known and two
    /// rounds of deletions more, at most what can be deleted until the first of them is due.
    fn unneeded_limit(&self) -> usize {
        let n = self.flags.max_scale_down_parallelism as usize;
        let interval = self.flags.scan_interval.0.max(1);
        let time = self.flags.scale_down_unneeded_time.0.max(interval);
        let rounds = usize::try_from(time / interval).unwrap_or(usize::MAX);
        let most = n.saturating_mul(rounds).saturating_add(n);
        most.min(self.scale_down.unneeded.len() + 2 * n)
    }

    /// Starts the removal of nodes that have been unneeded for long enough: empty ones first, then
    /// those that have to be drained, as many as may be under way.
    fn begin_removals(&mut self, scan: &Scan<'_>, found: &[Candidate], outcome: &mut Outcome) {
        let store = scan.simulator.store;
        let due = |candidate: &&Candidate| {
            let since = self.scale_down.unneeded.get(&candidate.id);
            let node = store.node(candidate.id);
            since.zip(node).is_some_and(|(since, node)| *since + self.threshold(node) < scan.now)
        };
        let mut due: Vec<Candidate> = found.iter().filter(due).copied().collect();
        due.sort_by_key(|candidate| (!candidate.empty, candidate.risky));
        let drains = &self.scale_down.drains;
        let mut budget =
            (self.flags.max_scale_down_parallelism as usize).saturating_sub(drains.len());
        let draining = drains.iter().filter(|drain| drain.evicts).count();
        let mut drain_budget = (self.flags.max_drain_parallelism as usize).saturating_sub(draining);
        let mut room = rooms(&self.state, scan.groups, drains, store);
        for candidate in due {
            let Some(node) = store.node(candidate.id) else { continue };
            let allowed = budget > 0 && (candidate.empty || drain_budget > 0);
            if !allowed || room[node.group] == 0 {
                continue;
            }
            room[node.group] -= 1;
            budget -= 1;
            drain_budget -= usize::from(!candidate.empty);
            self.scale_down.last_delete = Some(scan.now);
            self.scale_down.unneeded.remove(&candidate.id);
            self.scale_down.begin(&self.flags, &candidate, scan, outcome);
        }
    }
}

/// By how much each group may shrink; nodes on their way out count as gone.
fn rooms(state: &ClusterState, groups: &[GroupView], drains: &[Drain], store: &Store) -> Vec<u32> {
    let mut rooms: Vec<u32> =
        groups.iter().zip(&state.targets).map(|(g, target)| target.saturating_sub(g.min)).collect();
    for node in drains.iter().filter_map(|drain| store.node(drain.node)) {
        if let Some(room) = rooms.get_mut(node.group) {
            *room = room.saturating_sub(1);
        }
    }
    rooms
}

/// Share of CPU and of memory that the pods on a node request (`simulator/utilization/info.go`).
/// What the flags leave out is taken from what the node has, too.
fn utilization(
    id: NodeId,
    node: &Node,
    flags: &ClusterAutoscalerFlags,
    simulator: &Simulator<'_>,
    now: SimTime,
) -> (f64, f64) {
    let store = simulator.store;
    let load = store.load_of(id);
    let (mut cpu, mut memory) = (load.requested.cpu.0, load.requested.memory.0);
    let (mut all_cpu, mut all_memory) = (node.allocatable.cpu.0, node.allocatable.memory.0);
    let picky = flags.ignore_daemonsets_utilization || flags.ignore_mirror_pods_utilization;
    // A kubelet that is heard of ends its pods in time: there the counts are right as they are.
    let counts_differ = picky || simulator.has_expendable() || node.ready != NodeReady::True;
    let pods = store.pods_on(id).iter().filter(|_| counts_differ);
    for pod in pods.filter_map(|pod| store.pod(*pod)).filter(|pod| !pod.phase.is_terminal()) {
        let ignored = picky
            && (flags.ignore_mirror_pods_utilization && pod.spec.is_mirror
                || flags.ignore_daemonsets_utilization && drainability::is_daemon(pod, store));
        let overdue = drainability::is_long_terminating(pod, now);
        if ignored || overdue || simulator.is_expendable(pod) {
            let requests = pod.spec.requests();
            (cpu, memory) = (cpu - requests.cpu.0, memory - requests.memory.0);
            if ignored {
                (all_cpu, all_memory) = (all_cpu - requests.cpu.0, all_memory - requests.memory.0);
            }
        }
    }
    let share = |part: i64, whole: i64| if whole > 0 { part as f64 / whole as f64 } else { 0.0 };
    (share(cpu, all_cpu), share(memory, all_memory))
}
