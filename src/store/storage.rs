//! Volumes, their attachments, storage classes and what CSI drivers tell, and who uses which claim.
//!
//! Nothing of it is kept before somebody says that there is storage: a cluster whose volumes are
//! not simulated costs nothing more.

use super::{Change, Store};
use crate::api::pod::Pod;
use crate::api::storage::{
    Claim, CsiDriver, CsiNode, CsiStorageCapacity, PersistentVolume, StorageClass, StorageObject,
    VolumeAttachment,
};
use crate::api::volume::claim_name;
use crate::api::{AttachmentId, ClaimId, NodeId, ObjectName, PodId, Text, VolumeId};
use slotmap::{SecondaryMap, SlotMap};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// All storage objects but claims, which have a table of their own.
#[derive(Debug, Default)]
pub(super) struct Storage {
    volumes: SlotMap<VolumeId, Arc<PersistentVolume>>,
    volume_names: BTreeMap<Text, VolumeId>,
    attachments: SlotMap<AttachmentId, Attachment>,
    /// By volume and the name of the node.
    attached: BTreeMap<(VolumeId, Text), AttachmentId>,
    claim_names: BTreeMap<ObjectName, ClaimId>,
    classes: BTreeMap<Text, Arc<StorageClass>>,
    drivers: BTreeMap<Text, Arc<CsiDriver>>,
    csi_nodes: BTreeMap<Text, Arc<CsiNode>>,
    capacities: BTreeMap<ObjectName, Arc<CsiStorageCapacity>>,
    /// Pods by the claims that their volumes stand for.
    users: BTreeMap<ObjectName, BTreeSet<PodId>>,
    /// `status.volumesInUse` of nodes, by their names.
    in_use: BTreeMap<Text, BTreeSet<VolumeId>>,
    node_names: BTreeMap<Text, NodeId>,
    /// Names of nodes, of those that are gone too.
    names_of_nodes: SecondaryMap<NodeId, Text>,
}

/// A VolumeAttachment, and what the node's status says of it.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// The object.
    pub object: Arc<VolumeAttachment>,
    /// The volume.
    pub volume: VolumeId,
    /// `status.volumesAttached` of the node has it: the kubelet may mount the volume.
    pub is_reported: bool,
}

impl Storage {
    /// How many objects these are.
    pub(super) fn object_count(&self) -> usize {
        let volumes = self.volumes.len() + self.attachments.len() + self.capacities.len();
        volumes + self.classes.len() + self.drivers.len() + self.csi_nodes.len()
    }
}

/// The claims that the volumes of a pod stand for.
pub fn claims_of(pod: &Pod) -> impl Iterator<Item = ObjectName> {
    let name = if pod.spec.volumes.is_empty() { Text::default() } else { pod.name() };
    let names = pod.spec.volumes.iter().filter_map(move |volume| claim_name(volume, &name));
    names.map(|name| ObjectName { namespace: pod.namespace.clone(), name })
}

/// Reading.
impl Store {
    /// Whether volumes are simulated.
    pub fn has_storage(&self) -> bool {
        self.storage.is_some()
    }

    /// The volume, unless it is gone.
    pub fn volume(&self, id: VolumeId) -> Option<&Arc<PersistentVolume>> {
        self.storage.as_ref()?.volumes.get(id)
    }

    /// The volume of a name.
    pub fn volume_named(&self, name: &str) -> Option<(VolumeId, &Arc<PersistentVolume>)> {
        let id = *self.storage.as_ref()?.volume_names.get(name)?;
        Some((id, self.volume(id)?))
    }

    /// All volumes, by name.
    pub fn volumes(&self) -> impl Iterator<Item = (VolumeId, &Arc<PersistentVolume>)> {
        let storage = self.storage.iter();
        storage
            .flat_map(|s| s.volume_names.values().filter_map(|id| Some((*id, s.volumes.get(*id)?))))
    }

    /// The attachment, unless it is gone.
    pub fn attachment(&self, id: AttachmentId) -> Option<&Attachment> {
        self.storage.as_ref()?.attachments.get(id)
    }

