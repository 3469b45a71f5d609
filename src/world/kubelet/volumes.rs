//! A kubelet's volumes: told as in use, mounted when they are attached, unmounted when their pods
//! have ended.
//!
//! Source: kubernetes `pkg/kubelet/volumemanager/` (`volume_manager.go`, `reconciler/`), v1.37. A
//! volume is mounted when the node's status says that it is in use, which the kubelet writes each
//! ten seconds, and that it is attached, which the attachdetach controller writes. It knows no
//! claims but those of its pods.

use crate::api::{NodeId, PodId, Text, VolumeId};
use crate::control::controllers::volume::attachdetach::is_attachable;
use crate::store::{Attachment, claims_of};
use crate::units::{SimDuration, SimTime};
use crate::world::event::PodStep;
use crate::world::kubelet::config::Unset;
use crate::world::world::World;
use slotmap::Key as _;
use std::collections::{BTreeMap, BTreeSet};

/// `reconcilerLoopSleepPeriod`
pub(super) const LOOP_PERIOD: SimDuration = SimDuration::from_millis(100);
/// `podAttachAndMountRetryInterval`
const RETRY_INTERVAL: SimDuration = SimDuration::from_millis(300);
/// `podAttachAndMountTimeout`
const TIMEOUT: SimDuration = SimDuration::from_secs(123);

/// What kubelets do with volumes.
#[derive(Debug, Default)]
pub(in crate::world) struct Mounts {
    /// Volumes of pods that a kubelet has.
    of: BTreeMap<PodId, BTreeMap<VolumeId, Mount>>,
    /// Pods whose containers wait for volumes, and since when.
    waiting: BTreeMap<PodId, SimTime>,
    /// Volumes of pods that could not be set up yet: what they are made of is missing.
    pub(super) unset: BTreeMap<PodId, Unset>,
}

/// How far a volume of a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mount {
    /// It is not attached, or its node's status does not say so.
    Waits,
    /// It is being mounted, until then.
    Until(SimTime),
    /// It is there.
    There,
}

impl Mounts {
    fn of_pod(&self, pod: PodId) -> impl Iterator<Item = (VolumeId, Mount)> {
        self.of.get(&pod).into_iter().flatten().map(|(volume, mount)| (*volume, *mount))
    }

    fn forget(&mut self, pod: PodId) -> bool {
        self.waiting.remove(&pod);
        self.unset.remove(&pod);
        self.of.remove(&pod).is_some()
    }
}

