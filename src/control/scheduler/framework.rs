//! The scheduling framework: what a plugin is, and what it answers.
//!
//! One trait per extension point, named as upstream (`k8s.io/kube-scheduler/framework`, v1.37). A
//! policy is one small file in `plugins/` that implements one of them, and one line in
//! `registry.rs`. Plugins are pure: they see the nodes and objects of [`Context`] and their own
//! state of the cycle, nothing else; outcomes are values ([`Status`]), not errors.

use super::claim_uses::ClaimUses;
use super::diagnosis::Diagnosis;
use super::dry_run::DryRuns;
use super::event::{ClusterEvent, EventObjects};
use super::handle::Handle;
use super::node_info::NodeInfo;
use super::objects::Objects;
use super::pod_info::PodInfo;
use super::queue::QueuedPod;
use super::storage::Reservation;
use super::tally::{FilterTally, ScoreTally};
use super::version::Version;
use super::waiting_pods::WaitingPods;
use crate::api::{ObjectName, Text};
use crate::units::{SimDuration, SimTime};
use std::any::Any;
use std::sync::Arc;

/// The highest score of a node by one plugin (`MaxNodeScore`).
pub const MAX_NODE_SCORE: i64 = 100;

/// What a plugin says of a pod or a node (`framework.Code`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Code {
    /// Nothing against it.
    Success,
    /// Rejected, but removing pods may help.
    Unschedulable,
    /// Rejected, and removing pods does not help.
    UnschedulableAndUnresolvable,
    /// The pod waits for something outside (`Pending`); it is retried without back-off.
    Pending,
    /// The plugin can't tell: something it needs is missing (`Error`).
    Error,
}

/// A plugin's answer with its reasons in upstream's words.
#[derive(Clone, PartialEq, Debug)]
pub struct Status {
    /// What it says.
    pub code: Code,
    /// Why, for people. Empty for success.
    pub reasons: Reasons,
}

/// Reasons of a status. The hot loop makes thousands of these, so fixed texts cost no allocation.
#[derive(Clone, PartialEq, Debug)]
pub enum Reasons {
    /// Fixed texts.
    Fixed(&'static [&'static str]),
    /// Texts made for this pod.
    Made(Arc<[Text]>),
}

impl Reasons {
    /// Whether these are the same texts in memory; false says nothing.
    pub(super) fn is_same_text(&self, other: &Reasons) -> bool {
        match (self, other) {
            (Reasons::Fixed(a), Reasons::Fixed(b)) => std::ptr::eq(*a, *b),
            (Reasons::Made(a), Reasons::Made(b)) => Arc::ptr_eq(a, b),
            _ => false,
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// All texts in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        let (fixed, made): (&[&str], &[Text]) = match self {
            Reasons::Fixed(texts) => (texts, &[]),
            Reasons::Made(texts) => (&[], texts),
        };
        fixed.iter().copied().chain(made.iter().map(|t| &**t))
    }
}

impl Status {
    /// Nothing against it.
    pub const SUCCESS: Status = Status { code: Code::Success, reasons: Reasons::Fixed(&[]) };

    /// Rejected for fixed reasons; removing pods may help.
    pub const fn unschedulable(reasons: &'static [&'static str]) -> Status {
        Status { code: Code::Unschedulable, reasons: Reasons::Fixed(reasons) }
    }

    /// Rejected for fixed reasons; removing pods does not help.
    pub const fn unresolvable(reasons: &'static [&'static str]) -> Status {
        let reasons = Reasons::Fixed(reasons);
        Status { code: Code::UnschedulableAndUnresolvable, reasons }
    }

    /// A status with one text made for the occasion.
    pub fn made(code: Code, reason: impl Into<Text>) -> Status {
        Status { code, reasons: Reasons::Made(Arc::new([reason.into()])) }
    }

    /// Whether there is nothing against it.
    pub fn is_success(&self) -> bool {
        self.code == Code::Success
    }

    /// Rejected in any way, an error not being a rejection (`IsRejected`).
    pub fn is_rejected(&self) -> bool {
        !matches!(self.code, Code::Success | Code::Error)
    }

    /// All reasons, as upstream joins them (`Status.Message`).
    pub fn message(&self) -> String {
        self.reasons.iter().collect::<Vec<_>>().join(", ")
    }
}

