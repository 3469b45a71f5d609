//! Replays a recorded case with its queue: the scheduler is told every change as the API server's
//! watchers would be, and after each step the places of all pending pods are compared too.
//!
//! The rules of the world around the scheduler are those of the recordings' README.

use super::{Line, Recorded, Step, key, node, objects, owner, pod};
use k8s_openapi::api::core::v1 as k8s;
use slotmap::SlotMap;
use std::collections::BTreeMap;
use std::sync::Arc;
use stormglass::api::node::Node;
use stormglass::api::pod::{Pod, PodPhase};
use stormglass::api::{NodeId, PodId, ReplicaSetId};
use stormglass::control::scheduler::Scheduler;
use stormglass::control::scheduler::config::SchedulerConfiguration;
use stormglass::control::scheduler::decision::{Decision, Nomination};
use stormglass::control::scheduler::queue::Place;
use stormglass::units::SimTime;

pub(crate) struct QueueReplay {
    scheduler: Scheduler,
    nodes: BTreeMap<String, NodeId>,
    node_ids: SlotMap<NodeId, Node>,
    pods: SlotMap<PodId, Pod>,
    pod_ids: BTreeMap<String, PodId>,
    owner_ids: SlotMap<ReplicaSetId, ()>,
    owners: BTreeMap<String, ReplicaSetId>,
    bound: u64,
    pub(crate) cycles: usize,
    pub(crate) equal: usize,
    /// The first differences, for people.
    pub(crate) differences: Vec<String>,
}

impl QueueReplay {
    /// Replays a case up to its first difference.
    pub(crate) fn run(lines: &[Line]) -> QueueReplay {
        let case = lines[0].case.as_ref().unwrap();
        let configuration =
            case.config.as_ref().map(|c| serde_json::from_value(c.clone()).unwrap());
        let configuration: SchedulerConfiguration = configuration.unwrap_or_default();
        let mut replay = QueueReplay {
            scheduler: Scheduler::new(&configuration).unwrap(),
            nodes: BTreeMap::new(),
            node_ids: SlotMap::with_key(),
            pods: SlotMap::with_key(),
            pod_ids: BTreeMap::new(),
            owner_ids: SlotMap::with_key(),
            owners: BTreeMap::new(),
            bound: 0,
            cycles: 0,
            equal: 0,
            differences: Vec::new(),
        };
        for line in &lines[1..] {
            replay.line(line);
            if !replay.differences.is_empty() {
                replay.cycles +=
                    lines.iter().filter(|l| l.decision.is_some()).count() - replay.cycles;
                break;
            }
        }
        replay
    }

    fn line(&mut self, line: &Line) {
        if let Some(object) = &line.object {
            self.object(object);
        }
        if let Some(given) = &line.node {
            self.add_node(given, SimTime::ZERO);
        }
        if let Some(given) = &line.pod {
            let name = given.spec.as_ref().unwrap().node_name.clone().unwrap();
            self.create_pod(given, Some(self.nodes[&name]), SimTime::ZERO);
            self.bound += 1;
        }
        let Some(step) = &line.step else { return };
        let now = SimTime(step.at * 1_000_000);
        self.scheduler.advance(now);
        let found = self.step(step, now);
        self.compare(step, found, line);
    }

    fn object(&mut self, object: &serde_json::Value) {
        let (ids, owners) = (&mut self.owner_ids, &mut self.owners);
        let mut owner_id =
            |key: &str| *owners.entry(key.to_owned()).or_insert_with(|| ids.insert(()));
        objects::tell(&mut self.scheduler, object, &mut owner_id);
    }

    fn add_node(&mut self, given: &k8s::Node, now: SimTime) {
        let node = node(given);
        let ids = &mut self.node_ids;
        let id =
            *self.nodes.entry(node.name.to_string()).or_insert_with(|| ids.insert(node.clone()));
        self.scheduler.add_node(id, Arc::new(node), now);
    }

    fn create_pod(&mut self, given: &k8s::Pod, node: Option<NodeId>, now: SimTime) -> PodId {
        let mut pod = pod(given);
        pod.node = node;
        if let Some(key) = owner(given) {
            let ids = &mut self.owner_ids;
            pod = pod.owned_by(*self.owners.entry(key).or_insert_with(|| ids.insert(())));
        }
        let id = self.pods.insert(pod);
        self.pod_ids.insert(key(given), id);
        self.scheduler.add_pod(id, &self.pods[id], now);
        id
    }

    fn tell(&mut self, id: PodId, now: SimTime) {
        self.scheduler.update_pod(id, &self.pods[id], now);
    }

