//! Volumes, claims and what CSI drivers tell, as the volume plugins read them: the API's objects,
//! and over them what is assumed of claims and volumes of pods that have just got their nodes.
//!
//! Source: `plugins/volumebinding/passive_assume_cache.go`, v1.37: an object of the API server
//! overrides what is assumed. This file knows neither plugins nor pods. Upstream lists objects in
//! the order of a Go map; here it is that of their names.

use super::devices::ClaimReservation;
use crate::api::storage::{
    Claim, CsiDriver, CsiNode, CsiStorageCapacity, PersistentVolume, StorageClass, StorageObject,
    VolumeAttachment,
};
use crate::api::{ObjectName, Text};
use std::collections::BTreeMap;
use std::sync::Arc;

/// All storage objects, by name.
#[derive(Default)]
pub struct Storage {
    volumes: BTreeMap<Text, Arc<PersistentVolume>>,
    claims: BTreeMap<ObjectName, Arc<Claim>>,
    classes: BTreeMap<Text, Arc<StorageClass>>,
    csi_nodes: BTreeMap<Text, Arc<CsiNode>>,
    csi_drivers: BTreeMap<Text, Arc<CsiDriver>>,
    capacities: BTreeMap<ObjectName, Arc<CsiStorageCapacity>>,
    /// By node and name.
    attachments: BTreeMap<(Text, Text), Arc<VolumeAttachment>>,
    /// By profile: each has a cache of its own upstream, and learns of what another assumes only
    /// when the API server tells.
    assumed: Vec<Assumed>,
    /// The profile whose assumptions are read and written.
    profile: usize,
}

/// What one profile takes for granted over what the API server says.
#[derive(Default)]
struct Assumed {
    volumes: BTreeMap<Text, Arc<PersistentVolume>>,
    claims: BTreeMap<ObjectName, Arc<Claim>>,
}

/// What is taken for granted of a pod's volumes and devices once it has its node (the effects of
/// upstream's `AssumePodVolumes`): to be written to the API server before the pod is bound.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Reservation {
    /// Volumes that were free, each with the claim that gets it.
    pub bindings: Vec<(Text, ObjectName)>,
    /// Claims whose volumes are to be made, each with the name of the node.
    pub provisions: Vec<(ObjectName, Text)>,
    /// Claims of devices, with what they get.
    pub claims: Vec<ClaimReservation>,
}

/// That of a pod for which nothing is reserved.
pub(super) static NOTHING: Reservation =
    Reservation { bindings: Vec::new(), provisions: Vec::new(), claims: Vec::new() };

impl Reservation {
    /// Whether nothing is reserved.
    pub fn is_empty(&self) -> bool {
        self.bindings.is_empty() && self.provisions.is_empty() && self.claims.is_empty()
    }
}

impl Storage {
    /// An object has appeared or changed; gives what it was before. What was assumed of it holds
    /// no more.
    pub fn set(&mut self, object: StorageObject) -> Option<StorageObject> {
        use StorageObject::*;
        match object {
            Volume(new) => {
                self.assumed.iter_mut().for_each(|a| drop(a.volumes.remove(&new.name)));
                self.volumes.insert(new.name.clone(), new).map(Volume)
            }
            Claim(new) => {
                self.assumed.iter_mut().for_each(|a| drop(a.claims.remove(&new.name)));
                self.claims.insert(new.name.clone(), new).map(Claim)
            }
            Class(new) => self.classes.insert(new.name.clone(), new).map(Class),
            CsiNode(new) => self.csi_nodes.insert(new.name.clone(), new).map(CsiNode),
            CsiDriver(new) => self.csi_drivers.insert(new.name.clone(), new).map(CsiDriver),
            Capacity(new) => self.capacities.insert(new.name.clone(), new).map(Capacity),
            Attachment(new) => {
                let key = (new.node.clone(), new.name.clone());
                self.attachments.insert(key, new).map(Attachment)
            }
        }
    }

