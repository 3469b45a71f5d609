//! The `flags:` section: components and their settings, under upstream's flag names.
//!
//! It reads them over the defaults, and tells them all again for the run's manifest.

use super::eviction::{GracePeriodsFile, ThresholdsFile};
use super::model::{
    ApiServerFlags, CloudFlags, ControlPlaneFlags, CoreDnsFlags, Flags, KubeProxyFlags,
    KubeletFlags, MetricsServerFlags,
};
use super::shutdown::PriorityPeriodFile;
use super::value::{Ratio, Span, Varying, duration_text};
use super::vpa_flags::{VpaFlags, VpaRecommenderFile, VpaUpdaterFile};
use crate::control::flags::{
    ClusterAutoscalerFlags, ControllerManagerFlags, Expander, FeatureGates, KarpenterFlags,
    SchedulerFlags,
};
use crate::control::scheduler::version::Version;
use crate::sim::sample::Distribution;
use crate::units::SimDuration;
use schemars::JsonSchema;
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use std::fmt;

/// Sets a field of the model where the file gives one.
pub(super) trait Give<T> {
    fn give(self, to: &mut T);
}

impl<T> Give<T> for Option<T> {
    fn give(self, to: &mut T) {
        if let Some(value) = self {
            *to = value;
        }
    }
}

impl Give<SimDuration> for Option<Span> {
    fn give(self, to: &mut SimDuration) {
        self.map(|span| span.0).give(to);
    }
}

impl Give<f64> for Option<Ratio> {
    fn give(self, to: &mut f64) {
        self.map(|ratio| ratio.0).give(to);
    }
}

impl Give<Distribution> for Option<Varying> {
    fn give(self, to: &mut Distribution) {
        self.map(|varying| varying.0).give(to);
    }
}

/// A value of the model as a scenario file would write it.
pub(super) trait Told {
    /// As JSON.
    fn told(&self) -> Value;
}

macro_rules! told_as_they_are {
    ($($type:ty)*) => {
        $(impl Told for $type {
            fn told(&self) -> Value {
                json!(self)
            }
        })*
    };
}

told_as_they_are! { bool u32 i32 f64 Option<u32> String Vec<String> }

impl Told for SimDuration {
    fn told(&self) -> Value {
        json!(duration_text(*self))
    }
}

impl Told for Distribution {
    /// Parameters are seconds.
    fn told(&self) -> Value {
        let text = |seconds: f64| duration_text(SimDuration::from_secs_f64(seconds));
        match self {
            Distribution::Constant(value) => json!(text(*value)),
            Distribution::Uniform(min, max) => json!({"min": text(*min), "max": text(*max)}),
            Distribution::Exponential(mean) => json!({"mean": text(*mean)}),
            Distribution::LogNormal(p50, _) => {
                json!({"p50": text(*p50), "p99": text(self.quantile(0.99).unwrap_or(*p50))})
            }
            // No scenario can ask for the others.
            other => json!(format!("{other:?}")),
        }
    }
}

impl Told for Version {
    fn told(&self) -> Value {
        json!(self.name())
    }
}

impl Told for Vec<Expander> {
    fn told(&self) -> Value {
        let names: Vec<&str> = self.iter().map(|expander| expander.name()).collect();
        json!(names.join(","))
    }
}

