//! The statefulset controller: pods with names that stay, one after the other.
//!
//! Source: kubernetes `pkg/controller/statefulset/` (`stateful_set.go`, `stateful_set_control.go`,
//! `stateful_pod_control.go`, `stateful_set_utils.go`), v1.37, with the gates as they are by
//! default: MaxUnavailableStatefulSet is on, StatefulSetRecreateStrategy off.
//!
//! | file | what lives there |
//! |---|---|
//! | `mod.rs` | one sync from its beginning to its end |
//! | `members.rs` | which pods are the set's, and what a pod of it looks like |
//! | `revisions.rs` | the current revision and the one that is wanted; history |
//! | `places.rs` | each ordinal in its turn; pods that are too many |
//! | `rolling.rs` | pods of an older revision are replaced |
//! | `claims.rs` | the claims of pods |
//! | `request.rs` | what only this controller asks for |

mod claims;
mod members;
mod places;
pub mod request;
mod revisions;
mod rolling;

use super::action::{About, Action, Outcome};
use crate::api::OwnerId;
use crate::api::event::EventType::Normal;
use crate::api::stateful_set::{StatefulSet, StatefulSetStatus, UpdateStrategy};
use crate::store::Store;
use crate::units::SimTime;
use members::Member;
use request::Request;
use revisions::Revisions;

/// Syncs one.
pub fn sync(id: OwnerId, store: &Store, now: SimTime) -> Outcome {
    let Some(set) = store.stateful_set(id) else { return Outcome::idle() };
    let mut sync = Sync::read(id, set, store, now);
    if set.meta.deletion.is_none() {
        sync.reconcile();
    }
    sync.write_status();
    sync.truncate_history();
    sync.outcome
}

/// One sync under way.
struct Sync<'a> {
    id: OwnerId,
    set: &'a StatefulSet,
    store: &'a Store,
    now: SimTime,
    revisions: Revisions,
    /// By place from the first ordinal on: the pod that is there.
    replicas: Vec<Option<Member<'a>>>,
    /// Pods whose ordinals are no longer wanted, the last first.
    condemned: Vec<Member<'a>>,
    status: StatefulSetStatus,
    outcome: Outcome,
}

/// What is asked for at one place: requests of one stage are sent side by side.
#[derive(Debug, Default)]
struct Step {
    stages: Vec<Vec<Action>>,
    /// In order, nothing happens at later places.
    stops: bool,
}

impl Step {
    fn stop() -> Step {
        Step { stages: Vec::new(), stops: true }
    }

    fn then(&mut self, requests: Vec<Action>) {
        if !requests.is_empty() {
            self.stages.push(requests);
        }
    }
}

