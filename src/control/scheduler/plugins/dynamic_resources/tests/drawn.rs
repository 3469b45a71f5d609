//! Small random clusters of devices and claims, to hold DynamicResources against its definition.
//! They know nothing of how devices are found.

use crate::api::devices::{
    DeviceClass, DeviceObject, DeviceTaintRule, ResourceClaim, ResourceSlice,
};
use crate::control::scheduler::testing::device_object;
use crate::sim::rng::Stream;
use serde_json::{Value, json};
use std::sync::Arc;

const DRIVERS: [&str; 2] = ["gpu.example.com", "net.example.com"];

fn one_in(stream: &mut Stream, of: u64) -> bool {
    stream.below(of) == 0
}

fn of<T: Copy>(stream: &mut Stream, items: &[T]) -> T {
    items[stream.below(items.len() as u64) as usize]
}

fn cel(expression: &str) -> Value {
    json!([{"cel": {"expression": expression}}])
}

/// Two classes for drivers, and one for all devices.
pub(super) fn classes() -> Vec<Arc<DeviceClass>> {
    let of_driver = |driver: &str| cel(&format!("device.driver == '{driver}'"));
    let all = [("any", json!([])), ("gpu", of_driver(DRIVERS[0])), ("net", of_driver(DRIVERS[1]))];
    all.map(|(name, selectors)| class(name, selectors)).into()
}

/// A class of this name.
pub(super) fn class(name: &str, selectors: Value) -> Arc<DeviceClass> {
    let given = json!({"metadata": {"name": name}, "spec": {"selectors": selectors}});
    match device_object("DeviceClass", given) {
        DeviceObject::Class(class) => class,
        other => panic!("{other:?} is no class"),
    }
}

fn read(slice: Value) -> Arc<ResourceSlice> {
    match device_object("ResourceSlice", slice) {
        DeviceObject::Slice(slice) => slice,
        other => panic!("{other:?} is no slice"),
    }
}

/// Some pools of a few devices.
pub(super) fn slices(stream: &mut Stream) -> Vec<Arc<ResourceSlice>> {
    let mut out = Vec::new();
    for pool in 0..1 + stream.below(3) {
        let driver = of(stream, &DRIVERS);
        let place = place(stream);
        let has_counters = one_in(stream, 3);
        let parts = 1 + stream.below(2);
        let told = parts + u64::from(has_counters) + u64::from(one_in(stream, 20));
        for part in 0..parts {
            let mut given = slice(stream, (driver, pool), &format!("s{pool}-{part}"), &place);
            given["spec"]["pool"]["resourceSliceCount"] = json!(told);
            if has_counters {
                take_of_counters(stream, &mut given);
            }
            out.push(read(given));
        }
        if has_counters {
            let name = format!("c{pool}");
            let mut given = slice(stream, (driver, pool), &name, &place);
            given["spec"]["devices"] = json!([]);
            if place.get("perDeviceNodeSelection").is_some() {
                given["spec"]["perDeviceNodeSelection"] = Value::Null;
                given["spec"]["allNodes"] = json!(true);
            }
            given["spec"]["pool"]["resourceSliceCount"] = json!(told);
            given["spec"]["sharedCounters"] = json!([{"name": "board", "counters": {
                "memory": {"value": of(stream, &["30Gi", "40Gi"])}, "slots": {"value": "3"},
            }}]);
            out.push(read(given));
        }
        if one_in(stream, 8) {
            let name = format!("g{pool}");
            let elsewhere = self::place(stream);
            let mut given = slice(stream, (driver, pool), &name, &elsewhere);
            given["spec"]["pool"]["generation"] = json!(2);
            out.push(read(given));
        }
    }
    out
}

fn place(stream: &mut Stream) -> Value {
    let zone = of(stream, &["a", "b"]);
    let zones = json!({"nodeSelectorTerms": [{"matchExpressions": [{
        "key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone],
    }]}]});
    match stream.below(5) {
        0 => json!({"allNodes": true}),
        1 => json!({"nodeSelector": zones}),
        2 => json!({"perDeviceNodeSelection": true}),
        _ => json!({"nodeName": of(stream, &["a", "b"])}),
    }
}

fn slice(stream: &mut Stream, (driver, pool): (&str, u64), name: &str, place: &Value) -> Value {
    let devices: Vec<Value> =
        (0..1 + stream.below(3)).map(|number| device(stream, name, number, place)).collect();
    let mut spec = json!({
        "driver": driver,
        "pool": {"name": format!("pool{pool}"), "generation": 1, "resourceSliceCount": 1},
        "devices": devices,
    });
    for (key, value) in place.as_object().into_iter().flatten() {
        spec[key] = value.clone();
    }
    json!({"metadata": {"name": name}, "spec": spec})
}

