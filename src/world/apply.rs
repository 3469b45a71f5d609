//! The one place where requests become changes: the API server's side of every [`Action`].
//!
//! References may be stale by the time a request arrives; then it is refused, as by the real API
//! server, and the controller looks again. It knows no controller's reasons.

use super::controllers::Key;
use super::correlator::Passed;
use super::world::World;
use crate::api::event::EventType;
use crate::api::namespace::NamespacePhase;
use crate::api::node::NodeReady;
use crate::api::owner::Parent;
use crate::api::pod::{IndexFailures, NameSuffix};
use crate::api::workload::{Condition, ReplicaSet, WorkloadStatus};
use crate::api::{DeploymentId, NodeId, PodId, ServiceId};
use crate::control::controllers::Action;
use crate::control::controllers::action::About;
use crate::control::controllers::disruption;
use crate::units::SimDuration;

/// Characters of generated names (apimachinery `util/rand`): no vowels, nothing that looks alike.
const SAFE: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
/// 27^5: how many suffixes of five characters there are.
const SUFFIXES: u64 = 14_348_907;

/// Whether a name may be one that was generated: it ends as those do.
pub(super) fn is_like_generated(name: &str) -> bool {
    let end = name.as_bytes().last_chunk::<5>();
    end.is_some_and(|end| end.iter().all(|byte| SAFE.contains(byte)))
}

