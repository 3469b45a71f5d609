//! Which events may make a pod schedulable that DynamicResources rejected.

use super::DynamicResources;
use crate::api::devices::DeviceObject;
use crate::control::scheduler::devices::pod_claims;
use crate::control::scheduler::event::{Action, ClusterEvent, EventObjects, Resource};
use crate::control::scheduler::framework::{EnqueueExtensions, QueueingHint};
use crate::control::scheduler::objects::Objects;
use crate::control::scheduler::pod_info::PodInfo;

impl EnqueueExtensions for DynamicResources {
    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const ADD_OR_UPDATE: Action = Action::ADD.or(Action::UPDATE);
        const NODE: Action =
            Action::ADD.or(Action::UPDATE_NODE_LABEL).or(Action::UPDATE_NODE_ALLOCATABLE);
        const MADE: Action = Action::UPDATE_POD_GENERATED_RESOURCE_CLAIM;
        const EVENTS: [ClusterEvent; 5] = [
            ClusterEvent::new(Resource::Node, NODE),
            ClusterEvent::new(Resource::ResourceClaim, ADD_OR_UPDATE.or(Action::DELETE)),
            ClusterEvent::new(Resource::TargetPod, MADE),
            ClusterEvent::new(Resource::DeviceClass, ADD_OR_UPDATE),
            ClusterEvent::new(Resource::ResourceSlice, ADD_OR_UPDATE),
        ];
        &EVENTS
    }

    fn queueing_hint(
        &self,
        objects: &Objects,
        pod: &PodInfo,
        event: ClusterEvent,
        change: &EventObjects<'_>,
    ) -> QueueingHint {
        let Some(devices) = objects.devices.as_deref() else { return QueueingHint::Queue };
        let claims = pod_claims::named(devices, pod);
        let helps = match (event.resource, change.device()) {
            (Resource::TargetPod, _) => claims.is_ok(),
            // Deleted: what it had is free.
            (_, (Some(DeviceObject::Claim(old)), None)) => old.allocation.is_some(),
            (_, (old, Some(DeviceObject::Claim(new)))) => {
                let old = match old {
                    Some(DeviceObject::Claim(old)) => Some(old),
                    _ => None,
                };
                let is_its = |claims: &Vec<_>| {
                    claims.iter().any(|c: &std::sync::Arc<_>| {
                        let c: &crate::api::devices::ResourceClaim = c;
                        c.name == new.name && c.uid == new.uid
                    })
                };
                let is_freed =
                    old.is_some_and(|old| old.allocation.is_some()) && new.allocation.is_none();
                // Its status is what counts.
                let has_changed = old.is_none_or(|old| {
                    old.allocation != new.allocation
                        || old.reserved_for != new.reserved_for
                        || old.device_conditions != new.device_conditions
                });
                claims.is_ok_and(|claims| is_freed || is_its(&claims) && has_changed)
            }
            _ => true,
        };
        QueueingHint::when(helps)
    }
}