/// A plugin's place in the registry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct PluginId(pub u8);

/// A set of plugins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PluginSet(u64);

impl PluginSet {
    /// No plugin.
    pub const EMPTY: PluginSet = PluginSet(0);

    /// The set of these bits.
    pub(super) fn from_bits(bits: u64) -> PluginSet {
        PluginSet(bits)
    }

    /// As bits, for ordering.
    pub(super) fn bits(self) -> u64 {
        self.0
    }

    /// Adds one.
    pub fn insert(&mut self, plugin: PluginId) {
        self.0 |= 1 << plugin.0;
    }

    /// Whether it is in the set.
    pub fn has(self, plugin: PluginId) -> bool {
        self.0 >> plugin.0 & 1 == 1
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Both together.
    pub fn union(self, other: PluginSet) -> PluginSet {
        PluginSet(self.0 | other.0)
    }

    /// Those in both.
    pub fn intersection(self, other: PluginSet) -> PluginSet {
        PluginSet(self.0 & other.0)
    }

    /// All plugins in registry order.
    pub fn iter(self) -> impl Iterator<Item = PluginId> {
        (0..64).map(PluginId).filter(move |p| self.has(*p))
    }
}

/// Index of a node's record in the scheduler's cache; stable while the node is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct NodeIndex(pub u32);

/// Nodes in an order: all of the snapshot, or the feasible ones.
#[derive(Clone, Copy)]
pub struct NodeList<'a> {
    /// Every record, by [`NodeIndex`].
    pub infos: &'a [NodeInfo],
    /// Which of them, in order.
    pub order: &'a [NodeIndex],
}

impl<'a> NodeList<'a> {
    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The nodes in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a NodeInfo> + use<'a> {
        let infos = self.infos;
        self.order.iter().map(move |i| &infos[i.0 as usize])
    }

    /// The node at a position.
    pub fn at(&self, position: usize) -> &'a NodeInfo {
        &self.infos[self.order[position].0 as usize]
    }
}

/// What a plugin may look at beside the pod and the node in question.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// All nodes of the snapshot, in the order they are searched.
    pub nodes: NodeList<'a>,
    /// At least those of them with pods that have any affinity to other pods.
    pub with_affinity: NodeList<'a>,
    /// At least those of them with pods that have required anti-affinity to other pods.
    pub with_required_anti_affinity: NodeList<'a>,
    /// Namespaces, services, budgets and other objects.
    pub objects: &'a Objects,
    /// How many volumes of pods on nodes name each claim.
    pub claim_uses: &'a ClaimUses,
    /// The present.
    pub now: SimTime,
    /// Whose rules count.
    pub version: Version,
}

