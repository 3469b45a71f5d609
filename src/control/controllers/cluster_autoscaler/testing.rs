//! A cloud and a scheduler for tests, as small as can be: machines boot after a fixed time, pods go
//! to the first node with room, evicted pods are replaced at once.

use super::{ClusterAutoscaler, GroupView};
use crate::api::node::{Node, NodeReady};
use crate::api::resources::Resources;
use crate::api::{NodeId, OwnerId, PodId};
use crate::control::controllers::action::{Action, Outcome};
use crate::control::controllers::replicaset;
use crate::control::controllers::testing::{Bench, at};
use crate::control::flags::ClusterAutoscalerFlags;
use crate::units::{Bytes, MilliCpu, SimDuration, SimTime};
use std::sync::Arc;

/// A machine that boots.
#[derive(Clone, Copy, Debug)]
struct Booting {
    group: usize,
    asked: SimTime,
    ready: SimTime,
}

/// What the cloud does.
#[derive(Debug)]
pub struct Cloud {
    pub bench: Bench,
    pub groups: Vec<GroupView>,
    pub boot: SimDuration,
    /// Machines of these groups never come.
    pub broken: Vec<bool>,
    booting: Vec<Booting>,
    made: u32,
    /// Something changed since the autoscaler last looked.
    pub notified: bool,
    /// What the autoscaler asked for: seconds and words.
    pub log: Vec<(u64, String)>,
    leaving: Vec<(SimTime, PodId)>,
    /// Nodes may be deleted with pods on them: daemons, expendable ones.
    pub with_pods: bool,
    /// No eviction is allowed.
    pub refuses_evictions: bool,
    pub wake: SimTime,
    pub syncs: u32,
}

/// A node of so many cores and 4 GiB each.
pub fn template(group: usize, cores: i64) -> Node {
    let all = Resources::of(MilliCpu(cores * 1000), Bytes::mebi(4096 * cores));
    Node {
        name: format!("g{group}").into(),
        capacity: all.clone().into(),
        allocatable: all.into(),
        max_pods: 110,
        group,
        ..Node::empty()
    }
}

/// A group of machines of so many cores.
pub fn group(index: usize, cores: i64, min: u32, max: u32) -> GroupView {
    GroupView {
        name: format!("g{index}"),
        autoscaled: true,
        min,
        max,
        target: 0,
        template: Arc::new(template(index, cores)),
        price_per_hour: cores as f64,
        booting: Vec::new(),
        refused: None,
    }
}

impl Cloud {
    pub fn new(groups: Vec<GroupView>) -> Cloud {
        let mut bench = Bench::new();
        bench.now = at(1000);
        Cloud {
            bench,
            broken: vec![false; groups.len()],
            groups,
            boot: SimDuration::from_secs(60),
            booting: Vec::new(),
            made: 0,
            notified: true,
            log: Vec::new(),
            leaving: Vec::new(),
            with_pods: false,
            refuses_evictions: false,
            wake: at(1000),
            syncs: 0,
        }
    }

    /// A Ready node of a group.
    pub fn node(&mut self, group: usize) -> NodeId {
        self.groups[group].target += 1;
        self.register(group)
    }

    fn register(&mut self, group: usize) -> NodeId {
        self.made += 1;
        self.notified = true;
        let name = format!("n{}", self.made);
        let node = Node {
            name: name.into(),
            created: self.bench.now,
            ready: NodeReady::True,
            ..(*self.groups[group].template).clone()
        };
        self.bench.store.create_node(node)
    }

    /// Replicas of a set that requests so much CPU per pod.
    pub fn workload(&mut self, name: &str, replicas: u32, cpu: i64) -> OwnerId {
        let requests = Resources::of(MilliCpu(cpu), Bytes::mebi(64));
        self.bench.replica_set_with(name, replicas, |spec| spec.containers[0].requests = requests)
    }

    pub fn scale(&mut self, set: OwnerId, replicas: u32) {
        self.bench.scale(set, replicas);
    }

    /// One second passes.
    pub fn second(&mut self, autoscaler: &mut ClusterAutoscaler, lazy: bool) {
        self.bench.now += SimDuration::from_secs(1);
        let now = self.bench.now;
        self.machines_boot();
        self.pods_leave();
        self.replace_and_schedule();
        let due = self.wake <= now || std::mem::take(&mut self.notified);
        if lazy && !due {
            return;
        }
        self.syncs += 1;
        self.fill_views();
        let outcome = autoscaler.sync(&self.bench.store, &self.groups, &mut |n| n - 1, now);
        self.wake = outcome.wake_at;
        self.apply(&outcome);
    }

    fn machines_boot(&mut self) {
        let now = self.bench.now;
        let (up, rest): (Vec<Booting>, Vec<Booting>) =
            self.booting.iter().partition(|b| b.ready <= now);
        self.booting = rest;
        for machine in up {
            self.register(machine.group);
        }
    }

    fn pods_leave(&mut self) {
        let now = self.bench.now;
        let (gone, rest): (Vec<_>, Vec<_>) = self.leaving.iter().partition(|(at, _)| *at <= now);
        self.leaving = rest;
        for (_, pod) in gone {
            self.notified |= self.bench.store.remove_pod(pod);
        }
    }

