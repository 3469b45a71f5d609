//! Tallies of PodTopologySpread: matching pods per node and per domain, kept up to date instead of
//! counted anew in each cycle. What they say is what the plugin beside this folder says.

use super::cells::{Cell, Cells};
use super::{Constraint, LABEL_MISSING, NOT_MATCH};
use crate::api::Text;
use crate::api::node::{HOSTNAME_LABEL, Node};
use crate::control::scheduler::framework::{MAX_NODE_SCORE, NodeIndex, Status};
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::plugins::go_log::go_log;
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::scheduler::tally::{FilterTally, Ground, ScoreTally, Tally};
use crate::control::scheduler::topologies::{EMPTY, Topologies, at};
use std::any::Any;
use std::collections::BTreeMap;

/// Pods with more soft constraints take the plain path.
pub(super) const MAX_SOFT_CONSTRAINTS: usize = 31;

/// What one node adds to its domain; [`Share::NONE`] if it is not one of those over which pods are
/// spread.
#[derive(Clone, Copy, PartialEq)]
struct Share {
    domain: u32,
    pods: u32,
}

impl Share {
    const NONE: Share = Share { domain: u32::MAX, pods: 0 };

    fn new(domain: usize, pods: i64) -> Share {
        Share { domain: domain as u32, pods: pods as u32 }
    }
}

/// One constraint with what lies in its domains.
struct Sums {
    constraint: Constraint,
    /// Whether its selector is that of the constraint before it, so that counts can be shared.
    like_previous: bool,
    /// The number of its key among the topologies, once a node has been counted.
    topology: usize,
    shares: Vec<Share>,
    /// By domain: matching pods, and the nodes that make the domain.
    sums: Vec<(i64, u32)>,
    /// Of shapes of pods that were met lately, whether they count: pods have few, and nodes many
    /// pods.
    met: Vec<(PodInfo, bool)>,
}

/// Verdicts on so many shapes are kept.
const SHAPES: usize = 16;

impl Sums {
    fn all(constraints: Vec<Constraint>) -> Vec<Sums> {
        let mut all: Vec<Sums> = Vec::with_capacity(constraints.len());
        for constraint in constraints {
            let before = all.last().map(|s| &s.constraint.selector);
            all.push(Sums {
                like_previous: before == Some(&constraint.selector),
                constraint,
                topology: usize::MAX,
                shares: Vec::new(),
                sums: Vec::new(),
                met: Vec::new(),
            });
        }
        all
    }

    /// Puts a node's new share in the place of the old one, and tells how the domains concerned
    /// change: (pods and nodes before, pods and nodes after).
    fn put(
        &mut self,
        node: NodeIndex,
        new: Share,
        mut changed: impl FnMut((i64, u32), (i64, u32)),
    ) {
        let old = std::mem::replace(at(&mut self.shares, node, Share::NONE), new);
        if old == new {
            return;
        }
        let sums = &mut self.sums;
        let mut change = |share: Share, sign: i64| {
            if share == Share::NONE {
                return;
            }
            let domain = at(sums, NodeIndex(share.domain), (0, 0));
            let before = *domain;
            domain.0 += sign * i64::from(share.pods);
            domain.1 = domain.1.wrapping_add_signed(sign as i32);
            changed(before, *domain);
        };
        change(old, -1);
        change(new, 1);
    }

    /// The domain of a node; `None`: it lacks the key.
    fn domain(&mut self, ground: &mut Ground<'_>, node: NodeIndex) -> Option<usize> {
        if self.topology == usize::MAX {
            self.topology = ground.topologies.key(&self.constraint.topology_key, ground.nodes);
        }
        ground.topologies.domain(self.topology, node)
    }

    fn pods_in(&self, domain: usize) -> i64 {
        self.sums.get(domain).map_or(0, |sum| sum.0)
    }

    /// Matching pods on a node; `previous` is the count for the constraint before.
    fn count(&mut self, info: &NodeInfo, pod: &PodInfo, previous: i64) -> i64 {
        if self.like_previous {
            return previous;
        }
        let count = info.pods.iter().filter(|p| self.counts(p, &pod.namespace)).count() as i64;
        debug_assert_eq!(count, self.constraint.count(info, &pod.namespace));
        count
    }

