//! The pod autoscaler against the real one on the inputs of upstream's own unit tests.
//!
//! `conformance/podautoscaler/run` compiles a recorder into upstream's package (Kubernetes 1.37.2)
//! and runs its tests: every calculation and every sync that they cause is a line, with what was
//! read and what came of it. Each is done again here from the same inputs. `-- --nocapture` prints
//! how many there are.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "all of this is test code")]

mod targets;

use flate2::read::GzDecoder;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use serde_json::{Value, json};
use std::cell::Cell;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::sync::Arc;
use stormglass::api::autoscaling::*;
use stormglass::api::convert::autoscaling;
use stormglass::api::labels::{Labels, Selector};
use stormglass::api::pod::{Container, Pod, PodPhase, PodSpec};
use stormglass::api::workload::*;
use stormglass::api::{DeploymentId, HpaId, ObjectName, PodId, Text};
use stormglass::control::controllers::action::Action;
use stormglass::control::controllers::podautoscaler::census::Census;
use stormglass::control::controllers::podautoscaler::{
    Calculator, NoMetrics, PodAutoscaler, PodMetrics, Proposal, Sample,
};
use stormglass::control::flags::ControllerManagerFlags;
use stormglass::store::Store;
use stormglass::units::{MilliCpu, SimDuration, SimTime};

/// Long after everything that the recordings call long ago.
const NOW: SimTime = SimTime::from_secs(1_000_000);
const NAMESPACE: &str = "test-namespace";

fn lines() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/podautoscaler.ndjson.gz");
    let text = BufReader::new(GzDecoder::new(std::fs::File::open(path).unwrap()));
    text.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
}

fn flags() -> ControllerManagerFlags {
    ControllerManagerFlags {
        horizontal_pod_autoscaler_cpu_initialization_period: SimDuration::from_secs(120),
        horizontal_pod_autoscaler_initial_readiness_delay: SimDuration::from_secs(10),
        ..ControllerManagerFlags::default()
    }
}

/// Answers of the metrics APIs, by the metric that they are of.
struct Reads<'a> {
    store: &'a Store,
    by_source: Vec<(MetricSource, &'a [Value])>,
}

impl Reads<'_> {
    fn of(&self, source: &MetricSource) -> Option<&Value> {
        let found = self.by_source.iter().find(|(known, _)| known == source);
        found.and_then(|(_, reads)| reads.first())
    }

    /// What an API said in place of an answer.
    fn refused(&self, source: &MetricSource) -> Option<String> {
        let error = self.of(source)?["error"].as_str()?;
        Some(error.split_once(" API: ")?.1.to_string())
    }
}

impl PodMetrics for Reads<'_> {
    fn sample(&self, pod: PodId, source: &MetricSource) -> Option<Sample> {
        let name = self.store.pod(pod)?.name();
        let sample = self.of(source)?["pods"].get(&*name)?;
        let seconds = |field: &str| SimDuration::from_secs(sample[field].as_u64().unwrap());
        Some(Sample {
            milli: sample["milli"].as_i64()?,
            timestamp: SimTime(NOW.0.saturating_sub(seconds("age").0)),
            window: seconds("window"),
        })
    }

    fn refusal(&self, _: &str, source: &MetricSource) -> Option<String> {
        self.refused(source)
    }

    fn values(&self, _: &str, source: &MetricSource) -> Result<Vec<i64>, String> {
        match self.refused(source) {
            Some(refusal) => Err(refusal),
            None => {
                let values = self.of(source).and_then(|read| read["values"].as_array());
                Ok(values.into_iter().flatten().map(|value| value.as_i64().unwrap()).collect())
            }
        }
    }
}

fn instant(ago: &Value) -> SimTime {
    match ago.as_i64() {
        Some(seconds) => SimTime::from_secs((1_000_000 - seconds) as u64),
        None if ago.is_null() => SimTime::NEVER,
        None => SimTime::ZERO,
    }
}

fn container(given: &Value) -> Container {
    let mut container =
        Container { name: given["name"].as_str().unwrap().into(), ..Container::default() };
    container.sidecar = given["sidecar"] == true;
    let cpu = given["cpu"].as_i64();
    container.requests.cpu = MilliCpu(cpu.unwrap_or(0));
    container.explicit_zero.cpu = cpu == Some(0);
    container
}

fn pod(given: &Value) -> Pod {
    let all = given["containers"].as_array().unwrap().iter().map(container);
    let (init_containers, containers) = all.partition(|container| container.sidecar);
    let spec = PodSpec { containers, init_containers, ..PodSpec::default() };
    let mut pod = Pod::pending(
        NAMESPACE.into(),
        given["name"].as_str().unwrap().into(),
        Labels::from([("name", "test-pod")]),
        Arc::new(spec),
        SimTime::ZERO,
    );
    pod.phase = match given["phase"].as_str().unwrap() {
        "Pending" => PodPhase::Pending,
        "Failed" => PodPhase::Failed,
        _ => PodPhase::Running,
    };
    // Without the condition a pod counts as one that has not started.
    let has_condition = !given["ready"].is_null();
    pod.started = if has_condition { instant(&given["started_ago"]) } else { SimTime::NEVER };
    pod.ready = given["ready"] == "True";
    pod.ready_changed = instant(&given["changed_ago"]);
    pod
}

