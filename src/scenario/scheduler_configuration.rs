//! A `KubeSchedulerConfiguration` file, as kube-scheduler's `--config` takes it: strict, all errors
//! with their places.
//!
//! It knows the file's form and upstream's validation of it, not what plugins make of it.
//! Source: `k8s.io/kube-scheduler/config/v1/types.go`, `types_pluginargs.go`,
//! `pkg/scheduler/apis/config/validation/`, v1.37.

use super::diagnostic::did_you_mean;
use super::model::Ignored;
use super::scheduler_arguments;
use super::strict::{Decoded, Fault, decode, is_doubtful};
use super::yaml::{Node, parse};
use crate::control::scheduler::Scheduler;
use crate::control::scheduler::config::{
    POINTS, Plugins, ProfileConfiguration, SchedulerConfiguration, is_known_plugin, known_plugins,
};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::BTreeSet;

const VERSION: &str = "kubescheduler.config.k8s.io/v1";
const KIND: &str = "KubeSchedulerConfiguration";

/// Fields that are accepted and change nothing here.
const WITHOUT_EFFECT: [&str; 5] = [
    "leaderElection",
    "enableProfiling",
    "enableContentionProfiling",
    "delayCacheUntilActive",
    "clientConnection.kubeconfig",
];

/// What a configuration file says.
#[derive(Clone, Debug)]
pub(super) struct Configured {
    pub configuration: SchedulerConfiguration,
    /// `clientConnection.qps`.
    pub qps: Option<f64>,
    /// `clientConnection.burst`.
    pub burst: Option<u32>,
    /// What of it changes nothing, if anything.
    pub ignored: Option<Ignored>,
}

// The file's form. Fields that only need the right form are not read any further: the room that
// owns them decodes them again.

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[allow(dead_code, reason = "decoding is the check")]
struct File {
    api_version: String,
    kind: String,
    parallelism: Option<i32>,
    leader_election: Option<LeaderElection>,
    client_connection: Option<ClientConnection>,
    enable_profiling: Option<bool>,
    enable_contention_profiling: Option<bool>,
    percentage_of_nodes_to_score: Option<i32>,
    pod_initial_backoff_seconds: Option<i64>,
    pod_max_backoff_seconds: Option<i64>,
    #[serde(default)]
    profiles: Vec<Profile>,
    #[serde(default)]
    extenders: Vec<IgnoredAny>,
    delay_cache_until_active: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[allow(dead_code, reason = "decoding is the check")]
struct LeaderElection {
    leader_elect: Option<bool>,
    lease_duration: Option<String>,
    renew_deadline: Option<String>,
    retry_period: Option<String>,
    resource_lock: Option<String>,
    resource_name: Option<String>,
    resource_namespace: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[allow(dead_code, reason = "decoding is the check")]
struct ClientConnection {
    kubeconfig: Option<String>,
    accept_content_types: Option<String>,
    content_type: Option<String>,
    qps: Option<f64>,
    burst: Option<i32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[allow(dead_code, reason = "decoding is the check")]
struct Profile {
    scheduler_name: Option<String>,
    percentage_of_nodes_to_score: Option<i32>,
    plugins: Option<PluginSets>,
    #[serde(default)]
    plugin_config: Vec<PluginConfig>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[allow(dead_code, reason = "decoding is the check")]
struct PluginSets {
    pre_enqueue: Option<PluginSet>,
    queue_sort: Option<PluginSet>,
    pre_filter: Option<PluginSet>,
    filter: Option<PluginSet>,
    post_filter: Option<PluginSet>,
    pre_score: Option<PluginSet>,
    score: Option<PluginSet>,
    reserve: Option<PluginSet>,
    permit: Option<PluginSet>,
    pre_bind: Option<PluginSet>,
    bind: Option<PluginSet>,
    post_bind: Option<PluginSet>,
    multi_point: Option<PluginSet>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "decoding is the check")]
struct PluginSet {
    #[serde(default)]
    enabled: Vec<Plugin>,
    #[serde(default)]
    disabled: Vec<Plugin>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "decoding is the check")]
struct Plugin {
    name: String,
    weight: Option<i32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "decoding is the check")]
struct PluginConfig {
    name: String,
    #[serde(default)]
    args: Option<IgnoredAny>,
}

/// Reads the text of a configuration file, which is shown as `file`.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn read(file: &str, text: &str) -> Result<Configured, Vec<Fault>> {
    let documents =
        parse(text).map_err(|e| vec![Fault { span: e.span, message: e.message, hint: None }])?;
    let [tree] = &documents[..] else {
        let message = format!("expected one {KIND}, found {} documents", documents.len());
        return Err(vec![Fault { span: 0..0, message, hint: None }]);
    };
    let mut check = Check { tree, left: tree, faults: Vec::new() };
    if !check.is_configuration() {
        return Err(check.faults);
    }
    let Decoded { value: decoded, tree: left, faults } = decode::<File>(tree);
    check.faults.extend(faults);
    for (number, profile) in tree.get("profiles").map_or(&[][..], Node::items).iter().enumerate() {
        for config in profile.get("pluginConfig").map_or(&[][..], Node::items) {
            let name = config.get("name").and_then(Node::as_text).unwrap_or_default();
            if let Some(args) = config.get("args") {
                check.faults.extend(scheduler_arguments::faults(name, args));
            }
        }
        check.plugin_names(&format!("profiles[{number}]"), profile);
    }
    check.left = &left;
    if let Some(decoded) = &decoded {
        check.values(decoded);
    }
    let configuration = check.faults.is_empty().then(|| check.configuration()).flatten();
    match (configuration, decoded) {
        (Some(configuration), Some(decoded)) if check.faults.is_empty() => Ok(Configured {
            configuration,
            qps: decoded.client_connection.as_ref().and_then(|c| c.qps),
            burst: decoded
                .client_connection
                .as_ref()
                .and_then(|c| c.burst)
                .and_then(|burst| u32::try_from(burst).ok()),
            ignored: ignored(file, tree),
        }),
        _ => Err(check.faults),
    }
}

