//! Objects for tests of this room.

use super::claim_uses::ClaimUses;
use super::event::{Action, ClusterEvent, EventObjects, Resource};
use super::framework::{
    Context, EnqueueExtensions, FilterPlugin, NodeIndex, NodeList, PreFilter, PreFilterPlugin,
    QueueingHint,
};
use super::node_info::NodeInfo;
use super::objects::Objects;
use super::pod_info::PodInfo;
use super::version::Version;
use crate::api::PodId;
use crate::api::convert;
use crate::api::devices::DeviceObject;
use crate::api::labels::Labels;
use crate::api::node::{Node, NodeReady, ZONE_LABEL};
use crate::api::pod::{Container, Pod, PodSpec};
use crate::api::resources::Resources;
use crate::api::storage::StorageObject;
use crate::units::{Bytes, MilliCpu, SimTime};
use serde_json::{Value, json};
use slotmap::SlotMap;
use std::sync::Arc;

/// A ready node with 4 cores, 16 GiB and room for 110 pods.
pub(crate) fn node(name: &str) -> Node {
    let capacity = Resources::of(MilliCpu(4000), Bytes::mebi(16 * 1024));
    Node {
        name: name.into(),
        uid: 0,
        labels: Labels::default(),
        taints: Vec::new(),
        unschedulable: false,
        capacity: capacity.clone().into(),
        allocatable: capacity.into(),
        max_pods: 110,
        ready: NodeReady::True,
        pressures: None,
        ready_changed: SimTime::ZERO,
        created: SimTime::ZERO,
        group: 0,
        images: Arc::new([]),
        declared_features: Arc::new([]),
    }
}

/// Likewise, in a zone.
pub(crate) fn zone_node(name: &str, zone: &str) -> Node {
    Node { labels: Labels::from([(ZONE_LABEL, zone)]), ..node(name) }
}

/// A specification of one container that requests this much CPU and memory.
pub(crate) fn spec(milli_cpu: i64, mebi: i64) -> PodSpec {
    let requests = Resources::of(MilliCpu(milli_cpu), Bytes::mebi(mebi));
    PodSpec {
        containers: vec![Container { requests, ..Container::default() }],
        scheduler_name: "default-scheduler".into(),
        ..PodSpec::default()
    }
}

/// A pending pod.
pub(crate) fn pod(name: &str, spec: PodSpec) -> Pod {
    let (labels, spec) = (Labels::default(), Arc::new(spec));
    Pod::pending("default".into(), name.into(), labels, spec, SimTime::ZERO)
}

/// What the scheduler derives from a pending pod.
pub(crate) fn pod_info(id: PodId, spec: PodSpec) -> PodInfo {
    PodInfo::new(id, &pod("pod", spec))
}

/// A specification with these volumes.
pub(crate) fn spec_with(volumes: Value) -> PodSpec {
    let given = json!({"containers": [{"name": "c"}], "volumes": volumes});
    let given = serde_json::from_value(given).unwrap();
    let mut errors = Vec::new();
    let spec = convert::pod::pod_spec(&given, "spec", &mut errors);
    assert!(errors.is_empty(), "{errors:?}");
    spec
}

/// A volume of a pod for each of these claims.
pub(crate) fn claim_volumes(claims: &[&str]) -> Value {
    let volume =
        |claim: &&str| json!({"name": claim, "persistentVolumeClaim": {"claimName": claim}});
    claims.iter().map(volume).collect()
}

/// A storage object of a manifest, its kind told apart.
pub(crate) fn storage_object(kind: &str, given: Value) -> StorageObject {
    use convert::storage::*;
    let of = |errors: &mut Vec<convert::FieldError>| match kind {
        "PersistentVolume" => StorageObject::Volume(Arc::new(volume(&from(&given), errors))),
        "PersistentVolumeClaim" => {
            StorageObject::Claim(Arc::new(claim(&from(&given), "default", errors)))
        }
        "StorageClass" => {
            StorageObject::Class(Arc::new(storage_class(&from(&given), &mut Vec::new())))
        }
        "CSINode" => StorageObject::CsiNode(Arc::new(csi_node(&from(&given)))),
        "CSIDriver" => StorageObject::CsiDriver(Arc::new(csi_driver(&from(&given)))),
        "CSIStorageCapacity" => {
            let capacity = csi_storage_capacity(&from(&given), "default", errors);
            StorageObject::Capacity(Arc::new(capacity))
        }
        "VolumeAttachment" => StorageObject::Attachment(Arc::new(volume_attachment(&from(&given)))),
        other => panic!("{other} is no storage object"),
    };
    let mut errors = Vec::new();
    let object = of(&mut errors);
    assert!(errors.is_empty(), "{errors:?}");
    object
}

/// A class, slice, claim or taint rule of a manifest, its kind told apart. Claims have their name as
/// UID.
pub(crate) fn device_object(kind: &str, given: Value) -> DeviceObject {
    let mut errors = Vec::new();
    let object = match kind {
        "DeviceClass" => {
            DeviceObject::Class(Arc::new(convert::devices::class(&from(&given), &mut errors)))
        }
        "ResourceSlice" => {
            DeviceObject::Slice(Arc::new(convert::devices::slice(&from(&given), &mut errors)))
        }
        "DeviceTaintRule" => {
            DeviceObject::TaintRule(Arc::new(convert::devices::taint_rule(&from(&given))))
        }
        "ResourceClaim" => {
            let given = from(&given);
            let mut claim = convert::resource_claim::claim(&given, "default", &mut errors);
            claim.uid = claim.name.name.clone();
            DeviceObject::Claim(Arc::new(claim))
        }
        other => panic!("{other} is no kind of devices"),
    };
    assert!(errors.is_empty(), "{errors:?}");
    object
}

