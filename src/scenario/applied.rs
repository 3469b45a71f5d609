//! Manifests of objects that are applied at the start: bare pods and all workloads but Deployments,
//! and what limits the content of a namespace.
//!
//! Each is read strictly as its kind; what of it has no effect is listed. It knows kinds, not what
//! becomes of them.

use super::kubectl;
use super::manifests::{Manifests, NO_EFFECT, NOT_YET, Reader};
use super::model::Scenario;
use crate::api::Text;
use crate::api::convert::object::object;
use crate::api::convert::{FieldError, ignored};
use crate::api::object::Object;
use crate::api::owner::Owner;
use crate::api::quota::{is_of_pods, kind_counted_as, storage_of};
use crate::control::controllers::cronjob;
use crate::units::SimDuration;
use k8s_openapi::api as k8s;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;

/// Reads a document strictly as a `T`; gives it back with the defaults of form filled in.
fn read<T: DeserializeOwned + Serialize>(reader: &mut Reader<'_>) -> Option<Value> {
    let given: T = reader.decode()?;
    serde_json::to_value(given).ok()
}

/// How long pods of Jobs run that nothing is said of.
const JOB_RUNS: SimDuration = SimDuration::from_secs(30);

/// A Job is to end some time.
fn end_jobs(object: &mut Object) {
    let spec = match object {
        Object::Owner(Owner::Job(job)) => &mut job.template.spec,
        Object::CronJob(cron_job) => &mut cron_job.spec.job.template.spec,
        _ => return,
    };
    let behavior = Arc::make_mut(spec).behavior.get_or_insert_default();
    behavior.run.get_or_insert(JOB_RUNS);
}

/// What of a quota or limit range concerns objects that are not here.
fn unread(object: &Object, given: &Value) -> Vec<String> {
    match object {
        Object::Quota(quota) => {
            let is_other = |name: &&Text| !is_of_pods(name) && kind_counted_as(name).is_none();
            let others = quota.hard.keys().filter(is_other);
            others.map(|name| format!("spec.hard.{name}")).collect()
        }
        Object::LimitRange(_) => {
            let items = given["spec"]["limits"].as_array().into_iter().flatten().enumerate();
            let others =
                items.filter(|(_, item)| item["type"] != "Container" && item["type"] != "Pod");
            others.map(|(i, _)| format!("spec.limits[{i}]")).collect()
        }
        _ => Vec::new(),
    }
}

/// Reads an object of storage; `None`: its kind is another.
fn storage(version: &str, kind: &str, reader: &mut Reader<'_>) -> Option<Option<Value>> {
    Some(match (version, kind) {
        ("v1", "PersistentVolume") => read::<k8s::core::v1::PersistentVolume>(reader),
        ("v1", "PersistentVolumeClaim") => read::<k8s::core::v1::PersistentVolumeClaim>(reader),
        ("storage.k8s.io/v1", "StorageClass") => read::<k8s::storage::v1::StorageClass>(reader),
        ("storage.k8s.io/v1", "CSINode") => read::<k8s::storage::v1::CSINode>(reader),
        ("storage.k8s.io/v1", "CSIDriver") => read::<k8s::storage::v1::CSIDriver>(reader),
        ("storage.k8s.io/v1", "CSIStorageCapacity") => {
            read::<k8s::storage::v1::CSIStorageCapacity>(reader)
        }
        _ => return None,
    })
}

/// Where volumes are simulated, those of pods that stand for claims have an effect after all, and
/// quotas of storage.
pub(super) fn heed_claims(scenario: &mut Scenario) {
    if !scenario.has_storage() {
        return;
    }
    let is_claim = |field: &String| {
        field.contains(".volumes[")
            && (field.ends_with(".persistentVolumeClaim") || field.ends_with(".ephemeral"))
    };
    let is_storage = |field: &String| {
        field.strip_prefix("spec.hard.").is_some_and(|name| storage_of(name, None).is_some())
    };
    scenario.ignored.retain_mut(|entry| {
        let before = entry.fields.len();
        entry.fields.retain(|field| !is_claim(field) && !is_storage(field));
        before == 0 || !entry.fields.is_empty()
    });
}

impl Scenario {
    /// Whether volumes are simulated: the manifests, or some command, speak of storage. Otherwise
    /// every claim counts as bound to a volume that is reached from everywhere.
    pub fn has_storage(&self) -> bool {
        let is_storage = |object: &Object| matches!(object, Object::Storage(_));
        let later = kubectl::applied(&self.timeline);
        self.objects.applied.iter().chain(later).any(is_storage)
    }
}

impl Manifests {
    /// Reads an object that is applied at the start; false when its kind is another.
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
            ("v1", "ResourceQuota") => (read::<k8s::core::v1::ResourceQuota>(reader), ""),
            ("v1", "LimitRange") => (read::<k8s::core::v1::LimitRange>(reader), ""),
            ("v1", "ConfigMap") => (read::<k8s::core::v1::ConfigMap>(reader), ""),
            ("v1", "Secret") => (read::<k8s::core::v1::Secret>(reader), ""),
            ("v1", "Namespace") => (read::<k8s::core::v1::Namespace>(reader), ""),
            ("networking.k8s.io/v1", "Ingress") => {
                (read::<k8s::networking::v1::Ingress>(reader), "")
            }
            _ => match storage(version, kind, reader) {
                Some(found) => (found, ""),
                None => return false,
            },
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
        let mut object = object;
        end_jobs(&mut object);
        let target = object.target();
        // Several files may make sure that their namespace is there.
        if kind != "Namespace" {
            self.name(kind, &target.name.namespace, &target.name.name, reader);
        }
        let (fields, reason) = match path {
            "" => (unread(&object, &given), NOT_YET),
            path => {
                let spec = reader.place.document.nearest(path).to_json();
                (ignored::ignored_fields(&spec, path), NO_EFFECT)
            }
        };
        if !fields.is_empty() {
            let name = format!("{kind} {}", target.name);
            self.ignored.push(reader.ignored(name, fields, reason));
        }
        self.applied.push((object, reader.place.clone(), format!("{path}.priorityClassName")));
        true
    }
}
