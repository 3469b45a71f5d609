//! Volumes in a run, as the API server sees them: what their controllers and the scheduler write,
//! who is told of which change, and what keeps an object that is to be deleted.
//!
//! | file | what lives there |
//! |---|---|
//! | `mod.rs` | requests, and who hears of what |
//! | `objects.rs` | objects as a person or a StatefulSet has them made and deleted |
//! | `csi.rs` | the drivers: volumes made, deleted, attached and detached |
//! | `settle.rs` | what has been there for long when the clock starts |
//!
//! What a kubelet does with volumes is in `kubelet/volumes.rs`. Nothing of all this happens in a
//! run whose scenario speaks of no storage.

mod csi;
mod objects;
mod settle;
#[cfg(test)]
mod tests;

pub(super) use csi::CsiStep;

use super::controllers::Key;
use super::schedule::Notice;
use super::world::World;
use crate::api::storage::{PersistentVolume, StorageObject, VolumeAttachment, VolumePhase};
use crate::api::{AttachmentId, ClaimId, NodeId, ObjectName, PodId, Text, VolumeId};
use crate::control::controllers::volume::attachdetach::LOOP_PERIOD;
use crate::control::controllers::volume::persistentvolume::RESYNC;
use crate::control::controllers::volume::request::Request;
use crate::control::scheduler::framework::PluginId;
use crate::control::scheduler::storage::Reservation;
use crate::store::{Attachment, Change, claims_of};
use crate::units::SimTime;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What the world keeps of volumes beside their objects.
#[derive(Default)]
pub(super) struct Volumes {
    /// What PreBind plugins are writing.
    writing: BTreeMap<(u64, PluginId), Reservation>,
    /// Claims whose volumes are being made.
    making: BTreeSet<ClaimId>,
    /// Volumes that are being deleted.
    deleting: BTreeSet<VolumeId>,
    /// What kubelets do with volumes.
    pub(super) kubelets: super::kubelet::Mounts,
    /// How many claims have been created.
    claims: u64,
}

