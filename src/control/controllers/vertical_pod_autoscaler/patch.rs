//! What a recommendation means for a pod: capped by policies and limits, and put into its
//! specification.
//!
//! Source: kubernetes/autoscaler `vertical-pod-autoscaler/pkg/utils/vpa/capping.go`,
//! `limit_and_request_scaling.go` and
//! `pkg/admission-controller/resource/pod/recommendation/recommendation_provider.go`, 1.7.1. Not
//! modelled: recommendations are not made to fit LimitRanges.

use crate::api::autoscaling::Measured;
use crate::api::pod::{Container, PodSpec};
use crate::api::vertical_pod_autoscaler::{ContainerRecommendation, CpuAndMemory, Vpa};
use crate::units::{Bytes, MilliCpu};

/// What is recommended for a container of a pod; `None`: nothing is.
pub fn recommended(vpa: &Vpa, container: &Container) -> Option<ContainerRecommendation> {
    let of = |found: &&ContainerRecommendation| found.container == container.name;
    let mut found = vpa.status.recommendation.iter().find(of)?.clone();
    let policy = vpa.policy_of(&container.name);
    let cap = |amounts: CpuAndMemory| {
        let Some(policy) = policy else { return amounts };
        let capped = amounts.within(&policy.min, &policy.max);
        if !policy.requests_only {
            return capped;
        }
        // Limits stay: no more than they are can be requested.
        capped.map(|resource, amount| {
            limit(container, resource).map_or(amount, |limit| amount.min(limit))
        })
    };
    found.target = cap(found.target);
    found.lower_bound = cap(found.lower_bound);
    found.upper_bound = cap(found.upper_bound);
    Some(found)
}

/// What a container requests, in milli-CPU or bytes; `None`: nothing is said.
pub fn request(container: &Container, resource: Measured) -> Option<i64> {
    let (amount, is_zero) = match resource {
        Measured::Cpu => (container.requests.cpu.0, container.explicit_zero.cpu),
        Measured::Memory => (container.requests.memory.0, container.explicit_zero.memory),
    };
    (amount != 0 || is_zero).then_some(amount)
}

fn limit(container: &Container, resource: Measured) -> Option<i64> {
    match resource {
        Measured::Cpu => container.cpu_limit.map(|limit| limit.0),
        Measured::Memory => container.memory_limit.map(|limit| limit.0),
    }
}

/// A specification with what is recommended; `None`: that changes nothing.
pub fn patched(spec: &PodSpec, vpa: &Vpa) -> Option<PodSpec> {
    let mut changed = spec.clone();
    for container in &mut changed.containers {
        let Some(found) = recommended(vpa, container) else { continue };
        let keeps_limits =
            vpa.policy_of(&container.name).is_some_and(|policy| policy.requests_only);
        for resource in [Measured::Cpu, Measured::Memory] {
            let Some(target) = found.target.get(resource) else { continue };
            let before = (request(container, resource), limit(container, resource));
            set_request(container, resource, target);
            if let (false, Some(limit)) = (keeps_limits, proportional(before, target)) {
                set_limit(container, resource, limit);
            }
        }
    }
    (changed != *spec).then_some(changed)
}

/// The limit that is to a new request what the old limit was to the old request.
fn proportional((request, limit): (Option<i64>, Option<i64>), target: i64) -> Option<i64> {
    let limit = limit.filter(|limit| *limit > 0)?;
    match request.filter(|request| *request > 0) {
        _ if target == 0 => None,
        Some(request) if request != limit => {
            let scaled = i128::from(limit) * i128::from(target) / i128::from(request);
            Some(i64::try_from(scaled).unwrap_or(i64::MAX))
        }
        _ => Some(target),
    }
}

fn set_request(container: &mut Container, resource: Measured, amount: i64) {
    match resource {
        Measured::Cpu => {
            container.requests.cpu = MilliCpu(amount);
            container.explicit_zero.cpu = amount == 0;
        }
        Measured::Memory => {
            container.requests.memory = Bytes(amount);
            container.explicit_zero.memory = amount == 0;
        }
    }
}

fn set_limit(container: &mut Container, resource: Measured, amount: i64) {
    match resource {
        Measured::Cpu => container.cpu_limit = Some(MilliCpu(amount)),
        Measured::Memory => container.memory_limit = Some(Bytes(amount)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{container, policy, recommending};
    use super::*;

    #[test]
    fn new_pods_get_what_is_recommended() {
        let plain = || policy("a");
        // Request and limit of CPU before; policy; request and limit after, 400m recommended.
        let rows = [
            ("a request becomes what is recommended", (1000, 0), plain(), (400, 0)),
            ("so it does where nothing was requested", (0, 0), plain(), (400, 0)),
            ("a limit keeps its proportion", (1000, 1500), plain(), (400, 600)),
            ("one that was the request stays the request", (1000, 1000), plain(), (400, 400)),
            (
                "or it is left alone, and caps the request",
                (1000, 300),
                ContainerPolicy { requests_only: true, ..plain() },
                (300, 300),
            ),
            (
                "no less than is allowed",
                (1000, 0),
                ContainerPolicy { min: cpu(600), ..plain() },
                (600, 0),
            ),
            (
                "no more than is allowed, for a container without a policy of its own",
                (1000, 0),
                ContainerPolicy { max: cpu(250), ..policy("*") },
                (250, 0),
            ),
            (
                "the policy of another one does not matter",
                (1000, 0),
                ContainerPolicy { max: cpu(250), ..policy("b") },
                (400, 0),
            ),
        ];
        for (sentence, (request, limit), policy, expected) in rows {
            let mut vpa = recommending("a", 400);
            vpa.policies = vec![policy];
            let spec =
                PodSpec { containers: vec![container("a", request, limit)], ..PodSpec::default() };
            let found = patched(&spec, &vpa).unwrap_or(spec);
            let container = &found.containers[0];
            let limit = container.cpu_limit.map_or(0, |limit| limit.0);
            assert_eq!((container.requests.cpu.0, limit), expected, "{sentence}");
        }
        let mut vpa = recommending("a", 400);
        vpa.status.recommendation.clear();
        let spec = PodSpec { containers: vec![container("a", 1, 0)], ..PodSpec::default() };
        assert_eq!(patched(&spec, &vpa), None, "without a recommendation nothing changes");
    }

    use crate::api::vertical_pod_autoscaler::ContainerPolicy;

    fn cpu(milli: i64) -> CpuAndMemory {
        CpuAndMemory { cpu: Some(MilliCpu(milli)), memory: None }
    }
}
