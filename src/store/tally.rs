//! How many pods of a ReplicaSet, and how many nodes, are in which state: kept as they change, so
//! that whoever counts them pays for what changed and not for what is there.

use crate::api::node::{Node, NodeReady};
use crate::api::pod::{Pod, PodPhase};
use crate::units::MilliCpu;

/// Numbers of a ReplicaSet's pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PodTally {
    /// All, the ended and deleted ones included.
    pub all: u32,
    /// Not marked for deletion.
    pub unmarked: u32,
    /// Neither ended nor marked for deletion (`IsPodActive`).
    pub active: u32,
    /// Active and Ready.
    pub active_ready: u32,
    /// Marked for deletion, and not ended.
    pub terminating: u32,
    /// Without a node.
    pub unbound: u32,
    /// Without a node, of which the scheduler has said that they fit nowhere.
    pub unschedulable: u32,
    /// On a node and Ready, the terminating ones included.
    pub ready: u32,
    /// On a node and not Ready, on their way there: not Running yet, or not marked for deletion.
    pub starting: u32,
}

impl PodTally {
    /// Counts a pod in as it is.
    pub fn add(&mut self, pod: &Pod) {
        self.count(pod, |n| *n += 1);
    }

    /// Counts a pod out; it is as it was when it was counted in.
    pub(super) fn subtract(&mut self, pod: &Pod) {
        self.count(pod, |n| *n -= 1);
    }

    fn count(&mut self, pod: &Pod, change: impl Fn(&mut u32)) {
        let (marked, ended) = (pod.deletion.is_some(), pod.phase.is_terminal());
        let bound = pod.node.is_some();
        let starts = pod.phase != PodPhase::Running || !marked;
        for (number, counts) in [
            (&mut self.all, true),
            (&mut self.unmarked, !marked),
            (&mut self.active, !marked && !ended),
            (&mut self.active_ready, !marked && !ended && pod.ready),
            (&mut self.terminating, marked && !ended),
            (&mut self.unbound, !bound),
            (&mut self.unschedulable, !bound && pod.unschedulable),
            (&mut self.ready, bound && pod.ready),
            (&mut self.starting, bound && !pod.ready && starts),
        ] {
            if counts {
                change(number);
            }
        }
    }

    /// Adds another ReplicaSet's numbers.
    pub fn merge(&mut self, other: &PodTally) {
        self.all += other.all;
        self.unmarked += other.unmarked;
        self.active += other.active;
        self.active_ready += other.active_ready;
        self.terminating += other.terminating;
        self.unbound += other.unbound;
        self.unschedulable += other.unschedulable;
        self.ready += other.ready;
        self.starting += other.starting;
    }
}

/// Nodes that are Ready.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeTally {
    /// How many.
    pub ready: u32,
    /// CPU that they offer together.
    pub allocatable: MilliCpu,
}

impl NodeTally {
    /// Counts a node in as it is.
    pub fn add(&mut self, node: &Node) {
        if node.ready == NodeReady::True {
            self.ready += 1;
            self.allocatable += node.allocatable.cpu;
        }
    }

    /// Counts a node out; it is as it was when it was counted in.
    pub(super) fn subtract(&mut self, node: &Node) {
        if node.ready == NodeReady::True {
            self.ready -= 1;
            self.allocatable -= node.allocatable.cpu;
        }
    }
}
