//! The API server's memory: objects, owner and node indexes, and what changed.
//!
//! [`Store`] is the one type that changes objects. Every change goes through a method here, which
//! keeps the indexes true, raises the resource version and notes a [`Change`] for the watchers.
//! The store knows no policy: it does what it is told, and nothing on its own.

mod changes;
mod claims;
mod configs;
mod groups;
mod index;
mod ingresses;
mod load;
mod namespaces;
mod owners;
mod resizes;
mod scale;
mod storage;
mod tally;
mod vpas;

pub use changes::Change;
pub use groups::Health;
pub use load::NodeLoad;
pub use scale::Scale;
pub use storage::{Attachment, claims_of};
pub use tally::{NodeTally, PodTally};

use crate::api::autoscaling::Hpa;
use crate::api::config::Config;
use crate::api::ingress::Ingress;
use crate::api::job::CronJob;
use crate::api::labels::{Labels, Selector};
use crate::api::limit_range::LimitRange;
use crate::api::namespace::Namespace;
use crate::api::node::Node;
use crate::api::owner::Owner;
use crate::api::pod::{Pod, PodPhase};
use crate::api::policy::Pdb;
use crate::api::quota::ResourceQuota;
use crate::api::service::Service;
use crate::api::stateful_set::Claim;
use crate::api::vertical_pod_autoscaler::Vpa;
use crate::api::workload::{Condition, Deployment};
use crate::api::{
    ClaimId, ConfigId, CronJobId, DeploymentId, HpaId, IngressId, LimitRangeId, NamespaceId,
    NodeId, OwnerId, PdbId, PodId, QuotaId, ServiceId, Text, VpaId,
};
use crate::units::{OptionalTime, SimTime};
use groups::{PodGroups, is_healthy};
use index::PodIndex;
use slotmap::{SecondaryMap, SlotMap};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// So few endpoints are put into a Service's list, or taken out of it, one by one.
const FEW: usize = 16;

/// All objects, and what has changed since the watchers were last told.
#[derive(Debug, Default)]
pub struct Store {
    pods: SlotMap<PodId, Pod>,
    /// Shared with the scheduler's cache: most nodes never change.
    nodes: SlotMap<NodeId, Arc<Node>>,
    deployments: SlotMap<DeploymentId, Deployment>,
    owners: SlotMap<OwnerId, Owner>,
    /// The DaemonSets among them: nodes concern them all.
    daemon_sets: Vec<OwnerId>,
    cron_jobs: SlotMap<CronJobId, CronJob>,
    services: SlotMap<ServiceId, Service>,
    ingresses: SlotMap<IngressId, Ingress>,
    hpas: SlotMap<HpaId, Hpa>,
    vpas: SlotMap<VpaId, Vpa>,
    pdbs: SlotMap<PdbId, Pdb>,
    quotas: SlotMap<QuotaId, ResourceQuota>,
    limit_ranges: SlotMap<LimitRangeId, LimitRange>,
    configs: SlotMap<ConfigId, Config>,
    namespaces: SlotMap<NamespaceId, Namespace>,
    claims: SlotMap<ClaimId, Claim>,
    /// Claims by namespace and name of their pods.
    claims_by_pod: BTreeMap<(Text, Text), Vec<ClaimId>>,
    /// Volumes and what goes with them, where they are simulated.
    storage: Option<Box<storage::Storage>>,
    by_owner: SecondaryMap<OwnerId, PodIndex>,
    by_node: SecondaryMap<NodeId, PodIndex>,
    sets_of: SecondaryMap<DeploymentId, Vec<OwnerId>>,
    jobs_of: SecondaryMap<CronJobId, Vec<OwnerId>>,
    /// Pods with the same labels, by namespace.
    groups: PodGroups,
    /// Pods without a generated name, by namespace and name.
    named: BTreeMap<(Text, Text), Vec<PodId>>,
    /// What the pods on each node request together.
    loads: SecondaryMap<NodeId, NodeLoad>,
    /// How many pods of each owner are in which state.
    tallies: SecondaryMap<OwnerId, PodTally>,
    ready_nodes: NodeTally,
    /// ReplicaSets that no Deployment controls.
    bare_sets: BTreeSet<OwnerId>,
    /// Pods that nobody controls.
    orphans: BTreeSet<PodId>,
    /// Pods whose labels have been changed.
    relabelled: BTreeSet<PodId>,
    /// Pods without a node of which the scheduler has said that they fit nowhere, by uid.
    unschedulable: BTreeSet<(u64, PodId)>,
    resource_version: u64,
    pods_created: u64,
    nodes_created: u64,
    /// Grows whenever a node comes, changes or goes.
    nodes_version: u64,
    changes: Vec<Change>,
}

