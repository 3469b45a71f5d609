//! Pods that share the cores of their nodes: the network is told who is where, and what each weighs
//! there. Only runs with `cpu-contention: shares` come here; how cores are divided is for
//! [`super::traffic::sharing`].

use super::build::{cpu_of_pod, pod_model};
use super::traffic::sharing::{Guest, Serves};
use super::world::World;
use crate::api::PodId;
use crate::api::qos::Qos;

impl World<'_> {
    /// A pod has a node: from now on it is one of those that share its cores.
    pub(super) fn pod_shares_cores(&mut self, id: PodId) {
        if !self.scenario.cpu_contention {
            return;
        }
        let Some(pod) = self.store.pod(id).filter(|pod| !pod.phase.is_terminal()) else { return };
        let Some(on) = pod.node else { return };
        let Some(node) = self.store.node(on) else { return };
        let serves = self.pods.get(id).and_then(|state| state.workload()).map(|station| Serves {
            station,
            usual: pod_model(self.scenario, &pod.spec, station),
            cores: cpu_of_pod(self.scenario, &pod.spec, &self.scenario.workloads[station]).cores(),
        });
        let guest = Guest { qos: Qos::of(&pod.spec), request: self.requested_cpu(pod), serves };
        self.network.join_node(id, (on, node.allocatable.cpu), guest);
        self.traffic_changed = true;
    }

    /// A pod has ended: the others have its part.
    pub(super) fn pod_leaves_cores(&mut self, id: PodId) {
        if self.scenario.cpu_contention {
            self.network.leave_node(id);
            self.traffic_changed = true;
        }
    }
}
