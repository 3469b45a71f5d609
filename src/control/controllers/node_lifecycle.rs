//! The node-lifecycle controller: who has fallen silent, and which taints that earns.
//!
//! Source: kubernetes `pkg/controller/nodelifecycle/node_lifecycle_controller.go`, v1.37, and the
//! recorded timelines of node losses. Lazily evaluated: with no node silent or unready nothing is
//! ever looked at; otherwise the instants of the monitor's grid are computed, not ticked.

use super::action::{About, Action, Outcome};
use crate::api::NodeId;
use crate::api::event::EventType::{Normal, Warning};
use crate::api::node::{Node, NodeReady};
use crate::api::taint::{NOT_READY, Taint, TaintEffect, UNREACHABLE};
use crate::control::flags::ControllerManagerFlags;
use crate::store::Store;
use crate::units::{SimDuration, SimTime};
use slotmap::SecondaryMap;

/// What the controller sees of the kubelets' leases.
pub trait Heartbeats {
    /// The last renewal of a node's lease up to `now`.
    fn last_renewal(&self, node: NodeId, now: SimTime) -> SimTime;
    /// Since when a kubelet has not renewed; `None`: it renews.
    fn silent_since(&self, node: NodeId) -> Option<SimTime>;
}

/// State of a zone (`ZoneState`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Zone {
    /// Most nodes are ready.
    #[default]
    Normal,
    /// Too many are not.
    PartialDisruption,
    /// All are not.
    FullDisruption,
}

/// The eviction queue of one zone: its rate and when the next node is due.
#[derive(Clone, Debug, Default)]
struct ZoneQueue {
    name: String,
    state: Zone,
    /// Nodes, and how many of them are ready.
    size: u32,
    ready: u32,
    due: SimTime,
    queued: Vec<NodeId>,
}

/// The controller's memory.
#[derive(Clone, Debug, Default)]
pub struct NodeLifecycle {
    flags: ControllerManagerFlags,
    /// Zones in the order of their first nodes.
    zones: Vec<ZoneQueue>,
    /// Index of each node's zone, found once: labels of zones don't change.
    zone_of: SecondaryMap<NodeId, usize>,
    /// When the condition of a queued node changed: it is in its zone's queue already.
    queued: SecondaryMap<NodeId, SimTime>,
}

impl NodeLifecycle {
    /// A controller with these flags.
    pub fn new(flags: &ControllerManagerFlags) -> NodeLifecycle {
        NodeLifecycle { flags: flags.clone(), ..NodeLifecycle::default() }
    }

    /// Looks at every node.
    pub fn sync(&mut self, store: &Store, heartbeats: &dyn Heartbeats, now: SimTime) -> Outcome {
        let mut outcome = Outcome::idle();
        let mut batch = Vec::new();
        let troubled: Vec<NodeId> = store
            .nodes()
            .filter(|(id, node)| self.is_troubled(*id, node, heartbeats))
            .map(|(id, _)| id)
            .collect();
        if troubled.is_empty() && self.queued.is_empty() {
            return outcome;
        }
        self.set_zone_states(store, now);
        for id in troubled {
            let Some(node) = store.node(id) else { continue };
            self.monitor(id, node, store, heartbeats, now, &mut batch, &mut outcome);
            self.taint_no_schedule(id, node, &mut batch);
            self.queue_for_eviction(id, node, now, &mut batch);
        }
        self.evict_by_rate(store, now, &mut batch, &mut outcome);
        if !batch.is_empty() {
            outcome.batches.push(batch);
        }
        outcome
    }

    /// Whether there is anything to do about a node: most are well, and are passed over quickly.
    fn is_troubled(&self, id: NodeId, node: &Node, heartbeats: &dyn Heartbeats) -> bool {
        node.ready != NodeReady::True
            || !node.taints.is_empty()
            || heartbeats.silent_since(id).is_some()
            || self.queued.contains_key(id)
    }

    /// Ready becomes Unknown when the lease is older than the grace period, found at a tick of the
    /// monitor.
    #[allow(clippy::too_many_arguments)]
    fn monitor(
        &mut self,
        id: NodeId,
        node: &Node,
        store: &Store,
        heartbeats: &dyn Heartbeats,
        now: SimTime,
        batch: &mut Vec<Action>,
        outcome: &mut Outcome,
    ) {
        if heartbeats.silent_since(id).is_none() || node.ready == NodeReady::Unknown {
            return;
        }
        let period = self.flags.node_monitor_period;
        // The monitor saw the last renewal at its first tick after it.
        let seen = heartbeats.last_renewal(id, now).next_on_grid(SimTime::ZERO, period);
        let grace = self.flags.node_monitor_grace_period;
        let due = SimTime((seen + grace).0 + 1).next_on_grid(SimTime::ZERO, period);
        if now < due {
            outcome.wake(due);
            return;
        }
        batch.push(Action::NodeUnknown { node: id });
        let message = format!("Node {} status is now: NodeNotReady", node.name);
        batch.push(Action::Event {
            kind: Normal,
            reason: "NodeNotReady",
            about: About::Node(id),
            message,
        });
        for pod in store.pods_on(id) {
            let Some(p) = store.pod(*pod).filter(|p| p.ready) else { continue };
            batch.push(Action::MarkPodNotReady { pod: *pod });
            let about = About::Pod(*pod);
            let message = "Node is not ready".to_string();
            debug_assert!(p.node.is_some());
            batch.push(Action::Event { kind: Warning, reason: "NodeNotReady", about, message });
        }
    }

