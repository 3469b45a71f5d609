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

    /// A pod does not get its node: its place among the users of claims is given back (`Unreserve`),
    /// and the claim that was made for its extended resources is deleted.
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
