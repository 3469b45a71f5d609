//! `metadata`, and other parts that objects of all kinds have.

use crate::api::Text;
use crate::api::kind::Kind;
use crate::api::labels::{Labels, Operator, Requirement, Selector};
use crate::api::workload::{Condition, IntOrPercent};
use crate::print::Snapshot;
use crate::print::chronicle::Key;
use crate::print::clock::stamp;
use crate::units::SimTime;
use serde_json::{Map, Value, json};

/// What `metadata` is made of.
pub(super) struct Meta<'a> {
    pub kind: &'static str,
    pub namespace: &'a str,
    pub name: &'a str,
    /// What tells it from all others of its kind.
    pub ordinal: u64,
    pub labels: Option<&'a Labels>,
    pub generation: u64,
    pub created: SimTime,
    pub version: u64,
}

/// A uid: the kind and the ordinal, in the form of one.
pub(super) fn uid(kind: &str, ordinal: u64) -> String {
    let kinds = crate::api::kind::KINDS;
    let number = kinds.iter().position(|k| k.name == kind).unwrap_or(kinds.len()) + 1;
    let (high, low) = (ordinal >> 48, ordinal & 0xffff_ffff_ffff);
    format!("{number:08x}-{high:04x}-4000-8000-{low:012x}")
}

/// An object with this `metadata`, and no more as yet.
pub(super) fn object(meta: &Meta) -> Value {
    let api_version = Kind::named(meta.kind).map_or("v1", |kind| kind.api_version);
    let mut metadata = json!({ "name": meta.name, "uid": uid(meta.kind, meta.ordinal) });
    if !meta.namespace.is_empty() {
        metadata["namespace"] = meta.namespace.into();
    }
    if meta.version > 0 {
        metadata["resourceVersion"] = meta.version.to_string().into();
    }
    if meta.generation > 0 {
        metadata["generation"] = meta.generation.into();
    }
    if let Some(created) = stamp(meta.created) {
        metadata["creationTimestamp"] = created.into();
    }
    if let Some(labels) = meta.labels.filter(|labels| !labels.is_empty()) {
        metadata["labels"] = pairs(labels);
    }
    json!({ "apiVersion": api_version, "kind": meta.kind, "metadata": metadata })
}

/// An object whose kind keeps its `metadata` as the API does, and no more as yet.
pub(super) fn described(
    snapshot: &Snapshot,
    key: Key,
    kind: &'static str,
    ordinal: u64,
    given: &crate::api::meta::Meta,
) -> Value {
    let (version, _) = marked(snapshot, key);
    object(&Meta {
        kind,
        namespace: &given.namespace,
        name: &given.name,
        ordinal,
        labels: Some(&given.labels),
        generation: given.generation,
        created: given.created,
        version,
    })
}

/// The version and first sight of an object. What nobody saw come was there when the clock started.
pub(super) fn marked(snapshot: &Snapshot, key: Key) -> (u64, SimTime) {
    let mark = snapshot.chronicle.mark(key);
    mark.map_or((1, SimTime::ZERO), |mark| (mark.version, mark.created))
}

/// `ownerReferences`: the one that controls.
pub(super) fn owned_by(kind: &str, name: &str, ordinal: u64) -> Value {
    let api_version = Kind::named(kind).map_or("v1", |kind| kind.api_version);
    json!([{
        "apiVersion": api_version,
        "blockOwnerDeletion": true,
        "controller": true,
        "kind": kind,
        "name": name,
        "uid": uid(kind, ordinal),
    }])
}

/// Labels as a map.
pub(super) fn pairs(labels: &Labels) -> Value {
    labels.iter().map(|(k, v)| (k.to_string(), Value::from(&**v))).collect::<Map<_, _>>().into()
}

/// A label selector: single values as `matchLabels`, the rest as `matchExpressions`.
pub(super) fn selector(selector: &Selector) -> Value {
    let Selector::All(requirements) = selector else { return Value::Null };
    let is_label = |r: &&Requirement| r.operator == Operator::In && r.values.len() == 1;
    let labels: Map<String, Value> = requirements
        .iter()
        .filter(is_label)
        .map(|r| (r.key.to_string(), Value::from(&*r.values[0])))
        .collect();
    let others = requirements.iter().filter(|r| !is_label(r)).map(|r| {
        let mut one = json!({ "key": &*r.key, "operator": format!("{:?}", r.operator) });
        if !r.values.is_empty() {
            one["values"] = texts(&r.values);
        }
        one
    });
    let others: Vec<Value> = others.collect();
    let mut out = Map::new();
    if !labels.is_empty() {
        out.insert("matchLabels".to_owned(), labels.into());
    }
    if !others.is_empty() {
        out.insert("matchExpressions".to_owned(), others.into());
    }
    out.into()
}

/// A list of texts.
pub(super) fn texts(texts: &[Text]) -> Value {
    texts.iter().map(|text| Value::from(&**text)).collect()
}

/// A number or a percentage.
pub(super) fn int_or_percent(value: IntOrPercent) -> Value {
    match value {
        IntOrPercent::Int(n) => n.into(),
        IntOrPercent::Percent(p) => format!("{p}%").into(),
    }
}

/// Sets a field, unless there is nothing to be said.
pub(super) fn set(object: &mut Value, field: &str, value: impl Into<Value>) {
    let value = value.into();
    if !value.is_null() {
        object[field] = value;
    }
}

/// A count of a status: 0 is left out, as by the API.
pub(super) fn set_count(object: &mut Value, field: &str, count: u32) {
    if count > 0 {
        object[field] = count.into();
    }
}

/// A condition with the time of its last change.
pub(super) fn condition(given: &Condition) -> Value {
    json!({
        "type": given.kind,
        "status": format!("{:?}", given.status),
        "reason": given.reason,
        "message": &*given.message,
        "lastTransitionTime": stamp(given.transition),
    })
}

/// Conditions that also tell when they were last written.
pub(super) fn conditions(given: &[Condition]) -> Value {
    let one = |c: &Condition| {
        let mut out = condition(c);
        out["lastUpdateTime"] = stamp(c.updated).into();
        out
    };
    given.iter().map(one).collect()
}
