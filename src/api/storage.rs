//! Persistent volumes, claims, storage classes and what CSI drivers tell of nodes and capacity: the
//! objects that decide which nodes a pod's volumes can be reached from.
//!
//! Plain data, as far as the scheduler, the controllers and the kubelet read it. Source: api
//! `core/v1/types.go`, `storage/v1/types.go`, v1.37.

use super::labels::{Labels, Selector};
use super::node_affinity::NodeSelectorTerm;
use super::quantity::Quantity;
use super::{ObjectName, Text};
use crate::units::SimTime;
use std::sync::Arc;

/// `provisioner` of a class whose volumes nobody makes.
pub const NO_PROVISIONER: &str = "kubernetes.io/no-provisioner";

/// A PersistentVolume.
#[derive(Clone, PartialEq, Debug)]
pub struct PersistentVolume {
    /// `metadata.name`.
    pub name: Text,
    /// `metadata.labels`.
    pub labels: Labels,
    /// Its class: the beta annotation, else `spec.storageClassName`; empty when it has none.
    pub class: Text,
    /// `spec.storageClassName` alone.
    pub spec_class: Text,
    /// `spec.capacity.storage`.
    pub capacity: Quantity,
    /// `spec.accessModes`.
    pub access_modes: Vec<Text>,
    /// `spec.volumeMode: Block`, not Filesystem.
    pub is_block: bool,
    /// `spec.volumeAttributesClassName`; empty when it has none.
    pub attributes_class: Text,
    /// `spec.claimRef`: the claim that it is bound to, or kept for.
    pub claim: Option<ClaimReference>,
    /// Annotation `pv.kubernetes.io/bound-by-controller`: the claim was chosen by the controller.
    pub is_bound_by_controller: bool,
    /// `status.phase`.
    pub phase: VolumePhase,
    /// Its deletion was asked for.
    pub is_deleted: bool,
    /// `spec.persistentVolumeReclaimPolicy`.
    pub reclaim: ReclaimPolicy,
    /// Annotation `pv.kubernetes.io/provisioned-by`: who made it; empty: a person.
    pub provisioner: Text,
    /// When it was created.
    pub created: SimTime,
    /// When its deletion was asked for.
    pub deletion: Option<SimTime>,
    /// `spec.nodeAffinity.required`; `None`: it is reached from all nodes.
    pub node_affinity: Option<Vec<NodeSelectorTerm>>,
    /// `spec.csi`.
    pub csi: Option<CsiVolume>,
    /// What a legacy ("in-tree") volume has become by migration to CSI, if it is of a kind whose
    /// migration the scheduler takes for done.
    pub migrated: Option<Box<MigratedVolume>>,
}

/// `status.phase` of a volume.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum VolumePhase {
    /// Its controller has not seen it yet.
    #[default]
    Pending,
    /// It is nobody's.
    Available,
    /// It is bound to a claim.
    Bound,
    /// Its claim is gone.
    Released,
    /// What was to become of it did not succeed.
    Failed,
}

/// What becomes of a volume whose claim is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ReclaimPolicy {
    /// It stays as it is.
    #[default]
    Retain,
    /// It is deleted.
    Delete,
    /// It is emptied and given to others: no kind of volume can that any more.
    Recycle,
}

/// A reference to a claim.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClaimReference {
    /// The claim.
    pub name: ObjectName,
    /// Its UID; empty: any claim of this name.
    pub uid: Text,
}

/// A volume of a CSI driver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CsiVolume {
    /// `driver`.
    pub driver: Text,
    /// `volumeHandle`.
    pub handle: Text,
}

/// A legacy volume as csi-translation-lib translates it.
#[derive(Clone, PartialEq, Debug)]
pub struct MigratedVolume {
    /// The legacy plugin, like `kubernetes.io/aws-ebs`.
    pub plugin: Text,
    /// The translated volume, or why it can't be translated.
    pub translated: Result<TranslatedVolume, Text>,
}

/// The translation of a legacy volume.
#[derive(Clone, PartialEq, Debug)]
pub struct TranslatedVolume {
    /// The CSI volume.
    pub csi: CsiVolume,
    /// `spec.nodeAffinity.required` in the CSI driver's topology keys.
    pub node_affinity: Option<Vec<NodeSelectorTerm>>,
}

