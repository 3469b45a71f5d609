//! VolumeZone: a volume's zone and region labels must be those of the node.
//!
//! Source: `plugins/volumezone/volume_zone.go`, v1.37.

use super::pod_claims::{CLAIM, CLASS, VOLUME, changed_claim, named_claims, not_found};
use crate::api::Text;
use crate::api::labels::Labels;
use crate::api::storage::{Claim, PersistentVolume, StorageObject};
use crate::control::scheduler::event::{Action, ClusterEvent, EventObjects, Resource};
use crate::control::scheduler::framework::{
    Aspects, Code, Context, EnqueueExtensions, FilterPlugin, PluginState, PreFilter,
    PreFilterPlugin, QueueingHint, Scope, SignPlugin, Status,
};
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::objects::Objects;
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::scheduler::storage::Storage;
use std::collections::BTreeSet;

const ZONE: &str = "topology.kubernetes.io/zone";
const REGION: &str = "topology.kubernetes.io/region";
const BETA_ZONE: &str = "failure-domain.beta.kubernetes.io/zone";
const BETA_REGION: &str = "failure-domain.beta.kubernetes.io/region";
const LABELS: [&str; 4] = [BETA_ZONE, BETA_REGION, ZONE, REGION];

/// Filters by the zones of bound volumes.
pub struct VolumeZone;

/// A label that a node must have, with one of these values (`pvTopology`).
#[derive(Clone, PartialEq, Eq, Debug)]
struct Topology {
    key: &'static str,
    values: BTreeSet<Text>,
}

/// The labels of a volume that count (`getPVTopologies`); one with an empty zone in its list is
/// not heeded.
fn topologies(volume: &PersistentVolume) -> Vec<Topology> {
    let topology = |key: &&'static str| {
        let zones = volume.labels.get(key)?.split("__").map(str::trim);
        let values: BTreeSet<Text> = zones.map(Text::from).collect();
        (!values.contains("")).then_some(Topology { key, values })
    };
    LABELS.iter().filter_map(topology).collect()
}

/// Whether a node meets the labels of the pod's volumes. A node without any such label does.
fn admits(topologies: &[Topology], node: &Labels) -> bool {
    if LABELS.iter().all(|key| node.get(key).is_none()) {
        return true;
    }
    let present = |key: &str| match key {
        BETA_ZONE => node.get(ZONE),
        BETA_REGION => node.get(REGION),
        _ => None,
    };
    topologies.iter().all(|topology| {
        let value = node.get(topology.key).or_else(|| present(topology.key));
        value.is_some_and(|value| topology.values.contains(value))
    })
}

/// The topologies of all bound volumes of a pod (`getPVbyPod`), or why it can't go anywhere.
fn topologies_of(storage: &Storage, pod: &PodInfo) -> Result<Vec<Topology>, String> {
    let mut all = Vec::new();
    for name in named_claims(pod) {
        if name.name.is_empty() {
            return Err("PersistentVolumeClaim had no name".to_owned());
        }
        let claim = storage.claim(&name).ok_or_else(|| not_found(CLAIM, &name.name))?;
        if claim.volume.is_empty() {
            may_be_unbound(storage, claim)?;
            continue;
        }
        let volume = storage.volume(&claim.volume);
        all.extend(topologies(volume.ok_or_else(|| not_found(VOLUME, &claim.volume))?));
    }
    Ok(all)
}

/// Only claims that wait for their first consumer may have no volume yet.
fn may_be_unbound(storage: &Storage, claim: &Claim) -> Result<(), String> {
    if claim.class.is_empty() {
        return Err("PersistentVolumeClaim had no pv name and storageClass name".to_owned());
    }
    let class = storage.class(&claim.class).ok_or_else(|| not_found(CLASS, &claim.class))?;
    if !class.waits_for_consumer {
        return Err("PersistentVolume had no name".to_owned());
    }
    Ok(())
}

