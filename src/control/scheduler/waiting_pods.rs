//! The pods that wait on Permit, as plugins see them: who they are and where they would go, with a
//! word on each (`framework.WaitingPod`).
//!
//! A word is heard once the plugin has returned. Upstream lists these pods in the order of a Go
//! map; here it is that in which they began to wait.

use super::framework::{NodeIndex, PluginSet};
use super::pod_info::PodInfo;
use crate::api::PodId;

/// One of them.
pub struct WaitingPod<'a> {
    /// The pod.
    pub pod: &'a PodInfo,
    /// Where it would go.
    pub node: NodeIndex,
    /// The plugins that it waits for (`GetPendingPlugins`).
    pub pending: PluginSet,
}

/// What a plugin says of a pod that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Word {
    /// It need not wait for this plugin.
    Allow,
    /// It may not be bound, for this reason.
    Reject(String),
}

/// All of them, whatever their profile.
pub struct WaitingPods<'a> {
    pods: Vec<WaitingPod<'a>>,
    words: Vec<(PodId, Word)>,
}

impl<'a> WaitingPods<'a> {
    /// These.
    pub(super) fn new(pods: Vec<WaitingPod<'a>>) -> WaitingPods<'a> {
        WaitingPods { pods, words: Vec::new() }
    }

    /// In the order in which they began to wait.
    pub fn iter(&self) -> impl Iterator<Item = &WaitingPod<'a>> {
        self.pods.iter()
    }

    /// The pod need not wait for the calling plugin any more. It is bound when it waits for none
    /// (`Allow`).
    pub fn allow(&mut self, pod: PodId) {
        self.words.push((pod, Word::Allow));
    }

    /// The pod is rejected by the calling plugin (`Reject`). The first word that ends a pod's
    /// waiting counts.
    pub fn reject(&mut self, pod: PodId, why: impl Into<String>) {
        self.words.push((pod, Word::Reject(why.into())));
    }

    /// What was said, in order.
    pub(super) fn into_words(self) -> Vec<(PodId, Word)> {
        self.words
    }
}
