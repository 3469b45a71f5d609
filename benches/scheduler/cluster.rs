//! A cluster in which pods are scheduled, bound and ended at once, for the benchmark and for the
//! tests that replay the same workloads. It decides nothing and measures nothing.

use k8s_openapi::api::core::v1 as k8s;
use slotmap::SlotMap;
use std::hint::black_box;
use std::sync::Arc;
use stormglass::api::labels::Labels;
use stormglass::api::node::Node;
use stormglass::api::pod::{Pod, PodSpec};
use stormglass::api::{NodeId, PodId, Text, convert};
use stormglass::control::scheduler::Scheduler;
use stormglass::control::scheduler::config::SchedulerConfiguration;
use stormglass::control::scheduler::decision::{Decision, Nomination};
use stormglass::units::SimTime;

/// A scheduler with the objects that it is told of.
pub struct Cluster {
    pub scheduler: Scheduler,
    pub names: SlotMap<NodeId, Text>,
    pub pods: SlotMap<PodId, Pod>,
    pub now: SimTime,
}

impl Cluster {
    pub fn new(configuration: &SchedulerConfiguration, fast: bool) -> Cluster {
        let mut scheduler = Scheduler::new(configuration).unwrap();
        scheduler.set_fast(fast);
        let (names, pods) = (SlotMap::with_key(), SlotMap::with_key());
        Cluster { scheduler, names, pods, now: SimTime::ZERO }
    }

    pub fn add_node(&mut self, given: &k8s::Node) -> NodeId {
        let mut errors = Vec::new();
        let node: Node = convert::node::node(given, "node", &mut errors);
        assert!(errors.is_empty(), "{errors:?}");
        let id = self.names.insert(node.name.clone());
        self.scheduler.add_node(id, Arc::new(node), self.now);
        id
    }

    /// A pod that the scheduler is not told of yet.
    pub fn make_pod(
        &mut self,
        namespace: &str,
        name: String,
        labels: &Labels,
        spec: &Arc<PodSpec>,
    ) -> PodId {
        let (labels, spec) = (labels.clone(), Arc::clone(spec));
        let pod = Pod::pending(namespace.into(), name.into(), labels, spec, self.now);
        self.pods.insert(Pod { started: SimTime::ZERO, ..pod })
    }

    pub fn tell_of(&mut self, pod: PodId) {
        self.scheduler.add_pod(pod, &self.pods[pod], self.now);
    }

    /// A pod ends or is deleted, wherever it is in its life.
    pub fn end(&mut self, pod: PodId) {
        if self.pods.remove(pod).is_some() {
            self.scheduler.remove_pod(pod, self.now);
        }
    }

    /// The next decision, carried out: binding, nomination, deletion of victims.
    pub fn decide(&mut self) -> Option<Decision> {
        let decision = self.scheduler.schedule_one(self.now)?;
        match &decision {
            Decision::Scheduled { pod, node, .. } => self.bind(*pod, *node),
            Decision::Unschedulable { pod, victims, nomination, .. } => {
                if let Nomination::Set(node) = nomination
                    && self.pods[*pod].nominated != *node
                {
                    self.pods[*pod].nominated = *node;
                    self.scheduler.update_pod(*pod, &self.pods[*pod], self.now);
                }
                for victim in victims {
                    self.end(*victim);
                }
                self.scheduler.preemption_finished(*pod, self.now);
            }
        }
        Some(decision)
    }

    fn bind(&mut self, pod: PodId, node: NodeId) {
        let object = &mut self.pods[pod];
        object.node = Some(node);
        let (namespace, name, to) = (&object.namespace, &object.name, &self.names[node]);
        black_box(format!("Successfully assigned {namespace}/{name} to {to}"));
        self.scheduler.binding_finished(pod, true, self.now);
        self.scheduler.update_pod(pod, &self.pods[pod], self.now);
    }
}

/// A pod's specification as the API server would hand it out.
pub fn spec_of(template: &k8s::Pod) -> Arc<PodSpec> {
    let mut errors = Vec::new();
    let spec = template.spec.as_ref().unwrap();
    let mut converted = convert::pod::pod_spec(spec, "spec", &mut errors);
    assert!(errors.is_empty(), "{errors:?}");
    converted.priority = spec.priority.unwrap_or(0);
    Arc::new(converted)
}
