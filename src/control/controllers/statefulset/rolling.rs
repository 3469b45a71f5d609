//! The rolling update: pods of another revision go, from the last ordinal down.

use super::Sync;
use super::members::Member;
use crate::api::workload::IntOrPercent;

impl<'a> Sync<'a> {
    /// Deletes pods of an older revision, so many that no more than `max_unavailable` are away
    /// (`updateStatefulSetAfterInvariantEstablished`).
    pub(super) fn roll(&mut self, partition: usize, max_unavailable: IntOrPercent) {
        let max = max_unavailable.of(self.set.replicas, false).max(1) as usize;
        let away = |place: &&Option<Member<'a>>| self.is_unavailable(place.as_ref());
        let unavailable = self.replicas.iter().filter(away).count();
        let budget = max.saturating_sub(unavailable);
        let partition = partition.min(self.replicas.len());
        let outdated = self.replicas[partition..].iter().rev().flatten();
        let outdated: Vec<Member<'a>> =
            outdated.filter(|m| self.is_outdated(m) && !m.is_terminating()).copied().collect();
        let victims: Vec<Member<'a>> = if self.set.is_parallel {
            // What is away already costs nothing and goes first.
            let (well, away): (Vec<_>, Vec<_>) =
                outdated.into_iter().partition(|member| self.is_available(member));
            away.into_iter().chain(well.into_iter().take(budget)).collect()
        } else {
            outdated.into_iter().take(budget).collect()
        };
        for victim in victims {
            let delete = self.delete(&victim);
            self.outcome.batches.push(delete);
            self.status.current = self.status.current.saturating_sub(1);
        }
    }

    fn is_outdated(&self, member: &Member<'_>) -> bool {
        member.revision() != &*self.revisions.update.name
    }
}
