//! InterPodAffinity: be where certain pods are, or where they are not; required and preferred, the
//! pod's own wishes and those of pods that are there already.
//!
//! Source: `plugins/interpodaffinity/`, v1.37, gate InterPodAffinityHostnameFastPath off as by
//! default (it changes no decision).

mod tally;

use crate::api::Text;
use crate::api::labels::{Labels, Selector};
use crate::api::node::Node;
use crate::control::scheduler::event::{Action, ClusterEvent, EventObjects, Resource};
use crate::control::scheduler::framework::{
    Aspects, Context, EnqueueExtensions, FilterPlugin, MAX_NODE_SCORE, NodeList, PluginState,
    PreFilter, PreFilterPlugin, PreScore, PreScorePlugin, QueueingHint, ScorePlugin, SignPlugin,
    Status,
};
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::objects::Objects;
use crate::control::scheduler::pod_info::{AffinityTerm, AffinityTerms, PodInfo};
use crate::control::scheduler::registry::decode;
use crate::control::scheduler::tally::{FilterTally, ScoreTally};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

const AFFINITY: Status = Status::unresolvable(&["node(s) didn't match pod affinity rules"]);
const ANTI_AFFINITY: Status =
    Status::unschedulable(&["node(s) didn't match pod anti-affinity rules"]);
const EXISTING_ANTI_AFFINITY: Status =
    Status::unschedulable(&["node(s) didn't satisfy existing pods anti-affinity rules"]);

/// Filters and scores by affinity between pods.
#[derive(Clone)]
pub struct InterPodAffinity {
    args: Args,
}

/// `InterPodAffinityArgs`.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Args {
    hard_pod_affinity_weight: i32,
    ignore_preferred_terms_of_existing_pods: bool,
}

impl Default for Args {
    fn default() -> Args {
        Args { hard_pod_affinity_weight: 1, ignore_preferred_terms_of_existing_pods: false }
    }
}

/// Numbers by topology key and value.
#[derive(Clone, Default)]
struct Counts(Vec<(Text, BTreeMap<Text, i64>)>);

impl Counts {
    /// Adds to what lies at the node's value of `key`, if it has one; an entry that becomes 0 goes
    /// when `drop_zero`.
    fn add(&mut self, node: &Node, key: &Text, amount: i64, drop_zero: bool) {
        let Some(value) = node.labels.get(key) else { return };
        let at = match self.0.iter().position(|(k, _)| k == key) {
            Some(at) => at,
            None => {
                self.0.push((key.clone(), BTreeMap::new()));
                self.0.len() - 1
            }
        };
        let counts = &mut self.0[at].1;
        match counts.get_mut(value) {
            Some(count) => {
                *count += amount;
                if *count == 0 && drop_zero {
                    counts.remove(value);
                }
            }
            None => {
                counts.insert(value.clone(), amount);
            }
        }
    }

    fn get(&self, key: &Text, value: &Text) -> i64 {
        let counts = self.0.iter().find(|(k, _)| k == key);
        counts.and_then(|(_, counts)| counts.get(value)).copied().unwrap_or(0)
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|(_, counts)| counts.is_empty())
    }

    /// What lies at the node's values of all keys.
    fn at<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = i64> + 'a {
        self.0.iter().filter_map(|(key, counts)| counts.get(node.labels.get(key)?).copied())
    }
}

/// Whether the term speaks of `pod`, whose namespace has these labels (`AffinityTerm.Matches`).
fn matches(term: &AffinityTerm, pod: &PodInfo, namespace: &Labels) -> bool {
    (term.namespaces.contains(&pod.namespace) || term.namespace_selector.matches(namespace))
        && term.selector.matches(&pod.labels)
}

/// Whether there are terms and `pod` matches all of them. Its namespace's labels are not looked
/// at: see [`with_namespaces`].
fn matches_all(terms: &[AffinityTerm], pod: &PodInfo) -> bool {
    !terms.is_empty() && terms.iter().all(|t| matches(t, pod, &Labels::default()))
}

fn matches_any(terms: &[AffinityTerm], pod: &PodInfo) -> bool {
    terms.iter().any(|t| matches(t, pod, &Labels::default()))
}