    /// All attachments, by volume and node.
    pub fn attachments(&self) -> impl Iterator<Item = (AttachmentId, &Attachment)> {
        let storage = self.storage.iter();
        storage
            .flat_map(|s| s.attached.values().filter_map(|id| Some((*id, s.attachments.get(*id)?))))
    }

    /// The attachments of a volume.
    pub fn attachments_of(
        &self,
        volume: VolumeId,
    ) -> impl Iterator<Item = (AttachmentId, &Attachment)> {
        let of = |storage: &'_ Storage| {
            let from = (volume, Text::default());
            let ids = storage.attached.range(from..).take_while(|((v, _), _)| *v == volume);
            ids.map(|(_, id)| *id).collect::<Vec<_>>()
        };
        let ids = self.storage.as_ref().map(|s| of(s)).unwrap_or_default();
        ids.into_iter().filter_map(|id| Some((id, self.attachment(id)?)))
    }

    /// The attachment of a volume to the node of this name.
    pub fn attachment_to(
        &self,
        volume: VolumeId,
        node: &Text,
    ) -> Option<(AttachmentId, &Attachment)> {
        let id = *self.storage.as_ref()?.attached.get(&(volume, node.clone()))?;
        Some((id, self.attachment(id)?))
    }

    /// The claim of a name, where volumes are simulated.
    pub fn claim_named(&self, name: &ObjectName) -> Option<(ClaimId, &Arc<Claim>)> {
        let id = *self.storage.as_ref()?.claim_names.get(name)?;
        Some((id, self.claim(id)?.object.as_ref()?))
    }

    /// A storage class.
    pub fn class(&self, name: &str) -> Option<&Arc<StorageClass>> {
        self.storage.as_ref()?.classes.get(name)
    }

    /// All storage classes.
    pub fn classes(&self) -> impl Iterator<Item = &Arc<StorageClass>> {
        self.storage.iter().flat_map(|s| s.classes.values())
    }

    /// A CSI driver that has an object of its own.
    pub fn csi_driver(&self, name: &str) -> Option<&Arc<CsiDriver>> {
        self.storage.as_ref()?.drivers.get(name)
    }

    /// All CSI drivers that have an object.
    pub fn csi_drivers(&self) -> impl Iterator<Item = &Arc<CsiDriver>> {
        self.storage.iter().flat_map(|s| s.drivers.values())
    }

    /// What is known of the CSI drivers on the node of a name.
    pub fn csi_node(&self, name: &str) -> Option<&Arc<CsiNode>> {
        self.storage.as_ref()?.csi_nodes.get(name)
    }

    /// All CSINodes.
    pub fn csi_nodes(&self) -> impl Iterator<Item = &Arc<CsiNode>> {
        self.storage.iter().flat_map(|s| s.csi_nodes.values())
    }

    /// All storage capacities.
    pub fn capacities(&self) -> impl Iterator<Item = &Arc<CsiStorageCapacity>> {
        self.storage.iter().flat_map(|s| s.capacities.values())
    }

    /// All of them, as the scheduler reads them.
    pub fn storage_objects(&self) -> Vec<StorageObject> {
        let mut all: Vec<StorageObject> =
            self.classes().cloned().map(StorageObject::Class).collect();
        all.extend(self.csi_drivers().cloned().map(StorageObject::CsiDriver));
        all.extend(self.csi_nodes().cloned().map(StorageObject::CsiNode));
        all.extend(self.capacities().cloned().map(StorageObject::Capacity));
        all.extend(self.volumes().map(|(_, volume)| StorageObject::Volume(Arc::clone(volume))));
        let claims = self.claims().filter_map(|(_, claim)| claim.object.clone());
        all.extend(claims.map(StorageObject::Claim));
        let attached = self.attachments().map(|(_, a)| Arc::clone(&a.object));
        all.extend(attached.map(StorageObject::Attachment));
        all
    }

    /// Pods whose volumes stand for a claim, whether it is there or not.
    pub fn users_of(&self, claim: &ObjectName) -> impl Iterator<Item = (PodId, &Pod)> {
        let users = self.storage.as_ref().and_then(|s| s.users.get(claim));
        users.into_iter().flatten().filter_map(|id| Some((*id, self.pod(*id)?)))
    }

    /// Whether the status of the node of this name says that it uses a volume.
    pub fn is_in_use(&self, node: &Text, volume: VolumeId) -> bool {
        let of_node = self.storage.as_ref().and_then(|s| s.in_use.get(node));
        of_node.is_some_and(|volumes| volumes.contains(&volume))
    }

    /// Volumes that the status of the node of this name says are in use.
    pub fn volumes_in_use(&self, node: &Text) -> impl Iterator<Item = VolumeId> {
        let of_node = self.storage.as_ref().and_then(|s| s.in_use.get(node));
        of_node.into_iter().flatten().copied()
    }

    /// The name of a node, even if it is gone.
    pub fn name_of_node(&self, id: NodeId) -> Option<&Text> {
        self.storage.as_ref()?.names_of_nodes.get(id)
    }

    /// The node of a name, where volumes are simulated.
    pub fn node_of_name(&self, name: &Text) -> Option<NodeId> {
        let id = self.storage.as_ref()?.node_names.get(name);
        id.copied().filter(|id| self.node(*id).is_some())
    }
}

