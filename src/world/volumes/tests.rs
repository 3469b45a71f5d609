//! Small worlds with volumes, looked at while they go on.

use super::super::look::Look;
use super::super::run::Audience;
use super::super::tests::scenario;
use crate::api::ObjectName;
use crate::api::convert::object::object;
use crate::api::meta::Propagation;
use crate::api::object::Target;
use crate::check::Stride;
use crate::record::Sink;
use crate::record::rows::EventRow;
use crate::scenario::curve::Curve;
use crate::scenario::kubectl::Command;
use crate::scenario::model::{Happening, NodeSelection, Scenario, TimelineEntry};
use crate::sim::sample::Distribution;
use crate::store::{Change, Store};
use crate::units::{SimDuration, SimTime};
use crate::world::{RunOptions, run};
use serde_json::{Value, json};

/// Keeps what is told of some object, as `second reason: message`.
#[derive(Default)]
struct Told(Vec<(String, String)>);

impl Sink for Told {
    fn event(&mut self, row: &EventRow) {
        let text = format!("{} {}: {}", row.time.whole_secs(), row.reason, row.message.trim());
        self.0.push((row.name.to_string(), text));
    }
}

/// Sees nothing.
struct Blind;

impl Audience for Blind {
    fn sees(&mut self, _: SimTime, _: &Change, _: &Store) {}
}

/// A cluster of two nodes in two zones, without traffic, in which volumes take 4 s to be made, 5 s
/// to be attached, 6 s to be detached, 1 s to be mounted and 2 s to be unmounted.
fn world(objects: &[Value]) -> Scenario {
    let mut scenario = scenario(0, 2, Curve::Constant(0.0));
    let (cloud, kubelet) = (&mut scenario.flags.cloud, &mut scenario.flags.kubelet);
    cloud.volume_provision = Distribution::Constant(4.0);
    cloud.volume_delete = Distribution::Constant(3.0);
    cloud.volume_attach = Distribution::Constant(5.0);
    cloud.volume_detach = Distribution::Constant(6.0);
    kubelet.volume_mount = Distribution::Constant(1.0);
    kubelet.volume_unmount = Distribution::Constant(2.0);
    for given in objects {
        let mut errors = Vec::new();
        scenario.objects.applied.push(object(given, "default", &mut errors).unwrap());
        assert_eq!(errors, []);
    }
    scenario
}

fn at(scenario: &mut Scenario, second: u64, what: Happening) {
    let entry = TimelineEntry { at: SimTime::from_secs(second), until: None, what };
    scenario.timeline.push(entry);
    scenario.timeline.sort_by_key(|entry| entry.at);
}

fn command(scenario: &mut Scenario, second: u64, command: Command) {
    at(scenario, second, Happening::Kubectl(Box::new(command)));
}

fn delete(kind: &str, namespace: &str, name: &str) -> Command {
    let target = Target { kind: kind.into(), name: ObjectName::new(namespace, name) };
    Command::Delete { target, propagation: Propagation::Background, grace: None }
}

fn class(name: &str, more: Value) -> Value {
    let mut class = json!({"kind": "StorageClass", "metadata": {"name": name},
        "provisioner": "disk.example"});
    class.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    class
}

fn late() -> Value {
    class("disk", json!({"volumeBindingMode": "WaitForFirstConsumer"}))
}

