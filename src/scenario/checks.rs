//! Values that are well-formed but impossible: settings of components, figures of machines.
//!
//! It knows what can be, not where it was written: each fault names its field.

use super::model::{Flags, KubeletFlags, Machine};
use crate::units::SimDuration;

/// The path of a field, and what is wrong with it.
pub(super) type Fault = (&'static str, &'static str);

const NOT_ZERO: &str = "must be above zero";
const NOT_NEGATIVE: &str = "must not be negative";
const NO_GRACE: &str = "each of its signals needs a period in eviction-soft-grace-period";
const NOT_LOWER: &str = "must be below image-gc-high-threshold-percent";
const NOT_LONGER: &str = "must not be longer than shutdown-grace-period";
const SHARE: &str = "is a share between 0% and 100%";
const PERCENTAGE: &str = "is a percentage between 0 and 100";

/// Faults of components' settings, by `<component>.<flag>`.
pub(super) fn flags(flags: &Flags) -> Vec<Fault> {
    let mut faults = periods(flags);
    faults.extend(elections(flags));
    faults.extend(kubelets(&flags.kubelet));
    let (manager, scheduler) = (&flags.controller_manager, &flags.scheduler);
    let (kubelet, cloud) = (&flags.kubelet, &flags.cloud);
    let mut check = |fine: bool, path: &'static str, message: &'static str| {
        if !fine {
            faults.push((path, message));
        }
    };
    // Clients with no rate at all would wait for ever.
    check(manager.kube_api_qps > 0.0, "kube-controller-manager.kube-api-qps", NOT_ZERO);
    check(manager.kube_api_burst > 0, "kube-controller-manager.kube-api-burst", NOT_ZERO);
    check(scheduler.kube_api_qps > 0.0, "kube-scheduler.kube-api-qps", NOT_ZERO);
    check(scheduler.kube_api_burst > 0, "kube-scheduler.kube-api-burst", NOT_ZERO);
    check(flags.control_plane.replicas > 0, "control-plane.replicas", NOT_ZERO);
    check(flags.api_server.workers > 0, "api-server.workers", NOT_ZERO);
    check(kubelet.pod_starts_per_second > 0.0, "kubelet.pod-starts-per-second", NOT_ZERO);
    check(cloud.creates_per_second > 0.0, "cloud.creates-per-second", NOT_ZERO);
    check(cloud.create_burst > 0, "cloud.create-burst", NOT_ZERO);
    check(cloud.concurrent_service_syncs > 0, "cloud.concurrent-service-syncs", NOT_ZERO);
    let syncs = [
        (
            manager.concurrent_deployment_syncs,
            "kube-controller-manager.concurrent-deployment-syncs",
        ),
        (
            manager.concurrent_replicaset_syncs,
            "kube-controller-manager.concurrent-replicaset-syncs",
        ),
        (
            manager.concurrent_service_endpoint_syncs,
            "kube-controller-manager.concurrent-service-endpoint-syncs",
        ),
    ];
    for (workers, path) in syncs {
        check(workers > 0, path, NOT_ZERO);
    }
    let rates = [
        (
            manager.horizontal_pod_autoscaler_tolerance,
            "kube-controller-manager.horizontal-pod-autoscaler-tolerance",
        ),
        (manager.node_eviction_rate, "kube-controller-manager.node-eviction-rate"),
        (
            manager.secondary_node_eviction_rate,
            "kube-controller-manager.secondary-node-eviction-rate",
        ),
        (kubelet.layer_seconds, "kubelet.layer-seconds"),
    ];
    for (rate, path) in rates {
        check(rate >= 0.0, path, NOT_NEGATIVE);
    }
    let share = manager.unhealthy_zone_threshold;
    check(is_share(share), "kube-controller-manager.unhealthy-zone-threshold", SHARE);
    check(scheduler.parallelism > 0, "kube-scheduler.parallelism", NOT_ZERO);
    let nodes = scheduler.percentage_of_nodes_to_score;
    check(nodes <= 100, "kube-scheduler.percentage-of-nodes-to-score", PERCENTAGE);
    if let Some(autoscaler) = &flags.cluster_autoscaler {
        let share = autoscaler.scale_down_utilization_threshold;
        check(is_share(share), "cluster-autoscaler.scale-down-utilization-threshold", SHARE);
        let unready = autoscaler.max_total_unready_percentage;
        let path = "cluster-autoscaler.max-total-unready-percentage";
        check((0.0..=100.0).contains(&unready), path, PERCENTAGE);
    }
    faults
}

/// What kubelets keep free, and how long they take to end pods.
fn kubelets(kubelet: &KubeletFlags) -> Vec<Fault> {
    let soft = &kubelet.eviction_soft.0;
    let has_grace = |signal| kubelet.eviction_soft_grace_period.of(signal).is_some();
    let (high, low) =
        (kubelet.image_gc_high_threshold_percent, kubelet.image_gc_low_threshold_percent);
    let (all, critical) =
        (kubelet.shutdown_grace_period, kubelet.shutdown_grace_period_critical_pods);
    let rows = [
        (soft.iter().all(|one| has_grace(one.0)), "kubelet.eviction-soft", NO_GRACE),
        (high <= 100, "kubelet.image-gc-high-threshold-percent", PERCENTAGE),
        (low < high, "kubelet.image-gc-low-threshold-percent", NOT_LOWER),
        (critical <= all, "kubelet.shutdown-grace-period-critical-pods", NOT_LONGER),
    ];
    rows.into_iter().filter(|(fine, _, _)| !fine).map(|(_, path, why)| (path, why)).collect()
}

fn is_share(x: f64) -> bool {
    (0.0..=1.0).contains(&x)
}

