//! The arguments of kube-scheduler's own plugins in a configuration file: their form, and what
//! upstream's validation says of their values.
//!
//! It does not know what the plugins make of them. Source:
//! `k8s.io/kube-scheduler/config/v1/types_pluginargs.go`,
//! `pkg/scheduler/apis/config/validation/validation_pluginargs.go`, v1.37.

use super::strict::{Decoded, Fault, decode, is_doubtful};
use super::yaml::Node;
use k8s_openapi::api::core::v1::TopologySpreadConstraint;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;

/// Faults of the arguments of `plugin`; a plugin of one's own checks its arguments itself.
pub(super) fn faults(plugin: &str, args: &Node) -> Vec<Fault> {
    match plugin {
        "DefaultPreemption" => of::<DefaultPreemptionArgs>(args),
        "InterPodAffinity" => of::<InterPodAffinityArgs>(args),
        "NodeAffinity" => of::<NodeAffinityArgs>(args),
        "NodeResourcesBalancedAllocation" => of::<NodeResourcesBalancedAllocationArgs>(args),
        "NodeResourcesFit" => of::<NodeResourcesFitArgs>(args),
        "PodTopologySpread" => of::<PodTopologySpreadArgs>(args),
        "VolumeBinding" => of::<VolumeBindingArgs>(args),
        "DynamicResources" => of::<DynamicResourcesArgs>(args),
        _ => Vec::new(),
    }
}

fn of<T: DeserializeOwned + Arguments>(args: &Node) -> Vec<Fault> {
    let Decoded { value, tree, mut faults } = decode::<T>(args);
    let mut wrong = value.map(|args| args.wrong_values()).unwrap_or_default();
    wrong.retain(|(path, _)| !is_doubtful(args, &tree, path));
    faults.extend(wrong.into_iter().map(|(path, message)| {
        let span = tree.nearest(&path).span.clone();
        Fault { span, message: format!("{path}: {message}"), hint: None }
    }));
    faults
}

/// The path of a field below `args`, and what is wrong with it.
type Wrong = (String, String);

/// Arguments of the right form.
trait Arguments {
    /// Values that upstream refuses.
    fn wrong_values(&self) -> Vec<Wrong> {
        Vec::new()
    }
}

macro_rules! arguments {
    ($($name:ident { $($field:ident : $type:ty,)* })*) => {
        $(
            #[derive(Deserialize)]
            #[serde(deny_unknown_fields, rename_all = "camelCase")]
            #[allow(dead_code, reason = "decoding is a check too")]
            struct $name {
                api_version: Option<String>,
                kind: Option<String>,
                $($field: Option<$type>,)*
            }
        )*
    };
}

