//! What controls pods, as the API server sees it: pods made for an owner, owners adopted, released
//! and deleted.
//!
//! It knows no controller's reasons.

use super::controllers::Key;
use super::kubelet::PodState;
use super::world::World;
use crate::api::meta::Propagation;
use crate::api::pod::{IndexFailures, NameSuffix, Pod};
use crate::api::refusal::{Cause, Refusal};
use crate::api::{NodeId, ObjectName, OwnerId, PodId, Text};
use crate::control::controllers::action::{NewName, NewPod};
use crate::control::controllers::garbagecollector::Item;
use crate::control::controllers::{refused, replicaset};

/// A pod that is not let in.
pub(super) struct Refused {
    /// The name that it would have had.
    pub pod: Text,
    /// Why.
    pub refusal: Refusal,
}

impl World<'_> {
    /// Creates a pod from a ReplicaSet's template; `None`: there is no such set.
    pub(super) fn create_pod(&mut self, owner: OwnerId) -> Option<Result<PodId, Refused>> {
        let set = self.store.replica_set(owner)?;
        let (labels, spec) = (set.template.labels.clone(), set.template.spec.clone());
        let base = format!("{}-", set.name).into();
        let pod = Pod::pending(set.namespace.clone(), base, labels, spec, self.now);
        Some(self.admit_pod(Pod { suffix: self.name_suffix(), ..pod.owned_by(owner) }))
    }

    /// Creates a pod as its owner describes it; false when there is one with its name.
    pub(super) fn create_pod_as(
        &mut self,
        key: Key,
        owner: OwnerId,
        new: NewPod,
        failures: IndexFailures,
    ) -> bool {
        let told = new.created;
        match self.make_pod(owner, new, failures) {
            None => false,
            Some(Ok(id)) => {
                self.tell_creation(key, owner, id, told);
                true
            }
            Some(Err(refused)) => self.refuse_pod(key, owner, refused),
        }
    }

    /// Creates a pod as its owner describes it, and tells nobody; `None` when there is one with its
    /// name, or no such owner.
    pub(super) fn make_pod(
        &mut self,
        owner: OwnerId,
        new: NewPod,
        failures: IndexFailures,
    ) -> Option<Result<PodId, Refused>> {
        let namespace = self.store.owner(owner)?.namespace().clone();
        let (name, suffix) = match new.name {
            NewName::Is(name) => {
                let wanted = ObjectName { namespace: namespace.clone(), name };
                if self.pod_named(&wanted).is_some() {
                    return None;
                }
                (wanted.name, NameSuffix::default())
            }
            NewName::Generated(base) => (base, self.name_suffix()),
        };
        let pod = Pod::pending(namespace, name, new.labels, new.spec, self.now);
        let mut pod = Pod { suffix, ..pod.owned_by(owner) };
        if new.is_tracked {
            let more = pod.more_mut();
            (more.is_tracked, more.index_failures) = (true, failures);
        }
        Some(self.admit_pod(pod))
    }

    /// A pod that an owner asked for is refused: the owner is told, and an Event tells of it. In a
    /// namespace that is being deleted neither is: there controllers give up in silence.
    pub(super) fn refuse_pod(&mut self, key: Key, owner: OwnerId, refused: Refused) -> bool {
        let Refused { pod, refusal } = refused;
        if refusal.cause == Cause::NamespaceTerminating {
            return true;
        }
        if let Some(found) = self.store.owner(owner) {
            let event = refused::event(owner, found, &pod, &refusal);
            if self.publish_action(key.source(), event) {
                self.take_token(key);
            }
        }
        self.refused = Some(refusal);
        false
    }

    /// Creates a pod that nobody controls.
    pub(super) fn create_bare_pod(&mut self, pod: &Pod) -> Result<(), Refusal> {
        let pod = Pod { created: self.now, ready_changed: self.now, ..pod.clone() };
        self.admit_pod(pod).map(drop).map_err(|refused| refused.refusal)
    }

    /// A pod that the API server takes. One that names its node is there at once.
    pub(super) fn admit_pod(&mut self, mut pod: Pod) -> Result<PodId, Refused> {
        if let Err(refusal) = self.admit(&mut pod) {
            self.refused_pods += 1;
            return Err(Refused { pod: pod.name(), refusal });
        }
        let (owner, named) = (pod.owner, pod.spec.node_name.clone());
        if let (Some(owner), Some(_)) = (owner, &pod.spec.behavior) {
            let created = self.created_of.entry(owner).or_insert(0);
            *created += 1;
            pod.more_mut().rank = *created;
        }
        let id = self.store.create_pod(pod);
        let workload = self.workload_of_new(id);
        let image = self.image_of(id);
        self.pods.insert(id, PodState::new(workload, image));
        if let Some(workload) = workload {
            self.network.add_pod(id, workload);
            self.fit_queue_of(id, workload);
        }
        self.recorder.totals.pods_created += 1;
        self.waiting_pods(1);
        self.recognise(id);
        self.names_nodes |= named.is_some();
        if let Some(node) = named.and_then(|name| self.node_named(&name)) {
            self.store.bind_pod(id, node, self.now);
        }
        Ok(id)
    }

    /// A node is there: pods that have named it are its own.
    pub(super) fn bind_pods_of(&mut self, node: NodeId) {
        let name = self.store.node(node).map(|n| n.name.clone()).filter(|_| self.names_nodes);
        let Some(name) = name else { return };
        let pods = self.store.pods().filter(|(_, pod)| pod.spec.node_name.as_ref() == Some(&name));
        for pod in pods.map(|(id, _)| id).collect::<Vec<_>>() {
            self.store.bind_pod(pod, node, self.now);
        }
    }

    /// The owner's SuccessfulCreate, which takes a token of the controller's client.
    pub(super) fn tell_of_creation(&mut self, key: Key, owner: OwnerId, pod: PodId) {
        self.tell_creation(key, owner, pod, replicaset::created_event);
    }

    fn tell_creation(
        &mut self,
        key: Key,
        owner: OwnerId,
        pod: PodId,
        event: fn(OwnerId, &str) -> crate::control::controllers::Action,
    ) {
        let Some(name) = self.store.pod(pod).map(Pod::name) else { return };
        if self.publish_action(key.source(), event(owner, &name)) {
            self.take_token(key);
        }
    }

    /// An owner makes a pod its own; false when another one has it.
    pub(super) fn adopt_pod(&mut self, pod: PodId, owner: OwnerId) -> bool {
        let adoptable = self.store.pod(pod).is_some_and(Pod::is_orphan);
        if adoptable {
            if self.store.job(owner).is_some() {
                self.store
                    .update_pod(pod, |p| !std::mem::replace(&mut p.more_mut().is_tracked, true));
            }
            self.store.set_pod_owner(pod, Some(owner));
        }
        adoptable
    }

    /// Deletes what controls pods: at once, or when the garbage collector has dealt with them.
    pub(super) fn delete_owner(&mut self, id: OwnerId, propagation: Propagation) {
        if propagation == Propagation::Background {
            self.store.remove_owner(id);
            return;
        }
        self.store.update_owner(id, |owner| {
            let is_new = owner.deletion().is_none();
            if is_new {
                owner.set_deletion(propagation);
            }
            is_new
        });
    }

    /// The dependents of an object have been dealt with: it goes.
    pub(super) fn remove_finalizer(&mut self, item: Item) {
        match item {
            Item::Owner(id) => self.store.remove_owner(id),
            Item::Deployment(id) => self.store.remove_deployment(id),
            Item::CronJob(id) => self.store.remove_cron_job(id),
            Item::Pod(id) => self.release_pod_object(id),
            Item::Claim(_) => {}
        }
    }

    /// A Job has counted a pod: its finalizer no longer keeps the object.
    pub(super) fn release_pod_object(&mut self, id: PodId) {
        self.store.update_pod(id, |pod| {
            pod.more.as_mut().is_some_and(|more| std::mem::replace(&mut more.is_tracked, false))
        });
        let Some(pod) = self.store.pod(id) else { return };
        let forced = pod.more.as_ref().is_some_and(|more| more.is_forced);
        let ended = pod.node.is_none() || pod.phase.is_terminal();
        if pod.deletion.is_some() && (forced || (ended && !self.is_stopping(id))) {
            self.store.remove_pod(id);
        }
    }
}