fn from<T: serde::de::DeserializeOwned>(given: &Value) -> T {
    serde_json::from_value(given.clone()).unwrap()
}

/// Nodes, pods on them and storage objects, for one plugin to look at.
pub(crate) struct Stage {
    pub(crate) objects: Objects,
    pub(crate) nodes: Vec<NodeInfo>,
    order: Vec<NodeIndex>,
    uses: ClaimUses,
    pub(crate) version: Version,
    pods: SlotMap<PodId, ()>,
}

impl Stage {
    /// These nodes, and no storage object.
    pub(crate) fn new(nodes: impl IntoIterator<Item = Node>) -> Stage {
        let nodes: Vec<_> = nodes.into_iter().map(|n| NodeInfo::new(Arc::new(n))).collect();
        let mut objects = Objects::default();
        objects.tell_storage();
        let order = (0..nodes.len() as u32).map(NodeIndex).collect();
        Stage {
            objects,
            nodes,
            order,
            uses: ClaimUses::default(),
            pods: SlotMap::with_key(),
            version: Version::default(),
        }
    }

    /// With a storage object.
    pub(crate) fn with(mut self, kind: &str, given: Value) -> Stage {
        self.objects.set_storage(storage_object(kind, given));
        self
    }

    /// With a class, slice, claim or taint rule of devices.
    pub(crate) fn with_device(mut self, kind: &str, given: Value) -> Stage {
        self.objects.tell_devices().set(device_object(kind, given));
        self
    }

    /// A pod of this name and specification.
    pub(crate) fn pod_of(&mut self, name: &str, spec: Value) -> PodInfo {
        let mut errors = Vec::new();
        let spec = convert::pod::pod_spec(&from(&spec), "spec", &mut errors);
        assert!(errors.is_empty(), "{errors:?}");
        PodInfo::new(self.pods.insert(()), &pod(name, spec))
    }

    /// A pod of this name with these volumes.
    pub(crate) fn pod(&mut self, name: &str, volumes: Value) -> PodInfo {
        let id = self.pods.insert(());
        PodInfo::new(id, &pod(name, spec_with(volumes)))
    }

    /// A pod with these volumes is on a node.
    pub(crate) fn put(&mut self, node: usize, name: &str, volumes: Value) -> PodInfo {
        let pod = self.pod(name, volumes);
        self.nodes[node].add_pod(pod.clone());
        self.uses.recount(self.nodes.iter());
        pod
    }

    pub(crate) fn context(&self) -> Context<'_> {
        let nodes = NodeList { infos: &self.nodes, order: &self.order };
        Context {
            nodes,
            with_affinity: nodes,
            with_required_anti_affinity: nodes,
            objects: &self.objects,
            claim_uses: &self.uses,
            now: SimTime::ZERO,
            version: self.version,
        }
    }

    /// What a plugin says of a pod on a node; empty: it does. `pod: ` in front: of all nodes.
    pub(crate) fn verdict<P: PreFilterPlugin + FilterPlugin>(
        &self,
        plugin: &P,
        pod: &PodInfo,
        node: usize,
    ) -> String {
        let cx = self.context();
        match plugin.pre_filter(&cx, pod) {
            PreFilter::Skip => String::new(),
            PreFilter::Rejected(status) => format!("pod: {}", status.message()),
            PreFilter::Continue { state, .. } => {
                plugin.filter(&cx, &state, pod, &self.nodes[node]).message()
            }
        }
    }
}

/// Whether a plugin takes a change of a storage object for a reason to try `pod` again. Changes
/// that it has not registered for are none.
pub(crate) fn wakes(
    plugin: &impl EnqueueExtensions,
    pod: &PodInfo,
    old: Option<&StorageObject>,
    new: Option<&StorageObject>,
) -> bool {
    let action = match (old, new) {
        (None, _) => Action::ADD,
        (Some(_), Some(_)) => Action::UPDATE,
        (Some(_), None) => Action::DELETE,
    };
    let object = old.or(new).expect("something has changed");
    let event = ClusterEvent::new(Resource::of(object), action);
    let change = EventObjects::Storage { old, new };
    let hint = || plugin.queueing_hint(&Objects::default(), pod, event, &change);
    plugin.events_to_register().iter().any(|e| e.matches(event)) && hint() == QueueingHint::Queue
}

/// Likewise for a pod that is gone from its node.
pub(crate) fn wakes_when_gone(
    plugin: &impl EnqueueExtensions,
    pod: &PodInfo,
    gone: &PodInfo,
) -> bool {
    let change = EventObjects::Pod { old: Some(gone), new: None };
    let event = ClusterEvent::ASSIGNED_POD_DELETE;
    plugin.queueing_hint(&Objects::default(), pod, event, &change) == QueueingHint::Queue
}
