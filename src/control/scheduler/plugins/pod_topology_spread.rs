//! PodTopologySpread: how evenly pods of one kind lie over zones, nodes or other domains.
//!
//! Source: `plugins/podtopologyspread/`, `plugins/helper/spread.go`, v1.37.

mod cells;
mod tally;

use super::go_log::go_log;
use super::node_affinity::matches_required;
use super::taint_toleration::is_untolerated;
use crate::api::convert;
use crate::api::labels::{Labels, Operator, Requirement, Selector};
use crate::api::node::{HOSTNAME_LABEL, Node, ZONE_LABEL};
use crate::api::topology_spread::{TopologySpreadConstraint, WhenUnsatisfiable};
use crate::api::{ObjectName, Text};
use crate::control::scheduler::event::{Action, ClusterEvent, EventObjects, Resource};
use crate::control::scheduler::framework::{
    Aspects, Context, EnqueueExtensions, FilterPlugin, MAX_NODE_SCORE, NodeList, PluginState,
    PreFilter, PreFilterPlugin, PreScore, PreScorePlugin, QueueingHint, ScorePlugin, SignPlugin,
    Status,
};
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::objects::Objects;
use crate::control::scheduler::pod_info::{PodInfo, own_values};
use crate::control::scheduler::registry::decode;
use crate::control::scheduler::tally::{FilterTally, ScoreTally};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

const NOT_MATCH: Status =
    Status::unschedulable(&["node(s) didn't match pod topology spread constraints"]);
const LABEL_MISSING: Status = Status::unresolvable(&[
    "node(s) didn't match pod topology spread constraints (missing required label)",
]);

/// Filters and scores by topology spread constraints, the pod's own or the profile's defaults.
pub struct PodTopologySpread {
    defaults: Vec<TopologySpreadConstraint>,
    /// The defaults are upstream's own: nodes without a zone label still count by hostname.
    system_defaults: bool,
}

/// `PodTopologySpreadArgs`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Args {
    default_constraints: Vec<k8s_openapi::api::core::v1::TopologySpreadConstraint>,
    defaulting_type: String,
}

/// A constraint ready to be matched.
#[derive(Clone, PartialEq)]
struct Constraint {
    max_skew: i64,
    topology_key: Text,
    selector: Selector,
    min_domains: usize,
    honor_node_affinity: bool,
    honor_node_taints: bool,
}

impl Constraint {
    /// Whether `node` is one of those over which pods are spread (`matchNodeInclusionPolicies`).
    fn includes(&self, pod: &PodInfo, node: &Node) -> bool {
        (!self.honor_node_affinity || matches_required(pod, node))
            && (!self.honor_node_taints || !is_untolerated(node, pod))
    }

    /// The pods on a node that count (`countPodsMatchSelector`): upstream counts none for an empty
    /// selector, though it matches everything.
    fn count(&self, node: &NodeInfo, namespace: &Text) -> i64 {
        node.pods.iter().filter(|p| self.counts(p, namespace)).count() as i64
    }

    /// Whether a pod is counted.
    fn counts(&self, pod: &PodInfo, namespace: &Text) -> bool {
        !matches!(&self.selector, Selector::All(requirements) if requirements.is_empty())
            && pod.deletion.is_none()
            && pod.namespace == *namespace
            && self.selector.matches(&pod.labels)
    }
}

fn has_all_keys(node: &Node, constraints: &[Constraint]) -> bool {
    constraints.iter().all(|c| node.labels.get(&c.topology_key).is_some())
}

/// The constraints of one kind, the pod's own label values merged in
/// (`filterTopologySpreadConstraints`).
fn of_kind(
    given: &[TopologySpreadConstraint],
    kind: WhenUnsatisfiable,
    labels: &Labels,
) -> Vec<Constraint> {
    let ready = |c: &TopologySpreadConstraint| {
        let mut selector = c.selector.clone();
        if let Selector::All(requirements) = &mut selector {
            requirements.extend(own_values(&c.match_label_keys, labels, Operator::In));
        }
        Constraint {
            max_skew: i64::from(c.max_skew),
            topology_key: c.topology_key.clone(),
            selector,
            min_domains: usize::try_from(c.min_domains).unwrap_or(0),
            honor_node_affinity: c.honor_node_affinity,
            honor_node_taints: c.honor_node_taints,
        }
    };
    given.iter().filter(|c| c.when_unsatisfiable == kind).map(ready).collect()
}

