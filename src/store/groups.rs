//! Pods with the same labels, by namespace, and how many of each group are healthy.
//!
//! Most pods have their template's labels, so there are few groups, and a selector is asked once
//! for each instead of once per pod. The numbers are those that disruption budgets ask for: they
//! are kept as pods change, but only while there is a budget. It knows no budget.

use super::index::PodIndex;
use crate::api::labels::{Labels, Selector};
use crate::api::pod::Pod;
use crate::api::{OwnerId, PodId, Text};
use slotmap::SlotMap;
use std::collections::{BTreeMap, BTreeSet};

/// All groups.
#[derive(Debug, Default)]
pub(super) struct PodGroups {
    by_namespace: BTreeMap<Text, BTreeMap<Labels, Group>>,
    /// Whether health is counted.
    counts: bool,
}

/// Pods of one namespace with the same labels.
#[derive(Debug, Default)]
struct Group {
    index: PodIndex,
    healthy: u32,
    /// By owner, how many pods it has here; `None`: nobody controls them.
    owners: BTreeMap<Option<OwnerId>, u32>,
}

/// What a disruption budget asks of the pods that it selects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Pods, the ended and deleted ones included.
    pub all: u32,
    /// Those that are ready and not being deleted.
    pub healthy: u32,
    /// Who controls them; `None`: nobody controls some.
    pub owners: BTreeSet<Option<OwnerId>>,
}

impl Health {
    /// Counts a pod in: the reference for what is kept.
    pub fn add(&mut self, pod: &Pod) {
        self.all += 1;
        self.healthy += u32::from(is_healthy(pod));
        self.owners.insert(pod.owner);
    }
}

/// Whether a pod counts for a budget as it is.
pub(super) fn is_healthy(pod: &Pod) -> bool {
    pod.ready && pod.deletion.is_none()
}

impl Group {
    fn count(&mut self, pod: &Pod, comes: bool) {
        self.healthy = self.healthy.wrapping_add_signed(sign(is_healthy(pod), comes));
        self.count_owner(pod.owner, comes);
    }

    fn count_owner(&mut self, owner: Option<OwnerId>, comes: bool) {
        let pods = self.owners.entry(owner).or_default();
        *pods = pods.wrapping_add_signed(sign(true, comes));
        if *pods == 0 {
            self.owners.remove(&owner);
        }
    }
}

fn sign(counts: bool, comes: bool) -> i32 {
    if comes { i32::from(counts) } else { -i32::from(counts) }
}

