//! A fast path beside the reference: a pod that failed fails again while nothing has changed.
//!
//! Thousands of equal pods that wait for room are tried again and again (upstream flushes each
//! every five minutes); as long as no node, no pod on a node, no nomination and no other object
//! that a plugin reads has changed, every one of these cycles comes to the same end. Exactness: the
//! key holds every field of a pod that a plugin reads, a version stands for everything else, a
//! failed search leaves the start index where it was (it looked at all nodes), and pods that could
//! preempt somebody are never remembered. A test runs both paths side by side.

use super::framework::PluginSet;
use super::pod_info::PodInfo;
use std::sync::Arc;

/// How many different kinds of failed pods are remembered.
const KINDS: usize = 64;

/// Failures of the present state.
#[derive(Debug, Default)]
pub(super) struct FailureMemo {
    version: u64,
    failures: Vec<Remembered>,
}

#[derive(Debug)]
struct Remembered {
    profile: usize,
    pod: PodInfo,
    failure: KnownFailure,
}

/// What a failed cycle came to.
#[derive(Clone, Debug)]
pub(super) struct KnownFailure {
    pub(super) message: String,
    pub(super) rejected_by: PluginSet,
    /// The nomination stays as told (`true`), or is taken back.
    pub(super) keeps_nomination: bool,
}

impl FailureMemo {
    /// The failure of an equal pod in the state called `version`.
    pub(super) fn find(
        &mut self,
        version: u64,
        profile: usize,
        pod: &PodInfo,
    ) -> Option<&KnownFailure> {
        if self.version != version {
            self.version = version;
            self.failures.clear();
        }
        let equal = |r: &&Remembered| {
            r.profile == profile && Arc::ptr_eq(&r.pod.spec, &pod.spec) && r.pod.is_like(pod)
        };
        self.failures.iter().find(equal).map(|r| &r.failure)
    }

    /// Remembers a failure in the state that [`FailureMemo::find`] was last asked about.
    pub(super) fn remember(&mut self, profile: usize, pod: &PodInfo, failure: KnownFailure) {
        if self.failures.len() < KINDS {
            self.failures.push(Remembered { profile, pod: pod.clone(), failure });
        }
    }
}
