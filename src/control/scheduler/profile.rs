//! A profile: the plugins of each extension point in execution order, and the loops that run them
//! (`frameworkImpl`). It knows nothing of queues or how nodes are picked for evaluation.
//!
//! Source: `pkg/scheduler/framework/runtime/framework.go`, v1.37.

use super::config::{self, PluginNames, Plugins, ProfileConfiguration};
use super::diagnosis::Diagnosis;
use super::event::{ClusterEvent, EventObjects};
use super::framework::{
    Aspects, Code, Context, EnqueueExtensions, FilterPlugin, NodeList, PermitPlugin, PluginId,
    PluginSet, PluginState, PostBindPlugin, PostFilter, PostFilterPlugin, PreBindPlugin,
    PreEnqueuePlugin, PreFilter, PreFilterPlugin, PreScore, PreScorePlugin, QueueSortPlugin,
    QueueingHint, Reasons, ReservePlugin, Scope, ScorePlugin, SignPlugin, Status,
};
use super::handle::Handle;
use super::node_info::NodeInfo;
use super::objects::Objects;
use super::pod_info::PodInfo;
use super::queue::QueuedPod;
use super::registry::{self, Points};
use super::storage::Reservation;
use crate::api::Text;
use std::sync::Arc;

pub(super) type List<P> = Vec<(PluginId, Arc<P>)>;

/// What is wrong with a scheduler configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConfigurationError {
    /// The profile.
    pub scheduler_name: String,
    /// What is wrong, the plugin named.
    pub message: String,
}

impl std::fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "profile {:?}: {}", self.scheduler_name, self.message)
    }
}

impl std::error::Error for ConfigurationError {}

/// A profile's plugins.
pub struct Profile {
    /// Pods ask for it by this name.
    pub scheduler_name: Text,
    /// Overrides the global percentage of nodes to score.
    pub percentage_of_nodes_to_score: Option<u32>,
    pre_enqueue: List<dyn PreEnqueuePlugin>,
    queue_sort: Arc<dyn QueueSortPlugin>,
    pre_filter: List<dyn PreFilterPlugin>,
    filter: List<dyn FilterPlugin>,
    post_filter: List<dyn PostFilterPlugin>,
    pre_score: List<dyn PreScorePlugin>,
    score: Vec<(PluginId, i64, Arc<dyn ScorePlugin>)>,
    pub(super) reserve: List<dyn ReservePlugin>,
    pub(super) permit: List<dyn PermitPlugin>,
    pub(super) pre_bind: List<dyn PreBindPlugin>,
    pub(super) post_bind: List<dyn PostBindPlugin>,
    events: List<dyn EnqueueExtensions>,
    /// Those that look at nodes; `None` if one of them can't sign pods.
    signers: Option<Vec<Arc<dyn SignPlugin>>>,
}

/// What the plugins remember during one cycle (`CycleState`).
#[derive(Default)]
pub struct CycleState {
    /// By plugin: what PreFilter left for Filter.
    filter: Vec<PluginState>,
    skip_filter: PluginSet,
}

impl Clone for CycleState {
    fn clone(&self) -> CycleState {
        CycleState { filter: self.filter.clone(), skip_filter: self.skip_filter }
    }
}

/// What all PreFilter plugins together find.
pub struct PreFiltered {
    /// The plugins' states.
    pub state: CycleState,
    /// Names of the only nodes that can do, sorted; `None`: all.
    pub nodes: Option<Vec<Text>>,
    /// The plugins that narrowed the nodes.
    pub narrowed_by: PluginSet,
    /// A rejection, with the plugin that did it (none when several narrowed to nothing).
    pub rejected: Option<(Option<PluginId>, Status)>,
}

/// Scores of the feasible nodes.
pub struct Scores {
    /// Weighted sums, in the order of the feasible nodes.
    pub totals: Vec<i64>,
    /// If asked for: each plugin's weighted, normalised scores in the same order.
    pub by_plugin: Vec<(PluginId, Vec<i64>)>,
    /// If asked for: each plugin's raw scores in the same order.
    pub raw: Vec<(PluginId, Vec<i64>)>,
}

