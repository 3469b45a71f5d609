//! The table of nodes (`printNode`).

use super::{Table, name};
use crate::print::read::{age, items, text};
use crate::units::SimTime;
use serde_json::Value;

pub(super) const TABLE: Table = Table {
    columns: &[
        ("NAME", false),
        ("STATUS", false),
        ("ROLES", false),
        ("AGE", false),
        ("VERSION", false),
        ("INTERNAL-IP", true),
        ("EXTERNAL-IP", true),
        ("OS-IMAGE", true),
        ("KERNEL-VERSION", true),
        ("CONTAINER-RUNTIME", true),
    ],
    cells,
};

fn cells(node: &Value, now: SimTime) -> Vec<String> {
    let ready = items(node, "/status/conditions").iter().find(|c| c["type"] == "Ready");
    let mut status = match ready {
        None => "Unknown",
        Some(ready) if ready["status"] == "True" => "Ready",
        Some(_) => "NotReady",
    }
    .to_owned();
    if node.pointer("/spec/unschedulable").is_some_and(|v| *v == true) {
        status += ",SchedulingDisabled";
    }
    let address = |kind: &str| {
        let mut all = items(node, "/status/addresses").iter();
        let found = all.find(|a| a["type"] == kind).and_then(|a| a["address"].as_str());
        found.unwrap_or("<none>").to_owned()
    };
    let told = |path: &str| match text(node, path) {
        "" => "<unknown>".to_owned(),
        text => text.to_owned(),
    };
    vec![
        name(node),
        status,
        roles(node),
        age(node, now),
        text(node, "/status/nodeInfo/kubeletVersion").to_owned(),
        address("InternalIP"),
        address("ExternalIP"),
        told("/status/nodeInfo/osImage"),
        kernel(node),
        told("/status/nodeInfo/containerRuntimeVersion"),
    ]
}

/// The kernel's version, with the architecture behind it.
fn kernel(node: &Value) -> String {
    let version = text(node, "/status/nodeInfo/kernelVersion");
    let version = if version.is_empty() { "<unknown>" } else { version };
    match text(node, "/status/nodeInfo/architecture") {
        "" => version.to_owned(),
        architecture => format!("{version} ({architecture})"),
    }
}

/// What the labels say of a node's roles; `<none>` if nothing (`findNodeRoles`).
pub(in crate::print) fn roles(node: &Value) -> String {
    let labels = node.pointer("/metadata/labels").and_then(Value::as_object).into_iter().flatten();
    let role = |(key, value): (&String, &Value)| match key.strip_prefix("node-role.kubernetes.io/")
    {
        Some(role) => Some(role.to_owned()).filter(|role| !role.is_empty()),
        None if key == "kubernetes.io/role" => value.as_str().map(str::to_owned),
        None => None,
    };
    let mut roles: Vec<String> = labels.filter_map(role).collect();
    roles.sort();
    roles.dedup();
    match roles.is_empty() {
        true => "<none>".to_owned(),
        false => roles.join(","),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_status_of_a_node_is_told_as_kubectl_tells_it() {
        let ready = |status: &str| json!({"conditions": [{"type": "Ready", "status": status}]});
        let rows = [
            ("it is well", ready("True"), json!({}), "Ready"),
            ("its kubelet says it is not", ready("False"), json!({}), "NotReady"),
            ("its kubelet is silent", ready("Unknown"), json!({}), "NotReady"),
            (
                "it is cordoned",
                ready("True"),
                json!({"unschedulable": true}),
                "Ready,SchedulingDisabled",
            ),
            ("nothing is known", json!({}), json!({}), "Unknown"),
        ];
        for (sentence, status, spec, expected) in rows {
            let node = json!({"metadata": {"name": "n"}, "spec": spec, "status": status});
            assert_eq!(cells(&node, SimTime::ZERO)[1], expected, "{sentence}");
        }
        let labels = json!({"node-role.kubernetes.io/worker": "", "kubernetes.io/role": "infra"});
        assert_eq!(roles(&json!({"metadata": {"labels": labels}})), "infra,worker");
        assert_eq!(roles(&json!({})), "<none>");
    }
}