/// Whether leaders can be elected by these rules (client-go `NewLeaderElector`).
fn elections(flags: &Flags) -> Vec<Fault> {
    let manager = flags.controller_manager.leader_election();
    let scheduler = flags.scheduler.leader_election();
    let mut all = vec![
        (
            manager,
            [
                "kube-controller-manager.leader-elect-lease-duration",
                "kube-controller-manager.leader-elect-renew-deadline",
                "kube-controller-manager.leader-elect-retry-period",
            ],
        ),
        (
            scheduler,
            [
                "kube-scheduler.leader-elect-lease-duration",
                "kube-scheduler.leader-elect-renew-deadline",
                "kube-scheduler.leader-elect-retry-period",
            ],
        ),
    ];
    if let Some(autoscaler) = &flags.cluster_autoscaler {
        let paths = [
            "cluster-autoscaler.leader-elect-lease-duration",
            "cluster-autoscaler.leader-elect-renew-deadline",
            "cluster-autoscaler.leader-elect-retry-period",
        ];
        all.push((autoscaler.leader_election(), paths));
    }
    let mut faults = Vec::new();
    for (rules, [lease, deadline, retry]) in all {
        if rules.lease_duration <= rules.renew_deadline {
            faults.push((lease, "must be longer than leader-elect-renew-deadline"));
        }
        if rules.renew_deadline.0 <= rules.retry_period.0 / 5 * 6 {
            faults.push((deadline, "must be longer than 1.2 times leader-elect-retry-period"));
        }
        if rules.retry_period == SimDuration::ZERO {
            faults.push((retry, "must be longer than zero"));
        }
    }
    faults
}

/// Loops need a period.
fn periods(flags: &Flags) -> Vec<Fault> {
    let manager = &flags.controller_manager;
    let mut periods = vec![
        (
            manager.horizontal_pod_autoscaler_sync_period,
            "kube-controller-manager.horizontal-pod-autoscaler-sync-period",
        ),
        (manager.node_monitor_period, "kube-controller-manager.node-monitor-period"),
        (flags.metrics_server.metric_resolution, "metrics-server.metric-resolution"),
        (flags.kubelet.lease_renew_interval, "kubelet.lease-renew-interval"),
        (flags.kubelet.pleg_relist_period, "kubelet.pleg-relist-period"),
        (flags.vpa.updater.updater_interval, "vpa-updater.updater-interval"),
    ];
    let vpa = &flags.vpa.recommender;
    periods.extend([
        (vpa.recommender_interval, "vpa-recommender.recommender-interval"),
        (vpa.confidence_interval_cpu, "vpa-recommender.confidence-interval-cpu"),
        (vpa.confidence_interval_memory, "vpa-recommender.confidence-interval-memory"),
        (vpa.memory_aggregation_interval, "vpa-recommender.memory-aggregation-interval"),
        (vpa.memory_histogram_decay_half_life, "vpa-recommender.memory-histogram-decay-half-life"),
        (vpa.cpu_histogram_decay_half_life, "vpa-recommender.cpu-histogram-decay-half-life"),
    ]);
    if let Some(autoscaler) = &flags.cluster_autoscaler {
        periods.push((autoscaler.scan_interval, "cluster-autoscaler.scan-interval"));
    }
    let empty = periods.into_iter().filter(|(period, _)| *period == SimDuration::ZERO);
    empty.map(|(_, path)| (path, "must be longer than zero")).collect()
}

/// Faults of a machine type of the user's, by field.
pub(super) fn machine(machine: &Machine) -> Vec<Fault> {
    let (all, left) = (&machine.capacity, &machine.allocatable);
    let price = machine.price_per_hour;
    let rows = [
        (all.cpu.0 > 0, "cpu", NOT_ZERO),
        (all.memory.0 > 0, "memory", NOT_ZERO),
        (left.cpu.0 <= all.cpu.0, "allocatable-cpu", "is more than cpu"),
        (left.memory.0 <= all.memory.0, "allocatable-memory", "is more than memory"),
        (machine.max_pods > 0, "pods", NOT_ZERO),
        (price >= 0.0, "price-per-hour", "is a price, 0 or more"),
        (machine.idle_watts >= 0.0, "idle-watts", NOT_NEGATIVE),
        (
            machine.peak_watts >= machine.idle_watts.max(0.0),
            "peak-watts",
            "must not be below idle-watts",
        ),
    ];
    rows.into_iter().filter(|(fine, _, _)| !fine).map(|(_, field, why)| (field, why)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::machines;

    #[test]
    fn defaults_and_the_catalogue_are_possible() {
        let autoscaler = Some(Default::default());
        let defaults = Flags { cluster_autoscaler: autoscaler, ..Flags::default() };
        assert_eq!(flags(&defaults), []);
        for name in machines::names() {
            assert_eq!(machine(&machines::find(name).unwrap().machine), [], "{name}");
        }
    }

    #[test]
    fn what_can_not_be_is_told_by_its_field() {
        let mut given = Flags::default();
        given.controller_manager.kube_api_qps = -1.0;
        given.controller_manager.unhealthy_zone_threshold = 3.0;
        given.kubelet.pleg_relist_period = SimDuration::ZERO;
        given.scheduler.leader_elect_retry_period = SimDuration::ZERO;
        given.scheduler.leader_elect_lease_duration = SimDuration::from_secs(10);
        let paths: Vec<&str> = flags(&given).into_iter().map(|(path, _)| path).collect();
        assert_eq!(
            paths,
            [
                "kubelet.pleg-relist-period",
                "kube-scheduler.leader-elect-lease-duration",
                "kube-scheduler.leader-elect-retry-period",
                "kube-controller-manager.kube-api-qps",
                "kube-controller-manager.unhealthy-zone-threshold",
            ]
        );
    }
}
