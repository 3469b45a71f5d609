//! Manifests of objects that are applied at the start and have pods of their own: bare pods and all
//! workloads but Deployments.
//!
//! Each is read strictly as its kind; what of it has no effect is listed. It knows kinds, not what
//! becomes of them.

use super::manifests::{Manifests, NO_EFFECT, Reader};
use crate::api::convert::object::object;
use crate::api::convert::{FieldError, ignored};
use crate::api::object::Object;
use crate::control::controllers::cronjob;
use k8s_openapi::api as k8s;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads a document strictly as a `T`; gives it back with the defaults of form filled in.
fn read<T: DeserializeOwned + Serialize>(reader: &mut Reader<'_>) -> Option<Value> {
    let given: T = reader.decode()?;
    serde_json::to_value(given).ok()
}

impl Manifests {
    /// Reads an object that has pods; false when its kind is another.
    pub(super) fn applied(&mut self, version: &str, kind: &str, reader: &mut Reader<'_>) -> bool {
        let template = "spec.template.spec";
        let (found, path) = match (version, kind) {
            ("v1", "Pod") => (read::<k8s::core::v1::Pod>(reader), "spec"),
            ("v1", "ReplicationController") => {
                (read::<k8s::core::v1::ReplicationController>(reader), template)
            }
            ("apps/v1", "ReplicaSet") => (read::<k8s::apps::v1::ReplicaSet>(reader), template),
            ("apps/v1", "StatefulSet") => (read::<k8s::apps::v1::StatefulSet>(reader), template),
            ("apps/v1", "DaemonSet") => (read::<k8s::apps::v1::DaemonSet>(reader), template),
            ("batch/v1", "Job") => (read::<k8s::batch::v1::Job>(reader), template),
            ("batch/v1", "CronJob") => {
                (read::<k8s::batch::v1::CronJob>(reader), "spec.jobTemplate.spec.template.spec")
            }
            _ => return false,
        };
        let Some(given) = found else { return true };
        let mut errors = Vec::new();
        let object = object(&given, "default", &mut errors);
        if let Some(Object::CronJob(job)) = &object
            && let Err((path, message)) = cronjob::check(job)
        {
            let hint = "five fields like `*/15 * * * *`, or `@hourly`; zones like `Europe/Berlin`";
            let hint = Some(hint.to_owned());
            errors.push(FieldError { path: path.to_owned(), message, hint });
        }
        reader.fields(errors);
        let Some(object) = object else { return true };
        let target = object.target();
        self.name(kind, &target.name.namespace, &target.name.name, reader);
        let spec = reader.place.document.nearest(path).to_json();
        let fields = ignored::ignored_fields(&spec, path);
        if !fields.is_empty() {
            let name = format!("{kind} {}", target.name);
            self.ignored.push(reader.ignored(name, fields, NO_EFFECT));
        }
        self.applied.push((object, reader.place.clone(), format!("{path}.priorityClassName")));
        true
    }
}
