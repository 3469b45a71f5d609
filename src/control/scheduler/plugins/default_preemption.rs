//! DefaultPreemption: makes room for a pod by deleting pods of lower priority.
//!
//! Source: `plugins/defaultpreemption/default_preemption.go`, `framework/preemption/`, v1.37,
//! without workload-aware preemption (off by default). Upstream lists potential nodes in the random
//! order of a map; here it is the order in which they were searched.

use crate::api::labels::Selector;
use crate::control::scheduler::diagnosis::{Diagnosis, Rejection, counted_message};
use crate::control::scheduler::dry_run::{BudgetSet, Candidate, DryRuns, Tried};
use crate::control::scheduler::event::{ClusterEvent, EventObjects};
use crate::control::scheduler::framework::{
    Code, EnqueueExtensions, NodeIndex, PluginId, PluginState, PostFilter, PostFilterPlugin,
    PreEnqueuePlugin, QueueingHint, Status,
};
use crate::control::scheduler::handle::Handle;
use crate::control::scheduler::objects::Objects;
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::scheduler::profile::CycleState;
use crate::control::scheduler::queue::QueuedPod;
use crate::control::scheduler::registry::{self, decode};
use serde::Deserialize;
use serde_json::Value;
use std::cmp::Reverse;

/// Finds victims for pods that fit nowhere.
pub struct DefaultPreemption {
    args: Args,
}

/// `DefaultPreemptionArgs`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Args {
    min_candidate_nodes_percentage: usize,
    min_candidate_nodes_absolute: usize,
}

impl Default for Args {
    fn default() -> Args {
        Args { min_candidate_nodes_percentage: 10, min_candidate_nodes_absolute: 100 }
    }
}

const NO_VICTIMS: &str = "No preemption victims found for incoming pod";
const NOT_HELPFUL: &str = "Preemption is not helpful for scheduling";

impl DefaultPreemption {
    /// From `DefaultPreemptionArgs`.
    pub fn new(args: &Value) -> Result<DefaultPreemption, String> {
        Ok(DefaultPreemption { args: decode(args)? })
    }

    /// Tries the potential nodes (`DryRunPreemption`): of the candidates, those that violate no
    /// budget come first.
    fn dry_run(&self, handle: &Handle<'_>, pod: &PodInfo, nodes: &[NodeIndex]) -> Tried {
        let (mut harmless, mut violating) = (Vec::new(), Vec::new());
        let mut said = self.nothing_said();
        let plugin = PluginId(0);
        let enough = self.enough(nodes.len());
        let start = handle.preemption_offset(nodes.len());
        for node in nodes[start..].iter().chain(&nodes[..start]) {
            match self.try_node(handle, pod, *node) {
                Ok(candidate) if candidate.violations == 0 => harmless.push(candidate),
                Ok(candidate) => violating.push(candidate),
                Err(status) => said.rejections.push(Rejection { node: *node, plugin, status }),
            }
            if !harmless.is_empty() && harmless.len() + violating.len() >= enough {
                break;
            }
        }
        let dry_runs = harmless.len() + violating.len() + said.rejections.len();
        harmless.extend(violating);
        Tried { best: pick_one(harmless), said, dry_runs }
    }
}

impl DryRuns for DefaultPreemption {
    fn at_once(
        &self,
        handle: &Handle<'_>,
        pod: &PodInfo,
        diagnosis: &Diagnosis,
        potential: usize,
    ) -> Option<PostFilter> {
        if let Some(reasons) = not_eligible(handle, pod, diagnosis) {
            let status = Status::unschedulable(reasons);
            return Some(PostFilter {
                status,
                nomination: None,
                victims: Vec::new(),
                freed: None,
                dry_runs: 0,
            });
        }
        let all = handle.context().nodes.len();
        let in_vain = !handle.has_lower_priority_pods(pod.priority());
        in_vain.then(|| no_victims_anywhere(potential, all))
    }

    /// `calculateNumCandidates`.
    fn enough(&self, potential: usize) -> usize {
        let share = potential * self.args.min_candidate_nodes_percentage / 100;
        share.max(self.args.min_candidate_nodes_absolute).min(potential)
    }

