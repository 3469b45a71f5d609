//! Pools and offerings for tests.

use super::simulate::moves;
use super::{Chance, Karpenter, Launch, News, Offering};
use crate::api::labels::{Labels, Operator, Requirement};
use crate::api::node::{HOSTNAME_LABEL, INSTANCE_TYPE_LABEL, Node, ZONE_LABEL};
use crate::api::node_pool::{
    CAPACITY_TYPE_LABEL, ConsolidationPolicy, Disruption, Limits, NodePool, ON_DEMAND, SPOT,
};
use crate::api::pod::PodSpec;
use crate::api::resources::Resources;
use crate::api::{NodeId, OwnerId, PodId};
use crate::control::controllers::action::{Action, Outcome};
use crate::control::controllers::testing::{Bench, at};
use crate::control::controllers::{disruption, replicaset};
use crate::control::flags::KarpenterFlags;
use crate::control::scheduler::framework::NodeIndex;
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::objects::Objects;
use crate::control::scheduler::pod_info::PodInfo;
use crate::units::{Bytes, MilliCpu, SimDuration, SimTime, WallClock};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A requirement `key In values`.
pub fn within(key: &str, values: &[&str]) -> Requirement {
    let mut values: Vec<_> = values.iter().map(|value| (*value).into()).collect();
    values.sort();
    Requirement { key: key.into(), operator: Operator::In, values }
}

/// A pool with these requirements and no limits that lets all nodes go at once.
pub fn pool(name: &str, requirements: &[Requirement]) -> NodePool {
    NodePool {
        name: name.into(),
        labels: Labels::default(),
        requirements: requirements.to_vec(),
        taints: Vec::new(),
        startup_taints: Vec::new(),
        class_kind: "EC2NodeClass".into(),
        class: "default".into(),
        expire_after: None,
        termination_grace: None,
        disruption: Disruption {
            policy: ConsolidationPolicy::WhenEmptyOrUnderutilized,
            consolidate_after: Some(SimDuration::ZERO),
            budgets: Vec::new(),
        },
        limits: Limits::default(),
        weight: 0,
    }
}

/// A machine of so many cores and GiB in a zone at a price; each is a group of its own.
pub fn offering(
    group: usize,
    (name, cores, gib): (&str, i64, i64),
    zone: &str,
    price: f64,
    spot: bool,
) -> Offering {
    let all = Resources::of(MilliCpu(cores * 1000), Bytes::mebi(1024 * gib));
    let kind = if spot { SPOT } else { ON_DEMAND };
    let node = Node {
        name: name.into(),
        labels: Labels::from([(INSTANCE_TYPE_LABEL, name), (CAPACITY_TYPE_LABEL, kind)]),
        capacity: all.clone().into(),
        allocatable: all.into(),
        max_pods: 110,
        group,
        ..Node::empty()
    };
    Offering { pool: 0, group, zone: zone.into(), spot, price, node: Arc::new(node) }
}

/// A cloud, a scheduler and a clock for tests, as small as can be: machines register after half a
/// minute and are ready then, pods go to the first node with room, evicted ones are gone after five
/// seconds and are replaced at once.
pub struct Rig {
    pub bench: Bench,
    pub karpenter: Karpenter,
    pub offerings: Vec<Offering>,
    /// Groups of which the cloud has none.
    pub sold_out: Vec<usize>,
    /// Machines of these groups never register.
    pub broken: Vec<usize>,
    booting: Vec<(SimTime, Launch, usize)>,
    leaving: Vec<(SimTime, PodId)>,
    nodes: BTreeMap<u64, NodeId>,
    wake: SimTime,
    notified: bool,
    /// What became of machines, and when: seconds and words.
    pub log: Vec<(u64, String)>,
    /// `reason: message` of Events.
    pub told: Vec<String>,
}

