//! Commands that the API server refuses, in small worlds run to their end.

use crate::api::ObjectName;
use crate::api::convert::object::object;
use crate::api::meta::Propagation;
use crate::api::namespace::NamespacePhase;
use crate::api::object::Target;
use crate::api::refusal::Refusal;
use crate::record::Sink;
use crate::record::rows::EventRow;
use crate::scenario::curve::Curve;
use crate::scenario::kubectl::Command;
use crate::scenario::model::{Happening, Scenario, TimelineEntry};
use crate::store::{Change, Store};
use crate::units::{SimDuration, SimTime};
use crate::world::tests::scenario;
use crate::world::{Audience, run_before};
use serde_json::{Value, json};

/// Hears of everything.
#[derive(Default)]
struct Ear {
    /// What refused commands were told.
    refusals: Vec<String>,
    /// When which number of pods was there, each time that it changed.
    pods: Vec<(u64, usize)>,
    /// Second and conditions of the Deployment `web`, `type:message`, each time they changed.
    failures: Vec<(u64, String)>,
    /// When the namespace was gone.
    gone: Option<SimTime>,
    /// What was left then.
    left: usize,
    /// Events about CronJobs.
    told: Vec<String>,
    /// CPU that the pods request and may have.
    cpu: Vec<(i64, Option<i64>)>,
}

impl Audience for Ear {
    fn sees(&mut self, now: SimTime, change: &Change, store: &Store) {
        let second = now.whole_secs();
        match change {
            Change::PodCreated(id) => {
                if let Some(pod) = store.pod(*id) {
                    let container = &pod.spec.containers[0];
                    self.cpu.push((container.requests.cpu.0, container.cpu_limit.map(|c| c.0)));
                }
                self.pods.push((second, store.pod_count()));
            }
            Change::PodRemoved(..) => self.pods.push((second, store.pod_count())),
            Change::Deployment(id) => {
                let Some(deployment) = store.deployment(*id) else { return };
                let failure = deployment.conditions.iter().find(|c| c.kind == "ReplicaFailure");
                let told = failure.map_or(String::new(), |c| c.message.to_string());
                if self.failures.last().is_none_or(|(_, last)| *last != told) {
                    self.failures.push((second, told));
                }
            }
            Change::Namespace(id) => {
                let phase = store.namespace(*id).map(|namespace| namespace.phase);
                if phase == Some(NamespacePhase::Gone) {
                    self.gone = Some(now);
                    self.left =
                        store.pod_count() + store.deployments().count() + store.services().count();
                }
            }
            _ => {}
        }
    }

    fn answered(&mut self, _now: SimTime, _command: &Command, refusal: Option<&Refusal>) {
        self.refusals.extend(refusal.map(|refusal| refusal.message.clone()));
    }
}

/// Keeps what controllers tell of Jobs.
#[derive(Default)]
struct Told(Vec<String>);

impl Sink for Told {
    fn event(&mut self, row: &EventRow) {
        if row.object_kind == "CronJob" {
            self.0.push(format!("{}: {}", row.reason, row.message));
        }
    }
}

fn apply(given: Value) -> Command {
    let object = object(&given, "default", &mut Vec::new()).unwrap();
    Command::Apply { object, keeps_replicas: false }
}

fn delete(kind: &str, name: &str) -> Command {
    let target = Target { kind: kind.into(), name: ObjectName::new("default", name) };
    Command::Delete { target, propagation: Propagation::Background, grace: None }
}

/// A world with `replicas` pods and four idle nodes in which these commands are given.
fn play(replicas: u32, commands: Vec<(u64, Command)>) -> Ear {
    play_with(Vec::new(), replicas, commands)
}

/// The same, where these objects are there from the start.
fn play_with(applied: Vec<Command>, replicas: u32, commands: Vec<(u64, Command)>) -> Ear {
    let mut scenario: Scenario = scenario(replicas, 4, Curve::Constant(0.0));
    scenario.duration = SimDuration::from_secs(200);
    for command in applied {
        let Command::Apply { object, .. } = command else { continue };
        scenario.objects.applied.push(object);
    }
    for (second, command) in commands {
        scenario.timeline.push(TimelineEntry {
            at: SimTime::from_secs(second),
            until: None,
            what: Happening::Kubectl(Box::new(command)),
        });
    }
    let (mut ear, mut told) = (Ear::default(), Told::default());
    run_before(&scenario, 1, &mut told, &mut ear).unwrap();
    Ear { told: told.0, ..ear }
}

