//! Node affinity, pod affinity and topology spread constraints of a pod specification.
//!
//! It knows nothing of the rest of a pod.

use super::{FieldError, requirement, selector, texts};
use crate::api::node_affinity::{NodeAffinity, NodeSelectorTerm, PreferredTerm};
use crate::api::pod_affinity::{
    PodAffinity, PodAffinityTerm, PodAffinityTerms, WeightedPodAffinityTerm,
};
use crate::api::topology_spread::{TopologySpreadConstraint, WhenUnsatisfiable};
use k8s_openapi::api::core::v1 as k8s;

/// `spec.affinity.nodeAffinity`.
pub(crate) fn node_affinity(
    given: &k8s::NodeAffinity,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> NodeAffinity {
    let mut out = NodeAffinity::default();
    if let Some(required) = &given.required_during_scheduling_ignored_during_execution {
        let path =
            format!("{path}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms");
        let terms = required.node_selector_terms.iter().enumerate();
        out.required =
            Some(terms.map(|(i, t)| node_term(t, &format!("{path}[{i}]"), errors)).collect());
    }
    let preferred = given.preferred_during_scheduling_ignored_during_execution.iter().flatten();
    for (i, p) in preferred.enumerate() {
        let path = format!("{path}.preferredDuringSchedulingIgnoredDuringExecution[{i}]");
        check_weight(p.weight, &path, errors);
        let term = node_term(&p.preference, &format!("{path}.preference"), errors);
        out.preferred.push(PreferredTerm { weight: p.weight, term });
    }
    out
}

fn check_weight(weight: i32, path: &str, errors: &mut Vec<FieldError>) {
    if !(1..=100).contains(&weight) {
        let message = format!("{weight} is no weight: it must be 1 to 100");
        errors.push(FieldError::new(format!("{path}.weight"), message));
    }
}

/// One node selector term; volumes' node affinities have the same form.
pub(super) fn node_term(
    given: &k8s::NodeSelectorTerm,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> NodeSelectorTerm {
    let mut list = |given: Option<&Vec<k8s::NodeSelectorRequirement>>, field: &str| {
        let one = |(i, r): (usize, &k8s::NodeSelectorRequirement)| {
            let path = format!("{path}.{field}[{i}]");
            requirement(&r.key, &r.operator, r.values.as_ref(), &path, errors)
        };
        given.into_iter().flatten().enumerate().filter_map(one).collect()
    };
    NodeSelectorTerm {
        match_expressions: list(given.match_expressions.as_ref(), "matchExpressions"),
        match_fields: list(given.match_fields.as_ref(), "matchFields"),
    }
}

/// `spec.affinity.podAffinity` and `podAntiAffinity`; `None` when both have no term.
pub(super) fn pod_affinity(
    given: &k8s::Affinity,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<PodAffinity> {
    let mut out = PodAffinity::default();
    if let Some(a) = &given.pod_affinity {
        out.affinity = terms(
            a.required_during_scheduling_ignored_during_execution.as_ref(),
            a.preferred_during_scheduling_ignored_during_execution.as_ref(),
            &format!("{path}.podAffinity"),
            errors,
        );
    }
    if let Some(a) = &given.pod_anti_affinity {
        out.anti_affinity = terms(
            a.required_during_scheduling_ignored_during_execution.as_ref(),
            a.preferred_during_scheduling_ignored_during_execution.as_ref(),
            &format!("{path}.podAntiAffinity"),
            errors,
        );
    }
    (given.pod_affinity.is_some() || given.pod_anti_affinity.is_some()).then_some(out)
}

fn terms(
    required: Option<&Vec<k8s::PodAffinityTerm>>,
    preferred: Option<&Vec<k8s::WeightedPodAffinityTerm>>,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> PodAffinityTerms {
    let mut out = PodAffinityTerms::default();
    for (i, given) in required.into_iter().flatten().enumerate() {
        let path = format!("{path}.requiredDuringSchedulingIgnoredDuringExecution[{i}]");
        out.required.push(term(given, &path, errors));
    }
    for (i, given) in preferred.into_iter().flatten().enumerate() {
        let path = format!("{path}.preferredDuringSchedulingIgnoredDuringExecution[{i}]");
        check_weight(given.weight, &path, errors);
        let term = term(&given.pod_affinity_term, &format!("{path}.podAffinityTerm"), errors);
        out.preferred.push(WeightedPodAffinityTerm { weight: given.weight, term });
    }
    out
}

fn term(given: &k8s::PodAffinityTerm, path: &str, errors: &mut Vec<FieldError>) -> PodAffinityTerm {
    if given.topology_key.is_empty() {
        let message = "a topology key is required";
        errors.push(FieldError::new(format!("{path}.topologyKey"), message));
    }
    let namespaces = given.namespace_selector.as_ref();
    PodAffinityTerm {
        selector: selector(given.label_selector.as_ref(), &format!("{path}.labelSelector"), errors),
        namespaces: texts(given.namespaces.as_ref()),
        namespace_selector: namespaces
            .map(|s| selector(Some(s), &format!("{path}.namespaceSelector"), errors)),
        topology_key: given.topology_key.as_str().into(),
        match_label_keys: texts(given.match_label_keys.as_ref()),
        mismatch_label_keys: texts(given.mismatch_label_keys.as_ref()),
    }
}

/// One entry of `spec.topologySpreadConstraints`.
pub(crate) fn topology_spread(
    given: &k8s::TopologySpreadConstraint,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> TopologySpreadConstraint {
    if given.max_skew < 1 {
        let message = format!("{} is no skew: it must be at least 1", given.max_skew);
        errors.push(FieldError::new(format!("{path}.maxSkew"), message));
    }
    let when_unsatisfiable = match given.when_unsatisfiable.as_str() {
        "DoNotSchedule" => WhenUnsatisfiable::DoNotSchedule,
        "ScheduleAnyway" => WhenUnsatisfiable::ScheduleAnyway,
        other => {
            let message = format!("{other:?} is neither DoNotSchedule nor ScheduleAnyway");
            errors.push(FieldError::new(format!("{path}.whenUnsatisfiable"), message));
            WhenUnsatisfiable::DoNotSchedule
        }
    };
    let mut honor = |policy: Option<&String>, field: &str, default: bool| match policy {
        None => default,
        Some(p) if p == "Honor" => true,
        Some(p) if p == "Ignore" => false,
        Some(other) => {
            let message = format!("{other:?} is neither Honor nor Ignore");
            errors.push(FieldError::new(format!("{path}.{field}"), message));
            default
        }
    };
    TopologySpreadConstraint {
        max_skew: given.max_skew,
        topology_key: given.topology_key.as_str().into(),
        when_unsatisfiable,
        honor_node_affinity: honor(given.node_affinity_policy.as_ref(), "nodeAffinityPolicy", true),
        honor_node_taints: honor(given.node_taints_policy.as_ref(), "nodeTaintsPolicy", false),
        selector: selector(given.label_selector.as_ref(), &format!("{path}.labelSelector"), errors),
        match_label_keys: texts(given.match_label_keys.as_ref()),
        min_domains: given.min_domains.unwrap_or(1),
    }
}
