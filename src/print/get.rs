//! `kubectl get`: which objects, and in which form.

use super::columns::Rows;
use super::path::{Path, plain};
use super::read::{pairs, text};
use super::{Snapshot, not_found, objects, tables, yaml};
use crate::api::kind::Kind;
use crate::api::labels::{Labels, Selector};
use serde::Serialize;
use serde_json::{Value, json};
use std::cmp::Ordering;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Kinds, each with the names of its objects; no names: all.
    pub what: Vec<(&'static Kind, Vec<String>)>,
    /// The namespace.
    pub namespace: String,
    /// All namespaces instead.
    pub all_namespaces: bool,
    /// Only objects with these labels.
    pub selector: Selector,
    /// By which value they are sorted.
    pub sort_by: Option<Path>,
    /// The form.
    pub form: Form,
    /// A table has headers.
    pub headers: bool,
    /// A table shows labels.
    pub show_labels: bool,
}

/// `--output`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Form {
    /// A table.
    Table {
        /// With the columns that are of interest to few.
        wide: bool,
    },
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// `kind/name`, line by line.
    Name,
    /// A table of columns of one's own: header and path.
    Columns(Vec<(String, Path)>),
}

/// What is printed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Printed {
    /// For the standard output.
    pub text: String,
    /// For the standard error.
    pub notes: Vec<String>,
    /// Something that was named is not there.
    pub missing: bool,
}

impl Form {
    /// Reads `--output`.
    ///
    /// # Errors
    /// What it may be instead.
    pub fn parse(given: &str) -> Result<Form, String> {
        let columns = given.strip_prefix("custom-columns=");
        if let Some(columns) = columns {
            let column = |one: &str| match one.split_once(':') {
                Some((header, path)) => Ok((header.to_owned(), Path::parse(path)?)),
                None => Err(format!("`{one}` is no HEADER:PATH")),
            };
            return columns.split(',').map(column).collect::<Result<_, _>>().map(Form::Columns);
        }
        match given {
            "wide" => Ok(Form::Table { wide: true }),
            "json" => Ok(Form::Json),
            "yaml" => Ok(Form::Yaml),
            "name" => Ok(Form::Name),
            _ => Err(format!(
                "`{given}` is no form of output: expected wide, yaml, json, name or \
                 custom-columns=HEADER:PATH,..."
            )),
        }
    }
}

/// The objects of one kind that are asked for.
struct Group {
    kind: &'static Kind,
    found: Vec<Value>,
}

/// Prints what is asked for.
pub fn get(snapshot: &Snapshot, request: &Request) -> Printed {
    let mut printed = Printed::default();
    if !snapshot.health.api_server {
        let told = "Warning: the API server does not answer at this instant: kubectl would be \
                    refused; shown is what etcd and the nodes have";
        printed.notes.push(told.to_owned());
    }
    let mut groups = Vec::new();
    for (kind, names) in &request.what {
        let found = request.find(snapshot, kind, names, &mut printed);
        groups.push(Group { kind, found });
    }
    match &request.form {
        Form::Table { .. } => print_tables(snapshot, request, &groups, &mut printed),
        Form::Json | Form::Yaml => {
            let is_one = request.what.len() == 1 && request.what[0].1.len() == 1;
            let mut all = groups.into_iter().flat_map(|group| group.found);
            match is_one {
                true => printed.text = all.next().map_or(String::new(), |o| document(&o, request)),
                false => {
                    let list = json!({
                        "apiVersion": "v1",
                        "items": all.collect::<Vec<_>>(),
                        "kind": "List",
                        "metadata": { "resourceVersion": "" },
                    });
                    printed.text = document(&list, request);
                }
            }
        }
        Form::Name => {
            for group in &groups {
                let lines = group.found.iter().map(|o| full_name(group.kind, o) + "\n");
                printed.text.extend(lines);
            }
        }
        Form::Columns(columns) => {
            let mut rows = request.header_of(columns.iter().map(|(header, _)| header.clone()));
            let objects = groups.iter().flat_map(|group| &group.found);
            rows.extend(objects.map(|object| custom(columns, object)));
            printed.text = Rows::default().lay_out(&rows);
        }
    }
    printed
}

impl Request {
    /// The objects of a kind that are asked for; what is missing is noted.
    fn find(
        &self,
        snapshot: &Snapshot,
        kind: &'static Kind,
        names: &[String],
        printed: &mut Printed,
    ) -> Vec<Value> {
        let mut found = objects::list(snapshot, kind.name);
        found.retain(|object| self.is_meant(kind, object));
        if !names.is_empty() {
            let mut chosen = Vec::new();
            for name in names {
                match found.iter().find(|object| text(object, "/metadata/name") == name) {
                    Some(object) => chosen.push(object.clone()),
                    None => {
                        printed.notes.push(not_found(kind, name));
                        printed.missing = true;
                    }
                }
            }
            found = chosen;
        }
        if let Some(path) = &self.sort_by {
            found.sort_by(|a, b| compare(path.find(a).first(), path.find(b).first()));
        }
        found
    }

    /// Whether an object lies in the namespace and has the labels, whatever its name.
    pub(super) fn is_meant(&self, kind: &Kind, object: &Value) -> bool {
        let is_here = !kind.namespaced
            || self.all_namespaces
            || text(object, "/metadata/namespace") == self.namespace;
        is_here && self.selector.matches(&labels(object))
    }

