//! A StatefulSet has one pod for an ordinal at most.

use super::Finding;
use crate::api::owner::Owner;
use crate::store::Store;
use std::collections::BTreeSet;

/// The first ordinal of a StatefulSet for which there are two pods.
pub(super) fn doubled(store: &Store) -> Finding {
    let sets = store.owners().filter_map(|(id, owner)| match owner {
        Owner::StatefulSet(set) => Some((id, set)),
        _ => None,
    });
    for (id, set) in sets {
        let mut seen = BTreeSet::new();
        for pod in store.pods_of(id).iter().filter_map(|pod| store.pod(*pod)) {
            let ordinal = set.ordinal_of(&pod.name());
            if ordinal.is_some_and(|ordinal| !seen.insert(ordinal)) {
                let found = format!("there are two pods {}", pod.name());
                return Some(("a StatefulSet has one pod for an ordinal", found));
            }
        }
    }
    None
}
