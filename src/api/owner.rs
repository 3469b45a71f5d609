//! What controls pods: one type for all, so that a pod's owner is one id.

use super::daemon_set::DaemonSet;
use super::job::Job;
use super::labels::{Labels, Selector};
use super::meta::Propagation;
use super::stateful_set::StatefulSet;
use super::workload::{PodTemplate, ReplicaSet};
use super::{CronJobId, DeploymentId, Text};
use crate::units::SimTime;

/// An object that controls pods.
#[derive(Clone, PartialEq, Debug)]
pub enum Owner {
    /// A ReplicaSet or a ReplicationController.
    ReplicaSet(Box<ReplicaSet>),
    /// A StatefulSet.
    StatefulSet(Box<StatefulSet>),
    /// A DaemonSet.
    DaemonSet(Box<DaemonSet>),
    /// A Job.
    Job(Box<Job>),
}

/// What controls an owner.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Parent {
    /// A Deployment, of a ReplicaSet.
    Deployment(DeploymentId),
    /// A CronJob, of a Job.
    CronJob(CronJobId),
}

impl Owner {
    /// `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Owner::ReplicaSet(set) if set.is_controller => "ReplicationController",
            Owner::ReplicaSet(_) => "ReplicaSet",
            Owner::StatefulSet(_) => "StatefulSet",
            Owner::DaemonSet(_) => "DaemonSet",
            Owner::Job(_) => "Job",
        }
    }

    /// `metadata.name`.
    pub fn name(&self) -> &Text {
        match self {
            Owner::ReplicaSet(set) => &set.name,
            Owner::StatefulSet(set) => &set.meta.name,
            Owner::DaemonSet(set) => &set.meta.name,
            Owner::Job(job) => &job.meta.name,
        }
    }

    /// `metadata.namespace`.
    pub fn namespace(&self) -> &Text {
        match self {
            Owner::ReplicaSet(set) => &set.namespace,
            Owner::StatefulSet(set) => &set.meta.namespace,
            Owner::DaemonSet(set) => &set.meta.namespace,
            Owner::Job(job) => &job.meta.namespace,
        }
    }

    /// `metadata.labels`; of a ReplicaSet, which keeps none, those of its template.
    pub fn labels(&self) -> &Labels {
        match self {
            Owner::ReplicaSet(set) => &set.template.labels,
            Owner::StatefulSet(set) => &set.meta.labels,
            Owner::DaemonSet(set) => &set.meta.labels,
            Owner::Job(job) => &job.meta.labels,
        }
    }

    /// `spec.selector`.
    pub fn selector(&self) -> &Selector {
        match self {
            Owner::ReplicaSet(set) => &set.selector,
            Owner::StatefulSet(set) => &set.selector,
            Owner::DaemonSet(set) => &set.selector,
            Owner::Job(job) => &job.selector,
        }
    }

    /// `spec.template`.
    pub fn template(&self) -> &PodTemplate {
        match self {
            Owner::ReplicaSet(set) => &set.template,
            Owner::StatefulSet(set) => &set.template,
            Owner::DaemonSet(set) => &set.template,
            Owner::Job(job) => &job.template,
        }
    }

    /// `spec.template`, to be changed.
    pub fn template_mut(&mut self) -> &mut PodTemplate {
        match self {
            Owner::ReplicaSet(set) => &mut set.template,
            Owner::StatefulSet(set) => &mut set.template,
            Owner::DaemonSet(set) => &mut set.template,
            Owner::Job(job) => &mut job.template,
        }
    }

    /// What controls it.
    pub fn parent(&self) -> Option<Parent> {
        match self {
            Owner::ReplicaSet(set) => set.owner.map(Parent::Deployment),
            Owner::Job(job) => job.owner.map(Parent::CronJob),
            Owner::StatefulSet(_) | Owner::DaemonSet(_) => None,
        }
    }

    /// `metadata.generation`.
    pub fn generation(&self) -> u64 {
        match self {
            Owner::ReplicaSet(set) => set.generation,
            Owner::StatefulSet(set) => set.meta.generation,
            Owner::DaemonSet(set) => set.meta.generation,
            Owner::Job(job) => job.meta.generation,
        }
    }

    /// Its specification has changed, if `changes`.
    pub fn raise_generation(&mut self, changes: bool) {
        let generation = match self {
            Owner::ReplicaSet(set) => &mut set.generation,
            Owner::StatefulSet(set) => &mut set.meta.generation,
            Owner::DaemonSet(set) => &mut set.meta.generation,
            Owner::Job(job) => &mut job.meta.generation,
        };
        *generation += u64::from(changes);
    }

    /// `spec.replicas` of what can be scaled.
    pub fn replicas(&self) -> Option<u32> {
        match self {
            Owner::ReplicaSet(set) => Some(set.replicas),
            Owner::StatefulSet(set) => Some(set.replicas),
            Owner::DaemonSet(_) | Owner::Job(_) => None,
        }
    }

    /// `status.replicas` of what can be scaled.
    pub fn counted(&self) -> u32 {
        match self {
            Owner::ReplicaSet(set) => set.status.replicas,
            Owner::StatefulSet(set) => set.status.replicas,
            Owner::DaemonSet(_) | Owner::Job(_) => 0,
        }
    }

    /// Sets `spec.replicas` of what can be scaled and raises the generation when that is a change
    /// (`/scale`); tells whether it is.
    pub fn scale(&mut self, replicas: u32) -> bool {
        let wanted = match self {
            Owner::ReplicaSet(set) => &mut set.replicas,
            Owner::StatefulSet(set) => &mut set.replicas,
            Owner::DaemonSet(_) | Owner::Job(_) => return false,
        };
        let changes = std::mem::replace(wanted, replicas) != replicas;
        self.raise_generation(changes);
        changes
    }

    /// When it was created.
    pub fn created(&self) -> SimTime {
        match self {
            Owner::ReplicaSet(set) => set.created,
            Owner::StatefulSet(set) => set.meta.created,
            Owner::DaemonSet(set) => set.meta.created,
            Owner::Job(job) => job.meta.created,
        }
    }

    /// It is being deleted, and its dependents first are dealt with so.
    pub fn deletion(&self) -> Option<Propagation> {
        match self {
            Owner::ReplicaSet(set) => set.deletion,
            Owner::StatefulSet(set) => set.meta.deletion,
            Owner::DaemonSet(set) => set.meta.deletion,
            Owner::Job(job) => job.meta.deletion,
        }
    }

    /// Marks it for deletion.
    pub fn set_deletion(&mut self, propagation: Propagation) {
        let mark = match self {
            Owner::ReplicaSet(set) => &mut set.deletion,
            Owner::StatefulSet(set) => &mut set.meta.deletion,
            Owner::DaemonSet(set) => &mut set.meta.deletion,
            Owner::Job(job) => &mut job.meta.deletion,
        };
        *mark = Some(propagation);
    }
}
