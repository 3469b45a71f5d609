//! Packing pods onto nodes that are there, nodes on their way, and nodes to be made.
//!
//! Source: kubernetes-sigs/karpenter `pkg/controllers/provisioning/scheduling/scheduler.go`,
//! `nodeclaim.go`, `queue.go`, August 2026. A node to be made is a set of offerings that would all
//! do: each pod narrows it down, and which one it becomes is decided when it is launched. Upstream
//! keeps requirements and machine types apart; with offerings as they are sold the two are one.
//! Preferences are not heeded, as with upstream's `--preference-policy=Ignore`.

use super::offering::Catalog;
use crate::api::node::Node;
use crate::api::node_pool::NodePool;
use crate::api::resources::Resources;
use crate::api::taint::{Taint, TaintEffect};
use crate::api::{PodId, Text};
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::simulator::{Bin, Needs, Simulator};
use crate::units::SimTime;
use std::cmp::Reverse;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

/// Why a pod finds no place.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Obstacle {
    /// The pool may have no further node: its index and name.
    NodeLimit(usize, Text),
    /// Every machine is beyond the pool's limits.
    Limits(usize, Text),
    /// The pool's nodes have a taint.
    Taint(String),
    /// No machine has the labels that it asks for.
    Requirements,
    /// No machine is large enough.
    Size,
    /// The cloud is short of all machines that would do.
    Offering,
    /// In the words of the scheduler's filters.
    Filter(String),
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Obstacle::NodeLimit(_, pool) => {
                write!(f, "node limits have been exhausted for nodepool (NodePool={pool})")
            }
            Obstacle::Limits(_, pool) => write!(
                f,
                "all available instance types exceed limits for nodepool (NodePool={pool})"
            ),
            Obstacle::Taint(taint) => write!(f, "did not tolerate taint (taint={taint})"),
            Obstacle::Requirements => f.write_str("no instance type met all requirements"),
            Obstacle::Size => f.write_str("no instance type has enough resources"),
            Obstacle::Offering => f.write_str("no instance type has the required offering"),
            Obstacle::Filter(words) => f.write_str(words),
        }
    }
}

/// Equal pods.
#[derive(Debug)]
pub(super) struct Kind {
    pub needs: Needs,
    /// They run, and are to move: nodes that rest take none of them.
    pub moves: bool,
    /// Which offerings' labels and taints let them in.
    admitted: Vec<bool>,
    /// Rooms before this one have no place for another of them.
    first_room: usize,
    /// Why no further one of them finds a place.
    hopeless: Option<Vec<Obstacle>>,
}

/// A pod to place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub pod: PodId,
    /// Index of its kind.
    pub kind: usize,
    /// When it was created, and its ordinal: the oldest of equal ones comes first.
    pub age: (SimTime, u64),
    /// It waits for a node, and may go on doing so.
    pub waits: bool,
    /// Its node is on its way out anyway.
    pub leaves: bool,
}

/// A node that is there or on its way.
#[derive(Debug)]
pub(super) struct Room<'a> {
    pub bin: Bin<'a>,
    /// Its NodeClaim.
    pub claim: Option<u64>,
    /// It can take pods already.
    pub is_initialized: bool,
    /// Pods came or went a short while ago: no other node's pods are moved here.
    pub rests: bool,
    /// What was placed here: indices of items.
    pub items: Vec<usize>,
}

/// A node to be made.
#[derive(Clone, Debug)]
pub(super) struct Fresh {
    /// Index of its pool.
    pub pool: usize,
    /// Offerings that would do.
    pub options: Vec<usize>,
    requests: Resources,
    /// What was placed here: indices of items.
    pub items: Vec<usize>,
    pub(super) infos: Vec<PodInfo>,
}

/// What a pool's limits leave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    pub cpu: Option<i64>,
    pub memory: Option<i64>,
    pub nodes: Option<i64>,
}

impl Left {
    /// A machine counts.
    pub(super) fn take(&mut self, cpu: i64, memory: i64) {
        let less = |left: &mut Option<i64>, by: i64| *left = left.map(|left| left - by);
        less(&mut self.cpu, cpu);
        less(&mut self.memory, memory);
        less(&mut self.nodes, 1);
    }

    fn allows(&self, node: &Node) -> bool {
        let has = |left: Option<i64>, amount: i64| left.is_none_or(|left| amount <= left);
        has(self.cpu, node.capacity.cpu.0)
            && has(self.memory, node.capacity.memory.0)
            && has(self.nodes, 1)
    }
}

