//! Endpoints are the ready pods, once everything under way has arrived.

use super::Finding;
use crate::api::PodId;
use crate::store::Store;

/// The first Service whose endpoints are not its ready pods.
pub(super) fn stale(store: &Store) -> Finding {
    for (_, service) in store.services() {
        let Some(selector) = &service.selector else { continue };
        let mut ready: Vec<PodId> = store
            .pods()
            .filter(|(_, p)| p.namespace == service.namespace && p.deletion.is_none())
            .filter(|(_, p)| p.ready && p.node.is_some() && selector.matches(&p.labels))
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
