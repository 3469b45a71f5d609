//! Other objects that plugins read: what upstream's plugins get from listers.
//!
//! They are told by name and do not change during a cycle. This file knows nothing of plugins.

use crate::api::labels::{Labels, Selector};
use crate::api::{ObjectName, PdbId, ReplicaSetId, Text};
use std::collections::BTreeMap;

/// Namespaces, services, owners' selectors and disruption budgets.
#[derive(Default)]
pub struct Objects {
    /// Labels of namespaces, for namespace selectors of pod affinity.
    pub namespaces: BTreeMap<Text, Labels>,
    /// Selectors of services that have one, for the default topology spread constraints.
    pub services: BTreeMap<ObjectName, Selector>,
    /// Selectors of ReplicaSets, likewise.
    pub replica_sets: BTreeMap<ReplicaSetId, Selector>,
    /// Disruption budgets, for preemption, in the order of their keys.
    pub budgets: BTreeMap<PdbId, Budget>,
}

/// A disruption budget, as far as preemption heeds it.
#[derive(Clone, Debug)]
pub struct Budget {
    /// `metadata.namespace`.
    pub namespace: Text,
    /// `spec.selector`.
    pub selector: Selector,
    /// `status.disruptionsAllowed`.
    pub disruptions_allowed: i64,
    /// Names in `status.disruptedPods`: their disruption is in the budget's numbers already.
    pub disrupted_pods: Vec<Text>,
}
