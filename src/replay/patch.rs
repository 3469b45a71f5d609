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

/// Applies a JSON patch (RFC 6902), as far as scripts use it: `add`, `replace`, `remove`.
///
/// # Errors
/// An operation that is not known, or a path that is not there.
pub fn json_patch(object: &mut Value, patch: &Value) -> Result<(), String> {
    for step in patch.as_array().into_iter().flatten() {
        let path = step["path"].as_str().unwrap_or_default();
        let (parent, key) = path.rsplit_once('/').unwrap_or(("", path));
        let key = key.replace("~1", "/").replace("~0", "~");
        let missing = || format!("patch of {path}, which is not there");
        let place = object.pointer_mut(parent).ok_or_else(missing)?;
        let known = ["add", "replace", "remove"];
        let op = step["op"].as_str().filter(|op| known.contains(op)).ok_or("a JSON patch")?;
        match place {
            Value::Object(fields) if op == "remove" => _ = fields.remove(&key),
            Value::Object(fields) => _ = fields.insert(key, step["value"].clone()),
            Value::Array(items) if op == "add" && key == "-" => items.push(step["value"].clone()),
            Value::Array(items) => {
                let at = key.parse().ok().filter(|at| *at <= items.len()).ok_or_else(missing)?;
                match op {
                    "remove" if at < items.len() => _ = items.remove(at),
                    "add" => items.insert(at, step["value"].clone()),
                    "replace" if at < items.len() => items[at] = step["value"].clone(),
                    _ => return Err(missing()),
                }
            }
            _ => return Err(missing()),
        }
    }
    Ok(())
}

fn are_named(items: &[Value]) -> bool {
    !items.is_empty() && items.iter().all(|item| item["name"].is_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_patches_change_what_they_point_at() {
        let mut object = json!({"a": [1, 2], "b": {"c/d": 1}});
        let patch = json!([
            {"op": "remove", "path": "/a/0"},
            {"op": "add", "path": "/a/-", "value": 3},
            {"op": "replace", "path": "/b/c~1d", "value": 5},
        ]);
        json_patch(&mut object, &patch).unwrap();
        assert_eq!(object, json!({"a": [2, 3], "b": {"c/d": 5}}));
        let lost = json!([{"op": "remove", "path": "/x/y"}]);
        assert!(json_patch(&mut object, &lost).is_err());
    }

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
