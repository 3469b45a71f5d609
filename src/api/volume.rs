//! `spec.volumes` of pods, as far as they bear on where a pod can go or what it must pull.
//!
//! Plain data; it knows nothing of claims and volumes themselves.
//! Source: api `core/v1/types.go` `Volume`; conflicts: scheduler
//! `plugins/volumerestrictions/volume_restrictions.go`, v1.37.

use super::Text;

/// The name of the claim that a volume of a pod of this name stands for: one that it names, or that
/// of an ephemeral volume, `<pod>-<volume>` (component-helpers `storage/ephemeral/ephemeral.go`).
pub fn claim_name(volume: &Volume, pod: &str) -> Option<Text> {
    match &volume.source {
        VolumeSource::Claim { name, .. } => Some(name.clone()),
        VolumeSource::Ephemeral => Some(format!("{pod}-{}", volume.name).into()),
        _ => None,
    }
}

/// A volume of a pod.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Volume {
    /// Its name within the pod.
    pub name: Text,
    /// Where it comes from.
    pub source: VolumeSource,
    /// Its source as written, for telling equal volumes; empty for `configMap` and `secret`, which
    /// are of no matter to scheduling.
    pub written: Text,
}

/// Where a volume comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum VolumeSource {
    /// `persistentVolumeClaim`.
    Claim {
        /// `claimName`, in the pod's namespace.
        name: Text,
        /// `readOnly`.
        read_only: bool,
    },
    /// `ephemeral`: a claim named `<pod>-<volume>` that lives with the pod.
    Ephemeral,
    /// `image`: an image mounted as a volume.
    Image {
        /// Image reference as written.
        reference: Text,
    },
    /// `csi`: a volume that a CSI driver makes for the pod.
    Csi {
        /// `driver`.
        driver: Text,
    },
    /// A disk named in the pod itself, without a claim, of one of the kinds that upstream still
    /// heeds.
    Disk(Box<Disk>),
    /// Anything that needs nothing of a node: `emptyDir`, `configMap`, `secret`, ...
    Other,
}

/// A disk named in the pod itself (legacy, "in-tree").
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Disk {
    /// Which disk, where two pods may be in each other's way on one node.
    pub conflict: Option<DiskIdentity>,
    /// The CSI volume that it has become, for kinds that have migrated to CSI.
    pub csi: Option<MigratedDisk>,
}

/// A disk of which upstream knows whether two pods on one node may mount it (VolumeRestrictions).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DiskIdentity {
    /// `gcePersistentDisk`.
    GcePersistentDisk {
        /// `pdName`.
        name: Text,
        /// `readOnly`.
        read_only: bool,
    },
    /// `awsElasticBlockStore`.
    AwsElasticBlockStore {
        /// `volumeID`.
        volume: Text,
    },
    /// `iscsi`.
    Iscsi {
        /// `iqn`.
        iqn: Text,
        /// `readOnly`.
        read_only: bool,
    },
    /// `rbd`.
    Rbd {
        /// `monitors`.
        monitors: Vec<Text>,
        /// `pool`.
        pool: Text,
        /// `image`.
        image: Text,
        /// `readOnly`.
        read_only: bool,
    },
}

/// What a legacy disk is for CSI (csi-translation-lib).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MigratedDisk {
    /// The CSI driver.
    pub driver: Text,
    /// Its `volumeHandle`, or why there is none.
    pub handle: Result<Text, Text>,
    /// Whether it counts against the driver's limit on a node: not all kinds' migration is known
    /// to the scheduler.
    pub is_counted: bool,
}

impl DiskIdentity {
    /// Whether pods that mount these two can't share a node (`isVolumeConflict`).
    pub fn conflicts_with(&self, other: &DiskIdentity) -> bool {
        use DiskIdentity::*;
        match (self, other) {
            (
                GcePersistentDisk { name: a, read_only: a_reads },
                GcePersistentDisk { name: b, read_only: b_reads },
            )
            | (Iscsi { iqn: a, read_only: a_reads }, Iscsi { iqn: b, read_only: b_reads }) => {
                a == b && !(*a_reads && *b_reads)
            }
            (AwsElasticBlockStore { volume: a }, AwsElasticBlockStore { volume: b }) => a == b,
            (
                Rbd { monitors: a, pool: a_pool, image: a_image, read_only: a_reads },
                Rbd { monitors: b, pool: b_pool, image: b_image, read_only: b_reads },
            ) => {
                a.iter().any(|monitor| b.contains(monitor))
                    && (a_pool, a_image) == (b_pool, b_image)
                    && !(*a_reads && *b_reads)
            }
            _ => false,
        }
    }
}
