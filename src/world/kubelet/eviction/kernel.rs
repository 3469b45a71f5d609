//! The kernel's choice when the memory that pods may use is used up.
//!
//! It kills the process with the highest score: the share of memory that it uses, raised by how
//! little its pod can claim. Source: kubernetes `pkg/kubelet/qos/policy.go`, v1.37, and Linux
//! `mm/oom_kill.c` (`oom_badness`). It knows no thresholds.

use crate::api::pod::Pod;
use crate::api::qos::Qos;
use crate::api::{NodeId, PodId};
use crate::world::world::World;

/// What is added to the score of a pod's containers, in thousandths of the memory there is
/// (`GetContainerOOMScoreAdjust`). Containers of a pod count together.
fn adjustment(pod: &Pod, capacity: i64) -> i64 {
    match Qos::of(&pod.spec) {
        _ if &*pod.spec.priority_class == "system-node-critical" => -997,
        Qos::Guaranteed => -997,
        Qos::BestEffort => 1000,
        Qos::Burstable => {
            let request = pod.spec.requests().memory.0;
            (1000 - request.saturating_mul(1000) / capacity.max(1)).clamp(3, 999)
        }
    }
}

/// The score of a pod that uses so many bytes of `capacity`.
fn score(pod: &Pod, usage: i64, capacity: i64) -> i64 {
    usage + adjustment(pod, capacity) * (capacity / 1000)
}

impl World<'_> {
    /// Nothing is left for a node's pods: the kernel kills until there is.
    pub(super) fn kernel_kills(&mut self, node: NodeId) {
        if self.observe_memory(node).available >= 0 {
            // What leaks comes to it later than was thought.
            return self.memory_may_be_short(node);
        }
        let capacity = self.store.node(node).map_or(0, |n| n.capacity.memory.0);
        let of = |id: &PodId| {
            let pod = self.store.pod(*id)?;
            let usage = self.measured_memory(*id);
            (usage > 0).then(|| (score(pod, usage, capacity), pod.uid, *id))
        };
        let worst = self.store.pods_on(node).iter().filter_map(of).max();
        let Some((_, _, pod)) = worst else { return };
        self.container_exits(pod, "OOMKilled");
        self.memory_may_be_short(node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::labels::Labels;
    use crate::api::pod::{Container, PodSpec};
    use crate::api::resources::Resources;
    use crate::units::{Bytes, MilliCpu, SimTime};
    use std::sync::Arc;

    #[test]
    fn the_kernel_kills_who_can_claim_least_for_what_it_uses() {
        let pod = |request: i64, limit: bool| {
            let container = Container {
                requests: Resources::of(MilliCpu(request), Bytes(request)),
                cpu_limit: limit.then_some(MilliCpu(request)),
                memory_limit: limit.then_some(Bytes(request)),
                ..Container::default()
            };
            let spec = PodSpec { containers: vec![container], ..PodSpec::default() };
            let (name, labels) = ("p".into(), Labels::default());
            Pod::pending("default".into(), name, labels, Arc::new(spec), SimTime::ZERO)
        };
        let capacity = 1_000_000;
        // Who is killed, and who is not: what they request, whether that is their limit, their use.
        let rows = [
            (
                "a pod without requests before one that uses more",
                (0, false, 100),
                (500_000, false, 400_000),
            ),
            (
                "who is far above its request before who is below",
                (100_000, false, 300_000),
                (500_000, false, 400_000),
            ),
            (
                "of two equals the one that uses more",
                (100_000, false, 200_000),
                (100_000, false, 150_000),
            ),
            ("a guaranteed pod last of all", (10_000, false, 1_000), (900_000, true, 900_000)),
        ];
        for (sentence, worse, better) in rows {
            let of = |(request, limit, usage)| score(&pod(request, limit), usage, capacity);
            assert!(of(worse) > of(better), "{sentence}");
        }
    }
}
