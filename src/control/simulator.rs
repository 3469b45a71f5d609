//! Placing pods on nodes in thought: on nodes that are there and on ones that could be.
//!
//! Source of the idea: cluster-autoscaler `simulator/clustersnapshot`. Equal pods are counted, not
//! placed one by one: where only requests and a node's labels and taints matter, how many fit is a
//! division. Pods with affinity to others, spreading, host ports, claims or scalar resources go
//! through the scheduler's own filters one by one, on a cluster of just the node asked about.

use crate::api::node::{Node, NodeReady};
use crate::api::owner::Owner;
use crate::api::pod::{Pod, PodSpec};
use crate::api::resources::Resources;
use crate::api::taint::TaintEffect;
use crate::api::volume::VolumeSource;
use crate::api::{NodeId, PodId};
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::objects::Objects;
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::scheduler::what_if::WhatIf;
use crate::store::Store;
use std::sync::Arc;

/// A pod to place, with what decides how.
#[derive(Clone, Debug)]
pub(crate) struct Needs {
    pub info: PodInfo,
    /// Only requests, labels and taints bear on where it fits.
    pub plain: bool,
    /// It asks for no particular node.
    anywhere: bool,
}

impl Needs {
    pub(crate) fn new(info: PodInfo) -> Needs {
        let spec = &info.spec;
        let plain = info.requests.scalars.is_none() && is_plain(spec);
        let anywhere = spec.node_selector.is_empty()
            && spec.node_affinity.is_none()
            && spec.node_name.is_none();
        Needs { info, plain, anywhere }
    }
}

fn is_plain(spec: &PodSpec) -> bool {
    let containers = spec.containers.iter().chain(&spec.init_containers);
    let claims = |source: &VolumeSource| {
        use VolumeSource::{Claim, Disk, Ephemeral};
        matches!(source, Claim { .. } | Ephemeral | Disk(_))
    };
    spec.pod_affinity.is_none()
        && spec.topology_spread.is_empty()
        && containers.into_iter().all(|c| c.host_ports.is_empty())
        && !spec.volumes.iter().any(|v| claims(&v.source))
}

/// What places pods.
pub(crate) struct Simulator<'a> {
    pub store: &'a Store,
    pub what_if: &'a WhatIf,
    /// Volumes and claims, where they are simulated: a new node may be in the wrong zone.
    pub objects: Objects,
    /// Pods below this priority count as if they were not there, where there are any.
    cutoff: Option<i32>,
}

impl<'a> Simulator<'a> {
    pub(crate) fn new(store: &'a Store, what_if: &'a WhatIf, cutoff: i32) -> Simulator<'a> {
        let mut objects = Objects::default();
        if store.has_storage() {
            objects.tell_storage();
            for object in store.storage_objects() {
                objects.set_storage(object);
            }
        }
        let is_below = |owner: &Owner| owner.template().spec.priority < cutoff;
        let any = store.owners().any(|(_, owner)| is_below(owner));
        Simulator { store, what_if, objects, cutoff: any.then_some(cutoff) }
    }

    /// Whether there may be pods that count as if they were not there.
    pub(crate) fn has_expendable(&self) -> bool {
        self.cutoff.is_some()
    }

    /// Whether a pod may be killed without consideration. Of bare pods this is not asked: nobody
    /// would bring them back.
    pub(crate) fn is_expendable(&self, pod: &Pod) -> bool {
        self.cutoff.is_some_and(|cutoff| pod.spec.priority < cutoff)
    }

    /// Pods on a node that count and have not ended.
    fn pods_on(&self, node: NodeId) -> impl Iterator<Item = (PodId, &'a Pod)> {
        let pods = self.store.pods_on(node).iter();
        pods.filter_map(|id| Some((*id, self.store.pod(*id)?)))
            .filter(|(_, pod)| !pod.phase.is_terminal() && !self.is_expendable(pod))
    }
}