/// A PersistentVolumeClaim.
#[derive(Clone, PartialEq, Debug)]
pub struct Claim {
    /// Namespace and name.
    pub name: ObjectName,
    /// `metadata.uid`.
    pub uid: Text,
    /// Its class: the beta annotation, else `spec.storageClassName`; empty when it has none.
    pub class: Text,
    /// `spec.volumeName`: the volume that it is bound to, or asks for; empty when it has none.
    pub volume: Text,
    /// Annotation `pv.kubernetes.io/bind-completed`: the binding to `volume` is complete.
    pub is_bind_completed: bool,
    /// Annotation `pv.kubernetes.io/bound-by-controller`: the volume was chosen by the controller.
    pub is_bound_by_controller: bool,
    /// Annotation `volume.kubernetes.io/selected-node`: where its volume is to be made.
    pub selected_node: Option<Text>,
    /// Annotation `volume.kubernetes.io/storage-provisioner`: who is to make its volume; empty:
    /// nobody has been asked.
    pub provisioner: Text,
    /// It names a class, if only the empty one: the default class is not for it.
    pub names_class: bool,
    /// `status.capacity.storage`: what it has; `None`: its phase is Pending, unless it is lost.
    pub capacity: Option<Quantity>,
    /// `spec.resources.requests.storage`.
    pub request: Option<Quantity>,
    /// `spec.accessModes`.
    pub access_modes: Vec<Text>,
    /// `spec.volumeMode: Block`, not Filesystem.
    pub is_block: bool,
    /// `spec.volumeAttributesClassName`; empty when it has none.
    pub attributes_class: Text,
    /// `spec.selector` of volumes; `None`: any.
    pub selector: Option<Selector>,
    /// `status.phase: Lost`.
    pub is_lost: bool,
    /// Its deletion was asked for.
    pub is_deleted: bool,
    /// UID of the controlling owner.
    pub owner: Option<Text>,
    /// `metadata.labels`.
    pub labels: Labels,
    /// When it was created.
    pub created: SimTime,
    /// When its deletion was asked for.
    pub deletion: Option<SimTime>,
}

/// A StorageClass.
#[derive(Clone, PartialEq, Debug)]
pub struct StorageClass {
    /// `metadata.name`.
    pub name: Text,
    /// `provisioner`.
    pub provisioner: Text,
    /// The CSI driver against whose limits its volumes count: that of a legacy provisioner, else
    /// the provisioner itself; `None`: they count nowhere.
    pub counted_driver: Option<Text>,
    /// Whether the provisioner is a legacy one, whose volumes count only on nodes with a CSINode.
    pub is_legacy: bool,
    /// `volumeBindingMode: WaitForFirstConsumer`, not Immediate.
    pub waits_for_consumer: bool,
    /// `allowedTopologies`: one of the terms must hold; empty: all nodes.
    pub allowed_topologies: Vec<TopologySelectorTerm>,
    /// `reclaimPolicy` of its volumes.
    pub reclaim: ReclaimPolicy,
    /// Annotation `storageclass.kubernetes.io/is-default-class`: claims that name none get it.
    pub is_default: bool,
    /// `allowVolumeExpansion`.
    pub allows_expansion: bool,
    /// When it was created.
    pub created: SimTime,
}

/// A term of `allowedTopologies`: each node label must have one of its values.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TopologySelectorTerm(pub Vec<(Text, Vec<Text>)>);

/// A CSINode: the drivers on a node.
#[derive(Clone, PartialEq, Debug)]
pub struct CsiNode {
    /// `metadata.name`, the node's.
    pub name: Text,
    /// `spec.drivers`.
    pub drivers: Vec<CsiNodeDriver>,
    /// Annotation `storage.alpha.kubernetes.io/migrated-plugins`: legacy plugins, comma separated.
    pub migrated_plugins: Text,
}

/// A driver on a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CsiNodeDriver {
    /// `name`.
    pub name: Text,
    /// `allocatable.count`: how many volumes can be attached; `None`: no limit is known.
    pub limit: Option<i32>,
}

/// A CSIDriver.
#[derive(Clone, PartialEq, Debug)]
pub struct CsiDriver {
    /// `metadata.name`.
    pub name: Text,
    /// `spec.storageCapacity`: it tells capacities that are to be heeded.
    pub tells_capacity: bool,
    /// `spec.preventPodSchedulingIfMissing`.
    pub is_required_on_node: bool,
    /// `spec.attachRequired`: its volumes are attached before they are mounted.
    pub attaches: bool,
    /// When it was created.
    pub created: SimTime,
}

/// A CSIStorageCapacity: how much can be made in a part of the cluster.
#[derive(Clone, PartialEq, Debug)]
pub struct CsiStorageCapacity {
    /// Namespace and name.
    pub name: ObjectName,
    /// `storageClassName`.
    pub class: Text,
    /// `capacity`.
    pub capacity: Option<Quantity>,
    /// `maximumVolumeSize`.
    pub maximum_volume_size: Option<Quantity>,
    /// `nodeTopology`: from which nodes; `None`: from none.
    pub topology: Option<Selector>,
}

