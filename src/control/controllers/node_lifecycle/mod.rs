//! The node-lifecycle controller: who has fallen silent, and which taints that earns.
//!
//! Source: kubernetes `pkg/controller/nodelifecycle/node_lifecycle_controller.go`, v1.37, and the
//! recorded timelines of node losses. NoSchedule taints follow a node's conditions at once; at each
//! check of the monitor silent nodes become Unknown, zones change state, and nodes join or leave
//! their zone's queue for the NoExecute taint, which a rate limiter hands out.
//!
//! Lazily evaluated: only the checks that have something to do are asked for; with every node well
//! there are none. Nodes that are well are passed over, and so are those that are Unknown and have
//! all that this earns, or wait for it in their zone's queue: only those that the controller was
//! told of, and those not well, are looked at. A test holds that the result is that of checking
//! every period.

mod zones;

use super::action::{About, Action, Outcome};
use crate::api::event::EventType::{Normal, Warning};
use crate::api::node::{Node, NodeReady};
use crate::api::taint::{
    DISK_PRESSURE, MEMORY_PRESSURE, NOT_READY, Taint, TaintEffect, UNREACHABLE, UNSCHEDULABLE,
};
use crate::api::{NodeId, PodId, Text};
use crate::control::flags::ControllerManagerFlags;
use crate::store::Store;
use crate::units::SimTime;
use slotmap::SecondaryMap;
use std::collections::{BTreeSet, VecDeque};
use zones::{Zone, ZoneState};

/// Pods that one sync marks not ready at most. Upstream marks them while taints go on; a sync's
/// requests have to be answered before the next, so a large loss is marked in portions.
const PORTION: usize = 50;

/// What the controller sees of the kubelets' leases and statuses.
pub trait Heartbeats {
    /// When a kubelet last renewed its lease or posted its status, up to `now`.
    fn last_heartbeat(&self, node: NodeId, now: SimTime) -> SimTime;
    /// Since when a kubelet is silent; `None`: it is not.
    fn silent_since(&self, node: NodeId) -> Option<SimTime>;
    /// Whether the controller may act on what it sees of leases: it has asked the API server.
    fn can_be_trusted(&self, now: SimTime) -> bool {
        let _ = now;
        true
    }
}

/// The controller's memory.
#[derive(Clone, Debug, Default)]
pub struct NodeLifecycle {
    flags: ControllerManagerFlags,
    /// Zones in the order of their first nodes.
    zones: Vec<Zone>,
    /// Every registered node, as it was when it was last looked at.
    known: SecondaryMap<NodeId, Known>,
    /// Nodes to look at: those that changed, and all about which there may be anything to do,
    /// oldest first.
    suspects: BTreeSet<(u64, NodeId)>,
    /// Nodes that are not well and of which nothing is to be said until they change, or leave their
    /// zone's queue.
    resting: BTreeSet<(u64, NodeId)>,
    /// Registered nodes that are gone, with their names: the next check says so.
    gone: Vec<(NodeId, Text)>,
    /// Of silent nodes that were asked about since they last changed: when they were heard of.
    heard: SecondaryMap<NodeId, SimTime>,
    /// Nodes that changed since the last sync.
    changed: Vec<NodeId>,
    /// The nodes that were there before the first sync have been seen.
    seen_all: bool,
    /// All zones are down: evictions have stopped.
    all_down: bool,
    /// When all zones ceased to be down; silence is counted from here at the earliest.
    recovered: SimTime,
    /// Pods of silent nodes that are still to be marked not ready.
    to_mark: VecDeque<PodId>,
    /// The first look has been taken.
    begun: bool,
}

/// What is kept of a registered node.
#[derive(Clone, Debug)]
struct Known {
    name: Text,
    zone: usize,
    uid: u64,
    /// Counted among its zone's nodes that are not ready.
    unready: bool,
}

/// What a look at all suspects found.
#[derive(Debug)]
struct Look {
    /// Nodes with anything to do about them, oldest first.
    troubled: Vec<NodeId>,
    /// When the monitor must check at the latest.
    check_at: SimTime,
}