/// What a plugin remembers from PreFilter or PreScore for the rest of the cycle. Any `Clone` type
/// will do; it is cloned where the scheduler supposes that pods were added or removed.
pub trait StateData: Any + Send {
    /// A copy.
    fn clone_state(&self) -> Box<dyn StateData>;
    /// For downcasts.
    fn as_any(&self) -> &dyn Any;
    /// For downcasts.
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

impl<T: Any + Clone + Send> StateData for T {
    fn clone_state(&self) -> Box<dyn StateData> {
        Box::new(self.clone())
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// One plugin's own state of a cycle; empty when its PreFilter or PreScore did not run.
#[derive(Default)]
pub struct PluginState(Option<Box<dyn StateData>>);

impl Clone for PluginState {
    fn clone(&self) -> PluginState {
        PluginState(self.0.as_deref().map(StateData::clone_state))
    }
}

impl PluginState {
    /// Holds `state`.
    pub fn new<T: StateData>(state: T) -> PluginState {
        PluginState(Some(Box::new(state)))
    }

    /// Nothing.
    pub const fn none() -> PluginState {
        PluginState(None)
    }

    /// The state, if it is there and of type `T`.
    pub fn get<T: StateData>(&self) -> Option<&T> {
        (**self.0.as_ref()?).as_any().downcast_ref()
    }

    /// Likewise, to change it.
    pub fn get_mut<T: StateData>(&mut self) -> Option<&mut T> {
        (**self.0.as_mut()?).as_any_mut().downcast_mut()
    }
}

/// What PreFilter finds.
pub enum PreFilter {
    /// The plugin has nothing to do with the pod: its Filter is not called (`Skip`).
    Skip,
    /// Go on.
    Continue {
        /// What its Filter wants to know.
        state: PluginState,
        /// Names of the only nodes that can do; `None`: all. (`PreFilterResult`)
        nodes: Option<Vec<Text>>,
    },
    /// No node will do.
    Rejected(Status),
}

impl PreFilter {
    /// Go on with `state`, on all nodes.
    pub fn with<T: StateData>(state: T) -> PreFilter {
        PreFilter::Continue { state: PluginState::new(state), nodes: None }
    }
}

/// What a plugin's answer about a node depends on, beside the pod. The fast path goes by it; a
/// plugin that does not say is asked about every node in every cycle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// Only the node's record ([`NodeInfo`]): an answer holds until the record is touched. The
    /// plugin's PreFilter and PreScore look at nothing but the pod.
    Node,
    /// More than that: other nodes, the pods on them, other objects.
    Cluster,
}

/// Holds pods back from the active queue.
pub trait PreEnqueuePlugin: Send + Sync {
    /// Whether the pod may enter the active queue.
    fn pre_enqueue(&self, pod: &QueuedPod) -> Status;
}

/// Orders the active queue. Upstream compares two pods (`Less`); an ordering key says the same
/// and lets the queue be an ordered set. Smaller comes first, then the order of arrival.
pub trait QueueSortPlugin: Send + Sync {
    /// The pod's key.
    fn sort_key(&self, pod: &QueuedPod) -> [i64; 2];
}

/// Looks at the pod once per cycle, before any node.
pub trait PreFilterPlugin: Send + Sync {
    /// What it finds.
    fn pre_filter(&self, cx: &Context<'_>, pod: &PodInfo) -> PreFilter;

    /// Supposes that `added` runs on `node` too (`PreFilterExtensions.AddPod`).
    fn add_pod(&self, state: &mut PluginState, pod: &PodInfo, added: &PodInfo, node: &NodeInfo) {
        let _ = (state, pod, added, node);
    }

    /// Supposes that `removed` no longer runs on `node` (`PreFilterExtensions.RemovePod`).
    fn remove_pod(
        &self,
        state: &mut PluginState,
        pod: &PodInfo,
        removed: &PodInfo,
        node: &NodeInfo,
    ) {
        let _ = (state, pod, removed, node);
    }
}

/// Says whether a pod can run on a node.
pub trait FilterPlugin: Send + Sync {
    /// What the verdict depends on.
    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    /// For [`Scope::Node`]: whether the verdict depends on who the pod is (its namespace, labels
    /// and owner) and not only on what it asks for.
    fn heeds_identity(&self, pod: &PodInfo) -> bool {
        let _ = pod;
        true
    }

    /// For [`Scope::Cluster`]: an empty tally that gives the same verdicts on pods like `pod`
    /// without counting anew in each cycle. `None`: there is none, the pod takes the plain path.
    fn tally(&self, pod: &PodInfo, objects: &Objects) -> Option<Box<dyn FilterTally>> {
        let _ = (pod, objects);
        None
    }

    /// For [`Scope::Node`]: whether the verdict on pods like `pod` depends on more after all, so
    /// that they take the plain path.
    fn is_volatile(&self, pod: &PodInfo, objects: &Objects) -> bool {
        let _ = (pod, objects);
        false
    }

