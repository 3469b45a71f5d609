//! VolumeRestrictions: disks that two pods of a node can't share, and claims that only one pod may
//! use (ReadWriteOncePod).
//!
//! Source: `plugins/volumerestrictions/volume_restrictions.go`, v1.37.

use super::pod_claims::{CLAIM, changed_claim, named_claims, not_found};
use crate::api::Text;
use crate::api::volume::{DiskIdentity, VolumeSource};
use crate::control::scheduler::event::{Action, ClusterEvent, EventObjects, Resource};
use crate::control::scheduler::framework::{
    Aspects, Code, Context, EnqueueExtensions, FilterPlugin, PluginState, PreFilter,
    PreFilterPlugin, QueueingHint, Scope, SignPlugin, Status,
};
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::objects::Objects;
use crate::control::scheduler::pod_info::PodInfo;

/// Filters by disks and claims in use.
pub struct VolumeRestrictions;

/// The pod's claims that only one pod may use, and how many volumes of other pods use them.
#[derive(Clone)]
struct State {
    claims: Vec<Text>,
    uses: i64,
}

impl State {
    /// Upstream looks at names only, not at the other pod's namespace.
    fn uses_by(&self, pod: &PodInfo) -> i64 {
        named_claims(pod).filter(|claim| self.claims.contains(&claim.name)).count() as i64
    }
}

fn disks(pod: &PodInfo) -> impl Iterator<Item = &DiskIdentity> {
    pod.spec.volumes.iter().filter_map(|volume| match &volume.source {
        VolumeSource::Disk(disk) => disk.conflict.as_ref(),
        _ => None,
    })
}

/// Whether two pods can't share a node.
fn are_in_conflict(pod: &PodInfo, other: &PodInfo) -> bool {
    disks(pod).any(|disk| disks(other).any(|taken| disk.conflicts_with(taken)))
}

impl PreFilterPlugin for VolumeRestrictions {
    fn pre_filter(&self, cx: &Context<'_>, pod: &PodInfo) -> PreFilter {
        if pod.spec.volumes.is_empty() {
            return PreFilter::Skip;
        }
        let mut state = State { claims: Vec::new(), uses: 0 };
        if let Some(storage) = &cx.objects.storage {
            for name in named_claims(pod) {
                let Some(claim) = storage.claim(&name) else {
                    let message = not_found(CLAIM, &name.name);
                    let status = Status::made(Code::UnschedulableAndUnresolvable, message);
                    return PreFilter::Rejected(status);
                };
                let exclusive = claim.access_modes.iter().any(|m| &**m == "ReadWriteOncePod");
                if exclusive && !state.claims.contains(&name.name) {
                    state.uses += i64::from(cx.claim_uses.is_used(&name));
                    state.claims.push(name.name);
                }
            }
        }
        if state.uses == 0 && disks(pod).next().is_none() {
            return PreFilter::Skip;
        }
        PreFilter::with(state)
    }

    fn add_pod(&self, state: &mut PluginState, _pod: &PodInfo, added: &PodInfo, _node: &NodeInfo) {
        if let Some(state) = state.get_mut::<State>() {
            state.uses += state.uses_by(added);
        }
    }

    fn remove_pod(
        &self,
        state: &mut PluginState,
        _pod: &PodInfo,
        removed: &PodInfo,
        _node: &NodeInfo,
    ) {
        if let Some(state) = state.get_mut::<State>() {
            state.uses -= state.uses_by(removed);
        }
    }
}

impl FilterPlugin for VolumeRestrictions {
    fn scope(&self) -> Scope {
        Scope::Node
    }

    fn heeds_identity(&self, pod: &PodInfo) -> bool {
        !pod.spec.volumes.is_empty()
    }

    fn is_volatile(&self, pod: &PodInfo, objects: &Objects) -> bool {
        objects.storage.is_some() && named_claims(pod).next().is_some()
    }

