//! The scheduling cycle: from a pod to a node or to the reasons why not.
//!
//! Source: `pkg/scheduler/schedule_one.go`, v1.37. It knows nodes, plugins and nominations, but no
//! queue: it schedules the pod that it is given.

use super::batch::{Batches, Candidates, Hint};
use super::cache::Cache;
use super::config::SchedulerConfiguration;
use super::devices::{ClaimReservation, pod_claims};
use super::diagnosis::{Diagnosis, Rejection};
use super::fast::{Fast, Found as FoundFast, Nowhere};
use super::framework::{
    Code, Context, NodeIndex, NodeList, PluginId, PodBinding, PostFilter, Status,
};
use super::handle::Handle;
use super::node_info::NodeInfo;
use super::nominator::Nominator;
use super::objects::Objects;
use super::pod_info::PodInfo;
use super::profile::{ConfigurationError, CycleState, Keep, Profile};
use super::registry;
use super::storage::{NOTHING, Reservation};
use super::ties::TieBreak;
use super::version::Version;
use super::workers::Workers;
use crate::api::devices::DeviceObject;
use crate::api::volume::VolumeSource;
use crate::api::{ObjectName, PodId};
use crate::units::SimTime;
use slotmap::SecondaryMap;
use std::ops::ControlFlow;

/// With fewer nodes all are looked at (`minFeasibleNodesToFind`).
const MIN_FEASIBLE_NODES_TO_FIND: usize = 100;
/// The adaptive percentage never falls below (`minFeasibleNodesPercentageToFind`).
const MIN_FEASIBLE_NODES_PERCENTAGE: usize = 5;
/// A prime far from the sizes of clusters: steps of it modulo any number of nodes reach all.
const OFFSET_STEP: usize = 7919;

/// Everything a cycle works on.
pub struct Core {
    /// Nodes and the pods on them.
    pub cache: Cache,
    /// Other objects that plugins read.
    pub objects: Objects,
    nominator: Nominator,
    pub(super) profiles: Vec<Profile>,
    pub(super) version: Version,
    /// In versions that draw; without it the first of the best is taken.
    pub(super) tie_break: Option<TieBreak>,
    percentage_of_nodes_to_score: u32,
    /// Where in the list of nodes the next search starts.
    next_start: usize,
    explain: bool,
    explanation: Explanation,
    /// Pods that were chosen as victims and are still there.
    pub(super) preempted: SecondaryMap<PodId, ()>,
    /// Where the next dry run of preemption starts among the potential nodes.
    pub(super) preemption_offset: usize,
    /// Nodes that preemption has tried so far.
    dry_runs: u64,
    /// What is taken for granted of the volumes of placed pods whose binding is not over.
    reservations: SecondaryMap<PodId, (usize, Reservation)>,
    /// Memory of the last cycle's rejections, to be used again.
    scratch: Vec<Rejection>,
    /// What equal pods in a row share.
    pub(super) batches: Batches,
    /// Those who filter nodes.
    pub(super) workers: Workers,
    /// The fast path; `None` when every cycle takes the plain one.
    fast: Option<Box<Fast>>,
}

/// Where a pod goes (`ScheduleResult`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Placement {
    /// The node.
    pub node: NodeIndex,
    /// Nodes that were looked at.
    pub evaluated: usize,
    /// Nodes that would do.
    pub feasible: usize,
}

/// Why a pod goes nowhere.
#[derive(Debug)]
pub enum Failure {
    /// There is no node at all.
    NoNodes,
    /// No node fits.
    Unfit(Box<Unfit>),
    /// A plugin can't tell, and says why: nothing is known of any node.
    Error(String),
}

/// What is known of a pod that fits nowhere, and what PostFilter proposes.
#[derive(Debug)]
pub struct Unfit {
    /// Why it fits nowhere.
    pub diagnosis: Diagnosis,
    /// What becomes of its nomination: `None` leaves it.
    pub nomination: Option<Option<NodeIndex>>,
    /// Pods to be deleted for it, terminating ones included.
    pub victims: Vec<PodInfo>,
    /// A claim that is to lose its devices for it.
    pub freed: Option<ObjectName>,
}

