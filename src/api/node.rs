//! Nodes as the API server shows them. The machine behind a node is the world's business.

use super::Text;
use super::labels::Labels;
use super::resources::Resources;
use super::taint::{Taint, TaintEffect};
use crate::units::{Bytes, OptionalTime, SimTime};
use std::sync::Arc;

/// Label of a node's zone.
pub const ZONE_LABEL: &str = "topology.kubernetes.io/zone";
/// Label of a node's region.
pub const REGION_LABEL: &str = "topology.kubernetes.io/region";
/// Label of a node's name.
pub const HOSTNAME_LABEL: &str = "kubernetes.io/hostname";
/// Label of a node's machine type.
pub const INSTANCE_TYPE_LABEL: &str = "node.kubernetes.io/instance-type";

/// Status of condition `Ready`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NodeReady {
    /// The kubelet is healthy.
    True,
    /// The kubelet says it is not ready (as every node before its first full status).
    False,
    /// The node lifecycle controller has not heard of the kubelet for too long.
    Unknown,
}

/// Conditions of a node's machine that keep pods away: each True or not, and since when.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pressures {
    /// `MemoryPressure`.
    pub memory: Pressure,
    /// `DiskPressure`.
    pub disk: Pressure,
    /// The machine is being shut down: so says condition `Ready`, which is False.
    pub shuts_down: bool,
}

impl Pressures {
    /// Whether one of them is True.
    pub fn any(&self) -> bool {
        self.memory.is_on || self.disk.is_on
    }
}

/// One of them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pressure {
    /// Status True.
    pub is_on: bool,
    /// When that last changed; none: it never did.
    pub changed: OptionalTime,
}

/// A node object.
#[derive(Clone, Debug)]
pub struct Node {
    /// `metadata.name`.
    pub name: Text,
    /// Ordinal of registration in this run, from 1.
    pub uid: u64,
    /// Labels, zone and instance type among them.
    pub labels: Labels,
    /// `spec.taints`.
    pub taints: Vec<Taint>,
    /// `spec.unschedulable`: cordoned.
    pub unschedulable: bool,
    /// `status.capacity`; shared, as the next, by the nodes of one make.
    pub capacity: Arc<Resources>,
    /// `status.allocatable`: what pods may request.
    pub allocatable: Arc<Resources>,
    /// `status.allocatable.pods`: how many pods fit.
    pub max_pods: u32,
    /// Condition `Ready`.
    pub ready: NodeReady,
    /// When condition `Ready` last changed.
    pub ready_changed: SimTime,
    /// Its pressures, once it has had any.
    pub pressures: Option<Box<Pressures>>,
    /// `metadata.creationTimestamp`.
    pub created: SimTime,
    /// Index of its node group in the scenario; what a cloud provider's label would tell.
    pub group: usize,
    /// `status.images`: what lies in the node's image cache.
    pub images: Arc<[NodeImage]>,
    /// `status.declaredFeatures`: features of its kubelet, by name.
    pub declared_features: Arc<[Text]>,
}

/// An image in a node's cache (`status.images`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeImage {
    /// All its names, tags and digests.
    pub names: Vec<Text>,
    /// `sizeBytes`.
    pub size: Bytes,
}

impl Node {
    /// A nameless Ready node without labels, taints or room: what tests and templates start from.
    pub fn empty() -> Node {
        Node {
            name: "".into(),
            uid: 0,
            labels: Labels::default(),
            taints: Vec::new(),
            unschedulable: false,
            capacity: Arc::default(),
            allocatable: Arc::default(),
            max_pods: 0,
            ready: NodeReady::True,
            ready_changed: SimTime::ZERO,
            pressures: None,
            created: SimTime::ZERO,
            group: 0,
            images: Arc::default(),
            declared_features: Arc::default(),
        }
    }

    /// The zone label; empty when there is none.
    pub fn zone(&self) -> &str {
        self.labels.get(ZONE_LABEL).map_or("", |z| z)
    }

    /// Its pressures; none of them True, if it never had any.
    pub fn pressures(&self) -> Pressures {
        self.pressures.as_deref().copied().unwrap_or_default()
    }

    /// Whether there is a taint of this key and effect.
    pub fn has_taint(&self, key: &str, effect: TaintEffect) -> bool {
        self.taints.iter().any(|t| &*t.key == key && t.effect == effect)
    }
}
