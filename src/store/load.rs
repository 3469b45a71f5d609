//! What the pods on a node request together, kept as pods come and go.

use crate::api::pod::Pod;
use crate::api::resources::Resources;
use crate::units::{Bytes, MilliCpu};

/// Requests and number of the pods on a node that have not ended: what the scheduler subtracts from
/// the node's room.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeLoad {
    /// The pods' effective requests together.
    pub requested: Resources,
    /// How many pods there are.
    pub pods: u32,
}

impl NodeLoad {
    /// That of a node without pods.
    pub(super) const NOTHING: NodeLoad = NodeLoad {
        requested: Resources {
            cpu: MilliCpu::ZERO,
            memory: Bytes(0),
            ephemeral_storage: Bytes(0),
            scalars: None,
        },
        pods: 0,
    };

    /// Counts a pod in, or out again.
    pub(super) fn count(&mut self, pod: &Pod, comes: bool) {
        let requests = pod.reserved();
        if comes {
            self.requested.add(&requests);
            self.pods += 1;
        } else {
            self.requested.subtract(&requests);
            self.pods -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::api::labels::Labels;
    use crate::api::node::Node;
    use crate::api::pod::{Container, Pod, PodPhase, PodSpec};
    use crate::api::resources::Resources;
    use crate::store::Store;
    use crate::units::{Bytes, MilliCpu, SimTime};
    use std::sync::Arc;

    fn pod(cpu: i64) -> Pod {
        let requests = Resources::of(MilliCpu(cpu), Bytes(cpu));
        let containers = vec![Container { requests, ..Container::default() }];
        let spec = Arc::new(PodSpec { containers, ..PodSpec::default() });
        Pod::pending("default".into(), "p".into(), Labels::default(), spec, SimTime::ZERO)
    }

    #[test]
    fn a_load_is_the_sum_of_the_pods_that_have_not_ended() {
        let mut store = Store::default();
        let node = store.create_node(Node::empty());
        let [a, b, c] = [100, 20, 3].map(|cpu| store.create_pod(pod(cpu)));
        for id in [a, b, c] {
            store.bind_pod(id, node, SimTime::ZERO);
        }
        let load = |store: &Store| (store.load_of(node).requested.cpu.0, store.load_of(node).pods);
        assert_eq!(load(&store), (123, 3));
        store.mark_pod_deleted(a, SimTime::ZERO);
        assert_eq!(load(&store), (123, 3), "a terminating pod still takes its room");
        store.set_pod_phase(b, PodPhase::Failed);
        assert_eq!(load(&store), (103, 2), "an ended one does not");
        store.remove_pod(b);
        assert_eq!(load(&store), (103, 2), "and is not counted out twice");
        store.remove_pod(a);
        assert_eq!(load(&store), (3, 1));
    }

    #[test]
    fn unschedulable_pods_are_those_that_wait() {
        let mut store = Store::default();
        let node = store.create_node(Node::empty());
        let [a, b, c] = [1, 2, 3].map(|cpu| store.create_pod(pod(cpu)));
        let waiting =
            |store: &Store| -> Vec<_> { store.unschedulable_pods().map(|(id, _)| id).collect() };
        assert!(waiting(&store).is_empty(), "nobody has said so yet");
        for id in [c, b, a] {
            store.update_pod(id, |p| {
                p.unschedulable = true;
                true
            });
        }
        assert_eq!(waiting(&store), [a, b, c], "oldest first");
        store.bind_pod(a, node, SimTime::ZERO);
        store.mark_pod_deleted(b, SimTime::ZERO);
        assert_eq!(waiting(&store), [c]);
        store.remove_pod(c);
        assert!(waiting(&store).is_empty());
    }
}
