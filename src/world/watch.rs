//! Who is told of which change: the informers of every component, with the watch's latency.

use super::controllers::Key;
use super::event::PodStep;
use super::world::World;
use crate::api::autoscaling::Hpa;
use crate::api::event::EventType::Warning;
use crate::api::labels::{Labels, Selector};
use crate::api::owner::{Owner, Parent};
use crate::api::pod::Pod;
use crate::api::{HpaId, NodeId, PdbId, PodId, ServiceId};
use crate::control::controllers::action::About;
use crate::control::controllers::garbagecollector::Item;
use crate::control::controllers::namespace;
use crate::record::rows::PodRow;
use crate::store::Change;
use crate::units::SimTime;
use std::collections::BTreeSet;

/// Of which pods something has been said at this instant.
#[derive(Debug, Default)]
pub(super) struct Said {
    at: SimTime,
    of: BTreeSet<PodId>,
}

/// What selects a pod.
struct SelectedBy {
    services: Vec<ServiceId>,
    budgets: Vec<PdbId>,
    /// Autoscalers that count it.
    hpas: Vec<HpaId>,
}

impl Said {
    /// Notes that it is said of a pod; false: it has been already.
    fn is_news(&mut self, now: SimTime, pod: PodId) -> bool {
        if std::mem::replace(&mut self.at, now) != now {
            self.of.clear();
        }
        self.of.insert(pod)
    }
}