    /// The verdict on `node`.
    fn filter(
        &self,
        cx: &Context<'_>,
        state: &PluginState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Status;
}

/// What a PostFilter plugin proposes for a pod that fits nowhere (`PostFilterResult`).
pub struct PostFilter {
    /// Success: the pod is likely to fit once this is carried out. Its reasons go into the message.
    pub status: Status,
    /// What becomes of the pod's nomination: `None` leaves it.
    pub nomination: Option<Option<NodeIndex>>,
    /// Pods to be deleted, in this order.
    pub victims: Vec<PodInfo>,
    /// A claim that is to lose its devices, or, made by the scheduler, to be deleted.
    pub freed: Option<ObjectName>,
    /// How many nodes were tried for it.
    pub dry_runs: usize,
}

/// Looks for a way to make a pod schedulable that fits nowhere.
pub trait PostFilterPlugin: Send + Sync {
    /// What it proposes. `state` is the plugin's own from PreFilter.
    fn post_filter(
        &self,
        handle: &Handle<'_>,
        state: &PluginState,
        pod: &PodInfo,
        diagnosis: &Diagnosis,
    ) -> PostFilter;

    /// Its parts, if it tries nodes one by one, so that what it found out about a node can be used
    /// again.
    fn dry_runs(&self) -> Option<&dyn DryRuns> {
        None
    }

    /// Whether it looks at the diagnosis of pods like `pod` node by node. If not, the fast path may
    /// hand it one whose reasons are only counted.
    fn heeds_nodes(&self, pod: &PodInfo) -> bool {
        let _ = pod;
        true
    }
}

/// What PreScore finds.
pub enum PreScore {
    /// The plugin has nothing to say: its Score is not called (`Skip`).
    Skip,
    /// Go on.
    Continue(PluginState),
}

/// Looks at the feasible nodes together, before they are scored.
pub trait PreScorePlugin: Send + Sync {
    /// What it finds.
    fn pre_score(&self, cx: &Context<'_>, pod: &PodInfo, feasible: NodeList<'_>) -> PreScore;
}

/// Says how good a feasible node is.
pub trait ScorePlugin: Send + Sync {
    /// What the raw score depends on.
    fn scope(&self) -> Scope {
        Scope::Cluster
    }

    /// For [`Scope::Node`]: whether [`ScorePlugin::normalize`] does anything. If so, it gives
    /// equal scores to nodes with equal raw scores, and one and the same where all are equal.
    fn normalizes(&self) -> bool {
        false
    }

    /// For [`Scope::Node`]: whether the raw score of this node also depends on how many nodes
    /// there are.
    fn heeds_size(&self, node: &NodeInfo) -> bool {
        let _ = node;
        false
    }

    /// For [`Scope::Node`]: whether the score depends on who the pod is (its namespace, labels and
    /// owner) and not only on what it asks for.
    fn heeds_identity(&self, pod: &PodInfo) -> bool {
        let _ = pod;
        true
    }

    /// For [`Scope::Cluster`]: an empty tally that gives the same scores to pods like `pod`
    /// without counting anew in each cycle. `None`: there is none, the pod takes the plain path.
    fn tally(&self, pod: &PodInfo, objects: &Objects) -> Option<Box<dyn ScoreTally>> {
        let _ = (pod, objects);
        None
    }

