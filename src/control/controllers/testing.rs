//! A small API server for the controllers' tests: does what actions ask at once, keeps Events.

use super::action::{Action, NewName, NewPod, Outcome};
use super::garbagecollector::Item;
use super::statefulset::request::Request;
use crate::api::event::EventType;
use crate::api::labels::{Labels, Selector};
use crate::api::meta::{Meta, Propagation};
use crate::api::node::{Node, ZONE_LABEL};
use crate::api::owner::{Owner, Parent};
use crate::api::pod::{Container, IndexFailures, Pod, PodPhase, PodSpec};
use crate::api::policy::{Budget, Pdb, PdbStatus, UnhealthyPods};
use crate::api::resources::Resources;
use crate::api::stateful_set::{POD_NAME_LABEL, StatefulSet};
use crate::api::taint::{NOT_READY, Toleration, UNREACHABLE};
use crate::api::workload::{
    Deployment, IntOrPercent, PodTemplate, ReplicaSet, Strategy, WorkloadStatus,
};
use crate::api::{DeploymentId, NodeId, OwnerId, PdbId, PodId};
use crate::store::Store;
use crate::units::{Bytes, MilliCpu, SimDuration, SimTime};
use std::sync::Arc;

/// Seconds as an instant.
pub const fn at(seconds: u64) -> SimTime {
    SimTime::from_secs(seconds)
}

/// Seconds as a length.
pub const fn secs(seconds: u64) -> SimDuration {
    SimDuration::from_secs(seconds)
}

/// The store, the time, and what has been said.
#[derive(Debug)]
pub struct Bench {
    pub store: Store,
    pub now: SimTime,
    /// `reason: message` of every Event.
    pub events: Vec<String>,
}

impl Bench {
    pub fn new() -> Bench {
        Bench { store: Store::default(), now: at(1000), events: Vec::new() }
    }