impl World<'_> {
    /// Tells all watchers of everything that has changed since they were last told.
    pub(super) fn tell_watchers(&mut self) {
        while !self.store.is_quiet() {
            for change in self.store.take_changes() {
                self.log_change(&change);
                if let Some(audience) = &mut self.audience {
                    audience.sees(self.now, &change, &self.store);
                }
                if let Some(change) = self.outages.keep_change(change) {
                    self.tell(change);
                }
            }
        }
    }

    pub(super) fn tell(&mut self, change: Change) {
        if self.store.quotas().next().is_some() {
            self.tell_quotas(&change);
        }
        match change {
            Change::PodCreated(id) => {
                self.pod_claims_changed(id);
                self.make_ephemeral_claims(id);
                self.pod_changed(id);
                self.may_adopt(id);
                self.may_be_stray(id);
                self.scheduler_sees(super::schedule::Notice::Pod(id));
            }
            Change::PodBound(id) => self.pod_bound(id),
            Change::PodUpdated(id) => {
                if self.store.pod(id).is_some_and(|pod| pod.phase.is_terminal()) {
                    self.pod_claims_changed(id);
                    self.pod_volumes_changed(id);
                    self.pod_leaves_cores(id);
                    self.room_comes(self.store.pod(id).and_then(|pod| pod.node));
                }
                self.pod_changed(id);
                self.tell_collectors(id);
                self.scheduler_sees(super::schedule::Notice::Pod(id));
            }
            Change::PodMarked(id) => {
                self.pod_changed(id);
                self.pod_volumes_changed(id);
                self.tell_collectors(id);
                self.scheduler_sees(super::schedule::Notice::Pod(id));
                if let Some(node) = self.store.pod(id).and_then(|p| p.node) {
                    self.plan_pod(self.seen_on(Some(node)), id, PodStep::Stop);
                }
            }
            Change::PodRemoved(id, pod) => self.pod_removed(id, *pod),
            Change::NodeCreated(id) | Change::NodeUpdated(id) => self.node_changed(id),
            Change::NodeRemoved(id, node, orphans) => {
                self.tell_of_lost_node(id, &node, &orphans);
                self.node_is_gone(&node.name);
                self.gates_may_differ();
                self.scheduler_sees(super::schedule::Notice::NodeGone(id));
                self.notify(Key::NodeLifecycle);
                self.notify(Key::PodGc);
                self.provisioners_look();
            }
            Change::PodRelabelled(id, before) => self.pod_relabelled(id, &before),
            Change::PodOwner(id, before) => {
                if let Some(before) = before {
                    self.notify_owner(before);
                    if self.store.owner(before).is_some_and(|owner| owner.deletion().is_some()) {
                        self.collect(Item::Owner(before));
                    }
                }
                self.pod_changed(id);
                self.may_adopt(id);
                self.pod_orphaned(id);
            }
            Change::Hpa(id) => self.hpa_changed(id),
            Change::HpaStatus(_) => {}
            Change::Pdb(id) => {
                self.notify(Key::Disruption(id));
                self.scheduler_sees(super::schedule::Notice::Budget(id));
            }
            other => self.tell_of_service(other),
        }
    }

    /// Tells of a change of what pods are reached through.
    fn tell_of_service(&mut self, change: Change) {
        match change {
            Change::Service(id) => {
                self.recount_endpoints(id);
                self.service_changed(id);
            }
            Change::Ingress(_) => self.send_traffic(),
            Change::Endpoints(id) => {
                if self.store.service(id).is_some_and(|service| !service.headless) {
                    self.endpoints_changed();
                }
            }
            other => self.tell_of_owner(other),
        }
    }

    /// Tells of a change of something that has dependents.
    fn tell_of_owner(&mut self, change: Change) {
        match change {
            Change::Deployment(id) => {
                self.rollout_may_be_over(id);
                self.notify(Key::Deployment(id));
                if self.store.deployment(id).is_some_and(|d| d.deletion.is_some()) {
                    self.collect(Item::Deployment(id));
                }
            }
            Change::DeploymentRemoved(_, _, sets) => {
                sets.into_iter().for_each(|set| self.collect(Item::Owner(set)));
            }
            Change::Owner(id) => {
                self.scheduler_sees_set(id);
                if self.store.job(id).is_some() {
                    self.job_changed(id);
                } else {
                    self.notify_owner(id);
                }
                let Some(owner) = self.store.owner(id) else { return };
                let (parent, deletion) = (owner.parent(), owner.deletion());
                self.tell_parent(parent);
                if deletion.is_some() {
                    self.collect(Item::Owner(id));
                }
            }
            Change::Released(id, before) => {
                self.notify_owner(id);
                self.tell_parent(self.store.owner(id).and_then(Owner::parent));
                self.tell_parent(before);
                self.collect_parent(before);
            }
            Change::OwnerRemoved(id, owner, pods) => {
                self.scheduler_sees(super::schedule::Notice::ReplicaSetGone(id));
                self.created_of.remove(&id);
                self.job_gone(id, &pods);
                self.tell_parent(owner.parent());
                pods.into_iter().for_each(|pod| self.collect(Item::Pod(pod)));
                self.collect_parent(owner.parent());
                self.claims_lose_set(id, &owner);
            }
            Change::CronJob(id) => {
                self.cron_job_changed(id);
                if self.store.cron_job(id).is_some_and(|job| job.meta.deletion.is_some()) {
                    self.collect(Item::CronJob(id));
                }
            }
            Change::CronJobRemoved(id, jobs) => {
                self.with_cron_jobs(|memory, _| memory.forget(id));
                jobs.into_iter().for_each(|job| self.collect(Item::Owner(job)));
            }
            Change::Quota(id) => self.notify(Key::ResourceQuota(id)),
            Change::Config(id) => self.config_changed(id),
            Change::Namespace(id) => {
                let at = self.now + self.watch_latency() + namespace::PATIENCE;
                self.enqueue(Key::Namespace(id), at);
            }
            other => self.tell_of_storage(other),
        }
    }

    /// Something went, or a pod ended: quotas may have room again.
    fn tell_quotas(&mut self, change: &Change) {
        let namespace = match change {
            Change::PodRemoved(_, pod) => Some(pod.namespace.clone()),
            Change::PodUpdated(id) => {
                let ended = self.store.pod(*id).filter(|pod| pod.phase.is_terminal());
                let Some(pod) = ended else { return };
                Some(pod.namespace.clone())
            }
            Change::DeploymentRemoved(_, deployment, _) => Some(deployment.namespace.clone()),
            Change::OwnerRemoved(_, owner, _) => Some(owner.namespace().clone()),
            Change::ClaimRemoved(_, claim) => Some(claim.namespace.clone()),
            Change::Service(_)
            | Change::Hpa(_)
            | Change::Pdb(_)
            | Change::CronJobRemoved(..)
            | Change::LimitRange(_) => None,
            _ => return,
        };
        let here = |other: &str| namespace.as_ref().is_none_or(|namespace| *namespace == *other);
        let quotas = self.store.quotas().filter(|(_, quota)| here(&quota.namespace));
        for id in quotas.map(|(id, _)| id).collect::<Vec<_>>() {
            self.notify(Key::ResourceQuota(id));
        }
    }

    pub(super) fn watch_latency(&self) -> crate::units::SimDuration {
        self.scenario.flags.api_server.watch_latency
    }

    /// A pod has other labels: those that have selected it so far are concerned too.
    fn pod_relabelled(&mut self, id: PodId, before: &Labels) {
        self.selections_change();
        if let Some(namespace) = self.store.pod(id).map(|pod| pod.namespace.clone()) {
            self.notify_selectors_by_labels(id, self.selected_by(&namespace, before));
        }
        self.pod_changed(id);
        self.may_adopt(id);
        self.scheduler_sees(super::schedule::Notice::Pod(id));
    }

    /// A pod changed: its owner, the Services and budgets that select it look again.
    fn pod_changed(&mut self, id: PodId) {
        let Some(pod) = self.store.pod(id) else { return };
        let (owner, unschedulable) = (pod.owner, pod.unschedulable);
        if let Some(owner) = owner {
            self.notify_owner(owner);
        }
        if unschedulable {
            self.notify(Key::ClusterAutoscaler);
        }
        self.tell_karpenter(id);
        if let Some(workload) = self.deployment_of(id) {
            self.notify_selectors_of_deployment(workload, id);
        } else if let Some(pod) = self.store.pod(id) {
            let selected_by = self.selected_by(&pod.namespace, &pod.labels);
            self.notify_selectors_by_labels(id, selected_by);
        }
    }

    /// Services and budgets whose selectors match a pod.
    fn notify_selectors(&mut self, id: PodId, pod: &Pod) {
        if let Some(workload) = self.deployment_of(id) {
            self.notify_selectors_of_deployment(workload, id);
        } else {
            self.notify_selectors_by_labels(id, self.selected_by(&pod.namespace, &pod.labels));
        }
    }

    /// The workload of a pod, if that is a Deployment of the scenario that tells what selects its
    /// pods.
    fn deployment_of(&self, id: PodId) -> Option<usize> {
        if self.selects_by_labels {
            return None;
        }
        let workload = self.pods.get(id)?.workload()?;
        (workload < self.deployments.len()).then_some(workload)
    }

    /// Of a Deployment's pod its template decides, once for all.
    fn notify_selectors_of_deployment(&mut self, workload: usize, id: PodId) {
        self.tell_selectors(workload, id);
        self.notify_workload(workload);
        let budgets = std::mem::take(&mut self.guarded_by[workload]);
        self.notify_budget(id, &budgets);
        self.guarded_by[workload] = budgets;
    }

    /// What selects pods of these labels.
    fn selected_by(&self, namespace: &str, labels: &Labels) -> SelectedBy {
        let selects = |selector: &Selector| selector.matches(labels);
        let services = self.store.services().filter(|(_, service)| {
            *service.namespace == *namespace && service.selector.as_ref().is_some_and(selects)
        });
        let budgets = self.store.pdbs();
        let budgets = budgets.filter(|(_, p)| *p.namespace == *namespace && selects(&p.selector));
        let counts = |hpa: &Hpa| {
            let target = self.store.scale_of(hpa.target);
            *hpa.namespace == *namespace && target.is_some_and(|scale| selects(scale.selector))
        };
        let hpas = self.store.hpas().filter(|(_, hpa)| counts(hpa));
        SelectedBy {
            services: services.map(|(id, _)| id).collect(),
            budgets: budgets.map(|(id, _)| id).collect(),
            hpas: hpas.map(|(id, _)| id).collect(),
        }
    }

    /// Of any other pod its labels decide, each time.
    fn notify_selectors_by_labels(&mut self, id: PodId, selected_by: SelectedBy) {
        let SelectedBy { services, budgets, hpas } = selected_by;
        for hpa in hpas {
            self.census_may_change(hpa, id);
        }
        for service in services {
            self.endpoints_may_change(service, id);
            self.notify(Key::EndpointSlice(service));
        }
        self.notify_budget(id, &budgets);
    }

    /// Of several budgets that select a pod only one hears of it (`getPdbForPod`). That is said
    /// once where one report of a kubelet is several changes here.
    fn notify_budget(&mut self, pod: PodId, budgets: &[PdbId]) {
        let Some(first) = budgets.first() else { return };
        self.notify(Key::Disruption(*first));
        if budgets.len() == 1 || !self.said_of_budgets.is_news(self.now, pod) {
            return;
        }
        let Some(p) = self.store.pod(pod) else { return };
        let Some(chosen) = self.store.pdb(*first) else { return };
        let name = format!("{:?}/{:?}", &*p.namespace, &*p.name());
        let message = format!(
            "Pod {name} matches multiple PodDisruptionBudgets.  Chose {:?} arbitrarily.",
            &*chosen.name
        );
        let component = Key::Disruption(*first).source();
        let reason = "MultiplePodDisruptionBudgets";
        self.publish(component, Warning, reason, About::Pod(pod), message);
    }

    /// The garbage collector looks at an object.
    pub(super) fn collect(&mut self, item: Item) {
        self.tell_garbage_collector(item);
        self.notify(Key::GarbageCollector);
    }

    /// Something that a parent controlled is gone: one that waits for that is looked at.
    fn collect_parent(&mut self, parent: Option<Parent>) {
        let deployment = |id| self.store.deployment(id).is_some_and(|d| d.deletion.is_some());
        let cron_job = |id| self.store.cron_job(id).is_some_and(|j| j.meta.deletion.is_some());
        match parent {
            Some(Parent::Deployment(id)) if deployment(id) => self.collect(Item::Deployment(id)),
            Some(Parent::CronJob(id)) if cron_job(id) => self.collect(Item::CronJob(id)),
            _ => {}
        }
    }

    fn tell_parent(&mut self, parent: Option<Parent>) {
        match parent {
            Some(Parent::Deployment(id)) => self.notify(Key::Deployment(id)),
            Some(Parent::CronJob(id)) => self.notify(Key::CronJob(id)),
            None => {}
        }
    }

    /// A pod that nobody controls may be adopted: owners whose selectors match it look.
    fn may_adopt(&mut self, id: PodId) {
        let Some(pod) = self.store.pod(id).filter(|pod| pod.is_orphan()) else { return };
        let adopts = |owner: &Owner| {
            *owner.namespace() == pod.namespace && owner.selector().matches(&pod.labels)
        };
        let owners = self.store.owners().filter(|(_, owner)| adopts(owner));
        for owner in owners.map(|(id, _)| id).collect::<Vec<_>>() {
            self.notify_owner(owner);
        }
    }

    fn notify_workload(&mut self, workload: usize) {
        for index in 0..self.fronted_by[workload].len() {
            self.notify(Key::EndpointSlice(self.fronted_by[workload][index]));
        }
        for index in 0..self.scaled_by[workload].len() {
            let hpa = self.scaled_by[workload][index];
            self.hpa_inputs_changed(hpa);
        }
    }

    fn pod_bound(&mut self, id: PodId) {
        self.pod_changed(id);
        self.pod_volumes_changed(id);
        self.pod_shares_cores(id);
        self.tell_collectors(id);
        self.scheduler_sees(super::schedule::Notice::Pod(id));
        let node = self.store.pod(id).and_then(|pod| pod.node);
        self.plan_pod(self.seen_on(node), id, PodStep::Seen);
        self.notify(Key::TaintEviction);
        self.provisioners_look();
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
            self.notify_owner(owner);
            if self.store.owner(owner).is_some_and(|owner| owner.deletion().is_some()) {
                self.collect(Item::Owner(owner));
            }
        }
        self.claims_lose_pod(id, &pod);
        self.pod_leaves_volumes(id, &pod);
        self.notify_selectors(id, &pod);
        self.tell_collectors(id);
        self.provisioners_look();
        if pod.node.is_none() {
            self.waiting_pods(-1);
        } else if let Some(workload) = self.pods.get(id).and_then(|state| state.workload()) {
            self.cpu_requested[workload] = self.cpu_requested[workload] - self.requested_cpu(&pod);
        }
        self.settle_energy(id, &pod);
        self.charge_for_node(id, &pod);
        self.forget_charges(id);
        self.room_comes(pod.node);
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
            // A mirror may be younger than what it mirrors.
            running: known(state.first_running().max(pod.created)),
            ready: known(state.first_ready.max(pod.created)),
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
        self.gates_may_differ();
        self.register_drivers(id);
        self.node_volumes_changed(id);
        self.scheduler_sees(super::schedule::Notice::Node(id));
        self.tell_of_changed_node(id);
        self.notify(Key::NodeLifecycle);
        self.notify(Key::TaintEviction);
        self.provisioners_look();
    }
}