/// Reading.
impl Store {
    /// The pod, unless it is gone.
    pub fn pod(&self, id: PodId) -> Option<&Pod> {
        self.pods.get(id)
    }

    /// All pods, in an order that depends only on the history of creations and removals.
    pub fn pods(&self) -> impl Iterator<Item = (PodId, &Pod)> {
        self.pods.iter()
    }

    /// How many pods there are.
    pub fn pod_count(&self) -> usize {
        self.pods.len()
    }

    /// The node, unless it is gone.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id).map(|node| &**node)
    }

    /// The node as it is now, to be kept.
    pub fn shared_node(&self, id: NodeId) -> Option<Arc<Node>> {
        self.nodes.get(id).cloned()
    }

    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        self.nodes.iter().map(|(id, node)| (id, &**node))
    }

    /// How many nodes there are.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// The Deployment, unless it is gone.
    pub fn deployment(&self, id: DeploymentId) -> Option<&Deployment> {
        self.deployments.get(id)
    }

    /// All Deployments.
    pub fn deployments(&self) -> impl Iterator<Item = (DeploymentId, &Deployment)> {
        self.deployments.iter()
    }

    /// The ReplicaSets that a Deployment controls, in order of creation.
    pub fn replica_sets_of(&self, id: DeploymentId) -> &[OwnerId] {
        self.sets_of.get(id).map_or(&[], |sets| sets)
    }

    /// The Service, unless it is gone.
    pub fn service(&self, id: ServiceId) -> Option<&Service> {
        self.services.get(id)
    }

    /// All Services.
    pub fn services(&self) -> impl Iterator<Item = (ServiceId, &Service)> {
        self.services.iter()
    }

    /// The autoscaler, unless it is gone.
    pub fn hpa(&self, id: HpaId) -> Option<&Hpa> {
        self.hpas.get(id)
    }

    /// All autoscalers.
    pub fn hpas(&self) -> impl Iterator<Item = (HpaId, &Hpa)> {
        self.hpas.iter()
    }

    /// The budget, unless it is gone.
    pub fn pdb(&self, id: PdbId) -> Option<&Pdb> {
        self.pdbs.get(id)
    }

    /// All disruption budgets.
    pub fn pdbs(&self) -> impl Iterator<Item = (PdbId, &Pdb)> {
        self.pdbs.iter()
    }

    /// Pods that an owner controls, in order of creation, the ended and deleted ones included.
    pub fn pods_of(&self, id: OwnerId) -> &[PodId] {
        self.by_owner.get(id).map_or(&[], PodIndex::ids)
    }

    /// Pods bound to a node, in order of binding.
    pub fn pods_on(&self, id: NodeId) -> &[PodId] {
        self.by_node.get(id).map_or(&[], PodIndex::ids)
    }

    /// Pods of a namespace whose labels a selector matches, the ended and deleted ones included:
    /// label set by label set, each in order of creation.
    pub fn pods_matching<'a>(
        &'a self,
        namespace: &str,
        selector: &'a Selector,
    ) -> impl Iterator<Item = (PodId, &'a Pod)> {
        let found = self.groups.matching(namespace, selector);
        found.filter_map(|id| Some((id, self.pods.get(id)?)))
    }

    /// The numbers of the pods that [`Store::pods_matching`] finds.
    pub fn health_of(&self, namespace: &str, selector: &Selector) -> Health {
        if self.pdbs.is_empty() {
            let mut health = Health::default();
            self.pods_matching(namespace, selector).for_each(|(_, pod)| health.add(pod));
            return health;
        }
        self.groups.health(namespace, selector)
    }

    /// A pod of this name that was not generated.
    pub fn pod_named(&self, namespace: &Text, name: &Text) -> Option<PodId> {
        let is_any = !self.named.is_empty();
        let found = is_any.then(|| self.named.get(&(namespace.clone(), name.clone())));
        found.flatten()?.first().copied()
    }

    /// A number that is another one whenever a node has come, changed or gone.
    pub fn nodes_version(&self) -> u64 {
        self.nodes_version
    }

    /// What the pods on a node that have not ended request together; nothing for a missing node.
    pub fn load_of(&self, id: NodeId) -> &NodeLoad {
        self.loads.get(id).unwrap_or(&NodeLoad::NOTHING)
    }

    /// How many of an owner's pods are in which state.
    pub fn tally_of(&self, id: OwnerId) -> PodTally {
        self.tallies.get(id).copied().unwrap_or_default()
    }

    /// The Ready nodes.
    pub fn ready_nodes(&self) -> NodeTally {
        self.ready_nodes
    }

    /// Pods without a node that the scheduler found to fit nowhere (condition `PodScheduled` False,
    /// reason `Unschedulable`) and that are not being deleted, oldest first.
    pub fn unschedulable_pods(&self) -> impl Iterator<Item = (PodId, &Pod)> {
        self.unschedulable.iter().filter_map(|(_, id)| Some((*id, self.pods.get(*id)?)))
    }

    /// Pods that nobody controls.
    pub fn orphans(&self) -> impl Iterator<Item = PodId> {
        self.orphans.iter().copied()
    }

    /// Pods whose labels are no longer those that they were created with.
    pub fn relabelled_pods(&self) -> impl Iterator<Item = PodId> {
        self.relabelled.iter().copied()
    }

    /// The Deployment that a pod belongs to through its ReplicaSet.
    pub fn deployment_of(&self, pod: &Pod) -> Option<DeploymentId> {
        self.replica_set(pod.owner?)?.owner
    }

    /// How many objects there are (`apiserver_resource_objects`, all resources together); what
    /// isn't kept as objects here is left out: Events, Leases, EndpointSlices, Namespaces.
    pub fn object_count(&self) -> usize {
        let workloads = self.deployments.len() + self.owners.len() + self.cron_jobs.len();
        let network = self.services.len() + self.ingresses.len();
        let policies = self.hpas.len() + self.vpas.len() + self.pdbs.len() + self.quotas.len();
        let others = self.limit_ranges.len() + self.configs.len();
        let storage = self.storage.as_ref().map_or(0, |storage| storage.object_count());
        let claims = self.claims.len() + storage;
        self.pods.len() + self.nodes.len() + workloads + network + policies + others + claims
    }

    /// Raised with every change, as etcd's revision.
    pub fn resource_version(&self) -> u64 {
        self.resource_version
    }

    /// Hands over what changed since the last call, in order.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Whether nothing changed since [`Store::take_changes`].
    pub fn is_quiet(&self) -> bool {
        self.changes.is_empty()
    }
}