/// A node with the room that is left on it.
#[derive(Clone, Debug)]
pub(crate) struct Bin<'a> {
    /// `None`: the node does not exist.
    pub id: Option<NodeId>,
    pub node: &'a Node,
    free: Room,
    /// Pods placed in thought, equal ones together.
    placed: Vec<(PodInfo, usize)>,
    /// The scheduler's view, made when a pod needs more than arithmetic.
    info: Option<Box<NodeInfo>>,
    /// No taint and no cordon keeps plain pods away.
    clean: bool,
}

/// The least of each of CPU, memory and storage that any of these asks for.
pub(crate) fn least_of<'a>(all: impl Iterator<Item = &'a Resources>) -> Resources {
    let lower = |a: Resources, b: &Resources| Resources {
        cpu: a.cpu.min(b.cpu),
        memory: a.memory.min(b.memory),
        ephemeral_storage: a.ephemeral_storage.min(b.ephemeral_storage),
        scalars: None,
    };
    let plain = |of: &Resources| Resources { scalars: None, ..of.clone() };
    let mut all = all.peekable();
    let first = all.peek().map(|first| plain(first)).unwrap_or_default();
    all.fold(first, lower)
}

/// What is left of a node.
#[derive(Clone, Copy, Debug)]
struct Room {
    cpu: i64,
    memory: i64,
    storage: i64,
    pods: i64,
}

impl Room {
    fn of(node: &Node) -> Room {
        let all = &node.allocatable;
        Room {
            cpu: all.cpu.0,
            memory: all.memory.0,
            storage: all.ephemeral_storage.0,
            pods: i64::from(node.max_pods),
        }
    }

    fn take(&mut self, requests: &Resources, pods: i64) {
        self.cpu -= requests.cpu.0 * pods;
        self.memory -= requests.memory.0 * pods;
        self.storage -= requests.ephemeral_storage.0 * pods;
        self.pods -= pods;
    }

    /// How many more pods of this size fit, at most `want`. What is not requested is not looked at,
    /// as in the scheduler's filter.
    fn fits(&self, requests: &Resources, want: usize) -> usize {
        // Most nodes are full: that needs no division.
        let lacks = |free: i64, each: i64| each > 0 && free < each;
        if self.pods <= 0
            || lacks(self.cpu, requests.cpu.0)
            || lacks(self.memory, requests.memory.0)
            || lacks(self.storage, requests.ephemeral_storage.0)
        {
            return 0;
        }
        let by = |free: i64, each: i64| if each > 0 { (free / each).max(0) } else { i64::MAX };
        let most = by(self.cpu, requests.cpu.0)
            .min(by(self.memory, requests.memory.0))
            .min(by(self.storage, requests.ephemeral_storage.0))
            .min(self.pods.max(0));
        usize::try_from(most).map_or(want, |most| most.min(want))
    }
}

/// A state of a bin to go back to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    free: Room,
    placed: usize,
}

impl<'a> Bin<'a> {
    /// A node that does not exist.
    pub(crate) fn fresh(node: &'a Node) -> Bin<'a> {
        Bin {
            id: None,
            node,
            free: Room::of(node),
            placed: Vec::new(),
            info: None,
            clean: is_clean(node),
        }
    }

    /// Whether nothing has been placed on it in thought.
    pub(crate) fn is_untouched(&self) -> bool {
        self.placed.is_empty()
    }

    pub(crate) fn mark(&self) -> Mark {
        Mark { free: self.free, placed: self.placed.len() }
    }

    /// Takes back what was placed since `mark`.
    pub(crate) fn restore(&mut self, mark: Mark) {
        self.free = mark.free;
        self.placed.truncate(mark.placed);
        self.info = None;
    }

    /// Counts a pod in that is bound to come here already (`status.nominatedNodeName`).
    pub(crate) fn reserve(&mut self, pod: PodInfo) {
        self.free.take(&pod.requests, 1);
        self.placed.push((pod, 1));
        self.info = None;
    }
}

fn is_clean(node: &Node) -> bool {
    !node.unschedulable && node.taints.iter().all(|t| t.effect == TaintEffect::PreferNoSchedule)
}

impl<'a> Simulator<'a> {
    /// The Ready nodes of the cluster for which `counts` is true, with the room left on them; none
    /// that has no room for a pod of the size `least`.
    pub(crate) fn bins_with_room(
        &self,
        least: &Resources,
        counts: impl Fn(NodeId, &Node) -> bool,
    ) -> Vec<Bin<'a>> {
        let ready = self.store.nodes().filter(|(_, node)| node.ready == NodeReady::True);
        let roomy = ready.filter_map(|(id, node)| {
            let free = self.free(id, node);
            (free.fits(least, 1) == 1 && counts(id, node)).then(|| Bin {
                id: Some(id),
                free,
                ..Bin::fresh(node)
            })
        });
        roomy.collect()
    }

