//! `spec.volumes` of pods, as far as they bear on where a pod can go or what it must pull.
//!
//! Plain data; it knows nothing of claims and volumes themselves.
//! Source: api `core/v1/types.go` `Volume`, v1.37.

use super::Text;

/// A volume of a pod.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Volume {
    /// Its name within the pod.
    pub name: Text,
    /// Where it comes from.
    pub source: VolumeSource,
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
    /// Anything that needs nothing of a node: `emptyDir`, `configMap`, `secret`, ...
    Other,
}
