//! Kubernetes manifests: real files, unmodified, into the objects that the simulation knows.
//!
//! What has no effect is listed, what is unknown is an error; nothing is dropped in silence. It
//! knows kinds and their meaning here, not the scenario around them.

mod devices;
mod extent;

use super::diagnostic::{Diagnostic, Diagnostics, did_you_mean};
use super::model::Ignored;
use super::overrides::Change;
use super::priorities::PriorityClass;
use super::strict::{Decoded, decode, is_doubtful};
use super::yaml::{Node, Value, parse};
use crate::api::autoscaling::Hpa;
use crate::api::convert::{
    FieldError, autoscaling, ignored, node_pool, scaled_object, service, workload,
};
use crate::api::node_pool::NodePool;
use crate::api::object::Object;
use crate::api::policy::Pdb;
use crate::api::scaled_object::ScaledObject;
use crate::api::service::Service;
use crate::api::vertical_pod_autoscaler::Vpa;
use crate::api::workload::Deployment;
use crate::control::controllers::cronjob;
use k8s_openapi::api as k8s;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};

pub(super) use extent::Extent;

/// Objects read, with the place of each.
#[derive(Debug, Default)]
pub(super) struct Manifests {
    pub deployments: Vec<(Deployment, Place)>,
    pub services: Vec<(Service, Place)>,
    pub hpas: Vec<(Hpa, autoscaling::Target, Place)>,
    pub scaled_objects: Vec<ScaledObject>,
    pub vpas: Vec<(Vpa, autoscaling::Target, Place)>,
    pub node_pools: Vec<NodePool>,
    pub pdbs: Vec<(Pdb, Place)>,
    /// Other objects that are applied at the start, and the path of their priority class, if any.
    pub applied: Vec<(Object, Place, String)>,
    pub devices: devices::Devices,
    pub ignored: Vec<Ignored>,
    /// Priority classes.
    pub priorities: BTreeMap<String, PriorityClass>,
    names: Vec<(String, Place)>,
    /// API groups that a CustomResourceDefinition among the manifests declares.
    declared: BTreeSet<String>,
    /// Custom resources, to be judged when all definitions are known.
    custom: Vec<(Place, Ignored)>,
    /// A document is so wrong that its object is missing here: a reference to it may be right.
    pub incomplete: bool,
    /// Overrides of objects, each with the place of its text among all of them.
    pub changes: Vec<(usize, Change)>,
}

/// Where an object stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub file: String,
    pub document: Node,
}

/// What a file with `{{ }}` that is no YAML probably is.
const TEMPLATE: &str = "this looks like a template: render it first, as by `helm template`";
/// Objects that only their operator knows.
const CUSTOM: &str = "a custom resource: no effect on the simulation";
/// Kinds that are read strictly but change nothing in the simulation.
pub(super) const NO_EFFECT: &str = "no effect on the simulation";
/// Kinds that will matter some day.
pub(super) const NOT_YET: &str = "not modelled yet";
/// The workload API. By default its group's beta version is not served, and the API server drops
/// `schedulingGroup` (`pkg/api/pod/util.go`, v1.37).
const NO_GANGS: &str = "gang scheduling is not modelled, and off by default in Kubernetes 1.37 \
                        (GenericWorkload): pods are scheduled one by one";

