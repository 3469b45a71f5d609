//! How long a failed pod is left alone before it is deleted, so that a kubelet which refuses a pod
//! is not asked again and again.
//!
//! Source: client-go `util/flowcontrol/backoff.go`, v1.37; kube-controller-manager starts it with
//! 1 s and 15 min.

use crate::api::{OwnerId, Text};
use crate::units::{SimDuration, SimTime};
use std::collections::BTreeMap;

/// The first wait.
const FIRST: SimDuration = SimDuration::from_secs(1);
/// The longest.
const MOST: SimDuration = SimDuration::from_secs(15 * 60);

/// A set, the generation that it has observed, and a node's name (`failedPodsBackoffKey`).
type Key = (OwnerId, u64, Text);

/// All entries.
#[derive(Clone, Debug, Default)]
pub(super) struct BackOffs(BTreeMap<Key, Entry>);

#[derive(Clone, Copy, Debug)]
struct Entry {
    wait: SimDuration,
    raised: SimTime,
}

impl Entry {
    /// An entry that has not been raised for twice the longest wait begins anew.
    fn has_expired(&self, now: SimTime) -> bool {
        now.since(self.raised) > MOST * 2
    }
}

impl BackOffs {
    /// `None`: a failed pod may be deleted now, and the next one waits longer; else for how long
    /// it is left alone.
    pub(super) fn wait(
        &mut self,
        set: OwnerId,
        generation: u64,
        node: &Text,
        now: SimTime,
    ) -> Option<SimDuration> {
        let key = (set, generation, node.clone());
        let entry = self.0.get(&key).filter(|entry| !entry.has_expired(now)).copied();
        if let Some(entry) = entry.filter(|entry| now.since(entry.raised) < entry.wait) {
            return Some(entry.wait);
        }
        let wait = entry.map_or(FIRST, |entry| (entry.wait * 2).min(MOST));
        self.0.insert(key, Entry { wait, raised: now });
        None
    }

    /// A set is gone.
    pub(super) fn forget(&mut self, set: OwnerId) {
        self.0.retain(|(of, ..), _| *of != set);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failed_pods_wait_longer_each_time() {
        let mut back_offs = BackOffs::default();
        let set = OwnerId::default();
        let (n, other): (Text, Text) = ("n".into(), "m".into());
        let rows = [
            ("the first is deleted at once", 100_000, &n, 1, None),
            ("a second right after it waits", 100_500, &n, 1, Some(1)),
            ("on another node none has failed", 100_500, &other, 1, None),
            ("nor of a new generation", 100_500, &n, 2, None),
            ("after the wait it is deleted", 101_000, &n, 1, None),
            ("and the next waits twice as long", 101_001, &n, 1, Some(2)),
            ("an hour of peace forgives", 5_000_000, &n, 1, None),
            ("all of it", 5_000_500, &n, 1, Some(1)),
        ];
        for (sentence, millis, node, generation, expected) in rows {
            let now = SimTime(millis * 1_000_000);
            let wait = back_offs.wait(set, generation, node, now);
            assert_eq!(wait, expected.map(SimDuration::from_secs), "{sentence}");
        }
        back_offs.forget(set);
        assert!(back_offs.0.is_empty());
    }
}
