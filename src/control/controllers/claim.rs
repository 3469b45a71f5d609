//! Whose a pod is: owners adopt pods that nobody controls and that their selector matches, and let
//! go of their own when it no longer does.
//!
//! Source: kubernetes `pkg/controller/controller_ref_manager.go` (`ClaimPods`), v1.37. The store
//! knows which pods come into question: few ever do.

use super::action::Action;
use crate::api::OwnerId;
use crate::api::owner::Owner;
use crate::store::Store;

/// What an owner asks for before it counts its pods: adoptions and releases, side by side.
pub fn claims(id: OwnerId, owner: &Owner, store: &Store) -> Vec<Action> {
    let mut requests = Vec::new();
    for pod_id in store.relabelled_pods() {
        let Some(pod) = store.pod(pod_id).filter(|pod| pod.owner == Some(id)) else { continue };
        if pod.deletion.is_none() && !owner.selector().matches(&pod.labels) {
            requests.push(Action::ReleasePod { pod: pod_id });
        }
    }
    if owner.deletion().is_some() {
        return requests;
    }
    for pod_id in store.orphans() {
        let Some(pod) = store.pod(pod_id).filter(|pod| pod.is_active()) else { continue };
        if pod.namespace == *owner.namespace() && owner.selector().matches(&pod.labels) {
            requests.push(Action::AdoptPod { pod: pod_id, owner: id });
        }
    }
    requests
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::labels::Labels;
    use crate::control::controllers::testing::{Bench, bare_pod, template};

    #[test]
    fn pods_are_adopted_and_released_by_their_labels() {
        let mut bench = Bench::new();
        let set = bench.replica_set("web", 1);
        let spec = template("web").spec;
        let labelled = |bench: &mut Bench, name: &str, app: &str| {
            let labels = Labels::from([("app", app)]);
            bench.store.create_pod(bare_pod(name, labels, spec.clone(), bench.now))
        };
        let (bare, other) = (labelled(&mut bench, "bare", "web"), labelled(&mut bench, "b", "x"));
        let asked = |bench: &Bench| {
            let owner = bench.store.owner(set).unwrap();
            let told = claims(set, owner, &bench.store);
            told.iter().map(|action| format!("{action:?}")).collect::<Vec<_>>()
        };
        let rows = asked(&bench);
        assert_eq!(rows.len(), 1, "only a pod that matches is adopted: {rows:?}");
        bench.store.set_pod_owner(bare, Some(set));
        assert!(asked(&bench).is_empty(), "then it is its own");
        bench.store.relabel_pod(bare, Labels::from([("app", "other")]));
        assert!(asked(&bench)[0].starts_with("ReleasePod"), "one that no longer matches is not");
        bench.store.set_pod_owner(bare, None);
        bench.store.relabel_pod(other, Labels::from([("app", "web")]));
        bench.store.mark_pod_deleted(other, bench.now);
        assert!(asked(&bench).is_empty(), "nobody adopts a pod that goes");
    }
}