/// The term with the namespaces that its selector finds listed by name, unless it is all
/// (`mergeAffinityTermNamespacesIfNotEmpty`).
fn with_namespaces(term: &AffinityTerm, objects: &Objects) -> AffinityTerm {
    let mut term = term.clone();
    if matches!(&term.namespace_selector, Selector::All(r) if r.is_empty()) {
        return term;
    }
    let selected = objects.namespaces.iter();
    let selected = selected.filter(|(_, labels)| term.namespace_selector.matches(labels));
    term.namespaces.extend(selected.map(|(name, _)| name.clone()));
    term.namespace_selector = Selector::Nothing;
    term
}

fn namespace_labels(pod: &PodInfo, objects: &Objects) -> Labels {
    objects.namespaces.get(&pod.namespace).cloned().unwrap_or_default()
}

/// What PreFilter finds out for Filter.
#[derive(Clone)]
struct Required {
    affinity_terms: Arc<[AffinityTerm]>,
    anti_affinity_terms: Arc<[AffinityTerm]>,
    namespace: Labels,
    /// Pods that match all affinity terms.
    affinity: Counts,
    /// Pods that match an anti-affinity term.
    anti_affinity: Counts,
    /// Pods whose own anti-affinity terms speak of the pod.
    existing_anti_affinity: Counts,
    matches_itself: bool,
}

impl Required {
    fn update(&mut self, pod: &PodInfo, other: &PodInfo, node: &Node, amount: i64) {
        let existing = other.affinity.iter().flat_map(|a| &a.required_anti);
        for term in existing.filter(|t| matches(t, pod, &self.namespace)) {
            self.existing_anti_affinity.add(node, &term.topology_key, amount, true);
        }
        self.update_own(other, node, amount);
    }

    fn update_own(&mut self, other: &PodInfo, node: &Node, amount: i64) {
        if matches_all(&self.affinity_terms, other) {
            for term in self.affinity_terms.iter() {
                self.affinity.add(node, &term.topology_key, amount, true);
            }
        }
        let no_labels = Labels::default();
        for term in self.anti_affinity_terms.iter().filter(|t| matches(t, other, &no_labels)) {
            self.anti_affinity.add(node, &term.topology_key, amount, true);
        }
    }

    /// `nodeTopologyMatchesAffinity`: each term finds a pod in the node's topology. Where no pod
    /// matches anywhere, a pod that matches its own terms may be the first.
    fn affinity_holds(&self, node: &Node) -> bool {
        let mut pods_exist = true;
        for term in self.affinity_terms.iter() {
            let Some(value) = node.labels.get(&term.topology_key) else { return false };
            pods_exist &= self.affinity.get(&term.topology_key, value) > 0;
        }
        pods_exist || (self.affinity.is_empty() && self.matches_itself)
    }

    fn anti_affinity_holds(&self, node: &Node) -> bool {
        let conflicts = |term: &AffinityTerm| {
            let value = node.labels.get(&term.topology_key);
            value.is_some_and(|value| self.anti_affinity.get(&term.topology_key, value) > 0)
        };
        !self.anti_affinity_terms.iter().any(conflicts)
    }
}

impl PreFilterPlugin for InterPodAffinity {
    fn pre_filter(&self, cx: &Context<'_>, pod: &PodInfo) -> PreFilter {
        let own = pod.affinity.as_deref();
        let has_own = own.is_some_and(|a| !a.required.is_empty() || !a.required_anti.is_empty());
        if !has_own && cx.with_required_anti_affinity.is_empty() {
            return PreFilter::Skip;
        }
        let ready = |terms: fn(&AffinityTerms) -> &Vec<AffinityTerm>| -> Arc<[AffinityTerm]> {
            own.into_iter().flat_map(terms).map(|t| with_namespaces(t, cx.objects)).collect()
        };
        let affinity_terms = ready(|a| &a.required);
        let mut required = Required {
            matches_itself: matches_all(&affinity_terms, pod),
            affinity_terms,
            anti_affinity_terms: ready(|a| &a.required_anti),
            namespace: namespace_labels(pod, cx.objects),
            affinity: Counts::default(),
            anti_affinity: Counts::default(),
            existing_anti_affinity: Counts::default(),
        };
        for info in cx.with_required_anti_affinity.iter() {
            for other in &info.rare().pods_with_required_anti_affinity {
                let existing = other.affinity.iter().flat_map(|a| &a.required_anti);
                for term in existing.filter(|t| matches(t, pod, &required.namespace)) {
                    required.existing_anti_affinity.add(&info.node, &term.topology_key, 1, true);
                }
            }
        }
        if has_own {
            for info in cx.nodes.iter() {
                for other in &info.pods {
                    required.update_own(other, &info.node, 1);
                }
            }
        } else if required.existing_anti_affinity.is_empty() {
            return PreFilter::Skip;
        }
        PreFilter::with(required)
    }

