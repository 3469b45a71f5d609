//! Requests one by one that stay near: each has a place that it comes from, and goes to one of the
//! pods that the proxy there uses.
//!
//! A call comes from where its pod is, a client's request from a node that its zone has. Which
//! endpoints a proxy uses [`Hinted`] says. Here it is counted, too, how many requests leave their
//! zone. It does not know what zones are, nor who runs nodes.

use super::balance::Seating;
use super::draws::{Draws, Purpose, key_of};
use super::engine::Engine;
use super::inflight::{NONE, Origin};
use crate::api::NodeId;
use crate::api::service::TrafficDistribution;
use crate::world::traffic::hints::{Hint, Hinted, Place, parts_by_gate};
use std::collections::BTreeMap;

/// Who is where.
#[derive(Debug, Default)]
pub(super) struct Near {
    /// By pod.
    places: Vec<Place>,
    /// By Service.
    rules: BTreeMap<u32, TrafficDistribution>,
    /// By Service: what proxies use; `None`: it may be something else by now.
    used: Vec<Option<Used>>,
    /// By entry.
    crowds: Vec<Crowd>,
    /// Nodes that requests from outside may come to, by zone.
    gates: Vec<(Option<usize>, Vec<NodeId>)>,
    /// Requests between zones: in all, and those that leave theirs.
    crossing: (u64, u64),
}

/// Clients of an entry.
#[derive(Debug, Default)]
struct Crowd {
    /// Shares of zones; empty: each node gets as much.
    zones: Vec<(usize, f64)>,
    /// Chances of the gates' zones, one added to the other.
    doors: Vec<f64>,
    /// Proxies route their requests.
    is_proxied: bool,
}

/// The pods behind a Service by the hints that are for them, each list in the order of the pods.
#[derive(Debug)]
struct Used {
    hinted: Hinted,
    pods: BTreeMap<Hint, Vec<(u64, u32)>>,
}

impl Crowd {
    fn find_doors(&mut self, gates: &[(Option<usize>, Vec<NodeId>)]) {
        let gates = gates.iter().map(|(zone, here)| (*zone, here.len()));
        let mut so_far = 0.0;
        let doors = parts_by_gate(&self.zones, gates).map(|part| {
            so_far += part;
            so_far
        });
        self.doors = doors.collect();
    }

    /// Where somebody with this key comes from.
    fn place(&self, gates: &[(Option<usize>, Vec<NodeId>)], key: u64) -> Option<Place> {
        let mut draws = Draws::new(key, Purpose::Door);
        let all = *self.doors.last()?;
        let drawn = draws.unit() * all;
        let at = self.doors.partition_point(|door| *door < drawn).min(self.doors.len() - 1);
        let (zone, nodes) = &gates[at];
        Some(Place { zone: *zone, node: nodes.get(draws.below(nodes.len())).copied() })
    }
}

impl Near {
    /// What proxies use of a Service's pods may be something else by now.
    pub(super) fn routes_differ(&mut self, service: usize) {
        self.used[service] = None;
    }

    /// Nobody knows a pod any more: its place is another's.
    pub(super) fn forget(&mut self, pod: u32) {
        if let Some(place) = self.places.get_mut(pod as usize) {
            *place = Place::default();
        }
    }

    fn place(&self, pod: u32) -> Place {
        self.places.get(pod as usize).copied().unwrap_or_default()
    }

    /// The pods that a proxy there uses.
    fn used(&mut self, service: u32, routed: &[(u64, u32)], from: &Place) -> &[(u64, u32)] {
        let rule = self.rules.get(&service).copied();
        if self.used[service as usize].is_none() {
            let places = routed.iter().map(|(_, pod)| self.place(*pod)).collect();
            let hinted = Hinted::new(rule, places);
            let of = |places: &Vec<usize>| places.iter().map(|at| routed[*at]).collect();
            let pods = hinted.by.iter().map(|(hint, places)| (*hint, of(places))).collect();
            self.used[service as usize] = Some(Used { hinted, pods });
        }
        let used = self.used[service as usize].as_ref();
        used.and_then(|used| used.pods.get(&used.hinted.used(from))).map_or(&[], Vec::as_slice)
    }