fn claim(name: &str) -> Value {
    json!({"kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": {
        "storageClassName": "disk", "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}}}})
}

fn pod(name: &str, volumes: Value) -> Value {
    json!({"kind": "Pod", "metadata": {"name": name}, "spec": {"volumes": volumes,
        "containers": [{"name": "c", "image": "c"}]}})
}

fn pod_of(name: &str, claim: &str) -> Value {
    pod(name, json!([{"name": "v", "persistentVolumeClaim": {"claimName": claim}}]))
}

/// A pod with a volume of its own.
fn ephemeral() -> Value {
    let template = json!({"spec": claim("x")["spec"]});
    pod("app", json!([{"name": "v", "ephemeral": {"volumeClaimTemplate": template}}]))
}

fn stateful_set(replicas: u32, retention: Value) -> Value {
    json!({"kind": "StatefulSet", "metadata": {"name": "db"}, "spec": {
        "replicas": replicas, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
        "persistentVolumeClaimRetentionPolicy": retention,
        "template": {"metadata": {"labels": {"app": "db"}},
            "spec": {"containers": [{"name": "c", "image": "c"}]}},
        "volumeClaimTemplates": [claim("data")]}})
}

/// What is there: claims, volumes and their zones, attachments, pods.
fn there(store: &Store) -> Vec<String> {
    let claims = store.claims().filter_map(|(_, claim)| claim.object.as_ref());
    let mut lines: Vec<String> =
        claims.map(|claim| format!("claim {} {}", claim.name.name, claim.phase())).collect();
    lines.sort();
    for (_, volume) in store.volumes() {
        let terms = volume.node_affinity.iter().flatten();
        let zone = terms.flat_map(|t| &t.match_expressions).flat_map(|r| &r.values).next();
        let of = volume.claim.as_ref().map_or("nobody", |claim| &claim.name.name);
        let zone = zone.map_or_else(String::new, |zone| format!(" in {zone}"));
        lines.push(format!("volume of {of} {}{zone}", volume.phase.as_str()));
    }
    for (_, attachment) in store.attachments() {
        let volume = store.volume(attachment.volume).and_then(|volume| volume.claim.as_ref());
        let of = volume.map_or("nobody", |claim| &claim.name.name);
        lines.push(format!("{of} at {}", attachment.object.node));
    }
    let mut pods: Vec<String> = Vec::new();
    for (_, pod) in store.pods() {
        let node = pod.node.and_then(|node| store.node(node));
        let node = node.map_or("nowhere", |node| &node.name);
        let ready = if pod.ready { " ready" } else { "" };
        pods.push(format!("{} {node}{ready}", pod.name()));
    }
    pods.sort();
    lines.extend(pods);
    lines
}

/// What is there at these seconds, and what was told of each object. The invariants hold.
fn play(scenario: &mut Scenario, seconds: &[u64]) -> (Vec<Vec<String>>, Vec<(String, String)>) {
    let last = seconds.last().copied().unwrap_or(0);
    scenario.duration = SimDuration::from_secs(last + 1);
    let (mut told, mut blind) = (Told::default(), Blind);
    let mut look = Look::new(scenario, 1, &mut told, &mut blind);
    let mut seen = Vec::new();
    for second in seconds {
        look.advance(SimTime::from_secs(*second)).unwrap();
        seen.push(there(look.store()));
    }
    drop(look);
    let checks = RunOptions { checks: Stride::Events(1) };
    run(scenario, 1, checks, &mut Told::default(), |_| {}).unwrap();
    (seen, told.0)
}

fn zone_of<'a>(lines: &'a [String], claim: &str) -> Option<&'a str> {
    let volume = lines.iter().find(|line| line.starts_with(&format!("volume of {claim} ")))?;
    volume.split(" in ").nth(1)
}

fn of<'a>(told: &'a [(String, String)], name: &str) -> Vec<&'a str> {
    told.iter().filter(|(of, _)| of == name).map(|(_, text)| &**text).collect()
}

