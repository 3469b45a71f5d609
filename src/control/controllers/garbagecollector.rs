//! The garbage collector: what becomes of objects whose owner goes.
//!
//! Source: kubernetes `pkg/controller/garbagecollector/garbagecollector.go` (`attemptToDeleteItem`,
//! `processDeletingDependentsItem`, `orphanDependents`), v1.37, and recordings. Upstream keeps a
//! graph of all objects; here the store knows who controls whom, and this is told what to look at.

use super::action::{Action, Outcome};
use super::statefulset::request::Request;
use crate::api::meta::Propagation;
use crate::api::owner::Owner;
use crate::api::stateful_set::{Claim, ClaimOwner};
use crate::api::{ClaimId, CronJobId, DeploymentId, OwnerId, PodId};
use crate::store::Store;
use std::collections::BTreeSet;

/// An object to look at: its owner is gone, or it is being deleted itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Item {
    /// A pod.
    Pod(PodId),
    /// What controls pods.
    Owner(OwnerId),
    /// A Deployment.
    Deployment(DeploymentId),
    /// A CronJob.
    CronJob(CronJobId),
    /// A claim of a StatefulSet or of a pod.
    Claim(ClaimId),
}

/// What it has been told to look at.
#[derive(Debug, Default)]
pub struct GarbageCollector {
    items: BTreeSet<Item>,
}

impl GarbageCollector {
    /// Something has happened to an object.
    pub fn look_at(&mut self, item: Item) {
        self.items.insert(item);
    }

    /// Looks at everything that it was told of.
    pub fn sync(&mut self, store: &Store) -> Outcome {
        let mut outcome = Outcome::idle();
        let mut requests = Vec::new();
        for item in std::mem::take(&mut self.items) {
            match deletion_of(item, store) {
                None => {}
                Some(None) => requests.extend(delete(item, store)),
                Some(Some(propagation)) => {
                    dismiss(item, propagation, store, &mut requests);
                }
            }
        }
        if !requests.is_empty() {
            outcome.batches.push(requests);
        }
        outcome
    }
}

/// Whether an object is there, and how it is being deleted.
fn deletion_of(item: Item, store: &Store) -> Option<Option<Propagation>> {
    match item {
        Item::Pod(id) => store.pod(id).map(|_| None),
        Item::Owner(id) => store.owner(id).map(Owner::deletion),
        Item::Deployment(id) => store.deployment(id).map(|d| d.deletion),
        Item::CronJob(id) => store.cron_job(id).map(|job| job.meta.deletion),
        Item::Claim(id) => {
            store.claim(id).filter(|claim| owner_is_gone(claim, store)).map(|_| None)
        }
    }
}

fn owner_is_gone(claim: &Claim, store: &Store) -> bool {
    match claim.owner {
        None => false,
        Some(ClaimOwner::Set(set)) => store.owner(set).is_none(),
        Some(ClaimOwner::Pod(pod)) => store.pod(pod).is_none(),
    }
}

/// The deletion of an object whose owner is gone.
fn delete(item: Item, store: &Store) -> Option<Action> {
    match item {
        Item::Pod(pod) => {
            let pod_is_marked = store.pod(pod).is_none_or(|p| p.deletion.is_some());
            (!pod_is_marked).then_some(Action::DeletePod {
                pod,
                grace: None,
                reason: "GarbageCollected",
            })
        }
        Item::Owner(owner) => {
            Some(Action::DeleteOwner { owner, propagation: Propagation::Background })
        }
        Item::Claim(claim) => Some(Request::DeleteClaim(claim).into()),
        Item::Deployment(_) | Item::CronJob(_) => None,
    }
}

/// The claims that go with a StatefulSet.
fn claims_of(id: OwnerId, store: &Store) -> impl Iterator<Item = Item> {
    let its = move |claim: &Claim| claim.owner == Some(ClaimOwner::Set(id));
    store.claims().filter(move |(_, claim)| its(claim)).map(|(claim, _)| Item::Claim(claim))
}

