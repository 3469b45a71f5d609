//! NodeResourcesFit: a node must have room for what the pod requests; nodes are scored by how full
//! they would be.
//!
//! Source: `plugins/noderesources/fit.go`, `least_allocated.go`, `most_allocated.go`,
//! `requested_to_capacity_ratio.go`, v1.37.

use super::resource_score::{Requests, ResourceSpec, Scored, node_amounts, requests, resources};
use crate::api::Text;
use crate::api::devices::{CLASS_PREFIX, DeviceClass, DeviceObject};
use crate::api::node::Node;
use crate::api::resources::Resources;
use crate::control::scheduler::devices::Devices;
use crate::control::scheduler::event::{Action, ClusterEvent, EventObjects, Resource};
use crate::control::scheduler::framework::{
    Aspects, Code, Context, EnqueueExtensions, FilterPlugin, MAX_NODE_SCORE, NodeList, PluginState,
    PreFilter, PreFilterPlugin, PreScore, PreScorePlugin, QueueingHint, Reasons, Scope,
    ScorePlugin, SignPlugin, Status,
};
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::objects::Objects;
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::scheduler::registry::decode;
use serde::Deserialize;
use serde_json::Value;

/// Filters by requests, scores by a strategy.
pub struct NodeResourcesFit {
    ignored_resources: Vec<String>,
    ignored_resource_groups: Vec<String>,
    strategy: Strategy,
    resources: Vec<Scored>,
}

enum Strategy {
    LeastAllocated,
    MostAllocated,
    /// Utilisation in per cent and score, 0 to 100, in ascending order of utilisation.
    RequestedToCapacityRatio(Vec<(i64, i64)>),
}

/// `NodeResourcesFitArgs`.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Args {
    ignored_resources: Vec<String>,
    ignored_resource_groups: Vec<String>,
    scoring_strategy: Option<ScoringStrategy>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ScoringStrategy {
    #[serde(rename = "type")]
    kind: String,
    resources: Option<Vec<ResourceSpec>>,
    requested_to_capacity_ratio: Option<Ratio>,
}

#[derive(Deserialize)]
struct Ratio {
    shape: Vec<ShapePoint>,
}

/// `UtilizationShapePoint`.
#[derive(Deserialize)]
pub(super) struct ShapePoint {
    #[serde(default)]
    pub(super) utilization: i64,
    /// 0 to 10.
    #[serde(default)]
    pub(super) score: i64,
}

/// A shape as scores of 0 to 100 by utilisation, or what is wrong with it, its place in front
/// (`validateFunctionShape`).
pub(super) fn scores_by_utilization(points: &[ShapePoint]) -> Result<Vec<(i64, i64)>, String> {
    for (i, point) in points.iter().enumerate() {
        if i > 0 && points[i - 1].utilization >= point.utilization {
            return Err(format!("[{i}].utilization: values must be sorted in increasing order"));
        }
        if !(0..=100).contains(&point.utilization) {
            return Err(format!("[{i}].utilization: {} is not in 0..=100", point.utilization));
        }
        if !(0..=10).contains(&point.score) {
            return Err(format!("[{i}].score: {} is not in 0..=10", point.score));
        }
    }
    Ok(points.iter().map(|p| (p.utilization, p.score * (MAX_NODE_SCORE / 10))).collect())
}

