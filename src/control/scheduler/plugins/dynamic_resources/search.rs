//! The claims of a pod in one cycle: what they find on a node, and how good that is.

use crate::api::devices::{Allocation, Asks, ClaimSpec, Consumer, DeviceConditions, ResourceClaim};
use crate::api::{ObjectName, PodId, Text};
use crate::control::scheduler::devices::allocated::Allocated;
use crate::control::scheduler::devices::allocator::{Failure, allocate};
use crate::control::scheduler::devices::{Devices, pod_claims};
use crate::control::scheduler::framework::{Code, Status};
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::pod_info::PodInfo;
use crate::units::{SimDuration, SimTime};
use std::collections::BTreeMap;
use std::sync::Arc;

/// `FirstAvailableDeviceRequestMaxSize`: the score of the first alternative.
const BEST_ALTERNATIVE: i64 = 8;

/// The claims of a pod (`stateData`).
#[derive(Clone)]
pub(super) struct Claims {
    /// Those that it names, and the one for extended resources behind them.
    all: Arc<[Arc<ResourceClaim>]>,
    /// How many it names.
    named: usize,
    in_flight: Arc<Allocated>,
}

/// What claims find on a node: an allocation for each that has none, with the claim as it is there.
pub(super) type Found = Vec<(Arc<ResourceClaim>, Allocation)>;

impl Claims {
    /// The claims of a pod; `None`: it has none. The error says why it can go nowhere.
    pub(super) fn of(devices: &Devices, pod: &PodInfo) -> Result<Option<Claims>, String> {
        let mut all = pod_claims::named(devices, pod)?;
        let named = all.len();
        all.extend(pod_claims::for_extended(devices, pod));
        if all.is_empty() {
            return Ok(None);
        }
        for (at, claim) in all.iter().enumerate().filter(|(_, claim)| claim.allocation.is_none()) {
            if devices.in_flight(&claim.uid).is_some() {
                let name = &claim.name;
                return Err(format!("resource claim {name} is in the process of being allocated"));
            }
            if at < named {
                check_classes(devices, claim)?;
            }
        }
        let in_flight = Arc::new(devices.gather_in_flight());
        Ok(Some(Claims { all: all.into(), named, in_flight }))
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Arc<ResourceClaim>] {
        &self.all
    }

    /// The one for extended resources.
    pub(super) fn extended(&self) -> Option<&Arc<ResourceClaim>> {
        self.all.get(self.named)
    }

    /// Whether a request has alternatives, and a claim is without devices: where all have theirs,
    /// upstream scores nothing.
    pub(super) fn have_alternatives(&self) -> bool {
        if self.all.iter().all(|claim| claim.allocation.is_some()) {
            return false;
        }
        let mut requests = self.all.iter().flat_map(|claim| &claim.spec.requests);
        requests.any(|request| matches!(request.asks, Asks::FirstAvailable(_)))
    }

