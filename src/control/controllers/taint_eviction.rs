//! The taint-eviction controller: pods leave nodes whose NoExecute taints they don't tolerate.
//!
//! Source: kubernetes `pkg/controller/tainteviction/taint_eviction.go`, v1.37. It is told which
//! nodes and pods changed, keeps the planned evictions in order of time, and looks at nothing else:
//! a cluster without such taints costs nothing.

use super::action::{About, Action, Outcome};
use crate::api::event::EventType::Normal;
use crate::api::pod::Pod;
use crate::api::taint::{Taint, TaintEffect};
use crate::api::{NodeId, PodId};
use crate::store::Store;
use crate::units::{SimDuration, SimTime};
use slotmap::SecondaryMap;
use std::collections::BTreeSet;

/// Evictions that one sync sends at most: what follows is decided when these are answered, so that
/// a taint that is taken back in time still saves the pods that wait behind the client's rate.
const PORTION: usize = 50;

/// How long a pod may stay under taints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stay {
    Forever,
    For(SimDuration),
    /// One of the taints is not tolerated at all.
    No,
}

/// The controller's memory: what it has been told, and the evictions that it has planned.
#[derive(Debug, Default)]
pub struct TaintEviction {
    changed_nodes: BTreeSet<NodeId>,
    changed_pods: BTreeSet<PodId>,
    /// NoExecute taints of each node that has any, as last seen.
    tainted: SecondaryMap<NodeId, Vec<Taint>>,
    planned: SecondaryMap<PodId, SimTime>,
    due: BTreeSet<(SimTime, PodId)>,
    /// The nodes that were there first have been looked at.
    begun: bool,
}

impl TaintEviction {
    /// A node appeared, changed or went. Call it for every such change, before [`Self::sync`].
    pub fn node_changed(&mut self, node: NodeId) {
        self.changed_nodes.insert(node);
    }

    /// A pod was bound, marked for deletion or removed. Call it for every such change.
    pub fn pod_changed(&mut self, pod: PodId) {
        // Without taints and plans no pod is of interest; changed nodes bring their own.
        if !self.tainted.is_empty() || !self.planned.is_empty() {
            self.changed_pods.insert(pod);
        }
    }

    /// Handles what has changed and evicts whose time has come. The first call looks at every node.
    pub fn sync(&mut self, store: &Store, now: SimTime) -> Outcome {
        let mut outcome = Outcome::idle();
        let mut batch = Vec::new();
        if !std::mem::replace(&mut self.begun, true) {
            self.changed_nodes.extend(store.nodes().map(|(id, _)| id));
        }
        // What was heard of pods was nothing to wake up for, and is older: nodes come after it.
        for id in std::mem::take(&mut self.changed_pods) {
            self.pod(id, store, now, &mut batch);
        }
        for id in std::mem::take(&mut self.changed_nodes) {
            self.node(id, store, now, &mut batch);
        }
        self.evict_due(store, now, &mut batch);
        if !batch.is_empty() {
            outcome.batches.push(batch);
        }
        if let Some((at, _)) = self.due.first() {
            outcome.wake((*at).max(SimTime(now.0 + 1)));
        }
        outcome
    }

    /// A node's taints may have changed (`handleNodeUpdate`).
    fn node(&mut self, id: NodeId, store: &Store, now: SimTime, batch: &mut Vec<Action>) {
        let node = store.node(id);
        let taints: Vec<Taint> = node
            .iter()
            .flat_map(|node| &node.taints)
            .filter(|taint| taint.effect == TaintEffect::NoExecute)
            .cloned()
            .collect();
        let same = |before: &Vec<Taint>| {
            let keys = |taints: &[Taint]| -> Vec<_> {
                taints.iter().map(|t| (t.key.clone(), t.value.clone())).collect()
            };
            keys(before) == keys(&taints)
        };
        if self.tainted.get(id).map_or(taints.is_empty(), same) {
            return;
        }
        if taints.is_empty() {
            self.tainted.remove(id);
        } else {
            self.tainted.insert(id, taints);
        }
        if node.is_none() {
            // Its pods are the garbage collector's now; what is planned for them stays planned.
            return;
        }
        for pod in store.pods_on(id).to_vec() {
            self.process(pod, store, now, batch);
        }
    }