/// A VolumeAttachment: a volume that is, or is to be, attached to a node.
#[derive(Clone, PartialEq, Debug)]
pub struct VolumeAttachment {
    /// `metadata.name`.
    pub name: Text,
    /// `spec.nodeName`.
    pub node: Text,
    /// `spec.attacher`: the CSI driver.
    pub attacher: Text,
    /// `spec.source.persistentVolumeName`.
    pub volume: Option<Text>,
    /// `status.attached`.
    pub is_attached: bool,
    /// Its deletion was asked for: the driver detaches the volume.
    pub is_deleted: bool,
    /// When it was created.
    pub created: SimTime,
}

/// Any of these objects.
#[derive(Clone, PartialEq, Debug)]
pub enum StorageObject {
    /// A PersistentVolume.
    Volume(Arc<PersistentVolume>),
    /// A PersistentVolumeClaim.
    Claim(Arc<Claim>),
    /// A StorageClass.
    Class(Arc<StorageClass>),
    /// A CSINode.
    CsiNode(Arc<CsiNode>),
    /// A CSIDriver.
    CsiDriver(Arc<CsiDriver>),
    /// A CSIStorageCapacity.
    Capacity(Arc<CsiStorageCapacity>),
    /// A VolumeAttachment.
    Attachment(Arc<VolumeAttachment>),
}

impl PersistentVolume {
    /// Whether it is bound to, or kept for, this claim (`IsVolumeBoundToClaim`).
    pub fn is_bound_to(&self, claim: &Claim) -> bool {
        let same = |kept: &ClaimReference| {
            kept.name == claim.name && (kept.uid.is_empty() || kept.uid == claim.uid)
        };
        self.claim.as_ref().is_some_and(same)
    }

    /// Whether it is kept for nobody else and is as large and of the kind that the claim asks for:
    /// the first part of `FindMatchingVolume` (component-helpers `storage/volume/pv_helpers.go`).
    pub fn may_serve(&self, claim: &Claim) -> bool {
        (self.claim.is_none() || self.is_bound_to(claim))
            && self.capacity >= claim.request.unwrap_or_default()
            && self.is_block == claim.is_block
            && self.attributes_class == claim.attributes_class
            && !self.is_deleted
    }

    /// Whether it is there for anybody, and what the claim selects: its second part, without access
    /// modes.
    pub fn is_free_for(&self, claim: &Claim) -> bool {
        self.phase == VolumePhase::Available
            && claim.selector.as_ref().is_none_or(|s| s.matches(&self.labels))
            && self.class == claim.class
    }

    /// Whether it can be reached from a node with these labels (`CheckNodeAffinity`).
    pub fn reaches(&self, node: &Labels) -> bool {
        admits(self.node_affinity.as_deref(), node)
    }

    /// Whether it may be attached to several nodes at once (`IsMultiAttachAllowed`).
    pub fn may_be_shared(&self) -> bool {
        let shared = ["ReadWriteMany", "ReadOnlyMany"];
        self.access_modes.is_empty() || self.access_modes.iter().any(|m| shared.contains(&&**m))
    }

    /// The CSI driver that attaches and mounts it, whether as such or by migration; `None`: it is
    /// of a kind that no driver handles (`hostPath`, `local`, `nfs`).
    pub fn driver(&self) -> Option<&Text> {
        let migrated = self.migrated.as_ref().and_then(|m| m.translated.as_ref().ok());
        self.csi.as_ref().or(migrated.map(|t| &t.csi)).map(|csi| &csi.driver)
    }
}

impl VolumePhase {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            VolumePhase::Pending => "Pending",
            VolumePhase::Available => "Available",
            VolumePhase::Bound => "Bound",
            VolumePhase::Released => "Released",
            VolumePhase::Failed => "Failed",
        }
    }
}

impl ReclaimPolicy {
    /// As the API writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            ReclaimPolicy::Retain => "Retain",
            ReclaimPolicy::Delete => "Delete",
            ReclaimPolicy::Recycle => "Recycle",
        }
    }
}

impl StorageObject {
    /// `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            StorageObject::Volume(_) => "PersistentVolume",
            StorageObject::Claim(_) => "PersistentVolumeClaim",
            StorageObject::Class(_) => "StorageClass",
            StorageObject::CsiNode(_) => "CSINode",
            StorageObject::CsiDriver(_) => "CSIDriver",
            StorageObject::Capacity(_) => "CSIStorageCapacity",
            StorageObject::Attachment(_) => "VolumeAttachment",
        }
    }

    /// Its name; without a namespace for what is in none.
    pub fn name(&self) -> ObjectName {
        let of_cluster =
            |name: &Text| ObjectName { namespace: Text::default(), name: name.clone() };
        match self {
            StorageObject::Volume(volume) => of_cluster(&volume.name),
            StorageObject::Claim(claim) => claim.name.clone(),
            StorageObject::Class(class) => of_cluster(&class.name),
            StorageObject::CsiNode(node) => of_cluster(&node.name),
            StorageObject::CsiDriver(driver) => of_cluster(&driver.name),
            StorageObject::Capacity(capacity) => capacity.name.clone(),
            StorageObject::Attachment(attachment) => of_cluster(&attachment.name),
        }
    }
}

