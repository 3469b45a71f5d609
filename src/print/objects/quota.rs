//! ResourceQuotas and LimitRanges.

use super::meta::{Meta, marked, object};
use crate::api::amounts::{Amounts, written};
use crate::api::labels::Operator;
use crate::api::limit_range::{LimitItem, LimitRange};
use crate::api::quota::{ResourceQuota, Scope};
use crate::api::{LimitRangeId, QuotaId};
use crate::print::Snapshot;
use crate::print::chronicle::Key;
use serde_json::{Value, json};
use slotmap::Key as _;

/// The head of either, which is without labels and generation.
fn head(
    snapshot: &Snapshot,
    key: Key,
    kind: &'static str,
    (namespace, name): (&str, &str),
    ordinal: u64,
) -> Value {
    let (version, created) = marked(snapshot, key);
    let (labels, generation) = (None, 0);
    object(&Meta { kind, namespace, name, ordinal, labels, generation, created, version })
}

/// A ResourceQuota.
pub(super) fn quota(snapshot: &Snapshot, id: QuotaId, given: &ResourceQuota) -> Value {
    let (key, ordinal) = (Key::Quota(id), id.data().as_ffi());
    let mut out = head(snapshot, key, "ResourceQuota", (&given.namespace, &given.name), ordinal);
    out["spec"] = json!({ "hard": amounts(&given.hard) });
    if !given.scopes.is_empty() {
        let all: Vec<Value> = given.scopes.iter().map(scope).collect();
        out["spec"]["scopeSelector"] = json!({ "matchExpressions": all });
    }
    out["status"] = json!({ "hard": amounts(&given.known), "used": amounts(&given.used) });
    out
}

fn scope(scope: &Scope) -> Value {
    let name = match scope {
        Scope::BestEffort(true) => "BestEffort",
        Scope::BestEffort(false) => "NotBestEffort",
        Scope::Terminating(true) => "Terminating",
        Scope::Terminating(false) => "NotTerminating",
        Scope::PriorityClass(operator, values) => {
            let operator = match operator {
                Operator::In => "In",
                Operator::NotIn => "NotIn",
                Operator::DoesNotExist => "DoesNotExist",
                _ => "Exists",
            };
            let values: Vec<&str> = values.iter().map(|value| &**value).collect();
            let mut out = json!({ "operator": operator, "scopeName": "PriorityClass" });
            if !values.is_empty() {
                out["values"] = values.into();
            }
            return out;
        }
    };
    json!({ "operator": "Exists", "scopeName": name })
}

/// A LimitRange.
pub(super) fn limit_range(snapshot: &Snapshot, id: LimitRangeId, given: &LimitRange) -> Value {
    let (key, ordinal) = (Key::LimitRange(id), id.data().as_ffi());
    let mut out = head(snapshot, key, "LimitRange", (&given.namespace, &given.name), ordinal);
    let limits: Vec<Value> = given.limits.iter().map(limit).collect();
    out["spec"] = json!({ "limits": limits });
    out
}

fn limit(item: &LimitItem) -> Value {
    let mut out = json!({ "type": if item.is_of_pod { "Pod" } else { "Container" } });
    let lists = [
        ("default", &item.default),
        ("defaultRequest", &item.default_request),
        ("max", &item.max),
        ("maxLimitRequestRatio", &item.max_ratio),
        ("min", &item.min),
    ];
    for (field, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        out[field] = amounts(list);
    }
    out
}

fn amounts(list: &Amounts) -> Value {
    list.iter().map(|(name, amount)| (name.to_string(), written(name, *amount))).collect()
}