    fn count(&mut self, from: &Place, pod: u32) {
        if let (Some(from), Some(to)) = (from.zone, self.place(pod).zone) {
            self.crossing.0 += 1;
            self.crossing.1 += u64::from(from != to);
        }
    }
}

impl Engine {
    /// From now on it is known who is where; `zones` are the shares of the clients of each entry,
    /// none: each node gets as much of its requests.
    pub fn follow_places(&mut self, zones: impl Iterator<Item = Vec<(usize, f64)>>) {
        let crowd = |zones| Crowd { zones, ..Crowd::default() };
        let used = self.fronts.iter().map(|_| None).collect();
        let crowds = zones.map(crowd).collect();
        self.near = Some(Box::new(Near { used, crowds, ..Near::default() }));
    }

    /// A Service's `trafficDistribution` from now on.
    pub fn set_distribution(&mut self, service: usize, rule: Option<TrafficDistribution>) {
        let Some(near) = &mut self.near else { return };
        match rule {
            Some(rule) => _ = near.rules.insert(service as u32, rule),
            None => _ = near.rules.remove(&(service as u32)),
        }
        near.routes_differ(service);
    }

    /// Where a pod is, before it is first routed to.
    pub(in crate::world::traffic) fn set_place(&mut self, pod: u32, place: Place) {
        if let Some(near) = &mut self.near {
            let n = near.places.len().max(pod as usize + 1);
            near.places.resize(n, Place::default());
            near.places[pod as usize] = place;
        }
    }

    /// Nodes that requests from outside may come to, by zone.
    pub fn set_gates(&mut self, gates: Vec<(Option<usize>, Vec<NodeId>)>) {
        if let Some(near) = &mut self.near {
            near.crowds.iter_mut().for_each(|crowd| crowd.find_doors(&gates));
            near.gates = gates;
        }
    }

    /// Whether proxies route the requests of an entry.
    pub fn set_proxied(&mut self, entry: usize, is_proxied: bool) {
        if let Some(near) = &mut self.near {
            near.crowds[entry].is_proxied = is_proxied;
        }
    }

    /// Requests between zones since the last call: in all, and those that left theirs.
    pub fn take_crossing(&mut self) -> (u64, u64) {
        self.near.as_mut().map(|near| std::mem::take(&mut near.crossing)).unwrap_or_default()
    }

    /// Sends a request whose place matters.
    pub(super) fn send_near(&mut self, service: u32, (key, again): (u64, u32), origin: Origin) {
        let Some(mut near) = self.near.take() else { return };
        let from = self.comes_from(&near, key, origin);
        let key_of_try = key.wrapping_add(u64::from(again) << 48);
        let client = self.client_of(service, key_of_try, origin);
        let front = &mut self.fronts[service as usize];
        let used = from.as_ref().map(|from| near.used(service, &front.routed, from));
        let draws = Draws::new(key_of_try, Purpose::Balance);
        let now = self.now;
        let found = front.seat(Seating { client, used, now }, draws, &self.pods);
        if let (Some(from), Some(pod)) = (&from, found) {
            near.count(from, pod);
        }
        self.near = Some(near);
        match found {
            Some(pod) => self.arrive(pod, key, origin),
            None => self.finds_nobody(service, origin),
        }
    }

    /// Where a request comes from; `None`: it passes no proxy, or comes to no node.
    fn comes_from(&self, near: &Near, key: u64, origin: Origin) -> Option<Place> {
        let (origin, pod) = match origin {
            Origin::Call(call) if self.calls.lives(call) => {
                let call = self.calls.get(call.place);
                (call.origin, call.pod)
            }
            other => (other, NONE),
        };
        if pod != NONE {
            return Some(near.place(pod));
        }
        let (entry, key) = match origin {
            Origin::Entry(entry) => (entry, key),
            // A user stays where they are.
            Origin::User { entry, user } => {
                (entry, key_of(self.entries[entry as usize].key, user.into()))
            }
            _ => return None,
        };
        let crowd = near.crowds.get(entry as usize).filter(|crowd| crowd.is_proxied)?;
        crowd.place(&near.gates, key)
    }
}

