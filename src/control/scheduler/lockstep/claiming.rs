//! Histories in which pods claim devices: claims that are made late, shared by several pods, lost
//! when a binding fails, and devices that take time to be made ready or never are. Beside the two
//! paths' agreement they hold what everybody counts on: nobody has what another one has, and no
//! pod is bound before its claims have devices that are ready.

use super::testing::{device_object, zone_node};
use super::*;
use crate::api::devices::{
    Allocation, ClaimSource, Consumer, DeviceCondition, DeviceConditions, DeviceId, DeviceObject,
    PodResourceClaim, ResourceClaim,
};
use devices::ClaimReservation;
use std::collections::{BTreeMap, BTreeSet};

const DRIVER: &str = "gpu.example.com";
const SHARED: u64 = 3;

/// Two schedulers, and the claims as the API server has them.
struct Claiming {
    pair: Pair,
    claims: BTreeMap<Text, ResourceClaim>,
    /// What was made for a pod, by the pod's name for it; not all of it has been told.
    made: BTreeMap<PodId, BTreeMap<Text, Option<Text>>>,
    untold: Vec<PodId>,
    /// Claims whose devices were ready at some time.
    once_ready: BTreeSet<Text>,
    number: u64,
    bound: usize,
    gated: usize,
    freed: usize,
    given_back: usize,
    failed_writes: usize,
    waited: usize,
}

impl Claiming {
    fn new(stream: &mut Stream) -> Claiming {
        let mut claiming = Claiming {
            pair: Pair::of(&SchedulerConfiguration::default()),
            claims: BTreeMap::new(),
            made: BTreeMap::new(),
            untold: Vec::new(),
            once_ready: BTreeSet::new(),
            number: 0,
            bound: 0,
            gated: 0,
            freed: 0,
            given_back: 0,
            failed_writes: 0,
            waited: 0,
        };
        claiming.pair.most_nodes = 4 + stream.below(8);
        for (name, resource) in [("gpu", Some("example.com/gpu")), ("any", None)] {
            let spec = json!({"extendedResourceName": resource});
            claiming.tell("DeviceClass", json!({"metadata": {"name": name}, "spec": spec}));
        }
        for number in 0..SHARED {
            let claim = new_claim(stream, &format!("shared{number}"));
            claiming.put(claim);
        }
        claiming
    }

    fn tell(&mut self, kind: &str, given: Value) {
        let object = device_object(kind, given);
        self.pair.each(|s, w| s.set_device(object.clone(), w.now));
    }

    fn put(&mut self, claim: ResourceClaim) {
        if claim.allocation.is_none() {
            self.once_ready.remove(&claim.uid);
        }
        self.claims.insert(claim.name.name.clone(), claim.clone());
        let claim = Arc::new(claim);
        self.pair.each(|s, w| s.set_device(DeviceObject::Claim(Arc::clone(&claim)), w.now));
    }

    fn delete(&mut self, name: &Text) {
        if let Some(gone) = self.claims.remove(name) {
            let gone = DeviceObject::Claim(Arc::new(gone));
            self.pair.each(|s, w| s.remove_device(&gone, w.now));
        }
    }

    fn step(&mut self, stream: &mut Stream) {
        self.pair.now += SimDuration::from_millis(stream.below(9_000));
        match stream.below(14) {
            0 | 1 if (self.pair.nodes.len() as u64) < self.pair.most_nodes => self.add_node(stream),
            2 => self.tell_devices_of_a_node(stream),
            3 if stream.below(6) == 0 => self.pair.remove_node(stream),
            4 => self.make_ready(stream),
            5 => self.make_ready(stream),
            6 | 7 => self.tell_made(stream),
            8 | 9 => {
                for _ in 0..stream.below(5) {
                    if let Some(id) = pick(self.pair.pods.keys(), stream) {
                        self.end_pod(id);
                    }
                }
            }
            10 if stream.below(4) == 0 => self.replace_shared(stream),
            _ => {
                let waiting = self.pair.pods.values().filter(|p| p.node.is_none()).count() as u64;
                for _ in 0..stream.below(6).min(25u64.saturating_sub(waiting)) {
                    self.add_pod(stream);
                }
            }
        }
        self.run();
        self.check();
    }