/// What scoring keeps beside the sums.
#[derive(Clone, Copy, Default)]
pub struct Keep {
    /// Each plugin's part.
    pub by_plugin: bool,
    /// Raw scores.
    pub raw: bool,
}

impl Profile {
    /// Makes the plugins of a profile and lists them by extension point.
    pub fn new(given: &ProfileConfiguration) -> Result<Profile, ConfigurationError> {
        let error = |message: String| ConfigurationError {
            scheduler_name: given.scheduler_name.clone(),
            message,
        };
        let plugins = &given.plugins;
        let multi_point = config::multi_point(&plugins.multi_point);
        let made = make_plugins(given, &multi_point).map_err(error)?;
        let list = |point: &PluginNames, implements: fn(&Points) -> bool| {
            let multi: Vec<_> = multi_point
                .iter()
                .filter(|p| made_of(&made, &p.name).is_some_and(implements))
                .cloned()
                .collect();
            config::expand(point, &multi)
        };
        macro_rules! point {
            ($point:ident) => {
                list(&plugins.$point, |p| p.$point.is_some())
                    .iter()
                    .filter_map(|p| {
                        let id = registry::id_of(&p.name)?;
                        Some((id, made_of(&made, &p.name)?.$point.clone()?))
                    })
                    .collect()
            };
        }
        let queue_sort: List<dyn QueueSortPlugin> = point!(queue_sort);
        let [(_, queue_sort)] = &queue_sort[..] else {
            return Err(error("exactly one queueSort plugin is needed".to_owned()));
        };
        check_bind(&plugins.bind, &multi_point).map_err(error)?;
        let mut score = Vec::new();
        for p in list(&plugins.score, |p| p.score.is_some()) {
            let found = made_of(&made, &p.name).and_then(|points| points.score.clone());
            let weight = if p.weight == 0 { 1 } else { p.weight };
            if let (Some(id), Some(plugin)) = (registry::id_of(&p.name), found) {
                score.push((id, weight, plugin));
            }
        }
        let events = made.iter().filter_map(|(id, p)| Some((*id, p.events.clone()?))).collect();
        let (pre_filter, filter) = (point!(pre_filter), point!(filter));
        let pre_score = point!(pre_score);
        let signers = signers(&made, &pre_filter, &filter, &pre_score, &score);
        Ok(Profile {
            scheduler_name: given.scheduler_name.as_str().into(),
            percentage_of_nodes_to_score: given.percentage_of_nodes_to_score,
            pre_enqueue: point!(pre_enqueue),
            queue_sort: Arc::clone(queue_sort),
            pre_filter,
            filter,
            post_filter: point!(post_filter),
            pre_score,
            score,
            reserve: point!(reserve),
            permit: point!(permit),
            pre_bind: point!(pre_bind),
            post_bind: point!(post_bind),
            events,
            signers,
        })
    }

    /// What decides whether pods share the answers of this profile, if they can.
    pub(super) fn sign(&self, pod: &PodInfo) -> Option<Aspects> {
        let signers = self.signers.as_ref()?;
        signers.iter().try_fold(Aspects::NONE, |all, plugin| Some(all.and(plugin.sign(pod)?)))
    }

    /// The plugin that orders the active queue.
    pub fn queue_sort(&self) -> &dyn QueueSortPlugin {
        &*self.queue_sort
    }

    /// Whether nodes are scored at all.
    pub fn has_score_plugins(&self) -> bool {
        !self.score.is_empty()
    }

    /// Whether nodes are filtered at all.
    pub fn has_filter_plugins(&self) -> bool {
        !self.filter.is_empty()
    }

    /// The filters in their order.
    pub(super) fn filters(&self) -> &[(PluginId, Arc<dyn FilterPlugin>)] {
        &self.filter
    }

    /// Whether every filter that will be asked looks at nothing but the node's record.
    pub(super) fn is_local(&self, state: &CycleState) -> bool {
        let skips = |id: PluginId| state.skip_filter.has(id);
        self.filter.iter().all(|(id, plugin)| plugin.scope() == Scope::Node || skips(*id))
    }

