//! Pods of a case: what they ask for, what they tolerate, who owns them.

use super::draw::Draw;
use super::mix::Mix;
use super::{affinity, node, object};
use serde_json::{Map, Value, json};

/// Pod `number` of a case; no two have the same start time, which upstream would choose victims by
/// in a map's order.
pub(super) fn any(draw: &mut Draw, mix: &Mix, number: u64, claims: u64) -> Value {
    let claims = if draw.chance(mix.volumes) { claims } else { 0 };
    // Claims live in one namespace only.
    let namespace = if claims > 0 { "default" } else { draw.of(object::NAMESPACES) };
    let app = draw.of(object::APPS);
    let labels = json!({"app": app, "rev": draw.of(&["1", "2"])});
    let mut spec = Map::new();
    resources(draw, mix, &mut spec);
    affinity::add(draw, mix, app, &mut spec);
    if draw.chance(mix.taints) {
        spec.insert("tolerations".to_owned(), tolerations(draw));
    }
    if draw.chance(mix.priorities) {
        spec.insert("priority".to_owned(), json!(draw.of(&[-10, 5, 10, 100, 1000])));
        if draw.chance(10) {
            spec.insert("preemptionPolicy".to_owned(), json!("Never"));
        }
    }
    if claims > 0 {
        spec.insert("volumes".to_owned(), volumes(draw, claims));
    }
    let minute = number / 60 % 60;
    let start = format!("2024-01-01T{:02}:{minute:02}:{:02}Z", number / 3600, number % 60);
    let mut metadata =
        json!({"name": format!("p{number}"), "namespace": namespace, "labels": labels});
    if draw.chance(mix.owners) {
        metadata["ownerReferences"] = json!([{
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "name": format!("rs-{app}"),
            "uid": format!("{namespace}/rs-{app}"),
            "controller": true,
        }]);
    }
    json!({"metadata": metadata, "spec": spec, "status": {"startTime": start}})
}

fn resources(draw: &mut Draw, mix: &Mix, spec: &mut Map<String, Value>) {
    let mut main = json!({"name": "main", "image": "registry.example/other:v1"});
    if draw.chance(mix.images) {
        main["image"] = json!(draw.of(node::IMAGES).0);
    }
    let requests = requests(draw);
    if draw.chance(85) {
        main["resources"] = json!({"requests": requests});
    }
    if draw.chance(mix.ports) {
        let mut port = json!({"containerPort": 80, "hostPort": draw.of(&[80, 8080, 9000])});
        if draw.chance(30) {
            port["protocol"] = json!("UDP");
        }
        if draw.chance(30) {
            port["hostIP"] = json!(draw.of(&["127.0.0.1", "10.0.0.1", "0.0.0.0"]));
        }
        main["ports"] = json!([port]);
    }
    if draw.chance(mix.odd) {
        odd(draw, spec, &mut main);
    }
    if mix.features > 0 {
        features(draw, mix, spec, &mut main);
    }
    let mut containers = vec![main];
    if draw.chance(20) {
        let small = json!({"requests": {"cpu": "50m"}});
        containers
            .push(json!({"name": "side", "image": "registry.example/side:v1", "resources": small}));
    }
    spec.insert("containers".to_owned(), json!(containers));
}

/// Fields for which a pod needs features of the kubelet, and some that are only near to it.
fn features(draw: &mut Draw, mix: &Mix, spec: &mut Map<String, Value>, main: &mut Value) {
    if draw.chance(mix.features / 2) {
        let action = draw.of(&["Restart", "RestartAllContainers", "RestartAllContainers"]);
        let codes = json!({"operator": "In", "values": [42]});
        main["restartPolicy"] = json!("Never");
        main["restartPolicyRules"] = json!([{"action": action, "exitCodes": codes}]);
    }
    if draw.chance(mix.features / 2) {
        spec.insert("hostUsers".to_owned(), json!(draw.chance(25)));
        spec.insert("hostNetwork".to_owned(), json!(draw.chance(75)));
    }
}

