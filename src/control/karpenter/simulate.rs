//! The cluster as the provisioner sees it: which pods need a place, and where there is room.
//!
//! Source: kubernetes-sigs/karpenter `pkg/controllers/provisioning/provisioner.go` (`Schedule`),
//! `pkg/controllers/disruption/helpers.go` (`SimulateScheduling`), `pkg/utils/pod/scheduling.go`,
//! August 2026.

use super::Karpenter;
use super::claim::NodeClaim;
use super::packing::{Fresh, Item, Kind, Left, Obstacle, Packing, Room};
use crate::api::node::{HOSTNAME_LABEL, Node, NodeReady};
use crate::api::owner::Owner;
use crate::api::pod::Pod;
use crate::api::policy::Budget;
use crate::api::workload::IntOrPercent;
use crate::api::{NodeId, OwnerId, PodId};
use crate::control::controllers::disruption;
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::simulator::{Bin, Needs, Simulator};
use crate::store::Store;
use crate::units::{SimDuration, SimTime};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What packing came to.
#[derive(Debug, Default)]
pub(super) struct Packed {
    /// Nodes to be made.
    pub fresh: Vec<Fresh>,
    /// Pods placed on nodes of NodeClaims, with the NodeClaims' numbers.
    pub placed: Vec<(u64, Vec<PodId>)>,
    /// Pods that wait and find no place, and why.
    pub stuck: Vec<(PodId, Vec<Obstacle>)>,
    /// A pod that runs would have none, or only one on a node that is not there yet.
    pub moves_fail: bool,
    /// The pods, as [`Fresh::items`] counts them.
    pub pods: Vec<PodId>,
}

/// Whether a pod has to be given another place when its node goes (`IsReschedulable`).
pub(super) fn moves(pod: &Pod, store: &Store) -> bool {
    let ordered = || {
        let owner = pod.owner.and_then(|owner| store.owner(owner));
        matches!(owner, Some(Owner::StatefulSet(_)))
    };
    !pod.phase.is_terminal()
        && (pod.deletion.is_none() || ordered())
        && !pod.spec.is_mirror
        && !is_daemon(pod, store)
}

/// Whether a DaemonSet made a pod.
pub(super) fn is_daemon(pod: &Pod, store: &Store) -> bool {
    pod.owner.is_some_and(|owner| store.daemon_set(owner).is_some())
}

/// Until when an annotation keeps a pod where it is; `None`: it does not.
pub(super) fn undisrupted_until(pod: &Pod, now: SimTime) -> Option<SimTime> {
    let hints = pod.spec.drain_hints.as_ref()?;
    let long = hints.undisrupted?;
    let is_active = !pod.phase.is_terminal() && pod.deletion.is_none();
    let until = if long == SimDuration::MAX { SimTime::NEVER } else { pod.scheduled + long };
    (is_active && until > now).then_some(until)
}

/// Whether a budget never lets a pod go (`IsFullyBlocked`).
fn is_held_for_ever(id: PodId, store: &Store) -> bool {
    let never = |budget: &Budget| match budget {
        Budget::MaxUnavailable(n) => matches!(n, IntOrPercent::Int(0) | IntOrPercent::Percent(0)),
        Budget::MinAvailable(n) => *n == IntOrPercent::Percent(100),
    };
    let budgets = disruption::budgets_of(store, id);
    budgets.iter().filter_map(|pdb| store.pdb(*pdb)).any(|pdb| never(&pdb.budget))
}

/// Pods of a node that are on their way elsewhere, or will be.
pub(super) fn leaving(node: NodeId, store: &Store, now: SimTime) -> Vec<PodId> {
    let goes = |id: &&PodId| {
        store.pod(**id).is_some_and(|pod| {
            moves(pod, store)
                && undisrupted_until(pod, now).is_none()
                && !is_held_for_ever(**id, store)
        })
    };
    store.pods_on(node).iter().filter(goes).copied().collect()
}

impl Karpenter {
    /// Packs all pods that need a place into the cluster without the nodes of `out`, whose pods
    /// move too. `heeds_rest`: nodes where pods came or went a short while ago get none of those.
    pub(super) fn pack(
        &self,
        store: &Store,
        out: &[u64],
        heeds_rest: bool,
        now: SimTime,
    ) -> Packed {
        let templates = self.catalog.with_daemons(store);
        let expected = self.expected_nodes(&templates, store, out);
        let simulator = Simulator::new(store, &self.what_if, i32::MIN);
        let mut packing = Packing {
            simulator: &simulator,
            catalog: &self.catalog,
            templates: &templates,
            pools: &self.pools,
            now,
            kinds: Vec::new(),
            items: Vec::new(),
            rooms: self.rooms(&simulator, &expected, out, heeds_rest, now),
            fresh: Vec::new(),
            left: self.left(out),
            failed: Vec::new(),
            infos: None,
        };
        self.collect(&mut packing, store, out, now);
        packing.pack();
        conclude(packing)
    }

    /// Nodes of NodeClaims that can't take pods yet, as they will be when they can.
    fn expected_nodes(
        &self,
        templates: &[Option<Arc<Node>>],
        store: &Store,
        out: &[u64],
    ) -> BTreeMap<u64, Node> {
        let there = |(number, claim): &(&u64, &NodeClaim)| {
            claim.is_active() && claim.initialized.is_none() && !out.contains(number)
        };
        let node = |(number, claim): (&u64, &NodeClaim)| {
            let offering = claim.offering?;
            // Its pool may want no more of the kind by now; what is on its way comes all the same.
            let own = &self.catalog.offerings[offering].node;
            let mut node = (**templates[offering].as_ref().unwrap_or(own)).clone();
            node.name = claim.name.clone();
            node.labels = node.labels.with(HOSTNAME_LABEL, claim.name.clone());
            node.created =
                claim.node.and_then(|id| store.node(id)).map_or(claim.created, |n| n.created);
            Some((*number, node))
        };
        self.claims.iter().filter(there).filter_map(node).collect()
    }