/// Pods.
impl Store {
    /// Creates a pod and gives it the next uid; `pod.uid` is filled in.
    pub fn create_pod(&mut self, mut pod: Pod) -> PodId {
        self.pods_created += 1;
        pod.uid = self.pods_created;
        let (owner, node) = (pod.owner, pod.node);
        let siblings =
            owner.and_then(|owner| self.by_owner.get(owner)).map_or(&[][..], PodIndex::ids);
        if let Some(sibling) = siblings.last().and_then(|id| self.pods.get(*id)) {
            pod.share_base_of(sibling);
        }
        if let Some(tally) = owner.and_then(|owner| self.tallies.get_mut(owner)) {
            tally.add(&pod);
        }
        let id = self.pods.insert(pod);
        let pod = &self.pods[id];
        self.groups.insert(id, pod);
        if pod.has_own_name() {
            let name = (pod.namespace.clone(), pod.name());
            self.named.entry(name).or_default().push(id);
        }
        if let Some(index) = owner.and_then(|owner| self.by_owner.get_mut(owner)) {
            index.push(id);
        }
        if let Some(index) = node.and_then(|node| self.by_node.get_mut(node)) {
            index.push(id);
        }
        if self.pods[id].is_orphan() {
            self.orphans.insert(id);
        }
        self.settle(id, None);
        self.use_claims(id);
        self.note(Change::PodCreated(id));
        id
    }

