//! `--set path=value`: changes to a scenario and its manifests before they are checked.
//!
//! A path names keys with dots and list items by number or by name: `nodes.pool.max`,
//! `nodes[0].max`, `workloads.web.demand`; `*` stands for all of them. One that begins with a kind
//! and a name is of an object of the manifests: `hpa/web.spec.maxReplicas`. It knows trees, not
//! what they mean.

use super::diagnostic::did_you_mean;
use super::yaml::{Entry, Node, Span, Value, parse};
use crate::api::kind::kind_of;

/// What is wrong with an override: where in its text, what, and a hint.
pub(super) type Fault = (Span, String, Option<String>);

/// One override, read; what it is to change has not been looked at.
#[derive(Clone, Debug)]
pub(super) struct Change {
    path: String,
    steps: Vec<Step>,
    /// Kind of the objects that it changes; else it changes the scenario.
    kind: Option<&'static str>,
    /// What it puts there, with its place in the override.
    given: Node,
    /// It has changed an object.
    found: bool,
    /// Names of the kind's objects that have been seen.
    seen: Vec<String>,
}

impl Change {
    /// Reads `path=value`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(text: &str) -> Result<Change, Fault> {
        let usage = || {
            let hint =
                "write --set nodes.pool.max=2000 or --set hpa/web.spec.maxReplicas=40".to_string();
            (0..text.len(), format!("`{text}` is no path=value"), Some(hint))
        };
        let (path, value) = text.split_once('=').ok_or_else(usage)?;
        let begin = path.len() + 1;
        let parsed = parse(value)
            .map_err(|e| (e.span.start + begin..e.span.end + begin, e.message, None))?;
        let nothing = Node { span: 0..value.len(), value: Value::Null };
        let mut given = parsed.into_iter().next().unwrap_or(nothing);
        shift(&mut given, begin);
        let (kind, rest) = match path.split_once('/') {
            Some((word, rest)) if !word.contains(['.', '[']) => {
                let unknown = || (0..word.len(), format!("`{word}` is no kind known here"), None);
                (Some(kind_of(word).ok_or_else(unknown)?), rest)
            }
            _ => (None, path),
        };
        let steps = if kind.is_some() { Vec::new() } else { steps(rest).ok_or_else(usage)? };
        let path = path.to_string();
        Ok(Change { path, steps, kind, given, found: false, seen: Vec::new() })
    }

    /// Whether it changes objects of the manifests.
    pub(super) fn is_of_objects(&self) -> bool {
        self.kind.is_some()
    }

    /// Applies it to the tree of a scenario. The places of what it puts there are those in its
    /// text, moved on by `offset`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn apply(&self, tree: &mut Node, offset: usize) -> Result<(), Fault> {
        self.put(tree, &self.steps, "scenario", offset)
    }

    /// Applies it to a document of a manifest, if it is about that object.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn apply_to(&mut self, object: &mut Node, offset: usize) -> Result<(), Fault> {
        let Some(kind) = self.kind else { return Ok(()) };
        let word =
            |node: &Node, key: &str| node.get(key).and_then(Node::as_text).map(str::to_string);
        let Some(metadata) =
            object.get("metadata").filter(|_| word(object, "kind").as_deref() == Some(kind))
        else {
            return Ok(());
        };
        let name = word(metadata, "name").unwrap_or_default();
        let space = word(metadata, "namespace").unwrap_or_else(|| "default".to_string());
        let (_, rest) = self.path.split_once('/').unwrap_or(("", &self.path));
        let names =
            [format!("{space}/{name}."), format!("{space}/*."), format!("{name}."), "*.".into()];
        self.seen.push(name);
        let Some(path) = names.iter().find_map(|name| rest.strip_prefix(name)) else {
            return Ok(());
        };
        self.found = true;
        let Some(steps) = steps(path) else {
            return Err((0..self.path.len(), format!("`{path}` is no path"), None));
        };
        self.put(object, &steps, kind, offset)
    }

    /// What is wrong if none of the objects that it was shown is the one that it is about.
    pub(super) fn nothing_found(&self) -> Option<Fault> {
        let kind = self.kind.filter(|_| !self.found)?;
        let (_, rest) = self.path.split_once('/').unwrap_or(("", &self.path));
        let name = rest.split('.').next().unwrap_or(rest);
        let near = did_you_mean(name, self.seen.iter().map(String::as_str));
        let hint = match near {
            Some(near) if near != name => Some(format!("did you mean `{near}`?")),
            _ if self.seen.is_empty() => None,
            _ => Some(format!("known: {}", self.seen.join(", "))),
        };
        Some((0..self.path.len(), format!("the manifests have no {kind} `{name}`"), hint))
    }

    fn put(&self, tree: &mut Node, steps: &[Step], what: &str, offset: usize) -> Result<(), Fault> {
        let mut given = self.given.clone();
        shift(&mut given, offset);
        let key_span = offset..offset + self.path.len();
        put(tree, steps, &given, &key_span).map_err(|missing| missing.told(&self.path, what))
    }
}

