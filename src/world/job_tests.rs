//! Jobs in small worlds in which things go wrong: they complete, exactly, whatever happens to their
//! pods. The invariants are checked after every event.

use super::run::{Audience, run_before};
use super::tests::{Keep, scenario};
use crate::api::ObjectName;
use crate::api::convert::object::object;
use crate::api::job::JobStatus;
use crate::api::labels::{Labels, Selector};
use crate::api::meta::Propagation;
use crate::api::object::Target;
use crate::scenario::curve::Curve;
use crate::scenario::kubectl::{Command, PodChoice, PodCommand};
use crate::scenario::model::{Happening, NodeSelection, Scenario, TimelineEntry};
use crate::store::{Change, Store};
use crate::units::{SimDuration, SimTime};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What Jobs came to, by name, and the pods that are left with a finalizer.
#[derive(Default)]
struct Watch {
    jobs: BTreeMap<String, JobStatus>,
    tracked: usize,
}

impl Audience for Watch {
    fn sees(&mut self, _: SimTime, change: &Change, store: &Store) {
        if let Change::Owner(id) = change
            && let Some(job) = store.job(*id)
        {
            self.jobs.insert(job.meta.name.to_string(), job.status.clone());
        }
        self.tracked = store.pods().filter(|(_, pod)| pod.is_tracked()).count();
    }
}

fn at(second: u64, until: Option<u64>, what: Happening) -> TimelineEntry {
    let until = until.map(SimTime::from_secs);
    TimelineEntry { at: SimTime::from_secs(second), until, what }
}

fn kubectl(second: u64, command: Command) -> TimelineEntry {
    at(second, None, Happening::Kubectl(Box::new(command)))
}

fn apply(second: u64, manifest: &Value) -> TimelineEntry {
    let mut errors = Vec::new();
    let object = object(manifest, "default", &mut errors).unwrap();
    assert!(errors.is_empty(), "{errors:?}");
    kubectl(second, Command::Apply { object, keeps_replicas: false })
}

/// Two of a Job's pods, by age.
fn pods(second: u64, job: &str, what: PodCommand) -> TimelineEntry {
    let which = PodChoice {
        namespace: "default".into(),
        selector: Selector::from_labels(&Labels::from([("app", job)])),
        name: None,
        by_age: true,
        places: Some(vec![4, 6]),
    };
    kubectl(second, Command::Pods { which, what })
}

fn manifest(name: &str, run_ms: &str, spec: &Value) -> Value {
    let mut job = json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
        "spec": {"template": {
            "metadata": {"labels": {"app": name}, "annotations": {"stormglass/run-ms": run_ms}},
            "spec": {"restartPolicy": "Never", "containers": [{
                "name": "c", "image": "batch:1", "resources": {"requests": {"cpu": "500m"}},
            }]},
        }},
    });
    let fields = spec.as_object().unwrap().clone();
    job["spec"].as_object_mut().unwrap().extend(fields);
    job
}

/// Six nodes of which one crashes, one is drained and one is deleted; pods are deleted by hand.
fn trouble(name: &str, jobs: &[Value]) -> Scenario {
    let mut scenario = scenario(1, 6, Curve::Constant(0.0));
    (scenario.duration, scenario.cold_start) = (SimDuration::from_secs(7200), true);
    scenario.timeline = jobs.iter().map(|job| apply(100, job)).collect();
    let one = NodeSelection { group: None, zone: None, count: Some(1) };
    scenario.timeline.extend([
        pods(150, name, PodCommand::Delete(None)),
        pods(170, name, PodCommand::Delete(Some(SimDuration::ZERO))),
        at(180, Some(900), Happening::NodeCrash(one)),
        pods(190, name, PodCommand::Evict),
        kubectl(220, Command::Drain { nodes: vec!["pool-2".into()] }),
        kubectl(260, Command::DeleteNode { node: "pool-3".into() }),
        kubectl(300, Command::Cordon { node: "pool-2".into(), on: false }),
    ]);
    scenario
}

fn run(scenario: &Scenario, seed: u64) -> (Watch, Keep) {
    let (mut watch, mut keep) = (Watch::default(), Keep::default());
    run_before(scenario, seed, &mut keep, &mut watch).unwrap();
    (watch, keep)
}