    /// The uid that the next created pod will get.
    pub fn next_pod_uid(&self) -> u64 {
        self.pods_created + 1
    }

    /// Binds a pod to a node (`pods/binding`). False, and nothing done, when the pod is gone, bound
    /// or being deleted, or the node is gone: the API server's conflict.
    pub fn bind_pod(&mut self, id: PodId, node: NodeId, now: SimTime) -> bool {
        let Some(index) = self.by_node.get_mut(node) else { return false };
        let Some(pod) = self.pods.get_mut(id) else { return false };
        if pod.node.is_some() || pod.deletion.is_some() {
            return false;
        }
        retally(&mut self.tallies, &mut self.groups, pod, |pod| {
            pod.node = Some(node);
            pod.nominated = None;
            pod.scheduled = now;
            pod.unschedulable = false;
        });
        index.push(id);
        self.settle(id, None);
        self.note(Change::PodBound(id));
        true
    }

    /// Changes a pod's status through `change`, which tells whether anything changed. Binding,
    /// ownership, labels and deletion have methods of their own; its namespace stays as it is.
    pub fn update_pod(&mut self, id: PodId, change: impl FnOnce(&mut Pod) -> bool) {
        let Some(pod) = self.pods.get_mut(id) else { return };
        let before = pod.loaded_node();
        if retally(&mut self.tallies, &mut self.groups, pod, change) {
            self.settle(id, before);
            self.note(Change::PodUpdated(id));
        }
    }

    /// Changes a pod's labels.
    pub fn relabel_pod(&mut self, id: PodId, labels: Labels) {
        let Some(pod) = self.pods.get_mut(id) else { return };
        if pod.labels == labels {
            return;
        }
        self.groups.remove(id, pod);
        let before = std::mem::replace(&mut pod.base_mut().labels, labels);
        self.groups.insert(id, pod);
        self.relabelled.insert(id);
        self.note(Change::PodRelabelled(id, before));
    }

    /// Gives a pod another owner (adoption), or none (release).
    pub fn set_pod_owner(&mut self, id: PodId, owner: Option<OwnerId>) {
        let Some(pod) = self.pods.get_mut(id) else { return };
        let before = pod.owner;
        if before == owner {
            return;
        }
        if let Some(before) = before {
            if let Some(tally) = self.tallies.get_mut(before) {
                tally.subtract(pod);
            }
            if let Some(index) = self.by_owner.get_mut(before) {
                index.remove(id);
            }
        }
        pod.base_mut().owner = owner;
        self.groups.follow_owner(pod, before);
        match owner {
            Some(_) => self.orphans.remove(&id),
            None => self.orphans.insert(id),
        };
        if let Some(owner) = owner {
            if let Some(tally) = self.tallies.get_mut(owner) {
                tally.add(pod);
            }
            if let Some(index) = self.by_owner.get_mut(owner) {
                index.push(id);
            }
        }
        self.note(Change::PodOwner(id, before));
    }