/// What the services that select the pod, and its owner, select together (`DefaultSelector`).
fn default_selector(pod: &PodInfo, objects: &Objects) -> Vec<Requirement> {
    let mut all = Vec::new();
    let first = ObjectName { namespace: pod.namespace.clone(), name: "".into() };
    let services = objects.services.range(first..);
    for (_, selector) in services.take_while(|(name, _)| name.namespace == pod.namespace) {
        if let Selector::All(requirements) = selector
            && selector.matches(&pod.labels)
        {
            all.extend(requirements.iter().cloned());
        }
    }
    let owner = pod.owner.and_then(|id| objects.replica_sets.get(&id));
    if let Some(Selector::All(requirements)) = owner {
        all.extend(requirements.iter().cloned());
    }
    all
}

impl PodTopologySpread {
    /// From `PodTopologySpreadArgs`.
    pub fn new(args: &Value) -> Result<PodTopologySpread, String> {
        let args: Args = decode(args)?;
        let system = match args.defaulting_type.as_str() {
            "" | "System" => true,
            "List" => false,
            other => return Err(format!("defaultingType {other:?} is neither System nor List")),
        };
        if system {
            let defaults = vec![system_default(HOSTNAME_LABEL, 3), system_default(ZONE_LABEL, 5)];
            return Ok(PodTopologySpread { defaults, system_defaults: true });
        }
        let mut errors = Vec::new();
        let convert =
            |c| convert::pod_affinity::topology_spread(c, "defaultConstraints", &mut errors);
        let defaults = args.default_constraints.iter().map(convert).collect();
        match errors.first() {
            Some(error) => Err(format!("{}: {}", error.path, error.message)),
            None => Ok(PodTopologySpread { defaults, system_defaults: false }),
        }
    }

    /// Whether nodes that lack a topology key are left out of scoring.
    fn requires_all_keys(&self, pod: &PodInfo) -> bool {
        !pod.spec.topology_spread.is_empty() || !self.system_defaults
    }

    fn constraints(
        &self,
        pod: &PodInfo,
        objects: &Objects,
        kind: WhenUnsatisfiable,
    ) -> Vec<Constraint> {
        if !pod.spec.topology_spread.is_empty() {
            return of_kind(&pod.spec.topology_spread, kind, &pod.labels);
        }
        let mut constraints = of_kind(&self.defaults, kind, &pod.labels);
        if constraints.is_empty() {
            return constraints;
        }
        let selector = default_selector(pod, objects);
        if selector.is_empty() {
            return Vec::new();
        }
        for constraint in &mut constraints {
            constraint.selector = Selector::All(selector.clone());
        }
        constraints
    }
}

fn system_default(topology_key: &str, max_skew: i32) -> TopologySpreadConstraint {
    TopologySpreadConstraint {
        max_skew,
        topology_key: topology_key.into(),
        when_unsatisfiable: WhenUnsatisfiable::ScheduleAnyway,
        selector: Selector::Nothing,
        match_label_keys: Vec::new(),
        min_domains: 1,
        honor_node_affinity: true,
        honor_node_taints: false,
    }
}

/// Hard constraints with the number of matching pods in each domain.
#[derive(Clone)]
struct Hard(Vec<Counted>);

#[derive(Clone)]
struct Counted {
    constraint: Arc<Constraint>,
    /// Whether the pod itself would count.
    counts_itself: bool,
    domains: BTreeMap<Text, i64>,
    /// How many domains have how many pods: its first key is the emptiest.
    histogram: BTreeMap<i64, usize>,
}

impl Counted {
    fn change(&mut self, domain: &Text, delta: i64) {
        let count = match self.domains.get_mut(domain) {
            Some(count) => {
                let left = self.histogram.entry(*count).or_default();
                *left -= 1;
                if *left == 0 {
                    self.histogram.remove(count);
                }
                count
            }
            None => self.domains.entry(domain.clone()).or_insert(0),
        };
        *count += delta;
        *self.histogram.entry(*count).or_default() += 1;
    }

