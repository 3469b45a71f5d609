//! What the plugins that look at nothing but a node's record say of each node, for one kind of pod.
//!
//! An answer is asked for when a search first needs it and holds until the record is touched. The
//! table follows the search order: place by place, so that a search reads memory in line. Of nodes
//! to which others are nominated that have to be reckoned with it keeps what all filters say. It
//! knows neither how records change nor what other plugins say.

use super::bits::{Bits, WORD, positions};
use super::window::Window;
use crate::control::scheduler::cycle::Core;
use crate::control::scheduler::framework::{
    Code, Context, NodeIndex, NodeList, PluginId, PluginState, PreFilter, PreScore, Scope,
    ScorePlugin, Status,
};
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::scheduler::profile::{CycleState, Profile};
use std::sync::Arc;

/// Verdicts and scores by position in the search order.
pub struct Table {
    plugins: Plugins,
    order: Arc<[NodeIndex]>,
    /// Positions whose entries hold.
    known: Bits,
    /// Of those, the ones that no plugin rejects.
    fits: Bits,
    /// Positions of nodes with nominations that the pods must reckon with.
    weighty: Bits,
    /// Positions that do not fit, but might if pods were removed.
    curable: Bits,
    /// For those that do not fit: which rejection, by place in `rejections`; empty while there is
    /// none.
    rejected: Vec<u32>,
    /// Weighted sum of the scores that need no normalising.
    scores: Vec<i64>,
    /// By word: the highest of these among the positions that fit; [`NOT_ASKED`]: look.
    peaks: Vec<i64>,
    /// Raw scores of the plugins that normalise.
    raw: Vec<RawScores>,
    /// All different rejections so far.
    rejections: Vec<Rejected>,
    /// How many known entries there are of each.
    counts: Vec<usize>,
    /// Whether an entry depends on the number of nodes.
    heeds_size: bool,
}

/// Stands for a peak that is not known.
const NOT_ASKED: i64 = i64::MIN;

/// What a table asks about nodes.
pub struct Question<'a> {
    /// Where nominations lie.
    pub core: &'a Core,
    /// The pod's profile.
    pub profile: &'a Profile,
    /// Nodes and objects.
    pub cx: &'a Context<'a>,
    /// The pod.
    pub pod: &'a PodInfo,
    /// What PreFilter left, where the pod has to reckon with nominations.
    pub state: Option<&'a CycleState>,
}

/// The plugins that a table asks, with what they found out about the pod.
struct Plugins {
    /// Place among the profile's filters, plugin.
    filters: Vec<(usize, PluginId, PluginState)>,
    plain: Vec<Scorer>,
    normalizing: Vec<Scorer>,
}

struct Scorer {
    plugin: Arc<dyn ScorePlugin>,
    weight: i64,
    state: PluginState,
}

/// A plugin's raw scores by position.
struct RawScores {
    /// Empty while all of them are zero: mostly no node has a taint or label that matters.
    raw: Vec<i64>,
    /// How many of them are not zero.
    not_zero: usize,
}

/// What a plugin says of nodes that it rejects.
#[derive(PartialEq)]
pub struct Rejected {
    /// Its place among the profile's filters: an earlier filter that rejects the node has the word.
    pub place: usize,
    /// The plugin.
    pub plugin: PluginId,
    /// Its words.
    pub status: Status,
}

impl RawScores {
    /// Puts the score of one of `positions` positions in the place of the one before.
    fn set(&mut self, position: usize, raw: i64, positions: usize) {
        if self.raw.is_empty() {
            if raw == 0 {
                return;
            }
            self.raw.resize(positions, 0);
        }
        let before = std::mem::replace(&mut self.raw[position], raw);
        self.not_zero += usize::from(raw != 0);
        self.not_zero -= usize::from(before != 0);
    }
}

impl Plugins {
    fn of(profile: &Profile, cx: &Context<'_>, pod: &PodInfo) -> Option<Plugins> {
        let mut plugins =
            Plugins { filters: Vec::new(), plain: Vec::new(), normalizing: Vec::new() };
        for (place, (id, plugin)) in profile.filters().iter().enumerate() {
            if plugin.scope() != Scope::Node {
                continue;
            }
            let state = match profile.pre_filter_of(*id).map(|p| p.pre_filter(cx, pod)) {
                None => PluginState::none(),
                Some(PreFilter::Skip) => continue,
                Some(PreFilter::Continue { state, nodes: None }) => state,
                Some(_) => return None,
            };
            plugins.filters.push((place, *id, state));
        }
        let nobody = NodeList { infos: cx.nodes.infos, order: &[] };
        for (id, weight, plugin) in profile.scorers() {
            if plugin.scope() != Scope::Node {
                continue;
            }
            let state = match profile.pre_score_of(*id).map(|p| p.pre_score(cx, pod, nobody)) {
                None => PluginState::none(),
                Some(PreScore::Skip) => continue,
                Some(PreScore::Continue(state)) => state,
            };
            let scorer = Scorer { plugin: Arc::clone(plugin), weight: *weight, state };
            let list = match plugin.normalizes() {
                true => &mut plugins.normalizing,
                false => &mut plugins.plain,
            };
            list.push(scorer);
        }
        Some(plugins)
    }
}

