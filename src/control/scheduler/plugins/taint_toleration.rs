//! TaintToleration: taints that a pod does not tolerate keep it off a node, or make it less liked.
//!
//! Source: `plugins/tainttoleration/taint_toleration.go`, v1.37.

use crate::api::node::Node;
use crate::api::taint::{Taint, TaintEffect, Toleration};
use crate::control::scheduler::event::{Action, ClusterEvent, EventObjects, Resource};
use crate::control::scheduler::framework::{
    Aspects, Code, Context, EnqueueExtensions, FilterPlugin, NodeList, PluginState, PreScore,
    PreScorePlugin, QueueingHint, Scope, ScorePlugin, SignPlugin, Status, default_normalize_score,
};
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::objects::Objects;
use crate::control::scheduler::pod_info::PodInfo;

/// Filters by taints NoSchedule and NoExecute, scores by PreferNoSchedule.
pub struct TaintToleration;

/// Whether a taint keeps the pod off the node.
pub(super) fn is_untolerated(node: &Node, pod: &PodInfo) -> bool {
    untolerated(node, pod).is_some()
}

/// The first taint that does.
fn untolerated<'a>(node: &'a Node, pod: &PodInfo) -> Option<&'a Taint> {
    node.taints.iter().find(|taint| {
        taint.effect != TaintEffect::PreferNoSchedule && !taint.is_tolerated(&pod.spec.tolerations)
    })
}

impl FilterPlugin for TaintToleration {
    fn scope(&self) -> Scope {
        Scope::Node
    }

    fn heeds_identity(&self, _pod: &PodInfo) -> bool {
        false
    }

    fn filter(
        &self,
        cx: &Context<'_>,
        _state: &PluginState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Status {
        match untolerated(&node.node, pod) {
            None => Status::SUCCESS,
            Some(taint) if cx.version.names_the_taint() => {
                let Taint { key, value, .. } = taint;
                let reason = format!("node(s) had untolerated taint {{{key}: {value}}}");
                Status::made(Code::UnschedulableAndUnresolvable, reason)
            }
            Some(_) => Status::unresolvable(&["node(s) had untolerated taint(s)"]),
        }
    }
}

/// The tolerations that speak of PreferNoSchedule.
#[derive(Clone)]
struct Preferences(Vec<Toleration>);

fn preferences(pod: &PodInfo) -> Preferences {
    let prefers = |t: &&Toleration| t.effect.is_none_or(|e| e == TaintEffect::PreferNoSchedule);
    Preferences(pod.spec.tolerations.iter().filter(prefers).cloned().collect())
}

impl PreScorePlugin for TaintToleration {
    fn pre_score(&self, _cx: &Context<'_>, pod: &PodInfo, _feasible: NodeList<'_>) -> PreScore {
        PreScore::Continue(PluginState::new(preferences(pod)))
    }
}

impl ScorePlugin for TaintToleration {
    fn scope(&self) -> Scope {
        Scope::Node
    }

    fn heeds_identity(&self, _pod: &PodInfo) -> bool {
        false
    }

    fn normalizes(&self) -> bool {
        true
    }

    /// How many PreferNoSchedule taints the pod does not tolerate.
    fn score(&self, _cx: &Context<'_>, state: &PluginState, pod: &PodInfo, node: &NodeInfo) -> i64 {
        if node.node.taints.is_empty() {
            return 0;
        }
        let made;
        let preferences = match state.get::<Preferences>() {
            Some(preferences) => preferences,
            None => {
                made = preferences(pod);
                &made
            }
        };
        let soft = node.node.taints.iter().filter(|t| t.effect == TaintEffect::PreferNoSchedule);
        soft.filter(|t| !t.is_tolerated(&preferences.0)).count() as i64
    }

    fn normalize(
        &self,
        _state: &PluginState,
        _pod: &PodInfo,
        _feasible: NodeList<'_>,
        scores: &mut [i64],
    ) {
        default_normalize_score(true, scores);
    }
}

impl EnqueueExtensions for TaintToleration {
    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const EVENTS: [ClusterEvent; 2] = [
            ClusterEvent::new(Resource::Node, Action::ADD.or(Action::UPDATE_NODE_TAINT)),
            ClusterEvent::new(Resource::TargetPod, Action::UPDATE_POD_TOLERATION),
        ];
        &EVENTS
    }

