//! ImageLocality: likes nodes that have the pod's images already, weighted by size and by how many
//! nodes have them.
//!
//! Source: `plugins/imagelocality/image_locality.go`, v1.37.

use crate::api::volume::VolumeSource;
use crate::control::scheduler::framework::{
    Aspects, Context, MAX_NODE_SCORE, PluginState, Scope, ScorePlugin, SignPlugin,
};
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::pod_info::PodInfo;
use std::borrow::Cow;

/// Scores by images.
pub struct ImageLocality;

const MEBI: i64 = 1024 * 1024;
const MIN_THRESHOLD: i64 = 23 * MEBI;
const MAX_CONTAINER_THRESHOLD: i64 = 1000 * MEBI;

/// A reference without tag or digest means `latest` (`normalizedImageName`).
pub(in crate::control::scheduler) fn normalized(name: &str) -> Cow<'_, str> {
    if name.rfind(':') <= name.rfind('/') {
        return Cow::Owned(format!("{name}:latest"));
    }
    Cow::Borrowed(name)
}

impl ScorePlugin for ImageLocality {
    fn scope(&self) -> Scope {
        Scope::Node
    }

    fn heeds_identity(&self, _pod: &PodInfo) -> bool {
        false
    }

    fn heeds_size(&self, node: &NodeInfo) -> bool {
        !node.rare().images.is_empty()
    }

    fn score(&self, cx: &Context<'_>, _state: &PluginState, pod: &PodInfo, node: &NodeInfo) -> i64 {
        if node.rare().images.is_empty() {
            return 0;
        }
        let spec = &pod.spec;
        let containers = spec.init_containers.iter().chain(&spec.containers).map(|c| &c.image);
        let volumes = spec.volumes.iter().filter(|_| cx.version.finds_image_volumes());
        let volumes = volumes.filter_map(|v| match &v.source {
            VolumeSource::Image { reference } => Some(reference),
            _ => None,
        });
        let (mut sum, mut count) = (0, 0);
        let counted = containers.map(|image| (image, 1));
        let weight = i64::from(cx.version.counts_image_volumes());
        for (image, weight) in counted.chain(volumes.map(|image| (image, weight))) {
            count += weight;
            if let Some(state) = node.image(&normalized(image)) {
                let spread = f64::from(state.nodes) / cx.nodes.len() as f64;
                sum += (state.size.0 as f64 * spread) as i64;
            }
        }
        priority(sum, count)
    }
}

/// `calculatePriority`: where the sum lies between the thresholds.
fn priority(sum: i64, images: i64) -> i64 {
    let max_threshold = MAX_CONTAINER_THRESHOLD * images.max(1);
    let sum = sum.clamp(MIN_THRESHOLD, max_threshold);
    MAX_NODE_SCORE * (sum - MIN_THRESHOLD) / (max_threshold - MIN_THRESHOLD)
}

impl SignPlugin for ImageLocality {
    fn sign(&self, _pod: &PodInfo) -> Option<Aspects> {
        Some(Aspects::IMAGES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_score_between_the_thresholds() {
        let rows = [
            ("small images count nothing", 20 * MEBI, 1, 0),
            ("huge ones count fully", 5000 * MEBI, 2, 100),
            ("what lies between, in proportion", 512 * MEBI, 1, 50),
        ];
        for (sentence, sum, images, expected) in rows {
            assert_eq!(priority(sum, images), expected, "{sentence}");
        }
    }

    #[test]
    fn a_reference_without_a_tag_means_latest() {
        let rows =
            [("a", "a:latest"), ("r:5000/a", "r:5000/a:latest"), ("r:5000/a:v1", "r:5000/a:v1")];
        for (given, expected) in rows {
            assert_eq!(normalized(given), expected);
        }
    }
}
