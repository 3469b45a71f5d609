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
