//! Devices of a case: classes, slices of four drivers, claims, and what pods ask for.
//!
//! Nothing is drawn that upstream leaves to the order of a map or to a clock: a pod names at most
//! one claim that PostFilter could free, and no device has to be made ready before a pod is bound.

use super::draw::Draw;
use super::mix::Mix;
use serde_json::{Value, json};

/// Devices on nodes.
const GPU: &str = "gpu.example.com";
/// Devices that several nodes reach.
const NET: &str = "net.example.com";
/// Partitions of devices, which share counters.
const PART: &str = "part.example.com";
/// Devices that several claims share.
const SHARE: &str = "share.example.com";
/// Many devices, more than a claim may have.
const MANY: &str = "many.example.com";
/// What pods may ask for beside claims.
const EXTENDED: &str = "example.com/accel";
/// How many claims there are from the start, free and allocated.
const CLAIMS: (u64, u64) = (6, 3);

/// Classes, slices and claims; `nodes` is how many nodes there are.
pub(super) fn all(draw: &mut Draw, mix: &Mix, nodes: u64, objects: &mut Vec<Value>) {
    classes(draw, mix, objects);
    for node in 0..nodes {
        if draw.chance(80) {
            gpus(draw, node, 1, objects);
        }
        if mix.partitions > 0 && draw.chance(60) {
            partitions(draw, node, objects);
        }
        if mix.partitions > 0 && draw.chance(60) {
            shares(draw, node, objects);
        }
    }
    for zone in 0..3 {
        if draw.chance(70) {
            fabric(draw, zone, objects);
        }
    }
    if mix.partitions > 0 && draw.chance(60) {
        rules(draw, objects);
    }
    let devices = (0..40).map(|number| json!({"name": format!("d{number}")}));
    let devices: Vec<Value> = devices.collect();
    objects.push(slice(MANY, "pile", 0, 1, json!({"allNodes": true}), json!(devices)));
    for number in 0..CLAIMS.0 {
        let spec = spec(draw, mix);
        objects.push(claim(&format!("claim{number}"), spec));
    }
    for number in 0..CLAIMS.1 {
        let node = draw.between(0, nodes - 1);
        let mut claim = claim(&format!("pre{number}"), spec(draw, mix));
        claim["status"] = allocated(draw, node, number);
        objects.push(claim);
    }
}

fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({
        "apiVersion": "resource.k8s.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec,
    })
}

fn cel(expressions: &[&str]) -> Value {
    let one = |expression: &&str| json!({"cel": {"expression": expression}});
    expressions.iter().map(one).collect()
}

fn classes(draw: &mut Draw, mix: &Mix, objects: &mut Vec<Value>) {
    for driver in [GPU, NET, PART, SHARE, MANY] {
        let name = driver.split('.').next().unwrap_or_default();
        let selector = format!("device.driver == \"{driver}\"");
        let mut spec = json!({"selectors": cel(&[&selector])});
        if mix.extended > 0 && driver == GPU {
            spec["extendedResourceName"] = json!(EXTENDED);
        }
        objects.push(object("DeviceClass", name, spec));
    }
    let big = "device.capacity[\"gpu.example.com\"].memory.compareTo(quantity(\"60Gi\")) >= 0";
    let guarded = format!("device.driver == '{GPU}' && {big}");
    // Without the guard it fails on devices of other drivers.
    let big = if draw.chance(10) && may_fail(mix) { big } else { &guarded };
    objects.push(object("DeviceClass", "big-gpu", json!({"selectors": cel(&[big])})));
    let few = format!("device.driver != \"{MANY}\"");
    objects.push(object("DeviceClass", "any", json!({"selectors": cel(&[&few])})));
    objects.push(object("DeviceClass", "every", json!({})));
}

fn slice(driver: &str, pool: &str, part: u64, count: u64, place: Value, devices: Value) -> Value {
    let mut spec = json!({
        "driver": driver,
        "pool": {"name": pool, "generation": 1, "resourceSliceCount": count},
        "devices": devices,
    });
    for (key, value) in place.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    let short = driver.split('.').next().unwrap_or_default();
    object("ResourceSlice", &format!("{short}-{pool}-{part}"), spec)
}

