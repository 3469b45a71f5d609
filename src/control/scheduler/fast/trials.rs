//! What came of trying nodes for preemption, for one kind of pod: the harm that would be done on
//! each, or why it is no help.
//!
//! A node is tried when a search for candidates first comes to it, and the outcome holds until the
//! node's record, the nominations to it or a budget that had a say are touched. Of the nodes that
//! come into question, in the order of the search from the drawn offset on, the plugin looks at
//! just so many that there are enough candidates; here those are counted word by word, and of each
//! word the least harm is kept. Victims are not: they are found anew on the node that is taken. It
//! knows neither how records change nor what a trial is.

use super::bits::{Bits, circular_words, positions};
use crate::control::scheduler::dry_run::{BudgetSet, Candidate, DryRuns, Harm, Tried};
use crate::control::scheduler::framework::{Code, NodeIndex, Status};
use crate::control::scheduler::handle::Handle;
use crate::control::scheduler::objects::{Objects, Versions};
use crate::control::scheduler::pod_info::PodInfo;
use std::sync::Arc;

/// Outcomes by position in the search order.
pub struct Trials {
    order: Arc<[NodeIndex]>,
    /// Positions whose outcomes hold.
    known: Bits,
    /// Of those, the candidates.
    candidates: Bits,
    /// Of those, the ones that violate no budget.
    harmless: Bits,
    /// What came of each, with the budgets that had a say.
    outcomes: Vec<(Outcome, BudgetSet)>,
    /// By word: the least harm among its candidates; `None`: look.
    least: Vec<Option<Harm>>,
    /// All different words against nodes so far.
    said: Vec<Status>,
    /// The budgets that were heeded.
    budgets: Versions,
}

/// What came of a node.
#[derive(Clone, Copy)]
enum Outcome {
    /// It is a candidate.
    Harm(Harm),
    /// It is none, in these words: a place in `said`.
    Said(u32),
}

/// A stretch of the search that has been looked at.
#[derive(Default)]
struct Stretch {
    /// How many positions were looked at.
    looked_at: usize,
    candidates: usize,
    harmless: usize,
    /// The least harm, with the first position where it is done.
    best: Option<(Harm, usize)>,
}

impl Trials {
    /// Of nodes in this order nothing is known.
    pub fn new(order: &Arc<[NodeIndex]>) -> Trials {
        let none = || Bits::new(order.len());
        let nothing = (Outcome::Said(0), BudgetSet::default());
        Trials {
            order: Arc::clone(order),
            known: none(),
            candidates: none(),
            harmless: none(),
            outcomes: vec![nothing; order.len()],
            least: vec![None; order.len().div_ceil(64)],
            said: Vec::new(),
            budgets: Versions::default(),
        }
    }

    /// Follows the search order: outcomes of nodes that stay hold.
    pub fn follow(&mut self, order: &Arc<[NodeIndex]>) {
        if Arc::ptr_eq(order, &self.order) {
            return;
        }
        let before = std::mem::replace(self, Trials::new(order));
        let records = order.iter().chain(before.order.iter()).map(|n| n.0 + 1).max().unwrap_or(0);
        let mut places = vec![None; records as usize];
        for position in before.known.iter() {
            places[before.order[position].0 as usize] = Some(position);
        }
        for (position, node) in order.iter().enumerate() {
            let Some(place) = places[node.0 as usize] else { continue };
            self.known.set(position, true);
            self.candidates.set(position, before.candidates.has(place));
            self.harmless.set(position, before.harmless.has(place));
            self.outcomes[position] = before.outcomes[place];
        }
        (self.said, self.budgets) = (before.said, before.budgets);
    }

    /// The record at a position, or the nominations to its node, were touched.
    pub fn forget(&mut self, position: usize) {
        self.known.set(position, false);
        self.candidates.set(position, false);
        self.harmless.set(position, false);
        self.least[position / 64] = None;
    }

    /// Takes notice of budgets that have changed.
    fn heed(&mut self, objects: &Objects) {
        let (before, now) = (self.budgets, objects.versions);
        if before.budgets == now.budgets {
            return;
        }
        let mut changed = BudgetSet::default();
        if before.budget_rules == now.budget_rules {
            let newer = objects.budgets.iter().filter(|(_, b)| b.version > before.budgets);
            newer.for_each(|(id, _)| changed.insert(*id));
        } else {
            changed = BudgetSet::ALL;
        }
        let is_touched =
            |p: &usize| changed == BudgetSet::ALL || self.outcomes[*p].1.meets(changed);
        let touched: Vec<usize> = self.known.iter().filter(is_touched).collect();
        touched.into_iter().for_each(|position| self.forget(position));
        self.budgets = now;
    }

