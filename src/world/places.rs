//! Where pods and clients are, for Services whose requests stay near (`spec.trafficDistribution`).
//!
//! Requests from outside come to nodes that are Ready, clients of a zone to those of their zone. It
//! knows nodes and their zones; what proxies make of them is in `traffic/near.rs`.

use super::world::World;
use crate::api::PodId;
use crate::api::node::NodeReady;
use crate::record::totals::CrossZone;
use crate::scenario::model::Entry;
use crate::units::SimDuration;

impl World<'_> {
    /// The network knows where a pod is.
    pub(super) fn tell_place(&mut self, pod: PodId) {
        if !self.network.follows_places() {
            return;
        }
        let Some(node) = self.store.pod(pod).and_then(|pod| pod.node) else { return };
        let zone = self.store.node(node).map_or("", |node| node.zone());
        self.network.set_place(pod, Some(node), zone);
    }

    /// A node came, changed or went: requests from outside may come to others.
    pub(super) fn gates_may_differ(&mut self) {
        if self.network.follows_places() {
            self.network.gates_may_differ();
            self.traffic_changed = true;
        }
    }

    /// The network knows which nodes requests from outside come to.
    pub(super) fn tell_gates(&mut self) {
        if self.network.wants_gates() {
            let ready = self.store.nodes().filter(|(_, node)| node.ready == NodeReady::True);
            self.network.set_gates(ready.map(|(id, node)| (id, node.zone())));
        }
    }

    /// What has crossed zones in the interval that ends now is told.
    pub(super) fn observe_crossing(&mut self, interval: SimDuration) {
        if let Some((requests, crossing)) = self.network.take_crossing(self.now) {
            let row = CrossZone { time: self.now, interval, requests, crossing };
            self.recorder.totals.cross_zone.push(row);
        }
    }

    /// Where requests stay near, it matters whose they are. A load balancer that picks nodes itself
    /// hands them to no proxy that would look further.
    pub(super) fn send_crowds(&mut self) {
        if !self.network.follows_places() {
            return;
        }
        for (entry, traffic) in self.scenario.traffic.iter().enumerate() {
            let is_direct = matches!(traffic.to, Entry::Service(_));
            let service = self.balancers.entries[entry]
                .filter(|service| !(is_direct && self.network.is_balanced(*service)));
            self.network.set_crowd(entry, service, self.balancers.asked[entry]);
        }
    }
}
