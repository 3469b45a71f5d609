//! Tallies of InterPodAffinity: what the pods on each node mean for pods of one kind, and the sums
//! per topology domain, kept up to date instead of counted anew in each cycle. What they say is
//! what the plugin beside this folder says.

use super::{
    AFFINITY, ANTI_AFFINITY, EXISTING_ANTI_AFFINITY, InterPodAffinity, matches, matches_all,
    namespace_labels, with_namespaces,
};
use crate::api::Text;
use crate::api::labels::Labels;
use crate::control::scheduler::framework::{MAX_NODE_SCORE, NodeIndex, Status};
use crate::control::scheduler::objects::Objects;
use crate::control::scheduler::pod_info::{AffinityTerm, AffinityTerms, PodInfo};
use crate::control::scheduler::tally::{FilterTally, Ground, ScoreTally, Tally};
use crate::control::scheduler::topologies::{Topologies, at};
use std::any::Any;

/// What a node adds to the sums: key, domain, amount.
type Shares = Box<[(u32, u32, i64)]>;

/// Sums by topology key and domain, with what each node adds to them.
#[derive(Default)]
struct Sums {
    keys: Vec<Key>,
    shares: Vec<Shares>,
    /// How many sums are not zero.
    not_zero: usize,
}

struct Key {
    name: Text,
    /// Its number among the topologies.
    topology: usize,
    sums: Vec<i64>,
}

impl Sums {
    /// The place of a key.
    fn key(&mut self, name: &Text, ground: &mut Ground<'_>) -> usize {
        if let Some(known) = self.keys.iter().position(|k| k.name == *name) {
            return known;
        }
        let topology = ground.topologies.key(name, ground.nodes);
        self.keys.push(Key { name: name.clone(), topology, sums: Vec::new() });
        self.keys.len() - 1
    }

    /// Puts new amounts, by topology key, in the place of what the node added before.
    fn put<'a>(
        &mut self,
        node: NodeIndex,
        amounts: impl IntoIterator<Item = (&'a Text, i64)>,
        ground: &mut Ground<'_>,
    ) {
        self.take(node);
        let mut shares: Vec<(u32, u32, i64)> = Vec::new();
        for (name, amount) in amounts {
            let key = self.key(name, ground);
            let topology = self.keys[key].topology;
            let Some(domain) = ground.topologies.domain(topology, node) else { continue };
            let place = (key as u32, domain as u32);
            match shares.iter_mut().find(|(k, d, _)| (*k, *d) == place) {
                Some(share) => share.2 += amount,
                None => shares.push((place.0, place.1, amount)),
            }
        }
        shares.iter().for_each(|(key, domain, amount)| self.add(*key, *domain, *amount));
        if !shares.is_empty() {
            *at(&mut self.shares, node, Shares::default()) = shares.into();
        }
    }

    fn take(&mut self, node: NodeIndex) {
        let Some(shares) = self.shares.get_mut(node.0 as usize) else { return };
        for (key, domain, amount) in std::mem::take(shares) {
            self.add(key, domain, -amount);
        }
    }

    fn add(&mut self, key: u32, domain: u32, amount: i64) {
        let sum = at(&mut self.keys[key as usize].sums, NodeIndex(domain), 0);
        let was_zero = *sum == 0;
        *sum += amount;
        match (was_zero, *sum == 0) {
            (true, false) => self.not_zero += 1,
            (false, true) => self.not_zero -= 1,
            _ => {}
        }
    }

    /// By key: the sum in the node's domain; `None` where the node lacks the key.
    fn at<'a>(
        &'a self,
        topologies: &'a Topologies,
        node: NodeIndex,
    ) -> impl Iterator<Item = Option<i64>> + 'a {
        self.keys.iter().map(move |key| {
            let domain = topologies.domain(key.topology, node)?;
            Some(key.sums.get(domain).copied().unwrap_or(0))
        })
    }

    fn is_above_zero_at(&self, topologies: &Topologies, node: NodeIndex) -> bool {
        self.not_zero > 0 && self.at(topologies, node).flatten().any(|sum| sum > 0)
    }
}

