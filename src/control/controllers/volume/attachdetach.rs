//! The attachdetach controller: a volume goes to the nodes whose pods use it, and from those where
//! none does.
//!
//! Source: kubernetes `pkg/controller/volume/attachdetach/` (`reconciler/reconciler.go`, `cache/`),
//! v1.37. A volume that its node says it uses is not detached: the node may write to it. If the
//! node is not ready, that lasts for six minutes; if somebody says that it is out of service, it
//! lasts not at all.
//!
//! Upstream's loop looks at every volume each 100 ms. Here one is looked at when something about it
//! has changed, at the instant of that loop, or when its six minutes are over.

use super::persistentvolume::event;
use super::request::Request;
use crate::api::node::NodeReady;
use crate::api::pod::{Pod, PodPhase};
use crate::api::storage::PersistentVolume;
use crate::api::{AttachmentId, PodId, Text, VolumeId};
use crate::control::controllers::action::{About, Action, Outcome};
use crate::control::controllers::podgc::OUT_OF_SERVICE;
use crate::store::{Attachment, Store};
use crate::units::{SimDuration, SimTime};
use std::collections::{BTreeMap, BTreeSet};

/// `ReconcilerLoopPeriod`
pub const LOOP_PERIOD: SimDuration = SimDuration::from_millis(100);
/// `ReconcilerMaxWaitForUnmountDuration`
pub const MAX_WAIT_FOR_UNMOUNT: SimDuration = SimDuration::from_secs(360);

/// The controller's memory.
#[derive(Debug, Default)]
pub struct AttachDetach {
    /// Volumes about which something has changed.
    changed: BTreeSet<VolumeId>,
    /// Since when a detachment has been wanted (`DetachRequestedTime`).
    wanted: BTreeMap<AttachmentId, SimTime>,
    /// Volumes and nodes of which it has been told that a volume is attached elsewhere.
    told: BTreeSet<(VolumeId, Text)>,
}

/// Whether a volume is attached to nodes at all before it is mounted.
pub fn is_attachable(volume: &PersistentVolume, store: &Store) -> bool {
    let attaches = |driver| store.csi_driver(driver).is_none_or(|driver| driver.attaches);
    volume.driver().is_some_and(|driver| attaches(driver))
}

/// The nodes that want a volume, by name, each with the pods that do.
fn wanted_by(volume: &PersistentVolume, store: &Store) -> BTreeMap<Text, Vec<PodId>> {
    let mut nodes: BTreeMap<Text, Vec<PodId>> = BTreeMap::new();
    let claim = volume.claim.as_ref().and_then(|reference| {
        let (_, claim) = store.claim_named(&reference.name)?;
        (claim.is_bound() && claim.volume == volume.name && claim.uid == reference.uid)
            .then_some(&claim.name)
    });
    for (id, pod) in claim.into_iter().flat_map(|claim| store.users_of(claim)) {
        let node = pod.node.and_then(|node| store.name_of_node(node));
        if let Some(node) = node.filter(|_| !is_terminated(pod)) {
            nodes.entry(node.clone()).or_default().push(id);
        }
    }
    nodes
}

/// `IsPodTerminated`: none of its containers runs any more, or ever will.
fn is_terminated(pod: &Pod) -> bool {
    pod.phase.is_terminal() || (pod.deletion.is_some() && pod.phase == PodPhase::Pending)
}

impl AttachDetach {
    /// Something about a volume has changed: its pods, its nodes, its attachments.
    pub fn look_at(&mut self, volume: VolumeId) {
        self.changed.insert(volume);
    }

    /// Whether a detachment is wanted that waits for its node.
    pub fn waits_for(&self, attachment: AttachmentId) -> bool {
        self.wanted.contains_key(&attachment)
    }

    /// Looks at all volumes about which something has changed.
    pub fn sync(&mut self, store: &Store, now: SimTime) -> Outcome {
        let mut outcome = Outcome::idle();
        let (mut reports, mut requests) = (Vec::new(), Vec::new());
        for id in std::mem::take(&mut self.changed) {
            let mut look = Look { id, now, outcome: &mut outcome, reports: Vec::new() };
            requests.extend(look.reconcile(self, store));
            reports.append(&mut look.reports);
        }
        self.wanted.retain(|id, _| store.attachment(*id).is_some());
        // What the nodes' statuses say comes before a volume is detached.
        outcome.batches.extend([reports, requests].into_iter().filter(|batch| !batch.is_empty()));
        outcome
    }
}

/// One volume.
struct Look<'a> {
    id: VolumeId,
    now: SimTime,
    outcome: &'a mut Outcome,
    reports: Vec<Action>,
}

