//! Which claims a pod's volumes stand for: those that it names, and those of ephemeral volumes,
//! named `<pod>-<volume>`. What the volume plugins share; it knows no nodes.
//!
//! Source: component-helpers `storage/ephemeral/ephemeral.go`, v1.37.

use crate::api::ObjectName;
use crate::api::storage::{Claim, StorageObject};
use crate::api::volume::{Volume, VolumeSource};
use crate::control::scheduler::pod_info::PodInfo;

/// A claim that a pod's volume stands for.
pub(super) struct PodClaim {
    /// The claim.
    pub(super) name: ObjectName,
    /// Whether it is made for this pod, which then must own it.
    pub(super) is_ephemeral: bool,
}

/// The claim of a volume, if it stands for one.
pub(super) fn claim_of(pod: &PodInfo, volume: &Volume) -> Option<PodClaim> {
    let (name, is_ephemeral) = match &volume.source {
        VolumeSource::Claim { name, .. } => (name.clone(), false),
        VolumeSource::Ephemeral => (format!("{}-{}", name_of(pod), volume.name).into(), true),
        _ => return None,
    };
    let name = ObjectName { namespace: pod.namespace.clone(), name };
    Some(PodClaim { name, is_ephemeral })
}

/// The name of a pod with ephemeral volumes.
fn name_of(pod: &PodInfo) -> &str {
    pod.name.as_deref().unwrap_or_default()
}

/// All claims of a pod's volumes, in their order.
pub(super) fn claims_of(pod: &PodInfo) -> impl Iterator<Item = PodClaim> {
    pod.spec.volumes.iter().filter_map(|volume| claim_of(pod, volume))
}

/// Likewise, those only that the pod names itself.
pub(super) fn named_claims(pod: &PodInfo) -> impl Iterator<Item = ObjectName> {
    claims_of(pod).filter(|claim| !claim.is_ephemeral).map(|claim| claim.name)
}

/// The claim that an event brought into being or changed.
pub(super) fn changed_claim(new: Option<&StorageObject>) -> Option<&Claim> {
    match new {
        Some(StorageObject::Claim(claim)) => Some(claim),
        _ => None,
    }
}

/// Whether the claim of an ephemeral volume was made for this pod (`VolumeIsForPod`). A pod's UID
/// is its namespace and name here: nothing reads it but this.
pub(super) fn check_owner(pod: &PodInfo, claim: &Claim) -> Result<(), String> {
    let uid = format!("{}/{}", pod.namespace, name_of(pod));
    match &claim.owner {
        Some(owner) if **owner == *uid => Ok(()),
        _ => Err(format!("PVC {} was not created for pod {uid} (pod is not owner)", claim.name)),
    }
}

/// What upstream's listers say of an object that is not there.
pub(super) fn not_found(resource: &str, name: &str) -> String {
    format!("{resource} {name:?} not found")
}

/// The resource of claims in such a message.
pub(super) const CLAIM: &str = "persistentvolumeclaim";
/// That of volumes.
pub(super) const VOLUME: &str = "persistentvolume";
/// That of classes.
pub(super) const CLASS: &str = "storageclass.storage.k8s.io";