/// What a cycle considered, kept for people who ask why. Recorded only if asked for.
#[derive(Clone, Default, Debug)]
pub struct Explanation {
    /// Rejected nodes in the order they were looked at.
    pub rejections: Vec<Rejection>,
    /// What counts for all nodes that PreFilter left out of the search.
    pub absent: Option<Status>,
    /// PreFilter's words, if it rejected the pod whatever the node.
    pub pre_filter_message: String,
    /// Feasible nodes in that order.
    pub feasible: Vec<NodeIndex>,
    /// Each plugin's weighted, normalised scores, in the order of `feasible`; empty when fewer
    /// than two nodes were feasible, since upstream then scores nothing.
    pub scores: Vec<(PluginId, Vec<i64>)>,
}

impl Core {
    /// An empty cluster.
    pub fn new(configuration: &SchedulerConfiguration) -> Result<Core, ConfigurationError> {
        let profiles = configuration.profiles.iter().map(Profile::new).collect::<Result<_, _>>()?;
        Ok(Core {
            cache: Cache::default(),
            objects: Objects::default(),
            nominator: Nominator::default(),
            profiles,
            version: configuration.version,
            tie_break: None,
            percentage_of_nodes_to_score: configuration.percentage_of_nodes_to_score,
            next_start: 0,
            explain: false,
            explanation: Explanation::default(),
            preempted: SecondaryMap::new(),
            preemption_offset: 0,
            dry_runs: 0,
            reservations: SecondaryMap::new(),
            scratch: Vec::new(),
            batches: Batches::new(configuration.version.batches()),
            workers: Workers::new(configuration.parallelism),
            fast: Some(Box::default()),
        })
    }

    /// Whether [`Core::explanation`] is filled from now on.
    pub fn set_explain(&mut self, explain: bool) {
        self.explain = explain;
        self.explanation = Explanation::default();
    }

    /// The next cycles are not explained; what was told last stays.
    pub(super) fn keep_explanation(&mut self) {
        self.explain = false;
    }

    /// Whether the fast path is taken where it can be.
    pub(super) fn set_fast(&mut self, fast: bool) {
        self.fast = fast.then(Box::default);
    }

    /// How many searches have taken the fast path.
    pub fn fast_searches(&self) -> u64 {
        self.fast.as_ref().map_or(0, |fast| fast.searches())
    }

    /// How often pods of another namespace were found to be of a known kind.
    pub fn namespaces_adopted(&self) -> u64 {
        self.fast.as_ref().map_or(0, |fast| fast.adopted())
    }

    /// How often pods with labels of their own were found to be of a known kind.
    pub fn labels_related(&self) -> u64 {
        self.fast.as_ref().map_or(0, |fast| fast.related())
    }

    /// How many nodes preemption has tried: from each, pods were taken away in thought.
    pub fn preemption_dry_runs(&self) -> u64 {
        self.dry_runs
    }

    /// For how many nodes the fast path could not tell from an earlier trial what such a one would
    /// come to.
    pub fn preemption_trials(&self) -> u64 {
        self.fast.as_ref().map_or(0, |fast| fast.trials())
    }

    /// What the last cycle considered; empty unless asked for with [`Core::set_explain`].
    pub fn explanation(&self) -> &Explanation {
        &self.explanation
    }

    /// The profile that a pod asks for.
    pub fn profile_of(&self, pod: &PodInfo) -> Option<usize> {
        self.profiles.iter().position(|p| p.scheduler_name == pod.spec.scheduler_name)
    }

    /// Finds a node for `pod` (`SchedulePod`), by the profile at this index.
    pub fn schedule_pod(
        &mut self,
        profile: usize,
        pod: &PodInfo,
        now: SimTime,
    ) -> Result<Placement, Failure> {
        self.cache.update_snapshot();
        if self.cache.nodes().is_empty() {
            return Err(Failure::NoNodes);
        }
        self.objects.speak_for(profile);
        self.scratch.clear();
        let diagnosis = Diagnosis::new(std::mem::take(&mut self.scratch));
        match self.search_fast(profile, pod, now) {
            Some(FoundFast::Placed(placement)) => {
                self.scratch = diagnosis.rejections;
                self.flush_batch(profile);
                let next = self.next_start + placement.evaluated;
                self.next_start = next % self.cache.nodes().len();
                Ok(placement)
            }
            Some(FoundFast::Nowhere(nowhere)) => {
                // All nodes were looked at: the next search starts where this one did.
                self.next_start %= self.cache.nodes().len();
                let unfit = self.post_filter_fast(profile, pod, now, nowhere, diagnosis);
                Err(Failure::Unfit(Box::new(unfit)))
            }
            None => self.search_plainly(profile, pod, now, diagnosis),
        }
    }