    /// Whether PostFilter asks about nodes one by one only by what it is made of
    /// ([`PostFilterPlugin::dry_runs`]), and one plugin at that.
    pub(super) fn only_dry_runs(&self, pod: &PodInfo) -> bool {
        let (by_trial, others): (Vec<_>, Vec<_>) =
            self.post_filter.iter().partition(|(_, plugin)| plugin.dry_runs().is_some());
        by_trial.len() == 1 && !others.iter().any(|(_, plugin)| plugin.heeds_nodes(pod))
    }

    /// A plugin's PreFilter.
    pub(super) fn pre_filter_of(&self, plugin: PluginId) -> Option<&dyn PreFilterPlugin> {
        self.pre_filter.iter().find(|(id, _)| *id == plugin).map(|(_, p)| &**p)
    }

    /// The scorers in their order, with weights.
    pub(super) fn scorers(&self) -> &[(PluginId, i64, Arc<dyn ScorePlugin>)] {
        &self.score
    }

    /// A plugin's PreScore.
    pub(super) fn pre_score_of(&self, plugin: PluginId) -> Option<&dyn PreScorePlugin> {
        self.pre_score.iter().find(|(id, _)| *id == plugin).map(|(_, p)| &**p)
    }

    /// Runs PreEnqueue, the plugin that gated the pod last first; gives the one that gates it.
    pub fn run_pre_enqueue(&self, pod: &QueuedPod) -> Option<PluginId> {
        let gates = |(_, plugin): &&(PluginId, Arc<dyn PreEnqueuePlugin>)| {
            !plugin.pre_enqueue(pod).is_success()
        };
        let last = self.pre_enqueue.iter().filter(|(id, _)| Some(*id) == pod.gated_by);
        let others = self.pre_enqueue.iter().filter(|(id, _)| Some(*id) != pod.gated_by);
        last.chain(others).find(gates).map(|(id, _)| *id)
    }

    /// Runs all PreFilter plugins (`RunPreFilterPlugins`).
    pub fn run_pre_filter(&self, cx: &Context<'_>, pod: &PodInfo) -> PreFiltered {
        let mut out = PreFiltered {
            state: CycleState::default(),
            nodes: None,
            narrowed_by: PluginSet::EMPTY,
            rejected: None,
        };
        out.state.filter.resize_with(registry::REGISTRY.len(), PluginState::none);
        for (id, plugin) in &self.pre_filter {
            let (state, nodes) = match plugin.pre_filter(cx, pod) {
                PreFilter::Skip => {
                    out.state.skip_filter.insert(*id);
                    continue;
                }
                PreFilter::Rejected(status) => {
                    let final_word = status.code != Code::Unschedulable;
                    out.rejected = Some((Some(*id), status));
                    if final_word {
                        out.narrowed_by = PluginSet::EMPTY;
                        return out;
                    }
                    continue;
                }
                PreFilter::Continue { state, nodes } => (state, nodes),
            };
            out.state.filter[usize::from(id.0)] = state;
            let Some(mut nodes) = nodes else { continue };
            out.narrowed_by.insert(*id);
            nodes.sort();
            nodes.dedup();
            if let Some(before) = out.nodes.take() {
                nodes.retain(|n| before.contains(n));
            }
            let none_left = nodes.is_empty();
            out.nodes = Some(nodes);
            if none_left {
                out.rejected = Some((None, narrowed_to_nothing(out.narrowed_by)));
                return out;
            }
        }
        out
    }

