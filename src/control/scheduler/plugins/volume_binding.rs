//! VolumeBinding: bound volumes must be reached from the node, and unbound claims must find a
//! volume there, or room to make one. The node's claims are reserved once the pod has the node, and
//! the pod is bound only when they are.
//!
//! Source: `plugins/volumebinding/volume_binding.go`, `scorer.go`, v1.37, gate
//! StorageCapacityScoring on, as by default. What upstream's Filter keeps for each node is found
//! again here where it is asked for: nothing that it depends on changes during a cycle.

mod check;
mod find;

use super::node_resources_fit::{ShapePoint, at_utilization, scores_by_utilization};
use super::pod_claims::{CLAIM, changed_claim, check_owner, claims_of, not_found};
use crate::api::Text;
use crate::api::quantity::Quantity;
use crate::api::storage::StorageObject;
use crate::api::volume::VolumeSource;
use crate::control::scheduler::event::{Action, ClusterEvent, EventObjects, Resource};
use crate::control::scheduler::framework::{
    Aspects, Code, Context, EnqueueExtensions, FilterPlugin, NodeList, PluginState, PodBinding,
    PreBindPlugin, PreFilter, PreFilterPlugin, PreFlight, PreScore, PreScorePlugin, QueueingHint,
    Reasons, ReservePlugin, Scope, ScorePlugin, SignPlugin, Status, Waits,
};
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::objects::Objects;
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::scheduler::registry::decode;
use crate::control::scheduler::storage::{Reservation, Storage};
use crate::units::SimDuration;
use find::{PodVolumes, Volumes, claims_by_binding};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Filters by volumes and scores by the room that is left for new ones.
pub struct VolumeBinding {
    /// Score by utilisation, per cent.
    shape: Vec<(i64, i64)>,
    /// How long a pod waits for its claims to be bound.
    bind_timeout: SimDuration,
}

/// `VolumeBindingArgs`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Args {
    bind_timeout_seconds: i64,
    shape: Vec<ShapePoint>,
}

impl Default for Args {
    fn default() -> Args {
        Args { bind_timeout_seconds: 600, shape: Vec::new() }
    }
}

impl VolumeBinding {
    /// From `VolumeBindingArgs`.
    pub fn new(args: &Value) -> Result<VolumeBinding, String> {
        let args: Args = decode(args)?;
        let seconds = args.bind_timeout_seconds;
        let Ok(bind_timeout) = u64::try_from(seconds).map(SimDuration::from_secs) else {
            return Err(format!("bindTimeoutSeconds: {seconds} is negative"));
        };
        let default = [(0, 10), (100, 0)];
        let default = || default.map(|(utilization, score)| ShapePoint { utilization, score });
        let given = if args.shape.is_empty() { default().into() } else { args.shape };
        let shape = scores_by_utilization(&given).map_err(|e| format!("shape{e}"))?;
        Ok(VolumeBinding { shape, bind_timeout })
    }

    /// The score of classes by what is asked of each and what it has (`buildScorerFunction`).
    fn score_of(&self, classes: &BTreeMap<Text, (i64, i64)>) -> i64 {
        if classes.is_empty() {
            return 0;
        }
        let score = |(requested, capacity): &(i64, i64)| {
            let full = *capacity == 0 || requested > capacity;
            // As Go multiplies: 92 petabytes are too much.
            let utilization = if full { 100 } else { requested.wrapping_mul(100) / capacity };
            at_utilization(&self.shape, utilization)
        };
        let sum: i64 = classes.values().map(score).sum();
        (sum as f64 / classes.len() as f64).round() as i64
    }
}