/// API versions that Kubernetes has removed, with what took their place and when.
const REMOVED: &[(&str, &str, &str, &str)] = &[
    ("extensions/v1beta1", "Deployment", "apps/v1", "1.16"),
    ("apps/v1beta1", "Deployment", "apps/v1", "1.16"),
    ("apps/v1beta2", "Deployment", "apps/v1", "1.16"),
    ("extensions/v1beta1", "DaemonSet", "apps/v1", "1.16"),
    ("extensions/v1beta1", "ReplicaSet", "apps/v1", "1.16"),
    ("extensions/v1beta1", "Ingress", "networking.k8s.io/v1", "1.22"),
    ("networking.k8s.io/v1beta1", "Ingress", "networking.k8s.io/v1", "1.22"),
    ("extensions/v1beta1", "NetworkPolicy", "networking.k8s.io/v1", "1.16"),
    ("policy/v1beta1", "PodDisruptionBudget", "policy/v1", "1.25"),
    ("policy/v1beta1", "PodSecurityPolicy", "Pod Security Admission", "1.25"),
    ("batch/v1beta1", "CronJob", "batch/v1", "1.25"),
    ("autoscaling/v2beta1", "HorizontalPodAutoscaler", "autoscaling/v2", "1.25"),
    ("autoscaling/v2beta2", "HorizontalPodAutoscaler", "autoscaling/v2", "1.26"),
    ("rbac.authorization.k8s.io/v1beta1", "ClusterRole", "rbac.authorization.k8s.io/v1", "1.22"),
    (
        "rbac.authorization.k8s.io/v1beta1",
        "ClusterRoleBinding",
        "rbac.authorization.k8s.io/v1",
        "1.22",
    ),
    ("rbac.authorization.k8s.io/v1beta1", "Role", "rbac.authorization.k8s.io/v1", "1.22"),
    ("rbac.authorization.k8s.io/v1beta1", "RoleBinding", "rbac.authorization.k8s.io/v1", "1.22"),
    ("apiextensions.k8s.io/v1beta1", "CustomResourceDefinition", "apiextensions.k8s.io/v1", "1.22"),
    ("scheduling.k8s.io/v1beta1", "PriorityClass", "scheduling.k8s.io/v1", "1.22"),
];

/// Kinds of Kubernetes' own groups that are known here, for "did you mean".
const KINDS: &[&str] = &[
    "Deployment",
    "Service",
    "HorizontalPodAutoscaler",
    "PodDisruptionBudget",
    "PriorityClass",
    "Namespace",
    "ConfigMap",
    "Secret",
    "ServiceAccount",
    "ResourceQuota",
    "LimitRange",
    "Pod",
    "ReplicaSet",
    "ReplicationController",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "CronJob",
    "Ingress",
    "IngressClass",
    "NetworkPolicy",
    "Role",
    "RoleBinding",
    "ClusterRole",
    "ClusterRoleBinding",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "StorageClass",
    "CSIDriver",
    "CSINode",
    "CSIStorageCapacity",
    "Endpoints",
    "EndpointSlice",
    "CustomResourceDefinition",
    "ValidatingWebhookConfiguration",
    "MutatingWebhookConfiguration",
    "APIService",
    "RuntimeClass",
    "DeviceClass",
    "DeviceTaintRule",
    "ResourceClaim",
    "ResourceClaimTemplate",
    "ResourceSlice",
    "CompositePodGroup",
    "PodGroup",
    "Workload",
    "Lease",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "List",
];

/// Where kinds live that people look for in the wrong place.
const HOME: &[(&str, &str)] = &[
    ("Deployment", "apps/v1"),
    ("ReplicaSet", "apps/v1"),
    ("StatefulSet", "apps/v1"),
    ("DaemonSet", "apps/v1"),
    ("Job", "batch/v1"),
    ("CronJob", "batch/v1"),
    ("Service", "v1"),
    ("Pod", "v1"),
    ("ConfigMap", "v1"),
    ("Secret", "v1"),
    ("ServiceAccount", "v1"),
    ("Namespace", "v1"),
    ("HorizontalPodAutoscaler", "autoscaling/v2"),
    ("PodDisruptionBudget", "policy/v1"),
    ("PriorityClass", "scheduling.k8s.io/v1"),
    ("Ingress", "networking.k8s.io/v1"),
    ("NetworkPolicy", "networking.k8s.io/v1"),
    ("StorageClass", "storage.k8s.io/v1"),
    ("CSINode", "storage.k8s.io/v1"),
    ("CSIDriver", "storage.k8s.io/v1"),
    ("PersistentVolume", "v1"),
    ("PersistentVolumeClaim", "v1"),
    ("DeviceClass", "resource.k8s.io/v1"),
    ("DeviceTaintRule", "resource.k8s.io/v1"),
    ("ResourceSlice", "resource.k8s.io/v1"),
    ("ResourceClaim", "resource.k8s.io/v1"),
    ("ResourceClaimTemplate", "resource.k8s.io/v1"),
    ("PodGroup", "scheduling.k8s.io/v1beta1"),
    ("Workload", "scheduling.k8s.io/v1beta1"),
];