/// From position `same` on a list has what stood at these positions, and 0 for a new one.
fn follow_from<T: Copy + Default>(
    list: &mut Vec<T>,
    same: usize,
    before: impl Iterator<Item = usize>,
) {
    let end: Vec<T> = before.map(|from| list.get(from).copied().unwrap_or_default()).collect();
    list.truncate(same);
    list.extend(end);
}

impl Table {
    /// An empty table for pods like `pod`; `None` when a plugin narrows or ends the search before
    /// it begins.
    pub fn new(profile: &Profile, cx: &Context<'_>, pod: &PodInfo) -> Option<Table> {
        let plugins = Plugins::of(profile, cx, pod)?;
        let none = |_: &Scorer| RawScores { raw: Vec::new(), not_zero: 0 };
        let raw = plugins.normalizing.iter().map(none).collect();
        Some(Table {
            plugins,
            order: Arc::new([]),
            known: Bits::default(),
            fits: Bits::default(),
            weighty: Bits::default(),
            curable: Bits::default(),
            rejected: Vec::new(),
            scores: Vec::new(),
            peaks: Vec::new(),
            raw,
            rejections: Vec::new(),
            counts: Vec::new(),
            heeds_size: false,
        })
    }

    /// Follows the search order: entries of nodes that stay keep their word. True: it has changed,
    /// and nominations have to be told anew.
    pub fn follow(&mut self, order: &Arc<[NodeIndex]>) -> bool {
        if Arc::ptr_eq(order, &self.order) {
            return false;
        }
        self.forget_weighty();
        let keep = !(self.heeds_size && order.len() != self.order.len());
        // Most new nodes come in at the end, where zones take turns: up to there nothing moves.
        let pairs = order.iter().zip(self.order.iter());
        let same = pairs.take_while(|(new, old)| keep && new == old).count() / WORD * WORD;
        self.count_rejections(same, |count| *count -= 1);
        let (new, old) = (&order[same..], &self.order[same..]);
        let records = new.iter().chain(old).map(|n| n.0 + 1).max().unwrap_or(0);
        let mut before = vec![u32::MAX; records as usize];
        for (place, node) in old.iter().enumerate().filter(|(p, _)| self.known.has(same + *p)) {
            before[node.0 as usize] = (same + place) as u32;
        }
        let [mut known, mut fits, mut curable] = [&self.known, &self.fits, &self.curable]
            .map(|bits| bits.beginning(same / WORD, order.len()));
        let from = |node: &NodeIndex| before[node.0 as usize] as usize;
        for (place, node) in new.iter().enumerate() {
            if keep && from(node) != u32::MAX as usize {
                known.set(same + place, true);
                fits.set(same + place, self.fits.has(from(node)));
                curable.set(same + place, self.curable.has(from(node)));
            }
        }
        if !self.rejected.is_empty() {
            follow_from(&mut self.rejected, same, new.iter().map(from));
        }
        follow_from(&mut self.scores, same, new.iter().map(from));
        for scores in self.raw.iter_mut().filter(|scores| !scores.raw.is_empty()) {
            follow_from(&mut scores.raw, same, new.iter().map(from));
            scores.not_zero = scores.raw.iter().filter(|raw| **raw != 0).count();
        }
        (self.known, self.fits, self.curable) = (known, fits, curable);
        self.weighty = Bits::new(order.len());
        self.peaks = vec![NOT_ASKED; order.len().div_ceil(WORD)];
        self.order = Arc::clone(order);
        self.count_rejections(same, |count| *count += 1);
        true
    }

    /// Counts the rejections that are known of positions from `start` on.
    fn count_rejections(&mut self, start: usize, count: impl Fn(&mut usize)) {
        for position in self.known.iter_from(start / WORD).filter(|p| !self.fits.has(*p)) {
            count(&mut self.counts[self.rejected[position] as usize]);
        }
    }

    /// Whether nominations to the node at a position have to be reckoned with.
    pub fn set_weighty(&mut self, position: usize, is_weighty: bool) {
        self.forget(position);
        self.weighty.set(position, is_weighty);
    }

    /// No nomination has to be reckoned with.
    pub fn clear_weighty(&mut self) {
        self.forget_weighty();
        self.weighty.clear();
    }

    /// What was said of nodes with nominations holds no more.
    pub fn forget_weighty(&mut self) {
        let weighty = std::mem::take(&mut self.weighty);
        weighty.iter().for_each(|position| self.forget(position));
        self.weighty = weighty;
    }

    /// The record at a position was touched.
    pub fn forget(&mut self, position: usize) {
        if self.known.has(position) && !self.fits.has(position) {
            self.counts[self.rejected[position] as usize] -= 1;
        }
        self.known.set(position, false);
    }

    /// All records were touched.
    pub fn forget_all(&mut self) {
        self.known.clear();
        self.counts.fill(0);
    }

    /// The positions of a word, out of `mask`, that no plugin rejects; asks for what is not known.
    pub fn fitting(&mut self, word: usize, mask: u64, question: &Question<'_>) -> u64 {
        for position in positions(word, mask & !self.known.word(word)) {
            self.ask(position, question);
        }
        self.fits.word(word) & mask
    }

