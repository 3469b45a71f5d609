//! `--set path=value`: changes to a scenario before it is checked.
//!
//! A path names keys with dots and list items by number or by name: `nodes.pool.max`,
//! `nodes[0].max`, `workloads.web.demand`. It knows trees, not what a scenario means.

use super::diagnostic::did_you_mean;
use super::yaml::{Entry, Node, Span, Value, parse};

/// What is wrong with an override: where in its text, what, and a hint.
type Fault = (Span, String, Option<String>);

/// Applies one override to the tree of a scenario. The places of what it puts there are those in
/// `text`, moved on by `offset`.
///
/// # Errors
/// What is wrong with it.
pub(super) fn apply(tree: &mut Node, text: &str, offset: usize) -> Result<(), Fault> {
    let usage = || {
        let hint = "write --set nodes.pool.max=2000 or --set workloads.web.demand=10ms".to_string();
        (0..text.len(), format!("`{text}` is no path=value"), Some(hint))
    };
    let (path, value) = text.split_once('=').ok_or_else(usage)?;
    let begin = path.len() + 1;
    let parsed =
        parse(value).map_err(|e| (e.span.start + begin..e.span.end + begin, e.message, None))?;
    let nothing = Node { span: 0..value.len(), value: Value::Null };
    let mut given = parsed.into_iter().next().unwrap_or(nothing);
    shift(&mut given, offset + begin);
    let key_span = offset..offset + path.len();
    let steps = steps(path).ok_or_else(usage)?;
    let (last, above) = steps.split_last().ok_or_else(usage)?;
    let mut node = tree;
    for step in above {
        let known = names(node);
        node = enter(node, step, &key_span).ok_or_else(|| nothing_there(path, step, &known))?;
    }
    let known = names(node);
    if let Some(target) = find(node, last) {
        *target = given;
        return Ok(());
    }
    match (&mut node.value, last) {
        (Value::Map(entries), Step::Name(name)) => {
            entries.push(Entry { key: name.clone(), key_span, node: given });
            Ok(())
        }
        _ => Err(nothing_there(path, last, &known)),
    }
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

enum Step {
    Name(String),
    Index(usize),
}

fn steps(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    for part in path.split('.') {
        let (name, rest) = part.split_at(part.find('[').unwrap_or(part.len()));
        if !name.is_empty() {
            steps.push(Step::Name(name.to_string()));
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

fn nothing_there(path: &str, step: &Step, known: &[String]) -> Fault {
    let (what, name) = match step {
        Step::Name(name) => (format!("`{name}`"), name.as_str()),
        Step::Index(index) => (format!("item {index}"), ""),
    };
    let hint = match did_you_mean(name, known.iter().map(String::as_str)) {
        Some(near) if !name.is_empty() => Some(format!("did you mean `{near}`?")),
        _ if known.is_empty() => None,
        _ => Some(format!("known: {}", known.join(", "))),
    };
    (0..path.len(), format!("the scenario has no {what} there"), hint)
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

/// Goes into a node, making an empty mapping where a key is missing or has no value.
fn enter<'a>(node: &'a mut Node, step: &Step, key_span: &Span) -> Option<&'a mut Node> {
    if find(node, step).is_none()
        && let Step::Name(name) = step
        && let Value::Map(entries) = &mut node.value
    {
        let node = Node { span: key_span.clone(), value: Value::Map(Vec::new()) };
        entries.push(Entry { key: name.clone(), key_span: key_span.clone(), node });
    }
    let found = find(node, step)?;
    if found.value == Value::Null {
        found.value = Value::Map(Vec::new());
    }
    Some(found)
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
}
