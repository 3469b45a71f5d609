//! What controls pods: Deployments, ReplicaSets, StatefulSets, DaemonSets.

use super::containers::template;
use super::text::Lines;
use crate::api::OwnerId;
use crate::api::pod::PodPhase;
use crate::print::Snapshot;
use crate::print::read::{items, number, pairs, selector, text};
use crate::store::Store;
use serde_json::Value;

pub(super) fn deployment(snapshot: &Snapshot, d: &Value) -> String {
    let mut lines = Lines::default();
    lines.names(d);
    lines.created(d);
    lines.labels(d);
    lines.field(0, "Selector", selector(d.pointer("/spec/selector")));
    let n = |field: &str| number(d, &format!("/status/{field}"));
    lines.field(
        0,
        "Replicas",
        format_args!(
            "{} desired | {} updated | {} total | {} available | {} unavailable",
            number(d, "/spec/replicas"),
            n("updatedReplicas"),
            n("replicas"),
            n("availableReplicas"),
            n("unavailableReplicas"),
        ),
    );
    lines.field(0, "StrategyType", text(d, "/spec/strategy/type"));
    lines.field(0, "MinReadySeconds", number(d, "/spec/minReadySeconds"));
    if let Some(rolling) = d.pointer("/spec/strategy/rollingUpdate") {
        let told = |field: &str| match &rolling[field] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let (unavailable, surge) = (told("maxUnavailable"), told("maxSurge"));
        let told = format!("{unavailable} max unavailable, {surge} max surge");
        lines.field(0, "RollingUpdateStrategy", told);
    }
    template(&mut lines, &d["spec"]["template"]);
    lines.conditions(d);
    sets(&mut lines, snapshot.store, d);
    lines.events(snapshot, d);
    lines.finish()
}

/// The ReplicaSets of a Deployment: that of its template, and the older ones.
fn sets(lines: &mut Lines, store: &Store, d: &Value) {
    let [namespace, name] = ["/metadata/namespace", "/metadata/name"].map(|at| text(d, at));
    let mut all = store.deployments();
    let found = all.find(|(_, d)| *d.namespace == *namespace && *d.name == *name);
    let Some((id, deployment)) = found else { return };
    let sets = store.replica_sets_of(id).iter().filter_map(|id| store.replica_set(*id));
    let (new, old): (Vec<_>, Vec<_>) =
        sets.partition(|set| set.template.hash == deployment.template.hash);
    if new.is_empty() && old.is_empty() {
        return;
    }
    for (title, sets) in [("OldReplicaSets", old), ("NewReplicaSet", new)] {
        let told = sets.iter().map(|set| {
            format!("{} ({}/{} replicas created)", set.name, set.status.replicas, set.replicas)
        });
        let told: Vec<String> = told.collect();
        lines.field(0, title, if told.is_empty() { "<none>".to_owned() } else { told.join(", ") });
    }
}

/// `2 Running / 1 Waiting / 0 Succeeded / 0 Failed`: the pods that an object controls.
fn pods_status(store: &Store, object: &Value) -> String {
    let [kind, namespace, name] =
        ["/kind", "/metadata/namespace", "/metadata/name"].map(|at| text(object, at));
    let is_it = |(_, owner): &(OwnerId, &crate::api::owner::Owner)| {
        owner.kind() == kind && **owner.namespace() == *namespace && **owner.name() == *name
    };
    let mut counts = [0_usize; 4];
    if let Some((id, _)) = store.owners().find(is_it) {
        for pod in store.pods_of(id).iter().filter_map(|id| store.pod(*id)) {
            counts[match pod.phase {
                PodPhase::Running => 0,
                PodPhase::Pending => 1,
                PodPhase::Succeeded => 2,
                PodPhase::Failed => 3,
            }] += 1;
        }
    }
    let [running, waiting, succeeded, failed] = counts;
    format!("{running} Running / {waiting} Waiting / {succeeded} Succeeded / {failed} Failed")
}

