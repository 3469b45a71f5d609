//! What the control plane's components can be told, under upstream's flag names and defaults.
//!
//! Field names are the flags with `_` for `-`; a scenario writes them as upstream does. Sources:
//! `kube-controller-manager`, `kube-scheduler` and `cluster-autoscaler` reference pages, v1.37
//! (autoscaler: August 2026), collected in the project's research notes.

use super::scheduler::config::ProfileConfiguration;
use super::scheduler::version::Version;
use crate::units::{SimDuration, SimTime};

const fn secs(n: u64) -> SimDuration {
    SimDuration::from_secs(n)
}

/// `kube-controller-manager`.
#[derive(Clone, Debug, PartialEq)]
pub struct ControllerManagerFlags {
    /// `--kube-api-qps`: requests a second of each controller's client.
    pub kube_api_qps: f64,
    /// `--kube-api-burst`.
    pub kube_api_burst: u32,
    /// `--concurrent-deployment-syncs`.
    pub concurrent_deployment_syncs: u32,
    /// `--concurrent-replicaset-syncs`.
    pub concurrent_replicaset_syncs: u32,
    /// `--concurrent-service-endpoint-syncs`.
    pub concurrent_service_endpoint_syncs: u32,
    /// `--feature-gates`.
    pub feature_gates: FeatureGates,
    /// `--horizontal-pod-autoscaler-sync-period`.
    pub horizontal_pod_autoscaler_sync_period: SimDuration,
    /// `--horizontal-pod-autoscaler-downscale-stabilization`: the window of objects
    /// that give none.
    pub horizontal_pod_autoscaler_downscale_stabilization: SimDuration,
    /// `--horizontal-pod-autoscaler-tolerance`.
    pub horizontal_pod_autoscaler_tolerance: f64,
    /// `--horizontal-pod-autoscaler-cpu-initialization-period`.
    pub horizontal_pod_autoscaler_cpu_initialization_period: SimDuration,
    /// `--horizontal-pod-autoscaler-initial-readiness-delay`.
    pub horizontal_pod_autoscaler_initial_readiness_delay: SimDuration,
    /// `--node-monitor-period`.
    pub node_monitor_period: SimDuration,
    /// `--node-monitor-grace-period` (50 s since 1.32).
    pub node_monitor_grace_period: SimDuration,
    /// `--node-startup-grace-period`: for nodes that never had a Ready condition. Kubelets register
    /// with one (`kubelet_node_status.go`, `initialNode`), so nothing reads it.
    pub node_startup_grace_period: SimDuration,
    /// `--node-eviction-rate`: nodes a second in a healthy zone.
    pub node_eviction_rate: f64,
    /// `--secondary-node-eviction-rate`: nodes a second in an unhealthy large zone.
    pub secondary_node_eviction_rate: f64,
    /// `--unhealthy-zone-threshold`.
    pub unhealthy_zone_threshold: f64,
    /// `--large-cluster-size-threshold`.
    pub large_cluster_size_threshold: u32,
    /// `--terminated-pod-gc-threshold`.
    pub terminated_pod_gc_threshold: u32,
    /// `--leader-elect`.
    pub leader_elect: bool,
    /// `--leader-elect-lease-duration`.
    pub leader_elect_lease_duration: SimDuration,
    /// `--leader-elect-renew-deadline`.
    pub leader_elect_renew_deadline: SimDuration,
    /// `--leader-elect-retry-period`.
    pub leader_elect_retry_period: SimDuration,
    /// No flag: when the first round of its periodic loops is due. Loops turn since the component
    /// was started, which may have been at any time.
    pub first_round: SimDuration,
}

impl ControllerManagerFlags {
    /// When the first round of a loop with this period is due.
    pub fn first_round_of(&self, period: SimDuration) -> SimTime {
        SimTime(self.first_round.0 % period.0.max(1))
    }
}