    fn search_fast(&mut self, profile: usize, pod: &PodInfo, now: SimTime) -> Option<FoundFast> {
        let is_off = self.explain || self.fast.is_none() || !self.workers.is_one();
        if is_off || self.batches(profile, pod) {
            return None;
        }
        let mut fast = self.fast.take()?;
        let found = fast.search(self, profile, pod, &self.context(now));
        self.fast = Some(fast);
        found
    }

    /// What PostFilter says after a search on the fast path that found no node.
    fn post_filter_fast(
        &mut self,
        profile: usize,
        pod: &PodInfo,
        now: SimTime,
        mut nowhere: Nowhere,
        mut diagnosis: Diagnosis,
    ) -> Unfit {
        let mut fast = self.fast.take().unwrap_or_default();
        let cx = self.context(now);
        let state = nowhere.state.take();
        let state = state.unwrap_or_else(|| self.profiles[profile].run_pre_filter(&cx, pod).state);
        let handle = Handle { core: self, profile: &self.profiles[profile], cx, state: &state };
        let found = match fast.preempt(&nowhere, &handle, pod, &mut diagnosis) {
            Some(found) => found,
            None => {
                fast.explain(&nowhere, &handle, pod, &mut diagnosis);
                handle.profile.run_post_filter(&handle, pod, &diagnosis)
            }
        };
        self.fast = Some(fast);
        self.propose(found, diagnosis)
    }

    /// The plain path: every plugin is asked about every node that is looked at.
    fn search_plainly(
        &mut self,
        profile: usize,
        pod: &PodInfo,
        now: SimTime,
        mut diagnosis: Diagnosis,
    ) -> Result<Placement, Failure> {
        let mut batches = std::mem::take(&mut self.batches);
        let mut workers = std::mem::take(&mut self.workers);
        let by = (&mut batches, &mut workers);
        let found = self.find_nodes_that_fit(by, (profile, pod), now, &mut diagnosis);
        (self.batches, self.workers) = (batches, workers);
        let Found { feasible, next_start, state, hint } = found;
        self.next_start = next_start;
        if self.explain {
            self.explanation = Explanation::default();
        }
        let feasible = feasible.map_err(Failure::Error)?;
        if self.explain {
            let left_out = !diagnosis.absent.reasons.is_empty();
            self.explanation.absent = left_out.then(|| diagnosis.absent.clone());
            self.explanation.pre_filter_message.clone_from(&diagnosis.pre_filter_message);
            self.explanation.rejections.clone_from(&diagnosis.rejections);
            self.explanation.feasible.clone_from(&feasible);
        }
        if feasible.is_empty() {
            let unfit = self.post_filter(profile, pod, now, state, diagnosis);
            return Err(Failure::Unfit(Box::new(unfit)));
        }
        let evaluated = feasible.len() + diagnosis.rejections.len();
        self.scratch = diagnosis.rejections;
        let (node, others) = match &feasible[..] {
            [only] => (*only, None),
            several => self.best_of(profile, pod, several, hint.wants_nodes(), now),
        };
        let mut batches = std::mem::take(&mut self.batches);
        self.store_results(&mut batches, (profile, pod), &hint, node, others, now);
        self.batches = batches;
        Ok(Placement { node, evaluated, feasible: feasible.len() })
    }

    /// Nominates a pod to a node, and to no other any more.
    pub fn nominate(&mut self, pod: PodInfo, node: NodeIndex) {
        self.cache.pin(node);
        if let Some(before) = self.nominator.remove(pod.id) {
            self.cache.unpin(before);
        }
        self.nominator.add(pod, node);
    }

    /// Takes a pod's nomination away, if it has one.
    pub fn remove_nomination(&mut self, pod: PodId) {
        if let Some(before) = self.nominator.remove(pod) {
            self.cache.unpin(before);
        }
    }

    /// Where a pod is nominated.
    pub fn nominated_node(&self, pod: PodId) -> Option<NodeIndex> {
        self.nominator.node_of(pod)
    }

