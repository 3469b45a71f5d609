//! Any object that a person may apply, and how a person names one.

use super::autoscaling::Hpa;
use super::config::Config;
use super::ingress::Ingress;
use super::job::CronJob;
use super::limit_range::LimitRange;
use super::node_pool::NodePool;
use super::owner::Owner;
use super::pod::{Pod, PodSpec};
use super::policy::Pdb;
use super::quota::ResourceQuota;
use super::service::Service;
use super::storage::StorageObject;
use super::workload::Deployment;
use super::{ObjectName, Text};
use std::sync::Arc;

/// An object as a manifest describes it: its status is empty.
#[derive(Clone, PartialEq, Debug)]
pub enum Object {
    /// A Deployment.
    Deployment(Box<Deployment>),
    /// A ReplicaSet, ReplicationController, StatefulSet, DaemonSet or Job.
    Owner(Owner),
    /// A CronJob.
    CronJob(Box<CronJob>),
    /// A pod that nobody controls.
    Pod(Box<Pod>),
    /// A Service.
    Service(Box<Service>),
    /// An Ingress.
    Ingress(Box<Ingress>),
    /// A HorizontalPodAutoscaler and the name of its target.
    Hpa(Box<Hpa>, Text),
    /// A PodDisruptionBudget.
    Pdb(Box<Pdb>),
    /// A ResourceQuota.
    Quota(Box<ResourceQuota>),
    /// A volume, a claim, a storage class, or what a CSI driver tells.
    Storage(StorageObject),
    /// A LimitRange.
    LimitRange(Box<LimitRange>),
    /// A Secret or ConfigMap.
    Config(Box<Config>),
    /// A Namespace of this name.
    Namespace(Text),
    /// A NodePool.
    NodePool(Box<NodePool>),
}

/// How a person names an object.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// `kind`.
    pub kind: Text,
    /// Namespace and name.
    pub name: ObjectName,
}

impl Object {
    /// The specification of its pods, to be changed; `None`: it has none, or they are another's.
    pub fn pod_spec_mut(&mut self) -> Option<&mut Arc<PodSpec>> {
        match self {
            Object::Deployment(deployment) => Some(&mut deployment.template.spec),
            Object::Owner(owner) => Some(&mut owner.template_mut().spec),
            Object::Pod(pod) => Some(&mut pod.base_mut().spec),
            Object::CronJob(cron_job) => Some(&mut cron_job.spec.job.template.spec),
            Object::Service(_)
            | Object::Ingress(_)
            | Object::Hpa(..)
            | Object::Pdb(_)
            | Object::Quota(_)
            | Object::Storage(_)
            | Object::LimitRange(_)
            | Object::Config(_)
            | Object::Namespace(_)
            | Object::NodePool(_) => None,
        }
    }

    /// How a person names it.
    pub fn target(&self) -> Target {
        let (kind, namespace, name): (&str, &Text, Text) = match self {
            Object::Deployment(d) => ("Deployment", &d.namespace, d.name.clone()),
            Object::Owner(owner) => (owner.kind(), owner.namespace(), owner.name().clone()),
            Object::CronJob(job) => ("CronJob", &job.meta.namespace, job.meta.name.clone()),
            Object::Pod(pod) => ("Pod", &pod.namespace, pod.name()),
            Object::Service(service) => ("Service", &service.namespace, service.name.clone()),
            Object::Ingress(ingress) => ("Ingress", &ingress.namespace, ingress.name.clone()),
            Object::Hpa(hpa, _) => ("HorizontalPodAutoscaler", &hpa.namespace, hpa.name.clone()),
            Object::Pdb(pdb) => ("PodDisruptionBudget", &pdb.namespace, pdb.name.clone()),
            Object::Quota(quota) => ("ResourceQuota", &quota.namespace, quota.name.clone()),
            Object::Storage(object) => {
                let (kind, name) = (object.kind().into(), object.name());
                return Target { kind, name };
            }
            Object::LimitRange(range) => ("LimitRange", &range.namespace, range.name.clone()),
            Object::Config(config) => {
                (config.kind.as_str(), &config.meta.namespace, config.meta.name.clone())
            }
            Object::Namespace(name) => ("Namespace", name, name.clone()),
            Object::NodePool(pool) => {
                let name = ObjectName::new("", &pool.name);
                return Target { kind: "NodePool".into(), name };
            }
        };
        let name = ObjectName { namespace: namespace.clone(), name };
        Target { kind: kind.into(), name }
    }
}
