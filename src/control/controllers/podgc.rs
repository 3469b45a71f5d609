//! The pod garbage collector: pods of nodes that no longer exist, pods that go on nodes that are
//! out of service, pods that go and never had a node, and ended pods beyond a number.
//!
//! Source: kubernetes `pkg/controller/podgc/gc_controller.go`, v1.37: a check each 20 s; a node
//! must be missing for 40 s after the check that found it so. Lazily evaluated: it is told which
//! nodes went with pods still bound to them and which pods ended; without such there is nothing to
//! wake up for. A pod that goes and has no node is gone at once, unless a finalizer keeps it.

use super::action::{Action, Outcome};
use crate::api::node::NodeReady;
use crate::api::pod::Pod;
use crate::api::{NodeId, PodId};
use crate::control::flags::ControllerManagerFlags;
use crate::store::Store;
use crate::units::{SimDuration, SimTime};
use std::collections::{BTreeMap, BTreeSet};

/// Between two checks (`gcCheckPeriod`).
const CHECK: SimDuration = SimDuration::from_secs(20);
/// How long a node must be missing (`quarantineTime`).
const QUARANTINE: SimDuration = SimDuration::from_secs(40);

/// A node that is gone, and the pods that were bound to it.
#[derive(Debug)]
struct Missing {
    /// When its quarantine ends; never: no check has found it missing yet.
    until: SimTime,
    pods: Vec<PodId>,
}

/// The controller's memory.
#[derive(Debug, Default)]
pub struct PodGc {
    /// `--terminated-pod-gc-threshold`; 0: ended pods are left alone.
    threshold: usize,
    /// When the first check is due.
    first_check: SimTime,
    missing: BTreeMap<NodeId, Missing>,
    /// Pods that name a node which is not there, and when their quarantine ends.
    strays: BTreeMap<PodId, SimTime>,
    /// Ended pods, oldest first: those that are beyond the threshold go in this order.
    ended: BTreeSet<(SimTime, u64, PodId)>,
    /// Pods that go, have no node, and are kept by a finalizer.
    unscheduled: BTreeSet<PodId>,
    /// Nodes that are not ready and that somebody has tainted [`OUT_OF_SERVICE`].
    out_of_service: BTreeSet<NodeId>,
}

/// The taint that says that a node has been shut down and will not end its pods.
pub const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

impl PodGc {
    /// A controller with these flags.
    pub fn new(flags: &ControllerManagerFlags) -> PodGc {
        PodGc {
            threshold: flags.terminated_pod_gc_threshold as usize,
            first_check: flags.first_round_of(CHECK),
            ..PodGc::default()
        }
    }

    /// The controller starts anew: every quarantine with it.
    pub fn begin_anew(&mut self) {
        self.missing.values_mut().for_each(|missing| missing.until = SimTime::NEVER);
        self.strays.values_mut().for_each(|until| *until = SimTime::NEVER);
    }

    /// A node object is gone; `pods` were bound to it (as [`crate::store::Change::NodeRemoved`]
    /// tells).
    pub fn node_removed(&mut self, node: NodeId, pods: &[PodId]) {
        if !pods.is_empty() {
            let missing = Missing { until: SimTime::NEVER, pods: pods.to_vec() };
            self.missing.insert(node, missing);
        }
    }

    /// A pod names a node that is not there.
    pub fn stray(&mut self, pod: PodId) {
        self.strays.entry(pod).or_insert(SimTime::NEVER);
    }

    /// A node changed. True when it is out of service: then a check is due some time.
    pub fn node_changed(&mut self, id: NodeId, store: &Store) -> bool {
        let is_out = store.node(id).is_some_and(|node| {
            node.ready != NodeReady::True && node.taints.iter().any(|t| t.key == OUT_OF_SERVICE)
        });
        if is_out {
            self.out_of_service.insert(id);
        } else {
            self.out_of_service.remove(&id);
        }
        is_out
    }

    /// A pod's phase changed. Call it for every such change; removals are noticed by themselves.
    pub fn pod_changed(&mut self, id: PodId, store: &Store) {
        if let Some(pod) = store.pod(id).filter(|pod| pod.phase.is_terminal()) {
            self.ended.insert((pod.created, pod.uid, id));
        }
        if store.pod(id).is_some_and(PodGc::is_stuck) {
            self.unscheduled.insert(id);
        }
    }

    /// Whether a pod goes and will never have a kubelet that ends it.
    pub fn is_stuck(pod: &Pod) -> bool {
        pod.deletion.is_some() && pod.node.is_none() && !pod.phase.is_terminal()
    }

