//! Which of several equally good nodes wins. It knows scores, not where they come from.
//!
//! Source: `framework/sorted_nodes.go`, v1.37; `selectHost` in `schedule_one.go`, v1.34.

use super::cycle::Core;
use crate::api::PodId;

/// Chooses among so many equally good nodes for a pod: gives the place of one, below the number.
pub type TieBreak = Box<dyn Fn(PodId, u64) -> u64 + Send>;

impl Core {
    /// Who draws among equally good nodes, in versions that do.
    pub fn set_tie_break(&mut self, draw: TieBreak) {
        self.tie_break = Some(draw);
    }

    /// Whose turn it is among `ties` equally good nodes, in the order of the search; `None` in
    /// versions where their places in a heap decide.
    pub(super) fn drawn(&self, pod: PodId, ties: impl FnOnce() -> usize) -> Option<usize> {
        if !self.version.draws_among_ties() {
            return None;
        }
        let (draw, ties) = (self.tie_break.as_ref(), ties());
        Some(draw.filter(|_| ties > 1).map_or(0, |draw| draw(pod, ties as u64) as usize))
    }

    /// The place of the winner among scored nodes.
    pub(super) fn winner(&self, pod: PodId, scores: &[i64]) -> usize {
        let best = || {
            let top = scores.iter().max();
            (0..scores.len()).filter(move |at| Some(&scores[*at]) == top)
        };
        match self.drawn(pod, || best().count()) {
            Some(drawn) => best().nth(drawn).unwrap_or(0),
            None => heap_root(scores),
        }
    }
}

/// The root that `container/heap.Init` makes of these scores: the first maximum in pre-order
/// (self, left, right) of the implicit binary heap. Upstream pops it as the winner.
pub(super) fn heap_root(scores: &[i64]) -> usize {
    let mut best = 0;
    for (i, score) in scores.iter().enumerate().skip(1) {
        if *score > scores[best] || (*score == scores[best] && is_before(i, best)) {
            best = i;
        }
    }
    best
}

/// Whether position `a` comes before `b` in pre-order of an implicit binary heap.
pub(super) fn is_before(a: usize, b: usize) -> bool {
    // Counted from one, a position's bits after the leading one are its path from the root.
    let (a, b) = (a + 1, b + 1);
    let (depth_a, depth_b) = (a.ilog2(), b.ilog2());
    if depth_a <= depth_b {
        let ancestor = b >> (depth_b - depth_a);
        ancestor == a || a < ancestor
    } else {
        (a >> (depth_a - depth_b)) < b
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Go's `container/heap` by the book.
    fn go_heap_root(scores: &[i64]) -> usize {
        let mut heap: Vec<usize> = (0..scores.len()).collect();
        let less = |a: usize, b: usize| scores[a] > scores[b];
        for start in (0..scores.len() / 2).rev() {
            let mut i = start;
            loop {
                let left = 2 * i + 1;
                if left >= heap.len() {
                    break;
                }
                let right = left + 1;
                let mut child = left;
                if right < heap.len() && less(heap[right], heap[left]) {
                    child = right;
                }
                if !less(heap[child], heap[i]) {
                    break;
                }
                heap.swap(i, child);
                i = child;
            }
        }
        heap[0]
    }

    proptest::proptest! {
        #[test]
        fn the_winner_is_the_root_of_gos_heap(scores in proptest::collection::vec(0i64..4, 1..80)) {
            proptest::prop_assert_eq!(heap_root(&scores), go_heap_root(&scores));
        }
    }
}