/// What is asked of each class at a node, and what it has there. Volumes that are there already
/// count if there is any, else those that are to be made where a capacity is known.
fn classes(found: &PodVolumes) -> BTreeMap<Text, (i64, i64)> {
    let bytes = |quantity: Option<Quantity>| quantity.unwrap_or_default().value();
    let mut classes: BTreeMap<Text, (i64, i64)> = BTreeMap::new();
    for (volume, claim) in &found.bindings {
        let class = classes.entry(volume.spec_class.clone()).or_default();
        class.0 += bytes(claim.request);
        class.1 += volume.capacity.value();
    }
    if !found.bindings.is_empty() {
        return classes;
    }
    for (claim, capacity) in &found.provisions {
        let Some(capacity) = capacity else { continue };
        let class = classes.entry(claim.class.clone()).or_default();
        class.0 += bytes(claim.request);
        class.1 = bytes(capacity.capacity);
    }
    classes
}

/// Whether the pod has claims (`podHasPVCs`), or why it can't go anywhere because of one.
fn check_claims(storage: &Storage, pod: &PodInfo) -> Result<bool, String> {
    let mut has_claims = false;
    for wanted in claims_of(pod) {
        has_claims = true;
        let name = &wanted.name.name;
        let claim = storage.claim(&wanted.name).ok_or_else(|| match wanted.is_ephemeral {
            true => {
                format!("waiting for ephemeral volume controller to create the {CLAIM} {name:?}")
            }
            false => not_found(CLAIM, name),
        })?;
        if claim.is_lost {
            let volume = &claim.volume;
            return Err(format!(
                "{CLAIM} {name:?} bound to non-existent persistentvolume {volume:?}"
            ));
        }
        if claim.is_deleted {
            return Err(format!("{CLAIM} {name:?} is being deleted"));
        }
        if wanted.is_ephemeral {
            check_owner(pod, claim)?;
        }
    }
    Ok(has_claims)
}

impl PreFilterPlugin for VolumeBinding {
    fn pre_filter(&self, cx: &Context<'_>, pod: &PodInfo) -> PreFilter {
        let Some(storage) = cx.objects.storage.as_ref().filter(|_| !pod.spec.volumes.is_empty())
        else {
            return PreFilter::Skip;
        };
        let rejected = |message: String| {
            PreFilter::Rejected(Status::made(Code::UnschedulableAndUnresolvable, message))
        };
        match check_claims(storage, pod) {
            Err(message) => return rejected(message),
            Ok(false) => return PreFilter::Skip,
            Ok(true) => {}
        }
        let volumes = claims_by_binding(storage, pod);
        if volumes.has_unbound_immediate {
            return rejected("pod has unbound immediate PersistentVolumeClaims".to_owned());
        }
        PreFilter::with(volumes)
    }
}

impl FilterPlugin for VolumeBinding {
    fn scope(&self) -> Scope {
        Scope::Node
    }

    fn heeds_identity(&self, pod: &PodInfo) -> bool {
        !pod.spec.volumes.is_empty()
    }

    fn is_volatile(&self, pod: &PodInfo, objects: &Objects) -> bool {
        objects.storage.is_some() && claims_of(pod).next().is_some()
    }

    fn filter(
        &self,
        cx: &Context<'_>,
        state: &PluginState,
        _pod: &PodInfo,
        node: &NodeInfo,
    ) -> Status {
        let (Some(storage), Some(volumes)) = (&cx.objects.storage, state.get::<Volumes>()) else {
            return Status::SUCCESS;
        };
        match volumes.find(storage, &node.node) {
            Ok(_) => Status::SUCCESS,
            Err(find::Unfit::Error(message)) => Status::made(Code::Error, message),
            Err(find::Unfit::Conflicts(reasons)) => Status {
                code: Code::UnschedulableAndUnresolvable,
                reasons: Reasons::Made(reasons.into_iter().map(Text::from).collect()),
            },
        }
    }
}

impl PreScorePlugin for VolumeBinding {
    fn pre_score(&self, cx: &Context<'_>, pod: &PodInfo, _feasible: NodeList<'_>) -> PreScore {
        match &cx.objects.storage {
            Some(storage)
                if cx.version.scores_storage_capacity() && claims_of(pod).next().is_some() =>
            {
                PreScore::Continue(PluginState::new(claims_by_binding(storage, pod)))
            }
            _ => PreScore::Skip,
        }
    }
}