/// Deals with the dependents of an object that is being deleted, and lets it go when none is left.
fn dismiss(item: Item, propagation: Propagation, store: &Store, requests: &mut Vec<Action>) {
    let dependents: Vec<Item> = match item {
        Item::Pod(_) | Item::Claim(_) => Vec::new(),
        Item::Owner(id) => {
            let pods = store.pods_of(id).iter().copied().map(Item::Pod);
            pods.chain(claims_of(id, store)).collect()
        }
        Item::Deployment(id) => {
            store.replica_sets_of(id).iter().copied().map(Item::Owner).collect()
        }
        Item::CronJob(id) => store.jobs_of(id).iter().copied().map(Item::Owner).collect(),
    };
    if dependents.is_empty() {
        requests.push(Action::RemoveFinalizer { item });
        return;
    }
    if propagation == Propagation::Orphan {
        // Looked at again when they are released.
        requests.extend(dependents.into_iter().map(|dependent| match dependent {
            Item::Pod(pod) => Action::ReleasePod { pod },
            Item::Owner(owner) => Action::ReleaseOwner { owner },
            Item::Claim(claim) => Request::ClaimOwner { claim, owner: None }.into(),
            Item::Deployment(_) | Item::CronJob(_) => unreachable!("nobody controls it"),
        }));
        return;
    }
    for dependent in dependents {
        match dependent {
            // One with dependents of its own waits for them likewise.
            Item::Owner(owner) if store.owner(owner).is_some_and(|o| o.deletion().is_none()) => {
                let has_pods = !store.pods_of(owner).is_empty();
                let propagation =
                    if has_pods { Propagation::Foreground } else { Propagation::Background };
                requests.push(Action::DeleteOwner { owner, propagation });
            }
            pod @ Item::Pod(_) => requests.extend(delete(pod, store)),
            Item::Claim(claim) if store.claim(claim).is_some_and(|c| !c.is_deleted) => {
                requests.push(Request::DeleteClaim(claim).into());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::controllers::testing::Bench;

    /// A Deployment, its ReplicaSet, and a pod of that.
    struct Family {
        bench: Bench,
        deployment: DeploymentId,
        set: OwnerId,
        pod: PodId,
    }

    impl Family {
        fn new() -> Family {
            let mut bench = Bench::new();
            let deployment = bench.deployment("web", 1);
            let set = bench.replica_set_of("web", 1, Some(deployment));
            let pod = bench.pod(set);
            Family { bench, deployment, set, pod }
        }

        fn set_goes(&mut self, propagation: Propagation) -> Item {
            self.bench.store.update_owner(self.set, |owner| {
                owner.set_deletion(propagation);
                true
            });
            Item::Owner(self.set)
        }

        fn deployment_goes(&mut self, propagation: Propagation) -> Item {
            self.bench.store.update_deployment(self.deployment, |d| {
                d.deletion = Some(propagation);
                true
            });
            Item::Deployment(self.deployment)
        }

        fn remove_pod(&mut self) {
            self.bench.store.remove_pod(self.pod);
        }
    }

    fn asked(action: &Action) -> String {
        match action {
            Action::DeletePod { grace: None, .. } => "delete the pod".to_owned(),
            Action::DeleteOwner { propagation, .. } => format!("delete the set, {propagation:?}"),
            Action::ReleasePod { .. } => "release the pod".to_owned(),
            Action::ReleaseOwner { .. } => "release the set".to_owned(),
            Action::RemoveFinalizer { .. } => "let it go".to_owned(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn dependents_go_as_they_are_to_go() {
        use Propagation::{Foreground, Orphan};
        type Row = (&'static str, fn(&mut Family) -> Item, &'static [&'static str]);
        let rows: [Row; 12] = [
            (
                "a pod whose owner is gone goes, with all its grace",
                |f| {
                    f.bench.store.remove_owner(f.set);
                    Item::Pod(f.pod)
                },
                &["delete the pod"],
            ),
            (
                "one that goes already is left alone",
                |f| {
                    f.bench.store.mark_pod_deleted(f.pod, f.bench.now);
                    Item::Pod(f.pod)
                },
                &[],
            ),
            (
                "one that is gone is forgotten",
                |f| {
                    f.remove_pod();
                    Item::Pod(f.pod)
                },
                &[],
            ),
            (
                "a ReplicaSet whose Deployment is gone goes, and its pods after it",
                |f| {
                    f.bench.store.remove_deployment(f.deployment);
                    Item::Owner(f.set)
                },
                &["delete the set, Background"],
            ),
            ("in the foreground pods go first", |f| f.set_goes(Foreground), &["delete the pod"]),
            (
                "they are asked once",
                |f| {
                    f.bench.store.mark_pod_deleted(f.pod, f.bench.now);
                    f.set_goes(Foreground)
                },
                &[],
            ),
            (
                "and the ReplicaSet when they have gone",
                |f| {
                    f.remove_pod();
                    f.set_goes(Foreground)
                },
                &["let it go"],
            ),
            ("orphans stay", |f| f.set_goes(Orphan), &["release the pod"]),
            (
                "in the foreground a ReplicaSet with pods waits for them",
                |f| f.deployment_goes(Foreground),
                &["delete the set, Foreground"],
            ),
            (
                "one without has nothing to wait for",
                |f| {
                    f.remove_pod();
                    f.deployment_goes(Foreground)
                },
                &["delete the set, Background"],
            ),
            (
                "one that waits already is not asked again",
                |f| {
                    f.set_goes(Foreground);
                    f.deployment_goes(Foreground)
                },
                &[],
            ),
            ("a Deployment's orphans stay", |f| f.deployment_goes(Orphan), &["release the set"]),
        ];
        for (sentence, act, expected) in rows {
            let mut family = Family::new();
            let item = act(&mut family);
            let mut collector = GarbageCollector::default();
            collector.look_at(item);
            let outcome = collector.sync(&family.bench.store);
            let found: Vec<String> = outcome.batches.iter().flatten().map(asked).collect();
            assert_eq!(found, expected, "{sentence}");
            let again = collector.sync(&family.bench.store);
            assert!(again.batches.is_empty(), "{sentence}: what was looked at is not again");
        }
    }
}
