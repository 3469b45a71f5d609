//! Replays a recorded case, cycle by cycle, and compares every decision.
//!
//! After a difference the recorded decision is applied, so that one mistake is counted once as
//! far as possible.

use super::{Line, Recorded, Step, key, node, owner, pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use slotmap::SlotMap;
use std::collections::BTreeMap;
use std::sync::Arc;
use stormglass::api::labels::{Labels, Selector};
use stormglass::api::pod::PodSpec;
use stormglass::api::{NodeId, ObjectName, PdbId, PodId, ReplicaSetId};
use stormglass::control::scheduler::config::SchedulerConfiguration;
use stormglass::control::scheduler::cycle::{Core, Failure};
use stormglass::control::scheduler::objects::Budget;
use stormglass::control::scheduler::pod_info::PodInfo;
use stormglass::control::scheduler::registry;
use stormglass::units::SimTime;

/// How many cycles of a case agree.
#[derive(Default, Clone, Copy, Debug)]
pub(crate) struct Tally {
    pub cycles: usize,
    /// Everything that was recorded agrees.
    pub equal: usize,
    /// Node, evaluated and feasible agree.
    pub placements: usize,
    /// Of the recorded scores all agree (only cycles that have them).
    pub scores: usize,
    pub with_scores: usize,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.cycles += other.cycles;
        self.equal += other.equal;
        self.placements += other.placements;
        self.scores += other.scores;
        self.with_scores += other.with_scores;
    }
}

pub(crate) struct Replay {
    fast: bool,
    core: Core,
    node_ids: SlotMap<NodeId, ()>,
    pod_ids: SlotMap<PodId, ()>,
    budget_ids: SlotMap<PdbId, ()>,
    owner_ids: SlotMap<ReplicaSetId, ()>,
    owners: BTreeMap<String, ReplicaSetId>,
    /// Where each pod was last nominated: its status in later steps.
    nominations: BTreeMap<PodId, NodeId>,
    names: BTreeMap<PodId, String>,
    nodes: BTreeMap<String, NodeId>,
    pods: BTreeMap<String, PodId>,
    pub tally: Tally,
    /// The first differences, for people.
    pub differences: Vec<String>,
}

impl Replay {
    /// Replays all lines of a case: by the plain path, whose scores are compared too, or `fast`.
    pub(crate) fn run(lines: &[Line], fast: bool) -> Replay {
        let case = lines[0].case.as_ref().unwrap();
        let configuration =
            case.config.as_ref().map(|c| serde_json::from_value(c.clone()).unwrap());
        let configuration: SchedulerConfiguration = configuration.unwrap_or_default();
        let mut core = Core::new(&configuration).unwrap();
        core.set_explain(!fast);
        let mut replay = Replay {
            core,
            fast,
            node_ids: SlotMap::with_key(),
            pod_ids: SlotMap::with_key(),
            budget_ids: SlotMap::with_key(),
            owner_ids: SlotMap::with_key(),
            owners: BTreeMap::new(),
            nominations: BTreeMap::new(),
            names: BTreeMap::new(),
            nodes: BTreeMap::new(),
            pods: BTreeMap::new(),
            tally: Tally::default(),
            differences: Vec::new(),
        };
        lines[1..].iter().for_each(|line| replay.line(line));
        replay
    }

    fn line(&mut self, line: &Line) {
        if let Some(object) = &line.object {
            self.object(object);
        }
        if let Some(given) = &line.node {
            self.add_node(given);
        }
        if let Some(given) = &line.pod {
            let name = given.spec.as_ref().unwrap().node_name.clone().unwrap();
            let id = self.pod_id(&key(given));
            let index = self.core.cache.index_of(self.nodes[&name]).unwrap();
            self.core.cache.add_pod(PodInfo::new(id, &pod(given)), index, false);
        }
        if let Some(step) = &line.step {
            self.step(step, line.decision.as_ref());
        }
    }

