//! ControllerRevisions: the present template has the highest number, and old ones without pods are
//! dropped beyond `revisionHistoryLimit`.
//!
//! A template that comes back gets its revision back, with a new number. Two templates never have
//! the same hash here, so there are no collisions to resolve.

use super::super::action::Action;
use super::Sync;
use super::template::HASH_LABEL;
use crate::api::daemon_set::Revision;

impl Sync<'_> {
    /// The revision of the present template is made, or becomes the newest (`constructHistory`).
    pub(super) fn keep_revision(&mut self) {
        let hash = &self.set.template.hash;
        let old = self.set.revisions.iter().filter(|revision| revision.hash != *hash);
        let number = old.map(|revision| revision.number).max().unwrap_or(0) + 1;
        let present = self.set.revisions.iter().find(|revision| revision.hash == *hash);
        if present.is_none_or(|present| present.number < number) {
            let revision = Revision { hash: hash.clone(), number };
            self.outcome.then(Action::DaemonSetRevision { set: self.id, revision });
        }
    }

    /// Drops the oldest revisions that nothing needs (`cleanupHistory`).
    pub(super) fn drop_revisions(&mut self) {
        let hash = &self.set.template.hash;
        let old = self.set.revisions.iter().filter(|revision| revision.hash != *hash);
        let mut old: Vec<&Revision> = old.collect();
        let surplus = old.len().saturating_sub(self.set.revision_history_limit as usize);
        if surplus == 0 {
            return;
        }
        let pods = self.store.pods_of(self.id).iter().filter_map(|pod| self.store.pod(*pod));
        let hashes = pods.filter_map(|pod| pod.labels.get(HASH_LABEL));
        let mut alive: Vec<&str> = hashes.map(|hash| &**hash).collect();
        alive.sort_unstable();
        alive.dedup();
        old.sort_by_key(|revision| revision.number);
        old.retain(|revision| alive.binary_search(&&*revision.hash).is_err());
        for revision in old.into_iter().take(surplus) {
            let hash = revision.hash.clone();
            self.outcome.then(Action::DropDaemonSetRevision { set: self.id, hash });
        }
    }
}