    fn step(&mut self, step: &Step, now: SimTime) -> Option<Decision> {
        let id = || self.pod_ids[step.name.as_ref().unwrap()];
        match step.op.as_str() {
            "createPod" => {
                self.create_pod(step.pod.as_ref().unwrap(), None, now);
            }
            "deletePod" => {
                let id = id();
                self.pods[id].deletion = now.into();
                self.tell(id, now);
            }
            "podGone" | "deletePending" => {
                let id = id();
                self.scheduler.remove_pod(id, now);
                self.pods.remove(id);
                self.pod_ids.remove(step.name.as_ref().unwrap());
            }
            "updatePod" => {
                let given = step.pod.as_ref().unwrap();
                let id = self.pod_ids[&key(given)];
                let new = pod(given);
                self.pods[id].base_mut().labels = new.labels.clone();
                self.pods[id].base_mut().spec = new.spec.clone();
                self.tell(id, now);
            }
            "addNode" => self.add_node(step.node.as_ref().unwrap(), now),
            "updateNode" => {
                let node = node(step.node.as_ref().unwrap());
                let id = self.nodes[&*node.name];
                self.scheduler.update_node(id, Arc::new(node), now);
            }
            "deleteNode" => {
                self.scheduler.remove_node(self.nodes[step.name.as_ref().unwrap()], now);
            }
            "addObject" => self.object(step.object.as_ref().unwrap()),
            "cycle" => {
                let decision = self.scheduler.schedule_one(now);
                if let Some(decision) = &decision {
                    self.apply(decision, now);
                }
                return decision;
            }
            _ => {}
        }
        None
    }

    /// What the API server makes of a decision, told to the scheduler in the order of writing.
    fn apply(&mut self, decision: &Decision, now: SimTime) {
        match decision {
            Decision::Scheduled { pod, node, .. } => {
                let id = *pod;
                let pod = &mut self.pods[id];
                (pod.node, pod.nominated) = (Some(*node), None);
                pod.phase = PodPhase::Running;
                pod.started = SimTime::from_secs(self.bound);
                self.bound += 1;
                self.tell(id, now);
                self.scheduler.binding_finished(id, true, now);
            }
            Decision::Unschedulable { pod, nomination, victims, denominated, .. } => {
                if let Nomination::Set(node) = nomination {
                    self.pods[*pod].nominated = *node;
                }
                self.pods[*pod].unschedulable = true;
                // The calls that delete victims return before anything is heard of them.
                self.scheduler.preemption_finished(*pod, now);
                self.tell(*pod, now);
                for id in denominated {
                    self.pods[*id].nominated = None;
                    self.tell(*id, now);
                }
                for id in victims {
                    self.tell(*id, now);
                    self.pods[*id].deletion = now.into();
                    self.tell(*id, now);
                }
            }
        }
    }

    fn name(&self, id: PodId) -> String {
        let pod = &self.pods[id];
        format!("{}/{}", pod.namespace, pod.name())
    }

    fn node_name(&self, id: NodeId) -> String {
        self.node_ids[id].name.to_string()
    }

    fn compare(&mut self, step: &Step, found: Option<Decision>, line: &Line) {
        let at = format!("{} at {} ms", step.op, step.at);
        if let Some(recorded) = &line.decision {
            self.cycles += 1;
            let found = found.map(|d| self.recorded(&d));
            match found {
                Some(found) if found == plain(recorded) => self.equal += 1,
                found => self.differences.push(format!("{at}: {found:?} != {recorded:?}")),
            }
        }
        let Some(queue) = &line.queue else { return };
        for (id, pod) in &self.pods {
            let name = self.name(id);
            let place = match self.scheduler.place_of(id) {
                Some(Place::Active) => "active",
                Some(Place::Backoff | Place::ErrorBackoff) => "backoff",
                Some(Place::Unschedulable) => "unschedulable",
                Some(Place::InFlight) | None => "",
            };
            let lists = [
                ("active", &queue.active),
                ("backoff", &queue.backoff),
                ("unschedulable", &queue.unschedulable),
            ];
            let recorded = lists.iter().find(|(_, list)| list.contains(&name));
            let recorded = recorded.map_or("", |(list, _)| list);
            if place != recorded {
                self.differences.push(format!("{at}: {name} is {place:?}, not {recorded:?}"));
            }
            let nominated = pod.nominated.map(|n| self.node_name(n));
            if pod.node.is_none() && nominated.as_ref() != queue.nominated.get(&name) {
                let recorded = queue.nominated.get(&name);
                self.differences.push(format!("{at}: {name} on {nominated:?}, not {recorded:?}"));
            }
        }
    }

    fn recorded(&self, decision: &Decision) -> Recorded {
        let mut out = Recorded { pod: self.name(decision.pod()), ..Recorded::default() };
        match decision {
            Decision::Scheduled { node, evaluated, feasible, .. } => {
                out.node = Some(self.node_name(*node));
                (out.evaluated, out.feasible) = (Some(*evaluated), Some(*feasible));
            }
            Decision::Unschedulable { message, nomination, victims, .. } => {
                out.message = Some(message.clone());
                let names = decision.rejecting_plugins();
                out.unschedulable_plugins = names.into_iter().map(str::to_owned).collect();
                if let Nomination::Set(Some(node)) = nomination {
                    out.nominated = Some(self.node_name(*node));
                }
                out.victims = victims.iter().map(|v| self.name(*v)).collect();
            }
        }
        out
    }
}

/// What of a recorded decision is compared here.
fn plain(recorded: &Recorded) -> Recorded {
    Recorded { scores: None, preemption_offset: None, ..recorded.clone() }
}