    /// One check, if one is due at `now`; else it says when.
    pub fn sync(&mut self, store: &Store, now: SimTime) -> Outcome {
        let mut outcome = Outcome::idle();
        self.forget_what_is_gone(store);
        if now.next_on_grid(self.first_check, CHECK) == now {
            self.check(store, now, &mut outcome);
        }
        let next = SimTime(now.0 + 1).next_on_grid(self.first_check, CHECK);
        let quarantines = self.missing.values().map(|missing| missing.until);
        for until in quarantines.chain(self.strays.values().copied()) {
            let due = match until {
                SimTime::NEVER => next,
                until => until.next_on_grid(self.first_check, CHECK).max(next),
            };
            outcome.wake(due);
        }
        let waits = !self.unscheduled.is_empty() || !self.out_of_service.is_empty();
        if self.surplus() > 0 || waits {
            outcome.wake(next);
        }
        outcome
    }

    fn check(&mut self, store: &Store, now: SimTime, outcome: &mut Outcome) {
        let mut batch = Vec::new();
        for (_, _, id) in self.ended.iter().take(self.surplus()) {
            batch.push(delete(*id, "PodGC: terminated"));
        }
        for missing in self.missing.values_mut() {
            if missing.until == SimTime::NEVER {
                missing.until = now + QUARANTINE;
            } else if missing.until <= now {
                let there = |id: &&PodId| store.pod(**id).is_some();
                batch.extend(missing.pods.iter().filter(there).map(|id| delete(*id, "PodGC")));
            }
        }
        for (pod, until) in &mut self.strays {
            if *until == SimTime::NEVER {
                *until = now + QUARANTINE;
            } else if *until <= now {
                batch.push(delete(*pod, "PodGC"));
            }
        }
        for pods in self.out_of_service.iter().map(|node| store.pods_on(*node)) {
            let goes = |id: &&PodId| store.pod(**id).is_some_and(|pod| pod.deletion.is_some());
            batch.extend(pods.iter().filter(goes).map(|id| delete(*id, "PodGC")));
        }
        batch.extend(self.unscheduled.iter().map(|id| delete(*id, "PodGC")));
        if !batch.is_empty() {
            outcome.batches.push(batch);
        }
    }

    /// How many ended pods there are beyond the threshold.
    fn surplus(&self) -> usize {
        if self.threshold == 0 { 0 } else { self.ended.len().saturating_sub(self.threshold) }
    }

    fn forget_what_is_gone(&mut self, store: &Store) {
        let there = |pod: Option<&Pod>| pod.is_some();
        for missing in self.missing.values_mut() {
            missing.pods.retain(|id| there(store.pod(*id)));
        }
        self.missing.retain(|_, missing| !missing.pods.is_empty());
        self.strays.retain(|id, _| store.pod(*id).is_some_and(Pod::waits_for_node));
        self.unscheduled.retain(|id| store.pod(*id).is_some_and(PodGc::is_stuck));
        if self.surplus() > 0 {
            self.ended.retain(|(_, _, id)| there(store.pod(*id)));
        }
    }
}

