//! The feasible nodes that a search has found, word by word, and the best of them. It knows
//! positions and scores, not where they come from.

use super::bits::positions;
use crate::control::scheduler::ties::is_before;

/// A stretch of the search order with its feasible positions.
#[derive(Default)]
pub struct Window {
    parts: Vec<Part>,
    /// Feasible positions so far.
    feasible: usize,
    /// By part: its highest score.
    heights: Vec<i64>,
}

/// The feasible positions of one word.
struct Part {
    word: usize,
    bits: u64,
    /// How many feasible positions there are before it.
    before: usize,
}

impl Window {
    /// Starts anew.
    pub fn clear(&mut self) {
        self.parts.clear();
        self.feasible = 0;
    }

    /// Adds the feasible positions of the next word, but no more than make `wanted` in all; gives
    /// the position that is one too many.
    pub fn add(&mut self, word: usize, mut bits: u64, wanted: usize) -> Option<usize> {
        let room = wanted - self.feasible;
        let mut surplus = None;
        if bits.count_ones() as usize > room {
            surplus = positions(word, bits).nth(room);
            bits &= surplus.map_or(u64::MAX, |position| (1 << (position % 64)) - 1);
        }
        if bits != 0 {
            self.parts.push(Part { word, bits, before: self.feasible });
            self.feasible += bits.count_ones() as usize;
        }
        surplus
    }

    /// How many positions are feasible.
    pub fn len(&self) -> usize {
        self.feasible
    }

    /// The feasible positions in the order of the search.
    pub fn positions(&self) -> impl Iterator<Item = usize> + '_ {
        self.parts.iter().flat_map(|part| positions(part.word, part.bits))
    }

    /// The position with the highest score; of equal ones the one that upstream's heap has at its
    /// root, as in `heap_root`. `scores` are by position, `height` gives the highest score among
    /// some positions of a word.
    ///
    /// Of equal ranks on one level of the heap the first comes first in pre-order, so one of each
    /// level is compared.
    pub fn best(
        &mut self,
        scores: &[i64],
        mut height: impl FnMut(usize, u64) -> i64,
    ) -> Option<usize> {
        self.heights.clear();
        self.heights.extend(self.parts.iter().map(|part| height(part.word, part.bits)));
        let top = *self.heights.iter().max()?;
        let (mut best, mut from): (Option<(usize, usize)>, usize) = (None, 0);
        for (part, _) in self.parts.iter().zip(&self.heights).filter(|(_, h)| **h == top) {
            if part.before + (part.bits.count_ones() as usize) <= from {
                continue;
            }
            for (rank, position) in (part.before..).zip(positions(part.word, part.bits)) {
                if rank < from || scores[position] != top {
                    continue;
                }
                if best.is_none_or(|(before, _)| is_before(rank, before)) {
                    best = Some((rank, position));
                }
                // Ranks count from nought: the next level begins one before a power of two.
                from = (rank + 2).next_power_of_two() - 1;
            }
        }
        best.map(|(_, position)| position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::scheduler::fast::bits::circular_words;
    use crate::control::scheduler::ties::heap_root;

    proptest::proptest! {
        #[test]
        fn the_window_is_the_first_feasible_positions_and_its_best_the_root_of_the_heap(
            nodes in proptest::collection::vec((0u8..4, 0i64..3), 1..700),
            start in 0usize..700,
            wanted in 1usize..700,
        ) {
            let start = start % nodes.len();
            let fits = |position: &usize| nodes[*position].0 > 0;
            let in_order: Vec<usize> = (start..nodes.len()).chain(0..start).filter(fits).collect();
            let scores: Vec<i64> = nodes.iter().map(|n| n.1).collect();

            let (mut window, mut surplus) = (Window::default(), None);
            for (word, mask) in circular_words(nodes.len(), start) {
                let bits = positions(word, mask).filter(fits).fold(0, |b, p| b | 1 << (p % 64));
                surplus = window.add(word, bits, wanted);
                if surplus.is_some() {
                    break;
                }
            }
            let height = |word, bits| positions(word, bits).map(|p| scores[p]).max().unwrap_or(-1);
            let best = window.best(&scores, height);

            let expected = &in_order[..wanted.min(in_order.len())];
            let of_them: Vec<i64> = expected.iter().map(|p| scores[*p]).collect();
            let root = (!expected.is_empty()).then(|| expected[heap_root(&of_them)]);
            proptest::prop_assert_eq!(window.positions().collect::<Vec<_>>(), expected);
            proptest::prop_assert_eq!(window.len(), expected.len());
            proptest::prop_assert_eq!(surplus, in_order.get(wanted).copied());
            proptest::prop_assert_eq!(best, root);
        }
    }
}
