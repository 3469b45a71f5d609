//! Reading objects in their JSON form: what tables and descriptions are made of.

use super::clock;
use crate::units::SimTime;
use serde_json::Value;

/// The text at a path like `/metadata/name`; empty when there is none.
pub(super) fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    object.pointer(path).and_then(Value::as_str).unwrap_or("")
}

/// The text at a path, or `<none>`.
pub(super) fn text_or_none(object: &Value, path: &str) -> String {
    match text(object, path) {
        "" => "<none>".to_owned(),
        text => text.to_owned(),
    }
}

/// The number at a path; 0 when there is none.
pub(super) fn number(object: &Value, path: &str) -> u64 {
    object.pointer(path).and_then(Value::as_u64).unwrap_or(0)
}

/// The items at a path; none when there is no list.
pub(super) fn items<'a>(object: &'a Value, path: &str) -> &'a [Value] {
    object.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Whether the object has a true condition of this type.
pub(super) fn has_condition(object: &Value, kind: &str) -> bool {
    items(object, "/status/conditions").iter().any(|c| c["type"] == kind && c["status"] == "True")
}

/// How long ago the object was created.
pub(super) fn age(object: &Value, now: SimTime) -> String {
    let stamp = object.pointer("/metadata/creationTimestamp").and_then(Value::as_str);
    clock::since(stamp, now)
}

/// The pairs of a map as `a=b,c=d`; `<none>` for no pairs.
pub(super) fn pairs(map: Option<&Value>) -> String {
    let pairs = map.and_then(Value::as_object).into_iter().flatten();
    let pairs: Vec<String> =
        pairs.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or(""))).collect();
    match pairs.is_empty() {
        true => "<none>".to_owned(),
        false => pairs.join(","),
    }
}

/// A label selector as `a=b,c in (d,e),!f` (`metav1.FormatLabelSelector`).
pub(super) fn selector(given: Option<&Value>) -> String {
    let Some(given) = given else { return "<none>".to_owned() };
    let labels = given.get("matchLabels").and_then(Value::as_object).into_iter().flatten();
    let mut terms: Vec<String> =
        labels.map(|(key, value)| format!("{key}={}", value.as_str().unwrap_or(""))).collect();
    for one in given.get("matchExpressions").and_then(Value::as_array).into_iter().flatten() {
        let key = one["key"].as_str().unwrap_or("");
        let values = items(one, "/values").iter().filter_map(Value::as_str);
        let values = values.collect::<Vec<_>>().join(",");
        terms.push(match one["operator"].as_str() {
            Some("In") => format!("{key} in ({values})"),
            Some("NotIn") => format!("{key} notin ({values})"),
            Some("DoesNotExist") => format!("!{key}"),
            _ => key.to_owned(),
        });
    }
    match terms.is_empty() {
        true => "<none>".to_owned(),
        false => terms.join(","),
    }
}

/// Up to `most` texts, and how many more there are.
pub(super) fn some(texts: &[String], most: usize, separator: &str) -> String {
    if texts.is_empty() {
        return "<none>".to_owned();
    }
    let list = texts.iter().take(most).cloned().collect::<Vec<_>>().join(separator);
    match texts.len().saturating_sub(most) {
        0 => list,
        more => format!("{list} + {more} more..."),
    }
}
