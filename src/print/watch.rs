//! `kubectl get --watch`: what is there, and then a line for each change.

use super::chronicle::Key;
use super::columns::Rows;
use super::get::{Form, Request, custom, document, full_name};
use super::read::text;
use super::{Snapshot, objects};
use crate::api::kind::Kind;
use serde_json::Value;
use std::collections::BTreeMap;

/// Kinds whose objects are not the store's own: nothing tells of their changes.
const MADE_UP: &[&str] = &["Event", "Endpoints", "EndpointSlice", "Namespace", "ComponentStatus"];

/// Who watches objects of one kind.
#[derive(Debug)]
pub struct Watch {
    request: Request,
    kind: &'static Kind,
    rows: Rows,
    /// Objects as they were last printed, for when they go.
    last: BTreeMap<Key, Value>,
}

impl Watch {
    /// A watch of what is asked for.
    ///
    /// # Errors
    /// It can't be watched.
    pub fn new(request: Request) -> Result<Watch, String> {
        let [(kind, _)] = request.what[..] else {
            return Err("you may only specify a single resource type to watch".to_owned());
        };
        if MADE_UP.contains(&kind.name) {
            return Err(format!("{} can't be watched", kind.words[1]));
        }
        Ok(Watch { request, kind, rows: Rows::default(), last: BTreeMap::new() })
    }

    /// The headers of the table.
    pub fn begin(&mut self) -> String {
        match &self.request.form {
            Form::Table { .. } => {
                let headers = self.request.headers(self.kind);
                self.rows.lay_out(&headers)
            }
            Form::Columns(columns) if self.request.headers => {
                let headers = columns.iter().map(|(header, _)| header.clone()).collect();
                self.rows.lay_out(&[headers])
            }
            _ => String::new(),
        }
    }

    /// What objects have become, one by one; of those that are gone what they were last.
    pub fn tell(&mut self, snapshot: &Snapshot, keys: &[Key]) -> String {
        let mut out = String::new();
        for key in keys {
            let object = match objects::object(snapshot, *key) {
                Some(object) if object["kind"] == self.kind.name => object,
                Some(_) => continue,
                None => match self.last.remove(key) {
                    Some(object) => {
                        out.push_str(&self.line(snapshot, &object));
                        continue;
                    }
                    None => continue,
                },
            };
            let names = &self.request.what[0].1;
            let name = text(&object, "/metadata/name");
            let is_named = names.is_empty() || names.iter().any(|wanted| wanted == name);
            if is_named && self.request.is_meant(self.kind, &object) {
                out.push_str(&self.line(snapshot, &object));
                self.last.insert(*key, object);
            }
        }
        out
    }

    fn line(&mut self, snapshot: &Snapshot, object: &Value) -> String {
        match &self.request.form {
            Form::Table { .. } => {
                let row = self.request.row(snapshot, self.kind, object);
                self.rows.lay_out(&[row])
            }
            Form::Columns(columns) => self.rows.lay_out(&[custom(columns, object)]),
            Form::Name => full_name(self.kind, object) + "\n",
            Form::Json => document(object, &self.request),
            Form::Yaml => format!("---\n{}", document(object, &self.request)),
        }
    }

    /// All objects of the store that there are to be watched, in the order in which they are listed.
    pub fn all(&self, snapshot: &Snapshot) -> Vec<Key> {
        let store = snapshot.store;
        let mut keys: Vec<Key> = match self.kind.name {
            "Pod" => store.pods().map(|(id, _)| Key::Pod(id)).collect(),
            "Node" => store.nodes().map(|(id, _)| Key::Node(id)).collect(),
            "Deployment" => store.deployments().map(|(id, _)| Key::Deployment(id)).collect(),
            "CronJob" => store.cron_jobs().map(|(id, _)| Key::CronJob(id)).collect(),
            "Service" => store.services().map(|(id, _)| Key::Service(id)).collect(),
            "HorizontalPodAutoscaler" => store.hpas().map(|(id, _)| Key::Hpa(id)).collect(),
            "PodDisruptionBudget" => store.pdbs().map(|(id, _)| Key::Pdb(id)).collect(),
            _ => store.owners().map(|(id, _)| Key::Owner(id)).collect(),
        };
        keys.sort_by_cached_key(|key| {
            let object = objects::object(snapshot, *key).unwrap_or_default();
            let word = |path: &str| text(&object, path).to_owned();
            (word("/metadata/namespace"), word("/metadata/name"))
        });
        keys
    }
}
