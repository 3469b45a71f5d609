//! `core/v1` Secrets, ConfigMaps and ServiceAccounts, and references to them in pods.
//!
//! Source: kubernetes `pkg/kubelet/kubelet_pods.go` (`makeEnvironmentVariables`), v1.37: `envFrom`
//! of a container comes before its `env`.

use super::labels;
use crate::api::Text;
use crate::api::config::{Config, ConfigKind, ConfigRef};
use crate::api::meta::Meta;
use k8s_openapi::api::core::v1 as k8s;
use serde_json::Value;

/// A Secret, ConfigMap or ServiceAccount in its JSON form; `None`: it is none, or has no name.
pub fn config(given: &Value, namespace: &str) -> Option<Config> {
    let kind = ConfigKind::named(given["kind"].as_str()?)?;
    let meta = &given["metadata"];
    let pairs = meta["labels"].as_object().into_iter().flatten();
    let pairs = pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
    let mut keys: Vec<Text> = ["data", "stringData", "binaryData"]
        .iter()
        .flat_map(|field| given[field].as_object().into_iter().flatten())
        .map(|(key, _)| key.as_str().into())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    Some(Config {
        kind,
        meta: Meta {
            name: meta["name"].as_str()?.into(),
            namespace: meta["namespace"].as_str().unwrap_or(namespace).into(),
            labels: labels(Some(&pairs.collect())),
            ..Meta::default()
        },
        keys,
        secret_type: given["type"].as_str().unwrap_or("Opaque").into(),
    })
}

/// What a pod needs: volumes first, then the environment of each container.
pub(super) fn references(spec: &k8s::PodSpec) -> Vec<ConfigRef> {
    let mut out = Vec::new();
    for volume in spec.volumes.iter().flatten() {
        of_volume(volume, &mut out);
    }
    for (place, container) in spec.init_containers.iter().flatten().enumerate() {
        let known = out.len();
        of_container(container, &mut out);
        out[known..].iter_mut().for_each(|reference| reference.init = u16::try_from(place).ok());
    }
    spec.containers.iter().for_each(|container| of_container(container, &mut out));
    out
}

/// Adds a reference, unless it is optional.
fn add(
    kind: ConfigKind,
    name: &str,
    keys: &[&str],
    optional: Option<bool>,
    volume: &str,
    out: &mut Vec<ConfigRef>,
) {
    if optional == Some(true) || name.is_empty() {
        return;
    }
    let any = [""];
    for key in if keys.is_empty() { &any[..] } else { keys } {
        out.push(ConfigRef {
            kind,
            name: name.into(),
            key: (*key).into(),
            volume: volume.into(),
            init: None,
        });
    }
}

fn keys_of(items: Option<&Vec<k8s::KeyToPath>>) -> Vec<&str> {
    items.into_iter().flatten().map(|item| item.key.as_str()).collect()
}

fn of_volume(volume: &k8s::Volume, out: &mut Vec<ConfigRef>) {
    let name = volume.name.as_str();
    if let Some(secret) = &volume.secret {
        let of = secret.secret_name.as_deref().unwrap_or("");
        let keys = keys_of(secret.items.as_ref());
        add(ConfigKind::Secret, of, &keys, secret.optional, name, out);
    }
    if let Some(map) = &volume.config_map {
        add(
            ConfigKind::ConfigMap,
            &map.name,
            &keys_of(map.items.as_ref()),
            map.optional,
            name,
            out,
        );
    }
    let projected = volume.projected.iter().flat_map(|projected| &projected.sources).flatten();
    for source in projected {
        if let Some(secret) = &source.secret {
            let keys = keys_of(secret.items.as_ref());
            add(ConfigKind::Secret, &secret.name, &keys, secret.optional, name, out);
        }
        if let Some(map) = &source.config_map {
            let keys = keys_of(map.items.as_ref());
            add(ConfigKind::ConfigMap, &map.name, &keys, map.optional, name, out);
        }
    }
}

fn of_container(container: &k8s::Container, out: &mut Vec<ConfigRef>) {
    for source in container.env_from.iter().flatten() {
        if let Some(map) = &source.config_map_ref {
            add(ConfigKind::ConfigMap, &map.name, &[], map.optional, "", out);
        }
        if let Some(secret) = &source.secret_ref {
            add(ConfigKind::Secret, &secret.name, &[], secret.optional, "", out);
        }
    }
    for variable in container.env.iter().flatten() {
        let Some(from) = &variable.value_from else { continue };
        if let Some(map) = &from.config_map_key_ref {
            add(ConfigKind::ConfigMap, &map.name, &[&map.key], map.optional, "", out);
        }
        if let Some(secret) = &from.secret_key_ref {
            add(ConfigKind::Secret, &secret.name, &[&secret.key], secret.optional, "", out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_pod_needs_what_is_not_optional() {
        let spec: k8s::PodSpec = serde_json::from_value(json!({
            "volumes": [
                {"name": "v", "secret": {"secretName": "a", "items": [{"key": "k", "path": "p"}]}},
                {"name": "w", "projected": {"sources": [{"configMap": {"name": "b"}},
                    {"secret": {"name": "no", "optional": true}}]}},
                {"name": "t", "emptyDir": {}},
            ],
            "containers": [{
                "name": "c",
                "env": [
                    {"name": "X", "value": "1"},
                    {"name": "Y", "valueFrom": {"secretKeyRef": {"name": "d", "key": "y"}}},
                    {"name": "Z", "valueFrom": {"configMapKeyRef":
                        {"name": "no", "key": "z", "optional": true}}},
                ],
                "envFrom": [{"configMapRef": {"name": "c"}}],
            }],
        }))
        .unwrap();
        let told: Vec<String> = references(&spec)
            .iter()
            .map(|r| format!("{} {} {} {}", r.kind.word(), r.name, r.key, r.volume))
            .collect();
        assert_eq!(told, ["secret a k v", "configmap b  w", "configmap c  ", "secret d y "]);
    }

    #[test]
    fn of_their_content_the_keys_are_kept() {
        let given = json!({"kind": "Secret", "metadata": {"name": "s", "labels": {"a": "b"}},
            "type": "kubernetes.io/tls", "data": {"tls.key": "eA=="}, "stringData": {"a": "x"}});
        let found = config(&given, "ns").unwrap();
        assert_eq!((&*found.meta.namespace, &*found.secret_type), ("ns", "kubernetes.io/tls"));
        assert_eq!(found.keys, ["a", "tls.key"]);
        assert_eq!(found.meta.labels.get("a").map(|value| &**value), Some("b"));
        assert!(config(&json!({"kind": "Pod", "metadata": {"name": "p"}}), "ns").is_none());
    }
}