impl PreFilterPlugin for VolumeZone {
    fn pre_filter(&self, cx: &Context<'_>, pod: &PodInfo) -> PreFilter {
        let Some(storage) = cx.objects.storage.as_ref().filter(|_| !pod.spec.volumes.is_empty())
        else {
            return PreFilter::Skip;
        };
        match topologies_of(storage, pod) {
            Ok(topologies) if topologies.is_empty() => PreFilter::Skip,
            Ok(topologies) => PreFilter::with(topologies),
            Err(message) => {
                PreFilter::Rejected(Status::made(Code::UnschedulableAndUnresolvable, message))
            }
        }
    }
}

impl FilterPlugin for VolumeZone {
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
        cx: &Context<'_>,
        state: &PluginState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Status {
        let Some(storage) = &cx.objects.storage else { return Status::SUCCESS };
        let found;
        let topologies = match state.get::<Vec<Topology>>() {
            Some(topologies) => topologies,
            None => match topologies_of(storage, pod) {
                Ok(topologies) => {
                    found = topologies;
                    &found
                }
                Err(message) => return Status::made(Code::UnschedulableAndUnresolvable, message),
            },
        };
        if admits(topologies, &node.node.labels) {
            return Status::SUCCESS;
        }
        Status::unresolvable(&["node(s) had no available volume zone"])
    }
}

impl SignPlugin for VolumeZone {
    fn sign(&self, _pod: &PodInfo) -> Option<Aspects> {
        Some(Aspects::VOLUMES)
    }
}

