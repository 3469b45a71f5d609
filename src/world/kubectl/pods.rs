//! Commands about pods, and what befalls them by hand.

use super::changed;
use crate::api::pod::{Pod, PodPhase};
use crate::api::{NodeId, PodId};
use crate::scenario::kubectl::{PodChoice, PodCommand};
use crate::world::world::World;
use std::sync::Arc;

impl World<'_> {
    pub(super) fn command_pods(&mut self, which: &PodChoice, what: &PodCommand) {
        for (place, pod) in self.chosen(which).into_iter().enumerate() {
            match what {
                PodCommand::Delete(grace) => _ = self.delete_pod(pod, *grace, "Deleted"),
                PodCommand::Evict => self.plan_eviction(place, pod, false),
                PodCommand::DeletionCost(cost) => self.store.update_pod(pod, |p| {
                    std::mem::replace(&mut p.more_mut().deletion_cost, *cost) != *cost
                }),
                PodCommand::Label(pairs) => {
                    let Some(p) = self.store.pod(pod) else { continue };
                    let labels = changed(&p.labels, pairs);
                    self.store.relabel_pod(pod, labels);
                }
                PodCommand::Ready(ready) => self.switch_readiness(pod, *ready),
                PodCommand::Finish(code) => {
                    if self.runs(pod) {
                        self.finish_pod(pod, *code);
                    }
                }
                PodCommand::Ungate(gates) => self.set_gates(pod, gates),
            }
        }
    }

    /// The pods of a choice, in its order.
    fn chosen(&self, which: &PodChoice) -> Vec<PodId> {
        let fits = |pod: &Pod| match &which.name {
            Some(name) => *name == pod.name(),
            None => which.selector.matches(&pod.labels),
        };
        let all = self.store.pods();
        let found = all.filter(|(_, pod)| pod.namespace == which.namespace && fits(pod));
        let mut found: Vec<(PodId, &Pod)> = found.collect();
        if which.by_age {
            found.sort_by_key(|(_, pod)| (pod.created.whole_secs(), pod.name()));
        } else {
            found.sort_by_key(|(_, pod)| pod.name());
        }
        let ids: Vec<PodId> = found.into_iter().map(|(id, _)| id).collect();
        match &which.places {
            None => ids,
            Some(places) => places.iter().filter_map(|place| ids.get(*place).copied()).collect(),
        }
    }

    fn runs(&self, pod: PodId) -> bool {
        self.store.pod(pod).is_some_and(|p| p.phase == PodPhase::Running)
    }

    fn switch_readiness(&mut self, pod: PodId, ready: bool) {
        if self.runs(pod) {
            self.store.set_pod_ready(pod, ready, self.now);
        }
    }

    fn set_gates(&mut self, pod: PodId, gates: &[crate::api::Text]) {
        self.store.update_pod(pod, |p| {
            let changes = p.spec.scheduling_gates != gates;
            let spec = Arc::make_mut(&mut p.base_mut().spec);
            spec.scheduling_gates = gates.to_vec();
            changes
        });
    }

    /// Pods on a node that a drain evicts: all but those of DaemonSets and mirrors of static pods
    /// (kubectl `pkg/drain/filters.go`).
    pub(super) fn drained_pods(&self, node: NodeId) -> Vec<PodId> {
        let is_daemon =
            |pod: &Pod| pod.owner.is_some_and(|owner| self.store.daemon_set(owner).is_some());
        let pods = self.store.pods_on(node).iter().copied();
        pods.filter(|id| {
            self.store
                .pod(*id)
                .is_some_and(|pod| pod.deletion.is_none() && !is_daemon(pod) && !pod.spec.is_mirror)
        })
        .collect()
    }
}
