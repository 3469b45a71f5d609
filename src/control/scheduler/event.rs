//! Events that may make a waiting pod schedulable, and how they are read off two versions of an
//! object. It knows nothing of queues and plugins.
//!
//! Source: `pkg/scheduler/framework/events.go`, `types.go` `MatchClusterEvents`, v1.37.

use super::pod_info::PodInfo;
use crate::api::devices::DeviceObject;
use crate::api::node::Node;
use crate::api::storage::StorageObject;

/// What an event is about (`EventResource`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resource {
    /// A node.
    Node,
    /// A pod that has a node.
    AssignedPod,
    /// Another pod than the one asked about, without a node.
    UnscheduledPod,
    /// The very pod that the plugin is asked about.
    TargetPod,
    /// A PersistentVolume.
    PersistentVolume,
    /// A PersistentVolumeClaim.
    PersistentVolumeClaim,
    /// A StorageClass.
    StorageClass,
    /// A CSINode.
    CsiNode,
    /// A CSIDriver.
    CsiDriver,
    /// A CSIStorageCapacity.
    CsiStorageCapacity,
    /// A VolumeAttachment.
    VolumeAttachment,
    /// A DeviceClass.
    DeviceClass,
    /// A ResourceSlice, with the taints that rules put on its devices.
    ResourceSlice,
    /// A ResourceClaim.
    ResourceClaim,
    /// Everything: leftovers are flushed, or a pod is activated.
    WildCard,
}

impl Resource {
    /// The kind of a storage object.
    pub fn of(object: &StorageObject) -> Resource {
        match object {
            StorageObject::Volume(_) => Resource::PersistentVolume,
            StorageObject::Claim(_) => Resource::PersistentVolumeClaim,
            StorageObject::Class(_) => Resource::StorageClass,
            StorageObject::CsiNode(_) => Resource::CsiNode,
            StorageObject::CsiDriver(_) => Resource::CsiDriver,
            StorageObject::Capacity(_) => Resource::CsiStorageCapacity,
            StorageObject::Attachment(_) => Resource::VolumeAttachment,
        }
    }

    /// What a change of a device object is about.
    pub fn of_device(object: &DeviceObject) -> Resource {
        match object {
            DeviceObject::Class(_) => Resource::DeviceClass,
            DeviceObject::Slice(_) | DeviceObject::TaintRule(_) => Resource::ResourceSlice,
            DeviceObject::Claim(_) => Resource::ResourceClaim,
        }
    }
}

/// What happened: a set of upstream's `ActionType` bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Action(pub u32);

impl Action {
    /// The object appeared.
    pub const ADD: Action = Action(1);
    /// The object vanished.
    pub const DELETE: Action = Action(1 << 1);
    /// A node's allocatable resources changed.
    pub const UPDATE_NODE_ALLOCATABLE: Action = Action(1 << 2);
    /// A node's labels changed.
    pub const UPDATE_NODE_LABEL: Action = Action(1 << 3);
    /// A node's taints changed, or it was uncordoned.
    pub const UPDATE_NODE_TAINT: Action = Action(1 << 4);
    /// A node's conditions changed.
    pub const UPDATE_NODE_CONDITION: Action = Action(1 << 5);
    /// A node declares other features.
    pub const UPDATE_NODE_DECLARED_FEATURE: Action = Action(1 << 6);
    /// A pod's labels changed.
    pub const UPDATE_POD_LABEL: Action = Action(1 << 8);
    /// A pod's requests shrank.
    pub const UPDATE_POD_SCALE_DOWN: Action = Action(1 << 9);
    /// A pod's last scheduling gate went.
    pub const UPDATE_POD_SCHEDULING_GATES_ELIMINATED: Action = Action(1 << 10);
    /// A pod got a toleration.
    pub const UPDATE_POD_TOLERATION: Action = Action(1 << 11);
    /// A pod's requests grew.
    pub const UPDATE_POD_SCALE_UP: Action = Action(1 << 12);
    /// A pod's claims of devices were made.
    pub const UPDATE_POD_GENERATED_RESOURCE_CLAIM: Action = Action(1 << 13);
    /// Some other change.
    pub const UPDATE_OTHER: Action = Action(1 << 20);
    /// Any change.
    pub const UPDATE: Action = Action(((1 << 21) - 1) & !3);

    /// Either.
    pub const fn or(self, other: Action) -> Action {
        Action(self.0 | other.0)
    }
}

/// An event, or a kind of events that a plugin registers for (`ClusterEvent`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClusterEvent {
    /// What it is about.
    pub resource: Resource,
    /// What happened.
    pub action: Action,
}

impl ClusterEvent {
    /// Moves every pod, whatever rejected it.
    pub const WILDCARD: ClusterEvent =
        ClusterEvent { resource: Resource::WildCard, action: Action(u32::MAX) };
    /// A pod that had a node is gone.
    pub const ASSIGNED_POD_DELETE: ClusterEvent =
        ClusterEvent { resource: Resource::AssignedPod, action: Action::DELETE };
    /// A pod has got a node.
    pub const ASSIGNED_POD_ADD: ClusterEvent =
        ClusterEvent { resource: Resource::AssignedPod, action: Action::ADD };