fn quota(hard: Value) -> Command {
    apply(json!({"kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": hard}}))
}

fn pod(name: &str, resources: Value) -> Command {
    apply(json!({"kind": "Pod", "metadata": {"name": name},
        "spec": {"containers": [{"name": "c", "image": "web:1", "resources": resources}]}}))
}

#[test]
fn a_namespace_is_emptied_and_takes_nothing_meanwhile() {
    let late = pod("late", json!({"requests": {"cpu": "1m"}}));
    let ear = play(8, vec![(20, delete("Namespace", "default")), (22, late.clone()), (150, late)]);
    let terminating = "pods \"late\" is forbidden: unable to create new content in namespace \
                       default because it is being terminated";
    assert_eq!(ear.refusals, [terminating, "namespaces \"default\" not found"]);
    let first = ear.pods.first().copied().unwrap();
    assert!(first.0 >= 25 && first.1 < 8, "pods stay for five seconds: {first:?}");
    assert_eq!(ear.pods.last().unwrap().1, 0, "nobody makes new ones: {:?}", ear.pods);
    let gone = ear.gone.unwrap();
    assert!(gone > SimTime::from_secs(25), "{gone:?}");
    assert_eq!(ear.left, 0, "nothing is left");
}

#[test]
fn refused_pods_are_asked_for_again_when_there_is_room() {
    let scaled = Command::Scale {
        target: Target { kind: "Deployment".into(), name: ObjectName::new("default", "web") },
        replicas: 5,
    };
    let ear = play(
        2,
        vec![(10, quota(json!({"pods": "3"}))), (20, scaled), (30, quota(json!({"pods": "9"})))],
    );
    let told: Vec<bool> = ear.failures.iter().map(|(_, told)| !told.is_empty()).collect();
    assert_eq!(told, [false, true, false], "a condition comes and goes: {:?}", ear.failures);
    let failure = &ear.failures[1].1;
    let text = "is forbidden: exceeded quota: q, requested: pods=1, used: pods=3, limited: pods=3";
    assert!(failure.starts_with("pods \"web-abc-") && failure.ends_with(text), "{failure}");
    assert_eq!(ear.pods.last().unwrap().1, 5);
    let late = ear.pods.last().unwrap().0;
    assert!((30..120).contains(&late), "with the queue's back-off: at {late} s");
}

#[test]
fn objects_are_counted_and_refused_by_their_names() {
    let service = |name: &str| {
        apply(json!({"kind": "Service", "metadata": {"name": name}, "spec": {"ports": []}}))
    };
    let ear = play(
        1,
        vec![
            (10, quota(json!({"services": "2", "limits.memory": "1Gi"}))),
            (20, service("a")),
            (21, service("b")),
            (22, pod("c", json!({"requests": {"cpu": "1"}}))),
            (23, delete("Service", "a")),
            (30, service("b")),
        ],
    );
    let expected = [
        "services \"b\" is forbidden: exceeded quota: q, requested: services=1, used: services=2, \
         limited: services=2",
        "pods \"c\" is forbidden: failed quota: q: must specify limits.memory for: c",
    ];
    assert_eq!(ear.refusals, expected);
}

