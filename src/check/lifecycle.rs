//! Pods move only forwards: phases, binding, deletion; none appears or vanishes uncounted.

use super::Finding;
use crate::api::pod::PodPhase;
use crate::api::{NodeId, PodId};
use crate::store::Store;
use slotmap::SecondaryMap;

/// What was last seen of every pod.
#[derive(Debug, Default)]
pub(super) struct Lifecycle {
    seen: SecondaryMap<PodId, Seen>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    phase: PodPhase,
    node: Option<NodeId>,
    marked: bool,
}

impl Lifecycle {
    /// The first pod that moved as no pod may.
    pub(super) fn illegal_move(&mut self, store: &Store) -> Finding {
        let mut found = None;
        let mut indexed = 0;
        if self.seen.is_empty() {
            self.seen.set_capacity(store.pod_count());
        }
        for (id, pod) in store.pods() {
            let now = Seen { phase: pod.phase, node: pod.node, marked: pod.deletion.is_some() };
            if let Some(before) = self.seen.insert(id, now)
                && let Some(wrong) = wrong_move(before, now)
            {
                found = Some(("pods move only forwards", format!("{} {wrong}", pod.name())));
            }
            if pod.ready && (pod.node.is_none() || pod.phase != PodPhase::Running) {
                found = Some(("only running pods are Ready", format!("{} is not", pod.name())));
            }
            indexed +=
                usize::from(pod.owner.is_some_and(|owner| store.replica_set(owner).is_some()));
        }
        self.seen.retain(|id, _| store.pod(id).is_some());
        let owned: usize = store.replica_sets().map(|(id, _)| store.pods_of(id).len()).sum();
        if owned != indexed {
            found = Some((
                "every pod is counted once",
                format!("{indexed} pods, {owned} in their owners' lists"),
            ));
        }
        found
    }
}

/// Pods that are neither there nor written down as gone, or both.
pub(super) fn lost(store: &Store, gone: u64) -> Finding {
    let (created, live) = (store.next_pod_uid() - 1, store.pod_count() as u64);
    (created != live + gone).then(|| {
        let found = format!("{created} were created, {live} are there and {gone} are gone");
        ("pods are conserved", found)
    })
}

fn wrong_move(before: Seen, now: Seen) -> Option<&'static str> {
    if now.phase < before.phase && before.phase != PodPhase::Failed {
        return Some("went back to an earlier phase");
    }
    if before.phase.is_terminal() && now.phase != before.phase {
        return Some("left a terminal phase");
    }
    if before.node.is_some() && now.node != before.node {
        return Some("changed its node");
    }
    if before.marked && !now.marked {
        return Some("came back from deletion");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_are_judged() {
        let seen = |phase, marked| Seen { phase, node: None, marked };
        use PodPhase::*;
        let rows = [
            ("starting is fine", seen(Pending, false), seen(Running, false), true),
            ("ending is fine", seen(Running, false), seen(Failed, true), true),
            ("going back is not", seen(Running, false), seen(Pending, false), false),
            ("an ended pod stays ended", seen(Failed, false), seen(Succeeded, false), false),
            ("a deletion is final", seen(Running, true), seen(Running, false), false),
        ];
        for (sentence, before, now, fine) in rows {
            assert_eq!(wrong_move(before, now).is_none(), fine, "{sentence}");
        }
    }
}
