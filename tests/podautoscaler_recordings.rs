//! The pod autoscaler against recorded syncs of the real one (Kubernetes 1.37.2).
//!
//! Each read of the metrics API in a recording is a sync: it is given the pods, the replicas and the
//! samples as recorded, keeps its own memory from sync to sync, and must come to the recorded
//! `desiredReplicas` and Event. `cargo test --test podautoscaler_recordings -- --nocapture` prints
//! the agreement.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "all of this is test code")]

mod targets;
mod timelines;

use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use stormglass::api::autoscaling::*;
use stormglass::api::labels::Labels;
use stormglass::api::pod::{Container, Pod, PodPhase, PodSpec};
use stormglass::api::{DeploymentId, HpaId, PodId};
use stormglass::control::controllers::action::Action;
use stormglass::control::controllers::podautoscaler::{PodAutoscaler, PodMetrics, Sample};
use stormglass::control::flags::ControllerManagerFlags;
use stormglass::store::Store;
use stormglass::units::{MilliCpu, SimDuration, SimTime};
use targets::deployment;
use timelines::Timeline;

struct Replay<'a> {
    timeline: &'a Timeline,
    store: Store,
    pods: BTreeMap<String, PodId>,
    deployments: BTreeMap<String, DeploymentId>,
    hpas: BTreeMap<String, HpaId>,
    controller: PodAutoscaler,
    /// Rescales that ours said and the recording has not yet.
    said: BTreeMap<String, Vec<String>>,
    /// Conditions that were recorded last.
    told: BTreeMap<String, Value>,
    /// Syncs whose conditions were compared.
    conditions: usize,
    syncs: usize,
    differences: Vec<String>,
}

struct Read {
    milli: BTreeMap<PodId, i64>,
    timestamp: SimTime,
}

impl PodMetrics for Read {
    fn sample(&self, pod: PodId, _: &MetricSource) -> Option<Sample> {
        let (timestamp, window) = (self.timestamp, SimDuration::from_secs(15));
        self.milli.get(&pod).map(|milli| Sample { milli: *milli, timestamp, window })
    }
}

