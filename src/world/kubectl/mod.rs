//! What a person does with `kubectl`: objects applied, scaled and deleted, pods and nodes handled.
//!
//! It acts as the API server does on such a request, at once: no client of a controller is in the
//! way. It knows no controller.

mod apply;
mod namespaces;
mod nodes;
mod pods;

use super::world::World;
use crate::api::config::ConfigKind;
use crate::api::labels::Labels;
use crate::api::meta::Propagation;
use crate::api::object::{Object, Target};
use crate::api::owner::{Owner, Parent};
use crate::api::refusal::Refusal;
use crate::api::workload::{PodTemplate, ResourceChange};
use crate::api::{
    ClaimId, CronJobId, DeploymentId, HpaId, IngressId, LimitRangeId, ObjectName, OwnerId, PdbId,
    PodId, QuotaId, ServiceId, Text,
};
use crate::control::controllers::garbagecollector::Item;
use crate::record::story::Moment;
use crate::scenario::kubectl::Command;
use crate::units::SimDuration;
use crate::world::admission::validate;
use crate::world::apply::is_like_generated;

/// Kinds of storage that are in no namespace, or that no controller looks at.
const STORAGE: [&str; 5] =
    ["PersistentVolume", "StorageClass", "CSINode", "CSIDriver", "CSIStorageCapacity"];

/// Labels after `kubectl label`: one without a value goes.
fn changed(labels: &Labels, pairs: &[(Text, Option<Text>)]) -> Labels {
    pairs.iter().fold(labels.clone(), |labels, (key, value)| match value {
        Some(value) => labels.with(key.clone(), value.clone()),
        None => labels.without(key),
    })
}

