//! Paths into objects, as `custom-columns` and `--sort-by` take them: a small part of JSONPath.
//!
//! `.metadata.name`, `{.spec.containers[*].image}`, `.status.conditions[?(@.type=="Ready")].status`;
//! a dot within a name is written `\.`. It knows nothing of kinds.

use serde_json::Value;

/// A path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Path(Vec<Step>);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Step {
    Field(String),
    Index(i64),
    All,
    /// Items whose field has this value.
    Where(Path, String),
}

impl Path {
    /// Reads a path; braces and the first dot may be left out.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Path, String> {
        let inner = text.strip_prefix('{').and_then(|t| t.strip_suffix('}')).unwrap_or(text);
        let inner = inner.strip_prefix('$').unwrap_or(inner);
        let mut steps = Vec::new();
        let mut rest = inner;
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix('[') {
                let end = closing(after).ok_or_else(|| format!("`{text}`: a [ is not closed"))?;
                steps.push(bracket(&after[..end]).ok_or_else(|| {
                    format!("`{text}`: expected [N], [*], ['NAME'] or [?(@.FIELD==\"VALUE\")]")
                })?);
                rest = &after[end + 1..];
                continue;
            }
            let (name, after) = field(rest.strip_prefix('.').unwrap_or(rest));
            if name == "*" {
                steps.push(Step::All);
            } else if !name.is_empty() {
                steps.push(Step::Field(name));
            }
            rest = after;
        }
        Ok(Path(steps))
    }

    /// All that lies there.
    pub fn find<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        self.0.iter().fold(vec![value], |found, step| {
            found.into_iter().flat_map(|value| step.from(value)).collect()
        })
    }
}

impl Step {
    fn from<'a>(&self, value: &'a Value) -> Vec<&'a Value> {
        let items = || value.as_array().into_iter().flatten();
        match self {
            Step::Field(name) => value.get(name).into_iter().collect(),
            Step::Index(at) => {
                let length = value.as_array().map_or(0, Vec::len) as i64;
                let at = if *at < 0 { *at + length } else { *at };
                usize::try_from(at).ok().and_then(|at| value.get(at)).into_iter().collect()
            }
            Step::All => match value {
                Value::Object(map) => map.values().collect(),
                _ => items().collect(),
            },
            Step::Where(path, wanted) => {
                let holds = |item: &&Value| path.find(item).iter().any(|v| plain(v) == *wanted);
                items().filter(holds).collect()
            }
        }
    }
}

/// Where the bracket closes that was opened before `text`.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    text.char_indices().find_map(|(at, c)| match (quote, c) {
        (None, ']') => Some(at),
        (None, '\'' | '"') => {
            quote = Some(c);
            None
        }
        (Some(q), c) if q == c => {
            quote = None;
            None
        }
        _ => None,
    })
}

fn bracket(text: &str) -> Option<Step> {
    let text = text.trim();
    if text == "*" {
        return Some(Step::All);
    }
    if let Some(filter) = text.strip_prefix("?(").and_then(|t| t.strip_suffix(')')) {
        let (path, value) = filter.trim().strip_prefix('@')?.split_once("==")?;
        let value = value.trim();
        let bare = quoted(value).unwrap_or(value);
        return Some(Step::Where(Path::parse(path.trim()).ok()?, bare.to_owned()));
    }
    quoted(text)
        .map(|name| Step::Field(name.to_owned()))
        .or_else(|| text.parse().ok().map(Step::Index))
}

fn quoted(text: &str) -> Option<&str> {
    ['\'', '"'].iter().find_map(|q| text.strip_prefix(*q)?.strip_suffix(*q))
}

/// A field's name, up to a dot or bracket, and what follows.
fn field(text: &str) -> (String, &str) {
    let mut name = String::new();
    let mut letters = text.char_indices();
    while let Some((at, c)) = letters.next() {
        match c {
            '\\' => name.extend(letters.next().map(|(_, c)| c)),
            '.' | '[' => return (name, &text[at..]),
            c => name.push(c),
        }
    }
    (name, "")
}

/// A value as it stands in a table.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "<nil>".to_owned(),
        other => go(other),
    }
}

/// Objects and lists as Go prints them: `map[a:b]`, `[a b]`.
fn go(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let pairs = map.iter().map(|(key, value)| format!("{key}:{}", plain(value)));
            format!("map[{}]", pairs.collect::<Vec<_>>().join(" "))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(" "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_find_what_kubectl_finds() {
        let pod = json!({
            "metadata": {"name": "web", "labels": {"app.kubernetes.io/name": "w"}},
            "spec": {"containers": [{"image": "a"}, {"image": "b"}]},
            "status": {"conditions": [
                {"type": "Ready", "status": "True"},
                {"type": "Initialized", "status": "False"},
            ]},
        });
        let rows: [(&str, &str, &[&str]); 9] = [
            ("a field", ".metadata.name", &["web"]),
            ("in braces, without the dot", "{metadata.name}", &["web"]),
            ("a dot in a name", r".metadata.labels.app\.kubernetes\.io/name", &["w"]),
            ("a name in quotes", ".metadata.labels['app.kubernetes.io/name']", &["w"]),
            ("one of a list", ".spec.containers[1].image", &["b"]),
            ("from its end", ".spec.containers[-1].image", &["b"]),
            ("all of a list", ".spec.containers[*].image", &["a", "b"]),
            ("some of a list", r#".status.conditions[?(@.type=="Ready")].status"#, &["True"]),
            ("what is not there", ".spec.nodeName", &[]),
        ];
        for (sentence, path, expected) in rows {
            let path = Path::parse(path).unwrap();
            let found: Vec<String> = path.find(&pod).into_iter().map(plain).collect();
            assert_eq!(found, expected, "{sentence}");
        }
        assert!(Path::parse(".a[").is_err() && Path::parse(".a[x]").is_err());
    }
}