    /// Gives a failure's memory back, so that the next cycle need not ask for it again.
    pub fn recycle(&mut self, diagnosis: Diagnosis) {
        if self.scratch.capacity() < diagnosis.rejections.capacity() {
            self.scratch = diagnosis.rejections;
        }
    }

    /// Takes for granted what the Reserve plugins say of a pod that goes to `node` (`Reserve`).
    pub fn reserve(&mut self, profile: usize, pod: &PodInfo, node: NodeIndex, now: SimTime) {
        let may_claim = self.objects.devices.is_some()
            && (!pod.spec.resource_claims.is_empty() || pod.requests.scalars().next().is_some());
        if pod.spec.volumes.is_empty() && !may_claim {
            return; // Nothing but volumes and devices is reserved.
        }
        self.objects.speak_for(profile);
        let node = self.cache.info(node);
        let reservation = self.profiles[profile].run_reserve(&self.context(now), pod, node);
        if !reservation.is_empty() {
            self.objects.assume(&reservation);
            self.reservations.insert(pod.id, (profile, reservation));
        }
    }

    /// From now on devices are told. What was found out about pods with claims held for claims that
    /// count as allocated.
    pub fn tell_devices(&mut self) {
        if self.objects.devices.is_none() {
            self.objects.tell_devices();
            self.forget_kinds();
        }
    }

    /// A class, slice or claim of devices has appeared or changed; gives what it was before.
    pub fn set_device(&mut self, object: DeviceObject) -> Option<DeviceObject> {
        // Which resources are had as devices decides who may take the fast path.
        if matches!(object, DeviceObject::Class(_)) {
            self.forget_kinds();
        }
        self.objects.tell_devices().set(object)
    }

    /// A class, slice or claim of devices is gone: the one of the kind and name of `object`.
    pub fn remove_device(&mut self, object: &DeviceObject) -> Option<DeviceObject> {
        if matches!(object, DeviceObject::Class(_)) {
            self.forget_kinds();
        }
        self.objects.tell_devices().remove(object)
    }

    fn forget_kinds(&mut self) {
        if let Some(fast) = &mut self.fast {
            **fast = Fast::default();
        }
    }

    /// What is reserved of claims of devices for a pod.
    pub fn reserved_claims(&self, pod: PodId) -> Vec<ClaimReservation> {
        self.reservations.get(pod).map_or_else(Vec::new, |(_, reserved)| reserved.claims.clone())
    }

    /// What was reserved of claims of devices has been written, and told.
    pub(super) fn claims_are_written(&mut self, pod: PodId) {
        if let Some((_, reservation)) = self.reservations.get(pod)
            && !reservation.claims.is_empty()
        {
            self.objects.tell_devices().settle(&reservation.claims);
        }
    }

    /// A pod's binding is over; after a failure its reservation is taken back (`Unreserve`).
    pub fn finish_reservation(&mut self, pod: PodId, bound: bool) {
        if bound {
            self.claims_are_written(pod);
        }
        if let Some((profile, reservation)) = self.reservations.remove(pod)
            && !bound
        {
            self.objects.speak_for(profile);
            self.objects.restore(&reservation);
        }
    }