impl Manifests {
    /// Reads all documents of one file.
    pub(super) fn read(&mut self, file: &str, text: &str, out: &mut Diagnostics) {
        match parse(text) {
            Ok(documents) => {
                for mut document in documents {
                    self.change(file, text.len() + 1, &mut document, out);
                    self.document(file, document, out);
                }
            }
            Err(error) => {
                self.incomplete = true;
                let hint = text.contains("{{").then(|| TEMPLATE.to_string());
                out.at(file, error.span, error.message, hint);
            }
        }
    }

    /// Applies the overrides of a document and of what it lists. What they put there stands, as to
    /// places, behind `end`, where the file ends.
    fn change(&mut self, file: &str, end: usize, document: &mut Node, out: &mut Diagnostics) {
        if self.changes.is_empty() {
            return;
        }
        for (offset, change) in &mut self.changes {
            if let Err(fault) = change.apply_to(document, end + *offset) {
                out.misplaced(file, end + *offset, fault);
            }
        }
        for item in document.items_of_list() {
            self.change(file, end, item, out);
        }
    }

    /// An override that is about none of the objects is an error, at `file`, the scenario.
    pub(super) fn judge_changes(&mut self, file: &str, out: &mut Diagnostics) {
        let text = out.files.iter().find(|(name, _)| name == file);
        let end = text.map_or(0, |(_, text)| text.len()) + 1;
        for (offset, change) in std::mem::take(&mut self.changes) {
            if let Some(fault) = change.nothing_found().filter(|_| !self.incomplete) {
                out.misplaced(file, end + offset, fault);
            }
        }
    }

    /// Reads one document.
    pub(super) fn document(&mut self, file: &str, document: Node, out: &mut Diagnostics) {
        let (errors, objects) = (out.errors.len(), self.names.len());
        self.read_document(file, document, out);
        self.incomplete |= out.errors.len() > errors && self.names.len() == objects;
    }

    fn read_document(&mut self, file: &str, document: Node, out: &mut Diagnostics) {
        let mut reader = Reader::new(Place { file: file.to_string(), document }, out);
        let node = reader.place.document.clone();
        let word = |key: &str| node.get(key).and_then(Node::as_text).unwrap_or("").to_string();
        let (version, kind) = (word("apiVersion"), word("kind"));
        if version.is_empty() || kind.is_empty() {
            let hint = "every document of a manifest has apiVersion and kind".to_string();
            reader.error(
                "",
                "this is no Kubernetes object: apiVersion or kind is missing",
                Some(hint),
            );
            return;
        }
        if let Some(of) = kind.strip_suffix("List")
            && let Some(Value::List(items)) = node.get("items").map(|items| items.value.clone())
        {
            for mut item in items {
                // Items of a typed list, like `ConfigMapList`, need not name their kind.
                if !of.is_empty() {
                    item.set_default("apiVersion", Value::Text(version.clone()));
                    item.set_default("kind", Value::Text(of.to_string()));
                }
                self.document(file, item, out);
            }
            return;
        }
        if let Some((_, _, instead, since)) = REMOVED.iter().find(|r| r.0 == version && r.1 == kind)
        {
            let message = format!("{kind} of {version} was removed in Kubernetes {since}");
            reader.error("apiVersion", &message, Some(format!("use {instead}")));
            return;
        }
        self.object(&version, &kind, &mut reader);
    }

