//! The fast path: the same decisions as the plain path of `cycle.rs`, from what earlier cycles
//! found out.
//!
//! The plain path asks every plugin about every node it looks at, in every cycle. But pods come in
//! kinds (a template's pods are alike), and between two cycles little changes: the node that got
//! the last pod, perhaps another. So for each kind this keeps, per node, what the plugins said, and
//! asks again about the nodes whose records were touched.
//!
//! | file | what lives there |
//! |---|---|
//! | `journal.rs` | which records were touched |
//! | `kind.rs` | a kind of pod, and how it follows the journal |
//! | `table.rs` | per node: verdicts and scores of plugins that look at nothing else |
//! | `trials.rs` | per node: what came of trying it for preemption |
//! | `walk.rs` | a search over the nodes |
//! | `window.rs` | what it found, 64 nodes at a time, and the best of it |
//! | `bits.rs` | sets of positions |
//! | `../tally.rs`, `../plugins/*/tally.rs` | sums for the plugins that look at all nodes |
//! | `../topologies.rs` | topology keys, their domains numbered |
//!
//! Why the decisions are equal: a plugin of [`Scope::Node`] is a function of pod and record, so its
//! answer holds while the record stands; tallies are sums of integers, which don't depend on the
//! order of counting; the walk over the nodes, the number looked at, normalising and the choice
//! among equals are the plain path's. A dry run of preemption is a function of pod, record,
//! nominations to the node and the budgets it names, where no filter looks at more; victims are
//! found by the plugin itself, on the node that is chosen. What doesn't fit (a pod with a
//! nomination, a narrowed search, a plugin without a tally, volumes, explanations) takes the plain
//! path. `lockstep.rs` holds the two against each other over random histories, and the recordings
//! are held against both.
//!
//! [`Scope::Node`]: super::framework::Scope::Node

mod bits;
pub mod journal;
mod kind;
mod table;
mod trials;
mod walk;
mod window;

use super::cache::Cache;
use super::cycle::{Core, Placement};
use super::diagnosis::Diagnosis;
use super::framework::{Context, NodeIndex, NodeList, PostFilter};
use super::handle::Handle;
use super::objects::Versions;
use super::pod_info::PodInfo;
use super::profile::{CycleState, Profile};
use super::topologies::Topologies;
use kind::Kind;
use table::Question;
use trials::Trials;
use walk::Walk;
use window::Window;

/// At most so many kinds are kept.
const KINDS: usize = 128;
/// At most so many entries of tables are kept: kinds times nodes.
const ENTRIES: usize = 1 << 24;
/// At most so many nodes' trials are kept, unless one kind has more.
const TRIALS: usize = 1 << 21;

/// What a search finds.
pub(super) enum Found {
    /// A node.
    Placed(Placement),
    /// Every node was looked at and rejected.
    Nowhere(Nowhere),
}

/// A search that found no node; valid until the next one.
pub(super) struct Nowhere {
    kind: usize,
    /// What PreFilter left, if it was run.
    pub(super) state: Option<CycleState>,
}

/// What is known of all kinds of pods.
#[derive(Default)]
pub struct Fast {
    kinds: Vec<Kind>,
    topologies: Topologies,
    clock: u64,
    /// The objects for which kinds were found to be the same in several namespaces.
    objects: Versions,
    searches: u64,
    adopted: u64,
    related: u64,
    trials: u64,
    /// Memory that is used again in every cycle.
    window: Window,
    feasible: Vec<u32>,
    nodes: Vec<NodeIndex>,
    totals: Vec<i64>,
}

