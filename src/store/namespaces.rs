//! Namespaces at their end, and what limits the content of one: ResourceQuotas and LimitRanges.

use super::{Change, Store};
use crate::api::amounts::Amounts;
use crate::api::limit_range::LimitRange;
use crate::api::namespace::{Namespace, NamespacePhase};
use crate::api::pod::Pod;
use crate::api::quota::ResourceQuota;
use crate::api::{LimitRangeId, NamespaceId, PodId, QuotaId};

/// Reading.
impl Store {
    /// The quota, unless it is gone.
    pub fn quota(&self, id: QuotaId) -> Option<&ResourceQuota> {
        self.quotas.get(id)
    }

    /// All quotas.
    pub fn quotas(&self) -> impl Iterator<Item = (QuotaId, &ResourceQuota)> {
        self.quotas.iter()
    }

    /// The quotas of a namespace, by name.
    pub fn quotas_in(&self, namespace: &str) -> Vec<QuotaId> {
        let mut found: Vec<(QuotaId, &ResourceQuota)> =
            self.quotas.iter().filter(|(_, quota)| quota.namespace == *namespace).collect();
        found.sort_by_key(|(_, quota)| &quota.name);
        found.into_iter().map(|(id, _)| id).collect()
    }

    /// All limit ranges.
    pub fn limit_ranges(&self) -> impl Iterator<Item = (LimitRangeId, &LimitRange)> {
        self.limit_ranges.iter()
    }

    /// The namespace, if its end has been asked for.
    pub fn namespace(&self, id: NamespaceId) -> Option<&Namespace> {
        self.namespaces.get(id)
    }

    /// All namespaces whose end has been asked for.
    pub fn namespaces(&self) -> impl Iterator<Item = (NamespaceId, &Namespace)> {
        self.namespaces.iter()
    }

    /// Whether nothing can stand in the way of a new object: the common case.
    pub fn is_unlimited(&self) -> bool {
        self.quotas.is_empty() && self.limit_ranges.is_empty() && self.namespaces.is_empty()
    }

    /// All pods of a namespace.
    pub fn pods_in(&self, namespace: &str) -> impl Iterator<Item = (PodId, &Pod)> {
        self.groups.all_in(namespace).filter_map(|id| Some((id, self.pods.get(id)?)))
    }

    /// How many objects of a kind are in a namespace.
    pub fn count_in(&self, namespace: &str, kind: &str) -> usize {
        let here = |other: &str| other == namespace;
        match kind {
            "Pod" => self.pods_in(namespace).count(),
            "Service" => self.services().filter(|(_, s)| here(&s.namespace)).count(),
            "Ingress" => self.ingresses().filter(|(_, i)| here(&i.namespace)).count(),
            "HorizontalPodAutoscaler" => self.hpas().filter(|(_, h)| here(&h.namespace)).count(),
            "PodDisruptionBudget" => self.pdbs().filter(|(_, p)| here(&p.namespace)).count(),
            "Deployment" => self.deployments().filter(|(_, d)| here(&d.namespace)).count(),
            "PersistentVolumeClaim" => self.claims().filter(|(_, c)| here(&c.namespace)).count(),
            "CronJob" => self.cron_jobs().filter(|(_, j)| here(&j.meta.namespace)).count(),
            "ResourceQuota" => self.quotas().filter(|(_, q)| here(&q.namespace)).count(),
            "LimitRange" => self.limit_ranges().filter(|(_, l)| here(&l.namespace)).count(),
            kind => {
                let owners = self.owners().filter(|(_, owner)| owner.kind() == kind);
                owners.filter(|(_, owner)| here(owner.namespace())).count()
            }
        }
    }

    /// Whether there is no pod in a namespace.
    pub fn has_no_pods(&self, namespace: &str) -> bool {
        self.groups.has_none_in(namespace)
    }
}

/// Changing.
impl Store {
    /// Creates a quota.
    pub fn create_quota(&mut self, quota: ResourceQuota) -> QuotaId {
        let id = self.quotas.insert(quota);
        self.note(Change::Quota(id));
        id
    }

    /// Changes a quota's spec through `change`, which tells whether anything changed.
    pub fn update_quota(&mut self, id: QuotaId, change: impl FnOnce(&mut ResourceQuota) -> bool) {
        let Some(quota) = self.quotas.get_mut(id) else { return };
        quota.version += 1;
        if change(quota) {
            self.note(Change::Quota(id));
        }
    }

    /// Writes a quota's `status`: what its controller has counted, if nothing came in between.
    pub fn count_quota(&mut self, id: QuotaId, known: Amounts, used: Amounts, basis: u64) -> bool {
        let Some(quota) = self.quotas.get_mut(id) else { return false };
        if quota.version != basis {
            return false;
        }
        (quota.known, quota.used) = (known, used);
        quota.version += 1;
        self.note(Change::QuotaStatus(id));
        true
    }

    /// Adds to a quota's `status.used` what a new object takes.
    pub fn charge_quota(&mut self, id: QuotaId, more: &Amounts) {
        let Some(quota) = self.quotas.get_mut(id) else { return };
        quota.version += 1;
        if more.is_empty() {
            return;
        }
        for (name, amount) in more {
            *quota.used.entry(name.clone()).or_default() += *amount;
        }
        self.note(Change::QuotaStatus(id));
    }

    /// Removes a quota.
    pub fn remove_quota(&mut self, id: QuotaId) {
        if self.quotas.remove(id).is_some() {
            self.note(Change::Quota(id));
        }
    }

    /// Creates a limit range, or puts it in the place of the one of its name.
    pub fn put_limit_range(&mut self, range: LimitRange) {
        let same = |old: &LimitRange| old.namespace == range.namespace && old.name == range.name;
        let old = self.limit_ranges.iter().find(|(_, old)| same(old)).map(|(id, _)| id);
        let id = match old {
            Some(id) => {
                self.limit_ranges[id] = range;
                id
            }
            None => self.limit_ranges.insert(range),
        };
        self.note(Change::LimitRange(id));
    }

    /// Removes a limit range.
    pub fn remove_limit_range(&mut self, id: LimitRangeId) {
        if self.limit_ranges.remove(id).is_some() {
            self.note(Change::LimitRange(id));
        }
    }

    /// Marks a namespace for deletion or brings it to another phase.
    pub fn set_namespace(&mut self, name: &str, phase: NamespacePhase) {
        let known = self.namespaces.iter().find(|(_, known)| *known.name == *name);
        let id = match known.map(|(id, _)| id) {
            Some(id) => id,
            None => {
                let name = name.into();
                self.namespaces.insert(Namespace { name, phase, content_failure: None })
            }
        };
        self.namespaces[id].phase = phase;
        if phase == NamespacePhase::Active {
            self.namespaces[id].content_failure = None;
        }
        self.note(Change::Namespace(id));
    }

    /// Writes what a namespace's controller has met.
    pub fn set_content_failure(&mut self, id: NamespaceId, fails: bool) {
        let Some(namespace) = self.namespaces.get_mut(id) else { return };
        if namespace.content_failure != Some(fails) {
            namespace.content_failure = Some(fails);
            self.note(Change::Namespace(id));
        }
    }
}
