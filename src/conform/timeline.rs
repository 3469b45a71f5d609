//! Cases with the queue: the scheduler is told every change as the API server's watchers would be,
//! and after each cycle the places of all pending pods are told too.
//!
//! The rules of the world around the scheduler are those of the recordings: a change is handled
//! before the next step; a cycle's own writes become events when it has ended, first those of the
//! pod it was about.

use super::answer::{Answer, Places};
use super::case::{Case, CaseError, Line, Step};
use super::object::{self, Keys};
use super::{Path, explained, manifest};
use crate::api::pod::{Pod, PodPhase};
use crate::api::{NodeId, PodId, Text};
use crate::control::scheduler::Scheduler;
use crate::control::scheduler::decision::{Decision, Nomination};
use crate::control::scheduler::queue::Place;
use crate::units::SimTime;
use k8s_openapi::api::core::v1 as k8s;
use slotmap::{SecondaryMap, SlotMap};
use std::collections::BTreeMap;
use std::sync::Arc;

const STEPS: &str = "cycle, createPod, deletePod, podGone, deletePending, updatePod, addNode, \
                     updateNode, deleteNode, addObject, wait, waitLong";

/// Plays the case; see [`super::replay`].
pub(super) fn replay(case: &Case, path: Path) -> Result<Vec<Answer>, CaseError> {
    let mut scheduler = Scheduler::new(&case.configuration()).map_err(Case::header_error)?;
    scheduler.set_explain(path == Path::Plain);
    scheduler.set_fast(path == Path::Fast);
    let gate = case.header.feature_gates.get("OpportunisticBatching");
    scheduler.set_opportunistic_batching(gate.copied().unwrap_or(true));
    scheduler.tell_storage();
    let mut timeline = Timeline {
        scheduler,
        explains: path == Path::Plain,
        keys: Keys::default(),
        nodes: BTreeMap::new(),
        node_names: SlotMap::with_key(),
        pods: SecondaryMap::new(),
        pod_ids: BTreeMap::new(),
        bound: 0,
        answers: Vec::new(),
    };
    case.each_line(|line| timeline.line(line))?;
    Ok(timeline.answers)
}

struct Timeline {
    scheduler: Scheduler,
    explains: bool,
    keys: Keys,
    nodes: BTreeMap<String, NodeId>,
    node_names: SlotMap<NodeId, Text>,
    pods: SecondaryMap<PodId, Pod>,
    pod_ids: BTreeMap<String, PodId>,
    /// Pods bound so far: tells the next one's start time.
    bound: u64,
    answers: Vec<Answer>,
}

impl Timeline {
    fn line(&mut self, line: &Line) -> Result<(), String> {
        if let Some(object) = &line.object {
            self.object(object, SimTime::ZERO)?;
        }
        if let Some(given) = &line.node {
            self.add_node(given, SimTime::ZERO)?;
        }
        if let Some(given) = &line.pod {
            let name = given.spec.as_ref().and_then(|s| s.node_name.as_deref());
            let node = self.node_id(name.ok_or("a pod of the start needs spec.nodeName")?)?;
            self.create_pod(given, Some(node), SimTime::ZERO)?;
            self.bound += 1;
        }
        let Some(step) = &line.step else { return Ok(()) };
        let now = SimTime(step.at * 1_000_000);
        self.scheduler.advance(now);
        self.step(step, line.preemption_offset(), now)
    }

    /// The scheduler watches storage objects, and goes to see the others when it needs them.
    fn object(&mut self, given: &serde_json::Value, now: SimTime) -> Result<(), String> {
        match object::storage(given)? {
            Some(object) => self.scheduler.set_storage(object, now),
            None => object::tell(self.scheduler.objects_mut(), &mut self.keys, given)?,
        }
        Ok(())
    }

    fn add_node(&mut self, given: &k8s::Node, now: SimTime) -> Result<(), String> {
        let node = manifest::node(given)?;
        let names = &mut self.node_names;
        let entry = self.nodes.entry(node.name.to_string());
        let id = *entry.or_insert_with(|| names.insert(node.name.clone()));
        self.scheduler.add_node(id, Arc::new(node), now);
        Ok(())
    }

    fn node_id(&self, name: &str) -> Result<NodeId, String> {
        self.nodes.get(name).copied().ok_or_else(|| format!("there is no node {name}"))
    }

