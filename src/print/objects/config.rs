//! Secrets and ConfigMaps: of what they hold only the keys are known.

use super::cluster::namespaces;
use super::meta::{Meta, object, set};
use crate::api::config::{Config, ConfigKind, ROOT_CA, ROOT_CA_KEY};
use crate::api::meta;
use crate::print::Snapshot;
use serde_json::{Map, Value};
use slotmap::Key as _;

/// All Secrets or ConfigMaps, with the one that every namespace is given.
pub(super) fn configs(snapshot: &Snapshot, kind: &str) -> Vec<Value> {
    let all = snapshot.store.configs().filter(|(_, config)| config.kind.as_str() == kind);
    let mut found: Vec<Value> = all.map(|(id, known)| config(known, id.data().as_ffi())).collect();
    if kind == "ConfigMap" {
        for (ordinal, namespace) in (1 << 40..).zip(namespaces(snapshot)) {
            let namespace = namespace["metadata"]["name"].as_str().unwrap_or_default().into();
            let meta = meta::Meta { name: ROOT_CA.into(), namespace, ..Default::default() };
            let (kind, keys) = (ConfigKind::ConfigMap, vec![ROOT_CA_KEY.into()]);
            found.push(config(&Config { kind, meta, keys, secret_type: "".into() }, ordinal));
        }
    }
    found
}

fn config(known: &Config, ordinal: u64) -> Value {
    let mut out = object(&Meta {
        kind: known.kind.as_str(),
        namespace: &known.meta.namespace,
        name: &known.meta.name,
        ordinal,
        labels: Some(&known.meta.labels),
        generation: 0,
        created: known.meta.created,
        version: 0,
    });
    let keys = known.keys.iter().map(|key| (key.to_string(), Value::from("")));
    let data: Map<String, Value> = keys.collect();
    if !data.is_empty() {
        out["data"] = data.into();
    }
    let is_secret = known.kind == ConfigKind::Secret;
    set(&mut out, "type", is_secret.then(|| known.secret_type.to_string()));
    out
}