/// Devices on one node, of this generation of its pool.
pub(super) fn gpus(draw: &mut Draw, node: u64, generation: u64, objects: &mut Vec<Value>) {
    let pool = format!("n{node}");
    let slices = draw.between(1, 2);
    // A driver that has not told all yet.
    let told = if draw.chance(4) { slices + 1 } else { slices };
    // A driver that gives one name to two devices.
    let is_invalid = draw.chance(3);
    for part in 0..slices {
        let devices = (0..draw.between(1, 4)).map(|number| {
            let number = if is_invalid { 0 } else { part * 10 + number };
            gpu(draw, &format!("gpu-{number}"))
        });
        let devices: Vec<Value> = devices.collect();
        let mut slice = slice(GPU, &pool, part, told, json!({"nodeName": pool}), json!(devices));
        slice["spec"]["pool"]["generation"] = json!(generation);
        objects.push(slice);
    }
}

fn gpu(draw: &mut Draw, name: &str) -> Value {
    let mut attributes = json!({
        "model": {"string": draw.of(&["a100", "a100", "h100"])},
        "index": {"int": draw.between(0, 9)},
        "driverVersion": {"version": draw.of(&["1.2.3", "1.10.0", "2.0.0-rc.1"])},
        "topo.example.com/numa": {"int": draw.between(0, 1)},
    });
    if draw.chance(85) {
        attributes["healthy"] = json!({"bool": draw.chance(85)});
    }
    let mut device = json!({
        "name": name,
        "attributes": attributes,
        "capacity": {"memory": {"value": draw.of(&["40Gi", "80Gi"])}},
    });
    if draw.chance(8) {
        device["taints"] = json!([{
            "key": "sick",
            "value": draw.of(&["a", "b"]),
            "effect": draw.of(&["NoSchedule", "NoExecute", "None"]),
        }]);
    }
    device
}

/// Devices that are reached from a zone, from everywhere, or each from other nodes.
fn fabric(draw: &mut Draw, zone: u64, objects: &mut Vec<Value>) {
    let term = json!({"matchExpressions": [{
        "key": "topology.kubernetes.io/zone", "operator": "In", "values": [format!("z{zone}")],
    }]});
    let in_zone = json!({"nodeSelectorTerms": [term]});
    let kind = draw.below(3);
    let place = match kind {
        0 => json!({"nodeSelector": in_zone}),
        1 => json!({"allNodes": true}),
        _ => json!({"perDeviceNodeSelection": true}),
    };
    let devices = (0..draw.between(1, 5)).map(|number| {
        let mut device = json!({
            "name": format!("port-{number}"),
            "attributes": {"speed": {"int": draw.of(&[10, 25, 100])}},
        });
        if kind == 2 {
            match draw.below(3) {
                0 => device["nodeSelector"] = in_zone.clone(),
                1 => device["allNodes"] = json!(true),
                _ => device["nodeName"] = json!(format!("n{}", draw.between(0, 3))),
            }
        }
        if draw.chance(10) {
            device["bindsToNode"] = json!(true);
        }
        device
    });
    let devices: Vec<Value> = devices.collect();
    objects.push(slice(NET, &format!("fabric{zone}"), 0, 1, place, json!(devices)));
}

/// Partitions of two devices of a node, with one slice for their counters.
fn partitions(draw: &mut Draw, node: u64, objects: &mut Vec<Value>) {
    let pool = format!("n{node}");
    let counters = |memory: u64, cores: u64| json!({"memory": {"value": format!("{memory}Gi")}, "cores": {"value": cores.to_string()}});
    let sets: Vec<Value> = (0..2)
        .map(|set| json!({"name": format!("set{set}"), "counters": counters(40, 8)}))
        .collect();
    let place = json!({"nodeName": pool});
    let mut counting = slice(PART, &pool, 0, 2, place.clone(), json!([]));
    counting["spec"]["sharedCounters"] = json!(sets);
    objects.push(counting);
    let mut devices = Vec::new();
    for set in 0..2 {
        for (kind, memory, cores) in
            [("half", 20, 4), ("half2", 20, 4), ("small", 10, 3), ("all", 40, 8)]
        {
            if !draw.chance(75) {
                continue;
            }
            let consumed = json!([{
                "counterSet": format!("set{set}"), "counters": counters(memory, cores),
            }]);
            devices.push(json!({
                "name": format!("p{set}-{kind}"),
                "attributes": {"size": {"int": memory}, "board": {"int": set}},
                "capacity": {"memory": {"value": format!("{memory}Gi")}},
                "consumesCounters": consumed,
            }));
        }
    }
    objects.push(slice(PART, &pool, 1, 2, place, json!(devices)));
}

