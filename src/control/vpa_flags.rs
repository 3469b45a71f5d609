//! What the components of the Vertical Pod Autoscaler can be told, under upstream's flag names and
//! defaults.
//!
//! Source: kubernetes/autoscaler `vertical-pod-autoscaler/pkg/recommender/config/config.go` and
//! `pkg/updater/config/config.go`, 1.7.1.

use crate::units::SimDuration;

const MINUTE: SimDuration = SimDuration::from_secs(60);
const DAY: SimDuration = SimDuration::from_secs(86_400);

/// `vpa-recommender`.
#[derive(Clone, Debug, PartialEq)]
pub struct VpaRecommenderFlags {
    /// `--recommender-interval`.
    pub recommender_interval: SimDuration,
    /// `--recommendation-margin-fraction`: added to what was used.
    pub recommendation_margin_fraction: f64,
    /// `--pod-recommendation-min-cpu-millicores`: shared by a pod's containers.
    pub pod_recommendation_min_cpu_millicores: f64,
    /// `--pod-recommendation-min-memory-mb`, of 1024 * 1024 bytes each.
    pub pod_recommendation_min_memory_mb: f64,
    /// `--target-cpu-percentile`.
    pub target_cpu_percentile: f64,
    /// `--recommendation-lower-bound-cpu-percentile`.
    pub recommendation_lower_bound_cpu_percentile: f64,
    /// `--recommendation-upper-bound-cpu-percentile`.
    pub recommendation_upper_bound_cpu_percentile: f64,
    /// `--confidence-interval-cpu`.
    pub confidence_interval_cpu: SimDuration,
    /// `--target-memory-percentile`.
    pub target_memory_percentile: f64,
    /// `--recommendation-lower-bound-memory-percentile`.
    pub recommendation_lower_bound_memory_percentile: f64,
    /// `--recommendation-upper-bound-memory-percentile`.
    pub recommendation_upper_bound_memory_percentile: f64,
    /// `--confidence-interval-memory`.
    pub confidence_interval_memory: SimDuration,
    /// `--memory-aggregation-interval`: of each such time a container's peak is one sample.
    pub memory_aggregation_interval: SimDuration,
    /// `--memory-aggregation-interval-count`: samples older than so many intervals are dropped.
    pub memory_aggregation_interval_count: u32,
    /// `--memory-histogram-decay-half-life`.
    pub memory_histogram_decay_half_life: SimDuration,
    /// `--cpu-histogram-decay-half-life`.
    pub cpu_histogram_decay_half_life: SimDuration,
    /// `--oom-bump-up-ratio`.
    pub oom_bump_up_ratio: f64,
    /// `--oom-min-bump-up-bytes`.
    pub oom_min_bump_up_bytes: f64,
}

impl Default for VpaRecommenderFlags {
    fn default() -> Self {
        VpaRecommenderFlags {
            recommender_interval: MINUTE,
            recommendation_margin_fraction: 0.15,
            pod_recommendation_min_cpu_millicores: 25.0,
            pod_recommendation_min_memory_mb: 250.0,
            target_cpu_percentile: 0.9,
            recommendation_lower_bound_cpu_percentile: 0.5,
            recommendation_upper_bound_cpu_percentile: 0.95,
            confidence_interval_cpu: DAY,
            target_memory_percentile: 0.9,
            recommendation_lower_bound_memory_percentile: 0.5,
            recommendation_upper_bound_memory_percentile: 0.95,
            confidence_interval_memory: DAY,
            memory_aggregation_interval: DAY,
            memory_aggregation_interval_count: 8,
            memory_histogram_decay_half_life: DAY,
            cpu_histogram_decay_half_life: DAY,
            oom_bump_up_ratio: 1.2,
            oom_min_bump_up_bytes: 104_857_600.0,
        }
    }
}

/// `vpa-updater`.
#[derive(Clone, Debug, PartialEq)]
pub struct VpaUpdaterFlags {
    /// `--updater-interval`.
    pub updater_interval: SimDuration,
    /// `--min-replicas`: a smaller set is left alone.
    pub min_replicas: u32,
    /// `--eviction-tolerance`: part of a set that may be away at a time.
    pub eviction_tolerance: f64,
    /// `--pod-update-threshold`: what changes less stays, within the bounds.
    pub pod_update_threshold: f64,
    /// `--in-recommendation-bounds-eviction-lifetime-threshold`: what makes it old.
    pub in_recommendation_bounds_eviction_lifetime_threshold: SimDuration,
    /// `--evict-after-oom-threshold`: a container that was OOM-killed sooner has too little.
    pub evict_after_oom_threshold: SimDuration,
}

impl Default for VpaUpdaterFlags {
    fn default() -> Self {
        VpaUpdaterFlags {
            updater_interval: MINUTE,
            min_replicas: 2,
            eviction_tolerance: 0.5,
            pod_update_threshold: 0.1,
            in_recommendation_bounds_eviction_lifetime_threshold: SimDuration::from_secs(43_200),
            evict_after_oom_threshold: SimDuration::from_secs(600),
        }
    }
}