    /// An object is gone: the one of the kind and name of `object`; gives the last known version.
    pub fn remove(&mut self, object: &StorageObject) -> Option<StorageObject> {
        use StorageObject::*;
        match object {
            Volume(gone) => {
                self.assumed.iter_mut().for_each(|a| drop(a.volumes.remove(&gone.name)));
                self.volumes.remove(&gone.name).map(Volume)
            }
            Claim(gone) => {
                self.assumed.iter_mut().for_each(|a| drop(a.claims.remove(&gone.name)));
                self.claims.remove(&gone.name).map(Claim)
            }
            Class(gone) => self.classes.remove(&gone.name).map(Class),
            CsiNode(gone) => self.csi_nodes.remove(&gone.name).map(CsiNode),
            CsiDriver(gone) => self.csi_drivers.remove(&gone.name).map(CsiDriver),
            Capacity(gone) => self.capacities.remove(&gone.name).map(Capacity),
            Attachment(gone) => {
                let key = (gone.node.clone(), gone.name.clone());
                self.attachments.remove(&key).map(Attachment)
            }
        }
    }

    /// A volume as the API server has it.
    pub fn volume(&self, name: &str) -> Option<&Arc<PersistentVolume>> {
        self.volumes.get(name)
    }

    /// A claim as the API server has it.
    pub fn claim(&self, name: &ObjectName) -> Option<&Arc<Claim>> {
        self.claims.get(name)
    }

    /// A storage class.
    pub fn class(&self, name: &str) -> Option<&StorageClass> {
        self.classes.get(name).map(|class| &**class)
    }

    /// What is known of CSI drivers on a node.
    pub fn csi_node(&self, name: &str) -> Option<&CsiNode> {
        self.csi_nodes.get(name).map(|node| &**node)
    }

    /// A CSI driver.
    pub fn csi_driver(&self, name: &str) -> Option<&CsiDriver> {
        self.csi_drivers.get(name).map(|driver| &**driver)
    }

    /// All capacities.
    pub fn capacities(&self) -> impl Iterator<Item = &Arc<CsiStorageCapacity>> {
        self.capacities.values()
    }

    /// The attachments of a node.
    pub fn attachments(&self, node: &Text) -> impl Iterator<Item = &VolumeAttachment> {
        let from = (node.clone(), Text::from(""));
        let of_node = self.attachments.range(from..).take_while(move |((n, _), _)| n == node);
        of_node.map(|(_, attachment)| &**attachment)
    }

    /// From now on the assumptions of this profile are read and written.
    pub fn speak_for(&mut self, profile: usize) {
        self.profile = profile;
        if self.assumed.len() <= profile {
            self.assumed.resize_with(profile + 1, Assumed::default);
        }
    }

    fn assumed(&self) -> Option<&Assumed> {
        self.assumed.get(self.profile)
    }

    /// A volume, assumed changes included.
    pub fn assumed_volume(&self, name: &str) -> Option<&Arc<PersistentVolume>> {
        self.assumed().and_then(|a| a.volumes.get(name)).or_else(|| self.volumes.get(name))
    }

    /// A claim, assumed changes included.
    pub fn assumed_claim(&self, name: &ObjectName) -> Option<&Arc<Claim>> {
        self.assumed().and_then(|a| a.claims.get(name)).or_else(|| self.claims.get(name))
    }

    /// Whether something is assumed of a volume that the API server has not told yet.
    pub fn is_volume_assumed(&self, name: &str) -> bool {
        self.assumed().is_some_and(|a| a.volumes.contains_key(name))
    }

    /// Likewise of a claim.
    pub fn is_claim_assumed(&self, name: &ObjectName) -> bool {
        self.assumed().is_some_and(|a| a.claims.contains_key(name))
    }

    /// All volumes of a class, assumed changes included.
    pub fn assumed_volumes_of(&self, class: &str) -> Vec<Arc<PersistentVolume>> {
        let of_class = self.volumes.values().filter(|volume| *volume.class == *class);
        of_class.filter_map(|volume| self.assumed_volume(&volume.name)).cloned().collect()
    }

    /// Takes a reservation for granted.
    pub fn assume(&mut self, reservation: &Reservation) {
        self.speak_for(self.profile);
        let profile = self.profile;
        for (volume, claim) in &reservation.bindings {
            let (Some(found), Some(claim)) =
                (self.assumed_volume(volume), self.assumed_claim(claim))
            else {
                continue;
            };
            let reference = Some(claim.reference());
            if found.claim != reference {
                let assumed = PersistentVolume { claim: reference, ..(**found).clone() };
                self.assumed[profile].volumes.insert(volume.clone(), Arc::new(assumed));
            }
        }
        for (claim, node) in &reservation.provisions {
            if let Some(found) = self.assumed_claim(claim) {
                let selected_node = Some(node.clone());
                let assumed = Claim { selected_node, ..(**found).clone() };
                self.assumed[profile].claims.insert(claim.clone(), Arc::new(assumed));
            }
        }
    }

