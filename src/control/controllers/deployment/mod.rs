//! The deployment controller: which ReplicaSets a Deployment has, and how large each shall be.
//!
//! Source: kubernetes `pkg/controller/deployment/` (`deployment_controller.go`, `sync.go`,
//! `rolling.go`, `recreate.go`, `util/deployment_util.go`), v1.37. It is a function of the
//! Deployment and the specs and statuses of its ReplicaSets; only `Recreate` looks at pods.

mod conditions;
mod recreate;
mod rolling;
mod scaling;

use super::action::{About, Action, Outcome};
use crate::api::event::EventType::Normal;
use crate::api::labels::{Operator, Requirement, Selector};
use crate::api::workload::{
    Condition, Deployment, REPLICA_FAILURE, ReplicaSet, Strategy, WorkloadStatus,
};
use crate::api::{DeploymentId, OwnerId};
use crate::store::Store;
use crate::units::SimTime;

/// Longest name of a ReplicaSet (`DNS1123SubdomainMaxLength`).
const NAME_LENGTH: usize = 253;

/// Syncs one Deployment.
pub fn sync(id: DeploymentId, store: &Store, now: SimTime) -> Outcome {
    let Some(deployment) = store.deployment(id) else { return Outcome::idle() };
    let mut sync = Sync::read(id, deployment, store, now);
    if deployment.deletion.is_some() {
        sync.write_status();
        return sync.outcome;
    }
    let claims = sync.claims();
    if !claims.is_empty() {
        // Counted when they have come back.
        sync.outcome.batches.push(claims);
        return sync.outcome;
    }
    sync.note_pause();
    if sync.refresh_new_set() {
        return sync.outcome;
    }
    sync.note_new_set();
    if deployment.paused {
        sync.scale();
        sync.clean_up_history();
        sync.write_status();
    } else if sync.is_scaling_event() {
        sync.scale();
        sync.write_status();
    } else {
        match deployment.strategy {
            Strategy::Recreate => sync.recreate(),
            Strategy::RollingUpdate { .. } => sync.roll(),
        }
    }
    sync.outcome
}

/// A ReplicaSet as this sync sees it.
#[derive(Clone, Debug)]
struct Set {
    /// `None` while its creation is only asked for.
    id: Option<OwnerId>,
    name: String,
    /// `creationTimestamp`, whole seconds; of equal ones the name decides.
    created: u64,
    revision: u64,
    /// `spec.replicas`, what this sync asks for included.
    replicas: u32,
    desired: u32,
    max: u32,
    observed: bool,
    status: WorkloadStatus,
    /// Its condition `ReplicaFailure`.
    failure: Option<Condition>,
}

impl Set {
    fn of(id: OwnerId, set: &ReplicaSet) -> Set {
        Set {
            id: Some(id),
            name: set.name.to_string(),
            created: set.created.whole_secs(),
            revision: set.revision,
            replicas: set.replicas,
            desired: set.desired_replicas,
            max: set.max_replicas,
            observed: set.status.observed_generation >= set.generation,
            status: set.status,
            failure: set.conditions.iter().find(|c| c.kind == REPLICA_FAILURE).cloned(),
        }
    }

    fn age(&self) -> (u64, &str) {
        (self.created, &self.name)
    }
}

/// One sync under way.
struct Sync<'a> {
    id: DeploymentId,
    deployment: &'a Deployment,
    store: &'a Store,
    /// The set with the Deployment's template, if there is one.
    new: Option<Set>,
    /// All others, oldest first.
    old: Vec<Set>,
    now: SimTime,
    /// `status.conditions`, what this sync sets included.
    conditions: Vec<Condition>,
    /// The Deployment's revision, likewise.
    revision: u64,
    outcome: Outcome,
}