    /// The number in the emptiest domain; with too few domains it is taken to be none.
    fn minimum(&self) -> i64 {
        if self.domains.len() < self.constraint.min_domains {
            return 0;
        }
        self.histogram.keys().next().copied().unwrap_or(i64::from(i32::MAX))
    }
}

impl Hard {
    fn of(constraints: Vec<Constraint>, pod: &PodInfo, nodes: NodeList<'_>) -> Hard {
        let mut domains: Vec<BTreeMap<Text, i64>> = vec![BTreeMap::new(); constraints.len()];
        for info in nodes.iter().filter(|info| has_all_keys(&info.node, &constraints)) {
            for (constraint, domains) in constraints.iter().zip(&mut domains) {
                let Some(value) = info.node.labels.get(&constraint.topology_key) else { continue };
                if !constraint.includes(pod, &info.node) {
                    continue;
                }
                let count = constraint.count(info, &pod.namespace);
                match domains.get_mut(value) {
                    Some(sum) => *sum += count,
                    None => {
                        domains.insert(value.clone(), count);
                    }
                }
            }
        }
        let counted = |(constraint, domains): (Constraint, BTreeMap<Text, i64>)| {
            let mut histogram = BTreeMap::new();
            for count in domains.values() {
                *histogram.entry(*count).or_default() += 1;
            }
            let counts_itself = constraint.selector.matches(&pod.labels);
            Counted { constraint: Arc::new(constraint), counts_itself, domains, histogram }
        };
        Hard(constraints.into_iter().zip(domains).map(counted).collect())
    }

    /// `updateWithPod`: `other` comes to or goes from `node`.
    fn update(&mut self, pod: &PodInfo, other: &PodInfo, node: &Node, delta: i64) {
        let keys = |c: &Counted| node.labels.get(&c.constraint.topology_key).is_some();
        if other.namespace != pod.namespace || !self.0.iter().all(keys) {
            return;
        }
        for counted in &mut self.0 {
            let constraint = Arc::clone(&counted.constraint);
            if !constraint.selector.matches(&other.labels) || !constraint.includes(pod, node) {
                continue;
            }
            if let Some(value) = node.labels.get(&constraint.topology_key) {
                counted.change(value, delta);
            }
        }
    }
}

impl PreFilterPlugin for PodTopologySpread {
    fn pre_filter(&self, cx: &Context<'_>, pod: &PodInfo) -> PreFilter {
        let constraints = self.constraints(pod, cx.objects, WhenUnsatisfiable::DoNotSchedule);
        if constraints.is_empty() {
            return PreFilter::Skip;
        }
        PreFilter::with(Hard::of(constraints, pod, cx.nodes))
    }

    fn add_pod(&self, state: &mut PluginState, pod: &PodInfo, added: &PodInfo, node: &NodeInfo) {
        if let Some(hard) = state.get_mut::<Hard>() {
            hard.update(pod, added, &node.node, 1);
        }
    }

    fn remove_pod(
        &self,
        state: &mut PluginState,
        pod: &PodInfo,
        removed: &PodInfo,
        node: &NodeInfo,
    ) {
        if let Some(hard) = state.get_mut::<Hard>() {
            hard.update(pod, removed, &node.node, -1);
        }
    }
}

impl FilterPlugin for PodTopologySpread {
    fn tally(&self, pod: &PodInfo, objects: &Objects) -> Option<Box<dyn FilterTally>> {
        let constraints = self.constraints(pod, objects, WhenUnsatisfiable::DoNotSchedule);
        Some(Box::new(tally::Hard::new(constraints, pod)))
    }

    fn filter(
        &self,
        _cx: &Context<'_>,
        state: &PluginState,
        _pod: &PodInfo,
        node: &NodeInfo,
    ) -> Status {
        let Some(hard) = state.get::<Hard>() else { return Status::SUCCESS };
        for counted in &hard.0 {
            let Some(value) = node.node.labels.get(&counted.constraint.topology_key) else {
                return LABEL_MISSING;
            };
            let here = counted.domains.get(value).copied().unwrap_or(0);
            let skew = here + i64::from(counted.counts_itself) - counted.minimum();
            if skew > counted.constraint.max_skew {
                return NOT_MATCH;
            }
        }
        Status::SUCCESS
    }
}

