//! ResourceClaims (`resource/v1`) with their status, as a recorded cluster has them, and the claims
//! that a pod names.

use super::devices::{claim_spec, name};
use super::pod_affinity::node_term;
use super::{FieldError, quantity, text, texts};
use crate::api::Text;
use crate::api::devices::{
    AllocatedDevice, Allocation, ClaimSource, Consumer, DeviceCondition, DeviceConditions,
    DeviceId, PodResourceClaim, ResourceClaim,
};
use k8s_openapi::api::core::v1 as core;
use k8s_openapi::api::resource::v1 as resource;
use std::sync::Arc;

/// `resource.kubernetes.io/extended-resource-claim`: the scheduler made the claim.
const EXTENDED: &str = "resource.kubernetes.io/extended-resource-claim";

/// A ResourceClaim; `namespace` is the one it goes to when it names none. When it was allocated is
/// not read: no clock here knows that time.
pub fn claim(
    given: &resource::ResourceClaim,
    namespace: &str,
    errors: &mut Vec<FieldError>,
) -> ResourceClaim {
    let metadata = &given.metadata;
    let status = given.status.clone().unwrap_or_default();
    let spec = given.spec.clone().unwrap_or_default();
    let mut owners = metadata.owner_references.iter().flatten();
    let owner = owners.find(|owner| owner.controller == Some(true));
    let users = status.reserved_for.iter().flatten();
    let mut annotations = metadata.annotations.iter().flatten();
    let allocation = status.allocation.as_ref().map(|given| allocation(given, errors));
    ResourceClaim {
        name: name(metadata, namespace),
        uid: text(metadata.uid.as_ref()),
        owner: owner.map(|owner| Consumer::Other(owner.uid.as_str().into())),
        spec: Arc::new(claim_spec(&spec, "spec", errors)),
        allocation: allocation.map(Arc::new),
        reserved_for: users.map(|user| Consumer::Other(user.uid.as_str().into())).collect(),
        device_conditions: status.devices.iter().flatten().map(conditions).collect(),
        is_deleted: metadata.deletion_timestamp.is_some(),
        is_for_extended_resources: annotations.any(|(k, v)| k == EXTENDED && v == "true"),
    }
}

fn allocation(given: &resource::AllocationResult, errors: &mut Vec<FieldError>) -> Allocation {
    let path = "status.allocation";
    let results = given.devices.iter().flat_map(|devices| devices.results.iter().flatten());
    let devices = results.map(|given| AllocatedDevice {
        request: given.request.as_str().into(),
        id: DeviceId {
            driver: given.driver.as_str().into(),
            pool: given.pool.as_str().into(),
            device: given.device.as_str().into(),
        },
        admin_access: given.admin_access.unwrap_or(false),
        is_share: given.share_id.is_some(),
        consumed: given
            .consumed_capacity
            .iter()
            .flatten()
            .map(|(name, amount)| {
                let path = || format!("{path}.devices.results.consumedCapacity[{name}]");
                (Text::from(name.as_str()), quantity(amount, path, errors))
            })
            .collect(),
        binding_conditions: texts(given.binding_conditions.as_ref()),
        binding_failure_conditions: texts(given.binding_failure_conditions.as_ref()),
    });
    let devices = devices.collect();
    let selector = given.node_selector.as_ref();
    let terms = selector.map(|selector| {
        let terms = selector.node_selector_terms.iter().enumerate();
        let path = format!("{path}.nodeSelector.nodeSelectorTerms");
        terms.map(|(i, term)| node_term(term, &format!("{path}[{i}]"), errors)).collect()
    });
    Allocation { devices, node_selector: terms, since: None }
}

fn conditions(given: &resource::AllocatedDeviceStatus) -> DeviceConditions {
    let conditions = given.conditions.iter().flatten();
    DeviceConditions {
        id: DeviceId {
            driver: given.driver.as_str().into(),
            pool: given.pool.as_str().into(),
            device: given.device.as_str().into(),
        },
        conditions: conditions
            .map(|condition| DeviceCondition {
                kind: condition.type_.as_str().into(),
                is_true: condition.status == "True",
                reason: condition.reason.as_str().into(),
                message: condition.message.as_str().into(),
            })
            .collect(),
    }
}

/// The claims of a pod (`spec.resourceClaims`).
pub(super) fn of_pod(
    spec: &core::PodSpec,
    path: &str,
    errors: &mut Vec<FieldError>,
) -> Vec<PodResourceClaim> {
    let one = |(i, given): (usize, &core::PodResourceClaim)| {
        let (claim, template) = (&given.resource_claim_name, &given.resource_claim_template_name);
        let source = match (claim, template) {
            (Some(claim), None) => ClaimSource::Claim(claim.as_str().into()),
            (None, Some(template)) => ClaimSource::Template(template.as_str().into()),
            _ => {
                let message = "expected exactly one of resourceClaimName and \
                               resourceClaimTemplateName";
                let path = format!("{path}.resourceClaims[{i}]");
                errors.push(FieldError::new(path, message));
                return None;
            }
        };
        Some(PodResourceClaim { name: given.name.as_str().into(), source })
    };
    spec.resource_claims.iter().flatten().enumerate().filter_map(one).collect()
}
