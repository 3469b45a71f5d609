//! The quality of service that a pod gets of its node: by what it requests and what limits it has.
//!
//! Source: kubernetes `pkg/apis/core/v1/helper/qos/qos.go` (`ComputePodQOS`), v1.37.

use super::pod::{Container, PodSpec};

/// `status.qosClass`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Qos {
    /// It requests nothing and has no limits.
    BestEffort,
    /// Anything between the other two.
    Burstable,
    /// Every container has limits of CPU and memory, and requests just these.
    Guaranteed,
}

impl Qos {
    /// As in `status.qosClass`.
    pub fn as_str(self) -> &'static str {
        match self {
            Qos::BestEffort => "BestEffort",
            Qos::Burstable => "Burstable",
            Qos::Guaranteed => "Guaranteed",
        }
    }

    /// The class of a pod.
    pub fn of(spec: &PodSpec) -> Qos {
        let all = || spec.containers.iter().chain(&spec.init_containers);
        let asks = |c: &Container| {
            let requests = c.requests.cpu.0 > 0 || c.requests.memory.0 > 0;
            requests || c.cpu_limit.is_some() || c.memory_limit.is_some()
        };
        let is_sure = |c: &Container| {
            c.cpu_limit.is_some_and(|limit| limit.0 > 0 && limit == c.requests.cpu)
                && c.memory_limit.is_some_and(|limit| limit.0 > 0 && limit == c.requests.memory)
        };
        if spec.pod_requests.is_none() && !all().any(asks) {
            Qos::BestEffort
        } else if all().all(is_sure) {
            Qos::Guaranteed
        } else {
            Qos::Burstable
        }
    }
}
