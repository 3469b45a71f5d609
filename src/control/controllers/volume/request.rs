//! What only the controllers of volumes ask the API server for.

use crate::api::storage::VolumePhase;
use crate::api::{AttachmentId, ClaimId, Text, VolumeId};
use crate::control::controllers::action::Action;

/// A request about a volume, a claim or an attachment.
#[derive(Clone, Debug)]
pub enum Request {
    /// Write a volume's `spec.claimRef`. Refused when another claim has it by then.
    ClaimVolume {
        /// The volume.
        volume: VolumeId,
        /// The claim that gets it.
        claim: ClaimId,
    },
    /// Clear a volume's `spec.claimRef`.
    UnbindVolume {
        /// The volume.
        volume: VolumeId,
    },
    /// Write a volume's `status.phase`.
    VolumePhase {
        /// The volume.
        volume: VolumeId,
        /// The phase.
        phase: VolumePhase,
    },
    /// Write a claim's `spec.volumeName`: its binding is complete.
    BindClaim {
        /// The claim.
        claim: ClaimId,
        /// The volume that it gets.
        volume: VolumeId,
    },
    /// Write a claim's status: it is Bound, and has what the volume has.
    ClaimStatus {
        /// The claim.
        claim: ClaimId,
        /// Its volume.
        volume: VolumeId,
    },
    /// Write a claim's status: it is Lost.
    LoseClaim {
        /// The claim.
        claim: ClaimId,
    },
    /// Give a claim that names no class the default one.
    SetClass {
        /// The claim.
        claim: ClaimId,
        /// The class.
        class: Text,
    },
    /// Ask an external provisioner for a claim's volume, by an annotation.
    AskProvisioner {
        /// The claim.
        claim: ClaimId,
        /// Its name.
        provisioner: Text,
    },
    /// Create the VolumeAttachment that has a volume attached to a node.
    Attach {
        /// The volume.
        volume: VolumeId,
        /// The node's name.
        node: Text,
    },
    /// Write into the node's status that a volume is attached, or no longer.
    Report {
        /// The attachment.
        attachment: AttachmentId,
        /// It is attached.
        is_attached: bool,
    },
    /// Delete a VolumeAttachment: its driver detaches the volume.
    Detach {
        /// The attachment.
        attachment: AttachmentId,
    },
}

impl From<Request> for Action {
    fn from(request: Request) -> Action {
        Action::Volume(Box::new(request))
    }
}