/// A step of a path that leads nowhere, and what is there instead.
struct Missing {
    step: Step,
    known: Vec<String>,
}

impl Missing {
    fn told(&self, path: &str, of: &str) -> Fault {
        let (what, name) = match &self.step {
            Step::Name(name) => (format!("`{name}`"), name.as_str()),
            Step::Index(index) => (format!("item {index}"), ""),
            Step::All => ("items".to_string(), ""),
        };
        let known = &self.known;
        let hint = match did_you_mean(name, known.iter().map(String::as_str)) {
            Some(near) if !name.is_empty() => Some(format!("did you mean `{near}`?")),
            _ if known.is_empty() => None,
            _ => Some(format!("known: {}", known.join(", "))),
        };
        (0..path.len(), format!("the {of} has no {what} there"), hint)
    }
}

/// Puts `given` where `steps` lead to below `node`.
fn put(node: &mut Node, steps: &[Step], given: &Node, key_span: &Span) -> Result<(), Missing> {
    let Some((step, below)) = steps.split_first() else {
        *node = given.clone();
        return Ok(());
    };
    let known = names(node);
    let missing = || Missing { step: step.clone(), known };
    if let Step::All = step {
        let all: Vec<&mut Node> = match &mut node.value {
            Value::List(items) => items.iter_mut().collect(),
            Value::Map(entries) => entries.iter_mut().map(|entry| &mut entry.node).collect(),
            _ => Vec::new(),
        };
        if all.is_empty() {
            return Err(missing());
        }
        return all.into_iter().try_for_each(|node| put(node, below, given, key_span));
    }
    put(enter(node, step, key_span).ok_or_else(missing)?, below, given, key_span)
}

/// Moves the places of a node and all in it.
fn shift(node: &mut Node, by: usize) {
    let moved = |span: &Span| span.start + by..span.end + by;
    node.span = moved(&node.span);
    match &mut node.value {
        Value::List(items) => items.iter_mut().for_each(|item| shift(item, by)),
        Value::Map(entries) => entries.iter_mut().for_each(|entry| {
            entry.key_span = moved(&entry.key_span);
            shift(&mut entry.node, by);
        }),
        _ => {}
    }
}

#[derive(Clone, Debug)]
enum Step {
    Name(String),
    Index(usize),
    /// Whatever is there.
    All,
}

fn steps(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    for part in path.split('.') {
        let (name, rest) = part.split_at(part.find('[').unwrap_or(part.len()));
        match name {
            "" => {}
            "*" => steps.push(Step::All),
            name => steps.push(Step::Name(name.to_string())),
        }
        for index in rest.split('[').skip(1) {
            steps.push(Step::Index(index.strip_suffix(']')?.parse().ok()?));
        }
        if part.is_empty() {
            return None;
        }
    }
    Some(steps)
}

/// What can be named in a node: keys of a mapping, names of a list's items.
fn names(node: &Node) -> Vec<String> {
    match &node.value {
        Value::Map(entries) => entries.iter().map(|entry| entry.key.clone()).collect(),
        Value::List(items) => items.iter().filter_map(name_of).map(str::to_string).collect(),
        _ => Vec::new(),
    }
}

/// Lists hold named things: node groups by name, traffic by its Service.
fn name_of(item: &Node) -> Option<&str> {
    ["name", "to"].iter().find_map(|key| item.get(key).and_then(Node::as_text))
}

/// Goes into a node, making a key that is missing or has no value: what comes next is put there.
fn enter<'a>(node: &'a mut Node, step: &Step, key_span: &Span) -> Option<&'a mut Node> {
    if node.value == Value::Null {
        node.value = Value::Map(Vec::new());
    }
    if find(node, step).is_none()
        && let Step::Name(name) = step
        && let Value::Map(entries) = &mut node.value
    {
        let node = Node { span: key_span.clone(), value: Value::Null };
        entries.push(Entry { key: name.clone(), key_span: key_span.clone(), node });
    }
    find(node, step)
}