#[test]
fn claims_are_charged_what_they_ask_for() {
    let class = |name: &str, default: &str| {
        let annotations = json!({"storageclass.kubernetes.io/is-default-class": default});
        apply(json!({"kind": "StorageClass", "provisioner": "disk.example",
            "metadata": {"name": name, "annotations": annotations}, "allowVolumeExpansion": true}))
    };
    let claim = |name: &str, class: Option<&str>, size: &str| {
        apply(json!({"kind": "PersistentVolumeClaim", "metadata": {"name": name}, "spec": {
            "storageClassName": class, "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": size}}}}))
    };
    let hard = json!({"requests.storage": "20Gi", "persistentvolumeclaims": "5",
        "gold.storageclass.storage.k8s.io/requests.storage": "8Gi",
        "tin.storageclass.storage.k8s.io/persistentvolumeclaims": "1"});
    let ear = play_with(
        vec![class("gold", "true"), class("tin", "false"), quota(hard)],
        1,
        vec![
            (20, claim("a", None, "6Gi")),
            (21, claim("b", None, "3Gi")),
            (22, claim("c", Some("tin"), "10Gi")),
            (23, claim("d", Some("tin"), "1Gi")),
            (24, claim("e", Some("none"), "5Gi")),
            (25, claim("a", None, "7Gi")),
            (26, claim("a", None, "9Gi")),
            (40, delete("PersistentVolumeClaim", "c")),
            (60, claim("e", Some("none"), "5Gi")),
        ],
    );
    let gold = "gold.storageclass.storage.k8s.io/requests.storage";
    let tin = "tin.storageclass.storage.k8s.io/persistentvolumeclaims";
    let expected = [
        format!("\"b\" is forbidden: exceeded quota: q, requested: {gold}=3Gi, used: {gold}=6Gi, limited: {gold}=8Gi"),
        format!("\"d\" is forbidden: exceeded quota: q, requested: {tin}=1, used: {tin}=1, limited: {tin}=1"),
        "\"e\" is forbidden: exceeded quota: q, requested: requests.storage=5Gi, used: requests.storage=16Gi, limited: requests.storage=20Gi".to_owned(),
        format!("\"a\" is forbidden: exceeded quota: q, requested: {gold}=2Gi, used: {gold}=7Gi, limited: {gold}=8Gi"),
    ]
    .map(|text| format!("persistentvolumeclaims {text}"));
    assert_eq!(ear.refusals, expected, "and what is deleted makes room for e");
}

#[test]
fn limits_reach_the_pods_that_controllers_make() {
    let limits = apply(json!({"kind": "LimitRange", "metadata": {"name": "l"}, "spec": {
        "limits": [{"type": "Container", "default": {"cpu": "500m"}, "max": {"cpu": "2"}}]}}));
    let ear = play(
        1,
        vec![
            (10, limits),
            (20, pod("plain", json!({}))),
            (21, pod("big", json!({"limits": {"cpu": "3"}}))),
        ],
    );
    assert_eq!(ear.cpu, [(500, Some(500))], "the pods from before are as they were");
    let expected =
        "pods \"big\" is forbidden: maximum cpu usage per Container is 2, but limit is 3";
    assert_eq!(ear.refusals, [expected]);
}

#[test]
fn limits_that_are_there_from_the_start_bind_what_has_settled() {
    let range = apply(json!({"kind": "LimitRange", "metadata": {"name": "l"}, "spec": {
        "limits": [{"type": "Container", "default": {"ephemeral-storage": "1Gi"}}]}}));
    let few = quota(json!({"pods": "3", "count/replicasets.apps": "1"}));
    let more = quota(json!({"pods": "9", "count/replicasets.apps": "1"}));
    let ear = play_with(vec![range, few], 5, vec![(30, more)]);
    let (at, told) = &ear.failures[0];
    assert!(*at < 5 && told.contains("exceeded quota: q, requested: pods=1"), "{at} {told}");
    assert_eq!(ear.failures.last().unwrap().1, "", "it goes when there is room");
    let numbers: Vec<usize> = ear.pods.iter().map(|(_, number)| *number).collect();
    assert_eq!(numbers, [4, 5], "three were there before");
    assert!(ear.pods[0].0 >= 30, "{:?}", ear.pods);
}

#[test]
fn a_job_that_is_refused_is_told_and_tried_again() {
    let cron = apply(json!({"kind": "CronJob", "metadata": {"name": "c"}, "spec": {
        "schedule": "* * * * *",
        "jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Never",
            "containers": [{"name": "c", "image": "web:1"}]}}}}}}));
    let few = quota(json!({"count/jobs.batch": "0"}));
    let more = quota(json!({"count/jobs.batch": "1"}));
    let ear = play_with(vec![few], 1, vec![(1, cron), (70, more)]);
    let text = "is forbidden: exceeded quota: q, requested: count/jobs.batch=1, \
                used: count/jobs.batch=0, limited: count/jobs.batch=0";
    assert!(ear.told[0].starts_with("FailedCreate: Error creating job: jobs.batch \"c-"));
    assert!(ear.told[0].ends_with(text), "{:?}", ear.told);
    let made = ear.told.iter().filter(|told| told.starts_with("SuccessfulCreate")).count();
    assert_eq!(made, 1, "as many as there is room for: {:?}", ear.told);
}
