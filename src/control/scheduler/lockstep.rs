//! The fast path against the reference, decision for decision, over random histories: nodes,
//! pods, services, ReplicaSets, namespaces, volumes and claims that come, change and go, with every
//! feature that a plugin heeds; in `contention.rs`, those in which pods have to make room for each
//! other. `STORMGLASS_LOCKSTEP_SEEDS=1000 cargo test --release lockstep` draws more of them.

mod claiming;
mod contention;

use super::binding::BindingStep;
use super::storage::Reservation;
use super::testing::{node, pod, storage_object};
use super::*;
use crate::api::convert;
use crate::api::node::{HOSTNAME_LABEL, ZONE_LABEL};
use crate::api::pod::PodSpec;
use crate::api::resources::Resources;
use crate::api::taint::{Taint, TaintEffect};
use crate::api::volume::VolumeSource;
use crate::sim::rng::{Stream, Streams};
use crate::units::{Bytes, MilliCpu};
use serde_json::{Value, json};
use slotmap::{Key, SlotMap};
use version::Version;

const APPS: [&str; 4] = ["web", "db", "cache", "batch"];
const NAMESPACES: [&str; 2] = ["default", "other"];

/// Two schedulers that are told the same: one uses again what it found out, one asks every plugin
/// about every node.
struct Pair {
    fast: Scheduler,
    plain: Scheduler,
    nodes: SlotMap<NodeId, Node>,
    pods: SlotMap<PodId, Pod>,
    sets: SlotMap<OwnerId, Text>,
    specs: Vec<Arc<PodSpec>>,
    now: SimTime,
    /// Clusters are small, or so large that not all nodes are looked at.
    most_nodes: u64,
    seen: Seen,
}

/// What the histories contained, so that a test can tell that it tested something.
#[derive(Default, Debug)]
struct Seen {
    placed: usize,
    failed: usize,
    preempted: usize,
    sampled: usize,
    /// Pods with volumes that were placed.
    with_volumes: usize,
    /// Those of them that were held back from being bound.
    held: usize,
    /// Those whose binding was given up.
    given_up: usize,
    /// Searches that took the fast path.
    fast: u64,
    /// How often a kind was found to be that of pods of another namespace too.
    adopted: u64,
    /// How often one was found to be that of pods with other labels too.
    related: u64,
}

impl Pair {
    fn new(stream: &mut Stream, version: Version) -> Pair {
        let configuration = SchedulerConfiguration { version, ..Default::default() };
        let mut pair = Pair::of(&configuration);
        let kinds = 3 + stream.below(8);
        // In some histories nobody names a namespace, so that pods of several are of one kind.
        let names_namespaces = stream.below(3) > 0;
        pair.specs = (0..kinds).map(|_| Arc::new(random_spec(stream, names_namespaces))).collect();
        if stream.below(3) == 0 {
            pair.each(|s, _| s.tell_storage());
        }
        let is_large = stream.below(4) == 0;
        pair.most_nodes = if is_large { 150 } else { 30 };
        let nodes = if is_large { 80 + stream.below(70) } else { stream.below(30) };
        for _ in 0..nodes {
            pair.add_node(stream);
        }
        pair.add_claims();
        pair
    }

    /// Two schedulers of an empty cluster.
    fn of(configuration: &SchedulerConfiguration) -> Pair {
        let scheduler = || {
            let mut scheduler = Scheduler::new(configuration).unwrap();
            let draw =
                |pod: PodId, ties| Streams::new(pod.data().as_ffi()).stream("tie", 0).below(ties);
            scheduler.set_tie_break(Box::new(draw));
            scheduler
        };
        let mut plain = scheduler();
        plain.set_fast(false);
        Pair {
            fast: scheduler(),
            plain,
            nodes: SlotMap::with_key(),
            pods: SlotMap::with_key(),
            sets: SlotMap::with_key(),
            specs: Vec::new(),
            now: SimTime::ZERO,
            most_nodes: 0,
            seen: Seen::default(),
        }
    }

