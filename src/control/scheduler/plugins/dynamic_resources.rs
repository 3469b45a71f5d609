//! DynamicResources: claims that are allocated must be usable on the node, and the others must find
//! devices there. What they find is reserved once the pod has the node, and written before the pod
//! is bound.
//!
//! A pod without claims passes; but upstream's PostFilter needs what its PreFilter left, and fails
//! with the error "not found" when a plugin before it has rejected the pod. Preemption, which comes
//! after it, is then not tried, and people read "not found" in the pod's events.
//!
//! Source: `plugins/dynamicresources/dynamicresources.go`, v1.37, with the gates of its defaults.
//! What upstream's Filter keeps for each node is found again here where it is asked for. Of several
//! claims that PostFilter could free, upstream takes one in a map's order; here it is the first.

mod binding;
mod hints;
mod search;

use crate::api::ObjectName;
use crate::control::scheduler::devices::pod_claims::{self, IN_MEMORY};
use crate::control::scheduler::diagnosis::Diagnosis;
use crate::control::scheduler::framework::{
    Aspects, Code, Context, FilterPlugin, NodeList, PluginState, PostFilter, PostFilterPlugin,
    PreEnqueuePlugin, PreFilter, PreFilterPlugin, Scope, ScorePlugin, SignPlugin, Status,
    default_normalize_score,
};
use crate::control::scheduler::handle::Handle;
use crate::control::scheduler::node_info::NodeInfo;
use crate::control::scheduler::objects::Objects;
use crate::control::scheduler::pod_info::PodInfo;
use crate::control::scheduler::queue::QueuedPod;
use crate::control::scheduler::registry::{self, decode};
use crate::units::SimDuration;
use search::{Claims, score};
use serde::Deserialize;
use serde_json::Value;

const NOT_AVAILABLE: &str = "resourceclaim not available on the node";

/// Finds devices for claims.
pub struct DynamicResources {
    /// How long a pod waits for its devices to be made ready.
    binding_timeout: SimDuration,
}

/// `DynamicResourcesArgs`. Upstream's `filterTimeout` is by the clock: a bound on steps stands in.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Args {
    binding_timeout: Option<String>,
}

impl DynamicResources {
    /// From `DynamicResourcesArgs`.
    pub fn new(args: &Value) -> Result<DynamicResources, String> {
        let args: Args = decode(args)?;
        let given = args.binding_timeout.as_deref().map(go_duration).transpose();
        let given = given.map_err(|error| format!("bindingTimeout: {error}"))?;
        Ok(DynamicResources { binding_timeout: given.unwrap_or(SimDuration::from_secs(600)) })
    }
}

/// A duration as Go writes it, like `10m0s`; whole units only.
fn go_duration(text: &str) -> Result<SimDuration, String> {
    let wrong = || format!("{text:?} is no duration; expected one like 10m0s");
    let mut rest = text;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let number: u64 = rest[..end].parse().map_err(|_| wrong())?;
        let tail = &rest[end..];
        let end = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let milli: u64 = match &tail[..end] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(wrong()),
        };
        let more = number.checked_mul(milli).ok_or_else(wrong)?;
        total = total.checked_add(more).ok_or_else(wrong)?;
        rest = &tail[end..];
    }
    if text.is_empty() { Err(wrong()) } else { Ok(SimDuration(total.saturating_mul(1_000_000))) }
}

/// PreFilter was here, and the pod has no claim.
#[derive(Clone)]
struct Seen;

/// Whether what is said of a pod depends on claims at all.
fn has_claims(pod: &PodInfo, objects: &Objects) -> bool {
    objects.devices.as_deref().is_some_and(|devices| {
        !pod.spec.resource_claims.is_empty() || pod_claims::asks_for_extended(devices, pod)
    })
}

impl PreEnqueuePlugin for DynamicResources {
    fn pre_enqueue(&self, pod: &QueuedPod) -> Status {
        match pod.lacks_claims {
            true => Status::unresolvable(&["its claims are not there"]),
            false => Status::SUCCESS,
        }
    }
}

impl PreFilterPlugin for DynamicResources {
    fn pre_filter(&self, cx: &Context<'_>, pod: &PodInfo) -> PreFilter {
        let Some(devices) = cx.objects.devices.as_deref() else { return PreFilter::with(Seen) };
        match Claims::of(devices, pod) {
            Ok(Some(claims)) => PreFilter::with(claims),
            Ok(None) => PreFilter::with(Seen),
            Err(why) => PreFilter::Rejected(Status::made(Code::UnschedulableAndUnresolvable, why)),
        }
    }
}

impl FilterPlugin for DynamicResources {
    fn scope(&self) -> Scope {
        Scope::Node
    }