impl Default for ControllerManagerFlags {
    fn default() -> Self {
        ControllerManagerFlags {
            kube_api_qps: 20.0,
            kube_api_burst: 30,
            concurrent_deployment_syncs: 5,
            concurrent_replicaset_syncs: 5,
            concurrent_service_endpoint_syncs: 5,
            feature_gates: FeatureGates::default(),
            horizontal_pod_autoscaler_sync_period: secs(15),
            horizontal_pod_autoscaler_downscale_stabilization: secs(300),
            horizontal_pod_autoscaler_tolerance: 0.1,
            horizontal_pod_autoscaler_cpu_initialization_period: secs(300),
            horizontal_pod_autoscaler_initial_readiness_delay: secs(30),
            node_monitor_period: secs(5),
            node_monitor_grace_period: secs(50),
            node_startup_grace_period: secs(60),
            node_eviction_rate: 0.1,
            secondary_node_eviction_rate: 0.01,
            unhealthy_zone_threshold: 0.55,
            large_cluster_size_threshold: 50,
            terminated_pod_gc_threshold: 12_500,
            leader_elect: true,
            leader_elect_lease_duration: secs(15),
            leader_elect_renew_deadline: secs(10),
            leader_elect_retry_period: secs(2),
            first_round: SimDuration::ZERO,
        }
    }
}

/// Feature gates that are read; all others are as by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeatureGates {
    /// `HPAScaleToZero`, beta in 1.37.
    pub hpa_scale_to_zero: bool,
}

impl Default for FeatureGates {
    fn default() -> Self {
        FeatureGates { hpa_scale_to_zero: true }
    }
}

/// `kube-scheduler`.
#[derive(Clone, Debug, PartialEq)]
pub struct SchedulerFlags {
    /// The scheduler's own version: no flag, but its binary.
    pub version: Version,
    /// `--config`: the file that the profiles are from; empty: none.
    pub config: String,
    /// `profiles`.
    pub profiles: Vec<ProfileConfiguration>,
    /// `clientConnection.qps`.
    pub kube_api_qps: f64,
    /// `clientConnection.burst`.
    pub kube_api_burst: u32,
    /// `parallelism`: workers that filter nodes side by side. Upstream's default is 16; 1 is
    /// the only number with which the real scheduler is deterministic.
    pub parallelism: u32,
    /// `percentageOfNodesToScore`; 0: adaptive.
    pub percentage_of_nodes_to_score: u32,
    /// `podInitialBackoffSeconds`.
    pub pod_initial_backoff: SimDuration,
    /// `podMaxBackoffSeconds`.
    pub pod_max_backoff: SimDuration,
    /// `--leader-elect`.
    pub leader_elect: bool,
    /// `--leader-elect-lease-duration`.
    pub leader_elect_lease_duration: SimDuration,
    /// `--leader-elect-renew-deadline`.
    pub leader_elect_renew_deadline: SimDuration,
    /// `--leader-elect-retry-period`.
    pub leader_elect_retry_period: SimDuration,
}

impl Default for SchedulerFlags {
    fn default() -> Self {
        SchedulerFlags {
            version: Version::default(),
            config: String::new(),
            profiles: vec![ProfileConfiguration::default()],
            kube_api_qps: 50.0,
            kube_api_burst: 100,
            parallelism: 1,
            percentage_of_nodes_to_score: 0,
            pod_initial_backoff: secs(1),
            pod_max_backoff: secs(10),
            leader_elect: true,
            leader_elect_lease_duration: secs(15),
            leader_elect_renew_deadline: secs(10),
            leader_elect_retry_period: secs(2),
        }
    }
}

/// `cluster-autoscaler --expander`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expander {
    /// Any group that helps, by a named random stream.
    Random,
    /// The group that wastes the smallest share of CPU and memory.
    LeastWaste,
    /// The group that takes the most pods.
    MostPods,
    /// The group that needs the fewest nodes.
    LeastNodes,
    /// The group that costs least for what it takes.
    Price,
    /// The group that the ConfigMap `cluster-autoscaler-priority-expander` ranks highest.
    Priority,
}

impl Expander {
    /// All of them.
    pub const ALL: [Expander; 6] = [
        Expander::Random,
        Expander::LeastWaste,
        Expander::MostPods,
        Expander::LeastNodes,
        Expander::Price,
        Expander::Priority,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Expander::Random => "random",
            Expander::LeastWaste => "least-waste",
            Expander::MostPods => "most-pods",
            Expander::LeastNodes => "least-nodes",
            Expander::Price => "price",
            Expander::Priority => "priority",
        }
    }
}

/// Priorities of node groups: a number and regular expressions for their names. Higher ones are
/// preferred.
pub type GroupPriorities = Vec<(u32, Vec<String>)>;