impl World<'_> {
    /// Does what a controller of volumes asks; false when it is refused.
    pub(super) fn apply_volume(&mut self, request: Request) -> bool {
        match request {
            Request::ClaimVolume { volume, claim } => return self.claim_volume(volume, claim),
            Request::UnbindVolume { volume } => self.store.update_volume(volume, |volume| {
                let was_bound = volume.claim.take().is_some();
                volume.is_bound_by_controller = false;
                was_bound
            }),
            Request::VolumePhase { volume, phase } => {
                self.store.update_volume(volume, |volume| {
                    std::mem::replace(&mut volume.phase, phase) != phase
                });
            }
            Request::BindClaim { claim, volume } => {
                let Some(name) = self.store.volume(volume).map(|v| v.name.clone()) else {
                    return false;
                };
                self.store.update_claim_object(claim, |claim| {
                    claim.is_bound_by_controller |= claim.volume.is_empty();
                    (claim.volume, claim.is_bind_completed) = (name, true);
                    true
                });
            }
            Request::ClaimStatus { claim, volume } => {
                let capacity = self.store.volume(volume).map(|volume| volume.capacity);
                self.store.update_claim_object(claim, |claim| {
                    (claim.capacity, claim.is_lost) = (capacity, false);
                    true
                });
            }
            Request::LoseClaim { claim } => self.store.update_claim_object(claim, |claim| {
                (claim.capacity, claim.is_lost) = (None, true);
                true
            }),
            Request::SetClass { claim, class } => {
                self.store.update_claim_object(claim, |claim| {
                    (claim.class, claim.names_class) = (class, true);
                    true
                });
            }
            Request::AskProvisioner { claim, provisioner } => {
                self.store.update_claim_object(claim, |claim| {
                    std::mem::replace(&mut claim.provisioner, provisioner.clone()) != provisioner
                });
            }
            Request::Attach { volume, node } => self.create_attachment(volume, node, false),
            Request::Report { attachment, is_attached } => {
                self.store.report_attachment(attachment, is_attached);
            }
            Request::Detach { attachment } => {
                self.store.update_attachment(attachment, |attachment| {
                    !std::mem::replace(&mut attachment.is_deleted, true)
                });
            }
        }
        true
    }

    /// A volume gets a claim, unless another has it.
    fn claim_volume(&mut self, volume: VolumeId, claim: ClaimId) -> bool {
        let Some(claim) = self.store.claim(claim).and_then(|claim| claim.object.clone()) else {
            return false;
        };
        let Some(found) = self.store.volume(volume) else { return false };
        if found.claim.is_some() && !found.is_bound_to(&claim) {
            return false;
        }
        self.store.update_volume(volume, |volume| {
            volume.is_bound_by_controller |= volume.claim.is_none();
            volume.claim = Some(claim.reference());
            true
        });
        true
    }

    /// A volume is to be attached to a node.
    fn create_attachment(&mut self, id: VolumeId, node: Text, is_attached: bool) {
        let Some(volume) = self.store.volume(id) else { return };
        let driver = volume.driver().cloned().unwrap_or_default();
        let handle = volume.csi.as_ref().map_or(&volume.name, |csi| &csi.handle);
        // Upstream's is a SHA-256 of the same words.
        let hash = blake3::hash(format!("{handle}{driver}{node}").as_bytes());
        let object = VolumeAttachment {
            name: format!("csi-{}", hash.to_hex()).into(),
            node,
            attacher: driver,
            volume: Some(volume.name.clone()),
            is_attached,
            is_deleted: false,
            created: self.now,
        };
        self.store.create_attachment(id, object);
    }

    /// What a PreBind plugin is about to write of volumes.
    pub(super) fn volumes_are_being_written(
        &mut self,
        key: (u64, PluginId),
        reservation: &Reservation,
    ) {
        if !reservation.bindings.is_empty() || !reservation.provisions.is_empty() {
            let volumes = Reservation { claims: Vec::new(), ..reservation.clone() };
            self.volumes.writing.insert(key, volumes);
        }
    }

    /// It has reached the API server (`bindAPIUpdate`).
    pub(super) fn write_volumes(&mut self, key: (u64, PluginId)) -> Result<(), String> {
        let Some(reservation) = self.volumes.writing.remove(&key) else { return Ok(()) };
        for (name, claim) in &reservation.bindings {
            let volume = self.store.volume_named(name).map(|(id, _)| id);
            let claim = self.store.claim_named(claim).map(|(id, _)| id);
            let (Some(volume), Some(claim)) = (volume, claim) else {
                return Err(format!("persistentvolumes {:?} not found", &**name));
            };
            if !self.claim_volume(volume, claim) {
                return Err(format!(
                    "Operation cannot be fulfilled on persistentvolumes {:?}: the object has been \
                     modified; please apply your changes to the latest version and try again",
                    &**name
                ));
            }
        }
        for (claim, node) in &reservation.provisions {
            let Some((id, _)) = self.store.claim_named(claim) else {
                return Err(format!("persistentvolumeclaims {:?} not found", &*claim.name));
            };
            let node = Some(node.clone());
            self.store.update_claim_object(id, |claim| {
                std::mem::replace(&mut claim.selected_node, node.clone()) != node
            });
        }
        Ok(())
    }
}

