//! Services whose requests stay near: `spec.trafficDistribution`.
//!
//! Source: kubernetes `staging/src/k8s.io/endpointslice/trafficdist/trafficdist.go` (each ready
//! endpoint is hinted for its own zone, and for its own node where that is asked for) and
//! `pkg/proxy/topology.go` (`topologyModeFromHints`), v1.37: the proxy of a node uses the endpoints
//! that are hinted for the node, else those for its zone, else all; where one endpoint lacks such a
//! hint, that step is left out. Each proxy shares evenly among those that it uses, and does not
//! know how full they are.
//!
//! Who is where it is told; it does not know nodes, nor what zones are.

use super::network::Network;
use super::station::Station;
use crate::api::service::TrafficDistribution;
use crate::api::{NodeId, PodId, Text};
use crate::units::SimTime;
use std::collections::BTreeMap;

/// Where a request comes from, or a pod is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// The number of its zone; `None`: its node has no such label.
    zone: Option<usize>,
    /// Its node; of where requests come from only if it matters.
    node: Option<NodeId>,
}

/// What a proxy shares its requests among.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hint {
    Node(NodeId),
    Zone(usize),
    All,
}

/// Clients of one entry of the traffic.
#[derive(Clone, Debug, Default)]
struct Crowd {
    /// The Service whose proxies route their requests.
    service: Option<usize>,
    /// Requests a second, before any retry.
    rate: f64,
    /// Shares of zones; empty: each node gets as much.
    zones: Vec<(usize, f64)>,
}

/// Who is where, and which Services heed it.
#[derive(Clone, Debug, Default)]
pub(super) struct Near {
    /// By Service.
    rules: BTreeMap<usize, TrafficDistribution>,
    /// Names of the zones known so far.
    zones: Vec<Text>,
    places: BTreeMap<PodId, Place>,
    /// By station whose pods are all alike: how many live ones are at each place.
    live: Vec<BTreeMap<Place, u32>>,
    /// By entry of the traffic.
    crowds: Vec<Crowd>,
    /// Nodes that requests from outside may come to, by zone.
    gates: BTreeMap<Option<usize>, Vec<NodeId>>,
    /// Those may be others by now.
    gates_are_stale: bool,
    /// By Service: stations that call it, and how often a second.
    calls: Vec<Vec<(usize, f64)>>,
    /// Requests a second between zones at present: in all, and those that leave theirs.
    crossing: (f64, f64),
    /// Requests since the last time that somebody asked, likewise.
    counted: (f64, f64),
}

/// The endpoints of a Service, as proxies see them.
struct Hinted<'a> {
    endpoints: &'a [Place],
    /// What each hint stands for: places among the endpoints.
    by: BTreeMap<Hint, Vec<usize>>,
    heeds_nodes: bool,
    heeds_zones: bool,
}

