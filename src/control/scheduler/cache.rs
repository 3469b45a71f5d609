//! The scheduler's cache: nodes with their pods, assumed pods included, and the order in which
//! nodes are searched.
//!
//! Source: `pkg/scheduler/backend/cache/cache.go`, v1.37. Upstream copies what changed into a
//! snapshot before each cycle; here nothing changes during a cycle, so the records are the
//! snapshot, and [`Cache::update_snapshot`] does what of that copying can be observed: the list of
//! nodes is rebuilt only when a node appears or disappears, and an image's spread is the one of
//! the moment its node last changed. An assumed pod stays until its binding is seen or has failed,
//! however long that takes: older versions could let it expire (`durationToExpireAssumedPod`, by
//! default never), 1.37 has no such timer. It knows neither plugins nor queues.

use super::claim_uses::ClaimUses;
use super::fast::journal::Journal;
use super::framework::{NodeIndex, NodeList};
use super::node_info::{ImageState, NodeInfo};
use super::node_tree::{NodeTree, zone_key};
use super::pod_info::PodInfo;
use crate::api::node::Node;
use crate::api::{NodeId, PodId, Text};
use crate::units::Bytes;
use slotmap::SecondaryMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Nodes, their pods, and the search order.
#[derive(Default)]
pub struct Cache {
    infos: Vec<NodeInfo>,
    records: Vec<Record>,
    free: Vec<NodeIndex>,
    by_name: BTreeMap<Text, NodeIndex>,
    by_id: SecondaryMap<NodeId, NodeIndex>,
    tree: NodeTree,
    pods: SecondaryMap<PodId, PodState>,
    images: BTreeMap<Text, (Bytes, u32)>,
    /// How many pods there are of each priority.
    priorities: BTreeMap<i32, usize>,
    /// The search order of the last snapshot.
    order: Arc<[NodeIndex]>,
    /// By record: its place in that order; [`NOT_THERE`] for the others.
    positions: Vec<u32>,
    /// What was touched, for those who follow.
    journal: Journal,
    /// Those of it with pods that have any affinity to other pods, as of the last snapshot.
    with_affinity: Vec<NodeIndex>,
    /// Those of it with pods that have required anti-affinity.
    with_required_anti_affinity: Vec<NodeIndex>,
    /// How many records the last snapshot had.
    in_snapshot: usize,
    /// A node is there that the last snapshot did not have.
    appeared: bool,
    /// Which claims the pods on nodes use.
    claim_uses: ClaimUses,
    /// Pods with terms of affinity that list namespaces by name.
    naming_namespaces: usize,
    /// Pods on nodes that have terms of affinity.
    pods_with_affinity: usize,
    /// Raised with every change.
    version: u64,
    /// By how much of it nothing that a plugin's verdict rests on became another: a pod was put
    /// where an equal one was.
    idle_changes: u64,
    /// Records whose image states are to be looked at again.
    touched: Vec<NodeIndex>,
}

/// The position of a record that is not in the search order.
const NOT_THERE: u32 = u32::MAX;

/// What the cache knows of a node beside its [`NodeInfo`]. A record lives as long as the node is
/// there, pods are on it, the last snapshot has it or something is nominated to it.
#[derive(Default)]
struct Record {
    id: NodeId,
    /// The node object is there.
    present: bool,
    in_snapshot: bool,
    touched: bool,
    /// Pods nominated to the node.
    nominations: u32,
    /// The node is in the lists of those with affinity and with required anti-affinity.
    listed: (bool, bool),
    /// Its key in the tree, shared with the other nodes of the zone.
    zone: Text,
}

/// Where a pod is: its node's number, and whether it is only assumed there, as the lowest bit.
/// There are many pods.
#[derive(Clone, Copy)]
struct PodState(u32);

impl PodState {
    fn new(node: NodeIndex, assumed: bool) -> PodState {
        PodState(node.0 << 1 | u32::from(assumed))
    }

    fn node(self) -> NodeIndex {
        NodeIndex(self.0 >> 1)
    }

    fn is_assumed(self) -> bool {
        self.0 & 1 == 1
    }
}

