//! Services whose requests stay near: `spec.trafficDistribution`.
//!
//! What each proxy uses is in [`super::hints`]; here requests are rates, from where clients and
//! calling pods are. Who is where it is told; it does not know nodes, nor what zones are.

use super::hints::{Hinted, Place, parts_by_gate};
use super::network::Network;
use super::station::Station;
use crate::api::service::TrafficDistribution;
use crate::api::{NodeId, PodId, Text};
use crate::units::SimTime;
use std::collections::BTreeMap;

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

    /// So many requests a second of a crowd come to these places.
    fn spread(&self, crowd: &Crowd, rate: f64, by_node: bool, origins: &mut Vec<(Place, f64)>) {
        let gates = self.gates.iter().map(|(zone, here)| (*zone, here.len()));
        for ((zone, here), part) in self.gates.iter().zip(parts_by_gate(&crowd.zones, gates)) {
            let rate = rate * part;
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

    /// The shares of the clients of each entry by the numbers of their zones, if that is known.
    pub(super) fn zones_of_clients(&self) -> Option<impl Iterator<Item = Vec<(usize, f64)>> + '_> {
        self.near.as_ref().map(|near| near.crowds.iter().map(|crowd| crowd.zones.clone()))
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
        if let Some(singly) = &mut self.singly {
            singly.engine.set_distribution(service, rule);
        }
    }

    /// A pod is on this node, in the zone of this name, before it is first routed to.
    pub fn set_place(&mut self, pod: PodId, node: Option<NodeId>, zone: &str) {
        if let Some(near) = &mut self.near {
            let zone = near.zone(zone);
            let place = *near.places.entry(pod).or_insert(Place { zone, node });
            if let Some(singly) = &mut self.singly {
                singly.set_place(pod, place);
            }
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
        if let Some(singly) = &mut self.singly {
            let gates = near.gates.iter().map(|(zone, nodes)| (*zone, nodes.clone()));
            singly.engine.set_gates(gates.collect());
        }
    }

    /// Clients of an entry of the traffic ask so often a second, before any retry; `service`:
    /// the one whose proxies route their requests.
    pub fn set_crowd(&mut self, entry: usize, service: Option<usize>, rate: f64) {
        if let Some(near) = &mut self.near {
            (near.crowds[entry].service, near.crowds[entry].rate) = (service, rate);
        }
        if let Some(singly) = &mut self.singly {
            singly.engine.set_proxied(entry, service.is_some());
        }
    }

    /// Shares of a Service's pods in what proxies share out, in the order of those that are routed
    /// to; `None`: each as much.
    pub(super) fn near_shares(&self, service: usize) -> Option<Vec<f64>> {
        let near = self.near.as_deref()?;
        let rule = *near.rules.get(&service)?;
        let endpoints = self.places_behind(near, service);
        let origins = self.origins(near, service);
        let mut shares = Hinted::new(Some(rule), endpoints).share(&origins);
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
            let (told, leave) = Hinted::new(rule, endpoints).crossing(&origins);
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
        let one_by_one = self.singly.as_mut().map(|singly| singly.engine.take_crossing());
        let (all, left) = one_by_one.unwrap_or_default();
        let counted = self.near.as_mut().map(|near| std::mem::take(&mut near.counted))?;
        Some((counted.0 + all as f64, counted.1 + left as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::super::station::tests::pod;
    use super::super::wiring::Calls;
    use super::*;
    use crate::scenario::graph::model::{Call, Patience, Step};
    use TrafficDistribution::PreferSameNode;
    use slotmap::SlotMap;

    /// Some nodes.
    fn nodes() -> [NodeId; 4] {
        let mut nodes: SlotMap<NodeId, ()> = SlotMap::with_key();
        [(); 4].map(|()| nodes.insert(()))
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
