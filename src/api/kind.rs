//! Kinds of objects as people name them: singular, plural, short names, API group.
//!
//! Source: `kubectl api-resources`, v1.37. It does not know what is done with them.

/// A kind of the API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Kind {
    /// `kind`.
    pub name: &'static str,
    /// `apiVersion`.
    pub api_version: &'static str,
    /// Its objects are in namespaces.
    pub namespaced: bool,
    /// How people call it: singular, plural, short names.
    pub words: &'static [&'static str],
}

const fn kind(
    name: &'static str,
    api_version: &'static str,
    namespaced: bool,
    words: &'static [&'static str],
) -> Kind {
    Kind { name, api_version, namespaced, words }
}

/// The kinds that are known.
pub const KINDS: &[Kind] = &[
    kind("Pod", "v1", true, &["pod", "pods", "po"]),
    kind(
        "ReplicationController",
        "v1",
        true,
        &["replicationcontroller", "replicationcontrollers", "rc"],
    ),
    kind("Service", "v1", true, &["service", "services", "svc"]),
    kind("DaemonSet", "apps/v1", true, &["daemonset", "daemonsets", "ds"]),
    kind("Deployment", "apps/v1", true, &["deployment", "deployments", "deploy"]),
    kind("ReplicaSet", "apps/v1", true, &["replicaset", "replicasets", "rs"]),
    kind("StatefulSet", "apps/v1", true, &["statefulset", "statefulsets", "sts"]),
    kind(
        "HorizontalPodAutoscaler",
        "autoscaling/v2",
        true,
        &["horizontalpodautoscaler", "horizontalpodautoscalers", "hpa"],
    ),
    kind("CronJob", "batch/v1", true, &["cronjob", "cronjobs", "cj"]),
    kind("Job", "batch/v1", true, &["job", "jobs"]),
    kind("Node", "v1", false, &["node", "nodes", "no"]),
    kind(
        "PodDisruptionBudget",
        "policy/v1",
        true,
        &["poddisruptionbudget", "poddisruptionbudgets", "pdb"],
    ),
    kind("Namespace", "v1", false, &["namespace", "namespaces", "ns"]),
    kind("ResourceQuota", "v1", true, &["resourcequota", "resourcequotas", "quota"]),
    kind("LimitRange", "v1", true, &["limitrange", "limitranges", "limits"]),
    kind("Event", "v1", true, &["event", "events", "ev"]),
    kind("Endpoints", "v1", true, &["endpoint", "endpoints", "ep"]),
    kind("EndpointSlice", "discovery.k8s.io/v1", true, &["endpointslice", "endpointslices"]),
    kind("ComponentStatus", "v1", false, &["componentstatus", "componentstatuses", "cs"]),
    kind("PersistentVolume", "v1", false, &["persistentvolume", "persistentvolumes", "pv"]),
    kind(
        "PersistentVolumeClaim",
        "v1",
        true,
        &["persistentvolumeclaim", "persistentvolumeclaims", "pvc"],
    ),
    kind("StorageClass", "storage.k8s.io/v1", false, &["storageclass", "storageclasses", "sc"]),
    kind(
        "VolumeAttachment",
        "storage.k8s.io/v1",
        false,
        &["volumeattachment", "volumeattachments"],
    ),
    kind("CSINode", "storage.k8s.io/v1", false, &["csinode", "csinodes"]),
    kind("CSIDriver", "storage.k8s.io/v1", false, &["csidriver", "csidrivers"]),
    kind(
        "CSIStorageCapacity",
        "storage.k8s.io/v1",
        true,
        &["csistoragecapacity", "csistoragecapacities"],
    ),
    kind("Ingress", "networking.k8s.io/v1", true, &["ingress", "ingresses", "ing"]),
    kind("ConfigMap", "v1", true, &["configmap", "configmaps", "cm"]),
    kind("Secret", "v1", true, &["secret", "secrets"]),
    kind(
        "VerticalPodAutoscaler",
        "autoscaling.k8s.io/v1",
        true,
        &["verticalpodautoscaler", "verticalpodautoscalers", "vpa"],
    ),
];

impl Kind {
    /// The kind that a word means; its group, as in `deployment.apps`, may follow.
    pub fn find(word: &str) -> Option<&'static Kind> {
        let word = word.split('.').next().unwrap_or(word).to_ascii_lowercase();
        KINDS.iter().find(|kind| kind.words.contains(&&*word))
    }

    /// The kind of this `kind`.
    pub fn named(name: &str) -> Option<&'static Kind> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    /// The API group; empty for the core.
    pub fn group(&self) -> &'static str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// `pods`, `deployments.apps`: as in the API server's messages.
    pub fn resource(&self) -> String {
        self.with_group(self.words[1])
    }

    /// `pod`, `deployment.apps`: as kubectl names objects.
    pub fn singular(&self) -> String {
        let word = if self.name == "Endpoints" { "endpoints" } else { self.words[0] };
        self.with_group(word)
    }

    fn with_group(&self, word: &str) -> String {
        match self.group() {
            "" => word.to_owned(),
            group => format!("{word}.{group}"),
        }
    }
}

/// The `kind` that a word means.
pub fn kind_of(word: &str) -> Option<&'static str> {
    Kind::find(word).map(|kind| kind.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_several_names() {
        let rows = [
            ("the singular", "pod", Some("Pod")),
            ("the plural", "pods", Some("Pod")),
            ("a short name", "po", Some("Pod")),
            ("with its group", "deployments.apps", Some("Deployment")),
            ("with version and group", "deploy.v1.apps", Some("Deployment")),
            ("whatever the case", "StatefulSet", Some("StatefulSet")),
            ("endpoints are plural alone", "endpoints", Some("Endpoints")),
            ("what is none", "gizmo", None),
        ];
        for (sentence, word, expected) in rows {
            assert_eq!(kind_of(word), expected, "{sentence}");
        }
    }

    #[test]
    fn objects_are_named_with_their_group() {
        let deployment = Kind::named("Deployment").unwrap();
        assert_eq!(deployment.resource(), "deployments.apps");
        assert_eq!(deployment.singular(), "deployment.apps");
        assert_eq!(Kind::named("Pod").unwrap().resource(), "pods");
    }
}
