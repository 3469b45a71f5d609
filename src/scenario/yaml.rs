//! YAML as a tree whose every node knows where it stands in the file.
//!
//! Parsing is serde-saphyr's; this file only keeps the places. It knows nothing of what the tree
//! means.

use serde::de::{self, Deserialize, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};
use std::fmt;
use std::ops::Range;

/// Bytes in the file.
pub type Span = Range<usize>;

/// Deepest nesting that is read; the API server's limit is of this order.
const MAX_DEPTH: usize = 64;
/// Largest file: the API server takes objects up to 3 MiB; a file may hold several.
const MAX_BYTES: usize = 32 * 1024 * 1024;

/// A node of the tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// Where it stands.
    pub span: Span,
    /// What it is.
    pub value: Value,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number; `0644` is octal, as in YAML 1.1 and Kubernetes.
    Int(i128),
    /// Any other number.
    Float(f64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping in file order; keys are unique.
    Map(Vec<Entry>),
}

/// One entry of a mapping.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub node: Node,
}

/// A text that is no YAML.
#[derive(Clone, Debug, PartialEq)]
pub struct SyntaxError {
    /// Where.
    pub span: Span,
    /// What is wrong.
    pub message: String,
}

/// Reads all documents of a file; empty ones are left out.
///
/// # Errors
/// The first place at which the text is no YAML, has a key twice, nests too deeply, or expands
/// aliases beyond any honest use.
pub fn parse(text: &str) -> Result<Vec<Node>, SyntaxError> {
    if text.len() > MAX_BYTES {
        let message = format!("the file is larger than {} MiB", MAX_BYTES >> 20);
        return Err(SyntaxError { span: 0..0, message });
    }
    let mut options = serde_saphyr::Options::default();
    options.legacy_octal_numbers = true;
    options.with_snippet = false;
    let documents: Result<Vec<Node>, _> = serde_saphyr::from_multiple_with_options(text, options);
    let documents = documents.map_err(|error| {
        let span = error.location().map_or(0..0, |location| place(&location, text));
        SyntaxError { span, message: worded(error.without_snippet()) }
    })?;
    match documents.iter().find_map(|document| too_deep(document, 0)) {
        Some(span) => Err(SyntaxError { span, message: too_deep_told() }),
        None => Ok(documents.into_iter().filter(|d| d.value != Value::Null).collect()),
    }
}

