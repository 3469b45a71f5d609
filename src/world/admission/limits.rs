//! The LimitRanger plugin, and the validation of what it made of a pod.
//!
//! Source: kubernetes `plugin/pkg/admission/limitranger/admission.go`,
//! `pkg/apis/core/validation/validation.go` (`ValidateResourceRequirements`), v1.37. Upstream's
//! errors come in the order of hash maps; here in that of the resources' names.

use crate::api::Text;
use crate::api::amounts::{Amounts, written};
use crate::api::limit_range::{LimitItem, LimitRange};
use crate::api::pod::{Pod, PodSpec};
use crate::api::quantity::Quantity;
use crate::api::refusal::{Refusal, aggregate};
use crate::world::world::World;
use std::sync::Arc;

/// What became of templates whose pods are given defaults, so that those share one specification.
#[derive(Debug, Default)]
pub(in crate::world) struct Defaulted(Vec<(Text, Arc<PodSpec>, Arc<PodSpec>)>);

/// How many templates are remembered.
const REMEMBERED: usize = 64;

impl Defaulted {
    /// Limits have changed: nothing that is remembered holds.
    pub(in crate::world) fn forget(&mut self) {
        self.0.clear();
    }

    /// A template's specification with the defaults of the limits of a namespace.
    fn spec(&mut self, namespace: &Text, of: &Arc<PodSpec>, limits: &[LimitRange]) -> Arc<PodSpec> {
        let known = |(other, template, _): &&(Text, Arc<PodSpec>, Arc<PodSpec>)| {
            other == namespace && Arc::ptr_eq(template, of)
        };
        if let Some((.., spec)) = self.0.iter().find(known) {
            return Arc::clone(spec);
        }
        let spec = with_defaults(of, limits);
        if self.0.len() == REMEMBERED {
            self.0.remove(0);
        }
        self.0.push((namespace.clone(), Arc::clone(of), Arc::clone(&spec)));
        spec
    }
}

impl World<'_> {
    /// Gives a pod what its namespace's limits say for what it leaves out; the limits.
    pub(super) fn give_defaults(&mut self, pod: &mut Pod) -> Vec<LimitRange> {
        let here = self.store.limit_ranges().filter(|(_, range)| range.namespace == pod.namespace);
        let mut ranges: Vec<LimitRange> = here.map(|(_, range)| range.clone()).collect();
        if ranges.is_empty() {
            return ranges;
        }
        ranges.sort_by(|one, other| one.name.cmp(&other.name));
        let spec = self.defaulted.spec(&pod.namespace, &pod.spec, &ranges);
        if !Arc::ptr_eq(&spec, &pod.spec) {
            pod.base_mut().spec = spec;
        }
        ranges
    }
}

/// Judges a pod by the limits of its namespace, if there are any.
pub(super) fn judge_pod(pod: &Pod, ranges: &[LimitRange]) -> Result<(), Refusal> {
    if ranges.is_empty() {
        return Ok(());
    }
    let invalid = validate(&pod.spec);
    if !invalid.is_empty() {
        return Err(Refusal::invalid("Pod", &pod.name(), &invalid));
    }
    for range in ranges {
        let errors = violations(&range.limits, &pod.spec);
        if !errors.is_empty() {
            return Err(Refusal::forbidden("pods", &pod.name(), &aggregate(&errors)));
        }
    }
    Ok(())
}

/// The specification with what its containers leave out; the same one if they leave nothing out.
fn with_defaults(spec: &Arc<PodSpec>, ranges: &[LimitRange]) -> Arc<PodSpec> {
    let mut changed = PodSpec::clone(spec);
    for range in ranges {
        let mut limits = Amounts::new();
        let mut requests = Amounts::new();
        for item in range.limits.iter().filter(|item| !item.is_of_pod) {
            limits.extend(item.default.clone());
            requests.extend(item.default_request.clone());
        }
        for container in changed.containers.iter_mut().chain(&mut changed.init_containers) {
            for (name, amount) in &limits {
                if container.limited(name).is_none() {
                    container.set_limit(name, *amount);
                }
            }
            for (name, amount) in &requests {
                if container.requested(name).is_none() {
                    container.set_request(name, *amount);
                }
            }
        }
    }
    if changed == **spec { Arc::clone(spec) } else { Arc::new(changed) }
}

