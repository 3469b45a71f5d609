//! Volumes: claims and volumes name each other, one node has what only one may have, and what runs
//! has its volumes.

use super::Finding;
use crate::api::node::NodeReady;
use crate::api::pod::PodPhase;
use crate::api::storage::PersistentVolume;
use crate::store::{Store, claims_of};

/// The first thing that does not fit together.
pub(super) fn wrong(store: &Store) -> Finding {
    if !store.has_storage() {
        return None;
    }
    misbound(store).or_else(|| attached_twice(store)).or_else(|| runs_without(store))
}

/// Whether a volume is attached before it is mounted: some driver handles it, and says so.
fn is_attachable(volume: &PersistentVolume, store: &Store) -> bool {
    let driver = volume.driver();
    driver.is_some_and(|driver| store.csi_driver(driver).is_none_or(|driver| driver.attaches))
}

/// A claim that has a volume which is another's.
fn misbound(store: &Store) -> Finding {
    for (_, claim) in store.claims() {
        let Some(claim) = claim.object.as_ref().filter(|c| c.capacity.is_some()) else { continue };
        let volume = store.volume_named(&claim.volume);
        let is_mine = volume.is_some_and(|(_, volume)| {
            volume.claim.as_ref().is_some_and(|reference| *reference == claim.reference())
        });
        if !is_mine {
            let found = format!("{} has {}, whose claim is another", claim.name, claim.volume);
            return Some(("claims and volumes name each other", found));
        }
    }
    None
}

/// A volume that is attached to two nodes and may be attached to one.
fn attached_twice(store: &Store) -> Finding {
    for (id, volume) in store.volumes().filter(|(_, volume)| !volume.may_be_shared()) {
        let nodes: Vec<&str> = store.attachments_of(id).map(|(_, a)| &*a.object.node).collect();
        if nodes.len() > 1 {
            let found = format!("{} is attached to {}", volume.name, nodes.join(" and "));
            return Some(("one node has what only one may have", found));
        }
    }
    None
}

