//! What every cluster has: namespaces, and the health of the control plane's parts.

use super::meta::{Meta, object};
use crate::api::namespace::NamespacePhase;
use crate::print::Snapshot;
use crate::print::clock::stamp;
use crate::units::SimTime;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The namespaces that a new cluster has.
const BORN_WITH: [&str; 4] = ["default", "kube-node-lease", "kube-public", "kube-system"];

/// Namespaces: those of a new cluster, and all in which something is.
pub(super) fn namespaces(snapshot: &Snapshot) -> Vec<Value> {
    let store = snapshot.store;
    let mut names: BTreeSet<String> = BORN_WITH.iter().map(|name| (*name).to_owned()).collect();
    names.extend(store.deployments().map(|(_, d)| d.namespace.to_string()));
    names.extend(store.owners().map(|(_, owner)| owner.namespace().to_string()));
    names.extend(store.cron_jobs().map(|(_, job)| job.meta.namespace.to_string()));
    names.extend(store.services().map(|(_, service)| service.namespace.to_string()));
    names.extend(store.pods().map(|(_, pod)| pod.namespace.to_string()));
    let known = |name: &str| store.namespaces().find(|(_, known)| *known.name == *name);
    let phase = |name: &str| known(name).map(|(_, known)| known.phase);
    names.retain(|name| phase(name) != Some(NamespacePhase::Gone));
    let one = |(ordinal, name): (usize, String)| {
        let label = crate::api::labels::Labels::from([("kubernetes.io/metadata.name", &*name)]);
        let mut out = object(&Meta {
            kind: "Namespace",
            namespace: "",
            name: &name,
            ordinal: ordinal as u64 + 1,
            labels: Some(&label),
            generation: 0,
            created: SimTime::ZERO,
            version: 0,
        });
        out["spec"] = json!({ "finalizers": ["kubernetes"] });
        out["status"] = json!({ "phase": "Active" });
        if let Some(NamespacePhase::Terminating(since)) = phase(&name) {
            out["metadata"]["deletionTimestamp"] = stamp(since).into();
            out["status"]["phase"] = "Terminating".into();
        }
        out
    };
    names.into_iter().enumerate().map(one).collect()
}

/// The parts of the control plane, as their `healthz` answers
/// (`pkg/registry/core/componentstatus/rest.go`).
pub(super) fn component_statuses(snapshot: &Snapshot) -> Vec<Value> {
    let health = snapshot.health;
    let parts = [
        ("controller-manager", health.controller_manager, 10_257),
        ("etcd-0", true, 2381),
        ("scheduler", health.scheduler, 10_259),
    ];
    let one = |(name, runs, port): (&str, bool, u32)| {
        let refused = format!(
            "Get \"https://127.0.0.1:{port}/healthz\": dial tcp 127.0.0.1:{port}: \
             connect: connection refused"
        );
        let (status, message) = if runs { ("True", "ok") } else { ("False", &*refused) };
        json!({
            "apiVersion": "v1",
            "conditions": [{ "message": message, "status": status, "type": "Healthy" }],
            "kind": "ComponentStatus",
            "metadata": { "name": name },
        })
    };
    parts.map(one).into()
}