#[cfg(test)]
mod tests {
    use super::super::arrivals::POISSON;
    use super::super::draws::Law;
    use super::super::{CallPlan, EntryPlan, Plan, ServicePlan, StationPlan};
    use super::*;
    use crate::sim::rng::Streams;
    use crate::units::{SimDuration, SimTime};
    use TrafficDistribution::{PreferSameNode, PreferSameZone};
    use slotmap::SlotMap;

    type At = (char, usize);

    fn place((zone, node): At) -> Place {
        let mut nodes: SlotMap<NodeId, ()> = SlotMap::with_key();
        let nodes = [(); 6].map(|()| nodes.insert(()));
        Place { zone: "abc".find(zone), node: nodes.get(node).copied() }
    }

    /// Requests come to `callers`, each of which calls one of `callees`; without callers they come
    /// to those at once.
    fn engine(callers: &[At], callees: &[At], rule: Option<TrafficDistribution>) -> Engine {
        let quick = StationPlan::servers(100, SimDuration::from_micros(1), Law::Constant);
        let calls = StationPlan { steps: vec![vec![CallPlan::plain(1)]], ..quick.clone() };
        let service = |primary| ServicePlan { primary: Some(primary), ..ServicePlan::default() };
        let to = u32::from(callers.is_empty());
        let entry = |process| EntryPlan::Open { to, process, clients: None, addresses: None };
        let plan = Plan {
            stations: vec![calls, quick],
            services: vec![service(0), service(1)],
            entries: vec![entry(POISSON)],
        };
        let mut engine = Engine::new(&plan, &Streams::new(1));
        engine.follow_places([vec![(0, 0.75), (1, 0.25)]].into_iter());
        engine.set_distribution(1, rule);
        for (station, pods) in [callers, callees].into_iter().enumerate() {
            for at in pods {
                let pod = engine.add_pod(station as u32);
                engine.set_place(pod, place(*at));
                engine.set_alive(SimTime::ZERO, pod, true);
                engine.route(station, (u64::from(pod), pod), true);
            }
        }
        engine
    }

    /// What each callee has of some ten thousand requests, and which part of them left its zone.
    fn shares(engine: &mut Engine, callers: usize, callees: usize) -> (Vec<f64>, Option<f64>, f64) {
        engine.set_rate(SimTime::ZERO, 0, 10_000.0);
        engine.run(SimTime::from_secs(1));
        let served = (callers..callers + callees).map(|pod| engine.served_by(pod as u32) as f64);
        let served: Vec<f64> = served.collect();
        let all: f64 = served.iter().sum();
        let (known, left) = engine.take_crossing();
        let crossing = (known > 0).then(|| left as f64 / known as f64);
        (served.iter().map(|n| n / all).collect(), crossing, all)
    }

    fn near(found: f64, expected: f64, of: f64) -> bool {
        // Four standard deviations of a share.
        (found - expected).abs() <= 4.0 * (expected * (1.0 - expected) / of).sqrt()
    }

