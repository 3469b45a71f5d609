//! Cases of single cycles: a cache filled by hand, no queue, no clock.
//!
//! A placed pod is in the cache before the next step. When none fits, the victims of preemption are
//! gone at once and the pod is nominated. A step that schedules a pod that already runs is passed
//! over: whoever makes a case can't know.

use super::answer::Answer;
use super::case::{Case, CaseError, Line, Step};
use super::object::{self, Keys};
use super::{Path, claims, explained, manifest};
use crate::api::labels::Labels;
use crate::api::pod::PodSpec;
use crate::api::{NodeId, PodId};
use crate::control::scheduler::cycle::{Core, Failure, Unfit};
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::scheduler::registry;
use crate::units::SimTime;
use k8s_openapi::api::core::v1 as k8s;
use slotmap::SlotMap;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Plays the case; see [`super::replay`].
pub(super) fn replay(case: &Case, path: Path) -> Result<Vec<Answer>, CaseError> {
    let mut core = Core::new(&case.configuration()).map_err(Case::header_error)?;
    core.objects.tell_storage();
    core.tell_devices();
    core.set_explain(path == Path::Plain);
    let mut cycles = Cycles {
        core,
        explains: path == Path::Plain,
        keys: Keys::default(),
        node_ids: SlotMap::with_key(),
        nodes: BTreeMap::new(),
        names: BTreeMap::new(),
        nominations: BTreeMap::new(),
        answers: Vec::new(),
    };
    case.each_line(|line| cycles.line(line))?;
    Ok(cycles.answers)
}

struct Cycles {
    core: Core,
    explains: bool,
    keys: Keys,
    node_ids: SlotMap<NodeId, ()>,
    nodes: BTreeMap<String, NodeId>,
    names: BTreeMap<PodId, String>,
    /// Where each pod was last nominated: its status in later steps.
    nominations: BTreeMap<PodId, NodeId>,
    answers: Vec<Answer>,
}

impl Cycles {
    fn line(&mut self, line: &Line) -> Result<(), String> {
        if let Some(object) = &line.object {
            if let Some(device) = claims::device(object, &mut self.keys)? {
                self.core.set_device(device);
            } else if let Some(object) = object::storage(object)? {
                self.core.objects.set_storage(object);
            } else {
                object::tell(&mut self.core.objects, &mut self.keys, object)?;
            }
        }
        if let Some(given) = &line.node {
            self.add_node(given)?;
        }
        if let Some(given) = &line.pod {
            let name = given.spec.as_ref().and_then(|s| s.node_name.as_deref());
            let node = self.node_id(name.ok_or("a pod of the start needs spec.nodeName")?)?;
            let id = self.pod_id(&manifest::key(&given.metadata)?);
            let index = self.core.cache.index_of(node).ok_or("its node is gone")?;
            let info = PodInfo::new(id, &manifest::pod(given)?);
            self.core.cache.add_pod(info, index, false);
        }
        match &line.step {
            Some(step) => self.step(step, line.preemption_offset()),
            None => Ok(()),
        }
    }

    fn add_node(&mut self, given: &k8s::Node) -> Result<(), String> {
        let node = manifest::node(given)?;
        let id = self.node_ids.insert(());
        self.nodes.insert(node.name.to_string(), id);
        self.core.cache.add_node(id, Arc::new(node));
        Ok(())
    }

    fn node_id(&self, name: &str) -> Result<NodeId, String> {
        self.nodes.get(name).copied().ok_or_else(|| format!("there is no node {name}"))
    }

    fn pod_id(&mut self, key: &str) -> PodId {
        let id = self.keys.pod(key);
        self.names.insert(id, key.to_owned());
        id
    }

