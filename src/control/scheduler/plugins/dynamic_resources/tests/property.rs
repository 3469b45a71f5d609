//! DynamicResources against its definition, over small random clusters: what claims get on each
//! node, where an allocation can be used, and which events make a pod be tried again.

#![allow(clippy::unwrap_used, reason = "tests")]

use super::drawn;
use super::naive::{Definition, reaches};
use crate::api::PodId;
use crate::api::devices::{
    AllocatedDevice, Allocation, Consumer, DeviceId, DeviceObject, Reach, ResourceClaim,
    ResourceSlice,
};
use crate::api::labels::{Operator, Requirement};
use crate::api::node_affinity::NodeSelectorTerm;
use crate::control::scheduler::event::{Action, ClusterEvent, EventObjects, Resource};
use crate::control::scheduler::framework::{EnqueueExtensions, QueueingHint};
use crate::control::scheduler::plugins::dynamic_resources::search::Claims;
use crate::control::scheduler::plugins::dynamic_resources::*;
use crate::control::scheduler::testing::{Stage, zone_node};
use crate::sim::rng::{Stream, Streams};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

const NODES: [&str; 2] = ["a", "b"];

/// A cluster of two nodes, and a pod that names some of its claims.
struct Cluster {
    stage: Stage,
    /// Everything that was told, by kind and name.
    objects: BTreeMap<(u8, String), DeviceObject>,
    pod: PodInfo,
    /// The claims that it names.
    names: Vec<String>,
}

fn key(object: &DeviceObject) -> (u8, String) {
    match object {
        DeviceObject::Class(class) => (0, class.name.to_string()),
        DeviceObject::Slice(slice) => (1, slice.name.to_string()),
        DeviceObject::Claim(claim) => (2, claim.name.name.to_string()),
        DeviceObject::TaintRule(rule) => (3, rule.name.to_string()),
    }
}

impl Cluster {
    fn new(stream: &mut Stream) -> Cluster {
        let mut stage = Stage::new(NODES.map(|name| zone_node(name, name)));
        stage.objects.tell_devices();
        let names: Vec<String> = (0..1 + stream.below(2)).map(|n| format!("own{n}")).collect();
        let named = names.iter().map(|name| json!({"name": name, "resourceClaimName": name}));
        let spec =
            json!({"containers": [{"name": "c"}], "resourceClaims": named.collect::<Vec<_>>()});
        let pod = stage.pod_of("pod", spec);
        let mut cluster = Cluster { stage, objects: BTreeMap::new(), pod, names };
        for class in drawn::classes() {
            cluster.set(DeviceObject::Class(class));
        }
        let slices = drawn::slices(stream);
        for slice in &slices {
            cluster.set(DeviceObject::Slice(Arc::clone(slice)));
        }
        if stream.below(4) == 0 {
            cluster.set(DeviceObject::TaintRule(drawn::rule(stream)));
        }
        for name in cluster.names.clone() {
            cluster.set(DeviceObject::Claim(drawn::claim(stream, &name)));
        }
        cluster.take_some(stream, &slices);
        cluster
    }

    /// Some devices are taken: by claims of others, or by one that the pod names.
    fn take_some(&mut self, stream: &mut Stream, slices: &[Arc<ResourceSlice>]) {
        for slice in slices {
            for device in &slice.devices {
                let chance = stream.below(12);
                if chance > 3 {
                    continue;
                }
                let own = self.names.iter().position(|_| stream.below(8) == 0);
                let name = match own.map(|at| &self.names[at]) {
                    Some(own) if self.claim(own).allocation.is_none() => own.clone(),
                    _ => format!("other-{}", device.name),
                };
                let is_share = device.allows_multiple;
                let consumed = is_share.then(|| ("memory".into(), "5Gi".parse().unwrap()));
                let found = AllocatedDevice {
                    request: "r0".into(),
                    id: DeviceId {
                        driver: slice.driver.clone(),
                        pool: slice.pool.clone(),
                        device: device.name.clone(),
                    },
                    admin_access: chance == 0,
                    is_share,
                    consumed: consumed.into_iter().collect(),
                    binding_conditions: Vec::new(),
                    binding_failure_conditions: Vec::new(),
                };
                let mut claim = match self.objects.get(&(2, name.clone())) {
                    Some(DeviceObject::Claim(claim)) => (**claim).clone(),
                    _ => (*drawn::claim(stream, &name)).clone(),
                };
                claim.allocation = Some(Arc::new(Allocation {
                    devices: vec![found],
                    node_selector: (stream.below(3) > 0)
                        .then(|| only_on(NODES[stream.below(2) as usize])),
                    since: None,
                }));
                self.set(DeviceObject::Claim(Arc::new(claim)));
            }
        }
    }

