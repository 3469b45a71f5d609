//! Networks held against counts and sums by hand.

use super::super::station;
use super::*;
use slotmap::SlotMap;

#[test]
fn an_endpoint_is_small() {
    // There is one for each pod.
    assert_eq!(size_of::<Endpoint>(), 16);
}

/// Pods with one server of 10 ms.
fn pod() -> PodModel {
    PodModel { wait_max: 0.5, bounds: (0.51, f64::INFINITY), ..station::tests::pod() }
}

#[test]
fn a_pod_that_went_counts_as_dead_until_nobody_routes_to_it() {
    let s = SimTime::from_secs;
    let mut ids: SlotMap<PodId, ()> = SlotMap::with_key();
    let mut network = Network::new(vec![pod()], vec![Some(0), Some(0)], vec![Vec::new()]);
    network.set_external(s(0), 0, 10.0);
    let join = |network: &mut Network, id: PodId, now: SimTime| {
        network.add_pod(id, 0);
        network.set_alive(now, id, true);
        network.route(now, 0, id, true);
        network.route(now, 1, id, true);
    };
    let (a, b) = (ids.insert(()), ids.insert(()));
    join(&mut network, a, s(0));
    join(&mut network, b, s(0));
    network.settle(s(0));
    assert_eq!(network.stations[0].endpoints(), (2, 0));
    ids.remove(a);
    network.remove_pod(s(1), a);
    // The new pod takes the place of the one that is gone.
    let c = ids.insert(());
    join(&mut network, c, s(1));
    network.settle(s(1));
    assert_eq!(network.stations[0].endpoints(), (2, 1), "a is routed to, and dead");
    network.route(s(2), 0, a, false);
    network.settle(s(2));
    assert_eq!(network.stations[0].endpoints(), (2, 1), "the second Service still does");
    network.route(s(3), 1, a, false);
    network.settle(s(3));
    assert_eq!(network.stations[0].endpoints(), (2, 0));
    network.route(s(4), 1, a, true);
    network.settle(s(4));
    assert_eq!(network.stations[0].endpoints(), (2, 0), "nobody routes to a pod long gone");
    assert_eq!(network.miscounted(), None);
    network.dead[0] += 1;
    assert!(network.miscounted().is_some(), "a recount that finds nothing proves nothing");
}

#[test]
fn a_rate_counts_from_when_it_is_set() {
    let s = SimTime::from_secs;
    let mut ids: SlotMap<PodId, ()> = SlotMap::with_key();
    let mut network = Network::new(vec![pod()], vec![Some(0)], vec![Vec::new()]);
    let id = ids.insert(());
    network.add_pod(id, 0);
    network.set_alive(s(0), id, true);
    network.route(s(0), 0, id, true);
    let rows = [
        ("ten seconds of ten", s(10), 10.0, 0.0, 100.0, 0.0),
        ("then ten of forty, of which a quarter reaches nobody", s(20), 30.0, 10.0, 400.0, 100.0),
        ("and ten of nothing", s(30), 0.0, 0.0, 0.0, 0.0),
    ];
    for (sentence, until, rate, unrouted, offered, failed) in rows {
        let from = SimTime(until.0 - s(10).0);
        network.set_external(from, 0, rate);
        network.set_unrouted(from, unrouted);
        network.settle(from);
        // The next rate is known before anybody asks for what came at the last one.
        network.set_external(until, 0, 1000.0);
        network.set_unrouted(until, 1000.0);
        let tally = network.take_entries(until);
        assert_eq!(tally.offered, offered, "{sentence}");
        // A queue drops a request in a hundred billion.
        assert!((tally.failed - failed).abs() < 1e-9, "{sentence}: {} failed", tally.failed);
    }
}
