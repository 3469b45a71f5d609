//! `KubeSchedulerConfiguration` (`kubescheduler.config.k8s.io/v1`): profiles, plugins and their
//! arguments, as users write them. It knows the shape of the configuration, not what any plugin
//! makes of it.
//!
//! Source: `k8s.io/kube-scheduler/config/v1/types.go`; the default profile and the merging of
//! plugin sets: `pkg/scheduler/apis/config/v1/default_plugins.go`, v1.37.

use super::registry;
use super::version::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The configuration of the scheduler, upstream's defaults where nothing is given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SchedulerConfiguration {
    /// Whose rules count. Not a field of upstream's: there it is the program's own.
    #[serde(skip)]
    pub version: Version,
    /// Workers that filter nodes side by side. Upstream's default is 16, here it is 1: the only
    /// number with which the real scheduler is deterministic.
    pub parallelism: u32,
    /// Nodes to score, per cent of all; 0 means the adaptive default.
    pub percentage_of_nodes_to_score: u32,
    /// First back-off of an unschedulable pod, default 1 s.
    pub pod_initial_backoff_seconds: u64,
    /// Longest back-off, default 10 s.
    pub pod_max_backoff_seconds: u64,
    /// Profiles; one named `default-scheduler` when none is given.
    pub profiles: Vec<ProfileConfiguration>,
}

impl Default for SchedulerConfiguration {
    fn default() -> SchedulerConfiguration {
        SchedulerConfiguration {
            version: Version::default(),
            parallelism: 1,
            percentage_of_nodes_to_score: 0,
            pod_initial_backoff_seconds: 1,
            pod_max_backoff_seconds: 10,
            profiles: vec![ProfileConfiguration::default()],
        }
    }
}

/// One profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProfileConfiguration {
    /// Pods ask for it by this name.
    pub scheduler_name: String,
    /// Overrides the global value.
    pub percentage_of_nodes_to_score: Option<u32>,
    /// Changes to the default set of plugins.
    pub plugins: Plugins,
    /// Arguments of plugins.
    pub plugin_config: Vec<PluginConfiguration>,
}

impl Default for ProfileConfiguration {
    fn default() -> ProfileConfiguration {
        ProfileConfiguration {
            scheduler_name: "default-scheduler".to_owned(),
            percentage_of_nodes_to_score: None,
            plugins: Plugins::default(),
            plugin_config: Vec::new(),
        }
    }
}

/// Arguments of one plugin, decoded by the plugin itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PluginConfiguration {
    /// The plugin.
    pub name: String,
    /// Its arguments.
    #[serde(default)]
    pub args: Value,
}

/// Which plugins are enabled and disabled at each extension point.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs, reason = "the fields are the extension points, named as upstream")]
pub struct Plugins {
    pub pre_enqueue: PluginNames,
    pub queue_sort: PluginNames,
    pub pre_filter: PluginNames,
    pub filter: PluginNames,
    pub post_filter: PluginNames,
    pub pre_score: PluginNames,
    pub score: PluginNames,
    pub reserve: PluginNames,
    pub permit: PluginNames,
    pub pre_bind: PluginNames,
    pub bind: PluginNames,
    pub post_bind: PluginNames,
    /// All extension points that the plugin implements.
    pub multi_point: PluginNames,
}

/// Plugins of one extension point.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PluginNames {
    /// Added, or reconfigured where a default is named.
    pub enabled: Vec<PluginName>,
    /// Taken away; `*` means all defaults.
    pub disabled: Vec<PluginName>,
}

/// A plugin with its weight in scoring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PluginName {
    /// Its name, or `*`.
    pub name: String,
    /// Its weight; 0 and a missing one mean 1.
    #[serde(default)]
    pub weight: i64,
}

/// Plugins of the default profile with their weights, in upstream's order. DefaultBinder is not in
/// the registry: whoever applies a decision binds.
const DEFAULT_PLUGINS: [(&str, i64); 20] = [
    ("SchedulingGates", 0),
    ("PrioritySort", 0),
    ("NodeName", 0),
    ("NodeUnschedulable", 0),
    ("TaintToleration", 3),
    ("NodeAffinity", 2),
    ("NodePorts", 0),
    ("NodeResourcesFit", 1),
    ("VolumeRestrictions", 0),
    ("NodeVolumeLimits", 0),
    ("VolumeBinding", 0),
    ("VolumeZone", 0),
    ("PodTopologySpread", 2),
    ("InterPodAffinity", 2),
    ("DynamicResources", 2),
    ("DefaultPreemption", 0),
    ("NodeResourcesBalancedAllocation", 1),
    ("ImageLocality", 1),
    ("DefaultBinder", 0),
    ("NodeDeclaredFeatures", 0),
];

/// The extension points of a profile by their names in a configuration.
pub const POINTS: [&str; 13] = [
    "preEnqueue",
    "queueSort",
    "preFilter",
    "filter",
    "postFilter",
    "preScore",
    "score",
    "reserve",
    "permit",
    "preBind",
    "bind",
    "postBind",
    "multiPoint",
];

