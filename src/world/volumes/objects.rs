//! Storage objects as a person, a manifest or a StatefulSet has them made, changed and deleted.
//!
//! Source: kubernetes `plugin/pkg/admission/storage/storageclass/setdefault/admission.go`,
//! `pkg/controller/volume/{pvcprotection,pvprotection,ephemeral}`, v1.37. What the protection
//! controllers write takes no time here: an object whose deletion nothing stands in the way of goes
//! at once.

use super::super::world::World;
use crate::api::refusal::Refusal;
use crate::api::stateful_set::{self, ClaimOwner};
use crate::api::storage::{
    Claim, CsiDriver, CsiNode, CsiNodeDriver, CsiStorageCapacity, NO_PROVISIONER, PersistentVolume,
    StorageClass, StorageObject,
};
use crate::api::volume::{Volume, VolumeSource, claim_name};
use crate::api::{ClaimId, NodeId, ObjectName, PodId, Text};
use crate::control::controllers::volume::persistentvolume::default_class;
use k8s_openapi::api::core::v1 as core;
use std::collections::BTreeSet;
use std::sync::Arc;

impl World<'_> {
    /// Applies a storage object: it is created, or changed in what may change.
    pub(in crate::world) fn apply_storage(
        &mut self,
        object: &StorageObject,
    ) -> Result<(), Refusal> {
        let created = self.now;
        match object {
            StorageObject::Volume(given) => {
                let Some((id, _)) = self.store.volume_named(&given.name) else {
                    self.store.create_volume(PersistentVolume { created, ..(**given).clone() });
                    return Ok(());
                };
                self.store.update_volume(id, |volume| {
                    let before = (volume.reclaim, volume.labels.clone());
                    (volume.reclaim, volume.labels) = (given.reclaim, given.labels.clone());
                    before != (volume.reclaim, volume.labels.clone())
                });
            }
            StorageObject::Claim(given) => return self.apply_claim(given),
            StorageObject::Class(given) => {
                let known = self.store.class(&given.name).map(|class| class.created);
                let created = known.unwrap_or(created);
                let class = StorageClass { created, ..(**given).clone() };
                self.store.put_storage(StorageObject::Class(Arc::new(class)));
                self.tell_nodes_of_drivers();
            }
            StorageObject::CsiDriver(given) => {
                let known = self.store.csi_driver(&given.name).map(|driver| driver.created);
                let created = known.unwrap_or(created);
                let driver = CsiDriver { created, ..(**given).clone() };
                self.store.put_storage(StorageObject::CsiDriver(Arc::new(driver)));
                self.tell_nodes_of_drivers();
            }
            StorageObject::CsiNode(_) => self.store.put_storage(object.clone()),
            StorageObject::Capacity(given) => {
                let capacity = CsiStorageCapacity::clone(given);
                self.store.put_storage(StorageObject::Capacity(Arc::new(capacity)));
            }
            // The attachdetach controller makes them, and nobody else.
            StorageObject::Attachment(_) => {}
        }
        Ok(())
    }

    fn apply_claim(&mut self, given: &Claim) -> Result<(), Refusal> {
        let known =
            self.store.claim_named(&given.name).map(|(id, known)| (id, known.class.clone()));
        let Some((id, class)) = known else {
            let (namespace, name) = (given.name.namespace.clone(), given.name.name.clone());
            let object = Some(Arc::new(given.clone()));
            let (pod, owner, is_deleted) = (Text::default(), None, false);
            let claim = stateful_set::Claim { namespace, name, pod, owner, is_deleted, object };
            self.create_claim_object(claim);
            return Ok(());
        };
        let may_grow = self.store.class(&class).is_some_and(|class| class.allows_expansion);
        let before = self.store.claim(id).and_then(|claim| claim.object.clone());
        if let Some(known) = before.filter(|known| may_grow && given.request > known.request) {
            let grown = Claim { request: given.request, ..(*known).clone() };
            self.admit_growth(&known, &grown)?;
        }
        self.store.update_claim_object(id, |claim| {
            let before = claim.clone();
            claim.labels = given.labels.clone();
            if may_grow && given.request > claim.request {
                // No driver here resizes: only the wish is kept.
                claim.request = given.request;
            }
            *claim != before
        });
        Ok(())
    }

    /// Creates a claim: it gets a uid, and the default class if it names none.
    pub(in crate::world) fn create_claim_object(&mut self, mut claim: stateful_set::Claim) {
        if let Some(object) = claim.object.as_mut().map(Arc::make_mut) {
            self.volumes.claims += 1;
            object.uid = self.new_uid(self.volumes.claims);
            object.created = self.now;
            if !object.names_class
                && let Some(class) = default_class(&self.store)
            {
                (object.class, object.names_class) = (class.name.clone(), true);
            }
        }
        self.store.create_claim(claim);
    }

    fn new_uid(&self, ordinal: u64) -> Text {
        let mut stream = self.streams.stream("claim uid", ordinal);
        let (high, low) = (stream.next_u64(), stream.next_u64());
        let (a, b, c) = (high >> 32, high >> 16 & 0xffff, high & 0xfff);
        let (d, e) = (low >> 48 & 0x3fff | 0x8000, low & 0xffff_ffff_ffff);
        format!("{a:08x}-{b:04x}-4{c:03x}-{d:04x}-{e:012x}").into()
    }

    /// Somebody deletes a storage object.
    pub(in crate::world) fn delete_storage(&mut self, kind: &str, name: &ObjectName) {
        match kind {
            "PersistentVolume" => {
                let Some((id, _)) = self.store.volume_named(&name.name) else { return };
                let now = self.now;
                self.store.update_volume(id, |volume| {
                    volume.deletion.get_or_insert(now);
                    !std::mem::replace(&mut volume.is_deleted, true)
                });
            }
            kind => self.store.drop_storage(kind, name),
        }
    }

    /// Whether a pod that has its node uses a claim: then the claim stays (pvc-protection).
    pub(in crate::world) fn is_claim_used(&self, claim: &ObjectName) -> bool {
        self.store.users_of(claim).any(|(_, pod)| pod.node.is_some())
    }

    /// A claim is to be deleted: it goes when no pod uses it.
    pub(in crate::world) fn delete_simulated_claim(&mut self, id: ClaimId) {
        let name = self.store.claim(id).and_then(|claim| Some(claim.object.as_ref()?.name.clone()));
        if name.is_none_or(|name| !self.is_claim_used(&name)) {
            return self.store.remove_claim(id);
        }
        let now = self.now;
        self.store.update_claim(id, |claim| {
            if let Some(object) = claim.object.as_mut().map(Arc::make_mut) {
                object.is_deleted = true;
                object.deletion.get_or_insert(now);
            }
            !std::mem::replace(&mut claim.is_deleted, true)
        });
    }

    /// Claims of a new pod's ephemeral volumes (the ephemeral-volume controller).
    pub(in crate::world) fn make_ephemeral_claims(&mut self, id: PodId) {
        let Some(pod) = self.store.pod(id).filter(|_| self.store.has_storage()) else { return };
        let is_ephemeral = |volume: &&Volume| matches!(volume.source, VolumeSource::Ephemeral);
        let volumes: Vec<Volume> = pod.spec.volumes.iter().filter(is_ephemeral).cloned().collect();
        if volumes.is_empty() {
            return;
        }
        let (namespace, pod_name) = (pod.namespace.clone(), pod.name());
        for volume in volumes {
            let Some(name) = claim_name(&volume, &pod_name) else { continue };
            let full = ObjectName { namespace: namespace.clone(), name: name.clone() };
            if self.store.claim_named(&full).is_some() {
                continue;
            }
            let Some(asked) = ephemeral_claim(&volume) else { continue };
            let owner = Some(format!("{namespace}/{pod_name}").into());
            // Refused, as by a quota: the pod waits for a claim that does not come.
            let Ok(()) = self.admit_claim(&full, Some(&asked)) else { continue };
            let object = Some(Arc::new(Claim { name: full, owner, ..asked }));
            let claim = stateful_set::Claim {
                namespace: namespace.clone(),
                name,
                pod: pod_name.clone(),
                owner: Some(ClaimOwner::Pod(id)),
                is_deleted: false,
                object,
            };
            self.create_claim_object(claim);
        }
    }

    /// The drivers of all classes run on every node, and tell how many volumes it takes.
    fn tell_nodes_of_drivers(&mut self) {
        for node in self.store.nodes().map(|(id, _)| id).collect::<Vec<_>>() {
            self.register_drivers(node);
        }
    }

    /// A node has its CSINode, unless somebody else has made it.
    pub(in crate::world) fn register_drivers(&mut self, node: NodeId) {
        if !self.store.has_storage() {
            return;
        }
        let Some(name) = self.store.node(node).map(|node| node.name.clone()) else { return };
        if self.is_csi_node_given(&name) {
            return;
        }
        let classes = self.store.classes().filter(|class| &*class.provisioner != NO_PROVISIONER);
        let of_class = |class: &Arc<StorageClass>| {
            class.counted_driver.as_ref().unwrap_or(&class.provisioner).clone()
        };
        let mut drivers: BTreeSet<Text> = classes.map(of_class).collect();
        drivers.extend(self.store.csi_drivers().map(|driver| driver.name.clone()));
        let limit = self.scenario.flags.cloud.volumes_per_node;
        let limit = limit.and_then(|limit| i32::try_from(limit).ok());
        let drivers: Vec<CsiNodeDriver> =
            drivers.into_iter().map(|name| CsiNodeDriver { name, limit }).collect();
        let known = self.store.csi_node(&name).map(|node| &node.drivers);
        if known.map_or(drivers.is_empty(), |known| *known == drivers) {
            return;
        }
        let node = CsiNode { name, drivers, migrated_plugins: Text::default() };
        self.store.put_storage(StorageObject::CsiNode(Arc::new(node)));
    }

    /// Whether the CSINode of a node is one of the manifests'.
    fn is_csi_node_given(&self, name: &str) -> bool {
        let is_it = |object: &crate::api::object::Object| {
            matches!(object, crate::api::object::Object::Storage(StorageObject::CsiNode(node))
                if *node.name == *name)
        };
        self.scenario.objects.applied.iter().any(is_it)
    }
}

/// What the claim of an ephemeral volume asks for.
fn ephemeral_claim(volume: &Volume) -> Option<Claim> {
    let given: core::Volume = serde_json::from_str(&volume.written).ok()?;
    let template = given.ephemeral?.volume_claim_template?;
    let metadata = template.metadata.unwrap_or_default();
    let given = core::PersistentVolumeClaim { metadata, spec: Some(template.spec), status: None };
    Some(crate::api::convert::storage::claim(&given, "", &mut Vec::new()))
}