impl Fast {
    /// Searches a node for `pod` as the plain path would; `None`: the plain path must be taken.
    pub(super) fn search(
        &mut self,
        core: &Core,
        profile: usize,
        pod: &PodInfo,
        cx: &Context<'_>,
    ) -> Option<Found> {
        let index = profile;
        let profile = &core.profiles[index];
        let is_plain = !profile.has_filter_plugins() || !profile.has_score_plugins();
        if is_plain || pod.nominated.is_some() {
            return None;
        }
        let kind = self.kind_of(index, profile, &core.cache, cx, pod)?;
        self.topologies.follow(&core.cache);
        let topologies = &mut self.topologies;
        let known = self.kinds[kind].refresh(profile, core, pod, topologies)?;
        self.searches += 1;
        let state = known.prepare_nominations(core, profile, cx, pod);
        let question = Question { core, profile, cx, pod, state: state.as_ref() };
        let evaluated = Walk::new(question, topologies).run(known, &mut self.window);
        let feasible = self.window.len();
        if feasible == 0 {
            return Some(Found::Nowhere(Nowhere { kind, state }));
        }
        // Where a single node is feasible nothing is scored; then the best is just that one.
        // A draw needs to know all of the best.
        let table_decides = feasible == 1
            || !core.version.draws_among_ties()
                && known.table.is_flat()
                && known.tallies.scores.iter().all(|s| s.tally.is_silent());
        let node = match table_decides {
            true => cx.nodes.order[known.table.best(&mut self.window)?],
            false => self.best_of(core, kind, cx, pod),
        };
        Some(Found::Placed(Placement { node, evaluated, feasible }))
    }

    /// Writes into `diagnosis` why a search found no node, node by node.
    pub(super) fn explain(
        &self,
        nowhere: &Nowhere,
        handle: &Handle<'_>,
        pod: &PodInfo,
        diagnosis: &mut Diagnosis,
    ) {
        let Some(known) = &self.kinds[nowhere.kind].known else { return };
        let (core, profile, cx) = (handle.core(), handle.profile(), handle.context());
        let question = Question { core, profile, cx, pod, state: None };
        Walk::new(question, &self.topologies).explain(known, diagnosis);
    }

    /// What PostFilter says after a search that found no node, from trials of nodes that are
    /// remembered; the nodes' reasons are counted in `diagnosis`. `None`: it must be asked itself.
    pub(super) fn preempt(
        &mut self,
        nowhere: &Nowhere,
        handle: &Handle<'_>,
        pod: &PodInfo,
        diagnosis: &mut Diagnosis,
    ) -> Option<PostFilter> {
        let profile = handle.profile();
        if !profile.only_dry_runs(pod) || !profile.is_local(handle.state()) {
            return None;
        }
        self.make_room_for_trials(nowhere.kind, handle.context().nodes.len());
        let known = self.kinds[nowhere.kind].known.as_mut()?;
        for (rejected, count) in known.table.counted() {
            diagnosis.unschedulable_plugins.insert(rejected.plugin);
            diagnosis.counted.push((rejected.status.clone(), count));
        }
        let potential = known.table.curable();
        let order = handle.core().cache.order();
        Some(profile.run_post_filter_by(handle, |plugin, state| {
            let Some(parts) = plugin.dry_runs() else {
                return plugin.post_filter(handle, state, pod, diagnosis);
            };
            parts.at_once(handle, pod, diagnosis, potential.len()).unwrap_or_else(|| {
                let trials = known.trials.get_or_insert_with(|| Box::new(Trials::new(order)));
                let tried = trials.run(parts, handle, pod, potential, &mut self.trials);
                parts.answer(handle, tried)
            })
        }))
    }

    /// Trials of kinds that were not asked for lately are dropped when there are many.
    fn make_room_for_trials(&mut self, kind: usize, nodes: usize) {
        let has_trials = |k: &Kind| k.known.as_ref().is_some_and(|known| known.trials.is_some());
        if has_trials(&self.kinds[kind]) {
            return;
        }
        let mut count = self.kinds.iter().filter(|k| has_trials(k)).count();
        while count > 0 && (count + 1) * nodes > TRIALS {
            let oldest = self.kinds.iter_mut().filter(|k| has_trials(k)).min_by_key(|k| k.used);
            if let Some(known) = oldest.and_then(|kind| kind.known.as_mut()) {
                known.trials = None;
            }
            count -= 1;
        }
    }

