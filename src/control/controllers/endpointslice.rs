//! Endpoints.
use super::action::{Action, Outcome};
use crate::api::{PodId, ServiceId};
use crate::store::Store;

/// Syncs one Service.
pub fn sync(id: ServiceId, store: &Store) -> Outcome {
    let mut outcome = Outcome::idle();
    let Some(service) = store.service(id) else { return outcome };
    let Some(selector) = &service.selector else { return outcome };
    let mut endpoints: Vec<PodId> = Vec::new();
    for (set_id, set) in store.replica_sets() {
        if set.namespace != service.namespace || !selector.matches(&set.template.labels) {
            continue;
        }
        endpoints.extend(
            store
                .pods_of(set_id)
                .iter()
                .filter(|p| store.pod(**p).is_some_and(|p| p.ready && p.deletion.is_none())),
        );
    }
    endpoints.sort_unstable();
    if endpoints != service.endpoints {
        outcome.then(Action::Endpoints { service: id, endpoints });
    }
    outcome
}