    /// Keeps node loads and the list of unschedulable pods true after a pod changed; `before` is
    /// the node that it loaded until then.
    fn settle(&mut self, id: PodId, before: Option<NodeId>) {
        let Some(pod) = self.pods.get(id) else { return };
        let (after, waits) = (pod.loaded_node(), pod.unschedulable && pod.waits_for_node());
        if before != after {
            for (node, sign) in [(before, false), (after, true)] {
                if let Some(load) = node.and_then(|node| self.loads.get_mut(node)) {
                    load.count(pod, sign);
                }
            }
        }
        let key = (pod.uid, id);
        if waits {
            self.unschedulable.insert(key);
        } else if !self.unschedulable.is_empty() {
            self.unschedulable.remove(&key);
        }
    }

    /// Sets condition `Ready`.
    pub fn set_pod_ready(&mut self, id: PodId, ready: bool, now: SimTime) {
        self.update_pod(id, |pod| {
            let changed = pod.ready != ready;
            if changed {
                pod.ready = ready;
                pod.ready_changed = now;
            }
            changed
        });
    }

    /// Sets `status.phase`. Leaving a terminal phase is a bug.
    pub fn set_pod_phase(&mut self, id: PodId, phase: PodPhase) {
        self.update_pod(id, |pod| {
            assert!(
                !pod.phase.is_terminal() || pod.phase == phase,
                "{} left {:?}",
                pod.name(),
                pod.phase
            );
            let changed = pod.phase != phase;
            pod.phase = phase;
            changed
        });
    }

    /// Marks a pod for deletion. False when it is gone or marked already.
    pub fn mark_pod_deleted(&mut self, id: PodId, now: SimTime) -> bool {
        let Some(pod) = self.pods.get_mut(id) else { return false };
        if pod.deletion.is_some() {
            return false;
        }
        let groups = &mut self.groups;
        retally(&mut self.tallies, groups, pod, |pod| pod.deletion = now.into());
        self.unschedulable.remove(&(pod.uid, id));
        self.note(Change::PodMarked(id));
        true
    }

    /// A pod that is being deleted goes, and another one like it with its status is there: its
    /// kubelet has made a new mirror of a static pod.
    pub fn renew_pod(&mut self, id: PodId, now: SimTime) {
        let Some(pod) = self.pods.get_mut(id) else { return };
        self.pods_created += 1;
        let uid = self.pods_created;
        retally(&mut self.tallies, &mut self.groups, pod, |pod| {
            (pod.uid, pod.created, pod.scheduled) = (uid, now, now);
            pod.deletion = OptionalTime::NONE;
        });
        self.note(Change::PodUpdated(id));
    }

    /// Removes a pod for good.
    pub fn remove_pod(&mut self, id: PodId) -> bool {
        let Some(pod) = self.pods.remove(id) else { return false };
        self.orphans.remove(&id);
        self.relabelled.remove(&id);
        self.unschedulable.remove(&(pod.uid, id));
        if let Some(tally) = pod.owner.and_then(|owner| self.tallies.get_mut(owner)) {
            tally.subtract(&pod);
        }
        if let Some(load) = pod.loaded_node().and_then(|node| self.loads.get_mut(node)) {
            load.count(&pod, false);
        }
        let pods = &self.pods;
        let is_older = |other: PodId| pods.get(other).map(|other| other.uid < pod.uid);
        if let Some(index) = pod.owner.and_then(|owner| self.by_owner.get_mut(owner)) {
            index.remove_by_age(id, is_older);
        }
        if let Some(index) = pod.node.and_then(|node| self.by_node.get_mut(node)) {
            index.remove(id);
        }
        self.groups.remove_by_age(id, &pod, is_older);
        if pod.has_own_name() {
            let name = (pod.namespace.clone(), pod.name());
            if let Some(ids) = self.named.get_mut(&name) {
                ids.retain(|other| *other != id);
                if ids.is_empty() {
                    self.named.remove(&name);
                }
            }
        }
        self.leave_claims(id, &pod);
        self.note(Change::PodRemoved(id, Box::new(pod)));
        true
    }
}

