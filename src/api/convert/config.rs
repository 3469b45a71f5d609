//! `core/v1` Secrets and ConfigMaps, and references to them in pods.
//!
//! Source: kubernetes `pkg/kubelet/kubelet_pods.go` (`makeEnvironmentVariables`), v1.37: `envFrom`
//! of a container comes before its `env`.

use super::labels;
use crate::api::Text;
use crate::api::config::{Config, ConfigKind, ConfigRef};
use crate::api::meta::Meta;
use k8s_openapi::api::core::v1 as k8s;
use serde_json::Value;

/// A Secret or ConfigMap in its JSON form; `None`: it is none, or has no name.
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
    for (place, volume) in spec.volumes.iter().flatten().enumerate() {
        of_volume(volume, &format!("volumes[{place}]"), &mut out);
    }
    for (place, container) in spec.init_containers.iter().flatten().enumerate() {
        let known = out.len();
        of_container(container, &format!("initContainers[{place}]"), &mut out);
        out[known..].iter_mut().for_each(|reference| reference.init = u16::try_from(place).ok());
    }
    for (place, container) in spec.containers.iter().enumerate() {
        of_container(container, &format!("containers[{place}]"), &mut out);
    }
    out
}

/// A reference that may be optional.
struct Given<'a> {
    kind: ConfigKind,
    name: &'a str,
    keys: Vec<&'a str>,
    optional: Option<bool>,
    field: String,
}

impl Given<'_> {
    /// What it needs for a volume, or for the environment; nothing, if it is optional.
    fn add(self, volume: &str, out: &mut Vec<ConfigRef>) {
        if self.optional == Some(true) || self.name.is_empty() {
            return;
        }
        let any = [""];
        for key in if self.keys.is_empty() { &any[..] } else { &self.keys } {
            out.push(ConfigRef {
                kind: self.kind,
                name: self.name.into(),
                key: (*key).into(),
                volume: volume.into(),
                init: None,
                field: self.field.as_str().into(),
            });
        }
    }
}

fn keys_of(items: Option<&Vec<k8s::KeyToPath>>) -> Vec<&str> {
    items.into_iter().flatten().map(|item| item.key.as_str()).collect()
}

fn of_volume(volume: &k8s::Volume, path: &str, out: &mut Vec<ConfigRef>) {
    use ConfigKind::{ConfigMap, Secret};
    let mut add = |kind, name, items, optional, field: String| {
        let given = Given { kind, name, keys: keys_of(items), optional, field };
        given.add(&volume.name, out);
    };
    if let Some(secret) = &volume.secret {
        let name = secret.secret_name.as_deref().unwrap_or("");
        add(Secret, name, secret.items.as_ref(), secret.optional, format!("{path}.secret"));
    }
    if let Some(map) = &volume.config_map {
        add(ConfigMap, &map.name, map.items.as_ref(), map.optional, format!("{path}.configMap"));
    }
    let sources = volume.projected.iter().flat_map(|projected| &projected.sources).flatten();
    for (place, source) in sources.enumerate() {
        let path = format!("{path}.projected.sources[{place}]");
        if let Some(secret) = &source.secret {
            let field = format!("{path}.secret");
            add(Secret, &secret.name, secret.items.as_ref(), secret.optional, field);
        }
        if let Some(map) = &source.config_map {
            let field = format!("{path}.configMap");
            add(ConfigMap, &map.name, map.items.as_ref(), map.optional, field);
        }
    }
}

fn of_container(container: &k8s::Container, path: &str, out: &mut Vec<ConfigRef>) {
    use ConfigKind::{ConfigMap, Secret};
    let mut add = |kind, name, keys, optional, field| {
        Given { kind, name, keys, optional, field }.add("", out);
    };
    for (place, source) in container.env_from.iter().flatten().enumerate() {
        let path = format!("{path}.envFrom[{place}]");
        if let Some(map) = &source.config_map_ref {
            add(ConfigMap, &map.name, vec![], map.optional, format!("{path}.configMapRef"));
        }
        if let Some(secret) = &source.secret_ref {
            add(Secret, &secret.name, vec![], secret.optional, format!("{path}.secretRef"));
        }
    }
    for (place, variable) in container.env.iter().flatten().enumerate() {
        let Some(from) = &variable.value_from else { continue };
        let path = format!("{path}.env[{place}].valueFrom");
        if let Some(map) = &from.config_map_key_ref {
            let field = format!("{path}.configMapKeyRef");
            add(ConfigMap, &map.name, vec![&*map.key], map.optional, field);
        }
        if let Some(secret) = &from.secret_key_ref {
            let field = format!("{path}.secretKeyRef");
            add(Secret, &secret.name, vec![&*secret.key], secret.optional, field);
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
            .map(|r| format!("{} {} {} {} {}", r.kind.word(), r.name, r.key, r.volume, r.field))
            .collect();
        let expected = [
            "secret a k v volumes[0].secret",
            "configmap b  w volumes[1].projected.sources[0].configMap",
            "configmap c   containers[0].envFrom[0].configMapRef",
            "secret d y  containers[0].env[1].valueFrom.secretKeyRef",
        ];
        assert_eq!(told, expected);
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
