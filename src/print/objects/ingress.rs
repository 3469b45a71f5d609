//! Ingresses. No controller that would give them an address is simulated: they have none.

use super::meta::{Meta, marked, object};
use crate::api::IngressId;
use crate::api::ingress::{Backend, Ingress, Path};
use crate::print::Snapshot;
use crate::print::chronicle::Key;
use serde_json::{Value, json};
use slotmap::Key as _;

/// An Ingress.
pub(super) fn ingress(snapshot: &Snapshot, id: IngressId, given: &Ingress) -> Value {
    let (version, _) = marked(snapshot, Key::Ingress(id));
    let mut out = object(&Meta {
        kind: "Ingress",
        namespace: &given.namespace,
        name: &given.name,
        ordinal: id.data().as_ffi(),
        labels: Some(&given.labels),
        generation: 0,
        created: given.created,
        version,
    });
    let mut spec = json!({});
    if let Some(class) = &given.class {
        spec["ingressClassName"] = class.to_string().into();
    }
    if let Some(default) = &given.default_backend {
        spec["defaultBackend"] = backend(default);
    }
    let rules = given.rules.iter().map(|rule| {
        let mut out =
            json!({ "http": { "paths": rule.paths.iter().map(path).collect::<Value>() } });
        if !rule.host.is_empty() {
            out["host"] = rule.host.to_string().into();
        }
        out
    });
    let rules: Vec<Value> = rules.collect();
    if !rules.is_empty() {
        spec["rules"] = rules.into();
    }
    let tls = given.tls.iter().map(|(secret, hosts)| {
        let hosts: Vec<String> = hosts.iter().map(|host| host.to_string()).collect();
        json!({ "hosts": hosts, "secretName": &**secret })
    });
    let tls: Vec<Value> = tls.collect();
    if !tls.is_empty() {
        spec["tls"] = tls.into();
    }
    out["spec"] = spec;
    out["status"] = json!({ "loadBalancer": {} });
    out
}

fn path(given: &Path) -> Value {
    json!({
        "backend": backend(&given.backend),
        "path": &*given.path,
        "pathType": given.kind.as_str(),
    })
}

fn backend(given: &Backend) -> Value {
    match given {
        Backend::Service { name, port } => {
            let port = match port.parse::<u16>() {
                Ok(number) => json!({ "number": number }),
                Err(_) => json!({ "name": &**port }),
            };
            json!({ "service": { "name": &**name, "port": port } })
        }
        Backend::Resource(kind, name) => {
            json!({ "resource": { "kind": &**kind, "name": &**name } })
        }
    }
}