    /// Events of `resource` with one of these actions.
    pub const fn new(resource: Resource, action: Action) -> ClusterEvent {
        ClusterEvent { resource, action }
    }

    /// Whether an incoming event is one of those that `self` registers for.
    pub fn matches(self, incoming: ClusterEvent) -> bool {
        self == ClusterEvent::WILDCARD
            || (self.resource == incoming.resource && self.action.0 & incoming.action.0 != 0)
    }
}

/// The objects that an event came with.
#[derive(Clone, Copy)]
pub enum EventObjects<'a> {
    /// None: a wildcard.
    None,
    /// A node: before (if it was there) and after (if it still is).
    Node {
        /// Before.
        old: Option<&'a Node>,
        /// After.
        new: Option<&'a Node>,
    },
    /// A pod: before (if it was there) and after (if it still is).
    Pod {
        /// Before.
        old: Option<&'a PodInfo>,
        /// After.
        new: Option<&'a PodInfo>,
    },
    /// A storage object: before (if it was there) and after (if it still is).
    Storage {
        /// Before.
        old: Option<&'a StorageObject>,
        /// After.
        new: Option<&'a StorageObject>,
    },
    /// A class, slice or claim of devices: before (if it was there) and after (if it still is).
    Device {
        /// Before.
        old: Option<&'a DeviceObject>,
        /// After.
        new: Option<&'a DeviceObject>,
    },
}

impl<'a> EventObjects<'a> {
    /// The node after the event.
    pub fn new_node(&self) -> Option<&'a Node> {
        match self {
            EventObjects::Node { new, .. } => *new,
            _ => None,
        }
    }

    /// The node before the event.
    pub fn old_node(&self) -> Option<&'a Node> {
        match self {
            EventObjects::Node { old, .. } => *old,
            _ => None,
        }
    }

    /// The pod before the event.
    pub fn old_pod(&self) -> Option<&'a PodInfo> {
        match self {
            EventObjects::Pod { old, .. } => *old,
            _ => None,
        }
    }

    /// The storage object before and after the event.
    pub fn storage(&self) -> (Option<&'a StorageObject>, Option<&'a StorageObject>) {
        match self {
            EventObjects::Storage { old, new } => (*old, *new),
            _ => (None, None),
        }
    }

    /// The class, slice or claim of devices before and after the event.
    pub fn device(&self) -> (Option<&'a DeviceObject>, Option<&'a DeviceObject>) {
        match self {
            EventObjects::Device { old, new } => (*old, *new),
            _ => (None, None),
        }
    }

    /// The pod after the event.
    pub fn new_pod(&self) -> Option<&'a PodInfo> {
        match self {
            EventObjects::Pod { new, .. } => *new,
            _ => None,
        }
    }
}

/// What changed on a node (`NodeSchedulingPropertiesChange`), in upstream's order.
pub fn node_changes(old: &Node, new: &Node) -> impl Iterator<Item = ClusterEvent> {
    let allocatable = old.allocatable != new.allocatable || old.max_pods != new.max_pods;
    let taints = |n: &Node| -> Vec<_> {
        n.taints.iter().map(|t| (t.key.clone(), t.value.clone(), t.effect)).collect()
    };
    let changes = [
        (old.unschedulable && !new.unschedulable, Action::UPDATE_NODE_TAINT),
        (allocatable, Action::UPDATE_NODE_ALLOCATABLE),
        (old.labels != new.labels, Action::UPDATE_NODE_LABEL),
        (taints(old) != taints(new), Action::UPDATE_NODE_TAINT),
        (old.ready != new.ready, Action::UPDATE_NODE_CONDITION),
        (old.declared_features != new.declared_features, Action::UPDATE_NODE_DECLARED_FEATURE),
    ];
    changes
        .into_iter()
        .filter(|(changed, _)| *changed)
        .map(|(_, action)| ClusterEvent::new(Resource::Node, action))
}

/// What changed on a pod (`PodSchedulingPropertiesChange`); at least one event.
pub fn pod_changes(old: &PodInfo, new: &PodInfo, resource: Resource) -> Vec<ClusterEvent> {
    let smaller = |a: &PodInfo, b: &PodInfo| {
        let (a, b) = (&a.requests, &b.requests);
        a.cpu < b.cpu
            || a.memory < b.memory
            || a.ephemeral_storage < b.ephemeral_storage
            || b.scalars().any(|(name, amount)| a.scalar(name) < amount)
    };
    let gates = |p: &PodInfo| !p.spec.scheduling_gates.is_empty();
    let changes = [
        (old.labels != new.labels, Action::UPDATE_POD_LABEL),
        (smaller(new, old), Action::UPDATE_POD_SCALE_DOWN),
        (smaller(old, new), Action::UPDATE_POD_SCALE_UP),
        (gates(old) && !gates(new), Action::UPDATE_POD_SCHEDULING_GATES_ELIMINATED),
        (old.spec.tolerations.len() != new.spec.tolerations.len(), Action::UPDATE_POD_TOLERATION),
    ];
    let mut events: Vec<ClusterEvent> = changes
        .into_iter()
        .filter(|(changed, _)| *changed)
        .map(|(_, action)| ClusterEvent::new(resource, action))
        .collect();
    if events.is_empty() {
        events.push(ClusterEvent::new(resource, Action::UPDATE_OTHER));
    }
    events
}