/// What is wrong, in words of the file's author.
fn worded(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::budget::BudgetBreach;
    match error {
        serde_saphyr::Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{key}` is given twice")
        }
        serde_saphyr::Error::NonFiniteFloat { .. } => "a number must be finite".to_string(),
        serde_saphyr::Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => too_deep_told(),
        other => {
            let message = other.to_string();
            match message.split(" at line ").next().unwrap_or(&message) {
                message if message.starts_with("budget breached") => {
                    "the file is too large, or its aliases make it so".to_string()
                }
                "recursion limit exceeded" => too_deep_told(),
                "expected string scalar" => "a key must be a text".to_string(),
                message => message.to_string(),
            }
        }
    }
}

fn too_deep_told() -> String {
    format!("nested more than {MAX_DEPTH} levels deep")
}

/// Where an error is: the scanner counts lines and characters, everything else bytes.
fn place(location: &Location, text: &str) -> Span {
    if location.span().byte_offset().is_some() {
        return bytes(location, text.len());
    }
    let (line, column) = (location.line().max(1) as usize, location.column().max(1) as usize);
    let mut start = 0;
    for _ in 1..line {
        start = text[start..].find('\n').map_or(text.len(), |at| start + at + 1);
    }
    let rest = text[start..].split('\n').next().unwrap_or("");
    let start = start + rest.chars().take(column - 1).map(char::len_utf8).sum::<usize>();
    let length = text[start..].chars().next().map_or(0, char::len_utf8);
    start..start + length
}

fn too_deep(node: &Node, depth: usize) -> Option<Span> {
    if depth > MAX_DEPTH {
        return Some(node.span.clone());
    }
    match &node.value {
        Value::List(items) => items.iter().find_map(|item| too_deep(item, depth + 1)),
        Value::Map(entries) => entries.iter().find_map(|entry| too_deep(&entry.node, depth + 1)),
        _ => None,
    }
}

fn bytes(location: &Location, len: usize) -> Span {
    let span = location.span();
    let start = span.byte_offset().map_or(0, |at| at as usize).min(len);
    let length = span.byte_len().map_or(1, |n| n as usize).max(1);
    start..(start + length).min(len.max(start))
}

impl Node {
    /// The value of `key` in a mapping.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|entry| entry.key == key).map(|entry| &entry.node)
    }

    /// The items of a list; none of anything else.
    pub fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The objects that a `List` of Kubernetes holds.
    pub(super) fn items_of_list(&mut self) -> &mut [Node] {
        let is_list = self.get("kind").and_then(Node::as_text).is_some_and(|k| k.ends_with("List"));
        let Value::Map(entries) = &mut self.value else { return &mut [] };
        match entries.iter_mut().find(|entry| entry.key == "items").map(|e| &mut e.node.value) {
            Some(Value::List(items)) if is_list => items,
            _ => &mut [],
        }
    }

    /// Gives a mapping `value` at `key` where it has nothing there.
    pub fn set_default(&mut self, key: &str, value: Value) {
        let span = self.span.clone();
        if let Value::Map(entries) = &mut self.value
            && !entries.iter().any(|entry| entry.key == key)
        {
            let node = Node { span: span.clone(), value };
            entries.push(Entry { key: key.to_string(), key_span: span, node });
        }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        let Value::Text(text) = &self.value else { return None };
        Some(text)
    }

    /// The node at a path like `spec.containers[0].image`, or the nearest one above it. Keys with
    /// dots in them are matched whole.
    pub fn nearest(&self, path: &str) -> &Node {
        let mut node = self;
        let mut rest = path.trim_start_matches('.');
        while !rest.is_empty() {
            let Some((next, left)) = node.step(rest) else { return node };
            node = next;
            rest = left.trim_start_matches('.');
        }
        node
    }

    /// The node at `path` with what stands near it: the last item of a list on the way, else what
    /// is below the second key.
    pub fn vicinity(&self, path: &str) -> &Node {
        let (mut node, mut near) = (self, self);
        let mut rest = path.trim_start_matches('.');
        let mut depth = 0;
        while !rest.is_empty() {
            let Some((next, left)) = node.step(rest) else { break };
            depth += 1;
            if depth <= 2 || matches!(node.value, Value::List(_)) {
                near = next;
            }
            node = next;
            rest = left.trim_start_matches('.');
        }
        near
    }

    /// What `path` of this tree is called in `whole`, of which some items and keys are not here.
    pub fn path_in(&self, whole: &Node, path: &str) -> String {
        let (mut node, mut there, mut rest) = (self, whole, path);
        let mut found = String::new();
        while let Some((next, left)) = node.step(rest.trim_start_matches('.')) {
            let same = |item: &&Node| item.span == next.span;
            match children(there).position(|item| same(&item)) {
                Some(at) if matches!(node.value, Value::List(_)) => {
                    found.push_str(&format!("[{at}]"));
                }
                _ => found.push_str(&rest[..rest.len() - left.len()]),
            }
            there = children(there).find(same).unwrap_or(next);
            (node, rest) = (next, left);
        }
        found + rest
    }

    /// Whether `other` is a part of this tree, the same at the same place.
    pub fn contains(&self, other: &Node) -> bool {
        self == other
            || match &self.value {
                Value::List(items) => items.iter().any(|item| item.contains(other)),
                Value::Map(entries) => entries.iter().any(|entry| entry.node.contains(other)),
                _ => false,
            }
    }

    fn step<'a, 'p>(&'a self, path: &'p str) -> Option<(&'a Node, &'p str)> {
        match &self.value {
            Value::List(items) => {
                let (index, rest) = path.strip_prefix('[')?.split_once(']')?;
                Some((items.get(index.parse::<usize>().ok()?)?, rest))
            }
            Value::Map(entries) => {
                // The longest key that the path begins with.
                let fits = |key: &str| {
                    path.strip_prefix(key)
                        .is_some_and(|r| r.is_empty() || r.starts_with(['.', '[']))
                };
                let entry = entries.iter().filter(|e| fits(&e.key)).max_by_key(|e| e.key.len())?;
                Some((&entry.node, &path[entry.key.len()..]))
            }
            _ => None,
        }
    }

    /// As JSON, for decoding that needs no places.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(b) => Json::Bool(*b),
            Value::Int(i) => i64::try_from(*i).map_or(Json::Null, Json::from),
            Value::Float(f) => Json::from(*f),
            Value::Text(text) => Json::from(text.as_str()),
            Value::List(items) => items.iter().map(Node::to_json).collect(),
            Value::Map(entries) => {
                entries.iter().map(|e| (e.key.clone(), e.node.to_json())).collect()
            }
        }
    }
}

/// What is right below a list or a mapping.
fn children(node: &Node) -> Box<dyn Iterator<Item = &Node> + '_> {
    match &node.value {
        Value::List(items) => Box::new(items.iter()),
        Value::Map(entries) => Box::new(entries.iter().map(|entry| &entry.node)),
        _ => Box::new(std::iter::empty()),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Node { span: bytes(&spanned.referenced, usize::MAX >> 1), value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Int(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_string()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: de::Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        Value::deserialize(inner)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            let key_span = bytes(&key.referenced, usize::MAX >> 1);
            map.push(Entry { key: key.value, key_span, node: entries.next_value()? });
        }
        Ok(Value::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_knows_its_place() {
        let text = "a: 1\n---\nb:\n  - c: x\n    d: 0644\n";
        let documents = parse(text).unwrap();
        assert_eq!(documents.len(), 2);
        let d = documents[1].nearest("b[0].d");
        assert_eq!((&text[d.span.clone()], &d.value), ("0644", &Value::Int(420)));
        assert_eq!(
            documents[1].nearest("b[0].nothing.here").span.start,
            text.find("c: x").unwrap()
        );
    }

    #[test]
    fn what_is_no_yaml_is_an_error_with_a_place() {
        let rows = [
            ("a key twice", "a: 1\na: 2\n"),
            ("an open bracket", "a: [1, 2\n"),
            ("a tab as indentation", "a:\n\t- 1\n"),
            ("an unknown alias", "a: *nobody\n"),
        ];
        for (sentence, text) in rows {
            let error = parse(text).expect_err(sentence);
            assert!(!error.message.is_empty(), "{sentence}");
        }
    }

    #[test]
    fn the_scanners_places_are_lines_and_characters() {
        let rows = [
            ("behind a tab as indentation", "a: 1\nb:\n\t- 1\n", "- 1"),
            ("after letters of several bytes", "a: \"\u{e9}\u{e9}\"\nb: \u{e9}: y\n", ": y"),
            ("an unknown alias", "a: 1\nb: *x\n", "*x"),
            ("a character that may not begin a word", "a: 1\nb: @x\n", "@x"),
        ];
        for (sentence, text, place) in rows {
            let error = parse(text).expect_err(sentence);
            assert!(text[error.span.start..].starts_with(place), "{sentence}: {error:?}");
        }
    }

    #[test]
    fn hostile_files_are_refused_quickly() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for i in 1..12 {
            let refs = vec![format!("*a{}", i - 1); 10].join(", ");
            bomb.push_str(&format!("a{i}: &a{i} [{refs}]\n"));
        }
        assert!(parse(&bomb).is_err(), "a billion laughs");
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        assert!(parse(&deep).is_err(), "deep nesting");
    }
}