impl EnqueueExtensions for VolumeZone {
    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const ADD_OR_UPDATE: Action = Action::ADD.or(Action::UPDATE);
        const EVENTS: [ClusterEvent; 4] = [
            ClusterEvent::new(Resource::StorageClass, Action::ADD),
            ClusterEvent::new(Resource::Node, Action::ADD.or(Action::UPDATE_NODE_LABEL)),
            ClusterEvent::new(Resource::PersistentVolumeClaim, ADD_OR_UPDATE),
            ClusterEvent::new(Resource::PersistentVolume, ADD_OR_UPDATE),
        ];
        &EVENTS
    }

    fn queueing_hint(
        &self,
        _objects: &Objects,
        pod: &PodInfo,
        _event: ClusterEvent,
        change: &EventObjects<'_>,
    ) -> QueueingHint {
        let (old, new) = change.storage();
        let helps = match (old, new) {
            (_, Some(StorageObject::Class(class))) => class.waits_for_consumer,
            (_, Some(StorageObject::Claim(_))) => {
                let claim = changed_claim(new);
                claim.is_some_and(|claim| named_claims(pod).any(|name| name == claim.name))
            }
            (Some(StorageObject::Volume(old)), Some(StorageObject::Volume(new))) => {
                topologies(old) != topologies(new)
            }
            _ => true,
        };
        QueueingHint::when(helps)
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{Stage, claim_volumes, node, storage_object, wakes};
    use super::*;
    use crate::api::node::Node;
    use serde_json::{Value, json};

    const CONFLICT: &str = "node(s) had no available volume zone";

    fn volume(labels: Value) -> Value {
        json!({"metadata": {"name": "pv", "labels": labels}})
    }

    fn claim(volume: &str, class: &str) -> Value {
        let spec = json!({"volumeName": volume, "storageClassName": class});
        json!({"metadata": {"name": "data"}, "spec": spec})
    }

    fn class(mode: &str) -> Value {
        json!({"metadata": {"name": "c"}, "provisioner": "p", "volumeBindingMode": mode})
    }

    #[test]
    fn zones_of_volume_and_node_agree() {
        let in_a = || json!({ZONE: "a"});
        let rows = [
            ("the same zone", in_a(), Labels::from([(ZONE, "a")]), ""),
            ("another zone", in_a(), Labels::from([(ZONE, "b")]), CONFLICT),
            ("one of the volume's zones", json!({ZONE: "a__b"}), Labels::from([(ZONE, "b")]), ""),
            ("a node without zone or region", in_a(), Labels::from([("rack", "1")]), ""),
            ("a node with a region only", in_a(), Labels::from([(REGION, "r")]), CONFLICT),
            (
                "a beta label is met by the present one",
                json!({BETA_ZONE: "a"}),
                Labels::from([(ZONE, "a")]),
                "",
            ),
            ("but not the other way round", in_a(), Labels::from([(BETA_ZONE, "a")]), CONFLICT),
            (
                "all labels count",
                json!({ZONE: "a", REGION: "r"}),
                Labels::from([(ZONE, "a"), (REGION, "s")]),
                CONFLICT,
            ),
            (
                "a list with an empty zone is not heeded",
                json!({ZONE: "a__"}),
                Labels::from([(ZONE, "b")]),
                "",
            ),
            ("a volume without labels is everywhere", json!({}), Labels::from([(ZONE, "b")]), ""),
        ];
        for (sentence, volume_labels, labels, expected) in rows {
            let mut stage = Stage::new([Node { labels, ..node("n") }])
                .with("PersistentVolume", volume(volume_labels))
                .with("PersistentVolumeClaim", claim("pv", "c"));
            let pod = stage.pod("pod", claim_volumes(&["data"]));
            assert_eq!(stage.verdict(&VolumeZone, &pod, 0), expected, "{sentence}");
        }
    }

    #[test]
    fn claims_must_be_bound_unless_they_wait() {
        let stage = || Stage::new([Node { labels: Labels::from([(ZONE, "a")]), ..node("n") }]);
        let with = |claim: Value| stage().with("PersistentVolumeClaim", claim);
        let rows = [
            ("no claim", stage(), "pod: persistentvolumeclaim \"data\" not found"),
            ("no volume", with(claim("pv", "c")), "pod: persistentvolume \"pv\" not found"),
            ("no class", with(claim("", "c")), "pod: storageclass.storage.k8s.io \"c\" not found"),
            (
                "unbound and without a class",
                with(claim("", "")),
                "pod: PersistentVolumeClaim had no pv name and storageClass name",
            ),
            (
                "unbound, to be bound at once",
                with(claim("", "c")).with("StorageClass", class("Immediate")),
                "pod: PersistentVolume had no name",
            ),
            (
                "unbound, waiting for its first consumer",
                with(claim("", "c")).with("StorageClass", class("WaitForFirstConsumer")),
                "",
            ),
        ];
        for (sentence, mut stage, expected) in rows {
            let pod = stage.pod("pod", claim_volumes(&["data"]));
            assert_eq!(stage.verdict(&VolumeZone, &pod, 0), expected, "{sentence}");
        }
    }

    #[test]
    fn pods_are_tried_again_when_it_may_help() {
        let pod = Stage::new([]).pod("pod", claim_volumes(&["data"]));
        let volume = |labels| storage_object("PersistentVolume", volume(labels));
        let claim = |name: &str| {
            storage_object("PersistentVolumeClaim", json!({"metadata": {"name": name}}))
        };
        let class = |mode| storage_object("StorageClass", class(mode));
        let in_a = volume(json!({ZONE: "a"}));
        type Row = (&'static str, Option<StorageObject>, StorageObject, bool);
        let rows: [Row; 8] = [
            ("a volume has appeared", None, in_a.clone(), true),
            ("a volume's zone has changed", Some(in_a.clone()), volume(json!({ZONE: "b"})), true),
            ("another label has", Some(in_a), volume(json!({ZONE: "a", "x": "y"})), false),
            ("its claim has appeared", None, claim("data"), true),
            ("its claim has changed", Some(claim("data")), claim("data"), true),
            ("another's claim has appeared", None, claim("other"), false),
            ("a class that waits has appeared", None, class("WaitForFirstConsumer"), true),
            ("a class that does not has", None, class("Immediate"), false),
        ];
        for (sentence, old, new, expected) in rows {
            assert_eq!(wakes(&VolumeZone, &pod, old.as_ref(), Some(&new)), expected, "{sentence}");
        }
    }
}