    /// Claims that wait for their pods are there before these, where claims are told at all.
    fn add_claims(&mut self) {
        if self.fast.core().objects.storage.is_none() {
            return;
        }
        let mut objects = Vec::new();
        for class in ["class0", "class1"] {
            let given = json!({"metadata": {"name": class}, "provisioner": "driver",
                "volumeBindingMode": "WaitForFirstConsumer"});
            objects.push(storage_object("StorageClass", given));
        }
        for node in self.nodes.values() {
            let drivers = json!([{"name": "driver", "nodeID": "n", "allocatable": {"count": 9}}]);
            let given = json!({"metadata": {"name": *node.name}, "spec": {"drivers": drivers}});
            objects.push(storage_object("CSINode", given));
        }
        for (number, namespace) in (0..6).flat_map(|n| NAMESPACES.map(|namespace| (n, namespace))) {
            let metadata =
                json!({"name": format!("claim{number}"), "uid": "u", "namespace": namespace});
            let spec = json!({"storageClassName": format!("class{}", number % 2)});
            let given = json!({"metadata": metadata, "spec": spec});
            objects.push(storage_object("PersistentVolumeClaim", given));
        }
        for object in objects {
            self.each(|s, w| s.set_storage(object.clone(), w.now));
        }
    }

    fn step(&mut self, stream: &mut Stream) {
        self.now += SimDuration::from_millis(stream.below(20_000));
        match stream.below(16) {
            0 | 1 if (self.nodes.len() as u64) < self.most_nodes => self.add_node(stream),
            2 | 3 => self.change_node(stream),
            4 if stream.below(4) == 0 => self.remove_node(stream),
            5 => self.change_pod(stream),
            6..8 => {
                for _ in 0..stream.below(12) {
                    if let Some(id) = pick(self.pods.keys(), stream) {
                        self.remove_pod(id);
                    }
                }
            }
            8 => self.change_objects(stream),
            _ => {
                let waiting = self.pods.values().filter(|p| p.node.is_none()).count();
                for _ in 0..stream.below(20).min(30u64.saturating_sub(waiting as u64)) {
                    self.add_pod(stream);
                }
            }
        }
        self.run();
    }

    fn add_node(&mut self, stream: &mut Stream) {
        let name = format!("n{}", stream.next_u64());
        let id = self.nodes.insert(node(&name));
        redraw_node(&mut self.nodes[id], stream);
        self.each(|s, w| s.add_node(id, Arc::new(w.nodes[id].clone()), w.now));
    }

    fn change_node(&mut self, stream: &mut Stream) {
        let Some(id) = pick(self.nodes.keys(), stream) else { return };
        redraw_node(&mut self.nodes[id], stream);
        self.each(|s, w| s.update_node(id, Arc::new(w.nodes[id].clone()), w.now));
    }

    fn remove_node(&mut self, stream: &mut Stream) {
        let Some(id) = pick(self.nodes.keys(), stream) else { return };
        self.nodes.remove(id);
        self.each(|s, w| s.remove_node(id, w.now));
        let on_it: Vec<PodId> =
            self.pods.iter().filter(|(_, p)| p.node == Some(id)).map(|(id, _)| id).collect();
        for (i, pod) in on_it.into_iter().enumerate() {
            // Some of its pods are seen to go only after the next cycles.
            if i % 3 > 0 {
                self.remove_pod(pod);
            }
        }
    }

    fn add_pod(&mut self, stream: &mut Stream) {
        let kind = stream.below(self.specs.len() as u64) as usize;
        let mut new = pod(&format!("p{}", stream.next_u64()), PodSpec::default());
        // Equal specifications need not be one.
        let shared = stream.below(4) > 0;
        let base = new.base_mut();
        base.spec = if shared {
            Arc::clone(&self.specs[kind])
        } else {
            Arc::new((*self.specs[kind]).clone())
        };
        base.namespace = NAMESPACES[stream.below(2) as usize].into();
        base.labels = random_labels(stream);
        base.owner = pick(self.sets.keys(), stream).filter(|_| stream.below(2) == 0);
        let id = self.pods.insert(new);
        self.each(|s, w| s.add_pod(id, &w.pods[id], w.now));
    }