impl NodeResourcesFit {
    /// From `NodeResourcesFitArgs`.
    pub fn new(args: &Value) -> Result<NodeResourcesFit, String> {
        let args: Args = decode(args)?;
        let given = args.scoring_strategy.unwrap_or_default();
        let strategy = match given.kind.as_str() {
            "" | "LeastAllocated" => Strategy::LeastAllocated,
            "MostAllocated" => Strategy::MostAllocated,
            "RequestedToCapacityRatio" => {
                let ratio = given.requested_to_capacity_ratio;
                let shape = ratio.map(|r| r.shape).filter(|shape| !shape.is_empty());
                let shape = shape.ok_or("requestedToCapacityRatio needs a shape")?;
                let scores = scores_by_utilization(&shape);
                let wrong = |e| format!("scoringStrategy.requestedToCapacityRatio.shape{e}");
                Strategy::RequestedToCapacityRatio(scores.map_err(wrong)?)
            }
            other => return Err(format!("unknown scoring strategy {other:?}")),
        };
        Ok(NodeResourcesFit {
            ignored_resources: args.ignored_resources,
            ignored_resource_groups: args.ignored_resource_groups,
            strategy,
            resources: resources(given.resources),
        })
    }

    fn is_ignored(&self, name: &str) -> bool {
        if !is_extended(name) {
            return false;
        }
        let group = name.split('/').next().unwrap_or("");
        self.ignored_resources.iter().any(|r| r == name)
            || self.ignored_resource_groups.iter().any(|g| g == group)
    }
}

/// `IsExtendedResourceName`: a name with a domain that is not Kubernetes' own.
pub(in super::super) fn is_extended(name: &str) -> bool {
    name.contains('/') && !name.contains("kubernetes.io/") && !name.starts_with("requests.")
}

/// What a pod asks for, with the reasons for scalar resources made once.
#[derive(Clone)]
struct Asked {
    requests: Resources,
    /// Scalar resources to be checked: name, amount, reason.
    scalars: Vec<(Text, i64, Text)>,
    nothing: bool,
}

impl Asked {
    fn of(pod: &PodInfo, is_ignored: impl Fn(&str) -> bool) -> Asked {
        let requests = Resources { scalars: None, ..pod.requests.clone() };
        let asked = pod.requests.scalars().filter(|(_, amount)| *amount != 0);
        let scalars: Vec<_> = asked
            .filter(|(name, _)| !is_ignored(name))
            .map(|(name, amount)| (name.clone(), amount, format!("Insufficient {name}").into()))
            .collect();
        let nothing = requests == Resources::default() && pod.requests.scalars().next().is_none();
        Asked { requests, scalars, nothing }
    }
}

/// Fixed reasons by which of pods, CPU, memory and ephemeral storage are short (bits 0 to 3).
const SHORT: [&[&str]; 16] = {
    const P: &str = "Too many pods";
    const C: &str = "Insufficient cpu";
    const M: &str = "Insufficient memory";
    const E: &str = "Insufficient ephemeral-storage";
    [
        &[],
        &[P],
        &[C],
        &[P, C],
        &[M],
        &[P, M],
        &[C, M],
        &[P, C, M],
        &[E],
        &[P, E],
        &[C, E],
        &[P, C, E],
        &[M, E],
        &[P, M, E],
        &[C, M, E],
        &[P, C, M, E],
    ]
};

/// Whether a node of these resources, with `taken` and `pods` already on it, has room
/// (`fitsRequest`). Of what a class of devices stands for and the node itself has none, others see
/// whether it can be had.
fn fits(
    asked: &Asked,
    devices: Option<&Devices>,
    node: &Node,
    taken: &Resources,
    pods: usize,
) -> Status {
    let mut short = usize::from(pods + 1 > node.max_pods as usize);
    let mut unresolvable = false;
    let mut scalars_short: Vec<Text> = Vec::new();
    if !asked.nothing {
        let has = &node.allocatable;
        let mut check = |asked: i64, has: i64, taken: i64| {
            let is_short = asked > 0 && asked > has - taken;
            unresolvable |= is_short && asked > has;
            is_short
        };
        let r = &asked.requests;
        short |= usize::from(check(r.cpu.0, has.cpu.0, taken.cpu.0)) << 1;
        short |= usize::from(check(r.memory.0, has.memory.0, taken.memory.0)) << 2;
        let (asked_storage, taken_storage) = (r.ephemeral_storage.0, taken.ephemeral_storage.0);
        short |= usize::from(check(asked_storage, has.ephemeral_storage.0, taken_storage)) << 3;
        for (name, amount, reason) in &asked.scalars {
            if has.scalar(name) <= 0 && is_had_as_devices(devices, name) {
                continue;
            }
            if check(*amount, has.scalar(name), taken.scalar(name)) {
                scalars_short.push(reason.clone());
            }
        }
    }
    if short == 0 && scalars_short.is_empty() {
        return Status::SUCCESS;
    }
    let code = if unresolvable { Code::UnschedulableAndUnresolvable } else { Code::Unschedulable };
    if scalars_short.is_empty() {
        return Status { code, reasons: Reasons::Fixed(SHORT[short]) };
    }
    let fixed = SHORT[short].iter().map(|reason| Text::from(*reason));
    Status { code, reasons: Reasons::Made(fixed.chain(scalars_short).collect()) }
}

