//! Which pods are a set's (adoption and release), and what a pod of it looks like.

use super::Sync;
use crate::api::event::EventType::Normal;
use crate::api::labels::Labels;
use crate::api::pod::{Pod, PodPhase};
use crate::api::stateful_set::{POD_INDEX_LABEL, POD_NAME_LABEL, REVISION_LABEL, StatefulSet};
use crate::api::{OwnerId, PodId};
use crate::control::controllers::action::{About, Action, NewName, NewPod, Outcome};
use crate::store::Store;

/// A pod of the set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member<'a> {
    pub(super) id: PodId,
    pub(super) pod: &'a Pod,
    pub(super) ordinal: u32,
}

impl Member<'_> {
    pub(super) fn is_terminating(&self) -> bool {
        self.pod.deletion.is_some()
    }

    /// Running and Ready.
    pub(super) fn is_ready(&self) -> bool {
        self.pod.phase == PodPhase::Running && self.pod.ready
    }

    /// The name of its revision; empty when nobody said one.
    pub(super) fn revision(&self) -> &str {
        self.pod.labels.get(REVISION_LABEL).map_or("", |name| name)
    }
}

/// The set's pods. Those that it owns and that no longer match are let go, those of nobody that
/// match are adopted (`ClaimPods`); a set that is being deleted does neither.
pub(super) fn claim<'a>(
    id: OwnerId,
    set: &StatefulSet,
    store: &'a Store,
    outcome: &mut Outcome,
) -> Vec<Member<'a>> {
    let member = |(id, pod): (PodId, &'a Pod)| {
        let ordinal = set.ordinal_of(&pod.name())?;
        set.selector.matches(&pod.labels).then_some(Member { id, pod, ordinal })
    };
    let mut members = Vec::new();
    let stays = set.meta.deletion.is_none();
    for pod_id in store.pods_of(id) {
        let Some(pod) = store.pod(*pod_id) else { continue };
        match member((*pod_id, pod)) {
            Some(member) => members.push(member),
            None if stays => outcome.then(Action::ReleasePod { pod: *pod_id }),
            None => {}
        }
    }
    let orphans = store.orphans().filter_map(|id| Some((id, store.pod(id)?)));
    let orphans = orphans
        .filter(|(_, pod)| stays && pod.namespace == set.meta.namespace && pod.deletion.is_none());
    for orphan in orphans.filter_map(member) {
        outcome.then(Action::AdoptPod { pod: orphan.id, owner: id });
        members.push(orphan);
    }
    members
}

/// The Event once a pod has been created.
fn created(owner: OwnerId, pod: &str) -> Action {
    let set = pod.rsplit_once('-').map_or(pod, |(set, _)| set);
    let message = format!("Create Pod {pod} in StatefulSet {set} successful");
    let about = About::Owner(owner);
    Action::Event { kind: Normal, reason: "SuccessfulCreate", about, message }
}

impl Sync<'_> {
    /// A new pod at a place, of the revision that it gets there.
    pub(super) fn new_pod(&self, place: usize) -> Action {
        let ordinal = self.set.first_ordinal + place as u32;
        let revision = self.revision_at(place);
        let name = self.set.pod_name(ordinal);
        let own = [
            (REVISION_LABEL.into(), revision.name.clone()),
            (POD_NAME_LABEL.into(), name.clone()),
            (POD_INDEX_LABEL.into(), ordinal.to_string().into()),
        ];
        let labels = revision.template.labels.iter().map(|(k, v)| (k.clone(), v.clone()));
        let pod = NewPod {
            name: NewName::Is(name),
            labels: Labels::new(labels.chain(own).collect()),
            spec: self.spec_of(ordinal, &revision.template.spec),
            is_tracked: false,
            created,
        };
        Action::CreatePodAs { owner: self.id, pod: Box::new(pod) }
    }

    /// Whether a pod has the label of its name (`identityMatches`).
    pub(super) fn has_identity(&self, member: &Member<'_>) -> bool {
        let name = member.pod.labels.get(POD_NAME_LABEL);
        name.is_some_and(|name| *name == member.pod.name())
    }
}

/// A pod's labels with those of its identity (`updateIdentity`).
pub(super) fn identity(member: &Member<'_>) -> Labels {
    let labels = member.pod.labels.with(POD_NAME_LABEL, member.pod.name());
    labels.with(POD_INDEX_LABEL, member.ordinal.to_string())
}
