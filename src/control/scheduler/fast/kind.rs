//! Pods of one kind: alike in everything that a plugin reads, so that what was found out for one
//! holds for the others. It knows the cache as a list of touched records, and no queue.

use super::journal::Journal;
use super::table::Table;
use super::trials::Trials;
use crate::api::Text;
use crate::api::node::Node;
use crate::control::scheduler::cache::Cache;
use crate::control::scheduler::cycle::Core;
use crate::control::scheduler::framework::{Context, NodeIndex, PluginId, Scope};
use crate::control::scheduler::objects::{Objects, Versions};
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::scheduler::profile::{CycleState, Profile};
use crate::control::scheduler::tally::{FilterTally, Ground, ScoreTally, Tally};
use crate::control::scheduler::topologies::{Topologies, at};
use std::any::Any;
use std::sync::Arc;

/// A kind of pod.
pub struct Kind {
    /// Index of the profile that schedules them.
    profile: usize,
    /// One of them.
    pod: PodInfo,
    /// Other namespaces in which pods are of this kind too.
    namespaces: Vec<Text>,
    /// The last pod with other labels or another owner that was found to be of this kind too: each
    /// Job's pods, and each pod of a StatefulSet, have labels of their own.
    relative: Option<PodInfo>,
    /// `None`: pods of this kind take the plain path.
    pub(super) known: Option<Known>,
    /// When the kind was last asked for.
    pub(super) used: u64,
}

/// What is known about nodes for a kind.
pub struct Known {
    /// What the plugins say that look at nothing but a node's record.
    pub(super) table: Table,
    /// What the others say.
    pub(super) tallies: Tallies,
    /// The next touch of the journal to be looked at.
    next_touch: u64,
    /// Likewise of the journal of nominations.
    next_nomination: u64,
    /// A node to which the pod of the last search was nominated itself, which counts for others.
    own_nomination: Option<NodeIndex>,
    /// In the last search with nominations no filter looked at more than a node's record.
    was_local: bool,
    /// What came of trying nodes for preemption; made when first needed.
    pub(super) trials: Option<Box<Trials>>,
    objects: Versions,
    touched: Vec<NodeIndex>,
}

/// The tallies of a kind, and which nodes they have counted.
pub struct Tallies {
    /// In the place of filters.
    pub(super) filters: Vec<FilterBy>,
    /// In the place of scores.
    pub(super) scores: Vec<ScoreBy>,
    /// By record: the node object that was counted; `None`: not counted.
    counted: Vec<Option<Arc<Node>>>,
    /// The search order that is followed.
    order: Arc<[NodeIndex]>,
}

/// In what two pods differ that ask for the same.
#[derive(Clone, Copy)]
struct Difference {
    namespace: bool,
    /// Labels or owner.
    labels: bool,
}

/// A tally in the place of a filter.
pub struct FilterBy {
    /// Its place among the profile's filters.
    pub(super) place: usize,
    /// The plugin.
    pub(super) plugin: PluginId,
    /// Its tally.
    pub(super) tally: Box<dyn FilterTally>,
    /// Whether it may reject any node as things are.
    pub(super) may_reject: bool,
}

/// A tally in the place of a score.
pub struct ScoreBy {
    /// The plugin's weight.
    pub(super) weight: i64,
    /// Its tally.
    pub(super) tally: Box<dyn ScoreTally>,
}

impl Kind {
    /// The kind of `pod`, of which nothing is known yet.
    pub fn new(index: usize, profile: &Profile, cx: &Context<'_>, pod: &PodInfo) -> Kind {
        let known = Table::new(profile, cx, pod).and_then(|table| {
            Some(Known {
                table,
                tallies: Tallies::new(profile, pod, cx.objects)?,
                next_touch: 0,
                next_nomination: 0,
                own_nomination: None,
                was_local: true,
                trials: None,
                objects: cx.objects.versions,
                touched: Vec::new(),
            })
        });
        let (namespaces, relative) = (Vec::new(), None);
        Kind { profile: index, pod: pod.clone(), namespaces, relative, known, used: 0 }
    }

    /// Whether pods like `pod`, which asks for what this kind's does and differs in its namespace,
    /// or in its labels and owner where `labels` allows it, are of this kind too: no plugin tells
    /// the two apart. It holds while the objects that plugins read stay as they are and no pod on a
    /// node names namespaces, or has terms of affinity.
    pub fn adopts(
        &mut self,
        index: usize,
        profile: &Profile,
        cx: &Context<'_>,
        pod: &PodInfo,
        labels: bool,
    ) -> bool {
        let differ = Difference {
            namespace: self.pod.namespace != pod.namespace,
            labels: !self.pod.has_labels_of(pod),
        };
        let is_like = self.profile == index
            && (labels || !differ.labels)
            && self.pod.name == pod.name
            && self.pod.requests == pod.requests
            && (Arc::ptr_eq(&self.pod.spec, &pod.spec) || self.pod.spec == pod.spec);
        let Some(known) = self.known.as_mut().filter(|_| is_like) else { return false };
        known.heed(profile, &self.pod, cx.objects);
        let alone = |scope, heeds: bool| scope == Scope::Cluster || !heeds;
        let filters = profile.filters().iter();
        let scores = profile.scorers().iter();
        let adopts = filters
            .map(|(_, f)| (f.scope(), f.heeds_identity(pod)))
            .chain(scores.map(|(_, _, s)| (s.scope(), s.heeds_identity(pod))))
            .all(|(scope, heeds)| alone(scope, heeds))
            && known.tallies.serve(profile, pod, cx.objects, differ);
        if adopts && differ.labels {
            self.relative = Some(pod.clone());
        } else if adopts {
            self.namespaces.push(pod.namespace.clone());
        }
        adopts
    }