    /// One object by its group, version and kind.
    fn object(&mut self, version: &str, kind: &str, reader: &mut Reader<'_>) {
        match (version, kind) {
            ("apps/v1", "Deployment") => self.deployment(reader),
            ("v1", "Service") => self.service(reader),
            ("autoscaling/v2", "HorizontalPodAutoscaler") => {
                if let Some(given) = reader.decode() {
                    let mut errors = Vec::new();
                    let (hpa, target) = autoscaling::hpa(&given, "default", &mut errors);
                    self.hpa(hpa, target, reader, errors);
                }
            }
            ("autoscaling/v1", "HorizontalPodAutoscaler") => {
                if let Some(given) = reader.decode() {
                    let mut errors = Vec::new();
                    let (hpa, target) = autoscaling::hpa_v1(&given, "default", &mut errors);
                    self.hpa(hpa, target, reader, errors);
                }
            }
            ("keda.sh/v1alpha1", "ScaledObject") => self.scaled_object(reader),
            ("autoscaling.k8s.io/v1", "VerticalPodAutoscaler") => self.vpa(reader),
            ("karpenter.sh/v1", "NodePool") => self.node_pool(reader),
            (_, "EC2NodeClass" | "AKSNodeClass" | "GCENodeClass") => self.node_class(kind, reader),
            ("policy/v1", "PodDisruptionBudget") => {
                if let Some(given) = reader.decode::<k8s::policy::v1::PodDisruptionBudget>() {
                    let mut errors = Vec::new();
                    let pdb = service::pdb(&given, "default", &mut errors);
                    self.name(kind, &pdb.namespace, &pdb.name, reader);
                    reader.fields(errors);
                    self.pdbs.push((pdb, reader.place.clone()));
                }
            }
            ("scheduling.k8s.io/v1", "PriorityClass") => {
                if let Some(given) = reader.decode::<k8s::scheduling::v1::PriorityClass>() {
                    let name = given.metadata.name.unwrap_or_default();
                    let class = PriorityClass {
                        value: given.value.unwrap_or(0),
                        is_default: given.global_default.unwrap_or(false),
                        never_preempts: given.preemption_policy.as_deref() == Some("Never"),
                    };
                    self.priorities.insert(name, class);
                }
            }
            ("resource.k8s.io/v1", kind) if devices::KINDS.contains(&kind) => {
                self.device(kind, reader);
            }
            _ => {
                if !self.applied(version, kind, reader) {
                    self.without_effect(version, kind, reader);
                }
            }
        }
    }

    fn deployment(&mut self, reader: &mut Reader<'_>) {
        let Some(given) = reader.decode::<k8s::apps::v1::Deployment>() else { return };
        let mut errors = Vec::new();
        let deployment = workload::deployment(&given, "default", &mut errors);
        self.name("Deployment", &deployment.namespace, &deployment.name, reader);
        reader.fields(errors);
        if given.spec.template.spec.is_some() {
            let path = "spec.template.spec";
            let spec = reader.place.document.nearest(path).to_json();
            let whole = reader.place.document.nearest("spec").to_json();
            let mut fields = ignored::unread_of_deployment(&whole);
            fields.extend(ignored::ignored_fields(&spec, path));
            let object = format!("Deployment {}/{}", deployment.namespace, deployment.name);
            let with_reason = |field: &String| match field.rsplit('.').next() {
                Some("schedulingGroup") => NO_GANGS,
                _ => NO_EFFECT,
            };
            for reason in [NO_GANGS, NO_EFFECT] {
                let of = fields.iter().filter(|field| with_reason(field) == reason);
                let of: Vec<String> = of.cloned().collect();
                if !of.is_empty() {
                    self.ignored.push(reader.ignored(object.clone(), of, reason));
                }
            }
        }
        self.deployments.push((deployment, reader.place.clone()));
    }

    fn service(&mut self, reader: &mut Reader<'_>) {
        let Some(given) = reader.decode::<k8s::core::v1::Service>() else { return };
        let mut errors = Vec::new();
        let object = service::service(&given, "default", &mut errors);
        self.name("Service", &object.namespace, &object.name, reader);
        reader.fields(errors);
        let spec = reader.place.document.get("spec").map(|spec| spec.to_json());
        let fields = spec.as_ref().map(ignored::unread_of_service).unwrap_or_default();
        if !fields.is_empty() {
            let name = format!("Service {}/{}", object.namespace, object.name);
            self.ignored.push(reader.ignored(name, fields, NO_EFFECT));
        }
        self.services.push((object, reader.place.clone()));
    }

    fn hpa(
        &mut self,
        hpa: Hpa,
        target: autoscaling::Target,
        reader: &mut Reader<'_>,
        errors: Vec<FieldError>,
    ) {
        self.name("HorizontalPodAutoscaler", &hpa.namespace, &hpa.name, reader);
        reader.fields(errors);
        self.hpas.push((hpa, target, reader.place.clone()));
    }

