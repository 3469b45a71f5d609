//! Patches of an object: JSON merge patches, and the strategic ones of Kubernetes as far as scripts
//! use them.
//!
//! Source: RFC 7386; apimachinery `pkg/util/strategicpatch`, v1.37: lists with merge key `name`.

use serde_json::Value;

/// Applies a patch to an object.
pub fn merge(object: &mut Value, patch: &Value, strategic: bool) {
    match (object, patch) {
        (Value::Object(object), Value::Object(patch)) => {
            for (key, value) in patch {
                if value.is_null() {
                    object.remove(key);
                } else {
                    merge(object.entry(key.clone()).or_insert(Value::Null), value, strategic);
                }
            }
        }
        (Value::Array(items), Value::Array(patches)) if strategic && are_named(patches) => {
            for patch in patches {
                match items.iter_mut().find(|item| item["name"] == patch["name"]) {
                    Some(item) => merge(item, patch, true),
                    None => items.push(patch.clone()),
                }
            }
        }
        (object @ Value::Null, Value::Object(_)) => {
            *object = Value::Object(serde_json::Map::new());
            merge(object, patch, strategic);
        }
        (object, patch) => *object = patch.clone(),
    }
}

fn are_named(items: &[Value]) -> bool {
    !items.is_empty() && items.iter().all(|item| item["name"].is_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn patches_change_what_they_name() {
        let object = json!({"a": 1, "b": {"c": 2}, "l": [{"name": "x", "v": 1}, {"name": "y"}]});
        let rows = [
            ("a value is replaced", json!({"a": 5}), true, "/a", json!(5)),
            ("null takes a key away", json!({"b": null}), true, "/b", Value::Null),
            ("objects are merged", json!({"b": {"d": 3}}), false, "/b/c", json!(2)),
            ("what is not there is made", json!({"n": {"m": 1}}), false, "/n/m", json!(1)),
            (
                "strategic: items are merged by name",
                json!({"l": [{"name": "x", "v": 2}]}),
                true,
                "/l",
                json!([{"name": "x", "v": 2}, {"name": "y"}]),
            ),
            (
                "merge: a list is replaced",
                json!({"l": [{"name": "x"}]}),
                false,
                "/l",
                json!([{"name": "x"}]),
            ),
        ];
        for (sentence, patch, strategic, pointer, expected) in rows {
            let mut patched = object.clone();
            merge(&mut patched, &patch, strategic);
            assert_eq!(*patched.pointer(pointer).unwrap_or(&Value::Null), expected, "{sentence}");
        }
    }
}