    fn create_pod(
        &mut self,
        given: &k8s::Pod,
        node: Option<NodeId>,
        now: SimTime,
    ) -> Result<(), String> {
        let mut pod = manifest::pod(given)?;
        if !pod.spec.resource_claims.is_empty() {
            let key = manifest::key(&given.metadata)?;
            return Err(format!("pod {key} has resourceClaims: only cases in mode direct may"));
        }
        pod.node = node;
        if let Some(owner) = manifest::owner(given) {
            pod = pod.owned_by(self.keys.owner(&owner));
        }
        let key = manifest::key(&given.metadata)?;
        let id = self.keys.pod(&key);
        self.pods.insert(id, pod);
        self.pod_ids.insert(key, id);
        self.scheduler.add_pod(id, &self.pods[id], now);
        Ok(())
    }

    fn pod_id(&self, key: &str) -> Result<PodId, String> {
        self.pod_ids.get(key).copied().ok_or_else(|| format!("there is no pod {key}"))
    }

    fn tell(&mut self, id: PodId, now: SimTime) {
        self.scheduler.update_pod(id, &self.pods[id], now);
    }

    fn step(&mut self, step: &Step, offset: usize, now: SimTime) -> Result<(), String> {
        match step.op.as_str() {
            "cycle" => self.cycle(offset, now),
            "createPod" => self.create_pod(step.pod()?, None, now)?,
            "deletePod" => {
                let id = self.pod_id(step.name()?)?;
                self.pods[id].deletion = now.into();
                self.tell(id, now);
            }
            "podGone" | "deletePending" => {
                let id = self.pod_id(step.name()?)?;
                self.scheduler.remove_pod(id, now);
                self.pods.remove(id);
                self.pod_ids.remove(step.name()?);
                self.keys.forget_pod(step.name()?);
            }
            "updatePod" => {
                let given = step.pod()?;
                let id = self.pod_id(&manifest::key(&given.metadata)?)?;
                let new = manifest::pod(given)?;
                let base = self.pods[id].base_mut();
                (base.labels, base.spec) = (new.labels.clone(), Arc::clone(&new.spec));
                self.tell(id, now);
            }
            "addNode" => self.add_node(step.node()?, now)?,
            "updateNode" => {
                let node = manifest::node(step.node()?)?;
                self.scheduler.update_node(self.node_id(&node.name)?, Arc::new(node), now);
            }
            "deleteNode" => self.scheduler.remove_node(self.node_id(step.name()?)?, now),
            "addObject" => self.object(step.object()?, now)?,
            "wait" | "waitLong" => {}
            _ => return Err(step.unknown(STEPS)),
        }
        Ok(())
    }

    fn cycle(&mut self, preemption_offset: usize, now: SimTime) {
        self.scheduler.set_preemption_offset(preemption_offset);
        let Some(decision) = self.scheduler.schedule_one(now) else { return };
        let mut answer = self.answer(&decision);
        self.apply(&decision, now);
        answer.queue = Some(self.places());
        self.answers.push(answer);
    }

    fn answer(&self, decision: &Decision) -> Answer {
        let pod = decision.pod();
        let attempts = self.scheduler.queue().get(pod).map(|queued| queued.attempts);
        let mut out = Answer { pod: self.name(pod), attempts, ..Answer::default() };
        match decision {
            Decision::Scheduled { node, evaluated, feasible, .. } => {
                out.node = Some(self.node_name(*node));
                (out.evaluated, out.feasible) = (Some(*evaluated), Some(*feasible));
                if self.explains {
                    explained::add_scores(&mut out, self.scheduler.core());
                }
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
        self.node_names[id].to_string()
    }

    fn places(&self) -> Places {
        let mut places = Places::default();
        for (key, id) in &self.pod_ids {
            let list = match self.scheduler.place_of(*id) {
                Some(Place::Active) => &mut places.active,
                Some(Place::Backoff | Place::ErrorBackoff) => &mut places.backoff,
                Some(Place::Unschedulable) => &mut places.unschedulable,
                Some(Place::InFlight) | None => continue,
            };
            list.push(key.clone());
        }
        for (key, id) in &self.pod_ids {
            let pod = &self.pods[*id];
            if let Some(node) = pod.nominated.filter(|_| pod.node.is_none()) {
                places.nominated.insert(key.clone(), self.node_name(node));
            }
        }
        places
    }
}