    /// The node's raw score.
    fn score(&self, cx: &Context<'_>, state: &PluginState, pod: &PodInfo, node: &NodeInfo) -> i64;

    /// Brings the raw scores of all feasible nodes to 0..=100 (`NormalizeScore`). `scores` is in
    /// the order of `feasible`.
    fn normalize(
        &self,
        state: &PluginState,
        pod: &PodInfo,
        feasible: NodeList<'_>,
        scores: &mut [i64],
    ) {
        let _ = (state, pod, feasible, scores);
    }
}

/// Parts of a pod, by the names of upstream's signers: a set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Aspects(u16);

#[allow(missing_docs, reason = "each is a field of a pod")]
impl Aspects {
    pub const NONE: Aspects = Aspects(0);
    pub const IMAGES: Aspects = Aspects(1);
    pub const LABELS: Aspects = Aspects(1 << 1);
    pub const NODE_NAME: Aspects = Aspects(1 << 2);
    /// With the node selector.
    pub const NODE_AFFINITY: Aspects = Aspects(1 << 3);
    pub const HOST_PORTS: Aspects = Aspects(1 << 4);
    /// What it requests, overhead included.
    pub const RESOURCES: Aspects = Aspects(1 << 5);
    pub const TOLERATIONS: Aspects = Aspects(1 << 6);
    /// All but `configMap` and `secret`.
    pub const VOLUMES: Aspects = Aspects(1 << 7);
    /// Features of the kubelet that it needs.
    pub const FEATURES: Aspects = Aspects(1 << 8);
}

impl Aspects {
    /// Both together.
    pub const fn and(self, other: Aspects) -> Aspects {
        Aspects(self.0 | other.0)
    }

    /// Whether all of `other` are in the set.
    pub const fn has(self, other: Aspects) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Says what the plugin's answers depend on, the nodes' state aside, so that pods which agree in it
/// can share answers.
///
/// With one filtering or scoring plugin in a profile that does not implement it, no pod shares.
pub trait SignPlugin: Send + Sync {
    /// Parts of the pod; `None`: nobody can tell from the pod alone.
    fn sign(&self, pod: &PodInfo) -> Option<Aspects>;
}

/// Says what else is taken for granted once a pod has its node.
pub trait ReservePlugin: Send + Sync {
    /// What is reserved for the pod on `node` (`Reserve`); taken back should its binding fail.
    fn reserve(&self, cx: &Context<'_>, pod: &PodInfo, node: &NodeInfo) -> Reservation;

    /// The pod does not get `node` after all (`Unreserve`), whichever plugin or request failed. Its
    /// reservation is being taken back already; this is for a word on the pods that wait.
    fn unreserve(&self, waiting: &mut WaitingPods<'_>, pod: &PodInfo, node: &NodeInfo) {
        let _ = (waiting, pod, node);
    }
}

/// What a Permit plugin says.
pub enum Permit {
    /// The pod may be bound.
    Allow,
    /// Not before the plugin allows it ([`WaitingPods::allow`]); after this long it is rejected.
    /// More than 15 minutes are 15 minutes (`maxTimeout`).
    Wait(SimDuration),
    /// It may not be bound, or, with [`Code::Error`], the plugin can't tell.
    Reject(Status),
}

/// Has the last word on a pod that has its node, and may let it wait.
pub trait PermitPlugin: Send + Sync {
    /// Its word. `cx` is the cluster as the scheduling cycle saw it, without the pod on `node`.
    fn permit(
        &self,
        cx: &Context<'_>,
        waiting: &mut WaitingPods<'_>,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Permit;
}

/// A pod on its way to be bound.
pub struct PodBinding<'a> {
    /// The pod.
    pub pod: &'a PodInfo,
    /// It has not been removed meanwhile.
    pub pod_is_there: bool,
    /// The record of its node, as it is now or was at last.
    pub node: &'a NodeInfo,
    /// The node has not been removed meanwhile.
    pub node_is_there: bool,
    /// What the Reserve plugins reserved for it.
    pub reserved: &'a Reservation,
}

/// What a PreBind plugin is about to do (`PreBindPreFlight`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PreFlight {
    /// It has something to do.
    pub works: bool,
    /// Neighbours in the order of plugins of which this is true work at the same time.
    pub parallel: bool,
}

/// How a PreBind plugin waits for what it has written to take effect.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Waits {
    /// It looks each such period, first one period after its writes have returned.
    pub period: SimDuration,
    /// Or when they return already.
    pub at_once: bool,
    /// So long after its writes it gives up.
    pub timeout: SimDuration,
    /// The words with which it does.
    pub timed_out: &'static str,
}

/// Prepares what a pod needs before it is bound.
pub trait PreBindPlugin: Send + Sync {
    /// Whether there is something to do; an error ends the binding.
    fn pre_flight(&self, cx: &Context<'_>, binding: &PodBinding<'_>) -> Result<PreFlight, String>;