impl<'a> Sync<'a> {
    fn read(id: OwnerId, set: &'a StatefulSet, store: &'a Store, now: SimTime) -> Sync<'a> {
        let mut outcome = Outcome::idle();
        let members = members::claim(id, set, store, &mut outcome);
        let revisions = revisions::settle(id, set, &mut outcome);
        let mut replicas = vec![None; set.replicas as usize];
        let mut condemned = Vec::new();
        for member in members {
            if set.has_place(member.ordinal) {
                replicas[(member.ordinal - set.first_ordinal) as usize] = Some(member);
            } else {
                condemned.push(member);
            }
        }
        condemned.sort_by_key(|member| std::cmp::Reverse(member.ordinal));
        let status = StatefulSetStatus {
            observed_generation: set.meta.generation,
            current_revision: revisions.current.name.clone(),
            update_revision: revisions.update.name.clone(),
            ..StatefulSetStatus::default()
        };
        let mut sync =
            Sync { id, set, store, now, revisions, replicas, condemned, status, outcome };
        sync.count();
        sync
    }

    /// Brings the pods a step nearer to what is wanted: ordinals in their turn, then what is too
    /// many, then older revisions (`updateStatefulSet`).
    fn reconcile(&mut self) {
        let monotonic = !self.set.is_parallel;
        let last = self.condemned.len();
        let waits = self.run(self.replicas.len(), monotonic, Sync::process_replica)
            || self.run(last, monotonic, Sync::fix_claims_of_condemned)
            || self.run(last, monotonic, Sync::process_condemned);
        if let UpdateStrategy::RollingUpdate { partition, max_unavailable } = self.set.update
            && !waits
        {
            self.roll(partition as usize, max_unavailable);
        }
    }

    /// Goes through places: one by one until one stops, or in batches of 1, 2, 4, ...
    /// (`runForAll`). True when one has stopped the sync.
    fn run(&mut self, places: usize, monotonic: bool, at: fn(&Sync<'a>, usize) -> Step) -> bool {
        let (mut next, mut size) = (0, 1);
        while next < places {
            let end = if monotonic { next + 1 } else { (next + size).min(places) };
            let steps: Vec<Step> = (next..end).map(|place| at(self, place)).collect();
            let stops = monotonic && steps.iter().any(|step| step.stops);
            let stages = steps.iter().map(|step| step.stages.len()).max().unwrap_or(0);
            let mut batches: Vec<Vec<Action>> = (0..stages).map(|_| Vec::new()).collect();
            for step in steps {
                for (batch, requests) in batches.iter_mut().zip(step.stages) {
                    batch.extend(requests);
                }
            }
            self.outcome.batches.extend(batches);
            if stops {
                return true;
            }
            (next, size) = (end, (2 * size).min(MAX_BATCH));
        }
        false
    }

    fn members(&self) -> impl Iterator<Item = &Member<'a>> {
        self.replicas.iter().flatten().chain(&self.condemned)
    }

    /// The counts that the pods make (`computeReplicaStatus`).
    fn count(&mut self) {
        let mut status = self.status.clone();
        for member in self.members() {
            status.replicas += 1;
            status.ready += u32::from(member.is_ready());
            status.available += u32::from(member.is_ready() && self.is_available(member));
            if !member.is_terminating() {
                let revision = member.revision();
                status.current += u32::from(*revision == *status.current_revision);
                status.updated += u32::from(*revision == *status.update_revision);
            }
        }
        self.status = status;
    }

    /// Ready for `minReadySeconds`, counted from the whole second that the API keeps.
    fn is_available(&self, member: &Member<'_>) -> bool {
        member.pod.ready && self.available_from(member) <= self.now
    }

    fn available_from(&self, member: &Member<'_>) -> SimTime {
        if self.set.min_ready.0 == 0 {
            return SimTime::ZERO;
        }
        SimTime::from_secs(member.pod.ready_changed.whole_secs()) + self.set.min_ready
    }

    /// Writes the status if it says anything new; an update is complete when all pods are ready and
    /// of its revision (`completeUpdate`, `inconsistentStatus`). Looks again when the next pod is
    /// available.
    fn write_status(&mut self) {
        let wanted = self.set.replicas;
        let status = &mut self.status;
        if status.updated == wanted && status.ready == wanted && status.replicas == wanted {
            status.current = status.updated;
            status.current_revision = status.update_revision.clone();
        }
        if self.status != self.set.status {
            let (set, status) = (self.id, self.status.clone());
            self.ask(Request::Status { set, status });
        }
        let soon = self.members().filter(|member| member.pod.ready && !self.is_available(member));
        let next = soon.map(|member| self.available_from(member)).min();
        self.outcome.wake(next.unwrap_or(SimTime::NEVER));
    }

    fn ask(&mut self, request: Request) {
        self.outcome.then(request.into());
    }

    fn delete(&self, member: &Member<'_>) -> Vec<Action> {
        let delete = Action::DeletePod { pod: member.id, grace: None, reason: "ScaleDown" };
        vec![delete, self.tell("Delete", &member.pod.name())]
    }

    /// The Event that tells of something done with a pod.
    fn tell(&self, verb: &'static str, pod: &str) -> Action {
        let reason = match verb {
            "Delete" => "SuccessfulDelete",
            _ => "SuccessfulUpdate",
        };
        let message = format!("{verb} Pod {pod} in StatefulSet {} successful", self.set.meta.name);
        Action::Event { kind: Normal, reason, about: About::Owner(self.id), message }
    }
}

/// Most requests of a batch (`MaxBatchSize`).
const MAX_BATCH: usize = 500;

#[cfg(test)]
mod tests;
