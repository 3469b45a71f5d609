//! StatefulSets, their revisions and their claims, as the API server sees them.
//!
//! A claim that is deleted stays while there is a pod that uses it, as the controller
//! pvc-protection sees to.

use super::world::World;
use crate::api::owner::Owner;
use crate::api::pod::Pod;
use crate::api::stateful_set::{Claim, ClaimOwner, Revision};
use crate::api::{ClaimId, ObjectName, OwnerId, PodId};
use crate::control::controllers::garbagecollector::Item;
use crate::control::controllers::statefulset::request::Request;

impl World<'_> {
    /// Does what the statefulset controller asks; false when it is refused.
    pub(super) fn apply_stateful(&mut self, request: Request) -> bool {
        match request {
            Request::Status { set, status } => self.store.update_stateful_set(set, |set| {
                let changes = set.status != status;
                set.status = status;
                changes
            }),
            Request::Revision { set, revision } => self.write_revision(set, revision),
            Request::ForgetRevision { set, name } => self.store.update_stateful_set(set, |set| {
                let before = set.revisions.len();
                set.revisions.retain(|revision| revision.name != name);
                set.revisions.len() != before
            }),
            Request::Relabel { pod, labels } => self.store.relabel_pod(pod, labels),
            Request::CreateClaim(claim) => return self.create_claim(claim),
            Request::ClaimOwner { claim, owner } => self
                .store
                .update_claim(claim, |claim| std::mem::replace(&mut claim.owner, owner) != owner),
            Request::DeleteClaim(claim) => self.delete_claim(claim),
        }
        true
    }

    fn write_revision(&mut self, set: OwnerId, revision: Revision) {
        self.store.update_stateful_set(set, |set| {
            set.revisions.retain(|known| known.name != revision.name);
            set.revisions.push(revision);
            set.revisions.sort_by_key(|revision| revision.number);
            true
        });
    }

    /// Creates a claim; false while one of its name is being deleted.
    fn create_claim(&mut self, claim: Claim) -> bool {
        let mut known = self.store.claims_for(&claim.namespace, &claim.pod);
        match known.find(|(_, known)| known.name == claim.name) {
            Some((_, known)) => !known.is_deleted,
            None => {
                drop(known);
                let (namespace, name) = (claim.namespace.clone(), claim.name.clone());
                let name = ObjectName { namespace, name };
                if let Err(refusal) = self.admit_claim(&name, claim.object.as_deref()) {
                    self.refused = Some(refusal);
                    return false;
                }
                self.create_claim_object(claim);
                true
            }
        }
    }

    /// Deletes a claim: at once, or when its pod is gone.
    pub(super) fn delete_claim(&mut self, id: ClaimId) {
        let Some(claim) = self.store.claim(id) else { return };
        if claim.object.is_some() {
            return self.delete_simulated_claim(id);
        }
        let pod = ObjectName { namespace: claim.namespace.clone(), name: claim.pod.clone() };
        if self.pod_named(&pod).is_none() {
            return self.store.remove_claim(id);
        }
        self.store.update_claim(id, |claim| !std::mem::replace(&mut claim.is_deleted, true));
    }

    /// A pod is gone: claims that were only kept for it go, and those that go with it.
    pub(super) fn claims_lose_pod(&mut self, id: PodId, pod: &Pod) {
        if self.store.claims().next().is_none() {
            return;
        }
        let claims = self.store.claims_for(&pod.namespace, &pod.name());
        let claims: Vec<(ClaimId, bool, bool)> = claims
            .map(|(claim, c)| (claim, c.is_deleted, c.owner == Some(ClaimOwner::Pod(id))))
            .collect();
        for (claim, is_deleted, goes_too) in claims {
            if is_deleted && !self.store.has_storage() {
                self.store.remove_claim(claim);
            } else if goes_too {
                self.collect(Item::Claim(claim));
            }
        }
    }

    /// What controlled pods is gone: claims that go with it do.
    pub(super) fn claims_lose_set(&mut self, id: OwnerId, owner: &Owner) {
        if !matches!(owner, Owner::StatefulSet(_)) {
            return;
        }
        let its = |claim: &Claim| claim.owner == Some(ClaimOwner::Set(id));
        let claims = self.store.claims().filter(|(_, claim)| its(claim));
        for claim in claims.map(|(claim, _)| claim).collect::<Vec<_>>() {
            self.collect(Item::Claim(claim));
        }
    }

    /// A claim is gone: a set that waits for that is looked at.
    pub(super) fn claim_is_gone(&mut self, claim: &Claim) {
        if let Some(ClaimOwner::Set(set)) = claim.owner
            && self.store.owner(set).is_some_and(|owner| owner.deletion().is_some())
        {
            self.collect(Item::Owner(set));
        }
    }
}
