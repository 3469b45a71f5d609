//! Revisions: the one that most pods have, the one that they are to have, and those before.

use super::Sync;
use super::request::Request;
use crate::api::OwnerId;
use crate::api::stateful_set::{Revision, StatefulSet, UpdateStrategy};
use crate::control::controllers::action::Outcome;

/// The two revisions that count.
#[derive(Debug)]
pub(super) struct Revisions {
    /// That of the status, or the other when there is none yet.
    pub(super) current: Revision,
    /// That of the template.
    pub(super) update: Revision,
}

/// Makes sure that the template is the newest revision (`getStatefulSetRevisions`).
pub(super) fn settle(id: OwnerId, set: &StatefulSet, outcome: &mut Outcome) -> Revisions {
    let number = set.revisions.last().map_or(1, |newest| newest.number + 1);
    let hash = &set.template.hash;
    let equal = set.revisions.iter().rfind(|revision| revision.template.hash == *hash);
    let update = match equal {
        Some(revision) if revision.number + 1 == number => revision.clone(),
        // An earlier template again: its revision becomes the newest.
        Some(revision) => Revision { number, ..revision.clone() },
        None => {
            let name = format!("{}-{hash}", set.meta.name).into();
            Revision { name, number, template: set.template.clone() }
        }
    };
    if equal != Some(&update) {
        outcome.then(Request::Revision { set: id, revision: update.clone() }.into());
    }
    let current = set.revision(&set.status.current_revision).unwrap_or(&update).clone();
    Revisions { current, update }
}

impl Sync<'_> {
    /// The revision of a new pod at a place (`newVersionedStatefulSetPod`).
    pub(super) fn revision_at(&self, place: usize) -> &Revision {
        match self.set.update {
            UpdateStrategy::RollingUpdate { partition, .. } if place < partition as usize => {
                &self.revisions.current
            }
            _ => &self.revisions.update,
        }
    }

    /// Deletes the oldest revisions that nobody has, above the limit (`truncateHistory`).
    pub(super) fn truncate_history(&mut self) {
        let is_live = |name: &str| {
            *name == *self.revisions.current.name
                || *name == *self.revisions.update.name
                || self.members().any(|member| member.revision() == name)
        };
        let revisions = self.set.revisions.iter();
        let history: Vec<&Revision> =
            revisions.filter(|revision| !is_live(&revision.name)).collect();
        let surplus = history.len().saturating_sub(self.set.revision_history_limit as usize);
        for revision in &history[..surplus] {
            self.ask(Request::ForgetRevision { set: self.id, name: revision.name.clone() });
        }
    }
}
