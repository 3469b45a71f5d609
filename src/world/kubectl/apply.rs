//! `kubectl apply`: an object is created, or changed to what it shall be.

use super::keep_parent;
use crate::api::ObjectName;
use crate::api::autoscaling::{Hpa, ScaleTarget};
use crate::api::config::ConfigKind;
use crate::api::ingress::Ingress;
use crate::api::object::{Object, Target};
use crate::api::owner::Owner;
use crate::api::policy::Pdb;
use crate::api::quota::ResourceQuota;
use crate::api::refusal::Refusal;
use crate::api::service::Service;
use crate::api::storage::StorageObject;
use crate::api::workload::{Deployment, ReplicaSet};
use crate::world::world::World;

impl World<'_> {
    /// Applies an object; `keeps_replicas`: its `spec.replicas` stays as it is.
    pub(in crate::world) fn apply_object(
        &mut self,
        object: &Object,
        keeps_replicas: bool,
    ) -> Result<(), Refusal> {
        let Target { kind, name } = object.target();
        let is_new = !self.exists(&kind, &name);
        // Pods go their own way.
        let is_in_namespace = !name.namespace.is_empty();
        let is_plain = !matches!(object, Object::Pod(_) | Object::Namespace(_));
        if is_new && is_plain && is_in_namespace {
            match object {
                Object::Storage(StorageObject::Claim(claim)) => {
                    self.admit_claim(&name, Some(claim))?;
                }
                _ => self.admit_object(&kind, &name.namespace, &name.name)?,
            }
        }
        match object {
            Object::Deployment(given) => self.apply_deployment(given, keeps_replicas),
            Object::Owner(given) => self.apply_owner(given, keeps_replicas),
            Object::CronJob(given) => {
                let (given, now) = (&**given, self.now);
                match self.cron_job_named(&name) {
                    None => {
                        let mut job = given.clone();
                        job.meta.created = now;
                        self.store.create_cron_job(job);
                    }
                    Some(id) => self.store.update_cron_job(id, |job| job.apply(given)),
                }
            }
            Object::Pod(pod) if is_new => return self.create_bare_pod(pod),
            Object::Pod(_) => {}
            Object::Service(given) => self.apply_service(given),
            Object::Ingress(given) => {
                self.store.put_ingress(Ingress { created: self.now, ..(**given).clone() });
            }
            Object::Hpa(given, target) => {
                let target = ObjectName::new(&given.namespace, target);
                self.apply_hpa(given, &target);
            }
            Object::Pdb(given) => self.apply_pdb(given),
            Object::Quota(given) => self.apply_quota(given),
            Object::LimitRange(given) => {
                self.store.put_limit_range((**given).clone());
                self.defaulted.forget();
            }
            Object::Config(given) => {
                let mut config = (**given).clone();
                config.meta.created = self.now;
                self.store.put_config(config);
            }
            Object::Namespace(name) => return self.apply_namespace(name),
            Object::NodePool(pool) => self.pool_changes(pool),
            Object::Storage(given) => return self.apply_storage(given),
        }
        Ok(())
    }

    /// Whether there is an object of a kind and name.
    fn exists(&self, kind: &str, name: &ObjectName) -> bool {
        match kind {
            "Pod" => self.pod_named(name).is_some(),
            "Deployment" => self.deployment_named(name).is_some(),
            "CronJob" => self.cron_job_named(name).is_some(),
            "Service" => self.service_named(name).is_some(),
            "Ingress" => self.ingress_named(name).is_some(),
            "PodDisruptionBudget" => self.pdb_named(name).is_some(),
            "HorizontalPodAutoscaler" => self.hpa_named(name).is_some(),
            "ResourceQuota" => self.quota_named(name).is_some(),
            "LimitRange" => self.limit_range_named(name).is_some(),
            "PersistentVolumeClaim" => self.store.claim_named(name).is_some(),
            kind => match ConfigKind::named(kind) {
                Some(kind) => self.store.config(kind, &name.namespace, &name.name).is_some(),
                None => self.owner_named(kind, name).is_some(),
            },
        }
    }

    fn apply_quota(&mut self, given: &ResourceQuota) {
        let name = ObjectName { namespace: given.namespace.clone(), name: given.name.clone() };
        let Some(id) = self.quota_named(&name) else {
            self.store.create_quota(given.clone());
            return;
        };
        self.store.update_quota(id, |quota| {
            let changes = (&quota.hard, &quota.scopes) != (&given.hard, &given.scopes);
            (quota.hard, quota.scopes) = (given.hard.clone(), given.scopes.clone());
            changes
        });
    }

    /// Applies a Deployment that may be one of the scenario's.
    pub(in crate::world) fn apply_deployment(&mut self, given: &Deployment, keeps_replicas: bool) {
        let name = ObjectName { namespace: given.namespace.clone(), name: given.name.clone() };
        let Some(id) = self.deployment_named(&name) else {
            let deployment = Deployment { created: self.now, ..given.clone() };
            let id = self.store.create_deployment(deployment);
            // One of the scenario's that is back bears its load again.
            let mut all = self.scenario.objects.deployments.iter();
            let same = |d: &Deployment| d.name == name.name && d.namespace == name.namespace;
            if let Some(index) = all.position(same) {
                self.workload_of.insert(id, index);
                self.deployments[index] = id;
                for hpa in &self.scaled_by[index] {
                    self.store.retarget_hpa(*hpa, ScaleTarget::Deployment(id));
                }
            }
            return;
        };
        self.store.update_deployment(id, |deployment| {
            let before = deployment.clone();
            *deployment = Deployment {
                created: before.created,
                generation: before.generation,
                revision: before.revision,
                status: before.status,
                conditions: before.conditions.clone(),
                deletion: before.deletion,
                // Only a change of the specification raises the generation: labels come after it.
                labels: before.labels.clone(),
                replicas: if keeps_replicas { before.replicas } else { given.replicas },
                ..given.clone()
            };
            deployment.generation += u64::from(*deployment != before);
            deployment.labels = given.labels.clone();
            *deployment != before
        });
    }

    fn apply_owner(&mut self, given: &Owner, keeps_replicas: bool) {
        let name = ObjectName { namespace: given.namespace().clone(), name: given.name().clone() };
        let Some(id) = self.owner_named(given.kind(), &name) else {
            let mut owner = given.clone();
            match &mut owner {
                Owner::ReplicaSet(set) => set.created = self.now,
                Owner::StatefulSet(set) => set.meta.created = self.now,
                Owner::DaemonSet(set) => set.meta.created = self.now,
                Owner::Job(job) => self.admit_job(job),
            }
            let id = self.store.create_owner(owner);
            self.owner_bears(id);
            return;
        };
        self.store.update_owner(id, |owner| {
            let parent = owner.parent();
            let changes = match (&mut *owner, given) {
                (Owner::ReplicaSet(set), Owner::ReplicaSet(given)) => {
                    apply_set(set, given, keeps_replicas)
                }
                (Owner::StatefulSet(set), Owner::StatefulSet(given)) => {
                    set.apply(given, keeps_replicas)
                }
                (Owner::DaemonSet(set), Owner::DaemonSet(given)) => set.apply(given),
                (Owner::Job(job), Owner::Job(given)) => job.apply(given),
                _ => false,
            };
            keep_parent(owner, parent);
            changes
        });
    }

    fn apply_service(&mut self, given: &Service) {
        let name = ObjectName { namespace: given.namespace.clone(), name: given.name.clone() };
        let Some(id) = self.service_named(&name) else {
            self.tell_scheduler_of_service(given);
            let service = self.with_node_ports(given.clone());
            self.store.create_service(service);
            return;
        };
        let Some(mut wanted) = self.store.service(id).cloned() else { return };
        wanted.apply(given);
        let wanted = self.with_node_ports(wanted);
        self.store.update_service(id, |service| {
            let changes = *service != wanted;
            *service = wanted;
            changes
        });
    }

    fn apply_hpa(&mut self, given: &Hpa, target: &ObjectName) {
        let name_of_target = target.name.clone();
        let target = self.scale_target(given.target_kind, target);
        let name = ObjectName { namespace: given.namespace.clone(), name: given.name.clone() };
        let Some(id) = self.hpa_named(&name) else {
            let target_name = name_of_target;
            self.store.create_hpa(Hpa { target, target_name, created: self.now, ..given.clone() });
            return;
        };
        self.store.update_hpa(id, |hpa| {
            let before = hpa.clone();
            *hpa = Hpa {
                target,
                target_name: name_of_target,
                created: before.created,
                current_replicas: before.current_replicas,
                desired_replicas: before.desired_replicas,
                conditions: before.conditions.clone(),
                ..given.clone()
            };
            *hpa != before
        });
    }

    /// What an autoscaler's reference means at present.
    fn scale_target(&self, kind: &str, name: &ObjectName) -> ScaleTarget {
        match kind {
            "Deployment" => {
                ScaleTarget::Deployment(self.deployment_named(name).unwrap_or_default())
            }
            kind => ScaleTarget::Owner(self.owner_named(kind, name).unwrap_or_default()),
        }
    }

    fn apply_pdb(&mut self, given: &Pdb) {
        let name = ObjectName { namespace: given.namespace.clone(), name: given.name.clone() };
        let Some(id) = self.pdb_named(&name) else {
            self.store.create_pdb(given.clone());
            return;
        };
        self.store.update_pdb(id, |pdb| {
            let spec = |p: &Pdb| (p.selector.clone(), p.budget, p.unhealthy);
            let changes = spec(pdb) != spec(given);
            (pdb.selector, pdb.budget, pdb.unhealthy) = spec(given);
            pdb.generation += u64::from(changes);
            changes
        });
    }
}

fn apply_set(set: &mut ReplicaSet, given: &ReplicaSet, keeps_replicas: bool) -> bool {
    let before = set.clone();
    if !keeps_replicas {
        set.replicas = given.replicas;
    }
    (set.template, set.min_ready) = (given.template.clone(), given.min_ready);
    set.generation += u64::from(*set != before);
    *set != before
}
