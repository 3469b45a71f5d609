//! Who is told of which change: the informers of every component, with the watch's latency.

use super::controllers::Key;
use super::event::PodStep;
use super::world::World;
use crate::api::pod::Pod;
use crate::api::{NodeId, PodId};
use crate::record::rows::PodRow;
use crate::store::Change;
use crate::units::SimTime;

impl World<'_> {
    /// Tells all watchers of everything that has changed since they were last told.
    pub(super) fn tell_watchers(&mut self) {
        while !self.store.is_quiet() {
            for change in self.store.take_changes() {
                self.log_change(&change);
                if let Some(audience) = &mut self.audience {
                    audience.sees(self.now, &change, &self.store);
                }
                self.tell(change);
            }
        }
    }

    fn tell(&mut self, change: Change) {
        match change {
            Change::PodCreated(id) => {
                self.pod_claims_changed(id);
                self.pod_changed(id);
                self.scheduler_sees(super::schedule::Notice::Pod(id));
            }
            Change::PodBound(id) => self.pod_bound(id),
            Change::PodUpdated(id) => {
                if self.store.pod(id).is_some_and(|pod| pod.phase.is_terminal()) {
                    self.pod_claims_changed(id);
                }
                self.pod_changed(id);
                self.tell_collectors(id);
                self.scheduler_sees(super::schedule::Notice::Pod(id));
            }
            Change::PodMarked(id) => {
                self.pod_changed(id);
                self.tell_collectors(id);
                self.scheduler_sees(super::schedule::Notice::Pod(id));
                if self.store.pod(id).is_some_and(|p| p.node.is_some()) {
                    self.plan_pod(self.now + self.watch_latency(), id, PodStep::Stop);
                }
            }
            Change::PodRemoved(id, pod) => self.pod_removed(id, *pod),
            Change::NodeCreated(id) | Change::NodeUpdated(id) => self.node_changed(id),
            Change::NodeRemoved(id, _, orphans) => {
                self.tell_of_lost_node(id, &orphans);
                self.scheduler_sees(super::schedule::Notice::NodeGone(id));
                self.notify(Key::NodeLifecycle);
                self.notify(Key::PodGc);
                self.notify(Key::ClusterAutoscaler);
            }
            Change::Deployment(id) => {
                self.notify(Key::Deployment(id));
                self.deployment_changed(id);
            }
            Change::ReplicaSet(id) => {
                self.scheduler_sees_set(id);
                self.notify(Key::ReplicaSet(id));
                if let Some(owner) = self.store.replica_set(id).and_then(|set| set.owner) {
                    self.notify(Key::Deployment(owner));
                }
            }
            Change::ReplicaSetRemoved(id, owner) => {
                self.scheduler_sees(super::schedule::Notice::ReplicaSetGone(id));
                if let Some(owner) = owner {
                    self.notify(Key::Deployment(owner));
                }
            }
            Change::Service(id) => self.notify(Key::EndpointSlice(id)),
            Change::Endpoints(_) => self.endpoints_changed(),
            Change::Hpa(id) => self.notify(Key::Hpa(id)),
            Change::HpaStatus(_) => {}
            Change::Pdb(id) => {
                self.notify(Key::Disruption(id));
                self.scheduler_sees(super::schedule::Notice::Budget(id));
            }
        }
    }

    pub(super) fn watch_latency(&self) -> crate::units::SimDuration {
        self.scenario.flags.api_server.watch_latency
    }

    /// A pod changed: its owner, the Services and budgets that select it look again.
    fn pod_changed(&mut self, id: PodId) {
        let Some(pod) = self.store.pod(id) else { return };
        let (owner, unschedulable) = (pod.owner, pod.unschedulable);
        if let Some(owner) = owner {
            self.notify(Key::ReplicaSet(owner));
        }
        if unschedulable {
            self.notify(Key::ClusterAutoscaler);
        }
        self.notify_selectors(id);
    }

    /// Services and budgets whose selectors match a pod; its Deployment's template decides.
    fn notify_selectors(&mut self, id: PodId) {
        let Some(workload) = self.pods.get(id).and_then(|state| state.workload()) else { return };
        self.tell_selectors(workload, id);
        self.notify_workload(workload);
    }

    fn notify_workload(&mut self, workload: usize) {
        for index in 0..self.fronted_by[workload].len() {
            self.notify(Key::EndpointSlice(self.fronted_by[workload][index]));
        }
        for index in 0..self.guarded_by[workload].len() {
            self.notify(Key::Disruption(self.guarded_by[workload][index]));
        }
        for index in 0..self.scaled_by[workload].len() {
            let hpa = self.scaled_by[workload][index];
            self.hpa_inputs_changed(hpa);
        }
    }

    fn pod_bound(&mut self, id: PodId) {
        self.pod_changed(id);
        self.tell_collectors(id);
        self.scheduler_sees(super::schedule::Notice::Pod(id));
        self.plan_pod(self.now + self.watch_latency(), id, PodStep::Seen);
        self.notify(Key::TaintEviction);
        self.notify(Key::ClusterAutoscaler);
        let Some(pod) = self.store.pod(id) else { return };
        let waited = pod.scheduled.since(pod.created).as_secs_f64();
        self.recorder.totals.schedule_wait.add(waited, 1.0);
        let node = pod.node;
        let (cpu, workload) =
            (self.requested_cpu(pod), self.pods.get(id).and_then(|s| s.workload()));
        self.waiting_pods(-1);
        if let Some(workload) = workload {
            self.cpu_requested[workload] += cpu;
        }
        if let Some(node) = node {
            let count = self.store.pods_on(node).len() as u32;
            if let Some(state) = self.nodes.get_mut(node) {
                state.pods_peak = state.pods_peak.max(count);
            }
        }
    }

    fn pod_removed(&mut self, id: PodId, pod: Pod) {
        if let Some(owner) = pod.owner {
            self.notify(Key::ReplicaSet(owner));
        }
        self.notify_selectors(id);
        self.tell_collectors(id);
        self.notify(Key::ClusterAutoscaler);
        if pod.node.is_none() {
            self.waiting_pods(-1);
        } else if let Some(workload) = self.pods.get(id).and_then(|state| state.workload()) {
            self.cpu_requested[workload] = self.cpu_requested[workload] - self.requested_cpu(&pod);
        }
        self.settle_energy(id, &pod);
        self.network.remove_pod(self.now, id);
        self.forget_samples(id);
        self.record_pod(id, &pod, Some(self.now));
        self.recorder.totals.pods_gone += 1;
        self.pods.remove(id);
        self.scheduler_sees(super::schedule::Notice::PodGone(id));
        self.pod_claims_changed(id);
    }

    /// Hands a pod's life to the record.
    pub(super) fn record_pod(&mut self, id: PodId, pod: &Pod, gone: Option<SimTime>) {
        let Some(state) = self.pods.get(id) else { return };
        let known = |t: SimTime| (t != SimTime::NEVER).then_some(t);
        let node = pod.node.and_then(|node| self.store.node(node)).map(|node| node.name.clone());
        let row = PodRow {
            uid: pod.uid,
            namespace: pod.namespace.clone(),
            name: pod.name(),
            workload: state.workload(),
            node,
            created: pod.created,
            scheduled: known(pod.scheduled),
            running: known(state.first_running()),
            ready: known(state.first_ready),
            deletion: pod.deletion.get(),
            gone,
            phase: pod.phase.as_str(),
            restarts: pod.restarts,
            waiting_reason: state.waiting(),
            end_reason: if gone.is_some() { state.end_reason() } else { "" },
        };
        self.recorder.pod(&row);
    }

    fn node_changed(&mut self, id: NodeId) {
        self.scheduler_sees(super::schedule::Notice::Node(id));
        self.tell_of_changed_node(id);
        self.notify(Key::NodeLifecycle);
        self.notify(Key::TaintEviction);
        self.notify(Key::ClusterAutoscaler);
    }
}
