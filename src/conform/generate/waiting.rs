//! Storage of a case that waits for a pod: local volumes, drivers that tell how much room they
//! have, and volumes that are attached somewhere already.

use super::draw::Draw;
use super::object::DRIVER;
use serde_json::{Value, json};

/// A driver that tells its capacity, zone by zone.
const ROOMY: &str = "room.example.com";
/// A driver that does not, and may insist on being on the node.
const PLAIN: &str = "plain.example.com";
/// Classes that are made here.
const CLASSES: [&str; 3] = ["local", "room", "plain"];

/// Adds all of it, with claims numbered from `claims` on; gives how many claims there are then.
pub(super) fn add(draw: &mut Draw, nodes: u64, claims: u64, objects: &mut Vec<Value>) -> u64 {
    for (class, provisioner) in CLASSES.iter().zip(["kubernetes.io/no-provisioner", ROOMY, PLAIN]) {
        objects.push(json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
            "metadata": {"name": class}, "provisioner": provisioner,
            "volumeBindingMode": "WaitForFirstConsumer",
        }));
    }
    // Of several that are missing, upstream names one in the order of a map.
    let insists = draw.of(&[ROOMY, PLAIN, ""]);
    for (driver, tells) in [(ROOMY, true), (PLAIN, false)] {
        objects.push(json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": driver},
            "spec": {"storageCapacity": tells, "preventPodSchedulingIfMissing": driver == insists},
        }));
    }
    capacities(draw, objects);
    for node in 0..nodes {
        local_volumes(draw, node, objects);
        drivers(draw, node, objects);
    }
    attachments(draw, nodes, claims, objects);
    let all = claims + draw.between(10, 30);
    for number in claims..all {
        let size = draw.of(&["1Gi", "4Gi", "9Gi", "12Gi"]);
        objects.push(json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": format!("pvc{number}"), "namespace": "default"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": size}},
                "storageClassName": draw.of(&CLASSES),
            },
            "status": {"phase": "Pending"},
        }));
    }
    all
}

/// One capacity for each zone: of several for one node upstream takes the first of a map.
fn capacities(draw: &mut Draw, objects: &mut Vec<Value>) {
    for zone in ["z0", "z1", "z2"] {
        if draw.chance(15) {
            continue;
        }
        let mut capacity = json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "CSIStorageCapacity",
            "metadata": {"name": format!("room-{zone}"), "namespace": "default"},
            "nodeTopology": {"matchLabels": {"topology.kubernetes.io/zone": zone}},
            "storageClassName": "room",
        });
        if draw.chance(90) {
            capacity["capacity"] = json!(draw.of(&["2Gi", "10Gi", "20Gi", "60Gi"]));
        }
        // With this size alone, kube-scheduler 1.37.2 panics when it scores (`volume_binding.go`).
        if capacity["capacity"].is_string() && draw.chance(40) {
            capacity["maximumVolumeSize"] = json!(draw.of(&["4Gi", "10Gi"]));
        }
        objects.push(capacity);
    }
}

/// No two are of one size on all nodes together: see the sizes of static volumes.
fn local_volumes(draw: &mut Draw, node: u64, objects: &mut Vec<Value>) {
    for number in 0..draw.between(0, 2) {
        let size = draw.of(&[1_024, 4_096, 9_216, 12_288]) + 3 * node + number;
        let name = format!("n{node}");
        objects.push(json!({
            "apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": format!("local-n{node}-{number}")},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": format!("{size}Mi")},
                "local": {"path": "/d"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [{
                    "key": "kubernetes.io/hostname", "operator": "In", "values": [name],
                }]}]}},
                "storageClassName": "local",
            },
            "status": {"phase": "Available"},
        }));
    }
}

/// The drivers on a node, if it tells any; it replaces what was told of it before.
fn drivers(draw: &mut Draw, node: u64, objects: &mut Vec<Value>) {
    if !draw.chance(80) {
        return;
    }
    let mut drivers = Vec::new();
    for driver in [DRIVER, ROOMY, PLAIN] {
        if draw.chance(75) {
            let mut told = json!({"name": driver, "nodeID": format!("n{node}")});
            if draw.chance(60) {
                told["allocatable"] = json!({"count": draw.between(1, 4)});
            }
            drivers.push(told);
        }
    }
    objects.push(json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "CSINode",
        "metadata": {"name": format!("n{node}")}, "spec": {"drivers": drivers},
    }));
}

/// Volumes of claims that are bound may be attached, with or without a pod that uses them.
fn attachments(draw: &mut Draw, nodes: u64, claims: u64, objects: &mut Vec<Value>) {
    for number in 0..draw.between(0, nodes) {
        objects.push(json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment",
            "metadata": {"name": format!("va{number}")},
            "spec": {
                "attacher": DRIVER,
                "nodeName": format!("n{}", draw.between(0, nodes - 1)),
                "source": {"persistentVolumeName": format!("pv{}", draw.between(0, claims - 1))},
            },
            "status": {"attached": draw.chance(70)},
        }));
    }
}
