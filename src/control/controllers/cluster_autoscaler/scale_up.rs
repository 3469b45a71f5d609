//! More nodes for pods that find none.
//!
//! Source: cluster-autoscaler `core/scaleup/orchestrator/orchestrator.go`,
//! `core/podlistprocessor/filter_out_schedulable.go`, `clusterstate/clusterstate.go`.

use super::estimator::{PodGroup, estimate};
use super::expander::{Choice, best};
use super::{ClusterAutoscaler, GroupView, Held, Views};
use crate::api::event::EventType::Normal;
use crate::api::node::NodeReady;
use crate::api::pod::Pod;
use crate::api::{PodId, ReplicaSetId};
use crate::control::controllers::action::{About, Action, Outcome};
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::pod_info::PodInfo;
use crate::store::Store;
use crate::units::SimTime;
use std::collections::BTreeMap;
use std::sync::Arc;

impl ClusterAutoscaler {
    /// Adds nodes if pods wait for them; true while unschedulable pods wait.
    pub(super) fn scale_up(
        &mut self,
        store: &Store,
        groups: &[GroupView],
        pick: &mut dyn FnMut(usize) -> usize,
        now: SimTime,
        outcome: &mut Outcome,
    ) -> bool {
        self.held = None;
        let pending = self.pending(store, now);
        if pending.is_empty() {
            return false;
        }
        let counts = self.not_helped_by_what_is(store, groups, &pending);
        if counts.iter().all(|n| *n == 0) {
            return true;
        }
        let room = self.room_in_total(groups);
        let mut choices = Vec::new();
        for (index, group) in groups.iter().enumerate() {
            let backing_off = self.backoff.get(&index).is_some_and(|(until, _)| *until > now);
            if !group.autoscaled || backing_off {
                continue;
            }
            let limit = (group.max.saturating_sub(group.target)).min(room);
            let limit = limit.min(self.flags.max_nodes_per_scaleup);
            let estimate = estimate(&self.what_if, &group.template, &pending, &counts, limit);
            if estimate.nodes > 0 {
                choices.push(Choice { group: index, estimate });
            }
        }
        let choice = best(self.flags.expander, choices, groups, &pending, pick);
        self.note_what_holds(groups, &pending, &counts, choice.as_ref(), room);
        if let Some(choice) = choice {
            self.last_scale_up = Some(now);
            order(groups, &pending, &choice, outcome);
        }
        true
    }

    /// Unschedulable pods, equal ones together: those of one ReplicaSet.
    fn pending(&self, store: &Store, now: SimTime) -> Vec<PodGroup> {
        let mut found: BTreeMap<Option<ReplicaSetId>, Vec<(u64, PodId)>> = BTreeMap::new();
        let delay = self.flags.new_pod_scale_up_delay;
        for (owner, _) in store.replica_sets() {
            for id in store.pods_of(owner) {
                let waits = |p: &&Pod| p.unschedulable && p.node.is_none() && p.deletion.is_none();
                if let Some(pod) = store.pod(*id).filter(waits)
                    && pod.created + delay <= now
                {
                    found.entry(Some(owner)).or_default().push((pod.uid, *id));
                }
            }
        }
        let group = |mut pods: Vec<(u64, PodId)>| {
            pods.sort_unstable();
            let first = store.pod(pods[0].1)?;
            let pod = Arc::new(PodInfo::hypothetical(&first.spec, &first.namespace, &first.labels));
            Some(PodGroup { pod, ids: pods.into_iter().map(|(_, id)| id).collect() })
        };
        found.into_values().filter_map(group).collect()
    }