impl ScorePlugin for VolumeBinding {
    fn scope(&self) -> Scope {
        Scope::Node
    }

    fn heeds_identity(&self, pod: &PodInfo) -> bool {
        !pod.spec.volumes.is_empty()
    }

    fn score(&self, cx: &Context<'_>, state: &PluginState, _pod: &PodInfo, node: &NodeInfo) -> i64 {
        let (Some(storage), Some(volumes)) = (&cx.objects.storage, state.get::<Volumes>()) else {
            return 0;
        };
        let found = volumes.find(storage, &node.node);
        found.map_or(0, |found| self.score_of(&classes(&found)))
    }
}

impl ReservePlugin for VolumeBinding {
    /// `AssumePodVolumes`.
    fn reserve(&self, cx: &Context<'_>, pod: &PodInfo, node: &NodeInfo) -> Reservation {
        let Some(storage) = &cx.objects.storage else { return Reservation::default() };
        let Ok(found) = claims_by_binding(storage, pod).find(storage, &node.node) else {
            return Reservation::default();
        };
        let (bindings, provisions) = (found.bindings.iter(), found.provisions.iter());
        Reservation {
            bindings: bindings.map(|(v, c)| (v.name.clone(), c.name.clone())).collect(),
            provisions: provisions.map(|(c, _)| (c.name.clone(), node.name().clone())).collect(),
            claims: Vec::new(),
        }
    }
}

impl PreBindPlugin for VolumeBinding {
    /// Nothing is reserved for a pod whose claims are all bound.
    fn pre_flight(&self, _cx: &Context<'_>, binding: &PodBinding<'_>) -> Result<PreFlight, String> {
        Ok(PreFlight { works: !volumes_of(binding).is_empty(), parallel: true })
    }

    /// `bindAPIUpdate`.
    fn writes(&self, binding: &PodBinding<'_>) -> Reservation {
        volumes_of(binding)
    }

    fn waits(&self, _cx: &Context<'_>, _binding: &PodBinding<'_>) -> Option<Waits> {
        let timed_out = "binding volumes: context deadline exceeded";
        let (period, timeout) = (SimDuration::from_secs(1), self.bind_timeout);
        Some(Waits { period, at_once: false, timeout, timed_out })
    }

    fn is_done(&self, cx: &Context<'_>, binding: &PodBinding<'_>) -> Result<bool, String> {
        let Some(storage) = &cx.objects.storage else { return Ok(true) };
        check::are_bound(storage, binding).map_err(|why| format!("binding volumes: {why}"))
    }
}

/// What is reserved of volumes.
fn volumes_of(binding: &PodBinding<'_>) -> Reservation {
    Reservation { claims: Vec::new(), ..binding.reserved.clone() }
}

impl SignPlugin for VolumeBinding {
    fn sign(&self, _pod: &PodInfo) -> Option<Aspects> {
        Some(Aspects::VOLUMES)
    }
}

