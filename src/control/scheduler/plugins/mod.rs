//! One plugin per file, named as upstream. A plugin sees the pod, a node and its own state of the
//! cycle; it knows neither queues nor other plugins.

mod default_preemption;
mod dynamic_resources;
mod go_log;
mod gpu_fragmentation;
mod image_locality;
mod inter_pod_affinity;
mod node_affinity;
mod node_declared_features;
mod node_name;
mod node_ports;
mod node_resources_balanced_allocation;
mod node_resources_fit;
mod node_unschedulable;
mod node_volume_limits;
mod pod_claims;
mod pod_topology_spread;
mod priority_sort;
mod resource_score;
mod scheduling_gates;
mod taint_toleration;
mod volume_binding;
mod volume_restrictions;
mod volume_zone;

pub use default_preemption::DefaultPreemption;
pub use dynamic_resources::DynamicResources;
pub use gpu_fragmentation::GpuFragmentation;
pub use image_locality::ImageLocality;
pub(super) use image_locality::normalized as normalized_image;
pub use inter_pod_affinity::InterPodAffinity;
pub use node_affinity::NodeAffinity;
pub use node_declared_features::NodeDeclaredFeatures;
pub use node_name::NodeName;
pub use node_ports::NodePorts;
pub use node_resources_balanced_allocation::NodeResourcesBalancedAllocation;
pub use node_resources_fit::NodeResourcesFit;
pub(super) use node_resources_fit::is_extended as is_extended_resource;
pub use node_unschedulable::NodeUnschedulable;
pub use node_volume_limits::NodeVolumeLimits;
pub use pod_topology_spread::PodTopologySpread;
pub use priority_sort::PrioritySort;
pub use scheduling_gates::SchedulingGates;
pub use taint_toleration::TaintToleration;
pub use volume_binding::VolumeBinding;
pub use volume_restrictions::VolumeRestrictions;
pub use volume_zone::VolumeZone;