#[test]
fn jobs_complete_exactly_whatever_happens_to_their_pods() {
    let many = json!({"parallelism": 12, "completions": 40, "backoffLimit": 1000});
    let with = |more: Value| {
        let mut spec = many.clone();
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        spec
    };
    let disrupted = json!({"rules": [
        {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
    ]});
    let indexed = json!({"completionMode": "Indexed"});
    let limited = json!({"completionMode": "Indexed", "backoffLimitPerIndex": 50});
    let rows = [
        ("by number", with(json!({})), "", true),
        ("replaced when ended", with(json!({"podReplacementPolicy": "Failed"})), "", true),
        ("by index", with(indexed), "0-39", true),
        ("by index, each with a limit", with(limited), "0-39", true),
        ("disruptions don't count", with(json!({"podFailurePolicy": disrupted})), "", false),
    ];
    for (sentence, spec, indexes, loses) in rows {
        for seed in 1..=3 {
            let scenario = trouble("batch", &[manifest("batch", "60000", &spec)]);
            let (watch, _) = run(&scenario, seed);
            let status = &watch.jobs["batch"];
            let ended = status.finished().map(|condition| condition.kind);
            assert_eq!(ended, Some("Complete"), "{sentence}, seed {seed}: {status:?}");
            assert_eq!(status.succeeded, 40, "{sentence}, seed {seed}");
            assert_eq!(&*status.completed_indexes, indexes, "{sentence}, seed {seed}");
            assert_eq!(status.failed > 0, loses, "{sentence}, seed {seed}: {}", status.failed);
            assert_eq!(watch.tracked, 0, "{sentence}, seed {seed}: finalizers are left");
        }
    }
}

#[test]
fn a_job_that_is_deleted_leaves_no_pods() {
    for propagation in [Propagation::Background, Propagation::Foreground, Propagation::Orphan] {
        let spec = json!({"parallelism": 12, "completions": 40});
        let mut scenario = trouble("batch", &[manifest("batch", "600000", &spec)]);
        let target = Target { kind: "Job".into(), name: ObjectName::new("default", "batch") };
        scenario.timeline.push(kubectl(400, Command::Delete { target, propagation, grace: None }));
        let (watch, keep) = run(&scenario, 1);
        assert_eq!(watch.tracked, 0, "{propagation:?}: finalizers are left");
        let mine = keep.pods.iter().filter(|pod| pod.name.starts_with("batch-"));
        let left = mine.filter(|pod| pod.gone.is_none()).count();
        let stay = propagation == Propagation::Orphan;
        assert_eq!(left > 0, stay, "{propagation:?}: {left} pods are left");
    }
}

#[test]
fn a_cron_job_makes_a_job_each_quarter() {
    let job = manifest("report", "30000", &json!({"ttlSecondsAfterFinished": 600}));
    let cron = json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "report"},
        "spec": {
            "schedule": "*/15 * * * *", "timeZone": "Asia/Kathmandu",
            "jobTemplate": {"spec": job["spec"]},
        },
    });
    let (watch, keep) = run(&trouble("report", &[cron]), 1);
    // 2026-01-01 from midnight (UTC) to two o'clock, when it is a quarter to eight there.
    let first = 1_767_225_600 / 60 + 15;
    let names: Vec<String> = (0..7).map(|n| format!("report-{}", first + 15 * n)).collect();
    assert_eq!(watch.jobs.keys().cloned().collect::<Vec<_>>(), names);
    let complete = |status: &&JobStatus| status.finished().is_some_and(|c| c.kind == "Complete");
    assert_eq!(watch.jobs.values().filter(complete).count(), 7);
    let made = keep.pods.iter().filter(|pod| pod.name.starts_with("report-"));
    let gone = made.filter(|pod| pod.gone.is_some()).count();
    assert_eq!(gone, 7, "Jobs and their pods go ten minutes after their end");
}

#[test]
fn runs_with_jobs_repeat() {
    let spec = json!({"parallelism": 12, "completions": 40, "completionMode": "Indexed"});
    let scenario = trouble("batch", &[manifest("batch", "60000", &spec)]);
    let hash = |seed| {
        let (mut watch, mut keep) = (Watch::default(), Keep::default());
        run_before(&scenario, seed, &mut keep, &mut watch).unwrap().event_log_hash
    };
    assert_eq!(hash(7), hash(7));
    assert_ne!(hash(7), hash(8), "another seed is another run");
}
