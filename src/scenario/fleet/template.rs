//! A member of a fleet from the fleet's template: the same objects under names of their own, with
//! what was drawn for the member in them.
//!
//! It knows trees of YAML and where a manifest has replicas and requests, not what a fleet is for.
//! Whatever it changes keeps its place, so that errors are told where the template has them.

use crate::api::quantity::Quantity;
use crate::scenario::yaml::{Entry, Node, Span, Value};

/// What was drawn for a member.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Drawn {
    /// `spec.replicas`.
    pub replicas: Option<u32>,
    /// Requests of the first container, thousandths of a core.
    pub cpu: Option<i64>,
    /// Requests of the first container, bytes.
    pub memory: Option<i64>,
}

/// Lists whose items have names of their own that refer to no object.
const OWN_NAMES: [&str; 7] = [
    "containers",
    "initContainers",
    "ephemeralContainers",
    "volumes",
    "volumeMounts",
    "env",
    "ports",
];

/// Kinds whose `spec.replicas` is a number of pods.
const SCALED: [&str; 4] = ["Deployment", "StatefulSet", "ReplicaSet", "ReplicationController"];

/// The names of a template's objects.
pub(super) fn names(documents: &[Node]) -> Vec<String> {
    let name = |document: &Node| {
        let name = document.get("metadata")?.get("name")?.as_text()?;
        Some(name.to_string())
    };
    documents.iter().flat_map(objects).filter_map(name).collect()
}

/// The objects of a document: itself, or the items of a List.
pub(super) fn objects(document: &Node) -> Vec<&Node> {
    let kind = document.get("kind").and_then(Node::as_text).unwrap_or("");
    match document.get("items") {
        Some(items) if kind.ends_with("List") => items.items().iter().collect(),
        _ => vec![document],
    }
}

/// A document as the member with this suffix has it.
pub(super) fn member(document: &Node, names: &[String], suffix: &str, drawn: &Drawn) -> Node {
    let mut made = document.clone();
    rename(&mut made, names, suffix, false);
    match entry(&mut made, "items").map(|items| &mut items.value) {
        Some(Value::List(items)) => {
            items.iter_mut().for_each(|item| fill_in(item, drawn));
        }
        _ => fill_in(&mut made, drawn),
    }
    made
}

/// Gives every value that names an object of the template the member's name.
fn rename(node: &mut Node, names: &[String], suffix: &str, of_item: bool) {
    match &mut node.value {
        Value::List(items) => {
            items.iter_mut().for_each(|item| rename(item, names, suffix, of_item));
        }
        Value::Map(entries) => {
            for entry in entries {
                let has_own_name = OWN_NAMES.contains(&entry.key.as_str());
                match (entry.key.as_str(), &mut entry.node.value) {
                    ("name", Value::Text(_)) if of_item => {}
                    ("kind" | "apiVersion", Value::Text(_)) => {}
                    ("image", Value::Text(image)) => *image = renamed_image(image, names, suffix),
                    _ => rename(&mut entry.node, names, suffix, has_own_name),
                }
            }
        }
        Value::Text(text) if names.contains(text) => *text = format!("{text}-{suffix}"),
        _ => {}
    }
}

/// Members have images of their own where the template's is named like one of its objects.
fn renamed_image(image: &str, names: &[String], suffix: &str) -> String {
    let (path, last) = image.rsplit_once('/').map_or(("", image), |(path, last)| (path, last));
    let end = last.find([':', '@']).unwrap_or(last.len());
    let (name, tag) = last.split_at(end);
    if !names.iter().any(|known| known == name) {
        return image.to_string();
    }
    let slash = if path.is_empty() { "" } else { "/" };
    format!("{path}{slash}{name}-{suffix}{tag}")
}

/// Puts what was drawn into an object.
fn fill_in(object: &mut Node, drawn: &Drawn) {
    let kind = object.get("kind").and_then(Node::as_text).unwrap_or("").to_string();
    if let Some(replicas) = drawn.replicas.filter(|_| SCALED.contains(&kind.as_str()))
        && let Some(spec) = entry(object, "spec")
    {
        put(spec, "replicas", Value::Int(i128::from(replicas)));
    }
    let path: &[&str] = match kind.as_str() {
        "Pod" => &["spec"],
        "CronJob" => &["spec", "jobTemplate", "spec", "template", "spec"],
        _ => &["spec", "template", "spec"],
    };
    let spec = path.iter().try_fold(object, |node, key| entry(node, key));
    let Some(Value::List(containers)) =
        spec.and_then(|spec| entry(spec, "containers")).map(|node| &mut node.value)
    else {
        return;
    };
    let Some(container) = containers.first_mut() else { return };
    if let Some(cpu) = drawn.cpu {
        request(container, "cpu", Quantity::of_milli(cpu));
    }
    if let Some(memory) = drawn.memory {
        request(container, "memory", Quantity::of(memory));
    }
}