impl Hinted<'_> {
    fn new(rule: Option<TrafficDistribution>, endpoints: &[Place]) -> Hinted<'_> {
        let asks_for_nodes = rule == Some(TrafficDistribution::PreferSameNode);
        let mut found = Hinted {
            endpoints,
            by: BTreeMap::new(),
            heeds_nodes: asks_for_nodes && endpoints.iter().all(|place| place.node.is_some()),
            heeds_zones: rule.is_some() && endpoints.iter().all(|place| place.zone.is_some()),
        };
        for (at, place) in endpoints.iter().enumerate() {
            for hint in found.hints(place) {
                found.by.entry(hint).or_default().push(at);
            }
        }
        found
    }

    /// Hints of an endpoint there, and what a proxy there looks for, first things first.
    fn hints(&self, place: &Place) -> impl Iterator<Item = Hint> + use<> {
        let node = place.node.filter(|_| self.heeds_nodes).map(Hint::Node);
        let zone = place.zone.filter(|_| self.heeds_zones).map(Hint::Zone);
        [node, zone, Some(Hint::All)].into_iter().flatten()
    }

    /// What a proxy there shares its requests among.
    fn used(&self, from: &Place) -> Hint {
        self.hints(from).find(|hint| self.by.contains_key(hint)).unwrap_or(Hint::All)
    }

    /// Requests a second of each endpoint, when so many come from each origin.
    fn share(&self, origins: &[(Place, f64)]) -> Vec<f64> {
        // What goes to the same ones is added up first: many may ask, and many be asked.
        let mut asked: BTreeMap<Hint, f64> = BTreeMap::new();
        for (from, rate) in origins {
            *asked.entry(self.used(from)).or_default() += rate;
        }
        let mut rates = vec![0.0; self.endpoints.len()];
        for (hint, rate) in asked {
            let used = self.by.get(&hint).map_or(&[][..], Vec::as_slice);
            used.iter().for_each(|at| rates[*at] += rate / used.len() as f64);
        }
        rates
    }

    /// Requests a second between zones: in all, and those that leave theirs.
    fn crossing(&self, origins: &[(Place, f64)]) -> (f64, f64) {
        let mut pods: BTreeMap<usize, f64> = BTreeMap::new();
        let zones = self.endpoints.iter().filter_map(|place| place.zone);
        zones.for_each(|zone| *pods.entry(zone).or_default() += 1.0);
        let (known, all) = (pods.values().sum::<f64>(), self.endpoints.len() as f64);
        let (mut told, mut leave) = (0.0, 0.0);
        for (from, rate) in origins {
            let Some(zone) = from.zone.filter(|_| all > 0.0) else { continue };
            if self.used(from) == Hint::All {
                told += rate * known / all;
                leave += rate * (known - pods.get(&zone).unwrap_or(&0.0)) / all;
            } else {
                told += rate;
            }
        }
        (told, leave)
    }
}

impl Near {
    /// The number of a zone; `None`: it has no name.
    fn zone(&mut self, name: &str) -> Option<usize> {
        if name.is_empty() {
            return None;
        }
        let known = self.zones.iter().position(|zone| **zone == *name);
        known.or_else(|| {
            self.zones.push(name.into());
            Some(self.zones.len() - 1)
        })
    }

    /// A pod of a station whose pods are all alike is live from now on, or no longer.
    pub(super) fn count_live(&mut self, station: usize, pod: PodId, comes: bool) {
        let place = self.places.get(&pod).copied().unwrap_or_default();
        let count = self.live[station].entry(place).or_default();
        *count = if comes { *count + 1 } else { *count - 1 };
        if *count == 0 {
            self.live[station].remove(&place);
        }
    }

    /// Nobody has called anybody yet.
    pub(super) fn forget_calls(&mut self) {
        self.calls.iter_mut().for_each(Vec::clear);
    }

    /// A station calls a Service so often a second.
    pub(super) fn note_call(&mut self, station: usize, service: usize, rate: f64) {
        self.calls[service].push((station, rate));
    }

    /// Nobody routes to a pod any more.
    pub(super) fn forget_place(&mut self, pod: PodId) {
        self.places.remove(&pod);
    }

    /// So many requests a second of a crowd come to these places: clients of a zone to its nodes,
    /// and where it has none, or nothing is said of zones, to each node as many.
    fn spread(&self, crowd: &Crowd, rate: f64, by_node: bool, origins: &mut Vec<(Place, f64)>) {
        let nodes: usize = self.gates.values().map(Vec::len).sum();
        let of = |zone: usize| {
            let own = crowd.zones.iter().filter(|(of, _)| *of == zone);
            own.map(|(_, share)| share).sum::<f64>()
        };
        let known: f64 = self.gates.keys().flatten().map(|zone| of(*zone)).sum();
        for (zone, here) in &self.gates {
            let anyhow = (1.0 - known).max(0.0) * here.len() as f64 / nodes as f64;
            let rate = rate * (zone.map_or(0.0, of) + anyhow);
            match by_node {
                true => origins.extend(here.iter().map(|node| {
                    (Place { zone: *zone, node: Some(*node) }, rate / here.len() as f64)
                })),
                false => origins.push((Place { zone: *zone, node: None }, rate)),
            }
        }
    }