/// Required affinity and anti-affinity, the pod's own and that of pods that are there.
pub(super) struct Required {
    affinity_terms: Vec<AffinityTerm>,
    anti_affinity_terms: Vec<AffinityTerm>,
    namespace: Labels,
    matches_itself: bool,
    affinity: Sums,
    anti_affinity: Sums,
    existing_anti_affinity: Sums,
}

impl Required {
    /// Nothing counted yet.
    pub(super) fn new(pod: &PodInfo, objects: &Objects) -> Required {
        let ready = |terms: fn(&AffinityTerms) -> &Vec<AffinityTerm>| -> Vec<AffinityTerm> {
            let own = pod.affinity.as_deref();
            own.into_iter().flat_map(terms).map(|t| with_namespaces(t, objects)).collect()
        };
        let affinity_terms = ready(|a| &a.required);
        let anti_affinity_terms = ready(|a| &a.required_anti);
        Required {
            matches_itself: matches_all(&affinity_terms, pod),
            affinity: Sums::default(),
            anti_affinity: Sums::default(),
            existing_anti_affinity: Sums::default(),
            namespace: namespace_labels(pod, objects),
            affinity_terms,
            anti_affinity_terms,
        }
    }

    /// `nodeTopologyMatchesAffinity`: see the plugin.
    fn affinity_holds(&self, topologies: &Topologies, node: NodeIndex) -> bool {
        let mut pods_exist = true;
        for sum in self.affinity.at(topologies, node) {
            let Some(sum) = sum else { return false };
            pods_exist &= sum > 0;
        }
        pods_exist || (self.affinity.not_zero == 0 && self.matches_itself)
    }
}

impl Tally for Required {
    fn recount(
        &mut self,
        pod: &PodInfo,
        ground: &mut Ground<'_>,
        node: NodeIndex,
        _relabelled: bool,
    ) {
        let info = &ground.nodes[node.0 as usize];
        if !self.affinity_terms.is_empty() {
            for term in &self.affinity_terms {
                // Known keys are judged on all nodes, also while nothing matches anywhere.
                self.affinity.key(&term.topology_key, ground);
            }
            let count = info.pods.iter().filter(|p| matches_all(&self.affinity_terms, p)).count();
            let found = self.affinity_terms.iter().filter(|_| count > 0);
            let amounts = found.map(|term| (&term.topology_key, count as i64));
            self.affinity.put(node, amounts, ground);
        }
        if !self.anti_affinity_terms.is_empty() {
            let none = Labels::default();
            let count =
                |t: &AffinityTerm| info.pods.iter().filter(|p| matches(t, p, &none)).count();
            let counts =
                self.anti_affinity_terms.iter().map(|t| (&t.topology_key, count(t) as i64));
            self.anti_affinity.put(node, counts.filter(|(_, count)| *count > 0), ground);
        }
        let others = info.rare().pods_with_required_anti_affinity.iter();
        let terms = others.flat_map(|p| &p.affinity).flat_map(|a| &a.required_anti);
        let about = terms.filter(|t| matches(t, pod, &self.namespace));
        self.existing_anti_affinity.put(node, about.map(|t| (&t.topology_key, 1)), ground);
    }

    fn leave(&mut self, node: NodeIndex) {
        self.affinity.take(node);
        self.anti_affinity.take(node);
        self.existing_anti_affinity.take(node);
    }

    /// It goes by the namespace's labels, and by terms that list namespaces.
    fn heeds_namespace(&self) -> bool {
        false
    }

    fn heeds_labels(&self) -> bool {
        false
    }

    fn counts_like(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<Required>().is_some_and(|other| {
            self.affinity_terms == other.affinity_terms
                && self.anti_affinity_terms == other.anti_affinity_terms
                && self.matches_itself == other.matches_itself
                && self.namespace == other.namespace
        })
    }
}