/// Soft constraints with what scoring needs.
#[derive(Clone)]
struct Soft {
    constraints: Vec<Constraint>,
    /// By constraint: matching pods in each domain that a feasible node lies in; empty for the
    /// hostname, where each node's own pods are counted.
    domains: Vec<BTreeMap<Text, i64>>,
    weights: Vec<f64>,
    require_all_keys: bool,
}

impl Soft {
    /// Nodes that lack a topology key are not scored.
    fn ignores(&self, node: &Node) -> bool {
        self.require_all_keys && !has_all_keys(node, &self.constraints)
    }
}

/// The value of a node's label, empty when it is missing.
fn value_of(node: &Node, key: &str) -> Text {
    node.labels.get(key).cloned().unwrap_or_else(|| "".into())
}

impl PreScorePlugin for PodTopologySpread {
    fn pre_score(&self, cx: &Context<'_>, pod: &PodInfo, feasible: NodeList<'_>) -> PreScore {
        let constraints = self.constraints(pod, cx.objects, WhenUnsatisfiable::ScheduleAnyway);
        if constraints.is_empty() {
            return PreScore::Skip;
        }
        let require_all_keys = self.requires_all_keys(pod);
        let domains = vec![BTreeMap::new(); constraints.len()];
        let mut soft = Soft { constraints, domains, weights: Vec::new(), require_all_keys };
        let mut ignored = 0;
        for info in feasible.iter() {
            if soft.ignores(&info.node) {
                ignored += 1;
                continue;
            }
            for (constraint, domains) in soft.constraints.iter().zip(&mut soft.domains) {
                if &*constraint.topology_key != HOSTNAME_LABEL {
                    domains.entry(value_of(&info.node, &constraint.topology_key)).or_insert(0);
                }
            }
        }
        let weight = |(constraint, domains): (&Constraint, &BTreeMap<Text, i64>)| {
            let by_host = &*constraint.topology_key == HOSTNAME_LABEL;
            let size = if by_host { feasible.len() - ignored } else { domains.len() };
            go_log((size + 2) as f64)
        };
        soft.weights = soft.constraints.iter().zip(&soft.domains).map(weight).collect();
        count_domains(&mut soft, cx.nodes, pod);
        PreScore::Continue(PluginState::new(soft))
    }
}

/// Counts matching pods in the domains, over all nodes.
fn count_domains(soft: &mut Soft, nodes: NodeList<'_>, pod: &PodInfo) {
    if soft.domains.iter().all(BTreeMap::is_empty) {
        return;
    }
    for info in nodes.iter() {
        if soft.ignores(&info.node) {
            continue;
        }
        for (constraint, domains) in soft.constraints.iter().zip(&mut soft.domains) {
            if domains.is_empty() || !constraint.includes(pod, &info.node) {
                continue;
            }
            let value = info.node.labels.get(&constraint.topology_key).map_or("", |v| v);
            if let Some(count) = domains.get_mut(value) {
                *count += constraint.count(info, &pod.namespace);
            }
        }
    }
}

impl ScorePlugin for PodTopologySpread {
    fn tally(&self, pod: &PodInfo, objects: &Objects) -> Option<Box<dyn ScoreTally>> {
        let constraints = self.constraints(pod, objects, WhenUnsatisfiable::ScheduleAnyway);
        let fits = constraints.len() <= tally::MAX_SOFT_CONSTRAINTS;
        fits.then(|| Box::new(tally::Soft::new(constraints, self.requires_all_keys(pod))) as _)
    }

    /// The weighted number of matching pods in the node's domains: fewer is better.
    fn score(&self, _cx: &Context<'_>, state: &PluginState, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let Some(soft) = state.get::<Soft>() else { return 0 };
        if soft.ignores(&node.node) {
            return 0;
        }
        let mut score = 0.0;
        for (i, constraint) in soft.constraints.iter().enumerate() {
            let Some(value) = node.node.labels.get(&constraint.topology_key) else { continue };
            let count = if &*constraint.topology_key == HOSTNAME_LABEL {
                constraint.count(node, &pod.namespace)
            } else {
                soft.domains[i].get(value).copied().unwrap_or(0)
            };
            score += count as f64 * soft.weights[i] + (constraint.max_skew - 1) as f64;
        }
        score.round() as i64
    }