    /// A pod on its way to be bound, as PreBind plugins see it.
    pub(super) fn pod_binding<'a>(
        &'a self,
        pod: &'a PodInfo,
        pod_is_there: bool,
        node: NodeIndex,
    ) -> PodBinding<'a> {
        PodBinding {
            pod,
            pod_is_there,
            node: self.cache.info(node),
            node_is_there: self.cache.is_present(node),
            reserved: self.reservations.get(pod.id).map_or(&NOTHING, |(_, reserved)| reserved),
        }
    }

    pub(super) fn context(&self, now: SimTime) -> Context<'_> {
        Context {
            nodes: self.cache.nodes(),
            with_affinity: self.cache.nodes_with_affinity(),
            with_required_anti_affinity: self.cache.nodes_with_required_anti_affinity(),
            objects: &self.objects,
            claim_uses: self.cache.claim_uses(),
            now,
            version: self.version,
        }
    }

    /// Runs PreFilter and Filter (`findNodesThatFitPod`).
    fn find_nodes_that_fit(
        &self,
        (batches, workers): (&mut Batches, &mut Workers),
        (number, pod): (usize, &PodInfo),
        now: SimTime,
        diagnosis: &mut Diagnosis,
    ) -> Found {
        let profile = &self.profiles[number];
        let cx = self.context(now);
        let found = profile.run_pre_filter(&cx, pod);
        diagnosis.unschedulable_plugins = found.narrowed_by;
        if let Some((plugin, status)) = found.rejected {
            if status.code == Code::Error {
                let name = plugin.map_or("", registry::name_of);
                let message = format!("running PreFilter plugin {name:?}: {}", status.message());
                let (feasible, next_start) = (Err(message), self.next_start);
                return Found { feasible, next_start, state: found.state, hint: Hint::default() };
            }
            diagnosis.pre_filter_message = status.message();
            diagnosis.absent = status;
            if let Some(plugin) = plugin {
                diagnosis.unschedulable_plugins.insert(plugin);
            }
            let (feasible, next_start) = (Ok(Vec::new()), self.next_start);
            return Found { feasible, next_start, state: found.state, hint: Hint::default() };
        }
        let hint = self.hint(batches, number, pod, &found.state, now);
        let search = Search { core: self, profile, cx, state: &found.state, pod };
        let nominated = pod.nominated.and_then(|id| self.cache.index_of(id));
        let nominated = nominated.filter(|node| self.cache.is_in_snapshot(*node));
        let hinted = hint.node.as_ref().and_then(|name| self.cache.in_snapshot(name));
        let first = if pod.nominated.is_some() { nominated } else { hinted };
        if let Some(node) = first {
            // A node that fails here stays in the diagnosis, and counts once.
            let (feasible, _) = search.run(workers, &[node], None, diagnosis);
            if !feasible.is_empty() {
                let (feasible, next_start) = (Ok(feasible), self.next_start);
                return Found { feasible, next_start, state: found.state, hint };
            }
        }
        let narrowed: Vec<NodeIndex>;
        let nodes = match &found.nodes {
            None => cx.nodes.order,
            Some(names) => {
                // Whoever rejected the nominated node before is named too.
                let plugins: Vec<&str> = sorted_names(diagnosis.unschedulable_plugins);
                let reason = format!("node(s) didn't satisfy plugin(s) [{}]", plugins.join(" "));
                let code = Code::UnschedulableAndUnresolvable;
                diagnosis.absent = Status::made(code, reason);
                narrowed = names.iter().filter_map(|n| self.cache.in_snapshot(n)).collect();
                &narrowed
            }
        };
        let (feasible, error) = search.run(workers, nodes, first, diagnosis);
        let processed = feasible.len() + diagnosis.rejections.len();
        let next_start = (self.next_start + processed) % cx.nodes.len();
        let feasible = error.map_or(Ok(feasible), Err);
        Found { feasible, next_start, state: found.state, hint }
    }

    /// Asks the PostFilter plugins what could be done for a pod that fits nowhere.
    fn post_filter(
        &mut self,
        profile: usize,
        pod: &PodInfo,
        now: SimTime,
        state: CycleState,
        diagnosis: Diagnosis,
    ) -> Unfit {
        let cx = self.context(now);
        let handle = Handle { core: self, profile: &self.profiles[profile], cx, state: &state };
        let found = handle.profile.run_post_filter(&handle, pod, &diagnosis);
        self.propose(found, diagnosis)
    }

    /// Takes notice of what PostFilter proposes.
    fn propose(&mut self, found: PostFilter, mut diagnosis: Diagnosis) -> Unfit {
        self.dry_runs += found.dry_runs as u64;
        diagnosis.post_filter_message = found.status.message();
        // Who was on the way out before does not go because of the scheduler.
        for victim in found.victims.iter().filter(|v| v.deletion.is_none()) {
            self.preempted.insert(victim.id, ());
        }
        self.preemption_offset = self.preemption_offset.wrapping_add(OFFSET_STEP);
        let PostFilter { nomination, victims, freed, .. } = found;
        Unfit { diagnosis, nomination, victims, freed }
    }

    /// Whether equal pods must fail alike while the cache stays as it is: nobody is nominated and
    /// nobody could be preempted, whatever the offset, and verdicts need not be kept.
    pub(super) fn fails_alike(&self, pod: &PodInfo) -> bool {
        let lowest = self.cache.lowest_priority().unwrap_or(i32::MAX);
        // Claims of ephemeral volumes go by the pod's name.
        let ephemeral = |source: &VolumeSource| matches!(source, VolumeSource::Ephemeral);
        if pod.spec.volumes.iter().any(|v| ephemeral(&v.source)) {
            return false;
        }
        // Those of devices are the pod's own, too.
        let devices = self.objects.devices.as_deref();
        if devices.is_some_and(|devices| {
            !pod.spec.resource_claims.is_empty() || pod_claims::asks_for_extended(devices, pod)
        }) {
            return false;
        }
        !self.explain && self.nominator.is_empty() && pod.priority() <= lowest
    }

    /// Where the next search starts.
    pub(super) fn next_start(&self) -> usize {
        self.next_start
    }

    /// What a failed cycle does beside its answer.
    pub(super) fn skip_failed_cycle(&mut self) {
        self.preemption_offset = self.preemption_offset.wrapping_add(OFFSET_STEP);
    }

    /// Which pods are nominated where.
    pub(super) fn nominator(&self) -> &Nominator {
        &self.nominator
    }

    /// Whether another pod of at least the priority of `pod` is nominated to `node`.
    pub(super) fn has_weighty_nominations(&self, pod: &PodInfo, node: NodeIndex) -> bool {
        let weighty = |n: &PodInfo| n.priority() >= pod.priority() && n.id != pod.id;
        self.nominator.on(node).iter().any(weighty)
    }

    /// Where the next dry run of preemption starts, modulo the number of potential nodes. Upstream
    /// draws it at random; here it takes regular steps, so that no node is favoured.
    pub fn set_preemption_offset(&mut self, offset: usize) {
        self.preemption_offset = offset;
    }

    /// The victims whose deletion has not begun.
    pub(super) fn victims_to_delete(&self, victims: &[PodInfo]) -> Vec<PodId> {
        victims.iter().filter(|v| v.deletion.is_none()).map(|v| v.id).collect()
    }

    /// The pods of lower priority that are nominated to the node that `pod` gets
    /// (`getLowerPriorityNominatedPods`).
    pub(super) fn lower_nominations(&self, pod: &PodInfo, node: NodeIndex) -> Vec<PodId> {
        let lower = |n: &&PodInfo| n.priority() < pod.priority() && n.nominated.is_some();
        self.nominator.on(node).iter().filter(lower).map(|n| n.id).collect()
    }

    /// How many feasible nodes end the search of a list of `nodes` (`numFeasibleNodesToFind`).
    pub(super) fn num_feasible_nodes_to_find(&self, profile: &Profile, nodes: usize) -> usize {
        if !profile.has_score_plugins() {
            return 1;
        }
        if nodes < MIN_FEASIBLE_NODES_TO_FIND {
            return nodes;
        }
        let given =
            profile.percentage_of_nodes_to_score.unwrap_or(self.percentage_of_nodes_to_score);
        let percentage = match given {
            0 => 50usize.saturating_sub(nodes / 125).max(MIN_FEASIBLE_NODES_PERCENTAGE),
            given => given as usize,
        };
        (nodes * percentage / 100).max(MIN_FEASIBLE_NODES_TO_FIND)
    }

    /// Scores the feasible nodes and picks the best; gives the others too, if they are wanted.
    fn best_of(
        &mut self,
        profile: usize,
        pod: &PodInfo,
        feasible: &[NodeIndex],
        wants_others: bool,
        now: SimTime,
    ) -> (NodeIndex, Option<Candidates>) {
        let cx = self.context(now);
        let list = NodeList { infos: cx.nodes.infos, order: feasible };
        let keep = Keep { by_plugin: self.explain, raw: wants_others };
        let scores = self.profiles[profile].run_score(&cx, pod, list, keep);
        let others = wants_others.then(|| {
            let names = list.iter().map(|node| node.name().clone());
            let mut others = Candidates::new(names, &scores.totals, &scores.raw);
            others.pop();
            others
        });
        if self.explain {
            self.explanation.scores = scores.by_plugin;
        }
        (feasible[self.winner(pod.id, &scores.totals)], others)
    }
}

