//! NodeClaims: a node from the decision to have it until its machine is gone.
//!
//! Source: kubernetes-sigs/karpenter `pkg/apis/v1/nodeclaim.go`, `nodeclaim_status.go`,
//! August 2026.

use crate::api::{NodeId, PodId, Text};
use crate::units::SimTime;
use std::cell::Cell;
use std::collections::BTreeMap;

/// A NodeClaim.
#[derive(Clone, Debug)]
pub(super) struct NodeClaim {
    /// Its name, which its node gets too.
    pub name: Text,
    /// Index of its pool.
    pub pool: usize,
    /// When it was made.
    pub created: SimTime,
    /// The offering that the cloud gave; `None`: it has been asked, and has not answered.
    pub offering: Option<usize>,
    /// Its node, once registered.
    pub node: Option<NodeId>,
    /// When its node was found able to take pods.
    pub initialized: Option<SimTime>,
    /// When a pod last came to its node, ended there or began to go.
    pub last_pod_event: SimTime,
    /// Until when a pod is expected to go there.
    pub nominated: SimTime,
    /// Stamp of the template that its pool had when it was made.
    pub template: u64,
    /// Since when its pool says something else.
    pub drifted: Option<SimTime>,
    /// It is replaced or removed by a command: it no longer counts as capacity.
    pub marked: bool,
    /// Its deletion, once that has begun.
    pub ending: Option<Ending>,
    /// What was last said of why it stays as it is: a stamp of the text.
    pub told: Cell<u64>,
}

/// The deletion of a NodeClaim.
#[derive(Clone, Debug)]
pub(super) struct Ending {
    /// Since when.
    pub since: SimTime,
    /// Why, in upstream's word.
    pub reason: &'static str,
    /// Evictions that have been asked for: how many times, and when again.
    pub evictions: BTreeMap<PodId, (u32, SimTime)>,
    /// It has been drained, and the cloud asked to delete the machine.
    pub terminating: bool,
    /// Other nodes have been looked for.
    pub told: bool,
}

impl NodeClaim {
    /// Whether it counts as capacity: neither deleted nor about to be.
    pub(super) fn is_active(&self) -> bool {
        !self.marked && self.ending.is_none()
    }

    /// Whether its node may be disrupted as far as the node itself goes.
    pub(super) fn is_settled(&self, now: SimTime) -> bool {
        self.is_active() && self.initialized.is_some() && self.nominated <= now
    }
}