/// `cluster-autoscaler`.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterAutoscalerFlags {
    /// `--scan-interval`.
    pub scan_interval: SimDuration,
    /// `--expander`: each narrows down what the one before leaves; of what is left one is drawn.
    pub expander: Vec<Expander>,
    /// No flag: the ConfigMap `kube-system/cluster-autoscaler-priority-expander`.
    pub priorities: GroupPriorities,
    /// `--max-nodes-total`; 0: no limit.
    pub max_nodes_total: u32,
    /// `--max-node-provision-time`.
    pub max_node_provision_time: SimDuration,
    /// `--scale-down-enabled`.
    pub scale_down_enabled: bool,
    /// `--scale-down-unneeded-time`.
    pub scale_down_unneeded_time: SimDuration,
    /// `--scale-down-unready-time`.
    pub scale_down_unready_time: SimDuration,
    /// `--scale-down-delay-after-add`.
    pub scale_down_delay_after_add: SimDuration,
    /// `--scale-down-delay-after-delete`; zero: one scan interval.
    pub scale_down_delay_after_delete: SimDuration,
    /// `--scale-down-delay-after-failure`: after a scale-down that could taint no node
    /// (`actuation/actuator.go`, `StartDeletion`); drains that fail don't count. The API server
    /// here refuses no taint, so nothing reads it.
    pub scale_down_delay_after_failure: SimDuration,
    /// `--scale-down-utilization-threshold`.
    pub scale_down_utilization_threshold: f64,
    /// `--max-scale-down-parallelism`.
    pub max_scale_down_parallelism: u32,
    /// `--max-drain-parallelism`.
    pub max_drain_parallelism: u32,
    /// `--max-graceful-termination-sec`.
    pub max_graceful_termination_sec: SimDuration,
    /// `--max-total-unready-percentage`.
    pub max_total_unready_percentage: f64,
    /// `--ok-total-unready-count`.
    pub ok_total_unready_count: u32,
    /// `--max-nodes-per-scaleup`.
    pub max_nodes_per_scaleup: u32,
    /// `--balance-similar-node-groups`.
    pub balance_similar_node_groups: bool,
    /// `--initial-node-group-backoff-duration`.
    pub initial_node_group_backoff_duration: SimDuration,
    /// `--max-node-group-backoff-duration`.
    pub max_node_group_backoff_duration: SimDuration,
    /// `--node-group-backoff-reset-timeout`.
    pub node_group_backoff_reset_timeout: SimDuration,
    /// `--new-pod-scale-up-delay`.
    pub new_pod_scale_up_delay: SimDuration,
    /// `--expendable-pods-priority-cutoff`: pods below it bring no node and keep none.
    pub expendable_pods_priority_cutoff: i32,
    /// `--max-node-startup-time`: so long a registered node may take to be Ready.
    pub max_node_startup_time: SimDuration,
    /// `--balancing-ignore-label`: labels that similar groups need not share.
    pub balancing_ignore_label: Vec<String>,
    /// `--balancing-label`: if given, groups that share these labels are similar, whatever else.
    pub balancing_label: Vec<String>,
    /// `--memory-difference-ratio`: of similar groups' memory.
    pub memory_difference_ratio: f64,
    /// `--max-allocatable-difference-ratio`: of what similar groups leave for pods.
    pub max_allocatable_difference_ratio: f64,
    /// `--scale-down-unready-enabled`.
    pub scale_down_unready_enabled: bool,
    /// `--unremovable-node-recheck-timeout`.
    pub unremovable_node_recheck_timeout: SimDuration,
    /// `--node-delete-delay-after-taint`.
    pub node_delete_delay_after_taint: SimDuration,
    /// `--max-pod-eviction-time`.
    pub max_pod_eviction_time: SimDuration,
    /// `--ignore-daemonsets-utilization`.
    pub ignore_daemonsets_utilization: bool,
    /// `--ignore-mirror-pods-utilization`.
    pub ignore_mirror_pods_utilization: bool,
    /// `--daemonset-eviction-for-empty-nodes`.
    pub daemonset_eviction_for_empty_nodes: bool,
    /// `--daemonset-eviction-for-occupied-nodes`.
    pub daemonset_eviction_for_occupied_nodes: bool,
    /// `--skip-nodes-with-system-pods`.
    pub skip_nodes_with_system_pods: bool,
    /// `--blocking-system-pod-distruption-timeout` (sic): a system pod without a budget keeps its
    /// node no longer than this.
    pub blocking_system_pod_distruption_timeout: SimDuration,
    /// `--skip-nodes-with-local-storage`.
    pub skip_nodes_with_local_storage: bool,
    /// `--min-replica-count`: pods of a smaller ReplicaSet keep their nodes.
    pub min_replica_count: u32,
    /// `--kube-client-qps`: requests a second of its client; less than a controller's.
    pub kube_client_qps: f64,
    /// `--kube-client-burst`.
    pub kube_client_burst: u32,
    /// `--leader-elect`.
    pub leader_elect: bool,
    /// `--leader-elect-lease-duration`.
    pub leader_elect_lease_duration: SimDuration,
    /// `--leader-elect-renew-deadline`.
    pub leader_elect_renew_deadline: SimDuration,
    /// `--leader-elect-retry-period`.
    pub leader_elect_retry_period: SimDuration,
}

