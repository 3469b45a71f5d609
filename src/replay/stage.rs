//! The scenario that a script makes: its nodes, the stand-in for the kubelets, its actions as a
//! timeline. What is not modelled is said.

use super::patch::merge;
use super::script::{Action, Nodes, Script};
use crate::api::Text;
use crate::api::convert::workload;
use crate::api::labels::Labels;
use crate::api::quantity::Quantity;
use crate::api::resources::Resources;
use crate::api::workload::Deployment;
use crate::scenario::model::*;
use crate::sim::sample::Distribution;
use crate::sim::sample::Distribution::Constant;
use crate::units::{Bytes, MilliCpu, SimDuration, SimTime};
use serde_json::Value;
use std::collections::BTreeMap;

/// The stand-in kubelet: bound to Running and Ready, seconds.
const STARTS_IN: f64 = 1.0;
/// Longer than any recording, seconds.
const NEVER: f64 = 1e6;
/// Deletion seen to gone, seconds.
const STOPS_IN: f64 = 0.5;

/// The scenario of a script.
///
/// # Errors
/// What of it is not modelled.
pub(super) fn scenario(script: &Script) -> Result<Scenario, String> {
    let node_groups = script.nodes.iter().map(nodes).collect::<Result<Vec<_>, _>>()?;
    let mut play = Play::of(script);
    for action in &script.actions {
        play.act(action)?;
    }
    let workloads = play.startups.into_iter().map(stand_in).collect();
    Ok(Scenario {
        name: script.name.clone(),
        question: String::new(),
        about: String::new(),
        duration: SimDuration::from_secs_f64(script.duration_s),
        cold_start: true,
        seed: 1,
        node_groups,
        objects: play.objects,
        workloads,
        traffic: Vec::new(),
        timeline: play.timeline,
        flags: flags(),
        observe: Observe {
            every: SimDuration::from_secs(3600),
            traffic_resolution: SimDuration::from_secs(3600),
            error_budget: 0.01,
            latency_objective: SimDuration::from_secs(1),
            currency: "USD".to_owned(),
        },
        cut_short: false,
        expect: Vec::new(),
        ignored: Vec::new(),
        hash: String::new(),
        parameters: Value::Null,
    })
}

fn flags() -> Flags {
    let mut flags = Flags::default();
    flags.kubelet.sandbox = Constant(0.0);
    flags.kubelet.container_start = Constant(STARTS_IN);
    flags.kubelet.pod_starts_per_second = 1e9;
    flags.kubelet.image_resolve = SimDuration::ZERO;
    flags.kubelet.layer_seconds = 0.0;
    flags.kubelet.termination = Constant(STOPS_IN);
    flags
}

/// Containers that are ready so long after they run, by template.
fn stand_in(startup_of: BTreeMap<Text, Distribution>) -> Workload {
    Workload {
        demand: SimDuration::from_millis(1),
        wait: SimDuration::ZERO,
        concurrency: 1,
        queue: 1,
        timeout: SimDuration::from_secs(1),
        idle_cpu: MilliCpu(0),
        memory: Bytes(0),
        memory_per_request: Bytes(0),
        startup: Constant(0.0),
        startup_of,
        image_size: Bytes(0),
        image_layers: 0,
        burst: 1.0,
        calls: Vec::new(),
    }
}

fn nodes(given: &Nodes) -> Result<NodeGroup, String> {
    if given.taints != Value::Null {
        return Err("taints of nodes".to_owned());
    }
    let amount = |given: &Option<Value>, default: &str| -> Result<Quantity, String> {
        let text = match given {
            None => default.to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        text.parse().map_err(|_| format!("{text} is no quantity"))
    };
    let cpu = amount(&given.cpu, "8")?.as_cpu();
    let memory = amount(&given.memory, "32Gi")?.as_bytes();
    let room = Resources::of(cpu, memory);
    let count = given.count.unwrap_or(1);
    let labels = given.labels.as_object().into_iter().flatten();
    let labels = labels.map(|(k, v)| (k.as_str().into(), v.as_str().unwrap_or("").into()));
    Ok(NodeGroup {
        name: given.name.as_str().into(),
        machine: Machine {
            name: "recorded".into(),
            capacity: room.clone(),
            allocatable: room,
            max_pods: u32::try_from(amount(&given.pods, "110")?.value()).unwrap_or(110),
            price_per_hour: 0.0,
            idle_watts: 0.0,
            peak_watts: 0.0,
            pull_bytes_per_second: 1e12,
            unpack_bytes_per_second: 1e12,
        },
        count,
        min: count,
        max: count,
        autoscaled: false,
        zones: vec![given.zone.as_deref().unwrap_or("z0").into()],
        labels: Labels::new(labels.collect()),
        taints: Vec::new(),
        boot: Constant(0.0),
        ready: Constant(0.0),
        boot_failure: 0.0,
    })
}

/// The actions of a script as they become a timeline.
struct Play<'a> {
    script: &'a Script,
    objects: Objects,
    timeline: Vec<TimelineEntry>,
    /// The Deployments as manifests, as they are after the actions so far.
    manifests: Vec<Value>,
    /// By Deployment and template: seconds from Running to Ready.
    startups: Vec<BTreeMap<Text, Distribution>>,
    /// By Deployment: templates in the order of their revisions, the newest last.
    revisions: Vec<Vec<(u64, Value)>>,
}