/// What the API server's validation finds: a request above its limit.
pub(in crate::world) fn validate(spec: &PodSpec) -> Vec<String> {
    let mut errors = Vec::new();
    let lists = [("containers", &spec.containers), ("initContainers", &spec.init_containers)];
    for (list, containers) in lists {
        for (i, container) in containers.iter().enumerate() {
            for name in ["cpu", "memory"] {
                let (request, limit) = (container.requested(name), container.limited(name));
                if let (Some(request), Some(limit)) = (request, limit)
                    && request > limit
                {
                    errors.push(format!(
                        "spec.{list}[{i}].resources.requests: Invalid value: \"{}\": must be less \
                         than or equal to {name} limit of {}",
                        written(name, request),
                        written(name, limit)
                    ));
                }
            }
        }
    }
    errors
}

/// What of a pod the limits forbid.
fn violations(limits: &[LimitItem], spec: &PodSpec) -> Vec<String> {
    let mut errors = Vec::new();
    for item in limits {
        if item.is_of_pod {
            judge(item, "Pod", |n| spec.requested(n), |n| spec.limited(n), &mut errors);
            continue;
        }
        for container in spec.all_containers() {
            let (request, limit) =
                (|n: &str| container.requested(n), |n: &str| container.limited(n));
            judge(item, "Container", request, limit, &mut errors);
        }
    }
    errors
}

/// Adds what one limit forbids of something with these requests and limits.
fn judge(
    item: &LimitItem,
    of: &str,
    request: impl Fn(&str) -> Option<Quantity>,
    limit: impl Fn(&str) -> Option<Quantity>,
    errors: &mut Vec<String>,
) {
    for (name, least) in &item.min {
        let below = |amount: &Quantity| amount < least;
        let found = match (request(name), limit(name)) {
            (None, _) => Some(".  No request is specified".to_owned()),
            (Some(request), _) if below(&request) => but("request", name, request),
            (_, Some(limit)) if below(&limit) => but("limit", name, limit),
            _ => None,
        };
        let start = || format!("minimum {name} usage per {of} is {}", written(name, *least));
        errors.extend(found.map(|found| start() + &found));
    }
    for (name, most) in &item.max {
        let above = |amount: &Quantity| amount > most;
        let found = match (request(name), limit(name)) {
            (_, None) => Some(".  No limit is specified".to_owned()),
            (_, Some(limit)) if above(&limit) => but("limit", name, limit),
            (Some(request), _) if above(&request) => but("request", name, request),
            _ => None,
        };
        let start = || format!("maximum {name} usage per {of} is {}", written(name, *most));
        errors.extend(found.map(|found| start() + &found));
    }
    for (name, most) in &item.max_ratio {
        let some = |amount: Option<Quantity>| amount.filter(|amount| !amount.is_zero());
        let found = match (some(request(name)), some(limit(name))) {
            (None, _) => Some("but no request is specified or request is 0".to_owned()),
            (_, None) => Some("but no limit is specified or limit is 0".to_owned()),
            (Some(request), Some(limit)) => {
                let ratio = limit.milli_value() as f64 / request.milli_value() as f64;
                let is_over = ratio * 1000.0 > most.milli_value() as f64;
                is_over.then(|| format!("but provided ratio is {ratio:.6}"))
            }
        };
        let most = written(name, *most);
        let start = format!("{name} max limit to request ratio per {of} is {most}, ");
        errors.extend(found.map(|found| start + &found));
    }
}

