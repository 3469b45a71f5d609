//! Commands about nodes: cordon, drain, label, taint, delete.

use super::changed;
use crate::api::taint::{Taint, TaintEffect};
use crate::api::{NodeId, PodId, Text};
use crate::units::SimDuration;
use crate::world::event::Event;
use crate::world::world::World;

/// How long `kubectl drain` waits before it asks again for a pod that a budget protects
/// (`kubectl/pkg/drain/drain.go`).
const RETRY: SimDuration = SimDuration::from_secs(5);
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
    pub(in crate::world) fn drain(&mut self, nodes: &[Text]) {
        for node in nodes {
            self.cordon(node, true);
            if let Some(id) = self.node_named(node) {
                for (place, pod) in self.drained_pods(id).into_iter().enumerate() {
                    self.plan_eviction(place, pod, true);
                }
            }
        }
    }

    /// One eviction after the other, for each answer is waited for. A granted one is three writes:
    /// of the budget's status, of the pod's condition, and the deletion.
    pub(super) fn plan_eviction(&mut self, place: usize, pod: PodId, again: bool) {
        let step = self.scenario.flags.api_server.write_latency * 3;
        self.plan(self.now + step * place as u64, Event::Evict { pod, again });
    }

    /// One eviction; a refused one of a drain is asked for again.
    pub(in crate::world) fn on_evict(&mut self, pod: PodId, again: bool) {
        if self.outages.is_down() {
            return;
        }
        let there = self.store.pod(pod).is_some_and(|pod| !again || pod.deletion.is_none());
        let reason = if again { "Drained" } else { "Evicted" };
        if there && !self.evict_pod(pod, None, reason) && again {
            self.plan(self.now + RETRY, Event::Evict { pod, again });
        }
    }

    /// The Node object goes; its machine stays, and its pods until garbage collection takes them.
    pub(super) fn delete_node_by_hand(&mut self, node: &Text) {
        if let Some(id) = self.node_named(node)
            && !self.node_of_claim_is_deleted(id)
        {
            self.delete_node_object(id);
        }
    }

    pub(super) fn label_node(&mut self, node: &Text, pairs: &[(Text, Option<Text>)]) {
        let Some(id) = self.node_named(node) else { return };
        self.store.update_node(id, |node| {
            let before = node.labels.clone();
            node.labels = changed(&node.labels, pairs);
            before != node.labels
        });
    }

    pub(super) fn taint_node(
        &mut self,
        node: &Text,
        add: &[Taint],
        remove: &[(Text, Option<TaintEffect>)],
    ) {
        let Some(id) = self.node_named(node) else { return };
        let now = self.now;
        self.store.update_node(id, |node| {
            let before = node.taints.clone();
            let goes = |taint: &Taint| {
                let named = |(key, effect): &(Text, Option<TaintEffect>)| {
                    taint.key == *key && effect.is_none_or(|effect| effect == taint.effect)
                };
                let same = |new: &Taint| new.key == taint.key && new.effect == taint.effect;
                remove.iter().any(named) || add.iter().any(same)
            };
            node.taints.retain(|taint| !goes(taint));
            node.taints.extend(add.iter().map(|taint| since(taint, &before, now)));
            before != node.taints
        });
    }

    pub(super) fn set_taints(&mut self, node: &Text, taints: &[Taint]) {
        let Some(id) = self.node_named(node) else { return };
        let now = self.now;
        self.store.update_node(id, |node| {
            let before = node.taints.clone();
            // Those that the node's condition makes are the controllers' business.
            node.taints.retain(|taint| is_of_condition(&taint.key));
            node.taints.extend(taints.iter().map(|taint| since(taint, &before, now)));
            before != node.taints
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
