//! NodeVolumeLimits: no more volumes of a CSI driver on a node than the driver can attach there,
//! and no pod on a node without a driver that insists on being there.
//!
//! Source: `plugins/nodevolumelimits/csi.go`, v1.37, gate VolumeLimitScaling on, as by default
//! since 1.37.
//! Where several drivers are missing, upstream names one of them in the order of a map; here it is
//! the one of the first volume by name.

use super::pod_claims::{CLAIM, changed_claim, check_owner, claim_of, claims_of, not_found};
use crate::api::Text;
use crate::api::storage::{Claim, CsiNode, StorageObject};
use crate::api::volume::{MigratedDisk, Volume, VolumeSource};
use crate::control::scheduler::event::{Action, ClusterEvent, EventObjects, Resource};
use crate::control::scheduler::framework::{
    Aspects, Code, Context, EnqueueExtensions, FilterPlugin, PluginState, PreFilter,
    PreFilterPlugin, QueueingHint, Scope, SignPlugin, Status,
};
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::objects::Objects;
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::scheduler::storage::Storage;
use std::collections::BTreeMap;

/// Filters by the number of volumes that can be attached.
pub struct NodeVolumeLimits;

/// The driver of each volume, by the volume's unique name.
type Volumes = BTreeMap<String, Text>;

/// A legacy disk that a pod names itself and that is CSI's by now (`IsInlineMigratable`).
fn migrated(volume: &Volume) -> Option<&MigratedDisk> {
    match &volume.source {
        VolumeSource::Disk(disk) => disk.csi.as_ref(),
        _ => None,
    }
}

/// Whether any volume of the pod may count.
fn may_count(pod: &PodInfo) -> bool {
    let counts = |volume: &Volume| match &volume.source {
        VolumeSource::Claim { .. } | VolumeSource::Ephemeral => true,
        _ => migrated(volume).is_some(),
    };
    pod.spec.volumes.iter().any(counts)
}

/// What counts on one node.
struct Counting<'a> {
    storage: &'a Storage,
    csi_node: Option<&'a CsiNode>,
    /// Whether drivers may insist on being on the node.
    heeds_missing: bool,
}