impl Cache {
    /// A node has appeared (`AddNode`).
    pub fn add_node(&mut self, id: NodeId, node: Arc<Node>) {
        self.version += 1;
        let index = self.index_for(&node);
        self.set_node(index, id, node);
    }

    /// A node has changed (`UpdateNode`); gives the object before the change.
    pub fn update_node(&mut self, id: NodeId, node: Arc<Node>) -> Option<Arc<Node>> {
        self.version += 1;
        let index = self.index_for(&node);
        let record = &self.records[index.0 as usize];
        let old = record.present.then(|| Arc::clone(&self.infos[index.0 as usize].node));
        self.set_node(index, id, node);
        old
    }

    /// A node is gone (`RemoveNode`). Its pods stay until they are removed, and count again when
    /// a node of its name appears.
    pub fn remove_node(&mut self, id: NodeId) -> Option<Arc<Node>> {
        self.version += 1;
        let index = *self.by_id.get(id)?;
        let record = &mut self.records[index.0 as usize];
        if !record.present {
            return None;
        }
        record.present = false;
        let zone = std::mem::take(&mut record.zone);
        for pod in &self.infos[index.0 as usize].pods {
            self.claim_uses.change(pod, -1);
        }
        self.tree.remove(&zone, index);
        let node = Arc::clone(&self.infos[index.0 as usize].node);
        self.forget_images(&node);
        self.free_unused(index);
        Some(node)
    }

    /// A number that stands for the present content.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// A number that stands for all of the content on which it rests whether a pod that can't
    /// preempt anybody finds a node.
    pub(super) fn version_of_room(&self) -> u64 {
        self.version - self.idle_changes
    }

    /// The record of a node, wherever it is in its life.
    pub fn index_of(&self, id: NodeId) -> Option<NodeIndex> {
        self.by_id.get(id).copied()
    }

    /// The key of the node behind a record.
    pub fn id_of(&self, index: NodeIndex) -> NodeId {
        self.records[index.0 as usize].id
    }

    /// The record by node name, only if the last snapshot has the node.
    pub fn in_snapshot(&self, name: &str) -> Option<NodeIndex> {
        let index = *self.by_name.get(name)?;
        self.records[index.0 as usize].in_snapshot.then_some(index)
    }

    /// Whether the last snapshot has the node.
    pub fn is_in_snapshot(&self, index: NodeIndex) -> bool {
        self.records[index.0 as usize].in_snapshot
    }

    /// A node's record.
    pub fn info(&self, index: NodeIndex) -> &NodeInfo {
        &self.infos[index.0 as usize]
    }

