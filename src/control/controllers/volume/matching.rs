//! Which of the volumes that are there suits a claim.
//!
//! Source: kubernetes `pkg/controller/volume/persistentvolume/index.go` (`findByClaim`),
//! component-helpers `storage/volume/pv_helpers.go` (`FindMatchingVolume`), v1.37. Volumes of one
//! size are taken in the order of their names; upstream's order is that of a map. It does not know
//! nodes: those are the scheduler's business.

use crate::api::quantity::Quantity;
use crate::api::storage::{Claim, PersistentVolume};
use crate::api::{Text, VolumeId};
use std::cmp::Reverse;
use std::sync::Arc;

/// Access modes in the order in which upstream writes a set of them.
const MODES: [&str; 4] = ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"];

/// A volume's access modes as a set: one bit for each.
fn modes_of(modes: &[Text]) -> u8 {
    let place = |mode: &Text| MODES.iter().position(|known| *known == &**mode);
    modes.iter().filter_map(place).fold(0, |set, place| set | 1 << place)
}

/// The best volume for a claim: of those with the fewest access modes the one that is kept for it,
/// else the smallest. `delays`: the scheduler is to choose among those that are kept for nobody.
pub(super) fn best_match<'a>(
    claim: &Claim,
    volumes: impl Iterator<Item = (VolumeId, &'a Arc<PersistentVolume>)>,
    delays: bool,
) -> Option<VolumeId> {
    let wanted = modes_of(&claim.access_modes);
    let able = volumes.filter(|(_, volume)| modes_of(&volume.access_modes) & wanted == wanted);
    let fit = able.filter_map(|(id, volume)| Some((id, volume, suits(claim, volume, delays)?)));
    let rank = |(_, volume, is_kept): &(VolumeId, &Arc<PersistentVolume>, bool)| {
        // Volumes are tried set of modes by set of modes, the small sets first.
        let modes = modes_of(&volume.access_modes);
        // All that are kept for the claim are as good as each other.
        let size = if *is_kept { Quantity::default() } else { volume.capacity };
        (modes.count_ones(), modes, Reverse(*is_kept), size)
    };
    // Of equal ones `min_by_key` gives the first, as upstream.
    fit.min_by_key(rank).map(|(id, ..)| id)
}

/// Whether a volume of the right access modes is for a claim, and then whether it is kept for it.
fn suits(claim: &Claim, volume: &PersistentVolume, delays: bool) -> Option<bool> {
    let is_kept = volume.is_bound_to(claim);
    let suits = volume.may_serve(claim) && (is_kept || !delays && volume.is_free_for(claim));
    suits.then_some(is_kept)
}

/// Why the volume that a claim asks for by name is none for it (`checkVolumeSatisfyClaim`).
pub(super) fn mismatch(volume: &PersistentVolume, claim: &Claim) -> Option<String> {
    let requested = claim.request.unwrap_or_default().value();
    let wanted = modes_of(&claim.access_modes);
    Some(match () {
        () if volume.is_deleted => {
            format!("the volume is marked for deletion {:?}", &*volume.name)
        }
        () if volume.capacity.value() < requested => "requested PV is too small".to_owned(),
        () if volume.class != claim.class => "storageClassName does not match".to_owned(),
        () if volume.attributes_class != claim.attributes_class => {
            "volumeAttributesClassName does not match".to_owned()
        }
        () if volume.is_block != claim.is_block => "incompatible volumeMode".to_owned(),
        () if modes_of(&volume.access_modes) & wanted != wanted => {
            "incompatible accessMode".to_owned()
        }
        () => return None,
    })
}

#[cfg(test)]
mod tests;
