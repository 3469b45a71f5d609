//! The pod for a node: the set's template, the tolerations of all daemons, and an affinity that
//! only this node meets.

use super::super::action::{Action, NewName, NewPod};
use super::super::replicaset;
use super::Sync;
use crate::api::Text;
use crate::api::labels::{Operator, Requirement};
use crate::api::node_affinity::{NodeAffinity, NodeSelectorTerm};
use crate::api::pod::{Pod, PodSpec};
use crate::api::taint::{
    NOT_READY, TaintEffect, Toleration, TolerationOperator, UNREACHABLE, UNSCHEDULABLE,
};
use std::sync::Arc;

/// The label by which a pod names its template.
pub(super) const HASH_LABEL: &str = "controller-revision-hash";
/// The label by which pods did so before there were revisions.
pub(super) const GENERATION_LABEL: &str = "pod-template-generation";
/// The field by which a node is named.
const NAME_FIELD: &str = "metadata.name";

/// The template's tolerations and those that every daemon has (`AddOrUpdateDaemonPodTolerations`).
pub(super) fn tolerations(spec: &PodSpec) -> Vec<Toleration> {
    use TaintEffect::{NoExecute, NoSchedule};
    let mut all = spec.tolerations.clone();
    let of_all = [
        (NOT_READY, NoExecute),
        (UNREACHABLE, NoExecute),
        ("node.kubernetes.io/disk-pressure", NoSchedule),
        ("node.kubernetes.io/memory-pressure", NoSchedule),
        ("node.kubernetes.io/pid-pressure", NoSchedule),
        (UNSCHEDULABLE, NoSchedule),
    ];
    let of_host = ("node.kubernetes.io/network-unavailable", NoSchedule);
    for (key, effect) in of_all.into_iter().chain(spec.host_network.then_some(of_host)) {
        let is_it = |given: &&mut Toleration| {
            *given.key == *key
                && given.operator == TolerationOperator::Exists
                && given.value.is_empty()
                && given.effect == Some(effect)
        };
        match all.iter_mut().find(is_it) {
            Some(given) => given.seconds = None,
            None => all.push(Toleration {
                key: key.into(),
                operator: TolerationOperator::Exists,
                value: "".into(),
                effect: Some(effect),
                seconds: None,
            }),
        }
    }
    all
}

/// A pinned specification's node (`GetTargetNodeName` of a pod without one).
pub(super) fn target(pod: &Pod) -> Option<&Text> {
    let terms = pod.spec.node_affinity.as_ref()?.required.as_ref()?;
    let fields = terms.iter().flat_map(|term| &term.match_fields);
    let mut names = fields.filter(|r| *r.key == *NAME_FIELD && r.operator == Operator::In);
    match &names.next()?.values[..] {
        [name] => Some(name),
        _ => None,
    }
}

/// The affinity with nothing required but this node
/// (`ReplaceDaemonSetPodNodeNameNodeAffinity`).
fn pinned(given: Option<&NodeAffinity>, node: &Text) -> NodeAffinity {
    let name =
        Requirement { key: NAME_FIELD.into(), operator: Operator::In, values: vec![node.clone()] };
    let term = NodeSelectorTerm { match_expressions: Vec::new(), match_fields: vec![name] };
    let preferred = given.map_or_else(Vec::new, |given| given.preferred.clone());
    NodeAffinity { required: Some(vec![term]), preferred }
}

impl Sync<'_> {
    /// What the set's new pods have in common.
    pub(super) fn blueprint(&self) -> NewPod {
        let template = &self.set.template;
        let labels = template.labels.with(GENERATION_LABEL, &*self.generation);
        let tolerations = tolerations(&template.spec);
        NewPod {
            name: NewName::Generated(format!("{}-", self.set.meta.name).into()),
            labels: labels.with(HASH_LABEL, template.hash.clone()),
            spec: Arc::new(PodSpec { tolerations, ..(*template.spec).clone() }),
            is_tracked: false,
            created: replicaset::created_event,
        }
    }

    /// The request for a pod on a node.
    pub(super) fn create(&self, any: &NewPod, node: &Text) -> Action {
        let affinity = pinned(any.spec.node_affinity.as_deref(), node);
        let node_affinity = Some(Box::new(affinity));
        let spec = Arc::new(PodSpec { node_affinity, ..(*any.spec).clone() });
        let pod = Box::new(NewPod { spec, ..any.clone() });
        Action::CreatePodAs { owner: self.id, pod }
    }
}
