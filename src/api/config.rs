//! Secrets, ConfigMaps and ServiceAccounts, and what pods ask of them.
//!
//! Of their content only the keys are kept: a pod starts when they are there, whatever they hold.
//! Plain data; it does not know when a kubelet looks.

use super::Text;
use super::meta::Meta;

/// A Secret, ConfigMap or ServiceAccount.
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
    /// A ServiceAccount.
    ServiceAccount,
}

impl ConfigKind {
    /// `kind`.
    pub fn as_str(self) -> &'static str {
        match self {
            ConfigKind::ConfigMap => "ConfigMap",
            ConfigKind::Secret => "Secret",
            ConfigKind::ServiceAccount => "ServiceAccount",
        }
    }

    /// The kind of this name.
    pub fn named(kind: &str) -> Option<ConfigKind> {
        [ConfigKind::ConfigMap, ConfigKind::Secret, ConfigKind::ServiceAccount]
            .into_iter()
            .find(|known| known.as_str() == kind)
    }

    /// As the kubelet names it in its messages.
    pub fn word(self) -> &'static str {
        match self {
            ConfigKind::ConfigMap => "configmap",
            ConfigKind::Secret => "secret",
            ConfigKind::ServiceAccount => "serviceaccount",
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
}

/// The ConfigMap with the cluster's certificate, which every namespace is given
/// (root-ca-cert-publisher).
pub const ROOT_CA: &str = "kube-root-ca.crt";

impl ConfigRef {
    /// What stands in the way, in the kubelet's words, when `found` is what there is; `None`:
    /// nothing does.
    pub fn complaint(&self, found: Option<&Config>, namespace: &str) -> Option<String> {
        if self.kind == ConfigKind::ConfigMap && self.name == *ROOT_CA {
            return None;
        }
        let (kind, name, key) = (self.kind, &self.name, &self.key);
        let Some(found) = found else {
            return Some(format!("{} \"{name}\" not found", kind.word()));
        };
        if key.is_empty() || found.keys.contains(key) {
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
        ];
        for (sentence, reference, found, expected) in rows {
            let said = reference.complaint(found, "ns");
            assert_eq!(said.as_deref(), expected, "{sentence}");
        }
    }
}