impl<'a> Play<'a> {
    fn of(script: &'a Script) -> Play<'a> {
        let (objects, timeline) = (Objects::default(), Vec::new());
        let (manifests, startups, revisions) = (Vec::new(), Vec::new(), Vec::new());
        Play { script, objects, timeline, manifests, startups, revisions }
    }

    fn act(&mut self, action: &Action) -> Result<(), String> {
        let at = SimTime::ZERO + SimDuration::from_secs_f64(action.at);
        let kind = match action.manifest["kind"].as_str() {
            Some(kind) => kind,
            None => &action.kind,
        };
        let what = match (action.verb.as_str(), kind) {
            ("apply", "Deployment") => self.apply(&action.manifest)?,
            ("scale", "Deployment") => {
                let deployment = self.index(&action.name)?;
                self.manifests[deployment]["spec"]["replicas"] = action.replicas.into();
                Happening::Scale { deployment, replicas: action.replicas }
            }
            ("patch", "Deployment") if action.patch_type != "json" => {
                let mut manifest = self.manifests[self.index(&action.name)?].clone();
                merge(&mut manifest, &action.patch, action.patch_type == "strategic");
                self.apply(&manifest)?
            }
            ("undo", _) => self.undo(action)?,
            (verb, "") => return Err(verb.to_owned()),
            (verb, kind) => return Err(format!("{verb} of a {kind}")),
        };
        self.timeline.push(TimelineEntry { at, until: None, what });
        Ok(())
    }

    fn index(&self, name: &str) -> Result<usize, String> {
        let found = self.objects.deployments.iter().position(|d| *d.name == *name);
        found.ok_or_else(|| format!("a Deployment {name} that nobody applied"))
    }

    fn apply(&mut self, manifest: &Value) -> Result<Happening, String> {
        let to = Box::new(self.deployment(manifest)?);
        let ready_after = ready_after(manifest)?;
        let hash = to.template.hash.clone();
        let deployment = match self.index(&to.name) {
            Ok(index) => {
                self.manifests[index] = manifest.clone();
                index
            }
            Err(_) => {
                let index = self.objects.deployments.len();
                self.objects.deployments.push((*to).clone());
                self.objects.later.insert(index);
                self.manifests.push(manifest.clone());
                self.startups.push(BTreeMap::new());
                self.revisions.push(Vec::new());
                index
            }
        };
        self.startups[deployment].insert(hash, Constant(ready_after));
        self.revise(deployment, &manifest["spec"]["template"]);
        Ok(Happening::Apply { deployment, to })
    }

    /// The template is the newest revision from now on, a new one or an old one again.
    fn revise(&mut self, deployment: usize, template: &Value) {
        let known = &mut self.revisions[deployment];
        if known.last().is_none_or(|(_, newest)| newest != template) {
            let next = known.last().map_or(1, |(revision, _)| revision + 1);
            known.retain(|(_, old)| old != template);
            known.push((next, template.clone()));
        }
    }

    /// `kubectl rollout undo`: back to a revision; 0 is the one before the newest.
    fn undo(&mut self, action: &Action) -> Result<Happening, String> {
        let deployment = self.index(&action.name)?;
        let known = &self.revisions[deployment];
        let found = match action.revision {
            0 => known.iter().rev().nth(1),
            revision => known.iter().find(|(known, _)| *known == revision),
        };
        let Some((_, template)) = found else {
            return Err(format!("undo to revision {} that is not there", action.revision));
        };
        let mut manifest = self.manifests[deployment].clone();
        manifest["spec"]["template"] = template.clone();
        self.apply(&manifest)
    }

    fn deployment(&self, manifest: &Value) -> Result<Deployment, String> {
        let given = serde_json::from_value(manifest.clone()).map_err(|error| error.to_string())?;
        let mut errors = Vec::new();
        let namespace = self.script.namespaces.first().map_or("default", String::as_str);
        let deployment = workload::deployment(&given, namespace, &mut errors);
        match errors.first() {
            Some(error) => Err(format!("{}: {}", error.path, error.message)),
            None => Ok(deployment),
        }
    }
}

/// Seconds from Running to Ready, as annotations of a template tell the stand-in. A pod that runs
/// later is here one that is Ready later: its owner sees no difference.
fn ready_after(manifest: &Value) -> Result<f64, String> {
    let annotations = &manifest["spec"]["template"]["metadata"]["annotations"];
    let mut seconds = 0.0;
    for (key, value) in annotations.as_object().into_iter().flatten() {
        let Some(word) = key.strip_prefix("stormglass/") else { continue };
        let text = value.as_str().unwrap_or_default();
        let ms = text.parse::<f64>().map_err(|_| format!("annotation {key}: {value}"));
        seconds += match word {
            "start-ms" => ms? / 1000.0 - STARTS_IN,
            "ready-ms" => ms? / 1000.0,
            "never-ready" => NEVER,
            _ => return Err(format!("annotation {key}")),
        };
    }
    match seconds >= 0.0 {
        true => Ok(seconds),
        false => Err("pods that start in less than a second".to_owned()),
    }
}
