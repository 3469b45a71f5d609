//! How regularly requests come to one pod: the squared coefficient of variation of the times
//! between them, 1 where they come by chance.
//!
//! Streams are told by two numbers that add up: requests a second, and what the coefficient is
//! above 1, times these. So the coefficient of streams that come together is their mean by rates
//! (the asymptotic method of W. Whitt, The Queueing Network Analyzer, Bell System Technical Journal
//! 62(9), 1983, section 4.3), and calls and retries, which count as chance, add nothing. Of a
//! stream that is split by chance, a part has the less of it the smaller it is (section 4.4); where
//! pods take turns, each has every n-th request, whose coefficient is an n-th. It knows neither
//! pods nor who asks.

use super::network::{Front, Network};

/// Requests that come to a station.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Arriving {
    /// Requests a second.
    pub(super) rate: f64,
    /// The coefficient of a pod's stream less 1, times the rate.
    pub(super) surplus: f64,
}

impl Arriving {
    /// So many requests a second more, of a stream with this coefficient less 1.
    pub(super) fn add(&mut self, rate: f64, beyond: f64) {
        self.rate += rate;
        self.surplus += rate * beyond;
    }

    /// The coefficient of all together.
    pub(super) fn scv(&self) -> f64 {
        let is_plain = self.surplus == 0.0 || self.rate <= 0.0;
        if is_plain { 1.0 } else { (1.0 + self.surplus / self.rate).max(0.0) }
    }
}

impl Network {
    /// Of the requests a second from outside to a Service, the coefficients of their streams less
    /// 1, each times its rate.
    pub fn set_surplus(&mut self, service: usize, surplus: f64) {
        self.fronts[service].surplus = surplus;
    }

    /// Pods of a Service take turns from now on.
    pub fn take_turns(&mut self, service: usize) {
        self.fronts[service].by_turns = true;
    }
}

impl Front {
    /// The coefficient, less 1, of the stream of one pod that has this share of the requests.
    pub(super) fn beyond(&self, share: f64) -> f64 {
        let asked = Arriving { rate: self.offered, surplus: self.surplus };
        if self.by_turns { share * asked.scv() - 1.0 } else { share * (asked.scv() - 1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::station::Station;
    use super::super::station::tests::pod;
    use super::super::wiring::Calls;
    use super::*;
    use crate::api::PodId;
    use crate::scenario::graph::model::{Patience, Retries};
    use crate::units::{SimDuration, SimTime};
    use slotmap::SlotMap;

    const AT: SimTime = SimTime::ZERO;

    /// So many pods of 100 requests a second each behind one Service, with queues of their own or
    /// one that stands for all.
    fn network(pods: usize, is_apart: bool) -> Network {
        let mut network = Network::new(vec![pod()], vec![Some(0)], vec![Vec::new()]);
        if is_apart {
            network.stations[0].set_apart();
        }
        let mut ids: SlotMap<PodId, ()> = SlotMap::with_key();
        for _ in 0..pods {
            let id = ids.insert(());
            network.add_pod(id, 0);
            network.set_alive(AT, id, true);
            network.route(AT, 0, id, true);
        }
        network
    }

    /// The queues of its pods, where they have some.
    fn pods_of(station: &Station) -> impl Iterator<Item = &Station> {
        let lanes = station.lanes().filter(|(pod, _)| *pod != PodId::default());
        lanes.map(|(_, queue)| queue)
    }

    #[test]
    fn a_pod_has_the_part_of_the_stream_that_balancing_makes_of_it() {
        // Pods, whether they take turns, streams of (requests a second, coefficient), and what the
        // coefficient is at one pod.
        type Row<'a> = (&'a str, usize, bool, &'a [(f64, f64)], f64);
        let rows: [Row<'_>; 9] = [
            ("chance stays chance", 4, false, &[(80.0, 1.0)], 1.0),
            ("one pod has the stream as it is", 1, false, &[(80.0, 0.0)], 0.0),
            ("a clock's ticks, shared by chance among four", 4, false, &[(80.0, 0.0)], 0.75),
            ("bursts wear off likewise", 2, false, &[(80.0, 5.0)], 3.0),
            ("turns of four make an Erlang stream of chance", 4, true, &[(80.0, 1.0)], 0.25),
            ("a clock's ticks by turns are a clock's", 4, true, &[(80.0, 0.0)], 0.0),
            ("turns of one change nothing", 1, true, &[(80.0, 3.0)], 3.0),
            ("two streams count by their rates", 1, false, &[(60.0, 0.0), (20.0, 1.0)], 0.25),
            ("and are merged before they are split", 2, true, &[(60.0, 4.0), (20.0, 0.0)], 1.5),
        ];
        for (sentence, pods, by_turns, streams, expected) in rows {
            for is_apart in [false, true] {
                let mut network = network(pods, is_apart);
                if by_turns {
                    network.take_turns(0);
                }
                network.set_external(AT, 0, streams.iter().map(|(rate, _)| rate).sum());
                let surplus = streams.iter().map(|(rate, scv)| rate * (scv - 1.0)).sum();
                network.set_surplus(0, surplus);
                network.settle(AT);
                let station = &network.stations[0];
                let queues: Vec<f64> = match is_apart {
                    true => pods_of(station).map(Station::arrivals_scv).collect(),
                    false => vec![station.arrivals_scv()],
                };
                assert_eq!(queues.len(), if is_apart { pods } else { 1 });
                for found in queues {
                    assert!((found - expected).abs() < 1e-12, "{sentence}, {is_apart}: {found}");
                }
            }
        }
    }

    #[test]
    fn retries_come_by_chance() {
        // Two pods of one server, of which the callers time out now and then and ask again.
        let mut network = network(2, false);
        let base = SimDuration::from_millis(1);
        let retries = Retries { attempts: 1, base, max: base, jitter: false, budget: None };
        let timeout = Some(SimDuration::from_millis(30));
        let patience = Patience { timeout, retries: Some(retries) };
        network.wire(vec![Calls::default()], vec![patience]);
        network.set_asker(AT, 0, Some(0), 80.0);
        network.set_surplus(0, -80.0);
        network.settle(AT);
        let (offered, found) =
            (network.stations[0].rates().offered, network.stations[0].arrivals_scv());
        assert!(offered > 81.0, "some ask twice: {offered}");
        let expected = 1.0 - 80.0 / offered / 2.0;
        assert!((found - expected).abs() < 1e-12, "{found}, not {expected}");
    }
}