    fn add_node(&mut self, stream: &mut Stream) {
        self.number += 1;
        let name = format!("n{}", self.number);
        let id = self.pair.nodes.insert(zone_node(&name, ["a", "b"][stream.below(2) as usize]));
        self.pair.each(|s, w| s.add_node(id, Arc::new(w.nodes[id].clone()), w.now));
        self.tell_slice(&name, stream);
    }

    fn tell_devices_of_a_node(&mut self, stream: &mut Stream) {
        if let Some(id) = pick(self.pair.nodes.keys(), stream) {
            let name = self.pair.nodes[id].name.to_string();
            self.tell_slice(&name, stream);
        }
    }

    /// What devices a node has. Those that were told before stay, taints and all else may change.
    fn tell_slice(&mut self, node: &str, stream: &mut Stream) {
        let devices: Vec<Value> = (0..2 + stream.below(2))
            .map(|number| {
                let mut device = json!({"name": format!("d{number}"),
                    "attributes": {"model": {"string": (["x", "y"][number as usize % 2])}}});
                if number == 1 {
                    device["allowMultipleAllocations"] = json!(true);
                    device["capacity"] = json!({"memory": {"value": "8Gi"}});
                }
                if number == 2 {
                    device["bindingConditions"] = json!(["Ready"]);
                    device["bindingFailureConditions"] = json!(["Broken"]);
                }
                if stream.below(10) == 0 {
                    device["taints"] = json!([{"key": "sick", "effect": "NoSchedule"}]);
                }
                device
            })
            .collect();
        let pool = json!({"name": node, "generation": 1, "resourceSliceCount": 1});
        let spec = json!({"driver": DRIVER, "nodeName": node, "pool": pool, "devices": devices});
        self.tell("ResourceSlice", json!({"metadata": {"name": node}, "spec": spec}));
    }

    fn add_pod(&mut self, stream: &mut Stream) {
        self.number += 1;
        let mut spec = testing::spec([100, 500, 1500][stream.below(3) as usize], 64);
        spec.priority = [0, 0, 0, 5][stream.below(4) as usize];
        if stream.below(6) == 0 {
            let asked = json!({"example.com/gpu": "1"});
            let given = json!({"containers": [{"name": "c",
                "resources": {"requests": asked, "limits": asked}}]});
            let given = serde_json::from_value(given).unwrap();
            spec.containers = convert::pod::pod_spec(&given, "spec", &mut Vec::new()).containers;
        }
        for number in 0..stream.below(3) {
            let source = match stream.below(3) {
                0 => ClaimSource::Claim(format!("shared{}", stream.below(SHARED)).into()),
                _ => ClaimSource::Template("t".into()),
            };
            // Nobody names a claim twice, as in drawn cases.
            if spec
                .resource_claims
                .iter()
                .all(|known| known.source != source || matches!(source, ClaimSource::Template(_)))
            {
                let name = format!("c{number}").into();
                spec.resource_claims.push(PodResourceClaim { name, source });
            }
        }
        let id = self.pair.pods.insert(pod(&format!("p{}", self.number), spec));
        self.pair.each(|s, w| s.add_pod(id, &w.pods[id], w.now));
        self.untold.push(id);
        if stream.below(3) > 0 {
            self.tell_made(stream);
        }
    }