/// Deletion without grace: no kubelet would answer.
fn delete(pod: PodId, reason: &'static str) -> Action {
    Action::DeletePod { pod, grace: Some(SimDuration::ZERO), reason }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::pod::PodPhase;
    use crate::api::taint::{Taint, TaintEffect};
    use crate::control::controllers::testing::{Bench, at};
    use crate::store::Change;

    /// Runs syncs at the instants asked for until `end`; when pods went, and how many syncs it took.
    fn run(gc: &mut PodGc, bench: &mut Bench, end: SimTime) -> (Vec<SimTime>, u32) {
        let (mut gone, mut syncs) = (Vec::new(), 0);
        let mut due = bench.now;
        while due <= end {
            bench.now = due;
            let before = bench.store.pod_count();
            let outcome = gc.sync(&bench.store, due);
            syncs += 1;
            bench.apply(&outcome);
            gone.extend((bench.store.pod_count()..before).map(|_| due));
            due = outcome.wake_at;
        }
        (gone, syncs)
    }

    fn lose(gc: &mut PodGc, bench: &mut Bench, node: NodeId) {
        bench.store.take_changes();
        bench.store.remove_node(node);
        for change in bench.store.take_changes() {
            if let Change::NodeRemoved(id, _, pods) = change {
                gc.node_removed(id, &pods);
            }
        }
    }

    #[test]
    fn pods_of_a_deleted_node_go_after_check_and_quarantine() {
        let rows = [
            ("deleted just after a check", 1001, 1060),
            ("deleted in the middle", 1009, 1060),
            ("deleted just before a check", 1019, 1060),
            ("deleted at a check", 1020, 1060),
        ];
        for (sentence, deleted, expected) in rows {
            let mut bench = Bench::new();
            let mut gc = PodGc::new(&ControllerManagerFlags::default());
            let node = bench.node("n", "a");
            let set = bench.replica_set("web", 2);
            bench.ready_pod(set, node);
            bench.ready_pod(set, node);
            bench.now = at(deleted);
            lose(&mut gc, &mut bench, node);
            let (gone, syncs) = run(&mut gc, &mut bench, at(5000));
            assert_eq!(gone, [at(expected); 2], "{sentence}; recorded: 51 to 56 s later");
            assert!(syncs <= 4, "{sentence}: {syncs} syncs");
        }
    }

    #[test]
    fn checks_go_by_when_the_controller_was_started() {
        let rows = [
            ("the first check at 3 s", 3, 1043),
            ("at 19 s", 19, 1059),
            ("at 43 s, which is every 20 s from 3 s on", 43, 1043),
        ];
        for (sentence, first, expected) in rows {
            let mut bench = Bench::new();
            let first_round = SimDuration::from_secs(first);
            let flags = ControllerManagerFlags { first_round, ..Default::default() };
            let mut gc = PodGc::new(&flags);
            let node = bench.node("n", "a");
            let set = bench.replica_set("web", 1);
            bench.ready_pod(set, node);
            bench.now = at(1002);
            lose(&mut gc, &mut bench, node);
            let (gone, _) = run(&mut gc, &mut bench, at(5000));
            assert_eq!(gone, [at(expected)], "{sentence}");
        }
    }

    #[test]
    fn a_pod_that_no_kubelet_ends_is_deleted_at_the_next_check() {
        let mut bench = Bench::new();
        let mut gc = PodGc::new(&ControllerManagerFlags::default());
        let set = bench.replica_set("web", 1);
        let pod = bench.pod(set);
        bench.store.update_pod(pod, |p| {
            p.more_mut().is_tracked = true;
            true
        });
        gc.pod_changed(pod, &bench.store);
        assert_eq!(gc.sync(&bench.store, at(1001)).wake_at, SimTime::NEVER, "it may be bound yet");
        bench.store.mark_pod_deleted(pod, at(1002));
        gc.pod_changed(pod, &bench.store);
        let outcome = gc.sync(&bench.store, at(1003));
        assert_eq!((outcome.batches.len(), outcome.wake_at), (0, at(1020)));
        assert_eq!(gc.sync(&bench.store, at(1020)).batches.len(), 1);
        bench.store.remove_pod(pod);
        assert_eq!(gc.sync(&bench.store, at(1040)).wake_at, SimTime::NEVER, "then it is at rest");
    }

    #[test]
    fn a_node_without_pods_is_no_business() {
        let mut bench = Bench::new();
        let mut gc = PodGc::new(&ControllerManagerFlags::default());
        let node = bench.node("n", "a");
        lose(&mut gc, &mut bench, node);
        assert_eq!(gc.sync(&bench.store, at(1001)).wake_at, SimTime::NEVER);
    }

    #[test]
    fn ended_pods_beyond_the_threshold_go_oldest_first() {
        let mut bench = Bench::new();
        let flags = ControllerManagerFlags { terminated_pod_gc_threshold: 2, ..Default::default() };
        let mut gc = PodGc::new(&flags);
        let node = bench.node("n", "a");
        let set = bench.replica_set("web", 4);
        let mut pods = Vec::new();
        for second in 1001..1006 {
            bench.now = at(second);
            pods.push(bench.ready_pod(set, node));
        }
        for pod in &pods[..4] {
            bench.store.set_pod_phase(*pod, PodPhase::Failed);
            gc.pod_changed(*pod, &bench.store);
        }
        let (gone, _) = run(&mut gc, &mut bench, at(5000));
        assert_eq!(gone, [at(1020); 2], "at the next check");
        let left: Vec<bool> = pods.iter().map(|pod| bench.store.pod(*pod).is_some()).collect();
        assert_eq!(left, [false, false, true, true, true]);
    }

    #[test]
    fn pods_that_go_on_a_node_that_is_out_of_service_go_by_force() {
        let mut bench = Bench::new();
        let mut gc = PodGc::new(&ControllerManagerFlags::default());
        let node = bench.node("a", "z");
        let set = bench.replica_set("web", 2);
        let (going, staying) = (bench.ready_pod(set, node), bench.ready_pod(set, node));
        bench.store.mark_pod_deleted(going, bench.now);
        let taint = Taint::new(OUT_OF_SERVICE, TaintEffect::NoExecute, bench.now);
        bench.store.update_node(node, |n| {
            n.taints.push(taint);
            true
        });
        assert!(!gc.node_changed(node, &bench.store), "a node that is ready ends its pods itself");
        bench.store.update_node(node, |n| {
            n.ready = NodeReady::Unknown;
            true
        });
        assert!(gc.node_changed(node, &bench.store));
        bench.apply(&gc.sync(&bench.store, at(1020)));
        assert!(bench.store.pod(going).is_none(), "marked pods go at the next check");
        assert!(bench.store.pod(staying).is_some(), "others wait for their eviction");
    }
}
