//! Quotas: what is used is what the pods come to, and new pods never take more than there is.

use super::{Finding, View};
use crate::api::QuotaId;
use crate::api::amounts::{Amounts, printed};
use crate::api::quota::is_of_pods;
use crate::store::Store;
use std::collections::BTreeMap;

/// Hard and used amounts of each quota at the last look.
#[derive(Debug, Default)]
pub(super) struct Quotas(BTreeMap<QuotaId, (Amounts, Amounts)>);

impl Quotas {
    /// A quota of which more is used than it has, and more than at the last look: it may only have
    /// been lowered below what was there.
    pub(super) fn exceeded(&mut self, store: &Store) -> Finding {
        let mut found = None;
        for (id, quota) in store.quotas() {
            let now = (quota.known.clone(), quota.used.clone());
            let Some((known, used)) = self.0.insert(id, now) else { continue };
            let is_over = |(name, amount): &(&crate::api::Text, _)| {
                known.get(*name).is_some_and(|hard| *amount > hard)
                    && used.get(*name).is_none_or(|before| *amount > before)
            };
            if known == quota.known && quota.used.iter().any(|one| is_over(&one)) {
                let (used, hard) = (printed(&quota.used), printed(&known));
                let text = format!("{} has {used} of {hard}", quota.name);
                found = found.or(Some(("no quota is exceeded", text)));
            }
        }
        found
    }
}

/// A quota at rest whose used amounts are not those of its pods.
pub(super) fn miscounted(view: &View<'_>) -> Finding {
    for (id, quota) in view.store.quotas().filter(|(id, _)| (view.counted)(*id)) {
        let pods = view.store.pods_in(&quota.namespace).map(|(_, pod)| pod);
        let counted = quota.usage_of_all(pods);
        let of_pods = |(name, _): &(&crate::api::Text, _)| is_of_pods(name);
        if !counted.iter().eq(quota.used.iter().filter(of_pods)) {
            let (used, there) = (printed(&quota.used), printed(&counted));
            let text = format!("{} ({id:?}) has {used}, its pods come to {there}", quota.name);
            return Some(("quotas count their pods", text));
        }
    }
    None
}