    /// Whether the pod that it was made for has the labels and the owner of `pod`.
    pub fn has_labels_of(&self, pod: &PodInfo) -> bool {
        self.pod.has_labels_of(pod)
    }

    /// Namespaces are to be told apart again.
    pub fn keep_to_its_namespace(&mut self) {
        self.namespaces.clear();
    }

    /// Labels are to be told apart again.
    pub fn keep_to_its_labels(&mut self) {
        self.relative = None;
    }

    /// Whether `pod` is of this kind and shares its specification with the one it was made for.
    pub fn has(&self, profile: usize, pod: &PodInfo) -> bool {
        let shares = |known: &PodInfo| Arc::ptr_eq(&known.spec, &pod.spec);
        (shares(&self.pod) || self.relative.as_ref().is_some_and(shares))
            && self.is_like(profile, pod)
    }

    /// Whether `pod` is of this kind, field by field.
    pub fn equals(&self, profile: usize, pod: &PodInfo) -> bool {
        self.pod.requests == pod.requests && self.is_like(profile, pod) && self.pod.spec == pod.spec
    }

    /// Whether a good part of what is known still holds.
    pub fn is_of_use(&self, journal: &Journal) -> bool {
        self.known.as_ref().is_none_or(|known| !journal.has_many_since(known.next_touch))
    }

    fn is_like(&self, profile: usize, pod: &PodInfo) -> bool {
        self.profile == profile
            && (self.pod.is_like(pod)
                || self.relative.as_ref().is_some_and(|relative| relative.is_like(pod))
                || (self.namespaces.contains(&pod.namespace)
                    && self.pod.is_like_in_another_namespace(pod)))
    }

    /// Takes notice of all that has changed; gives what is known then. `pod` is of this kind.
    pub fn refresh(
        &mut self,
        profile: &Profile,
        core: &Core,
        pod: &PodInfo,
        topologies: &mut Topologies,
    ) -> Option<&mut Known> {
        let known = self.known.as_mut()?;
        let cache = &core.cache;
        known.heed(profile, &self.pod, &core.objects);
        let moved = known.table.follow(cache.order());
        if let Some(trials) = &mut known.trials {
            trials.follow(cache.order());
        }
        known.touched.clear();
        match cache.journal().since(known.next_touch) {
            Some(touched) => known.touched.extend(touched),
            None => {
                known.table.forget_all();
                known.trials = None;
                known.touched.extend(cache.order().iter());
            }
        }
        known.next_touch = cache.journal().end();
        for touched in 0..known.touched.len() {
            if let Some(position) = cache.position(known.touched[touched]) {
                known.forget(position);
            }
        }
        known.follow_nominations(core, pod, moved);
        let mut ground = Ground { nodes: cache.infos(), topologies };
        known.tallies.follow(cache, &self.pod, &mut ground, &mut known.touched);
        known.tallies.filters.iter_mut().for_each(|f| f.may_reject = f.tally.prepare());
        Some(known)
    }
}

impl Known {
    /// The record at a position was touched.
    fn forget(&mut self, position: usize) {
        self.table.forget(position);
        if let Some(trials) = &mut self.trials {
            trials.forget(position);
        }
    }

    /// What PreFilter leaves, where there are nominations that `pod` must reckon with. What was
    /// said of their nodes holds where all filters that were asked look at nothing but a node's
    /// record, now and then.
    pub(super) fn prepare_nominations(
        &mut self,
        core: &Core,
        profile: &Profile,
        cx: &Context<'_>,
        pod: &PodInfo,
    ) -> Option<CycleState> {
        if core.nominator().is_empty() || self.table.weighty().is_empty() {
            return None;
        }
        let state = profile.run_pre_filter(cx, pod).state;
        let is_local = profile.is_local(&state);
        if !std::mem::replace(&mut self.was_local, is_local) || !is_local {
            self.table.forget_weighty();
        }
        Some(state)
    }