    /// A pod was bound or changed: its being marked for deletion is nothing to act on.
    fn pod(&mut self, id: PodId, store: &Store, now: SimTime, batch: &mut Vec<Action>) {
        if store.pod(id).is_some_and(|pod| pod.deletion.is_some()) {
            self.forget(id);
        } else {
            self.process(id, store, now, batch);
        }
    }

    /// A pod may have to go, or may stay after all (`processPodOnNode`).
    fn process(&mut self, id: PodId, store: &Store, now: SimTime, batch: &mut Vec<Action>) {
        let Some(pod) = store.pod(id) else {
            // Gone before its time.
            self.forget(id);
            return;
        };
        // One that is being deleted already is evicted all the same: upstream does not look.
        if pod.phase.is_terminal() {
            self.forget(id);
            return;
        }
        let taints = pod.node.and_then(|node| self.tainted.get(node));
        let at = match taints.map_or(Stay::Forever, |taints| stay(pod, taints)) {
            Stay::Forever => {
                self.cancel(id, pod, batch);
                return;
            }
            // What is planned stays so, even if other tolerations would now give another time.
            Stay::For(_) if self.planned.contains_key(id) => return,
            Stay::For(time) => now.saturating_add(time),
            Stay::No => {
                self.cancel(id, pod, batch);
                now
            }
        };
        self.planned.insert(id, at);
        self.due.insert((at, id));
    }

    fn evict_due(&mut self, store: &Store, now: SimTime, batch: &mut Vec<Action>) {
        let mut evicted = 0;
        while let Some((at, id)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            if evicted == PORTION {
                break;
            }
            self.due.remove(&(at, id));
            self.planned.remove(id);
            let Some(pod) = store.pod(id).filter(|pod| !pod.phase.is_terminal()) else { continue };
            batch.push(tell(id, format!("Marking for deletion Pod {}", name(pod))));
            batch.push(Action::DeletePod { pod: id, grace: None, reason: "TaintManager" });
            evicted += 1;
        }
    }

    fn forget(&mut self, id: PodId) -> bool {
        match self.planned.remove(id) {
            Some(at) => self.due.remove(&(at, id)),
            None => false,
        }
    }

    fn cancel(&mut self, id: PodId, pod: &Pod, batch: &mut Vec<Action>) {
        if self.forget(id) {
            batch.push(tell(id, format!("Cancelling deletion of Pod {}", name(pod))));
        }
    }
}

fn name(pod: &Pod) -> String {
    format!("{}/{}", pod.namespace, pod.name())
}

fn tell(pod: PodId, message: String) -> Action {
    let (reason, about) = ("TaintManagerEviction", About::Pod(pod));
    Action::Event { kind: Normal, reason, about, message }
}

