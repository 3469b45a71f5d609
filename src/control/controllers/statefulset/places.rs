//! Each ordinal in its turn, and the pods that are too many.

use super::members::{Member, identity};
use super::request::Request;
use super::{Step, Sync};
use crate::api::pod::PodPhase;

impl<'a> Sync<'a> {
    /// One place that is to have a pod (`processReplica`).
    pub(super) fn process_replica(&self, place: usize) -> Step {
        let Some(member) = &self.replicas[place] else { return self.create(place) };
        let mut step = Step::default();
        if member.pod.phase.is_terminal() {
            // Its successor comes when the object is gone.
            step.stops = true;
            if !member.is_terminating() {
                step.then(self.delete(member));
            }
            return step;
        }
        if member.pod.phase == PodPhase::Pending {
            self.make_claims(member.ordinal, &mut step);
            self.own_claims(member.ordinal, Some(member.id), false, &mut step);
        }
        let is_settled = !member.is_terminating() && member.is_ready() && self.is_available(member);
        if !is_settled && !self.set.is_parallel {
            step.stops = true;
            return step;
        }
        self.enforce(member, &mut step);
        step
    }

    /// A pod is what a pod of the set should be (`UpdateStatefulPod`).
    fn enforce(&self, member: &Member<'a>, step: &mut Step) {
        let has_identity = self.has_identity(member);
        let has_claims = self.claims_are_owned(member.ordinal, Some(member.id), false);
        if has_identity && has_claims {
            return;
        }
        if !has_claims {
            self.own_claims(member.ordinal, Some(member.id), false, step);
        }
        let labels = match has_identity {
            true => member.pod.labels.clone(),
            false => identity(member),
        };
        let update = Request::Relabel { pod: member.id, labels }.into();
        let update = vec![update, self.tell("Update", &member.pod.name())];
        step.then(update);
    }

    /// A pod where there is none; its claims come first (`CreateStatefulPod`).
    fn create(&self, place: usize) -> Step {
        let ordinal = self.set.first_ordinal + place as u32;
        if self.has_stale_claim(ordinal) {
            return Step::stop();
        }
        let mut step = Step { stages: Vec::new(), stops: true };
        self.tell_of_leaving_claims(ordinal, &mut step);
        self.make_claims(ordinal, &mut step);
        step.then(vec![self.new_pod(place)]);
        self.own_claims(ordinal, None, false, &mut step);
        step
    }

    /// Claims of a pod that goes are to go as the policy says.
    pub(super) fn fix_claims_of_condemned(&self, at: usize) -> Step {
        let member = &self.condemned[at];
        let mut step = Step::default();
        if !self.claims_are_owned(member.ordinal, Some(member.id), true) {
            self.own_claims(member.ordinal, Some(member.id), true, &mut step);
        }
        step
    }

    /// One pod that is too many. In order it goes when those before it are well, or when it is the
    /// first that is not (`processCondemned`).
    pub(super) fn process_condemned(&self, at: usize) -> Step {
        let member = &self.condemned[at];
        if member.is_terminating() {
            return Step::stop();
        }
        let is_well = member.is_ready() && self.is_available(member);
        if !is_well && !self.set.is_parallel && !self.is_first_unavailable(at) {
            return Step::stop();
        }
        let mut step = Step { stages: Vec::new(), stops: true };
        step.then(self.delete(member));
        step
    }

    /// Whether of all pods the condemned one at `at` is the first that is not available.
    fn is_first_unavailable(&self, at: usize) -> bool {
        let of_replicas = self.replicas.iter().any(|place| self.is_unavailable(place.as_ref()));
        let mut before = self.condemned[at + 1..].iter();
        !of_replicas && !before.any(|member| self.is_unavailable(Some(member)))
    }

    /// Not there, not available, or going.
    pub(super) fn is_unavailable(&self, member: Option<&Member<'a>>) -> bool {
        member.is_none_or(|member| member.is_terminating() || !self.is_available(member))
    }
}
