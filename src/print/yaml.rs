//! Objects as YAML, laid out as kubectl does: keys in order, lists not indented.

use serde_json::Value;
use std::fmt::Write;

/// The value as a YAML document.
pub(super) fn text(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => mapping(value, 0, &mut out),
        Value::Array(items) if !items.is_empty() => sequence(value, 0, &mut out),
        scalar => {
            let _ = writeln!(out, "{}", flat(scalar));
        }
    }
    out
}

fn mapping(value: &Value, depth: usize, out: &mut String) {
    for (key, value) in value.as_object().into_iter().flatten() {
        indent(depth, out);
        out.push_str(&quoted(key));
        out.push(':');
        below(value, depth, out);
    }
}

/// What stands behind a key.
fn below(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            out.push('\n');
            mapping(value, depth + 1, out);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            sequence(value, depth, out);
        }
        scalar => {
            let _ = writeln!(out, " {}", flat(scalar));
        }
    }
}

fn sequence(value: &Value, depth: usize, out: &mut String) {
    for item in value.as_array().into_iter().flatten() {
        indent(depth, out);
        out.push('-');
        match item {
            Value::Object(map) if !map.is_empty() => {
                let mut nested = String::new();
                mapping(item, depth + 1, &mut nested);
                out.push(' ');
                out.push_str(nested.trim_start());
            }
            Value::Array(items) if !items.is_empty() => {
                let mut nested = String::new();
                sequence(item, depth + 1, &mut nested);
                out.push(' ');
                out.push_str(nested.trim_start());
            }
            scalar => {
                let _ = writeln!(out, " {}", flat(scalar));
            }
        }
    }
}

fn indent(depth: usize, out: &mut String) {
    out.extend(std::iter::repeat_n("  ", depth));
}

/// What fits on the line.
fn flat(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Object(_) => "{}".to_owned(),
        Value::Array(_) => "[]".to_owned(),
        other => other.to_string(),
    }
}

/// A text, in quotes where it would read as something else without them: double ones around what
/// would be a number, a truth or a date, single ones around the rest, as Go's library does.
fn quoted(text: &str) -> String {
    let control = |c: char| c.is_control() || "\u{feff}\u{2028}\u{2029}".contains(c);
    if text.chars().any(control) {
        // JSON's escapes are YAML's, too.
        return Value::from(text).to_string();
    }
    if is_scalar(text) {
        return format!("\"{text}\"");
    }
    match is_plain(text) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "''")),
    }
}

/// Whether a reader takes the bare text for something else than a text.
fn is_scalar(text: &str) -> bool {
    const WORDS: &[&str] = &[
        "", "-", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "~", ".nan", ".inf",
    ];
    let bare = text.strip_prefix(['-', '+']).unwrap_or(text);
    WORDS.contains(&&*bare.to_ascii_lowercase()) || text == "-" || is_number(bare) || is_date(text)
}

/// Whether an unsigned text is a number to some reader: of base 10, 16, 8, 2, or 60.
fn is_number(bare: &str) -> bool {
    let digits = bare.replace('_', "");
    let starts = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let other_base = ["0x", "0o", "0b", "0X", "0O", "0B"].iter().any(|p| digits.starts_with(p));
    let is_sixty =
        digits.contains(':') && digits.chars().all(|c| c.is_ascii_digit() || ":.".contains(c));
    starts && (digits.parse::<f64>().is_ok() || other_base || is_sixty)
}

/// Whether a text begins as a date does.
fn is_date(text: &str) -> bool {
    let year = text.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &text[year..];
    year == 4 && rest.starts_with('-') && rest[1..].starts_with(|c: char| c.is_ascii_digit())
}

/// Whether the bare text reads as this text.
fn is_plain(text: &str) -> bool {
    let mut letters = text.chars();
    let (first, second) = (letters.next().unwrap_or(' '), letters.next().unwrap_or(' '));
    let starts_badly = match first {
        '-' | '?' | ':' => second == ' ' || second == first,
        first => ",[]{}#&*!|>'\"%@`= <".contains(first),
    };
    let ends_badly = text.ends_with([' ', ':']);
    !(starts_badly || ends_badly || text.contains(": ") || text.contains(" #"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn objects_are_laid_out_as_kubectl_does() {
        let value = json!({
            "kind": "Pod",
            "metadata": {"labels": {"app": "web", "level": "5"}, "uid": "00000001-0000-4000-8000-000000000007"},
            "spec": {"containers": [{"name": "a", "args": ["-c", "true"]}, {"name": "b"}], "empty": []},
            "when": "2026-01-01T00:00:00Z",
            "ready": true,
        });
        let expected = "\
kind: Pod
metadata:
  labels:
    app: web
    level: \"5\"
  uid: 00000001-0000-4000-8000-000000000007
ready: true
spec:
  containers:
  - args:
    - -c
    - \"true\"
    name: a
  - name: b
  empty: []
when: \"2026-01-01T00:00:00Z\"
";
        assert_eq!(text(&value), expected);
    }

    fn values() -> impl Strategy<Value = Value> {
        let word =
            prop_oneof!["[ -~]{0,8}", "[0-9.eE+:_xTZ-]{1,6}", "[a-z#:' \"-]{0,6}", "\\PC{0,4}"];
        let leaf = prop_oneof![
            word.prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-z./:# -]{1,6}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_as_what_it_was(value in values()) {
            let told = text(&value);
            let read: Value = serde_saphyr::from_str(&told).unwrap();
            prop_assert_eq!(read, value, "{}", told);
        }
    }
}
