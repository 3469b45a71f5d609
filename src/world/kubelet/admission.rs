//! What a kubelet asks of a pod before it takes it: whether the node has room, and is the one that
//! the pod wants.
//!
//! The scheduler has asked the same, so nothing is asked before some pod has come past it, with
//! `nodeName` in its manifest, or is changed in place. Source: kubernetes
//! `pkg/kubelet/lifecycle/predicate.go` and `pkg/scheduler/eventhandlers.go` (`AdmissionCheck`),
//! v1.37. Critical pods are refused like any other: kubelets preempt nobody here.

use crate::api::NodeId;
use crate::api::node::Node;
use crate::api::pod::{HostPort, Pod, PodSpec};
use crate::api::resources::Resources;
use crate::api::taint::TaintEffect;
use crate::control::scheduler::node_info::ports_conflict;
use crate::units::SimTime;
use crate::world::world::World;

/// `status.reason` and message of a pod that is not taken.
pub(super) type Why = (&'static str, String);

/// The first resource of which a node with these other pods has not enough.
fn insufficient(spec: &PodSpec, node: &Node, others: &[&Pod]) -> Option<Why> {
    let (wanted, mut used) = (spec.requests(), Resources::default());
    others.iter().for_each(|pod| used.add(&pod.spec.requests()));
    for (name, wanted) in wanted.scalars() {
        let has = node.allocatable.scalar(name);
        let left = (has - used.scalar(name)).max(0);
        // What no node knows is not asked for.
        if has > 0 && wanted > left {
            let message = format!(
                "Update plugin resources failed due to requested number of devices unavailable \
                 for {name}. Requested: {wanted}, Available: {left}, which is unexpected."
            );
            return Some(("UnexpectedAdmissionError", message));
        }
    }
    let has = &node.allocatable;
    let rows = [
        ("OutOfpods", "pods", 1, others.len() as i64, i64::from(node.max_pods)),
        ("OutOfcpu", "cpu", wanted.cpu.0, used.cpu.0, has.cpu.0),
        ("OutOfmemory", "memory", wanted.memory.0, used.memory.0, has.memory.0),
        (
            "OutOfephemeral-storage",
            "ephemeral-storage",
            wanted.ephemeral_storage.0,
            used.ephemeral_storage.0,
            has.ephemeral_storage.0,
        ),
    ];
    let short =
        rows.into_iter().find(|(_, _, wanted, used, has)| *wanted > 0 && wanted + used > *has);
    let (reason, name, wanted, used, has) = short?;
    let message = format!(
        "Node didn't have enough resource: {name}, requested: {wanted}, used: {used}, capacity: {has}"
    );
    Some((reason, message))
}

/// Why a node with these other pods does not take a pod; `None`: it does.
fn refuses(pod: &PodSpec, node: &Node, others: &[&Pod]) -> Option<Why> {
    if let Some(why) = insufficient(pod, node, others) {
        return Some(why);
    }
    let used: Vec<HostPort> =
        others.iter().flat_map(|other| other.spec.host_ports()).cloned().collect();
    let is_untolerated = |taint: &crate::api::taint::Taint| {
        taint.effect == TaintEffect::NoExecute && !taint.is_tolerated(&pod.tolerations)
    };
    let rows = [
        (
            !pod.selects(&node.name, &node.labels),
            ("NodeAffinity", "node(s) didn't match Pod's node affinity/selector"),
        ),
        (
            pod.host_ports().any(|port| ports_conflict(&used, port)),
            ("NodePorts", "node(s) didn't have free ports for the requested pod ports"),
        ),
        (
            !pod.is_mirror && node.taints.iter().any(is_untolerated),
            ("TaintToleration", "node(s) had taints that the pod didn't tolerate"),
        ),
    ];
    let (name, why) = rows.into_iter().find(|(fails, _)| *fails)?.1;
    Some((name, format!("Predicate {name} failed: {why}")))
}

impl World<'_> {
    /// Why a node does not take a pod that its kubelet has just seen; `None`: it does.
    pub(super) fn node_refuses(&self, pod: &Pod, node: NodeId) -> Option<Why> {
        if !self.names_nodes {
            return None;
        }
        refuses(&pod.spec, self.store.node(node)?, &self.taken_beside(pod, node))
    }

    /// Why a node has no room for a pod of its own that is to be like this; `None`: it has.
    pub(super) fn has_no_room_for(&self, pod: &Pod, spec: &PodSpec, node: NodeId) -> Option<Why> {
        insufficient(spec, self.store.node(node)?, &self.taken_beside(pod, node))
    }

    /// The other pods that a kubelet has taken and that have not ended.
    fn taken_beside(&self, pod: &Pod, node: NodeId) -> Vec<&Pod> {
        let is_taken = |other: &&Pod| {
            other.uid != pod.uid && other.started != SimTime::NEVER && !other.phase.is_terminal()
        };
        let others = self.store.pods_on(node).iter().filter_map(|id| self.store.pod(*id));
        others.filter(is_taken).collect()
    }
}
