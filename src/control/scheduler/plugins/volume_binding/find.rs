//! Volumes for a pod's claims on a node: those that are there, and those that could be made.
//!
//! Source: `plugins/volumebinding/binder.go`; choice of a volume: component-helpers
//! `storage/volume/pv_helpers.go`, v1.37. It knows neither pods on nodes nor scores. Volumes of
//! equal size and capacities are tried in the order of their names; upstream's is a map's.

use crate::api::Text;
use crate::api::node::Node;
use crate::api::storage::{
    self, CsiNode, CsiStorageCapacity, NO_PROVISIONER, PersistentVolume, StorageClass,
};
use crate::control::scheduler::plugins::pod_claims::claims_of;
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::scheduler::storage::Storage;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) type Claim = Arc<storage::Claim>;
pub(super) type Volume = Arc<PersistentVolume>;

const NODE_CONFLICT: &str = "node(s) didn't match PersistentVolume's node affinity";
const BIND_CONFLICT: &str = "node(s) didn't find available persistent volumes to bind";
const NOT_ENOUGH_SPACE: &str = "node(s) did not have enough free storage";
const NO_SUCH_VOLUME: &str =
    "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)";

/// A pod's claims (`PodVolumeClaims`).
#[derive(Clone, Default)]
pub(super) struct Volumes {
    bound: Vec<Claim>,
    /// Those that wait for their first consumer.
    unbound: Vec<Claim>,
    /// The volumes of their classes.
    candidates: BTreeMap<Text, Vec<Volume>>,
    /// Whether there is one that should have been bound by now.
    pub(super) has_unbound_immediate: bool,
}

/// Volumes for the unbound claims on a node (`PodVolumes`).
#[derive(Default)]
pub(super) struct PodVolumes {
    /// Free volumes and the claims that take them (`StaticBindings`).
    pub(super) bindings: Vec<(Volume, Claim)>,
    /// Claims whose volumes are to be made, and the capacity for them where one is told
    /// (`DynamicProvisions`).
    pub(super) provisions: Vec<(Claim, Option<Arc<CsiStorageCapacity>>)>,
}

/// Why a node won't do.
#[derive(PartialEq, Debug)]
pub(super) enum Unfit {
    /// Upstream's reasons.
    Conflicts(Vec<&'static str>),
    /// It can't be told.
    Error(String),
}

/// The pod's claims by how far they are bound (`GetPodVolumeClaims`). Missing ones are left out.
pub(super) fn claims_by_binding(storage: &Storage, pod: &PodInfo) -> Volumes {
    let mut out = Volumes::default();
    for wanted in claims_of(pod) {
        let Some(claim) = storage.assumed_claim(&wanted.name) else { continue };
        let class = storage.class(&claim.class).filter(|_| !claim.class.is_empty());
        let waits = class.is_some_and(|class| class.waits_for_consumer);
        if claim.is_bound() {
            out.bound.push(Arc::clone(claim));
        } else if waits && claim.volume.is_empty() {
            let class = claim.class.clone();
            let of_class = |class: &Text| storage.assumed_volumes_of(class);
            out.candidates.entry(class).or_insert_with_key(of_class);
            out.unbound.push(Arc::clone(claim));
        } else {
            // Claims that ask for a volume count as immediate ones too.
            out.has_unbound_immediate = true;
        }
    }
    out
}

impl Volumes {
    /// Finds volumes for all claims on a node (`FindPodVolumes`).
    pub(super) fn find(&self, storage: &Storage, node: &Node) -> Result<PodVolumes, Unfit> {
        let mut reasons = Vec::new();
        let mut missing = None;
        match self.check_bound(storage, node)? {
            Bound::Reached => {}
            Bound::NotReached => reasons.push(NODE_CONFLICT),
            Bound::Missing => missing = Some(NO_SUCH_VOLUME),
        }
        let mut found = PodVolumes::default();
        reasons.extend(self.find_unbound(storage, node, &mut found)?);
        reasons.extend(missing);
        if reasons.is_empty() { Ok(found) } else { Err(Unfit::Conflicts(reasons)) }
    }

    /// Whether all bound volumes are reached from the node (`checkBoundClaims`); the first that is
    /// not decides.
    fn check_bound(&self, storage: &Storage, node: &Node) -> Result<Bound, Unfit> {
        let csi_node = storage.csi_node(&node.name);
        for claim in &self.bound {
            let Some(volume) = storage.assumed_volume(&claim.volume) else {
                return Ok(Bound::Missing);
            };
            if !reaches(volume, csi_node, node)? {
                return Ok(Bound::NotReached);
            }
        }
        Ok(Bound::Reached)
    }