    fn add_pod(&self, state: &mut PluginState, pod: &PodInfo, added: &PodInfo, node: &NodeInfo) {
        if let Some(required) = state.get_mut::<Required>() {
            required.update(pod, added, &node.node, 1);
        }
    }

    fn remove_pod(
        &self,
        state: &mut PluginState,
        pod: &PodInfo,
        removed: &PodInfo,
        node: &NodeInfo,
    ) {
        if let Some(required) = state.get_mut::<Required>() {
            required.update(pod, removed, &node.node, -1);
        }
    }
}

impl FilterPlugin for InterPodAffinity {
    fn tally(&self, pod: &PodInfo, objects: &Objects) -> Option<Box<dyn FilterTally>> {
        Some(Box::new(tally::Required::new(pod, objects)))
    }

    fn filter(
        &self,
        _cx: &Context<'_>,
        state: &PluginState,
        _pod: &PodInfo,
        node: &NodeInfo,
    ) -> Status {
        let Some(required) = state.get::<Required>() else { return Status::SUCCESS };
        if !required.affinity_holds(&node.node) {
            return AFFINITY;
        }
        if !required.anti_affinity_holds(&node.node) {
            return ANTI_AFFINITY;
        }
        if required.existing_anti_affinity.at(&node.node).any(|count| count > 0) {
            return EXISTING_ANTI_AFFINITY;
        }
        Status::SUCCESS
    }
}

/// What PreScore finds out for Score: sums of weights.
#[derive(Clone)]
struct Preferred(Counts);

impl InterPodAffinity {
    /// From `InterPodAffinityArgs`.
    pub fn new(args: &Value) -> Result<InterPodAffinity, String> {
        Ok(InterPodAffinity { args: decode(args)? })
    }

    /// The pod's own preferences, namespaces by name.
    fn own_preferences(&self, pod: &PodInfo, objects: &Objects) -> AffinityTerms {
        let ready = |terms: &Vec<(i32, AffinityTerm)>| {
            terms.iter().map(|(w, t)| (*w, with_namespaces(t, objects))).collect()
        };
        pod.affinity.as_deref().map_or_else(AffinityTerms::default, |a| AffinityTerms {
            preferred: ready(&a.preferred),
            preferred_anti: ready(&a.preferred_anti),
            ..AffinityTerms::default()
        })
    }

    /// Tells what `other` means for `pod`: weights by topology key (`processExistingPod`).
    fn weigh<'a>(
        &self,
        own: &'a AffinityTerms,
        pod: &PodInfo,
        namespace: &Labels,
        other: &'a PodInfo,
        mut add: impl FnMut(&'a Text, i64),
    ) {
        let no_labels = Labels::default();
        let mut heed = |term: &'a AffinityTerm, weight: i32, about: &PodInfo, labels: &Labels| {
            if matches(term, about, labels) {
                add(&term.topology_key, i64::from(weight));
            }
        };
        for (weight, term) in &own.preferred {
            heed(term, *weight, other, &no_labels);
        }
        for (weight, term) in &own.preferred_anti {
            heed(term, -weight, other, &no_labels);
        }
        let Some(theirs) = &other.affinity else { return };
        if self.args.hard_pod_affinity_weight > 0 {
            for term in &theirs.required {
                heed(term, self.args.hard_pod_affinity_weight, pod, namespace);
            }
        }
        for (weight, term) in &theirs.preferred {
            heed(term, *weight, pod, namespace);
        }
        for (weight, term) in &theirs.preferred_anti {
            heed(term, -weight, pod, namespace);
        }
    }
}