    /// NoSchedule taints follow the condition at once.
    fn taint_no_schedule(&self, id: NodeId, node: &Node, batch: &mut Vec<Action>) {
        let wanted = taint_of(node.ready);
        for key in [NOT_READY, UNREACHABLE] {
            let has = node.has_taint(key, TaintEffect::NoSchedule);
            if Some(key) == wanted && !has {
                let taint = Taint::new(key, TaintEffect::NoSchedule, SimTime::ZERO);
                batch.push(Action::AddTaint { node: id, taint });
            } else if Some(key) != wanted && has {
                batch.push(Action::RemoveTaint {
                    node: id,
                    key: key.into(),
                    effect: TaintEffect::NoSchedule,
                });
            }
        }
    }

    /// Unready nodes wait in their zone's queue for the NoExecute taint; ready ones lose it.
    fn queue_for_eviction(
        &mut self,
        id: NodeId,
        node: &Node,
        now: SimTime,
        batch: &mut Vec<Action>,
    ) {
        let wanted = taint_of(node.ready);
        for key in [NOT_READY, UNREACHABLE] {
            if Some(key) != wanted && node.has_taint(key, TaintEffect::NoExecute) {
                batch.push(Action::RemoveTaint {
                    node: id,
                    key: key.into(),
                    effect: TaintEffect::NoExecute,
                });
            }
        }
        let zone = self.zone_of.get(id).copied().unwrap_or(0);
        let zone = &mut self.zones[zone];
        match wanted {
            Some(key) if !node.has_taint(key, TaintEffect::NoExecute) => {
                if !self.queued.contains_key(id) {
                    self.queued.insert(id, now);
                    zone.queued.push(id);
                }
            }
            _ => {
                if self.queued.remove(id).is_some() {
                    zone.queued.retain(|queued| *queued != id);
                }
            }
        }
    }

    /// Zone states from the share of unready nodes (`ComputeZoneState`).
    fn set_zone_states(&mut self, store: &Store, now: SimTime) {
        for zone in &mut self.zones {
            (zone.size, zone.ready) = (0, 0);
        }
        for (id, node) in store.nodes() {
            let zone = match self.zone_of.get(id) {
                Some(zone) => *zone,
                None => self.learn_zone(id, node),
            };
            self.zones[zone].size += 1;
            self.zones[zone].ready += u32::from(node.ready == NodeReady::True);
        }
        for zone in &mut self.zones {
            let unready = zone.size - zone.ready;
            let share = f64::from(unready) / f64::from(zone.size.max(1));
            let state = if zone.ready == 0 && unready > 0 {
                Zone::FullDisruption
            } else if unready > 2 && share >= self.flags.unhealthy_zone_threshold {
                Zone::PartialDisruption
            } else {
                Zone::Normal
            };
            if zone.state != state {
                zone.state = state;
                zone.due = zone.due.max(now);
            }
        }
    }

    fn learn_zone(&mut self, id: NodeId, node: &Node) -> usize {
        let name = node.zone();
        let known = self.zones.iter().position(|zone| zone.name == name);
        let index = known.unwrap_or_else(|| {
            self.zones.push(ZoneQueue { name: name.to_string(), ..ZoneQueue::default() });
            self.zones.len() - 1
        });
        self.zone_of.insert(id, index);
        index
    }

    /// One node after another gets its NoExecute taint, as fast as its zone allows.
    fn evict_by_rate(
        &mut self,
        store: &Store,
        now: SimTime,
        batch: &mut Vec<Action>,
        outcome: &mut Outcome,
    ) {
        let mut present = self.zones.iter().filter(|zone| zone.size > 0);
        let all_down = present.all(|zone| zone.state == Zone::FullDisruption);
        for zone in &mut self.zones {
            let size = zone.size;
            let rate = match zone.state {
                _ if all_down => 0.0,
                Zone::PartialDisruption if size > self.flags.large_cluster_size_threshold => {
                    self.flags.secondary_node_eviction_rate
                }
                Zone::PartialDisruption => 0.0,
                _ => self.flags.node_eviction_rate,
            };
            if rate <= 0.0 {
                continue;
            }
            let gap = SimDuration::from_secs_f64(1.0 / rate);
            while !zone.queued.is_empty() && zone.due <= now {
                let id = zone.queued.remove(0);
                self.queued.remove(id);
                zone.due = now.max(zone.due) + gap;
                let key = store.node(id).and_then(|node| taint_of(node.ready));
                if let Some(key) = key {
                    let taint = Taint::new(key, TaintEffect::NoExecute, SimTime::ZERO);
                    batch.push(Action::AddTaint { node: id, taint });
                }
            }
            if !zone.queued.is_empty() {
                outcome.wake(zone.due);
            }
        }
        if all_down && !self.zones.is_empty() {
            for (id, node) in store.nodes() {
                for key in [NOT_READY, UNREACHABLE] {
                    if node.has_taint(key, TaintEffect::NoExecute) {
                        batch.push(Action::RemoveTaint {
                            node: id,
                            key: key.into(),
                            effect: TaintEffect::NoExecute,
                        });
                    }
                }
            }
        }
    }
}

fn taint_of(ready: NodeReady) -> Option<&'static str> {
    match ready {
        NodeReady::True => None,
        NodeReady::False => Some(NOT_READY),
        NodeReady::Unknown => Some(UNREACHABLE),
    }
}
