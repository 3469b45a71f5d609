//! The actions of a script as they become a timeline of commands.

use super::patch::{json_patch, merge};
use super::script::{Action, Script};
use super::stage;
use crate::api::convert::object::object;
use crate::api::convert::workload::DELETION_COST;
use crate::api::labels::{Labels, Selector};
use crate::api::meta::Propagation;
use crate::api::object::Target;
use crate::api::{ObjectName, Text};
use crate::scenario::kubectl::{Command, PodChoice, PodCommand};
use crate::scenario::model::{Happening, NodeGroup, TimelineEntry};
use crate::units::{SimDuration, SimTime};
use serde_json::Value;
use std::collections::BTreeMap;

/// A script under way.
pub(super) struct Play<'a> {
    script: &'a Script,
    pub(super) timeline: Vec<TimelineEntry>,
    /// Objects as manifests, by kind and name, as they are after the actions so far.
    manifests: BTreeMap<(String, String), Value>,
    /// Priority classes by name.
    priorities: BTreeMap<String, Value>,
}

impl<'a> Play<'a> {
    pub(super) fn of(script: &'a Script) -> Play<'a> {
        let (manifests, priorities) = (BTreeMap::new(), BTreeMap::new());
        Play { script, timeline: Vec::new(), manifests, priorities }
    }

    /// Puts an action into the timeline; nodes that join later become groups of their own.
    pub(super) fn act(
        &mut self,
        action: &Action,
        at: SimTime,
        groups: &mut Vec<NodeGroup>,
    ) -> Result<(), String> {
        let happenings = match action.verb.as_str() {
            "nodeAdd" => {
                let given = action.node.as_ref().ok_or("nodeAdd without a node")?;
                let group = NodeGroup { count: 0, min: 0, ..stage::nodes(given)? };
                groups.push(group);
                let group = groups.len() - 1;
                let joins = Happening::NodeAdd { group };
                vec![joins; given.count.unwrap_or(1) as usize]
            }
            "setMetric" => {
                let given = Box::new(stage::metrics(&action.metric));
                vec![Happening::Metrics { app: action.app.as_str().into(), given }]
            }
            "nodeStop" => kubelets(action, false),
            "nodeStart" => kubelets(action, true),
            _ => {
                let commands = self.commands(action)?;
                commands.into_iter().map(|c| Happening::Kubectl(Box::new(c))).collect()
            }
        };
        let entries = happenings.into_iter().map(|what| TimelineEntry { at, until: None, what });
        self.timeline.extend(entries);
        Ok(())
    }

    fn commands(&mut self, action: &Action) -> Result<Vec<Command>, String> {
        let one = match action.verb.as_str() {
            "apply" => {
                return Ok(self.apply(&action.manifest.clone(), false)?.into_iter().collect());
            }
            "patch" => return Ok(self.patch(action)?.into_iter().collect()),
            "scale" => {
                let key = (action.kind.clone(), action.name.clone());
                if let Some(manifest) = self.manifests.get_mut(&key) {
                    manifest["spec"]["replicas"] = action.replicas.into();
                }
                Command::Scale { target: self.target(action), replicas: action.replicas }
            }
            "undo" => {
                let name = self.target(action).name;
                Command::Undo { name, revision: action.revision }
            }
            "delete" => {
                self.manifests.remove(&(action.kind.clone(), action.name.clone()));
                let propagation = match action.propagation.as_str() {
                    "Foreground" => Propagation::Foreground,
                    "Orphan" => Propagation::Orphan,
                    _ => Propagation::Background,
                };
                let grace = action.grace.map(SimDuration::from_secs);
                Command::Delete { target: self.target(action), propagation, grace }
            }
            "deletePods" => {
                self.pods(action, PodCommand::Delete(action.grace.map(SimDuration::from_secs)))
            }
            "evict" => self.pods(action, PodCommand::Evict),
            "podReady" => self.pods(action, PodCommand::Ready(action.ready)),
            "podFinish" => self.pods(action, PodCommand::Finish(action.exit)),
            "patchPods" => self.pods(action, pod_patch(&action.patch)?),
            "drain" => Command::Drain { nodes: named(action).collect() },
            "cordon" | "uncordon" => {
                let on = action.verb == "cordon";
                return Ok(named(action).map(|node| Command::Cordon { node, on }).collect());
            }
            "nodeDelete" => {
                return Ok(named(action).map(|node| Command::DeleteNode { node }).collect());
            }
            verb => return Err(verb.to_owned()),
        };
        Ok(vec![one])
    }

    fn namespace<'b>(&'b self, action: &'b Action) -> &'b str {
        let first = self.script.namespaces.first().map_or("default", String::as_str);
        action.namespace.as_deref().unwrap_or(first)
    }

    fn target(&self, action: &Action) -> Target {
        let kind = action.kind.as_str().into();
        Target { kind, name: ObjectName::new(self.namespace(action), &action.name) }
    }

    fn pods(&self, action: &Action, what: PodCommand) -> Command {
        let pairs = action.selector.split(',').filter_map(|pair| pair.split_once('='));
        let labels = Labels::new(pairs.map(|(k, v)| (k.into(), v.into())).collect());
        let which = PodChoice {
            namespace: self.namespace(action).into(),
            selector: Selector::from_labels(&labels),
            name: (!action.name.is_empty()).then(|| action.name.as_str().into()),
            by_age: action.sort == "created",
            places: action.index.clone(),
        };
        Command::Pods { which, what }
    }

    fn patch(&mut self, action: &Action) -> Result<Vec<Command>, String> {
        match action.kind.as_str() {
            "Pod" => return Ok(vec![self.pods(action, pod_patch(&action.patch)?)]),
            "Node" => return node_patch(action),
            _ => {}
        }
        let key = (action.kind.clone(), action.name.clone());
        let known = self.manifests.get(&key).cloned();
        let Some(mut manifest) = known else {
            return Err(format!("patch of a {} that nobody applied", action.kind));
        };
        match action.patch_type.as_str() {
            "json" => json_patch(&mut manifest, &action.patch)?,
            kind => merge(&mut manifest, &action.patch, kind == "strategic"),
        }
        let keeps_replicas = action.patch["spec"]["replicas"].is_null();
        Ok(self.apply(&manifest, keeps_replicas)?.into_iter().collect())
    }

    fn apply(&mut self, manifest: &Value, keeps_replicas: bool) -> Result<Option<Command>, String> {
        let kind = manifest["kind"].as_str().unwrap_or_default().to_owned();
        let name = manifest["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        if kind == "PriorityClass" {
            self.priorities.insert(name, manifest.clone());
            return Ok(None);
        }
        let mut given = manifest.clone();
        for pointer in ["/spec", "/spec/template/spec", "/spec/jobTemplate/spec/template/spec"] {
            self.give_priority(given.pointer_mut(pointer));
        }
        let namespace = self.script.namespaces.first().map_or("default", String::as_str);
        let mut errors = Vec::new();
        let found = object(&given, namespace, &mut errors);
        if let Some(error) = errors.first() {
            return Err(format!("{}: {}", error.path, error.message));
        }
        let object = found.ok_or_else(|| format!("apply of a {kind}"))?;
        self.manifests.insert((kind, name), manifest.clone());
        Ok(Some(Command::Apply { object, keeps_replicas }))
    }

    /// The Priority admission plugin.
    fn give_priority(&self, spec: Option<&mut Value>) {
        let Some(spec) = spec else { return };
        let class = spec["priorityClassName"].as_str().and_then(|name| self.priorities.get(name));
        if let Some(class) = class {
            spec["priority"] = class["value"].clone();
            if spec["preemptionPolicy"].is_null() && class["preemptionPolicy"].is_string() {
                spec["preemptionPolicy"] = class["preemptionPolicy"].clone();
            }
        }
    }
}

fn named(action: &Action) -> impl Iterator<Item = Text> {
    action.nodes.iter().map(|name| name.as_str().into())
}

fn kubelets(action: &Action, reports: bool) -> Vec<Happening> {
    named(action).map(|node| Happening::Kubelet { node, reports }).collect()
}

/// What a patch of a node does: labels change one by one, taints all together, or one is added.
fn node_patch(action: &Action) -> Result<Vec<Command>, String> {
    let node: Text = action.name.as_str().into();
    let label = |key: &str, value: &Value| (key.into(), value.as_str().map(Text::from));
    let (mut pairs, mut commands) = (Vec::new(), Vec::new());
    for step in action.patch.as_array().into_iter().flatten() {
        let path = step["path"].as_str().unwrap_or_default();
        if let Some(key) = path.strip_prefix("/metadata/labels/") {
            pairs.push(label(&key.replace("~1", "/"), &step["value"]));
        } else if let ("/spec/taints/-", Some("add")) = (path, step["op"].as_str()) {
            let add = stage::taints(&Value::Array(vec![step["value"].clone()]))?;
            commands.push(Command::TaintNode { node: node.clone(), add, remove: Vec::new() });
        } else {
            return Err(format!("a patch of {path} of a Node"));
        }
    }
    let given = action.patch["metadata"]["labels"].as_object().into_iter().flatten();
    pairs.extend(given.map(|(key, value)| label(key, value)));
    if let Some(given) = action.patch["spec"].get("taints") {
        commands.push(Command::SetTaints { node: node.clone(), taints: stage::taints(given)? });
    }
    if !pairs.is_empty() {
        commands.push(Command::LabelNode { node, pairs });
    }
    Ok(commands)
}

/// What a patch of pods does.
fn pod_patch(patch: &Value) -> Result<PodCommand, String> {
    let metadata = &patch["metadata"];
    if let Some(cost) = metadata["annotations"][DELETION_COST].as_str() {
        return Ok(PodCommand::DeletionCost(cost.parse().unwrap_or(0)));
    }
    if let Some(labels) = metadata["labels"].as_object() {
        let pairs = labels.iter().map(|(k, v)| (k.as_str().into(), v.as_str().map(Text::from)));
        return Ok(PodCommand::Label(pairs.collect()));
    }
    if let Some(gates) = patch["spec"].get("schedulingGates") {
        let names = gates.as_array().into_iter().flatten();
        let names = names.filter_map(|gate| gate["name"].as_str());
        return Ok(PodCommand::Ungate(names.map(Text::from).collect()));
    }
    Err("patchPods".to_owned())
}