fn ignored(file: &str, tree: &Node) -> Option<Ignored> {
    let is_there = |path: &&&str| {
        let mut node = Some(tree);
        for key in path.split('.') {
            node = node.and_then(|node| node.get(key));
        }
        node.is_some()
    };
    let fields: Vec<String> =
        WITHOUT_EFFECT.iter().filter(is_there).map(|field| (*field).to_owned()).collect();
    (!fields.is_empty()).then(|| Ignored {
        file: file.to_owned(),
        line: 1,
        object: KIND.to_owned(),
        fields,
        reason: "no effect on the simulation: it has one scheduler, which nobody watches"
            .to_owned(),
    })
}

/// Looks for faults of meaning.
struct Check<'a> {
    tree: &'a Node,
    /// What faults of form leave of it.
    left: &'a Node,
    faults: Vec<Fault>,
}

impl Check<'_> {
    fn fault(&mut self, path: &str, message: impl Into<String>, hint: Option<String>) {
        if is_doubtful(self.tree, self.left, path) {
            return;
        }
        let span = self.left.nearest(path).span.clone();
        self.faults.push(Fault { span, message: format!("{path}: {}", message.into()), hint });
    }

    /// Whether it is a configuration file at all, of a version that is known here.
    fn is_configuration(&mut self) -> bool {
        let word = |key: &str| self.tree.get(key).and_then(Node::as_text).unwrap_or("").to_owned();
        let (version, kind) = (word("apiVersion"), word("kind"));
        if kind != KIND {
            let hint = format!("the file begins with `apiVersion: {VERSION}` and `kind: {KIND}`");
            self.fault("kind", format!("expected {KIND}, found {kind:?}"), Some(hint));
        } else if version != VERSION {
            let old = version.starts_with("kubescheduler.config.k8s.io/v1");
            let hint = match old {
                true => "older versions were removed; 1.29 was the last to take v1beta3",
                false => "it is the only version that Kubernetes 1.37 takes",
            };
            let message = format!("expected {VERSION}, found {version:?}");
            self.fault("apiVersion", message, Some(hint.to_owned()));
        }
        self.faults.is_empty()
    }

    /// Names of plugins in all sets of a profile.
    fn plugin_names(&mut self, path: &str, profile: &Node) {
        let Some(plugins) = profile.get("plugins") else { return };
        for point in POINTS {
            let Some(set) = plugins.get(point) else { continue };
            for which in ["enabled", "disabled"] {
                let mut seen = BTreeSet::new();
                for (at, given) in set.get(which).map_or(&[][..], Node::items).iter().enumerate() {
                    let Some(name) = given.get("name").and_then(Node::as_text) else { continue };
                    let path = format!("{path}.plugins.{point}.{which}[{at}].name");
                    let any = which == "disabled" && name == "*";
                    if !any && !is_known_plugin(name) {
                        let hint = did_you_mean(name, known_plugins())
                            .map(|near| format!("did you mean {near}?"));
                        self.fault(&path, format!("there is no plugin {name:?}"), hint);
                    } else if !seen.insert(name) {
                        self.fault(&path, format!("plugin {name:?} is named twice"), None);
                    }
                }
            }
        }
    }

    /// Values that upstream's validation refuses.
    fn values(&mut self, file: &File) {
        if file.parallelism.is_some_and(|n| n <= 0) {
            self.fault("parallelism", "must be above zero", None);
        }
        let percentage = |p: Option<i32>| p.is_none_or(|p| (0..=100).contains(&p));
        if !percentage(file.percentage_of_nodes_to_score) {
            self.fault("percentageOfNodesToScore", "is a percentage between 0 and 100", None);
        }
        let first = file.pod_initial_backoff_seconds.unwrap_or(1);
        if first <= 0 {
            self.fault("podInitialBackoffSeconds", "must be above zero", None);
        }
        if file.pod_max_backoff_seconds.unwrap_or(10) < first {
            match file.pod_max_backoff_seconds {
                Some(_) => {
                    let message = "must not be below podInitialBackoffSeconds";
                    self.fault("podMaxBackoffSeconds", message, None);
                }
                None => {
                    let message = "must not be above podMaxBackoffSeconds, by default 10";
                    self.fault("podInitialBackoffSeconds", message, None);
                }
            }
        }
        if let Some(client) = &file.client_connection {
            if client.qps.is_some_and(|qps| qps <= 0.0) {
                self.fault("clientConnection.qps", "must be above zero", None);
            }
            if client.burst.is_some_and(|burst| burst <= 0) {
                self.fault("clientConnection.burst", "must be above zero", None);
            }
        }
        if !file.extenders.is_empty() {
            let hint = "write it as a plugin instead (docs/plugin.md)".to_owned();
            let message = "an extender is another program, whose answers can't be simulated";
            self.fault("extenders", message, Some(hint));
        }
        let mut names = BTreeSet::new();
        for (number, profile) in file.profiles.iter().enumerate() {
            let path = format!("profiles[{number}]");
            if !percentage(profile.percentage_of_nodes_to_score) {
                let path = format!("{path}.percentageOfNodesToScore");
                self.fault(&path, "is a percentage between 0 and 100", None);
            }
            let name = profile.scheduler_name.as_deref();
            match name {
                None if file.profiles.len() > 1 => {
                    let hint = "pods ask for a profile by this name";
                    self.fault(&path, "schedulerName is missing", Some(hint.to_owned()));
                }
                Some("") => self.fault(&format!("{path}.schedulerName"), "must not be empty", None),
                _ => {}
            }
            if !names.insert(name.unwrap_or("default-scheduler")) {
                let path = format!("{path}.schedulerName");
                self.fault(&path, "another profile has this name", None);
            }
        }
    }

    /// The configuration, if every profile can be made of it.
    fn configuration(&mut self) -> Option<SchedulerConfiguration> {
        let given = self.tree.to_json();
        let mut configuration: SchedulerConfiguration = match serde_json::from_value(given) {
            Ok(configuration) => configuration,
            Err(error) => {
                self.fault("", error.to_string(), None);
                return None;
            }
        };
        if configuration.profiles.is_empty() {
            configuration.profiles.push(ProfileConfiguration::default());
        }
        // One by one, so that each is told what is wrong with it.
        for (number, profile) in configuration.profiles.iter().enumerate() {
            let alone = SchedulerConfiguration {
                profiles: vec![profile.clone()],
                ..SchedulerConfiguration::default()
            };
            if let Err(error) = Scheduler::new(&alone) {
                self.fault(&format!("profiles[{number}]"), error.message, None);
            }
        }
        if let [first, others @ ..] = &configuration.profiles[..]
            && others.iter().any(|p| queue_sort(&p.plugins) != queue_sort(&first.plugins))
        {
            let message = "all profiles must have the same queueSort plugin: there is one queue";
            self.fault("profiles", message, None);
        }
        self.faults.is_empty().then_some(configuration)
    }
}

fn queue_sort(plugins: &Plugins) -> Vec<&str> {
    plugins.queue_sort.enabled.iter().map(|p| p.name.as_str()).collect()
}
