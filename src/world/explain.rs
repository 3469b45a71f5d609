//! One pod under a magnifying glass: what the scheduler considered each time it tried to place it.
//!
//! It looks on and changes nothing: a run with a watched pod is the same run.

use super::world::World;
use crate::api::{ObjectName, PodId, Text};
use crate::control::scheduler::cycle::{Core, Explanation};
use crate::control::scheduler::decision::{Decision, Nomination};
use crate::control::scheduler::framework::NodeIndex;
use crate::control::scheduler::registry;
use crate::record::attempt::{Attempt, NodeVerdict};

/// The pod that is watched, and what was seen.
#[derive(Debug)]
pub(super) struct Watched {
    name: ObjectName,
    id: Option<PodId>,
    attempts: Vec<Attempt>,
}

impl World<'_> {
    /// From now on, the attempts to place the pod of this name are noted.
    pub(super) fn watch(&mut self, name: ObjectName) {
        self.watched = Some(Watched { name, id: None, attempts: Vec::new() });
    }

    /// What was noted; `None`: no pod of that name has been created.
    pub(super) fn take_attempts(&mut self) -> Option<Vec<Attempt>> {
        let watched = self.watched.take()?;
        watched.id.map(|_| watched.attempts)
    }

    /// A pod was created.
    pub(super) fn recognise(&mut self, id: PodId) {
        let Some(watched) = &mut self.watched else { return };
        let Some(pod) = self.store.pod(id) else { return };
        if pod.namespace == watched.name.namespace && pod.name() == watched.name.name {
            watched.id = Some(id);
            self.scheduler.watch(id);
        }
    }

    /// Another scheduler looks after the pod.
    pub(super) fn watch_again(&mut self) {
        if let Some(id) = self.watched.as_ref().and_then(|watched| watched.id) {
            self.scheduler.watch(id);
        }
    }

    /// A scheduling cycle has ended.
    pub(super) fn note_attempt(&mut self, decision: &Decision) {
        let Some(watched) = &mut self.watched else { return };
        if watched.id != Some(decision.pod()) {
            return;
        }
        let core = self.scheduler.core();
        let node_name = |id| self.store.node(id).map(|node| node.name.clone());
        let number = watched.attempts.len() as u32 + 1;
        let mut attempt = Attempt {
            time: self.now,
            number,
            node: None,
            message: String::new(),
            nominated: None,
            pre_filter: core.explanation().pre_filter_message.clone(),
            nodes: verdicts(core, core.explanation()),
            nodes_in_all: core.cache.nodes().len(),
        };
        match decision {
            Decision::Scheduled { node, .. } => attempt.node = node_name(*node),
            Decision::Unschedulable { message, nomination, .. } => {
                attempt.message.clone_from(message);
                if let Nomination::Set(Some(node)) = nomination {
                    attempt.nominated = node_name(*node);
                }
            }
        }
        watched.attempts.push(attempt);
    }

    /// The binding that the last attempt led to has failed.
    pub(super) fn note_failed_binding(&mut self, decision: &Decision) {
        if let Some(watched) = &mut self.watched
            && watched.id == Some(decision.pod())
            && let (Some(last), Decision::Unschedulable { message, .. }) =
                (watched.attempts.last_mut(), decision)
        {
            last.message.clone_from(message);
        }
    }
}

fn verdicts(core: &Core, explanation: &Explanation) -> Vec<NodeVerdict> {
    let name = |node: NodeIndex| -> Text { core.cache.info(node).name().clone() };
    let rejected = explanation.rejections.iter().map(|r| NodeVerdict {
        node: name(r.node),
        rejected_by: Some(registry::name_of(r.plugin)),
        reasons: r.status.reasons.iter().map(str::to_owned).collect(),
        scores: Vec::new(),
    });
    let feasible = explanation.feasible.iter().enumerate().map(|(at, node)| {
        let score = |(plugin, scores): &(_, Vec<i64>)| (registry::name_of(*plugin), scores[at]);
        NodeVerdict {
            node: name(*node),
            rejected_by: None,
            reasons: Vec::new(),
            scores: explanation.scores.iter().map(score).collect(),
        }
    });
    feasible.chain(rejected).collect()
}
