//! What the stations behind a Service have of its requests: as much as they have pods, or by their
//! weights.
//!
//! A weight is a station's, whatever the number of its pods: as with the weights of a
//! `backendRefs` list of the Gateway API (gateway.networking.k8s.io/v1, HTTPBackendRef), those that
//! have none are left out, and the others share all of it. It does not know who sets weights.

use super::network::{Front, Network};

impl Network {
    /// Stations behind a Service share its requests by these weights from now on; those without
    /// one get nothing.
    pub fn set_weights(&mut self, service: usize, weights: Vec<(usize, f64)>) {
        self.fronts[service].weights = Some(weights);
    }
}

impl Front {
    /// Stations that get requests, and their parts of [`Front::whole`].
    pub(super) fn split(&self) -> impl Iterator<Item = (usize, f64)> + '_ {
        let parts = self.per_station.iter().map(|(station, n)| (*station, self.part(*station, *n)));
        parts.filter(|(_, part)| *part > 0.0)
    }

    /// What the parts add up to.
    pub(super) fn whole(&self) -> f64 {
        self.per_station.iter().map(|(station, n)| self.part(*station, *n)).sum()
    }

    fn part(&self, station: usize, pods: u32) -> f64 {
        let Some(weights) = &self.weights else { return f64::from(pods) };
        weights.iter().filter(|(of, _)| *of == station).map(|(_, weight)| weight).sum()
    }

    /// What of so many requests a second one pod of a station has, each of them as much.
    pub(super) fn evenly(&self, rate: f64, station: usize) -> f64 {
        if self.weights.is_none() {
            return rate / self.routed.len().max(1) as f64;
        }
        let of = |(other, _): &&(usize, u32)| *other == station;
        let pods = self.per_station.iter().find(of).map_or(0, |(_, n)| *n);
        let part = self.part(station, pods);
        if part > 0.0 { rate * part / self.whole() / f64::from(pods) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::super::station::tests::pod;
    use super::super::wiring::Calls;
    use super::*;
    use crate::api::PodId;
    use crate::scenario::graph::model::Patience;
    use crate::units::SimTime;
    use slotmap::SlotMap;

    /// A hundred requests a second to a Service with so many pods of each of three stations: what
    /// each station is offered, and how many fail.
    fn shared(
        pods: [usize; 3],
        weights: &[(usize, f64)],
        (apart, wired): (bool, bool),
    ) -> ([f64; 3], f64) {
        let now = SimTime::ZERO;
        let mut network = Network::new(vec![pod(); 3], vec![Some(0)], vec![Vec::new(); 3]);
        if apart {
            network.stations.iter_mut().for_each(|station| station.set_apart());
        }
        if !weights.is_empty() {
            network.set_weights(0, weights.to_vec());
        }
        let mut ids: SlotMap<PodId, ()> = SlotMap::with_key();
        for (station, n) in pods.into_iter().enumerate() {
            for _ in 0..n {
                let id = ids.insert(());
                network.add_pod(id, station);
                network.set_alive(now, id, true);
                network.route(now, 0, id, true);
            }
        }
        network.set_external(now, 0, 100.0);
        if wired {
            network.wire(vec![Calls::default(); 3], vec![Patience::default()]);
            network.set_asker(now, 0, Some(0), 100.0);
        }
        network.settle(now);
        let offered = [0, 1, 2].map(|station| {
            let lanes = network.stations[station].lanes();
            match apart {
                true => lanes.map(|(_, queue)| queue.rates().offered).sum(),
                false => network.stations[station].rates().offered,
            }
        });
        let tally = network.take_entries(SimTime::from_secs(1));
        (offered.map(|rate: f64| (rate * 1e6).round() / 1e6), tally.failed.round())
    }

    #[test]
    fn stations_share_by_their_weights() {
        type Row<'a> = (&'a str, [usize; 3], &'a [(usize, f64)], [f64; 3], f64);
        #[rustfmt::skip]
        let rows: [Row<'_>; 7] = [
            ("without weights each pod has as much", [3, 1, 0], &[], [75.0, 25.0, 0.0], 0.0),
            ("weights are a workload's, however many its pods", [3, 1, 0],
             &[(0, 90.0), (1, 10.0)], [90.0, 10.0, 0.0], 0.0),
            ("they are parts of what they add up to", [1, 1, 1],
             &[(0, 1.0), (1, 1.0), (2, 2.0)], [25.0, 25.0, 50.0], 0.0),
            ("who has no pods is left out", [2, 0, 2],
             &[(0, 30.0), (1, 60.0), (2, 10.0)], [75.0, 0.0, 25.0], 0.0),
            ("a weight of zero is nothing", [1, 1, 0], &[(0, 0.0), (1, 5.0)],
             [0.0, 100.0, 0.0], 0.0),
            ("who is not named gets nothing", [1, 1, 5], &[(0, 1.0), (1, 3.0)],
             [25.0, 75.0, 0.0], 0.0),
            ("where only those have pods all fail", [2, 0, 1], &[(0, 0.0), (1, 5.0)],
             [0.0, 0.0, 0.0], 100.0),
        ];
        for (sentence, pods, weights, expected, failed) in rows {
            let pods = pods.map(|n| n * 10);
            for wired in [false, true] {
                let alike = shared(pods, weights, (false, wired));
                assert_eq!(alike, (expected, failed), "{sentence}, {wired}");
                let (mut apart, lost) = shared(pods, weights, (true, wired));
                // What finds nobody is nobody's, of the first station.
                apart[0] -= lost;
                assert_eq!((apart, lost), (expected, failed), "{sentence}, {wired}: apart");
            }
        }
    }
}