    /// What the claims without devices find on a node.
    pub(super) fn allocate(
        &self,
        devices: &Devices,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Result<Found, Status> {
        let here = self.extended_on(devices, pod, node)?;
        if here.is_none() && self.named == 0 {
            return Ok(Vec::new());
        }
        let mut claims: Vec<Arc<ResourceClaim>> =
            self.all[..self.named].iter().filter(|c| c.allocation.is_none()).cloned().collect();
        claims.extend(here);
        if claims.is_empty() {
            return Ok(Vec::new());
        }
        let asked: Vec<&ResourceClaim> = claims.iter().map(|claim| &**claim).collect();
        let place = (node.name(), &node.node.labels);
        match allocate(devices, &self.in_flight, place, &asked) {
            Ok(Some(found)) => Ok(claims.into_iter().zip(found).collect()),
            Ok(None) => Err(Status::unresolvable(&["cannot allocate all claims"])),
            Err(Failure::OnNode(why)) => Err(Status::made(Code::UnschedulableAndUnresolvable, why)),
            Err(Failure::Fatal(why)) => Err(Status::made(Code::Error, why)),
        }
    }

    /// The claim for extended resources with what it asks for on a node: those that the node itself
    /// does not have (`filterExtendedResources`).
    fn extended_on(
        &self,
        devices: &Devices,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Result<Option<Arc<ResourceClaim>>, Status> {
        let Some(claim) = self.extended() else { return Ok(None) };
        if !claim.spec.requests.is_empty() {
            return Err(Status::unresolvable(&["cannot schedule extended resource claim"]));
        }
        let mut resources: BTreeMap<Text, i64> = BTreeMap::new();
        for (name, amount) in pod.requests.scalars() {
            if amount == 0 || !pod_claims::may_be_devices(name) {
                continue;
            }
            let has = node.node.allocatable.scalar(name);
            if has == 0 && devices.class_of_resource(name).is_some() {
                resources.insert(name.clone(), amount);
            } else if !node.node.allocatable.scalars().any(|(known, _)| known == name) {
                return Err(Status::unresolvable(&["cannot fit resource"]));
            }
        }
        if resources.is_empty() && self.named == 0 {
            return Ok(None);
        }
        if claim.allocation.is_some() {
            return Ok(None);
        }
        let spec: ClaimSpec = pod_claims::extended_requests(devices, &pod.spec, &resources);
        let here = ResourceClaim { spec: Arc::new(spec), ..(**claim).clone() };
        Ok(Some(Arc::new(here)))
    }

    /// The places of allocated claims that can't be used on a node, or whose devices could not be
    /// made ready.
    pub(super) fn unavailable(
        &self,
        now: SimTime,
        timeout: SimDuration,
        node: &NodeInfo,
    ) -> impl Iterator<Item = usize> {
        let is_unavailable = |claim: &Arc<ResourceClaim>| {
            let Some(allocation) = &claim.allocation else { return false };
            let reached = allocation.node_selector.as_ref().is_none_or(|terms| {
                terms.iter().any(|term| term.matches(node.name(), &node.node.labels))
            });
            let given_up = || match is_ready(claim) {
                Err(_) => true,
                Ok(ready) => !ready && has_timed_out(claim, now, timeout),
            };
            !reached || given_up()
        };
        let found = self.all.iter().enumerate().filter(|(_, claim)| is_unavailable(claim));
        let places: Vec<usize> = found.map(|(at, _)| at).collect();
        places.into_iter()
    }

    /// The name of a claim that the pod names, if nobody else uses it.
    pub(super) fn named_if_only_for(&self, at: usize, pod: PodId) -> Option<ObjectName> {
        let claim = self.all[..self.named].get(at)?;
        let is_free = match &claim.reserved_for[..] {
            [] => true,
            [only] => *only == Consumer::Pod(pod),
            _ => false,
        };
        is_free.then(|| claim.name.clone())
    }
}

fn check_classes(devices: &Devices, claim: &ResourceClaim) -> Result<(), String> {
    for request in &claim.spec.requests {
        let missing = |name: String, class: &Text| match devices.class(class) {
            Some(_) => Ok(()),
            None => Err(format!("request {name}: device class {class} does not exist")),
        };
        match &request.asks {
            Asks::Exactly(asks) => missing(request.name.to_string(), &asks.class)?,
            Asks::FirstAvailable(list) => {
                for (name, asks) in list {
                    missing(format!("{}/{name}", request.name), &asks.class)?;
                }
            }
        }
    }
    Ok(())
}

/// Whether all devices of an allocated claim have been made ready; the error says which one can't
/// be (`isClaimReadyForBinding`).
pub(super) fn is_ready(claim: &ResourceClaim) -> Result<bool, String> {
    let Some(allocation) = &claim.allocation else { return Ok(false) };
    for device in allocation.devices.iter().filter(|d| !d.binding_conditions.is_empty()) {
        let told = claim.device_conditions.iter().find(|told| told.id == device.id);
        let Some(DeviceConditions { conditions, .. }) = told else { return Ok(false) };
        let of = |kind: &Text| conditions.iter().find(|condition| condition.kind == *kind);
        for kind in &device.binding_failure_conditions {
            if let Some(failed) = of(kind).filter(|condition| condition.is_true) {
                return Err(format!(
                    "device binding failed: claim={}, reason={}, message={:?}",
                    claim.name.name, failed.reason, &*failed.message
                ));
            }
        }
        if !device.binding_conditions.iter().all(|kind| of(kind).is_some_and(|c| c.is_true)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the devices of a claim have been awaited for too long (`isClaimTimeout`).
pub(super) fn has_timed_out(claim: &ResourceClaim, now: SimTime, timeout: SimDuration) -> bool {
    let Some(allocation) = &claim.allocation else { return false };
    let waits = allocation.devices.iter().any(|d| !d.binding_conditions.is_empty());
    waits && allocation.since.is_some_and(|since| since.saturating_add(timeout) < now)
}

/// The better, the earlier the alternatives are that were found (`computeScore`).
pub(super) fn score(claims: &Claims, found: &Found) -> i64 {
    let mut sum = 0;
    for claim in claims.all() {
        let here = found.iter().find(|(of, _)| of.uid == claim.uid).map(|(_, found)| found);
        let Some(allocation) = claim.allocation.as_deref().or(here) else { continue };
        for request in &claim.spec.requests {
            let Asks::FirstAvailable(list) = &request.asks else { continue };
            for (at, (name, _)) in list.iter().enumerate() {
                let full = format!("{}/{name}", request.name);
                if allocation.devices.iter().any(|device| *device.request == *full) {
                    sum += BEST_ALTERNATIVE - at as i64;
                }
            }
        }
    }
    sum
}