    /// The nodes of the last snapshot in search order.
    pub fn nodes(&self) -> NodeList<'_> {
        NodeList { infos: &self.infos, order: &self.order }
    }

    /// The search order of the last snapshot, to be kept: another one is another list.
    pub fn order(&self) -> &Arc<[NodeIndex]> {
        &self.order
    }

    /// The place of a record in the search order of the last snapshot.
    pub fn position(&self, index: NodeIndex) -> Option<usize> {
        let position = self.positions.get(index.0 as usize).copied().unwrap_or(NOT_THERE);
        (position != NOT_THERE).then_some(position as usize)
    }

    /// All records, by [`NodeIndex`], those not in the snapshot included.
    pub fn infos(&self) -> &[NodeInfo] {
        &self.infos
    }

    /// What was touched.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The nodes of the last snapshot with pods that have any affinity to other pods.
    pub fn nodes_with_affinity(&self) -> NodeList<'_> {
        NodeList { infos: &self.infos, order: &self.with_affinity }
    }

    /// The nodes of the last snapshot with pods that have required anti-affinity.
    pub fn nodes_with_required_anti_affinity(&self) -> NodeList<'_> {
        NodeList { infos: &self.infos, order: &self.with_required_anti_affinity }
    }

    /// Which claims the pods on nodes use, as of the last snapshot.
    pub fn claim_uses(&self) -> &ClaimUses {
        &self.claim_uses
    }

    /// A pod has a node: it was assumed there before, or is news (`AssumePod`, `AddPod`).
    pub fn add_pod(&mut self, pod: PodInfo, node: NodeIndex, assumed: bool) {
        let (before, was_on) = (self.version, self.node_of(pod.id));
        self.version += 1;
        let old = self.remove_pod(pod.id);
        if was_on == Some(node) && old.is_some_and(|old| takes_the_room_of(&pod, &old)) {
            self.idle_changes += self.version - before;
        }
        self.touch(node);
        self.pods.insert(pod.id, PodState::new(node, assumed));
        *self.priorities.entry(pod.priority()).or_default() += 1;
        self.claim_uses.change(&pod, 1);
        self.naming_namespaces += usize::from(pod.names_namespaces());
        self.pods_with_affinity += usize::from(pod.affinity.is_some());
        self.infos[node.0 as usize].add_pod(pod);
    }

    /// A pod on a node has changed (`UpdatePod`); gives what it was before.
    pub(super) fn update_pod(&mut self, pod: PodInfo, node: NodeIndex) -> Option<PodInfo> {
        let (before, was_on) = (self.version_of_room(), self.node_of(pod.id));
        let old = self.remove_pod(pod.id)?;
        let is_idle = was_on == Some(node) && takes_the_room_of(&pod, &old);
        self.add_pod(pod, node, false);
        if is_idle {
            self.idle_changes += self.version_of_room() - before;
        }
        Some(old)
    }

    /// A pod is gone from its node (`RemovePod`, `ForgetPod`).
    pub fn remove_pod(&mut self, id: PodId) -> Option<PodInfo> {
        self.version += 1;
        let Some(state) = self.pods.remove(id) else {
            self.idle_changes += 1;
            return None;
        };
        let node = state.node();
        self.touch(node);
        let pod = self.infos[node.0 as usize].remove_pod(id)?;
        self.claim_uses.change(&pod, -1);
        self.naming_namespaces -= usize::from(pod.names_namespaces());
        self.pods_with_affinity -= usize::from(pod.affinity.is_some());
        self.free_unused(node);
        if let Some(count) = self.priorities.get_mut(&pod.priority()) {
            *count -= 1;
            if *count == 0 {
                self.priorities.remove(&pod.priority());
            }
        }
        Some(pod)
    }

    /// Whether any pod on a node has a term of affinity that lists namespaces by name.
    pub(super) fn namespaces_are_named(&self) -> bool {
        self.naming_namespaces > 0
    }

    /// Whether any pod on a node has a term of affinity, which may speak of others' labels.
    pub(super) fn has_affinity(&self) -> bool {
        self.pods_with_affinity > 0
    }

    /// The lowest priority of any pod on a node.
    pub fn lowest_priority(&self) -> Option<i32> {
        self.priorities.keys().next().copied()
    }

    /// The node a pod is on, assumed or bound.
    pub fn node_of(&self, id: PodId) -> Option<NodeIndex> {
        self.pods.get(id).map(|p| p.node())
    }

    /// A pod on a node, assumed or bound.
    pub(super) fn pod(&self, id: PodId) -> Option<&PodInfo> {
        let node = self.node_of(id)?;
        self.infos[node.0 as usize].pods.iter().find(|pod| pod.id == id)
    }

    /// Whether the pod is assumed on its node, but not known to be bound.
    pub fn is_assumed(&self, id: PodId) -> bool {
        self.pods.get(id).is_some_and(|p| p.is_assumed())
    }

    /// Whether the node is there now.
    pub(super) fn is_present(&self, index: NodeIndex) -> bool {
        self.records[index.0 as usize].present
    }

    /// Something is nominated to the node, or on its way to it: its record stays, whatever becomes
    /// of the node.
    pub(super) fn pin(&mut self, index: NodeIndex) {
        self.records[index.0 as usize].nominations += 1;
    }

    /// A nomination, or a way, is over.
    pub(super) fn unpin(&mut self, index: NodeIndex) {
        self.records[index.0 as usize].nominations -= 1;
        self.free_unused(index);
    }

    /// Prepares a cycle (`UpdateSnapshot`).
    pub fn update_snapshot(&mut self) {
        let mut relist = false;
        for index in std::mem::take(&mut self.touched) {
            let info = &self.infos[index.0 as usize];
            let lists = affinity_lists(info);
            let record = &mut self.records[index.0 as usize];
            record.touched = false;
            relist |= record.listed != lists;
            record.listed = lists;
            if record.present {
                self.refresh_images(index);
            }
        }
        let mut rebuild = self.appeared;
        if self.appeared {
            self.appeared = false;
            for record in self.records.iter_mut().filter(|r| r.present && !r.in_snapshot) {
                record.in_snapshot = true;
                self.in_snapshot += 1;
            }
        }
        if self.in_snapshot > self.tree.node_count() {
            rebuild = true;
            for i in 0..self.records.len() {
                let record = &mut self.records[i];
                if record.in_snapshot && !record.present {
                    record.in_snapshot = false;
                    self.in_snapshot -= 1;
                    self.free_unused(NodeIndex(i as u32));
                }
            }
        }
        rebuild = rebuild || !self.claim_uses.follow();
        if rebuild {
            self.order = self.tree.list().into();
            let infos = &self.infos;
            if self.claim_uses.has_any() {
                self.claim_uses.recount(self.order.iter().map(|index| &infos[index.0 as usize]));
            }
            self.positions.clear();
            self.positions.resize(self.records.len(), NOT_THERE);
            for (position, index) in self.order.iter().enumerate() {
                self.positions[index.0 as usize] = position as u32;
            }
        }
        if rebuild || relist {
            self.list_nodes_with_affinity();
        }
    }

    fn list_nodes_with_affinity(&mut self) {
        let listed = |node: &&NodeIndex| self.records[node.0 as usize].listed;
        self.with_affinity = self.order.iter().filter(|n| listed(n).0).copied().collect();
        self.with_required_anti_affinity =
            self.order.iter().filter(|n| listed(n).1).copied().collect();
    }

    /// The record for a node's name, made if there is none.
    fn index_for(&mut self, node: &Arc<Node>) -> NodeIndex {
        if let Some(index) = self.by_name.get(&node.name) {
            return *index;
        }
        let info = NodeInfo::new(Arc::clone(node));
        let index = match self.free.pop() {
            Some(index) => {
                self.infos[index.0 as usize] = info;
                self.records[index.0 as usize] = Record::default();
                index
            }
            None => {
                self.infos.push(info);
                self.records.push(Record::default());
                NodeIndex(self.infos.len() as u32 - 1)
            }
        };
        self.by_name.insert(node.name.clone(), index);
        index
    }

    fn set_node(&mut self, index: NodeIndex, id: NodeId, node: Arc<Node>) {
        let i = index.0 as usize;
        if self.records[i].present {
            let old = Arc::clone(&self.infos[i].node);
            self.forget_images(&old);
        }
        let zone = zone_key(&node);
        if !self.records[i].present {
            self.records[i].zone = self.tree.add(&zone, index);
        } else if *self.records[i].zone != *zone {
            self.tree.remove(&self.records[i].zone, index);
            self.records[i].zone = self.tree.add(&zone, index);
        }
        let names: BTreeSet<&Text> = node.images.iter().flat_map(|image| &image.names).collect();
        for name in names {
            let size = node.images.iter().find(|image| image.names.contains(name));
            let size = size.map_or(Bytes(0), |image| image.size);
            self.images.entry(name.clone()).or_insert((size, 0)).1 += 1;
        }
        let old_id = std::mem::replace(&mut self.records[i].id, id);
        if old_id != id {
            self.by_id.remove(old_id);
            self.by_id.insert(id, index);
        }
        let record = &mut self.records[i];
        record.present = true;
        self.appeared |= !record.in_snapshot;
        self.infos[i].node = node;
        self.touch(index);
    }

    fn touch(&mut self, index: NodeIndex) {
        self.journal.push(index);
        let record = &mut self.records[index.0 as usize];
        if !record.touched {
            record.touched = true;
            self.touched.push(index);
        }
    }

    /// Takes the images of a node that goes or changes out of the counts.
    fn forget_images(&mut self, node: &Node) {
        let names: BTreeSet<&Text> = node.images.iter().flat_map(|image| &image.names).collect();
        for name in names {
            if let Some(state) = self.images.get_mut(name) {
                state.1 -= 1;
                if state.1 == 0 {
                    self.images.remove(name);
                }
            }
        }
    }

    fn refresh_images(&mut self, index: NodeIndex) {
        let info = &mut self.infos[index.0 as usize];
        if !info.rare().images.is_empty() {
            info.rare_mut().images.clear();
        }
        if info.node.images.is_empty() {
            return;
        }
        let node = Arc::clone(&info.node);
        let names: BTreeSet<&Text> = node.images.iter().flat_map(|image| &image.names).collect();
        for name in names {
            if let Some((size, nodes)) = self.images.get(name) {
                let state = ImageState { name: name.clone(), size: *size, nodes: *nodes };
                info.rare_mut().images.push(state);
            }
        }
    }

    /// Frees a record that nothing needs any more.
    fn free_unused(&mut self, index: NodeIndex) {
        let i = index.0 as usize;
        let record = &self.records[i];
        let used = record.present || record.in_snapshot || record.nominations > 0;
        if used || !self.infos[i].pods.is_empty() {
            return;
        }
        if self.by_name.remove(&self.infos[i].node.name).is_some() {
            self.by_id.remove(record.id);
            self.free.push(index);
        }
    }
}

