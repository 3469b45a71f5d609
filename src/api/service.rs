//! Services and the endpoints behind them.

use super::labels::{Labels, Selector};
use super::{PodId, Text};
use crate::units::SimDuration;

/// A Service together with its EndpointSlices' content.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Service {
    /// `metadata.name`.
    pub name: Text,
    /// `metadata.namespace`.
    pub namespace: Text,
    /// `metadata.labels`.
    pub labels: Labels,
    /// `spec.selector`; a Service without one has no endpoints of its own.
    pub selector: Option<Selector>,
    /// `spec.publishNotReadyAddresses`.
    pub publish_not_ready: bool,
    /// `spec.type`.
    pub kind: ServiceType,
    /// `spec.clusterIP: None`: clients resolve its name to the pods themselves.
    pub headless: bool,
    /// `spec.ports`.
    pub ports: Vec<ServicePort>,
    /// `spec.sessionAffinity: ClientIP`: for how long a client that asks nothing is remembered
    /// (`spec.sessionAffinityConfig.clientIP.timeoutSeconds`).
    pub affinity: Option<SimDuration>,
    /// `spec.externalTrafficPolicy: Local`: requests from outside stay on the node they come to.
    pub local: bool,
    /// `spec.trafficDistribution`; `None`: each endpoint as much.
    pub distribution: Option<TrafficDistribution>,
    /// `spec.externalName`.
    pub external_name: Text,
    /// `status.loadBalancer.ingress[0].ip`: set once the cloud has provisioned it.
    pub load_balancer: Option<Text>,
    /// Endpoints with condition `ready`, as the EndpointSlice controller last wrote them, sorted.
    pub endpoints: Vec<PodId>,
}

/// `spec.trafficDistribution`: which endpoints proxies are asked to prefer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TrafficDistribution {
    /// Those of the proxy's zone: the older name of `PreferSameZone`.
    PreferClose,
    /// Those of the proxy's zone.
    PreferSameZone,
    /// Those of the proxy's node, else those of its zone.
    PreferSameNode,
}

impl TrafficDistribution {
    /// All of them, in the order in which the API server names them.
    pub const ALL: [TrafficDistribution; 3] = [
        TrafficDistribution::PreferClose,
        TrafficDistribution::PreferSameNode,
        TrafficDistribution::PreferSameZone,
    ];

    /// As in `spec.trafficDistribution`.
    pub fn as_str(self) -> &'static str {
        match self {
            TrafficDistribution::PreferClose => "PreferClose",
            TrafficDistribution::PreferSameZone => "PreferSameZone",
            TrafficDistribution::PreferSameNode => "PreferSameNode",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<TrafficDistribution> {
        TrafficDistribution::ALL.into_iter().find(|rule| rule.as_str() == name)
    }
}

/// `spec.type`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ServiceType {
    /// Reached inside the cluster.
    #[default]
    ClusterIp,
    /// Reached through a port of every node too.
    NodePort,
    /// Reached through a load balancer of the cloud too.
    LoadBalancer,
    /// A name for something outside: no endpoints.
    ExternalName,
}

impl ServiceType {
    /// As in `spec.type`.
    pub fn as_str(self) -> &'static str {
        match self {
            ServiceType::ClusterIp => "ClusterIP",
            ServiceType::NodePort => "NodePort",
            ServiceType::LoadBalancer => "LoadBalancer",
            ServiceType::ExternalName => "ExternalName",
        }
    }

    /// The type of this name.
    pub fn named(name: &str) -> Option<ServiceType> {
        let all = [
            ServiceType::ClusterIp,
            ServiceType::NodePort,
            ServiceType::LoadBalancer,
            ServiceType::ExternalName,
        ];
        all.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether its ports are ports of nodes too.
    pub fn has_node_ports(self) -> bool {
        matches!(self, ServiceType::NodePort | ServiceType::LoadBalancer)
    }
}

/// One of `spec.ports`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ServicePort {
    /// Its name; may be empty.
    pub name: Text,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: Text,
    /// The port.
    pub port: u16,
    /// `targetPort` as written: a number or a name.
    pub target: Text,
    /// `nodePort`; 0: none.
    pub node_port: u16,
}

impl Service {
    /// Whether requests from outside reach it: through a load balancer only once that is there.
    pub fn is_open(&self) -> bool {
        self.kind != ServiceType::LoadBalancer || self.load_balancer.is_some()
    }

    /// Which endpoints proxies prefer. None stand before a headless Service, and where clients
    /// stick to pods it is not followed.
    pub fn prefers(&self) -> Option<TrafficDistribution> {
        self.distribution.filter(|_| !self.headless && self.affinity.is_none())
    }

    /// Takes over what a person may change; true when anything does. What the cluster gave it
    /// stays: endpoints, its load balancer, ports of nodes.
    pub fn apply(&mut self, given: &Service) -> bool {
        let before = self.clone();
        *self = Service {
            endpoints: before.endpoints.clone(),
            load_balancer: before.load_balancer.clone(),
            ..given.clone()
        };
        for port in self.ports.iter_mut().filter(|port| port.node_port == 0) {
            let same = before.ports.iter().find(|known| known.port == port.port);
            port.node_port = same.map_or(0, |known| known.node_port);
        }
        *self != before
    }
}
