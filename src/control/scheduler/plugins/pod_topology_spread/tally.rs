//! Tallies of PodTopologySpread: matching pods per node and per domain, kept up to date instead of
//! counted anew in each cycle. What they say is what the plugin beside this folder says.

use super::{Constraint, LABEL_MISSING, NOT_MATCH, value_of};
use crate::api::node::{HOSTNAME_LABEL, Node};
use crate::control::scheduler::framework::{MAX_NODE_SCORE, NodeIndex, Status};
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::plugins::go_log::go_log;
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::scheduler::tally::{Domains, FilterTally, ScoreTally, Tally, at};
use std::any::Any;
use std::collections::BTreeMap;

/// Pods with more soft constraints take the plain path.
pub(super) const MAX_SOFT_CONSTRAINTS: usize = 64;

/// What one node adds to its domain.
#[derive(Clone, Copy, Default, PartialEq)]
struct Share {
    /// Whether the node is one of those over which pods are spread.
    is_member: bool,
    domain: u32,
    pods: i64,
}

/// One constraint with what lies in its domains.
struct Sums {
    constraint: Constraint,
    /// Whether its selector is that of the constraint before it, so that counts can be shared.
    like_previous: bool,
    domains: Domains,
    shares: Vec<Share>,
    /// By domain: matching pods, and the nodes that make the domain.
    sums: Vec<(i64, u32)>,
}