/// Sets what a container requests of a resource; its limit, if any, keeps its ratio.
fn request(container: &mut Node, resource: &str, amount: Quantity) {
    let Some(resources) = enter(container, "resources") else { return };
    let milli = |node: &Node| {
        let text = match &node.value {
            Value::Text(text) => text.clone(),
            Value::Int(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            _ => return None,
        };
        text.parse::<Quantity>().ok().map(Quantity::milli_value)
    };
    let given = |of: &Node, kind: &str| of.get(kind)?.get(resource).and_then(milli);
    let (before, limit) = (given(resources, "requests"), given(resources, "limits"));
    if let Some(requests) = enter(resources, "requests") {
        put(requests, resource, Value::Text(amount.canonical(resource == "memory")));
    }
    let Some(limit) = limit else { return };
    // Without a request of its own the template's container requests its limit.
    let before = before.unwrap_or(limit).max(1);
    let scaled = i128::from(amount.milli_value()) * i128::from(limit) / i128::from(before);
    let mut scaled = Quantity::of_milli(i64::try_from(scaled).unwrap_or(i64::MAX));
    if resource == "memory" {
        scaled = Quantity::of(scaled.value());
    }
    if let Some(limits) = enter(resources, "limits") {
        put(limits, resource, Value::Text(scaled.canonical(resource == "memory")));
    }
}

fn entry<'a>(node: &'a mut Node, key: &str) -> Option<&'a mut Node> {
    let Value::Map(entries) = &mut node.value else { return None };
    entries.iter_mut().find(|entry| entry.key == key).map(|entry| &mut entry.node)
}

/// The mapping at a key, made where there is none.
fn enter<'a>(node: &'a mut Node, key: &str) -> Option<&'a mut Node> {
    node.set_default(key, Value::Map(Vec::new()));
    let found = entry(node, key)?;
    if found.value == Value::Null {
        found.value = Value::Map(Vec::new());
    }
    Some(found)
}

fn put(node: &mut Node, key: &str, value: Value) {
    if let Some(there) = entry(node, key) {
        there.value = value;
        return;
    }
    let span: Span = node.span.clone();
    if let Value::Map(entries) = &mut node.value {
        let node = Node { span: span.clone(), value };
        entries.push(Entry { key: key.to_string(), key_span: span, node });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::yaml::parse;

    const TEMPLATE: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: app, labels: {app: app, tier: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      containers:
        - name: app
          image: registry.example/shop/app:1.4
          envFrom: [{configMapRef: {name: settings}}]
          resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 128Mi}}
        - {name: side, image: proxy}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
";

    #[test]
    fn members_have_names_and_figures_of_their_own() {
        let documents = parse(TEMPLATE).unwrap();
        let names = names(&documents);
        assert_eq!(names, ["app", "settings"]);
        let drawn = Drawn { replicas: Some(7), cpu: Some(250), memory: Some(1 << 30) };
        let made = member(&documents[0], &names, "07", &drawn);
        let text = |path: &str| match &made.nearest(path).value {
            Value::Text(text) => text.clone(),
            other => format!("{other:?}"),
        };
        let pod = "spec.template.spec.containers";
        let rows = [
            ("its name has the number", "metadata.name", "app-07"),
            ("labels that are the name follow", "metadata.labels.app", "app-07"),
            ("other labels stay", "metadata.labels.tier", "web"),
            ("so do selectors", "spec.selector.matchLabels.app", "app-07"),
            ("labels of pods too", "spec.template.metadata.labels.app", "app-07"),
            ("containers keep their names", &format!("{pod}[0].name"), "app"),
            (
                "an image of that name is its own",
                &format!("{pod}[0].image"),
                "registry.example/shop/app-07:1.4",
            ),
            ("another image is shared", &format!("{pod}[1].image"), "proxy"),
            ("references follow", &format!("{pod}[0].envFrom[0].configMapRef.name"), "settings-07"),
            ("CPU is as drawn", &format!("{pod}[0].resources.requests.cpu"), "250m"),
            ("memory is as drawn", &format!("{pod}[0].resources.requests.memory"), "1Gi"),
            ("a limit keeps its ratio", &format!("{pod}[0].resources.limits.memory"), "2Gi"),
        ];
        for (sentence, path, expected) in rows {
            assert_eq!(text(path), expected, "{sentence}");
        }
        assert_eq!(made.nearest("spec.replicas").value, Value::Int(7));
        let place = |node: &Node| node.nearest(&format!("{pod}[0].image")).span.clone();
        assert_eq!(place(&made), place(&documents[0]), "places are the template's");
    }
}
