//! Workloads whose pods may be given other requests and limits than their manifests say at first.
//!
//! A VerticalPodAutoscaler does it, a manifest that is applied later, `kubectl set resources`, and
//! a LimitRange with defaults for what containers leave out. Pods of such a workload may be unlike,
//! so a run has to look at each for itself. It knows nothing of runs.

use super::bearers::{Bearer, bearer};
use super::kubectl::{self, Command};
use super::model::{Objects, TimelineEntry, Workload};
use crate::api::limit_range::LimitRange;
use crate::api::object::Object;
use crate::api::pod::{Container, PodSpec};
use crate::api::vertical_pod_autoscaler::UpdateMode;

/// All workloads, those of them marked.
pub(super) fn marked(
    mut workloads: Vec<Workload>,
    objects: &Objects,
    timeline: &[TimelineEntry],
) -> Vec<Workload> {
    let autoscaled = |workload: usize| {
        let mut all = objects.vpas.iter().filter(|(vpa, _)| vpa.mode() != UpdateMode::Off);
        all.any(|(_, target)| *target == workload)
    };
    for (index, (workload, bearer)) in workloads.iter_mut().zip(objects.bearers()).enumerate() {
        workload.is_resized = autoscaled(index)
            || kubectl::commands(timeline).any(|command| resizes(command, &bearer))
            || limits(objects, timeline).any(|limits| fills_in(limits, &bearer));
    }
    workloads
}

/// All LimitRanges, of the start and later.
fn limits<'a>(
    objects: &'a Objects,
    timeline: &'a [TimelineEntry],
) -> impl Iterator<Item = &'a LimitRange> {
    objects.applied.iter().chain(kubectl::applied(timeline)).filter_map(|object| match object {
        Object::LimitRange(limits) => Some(&**limits),
        _ => None,
    })
}

/// Whether a command gives pods of a workload other requests or limits.
fn resizes(command: &Command, of: &Bearer<'_>) -> bool {
    match command {
        Command::SetResources { target, .. } => of.is_target(target),
        Command::Apply { object, .. } => {
            let spec = match object {
                Object::Deployment(deployment) => Some(&*deployment.template.spec),
                other => bearer(other).map(|bearer| bearer.spec),
            };
            of.is_target(&object.target()) && spec.is_some_and(|spec| differ(spec, of.spec))
        }
        _ => false,
    }
}

/// Whether the containers of two specifications may use other amounts.
fn differ(one: &PodSpec, other: &PodSpec) -> bool {
    let sizes = |spec: &PodSpec| -> Vec<_> {
        let of = |c: &Container| (c.requests.cpu, c.requests.memory, c.cpu_limit, c.memory_limit);
        spec.containers.iter().map(of).collect()
    };
    sizes(one) != sizes(other)
}

/// Whether limits of a namespace say what a workload's containers leave out.
fn fills_in(limits: &LimitRange, of: &Bearer<'_>) -> bool {
    limits.namespace == *of.namespace
        && limits.limits.iter().filter(|item| !item.is_of_pod).any(|item| {
            of.spec.containers.iter().any(|container| {
                item.default.keys().any(|name| container.limited(name).is_none())
                    || item.default_request.keys().any(|name| container.requested(name).is_none())
            })
        })
}