/// Devices of which claims take what they need.
fn shares(draw: &mut Draw, node: u64, objects: &mut Vec<Value>) {
    let pool = format!("n{node}");
    let devices = (0..draw.between(1, 3)).map(|number| {
        let mut memory = json!({"value": draw.of(&["20Gi", "40Gi"])});
        match draw.below(4) {
            0 => {}
            1 => {
                memory["requestPolicy"] = json!({
                    "default": "4Gi", "validRange": {"min": "2Gi", "max": "16Gi", "step": "2Gi"},
                })
            }
            2 => {
                memory["requestPolicy"] = json!({
                    "default": "5Gi", "validValues": ["5Gi", "10Gi", "20Gi"],
                })
            }
            _ => {
                memory["requestPolicy"] = json!({
                    "default": "1Gi", "validRange": {"min": "1Gi"},
                })
            }
        }
        json!({
            "name": format!("share-{number}"),
            "allowMultipleAllocations": draw.chance(85),
            "attributes": {"slot": {"int": number}},
            "capacity": {"memory": memory},
        })
    });
    let devices: Vec<Value> = devices.collect();
    objects.push(slice(SHARE, &pool, 0, 1, json!({"nodeName": pool}), json!(devices)));
}

fn rules(draw: &mut Draw, objects: &mut Vec<Value>) {
    let mut selector = json!({"driver": draw.of(&[GPU, NET, SHARE])});
    if draw.chance(60) {
        selector["pool"] = json!(draw.of(&["n0", "n1", "fabric0"]));
    }
    let taint = json!({"key": "ruled", "effect": draw.of(&["NoSchedule", "NoExecute", "None"])});
    let spec = json!({"deviceSelector": selector, "taint": taint});
    objects.push(object("DeviceTaintRule", "rule", spec));
}

fn claim(name: &str, spec: Value) -> Value {
    let mut claim = object("ResourceClaim", name, spec);
    claim["metadata"]["namespace"] = json!("default");
    claim
}

/// The status of a claim that has a device of a node, and perhaps a user whom nobody knows.
fn allocated(draw: &mut Draw, node: u64, number: u64) -> Value {
    let pool = format!("n{node}");
    // A device that takes time to be made ready: it is, or it can't be.
    let waits = draw.chance(30);
    let mut status = json!({"allocation": {
        "devices": {"results": [{
            "request": "r0", "driver": GPU, "pool": pool, "device": format!("gpu-{number}"),
        }]},
        "nodeSelector": {"nodeSelectorTerms": [{"matchFields": [{
            "key": "metadata.name", "operator": "In", "values": [pool],
        }]}]},
    }});
    if waits {
        let device = &mut status["allocation"]["devices"]["results"][0];
        device["bindingConditions"] = json!(["Ready"]);
        device["bindingFailureConditions"] = json!(["Broken"]);
        let condition = |kind: &str| {
            json!([{
                "type": kind, "status": "True", "reason": "R", "message": "m",
                "lastTransitionTime": "2024-01-01T00:00:00Z",
            }])
        };
        status["devices"] = json!([{
            "driver": GPU, "pool": pool, "device": format!("gpu-{number}"),
            "conditions": condition(draw.of(&["Ready", "Broken"])),
        }]);
    }
    if draw.chance(40) {
        status["reservedFor"] =
            json!([{"resource": "pods", "name": "ghost", "uid": "default/ghost"}]);
    }
    status
}

/// What a claim asks for.
fn spec(draw: &mut Draw, mix: &Mix) -> Value {
    let requests: Vec<Value> = (0..draw.of(&[1, 1, 1, 2, 2, 3]))
        .map(|number| {
            let name = format!("r{number}");
            if draw.chance(25) {
                let subs = (0..draw.between(2, 3)).map(|sub| {
                    let mut sub_request = request(draw, mix, false);
                    sub_request["name"] = json!(format!("s{sub}"));
                    sub_request
                });
                let subs: Vec<Value> = subs.collect();
                json!({"name": name, "firstAvailable": subs})
            } else {
                json!({"name": name, "exactly": request(draw, mix, true)})
            }
        })
        .collect();
    let mut devices = json!({"requests": requests});
    if draw.chance(30) {
        devices["constraints"] = constraints(draw, requests.len());
    }
    json!({"devices": devices})
}

/// More devices than a claim may have, or nearly. Where a search would have to try many subsets of
/// them, nothing is drawn.
fn many(draw: &mut Draw) -> Value {
    let with_admin = json!({"deviceClassName": draw.of(&["many", "every"]), "adminAccess": true});
    let has_alternatives = draw.chance(50);
    let requests: Vec<Value> = (0..2)
        .map(|number| {
            let name = format!("r{number}");
            let mut exactly = with_admin.clone();
            match if has_alternatives { 2 } else { draw.below(4) } {
                0 => {
                    exactly["allocationMode"] = json!("All");
                    json!({"name": name, "exactly": exactly})
                }
                1 | 3 => {
                    exactly["count"] = json!(draw.of(&[3, 12, 20, 33]));
                    json!({"name": name, "exactly": exactly})
                }
                2 if !has_alternatives => json!({"name": name, "exactly": exactly}),
                _ => json!({"name": name, "firstAvailable": [
                    {"name": "s0", "deviceClassName": "many", "count": 17},
                    {"name": "s1", "deviceClassName": "many", "count": draw.of(&[2, 3])},
                ]}),
            }
        })
        .collect();
    json!({"devices": {"requests": requests}})
}

