//! Admission: what the API server refuses or changes when objects are created.
//!
//! In upstream's order: a namespace that is being deleted takes nothing; limit ranges fill in what
//! a pod leaves out; what came of that is validated; limit ranges and then quotas judge it. (The
//! plugins whose result does not change in a run, like those for priorities and tolerations, act
//! when manifests are read.) It knows no controller.

mod limits;
mod quota;
#[cfg(test)]
mod tests;

pub(super) use limits::Defaulted;

use super::world::World;
use crate::api::Text;
use crate::api::amounts::Amounts;
use crate::api::namespace::{Namespace, NamespacePhase};
use crate::api::pod::Pod;
use crate::api::quantity::Quantity;
use crate::api::quota::plural;
use crate::api::refusal::{Cause, Refusal};

impl World<'_> {
    /// Lets a pod in that is about to be created: changes it, charges the quotas.
    pub(super) fn admit(&mut self, pod: &mut Pod) -> Result<(), Refusal> {
        if self.store.is_unlimited() {
            return Ok(());
        }
        self.namespace_takes("pods", &pod.namespace, &pod.name())?;
        self.apply_limits(pod)?;
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
        let one = |name: &str| crate::api::quota::kind_counted_as(name) == Some(kind);
        self.charge(plural(kind), namespace, name, |quota| {
            let names = quota.known.keys().filter(|name| one(name));
            names.map(|name| (name.clone(), Quantity::of(1))).collect::<Amounts>()
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
