//! `core/v1` ResourceQuotas and LimitRanges to `api::quota` and `api::limit_range`.

use super::{FieldError, QuantityMap, quantity, texts, workload};
use crate::api::amounts::Amounts;
use crate::api::labels::Operator;
use crate::api::limit_range::{LimitItem, LimitRange};
use crate::api::quota::{ResourceQuota, Scope};
use k8s_openapi::api::core::v1 as k8s;

/// A ResourceQuota whose status is empty; `namespace` is the one it goes to when it names none.
pub fn resource_quota(
    given: &k8s::ResourceQuota,
    namespace: &str,
    errors: &mut Vec<FieldError>,
) -> ResourceQuota {
    let meta = workload::meta(&given.metadata, namespace);
    let spec = given.spec.clone().unwrap_or_default();
    let hard = amounts(spec.hard.as_ref(), "spec.hard", errors);
    for name in hard.keys().filter(|name| *name == "limits.ephemeral-storage") {
        let message = "limits of ephemeral storage are not modelled";
        errors.push(FieldError::new(format!("spec.hard.{name}"), message));
    }
    let mut scopes = Vec::new();
    for (i, name) in spec.scopes.iter().flatten().enumerate() {
        scopes.extend(scope(name, "Exists", None, &format!("spec.scopes[{i}]"), errors));
    }
    let selector = spec.scope_selector.and_then(|selector| selector.match_expressions);
    for (i, one) in selector.iter().flatten().enumerate() {
        let path = format!("spec.scopeSelector.matchExpressions[{i}]");
        scopes.extend(scope(&one.scope_name, &one.operator, one.values.as_ref(), &path, errors));
    }
    ResourceQuota {
        name: meta.name,
        namespace: meta.namespace,
        hard,
        scopes,
        known: Amounts::new(),
        used: Amounts::new(),
        version: 0,
    }
}

fn scope(
    name: &str,
    operator: &str,
    values: Option<&Vec<String>>,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Option<Scope> {
    Some(match name {
        "BestEffort" => Scope::BestEffort(true),
        "NotBestEffort" => Scope::BestEffort(false),
        "Terminating" => Scope::Terminating(true),
        "NotTerminating" => Scope::Terminating(false),
        "PriorityClass" => {
            let operator = match operator {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => {
                    let message =
                        format!("operator {other:?} is none of In, NotIn, Exists, DoesNotExist");
                    errors.push(FieldError::new(format!("{path}.operator"), message));
                    return None;
                }
            };
            Scope::PriorityClass(operator, texts(values))
        }
        other => {
            let message = format!(
                "scope {other:?} is none of BestEffort, NotBestEffort, Terminating, \
                 NotTerminating, PriorityClass"
            );
            errors.push(FieldError::new(path.to_owned(), message));
            return None;
        }
    })
}

/// A LimitRange, defaulted; limits of other types than Container and Pod are left out.
pub fn limit_range(
    given: &k8s::LimitRange,
    namespace: &str,
    errors: &mut Vec<FieldError>,
) -> LimitRange {
    let meta = workload::meta(&given.metadata, namespace);
    let mut limits = Vec::new();
    for (i, item) in given.spec.iter().flat_map(|spec| &spec.limits).enumerate() {
        if item.type_ != "Container" && item.type_ != "Pod" {
            continue;
        }
        let mut list = |given: Option<&QuantityMap>, field: &str| {
            amounts(given, &format!("spec.limits[{i}].{field}"), errors)
        };
        let mut item = LimitItem {
            is_of_pod: item.type_ == "Pod",
            default: list(item.default.as_ref(), "default"),
            default_request: list(item.default_request.as_ref(), "defaultRequest"),
            max: list(item.max.as_ref(), "max"),
            min: list(item.min.as_ref(), "min"),
            max_ratio: list(item.max_limit_request_ratio.as_ref(), "maxLimitRequestRatio"),
        };
        item.fill_in();
        limits.push(item);
    }
    LimitRange { name: meta.name, namespace: meta.namespace, limits }
}

fn amounts(given: Option<&QuantityMap>, path: &str, errors: &mut Vec<FieldError>) -> Amounts {
    let mut out = Amounts::new();
    for (name, amount) in given.into_iter().flatten() {
        let amount = quantity(amount, || format!("{path}.{name}"), errors);
        out.insert(name.as_str().into(), amount);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::amounts::printed;
    use serde_json::json;

    #[test]
    fn limits_default_each_other() {
        let given = json!({"metadata": {"name": "l"}, "spec": {"limits": [
            {"type": "Container", "max": {"cpu": "2", "memory": "1Gi"}, "default": {"cpu": "1"},
             "min": {"ephemeral-storage": "1Mi"}},
            {"type": "Pod", "max": {"cpu": "4"}},
            {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}}]}});
        let mut errors = Vec::new();
        let range = limit_range(&serde_json::from_value(given).unwrap(), "demo", &mut errors);
        assert_eq!((errors.len(), range.limits.len()), (0, 2), "claims are not looked at");
        let container = &range.limits[0];
        assert_eq!(printed(&container.default), "cpu=1,memory=1Gi", "a limit is the largest one");
        let request = "cpu=1,ephemeral-storage=1Mi,memory=1Gi";
        assert_eq!(printed(&container.default_request), request, "a request is the limit");
        assert!(range.limits[1].default.is_empty(), "pods get nothing by default");
    }

    #[test]
    fn what_is_no_quota_is_refused_with_its_place() {
        let given = json!({"metadata": {"name": "q"}, "spec": {
            "hard": {"pods": "x", "limits.ephemeral-storage": "1"}, "scopes": ["Nice"],
            "scopeSelector": {"matchExpressions": [
                {"scopeName": "PriorityClass", "operator": "Like"}]}}});
        let mut errors = Vec::new();
        resource_quota(&serde_json::from_value(given).unwrap(), "demo", &mut errors);
        let paths: Vec<&str> = errors.iter().map(|error| error.path.as_str()).collect();
        let expected = [
            "spec.hard.pods",
            "spec.hard.limits.ephemeral-storage",
            "spec.scopes[0]",
            "spec.scopeSelector.matchExpressions[0].operator",
        ];
        assert_eq!(paths, expected);
    }
}