    fn step(&mut self, step: &Step, preemption_offset: usize) -> Result<(), String> {
        match step.op.as_str() {
            "addNode" => self.add_node(step.node()?)?,
            "updateNode" => {
                let node = manifest::node(step.node()?)?;
                self.core.cache.update_node(self.node_id(&node.name)?, Arc::new(node));
            }
            "deleteNode" => {
                self.core.cache.remove_node(self.node_id(step.name()?)?);
            }
            "deletePod" => {
                // Where decisions differ, it may never have run here.
                if let Some(id) = self.keys.forget_pod(step.name()?) {
                    self.core.remove_nomination(id);
                    self.core.cache.remove_pod(id);
                    claims::release(&mut self.core, id);
                }
            }
            "schedule" => {
                self.core.set_preemption_offset(preemption_offset);
                self.schedule(step.pod()?)?;
            }
            _ => {
                return Err(step.unknown("addNode, updateNode, deleteNode, deletePod, schedule"));
            }
        }
        Ok(())
    }

    fn schedule(&mut self, given: &k8s::Pod) -> Result<(), String> {
        let name = manifest::key(&given.metadata)?;
        let id = self.pod_id(&name);
        if self.core.cache.node_of(id).is_some() {
            return Ok(());
        }
        let mut pod = manifest::pod(given)?;
        pod.nominated = self.nominations.get(&id).copied();
        if let Some(owner) = manifest::owner(given) {
            pod = pod.owned_by(self.keys.owner(&owner));
        }
        self.core.objects.tell_devices().set_made(id, claims::made(given));
        let info = PodInfo::new(id, &pod);
        let profile = self.core.profile_of(&info).ok_or_else(|| {
            format!(
                "no profile has the name {:?} that pod {name} asks for",
                pod.spec.scheduler_name
            )
        })?;
        let mut answer = Answer { pod: name, ..Answer::default() };
        match self.core.schedule_pod(profile, &info, SimTime::ZERO) {
            Ok(placement) => {
                answer.node = Some(self.core.cache.info(placement.node).name().to_string());
                answer.evaluated = Some(placement.evaluated);
                answer.feasible = Some(placement.feasible);
                self.explain(&mut answer);
                self.core.remove_nomination(id);
                self.core.reserve(profile, &info, placement.node, SimTime::ZERO);
                claims::bind(&mut self.core, &info, &pod.name());
                answer.claims = claims::told(&self.core, id);
                self.core.cache.add_pod(info, placement.node, false);
            }
            Err(Failure::NoNodes) => {
                answer.message = Some("no nodes available to schedule pods".to_owned());
            }
            Err(Failure::Error(message)) => answer.message = Some(message),
            Err(Failure::Unfit(unfit)) => {
                self.explain(&mut answer);
                self.make_room(&info, *unfit, &mut answer);
            }
        }
        self.answers.push(answer);
        Ok(())
    }

    fn explain(&self, answer: &mut Answer) {
        if self.explains {
            explained::add_scores(answer, &self.core);
            explained::add_rejections(answer, &self.core);
        }
    }

    /// What preemption proposes happens at once.
    fn make_room(&mut self, info: &PodInfo, unfit: Unfit, answer: &mut Answer) {
        let diagnosis = &unfit.diagnosis;
        answer.message = Some(diagnosis.message(self.core.cache.nodes().len()));
        let plugins = diagnosis.unschedulable_plugins.iter().map(registry::name_of);
        answer.unschedulable_plugins = plugins.map(str::to_owned).collect();
        answer.unschedulable_plugins.sort();
        let node = unfit.nomination.flatten();
        answer.nominated = node.map(|node| self.core.cache.info(node).name().to_string());
        for victim in &unfit.victims {
            let name = self.names[&victim.id].clone();
            self.core.cache.remove_pod(victim.id);
            claims::release(&mut self.core, victim.id);
            self.keys.forget_pod(&name);
            answer.victims.push(name);
        }
        if let Some(claim) = &unfit.freed {
            claims::free(&mut self.core, claim);
        }
        match unfit.nomination {
            Some(Some(node)) => {
                self.nominations.insert(info.id, self.core.cache.id_of(node));
                self.core.nominate(stub(info), node);
            }
            Some(None) => self.core.remove_nomination(info.id),
            None => {}
        }
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
