//! Fewer nodes where they idle.
//!
//! Source: cluster-autoscaler `core/scaledown/`, FAQ "How does scale-down work?".

use super::{ClusterAutoscaler, GroupView, Views};
use crate::api::NodeId;
use crate::api::event::EventType::Normal;
use crate::api::node::{Node, NodeReady};
use crate::api::taint::{TO_BE_DELETED, Taint, TaintEffect};
use crate::control::controllers::action::{About, Action, Outcome};
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::pod_info::PodInfo;
use crate::store::Store;
use crate::units::{SimDuration, SimTime};
use std::collections::BTreeMap;
use std::sync::Arc;

impl ClusterAutoscaler {
    /// Finds nodes that are not needed, and removes those that have not been for long enough.
    pub(super) fn scale_down(
        &mut self,
        store: &Store,
        groups: &[GroupView],
        now: SimTime,
        outcome: &mut Outcome,
    ) {
        self.finish_drains(store, outcome);
        let needed_no_more = self.find_unneeded(store, groups);
        self.unneeded.retain(|id, _| needed_no_more.contains_key(id));
        for id in needed_no_more.keys() {
            self.unneeded.entry(*id).or_insert(now);
        }
        if self.in_cooldown(now) {
            return;
        }
        let mut room: Vec<u32> = groups.iter().map(|g| g.target.saturating_sub(g.min)).collect();
        let (mut empty, mut drained) = (0, self.draining.len() as u32);
        for (id, since) in self.unneeded.clone() {
            let Some(node) = store.node(id) else { continue };
            let wait = self.wait_for(node);
            let is_empty = needed_no_more.get(&id).copied().unwrap_or(false);
            let allowed = if is_empty {
                empty + drained < self.flags.max_scale_down_parallelism
            } else {
                drained < self.flags.max_drain_parallelism
            };
            if since + wait > now
                || !allowed
                || room[node.group] == 0
                || self.draining.contains_key(&id)
            {
                continue;
            }
            room[node.group] -= 1;
            self.last_scale_down = Some(now);
            empty += u32::from(is_empty);
            drained += u32::from(!is_empty);
            self.begin_drain(id, node, store, now, outcome);
        }
    }

    fn wait_for(&self, node: &Node) -> SimDuration {
        if node.ready == NodeReady::True {
            self.flags.scale_down_unneeded_time
        } else {
            self.flags.scale_down_unready_time
        }
    }

    fn in_cooldown(&self, now: SimTime) -> bool {
        let after_delete = self.flags.scale_down_delay_after_delete.max(self.flags.scan_interval);
        let recent =
            |at: Option<SimTime>, delay: SimDuration| at.is_some_and(|at| at + delay > now);
        recent(self.last_scale_up, self.flags.scale_down_delay_after_add)
            || recent(self.last_scale_down, after_delete)
    }

    /// Nodes below the utilisation threshold whose pods fit elsewhere; with whether they are empty.
    fn find_unneeded(&self, store: &Store, groups: &[GroupView]) -> BTreeMap<NodeId, bool> {
        let mut candidates = Vec::new();
        for (id, node) in store.nodes() {
            let group = groups.get(node.group).filter(|g| g.autoscaled && g.target > g.min);
            if group.is_some() && !self.draining.contains_key(&id) && self.idles(store, id, node) {
                candidates.push(id);
            }
        }
        if candidates.is_empty() {
            return BTreeMap::new();
        }
        let mut views = Views::default();
        let mut others: BTreeMap<NodeId, NodeInfo> = store
            .nodes()
            .filter(|(id, node)| node.ready == NodeReady::True && !self.draining.contains_key(id))
            .map(|(id, node)| (id, views.node(store, id, node)))
            .collect();
        let mut found = BTreeMap::new();
        for id in candidates {
            if let Some(empty) = self.movable(store, id, &mut others) {
                others.remove(&id);
                found.insert(id, empty);
            }
        }
        found
    }

    /// Whether CPU and memory requested are both below the threshold.
    fn idles(&self, store: &Store, id: NodeId, node: &Node) -> bool {
        let (mut cpu, mut memory) = (0, 0);
        for pod in store.pods_on(id).iter().filter_map(|pod| store.pod(*pod)) {
            let requests = pod.spec.requests();
            cpu += requests.cpu.0;
            memory += requests.memory.0;
        }
        let share = |part: i64, whole: i64| part as f64 / whole.max(1) as f64;
        let threshold = self.flags.scale_down_utilization_threshold;
        let allocatable = &node.allocatable;
        share(cpu, allocatable.cpu.0).max(share(memory, allocatable.memory.0)) < threshold
    }

    /// Moves a node's pods to other nodes in thought; `None` when one of them can't move.
    fn movable(
        &self,
        store: &Store,
        id: NodeId,
        others: &mut BTreeMap<NodeId, NodeInfo>,
    ) -> Option<bool> {
        let pods = store.pods_on(id);
        let mut moved = Vec::new();
        for pod_id in pods {
            let pod = store.pod(*pod_id)?;
            pod.owner?;
            let info = Arc::new(PodInfo::hypothetical(&pod.spec, &pod.namespace, &pod.labels));
            let mut place = others.iter_mut().filter(|(other, _)| **other != id);
            let found = place.find(|(_, node)| self.what_if.fits(&info, node).is_ok());
            let Some((other, node)) = found else {
                undo(moved, others);
                return None;
            };
            moved.push((*other, node.clone()));
            node.add_pod(info);
        }
        Some(pods.is_empty())
    }

    fn begin_drain(
        &mut self,
        id: NodeId,
        node: &Node,
        store: &Store,
        now: SimTime,
        outcome: &mut Outcome,
    ) {
        self.draining.insert(id, now);
        self.unneeded.remove(&id);
        let taint = Taint::new(TO_BE_DELETED, TaintEffect::NoSchedule, now);
        outcome.then(Action::AddTaint { node: id, taint });
        let message = format!("marked the node {} as toBeDeleted/unschedulable", node.name);
        let about = About::Node(id);
        outcome.then(Action::Event { kind: Normal, reason: "ScaleDown", about, message });
        let grace = Some(self.flags.max_graceful_termination_sec);
        let evict = |pod: &crate::api::PodId| {
            let own = store.pod(*pod).map(|p| p.spec.termination_grace);
            Action::EvictPod { pod: *pod, grace: own.min(grace), reason: "Drained" }
        };
        let batch: Vec<Action> = store.pods_on(id).iter().map(evict).collect();
        if !batch.is_empty() {
            outcome.batches.push(batch);
        }
    }

    /// Deletes the machines of nodes that have become empty.
    fn finish_drains(&mut self, store: &Store, outcome: &mut Outcome) {
        let done: Vec<NodeId> = self
            .draining
            .keys()
            .copied()
            .filter(|id| store.node(*id).is_none() || store.pods_on(*id).is_empty())
            .collect();
        for id in done {
            self.draining.remove(&id);
            if store.node(id).is_some() {
                let message = "node removed by cluster autoscaler".to_string();
                let about = About::Node(id);
                outcome.then(Action::Event { kind: Normal, reason: "ScaleDown", about, message });
                outcome.then(Action::DeleteMachine { node: id });
            }
        }
    }
}

fn undo(moved: Vec<(NodeId, NodeInfo)>, others: &mut BTreeMap<NodeId, NodeInfo>) {
    for (id, before) in moved.into_iter().rev() {
        others.insert(id, before);
    }
}