    /// What it writes to the API server first.
    fn writes(&self, binding: &PodBinding<'_>) -> Reservation {
        let _ = binding;
        Reservation::default()
    }

    /// How it waits after its writes; `None`: it does not.
    fn waits(&self, cx: &Context<'_>, binding: &PodBinding<'_>) -> Option<Waits> {
        let _ = (cx, binding);
        None
    }

    /// Whether what it waits for is there; an error ends the binding. It is not asked again before
    /// the scheduler has been told something, so the answer must not depend on `cx.now`.
    fn is_done(&self, cx: &Context<'_>, binding: &PodBinding<'_>) -> Result<bool, String> {
        let _ = (cx, binding);
        Ok(true)
    }
}

/// Hears of pods that have been bound.
pub trait PostBindPlugin: Send + Sync {
    /// The pod has been bound to `node`.
    fn post_bind(&self, waiting: &mut WaitingPods<'_>, pod: &PodInfo, node: &NodeInfo);
}

/// What a plugin thinks an event means for a pod that it had rejected (`QueueingHint`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum QueueingHint {
    /// The pod may be schedulable now.
    Queue,
    /// The event changes nothing for this pod.
    QueueSkip,
}

impl QueueingHint {
    /// [`QueueingHint::Queue`] if the event may help.
    pub fn when(helps: bool) -> QueueingHint {
        if helps { QueueingHint::Queue } else { QueueingHint::QueueSkip }
    }
}

/// Which events may make a pod schedulable that this plugin rejected.
pub trait EnqueueExtensions: Send + Sync {
    /// The events it wants to hear of (`EventsToRegister`).
    fn events_to_register(&self) -> &'static [ClusterEvent];

    /// What `event`, with this `change`, means for `pod`; called only for registered events.
    fn queueing_hint(
        &self,
        objects: &Objects,
        pod: &PodInfo,
        event: ClusterEvent,
        change: &EventObjects<'_>,
    ) -> QueueingHint {
        let _ = (objects, pod, event, change);
        QueueingHint::Queue
    }
}

/// `DefaultNormalizeScore`: the best raw score becomes 100, the others in proportion; `reverse`
/// turns the scale round.
pub fn default_normalize_score(reverse: bool, scores: &mut [i64]) {
    let max = scores.iter().copied().max().unwrap_or(0).max(0);
    if max == 0 {
        if reverse {
            scores.fill(MAX_NODE_SCORE);
        }
        return;
    }
    for score in scores {
        *score = MAX_NODE_SCORE * *score / max;
        if reverse {
            *score = MAX_NODE_SCORE - *score;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_normalised_as_upstream() {
        let rows: [(&str, bool, &[i64], &[i64]); 4] = [
            ("the best becomes 100", false, &[1, 4, 3], &[25, 100, 75]),
            ("reversed, the worst becomes 0", true, &[0, 4, 3], &[100, 0, 25]),
            ("all zero stay zero", false, &[0, 0], &[0, 0]),
            ("reversed, all zero are all best", true, &[0, 0], &[100, 100]),
        ];
        for (sentence, reverse, raw, expected) in rows {
            let mut scores = raw.to_vec();
            default_normalize_score(reverse, &mut scores);
            assert_eq!(scores, expected, "{sentence}");
        }
    }

    #[test]
    fn a_plugin_set_lists_its_members_in_order() {
        let mut set = PluginSet::EMPTY;
        set.insert(PluginId(9));
        set.insert(PluginId(3));
        assert_eq!(set.iter().collect::<Vec<_>>(), [PluginId(3), PluginId(9)]);
        assert!(set.has(PluginId(9)) && !set.has(PluginId(4)) && !set.is_empty());
    }
}