impl PreScorePlugin for InterPodAffinity {
    fn pre_score(&self, cx: &Context<'_>, pod: &PodInfo, _feasible: NodeList<'_>) -> PreScore {
        let given = pod.affinity.as_deref();
        let has_own =
            given.is_some_and(|a| !a.preferred.is_empty() || !a.preferred_anti.is_empty());
        if self.args.ignore_preferred_terms_of_existing_pods && !has_own {
            return PreScore::Skip;
        }
        let nodes = if has_own { cx.nodes } else { cx.with_affinity };
        if nodes.is_empty() {
            return PreScore::Skip;
        }
        let own = self.own_preferences(pod, cx.objects);
        let namespace = namespace_labels(pod, cx.objects);
        let mut sums = Counts::default();
        for info in nodes.iter() {
            let others = if has_own { &info.pods } else { &info.rare().pods_with_affinity };
            for other in others {
                let add = |key: &Text, weight| sums.add(&info.node, key, weight, false);
                self.weigh(&own, pod, &namespace, other, add);
            }
        }
        if sums.0.is_empty() {
            return PreScore::Skip;
        }
        PreScore::Continue(PluginState::new(Preferred(sums)))
    }
}

impl ScorePlugin for InterPodAffinity {
    fn tally(&self, pod: &PodInfo, objects: &Objects) -> Option<Box<dyn ScoreTally>> {
        Some(Box::new(tally::Preferred::new(self, pod, objects)))
    }

    fn score(
        &self,
        _cx: &Context<'_>,
        state: &PluginState,
        _pod: &PodInfo,
        node: &NodeInfo,
    ) -> i64 {
        state.get::<Preferred>().map_or(0, |sums| sums.0.at(&node.node).sum())
    }

    fn normalize(
        &self,
        _state: &PluginState,
        _pod: &PodInfo,
        _feasible: NodeList<'_>,
        scores: &mut [i64],
    ) {
        let min = scores.iter().copied().min().unwrap_or(0);
        let span = scores.iter().copied().max().unwrap_or(0) - min;
        for score in scores {
            *score = match span {
                0 => 0,
                _ => (MAX_NODE_SCORE as f64 * ((*score - min) as f64 / span as f64)) as i64,
            };
        }
    }
}

impl EnqueueExtensions for InterPodAffinity {
    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const PODS: Action = Action::ADD.or(Action::UPDATE_POD_LABEL).or(Action::DELETE);
        const EVENTS: [ClusterEvent; 3] = [
            ClusterEvent::new(Resource::AssignedPod, PODS),
            ClusterEvent::new(Resource::TargetPod, Action::UPDATE_POD_LABEL),
            ClusterEvent::new(Resource::Node, Action::ADD.or(Action::UPDATE_NODE_LABEL)),
        ];
        &EVENTS
    }

    fn queueing_hint(
        &self,
        _objects: &Objects,
        pod: &PodInfo,
        event: ClusterEvent,
        change: &EventObjects<'_>,
    ) -> QueueingHint {
        let none = AffinityTerms::default();
        let own = pod.affinity.as_deref().unwrap_or(&none);
        let helps = match change {
            EventObjects::None | EventObjects::Storage { .. } | EventObjects::Device { .. } => true,
            EventObjects::Pod { .. } if event.resource == Resource::TargetPod => true,
            EventObjects::Pod { old, new } => pod_helps(own, pod, *old, *new),
            EventObjects::Node { old, new } => new.is_none_or(|new| node_helps(own, *old, new)),
        };
        QueueingHint::when(helps)
    }
}

/// `isSchedulableAfterAssignedPodChange`.
fn pod_helps(
    own: &AffinityTerms,
    pod: &PodInfo,
    old: Option<&PodInfo>,
    new: Option<&PodInfo>,
) -> bool {
    match (old, new) {
        (Some(old), Some(new)) => {
            (!matches_all(&own.required, old) && matches_all(&own.required, new))
                || (matches_any(&own.required_anti, old) && !matches_any(&own.required_anti, new))
        }
        (None, Some(new)) => matches_all(&own.required, new),
        (Some(old), None) => {
            let theirs = old.affinity.as_deref().map_or(&[][..], |a| &a.required_anti);
            matches_any(&own.required_anti, old) || matches_any(theirs, pod)
        }
        (None, None) => true,
    }
}

/// `isSchedulableAfterNodeChange`.
fn node_helps(own: &AffinityTerms, old: Option<&Node>, new: &Node) -> bool {
    let Some(old) = old else {
        let has_key = |t: &AffinityTerm| new.labels.get(&t.topology_key).is_some();
        return own.required.iter().any(has_key) || !own.required_anti.is_empty();
    };
    let values =
        |t: &AffinityTerm| (old.labels.get(&t.topology_key), new.labels.get(&t.topology_key));
    let comes = |t: &AffinityTerm| matches!(values(t), (before, Some(v)) if before != Some(v));
    let goes = |t: &AffinityTerm| matches!(values(t), (Some(v), after) if after != Some(v));
    own.required.iter().any(comes) || own.required_anti.iter().any(goes)
}