    fn change_pod(&mut self, stream: &mut Stream) {
        let Some(id) = pick(self.pods.keys(), stream) else { return };
        match stream.below(2) {
            0 => self.pods[id].base_mut().labels = random_labels(stream),
            _ => self.pods[id].deletion = self.now.into(),
        }
        self.each(|s, w| s.update_pod(id, &w.pods[id], w.now));
    }

    fn remove_pod(&mut self, id: PodId) {
        self.pods.remove(id);
        self.each(|s, w| s.remove_pod(id, w.now));
    }

    fn change_objects(&mut self, stream: &mut Stream) {
        let app = APPS[stream.below(4) as usize];
        let selector = || Selector::from_labels(&Labels::from([("app", app)]));
        let namespace = NAMESPACES[stream.below(2) as usize];
        match stream.below(7) {
            4.. => self.change_storage(stream),
            0 => {
                let is_there = stream.below(3) > 0;
                let name = ObjectName::new(namespace, app);
                self.each(|s, _| s.set_service(name.clone(), is_there.then(selector)));
            }
            1 => {
                let id = self.sets.insert(app.into());
                self.each(|s, _| s.set_replica_set(id, Some(selector())));
            }
            2 => {
                if let Some(id) = pick(self.sets.keys(), stream).filter(|_| stream.below(3) == 0) {
                    self.sets.remove(id);
                    self.each(|s, _| s.set_replica_set(id, None));
                }
            }
            _ => {
                let labels = Labels::from([("team", ["x", "y"][stream.below(2) as usize])]);
                self.each(|s, _| s.set_namespace(namespace.into(), labels.clone()));
            }
        }
    }

    /// A storage object comes, changes or goes, where they are told at all.
    fn change_storage(&mut self, stream: &mut Stream) {
        if self.fast.core().objects.storage.is_none() {
            return;
        }
        let node = self.nodes.values().nth(stream.below(self.nodes.len().max(1) as u64) as usize);
        let node = node.map_or("n".into(), |node| node.name.clone());
        let (kind, given) = random_storage(&node, stream);
        let object = storage_object(kind, given);
        match stream.below(5) {
            0 => self.each(|s, w| s.remove_storage(&object, w.now)),
            _ => self.each(|s, w| s.set_storage(object.clone(), w.now)),
        }
    }

