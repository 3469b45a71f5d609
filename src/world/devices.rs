//! Claims of devices in a run: the API server's memory of them, and the resourceclaim controller,
//! which makes them from templates for pods and takes them back when pods are gone.
//!
//! Classes, slices and taint rules are those of the manifests: no driver tells more of them, makes
//! devices ready or takes time on a node. A kubelet finds a pod's devices prepared.
//!
//! Source of the controller: `pkg/controller/resourceclaim/controller.go`, v1.37. It knows what a
//! claim is, not how devices are found.

use super::event::Event;
use super::schedule::Notice;
use super::world::World;
use crate::api::devices::{
    Allocation, ClaimSource, ClaimSpec, Consumer, DeviceObject, PodResourceClaim, ResourceClaim,
};
use crate::api::event::EventType::Warning;
use crate::api::{ObjectName, PodId, Text};
use crate::control::controllers::action::About;
use crate::control::scheduler::devices::ClaimReservation;
use crate::control::scheduler::framework::PluginId;
use crate::scenario::model::Scenario;
use crate::units::SimDuration;
use slotmap::SecondaryMap;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Record kind of a change of a claim, in the event log's hash.
const CHANGE: u16 = 17;

/// What is known of claims.
#[derive(Default)]
pub(super) struct Claims {
    /// Whether there are devices or claims at all.
    are_told: bool,
    claims: BTreeMap<ObjectName, Arc<ResourceClaim>>,
    templates: BTreeMap<ObjectName, Arc<ClaimSpec>>,
    /// The claims that were made for a pod, by the pod's name for each.
    made: SecondaryMap<PodId, BTreeMap<Text, Option<Text>>>,
    /// The claims that a pod owns or uses, or has.
    of_pod: SecondaryMap<PodId, BTreeSet<ObjectName>>,
    /// What PreBind plugins are writing for pods.
    writing: BTreeMap<(u64, PluginId), (PodId, Vec<ClaimReservation>)>,
    /// How many have been made.
    count: u64,
}

impl Claims {
    /// Those of a scenario at its start.
    pub(super) fn new(scenario: &Scenario) -> Claims {
        let devices = &scenario.objects.devices;
        let deployments = scenario.objects.deployments.iter();
        let mut specs = deployments.map(|deployment| &deployment.template.spec);
        let are_named = specs.any(|spec| !spec.resource_claims.is_empty());
        let templates = devices.templates.iter();
        Claims {
            are_told: !devices.objects.is_empty() || are_named,
            templates: templates.map(|t| (t.name.clone(), Arc::clone(&t.spec))).collect(),
            ..Claims::default()
        }
    }
}