    /// Whether a pod is one of those that are counted.
    fn counts(&mut self, pod: &PodInfo, namespace: &Text) -> bool {
        if pod.deletion.is_some() {
            return false;
        }
        if let Some((_, counts)) = self.met.iter().find(|(met, _)| met.shares_shape_with(pod)) {
            return *counts;
        }
        let counts = self.constraint.counts(pod, namespace);
        if self.met.len() == SHAPES {
            self.met.clear();
        }
        self.met.push((pod.clone(), counts));
        counts
    }
}

fn has_all_keys(node: &Node, sums: &[Sums]) -> bool {
    sums.iter().all(|s| node.labels.get(&s.constraint.topology_key).is_some())
}

fn are_alike(a: &[Sums], b: &[Sums]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.constraint == b.constraint)
}

/// Hard constraints.
pub(super) struct Hard {
    sums: Vec<Sums>,
    /// By constraint: whether the pod itself would count.
    counts_itself: Vec<bool>,
    /// By constraint: how many domains have how many pods.
    histograms: Vec<BTreeMap<i64, usize>>,
    /// By constraint: the most pods that a domain may have to take one more.
    limits: Vec<i64>,
}

impl Hard {
    /// Nothing counted yet.
    pub(super) fn new(constraints: Vec<Constraint>, pod: &PodInfo) -> Hard {
        Hard {
            counts_itself: constraints.iter().map(|c| c.selector.matches(&pod.labels)).collect(),
            histograms: vec![BTreeMap::new(); constraints.len()],
            limits: vec![0; constraints.len()],
            sums: Sums::all(constraints),
        }
    }

    /// The number in the emptiest domain; with too few domains it is taken to be none.
    fn minimum(&self, constraint: usize) -> i64 {
        let histogram = &self.histograms[constraint];
        let domains: usize = histogram.values().sum();
        if domains < self.sums[constraint].constraint.min_domains {
            return 0;
        }
        histogram.keys().next().copied().unwrap_or(i64::from(i32::MAX))
    }

    fn put(&mut self, constraint: usize, node: NodeIndex, share: Share) {
        let histogram = &mut self.histograms[constraint];
        self.sums[constraint].put(node, share, |before, after| {
            if before.1 > 0
                && let Some(count) = histogram.get_mut(&before.0)
            {
                *count -= 1;
                if *count == 0 {
                    histogram.remove(&before.0);
                }
            }
            if after.1 > 0 {
                *histogram.entry(after.0).or_default() += 1;
            }
        });
    }

    /// By constraint: whether the node's domain takes one more pod; `None`: the node has none.
    fn have_room<'a>(
        &'a self,
        topologies: &'a Topologies,
        node: NodeIndex,
    ) -> impl Iterator<Item = Option<bool>> + 'a {
        self.sums.iter().zip(&self.limits).map(move |(sums, limit)| {
            let domain = topologies.domain(sums.topology, node)?;
            Some(sums.pods_in(domain) <= *limit)
        })
    }
}

impl Tally for Hard {
    fn recount(
        &mut self,
        pod: &PodInfo,
        ground: &mut Ground<'_>,
        node: NodeIndex,
        _relabelled: bool,
    ) {
        let info = &ground.nodes[node.0 as usize];
        let complete = has_all_keys(&info.node, &self.sums);
        let mut pods = 0;
        for i in 0..self.sums.len() {
            let sums = &mut self.sums[i];
            pods = sums.count(info, pod, pods);
            let domain = sums.domain(ground, node);
            let is_member = complete && sums.constraint.includes(pod, &info.node);
            let domain = domain.filter(|_| is_member);
            self.put(i, node, domain.map_or(Share::NONE, |domain| Share::new(domain, pods)));
        }
    }

    fn leave(&mut self, node: NodeIndex) {
        (0..self.sums.len()).for_each(|i| self.put(i, node, Share::NONE));
    }

    /// Pods of the pod's namespace are counted, for each constraint.
    fn heeds_namespace(&self) -> bool {
        !self.sums.is_empty()
    }

    fn heeds_labels(&self) -> bool {
        false
    }

    fn counts_like(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<Hard>().is_some_and(|other| {
            are_alike(&self.sums, &other.sums) && self.counts_itself == other.counts_itself
        })
    }
}