    /// The resourceclaim controller has made the claims of a pod.
    fn tell_made(&mut self, stream: &mut Stream) {
        for id in std::mem::take(&mut self.untold) {
            let Some(pod) = self.pair.pods.get(id) else { continue };
            let wanted = pod.spec.resource_claims.clone();
            let is_template = |c: &&PodResourceClaim| matches!(c.source, ClaimSource::Template(_));
            let (own, mut made) = (pod.name(), BTreeMap::new());
            for wanted in wanted.iter().filter(is_template) {
                let name: Text = format!("{own}-{}", wanted.name).into();
                made.insert(wanted.name.clone(), Some(name.clone()));
                let mut claim = new_claim(stream, &name);
                claim.owner = Some(Consumer::Pod(id));
                self.put(claim);
            }
            self.pair.each(|s, w| s.set_made_claims(id, made.clone(), w.now));
            self.made.insert(id, made);
        }
    }

    /// A claim that nobody uses goes, and comes again.
    fn replace_shared(&mut self, stream: &mut Stream) {
        let name: Text = format!("shared{}", stream.below(SHARED)).into();
        match self.claims.get(&name) {
            Some(claim) if claim.reserved_for.is_empty() && !self.is_being_written() => {
                self.delete(&name);
            }
            None => self.put(new_claim(stream, &name)),
            _ => {}
        }
    }

    fn is_being_written(&self) -> bool {
        let devices = self.pair.plain.core().objects.devices.as_deref();
        let mut uids = self.claims.values().map(|claim| &claim.uid);
        uids.any(|uid| devices.is_some_and(|devices| devices.in_flight(uid).is_some()))
    }

    /// Drivers make devices ready, or can't.
    fn make_ready(&mut self, stream: &mut Stream) {
        for mut claim in self.claims.values().cloned().collect::<Vec<_>>() {
            let Some(allocation) = claim.allocation.clone() else { continue };
            let waits = allocation.devices.iter().find(|d| !d.binding_conditions.is_empty());
            let Some(device) = waits.filter(|_| stream.below(2) == 0) else { continue };
            let kind = if stream.below(4) == 0 { "Broken" } else { "Ready" };
            if kind == "Ready" {
                self.once_ready.insert(claim.uid.clone());
            }
            let (reason, message) = ("R".into(), "m".into());
            let condition = DeviceCondition { kind: kind.into(), is_true: true, reason, message };
            let id = device.id.clone();
            claim.device_conditions = vec![DeviceConditions { id, conditions: vec![condition] }];
            self.put(claim);
        }
    }

    /// A pod is gone, and the controller takes its claims back.
    fn end_pod(&mut self, id: PodId) {
        self.pair.remove_pod(id);
        for (name, mut claim) in self.claims.clone() {
            if claim.owner == Some(Consumer::Pod(id)) {
                self.delete(&name);
            } else if claim.is_reserved_for(id) {
                claim.reserved_for.retain(|user| *user != Consumer::Pod(id));
                if claim.reserved_for.is_empty() {
                    claim.allocation = None;
                    claim.device_conditions.clear();
                }
                self.put(claim);
            }
        }
    }

    fn run(&mut self) {
        for _ in 0..60 {
            self.carry_on();
            let Some(decision) = self.pair.decide() else { break };
            self.carry_out(decision);
        }
        self.carry_on();
    }

    fn carry_out(&mut self, decision: Decision) {
        match decision {
            Decision::Scheduled { pod, node, is_held, .. } => {
                self.assert_is_made(pod);
                self.pair.seen.placed += 1;
                if is_held {
                    self.waited += 1;
                } else {
                    self.bind(pod, node);
                }
            }
            Decision::Unschedulable { pod, victims, .. } => {
                self.pair.seen.failed += 1;
                for victim in victims {
                    self.end_pod(victim);
                }
                self.pair.each(|s, w| s.preemption_finished(pod, w.now));
            }
        }
    }

    /// A pod is not so much as tried before its claims are there.
    fn assert_is_made(&self, id: PodId) {
        let named = &self.pair.pods[id].spec.resource_claims;
        let is_there = |wanted: &PodResourceClaim| match &wanted.source {
            ClaimSource::Claim(name) => self.claims.contains_key(name),
            ClaimSource::Template(_) => {
                self.made.get(&id).is_some_and(|made| made.contains_key(&wanted.name))
            }
        };
        assert!(named.iter().all(is_there), "{} has no claims yet", self.pair.pods[id].name());
    }