impl TranslatedVolume {
    /// Whether it can be reached from a node with these labels.
    pub fn reaches(&self, node: &Labels) -> bool {
        admits(self.node_affinity.as_deref(), node)
    }
}

/// Whether one of the terms matches a node with these labels. Volumes do not know nodes' names.
fn admits(terms: Option<&[NodeSelectorTerm]>, node: &Labels) -> bool {
    terms.is_none_or(|terms| terms.iter().any(|term| term.matches("", node)))
}

impl Claim {
    /// A claim of this name that asks for nothing in particular.
    pub fn new(name: ObjectName) -> Claim {
        Claim {
            name,
            uid: Text::default(),
            class: Text::default(),
            volume: Text::default(),
            is_bind_completed: false,
            is_bound_by_controller: false,
            selected_node: None,
            provisioner: Text::default(),
            names_class: false,
            capacity: None,
            request: None,
            access_modes: Vec::new(),
            is_block: false,
            attributes_class: Text::default(),
            selector: None,
            is_lost: false,
            is_deleted: false,
            owner: None,
            labels: Labels::default(),
            created: SimTime::ZERO,
            deletion: None,
        }
    }

    /// Whether it is bound for good (`isPVCFullyBound`).
    pub fn is_bound(&self) -> bool {
        !self.volume.is_empty() && self.is_bind_completed
    }

    /// `status.phase`.
    pub fn phase(&self) -> &'static str {
        match self.capacity {
            _ if self.is_lost => "Lost",
            Some(_) => "Bound",
            None => "Pending",
        }
    }

    /// A reference to it.
    pub fn reference(&self) -> ClaimReference {
        ClaimReference { name: self.name.clone(), uid: self.uid.clone() }
    }
}

impl StorageClass {
    /// Whether volumes of the class can be made for a node with these labels
    /// (`MatchTopologySelectorTerms`).
    pub fn allows(&self, node: &Labels) -> bool {
        self.allowed_topologies.is_empty() || self.allowed_topologies.iter().any(|t| t.allows(node))
    }
}

impl TopologySelectorTerm {
    fn allows(&self, node: &Labels) -> bool {
        let holds = |(key, values): &(Text, Vec<Text>)| {
            node.get(key).is_some_and(|value| values.contains(value))
        };
        !self.0.is_empty() && self.0.iter().all(holds)
    }
}

impl CsiNode {
    /// Whether a legacy plugin's volumes are CSI's here (`isPluginMigratedToCSIOnNode`).
    pub fn has_migrated(&self, plugin: &str) -> bool {
        self.migrated_plugins.split(',').any(|migrated| migrated == plugin)
    }
}

impl CsiStorageCapacity {
    /// The largest volume that can be made (`volumeLimit`).
    pub fn volume_limit(&self) -> Option<Quantity> {
        self.maximum_volume_size.or(self.capacity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_topologies_hold_as_upstream() {
        let node = Labels::from([("zone", "a"), ("rack", "1")]);
        let term = |pairs: &[(&str, &[&str])]| {
            let pair = |(key, values): &(&str, &[&str])| {
                ((*key).into(), values.iter().map(|v| (*v).into()).collect())
            };
            TopologySelectorTerm(pairs.iter().map(pair).collect())
        };
        let rows = [
            ("no term at all allows every node", vec![], true),
            ("an empty term allows none", vec![term(&[])], false),
            ("one of the values is enough", vec![term(&[("zone", &["b", "a"])])], true),
            (
                "all keys of a term must hold",
                vec![term(&[("zone", &["a"]), ("rack", &["2"])])],
                false,
            ),
            (
                "one of the terms is enough",
                vec![term(&[("zone", &["b"])]), term(&[("rack", &["1"])])],
                true,
            ),
            ("a missing label holds no term", vec![term(&[("row", &["1"])])], false),
        ];
        for (sentence, allowed_topologies, expected) in rows {
            let class = StorageClass {
                name: "c".into(),
                provisioner: "p".into(),
                counted_driver: None,
                is_legacy: false,
                waits_for_consumer: true,
                allowed_topologies,
                reclaim: ReclaimPolicy::Delete,
                is_default: false,
                allows_expansion: false,
                created: SimTime::ZERO,
            };
            assert_eq!(class.allows(&node), expected, "{sentence}");
        }
    }
}