    fn set(&mut self, object: DeviceObject) {
        self.stage.objects.tell_devices().set(object.clone());
        self.objects.insert(key(&object), object);
    }

    fn remove(&mut self, key: &(u8, String)) {
        if let Some(object) = self.objects.remove(key) {
            self.stage.objects.tell_devices().remove(&object);
        }
    }

    fn claim(&self, name: &str) -> Arc<ResourceClaim> {
        match self.objects.get(&(2, name.to_owned())) {
            Some(DeviceObject::Claim(claim)) => Arc::clone(claim),
            _ => panic!("there is no claim {name}"),
        }
    }

    /// What the pod's claims get on a node, as the plugin finds it.
    fn found(&self, node: usize) -> Result<Vec<Allocation>, String> {
        let devices = self.stage.objects.devices.as_deref().unwrap();
        let claims = Claims::of(devices, &self.pod)?.unwrap();
        let found = claims.allocate(devices, &self.pod, &self.stage.nodes[node]);
        let found = found.map_err(|status| status.message())?;
        Ok(found.into_iter().map(|(_, allocation)| allocation).collect())
    }

    /// Likewise, and by definition.
    fn defined(&self, node: usize) -> Result<String, String> {
        let definition = Definition::new(self.objects.values());
        let claims: Vec<_> = self.names.iter().map(|name| self.claim(name)).collect();
        let wanting: Vec<&ResourceClaim> =
            claims.iter().filter(|c| c.allocation.is_none()).map(|c| &**c).collect();
        definition.allocate(&self.stage.nodes[node].node, &wanting)
    }

    fn verdict(&self, node: usize) -> String {
        self.stage.verdict(&DynamicResources::new(&Value::Null).unwrap(), &self.pod, node)
    }
}

fn only_on(node: &str) -> Vec<NodeSelectorTerm> {
    let this = Requirement {
        key: "metadata.name".into(),
        operator: Operator::In,
        values: vec![node.into()],
    };
    vec![NodeSelectorTerm { match_fields: vec![this], ..Default::default() }]
}

fn told(found: &[Allocation]) -> String {
    let devices = found.iter().flat_map(|allocation| &allocation.devices);
    let told = devices.map(|d| format!("{}={}/{}", d.request, d.id.pool, d.id.device));
    told.collect::<Vec<_>>().join(" ")
}

/// How many clusters are cluster.
fn seeds() -> std::ops::Range<u64> {
    let given = std::env::var("STORMGLASS_DEVICE_SEEDS");
    0..given.ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(1_000)
}

#[test]
fn claims_get_the_devices_that_the_definition_gives_them() {
    let (mut placed, mut several, mut refused, mut elsewhere) = (0, 0, 0, 0);
    for seed in seeds() {
        let cluster = Cluster::new(&mut Streams::new(seed).stream("devices", 0));
        for (node, name) in NODES.iter().enumerate() {
            let (found, defined) = (cluster.found(node), cluster.defined(node));
            let found = found.map(|found| told(&found));
            assert_eq!(found, defined, "seed {seed}, node {name}: {:#?}", cluster.objects);
            let here = &cluster.stage.nodes[node];
            let usable = |name: &String| {
                let claim = cluster.claim(name);
                let terms = claim.allocation.as_ref().and_then(|a| a.node_selector.clone());
                terms.is_none_or(|terms| {
                    terms.iter().any(|term| term.matches(here.name(), &here.node.labels))
                })
            };
            let expected = match &defined {
                Err(why) => why.clone(),
                Ok(_) if !cluster.names.iter().all(usable) => NOT_AVAILABLE.to_owned(),
                Ok(_) => String::new(),
            };
            assert_eq!(cluster.verdict(node), expected, "seed {seed}, node {name}");
            match &defined {
                Ok(list) if expected.is_empty() => {
                    placed += 1;
                    several += usize::from(list.contains(' '));
                }
                Ok(_) => elsewhere += 1,
                Err(_) => refused += 1,
            }
        }
    }
    assert!(
        placed > 300 && several > 100 && refused > 300 && elsewhere > 10,
        "too little to tell: {placed} {several} {refused} {elsewhere}"
    );
}

