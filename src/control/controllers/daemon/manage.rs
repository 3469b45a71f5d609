//! Pods that are missing, pods that have ended, and pods that are too many or no longer meant to be
//! where they are (`manage`).

use super::super::action::{About, Action};
use super::back_off::BackOffs;
use super::{Spot, Sync, Todo, by_age};
use crate::api::PodId;
use crate::api::event::EventType::{self, Normal, Warning};
use crate::api::node::Node;
use crate::api::pod::{Pod, PodPhase};

/// Pods with their ids.
type Pods<'a> = [(PodId, &'a Pod)];

impl Sync<'_> {
    /// What is to be done so that each node has the pod that it should have.
    pub(super) fn manage(&mut self, back_offs: &mut BackOffs) -> Todo {
        let mut todo = Todo::default();
        let spots = std::mem::take(&mut self.spots);
        for (spot, pods) in spots.iter() {
            match spot.node {
                Some(node) => self.manage_node(node, spot, pods, back_offs, &mut todo),
                // Nobody else would take what waits for a node that is gone.
                None => todo.pods.extend(pods.iter().filter(|(_, p)| p.node.is_none()).map(id)),
            }
        }
        self.spots = spots;
        todo
    }

    /// `podsShouldBeOnNode`.
    fn manage_node(
        &mut self,
        node: &Node,
        spot: &Spot<'_>,
        pods: &Pods<'_>,
        back_offs: &mut BackOffs,
        todo: &mut Todo,
    ) {
        if spot.runs && pods.is_empty() {
            todo.nodes.push(node.name.clone());
            return;
        }
        let alive = pods.iter().copied().filter(|(_, pod)| pod.deletion.is_none());
        if !spot.stays {
            todo.pods.extend(alive.map(|(id, _)| id));
            return;
        }
        let (ended, running): (Vec<_>, Vec<_>) =
            alive.partition(|(_, pod)| pod.phase.is_terminal());
        for (id, pod) in ended {
            if self.may_delete_ended(node, pod, back_offs) {
                todo.pods.push(id);
            }
        }
        if !self.allows_surge() {
            todo.pods.extend(by_age(running.into_iter()).iter().skip(1).map(id));
        } else if running.is_empty() && spot.runs {
            todo.nodes.push(node.name.clone());
        } else if running.len() > 1 {
            self.keep_old_and_new(running, todo);
        }
    }

    /// A pod that ended well is deleted at once, a failed one after a back-off.
    fn may_delete_ended(&mut self, node: &Node, pod: &Pod, back_offs: &mut BackOffs) -> bool {
        let told = |state: &str, what: &str| {
            let (pod, node) = (format!("{}/{}", pod.namespace, pod.name()), &node.name);
            format!("Found {state} daemon pod {pod} on node {node}, will try to {what} it")
        };
        if pod.phase == PodPhase::Succeeded {
            self.tell(Normal, "SucceededDaemonPod", told("succeeded", "delete"));
            return true;
        }
        let generation = self.set.status.observed_generation;
        match back_offs.wait(self.id, generation, &node.name, self.now) {
            Some(wait) => {
                self.look_again(self.now + wait);
                false
            }
            None => {
                self.tell(Warning, "FailedDaemonPod", told("failed", "kill"));
                true
            }
        }
    }

    fn tell(&mut self, kind: EventType, reason: &'static str, message: String) {
        let about = About::Owner(self.id);
        self.outcome.then(Action::Event { kind, reason, about, message });
    }

    /// With surge there may be two pods: the oldest of the present template and the oldest of
    /// another one, until the new one is available or the old one is no longer ready.
    fn keep_old_and_new(&self, running: Vec<(PodId, &Pod)>, todo: &mut Todo) {
        let (mut new, mut old) = (None, None);
        for (id, pod) in by_age(running.into_iter()) {
            let is_new = pod
                .labels
                .get(super::template::HASH_LABEL)
                .is_some_and(|hash| *hash == self.set.template.hash);
            let kept = if is_new { &mut new } else { &mut old };
            match kept {
                None => *kept = Some((id, pod)),
                Some(_) => todo.pods.push(id),
            }
        }
        if let (Some((_, new)), Some((id, old))) = (new, old)
            && (!old.ready || self.is_available(new))
        {
            todo.pods.push(id);
        }
    }
}

fn id((id, _): &(PodId, &Pod)) -> PodId {
    *id
}