    fn filter(
        &self,
        _cx: &Context<'_>,
        state: &PluginState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Status {
        if disks(pod).next().is_some() && node.pods.iter().any(|other| are_in_conflict(pod, other))
        {
            return Status::unschedulable(&["node(s) had no available disk"]);
        }
        if state.get::<State>().is_some_and(|state| state.uses > 0) {
            return Status::unschedulable(&[
                "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod",
            ]);
        }
        Status::SUCCESS
    }
}

impl SignPlugin for VolumeRestrictions {
    fn sign(&self, _pod: &PodInfo) -> Option<Aspects> {
        Some(Aspects::VOLUMES)
    }
}

impl EnqueueExtensions for VolumeRestrictions {
    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const EVENTS: [ClusterEvent; 3] = [
            ClusterEvent::ASSIGNED_POD_DELETE,
            ClusterEvent::new(Resource::Node, Action::ADD),
            ClusterEvent::new(Resource::PersistentVolumeClaim, Action::ADD),
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
        let helps = match event.resource {
            Resource::PersistentVolumeClaim => {
                let claim = changed_claim(change.storage().1);
                claim.is_some_and(|claim| named_claims(pod).any(|name| name == claim.name))
            }
            Resource::AssignedPod => change.old_pod().is_some_and(|deleted| {
                let shares = |name| named_claims(deleted).any(|other| other == name);
                deleted.namespace == pod.namespace
                    && (are_in_conflict(pod, deleted) || named_claims(pod).any(shares))
            }),
            _ => true,
        };
        QueueingHint::when(helps)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{
        Stage, claim_volumes, node, storage_object, wakes, wakes_when_gone,
    };
    use super::*;
    use serde_json::{Value, json};

    const DISK: &str = "node(s) had no available disk";
    const USED: &str = "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod";

    fn disk(kind: &str, fields: Value) -> Value {
        json!([{"name": "v", kind: fields}])
    }

    #[test]
    fn some_disks_are_not_shared() {
        let gce =
            |name: &str, read| disk("gcePersistentDisk", json!({"pdName": name, "readOnly": read}));
        let ebs =
            |id: &str| disk("awsElasticBlockStore", json!({"volumeID": id, "readOnly": true}));
        let iscsi = |iqn: &str, read| {
            disk("iscsi", json!({"iqn": iqn, "lun": 0, "targetPortal": "t", "readOnly": read}))
        };
        let rbd = |monitors: &[&str], pool: Option<&str>, read| {
            disk("rbd", json!({"monitors": monitors, "pool": pool, "image": "i", "readOnly": read}))
        };
        let rows = [
            ("a GCE disk that both read", gce("a", true), gce("a", true), ""),
            ("a GCE disk that one writes", gce("a", true), gce("a", false), DISK),
            ("two GCE disks", gce("a", false), gce("b", false), ""),
            ("an EBS volume, even if both read", ebs("a"), ebs("a"), DISK),
            ("two EBS volumes", ebs("a"), ebs("b"), ""),
            ("an iSCSI target that both read", iscsi("a", true), iscsi("a", true), ""),
            ("an iSCSI target that both write", iscsi("a", false), iscsi("a", false), DISK),
            (
                "an image on one of the monitors",
                rbd(&["m", "n"], None, false),
                rbd(&["n"], Some("rbd"), false),
                DISK,
            ),
            ("an image on other monitors", rbd(&["m"], None, false), rbd(&["n"], None, false), ""),
            (
                "an image of another pool",
                rbd(&["m"], None, false),
                rbd(&["m"], Some("p"), false),
                "",
            ),
            ("an image that both read", rbd(&["m"], None, true), rbd(&["m"], None, true), ""),
            ("a disk and nothing", gce("a", false), json!([{"name": "v", "emptyDir": {}}]), ""),
        ];
        for (sentence, wanted, taken, expected) in rows {
            let mut stage = Stage::new([node("n")]);
            stage.put(0, "other", taken);
            let pod = stage.pod("pod", wanted);
            assert_eq!(stage.verdict(&VolumeRestrictions, &pod, 0), expected, "{sentence}");
        }
    }

    fn claim(name: &str, mode: &str) -> Value {
        json!({"metadata": {"name": name}, "spec": {"accessModes": [mode]}})
    }

    #[test]
    fn a_claim_for_one_pod_is_for_one_pod() {
        let mut stage = Stage::new([node("n"), node("m")])
            .with("PersistentVolumeClaim", claim("one", "ReadWriteOncePod"))
            .with("PersistentVolumeClaim", claim("free", "ReadWriteOncePod"))
            .with("PersistentVolumeClaim", claim("all", "ReadWriteOnce"));
        let user = stage.put(0, "user", claim_volumes(&["one", "all"]));
        let rows: [(&str, &[&str], &str); 4] = [
            ("one that is in use is nowhere free", &["one"], USED),
            ("one that is not is free", &["free"], ""),
            ("others are shared", &["all"], ""),
            ("one that is not there", &["gone"], "pod: persistentvolumeclaim \"gone\" not found"),
        ];
        for (sentence, claims, expected) in rows {
            let pod = stage.pod("pod", claim_volumes(claims));
            for node in 0..2 {
                assert_eq!(stage.verdict(&VolumeRestrictions, &pod, node), expected, "{sentence}");
            }
        }

        let pod = stage.pod("pod", claim_volumes(&["one"]));
        let cx = stage.context();
        let PreFilter::Continue { mut state, .. } = VolumeRestrictions.pre_filter(&cx, &pod) else {
            panic!("it has something to say");
        };
        VolumeRestrictions.remove_pod(&mut state, &pod, &user, &stage.nodes[0]);
        let verdict = VolumeRestrictions.filter(&cx, &state, &pod, &stage.nodes[0]);
        assert!(verdict.is_success(), "without its user the claim is free");
        VolumeRestrictions.add_pod(&mut state, &pod, &user, &stage.nodes[0]);
        let verdict = VolumeRestrictions.filter(&cx, &state, &pod, &stage.nodes[0]);
        assert_eq!(verdict.message(), USED, "and with it it is not");
    }

    #[test]
    fn pods_are_tried_again_when_it_may_help() {
        let mut stage = Stage::new([node("n")]);
        let pod = stage.pod("pod", claim_volumes(&["data"]));
        let claim = |name| storage_object("PersistentVolumeClaim", claim(name, "ReadWriteOnce"));
        let (data, other) = (claim("data"), claim("other"));
        assert!(wakes(&VolumeRestrictions, &pod, None, Some(&data)), "its claim has appeared");
        assert!(!wakes(&VolumeRestrictions, &pod, None, Some(&other)), "another's has");
        assert!(
            !wakes(&VolumeRestrictions, &pod, Some(&data), Some(&data)),
            "its claim has changed"
        );
        let rows = [
            ("who used its claim is gone", claim_volumes(&["data"]), true),
            ("who used another is gone", claim_volumes(&["other"]), false),
        ];
        for (sentence, volumes, expected) in rows {
            let gone = stage.pod("gone", volumes);
            assert_eq!(wakes_when_gone(&VolumeRestrictions, &pod, &gone), expected, "{sentence}");
        }
        let ebs = || disk("awsElasticBlockStore", json!({"volumeID": "a"}));
        let (pod, gone) = (stage.pod("pod", ebs()), stage.pod("gone", ebs()));
        assert!(wakes_when_gone(&VolumeRestrictions, &pod, &gone), "its disk is free");
    }
}
