//! Which pods the updater would change, and which of them first.
//!
//! Source: kubernetes/autoscaler
//! `vertical-pod-autoscaler/pkg/updater/priority/{priority_processor,update_priority_calculator,
//! scaling_direction_pod_eviction_admission}.go`, 1.7.1.

use super::patch::{recommended, request};
use crate::api::autoscaling::Measured;
use crate::api::container_status::Termination;
use crate::api::pod::{Container, Pod};
use crate::api::vertical_pod_autoscaler::{CpuAndMemory, EvictionRequirement, Vpa};
use crate::control::vpa_flags::VpaUpdaterFlags;
use crate::units::SimTime;
use std::cmp::Ordering;

const BOTH: [Measured; 2] = [Measured::Cpu, Measured::Memory];

/// How urgent a change is.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Priority {
    /// A container requests less than the lower or more than the upper bound.
    is_outside: bool,
    /// A container is to get more.
    scales_up: bool,
    /// How far requests are from what is recommended: the sum over CPU and memory of the part by
    /// which each would change.
    difference: f64,
}

impl Priority {
    /// Pods that need more come first, then those that change most.
    pub fn cmp(&self, other: &Priority) -> Ordering {
        let by_size = || self.difference.total_cmp(&other.difference);
        self.scales_up.cmp(&other.scales_up).then_with(by_size)
    }
}

/// How urgent it is to change a pod; `None`: it stays.
pub fn of(
    pod: &Pod,
    vpa: &Vpa,
    last: Option<Termination>,
    flags: &VpaUpdaterFlags,
    now: SimTime,
) -> Option<Priority> {
    let priority = measure(pod, vpa);
    let is_quick = |end: &Termination| {
        let known = end.started != SimTime::NEVER && end.finished != SimTime::NEVER;
        let lived = end.finished.since(end.started.min(end.finished));
        end.reason == "OOMKilled" && known && lived < flags.evict_after_oom_threshold
    };
    let is_on = |c: &Container| vpa.policy_of(&c.name).is_none_or(|policy| !policy.is_off);
    let quick_oom = last.as_ref().is_some_and(is_quick) && pod.spec.containers.iter().any(is_on);
    if !priority.is_outside && !quick_oom {
        let threshold = flags.in_recommendation_bounds_eviction_lifetime_threshold;
        let is_old = pod.started != SimTime::NEVER && pod.started + threshold <= now;
        if !is_old || priority.difference < flags.pod_update_threshold {
            return None;
        }
    }
    if quick_oom && priority.difference == 0.0 {
        return None;
    }
    is_admitted(pod, vpa).then_some(priority)
}

fn measure(pod: &Pod, vpa: &Vpa) -> Priority {
    let mut priority = Priority::default();
    let (mut requested, mut wanted) = ([0_i64; 2], [None::<i64>; 2]);
    for container in &pod.spec.containers {
        let Some(found) = recommended(vpa, container) else { continue };
        for (at, resource) in BOTH.into_iter().enumerate() {
            let Some(target) = found.target.get(resource) else { continue };
            *wanted[at].get_or_insert(0) += in_thousandths(resource, target);
            let Some(request) = request(container, resource) else {
                (priority.scales_up, priority.is_outside) = (true, true);
                continue;
            };
            requested[at] += in_thousandths(resource, request);
            priority.scales_up |= target > request;
            let bound = |bound: &CpuAndMemory| bound.get(resource);
            priority.is_outside |= bound(&found.lower_bound).is_some_and(|bound| request < bound)
                || bound(&found.upper_bound).is_some_and(|bound| request > bound);
        }
    }
    for (requested, wanted) in requested.into_iter().zip(wanted) {
        let Some(wanted) = wanted else { continue };
        let requested = (requested as f64).max(1.0);
        priority.difference += (requested - wanted as f64).abs() / requested;
    }
    priority
}

fn in_thousandths(resource: Measured, amount: i64) -> i64 {
    match resource {
        Measured::Cpu => amount,
        Measured::Memory => amount.saturating_mul(1000),
    }
}

/// Whether what the object demands of an eviction is so for a container of a pod at least.
fn is_admitted(pod: &Pod, vpa: &Vpa) -> bool {
    let requirements = &vpa.eviction_requirements;
    if vpa.update_mode.is_none() || requirements.is_empty() {
        return true;
    }
    let admits = |container: &Container| {
        let Some(found) = recommended(vpa, container) else { return false };
        let requests = BOTH.map(|resource| request(container, resource));
        let is_so = |requirement: &EvictionRequirement| {
            requirement.resources.iter().any(|resource| {
                let request = request(container, *resource).unwrap_or(0);
                let target = found.target.get(*resource).unwrap_or(0);
                if requirement.is_higher { target > request } else { target < request }
            })
        };
        requests.contains(&None) || requirements.iter().all(is_so)
    };
    pod.spec.containers.iter().any(admits)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{container, pod, recommending};
    use super::*;
    use crate::units::SimDuration;

    const HOUR: SimDuration = SimDuration::from_secs(3600);

    #[test]
    fn pods_are_changed_when_they_are_outside_or_old() {
        // 400m recommended, between 200m and 800m.
        let quick = Termination {
            reason: "OOMKilled",
            exit_code: 137,
            started: SimTime::ZERO,
            finished: SimTime::from_secs(60),
        };
        let slow = Termination { finished: SimTime::from_secs(6000), ..quick };
        let rows = [
            ("a young pod within the bounds stays", 500, 1, None, false),
            ("below the lower bound it goes", 150, 1, None, true),
            ("above the upper bound too", 900, 1, None, true),
            ("an old one within the bounds goes", 500, 12, None, true),
            ("unless it would hardly change", 410, 12, None, false),
            ("without a request it goes", 0, 1, None, true),
            ("one that was killed for its memory at once goes", 500, 1, Some(quick), true),
            ("not if that would not change it", 400, 1, Some(quick), false),
            ("nor if it lived for long before", 500, 1, Some(slow), false),
        ];
        let flags = VpaUpdaterFlags::default();
        let vpa = recommending("a", 400);
        for (sentence, request, hours, last, goes) in rows {
            let pod = pod(vec![container("a", request, 0)]);
            let now = SimTime::ZERO + HOUR * hours;
            assert_eq!(of(&pod, &vpa, last, &flags, now).is_some(), goes, "{sentence}");
        }
    }

    #[test]
    fn those_that_need_more_come_first() {
        let flags = VpaUpdaterFlags::default();
        let vpa = recommending("a", 400);
        let priority = |request: i64| {
            of(&pod(vec![container("a", request, 0)]), &vpa, None, &flags, SimTime::ZERO).unwrap()
        };
        let (up, far, near) = (priority(150), priority(4000), priority(900));
        assert!(up.cmp(&far) == Ordering::Greater && far.cmp(&near) == Ordering::Greater);
    }

    #[test]
    fn an_object_may_demand_a_direction() {
        let flags = VpaUpdaterFlags::default();
        let mut vpa = recommending("a", 400);
        let requirement =
            |is_higher| vec![EvictionRequirement { resources: vec![Measured::Cpu], is_higher }];
        for (request, is_higher, goes) in
            [(900, true, false), (900, false, true), (150, true, true), (150, false, false)]
        {
            vpa.eviction_requirements = requirement(is_higher);
            let mut container = container("a", request, 0);
            container.requests.memory = crate::units::Bytes::mebi(1);
            let found = of(&pod(vec![container]), &vpa, None, &flags, SimTime::ZERO);
            assert_eq!(found.is_some(), goes, "{request} {is_higher}");
        }
    }
}
