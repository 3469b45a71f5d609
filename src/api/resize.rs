//! A change of a pod's requests and limits in place: what is wanted, and how far it is.
//!
//! Source: kubernetes `pkg/kubelet/allocation/allocation_manager.go` and
//! `pkg/kubelet/status/status_manager.go`, v1.37, whose conditions `PodResizePending` and
//! `PodResizeInProgress` this is. It does not know who decides.

use super::Text;
use super::pod::{Container, Pod, PodSpec};
use super::resources::Resources;
use crate::units::SimTime;
use std::sync::Arc;

/// What has become of changes of a pod in place. The pod's own specification is what its kubelet
/// has allocated (`status.containerStatuses[*].allocatedResources`).
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Resize {
    /// `spec` with what is wanted; `None`: that is allocated.
    pub wanted: Option<Arc<PodSpec>>,
    /// Condition `PodResizePending`: why what is wanted is not allocated. `None`: the kubelet has
    /// not looked yet, or nothing is wanted.
    pub pending: Option<Pending>,
    /// Condition `PodResizeInProgress`: what is allocated is not in force yet.
    pub in_progress: Option<InProgress>,
    /// How many changes have been asked for: `metadata.generation` is one more.
    pub changes: u32,
}

/// Condition `PodResizePending`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pending {
    /// `reason`.
    pub reason: PendingReason,
    /// `message`.
    pub message: Text,
    /// `lastTransitionTime`.
    pub since: SimTime,
    /// Of which change it tells: the value of [`Resize::changes`] at that time.
    pub of: u32,
}

/// `reason` of condition `PodResizePending`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PendingReason {
    /// The node has no room now.
    Deferred,
    /// It never will.
    Infeasible,
}

impl PendingReason {
    /// As in the condition.
    pub fn as_str(self) -> &'static str {
        match self {
            PendingReason::Deferred => "Deferred",
            PendingReason::Infeasible => "Infeasible",
        }
    }
}

/// Condition `PodResizeInProgress`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InProgress {
    /// `lastTransitionTime`.
    pub since: SimTime,
    /// `message`, with reason `Error`; empty: nothing is in the way.
    pub error: Text,
}

impl Resize {
    /// Whether one of the two conditions is there.
    pub fn is_told(&self) -> bool {
        self.pending.is_some() || self.in_progress.is_some()
    }

    /// What is wanted and may still be allocated: neither refused for good nor withdrawn.
    pub fn may_come(&self) -> Option<&Arc<PodSpec>> {
        let is_lost = |pending: &Pending| pending.reason == PendingReason::Infeasible;
        self.wanted.as_ref().filter(|_| !self.pending.as_ref().is_some_and(is_lost))
    }
}

impl Pod {
    /// What has become of changes in place; `None`: there were none.
    pub fn resize(&self) -> Option<&Resize> {
        self.more.as_ref()?.resize.as_deref()
    }

    /// The specification as the API shows it: with what is wanted.
    pub fn wanted_spec(&self) -> &Arc<PodSpec> {
        let wanted = self.resize().and_then(|resize| resize.wanted.as_ref());
        wanted.unwrap_or(&self.base.spec)
    }

    /// What the scheduler keeps free for it: of what each container has and what it may still get
    /// the larger one (component-helpers `resource/helpers.go`, `determineContainerReqs`, v1.37).
    pub fn reserved(&self) -> Resources {
        self.reserved_by(|container| container.requests.clone())
    }

    /// The same when a container's own request is `of(container)`.
    pub fn reserved_by(&self, of: impl Fn(&Container) -> Resources) -> Resources {
        let Some(wanted) = self.resize().and_then(Resize::may_come) else {
            return self.spec.requests_by(of);
        };
        wanted.requests_by(|container| {
            let mut amount = of(container);
            let has = self.spec.containers.iter().find(|has| has.name == container.name);
            has.into_iter().for_each(|has| amount.raise_to(&of(has)));
            amount
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::labels::Labels;
    use crate::units::{Bytes, MilliCpu};

    fn spec(cpu: i64, memory: i64) -> Arc<PodSpec> {
        let requests = Resources::of(MilliCpu(cpu), Bytes(memory));
        let containers = vec![Container { requests, ..Container::default() }];
        Arc::new(PodSpec { containers, ..PodSpec::default() })
    }

    #[test]
    fn room_is_kept_for_what_may_come() {
        let pending =
            |reason| Some(Pending { reason, message: "".into(), since: SimTime::ZERO, of: 1 });
        let rows = [
            ("what it has", None, None, (100, 10)),
            ("or more that is asked for", Some((200, 20)), None, (200, 20)),
            ("of each the larger one", Some((50, 20)), None, (100, 20)),
            ("also while it waits", Some((200, 20)), pending(PendingReason::Deferred), (200, 20)),
            (
                "but not for what never comes",
                Some((200, 20)),
                pending(PendingReason::Infeasible),
                (100, 10),
            ),
        ];
        for (sentence, wanted, pending, (cpu, memory)) in rows {
            let labels = Labels::default();
            let mut pod =
                Pod::pending("a".into(), "p".into(), labels, spec(100, 10), SimTime::ZERO);
            let wanted = wanted.map(|(cpu, memory)| spec(cpu, memory));
            pod.more_mut().resize = Some(Box::new(Resize { wanted, pending, ..Resize::default() }));
            let found = pod.reserved();
            assert_eq!((found.cpu.0, found.memory.0), (cpu, memory), "{sentence}");
        }
    }
}
