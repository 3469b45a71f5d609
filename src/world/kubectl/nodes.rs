//! Commands about nodes: cordon, drain, label, taint, delete.

use crate::api::labels::Labels;
use crate::api::taint::{Taint, TaintEffect};
use crate::api::{NodeId, Text};
use crate::control::controllers::disruption;
use crate::units::SimDuration;
use crate::world::event::Event;
use crate::world::world::World;

/// How long `kubectl drain` waits before it asks again for a pod that a budget protects
/// (`kubectl/pkg/drain/drain.go`).
const RETRY: SimDuration = SimDuration::from_secs(5);
/// How long the API server waits with an eviction when another one changed the budget under its
/// hands (`EvictionsRetry`).
const CONFLICT: SimDuration = SimDuration::from_millis(500);
/// The taint of a cordoned node.
const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

impl World<'_> {
    pub(in crate::world) fn node_named(&self, name: &str) -> Option<NodeId> {
        self.store.nodes().find(|(_, node)| *node.name == *name).map(|(id, _)| id)
    }

    pub(super) fn cordon(&mut self, node: &Text, on: bool) {
        let Some(id) = self.node_named(node) else { return };
        let now = self.now;
        self.store.update_node(id, |node| {
            let changes = node.unschedulable != on;
            node.unschedulable = on;
            // The node-lifecycle controller follows with the taint; nothing here waits for it.
            node.taints.retain(|taint| taint.key != UNSCHEDULABLE);
            if on {
                node.taints.push(Taint::new(UNSCHEDULABLE, TaintEffect::NoSchedule, now));
            }
            changes
        });
    }

    /// Cordons nodes and evicts their pods, and goes on until they are gone.
    pub(super) fn drain(&mut self, nodes: &[Text]) {
        for node in nodes {
            self.cordon(node, true);
            if let Some(id) = self.node_named(node) {
                let now = self.now;
                for pod in self.drained_pods(id) {
                    self.plan(now, Event::Evict(pod));
                }
            }
        }
    }

    /// One eviction of a drain; a refused one is asked for again.
    pub(in crate::world) fn on_evict(&mut self, pod: crate::api::PodId) {
        let there = self.store.pod(pod).is_some_and(|pod| pod.deletion.is_none());
        let budgets = disruption::budgets_of(&self.store, pod);
        if there && budgets.iter().any(|budget| self.charged.get(budget) == Some(&self.now)) {
            return self.plan(self.now + CONFLICT, Event::Evict(pod));
        }
        if there && !self.evict_pod(pod, None, "Drained") {
            self.plan(self.now + RETRY, Event::Evict(pod));
        }
    }

    /// The Node object goes; its machine stays, and its pods until garbage collection takes them.
    pub(super) fn delete_node_by_hand(&mut self, node: &Text) {
        if let Some(id) = self.node_named(node) {
            self.delete_node(id);
        }
    }

    pub(super) fn change_node(
        &mut self,
        node: &Text,
        labels: Option<&Labels>,
        taints: Option<&[Taint]>,
    ) {
        let Some(id) = self.node_named(node) else { return };
        let now = self.now;
        self.store.update_node(id, |node| {
            let before = (node.labels.clone(), node.taints.clone());
            if let Some(labels) = labels {
                node.labels = labels.clone();
            }
            if let Some(taints) = taints {
                // Those that the node's condition makes are the controllers' business.
                let old = std::mem::take(&mut node.taints);
                let conditions = old.iter().filter(|taint| is_of_condition(&taint.key)).cloned();
                let given = taints.iter().map(|taint| since(taint, &old, now));
                node.taints = conditions.chain(given).collect();
            }
            before != (node.labels.clone(), node.taints.clone())
        });
    }
}

/// Whether the control plane itself sets and removes a taint.
fn is_of_condition(key: &str) -> bool {
    key.starts_with("node.kubernetes.io/")
}

/// A taint that was there before stays as it was added.
fn since(taint: &Taint, old: &[Taint], now: crate::units::SimTime) -> Taint {
    let known = old.iter().find(|old| old.key == taint.key && old.effect == taint.effect);
    let added = known.map_or(now, |known| known.added);
    Taint { added, ..taint.clone() }
}
