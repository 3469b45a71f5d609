//! The static pods of a node group: manifests that its kubelets read, not the API server.
//!
//! Source: kubernetes `pkg/kubelet/config/common.go` and `pkg/api/pod/util.go`
//! (`HasAPIObjectReference`), v1.37. It does not know what becomes of the pods.

use super::diagnostic::Diagnostic;
use super::file::NodeGroupFile;
use super::manifests::{Manifests, Place};
use super::model::{Ignored, Machine};
use super::resolve::Resolver;
use super::yaml::Node;
use crate::api::config::ConfigKind;
use crate::api::object::Object;
use crate::api::pod::{Pod, PodSpec};
use crate::api::resources::Resources;
use crate::api::taint::{NOT_READY, TaintEffect, Toleration, UNREACHABLE};
use std::sync::Arc;

/// Fields of a pod that name objects of the API server, and their kind.
const REFERENCES: [(&str, &str); 4] = [
    ("spec.serviceAccountName", "serviceaccounts"),
    ("spec.serviceAccount", "serviceaccounts"),
    ("spec.imagePullSecrets", "secrets"),
    ("spec.resourceClaims", "resourceclaims"),
];
/// Sources of volumes that need the API server, and what for; Secrets and ConfigMaps are told apart
/// from them.
const SOURCES: [(&str, &str); 5] = [
    ("csi", "csidrivers (via CSI volumes)"),
    ("glusterfs", "endpoints (via glusterFS volumes)"),
    ("persistentVolumeClaim", "persistentvolumeclaims"),
    ("ephemeral", "persistentvolumeclaims (via ephemeral volumes)"),
    ("azureFile", "secrets (via azureFile volumes)"),
];

/// What of a pod needs the API server: the field, and the kind of object.
fn reference(document: &Node, spec: &PodSpec) -> Option<(String, &'static str)> {
    let is_given = |row: &&(&str, &str)| {
        row.0.split('.').try_fold(document, |node, key| node.get(key)).is_some()
    };
    if let Some((path, kind)) = REFERENCES.iter().find(is_given) {
        return Some(((*path).to_owned(), kind));
    }
    if let Some(config) = spec.config_refs.first() {
        let kind = match config.kind {
            ConfigKind::Secret => "secrets",
            ConfigKind::ConfigMap => "configmaps",
        };
        return Some((format!("spec.{}", config.field), kind));
    }
    let volumes = document.get("spec").and_then(|spec| spec.get("volumes"));
    let volumes = volumes.map_or(&[][..], Node::items).iter().enumerate();
    let of = |(i, volume): (usize, &Node)| {
        let (source, kind) = SOURCES.iter().find(|(key, _)| volume.get(key).is_some())?;
        Some((format!("spec.volumes[{i}].{source}"), *kind))
    };
    volumes.filter_map(of).next()
}

/// What the kubelet makes of a pod that it reads from a file: no taint drives it away.
fn as_static(spec: &mut PodSpec) {
    let added = [NOT_READY, UNREACHABLE].map(Toleration::default_seconds);
    spec.tolerations.retain(|given| !added.contains(given));
    spec.tolerations.push(Toleration::of_all(TaintEffect::NoExecute));
    spec.node_name = None;
    spec.is_mirror = true;
}

/// Which resource of a machine its static pods use up; `None`: there is enough of all.
fn lacks(machine: &Machine, pods: &[Pod]) -> Option<&'static str> {
    let mut all = Resources::default();
    pods.iter().for_each(|pod| all.add(&pod.spec.requests()));
    let has = &machine.allocatable;
    let rows = [
        (all.cpu.0 > has.cpu.0, "cpu"),
        (all.memory.0 > has.memory.0, "memory"),
        (all.ephemeral_storage.0 > has.ephemeral_storage.0.max(0), "ephemeral-storage"),
        (pods.len() > machine.max_pods as usize, "pods"),
    ];
    rows.into_iter().find(|(lacks, _)| *lacks).map(|(_, name)| name)
}

impl Resolver<'_> {
    /// The static pods of a node group whose entry stands at `path`; what of them has no effect is
    /// added to `ignored`.
    pub(super) fn static_pods(
        &mut self,
        given: &NodeGroupFile,
        machine: &Machine,
        path: &str,
        ignored: &mut Vec<Ignored>,
    ) -> Vec<Pod> {
        if given.static_pods.is_empty() {
            return Vec::new();
        }
        let mut found = Manifests::default();
        found.priorities = std::mem::take(&mut self.priorities);
        found.incomplete = !self.all_objects;
        let folder = self.folder.clone();
        for (index, entry) in given.static_pods.iter().enumerate() {
            let at = self.place(&format!("{path}.static-pods[{index}]"));
            for (full, shown) in self.sources.expand(&folder, entry, &at) {
                if let Some(text) = self.sources.text(&full, &shown, Some(at.clone())) {
                    found.read(&shown, &text, &mut self.sources.out);
                }
            }
        }
        found.resolve_priorities(&mut self.sources.out);
        self.priorities = std::mem::take(&mut found.priorities);
        ignored.append(&mut found.ignored);
        let path = format!("{path}.static-pods");
        let others = found.deployments.len() + found.services.len() + found.hpas.len();
        let mut is_other = others + found.pdbs.len() + found.devices.objects.len() > 0;
        let mut pods = Vec::new();
        for (object, place, _) in found.applied {
            match object {
                Object::Pod(mut pod) => {
                    self.check_static_pod(&place, &pod.spec);
                    as_static(Arc::make_mut(&mut pod.base_mut().spec));
                    pods.push(*pod);
                }
                _ => is_other = true,
            }
        }
        if is_other {
            let hint = Some("name manifests of other kinds in `manifests`".to_owned());
            self.error(&path, "kubelets run nothing but Pods", hint);
        }
        if let Some(resource) = lacks(machine, &pods) {
            let message = format!("a node of the group has not enough {resource} for them");
            self.error(&path, message, None);
        }
        pods
    }

    fn check_static_pod(&mut self, place: &Place, spec: &PodSpec) {
        let Some((path, kind)) = reference(&place.document, spec) else { return };
        let span = Some(place.document.nearest(&path).span.clone());
        let message = format!("static pods may not reference {kind}");
        let hint = Some("their kubelet runs them without the API server".to_owned());
        let file = place.file.clone();
        self.sources.out.errors.push(Diagnostic { file, span, path, message, hint });
    }
}
