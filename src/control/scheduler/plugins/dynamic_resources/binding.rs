//! What is reserved for a pod that has its node, and what is done before it is bound.

use super::search::{Claims, has_timed_out, is_ready};
use super::{DynamicResources, has_claims};
use crate::api::devices::ResourceClaim;
use crate::control::scheduler::devices::pod_claims;
use crate::control::scheduler::devices::{ClaimReservation, Devices};
use crate::control::scheduler::framework::{
    Context, PodBinding, PreBindPlugin, PreFlight, ReservePlugin, Waits,
};
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::scheduler::storage::Reservation;
use crate::units::SimDuration;
use std::sync::Arc;

impl ReservePlugin for DynamicResources {
    /// A claim that the pod only has to be added to is reserved too, as upstream's PreBind does.
    fn reserve(&self, cx: &Context<'_>, pod: &PodInfo, node: &NodeInfo) -> Reservation {
        let Some(devices) = cx.objects.devices.as_deref() else { return Reservation::default() };
        let Ok(Some(claims)) = Claims::of(devices, pod) else { return Reservation::default() };
        let found = claims.allocate(devices, pod, node).unwrap_or_default();
        let mut out = Vec::new();
        for claim in claims.all().iter().filter(|claim| !claim.is_reserved_for(pod.id)) {
            let here = found.iter().find(|(of, _)| of.uid == claim.uid);
            let is_new = claim.is_for_extended_resources && claim.allocation.is_none();
            if is_new && here.is_none() {
                continue; // The node has the resources itself.
            }
            out.push(ClaimReservation {
                claim: claim.name.clone(),
                uid: claim.uid.clone(),
                allocation: here.map(|(_, allocation)| Arc::new(allocation.clone())),
                created: here.filter(|_| is_new).map(|(claim, _)| Arc::clone(claim)),
            });
        }
        Reservation { claims: out, ..Reservation::default() }
    }
}

impl PreBindPlugin for DynamicResources {
    fn pre_flight(&self, cx: &Context<'_>, binding: &PodBinding<'_>) -> Result<PreFlight, String> {
        Ok(PreFlight { works: has_claims(binding.pod, cx.objects), parallel: true })
    }

    fn writes(&self, binding: &PodBinding<'_>) -> Reservation {
        Reservation { claims: binding.reserved.claims.clone(), ..Reservation::default() }
    }

    fn waits(&self, cx: &Context<'_>, binding: &PodBinding<'_>) -> Option<Waits> {
        let devices = cx.objects.devices.as_deref()?;
        let wait = |allocation: &crate::api::devices::Allocation| {
            allocation.devices.iter().any(|device| !device.binding_conditions.is_empty())
        };
        let told = claims_of(devices, binding.pod);
        let mut told = told.iter().filter_map(|claim| claim.allocation.as_deref());
        let mut new = binding.reserved.claims.iter().filter_map(|c| c.allocation.as_deref());
        (told.any(wait) || new.any(wait)).then_some(Waits {
            period: SimDuration::from_secs(5),
            at_once: true,
            timeout: self.binding_timeout,
            timed_out: "device binding timeout: context deadline exceeded",
        })
    }

    fn is_done(&self, cx: &Context<'_>, binding: &PodBinding<'_>) -> Result<bool, String> {
        let Some(devices) = cx.objects.devices.as_deref() else { return Ok(true) };
        for claim in claims_of(devices, binding.pod) {
            if is_ready(&claim)? {
                continue;
            }
            return match has_timed_out(&claim, cx.now, self.binding_timeout) {
                true => Err(format!("device binding timeout: claim={}", claim.name.name)),
                false => Ok(false),
            };
        }
        Ok(true)
    }
}

/// The claims of a pod as they are now.
fn claims_of(devices: &Devices, pod: &PodInfo) -> Vec<Arc<ResourceClaim>> {
    let names = pod_claims::names(devices, pod);
    let named = names.iter().filter_map(|name| devices.claim(name));
    named.chain(devices.extended_claim_of(pod.id)).cloned().collect()
}
