//! Configurations of the scheduler: real KubeSchedulerConfigurations.

use super::draw::Draw;
use super::mix::Mix;
use serde_json::{Value, json};

const VERSION: &str = "kubescheduler.config.k8s.io/v1";

/// A configuration, and how many profiles it has: the second is called "second-scheduler".
pub(super) fn any(draw: &mut Draw, mix: &Mix) -> (Value, u64) {
    let mut config = json!({"apiVersion": VERSION, "kind": "KubeSchedulerConfiguration"});
    if mix.nodes.1 >= 100 {
        config["percentageOfNodesToScore"] = json!(draw.of(&[0, 10, 30, 60, 100]));
    }
    let mut profiles = vec![profile(draw, "default-scheduler")];
    if draw.chance(30) {
        profiles.push(profile(draw, "second-scheduler"));
    }
    let count = profiles.len() as u64;
    config["profiles"] = json!(profiles);
    (config, count)
}

fn profile(draw: &mut Draw, name: &str) -> Value {
    let mut arguments = Vec::new();
    if draw.chance(50) {
        arguments.push(fit(draw));
    }
    if draw.chance(25) {
        let mut resources = vec![json!({"name": "cpu", "weight": 1})];
        for other in ["memory", "example.com/gpu", "ephemeral-storage"] {
            if draw.chance(60) {
                resources.push(json!({"name": other, "weight": 1}));
            }
        }
        let given = json!({"resources": resources});
        arguments.push(of("NodeResourcesBalancedAllocation", given));
    }
    if draw.chance(25) {
        let weight = draw.between(0, 100);
        let preferred = draw.chance(40);
        let given = json!({
            "hardPodAffinityWeight": weight,
            "ignorePreferredTermsOfExistingPods": preferred,
        });
        arguments.push(of("InterPodAffinity", given));
    }
    if draw.chance(25) {
        let mut given = json!({"defaultingType": "List"});
        if draw.chance(70) {
            given["defaultConstraints"] = json!([{
                "maxSkew": draw.between(1, 2),
                "topologyKey": draw.of(&["topology.kubernetes.io/zone", "kubernetes.io/hostname"]),
                "whenUnsatisfiable": draw.of(&["ScheduleAnyway", "DoNotSchedule"]),
            }]);
        }
        arguments.push(of("PodTopologySpread", given));
    }
    if draw.chance(20) {
        let terms = json!([{"matchExpressions":
            [{"key": "gen", "operator": "Gt", "values": [draw.between(1, 4).to_string()]}]}]);
        let required = json!({"nodeSelectorTerms": terms});
        let given = json!({"addedAffinity":
            {"requiredDuringSchedulingIgnoredDuringExecution": required}});
        arguments.push(of("NodeAffinity", given));
    }
    let mut profile = json!({"schedulerName": name});
    if !arguments.is_empty() {
        profile["pluginConfig"] = json!(arguments);
    }
    if draw.chance(50) {
        profile["plugins"] = plugins(draw);
    }
    profile
}

/// The arguments of a plugin.
fn of(plugin: &str, mut arguments: Value) -> Value {
    arguments["apiVersion"] = json!(VERSION);
    arguments["kind"] = json!(format!("{plugin}Args"));
    json!({"name": plugin, "args": arguments})
}

fn fit(draw: &mut Draw) -> Value {
    let mut resources = vec![json!({"name": "cpu", "weight": draw.between(1, 5)})];
    for other in ["memory", "example.com/gpu", "ephemeral-storage"] {
        if draw.chance(50) {
            resources.push(json!({"name": other, "weight": draw.between(1, 10)}));
        }
    }
    let strategy = match draw.below(3) {
        0 => json!({"type": "LeastAllocated", "resources": resources}),
        1 => json!({"type": "MostAllocated", "resources": resources}),
        _ => {
            let shape = match draw.below(2) {
                0 => json!([{"utilization": 0, "score": 0}, {"utilization": 100, "score": 10}]),
                _ => json!([{"utilization": 0, "score": 2}, {"utilization": 40, "score": 10},
                            {"utilization": 100, "score": 0}]),
            };
            json!({
                "type": "RequestedToCapacityRatio",
                "resources": resources,
                "requestedToCapacityRatio": {"shape": shape},
            })
        }
    };
    let mut arguments = json!({"scoringStrategy": strategy});
    if draw.chance(20) {
        arguments["ignoredResources"] = json!(["example.com/gpu"]);
    } else if draw.chance(20) {
        arguments["ignoredResourceGroups"] = json!(["example.com"]);
    }
    of("NodeResourcesFit", arguments)
}

fn plugins(draw: &mut Draw) -> Value {
    match draw.below(5) {
        0 => json!({"filter": {"disabled": [{"name": "TaintToleration"}]}}),
        1 => json!({"score": {"disabled":
            [{"name": "NodeResourcesBalancedAllocation"}, {"name": "PodTopologySpread"}]}}),
        2 => json!({"multiPoint": {"enabled": [
            {"name": "TaintToleration", "weight": draw.between(1, 9)},
            {"name": "NodeAffinity", "weight": draw.between(1, 9)},
            {"name": "PodTopologySpread", "weight": draw.between(1, 9)},
        ]}}),
        3 => json!({"score": {"disabled": [{"name": "*"}], "enabled": [
            {"name": "NodeResourcesFit", "weight": draw.between(1, 9)},
            {"name": "ImageLocality", "weight": draw.between(1, 9)},
        ]}}),
        _ => json!({"postFilter": {"disabled": [{"name": "*"}]}}),
    }
}
