//! Nodes of a case: labels, room, taints, images.

use super::draw::Draw;
use super::mix::Mix;
use serde_json::{Map, Value, json};

/// Images that nodes may hold and pods may want, with their bytes.
pub(super) const IMAGES: &[(&str, u64)] = &[
    ("registry.example/base:v1", 30_000_000),
    ("registry.example/web:v2", 250_000_000),
    ("registry.example/model:v7", 1_900_000_000),
    ("registry.example/tool", 90_000_000),
];

/// Features of a kubelet, sorted. Pods need the first and the last of them.
const FEATURES: [&str; 3] =
    ["RestartAllContainersOnContainerExits", "SomethingElse", "UserNamespacesHostNetworkSupport"];

/// Node `number`; asked again, it is another one of this name.
pub(super) fn any(draw: &mut Draw, mix: &Mix, number: u64) -> Value {
    let name = format!("n{number}");
    let mut labels = Map::new();
    labels.insert("kubernetes.io/hostname".to_owned(), json!(name));
    labels.insert("kubernetes.io/os".to_owned(), json!("linux"));
    labels.insert("disk".to_owned(), json!(draw.of(&["ssd", "hdd"])));
    labels.insert("gen".to_owned(), json!(draw.between(1, 9).to_string()));
    if draw.chance(95) {
        let zone = draw.of(&["z0", "z1", "z2"]);
        labels.insert("topology.kubernetes.io/zone".to_owned(), json!(zone));
        labels.insert("topology.kubernetes.io/region".to_owned(), json!("r0"));
    }
    if draw.chance(30) {
        labels.insert("team".to_owned(), json!(draw.of(&["a", "b"])));
    }
    let capacity = capacity(draw, mix);
    let mut node = json!({
        "metadata": {"name": name, "labels": labels},
        "status": {"capacity": capacity},
    });
    if draw.chance(85) {
        let mut allocatable = capacity;
        allocatable["cpu"] = json!(draw.of(&["1900m", "2", "3900m", "7500m", "15"]));
        node["status"]["allocatable"] = allocatable;
    }
    let mut spec = Map::new();
    if draw.chance(mix.taints) {
        spec.insert("taints".to_owned(), taints(draw));
    }
    if draw.chance(mix.taints / 8) {
        spec.insert("unschedulable".to_owned(), json!(true));
    }
    if !spec.is_empty() {
        node["spec"] = Value::Object(spec);
    }
    if draw.chance(mix.images) {
        node["status"]["images"] = images(draw);
    }
    if mix.features > 0 {
        let declared = FEATURES.iter().filter(|_| draw.chance(mix.features / 2)).copied();
        node["status"]["declaredFeatures"] = declared.collect();
    }
    node
}

fn capacity(draw: &mut Draw, mix: &Mix) -> Value {
    let mut capacity = json!({
        "cpu": draw.of(&["2", "4", "8", "16"]),
        "memory": draw.of(&["4Gi", "16Gi", "32468Mi", "33822867456", "16e9", "4294967297"]),
        "pods": draw.of(&["8", "30", "110"]),
    });
    if draw.chance(40) {
        capacity["ephemeral-storage"] = json!(draw.of(&["5Gi", "20Gi"]));
    }
    if mix.odd > 0 && draw.chance(40) {
        capacity["example.com/gpu"] = json!(draw.of(&["1", "4", "8"]));
    }
    if mix.odd > 0 && draw.chance(20) {
        capacity["hugepages-2Mi"] = json!("512Mi");
    }
    capacity
}

fn taints(draw: &mut Draw) -> Value {
    let mut taints = vec![json!({
        "key": "dedicated",
        "value": draw.of(&["a", "b"]),
        "effect": draw.of(&["NoSchedule", "PreferNoSchedule", "NoExecute"]),
    })];
    if draw.chance(30) {
        taints.push(json!({
            "key": "spot",
            "effect": draw.of(&["NoSchedule", "PreferNoSchedule"]),
        }));
    }
    json!(taints)
}

fn images(draw: &mut Draw) -> Value {
    let mut images = Vec::new();
    for (name, bytes) in IMAGES {
        if draw.chance(50) {
            let tagged =
                if name.contains(":v") { (*name).to_owned() } else { format!("{name}:latest") };
            images.push(json!({"names": [tagged], "sizeBytes": bytes}));
        }
    }
    json!(images)
}
