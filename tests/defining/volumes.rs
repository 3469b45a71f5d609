//! VolumeRestrictions, NodeVolumeLimits, VolumeBinding and VolumeZone, for claims on volumes that a
//! driver makes and on those that are there.

use super::quantity::milli;
use super::{World, holds, items, label, name, namespace, text};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const ZONE: &str = "topology.kubernetes.io/zone";
const SELECTED: &str = "volume.kubernetes.io/selected-node";

/// The names of a pod's claims.
fn claims(pod: &Value) -> Vec<&str> {
    let volumes = items(&pod["spec"]["volumes"]);
    let names = volumes.map(|volume| text(&volume["persistentVolumeClaim"]["claimName"]));
    names.filter(|name| !name.is_empty()).collect()
}

fn claim<'a>(world: &'a World, name: &str) -> Option<&'a Value> {
    world.stored("PersistentVolumeClaim", name)
}

/// The volume that a claim is bound to for good.
fn volume<'a>(world: &'a World, claim: &Value) -> Option<&'a Value> {
    world.stored("PersistentVolume", text(&claim["spec"]["volumeName"]))
}

fn class<'a>(world: &'a World, claim: &Value) -> &'a Value {
    world.stored("StorageClass", text(&claim["spec"]["storageClassName"])).unwrap()
}

/// A claim is missing, or should have been bound before there was a pod.
pub fn are_amiss(world: &World, pod: &Value) -> bool {
    claims(pod).into_iter().any(|name| match claim(world, name) {
        None => true,
        Some(claim) => {
            volume(world, claim).is_none()
                && class(world, claim)["volumeBindingMode"] == "Immediate"
        }
    })
}

fn uses(pod: &Value, name: &str) -> bool {
    namespace(pod) == "default" && claims(pod).contains(&name)
}

/// VolumeRestrictions: another pod has the claim, which is for one pod only.
pub fn are_used_alone(world: &World, pod: &Value, _: &Value) -> bool {
    claims(pod).into_iter().any(|name| {
        let modes = &claim(world, name).unwrap()["spec"]["accessModes"];
        items(modes).any(|mode| mode == "ReadWriteOncePod")
            && world.placed().any(|(other, _)| uses(other, name))
    })
}

/// The volumes that pods have attached to their node, by what tells them apart.
fn attached(world: &World, pod: &Value) -> BTreeSet<String> {
    let of = |name: &&str| {
        let claim = claim(world, name)?;
        Some(match volume(world, claim) {
            Some(volume) => text(&volume["spec"]["csi"]["volumeHandle"]).to_owned(),
            None if class(world, claim)["provisioner"] == "kubernetes.io/no-provisioner" => {
                return None;
            }
            None => format!("to be made for {name}"),
        })
    };
    claims(pod).iter().filter_map(of).collect()
}

/// NodeVolumeLimits: the driver attaches no more volumes to the node.
pub fn are_too_many(world: &World, pod: &Value, node: &Value) -> bool {
    let drivers =
        world.stored("CSINode", &name(node)).map_or(&Value::Null, |n| &n["spec"]["drivers"]);
    let there: BTreeSet<String> = world.on(node).flat_map(|other| attached(world, other)).collect();
    let new = attached(world, pod).into_iter().filter(|volume| !there.contains(volume)).count();
    items(drivers).any(|driver| {
        let limit = driver["allocatable"]["count"].as_u64();
        new > 0 && limit.is_some_and(|limit| (there.len() + new) as u64 > limit)
    })
}

fn reaches(volume: &Value, node: &Value) -> bool {
    let required = &volume["spec"]["nodeAffinity"]["required"];
    let term_holds =
        |term: &Value| items(&term["matchExpressions"]).all(|e| holds(e, |key| label(node, key)));
    required.is_null() || items(&required["nodeSelectorTerms"]).any(term_holds)
}

/// The volume that a claim gets on a node: one that waits for it, or the smallest that is large
/// enough.
fn found<'a>(world: &'a World, claim: &Value, node: &Value, taken: &[&Value]) -> Option<&'a Value> {
    let all =
        || world.storage.iter().filter(|((kind, _), _)| kind == "PersistentVolume").map(|(_, v)| v);
    let own = |volume: &&Value| volume["spec"]["claimRef"]["name"] == claim["metadata"]["name"];
    if let Some(own) = all().find(own) {
        return reaches(own, node).then_some(own);
    }
    let asked = milli(&claim["spec"]["resources"]["requests"]["storage"]);
    let size = |volume: &&Value| milli(&volume["spec"]["capacity"]["storage"]);
    let fits = |volume: &&Value| {
        let same_class = volume["spec"]["storageClassName"] == claim["spec"]["storageClassName"];
        same_class
            && volume["spec"]["claimRef"].is_null()
            && taken.iter().all(|taken| name(taken) != name(volume))
            && size(volume) >= asked
            && reaches(volume, node)
    };
    all().filter(fits).min_by_key(size)
}

