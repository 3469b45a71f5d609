//! NodeName: a pod that names its node fits on no other.
//!
//! Source: `plugins/nodename/node_name.go`, v1.37.

use crate::control::scheduler::event::{Action, ClusterEvent, Resource};
use crate::control::scheduler::framework::{
    Aspects, Context, EnqueueExtensions, FilterPlugin, PluginState, PreFilter, PreFilterPlugin,
    Scope, SignPlugin, Status,
};
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::pod_info::PodInfo;

/// Filters by `spec.nodeName`.
pub struct NodeName;

impl PreFilterPlugin for NodeName {
    fn pre_filter(&self, _cx: &Context<'_>, pod: &PodInfo) -> PreFilter {
        // Upstream runs Filter for the others too; it could only succeed.
        let Some(name) = &pod.spec.node_name else { return PreFilter::Skip };
        PreFilter::Continue { state: PluginState::none(), nodes: Some(vec![name.clone()]) }
    }
}

impl FilterPlugin for NodeName {
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
        match &pod.spec.node_name {
            Some(name) if name != node.name() => {
                Status::unresolvable(&["node(s) didn't match the requested node name"])
            }
            _ => Status::SUCCESS,
        }
    }
}

impl EnqueueExtensions for NodeName {
    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const EVENTS: [ClusterEvent; 1] = [ClusterEvent::new(Resource::Node, Action::ADD)];
        &EVENTS
    }
}

impl SignPlugin for NodeName {
    fn sign(&self, _pod: &PodInfo) -> Option<Aspects> {
        Some(Aspects::NODE_NAME)
    }
}