impl EnqueueExtensions for VolumeBinding {
    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const ADD_OR_UPDATE: Action = Action::ADD.or(Action::UPDATE);
        const EVENTS: [ClusterEvent; 7] = [
            ClusterEvent::new(Resource::StorageClass, ADD_OR_UPDATE),
            ClusterEvent::new(Resource::PersistentVolumeClaim, ADD_OR_UPDATE),
            ClusterEvent::new(Resource::PersistentVolume, ADD_OR_UPDATE),
            ClusterEvent::new(Resource::Node, Action::ADD.or(Action::UPDATE_NODE_LABEL)),
            ClusterEvent::new(Resource::CsiNode, ADD_OR_UPDATE),
            ClusterEvent::new(Resource::CsiDriver, Action::UPDATE),
            ClusterEvent::new(Resource::CsiStorageCapacity, ADD_OR_UPDATE),
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
        use StorageObject::{Capacity, Class, CsiDriver, CsiNode};
        let (old, new) = change.storage();
        let helps = match (old, new) {
            (_, Some(StorageObject::Claim(_))) => changed_claim(new)
                .is_some_and(|claim| claims_of(pod).any(|wanted| wanted.name == claim.name)),
            (Some(Class(old)), Some(Class(new))) => {
                old.allowed_topologies != new.allowed_topologies
            }
            (Some(CsiNode(old)), Some(CsiNode(new))) => {
                old.migrated_plugins != new.migrated_plugins
            }
            (Some(CsiDriver(old)), Some(CsiDriver(new))) => {
                let of_driver = |source: &VolumeSource| match source {
                    VolumeSource::Csi { driver } => *driver == new.name,
                    _ => false,
                };
                old.tells_capacity
                    && !new.tells_capacity
                    && pod.spec.volumes.iter().any(|v| of_driver(&v.source))
            }
            (Some(Capacity(old)), Some(Capacity(new))) => {
                let limit = |quantity: Quantity| quantity.value();
                new.volume_limit().map(limit) > old.volume_limit().map(limit)
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
    use serde_json::json;

    fn plugin() -> VolumeBinding {
        VolumeBinding::new(&Value::Null).unwrap()
    }

    fn claim(name: &str, change: impl Fn(&mut Value)) -> Value {
        let mut claim = json!({
            "metadata": {"name": name, "uid": name, "annotations": {}},
            "spec": {"storageClassName": "c", "resources": {"requests": {"storage": "10Gi"}}},
        });
        change(&mut claim);
        claim
    }

    fn bound_to(volume: &str) -> impl Fn(&mut Value) {
        move |claim| {
            claim["spec"]["volumeName"] = json!(volume);
            claim["metadata"]["annotations"]["pv.kubernetes.io/bind-completed"] = json!("yes");
        }
    }

    fn class(mode: &str) -> Value {
        json!({"metadata": {"name": "c"}, "provisioner": "p", "volumeBindingMode": mode})
    }

    #[test]
    fn claims_that_no_node_helps() {
        let pod_volume = claim_volumes(&["data"]);
        let ephemeral = json!([{"name": "v", "ephemeral": {"volumeClaimTemplate": {"spec": {}}}}]);
        let with = |given: Value| Stage::new([node("n")]).with("PersistentVolumeClaim", given);
        let owned_by = |uid: &str| {
            let owner = json!({"apiVersion": "v1", "kind": "Pod", "name": "pod", "uid": uid,
                "controller": true});
            let given = claim("pod-v", bound_to("pv"));
            let mut given = given;
            given["metadata"]["ownerReferences"] = json!([owner]);
            with(given)
        };
        let immediate = || with(claim("data", |_| {})).with("StorageClass", class("Immediate"));
        let asks = |claim: &mut Value| claim["spec"]["volumeName"] = json!("pv");
        let rows = [
            (
                "it is missing",
                Stage::new([node("n")]),
                &pod_volume,
                "pod: persistentvolumeclaim \"data\" not found",
            ),
            (
                "an ephemeral volume's is not made yet",
                Stage::new([node("n")]),
                &ephemeral,
                "pod: waiting for ephemeral volume controller to create the persistentvolumeclaim \"pod-v\"",
            ),
            (
                "an ephemeral volume's is somebody else's",
                owned_by("default/other"),
                &ephemeral,
                "pod: PVC default/pod-v was not created for pod default/pod (pod is not owner)",
            ),
            (
                "an ephemeral volume's own",
                owned_by("default/pod").with("PersistentVolume", volume("pv", "10Gi")),
                &ephemeral,
                "",
            ),
            (
                "its volume is lost",
                with(claim("data", |c| {
                    bound_to("pv")(c);
                    c["status"] = json!({"phase": "Lost"});
                })),
                &pod_volume,
                "pod: persistentvolumeclaim \"data\" bound to non-existent persistentvolume \"pv\"",
            ),
            (
                "it is being deleted",
                with(claim("data", |c| {
                    c["metadata"]["deletionTimestamp"] = json!("2000-01-01T00:00:00Z");
                })),
                &pod_volume,
                "pod: persistentvolumeclaim \"data\" is being deleted",
            ),
            (
                "it is to be bound at once and is not",
                immediate(),
                &pod_volume,
                "pod: pod has unbound immediate PersistentVolumeClaims",
            ),
            (
                "its class is not known",
                with(claim("data", |_| {})),
                &pod_volume,
                "pod: pod has unbound immediate PersistentVolumeClaims",
            ),
            (
                "it asks for a volume, though its class waits",
                with(claim("data", asks)).with("StorageClass", class("WaitForFirstConsumer")),
                &pod_volume,
                "pod: pod has unbound immediate PersistentVolumeClaims",
            ),
        ];
        for (sentence, mut stage, volumes, expected) in rows {
            let pod = stage.pod("pod", volumes.clone());
            assert_eq!(stage.verdict(&plugin(), &pod, 0), expected, "{sentence}");
        }
    }

    fn volume(name: &str, size: &str) -> Value {
        json!({
            "metadata": {"name": name},
            "spec": {"storageClassName": "c", "capacity": {"storage": size}},
            "status": {"phase": "Available"},
        })
    }

    #[test]
    fn volumes_are_scored_by_how_full_they_get() {
        let with = |shape: Value| VolumeBinding::new(&json!({"shape": shape})).unwrap();
        let point = |utilization, score| json!({"utilization": utilization, "score": score});
        let fullest = || with(json!([point(0, 0), point(100, 10)]));
        type Row<'a> = (&'a str, VolumeBinding, &'a [(i64, i64)], i64);
        let rows: [Row<'_>; 8] = [
            ("nothing to score", plugin(), &[], 0),
            ("by default the emptiest is best", plugin(), &[(25, 100)], 75),
            ("a full one is worst", plugin(), &[(100, 100)], 0),
            ("one that is too small counts as full", fullest(), &[(3, 2)], 100),
            ("so does one without capacity", fullest(), &[(0, 0)], 100),
            ("a given shape", fullest(), &[(25, 100)], 25),
            ("classes count alike", fullest(), &[(25, 100), (3, 4)], 50),
            ("halves round up", fullest(), &[(1, 100), (2, 100)], 2),
        ];
        for (sentence, plugin, given, expected) in rows {
            let named = given.iter().enumerate().map(|(i, c)| (Text::from(i.to_string()), *c));
            assert_eq!(plugin.score_of(&named.collect()), expected, "{sentence}");
        }
    }

    #[test]
    fn arguments_are_checked_as_upstream() {
        let rows = [
            ("the defaults", json!(null), None),
            ("an empty shape is the default one", json!({"shape": []}), None),
            (
                "time does not run backwards",
                json!({"bindTimeoutSeconds": -1}),
                Some("bindTimeoutSeconds: -1 is negative"),
            ),
            (
                "utilisation grows",
                json!({"shape": [{"utilization": 50, "score": 1}, {"utilization": 50, "score": 2}]}),
                Some("shape[1].utilization: values must be sorted in increasing order"),
            ),
            (
                "utilisation is a percentage",
                json!({"shape": [{"utilization": 101, "score": 1}]}),
                Some("shape[0].utilization: 101 is not in 0..=100"),
            ),
            (
                "scores end at ten",
                json!({"shape": [{"utilization": 0, "score": 11}]}),
                Some("shape[0].score: 11 is not in 0..=10"),
            ),
        ];
        for (sentence, args, expected) in rows {
            let error = VolumeBinding::new(&args).err();
            assert_eq!(error.as_deref(), expected, "{sentence}");
        }
    }

    #[test]
    fn what_is_found_is_reserved() {
        let waits = |_: &mut Value| {};
        let mut stage = Stage::new([node("n")])
            .with("StorageClass", class("WaitForFirstConsumer"))
            .with("PersistentVolume", volume("pv", "10Gi"))
            .with("PersistentVolumeClaim", claim("first", waits))
            .with("PersistentVolumeClaim", claim("second", waits));
        let pod = stage.pod("pod", claim_volumes(&["first", "second"]));
        let reserved = plugin().reserve(&stage.context(), &pod, &stage.nodes[0]);
        let name = |name: &str| crate::api::ObjectName::new("default", name);
        let expected = Reservation {
            bindings: vec![("pv".into(), name("first"))],
            provisions: vec![(name("second"), "n".into())],
            ..Reservation::default()
        };
        assert_eq!(reserved, expected, "one volume is there, the other is made");

        stage.objects.assume(&reserved);
        let other = stage.pod("other", claim_volumes(&["first"]));
        let again = plugin().reserve(&stage.context(), &other, &stage.nodes[0]);
        let expected = Reservation { provisions: vec![], ..expected };
        assert_eq!(again, expected, "who shares the claim gets the volume kept for it");
    }

    #[test]
    fn pods_are_tried_again_when_it_may_help() {
        let pod = Stage::new([]).pod("pod", claim_volumes(&["data"]));
        let claim = |name| storage_object("PersistentVolumeClaim", claim(name, |_| {}));
        let class = |zone: &str| {
            let mut class = class("WaitForFirstConsumer");
            class["allowedTopologies"] =
                json!([{"matchLabelExpressions": [{"key": "zone", "values": [zone]}]}]);
            storage_object("StorageClass", class)
        };
        let csi_node = |plugins: &str| {
            let annotations = json!({"storage.alpha.kubernetes.io/migrated-plugins": plugins});
            let metadata = json!({"name": "n", "annotations": annotations});
            storage_object("CSINode", json!({"metadata": metadata, "spec": {"drivers": []}}))
        };
        let capacity = |size: Option<&str>| {
            let metadata = json!({"name": "x"});
            let given = json!({"metadata": metadata, "storageClassName": "c", "capacity": size});
            storage_object("CSIStorageCapacity", given)
        };
        let volume = storage_object("PersistentVolume", volume("pv", "1Gi"));
        type Row = (&'static str, Option<StorageObject>, StorageObject, bool);
        let rows: [Row; 14] = [
            ("its claim appears", None, claim("data"), true),
            ("its claim changes", Some(claim("data")), claim("data"), true),
            ("another's claim changes", Some(claim("x")), claim("x"), false),
            ("a volume appears", None, volume.clone(), true),
            ("a volume changes", Some(volume.clone()), volume, true),
            ("a class appears", None, class("a"), true),
            ("a class allows other nodes", Some(class("a")), class("b"), true),
            ("a class changes otherwise", Some(class("a")), class("a"), false),
            ("a node tells its drivers", None, csi_node(""), true),
            ("a node migrates", Some(csi_node("")), csi_node("kubernetes.io/cinder"), true),
            ("a node changes otherwise", Some(csi_node("")), csi_node(""), false),
            ("a capacity is told", Some(capacity(None)), capacity(Some("1Gi")), true),
            ("a capacity grows", Some(capacity(Some("1Gi"))), capacity(Some("2Gi")), true),
            ("a capacity shrinks", Some(capacity(Some("2Gi"))), capacity(Some("1Gi")), false),
        ];
        for (sentence, old, new, expected) in rows {
            assert_eq!(wakes(&plugin(), &pod, old.as_ref(), Some(&new)), expected, "{sentence}");
        }
    }

    #[test]
    fn a_driver_that_no_longer_tells_capacity_wakes_its_pods() {
        let driver = |tells: bool| {
            let spec = json!({"storageCapacity": tells});
            storage_object("CSIDriver", json!({"metadata": {"name": "d"}, "spec": spec}))
        };
        let of = |driver: &str| json!([{"name": "v", "csi": {"driver": driver}}]);
        let (tells, silent) = (driver(true), driver(false));
        let mut stage = Stage::new([]);
        let (its, another) = (stage.pod("pod", of("d")), stage.pod("pod", of("e")));
        assert!(wakes(&plugin(), &its, Some(&tells), Some(&silent)));
        assert!(!wakes(&plugin(), &another, Some(&tells), Some(&silent)), "not another's");
        assert!(!wakes(&plugin(), &its, Some(&silent), Some(&tells)), "not the other way round");
    }
}
