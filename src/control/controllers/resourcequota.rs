//! The resourcequota controller: counts again what a quota's namespace has.
//!
//! Source: kubernetes `pkg/controller/resourcequota/resource_quota_controller.go`
//! (`syncResourceQuota`), v1.37, and recordings. Admission adds to `status.used`; this alone takes
//! away, when something has gone or ended, and makes `status.hard` what the spec says.

use super::action::{Action, Outcome};
use crate::api::QuotaId;
use crate::api::quantity::Quantity;
use crate::api::quota::{is_of_pods, kind_counted_as, storage_of};
use crate::store::Store;

/// Syncs one quota.
pub fn sync(id: QuotaId, store: &Store) -> Outcome {
    let mut outcome = Outcome::idle();
    let Some(quota) = store.quota(id) else { return outcome };
    let mut used = quota.usage_of_all(store.pods_in(&quota.namespace).map(|(_, pod)| pod));
    for name in quota.hard.keys().filter(|name| !is_of_pods(name)) {
        let amount = match kind_counted_as(name) {
            Some(kind) => Quantity::of(store.count_in(&quota.namespace, kind) as i64),
            None => storage_in(store, &quota.namespace, name),
        };
        used.insert(name.clone(), amount);
    }
    if (&quota.known, &quota.used) != (&quota.hard, &used) {
        let known = quota.hard.clone();
        outcome.then(Action::QuotaStatus { quota: id, known, used, basis: quota.version });
    }
    outcome
}

/// What the claims of a namespace come to under a name.
fn storage_in(store: &Store, namespace: &str, name: &str) -> Quantity {
    let mut sum = Quantity::default();
    let claims = store.claims().filter(|(_, claim)| *claim.namespace == *namespace);
    for (_, claim) in claims {
        sum += storage_of(name, claim.object.as_deref()).unwrap_or_default();
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::amounts::printed;
    use crate::api::convert::quota::resource_quota;
    use crate::api::pod::PodPhase;
    use crate::control::controllers::testing::Bench;
    use serde_json::json;

    #[test]
    fn what_is_there_is_counted_again() {
        let mut bench = Bench::new();
        let set = bench.replica_set("web", 3);
        let node = bench.node("n", "z");
        let pods = [bench.ready_pod(set, node), bench.ready_pod(set, node), bench.pod(set)];
        let given = json!({"metadata": {"name": "q"}, "spec": {"hard": {
            "pods": "5", "count/pods": "9", "requests.cpu": "4", "count/replicasets.apps": "2"}}});
        let given = serde_json::from_value(given).unwrap();
        let id = bench.store.create_quota(resource_quota(&given, "default", &mut Vec::new()));
        let count = |bench: &mut Bench| {
            bench.apply(&sync(id, &bench.store));
            printed(&bench.store.quota(id).unwrap().used)
        };
        let all = "count/pods=3,count/replicasets.apps=1,pods=3,requests.cpu=3";
        assert_eq!(count(&mut bench), all, "all that is there");
        bench.store.set_pod_phase(pods[0], PodPhase::Failed);
        let without = "count/pods=3,count/replicasets.apps=1,pods=2,requests.cpu=2";
        assert_eq!(count(&mut bench), without, "what has ended is only counted as an object");
        bench.store.remove_pod(pods[1]);
        let rest = "count/pods=2,count/replicasets.apps=1,pods=1,requests.cpu=1";
        assert_eq!(count(&mut bench), rest, "what is gone is free");
        assert!(sync(id, &bench.store).batches.is_empty(), "then it is at rest");
    }

    #[test]
    fn a_count_that_missed_something_is_refused() {
        let mut bench = Bench::new();
        let given = json!({"metadata": {"name": "q"}, "spec": {"hard": {"pods": "5"}}});
        let given = serde_json::from_value(given).unwrap();
        let id = bench.store.create_quota(resource_quota(&given, "default", &mut Vec::new()));
        let outcome = sync(id, &bench.store);
        bench.store.charge_quota(id, &Default::default());
        bench.apply(&outcome);
        assert!(bench.store.quota(id).unwrap().known.is_empty());
    }
}