    fn each(&mut self, f: impl Fn(&mut Scheduler, &World<'_>)) {
        let world = World { nodes: &self.nodes, pods: &self.pods, now: self.now };
        f(&mut self.fast, &world);
        f(&mut self.plain, &world);
    }

    fn run(&mut self) {
        loop {
            self.carry_on();
            let Some(decision) = self.decide() else { break };
            self.carry_out(decision);
        }
    }

    /// The next decision, which is one and the same.
    fn decide(&mut self) -> Option<Decision> {
        let (fast, plain) = (self.fast.schedule_one(self.now), self.plain.schedule_one(self.now));
        assert_eq!(fast, plain, "at {:?}", self.now);
        let nodes = self.nodes.len().max(1);
        let starts = (self.fast.core().next_start(), self.plain.core().next_start());
        assert_eq!(starts.0 % nodes, starts.1 % nodes, "at {:?}", self.now);
        fast
    }

    fn bind(&mut self, pod: PodId, node: NodeId) {
        let is_there = self.pods.contains_key(pod);
        if !is_there || self.seen.placed.is_multiple_of(29) {
            return self.each(|s, w| s.binding_finished(pod, false, w.now));
        }
        self.pods[pod].node = Some(node);
        self.each(|s, w| {
            s.binding_finished(pod, true, w.now);
            s.update_pod(pod, &w.pods[pod], w.now);
        });
    }

    /// Does what binding cycles ask for. Of what is written for claims, some takes effect.
    fn carry_on(&mut self) {
        loop {
            let (fast, plain) = (self.fast.next_step(self.now), self.plain.next_step(self.now));
            assert_eq!(fast, plain, "at {:?}", self.now);
            match fast {
                None => break,
                Some(BindingStep::Nominate { cycle, .. }) => {
                    self.each(|s, w| s.nomination_written(cycle, w.now));
                }
                Some(BindingStep::Write { cycle, plugin, reservation }) => {
                    let fails = cycle.is_multiple_of(7);
                    let answer = if fails { Err("no".to_owned()) } else { Ok(()) };
                    self.each(|s, w| s.pre_bind_written(cycle, plugin, answer.clone(), w.now));
                    if cycle.is_multiple_of(2) {
                        self.bind_claims(&reservation);
                    }
                }
                Some(BindingStep::Bind { pod, node }) => self.bind(pod, node),
                Some(BindingStep::Free { .. } | BindingStep::Unreserve { .. }) => {
                    unreachable!("no pod here claims devices")
                }
                Some(BindingStep::Failed(decision)) => {
                    self.seen.given_up += 1;
                    self.carry_out(decision);
                }
            }
        }
    }

    /// The controllers of volumes do what was asked of them.
    fn bind_claims(&mut self, reservation: &Reservation) {
        for (claim, node) in &reservation.provisions {
            let storage = self.plain.core().objects.storage.as_ref();
            let Some(found) = storage.and_then(|storage| storage.claim(claim)).cloned() else {
                continue;
            };
            let bound = crate::api::storage::Claim {
                selected_node: Some(node.clone()),
                volume: "volume0".into(),
                is_bind_completed: true,
                ..(*found).clone()
            };
            let bound = StorageObject::Claim(Arc::new(bound));
            self.each(|s, w| s.set_storage(bound.clone(), w.now));
        }
    }

    fn carry_out(&mut self, decision: Decision) {
        match decision {
            Decision::Scheduled { pod, node, evaluated, feasible, is_held } => {
                self.seen.placed += 1;
                self.seen.sampled += usize::from(evaluated < self.nodes.len() && feasible > 1);
                if self.pods[pod].spec.volumes.iter().any(|v| v.source != VolumeSource::Other) {
                    self.seen.with_volumes += 1;
                }
                if is_held {
                    self.seen.held += 1;
                } else {
                    self.bind(pod, node);
                }
            }
            Decision::Unschedulable { pod, victims, nomination, .. } => {
                self.seen.failed += 1;
                // A pod that was held may be gone when its binding fails: nothing to write then.
                if let Nomination::Set(node) = nomination
                    && let Some(there) = self.pods.get_mut(pod)
                {
                    there.nominated = node;
                    self.each(|s, w| s.update_pod(pod, &w.pods[pod], w.now));
                }
                self.seen.preempted += victims.len();
                for victim in victims {
                    self.remove_pod(victim);
                }
                self.each(|s, w| s.preemption_finished(pod, w.now));
            }
        }
    }
}

/// What both schedulers are told of.
struct World<'a> {
    nodes: &'a SlotMap<NodeId, Node>,
    pods: &'a SlotMap<PodId, Pod>,
    now: SimTime,
}

fn pick<K: Copy>(keys: impl Iterator<Item = K>, stream: &mut Stream) -> Option<K> {
    let keys: Vec<K> = keys.collect();
    (!keys.is_empty()).then(|| keys[stream.below(keys.len() as u64) as usize])
}

fn random_labels(stream: &mut Stream) -> Labels {
    let app = APPS[stream.below(4) as usize];
    match stream.below(3) {
        0 => Labels::from([("app", app)]),
        1 => Labels::from([("app", app), ("tier", "gold")]),
        _ => Labels::from([("app", app), ("track", ["a", "b"][stream.below(2) as usize])]),
    }
}

