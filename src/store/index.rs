//! A list of pods in the order they came, with quick removal.

use crate::api::PodId;

/// Pods in order of arrival.
#[derive(Debug, Default)]
pub(super) struct PodIndex {
    ids: Vec<PodId>,
}

impl PodIndex {
    pub(super) fn ids(&self) -> &[PodId] {
        &self.ids
    }

    pub(super) fn into_ids(self) -> Vec<PodId> {
        self.ids
    }

    pub(super) fn push(&mut self, id: PodId) {
        if self.ids.len() == self.ids.capacity() {
            // Most lists are those of a node: doubling would leave much room unused.
            self.ids.reserve_exact(self.ids.len() / 2 + 1);
        }
        self.ids.push(id);
    }

    /// Removes `id`, keeping the order. Pods mostly go young (scale-down takes the newest) or old
    /// (rollouts take the first), so both ends are looked at first.
    pub(super) fn remove(&mut self, id: PodId) {
        let last = self.ids.len().saturating_sub(16);
        let at = self.ids[last..].iter().position(|x| *x == id).map(|at| last + at);
        if let Some(at) = at.or_else(|| self.ids.iter().position(|x| *x == id)) {
            self.ids.remove(at);
        }
    }
}