    fn normalize(
        &self,
        state: &PluginState,
        _pod: &PodInfo,
        feasible: NodeList<'_>,
        scores: &mut [i64],
    ) {
        let Some(soft) = state.get::<Soft>() else { return };
        let ignored: Vec<bool> = feasible.iter().map(|info| soft.ignores(&info.node)).collect();
        let counted = || scores.iter().zip(&ignored).filter(|(_, i)| !**i).map(|(s, _)| *s);
        let (min, max) = (counted().min().unwrap_or(0), counted().max().unwrap_or(0));
        for (score, ignored) in scores.iter_mut().zip(&ignored) {
            *score = match (*ignored, max) {
                (true, _) => 0,
                (false, 0) => MAX_NODE_SCORE,
                (false, _) => MAX_NODE_SCORE * (max + min - *score) / max,
            };
        }
    }
}

impl EnqueueExtensions for PodTopologySpread {
    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const PODS: Action = Action::ADD.or(Action::UPDATE_POD_LABEL).or(Action::DELETE);
        const TARGET: Action = Action::UPDATE_POD_TOLERATION.or(Action::UPDATE_POD_LABEL);
        const NODES: Action = Action::ADD
            .or(Action::DELETE)
            .or(Action::UPDATE_NODE_LABEL)
            .or(Action::UPDATE_NODE_TAINT);
        const EVENTS: [ClusterEvent; 3] = [
            ClusterEvent::new(Resource::AssignedPod, PODS),
            ClusterEvent::new(Resource::TargetPod, TARGET),
            ClusterEvent::new(Resource::Node, NODES),
        ];
        &EVENTS
    }

    fn queueing_hint(
        &self,
        objects: &Objects,
        pod: &PodInfo,
        event: ClusterEvent,
        change: &EventObjects<'_>,
    ) -> QueueingHint {
        let constraints = self.constraints(pod, objects, WhenUnsatisfiable::DoNotSchedule);
        let matches = |p: &PodInfo| constraints.iter().any(|c| c.selector.matches(&p.labels));
        let helps = match change {
            EventObjects::None | EventObjects::Storage { .. } | EventObjects::Device { .. } => true,
            EventObjects::Node { old, new } => node_helps(&constraints, *old, *new),
            EventObjects::Pod { old: Some(old), new: Some(new) } => {
                let target = event.resource == Resource::TargetPod;
                let tolerates = old.spec.tolerations != new.spec.tolerations
                    && constraints.iter().any(|c| c.honor_node_taints);
                let differs = |c: &Constraint| {
                    c.selector.matches(&old.labels) != c.selector.matches(&new.labels)
                };
                let same_place = target || new.namespace == pod.namespace;
                (target && tolerates) || (same_place && constraints.iter().any(differs))
            }
            EventObjects::Pod { old, new } => {
                let other = new.or(*old);
                other.is_none_or(|other| other.namespace == pod.namespace && matches(other))
            }
        };
        QueueingHint::when(helps)
    }
}

/// Whether a node's appearance, change or removal changes the domains
/// (`isSchedulableAfterNodeChange`).
fn node_helps(constraints: &[Constraint], old: Option<&Node>, new: Option<&Node>) -> bool {
    let matches = |node: Option<&Node>| node.is_some_and(|n| has_all_keys(n, constraints));
    let (Some(before), Some(after)) = (old, new) else { return matches(old.or(new)) };
    if matches(old) != matches(new) {
        return true;
    }
    let moved =
        |c: &Constraint| before.labels.get(&c.topology_key) != after.labels.get(&c.topology_key);
    matches(new) && (constraints.iter().any(moved) || before.taints != after.taints)
}

