//! DynamicResources, for pods without resource claims: other pods are not simulated yet.
//!
//! Such a pod passes; but upstream's PostFilter needs what its PreFilter left, and fails with the
//! error "not found" when a plugin before it has rejected the pod. Preemption, which comes after
//! it, is then not tried, and people read "not found" in the pod's events.
//!
//! Source: `plugins/dynamicresources/dynamicresources.go`, v1.37.

use crate::control::scheduler::cycle::Handle;
use crate::control::scheduler::diagnosis::Diagnosis;
use crate::control::scheduler::framework::{
    Aspects, Code, Context, PluginState, PostFilter, PostFilterPlugin, PreFilter, PreFilterPlugin,
    SignPlugin, Status,
};
use crate::control::scheduler::pod_info::PodInfo;

/// Passes every pod.
pub struct DynamicResources;

/// PreFilter was here.
#[derive(Clone)]
struct Seen;

impl PreFilterPlugin for DynamicResources {
    fn pre_filter(&self, _cx: &Context<'_>, _pod: &PodInfo) -> PreFilter {
        PreFilter::with(Seen)
    }
}

impl PostFilterPlugin for DynamicResources {
    fn post_filter(
        &self,
        handle: &Handle<'_>,
        state: &PluginState,
        _pod: &PodInfo,
        _diagnosis: &Diagnosis,
    ) -> PostFilter {
        let status = match state.get::<Seen>() {
            Some(_) if handle.context().version.tells_of_no_claims() => {
                Status::unschedulable(&["no new claims to deallocate"])
            }
            Some(_) => Status::unschedulable(&[]),
            None => Status { code: Code::Error, ..Status::unschedulable(&["not found"]) },
        };
        PostFilter { status, nomination: None, victims: Vec::new(), dry_runs: 0 }
    }

    fn heeds_nodes(&self, _pod: &PodInfo) -> bool {
        false
    }
}

impl SignPlugin for DynamicResources {
    fn sign(&self, _pod: &PodInfo) -> Option<Aspects> {
        Some(Aspects::NONE)
    }
}