impl NodeLifecycle {
    /// A controller with these flags.
    pub fn new(flags: &ControllerManagerFlags) -> NodeLifecycle {
        NodeLifecycle { flags: flags.clone(), ..NodeLifecycle::default() }
    }

    /// A controller that begins at `now` with nodes that are there: it counts their silence from
    /// here on (`Missing timestamp for Node. Assuming now as a timestamp`), and says of each that
    /// it is registered.
    pub fn begun_at(flags: &ControllerManagerFlags, now: SimTime) -> NodeLifecycle {
        NodeLifecycle { recovered: now, begun: true, ..NodeLifecycle::new(flags) }
    }

    /// Tells of a node that appeared, changed, fell silent, reports again or is gone.
    pub fn node_changed(&mut self, node: NodeId) {
        self.changed.push(node);
    }

    /// Requests have failed: pods of silent nodes that are still ready are to be marked again
    /// (`nodesToRetry`).
    pub fn mark_again(&mut self, store: &Store) {
        for (_, id) in &self.suspects {
            if store.node(*id).is_some_and(|node| node.ready == NodeReady::Unknown) {
                let ready = |pod: &&PodId| store.pod(**pod).is_some_and(|pod| pod.ready);
                self.to_mark.extend(store.pods_on(*id).iter().filter(ready));
            }
        }
    }

    /// Whether a node is registered: when it is gone, an Event will say so.
    pub fn knows(&self, node: NodeId) -> bool {
        self.known.contains_key(node)
    }

    /// Looks at the nodes; to be called when a node changes, falls silent or reports again (which
    /// it has to be told of before), and at the instants that it asks for.
    pub fn sync(&mut self, store: &Store, heartbeats: &dyn Heartbeats, now: SimTime) -> Outcome {
        let mut outcome = Outcome::idle();
        self.see_changes(store);
        debug_assert!(self.all_rest(store), "nothing is to be said of a node that rests");
        let is_check = self.next_check(now) == now;
        let mut taints = Vec::new();
        let mut found_silent = Vec::new();
        if is_check {
            found_silent = self.check(store, heartbeats, now, &mut taints, &mut outcome);
        }
        let look = self.look(store, heartbeats, now);
        for id in &look.troubled {
            if let Some(node) = store.node(*id) {
                let ready = if found_silent.contains(id) { NodeReady::Unknown } else { node.ready };
                taint_no_schedule(*id, node, ready, &mut taints);
            }
        }
        self.taint_by_rate(store, &found_silent, now, &mut taints);
        if !taints.is_empty() {
            outcome.batches.push(taints);
        }
        self.mark_pods(store, &found_silent, &mut outcome);
        self.begun |= is_check;
        outcome.wake(look.check_at);
        let token = self.zones.iter().map(Zone::next_token).min().unwrap_or(SimTime::NEVER);
        outcome.wake(token.max(SimTime(now.0 + 1)));
        if !self.to_mark.is_empty() {
            outcome.wake(SimTime(now.0 + 1));
        }
        outcome
    }

    /// One check of the monitor (`monitorNodeHealth`); returns nodes found silent.
    fn check(
        &mut self,
        store: &Store,
        heartbeats: &dyn Heartbeats,
        now: SimTime,
        taints: &mut Vec<Action>,
        outcome: &mut Outcome,
    ) -> Vec<NodeId> {
        let nodes: Vec<(u64, NodeId)> = self.suspects.iter().copied().collect();
        let mut silent = Vec::new();
        let is_trusted = heartbeats.can_be_trusted(now);
        for (_, id) in nodes {
            let Some(node) = store.node(id) else { continue };
            self.register(id, node, outcome);
            let mut ready = node.ready;
            let is_silent = is_trusted && self.silent_at(id, node, heartbeats, now) <= now;
            if ready != NodeReady::Unknown && is_silent {
                ready = NodeReady::Unknown;
                silent.push(id);
                self.lose(id, node, store, outcome);
            }
            self.queue_or_clear(id, node, ready, taints);
        }
        for (id, name) in self.gone.drain(..) {
            let message = format!("Node {name} event: Removing Node {name} from Controller");
            let (reason, about) = ("RemovingNode", About::Node(id));
            outcome.then(Action::Event { kind: Normal, reason, about, message });
        }
        let lost = self.count_out(&silent);
        self.handle_disruption(store, now, taints);
        self.count_in(&lost);
        silent
    }