    /// Runs all Filter plugins on a node until one rejects it (`RunFilterPlugins`).
    pub fn run_filter(
        &self,
        cx: &Context<'_>,
        state: &CycleState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Result<(), (PluginId, Status)> {
        for (id, plugin) in &self.filter {
            if state.skip_filter.has(*id) {
                continue;
            }
            let status = plugin.filter(cx, &state.filter[usize::from(id.0)], pod, node);
            if !status.is_success() {
                return Err((*id, status));
            }
        }
        Ok(())
    }

    /// Supposes in `state` that `added` runs on `node` too.
    pub fn run_add_pod(
        &self,
        state: &mut CycleState,
        pod: &PodInfo,
        added: &PodInfo,
        node: &NodeInfo,
    ) {
        for (id, plugin) in &self.pre_filter {
            if !state.skip_filter.has(*id) {
                plugin.add_pod(&mut state.filter[usize::from(id.0)], pod, added, node);
            }
        }
    }

    /// Supposes in `state` that `removed` no longer runs on `node`.
    pub fn run_remove_pod(
        &self,
        state: &mut CycleState,
        pod: &PodInfo,
        removed: &PodInfo,
        node: &NodeInfo,
    ) {
        for (id, plugin) in &self.pre_filter {
            if !state.skip_filter.has(*id) {
                plugin.remove_pod(&mut state.filter[usize::from(id.0)], pod, removed, node);
            }
        }
    }

    /// Runs the PostFilter plugins until one succeeds or has the final word
    /// (`RunPostFilterPlugins`). Without any, the pod's nomination is taken away.
    pub fn run_post_filter(
        &self,
        handle: &Handle<'_>,
        pod: &PodInfo,
        diagnosis: &Diagnosis,
    ) -> PostFilter {
        self.run_post_filter_by(handle, |plugin, state| {
            plugin.post_filter(handle, state, pod, diagnosis)
        })
    }

    /// Likewise, asking each plugin in this way.
    pub(super) fn run_post_filter_by(
        &self,
        handle: &Handle<'_>,
        mut ask: impl FnMut(&dyn PostFilterPlugin, &PluginState) -> PostFilter,
    ) -> PostFilter {
        let mut nomination = self.post_filter.is_empty().then_some(None);
        let mut reasons: Vec<Text> = Vec::new();
        let (mut dry_runs, mut freed) = (0, None);
        for (id, plugin) in &self.post_filter {
            let found = ask(&**plugin, &handle.state().filter[usize::from(id.0)]);
            match found.status.code {
                Code::Success | Code::UnschedulableAndUnresolvable => {
                    return PostFilter { freed: freed.or(found.freed), ..found };
                }
                Code::Error => {
                    let freed = freed.or(found.freed);
                    return PostFilter { nomination: None, victims: Vec::new(), freed, ..found };
                }
                Code::Unschedulable | Code::Pending => {}
            }
            dry_runs += found.dry_runs;
            nomination = found.nomination.or(nomination);
            freed = freed.or(found.freed);
            reasons.extend(found.status.reasons.iter().map(Text::from));
        }
        let status = Status { code: Code::Unschedulable, reasons: Reasons::Made(reasons.into()) };
        PostFilter { status, nomination, victims: Vec::new(), freed, dry_runs }
    }

    /// Scores the feasible nodes (`prioritizeNodes`).
    pub fn run_score(
        &self,
        cx: &Context<'_>,
        pod: &PodInfo,
        feasible: NodeList<'_>,
        keep: Keep,
    ) -> Scores {
        if self.score.is_empty() {
            let totals = vec![1; feasible.len()];
            return Scores { totals, by_plugin: Vec::new(), raw: Vec::new() };
        }
        self.score_by(cx, pod, feasible, keep, |_, plugin, state, scores| {
            scores.extend(feasible.iter().map(|node| plugin.score(cx, state, pod, node)));
        })
    }

    /// Scores the last of `feasible` only; of the others the raw scores are known (`known`). All
    /// are normalised together.
    pub(super) fn rescore(
        &self,
        cx: &Context<'_>,
        pod: &PodInfo,
        feasible: NodeList<'_>,
        known: impl Fn(PluginId) -> Vec<i64>,
    ) -> Scores {
        let keep = Keep { raw: true, by_plugin: false };
        self.score_by(cx, pod, feasible, keep, |id, plugin, state, scores| {
            scores.extend(known(id));
            scores.push(plugin.score(cx, state, pod, feasible.at(feasible.len() - 1)));
        })
    }

    /// Sums up what the plugins say whose PreScore does not skip; `raw` gives their raw scores.
    fn score_by(
        &self,
        cx: &Context<'_>,
        pod: &PodInfo,
        feasible: NodeList<'_>,
        keep: Keep,
        raw: impl Fn(PluginId, &dyn ScorePlugin, &PluginState, &mut Vec<i64>),
    ) -> Scores {
        let totals = vec![0; feasible.len()];
        let mut out = Scores { totals, by_plugin: Vec::new(), raw: Vec::new() };
        let mut skip = PluginSet::EMPTY;
        let mut states: Vec<(PluginId, PluginState)> = Vec::with_capacity(self.pre_score.len());
        for (id, plugin) in &self.pre_score {
            match plugin.pre_score(cx, pod, feasible) {
                PreScore::Skip => skip.insert(*id),
                PreScore::Continue(state) => states.push((*id, state)),
            }
        }
        let none = PluginState::none();
        let mut scores: Vec<i64> = Vec::with_capacity(feasible.len());
        for (id, weight, plugin) in self.score.iter().filter(|(id, ..)| !skip.has(*id)) {
            let state = states.iter().find(|(p, _)| p == id).map_or(&none, |(_, state)| state);
            scores.clear();
            raw(*id, &**plugin, state, &mut scores);
            if keep.raw {
                out.raw.push((*id, scores.clone()));
            }
            plugin.normalize(state, pod, feasible, &mut scores);
            for (total, score) in out.totals.iter_mut().zip(&scores) {
                *total += weight * score;
            }
            if keep.by_plugin {
                out.by_plugin.push((*id, scores.iter().map(|s| weight * s).collect()));
            }
        }
        out
    }

    /// What the Reserve plugins take for granted when `pod` goes to `node`.
    pub fn run_reserve(&self, cx: &Context<'_>, pod: &PodInfo, node: &NodeInfo) -> Reservation {
        let mut all = Reservation::default();
        for (_, plugin) in &self.reserve {
            let one = plugin.reserve(cx, pod, node);
            all.bindings.extend(one.bindings);
            all.provisions.extend(one.provisions);
            all.claims.extend(one.claims);
        }
        all
    }

    /// Whether any plugin registered for `event` (`isEventOfInterest`).
    pub fn is_of_interest(&self, event: ClusterEvent) -> bool {
        self.events.iter().any(|(_, p)| p.events_to_register().iter().any(|e| e.matches(event)))
    }

    /// Whether `plugin` registered for `event`.
    pub fn is_registered(&self, plugin: PluginId, event: ClusterEvent) -> bool {
        let found = self.events.iter().find(|(id, _)| *id == plugin);
        found.is_some_and(|(_, p)| p.events_to_register().iter().any(|e| e.matches(event)))
    }

    /// The plugins that take the event for a reason to try the pod again, whoever rejected it.
    pub(super) fn hints(
        &self,
        objects: &Objects,
        pod: &PodInfo,
        event: ClusterEvent,
        change: &EventObjects<'_>,
    ) -> PluginSet {
        let mut helped = PluginSet::EMPTY;
        for (id, plugin) in &self.events {
            if plugin.events_to_register().iter().any(|e| e.matches(event))
                && plugin.queueing_hint(objects, pod, event, change) == QueueingHint::Queue
            {
                helped.insert(*id);
            }
        }
        helped
    }

    /// Whether one of the plugins that rejected the pod takes the event for a reason to try again.
    pub fn is_worth_requeuing(
        &self,
        rejected_by: PluginSet,
        objects: &Objects,
        pod: &PodInfo,
        event: ClusterEvent,
        change: &EventObjects<'_>,
    ) -> bool {
        self.events.iter().any(|(id, plugin)| {
            rejected_by.has(*id)
                && plugin.events_to_register().iter().any(|e| e.matches(event))
                && plugin.queueing_hint(objects, pod, event, change) == QueueingHint::Queue
        })
    }
}

/// The plugins that sign pods (`setupSignatures`): none if a plugin that looks at nodes does not.
fn signers(
    made: &[(PluginId, Points)],
    pre_filter: &List<dyn PreFilterPlugin>,
    filter: &List<dyn FilterPlugin>,
    pre_score: &List<dyn PreScorePlugin>,
    score: &[(PluginId, i64, Arc<dyn ScorePlugin>)],
) -> Option<Vec<Arc<dyn SignPlugin>>> {
    let mut asked = PluginSet::EMPTY;
    pre_filter.iter().for_each(|(id, _)| asked.insert(*id));
    filter.iter().for_each(|(id, _)| asked.insert(*id));
    pre_score.iter().for_each(|(id, _)| asked.insert(*id));
    score.iter().for_each(|(id, ..)| asked.insert(*id));
    let asked = made.iter().filter(|(id, _)| asked.has(*id));
    asked.map(|(_, points)| points.sign.clone()).collect()
}

fn made_of<'a>(made: &'a [(PluginId, Points)], name: &str) -> Option<&'a Points> {
    let id = registry::id_of(name)?;
    made.iter().find(|(i, _)| *i == id).map(|(_, points)| points)
}