fn request(draw: &mut Draw, mix: &Mix, is_exact: bool) -> Value {
    let class = match draw.below(if mix.partitions > 0 { 10 } else { 6 }) {
        0..=2 => "gpu",
        3 => "big-gpu",
        4 => "net",
        5 => draw.of(&["any", "gpu", "net", "gpu", "gpu"]),
        6 | 7 => "part",
        _ => "share",
    };
    // One that nobody has made.
    let class = if draw.chance(1) { "missing" } else { class };
    let mut request = json!({"deviceClassName": class});
    if draw.chance(8) && may_fail(mix) {
        request["allocationMode"] = json!("All");
    } else if draw.chance(40) {
        request["count"] = json!(draw.between(1, 3));
    }
    if draw.chance(40) {
        let chosen = selector(draw, class);
        if may_fail(mix) || !FAILING.contains(&chosen) {
            request["selectors"] = cel(&[chosen]);
        }
    }
    if is_exact && draw.chance(5) {
        request["adminAccess"] = json!(true);
    }
    if draw.chance(20) {
        request["tolerations"] = match draw.below(3) {
            0 => json!([{"operator": "Exists"}]),
            _ => json!([{"key": "sick", "value": "a"}, {"key": "ruled", "operator": "Exists"}]),
        };
    }
    if class == "share" && draw.chance(80) {
        let asked = draw.of(&["1Gi", "3Gi", "4Gi", "7Gi", "10Gi", "17Gi"]);
        request["capacity"] = json!({"requests": {"memory": asked}});
    }
    request
}

/// Selectors that fail on some devices.
const FAILING: [&str; 3] = [
    "device.attributes[\"gpu.example.com\"].healthy",
    "device.attributes[\"topo.example.com\"].numa == 0 || device.attributes[\"gpu.example.com\"].healthy",
    "device.attributes[\"gpu.example.com\"].model < 3",
];

/// Whether the search for devices may fail: what several nodes say then in a dry run of preemption,
/// upstream tells in a map's order.
fn may_fail(mix: &Mix) -> bool {
    mix.priorities == 0
}

fn selector(draw: &mut Draw, class: &str) -> &'static str {
    match class {
        "gpu" | "big-gpu" => draw.of(&[
            "device.attributes[\"gpu.example.com\"].model == \"h100\"",
            "device.attributes[\"gpu.example.com\"].model in [\"a100\", \"b200\"]",
            "device.attributes['gpu.example.com'].index > 4",
            "device.attributes[\"gpu.example.com\"].?healthy.orValue(false)",
            "has(device.attributes[\"gpu.example.com\"].healthy)",
            "!(\"healthy\" in device.attributes[\"gpu.example.com\"])",
            FAILING[0],
            "device.attributes[\"gpu.example.com\"].driverVersion.isGreaterThan(semver(\"1.9.0\"))",
            "device.attributes[\"gpu.example.com\"].driverVersion.major() == 1",
            FAILING[1],
            "cel.bind(a, device.attributes[\"gpu.example.com\"], a.index % 2 == 0 && a.model.startsWith(\"a\"))",
            "device.capacity[\"gpu.example.com\"].memory.isGreaterThan(quantity(\"50Gi\"))",
            "device.attributes[\"gpu.example.com\"].model.matches(\"^[ah]100$\") ? true : false",
            "[1, 3, 5].exists(i, i == device.attributes[\"gpu.example.com\"].index)",
            FAILING[2],
        ]),
        "net" => draw.of(&[
            "device.attributes[\"net.example.com\"].speed >= 25",
            "device.attributes[\"net.example.com\"].speed == 100.0",
            "device.attributes[\"net.example.com\"].speed != \"10\"",
        ]),
        "part" => draw.of(&[
            "device.attributes[\"part.example.com\"].size <= 20",
            "device.capacity[\"part.example.com\"].memory == quantity(\"10240Mi\")",
        ]),
        "share" => draw.of(&[
            "device.allowMultipleAllocations",
            "device.attributes[\"share.example.com\"].slot < 2",
        ]),
        _ => draw.of(&["true", "device.driver.endsWith(\".example.com\")"]),
    }
}

