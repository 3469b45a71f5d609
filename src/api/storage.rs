//! Persistent volumes, claims, storage classes and what CSI drivers tell of nodes and capacity: the
//! objects that decide which nodes a pod's volumes can be reached from.
//!
//! Plain data, as far as the scheduler reads it. Source: api `core/v1/types.go`,
//! `storage/v1/types.go`, v1.37.

use super::labels::{Labels, Selector};
use super::node_affinity::NodeSelectorTerm;
use super::quantity::Quantity;
use super::{ObjectName, Text};
use std::sync::Arc;

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
    /// `status.phase: Available`.
    pub is_available: bool,
    /// Its deletion was asked for.
    pub is_deleted: bool,
    /// `spec.nodeAffinity.required`; `None`: it is reached from all nodes.
    pub node_affinity: Option<Vec<NodeSelectorTerm>>,
    /// `spec.csi`.
    pub csi: Option<CsiVolume>,
    /// What a legacy ("in-tree") volume has become by migration to CSI, if it is of a kind whose
    /// migration the scheduler takes for done.
    pub migrated: Option<Box<MigratedVolume>>,
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
    /// Annotation `volume.kubernetes.io/selected-node`: where its volume is to be made.
    pub selected_node: Option<Text>,
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

    /// Whether it can be reached from a node with these labels (`CheckNodeAffinity`).
    pub fn reaches(&self, node: &Labels) -> bool {
        admits(self.node_affinity.as_deref(), node)
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
    /// Whether it is bound for good (`isPVCFullyBound`).
    pub fn is_bound(&self) -> bool {
        !self.volume.is_empty() && self.is_bind_completed
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
            };
            assert_eq!(class.allows(&node), expected, "{sentence}");
        }
    }
}
