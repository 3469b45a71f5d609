//! Parts of descriptions: lines with their indents, labels and other lists one below the other.

use crate::print::clock;
use crate::print::read::{items, text};
use crate::print::{Snapshot, columns, objects};
use crate::units::SimTime;
use serde_json::Value;
use std::fmt::Display;

/// A description as it is written: cells end with tabs, two spaces for each level.
#[derive(Default)]
pub(super) struct Lines(String);

impl Lines {
    /// A line.
    pub(super) fn line(&mut self, level: usize, text: impl Display) {
        self.0.push_str(&format!("{}{text}\n", "  ".repeat(level)));
    }

    /// A line of a name and a value.
    pub(super) fn field(&mut self, level: usize, name: &str, value: impl Display) {
        self.line(level, format_args!("{name}:\t{value}"));
    }

    /// One value below the other; `<none>` for none.
    pub(super) fn list(&mut self, title: &str, values: Vec<String>) {
        if values.is_empty() {
            return self.line(0, format_args!("{title}:\t<none>"));
        }
        for (index, value) in values.iter().enumerate() {
            match index {
                0 => self.line(0, format_args!("{title}:\t{value}")),
                _ => self.line(0, format_args!("\t{value}")),
            }
        }
    }

    /// The pairs of a map; `between` stands between key and value.
    pub(super) fn pairs(&mut self, title: &str, map: Option<&Value>, between: &str) {
        let pairs = map.and_then(Value::as_object).into_iter().flatten();
        let pair = |(k, v): (&String, &Value)| format!("{k}{between}{}", v.as_str().unwrap_or(""));
        self.list(title, pairs.map(pair).collect());
    }

    /// Labels and annotations.
    pub(super) fn labels(&mut self, object: &Value) {
        self.pairs("Labels", object.pointer("/metadata/labels"), "=");
        self.pairs("Annotations", object.pointer("/metadata/annotations"), ": ");
    }

    /// `Name` and `Namespace`.
    pub(super) fn names(&mut self, object: &Value) {
        self.field(0, "Name", text(object, "/metadata/name"));
        self.field(0, "Namespace", text(object, "/metadata/namespace"));
    }

    /// `CreationTimestamp`.
    pub(super) fn created(&mut self, object: &Value) {
        self.field(0, "CreationTimestamp", long(text(object, "/metadata/creationTimestamp")));
    }

    /// `Controlled By`, if anything does.
    pub(super) fn controller(&mut self, object: &Value) {
        if let Some(owner) = items(object, "/metadata/ownerReferences").first() {
            let told = format!("{}/{}", text(owner, "/kind"), text(owner, "/name"));
            self.field(0, "Controlled By", told);
        }
    }

    /// Conditions with their reasons.
    pub(super) fn conditions(&mut self, object: &Value) {
        let conditions = items(object, "/status/conditions");
        if conditions.is_empty() {
            return;
        }
        self.line(0, "Conditions:\n  Type\tStatus\tReason");
        self.line(1, "----\t------\t------");
        for c in conditions {
            let [kind, status, reason] = ["/type", "/status", "/reason"].map(|at| text(c, at));
            self.line(1, format_args!("{kind} \t{status}\t{reason}"));
        }
    }

    /// The Events about an object, oldest first.
    pub(super) fn events(&mut self, snapshot: &Snapshot, object: &Value) {
        let mut events = objects::list(snapshot, "Event");
        let same = |event: &Value, a: &str, b: &str| text(event, a) == text(object, b);
        events.retain(|event| {
            same(event, "/involvedObject/name", "/metadata/name")
                && same(event, "/involvedObject/namespace", "/metadata/namespace")
                && same(event, "/involvedObject/kind", "/kind")
        });
        if events.is_empty() {
            return self.field(0, "Events", "<none>");
        }
        events.sort_by_key(|event| text(event, "/lastTimestamp").to_owned());
        // What stands before is laid out by itself.
        self.line(0, "\u{c}Events:");
        self.line(1, "Type\tReason\tAge\tFrom\tMessage");
        self.line(1, "----\t------\t----\t----\t-------");
        for event in &events {
            let [kind, reason, from, message] =
                ["/type", "/reason", "/source/component", "/message"].map(|at| text(event, at));
            let age = event_age(event, snapshot.now);
            self.line(1, format_args!("{kind}\t{reason}\t{age}\t{from}\t{}", message.trim()));
        }
    }

    /// The description, laid out.
    pub(super) fn finish(self) -> String {
        self.0.split('\u{c}').map(columns::description).collect()
    }
}

/// `5m`, or `3s (x4 over 5m)` of one that was told several times.
fn event_age(event: &Value, now: SimTime) -> String {
    let ago = |at: &str| clock::since(event.pointer(at).and_then(Value::as_str), now);
    match event["count"].as_u64() {
        Some(count) if count > 1 => {
            format!("{} (x{count} over {})", ago("/lastTimestamp"), ago("/firstTimestamp"))
        }
        _ => ago("/firstTimestamp"),
    }
}

/// A timestamp with its weekday; nothing for none.
pub(super) fn long(stamp: &str) -> String {
    clock::long(stamp).unwrap_or_default()
}

/// `True` or `False`.
pub(super) fn truth(value: &Value) -> &'static str {
    if *value == true { "True" } else { "False" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn events_that_were_told_again_say_so() {
        let event = |count: u64| {
            json!({"count": count, "firstTimestamp": "2026-01-01T00:00:00Z",
                "lastTimestamp": "2026-01-01T00:04:57Z"})
        };
        let now = SimTime::from_secs(300);
        assert_eq!(event_age(&event(1), now), "5m");
        assert_eq!(event_age(&event(4), now), "3s (x4 over 5m)");
    }
}
