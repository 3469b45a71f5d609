//! The ResourceQuota plugin: a new object is charged to the quotas of its namespace, or refused.
//!
//! Source: apiserver `pkg/admission/plugin/resourcequota/controller.go` (`CheckRequest`), v1.37.

use crate::api::Text;
use crate::api::amounts::{Amounts, printed};
use crate::api::pod::Pod;
use crate::api::quantity::Quantity;
use crate::api::quota::ResourceQuota;
use crate::api::refusal::Refusal;
use crate::world::world::World;

impl World<'_> {
    /// Charges a pod.
    pub(super) fn charge_pod(&mut self, pod: &Pod) -> Result<(), Refusal> {
        let name = pod.name();
        for id in self.store.quotas_in(&pod.namespace) {
            let Some(quota) = self.store.quota(id) else { continue };
            if quota.of_pod(&quota.known, &pod.spec).is_empty() {
                if quota.known != quota.hard {
                    // Its controller is about to write what it has counted without this one.
                    self.store.charge_quota(id, &Amounts::new());
                }
                continue;
            }
            if let Some(missing) = quota.unnamed(&pod.spec) {
                let why = format!("failed quota: {}: {missing}", quota.name);
                return Err(Refusal::forbidden("pods", &name, &why));
            }
        }
        let spec = &pod.spec;
        self.charge("pods", &pod.namespace, &name, |quota| quota.usage_of(&quota.known, spec, true))
    }

    /// Charges what an object comes to under each quota to all of them, or to none.
    pub(super) fn charge(
        &mut self,
        resource: &str,
        namespace: &Text,
        name: &str,
        usage: impl Fn(&ResourceQuota) -> Amounts,
    ) -> Result<(), Refusal> {
        let mut charges = Vec::new();
        for id in self.store.quotas_in(namespace) {
            let Some(quota) = self.store.quota(id) else { continue };
            let mut requested = usage(quota);
            requested.retain(|_, amount| !amount.is_zero());
            let exceeded = exceeded(quota, &requested);
            if !exceeded.is_empty() {
                let of = |amounts: &Amounts| masked(amounts, &exceeded);
                let why = format!(
                    "exceeded quota: {}, requested: {}, used: {}, limited: {}",
                    quota.name,
                    of(&requested),
                    of(&quota.used),
                    of(&quota.known)
                );
                return Err(Refusal::forbidden(resource, name, &why));
            }
            charges.push((id, requested));
        }
        for (id, requested) in charges {
            if !requested.is_empty() {
                self.store.charge_quota(id, &requested);
            }
        }
        Ok(())
    }
}

/// Names under which there would be more than the quota has.
fn exceeded(quota: &ResourceQuota, requested: &Amounts) -> Vec<Text> {
    let used = |name: &Text| quota.used.get(name).copied().unwrap_or_default();
    let is_over = |(name, amount): &(&Text, &Quantity)| {
        quota.known.get(*name).is_some_and(|hard| used(name) + **amount > *hard)
    };
    requested.iter().filter(is_over).map(|(name, _)| name.clone()).collect()
}

fn masked(amounts: &Amounts, names: &[Text]) -> String {
    let some = amounts.iter().filter(|(name, _)| names.contains(name));
    printed(&some.map(|(name, amount)| (name.clone(), *amount)).collect())
}