fn device(stream: &mut Stream, slice: &str, number: u64, place: &Value) -> Value {
    let mut device = json!({"name": format!("{slice}-d{number}")});
    if !one_in(stream, 6) {
        let model = of(stream, &["x", "y"]);
        device["attributes"] =
            json!({"model": {"string": model}, "slot": {"int": stream.below(3)}});
    }
    if one_in(stream, 8) {
        let effect = of(stream, &["NoSchedule", "NoExecute", "None"]);
        device["taints"] = json!([{"key": of(stream, &["sick", "old"]), "effect": effect}]);
    }
    if one_in(stream, 4) {
        device["allowMultipleAllocations"] = json!(true);
        device["capacity"] = json!({"memory": {"value": "10Gi"}});
    } else if one_in(stream, 4) {
        device["capacity"] = json!({"memory": {"value": "4Gi"}});
    }
    if one_in(stream, 25) {
        device["bindingConditions"] = json!(["Ready"]);
        device["bindingFailureConditions"] = json!(["Broken"]);
    }
    if place.get("perDeviceNodeSelection").is_some() {
        let own = match stream.below(3) {
            0 => ("allNodes", json!(true)),
            _ => ("nodeName", json!(of(stream, &["a", "b"]))),
        };
        device[own.0] = own.1;
    }
    device
}

fn take_of_counters(stream: &mut Stream, slice: &mut Value) {
    for device in slice["spec"]["devices"].as_array_mut().into_iter().flatten() {
        if !one_in(stream, 4) {
            let memory = of(stream, &["10Gi", "20Gi"]);
            device["consumesCounters"] = json!([{"counterSet": "board", "counters": {
                "memory": {"value": memory}, "slots": {"value": "1"},
            }}]);
        }
    }
}

/// A rule that taints what it selects.
pub(super) fn rule(stream: &mut Stream) -> Arc<DeviceTaintRule> {
    let selector = match stream.below(3) {
        0 => json!({"driver": of(stream, &DRIVERS)}),
        1 => json!({"pool": "pool0"}),
        _ => json!({"device": "s0-0-d0"}),
    };
    let taint = json!({"key": "ruled", "effect": of(stream, &["NoSchedule", "NoExecute"])});
    let given = json!({"metadata": {"name": format!("rule{}", stream.below(2))},
        "spec": {"deviceSelector": selector, "taint": taint}});
    match device_object("DeviceTaintRule", given) {
        DeviceObject::TaintRule(rule) => rule,
        other => panic!("{other:?} is no rule"),
    }
}

/// What a claim of this name asks for.
pub(super) fn claim(stream: &mut Stream, name: &str) -> Arc<ResourceClaim> {
    let requests: Vec<Value> = (0..1 + stream.below(2))
        .map(|number| {
            let name = format!("r{number}");
            if one_in(stream, 4) {
                let sub = |stream: &mut Stream, name: &str| {
                    let mut asks = request(stream, false);
                    asks["name"] = json!(name);
                    asks
                };
                let list = [sub(stream, "first"), sub(stream, "second")];
                json!({"name": name, "firstAvailable": list})
            } else {
                json!({"name": name, "exactly": request(stream, true)})
            }
        })
        .collect();
    let mut devices = json!({"requests": requests});
    if one_in(stream, 3) {
        let kind = of(stream, &["matchAttribute", "distinctAttribute"]);
        let attribute = format!("{}/{}", of(stream, &DRIVERS), of(stream, &["model", "slot"]));
        let about = of(stream, &[&[][..], &["r0"], &["r1"], &["r0", "r1/first"]]);
        devices["constraints"] = json!([{kind: attribute, "requests": about}]);
    }
    let given = json!({"metadata": {"name": name}, "spec": {"devices": devices}});
    match device_object("ResourceClaim", given) {
        DeviceObject::Claim(claim) => claim,
        other => panic!("{other:?} is no claim"),
    }
}

fn request(stream: &mut Stream, is_exact: bool) -> Value {
    let mut asks = json!({"deviceClassName": of(stream, &["any", "gpu", "gpu", "net"])});
    if one_in(stream, 10) {
        asks["allocationMode"] = json!("All");
    } else {
        asks["count"] = json!(1 + stream.below(2));
    }
    if one_in(stream, 3) {
        let model = of(stream, &["x", "y"]);
        let own = |driver| format!("device.attributes['{driver}'].?model.orValue('')");
        let any = DRIVERS.map(|driver| format!("{} == '{model}'", own(driver))).join(" || ");
        asks["selectors"] = cel(&any);
    }
    if is_exact && one_in(stream, 10) {
        asks["adminAccess"] = json!(true);
    }
    if one_in(stream, 4) {
        asks["tolerations"] =
            json!([{"key": of(stream, &["sick", "ruled"]), "operator": "Exists"}]);
    }
    if one_in(stream, 4) {
        asks["capacity"] = json!({"requests": {"memory": of(stream, &["1Gi", "4Gi", "6Gi"])}});
    }
    asks
}
