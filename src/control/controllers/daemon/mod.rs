//! The daemonset controller: a pod on each node that it is meant for.
//!
//! Source: kubernetes `pkg/controller/daemon/daemon_controller.go`, `update.go`,
//! `util/daemonset_util.go`, v1.37, and recordings. A pod is pinned to its node by a node affinity
//! and placed there by the scheduler. A sync looks at all nodes; it is asked for only when a pod of
//! the set changes, or a node in a way that concerns the set ([`Daemons::node_changed`]).
//!
//! | file | what lives there |
//! |---|---|
//! | `placement.rs` | which nodes a set's pods run on; its pods by node |
//! | `history.rs` | ControllerRevisions |
//! | `manage.rs` | pods that are missing, that failed, that are too many |
//! | `update.rs` | the rolling update |
//! | `status.rs` | the counts |
//! | `template.rs` | the pod for a node |
//! | `back_off.rs` | how long a failed pod is left alone |

mod back_off;
mod history;
mod manage;
mod placement;
mod status;
mod template;
#[cfg(test)]
mod tests;
mod update;

use super::action::{About, Action, Outcome};
use super::claim::claims;
use crate::api::daemon_set::{DaemonSet, DaemonStrategy};
use crate::api::event::EventType::Normal;
use crate::api::labels::Labels;
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::api::taint::Taint;
use crate::api::{NodeId, OwnerId, PodId, Text};
use crate::store::Store;
use crate::units::SimTime;
use back_off::BackOffs;
use placement::{Placement, Spot, Spots};
use slotmap::SecondaryMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most pods created, and most deleted, in one sync (`BurstReplicas`).
const BURST: usize = 250;

/// The controller's memory.
#[derive(Clone, Debug, Default)]
pub struct Daemons {
    /// Failed pods that are left alone for a while.
    back_offs: BackOffs,
    /// When a set wants to be looked at again, whatever happens before (`AddAfter`).
    delayed: BTreeMap<OwnerId, SimTime>,
    /// What decides about nodes, as it was last seen.
    seen: SecondaryMap<NodeId, (Labels, Vec<Taint>)>,
}

/// Whether a set would run a pod on a node like this one.
pub(crate) fn would_run(set: &DaemonSet, node: &Node) -> bool {
    Placement::of(set).of_node(node).0
}

/// Takes from what a new node like this one leaves for pods the daemons that would come with it.
pub(crate) fn leave_room(store: &Store, node: &mut Arc<Node>) {
    let shape = Arc::clone(node);
    let daemons = store.daemon_sets().map(|(_, set)| set);
    for set in daemons.filter(|set| would_run(set, &shape)) {
        let node = Arc::make_mut(node);
        Arc::make_mut(&mut node.allocatable).subtract(&set.template.spec.requests());
        node.max_pods = node.max_pods.saturating_sub(1);
    }
}

/// One look at a set.
struct Sync<'a> {
    id: OwnerId,
    set: &'a DaemonSet,
    store: &'a Store,
    now: SimTime,
    /// The value of [`template::GENERATION_LABEL`] of pods of the present template.
    generation: String,
    spots: Spots<'a>,
    /// When the set asks to be looked at again.
    again: SimTime,
    outcome: Outcome,
}

/// What a look finds to do.
#[derive(Debug, Default)]
struct Todo {
    /// Names of nodes that need a pod.
    nodes: Vec<Text>,
    /// Pods that have to go.
    pods: Vec<PodId>,
}

impl Daemons {
    /// The controller starts anew: no pod is left alone any more.
    pub fn begin_anew(&mut self) {
        self.back_offs = BackOffs::default();
        self.delayed.clear();
    }

    /// Syncs one.
    pub fn sync(&mut self, id: OwnerId, store: &Store, now: SimTime) -> Outcome {
        let Some(set) = store.daemon_set(id).filter(|set| set.meta.deletion.is_none()) else {
            self.delayed.remove(&id);
            self.back_offs.forget(id);
            return Outcome::idle();
        };
        let mut outcome = Outcome::idle();
        let claims = store.owner(id).map_or_else(Vec::new, |owner| claims(id, owner, store));
        let pods = pods_after(&claims, id, store);
        if !claims.is_empty() {
            outcome.batches.push(claims);
        }
        let spots = Spots::of(&Placement::of(set), pods, store);
        let (again, generation) = (SimTime::NEVER, set.template_generation.to_string());
        let mut sync = Sync { id, set, store, now, generation, spots, again, outcome };
        sync.keep_revision();
        let todo = sync.manage(&mut self.back_offs);
        if !sync.carry_out(todo) {
            // Upstream waits until it has seen what it has just done (expectations).
            if let DaemonStrategy::RollingUpdate { max_surge, max_unavailable } = set.strategy {
                let todo = sync.rolling_update(max_surge, max_unavailable);
                sync.carry_out(todo);
            }
        }
        sync.drop_revisions();
        sync.write_status();
        self.delay(id, now, sync.again, sync.outcome)
    }

    /// The set is looked at again at `again`, or when it asked to be before; what has come about by
    /// itself in between does not change that.
    fn delay(&mut self, id: OwnerId, now: SimTime, again: SimTime, mut out: Outcome) -> Outcome {
        let before = self.delayed.get(&id).copied().filter(|at| *at > now);
        let next = before.unwrap_or(SimTime::NEVER).min(again);
        if next == SimTime::NEVER {
            self.delayed.remove(&id);
        } else {
            self.delayed.insert(id, next);
        }
        out.wake(next);
        out
    }

