//! Volumes at a settled start: claims have been bound for long, those that waited for their first
//! consumer where the scheduler has put that, and volumes that running pods use are attached and
//! mounted.

use super::super::controllers::Key;
use super::super::schedule::Notice;
use super::super::world::World;
use crate::api::storage::StorageObject;
use crate::api::{ClaimId, ObjectName, Text, VolumeId};
use crate::control::controllers::volume::{attachdetach, persistentvolume, sync_volume};
use std::sync::Arc;

impl World<'_> {
    /// If the scenario speaks of storage, the cluster has it.
    pub(in crate::world) fn begin_storage(&mut self) {
        if self.scenario.has_storage() {
            self.store.begin_storage();
            self.scheduler.scheduler.tell_storage();
        }
    }

    /// Brings claims and volumes to where their controller would leave them.
    pub(in crate::world) fn settle_storage(&mut self) {
        if !self.store.has_storage() {
            return;
        }
        for id in self.store.pods().map(|(id, _)| id).collect::<Vec<_>>() {
            self.make_ephemeral_claims(id);
        }
        let mut before = u64::MAX;
        while self.store.resource_version() != before {
            before = self.store.resource_version();
            for id in self.store.volumes().map(|(id, _)| id).collect::<Vec<_>>() {
                self.settle_volume(id);
            }
            for id in self.store.claims().map(|(id, _)| id).collect::<Vec<_>>() {
                self.settle_claim(id);
            }
        }
        self.pass_over_changes();
        self.tell_scheduler_of_storage();
    }

    fn settle_volume(&mut self, id: VolumeId) {
        let outcome = sync_volume(id, &self.store);
        self.apply_quietly(Key::Volume(id), outcome);
    }

    fn settle_claim(&mut self, id: ClaimId) {
        let outcome = persistentvolume::sync_claim(id, &self.store);
        self.apply_quietly(Key::Claim(id), outcome);
        let Some(claim) = self.store.claim(id).and_then(|claim| claim.object.clone()) else {
            return;
        };
        let Some(class) = self.store.class(&claim.class).cloned() else { return };
        let name: Text = format!("pvc-{}", claim.uid).into();
        if claim.provisioner.is_empty()
            || !claim.volume.is_empty()
            || self.store.volume_named(&name).is_some()
        {
            return;
        }
        let node = claim.selected_node.as_ref().and_then(|name| self.store.node_of_name(name));
        let zone = match node.and_then(|node| self.store.node(node)) {
            Some(node) => Some(node.zone().into()),
            None => self.any_zone(&claim, &class),
        };
        self.create_made(&claim, &class, zone);
    }

    /// The scheduler has chosen a node for a pod: the pod's claims have been bound there.
    pub(in crate::world) fn settle_claims_of_pod(&mut self, claims: &[ObjectName]) {
        for name in claims {
            let Some((id, _)) = self.store.claim_named(name) else { continue };
            // It is asked for, it is made, it is bound.
            (0..3).for_each(|_| self.settle_claim(id));
            let Some((_, claim)) = self.store.claim_named(name) else { continue };
            let claim = Arc::clone(claim);
            if let Some((volume, object)) = self.store.volume_named(&claim.volume) {
                let object = StorageObject::Volume(Arc::clone(object));
                self.settle_volume(volume);
                self.tell_scheduler(Notice::Storage(object));
            }
            self.tell_scheduler(Notice::Storage(StorageObject::Claim(claim)));
        }
    }

    /// The scheduler knows all storage objects.
    fn tell_scheduler_of_storage(&mut self) {
        for object in self.store.storage_objects() {
            self.tell_scheduler(Notice::Storage(object));
        }
    }

    /// A volume is attached to the node of this name, and has been for long.
    pub(in crate::world) fn attach_at_once(&mut self, volume: VolumeId, node: &Text) {
        let found = self.store.volume(volume);
        if !found.is_some_and(|found| attachdetach::is_attachable(found, &self.store)) {
            return;
        }
        self.create_attachment(volume, node.clone(), true);
        if let Some((id, attachment)) = self.store.attachment_to(volume, node) {
            let object = StorageObject::Attachment(Arc::clone(&attachment.object));
            self.store.report_attachment(id, true);
            self.tell_scheduler(Notice::Storage(object));
        }
    }
}
