//! CSI drivers: what external-provisioner and external-attacher do, and the cloud behind them.
//!
//! Source: kubernetes-csi/external-provisioner `pkg/controller/controller.go`, `topology.go`,
//! external-attacher `pkg/controller/csi_handler.go`, sig-storage-lib-external-provisioner
//! `controller/controller.go`. They are one model for all drivers: each does what it is asked after
//! a while drawn from the cloud's distributions, and never fails. It knows neither claims' choice
//! of volumes nor pods.

use crate::api::event::EventType::{Normal, Warning};
use crate::api::labels::{Labels, Operator, Requirement};
use crate::api::node::ZONE_LABEL;
use crate::api::node_affinity::NodeSelectorTerm;
use crate::api::storage::{
    Claim, CsiVolume, PersistentVolume, ReclaimPolicy, StorageClass, VolumePhase,
};
use crate::api::{AttachmentId, ClaimId, Text, VolumeId};
use crate::control::controllers::action::About;
use crate::sim::sample::Distribution;
use crate::store::Attachment;
use crate::units::{SimDuration, SimTime};
use crate::world::event::Event;
use crate::world::world::World;
use slotmap::Key as _;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a driver has done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CsiStep {
    /// The volume of a claim is there.
    Made(ClaimId),
    /// A volume is deleted.
    Deleted(VolumeId),
    /// A volume is attached.
    Attached(AttachmentId),
    /// A volume is detached.
    Detached(AttachmentId),
}

/// `source.component` of the Events of provisioners, whose real ones bear the names of their pods.
const PROVISIONER: &str = "external-provisioner";