impl FilterTally for Required {
    fn prepare(&mut self) -> bool {
        !self.affinity_terms.is_empty()
            || self.anti_affinity.not_zero > 0
            || self.existing_anti_affinity.not_zero > 0
    }

    fn admits(&self, topologies: &Topologies, node: NodeIndex) -> bool {
        self.affinity_holds(topologies, node)
            && !self.anti_affinity.is_above_zero_at(topologies, node)
            && !self.existing_anti_affinity.is_above_zero_at(topologies, node)
    }

    fn verdict(&self, topologies: &Topologies, node: NodeIndex) -> Status {
        if !self.affinity_holds(topologies, node) {
            return AFFINITY;
        }
        if self.anti_affinity.is_above_zero_at(topologies, node) {
            return ANTI_AFFINITY;
        }
        if self.existing_anti_affinity.is_above_zero_at(topologies, node) {
            return EXISTING_ANTI_AFFINITY;
        }
        Status::SUCCESS
    }
}

/// Preferred affinity and anti-affinity, the pod's own and that of pods that are there.
pub(super) struct Preferred {
    plugin: InterPodAffinity,
    own: AffinityTerms,
    has_own: bool,
    namespace: Labels,
    weights: Sums,
    raw: Vec<i64>,
}

impl Preferred {
    /// Nothing counted yet.
    pub(super) fn new(plugin: &InterPodAffinity, pod: &PodInfo, objects: &Objects) -> Preferred {
        let own = plugin.own_preferences(pod, objects);
        Preferred {
            plugin: plugin.clone(),
            has_own: !own.preferred.is_empty() || !own.preferred_anti.is_empty(),
            own,
            namespace: namespace_labels(pod, objects),
            weights: Sums::default(),
            raw: Vec::new(),
        }
    }
}

impl Tally for Preferred {
    fn recount(
        &mut self,
        pod: &PodInfo,
        ground: &mut Ground<'_>,
        node: NodeIndex,
        _relabelled: bool,
    ) {
        let info = &ground.nodes[node.0 as usize];
        if self.plugin.args.ignore_preferred_terms_of_existing_pods && !self.has_own {
            return;
        }
        let others = if self.has_own { &info.pods } else { &info.rare().pods_with_affinity };
        let mut amounts: Vec<(&Text, i64)> = Vec::new();
        for other in others {
            let add = |key, weight| amounts.push((key, weight));
            self.plugin.weigh(&self.own, pod, &self.namespace, other, add);
        }
        self.weights.put(node, amounts, ground);
    }

    fn leave(&mut self, node: NodeIndex) {
        self.weights.take(node);
    }

    /// It goes by the namespace's labels, and by terms that list namespaces.
    fn heeds_namespace(&self) -> bool {
        false
    }

    fn heeds_labels(&self) -> bool {
        false
    }

    fn counts_like(&self, other: &dyn Any) -> bool {
        let same = |other: &Preferred| self.own == other.own && self.namespace == other.namespace;
        other.downcast_ref::<Preferred>().is_some_and(same)
    }
}

impl ScoreTally for Preferred {
    fn is_silent(&self) -> bool {
        self.weights.not_zero == 0
    }

    fn add_scores(
        &mut self,
        topologies: &Topologies,
        feasible: &[NodeIndex],
        weight: i64,
        totals: &mut [i64],
    ) {
        if self.weights.not_zero == 0 {
            return;
        }
        let mut raw = std::mem::take(&mut self.raw);
        raw.clear();
        raw.extend(feasible.iter().map(|n| self.weights.at(topologies, *n).flatten().sum::<i64>()));
        let min = raw.iter().copied().min().unwrap_or(0);
        let span = raw.iter().copied().max().unwrap_or(0) - min;
        if span != 0 {
            for (raw, total) in raw.iter().zip(totals) {
                let share = (raw - min) as f64 / span as f64;
                *total += weight * (MAX_NODE_SCORE as f64 * share) as i64;
            }
        }
        self.raw = raw;
    }
}