    /// A node with the room left on it.
    pub(crate) fn bin(&self, id: NodeId, node: &'a Node) -> Bin<'a> {
        Bin { id: Some(id), free: self.free(id, node), ..Bin::fresh(node) }
    }

    fn free(&self, id: NodeId, node: &Node) -> Room {
        let mut free = Room::of(node);
        if self.has_expendable() {
            self.pods_on(id).for_each(|(_, pod)| free.take(&pod.spec.requests(), 1));
        } else {
            let load = self.store.load_of(id);
            free.take(&load.requested, 1);
            free.pods = i64::from(node.max_pods) - i64::from(load.pods);
        }
        free
    }

    /// Places up to `want` pods on a node; how many fit.
    pub(crate) fn place(&self, bin: &mut Bin<'a>, pod: &Needs, want: usize) -> usize {
        let requests = &pod.info.requests;
        let n = if pod.plain {
            let n = bin.free.fits(requests, want);
            if n > 0 && self.may_go(bin, pod) { n } else { 0 }
        } else {
            self.place_one_by_one(bin, pod, want)
        };
        if n > 0 {
            bin.free.take(requests, n as i64);
            bin.placed.push((pod.info.clone(), n));
            if pod.plain {
                // Counted only: the scheduler's view is made anew when it is needed.
                bin.info = None;
            }
        }
        n
    }

    /// Places pods on the first nodes that take them; how many found a place.
    pub(crate) fn place_first_fit(&self, bins: &mut [Bin<'a>], pod: &Needs, want: usize) -> usize {
        let mut left = want;
        for bin in bins {
            if left == 0 {
                break;
            }
            left -= self.place(bin, pod, left);
        }
        want - left
    }

    /// Whether a node's labels and taints let the pod in.
    fn may_go(&self, bin: &Bin<'_>, pod: &Needs) -> bool {
        (bin.clean && pod.anywhere) || self.rejection(bin.node, pod).is_none()
    }

    /// Why a pod would not run on an empty node like this one, in the scheduler's words.
    pub(crate) fn rejection(&self, node: &Node, pod: &Needs) -> Option<String> {
        let info = NodeInfo::new(Arc::new(node.clone()));
        let unfit = self.what_if.fits(&pod.info, &info, &self.objects).err()?;
        Some(unfit.status.message())
    }

    fn place_one_by_one(&self, bin: &mut Bin<'_>, pod: &Needs, want: usize) -> usize {
        let mut info = bin.info.take().unwrap_or_else(|| Box::new(self.info_of(bin)));
        let mut n = 0;
        while n < want && self.what_if.fits(&pod.info, &info, &self.objects).is_ok() {
            info.add_pod(pod.info.clone());
            n += 1;
        }
        bin.info = Some(info);
        n
    }

    /// The scheduler's view of a node with all that has been placed on it.
    pub(crate) fn info_of(&self, bin: &Bin<'_>) -> NodeInfo {
        let bound = bin.id.into_iter().flat_map(|id| self.pods_on(id));
        let bound = bound.map(|(id, pod)| PodInfo::new(id, pod));
        let placed = bin.placed.iter().flat_map(|(pod, n)| std::iter::repeat_n(pod.clone(), *n));
        NodeInfo::with_pods(Arc::new(bin.node.clone()), bound.chain(placed))
    }
}
