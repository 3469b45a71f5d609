//! Which given fields of a pod specification have no effect on the simulation.
//!
//! It tells a user what of a real manifest plays no part, so that nothing is dropped in silence.
//! It knows field names only, not what the other converters make of them.

use serde_json::Value;

/// Fields of a pod specification that something reads.
const POD: [&str; 19] = [
    "affinity",
    "containers",
    "hostNetwork",
    "initContainers",
    "nodeName",
    "nodeSelector",
    "overhead",
    "preemptionPolicy",
    "priority",
    "priorityClassName",
    "resourceClaims",
    "resources",
    "restartPolicy",
    "schedulerName",
    "schedulingGates",
    "terminationGracePeriodSeconds",
    "tolerations",
    "topologySpreadConstraints",
    "volumes",
];

/// Volumes of these sources count as bound to a volume that is reached from everywhere.
const CLAIMS: [&str; 2] = ["ephemeral", "persistentVolumeClaim"];

/// Fields of a container that something reads.
const CONTAINER: [&str; 10] = [
    "image",
    "imagePullPolicy",
    "lifecycle",
    "livenessProbe",
    "name",
    "ports",
    "readinessProbe",
    "resources",
    "restartPolicy",
    "startupProbe",
];

/// Fields of a Deployment's specification that something reads.
const DEPLOYMENT: [&str; 8] = [
    "minReadySeconds",
    "paused",
    "progressDeadlineSeconds",
    "replicas",
    "revisionHistoryLimit",
    "selector",
    "strategy",
    "template",
];

/// Fields of a Service's specification that something reads, and those that change nothing for
/// the traffic here: ports, and the kinds of Service that select pods.
const SERVICE: [&str; 11] = [
    "clusterIP",
    "clusterIPs",
    "externalName",
    "externalTrafficPolicy",
    "ports",
    "publishNotReadyAddresses",
    "selector",
    "sessionAffinity",
    "sessionAffinityConfig",
    "trafficDistribution",
    "type",
];

/// Fields of a Deployment's specification that are set but that nothing reads; its pods' are told
/// by [`ignored_fields`].
pub fn unread_of_deployment(spec: &Value) -> Vec<String> {
    let mut out = Vec::new();
    unread(spec, &DEPLOYMENT, "spec", &mut out);
    out
}

/// Fields of a Service's specification that are set but that nothing reads.
pub fn unread_of_service(spec: &Value) -> Vec<String> {
    let mut out = Vec::new();
    unread(spec, &SERVICE, "spec", &mut out);
    if spec["type"] == "NodePort" && spec["externalTrafficPolicy"] == "Local" {
        // Which nodes clients ask is not known.
        out.push("spec.externalTrafficPolicy".to_owned());
    }
    let is_passed_by = spec["clusterIP"] == "None" || spec["sessionAffinity"] == "ClientIP";
    if is_passed_by && spec["trafficDistribution"].is_string() {
        // No proxy stands there, or clients stick to pods of all zones.
        out.push("spec.trafficDistribution".to_owned());
    }
    out
}

/// Paths of the fields that are set in a pod specification but that nothing reads, in the order of
/// their names; `path` is where the specification stands.
pub fn ignored_fields(spec: &Value, path: &str) -> Vec<String> {
    let mut out = Vec::new();
    unread(spec, &POD, path, &mut out);
    let volumes = spec.get("volumes").and_then(Value::as_array);
    for (i, volume) in volumes.into_iter().flatten().enumerate() {
        for source in CLAIMS.iter().filter(|source| volume.get(source).is_some()) {
            out.push(format!("{path}.volumes[{i}].{source}"));
        }
    }
    for list in ["containers", "initContainers"] {
        let containers = spec.get(list).and_then(Value::as_array);
        for (i, container) in containers.into_iter().flatten().enumerate() {
            let path = format!("{path}.{list}[{i}]");
            let mut given = without_references(container);
            if let Some(fields) = given.as_object_mut().filter(|_| list == "containers") {
                // They count together, and end as their pod says.
                if fields.remove("restartPolicy").is_some_and(|policy| policy.is_string()) {
                    out.push(format!("{path}.restartPolicy"));
                }
            }
            unread(&given, &CONTAINER, &path, &mut out);
            if let Some(lifecycle) = container.get("lifecycle") {
                unread(lifecycle, &["preStop"], &format!("{path}.lifecycle"), &mut out);
            }
            if let Some(resources) = container.get("resources") {
                let read = ["claims", "limits", "requests"];
                unread(resources, &read, &format!("{path}.resources"), &mut out);
            }
        }
    }
    out
}

/// A container without what it has from Secrets and ConfigMaps: it waits for those.
fn without_references(container: &Value) -> Value {
    let mut left = container.clone();
    if let Some(env) = left.get_mut("env").and_then(Value::as_array_mut) {
        let refers = |variable: &Value| {
            let from = &variable["valueFrom"];
            from.get("secretKeyRef").or(from.get("configMapKeyRef")).is_some_and(Value::is_object)
        };
        env.retain(|variable| !refers(variable));
    }
    if let Some(fields) = left.as_object_mut() {
        fields.remove("envFrom");
    }
    left
}

fn unread(object: &Value, read: &[&str], path: &str, out: &mut Vec<String>) {
    for (field, value) in object.as_object().into_iter().flatten() {
        if !read.contains(&field.as_str()) && !is_empty(value) {
            out.push(format!("{path}.{field}"));
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(a) => a.is_empty(),
        Value::Object(o) => o.values().all(Value::is_null),
        _ => false,
    }
}