    /// A node is seen for the first time.
    fn register(&mut self, id: NodeId, node: &Node, outcome: &mut Outcome) {
        if self.known.contains_key(id) {
            return;
        }
        let known = self.zones.iter().position(|zone| zone.name == node.zone());
        let zone = known.unwrap_or_else(|| {
            self.zones.push(Zone::new(node.zone(), &self.flags));
            self.zones.len() - 1
        });
        let unready = node.ready != NodeReady::True;
        self.zones[zone].count(unready);
        let name = node.name.clone();
        self.known.insert(id, Known { name, zone, uid: node.uid, unready });
        // Nodes that were there before the controller are no news.
        if self.begun {
            let name = &node.name;
            let message = format!("Node {name} event: Registered Node {name} in Controller");
            let (reason, about) = ("RegisteredNode", About::Node(id));
            outcome.then(Action::Event { kind: Normal, reason, about, message });
        }
    }

    /// The check at which a node's silence has lasted for the grace period: that long after the
    /// check which saw its last renewal. Upstream compares strictly, but its checks drift by some
    /// milliseconds, so that the tenth check after the last sight finds it.
    fn silent_at(
        &mut self,
        id: NodeId,
        node: &Node,
        heartbeats: &dyn Heartbeats,
        now: SimTime,
    ) -> SimTime {
        let Some(since) = heartbeats.silent_since(id) else { return SimTime::NEVER };
        let heard = match self.heard.get(id).filter(|_| since <= now) {
            Some(heard) => *heard,
            None => heartbeats.last_heartbeat(id, now),
        };
        debug_assert_eq!(heard, heartbeats.last_heartbeat(id, now), "who is silent stays silent");
        if since <= now {
            self.heard.insert(id, heard);
        }
        let reported = heard.max(node.created).max(node.ready_changed);
        let seen = self.next_check(reported).max(self.recovered);
        self.next_check(seen + self.flags.node_monitor_grace_period)
    }

    /// The first check at or after an instant.
    fn next_check(&self, at: SimTime) -> SimTime {
        let period = self.flags.node_monitor_period;
        at.next_on_grid(self.flags.first_round_of(period), period)
    }

    /// A node turns Unknown, and its pods not ready.
    fn lose(&mut self, id: NodeId, node: &Node, store: &Store, outcome: &mut Outcome) {
        outcome.then(Action::NodeUnknown { node: id });
        if node.ready != NodeReady::True {
            return;
        }
        let (reason, about) = ("NodeNotReady", About::Node(id));
        let message = format!("Node {} status is now: NodeNotReady", node.name);
        outcome.then(Action::Event { kind: Normal, reason, about, message });
        self.to_mark.extend(store.pods_on(id));
    }

    /// Unready nodes wait in their zone's queue for the NoExecute taint; ready ones lose it
    /// (`processTaintBaseEviction`).
    fn queue_or_clear(&mut self, id: NodeId, node: &Node, ready: NodeReady, out: &mut Vec<Action>) {
        let Some(zone) = self.known.get(id).map(|known| known.zone) else { return };
        let has = |key: &str| node.has_taint(key, TaintEffect::NoExecute);
        let Some(wanted) = taint_of(ready) else {
            self.clear(id, node, out);
            return;
        };
        let opposite = if wanted == NOT_READY { UNREACHABLE } else { NOT_READY };
        if has(opposite) {
            // Swapped at once, whatever the rate.
            out.extend(remove(id, opposite, TaintEffect::NoExecute));
            if !has(wanted) {
                out.push(add(id, wanted, TaintEffect::NoExecute));
            }
        } else if !has(wanted) {
            self.zones[zone].queue.insert((node.uid, id));
        }
    }

