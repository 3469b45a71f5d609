//! What DynamicResources says of pods with claims, and which devices they get.

#![allow(clippy::unwrap_used, reason = "tests")]

mod drawn;
mod naive;
mod property;

use super::search::Claims;
use super::*;
use crate::api::PodId;
use crate::api::devices::{Consumer, DeviceObject, ResourceClaim};
use crate::control::scheduler::event::{Action, ClusterEvent, EventObjects, Resource};
use crate::control::scheduler::framework::{EnqueueExtensions, QueueingHint, ReservePlugin};
use crate::control::scheduler::testing::{Stage, device_object, zone_node};
use serde_json::json;
use std::sync::Arc;

const DRIVER: &str = "gpu.example.com";

fn plugin() -> DynamicResources {
    DynamicResources::new(&Value::Null).unwrap()
}

/// Two nodes in zones a and b, and a class for each driver.
fn stage() -> Stage {
    let selector =
        |driver: &str| json!([{"cel": {"expression": format!("device.driver == '{driver}'")}}]);
    Stage::new([zone_node("a", "a"), zone_node("b", "b")])
        .with_device(
            "DeviceClass",
            json!({
                "metadata": {"name": "gpu"},
                "spec": {"selectors": selector(DRIVER), "extendedResourceName": "example.com/gpu"},
            }),
        )
        .with_device("DeviceClass", json!({"metadata": {"name": "any"}, "spec": {}}))
}

/// A slice with these devices, at this place.
fn slice(name: &str, pool: &str, place: Value, devices: Value) -> Value {
    let mut spec = json!({
        "driver": DRIVER,
        "pool": {"name": pool, "generation": 1, "resourceSliceCount": 1},
        "devices": devices,
    });
    for (key, value) in place.as_object().unwrap() {
        spec[key] = value.clone();
    }
    json!({"metadata": {"name": name}, "spec": spec})
}

fn on(node: &str) -> Value {
    json!({"nodeName": node})
}

/// Devices of these names with an attribute `model`.
fn devices(list: &[(&str, &str)]) -> Value {
    let device = |(name, model): &(&str, &str)| json!({"name": name, "attributes": {"model": {"string": model}}});
    list.iter().map(device).collect()
}

/// A claim with these requests.
fn claim(name: &str, requests: Value) -> Value {
    json!({"metadata": {"name": name}, "spec": {"devices": {"requests": requests}}})
}

/// One request for devices of the class `gpu`.
fn exactly(more: Value) -> Value {
    let mut asks = json!({"deviceClassName": "gpu"});
    for (key, value) in more.as_object().unwrap() {
        asks[key] = value.clone();
    }
    json!([{"name": "r", "exactly": asks}])
}

fn cel(expression: &str) -> Value {
    json!([{"cel": {"expression": expression}}])
}

/// A specification that names claims.
fn naming(claims: &[&str]) -> Value {
    let one = |claim: &&str| json!({"name": claim, "resourceClaimName": claim});
    let claims: Value = claims.iter().map(one).collect();
    json!({"containers": [{"name": "c"}], "resourceClaims": claims})
}

/// A claim that has a device, which is reached from one node, and this user.
fn taken(name: &str, node: &str, device: &str, user: Option<PodId>) -> DeviceObject {
    let mut given = claim(name, exactly(json!({})));
    given["status"] = json!({"allocation": {
        "devices": {"results": [
            {"request": "r", "driver": DRIVER, "pool": node, "device": device},
        ]},
        "nodeSelector": {"nodeSelectorTerms": [{"matchFields": [
            {"key": "metadata.name", "operator": "In", "values": [node]},
        ]}]},
    }});
    changed(device_object("ResourceClaim", given), |claim| {
        claim.reserved_for.extend(user.map(Consumer::Pod));
    })
}

fn changed(object: DeviceObject, change: impl Fn(&mut ResourceClaim)) -> DeviceObject {
    let DeviceObject::Claim(mut claim) = object else { panic!("a claim") };
    change(Arc::make_mut(&mut claim));
    DeviceObject::Claim(claim)
}

