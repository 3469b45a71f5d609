//! Namespaces: made, deleted, emptied.

use crate::api::Text;
use crate::api::meta::Propagation;
use crate::api::namespace::NamespacePhase;
use crate::api::refusal::{Cause, Refusal};
use crate::api::{DeploymentId, OwnerId, PodId};
use crate::control::controllers::garbagecollector::Item;
use crate::world::world::World;

impl World<'_> {
    /// Marks a namespace for deletion; its controller does the rest.
    pub(super) fn delete_namespace(&mut self, name: &Text) {
        let known = self.store.namespaces().find(|(_, known)| known.name == *name);
        if known.is_none_or(|(_, known)| known.phase == NamespacePhase::Active) {
            self.store.set_namespace(name, NamespacePhase::Terminating(self.now));
        }
    }

    /// Makes a namespace again that has been deleted; one that nobody deleted is there.
    pub(super) fn apply_namespace(&mut self, name: &Text) -> Result<(), Refusal> {
        let known = self.store.namespaces().find(|(_, known)| known.name == *name);
        match known.map(|(_, known)| known.phase) {
            None | Some(NamespacePhase::Active) => Ok(()),
            Some(NamespacePhase::Terminating(_)) => {
                let message =
                    format!("object is being deleted: namespaces \"{name}\" already exists");
                Err(Refusal { code: 409, message, cause: Cause::None })
            }
            Some(NamespacePhase::Gone) => {
                self.store.set_namespace(name, NamespacePhase::Active);
                Ok(())
            }
        }
    }

    /// Deletes all objects of a kind in a namespace (`deletecollection`), what they own after them.
    pub(in crate::world) fn delete_all(&mut self, namespace: &str, kind: &str) {
        match kind {
            "Pod" => {
                let mut pods: Vec<(u64, PodId)> =
                    self.store.pods_in(namespace).map(|(id, pod)| (pod.uid, id)).collect();
                pods.sort_unstable();
                for (_, pod) in pods {
                    self.delete_pod(pod, None, "Deleted");
                }
            }
            "Deployment" => {
                let all = self.store.deployments();
                let here = all.filter(|(_, d)| d.namespace == *namespace).map(|(id, _)| id);
                for id in here.collect::<Vec<DeploymentId>>() {
                    self.remove_finalizer(Item::Deployment(id));
                }
            }
            "CronJob" => {
                let all = self.store.cron_jobs();
                let here = all.filter(|(_, j)| j.meta.namespace == *namespace).map(|(id, _)| id);
                for id in here.collect::<Vec<_>>() {
                    self.remove_finalizer(Item::CronJob(id));
                }
            }
            "PersistentVolumeClaim" => {
                let all = self.store.claims();
                let here = all.filter(|(_, c)| c.namespace == *namespace).map(|(id, _)| id);
                for id in here.collect::<Vec<_>>() {
                    self.delete_claim(id);
                }
            }
            "Service"
            | "Ingress"
            | "HorizontalPodAutoscaler"
            | "PodDisruptionBudget"
            | "ResourceQuota"
            | "LimitRange" => self.delete_policies(namespace, kind),
            kind => {
                let owners = self.store.owners().filter(|(_, owner)| owner.kind() == kind);
                let here = owners.filter(|(_, o)| o.namespace() == namespace).map(|(id, _)| id);
                for id in here.collect::<Vec<OwnerId>>() {
                    self.delete_owner(id, Propagation::Background);
                }
            }
        }
    }

    /// Those that own nothing.
    fn delete_policies(&mut self, namespace: &str, kind: &str) {
        let store = &mut self.store;
        match kind {
            "Service" => {
                let here = store.services().filter(|(_, s)| s.namespace == *namespace);
                let ids: Vec<_> = here.map(|(id, _)| id).collect();
                ids.into_iter().for_each(|id| store.remove_service(id));
            }
            "Ingress" => {
                let here = store.ingresses().filter(|(_, i)| i.namespace == *namespace);
                let ids: Vec<_> = here.map(|(id, _)| id).collect();
                ids.into_iter().for_each(|id| store.remove_ingress(id));
            }
            "HorizontalPodAutoscaler" => {
                let here = store.hpas().filter(|(_, h)| h.namespace == *namespace);
                let ids: Vec<_> = here.map(|(id, _)| id).collect();
                ids.into_iter().for_each(|id| store.remove_hpa(id));
            }
            "PodDisruptionBudget" => {
                let here = store.pdbs().filter(|(_, p)| p.namespace == *namespace);
                let ids: Vec<_> = here.map(|(id, _)| id).collect();
                ids.into_iter().for_each(|id| store.remove_pdb(id));
            }
            "ResourceQuota" => {
                let ids = store.quotas_in(namespace);
                ids.into_iter().for_each(|id| store.remove_quota(id));
            }
            _ => {
                let here = store.limit_ranges().filter(|(_, l)| l.namespace == *namespace);
                let ids: Vec<_> = here.map(|(id, _)| id).collect();
                ids.into_iter().for_each(|id| store.remove_limit_range(id));
                self.defaulted.forget();
            }
        }
    }
}