    fn try_node(
        &self,
        handle: &Handle<'_>,
        pod: &PodInfo,
        node: NodeIndex,
    ) -> Result<Candidate, Status> {
        select_victims(handle, pod, node)
    }

    fn nothing_said(&self) -> Diagnosis {
        let mut said = Diagnosis::new(Vec::new());
        said.absent = Status::unresolvable(&[NOT_HELPFUL]);
        said
    }

    fn answer(&self, handle: &Handle<'_>, tried: Tried) -> PostFilter {
        let Tried { best, said, dry_runs } = tried;
        let Some(best) = best else {
            let all = handle.context().nodes.len();
            let found = failed(&said).unwrap_or_else(|| fruitless(&said.message(all)));
            return PostFilter { dry_runs, ..found };
        };
        let (node, victims) = (handle.node(best.node).name(), best.victims.len());
        let reason = match handle.context().version.tells_of_victims() {
            true => format!(
                "preemption: found a potential placement for pod on node {node}, \
                 preempting {victims} victims"
            ),
            false => String::new(),
        };
        PostFilter {
            freed: None,
            status: Status::made(Code::Success, reason),
            nomination: Some(Some(best.node)),
            victims: best.victims,
            dry_runs,
        }
    }
}

/// The least important pods that make room on a node (`SelectVictimsOnNode`): all of lower
/// priority are taken away, then as many as possible put back, the most important first.
fn select_victims(
    handle: &Handle<'_>,
    pod: &PodInfo,
    node: NodeIndex,
) -> Result<Candidate, Status> {
    let lower = handle.node(node).pods.iter().filter(|p| p.priority() < pod.priority());
    let mut potential: Vec<PodInfo> = lower.cloned().collect();
    if potential.is_empty() {
        return Err(Status::unresolvable(&[NO_VICTIMS]));
    }
    let mut info = handle.node(node).clone();
    let mut state = handle.state().clone();
    for victim in &potential {
        info.remove_pod(victim.id);
        handle.run_remove_pod(&mut state, pod, victim, &info);
    }
    handle.filter(&state, pod, node, &info).map_err(|(plugin, status)| match status.code {
        Code::Error => {
            let (name, why) = (registry::name_of(plugin), status.message());
            Status::made(Code::Error, format!("running {name:?} filter plugin: {why}"))
        }
        _ => status,
    })?;
    sort_by_importance(&mut potential);
    let mut budgets = BudgetSet::default();
    let (violating, harmless) = split_by_budgets(handle, potential, &mut budgets);
    let (both, mut violations) = (!violating.is_empty() && !harmless.is_empty(), 0);
    let mut victims = Vec::new();
    let mut reprieve = |victim: PodInfo, state: &mut CycleState| {
        info.add_pod(victim.clone());
        handle.run_add_pod(state, pod, &victim, &info);
        if handle.filter(state, pod, node, &info).is_ok() {
            return true;
        }
        info.remove_pod(victim.id);
        handle.run_remove_pod(state, pod, &victim, &info);
        victims.push(victim);
        false
    };
    for victim in violating {
        violations += usize::from(!reprieve(victim, &mut state));
    }
    for victim in harmless {
        reprieve(victim, &mut state);
    }
    if both {
        sort_by_importance(&mut victims);
    }
    if victims.is_empty() {
        // All could be put back, which upstream reports as an error.
        let name = handle.node(node).name();
        let reason = format!("expected at least one victim pod on node {name:?}");
        return Err(Status::made(Code::Error, reason));
    }
    Ok(Candidate { node, victims, violations, budgets })
}

/// Higher priority first, then earlier start (`MoreImportantVictim`). A pod that has not started
/// counts as started just now, so among such pods the order stays.
fn sort_by_importance(pods: &mut [PodInfo]) {
    pods.sort_by_key(|p| (Reverse(p.priority()), p.started));
}

