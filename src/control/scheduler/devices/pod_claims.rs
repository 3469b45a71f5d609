//! The claims of a pod: those that it names, and the one that the scheduler makes for its extended
//! resources.
//!
//! Source: `plugins/dynamicresources/dynamicresources.go` (`foreachPodResourceClaim`),
//! `extendeddynamicresources.go`, v1.37.

use super::Devices;
use crate::api::devices::{
    Asks, CLASS_PREFIX, ClaimSpec, Consumer, DeviceRequest, Request, ResourceClaim,
};
use crate::api::pod::{Container, PodSpec};
use crate::api::{ObjectName, Text};
use crate::control::scheduler::plugins::is_extended_resource;
use crate::control::scheduler::pod_info::PodInfo;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The name of the claim for extended resources until it is written to the API server.
pub(in super::super) const IN_MEMORY: &str = "<extended-resources>";

/// The claims that a pod names, in that order, or why it can't be scheduled.
pub(in super::super) fn named(
    devices: &Devices,
    pod: &PodInfo,
) -> Result<Vec<Arc<ResourceClaim>>, String> {
    let mut claims = Vec::with_capacity(pod.spec.resource_claims.len());
    for wanted in &pod.spec.resource_claims {
        let whose = || format!("{}/{}", pod.namespace, pod.name.as_deref().unwrap_or(""));
        let found = devices
            .name_of(pod.id, wanted)
            .map_err(|_| format!("pod {:?}: ResourceClaim not created yet", whose()))?;
        let Some((name, must_own)) = found else { continue };
        let name = ObjectName { namespace: pod.namespace.clone(), name };
        let Some(claim) = devices.claim(&name) else {
            return Err(format!("could not find ResourceClaim {:?}", name.to_string()));
        };
        if claim.is_deleted {
            return Err(format!("resourceclaim {:?} is being deleted", &*name.name));
        }
        if must_own && claim.owner != Some(Consumer::Pod(pod.id)) {
            return Err(format!(
                "ResourceClaim {name} was not created for Pod {} (Pod is not owner)",
                whose()
            ));
        }
        claims.push(Arc::clone(claim));
    }
    Ok(claims)
}

/// The names of the claims that a pod names, as far as they are known.
pub(in super::super) fn names(devices: &Devices, pod: &PodInfo) -> Vec<ObjectName> {
    let name = |wanted| devices.name_of(pod.id, wanted).ok().flatten();
    let names = pod.spec.resource_claims.iter().filter_map(name);
    names.map(|(name, _)| ObjectName { namespace: pod.namespace.clone(), name }).collect()
}

/// Whether a class can be asked for by this name of a resource (`IsDRAExtendedResourceName`).
pub(in super::super) fn may_be_devices(resource: &str) -> bool {
    is_extended_resource(resource) || resource.starts_with(CLASS_PREFIX)
}

/// Whether a pod asks for an extended resource that a class stands for.
pub(in super::super) fn asks_for_extended(devices: &Devices, pod: &PodInfo) -> bool {
    pod.requests.scalars().any(|(name, amount)| {
        amount != 0 && may_be_devices(name) && devices.class_of_resource(name).is_some()
    })
}

/// The claim for a pod's extended resources: the one of an earlier cycle, or one that asks for
/// nothing yet, since that depends on the node (`preFilterExtendedResources`).
pub(in super::super) fn for_extended(
    devices: &Devices,
    pod: &PodInfo,
) -> Option<Arc<ResourceClaim>> {
    if !asks_for_extended(devices, pod) {
        return None;
    }
    if let Some(known) = devices.extended_claim_of(pod.id) {
        return Some(Arc::clone(known));
    }
    Some(Arc::new(ResourceClaim {
        name: ObjectName { namespace: pod.namespace.clone(), name: IN_MEMORY.into() },
        uid: format!("{IN_MEMORY} {:?}", pod.id).into(),
        owner: Some(Consumer::Pod(pod.id)),
        spec: Arc::default(),
        allocation: None,
        reserved_for: Vec::new(),
        device_conditions: Vec::new(),
        is_deleted: false,
        is_for_extended_resources: true,
    }))
}

/// What the claim for extended resources asks for where these `resources` are had as devices
/// (`createRequestsAndMappings`): ordinary containers and sidecars have devices of their own; init
/// containers use those of later containers and need what is missing, the one that lacks most.
pub(in super::super) fn extended_requests(
    devices: &Devices,
    spec: &PodSpec,
    resources: &BTreeMap<Text, i64>,
) -> ClaimSpec {
    let containers: Vec<&Container> = spec.init_containers.iter().chain(&spec.containers).collect();
    let is_short_lived = |at: usize| at < spec.init_containers.len() && !containers[at].sidecar;
    let mut requests: Vec<(Text, Text, i64)> = Vec::new();
    for resource in resources.keys() {
        let Some(class) = devices.class_of_resource(resource) else { continue };
        let own = |at: usize| amount(containers[at], resource);
        let mut most: Option<(Text, i64)> = None;
        let mut lasting: Vec<(Text, i64)> = Vec::new();
        for at in 0..containers.len() {
            let asked = own(at);
            if asked == 0 {
                continue;
            }
            let name = request_name(at, containers[at], resource);
            if !is_short_lived(at) {
                lasting.push((name, asked));
                continue;
            }
            let later = (at..containers.len()).filter(|later| !is_short_lived(*later));
            let missing = asked - later.map(own).sum::<i64>();
            if missing > 0 && most.as_ref().is_none_or(|(_, most)| *most < missing) {
                most = Some((name, missing));
            }
        }
        let all = most.into_iter().chain(lasting);
        requests.extend(all.map(|(name, count)| (name, class.name.clone(), count)));
    }
    requests.sort_by(|a, b| a.0.cmp(&b.0));
    let request = |(name, class, count)| Request {
        name,
        asks: Asks::Exactly(DeviceRequest {
            class,
            selectors: Vec::new(),
            count: Some(count),
            admin_access: false,
            tolerations: Vec::new(),
            capacity: BTreeMap::new(),
        }),
    };
    ClaimSpec { requests: requests.into_iter().map(request).collect(), constraints: Vec::new() }
}

fn amount(container: &Container, resource: &str) -> i64 {
    container.requests.scalar(resource)
}

/// The place of the container, and that of the resource among all that it requests, sorted.
fn request_name(at: usize, container: &Container, resource: &str) -> Text {
    let requests = &container.requests;
    let mut names: Vec<&str> = requests.scalars().map(|(name, _)| &**name).collect();
    let zero = container.explicit_zero;
    let standard = [
        ("cpu", requests.cpu.0 != 0 || zero.cpu),
        ("memory", requests.memory.0 != 0 || zero.memory),
        ("ephemeral-storage", requests.ephemeral_storage.0 != 0),
    ];
    names.extend(standard.iter().filter(|(_, given)| *given).map(|(name, _)| *name));
    names.sort_unstable();
    let place = names.iter().position(|name| *name == resource).unwrap_or(0);
    format!("container-{at}-request-{place}").into()
}
