//! ResourceQuotas: how much of what a namespace may have (`core/v1`).
//!
//! Source: kubernetes `pkg/quota/v1/evaluator/core/pods.go`, `pkg/quota/v1/generic/evaluator.go`
//! (`Matches`), v1.37. It knows what a quota measures, not when anybody measures.

use super::Text;
use super::amounts::Amounts;
use super::labels::Operator;
use super::pod::{Pod, PodSpec};
use super::quantity::Quantity;
use super::storage::Claim;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A ResourceQuota with its status.
#[derive(Clone, PartialEq, Debug)]
pub struct ResourceQuota {
    /// `metadata.name`.
    pub name: Text,
    /// `metadata.namespace`.
    pub namespace: Text,
    /// `spec.hard`.
    pub hard: Amounts,
    /// `spec.scopes` and `spec.scopeSelector`: only pods that fit all of them count.
    pub scopes: Vec<Scope>,
    /// `status.hard`: what admission goes by.
    pub known: Amounts,
    /// `status.used`.
    pub used: Amounts,
    /// Raised with everything that the count of its controller may have missed: a count that began
    /// before is refused, as by a conflict of resource versions.
    pub version: u64,
}

/// Which pods a quota counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Scope {
    /// `BestEffort` (true) or `NotBestEffort`.
    BestEffort(bool),
    /// `Terminating` (true): those with `activeDeadlineSeconds`; or `NotTerminating`.
    Terminating(bool),
    /// `PriorityClass`: those whose class is, or is not, among these.
    PriorityClass(Operator, Vec<Text>),
}

impl Scope {
    /// Whether a pod is in it.
    pub fn fits(&self, spec: &PodSpec) -> bool {
        match self {
            Scope::BestEffort(wanted) => spec.is_best_effort() == *wanted,
            Scope::Terminating(wanted) => spec.has_deadline == *wanted,
            Scope::PriorityClass(operator, classes) => {
                let has_one = !spec.priority_class.is_empty();
                match operator {
                    Operator::In => classes.contains(&spec.priority_class),
                    Operator::NotIn => !classes.contains(&spec.priority_class),
                    Operator::Exists => has_one,
                    _ => !has_one,
                }
            }
        }
    }
}

/// Names that pods are counted under.
pub fn is_of_pods(resource: &str) -> bool {
    let own = ["pods", "count/pods", "cpu", "memory", "ephemeral-storage"];
    let prefixes = ["requests.", "limits.", "hugepages-"];
    (own.contains(&resource) || prefixes.iter().any(|prefix| resource.starts_with(prefix)))
        && resource != "requests.storage"
}

/// The kinds that quotas count as objects, by the plural that requests name.
const KINDS: [(&str, &str); 15] = [
    ("Pod", "pods"),
    ("Service", "services"),
    ("ReplicationController", "replicationcontrollers"),
    ("PersistentVolumeClaim", "persistentvolumeclaims"),
    ("Ingress", "ingresses.networking.k8s.io"),
    ("ResourceQuota", "resourcequotas"),
    ("LimitRange", "limitranges"),
    ("Deployment", "deployments.apps"),
    ("ReplicaSet", "replicasets.apps"),
    ("StatefulSet", "statefulsets.apps"),
    ("DaemonSet", "daemonsets.apps"),
    ("Job", "jobs.batch"),
    ("CronJob", "cronjobs.batch"),
    ("HorizontalPodAutoscaler", "horizontalpodautoscalers.autoscaling"),
    ("PodDisruptionBudget", "poddisruptionbudgets.policy"),
];

/// The plural of a kind with its API group, as in `count/deployments.apps`.
pub fn plural(kind: &str) -> &'static str {
    KINDS.iter().find(|(known, _)| *known == kind).map_or("objects", |(_, plural)| plural)
}

/// The kind whose objects a name of a quota counts, whether they live or not: `count/jobs.batch`,
/// and `services`, `replicationcontrollers`, `resourcequotas` and `persistentvolumeclaims` for
/// short.
pub fn kind_counted_as(resource: &str) -> Option<&'static str> {
    let short = ["services", "replicationcontrollers", "resourcequotas", "persistentvolumeclaims"];
    let plural = match resource.strip_prefix("count/") {
        Some(plural) => plural,
        None if short.contains(&resource) => resource,
        None => return None,
    };
    KINDS.iter().find(|(_, known)| *known == plural).map(|(kind, _)| *kind)
}

