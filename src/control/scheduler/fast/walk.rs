//! A search over the nodes from the rotating start, as `cycle.rs` does it, on what is known of a
//! kind. It knows tables and tallies, not how they come about.

use super::bits::{circular_words, positions};
use super::kind::Known;
use super::window::Window;
use crate::control::scheduler::cycle::Core;
use crate::control::scheduler::diagnosis::{Diagnosis, Rejection};
use crate::control::scheduler::framework::{Context, NodeIndex, PluginId, Status};
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::scheduler::profile::{CycleState, Profile};
use crate::control::scheduler::topologies::Topologies;

/// A search for one pod.
pub struct Walk<'a> {
    core: &'a Core,
    profile: &'a Profile,
    cx: &'a Context<'a>,
    pod: &'a PodInfo,
    topologies: &'a Topologies,
    special: Vec<Special>,
}

/// A verdict for this cycle only: of a node to which pods of at least the pod's priority are
/// nominated.
struct Special {
    position: usize,
    verdict: Result<(), (PluginId, Status)>,
}

impl<'a> Walk<'a> {
    /// Prepares the search.
    pub fn new(
        core: &'a Core,
        profile: &'a Profile,
        cx: &'a Context<'a>,
        pod: &'a PodInfo,
        topologies: &'a Topologies,
    ) -> Walk<'a> {
        let mut special = Vec::new();
        let mut state: Option<CycleState> = None;
        for node in core.weighty_nominations(pod) {
            let Some(position) = core.cache.position(node) else { continue };
            let state = state.get_or_insert_with(|| profile.run_pre_filter(cx, pod).state);
            let info = core.cache.info(node);
            let verdict = core.filter(profile, cx, state, pod, node, info);
            special.push(Special { position, verdict });
        }
        Walk { core, profile, cx, pod, topologies, special }
    }

    fn words(&self) -> impl Iterator<Item = (usize, u64)> {
        let nodes = self.cx.nodes.len();
        circular_words(nodes, self.core.next_start() % nodes)
    }

    /// Puts the feasible positions into `window`, as many as are wanted; gives how many nodes were
    /// looked at. The search ends at the feasible node that is one too many.
    pub fn run(&self, known: &mut Known, window: &mut Window) -> usize {
        let nodes = self.cx.nodes.len();
        let wanted = self.core.num_feasible_nodes_to_find(self.profile, nodes);
        window.clear();
        for (word, mask) in self.words() {
            let fits = self.fitting(known, word, mask);
            if let Some(surplus) = window.add(word, fits, wanted) {
                let start = self.core.next_start() % nodes;
                return (surplus + nodes - start) % nodes;
            }
        }
        nodes
    }

    /// The positions of a word, out of `mask`, where the pod fits.
    fn fitting(&self, known: &mut Known, word: usize, mask: u64) -> u64 {
        let mut fits = known.table.fitting(word, mask, self.profile, self.cx, self.pod);
        for filter in known.tallies.filters.iter().filter(|f| f.may_reject) {
            for position in positions(word, fits) {
                if !filter.tally.admits(self.topologies, self.cx.nodes.order[position]) {
                    fits &= !(1 << (position % 64));
                }
            }
        }
        for special in self.special.iter().filter(|s| s.position / 64 == word) {
            let bit = 1 << (special.position % 64);
            fits &= !bit;
            if special.verdict.is_ok() {
                fits |= bit & mask;
            }
        }
        fits
    }

    /// Writes into `diagnosis` why no node fits, node by node in the order of the search.
    pub fn explain(&self, known: &Known, diagnosis: &mut Diagnosis) {
        for (word, mask) in self.words() {
            for position in positions(word, mask) {
                let node = self.cx.nodes.order[position];
                let (plugin, status) = self.rejection(known, position, node);
                diagnosis.reject(Rejection { node, plugin, status }, false);
            }
        }
    }

    /// The word of the first filter that rejects a node.
    fn rejection(&self, known: &Known, position: usize, node: NodeIndex) -> (PluginId, Status) {
        if let Some(special) = self.special.iter().find(|s| s.position == position)
            && let Err(rejection) = &special.verdict
        {
            return rejection.clone();
        }
        let by_table = known.table.rejection(position);
        let before = by_table.map_or(usize::MAX, |rejected| rejected.place);
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