fn requests(draw: &mut Draw) -> Value {
    let mut requests = json!({});
    if draw.chance(85) {
        requests["cpu"] = json!(draw.of(&["100m", "250m", "333m", "500m", "1", "1500m", "2", "3"]));
    }
    if draw.chance(75) {
        requests["memory"] =
            json!(draw.of(&["64Mi", "128Mi", "500M", "1Gi", "1536Mi", "2e9", "123456789", "4Gi"]));
    }
    requests
}

/// What few pods have.
fn odd(draw: &mut Draw, spec: &mut Map<String, Value>, main: &mut Value) {
    match draw.below(7) {
        0 => main["resources"] = json!({"limits": {"cpu": "1500m", "memory": "1Gi"}}),
        1 => {
            let gpus = draw.of(&["1", "2", "4"]);
            main["resources"]["limits"] = json!({"example.com/gpu": gpus});
            main["resources"]["requests"]["example.com/gpu"] = json!(gpus);
        }
        2 => main["resources"]["requests"]["ephemeral-storage"] = json!(draw.of(&["1Gi", "6Gi"])),
        3 => {
            let huge = json!({"hugepages-2Mi": draw.of(&["64Mi", "256Mi"]), "memory": "64Mi"});
            main["resources"] = json!({"limits": huge, "requests": huge});
        }
        4 => {
            let mut init = vec![json!({
                "name": "init", "image": "i",
                "resources": {"requests": {"cpu": draw.of(&["1", "3"]), "memory": "600Mi"}},
            })];
            if draw.chance(60) {
                init.push(json!({
                    "name": "sidecar", "image": "i", "restartPolicy": "Always",
                    "resources": {"requests": {"cpu": "150m", "memory": "100Mi"}},
                }));
            }
            if draw.chance(50) {
                init.push(json!({
                    "name": "init2", "image": "i",
                    "resources": {"requests": {"cpu": "1", "memory": "2Gi"}},
                }));
            }
            spec.insert("initContainers".to_owned(), json!(init));
        }
        5 => {
            spec.insert("overhead".to_owned(), json!({"cpu": "120m", "memory": "64Mi"}));
        }
        _ => {
            let whole = json!({
                "requests": {"cpu": draw.of(&["3", "3500m"]), "memory": "5Gi"},
                "limits": {"cpu": "4", "memory": "8Gi"},
            });
            spec.insert("resources".to_owned(), whole);
        }
    }
}

fn tolerations(draw: &mut Draw) -> Value {
    match draw.below(5) {
        0 => json!([{"operator": "Exists"}]),
        1 => json!([{"key": "dedicated", "operator": "Exists"}]),
        2 => json!([{"key": "dedicated", "value": "a", "effect": "NoSchedule"},
                    {"key": "spot", "operator": "Exists", "effect": "PreferNoSchedule"}]),
        3 => json!([{"key": "node.kubernetes.io/unschedulable", "operator": "Exists"}]),
        _ => json!([{"key": "dedicated", "operator": "Equal", "value": "b"},
                    {"key": "spot", "operator": "Exists"}]),
    }
}

/// No claim is named twice: it would get two volumes, and upstream then finds either, by the order
/// of a map.
fn volumes(draw: &mut Draw, claims: u64) -> Value {
    let mut named: Vec<u64> = Vec::new();
    for _ in 0..draw.between(1, 2) {
        // The one after the last does not exist.
        let claim = if draw.chance(3) { claims } else { draw.between(0, claims - 1) };
        if !named.contains(&claim) {
            named.push(claim);
        }
    }
    let volume = |claim: &u64| {
        json!({
            "name": format!("data{claim}"),
            "persistentVolumeClaim": {"claimName": format!("pvc{claim}")},
        })
    };
    json!(named.iter().map(volume).collect::<Vec<_>>())
}