impl Sums {
    fn all(constraints: Vec<Constraint>) -> Vec<Sums> {
        let mut all: Vec<Sums> = Vec::with_capacity(constraints.len());
        for constraint in constraints {
            let before = all.last().map(|s| &s.constraint.selector);
            all.push(Sums {
                like_previous: before == Some(&constraint.selector),
                constraint,
                domains: Domains::default(),
                shares: Vec::new(),
                sums: Vec::new(),
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
        let old = std::mem::replace(at(&mut self.shares, node, Share::default()), new);
        if old == new {
            return;
        }
        let sums = &mut self.sums;
        let mut change = |share: Share, sign: i64| {
            if !share.is_member {
                return;
            }
            let domain = at(sums, NodeIndex(share.domain), (0, 0));
            let before = *domain;
            domain.0 += sign * share.pods;
            domain.1 = domain.1.wrapping_add_signed(sign as i32);
            changed(before, *domain);
        };
        change(old, -1);
        change(new, 1);
    }

    fn pods_in(&self, domain: usize) -> i64 {
        self.sums.get(domain).map_or(0, |sum| sum.0)
    }

    /// Matching pods on a node; `previous` is the count for the constraint before.
    fn count(&self, info: &NodeInfo, pod: &PodInfo, previous: i64) -> i64 {
        if self.like_previous { previous } else { self.constraint.count(info, &pod.namespace) }
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
}

impl Hard {
    /// Nothing counted yet.
    pub(super) fn new(constraints: Vec<Constraint>, pod: &PodInfo) -> Hard {
        Hard {
            counts_itself: constraints.iter().map(|c| c.selector.matches(&pod.labels)).collect(),
            histograms: vec![BTreeMap::new(); constraints.len()],
            sums: Sums::all(constraints),
        }
    }

    /// The number in the emptiest domain; with too few domains it is taken to be none.
    fn minimum(&self, constraint: usize) -> i64 {
        let histogram = &self.histograms[constraint];
        let min_domains = self.sums[constraint].constraint.min_domains;
        // Few numbers differ, but there may be as many domains as nodes.
        let mut domains = 0;
        if !histogram.values().any(|count| {
            domains += count;
            domains >= min_domains
        }) && min_domains > 0
        {
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

    fn is_too_full(&self, constraint: usize, domain: usize) -> bool {
        let sums = &self.sums[constraint];
        let itself = i64::from(self.counts_itself[constraint]);
        sums.pods_in(domain) + itself - self.minimum(constraint) > sums.constraint.max_skew
    }
}

impl Tally for Hard {
    fn recount(&mut self, pod: &PodInfo, nodes: &[NodeInfo], node: NodeIndex, relabelled: bool) {
        let info = &nodes[node.0 as usize];
        let complete = has_all_keys(&info.node, &self.sums);
        let mut pods = 0;
        for i in 0..self.sums.len() {
            let sums = &mut self.sums[i];
            if relabelled {
                sums.domains.set(node, info.node.labels.get(&sums.constraint.topology_key));
            }
            pods = sums.count(info, pod, pods);
            let is_member = complete && sums.constraint.includes(pod, &info.node);
            let share = match sums.domains.of(node).filter(|_| is_member) {
                Some(domain) => Share { is_member, domain: domain as u32, pods },
                None => Share::default(),
            };
            self.put(i, node, share);
        }
    }

    fn leave(&mut self, node: NodeIndex) {
        (0..self.sums.len()).for_each(|i| self.put(i, node, Share::default()));
    }

    fn counts_like(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<Hard>().is_some_and(|other| are_alike(&self.sums, &other.sums))
    }
}

impl FilterTally for Hard {
    fn may_reject(&self) -> bool {
        !self.sums.is_empty()
    }

    fn admits(&self, node: NodeIndex) -> bool {
        let mut constraints = self.sums.iter().enumerate();
        constraints
            .all(|(i, s)| s.domains.of(node).is_some_and(|domain| !self.is_too_full(i, domain)))
    }

    fn verdict(&self, node: NodeIndex) -> Status {
        for (i, sums) in self.sums.iter().enumerate() {
            match sums.domains.of(node) {
                None => return LABEL_MISSING,
                Some(domain) if self.is_too_full(i, domain) => return NOT_MATCH,
                Some(_) => {}
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
    raw: Vec<i64>,
}

/// What scoring wants to know of a node's labels.
#[derive(Clone, Copy, Default)]
struct Place {
    is_ignored: bool,
    /// A bit for each constraint: the node has the key.
    keys: u64,
}

impl Place {
    fn of(node: &Node, sums: &[Sums], require_all_keys: bool) -> Place {
        let has = |s: &Sums| node.labels.get(&s.constraint.topology_key).is_some();
        let bit = |(i, s)| u64::from(has(s)) << i;
        let is_ignored = require_all_keys && !has_all_keys(node, sums);
        Place { is_ignored, keys: sums.iter().enumerate().map(bit).sum() }
    }
}

impl Soft {
    /// Nothing counted yet.
    pub(super) fn new(constraints: Vec<Constraint>, require_all_keys: bool) -> Soft {
        let by_host = |c: &Constraint| &*c.topology_key == HOSTNAME_LABEL;
        Soft {
            by_host: constraints.iter().map(by_host).collect(),
            seen: vec![Vec::new(); constraints.len()],
            sums: Sums::all(constraints),
            require_all_keys,
            places: Vec::new(),
            pods: Vec::new(),
            cycle: 0,
            raw: Vec::new(),
        }
    }

    fn place(&self, node: NodeIndex) -> Place {
        self.places[node.0 as usize]
    }

    /// By constraint: the logarithm of its number of domains among the feasible nodes.
    fn weights(&mut self, feasible: &[NodeIndex]) -> Vec<f64> {
        self.cycle += 1;
        let mut scored = 0;
        let mut domains = vec![0; self.sums.len()];
        for node in feasible {
            if self.place(*node).is_ignored {
                continue;
            }
            scored += 1;
            for (i, sums) in self.sums.iter().enumerate().filter(|(i, _)| !self.by_host[*i]) {
                let Some(domain) = sums.domains.of(*node) else { continue };
                let seen = at(&mut self.seen[i], NodeIndex(domain as u32), 0);
                domains[i] += usize::from(std::mem::replace(seen, self.cycle) != self.cycle);
            }
        }
        let size = |i: usize| if self.by_host[i] { scored } else { domains[i] };
        (0..self.sums.len()).map(|i| go_log((size(i) + 2) as f64)).collect()
    }

    /// `Score`: see the plugin.
    fn raw_score(&self, node: NodeIndex, place: Place, weights: &[f64]) -> i64 {
        let mut score = 0.0;
        for (i, sums) in self.sums.iter().enumerate().filter(|(i, _)| place.keys >> *i & 1 == 1) {
            let count = match sums.domains.of(node).filter(|_| !self.by_host[i]) {
                Some(domain) => sums.pods_in(domain),
                None => i64::from(self.pods[node.0 as usize * self.sums.len() + i]),
            };
            score += count as f64 * weights[i] + (sums.constraint.max_skew - 1) as f64;
        }
        score.round() as i64
    }
}

impl Tally for Soft {
    fn recount(&mut self, pod: &PodInfo, nodes: &[NodeInfo], node: NodeIndex, relabelled: bool) {
        let info = &nodes[node.0 as usize];
        let place = at(&mut self.places, node, Place::default());
        if relabelled {
            *place = Place::of(&info.node, &self.sums, self.require_all_keys);
        }
        let is_ignored = place.is_ignored;
        let first = node.0 as usize * self.sums.len();
        self.pods.resize(self.pods.len().max(first + self.sums.len()), 0);
        let mut pods = 0;
        for (i, sums) in self.sums.iter_mut().enumerate() {
            pods = sums.count(info, pod, pods);
            self.pods[first + i] = pods as u32;
            if self.by_host[i] {
                continue;
            }
            if relabelled {
                let value = value_of(&info.node, &sums.constraint.topology_key);
                sums.domains.set(node, Some(&value));
            }
            let is_member = !is_ignored && sums.constraint.includes(pod, &info.node);
            let share = match sums.domains.of(node).filter(|_| is_member) {
                Some(domain) => Share { is_member, domain: domain as u32, pods },
                None => Share::default(),
            };
            sums.put(node, share, |_, _| {});
        }
    }

    fn leave(&mut self, node: NodeIndex) {
        self.sums.iter_mut().for_each(|s| s.put(node, Share::default(), |_, _| {}));
    }

    fn counts_like(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<Soft>().is_some_and(|other| are_alike(&self.sums, &other.sums))
    }
}

impl ScoreTally for Soft {
    fn add_scores(&mut self, feasible: &[NodeIndex], weight: i64, totals: &mut [i64]) {
        if self.sums.is_empty() {
            return;
        }
        let weights = self.weights(feasible);
        let mut raw = std::mem::take(&mut self.raw);
        raw.clear();
        let (mut min, mut max) = (i64::MAX, i64::MIN);
        for node in feasible {
            let place = self.place(*node);
            if place.is_ignored {
                raw.push(0);
                continue;
            }
            let score = self.raw_score(*node, place, &weights);
            (min, max) = (min.min(score), max.max(score));
            raw.push(score);
        }
        for ((node, raw), total) in feasible.iter().zip(&raw).zip(totals) {
            let score = match (self.place(*node).is_ignored, max) {
                (true, _) => 0,
                (false, 0) => MAX_NODE_SCORE,
                (false, _) => MAX_NODE_SCORE * (max + min - *raw) / max,
            };
            *total += weight * score;
        }
        self.raw = raw;
    }
}
