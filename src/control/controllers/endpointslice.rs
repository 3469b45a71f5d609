//! The endpointslice controller: which pods stand behind a Service.
//!
//! Source: kubernetes `pkg/controller/endpointslice/endpointslice_controller.go`, endpointslice
//! `reconciler.go` and `utils.go` (`podToEndpoint`), v1.37, and recordings. Slices of 100 endpoints
//! and terminating endpoints are not told apart: a Service has one sorted list of the pods whose
//! condition `ready` is true. The first sync of a Service looks at all pods that it selects; later
//! ones look only at those that the controller was told of, so a sync costs what changed. The check
//! of the endpoints recounts them from outside.

use super::action::{Action, Outcome};
use crate::api::pod::Pod;
use crate::api::service::Service;
use crate::api::{PodId, ServiceId};
use crate::store::Store;
use crate::units::SimTime;
use slotmap::SecondaryMap;

/// The controller's memory: the pods of each Service that changed since its last sync. A Service
/// that has not been synced is not in it.
#[derive(Clone, Debug, Default)]
pub struct EndpointSlices {
    changed: SecondaryMap<ServiceId, Vec<PodId>>,
}

impl EndpointSlices {
    /// Tells of a pod whose labels the Service selects, or has selected: it came, changed or went.
    pub fn pod_changed(&mut self, service: ServiceId, pod: PodId) {
        if let Some(changed) = self.changed.get_mut(service) {
            changed.push(pod);
        }
    }

    /// A Service is new or has another selector, or what was asked for it has not been done: its
    /// next sync looks at every pod.
    pub fn forget(&mut self, service: ServiceId) {
        self.changed.remove(service);
    }

    /// Syncs one Service.
    pub fn sync(&mut self, id: ServiceId, store: &Store) -> Outcome {
        let mut outcome = Outcome::idle();
        let Some(service) = store.service(id) else { return outcome };
        let Some(selector) = &service.selector else { return outcome };
        let mut asked = match self.changed.insert(id, Vec::new()) {
            Some(changed) => changed,
            None => {
                let selected = store.pods_matching(&service.namespace, selector);
                selected.map(|(id, _)| id).chain(service.endpoints.iter().copied()).collect()
            }
        };
        asked.sort_unstable();
        asked.dedup();
        let (mut comes, mut goes) = (Vec::new(), Vec::new());
        for pod in asked {
            let selects =
                |pod: &Pod| pod.namespace == service.namespace && selector.matches(&pod.labels);
            let is = store.pod(pod).is_some_and(|pod| selects(pod) && is_ready(pod, service));
            let was = service.endpoints.binary_search(&pod).is_ok();
            match (was, is) {
                (false, true) => comes.push(pod),
                (true, false) => goes.push(pod),
                _ => {}
            }
        }
        if !comes.is_empty() || !goes.is_empty() {
            outcome.then(Action::Endpoints { service: id, comes, goes });
        }
        outcome
    }
}

