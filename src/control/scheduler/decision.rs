//! What the scheduler answers.

use super::framework::PluginSet;
use super::registry;
use crate::api::{NodeId, PodId};

/// The outcome of one scheduling cycle.
#[derive(Clone, PartialEq, Debug)]
pub enum Decision {
    /// The pod goes to a node. The scheduler takes it for placed there from now on. Whoever binds
    /// it answers with `binding_finished`.
    Scheduled {
        /// The pod.
        pod: PodId,
        /// Its node.
        node: NodeId,
        /// Nodes that were looked at (`EvaluatedNodes`).
        evaluated: usize,
        /// Nodes that would have done (`FeasibleNodes`).
        feasible: usize,
        /// It is not to be bound yet: a plugin wants it to wait, or has work to do before. See
        /// `next_step`.
        is_held: bool,
    },
    /// The pod goes nowhere for now.
    Unschedulable {
        /// The pod.
        pod: PodId,
        /// The text of its condition PodScheduled and its event FailedScheduling, uncut.
        message: String,
        /// Plugins that rejected it; empty when there are no nodes at all, or a plugin failed.
        rejected_by: PluginSet,
        /// What becomes of `status.nominatedNodeName`.
        nomination: Nomination,
        /// Pods to be deleted for it, in this order. Those on their way out already are left out.
        victims: Vec<PodId>,
        /// Pods of lower priority that were nominated to the same node and are not any more:
        /// their `status.nominatedNodeName` is to be emptied.
        denominated: Vec<PodId>,
    },
}

/// What becomes of a pod's `status.nominatedNodeName` (`NominatingInfo`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Nomination {
    /// It stays as it is.
    Keep,
    /// It is set, or emptied.
    Set(Option<NodeId>),
}

impl Decision {
    /// The pod that it is about.
    pub fn pod(&self) -> PodId {
        match self {
            Decision::Scheduled { pod, .. } | Decision::Unschedulable { pod, .. } => *pod,
        }
    }

    /// Names of the plugins that rejected the pod, sorted; none if it was scheduled.
    pub fn rejecting_plugins(&self) -> Vec<&'static str> {
        let Decision::Unschedulable { rejected_by, .. } = self else { return Vec::new() };
        let mut names: Vec<_> = rejected_by.iter().map(registry::name_of).collect();
        names.sort_unstable();
        names
    }
}
