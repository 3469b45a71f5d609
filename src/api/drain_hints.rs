//! What a pod tells autoscalers of nodes about moving it: annotations and local volumes.
//!
//! Plain data; what is made of it they decide. Source: cluster-autoscaler
//! `utils/drain/drain.go`, `utils/daemonset/daemonset.go`,
//! `simulator/drainability/rules/skipreschedule/rule.go`, August 2026.

use crate::units::SimDuration;

/// Annotations `cluster-autoscaler.kubernetes.io/...` of a pod, and what its volumes mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DrainHints {
    /// `safe-to-evict`: `true` lifts most of what keeps a pod where it is, `false` keeps it.
    pub safe_to_evict: Option<bool>,
    /// It has a `hostPath`, or an `emptyDir` on disk, that `safe-to-evict-local-volumes` does not
    /// name.
    pub local_storage: bool,
    /// `enable-ds-eviction`: whether a DaemonSet's pod is evicted from a node that goes.
    pub enable_ds_eviction: Option<bool>,
    /// `skip-reschedule`: it needs no other place.
    pub skip_reschedule: bool,
    /// `pod-scale-up-delay`: how old it has to be until it is a reason for a node.
    pub scale_up_delay: Option<SimDuration>,
    /// `karpenter.sh/do-not-disrupt`: how long after its start Karpenter leaves it where it is;
    /// [`SimDuration::MAX`]: for ever.
    pub undisrupted: Option<SimDuration>,
}