impl<'a> Sync<'a> {
    fn read(
        id: DeploymentId,
        deployment: &'a Deployment,
        store: &'a Store,
        now: SimTime,
    ) -> Sync<'a> {
        let (mut new, mut old): (Option<Set>, Vec<Set>) = (None, Vec::new());
        for set_id in store.replica_sets_of(id) {
            let Some(set) = store.replica_set(*set_id) else { continue };
            let view = Set::of(*set_id, set);
            // Of several with this template the oldest counts as the new one.
            let is_new = set.template.hash == deployment.template.hash;
            if !is_new || new.as_ref().is_some_and(|first| first.age() <= view.age()) {
                old.push(view);
            } else {
                old.extend(new.replace(view));
            }
        }
        old.sort_by(|a, b| a.age().cmp(&b.age()));
        let (conditions, revision) = (deployment.conditions.clone(), deployment.revision);
        let outcome = Outcome::idle();
        Sync { id, deployment, store, new, old, now, conditions, revision, outcome }
    }

    /// Keeps the new set's revision the greatest, and its `minReadySeconds` that of the Deployment.
    /// True when that needed a write: upstream's sync then ends in a conflict and is repeated.
    fn refresh_new_set(&mut self) -> bool {
        let revision = self.next_revision();
        let Some(new) = &self.new else { return false };
        let Some(set) = new.id else { return false };
        let min_ready = self.deployment.min_ready;
        let same = self.store.replica_set(set).is_some_and(|set| set.min_ready == min_ready);
        if new.revision >= revision && same {
            return false;
        }
        let revision = revision.max(new.revision);
        self.outcome.then(Action::SetRevision { set, revision, min_ready });
        true
    }

    /// Adoptions of ReplicaSets that nobody controls and that its selector matches
    /// (`ClaimReplicaSets`).
    fn claims(&self) -> Vec<Action> {
        let (id, d) = (self.id, self.deployment);
        let matches = |set: &ReplicaSet| {
            set.namespace == d.namespace
                && set.deletion.is_none()
                && d.selector.matches(&set.template.labels)
        };
        let sets = self.store.bare_sets().filter(|(_, set)| matches(set));
        sets.map(|(set, _)| Action::AdoptSet { set, deployment: id }).collect()
    }

    fn next_revision(&self) -> u64 {
        self.old.iter().map(|set| set.revision).max().unwrap_or(0) + 1
    }

    /// Whether the Deployment has been scaled since its sets were.
    fn is_scaling_event(&self) -> bool {
        self.all().any(|set| set.replicas > 0 && set.desired != self.deployment.replicas)
    }

    fn all(&self) -> impl Iterator<Item = &Set> {
        self.old.iter().chain(&self.new)
    }

    /// `spec.replicas` of all sets together.
    fn total(&self) -> u32 {
        self.all().map(|set| set.replicas).sum()
    }

    /// `status.availableReplicas` of all sets together.
    fn available(&self) -> u32 {
        self.all().map(|set| set.status.available).sum()
    }

    /// Makes sure that there is a new set (`getNewReplicaSet`).
    fn ensure_new_set(&mut self) {
        if self.new.is_some() {
            return;
        }
        let replicas = self.replicas_of_new();
        let set = self.make_set(replicas);
        let view = Set {
            id: None,
            name: set.name.to_string(),
            created: u64::MAX,
            revision: set.revision,
            replicas,
            desired: set.desired_replicas,
            max: set.max_replicas,
            observed: false,
            status: WorkloadStatus::default(),
            failure: None,
        };
        let message = format!("Scaled up replica set {} from 0 to {replicas}", set.name);
        self.outcome.then(Action::CreateReplicaSet { set: Box::new(set) });
        if replicas > 0 {
            self.tell(message);
        }
        self.note_created_set(&view.name, view.revision);
        self.new = Some(view);
    }

    fn make_set(&self, replicas: u32) -> ReplicaSet {
        let d = self.deployment;
        let hash = &d.template.hash;
        let room = NAME_LENGTH.saturating_sub(hash.len() + 1);
        let stem = d.name.get(..room).unwrap_or(&d.name);
        let requirement = Requirement {
            key: "pod-template-hash".into(),
            operator: Operator::In,
            values: vec![hash.clone()],
        };
        let selector = match &d.selector {
            Selector::Nothing => Selector::Nothing,
            Selector::All(all) => Selector::All(all.iter().cloned().chain([requirement]).collect()),
        };
        let mut template = d.template.clone();
        template.labels = template.labels.with("pod-template-hash", hash.clone());
        ReplicaSet {
            name: format!("{stem}-{hash}").into(),
            namespace: d.namespace.clone(),
            is_controller: false,
            owner: Some(self.id),
            revision: self.next_revision(),
            desired_replicas: d.replicas,
            max_replicas: d.replicas + max_surge(d),
            replicas,
            selector,
            template,
            min_ready: d.min_ready,
            generation: 1,
            created: SimTime::ZERO,
            status: WorkloadStatus::default(),
            conditions: Vec::new(),
            deletion: None,
        }
    }

    fn tell(&mut self, message: String) {
        let about = About::Deployment(self.id);
        let reason = "ScalingReplicaSet";
        self.outcome.then(Action::Event { kind: Normal, reason, about, message });
    }

    /// Whether the stored status says that the rollout is done (`DeploymentComplete`).
    fn is_complete(&self) -> bool {
        self.would_be_complete(&self.deployment.status)
    }

    fn would_be_complete(&self, status: &WorkloadStatus) -> bool {
        let wanted = self.deployment.replicas;
        status.updated == wanted
            && status.replicas == wanted
            && status.available == wanted
            && status.observed_generation >= self.deployment.generation
    }
}

/// Surge and unavailability in pods; both zero would be a deadlock, so then one pod may be away
/// (`ResolveFenceposts`).
fn fenceposts(d: &Deployment) -> (u32, u32) {
    let Strategy::RollingUpdate { max_surge, max_unavailable } = d.strategy else {
        return (0, 0);
    };
    let surge = max_surge.of(d.replicas, true);
    let unavailable = max_unavailable.of(d.replicas, false);
    if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable) }
}

fn max_surge(d: &Deployment) -> u32 {
    fenceposts(d).0
}

fn max_unavailable(d: &Deployment) -> u32 {
    fenceposts(d).1.min(d.replicas)
}

#[cfg(test)]
mod tests;
