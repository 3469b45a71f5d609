//! The claims of pods: made before them, and gone with them or their set if the policy says so.
//!
//! Where volumes are not simulated, claims are objects with a name and an owner, no more: none is
//! ever bound, and pods don't name theirs in their volumes.

use super::request::Request;
use super::{Step, Sync};
use crate::api::event::EventType::{Normal, Warning};
use crate::api::labels::Labels;
use crate::api::pod::PodSpec;
use crate::api::stateful_set::{Claim, ClaimOwner, ClaimRetention, ClaimTemplate};
use crate::api::volume::{Volume, VolumeSource};
use crate::api::{ClaimId, ObjectName, PodId, Text, storage};
use crate::control::controllers::action::{About, Action};
use std::sync::Arc;

impl Sync<'_> {
    /// The claims that a pod is to have: the name, and the claim if there is one.
    fn claims(&self, ordinal: u32) -> impl Iterator<Item = (Text, Option<(ClaimId, &Claim)>)> {
        let templates = &self.set.claim_templates;
        let pod = if templates.is_empty() { "".into() } else { self.set.pod_name(ordinal) };
        let known: Vec<(ClaimId, &Claim)> =
            self.store.claims_for(&self.set.meta.namespace, &pod).collect();
        templates.iter().map(move |template| {
            let name: Text = format!("{}-{pod}", template.name).into();
            let claim = known.iter().find(|(_, claim)| claim.name == name).copied();
            (name, claim)
        })
    }

    /// Creates the claims of a pod that are not there (`createPersistentVolumeClaims`). One that is
    /// being deleted is asked for too: that is refused, and tried again.
    pub(super) fn make_claims(&self, ordinal: u32, step: &mut Step) {
        let mut requests = Vec::new();
        for ((name, claim), template) in self.claims(ordinal).zip(&self.set.claim_templates) {
            if claim.is_some_and(|(_, claim)| !claim.is_deleted) {
                continue;
            }
            let (namespace, pod) = (self.set.meta.namespace.clone(), self.set.pod_name(ordinal));
            let set = &self.set.meta.name;
            let message = format!("Create Claim {name} Pod {pod} in StatefulSet {set} success");
            let object = self.store.has_storage().then(|| self.claim_of(template, &name));
            let new = Claim { namespace, name, pod, owner: None, is_deleted: false, object };
            requests.push(Request::CreateClaim(new).into());
            if claim.is_none() {
                let (reason, about) = ("SuccessfulCreate", About::Owner(self.id));
                requests.push(Action::Event { kind: Normal, reason, about, message });
            }
        }
        step.then(requests);
    }

    /// What a claim from a template asks for (`getPersistentVolumeClaims`).
    fn claim_of(&self, template: &ClaimTemplate, name: &Text) -> Arc<storage::Claim> {
        let meta = &self.set.meta;
        let name = ObjectName { namespace: meta.namespace.clone(), name: name.clone() };
        let own = template.claim.labels.iter().chain(self.set.selector.match_labels());
        let labels = Labels::new(own.map(|(k, v)| (k.clone(), v.clone())).collect());
        Arc::new(storage::Claim { name, labels, ..(*template.claim).clone() })
    }

    /// The specification of a pod, with a volume for each of its claims (`updateStorage`).
    pub(super) fn spec_of(&self, ordinal: u32, given: &Arc<PodSpec>) -> Arc<PodSpec> {
        let templates = &self.set.claim_templates;
        if templates.is_empty() || !self.store.has_storage() {
            return Arc::clone(given);
        }
        let is_other =
            |volume: &&Volume| templates.iter().all(|template| template.name != volume.name);
        let pod = self.set.pod_name(ordinal);
        let volume = |template: &ClaimTemplate| {
            let claim: Text = format!("{}-{pod}", template.name).into();
            let source = VolumeSource::Claim { name: claim, read_only: false };
            Volume { name: template.name.clone(), source, written: Text::default() }
        };
        let volumes = templates.iter().map(volume);
        let others = given.volumes.iter().filter(is_other).cloned();
        Arc::new(PodSpec { volumes: volumes.chain(others).collect(), ..(**given).clone() })
    }

    /// A pod can't be created while a claim of its name is being deleted: that is told.
    pub(super) fn tell_of_leaving_claims(&self, ordinal: u32, step: &mut Step) {
        let leaving = self
            .claims(ordinal)
            .filter(|(_, claim)| claim.is_some_and(|(_, claim)| claim.is_deleted));
        let errors: Vec<String> =
            leaving.map(|(name, _)| format!("pvc {name} is being deleted")).collect();
        if errors.is_empty() {
            return;
        }
        let errors = match &errors[..] {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let (pod, set) = (self.set.pod_name(ordinal), &self.set.meta.name);
        let message = format!("Create Pod {pod} in StatefulSet {set} failed error: {errors}");
        let (reason, about) = ("FailedCreate", About::Owner(self.id));
        step.then(vec![Action::Event { kind: Warning, reason, about, message }]);
    }

    /// With what the claims of a pod are to go (`updateClaimOwnerRefForSetAndPod`).
    fn wanted_owner(&self, pod: Option<PodId>, is_condemned: bool) -> Option<ClaimOwner> {
        let policy = self.set.retention;
        if policy.goes_with_pod && is_condemned {
            return pod.map(ClaimOwner::Pod);
        }
        policy.goes_with_set.then_some(ClaimOwner::Set(self.id))
    }

    /// Whether a claim's owner is of an earlier set or pod: such a claim is left alone.
    fn is_stale(&self, claim: &Claim, pod: Option<PodId>) -> bool {
        match claim.owner {
            None => false,
            Some(ClaimOwner::Set(set)) => set != self.id,
            Some(ClaimOwner::Pod(owner)) => Some(owner) != pod,
        }
    }

    /// The claims of a pod whose owners are not what they should be.
    fn misowned(&self, ordinal: u32, pod: Option<PodId>, is_condemned: bool) -> Vec<ClaimId> {
        let wanted = self.wanted_owner(pod, is_condemned);
        let there = self.claims(ordinal).filter_map(|(_, claim)| claim);
        let wrong = there.filter(|(_, claim)| claim.owner != wanted && !self.is_stale(claim, pod));
        wrong.map(|(id, _)| id).collect()
    }

    /// Whether the owners of a pod's claims are what they should be.
    pub(super) fn claims_are_owned(
        &self,
        ordinal: u32,
        pod: Option<PodId>,
        is_condemned: bool,
    ) -> bool {
        self.misowned(ordinal, pod, is_condemned).is_empty()
    }

    /// Makes them so; claims that go with something else are told of, if the policy lets any go
    /// (`UpdatePodClaimForRetentionPolicy`).
    pub(super) fn own_claims(
        &self,
        ordinal: u32,
        pod: Option<PodId>,
        is_condemned: bool,
        step: &mut Step,
    ) {
        let owner = self.wanted_owner(pod, is_condemned);
        let wrong = self.misowned(ordinal, pod, is_condemned).into_iter();
        let mut requests: Vec<Action> =
            wrong.map(|claim| Request::ClaimOwner { claim, owner }.into()).collect();
        let there = self.claims(ordinal).filter_map(|(_, claim)| claim);
        let stale = there.filter(|(_, claim)| self.is_stale(claim, pod));
        if self.set.retention != ClaimRetention::default() {
            requests.extend(stale.map(|(_, claim)| self.tell_of_conflict(&claim.name)));
        }
        step.then(requests);
    }

    fn tell_of_conflict(&self, claim: &str) -> Action {
        let message = format!(
            "PersistentVolumeClaim {claim} has a conflicting OwnerReference that acts as a manging \
             controller, the retention policy is ignored for this claim"
        );
        let (reason, about) = ("ConflictingController", About::Owner(self.id));
        Action::Event { kind: Warning, reason, about, message }
    }

    /// Whether a claim still goes with a pod of this name that is no longer there: no new one may
    /// take it over (`PodClaimIsStale`).
    pub(super) fn has_stale_claim(&self, ordinal: u32) -> bool {
        let goes_with_pod = |claim: &Claim| matches!(claim.owner, Some(ClaimOwner::Pod(_)));
        self.set.retention.goes_with_pod
            && self.claims(ordinal).any(|(_, c)| c.is_some_and(|(_, claim)| goes_with_pod(claim)))
    }
}