    #[test]
    fn clients_come_to_nodes_of_their_zones_and_stay_near() {
        type Row<'a> = (
            &'a str,
            Option<TrafficDistribution>,
            &'a [At],
            (&'a [At], bool),
            &'a [f64],
            Option<f64>,
        );
        let pods = &[('a', 0), ('b', 2), ('b', 3)];
        let nodes: &[At] = &[('a', 0), ('b', 2), ('b', 3)];
        let third = 1.0 / 3.0;
        #[rustfmt::skip]
        let rows: [Row<'_>; 8] = [
            ("clients of a zone reach its pods", Some(PreferSameZone), pods, (nodes, true),
             &[0.75, 0.125, 0.125], Some(0.0)),
            ("without a preference they reach all, most of them elsewhere", None, pods,
             (nodes, true), &[third; 3], Some(0.75 * 2.0 / 3.0 + 0.25 / 3.0)),
            ("where a zone has no nodes its clients come to all", Some(PreferSameZone), pods,
             (&[('b', 2)], true), &[0.0, 0.5, 0.5], Some(0.0)),
            ("the node comes first", Some(PreferSameNode), pods, (&[('a', 0), ('b', 2)], true),
             &[0.75, 0.25, 0.0], Some(0.0)),
            ("then the zone", Some(PreferSameNode), pods, (&[('a', 0), ('b', 5)], true),
             &[0.75, 0.125, 0.125], Some(0.0)),
            ("then everybody", Some(PreferSameZone), pods, (&[('c', 5)], true), &[third; 3],
             Some(1.0)),
            ("what passes no proxy goes anywhere", Some(PreferSameZone), pods, (nodes, false),
             &[third; 3], None),
            ("without nodes each pod gets as much", Some(PreferSameZone), pods, (&[], true),
             &[third; 3], None),
        ];
        for (sentence, rule, pods, (gates, is_proxied), expected, crossing) in rows {
            let mut engine = engine(&[], pods, rule);
            let mut by_zone: BTreeMap<Option<usize>, Vec<NodeId>> = BTreeMap::new();
            for at in gates {
                by_zone.entry(place(*at).zone).or_default().extend(place(*at).node);
            }
            engine.set_gates(by_zone.into_iter().collect());
            engine.set_proxied(0, is_proxied);
            let (found, left, all) = shares(&mut engine, 0, pods.len());
            let holds = found.iter().zip(expected).all(|(a, b)| near(*a, *b, all));
            assert!(holds, "{sentence}: {found:?}");
            assert_eq!(left.is_some(), crossing.is_some(), "{sentence}: {left:?}");
            let gap = left.zip(crossing);
            assert!(gap.is_none_or(|(a, b)| near(a, b, all)), "{sentence}: {left:?}");
        }
    }

    #[test]
    fn calls_come_from_where_the_calling_pods_are() {
        type Row<'a> = (&'a str, &'a [At], &'a [At], &'a [f64]);
        #[rustfmt::skip]
        let rows: [Row<'_>; 4] = [
            ("each pod calls as much", &[('a', 0), ('a', 0), ('b', 1)], &[('a', 0), ('b', 1)],
             &[2.0 / 3.0, 1.0 / 3.0]),
            ("the node comes before the zone", &[('a', 0)], &[('a', 0), ('a', 1)], &[1.0, 0.0]),
            ("then comes the zone", &[('a', 2)], &[('a', 0), ('b', 1)], &[1.0, 0.0]),
            ("then everybody", &[('c', 2)], &[('a', 0), ('b', 1)], &[0.5, 0.5]),
        ];
        for (sentence, callers, callees, expected) in rows {
            let mut engine = engine(callers, callees, Some(PreferSameNode));
            let (found, _, all) = shares(&mut engine, callers.len(), callees.len());
            let holds = found.iter().zip(expected).all(|(a, b)| near(*a, *b, all));
            assert!(holds, "{sentence}: {found:?}");
        }
    }

    #[test]
    fn routes_and_rules_that_change_are_followed() {
        let mut engine = engine(&[('a', 0)], &[('a', 0), ('b', 1)], Some(PreferSameZone));
        let serve = |engine: &mut Engine, until: u64| {
            engine.set_rate(engine.now(), 0, 100.0);
            engine.run(SimTime::from_secs(until));
            [1, 2].map(|pod| engine.served_by(pod) > 0)
        };
        assert_eq!(serve(&mut engine, 1), [true, false], "the pod of the zone has them all");
        engine.route(1, (1, 1), false);
        assert_eq!(serve(&mut engine, 2), [true, true], "it is routed to no longer");
        let before = engine.served_by(1);
        engine.route(1, (1, 1), true);
        engine.set_distribution(1, None);
        engine.run(SimTime::from_secs(3));
        let others = engine.served_by(2);
        assert!(engine.served_by(1) > before, "it is back");
        engine.run(SimTime::from_secs(4));
        assert!(engine.served_by(2) > others, "and nobody stays near any more");
    }
}