    /// Finds volumes for the claims that wait, or gives the reason why there are none.
    fn find_unbound(
        &self,
        storage: &Storage,
        node: &Node,
        found: &mut PodVolumes,
    ) -> Result<Option<&'static str>, Unfit> {
        let mut to_provision: Vec<&Claim> = Vec::new();
        let mut to_match: Vec<&Claim> = Vec::new();
        for claim in &self.unbound {
            match &claim.selected_node {
                Some(selected) if *selected != node.name => return Ok(Some(BIND_CONFLICT)),
                Some(_) => to_provision.push(claim),
                None => to_match.push(claim),
            }
        }
        // The smallest first, so that each finds the smallest volume that fits.
        to_match.sort_by_key(|claim| claim.request.unwrap_or_default());
        for claim in to_match {
            let candidates = self.candidates.get(&claim.class).into_iter().flatten();
            let is_free =
                |v: &&Volume| found.bindings.iter().all(|(chosen, _)| chosen.name != v.name);
            match matching_volume(claim, candidates.filter(is_free), node) {
                Some(volume) => found.bindings.push((Arc::clone(volume), Arc::clone(claim))),
                None => to_provision.push(claim),
            }
        }
        for claim in to_provision {
            match provision(storage, claim, node)? {
                Ok(capacity) => found.provisions.push((Arc::clone(claim), capacity)),
                Err(reason) => return Ok(Some(reason)),
            }
        }
        Ok(None)
    }
}

enum Bound {
    Reached,
    NotReached,
    Missing,
}

/// Whether a bound volume is reached from a node: a legacy volume by the CSI driver's topology,
/// where the node says that its plugin has migrated (`tryTranslatePVToCSI`).
pub(super) fn reaches(
    volume: &PersistentVolume,
    csi_node: Option<&CsiNode>,
    node: &Node,
) -> Result<bool, Unfit> {
    let migrated = volume.migrated.as_ref();
    let Some(migrated) = migrated.filter(|m| csi_node.is_some_and(|n| n.has_migrated(&m.plugin)))
    else {
        return Ok(volume.reaches(&node.labels));
    };
    match &migrated.translated {
        Ok(translated) => Ok(translated.reaches(&node.labels)),
        Err(why) => Err(Unfit::Error(format!("could not translate pv: {why}"))),
    }
}

/// The volume kept for the claim, else the smallest free one that suits it on the node
/// (`FindMatchingVolume`).
fn matching_volume<'a>(
    claim: &storage::Claim,
    candidates: impl Iterator<Item = &'a Volume>,
    node: &Node,
) -> Option<&'a Volume> {
    let mut smallest: Option<&Volume> = None;
    for volume in candidates {
        if !volume.may_serve(claim) {
            continue;
        }
        if volume.is_bound_to(claim) {
            return volume.reaches(&node.labels).then_some(volume);
        }
        let suits = volume.is_free_for(claim)
            && claim.access_modes.iter().all(|mode| volume.access_modes.contains(mode))
            && volume.reaches(&node.labels);
        if suits && smallest.is_none_or(|s| s.capacity > volume.capacity) {
            smallest = Some(volume);
        }
    }
    smallest
}

/// Whether a volume can be made for a claim on a node (`checkVolumeProvisions`): from which
/// capacity if one is told, or the reason why not.
fn provision(
    storage: &Storage,
    claim: &storage::Claim,
    node: &Node,
) -> Result<Result<Option<Arc<CsiStorageCapacity>>, &'static str>, Unfit> {
    if claim.class.is_empty() {
        return Err(Unfit::Error(format!("no class for claim \"{}\"", claim.name)));
    }
    let Some(class) = storage.class(&claim.class) else {
        return Err(Unfit::Error(format!("failed to find storage class {:?}", claim.class)));
    };
    let is_made = !class.provisioner.is_empty() && &*class.provisioner != NO_PROVISIONER;
    if !is_made || !class.allows(&node.labels) {
        return Ok(Err(BIND_CONFLICT));
    }
    Ok(capacity_for(storage, class, claim, node))
}