impl World<'_> {
    /// Whether a pod has volumes to wait for: then it waits. The kubelet has just seen it.
    pub(super) fn waits_for_volumes(&mut self, pod: PodId) -> bool {
        let Some(p) = self.store.pod(pod) else { return false };
        let has_claims = self.store.has_storage() && claims_of(p).next().is_some();
        let unset = self.unset_volumes(pod);
        if !has_claims && unset.is_none() {
            return false;
        }
        self.volumes.kubelets.forget(pod);
        self.volumes.kubelets.waiting.insert(pod, self.now);
        if has_claims {
            self.plan_pod(self.now, pod, PodStep::Volumes);
        }
        if let Some(unset) = unset {
            self.volumes.kubelets.unset.insert(pod, unset);
            self.set_up_volumes(pod);
        }
        true
    }

    /// The kubelet looks at the volumes of a pod that waits for them.
    pub(super) fn look_at_mounts(&mut self, pod: PodId, node: NodeId) {
        let now = self.now;
        if !self.volumes.kubelets.waiting.contains_key(&pod) {
            return;
        }
        let Some(volumes) = self.volumes_of(pod) else { return };
        let Some(name) = self.store.node(node).map(|node| node.name.clone()) else { return };
        for volume in &volumes {
            let mounts = self.volumes.kubelets.of.entry(pod).or_default();
            let known = mounts.entry(*volume).or_insert(Mount::Waits);
            if matches!(known, Mount::Until(at) if *at <= now) {
                *known = Mount::There;
            }
            if *known == Mount::Waits && self.may_mount(*volume, &name) {
                let entity =
                    self.store.pod(pod).map_or(0, |p| p.uid) << 20 ^ volume.data().as_ffi();
                let mut stream = self.streams.stream("volume mount", entity);
                let takes = self.scenario.flags.kubelet.volume_mount.sample(&mut stream);
                let at = now + SimDuration::from_secs_f64(takes);
                let mounts = self.volumes.kubelets.of.entry(pod).or_default();
                mounts.insert(*volume, Mount::Until(at));
                self.plan_pod(at, pod, PodStep::Volumes);
            }
        }
        self.status_may_change(node);
        self.volumes_may_be_there(pod);
    }

    /// If all volumes of a pod are there, its worker sees it when it next asks.
    pub(super) fn volumes_may_be_there(&mut self, pod: PodId) {
        let mounts = &self.volumes.kubelets;
        let Some(since) = mounts.waiting.get(&pod).copied() else { return };
        let of = mounts.of.get(&pod);
        let is_there = |volume: &VolumeId| of.and_then(|of| of.get(volume)) == Some(&Mount::There);
        let are_mounted = |volumes: Vec<VolumeId>| volumes.iter().all(is_there);
        let has_claims = self.store.has_storage();
        let are_there = !has_claims || self.volumes_of(pod).is_some_and(are_mounted);
        if are_there && !mounts.unset.contains_key(&pod) {
            let at = self.next_ask(pod, since);
            self.plan_pod(at, pod, PodStep::Mounted);
        }
    }

    /// The volumes of a pod; `None`: not all its claims are bound.
    fn volumes_of(&self, pod: PodId) -> Option<Vec<VolumeId>> {
        let claims = claims_of(self.store.pod(pod)?);
        let volume = |name| {
            let (_, claim) = self.store.claim_named(&name)?;
            Some(self.store.volume_named(&claim.volume).filter(|_| claim.is_bound())?.0)
        };
        claims.map(volume).collect()
    }

    /// Whether a volume may be mounted on the node of this name.
    fn may_mount(&self, volume: VolumeId, node: &Text) -> bool {
        let attaches = self.store.volume(volume).is_some_and(|v| is_attachable(v, &self.store));
        let attachment = self.store.attachment_to(volume, node);
        let is_attached = || attachment.is_some_and(|(_, attachment)| attachment.is_reported);
        !attaches || (self.store.is_in_use(node, volume) && is_attached())
    }

    /// When the worker of a pod whose volumes are there since now next asks for them: it asks for
    /// two minutes, and after a back-off again (`WaitForAttachAndMount`).
    fn next_ask(&self, pod: PodId, since: SimTime) -> SimTime {
        let uid = self.store.pod(pod).map_or(0, |p| p.uid);
        let mut from = since;
        while from + TIMEOUT < self.now {
            let failed = from + TIMEOUT;
            let mut stream = self.streams.stream("pod sync", uid ^ failed.0.rotate_left(20));
            let wait = super::sync::SYNC_BACK_OFF;
            let late = SimDuration(stream.below(wait.0 / 2 + 1));
            from = (failed + wait + late).next_on_grid(SimTime::ZERO, SimDuration::from_secs(1));
        }
        self.now.max(from).next_on_grid(from, RETRY_INTERVAL)
    }

    /// All volumes of a pod are mounted, and its worker has seen it.
    pub(super) fn volumes_are_mounted(&mut self, pod: PodId, node: NodeId) {
        if self.volumes.kubelets.waiting.remove(&pod).is_some() {
            self.join_start_queue(pod, node);
        }
    }

    /// A claim has changed that a pod uses: it may be bound by now.
    pub(in crate::world) fn kubelet_sees_claim(&mut self, pod: PodId) {
        if self.volumes.kubelets.waiting.contains_key(&pod) {
            self.plan_pod(self.now + self.watch_latency(), pod, PodStep::Volumes);
        }
    }

    /// A node's status says that a volume is attached: pods there may go on.
    pub(in crate::world) fn kubelet_sees_attachment(&mut self, attachment: &Attachment) {
        if let Some(node) = self.store.node_of_name(&attachment.object.node) {
            let at = (self.now + self.watch_latency()).next_on_grid(SimTime::ZERO, LOOP_PERIOD);
            self.look_at_waiting_pods(node, at);
        }
    }

    fn look_at_waiting_pods(&mut self, node: NodeId, at: SimTime) {
        for pod in self.store.pods_on(node).to_vec() {
            if self.volumes.kubelets.waiting.contains_key(&pod) {
                self.plan_pod(at, pod, PodStep::Volumes);
            }
        }
    }

    /// What a node uses: the attachable volumes of the pods that its kubelet has.
    fn volumes_used_on(&self, node: NodeId) -> BTreeSet<VolumeId> {
        let pods = self.store.pods_on(node).iter();
        let volumes = pods.flat_map(|pod| self.volumes.kubelets.of_pod(*pod));
        let attachable =
            |id: &VolumeId| self.store.volume(*id).is_some_and(|v| is_attachable(v, &self.store));
        volumes.map(|(volume, _)| volume).filter(attachable).collect()
    }

    /// Whether a node's status does not say which volumes it uses.
    pub(super) fn volumes_differ(&self, node: NodeId) -> bool {
        let Some(n) = self.store.node(node).filter(|_| self.store.has_storage()) else {
            return false;
        };
        let told: BTreeSet<VolumeId> = self.store.volumes_in_use(&n.name).collect();
        told != self.volumes_used_on(node)
    }

    /// A kubelet writes which volumes its node uses.
    pub(super) fn write_volumes_in_use(&mut self, node: NodeId) {
        let Some(name) = self.store.node(node).map(|node| node.name.clone()) else { return };
        let used = self.volumes_used_on(node);
        self.store.set_volumes_in_use(&name, used);
        let write = self.scenario.flags.api_server.write_latency;
        let at = (self.now + write).next_on_grid(SimTime::ZERO, LOOP_PERIOD);
        self.look_at_waiting_pods(node, at);
    }

    /// The containers of a pod have ended: its volumes are unmounted. False: it has none.
    pub(super) fn unmounts(&mut self, pod: PodId) -> bool {
        let mounts: Vec<Mount> = self.volumes.kubelets.of_pod(pod).map(|(_, m)| m).collect();
        if mounts.is_empty() {
            return false;
        }
        let purpose = "volume unmount";
        let takes = match mounts.iter().any(|mount| *mount != Mount::Waits) {
            true => self.sample_for(pod, purpose, &self.scenario.flags.kubelet.volume_unmount),
            false => SimDuration::ZERO,
        };
        self.volumes.kubelets.waiting.remove(&pod);
        self.plan_pod(self.now + takes, pod, PodStep::Unmounted);
        true
    }

    /// The volumes of a pod are unmounted.
    pub(super) fn volumes_are_unmounted(&mut self, pod: PodId, node: NodeId) {
        self.volumes.kubelets.forget(pod);
        self.status_may_change(node);
        let goes = self.store.pod(pod).is_some_and(|p| p.deletion.is_some());
        if goes {
            self.pod_stopped(pod);
        }
    }

    /// A pod's object is gone: a kubelet that sees it unmounts what it still has.
    pub(in crate::world) fn kubelet_loses_pod(&mut self, pod: PodId, node: Option<NodeId>) {
        if let Some(node) = node.filter(|_| self.volumes.kubelets.forget(pod))
            && self.nodes.get(node).is_some_and(|state| state.alive)
        {
            self.status_may_change(node);
        }
    }

    /// For the settled start: a pod's volumes are attached and mounted.
    pub(in crate::world) fn mount_at_once(&mut self, pod: PodId) {
        let Some(node) = self.store.pod(pod).and_then(|p| p.node) else { return };
        let Some(name) = self.store.node(node).map(|node| node.name.clone()) else { return };
        for volume in self.volumes_of(pod).unwrap_or_default() {
            self.volumes.kubelets.of.entry(pod).or_default().insert(volume, Mount::There);
            self.attach_at_once(volume, &name);
        }
        let used = self.volumes_used_on(node);
        self.store.set_volumes_in_use(&name, used);
    }
}