    /// Tries the positions of `potential` as the plugin would by itself; `trials` counts what is
    /// not known from before.
    pub fn run(
        &mut self,
        plugin: &dyn DryRuns,
        handle: &Handle<'_>,
        pod: &PodInfo,
        potential: &Bits,
        trials: &mut u64,
    ) -> Tried {
        self.heed(handle.context().objects);
        let count = potential.len();
        let (enough, offset) = (plugin.enough(count), handle.preemption_offset(count));
        let nodes = self.order.len();
        let first = nth_from(potential, nodes, handle.core().next_start() % nodes, offset);
        let mut seen = Stretch::default();
        for (word, mask) in circular_words(nodes, first) {
            let bits = potential.word(word) & mask;
            for position in positions(word, bits & !self.known.word(word)) {
                let outcome = plugin.try_node(handle, pod, self.order[position]);
                self.keep(position, outcome);
                *trials += 1;
            }
            if self.look_at(word, bits, enough, &mut seen) {
                break;
            }
        }
        let best = seen.best.and_then(|(harm, position)| {
            let best = plugin.try_node(handle, pod, self.order[position]).ok();
            debug_assert!(best.as_ref().is_some_and(|best| best.harm() == harm));
            best
        });
        let mut said = plugin.nothing_said();
        if best.is_none() {
            said.counted = self.counted(potential);
        }
        Tried { best, said, dry_runs: seen.looked_at }
    }

    fn keep(&mut self, position: usize, outcome: Result<Candidate, Status>) {
        let budgets = match &outcome {
            Ok(candidate) => candidate.budgets,
            // Whose say an error was is not told.
            Err(status) if status.code == Code::Error => BudgetSet::ALL,
            Err(_) => BudgetSet::default(),
        };
        self.known.set(position, true);
        self.candidates.set(position, outcome.is_ok());
        let is_harmless = |c: &Candidate| c.violations == 0;
        self.harmless.set(position, outcome.as_ref().is_ok_and(is_harmless));
        self.least[position / 64] = None;
        let outcome = match outcome {
            Ok(candidate) => Outcome::Harm(candidate.harm()),
            Err(status) => Outcome::Said(self.number(status)),
        };
        self.outcomes[position] = (outcome, budgets);
    }

    /// The number of a node's words, a new one if they are new.
    fn number(&mut self, status: Status) -> u32 {
        let known = self.said.iter().position(|said| *said == status);
        known.unwrap_or_else(|| {
            self.said.push(status);
            self.said.len() - 1
        }) as u32
    }

    /// Looks at the next positions of the search, a part of a word; true: the search ends there.
    fn look_at(&mut self, word: usize, mut bits: u64, enough: usize, seen: &mut Stretch) -> bool {
        let (candidates, harmless) = (self.candidates.word(word), self.harmless.word(word));
        let size = |bits: u64| bits.count_ones() as usize;
        let suffices = |seen: &Stretch, bits: u64| {
            let harmless = seen.harmless + size(harmless & bits);
            harmless > 0 && seen.candidates + size(candidates & bits) >= enough
        };
        let ends = suffices(seen, bits);
        if ends {
            let up_to = |p: &usize| bits & (u64::MAX >> (63 - p % 64));
            let last = positions(word, candidates & bits).find(|p| suffices(seen, up_to(p)));
            bits = last.map_or(bits, |last| up_to(&last));
        }
        seen.looked_at += size(bits);
        seen.candidates += size(candidates & bits);
        seen.harmless += size(harmless & bits);
        if let Some(least) = self.least_of(word, candidates & bits)
            && seen.best.is_none_or(|(best, _)| least < best)
        {
            let does_it = |p: &usize| matches!(self.outcomes[*p].0, Outcome::Harm(h) if h == least);
            let first = positions(word, candidates & bits).find(does_it);
            seen.best = first.map(|first| (least, first));
        }
        ends
    }

    /// The least harm among some candidates of a word.
    fn least_of(&mut self, word: usize, bits: u64) -> Option<Harm> {
        let harm = |position: usize| match self.outcomes[position].0 {
            Outcome::Harm(harm) => Some(harm),
            Outcome::Said(_) => None,
        };
        if bits != self.candidates.word(word) || bits == 0 {
            return positions(word, bits).filter_map(harm).min();
        }
        if self.least[word].is_none() {
            self.least[word] = positions(word, bits).filter_map(harm).min();
        }
        self.least[word]
    }

    /// The words against these positions, counted; after a search that found no candidate.
    fn counted(&self, potential: &Bits) -> Vec<(Status, usize)> {
        let mut counts = vec![0; self.said.len()];
        for position in potential.iter() {
            if let Outcome::Said(said) = self.outcomes[position].0 {
                counts[said as usize] += 1;
            }
        }
        let counted = self.said.iter().cloned().zip(counts);
        counted.filter(|(_, count)| *count > 0).collect()
    }
}

/// The `n`-th position of a set of positions below `length`, from nought, counted from `start` and
/// round; `start` when there is none.
fn nth_from(set: &Bits, length: usize, start: usize, mut n: usize) -> usize {
    for (word, mask) in circular_words(length, start) {
        let bits = set.word(word) & mask;
        let size = bits.count_ones() as usize;
        if n < size {
            return positions(word, bits).nth(n).unwrap_or(start);
        }
        n -= size;
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn the_nth_is_counted_from_the_start_and_round(
            nodes in proptest::collection::vec(proptest::bool::ANY, 1..300),
            start in 0usize..300,
            n in 0usize..300,
        ) {
            let start = start % nodes.len();
            let mut set = Bits::new(nodes.len());
            nodes.iter().enumerate().for_each(|(position, is_in)| set.set(position, *is_in));
            let order = (start..nodes.len()).chain(0..start);
            let expected = order.filter(|position| nodes[*position]).nth(n).unwrap_or(start);
            proptest::prop_assert_eq!(nth_from(&set, nodes.len(), start, n), expected);
        }
    }
}