impl FilterTally for Hard {
    fn prepare(&mut self) -> bool {
        for i in 0..self.sums.len() {
            let itself = i64::from(self.counts_itself[i]);
            self.limits[i] = self.sums[i].constraint.max_skew + self.minimum(i) - itself;
        }
        !self.sums.is_empty()
    }

    fn admits(&self, topologies: &Topologies, node: NodeIndex) -> bool {
        self.have_room(topologies, node).all(|room| room == Some(true))
    }

    fn verdict(&self, topologies: &Topologies, node: NodeIndex) -> Status {
        for room in self.have_room(topologies, node) {
            match room {
                None => return LABEL_MISSING,
                Some(false) => return NOT_MATCH,
                Some(true) => {}
            }
        }
        Status::SUCCESS
    }
}

/// Soft constraints.
pub(super) struct Soft {
    sums: Vec<Sums>,
    require_all_keys: bool,
    /// By constraint: whether its key is the hostname, where each node's own pods are counted.
    by_host: Vec<bool>,
    /// By node.
    places: Vec<Place>,
    /// By node, then by constraint: matching pods on the node.
    pods: Vec<u32>,
    /// By constraint and domain: the last cycle in which a feasible node lay there.
    seen: Vec<Vec<u64>>,
    cycle: u64,
    /// The most matching pods that a node has had.
    most_pods: u32,
    /// By constraint, then by domain or number of pods: what it adds to a score in this cycle.
    added: Vec<Vec<f64>>,
    /// By constraint: what no pods at all add.
    added_by_none: Vec<f64>,
    raw: Vec<i64>,
    normalized: Vec<i64>,
    cells: Cells,
}

/// What scoring wants to know of a node's labels: a bit for each constraint of which the node has
/// the key, and one more for nodes that are ignored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Place(u32);

impl Place {
    const IGNORED: u32 = 1 << MAX_SOFT_CONSTRAINTS;

    fn of(node: &Node, sums: &[Sums], require_all_keys: bool) -> Place {
        let has = |s: &Sums| node.labels.get(&s.constraint.topology_key).is_some();
        let bit = |(i, s)| u32::from(has(s)) << i;
        let keys: u32 = sums.iter().enumerate().map(bit).sum();
        let is_ignored = require_all_keys && !has_all_keys(node, sums);
        Place(if is_ignored { keys | Place::IGNORED } else { keys })
    }

    fn is_ignored(self) -> bool {
        self.0 & Place::IGNORED != 0
    }

    fn has_key(self, constraint: usize) -> bool {
        self.0 >> constraint & 1 == 1
    }
}

impl Soft {
    /// Nothing counted yet.
    pub(super) fn new(constraints: Vec<Constraint>, require_all_keys: bool) -> Soft {
        let by_host = |c: &Constraint| &*c.topology_key == HOSTNAME_LABEL;
        let count = constraints.len();
        Soft {
            by_host: constraints.iter().map(by_host).collect(),
            seen: vec![Vec::new(); constraints.len()],
            sums: Sums::all(constraints),
            require_all_keys,
            places: Vec::new(),
            pods: Vec::new(),
            cycle: 0,
            most_pods: 0,
            added: vec![Vec::new(); count],
            added_by_none: vec![0.0; count],
            raw: Vec::new(),
            normalized: Vec::new(),
            cells: Cells::default(),
        }
    }

    fn place(&self, node: NodeIndex) -> Place {
        self.places[node.0 as usize]
    }

    /// Counts the pods of a node, of which those of the first constraint are at `first`; whether
    /// any number is another than before.
    fn count(&mut self, info: &NodeInfo, pod: &PodInfo, first: usize) -> bool {
        let (mut pods, mut changes) = (0, false);
        for (sums, counted) in self.sums.iter_mut().zip(&mut self.pods[first..]) {
            pods = sums.count(info, pod, pods);
            changes |= std::mem::replace(counted, pods as u32) != pods as u32;
            self.most_pods = self.most_pods.max(pods as u32);
        }
        changes
    }