/// Pods whose deletion would violate a budget, and the others, both in the given order
/// (`FilterVictimsWithPDBViolation`). Budgets are used up in that order; those that were heeded are
/// put into `heeded`.
fn split_by_budgets(
    handle: &Handle<'_>,
    pods: Vec<PodInfo>,
    heeded: &mut BudgetSet,
) -> (Vec<PodInfo>, Vec<PodInfo>) {
    let budgets = &handle.context().objects.budgets;
    if budgets.is_empty() {
        return (Vec::new(), pods);
    }
    let mut allowed: Vec<i64> = budgets.values().map(|b| b.disruptions_allowed).collect();
    let mut violates = |pod: &PodInfo| {
        if pod.labels.is_empty() {
            return false;
        }
        for ((id, budget), allowed) in budgets.iter().zip(&mut allowed) {
            let selects = match &budget.selector {
                // An empty selector of a budget selects nothing.
                Selector::All(requirements) if requirements.is_empty() => false,
                selector => selector.matches(&pod.labels),
            };
            if budget.namespace != pod.namespace || !selects {
                continue;
            }
            heeded.insert(*id);
            if budget.disrupted_pods.contains(&pod.id) {
                continue;
            }
            *allowed -= 1;
            if *allowed < 0 {
                return true;
            }
        }
        false
    };
    pods.into_iter().partition(|pod| violates(pod))
}

/// The candidate that does least harm (`pickOneNodeForPreemption`), the first of equal ones.
fn pick_one(candidates: Vec<Candidate>) -> Option<Candidate> {
    candidates.into_iter().min_by_key(Candidate::harm)
}

/// Why the pod must not preempt, if it must not (`PodEligibleToPreemptOthers`).
fn not_eligible(
    handle: &Handle<'_>,
    pod: &PodInfo,
    diagnosis: &Diagnosis,
) -> Option<&'static [&'static str]> {
    if pod.spec.never_preempts {
        return Some(&["preemption: not eligible due to preemptionPolicy=Never."]);
    }
    let node = handle.nominated_node(pod)?;
    if diagnosis.status_of(node).code == Code::UnschedulableAndUnresolvable {
        return None;
    }
    let going =
        |p: &PodInfo| p.priority() < pod.priority() && handle.is_terminating_by_preemption(p);
    handle
        .node(node)
        .pods
        .iter()
        .any(going)
        .then_some(&["preemption: not eligible due to a terminating pod on the nominated node."])
}

impl PostFilterPlugin for DefaultPreemption {
    fn post_filter(
        &self,
        handle: &Handle<'_>,
        _state: &PluginState,
        pod: &PodInfo,
        diagnosis: &Diagnosis,
    ) -> PostFilter {
        let nodes = potential_nodes(diagnosis, handle.context().nodes.order);
        match self.at_once(handle, pod, diagnosis, nodes.len()) {
            Some(answer) => answer,
            None => self.answer(handle, self.dry_run(handle, pod, &nodes)),
        }
    }

    fn dry_runs(&self) -> Option<&dyn DryRuns> {
        Some(self)
    }
}

/// No candidate was found: the pod's nomination goes too.
fn fruitless(message: &str) -> PostFilter {
    let status = Status::made(Code::Unschedulable, format!("preemption: {message}"));
    PostFilter { status, nomination: Some(None), victims: Vec::new(), freed: None, dry_runs: 0 }
}

