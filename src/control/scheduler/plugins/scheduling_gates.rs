//! SchedulingGates: a pod with gates stays out of the active queue.
//!
//! Source: `plugins/schedulinggates/scheduling_gates.go`, v1.37.

use crate::control::scheduler::event::{Action, ClusterEvent, EventObjects, Resource};
use crate::control::scheduler::framework::{
    EnqueueExtensions, PreEnqueuePlugin, QueueingHint, Status,
};
use crate::control::scheduler::objects::Objects;
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::scheduler::queue::QueuedPod;

/// Holds pods with `spec.schedulingGates` back.
pub struct SchedulingGates;

impl PreEnqueuePlugin for SchedulingGates {
    fn pre_enqueue(&self, pod: &QueuedPod) -> Status {
        if pod.info.spec.scheduling_gates.is_empty() {
            return Status::SUCCESS;
        }
        Status::unresolvable(&["waiting for scheduling gates"])
    }
}

impl EnqueueExtensions for SchedulingGates {
    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const EVENTS: [ClusterEvent; 1] = [ClusterEvent::new(
            Resource::TargetPod,
            Action::UPDATE_POD_SCHEDULING_GATES_ELIMINATED,
        )];
        &EVENTS
    }

    fn queueing_hint(
        &self,
        _objects: &Objects,
        _pod: &PodInfo,
        _event: ClusterEvent,
        _change: &EventObjects<'_>,
    ) -> QueueingHint {
        QueueingHint::Queue
    }
}