    /// Where there is room: on nodes that can take pods first, by name.
    fn rooms<'a>(
        &self,
        simulator: &Simulator<'a>,
        expected: &'a BTreeMap<u64, Node>,
        out: &[u64],
        heeds_rest: bool,
        now: SimTime,
    ) -> Vec<Room<'a>> {
        let store = simulator.store;
        let mut rooms = Vec::new();
        for (id, node) in store.nodes().filter(|(_, node)| node.ready == NodeReady::True) {
            let claim = self.by_node.get(id).copied();
            let known = claim.and_then(|number| self.claims.get(&number));
            let serves = known.is_none_or(|c| c.is_active() && c.initialized.is_some());
            if !serves || claim.is_some_and(|number| out.contains(&number)) {
                continue;
            }
            let rests = heeds_rest && known.is_some_and(|c| self.rests(c, now));
            let bin = simulator.bin(id, node);
            rooms.push(Room { bin, claim, is_initialized: true, rests, items: Vec::new() });
        }
        for (number, node) in expected {
            let mut bin = Bin::fresh(node);
            let there = self.claims[number].node.map_or(&[][..], |id| store.pods_on(id));
            for (id, pod) in there.iter().filter_map(|id| Some((*id, store.pod(*id)?))) {
                if !pod.phase.is_terminal() && !is_daemon(pod, store) {
                    bin.reserve(PodInfo::new(id, pod));
                }
            }
            rooms.push(Room {
                bin,
                claim: Some(*number),
                is_initialized: false,
                rests: false,
                items: Vec::new(),
            });
        }
        rooms.sort_by(|a, b| {
            let key = |room: &Room<'a>| (!room.is_initialized, &room.bin.node.name);
            key(a).cmp(&key(b))
        });
        rooms
    }

    /// Whether pods came to a node or went from it a shorter while ago than its pool waits for.
    pub(super) fn rests(&self, claim: &NodeClaim, now: SimTime) -> bool {
        let after = self.pools[claim.pool].disruption.consolidate_after;
        after.is_some_and(|after| claim.last_pod_event + after > now)
    }

    /// What the limits of pools leave; machines on their way out do not count.
    pub(super) fn left(&self, out: &[u64]) -> Vec<Left> {
        let of = |pool: &crate::api::node_pool::NodePool| Left {
            cpu: pool.limits.cpu.map(|cpu| cpu.0),
            memory: pool.limits.memory.map(|memory| memory.0),
            nodes: pool.limits.nodes.map(i64::from),
        };
        let mut left: Vec<Left> = self.pools.iter().map(of).collect();
        for (_, claim) in self.claims.iter().filter(|(number, _)| !out.contains(number)) {
            let Some(offering) = claim.offering.filter(|_| claim.is_active()) else { continue };
            let capacity = &self.catalog.offerings[offering].node.capacity;
            left[claim.pool].take(capacity.cpu.0, capacity.memory.0);
        }
        left
    }

    /// The pods that need a place.
    fn collect(&self, packing: &mut Packing<'_, '_>, store: &Store, out: &[u64], now: SimTime) {
        let mut known: BTreeMap<(Option<OwnerId>, u64, bool), usize> = BTreeMap::new();
        let mut add = |packing: &mut Packing<'_, '_>, id: PodId, waits: bool, leaves: bool| {
            let Some(pod) = store.pod(id) else { return };
            let alone = if pod.owner.is_none() { pod.uid } else { 0 };
            let is_moved = !waits && !leaves;
            let kind = *known.entry((pod.owner, alone, is_moved)).or_insert_with(|| {
                let info = PodInfo::hypothetical(&pod.spec, &pod.namespace, &pod.labels);
                let kind: Kind = packing.kind(Needs::new(info), is_moved);
                packing.kinds.push(kind);
                packing.kinds.len() - 1
            });
            let age = (pod.created, pod.uid);
            packing.items.push(Item { pod: id, kind, age, waits, leaves });
        };
        let waiting = store.unschedulable_pods();
        for (id, _) in waiting.filter(|(_, pod)| pod.nominated.is_none() && moves(pod, store)) {
            add(packing, id, true, false);
        }
        for (number, claim) in &self.claims {
            let Some(node) = claim.node else { continue };
            if out.contains(number) {
                leaving(node, store, now).into_iter().for_each(|id| add(packing, id, false, false));
            } else if !claim.is_active() {
                leaving(node, store, now).into_iter().for_each(|id| add(packing, id, false, true));
            }
        }
    }
}

fn conclude(packing: Packing<'_, '_>) -> Packed {
    let items = &packing.items;
    let mut packed = Packed { fresh: packing.fresh, ..Packed::default() };
    packed.pods = items.iter().map(|item| item.pod).collect();
    for room in packing.rooms.iter().filter(|room| !room.items.is_empty()) {
        let stays = |i: &usize| !items[*i].leaves && !items[*i].waits;
        packed.moves_fail |= !room.is_initialized && room.items.iter().any(stays);
        if let Some(claim) = room.claim {
            packed.placed.push((claim, room.items.iter().map(|i| items[*i].pod).collect()));
        }
    }
    for (item, why) in packing.failed {
        if items[item].waits {
            packed.stuck.push((items[item].pod, why));
        } else {
            packed.moves_fail = true;
        }
    }
    packed
}