fn sorted_names(plugins: super::framework::PluginSet) -> Vec<&'static str> {
    let mut names: Vec<&str> = plugins.iter().map(registry::name_of).collect();
    names.sort_unstable();
    names
}

/// What a search found.
struct Found {
    /// Feasible nodes in the order found, or the word of a plugin that failed.
    feasible: Result<Vec<NodeIndex>, String>,
    /// Where the next search starts.
    next_start: usize,
    /// What the plugins remember.
    state: CycleState,
    hint: Hint,
}

/// A search over nodes with everything it needs.
struct Search<'a> {
    core: &'a Core,
    profile: &'a Profile,
    cx: Context<'a>,
    state: &'a CycleState,
    pod: &'a PodInfo,
}

impl Search<'_> {
    /// Filters `nodes` from the rotating start until enough are feasible
    /// (`findNodesThatPassFilters`): the search ends at the feasible node that is one too many,
    /// so nodes rejected before it count as looked at. It also ends where a plugin fails; gives its
    /// word then. `known` was looked at already.
    fn run(
        &self,
        workers: &mut Workers,
        nodes: &[NodeIndex],
        known: Option<NodeIndex>,
        diagnosis: &mut Diagnosis,
    ) -> (Vec<NodeIndex>, Option<String>) {
        let wanted = self.core.num_feasible_nodes_to_find(self.profile, nodes.len());
        let mut feasible = Vec::with_capacity(wanted.min(nodes.len()));
        let start = if nodes.is_empty() { 0 } else { self.core.next_start % nodes.len() };
        let at = |piece: usize| nodes[(start + piece) % nodes.len()];
        if !self.profile.has_filter_plugins() {
            feasible.extend((0..wanted.min(nodes.len())).map(at));
            return (feasible, None);
        }
        let (mut rejected, mut error) = (Vec::new(), None);
        let is_one = workers.is_one();
        workers.run(nodes.len(), |piece| {
            let node = at(piece);
            let info = self.core.cache.info(node);
            match self.core.filter(self.profile, &self.cx, self.state, self.pod, node, info) {
                Ok(()) if feasible.len() == wanted => return ControlFlow::Break(()),
                Ok(()) => feasible.push(node),
                Err((plugin, status)) if status.code == Code::Error => {
                    let (name, why) = (registry::name_of(plugin), status.message());
                    error.get_or_insert(format!("running {name:?} filter plugin: {why}"));
                    return ControlFlow::Break(());
                }
                Err((plugin, status)) => {
                    let rejection = Rejection { node, plugin, status };
                    match is_one {
                        true => diagnosis.reject(rejection, known == Some(node)),
                        false => rejected.push((piece, rejection)),
                    }
                }
            }
            ControlFlow::Continue(())
        });
        // They are told in the order of the list, whoever of several came to them first.
        rejected.sort_by_key(|(piece, _)| *piece);
        for (_, rejection) in rejected {
            let is_known = known == Some(rejection.node);
            diagnosis.reject(rejection, is_known);
        }
        (feasible, error)
    }
}