    fn bind(&mut self, id: PodId, node: NodeId) {
        if let Some(there) = self.pair.pods.get(id) {
            let named = there.spec.resource_claims.len();
            let own = self.claims.values().filter(|claim| claim.is_reserved_for(id));
            let own: Vec<&ResourceClaim> = own.collect();
            assert!(own.len() >= named, "it has {} of {named} claims", own.len());
            for claim in own {
                let allocation = claim.allocation.as_ref().unwrap();
                // They were ready when it looked, which is some time ago.
                let waits = allocation.devices.iter().any(|d| !d.binding_conditions.is_empty());
                assert!(!waits || self.once_ready.contains(&claim.uid), "{claim:?}");
            }
            self.bound += 1;
        }
        self.pair.seen.placed += 1;
        self.pair.bind(id, node);
    }

    /// Does what binding cycles ask for.
    fn carry_on(&mut self) {
        loop {
            let now = self.pair.now;
            let next = (self.pair.fast.next_step(now), self.pair.plain.next_step(now));
            assert_eq!(next.0, next.1, "at {now:?}");
            match next.0 {
                None => break,
                Some(BindingStep::Nominate { cycle, .. }) => {
                    self.pair.each(|s, w| s.nomination_written(cycle, w.now));
                }
                Some(BindingStep::Write { cycle, plugin, reservation }) => {
                    let pod = self.pair.plain.pod_of_binding(cycle);
                    let written = reservation.claims.into_iter().map(|one| self.write(pod, one));
                    let answer: Result<(), String> = written.collect();
                    self.failed_writes += usize::from(answer.is_err());
                    self.pair.each(|s, w| s.pre_bind_written(cycle, plugin, answer.clone(), w.now));
                }
                Some(BindingStep::Bind { pod, node }) => self.bind(pod, node),
                Some(BindingStep::Free { claim }) => {
                    self.freed += 1;
                    let known = self.claims[&claim.name].clone();
                    match known.is_for_extended_resources {
                        true => self.delete(&claim.name),
                        false => self.put(ResourceClaim {
                            allocation: None,
                            reserved_for: Vec::new(),
                            device_conditions: Vec::new(),
                            ..known
                        }),
                    }
                }
                Some(BindingStep::Unreserve { pod, claims }) => {
                    self.given_back += 1;
                    for name in claims {
                        let Some(mut claim) = self.claims.get(&name.name).cloned() else {
                            continue;
                        };
                        if claim.is_for_extended_resources {
                            self.delete(&name.name);
                            continue;
                        }
                        claim.reserved_for.retain(|user| *user != Consumer::Pod(pod));
                        self.put(claim);
                    }
                }
                Some(BindingStep::Failed(decision)) => {
                    self.pair.seen.given_up += 1;
                    self.carry_out(decision);
                }
            }
        }
    }

    /// What the API server makes of a write to a claim.
    fn write(&mut self, pod: Option<PodId>, one: ClaimReservation) -> Result<(), String> {
        let pod = pod.filter(|id| self.pair.pods.contains_key(*id)).ok_or("the pod is gone")?;
        self.number += 1;
        if self.number.is_multiple_of(17) {
            return Err("the API server is busy".to_owned());
        }
        let mut claim = match &one.created {
            Some(created) => {
                let name: Text = format!("extended{}", self.number).into();
                let (uid, owner) = (name.clone(), Some(Consumer::Pod(pod)));
                let name = ObjectName { namespace: "default".into(), name };
                ResourceClaim { name, uid, owner, ..(**created).clone() }
            }
            None => match self.claims.get(&one.claim.name).filter(|known| known.uid == one.uid) {
                Some(known) => known.clone(),
                None => return Err("it is gone".to_owned()),
            },
        };
        match one.allocation {
            Some(_) if claim.allocation.is_some() => return Err("it has devices".to_owned()),
            None if claim.allocation.is_none() => return Err("it has no devices".to_owned()),
            Some(allocation) => {
                let since = Some(self.pair.now);
                claim.allocation = Some(Arc::new(Allocation { since, ..(*allocation).clone() }));
            }
            None => {}
        }
        if !claim.is_reserved_for(pod) {
            claim.reserved_for.push(Consumer::Pod(pod));
        }
        self.put(claim);
        Ok(())
    }