/// Nodes.
impl Store {
    /// Registers a node and gives it the next uid.
    pub fn create_node(&mut self, mut node: Node) -> NodeId {
        self.nodes_created += 1;
        self.nodes_version += 1;
        node.uid = self.nodes_created;
        self.ready_nodes.add(&node);
        let name = node.name.clone();
        let id = self.nodes.insert(Arc::new(node));
        self.name_node(&name, Some(id));
        self.by_node.insert(id, PodIndex::default());
        self.loads.insert(id, NodeLoad::default());
        self.note(Change::NodeCreated(id));
        id
    }

    /// Changes a node through `change`, which tells whether anything changed.
    pub fn update_node(&mut self, id: NodeId, change: impl FnOnce(&mut Node) -> bool) {
        let Some(node) = self.nodes.get_mut(id) else { return };
        self.ready_nodes.subtract(node);
        let node = Arc::make_mut(node);
        let changed = change(node);
        self.ready_nodes.add(node);
        if changed {
            self.nodes_version += 1;
            self.note(Change::NodeUpdated(id));
        }
    }

    /// Removes a node object. Its pods stay until pod garbage collection takes them.
    pub fn remove_node(&mut self, id: NodeId) -> bool {
        let Some(node) = self.nodes.remove(id) else { return false };
        self.nodes_version += 1;
        self.ready_nodes.subtract(&node);
        let orphans = self.by_node.remove(id).map(PodIndex::into_ids).unwrap_or_default();
        self.loads.remove(id);
        self.name_node(&node.name, None);
        self.note(Change::NodeRemoved(id, node, orphans));
        true
    }
}

/// Workloads, services, autoscalers, budgets.
impl Store {
    /// Creates a Deployment.
    pub fn create_deployment(&mut self, deployment: Deployment) -> DeploymentId {
        let id = self.deployments.insert(deployment);
        self.sets_of.insert(id, Vec::new());
        self.note(Change::Deployment(id));
        id
    }

    /// Changes a Deployment through `change`, which tells whether anything changed.
    pub fn update_deployment(
        &mut self,
        id: DeploymentId,
        change: impl FnOnce(&mut Deployment) -> bool,
    ) {
        let Some(deployment) = self.deployments.get_mut(id) else { return };
        if change(deployment) {
            self.note(Change::Deployment(id));
        }
    }

    /// Removes a Deployment. Its ReplicaSets stay until garbage collection takes them.
    pub fn remove_deployment(&mut self, id: DeploymentId) {
        let Some(deployment) = self.deployments.remove(id) else { return };
        let sets = self.sets_of.remove(id).unwrap_or_default();
        self.note(Change::DeploymentRemoved(id, Box::new(deployment), sets));
    }

    /// Sets `spec.replicas` and raises the generation when that is a change (`/scale`).
    pub fn scale_deployment(&mut self, id: DeploymentId, replicas: u32) {
        self.update_deployment(id, |deployment| {
            let changed = deployment.replicas != replicas;
            if changed {
                deployment.replicas = replicas;
                deployment.generation += 1;
            }
            changed
        });
    }

    /// Creates a Service.
    pub fn create_service(&mut self, service: Service) -> ServiceId {
        let id = self.services.insert(service);
        self.note(Change::Service(id));
        id
    }

    /// Changes a Service through `change`, which tells whether anything changed.
    pub fn update_service(&mut self, id: ServiceId, change: impl FnOnce(&mut Service) -> bool) {
        let Some(service) = self.services.get_mut(id) else { return };
        if change(service) {
            self.note(Change::Service(id));
        }
    }

    /// Removes a Service.
    pub fn remove_service(&mut self, id: ServiceId) {
        if self.services.remove(id).is_some() {
            self.note(Change::Service(id));
        }
    }

