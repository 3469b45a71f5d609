//! A search over the nodes from the rotating start, as `cycle.rs` does it, on what is known of a
//! kind. It knows tables and tallies, not how they come about.

use super::bits::{circular_words, positions};
use super::kind::Known;
use super::table::Question;
use super::window::Window;
use crate::control::scheduler::diagnosis::{Diagnosis, Rejection};
use crate::control::scheduler::framework::{NodeIndex, PluginId, Status};
use crate::control::scheduler::topologies::Topologies;

/// A search for one pod.
pub struct Walk<'a> {
    question: Question<'a>,
    topologies: &'a Topologies,
}

impl<'a> Walk<'a> {
    /// Prepares the search.
    pub fn new(question: Question<'a>, topologies: &'a Topologies) -> Walk<'a> {
        Walk { question, topologies }
    }

    fn words(&self) -> impl Iterator<Item = (usize, u64)> {
        let nodes = self.question.cx.nodes.len();
        circular_words(nodes, self.question.core.next_start() % nodes)
    }

    /// Puts the feasible positions into `window`, as many as are wanted; gives how many nodes were
    /// looked at. The search ends at the feasible node that is one too many.
    pub fn run(&self, known: &mut Known, window: &mut Window) -> usize {
        let Question { core, profile, cx, .. } = self.question;
        let nodes = cx.nodes.len();
        let wanted = core.num_feasible_nodes_to_find(profile, nodes);
        window.clear();
        for (word, mask) in self.words() {
            let fits = self.fitting(known, word, mask);
            if let Some(surplus) = window.add(word, fits, wanted) {
                let start = core.next_start() % nodes;
                return (surplus + nodes - start) % nodes;
            }
        }
        nodes
    }

    /// The positions of a word, out of `mask`, where the pod fits.
    fn fitting(&self, known: &mut Known, word: usize, mask: u64) -> u64 {
        let mut fits = known.table.fitting(word, mask, &self.question);
        let settled = fits & known.table.weighty().word(word);
        for filter in known.tallies.filters.iter().filter(|f| f.may_reject) {
            for position in positions(word, fits & !settled) {
                let node = self.question.cx.nodes.order[position];
                if !filter.tally.admits(self.topologies, node) {
                    fits &= !(1 << (position % 64));
                }
            }
        }
        fits
    }

    /// Writes into `diagnosis` why no node fits, node by node in the order of the search.
    pub fn explain(&self, known: &Known, diagnosis: &mut Diagnosis) {
        for (word, mask) in self.words() {
            for position in positions(word, mask) {
                let node = self.question.cx.nodes.order[position];
                let (plugin, status) = self.rejection(known, position, node);
                diagnosis.reject(Rejection { node, plugin, status }, false);
            }
        }
    }

    /// The word of the first filter that rejects a node.
    fn rejection(&self, known: &Known, position: usize, node: NodeIndex) -> (PluginId, Status) {
        let by_table = known.table.rejection(position);
        let before = match by_table {
            // With nominations, its word is that of all filters.
            Some(_) if known.table.weighty().has(position) => 0,
            Some(rejected) => rejected.place,
            None => usize::MAX,
        };
        let tallies = known.tallies.filters.iter().filter(|f| f.place < before);
        for filter in tallies.filter(|f| f.may_reject) {
            if !filter.tally.admits(self.topologies, node) {
                return (filter.plugin, filter.tally.verdict(self.topologies, node));
            }
        }
        match by_table {
            Some(rejected) => (rejected.plugin, rejected.status.clone()),
            None => unreachable!("every node is rejected when none is feasible"),
        }
    }
}