    /// How many searches came to an answer here.
    pub(super) fn searches(&self) -> u64 {
        self.searches
    }

    /// How many nodes were tried for preemption.
    pub(super) fn trials(&self) -> u64 {
        self.trials
    }

    /// How often pods of another namespace were found to be of a known kind.
    pub(super) fn adopted(&self) -> u64 {
        self.adopted
    }

    /// How often pods with other labels were found to be of a known kind.
    pub(super) fn related(&self) -> u64 {
        self.related
    }

    /// Scores the feasible nodes and picks the best.
    fn best_of(&mut self, core: &Core, kind: usize, cx: &Context<'_>, pod: &PodInfo) -> NodeIndex {
        self.feasible.clear();
        self.feasible.extend(self.window.positions().map(|p| p as u32));
        self.nodes.clear();
        self.nodes.extend(self.feasible.iter().map(|p| cx.nodes.order[*p as usize]));
        let list = NodeList { infos: cx.nodes.infos, order: &self.nodes };
        if let Some(known) = &mut self.kinds[kind].known {
            known.table.totals(&self.feasible, list, pod, &mut self.totals);
            for score in &mut known.tallies.scores {
                let (nodes, totals) = (&self.nodes, &mut self.totals);
                score.tally.add_scores(&self.topologies, nodes, score.weight, totals);
            }
        }
        self.nodes[core.winner(pod.id, &self.totals)]
    }

    /// The place of the pod's kind, made if it is new; `None` when pods like it take the plain path
    /// anyhow. Kinds of which little is known any more make way for it; when there are too many,
    /// the one that was not asked for longest.
    fn kind_of(
        &mut self,
        index: usize,
        profile: &Profile,
        cache: &Cache,
        cx: &Context<'_>,
        pod: &PodInfo,
    ) -> Option<usize> {
        self.clock += 1;
        let tells_namespaces_apart = cache.namespaces_are_named() || pod.names_namespaces();
        let tells_labels_apart = cache.has_affinity() || pod.affinity.is_some();
        let is_other = !self.objects.same_for_nodes(&cx.objects.versions);
        if tells_namespaces_apart || is_other {
            self.kinds.iter_mut().for_each(Kind::keep_to_its_namespace);
        }
        if tells_labels_apart || is_other {
            self.kinds.iter_mut().for_each(Kind::keep_to_its_labels);
        }
        self.objects = cx.objects.versions;
        let same = self.kinds.iter().position(|k| k.has(index, pod));
        let known = same.or_else(|| self.kinds.iter().position(|k| k.equals(index, pod)));
        let known = known.or_else(|| {
            let labels = !tells_labels_apart;
            let adopts = |k: &mut Kind| k.adopts(index, profile, cx, pod, labels);
            let found =
                (!tells_namespaces_apart).then(|| self.kinds.iter_mut().position(adopts))?;
            let found = found?;
            let has_labels = self.kinds[found].has_labels_of(pod);
            *(if has_labels { &mut self.adopted } else { &mut self.related }) += 1;
            Some(found)
        });
        let mut filters = profile.filters().iter();
        if known.is_none() && filters.any(|(_, f)| f.is_volatile(pod, cx.objects)) {
            return None;
        }
        let at = known.unwrap_or_else(|| {
            let room = (ENTRIES / cx.nodes.len().max(1)).clamp(4, KINDS);
            self.kinds.retain(|kind| kind.is_of_use(cache.journal()));
            while self.kinds.len() >= room {
                let oldest = self.kinds.iter().enumerate().min_by_key(|(_, k)| k.used);
                let oldest = oldest.map_or(0, |(at, _)| at);
                self.kinds.swap_remove(oldest);
            }
            self.kinds.push(Kind::new(index, profile, cx, pod));
            self.kinds.len() - 1
        });
        self.kinds[at].used = self.clock;
        Some(at)
    }
}