/// Whether a pod is an endpoint with condition `ready`: bound, with an address, not ended, ready
/// and not terminating; a Service may ask for its addresses whether ready or not.
fn is_ready(pod: &Pod, service: &Service) -> bool {
    let has_address = pod.node.is_some() && pod.started != SimTime::NEVER;
    let serves = service.publish_not_ready || (pod.ready && pod.deletion.is_none());
    has_address && serves && !pod.phase.is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::labels::{Labels, Selector};
    use crate::api::pod::PodPhase;
    use crate::control::controllers::testing::Bench;
    use proptest::prelude::*;

    fn service(bench: &mut Bench, namespace: &str, publish_not_ready: bool) -> ServiceId {
        bench.store.create_service(Service {
            name: "web".into(),
            namespace: namespace.into(),
            labels: Labels::default(),
            selector: Some(Selector::from_labels(&Labels::from([("app", "web")]))),
            publish_not_ready,
            ..Service::default()
        })
    }

    #[test]
    fn only_ready_pods_that_match_are_endpoints() {
        type Change = fn(&mut Bench, PodId);
        let rows: [(&str, Change, bool, bool); 6] = [
            ("a ready pod is an endpoint", |_, _| {}, true, true),
            (
                "one that is not ready is none, unless the Service publishes such",
                |b, p| b.store.set_pod_ready(p, false, b.now),
                false,
                true,
            ),
            (
                "a terminating pod leaves at once, though it still serves",
                |b, p| {
                    b.store.mark_pod_deleted(p, b.now);
                },
                false,
                true,
            ),
            (
                "an ended pod is none",
                |b, p| b.store.set_pod_phase(p, PodPhase::Failed),
                false,
                false,
            ),
            (
                "a pod has no address before its kubelet has seen it",
                |b, p| {
                    b.store.update_pod(p, |pod| {
                        (pod.started, pod.ready) = (SimTime::NEVER, false);
                        true
                    });
                },
                false,
                false,
            ),
            (
                "a pod that is gone is none",
                |b, p| {
                    b.store.remove_pod(p);
                },
                false,
                false,
            ),
        ];
        for (sentence, change, expected, published) in rows {
            let mut bench = Bench::new();
            let node = bench.node("n", "a");
            let set = bench.replica_set("web", 1);
            let pod = bench.ready_pod(set, node);
            let plain = service(&mut bench, "default", false);
            let publishing = service(&mut bench, "default", true);
            change(&mut bench, pod);
            for id in [plain, publishing] {
                let outcome = EndpointSlices::default().sync(id, &bench.store);
                bench.apply(&outcome);
            }
            let has = |id| bench.store.service(id).unwrap().endpoints.contains(&pod);
            assert_eq!(has(plain), expected, "{sentence}");
            assert_eq!(has(publishing), published, "{sentence} (publishNotReadyAddresses)");
        }
    }

    #[test]
    fn a_service_sees_only_its_namespace_and_its_labels() {
        let mut bench = Bench::new();
        let node = bench.node("n", "a");
        let (web, api) = (bench.replica_set("web", 1), bench.replica_set("api", 1));
        let mine = bench.ready_pod(web, node);
        bench.ready_pod(api, node);
        let here = service(&mut bench, "default", false);
        let elsewhere = service(&mut bench, "other", false);
        for id in [here, elsewhere] {
            let outcome = EndpointSlices::default().sync(id, &bench.store);
            bench.apply(&outcome);
        }
        assert_eq!(bench.store.service(here).unwrap().endpoints, [mine]);
        assert!(bench.store.service(elsewhere).unwrap().endpoints.is_empty());
        assert!(
            EndpointSlices::default().sync(here, &bench.store).batches.is_empty(),
            "nothing changed, nothing is written"
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 200,
            rng_seed: proptest::test_runner::RngSeed::Fixed(1),
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn looking_at_what_changed_finds_what_looking_at_all_does(
            steps in proptest::collection::vec((0u8..6, 0usize..8, any::<bool>()), 1..60)
        ) {
            let mut bench = Bench::new();
            let node = bench.node("n", "a");
            let set = bench.replica_set("web", 0);
            let mut pods: Vec<PodId> = (0..4).map(|_| bench.ready_pod(set, node)).collect();
            let id = service(&mut bench, "default", false);
            let mut controller = EndpointSlices::default();
            for (what, which, syncs) in steps {
                let pod = pods[which % pods.len()];
                let now = bench.now;
                let mut touched = pod;
                match what {
                    0 => bench.store.set_pod_ready(pod, false, now),
                    1 if bench.store.pod(pod).is_some_and(|p| p.node.is_some()) => {
                        bench.store.set_pod_ready(pod, true, now);
                    }
                    2 => _ = bench.store.mark_pod_deleted(pod, now),
                    3 => _ = bench.store.remove_pod(pod),
                    4 => touched = bench.ready_pod(set, node),
                    _ => touched = bench.pod(set),
                }
                pods.push(touched);
                controller.pod_changed(id, touched);
                if syncs {
                    let outcome = controller.sync(id, &bench.store);
                    bench.apply(&outcome);
                    let all = EndpointSlices::default().sync(id, &bench.store);
                    prop_assert!(all.batches.is_empty(), "{:?} is left", all.batches);
                }
            }
        }
    }
}
