//! Which endpoints of a Service the proxy of a node uses, by `spec.trafficDistribution`.
//!
//! Source: kubernetes `staging/src/k8s.io/endpointslice/trafficdist/trafficdist.go` (each ready
//! endpoint is hinted for its own zone, and for its own node where that is asked for) and
//! `pkg/proxy/topology.go` (`topologyModeFromHints`), v1.37: the proxy of a node uses the endpoints
//! that are hinted for the node, else those for its zone, else all; where one endpoint lacks such a
//! hint, that step is left out. Each proxy shares evenly among those that it uses, and does not
//! know how full they are.
//!
//! It serves rates and single requests alike, and does not know where requests come from.

use crate::api::NodeId;
use crate::api::service::TrafficDistribution;
use std::collections::BTreeMap;

/// Where a request comes from, or a pod is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The number of its zone; `None`: its node has no such label.
    pub(super) zone: Option<usize>,
    /// Its node; of where requests come from only if it matters.
    pub(super) node: Option<NodeId>,
}

/// Parts of some clients that come to the nodes of each zone. `gates` are zones, and how many nodes
/// each has; `zones` the shares of the clients' own. Clients of a zone come to its nodes, and where
/// it has none, or nothing is said of zones, to each node as many.
pub(super) fn parts_by_gate(
    zones: &[(usize, f64)],
    gates: impl Iterator<Item = (Option<usize>, usize)> + Clone,
) -> impl Iterator<Item = f64> {
    let nodes: usize = gates.clone().map(|(_, here)| here).sum();
    let of = |zone: usize| {
        let own = zones.iter().filter(|(of, _)| *of == zone);
        own.map(|(_, share)| share).sum::<f64>()
    };
    let known: f64 = gates.clone().filter_map(|(zone, _)| zone).map(of).sum();
    gates.map(move |(zone, here)| {
        let anyhow = (1.0 - known).max(0.0) * here as f64 / nodes as f64;
        zone.map_or(0.0, of) + anyhow
    })
}

/// What a proxy shares its requests among.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Hint {
    Node(NodeId),
    Zone(usize),
    All,
}

/// The endpoints of a Service, as proxies see them.
#[derive(Clone, Debug)]
pub(super) struct Hinted {
    endpoints: Vec<Place>,
    /// What each hint stands for: places among the endpoints.
    pub(super) by: BTreeMap<Hint, Vec<usize>>,
    heeds_nodes: bool,
    heeds_zones: bool,
}

impl Hinted {
    /// Endpoints of a Service with this rule.
    pub(super) fn new(rule: Option<TrafficDistribution>, endpoints: Vec<Place>) -> Hinted {
        let asks_for_nodes = rule == Some(TrafficDistribution::PreferSameNode);
        let mut found = Hinted {
            by: BTreeMap::new(),
            heeds_nodes: asks_for_nodes && endpoints.iter().all(|place| place.node.is_some()),
            heeds_zones: rule.is_some() && endpoints.iter().all(|place| place.zone.is_some()),
            endpoints,
        };
        for at in 0..found.endpoints.len() {
            for hint in found.hints(&found.endpoints[at]) {
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
    pub(super) fn used(&self, from: &Place) -> Hint {
        self.hints(from).find(|hint| self.by.contains_key(hint)).unwrap_or(Hint::All)
    }

    /// Requests a second of each endpoint, when so many come from each origin.
    pub(super) fn share(&self, origins: &[(Place, f64)]) -> Vec<f64> {
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
    pub(super) fn crossing(&self, origins: &[(Place, f64)]) -> (f64, f64) {
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

#[cfg(test)]
mod tests {
    use super::*;
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
            assert_eq!(Hinted::new(Some(rule), endpoints).share(&origins), expected, "{sentence}");
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
            let services = Hinted::new(rule, endpoints.clone());
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
}