impl SignPlugin for PodTopologySpread {
    fn sign(&self, pod: &PodInfo) -> Option<Aspects> {
        let spreads = !pod.spec.topology_spread.is_empty() || !self.defaults.is_empty();
        (!spreads).then_some(Aspects::NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::PodId;
    use crate::api::pod::PodSpec;
    use crate::control::scheduler::claim_uses::NO_USES;
    use crate::control::scheduler::framework::NodeIndex;
    use crate::control::scheduler::testing::{pod_info, spec, zone_node};
    use slotmap::SlotMap;

    /// Nodes in zones, each with so many pods labelled `app: web`.
    fn cluster(zones: &[(&str, usize)]) -> (Vec<NodeInfo>, Vec<NodeIndex>) {
        let mut ids: SlotMap<PodId, ()> = SlotMap::with_key();
        let mut infos = Vec::new();
        for (i, (zone, count)) in zones.iter().enumerate() {
            let node = match *zone {
                "" => crate::control::scheduler::testing::node("bare"),
                zone => zone_node(&format!("n{i}"), zone),
            };
            let pods = (0..*count).map(|_| {
                let mut pod = pod_info(ids.insert(()), spec(1, 1));
                pod.shape_mut().labels = Labels::from([("app", "web")]);
                pod
            });
            infos.push(NodeInfo::with_pods(Arc::new(node), pods));
        }
        let order = (0..infos.len() as u32).map(NodeIndex).collect();
        (infos, order)
    }

    fn pod(max_skew: i32, min_domains: i32) -> PodInfo {
        let labels = Labels::from([("app", "web")]);
        let constraint = TopologySpreadConstraint {
            max_skew,
            min_domains,
            when_unsatisfiable: WhenUnsatisfiable::DoNotSchedule,
            selector: Selector::from_labels(&labels),
            ..system_default(ZONE_LABEL, 1)
        };
        let spec = PodSpec { topology_spread: vec![constraint], ..spec(1, 1) };
        let mut pod = pod_info(PodId::default(), spec);
        pod.shape_mut().labels = labels;
        pod
    }

    /// Which nodes may take the pod, by position; and the status of the first that may not.
    fn admitted(pod: &PodInfo, zones: &[(&str, usize)]) -> (Vec<usize>, Option<Status>) {
        let (infos, order) = cluster(zones);
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
        let plugin = PodTopologySpread::new(&Value::Null).unwrap();
        let PreFilter::Continue { state, .. } = plugin.pre_filter(&cx, pod) else {
            return ((0..infos.len()).collect(), None);
        };
        let statuses: Vec<Status> =
            infos.iter().map(|info| plugin.filter(&cx, &state, pod, info)).collect();
        let admitted = (0..infos.len()).filter(|i| statuses[*i].is_success()).collect();
        (admitted, statuses.into_iter().find(|s| !s.is_success()))
    }

    #[test]
    fn skew_is_counted_as_upstream() {
        type Row = (&'static str, PodInfo, &'static [(&'static str, usize)], &'static [usize]);
        let rows: [Row; 6] = [
            ("the emptier zone is taken", pod(1, 1), &[("a", 1), ("b", 0)], &[1]),
            ("even zones are both fine", pod(1, 1), &[("a", 1), ("b", 1)], &[0, 1]),
            ("a larger skew allows more", pod(2, 1), &[("a", 1), ("b", 0)], &[0, 1]),
            ("nodes of a zone count together", pod(1, 1), &[("a", 1), ("a", 1), ("b", 1)], &[2]),
            ("too few zones count as one empty", pod(1, 3), &[("a", 1), ("b", 1)], &[]),
            ("a node without a zone takes none", pod(9, 1), &[("", 0), ("a", 0)], &[1]),
        ];
        for (sentence, pod, zones, expected) in rows {
            assert_eq!(admitted(&pod, zones).0, expected, "{sentence}");
        }
    }

    #[test]
    fn a_missing_label_is_told_apart() {
        let (_, status) = admitted(&pod(1, 1), &[("", 0), ("a", 0)]);
        assert_eq!(status, Some(LABEL_MISSING));
        let (_, status) = admitted(&pod(1, 1), &[("a", 1), ("b", 0)]);
        assert_eq!(status, Some(NOT_MATCH));
    }

    #[test]
    fn supposed_pods_move_the_minimum() {
        let (infos, order) = cluster(&[("a", 1), ("b", 0)]);
        let nodes = NodeList { infos: &infos, order: &order };
        let incoming = pod(1, 1);
        let constraints = of_kind(
            &incoming.spec.topology_spread,
            WhenUnsatisfiable::DoNotSchedule,
            &incoming.labels,
        );
        let mut hard = Hard::of(constraints, &incoming, nodes);
        assert_eq!(hard.0[0].minimum(), 0);
        hard.update(&incoming, &incoming, &infos[1].node, 1);
        assert_eq!(hard.0[0].minimum(), 1);
        hard.update(&incoming, &incoming, &infos[1].node, -1);
        assert_eq!(hard.0[0].minimum(), 0);
    }
}
