//! The `flags:` of the Vertical Pod Autoscaler's components.

use super::flags::{Give, Told, flags};
use super::value::Span;
use crate::control::vpa_flags::{VpaRecommenderFlags, VpaUpdaterFlags};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// Settings of the Vertical Pod Autoscaler's components.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VpaFlags {
    /// `vpa-recommender`.
    pub recommender: VpaRecommenderFlags,
    /// `vpa-updater`.
    pub updater: VpaUpdaterFlags,
}

flags! {
    /// `vpa-recommender`, which runs where a VerticalPodAutoscaler is among the manifests.
    VpaRecommenderFile -> VpaRecommenderFlags {
        /// Default 1m.
        recommender_interval: Span,
        /// Added to what was used. Default 0.15.
        recommendation_margin_fraction: f64,
        /// The least for a pod, shared by its containers. Default 25.
        pod_recommendation_min_cpu_millicores: f64,
        /// The least for a pod, shared by its containers, in MiB. Default 250.
        pod_recommendation_min_memory_mb: f64,
        /// Default 0.9.
        target_cpu_percentile: f64,
        /// Default 0.5.
        recommendation_lower_bound_cpu_percentile: f64,
        /// Default 0.95.
        recommendation_upper_bound_cpu_percentile: f64,
        /// How much history makes a recommendation sure. Default 24h.
        confidence_interval_cpu: Span,
        /// Default 0.9.
        target_memory_percentile: f64,
        /// Default 0.5.
        recommendation_lower_bound_memory_percentile: f64,
        /// Default 0.95.
        recommendation_upper_bound_memory_percentile: f64,
        /// Default 24h.
        confidence_interval_memory: Span,
        /// Of each such time a container's peak is one sample. Default 24h.
        memory_aggregation_interval: Span,
        /// Samples older than so many intervals are dropped. Default 8.
        memory_aggregation_interval_count: u32,
        /// Default 24h.
        memory_histogram_decay_half_life: Span,
        /// Default 24h.
        cpu_histogram_decay_half_life: Span,
        /// Default 1.2.
        oom_bump_up_ratio: f64,
        /// Default 104857600.
        oom_min_bump_up_bytes: f64,
    }
}

flags! {
    /// `vpa-updater`, which runs where a VerticalPodAutoscaler is among the manifests.
    VpaUpdaterFile -> VpaUpdaterFlags {
        /// Default 1m.
        updater_interval: Span,
        /// A smaller set is left alone. Default 2.
        min_replicas: u32,
        /// Part of a set that may be away at a time. Default 0.5.
        eviction_tolerance: f64,
        /// An old pod within the bounds is changed by this part or not at all. Default 0.1.
        pod_update_threshold: f64,
        /// What makes a pod within the bounds old. Default 12h.
        in_recommendation_bounds_eviction_lifetime_threshold: Span,
        /// A container that was OOM-killed sooner has too little. Default 10m.
        evict_after_oom_threshold: Span,
    }
}
