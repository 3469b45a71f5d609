//! What autoscalers of the tests scale.

use std::sync::Arc;
use stormglass::api::labels::{Labels, Selector};
use stormglass::api::pod::PodSpec;
use stormglass::api::workload::{Deployment, IntOrPercent, PodTemplate, Strategy, WorkloadStatus};
use stormglass::units::{SimDuration, SimTime};

/// A Deployment with upstream's defaults that has done nothing yet.
pub fn deployment(namespace: &str, name: &str, labels: Labels, replicas: u32) -> Deployment {
    Deployment {
        name: name.into(),
        namespace: namespace.into(),
        labels: labels.clone(),
        replicas,
        selector: Selector::from_labels(&labels),
        template: PodTemplate {
            labels,
            spec: Arc::new(PodSpec::default()),
            hash: "v1".into(),
            ..PodTemplate::default()
        },
        strategy: Strategy::RollingUpdate {
            max_surge: IntOrPercent::Percent(25),
            max_unavailable: IntOrPercent::Percent(25),
        },
        min_ready: SimDuration::ZERO,
        paused: false,
        revision_history_limit: 10,
        progress_deadline: SimDuration::from_secs(600),
        generation: 1,
        created: SimTime::ZERO,
        revision: 0,
        status: WorkloadStatus::default(),
        conditions: Vec::new(),
        deletion: None,
    }
}