    /// Takes a node's NoExecute taints back and it out of the queue (`markNodeAsReachable`).
    fn clear(&mut self, id: NodeId, node: &Node, out: &mut Vec<Action>) {
        for key in [UNREACHABLE, NOT_READY] {
            if node.has_taint(key, TaintEffect::NoExecute) {
                out.extend(remove(id, key, TaintEffect::NoExecute));
            }
        }
        if let Some(zone) = self.known.get(id).map(|known| known.zone) {
            self.zones[zone].queue.remove(&(node.uid, id));
        }
        self.disturb(id, node);
    }

    /// There may be something to do about a node again.
    fn disturb(&mut self, id: NodeId, node: &Node) {
        if self.resting.remove(&(node.uid, id)) {
            self.suspects.insert((node.uid, id));
        }
    }

    /// Takes note of the nodes that changed: who is gone is forgotten, the others are suspects.
    fn see_changes(&mut self, store: &Store) {
        if !std::mem::replace(&mut self.seen_all, true) {
            self.changed.extend(store.nodes().map(|(id, _)| id));
        }
        for id in std::mem::take(&mut self.changed) {
            self.heard.remove(id);
            match store.node(id) {
                Some(node) => {
                    self.resting.remove(&(node.uid, id));
                    self.suspects.insert((node.uid, id));
                    let unready = node.ready != NodeReady::True;
                    if let Some(known) = self.known.get_mut(id) {
                        self.zones[known.zone].turn(&mut known.unready, unready);
                    }
                }
                None => self.forget(id),
            }
        }
    }

    /// A node is gone.
    fn forget(&mut self, id: NodeId) {
        match self.known.remove(id) {
            Some(Known { name, zone, uid, unready }) => {
                self.gone.push((id, name));
                self.zones[zone].uncount(unready);
                self.zones[zone].queue.remove(&(uid, id));
                self.suspects.remove(&(uid, id));
                self.resting.remove(&(uid, id));
            }
            // It went before it was registered.
            None => self.suspects.retain(|(_, other)| *other != id),
        }
    }

    /// Counts nodes that are about to become Unknown as not ready; returns those that were counted
    /// as ready before.
    fn count_out(&mut self, silent: &[NodeId]) -> Vec<NodeId> {
        let ready = |id: &NodeId| self.known.get(*id).is_some_and(|known| !known.unready);
        let lost: Vec<NodeId> = silent.iter().copied().filter(ready).collect();
        for known in lost.iter().filter_map(|id| self.known.get(*id)) {
            self.zones[known.zone].unready += 1;
        }
        lost
    }

    /// Takes back what [`NodeLifecycle::count_out`] did: the change has yet to be seen.
    fn count_in(&mut self, lost: &[NodeId]) {
        for known in lost.iter().filter_map(|id| self.known.get(*id)) {
            self.zones[known.zone].unready -= 1;
        }
    }

    /// Zones change state, and with all of them down evictions stop.
    fn handle_disruption(&mut self, store: &Store, now: SimTime, taints: &mut Vec<Action>) {
        let flags = self.flags.clone();
        let all_down = self.would_all_be_down();
        if all_down && !self.all_down {
            for (id, node) in store.nodes() {
                self.clear(id, node, taints);
            }
            self.zones.iter_mut().for_each(|zone| zone.stop(now));
        } else if !all_down {
            if self.all_down {
                // The controller doubts itself: everybody gets a fresh grace period.
                self.recovered = now;
            }
            for zone in &mut self.zones {
                let state = zone.computed_state(&flags);
                if zone.state != state || self.all_down {
                    zone.enter(state, &flags, now);
                }
            }
        }
        self.all_down = all_down;
    }

    fn would_all_be_down(&self) -> bool {
        let mut present = self.zones.iter().filter(|zone| zone.size > 0).peekable();
        let any = present.peek().is_some();
        any && present.all(|zone| zone.computed_state(&self.flags) == ZoneState::FullDisruption)
    }