    fn heeds_identity(&self, _pod: &PodInfo) -> bool {
        false
    }

    fn is_volatile(&self, pod: &PodInfo, objects: &Objects) -> bool {
        has_claims(pod, objects)
    }

    fn filter(
        &self,
        cx: &Context<'_>,
        state: &PluginState,
        pod: &PodInfo,
        node: &NodeInfo,
    ) -> Status {
        let (Some(devices), Some(claims)) = (cx.objects.devices.as_deref(), state.get::<Claims>())
        else {
            return Status::SUCCESS;
        };
        if let Err(status) = claims.allocate(devices, pod, node) {
            return status;
        }
        match claims.unavailable(cx.now, self.binding_timeout, node).next() {
            Some(_) => Status::unresolvable(&[NOT_AVAILABLE]),
            None => Status::SUCCESS,
        }
    }
}

impl PostFilterPlugin for DynamicResources {
    fn post_filter(
        &self,
        handle: &Handle<'_>,
        state: &PluginState,
        pod: &PodInfo,
        diagnosis: &Diagnosis,
    ) -> PostFilter {
        let cx = handle.context();
        let own = registry::id_of("DynamicResources");
        let rejected_it = own.is_some_and(|own| diagnosis.unschedulable_plugins.has(own));
        let mut freed = None;
        let status = if let Some(claims) = state.get::<Claims>() {
            freed = self.claim_to_free(handle, claims, pod, diagnosis);
            match &freed {
                Some((_, true)) => Status::unschedulable(&["deletion of ResourceClaim completed"]),
                Some(_) => Status::unschedulable(&["deallocation of ResourceClaim completed"]),
                None => Status::unschedulable(&[]),
            }
        } else if state.get::<Seen>().is_none() && !rejected_it {
            Status { code: Code::Error, ..Status::unschedulable(&["not found"]) }
        } else if cx.version.tells_of_no_claims() {
            Status::unschedulable(&["no new claims to deallocate"])
        } else {
            Status::unschedulable(&[])
        };
        let freed = freed.map(|(claim, _)| claim);
        PostFilter { status, nomination: None, victims: Vec::new(), freed, dry_runs: 0 }
    }

    /// Only a pod that has claims, or may be given one for an extended resource.
    fn heeds_nodes(&self, pod: &PodInfo) -> bool {
        !pod.spec.resource_claims.is_empty() || pod.requests.scalars.is_some()
    }
}

impl DynamicResources {
    /// A claim that keeps the pod from some node and that nobody else uses; else the one that the
    /// scheduler made for its extended resources in a cycle that failed later (true).
    fn claim_to_free(
        &self,
        handle: &Handle<'_>,
        claims: &Claims,
        pod: &PodInfo,
        diagnosis: &Diagnosis,
    ) -> Option<(ObjectName, bool)> {
        let now = handle.context().now;
        let is_own = |reasons: &crate::control::scheduler::framework::Reasons| {
            reasons.iter().any(|reason| reason == NOT_AVAILABLE)
        };
        let rejected = diagnosis.rejections.iter().filter(|r| is_own(&r.status.reasons));
        let mut candidates: Vec<usize> = rejected
            .flat_map(|r| claims.unavailable(now, self.binding_timeout, handle.node(r.node)))
            .collect();
        candidates.sort_unstable();
        let free = candidates.into_iter().find_map(|at| claims.named_if_only_for(at, pod.id));
        let stale = claims.extended().filter(|claim| *claim.name.name != *IN_MEMORY);
        free.map(|name| (name, false)).or_else(|| stale.map(|claim| (claim.name.clone(), true)))
    }
}

impl ScorePlugin for DynamicResources {
    fn scope(&self) -> Scope {
        Scope::Node
    }

    fn heeds_identity(&self, _pod: &PodInfo) -> bool {
        false
    }

    fn score(&self, cx: &Context<'_>, _state: &PluginState, pod: &PodInfo, node: &NodeInfo) -> i64 {
        let Some(devices) = cx.objects.devices.as_deref() else { return 0 };
        match Claims::of(devices, pod) {
            Ok(Some(claims)) if claims.have_alternatives() => {
                let found = claims.allocate(devices, pod, node).unwrap_or_default();
                score(&claims, &found)
            }
            _ => 0,
        }
    }

    fn normalize(
        &self,
        _state: &PluginState,
        _pod: &PodInfo,
        _feasible: NodeList<'_>,
        scores: &mut [i64],
    ) {
        default_normalize_score(false, scores);
    }
}

impl SignPlugin for DynamicResources {
    fn sign(&self, pod: &PodInfo) -> Option<Aspects> {
        pod.spec.resource_claims.is_empty().then_some(Aspects::NONE)
    }
}

#[cfg(test)]
mod tests;