impl World<'_> {
    /// A driver has done something.
    pub(in crate::world) fn on_csi(&mut self, step: CsiStep) {
        if self.outages.is_down() {
            return self.outages.hold(self.now, Event::Csi(step));
        }
        match step {
            CsiStep::Made(claim) => self.volume_is_made(claim),
            CsiStep::Deleted(volume) => {
                self.volumes.deleting.remove(&volume);
                self.store.remove_volume(volume);
            }
            CsiStep::Attached(attachment) => {
                self.store.update_attachment(attachment, |attachment| {
                    !std::mem::replace(&mut attachment.is_attached, true)
                });
            }
            CsiStep::Detached(attachment) => self.store.remove_attachment(attachment),
        }
    }

    /// Draws what a driver takes for an object.
    fn driver_takes(&self, purpose: &'static str, entity: u64, of: &Distribution) -> SimDuration {
        let mut stream = self.streams.stream(purpose, entity);
        SimDuration::from_secs_f64(of.sample(&mut stream))
    }

    /// The provisioner sees a claim: if it is asked for the volume and knows where, it makes it.
    pub(super) fn may_provision(&mut self, id: ClaimId, claim: &Claim) {
        if claim.provisioner.is_empty() || !claim.volume.is_empty() || claim.is_deleted {
            return;
        }
        let Some(class) = self.store.class(&claim.class).cloned() else { return };
        if class.waits_for_consumer && claim.selected_node.is_none() {
            return;
        }
        if !self.volumes.making.insert(id) {
            return;
        }
        let now = self.now + self.watch_latency();
        let takes = &self.scenario.flags.cloud.volume_provision;
        let takes = self.driver_takes("volume provision", id.data().as_ffi(), takes);
        let message =
            format!("External provisioner is provisioning volume for claim \"{}\"", claim.name);
        self.publish(PROVISIONER, Normal, "Provisioning", About::Claim(id), message);
        self.plan(now + takes, Event::Csi(CsiStep::Made(id)));
    }

    /// The volume that a claim asked for is there, and so is its object. The claim may be gone by
    /// now: then the volume's controller sees to that.
    fn volume_is_made(&mut self, id: ClaimId) {
        self.volumes.making.remove(&id);
        let Some(claim) = self.store.claim(id).and_then(|claim| claim.object.clone()) else {
            return;
        };
        let Some(class) = self.store.class(&claim.class).cloned() else { return };
        let zone = match &claim.selected_node {
            None => self.any_zone(&claim, &class),
            Some(name) => match self.store.node_of_name(name) {
                Some(node) => self.store.node(node).map(|node| node.zone().into()),
                None => return self.give_back(id, &claim, name),
            },
        };
        let name = self.create_made(&claim, &class, zone);
        let message = format!("Successfully provisioned volume {name}");
        self.publish(PROVISIONER, Normal, "ProvisioningSucceeded", About::Claim(id), message);
    }

    pub(super) fn create_made(
        &mut self,
        claim: &Claim,
        class: &StorageClass,
        zone: Option<Text>,
    ) -> Text {
        let name: Text = format!("pvc-{}", claim.uid).into();
        let in_zone = |zone: Text| {
            let (key, operator) = (Text::from(ZONE_LABEL), Operator::In);
            let in_zone = Requirement { key, operator, values: vec![zone] };
            vec![NodeSelectorTerm { match_expressions: vec![in_zone], match_fields: Vec::new() }]
        };
        let driver = class.counted_driver.as_ref().unwrap_or(&class.provisioner).clone();
        let volume = PersistentVolume {
            name: name.clone(),
            labels: Labels::default(),
            class: class.name.clone(),
            spec_class: class.name.clone(),
            capacity: claim.request.unwrap_or_default(),
            access_modes: claim.access_modes.clone(),
            is_block: claim.is_block,
            attributes_class: claim.attributes_class.clone(),
            claim: Some(claim.reference()),
            is_bound_by_controller: false,
            phase: VolumePhase::Pending,
            is_deleted: false,
            reclaim: class.reclaim,
            provisioner: driver.clone(),
            created: self.now,
            deletion: None,
            node_affinity: zone.filter(|zone| !zone.is_empty()).map(in_zone),
            csi: Some(CsiVolume { driver, handle: name.clone() }),
            migrated: None,
        };
        self.store.create_volume(volume);
        name
    }

    /// The node that the scheduler chose is gone: it has to choose again
    /// (`rescheduleProvisioning`).
    fn give_back(&mut self, id: ClaimId, claim: &Claim, node: &Text) {
        let message = format!(
            "failed to get target node: nodes {:?} not found; claim {} is scheduled again",
            &**node, claim.name
        );
        self.publish(PROVISIONER, Warning, "ProvisioningFailed", About::Claim(id), message);
        self.store.update_claim_object(id, |claim| claim.selected_node.take().is_some());
    }

    /// The zone of a volume for which nobody has chosen a node: zone after zone, beginning where
    /// the claim's name says (`GenerateAccessibilityRequirements`).
    pub(super) fn any_zone(&self, claim: &Claim, class: &StorageClass) -> Option<Text> {
        let nodes = self.store.nodes().filter(|(_, node)| class.allows(&node.labels));
        let zones: BTreeSet<Text> = nodes.map(|(_, node)| node.zone().into()).collect();
        let zones: Vec<Text> = zones.into_iter().filter(|zone: &Text| !zone.is_empty()).collect();
        let (hash, index) = hash_and_index(&claim.name.name);
        let place = hash.wrapping_add(index) as usize % zones.len().max(1);
        zones.get(place).cloned()
    }

    /// The attacher sees an attachment: it attaches the volume, or detaches it.
    pub(super) fn driver_sees(&mut self, id: AttachmentId, attachment: &Attachment) {
        let (now, cloud) = (self.now + self.watch_latency(), &self.scenario.flags.cloud);
        let (purpose, takes, step) = match (attachment.object.is_attached, attachment.is_reported) {
            _ if attachment.object.is_deleted => {
                ("volume detach", &cloud.volume_detach, CsiStep::Detached(id))
            }
            (false, _) => ("volume attach", &cloud.volume_attach, CsiStep::Attached(id)),
            (true, _) => return,
        };
        let takes = self.driver_takes(purpose, id.data().as_ffi(), takes);
        self.plan(now + takes, Event::Csi(step));
    }

    /// The provisioner sees a volume: one of its own that nobody claims any more it deletes, when
    /// it is attached nowhere.
    pub(super) fn may_delete_volume(&mut self, id: VolumeId, volume: &Arc<PersistentVolume>) {
        let is_wanted = volume.provisioner.is_empty()
            || volume.reclaim != ReclaimPolicy::Delete
            || volume.phase != VolumePhase::Released;
        if is_wanted && !volume.is_deleted {
            return;
        }
        if volume.phase == VolumePhase::Bound || self.store.attachments_of(id).next().is_some() {
            return;
        }
        if volume.provisioner.is_empty() || volume.reclaim != ReclaimPolicy::Delete {
            // The object only: what is behind it stays.
            return self.store.remove_volume(id);
        }
        if self.volumes.deleting.insert(id) {
            let takes = &self.scenario.flags.cloud.volume_delete;
            let takes = self.driver_takes("volume delete", id.data().as_ffi(), takes);
            let at: SimTime = self.now + self.watch_latency() + takes;
            self.plan(at, Event::Csi(CsiStep::Deleted(id)));
        }
    }
}

/// A hash of a claim's name, and the ordinal at its end (`getPVCNameHashAndIndexOffset`): claims of
/// one StatefulSet, `<template>-<set>-<ordinal>`, have one hash and go zone after zone.
fn hash_and_index(name: &str) -> (u32, u32) {
    let (mut hashed, mut index) = (name, 0);
    if let Some((rest, last)) = name.rsplit_once('-')
        && let Ok(ordinal) = last.parse()
    {
        index = ordinal;
        hashed = rest.rsplit_once('-').map_or(rest, |(_, set)| set);
    }
    // FNV-1 of 32 bits, as Go's `fnv.New32`.
    let hash = hashed
        .bytes()
        .fold(2_166_136_261u32, |hash, byte| hash.wrapping_mul(16_777_619) ^ u32::from(byte));
    (hash, index)
}

#[cfg(test)]
mod zone_tests {
    use super::*;

    #[test]
    fn claims_of_one_set_go_zone_after_zone() {
        let (hash, first) = hash_and_index("data-db-0");
        assert_eq!((hash, first), (hash_and_index("log-db-0").0, 0), "whatever their template");
        assert_eq!(hash_and_index("data-db-2"), (hash, 2));
        assert_eq!(hash_and_index("scratch").1, 0, "a name without an ordinal has only its hash");
        // Values of Go's hash/fnv.
        assert_eq!(hash_and_index("").0, 0x811c_9dc5);
        assert_eq!(hash_and_index("a").0, 0x050c_5d7e);
    }
}
