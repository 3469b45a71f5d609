//! NodePorts: host ports must be free.
//!
//! Source: `plugins/nodeports/node_ports.go`, v1.37.

use crate::api::pod::HostPort;
use crate::control::scheduler::event::{Action, ClusterEvent, EventObjects, Resource};
use crate::control::scheduler::framework::{
    Aspects, Context, EnqueueExtensions, FilterPlugin, PluginState, PreFilter, PreFilterPlugin,
    QueueingHint, Scope, SignPlugin, Status,
};
use crate::control::scheduler::node_info::{NodeInfo, ports_conflict};
use crate::control::scheduler::objects::Objects;
use crate::control::scheduler::pod_info::PodInfo;

/// Filters by host ports.
pub struct NodePorts;

impl PreFilterPlugin for NodePorts {
    fn pre_filter(&self, _cx: &Context<'_>, pod: &PodInfo) -> PreFilter {
        if pod.spec.host_ports().next().is_none() {
            return PreFilter::Skip;
        }
        PreFilter::Continue { state: PluginState::none(), nodes: None }
    }
}

impl FilterPlugin for NodePorts {
    fn scope(&self) -> Scope {
        Scope::Node
    }

    fn heeds_identity(&self, _pod: &PodInfo) -> bool {
        false
    }

    fn filter(
        &self,
        _cx: &Context<'_>,
        _state: &PluginState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Status {
        if pod.spec.host_ports().any(|port| node.port_conflicts(port)) {
            return Status::unschedulable(&[
                "node(s) didn't have free ports for the requested pod ports",
            ]);
        }
        Status::SUCCESS
    }
}

impl EnqueueExtensions for NodePorts {
    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const EVENTS: [ClusterEvent; 2] =
            [ClusterEvent::ASSIGNED_POD_DELETE, ClusterEvent::new(Resource::Node, Action::ADD)];
        &EVENTS
    }

    fn queueing_hint(
        &self,
        _objects: &Objects,
        pod: &PodInfo,
        _event: ClusterEvent,
        change: &EventObjects<'_>,
    ) -> QueueingHint {
        let Some(deleted) = change.old_pod() else { return QueueingHint::Queue };
        let freed: Vec<HostPort> = deleted.spec.host_ports().cloned().collect();
        let helps = pod.spec.host_ports().any(|port| ports_conflict(&freed, port));
        QueueingHint::when(helps)
    }
}

impl SignPlugin for NodePorts {
    fn sign(&self, _pod: &PodInfo) -> Option<Aspects> {
        Some(Aspects::HOST_PORTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_conflict_as_upstream() {
        let port = |ip: &str, protocol: &str, port| HostPort {
            ip: ip.into(),
            protocol: protocol.into(),
            port,
        };
        let used = [port("127.0.0.1", "TCP", 80), port("", "UDP", 53)];
        let rows = [
            ("the same address and port", port("127.0.0.1", "TCP", 80), true),
            ("all addresses include the used one", port("0.0.0.0", "TCP", 80), true),
            ("another address is free", port("127.0.0.2", "TCP", 80), false),
            ("another protocol is free", port("", "UDP", 80), false),
            ("one address of a port used on all", port("127.0.0.2", "UDP", 53), true),
        ];
        for (sentence, wanted, expected) in rows {
            assert_eq!(ports_conflict(&used, &wanted), expected, "{sentence}");
        }
    }
}
