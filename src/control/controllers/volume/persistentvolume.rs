//! The persistentvolume-binder: claims get volumes, those that are there or those that an external
//! provisioner makes.
//!
//! Source: kubernetes `pkg/controller/volume/persistentvolume/pv_controller.go`, v1.37. A claim or
//! volume that was in vain is looked at again when something changes that may help, at the next
//! instant of the resync (15 s); what a resync would only say again is not said.

use super::matching::{best_match, mismatch};
use super::request::Request;
use crate::api::event::EventType::{Normal, Warning};
use crate::api::storage::{Claim, NO_PROVISIONER, PersistentVolume, StorageClass, VolumePhase};
use crate::api::{ClaimId, Text, VolumeId};
use crate::control::controllers::action::{About, Action, Outcome};
use crate::store::Store;
use crate::units::SimDuration;
use std::sync::Arc;

/// `--pvclaimbinder-sync-period`
pub const RESYNC: SimDuration = SimDuration::from_secs(15);

/// Syncs a claim (`syncClaim`).
pub fn sync_claim(id: ClaimId, store: &Store) -> Outcome {
    let Some(claim) = store.claim(id).and_then(|claim| claim.object.as_ref()) else {
        return Outcome::idle();
    };
    let sync = Sync { id, claim, store };
    match (claim.is_bind_completed, claim.volume.is_empty()) {
        (true, _) => sync.bound(),
        (false, true) => sync.unbound(),
        (false, false) => sync.asks_for_volume(),
    }
}

/// One claim.
struct Sync<'a> {
    id: ClaimId,
    claim: &'a Claim,
    store: &'a Store,
}

/// An Event of the controller's.
pub(super) fn event(
    warns: bool,
    reason: &'static str,
    about: About,
    message: impl Into<String>,
) -> Action {
    let kind = if warns { Warning } else { Normal };
    Action::Event { kind, reason, about, message: message.into() }
}

/// The class that claims get which name none: of several the youngest (`GetDefaultClass`).
pub fn default_class(store: &Store) -> Option<&Arc<StorageClass>> {
    let classes = store.classes().filter(|class| class.is_default);
    // Of equal age the first by name.
    classes.min_by_key(|class| std::cmp::Reverse(class.created))
}

