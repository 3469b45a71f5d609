//! Volumes, claims and storage classes, described.

use super::text::Lines;
use crate::print::read::{items, pairs, text};
use crate::print::tables::access_modes;
use crate::print::{Snapshot, clock, objects};
use serde_json::Value;

/// `Status`: the phase, or that it is being deleted.
fn status(lines: &mut Lines, snapshot: &Snapshot, object: &Value) {
    match text(object, "/metadata/deletionTimestamp") {
        "" => lines.field(0, "Status", text(object, "/status/phase")),
        deletion => {
            let lasts = clock::since(Some(deletion), snapshot.now);
            lines.field(0, "Status", format_args!("Terminating (lasts {lasts})"));
        }
    }
}

fn finalizers(lines: &mut Lines, object: &Value) {
    let all = items(object, "/metadata/finalizers").iter().filter_map(Value::as_str);
    lines.field(0, "Finalizers", format_args!("[{}]", all.collect::<Vec<_>>().join(" ")));
}

/// One requirement of a node selector, as `key in [a, b]`.
fn requirement(given: &Value, operator: &str) -> String {
    let values = items(given, "/values").iter().filter_map(Value::as_str);
    let values = values.collect::<Vec<_>>().join(", ");
    let told = format!("{} {operator}", text(given, "/key"));
    if values.is_empty() { told } else { format!("{told} [{values}]") }
}

pub(super) fn volume(snapshot: &Snapshot, volume: &Value) -> String {
    let mut lines = Lines::default();
    lines.field(0, "Name", text(volume, "/metadata/name"));
    lines.labels(volume);
    finalizers(&mut lines, volume);
    lines.field(0, "StorageClass", text(volume, "/spec/storageClassName"));
    status(&mut lines, snapshot, volume);
    match volume.pointer("/spec/claimRef") {
        Some(claim) => {
            let [namespace, name] = ["/namespace", "/name"].map(|at| text(claim, at));
            lines.field(0, "Claim", format_args!("{namespace}/{name}"));
        }
        None => lines.field(0, "Claim", ""),
    }
    lines.field(0, "Reclaim Policy", text(volume, "/spec/persistentVolumeReclaimPolicy"));
    lines.field(0, "Access Modes", access_modes(volume, "/spec/accessModes"));
    lines.field(0, "VolumeMode", text(volume, "/spec/volumeMode"));
    lines.field(0, "Capacity", text(volume, "/spec/capacity/storage"));
    let terms = items(volume, "/spec/nodeAffinity/required/nodeSelectorTerms");
    if terms.is_empty() {
        lines.field(0, "Node Affinity", "<none>");
    } else {
        lines.field(0, "Node Affinity", "");
        lines.field(1, "Required Terms", "");
    }
    for (i, term) in terms.iter().enumerate() {
        let told = |one: &Value| {
            let operator = text(one, "/operator").to_ascii_lowercase();
            requirement(one, &operator)
        };
        let all: Vec<String> = items(term, "/matchExpressions").iter().map(told).collect();
        lines.field(2, &format!("Term {i}"), all.join("\n    \t"));
    }
    lines.field(0, "Message", text(volume, "/status/message"));
    lines.line(0, "Source:");
    match volume.pointer("/spec/csi") {
        Some(csi) => {
            lines.field(2, "Type", "CSI (a Container Storage Interface (CSI) volume source)");
            lines.field(2, "Driver", text(csi, "/driver"));
            lines.field(2, "FSType", "");
            lines.field(2, "VolumeHandle", text(csi, "/volumeHandle"));
            lines.field(2, "ReadOnly", "false");
            lines.field(2, "VolumeAttributes", "<none>");
        }
        None => lines.line(1, "<unknown>"),
    }
    lines.events(snapshot, volume);
    lines.finish()
}

pub(super) fn claim(snapshot: &Snapshot, claim: &Value) -> String {
    let mut lines = Lines::default();
    lines.names(claim);
    lines.field(0, "StorageClass", text(claim, "/spec/storageClassName"));
    status(&mut lines, snapshot, claim);
    let volume = text(claim, "/spec/volumeName");
    lines.field(0, "Volume", volume);
    lines.labels(claim);
    finalizers(&mut lines, claim);
    let modes = access_modes(claim, "/status/accessModes");
    let (capacity, modes) = match volume {
        "" => ("", String::new()),
        _ => (text(claim, "/status/capacity/storage"), modes),
    };
    lines.field(0, "Capacity", capacity);
    lines.field(0, "Access Modes", modes);
    lines.field(0, "VolumeMode", text(claim, "/spec/volumeMode"));
    lines.list("Used By", used_by(snapshot, claim));
    lines.events(snapshot, claim);
    lines.finish()
}

/// The pods whose volumes name a claim, by name.
fn used_by(snapshot: &Snapshot, claim: &Value) -> Vec<String> {
    let name = text(claim, "/metadata/name");
    let owner = items(claim, "/metadata/ownerReferences").first();
    let owner = owner.filter(|owner| owner["kind"] == "Pod").map_or("", |o| text(o, "/name"));
    let uses = |pod: &Value| {
        let names = |volume: &Value| text(volume, "/persistentVolumeClaim/claimName") == name;
        text(pod, "/metadata/namespace") == text(claim, "/metadata/namespace")
            && (items(pod, "/spec/volumes").iter().any(names)
                || (!owner.is_empty() && text(pod, "/metadata/name") == owner))
    };
    let pods = objects::list(snapshot, "Pod");
    pods.iter().filter(|pod| uses(pod)).map(|pod| text(pod, "/metadata/name").to_owned()).collect()
}

pub(super) fn class(snapshot: &Snapshot, class: &Value) -> String {
    let mut lines = Lines::default();
    lines.field(0, "Name", text(class, "/metadata/name"));
    let annotations = &class["metadata"]["annotations"];
    let is_default = annotations["storageclass.kubernetes.io/is-default-class"] == "true";
    lines.field(0, "IsDefaultClass", if is_default { "Yes" } else { "No" });
    lines.field(0, "Annotations", pairs(class.pointer("/metadata/annotations")));
    lines.field(0, "Provisioner", text(class, "/provisioner"));
    lines.field(0, "Parameters", "<none>");
    let expands = class["allowVolumeExpansion"] == true;
    lines.field(0, "AllowVolumeExpansion", if expands { "True" } else { "False" });
    lines.field(0, "MountOptions", "<none>");
    lines.field(0, "ReclaimPolicy", text(class, "/reclaimPolicy"));
    lines.field(0, "VolumeBindingMode", text(class, "/volumeBindingMode"));
    let terms = items(class, "/allowedTopologies");
    if !terms.is_empty() {
        lines.field(0, "AllowedTopologies", "");
    }
    for (i, term) in terms.iter().enumerate() {
        let all = items(term, "/matchLabelExpressions").iter().map(|one| requirement(one, "in"));
        let all: Vec<String> = all.collect();
        lines.field(1, &format!("Term {i}"), all.join("\n  \t"));
    }
    lines.events(snapshot, class);
    lines.finish()
}