    /// One node after another gets its NoExecute taint, as fast as its zone allows
    /// (`doNoExecuteTaintingPass`).
    fn taint_by_rate(
        &mut self,
        store: &Store,
        silent: &[NodeId],
        now: SimTime,
        out: &mut Vec<Action>,
    ) {
        for zone in 0..self.zones.len() {
            while let Some(id) = self.zones[zone].pop(now) {
                let Some(node) = store.node(id) else { continue };
                self.disturb(id, node);
                let ready = if silent.contains(&id) { NodeReady::Unknown } else { node.ready };
                if let Some(key) = taint_of(ready) {
                    out.push(add(id, key, TaintEffect::NoExecute));
                }
            }
        }
    }

    /// Marks a portion of the pods of silent nodes not ready.
    fn mark_pods(&mut self, store: &Store, silent: &[NodeId], outcome: &mut Outcome) {
        let mut batch = Vec::new();
        while batch.len() < 2 * PORTION {
            let Some(id) = self.to_mark.pop_front() else { break };
            let Some(pod) = store.pod(id).filter(|pod| pod.ready) else { continue };
            let Some(node_id) = pod.node else { continue };
            let reports = store.node(node_id).is_none_or(|node| node.ready == NodeReady::True);
            if reports && !silent.contains(&node_id) {
                // The node is back, or gone: its pods' conditions are no longer ours to set.
                continue;
            }
            batch.push(Action::MarkPodNotReady { pod: id });
            let (reason, about) = ("NodeNotReady", About::Pod(id));
            let message = "Node is not ready".to_string();
            batch.push(Action::Event { kind: Warning, reason, about, message });
        }
        if !batch.is_empty() {
            outcome.batches.push(batch);
        }
    }

    /// Whether there may be anything to do about a node: most are well, and are passed over.
    fn is_troubled(&self, id: NodeId, node: &Node, heartbeats: &dyn Heartbeats) -> bool {
        node.ready != NodeReady::True
            || node.unschedulable
            || !node.taints.is_empty()
            || node.pressures().any()
            || heartbeats.silent_since(id).is_some()
            || self.is_queued(id, node)
    }

    fn is_queued(&self, id: NodeId, node: &Node) -> bool {
        let zone = self.known.get(id).and_then(|known| self.zones.get(known.zone));
        zone.is_some_and(|z| !z.queue.is_empty() && z.queue.contains(&(node.uid, id)))
    }

    /// Finds the nodes to look after, and when the monitor has something to do. Nodes that turn out
    /// to be well are no suspects any more.
    fn look(&mut self, store: &Store, heartbeats: &dyn Heartbeats, now: SimTime) -> Look {
        let next = self.next_check(SimTime(now.0 + 1));
        let check_at = if self.gone.is_empty() { SimTime::NEVER } else { next };
        let mut look = Look { troubled: Vec::new(), check_at };
        let mut suspects = std::mem::take(&mut self.suspects);
        let mut resting = std::mem::take(&mut self.resting);
        suspects.retain(|(uid, id)| {
            let Some(node) = store.node(*id) else { return false };
            let registered = self.known.contains_key(*id);
            if !registered {
                look.check_at = next;
            }
            if !self.is_troubled(*id, node, heartbeats) {
                return !registered;
            }
            if self.may_rest(*id, node) {
                resting.insert((*uid, *id));
                return false;
            }
            look.troubled.push(*id);
            if self.has_business(*id, node) {
                look.check_at = next;
            } else if node.ready != NodeReady::Unknown {
                let silent = self.silent_at(*id, node, heartbeats, now);
                look.check_at = look.check_at.min(silent.max(next));
            }
            true
        });
        (self.suspects, self.resting) = (suspects, resting);
        // A zone that is back in order has no troubled nodes, but the check has yet to say so.
        let disrupted = self.zones.iter().any(|zone| zone.state != ZoneState::Normal);
        let may_change =
            self.all_down || disrupted || !look.troubled.is_empty() || !self.resting.is_empty();
        if look.check_at != next && may_change && self.zones_would_change() {
            look.check_at = next;
        }
        debug_assert!(self.has_counted(store), "zones are counted as one by one");
        look
    }

