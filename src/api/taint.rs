//! Taints of nodes and tolerations of pods.
//!
//! Source: component-helpers `scheduling/corev1/helpers.go`, api `core/v1/toleration.go`, v1.37.

use super::Text;
use crate::units::{SimDuration, SimTime};

/// `node.kubernetes.io/not-ready`: the kubelet reports Ready=False.
pub const NOT_READY: &str = "node.kubernetes.io/not-ready";
/// `node.kubernetes.io/unreachable`: the kubelet has fallen silent, Ready=Unknown.
pub const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
/// `node.kubernetes.io/unschedulable`: the node is cordoned.
pub const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";
/// `node.kubernetes.io/memory-pressure`: the kubelet reports MemoryPressure=True.
pub const MEMORY_PRESSURE: &str = "node.kubernetes.io/memory-pressure";
/// `node.kubernetes.io/disk-pressure`: the kubelet reports DiskPressure=True.
pub const DISK_PRESSURE: &str = "node.kubernetes.io/disk-pressure";
/// The Cluster Autoscaler's mark of a node that it is about to delete.
pub const TO_BE_DELETED: &str = "ToBeDeletedByClusterAutoscaler";

/// What a taint does to pods that do not tolerate it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TaintEffect {
    /// New pods are not placed here.
    NoSchedule,
    /// New pods are placed elsewhere if possible.
    PreferNoSchedule,
    /// New pods are not placed here and running ones are evicted.
    NoExecute,
}

/// A taint of a node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Taint {
    /// Taint key.
    pub key: Text,
    /// Taint value; may be empty.
    pub value: Text,
    /// Its effect.
    pub effect: TaintEffect,
    /// When a `NoExecute` taint was added (`timeAdded`).
    pub added: SimTime,
}

/// How a toleration compares a taint.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TolerationOperator {
    /// Key and value are equal.
    Equal,
    /// The key is equal (an empty key: any), whatever the value.
    Exists,
}

/// A toleration of a pod.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Toleration {
    /// Taint key; empty with `Exists` tolerates every key.
    pub key: Text,
    /// How key and value are compared.
    pub operator: TolerationOperator,
    /// Taint value for `Equal`.
    pub value: Text,
    /// The effect tolerated; `None`: all.
    pub effect: Option<TaintEffect>,
    /// How long a `NoExecute` taint is tolerated; `None`: for ever.
    pub seconds: Option<SimDuration>,
}

impl Toleration {
    /// Whether this tolerates `taint` (`ToleratesTaint`).
    pub fn tolerates(&self, taint: &Taint) -> bool {
        if self.effect.is_some_and(|effect| effect != taint.effect) {
            return false;
        }
        if !self.key.is_empty() && self.key != taint.key {
            return false;
        }
        match self.operator {
            TolerationOperator::Equal => self.value == taint.value,
            TolerationOperator::Exists => true,
        }
    }

    /// The toleration that the DefaultTolerationSeconds admission plugin adds: `key` with
    /// `NoExecute` for 300 s.
    pub fn default_seconds(key: &str) -> Toleration {
        Toleration {
            key: key.into(),
            operator: TolerationOperator::Exists,
            value: "".into(),
            effect: Some(TaintEffect::NoExecute),
            seconds: Some(SimDuration::from_secs(300)),
        }
    }

    /// One of every taint with this effect, for ever.
    pub fn of_all(effect: TaintEffect) -> Toleration {
        Toleration {
            key: "".into(),
            operator: TolerationOperator::Exists,
            value: "".into(),
            effect: Some(effect),
            seconds: None,
        }
    }
}

impl Taint {
    /// A taint with an empty value.
    pub fn new(key: &str, effect: TaintEffect, added: SimTime) -> Taint {
        Taint { key: key.into(), value: "".into(), effect, added }
    }

    /// Whether one of `tolerations` tolerates this taint.
    pub fn is_tolerated(&self, tolerations: &[Toleration]) -> bool {
        tolerations.iter().any(|t| t.tolerates(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tolerations_compare_as_upstream() {
        use TaintEffect::*;
        use TolerationOperator::*;
        let taint =
            Taint { value: "gpu".into(), ..Taint::new("dedicated", NoSchedule, SimTime::ZERO) };
        let row = |key: &str, operator, value: &str, effect| Toleration {
            key: key.into(),
            operator,
            value: value.into(),
            effect,
            seconds: None,
        };
        let rows = [
            ("equal key and value tolerate", row("dedicated", Equal, "gpu", None), true),
            ("another value does not", row("dedicated", Equal, "db", None), false),
            ("Exists needs no value", row("dedicated", Exists, "", None), true),
            ("Exists without a key tolerates everything", row("", Exists, "", None), true),
            (
                "another effect does not tolerate",
                row("dedicated", Exists, "", Some(NoExecute)),
                false,
            ),
            ("the same effect does", row("dedicated", Exists, "", Some(NoSchedule)), true),
        ];
        for (sentence, toleration, expected) in rows {
            assert_eq!(toleration.tolerates(&taint), expected, "{sentence}");
        }
    }
}