fn target(replicas: u32, counted: u32) -> Deployment {
    let labels = Labels::from([("name", "test-pod")]);
    let status = WorkloadStatus { replicas: counted, ..WorkloadStatus::default() };
    Deployment { status, ..targets::deployment(NAMESPACE, "test", labels, replicas) }
}

fn number(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap()).unwrap()
}

/// The objects of a line.
fn store(line: &Value, replicas: u32, counted: u32) -> (Store, DeploymentId) {
    let mut store = Store::default();
    let id = store.create_deployment(target(replicas, counted));
    for given in line["pods"].as_array().unwrap() {
        let pod = store.create_pod(pod(given));
        if given["deleted"] == true {
            store.mark_pod_deleted(pod, NOW);
        }
    }
    (store, id)
}

/// What a recorded calculation was asked for.
fn asked(line: &Value) -> MetricSpec {
    let target = line["target"].as_i64().unwrap();
    let id = MetricId {
        name: line["metric"].as_str().unwrap_or_default().into(),
        selector: Some(Selector::All(Vec::new())),
    };
    let object = || {
        let of = |field: &str| Text::from(line["reads"][0]["object"][field].as_str().unwrap_or(""));
        let (api_version, kind, name) = (of("apiVersion"), of("kind"), of("name"));
        Box::new(DescribedObject { api_version, kind, name })
    };
    let (value, average) = (MetricTarget::Value(target), MetricTarget::AverageValue(target));
    let (source, target) = match line["call"].as_str().unwrap() {
        "GetResourceReplicas" => {
            let source = match line["container"].as_str() {
                Some(name) => MetricSource::ContainerResource(Measured::Cpu, name.into()),
                None => MetricSource::CPU,
            };
            (source, MetricTarget::Utilization(u32::try_from(target).unwrap()))
        }
        "GetMetricReplicas" => (MetricSource::Pods(id), average),
        "GetObjectMetricReplicas" => (MetricSource::Object(object(), id), value),
        "GetObjectPerPodMetricReplicas" => (MetricSource::Object(object(), id), average),
        "GetExternalMetricReplicas" => (MetricSource::External(id), value),
        _ => (MetricSource::External(id), average),
    };
    MetricSpec { source, target }
}

/// Errors that can't be had here: samples of pods that are not there, and a metrics-server that
/// does not answer.
const ELSEWHERE: [&str; 3] = [
    "no pods returned by selector while calculating replica count",
    "no metrics returned matched known pods",
    "unable to fetch metrics from resource metrics API: something went wrong",
];

fn is_elsewhere(error: &str) -> bool {
    ELSEWHERE.iter().any(|text| error == *text || error.ends_with(&format!(": {text}")))
}

#[test]
fn calculations_come_to_what_the_real_calculator_comes_to() {
    let (mut done, mut left) = (0, 0);
    for line in lines().iter().filter(|line| line["kind"] == "calculation") {
        let recorded = line["error"].as_str();
        if recorded.is_some_and(is_elsewhere) {
            left += 1;
            continue;
        }
        let current = number(&line["current"]);
        let (store, id) = store(line, current, current);
        let metric = asked(line);
        let milli = |field: &str| Some((line[field].as_f64().unwrap() * 1000.0).round() as u32);
        let mut hpa = Hpa::on_cpu(&ObjectName::new(NAMESPACE, "test-hpa"), 50);
        hpa.scale_up.tolerance_milli = milli("up");
        hpa.scale_down.tolerance_milli = milli("down");
        let reads = line["reads"].as_array().unwrap();
        let calculator = Calculator {
            flags: &flags(),
            store: &store,
            metrics: &Reads { store: &store, by_source: vec![(metric.source.clone(), reads)] },
            target: ScaleTarget::Deployment(id),
            census: &Census::default(),
            namespace: NAMESPACE,
            selector: &store.deployment(id).unwrap().selector,
            counted: current,
            now: NOW,
            turns: Cell::new(SimTime::NEVER),
        };
        let ours = calculator.propose(&hpa, current, &metric);
        let expected = match recorded {
            None => Ok(Proposal { replicas: number(&line["replicas"]) }),
            Some(error) if metric.source.resource().is_some() => {
                Err(NoMetrics(format!("failed to get cpu utilization: {error}")))
            }
            Some(error) => Err(NoMetrics(error.to_string())),
        };
        assert_eq!(ours, expected, "{line}");
        done += 1;
    }
    println!("{done} calculations agree, {left} are of what can't be here");
    assert_eq!((done, left), (138, 3));
}