    /// A ScaledObject is what KEDA makes of it: an autoscaler, and a loop beside it.
    fn scaled_object(&mut self, reader: &mut Reader<'_>) {
        let Some(given) = reader.decode::<scaled_object::Manifest>() else { return };
        let mut errors = Vec::new();
        let (object, hpa, target) = scaled_object::scaled_object(&given, "default", &mut errors);
        for trigger in &object.triggers {
            let (index, times) = (trigger.place, trigger.times.as_ref());
            if let Some(Err((field, message))) = times.map(cronjob::check_times) {
                let path = format!("spec.triggers[{index}].metadata.{field}");
                errors.push(FieldError::new(path, message));
            }
        }
        self.name("ScaledObject", &object.namespace, &object.name, reader);
        self.hpa(hpa, target, reader, errors);
        self.scaled_objects.push(object);
    }

    fn node_pool(&mut self, reader: &mut Reader<'_>) {
        let Some(given) = reader.decode::<node_pool::Manifest>() else { return };
        let mut errors = Vec::new();
        let pool = node_pool::node_pool(&given, &mut errors);
        for (i, budget) in pool.disruption.budgets.iter().enumerate() {
            let schedule = budget.schedule.as_ref().map(|(at, _)| cronjob::check_schedule(at));
            if let Some(Err(message)) = schedule {
                let path = format!("spec.disruption.budgets[{i}].schedule");
                errors.push(FieldError::new(path, message));
            }
        }
        self.name("NodePool", "", &pool.name, reader);
        reader.fields(errors);
        self.node_pools.push(pool);
    }

    /// What a cloud's machines are started with: of it pools need the kind alone.
    fn node_class(&mut self, kind: &str, reader: &mut Reader<'_>) {
        let meta = reader.place.document.get("metadata");
        let name = meta.and_then(|meta| meta.get("name")).and_then(Node::as_text).unwrap_or("");
        self.ignored.push(reader.ignored(format!("{kind} {name}"), Vec::new(), NO_EFFECT));
    }

    /// Notes an object's name; a second one of the same kind and name is an error.
    pub(super) fn name(
        &mut self,
        kind: &str,
        namespace: &str,
        name: &str,
        reader: &mut Reader<'_>,
    ) {
        if !is_dns_name(name) {
            let message = format!("{name:?} is no object name");
            reader.error("metadata.name", &message, Some(DNS_NAME.to_string()));
        }
        let full = format!("{kind} {namespace}/{name}");
        if let Some((_, first)) = self.names.iter().find(|(other, _)| *other == full) {
            let message = format!("{full} is declared twice; first in {}", first.file);
            reader.error("metadata.name", &message, None);
        }
        self.names.push((full, reader.place.clone()));
    }

    /// Objects that are accepted and listed.
    fn without_effect(&mut self, version: &str, kind: &str, reader: &mut Reader<'_>) {
        let group = version.split_once('/').map_or("", |(group, _)| group);
        let reason = match check_known(version, kind, reader) {
            Known::Typed(reason) => reason,
            Known::Unknown if is_builtin_group(group) => {
                let message = format!("unknown kind {kind} of {version}");
                let hint = match did_you_mean(kind, KINDS.iter().copied()) {
                    Some(known) if known == kind => HOME
                        .iter()
                        .find(|(of, _)| *of == kind)
                        .map(|(_, version)| format!("{kind} is of {version}")),
                    Some(known) => Some(format!("did you mean {known}?")),
                    None => None,
                };
                reader.error("kind", &message, hint);
                return;
            }
            Known::Unknown => CUSTOM,
        };
        if kind == "CustomResourceDefinition" {
            let spec = reader.place.document.get("spec");
            let group = spec.and_then(|spec| spec.get("group")).and_then(Node::as_text);
            self.declared.extend(group.map(str::to_string));
        }
        let meta = reader.place.document.get("metadata");
        let word = |key: &str| meta.and_then(|m| m.get(key)).and_then(Node::as_text).unwrap_or("");
        let (namespace, name) = (word("namespace"), word("name"));
        let namespace = if namespace.is_empty() { String::new() } else { format!("{namespace}/") };
        let object = format!("{kind} {namespace}{name}");
        let entry = reader.ignored(object, Vec::new(), reason);
        if reason == CUSTOM {
            self.custom.push((reader.place.clone(), entry));
        } else {
            self.ignored.push(entry);
        }
    }

