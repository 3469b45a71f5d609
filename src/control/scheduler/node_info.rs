//! A node as the scheduler sees it: the object, the pods on it and their sums
//! (`framework.NodeInfo`). It knows nothing of zones, order or the cache around it.
//!
//! Source: `pkg/scheduler/framework/types.go` `NodeInfo`, v1.37.

use super::pod_info::PodInfo;
use crate::api::node::Node;
use crate::api::pod::HostPort;
use crate::api::resources::Resources;
use crate::api::{PodId, Text};
use crate::units::{Bytes, MilliCpu};
use std::sync::Arc;

/// A node with the pods on it.
#[derive(Clone, Debug)]
pub struct NodeInfo {
    /// The node object; after its removal the last one known.
    pub node: Arc<Node>,
    /// What the pods on it request together.
    pub requested: Resources,
    /// CPU and memory requested, with defaults for containers that request none.
    pub non_zero_requested: (MilliCpu, Bytes),
    /// Pods on it, in the order that adding (at the end) and removing (the last one moves into the
    /// hole) leave behind.
    pub pods: Vec<PodInfo>,
    rare: Option<Box<Rare>>,
}

/// What most nodes have none of: there are many nodes.
#[derive(Clone, Default, Debug)]
pub struct Rare {
    /// Pods with any pod affinity or anti-affinity.
    pub pods_with_affinity: Vec<PodInfo>,
    /// Pods with required pod anti-affinity.
    pub pods_with_required_anti_affinity: Vec<PodInfo>,
    /// Host ports in use: a set.
    pub used_ports: Vec<HostPort>,
    /// Images on it, sorted by name.
    pub images: Vec<ImageState>,
}

/// An image on a node, with how widely it was spread when the node's record last changed.
#[derive(Clone, PartialEq, Debug)]
pub struct ImageState {
    /// One of the image's names.
    pub name: Text,
    /// Its size.
    pub size: Bytes,
    /// On how many nodes it lay.
    pub nodes: u32,
}

impl NodeInfo {
    /// A node with no pods.
    pub fn new(node: Arc<Node>) -> NodeInfo {
        NodeInfo {
            node,
            requested: Resources::default(),
            non_zero_requested: (MilliCpu(0), Bytes(0)),
            pods: Vec::new(),
            rare: None,
        }
    }

    /// A node with these pods: a supposition, for what-if questions.
    pub fn with_pods(node: Arc<Node>, pods: impl IntoIterator<Item = PodInfo>) -> NodeInfo {
        let mut info = NodeInfo::new(node);
        pods.into_iter().for_each(|pod| info.add_pod(pod));
        info
    }

    /// The node's name.
    pub fn name(&self) -> &Text {
        &self.node.name
    }

    /// What most nodes have none of.
    pub fn rare(&self) -> &Rare {
        self.rare.as_deref().unwrap_or(&NOTHING_RARE)
    }

    /// The same, to be changed.
    pub fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Adds a pod (`AddPodInfo`).
    pub fn add_pod(&mut self, pod: PodInfo) {
        self.requested.add(&pod.requests);
        self.non_zero_requested.0 += pod.non_zero.0;
        self.non_zero_requested.1 += pod.non_zero.1;
        for port in pod.spec.host_ports() {
            if !self.rare().used_ports.iter().any(|used| is_same(used, port)) {
                self.rare_mut().used_ports.push(port.clone());
            }
        }
        if pod.affinity.is_some() {
            self.rare_mut().pods_with_affinity.push(pod.clone());
        }
        if pod.has_required_anti_affinity() {
            self.rare_mut().pods_with_required_anti_affinity.push(pod.clone());
        }
        if self.pods.len() == self.pods.capacity() {
            // A node has few pods, and there are many nodes: doubling would leave much room unused.
            self.pods.reserve_exact(self.pods.len() / 2 + 1);
        }
        self.pods.push(pod);
    }

    /// Removes a pod (`RemovePod`); `None` when it is not here.
    pub fn remove_pod(&mut self, id: PodId) -> Option<PodInfo> {
        let at = self.pods.iter().position(|p| p.id == id)?;
        let pod = self.pods.swap_remove(at);
        self.requested.subtract(&pod.requests);
        self.non_zero_requested.0 -= pod.non_zero.0;
        self.non_zero_requested.1 -= pod.non_zero.1;
        if let Some(rare) = &mut self.rare {
            rare.remove_pod(&pod);
        }
        Some(pod)
    }

    /// Whether a pod that wants `port` conflicts with the ports in use (`CheckConflict`).
    pub fn port_conflicts(&self, port: &HostPort) -> bool {
        ports_conflict(&self.rare().used_ports, port)
    }

    /// The image of this name, if it lies here.
    pub fn image(&self, name: &str) -> Option<&ImageState> {
        let images = &self.rare().images;
        let at = images.binary_search_by(|i| (*i.name).cmp(name)).ok()?;
        Some(&images[at])
    }
}

static NOTHING_RARE: Rare = Rare {
    pods_with_affinity: Vec::new(),
    pods_with_required_anti_affinity: Vec::new(),
    used_ports: Vec::new(),
    images: Vec::new(),
};

impl Rare {
    fn remove_pod(&mut self, pod: &PodInfo) {
        for port in pod.spec.host_ports() {
            self.used_ports.retain(|used| !is_same(used, port));
        }
        for list in [&mut self.pods_with_affinity, &mut self.pods_with_required_anti_affinity] {
            if let Some(at) = list.iter().position(|p| p.id == pod.id) {
                list.swap_remove(at);
            }
        }
    }
}

/// The wildcard address, however it is written.
fn is_any(ip: &str) -> bool {
    ip.is_empty() || ip == "0.0.0.0"
}

/// Whether two ports are one entry of the set of used ports.
fn is_same(a: &HostPort, b: &HostPort) -> bool {
    a.port == b.port
        && a.protocol == b.protocol
        && (a.ip == b.ip || (is_any(&a.ip) && is_any(&b.ip)))
}

/// Whether `wanted` collides with one of `used`: same protocol and port, and one of the addresses
/// is the wildcard or both are the same.
pub fn ports_conflict(used: &[HostPort], wanted: &HostPort) -> bool {
    used.iter().any(|u| {
        u.port == wanted.port
            && u.protocol == wanted.protocol
            && (is_any(&u.ip) || is_any(&wanted.ip) || u.ip == wanted.ip)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_small() {
        // There is one for each node; what most nodes have none of is elsewhere.
        assert_eq!(size_of::<NodeInfo>(), 88);
    }
}
