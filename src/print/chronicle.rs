//! What a cluster's memory says of objects beside themselves: when each was created, with which
//! change it became what it is, and which have just changed.

use crate::api::{
    AttachmentId, ClaimId, CronJobId, DeploymentId, HpaId, IngressId, LimitRangeId, NodeId,
    OwnerId, PdbId, PodId, QuotaId, ServiceId, VolumeId, VpaId,
};
use crate::store::{Change, Store};
use crate::units::SimTime;
use std::collections::BTreeMap;

/// An object of the store.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Key {
    /// A pod.
    Pod(PodId),
    /// A node.
    Node(NodeId),
    /// A Deployment.
    Deployment(DeploymentId),
    /// What controls pods.
    Owner(OwnerId),
    /// A CronJob.
    CronJob(CronJobId),
    /// A Service.
    Service(ServiceId),
    /// An Ingress.
    Ingress(IngressId),
    /// An autoscaler.
    Hpa(HpaId),
    /// A VerticalPodAutoscaler.
    Vpa(VpaId),
    /// A budget.
    Pdb(PdbId),
    /// A claim.
    Claim(ClaimId),
    /// A volume.
    Volume(VolumeId),
    /// An attachment.
    Attachment(AttachmentId),
    /// A quota.
    Quota(QuotaId),
    /// A LimitRange.
    LimitRange(LimitRangeId),
}

/// What is kept of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Mark {
    /// When it was first seen.
    pub created: SimTime,
    /// `metadata.resourceVersion`.
    pub version: u64,
}

/// All that was seen of the objects that are there.
#[derive(Clone, Debug, Default)]
pub struct Chronicle {
    marks: BTreeMap<Key, Mark>,
    /// What has changed since somebody asked, in order; `None`: nobody will ask.
    fresh: Option<Vec<Key>>,
}

impl Chronicle {
    /// Objects that are there when the clock starts and do not say since when.
    pub fn begin(&mut self, store: &Store) {
        let mut there = |key| {
            self.marks.entry(key).or_insert(Mark { created: SimTime::ZERO, version: 1 });
        };
        store.services().for_each(|(id, _)| there(Key::Service(id)));
        store.pdbs().for_each(|(id, _)| there(Key::Pdb(id)));
        store.quotas().for_each(|(id, _)| there(Key::Quota(id)));
        store.limit_ranges().for_each(|(id, _)| there(Key::LimitRange(id)));
    }

    /// A change of an object: the store shows it already.
    pub fn sees(&mut self, now: SimTime, change: &Change, store: &Store) {
        let Some((key, is_there)) = key_of(change, store) else { return };
        if is_there {
            let version = store.resource_version();
            self.marks.entry(key).or_insert(Mark { created: now, version }).version = version;
        } else {
            self.marks.remove(&key);
        }
        if let Some(fresh) = self.fresh.as_mut().filter(|fresh| fresh.last() != Some(&key)) {
            fresh.push(key);
        }
    }

    /// From now on [`Chronicle::take_fresh`] tells what changes.
    pub fn follow(&mut self) {
        self.fresh = Some(Vec::new());
    }

    /// What has changed since the last call.
    pub fn take_fresh(&mut self) -> Vec<Key> {
        self.fresh.as_mut().map(std::mem::take).unwrap_or_default()
    }

    pub(super) fn mark(&self, key: Key) -> Option<Mark> {
        self.marks.get(&key).copied()
    }
}

/// Of which object a change tells, and whether that is there now.
fn key_of(change: &Change, store: &Store) -> Option<(Key, bool)> {
    Some(match change {
        Change::PodCreated(id)
        | Change::PodBound(id)
        | Change::PodUpdated(id)
        | Change::PodMarked(id)
        | Change::PodRelabelled(id, _)
        | Change::PodOwner(id, _)
        | Change::PodRemoved(id, _) => (Key::Pod(*id), store.pod(*id).is_some()),
        Change::NodeCreated(id) | Change::NodeUpdated(id) | Change::NodeRemoved(id, ..) => {
            (Key::Node(*id), store.node(*id).is_some())
        }
        Change::Deployment(id) | Change::DeploymentRemoved(id, ..) => {
            (Key::Deployment(*id), store.deployment(*id).is_some())
        }
        Change::Owner(id) | Change::Released(id, _) | Change::OwnerRemoved(id, ..) => {
            (Key::Owner(*id), store.owner(*id).is_some())
        }
        Change::CronJob(id) | Change::CronJobRemoved(id, _) => {
            (Key::CronJob(*id), store.cron_job(*id).is_some())
        }
        Change::Service(id) => (Key::Service(*id), store.service(*id).is_some()),
        Change::Claim(id) | Change::ClaimRemoved(id, _) if store.has_storage() => {
            (Key::Claim(*id), store.claim(*id).is_some())
        }
        Change::Volume(id) | Change::VolumeRemoved(id, _) => {
            (Key::Volume(*id), store.volume(*id).is_some())
        }
        Change::Attachment(id) | Change::AttachmentRemoved(id, _) => {
            (Key::Attachment(*id), store.attachment(*id).is_some())
        }
        Change::Endpoints(_)
        | Change::Claim(_)
        | Change::ClaimRemoved(..)
        | Change::VolumesInUse(_)
        | Change::Storage(_)
        | Change::StorageGone(_)
        | Change::Config(_)
        | Change::Namespace(_) => return None,
        Change::Ingress(id) => (Key::Ingress(*id), store.ingress(*id).is_some()),
        Change::Quota(id) | Change::QuotaStatus(id) => {
            (Key::Quota(*id), store.quota(*id).is_some())
        }
        Change::LimitRange(id) => {
            let is_there = store.limit_ranges().any(|(known, _)| known == *id);
            (Key::LimitRange(*id), is_there)
        }
        Change::Hpa(id) | Change::HpaStatus(id) => (Key::Hpa(*id), store.hpa(*id).is_some()),
        Change::Vpa(id) => (Key::Vpa(*id), store.vpa(*id).is_some()),
        Change::Pdb(id) => (Key::Pdb(*id), store.pdb(*id).is_some()),
    })
}
