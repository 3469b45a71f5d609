//! Whether what was written for a pod's claims has taken effect: the claims are bound, or never
//! will be like this.
//!
//! Source: `plugins/volumebinding/binder.go` (`checkBindings`), v1.37. Upstream tells by resource
//! versions whether the API server has shown a write yet; here what is assumed of an object lasts
//! just as long. It knows neither time nor how often it is asked.

use super::find::{Unfit, reaches};
use crate::api::storage::PersistentVolume;
use crate::control::scheduler::framework::PodBinding;
use crate::control::scheduler::storage::Storage;

/// Whether all claims of the pod are bound (`checkBindings`), or why the binding is given up.
pub(super) fn are_bound(storage: &Storage, binding: &PodBinding<'_>) -> Result<bool, String> {
    let node = binding.node.name();
    if !binding.node_is_there {
        return Err(format!("failed to get node {node:?}: node {node:?} not found"));
    }
    if !binding.pod_is_there {
        return Err("pod does not exist any more".to_owned());
    }
    for (volume, claim) in &binding.reserved.bindings {
        let missing = |what: String| format!("failed to check binding: {what} not found");
        let found = storage.volume(volume);
        let found = found.ok_or_else(|| missing(format!("persistentvolumes {volume:?}")))?;
        let bound = storage.claim(claim);
        let bound = bound.ok_or_else(|| missing(format!("persistentvolumeclaims \"{claim}\"")))?;
        if storage.is_volume_assumed(volume) {
            return Ok(false);
        }
        check_reaches(storage, found, binding)?;
        if found.claim.as_ref().is_none_or(|claim| claim.uid.is_empty()) {
            return Err(format!("ClaimRef got reset for pv {volume:?}"));
        }
        if !bound.is_bound() {
            return Ok(false);
        }
    }
    for (claim, selected) in &binding.reserved.provisions {
        let found = storage.claim(claim).ok_or_else(|| {
            let what = format!("persistentvolumeclaims \"{claim}\"");
            format!("failed to check provisioning pvc: {what} not found")
        })?;
        if storage.is_claim_assumed(claim) {
            return Ok(false);
        }
        if found.selected_node.as_ref() != Some(selected) {
            return Err(format!("provisioning failed for PVC {:?}", claim.name));
        }
        if !found.volume.is_empty() {
            let Some(volume) = storage.volume(&found.volume) else { return Ok(false) };
            check_reaches(storage, volume, binding)?;
        }
        if !found.is_bound() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn check_reaches(
    storage: &Storage,
    volume: &PersistentVolume,
    binding: &PodBinding<'_>,
) -> Result<(), String> {
    let node = &binding.node.node;
    match reaches(volume, storage.csi_node(&node.name), node) {
        Ok(true) => Ok(()),
        Ok(false) => Err(format!(
            "pv {:?} node affinity doesn't match node {:?}: no matching NodeSelectorTerms",
            volume.name, node.name
        )),
        Err(Unfit::Error(why)) => Err(format!("failed to translate pv to csi: {why}")),
        Err(Unfit::Conflicts(reasons)) => Err(reasons.join(", ")),
    }
}
