//! What the informers tell of devices: classes, slices, claims, and which claims were made for
//! which pod. Pods whose claims are not there are kept out of the active queue.
//!
//! Source: `pkg/scheduler/eventhandlers.go`, `plugins/dynamicresources/dynamicresources.go`
//! (`PreEnqueue`), v1.37. It knows the queue, and no plugin.

use super::Scheduler;
use super::binding::BindingStep;
use super::devices::pod_claims;
use super::event::{Action, ClusterEvent, EventObjects, Resource};
use super::pod_info::PodInfo;
use crate::api::devices::{Consumer, DeviceObject};
use crate::api::{ObjectName, PodId, Text};
use crate::units::SimTime;
use std::collections::{BTreeMap, BTreeSet};

/// Pending pods by the claims that they name.
#[derive(Default)]
pub(super) struct ClaimWatch {
    users: BTreeMap<ObjectName, BTreeSet<PodId>>,
    names: BTreeMap<PodId, Vec<ObjectName>>,
}

impl ClaimWatch {
    fn set(&mut self, pod: PodId, names: Vec<ObjectName>) {
        self.forget(pod);
        for name in &names {
            self.users.entry(name.clone()).or_default().insert(pod);
        }
        self.names.insert(pod, names);
    }

    /// A pod waits no more.
    pub(super) fn forget(&mut self, pod: PodId) {
        for name in self.names.remove(&pod).into_iter().flatten() {
            if let Some(users) = self.users.get_mut(&name) {
                users.remove(&pod);
                if users.is_empty() {
                    self.users.remove(&name);
                }
            }
        }
    }
}

impl Scheduler {
    /// From now on devices and claims on them are told, and claims that are not are missing. Until
    /// then every claim counts as allocated to devices that are reached from everywhere.
    pub fn tell_devices(&mut self) {
        self.core.tell_devices();
    }

    /// A class, slice or claim of devices, or a rule that taints them, has appeared or changed.
    pub fn set_device(&mut self, object: DeviceObject, now: SimTime) {
        self.advance(now);
        self.tell_devices();
        let old = self.core.set_device(object.clone());
        self.heed_claim(&object);
        let is_new = old.is_none() && !matches!(object, DeviceObject::TaintRule(_));
        let action = if is_new { Action::ADD } else { Action::UPDATE };
        let objects = EventObjects::Device { old: old.as_ref(), new: Some(&object) };
        self.move_all(ClusterEvent::new(Resource::of_device(&object), action), &objects, now);
    }

    /// A class, slice or claim of devices, or a rule that taints them, is gone: the one of the kind
    /// and name of `object`.
    pub fn remove_device(&mut self, object: &DeviceObject, now: SimTime) {
        self.advance(now);
        let Some(old) = self.core.remove_device(object) else { return };
        self.heed_claim(&old);
        let is_rule = matches!(old, DeviceObject::TaintRule(_));
        let action = if is_rule { Action::UPDATE } else { Action::DELETE };
        let objects = EventObjects::Device { old: Some(&old), new: None };
        self.move_all(ClusterEvent::new(Resource::of_device(object), action), &objects, now);
    }

    /// Claims have been made for a pod, by the pod's name for each (`resourceClaimStatuses`); a
    /// name without a claim needs none.
    pub fn set_made_claims(
        &mut self,
        pod: PodId,
        made: BTreeMap<Text, Option<Text>>,
        now: SimTime,
    ) {
        self.advance(now);
        self.tell_devices();
        self.core.objects.tell_devices().set_made(pod, made);
        let Some(info) = self.queue.get(pod).map(|queued| queued.info.clone()) else { return };
        self.watch_claims(&info);
        let core = &self.core;
        let action = Action::UPDATE_POD_GENERATED_RESOURCE_CLAIM;
        let event = ClusterEvent::new(Resource::TargetPod, action);
        self.queue.tell_target(&core.profiles, &core.objects, pod, event, now);
    }

    /// A pod that is not bound has appeared or changed.
    pub(super) fn watch_claims(&mut self, info: &PodInfo) {
        if info.spec.resource_claims.is_empty() {
            return;
        }
        let Some(devices) = self.core.objects.devices.as_deref() else { return };
        self.claim_watch.set(info.id, pod_claims::names(devices, info));
        self.queue.set_lacks_claims(info.id, pod_claims::named(devices, info).is_err());
    }

    /// A pod is bound or gone.
    pub(super) fn unwatch_claims(&mut self, pod: PodId) {
        self.claim_watch.forget(pod);
        self.queue.set_lacks_claims(pod, false);
    }

    /// A claim has changed: whoever names it may have all claims now, or lack one.
    fn heed_claim(&mut self, object: &DeviceObject) {
        let DeviceObject::Claim(claim) = object else { return };
        let Some(devices) = self.core.objects.devices.as_deref() else { return };
        for pod in self.claim_watch.users.get(&claim.name).into_iter().flatten() {
            let Some(queued) = self.queue.get(*pod) else { continue };
            let lacks = pod_claims::named(devices, &queued.info).is_err();
            self.queue.set_lacks_claims(*pod, lacks);
        }
    }