impl PodGroups {
    /// The pods of a namespace whose labels a selector matches: group by group, each in order of
    /// creation.
    pub(super) fn matching<'a>(
        &'a self,
        namespace: &str,
        selector: &'a Selector,
    ) -> impl Iterator<Item = PodId> {
        self.groups_matching(namespace, selector).flat_map(|g| g.index.ids()).copied()
    }

    fn groups_matching<'a>(
        &'a self,
        namespace: &str,
        selector: &'a Selector,
    ) -> impl Iterator<Item = &'a Group> {
        let groups = self.by_namespace.get(namespace).into_iter().flatten();
        groups.filter(|(labels, _)| selector.matches(labels)).map(|(_, group)| group)
    }

    /// All pods of a namespace.
    pub(super) fn all_in(&self, namespace: &str) -> impl Iterator<Item = PodId> {
        let groups = self.by_namespace.get(namespace).into_iter().flatten();
        groups.flat_map(|(_, group)| group.index.ids()).copied()
    }

    /// Whether there is no pod in a namespace.
    pub(super) fn has_none_in(&self, namespace: &str) -> bool {
        self.by_namespace.get(namespace).is_none_or(BTreeMap::is_empty)
    }

    /// The numbers of the pods that a selector matches; health must be counted.
    pub(super) fn health(&self, namespace: &str, selector: &Selector) -> Health {
        let mut health = Health::default();
        for group in self.groups_matching(namespace, selector) {
            health.all += group.index.ids().len() as u32;
            health.healthy += group.healthy;
            health.owners.extend(group.owners.keys());
        }
        health
    }

    /// Health is counted from now on, or no longer.
    pub(super) fn count_health(&mut self, counts: bool, pods: &SlotMap<PodId, Pod>) {
        if std::mem::replace(&mut self.counts, counts) == counts {
            return;
        }
        for group in self.by_namespace.values_mut().flat_map(BTreeMap::values_mut) {
            (group.healthy, group.owners) = Default::default();
            let all = std::mem::take(&mut group.index);
            if counts {
                let there = all.ids().iter().filter_map(|id| pods.get(*id));
                there.for_each(|pod| group.count(pod, true));
            }
            group.index = all;
        }
    }

    /// A pod comes.
    pub(super) fn insert(&mut self, id: PodId, pod: &Pod) {
        let groups = self.by_namespace.entry(pod.namespace.clone()).or_default();
        let group = groups.entry(pod.labels.clone()).or_default();
        group.index.push(id);
        if self.counts {
            group.count(pod, true);
        }
    }

    /// A pod goes, or is about to get other labels.
    pub(super) fn remove(&mut self, id: PodId, pod: &Pod) {
        self.remove_by_age(id, pod, |_| None);
    }

    /// Likewise; `is_older` says of another pod whether it was created before, if that is known.
    pub(super) fn remove_by_age(
        &mut self,
        id: PodId,
        pod: &Pod,
        is_older: impl Fn(PodId) -> Option<bool>,
    ) {
        let Some(groups) = self.by_namespace.get_mut(&pod.namespace) else { return };
        let Some(group) = groups.get_mut(&pod.labels) else { return };
        group.index.remove_by_age(id, is_older);
        if self.counts {
            group.count(pod, false);
        }
        if group.index.ids().is_empty() {
            groups.remove(&pod.labels);
        }
    }

    fn group_of(&mut self, pod: &Pod) -> Option<&mut Group> {
        self.by_namespace.get_mut(&pod.namespace)?.get_mut(&pod.labels)
    }

    /// A pod that is there has changed; `was`: whether it was healthy before.
    pub(super) fn follow_health(&mut self, pod: &Pod, was: bool) {
        let is = is_healthy(pod);
        if self.counts
            && was != is
            && let Some(group) = self.group_of(pod)
        {
            group.healthy = group.healthy.wrapping_add_signed(sign(true, is));
        }
    }

    /// A pod that is there has another owner than `before`.
    pub(super) fn follow_owner(&mut self, pod: &Pod, before: Option<OwnerId>) {
        if self.counts
            && let Some(group) = self.group_of(pod)
        {
            group.count_owner(before, false);
            group.count_owner(pod.owner, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::pod::{NameSuffix, PodSpec};
    use crate::api::policy::{Budget, Pdb, PdbStatus, UnhealthyPods};
    use crate::api::workload::IntOrPercent;
    use crate::control::controllers::testing::Bench;
    use crate::store::Store;
    use proptest::prelude::*;
    use std::sync::Arc;

    const APPS: [&str; 3] = ["web", "db", "api"];
    const NAMESPACES: [&str; 2] = ["default", "shop"];

    /// What may happen to a store: an act, and two numbers that say to whom and how.
    type Act = (u8, usize, usize);

    fn labels(n: usize) -> Labels {
        Labels::from([("app", APPS[n % APPS.len()])])
    }

    fn budget() -> Pdb {
        Pdb {
            name: "web".into(),
            namespace: "default".into(),
            selector: Selector::from_labels(&labels(0)),
            budget: Budget::MinAvailable(IntOrPercent::Int(1)),
            unhealthy: UnhealthyPods::default(),
            generation: 1,
            status: PdbStatus::default(),
        }
    }

    fn act(bench: &mut Bench, owners: &[OwnerId], (what, whom, how): Act) {
        let now = bench.now;
        let pods: Vec<PodId> = bench.store.pods().map(|(id, _)| id).collect();
        let any = (!pods.is_empty()).then(|| pods[whom % pods.len()]);
        let owner = owners.get(how % (owners.len() + 1)).copied();
        match (what % 9, any) {
            (0..3, _) => {
                let name = format!("{}-{}", APPS[how % 3], whom % 4).into();
                let namespace = NAMESPACES[how % 2].into();
                let spec = Arc::new(PodSpec::default());
                let mut pod = Pod::pending(namespace, name, labels(whom), spec, now);
                if what % 9 == 0 {
                    pod.suffix = NameSuffix::new("x2x").unwrap();
                }
                bench.store.create_pod(owner.map_or(pod.clone(), |owner| pod.owned_by(owner)));
            }
            (3, Some(pod)) => _ = bench.store.remove_pod(pod),
            (4, Some(pod)) => bench.store.relabel_pod(pod, labels(how)),
            (5, Some(pod)) => bench.store.set_pod_owner(pod, owner),
            (6, Some(pod)) => bench.store.set_pod_ready(pod, how % 2 == 0, now),
            (7, Some(pod)) => _ = bench.store.mark_pod_deleted(pod, now),
            (8, _) => {
                let known = bench.store.pdbs().next().map(|(id, _)| id);
                match known {
                    Some(id) => bench.store.remove_pdb(id),
                    None => _ = bench.store.create_pdb(budget()),
                }
            }
            _ => {}
        }
    }

    /// What is asked of the store, found by looking at every pod.
    fn recounted(store: &Store, namespace: &str, selector: &Selector) -> (Health, Vec<PodId>) {
        let (mut health, mut found) = (Health::default(), Vec::new());
        let here = |pod: &Pod| *pod.namespace == *namespace && selector.matches(&pod.labels);
        for (id, pod) in store.pods().filter(|(_, pod)| here(pod)) {
            health.add(pod);
            found.push(id);
        }
        (health, found)
    }

    proptest! {
        #[test]
        fn groups_and_names_say_what_looking_at_every_pod_says(
            acts in prop::collection::vec((any::<u8>(), 0usize..50, 0usize..50), 1..80)
        ) {
            let mut bench = Bench::new();
            let owners = [bench.replica_set("a", 1), bench.replica_set("b", 1)];
            for step in acts {
                act(&mut bench, &owners, step);
                let store = &bench.store;
                for (namespace, app) in NAMESPACES.iter().flat_map(|n| APPS.map(|app| (n, app))) {
                    let selector = Selector::from_labels(&Labels::from([("app", app)]));
                    let (health, mut pods) = recounted(store, namespace, &selector);
                    prop_assert_eq!(&store.health_of(namespace, &selector), &health);
                    let mut found: Vec<PodId> =
                        store.pods_matching(namespace, &selector).map(|(id, _)| id).collect();
                    pods.sort_unstable();
                    found.sort_unstable();
                    prop_assert_eq!(found, pods);
                    for name in (0..4).map(|n| format!("{app}-{n}").into()) {
                        let named = |pod: &Pod| {
                            pod.has_own_name() && *pod.namespace == **namespace && pod.name() == name
                        };
                        let is_there = store.pods().any(|(_, pod)| named(pod));
                        let found = store.pod_named(&(*namespace).into(), &name);
                        prop_assert_eq!(found.is_some(), is_there);
                        prop_assert!(found.is_none_or(|id| store.pod(id).is_some_and(named)));
                    }
                }
            }
        }
    }
}
