//! Objects for tests of this room.

use super::pod_info::PodInfo;
use crate::api::PodId;
use crate::api::labels::Labels;
use crate::api::node::{Node, NodeReady, ZONE_LABEL};
use crate::api::pod::{Container, Pod, PodSpec};
use crate::api::resources::Resources;
use crate::units::{Bytes, MilliCpu, SimTime};
use std::sync::Arc;

/// A ready node with 4 cores, 16 GiB and room for 110 pods.
pub(crate) fn node(name: &str) -> Node {
    let capacity = Resources::of(MilliCpu(4000), Bytes::mebi(16 * 1024));
    Node {
        name: name.into(),
        uid: 0,
        labels: Labels::default(),
        taints: Vec::new(),
        unschedulable: false,
        capacity: capacity.clone(),
        allocatable: capacity,
        max_pods: 110,
        ready: NodeReady::True,
        ready_changed: SimTime::ZERO,
        created: SimTime::ZERO,
        group: 0,
        images: Arc::new([]),
    }
}

/// Likewise, in a zone.
pub(crate) fn zone_node(name: &str, zone: &str) -> Node {
    Node { labels: Labels::from([(ZONE_LABEL, zone)]), ..node(name) }
}

/// A specification of one container that requests this much CPU and memory.
pub(crate) fn spec(milli_cpu: i64, mebi: i64) -> PodSpec {
    let requests = Resources::of(MilliCpu(milli_cpu), Bytes::mebi(mebi));
    PodSpec {
        containers: vec![Container { requests, ..Container::default() }],
        scheduler_name: "default-scheduler".into(),
        ..PodSpec::default()
    }
}

/// A pending pod.
pub(crate) fn pod(name: &str, spec: PodSpec) -> Pod {
    let (labels, spec) = (Labels::default(), Arc::new(spec));
    Pod::pending("default".into(), name.into(), labels, spec, SimTime::ZERO)
}

/// What the scheduler derives from a pending pod.
pub(crate) fn pod_info(id: PodId, spec: PodSpec) -> PodInfo {
    PodInfo::new(id, &pod("pod", spec))
}