impl Replay<'_> {
    fn line(&mut self, line: &Value, rest: &[Value]) {
        let name = line["name"].as_str().unwrap_or_default();
        match (line["watch"].as_str().unwrap(), line["kind"].as_str()) {
            ("METRIC", _) => self.metric(line, rest),
            ("DELETED", Some("Pod")) => {
                if let Some(id) = self.pods.remove(name) {
                    self.store.remove_pod(id);
                }
            }
            (_, Some("Pod")) => self.pod(name, line),
            (_, Some("Deployment")) => self.deployment(name, line),
            (_, Some("HorizontalPodAutoscaler")) => self.hpa(name, line),
            (_, Some("Event")) if line["reason"] == "SuccessfulRescale" => self.rescaled(line),
            _ => {}
        }
    }

    fn deployment(&mut self, name: &str, line: &Value) {
        if let Some(replicas) = line["spec"]["replicas"].as_u64() {
            let replicas = replicas as u32;
            match self.deployments.get(name) {
                Some(id) => self.store.scale_deployment(*id, replicas),
                None => {
                    let id = self.store.create_deployment(deployment(
                        "demo",
                        name,
                        Labels::from([("app", name)]),
                        replicas,
                    ));
                    self.deployments.insert(name.to_string(), id);
                }
            }
        }
    }

    fn pod(&mut self, name: &str, line: &Value) {
        let id = *self.pods.entry(name.to_string()).or_insert_with(|| {
            let pod = new_pod(name, line, self.timeline);
            self.store.create_pod(pod)
        });
        let status = &line["status"];
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.iter().find(|c| c["type"] == "Ready");
        let timeline = self.timeline;
        self.store.update_pod(id, |pod| {
            pod.phase = match status["phase"].as_str() {
                Some("Running") => PodPhase::Running,
                Some("Succeeded") => PodPhase::Succeeded,
                Some("Failed") => PodPhase::Failed,
                _ => PodPhase::Pending,
            };
            if let Some(start) = status["startTime"].as_i64() {
                pod.started = timeline.stamp(start);
            }
            if let Some(ready) = ready {
                pod.ready = ready["status"] == "True";
                pod.ready_changed = timeline.stamp(ready["lastTransitionTime"].as_i64().unwrap());
            }
            true
        });
        if !line["deletion"].is_null() {
            self.store.mark_pod_deleted(id, SimTime::ZERO);
        }
    }

    fn hpa(&mut self, name: &str, line: &Value) {
        if line["spec"].is_null() {
            self.disabled(name, line);
            return;
        }
        let target = line["spec"]["scaleTargetRef"]["name"].as_str().unwrap();
        let Some(target) = self.deployments.get(target) else { return };
        let hpa = hpa(name, *target, &line["spec"]);
        match self.hpas.get(name).copied() {
            None => {
                let id = self.store.create_hpa(hpa);
                self.hpas.insert(name.to_string(), id);
            }
            Some(id) => {
                self.store.update_hpa(id, |old| {
                    *old = Hpa {
                        current_replicas: old.current_replicas,
                        desired_replicas: old.desired_replicas,
                        conditions: old.conditions.clone(),
                        ..hpa
                    };
                    true
                });
                self.limits_changed(name, id, line);
            }
        }
    }

    /// At zero replicas a sync reads no metrics: only its status shows it.
    fn disabled(&mut self, name: &str, line: &Value) {
        let Some(id) = self.hpas.get(name).copied() else { return };
        let target = self.store.hpa(id).unwrap().target;
        let at_zero = self.store.scale_of(target).unwrap().replicas == 0;
        if at_zero && line["status"]["desiredReplicas"] == 0 {
            let now = self.timeline.instant(line["t"].as_i64().unwrap());
            self.syncs += 1;
            self.sync(name, id, &Read { milli: BTreeMap::new(), timestamp: now }, now);
            assert_eq!(self.store.hpa(id).unwrap().desired_replicas, 0);
        }
    }

    /// A change of limits that the replicas violate is a sync at once, without metrics.
    fn limits_changed(&mut self, name: &str, id: HpaId, line: &Value) {
        let hpa = self.store.hpa(id).unwrap();
        let replicas = self.store.scale_of(hpa.target).unwrap().replicas;
        if !(hpa.min_replicas..=hpa.max_replicas).contains(&replicas) {
            let now = self.timeline.instant(line["t"].as_i64().unwrap());
            self.syncs += 1;
            self.sync(name, id, &Read { milli: BTreeMap::new(), timestamp: now }, now);
        }
    }

    /// A sync that read metrics.
    fn metric(&mut self, line: &Value, rest: &[Value]) {
        let selector = line["selector"].as_str().unwrap();
        let target = selector.strip_prefix("app=").unwrap_or(selector);
        let Some(target) = self.deployments.get(target).copied() else { return };
        let Some((name, id)) = self
            .hpas
            .iter()
            .find(|(_, id)| self.store.hpa(**id).unwrap().target == ScaleTarget::Deployment(target))
            .map(|(name, id)| (name.clone(), *id))
        else {
            return;
        };
        let now = self.timeline.instant(line["t"].as_i64().unwrap());
        let milli = line["milli"].as_object().into_iter().flatten();
        let milli = milli
            .filter_map(|(pod, value)| Some((*self.pods.get(pod)?, value.as_i64()?)))
            .collect();
        let before = self.store.hpa(id).unwrap().desired_replicas;
        self.sync(&name, id, &Read { milli, timestamp: now }, now);
        let ours = self.store.hpa(id).unwrap().desired_replicas;
        let status = recorded_status(&name, selector, rest);
        let recorded = status.and_then(|s| s["desiredReplicas"].as_u64()).map(|n| n as u32);
        let recorded = recorded.unwrap_or(before);
        self.compare_conditions(&name, id, status, line["t"].as_i64().unwrap());
        self.syncs += 1;
        if ours != recorded {
            let t = line["t"].as_i64().unwrap();
            self.differences.push(format!("{name} at {t}: {recorded} recorded, {ours} ours"));
            // Go on from the truth.
            let current = self.store.hpa(id).unwrap().current_replicas;
            self.store.set_hpa_status(id, current, recorded);
        }
    }

    /// The conditions after a sync: those of the status that it wrote, or as they were.
    fn compare_conditions(&mut self, name: &str, id: HpaId, status: Option<&Value>, t: i64) {
        if let Some(conditions) = status.map(|status| &status["conditions"]) {
            self.told.insert(name.to_string(), conditions.clone());
        }
        let Some(told) = self.told.get(name).and_then(Value::as_array) else { return };
        // Which of several pods without a request is named is the order of a Go map.
        let any_pod = |text: &str| match text.split_once(" of Pod ") {
            Some((before, _)) => format!("{before} of a pod"),
            None => text.to_string(),
        };
        let text = |value: &Value| any_pod(value.as_str().unwrap());
        let theirs =
            told.iter().map(|c| ["type", "status", "reason", "message"].map(|f| text(&c[f])));
        let ours = self.store.hpa(id).unwrap().conditions.iter().map(|c| {
            let status = format!("{:?}", c.status);
            [c.kind.to_string(), status, c.reason.to_string(), any_pod(&c.message)]
        });
        let (theirs, ours): (Vec<_>, Vec<_>) = (theirs.collect(), ours.collect());
        self.conditions += 1;
        if ours != theirs {
            self.differences.push(format!("{name} at {t}: ours {ours:?}, recorded {theirs:?}"));
        }
    }

    fn sync(&mut self, name: &str, id: HpaId, metrics: &Read, now: SimTime) {
        // Every sync is recorded: when this one comes, the last one ended a period before.
        let period = ControllerManagerFlags::default().horizontal_pod_autoscaler_sync_period;
        self.controller.ended(id, SimTime(now.0.saturating_sub(period.0)));
        let outcome = self.controller.sync(id, &self.store, metrics, now);
        if let Some(conditions) = self.controller.take_conditions(id) {
            self.store.set_hpa_conditions(id, conditions);
        }
        for action in outcome.batches.into_iter().flatten() {
            match action {
                Action::HpaStatus { hpa, current, desired } => {
                    self.store.set_hpa_status(hpa, current, desired);
                }
                Action::Event { reason: "SuccessfulRescale", message, .. } => {
                    self.said.entry(name.to_string()).or_default().push(message);
                }
                _ => {}
            }
        }
    }

    /// The recording tells of a rescale: ours must have said the same.
    fn rescaled(&mut self, line: &Value) {
        let message = line["message"].as_str().unwrap();
        let message = message.trim_start_matches("(combined from similar events): ").to_string();
        let object = line["object"].as_str().unwrap();
        let name = object.rsplit('/').next().unwrap().to_string();
        if !self.hpas.contains_key(&name) {
            return;
        }
        let said = self.said.entry(name.clone()).or_default();
        match said.iter().position(|ours| *ours == message) {
            Some(at) => {
                said.remove(at);
            }
            None => self.differences.push(format!("{name}: recorded {message:?}, ours {said:?}")),
        }
    }
}