    /// The headers, unless none are wanted.
    fn header_of(&self, headers: impl Iterator<Item = String>) -> Vec<Vec<String>> {
        if self.headers { vec![headers.collect()] } else { Vec::new() }
    }

    /// Which columns a table shows, by its headers.
    pub(super) fn headers(&self, kind: &Kind) -> Vec<Vec<String>> {
        let wide = self.form == Form::Table { wide: true };
        let namespace = (self.all_namespaces && kind.namespaced).then(|| "NAMESPACE".to_owned());
        let columns = tables::of(kind.name).columns.iter();
        let shown = columns.filter(|(_, rare)| wide || !rare).map(|(name, _)| (*name).to_owned());
        let labels = self.show_labels.then(|| "LABELS".to_owned());
        self.header_of(namespace.into_iter().chain(shown).chain(labels))
    }

    /// An object's row of a table.
    pub(super) fn row(&self, snapshot: &Snapshot, kind: &Kind, object: &Value) -> Vec<String> {
        let table = tables::of(kind.name);
        let wide = self.form == Form::Table { wide: true };
        let mut row = Vec::new();
        if self.all_namespaces && kind.namespaced {
            row.push(text(object, "/metadata/namespace").to_owned());
        }
        let cells = (table.cells)(object, snapshot.now).into_iter().zip(table.columns);
        for (cell, (header, rare)) in cells {
            if *rare && !wide {
                continue;
            }
            let is_first = *header == "NAME" && self.what.len() > 1;
            row.push(if is_first { full_name(kind, object) } else { cell });
        }
        if self.show_labels {
            row.push(pairs(object.pointer("/metadata/labels")));
        }
        row
    }
}

fn print_tables(snapshot: &Snapshot, request: &Request, groups: &[Group], printed: &mut Printed) {
    for group in groups.iter().filter(|group| !group.found.is_empty()) {
        let mut rows = request.headers(group.kind);
        rows.extend(group.found.iter().map(|object| request.row(snapshot, group.kind, object)));
        if !printed.text.is_empty() && request.headers {
            printed.text.push('\n');
        }
        printed.text.push_str(&Rows::default().lay_out(&rows));
    }
    if groups.iter().any(|group| group.kind.name == "ComponentStatus") {
        printed.notes.push("Warning: v1 ComponentStatus is deprecated in v1.19+".to_owned());
    }
    if printed.text.is_empty() && !printed.missing {
        let here = groups.iter().any(|g| g.kind.namespaced) && !request.all_namespaces;
        printed.notes.push(match here {
            true => format!("No resources found in {} namespace.", request.namespace),
            false => "No resources found".to_owned(),
        });
    }
}

/// `pod/web-1`, `deployment.apps/web`.
pub(super) fn full_name(kind: &Kind, object: &Value) -> String {
    format!("{}/{}", kind.singular(), text(object, "/metadata/name"))
}

/// A row of columns of one's own.
pub(super) fn custom(columns: &[(String, Path)], object: &Value) -> Vec<String> {
    let cell = |path: &Path| {
        let values: Vec<String> = path.find(object).into_iter().map(plain).collect();
        if values.is_empty() { "<none>".to_owned() } else { values.join(",") }
    };
    columns.iter().map(|(_, path)| cell(path)).collect()
}

/// An object as JSON or YAML.
pub(super) fn document(object: &Value, request: &Request) -> String {
    if request.form == Form::Yaml {
        return yaml::text(object);
    }
    let mut bytes = Vec::new();
    let form = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut writer = serde_json::Serializer::with_formatter(&mut bytes, form);
    // Writing a value to memory does not fail.
    let _ = object.serialize(&mut writer);
    String::from_utf8_lossy(&bytes).into_owned() + "\n"
}

fn labels(object: &Value) -> Labels {
    let pairs = object.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
    let pair = |(key, value): (&String, &Value)| {
        (key.as_str().into(), value.as_str().unwrap_or_default().into())
    };
    Labels::new(pairs.map(pair).collect())
}

/// Numbers by size, texts by letters; what is missing comes first.
fn compare(a: Option<&&Value>, b: Option<&&Value>) -> Ordering {
    match (a, b) {
        (Some(Value::Number(a)), Some(Value::Number(b))) => {
            a.as_f64().unwrap_or(0.0).total_cmp(&b.as_f64().unwrap_or(0.0))
        }
        (Some(a), Some(b)) => plain(a).cmp(&plain(b)),
        (a, b) => a.is_some().cmp(&b.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_as_kubectl_reads_them() {
        let rows = [
            ("a wide table", "wide", true),
            ("columns", "custom-columns=NAME:.metadata.name,NODE:.spec.nodeName", true),
            ("a column without a path", "custom-columns=NAME", false),
            ("what is none", "xml", false),
        ];
        for (sentence, given, expected) in rows {
            assert_eq!(Form::parse(given).is_ok(), expected, "{sentence}");
        }
    }

    #[test]
    fn values_are_compared_by_what_they_are() {
        let [two, ten] = [json!(2), json!(10)];
        assert_eq!(compare(Some(&&two), Some(&&ten)), Ordering::Less, "numbers by size");
        let [two, ten] = [json!("2"), json!("10")];
        assert_eq!(compare(Some(&&two), Some(&&ten)), Ordering::Greater, "texts by letters");
        assert_eq!(compare(None, Some(&&ten)), Ordering::Less, "nothing first");
    }
}
