//! What goes into the event log's hash: every change of an object, every Event, every sample.
//!
//! Only what happened is hashed, not how often anyone looked, so lazily evaluated work has the
//! same hash as work ticked through (DESIGN rule 7).

use crate::store::{Change, Store};
use slotmap::Key;

/// Record kind of a Kubernetes Event.
pub(super) const EVENT: u16 = 100;
/// Record kind of a row of the time series.
pub(super) const SAMPLE: u16 = 101;

/// Record kind and identifying number of a change.
pub(super) fn change_record(store: &Store, change: &Change) -> (u16, u64) {
    let pod = |id| store.pod(id).map_or(0, |p| p.uid);
    match change {
        Change::PodCreated(id) => (1, pod(*id)),
        Change::PodBound(id) => {
            let node = store.pod(*id).and_then(|p| p.node).and_then(|n| store.node(n));
            (2, pod(*id) << 24 | node.map_or(0, |n| n.uid))
        }
        Change::PodUpdated(id) => {
            let state = store.pod(*id).map_or(0, |p| {
                u64::from(p.ready) | (p.phase as u64) << 1 | u64::from(p.unschedulable) << 3
            });
            (3, pod(*id) << 4 | state)
        }
        Change::PodMarked(id) => (4, pod(*id)),
        Change::PodRemoved(_, p) => (5, p.uid),
        Change::NodeCreated(id) => (6, store.node(*id).map_or(0, |n| n.uid)),
        Change::NodeUpdated(id) => (
            7,
            store
                .node(*id)
                .map_or(0, |n| n.uid << 8 | (n.ready as u64) << 4 | n.taints.len() as u64),
        ),
        Change::NodeRemoved(_, n, _) => (8, n.uid),
        Change::Deployment(id) => {
            (9, store.deployment(*id).map_or(0, |d| d.generation << 32 | u64::from(d.replicas)))
        }
        Change::DeploymentRemoved(id, ..) => (17, id.data().as_ffi()),
        Change::Owner(id) => {
            let wanted = store.replica_set(*id).map_or(0, |set| set.replicas);
            (10, store.owner(*id).map_or(0, |o| o.generation() << 32 | u64::from(wanted)))
        }
        Change::OwnerRemoved(id, ..) => (11, id.data().as_ffi()),
        Change::Released(id, _) => (28, id.data().as_ffi()),
        Change::CronJob(id) => (18, id.data().as_ffi()),
        Change::CronJobRemoved(id, _) => (19, id.data().as_ffi()),
        Change::PodRelabelled(id, _) => (20, pod(*id)),
        Change::PodOwner(id, _) => (21, pod(*id)),
        Change::Service(id) => (12, id.data().as_ffi()),
        Change::Ingress(id) => (40, id.data().as_ffi()),
        Change::Endpoints(id) => (13, store.service(*id).map_or(0, |s| s.endpoints.len() as u64)),
        Change::Hpa(id) => (14, id.data().as_ffi()),
        Change::HpaStatus(id) => {
            let status =
                store.hpa(*id).map_or((0, 0), |h| (h.current_replicas, h.desired_replicas));
            (15, u64::from(status.0) << 32 | u64::from(status.1))
        }
        Change::Vpa(_) => (41, store.resource_version()),
        Change::Claim(id) => (22, id.data().as_ffi()),
        Change::ClaimRemoved(id, _) => (23, id.data().as_ffi()),
        Change::Volume(id) => (29, id.data().as_ffi()),
        Change::VolumeRemoved(id, _) => (30, id.data().as_ffi()),
        Change::Attachment(id) => (31, id.data().as_ffi()),
        Change::AttachmentRemoved(id, _) => (32, id.data().as_ffi()),
        Change::VolumesInUse(node) => {
            let node = store.node_of_name(node).and_then(|id| store.node(id));
            (33, node.map_or(0, |node| node.uid))
        }
        Change::Storage(_) => (34, store.resource_version()),
        Change::StorageGone(_) => (35, store.resource_version()),
        Change::Pdb(id) => (16, id.data().as_ffi()),
        Change::Quota(id) => (24, id.data().as_ffi()),
        Change::QuotaStatus(id) => (25, id.data().as_ffi()),
        Change::LimitRange(id) => (26, id.data().as_ffi()),
        Change::Namespace(id) => (27, id.data().as_ffi()),
        Change::Config(id) => (40, id.data().as_ffi()),
    }
}