impl World<'_> {
    /// Does what a request asks; false when it is refused.
    pub(super) fn apply(&mut self, key: Key, action: Action) -> bool {
        match action {
            Action::CreatePod { owner } => match self.create_pod(owner) {
                None => false,
                Some(Ok(pod)) => {
                    self.tell_of_creation(key, owner, pod);
                    true
                }
                Some(Err(refused)) => self.refuse_pod(key, owner, refused),
            },
            Action::DeletePod { pod, grace, reason } => {
                if reason == "TaintManager" {
                    self.eviction_begins(pod);
                }
                self.delete_pod(pod, grace, reason)
            }
            Action::EvictPod { pod, grace, reason } => self.evict_pod(pod, grace, reason),
            Action::ResizePod { pod, spec } => self.ask_for_resize(pod, spec),
            Action::MarkPodNotReady { pod } => {
                self.store.set_pod_ready(pod, false, self.now);
                true
            }
            Action::NodeUnknown { node } => self.node_unknown(node),
            Action::AddTaint { node, mut taint } => {
                taint.added = self.now;
                self.store.update_node(node, |n| {
                    let new = !n.has_taint(&taint.key, taint.effect);
                    if new {
                        n.taints.push(taint);
                    }
                    new
                });
                true
            }
            Action::RemoveTaint { node, key, effect } => {
                self.store.update_node(node, |n| {
                    let before = n.taints.len();
                    n.taints.retain(|t| t.key != key || t.effect != effect);
                    n.taints.len() != before
                });
                true
            }
            Action::DeleteNode { node } => self.delete_node(node),
            Action::IncreaseGroup { group, delta } => self.create_machines(group, delta),
            Action::DecreaseTarget { group, delta } => {
                self.cancel_machines(group, delta);
                true
            }
            Action::DeleteMachine { node } => self.delete_machine_of(node),
            Action::LaunchMachine(launch) => self.launch_machine(*launch),
            Action::CancelMachine { claim } => self.cancel_machine(claim),
            event @ Action::Event { .. } => {
                self.publish_action(key.source(), event);
                true
            }
            other => self.apply_to_owner(key, other),
        }
    }

    /// Requests about what controls pods, and about whose pods they are.
    fn apply_to_owner(&mut self, key: Key, action: Action) -> bool {
        match action {
            Action::StatefulSet(request) => self.apply_stateful(*request),
            Action::Volume(request) => self.apply_volume(*request),
            Action::CreatePodAs { owner, pod } => {
                self.create_pod_as(key, owner, *pod, IndexFailures::default())
            }
            Action::CreateIndexPod { owner, pod, failures } => {
                self.create_pod_as(key, owner, *pod, failures)
            }
            Action::CreateJob { job } => self.create_job(key, *job),
            Action::JobStatus { job, status } => self.write_job_status(job, *status),
            Action::CronJobStatus { cron_job, status } => {
                self.write_cron_job_status(cron_job, *status)
            }
            Action::AdoptPod { pod, owner } => self.adopt_pod(pod, owner),
            Action::ReleasePod { pod } => {
                self.store.set_pod_owner(pod, None);
                true
            }
            Action::DeleteOwner { owner, propagation } => {
                self.delete_owner(owner, propagation);
                true
            }
            Action::AdoptSet { set, deployment } => {
                self.store.set_parent(set, Some(Parent::Deployment(deployment)));
                true
            }
            Action::ReleaseOwner { owner } => {
                self.store.set_parent(owner, None);
                true
            }
            Action::RemoveFinalizer { item } => {
                self.remove_finalizer(item);
                true
            }
            Action::QuotaStatus { quota, known, used, basis } => {
                self.store.count_quota(quota, known, used, basis)
            }
            Action::DeleteAll { namespace, kind } => {
                self.delete_all(&namespace, kind);
                true
            }
            Action::NamespaceStatus { namespace, fails } => {
                self.store.set_content_failure(namespace, fails);
                true
            }
            Action::FinalizeNamespace { namespace } => {
                self.store.remove_configs_of(&namespace);
                self.store.set_namespace(&namespace, NamespacePhase::Gone);
                true
            }
            Action::DaemonSetRevision { set, revision } => {
                self.store.update_daemon_set(set, |s| s.keep_revision(revision));
                true
            }
            Action::DropDaemonSetRevision { set, hash } => {
                self.store.update_daemon_set(set, |s| s.drop_revision(&hash));
                true
            }
            Action::DaemonSetStatus { set, status } => {
                self.store
                    .update_daemon_set(set, |s| std::mem::replace(&mut s.status, status) != status);
                true
            }
            other => self.apply_workload(other),
        }
    }

    /// Requests about workloads, services, autoscalers and budgets.
    fn apply_workload(&mut self, action: Action) -> bool {
        match action {
            Action::CreateReplicaSet { set } => return self.create_set(*set),
            Action::ScaleReplicaSet { set, replicas, desired, max } => {
                self.store.update_replica_set(set, |s| {
                    let before = (s.replicas, s.desired_replicas, s.max_replicas);
                    s.generation += u64::from(s.replicas != replicas);
                    (s.replicas, s.desired_replicas, s.max_replicas) = (replicas, desired, max);
                    before != (replicas, desired, max)
                });
            }
            Action::SetRevision { set, revision, min_ready } => {
                self.store.update_replica_set(set, |s| {
                    let before = (s.revision, s.min_ready);
                    s.generation += u64::from(s.min_ready != min_ready);
                    (s.revision, s.min_ready) = (revision, min_ready);
                    before != (revision, min_ready)
                });
            }
            Action::DeleteReplicaSet { set } => {
                if !self.store.pods_of(set).is_empty() {
                    return false;
                }
                self.store.remove_owner(set);
            }
            Action::ReplicaSetStatus { set, status, conditions } => {
                self.store.update_replica_set(set, |s| {
                    let changes = (s.status, &s.conditions) != (status, &conditions);
                    (s.status, s.conditions) = (status, conditions);
                    changes
                });
            }
            Action::DeploymentStatus { deployment, status, conditions, revision } => {
                self.write_status_of(deployment, status, conditions, revision);
            }
            Action::Scale { target, replicas } => self.store.set_scale(target, replicas),
            Action::HpaStatus { hpa, current, desired } => {
                self.store.set_hpa_status(hpa, current, desired);
            }
            Action::VpaStatus { vpa, status } => self.store.set_vpa_status(vpa, *status),
            Action::Endpoints { service, comes, goes } => {
                self.change_endpoints(service, comes, goes);
            }
            Action::PdbStatus { pdb, status } => {
                self.store.update_pdb(pdb, |p| {
                    let changes = p.status != status;
                    p.status = status;
                    changes
                });
            }
            other => unreachable!("{other:?} is handled by apply"),
        }
        true
    }

    fn create_set(&mut self, set: ReplicaSet) -> bool {
        if let Err(refusal) = self.admit_object("ReplicaSet", &set.namespace, &set.name) {
            self.refused = Some(refusal);
            return false;
        }
        self.store.create_replica_set(ReplicaSet { created: self.now, ..set });
        true
    }

    fn write_status_of(
        &mut self,
        deployment: DeploymentId,
        status: WorkloadStatus,
        conditions: Vec<Condition>,
        revision: u64,
    ) {
        self.store.update_deployment(deployment, |d| {
            let before = (d.status, &d.conditions, d.revision);
            let changes = before != (status, &conditions, revision);
            (d.status, d.conditions, d.revision) = (status, conditions, revision);
            changes
        });
    }

    /// Writes endpoints, and notes for the kube-proxies which they were.
    fn change_endpoints(&mut self, service: ServiceId, comes: Vec<PodId>, goes: Vec<PodId>) {
        self.store.change_endpoints(service, &comes, &goes);
        let pods = comes.into_iter().chain(goes);
        if self.store.service(service).is_some_and(|service| service.headless) {
            self.names_changed(service, pods.collect());
        } else {
            self.proxies.note(service, pods);
        }
    }

    /// Five characters that no other pod of this run has: a permutation of the numbers below 27^5,
    /// shifted by the seed.
    pub(super) fn name_suffix(&self) -> NameSuffix {
        self.suffix_of(self.store.next_pod_uid() + self.refused_pods)
    }

    /// Five characters for a number, and for no other one.
    pub(super) fn suffix_of(&self, drawn: u64) -> NameSuffix {
        // 5^9 is prime to 27, so the map is one to one.
        let mut n = (drawn * 1_953_125 + self.name_shift) % SUFFIXES;
        let mut suffix = String::with_capacity(5);
        for _ in 0..5 {
            suffix.push(char::from(SAFE[(n % 27) as usize]));
            n /= 27;
        }
        NameSuffix::new(&suffix).unwrap_or_default()
    }

    /// Marks a pod for deletion; one that no kubelet has is gone at once, as upstream sets its
    /// grace period to zero.
    pub(super) fn delete_pod(
        &mut self,
        pod: PodId,
        grace: Option<SimDuration>,
        reason: &'static str,
    ) -> bool {
        let Some(p) = self.store.pod(pod) else { return false };
        let unbound = p.node.is_none();
        // Its kubelet makes a mirror anew at once: it has no time to be gone.
        let is_renewed = p.spec.is_mirror && p.node.is_some_and(|node| self.sees_pods(node));
        let force = grace == Some(SimDuration::ZERO);
        if let Some(state) = self.pods.get_mut(pod).filter(|state| state.end_reason().is_empty()) {
            let trouble = state.trouble.get_or_insert_default();
            (trouble.end_reason, trouble.grace) = (reason, grace);
            let evicted =
                ["TaintManager", "Preempted", "PodGC", "Drained", "EvictedByVPA"].contains(&reason);
            self.recorder.totals.pods_evicted += u64::from(evicted);
        }
        let stays = p.is_tracked();
        if stays {
            self.note_disruption(pod, reason, force);
        }
        self.store.mark_pod_deleted(pod, self.now);
        if (unbound || force) && !stays && !is_renewed {
            return self.store.remove_pod(pod);
        }
        true
    }

    /// The eviction API: as a deletion, if every budget allows it.
    pub(super) fn evict_pod(
        &mut self,
        pod: PodId,
        grace: Option<SimDuration>,
        reason: &'static str,
    ) -> bool {
        let answer = disruption::may_evict(&self.store, pod);
        if let (Some(audience), Some(p)) = (&mut self.audience, self.store.pod(pod)) {
            audience.answers_eviction(p, answer.as_ref().err());
        }
        let charged = match answer {
            Ok(charged) => charged,
            Err(refusal) => {
                self.refused = Some(refusal);
                return false;
            }
        };
        if let Some(pdb) = charged {
            // Taken before the pod is marked, so that two evictions can't share one allowance.
            self.store.update_pdb(pdb, |p| {
                let allowed = &mut p.status.disruptions_allowed;
                let taken = *allowed > 0;
                *allowed = allowed.saturating_sub(1);
                taken
            });
        }
        self.delete_pod(pod, grace, reason)
    }

    fn node_unknown(&mut self, node: NodeId) -> bool {
        let now = self.now;
        self.store.update_node(node, |n| {
            let changed = n.ready != NodeReady::Unknown;
            (n.ready, n.ready_changed) = (NodeReady::Unknown, now);
            changed
        });
        self.node_lost(node);
        true
    }

    pub(super) fn delete_node(&mut self, node: NodeId) -> bool {
        let Some(machine) = self.nodes.get(node).map(|state| state.machine) else { return false };
        self.delete_machine_of(node) || self.cloud.machines.contains_key(machine)
    }

    pub(super) fn publish_action(&mut self, component: &'static str, event: Action) -> bool {
        match event {
            Action::Event { kind, reason, about, message } => {
                self.publish(component, kind, reason, about, message)
            }
            _ => false,
        }
    }

    /// Publishes an Event, if the component's recorder lets it through.
    pub(super) fn publish(
        &mut self,
        component: &'static str,
        kind: EventType,
        reason: &'static str,
        about: About,
        message: String,
    ) -> bool {
        let time = self.now;
        let Some((object_kind, namespace, name)) = self.name_of(about) else { return false };
        if let (About::Node(node), "RemovingNode") = (about, reason) {
            self.gone_nodes.remove(&node);
        }
        let passed = match self.queues.correlator(component) {
            Some(correlator) => correlator.correlate((about, kind, reason), message, time),
            None => Some(Passed { message, again: false, times: 1 }),
        };
        let Some(Passed { message, again, times }) = passed else { return false };
        // Nobody is told that a namespace at its end takes no new Events.
        if !again && !self.is_namespace_there(&namespace) {
            return true;
        }
        if component != "kubelet" {
            self.occupy();
        }
        let row = crate::record::rows::EventRow {
            time,
            kind,
            reason,
            object_kind,
            namespace,
            name,
            component,
            message,
            times,
        };
        if self.outages.is_down() {
            self.outages.keep_event(row);
            return true;
        }
        self.log_event(&row);
        self.recorder.event(&row);
        true
    }
}