#[test]
fn a_pod_waits_for_its_volume_to_be_made_attached_and_mounted() {
    let mut scenario = world(&[late(), claim("data"), pod_of("app", "data")]);
    scenario.cold_start = true;
    let (seen, told) = play(&mut scenario, &[3, 9, 30]);
    assert_eq!(seen[0], ["claim data Pending", "app nowhere"], "the volume is being made");
    let bound = ["claim data Bound", "volume of data Bound in a", "data at pool-0"];
    assert_eq!(seen[1][..3], bound, "it is where the scheduler wants the pod");
    assert_eq!(seen[1][3], "app pool-0", "and is being attached");
    assert_eq!(seen[2][3], "app pool-0 ready");
    let told = of(&told, "app");
    assert!(told[0].starts_with("5 Scheduled"), "the binding waits: {told:?}");
    assert!(told[1].starts_with("10 SuccessfulAttachVolume"), "{told:?}");
    // The node's status says each ten seconds which volumes it uses.
    let started = told.iter().find(|text| text.contains("Started")).unwrap();
    let second: u64 = started.split(' ').next().unwrap().parse().unwrap();
    assert!((11..=18).contains(&second), "{started}");
}

#[test]
fn immediate_claims_do_not_wait_for_pods() {
    let mut scenario = world(&[class("disk", json!({})), claim("a-0"), claim("a-1"), claim("a-2")]);
    scenario.cold_start = true;
    let (seen, told) = play(&mut scenario, &[3, 5]);
    assert_eq!(seen[0].len(), 3, "they are being made");
    let zones: Vec<&str> =
        ["a-0", "a-1", "a-2"].map(|name| zone_of(&seen[1], name).unwrap_or("none")).into();
    assert!(zones[0] == zones[2] && zones[0] != zones[1], "zone after zone: {zones:?}");
    assert!(of(&told, "a-0").last().unwrap().contains("ProvisioningSucceeded"));
}

#[test]
fn a_settled_start_has_its_volumes() {
    let deployment = json!({"kind": "Deployment", "metadata": {"name": "web"}, "spec": {
        "replicas": 1, "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": {
            "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}],
            "containers": [{"name": "c", "image": "c"}]}}}});
    let mut scenario = world(&[late(), claim("data")]);
    let deployment = object(&deployment, "default", &mut Vec::new()).unwrap();
    let crate::api::object::Object::Deployment(deployment) = deployment else { panic!() };
    scenario.objects.deployments = vec![*deployment];
    let (seen, _) = play(&mut scenario, &[0]);
    let lines = &seen[0];
    assert_eq!(lines[..3], ["claim data Bound", "volume of data Bound in a", "data at pool-0"]);
    assert!(lines[3].ends_with("pool-0 ready"), "{lines:?}");
}

#[test]
fn a_drained_node_gives_its_volumes_back() {
    let mut scenario =
        world(&[class("disk", json!({})), claim("data"), stateful_set(1, json!({}))]);
    // Both nodes reach the volume.
    scenario.node_groups[0].zones = vec!["a".into()];
    command(&mut scenario, 60, Command::Drain { nodes: vec!["pool-0".into()] });
    let (seen, told) = play(&mut scenario, &[59, 150]);
    let last = |lines: &[String]| lines.last().cloned().unwrap();
    assert_eq!(last(&seen[0]), "db-0 pool-0 ready");
    assert_eq!(last(&seen[1]), "db-0 pool-1 ready");
    let told = of(&told, "db-0");
    let attached = told.iter().rfind(|text| text.contains("SuccessfulAttach")).unwrap();
    let second: u64 = attached.split(' ').next().unwrap().parse().unwrap();
    // Stop 1 s, unmount 2 s, the node's status up to 10 s, detach 6 s, attach 5 s.
    assert!((73..=86).contains(&second), "{told:?}");
}