    /// Judges together what has been read from all files.
    pub(super) fn judge(&mut self, accepted: &[String], out: &mut Diagnostics) {
        self.resolve_priorities(out);
        self.judge_custom_resources(accepted, out);
    }

    /// Custom resources are accepted as by the API server, when their group is declared, or when
    /// the scenario accepts the group.
    fn judge_custom_resources(&mut self, accepted: &[String], out: &mut Diagnostics) {
        for (place, ignored) in std::mem::take(&mut self.custom) {
            let version = place.document.get("apiVersion").and_then(Node::as_text).unwrap_or("");
            let kind = place.document.get("kind").and_then(Node::as_text).unwrap_or("");
            let group = version.split('/').next().unwrap_or("").to_string();
            if self.declared.contains(&group) || accepted.contains(&group) {
                self.ignored.push(ignored);
                continue;
            }
            let message = format!("{kind} of {version} is no kind of Kubernetes");
            let home = HOME.iter().find(|(of, _)| *of == kind);
            let hint = match home {
                Some((_, home)) => format!("{kind} is of {home}"),
                None => format!(
                    "a custom resource: add `custom-resources: [{group}]` to the scenario to \
                     accept it without effect, or its CustomResourceDefinition to the manifests"
                ),
            };
            self.incomplete = true;
            Reader::new(place, out).error("apiVersion", &message, Some(hint));
        }
    }
}

enum Known {
    Typed(&'static str),
    Unknown,
}

/// Decodes kinds of Kubernetes' own groups strictly, for their mistakes.
fn check_known(version: &str, kind: &str, reader: &mut Reader<'_>) -> Known {
    macro_rules! kinds {
        ($($version:literal $kind:literal $type:ty => $reason:expr,)*) => {
            match (version, kind) {
                $(($version, $kind) => { let _ = reader.decode::<$type>(); Known::Typed($reason) })*
                _ => Known::Unknown,
            }
        };
    }
    kinds! {
        "v1" "ServiceAccount" k8s::core::v1::ServiceAccount => NO_EFFECT,
        "v1" "Endpoints" k8s::core::v1::Endpoints => NO_EFFECT,
        "networking.k8s.io/v1" "IngressClass" k8s::networking::v1::IngressClass => NO_EFFECT,
        "networking.k8s.io/v1" "NetworkPolicy" k8s::networking::v1::NetworkPolicy => NO_EFFECT,
        "rbac.authorization.k8s.io/v1" "Role" k8s::rbac::v1::Role => NO_EFFECT,
        "rbac.authorization.k8s.io/v1" "RoleBinding" k8s::rbac::v1::RoleBinding => NO_EFFECT,
        "rbac.authorization.k8s.io/v1" "ClusterRole" k8s::rbac::v1::ClusterRole => NO_EFFECT,
        "rbac.authorization.k8s.io/v1" "ClusterRoleBinding" k8s::rbac::v1::ClusterRoleBinding => NO_EFFECT,
        "discovery.k8s.io/v1" "EndpointSlice" k8s::discovery::v1::EndpointSlice => NO_EFFECT,
        "node.k8s.io/v1" "RuntimeClass" k8s::node::v1::RuntimeClass => NO_EFFECT,
        "scheduling.k8s.io/v1beta1" "PodGroup" k8s::scheduling::v1beta1::PodGroup => NO_GANGS,
        "scheduling.k8s.io/v1beta1" "Workload" k8s::scheduling::v1beta1::Workload => NO_GANGS,
        "scheduling.k8s.io/v1alpha3" "CompositePodGroup"
            k8s::scheduling::v1alpha3::CompositePodGroup => NO_GANGS,
        "scheduling.k8s.io/v1alpha3" "PodGroup" k8s::scheduling::v1alpha3::PodGroup => NO_GANGS,
        "scheduling.k8s.io/v1alpha3" "Workload" k8s::scheduling::v1alpha3::Workload => NO_GANGS,
        "coordination.k8s.io/v1" "Lease" k8s::coordination::v1::Lease => NO_EFFECT,
        "admissionregistration.k8s.io/v1" "ValidatingWebhookConfiguration"
            k8s::admissionregistration::v1::ValidatingWebhookConfiguration => NO_EFFECT,
        "admissionregistration.k8s.io/v1" "MutatingWebhookConfiguration"
            k8s::admissionregistration::v1::MutatingWebhookConfiguration => NO_EFFECT,
        "admissionregistration.k8s.io/v1" "ValidatingAdmissionPolicy"
            k8s::admissionregistration::v1::ValidatingAdmissionPolicy => NO_EFFECT,
        "admissionregistration.k8s.io/v1" "ValidatingAdmissionPolicyBinding"
            k8s::admissionregistration::v1::ValidatingAdmissionPolicyBinding => NO_EFFECT,
        "apiextensions.k8s.io/v1" "CustomResourceDefinition" Untyped => NO_EFFECT,
        "apiregistration.k8s.io/v1" "APIService" Untyped => NO_EFFECT,
    }
}

/// Any object: kinds whose content plays no part and is not worth a type.
#[derive(serde::Deserialize)]
struct Untyped {
    #[allow(dead_code, reason = "only its being there is checked")]
    metadata: ObjectMeta,
    #[serde(flatten)]
    _rest: BTreeMap<String, serde::de::IgnoredAny>,
}

fn is_builtin_group(group: &str) -> bool {
    let short = ["", "apps", "batch", "autoscaling", "policy", "extensions"];
    short.contains(&group)
        || (group.ends_with(".k8s.io")
            && !group.contains("x-k8s")
            && group.matches('.').count() == 2)
            && [
                "networking",
                "rbac.authorization",
                "storage",
                "scheduling",
                "coordination",
                "discovery",
                "node",
                "admissionregistration",
                "apiextensions",
                "apiregistration",
                "certificates",
                "events",
                "flowcontrol",
                "resource",
            ]
            .contains(&group.trim_end_matches(".k8s.io"))
}

/// What [`is_dns_name`] asks for.
pub(super) const DNS_NAME: &str = "lower case letters, digits, `-` and `.`; at most 253 characters";

/// Whether the API server would take it as an object's name.
pub(super) fn is_dns_name(name: &str) -> bool {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    name.len() <= 253
        && name.chars().all(fine)
        && edge(name.chars().next())
        && edge(name.chars().last())
}

/// One document being read, and where its errors go.
pub(super) struct Reader<'a> {
    pub(super) place: Place,
    /// The document as written, if faults of form were taken out of it.
    written: Option<Node>,
    out: &'a mut Diagnostics,
}

