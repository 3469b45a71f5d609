//! The persistentvolume-binder's look at volumes: their phases, and what becomes of those whose
//! claims are gone.
//!
//! Source: kubernetes `pkg/controller/volume/persistentvolume/pv_controller.go` (`syncVolume`,
//! `reclaimVolume`), v1.37. Whom a provisioner made, that provisioner deletes; nobody deletes any
//! other.

use super::persistentvolume::event;
use super::request::Request;
use crate::api::VolumeId;
use crate::api::storage::{PersistentVolume, ReclaimPolicy, VolumePhase};
use crate::control::controllers::action::{About, Outcome};
use crate::store::Store;

/// Syncs a volume (`syncVolume`).
pub fn sync_volume(id: VolumeId, store: &Store) -> Outcome {
    let mut outcome = Outcome::idle();
    let Some(volume) = store.volume(id) else { return outcome };
    let mut phase = |phase: VolumePhase| {
        if volume.phase != phase {
            outcome.then(Request::VolumePhase { volume: id, phase }.into());
        }
    };
    let Some(reference) = volume.claim.as_ref().filter(|reference| !reference.uid.is_empty())
    else {
        // Nobody's, or kept for a claim that is still to come.
        phase(VolumePhase::Available);
        return outcome;
    };
    let claim = store.claim_named(&reference.name).map(|(_, claim)| claim);
    match claim.filter(|claim| claim.uid == reference.uid) {
        None => reclaim(id, volume, &mut outcome),
        // The claim's own sync goes on with that.
        Some(claim) if claim.volume.is_empty() => {}
        Some(claim) if claim.volume == volume.name => phase(VolumePhase::Bound),
        Some(_) if !volume.provisioner.is_empty() && volume.reclaim == ReclaimPolicy::Delete => {
            reclaim(id, volume, &mut outcome);
        }
        Some(_) if volume.is_bound_by_controller => {
            outcome.then(Request::UnbindVolume { volume: id }.into());
        }
        Some(_) => {}
    }
    outcome
}

/// The claim of a volume is gone, or has another one.
fn reclaim(id: VolumeId, volume: &PersistentVolume, outcome: &mut Outcome) {
    let is_released = matches!(volume.phase, VolumePhase::Released | VolumePhase::Failed);
    let has_failed = volume.phase == VolumePhase::Failed;
    if !is_released {
        let phase = VolumePhase::Released;
        outcome.then(Request::VolumePhase { volume: id, phase }.into());
    }
    let name = &*volume.name;
    let why = match volume.reclaim {
        ReclaimPolicy::Retain => return,
        ReclaimPolicy::Recycle => "No recycler plugin found for the volume!".to_owned(),
        ReclaimPolicy::Delete if !volume.provisioner.is_empty() => return,
        ReclaimPolicy::Delete => format!(
            "error getting deleter volume plugin for volume {name:?}: no deletable volume plugin \
             matched"
        ),
    };
    if has_failed {
        return;
    }
    let reason = match volume.reclaim {
        ReclaimPolicy::Recycle => "VolumeFailedRecycle",
        _ => "VolumeFailedDelete",
    };
    outcome.then(Request::VolumePhase { volume: id, phase: VolumePhase::Failed }.into());
    outcome.then(event(true, reason, About::Volume(id), why));
}