/// Names of all plugins that a configuration may name: those of the registry, and those of
/// upstream's default profile that need not be there.
pub fn known_plugins() -> impl Iterator<Item = &'static str> {
    let registered = registry::REGISTRY.iter().map(|(name, _)| *name);
    let default = DEFAULT_PLUGINS.iter().map(|(name, _)| *name);
    registered.chain(default.filter(|name| registry::id_of(name).is_none()))
}

/// Whether a configuration may name this plugin.
pub fn is_known_plugin(name: &str) -> bool {
    known_plugins().any(|known| known == name)
}

impl PluginNames {
    fn disables(&self, name: &str) -> bool {
        self.disabled.iter().any(|d| d.name == name || d.name == "*")
    }

    fn enabled(&self, name: &str) -> Option<&PluginName> {
        self.enabled.iter().find(|e| e.name == name)
    }
}

/// The plugins of the `multiPoint` set: the defaults, changed as `custom` says (`mergePluginSet`).
pub fn multi_point(custom: &PluginNames) -> Vec<PluginName> {
    let mut merged = Vec::new();
    for (name, weight) in DEFAULT_PLUGINS.iter().filter(|(name, _)| !custom.disables(name)) {
        let default = PluginName { name: (*name).to_owned(), weight: *weight };
        merged.push(custom.enabled(name).cloned().unwrap_or(default));
    }
    for added in &custom.enabled {
        if !merged.iter().any(|m| m.name == added.name) {
            merged.push(added.clone());
        }
    }
    merged
}

/// The plugins of one extension point in execution order, given those of `multi_point` that
/// implement it (`expandMultiPointPlugins`): first multi-point plugins that the point itself names
/// too, then the other multi-point plugins, then what only the point names.
pub fn expand(point: &PluginNames, multi_point: &[PluginName]) -> Vec<PluginName> {
    let is_multi = |name: &str| multi_point.iter().any(|m| m.name == name);
    if point.disabled.iter().any(|d| d.name == "*") {
        return point.enabled.clone();
    }
    let disabled = |name: &str| point.disabled.iter().any(|d| d.name == name);
    let overrides = |p: &&PluginName| is_multi(&p.name) && !disabled(&p.name);
    let mut order: Vec<PluginName> = point.enabled.iter().filter(overrides).cloned().collect();
    for plugin in multi_point {
        if !disabled(&plugin.name) && point.enabled(&plugin.name).is_none() {
            order.push(plugin.clone());
        }
    }
    order.extend(point.enabled.iter().filter(|p| !overrides(p)).cloned());
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[(&str, i64)]) -> Vec<PluginName> {
        list.iter()
            .map(|(n, weight)| PluginName { name: (*n).to_owned(), weight: *weight })
            .collect()
    }

    fn order(list: Vec<PluginName>) -> Vec<(String, i64)> {
        list.into_iter().map(|p| (p.name, p.weight)).collect()
    }

    #[test]
    fn plugin_sets_merge_as_upstream() {
        let multi = names(&[("A", 1), ("B", 2), ("C", 3)]);
        let point = |enabled: &[(&str, i64)], disabled: &[&str]| PluginNames {
            enabled: names(enabled),
            disabled: disabled
                .iter()
                .map(|d| PluginName { name: (*d).to_owned(), weight: 0 })
                .collect(),
        };
        type Row = (&'static str, PluginNames, &'static [(&'static str, i64)]);
        let rows: [Row; 5] = [
            ("nothing said: the multi-point set", point(&[], &[]), &[("A", 1), ("B", 2), ("C", 3)]),
            ("one disabled is left out", point(&[], &["B"]), &[("A", 1), ("C", 3)]),
            (
                "all disabled: only what is named",
                point(&[("D", 4), ("A", 9)], &["*"]),
                &[("D", 4), ("A", 9)],
            ),
            (
                "a reconfigured one comes first",
                point(&[("C", 7)], &[]),
                &[("C", 7), ("A", 1), ("B", 2)],
            ),
            (
                "a new one comes last",
                point(&[("D", 4)], &[]),
                &[("A", 1), ("B", 2), ("C", 3), ("D", 4)],
            ),
        ];
        for (sentence, point, expected) in rows {
            assert_eq!(order(expand(&point, &multi)), order(names(expected)), "{sentence}");
        }
    }

    #[test]
    fn a_default_plugin_named_again_keeps_its_place() {
        let custom =
            PluginNames { enabled: names(&[("NodeAffinity", 9), ("Mine", 1)]), disabled: vec![] };
        let merged = multi_point(&custom);
        assert_eq!((&*merged[5].name, merged[5].weight), ("NodeAffinity", 9));
        assert_eq!(merged.last().map(|p| &*p.name), Some("Mine"));
        assert_eq!(merged.len(), DEFAULT_PLUGINS.len() + 1);
    }
}
