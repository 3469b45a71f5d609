//! A list of pods in the order they came, with quick removal.

use crate::api::PodId;

/// Pods in order of arrival.
#[derive(Debug, Default)]
pub(super) struct PodIndex {
    /// The first of them are holes.
    ids: Vec<PodId>,
    /// How many.
    holes: u32,
    /// Where the last one was removed, holes counted.
    removed: u32,
}

/// So many places around a likely one are looked at before all others.
const NEAR: usize = 16;

impl PodIndex {
    pub(super) fn ids(&self) -> &[PodId] {
        &self.ids[self.holes as usize..]
    }

    pub(super) fn into_ids(mut self) -> Vec<PodId> {
        self.fill_holes();
        self.ids
    }

    pub(super) fn push(&mut self, id: PodId) {
        if self.ids.len() == self.ids.capacity() {
            self.fill_holes();
            // Most lists are those of a node: doubling would leave much room unused.
            self.ids.reserve_exact(self.ids.len() / 2 + 1);
        }
        self.ids.push(id);
    }

    /// Removes `id`, keeping the order.
    pub(super) fn remove(&mut self, id: PodId) {
        self.remove_by_age(id, |_| None);
    }

    /// Likewise; `is_older` says of another pod whether it was created before, if that is known.
    /// Lists of pods that came as they were created are in that order: so `id` is found soon.
    pub(super) fn remove_by_age(&mut self, id: PodId, is_older: impl Fn(PodId) -> Option<bool>) {
        let Some(at) = self.position(id, is_older) else { return };
        self.removed = at as u32;
        let holes = self.holes as usize;
        if at - holes < self.ids.len() - at {
            // Those before it are fewer: they move up.
            self.ids.copy_within(holes..at, holes + 1);
            self.holes += 1;
        } else {
            self.ids.remove(at);
        }
        if self.holes as usize > self.ids.len() / 2 {
            self.fill_holes();
        }
    }

    /// Pods mostly go young (scale-down takes the newest), old (rollouts take the first) or one
    /// after another: both ends and what follows the last one that went are looked at first.
    fn position(&self, id: PodId, is_older: impl Fn(PodId) -> Option<bool>) -> Option<usize> {
        let (start, end) = (self.holes as usize, self.ids.len());
        let within = |from: usize, to: usize| {
            let (from, to) = (from.clamp(start, end), to.clamp(start, end));
            self.ids[from..to].iter().position(|other| *other == id).map(|at| from + at)
        };
        let removed = self.removed as usize;
        within(end.saturating_sub(NEAR), end)
            .or_else(|| within(removed.saturating_sub(NEAR), removed + NEAR))
            .or_else(|| {
                let older = self.ids().partition_point(|other| is_older(*other) == Some(true));
                within(start + older, start + older + 1)
            })
            .or_else(|| within(start, end))
    }

    fn fill_holes(&mut self) {
        self.removed = self.removed.saturating_sub(self.holes);
        self.ids.drain(..self.holes as usize);
        self.holes = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use slotmap::SlotMap;

    proptest! {
        /// Against a plain list, whether ages are known, are not, or are told wrongly.
        #[test]
        fn order_of_arrival_is_kept(
            acts in prop::collection::vec((any::<bool>(), 0usize..200), 1..300),
            many in 0usize..100,
            ages in 0usize..3,
        ) {
            let mut keys: SlotMap<PodId, ()> = SlotMap::with_key();
            let (mut index, mut plain) = (PodIndex::default(), Vec::new());
            let mut came: Vec<PodId> = Vec::new();
            for _ in 0..many {
                let id = keys.insert(());
                index.push(id);
                plain.push(id);
                came.push(id);
            }
            for (comes, whom) in acts {
                if comes || plain.is_empty() {
                    let id = keys.insert(());
                    index.push(id);
                    plain.push(id);
                    came.push(id);
                } else {
                    let id = plain.remove(whom % plain.len());
                    let age = |id: PodId| came.iter().position(|other| *other == id);
                    let is_older = |other| match ages {
                        0 => None,
                        1 => Some(age(other) < age(id)),
                        _ => Some(age(other) > age(id)),
                    };
                    index.remove_by_age(id, is_older);
                    index.remove(id);
                }
                prop_assert_eq!(index.ids(), &plain[..]);
            }
            prop_assert_eq!(index.into_ids(), plain);
        }
    }
}