impl Rig {
    pub fn new(pools: &[NodePool], offerings: Vec<Offering>) -> Rig {
        let flags = KarpenterFlags::default();
        Rig {
            bench: Bench { now: at(0), ..Bench::new() },
            karpenter: Karpenter::new(&flags, pools, offerings.clone()),
            offerings,
            sold_out: Vec::new(),
            broken: Vec::new(),
            booting: Vec::new(),
            leaving: Vec::new(),
            nodes: BTreeMap::new(),
            wake: at(0),
            notified: true,
            log: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Replicas of a set that requests so many milli-CPU and MiB per pod.
    pub fn workload(&mut self, name: &str, replicas: u32, cpu: i64, mebi: i64) -> OwnerId {
        let requests = Resources::of(MilliCpu(cpu), Bytes::mebi(mebi));
        self.workload_of(name, replicas, |spec| spec.containers[0].requests = requests)
    }

    /// Replicas of a set whose pods are changed so.
    pub fn workload_of(
        &mut self,
        name: &str,
        replicas: u32,
        change: impl FnOnce(&mut PodSpec),
    ) -> OwnerId {
        self.bench.replica_set_with(name, replicas, change)
    }

    pub fn scale(&mut self, set: OwnerId, replicas: u32) {
        self.bench.scale(set, replicas);
    }

    /// So many seconds pass.
    pub fn run(&mut self, seconds: u64) {
        (0..seconds).for_each(|_| self.second());
    }

    fn second(&mut self) {
        self.bench.now += SimDuration::from_secs(1);
        let now = self.bench.now;
        self.machines_register();
        let (gone, rest): (Vec<_>, Vec<_>) = self.leaving.iter().partition(|(at, _)| *at <= now);
        self.leaving = rest;
        for (_, pod) in gone {
            self.notified |= self.bench.store.remove_pod(pod);
        }
        self.replace_and_schedule();
        if std::mem::take(&mut self.notified) {
            self.karpenter.changed();
            self.wake = now;
        }
        if self.wake <= now {
            self.sync();
        }
    }

    fn sync(&mut self) {
        let mut suffix = |number: u64| format!("n{number}").into();
        let mut turn = |_: u64, _: usize| 0;
        let mut chance = Chance { suffix: &mut suffix, turn: &mut turn };
        let (clock, now) = (WallClock::default(), self.bench.now);
        let outcome = self.karpenter.sync(&self.bench.store, clock, &mut chance, now);
        self.wake = outcome.wake_at;
        assert_eq!(self.karpenter.exceeded(), None);
        for action in outcome.batches.into_iter().flatten() {
            self.act(action);
        }
    }

    fn note(&mut self, words: String) {
        self.log.push((self.bench.now.whole_secs(), words));
    }

    fn act(&mut self, action: Action) {
        let now = self.bench.now;
        match action {
            Action::LaunchMachine(launch) => self.launch(*launch),
            Action::CancelMachine { claim } => {
                self.booting.retain(|(_, launch, _)| launch.claim != claim);
                self.hear(claim, &News::Gone);
            }
            Action::DeleteMachine { node } => {
                let found = self.nodes.iter().find(|(_, id)| **id == node);
                let claim = *found.expect("it is one of ours").0;
                let name = self.bench.store.node(node).unwrap().name.clone();
                let moving = self
                    .bench
                    .store
                    .pods_on(node)
                    .iter()
                    .any(|id| moves(self.bench.store.pod(*id).unwrap(), &self.bench.store));
                assert!(!moving, "{name} is deleted with pods on it");
                self.note(format!("{name} goes"));
                self.bench.store.remove_node(node);
                self.nodes.remove(&claim);
                self.hear(claim, &News::Gone);
            }
            Action::EvictPod { pod, .. } => {
                if disruption::may_evict(&self.bench.store, pod).is_ok() {
                    self.leave(pod);
                }
            }
            Action::DeletePod { pod, .. } => self.leave(pod),
            Action::Event { reason, message, .. } => self.told.push(format!("{reason}: {message}")),
            other => {
                let outcome = Outcome { batches: vec![vec![other]], ..Outcome::idle() };
                self.bench.apply(&outcome);
                self.notified = true;
            }
        }
        self.wake = self.wake.min(now + SimDuration::from_secs(1));
    }

    fn launch(&mut self, launch: Launch) {
        let now = self.bench.now;
        for (group, zone) in launch.options.clone() {
            if self.sold_out.contains(&group) {
                self.karpenter.is_short_of(group, &zone, now);
                continue;
            }
            let is_it = |o: &Offering| o.group == group && o.zone == zone;
            let at = self.offerings.iter().position(is_it).expect("it was offered");
            let machine = self.offerings[at].machine().clone();
            self.note(format!("{} is {machine}", launch.name));
            self.hear(launch.claim, &News::Launched(group, zone));
            self.booting.push((now + SimDuration::from_secs(30), launch, at));
            return;
        }
        self.hear(launch.claim, &News::Refused);
        self.hear(launch.claim, &News::Gone);
    }

    /// Tells Karpenter news of a machine.
    pub fn hear(&mut self, claim: u64, news: &News) {
        for action in self.karpenter.hear(claim, news, &self.bench.store, self.bench.now) {
            if let Action::Event { reason, message, .. } = action {
                self.told.push(format!("{reason}: {message}"));
            }
        }
        self.notified = true;
    }

    fn machines_register(&mut self) {
        let now = self.bench.now;
        let broken = self.broken.clone();
        let (up, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.booting)
            .into_iter()
            .partition(|(at, _, o)| *at <= now && !broken.contains(&self.offerings[*o].group));
        self.booting = rest;
        for (_, launch, at) in up {
            let offering = &self.offerings[at];
            let own = offering.node.labels.iter().map(|(k, v)| (k.clone(), v.clone()));
            let zone = (ZONE_LABEL.into(), offering.zone.clone());
            let labels = Labels::new(own.chain(launch.labels).chain([zone]).collect());
            let node = Node {
                name: launch.name.clone(),
                labels: labels.with(HOSTNAME_LABEL, launch.name),
                taints: launch.taints,
                created: now,
                ..(*offering.node).clone()
            };
            let id = self.bench.store.create_node(node);
            self.nodes.insert(launch.claim, id);
            self.hear(launch.claim, &News::Registered(id));
        }
    }

    /// A pod begins to go.
    pub fn leave(&mut self, pod: PodId) {
        let now = self.bench.now;
        let Some(node) = self.bench.store.pod(pod).and_then(|pod| pod.node) else {
            self.bench.store.remove_pod(pod);
            return;
        };
        if self.bench.store.mark_pod_deleted(pod, now) {
            self.karpenter.pod_event(node, now);
            self.leaving.push((now + SimDuration::from_secs(5), pod));
        }
    }

    fn replace_and_schedule(&mut self) {
        let now = self.bench.now;
        let sets: Vec<OwnerId> = self.bench.store.replica_sets().map(|(id, _)| id).collect();
        for set in sets {
            let outcome = replicaset::sync(set, &self.bench.store, now);
            for action in outcome.batches.into_iter().flatten() {
                match action {
                    Action::DeletePod { pod, .. } => self.leave(pod),
                    other => {
                        let outcome = Outcome { batches: vec![vec![other]], ..Outcome::idle() };
                        self.bench.apply(&outcome);
                    }
                }
            }
        }
        let waiting = self.bench.store.pods().filter(|(_, p)| p.waits_for_node());
        let waiting: Vec<PodId> = waiting.map(|(id, _)| id).collect();
        waiting.into_iter().for_each(|pod| self.schedule(pod));
    }

    /// The scheduler's own filters decide, in the cluster as it is.
    fn schedule(&mut self, pod: PodId) {
        let (store, now) = (&self.bench.store, self.bench.now);
        let info = PodInfo::new(pod, store.pod(pod).unwrap());
        let shown = |(id, node): (NodeId, &Node)| {
            let pods = store.pods_on(id).iter().filter_map(|p| Some((*p, store.pod(*p)?)));
            let pods = pods.map(|(id, pod)| PodInfo::new(id, pod));
            (id, NodeInfo::with_pods(Arc::new(node.clone()), pods))
        };
        let (ids, infos): (Vec<NodeId>, Vec<NodeInfo>) = store.nodes().map(shown).unzip();
        let order: Vec<NodeIndex> = (0..infos.len() as u32).map(NodeIndex).collect();
        let objects = Objects::default();
        let what_if = Arc::clone(&self.karpenter.what_if);
        let question = what_if.ask(&info, &infos, &order, &objects);
        let place = question.ok().and_then(|q| (0..ids.len()).find(|i| q.fits_on(*i).is_ok()));
        match place {
            Some(at) => {
                self.bench.store.bind_pod(pod, ids[at], now);
                self.bench.run(pod);
                self.karpenter.pod_event(ids[at], now);
                self.notified = true;
            }
            None => {
                if !self.bench.store.pod(pod).unwrap().unschedulable {
                    self.bench.store.update_pod(pod, |p| {
                        p.unschedulable = true;
                        true
                    });
                    let due = self.karpenter.pod_waits(pod, now);
                    self.wake = self.wake.min(due);
                }
            }
        }
    }

    /// Machine types of the nodes that are there, sorted.
    pub fn machines(&self) -> Vec<String> {
        let of = |(_, node): (NodeId, &Node)| {
            node.labels.get(INSTANCE_TYPE_LABEL).map_or(String::new(), |name| name.to_string())
        };
        let mut found: Vec<String> = self.bench.store.nodes().map(of).collect();
        found.sort();
        found
    }

    /// Pods without a node.
    pub fn waiting(&self) -> usize {
        self.bench.store.pods().filter(|(_, pod)| pod.waits_for_node()).count()
    }
}