/// The status that the sync wrote: the last one before the next read.
fn recorded_status<'a>(name: &str, selector: &str, rest: &'a [Value]) -> Option<&'a Value> {
    let mut status = None;
    for line in rest {
        if line["watch"] == "METRIC" && line["selector"] == selector {
            break;
        }
        // Syncs without metrics follow: the spec was changed, or the target scaled to zero by hand.
        let spec_changed = line["kind"] == "HorizontalPodAutoscaler" && !line["spec"].is_null();
        let disabled = line["kind"] == "Deployment" && line["spec"]["replicas"] == 0;
        if spec_changed || disabled {
            break;
        }
        if line["kind"] == "HorizontalPodAutoscaler" && line["name"] == name {
            status = Some(&line["status"]).filter(|status| !status.is_null()).or(status);
        }
    }
    status
}

fn new_pod(name: &str, line: &Value, timeline: &Timeline) -> Pod {
    let pairs = line["labels"].as_object().into_iter().flatten();
    let labels = pairs.map(|(k, v)| (k.as_str().into(), v.as_str().unwrap().into())).collect();
    let container = |given: &Value| {
        let cpu = given["resources"]["requests"]["cpu"].as_str();
        let mut container =
            Container { name: given["name"].as_str().unwrap().into(), ..Container::default() };
        container.requests.cpu = MilliCpu(cpu.map_or(0, milli));
        container
    };
    let containers = line["spec"]["containers"].as_array().unwrap().iter().map(container).collect();
    Pod {
        ready_changed: SimTime::ZERO,
        ..Pod::pending(
            line["ns"].as_str().unwrap().into(),
            name.into(),
            Labels::new(labels),
            Arc::new(PodSpec { containers, ..PodSpec::default() }),
            timeline.stamp(line["created"].as_i64().unwrap()),
        )
    }
}