#[test]
fn a_lost_node_keeps_its_volume_unless_somebody_says_that_it_is_out_of_service() {
    let tainted = |taint: bool| {
        let mut scenario =
            world(&[class("disk", json!({})), claim("data"), stateful_set(1, json!({}))]);
        scenario.node_groups[0].zones = vec!["a".into()];
        scenario.node_groups[0].count = 1;
        let mut other = scenario.node_groups[0].clone();
        other.name = "other".into();
        other.taints.clear();
        scenario.node_groups.push(other);
        command(&mut scenario, 0, Command::Cordon { node: "other-0".into(), on: true });
        command(&mut scenario, 90, Command::Cordon { node: "other-0".into(), on: false });
        let selection = NodeSelection { group: Some(0), zone: None, count: None };
        at(&mut scenario, 100, Happening::NodeCrash(selection));
        let what = if taint {
            let taint = crate::api::taint::Taint::new(
                crate::control::controllers::podgc::OUT_OF_SERVICE,
                crate::api::taint::TaintEffect::NoExecute,
                SimTime::ZERO,
            );
            Command::TaintNode { node: "pool-0".into(), add: vec![taint], remove: vec![] }
        } else {
            let target = Target { kind: "Pod".into(), name: ObjectName::new("default", "db-0") };
            let grace = Some(SimDuration::ZERO);
            Command::Delete { target, propagation: Propagation::Background, grace }
        };
        command(&mut scenario, 600, what);
        scenario
    };
    let rows = [
        ("a pod deleted by force: six minutes, then 6 s and 5 s", false, 600 + 360, 30),
        ("a node that is out of service: the pod is collected, 6 s and 5 s", true, 600, 40),
    ];
    for (sentence, taint, from, most) in rows {
        let mut scenario = tainted(taint);
        let (seen, told) = play(&mut scenario, &[599, from + most]);
        assert!(seen[0].contains(&"db-0 pool-0".to_owned()), "{sentence}: {:?}", seen[0]);
        assert_eq!(seen[1].last().unwrap(), "db-0 other-0 ready", "{sentence}");
        let told = of(&told, "db-0");
        let attached = told.iter().rfind(|text| text.contains("SuccessfulAttach")).unwrap();
        let second: u64 = attached.split(' ').next().unwrap().parse().unwrap();
        assert!(second >= from + 11 && second <= from + most, "{sentence}: {told:?}");
    }
}

#[test]
fn claims_and_volumes_go_as_they_are_told() {
    let mode = "WaitForFirstConsumer";
    let retained = class("disk", json!({"reclaimPolicy": "Retain", "volumeBindingMode": mode}));
    let used = |class: Value| vec![class, claim("data"), pod_of("app", "data")];
    type Row = (&'static str, Vec<Value>, Vec<(u64, Command)>, Vec<&'static str>);
    let rows: Vec<Row> = vec![
        (
            "a claim that is used stays until its pod is gone",
            used(late()),
            vec![(30, delete("PersistentVolumeClaim", "default", "data"))],
            vec![
                "claim data Bound",
                "volume of data Bound in a",
                "data at pool-0",
                "app pool-0 ready",
            ],
        ),
        (
            "then it goes, and its volume with it",
            used(late()),
            vec![
                (30, delete("PersistentVolumeClaim", "default", "data")),
                (40, delete("Pod", "default", "app")),
            ],
            vec![],
        ),
        (
            "which stays where the class says so",
            used(retained),
            vec![
                (30, delete("PersistentVolumeClaim", "default", "data")),
                (40, delete("Pod", "default", "app")),
            ],
            vec!["volume of data Released in a"],
        ),
        (
            "claims of a StatefulSet stay when it is deleted",
            vec![late(), stateful_set(1, json!({}))],
            vec![(60, delete("StatefulSet", "default", "db"))],
            vec!["claim data-db-0 Bound", "volume of data-db-0 Bound in a"],
        ),
        (
            "or go with it",
            vec![late(), stateful_set(1, json!({"whenDeleted": "Delete"}))],
            vec![(60, delete("StatefulSet", "default", "db"))],
            vec![],
        ),
        (
            "a namespace takes its claims along",
            vec![late(), stateful_set(1, json!({}))],
            vec![(60, delete("Namespace", "default", "default"))],
            vec![],
        ),
        (
            "an ephemeral volume comes and goes with its pod",
            vec![late(), ephemeral()],
            vec![],
            vec![
                "claim app-v Bound",
                "volume of app-v Bound in a",
                "app-v at pool-0",
                "app pool-0 ready",
            ],
        ),
        (
            "with its pod indeed",
            vec![late(), ephemeral()],
            vec![(40, delete("Pod", "default", "app"))],
            vec![],
        ),
    ];
    for (sentence, objects, commands, expected) in rows {
        let mut scenario = world(&objects);
        for (second, what) in commands {
            command(&mut scenario, second, what);
        }
        let (seen, _) = play(&mut scenario, &[140]);
        assert_eq!(seen[0], expected, "{sentence}");
    }
}