/// The devices that a pod's claims get on a node, or why not.
fn found(stage: &Stage, pod: &PodInfo, node: usize) -> String {
    let devices = stage.objects.devices.as_deref().unwrap();
    let claims = match Claims::of(devices, pod) {
        Ok(claims) => claims.unwrap(),
        Err(why) => return format!("pod: {why}"),
    };
    match claims.allocate(devices, pod, &stage.nodes[node]) {
        Ok(found) => {
            let devices = found.iter().flat_map(|(_, allocation)| &allocation.devices);
            let told: Vec<String> =
                devices.map(|d| format!("{}={}/{}", d.request, d.id.pool, d.id.device)).collect();
            told.join(" ")
        }
        Err(status) => status.message(),
    }
}

#[test]
fn a_pod_whose_claims_are_not_in_order_goes_nowhere() {
    let deleted = |name: &str| {
        let mut given = claim(name, exactly(json!({})));
        given["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        given
    };
    let of_class = |class: &str| json!([{"name": "r", "exactly": {"deviceClassName": class}}]);
    let alternative =
        json!([{"name": "r", "firstAvailable": [{"name": "s", "deviceClassName": "tpu"}]}]);
    let template = json!({
        "containers": [{"name": "c"}],
        "resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "t"}],
    });
    let rows = [
        ("no such claim", naming(&["x"]), "could not find ResourceClaim \"default/x\""),
        ("one that is going", naming(&["going"]), "resourceclaim \"going\" is being deleted"),
        (
            "one that is not made yet",
            template,
            "pod \"default/pod\": ResourceClaim not created yet",
        ),
        ("no such class", naming(&["tpu"]), "request r: device class tpu does not exist"),
        (
            "nor for an alternative",
            naming(&["alt"]),
            "request r/s: device class tpu does not exist",
        ),
    ];
    for (sentence, spec, expected) in rows {
        let mut stage = stage()
            .with_device("ResourceClaim", deleted("going"))
            .with_device("ResourceClaim", claim("tpu", of_class("tpu")))
            .with_device("ResourceClaim", claim("alt", alternative.clone()));
        let pod = stage.pod_of("pod", spec);
        assert_eq!(stage.verdict(&plugin(), &pod, 0), format!("pod: {expected}"), "{sentence}");
    }
}

#[test]
fn a_claim_of_a_template_is_used_by_the_pod_that_it_was_made_for() {
    let spec = json!({
        "containers": [{"name": "c"}],
        "resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "t"}],
    });
    let mut stage =
        stage().with_device("ResourceSlice", slice("s", "a", on("a"), devices(&[("0", "m")])));
    let pod = stage.pod_of("pod", spec);
    let objects = stage.objects.tell_devices();
    objects.set_made(pod.id, [("gpu".into(), Some("made".into()))].into());
    let made = device_object("ResourceClaim", claim("made", exactly(json!({}))));
    objects.set(made.clone());
    let not_its =
        "pod: ResourceClaim default/made was not created for Pod default/pod (Pod is not owner)";
    assert_eq!(stage.verdict(&plugin(), &pod, 0), not_its);
    let owned = changed(made, |claim| claim.owner = Some(Consumer::Pod(pod.id)));
    stage.objects.tell_devices().set(owned);
    assert_eq!(stage.verdict(&plugin(), &pod, 0), "");
    stage.objects.tell_devices().set_made(pod.id, [("gpu".into(), None)].into());
    assert_eq!(stage.verdict(&plugin(), &pod, 1), "", "it was found that none is needed");
}

#[test]
fn devices_are_sought_in_the_order_of_names() {
    let a100 = cel("device.attributes['gpu.example.com'].model == 'a100'");
    let rows = [
        ("the first of the first slice", exactly(json!({})), "r=a/1"),
        ("as many as asked for", exactly(json!({"count": 3})), "r=a/1 r=a/2 r=a/0"),
        (
            "those that are selected",
            exactly(json!({"selectors": a100, "count": 2})),
            "r=a/2 r=far/9",
        ),
        ("all", exactly(json!({"allocationMode": "All"})), "r=a/1 r=a/2 r=a/0 r=far/9"),
        ("more than there are", exactly(json!({"count": 5})), "cannot allocate all claims"),
        (
            "the first alternative that can be had",
            json!([{"name": "r", "firstAvailable": [
                {"name": "many", "deviceClassName": "gpu", "count": 5},
                {"name": "few", "deviceClassName": "gpu", "count": 1},
            ]}]),
            "r/few=a/1",
        ),
        (
            "one request leaves the other what it needs",
            json!([
                {"name": "r", "exactly": {"deviceClassName": "gpu"}},
                {"name": "s", "exactly": {"deviceClassName": "gpu", "selectors":
                    cel("device.attributes['gpu.example.com'].model == 'h100'")}},
            ]),
            "r=a/2 s=a/1",
        ),
    ];
    for (sentence, requests, expected) in rows {
        let mut stage = stage().with_device("ResourceClaim", claim("c", requests)).with_device(
            "ResourceSlice",
            slice("s2", "far", json!({"allNodes": true}), devices(&[("9", "a100")])),
        );
        for (name, list) in
            [("s1", &[("1", "h100"), ("2", "a100")][..]), ("s3", &[("0", "b200")][..])]
        {
            let mut given = slice(name, "a", on("a"), devices(list));
            given["spec"]["pool"]["resourceSliceCount"] = json!(2);
            stage = stage.with_device("ResourceSlice", given);
        }
        let pod = stage.pod_of("pod", naming(&["c"]));
        assert_eq!(found(&stage, &pod, 0), expected, "{sentence}");
    }
}

#[test]
fn pools_count_as_their_drivers_tell_them() {
    let two = |slices: i64, generation: i64, names: [&str; 2]| {
        let mut given = slice("s", "a", on("a"), devices(&names.map(|name| (name, "m"))));
        given["spec"]["pool"]["resourceSliceCount"] = json!(slices);
        given["spec"]["pool"]["generation"] = json!(generation);
        given
    };
    let newer = |node: &str| {
        let mut given = slice("t", "a", on(node), devices(&[("n", "m")]));
        given["spec"]["pool"]["generation"] = json!(2);
        given
    };
    let (one, all) = (exactly(json!({})), exactly(json!({"allocationMode": "All"})));
    let incomplete = "claim default/c, request r: asks for all devices, but resource pool \
                      gpu.example.com/a is currently being updated";
    let rows = [
        ("all is told", two(1, 1, ["0", "1"]), None, one.clone(), "r=a/0"),
        (
            "a slice is missing",
            two(2, 1, ["0", "1"]),
            None,
            one.clone(),
            "cannot allocate all claims",
        ),
        ("who wants all has to know all", two(2, 1, ["0", "1"]), None, all, incomplete),
        (
            "one name for two devices",
            two(1, 1, ["0", "0"]),
            None,
            one.clone(),
            "invalid resource pools were encountered",
        ),
        (
            "a newer generation replaces it",
            two(1, 1, ["0", "1"]),
            Some(newer("a")),
            one.clone(),
            "r=a/n",
        ),
        (
            "so it counts even if it is incomplete",
            two(2, 1, ["0", "1"]),
            Some(newer("b")),
            one,
            "cannot allocate all claims",
        ),
    ];
    for (sentence, given, more, requests, expected) in rows {
        let mut stage = stage()
            .with_device("ResourceClaim", claim("c", requests))
            .with_device("ResourceSlice", given);
        if let Some(more) = more {
            stage = stage.with_device("ResourceSlice", more);
        }
        let pod = stage.pod_of("pod", naming(&["c"]));
        assert_eq!(found(&stage, &pod, 0), expected, "{sentence}");
    }
}

#[test]
fn what_is_taken_is_not_had_again() {
    let with = |more: Value| claim("c", exactly(more));
    let rows = [
        ("a device of another claim", with(json!({})), "r=a/1"),
        ("nobody gets both", with(json!({"count": 2})), "cannot allocate all claims"),
        ("with admin access it may be shared", with(json!({"adminAccess": true})), "r=a/0"),
        (
            "all of them are not to be had",
            with(json!({"allocationMode": "All"})),
            "cannot allocate all claims",
        ),
    ];
    for (sentence, given, expected) in rows {
        let list = devices(&[("0", "m"), ("1", "m")]);
        let mut stage = stage()
            .with_device("ResourceSlice", slice("s", "a", on("a"), list))
            .with_device("ResourceClaim", given);
        stage.objects.tell_devices().set(taken("other", "a", "0", None));
        let pod = stage.pod_of("pod", naming(&["c"]));
        assert_eq!(found(&stage, &pod, 0), expected, "{sentence}");
    }
}

#[test]
fn an_allocation_on_its_way_counts_as_taken() {
    let mut stage = stage()
        .with_device("ResourceSlice", slice("s", "a", on("a"), devices(&[("0", "m")])))
        .with_device("ResourceClaim", claim("c", exactly(json!({}))))
        .with_device("ResourceClaim", claim("d", exactly(json!({}))));
    let first = stage.pod_of("first", naming(&["c"]));
    let reserved = plugin().reserve(&stage.context(), &first, &stage.nodes[0]);
    assert_eq!(reserved.claims.len(), 1);
    stage.objects.assume(&reserved);
    let second = stage.pod_of("second", naming(&["c"]));
    let waits = "pod: resource claim default/c is in the process of being allocated";
    assert_eq!(stage.verdict(&plugin(), &second, 0), waits);
    let third = stage.pod_of("third", naming(&["d"]));
    assert_eq!(stage.verdict(&plugin(), &third, 0), "cannot allocate all claims");
    stage.objects.restore(&reserved);
    assert_eq!(stage.verdict(&plugin(), &third, 0), "", "its writer has failed");
}

#[test]
fn constraints_hold_for_the_devices_together() {
    let list = devices(&[("0", "x"), ("1", "y"), ("2", "x"), ("3", "z")]);
    let constraint = |kind: &str, requests: Value| json!([{kind: "gpu.example.com/model", "requests": requests}]);
    let two = json!([
        {"name": "r", "exactly": {"deviceClassName": "gpu"}},
        {"name": "s", "exactly": {"deviceClassName": "gpu"}},
    ]);
    let must = "claim default/c, request r: cannot add device gpu.example.com/a/1 because a claim \
                constraint would not be satisfied";
    let rows = [
        ("the same for all", two.clone(), constraint("matchAttribute", json!([])), "r=a/0 s=a/2"),
        (
            "different for each",
            two.clone(),
            constraint("distinctAttribute", json!([])),
            "r=a/0 s=a/1",
        ),
        (
            "another request is not concerned",
            two,
            constraint("matchAttribute", json!(["r"])),
            "r=a/0 s=a/1",
        ),
        (
            "three that are the same",
            exactly(json!({"count": 3})),
            constraint("matchAttribute", json!([])),
            "cannot allocate all claims",
        ),
        (
            "who wants all has to take all",
            exactly(json!({"allocationMode": "All"})),
            constraint("matchAttribute", json!([])),
            must,
        ),
        (
            "without the attribute",
            exactly(json!({})),
            json!([{"matchAttribute": "x.example.com/y"}]),
            "cannot allocate all claims",
        ),
    ];
    for (sentence, requests, constraints, expected) in rows {
        let mut given = claim("c", requests);
        given["spec"]["devices"]["constraints"] = constraints;
        let mut stage = stage()
            .with_device("ResourceSlice", slice("s", "a", on("a"), list.clone()))
            .with_device("ResourceClaim", given);
        let pod = stage.pod_of("pod", naming(&["c"]));
        assert_eq!(found(&stage, &pod, 0), expected, "{sentence}");
    }
}

#[test]
fn partitions_and_shares_take_what_is_left() {
    let partition = |name: &str, memory: &str| {
        let counters = json!({"memory": {"value": memory}});
        json!({"name": name, "consumesCounters": [{"counterSet": "board", "counters": counters}]})
    };
    let mut counting = slice("counters", "a", on("a"), json!([]));
    counting["spec"]["sharedCounters"] =
        json!([{"name": "board", "counters": {"memory": {"value": "40Gi"}}}]);
    counting["spec"]["pool"]["resourceSliceCount"] = json!(2);
    let parts =
        json!([partition("half", "20Gi"), partition("whole", "40Gi"), partition("rest", "20Gi")]);
    let mut parts = slice("parts", "a", on("a"), parts);
    parts["spec"]["pool"]["resourceSliceCount"] = json!(2);
    let shared = json!([{
        "name": "shared", "allowMultipleAllocations": true, "capacity": {"memory": {"value": "10Gi"}},
    }]);
    let ask = |amount: &str| {
        let capacity = json!({"requests": {"memory": amount}});
        json!({"deviceClassName": "any", "selectors": cel("device.allowMultipleAllocations"), "capacity": capacity})
    };
    let shares = |amounts: [&str; 2]| json!([{"name": "r", "exactly": ask(amounts[0])}, {"name": "s", "exactly": ask(amounts[1])}]);
    let rows = [
        ("two halves of a board", exactly(json!({"count": 2})), "r=a/half r=a/rest"),
        ("a board has no three", exactly(json!({"count": 3})), "cannot allocate all claims"),
        ("two shares", shares(["6Gi", "4Gi"]), "r=b/shared s=b/shared"),
        ("too much for both", shares(["6Gi", "5Gi"]), "cannot allocate all claims"),
    ];
    for (sentence, requests, expected) in rows {
        let mut more = slice("shared", "b", on("a"), shared.clone());
        more["spec"]["driver"] = json!("share.example.com");
        let mut stage = stage()
            .with_device("ResourceSlice", counting.clone())
            .with_device("ResourceSlice", parts.clone())
            .with_device("ResourceSlice", more)
            .with_device("ResourceClaim", claim("c", requests));
        let pod = stage.pod_of("pod", naming(&["c"]));
        assert_eq!(found(&stage, &pod, 0), expected, "{sentence}");
    }
}

#[test]
fn tainted_devices_need_a_toleration() {
    let taint = |effect: &str| json!({"key": "sick", "value": "v", "effect": effect});
    let tolerating = |toleration: Value| exactly(json!({"tolerations": [toleration]}));
    let rows = [
        (
            "a taint keeps claims away",
            json!([taint("NoSchedule")]),
            false,
            exactly(json!({})),
            "r=a/1",
        ),
        ("one without effect does not", json!([taint("None")]), false, exactly(json!({})), "r=a/0"),
        (
            "a toleration helps",
            json!([taint("NoExecute")]),
            false,
            tolerating(json!({"operator": "Exists"})),
            "r=a/0",
        ),
        (
            "another's does not",
            json!([taint("NoExecute")]),
            false,
            tolerating(json!({"key": "x", "operator": "Exists"})),
            "r=a/1",
        ),
        ("a rule taints too", json!([]), true, exactly(json!({})), "r=a/1"),
    ];
    for (sentence, taints, has_rule, requests, expected) in rows {
        let list = json!([{"name": "0", "taints": taints}, {"name": "1"}]);
        let mut stage = stage()
            .with_device("ResourceSlice", slice("s", "a", on("a"), list))
            .with_device("ResourceClaim", claim("c", requests));
        if has_rule {
            stage = stage.with_device("DeviceTaintRule", json!({
                "metadata": {"name": "rule"},
                "spec": {"deviceSelector": {"pool": "a", "device": "0"}, "taint": taint("NoSchedule")},
            }));
        }
        let pod = stage.pod_of("pod", naming(&["c"]));
        assert_eq!(found(&stage, &pod, 0), expected, "{sentence}");
    }
}

#[test]
fn an_allocated_claim_is_used_where_its_devices_are_reached() {
    let mut stage = stage();
    let pod = stage.pod_of("pod", naming(&["c"]));
    stage.objects.tell_devices().set(taken("c", "a", "0", None));
    assert_eq!(stage.verdict(&plugin(), &pod, 0), "");
    assert_eq!(stage.verdict(&plugin(), &pod, 1), NOT_AVAILABLE);
}

#[test]
fn extended_resources_are_had_as_devices_where_the_node_has_none() {
    let asks = |init: &str, main: &str| {
        let container = |name: &str, amount: &str| {
            let amount = json!({"example.com/gpu": amount, "cpu": "1"});
            json!({"name": name, "resources": {"requests": amount, "limits": amount}})
        };
        json!({"containers": [container("c", main)], "initContainers": [container("i", init)]})
    };
    let rows = [
        (
            "an init container uses those of the main one",
            asks("2", "2"),
            "container-1-request-1=a/0 container-1-request-1=a/1",
        ),
        (
            "it asks for what is missing",
            asks("2", "1"),
            "container-0-request-1=a/0 container-1-request-1=a/1",
        ),
        ("there are not so many", asks("1", "3"), "cannot allocate all claims"),
    ];
    for (sentence, spec, expected) in rows {
        let list = devices(&[("0", "m"), ("1", "m")]);
        let mut stage = stage().with_device("ResourceSlice", slice("s", "a", on("a"), list));
        let pod = stage.pod_of("pod", spec);
        assert_eq!(found(&stage, &pod, 0), expected, "{sentence}");
    }
}

#[test]
fn the_earlier_an_alternative_the_better() {
    let alternatives = json!([{"name": "r", "firstAvailable": [
        {"name": "two", "deviceClassName": "gpu", "count": 2},
        {"name": "one", "deviceClassName": "gpu"},
    ]}]);
    let mut stage = stage()
        .with_device("ResourceSlice", slice("s", "a", on("a"), devices(&[("0", "m"), ("1", "m")])))
        .with_device("ResourceSlice", slice("t", "b", on("b"), devices(&[("0", "m")])))
        .with_device("ResourceClaim", claim("c", alternatives));
    let pod = stage.pod_of("pod", naming(&["c"]));
    let score = |node: usize| {
        let none = PluginState::none();
        plugin().score(&stage.context(), &none, &pod, &stage.nodes[node])
    };
    assert_eq!((score(0), score(1)), (8, 7));
}

#[test]
fn pods_are_tried_again_when_it_may_help() {
    let mut stage = stage();
    let pod = stage.pod_of("pod", naming(&["c"]));
    let free = |name: &str| device_object("ResourceClaim", claim(name, exactly(json!({}))));
    let used = |name: &str| taken(name, "a", "0", None);
    let class = device_object("DeviceClass", json!({"metadata": {"name": "x"}, "spec": {}}));
    let slices = device_object("ResourceSlice", slice("s", "a", on("a"), json!([])));
    let add = |new: DeviceObject| (None, Some(new));
    let update = |old: DeviceObject, new: DeviceObject| (Some(old), Some(new));
    let rows = [
        ("its claim appears", add(free("c")), true),
        ("another's claim appears", add(free("x")), false),
        ("its claim gets devices", update(free("c"), used("c")), true),
        ("its claim changes otherwise", update(free("c"), free("c")), false),
        ("another's claim loses its devices", update(used("x"), free("x")), true),
        ("another's claim gets devices", update(free("x"), used("x")), false),
        ("a claim is deleted", (Some(free("x")), None), false),
        ("one with devices is deleted", (Some(used("x")), None), true),
        ("a class appears", add(class), true),
        ("devices are told", add(slices), true),
    ];
    for (sentence, (old, new), expected) in rows {
        stage.objects.tell_devices().set(match &new {
            Some(its @ DeviceObject::Claim(claim)) if *claim.name.name == *"c" => its.clone(),
            _ => free("c"),
        });
        let action = match (&old, &new) {
            (None, _) => Action::ADD,
            (_, None) => Action::DELETE,
            _ => Action::UPDATE,
        };
        let object = old.as_ref().or(new.as_ref()).unwrap();
        let event = ClusterEvent::new(Resource::of_device(object), action);
        let change = EventObjects::Device { old: old.as_ref(), new: new.as_ref() };
        let hint = plugin().queueing_hint(&stage.objects, &pod, event, &change);
        assert!(plugin().events_to_register().iter().any(|e| e.matches(event)), "{sentence}");
        assert_eq!(hint == QueueingHint::Queue, expected, "{sentence}");
    }
}

#[test]
fn durations_are_read_as_go_writes_them() {
    let rows = [
        ("90s", Some(90)),
        ("1h30m0s", Some(5_400)),
        ("10m", Some(600)),
        ("", None),
        ("10", None),
        ("ten", None),
        ("1d", None),
    ];
    for (text, seconds) in rows {
        let expected = seconds.map(SimDuration::from_secs);
        assert_eq!(go_duration(text).ok(), expected, "{text:?}");
    }
    let error = DynamicResources::new(&json!({"bindingTimeout": "soon"})).err();
    assert!(error.unwrap().starts_with("bindingTimeout: \"soon\" is no duration"));
}