pub(super) fn replica_set(snapshot: &Snapshot, set: &Value) -> String {
    let mut lines = Lines::default();
    lines.names(set);
    match set["kind"] == "ReplicationController" {
        true => lines.field(0, "Selector", pairs(set.pointer("/spec/selector"))),
        false => lines.field(0, "Selector", selector(set.pointer("/spec/selector"))),
    }
    lines.labels(set);
    lines.controller(set);
    let (current, desired) = (number(set, "/status/replicas"), number(set, "/spec/replicas"));
    lines.field(0, "Replicas", format_args!("{current} current / {desired} desired"));
    lines.field(0, "Pods Status", pods_status(snapshot.store, set));
    template(&mut lines, &set["spec"]["template"]);
    lines.conditions(set);
    lines.events(snapshot, set);
    lines.finish()
}

pub(super) fn stateful_set(snapshot: &Snapshot, set: &Value) -> String {
    let mut lines = Lines::default();
    lines.names(set);
    lines.created(set);
    lines.field(0, "Selector", selector(set.pointer("/spec/selector")));
    lines.labels(set);
    for (title, path) in [
        ("Service Name", "/spec/serviceName"),
        ("Pod Management Policy", "/spec/podManagementPolicy"),
    ] {
        if !text(set, path).is_empty() {
            lines.field(0, title, text(set, path));
        }
    }
    let (desired, total) = (number(set, "/spec/replicas"), number(set, "/status/replicas"));
    lines.field(0, "Replicas", format_args!("{desired} desired | {total} total"));
    lines.field(0, "Update Strategy", text(set, "/spec/updateStrategy/type"));
    if set.pointer("/spec/updateStrategy/rollingUpdate/partition").is_some() {
        let partition = number(set, "/spec/updateStrategy/rollingUpdate/partition");
        lines.field(1, "Partition", partition);
        let most = &set["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"];
        lines.field(1, "MaxUnavailable", most.as_str().map_or(most.to_string(), str::to_owned));
    }
    if let Some(policy) = set.pointer("/spec/persistentVolumeClaimRetentionPolicy") {
        lines.line(0, "Persistent Volume Claim Retention Policy:");
        lines.field(1, "WhenDeleted", text(policy, "/whenDeleted"));
        lines.field(1, "WhenScaled", text(policy, "/whenScaled"));
    }
    lines.field(0, "Pods Status", pods_status(snapshot.store, set));
    template(&mut lines, &set["spec"]["template"]);
    claims(&mut lines, items(set, "/spec/volumeClaimTemplates"));
    lines.events(snapshot, set);
    lines.finish()
}

/// Claims that each pod of a StatefulSet gets; of them only the names are kept.
fn claims(lines: &mut Lines, templates: &[Value]) {
    if templates.is_empty() {
        return lines.field(0, "Volume Claims", "<none>");
    }
    lines.line(0, "Volume Claims:");
    for claim in templates {
        lines.field(1, "Name", text(claim, "/metadata/name"));
    }
}

pub(super) fn daemon_set(snapshot: &Snapshot, set: &Value) -> String {
    let mut lines = Lines::default();
    lines.names(set);
    lines.field(0, "Selector", selector(set.pointer("/spec/selector")));
    lines.field(0, "Node-Selector", pairs(set.pointer("/spec/template/spec/nodeSelector")));
    lines.labels(set);
    for (title, field) in [
        ("Desired Number of Nodes Scheduled", "desiredNumberScheduled"),
        ("Current Number of Nodes Scheduled", "currentNumberScheduled"),
        ("Number of Nodes Scheduled with Up-to-date Pods", "updatedNumberScheduled"),
        ("Number of Nodes Scheduled with Available Pods", "numberAvailable"),
        ("Number of Nodes Misscheduled", "numberMisscheduled"),
    ] {
        let count = number(set, &format!("/status/{field}"));
        lines.line(0, format_args!("{title}: {count}"));
    }
    lines.field(0, "Pods Status", pods_status(snapshot.store, set));
    template(&mut lines, &set["spec"]["template"]);
    lines.events(snapshot, set);
    lines.finish()
}