    /// Changes a Service's endpoints (its EndpointSlices): those of `goes` leave, those of `comes`
    /// join. Both are sorted.
    pub fn change_endpoints(&mut self, id: ServiceId, comes: &[PodId], goes: &[PodId]) {
        let Some(service) = self.services.get_mut(id) else { return };
        if comes.is_empty() && goes.is_empty() {
            return;
        }
        let endpoints = &mut service.endpoints;
        if goes.len() > FEW {
            endpoints.retain(|pod| goes.binary_search(pod).is_err());
        } else {
            let places = goes.iter().map(|pod| endpoints.binary_search(pod));
            // From the last one on, so that the places of the others stay.
            for at in places.collect::<Vec<_>>().into_iter().rev().flatten() {
                endpoints.remove(at);
            }
        }
        if comes.len() > FEW {
            endpoints.extend(comes);
            // Two sorted runs: a stable sort merges them.
            endpoints.sort();
        } else {
            for pod in comes {
                let at = endpoints.partition_point(|other| other <= pod);
                endpoints.insert(at, *pod);
            }
        }
        self.note(Change::Endpoints(id));
    }

    /// Creates an autoscaler.
    pub fn create_hpa(&mut self, hpa: Hpa) -> HpaId {
        let id = self.hpas.insert(hpa);
        self.note(Change::Hpa(id));
        id
    }

    /// Changes an autoscaler's spec through `change`, which tells whether anything changed.
    pub fn update_hpa(&mut self, id: HpaId, change: impl FnOnce(&mut Hpa) -> bool) {
        let Some(hpa) = self.hpas.get_mut(id) else { return };
        if change(hpa) {
            self.note(Change::Hpa(id));
        }
    }

    /// Removes an autoscaler.
    pub fn remove_hpa(&mut self, id: HpaId) {
        if self.hpas.remove(id).is_some() {
            self.note(Change::Hpa(id));
        }
    }

    /// Writes `status.currentReplicas` and `status.desiredReplicas`.
    pub fn set_hpa_status(&mut self, id: HpaId, current: u32, desired: u32) {
        let Some(hpa) = self.hpas.get_mut(id) else { return };
        if (hpa.current_replicas, hpa.desired_replicas) != (current, desired) {
            (hpa.current_replicas, hpa.desired_replicas) = (current, desired);
            self.note(Change::HpaStatus(id));
        }
    }

    /// Writes `status.conditions` of an autoscaler. Nobody is told: they go with the rest of the
    /// status, and nobody acts on them but the controller itself.
    pub fn set_hpa_conditions(&mut self, id: HpaId, conditions: Vec<Condition>) {
        if let Some(hpa) = self.hpas.get_mut(id) {
            hpa.conditions = conditions;
        }
    }

    /// Creates a disruption budget.
    pub fn create_pdb(&mut self, pdb: Pdb) -> PdbId {
        let id = self.pdbs.insert(pdb);
        self.groups.count_health(true, &self.pods);
        self.note(Change::Pdb(id));
        id
    }

    /// Changes a budget's status through `change`, which tells whether anything changed.
    pub fn update_pdb(&mut self, id: PdbId, change: impl FnOnce(&mut Pdb) -> bool) {
        let Some(pdb) = self.pdbs.get_mut(id) else { return };
        if change(pdb) {
            self.note(Change::Pdb(id));
        }
    }

    /// Removes a budget.
    pub fn remove_pdb(&mut self, id: PdbId) {
        if self.pdbs.remove(id).is_some() {
            self.groups.count_health(!self.pdbs.is_empty(), &self.pods);
            self.note(Change::Pdb(id));
        }
    }

    fn note(&mut self, change: Change) {
        self.resource_version += 1;
        self.changes.push(change);
    }
}

/// Changes a pod and keeps its owner's tally true, and the health of its group.
fn retally<T>(
    tallies: &mut SecondaryMap<OwnerId, PodTally>,
    groups: &mut PodGroups,
    pod: &mut Pod,
    change: impl FnOnce(&mut Pod) -> T,
) -> T {
    let was_healthy = is_healthy(pod);
    let mut tally = pod.owner.and_then(|owner| tallies.get_mut(owner));
    if let Some(tally) = &mut tally {
        tally.subtract(pod);
    }
    let result = change(pod);
    if let Some(tally) = tally {
        tally.add(pod);
    }
    groups.follow_health(pod, was_healthy);
    result
}