    /// So many requests a second of a station's pods come from their places: as many of each pod
    /// as it serves.
    fn spread_calls(
        &self,
        (station, pods): (usize, &Station),
        rate: f64,
        origins: &mut Vec<(Place, f64)>,
    ) {
        let apart = pods.lanes().map(|(pod, queue)| {
            (self.places.get(&pod).copied().unwrap_or_default(), queue.rates().served)
        });
        let alike = self.live[station].iter().map(|(place, n)| (*place, f64::from(*n)));
        let parts: Vec<(Place, f64)> =
            if pods.is_apart() { apart.collect() } else { alike.collect() };
        let whole: f64 = parts.iter().map(|(_, part)| part).sum();
        if whole > 0.0 {
            origins.extend(parts.into_iter().map(|(place, part)| (place, rate * part / whole)));
        }
    }
}

impl Network {
    /// From now on it is known who is where; `zones` are the shares of the clients of each entry of
    /// the traffic, none: each node gets as much of its requests.
    pub fn follow_places<'a>(&mut self, zones: impl Iterator<Item = &'a [(Text, f64)]>) {
        let mut near = Near {
            live: vec![BTreeMap::new(); self.stations.len()],
            calls: vec![Vec::new(); self.fronts.len()],
            gates_are_stale: true,
            ..Near::default()
        };
        for shares in zones {
            let numbered =
                shares.iter().filter_map(|(zone, share)| Some((near.zone(zone)?, *share)));
            let zones = numbered.collect();
            near.crowds.push(Crowd { zones, ..Crowd::default() });
        }
        self.near = Some(Box::new(near));
    }

    /// Whether it is.
    pub fn follows_places(&self) -> bool {
        self.near.is_some()
    }

    /// A Service's `trafficDistribution` from now on.
    pub fn set_distribution(&mut self, service: usize, rule: Option<TrafficDistribution>) {
        let Some(near) = &mut self.near else { return };
        match rule {
            Some(rule) => _ = near.rules.insert(service, rule),
            None => _ = near.rules.remove(&service),
        }
    }

    /// A pod is on this node, in the zone of this name, before it is first routed to.
    pub fn set_place(&mut self, pod: PodId, node: Option<NodeId>, zone: &str) {
        if let Some(near) = &mut self.near {
            let zone = near.zone(zone);
            near.places.entry(pod).or_insert(Place { zone, node });
        }
    }

    /// Nodes that requests from outside come to may be others by now.
    pub fn gates_may_differ(&mut self) {
        if let Some(near) = &mut self.near {
            near.gates_are_stale = true;
        }
    }

    /// Whether that has been said since they were set.
    pub fn wants_gates(&self) -> bool {
        self.near.as_ref().is_some_and(|near| near.gates_are_stale)
    }

    /// Nodes that requests from outside may come to, and the names of their zones.
    pub fn set_gates<'a>(&mut self, gates: impl Iterator<Item = (NodeId, &'a str)>) {
        let Some(near) = &mut self.near else { return };
        near.gates.clear();
        near.gates_are_stale = false;
        for (node, zone) in gates {
            let zone = near.zone(zone);
            near.gates.entry(zone).or_default().push(node);
        }
    }

    /// Clients of an entry of the traffic ask so often a second, before any retry; `service`:
    /// the one whose proxies route their requests.
    pub fn set_crowd(&mut self, entry: usize, service: Option<usize>, rate: f64) {
        if let Some(near) = &mut self.near {
            (near.crowds[entry].service, near.crowds[entry].rate) = (service, rate);
        }
    }

    /// Shares of a Service's pods in what proxies share out, in the order of those that are routed
    /// to; `None`: each as much.
    pub(super) fn near_shares(&self, service: usize) -> Option<Vec<f64>> {
        let near = self.near.as_deref()?;
        let rule = *near.rules.get(&service)?;
        let endpoints = self.places_behind(near, service);
        let origins = self.origins(near, service);
        let mut shares = Hinted::new(Some(rule), &endpoints).share(&origins);
        let whole: f64 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= whole);
        (whole > 0.0).then_some(shares)
    }

    fn places_behind(&self, near: &Near, service: usize) -> Vec<Place> {
        let place = |pod: &PodId| near.places.get(pod).copied().unwrap_or_default();
        self.fronts[service].routed.iter().map(place).collect()
    }

    /// Where what proxies share out of a Service's requests comes from, requests a second.
    fn origins(&self, near: &Near, service: usize) -> Vec<(Place, f64)> {
        let by_node = near.rules.get(&service) == Some(&TrafficDistribution::PreferSameNode);
        let mut origins = Vec::new();
        for (entry, crowd) in near.crowds.iter().enumerate() {
            if crowd.service == Some(service) {
                let asked = self.wiring.as_ref().map(|wiring| wiring.asked_by(entry));
                near.spread(crowd, asked.unwrap_or(crowd.rate), by_node, &mut origins);
            }
        }
        for (station, rate) in &near.calls[service] {
            near.spread_calls((*station, &self.stations[*station]), *rate, &mut origins);
        }
        origins
    }

    /// From now on so many requests cross zones as at present.
    pub(super) fn note_crossing(&mut self) {
        let Some(mut near) = self.near.take() else { return };
        near.crossing = (0.0, 0.0);
        for service in 0..self.fronts.len() {
            if self.is_followed(service) {
                continue;
            }
            let endpoints = self.places_behind(&near, service);
            let rule = near.rules.get(&service).copied();
            let origins = self.origins(&near, service);
            let (told, leave) = Hinted::new(rule, &endpoints).crossing(&origins);
            near.crossing = (near.crossing.0 + told, near.crossing.1 + leave);
        }
        self.near = Some(near);
    }

    /// Recounts who is live where: the first station whose running counts are not the same.
    pub(super) fn misplaced(&self) -> Option<String> {
        let near = self.near.as_ref()?;
        let mut found = vec![BTreeMap::<Place, u32>::new(); near.live.len()];
        for (pod, endpoint) in &self.endpoints {
            if self.is_live(pod) {
                let place = near.places.get(&pod).copied().unwrap_or_default();
                *found[endpoint.station()].entry(place).or_default() += 1;
            }
        }
        let station = (0..found.len()).find(|station| near.live[*station] != found[*station])?;
        Some(format!("station {station}: live pods are not where they are said to be"))
    }

    /// Counts what has crossed zones in so many seconds.
    pub(super) fn count_crossing(&mut self, seconds: f64) {
        if let Some(near) = &mut self.near {
            near.counted.0 += near.crossing.0 * seconds;
            near.counted.1 += near.crossing.1 * seconds;
        }
    }

    /// Requests between zones since the last call: in all, and those that left theirs; both zones
    /// are known. `None`: it is not known who is where.
    pub fn take_crossing(&mut self, now: SimTime) -> Option<(f64, f64)> {
        self.advance_entries(now);
        self.near.as_mut().map(|near| std::mem::take(&mut near.counted))
    }
}

