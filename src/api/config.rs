//! Secrets and ConfigMaps, and what pods ask of them.
//!
//! Of their content only the keys are kept: a pod starts when they are there, whatever they hold.
//! Plain data; it does not know when a kubelet looks.

use super::Text;
use super::meta::Meta;

/// A Secret or ConfigMap.
#[derive(Clone, PartialEq, Debug)]
pub struct Config {
    /// Which of them it is.
    pub kind: ConfigKind,
    /// `metadata`.
    pub meta: Meta,
    /// Keys of `data`, `stringData` and `binaryData`, sorted.
    pub keys: Vec<Text>,
    /// `type` of a Secret.
    pub secret_type: Text,
}

/// Which kind of object it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum ConfigKind {
    /// A ConfigMap.
    ConfigMap,
    /// A Secret.
    Secret,
}

impl ConfigKind {
    /// `kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            ConfigKind::ConfigMap => "ConfigMap",
            ConfigKind::Secret => "Secret",
        }
    }

    /// The kind of this name.
    pub fn named(kind: &str) -> Option<ConfigKind> {
        [ConfigKind::ConfigMap, ConfigKind::Secret].into_iter().find(|known| known.as_str() == kind)
    }

    /// A Secret or ConfigMap as people name it: `secret/NAME`, `configmap/NAME`.
    pub fn and_name(text: &str) -> Option<(ConfigKind, Text)> {
        let (word, name) = text.split_once('/')?;
        let mut kinds = [ConfigKind::Secret, ConfigKind::ConfigMap].into_iter();
        let kind = kinds.find(|kind| kind.word() == word.to_ascii_lowercase())?;
        (!name.is_empty()).then(|| (kind, name.into()))
    }

    /// As the kubelet names it in its messages.
    pub fn word(self) -> &'static str {
        match self {
            ConfigKind::ConfigMap => "configmap",
            ConfigKind::Secret => "secret",
        }
    }
}

/// What a pod needs of a Secret or ConfigMap of its namespace before it can start. What is
/// `optional` is not needed.
#[derive(Clone, PartialEq, Debug)]
pub struct ConfigRef {
    /// Of which kind.
    pub kind: ConfigKind,
    /// Its name.
    pub name: Text,
    /// A key that it must have; empty: any will do.
    pub key: Text,
    /// The volume that is made of it; empty: it is for a container's environment.
    pub volume: Text,
    /// The init container whose environment it is for; `None`: it is for the others.
    pub init: Option<u16>,
    /// Where in the pod's specification it stands, like `volumes[0].secret`.
    pub field: Text,
}

/// The ConfigMap with the cluster's certificate, which every namespace is given
/// (root-ca-cert-publisher).
pub const ROOT_CA: &str = "kube-root-ca.crt";
/// Its one key.
pub const ROOT_CA_KEY: &str = "ca.crt";

impl ConfigRef {
    /// What stands in the way, in the kubelet's words, when `found` is what there is; `None`:
    /// nothing does.
    pub fn complaint(&self, found: Option<&Config>, namespace: &str) -> Option<String> {
        let (kind, name, key) = (self.kind, &self.name, &self.key);
        let has_key = match found {
            Some(found) => found.keys.contains(key),
            None if kind == ConfigKind::ConfigMap && *name == *ROOT_CA => *key == *ROOT_CA_KEY,
            None => return Some(format!("{} \"{name}\" not found", kind.word())),
        };
        if key.is_empty() || has_key {
            return None;
        }
        Some(match (self.volume.is_empty(), kind) {
            (true, _) => {
                format!("couldn't find key {key} in {} {namespace}/{name}", kind.as_str())
            }
            (false, ConfigKind::Secret) => format!("references non-existent secret key: {key}"),
            (false, _) => format!("configmap references non-existent config key: {key}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_as_by_the_kubelet() {
        let config = |kind, keys: &[&str]| Config {
            kind,
            meta: Meta::default(),
            keys: keys.iter().map(|key| (*key).into()).collect(),
            secret_type: "Opaque".into(),
        };
        let secret = config(ConfigKind::Secret, &["user"]);
        let map = config(ConfigKind::ConfigMap, &[]);
        let of = |kind, name: &str, key: &str, volume: &str| ConfigRef {
            kind,
            name: name.into(),
            key: key.into(),
            volume: volume.into(),
            init: None,
            field: "".into(),
        };
        use ConfigKind::{ConfigMap, Secret};
        #[rustfmt::skip]
        let rows = [
            ("no Secret", of(Secret, "x", "", ""), None, Some("secret \"x\" not found")),
            ("no ConfigMap", of(ConfigMap, "x", "k", ""), None, Some("configmap \"x\" not found")),
            ("a Secret, whatever it holds", of(Secret, "x", "", ""), Some(&secret), None),
            ("a key that is there", of(Secret, "x", "user", ""), Some(&secret), None),
            ("one that is not", of(Secret, "x", "k", ""), Some(&secret), Some("couldn't find key k in Secret ns/x")),
            ("nor in a ConfigMap", of(ConfigMap, "x", "k", ""), Some(&map), Some("couldn't find key k in ConfigMap ns/x")),
            ("a volume's key", of(Secret, "x", "k", "v"), Some(&secret), Some("references non-existent secret key: k")),
            ("the cluster's own", of(ConfigMap, ROOT_CA, "ca.crt", "v"), None, None),
            ("has one key", of(ConfigMap, ROOT_CA, "ca.key", "v"), None, Some("configmap references non-existent config key: ca.key")),
        ];
        for (sentence, reference, found, expected) in rows {
            let said = reference.complaint(found, "ns");
            assert_eq!(said.as_deref(), expected, "{sentence}");
        }
    }
}