impl SignPlugin for InterPodAffinity {
    fn sign(&self, pod: &PodInfo) -> Option<Aspects> {
        if pod.spec.pod_affinity.is_some() {
            return None;
        }
        Some(if self.args.ignore_preferred_terms_of_existing_pods {
            Aspects::NONE
        } else {
            Aspects::LABELS
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::PodId;
    use crate::api::node::ZONE_LABEL;
    use crate::api::pod::PodSpec;
    use crate::api::pod_affinity::{PodAffinity, PodAffinityTerm};
    use crate::control::scheduler::claim_uses::NO_USES;
    use crate::control::scheduler::framework::NodeIndex;
    use crate::control::scheduler::testing::{spec, zone_node};
    use slotmap::SlotMap;

    fn term(app: &str) -> PodAffinityTerm {
        PodAffinityTerm {
            selector: Selector::from_labels(&Labels::from([("app", app)])),
            namespaces: Vec::new(),
            namespace_selector: None,
            topology_key: ZONE_LABEL.into(),
            match_label_keys: Vec::new(),
            mismatch_label_keys: Vec::new(),
        }
    }

    /// A pod of this app that wants to be with `with` and away from `away`.
    fn pod(id: PodId, app: &str, with: Option<&str>, away: Option<&str>) -> PodInfo {
        let mut affinity = PodAffinity::default();
        affinity.affinity.required.extend(with.map(term));
        affinity.anti_affinity.required.extend(away.map(term));
        let spec = PodSpec { pod_affinity: Some(Box::new(affinity)), ..spec(1, 1) };
        let labels = Labels::from([("app", app)]);
        let mut pod = PodInfo::hypothetical(&Arc::new(spec), &"default".into(), &labels);
        pod.id = id;
        pod
    }

    #[test]
    fn affinity_is_judged_by_zone() {
        let mut ids: SlotMap<PodId, ()> = SlotMap::with_key();
        let mut new = |app, with, away| pod(ids.insert(()), app, with, away);
        let anywhere: &[&Status] = &[&Status::SUCCESS, &Status::SUCCESS];
        let there = new("db", None, None);
        let hermit = new("db", None, Some("web"));
        type Row<'a> = (&'a str, &'a PodInfo, PodInfo, &'a [&'a Status]);
        let rows: [Row; 7] = [
            (
                "with a pod that is there",
                &there,
                new("web", Some("db"), None),
                &[&Status::SUCCESS, &AFFINITY],
            ),
            (
                "away from it",
                &there,
                new("web", None, Some("db")),
                &[&ANTI_AFFINITY, &Status::SUCCESS],
            ),
            (
                "it wants to be alone",
                &hermit,
                new("web", None, None),
                &[&EXISTING_ANTI_AFFINITY, &Status::SUCCESS],
            ),
            ("it does not mind others", &hermit, new("api", None, None), anywhere),
            ("the first of its kind may start", &there, new("web", Some("web"), None), anywhere),
            (
                "one that is not its own kind may not",
                &there,
                new("web", Some("x"), None),
                &[&AFFINITY, &AFFINITY],
            ),
            ("nothing to say", &there, new("web", None, None), anywhere),
        ];
        for (sentence, there, incoming, expected) in rows {
            let node = |name, zone| Arc::new(zone_node(name, zone));
            let infos = [
                NodeInfo::with_pods(node("a", "1"), [there.clone()]),
                NodeInfo::new(node("b", "2")),
            ];
            let order = [NodeIndex(0), NodeIndex(1)];
            let nodes = NodeList { infos: &infos, order: &order };
            let objects = Objects::default();
            let cx = Context {
                nodes,
                with_affinity: nodes,
                with_required_anti_affinity: nodes,
                objects: &objects,
                claim_uses: &NO_USES,
                now: crate::units::SimTime::ZERO,
                version: Default::default(),
            };
            let plugin = InterPodAffinity::new(&Value::Null).unwrap();
            let state = match plugin.pre_filter(&cx, &incoming) {
                PreFilter::Continue { state, .. } => state,
                _ => PluginState::none(),
            };
            let found = infos.each_ref().map(|info| plugin.filter(&cx, &state, &incoming, info));
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{sentence}");
        }
    }
}