fn redraw_node(node: &mut Node, stream: &mut Stream) {
    let (zone, disk) = (format!("z{}", stream.below(3)), ["ssd", "hdd"][stream.below(2) as usize]);
    let name = node.name.clone();
    node.labels = match stream.below(8) {
        0 => Labels::from([("disk", disk)]),
        1 => Labels::from([(ZONE_LABEL, &*zone), ("disk", disk)]),
        _ => Labels::from([(ZONE_LABEL, &*zone), ("disk", disk), (HOSTNAME_LABEL, &*name)]),
    };
    let taint = |key: &str, effect| Taint {
        key: key.into(),
        value: "".into(),
        effect,
        added: SimTime::ZERO,
    };
    node.taints = match stream.below(10) {
        0 => vec![taint("dedicated", TaintEffect::NoSchedule)],
        1 => vec![taint("slow", TaintEffect::PreferNoSchedule)],
        2 => vec![
            taint("old", TaintEffect::PreferNoSchedule),
            taint("slow", TaintEffect::PreferNoSchedule),
        ],
        _ => Vec::new(),
    };
    let declares = stream.below(3) > 0;
    node.declared_features =
        declares.then(|| "RestartAllContainersOnContainerExits".into()).into_iter().collect();
    node.unschedulable = stream.below(20) == 0;
    let cpu = [2000, 4000, 8000][stream.below(3) as usize];
    node.allocatable = Resources::of(MilliCpu(cpu), Bytes::mebi(16 * 1024)).into();
    if stream.below(4) == 0 {
        let image = crate::api::node::NodeImage {
            names: vec!["registry/web:1".into()],
            size: Bytes::mebi(300),
        };
        node.images = Arc::new([image]);
    }
}

/// A pod specification with some of everything.
fn random_spec(stream: &mut Stream, names_namespaces: bool) -> PodSpec {
    let cpu = [100, 900, 1500, 3000][stream.below(4) as usize];
    let mut container = json!({"name": "c", "image": "registry/web:1",
        "resources": {"requests": {"cpu": format!("{cpu}m"), "memory": "64Mi"}}});
    if stream.below(8) == 0 {
        container["ports"] = json!([{"containerPort": 80, "hostPort": 8080}]);
    }
    if stream.below(12) == 0 {
        container["restartPolicyRules"] = json!([{"action": "RestartAllContainers"}]);
    }
    let mut spec = json!({"containers": [container]});
    if stream.below(4) == 0 {
        spec["priority"] = json!([5, 10][stream.below(2) as usize]);
    }
    if stream.below(5) == 0 {
        spec["nodeSelector"] = json!({"disk": "ssd"});
    }
    if stream.below(4) == 0 {
        spec["tolerations"] = json!([{"key": "dedicated", "operator": "Exists"},
            {"key": "slow", "operator": "Exists", "effect": "PreferNoSchedule"}]);
    }
    if stream.below(3) == 0 {
        spec["topologySpreadConstraints"] =
            (0..1 + stream.below(2)).map(|_| random_constraint(stream)).collect();
    }
    let affinity: serde_json::Map<String, Value> =
        (0..stream.below(3)).map(|_| random_affinity(stream, names_namespaces)).collect();
    if !affinity.is_empty() {
        spec["affinity"] = affinity.into();
    }
    if stream.below(5) == 0 {
        spec["volumes"] = (0..1 + stream.below(2)).map(|i| random_volume(i, stream)).collect();
    }
    let given = serde_json::from_value(spec).unwrap();
    let mut errors = Vec::new();
    let mut spec = convert::pod::pod_spec(&given, "spec", &mut errors);
    assert!(errors.is_empty(), "{errors:?}");
    spec.priority = given.priority.unwrap_or(0);
    spec.scheduler_name = "default-scheduler".into();
    spec
}

