//! Events in the API's form.

use super::meta::{Meta, object};
use crate::api::kind::Kind;
use crate::print::Snapshot;
use crate::print::clock::{nanoseconds, stamp};
use crate::print::told::{Times, What};
use serde_json::{Value, json};

/// All Events that the API server still has.
pub(super) fn events(snapshot: &Snapshot) -> Vec<Value> {
    let told = snapshot.events.at(snapshot.now).enumerate();
    told.map(|(ordinal, (what, times))| event(ordinal as u64 + 1, what, times)).collect()
}

/// One Event that has just been told.
pub(in crate::print) fn of(snapshot: &Snapshot, what: &What) -> Option<Value> {
    Some(event(1, what, snapshot.events.times(what)?))
}

fn event(ordinal: u64, what: &What, times: &Times) -> Value {
    // Events about what is in no namespace are kept in `default`.
    let namespace = if what.namespace.is_empty() { "default" } else { &what.namespace };
    let mut out = object(&Meta {
        kind: "Event",
        namespace,
        name: &format!("{}.{:x}", what.name, nanoseconds(times.first)),
        ordinal,
        labels: None,
        generation: 0,
        created: times.first,
        version: 0,
    });
    let mut about = json!({ "kind": what.kind, "name": &*what.name });
    if let Some(kind) = Kind::named(what.kind) {
        about["apiVersion"] = kind.api_version.into();
    }
    if !what.namespace.is_empty() {
        about["namespace"] = Value::from(&*what.namespace);
    }
    out["involvedObject"] = about;
    out["reason"] = what.reason.into();
    out["message"] = Value::from(times.says.as_deref().unwrap_or(&what.message));
    out["source"] = json!({ "component": what.component });
    out["reportingComponent"] = what.component.into();
    out["type"] = if what.warns { "Warning" } else { "Normal" }.into();
    out["firstTimestamp"] = stamp(times.first).into();
    out["lastTimestamp"] = stamp(times.last).into();
    out["count"] = times.count.into();
    out
}