/// How long a pod tolerates these taints: the shortest of the tolerations that apply
/// (`GetMatchingTolerations`, `getMinTolerationTime`).
fn stay(pod: &Pod, taints: &[Taint]) -> Stay {
    let mut shortest = Stay::Forever;
    for taint in taints {
        // Of several tolerations that match a taint, the first one counts.
        let Some(used) = pod.spec.tolerations.iter().find(|t| t.tolerates(taint)) else {
            return Stay::No;
        };
        shortest = match (shortest, used.seconds) {
            (_, Some(SimDuration::ZERO)) => return Stay::For(SimDuration::ZERO),
            (Stay::For(least), Some(time)) => Stay::For(least.min(time)),
            (_, Some(time)) => Stay::For(time),
            (before, None) => before,
        };
    }
    shortest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::OwnerId;
    use crate::api::taint::{NOT_READY, Toleration, UNREACHABLE};
    use crate::control::controllers::testing::{Bench, at, secs};
    use std::sync::Arc;

    /// A ready pod with these tolerations (key, seconds) on a node.
    fn pod(bench: &mut Bench, node: NodeId, tolerations: &[(&str, Option<u64>)]) -> PodId {
        let set: OwnerId = bench.replica_set("web", 1);
        let tolerate = |(key, seconds): &(&str, Option<u64>)| Toleration {
            seconds: seconds.map(secs),
            ..Toleration::default_seconds(key)
        };
        let list: Vec<Toleration> = tolerations.iter().map(tolerate).collect();
        bench.store.update_replica_set(set, |s| {
            let mut spec = (*s.template.spec).clone();
            spec.tolerations = list;
            s.template.spec = Arc::new(spec);
            true
        });
        bench.ready_pod(set, node)
    }

    fn taint(bench: &mut Bench, node: NodeId, key: &str, there: bool) {
        bench.store.update_node(node, |n| {
            n.taints.retain(|t| &*t.key != key);
            if there {
                n.taints.push(Taint::new(key, TaintEffect::NoExecute, SimTime::ZERO));
            }
            true
        });
    }

    fn sync(controller: &mut TaintEviction, bench: &mut Bench, now: SimTime) -> SimTime {
        bench.now = now;
        let outcome = controller.sync(&bench.store, now);
        bench.apply(&outcome);
        outcome.wake_at
    }

    #[test]
    fn a_pod_stays_as_long_as_it_tolerates() {
        type Row<'a> = (&'a str, &'a [(&'a str, Option<u64>)], &'a [&'a str], SimTime);
        let rows: [Row<'_>; 7] = [
            ("the default 300 s", &[(UNREACHABLE, Some(300))], &[UNREACHABLE], at(1300)),
            ("30 s", &[(UNREACHABLE, Some(30))], &[UNREACHABLE], at(1030)),
            ("zero seconds are at once", &[(UNREACHABLE, Some(0))], &[UNREACHABLE], at(1000)),
            ("without a limit it stays", &[(UNREACHABLE, None)], &[UNREACHABLE], SimTime::NEVER),
            ("without toleration it goes at once", &[], &["gpu"], at(1000)),
            (
                "of two taints the shorter toleration counts",
                &[(UNREACHABLE, Some(300)), ("gpu", Some(20))],
                &[UNREACHABLE, "gpu"],
                at(1020),
            ),
            (
                "of two tolerations of one taint the first counts",
                &[(UNREACHABLE, Some(50)), (UNREACHABLE, Some(5))],
                &[UNREACHABLE],
                at(1050),
            ),
        ];
        for (sentence, tolerations, taints, expected) in rows {
            let mut bench = Bench::new();
            let mut controller = TaintEviction::default();
            let node = bench.node("n", "a");
            let pod = pod(&mut bench, node, tolerations);
            for key in taints {
                taint(&mut bench, node, key, true);
            }
            let wake = sync(&mut controller, &mut bench, at(1000));
            let marked = |bench: &Bench| bench.store.pod(pod).unwrap().deletion.get();
            if expected == at(1000) {
                assert_eq!(marked(&bench), Some(expected), "{sentence}");
                continue;
            }
            assert_eq!(wake, expected, "{sentence}");
            if expected != SimTime::NEVER {
                sync(&mut controller, &mut bench, SimTime(expected.0 - 1));
                assert_eq!(marked(&bench), None, "{sentence}");
                let next = sync(&mut controller, &mut bench, expected);
                assert_eq!((marked(&bench), next), (Some(expected), SimTime::NEVER), "{sentence}");
                let name = bench.store.pod(pod).unwrap().name();
                let said = format!("TaintManagerEviction: Marking for deletion Pod default/{name}");
                assert_eq!(bench.told(), [said], "{sentence}");
            }
        }
    }

    #[test]
    fn a_taint_that_goes_in_time_saves_the_pod() {
        let mut bench = Bench::new();
        let mut controller = TaintEviction::default();
        let node = bench.node("n", "a");
        let pod = pod(&mut bench, node, &[(UNREACHABLE, Some(300)), (NOT_READY, Some(300))]);
        taint(&mut bench, node, UNREACHABLE, true);
        assert_eq!(sync(&mut controller, &mut bench, at(1000)), at(1300));
        // The kubelet reports that it is not ready: the clock goes on.
        taint(&mut bench, node, NOT_READY, true);
        taint(&mut bench, node, UNREACHABLE, false);
        controller.node_changed(node);
        assert_eq!(sync(&mut controller, &mut bench, at(1100)), at(1300));
        taint(&mut bench, node, NOT_READY, false);
        controller.node_changed(node);
        assert_eq!(sync(&mut controller, &mut bench, at(1299)), SimTime::NEVER);
        let name = bench.store.pod(pod).unwrap().name();
        let said = format!("TaintManagerEviction: Cancelling deletion of Pod default/{name}");
        assert_eq!(bench.told(), [said]);
        assert!(bench.store.pod(pod).unwrap().deletion.is_none());
    }

    #[test]
    fn a_pod_that_comes_to_a_tainted_node_is_noticed() {
        let mut bench = Bench::new();
        let mut controller = TaintEviction::default();
        let node = bench.node("n", "a");
        taint(&mut bench, node, UNREACHABLE, true);
        assert_eq!(sync(&mut controller, &mut bench, at(1000)), SimTime::NEVER);
        let pod = pod(&mut bench, node, &[(UNREACHABLE, Some(10))]);
        controller.pod_changed(pod);
        assert_eq!(sync(&mut controller, &mut bench, at(1005)), at(1015));
        bench.store.remove_pod(pod);
        controller.pod_changed(pod);
        assert_eq!(sync(&mut controller, &mut bench, at(1010)), SimTime::NEVER);
        assert!(bench.told().is_empty(), "a pod that is gone is not cancelled aloud");
    }

    #[test]
    fn a_pod_that_goes_already_is_evicted_again_by_a_new_taint() {
        let rows =
            [("a second taint comes", true, 2), ("its going alone is nothing to act on", false, 1)];
        for (sentence, second, times) in rows {
            let mut bench = Bench::new();
            let mut controller = TaintEviction::default();
            let node = bench.node("n", "a");
            let pod = pod(&mut bench, node, &[(UNREACHABLE, Some(20))]);
            taint(&mut bench, node, UNREACHABLE, true);
            sync(&mut controller, &mut bench, at(1000));
            sync(&mut controller, &mut bench, at(1020));
            // Its kubelet is silent, so the pod stays; that it is marked is heard of, and waits.
            controller.pod_changed(pod);
            if second {
                taint(&mut bench, node, "node.kubernetes.io/out-of-service", true);
                controller.node_changed(node);
            }
            sync(&mut controller, &mut bench, at(1100));
            assert_eq!(bench.told().len(), times, "{sentence}: {:?}", bench.told());
        }
    }

    #[test]
    fn many_evictions_go_in_portions() {
        let mut bench = Bench::new();
        let mut controller = TaintEviction::default();
        let node = bench.node("n", "a");
        let set = bench.replica_set("web", 0);
        for _ in 0..120 {
            bench.ready_pod(set, node);
        }
        taint(&mut bench, node, "gpu", true);
        let mut portions = Vec::new();
        for second in 1000..1010 {
            let outcome = controller.sync(&bench.store, at(second));
            let deletes = |a: &&Action| matches!(a, Action::DeletePod { .. });
            portions.push(outcome.batches.iter().flatten().filter(deletes).count());
            bench.apply(&outcome);
            if outcome.wake_at == SimTime::NEVER {
                break;
            }
        }
        assert_eq!(portions, [50, 50, 20]);
    }
}