fn but(what: &str, name: &str, amount: Quantity) -> Option<String> {
    Some(format!(", but {what} is {}", written(name, amount)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::convert::pod::pod_spec;
    use crate::api::convert::quota::limit_range;
    use serde_json::{Value, json};

    fn range(limits: Value) -> LimitRange {
        let given = json!({"metadata": {"name": "l"}, "spec": {"limits": limits}});
        limit_range(&serde_json::from_value(given).unwrap(), "demo", &mut Vec::new())
    }

    fn spec(containers: &[Value]) -> Arc<PodSpec> {
        let one = |(i, resources): (usize, &Value)| json!({"name": i.to_string(), "resources": resources});
        let containers: Vec<Value> = containers.iter().enumerate().map(one).collect();
        let given = serde_json::from_value(json!({"containers": containers})).unwrap();
        Arc::new(pod_spec(&given, "spec", &mut Vec::new()))
    }

    /// What becomes of a pod under limits: its first container, or why it is refused.
    fn told(limits: &LimitRange, containers: &[Value]) -> String {
        let spec = with_defaults(&spec(containers), std::slice::from_ref(limits));
        let wrong = validate(&spec);
        if !wrong.is_empty() {
            return aggregate(&wrong);
        }
        let errors = violations(&limits.limits, &spec);
        if !errors.is_empty() {
            return aggregate(&errors);
        }
        let of = |amount: Option<Quantity>| amount.map_or("-".into(), |a| written("cpu", a));
        let first = &spec.containers[0];
        format!("{} of {}", of(first.requested("cpu")), of(first.limited("cpu")))
    }

    #[test]
    fn pods_are_changed_and_judged_as_upstream() {
        let cpu = |request: &str, limit: &str| {
            let mut given = json!({"requests": {}, "limits": {}});
            for (list, amount) in [("requests", request), ("limits", limit)] {
                if !amount.is_empty() {
                    given[list]["cpu"] = amount.into();
                }
            }
            given
        };
        let recorded = range(json!([{"type": "Container", "default": {"cpu": "400m"},
            "defaultRequest": {"cpu": "200m"}, "max": {"cpu": "800m"}, "min": {"cpu": "100m"},
            "maxLimitRequestRatio": {"cpu": "4"}}]));
        let pods = range(json!([{"type": "Pod", "max": {"cpu": "1"}, "min": {"cpu": "300m"}}]));
        let memory = range(json!([{"type": "Container", "max": {"memory": "1Gi"}}]));
        let rows = [
            ("defaults fill both", &recorded, vec![cpu("", "")], "200m of 400m"),
            (
                "a request above the limit by default is invalid",
                &recorded,
                vec![cpu("900m", "")],
                "spec.containers[0].resources.requests: Invalid value: \"900m\": must be less than or \
              equal to cpu limit of 400m",
            ),
            (
                "too little, and too far apart",
                &recorded,
                vec![cpu("50m", "")],
                "[minimum cpu usage per Container is 100m, but request is 50m, cpu max limit to \
              request ratio per Container is 4, but provided ratio is 8.000000]",
            ),
            (
                "too far apart",
                &recorded,
                vec![cpu("100m", "600m")],
                "cpu max limit to request ratio per Container is 4, but provided ratio is 6.000000",
            ),
            (
                "too much",
                &recorded,
                vec![cpu("500m", "1")],
                "maximum cpu usage per Container is 800m, but limit is 1",
            ),
            ("what is within is left alone", &recorded, vec![cpu("300m", "600m")], "300m of 600m"),
            ("a limit alone is a request too", &recorded, vec![cpu("", "300m")], "300m of 300m"),
            (
                "a pod is the sum of its containers",
                &pods,
                vec![cpu("600m", "600m"); 2],
                "maximum cpu usage per Pod is 1, but limit is 1200m",
            ),
            (
                "pods get no defaults",
                &pods,
                vec![cpu("", "")],
                "[minimum cpu usage per Pod is 300m.  No request is specified, maximum cpu usage per \
              Pod is 1.  No limit is specified]",
            ),
            ("the largest is the default", &memory, vec![cpu("1", "")], "1 of -"),
        ];
        for (sentence, limits, containers, expected) in rows {
            assert_eq!(told(limits, &containers), expected, "{sentence}");
        }
    }

    #[test]
    fn specifications_are_copied_only_when_they_change_and_once() {
        let limits = range(json!([{"type": "Container", "default": {"cpu": "1"}}]));
        let limits = std::slice::from_ref(&limits);
        let full = spec(&[json!({"limits": {"cpu": "2"}})]);
        assert!(Arc::ptr_eq(&full, &with_defaults(&full, limits)), "nothing is left out");
        let mut defaulted = Defaulted::default();
        let empty = spec(&[json!({})]);
        let [one, other] = [0; 2].map(|_| defaulted.spec(&"demo".into(), &empty, limits));
        assert!(Arc::ptr_eq(&one, &other) && !Arc::ptr_eq(&one, &empty));
    }
}