/// Changing.
impl Store {
    /// From now on volumes are simulated.
    pub fn begin_storage(&mut self) {
        self.storage = Some(Box::default());
        let nodes = self.nodes.iter().map(|(id, node)| (id, node.name.clone()));
        for (id, name) in nodes.collect::<Vec<_>>() {
            self.name_node(&name, Some(id));
        }
    }

    /// Creates a volume.
    pub fn create_volume(&mut self, volume: PersistentVolume) -> Option<VolumeId> {
        let storage = self.storage.as_mut()?;
        let name = volume.name.clone();
        let id = storage.volumes.insert(Arc::new(volume));
        storage.volume_names.insert(name, id);
        self.note(Change::Volume(id));
        Some(id)
    }

    /// Changes a volume through `change`, which tells whether anything changed. Its name stays.
    pub fn update_volume(
        &mut self,
        id: VolumeId,
        change: impl FnOnce(&mut PersistentVolume) -> bool,
    ) {
        let volume = self.storage.as_mut().and_then(|s| s.volumes.get_mut(id));
        if volume.map(Arc::make_mut).is_some_and(change) {
            self.note(Change::Volume(id));
        }
    }

    /// Removes a volume for good.
    pub fn remove_volume(&mut self, id: VolumeId) {
        let Some(storage) = &mut self.storage else { return };
        let Some(volume) = storage.volumes.remove(id) else { return };
        storage.volume_names.remove(&volume.name);
        storage.in_use.values_mut().for_each(|used| _ = used.remove(&id));
        self.note(Change::VolumeRemoved(id, volume));
    }

    /// Creates an attachment; `None` when there is one of that volume to that node.
    pub fn create_attachment(
        &mut self,
        volume: VolumeId,
        object: VolumeAttachment,
    ) -> Option<AttachmentId> {
        let storage = self.storage.as_mut()?;
        let key = (volume, object.node.clone());
        if storage.attached.contains_key(&key) {
            return None;
        }
        let attachment = Attachment { object: Arc::new(object), volume, is_reported: false };
        let id = storage.attachments.insert(attachment);
        storage.attached.insert(key, id);
        self.note(Change::Attachment(id));
        Some(id)
    }

    /// Changes an attachment's object through `change`, which tells whether anything changed.
    pub fn update_attachment(
        &mut self,
        id: AttachmentId,
        change: impl FnOnce(&mut VolumeAttachment) -> bool,
    ) {
        let found = self.storage.as_mut().and_then(|s| s.attachments.get_mut(id));
        if found.map(|a| Arc::make_mut(&mut a.object)).is_some_and(change) {
            self.note(Change::Attachment(id));
        }
    }

    /// The node's status says that a volume is attached, or no longer.
    pub fn report_attachment(&mut self, id: AttachmentId, is_reported: bool) {
        let found = self.storage.as_mut().and_then(|s| s.attachments.get_mut(id));
        let Some(attachment) = found else { return };
        if std::mem::replace(&mut attachment.is_reported, is_reported) != is_reported {
            self.note(Change::Attachment(id));
        }
    }