#[cfg(test)]
mod tests {
    use super::super::station::tests::pod;
    use super::super::wiring::Calls;
    use super::*;
    use crate::scenario::graph::model::{Call, Patience, Step};
    use TrafficDistribution::{PreferClose, PreferSameNode, PreferSameZone};
    use proptest::prelude::*;
    use slotmap::SlotMap;

    /// Some nodes.
    fn nodes() -> [NodeId; 4] {
        let mut nodes: SlotMap<NodeId, ()> = SlotMap::with_key();
        [(); 4].map(|()| nodes.insert(()))
    }

    /// A place by letter of its zone and number of its node.
    fn place(zone: char, node: usize) -> Place {
        let zone = "abc".find(zone);
        Place { zone, node: nodes().get(node).copied() }
    }

    #[test]
    fn proxies_use_endpoints_that_are_hinted_for_them() {
        const NONE: usize = 9;
        type At = (char, usize);
        type Row<'a> = (&'a str, TrafficDistribution, &'a [At], &'a [(At, f64)], &'a [f64]);
        #[rustfmt::skip]
        let rows: [Row<'_>; 11] = [
            ("requests stay in their zone", PreferSameZone,
             &[('a', 0), ('b', 1)], &[(('a', 2), 30.0), (('b', 1), 10.0)], &[30.0, 10.0]),
            ("the older name means the same", PreferClose,
             &[('a', 0), ('b', 1)], &[(('a', 2), 30.0), (('b', 1), 10.0)], &[30.0, 10.0]),
            ("the pods of a zone get the same", PreferSameZone,
             &[('a', 0), ('a', 1), ('b', 2)], &[(('a', 0), 30.0)], &[15.0, 15.0, 0.0]),
            ("from a zone without a pod they go to all", PreferSameZone,
             &[('a', 0), ('b', 1)], &[(('c', 2), 30.0), (('a', 0), 10.0)], &[25.0, 15.0]),
            ("so they do from a node without a zone", PreferSameZone,
             &[('a', 0), ('b', 1)], &[((' ', 2), 30.0)], &[15.0, 15.0]),
            ("one endpoint without a zone, and zones mean nothing", PreferSameZone,
             &[('a', 0), (' ', 1)], &[(('a', 0), 30.0)], &[15.0, 15.0]),
            ("nodes mean nothing where only zones are preferred", PreferSameZone,
             &[('a', 0), ('a', 1)], &[(('a', 0), 30.0)], &[15.0, 15.0]),
            ("requests stay on their node", PreferSameNode,
             &[('a', 0), ('a', 1), ('b', 2)], &[(('a', 0), 30.0)], &[30.0, 0.0, 0.0]),
            ("else in its zone, else they go to all", PreferSameNode,
             &[('a', 0), ('a', 1), ('b', 2)], &[(('a', 3), 30.0), (('c', 3), 30.0)],
             &[25.0, 25.0, 10.0]),
            ("one endpoint without a node, and nodes mean nothing", PreferSameNode,
             &[('a', 0), ('a', NONE)], &[(('a', 0), 30.0)], &[15.0, 15.0]),
            ("where there is nobody nobody gets anything", PreferSameZone,
             &[], &[(('a', 0), 30.0)], &[]),
        ];
        for (sentence, rule, endpoints, origins, expected) in rows {
            let endpoints: Vec<Place> = endpoints.iter().map(|(z, n)| place(*z, *n)).collect();
            let origins: Vec<(Place, f64)> =
                origins.iter().map(|((z, n), rate)| (place(*z, *n), *rate)).collect();
            assert_eq!(Hinted::new(Some(rule), &endpoints).share(&origins), expected, "{sentence}");
        }
    }

