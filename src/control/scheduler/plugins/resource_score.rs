//! What NodeResourcesFit and NodeResourcesBalancedAllocation share: a list of resources with
//! weights, and how much of each a pod asks for and a node has.
//!
//! Source: `plugins/noderesources/resource_allocation.go`, v1.37.

use crate::api::Text;
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::pod_info::PodInfo;
use serde::Deserialize;

/// `ResourceSpec`: a resource and its weight.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct ResourceSpec {
    name: String,
    #[serde(default)]
    weight: i64,
}

/// A resource that takes part in scoring.
#[derive(Clone, Debug)]
pub(super) struct Scored {
    pub(super) resource: Resource,
    pub(super) weight: i64,
}

/// Resources by how they are found in a record.
#[derive(Clone, Debug)]
pub(super) enum Resource {
    Cpu,
    Memory,
    EphemeralStorage,
    Scalar(Text),
}

/// The resources of a configuration, CPU and memory by default; a weight of 0 means 1.
pub(super) fn resources(given: Option<Vec<ResourceSpec>>) -> Vec<Scored> {
    let default = || {
        let spec = |name: &str| ResourceSpec { name: name.to_owned(), weight: 1 };
        vec![spec("cpu"), spec("memory")]
    };
    let scored = |spec: ResourceSpec| Scored {
        resource: match spec.name.as_str() {
            "cpu" => Resource::Cpu,
            "memory" => Resource::Memory,
            "ephemeral-storage" => Resource::EphemeralStorage,
            name => Resource::Scalar(name.into()),
        },
        weight: spec.weight.max(1),
    };
    let given = given.filter(|g| !g.is_empty());
    given.unwrap_or_else(default).into_iter().map(scored).collect()
}

/// What a pod asks for of each scored resource.
#[derive(Clone)]
pub(super) struct Requests(pub(super) Vec<i64>);

/// `calculatePodResourceRequestList`. `requested`: as requested, pod-level requests included; else
/// what the containers request, with defaults for those that request no CPU or memory.
pub(super) fn requests(resources: &[Scored], pod: &PodInfo, requested: bool) -> Requests {
    let (cpu, memory) = match requested {
        true => (pod.requests.cpu, pod.requests.memory),
        false => pod.scoring,
    };
    // Only huge pages can be requested by the pod as a whole too.
    let containers = (!requested && pod.spec.pod_requests.is_some())
        .then(|| pod.spec.container_requests_by(|c| c.requests.clone()));
    let scalars = containers.as_ref().unwrap_or(&pod.requests);
    let amount = |scored: &Scored| match &scored.resource {
        Resource::Cpu => cpu.0,
        Resource::Memory => memory.0,
        Resource::EphemeralStorage => pod.requests.ephemeral_storage.0,
        Resource::Scalar(name) => scalars.scalar(name),
    };
    Requests(resources.iter().map(amount).collect())
}

/// What the node has of a resource and how much of it is taken (`allocatable`, `allocated`);
/// `None` when it takes no part in the score: the node has none of it, or it is an extended
/// resource that the pod does not ask for.
pub(super) fn node_amounts(
    resource: &Resource,
    asked: i64,
    node: &NodeInfo,
    requested: bool,
) -> Option<(i64, i64)> {
    let has = &node.node.allocatable;
    let taken = match requested {
        true => (node.requested.cpu, node.requested.memory),
        false => node.non_zero_requested,
    };
    let amounts = match resource {
        Resource::Cpu => (has.cpu.0, taken.0.0),
        Resource::Memory => (has.memory.0, taken.1.0),
        Resource::EphemeralStorage => (has.ephemeral_storage.0, node.requested.ephemeral_storage.0),
        Resource::Scalar(_) if asked == 0 => return None,
        Resource::Scalar(name) => (has.scalar(name), node.requested.scalar(name)),
    };
    (amounts.0 != 0).then_some(amounts)
}