impl<'a> Reader<'a> {
    pub(super) fn new(place: Place, out: &'a mut Diagnostics) -> Reader<'a> {
        Reader { place, written: None, out }
    }

    /// The object; of a faulty document what is left of it, so that more errors are found.
    pub(super) fn decode<T: DeserializeOwned>(&mut self) -> Option<T> {
        let Decoded { value, tree, faults } = decode(&self.place.document);
        if !faults.is_empty() {
            self.written = Some(std::mem::replace(&mut self.place.document, tree));
        }
        for fault in faults {
            self.out.at(&self.place.file, fault.span, fault.message, fault.hint);
        }
        value
    }

    pub(super) fn fields(&mut self, errors: Vec<FieldError>) {
        for error in errors {
            self.error(&error.path, &error.message, error.hint);
        }
    }

    pub(super) fn error(&mut self, path: &str, message: &str, hint: Option<String>) {
        let left = &self.place.document;
        let span = left.nearest(path).span.clone();
        let mut path = path.to_string();
        if let Some(written) = &self.written {
            if is_doubtful(written, left, &path) {
                return;
            }
            path = left.path_in(written, &path);
        }
        self.out.errors.push(Diagnostic {
            file: self.place.file.clone(),
            span: Some(span),
            path,
            message: message.to_string(),
            hint,
        });
    }

    pub(super) fn ignored(&self, object: String, fields: Vec<String>, reason: &str) -> Ignored {
        let (line, _) = self.out.line_column(&self.place.file, self.place.document.span.start);
        Ignored { file: self.place.file.clone(), line, object, fields, reason: reason.to_string() }
    }
}