impl World<'_> {
    /// Carries out a command, and tells what it was answered.
    pub(super) fn kubectl(&mut self, command: &Command) {
        self.refused = None;
        let answer = self.do_command(command);
        let answer = answer.and_then(|()| self.refused.take().map_or(Ok(()), Err));
        let refusal = answer.as_ref().err();
        if let Some(refusal) = refusal {
            self.tell_refusal(refusal);
        }
        if let Some(audience) = &mut self.audience {
            audience.answered(self.now, command, refusal);
        }
    }

    pub(in crate::world) fn tell_refusal(&mut self, refusal: &Refusal) {
        let text = format!("the API server refuses it: {}", refusal.message);
        self.tell_moment(Moment::TimelineBegins, text);
    }

    fn do_command(&mut self, command: &Command) -> Result<(), Refusal> {
        match command {
            Command::Apply { object, keeps_replicas } => {
                let answer = self.apply_object(object, *keeps_replicas);
                if matches!(
                    object,
                    Object::Deployment(_) | Object::Service(_) | Object::Hpa(..) | Object::Pdb(_)
                ) {
                    self.selections_change();
                }
                return answer;
            }
            Command::Scale { target, replicas } => self.scale_by_hand(target, *replicas),
            Command::Pause { name, on } => {
                if let Some(id) = self.deployment_named(name) {
                    self.store.update_deployment(id, |deployment| {
                        let changes = deployment.paused != *on;
                        deployment.paused = *on;
                        deployment.generation += u64::from(changes);
                        changes
                    });
                }
            }
            Command::Restart { target } => {
                let now = self.now;
                self.change_template(target, |template| {
                    template.restart(now);
                    true
                });
            }
            Command::SetImage { target, images } => self.change_template(target, |template| {
                images.iter().fold(false, |changes, (container, image)| {
                    template.set_image(container, image) | changes
                })
            }),
            Command::SetResources { target, change } => return self.set_resources(target, change),
            Command::LabelNode { node, pairs } => self.label_node(node, pairs),
            Command::TaintNode { node, add, remove } => self.taint_node(node, add, remove),
            Command::Undo { name, revision } => self.undo(name, *revision),
            Command::Delete { target, propagation, grace } => {
                self.delete_by_hand(target, *propagation, *grace);
            }
            Command::Pods { which, what } => self.command_pods(which, what),
            Command::Cordon { node, on } => self.cordon(node, *on),
            Command::Drain { nodes } => self.drain(nodes),
            Command::DeleteNode { node } => self.delete_node_by_hand(node),
            Command::SetTaints { node, taints } => self.set_taints(node, taints),
        }
        Ok(())
    }

    fn scale_by_hand(&mut self, target: &Target, replicas: u32) {
        if target.kind == "Deployment" {
            if let Some(id) = self.deployment_named(&target.name) {
                self.store.scale_deployment(id, replicas);
            }
        } else if let Some(id) = self.owner_named(&target.kind, &target.name) {
            self.store.update_owner(id, |owner| owner.scale(replicas));
        }
    }

    /// Changes the template of a Deployment or of what controls pods.
    fn change_template(
        &mut self,
        target: &Target,
        mut change: impl FnMut(&mut PodTemplate) -> bool,
    ) {
        if target.kind == "Deployment" {
            if let Some(id) = self.deployment_named(&target.name) {
                self.store.update_deployment(id, |deployment| {
                    let changes = change(&mut deployment.template);
                    deployment.generation += u64::from(changes);
                    changes
                });
            }
        } else if let Some(id) = self.owner_named(&target.kind, &target.name) {
            self.store.update_owner(id, |owner| {
                let changes = change(owner.template_mut());
                owner.raise_generation(changes);
                changes
            });
        }
    }

    /// Gives the containers of a template other requests and limits, if the API server finds
    /// nothing wrong with them.
    fn set_resources(&mut self, target: &Target, change: &ResourceChange) -> Result<(), Refusal> {
        let mut wrong = Vec::new();
        self.change_template(target, |template| {
            let mut changed = template.clone();
            let changes = changed.set_resources(change);
            wrong = validate(&changed.spec);
            let takes = changes && wrong.is_empty();
            if takes {
                *template = changed;
            }
            takes
        });
        if wrong.is_empty() {
            return Ok(());
        }
        let wrong: Vec<String> =
            wrong.into_iter().map(|why| format!("spec.template.{why}")).collect();
        Err(Refusal::invalid(&target.kind, &target.name.name, &wrong))
    }

    /// Back to the template of a revision; 0 is the one before the newest.
    fn undo(&mut self, name: &ObjectName, revision: u64) {
        let Some(id) = self.deployment_named(name) else { return };
        let sets = self.store.replica_sets_of(id).iter();
        let mut sets: Vec<_> = sets.filter_map(|set| self.store.replica_set(*set)).collect();
        sets.sort_by_key(|set| std::cmp::Reverse(set.revision));
        let found = match revision {
            0 => sets.get(1),
            revision => sets.iter().find(|set| set.revision == revision),
        };
        let Some(template) = found.map(|set| set.template.clone()) else { return };
        self.store.update_deployment(id, |deployment| {
            if deployment.template.hash == template.hash {
                return false;
            }
            let labels = template.labels.without("pod-template-hash");
            deployment.template = PodTemplate { labels, ..template };
            deployment.generation += 1;
            true
        });
    }

    fn delete_by_hand(
        &mut self,
        target: &Target,
        propagation: Propagation,
        grace: Option<SimDuration>,
    ) {
        let name = &target.name;
        match &*target.kind {
            "Pod" => {
                if let Some(pod) = self.pod_named(name) {
                    self.delete_pod(pod, grace, "Deleted");
                }
            }
            "Deployment" => {
                if let Some(id) = self.deployment_named(name) {
                    self.delete_item(Item::Deployment(id), propagation);
                }
            }
            "CronJob" => {
                if let Some(id) = self.cron_job_named(name) {
                    self.delete_item(Item::CronJob(id), propagation);
                }
            }
            "Service" => {
                if let Some(id) = self.service_named(name) {
                    self.store.remove_service(id);
                }
            }
            "Ingress" => {
                if let Some(id) = self.ingress_named(name) {
                    self.store.remove_ingress(id);
                }
            }
            "PodDisruptionBudget" => {
                if let Some(id) = self.pdb_named(name) {
                    self.store.remove_pdb(id);
                }
            }
            "HorizontalPodAutoscaler" => {
                if let Some(id) = self.hpa_named(name) {
                    self.store.remove_hpa(id);
                }
            }
            "Namespace" => self.delete_namespace(&name.name),
            "ResourceQuota" => {
                if let Some(id) = self.quota_named(name) {
                    self.store.remove_quota(id);
                }
            }
            "LimitRange" => {
                if let Some(id) = self.limit_range_named(name) {
                    self.store.remove_limit_range(id);
                    self.defaulted.forget();
                }
            }
            "PersistentVolumeClaim" => {
                if let Some(id) = self.claim_named(name) {
                    self.delete_claim(id);
                }
            }
            kind if STORAGE.contains(&kind) => self.delete_storage(kind, name),
            "Secret" | "ConfigMap" => self.delete_config(&target.kind, name),
            kind => {
                if let Some(id) = self.owner_named(kind, name) {
                    self.delete_item(Item::Owner(id), propagation);
                }
            }
        }
    }

    fn delete_config(&mut self, kind: &str, name: &ObjectName) {
        let found = ConfigKind::named(kind)
            .and_then(|kind| self.store.config_id(kind, &name.namespace, &name.name));
        if let Some(id) = found {
            self.store.remove_config(id);
        }
    }

    /// Deletes what owns others: at once, or when the garbage collector has dealt with those.
    fn delete_item(&mut self, item: Item, propagation: Propagation) {
        if propagation == Propagation::Background {
            return self.remove_finalizer(item);
        }
        match item {
            Item::Owner(id) => self.delete_owner(id, propagation),
            Item::Deployment(id) => self.store.update_deployment(id, |deployment| {
                deployment.deletion = Some(propagation);
                true
            }),
            Item::CronJob(id) => self.store.update_cron_job(id, |job| {
                job.meta.deletion = Some(propagation);
                true
            }),
            Item::Pod(_) | Item::Claim(_) => {}
        }
    }

    fn claim_named(&self, name: &ObjectName) -> Option<ClaimId> {
        let mut all = self.store.claims();
        all.find(|(_, c)| is_named(&c.namespace, &c.name, name)).map(|(id, _)| id)
    }

    pub(in crate::world) fn service_named(&self, name: &ObjectName) -> Option<ServiceId> {
        let mut all = self.store.services();
        all.find(|(_, s)| is_named(&s.namespace, &s.name, name)).map(|(id, _)| id)
    }

    fn ingress_named(&self, name: &ObjectName) -> Option<IngressId> {
        let mut all = self.store.ingresses();
        all.find(|(_, i)| is_named(&i.namespace, &i.name, name)).map(|(id, _)| id)
    }

    fn hpa_named(&self, name: &ObjectName) -> Option<HpaId> {
        let mut all = self.store.hpas();
        all.find(|(_, h)| is_named(&h.namespace, &h.name, name)).map(|(id, _)| id)
    }

    fn pdb_named(&self, name: &ObjectName) -> Option<PdbId> {
        let mut all = self.store.pdbs();
        all.find(|(_, p)| is_named(&p.namespace, &p.name, name)).map(|(id, _)| id)
    }

    fn quota_named(&self, name: &ObjectName) -> Option<QuotaId> {
        let mut all = self.store.quotas();
        all.find(|(_, q)| is_named(&q.namespace, &q.name, name)).map(|(id, _)| id)
    }

    fn limit_range_named(&self, name: &ObjectName) -> Option<LimitRangeId> {
        let mut all = self.store.limit_ranges();
        all.find(|(_, l)| is_named(&l.namespace, &l.name, name)).map(|(id, _)| id)
    }

    pub(super) fn deployment_named(&self, name: &ObjectName) -> Option<DeploymentId> {
        let mut all = self.store.deployments();
        all.find(|(_, d)| is_named(&d.namespace, &d.name, name)).map(|(id, _)| id)
    }

    pub(super) fn cron_job_named(&self, name: &ObjectName) -> Option<CronJobId> {
        let mut all = self.store.cron_jobs();
        all.find(|(_, j)| is_named(&j.meta.namespace, &j.meta.name, name)).map(|(id, _)| id)
    }

    pub(super) fn owner_named(&self, kind: &str, name: &ObjectName) -> Option<OwnerId> {
        let is_it =
            |owner: &Owner| owner.kind() == kind && is_named(owner.namespace(), owner.name(), name);
        self.store.owners().find(|(_, owner)| is_it(owner)).map(|(id, _)| id)
    }

    pub(in crate::world) fn pod_named(&self, name: &ObjectName) -> Option<PodId> {
        self.store.pod_named(&name.namespace, &name.name).or_else(|| {
            let mut all = self.store.pods_in(&name.namespace);
            let found =
                is_like_generated(&name.name).then(|| all.find(|(_, p)| p.name() == name.name));
            found.flatten().map(|(id, _)| id)
        })
    }
}

fn is_named(namespace: &str, name: &str, wanted: &ObjectName) -> bool {
    namespace == &*wanted.namespace && name == &*wanted.name
}

/// What a person applies has the parent that it has in the cluster.
fn keep_parent(owner: &mut Owner, parent: Option<Parent>) {
    match (owner, parent) {
        (Owner::ReplicaSet(set), Some(Parent::Deployment(id))) => set.owner = Some(id),
        (Owner::Job(job), Some(Parent::CronJob(id))) => job.owner = Some(id),
        _ => {}
    }
}