#[test]
fn an_allocation_can_be_used_exactly_where_its_devices_are_reached() {
    let (mut everywhere, mut here) = (0, 0);
    for seed in seeds() {
        let cluster = Cluster::new(&mut Streams::new(seed).stream("devices", 1));
        for (node, name) in NODES.iter().enumerate() {
            for allocation in cluster.found(node).unwrap_or_default() {
                let other = &cluster.stage.nodes[1 - node].node;
                let is_reached = |device: &AllocatedDevice| {
                    cluster.objects.values().any(|object| {
                        let DeviceObject::Slice(slice) = object else { return false };
                        let its =
                            (&slice.driver, &slice.pool) == (&device.id.driver, &device.id.pool);
                        let found = slice.devices.iter().find(|d| d.name == device.id.device);
                        found.filter(|_| its).is_some_and(|found| match slice.reach {
                            Reach::PerDevice => reaches(&found.reach, other),
                            _ => reaches(&slice.reach, other),
                        })
                    })
                };
                let all = allocation.devices.iter().all(is_reached);
                let usable = allocation.node_selector.as_ref().is_none_or(|terms| {
                    terms.iter().any(|term| term.matches(&other.name, &other.labels))
                });
                assert_eq!(usable, all, "seed {seed}, node {name}: {allocation:?}");
                if all {
                    everywhere += 1;
                } else {
                    here += 1;
                }
            }
        }
    }
    assert!(everywhere > 50 && here > 200, "too little to tell: {everywhere} {here}");
}

/// A change of what is told: before, and after.
type Change = (Option<DeviceObject>, Option<DeviceObject>);

fn change(cluster: &mut Cluster, stream: &mut Stream) -> Change {
    let claims: Vec<String> =
        cluster.objects.keys().filter(|key| key.0 == 2).map(|key| key.1.clone()).collect();
    let name = &claims[stream.below(claims.len() as u64) as usize];
    let is_own = cluster.names.contains(name);
    let new = match stream.below(8) {
        0 | 1 => {
            let mut free = (*cluster.claim(name)).clone();
            free.allocation = None;
            DeviceObject::Claim(Arc::new(free))
        }
        2 if !is_own => {
            let old = Some(DeviceObject::Claim(cluster.claim(name)));
            cluster.remove(&(2, name.clone()));
            return (old, None);
        }
        3 => DeviceObject::Class(drawn::class("gpu", json!([]))),
        4 => {
            let mut used = (*cluster.claim(name)).clone();
            used.reserved_for.push(Consumer::Pod(PodId::default()));
            DeviceObject::Claim(Arc::new(used))
        }
        _ => {
            let slices = drawn::slices(stream);
            DeviceObject::Slice(Arc::clone(&slices[stream.below(slices.len() as u64) as usize]))
        }
    };
    let old = cluster.objects.get(&key(&new)).cloned();
    cluster.set(new.clone());
    (old, Some(new))
}

#[test]
fn no_event_that_helps_a_pod_goes_by_unheeded() {
    let (mut helped, mut unheeded) = (0, 0);
    for seed in seeds() {
        let mut stream = Streams::new(seed).stream("devices", 2);
        let mut cluster = Cluster::new(&mut stream);
        let fits =
            |cluster: &Cluster| (0..NODES.len()).any(|node| cluster.verdict(node).is_empty());
        for _ in 0..6 {
            let before = fits(&cluster);
            let (old, new) = change(&mut cluster, &mut stream);
            let action = match (&old, &new) {
                (None, _) => Action::ADD,
                (_, None) => Action::DELETE,
                _ => Action::UPDATE,
            };
            let event = ClusterEvent::new(
                Resource::of_device(old.as_ref().or(new.as_ref()).unwrap()),
                action,
            );
            let plugin = DynamicResources::new(&Value::Null).unwrap();
            let change = EventObjects::Device { old: old.as_ref(), new: new.as_ref() };
            let hint = plugin.queueing_hint(&cluster.stage.objects, &cluster.pod, event, &change);
            let is_heard = plugin.events_to_register().iter().any(|e| e.matches(event))
                && hint == QueueingHint::Queue;
            if !before && fits(&cluster) {
                assert!(is_heard, "seed {seed}: {event:?} from {old:?} to {new:?}");
                helped += 1;
            }
            unheeded += usize::from(!is_heard);
        }
    }
    assert!(helped > 100 && unheeded > 100, "too little to tell: {helped} {unheeded}");
}
