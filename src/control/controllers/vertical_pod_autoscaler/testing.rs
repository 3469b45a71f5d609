//! Objects for tests of the Vertical Pod Autoscaler.

use crate::api::autoscaling::ScaleTarget;
use crate::api::pod::{Container, Pod, PodSpec};
use crate::api::vertical_pod_autoscaler::*;
use crate::units::{MilliCpu, SimTime};
use std::sync::Arc;

/// A container with request and limit of CPU; 0: none.
pub fn container(name: &str, request: i64, limit: i64) -> Container {
    let mut container = Container { name: name.into(), ..Container::default() };
    container.requests.cpu = MilliCpu(request);
    container.cpu_limit = (limit > 0).then_some(MilliCpu(limit));
    container
}

/// A pod that was started at once.
pub fn pod(containers: Vec<Container>) -> Pod {
    let spec = Arc::new(PodSpec { containers, ..PodSpec::default() });
    let labels = Default::default();
    let mut pod = Pod::pending("default".into(), "a".into(), labels, spec, SimTime::ZERO);
    pod.started = SimTime::ZERO;
    pod
}

/// A policy that changes nothing.
pub fn policy(container: &str) -> ContainerPolicy {
    ContainerPolicy {
        container: container.into(),
        is_off: false,
        min: CpuAndMemory::default(),
        max: CpuAndMemory::default(),
        controls: [true; 2],
        requests_only: false,
    }
}

/// An object that recommends so much CPU for a container, and half and twice as bounds.
pub fn recommending(container: &str, milli: i64) -> Vpa {
    let cpu = |milli| CpuAndMemory { cpu: Some(MilliCpu(milli)), memory: None };
    Vpa {
        name: "web".into(),
        namespace: "default".into(),
        created: SimTime::ZERO,
        target_kind: "Deployment",
        target_name: "web".into(),
        target: ScaleTarget::default(),
        update_mode: Some(UpdateMode::Recreate),
        min_replicas: None,
        eviction_requirements: Vec::new(),
        policies: Vec::new(),
        status: VpaStatus {
            recommendation: vec![ContainerRecommendation {
                container: container.into(),
                target: cpu(milli),
                lower_bound: cpu(milli / 2),
                upper_bound: cpu(milli * 2),
                uncapped_target: cpu(milli),
            }],
            conditions: Vec::new(),
        },
    }
}