    /// Removes an attachment for good.
    pub fn remove_attachment(&mut self, id: AttachmentId) {
        let Some(storage) = &mut self.storage else { return };
        let Some(attachment) = storage.attachments.remove(id) else { return };
        let node = attachment.object.node.clone();
        if !storage.node_names.contains_key(&node) {
            let used = storage.in_use.get_mut(&node);
            used.map(|used| used.remove(&attachment.volume));
        }
        storage.attached.remove(&(attachment.volume, node));
        self.note(Change::AttachmentRemoved(id, Box::new(attachment)));
    }

    /// A class, driver, CSINode or capacity is there, as it shall be.
    pub fn put_storage(&mut self, object: StorageObject) {
        let Some(storage) = &mut self.storage else { return };
        match object.clone() {
            StorageObject::Class(class) => drop(storage.classes.insert(class.name.clone(), class)),
            StorageObject::CsiDriver(driver) => {
                storage.drivers.insert(driver.name.clone(), driver);
            }
            StorageObject::CsiNode(node) => drop(storage.csi_nodes.insert(node.name.clone(), node)),
            StorageObject::Capacity(capacity) => {
                storage.capacities.insert(capacity.name.clone(), capacity);
            }
            StorageObject::Volume(_) | StorageObject::Claim(_) | StorageObject::Attachment(_) => {
                return;
            }
        }
        self.note(Change::Storage(object));
    }

    /// A class, driver, CSINode or capacity is gone: the one of this kind and name.
    pub fn drop_storage(&mut self, kind: &str, name: &ObjectName) {
        let Some(storage) = &mut self.storage else { return };
        let gone = match kind {
            "StorageClass" => storage.classes.remove(&name.name).map(StorageObject::Class),
            "CSIDriver" => storage.drivers.remove(&name.name).map(StorageObject::CsiDriver),
            "CSINode" => storage.csi_nodes.remove(&name.name).map(StorageObject::CsiNode),
            _ => storage.capacities.remove(name).map(StorageObject::Capacity),
        };
        if let Some(gone) = gone {
            self.note(Change::StorageGone(gone));
        }
    }

    /// A node's status says which volumes it uses.
    pub fn set_volumes_in_use(&mut self, node: &Text, volumes: BTreeSet<VolumeId>) {
        let Some(storage) = &mut self.storage else { return };
        let known = storage.in_use.entry(node.clone()).or_default();
        if *known != volumes {
            *known = volumes;
            self.note(Change::VolumesInUse(node.clone()));
        }
    }

    /// A pod is there: its claims have one more user.
    pub(super) fn use_claims(&mut self, id: PodId) {
        let (Some(storage), Some(pod)) = (&mut self.storage, self.pods.get(id)) else { return };
        for claim in claims_of(pod) {
            storage.users.entry(claim).or_default().insert(id);
        }
    }

    /// A pod is gone.
    pub(super) fn leave_claims(&mut self, id: PodId, pod: &Pod) {
        let Some(storage) = &mut self.storage else { return };
        for claim in claims_of(pod) {
            if let Some(users) = storage.users.get_mut(&claim) {
                users.remove(&id);
                if users.is_empty() {
                    storage.users.remove(&claim);
                }
            }
        }
    }

    /// A claim has its name, or no longer.
    pub(super) fn name_claim(&mut self, name: ObjectName, id: Option<ClaimId>) {
        let Some(storage) = &mut self.storage else { return };
        match id {
            Some(id) => drop(storage.claim_names.insert(name, id)),
            None => drop(storage.claim_names.remove(&name)),
        }
    }

    /// A node has its name, or no longer.
    pub(super) fn name_node(&mut self, name: &Text, id: Option<NodeId>) {
        let Some(storage) = &mut self.storage else { return };
        let Some(id) = id else {
            storage.node_names.remove(name);
            return;
        };
        storage.node_names.insert(name.clone(), id);
        storage.names_of_nodes.insert(id, name.clone());
    }
}