/// What pods are packed with.
pub(super) struct Packing<'s, 'a> {
    pub simulator: &'s Simulator<'a>,
    pub catalog: &'s Catalog,
    /// By offering.
    pub templates: &'a [Option<Arc<Node>>],
    pub pools: &'s [NodePool],
    pub now: SimTime,
    pub kinds: Vec<Kind>,
    pub items: Vec<Item>,
    pub rooms: Vec<Room<'a>>,
    pub fresh: Vec<Fresh>,
    /// By pool.
    pub left: Vec<Left>,
    /// Items without a place, and why.
    pub failed: Vec<(usize, Vec<Obstacle>)>,
    /// The scheduler's view of the rooms, once a pod has needed it.
    pub(super) infos: Option<Vec<NodeInfo>>,
}

impl<'a> Packing<'_, 'a> {
    /// Notes a kind of pods.
    pub(super) fn kind(&self, needs: Needs, moves: bool) -> Kind {
        let admits = |node: &Option<Arc<Node>>| node.as_ref().is_some_and(|n| lets_in(n, &needs));
        let admitted = self.templates.iter().map(admits).collect();
        Kind { moves, admitted, first_room: 0, hopeless: None, needs }
    }

    /// Places all pods, the largest first.
    pub(super) fn pack(&mut self) {
        let size = |item: &Item| {
            let requests = &self.kinds[item.kind].needs.info.requests;
            (Reverse(requests.cpu.0), Reverse(requests.memory.0), item.age)
        };
        let mut order: Vec<usize> = (0..self.items.len()).collect();
        order.sort_by_key(|i| size(&self.items[*i]));
        let mut queue: VecDeque<(usize, Vec<Obstacle>)> =
            order.into_iter().map(|i| (i, Vec::new())).collect();
        // Pods that need others may find a place once those have one.
        let mut stalled = 0;
        while let Some((item, _)) = queue.pop_front() {
            match self.place(item) {
                Ok(()) => stalled = 0,
                Err(why) if self.kinds[self.items[item].kind].needs.plain => {
                    self.failed.push((item, why));
                }
                Err(why) => {
                    stalled += 1;
                    queue.push_back((item, why));
                    if stalled >= queue.len() {
                        break;
                    }
                }
            }
        }
        self.failed.extend(queue);
        self.failed.sort_by_key(|(item, _)| *item);
    }

    fn place(&mut self, item: usize) -> Result<(), Vec<Obstacle>> {
        let kind = self.items[item].kind;
        if let Some(why) = &self.kinds[kind].hopeless {
            return Err(why.clone());
        }
        if !self.kinds[kind].needs.plain {
            return self.place_by_filters(item);
        }
        let placed = self.place_in_room(item) || self.place_beside(item);
        let result = if placed { Ok(()) } else { self.place_on_new(item) };
        // Room only gets less.
        self.kinds[kind].hopeless = result.as_ref().err().cloned();
        result
    }

    /// On the first node that has room.
    fn place_in_room(&mut self, item: usize) -> bool {
        let kind = &mut self.kinds[self.items[item].kind];
        for at in kind.first_room..self.rooms.len() {
            let room = &mut self.rooms[at];
            let may = !(room.rests && kind.moves);
            if may && self.simulator.place(&mut room.bin, &kind.needs, 1) == 1 {
                kind.first_room = at;
                let info = kind.needs.info.clone();
                self.note_in_room(item, at, info);
                return true;
            }
        }
        kind.first_room = self.rooms.len();
        false
    }

    pub(super) fn note_in_room(&mut self, item: usize, at: usize, info: PodInfo) {
        self.rooms[at].items.push(item);
        if let Some(infos) = &mut self.infos {
            infos[at].add_pod(info);
        }
    }

    /// New nodes, those with the fewest pods first.
    pub(super) fn emptiest_first(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.fresh.len()).collect();
        order.sort_by_key(|i| self.fresh[*i].items.len());
        order
    }

    /// On a node that is to be made anyway.
    fn place_beside(&mut self, item: usize) -> bool {
        for at in self.emptiest_first() {
            let options = self.options_with(at, self.items[item].kind);
            if !options.is_empty() {
                self.add(item, at, options);
                return true;
            }
        }
        false
    }

    /// The offerings of a new node that would do with another pod.
    pub(super) fn options_with(&self, at: usize, kind: usize) -> Vec<usize> {
        let (fresh, kind) = (&self.fresh[at], &self.kinds[kind]);
        let mut requests = fresh.requests.clone();
        requests.add(&kind.needs.info.requests);
        let pods = fresh.items.len() + 1;
        let fits = |option: &usize| {
            let node = self.templates[*option].as_ref();
            kind.admitted[*option] && node.is_some_and(|node| holds(node, &requests, pods))
        };
        fresh.options.iter().copied().filter(fits).collect()
    }

    pub(super) fn add(&mut self, item: usize, at: usize, options: Vec<usize>) {
        let info = self.kinds[self.items[item].kind].needs.info.clone();
        let fresh = &mut self.fresh[at];
        fresh.requests.add(&info.requests);
        fresh.options = options;
        fresh.items.push(item);
        fresh.infos.push(info);
    }

    /// Pools, those with the highest weight first.
    pub(super) fn pools_in_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.pools.len()).collect();
        order.sort_by_key(|i| (Reverse(self.pools[*i].weight), &self.pools[*i].name));
        order
    }

    /// The offerings of a pool that would do for one pod, or why there are none.
    pub(super) fn options_for(&self, kind: usize, pool: usize) -> Result<Vec<usize>, Obstacle> {
        let (name, left, kind) = (&self.pools[pool].name, &self.left[pool], &self.kinds[kind]);
        if left.nodes.is_some_and(|nodes| nodes <= 0) {
            return Err(Obstacle::NodeLimit(pool, name.clone()));
        }
        let of_pool = |i: &usize| self.catalog.offerings[*i].pool == pool;
        let offered = (0..self.templates.len()).filter(of_pool);
        let known: Vec<(usize, &Arc<Node>)> =
            offered.filter_map(|i| Some((i, self.templates[i].as_ref()?))).collect();
        let within: Vec<_> = known.into_iter().filter(|(_, node)| left.allows(node)).collect();
        if within.is_empty() {
            return Err(Obstacle::Limits(pool, name.clone()));
        }
        let requests = &kind.needs.info.requests;
        let wanted: Vec<_> = within.into_iter().filter(|(i, _)| kind.admitted[*i]).collect();
        if wanted.is_empty() {
            return Err(self.refusal(pool, kind));
        }
        let large: Vec<_> = wanted.into_iter().filter(|(_, n)| holds(n, requests, 1)).collect();
        if large.is_empty() {
            return Err(Obstacle::Size);
        }
        let there = |(i, _): &(usize, &Arc<Node>)| self.catalog.is_available(*i, self.now);
        let found: Vec<usize> = large.into_iter().filter(there).map(|(i, _)| i).collect();
        if found.is_empty() {
            return Err(Obstacle::Offering);
        }
        Ok(found)
    }

    /// Why no offering of a pool lets a pod in.
    fn refusal(&self, pool: usize, kind: &Kind) -> Obstacle {
        let tolerations = &kind.needs.info.spec.tolerations;
        let keeps =
            |t: &&Taint| t.effect != TaintEffect::PreferNoSchedule && !t.is_tolerated(tolerations);
        match self.pools[pool].taints.iter().find(keeps) {
            Some(taint) => {
                let value = if taint.value.is_empty() { "" } else { "=" };
                let value = format!("{value}{}", taint.value);
                Obstacle::Taint(format!("{}{value}:{:?}", taint.key, taint.effect))
            }
            None => Obstacle::Requirements,
        }
    }

    /// On a node of its own, of the first pool that has one.
    fn place_on_new(&mut self, item: usize) -> Result<(), Vec<Obstacle>> {
        let kind = self.items[item].kind;
        let mut reasons = Vec::new();
        for pool in self.pools_in_order() {
            match self.options_for(kind, pool) {
                Ok(options) => {
                    self.open(item, pool, options);
                    return Ok(());
                }
                Err(why) => reasons.push(why),
            }
        }
        Err(reasons)
    }

    /// Opens a new node with a pod. Its pool's limits count the largest machine that it may become.
    pub(super) fn open(&mut self, item: usize, pool: usize, options: Vec<usize>) {
        let of = |i: &usize| self.templates[*i].as_ref();
        let most = |amount: &dyn Fn(&Node) -> i64| {
            options.iter().filter_map(of).map(|node| amount(node)).max().unwrap_or(0)
        };
        self.left[pool].take(most(&|n| n.capacity.cpu.0), most(&|n| n.capacity.memory.0));
        let requests = Resources::default();
        self.fresh.push(Fresh {
            pool,
            options: Vec::new(),
            requests,
            items: Vec::new(),
            infos: Vec::new(),
        });
        self.add(item, self.fresh.len() - 1, options);
    }
}

/// Whether labels and taints of a node let a pod in.
fn lets_in(node: &Node, needs: &Needs) -> bool {
    let spec = &needs.info.spec;
    let tolerated =
        |t: &Taint| t.effect == TaintEffect::PreferNoSchedule || t.is_tolerated(&spec.tolerations);
    node.taints.iter().all(tolerated) && spec.selects(&node.name, &node.labels)
}

/// Whether an empty node has room for so many pods that request so much together.
fn holds(node: &Node, requests: &Resources, pods: usize) -> bool {
    let all = &node.allocatable;
    requests.cpu.0 <= all.cpu.0
        && requests.memory.0 <= all.memory.0
        && (requests.ephemeral_storage.0 == 0
            || requests.ephemeral_storage.0 <= all.ephemeral_storage.0)
        && requests.scalars().all(|(name, amount)| amount <= all.scalar(name))
        && pods <= node.max_pods as usize
}