    fn object(&mut self, object: &serde_json::Value) {
        if object["kind"] == "Namespace" {
            let metadata = &object["metadata"];
            let labels: Option<BTreeMap<String, String>> =
                serde_json::from_value(metadata["labels"].clone()).unwrap();
            let labels = stormglass::api::convert::labels(labels.as_ref());
            let name = metadata["name"].as_str().unwrap();
            self.core.objects.set_namespace(name.into(), labels);
        }
        let metadata = &object["metadata"];
        let (kind, name) = (object["kind"].as_str().unwrap(), metadata["name"].as_str().unwrap());
        let namespace = metadata["namespace"].as_str().unwrap_or("default");
        let mut errors = Vec::new();
        match kind {
            "Service" => {
                let labels: Option<BTreeMap<String, String>> =
                    serde_json::from_value(object["spec"]["selector"].clone()).unwrap();
                let labels = labels.map(|l| stormglass::api::convert::labels(Some(&l)));
                if let Some(labels) = labels {
                    let key = ObjectName::new(namespace, name);
                    let selector = Selector::from_labels(&labels);
                    self.core.objects.set_service(key, Some(selector));
                }
            }
            "ReplicaSet" | "StatefulSet" => {
                let selector: LabelSelector =
                    serde_json::from_value(object["spec"]["selector"].clone()).unwrap();
                let selector =
                    stormglass::api::convert::selector(Some(&selector), "selector", &mut errors);
                let id = self.owner_id(&format!("{kind}/{namespace}/{name}"));
                self.core.objects.set_replica_set(id, Some(selector));
            }
            "ReplicationController" => {
                let labels: Option<BTreeMap<String, String>> =
                    serde_json::from_value(object["spec"]["selector"].clone()).unwrap();
                let labels = stormglass::api::convert::labels(labels.as_ref());
                let id = self.owner_id(&format!("{kind}/{namespace}/{name}"));
                self.core.objects.set_replica_set(id, Some(Selector::from_labels(&labels)));
            }
            _ => {}
        }
        if kind == "PodDisruptionBudget" {
            let given: PodDisruptionBudget = serde_json::from_value(object.clone()).unwrap();
            let spec = given.spec.unwrap_or_default();
            let status = given.status.unwrap_or_default();
            let selector = spec.selector.as_ref();
            let mut errors = Vec::new();
            let budget = Budget {
                namespace: given.metadata.namespace.as_deref().unwrap_or("default").into(),
                selector: stormglass::api::convert::selector(selector, "selector", &mut errors),
                disruptions_allowed: i64::from(status.disruptions_allowed.unwrap_or(0)),
                disrupted_pods: status
                    .disrupted_pods
                    .iter()
                    .flatten()
                    .map(|(name, _)| self.pod_id(&format!("{namespace}/{name}")))
                    .collect(),
            };
            let id = self.budget_ids.insert(());
            self.core.objects.set_budget(id, Some(budget));
        }
    }

    fn owner_id(&mut self, key: &str) -> ReplicaSetId {
        let ids = &mut self.owner_ids;
        *self.owners.entry(key.to_owned()).or_insert_with(|| ids.insert(()))
    }

    fn pod_id(&mut self, key: &str) -> PodId {
        let ids = &mut self.pod_ids;
        let id = *self.pods.entry(key.to_owned()).or_insert_with(|| ids.insert(()));
        self.names.insert(id, key.to_owned());
        id
    }

    fn add_node(&mut self, given: &k8s_openapi::api::core::v1::Node) {
        let id = self.node_ids.insert(());
        let node = Arc::new(node(given));
        self.nodes.insert(node.name.to_string(), id);
        self.core.cache.add_node(id, node);
    }

    fn step(&mut self, step: &Step, recorded: Option<&Recorded>) {
        match step.op.as_str() {
            "addNode" => self.add_node(step.node.as_ref().unwrap()),
            "updateNode" => {
                let node = Arc::new(node(step.node.as_ref().unwrap()));
                self.core.cache.update_node(self.nodes[&*node.name], node);
            }
            "deleteNode" => {
                let id = self.nodes[step.name.as_ref().unwrap()];
                self.core.cache.remove_node(id);
            }
            "deletePod" => {
                let id = self.pods.remove(step.name.as_ref().unwrap()).unwrap();
                self.core.cache.remove_pod(id);
            }
            "schedule" => self.schedule(step.pod.as_ref().unwrap(), recorded.unwrap()),
            other => panic!("unknown step {other}"),
        }
    }

    fn schedule(&mut self, given: &k8s_openapi::api::core::v1::Pod, recorded: &Recorded) {
        let name = key(given);
        let id = self.pod_id(&name);
        let mut pod = pod(given);
        pod.nominated = self.nominations.get(&id).copied();
        if let Some(key) = owner(given) {
            pod = pod.owned_by(self.owner_id(&key));
        }
        let info = PodInfo::new(id, &pod);
        let profile = self.core.profile_of(&info).unwrap();
        self.core.set_preemption_offset(recorded.preemption_offset.unwrap_or(0));
        let found = self.decide(profile, &info);
        self.compare(&name, &found, recorded);
        for victim in &recorded.victims {
            let id = self.pods.remove(victim).unwrap();
            self.core.cache.remove_pod(id);
        }
        if let Some(node) = &recorded.nominated {
            self.nominations.insert(id, self.nodes[node]);
            let index = self.core.cache.index_of(self.nodes[node]).unwrap();
            self.core.nominate(stub(&info), index);
        }
        if let Some(node) = &recorded.node {
            let index = self.core.cache.index_of(self.nodes[node]).unwrap();
            self.core.remove_nomination(id);
            self.core.cache.add_pod(info, index, false);
        }
    }