    /// An endpoint with hints.
    struct Slice {
        nodes: Vec<NodeId>,
        zones: Vec<usize>,
    }

    /// Endpoints that the proxy of a node in a zone uses, as upstream reads hints.
    fn reached(from: &Place, endpoints: &[Slice]) -> Vec<usize> {
        let own_node = |e: &Slice| from.node.is_some_and(|node| e.nodes.contains(&node));
        let own_zone = |e: &Slice| from.zone.is_some_and(|zone| e.zones.contains(&zone));
        let (mut all_nodes, mut a_node, mut all_zones, mut a_zone) = (true, false, true, false);
        for endpoint in endpoints {
            all_nodes &= !endpoint.nodes.is_empty();
            a_node |= own_node(endpoint);
            all_zones &= !endpoint.zones.is_empty();
            a_zone |= own_zone(endpoint);
        }
        let is_used = |endpoint: &Slice| match (all_nodes && a_node, all_zones && a_zone) {
            (true, _) => own_node(endpoint),
            (false, true) => own_zone(endpoint),
            (false, false) => true,
        };
        (0..endpoints.len()).filter(|at| is_used(&endpoints[*at])).collect()
    }

    /// Three nodes in zones, one without, and places whose node does not matter or is not known.
    fn any_place() -> impl Strategy<Value = Place> {
        let on_node = |node: usize| place(['a', 'a', 'b', ' '][node], node);
        prop_oneof![
            12 => (0..3_usize).prop_map(on_node),
            1 => Just(on_node(3)),
            4 => (0..3_usize).prop_map(|zone| Place { zone: Some(zone), node: None }),
        ]
    }