    /// A pod does not get its node: its place among the users of claims is given back
    /// (`Unreserve`), and the claim that was made for its extended resources is deleted.
    pub(super) fn give_claims_back(&mut self, info: &PodInfo) {
        let Some(devices) = self.core.objects.devices.as_deref() else { return };
        let mut claims: Vec<ObjectName> = pod_claims::names(devices, info);
        claims.retain(|name| {
            let claim = devices.claim(name);
            claim.is_some_and(|c| c.allocation.is_some() && c.is_reserved_for(info.id))
        });
        let own = devices.extended_claim_of(info.id);
        claims.extend(
            own.filter(|c| c.owner == Some(Consumer::Pod(info.id))).map(|c| c.name.clone()),
        );
        if !claims.is_empty() {
            self.bindings.push(BindingStep::Unreserve { pod: info.id, claims });
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::super::config::SchedulerConfiguration;
    use super::super::decision::Decision;
    use super::super::queue::Place;
    use super::super::testing::{device_object, node, pod, spec};
    use super::*;
    use crate::api::NodeId;
    use crate::api::devices::{
        ClaimSource, DeviceCondition, DeviceConditions, PodResourceClaim, ResourceClaim,
    };
    use crate::api::pod::{Pod, PodSpec};
    use crate::units::SimDuration;
    use serde_json::{Value, json};
    use slotmap::SlotMap;
    use std::sync::Arc;

    /// A scheduler with a node and one device on it, and a pod that wants one by a template.
    struct Lab {
        scheduler: Scheduler,
        pods: SlotMap<PodId, ()>,
        now: SimTime,
    }

    fn claim(name: &str) -> Value {
        let request = json!({"name": "r", "exactly": {"deviceClassName": "any"}});
        json!({"metadata": {"name": name}, "spec": {"devices": {"requests": [request]}}})
    }

    fn owned_by(owner: PodId, name: &str) -> ResourceClaim {
        let DeviceObject::Claim(claim) = device_object("ResourceClaim", claim(name)) else {
            panic!("a claim")
        };
        ResourceClaim { owner: Some(Consumer::Pod(owner)), ..(*claim).clone() }
    }

    impl Lab {
        /// With these fields of the device.
        fn new(device: Value) -> Lab {
            let mut scheduler = Scheduler::new(&SchedulerConfiguration::default()).unwrap();
            let now = SimTime::ZERO;
            let class = json!({"metadata": {"name": "any"}, "spec": {}});
            scheduler.set_device(device_object("DeviceClass", class), now);
            let mut given = json!({"name": "d"});
            for (key, value) in device.as_object().unwrap() {
                given[key] = value.clone();
            }
            let slice = json!({"metadata": {"name": "s"}, "spec": {
                "driver": "x.example.com", "nodeName": "n", "devices": [given],
                "pool": {"name": "n", "generation": 1, "resourceSliceCount": 1},
            }});
            scheduler.set_device(device_object("ResourceSlice", slice), now);
            let mut nodes: SlotMap<NodeId, ()> = SlotMap::with_key();
            scheduler.add_node(nodes.insert(()), Arc::new(node("n")), now);
            Lab { scheduler, pods: SlotMap::with_key(), now }
        }

        fn pod(&mut self, name: &str) -> PodId {
            let source = ClaimSource::Template("t".into());
            let claims = vec![PodResourceClaim { name: "dev".into(), source }];
            let pod: Pod = pod(name, PodSpec { resource_claims: claims, ..spec(100, 64) });
            let id = self.pods.insert(());
            self.scheduler.add_pod(id, &pod, self.now);
            id
        }

        fn make(&mut self, pod: PodId, name: &str) {
            self.set(owned_by(pod, name));
            let made = [("dev".into(), Some(name.into()))].into();
            self.scheduler.set_made_claims(pod, made, self.now);
        }

        fn set(&mut self, claim: ResourceClaim) {
            self.scheduler.set_device(DeviceObject::Claim(Arc::new(claim)), self.now);
        }

        fn claim(&self, name: &str) -> ResourceClaim {
            let devices = self.scheduler.core().objects.devices.as_deref().unwrap();
            (**devices.claim(&ObjectName::new("default", name)).unwrap()).clone()
        }

        /// One cycle: whether the pod finds a node, or why not.
        fn cycle(&mut self) -> Option<Result<PodId, String>> {
            Some(match self.scheduler.schedule_one(self.now)? {
                Decision::Scheduled { pod, is_held, .. } => {
                    assert!(is_held, "there is something to write before it is bound");
                    Ok(pod)
                }
                Decision::Unschedulable { message, .. } => Err(message),
            })
        }

        /// Does what binding cycles want; `bind`: what they want at last.
        fn carry_on(&mut self, pod: PodId) -> Vec<String> {
            let mut told = Vec::new();
            while let Some(step) = self.scheduler.next_step(self.now) {
                match step {
                    BindingStep::Nominate { cycle, .. } => {
                        self.scheduler.nomination_written(cycle, self.now);
                    }
                    BindingStep::Write { cycle, plugin, reservation } => {
                        for one in reservation.claims {
                            told.push(format!("wrote {}", one.claim.name));
                            let mut claim = self.claim(&one.claim.name);
                            let since = Some(self.now);
                            claim.allocation = one.allocation.map(|allocation| {
                                Arc::new(crate::api::devices::Allocation {
                                    since,
                                    ..(*allocation).clone()
                                })
                            });
                            claim.reserved_for.push(Consumer::Pod(pod));
                            self.set(claim);
                        }
                        self.scheduler.pre_bind_written(cycle, plugin, Ok(()), self.now);
                    }
                    BindingStep::Bind { .. } => told.push("bound".to_owned()),
                    BindingStep::Free { claim } => told.push(format!("freed {}", claim.name)),
                    BindingStep::Unreserve { claims, .. } => {
                        told.push(format!("gave back {}", claims[0].name));
                    }
                    BindingStep::Failed(Decision::Unschedulable { message, .. }) => {
                        told.push(message);
                    }
                    BindingStep::Failed(_) => unreachable!("it has failed"),
                }
            }
            told
        }
    }

    #[test]
    fn a_pod_waits_at_the_gate_until_its_claims_are_there() {
        let mut lab = Lab::new(json!({}));
        let first = lab.pod("first");
        assert_eq!(lab.scheduler.place_of(first), Some(Place::Unschedulable));
        assert_eq!(lab.cycle(), None, "its claim has not been made");
        lab.make(first, "first-dev");
        assert_eq!(lab.cycle(), Some(Ok(first)));
        let second = lab.pod("second");
        lab.make(second, "second-dev");
        let none_left = "0/1 nodes are available: 1 cannot allocate all claims. preemption: 0/1 \
                         nodes are available: 1 Preemption is not helpful for scheduling.";
        assert_eq!(lab.cycle(), Some(Err(none_left.to_owned())), "what is on its way counts");
        assert_eq!(lab.carry_on(first), ["wrote first-dev", "bound"]);
        lab.now = SimTime::from_secs(60);
        assert_eq!(lab.cycle(), None);
        let mut free = lab.claim("first-dev");
        (free.allocation, free.reserved_for) = (None, Vec::new());
        lab.set(free);
        assert_eq!(lab.cycle(), Some(Ok(second)), "a device became free");
    }

    #[test]
    fn a_pod_is_bound_when_its_devices_are_ready() {
        let device =
            json!({"bindingConditions": ["Ready"], "bindingFailureConditions": ["Broken"]});
        let rows = [
            ("it is ready", Some("Ready"), vec!["bound"]),
            (
                "it can't be made ready",
                Some("Broken"),
                vec![
                    "running PreBind plugin \"DynamicResources\": device binding failed: \
                     claim=pod-dev, reason=R, message=\"m\"",
                    "gave back pod-dev",
                ],
            ),
            (
                "nobody says anything for ten minutes",
                None,
                vec![
                    "running PreBind plugin \"DynamicResources\": device binding timeout: \
                     context deadline exceeded",
                    "gave back pod-dev",
                ],
            ),
        ];
        for (sentence, condition, expected) in rows {
            let mut lab = Lab::new(device.clone());
            let pod = lab.pod("pod");
            lab.make(pod, "pod-dev");
            assert_eq!(lab.cycle(), Some(Ok(pod)), "{sentence}");
            assert_eq!(lab.carry_on(pod), ["wrote pod-dev"], "{sentence}");
            lab.now = SimTime::from_secs(7);
            let mut claim = lab.claim("pod-dev");
            let id = claim.allocation.as_ref().unwrap().devices[0].id.clone();
            if let Some(kind) = condition {
                let (reason, message) = ("R".into(), "m".into());
                let condition =
                    DeviceCondition { kind: kind.into(), is_true: true, reason, message };
                claim.device_conditions =
                    vec![DeviceConditions { id, conditions: vec![condition] }];
                lab.set(claim);
            }
            assert_eq!(lab.carry_on(pod), Vec::<String>::new(), "{sentence}: it looks later");
            let wait = if condition.is_some() { 10 } else { 600 };
            lab.now = SimTime::ZERO + SimDuration::from_secs(wait);
            let mut told = lab.carry_on(pod);
            told.sort();
            let mut expected = expected;
            expected.sort_unstable();
            assert_eq!(told, expected, "{sentence}");
        }
    }
}