impl Counting<'_> {
    /// Adds the volumes of a pod that count (`filterAttachableVolumes`). Claims of a pod that is
    /// on the node already may be gone.
    fn add(&self, pod: &PodInfo, is_new: bool, volumes: &mut Volumes) -> Result<(), Status> {
        for volume in &pod.spec.volumes {
            let Some(wanted) = claim_of(pod, volume) else {
                self.add_disk(volume, volumes)?;
                continue;
            };
            if wanted.name.name.is_empty() {
                return Err(Status::made(Code::Error, "PersistentVolumeClaim had no name"));
            }
            let Some(claim) = self.storage.claim(&wanted.name) else {
                if is_new {
                    let missing = not_found(CLAIM, &wanted.name.name);
                    let message = format!("looking up PVC {}: {missing}", wanted.name);
                    return Err(Status::made(Code::UnschedulableAndUnresolvable, message));
                }
                continue;
            };
            if wanted.is_ephemeral {
                check_owner(pod, claim).map_err(|message| Status::made(Code::Error, message))?;
            }
            if let Some((driver, handle)) = self.volume_of(claim)
                && !driver.is_empty()
                && !handle.is_empty()
            {
                volumes.insert(format!("{driver}/{handle}"), driver);
            }
        }
        Ok(())
    }

    /// Adds a disk that the pod names itself (`checkAttachableInlineVolume`).
    fn add_disk(&self, volume: &Volume, volumes: &mut Volumes) -> Result<(), Status> {
        let Some(disk) = migrated(volume).filter(|disk| disk.is_counted) else { return Ok(()) };
        if self.csi_node.is_none() {
            return Ok(());
        }
        match &disk.handle {
            Ok(handle) => {
                volumes.insert(format!("{}/{handle}", disk.driver), disk.driver.clone());
                Ok(())
            }
            Err(why) => {
                let message =
                    format!("converting volume({}) from inline to csi: {why}", volume.name);
                Err(Status::made(Code::Error, message))
            }
        }
    }

    /// Driver and handle of a claim's volume (`getCSIDriverInfo`).
    fn volume_of(&self, claim: &Claim) -> Option<(Text, Text)> {
        let bound = Some(&*claim.volume).filter(|name| !name.is_empty());
        let Some(volume) = bound.and_then(|name| self.storage.volume(name)) else {
            return self.volume_to_come(claim);
        };
        let csi = match (&volume.csi, &volume.migrated) {
            (Some(csi), _) => csi,
            (None, Some(migrated)) if self.csi_node.is_some() => {
                &migrated.translated.as_ref().ok()?.csi
            }
            _ => return None,
        };
        Some((csi.driver.clone(), csi.handle.clone()))
    }

    /// The volume that will be made for a claim counts too, once for all pods that share the claim
    /// (`getCSIDriverInfoFromSC`).
    fn volume_to_come(&self, claim: &Claim) -> Option<(Text, Text)> {
        let class = self.storage.class(&claim.class).filter(|_| !claim.class.is_empty())?;
        if class.is_legacy && self.csi_node.is_none() {
            return None;
        }
        // A line feed is in no handle. Upstream draws a random prefix.
        Some((class.counted_driver.clone()?, format!("\n{}", claim.name).into()))
    }

    /// Adds what is attached to the node, or about to be (`getNodeVolumeAttachmentInfo`).
    fn attached(&self, node: &NodeInfo) -> Volumes {
        let mut volumes = Volumes::new();
        for attachment in self.storage.attachments(node.name()) {
            let volume = attachment.volume.as_ref().and_then(|name| self.storage.volume(name));
            let csi = volume.and_then(|volume| volume.csi.as_ref());
            if let Some(csi) = csi.filter(|_| !attachment.attacher.is_empty()) {
                let name = format!("{}/{}", attachment.attacher, csi.handle);
                volumes.insert(name, attachment.attacher.clone());
            }
        }
        volumes
    }

    /// Whether a driver insists on being on a node, and is not on this one
    /// (`checkCSIDriverOnNode`).
    fn is_missing(&self, driver: &str) -> bool {
        self.heeds_missing
            && self.storage.csi_driver(driver).is_some_and(|d| d.is_required_on_node)
            && !self.csi_node.is_some_and(|n| n.drivers.iter().any(|d| &*d.name == driver))
    }

    /// How many volumes of a driver the node takes.
    fn limit(&self, driver: &str) -> Option<i32> {
        let drivers = self.csi_node.iter().flat_map(|n| &n.drivers);
        drivers.filter(|d| &*d.name == driver).filter_map(|d| d.limit).next_back()
    }

    fn check(&self, pod: &PodInfo, node: &NodeInfo) -> Result<(), Status> {
        let mut new = Volumes::new();
        self.add(pod, true, &mut new)?;
        if let Some(driver) = new.values().find(|driver| self.is_missing(driver)) {
            let message = format!("{driver} CSI driver is not installed on the node");
            return Err(Status::made(Code::Unschedulable, message));
        }
        let has_limit = self.csi_node.is_some_and(|n| n.drivers.iter().any(|d| d.limit.is_some()));
        if new.is_empty() || !has_limit {
            return Ok(());
        }
        let mut used = Volumes::new();
        for other in &node.pods {
            self.add(other, false, &mut used)?;
        }
        new.retain(|name, _| !used.contains_key(name));
        used.extend(self.attached(node));
        let count = |volumes: &Volumes, driver: &Text| {
            volumes.values().filter(|d| *d == driver).count() as i64
        };
        let full = |driver: &Text| {
            self.limit(driver)
                .is_some_and(|limit| count(&used, driver) + count(&new, driver) > i64::from(limit))
        };
        if new.values().any(full) {
            return Err(Status::unschedulable(&["node(s) exceed max volume count"]));
        }
        Ok(())
    }
}

impl PreFilterPlugin for NodeVolumeLimits {
    fn pre_filter(&self, cx: &Context<'_>, pod: &PodInfo) -> PreFilter {
        if cx.objects.storage.is_none() || !may_count(pod) {
            return PreFilter::Skip;
        }
        PreFilter::Continue { state: PluginState::none(), nodes: None }
    }
}

impl FilterPlugin for NodeVolumeLimits {
    fn scope(&self) -> Scope {
        Scope::Node
    }

    fn heeds_identity(&self, pod: &PodInfo) -> bool {
        !pod.spec.volumes.is_empty()
    }