/// No candidate was found, and plugins failed on nodes: each of their words is told once
/// (`utilerrors.NewAggregate`), and the pod's nomination stays.
fn failed(said: &Diagnosis) -> Option<PostFilter> {
    let is_error = |r: &&Rejection| r.status.code == Code::Error;
    let mut words: Vec<String> = Vec::new();
    for rejection in said.rejections.iter().filter(is_error) {
        let word = rejection.status.message();
        if !words.contains(&word) {
            words.push(word);
        }
    }
    let all = match &words[..] {
        [] => return None,
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    let status = Status::made(Code::Error, format!("preemption: {all}"));
    Some(PostFilter { status, nomination: None, victims: Vec::new(), freed: None, dry_runs: 0 })
}

/// What a dry run finds when no pod of the cluster has a lower priority, without making it: so
/// that many pods of one priority may wait at little cost.
fn no_victims_anywhere(potential: usize, nodes: usize) -> PostFilter {
    let counts = [(NO_VICTIMS, potential), (NOT_HELPFUL, nodes - potential)];
    let counts = counts.into_iter().filter(|(_, count)| *count > 0).collect();
    fruitless(&counted_message(nodes, &counts))
}

/// Nodes that were rejected in a way that removing pods may mend.
fn potential_nodes(diagnosis: &Diagnosis, all: &[NodeIndex]) -> Vec<NodeIndex> {
    let may_help = |status: &Status| status.code == Code::Unschedulable;
    if !may_help(&diagnosis.absent) {
        let rejections = diagnosis.rejections.iter().filter(|r| may_help(&r.status));
        return rejections.map(|r| r.node).collect();
    }
    all.iter().copied().filter(|n| may_help(diagnosis.status_of(*n))).collect()
}

impl PreEnqueuePlugin for DefaultPreemption {
    /// A pod waits until the deletion of its last victim has begun.
    fn pre_enqueue(&self, pod: &QueuedPod) -> Status {
        if pod.waits_for_victim.is_none() {
            return Status::SUCCESS;
        }
        Status::unresolvable(&["waiting for the preemption for this pod to be finished"])
    }
}

impl EnqueueExtensions for DefaultPreemption {
    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const EVENTS: [ClusterEvent; 1] = [ClusterEvent::ASSIGNED_POD_DELETE];
        &EVENTS
    }

    /// The plugins that rejected the pod know when to try again.
    fn queueing_hint(
        &self,
        _objects: &Objects,
        _pod: &PodInfo,
        _event: ClusterEvent,
        _change: &EventObjects<'_>,
    ) -> QueueingHint {
        QueueingHint::QueueSkip
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::PodId;
    use crate::api::pod::PodSpec;
    use crate::control::scheduler::testing::{pod_info, spec};
    use crate::units::SimTime;

    fn victim(priority: i32, started: u64) -> PodInfo {
        let mut pod = pod_info(PodId::default(), PodSpec { priority, ..spec(1, 1) });
        pod.started = SimTime::from_secs(started);
        pod
    }

    #[test]
    fn the_least_harm_is_chosen() {
        type Victims = &'static [(i32, u64)];
        type Row = (&'static str, (Victims, usize), (Victims, usize), u32);
        let rows: [Row; 6] = [
            ("fewer violated budgets", (&[(1, 0)], 1), (&[(9, 0)], 0), 1),
            ("a lower top priority", (&[(2, 0)], 0), (&[(1, 0), (1, 0), (1, 0)], 0), 1),
            ("a smaller sum", (&[(5, 0), (3, 0)], 0), (&[(5, 0), (2, 0)], 0), 1),
            ("fewer victims", (&[(5, 0), (-5, 0)], 0), (&[(5, 0)], 0), 1),
            ("a later start", (&[(5, 3)], 0), (&[(5, 7)], 0), 1),
            ("else the first", (&[(5, 3)], 0), (&[(5, 3)], 0), 0),
        ];
        for (sentence, first, second, expected) in rows {
            let candidate = |node, (victims, violations): (Victims, usize)| Candidate {
                node: NodeIndex(node),
                victims: victims.iter().map(|(p, s)| victim(*p, *s)).collect(),
                violations,
                budgets: BudgetSet::default(),
            };
            let best = pick_one(vec![candidate(0, first), candidate(1, second)]).unwrap();
            assert_eq!(best.node, NodeIndex(expected), "{sentence}");
        }
    }

    #[test]
    fn importance_is_priority_then_age() {
        let mut pods = [victim(1, 5), victim(3, 9), victim(3, 2), victim(1, 1)];
        sort_by_importance(&mut pods);
        let order: Vec<_> = pods.iter().map(|p| (p.priority(), p.started.whole_secs())).collect();
        assert_eq!(order, [(3, 2), (3, 9), (1, 1), (1, 5)]);
    }
}
