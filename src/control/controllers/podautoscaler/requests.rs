//! What a pod requests of a resource, as a utilization is a share of it.
//!
//! Source: kubernetes `pkg/controller/podautoscaler/replica_calculator.go` (`calculateRequests`),
//! v1.37.

use crate::api::autoscaling::{Measured, MetricSource};
use crate::api::pod::{Container, Pod};

/// A pod's request in the metric's thousandths; 0 for what is no resource.
///
/// # Errors
/// A container has none, or is not there.
pub(super) fn requested(pod: &Pod, source: &MetricSource) -> Result<i64, String> {
    match source {
        MetricSource::Resource(resource) => of_pod(pod, *resource),
        MetricSource::ContainerResource(resource, name) => of_container(pod, *resource, name),
        _ => Ok(0),
    }
}

fn of_pod(pod: &Pod, resource: Measured) -> Result<i64, String> {
    let spec = &pod.spec;
    if let Some(own) = &spec.pod_requests {
        let whole = spec.requests();
        let given = match resource {
            Measured::Cpu => own.cpu.map(|_| whole.cpu.0),
            Measured::Memory => own.memory.map(|_| whole.memory.0 * 1000),
        };
        let missing = || {
            let name = resource.name();
            format!("missing pod-level request for {name} in Pod {}", pod.name())
        };
        return given.ok_or_else(missing);
    }
    let mut sum = 0;
    for container in containers(pod) {
        sum += of(container, resource).ok_or_else(|| missing(pod, container, resource))?;
    }
    Ok(sum)
}

fn of_container(pod: &Pod, resource: Measured, name: &str) -> Result<i64, String> {
    let found = containers(pod).find(|container| *container.name == *name);
    let Some(container) = found else {
        return Err(format!("container {name} not found in Pod {}", pod.name()));
    };
    of(container, resource).ok_or_else(|| missing(pod, container, resource))
}

/// The containers of a pod that run side by side.
fn containers(pod: &Pod) -> impl Iterator<Item = &Container> {
    let sidecars = pod.spec.init_containers.iter().filter(|c| c.sidecar);
    pod.spec.containers.iter().chain(sidecars)
}

fn missing(pod: &Pod, container: &Container, resource: Measured) -> String {
    let (resource, name) = (resource.name(), &container.name);
    format!("missing request for {resource} in container {name} of Pod {}", pod.name())
}

fn of(container: &Container, resource: Measured) -> Option<i64> {
    let zero = container.explicit_zero;
    match resource {
        Measured::Cpu => {
            let cpu = container.requests.cpu.0;
            (cpu != 0 || zero.cpu).then_some(cpu)
        }
        Measured::Memory => {
            let memory = container.requests.memory.0;
            (memory != 0 || zero.memory).then_some(memory * 1000)
        }
    }
}
