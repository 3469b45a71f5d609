//! Static pods: a kubelet runs them by itself, and makes an object that mirrors each of them.
//!
//! The mirror is a pod like any other for whoever looks at it. It comes when the node registers,
//! with nobody scheduling it, and again when somebody deletes it; what it mirrors goes on running
//! meanwhile. Here a static pod lives and dies with its mirror's place in the store: one whose
//! mirror is refused by a quota does not run. Source: kubernetes `pkg/kubelet/kubelet.go`
//! (`tryReconcileMirrorPods`, `fastStaticPodsRegistration`) and `pkg/kubelet/config/common.go`,
//! v1.37. It does not know what the pods are for.

use crate::api::pod::Pod;
use crate::api::{NodeId, ObjectName, PodId};
use crate::world::event::{Event, NodeStep};
use crate::world::world::World;

impl World<'_> {
    /// Makes the mirrors of a node's static pods that are not there; gives them in the order of
    /// their manifests.
    pub(in crate::world) fn make_mirrors(&mut self, node: NodeId) -> Vec<PodId> {
        let scenario = self.scenario;
        let Some((name, group)) = self.store.node(node).map(|n| (n.name.clone(), n.group)) else {
            return Vec::new();
        };
        let Some(group) = scenario.node_groups.get(group) else { return Vec::new() };
        let mut made = Vec::new();
        for pod in &group.static_pods {
            let named = format!("{}-{name}", pod.name());
            if self.pod_named(&ObjectName::new(&pod.namespace, &named)).is_none() {
                let mirror = Pod::pending(
                    pod.namespace.clone(),
                    named.into(),
                    pod.labels.clone(),
                    pod.spec.clone(),
                    self.now,
                );
                made.extend(self.place_mirror(mirror, node));
            }
        }
        made
    }

    fn place_mirror(&mut self, mirror: Pod, node: NodeId) -> Option<PodId> {
        match self.admit_pod(mirror) {
            Ok(id) => {
                self.store.bind_pod(id, node, self.now);
                Some(id)
            }
            Err(refused) => {
                self.tell_refusal(&refused.refusal);
                None
            }
        }
    }

    /// Whether a node has a kubelet that sees what becomes of its pods.
    pub(in crate::world) fn sees_pods(&self, node: NodeId) -> bool {
        self.store.node(node).is_some()
            && self.nodes.get(node).is_some_and(|s| s.alive && s.silent_since.is_none())
    }

    /// The kubelet sees that a pod is being deleted.
    pub(super) fn deletion_is_seen(&mut self, pod: PodId) {
        if !self.renews_mirror(pod) {
            self.stop_pod(pod);
        }
    }

    /// If a mirror is being deleted, its kubelet makes it anew, and its containers notice nothing.
    /// False: it goes like any pod, since it is no mirror or its namespace goes too.
    pub(super) fn renews_mirror(&mut self, pod: PodId) -> bool {
        let Some(p) = self.store.pod(pod) else { return false };
        let is_due = p.spec.is_mirror && p.deletion.is_some();
        if !is_due || !self.is_namespace_there(&p.namespace) {
            return false;
        }
        let before = p.clone();
        self.charge_for_node(pod, &before);
        self.record_pod(pod, &before, Some(self.now));
        let totals = &mut self.recorder.totals;
        (totals.pods_gone, totals.pods_created) = (totals.pods_gone + 1, totals.pods_created + 1);
        if let Some(trouble) = self.pods.get_mut(pod).and_then(|state| state.trouble.as_mut()) {
            (trouble.end_reason, trouble.grace) = ("", None);
        }
        self.store.renew_pod(pod, self.now);
        true
    }

    /// A machine has booted: its static pods run whatever became of them before.
    pub(super) fn static_pods_begin_anew(&mut self, node: NodeId) {
        let mut ended = Vec::new();
        for id in self.store.pods_on(node).to_vec() {
            let Some(pod) = self.store.pod(id).filter(|pod| pod.spec.is_mirror) else { continue };
            if !pod.phase.is_terminal() {
                self.renews_mirror(id);
                continue;
            }
            let (namespace, labels) = (pod.namespace.clone(), pod.labels.clone());
            let spec = pod.spec.clone();
            ended.push(Pod::pending(namespace, pod.name(), labels, spec, self.now));
            self.store.remove_pod(id);
        }
        let group = self.store.node(node).and_then(|n| self.scenario.node_groups.get(n.group));
        if !ended.is_empty() || group.is_some_and(|group| !group.static_pods.is_empty()) {
            self.kubelets.mirrors.entry(node).or_default().append(&mut ended);
            let write = self.scenario.flags.api_server.write_latency;
            self.plan(self.now + write, Event::Node(node, NodeStep::Mirrors));
        }
    }

    /// The mirrors of before are gone, and others come.
    pub(super) fn mirrors_come(&mut self, node: NodeId) {
        for mirror in self.kubelets.mirrors.remove(&node).unwrap_or_default() {
            let mirror = Pod { created: self.now, ready_changed: self.now, ..mirror };
            self.place_mirror(mirror, node);
        }
        self.make_mirrors(node);
    }
}