    proptest! {
        #[test]
        fn shares_are_those_of_request_after_request(
            rule in prop_oneof![
                Just(None), Just(Some(PreferClose)), Just(Some(PreferSameZone)),
                Just(Some(PreferSameNode)),
            ],
            endpoints in proptest::collection::vec(any_place(), 0..8),
            origins in proptest::collection::vec((any_place(), 0..50_u32), 0..8),
        ) {
            let (by_zone, by_node) = (rule.is_some(), rule == Some(PreferSameNode));
            let hinted = |place: &Place| Slice {
                nodes: place.node.filter(|_| by_node).into_iter().collect(),
                zones: place.zone.filter(|_| by_zone).into_iter().collect(),
            };
            let slices: Vec<Slice> = endpoints.iter().map(hinted).collect();
            let mut expected = vec![0.0; endpoints.len()];
            let mut between = [0.0, 0.0];
            for (from, requests) in &origins {
                let used = reached(from, &slices);
                for at in (0..*requests).flat_map(|_| &used) {
                    let chance = 1.0 / used.len() as f64;
                    expected[*at] += chance;
                    if let (Some(from), Some(to)) = (from.zone, endpoints[*at].zone) {
                        between[0] += chance;
                        between[1] += if from == to { 0.0 } else { chance };
                    }
                }
            }
            let rates: Vec<(Place, f64)> =
                origins.iter().map(|(from, n)| (*from, f64::from(*n))).collect();
            let services = Hinted::new(rule, &endpoints);
            let (all, crossing) = services.crossing(&rates);
            let gaps = [all - between[0], crossing - between[1]];
            prop_assert!(gaps.iter().all(|gap| gap.abs() < 1e-9), "{all}, {crossing}, {between:?}");
            let found = services.share(&rates);
            for (found, expected) in found.iter().zip(&expected) {
                prop_assert!((found - expected).abs() < 1e-9, "{found} for {expected}");
            }
            prop_assert_eq!(found.len(), expected.len());
        }
    }

    /// Callers with pods at places, and a Service that stays near with pods at places.
    struct Play {
        network: Network,
        callees: Vec<PodId>,
    }

    fn play(callers: &[(&str, usize)], callees: &[(&str, usize)], apart: bool) -> Play {
        let calls = vec![vec![(1, 1.0)], Vec::new()];
        let mut network = Network::new(vec![pod(), pod()], vec![Some(0), Some(1)], calls);
        network.stations[1].set_apart();
        if apart {
            network.stations[0].set_apart();
        }
        let shares = [("a".into(), 0.75), ("b".into(), 0.25)];
        network.follow_places([&shares[..], &[]].into_iter());
        network.set_distribution(1, Some(PreferSameNode));
        let mut ids: SlotMap<PodId, ()> = SlotMap::with_key();
        let mut all = Vec::new();
        for (station, places) in [callers, callees].into_iter().enumerate() {
            for (zone, node) in places {
                let id = ids.insert(());
                network.add_pod(id, station);
                network.set_place(id, nodes().get(*node).copied(), zone);
                network.set_alive(SimTime::ZERO, id, true);
                network.route(SimTime::ZERO, station, id, true);
                all.push(id);
            }
        }
        Play { network, callees: all.split_off(callers.len()) }
    }

    impl Play {
        /// Shares of each callee in ten requests a second, percent.
        fn rates(&mut self) -> Vec<f64> {
            self.network.settle(SimTime::ZERO);
            let lane = |pod: &PodId| self.network.stations[1].lane(*pod).rates().offered * 10.0;
            self.callees.iter().map(|pod| lane(pod).round()).collect()
        }
    }