    fn ask(&mut self, position: usize, question: &Question<'_>) {
        let Question { cx, pod, .. } = *question;
        let info = &cx.nodes.infos[self.order[position].0 as usize];
        self.known.set(position, true);
        self.peaks[position / 64] = NOT_ASKED;
        let rejected = self.rejected_by(position, info, question);
        self.fits.set(position, rejected.is_none());
        let is_curable = |r: &Rejected| r.status.code == Code::Unschedulable;
        self.curable.set(position, rejected.as_ref().is_some_and(is_curable));
        if let Some(rejected) = rejected {
            let number = self.number(rejected);
            self.counts[number as usize] += 1;
            self.rejected.resize(self.order.len(), 0);
            self.rejected[position] = number;
            return;
        }
        let score = |s: &Scorer| s.plugin.score(cx, &s.state, pod, info);
        self.scores[position] = self.plugins.plain.iter().map(|s| s.weight * score(s)).sum();
        for (scorer, scores) in self.plugins.normalizing.iter().zip(&mut self.raw) {
            scores.set(position, score(scorer), self.order.len());
        }
        let mut scorers = self.plugins.plain.iter().chain(&self.plugins.normalizing);
        self.heeds_size |= scorers.any(|s| s.plugin.heeds_size(info));
    }

    /// The first filter's word against a node: with nominations, of all filters.
    fn rejected_by(
        &self,
        position: usize,
        info: &NodeInfo,
        question: &Question<'_>,
    ) -> Option<Rejected> {
        let Question { core, profile, cx, pod, state } = *question;
        if let Some(state) = state.filter(|_| self.weighty.has(position)) {
            let found = core.filter(profile, cx, state, pod, self.order[position], info);
            let (plugin, status) = found.err()?;
            let place = profile.filters().iter().position(|(id, _)| *id == plugin)?;
            return Some(Rejected { place, plugin, status });
        }
        self.plugins.filters.iter().find_map(|(place, plugin, state)| {
            let status = profile.filters()[*place].1.filter(cx, state, pod, info);
            if status.is_success() {
                return None;
            }
            Some(Rejected { place: *place, plugin: *plugin, status })
        })
    }

    /// The number of a rejection, a new one if it is.
    fn number(&mut self, rejected: Rejected) -> u32 {
        if let Some(known) = self.rejections.iter().position(|r| *r == rejected) {
            return known as u32;
        }
        self.rejections.push(rejected);
        self.counts.push(0);
        (self.rejections.len() - 1) as u32
    }

    /// What was said of the node at a position that does not fit.
    pub fn rejection(&self, position: usize) -> Option<&Rejected> {
        (!self.fits.has(position)).then(|| &self.rejections[self.rejected[position] as usize])
    }

    /// All rejections, each with the number of nodes rejected so; after a search that found none.
    pub fn counted(&self) -> impl Iterator<Item = (&Rejected, usize)> {
        let counted = self.rejections.iter().zip(self.counts.iter().copied());
        counted.filter(|(_, count)| *count > 0)
    }

    /// Positions that do not fit, but might if pods were removed; after a search that found none.
    pub fn curable(&self) -> &Bits {
        &self.curable
    }

    /// Positions of nodes with nominations that have to be reckoned with.
    pub fn weighty(&self) -> &Bits {
        &self.weighty
    }

    /// Whether the scores that need normalising are the same for all nodes.
    pub fn is_flat(&self) -> bool {
        self.raw.iter().all(|scores| scores.not_zero == 0)
    }

    /// The best position of a window, where nobody else has a say.
    pub fn best(&mut self, window: &mut Window) -> Option<usize> {
        let (fits, scores, peaks) = (&self.fits, &self.scores, &mut self.peaks);
        window.best(scores, |word, bits| {
            let highest = || positions(word, bits).map(|p| scores[p]).max().unwrap_or(NOT_ASKED);
            if bits != fits.word(word) {
                return highest(); // A part of the word, at an end of the window.
            }
            if peaks[word] == NOT_ASKED {
                peaks[word] = highest();
            }
            peaks[word]
        })
    }

    /// Writes the weighted scores of the feasible positions into `totals`, in their order. `nodes`
    /// are their records.
    pub fn totals(
        &self,
        feasible: &[u32],
        nodes: NodeList<'_>,
        pod: &PodInfo,
        totals: &mut Vec<i64>,
    ) {
        totals.clear();
        totals.extend(feasible.iter().map(|p| self.scores[*p as usize]));
        for (scorer, scores) in self.plugins.normalizing.iter().zip(&self.raw) {
            if scores.not_zero == 0 {
                continue; // All raw scores are equal: every node gets the same.
            }
            let mut raw: Vec<i64> = feasible.iter().map(|p| scores.raw[*p as usize]).collect();
            scorer.plugin.normalize(&scorer.state, pod, nodes, &mut raw);
            for (total, score) in totals.iter_mut().zip(raw) {
                *total += scorer.weight * score;
            }
        }
    }
}