fn is_had_as_devices(devices: Option<&Devices>, resource: &str) -> bool {
    devices.is_some_and(|devices| devices.class_of_resource(resource).is_some())
}

impl PreFilterPlugin for NodeResourcesFit {
    fn pre_filter(&self, _cx: &Context<'_>, pod: &PodInfo) -> PreFilter {
        PreFilter::with(Asked::of(pod, |name| self.is_ignored(name)))
    }
}

impl FilterPlugin for NodeResourcesFit {
    fn scope(&self) -> Scope {
        Scope::Node
    }

    fn heeds_identity(&self, _pod: &PodInfo) -> bool {
        false
    }

    fn is_volatile(&self, pod: &PodInfo, objects: &Objects) -> bool {
        let devices = objects.devices.as_deref();
        pod.requests.scalars().any(|(name, _)| is_had_as_devices(devices, name))
    }

    fn filter(
        &self,
        cx: &Context<'_>,
        state: &PluginState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Status {
        let devices = cx.objects.devices.as_deref();
        match state.get::<Asked>() {
            Some(asked) => fits(asked, devices, &node.node, &node.requested, node.pods.len()),
            None => {
                let asked = Asked::of(pod, |name| self.is_ignored(name));
                fits(&asked, devices, &node.node, &node.requested, node.pods.len())
            }
        }
    }
}

impl PreScorePlugin for NodeResourcesFit {
    fn pre_score(&self, _cx: &Context<'_>, pod: &PodInfo, _feasible: NodeList<'_>) -> PreScore {
        PreScore::Continue(PluginState::new(requests(&self.resources, pod, false)))
    }
}

/// `leastRequestedScore`: the free share.
fn least_requested(requested: i64, capacity: i64) -> i64 {
    if requested > capacity { 0 } else { (capacity - requested) * MAX_NODE_SCORE / capacity }
}

/// `mostRequestedScore`: the taken share.
fn most_requested(requested: i64, capacity: i64) -> i64 {
    requested.min(capacity) * MAX_NODE_SCORE / capacity
}

/// The shape's value at a utilisation, by linear interpolation (`BuildBrokenLinearFunction`).
pub(super) fn at_utilization(shape: &[(i64, i64)], utilization: i64) -> i64 {
    let after = shape.iter().position(|(u, _)| utilization <= *u);
    match after {
        None => shape[shape.len() - 1].1,
        Some(0) => shape[0].1,
        Some(i) => {
            let ((u0, s0), (u1, s1)) = (shape[i - 1], shape[i]);
            s0 + (s1 - s0) * (utilization - u0) / (u1 - u0)
        }
    }
}

impl ScorePlugin for NodeResourcesFit {
    fn scope(&self) -> Scope {
        Scope::Node
    }

    fn heeds_identity(&self, _pod: &PodInfo) -> bool {
        false
    }