impl World<'_> {
    /// The scheduler has been told of all devices and claims that the manifests declare.
    pub(super) fn tell_of_devices(&mut self) {
        if !self.claims.are_told {
            return;
        }
        self.scheduler.scheduler.tell_devices();
        for object in &self.scenario.objects.devices.objects {
            if let DeviceObject::Claim(claim) = object {
                self.claims.count += 1;
                let uid = format!("claim-{}", self.claims.count).into();
                let claim = Arc::new(ResourceClaim { uid, ..(**claim).clone() });
                self.put_claim(claim);
            } else {
                self.scheduler.scheduler.set_device(object.clone(), self.now);
            }
        }
    }

    /// A new scheduler is told of all devices and claims that there are.
    pub(super) fn tell_devices_anew(&mut self) {
        if !self.claims.are_told {
            return;
        }
        self.claims.writing.clear();
        self.scheduler.scheduler.tell_devices();
        for object in &self.scenario.objects.devices.objects {
            if !matches!(object, DeviceObject::Claim(_)) {
                self.scheduler.scheduler.set_device(object.clone(), self.now);
            }
        }
        for name in self.claims.claims.keys().cloned().collect::<Vec<_>>() {
            self.scheduler_sees(Notice::Claim(name));
        }
        for pod in self.claims.made.keys().collect::<Vec<_>>() {
            self.scheduler_sees(Notice::ClaimsMade(pod));
        }
    }

    /// A pod has appeared, ended or is gone: the controller sees it, and writes in its own time.
    pub(super) fn pod_claims_changed(&mut self, id: PodId) {
        if !self.claims.are_told {
            return;
        }
        let is_template =
            |claim: &&PodResourceClaim| matches!(claim.source, ClaimSource::Template(_));
        let writes = match self.store.pod(id).filter(|pod| !pod.phase.is_terminal()) {
            Some(pod) => match pod.spec.resource_claims.iter().filter(is_template).count() {
                0 => return,
                claims => claims as u64 + 1,
            },
            None if self.claims.of_pod.contains_key(id) => 1,
            None => return,
        };
        let write = self.scenario.flags.api_server.write_latency;
        let at = self.now + self.watch_latency() + SimDuration(write.0 * writes);
        self.plan(at, Event::Claims(id));
    }

    /// The controller's writes for a pod have reached the API server.
    pub(super) fn on_claims(&mut self, id: PodId) {
        if self.outages.is_down() {
            return self.outages.hold(self.now, Event::Claims(id));
        }
        let lives = self.store.pod(id).is_some_and(|pod| !pod.phase.is_terminal());
        match lives {
            true => self.make_claims(id),
            false => self.take_claims_back(id),
        }
    }

    /// Makes the claims of a pod's templates (`syncPod`).
    fn make_claims(&mut self, id: PodId) {
        let Some(pod) = self.store.pod(id) else { return };
        if pod.deletion.get().is_some() || self.claims.made.contains_key(id) {
            return;
        }
        let (namespace, name) = (pod.namespace.clone(), pod.name());
        let wanted = pod.spec.resource_claims.clone();
        let mut made = BTreeMap::new();
        for claim in wanted {
            let ClaimSource::Template(template) = &claim.source else { continue };
            let key = ObjectName { namespace: namespace.clone(), name: template.clone() };
            let Some(spec) = self.claims.templates.get(&key).cloned() else {
                let message = format!(
                    "PodResourceClaim {}: resource claim template {:?}: \
                     resourceclaimtemplate.resource.k8s.io {:?} not found",
                    claim.name, &**template, &**template
                );
                let reason = "FailedResourceClaimCreation";
                self.publish("resource_claim", Warning, reason, About::Pod(id), message);
                return;
            };
            let full = self.new_claim_name(&namespace, &format!("{name}-{}-", claim.name));
            made.insert(claim.name.clone(), Some(full.name.clone()));
            let new = new_claim(full, self.claims.count, Consumer::Pod(id), spec);
            self.put_claim(Arc::new(new));
        }
        if made.is_empty() {
            return;
        }
        self.claims.made.insert(id, made);
        self.scheduler_sees(Notice::ClaimsMade(id));
    }

    /// A name that nobody has. Upstream ends it with five random characters.
    fn new_claim_name(&mut self, namespace: &Text, prefix: &str) -> ObjectName {
        self.claims.count += 1;
        let name = format!("{prefix}{:05}", self.claims.count).into();
        ObjectName { namespace: namespace.clone(), name }
    }

    /// A pod has ended or is gone: nobody uses claims for it any more, those that nobody else uses
    /// lose their devices, and those that were made for it go (`syncClaim`).
    fn take_claims_back(&mut self, id: PodId) {
        let gone = Consumer::Pod(id);
        for name in self.claims.of_pod.remove(id).unwrap_or_default() {
            let Some(claim) = self.claims.claims.get(&name).cloned() else { continue };
            if claim.owner.as_ref() == Some(&gone) {
                self.delete_resource_claim(&claim.name);
                continue;
            }
            let mut left = (*claim).clone();
            let before = left.reserved_for.len();
            left.reserved_for.retain(|user| *user != gone);
            if left.reserved_for.len() == before {
                continue;
            }
            if left.reserved_for.is_empty() {
                left.allocation = None;
                left.device_conditions.clear();
            }
            self.put_claim(Arc::new(left));
        }
        self.claims.made.remove(id);
    }

    /// A claim is as this; the scheduler hears of it.
    fn put_claim(&mut self, claim: Arc<ResourceClaim>) {
        let users = claim.reserved_for.len() as u64;
        let has_devices = u64::from(claim.allocation.is_some());
        self.log.record(self.now, CHANGE, &[users << 1 | has_devices]);
        let name = claim.name.clone();
        for user in claim.owner.iter().chain(&claim.reserved_for) {
            if let Consumer::Pod(pod) = user
                && let Some(entry) = self.claims.of_pod.entry(*pod)
            {
                entry.or_default().insert(name.clone());
            }
        }
        self.claims.claims.insert(name.clone(), claim);
        self.scheduler_sees(Notice::Claim(name));
    }

    fn delete_resource_claim(&mut self, name: &ObjectName) {
        if self.claims.claims.remove(name).is_some() {
            self.log.record(self.now, CHANGE, &[u64::MAX]);
            self.scheduler_sees(Notice::Claim(name.clone()));
        }
    }

    /// The scheduler's informers bring a claim.
    pub(super) fn tell_scheduler_of_claim(&mut self, name: &ObjectName) {
        let now = self.now;
        let scheduler = &mut self.scheduler.scheduler;
        if let Some(claim) = self.claims.claims.get(name) {
            return scheduler.set_device(DeviceObject::Claim(Arc::clone(claim)), now);
        }
        let devices = scheduler.core().objects.devices.as_deref();
        if let Some(known) = devices.and_then(|devices| devices.claim(name)).cloned() {
            scheduler.remove_device(&DeviceObject::Claim(known), now);
        }
    }

    /// They bring which claims were made for a pod.
    pub(super) fn tell_scheduler_of_made(&mut self, pod: PodId) {
        if let Some(made) = self.claims.made.get(pod).cloned() {
            self.scheduler.scheduler.set_made_claims(pod, made, self.now);
        }
    }

    // ---- what binding cycles write -----------------------------------------------------------

    /// How many requests it takes to write what is reserved of claims: a finalizer and a status for
    /// an allocation, one for a further user; a claim of extended resources is created first and
    /// told in the pod's status last.
    pub(super) fn requests_for(reserved: &[ClaimReservation]) -> usize {
        let requests = |one: &ClaimReservation| {
            1 + usize::from(one.allocation.is_some()) + 2 * usize::from(one.created.is_some())
        };
        reserved.iter().map(requests).sum()
    }

    /// A PreBind plugin's requests are on their way.
    pub(super) fn claims_are_being_written(
        &mut self,
        (cycle, plugin): (u64, PluginId),
        pod: Option<PodId>,
        reserved: Vec<ClaimReservation>,
    ) {
        if let Some(pod) = pod.filter(|_| !reserved.is_empty()) {
            self.claims.writing.insert((cycle, plugin), (pod, reserved));
        }
    }

    /// They have reached the API server (`bindClaim`); the error is upstream's.
    pub(super) fn write_claims(&mut self, cycle: u64, plugin: PluginId) -> Result<(), String> {
        let Some((pod, reserved)) = self.claims.writing.remove(&(cycle, plugin)) else {
            return Ok(());
        };
        for one in reserved {
            self.write_claim(pod, one)?;
        }
        Ok(())
    }

    fn write_claim(&mut self, pod: PodId, one: ClaimReservation) -> Result<(), String> {
        let mut claim = match &one.created {
            Some(created) => {
                let name = self.store.pod(pod).map_or_else(Text::default, |pod| pod.name());
                let namespace = created.name.namespace.clone();
                let prefix = format!("{name}-extended-resources-");
                let name = self.new_claim_name(&namespace, &prefix);
                let spec = Arc::clone(&created.spec);
                let new = new_claim(name, self.claims.count, Consumer::Pod(pod), spec);
                ResourceClaim { is_for_extended_resources: true, ..new }
            }
            None => match self.claims.claims.get(&one.claim).filter(|c| c.uid == one.uid) {
                Some(claim) => (**claim).clone(),
                None => return Err(not_found(&one)),
            },
        };
        if let Some(allocation) = &one.allocation {
            if claim.allocation.is_some() {
                let name = &claim.name;
                return Err(format!("claim {name} got allocated elsewhere in the meantime"));
            }
            let since = Some(self.now);
            claim.allocation = Some(Arc::new(Allocation { since, ..(**allocation).clone() }));
        } else if claim.allocation.is_none() {
            let name = &claim.name;
            return Err(format!("claim {name} got deallocated elsewhere in the meantime"));
        }
        if !claim.is_reserved_for(pod) {
            claim.reserved_for.push(Consumer::Pod(pod));
        }
        let name = claim.name.clone();
        self.put_claim(Arc::new(claim));
        // Upstream's cache takes what it has just written without waiting for the watch.
        self.tell_scheduler_of_claim(&name);
        Ok(())
    }

    /// A claim loses its devices, so that a pod may find others; one that the scheduler made is
    /// deleted.
    pub(super) fn free_claim(&mut self, name: &ObjectName) {
        let Some(claim) = self.claims.claims.get(name).cloned() else { return };
        if claim.is_for_extended_resources {
            return self.delete_resource_claim(name);
        }
        let mut free = (*claim).clone();
        free.allocation = None;
        free.reserved_for.clear();
        free.device_conditions.clear();
        self.put_claim(Arc::new(free));
    }

    /// A pod that is not bound uses these claims no more; those that the scheduler made for it are
    /// deleted.
    pub(super) fn unreserve_claims(&mut self, pod: PodId, claims: &[ObjectName]) {
        for name in claims {
            let Some(claim) = self.claims.claims.get(name).cloned() else { continue };
            if claim.is_for_extended_resources {
                self.delete_resource_claim(name);
                continue;
            }
            let mut left = (*claim).clone();
            left.reserved_for.retain(|user| *user != Consumer::Pod(pod));
            self.put_claim(Arc::new(left));
        }
    }

    /// For the settled start: what the scheduler would be told later it knows at once.
    pub(super) fn settle_devices(&mut self) {
        if self.claims.are_told {
            self.read_all_notices();
        }
    }

    /// Likewise of a pod's claims.
    pub(super) fn settle_claims(&mut self, pod: PodId) {
        if self.claims.are_told {
            self.on_claims(pod);
            self.read_all_notices();
        }
    }
}

fn not_found(one: &ClaimReservation) -> String {
    let (full, name) = (one.claim.to_string(), one.claim.name.to_string());
    format!("add reservation to claim {full}: resourceclaims.resource.k8s.io {name:?} not found")
}

fn new_claim(
    name: ObjectName,
    ordinal: u64,
    owner: Consumer,
    spec: Arc<ClaimSpec>,
) -> ResourceClaim {
    ResourceClaim {
        name,
        uid: format!("claim-{ordinal}").into(),
        owner: Some(owner),
        spec,
        allocation: None,
        reserved_for: Vec::new(),
        device_conditions: Vec::new(),
        is_deleted: false,
        is_for_extended_resources: false,
    }
}