impl Sync<'_> {
    fn say(&self, warns: bool, reason: &'static str, message: impl Into<String>) -> Outcome {
        let mut outcome = Outcome::idle();
        outcome.then(event(warns, reason, About::Claim(self.id), message));
        outcome
    }

    /// A claim without a volume (`syncUnboundClaim`).
    fn unbound(&self) -> Outcome {
        let class = self.store.class(&self.claim.class);
        let delays = class.is_some_and(|class| class.waits_for_consumer);
        if let Some(volume) = best_match(self.claim, self.store.volumes(), delays) {
            return self.bind(volume);
        }
        if !self.claim.names_class
            && let Some(class) = default_class(self.store)
        {
            let mut outcome = Outcome::idle();
            let class = class.name.clone();
            outcome.then(Request::SetClass { claim: self.id, class }.into());
            return outcome;
        }
        if delays && self.claim.selected_node.is_none() {
            return self.tell_what_it_waits_for();
        }
        if self.claim.class.is_empty() {
            let message =
                "no persistent volumes available for this claim and no storage class is set";
            return self.say(false, "FailedBinding", message);
        }
        self.provision(class)
    }

    /// The scheduler has yet to say where its volume is to be
    /// (`emitEventForUnboundDelayBindingClaim`).
    fn tell_what_it_waits_for(&self) -> Outcome {
        let users = self.store.users_of(&self.claim.name);
        let waiting = users.filter(|(_, pod)| pod.node.is_none()).map(|(_, pod)| pod.name());
        let names: Vec<Text> = waiting.collect();
        let (reason, message) = match &names[..] {
            [] => (
                "WaitForFirstConsumer",
                "waiting for first consumer to be created before binding".to_owned(),
            ),
            [name] => ("WaitForPodScheduled", format!("waiting for pod {name} to be scheduled")),
            names => (
                "WaitForPodScheduled",
                format!("waiting for pods {} to be scheduled", names.join(",")),
            ),
        };
        self.say(false, reason, message)
    }

    /// Asks the external provisioner of its class (`provisionClaimOperationExternal`).
    fn provision(&self, class: Option<&Arc<StorageClass>>) -> Outcome {
        let Some(class) = class else {
            let message = format!("storageclass.storage.k8s.io {:?} not found", &*self.claim.class);
            return self.say(true, "ProvisioningFailed", message);
        };
        if &*class.provisioner == NO_PROVISIONER {
            let message = format!("no volume plugin matched name: {NO_PROVISIONER}");
            return self.say(true, "ProvisioningFailed", message);
        }
        let provisioner = class.counted_driver.as_ref().unwrap_or(&class.provisioner).clone();
        let message = format!(
            "Waiting for a volume to be created either by the external provisioner '{provisioner}' \
             or manually by the system administrator. If volume creation is delayed, please verify \
             that the provisioner is running and correctly registered."
        );
        let mut outcome = Outcome::idle();
        if self.claim.provisioner != provisioner {
            outcome.then(Request::AskProvisioner { claim: self.id, provisioner }.into());
        }
        outcome.then(event(false, "ExternalProvisioning", About::Claim(self.id), message));
        outcome
    }

    /// A claim that names its volume and does not have it yet.
    fn asks_for_volume(&self) -> Outcome {
        let Some((id, volume)) = self.store.volume_named(&self.claim.volume) else {
            return Outcome::idle();
        };
        if volume.claim.is_some() {
            if volume.is_bound_to(self.claim) {
                return self.bind(id);
            }
            let message = format!("volume {:?} already bound to a different claim.", &*volume.name);
            return self.say(true, "FailedBinding", message);
        }
        match mismatch(volume, self.claim) {
            None => self.bind(id),
            Some(why) => {
                let name = &*volume.name;
                let message = format!("Cannot bind to requested volume {name:?}: {why}");
                self.say(true, "VolumeMismatch", message)
            }
        }
    }

    /// A claim that has been bound (`syncBoundClaim`).
    fn bound(&self) -> Outcome {
        if self.claim.volume.is_empty() {
            return self.lose(
                "ClaimLost",
                "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!",
            );
        }
        let Some((id, volume)) = self.store.volume_named(&self.claim.volume) else {
            return self.lose(
                "ClaimLost",
                "Bound claim has lost its PersistentVolume. Data on the volume is lost!",
            );
        };
        match &volume.claim {
            None => self.bind(id),
            Some(reference) if reference.uid == self.claim.uid => self.bind(id),
            Some(_) => self.lose(
                "ClaimMisbound",
                "Two claims are bound to the same volume, this one is bound incorrectly",
            ),
        }
    }

    fn lose(&self, reason: &'static str, message: &str) -> Outcome {
        let mut outcome = Outcome::idle();
        if !self.claim.is_lost {
            outcome.then(Request::LoseClaim { claim: self.id }.into());
            outcome.then(event(true, reason, About::Claim(self.id), message));
        }
        outcome
    }

    /// Writes what is missing of a binding, the volume first (`bind`).
    fn bind(&self, id: VolumeId) -> Outcome {
        let mut outcome = Outcome::idle();
        let Some(volume) = self.store.volume(id) else { return outcome };
        let claim = self.id;
        if !is_claimed(volume, self.claim) {
            outcome.then(Request::ClaimVolume { volume: id, claim }.into());
        }
        if volume.phase != VolumePhase::Bound {
            let phase = VolumePhase::Bound;
            outcome.then(Request::VolumePhase { volume: id, phase }.into());
        }
        if self.claim.volume != volume.name || !self.claim.is_bind_completed {
            outcome.then(Request::BindClaim { claim, volume: id }.into());
        }
        if self.claim.capacity.is_none() || self.claim.is_lost {
            outcome.then(Request::ClaimStatus { claim, volume: id }.into());
        }
        outcome
    }
}

/// Whether a volume's reference names this claim, its uid included.
fn is_claimed(volume: &PersistentVolume, claim: &Claim) -> bool {
    let reference = volume.claim.as_ref();
    reference.is_some_and(|r| r.name == claim.name && r.uid == claim.uid)
}

#[cfg(test)]
mod tests;