/// A pod that runs on a ready node where one of its volumes is not attached.
fn runs_without(store: &Store) -> Finding {
    for (_, attachment) in store.attachments().filter(|(_, a)| a.object.is_deleted) {
        let Some(volume) = store.volume(attachment.volume) else { continue };
        let claim = volume.claim.iter().filter(|_| is_attachable(volume, store));
        for (_, pod) in claim.flat_map(|claim| store.users_of(&claim.name)) {
            let node = pod.node.and_then(|node| store.node(node));
            let runs = pod.phase == PodPhase::Running && pod.deletion.is_none();
            let here = node.filter(|node| node.name == attachment.object.node);
            if runs && here.is_some_and(|node| node.ready == NodeReady::True) {
                let found = format!("{} is taken from {}", volume.name, pod.name());
                return Some(("what runs has its volumes", found));
            }
        }
    }
    let running = store.pods().filter(|(_, pod)| pod.phase == PodPhase::Running && pod.ready);
    for (_, pod) in running.filter(|(_, pod)| !pod.spec.volumes.is_empty()) {
        let Some(node) = pod.node.and_then(|node| store.node(node)) else { continue };
        for claim in claims_of(pod).filter(|_| node.ready == NodeReady::True) {
            let volume = store.claim_named(&claim).map(|(_, claim)| claim.volume.clone());
            let volume = volume.and_then(|name| store.volume_named(&name));
            let Some((id, volume)) = volume.filter(|(_, v)| is_attachable(v, store)) else {
                continue;
            };
            let is_attached = |(_, a): (_, &crate::store::Attachment)| a.object.is_attached;
            if !store.attachment_to(id, &node.name).is_some_and(is_attached) {
                let found = format!("{} is not attached for {}", volume.name, pod.name());
                return Some(("what runs has its volumes", found));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::labels::Labels;
    use crate::api::storage::{Claim, CsiVolume, ReclaimPolicy, VolumeAttachment, VolumePhase};
    use crate::api::volume::{Volume, VolumeSource};
    use crate::api::{ObjectName, VolumeId, stateful_set};
    use crate::control::controllers::testing::Bench;
    use crate::units::SimTime;
    use std::sync::Arc;

    fn attach(store: &mut Store, volume: VolumeId, node: &str) {
        let object = VolumeAttachment {
            name: node.into(),
            node: node.into(),
            attacher: "d".into(),
            volume: Some("v".into()),
            is_attached: true,
            is_deleted: false,
            created: SimTime::ZERO,
        };
        store.create_attachment(volume, object);
    }

    /// Two nodes, a claim with its volume, and a pod that uses it on the first.
    fn small() -> (Bench, VolumeId) {
        let mut bench = Bench::new();
        bench.store.begin_storage();
        let (node, _) = (bench.node("n1", "a"), bench.node("n2", "a"));
        let mut claim = Claim::new(ObjectName::new("default", "data"));
        (claim.uid, claim.volume, claim.is_bind_completed) = ("u1".into(), "v".into(), true);
        claim.capacity = Some(Default::default());
        let volume = PersistentVolume {
            name: "v".into(),
            labels: Labels::default(),
            class: "".into(),
            spec_class: "".into(),
            capacity: Default::default(),
            access_modes: vec!["ReadWriteOnce".into()],
            is_block: false,
            attributes_class: "".into(),
            claim: Some(claim.reference()),
            is_bound_by_controller: true,
            phase: VolumePhase::Bound,
            is_deleted: false,
            reclaim: ReclaimPolicy::Retain,
            provisioner: "".into(),
            created: SimTime::ZERO,
            deletion: None,
            node_affinity: None,
            csi: Some(CsiVolume { driver: "d".into(), handle: "h".into() }),
            migrated: None,
        };
        let volume = bench.store.create_volume(volume).unwrap();
        bench.store.create_claim(stateful_set::Claim {
            namespace: "default".into(),
            name: "data".into(),
            pod: "".into(),
            owner: None,
            is_deleted: false,
            object: Some(Arc::new(claim)),
        });
        let set = bench.replica_set("web", 1);
        let pod = bench.pod(set);
        let mut given = bench.store.pod(pod).unwrap().clone();
        bench.store.remove_pod(pod);
        let source = VolumeSource::Claim { name: "data".into(), read_only: false };
        let base = given.base_mut();
        let volumes = vec![Volume { name: "data".into(), source, written: "".into() }];
        base.spec = Arc::new(crate::api::pod::PodSpec { volumes, ..(*base.spec).clone() });
        let pod = bench.store.create_pod(given);
        bench.store.bind_pod(pod, node, bench.now);
        bench.run(pod);
        attach(&mut bench.store, volume, "n1");
        (bench, volume)
    }

    #[test]
    fn what_does_not_fit_together_is_found() {
        type Row = (&'static str, fn(&mut Bench, VolumeId), Option<&'static str>);
        let rows: [Row; 5] = [
            ("all is well", |_, _| {}, None),
            (
                "the volume has forgotten its claim",
                |bench, volume| {
                    bench.store.update_volume(volume, |volume| volume.claim.take().is_some());
                },
                Some("claims and volumes name each other"),
            ),
            (
                "two nodes have it",
                |bench, volume| attach(&mut bench.store, volume, "n2"),
                Some("one node has what only one may have"),
            ),
            (
                "it is detached under a running pod",
                |bench, _| {
                    let id = bench.store.attachments().next().unwrap().0;
                    bench.store.remove_attachment(id);
                },
                Some("what runs has its volumes"),
            ),
            (
                "it is about to be",
                |bench, _| {
                    let id = bench.store.attachments().next().unwrap().0;
                    bench.store.update_attachment(id, |attachment| {
                        attachment.is_deleted = true;
                        true
                    });
                },
                Some("what runs has its volumes"),
            ),
        ];
        for (sentence, break_it, expected) in rows {
            let (mut bench, volume) = small();
            break_it(&mut bench, volume);
            assert_eq!(wrong(&bench.store).map(|(name, _)| name), expected, "{sentence}");
        }
    }
}
