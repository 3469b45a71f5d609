//! How many volumes of pods on nodes name each claim: whether a claim that only one pod may use is
//! in use.
//!
//! Source: `backend/cache/cache.go` `pvcRefCountsDelta`, `snapshot.go` `usedPVCRefCounts`, v1.37.
//! Upstream counts changes since the last snapshot and adds them up when it takes the next, or
//! counts anew when its list of nodes is rebuilt. A node that goes and returns between two
//! snapshots makes a difference: its pods' claims then count as unused.

use super::node_info::NodeInfo;
use super::pod_info::PodInfo;
use crate::api::ObjectName;
use crate::api::volume::VolumeSource;
use std::collections::BTreeMap;

/// Uses of claims, as of the last snapshot, and changes since.
#[derive(Default)]
pub struct ClaimUses {
    counts: BTreeMap<ObjectName, i64>,
    changes: BTreeMap<ObjectName, i64>,
    /// A pod that names a claim has been on a node: until then there is nothing to count.
    any: bool,
}

/// No uses at all.
pub static NO_USES: ClaimUses =
    ClaimUses { counts: BTreeMap::new(), changes: BTreeMap::new(), any: false };

impl ClaimUses {
    /// Whether any volume of a pod on a node names the claim.
    pub fn is_used(&self, claim: &ObjectName) -> bool {
        self.counts.contains_key(claim)
    }

    /// Whether there has been anything to count.
    pub(super) fn has_any(&self) -> bool {
        self.any
    }

    /// A pod was put on a node (`by` 1) or taken from it (-1).
    pub(super) fn change(&mut self, pod: &PodInfo, by: i64) {
        for claim in claims(pod) {
            self.any = true;
            *self.changes.entry(claim).or_default() += by;
        }
    }

    /// Adds up what has changed; false: a count would fall below zero, all must be counted anew.
    pub(super) fn follow(&mut self) -> bool {
        while let Some((claim, change)) = self.changes.pop_first() {
            let count = self.counts.get(&claim).copied().unwrap_or(0) + change;
            match count {
                1.. => self.counts.insert(claim, count),
                _ => self.counts.remove(&claim),
            };
            if count < 0 {
                return false;
            }
        }
        true
    }

    /// Counts all pods on these nodes anew.
    pub(super) fn recount<'a>(&mut self, nodes: impl Iterator<Item = &'a NodeInfo>) {
        self.changes.clear();
        self.counts.clear();
        for claim in nodes.flat_map(|node| &node.pods).flat_map(claims) {
            *self.counts.entry(claim).or_default() += 1;
        }
    }
}

/// The claims that a pod's volumes name (`PodPVCKeys`).
fn claims(pod: &PodInfo) -> impl Iterator<Item = ObjectName> {
    pod.spec.volumes.iter().filter_map(|volume| match &volume.source {
        VolumeSource::Claim { name, .. } => {
            Some(ObjectName { namespace: pod.namespace.clone(), name: name.clone() })
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::cache::Cache;
    use super::super::testing::{Stage, claim_volumes, node};
    use super::*;
    use crate::api::NodeId;
    use slotmap::SlotMap;
    use std::sync::Arc;

    #[test]
    fn uses_follow_the_snapshot() {
        let mut ids: SlotMap<NodeId, ()> = SlotMap::with_key();
        let (a, b) = (ids.insert(()), ids.insert(()));
        let mut stage = Stage::new([]);
        let (pod, twin) =
            (stage.pod("p", claim_volumes(&["data"])), stage.pod("q", claim_volumes(&["data"])));
        let claim = ObjectName::new("default", "data");
        let mut cache = Cache::default();
        let used = |cache: &mut Cache, sentence: &str, expected: bool| {
            cache.update_snapshot();
            assert_eq!(cache.claim_uses().is_used(&claim), expected, "{sentence}");
        };
        cache.add_node(a, Arc::new(node("a")));
        cache.add_node(b, Arc::new(node("b")));
        let at_a = cache.index_of(a).unwrap();
        cache.add_pod(pod.clone(), at_a, true);
        assert!(!cache.claim_uses().is_used(&claim), "not before the snapshot");
        used(&mut cache, "a pod uses it", true);
        cache.add_pod(twin.clone(), cache.index_of(b).unwrap(), false);
        cache.remove_pod(pod.id);
        used(&mut cache, "another one still does", true);
        cache.remove_node(b);
        used(&mut cache, "pods of a node that is gone do not count", false);
        cache.add_node(b, Arc::new(node("b")));
        used(&mut cache, "when it is back they do", true);
        cache.remove_node(b);
        cache.add_node(b, Arc::new(node("b")));
        used(&mut cache, "unless it went and came back unseen", false);
        cache.remove_pod(twin.id);
        used(&mut cache, "a count below zero is counted anew", false);
        cache.add_pod(pod, at_a, false);
        used(&mut cache, "and is right again", true);
    }
}