    /// Nobody has what another one has, and shares are no more than the whole.
    fn check(&mut self) {
        let mut whole: BTreeSet<DeviceId> = BTreeSet::new();
        let mut shares: BTreeMap<DeviceId, i64> = BTreeMap::new();
        for claim in self.claims.values() {
            for device in claim.allocation.iter().flat_map(|allocation| &allocation.devices) {
                if device.is_share {
                    let takes = device.consumed.get("memory").map_or(0, |memory| memory.value());
                    *shares.entry(device.id.clone()).or_default() += takes;
                } else if !device.admin_access {
                    assert!(whole.insert(device.id.clone()), "{} is had twice", device.id);
                }
            }
        }
        for (id, takes) in shares {
            assert!(takes <= 8 << 30, "{id} gives {takes}");
        }
        let waits = |id: &&PodId| {
            let is_unbound = self.pair.pods.get(**id).is_some_and(|pod| pod.node.is_none());
            is_unbound && !self.made.contains_key(*id)
        };
        self.gated += self.untold.iter().filter(waits).count();
    }
}

/// A claim that asks for a device, a share of one, or the better one of two.
fn new_claim(stream: &mut Stream, name: &str) -> ResourceClaim {
    let own = |attribute: &str| format!("device.attributes['{DRIVER}'].{attribute}");
    let selected =
        |model: &str| json!([{"cel": {"expression": format!("{} == '{model}'", own("model"))}}]);
    let share = json!({"requests": {"memory": (["1Gi", "3Gi", "6Gi"][stream.below(3) as usize])}});
    let asks = match stream.below(5) {
        0 => {
            json!({"name": "r", "exactly": {"deviceClassName": "any", "selectors": selected("y"), "capacity": share}})
        }
        1 => json!({"name": "r", "firstAvailable": [
            {"name": "two", "deviceClassName": "gpu", "selectors": selected("x"), "count": 2},
            {"name": "one", "deviceClassName": "gpu", "selectors": selected("x")},
        ]}),
        2 => {
            json!({"name": "r", "exactly": {"deviceClassName": "gpu", "selectors": selected("x"), "count": 2}})
        }
        _ => json!({"name": "r", "exactly": {"deviceClassName": "gpu", "selectors": selected("x"),
            "tolerations": [{"key": "sick", "operator": "Exists"}]}}),
    };
    let given = json!({"metadata": {"name": name}, "spec": {"devices": {"requests": [asks]}}});
    let DeviceObject::Claim(claim) = device_object("ResourceClaim", given) else {
        panic!("a claim")
    };
    let uid = format!("{name}-{}", stream.next_u64()).into();
    ResourceClaim { uid, ..(*claim).clone() }
}

#[test]
fn claims_are_decided_alike_and_nobody_has_what_another_one_has() {
    let mut all = [0; 8];
    for seed in seeds() {
        let mut stream = Streams::new(seed).stream("claiming", 0);
        let mut claiming = Claiming::new(&mut stream);
        for _ in 0..100 {
            claiming.step(&mut stream);
        }
        let seen = &claiming.pair.seen;
        let counts = [
            claiming.bound,
            claiming.waited,
            seen.failed,
            seen.given_up,
            claiming.gated,
            claiming.freed,
            claiming.given_back,
            claiming.failed_writes,
        ];
        all.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
    let least = [2_000, 1_000, 5_000, 100, 500, 20, 50, 50];
    assert!(all.iter().zip(least).all(|(found, least)| *found >= least), "too little: {all:?}");
}
