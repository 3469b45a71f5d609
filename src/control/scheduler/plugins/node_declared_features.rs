//! NodeDeclaredFeatures: pods that need a feature of the kubelet go only to nodes that declare it.
//!
//! Which features a pod needs is read off its specification when it is converted. Source:
//! `plugins/nodedeclaredfeatures/nodedeclaredfeatures.go`, v1.37; on by default since 1.36.

use crate::control::scheduler::event::{Action, ClusterEvent, EventObjects, Resource};
use crate::control::scheduler::framework::{
    Aspects, Context, EnqueueExtensions, FilterPlugin, PluginState, PreFilter, PreFilterPlugin,
    QueueingHint, Scope, SignPlugin, Status,
};
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::objects::Objects;
use crate::control::scheduler::pod_info::PodInfo;

/// Filters by `status.declaredFeatures`.
pub struct NodeDeclaredFeatures;

impl PreFilterPlugin for NodeDeclaredFeatures {
    fn pre_filter(&self, cx: &Context<'_>, pod: &PodInfo) -> PreFilter {
        if pod.spec.node_features.is_empty() || !cx.version.heeds_node_features() {
            return PreFilter::Skip;
        }
        PreFilter::with(())
    }
}

impl FilterPlugin for NodeDeclaredFeatures {
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
        let declared = &node.node.declared_features;
        if pod.spec.node_features.iter().all(|needed| declared.contains(needed)) {
            return Status::SUCCESS;
        }
        Status::unresolvable(&["node(s) didn't match Pod's required features"])
    }
}

impl EnqueueExtensions for NodeDeclaredFeatures {
    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const NODE: Action = Action::ADD.or(Action::UPDATE_NODE_DECLARED_FEATURE);
        const EVENTS: [ClusterEvent; 2] = [
            ClusterEvent::new(Resource::Node, NODE),
            ClusterEvent::new(Resource::TargetPod, Action::UPDATE),
        ];
        &EVENTS
    }

    fn queueing_hint(
        &self,
        _objects: &Objects,
        _pod: &PodInfo,
        _event: ClusterEvent,
        change: &EventObjects<'_>,
    ) -> QueueingHint {
        let helps = match change {
            EventObjects::Node { old: Some(old), new: Some(new) } => {
                old.declared_features != new.declared_features
            }
            EventObjects::Pod { old: Some(old), new: Some(new) } => {
                old.spec.node_features != new.spec.node_features
            }
            _ => true,
        };
        QueueingHint::when(helps)
    }
}

impl SignPlugin for NodeDeclaredFeatures {
    fn sign(&self, _pod: &PodInfo) -> Option<Aspects> {
        Some(Aspects::FEATURES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::PodId;
    use crate::api::node::Node;
    use crate::api::pod::PodSpec;
    use crate::control::scheduler::testing::{Stage, node, pod_info, spec};
    use crate::control::scheduler::version::Version;

    fn needing(features: &[&str]) -> PodInfo {
        let node_features = features.iter().map(|f| (*f).into()).collect();
        pod_info(PodId::default(), PodSpec { node_features, ..spec(1, 1) })
    }

    fn declaring(features: &[&str]) -> Node {
        Node { declared_features: features.iter().map(|f| (*f).into()).collect(), ..node("n") }
    }

    #[test]
    fn pods_go_where_all_they_need_is_declared() {
        let said = "node(s) didn't match Pod's required features";
        let (now, before) = (Version::V1_37, Version::V1_35);
        let rows = [
            ("who needs nothing goes anywhere", now, needing(&[]), declaring(&[]), ""),
            ("what is declared is there", now, needing(&["A"]), declaring(&["A", "B"]), ""),
            ("what is not, is not", now, needing(&["A"]), declaring(&["B"]), said),
            ("a part is not enough", now, needing(&["A", "B"]), declaring(&["A"]), said),
            ("before 1.36 nobody asked", before, needing(&["A"]), declaring(&[]), ""),
        ];
        for (sentence, version, pod, node, expected) in rows {
            let mut stage = Stage::new([node]);
            stage.version = version;
            assert_eq!(stage.verdict(&NodeDeclaredFeatures, &pod, 0), expected, "{sentence}");
        }
    }

    #[test]
    fn pods_are_tried_again_when_features_change() {
        let (a, b) = (declaring(&["A"]), declaring(&["B"]));
        let (one, two) = (needing(&["A"]), needing(&["A", "B"]));
        let rows = [
            ("a node appears", EventObjects::Node { old: None, new: Some(&a) }, true),
            ("it declares others", EventObjects::Node { old: Some(&a), new: Some(&b) }, true),
            ("it declares the same", EventObjects::Node { old: Some(&a), new: Some(&a) }, false),
            ("the pod needs others", EventObjects::Pod { old: Some(&two), new: Some(&one) }, true),
            ("it needs the same", EventObjects::Pod { old: Some(&one), new: Some(&one) }, false),
        ];
        for (sentence, change, expected) in rows {
            let event = NodeDeclaredFeatures.events_to_register()[0];
            let objects = Objects::default();
            let hint = NodeDeclaredFeatures.queueing_hint(&objects, &one, event, &change);
            assert_eq!(hint == QueueingHint::Queue, expected, "{sentence}");
        }
    }
}