/// Makes every plugin that the profile names anywhere, once each.
fn make_plugins(
    given: &ProfileConfiguration,
    multi_point: &[config::PluginName],
) -> Result<Vec<(PluginId, Points)>, String> {
    let p = &given.plugins;
    let points = [
        &p.pre_enqueue,
        &p.queue_sort,
        &p.pre_filter,
        &p.filter,
        &p.post_filter,
        &p.pre_score,
        &p.score,
        &p.reserve,
        &p.permit,
        &p.pre_bind,
        &p.bind,
        &p.post_bind,
        &p.multi_point,
    ];
    if let Some(named) =
        points.iter().flat_map(|p| &p.enabled).find(|named| !config::is_known_plugin(&named.name))
    {
        return Err(format!("there is no plugin {:?}", named.name));
    }
    let named = points.iter().flat_map(|p| &p.enabled).chain(multi_point);
    let mut made: Vec<(PluginId, Points)> = Vec::new();
    for id in named.filter_map(|n| registry::id_of(&n.name)) {
        if made.iter().any(|(i, _)| *i == id) {
            continue;
        }
        let (name, constructor) = registry::REGISTRY[usize::from(id.0)];
        let args = given.plugin_config.iter().find(|c| c.name == name).map(|c| &c.args);
        let points = constructor(args.unwrap_or(&serde_json::Value::Null))
            .map_err(|e| format!("arguments of plugin {name}: {e}"))?;
        made.push((id, points));
    }
    check_points(p, &made)?;
    Ok(made)
}