arguments! {
    DefaultPreemptionArgs {
        min_candidate_nodes_percentage: i32,
        min_candidate_nodes_absolute: i32,
    }
    InterPodAffinityArgs {
        hard_pod_affinity_weight: i32,
        ignore_preferred_terms_of_existing_pods: bool,
    }
    NodeAffinityArgs { added_affinity: k8s_openapi::api::core::v1::NodeAffinity, }
    NodeResourcesBalancedAllocationArgs { resources: Vec<ResourceSpec>, }
    NodeResourcesFitArgs {
        ignored_resources: Vec<String>,
        ignored_resource_groups: Vec<String>,
        scoring_strategy: ScoringStrategy,
    }
    PodTopologySpreadArgs {
        default_constraints: Vec<TopologySpreadConstraint>,
        defaulting_type: String,
    }
    VolumeBindingArgs { bind_timeout_seconds: i64, shape: Vec<ShapePoint>, }
    DynamicResourcesArgs { filter_timeout: String, binding_timeout: String, }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResourceSpec {
    name: String,
    weight: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ScoringStrategy {
    r#type: Option<String>,
    resources: Option<Vec<ResourceSpec>>,
    requested_to_capacity_ratio: Option<RequestedToCapacityRatio>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestedToCapacityRatio {
    shape: Option<Vec<ShapePoint>>,
}

/// `UtilizationShapePoint`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShapePoint {
    utilization: i32,
    score: i32,
}

impl Arguments for NodeAffinityArgs {}
impl Arguments for DynamicResourcesArgs {}

impl Arguments for DefaultPreemptionArgs {
    fn wrong_values(&self) -> Vec<Wrong> {
        let percentage = self.min_candidate_nodes_percentage.unwrap_or(10);
        let absolute = self.min_candidate_nodes_absolute.unwrap_or(100);
        let mut wrong = Wrongs::default();
        let path = "minCandidateNodesPercentage";
        wrong.unless((0..=100).contains(&percentage), path, "not in valid range [0, 100]");
        let both = percentage == 0 && absolute == 0;
        wrong.unless(!both, path, "cannot be zero at the same time as minCandidateNodesAbsolute");
        wrong.unless(absolute >= 0, "minCandidateNodesAbsolute", "not in valid range [0, inf)");
        wrong.0
    }
}

impl Arguments for InterPodAffinityArgs {
    fn wrong_values(&self) -> Vec<Wrong> {
        let weight = self.hard_pod_affinity_weight.unwrap_or(1);
        let mut wrong = Wrongs::default();
        let fine = (0..=100).contains(&weight);
        wrong.unless(fine, "hardPodAffinityWeight", "not in valid range [0, 100]");
        wrong.0
    }
}

impl Arguments for NodeResourcesBalancedAllocationArgs {
    fn wrong_values(&self) -> Vec<Wrong> {
        let (mut wrong, mut seen) = (Wrongs::default(), BTreeSet::new());
        for (at, resource) in self.resources.iter().flatten().enumerate() {
            let path = format!("resources[{at}]");
            let new = seen.insert(&resource.name);
            wrong.unless(new, &format!("{path}.name"), "it is there already");
            let one = resource.weight.is_none_or(|weight| weight == 1);
            wrong.unless(one, &format!("{path}.weight"), "must be 1");
        }
        wrong.0
    }
}

impl Arguments for NodeResourcesFitArgs {
    fn wrong_values(&self) -> Vec<Wrong> {
        let mut wrong = Wrongs::default();
        for (at, group) in self.ignored_resource_groups.iter().flatten().enumerate() {
            let path = format!("ignoredResourceGroups[{at}]");
            wrong.unless(!group.contains('/'), &path, "a resource group has no `/` in its name");
        }
        let Some(strategy) = &self.scoring_strategy else { return wrong.0 };
        let kind = strategy.r#type.as_deref().unwrap_or("LeastAllocated");
        let known = ["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"];
        let expected = format!("expected one of {}, found {kind:?}", known.join(", "));
        wrong.unless(known.contains(&kind), "scoringStrategy.type", &expected);
        for (at, resource) in strategy.resources.iter().flatten().enumerate() {
            let path = format!("scoringStrategy.resources[{at}].weight");
            // A weight that is not given is 1.
            let fine = resource.weight.is_none_or(|weight| (0..=100).contains(&weight));
            wrong.unless(fine, &path, "not in valid range (0, 100]");
        }
        let path = "scoringStrategy.requestedToCapacityRatio";
        match (&strategy.requested_to_capacity_ratio, kind == "RequestedToCapacityRatio") {
            (None, true) => {
                wrong.unless(false, path, "must be given when type is RequestedToCapacityRatio");
            }
            (Some(_), false) => {
                wrong.unless(false, path, "is for the type RequestedToCapacityRatio only");
            }
            (Some(ratio), true) => {
                let shape = ratio.shape.as_deref().unwrap_or(&[]);
                wrong.shape(shape, &format!("{path}.shape"));
            }
            (None, false) => {}
        }
        wrong.0
    }
}

impl Arguments for PodTopologySpreadArgs {
    fn wrong_values(&self) -> Vec<Wrong> {
        let mut wrong = Wrongs::default();
        let constraints = self.default_constraints.as_deref().unwrap_or(&[]);
        let kind = self.defaulting_type.as_deref().unwrap_or("System");
        let expected = format!("expected System or List, found {kind:?}");
        wrong.unless(["System", "List"].contains(&kind), "defaultingType", &expected);
        let both = kind == "System" && !constraints.is_empty();
        wrong.unless(!both, "defaultingType", "must be List when there are defaultConstraints");
        let mut seen = BTreeSet::new();
        for (at, given) in constraints.iter().enumerate() {
            let path = format!("defaultConstraints[{at}]");
            wrong.unless(given.max_skew > 0, &format!("{path}.maxSkew"), "must be above zero");
            let topology = !given.topology_key.is_empty();
            wrong.unless(topology, &format!("{path}.topologyKey"), "must not be empty");
            let selects = given.label_selector.is_some();
            let message = "a default constraint has no selector: it is made for each pod";
            wrong.unless(!selects, &format!("{path}.labelSelector"), message);
            let new = seen.insert((&given.topology_key, &given.when_unsatisfiable));
            wrong.unless(new, &path, "a constraint of this topology and kind is there already");
        }
        wrong.0
    }
}

impl Arguments for VolumeBindingArgs {
    fn wrong_values(&self) -> Vec<Wrong> {
        let mut wrong = Wrongs::default();
        let fine = self.bind_timeout_seconds.is_none_or(|seconds| seconds >= 0);
        wrong.unless(fine, "bindTimeoutSeconds", "must not be negative");
        if let Some(shape) = &self.shape {
            wrong.shape(shape, "shape");
        }
        wrong.0
    }
}

/// Values found wrong so far.
#[derive(Default)]
struct Wrongs(Vec<Wrong>);

impl Wrongs {
    fn unless(&mut self, fine: bool, path: &str, message: &str) {
        if !fine {
            self.0.push((path.to_owned(), message.to_owned()));
        }
    }

    /// `validateFunctionShape`.
    fn shape(&mut self, shape: &[ShapePoint], path: &str) {
        self.unless(!shape.is_empty(), path, "at least one point must be given");
        for (at, point) in shape.iter().enumerate() {
            let utilization = format!("{path}[{at}].utilization");
            let ascends = at == 0 || shape[at - 1].utilization < point.utilization;
            self.unless(ascends, &utilization, "points must be in increasing order");
            let fine = (0..=100).contains(&point.utilization);
            self.unless(fine, &utilization, "not in valid range [0, 100]");
            let fine = (0..=10).contains(&point.score);
            self.unless(fine, &format!("{path}[{at}].score"), "not in valid range [0, 10]");
        }
    }
}