/// Karpenter (`pkg/operator/options/options.go`, August 2026).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KarpenterFlags {
    /// `--batch-idle-duration`: how long without another pod until nodes are made.
    pub batch_idle_duration: SimDuration,
    /// `--batch-max-duration`: how long at most.
    pub batch_max_duration: SimDuration,
    /// Feature gate `SpotToSpotConsolidation`.
    pub spot_to_spot_consolidation: bool,
    /// `--kube-client-qps`.
    pub kube_client_qps: f64,
    /// `--kube-client-burst`.
    pub kube_client_burst: u32,
}

impl Default for KarpenterFlags {
    fn default() -> Self {
        KarpenterFlags {
            batch_idle_duration: secs(1),
            batch_max_duration: secs(10),
            spot_to_spot_consolidation: false,
            kube_client_qps: 200.0,
            kube_client_burst: 300,
        }
    }
}

impl Default for ClusterAutoscalerFlags {
    fn default() -> Self {
        ClusterAutoscalerFlags {
            scan_interval: secs(10),
            expander: vec![Expander::LeastWaste],
            priorities: Vec::new(),
            max_nodes_total: 0,
            max_node_provision_time: secs(900),
            scale_down_enabled: true,
            scale_down_unneeded_time: secs(600),
            scale_down_unready_time: secs(1200),
            scale_down_delay_after_add: secs(600),
            scale_down_delay_after_delete: secs(0),
            scale_down_delay_after_failure: secs(180),
            scale_down_utilization_threshold: 0.5,
            max_scale_down_parallelism: 10,
            max_drain_parallelism: 1,
            max_graceful_termination_sec: secs(600),
            max_total_unready_percentage: 45.0,
            ok_total_unready_count: 3,
            max_nodes_per_scaleup: 1000,
            balance_similar_node_groups: false,
            initial_node_group_backoff_duration: secs(300),
            max_node_group_backoff_duration: secs(1800),
            node_group_backoff_reset_timeout: secs(10_800),
            new_pod_scale_up_delay: secs(0),
            expendable_pods_priority_cutoff: -10,
            max_node_startup_time: secs(900),
            balancing_ignore_label: Vec::new(),
            balancing_label: Vec::new(),
            memory_difference_ratio: 0.015,
            max_allocatable_difference_ratio: 0.05,
            scale_down_unready_enabled: true,
            unremovable_node_recheck_timeout: secs(300),
            node_delete_delay_after_taint: secs(5),
            max_pod_eviction_time: secs(120),
            ignore_daemonsets_utilization: false,
            ignore_mirror_pods_utilization: false,
            daemonset_eviction_for_empty_nodes: false,
            daemonset_eviction_for_occupied_nodes: true,
            skip_nodes_with_system_pods: true,
            blocking_system_pod_distruption_timeout: secs(3600),
            skip_nodes_with_local_storage: true,
            min_replica_count: 0,
            kube_client_qps: 5.0,
            kube_client_burst: 10,
            leader_elect: true,
            leader_elect_lease_duration: secs(15),
            leader_elect_renew_deadline: secs(10),
            leader_elect_retry_period: secs(2),
        }
    }
}