/// Who hears of what.
impl World<'_> {
    /// Tells of a change of a claim, or of another object of storage.
    pub(super) fn tell_of_storage(&mut self, change: Change) {
        match change {
            Change::Claim(id) => self.claim_changed(id),
            Change::ClaimRemoved(_, claim) => {
                self.claim_removed(&claim);
                self.claim_is_gone(&claim);
            }
            Change::Volume(id) => self.volume_changed(id),
            Change::VolumeRemoved(_, volume) => self.volume_removed(&volume),
            Change::Attachment(id) => self.attachment_changed(id),
            Change::AttachmentRemoved(_, attachment) => self.attachment_removed(&attachment),
            Change::VolumesInUse(node) => self.look_at_volumes_on(&node),
            Change::Storage(object) => self.storage_changed(object),
            Change::StorageGone(object) => self.scheduler_sees(Notice::StorageGone(object)),
            _ => {}
        }
    }

    /// A claim appeared or changed.
    fn claim_changed(&mut self, id: ClaimId) {
        let Some(claim) = self.store.claim(id).and_then(|claim| claim.object.clone()) else {
            return;
        };
        self.notify(Key::Claim(id));
        self.scheduler_sees(Notice::Storage(StorageObject::Claim(Arc::clone(&claim))));
        self.may_provision(id, &claim);
        if let Some((volume, _)) = self.store.volume_named(&claim.volume) {
            self.attach_detach_sees(volume);
            self.notify(Key::Volume(volume));
        }
        let users: Vec<PodId> = self.store.users_of(&claim.name).map(|(pod, _)| pod).collect();
        users.into_iter().for_each(|pod| self.kubelet_sees_claim(pod));
    }

    /// A claim is gone.
    fn claim_removed(&mut self, claim: &crate::api::stateful_set::Claim) {
        let Some(claim) = &claim.object else { return };
        self.scheduler_sees(Notice::StorageGone(StorageObject::Claim(Arc::clone(claim))));
        if let Some((volume, _)) = self.store.volume_named(&claim.volume) {
            self.notify(Key::Volume(volume));
            self.attach_detach_sees(volume);
        }
    }

    /// A volume appeared or changed.
    fn volume_changed(&mut self, id: VolumeId) {
        let Some(volume) = self.store.volume(id).cloned() else { return };
        self.notify(Key::Volume(id));
        self.scheduler_sees(Notice::Storage(StorageObject::Volume(Arc::clone(&volume))));
        self.attach_detach_sees(id);
        let claim = volume.claim.as_ref().map(|reference| &reference.name);
        if let Some((claim, _)) = claim.and_then(|name| self.store.claim_named(name)) {
            self.notify(Key::Claim(claim));
        } else if volume.phase == VolumePhase::Available {
            self.resync_claims();
        }
        self.may_delete_volume(id, &volume);
    }

    /// A volume is gone.
    fn volume_removed(&mut self, volume: &Arc<PersistentVolume>) {
        self.scheduler_sees(Notice::StorageGone(StorageObject::Volume(Arc::clone(volume))));
        let claim = volume.claim.as_ref().map(|reference| &reference.name);
        if let Some((claim, _)) = claim.and_then(|name| self.store.claim_named(name)) {
            self.notify(Key::Claim(claim));
        }
    }

    /// An attachment appeared or changed.
    fn attachment_changed(&mut self, id: AttachmentId) {
        let Some(attachment) = self.store.attachment(id).cloned() else { return };
        let object = StorageObject::Attachment(Arc::clone(&attachment.object));
        self.scheduler_sees(Notice::Storage(object));
        self.attach_detach_sees(attachment.volume);
        self.driver_sees(id, &attachment);
        if attachment.is_reported {
            self.kubelet_sees_attachment(&attachment);
        }
    }

    /// An attachment is gone.
    fn attachment_removed(&mut self, attachment: &Attachment) {
        let object = StorageObject::Attachment(Arc::clone(&attachment.object));
        self.scheduler_sees(Notice::StorageGone(object));
        self.attach_detach_sees(attachment.volume);
        if let Some(volume) = self.store.volume(attachment.volume).cloned() {
            self.may_delete_volume(attachment.volume, &volume);
        }
    }

    /// A class, driver, CSINode or capacity appeared or changed.
    fn storage_changed(&mut self, object: StorageObject) {
        if matches!(object, StorageObject::Class(_)) {
            self.resync_claims();
        }
        self.scheduler_sees(Notice::Storage(object));
    }

    /// Claims that have no volume are looked at again at the next resync.
    fn resync_claims(&mut self) {
        let at = (self.now + self.watch_latency()).next_on_grid(SimTime::ZERO, RESYNC);
        let waits = |claim: &crate::api::stateful_set::Claim| {
            claim.object.as_ref().is_some_and(|claim| !claim.is_bind_completed)
        };
        let waiting = self.store.claims().filter(|(_, claim)| waits(claim));
        for id in waiting.map(|(id, _)| id).collect::<Vec<_>>() {
            self.enqueue(Key::Claim(id), at);
        }
    }

    /// A pod is bound, has changed or is to go: its volumes may have to move. Only its binding and
    /// its end bear on that.
    pub(super) fn pod_volumes_changed(&mut self, pod: PodId) {
        if !self.store.has_storage() {
            return;
        }
        let Some(pod) = self.store.pod(pod) else { return };
        self.look_at_volumes_of(&claims_of(pod).collect::<Vec<_>>());
    }

    /// A pod is gone: its volumes may go elsewhere, and claims that were kept for it go.
    pub(super) fn pod_leaves_volumes(&mut self, id: PodId, pod: &crate::api::pod::Pod) {
        if !self.store.has_storage() {
            self.kubelet_loses_pod(id, pod.node);
            return;
        }
        let claims: Vec<ObjectName> = claims_of(pod).collect();
        self.look_at_volumes_of(&claims);
        self.kubelet_loses_pod(id, pod.node);
        for name in claims {
            let found = self.store.claim_named(&name).map(|(id, claim)| (id, claim.is_deleted));
            match found {
                Some((claim, true)) if !self.is_claim_used(&name) => self.store.remove_claim(claim),
                _ => {}
            }
        }
    }

    fn look_at_volumes_of(&mut self, claims: &[ObjectName]) {
        for claim in claims {
            let volume = self.store.claim_named(claim).map(|(_, claim)| claim.volume.clone());
            if let Some((volume, _)) = volume.and_then(|name| self.store.volume_named(&name)) {
                self.attach_detach_sees(volume);
            }
        }
    }

    /// A node changed: whether it is to be trusted about the volumes that are to leave it.
    pub(super) fn node_volumes_changed(&mut self, node: NodeId) {
        if !self.store.has_storage() {
            return;
        }
        let Some(name) = self.store.name_of_node(node).cloned() else { return };
        self.look_at_volumes_on(&name);
    }

    /// A node's object is gone, and its CSINode with it.
    pub(super) fn node_is_gone(&mut self, name: &Text) {
        if self.store.has_storage() {
            let node = ObjectName { namespace: Text::default(), name: name.clone() };
            self.store.drop_storage("CSINode", &node);
            self.look_at_volumes_on(name);
        }
    }

    /// What a node's status says of the volumes in use has changed.
    fn look_at_volumes_on(&mut self, node: &Text) {
        let here = self.store.attachments().filter(|(_, a)| a.object.node == *node);
        for volume in here.map(|(_, a)| a.volume).collect::<Vec<_>>() {
            self.attach_detach_sees(volume);
        }
    }

    /// The attachdetach controller looks at every volume.
    pub(super) fn look_at_all_volumes(&mut self) {
        for volume in self.store.volumes().map(|(id, _)| id).collect::<Vec<_>>() {
            self.attach_detach_sees(volume);
        }
    }

    /// The attachdetach controller looks at a volume when its loop next comes round.
    fn attach_detach_sees(&mut self, volume: VolumeId) {
        self.tell_attach_detach(volume);
        let at = (self.now + self.watch_latency()).next_on_grid(SimTime::ZERO, LOOP_PERIOD);
        self.enqueue(Key::AttachDetach, at);
    }
}