/// The first capacity that has enough for the claim and is reached from the node, where the driver
/// tells capacities (`hasEnoughCapacity`).
fn capacity_for(
    storage: &Storage,
    class: &StorageClass,
    claim: &storage::Claim,
    node: &Node,
) -> Result<Option<Arc<CsiStorageCapacity>>, &'static str> {
    let tells = storage.csi_driver(&class.provisioner).is_some_and(|d| d.tells_capacity);
    let Some(request) = claim.request.filter(|_| tells) else { return Ok(None) };
    let has_enough = |capacity: &&Arc<CsiStorageCapacity>| {
        capacity.class == class.name
            && capacity.volume_limit().is_some_and(|limit| limit.value() >= request.value())
            && capacity.topology.as_ref().is_some_and(|t| t.matches(&node.labels))
    };
    match storage.capacities().find(has_enough) {
        Some(capacity) => Ok(Some(Arc::clone(capacity))),
        None => Err(NOT_ENOUGH_SPACE),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::super::testing::{Stage, claim_volumes, node};
    use super::*;
    use crate::api::labels::Labels;
    use serde_json::{Value, json};

    /// What is found for a pod with these claims on a node in zone a, in short: volumes with their
    /// claims, claims to be made, or the reasons against the node.
    fn found(stage: &mut Stage, claims: &[&str]) -> Result<String, Unfit> {
        let pod = stage.pod("pod", claim_volumes(claims));
        let storage = stage.objects.storage.as_ref().unwrap();
        let found = claims_by_binding(storage, &pod).find(storage, &stage.nodes[0].node)?;
        let bindings = found.bindings.iter().map(|(v, c)| format!("{}={}", v.name, c.name.name));
        let provisions = found.provisions.iter().map(|(claim, capacity)| match capacity {
            Some(capacity) => format!("+{} of {}", claim.name.name, capacity.name.name),
            None => format!("+{}", claim.name.name),
        });
        Ok(bindings.chain(provisions).collect::<Vec<_>>().join(" "))
    }

    fn stage() -> Stage {
        let labels = Labels::from([("zone", "a")]);
        Stage::new([Node { labels, ..node("n") }]).with("StorageClass", class(NO_PROVISIONER))
    }

    fn class(provisioner: &str) -> Value {
        json!({"metadata": {"name": "c"}, "provisioner": provisioner,
            "volumeBindingMode": "WaitForFirstConsumer"})
    }

    fn claim(name: &str, size: &str) -> Value {
        json!({"metadata": {"name": name, "uid": name}, "spec": {
            "storageClassName": "c", "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}}}})
    }

    fn volume(name: &str, size: &str) -> Value {
        json!({"metadata": {"name": name, "labels": {"disk": "ssd"}}, "spec": {
            "storageClassName": "c", "accessModes": ["ReadWriteOnce", "ReadOnlyMany"],
            "capacity": {"storage": size}}, "status": {"phase": "Available"}})
    }

    /// Node affinity of a volume for a zone.
    fn in_zone(zone: &str) -> Value {
        let expression = json!({"key": "zone", "operator": "In", "values": [zone]});
        json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}})
    }

    /// `given` with a field set, its path written with dots.
    fn set(mut given: Value, path: &str, to: Value) -> Value {
        given[path.split('.').next().unwrap()] = match path.split_once('.') {
            Some((first, rest)) => set(given[first].clone(), rest, to),
            None => to,
        };
        given
    }

    fn conflict(reason: &'static str) -> Result<String, Unfit> {
        Err(Unfit::Conflicts(vec![reason]))
    }

    #[test]
    fn a_claim_finds_the_smallest_volume_that_suits_it() {
        let one = |change: &dyn Fn(Value) -> Value| {
            stage()
                .with("PersistentVolumeClaim", claim("data", "5Gi"))
                .with("PersistentVolume", change(volume("pv", "10Gi")))
        };
        let only = |path: &str, to: Value| one(&|volume| set(volume, path, to.clone()));
        let kept_for = |uid: &str| json!({"namespace": "default", "name": "data", "uid": uid});
        let wants = |path: &str, to: Value| {
            one(&|v| v).with("PersistentVolumeClaim", set(claim("data", "5Gi"), path, to))
        };
        let big = || one(&|v| v).with("PersistentVolume", volume("big", "20Gi"));
        let takes = || Ok("pv=data".to_owned());
        let none = || conflict(BIND_CONFLICT);
        let rows = [
            ("one that suits", one(&|v| v), takes()),
            ("of two the smaller", big(), takes()),
            ("one that is too small", only("spec.capacity.storage", json!("4Gi")), none()),
            ("one of another class", only("spec.storageClassName", json!("d")), none()),
            ("one that is not available", only("status.phase", json!("Released")), none()),
            ("one in another zone", only("spec.nodeAffinity", in_zone("b")), none()),
            ("one in this zone", only("spec.nodeAffinity", in_zone("a")), takes()),
            ("one for blocks", only("spec.volumeMode", json!("Block")), none()),
            ("one of other attributes", only("spec.volumeAttributesClassName", json!("x")), none()),
            (
                "one that is going",
                only("metadata.deletionTimestamp", json!("2000-01-01T00:00:00Z")),
                none(),
            ),
            ("one for readers only", only("spec.accessModes", json!(["ReadOnlyMany"])), none()),
            (
                "a selector that it meets",
                wants("spec.selector", json!({"matchLabels": {"disk": "ssd"}})),
                takes(),
            ),
            (
                "a selector that it does not",
                wants("spec.selector", json!({"matchLabels": {"disk": "hdd"}})),
                none(),
            ),
            ("one that is kept for it", only("spec.claimRef", kept_for("data")), takes()),
            ("one that is kept for its name", only("spec.claimRef", kept_for("")), takes()),
            (
                "one that is kept for an earlier claim",
                only("spec.claimRef", kept_for("old")),
                none(),
            ),
            (
                "one that is kept for it comes before smaller ones",
                big().with(
                    "PersistentVolume",
                    set(volume("big", "20Gi"), "spec.claimRef", kept_for("")),
                ),
                Ok("big=data".to_owned()),
            ),
            (
                "one that is kept for it elsewhere: no other either",
                one(&|v| set(v, "spec.nodeAffinity", in_zone("b")))
                    .with(
                        "PersistentVolume",
                        set(
                            set(volume("a", "20Gi"), "spec.claimRef", kept_for("")),
                            "spec.nodeAffinity",
                            in_zone("b"),
                        ),
                    )
                    .with("PersistentVolume", volume("z", "20Gi")),
                none(),
            ),
        ];
        for (sentence, mut stage, expected) in rows {
            assert_eq!(found(&mut stage, &["data"]), expected, "{sentence}");
        }
    }

    #[test]
    fn small_claims_choose_first() {
        let mut stage = stage()
            .with("PersistentVolumeClaim", claim("large", "8Gi"))
            .with("PersistentVolumeClaim", claim("small", "2Gi"))
            .with("PersistentVolume", volume("a", "10Gi"))
            .with("PersistentVolume", volume("b", "9Gi"));
        assert_eq!(found(&mut stage, &["large", "small"]), Ok("b=small a=large".to_owned()));
    }

    #[test]
    fn volumes_are_made_where_the_class_allows_it() {
        let driver =
            |tells: bool| json!({"metadata": {"name": "p"}, "spec": {"storageCapacity": tells}});
        let capacity = |name: &str, zone: &str, size: Value, largest: Value| {
            json!({"metadata": {"name": name}, "storageClassName": "c", "capacity": size,
                "maximumVolumeSize": largest, "nodeTopology": {"matchLabels": {"zone": zone}}})
        };
        let made = || {
            stage()
                .with("StorageClass", class("p"))
                .with("PersistentVolumeClaim", claim("data", "5Gi"))
        };
        let told = || made().with("CSIDriver", driver(true));
        let with = |zone: &str, size: &str, largest: Value| {
            told().with("CSIStorageCapacity", capacity("x", zone, json!(size), largest))
        };
        let allowed = |zone: &str| {
            let expression = json!({"key": "zone", "values": [zone]});
            let terms = json!([{"matchLabelExpressions": [expression]}]);
            made().with("StorageClass", set(class("p"), "allowedTopologies", terms))
        };
        let selected = |node: &str| {
            let annotations = json!({"volume.kubernetes.io/selected-node": node});
            let claim = set(claim("data", "5Gi"), "metadata.annotations", annotations);
            made()
                .with("PersistentVolume", volume("pv", "10Gi"))
                .with("PersistentVolumeClaim", claim)
        };
        let plus = |text: &str| Ok(text.to_owned());
        let rows = [
            ("anywhere", made(), plus("+data")),
            ("in the class's zone", allowed("a"), plus("+data")),
            ("not elsewhere", allowed("b"), conflict(BIND_CONFLICT)),
            (
                "not without a provisioner",
                made().with("StorageClass", class(NO_PROVISIONER)),
                conflict(BIND_CONFLICT),
            ),
            (
                "a volume that is there comes first",
                made().with("PersistentVolume", volume("pv", "10Gi")),
                plus("pv=data"),
            ),
            ("but not once a node is selected", selected("n"), plus("+data")),
            ("another node is selected", selected("m"), conflict(BIND_CONFLICT)),
            ("no capacity is told", told(), conflict(NOT_ENOUGH_SPACE)),
            ("enough is told", with("a", "5Gi", json!(null)), plus("+data of x")),
            ("too little is told", with("a", "4Gi", json!(null)), conflict(NOT_ENOUGH_SPACE)),
            (
                "enough, but not in one piece",
                with("a", "50Gi", json!("4Gi")),
                conflict(NOT_ENOUGH_SPACE),
            ),
            ("enough, but elsewhere", with("b", "5Gi", json!(null)), conflict(NOT_ENOUGH_SPACE)),
            (
                "what is told does not count for other drivers",
                with("a", "4Gi", json!(null)).with("CSIDriver", driver(false)),
                plus("+data"),
            ),
        ];
        for (sentence, mut stage, expected) in rows {
            assert_eq!(found(&mut stage, &["data"]), expected, "{sentence}");
        }
    }

    #[test]
    fn bound_volumes_must_be_reached() {
        let bound = |volume: &str| {
            let annotations = json!({"pv.kubernetes.io/bind-completed": "yes"});
            let claim = set(claim("bound", "5Gi"), "metadata.annotations", annotations);
            set(claim, "spec.volumeName", json!(volume))
        };
        let stage = |volume: Value| {
            stage().with("PersistentVolumeClaim", bound("pv")).with("PersistentVolume", volume)
        };
        let at = |zone: &str| set(volume("pv", "5Gi"), "spec.nodeAffinity", in_zone(zone));
        let unbound = |stage: Stage| stage.with("PersistentVolumeClaim", claim("data", "5Gi"));
        let legacy = |plugins: &str, id: &str| {
            let key = "topology.kubernetes.io/zone";
            let expression = json!({"key": key, "operator": "In", "values": ["elsewhere"]});
            let terms =
                json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}});
            let given = set(volume("pv", "5Gi"), "spec.nodeAffinity", terms);
            let given = set(given, "spec.awsElasticBlockStore", json!({"volumeID": id}));
            let metadata = json!({"name": "n", "annotations":
                {"storage.alpha.kubernetes.io/migrated-plugins": plugins}});
            let mut stage = stage(given)
                .with("CSINode", json!({"metadata": metadata, "spec": {"drivers": []}}));
            let labels = Labels::from([("topology.ebs.csi.aws.com/zone", "elsewhere")]);
            let node = Node { labels, ..node("n") };
            stage.nodes[0].node = Arc::new(node);
            stage
        };
        let ebs = "kubernetes.io/cinder,kubernetes.io/aws-ebs";
        type Row<'a> = (&'a str, Stage, &'a [&'a str], Result<String, Unfit>);
        let rows: [Row<'_>; 7] = [
            ("it is", stage(at("a")), &["bound"], Ok(String::new())),
            ("it is not", stage(at("b")), &["bound"], conflict(NODE_CONFLICT)),
            ("it is not there", stage(set(at("a"), "metadata.name", json!("x"))), &["bound"], conflict(NO_SUCH_VOLUME)),
            (
                "all reasons are told",
                unbound(stage(at("b"))),
                &["bound", "data"],
                Err(Unfit::Conflicts(vec![NODE_CONFLICT, BIND_CONFLICT])),
            ),
            ("a legacy volume, by the driver's label", legacy(ebs, "vol-1"), &["bound"], Ok(String::new())),
            (
                "only where the node has migrated",
                legacy("kubernetes.io/cinder", "vol-1"),
                &["bound"],
                conflict(NODE_CONFLICT),
            ),
            (
                "one that can't be translated",
                legacy(ebs, "aws://z/disk"),
                &["bound"],
                Err(Unfit::Error("could not translate pv: failed to translate Kubernetes ID to EBS Volume ID Invalid format for AWS volume (aws://z/disk)".to_owned())),
            ),
        ];
        for (sentence, mut stage, claims, expected) in rows {
            assert_eq!(found(&mut stage, claims), expected, "{sentence}");
        }
    }
}
