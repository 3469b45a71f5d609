//! Which features of a kubelet a pod needs, as the scheduler infers them from its specification.
//!
//! Source: `k8s.io/component-helpers/nodedeclaredfeatures/features/`, v1.37. Of the features listed
//! there, three are inferred when a pod is scheduled. `VolumeBindMountOptions` is not among those
//! here: the API server drops the field that asks for it (`pkg/api/pod/util.go`), its gate is off.

use crate::api::Text;
use k8s_openapi::api::core::v1 as k8s;

/// A container's exit may restart all containers of the pod. Kubelets declare it by default.
pub const RESTART_ALL_CONTAINERS: &str = "RestartAllContainersOnContainerExits";
/// User namespaces in a pod on the host's network. Its gate is off by default.
pub const USER_NAMESPACES_HOST_NETWORK: &str = "UserNamespacesHostNetworkSupport";

/// Names of the features that a pod of this specification needs, sorted.
pub(super) fn needed(spec: &k8s::PodSpec) -> Vec<Text> {
    let restarts_all = |container: &k8s::Container| {
        let mut rules = container.restart_policy_rules.iter().flatten();
        rules.any(|rule| rule.action == "RestartAllContainers")
    };
    let mut containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    let mut needed = Vec::new();
    if containers.any(restarts_all) {
        needed.push(RESTART_ALL_CONTAINERS.into());
    }
    if has_user_namespace_on_host_network(spec) {
        needed.push(USER_NAMESPACES_HOST_NETWORK.into());
    }
    needed
}

/// Whether a pod is to have its own users, and the host's network.
pub(super) fn has_user_namespace_on_host_network(spec: &k8s::PodSpec) -> bool {
    spec.host_network == Some(true) && spec.host_users == Some(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn few_pods_need_a_feature() {
        let rules = |action: &str| json!([{"action": action, "exitCodes": {"operator": "In", "values": [1]}}]);
        let container = |action: &str| json!({"name": "c", "restartPolicy": "Never", "restartPolicyRules": rules(action)});
        let plain = json!({"name": "c"});
        let rows: [(&str, Value, &[&str]); 6] = [
            ("a plain pod needs none", json!({"containers": [plain]}), &[]),
            (
                "nor does a container that restarts alone",
                json!({"containers": [container("Restart")]}),
                &[],
            ),
            (
                "one that restarts all does",
                json!({"containers": [plain, container("RestartAllContainers")]}),
                &[RESTART_ALL_CONTAINERS],
            ),
            (
                "so does an init container",
                json!({"containers": [plain], "initContainers": [container("RestartAllContainers")]}),
                &[RESTART_ALL_CONTAINERS],
            ),
            ("own users alone need none", json!({"containers": [plain], "hostUsers": false}), &[]),
            (
                "own users on the host's network do",
                json!({"containers": [container("RestartAllContainers")], "hostUsers": false, "hostNetwork": true}),
                &[RESTART_ALL_CONTAINERS, USER_NAMESPACES_HOST_NETWORK],
            ),
        ];
        for (sentence, spec, expected) in rows {
            let spec = serde_json::from_value(spec).expect("a specification");
            let found = needed(&spec);
            assert_eq!(found.iter().map(|f| &**f).collect::<Vec<_>>(), expected, "{sentence}");
        }
    }
}
