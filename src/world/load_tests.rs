//! The API server under more load than it can bear, in small worlds run to their end.

use super::outage_tests::{Told, delete_one, entry, world};
use crate::scenario::model::*;
use crate::units::SimDuration;

/// Others ask for 200 lists of 1,400 objects a second: 15 seconds of work for four workers.
fn overloaded(is_fair: bool, rate: f64) -> Scenario {
    let mut scenario = world();
    let api_server = &mut scenario.flags.api_server;
    (api_server.max_requests_inflight, api_server.max_mutating_requests_inflight) = (400, 200);
    (api_server.workers, api_server.enable_priority_and_fairness) = (4, is_fair);
    let load = ApiLoad { per_node: 0.0, rate, objects: Some(1400) };
    let load = entry(300, Some(900), Happening::ApiLoad(Box::new(load)));
    scenario.timeline = vec![load, entry(420, None, delete_one())];
    scenario
}

#[test]
fn a_pod_is_replaced_as_soon_as_somebody_can() {
    #[rustfmt::skip]
    let rows = [
        ("load that can be borne changes nothing", false, 40.0, true, 420.0..420.1, 0.999),
        ("levels keep seats for the control plane: it is slow, and works", true, 200.0, true, 424.0..450.0, 0.995),
        ("sharing one pool it waits until the load is over, and nodes go on sending requests to the pod that is gone", false, 200.0, false, 900.0..945.0, 0.95),
    ];
    for (sentence, is_fair, rate, leads, expected, served) in rows {
        for seed in 1..=5 {
            let told = Told::of(&overloaded(is_fair, rate), seed);
            assert_eq!(told.lost.is_empty(), leads, "{sentence}, seed {seed}: {:?}", told.lost);
            let created = told.created();
            assert_eq!(created.len(), 1, "{sentence}, seed {seed}: {created:?}");
            assert!(expected.contains(&created[0]), "{sentence}, seed {seed}: {created:?}");
            assert!(told.served > served, "traffic goes on: {sentence}: {}", told.served);
            assert_eq!(told.first("NodeNotReady"), None, "{sentence}");
            assert_eq!(told.ready.last().unwrap().1, 6, "{sentence}");
        }
    }
}

#[test]
fn leaders_give_up_when_they_are_not_answered_in_time() {
    for seed in 1..=5 {
        let told = Told::of(&overloaded(false, 200.0), seed);
        assert!(told.lost.iter().all(|at| (310.0..330.0).contains(at)), "{:?}", told.lost);
        assert!(told.elected.iter().all(|at| (900.0..940.0).contains(at)), "{:?}", told.elected);
        assert!(told.renewals_failed > 100, "kubelets go on trying: {}", told.renewals_failed);
    }
}

#[test]
fn healthy_nodes_are_called_silent_by_a_controller_that_outlives_their_leases() {
    for seed in 1..=5 {
        let mut scenario = overloaded(false, 200.0);
        scenario.flags.controller_manager.leader_elect = false;
        scenario.duration = SimDuration::from_secs(1800);
        let told = Told::of(&scenario, seed);
        let found = told.first("NodeNotReady").unwrap();
        assert!((340.0..375.0).contains(&found), "after the grace period: {found}");
        assert!(told.served < 0.9, "their pods are no endpoints any more: {}", told.served);
        let (_, pods, nodes) = *told.ready.last().unwrap();
        assert_eq!((pods, nodes), (6, 3), "and all is well once leases are renewed, seed {seed}");
    }
}
