//! The deployment controller, scaling part.
use super::action::{About, Action, Outcome};
use crate::api::DeploymentId;
use crate::api::event::EventType::Normal;
use crate::api::workload::{ReplicaSet, WorkloadStatus};
use crate::store::Store;
use crate::units::SimTime;

/// Syncs one Deployment.
pub fn sync(id: DeploymentId, store: &Store, _now: SimTime) -> Outcome {
    let mut outcome = Outcome::idle();
    let Some(d) = store.deployment(id) else { return outcome };
    let sets = store.replica_sets_of(id);
    let current = sets
        .iter()
        .find(|s| store.replica_set(**s).is_some_and(|s| s.template.hash == d.template.hash));
    let Some(set_id) = current else {
        let name = format!("{}-{}", d.name, d.template.hash);
        let message = format!("Scaled up replica set {name} from 0 to {}", d.replicas);
        let set = ReplicaSet {
            name: name.into(),
            namespace: d.namespace.clone(),
            owner: Some(id),
            revision: 1,
            replicas: d.replicas,
            selector: d.selector.clone(),
            template: d.template.clone(),
            min_ready: d.min_ready,
            generation: 1,
            created: SimTime::ZERO,
            status: WorkloadStatus::default(),
        };
        outcome.then(Action::CreateReplicaSet { set: Box::new(set) });
        outcome.then(Action::Event {
            kind: Normal,
            reason: "ScalingReplicaSet",
            about: About::Deployment(id),
            message,
        });
        return outcome;
    };
    let Some(set) = store.replica_set(*set_id) else { return outcome };
    if set.replicas != d.replicas {
        let way = if d.replicas > set.replicas { "up" } else { "down" };
        let message = format!(
            "Scaled {way} replica set {} from {} to {}",
            set.name, set.replicas, d.replicas
        );
        outcome.then(Action::ScaleReplicaSet { set: *set_id, replicas: d.replicas });
        outcome.then(Action::Event {
            kind: Normal,
            reason: "ScalingReplicaSet",
            about: About::Deployment(id),
            message,
        });
    }
    let status = WorkloadStatus {
        observed_generation: d.generation,
        updated: set.status.replicas,
        ..set.status
    };
    if status != d.status {
        outcome.then(Action::DeploymentStatus { deployment: id, status });
    }
    outcome
}