    fn score(&self, _cx: &Context<'_>, state: &PluginState, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let made;
        let asked = match state.get::<Requests>() {
            Some(asked) => asked,
            None => {
                made = requests(&self.resources, pod, false);
                &made
            }
        };
        let (mut sum, mut weights) = (0, 0);
        for (scored, asked) in self.resources.iter().zip(&asked.0) {
            let amounts = node_amounts(&scored.resource, *asked, node, false);
            let Some((capacity, taken)) = amounts else { continue };
            let requested = taken + asked;
            let score = match &self.strategy {
                Strategy::LeastAllocated => least_requested(requested, capacity),
                Strategy::MostAllocated => most_requested(requested, capacity),
                Strategy::RequestedToCapacityRatio(shape) => {
                    let full = requested > capacity;
                    let utilization = if full { 100 } else { requested * 100 / capacity };
                    let score = at_utilization(shape, utilization);
                    if score <= 0 {
                        continue;
                    }
                    score
                }
            };
            sum += score * scored.weight;
            weights += scored.weight;
        }
        match &self.strategy {
            _ if weights == 0 => 0,
            Strategy::RequestedToCapacityRatio(_) => (sum as f64 / weights as f64).round() as i64,
            _ => sum / weights,
        }
    }
}

impl EnqueueExtensions for NodeResourcesFit {
    fn events_to_register(&self) -> &'static [ClusterEvent] {
        const EVENTS: [ClusterEvent; 5] = [
            ClusterEvent::new(Resource::DeviceClass, Action::ADD.or(Action::UPDATE)),
            ClusterEvent::ASSIGNED_POD_DELETE,
            ClusterEvent::new(Resource::Node, Action::ADD.or(Action::UPDATE_NODE_ALLOCATABLE)),
            ClusterEvent::new(Resource::AssignedPod, Action::UPDATE_POD_SCALE_DOWN),
            ClusterEvent::new(Resource::TargetPod, Action::UPDATE_POD_SCALE_DOWN),
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
        let helps = match change {
            EventObjects::Device { old, new: Some(DeviceObject::Class(new)) } => {
                asks_for_class(pod, *old, new)
            }
            EventObjects::Node { old, new: Some(new) } => {
                let asked = Asked::of(pod, |_| false);
                fits(&asked, objects.devices.as_deref(), new, &Resources::default(), 0).is_success()
                    && old.is_none_or(|old| has_grown(&asked, old, new))
            }
            EventObjects::Pod { old: Some(old), new: Some(new) } => {
                event.resource == Resource::TargetPod || has_shrunk(pod, old, new)
            }
            _ => true,
        };
        QueueingHint::when(helps)
    }
}

/// Whether a class stands for a resource now that the pod asks for
/// (`isSchedulableAfterDeviceClassEvent`).
fn asks_for_class(pod: &PodInfo, old: Option<&DeviceObject>, new: &DeviceClass) -> bool {
    let asks = |resource: &str| pod.requests.scalars().any(|(name, _)| **name == *resource);
    let explicit = || new.extended_resource.as_deref().is_some_and(asks);
    match old {
        Some(DeviceObject::Class(old)) if old.extended_resource == new.extended_resource => false,
        Some(_) => explicit(),
        None => asks(&format!("{CLASS_PREFIX}{}", new.name)) || explicit(),
    }
}

/// Whether a node has more of anything that is asked for (`haveAnyRequestedResourcesIncreased`).
fn has_grown(asked: &Asked, old: &Node, new: &Node) -> bool {
    if new.max_pods > old.max_pods {
        return true;
    }
    let (r, old, new) = (&asked.requests, &old.allocatable, &new.allocatable);
    (r.cpu.0 > 0 && new.cpu > old.cpu)
        || (r.memory.0 > 0 && new.memory > old.memory)
        || (r.ephemeral_storage.0 > 0 && new.ephemeral_storage > old.ephemeral_storage)
        || asked.scalars.iter().any(|(name, ..)| new.scalar(name) > old.scalar(name))
}

/// Whether another pod gave back something of what `pod` asks for
/// (`haveEnoughRelevantResourcesDecreased`).
fn has_shrunk(pod: &PodInfo, old: &PodInfo, new: &PodInfo) -> bool {
    let (asked, old, new) = (&pod.requests, &old.requests, &new.requests);
    (asked.cpu.0 > 0 && old.cpu > new.cpu)
        || (asked.memory.0 > 0 && old.memory > new.memory)
        || (asked.ephemeral_storage.0 > 0 && old.ephemeral_storage > new.ephemeral_storage)
        || asked.scalars().any(|(name, a)| a > 0 && old.scalar(name) > new.scalar(name))
}

impl SignPlugin for NodeResourcesFit {
    fn sign(&self, _pod: &PodInfo) -> Option<Aspects> {
        Some(Aspects::RESOURCES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::PodId;
    use crate::control::scheduler::testing::{node, pod_info, spec};
    use crate::units::{Bytes, MilliCpu};

    fn asked(cpu: i64, mebi: i64, gpus: i64) -> Asked {
        let mut pod = pod_info(PodId::default(), spec(cpu, mebi));
        if gpus > 0 {
            pod.shape_mut().requests.scalars =
                Some(Box::new([("example.com/gpu".into(), gpus)].into_iter().collect()));
        }
        Asked::of(&pod, |_| false)
    }

    #[test]
    fn what_is_short_is_told_in_upstreams_words() {
        use Code::*;
        let taken = Resources::of(MilliCpu(3000), Bytes::mebi(1024));
        let rows: [(&str, Asked, usize, Code, &[&str]); 6] = [
            ("it fits", asked(1000, 1024, 0), 1, Success, &[]),
            ("CPU is taken", asked(1001, 1024, 0), 1, Unschedulable, &["Insufficient cpu"]),
            (
                "more than the node has can't be preempted for",
                asked(4001, 1024, 0),
                1,
                UnschedulableAndUnresolvable,
                &["Insufficient cpu"],
            ),
            (
                "all shortages are told",
                asked(2000, 15 * 1024 + 1, 0),
                110,
                Unschedulable,
                &["Too many pods", "Insufficient cpu", "Insufficient memory"],
            ),
            (
                "an extended resource the node lacks",
                asked(1, 1, 1),
                1,
                UnschedulableAndUnresolvable,
                &["Insufficient example.com/gpu"],
            ),
            (
                "a pod that asks for nothing needs a place",
                asked(0, 0, 0),
                110,
                Unschedulable,
                &["Too many pods"],
            ),
        ];
        for (sentence, asked, pods, code, reasons) in rows {
            let status = fits(&asked, None, &node("n"), &taken, pods);
            assert_eq!(status.code, code, "{sentence}");
            assert_eq!(status.reasons.iter().collect::<Vec<_>>(), reasons, "{sentence}");
        }
    }

    #[test]
    fn strategies_score_shares() {
        assert_eq!(least_requested(1000, 4000), 75);
        assert_eq!(least_requested(5000, 4000), 0, "more than there is scores nothing");
        assert_eq!(most_requested(1000, 4000), 25);
        assert_eq!(most_requested(5000, 4000), 100);
        let shape = [(0, 20), (40, 100), (100, 0)];
        let rows = [(0, 20), (20, 60), (40, 100), (70, 50), (100, 0)];
        for (utilization, score) in rows {
            assert_eq!(at_utilization(&shape, utilization), score, "at {utilization} %");
        }
    }

    #[test]
    fn ignored_resources_are_extended_ones_only() {
        let args = serde_json::json!({"ignoredResources": ["cpu"], "ignoredResourceGroups": ["example.com"]});
        let fit = NodeResourcesFit::new(&args).unwrap();
        assert!(fit.is_ignored("example.com/gpu") && !fit.is_ignored("cpu"));
        assert!(!fit.is_ignored("hugepages-2Mi"));
    }
}