    /// By constraint: the logarithm of its number of domains among the feasible nodes.
    fn weights(&mut self, topologies: &Topologies, feasible: &[NodeIndex]) -> Vec<f64> {
        self.cycle += 1;
        let scored = feasible.iter().filter(|node| !self.place(**node).is_ignored()).count();
        let mut weights = Vec::with_capacity(self.sums.len());
        for (i, sums) in self.sums.iter().enumerate() {
            let mut size = scored;
            if !self.by_host[i] {
                size = 0;
                let seen = &mut self.seen[i];
                for node in feasible.iter().filter(|n| !self.places[n.0 as usize].is_ignored()) {
                    let domain = topologies.domain(sums.topology, *node).unwrap_or(EMPTY);
                    let last = at(seen, NodeIndex(domain as u32), 0);
                    size += usize::from(std::mem::replace(last, self.cycle) != self.cycle);
                }
            }
            weights.push(go_log((size + 2) as f64));
        }
        weights
    }

    /// Writes what each number of pods adds to a score, by constraint: the sum of its domain, or
    /// for the hostname the pods on the node.
    fn tabulate(&mut self, weights: &[f64]) {
        for (i, sums) in self.sums.iter().enumerate() {
            let add = |pods: i64| pods as f64 * weights[i] + (sums.constraint.max_skew - 1) as f64;
            let table = &mut self.added[i];
            table.clear();
            match self.by_host[i] {
                true => table.extend((0..=self.most_pods).map(|pods| add(i64::from(pods)))),
                false => table.extend(sums.sums.iter().map(|(pods, _)| add(*pods))),
            }
            self.added_by_none[i] = add(0);
        }
    }

    /// `Score`: see the plugin. Sums are made in its order.
    fn raw_score(&self, topologies: &Topologies, node: NodeIndex, place: Place) -> i64 {
        self.raw_sum(place, |i| match self.by_host[i] {
            true => self.pods[node.0 as usize * self.sums.len() + i] as usize,
            false => topologies.domain(self.sums[i].topology, node).unwrap_or(EMPTY),
        })
    }

    /// What constraints add together, each where `at` says.
    fn raw_sum(&self, place: Place, at: impl Fn(usize) -> usize) -> i64 {
        let mut score = 0.0;
        for i in (0..self.sums.len()).filter(|i| place.has_key(*i)) {
            score += self.added[i].get(at(i)).unwrap_or(&self.added_by_none[i]);
        }
        rounded(score)
    }
}

/// `score.round()` of a number that is not negative, without a call: the rest is exact.
fn rounded(score: f64) -> i64 {
    let whole = score as i64;
    whole + i64::from(score - whole as f64 >= 0.5)
}

impl Tally for Soft {
    fn recount(
        &mut self,
        pod: &PodInfo,
        ground: &mut Ground<'_>,
        node: NodeIndex,
        relabelled: bool,
    ) {
        let info = &ground.nodes[node.0 as usize];
        let first = node.0 as usize * self.sums.len();
        self.pods.resize(self.pods.len().max(first + self.sums.len()), 0);
        if !self.count(info, pod, first) && !relabelled {
            // Other pods came or went: no sum and no cell changes.
            return;
        }
        let place = at(&mut self.places, node, Place::default());
        if relabelled {
            *place = Place::of(&info.node, &self.sums, self.require_all_keys);
        }
        let is_ignored = place.is_ignored();
        let mut cell = Cell { place: *place, at: Vec::with_capacity(self.sums.len()) };
        for (i, sums) in self.sums.iter_mut().enumerate() {
            let pods = i64::from(self.pods[first + i]);
            if self.by_host[i] {
                cell.at.push(pods as usize);
                continue;
            }
            // A missing label counts as an empty one.
            let domain = sums.domain(ground, node).unwrap_or(EMPTY);
            cell.at.push(domain);
            let share = match !is_ignored && sums.constraint.includes(pod, &info.node) {
                true => Share::new(domain, pods),
                false => Share::NONE,
            };
            sums.put(node, share, |_, _| {});
        }
        self.cells.put(node, cell);
    }

    fn leave(&mut self, node: NodeIndex) {
        self.sums.iter_mut().for_each(|s| s.put(node, Share::NONE, |_, _| {}));
    }

    /// Pods of the pod's namespace are counted, for each constraint.
    fn heeds_namespace(&self) -> bool {
        !self.sums.is_empty()
    }

    fn heeds_labels(&self) -> bool {
        false
    }

    fn counts_like(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<Soft>().is_some_and(|other| are_alike(&self.sums, &other.sums))
    }
}

impl ScoreTally for Soft {
    fn is_silent(&self) -> bool {
        self.sums.is_empty()
    }

