//! No node is over-committed: the pods bound to it request at most what it offers. Where they share
//! its cores, they use no more than it has, either.
//!
//! What a pod requests is added up once for each specification: most pods share theirs.

use super::{Finding, View};
use crate::api::pod::PodSpec;
use crate::api::resources::Resources;
use crate::store::Store;
use crate::units::SimTime;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The first node that has more than it can hold.
pub(super) fn overcommitted(store: &Store) -> Finding {
    let mut requests: BTreeMap<*const PodSpec, Resources> = BTreeMap::new();
    for (id, node) in store.nodes() {
        let mut used = Resources::default();
        let mut count = 0;
        let pods = || store.pods_on(id).iter().filter_map(|pod| store.pod(*pod));
        // Where pods come past the scheduler, or grow behind its back, their kubelet has the last
        // word.
        let is_asked = pods().any(|pod| pod.spec.node_name.is_some() || pod.resize().is_some());
        for pod in pods() {
            let is_taken = !is_asked || pod.started != SimTime::NEVER;
            if is_taken && !pod.phase.is_terminal() {
                let of_spec = requests.entry(Arc::as_ptr(&pod.spec));
                used.add(of_spec.or_insert_with(|| pod.spec.requests()));
                count += 1;
            }
        }
        let has = &node.allocatable;
        if used.cpu > has.cpu || used.memory > has.memory || count > node.max_pods {
            let found = format!(
                "{} has {count} pods with {} mCPU and {} bytes, and offers {} pods, {} mCPU, {} bytes",
                node.name, used.cpu.0, used.memory.0, node.max_pods, has.cpu.0, has.memory.0
            );
            return Some(("no node is over-committed", found));
        }
    }
    None
}

/// Cores that rounding and searching may leave too many, for each pod.
const ROUNDING: f64 = 2e-6;

/// The first node whose pods use more cores than it has, where they share them.
pub(super) fn overused(view: &View<'_>) -> Finding {
    for (id, node) in view.store.nodes() {
        let pods = view.store.pods_on(id);
        let used: f64 = pods.iter().filter_map(|pod| (view.cores_of)(*pod)).sum();
        let has = node.allocatable.cpu.cores();
        if used > has + ROUNDING * pods.len() as f64 {
            let found = format!("pods of {} use {used} cores of {has}", node.name);
            return Some(("pods use no more cores than their node has", found));
        }
    }
    None
}