    fn decide(&mut self, profile: usize, info: &PodInfo) -> Recorded {
        let nodes = |core: &Core| core.cache.nodes().len();
        let mut found = Recorded::default();
        match self.core.schedule_pod(profile, info, SimTime::ZERO) {
            Ok(placement) => {
                found.node = Some(self.core.cache.info(placement.node).name().to_string());
                found.evaluated = Some(placement.evaluated);
                found.feasible = Some(placement.feasible);
            }
            Err(Failure::NoNodes) => {
                found.message = Some("no nodes available to schedule pods".to_owned());
            }
            Err(Failure::Unfit(unfit)) => {
                let name = |node| self.core.cache.info(node).name().to_string();
                found.nominated = unfit.nomination.flatten().map(name);
                found.victims = unfit.victims.iter().map(|v| self.names[&v.id].clone()).collect();
                match unfit.nomination {
                    Some(Some(node)) => self.core.nominate(stub(info), node),
                    Some(None) => self.core.remove_nomination(info.id),
                    None => {}
                }
                let diagnosis = unfit.diagnosis;
                found.message = Some(diagnosis.message(nodes(&self.core)));
                let plugins = diagnosis.unschedulable_plugins.iter().map(registry::name_of);
                found.unschedulable_plugins = plugins.map(str::to_owned).collect();
                found.unschedulable_plugins.sort();
            }
        }
        found
    }

    fn compare(&mut self, name: &str, found: &Recorded, recorded: &Recorded) {
        self.tally.cycles += 1;
        let mut differences = Vec::new();
        let place = |r: &Recorded| (r.node.clone(), r.evaluated, r.feasible);
        if place(found) == place(recorded) {
            self.tally.placements += 1;
        } else {
            differences.push(format!("{:?} != {:?}", place(found), place(recorded)));
        }
        if found.message != recorded.message {
            differences.push(format!("{:?} != {:?}", found.message, recorded.message));
        }
        if found.unschedulable_plugins != recorded.unschedulable_plugins {
            let pair = (&found.unschedulable_plugins, &recorded.unschedulable_plugins);
            differences.push(format!("rejected by {pair:?}"));
        }
        if (&found.nominated, &found.victims) != (&recorded.nominated, &recorded.victims) {
            let pair = (&found.nominated, &found.victims, &recorded.nominated, &recorded.victims);
            differences.push(format!("nominated {pair:?}"));
        }
        differences.extend(self.compare_scores(recorded));
        if differences.is_empty() {
            self.tally.equal += 1;
        } else {
            self.differences.push(format!("{name}: {}", differences.join("; ")));
        }
    }

    /// Recorded scores are weighted and normalised; a zero may be missing on either side.
    fn compare_scores(&mut self, recorded: &Recorded) -> Option<String> {
        let recorded = recorded.scores.as_ref().filter(|_| !self.fast)?;
        self.tally.with_scores += 1;
        let explanation = self.core.explanation();
        let mut found: BTreeMap<String, BTreeMap<String, i64>> = BTreeMap::new();
        for (plugin, scores) in &explanation.scores {
            for (node, score) in explanation.feasible.iter().zip(scores).filter(|(_, s)| **s != 0) {
                let name = self.core.cache.info(*node).name().to_string();
                found.entry(name).or_default().insert(registry::name_of(*plugin).into(), *score);
            }
        }
        for (node, scores) in recorded {
            let scores: BTreeMap<_, _> =
                scores.iter().filter(|(_, s)| **s != 0).map(|(p, s)| (p.clone(), *s)).collect();
            let found = found.remove(node).unwrap_or_default();
            if found != scores {
                return Some(format!("scores of {node}: {found:?} != {scores:?}"));
            }
        }
        self.tally.scores += 1;
        None
    }
}

/// These cases were recorded without a queue, in which upstream looks nominated pods up: what it
/// supposes on a nominated node is then a pod of this name without any specification.
fn stub(info: &PodInfo) -> PodInfo {
    let spec = Arc::new(PodSpec::default());
    let mut stub = PodInfo::hypothetical(&spec, &info.namespace, &Labels::default());
    stub.id = info.id;
    stub
}