    fn is_volatile(&self, pod: &PodInfo, objects: &Objects) -> bool {
        objects.storage.is_some() && may_count(pod)
    }

    fn filter(
        &self,
        cx: &Context<'_>,
        _state: &PluginState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Status {
        let Some(storage) = &cx.objects.storage else { return Status::SUCCESS };
        let heeds_missing = cx.version.heeds_missing_csi_drivers();
        let csi_node = storage.csi_node(node.name());
        let counting = Counting { storage, csi_node, heeds_missing };
        counting.check(pod, node).err().unwrap_or(Status::SUCCESS)
    }
}

impl SignPlugin for NodeVolumeLimits {
    fn sign(&self, _pod: &PodInfo) -> Option<Aspects> {
        Some(Aspects::VOLUMES)
    }
}

impl EnqueueExtensions for NodeVolumeLimits {
    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const EVENTS: [ClusterEvent; 4] = [
            ClusterEvent::new(Resource::CsiNode, Action::ADD.or(Action::UPDATE)),
            ClusterEvent::ASSIGNED_POD_DELETE,
            ClusterEvent::new(Resource::PersistentVolumeClaim, Action::ADD),
            ClusterEvent::new(Resource::VolumeAttachment, Action::DELETE),
        ];
        &EVENTS
    }

    fn queueing_hint(
        &self,
        _objects: &Objects,
        pod: &PodInfo,
        event: ClusterEvent,
        change: &EventObjects<'_>,
    ) -> QueueingHint {
        let (old, new) = change.storage();
        let helps = match (event.resource, old, new) {
            (
                Resource::CsiNode,
                Some(StorageObject::CsiNode(old)),
                Some(StorageObject::CsiNode(new)),
            ) => raises_a_limit(old, new),
            (Resource::AssignedPod, ..) => change.old_pod().is_some_and(may_count),
            (Resource::PersistentVolumeClaim, ..) => changed_claim(new)
                .is_some_and(|claim| claims_of(pod).any(|wanted| wanted.name == claim.name)),
            (Resource::VolumeAttachment, Some(StorageObject::Attachment(gone)), _) => {
                frees_a_place(pod, &gone.attacher)
            }
            _ => true,
        };
        QueueingHint::when(helps)
    }
}

/// Whether any driver takes more volumes than before; no limit counts as 0.
fn raises_a_limit(old: &CsiNode, new: &CsiNode) -> bool {
    let before = |name: &Text| {
        let known = old.drivers.iter().rev().find(|d| d.name == *name);
        known.and_then(|d| d.limit).unwrap_or(0)
    };
    new.drivers.iter().any(|driver| driver.limit.unwrap_or(0) > before(&driver.name))
}

