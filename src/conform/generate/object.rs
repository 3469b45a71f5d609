//! Objects of a case that are neither pods nor nodes.

use super::draw::Draw;
use super::mix::Mix;
use super::{devices, waiting};
use serde_json::{Value, json};

/// Namespaces that pods live in.
pub(super) const NAMESPACES: &[&str] = &["default", "default", "red", "blue"];
/// Values of the label `app`.
pub(super) const APPS: &[&str] = &["app0", "app1", "app2", "app3", "app4"];

pub(super) const DRIVER: &str = "csi.example.com";

/// All objects, and how many claims are among them, named pvc0, pvc1, ...
pub(super) fn all(draw: &mut Draw, mix: &Mix, nodes: u64) -> (Vec<Value>, u64) {
    let mut objects = Vec::new();
    for (name, team) in [("default", None), ("red", Some("a")), ("blue", Some("b"))] {
        let mut labels = json!({"kubernetes.io/metadata.name": name});
        if let Some(team) = team {
            labels["team"] = json!(team);
        }
        let metadata = json!({"name": name, "labels": labels});
        objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}));
    }
    for namespace in ["default", "red", "blue"] {
        for app in APPS {
            owners(draw, mix, namespace, app, &mut objects);
            if mix.priorities > 0 && draw.chance(30) {
                objects.push(budget(draw, namespace, app));
            }
        }
    }
    if mix.has_devices() {
        devices::all(draw, mix, nodes, &mut objects);
    }
    let mut claims = if mix.volumes > 0 { storage(draw, nodes, &mut objects) } else { 1 };
    if mix.waits {
        claims = waiting::add(draw, nodes, claims, &mut objects);
    }
    (objects, claims)
}

fn owners(draw: &mut Draw, mix: &Mix, namespace: &str, app: &str, objects: &mut Vec<Value>) {
    if draw.chance(mix.owners) {
        objects.push(json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {"name": format!("svc-{app}"), "namespace": namespace},
            "spec": {"selector": {"app": app}},
        }));
    }
    if draw.chance(mix.owners) {
        objects.push(json!({
            "apiVersion": "apps/v1", "kind": "ReplicaSet",
            "metadata": {"name": format!("rs-{app}"), "namespace": namespace},
            "spec": {
                "replicas": 10,
                "selector": {"matchLabels": {"app": app}},
                "template": {
                    "metadata": {"labels": {"app": app}},
                    "spec": {"containers": [{"name": "c", "image": "i"}]},
                },
            },
        }));
    }
}

fn budget(draw: &mut Draw, namespace: &str, app: &str) -> Value {
    json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget",
        "metadata": {"name": format!("pdb-{app}"), "namespace": namespace},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": app}}},
        "status": {
            "currentHealthy": 3, "desiredHealthy": 1, "expectedPods": 3,
            "disruptionsAllowed": draw.between(0, 2),
        },
    })
}

/// Classes, volumes, claims and how many volumes a node takes.
fn storage(draw: &mut Draw, nodes: u64, objects: &mut Vec<Value>) -> u64 {
    for (name, mode) in [("fast", "Immediate"), ("late", "WaitForFirstConsumer")] {
        objects.push(json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
            "metadata": {"name": name}, "provisioner": DRIVER, "volumeBindingMode": mode,
        }));
    }
    objects.push(json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "zonal"},
        "provisioner": DRIVER, "volumeBindingMode": "WaitForFirstConsumer",
        "allowedTopologies": [{"matchLabelExpressions":
            [{"key": "topology.kubernetes.io/zone", "values": ["z0", "z1"]}]}],
    }));
    objects.push(json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "static"},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }));
    // No two volumes that wait for a claim are of one size: upstream takes the smallest that is
    // large enough, and among equals the first of a map.
    for number in 0..draw.between(2, 10) {
        objects.push(json!({
            "apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": format!("static{number}")},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "capacity": {"storage": format!("{}Mi", 9_000 + 500 * number)},
                "csi": {"driver": DRIVER, "volumeHandle": format!("s{number}")},
                "nodeAffinity": in_zone(draw),
                "storageClassName": "static",
            },
            "status": {"phase": "Available"},
        }));
    }
    let claims = draw.between(8, 40);
    for number in 0..claims {
        claim(draw, number, objects);
    }
    for node in 0..nodes {
        if draw.chance(80) {
            let limit = json!({"count": draw.between(1, 4)});
            objects.push(json!({
                "apiVersion": "storage.k8s.io/v1", "kind": "CSINode",
                "metadata": {"name": format!("n{node}")},
                "spec": {"drivers":
                    [{"name": DRIVER, "nodeID": format!("n{node}"), "allocatable": limit}]},
            }));
        }
    }
    claims
}

fn in_zone(draw: &mut Draw) -> Value {
    json!({"required": {"nodeSelectorTerms": [{"matchExpressions": [{
        "key": "topology.kubernetes.io/zone",
        "operator": "In",
        "values": [draw.of(&["z0", "z1", "z2"])],
    }]}]}})
}

/// A claim, and its volume if it is bound.
fn claim(draw: &mut Draw, number: u64, objects: &mut Vec<Value>) {
    let name = format!("pvc{number}");
    let mode = match draw.below(10) {
        0 => "ReadWriteOncePod",
        1..=5 => "ReadWriteOnce",
        _ => "ReadWriteMany",
    };
    let bound = draw.chance(60);
    let class = match bound {
        true => "fast",
        false => draw.of(&["late", "late", "zonal", "static", "static", "fast"]),
    };
    let mode = if class == "static" { "ReadWriteOnce" } else { mode };
    let mut claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "default", "uid": name},
        "spec": {
            "accessModes": [mode],
            "resources": {"requests": {"storage": "9Gi"}},
            "storageClassName": class,
        },
        "status": {"phase": "Pending"},
    });
    if bound {
        let annotations = json!({"pv.kubernetes.io/bind-completed": "yes"});
        claim["metadata"]["annotations"] = annotations;
        claim["spec"]["volumeName"] = json!(format!("pv{number}"));
        claim["status"]["phase"] = json!("Bound");
        let mut volume = json!({
            "apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": format!("pv{number}")},
            "spec": {
                "accessModes": [mode],
                "capacity": {"storage": "9Gi"},
                "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": name,
                    "namespace": "default", "uid": name},
                "csi": {"driver": DRIVER, "volumeHandle": format!("h{number}")},
                "storageClassName": "fast",
            },
            "status": {"phase": "Bound"},
        });
        match draw.below(3) {
            0 => volume["spec"]["nodeAffinity"] = in_zone(draw),
            1 => {
                let zone = draw.of(&["z0", "z1", "z2"]);
                volume["metadata"]["labels"] = json!({"topology.kubernetes.io/zone": zone});
            }
            _ => {}
        }
        objects.push(volume);
    }
    objects.push(claim);
}