fn may_be_made(world: &World, claim: &Value, node: &Value) -> bool {
    let class = class(world, claim);
    let selected = &claim["metadata"]["annotations"][SELECTED];
    let terms = &class["allowedTopologies"];
    let holds = |term: &Value| {
        items(&term["matchLabelExpressions"]).all(|e| {
            let own = label(node, text(&e["key"]));
            items(&e["values"]).any(|value| own == value.as_str())
        })
    };
    class["provisioner"] != "kubernetes.io/no-provisioner"
        && (selected.is_null() || *selected == name(node).as_str())
        && (terms.is_null() || items(terms).any(holds))
}

/// What becomes of the claims of a pod on a node: those that have no volume with the one that they
/// get, or without if one can be made; `None`: neither.
fn bindings<'a>(
    world: &'a World,
    pod: &Value,
    node: &Value,
) -> Option<Vec<(&'a Value, Option<&'a Value>)>> {
    let wanted: Vec<&Value> = claims(pod).iter().filter_map(|name| claim(world, name)).collect();
    let mut unbound: Vec<&Value> =
        wanted.into_iter().filter(|claim| volume(world, claim).is_none()).collect();
    unbound.sort_by_key(|claim| milli(&claim["spec"]["resources"]["requests"]["storage"]));
    let mut out: Vec<(&Value, Option<&Value>)> = Vec::new();
    for claim in unbound {
        let taken: Vec<&Value> = out.iter().filter_map(|(_, volume)| *volume).collect();
        // One that is to be made on a node takes none that is there.
        let is_selected = !claim["metadata"]["annotations"][SELECTED].is_null();
        let volume = (!is_selected).then(|| found(world, claim, node, &taken)).flatten();
        if volume.is_none() && !may_be_made(world, claim, node) {
            return None;
        }
        out.push((claim, volume));
    }
    Some(out)
}

/// VolumeBinding: a claim's volume is not reached from the node, or there is none for it.
pub fn do_not_bind(world: &World, pod: &Value, node: &Value) -> bool {
    let is_out_of_reach = |name: &&str| {
        let volume = claim(world, name).and_then(|claim| volume(world, claim));
        volume.is_some_and(|volume| !reaches(volume, node))
    };
    claims(pod).iter().any(is_out_of_reach) || bindings(world, pod, node).is_none()
}

/// VolumeZone: a bound volume lies in another zone than the node.
pub fn lie_in_other_zones(world: &World, pod: &Value, node: &Value) -> bool {
    let Some(own) = label(node, ZONE) else { return false };
    claims(pod).iter().any(|name| {
        let volume = claim(world, name).and_then(|claim| volume(world, claim));
        volume.and_then(|volume| label(volume, ZONE)).is_some_and(|zone| zone != own)
    })
}

/// Volumes and claims as they are once a pod has a node.
pub fn bound_by(world: &World, pod: &Value, node: &str) -> Vec<Value> {
    let Some(node) = world.nodes.get(node) else { return Vec::new() };
    let pairs = bindings(world, pod, node).unwrap_or_default();
    let changed = |(claim, volume): (&Value, Option<&Value>)| match volume {
        Some(volume) => {
            let mut volume = volume.clone();
            volume["spec"]["claimRef"] = json!({"name": name(claim)});
            volume
        }
        None => {
            let mut claim = claim.clone();
            claim["metadata"]["annotations"][SELECTED] = json!(name(node));
            claim
        }
    };
    pairs.into_iter().map(changed).collect()
}

/// The more room volumes leave that are there already and would be used, class by class, the better.
pub fn scores(world: &World, pod: &Value, feasible: &[&Value]) -> Vec<i64> {
    let score = |node: &&Value| {
        let mut classes: BTreeMap<&str, (i128, i128)> = BTreeMap::new();
        for (claim, volume) in bindings(world, pod, node).into_iter().flatten() {
            let Some(volume) = volume else { continue };
            let of_class = classes.entry(text(&volume["spec"]["storageClassName"])).or_default();
            of_class.0 += milli(&claim["spec"]["resources"]["requests"]["storage"]);
            of_class.1 += milli(&volume["spec"]["capacity"]["storage"]);
        }
        let left = classes.values().map(|(asked, has)| (100 - asked * 100 / has) as f64);
        let count = classes.len().max(1) as f64;
        (left.sum::<f64>() / count).round() as i64
    };
    feasible.iter().map(score).collect()
}