fn constraints(draw: &mut Draw, requests: usize) -> Value {
    let mut constraint = json!({});
    let kind = if draw.chance(75) { "matchAttribute" } else { "distinctAttribute" };
    constraint[kind] = json!(draw.of(&[
        "gpu.example.com/model",
        "gpu.example.com/index",
        "topo.example.com/numa",
        "gpu.example.com/driverVersion",
    ]));
    if draw.chance(50) {
        constraint["requests"] = json!([format!("r{}", draw.below(requests))]);
    }
    json!([constraint])
}

/// What pod `number` asks for: claims, or an extended resource. Claims that are made for it stand
/// before it.
pub(super) fn for_pod(draw: &mut Draw, mix: &Mix, number: u64, pod: &mut Value) -> Vec<Value> {
    let mut made = Vec::new();
    if draw.chance(mix.extended) {
        let amount = draw.of(&["1", "1", "2", "3"]);
        let name = draw.of(&[EXTENDED, EXTENDED, "deviceclass.resource.kubernetes.io/big-gpu"]);
        let resources = &mut pod["spec"]["containers"][0]["resources"];
        resources["requests"][name] = json!(amount);
        resources["limits"][name] = json!(amount);
        if draw.chance(20) {
            let more = json!({EXTENDED: draw.of(&["1", "4"])});
            pod["spec"]["initContainers"] = json!([{
                "name": "init", "image": "i", "resources": {"requests": more, "limits": more},
            }]);
        }
        return made;
    }
    if !draw.chance(mix.devices) {
        return made;
    }
    pod["metadata"]["namespace"] = json!("default");
    let mut claims = Vec::new();
    let mut statuses = Vec::new();
    // Nothing else is asked for with many devices: what fails later would try all subsets of them.
    let wants_many = draw.chance(5);
    if !wants_many && draw.chance(30) {
        let named = draw.between(0, CLAIMS.0);
        let name = if named == CLAIMS.0 && draw.chance(70) { 0 } else { named };
        claims.push(json!({"name": "shared", "resourceClaimName": format!("claim{name}")}));
    } else if !wants_many && draw.chance(25) {
        let name = format!("pre{}", draw.between(0, CLAIMS.1 - 1));
        claims.push(json!({"name": "pre", "resourceClaimName": name}));
    }
    for own in 0..if wants_many { 1 } else { draw.of(&[0, 1, 1, 1, 2]) } {
        let (name, key) = (format!("p{number}-dev{own}"), format!("dev{own}"));
        claims.push(json!({"name": key, "resourceClaimTemplateName": "template"}));
        let spec = if wants_many { many(draw) } else { spec(draw, mix) };
        let mut claim = claim(&name, spec);
        let owner = if draw.chance(97) { format!("p{number}") } else { "other".to_owned() };
        claim["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "v1", "kind": "Pod", "name": owner, "uid": format!("default/{owner}"),
            "controller": true,
        }]);
        made.push(claim);
        match draw.below(30) {
            0 => {}
            1 => statuses.push(json!({"name": key})),
            _ => statuses.push(json!({"name": key, "resourceClaimName": name})),
        }
    }
    if !statuses.is_empty() {
        pod["status"]["resourceClaimStatuses"] = json!(statuses);
    }
    if !claims.is_empty() {
        pod["spec"]["resourceClaims"] = json!(claims);
    }
    made
}

/// Room for the extended resource that a node itself has.
pub(super) fn on_node(draw: &mut Draw, mix: &Mix, node: &mut Value) {
    if draw.chance(mix.extended / 3) {
        let amount = json!(draw.of(&["1", "4"]));
        for list in ["capacity", "allocatable"] {
            if let Some(Value::Object(list)) = node["status"].get_mut(list) {
                list.insert(EXTENDED.to_owned(), amount.clone());
            }
        }
    }
}

/// A change of the devices of a node, which are a new generation of its pool; or of what a class
/// stands for.
pub(super) fn change(draw: &mut Draw, mix: &Mix, node: u64, generation: u64) -> Vec<Value> {
    let mut objects = Vec::new();
    if mix.extended > 0 && draw.chance(50) {
        let selector = format!("device.driver == \"{GPU}\"");
        let mut spec = json!({"selectors": cel(&[&selector])});
        match draw.below(4) {
            0 => {}
            1 => spec["extendedResourceName"] = json!("example.com/other"),
            _ => spec["extendedResourceName"] = json!(EXTENDED),
        }
        return vec![object("DeviceClass", draw.of(&["gpu", "gpu", "net"]), spec)];
    }
    gpus(draw, node, generation, &mut objects);
    objects
}
