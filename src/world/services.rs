//! Services as the world serves them: load balancers of the cloud, ports of nodes, names that
//! clients resolve, and which of them the scenario's traffic goes to.
//!
//! What a Service wants of the cloud its controller decides; here is how long that takes.

use super::event::Event;
use super::node_checks::NodeChecks;
use super::world::World;
use crate::api::service::{Service, ServiceType};
use crate::api::{PodId, ServiceId, Text};
use crate::control::controllers::service::{Services, Work, event};
use crate::scenario::model::Scenario;
use crate::units::SimTime;
use std::collections::VecDeque;

/// Who publishes Events about load balancers.
const COMPONENT: &str = "service-controller";
/// `--service-node-port-range`.
const NODE_PORTS: std::ops::Range<u16> = 30_000..32_768;

/// What is under way for Services.
#[derive(Debug)]
pub(super) struct Balancers {
    controller: Services,
    /// How many load balancers the cloud has made.
    made: u32,
    /// Endpoints of headless Services that changed, and when clients have asked again.
    names: VecDeque<(SimTime, ServiceId, Vec<PodId>)>,
    /// Requests a second that each entry of the traffic asks for.
    pub(super) asked: Vec<f64>,
    /// The Service that each reaches.
    pub(super) entries: Vec<Option<usize>>,
    /// Which nodes load balancers send requests to.
    pub(super) checks: NodeChecks,
}

impl Balancers {
    pub(super) fn new(scenario: &Scenario) -> Balancers {
        let controller = Services::new(scenario.flags.cloud.concurrent_service_syncs);
        let asked = vec![0.0; scenario.traffic.len()];
        let (names, entries, checks) = (VecDeque::new(), Vec::new(), NodeChecks::default());
        Balancers { controller, made: 0, names, asked, entries, checks }
    }
}

