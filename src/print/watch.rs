//! `kubectl get --watch`: what is there, and then a line for each change.

use super::chronicle::Key;
use super::columns::Rows;
use super::get::{Form, Request, custom, document, full_name};
use super::read::text;
use super::told::What;
use super::{Snapshot, objects};
use crate::api::kind::Kind;
use serde_json::Value;
use std::collections::BTreeMap;

/// Kinds whose objects are not the store's own: nothing tells of their changes.
const MADE_UP: &[&str] = &["Endpoints", "EndpointSlice", "Namespace", "ComponentStatus"];

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

    /// What is there, below the headers of the table.
    pub fn begin(&mut self, snapshot: &Snapshot) -> String {
        let mut rows = match &self.request.form {
            Form::Table { .. } => self.request.headers(self.kind),
            Form::Columns(columns) if self.request.headers => {
                vec![columns.iter().map(|(header, _)| header.clone()).collect()]
            }
            _ => Vec::new(),
        };
        let mut documents = String::new();
        if self.kind.name == "Event" {
            for object in objects::list(snapshot, "Event") {
                if !self.is_meant(&object) {
                    continue;
                }
                match self.row(snapshot, &object) {
                    Some(row) => rows.push(row),
                    None => documents.push_str(&self.line(snapshot, &object)),
                }
            }
            return self.rows.lay_out(&rows) + &documents;
        }
        for key in self.all(snapshot) {
            let Some(object) = self.meant(snapshot, key) else { continue };
            match self.row(snapshot, &object) {
                Some(row) => rows.push(row),
                None => documents.push_str(&self.line(snapshot, &object)),
            }
            self.last.insert(key, object);
        }
        self.rows.lay_out(&rows) + &documents
    }

    /// What objects have become, one by one; of those that are gone what they were last.
    pub fn tell(&mut self, snapshot: &Snapshot, keys: &[Key]) -> String {
        let mut out = String::new();
        for key in keys {
            if let Some(object) = self.meant(snapshot, *key) {
                out.push_str(&self.line(snapshot, &object));
                self.last.insert(*key, object);
            } else if let Some(object) = self.last.remove(key) {
                out.push_str(&self.line(snapshot, &object));
            }
        }
        out
    }

    /// Events that have just been told, if it is these that are watched.
    pub fn tell_events(&mut self, snapshot: &Snapshot, told: &[What]) -> String {
        let mut out = String::new();
        if self.kind.name == "Event" {
            for object in told.iter().filter_map(|what| objects::event::of(snapshot, what)) {
                if self.is_meant(&object) {
                    out.push_str(&self.line(snapshot, &object));
                }
            }
        }
        out
    }

    /// The object, if it is there and is one of those that are watched.
    fn meant(&self, snapshot: &Snapshot, key: Key) -> Option<Value> {
        objects::object(snapshot, key).filter(|object| self.is_meant(object))
    }

    fn is_meant(&self, object: &Value) -> bool {
        let names = &self.request.what[0].1;
        let name = text(object, "/metadata/name");
        object["kind"] == self.kind.name
            && (names.is_empty() || names.iter().any(|wanted| wanted == name))
            && self.request.is_meant(self.kind, object)
    }

    /// The object's row, if it is to be one.
    fn row(&self, snapshot: &Snapshot, object: &Value) -> Option<Vec<String>> {
        match &self.request.form {
            Form::Table { .. } => Some(self.request.row(snapshot, self.kind, object)),
            Form::Columns(columns) => Some(custom(columns, object)),
            Form::Name | Form::Json | Form::Yaml => None,
        }
    }

    fn line(&mut self, snapshot: &Snapshot, object: &Value) -> String {
        if let Some(row) = self.row(snapshot, object) {
            return self.rows.lay_out(&[row]);
        }
        match self.request.form {
            Form::Name => full_name(self.kind, object) + "\n",
            Form::Yaml => format!("---\n{}", document(object, &self.request)),
            _ => document(object, &self.request),
        }
    }

    /// All objects of the store that may be meant, in the order in which they are listed.
    fn all(&self, snapshot: &Snapshot) -> Vec<Key> {
        let store = snapshot.store;
        let mut keys: Vec<Key> = match self.kind.name {
            "Pod" => store.pods().map(|(id, _)| Key::Pod(id)).collect(),
            "Node" => store.nodes().map(|(id, _)| Key::Node(id)).collect(),
            "Deployment" => store.deployments().map(|(id, _)| Key::Deployment(id)).collect(),
            "CronJob" => store.cron_jobs().map(|(id, _)| Key::CronJob(id)).collect(),
            "Service" => store.services().map(|(id, _)| Key::Service(id)).collect(),
            "Ingress" => store.ingresses().map(|(id, _)| Key::Ingress(id)).collect(),
            "VerticalPodAutoscaler" => store.vpas().map(|(id, _)| Key::Vpa(id)).collect(),
            "HorizontalPodAutoscaler" => store.hpas().map(|(id, _)| Key::Hpa(id)).collect(),
            "PersistentVolume" => store.volumes().map(|(id, _)| Key::Volume(id)).collect(),
            "PersistentVolumeClaim" => store.claims().map(|(id, _)| Key::Claim(id)).collect(),
            "VolumeAttachment" => store.attachments().map(|(id, _)| Key::Attachment(id)).collect(),
            "PodDisruptionBudget" => store.pdbs().map(|(id, _)| Key::Pdb(id)).collect(),
            "ResourceQuota" => store.quotas().map(|(id, _)| Key::Quota(id)).collect(),
            "LimitRange" => store.limit_ranges().map(|(id, _)| Key::LimitRange(id)).collect(),
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