macro_rules! flags {
    ($(#[$doc:meta])* $file:ident -> $model:ty {
        $($(#[$field_doc:meta])* $field:ident : $kind:ty,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
        pub struct $file {
            $($(#[$field_doc])* pub $field: Option<$kind>,)*
        }

        impl $file {
            /// These settings over the defaults.
            pub fn over_defaults(&self) -> $model {
                let mut flags = <$model>::default();
                $(self.$field.clone().give(&mut flags.$field);)*
                flags
            }
        }

        impl Told for $model {
            fn told(&self) -> Value {
                let told = [$((stringify!($field).replace('_', "-"), self.$field.told()),)*];
                told.into_iter().collect()
            }
        }
    };
}
pub(super) use flags;

flags! {
    /// `kube-controller-manager`.
    ControllerManagerFile -> ControllerManagerFlags {
        /// Requests a second of each controller's client. Default 20.
        kube_api_qps: f64,
        /// Burst of each controller's client. Default 30.
        kube_api_burst: u32,
        /// Default 5.
        concurrent_deployment_syncs: u32,
        /// Default 5.
        concurrent_replicaset_syncs: u32,
        /// Default 5.
        concurrent_service_endpoint_syncs: u32,
        /// Feature gates that change something here. Default: all on, as in 1.37.
        feature_gates: FeatureGatesFile,
        /// Default 15s.
        horizontal_pod_autoscaler_sync_period: Span,
        /// Default 5m.
        horizontal_pod_autoscaler_downscale_stabilization: Span,
        /// Default 0.1.
        horizontal_pod_autoscaler_tolerance: f64,
        /// Default 5m.
        horizontal_pod_autoscaler_cpu_initialization_period: Span,
        /// Default 30s.
        horizontal_pod_autoscaler_initial_readiness_delay: Span,
        /// Default 5s.
        node_monitor_period: Span,
        /// Default 50s.
        node_monitor_grace_period: Span,
        /// Accepted without effect: it is for nodes without a Ready condition, and kubelets
        /// register with one. Default 60s.
        node_startup_grace_period: Span,
        /// Nodes a second in a healthy zone. Default 0.1.
        node_eviction_rate: f64,
        /// Nodes a second in an unhealthy large zone. Default 0.01.
        secondary_node_eviction_rate: f64,
        /// Default 0.55.
        unhealthy_zone_threshold: Ratio,
        /// Default 50.
        large_cluster_size_threshold: u32,
        /// Default 12500.
        terminated_pod_gc_threshold: u32,
        /// Whether its replicas elect a leader. Default true.
        leader_elect: bool,
        /// Default 15s.
        leader_elect_lease_duration: Span,
        /// Default 10s.
        leader_elect_renew_deadline: Span,
        /// Default 2s.
        leader_elect_retry_period: Span,
    }
}

flags! {
    /// `kube-scheduler`.
    SchedulerFile -> SchedulerFlags {
        /// Its minor version, in quotes. Older ones differ in what docs/conformance.md lists; all
        /// else is as in 1.37. Default "1.37".
        version: VersionFile,
        /// A KubeSchedulerConfiguration (v1), relative to this file: profiles, plugins and their
        /// arguments. What it can say is then not given here.
        config: String,
        /// Requests a second of its client. Default 50.
        kube_api_qps: f64,
        /// Burst of its client. Default 100.
        kube_api_burst: u32,
        /// Workers that filter nodes side by side. 1 (default) is equal to kube-scheduler with one
        /// worker. Its own default is 16: then the nodes it finds depend on a race, and any
        /// number above 1 plays a model of it.
        parallelism: u32,
        /// 0: adaptive (default).
        percentage_of_nodes_to_score: u32,
        /// Default 1s.
        pod_initial_backoff: Span,
        /// Default 10s.
        pod_max_backoff: Span,
        /// Whether its replicas elect a leader. Default true.
        leader_elect: bool,
        /// Default 15s.
        leader_elect_lease_duration: Span,
        /// Default 10s.
        leader_elect_renew_deadline: Span,
        /// Default 2s.
        leader_elect_retry_period: Span,
    }
}

/// Feature gates of kube-controller-manager that change something here.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FeatureGatesFile {
    /// Autoscalers with an Object or External metric may scale to zero (`minReplicas: 0`). Default
    /// true.
    #[serde(rename = "HPAScaleToZero", default)]
    pub hpa_scale_to_zero: Option<bool>,
}

impl Give<FeatureGates> for Option<FeatureGatesFile> {
    fn give(self, to: &mut FeatureGates) {
        self.and_then(|gates| gates.hpa_scale_to_zero).give(&mut to.hpa_scale_to_zero);
    }
}

impl Told for FeatureGates {
    fn told(&self) -> Value {
        json!({ "HPAScaleToZero": self.hpa_scale_to_zero })
    }
}

flags! {
    /// Karpenter. NodePools among the manifests install it.
    KarpenterFlagsFile -> KarpenterFlags {
        /// How long without another pod that waits until nodes are made. Default 1s.
        batch_idle_duration: Span,
        /// How long at most. Default 10s.
        batch_max_duration: Span,
        /// Whether spot machines are replaced by cheaper spot machines. Default false.
        spot_to_spot_consolidation: bool,
        /// Default 200.
        kube_client_qps: f64,
        /// Default 300.
        kube_client_burst: u32,
    }
}

flags! {
    /// `cluster-autoscaler`. Giving any of these installs it, as does a group with min < max.
    ClusterAutoscalerFile -> ClusterAutoscalerFlags {
        /// Default 10s.
        scan_interval: Span,
        /// One or several of random, least-waste, most-pods, least-nodes, price, priority, with
        /// commas: each narrows down what the one before leaves, and of what is left one is drawn.
        /// `priority` reads the ConfigMap kube-system/cluster-autoscaler-priority-expander of the
        /// manifests. Default least-waste.
        expander: ExpanderFile,
        /// 0: no limit (default).
        max_nodes_total: u32,
        /// Default 15m.
        max_node_provision_time: Span,
        /// Default true.
        scale_down_enabled: bool,
        /// Default 10m.
        scale_down_unneeded_time: Span,
        /// Default 20m.
        scale_down_unready_time: Span,
        /// Default 10m.
        scale_down_delay_after_add: Span,
        /// Default 0s: one scan.
        scale_down_delay_after_delete: Span,
        /// Accepted without effect: it follows a node that could not be tainted, and the API server
        /// here refuses none. Default 3m.
        scale_down_delay_after_failure: Span,
        /// Default 0.5.
        scale_down_utilization_threshold: Ratio,
        /// Default 10.
        max_scale_down_parallelism: u32,
        /// Default 1.
        max_drain_parallelism: u32,
        /// Default 10m.
        max_graceful_termination_sec: Span,
        /// Default 45.
        max_total_unready_percentage: f64,
        /// Default 3.
        ok_total_unready_count: u32,
        /// Default 1000.
        max_nodes_per_scaleup: u32,
        /// Default false.
        balance_similar_node_groups: bool,
        /// Default 5m.
        initial_node_group_backoff_duration: Span,
        /// Default 30m.
        max_node_group_backoff_duration: Span,
        /// Default 3h.
        node_group_backoff_reset_timeout: Span,
        /// Default 0s.
        new_pod_scale_up_delay: Span,
        /// Pods below this priority bring no node and keep none. Default -10.
        expendable_pods_priority_cutoff: i32,
        /// Default 15m.
        max_node_startup_time: Span,
        /// Labels that similar groups need not share, beside name, zone and region. Default: none.
        balancing_ignore_label: Vec<String>,
        /// If given, groups that share these labels are similar, whatever else. Default: none.
        balancing_label: Vec<String>,
        /// Default 0.015.
        memory_difference_ratio: Ratio,
        /// Default 0.05.
        max_allocatable_difference_ratio: Ratio,
        /// Default true.
        scale_down_unready_enabled: bool,
        /// Default 5m.
        unremovable_node_recheck_timeout: Span,
        /// Default 5s.
        node_delete_delay_after_taint: Span,
        /// How long evictions from a node are tried. Default 2m.
        max_pod_eviction_time: Span,
        /// Default false.
        ignore_daemonsets_utilization: bool,
        /// Default false.
        ignore_mirror_pods_utilization: bool,
        /// Default false.
        daemonset_eviction_for_empty_nodes: bool,
        /// Default true.
        daemonset_eviction_for_occupied_nodes: bool,
        /// Whether pods of kube-system without a budget keep their nodes. Default true.
        skip_nodes_with_system_pods: bool,
        /// How old such a pod may be to keep its node. Default 1h.
        blocking_system_pod_distruption_timeout: Span,
        /// Whether pods with an `emptyDir` or `hostPath` keep their nodes. Default true.
        skip_nodes_with_local_storage: bool,
        /// Pods of ReplicaSets smaller than this keep their nodes. Default 0.
        min_replica_count: u32,
        /// Requests a second of its client. Default 5.
        kube_client_qps: f64,
        /// Burst of its client. Default 10.
        kube_client_burst: u32,
        /// Whether its replicas elect a leader. Default true.
        leader_elect: bool,
        /// Default 15s.
        leader_elect_lease_duration: Span,
        /// Default 10s.
        leader_elect_renew_deadline: Span,
        /// Default 2s.
        leader_elect_retry_period: Span,
    }
}

/// Flags that are accepted and can have no effect here, by `<component>.<flag>`, and why.
pub const WITHOUT_EFFECT: [(&str, &str); 2] = [
    (
        "kube-controller-manager.node-startup-grace-period",
        "no effect: it is for nodes without a Ready condition, and kubelets register with one",
    ),
    (
        "cluster-autoscaler.scale-down-delay-after-failure",
        "no effect: it follows a node that could not be tainted, and the API server here refuses none",
    ),
];

/// A minor version of kube-scheduler.
#[derive(Clone, Copy, Debug, JsonSchema)]
#[schemars(with = "String", extend("enum" = ["1.34", "1.35", "1.36", "1.37"]))]
pub struct VersionFile(Version);

impl<'de> Deserialize<'de> for VersionFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = VersionFile;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<VersionFile, E> {
                let known = Version::ALL.into_iter().find(|version| version.name() == text);
                known.map(VersionFile).ok_or_else(|| {
                    let names = Version::ALL.map(Version::name).join(", ");
                    let hint = match Version::of_release(text) {
                        Some(version) => format!("write \"{}\"", version.name()),
                        None => format!("known are {names}, in quotes"),
                    };
                    E::custom(format!("`{text}` is no version of kube-scheduler here|{hint}"))
                })
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl Give<Version> for Option<VersionFile> {
    fn give(self, to: &mut Version) {
        self.map(|version| version.0).give(to);
    }
}

/// `--expander`: names with commas.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(with = "String")]
pub struct ExpanderFile(Vec<Expander>);

impl<'de> Deserialize<'de> for ExpanderFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        expanders(&text).map(ExpanderFile).map_err(de::Error::custom)
    }
}

fn expanders(text: &str) -> Result<Vec<Expander>, String> {
    let mut chain = Vec::new();
    for name in text.split(',').map(str::trim) {
        let known = Expander::ALL.into_iter().find(|expander| expander.name() == name);
        let Some(expander) = known else {
            let names = Expander::ALL.map(Expander::name).join(", ");
            return Err(format!("`{name}` is no expander here|known are {names}"));
        };
        if chain.contains(&expander) {
            return Err(format!("expander `{name}` is given twice|give each once"));
        }
        chain.push(expander);
    }
    Ok(chain)
}

impl Give<Vec<Expander>> for Option<ExpanderFile> {
    fn give(self, to: &mut Vec<Expander>) {
        self.map(|chain| chain.0).give(to);
    }
}

flags! {
    /// The kubelets.
    KubeletFile -> KubeletFlags {
        /// Lease renewal. Default 10s.
        lease_renew_interval: Span,
        /// How often a status without changes is posted; it counts as a sign of life, as leases do.
        /// Default 5m.
        node_status_report_frequency: Span,
        /// Default true.
        serialize_image_pulls: bool,
        /// Pods that a node starts a second. Default 3 (measured 2 to 3.6).
        pod_starts_per_second: f64,
        /// Sandbox and network of a pod. Default p50 450ms, p99 900ms.
        sandbox: Varying,
        /// Creating and starting a container. Default p50 60ms, p99 300ms.
        container_start: Varying,
        /// Asking whether a present image is that of its tag (pull policy Always). Default 450ms.
        image_resolve: Span,
        /// Seconds per image layer. Default 0.04.
        layer_seconds: f64,
        /// Default 1s.
        pleg_relist_period: Span,
        /// First CrashLoopBackOff. Default 10s.
        crash_loop_initial: Span,
        /// Longest CrashLoopBackOff. Default 5m.
        crash_loop_max: Span,
        /// From SIGTERM to the end of a container. Default p50 500ms, p99 3s.
        termination: Varying,
        /// Mounting a volume that is attached. Default p50 500ms, p99 3s (assumed).
        volume_mount: Varying,
        /// Unmounting one. Default p50 300ms, p99 2s (assumed).
        volume_unmount: Varying,
        /// What of a node must stay available; below it a pod is evicted at once. Given, it
        /// replaces all defaults: memory.available 100Mi, nodefs.available 10%, imagefs.available
        /// 15%.
        eviction_hard: ThresholdsFile,
        /// The same, where a signal must be below for its grace period first. Default: none.
        eviction_soft: ThresholdsFile,
        /// For each signal of `eviction-soft`.
        eviction_soft_grace_period: GracePeriodsFile,
        /// How much more than the threshold must be available again. Default: nothing.
        eviction_minimum_reclaim: ThresholdsFile,
        /// Most time that pods get to end at a soft threshold. Default 0s.
        eviction_max_pod_grace_period: Span,
        /// How long a pressure is told after it was last seen. Default 5m.
        eviction_pressure_transition_period: Span,
        /// Percent of a disk in use from which unused images are deleted; 100: never. Default 85.
        image_gc_high_threshold_percent: u32,
        /// Percent down to which they are. Default 80.
        image_gc_low_threshold_percent: u32,
        /// Images younger than this stay. Default 2m.
        image_minimum_gc_age: Span,
        /// Time for pods to end when their machine is shut down. Default 0s: it just stops.
        shutdown_grace_period: Span,
        /// The part of it that critical pods get, after the others. Default 0s.
        shutdown_grace_period_critical_pods: Span,
        /// In place of the other two: time for each range of priorities. Default: none.
        shutdown_grace_period_by_pod_priority: Vec<PriorityPeriodFile>,
    }
}

flags! {
    /// `metrics-server`.
    MetricsServerFile -> MetricsServerFlags {
        /// Default 15s.
        metric_resolution: Span,
    }
}

flags! {
    /// The API server as its clients meet it.
    ApiServerFile -> ApiServerFlags {
        /// A mutating request. Default 5ms.
        write_latency: Span,
        /// From a change to its watchers. Default 3ms.
        watch_latency: Span,
        /// The creation of a pod. Default 5ms.
        pod_create_latency: Span,
        /// How far latencies of writes lie from these: sigma of a log-normal distribution.
        /// Default 0.
        latency_spread: f64,
        /// Writes that it works on at once, each for the write latency; 0: no limit. Default 0.
        max_mutating_requests_inflight: u32,
        /// With the mutating ones, all requests in flight at once; 0: no limit, and overload is not
        /// modelled. Upstream has 400 and 200. Default 0.
        max_requests_inflight: u32,
        /// Whether priority levels have seats and queues of their own. Without it all requests
        /// share one pool, and those that find no seat are refused with 429. Default true.
        enable_priority_and_fairness: bool,
        /// Requests of a level that may wait for a seat. Default 300: one flow's six queues of 50.
        queue_length_limit: u32,
        /// Default 60s.
        request_timeout: Span,
        /// Requests that API server and etcd work on side by side, of any level. Default 16.
        workers: u32,
        /// What a list costs for each object in it. Default 50us.
        list_latency_per_object: Span,
    }
}

flags! {
    /// The control plane as a whole; no flags of upstream's.
    ControlPlaneFile -> ControlPlaneFlags {
        /// How many of kube-controller-manager, kube-scheduler and cluster-autoscaler there are
        /// each: one works, the others stand by. Default 1.
        replicas: u32,
    }
}

flags! {
    /// The kube-proxies, in iptables mode.
    KubeProxyFile -> KubeProxyFlags {
        /// Least time between two syncs; a change after a longer rest is acted on at once.
        /// Default 1s.
        iptables_min_sync_period: Span,
        /// How long a sync takes. Default 0s.
        sync_time: Span,
    }
}

flags! {
    /// CoreDNS, which answers for headless Services.
    CoreDnsFile -> CoreDnsFlags {
        /// How long clients keep the addresses of a headless Service's pods. Default 30s.
        ttl: Span,
    }
}

/// The cloud provider.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct CloudFile {
    /// Machine creations a second. Default 10.
    pub creates_per_second: Option<f64>,
    /// Machine creations at once. Default 100.
    pub create_burst: Option<u32>,
    /// Quota of CPU cores. Default: none.
    pub cpu_quota: Option<u32>,
    /// Time to delete a machine. Default p50 93s, p99 237s.
    pub delete: Option<Varying>,
    /// Time in which a provisioner makes a volume. Default p50 3s, p99 12s (assumed).
    pub volume_provision: Option<Varying>,
    /// Time in which it deletes one. Default p50 3s, p99 12s (assumed).
    pub volume_delete: Option<Varying>,
    /// Time in which a CSI driver attaches a volume. Default p50 5s, p99 20s (assumed).
    pub volume_attach: Option<Varying>,
    /// Time in which it detaches one. Default p50 5s, p99 20s (assumed).
    pub volume_detach: Option<Varying>,
    /// How many volumes a machine takes. Default: no limit.
    pub volumes_per_node: Option<u32>,
    /// Time to provision the load balancer of a Service. Default p50 45s, p99 150s.
    pub load_balancer: Option<Varying>,
    /// Load balancers that are provisioned side by side. Default 1.
    pub concurrent_service_syncs: Option<u32>,
}

/// Settings of the cluster's components.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct FlagsFile {
    /// `kube-controller-manager`.
    pub kube_controller_manager: ControllerManagerFile,
    /// `kube-scheduler`.
    pub kube_scheduler: SchedulerFile,
    /// `cluster-autoscaler`.
    pub cluster_autoscaler: Option<ClusterAutoscalerFile>,
    /// `vpa-recommender`.
    pub vpa_recommender: VpaRecommenderFile,
    /// `vpa-updater`.
    pub vpa_updater: VpaUpdaterFile,
    /// Karpenter.
    pub karpenter: KarpenterFlagsFile,
    /// The kubelets.
    pub kubelet: KubeletFile,
    /// The kube-proxies.
    pub kube_proxy: KubeProxyFile,
    /// CoreDNS.
    pub coredns: CoreDnsFile,
    /// `metrics-server`.
    pub metrics_server: MetricsServerFile,
    /// The API server.
    pub api_server: ApiServerFile,
    /// The control plane as a whole.
    pub control_plane: ControlPlaneFile,
    /// The cloud provider.
    pub cloud: CloudFile,
}

impl Told for CloudFlags {
    fn told(&self) -> Value {
        json!({
            "creates-per-second": self.creates_per_second,
            "create-burst": self.create_burst,
            "cpu-quota": self.cpu_quota,
            "delete": self.delete.told(),
            "volume-provision": self.volume_provision.told(),
            "volume-delete": self.volume_delete.told(),
            "volume-attach": self.volume_attach.told(),
            "volume-detach": self.volume_detach.told(),
            "volumes-per-node": self.volumes_per_node,
            "load-balancer": self.load_balancer.told(),
            "concurrent-service-syncs": self.concurrent_service_syncs,
        })
    }
}

/// All settings by component; `null`: not installed.
pub(super) fn told_flags(flags: &Flags) -> Value {
    json!({
        "kube-controller-manager": flags.controller_manager.told(),
        "kube-scheduler": told_scheduler(flags),
        "cluster-autoscaler": flags.cluster_autoscaler.as_ref().map(Told::told),
        "kubelet": flags.kubelet.told(),
        "kube-proxy": flags.kube_proxy.told(),
        "coredns": flags.coredns.told(),
        "metrics-server": flags.metrics_server.told(),
        "api-server": flags.api_server.told(),
        "control-plane": flags.control_plane.told(),
        "cloud": flags.cloud.told(),
    })
}

/// The scheduler's settings; its profiles only where a file gives them.
fn told_scheduler(flags: &Flags) -> Value {
    let mut told = flags.scheduler.told();
    if let Value::Object(fields) = &mut told {
        if flags.scheduler.config.is_empty() {
            fields.remove("config");
        } else {
            fields.insert("profiles".to_owned(), json!(flags.scheduler.profiles));
        }
    }
    told
}

impl FlagsFile {
    /// These settings over the defaults; `autoscaled`: some group has room to grow.
    pub fn over_defaults(&self, autoscaled: bool) -> Flags {
        let autoscaler = self.cluster_autoscaler.clone();
        let autoscaler = autoscaler.or(autoscaled.then(ClusterAutoscalerFile::default));
        let mut cloud = CloudFlags::default();
        self.cloud.creates_per_second.give(&mut cloud.creates_per_second);
        self.cloud.create_burst.give(&mut cloud.create_burst);
        cloud.cpu_quota = self.cloud.cpu_quota;
        self.cloud.delete.clone().give(&mut cloud.delete);
        self.cloud.volume_provision.clone().give(&mut cloud.volume_provision);
        self.cloud.volume_delete.clone().give(&mut cloud.volume_delete);
        self.cloud.volume_attach.clone().give(&mut cloud.volume_attach);
        self.cloud.volume_detach.clone().give(&mut cloud.volume_detach);
        cloud.volumes_per_node = self.cloud.volumes_per_node;
        self.cloud.load_balancer.clone().give(&mut cloud.load_balancer);
        self.cloud.concurrent_service_syncs.give(&mut cloud.concurrent_service_syncs);
        Flags {
            controller_manager: self.kube_controller_manager.over_defaults(),
            scheduler: self.kube_scheduler.over_defaults(),
            cluster_autoscaler: autoscaler.map(|flags| flags.over_defaults()),
            vpa: VpaFlags {
                recommender: self.vpa_recommender.over_defaults(),
                updater: self.vpa_updater.over_defaults(),
            },
            karpenter: self.karpenter.over_defaults(),
            kubelet: self.kubelet.over_defaults(),
            kube_proxy: self.kube_proxy.over_defaults(),
            coredns: self.coredns.over_defaults(),
            metrics_server: self.metrics_server.over_defaults(),
            api_server: self.api_server.over_defaults(),
            control_plane: self.control_plane.over_defaults(),
            cloud,
        }
    }
}