#[test]
fn nodes_take_so_many_volumes_and_no_more() {
    let mut scenario = world(&[late(), stateful_set(3, json!({}))]);
    scenario.cold_start = true;
    scenario.flags.cloud.volumes_per_node = Some(1);
    let (seen, told) = play(&mut scenario, &[120]);
    let pods = &seen[0][seen[0].len() - 3..];
    assert_eq!(pods.iter().filter(|pod| pod.ends_with("ready")).count(), 2, "{pods:?}");
    assert!(pods.contains(&"db-2 nowhere".to_owned()), "{pods:?}");
    let told = of(&told, "db-2");
    assert!(told[0].contains("2 node(s) exceed max volume count"), "{told:?}");
}

#[test]
fn a_volume_that_appears_later_is_found_at_the_resync() {
    let volume = json!({"kind": "PersistentVolume", "metadata": {"name": "nfs"}, "spec": {
        "capacity": {"storage": "1Ti"}, "accessModes": ["ReadWriteMany"],
        "nfs": {"path": "/", "server": "nfs.example"}}});
    let mut shared = claim("data");
    shared["spec"]["storageClassName"] = "".into();
    shared["spec"]["accessModes"] = json!(["ReadWriteMany"]);
    let mut scenario = world(&[shared, pod_of("one", "data"), pod_of("two", "data")]);
    scenario.cold_start = true;
    let object = object(&volume, "default", &mut Vec::new()).unwrap();
    command(&mut scenario, 31, Command::Apply { object, keeps_replicas: false });
    let (seen, told) = play(&mut scenario, &[30, 44, 60]);
    assert_eq!(seen[0], ["claim data Pending", "one nowhere", "two nowhere"]);
    assert_eq!(seen[1][1], "volume of nobody Available", "the resync is each 15 s");
    let pods: Vec<&String> = seen[2].iter().filter(|line| line.ends_with("ready")).collect();
    assert_eq!(pods.len(), 2, "both mount what nobody attaches: {:?}", seen[2]);
    let told = of(&told, "data");
    assert!(told[0].contains("no storage class is set"), "{told:?}");
}

#[test]
fn without_storage_claims_hold_nobody_back() {
    let mut scenario = world(&[stateful_set(1, json!({})), pod_of("app", "any")]);
    let (seen, _) = play(&mut scenario, &[20]);
    assert_eq!(seen[0].len(), 2);
    assert!(seen[0].iter().all(|line| line.ends_with("ready")), "{:?}", seen[0]);
}

#[test]
fn a_new_scheduler_and_new_controllers_find_the_volumes_that_are_there() {
    let mut scenario = world(&[late(), stateful_set(1, json!({}))]);
    let outage = TimelineEntry {
        at: SimTime::from_secs(60),
        until: Some(SimTime::from_secs(120)),
        what: Happening::ApiServerOutage,
    };
    scenario.timeline.push(outage);
    command(&mut scenario, 240, delete("Pod", "default", "db-0"));
    let (seen, told) = play(&mut scenario, &[59, 320]);
    assert_eq!(seen[0], seen[1], "the pod is back with its volume: {told:?}");
    assert!(seen[1].contains(&"claim data-db-0 Bound".to_owned()), "{:?}", seen[1]);
    let missing = |(_, text): &(String, String)| text.contains("not found");
    assert!(!told.iter().any(missing), "{told:?}");
}
