//! Claims: those that StatefulSets make for their pods, and any others.

use super::{Change, Store};
use crate::api::stateful_set::Claim;
use crate::api::{ClaimId, ObjectName, Text, storage};
use std::sync::Arc;

impl Store {
    /// The claim, unless it is gone.
    pub fn claim(&self, id: ClaimId) -> Option<&Claim> {
        self.claims.get(id)
    }

    /// All claims.
    pub fn claims(&self) -> impl Iterator<Item = (ClaimId, &Claim)> {
        self.claims.iter()
    }

    /// The claims for a pod, by its name: there may be no such pod.
    pub fn claims_for<'a>(
        &'a self,
        namespace: &Text,
        pod: &Text,
    ) -> impl Iterator<Item = (ClaimId, &'a Claim)> + use<'a> {
        let is_any = !self.claims.is_empty();
        let key = is_any.then(|| (namespace.clone(), pod.clone()));
        let ids = key.and_then(|key| self.claims_by_pod.get(&key));
        ids.into_iter().flatten().filter_map(|id| Some((*id, self.claims.get(*id)?)))
    }

    /// Creates a claim.
    pub fn create_claim(&mut self, claim: Claim) -> ClaimId {
        let key = (claim.namespace.clone(), claim.pod.clone());
        let name = ObjectName { namespace: claim.namespace.clone(), name: claim.name.clone() };
        let id = self.claims.insert(claim);
        self.name_claim(name, Some(id));
        if !key.1.is_empty() {
            self.claims_by_pod.entry(key).or_default().push(id);
        }
        self.note(Change::Claim(id));
        id
    }

    /// Changes a claim through `change`, which tells whether anything changed. Its names stay.
    pub fn update_claim(&mut self, id: ClaimId, change: impl FnOnce(&mut Claim) -> bool) {
        if self.claims.get_mut(id).is_some_and(change) {
            self.note(Change::Claim(id));
        }
    }

    /// Changes what a claim asks for and has, through `change`, which tells whether anything
    /// changed. Its name stays.
    pub fn update_claim_object(
        &mut self,
        id: ClaimId,
        change: impl FnOnce(&mut storage::Claim) -> bool,
    ) {
        self.update_claim(id, |claim| claim.object.as_mut().map(Arc::make_mut).is_some_and(change));
    }

    /// Removes a claim for good.
    pub fn remove_claim(&mut self, id: ClaimId) {
        let Some(claim) = self.claims.remove(id) else { return };
        let name = ObjectName { namespace: claim.namespace.clone(), name: claim.name.clone() };
        self.name_claim(name, None);
        let key = (claim.namespace.clone(), claim.pod.clone());
        if let Some(ids) = self.claims_by_pod.get_mut(&key) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.claims_by_pod.remove(&key);
            }
        }
        self.note(Change::ClaimRemoved(id, Box::new(claim)));
    }
}