    fn add_scores(
        &mut self,
        topologies: &Topologies,
        feasible: &[NodeIndex],
        weight: i64,
        totals: &mut [i64],
    ) {
        if self.sums.is_empty() {
            return;
        }
        let scores = self.scores_of_cells(feasible);
        if let Some(scores) = scores {
            let scaled: Vec<i64> = scores.iter().map(|score| weight * score).collect();
            debug_assert_eq!(
                self.normalized_scores(topologies, feasible),
                feasible.iter().map(|node| self.cells.of(*node, &scores)).collect::<Vec<_>>(),
                "cells have the scores of their nodes"
            );
            return self.cells.add(feasible, &scaled, totals);
        }
        let scores = self.normalized_scores(topologies, feasible);
        scores.iter().zip(totals).for_each(|(score, total)| *total += weight * score);
    }
}

/// Stands for the score of a node that is not scored.
const IGNORED: i64 = i64::MIN;

/// At most so many different scores are tabulated.
const TABULATED: i64 = 512;

/// `NormalizeScore` of a node that is scored.
fn normalized(raw: i64, min: i64, max: i64) -> i64 {
    if max == 0 { MAX_NODE_SCORE } else { MAX_NODE_SCORE * (max + min - raw) / max }
}

impl Soft {
    /// By cell: the normalised score of its nodes; `None`: there are too many cells.
    fn scores_of_cells(&mut self, feasible: &[NodeIndex]) -> Option<Vec<i64>> {
        let mut counted = self.cells.count(feasible)?;
        counted.retain(|(cell, _)| !self.cells.get(*cell).place.is_ignored());
        let weights = self.weights_of_cells(&counted);
        self.tabulate(&weights);
        let raw = |cell: u32| {
            let Cell { place, at } = self.cells.get(cell);
            self.raw_sum(*place, |i| at[i])
        };
        let raw: Vec<(u32, i64)> = counted.iter().map(|(cell, _)| (*cell, raw(*cell))).collect();
        let min = raw.iter().map(|(_, raw)| *raw).min().unwrap_or(i64::MAX);
        let max = raw.iter().map(|(_, raw)| *raw).max().unwrap_or(i64::MIN);
        let mut scores = vec![0; self.cells.len()];
        for (cell, raw) in raw {
            scores[cell as usize] = normalized(raw, min, max);
        }
        Some(scores)
    }

    /// As [`Soft::weights`], from the cells of the feasible nodes that are scored.
    fn weights_of_cells(&self, counted: &[(u32, u32)]) -> Vec<f64> {
        let scored: usize = counted.iter().map(|(_, count)| *count as usize).sum();
        let domains = |i: usize| {
            let mut all: Vec<usize> =
                counted.iter().map(|(cell, _)| self.cells.get(*cell).at[i]).collect();
            all.sort_unstable();
            all.dedup();
            all.len()
        };
        let size = |i: usize| if self.by_host[i] { scored } else { domains(i) };
        (0..self.sums.len()).map(|i| go_log((size(i) + 2) as f64)).collect()
    }

    /// The normalised score of each feasible node, node by node.
    fn normalized_scores(&mut self, topologies: &Topologies, feasible: &[NodeIndex]) -> Vec<i64> {
        let weights = self.weights(topologies, feasible);
        self.tabulate(&weights);
        let mut raw = std::mem::take(&mut self.raw);
        raw.clear();
        let (mut min, mut max) = (i64::MAX, i64::MIN);
        for node in feasible {
            let place = self.place(*node);
            if place.is_ignored() {
                raw.push(IGNORED);
                continue;
            }
            let score = self.raw_score(topologies, *node, place);
            (min, max) = (min.min(score), max.max(score));
            raw.push(score);
        }
        self.tabulate_normalized(min, max);
        let score = |raw: &i64| match *raw {
            IGNORED => 0,
            raw => match self.normalized.get((raw - min) as usize) {
                Some(score) => *score,
                None => normalized(raw, min, max),
            },
        };
        let scores = raw.iter().map(score).collect();
        self.raw = raw;
        scores
    }

    /// Writes the normalised score of each raw one, unless there are too many.
    fn tabulate_normalized(&mut self, min: i64, max: i64) {
        self.normalized.clear();
        if min <= max && max - min < TABULATED {
            self.normalized.extend((min..=max).map(|raw| normalized(raw, min, max)));
        }
    }
}
