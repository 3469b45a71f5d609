//! Pods move only forwards: phases, binding, deletion; none appears or vanishes uncounted.

use super::Finding;
use crate::api::pod::{Pod, PodPhase};
use crate::api::{NodeId, PodId};
use crate::store::Store;
use slotmap::{Key, SecondaryMap};

/// What was last seen of every pod.
#[derive(Debug, Default)]
pub(super) struct Lifecycle {
    seen: SecondaryMap<PodId, Seen>,
}

/// A pod in four bytes, since a look keeps one for each: its phase, whether it is marked for
/// deletion, and a fingerprint of its node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Seen(u32);

impl Seen {
    fn new(phase: PodPhase, node: Option<NodeId>, marked: bool) -> Seen {
        // A slot's number and the low bits of how often it was used anew: two nodes with one
        // fingerprint need 32 nodes that follow each other in one slot between two looks.
        let node = node.map_or(0, |node| {
            let key = node.data().as_ffi();
            (key as u32) << 5 | (key >> 33) as u32 & 31
        });
        Seen(node << 3 | u32::from(marked) << 2 | phase as u32)
    }

    fn of(pod: &Pod) -> Seen {
        Seen::new(pod.phase, pod.node, pod.deletion.is_some())
    }

    fn phase(self) -> PodPhase {
        use PodPhase::{Failed, Pending, Running, Succeeded};
        [Pending, Running, Succeeded, Failed][self.0 as usize & 3]
    }

    fn is_marked(self) -> bool {
        self.0 & 4 != 0
    }

    /// The fingerprint of its node; 0: none.
    fn node(self) -> u32 {
        self.0 >> 3
    }
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
            let now = Seen::of(pod);
            // A mirror of a static pod that is made anew is another pod in the same place.
            let is_other =
                |before: Seen| pod.spec.is_mirror && before.is_marked() && pod.deletion.is_none();
            if let Some(before) = self.seen.insert(id, now)
                && !is_other(before)
                && let Some(wrong) = wrong_move(before, now)
            {
                found = Some(("pods move only forwards", format!("{} {wrong}", pod.name())));
            }
            if pod.ready && (pod.node.is_none() || pod.phase != PodPhase::Running) {
                found = Some(("only running pods are Ready", format!("{} is not", pod.name())));
            }
            indexed += usize::from(pod.owner.is_some_and(|owner| store.owner(owner).is_some()));
        }
        self.seen.retain(|id, _| store.pod(id).is_some());
        let owned: usize = store.owners().map(|(id, _)| store.pods_of(id).len()).sum();
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
    if now.phase() < before.phase() && before.phase() != PodPhase::Failed {
        return Some("went back to an earlier phase");
    }
    if before.phase().is_terminal() && now.phase() != before.phase() {
        return Some("left a terminal phase");
    }
    if before.node() != 0 && now.node() != before.node() {
        return Some("changed its node");
    }
    if before.is_marked() && !now.is_marked() {
        return Some("came back from deletion");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_are_judged() {
        use PodPhase::*;
        let mut nodes = slotmap::SlotMap::<NodeId, ()>::with_key();
        let (first, other) = (nodes.insert(()), nodes.insert(()));
        nodes.remove(other);
        let (a, b, after_b) = (Some(first), Some(other), Some(nodes.insert(())));
        let seen = Seen::new;
        let rows = [
            ("starting is fine", seen(Pending, a, false), seen(Running, a, false), true),
            ("binding is fine", seen(Pending, None, false), seen(Pending, b, false), true),
            ("ending is fine", seen(Running, a, false), seen(Failed, a, true), true),
            ("going back is not", seen(Running, a, false), seen(Pending, a, false), false),
            ("an ended pod stays ended", seen(Failed, a, false), seen(Succeeded, a, false), false),
            ("a deletion is final", seen(Running, a, true), seen(Running, a, false), false),
            ("a node is for life", seen(Running, a, false), seen(Running, b, false), false),
            ("and stays one", seen(Running, b, false), seen(Running, None, false), false),
            (
                "another in its slot is another",
                seen(Pending, b, true),
                seen(Pending, after_b, true),
                false,
            ),
        ];
        for (sentence, before, now, fine) in rows {
            assert_eq!(wrong_move(before, now).is_none(), fine, "{sentence}");
            let (phase, marked) = (before.phase(), before.is_marked());
            assert_eq!(before.0 & 7, u32::from(marked) << 2 | phase as u32, "{sentence}");
        }
    }
}