impl Core {
    /// Runs the filters on a node, first as if the pods nominated to it with at least the pod's
    /// priority ran there, then as it is (`RunFilterPluginsWithNominatedPods`).
    pub(super) fn filter(
        &self,
        profile: &Profile,
        cx: &Context<'_>,
        state: &CycleState,
        pod: &PodInfo,
        node: NodeIndex,
        info: &NodeInfo,
    ) -> Result<(), (PluginId, Status)> {
        let nominated = self.nominator.on(node);
        let mut weighty = nominated
            .iter()
            .filter(|n| n.priority() >= pod.priority() && n.id != pod.id)
            .peekable();
        if weighty.peek().is_some() {
            let mut info = info.clone();
            let mut state = state.clone();
            for added in weighty {
                info.add_pod(added.clone());
                profile.run_add_pod(&mut state, pod, added, &info);
            }
            profile.run_filter(cx, &state, pod, &info)?;
        }
        profile.run_filter(cx, state, pod, info)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_nodes_to_find_follows_upstream() {
        let mut configuration = SchedulerConfiguration::default();
        let rows = [
            ("below a hundred all", 0, 99, 99),
            ("at least a hundred", 0, 150, 100),
            ("half, less one per cent for every 125", 0, 1000, 420),
            ("five per cent at least", 0, 15_000, 750),
            ("a given percentage", 30, 1000, 300),
            ("all", 100, 1000, 1000),
        ];
        for (sentence, percentage, nodes, expected) in rows {
            configuration.percentage_of_nodes_to_score = percentage;
            let core = Core::new(&configuration).unwrap();
            let found = core.num_feasible_nodes_to_find(&core.profiles[0], nodes);
            assert_eq!(found, expected, "{sentence}");
        }
    }
}