impl World<'_> {
    /// A Service came, changed or went.
    pub(super) fn service_changed(&mut self, id: ServiceId) {
        self.link_service(id);
        let service = self.store.service(id);
        let concerns =
            |s: &Service| s.kind == ServiceType::LoadBalancer || s.load_balancer.is_some();
        if service.is_some_and(concerns) {
            self.balancers.controller.changed(id);
            let at = self.now + self.watch_latency();
            self.plan(at, Event::Balancers);
        }
        self.send_traffic();
    }

    /// The service controller's workers take what they can.
    pub(super) fn on_balancers(&mut self) {
        while let Some((id, work)) = self.balancers.controller.begin(&self.store) {
            match work {
                Work::Ensure => {
                    self.tell_of_balancer(id, "EnsuringLoadBalancer", "Ensuring load balancer");
                    self.balancers.made += 1;
                    let number = self.balancers.made;
                    let mut stream = self.streams.stream("load balancer", u64::from(number));
                    let takes = self.scenario.flags.cloud.load_balancer.sample(&mut stream);
                    let at = self.now + crate::units::SimDuration::from_secs_f64(takes);
                    self.plan(at, Event::Balancer { service: id, number });
                }
                Work::Delete => {
                    self.tell_of_balancer(id, "DeletingLoadBalancer", "Deleting load balancer");
                    self.tell_of_balancer(id, "DeletedLoadBalancer", "Deleted load balancer");
                    self.store.update_service(id, |service| service.load_balancer.take().is_some());
                }
            }
        }
    }

    /// The cloud has provisioned a load balancer.
    pub(super) fn on_balancer(&mut self, id: ServiceId, number: u32) {
        self.balancers.controller.done(id);
        if self.store.service(id).is_some() {
            self.tell_of_balancer(id, "EnsuredLoadBalancer", "Ensured load balancer");
            self.store.update_service(id, |service| {
                service.load_balancer.replace(address_of(number)).is_none()
            });
        }
        self.on_balancers();
    }

    fn tell_of_balancer(&mut self, id: ServiceId, reason: &'static str, message: &str) {
        self.publish_action(COMPONENT, event(id, reason, message));
    }

    /// At a settled start load balancers have long been there.
    pub(super) fn settle_balancers(&mut self) {
        let kinds = self.store.services().map(|(id, service)| (id, service.kind));
        let balanced = kinds.filter(|(_, kind)| *kind == ServiceType::LoadBalancer);
        for id in balanced.map(|(id, _)| id).collect::<Vec<_>>() {
            self.balancers.made += 1;
            let address = address_of(self.balancers.made);
            self.store
                .update_service(id, |service| service.load_balancer.replace(address).is_none());
        }
    }

    /// A Service as the API server keeps it: with ports of nodes where it needs them.
    pub(super) fn with_node_ports(&self, mut service: Service) -> Service {
        if !service.kind.has_node_ports() {
            service.ports.iter_mut().for_each(|port| port.node_port = 0);
            return service;
        }
        let ports = self.store.services().flat_map(|(_, s)| s.ports.iter());
        let mut taken: Vec<u16> = ports.chain(&service.ports).map(|port| port.node_port).collect();
        let mut stream = self.streams.stream("node ports", self.store.resource_version());
        for port in service.ports.iter_mut().filter(|port| port.node_port == 0) {
            // There are more ports than anybody has Services; should they run out, two share one.
            for _ in 0..64 {
                let range = u64::from(NODE_PORTS.end - NODE_PORTS.start);
                port.node_port = NODE_PORTS.start + stream.below(range) as u16;
                if !taken.contains(&port.node_port) {
                    break;
                }
            }
            taken.push(port.node_port);
        }
        service
    }

    /// Endpoints of a headless Service changed: no proxy routes to them, clients find them by name.
    /// What they have found they keep for the time to live of the answer. Caches run out evenly, so
    /// in the mean half of it passes: then all follow.
    pub(super) fn names_changed(&mut self, service: ServiceId, pods: Vec<PodId>) {
        let half = crate::units::SimDuration(self.scenario.flags.coredns.ttl.0 / 2);
        let at = self.now + self.watch_latency() + half;
        self.balancers.names.push_back((at, service, pods));
        self.plan(at, Event::Names);
    }

    /// Clients have asked again for the names of headless Services.
    pub(super) fn on_names(&mut self) {
        let now = self.now;
        while self.balancers.names.front().is_some_and(|(at, ..)| *at <= now) {
            let Some((_, service, pods)) = self.balancers.names.pop_front() else { return };
            self.route_by_now(service, pods);
        }
    }

    /// Clients have long since asked: for the settled start.
    pub(super) fn names_are_settled(&mut self) {
        for (_, service, pods) in std::mem::take(&mut self.balancers.names) {
            self.route_by_now(service, pods);
        }
    }

    /// Who selects what, after a Service came, changed or went: Deployments' pods, whose templates
    /// decide, and the scenario's traffic, which names it.
    fn link_service(&mut self, id: ServiceId) {
        let scenario = self.scenario;
        let service = self.store.service(id);
        for (workload, deployment) in scenario.objects.deployments.iter().enumerate() {
            let fronts = &mut self.fronted_by[workload];
            let selects = service.is_some_and(|service| {
                let matches =
                    |s: &crate::api::labels::Selector| s.matches(&deployment.template.labels);
                service.namespace == deployment.namespace
                    && service.selector.as_ref().is_some_and(matches)
            });
            match fronts.iter().position(|known| *known == id) {
                None if selects => fronts.push(id),
                Some(at) if !selects => _ = fronts.remove(at),
                _ => {}
            }
        }
        match service {
            None => {
                if let Some(index) = self.service_index.remove(id) {
                    self.traffic_changed = true;
                    self.network.forget_routes(self.now, index);
                }
            }
            Some(service) if !self.service_index.contains_key(id) => {
                let mut all = scenario.objects.destinations();
                let same = |s: &Service| s.name == service.name && s.namespace == service.namespace;
                if let Some(index) = all.position(same) {
                    self.service_index.insert(id, index);
                }
            }
            Some(_) => {}
        }
        self.affinity_changes(id);
    }

    /// Clients of a Service stick to its pods, or stay near, as far as it says so. Those of a
    /// headless one have no proxy that would see to it, and beside a load balancer that picks nodes
    /// itself sticking is not followed.
    pub(super) fn affinity_changes(&mut self, id: ServiceId) {
        let Some(index) = self.service_index.get(id).copied() else { return };
        let Some(service) = self.store.service(id) else { return };
        let timeout = service.affinity.filter(|_| !service.headless && !service.local);
        let name = format!("{}/{}", service.namespace, service.name);
        self.network.set_distribution(index, service.prefers());
        self.network.set_affinity(index, &name, timeout);
        self.nodes_may_answer_otherwise(id, false);
    }

    /// The Service of the scenario with this index, as it is at present.
    pub(super) fn service_at(&self, index: usize) -> Option<&Service> {
        let found = self.service_index.iter().find(|(_, at)| **at == index)?;
        self.store.service(found.0)
    }
}

/// The address of the cloud's load balancer number `number`, of a range that nobody routes
/// (RFC 2544).
fn address_of(number: u32) -> Text {
    let number = number - 1;
    format!("198.{}.{}.{}", 18 + number / 65_024 % 2, number / 254 % 256, number % 254 + 1).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_apart() {
        let rows = [
            ("the first", 1, "198.18.0.1"),
            ("the last of a net", 254, "198.18.0.254"),
            ("the first of the next", 255, "198.18.1.1"),
            ("beyond the first half", 65_025, "198.19.0.1"),
        ];
        for (sentence, number, address) in rows {
            assert_eq!(&*address_of(number), address, "{sentence}");
        }
    }
}