    /// Takes notice of nominations that have changed; of all, when the nodes have `moved`.
    fn follow_nominations(&mut self, core: &Core, pod: &PodInfo, moved: bool) {
        let nominator = core.nominator();
        let since = nominator.journal().since(self.next_nomination);
        self.next_nomination = nominator.journal().end();
        let own = std::mem::replace(&mut self.own_nomination, nominator.node_of(pod.id));
        let own = own.into_iter().chain(self.own_nomination);
        if since.is_none() {
            self.trials = None;
        }
        if moved || since.is_none() {
            self.table.clear_weighty();
            let nominated = nominator.all().map(|(node, _)| node);
            nominated.for_each(|node| self.heed_nominations(core, pod, node));
        }
        for node in since.into_iter().flatten().chain(own) {
            self.heed_nominations(core, pod, node);
        }
    }

    fn heed_nominations(&mut self, core: &Core, pod: &PodInfo, node: NodeIndex) {
        if let Some(position) = core.cache.position(node) {
            self.forget(position);
            self.table.set_weighty(position, core.has_weighty_nominations(pod, node));
        }
    }

    /// Takes notice of objects that have changed.
    fn heed(&mut self, profile: &Profile, pod: &PodInfo, objects: &Objects) {
        if !self.objects.same_for_nodes(&objects.versions) {
            self.objects = objects.versions;
            self.tallies.renew(profile, pod, objects);
        }
    }
}

impl Tallies {
    /// Empty tallies for pods like `pod`; `None` when a plugin has none.
    fn new(profile: &Profile, pod: &PodInfo, objects: &Objects) -> Option<Tallies> {
        let (mut filters, mut scores) = (Vec::new(), Vec::new());
        for (place, (plugin, filter)) in profile.filters().iter().enumerate() {
            if filter.scope() == Scope::Cluster {
                let tally = filter.tally(pod, objects)?;
                filters.push(FilterBy { place, plugin: *plugin, tally, may_reject: true });
            }
        }
        for (_, weight, score) in profile.scorers() {
            if score.scope() == Scope::Cluster {
                scores.push(ScoreBy { weight: *weight, tally: score.tally(pod, objects)? });
            }
        }
        Some(Tallies { filters, scores, counted: Vec::new(), order: Arc::new([]) })
    }

    /// Begins anew if the objects that plugins read now make a tally count something else.
    fn renew(&mut self, profile: &Profile, pod: &PodInfo, objects: &Objects) {
        let Some(fresh) = Tallies::new(profile, pod, objects) else { return };
        let like = |old: &dyn Tally, new: &dyn Any| old.counts_like(new);
        let mut filters = self.filters.iter().zip(&fresh.filters);
        let mut scores = self.scores.iter().zip(&fresh.scores);
        let same = filters.all(|(old, new)| like(&*old.tally, &*new.tally))
            && scores.all(|(old, new)| like(&*old.tally, &*new.tally));
        if !same {
            *self = fresh;
        }
    }

    /// Whether they count the same for `pod`, which differs from the pod that they were made for.
    fn serve(
        &self,
        profile: &Profile,
        pod: &PodInfo,
        objects: &Objects,
        differ: Difference,
    ) -> bool {
        let Some(fresh) = Tallies::new(profile, pod, objects) else { return false };
        let serves = |old: &dyn Tally, new: &dyn Any| {
            let namespace = !differ.namespace || !old.heeds_namespace();
            let labels = !differ.labels || !old.heeds_labels();
            namespace && labels && old.counts_like(new)
        };
        let mut filters = self.filters.iter().zip(&fresh.filters);
        let mut scores = self.scores.iter().zip(&fresh.scores);
        filters.all(|(old, new)| serves(&*old.tally, &*new.tally))
            && scores.all(|(old, new)| serves(&*old.tally, &*new.tally))
    }

    /// Counts the touched nodes again, and follows nodes that came or went.
    fn follow(
        &mut self,
        cache: &Cache,
        pod: &PodInfo,
        ground: &mut Ground<'_>,
        touched: &mut Vec<NodeIndex>,
    ) {
        if !Arc::ptr_eq(&self.order, cache.order()) {
            self.order = Arc::clone(cache.order());
            for index in 0..self.counted.len() {
                let node = NodeIndex(index as u32);
                if self.counted[index].is_some() && cache.position(node).is_none() {
                    self.counted[index] = None;
                    self.each(|tally| tally.leave(node));
                }
            }
            let is_new =
                |n: &&NodeIndex| self.counted.get(n.0 as usize).is_none_or(Option::is_none);
            touched.extend(self.order.iter().filter(is_new));
        }
        if touched.len() > 1 {
            touched.sort_unstable();
            touched.dedup();
        }
        for node in touched.iter().filter(|n| cache.position(**n).is_some()) {
            let object = &cache.info(*node).node;
            let counted = at(&mut self.counted, *node, None);
            let relabelled = !counted.as_ref().is_some_and(|c| Arc::ptr_eq(c, object));
            if relabelled {
                *counted = Some(Arc::clone(object));
            }
            self.each(|tally| tally.recount(pod, ground, *node, relabelled));
        }
    }

    fn each(&mut self, mut act: impl FnMut(&mut dyn Tally)) {
        self.filters.iter_mut().for_each(|f| act(&mut *f.tally));
        self.scores.iter_mut().for_each(|s| act(&mut *s.tally));
    }
}