    fn queueing_hint(
        &self,
        _objects: &Objects,
        pod: &PodInfo,
        _event: ClusterEvent,
        change: &EventObjects<'_>,
    ) -> QueueingHint {
        let helps = match change {
            EventObjects::Node { old, new: Some(new) } => {
                old.is_none_or(|old| is_untolerated(old, pod)) && !is_untolerated(new, pod)
            }
            _ => true,
        };
        QueueingHint::when(helps)
    }
}

impl SignPlugin for TaintToleration {
    fn sign(&self, _pod: &PodInfo) -> Option<Aspects> {
        Some(Aspects::TOLERATIONS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::PodId;
    use crate::api::taint::TolerationOperator;
    use crate::control::scheduler::claim_uses::NO_USES;
    use crate::control::scheduler::testing::{node, pod_info, spec};
    use crate::units::SimTime;

    fn pod(tolerations: Vec<(&str, Option<TaintEffect>)>) -> PodInfo {
        let toleration = |(key, effect): (&str, Option<TaintEffect>)| Toleration {
            key: key.into(),
            operator: TolerationOperator::Exists,
            value: "".into(),
            effect,
            seconds: None,
        };
        let tolerations = tolerations.into_iter().map(toleration).collect();
        pod_info(PodId::default(), crate::api::pod::PodSpec { tolerations, ..spec(1, 1) })
    }

    fn tainted(taints: &[(&str, TaintEffect)]) -> Node {
        let taints = taints.iter().map(|(key, effect)| Taint::new(key, *effect, SimTime::ZERO));
        Node { taints: taints.collect(), ..node("n") }
    }

    #[test]
    fn only_hard_taints_filter() {
        use TaintEffect::*;
        let rows = [
            ("no taint keeps nobody off", tainted(&[]), pod(vec![]), false),
            ("NoSchedule does", tainted(&[("a", NoSchedule)]), pod(vec![]), true),
            ("NoExecute does", tainted(&[("a", NoExecute)]), pod(vec![]), true),
            ("PreferNoSchedule does not", tainted(&[("a", PreferNoSchedule)]), pod(vec![]), false),
            (
                "a toleration of another effect does not help",
                tainted(&[("a", NoExecute)]),
                pod(vec![("a", Some(NoSchedule))]),
                true,
            ),
            (
                "one of all effects does",
                tainted(&[("a", NoExecute)]),
                pod(vec![("a", None)]),
                false,
            ),
        ];
        for (sentence, node, pod, expected) in rows {
            assert_eq!(is_untolerated(&node, &pod), expected, "{sentence}");
        }
    }

    #[test]
    fn tolerations_of_hard_effects_do_not_count_in_scores() {
        use TaintEffect::*;
        let node = tainted(&[("a", PreferNoSchedule), ("b", PreferNoSchedule), ("c", NoSchedule)]);
        let info = NodeInfo::new(std::sync::Arc::new(node));
        let rows = [
            ("both soft taints count", pod(vec![]), 2),
            ("a tolerated one does not", pod(vec![("a", Some(PreferNoSchedule))]), 1),
            ("a NoSchedule toleration is not looked at", pod(vec![("a", Some(NoSchedule))]), 2),
        ];
        for (sentence, pod, expected) in rows {
            let objects = crate::control::scheduler::objects::Objects::default();
            let nodes = NodeList { infos: &[], order: &[] };
            let cx = Context {
                nodes,
                with_affinity: nodes,
                with_required_anti_affinity: nodes,
                objects: &objects,
                claim_uses: &NO_USES,
                now: SimTime::ZERO,
                version: Default::default(),
            };
            let score = TaintToleration.score(&cx, &PluginState::none(), &pod, &info);
            assert_eq!(score, expected, "{sentence}");
        }
    }
}