    /// How many pods of each group find no room on the nodes that are there or on their way.
    fn not_helped_by_what_is(
        &self,
        store: &Store,
        groups: &[GroupView],
        pending: &[PodGroup],
    ) -> Vec<usize> {
        let mut views = Views::default();
        let mut nodes: Vec<NodeInfo> = Vec::new();
        let mut ready = vec![0u32; groups.len()];
        for (id, node) in store.nodes() {
            if node.ready != NodeReady::True {
                continue;
            }
            if let Some(count) = ready.get_mut(node.group) {
                *count += 1;
            }
            nodes.push(views.node(store, id, node));
        }
        for (group, ready) in groups.iter().zip(&ready) {
            for _ in *ready..group.target {
                nodes.push(NodeInfo::new(Arc::clone(&group.template)));
            }
        }
        let mut counts = Vec::new();
        for group in pending {
            let mut left = group.ids.len();
            for node in &mut nodes {
                while left > 0 && self.what_if.fits(&group.pod, node).is_ok() {
                    node.add_pod(Arc::clone(&group.pod));
                    left -= 1;
                }
                if left == 0 {
                    break;
                }
            }
            counts.push(left);
        }
        counts
    }

    fn room_in_total(&self, groups: &[GroupView]) -> u32 {
        let total: u32 = groups.iter().map(|group| group.target).sum();
        match self.flags.max_nodes_total {
            0 => u32::MAX,
            max => max.saturating_sub(total),
        }
    }

    /// Remembers which limit keeps pods waiting that this scan can't help.
    fn note_what_holds(
        &mut self,
        groups: &[GroupView],
        pending: &[PodGroup],
        counts: &[usize],
        choice: Option<&Choice>,
        room: u32,
    ) {
        let helped = |i: usize| choice.map_or(0, |choice| choice.estimate.placed[i]);
        let left = (0..pending.len()).any(|i| helped(i) < counts[i]);
        if !left {
            return;
        }
        let grown = choice.map_or(0, |choice| choice.estimate.nodes);
        if room != u32::MAX && room <= grown {
            self.held = Some(Held::Total(self.flags.max_nodes_total));
            return;
        }
        let full = groups.iter().enumerate().find(|(index, group)| {
            let more = if choice.is_some_and(|c| c.group == *index) { grown } else { 0 };
            group.autoscaled && group.target + more >= group.max
        });
        self.held = full.map(|(_, group)| Held::GroupMax(group.name.clone(), group.max));
    }

    /// Machines that did not come within `--max-node-provision-time` are given back, and their
    /// group is left alone for a while.
    pub(super) fn give_up_on_late_machines(
        &mut self,
        groups: &[GroupView],
        now: SimTime,
        outcome: &mut Outcome,
    ) {
        for (index, group) in groups.iter().enumerate() {
            let patience = self.flags.max_node_provision_time;
            let late = group.booting.iter().filter(|at| **at + patience < now).count() as u32;
            if late == 0 {
                continue;
            }
            let first = self.flags.initial_node_group_backoff_duration;
            let (_, wait) = self.backoff.get(&index).copied().unwrap_or((now, first));
            let next = (wait * 2).min(self.flags.max_node_group_backoff_duration);
            self.backoff.insert(index, (now + wait, next));
            outcome.then(Action::DecreaseTarget { group: index, delta: late });
            let message = format!(
                "Failed adding {late} nodes to group {}: they did not register in time",
                group.name
            );
            let about = About::Group(index);
            let kind = crate::api::event::EventType::Warning;
            outcome.then(Action::Event { kind, reason: "ScaleUpTimedOut", about, message });
        }
    }
}

/// Orders the machines and tells the pods.
fn order(groups: &[GroupView], pending: &[PodGroup], choice: &Choice, outcome: &mut Outcome) {
    let group = &groups[choice.group];
    let (from, to) = (group.target, group.target + choice.estimate.nodes);
    outcome.then(Action::IncreaseGroup { group: choice.group, delta: choice.estimate.nodes });
    let message = format!(
        "Scale-up: setting group {} size to {to} instead of {from} (max: {})",
        group.name, group.max
    );
    let about = About::Group(choice.group);
    outcome.then(Action::Event { kind: Normal, reason: "ScaledUpGroup", about, message });
    for (pods, placed) in pending.iter().zip(&choice.estimate.placed) {
        for pod in pods.ids.iter().take(*placed) {
            let message = format!(
                "pod triggered scale-up: [{{{} {from}->{to} (max: {})}}]",
                group.name, group.max
            );
            let about = About::Pod(*pod);
            outcome.then(Action::Event {
                kind: Normal,
                reason: "TriggeredScaleUp",
                about,
                message,
            });
        }
    }
}