/// Whether a pod in the place of `old` makes no difference to whoever looks for room: they differ
/// at most in when they started, and have nothing that is bound beside them.
fn takes_the_room_of(pod: &PodInfo, old: &PodInfo) -> bool {
    pod.shares_shape_with(old) && pod.spec.volumes.is_empty() && pod.spec.resource_claims.is_empty()
}

/// Whether a node has pods with affinity, and with required anti-affinity.
fn affinity_lists(info: &NodeInfo) -> (bool, bool) {
    let rare = info.rare();
    (!rare.pods_with_affinity.is_empty(), !rare.pods_with_required_anti_affinity.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{node, zone_node};
    use super::*;
    use slotmap::SlotMap;

    fn names(cache: &Cache) -> Vec<String> {
        cache.nodes().iter().map(|n| n.name().to_string()).collect()
    }

    #[test]
    fn the_list_is_rebuilt_only_when_a_node_appears_or_disappears() {
        let mut ids: SlotMap<NodeId, ()> = SlotMap::with_key();
        let mut cache = Cache::default();
        let mut id = std::collections::BTreeMap::new();
        for (name, zone) in [("a", "1"), ("b", "1"), ("c", "2")] {
            id.insert(name, ids.insert(()));
            cache.add_node(id[name], Arc::new(zone_node(name, zone)));
        }
        cache.update_snapshot();
        assert_eq!(names(&cache), ["a", "c", "b"]);

        cache.update_node(id["a"], Arc::new(zone_node("a", "3")));
        cache.update_snapshot();
        assert_eq!(names(&cache), ["a", "c", "b"], "a zone change alone moves nothing");

        cache.remove_node(id["c"]);
        cache.add_node(ids.insert(()), Arc::new(zone_node("c", "2")));
        cache.update_snapshot();
        assert_eq!(names(&cache), ["a", "c", "b"], "gone and back unseen keeps its place");

        cache.add_node(ids.insert(()), Arc::new(node("d")));
        cache.update_snapshot();
        assert_eq!(names(&cache), ["b", "a", "c", "d"], "a new node makes all of it show");
    }

    #[test]
    fn a_node_that_is_gone_leaves_no_record() {
        let mut ids: SlotMap<NodeId, ()> = SlotMap::with_key();
        let mut cache = Cache::default();
        for round in 0..10 {
            let id = ids.insert(());
            cache.add_node(id, Arc::new(node(&format!("n{round}"))));
            cache.update_snapshot();
            cache.remove_node(id);
            cache.update_snapshot();
        }
        assert!(cache.infos.len() <= 2 && cache.by_name.is_empty() && cache.by_id.is_empty());
    }
}
