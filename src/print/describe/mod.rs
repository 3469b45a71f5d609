//! `kubectl describe`: objects with all that belongs to them, for people.
//!
//! Source: kubectl `pkg/describe/describe.go`, v1.37. What is not simulated stands as what kubectl
//! says of fields that are not there.

mod autoscaling;
mod cluster;
mod containers;
mod ingress;
mod job;
mod node;
mod pod;
mod storage;
mod text;
mod workload;

use super::get::Printed;
use super::read;
use super::{Snapshot, not_found, objects};
use crate::api::kind::Kind;
use serde_json::Value;

/// Describes objects: of each kind those of these names (or that begin so), or all.
pub fn describe(
    snapshot: &Snapshot,
    what: &[(&'static Kind, Vec<String>)],
    namespace: &str,
) -> Printed {
    let mut printed = Printed::default();
    for (kind, names) in what {
        let mut found = objects::list(snapshot, kind.name);
        let is_here =
            |o: &Value| !kind.namespaced || read::text(o, "/metadata/namespace") == namespace;
        found.retain(is_here);
        let chosen =
            if names.is_empty() { found } else { named(kind, names, &found, &mut printed) };
        for object in &chosen {
            if !printed.text.is_empty() {
                printed.text.push_str("\n\n");
            }
            printed.text.push_str(&one(snapshot, kind, object));
        }
    }
    if printed.text.is_empty() && !printed.missing {
        let namespaced = what.iter().any(|(kind, _)| kind.namespaced);
        printed.notes.push(match namespaced {
            true => format!("No resources found in {namespace} namespace."),
            false => "No resources found".to_owned(),
        });
    }
    printed
}

/// The object of each name, or else those whose names begin with it.
fn named(kind: &Kind, names: &[String], found: &[Value], printed: &mut Printed) -> Vec<Value> {
    let mut chosen = Vec::new();
    for wanted in names {
        let name = |object: &Value| read::text(object, "/metadata/name").to_owned();
        let before = chosen.len();
        chosen.extend(found.iter().filter(|object| name(object) == *wanted).cloned());
        if chosen.len() == before {
            chosen.extend(found.iter().filter(|object| name(object).starts_with(wanted)).cloned());
        }
        if chosen.len() == before {
            printed.notes.push(not_found(kind, wanted));
            printed.missing = true;
        }
    }
    chosen
}

fn one(snapshot: &Snapshot, kind: &Kind, object: &Value) -> String {
    match kind.name {
        "Pod" => pod::pod(snapshot, object),
        "Node" => node::node(snapshot, object),
        "Deployment" => workload::deployment(snapshot, object),
        "ReplicaSet" | "ReplicationController" => workload::replica_set(snapshot, object),
        "StatefulSet" => workload::stateful_set(snapshot, object),
        "DaemonSet" => workload::daemon_set(snapshot, object),
        "Job" => job::job(snapshot, object),
        "CronJob" => job::cron_job(snapshot, object),
        "HorizontalPodAutoscaler" => autoscaling::hpa(snapshot, object),
        "PodDisruptionBudget" => cluster::pdb(snapshot, object),
        "Ingress" => ingress::ingress(snapshot, object),
        "Service" => cluster::service(snapshot, object),
        "PersistentVolume" => storage::volume(snapshot, object),
        "PersistentVolumeClaim" => storage::claim(snapshot, object),
        "StorageClass" => storage::class(snapshot, object),
        _ => cluster::other(snapshot, object),
    }
}