/// Whether a volume that `attacher` no longer attaches may help the pod.
fn frees_a_place(pod: &PodInfo, attacher: &Text) -> bool {
    pod.spec.volumes.iter().any(|volume| match &volume.source {
        VolumeSource::Claim { .. } => true,
        _ => migrated(volume).is_some_and(|d| d.handle.is_err() || d.driver == *attacher),
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{
        Stage, claim_volumes, node, storage_object, wakes, wakes_when_gone,
    };
    use super::*;
    use serde_json::{Value, json};
    use std::collections::BTreeSet;

    const FULL: &str = "node(s) exceed max volume count";

    fn csi_node(drivers: &[(&str, Option<i32>)]) -> Value {
        let driver = |(name, limit): &(&str, Option<i32>)| json!({"name": name, "nodeID": "n", "allocatable": {"count": limit}});
        let drivers: Vec<Value> = drivers.iter().map(driver).collect();
        json!({"metadata": {"name": "n"}, "spec": {"drivers": drivers}})
    }

    fn volume(name: &str, driver: &str) -> Value {
        let csi = json!({"driver": driver, "volumeHandle": name});
        json!({"metadata": {"name": name}, "spec": {"csi": csi}})
    }

    fn claim(name: &str, volume: &str) -> Value {
        let spec = json!({"volumeName": volume, "storageClassName": "c"});
        json!({"metadata": {"name": name}, "spec": spec})
    }

    fn attachment(volume: &str) -> Value {
        let source = json!({"persistentVolumeName": volume});
        json!({"metadata": {"name": volume},
            "spec": {"nodeName": "n", "attacher": "d", "source": source}})
    }

    /// A node whose driver takes two volumes; claims a, b, c of volumes of these names.
    fn stage() -> Stage {
        let mut stage = Stage::new([node("n")]).with("CSINode", csi_node(&[("d", Some(2))]));
        for name in ["a", "b", "c"] {
            stage = stage
                .with("PersistentVolume", volume(name, "d"))
                .with("PersistentVolumeClaim", claim(name, name));
        }
        stage
    }

    #[test]
    fn a_node_takes_as_many_volumes_as_its_driver_says() {
        let class = json!({"metadata": {"name": "c"}, "provisioner": "d",
            "volumeBindingMode": "WaitForFirstConsumer"});
        let to_come = |stage: Stage| {
            stage
                .with("StorageClass", class.clone())
                .with("PersistentVolumeClaim", claim("later", ""))
                .with("PersistentVolumeClaim", claim("then", ""))
        };
        type Row<'a> = (&'a str, Stage, &'a [&'a str], &'a [&'a str], &'a str);
        let rows: [Row<'_>; 11] = [
            ("two fit", stage(), &[], &["a", "b"], ""),
            ("three do not", stage(), &[], &["a", "b", "c"], FULL),
            ("those of pods there count", stage(), &["a", "b"], &["c"], FULL),
            ("a shared one counts once", stage(), &["a", "b"], &["a"], ""),
            (
                "attached ones count",
                stage().with("VolumeAttachment", attachment("b")),
                &["a"],
                &["c"],
                FULL,
            ),
            (
                "an attached one that a pod there uses counts once",
                stage().with("VolumeAttachment", attachment("a")),
                &["a"],
                &["c"],
                "",
            ),
            ("volumes to come count", to_come(stage()), &["a"], &["later", "then"], FULL),
            ("a shared one to come counts once", to_come(stage()), &["a", "later"], &["later"], ""),
            (
                "without a limit all fit",
                stage().with("CSINode", csi_node(&[("d", None)])),
                &[],
                &["a", "b", "c"],
                "",
            ),
            (
                "another driver's limit is another's",
                stage().with("CSINode", csi_node(&[("e", Some(0))])),
                &[],
                &["a", "b", "c"],
                "",
            ),
            (
                "a claim that is not there",
                stage(),
                &[],
                &["x"],
                "looking up PVC default/x: persistentvolumeclaim \"x\" not found",
            ),
        ];
        for (sentence, mut stage, there, wanted, expected) in rows {
            stage.put(0, "other", claim_volumes(there));
            let pod = stage.pod("pod", claim_volumes(wanted));
            assert_eq!(stage.verdict(&NodeVolumeLimits, &pod, 0), expected, "{sentence}");
        }
    }

    #[test]
    fn a_driver_may_insist_on_being_there() {
        let driver = |insists: bool| json!({"metadata": {"name": "d"}, "spec": {"preventPodSchedulingIfMissing": insists}});
        let missing = "d CSI driver is not installed on the node";
        let rows = [
            ("it is there", stage().with("CSIDriver", driver(true)), ""),
            (
                "it insists and is not",
                stage().with("CSIDriver", driver(true)).with("CSINode", csi_node(&[("e", None)])),
                missing,
            ),
            (
                "it does not insist",
                stage().with("CSIDriver", driver(false)).with("CSINode", csi_node(&[("e", None)])),
                "",
            ),
            ("nobody knows it", stage().with("CSINode", csi_node(&[("e", None)])), ""),
        ];
        for (sentence, mut stage, expected) in rows {
            let pod = stage.pod("pod", claim_volumes(&["a"]));
            assert_eq!(stage.verdict(&NodeVolumeLimits, &pod, 0), expected, "{sentence}");
        }
    }

    #[test]
    fn legacy_disks_count_where_the_node_has_csi() {
        let disk = |id: &str| json!({"name": id, "awsElasticBlockStore": {"volumeID": id}});
        let limited = csi_node(&[("ebs.csi.aws.com", Some(1))]);
        let mut stage = Stage::new([node("n"), node("bare")]).with("CSINode", limited);
        let pod = stage.pod("pod", json!([disk("vol-1"), disk("aws://z/vol-2")]));
        assert_eq!(stage.verdict(&NodeVolumeLimits, &pod, 0), FULL);
        assert_eq!(stage.verdict(&NodeVolumeLimits, &pod, 1), "", "no CSINode, no CSI");
        let pod = stage.pod("pod", json!([disk("vol-1"), disk("aws://z/vol-1")]));
        assert_eq!(stage.verdict(&NodeVolumeLimits, &pod, 0), "", "it is one disk");
    }

    #[test]
    fn pods_are_tried_again_when_it_may_help() {
        let pod = Stage::new([]).pod("pod", claim_volumes(&["a"]));
        let of = |limit| storage_object("CSINode", csi_node(&[("d", limit)]));
        let claim = |name| storage_object("PersistentVolumeClaim", claim(name, ""));
        let gone = storage_object("VolumeAttachment", attachment("a"));
        type Row = (&'static str, Option<StorageObject>, Option<StorageObject>, bool);
        let rows: [Row; 9] = [
            ("a node tells its drivers", None, Some(of(Some(1))), true),
            ("a limit is raised", Some(of(Some(1))), Some(of(Some(2))), true),
            ("a limit is lowered", Some(of(Some(2))), Some(of(Some(1))), false),
            ("a limit appears", Some(of(None)), Some(of(Some(1))), true),
            ("a limit goes", Some(of(Some(1))), Some(of(None)), false),
            ("its claim appears", None, Some(claim("a")), true),
            ("another's claim appears", None, Some(claim("b")), false),
            ("its claim changes", Some(claim("a")), Some(claim("a")), false),
            ("a volume is detached", Some(gone), None, true),
        ];
        for (sentence, old, new, expected) in rows {
            let found = wakes(&NodeVolumeLimits, &pod, old.as_ref(), new.as_ref());
            assert_eq!(found, expected, "{sentence}");
        }
        let mut stage = Stage::new([]);
        let (with, without) = (stage.pod("x", claim_volumes(&["b"])), stage.pod("x", json!([])));
        assert!(wakes_when_gone(&NodeVolumeLimits, &pod, &with), "its volume may be detached");
        assert!(!wakes_when_gone(&NodeVolumeLimits, &pod, &without), "nothing is detached");
    }

    proptest::proptest! {
        /// Against the definition: the volumes there, and those of the pod that are not yet, are
        /// no more than the limit of each driver that the pod brings a volume of.
        #[test]
        fn limits_hold_as_defined(
            limits in proptest::collection::vec(proptest::option::of(0i32..4), 2),
            there in proptest::collection::vec(0usize..6, 0..6),
            attached in proptest::collection::vec(0usize..6, 0..3),
            wanted in proptest::collection::vec(0usize..6, 1..4),
        ) {
            let drivers = ["d0", "d1"];
            let names: Vec<String> = (0..6).map(|i| format!("v{i}")).collect();
            let driver_of = |volume: usize| volume % 2;
            let known = [(drivers[0], limits[0]), (drivers[1], limits[1])];
            let mut stage = Stage::new([node("n")]).with("CSINode", csi_node(&known));
            for (i, name) in names.iter().enumerate() {
                stage = stage
                    .with("PersistentVolume", volume(name, drivers[driver_of(i)]))
                    .with("PersistentVolumeClaim", claim(name, name));
            }
            for i in &attached {
                let mut given = attachment(&names[*i]);
                given["spec"]["attacher"] = json!(drivers[driver_of(*i)]);
                stage = stage.with("VolumeAttachment", given);
            }
            for i in &there {
                stage.put(0, "other", claim_volumes(&[&names[*i]]));
            }
            let claims: Vec<&str> = wanted.iter().map(|i| &*names[*i]).collect();
            let pod = stage.pod("pod", claim_volumes(&claims));

            let there: BTreeSet<usize> = there.into_iter().collect();
            let new: BTreeSet<usize> = wanted.into_iter().filter(|v| !there.contains(v)).collect();
            let used: BTreeSet<usize> = there.into_iter().chain(attached).collect();
            let count = |set: &BTreeSet<usize>, driver| {
                set.iter().filter(|v| driver_of(**v) == driver).count() as i32
            };
            let full = (0..2).any(|driver| {
                let brings = count(&new, driver);
                brings > 0 && limits[driver].is_some_and(|limit| count(&used, driver) + brings > limit)
            });
            let expected = if full { FULL } else { "" };
            proptest::prop_assert_eq!(stage.verdict(&NodeVolumeLimits, &pod, 0), expected);
        }
    }
}