impl Look<'_> {
    fn reconcile(&mut self, memory: &mut AttachDetach, store: &Store) -> Vec<Action> {
        let volume = store.volume(self.id).cloned();
        let volume = volume.as_deref().filter(|volume| is_attachable(volume, store));
        let nodes = volume.map(|volume| wanted_by(volume, store)).unwrap_or_default();
        memory.told.retain(|(id, node)| *id != self.id || nodes.contains_key(node));
        let mut requests = Vec::new();
        // An operation on a volume keeps others off it.
        let mut is_busy = false;
        for (id, attachment) in store.attachments_of(self.id) {
            let object = &attachment.object;
            is_busy |= object.is_deleted || !object.is_attached;
            if object.is_deleted || !object.is_attached {
                continue;
            }
            if let Some(pods) = nodes.get(&object.node) {
                memory.wanted.remove(&id);
                if !attachment.is_reported {
                    self.report(id, volume, pods);
                }
            } else if self.may_detach(id, attachment, memory, store) {
                is_busy = true;
                if attachment.is_reported {
                    let report = Request::Report { attachment: id, is_attached: false };
                    self.reports.push(report.into());
                }
                requests.push(Request::Detach { attachment: id }.into());
            }
        }
        let Some(volume) = volume else { return requests };
        for (node, pods) in &nodes {
            if store.attachment_to(self.id, node).is_some() || store.node_of_name(node).is_none() {
                continue;
            }
            let is_shared = volume.may_be_shared();
            if !is_shared && is_busy {
                continue;
            }
            if !is_shared && store.attachments_of(self.id).next().is_some() {
                if memory.told.insert((self.id, node.clone())) {
                    self.tell_of_other_node(volume, node, pods, &nodes, store);
                }
                continue;
            }
            requests.push(Request::Attach { volume: self.id, node: node.clone() }.into());
            is_busy = true;
        }
        requests
    }

    /// A volume is attached: its pods are told, and its node.
    fn report(&mut self, id: AttachmentId, volume: Option<&PersistentVolume>, pods: &[PodId]) {
        let name = volume.map_or("", |volume| &volume.name);
        for pod in pods {
            let message = format!("AttachVolume.Attach succeeded for volume {name:?} ");
            self.say(false, "SuccessfulAttachVolume", *pod, message);
        }
        self.reports.push(Request::Report { attachment: id, is_attached: true }.into());
    }

    fn say(&mut self, warns: bool, reason: &'static str, pod: PodId, message: String) {
        self.outcome.then(event(warns, reason, About::Pod(pod), message));
    }

    /// Whether a volume that nobody wants on its node may be detached: the node does not use it, or
    /// is not trusted to say so any more.
    fn may_detach(
        &mut self,
        id: AttachmentId,
        attachment: &Attachment,
        memory: &mut AttachDetach,
        store: &Store,
    ) -> bool {
        let since = *memory.wanted.entry(id).or_insert(self.now);
        let name = &attachment.object.node;
        if !store.is_in_use(name, self.id) {
            return true;
        }
        let node = store.node_of_name(name).and_then(|node| store.node(node));
        if node.is_some_and(|node| node.taints.iter().any(|t| t.key == OUT_OF_SERVICE)) {
            return true;
        }
        if node.is_some_and(|node| node.ready == NodeReady::True) {
            // The node's next status says more.
            return false;
        }
        let expires = since + MAX_WAIT_FOR_UNMOUNT;
        if self.now > expires {
            return true;
        }
        let look = SimTime(expires.0 + 1).next_on_grid(SimTime::ZERO, LOOP_PERIOD);
        memory.changed.insert(self.id);
        self.outcome.wake(look);
        false
    }

    /// A pod's volume is attached to another node, and may be attached to one only
    /// (`reportMultiAttachError`).
    fn tell_of_other_node(
        &mut self,
        volume: &PersistentVolume,
        node: &Text,
        pods: &[PodId],
        nodes: &BTreeMap<Text, Vec<PodId>>,
        store: &Store,
    ) {
        let others = nodes.iter().filter(|(other, _)| *other != node).flat_map(|(_, pods)| pods);
        let others: Vec<Text> = others.filter_map(|pod| store.pod(*pod)).map(Pod::name).collect();
        // All of a claim's pods are in its namespace.
        let why = match &others[..] {
            [] => "Volume is already exclusively attached to one node, waiting on detach before \
                   it can be attached to another node"
                .to_owned(),
            names => format!("Volume is already used by pod(s) {}", names.join(", ")),
        };
        for pod in pods {
            let message = format!("Waiting for detach for volume {:?} {why}", &*volume.name);
            self.say(true, "FailedAttachVolume", *pod, message);
        }
    }
}

#[cfg(test)]
mod tests;
