//! Secrets, ConfigMaps and ServiceAccounts: of what they hold only the keys are known.

use super::meta::{Meta, object, set};
use crate::print::Snapshot;
use serde_json::{Map, Value};
use slotmap::Key as _;

/// All objects of one of these kinds.
pub(super) fn configs(snapshot: &Snapshot, kind: &str) -> Vec<Value> {
    let all = snapshot.store.configs().filter(|(_, config)| config.kind.as_str() == kind);
    all.map(|(id, config)| {
        let mut out = object(&Meta {
            kind: config.kind.as_str(),
            namespace: &config.meta.namespace,
            name: &config.meta.name,
            ordinal: id.data().as_ffi(),
            labels: Some(&config.meta.labels),
            generation: 0,
            created: config.meta.created,
            version: 0,
        });
        let keys = config.keys.iter().map(|key| (key.to_string(), Value::from("")));
        let data: Map<String, Value> = keys.collect();
        if !data.is_empty() {
            out["data"] = data.into();
        }
        let is_secret = kind == "Secret";
        set(&mut out, "type", is_secret.then(|| config.secret_type.to_string()));
        out
    })
    .collect()
}
