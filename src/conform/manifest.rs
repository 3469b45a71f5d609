//! Pods and nodes from the manifests of a case. It knows no scheduler.
//!
//! Source of the defaulting: the recordings apply `SetObjectDefaults_Pod` and `_Node` of 1.37.

use crate::api::convert::{self, FieldError};
use crate::api::node::Node;
use crate::api::pod::Pod;
use crate::units::SimTime;
use k8s_openapi::api::core::v1 as k8s;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use std::sync::Arc;

/// Seconds of Unix time at which the recordings' clock starts: 2000-01-01T00:00:00Z.
const EPOCH: i64 = 946_684_800;

/// The namespace of an object; `default` when it names none.
pub(super) fn namespace(metadata: &ObjectMeta) -> &str {
    metadata.namespace.as_deref().unwrap_or("default")
}

/// `namespace/name` of an object.
pub(super) fn key(metadata: &ObjectMeta) -> Result<String, String> {
    let name = metadata.name.as_deref().ok_or("an object needs metadata.name")?;
    Ok(format!("{}/{name}", namespace(metadata)))
}

/// A pod. The recordings were made without the defaulting of pod-level requests from pod-level
/// limits (the API server does it after admission), so such limits are left out.
pub(super) fn pod(given: &k8s::Pod) -> Result<Pod, String> {
    let key = key(&given.metadata)?;
    let mut spec = given.spec.clone().ok_or_else(|| format!("pod {key} has no spec"))?;
    if let Some(resources) = &mut spec.resources {
        resources.limits = None;
    }
    let mut errors = Vec::new();
    let spec = convert::pod::pod_spec(&spec, "spec", &mut errors);
    fine(&format!("pod {key}"), &errors)?;
    let started = given.status.as_ref().and_then(|s| s.start_time.as_ref());
    let instant = |seconds: i64| SimTime::from_secs(u64::try_from(seconds - EPOCH).unwrap_or(0));
    Ok(Pod {
        started: started.map_or(SimTime::NEVER, |t| instant(t.0.as_second())),
        ..Pod::pending(
            namespace(&given.metadata).into(),
            given.metadata.name.as_deref().unwrap_or_default().into(),
            convert::labels(given.metadata.labels.as_ref()),
            Arc::new(spec),
            SimTime::ZERO,
        )
    })
}

/// `kind/namespace/name` of the controlling owner of a pod.
pub(super) fn owner(given: &k8s::Pod) -> Option<String> {
    let mut owners = given.metadata.owner_references.iter().flatten();
    let owner = owners.find(|o| o.controller == Some(true))?;
    Some(format!("{}/{}/{}", owner.kind, namespace(&given.metadata), owner.name))
}

/// A node.
pub(super) fn node(given: &k8s::Node) -> Result<Node, String> {
    let mut errors = Vec::new();
    let node = convert::node::node(given, "", &mut errors);
    fine(&format!("node {}", node.name), &errors)?;
    Ok(node)
}

/// An error that names all of `errors`, if there are any.
pub(super) fn fine(what: &str, errors: &[FieldError]) -> Result<(), String> {
    if errors.is_empty() {
        return Ok(());
    }
    let told: Vec<String> = errors.iter().map(|e| format!("{}: {}", e.path, e.message)).collect();
    Err(format!("{what}: {}", told.join("; ")))
}