    fn replace_and_schedule(&mut self) {
        let sets: Vec<OwnerId> = self.bench.store.replica_sets().map(|(id, _)| id).collect();
        for set in sets {
            let outcome = replicaset::sync(set, &self.bench.store, self.bench.now);
            for action in outcome.batches.iter().flatten() {
                if let Action::DeletePod { pod, .. } = action {
                    self.leave(*pod);
                } else {
                    self.bench
                        .apply(&Outcome { batches: vec![vec![action.clone()]], ..Outcome::idle() });
                }
            }
        }
        let waiting: Vec<PodId> =
            self.bench.store.pods().filter(|(_, p)| p.waits_for_node()).map(|(id, _)| id).collect();
        for pod in waiting {
            self.schedule(pod);
        }
    }

    fn schedule(&mut self, pod: PodId) {
        let store = &self.bench.store;
        let requests = store.pod(pod).unwrap().spec.requests();
        let fits = |(id, node): &(NodeId, &Node)| {
            let load = store.load_of(*id);
            node.taints.is_empty()
                && node.ready == NodeReady::True
                && load.requested.cpu.0 + requests.cpu.0 <= node.allocatable.cpu.0
        };
        let place = store.nodes().find(fits).map(|(id, _)| id);
        match place {
            Some(node) => {
                self.bench.store.bind_pod(pod, node, self.bench.now);
                self.bench.run(pod);
                self.notified = true;
            }
            None => self.bench.store.update_pod(pod, |p| {
                let new = !p.unschedulable;
                p.unschedulable = true;
                self.notified |= new;
                new
            }),
        }
    }

    fn fill_views(&mut self) {
        for (index, group) in self.groups.iter_mut().enumerate() {
            let booting = self.booting.iter().filter(|b| b.group == index);
            group.booting = booting.map(|b| b.asked).collect();
        }
    }

    fn apply(&mut self, outcome: &Outcome) {
        let now = self.bench.now;
        for action in outcome.batches.iter().flatten() {
            let words = match action {
                Action::Event { .. } => None,
                other => Some(format!("{other:?}")),
            };
            self.log.extend(words.map(|words| (now.whole_secs(), words)));
            match action {
                Action::IncreaseGroup { group, delta } => self.increase(*group, *delta),
                Action::DecreaseTarget { group, delta } => {
                    self.groups[*group].target -= delta;
                    for _ in 0..*delta {
                        let last = self.booting.iter().rposition(|b| b.group == *group).unwrap();
                        self.booting.remove(last);
                    }
                }
                Action::DeleteMachine { node } => {
                    let pods = self.bench.store.pods_on(*node).to_vec();
                    assert!(self.with_pods || pods.is_empty(), "deleted with pods");
                    for pod in pods {
                        self.bench.store.remove_pod(pod);
                    }
                    let group = self.bench.store.node(*node).unwrap().group;
                    self.groups[group].target -= 1;
                    self.bench.store.remove_node(*node);
                }
                Action::EvictPod { .. } if self.refuses_evictions => {}
                Action::EvictPod { pod, .. } => self.leave(*pod),
                other => {
                    self.bench
                        .apply(&Outcome { batches: vec![vec![other.clone()]], ..Outcome::idle() });
                }
            }
            self.notified |= !matches!(action, Action::Event { .. });
        }
    }

    fn increase(&mut self, group: usize, delta: u32) {
        let now = self.bench.now;
        self.groups[group].target += delta;
        let ready = if self.broken[group] { SimTime::NEVER } else { now + self.boot };
        for _ in 0..delta {
            self.booting.push(Booting { group, asked: now, ready });
        }
    }

    /// A pod begins to terminate and is gone three seconds later.
    fn leave(&mut self, pod: PodId) {
        if self.bench.store.mark_pod_deleted(pod, self.bench.now) {
            if self.bench.store.pod(pod).is_some_and(|p| p.node.is_none()) {
                self.bench.store.remove_pod(pod);
            } else {
                self.leaving.push((self.bench.now + SimDuration::from_secs(3), pod));
            }
            self.notified = true;
        }
    }

    /// Seconds pass, with a lazy autoscaler.
    pub fn run(&mut self, autoscaler: &mut ClusterAutoscaler, seconds: u64) {
        for _ in 0..seconds {
            self.second(autoscaler, true);
        }
    }

    /// No machine is on its way any more.
    pub fn forget_booting(&mut self) {
        self.booting.clear();
    }

    /// What the autoscaler asked the cloud for.
    pub fn orders(&self) -> Vec<&str> {
        let cloud = |words: &&str| {
            ["Increase", "Decrease", "DeleteM"].iter().any(|prefix| words.starts_with(prefix))
        };
        self.log.iter().map(|(_, words)| words.as_str()).filter(cloud).collect()
    }
}

/// An autoscaler with the default flags, changed by `change`.
pub fn autoscaler(change: impl FnOnce(&mut ClusterAutoscalerFlags)) -> ClusterAutoscaler {
    let mut flags = ClusterAutoscalerFlags::default();
    change(&mut flags);
    ClusterAutoscaler::new(&flags)
}