/// Between a class and what of its claims is measured.
const OF_CLASS: &str = ".storageclass.storage.k8s.io/";

/// What a claim comes to under a name of a quota: `requests.storage`, or that or
/// `persistentvolumeclaims` of a class. `None`: the name measures no storage.
///
/// Source: kubernetes `pkg/quota/v1/evaluator/core/persistent_volume_claims.go`, v1.37.
pub fn storage_of(resource: &str, claim: Option<&Claim>) -> Option<Quantity> {
    let (class, what) = match resource.split_once(OF_CLASS) {
        Some((class, what)) => (Some(class), what),
        None => (None, resource),
    };
    let counted = claim.filter(|claim| class.is_none_or(|class| *claim.class == *class));
    match (class, what) {
        (_, "requests.storage") => Some(counted.and_then(|c| c.request).unwrap_or_default()),
        (Some(_), "persistentvolumeclaims") => Some(Quantity::of(counted.is_some().into())),
        _ => None,
    }
}

/// Resources that each container must name where a quota has them.
const NAMED: [&str; 6] =
    ["cpu", "memory", "requests.cpu", "requests.memory", "limits.cpu", "limits.memory"];

impl ResourceQuota {
    /// Names of `amounts` under which a pod counts here; none when it is out of scope.
    pub fn of_pod<'a>(&self, amounts: &'a Amounts, spec: &PodSpec) -> Vec<&'a Text> {
        if !self.scopes.iter().all(|scope| scope.fits(spec)) {
            return Vec::new();
        }
        amounts.keys().filter(|name| is_of_pods(name)).collect()
    }

    /// What a pod comes to here of those names that `amounts` has, nothing left out.
    pub fn usage_of(&self, amounts: &Amounts, spec: &PodSpec, is_charged: bool) -> Amounts {
        let names = self.of_pod(amounts, spec).into_iter();
        names.map(|name| (name.clone(), spec.usage(name, is_charged))).collect()
    }

    /// What all these pods come to, and nothing but pods.
    pub fn usage_of_all<'a>(&self, pods: impl Iterator<Item = &'a Pod>) -> Amounts {
        let none = |name: &Text| (name.clone(), Quantity::default());
        let mut used: Amounts =
            self.hard.keys().filter(|name| is_of_pods(name)).map(none).collect();
        // Pods of one template come to the same: they are counted first.
        let mut alike: Option<(&Arc<PodSpec>, bool, i64)> = None;
        let mut add = |of: Option<(&Arc<PodSpec>, bool, i64)>| {
            let Some((spec, charged, count)) = of else { return };
            for (name, amount) in self.usage_of(&self.hard, spec, charged) {
                *used.entry(name).or_default() += amount.times(count);
            }
        };
        for pod in pods {
            let charged = !pod.phase.is_terminal();
            match &mut alike {
                Some((spec, same, count)) if Arc::ptr_eq(spec, &pod.spec) && *same == charged => {
                    *count += 1;
                }
                other => {
                    add(other.take());
                    *other = Some((&pod.spec, charged, 1));
                }
            }
        }
        add(alike);
        used
    }

    /// What containers of a pod must name and do not, `must specify cpu for: a,b`; `None`: nothing.
    pub fn unnamed(&self, spec: &PodSpec) -> Option<String> {
        if spec.pod_requests.is_some() {
            return None;
        }
        let mut missing = Vec::new();
        for name in self.known.keys().filter(|name| NAMED.contains(&name.as_str())) {
            let names = |container: &super::pod::Container| match name.strip_prefix("limits.") {
                Some(limit) => container.limited(limit).is_some(),
                None => {
                    container.requested(name.strip_prefix("requests.").unwrap_or(name)).is_some()
                }
            };
            let silent = spec.all_containers().filter(|container| !names(container));
            let silent: BTreeSet<&str> = silent.map(|container| &*container.name).collect();
            if !silent.is_empty() {
                let silent: Vec<&str> = silent.into_iter().collect();
                missing.push(format!("{name} for: {}", silent.join(",")));
            }
        }
        (!missing.is_empty()).then(|| format!("must specify {}", missing.join("; ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::convert::pod::pod_spec;
    use serde_json::{Value, json};

    fn spec(given: Value) -> PodSpec {
        let given = serde_json::from_value(given).unwrap();
        pod_spec(&given, "spec", &mut Vec::new())
    }

    fn one(resources: Value) -> PodSpec {
        spec(json!({"containers": [{"name": "c", "resources": resources}]}))
    }

    #[test]
    fn pods_come_to_what_upstream_counts() {
        let both = json!({"requests": {"cpu": "200m", "memory": "1Gi", "x.y/gpu": "2"},
            "limits": {"cpu": "1", "x.y/gpu": "2"}});
        let rows = [
            ("a pod is one", "pods", true, Quantity::of(1)),
            ("one that has ended is none", "pods", false, Quantity::of(0)),
            ("but is there", "count/pods", false, Quantity::of(1)),
            ("its requests", "requests.cpu", true, Quantity::of_milli(200)),
            ("cpu alone means them too", "cpu", true, Quantity::of_milli(200)),
            ("its limits", "limits.cpu", true, Quantity::of(1)),
            ("no limit is nothing", "limits.memory", true, Quantity::of(0)),
            ("extended resources", "requests.x.y/gpu", true, Quantity::of(2)),
            ("which count for nothing once it has ended", "requests.cpu", false, Quantity::of(0)),
        ];
        let spec = one(both);
        for (sentence, name, charged, expected) in rows {
            assert_eq!(spec.usage(name, charged), expected, "{sentence}: {name}");
        }
    }

    #[test]
    fn claims_come_to_what_they_ask_for() {
        let ten = Quantity::of(10 << 30);
        let mut claim = Claim::new(crate::api::ObjectName::new("default", "data"));
        (claim.class, claim.request) = ("gold".into(), Some(ten));
        let zero = Quantity::default();
        let of_class = |class: &str, what: &str| format!("{class}{OF_CLASS}{what}");
        let rows = [
            ("what it asks for", "requests.storage".to_owned(), Some(ten)),
            ("of its class, too", of_class("gold", "requests.storage"), Some(ten)),
            ("and it is one", of_class("gold", "persistentvolumeclaims"), Some(Quantity::of(1))),
            ("another class has nothing of it", of_class("tin", "requests.storage"), Some(zero)),
            ("nor is it one of that", of_class("tin", "persistentvolumeclaims"), Some(zero)),
            ("all claims are counted as objects", "persistentvolumeclaims".to_owned(), None),
            ("and this is of pods", "requests.memory".to_owned(), None),
        ];
        for (sentence, name, expected) in rows {
            assert_eq!(storage_of(&name, Some(&claim)), expected, "{sentence}: {name}");
        }
    }

    #[test]
    fn scopes_choose_pods() {
        let nothing = one(json!({}));
        let small = one(json!({"requests": {"cpu": "1m"}}));
        let job = spec(json!({"activeDeadlineSeconds": 5, "containers": [{"name": "c"}]}));
        let high = spec(json!({"priorityClassName": "high", "containers": [{"name": "c"}]}));
        let of = |operator, names: &[&str]| {
            Scope::PriorityClass(operator, names.iter().map(|name| (*name).into()).collect())
        };
        let rows = [
            ("without requests it is BestEffort", Scope::BestEffort(true), &nothing, true),
            ("with the smallest it is not", Scope::BestEffort(true), &small, false),
            ("which NotBestEffort takes", Scope::BestEffort(false), &small, true),
            ("a deadline makes it Terminating", Scope::Terminating(true), &job, true),
            ("others are not", Scope::Terminating(true), &small, false),
            ("NotTerminating", Scope::Terminating(false), &small, true),
            ("its class is among those", of(Operator::In, &["low", "high"]), &high, true),
            ("none is not", of(Operator::In, &["high"]), &small, false),
            ("and is not in any", of(Operator::NotIn, &["high"]), &small, true),
            ("it has a class", of(Operator::Exists, &[]), &high, true),
            ("it has none", of(Operator::DoesNotExist, &[]), &high, false),
        ];
        for (sentence, scope, spec, expected) in rows {
            assert_eq!(scope.fits(spec), expected, "{sentence}");
        }
    }
}
