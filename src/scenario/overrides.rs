//! `--set path=value`: changes to a scenario before it is checked.
//!
//! A path names keys with dots and list items by number or by name: `nodes.pool.max`,
//! `nodes[0].max`, `workloads.web.demand`. It knows trees, not what a scenario means.

use super::yaml::{Entry, Node, Value, parse};

/// Applies one override to the tree of a scenario.
///
/// # Errors
/// What is wrong with it, and a hint.
pub(super) fn apply(tree: &mut Node, text: &str) -> Result<(), (String, Option<String>)> {
    let usage = || {
        let hint = "like --set nodes.pool.max=2000 or --set workloads.web.demand=10ms".to_string();
        (format!("`{text}` is no override"), Some(hint))
    };
    let (path, value) = text.split_once('=').ok_or_else(usage)?;
    let parsed = parse(value).map_err(|e| (format!("`{text}`: {}", e.message), None))?;
    let value = parsed.into_iter().next().map_or(Value::Null, |node| node.value);
    let steps = steps(path).ok_or_else(usage)?;
    let (last, above) = steps.split_last().ok_or_else(usage)?;
    let mut node = tree;
    for step in above {
        node = enter(node, step).ok_or_else(|| nothing(path, step))?;
    }
    if let Some(target) = find(node, last) {
        place(target, value);
        return Ok(());
    }
    let span = node.span.clone();
    if let (Value::Map(entries), Step::Name(name)) = (&mut node.value, last) {
        let mut added = Node { span: span.clone(), value: Value::Null };
        place(&mut added, value);
        entries.push(Entry { key: name.clone(), key_span: span, node: added });
        return Ok(());
    }
    Err(nothing(path, last))
}

/// Puts a value where a node is; every node of it gets the old one's place, for messages.
fn place(target: &mut Node, mut value: Value) {
    fn settle(value: &mut Value, span: &std::ops::Range<usize>) {
        match value {
            Value::List(items) => items.iter_mut().for_each(|item| {
                item.span = span.clone();
                settle(&mut item.value, span);
            }),
            Value::Map(entries) => entries.iter_mut().for_each(|entry| {
                (entry.key_span, entry.node.span) = (span.clone(), span.clone());
                settle(&mut entry.node.value, span);
            }),
            _ => {}
        }
    }
    settle(&mut value, &target.span);
    target.value = value;
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

fn nothing(path: &str, step: &Step) -> (String, Option<String>) {
    let what = match step {
        Step::Name(name) => format!("`{name}`"),
        Step::Index(index) => format!("item {index}"),
    };
    (format!("--set {path}: the scenario has no {what} there"), None)
}

/// Goes into a node, making an empty mapping where a key is missing.
fn enter<'a>(node: &'a mut Node, step: &Step) -> Option<&'a mut Node> {
    if find(node, step).is_none()
        && let Step::Name(name) = step
    {
        let span = node.span.clone();
        if let Value::Map(entries) = &mut node.value {
            let empty = Node { span: span.clone(), value: Value::Map(Vec::new()) };
            entries.push(Entry { key: name.clone(), key_span: span, node: empty });
        }
    }
    find(node, step)
}

fn find<'a>(node: &'a mut Node, step: &Step) -> Option<&'a mut Node> {
    match (&mut node.value, step) {
        (Value::Map(entries), Step::Name(name)) => {
            entries.iter_mut().find(|entry| entry.key == *name).map(|entry| &mut entry.node)
        }
        (Value::List(items), Step::Index(index)) => items.get_mut(*index),
        // Lists of named things: node groups by name, traffic by its Service, `expect` by measure.
        (Value::List(items), Step::Name(name)) => items.iter_mut().find_map(|item| {
            let named = |key: &str| item.get(key).and_then(Node::as_text) == Some(name);
            if named("name") || named("to") {
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
            apply(&mut tree, set).unwrap();
            assert_eq!(tree.nearest(path).value, expected, "{sentence}");
        }
        let mut tree = parse(text).unwrap().remove(0);
        for wrong in ["duration", "nodes.other.max=3", "nodes[7].max=3", "=3", "a..b=1"] {
            assert!(apply(&mut tree, wrong).is_err(), "{wrong}");
        }
    }
}