    /// Events since the last call.
    pub fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.events)
    }

    /// A Ready node in a zone.
    pub fn node(&mut self, name: &str, zone: &str) -> NodeId {
        let node = Node {
            name: name.into(),
            labels: Labels::from([(ZONE_LABEL, zone)]),
            allocatable: Resources::of(MilliCpu(8000), Bytes::mebi(32 * 1024)).into(),
            max_pods: 110,
            created: self.now,
            ready_changed: self.now,
            ..Node::empty()
        };
        self.store.create_node(node)
    }

    /// A Deployment labelled `app=name` with the default rolling update.
    pub fn deployment(&mut self, name: &str, replicas: u32) -> DeploymentId {
        self.store.create_deployment(deployment(name, replicas, self.now))
    }

    /// A ReplicaSet of nobody, labelled `app=name`.
    pub fn replica_set(&mut self, name: &str, replicas: u32) -> OwnerId {
        self.replica_set_of(name, replicas, None)
    }

    /// Likewise, and its pods are changed so.
    pub fn replica_set_with(
        &mut self,
        name: &str,
        replicas: u32,
        change: impl FnOnce(&mut PodSpec),
    ) -> OwnerId {
        let set = self.replica_set(name, replicas);
        self.store.update_replica_set(set, |s| {
            let mut spec = (*s.template.spec).clone();
            change(&mut spec);
            s.template.spec = Arc::new(spec);
            true
        });
        set
    }

    /// A ReplicaSet shall have so many pods.
    pub fn scale(&mut self, set: OwnerId, replicas: u32) {
        self.store.update_replica_set(set, |s| {
            s.replicas = replicas;
            true
        });
    }

    pub fn replica_set_of(
        &mut self,
        name: &str,
        replicas: u32,
        owner: Option<DeploymentId>,
    ) -> OwnerId {
        let labels = Labels::from([("app", name)]);
        self.store.create_replica_set(ReplicaSet {
            name: name.into(),
            namespace: "default".into(),
            is_controller: false,
            owner,
            revision: 1,
            desired_replicas: replicas,
            max_replicas: replicas,
            replicas,
            selector: Selector::from_labels(&labels),
            template: template(name),
            min_ready: SimDuration::ZERO,
            generation: 1,
            created: self.now,
            status: WorkloadStatus::default(),
            conditions: Vec::new(),
            deletion: None,
        })
    }

    /// A StatefulSet labelled `app=name` with the API server's defaults.
    pub fn stateful_set(&mut self, name: &str, replicas: u32) -> OwnerId {
        let labels = Labels::from([("app", name)]);
        let meta = Meta {
            name: name.into(),
            namespace: "default".into(),
            generation: 1,
            created: self.now,
            ..Meta::default()
        };
        self.store.create_owner(Owner::StatefulSet(Box::new(StatefulSet {
            meta,
            replicas,
            selector: Selector::from_labels(&labels),
            template: template(name),
            ..StatefulSet::default()
        })))
    }

    /// A pod of a StatefulSet, of no revision and not bound.
    pub fn stateful_pod(&mut self, owner: OwnerId, ordinal: u32) -> PodId {
        let set = self.store.stateful_set(owner).unwrap();
        let (name, template) = (set.pod_name(ordinal), &set.template);
        let labels = template.labels.with(POD_NAME_LABEL, name.clone());
        let pod = bare_pod(&name, labels, template.spec.clone(), self.now);
        self.store.create_pod(pod.owned_by(owner))
    }

    /// A budget for pods labelled `app=web`.
    pub fn web_budget(&mut self, budget: Budget) -> PdbId {
        self.store.create_pdb(Pdb {
            name: "web".into(),
            namespace: "default".into(),
            selector: Selector::from_labels(&Labels::from([("app", "web")])),
            budget,
            unhealthy: UnhealthyPods::default(),
            generation: 1,
            status: PdbStatus::default(),
        })
    }

    /// A pod of a ReplicaSet, not bound.
    pub fn pod(&mut self, owner: OwnerId) -> PodId {
        let set = self.store.replica_set(owner).unwrap();
        let name = format!("{}-{}", set.name, self.store.next_pod_uid());
        let (labels, spec) = (set.template.labels.clone(), set.template.spec.clone());
        let pod = bare_pod(&name, labels, spec, self.now);
        self.store.create_pod(pod.owned_by(owner))
    }

    /// A pod of a ReplicaSet that runs and is ready on a node.
    pub fn ready_pod(&mut self, owner: OwnerId, node: NodeId) -> PodId {
        let pod = self.pod(owner);
        self.store.bind_pod(pod, node, self.now);
        self.run(pod);
        pod
    }

    /// Makes a pod Running and Ready now.
    pub fn run(&mut self, pod: PodId) {
        let now = self.now;
        self.store.update_pod(pod, |p| {
            (p.phase, p.ready, p.ready_changed, p.started) = (PodPhase::Running, true, now, now);
            true
        });
    }

    /// Does everything an outcome asks for, at once.
    pub fn apply(&mut self, outcome: &Outcome) {
        for action in outcome.batches.iter().flatten() {
            self.act(action.clone());
        }
        if let Some(rest) = &outcome.rest {
            self.apply(&rest(&self.store, None, self.now));
        }
    }

    fn act(&mut self, action: Action) {
        let now = self.now;
        match action {
            Action::Event { kind, reason, message, .. } => {
                let mark = if kind == EventType::Warning { "!" } else { "" };
                self.events.push(format!("{mark}{reason}: {message}"));
            }
            Action::CreatePod { owner } => {
                self.pod(owner);
            }
            Action::CreatePodAs { owner, pod } => {
                self.create_as(owner, *pod, IndexFailures::default());
            }
            Action::CreateIndexPod { owner, pod, failures } => {
                self.create_as(owner, *pod, failures);
            }
            Action::StatefulSet(request) => self.act_on_stateful(*request),
            Action::AdoptPod { pod, owner } => self.store.set_pod_owner(pod, Some(owner)),
            Action::ReleasePod { pod } => self.store.set_pod_owner(pod, None),
            Action::DeleteOwner { owner, propagation: Propagation::Background } => {
                self.store.remove_owner(owner);
            }
            Action::DeleteOwner { owner, propagation } => self.store.update_owner(owner, |o| {
                o.set_deletion(propagation);
                true
            }),
            Action::AdoptSet { set, deployment } => {
                self.store.set_parent(set, Some(Parent::Deployment(deployment)));
            }
            Action::ReleaseOwner { owner } => self.store.set_parent(owner, None),
            Action::RemoveFinalizer { item } => match item {
                Item::Owner(id) => self.store.remove_owner(id),
                Item::Deployment(id) => self.store.remove_deployment(id),
                Item::CronJob(id) => self.store.remove_cron_job(id),
                Item::Claim(_) => {}
                Item::Pod(id) => self.release(id),
            },
            Action::DeletePod { pod, grace, .. } | Action::EvictPod { pod, grace, .. } => {
                self.store.mark_pod_deleted(pod, now);
                let pod_stays = self.store.pod(pod).is_some_and(Pod::is_tracked);
                let unbound = self.store.pod(pod).is_some_and(|p| p.node.is_none());
                if (unbound || grace == Some(SimDuration::ZERO)) && !pod_stays {
                    self.store.remove_pod(pod);
                }
            }
            Action::MarkPodNotReady { pod } => self.store.set_pod_ready(pod, false, now),
            Action::NodeUnknown { node } => self.store.update_node(node, |n| {
                (n.ready, n.ready_changed) = (crate::api::node::NodeReady::Unknown, now);
                true
            }),
            Action::AddTaint { node, mut taint } => self.store.update_node(node, |n| {
                taint.added = now;
                n.taints.push(taint);
                true
            }),
            Action::RemoveTaint { node, key, effect } => self.store.update_node(node, |n| {
                n.taints.retain(|t| t.key != key || t.effect != effect);
                true
            }),
            other => self.act_on_workload(other),
        }
    }

    /// Removes a pod's finalizer, and the pod if only that kept it.
    fn release(&mut self, id: PodId) {
        self.store.update_pod(id, |p| std::mem::replace(&mut p.more_mut().is_tracked, false));
        let goes = |p: &Pod| p.deletion.is_some() && (p.node.is_none() || p.phase.is_terminal());
        if self.store.pod(id).is_some_and(goes) {
            self.store.remove_pod(id);
        }
    }

    fn create_as(&mut self, owner: OwnerId, new: NewPod, failures: IndexFailures) {
        let name = match new.name {
            NewName::Is(name) => name,
            NewName::Generated(base) => format!("{base}{}", self.store.next_pod_uid()).into(),
        };
        let created = (new.created)(owner, &name);
        let mut pod = bare_pod(&name, new.labels, new.spec, self.now).owned_by(owner);
        if new.is_tracked {
            let more = pod.more_mut();
            (more.is_tracked, more.index_failures) = (true, failures);
        }
        self.store.create_pod(pod);
        self.act(created);
    }

    fn act_on_stateful(&mut self, request: Request) {
        match request {
            Request::Status { set, status } => self.store.update_stateful_set(set, |s| {
                s.status = status;
                true
            }),
            Request::Revision { set, revision } => self.store.update_stateful_set(set, |s| {
                s.revisions.retain(|known| known.name != revision.name);
                s.revisions.push(revision);
                true
            }),
            Request::ForgetRevision { set, name } => self.store.update_stateful_set(set, |s| {
                s.revisions.retain(|revision| revision.name != name);
                true
            }),
            Request::Relabel { pod, labels } => self.store.relabel_pod(pod, labels),
            Request::CreateClaim(claim) => _ = self.store.create_claim(claim),
            Request::ClaimOwner { claim, owner } => self.store.update_claim(claim, |c| {
                c.owner = owner;
                true
            }),
            Request::DeleteClaim(claim) => self.store.remove_claim(claim),
        }
    }

    fn act_on_workload(&mut self, action: Action) {
        match action {
            Action::CreateJob { mut job } => {
                if let Some(Action::Event { reason, message, .. }) =
                    job.owner.map(|id| super::cronjob::created(id, &job.meta.name))
                {
                    self.events.push(format!("{reason}: {message}"));
                }
                job.meta.created = self.now;
                self.store.create_owner(Owner::Job(job));
            }
            Action::JobStatus { job, status } => self.store.update_job(job, |j| {
                j.status = *status;
                true
            }),
            Action::CronJobStatus { cron_job, status } => {
                self.store.update_cron_job(cron_job, |j| {
                    j.status = *status;
                    true
                });
            }
            Action::CreateReplicaSet { mut set } => {
                set.created = self.now;
                self.store.create_replica_set(*set);
            }
            Action::ScaleReplicaSet { set, replicas, desired, max } => {
                self.store.update_replica_set(set, |s| {
                    s.generation += u64::from(s.replicas != replicas);
                    (s.replicas, s.desired_replicas, s.max_replicas) = (replicas, desired, max);
                    true
                });
            }
            Action::SetRevision { set, revision, min_ready } => {
                self.store.update_replica_set(set, |s| {
                    (s.revision, s.min_ready) = (revision, min_ready);
                    true
                });
            }
            Action::DeleteReplicaSet { set } => self.store.remove_owner(set),
            Action::ReplicaSetStatus { set, status, conditions } => {
                self.store.update_replica_set(set, |s| {
                    (s.status, s.conditions) = (status, conditions);
                    true
                });
            }
            Action::QuotaStatus { quota, known, used, basis } => {
                self.store.count_quota(quota, known, used, basis);
            }
            Action::DaemonSetRevision { set, revision } => {
                self.store.update_daemon_set(set, |s| s.keep_revision(revision));
            }
            Action::DropDaemonSetRevision { set, hash } => {
                self.store.update_daemon_set(set, |s| s.drop_revision(&hash));
            }
            Action::DaemonSetStatus { set, status } => self.store.update_daemon_set(set, |s| {
                s.status = status;
                true
            }),
            Action::DeploymentStatus { deployment, status, conditions, revision } => {
                self.store.update_deployment(deployment, |d| {
                    (d.status, d.conditions, d.revision) = (status, conditions, revision);
                    true
                });
            }
            Action::Scale { target, replicas } => {
                self.store.set_scale(target, replicas);
            }
            Action::HpaStatus { hpa, current, desired } => {
                self.store.set_hpa_status(hpa, current, desired);
            }
            Action::Endpoints { service, comes, goes } => {
                self.store.change_endpoints(service, &comes, &goes);
            }
            Action::PdbStatus { pdb, status } => self.store.update_pdb(pdb, |p| {
                p.status = status;
                true
            }),
            other => panic!("{other:?} is not for this API server"),
        }
    }
}