/// A plugin that is enabled at an extension point has to implement it.
fn check_points(given: &Plugins, made: &[(PluginId, Points)]) -> Result<(), String> {
    macro_rules! implements {
        ($($point:ident: $name:literal),*) => {
            $(for named in &given.$point.enabled {
                if made_of(made, &named.name).is_some_and(|points| points.$point.is_none()) {
                    return Err(format!("plugin {:?} does not extend {} plugin", named.name, $name));
                }
            })*
        };
    }
    implements!(
        pre_enqueue: "PreEnqueue",
        queue_sort: "QueueSort",
        pre_filter: "PreFilter",
        filter: "Filter",
        post_filter: "PostFilter",
        pre_score: "PreScore",
        score: "Score",
        reserve: "Reserve",
        permit: "Permit",
        pre_bind: "PreBind",
        post_bind: "PostBind"
    );
    Ok(())
}

/// Pods are bound by DefaultBinder. It is no plugin here, since there is nothing to choose.
fn check_bind(given: &PluginNames, multi_point: &[config::PluginName]) -> Result<(), String> {
    const BINDER: &str = "DefaultBinder";
    let binder: Vec<_> = multi_point.iter().filter(|p| p.name == BINDER).cloned().collect();
    let binders = config::expand(given, &binder);
    match binders.iter().find(|binder| binder.name != BINDER) {
        Some(other) => Err(format!("plugin {:?} does not extend Bind plugin", other.name)),
        None if binders.is_empty() => Err("at least one bind plugin is needed".to_owned()),
        None => Ok(()),
    }
}

/// The status when PreFilter results leave no node (`RunPreFilterPlugins`).
fn narrowed_to_nothing(by: PluginSet) -> Status {
    let mut names: Vec<&str> = by.iter().map(registry::name_of).collect();
    names.sort_unstable();
    let message = match &names[..] {
        [one] => format!("node(s) didn't satisfy plugin {one}"),
        _ => format!("node(s) didn't satisfy plugin(s) [{}] simultaneously", names.join(" ")),
    };
    Status::made(Code::UnschedulableAndUnresolvable, message)
}