    #[test]
    fn clients_come_to_nodes_of_their_zones() {
        type Nodes<'a> = &'a [(usize, &'a str)];
        type Row<'a> = (&'a str, usize, Nodes<'a>, &'a [f64], [f64; 2]);
        let rows: [Row<'_>; 5] = [
            (
                "clients of zones",
                0,
                &[(0, "a"), (2, "b"), (3, "b")],
                &[75.0, 13.0, 13.0],
                [100.0, 0.0],
            ),
            (
                "from all nodes as many",
                1,
                &[(0, "a"), (2, "b"), (3, "b")],
                &[33.0, 33.0, 33.0],
                [100.0, 0.0],
            ),
            (
                "clients of a zone without nodes come to all",
                0,
                &[(2, "b")],
                &[0.0, 100.0, 0.0],
                [100.0, 0.0],
            ),
            (
                "a node of a zone without a pod sends them to all zones",
                1,
                &[(1, "c"), (2, "b"), (3, "b")],
                &[11.0, 44.0, 44.0],
                [100.0, 33.0],
            ),
            ("without nodes each pod gets the same", 0, &[], &[33.0, 33.0, 33.0], [0.0, 0.0]),
        ];
        for (sentence, entry, gates, expected, between) in rows {
            let mut play = play(&[], &[("a", 0), ("b", 2), ("b", 3)], false);
            play.network.set_gates(gates.iter().map(|(node, zone)| (nodes()[*node], *zone)));
            play.network.set_external(SimTime::ZERO, 1, 10.0);
            play.network.set_crowd(entry, Some(1), 10.0);
            assert_eq!(play.rates(), expected, "{sentence}");
            let (all, crossing) = play.network.take_crossing(SimTime::from_secs(10)).unwrap();
            assert_eq!([all.round(), crossing.round()], between, "{sentence}: in ten seconds");
        }
    }

    #[test]
    fn calls_come_from_where_the_calling_pods_are() {
        type At<'a> = &'a [(&'a str, usize)];
        let rows: [(&str, At<'_>, At<'_>, &[f64]); 4] = [
            (
                "each pod calls as much",
                &[("a", 0), ("a", 0), ("b", 1)],
                &[("a", 0), ("b", 1)],
                &[67.0, 33.0],
            ),
            ("the node comes before the zone", &[("a", 0)], &[("a", 0), ("a", 1)], &[100.0, 0.0]),
            ("then comes the zone", &[("a", 2)], &[("a", 0), ("b", 1)], &[100.0, 0.0]),
            ("then everybody", &[("c", 2)], &[("a", 0), ("b", 1)], &[50.0, 50.0]),
        ];
        for (sentence, callers, callees, expected) in rows {
            for (apart, wired) in [(false, false), (true, false), (false, true), (true, true)] {
                let mut play = play(callers, callees, apart);
                if wired {
                    let call = Step { calls: vec![Call::plain(1, 1.0)] };
                    let calls = Calls { steps: vec![call], stops: true };
                    play.network.wire(vec![calls, Calls::default()], vec![Patience::default(); 2]);
                    play.network.set_asker(SimTime::ZERO, 0, Some(0), 10.0);
                }
                play.network.set_external(SimTime::ZERO, 0, 10.0);
                assert_eq!(play.rates(), expected, "{sentence}, {apart}, {wired}");
                // Who is gone calls nobody.
                let (pods, now) = (play.network.routed(0).to_vec(), SimTime::ZERO);
                pods.iter().for_each(|pod| play.network.set_alive(now, *pod, false));
                assert_eq!(play.rates().iter().sum::<f64>(), 0.0, "{sentence}, {apart}, {wired}");
                let near = play.network.near.as_ref().unwrap();
                assert!(near.live[0].is_empty(), "{sentence}: {:?} are left", near.live[0]);
                assert_eq!(play.network.miscounted(), None, "{sentence}");
                play.network.near.as_mut().unwrap().places.clear();
                assert!(play.network.miscounted().is_some(), "who is moved unseen is found");
            }
        }
    }
}