/// A pod as it is created.
pub fn bare_pod(name: &str, labels: Labels, spec: Arc<PodSpec>, now: SimTime) -> Pod {
    Pod::pending("default".into(), name.into(), labels, spec, now)
}

/// A template labelled `app=name`: 1 CPU, 1 GiB, the admission plugins' default tolerations.
pub fn template(name: &str) -> PodTemplate {
    let requests = Resources::of(MilliCpu(1000), Bytes::mebi(1024));
    let container = Container { name: "c".into(), requests, ..Container::default() };
    let spec = PodSpec {
        containers: vec![container],
        tolerations: vec![
            Toleration::default_seconds(NOT_READY),
            Toleration::default_seconds(UNREACHABLE),
        ],
        termination_grace: secs(30),
        ..PodSpec::default()
    };
    PodTemplate {
        labels: Labels::from([("app", name)]),
        spec: Arc::new(spec),
        hash: "v1".into(),
        ..PodTemplate::default()
    }
}

/// A Deployment labelled `app=name` with 25 % surge and unavailability.
pub fn deployment(name: &str, replicas: u32, now: SimTime) -> Deployment {
    let labels = Labels::from([("app", name)]);
    Deployment {
        name: name.into(),
        namespace: "default".into(),
        labels: labels.clone(),
        replicas,
        selector: Selector::from_labels(&labels),
        template: template(name),
        strategy: Strategy::RollingUpdate {
            max_surge: IntOrPercent::Percent(25),
            max_unavailable: IntOrPercent::Percent(25),
        },
        min_ready: SimDuration::ZERO,
        paused: false,
        revision_history_limit: 10,
        progress_deadline: secs(600),
        generation: 1,
        created: now,
        revision: 0,
        status: WorkloadStatus::default(),
        conditions: Vec::new(),
        deletion: None,
    }
}