    /// Takes a reservation back: its objects are again as the API server has them.
    pub fn restore(&mut self, reservation: &Reservation) {
        let Some(assumed) = self.assumed.get_mut(self.profile) else { return };
        for (volume, _) in &reservation.bindings {
            assumed.volumes.remove(volume);
        }
        for (claim, _) in &reservation.provisions {
            assumed.claims.remove(claim);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::storage_object;
    use super::*;
    use serde_json::json;

    fn volume(class: &str) -> StorageObject {
        let spec = json!({"storageClassName": class, "capacity": {"storage": "1Gi"}});
        storage_object("PersistentVolume", json!({"metadata": {"name": "pv"}, "spec": spec}))
    }

    fn claim(uid: &str) -> StorageObject {
        storage_object("PersistentVolumeClaim", json!({"metadata": {"name": "data", "uid": uid}}))
    }

    fn name() -> ObjectName {
        ObjectName::new("default", "data")
    }

    /// A volume is taken for the claim, and the claim's volume is to be made on a node.
    fn assumed() -> (Storage, Reservation) {
        let mut storage = Storage::default();
        assert_eq!(storage.set(volume("a")), None);
        storage.set(claim("u1"));
        let reservation = Reservation {
            bindings: vec![("pv".into(), name())],
            provisions: vec![(name(), "n1".into())],
            ..Reservation::default()
        };
        storage.assume(&reservation);
        (storage, reservation)
    }

    fn is_taken(storage: &Storage) -> bool {
        storage.assumed_volumes_of("a")[0].claim.is_some()
    }

    fn selected(storage: &Storage) -> Option<&str> {
        storage.assumed_claim(&name())?.selected_node.as_deref()
    }

    #[test]
    fn what_is_assumed_lies_over_what_the_api_says() {
        let (storage, _) = assumed();
        assert!(is_taken(&storage));
        let reference = storage.assumed_volume("pv").and_then(|v| v.claim.as_ref());
        assert_eq!(reference.map(|r| (&r.name, &*r.uid)), Some((&name(), "u1")));
        assert_eq!(selected(&storage), Some("n1"));
        assert!(storage.volume("pv").is_some_and(|v| v.claim.is_none()), "the API's is as it was");
        assert!(storage.claim(&name()).is_some_and(|c| c.selected_node.is_none()));
    }

    #[test]
    fn what_is_taken_back_is_as_before() {
        let (mut storage, reservation) = assumed();
        storage.restore(&reservation);
        assert!(!is_taken(&storage));
        assert_eq!(selected(&storage), None);
    }

    #[test]
    fn another_profile_does_not_see_what_is_assumed() {
        let (mut storage, _) = assumed();
        storage.speak_for(1);
        assert!(!is_taken(&storage));
        assert_eq!(selected(&storage), None);
        storage.speak_for(0);
        assert!(is_taken(&storage));
    }

    #[test]
    fn the_api_overrides_what_is_assumed() {
        let (mut storage, _) = assumed();
        let old = storage.set(claim("u2"));
        assert_eq!(old, Some(claim("u1")), "the change is told by what the API said before");
        assert_eq!(selected(&storage), None);
        assert!(is_taken(&storage), "of one object only");
        storage.set(volume("a"));
        assert!(!is_taken(&storage));
        assert_eq!(storage.remove(&claim("any")), Some(claim("u2")));
        assert!(storage.assumed_claim(&name()).is_none());
    }

    #[test]
    fn attachments_are_found_by_node() {
        let mut storage = Storage::default();
        for (name, node) in [("x", "n1"), ("a", "n2"), ("b", "n1")] {
            let spec = json!({"nodeName": node, "attacher": "d", "source": {}});
            let given = json!({"metadata": {"name": name}, "spec": spec});
            storage.set(storage_object("VolumeAttachment", given));
        }
        let of = |node: &str| -> Vec<String> {
            storage.attachments(&node.into()).map(|a| a.name.to_string()).collect()
        };
        assert_eq!(of("n1"), ["b", "x"]);
        assert_eq!(of("n2"), ["a"]);
        assert!(of("n").is_empty());
    }
}