/// The autoscaler of a line; `None`: no API server would accept it, or its target has a selector
/// that none has here.
fn hpa(line: &Value, target: DeploymentId) -> Option<Hpa> {
    if line["scale"]["selector"] != "name=test-pod" {
        return None;
    }
    let metadata = json!({"name": "test-hpa", "namespace": NAMESPACE});
    let given = json!({"metadata": metadata, "spec": line["spec"]});
    let given: HorizontalPodAutoscaler = serde_json::from_value(given).ok()?;
    let mut errors = Vec::new();
    let (hpa, _) = autoscaling::hpa(&given, NAMESPACE, &mut errors);
    // Upstream's tests scale to zero with other metrics, too: what comes of that is compared.
    errors.retain(|error| error.path != "spec.minReplicas");
    if !errors.is_empty() {
        return None;
    }
    Some(Hpa {
        target: ScaleTarget::Deployment(target),
        current_replicas: number(&line["scale"]["spec"]),
        desired_replicas: number(&line["desired"]),
        conditions: line["conditions"].as_array().unwrap().iter().map(condition).collect(),
        ..hpa
    })
}

fn condition(given: &Value) -> Condition {
    let kinds = [ABLE_TO_SCALE, SCALING_ACTIVE, SCALING_LIMITED, SCALED_TO_ZERO];
    let is_true = given["status"] == "True";
    Condition {
        kind: kinds.into_iter().find(|kind| given["type"] == *kind).unwrap(),
        status: if is_true { ConditionStatus::True } else { ConditionStatus::False },
        reason: ["ScaledToZero", "NotScaledToZero"]
            .into_iter()
            .find(|r| given["reason"] == *r)
            .unwrap_or_default(),
        message: given["message"].as_str().unwrap().into(),
        updated: SimTime::ZERO,
        transition: SimTime::ZERO,
    }
}

/// What a sync says and does, as the recordings have it.
fn synced(line: &Value, hpa: Hpa, mut store: Store) -> Value {
    let id: HpaId = store.create_hpa(hpa.clone());
    let mut flags = flags();
    flags.feature_gates.hpa_scale_to_zero = line["scale_to_zero"] == true;
    if line["is_first"] == false {
        // The replicas that it finds at its first sync count as a recommendation, but not for long.
        flags.horizontal_pod_autoscaler_downscale_stabilization = SimDuration::ZERO;
    }
    let reads = line["reads"].as_array().unwrap();
    // Metrics that were not calculated were not read.
    let sources = hpa
        .metrics
        .iter()
        .zip(reads)
        .map(|(metric, reads)| (metric.source.clone(), reads.as_array().unwrap().as_slice()));
    let metrics = Reads { store: &store, by_source: sources.collect() };
    let mut controller = PodAutoscaler::new(&flags);
    let outcome = controller.sync(id, &store, &metrics, NOW);
    let mut desired = hpa.desired_replicas;
    let mut events = Vec::new();
    for action in outcome.batches.into_iter().flatten() {
        match action {
            Action::HpaStatus { desired: written, .. } => desired = written,
            Action::Event { kind, reason, message, .. } => {
                events.push(json!([format!("{kind:?}"), reason, message]));
            }
            _ => {}
        }
    }
    let conditions = controller.take_conditions(id).unwrap_or(hpa.conditions);
    let conditions = conditions.iter().map(|c| {
        let status = format!("{:?}", c.status);
        json!({"type": c.kind, "status": status, "reason": c.reason, "message": &*c.message})
    });
    json!({"desired": desired, "conditions": conditions.collect::<Vec<_>>(), "events": events})
}

#[test]
fn syncs_decide_say_and_tell_what_the_real_controller_does() {
    let (mut done, mut refused, mut different) = (0, 0, Vec::new());
    for line in lines().iter().filter(|line| line["kind"] == "sync") {
        let (replicas, counted) =
            (number(&line["scale"]["spec"]), number(&line["scale"]["status"]));
        let (store, target) = store(line, replicas, counted);
        let others = line["then"]["events"].as_array().unwrap();
        // Of other autoscalers nothing is recorded.
        let can_be = |event: &Value| {
            let is_other = event[1] == "AmbiguousSelector" || event[1] == "FailedRescale";
            !is_other && !is_elsewhere(event[2].as_str().unwrap())
        };
        // Locked on in 1.37: HPAConfigurableTolerance.
        let is_gated = line["test"].as_str().unwrap().ends_with("feature_gate_is_disabled");
        let can_be = others.iter().all(can_be) && !is_gated;
        let Some(hpa) = hpa(line, target).filter(|_| can_be) else {
            println!("can't be here: {}", line["test"]);
            refused += 1;
            continue;
        };
        done += 1;
        let ours = synced(line, hpa, store);
        let mut theirs = line["then"].clone();
        // Its status is written last: what it says when it can't calculate is not awaited there.
        for condition in theirs["conditions"].as_array_mut().unwrap() {
            condition.as_object_mut().unwrap().retain(|key, _| key != "lastTransitionTime");
        }
        if ours != theirs {
            different.push(format!("{}\n  ours   {ours}\n  theirs {theirs}", line["test"]));
        }
    }
    println!("{done} syncs, {} differ; {refused} of objects that can't be here", different.len());
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert_eq!((done, refused), (81, 14));
}