    /// The reference: whether every registered node is counted once, as it is.
    fn has_counted(&self, store: &Store) -> bool {
        let mut zones: Vec<(u32, u32)> = vec![(0, 0); self.zones.len()];
        for (id, node) in store.nodes() {
            let Some(known) = self.known.get(id) else { continue };
            zones[known.zone].0 += 1;
            zones[known.zone].1 += u32::from(node.ready != NodeReady::True);
        }
        self.zones.iter().map(|zone| (zone.size, zone.unready)).eq(zones)
    }

    /// Whether nothing is to be said of a node, now or at a later check, as long as neither it nor
    /// its place in the queue changes: it is Unknown, and has or waits for what this earns.
    fn may_rest(&self, id: NodeId, node: &Node) -> bool {
        if node.ready != NodeReady::Unknown || !self.known.contains_key(id) {
            return false;
        }
        let mut taints = Vec::new();
        taint_no_schedule(id, node, node.ready, &mut taints);
        taints.is_empty() && !self.has_business(id, node)
    }

    /// The reference: whether every node that rests still may.
    fn all_rest(&self, store: &Store) -> bool {
        let rests = |id| store.node(id).is_some_and(|node| self.may_rest(id, node));
        self.resting.iter().all(|(_, id)| rests(*id))
    }

    /// Whether the next check would queue a node, or take its taints back.
    fn has_business(&self, id: NodeId, node: &Node) -> bool {
        let has = |key: &str| node.has_taint(key, TaintEffect::NoExecute);
        let queued = self.is_queued(id, node);
        match taint_of(node.ready) {
            None => queued || has(NOT_READY) || has(UNREACHABLE),
            Some(NOT_READY) => has(UNREACHABLE) || !(has(NOT_READY) || queued),
            Some(_) => has(NOT_READY) || !(has(UNREACHABLE) || queued),
        }
    }

    /// Whether zones have other states than the last check gave them.
    fn zones_would_change(&self) -> bool {
        let flags = &self.flags;
        let all_down = self.would_all_be_down();
        if all_down || self.all_down {
            return all_down != self.all_down;
        }
        self.zones.iter().any(|zone| zone.size > 0 && zone.state != zone.computed_state(flags))
    }
}

/// NoSchedule taints follow condition and cordon (`doNoScheduleTaintingPass`).
fn taint_no_schedule(id: NodeId, node: &Node, ready: NodeReady, out: &mut Vec<Action>) {
    let (condition, pressures) = (taint_of(ready), node.pressures());
    let keys = [
        (NOT_READY, condition == Some(NOT_READY)),
        (UNREACHABLE, condition == Some(UNREACHABLE)),
        (UNSCHEDULABLE, node.unschedulable),
        // Of a silent kubelet all conditions are Unknown.
        (MEMORY_PRESSURE, pressures.memory.is_on && ready != NodeReady::Unknown),
        (DISK_PRESSURE, pressures.disk.is_on && ready != NodeReady::Unknown),
    ];
    for (key, wanted) in keys {
        let has = node.has_taint(key, TaintEffect::NoSchedule);
        if wanted && !has {
            out.push(add(id, key, TaintEffect::NoSchedule));
        } else if has && !wanted {
            out.extend(remove(id, key, TaintEffect::NoSchedule));
        }
    }
}

fn add(node: NodeId, key: &str, effect: TaintEffect) -> Action {
    Action::AddTaint { node, taint: Taint::new(key, effect, SimTime::ZERO) }
}

fn remove(node: NodeId, key: &str, effect: TaintEffect) -> Option<Action> {
    Some(Action::RemoveTaint { node, key: key.into(), effect })
}

fn taint_of(ready: NodeReady) -> Option<&'static str> {
    match ready {
        NodeReady::True => None,
        NodeReady::False => Some(NOT_READY),
        NodeReady::Unknown => Some(UNREACHABLE),
    }
}

#[cfg(test)]
mod tests;