    /// A node appeared or changed: the sets that have to look at it (`syncNodeUpdate`). Only its
    /// labels and taints decide.
    pub fn node_changed(&mut self, node: NodeId, store: &Store) -> Vec<OwnerId> {
        let Some(n) = store.node(node) else {
            self.seen.remove(node);
            return Vec::new();
        };
        let mut sets = store.daemon_sets().peekable();
        let same =
            |(labels, taints): &(Labels, Vec<Taint>)| *labels == n.labels && *taints == n.taints;
        if sets.peek().is_none() || self.seen.get(node).is_some_and(same) {
            return Vec::new();
        }
        self.seen.insert(node, (n.labels.clone(), n.taints.clone()));
        let pods = || store.pods_on(node).iter().filter_map(|pod| store.pod(*pod));
        let concerns = |(id, set): &(OwnerId, &DaemonSet)| {
            let (runs, stays) = Placement::of(set).of_node(n);
            let has = pods().any(|pod| pod.owner == Some(*id));
            if has { !stays || set.status.misscheduled > 0 } else { runs }
        };
        sets.filter(concerns).map(|(id, _)| id).collect()
    }

    /// A node object is gone.
    pub fn node_removed(&mut self, node: NodeId) {
        self.seen.remove(node);
    }
}

impl Sync<'_> {
    /// Creates and deletes pods (`syncNodes`): new ones with a slow start, then the deletions side
    /// by side. False: there was nothing to do.
    fn carry_out(&mut self, mut todo: Todo) -> bool {
        todo.nodes.truncate(BURST);
        todo.pods.truncate(BURST);
        let (mut rest, mut size) = (&todo.nodes[..], 1);
        let any = self.blueprint();
        while !rest.is_empty() {
            let (batch, after) = rest.split_at(size.min(rest.len()));
            let created = batch.iter().map(|node| self.create(&any, node));
            self.outcome.batches.push(created.collect());
            rest = after;
            size *= 2;
        }
        let mut batch = Vec::with_capacity(2 * todo.pods.len());
        for pod in &todo.pods {
            let Some(p) = self.store.pod(*pod) else { continue };
            batch.push(Action::DeletePod { pod: *pod, grace: None, reason: "DaemonSet" });
            let (reason, about) = ("SuccessfulDelete", About::Owner(self.id));
            let message = format!("Deleted pod: {}", p.name());
            batch.push(Action::Event { kind: Normal, reason, about, message });
        }
        if !batch.is_empty() {
            self.outcome.batches.push(batch);
        }
        !todo.nodes.is_empty() || !todo.pods.is_empty()
    }

    /// Asks to be looked at again.
    fn look_again(&mut self, at: SimTime) {
        self.again = self.again.min(at);
    }

    /// Whether a pod has been ready for `minReadySeconds` (`IsPodAvailable`); the API keeps whole
    /// seconds.
    fn is_available(&self, pod: &Pod) -> bool {
        let since = SimTime::from_secs(pod.ready_changed.whole_secs());
        pod.ready && (self.set.min_ready.0 == 0 || since + self.set.min_ready <= self.now)
    }

    /// Whether a pod is of the present template (`IsPodUpdated`).
    fn is_updated(&self, pod: &Pod) -> bool {
        let has = |key: &str, value: &str| pod.labels.get(key).is_some_and(|v| **v == *value);
        has(template::HASH_LABEL, &self.set.template.hash)
            || has(template::GENERATION_LABEL, &self.generation)
    }

    /// Whether more than one pod may be on a node (`AllowsSurge`).
    fn allows_surge(&self) -> bool {
        match self.set.strategy {
            DaemonStrategy::RollingUpdate { max_surge, .. } => max_surge.of(1, true) > 0,
            DaemonStrategy::OnDelete => false,
        }
    }
}

/// The set's pods, as they will be when its claims have come true.
fn pods_after<'a>(claims: &[Action], id: OwnerId, store: &'a Store) -> Vec<(PodId, &'a Pod)> {
    let released = |wanted: PodId| {
        let mut claims = claims.iter();
        claims.any(|claim| matches!(claim, Action::ReleasePod { pod } if *pod == wanted))
    };
    let adopted = claims.iter().filter_map(|claim| match claim {
        Action::AdoptPod { pod, .. } => Some(*pod),
        _ => None,
    });
    let own = store.pods_of(id).iter().copied().filter(|pod| !released(*pod));
    own.chain(adopted).filter_map(|id| Some((id, store.pod(id)?))).collect()
}

/// Which of a node's pods speaks for it (`podByCreationTimestampAndPhase`): bound ones first, then
/// the oldest.
fn age(pod: &Pod) -> (bool, u64, Text) {
    (pod.node.is_none(), pod.created.whole_secs(), pod.name())
}

/// The pods of a spot, those that speak for it first.
fn by_age<'a>(pods: impl Iterator<Item = (PodId, &'a Pod)>) -> Vec<(PodId, &'a Pod)> {
    let mut pods: Vec<(PodId, &Pod)> = pods.collect();
    if pods.len() > 1 {
        pods.sort_by_cached_key(|(_, pod)| age(pod));
    }
    pods
}