/// A volume of a pod: of a claim, a disk of its own, or one that needs nothing of a node.
fn random_volume(number: u64, stream: &mut Stream) -> Value {
    let name = format!("v{number}");
    let disk = format!("disk{}", stream.below(4));
    match stream.below(8) {
        0 => json!({"name": name, "emptyDir": {}}),
        1 => json!({"name": name, "gcePersistentDisk": {"pdName": disk}}),
        2 => json!({"name": name, "rbd": {"monitors": ["m"], "image": disk, "readOnly": true}}),
        3 => json!({"name": name, "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}),
        _ => {
            let claim = format!("claim{}", stream.below(6));
            json!({"name": name, "persistentVolumeClaim": {"claimName": claim}})
        }
    }
}

/// A storage object; `node` is there, or was.
fn random_storage(node: &str, stream: &mut Stream) -> (&'static str, Value) {
    let number = stream.below(6);
    let class = format!("class{}", stream.below(2));
    let size = format!("{}Gi", 1 + stream.below(3));
    let (volume, zone) = (format!("volume{number}"), format!("z{}", stream.below(3)));
    match stream.below(7) {
        0 => {
            let mode = ["Immediate", "WaitForFirstConsumer"][stream.below(2) as usize];
            (
                "StorageClass",
                json!({"metadata": {"name": class}, "provisioner": "driver",
                "volumeBindingMode": mode}),
            )
        }
        1 => {
            let labels = if stream.below(3) == 0 { json!({ZONE_LABEL: zone}) } else { json!({}) };
            let phase = ["Available", "Bound"][stream.below(2) as usize];
            let csi = json!({"driver": "driver", "volumeHandle": volume});
            (
                "PersistentVolume",
                json!({"metadata": {"name": volume, "labels": labels},
                "spec": {"storageClassName": class, "capacity": {"storage": size},
                    "accessModes": ["ReadWriteOnce"], "csi": csi},
                "status": {"phase": phase}}),
            )
        }
        2 | 3 => {
            let mode = ["ReadWriteOnce", "ReadWriteOncePod"][stream.below(2) as usize];
            let mut claim = json!({
                "metadata": {"name": format!("claim{number}"), "uid": "u",
                    "namespace": NAMESPACES[stream.below(2) as usize]},
                "spec": {"storageClassName": class, "accessModes": [mode],
                    "resources": {"requests": {"storage": size}}},
            });
            if stream.below(3) > 0 {
                claim["spec"]["volumeName"] = json!(volume);
                claim["metadata"]["annotations"] =
                    json!({"pv.kubernetes.io/bind-completed": "yes"});
            }
            ("PersistentVolumeClaim", claim)
        }
        4 => {
            let limit = [Some(1), Some(3), None][stream.below(3) as usize];
            let drivers =
                json!([{"name": "driver", "nodeID": "n", "allocatable": {"count": limit}}]);
            ("CSINode", json!({"metadata": {"name": node}, "spec": {"drivers": drivers}}))
        }
        5 => (
            "CSIDriver",
            json!({"metadata": {"name": "driver"},
            "spec": {"storageCapacity": stream.below(2) == 0}}),
        ),
        _ => (
            "CSIStorageCapacity",
            json!({"metadata": {"name": zone}, "storageClassName": class,
            "capacity": size, "nodeTopology": {"matchLabels": {ZONE_LABEL: zone}}}),
        ),
    }
}

fn topology_key(stream: &mut Stream) -> &'static str {
    [ZONE_LABEL, HOSTNAME_LABEL, "disk"][stream.below(3) as usize]
}

fn selector(stream: &mut Stream) -> Value {
    match stream.below(5) {
        0 => json!({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}),
        1 => json!({}),
        _ => json!({"matchLabels": {"app": APPS[stream.below(4) as usize]}}),
    }
}

fn random_constraint(stream: &mut Stream) -> Value {
    let hard = stream.below(2) == 0;
    let mut constraint = json!({
        "maxSkew": 1 + stream.below(3),
        "topologyKey": topology_key(stream),
        "whenUnsatisfiable": if hard { "DoNotSchedule" } else { "ScheduleAnyway" },
        "labelSelector": selector(stream),
        "nodeAffinityPolicy": (["Honor", "Ignore"][stream.below(2) as usize]),
        "nodeTaintsPolicy": (["Honor", "Ignore"][stream.below(2) as usize]),
    });
    if hard && stream.below(3) == 0 {
        constraint["minDomains"] = json!(1 + stream.below(4));
    }
    if stream.below(4) == 0 {
        constraint["matchLabelKeys"] = json!(["track"]);
    }
    constraint
}

fn random_affinity(stream: &mut Stream, names_namespaces: bool) -> (String, Value) {
    let term = |stream: &mut Stream| {
        let mut term =
            json!({"topologyKey": topology_key(stream), "labelSelector": selector(stream)});
        match stream.below(4) {
            0 => term["namespaces"] = json!(["other"]),
            1 => term["namespaceSelector"] = json!({"matchLabels": {"team": "x"}}),
            _ => {}
        }
        if !names_namespaces {
            let labels = [json!({}), json!({"team": "x"})][stream.below(2) as usize].clone();
            term["namespaceSelector"] = json!({"matchLabels": labels});
            term["namespaces"] = json!([]);
        }
        term
    };
    let disk = json!({"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]});
    let required = "requiredDuringSchedulingIgnoredDuringExecution";
    let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
    let weight = 1 + stream.below(100);
    let (kind, rule) = match stream.below(6) {
        0 => ("nodeAffinity", json!({preferred: [{"weight": weight, "preference": disk}]})),
        1 => ("nodeAffinity", json!({required: {"nodeSelectorTerms": [disk]}})),
        2 => ("podAffinity", json!({required: [term(stream)]})),
        3 => ("podAntiAffinity", json!({required: [term(stream)]})),
        4 => (
            "podAffinity",
            json!({preferred: [{"weight": weight, "podAffinityTerm": term(stream)}]}),
        ),
        _ => {
            let wish = json!({"weight": weight, "podAffinityTerm": term(stream)});
            ("podAntiAffinity", json!({preferred: [wish]}))
        }
    };
    (kind.to_owned(), rule)
}

/// One history for each.
fn seeds() -> std::ops::Range<u64> {
    let given = std::env::var("STORMGLASS_LOCKSTEP_SEEDS");
    0..given.ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(60)
}

#[test]
fn the_fast_path_decides_as_the_reference() {
    let mut all = Seen::default();
    for seed in seeds() {
        let mut stream = Streams::new(seed).stream("lockstep", 0);
        // Three histories of four are of the present version.
        let version = if seed % 4 == 0 { seed / 4 % 4 } else { 3 };
        let mut pair = Pair::new(&mut stream, Version::ALL[version as usize]);
        for _ in 0..200 {
            pair.step(&mut stream);
        }
        all.placed += pair.seen.placed;
        all.failed += pair.seen.failed;
        all.preempted += pair.seen.preempted;
        all.sampled += pair.seen.sampled;
        all.with_volumes += pair.seen.with_volumes;
        all.held += pair.seen.held;
        all.given_up += pair.seen.given_up;
        all.fast += pair.fast.core().fast_searches();
        all.adopted += pair.fast.core().namespaces_adopted();
        all.related += pair.fast.core().labels_related();
    }
    let enough = all.placed > 5_000 && all.failed > 5_000 && all.preempted > 100;
    let bindings = all.given_up > 15 && all.held > 15 + all.given_up;
    let volumes = all.with_volumes > 1_000 && bindings;
    let kinds = all.adopted > 100 && all.related > 100;
    assert!(
        enough && volumes && kinds && all.sampled > 300 && all.fast > 10_000,
        "too little to tell: {all:?}"
    );
}
