//! Nodes in the API's form.

use super::meta::{Meta, marked, object, set};
use super::quantity;
use crate::api::NodeId;
use crate::api::node::{HOSTNAME_LABEL, Node, NodeReady, Pressure};
use crate::print::Snapshot;
use crate::print::chronicle::Key;
use crate::print::clock::stamp;
use serde_json::{Value, json};

/// The version of every kubelet: the one that is modelled.
const KUBELET_VERSION: &str = "v1.37.2";

/// What the kubelet says of its machine's health: when all is well, and when it is not.
const PRESSURES: [(&str, [(&str, &str); 2]); 3] = [
    (
        "MemoryPressure",
        [
            ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
        ],
    ),
    (
        "DiskPressure",
        [
            ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            ("KubeletHasDiskPressure", "kubelet has disk pressure"),
        ],
    ),
    (
        "PIDPressure",
        [
            ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
        ],
    ),
];

/// A node.
pub(super) fn node(snapshot: &Snapshot, id: NodeId, node: &Node) -> Value {
    let (version, _) = marked(snapshot, Key::Node(id));
    let mut out = object(&Meta {
        kind: "Node",
        namespace: "",
        name: &node.name,
        ordinal: node.uid,
        labels: Some(&node.labels),
        generation: 0,
        created: node.created,
        version,
    });
    out["spec"] = json!({});
    if !node.taints.is_empty() {
        let taint = |t: &crate::api::taint::Taint| {
            let mut out = json!({ "effect": format!("{:?}", t.effect), "key": &*t.key });
            if !t.value.is_empty() {
                out["value"] = Value::from(&*t.value);
            }
            if t.effect == crate::api::taint::TaintEffect::NoExecute {
                set(&mut out, "timeAdded", stamp(t.added));
            }
            out
        };
        out["spec"]["taints"] = node.taints.iter().map(taint).collect();
    }
    if node.unschedulable {
        out["spec"]["unschedulable"] = true.into();
    }
    out["status"] = status(node);
    out
}

fn status(node: &Node) -> Value {
    let room = |amounts: &crate::api::resources::Resources| {
        let mut list = quantity::list(amounts);
        list.insert("pods".to_owned(), node.max_pods.to_string().into());
        Value::from(list)
    };
    let hostname = node.labels.get(HOSTNAME_LABEL).unwrap_or(&node.name);
    let mut out = json!({
        "addresses": [{ "type": "Hostname", "address": &**hostname }],
        "allocatable": room(&node.allocatable),
        "capacity": room(&node.capacity),
        "conditions": conditions(node),
        "nodeInfo": info(node),
    });
    if !node.images.is_empty() {
        let image = |image: &crate::api::node::NodeImage| {
            let names: Vec<&str> = image.names.iter().map(|name| &**name).collect();
            json!({ "names": names, "sizeBytes": image.size.0 })
        };
        out["images"] = node.images.iter().map(image).collect();
    }
    out
}

/// Of the machine's software only the kubelet's version is known; the fields are there, as the API
/// wants it.
fn info(node: &Node) -> Value {
    json!({
        "architecture": node.labels.get("kubernetes.io/arch").map_or("", |arch| arch),
        "bootID": "",
        "containerRuntimeVersion": "",
        "kernelVersion": "",
        "kubeProxyVersion": "",
        "kubeletVersion": KUBELET_VERSION,
        "machineID": "",
        "operatingSystem": "linux",
        "osImage": "",
        "systemUUID": "",
    })
}

fn conditions(node: &Node) -> Value {
    let silent = node.ready == NodeReady::Unknown;
    let unknown = ("Unknown", "NodeStatusUnknown", "Kubelet stopped posting node status.");
    let held = node.pressures();
    let held = [held.memory, held.disk, Pressure::default()];
    let pressures = PRESSURES.iter().zip(held).map(|((kind, words), held)| {
        if silent {
            let (status, reason, message) = unknown;
            return (*kind, status, reason, message, node.ready_changed);
        }
        let (reason, message) = words[usize::from(held.is_on)];
        let status = if held.is_on { "True" } else { "False" };
        (*kind, status, reason, message, held.changed.get().unwrap_or(node.created))
    });
    let (status, reason, message) = match node.ready {
        NodeReady::True => ("True", "KubeletReady", "kubelet is posting ready status"),
        NodeReady::False if node.pressures().shuts_down => {
            ("False", "KubeletNotReady", "node is shutting down")
        }
        NodeReady::False => ("False", "KubeletNotReady", "container runtime network not ready"),
        NodeReady::Unknown => unknown,
    };
    let ready = ("Ready", status, reason, message, node.ready_changed);
    let told = pressures.chain([ready]).map(|(kind, status, reason, message, since)| {
        json!({
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": stamp(since),
        })
    });
    told.collect()
}
