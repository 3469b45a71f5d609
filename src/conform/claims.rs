//! Classes, slices and claims of devices in cases of single cycles: what a cycle writes to claims
//! has happened at once, and the resourceclaim controller does its part when a pod is gone.

use super::manifest::fine;
use super::object::{Keys, decode};
use crate::api::convert;
use crate::api::devices::{Allocation, Consumer, DeviceObject, ResourceClaim};
use crate::api::{ObjectName, PodId, Text};
use crate::control::scheduler::cycle::Core;
use crate::control::scheduler::devices::ClaimReservation;
use crate::control::scheduler::pod_info::PodInfo;
use k8s_openapi::api::core::v1 as k8s;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A class, slice, claim or taint rule, if `given` is one.
pub(super) fn device(given: &Value, keys: &mut Keys) -> Result<Option<DeviceObject>, String> {
    let kind = given["kind"].as_str().ok_or("an object needs a kind")?;
    let mut errors = Vec::new();
    let object = match kind {
        "DeviceClass" => {
            let given = decode(kind, given)?;
            DeviceObject::Class(Arc::new(convert::devices::class(&given, &mut errors)))
        }
        "ResourceSlice" => {
            let given = decode(kind, given)?;
            DeviceObject::Slice(Arc::new(convert::devices::slice(&given, &mut errors)))
        }
        "DeviceTaintRule" => {
            let given = decode(kind, given)?;
            DeviceObject::TaintRule(Arc::new(convert::devices::taint_rule(&given)))
        }
        "ResourceClaim" => {
            let given = decode(kind, given)?;
            let mut claim = convert::resource_claim::claim(&given, "default", &mut errors);
            claim.uid = claim.name.to_string().into();
            let users = claim.owner.iter_mut().chain(&mut claim.reserved_for);
            users.for_each(|user| name_pod(user, keys));
            DeviceObject::Claim(Arc::new(claim))
        }
        _ => return Ok(None),
    };
    let name = given["metadata"]["name"].as_str().ok_or("an object needs metadata.name")?;
    fine(&format!("{kind} {name}"), &errors)?;
    Ok(Some(object))
}

/// The UID of a pod is its namespace and name.
fn name_pod(user: &mut Consumer, keys: &mut Keys) {
    if let Consumer::Other(uid) = user
        && uid.contains('/')
    {
        *user = Consumer::Pod(keys.pod(uid));
    }
}

/// `status.resourceClaimStatuses` of a pod.
pub(super) fn made(given: &k8s::Pod) -> BTreeMap<Text, Option<Text>> {
    let statuses = given.status.iter().flat_map(|s| s.resource_claim_statuses.iter().flatten());
    let one = |status: &k8s::PodResourceClaimStatus| {
        let claim = status.resource_claim_name.as_deref().map(Text::from);
        (status.name.as_str().into(), claim)
    };
    statuses.map(one).collect()
}

/// Writes what is reserved for a pod (`bindClaim`).
pub(super) fn bind(core: &mut Core, pod: &PodInfo, name: &str) {
    for reserved in core.reserved_claims(pod.id) {
        let ClaimReservation { claim, allocation, created, .. } = reserved;
        let found = match created {
            Some(created) => Some(made_for(&created, name)),
            None => known(core, &claim),
        };
        let Some(mut found) = found else { continue };
        found.allocation = allocation.or(found.allocation);
        found.reserved_for.push(Consumer::Pod(pod.id));
        core.set_device(DeviceObject::Claim(Arc::new(found)));
    }
    core.finish_reservation(pod.id, true);
}

/// The claim for extended resources gets its name when it is created.
fn made_for(claim: &ResourceClaim, pod: &str) -> ResourceClaim {
    let name = ObjectName {
        namespace: claim.name.namespace.clone(),
        name: format!("{pod}-extended-resources-x").into(),
    };
    ResourceClaim { uid: name.to_string().into(), name, ..claim.clone() }
}

fn known(core: &Core, name: &ObjectName) -> Option<ResourceClaim> {
    let devices = core.objects.devices.as_deref()?;
    devices.claim(name).map(|claim| (**claim).clone())
}

/// A claim loses its devices; one that the scheduler made is deleted.
pub(super) fn free(core: &mut Core, name: &ObjectName) {
    let Some(claim) = known(core, name) else { return };
    if claim.is_for_extended_resources {
        core.remove_device(&DeviceObject::Claim(Arc::new(claim)));
        return;
    }
    let claim = ResourceClaim {
        allocation: None,
        reserved_for: Vec::new(),
        device_conditions: Vec::new(),
        ..claim
    };
    core.set_device(DeviceObject::Claim(Arc::new(claim)));
}

/// A pod is gone: nobody uses its claims for it any more, and those that were made for it go too.
pub(super) fn release(core: &mut Core, pod: PodId) {
    let Some(devices) = core.objects.devices.as_deref() else { return };
    let gone = Consumer::Pod(pod);
    let its = |claim: &&Arc<ResourceClaim>| {
        claim.reserved_for.contains(&gone) || claim.owner.as_ref() == Some(&gone)
    };
    let claims: Vec<Arc<ResourceClaim>> = devices.claims().filter(its).cloned().collect();
    for claim in claims {
        if claim.owner.as_ref() == Some(&gone) {
            core.remove_device(&DeviceObject::Claim(claim));
            continue;
        }
        let mut left = (*claim).clone();
        left.reserved_for.retain(|user| *user != gone);
        if left.reserved_for.is_empty() {
            left.allocation = None;
        }
        core.set_device(DeviceObject::Claim(Arc::new(left)));
    }
    core.objects.tell_devices().forget_pod(pod);
}

/// What the claims of a pod have got, by their names; `None`: it has none.
pub(super) fn told(core: &Core, pod: PodId) -> Option<BTreeMap<String, Vec<String>>> {
    let devices = core.objects.devices.as_deref()?;
    let its = devices.claims().filter(|claim| claim.is_reserved_for(pod));
    let told = its.filter_map(|claim| {
        let allocation = claim.allocation.as_deref()?;
        Some((claim.name.name.to_string(), lines(allocation)))
    });
    let told: BTreeMap<String, Vec<String>> = told.collect();
    (!told.is_empty()).then_some(told)
}

/// A line for each device, and one for the nodes from which they are reached.
fn lines(allocation: &Allocation) -> Vec<String> {
    let device = |device: &crate::api::devices::AllocatedDevice| {
        let mut line = format!("{}={}", device.request, device.id);
        if device.admin_access {
            line.push_str(" admin");
        }
        if device.is_share {
            line.push_str(" share");
        }
        for (name, amount) in &device.consumed {
            line.push_str(&format!(" {name}={}m", amount.milli_value()));
        }
        line
    };
    let mut lines: Vec<String> = allocation.devices.iter().map(device).collect();
    if let Some(terms) = &allocation.node_selector {
        let requirements =
            terms.iter().flat_map(|term| term.match_fields.iter().chain(&term.match_expressions));
        let all: Vec<String> = requirements
            .map(|r| format!("{} {:?} [{}]", r.key, r.operator, r.values.join(" ")))
            .collect();
        lines.push(format!("nodes: {}", all.join("; ")));
    }
    lines
}
