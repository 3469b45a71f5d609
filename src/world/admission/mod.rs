//! Admission: what the API server refuses or changes when objects are created.
//!
//! In upstream's order: a namespace that is being deleted takes nothing; limit ranges fill in what
//! a pod leaves out; a webhook gives it the requests that are recommended; what came of that is
//! validated; limit ranges and then quotas judge it. (The plugins whose result does not change in a
//! run, like those for priorities and tolerations, act when manifests are read.) It knows no
//! controller.

mod limits;
mod quota;
#[cfg(test)]
mod tests;

pub(super) use limits::{Defaulted, validate};

use super::world::World;
use crate::api::amounts::Amounts;
use crate::api::namespace::{Namespace, NamespacePhase};
use crate::api::pod::Pod;
use crate::api::quantity::Quantity;
use crate::api::quota::{kind_counted_as, plural, storage_of};
use crate::api::refusal::{Cause, Refusal};
use crate::api::storage::Claim;
use crate::api::{ObjectName, Text};
use crate::control::controllers::volume::persistentvolume::default_class;
use limits::judge_pod;

impl World<'_> {
    /// Lets a pod in that is about to be created: changes it, charges the quotas.
    pub(super) fn admit(&mut self, pod: &mut Pod) -> Result<(), Refusal> {
        if self.store.is_unlimited() {
            self.give_recommendation(pod);
            return Ok(());
        }
        self.namespace_takes("pods", &pod.namespace, &pod.name())?;
        let ranges = self.give_defaults(pod);
        self.give_recommendation(pod);
        judge_pod(pod, &ranges)?;
        self.charge_pod(pod)
    }

    /// Lets another object in.
    pub(super) fn admit_object(
        &mut self,
        kind: &str,
        namespace: &Text,
        name: &str,
    ) -> Result<(), Refusal> {
        if self.store.is_unlimited() {
            return Ok(());
        }
        self.namespace_takes(plural(kind), namespace, name)?;
        let one = |name: &str| kind_counted_as(name) == Some(kind);
        self.charge(plural(kind), namespace, name, |quota| {
            let names = quota.known.keys().filter(|name| one(name));
            names.map(|name| (name.clone(), Quantity::of(1))).collect::<Amounts>()
        })
    }

    /// Lets a claim in: what it asks for is charged too, under the class that it will have.
    pub(super) fn admit_claim(
        &mut self,
        name: &ObjectName,
        claim: Option<&Claim>,
    ) -> Result<(), Refusal> {
        const KIND: &str = "PersistentVolumeClaim";
        if self.store.is_unlimited() {
            return Ok(());
        }
        self.namespace_takes(plural(KIND), &name.namespace, &name.name)?;
        let mut claim = claim.cloned();
        if let Some(claim) = claim.as_mut().filter(|claim| !claim.names_class)
            && let Some(class) = default_class(&self.store)
        {
            claim.class = class.name.clone();
        }
        let of = |resource: &str| match kind_counted_as(resource) {
            Some(kind) => (kind == KIND).then(|| Quantity::of(1)),
            None => storage_of(resource, claim.as_ref()),
        };
        self.charge(plural(KIND), &name.namespace, &name.name, |quota| {
            quota.known.keys().filter_map(|known| Some((known.clone(), of(known)?))).collect()
        })
    }

    /// Lets a claim ask for more: the difference is charged.
    pub(super) fn admit_growth(&mut self, known: &Claim, grown: &Claim) -> Result<(), Refusal> {
        let name = &known.name;
        self.charge("persistentvolumeclaims", &name.namespace, &name.name, |quota| {
            let more = |resource: &Text| {
                let [after, before] = [grown, known].map(|c| storage_of(resource, Some(c)));
                Some((resource.clone(), after? + before?.times(-1)))
            };
            quota.known.keys().filter_map(more).collect()
        })
    }

    /// Whether a namespace takes new objects.
    pub(super) fn is_namespace_there(&self, name: &str) -> bool {
        let ends = |known: &Namespace| known.name == *name && known.phase != NamespacePhase::Active;
        !self.store.namespaces().any(|(_, known)| ends(known))
    }

    /// The NamespaceLifecycle plugin.
    fn namespace_takes(&self, resource: &str, namespace: &Text, name: &str) -> Result<(), Refusal> {
        let known = self.store.namespaces().find(|(_, known)| known.name == *namespace);
        match known.map(|(_, known)| known.phase) {
            None | Some(NamespacePhase::Active) => Ok(()),
            Some(NamespacePhase::Terminating(_)) => {
                let why = format!(
                    "unable to create new content in namespace {namespace} because it is being \
                     terminated"
                );
                let refusal = Refusal::forbidden(resource, name, &why);
                Err(Refusal { cause: Cause::NamespaceTerminating, ..refusal })
            }
            Some(NamespacePhase::Gone) => {
                let message = format!("namespaces \"{namespace}\" not found");
                Err(Refusal { code: 404, message, cause: Cause::None })
            }
        }
    }
}