fn find<'a>(node: &'a mut Node, step: &Step) -> Option<&'a mut Node> {
    match (&mut node.value, step) {
        (Value::Map(entries), Step::Name(name)) => {
            entries.iter_mut().find(|entry| entry.key == *name).map(|entry| &mut entry.node)
        }
        (Value::List(items), Step::Index(index)) => items.get_mut(*index),
        // By name; an item without one by its key: `expect` by measure.
        (Value::List(items), Step::Name(name)) => items.iter_mut().find_map(|item| {
            if name_of(item) == Some(name) {
                return Some(item);
            }
            let Value::Map(entries) = &mut item.value else { return None };
            entries.iter_mut().find(|entry| entry.key == *name).map(|entry| &mut entry.node)
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(tree: &mut Node, text: &str, offset: usize) -> Result<(), Fault> {
        Change::read(text)?.apply(tree, offset)
    }

    #[test]
    fn overrides_reach_where_they_point() {
        let text = "duration: 1h\nnodes:\n  - name: pool\n    max: 5\nflags: {}\n";
        let rows = [
            ("a key", "duration=2h", "duration", Value::Text("2h".into())),
            ("a named item", "nodes.pool.max=7", "nodes[0].max", Value::Int(7)),
            ("an item by number", "nodes[0].max=8", "nodes[0].max", Value::Int(8)),
            (
                "a key that is not there yet",
                "flags.cluster-autoscaler.expander=random",
                "flags.cluster-autoscaler.expander",
                Value::Text("random".into()),
            ),
        ];
        for (sentence, set, path, expected) in rows {
            let mut tree = parse(text).unwrap().remove(0);
            apply(&mut tree, set, 1000).unwrap();
            let placed = tree.nearest(path);
            assert_eq!(placed.value, expected, "{sentence}");
            let value = placed.span.start - 1000..placed.span.end - 1000;
            assert_eq!(&set[value], set.split_once('=').unwrap().1, "{sentence}: its place");
        }
        let mut tree = parse(text).unwrap().remove(0);
        for wrong in ["duration", "nodes.other.max=3", "nodes[7].max=3", "=3", "a..b=1"] {
            assert!(apply(&mut tree, wrong, 0).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is() {
        let mut tree = parse("nodes: [{name: pool}, {name: spot}]\n").unwrap().remove(0);
        let (span, message, hint) = apply(&mut tree, "nodes.pol.max=3", 0).unwrap_err();
        assert_eq!((span, message.as_str()), (0..13, "the scenario has no `pol` there"));
        assert_eq!(hint.as_deref(), Some("did you mean `pool`?"));
        let (_, _, hint) = apply(&mut tree, "nodes[5].max=3", 0).unwrap_err();
        assert_eq!(hint.as_deref(), Some("known: pool, spot"));
    }
    #[test]
    fn a_star_means_all_that_are_there() {
        let mut tree =
            parse("nodes: [{name: a, max: 1}, {name: b}]\nflags: {}\n").unwrap().remove(0);
        apply(&mut tree, "nodes.*.max=9", 0).unwrap();
        for group in tree.get("nodes").unwrap().items() {
            assert_eq!(group.get("max").unwrap().value, Value::Int(9));
        }
        let (_, message, _) = apply(&mut tree, "flags.*.v=9", 0).unwrap_err();
        assert_eq!(message, "the scenario has no items there");
    }

    #[test]
    fn objects_of_manifests_are_named_by_kind_and_name() {
        let text = "kind: HorizontalPodAutoscaler\nmetadata: {name: web, namespace: shop}\n\
                    spec: {maxReplicas: 4, metrics: [{type: Resource}]}\n";
        let rows = [
            ("by a short name of the kind", "hpa/web.spec.maxReplicas=9", true),
            ("with its namespace", "hpa/shop/web.spec.maxReplicas=9", true),
            ("all of the kind", "hpa/*.spec.maxReplicas=9", true),
            ("all of a namespace", "hpa/shop/*.spec.maxReplicas=9", true),
            ("another namespace", "hpa/default/web.spec.maxReplicas=9", false),
            ("another name", "hpa/we.spec.maxReplicas=9", false),
            ("another kind", "deployment/web.spec.maxReplicas=9", false),
        ];
        for (sentence, set, is_found) in rows {
            let mut object = parse(text).unwrap().remove(0);
            let mut change = Change::read(set).unwrap();
            change.apply_to(&mut object, 0).unwrap();
            let max = object.nearest("spec.maxReplicas").value.clone();
            assert_eq!(max, Value::Int(if is_found { 9 } else { 4 }), "{sentence}");
            assert_eq!(change.nothing_found().is_none(), is_found, "{sentence}");
        }
        let mut change = Change::read("hpa/webb.spec.maxReplicas=9").unwrap();
        change.apply_to(&mut parse(text).unwrap().remove(0), 0).unwrap();
        let (_, message, hint) = change.nothing_found().unwrap();
        assert_eq!(message, "the manifests have no HorizontalPodAutoscaler `webb`");
        assert_eq!(hint.as_deref(), Some("did you mean `web`?"));
        assert!(Change::read("hpaa/web.spec=1").is_err(), "an unknown kind");
    }
}
