//! Endpoints are the ready pods, wherever nothing that changed is still under way.

use super::{Finding, View};
use crate::api::PodId;
use crate::api::pod::Pod;
use crate::api::service::Service;
use crate::units::SimTime;
use std::ops::Range;

/// The first of these Services whose endpoints are not its ready pods.
pub(super) fn stale(view: &View<'_>, services: Range<usize>) -> Finding {
    let asked = view.store.services().skip(services.start).take(services.len());
    for (_, service) in asked.filter(|(id, _)| (view.settled)(*id)) {
        let Some(selector) = &service.selector else { continue };
        let mut ready: Vec<PodId> = view
            .store
            .pods()
            .filter(|(_, pod)| belongs(pod, service) && selector.matches(&pod.labels))
            .map(|(id, _)| id)
            .collect();
        ready.sort_unstable();
        if ready != service.endpoints {
            let found = format!(
                "{} has {} endpoints and {} ready pods",
                service.name,
                service.endpoints.len(),
                ready.len()
            );
            return Some(("endpoints are the ready pods", found));
        }
    }
    None
}

/// Whether a pod of the right labels can be reached through the Service.
fn belongs(pod: &Pod, service: &Service) -> bool {
    let runs = pod.node.is_some() && pod.started != SimTime::NEVER && !pod.phase.is_terminal();
    let ready = pod.ready && pod.deletion.is_none();
    pod.namespace == service.namespace && runs && (ready || service.publish_not_ready)
}