fn milli(quantity: &str) -> i64 {
    match quantity.strip_suffix('m') {
        Some(milli) => milli.parse().unwrap(),
        None => quantity.parse::<i64>().unwrap() * 1000,
    }
}

fn hpa(name: &str, target: DeploymentId, spec: &Value) -> Hpa {
    let metric = |m: &Value| {
        assert_eq!(m["resource"]["name"], "cpu");
        let target = &m["resource"]["target"];
        let target = match target["averageUtilization"].as_u64() {
            Some(percent) => MetricTarget::Utilization(percent as u32),
            None => MetricTarget::AverageValue(milli(target["averageValue"].as_str().unwrap())),
        };
        MetricSpec { source: MetricSource::CPU, target }
    };
    let behavior = &spec["behavior"];
    Hpa {
        name: name.into(),
        namespace: "demo".into(),
        target: ScaleTarget::Deployment(target),
        target_kind: "Deployment",
        min_replicas: spec["minReplicas"].as_u64().unwrap_or(1) as u32,
        max_replicas: spec["maxReplicas"].as_u64().unwrap() as u32,
        metrics: spec["metrics"].as_array().unwrap().iter().map(metric).collect(),
        target_name: "web".into(),
        has_behavior: !behavior.is_null(),
        scale_up: rules(&behavior["scaleUp"], ScalingRules::default_up()),
        scale_down: rules(&behavior["scaleDown"], ScalingRules::default_down()),
        created: SimTime::ZERO,
        current_replicas: 0,
        desired_replicas: 0,
        conditions: Vec::new(),
    }
}

fn rules(given: &Value, defaults: ScalingRules) -> ScalingRules {
    let policy = |p: &Value| ScalingPolicy {
        kind: if p["type"] == "Pods" { PolicyKind::Pods } else { PolicyKind::Percent },
        value: p["value"].as_u64().unwrap() as u32,
        period: SimDuration::from_secs(p["periodSeconds"].as_u64().unwrap()),
    };
    let window = given["stabilizationWindowSeconds"].as_u64().map(SimDuration::from_secs);
    ScalingRules {
        stabilization_window: window.or(defaults.stabilization_window),
        select: match given["selectPolicy"].as_str() {
            Some("Min") => SelectPolicy::Min,
            Some("Disabled") => SelectPolicy::Disabled,
            _ => SelectPolicy::Max,
        },
        policies: given["policies"]
            .as_array()
            .map_or(defaults.policies, |policies| policies.iter().map(policy).collect()),
        tolerance_milli: given["tolerance"].as_str().map(|t| match t.strip_suffix('m') {
            Some(milli) => milli.parse().unwrap(),
            None => (t.parse::<f64>().unwrap() * 1000.0).round() as u32,
        }),
    }
}

/// Replays every recording of group h; numbers of syncs and of those that differ.
fn replay(directory: &Path) -> (usize, usize) {
    let (mut syncs, mut different) = (0, 0);
    for (name, path) in timelines::runs(directory, "h") {
        let timeline = Timeline::read(&path);
        let mut replay = Replay {
            timeline: &timeline,
            store: Store::default(),
            pods: BTreeMap::new(),
            deployments: BTreeMap::new(),
            hpas: BTreeMap::new(),
            controller: PodAutoscaler::new(&ControllerManagerFlags::default()),
            said: BTreeMap::new(),
            told: BTreeMap::new(),
            conditions: 0,
            syncs: 0,
            differences: Vec::new(),
        };
        for (at, line) in timeline.lines.iter().enumerate() {
            replay.line(line, &timeline.lines[at + 1..]);
        }
        let (compared, differ) = (replay.conditions, replay.differences.len());
        println!("{name}: {} syncs, conditions of {compared}; {differ} differ", replay.syncs);
        replay.differences.iter().for_each(|d| println!("    {d}"));
        syncs += replay.syncs;
        different += replay.differences.len();
    }
    (syncs, different)
}

#[test]
fn kept_recordings_agree() {
    let (syncs, different) = replay(&timelines::kept());
    assert!(syncs > 0, "there are recordings");
    assert_eq!(different, 0);
}

#[test]
fn the_full_set_agrees() {
    if let Some(directory) = timelines::full_set() {
        assert_eq!(replay(&directory).1, 0);
    }
}
